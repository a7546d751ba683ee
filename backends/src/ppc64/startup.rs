//! Code for programs on a bare Linux kernel, 64-bit POWER: start, system calls, and a way back from signals.
//!
//! System calls take their number in `r0` and arguments in `r3`–`r8`; bit SO of `cr0` says that `r3` is an error
//! number, positive (syscall(2)). A record of `__windlass_protect` holds, in bytes:
//!
//! | offset | what |
//! |---|---|
//! | 0 | `r1` |
//! | 8 | `r2` |
//! | 16 | the link register |
//! | 24 | the condition register |
//! | 32 | `r14`–`r31` |
//! | 176 | `f14`–`f31` |
//!
//! which is what a function must leave as it found it (64-bit ELF V2 ABI, 2.2.1), and the table of contents.
//! `__windlass_recover` runs as the continuation of the instruction that the signal interrupted: nothing but the record
//! is worth keeping there. The kernel enters a program and a handler of signals as callers through pointers do: by
//! descriptors in the first ABI, with the address of the code in `r12` in the second.

use super::imm::Cond;
use super::imm::{BranchOffset, CondBranchOffset, CrMask, DsOffset, Simm16, Uimm6};
use super::minst::{Inst, word_bytes};
use super::regs::{self, ENTRY, SP, TOC, ZERO, r};
use super::reloc::{REL16_HA, REL16_LO, REL24, TOC16_HA, TOC16_LO, half_offset};
use crate::compiled::CompiledCode;
use crate::machinst::encode::EncodeError;
use crate::machinst::reg::{Reg, Writable, WritableReg};
use crate::reloc::{Reloc, RelocKind};
use crate::target::{ElfInfo, FunctionSymbols, SignalLayout, Startup};
use alloc::string::String;
use alloc::vec::Vec;
use windlass_ir::ExternalName;
use windlass_regalloc::PReg;

/// Offsets in a record, in bytes.
const RECORD_GPRS: i64 = 32;
const RECORD_FPRS: i64 = RECORD_GPRS + 18 * 8;
const RECORD_BYTES: i64 = RECORD_FPRS + 18 * 8;

/// `sigcontext` is the last member of `ucontext_t`, after `uc_flags`, `uc_link`, `uc_stack` (24 bytes) and 128 bytes of
/// signal masks. Its registers follow 64 bytes of others: the general-purpose ones, then the address of the next
/// instruction.
const UCONTEXT_GPRS: u32 = 8 + 8 + 24 + 128 + 64;

/// Linux system calls and signal frames of 64-bit POWER.
pub const SIGNAL: SignalLayout = SignalLayout {
    pc: UCONTEXT_GPRS + 8 * 32,
    arg0: UCONTEXT_GPRS + 8 * 3,
    sys_write: 4,
    sys_exit_group: 234,
    sys_rt_sigaction: 173,
    sys_sigaltstack: 185,
    sys_rt_sigprocmask: 174,
};

/// The size of the frames here: a header of either ABI, with 64 bytes of room for a callee's arguments.
const FRAME_BYTES: i64 = 112;

/// The functions of [`Startup`], for programs of this form.
pub fn startup(elf: &ElfInfo) -> Startup {
    let functions = [
        function("_start", &start(elf), elf),
        function("__windlass_syscall", &syscall(), elf),
        function("__windlass_protect", &protect(elf), elf),
        function("__windlass_recover", &recover(), elf),
    ];
    // All of them encode, as the tests show; one that did not would be an undefined symbol to the linker.
    let functions = functions.into_iter().flatten().collect();
    Startup { functions, threads: threads(elf), record_bytes: RECORD_BYTES as u32, signal: SIGNAL }
}

/// What programs with thread-local data need besides: their start, and how data are found.
fn threads(elf: &ElfInfo) -> Vec<(String, CompiledCode)> {
    let functions = [
        function("__windlass_start_threads", &start_threads(elf), elf),
        function("__tls_get_addr", &get_thread_addr(), elf),
    ];
    functions.into_iter().flatten().collect()
}

