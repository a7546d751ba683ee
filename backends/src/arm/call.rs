//! Entry, return and calls: the instructions that the framework's [`abi`](crate::machinst::abi) asks for.

use super::abi::{AbiOptions, sig_abi as lay_out};
use super::imm::{Amt1To31, Amt1To32, Offset8, Offset12, ShiftImm, ShiftKind, Sign, VfpOffset};
use super::kernel::Helper;
use super::lower::Lower;
use super::minst::{Features, Inst as ArmInst};
use super::pseudo::MInst;
use super::regs;
use super::target::ArmTarget;
use crate::machinst::abi::{AbiMachine, Location, Piece, Place, SigAbi};
use crate::machinst::pseudo::{CallInfo, CallTarget, Common, FrameArea};
use crate::machinst::{Machine, Reg, ValueRegs, WritableReg};
use alloc::boxed::Box;
use alloc::string::String;
use alloc::vec::Vec;
use smallvec::{SmallVec, smallvec};
use windlass_ir::{ArgumentExtension, ExternalName, LibCall, Signature, TrapCode, Type, Value, types};
use windlass_regalloc::{PReg, RegClass, UnitSet};

/// Up to so many bytes of structures are copied word by word.
const INLINE_COPY_BYTES: u32 = 64;
/// The same where words have to be put together from bytes.
const INLINE_COPY_BYTES_BYTEWISE: u32 = 16;

/// Is a float in core registers that lives in floating-point ones?
fn float_in_core(machine: &ArmTarget, location: &Location) -> bool {
    !machine.soft_float()
        && location.ty.is_float()
        && matches!(location.parts.first(), Some(Place::Reg(preg)) if preg.index() < regs::FIRST_S.into())
}

impl AbiMachine for ArmTarget {
    fn sig_abi(&self, sig: &Signature) -> Result<SigAbi, String> {
        lay_out(sig, AbiOptions { hard_float: self.hard_float(), vfp: !self.soft_float() })
    }

    fn class_of_reg(&self, preg: PReg) -> RegClass {
        regs::class_of(preg)
    }

    fn gen_outgoing(&self, cx: &mut Lower<'_>, location: &Location, v: Value) -> SmallVec<[Reg; 2]> {
        let regs = cx.put_in_regs(v);
        match (location.ty, location.extension) {
            (types::F32, _) if float_in_core(self, location) => {
                let rt = cx.temp(regs::GPR);
                cx.emit(MInst::Real(ArmInst::VmovFromS { rt, vn: regs.regs()[0] }));
                smallvec![rt.to_reg()]
            }
            (types::F64, _) if float_in_core(self, location) => {
                let (rt, rt2) = (cx.temp(regs::GPR), cx.temp(regs::GPR));
                cx.emit(MInst::Real(ArmInst::VmovFromD { rt, rt2, vm: regs.regs()[0] }));
                smallvec![rt.to_reg(), rt2.to_reg()]
            }
            (types::I8 | types::I16, ArgumentExtension::Uext) if super::lower::zero_extended(cx, v) => {
                SmallVec::from_slice(regs.regs())
            }
            (types::I8 | types::I16, ArgumentExtension::Uext | ArgumentExtension::Sext) => {
                let rd = extend(cx, regs.regs()[0], location.ty, location.extension);
                smallvec![rd.to_reg()]
            }
            _ => SmallVec::from_slice(regs.regs()),
        }
    }

    fn gen_incoming(
        &self,
        cx: &mut Lower<'_>,
        location: &Location,
        own: ValueRegs,
    ) -> SmallVec<[WritableReg; 2]> {
        if float_in_core(self, location) {
            return location.parts.iter().map(|_| cx.temp(regs::GPR)).collect();
        }
        own.regs().iter().map(|&reg| WritableReg::from_reg(reg)).collect()
    }

    fn gen_received(
        &self,
        cx: &mut Lower<'_>,
        location: &Location,
        received: &[WritableReg],
        own: ValueRegs,
    ) {
        if !float_in_core(self, location) {
            return;
        }
        match (received, own.regs()) {
            (&[a], &[own]) => {
                let vn = WritableReg::from_reg(own);
                cx.emit(MInst::Real(ArmInst::VmovToS { vn, rt: a.to_reg() }));
            }
            (&[a, b], &[own]) => {
                let vm = WritableReg::from_reg(own);
                cx.emit(MInst::Real(ArmInst::VmovToD { vm, rt: a.to_reg(), rt2: b.to_reg() }));
            }
            _ => {}
        }
    }

    fn gen_arg_store(&self, cx: &mut Lower<'_>, rt: Reg, _: u32, area: FrameArea, offset: i32) {
        cx.emit(MInst::FrameStore { rt, area, offset });
    }

    fn gen_arg_load(&self, cx: &mut Lower<'_>, rd: WritableReg, _: u32, area: FrameArea, offset: i32) {
        cx.emit(MInst::FrameLoad { rd, area, offset });
    }

