//! Thread-local data (64-bit ELF V2 ABI, 3.7; the first ABI has the same code).
//!
//! Local exec: the datum is at a constant distance from the thread pointer, `r13`, which stands 0x7000 bytes behind the
//! start of the thread's block. General dynamic: a pair of doublewords that the table of contents leads to tells
//! `__tls_get_addr` which datum. The pair's address is made in `r3`, the call follows, and a relocation says
//! that the two belong together: linkers make of them what is cheaper in an executable, and rewrite these instructions.

use super::call;
use super::emit::{Emit, Result, w};
use super::imm::Simm16;
use super::lower::Lower;
use super::minst::Inst;
use super::pseudo::MInst;
use super::regs;
use super::reloc;
use crate::machinst::pseudo::CallInfo;
use crate::machinst::{Reg, WritableReg};
use crate::settings::TlsModel;
use alloc::boxed::Box;
use alloc::vec::Vec;
use windlass_ir::{ExternalName, GlobalValue, GlobalValueData, LibCall};

/// The call that gives the address of a thread-local datum.
#[derive(Clone, PartialEq, Debug)]
pub struct ThreadCall {
    /// The symbol, and an offset in bytes.
    pub symbol: (ExternalName, i64),
    /// The call, without arguments: what it is about is made with it.
    pub call: CallInfo,
}

/// Offsets of less than so many bytes are part of a relocation; the sum must be one of 32 bits with its sign.
const NEAR_BYTES: u64 = 1 << 30;

/// The symbol of a thread-local global value, and an offset in bytes.
fn symbol(cx: &Lower<'_>, gv: GlobalValue) -> Option<(ExternalName, i64)> {
    match &cx.func.global_values[gv] {
        GlobalValueData::Symbol { name, offset, tls: true, .. } => Some((name.clone(), *offset)),
        _ => None,
    }
}

/// The address of a thread-local datum, by its distance from the thread pointer.
pub(super) fn local_exec(cx: &mut Lower<'_>, gv: GlobalValue) -> Option<Reg> {
    if cx.machine.settings.tls_model != TlsModel::ElfLe {
        cx.unsupported("tls_value without the setting tls_model".into());
        return None;
    }
    let symbol = Box::new(symbol(cx, gv)?);
    let rd = cx.temp(regs::GPR);
    cx.emit(MInst::ThreadAddr { rd, symbol });
    Some(rd.to_reg())
}

/// The address of a thread-local datum, by `__tls_get_addr`.
pub(super) fn general_dynamic(cx: &mut Lower<'_>, gv: GlobalValue) -> Option<Reg> {
    if cx.machine.toc_free() {
        cx.unsupported("tls_model=elf_gd without a table of contents, by the setting toc_free".into());
        return None;
    }
    let symbol = symbol(cx, gv)?;
    let (call, result) = call::library_call_info(cx, ExternalName::LibCall(LibCall::ElfTlsGetAddr), &[]);
    cx.emit(MInst::ThreadCall(Box::new(ThreadCall { symbol, call })));
    Some(result)
}

impl Emit<'_> {
    /// ```text
    ///     addis rd, r13, symbol@tprel@ha ; addi rd, rd, symbol@tprel@l      and a large offset added
    /// ```
    pub(super) fn thread_addr(&mut self, rd: WritableReg, name: &ExternalName, offset: i64) -> Result {
        let ra = rd.to_reg();
        let (addend, rest) = if offset.unsigned_abs() < NEAR_BYTES { (offset, 0) } else { (0, offset) };
        self.half_reloc(reloc::TPREL16_HA, name, addend);
        self.real(&Inst::Addis { rt: rd, ra: Reg::from_preg(regs::THREAD), si: Simm16::ZERO })?;
        self.half_reloc(reloc::TPREL16_LO, name, addend);
        self.real(&Inst::Addi { rt: rd, ra, si: Simm16::ZERO })?;
        self.add_offset(rd, ra, rest)
    }

    /// ```text
    ///     addis r3, r2, symbol@got@tlsgd@ha
    ///     addi r3, r3, symbol@got@tlsgd@l
    ///     bl __tls_get_addr(symbol@tlsgd) ; nop                             and an offset added
    /// ```
    pub(super) fn thread_call(&mut self, ThreadCall { symbol: (name, offset), call }: &ThreadCall) -> Result {
        let r3 = Reg::from_preg(regs::r(3));
        self.half_reloc(reloc::GOT_TLSGD16_HA, name, 0);
        self.real(&Inst::Addis { rt: w(r3), ra: Reg::from_preg(regs::TOC), si: Simm16::ZERO })?;
        self.half_reloc(reloc::GOT_TLSGD16_LO, name, 0);
        self.real(&Inst::Addi { rt: w(r3), ra: r3, si: Simm16::ZERO })?;
        self.call(call, Vec::new(), Some(name))?;
        self.add_offset(w(r3), r3, *offset)
    }
}