/// `addis rt, r2, symbol@toc@ha ; addi rt, rt, symbol@toc@l`
fn symbol(rt: PReg, symbol: &'static str) -> [Line; 2] {
    let high = Inst::Addis { rt: set(rt), ra: get(TOC), si: Simm16::ZERO };
    let low = Inst::Addi { rt: set(rt), ra: get(rt), si: Simm16::ZERO };
    [Line(high, Some((TOC16_HA, symbol, 0))), Line(low, Some((TOC16_LO, symbol, 0)))]
}

/// ```text
///     addis r2, r12, …; addi r2, r2, …    # second ABI
///     …     r5, __windlass_tls_template
///     …     r6, __windlass_tls_template_end
///     …     r7, __windlass_tls_data
/// 1:  cmpld cr0, r5, r6
///     bge   cr0, 2f
///     lbz   r8, 0(r5)
///     stb   r8, 0(r7)
///     addi  r5, r5, 1
///     addi  r7, r7, 1
///     b     1b
/// 2:  …     r13, __windlass_tls_pointer
///     b     _start
/// ```
fn start_threads(elf: &ElfInfo) -> Vec<Line> {
    const CR0: PReg = regs::cr(0);
    let mut code = global_entry(elf);
    code.extend(symbol(r(5), "__windlass_tls_template"));
    code.extend(symbol(r(6), "__windlass_tls_template_end"));
    code.extend(symbol(r(7), "__windlass_tls_data"));
    let step = |n: u8| Inst::Addi { rt: set(r(n)), ra: get(r(n)), si: simm(1) };
    let out = CondBranchOffset::new(24).unwrap_or(CondBranchOffset::ZERO);
    let back = BranchOffset::new(-24).unwrap_or(BranchOffset::ZERO);
    code.extend([
        Inst::Cmpld { bf: set(CR0), ra: get(r(5)), rb: get(r(6)) }.into(),
        Inst::Bc { cond: Cond::GE, bi: get(CR0), target: out }.into(),
        Inst::Lbz { rt: set(r(8)), ra: get(r(5)), d: Simm16::ZERO }.into(),
        Inst::Stb { rs: get(r(8)), ra: get(r(7)), d: Simm16::ZERO }.into(),
        step(5).into(),
        step(7).into(),
        Inst::B { target: back }.into(),
    ]);
    code.extend(symbol(regs::THREAD, "__windlass_tls_pointer"));
    code.push(Line(Inst::B { target: BranchOffset::ZERO }, Some((REL24, "_start", 0))));
    code
}

/// The second of the two words at `r3`, which is the distance from the thread pointer, made an address:
/// `ld r3, 8(r3) ; add r3, r13, r3 ; blr`
fn get_thread_addr() -> Vec<Line> {
    Vec::from([
        ld(r(3), 8, r(3)).into(),
        Inst::Add { rt: set(r(3)), ra: get(regs::THREAD), rb: get(r(3)) }.into(),
        Inst::Blr.into(),
    ])
}