    fn gen_result_store(&self, cx: &mut Lower<'_>, rt: Reg, _: u32, rn: Reg, at: u32) {
        let class = rt.as_vreg().map_or(regs::GPR, |vreg| regs::kind(cx.class_of(vreg)));
        if class == regs::GPR {
            let inst = match Offset12::new(at as i32) {
                Some(off) => ArmInst::StrImm { rt, rn, off },
                None => ArmInst::StrReg { rt, rn, sign: Sign::Plus, rm: super::lower::constant(cx, at) },
            };
            return cx.emit(MInst::Real(inst));
        }
        let (rn, off) = match VfpOffset::new(at as i32) {
            Some(off) => (rn, off),
            None => {
                let (rd, rm) = (cx.temp(regs::GPR), super::lower::constant(cx, at));
                cx.emit(MInst::Real(ArmInst::Add { rd, rn, rm }));
                (rd.to_reg(), VfpOffset::ZERO)
            }
        };
        cx.emit(MInst::Real(if class == regs::S {
            ArmInst::VstrF32 { vd: rt, rn, off }
        } else {
            ArmInst::VstrF64 { vd: rt, rn, off }
        }));
    }

    fn gen_piece(&self, cx: &mut Lower<'_>, rn: Reg, piece: Piece, align: u32) -> Reg {
        let class = match piece.place {
            Place::Reg(preg) => regs::class_of(preg),
            Place::Memory(_) => regs::GPR,
        };
        if class == regs::GPR {
            return load_bytes(cx, rn, piece.offset, piece.bytes, align);
        }
        let vd = cx.temp(class);
        // The loads of VFP want words. Whatever is not known to have them goes through core registers.
        if let Some(off) = VfpOffset::new(piece.offset as i32).filter(|_| align >= 4) {
            cx.emit(MInst::Real(if class == regs::S {
                ArmInst::VldrF32 { vd, rn, off }
            } else {
                ArmInst::VldrF64 { vd, rn, off }
            }));
        } else {
            let rt = load_bytes(cx, rn, piece.offset, 4, align);
            let inst = if class == regs::S {
                ArmInst::VmovToS { vn: vd, rt }
            } else {
                let rt2 = load_bytes(cx, rn, piece.offset + 4, 4, align);
                ArmInst::VmovToD { vm: vd, rt, rt2 }
            };
            cx.emit(MInst::Real(inst));
        }
        vd.to_reg()
    }

    fn inline_copy_bytes(&self, align: u32) -> u32 {
        if self.strict_alignment() && align < 4 { INLINE_COPY_BYTES_BYTEWISE } else { INLINE_COPY_BYTES }
    }

    fn gen_memcpy(&self, cx: &mut Lower<'_>, to: u32, base: Reg, offset: u32, bytes: u32) {
        let rd = cx.temp(regs::GPR);
        cx.emit(Common::FrameAddr { rd, area: FrameArea::Outgoing, offset: to as i32 }.into());
        let mut from = base;
        if offset != 0 {
            let (sum, rm) = (cx.temp(regs::GPR), super::lower::constant(cx, offset));
            cx.emit(MInst::Real(ArmInst::Add { rd: sum, rn: base, rm }));
            from = sum.to_reg();
        }
        let args = [rd.to_reg(), from, super::lower::constant(cx, bytes)];
        library_call(cx, ExternalName::LibCall(LibCall::Memcpy), &args, 1);
    }

    fn call_clobbers(&self) -> UnitSet {
        self.destroyed_by_calls()
    }

    fn callee_saved(&self) -> UnitSet {
        regs::callee_saved()
    }

    fn payload_regs(&self) -> [PReg; 2] {
        [regs::r(0), regs::r(1)]
    }

    fn calls_through(&self, offset: i32) -> bool {
        Offset12::new(offset).is_some()
    }
}

/// `bytes` bytes (1 to 4), `offset` behind `rn`, at the start of a word: with nothing read behind them, and no access that
/// the alignment `align` does not allow.
fn load_bytes(cx: &mut Lower<'_>, rn: Reg, offset: u32, bytes: u32, align: u32) -> Reg {
    // The widest access that the alignment here allows.
    let known = if cx.machine.strict_alignment() { 1 << (align | offset).trailing_zeros().min(2) } else { 4 };
    let mut word = None;
    let mut done = 0;
    while done < bytes {
        let width = (1 << (bytes - done).ilog2()).min(known);
        let rm = load(cx, rn, offset + done, width);
        word = Some(match (word, ShiftImm::new(ShiftKind::Lsl, 8 * done)) {
            (Some(rn), Some(shift)) => {
                let rd = cx.temp(regs::GPR);
                cx.emit(MInst::Real(ArmInst::OrrShift { rd, rn, rm, shift }));
                rd.to_reg()
            }
            _ => rm,
        });
        done += width;
    }
    word.unwrap_or(rn)
}