/// An instruction, and the symbol that it depends on.
pub(super) struct Line(pub(super) Inst, pub(super) Option<(RelocKind, &'static str, i64)>);

impl From<Inst> for Line {
    fn from(inst: Inst) -> Line {
        Line(inst, None)
    }
}

pub(super) const fn get(reg: PReg) -> Reg {
    Reg::from_preg(reg)
}

pub(super) const fn set(reg: PReg) -> WritableReg {
    Writable::from_reg(get(reg))
}

pub(super) fn mr(to: PReg, from: PReg) -> Inst {
    Inst::Or { ra: set(to), rs: get(from), rb: get(from) }
}

/// A number that the table's type takes: those here are small multiples of 8.
pub(super) const fn ds(value: i64) -> DsOffset {
    match DsOffset::new(value) {
        Some(value) => value,
        None => panic!("not encodable"),
    }
}

pub(super) const fn simm(value: i64) -> Simm16 {
    match Simm16::new(value) {
        Some(value) => value,
        None => panic!("not encodable"),
    }
}

const fn uimm(value: u32) -> Uimm6 {
    match Uimm6::new(value) {
        Some(value) => value,
        None => panic!("not encodable"),
    }
}

pub(super) fn li(rt: PReg, value: i64) -> Inst {
    Inst::Li { rt: set(rt), si: simm(value) }
}

pub(super) fn std(rs: PReg, d: i64, ra: PReg) -> Inst {
    Inst::Std { rs: get(rs), ra: get(ra), d: ds(d) }
}

pub(super) fn ld(rt: PReg, d: i64, ra: PReg) -> Inst {
    Inst::Ld { rt: set(rt), ra: get(ra), d: ds(d) }
}

/// Where callers keep their `r2`.
fn toc_save(elf: &ElfInfo) -> i64 {
    if elf.functions.has_descriptors() { 40 } else { 24 }
}

/// The start of a function that finds its table of contents, where functions do that.
pub(super) fn global_entry(elf: &ElfInfo) -> Vec<Line> {
    let mut code = Vec::new();
    if elf.functions == FunctionSymbols::TwoEntries {
        let high = Inst::Addis { rt: set(TOC), ra: get(ENTRY), si: Simm16::ZERO };
        let low = Inst::Addi { rt: set(TOC), ra: get(TOC), si: Simm16::ZERO };
        let half = i64::from(half_offset(elf.endianness));
        // The distance is that from the entry, wherever the half that has it.
        code.push(Line(high, Some((REL16_HA, ".TOC.", half))));
        code.push(Line(low, Some((REL16_LO, ".TOC.", half + 4))));
    }
    code
}

/// ```text
/// addis  r2, r12, .TOC. - _start@ha    # second ABI
/// addi   r2, r2, .TOC. - _start@l
/// mr     r3, r1
/// rldicr r1, r1, 0, 59                 # a multiple of 16
/// li     r0, 0                         # the outermost frame
/// stdu   r0, -112(r1)
/// bl     __windlass_main
/// nop
/// li     r0, 234                       # exit_group
/// sc
/// trap
/// ```
fn start(elf: &ElfInfo) -> Vec<Line> {
    let mut code = global_entry(elf);
    code.push(mr(r(3), SP).into());
    code.push(Inst::Rldicr { ra: set(SP), rs: get(SP), sh: uimm(0), me: uimm(59) }.into());
    code.push(li(ZERO, 0).into());
    code.push(Inst::Stdu { ra: set(SP), rs: get(ZERO), ra_in: get(SP), d: ds(-FRAME_BYTES) }.into());
    code.push(Line(Inst::Bl { target: BranchOffset::ZERO }, Some((REL24, "__windlass_main", 0))));
    code.push(Inst::Nop.into());
    code.push(li(ZERO, SIGNAL.sys_exit_group.into()).into());
    code.push(Inst::Sc.into());
    code.push(Inst::Trap.into());
    code
}

/// ```text
/// mr    r0, r3        # the number
/// mr    r3, r4        # … r8, r9
/// sc
/// bnslr cr0           # no error
/// neg   r3, r3
/// blr
/// ```
fn syscall() -> Vec<Line> {
    let mut code = Vec::from([mr(ZERO, r(3)).into()]);
    code.extend((3..9).map(|n| Line::from(mr(r(n), r(n + 1)))));
    code.extend([
        Inst::Sc.into(),
        Inst::Bclr { cond: Cond::NS, bi: get(regs::cr(0)) }.into(),
        Inst::Neg { rt: set(r(3)), ra: get(r(3)) }.into(),
        Inst::Blr.into(),
    ]);
    code
}

/// ```text
/// mflr  r0
/// std   r0, 16(r1)
/// std   r1, 0(r5)
/// std   r2, 8(r5)
/// std   r0, 16(r5)
/// mfcr  r0
/// std   r0, 24(r5)
/// std   r14, 32(r5)   # … r31
/// stfd  f14, 176(r5)  # … f31
/// stdu  r1, -112(r1)
/// std   r2, 24(r1)    # 40(r1) in the first ABI
/// mr    r12, r3       # ld r12, 0(r3); ld r2, 8(r3) in the first ABI
/// mtctr r12
/// mr    r3, r4
/// bctrl
/// ld    r2, 24(r1)
/// li    r3, 0
/// addi  r1, r1, 112
/// ld    r0, 16(r1)
/// mtlr  r0
/// blr
/// ```
fn protect(elf: &ElfInfo) -> Vec<Line> {
    let record = r(5);
    let mut code = Vec::from([
        Inst::Mflr { rt: set(ZERO) }.into(),
        std(ZERO, 16, SP).into(),
        std(SP, 0, record).into(),
        std(TOC, 8, record).into(),
        std(ZERO, 16, record).into(),
        Inst::Mfcr { rt: set(ZERO) }.into(),
        std(ZERO, 24, record).into(),
    ]);
    for n in 14..32 {
        code.push(std(r(n), RECORD_GPRS + 8 * i64::from(n - 14), record).into());
    }
    for n in 14..32 {
        let d = simm(RECORD_FPRS + 8 * i64::from(n - 14));
        code.push(Inst::Stfd { frs: get(regs::f(n)), ra: get(record), d }.into());
    }
    code.push(Inst::Stdu { ra: set(SP), rs: get(SP), ra_in: get(SP), d: ds(-FRAME_BYTES) }.into());
    code.push(std(TOC, toc_save(elf), SP).into());
    if elf.functions.has_descriptors() {
        code.extend([ld(ENTRY, 0, r(3)).into(), ld(TOC, 8, r(3)).into()]);
    } else {
        code.push(mr(ENTRY, r(3)).into());
    }
    code.extend([
        Inst::Mtctr { rs: get(ENTRY) }.into(),
        mr(r(3), r(4)).into(),
        Inst::Bctrl.into(),
        ld(TOC, toc_save(elf), SP).into(),
        li(r(3), 0).into(),
        Inst::Addi { rt: set(SP), ra: get(SP), si: simm(FRAME_BYTES) }.into(),
        ld(ZERO, 16, SP).into(),
        Inst::Mtlr { rs: get(ZERO) }.into(),
        Inst::Blr.into(),
    ]);
    code
}

/// ```text
/// ld    r1, 0(r3)
/// ld    r2, 8(r3)
/// ld    r0, 16(r3)
/// mtlr  r0
/// ld    r0, 24(r3)
/// mtcrf 255, r0
/// ld    r14, 32(r3)   # … r31
/// lfd   f14, 176(r3)  # … f31
/// li    r3, 1
/// blr
/// ```
fn recover() -> Vec<Line> {
    let record = r(3);
    let mut code = Vec::from([
        ld(SP, 0, record).into(),
        ld(TOC, 8, record).into(),
        ld(ZERO, 16, record).into(),
        Inst::Mtlr { rs: get(ZERO) }.into(),
        ld(ZERO, 24, record).into(),
        Inst::Mtcrf { fxm: CrMask::ALL, rs: get(ZERO) }.into(),
    ]);
    for n in 14..32 {
        code.push(ld(r(n), RECORD_GPRS + 8 * i64::from(n - 14), record).into());
    }
    for n in 14..32 {
        let d = simm(RECORD_FPRS + 8 * i64::from(n - 14));
        code.push(Inst::Lfd { frt: set(regs::f(n)), ra: get(record), d }.into());
    }
    code.extend([li(r(3), 1).into(), Inst::Blr.into()]);
    code
}

pub(super) fn function(
    name: &str,
    code: &[Line],
    elf: &ElfInfo,
) -> Result<(String, CompiledCode), EncodeError> {
    let mut bytes = Vec::with_capacity(4 * code.len());
    let mut relocs = Vec::new();
    for Line(inst, reloc) in code {
        let place = bytes.len() as u32;
        let (word, size) = word_bytes(inst.encode()?, inst.size(), elf.endianness);
        bytes.extend_from_slice(&word[..size]);
        if let &Some((kind, symbol, addend)) = reloc {
            let field = if kind == REL24 { 0 } else { half_offset(elf.endianness) };
            let symbol = ExternalName::symbol(symbol);
            relocs.push(Reloc { offset: place + field, kind, symbol, addend });
        }
    }
    let finds_toc = relocs.first().is_some_and(|reloc| reloc.kind == REL16_HA);
    let local_entry = if finds_toc { 8 } else { 0 };
    Ok((name.into(), CompiledCode { bytes, alignment: 4, local_entry, relocs, ..CompiledCode::default() }))
}

#[cfg(all(test, feature = "object"))]
mod tests;