/// A zero-extended load of 1, 2 or 4 bytes. Like any load of an address that the program gives it may fault.
fn load(cx: &mut Lower<'_>, rn: Reg, offset: u32, width: u32) -> Reg {
    let rt = cx.temp(regs::GPR);
    let inst = match (width, Offset12::new(offset as i32), Offset8::new(offset as i32)) {
        (1, Some(off), _) => ArmInst::LdrbImm { rt, rn, off },
        (2, _, Some(off)) => ArmInst::LdrhImm { rt, rn, off },
        (4, Some(off), _) => ArmInst::LdrImm { rt, rn, off },
        _ => {
            let rm = super::lower::constant(cx, offset);
            match width {
                1 => ArmInst::LdrbReg { rt, rn, sign: Sign::Plus, rm },
                2 => ArmInst::LdrhReg { rt, rn, sign: Sign::Plus, rm },
                _ => ArmInst::LdrReg { rt, rn, sign: Sign::Plus, rm },
            }
        }
    };
    cx.emit(MInst::Access { inst, code: TrapCode::HEAP_OUT_OF_BOUNDS });
    rt.to_reg()
}

/// A small integer with what stands above it.
fn extend(cx: &mut Lower<'_>, rm: Reg, ty: Type, extension: ArgumentExtension) -> WritableReg {
    let signed = extension == ArgumentExtension::Sext;
    let rd = cx.temp(regs::GPR);
    if cx.machine.features().contains(Features::V6) {
        cx.emit(MInst::Real(match (ty, signed) {
            (types::I8, false) => ArmInst::Uxtb { rd, rm },
            (types::I8, true) => ArmInst::Sxtb { rd, rm },
            (_, false) => ArmInst::Uxth { rd, rm },
            (_, true) => ArmInst::Sxth { rd, rm },
        }));
        return rd;
    }
    // Up to the top of the register and back.
    let up = cx.temp(regs::GPR);
    let bits = 32 - ty.bits();
    if let (Some(left), Some(right)) = (Amt1To31::new(bits), Amt1To32::new(bits)) {
        let rm_up = up.to_reg();
        cx.emit(MInst::Real(ArmInst::LslImm { rd: up, rm, amount: left }));
        cx.emit(MInst::Real(if signed {
            ArmInst::AsrImm { rd, rm: rm_up, amount: right }
        } else {
            ArmInst::LsrImm { rd, rm: rm_up, amount: right }
        }));
    }
    rd
}

/// Calls a helper of the kernel; what it returns is in `r0`.
pub(super) fn kernel_call(cx: &mut Lower<'_>, helper: Helper) -> Option<Reg> {
    cx.frame.makes_calls = true;
    let result = (helper == Helper::ThreadPointer).then(|| cx.temp(regs::GPR));
    cx.emit(MInst::KernelCall { helper, result });
    result.map(WritableReg::to_reg)
}

/// Calls a routine of the run-time library with up to four words, which returns four in `r0`–`r3`.
pub(super) fn runtime_call(cx: &mut Lower<'_>, name: &str, args: &[Reg]) -> [Reg; 4] {
    let returned = if args.len() == 2 { 2 } else { 4 };
    library_call(cx, ExternalName::Symbol(name.into()), args, returned)
}

/// The thread pointer, by the routine of the run-time ABI that destroys nothing else (IHI 0043, section 5.3.5).
pub(super) fn read_thread_pointer(cx: &mut Lower<'_>) -> Reg {
    cx.frame.makes_calls = true;
    let result = cx.temp(regs::GPR);
    let call = CallInfo {
        target: CallTarget::Name { symbol: ExternalName::symbol("__aeabi_read_tp"), colocated: false },
        callee: None,
        uses: Vec::new(),
        defs: Vec::from([(result, regs::r(0))]),
        clobbers: regs::gpr_units(0x5001),
        popped_bytes: 0,
    };
    cx.emit(Common::Call(Box::new(call)).into());
    result.to_reg()
}

/// The address of the thread-local datum that the pair of words at `index` tells.
pub(super) fn tls_get_addr(cx: &mut Lower<'_>, index: Reg) -> Reg {
    library_call(cx, ExternalName::LibCall(LibCall::ElfTlsGetAddr), &[index], 1)[0]
}

/// Calls a routine in the base standard with up to four words, which gives `returned` words.
fn library_call(cx: &mut Lower<'_>, name: ExternalName, args: &[Reg], returned: usize) -> [Reg; 4] {
    cx.frame.makes_calls = true;
    let uses = args.iter().zip(0..).map(|(&reg, n)| (reg, regs::r(n))).collect();
    let results = [(); 4].map(|()| cx.temp(regs::GPR));
    let defs = results.iter().zip(0..).take(returned).map(|(&reg, n)| (reg, regs::r(n))).collect();
    let call = CallInfo {
        target: CallTarget::Name { symbol: name, colocated: false },
        callee: None,
        uses,
        defs,
        clobbers: cx.machine.call_clobbers(),
        popped_bytes: 0,
    };
    cx.emit(Common::Call(Box::new(call)).into());
    results.map(WritableReg::to_reg)
}
