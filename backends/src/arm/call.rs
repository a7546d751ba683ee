//! Entry, return and calls: values to and from the places that `abi.rs` gives them.

use super::abi::{Location, Place, SigAbi};
use super::imm::{Amt1To31, Amt1To32};
use super::lower::Lower;
use super::minst::{Features, Inst as ArmInst};
use super::pseudo::{CallInfo, CallTarget, FrameArea, MInst};
use super::regs;
use crate::machinst::{InstOutput, Reg, ValueRegs, WritableReg};
use alloc::boxed::Box;
use alloc::vec::Vec;
use smallvec::SmallVec;
use windlass_ir::{ArgumentExtension, CallConv, ExternalName, SigRef, Signature, Type, Value, types};
use windlass_regalloc::{PReg, UnitSet};

/// What kind of call.
pub(super) struct CallKind {
    pub(super) target: CallTarget,
    pub(super) callee: Option<Reg>,
    pub(super) sig: SigRef,
}

fn sig_abi(cx: &mut Lower<'_>, sig: &Signature) -> Option<SigAbi> {
    match SigAbi::new(sig, cx.machine.hard_float()) {
        Ok(abi) => Some(abi),
        Err(what) => {
            cx.unsupported(what);
            None
        }
    }
}

/// The registers as the convention passes them: with the extension that it asks for, and in core registers where
/// it passes floats in those.
fn outgoing(cx: &mut Lower<'_>, location: &Location, v: Value) -> SmallVec<[Reg; 2]> {
    let regs = cx.put_in_regs(v);
    let core = !cx.machine.soft_float()
        && location.parts.first().is_some_and(|part| match part {
            Place::Reg(preg) => preg.index() < 16,
            Place::Memory(_) => true,
        });
    match (location.ty, location.extension) {
        (types::F32, _) if core => {
            let rt = cx.temp(regs::GPR);
            cx.emit(MInst::Real(ArmInst::VmovFromS { rt, vn: regs.regs()[0] }));
            SmallVec::from_slice(&[rt.to_reg()])
        }
        (types::F64, _) if core => {
            let (rt, rt2) = (cx.temp(regs::GPR), cx.temp(regs::GPR));
            cx.emit(MInst::Real(ArmInst::VmovFromD { rt, rt2, vm: regs.regs()[0] }));
            SmallVec::from_slice(&[rt.to_reg(), rt2.to_reg()])
        }
        (types::I8 | types::I16, ArgumentExtension::Uext) if super::lower::zero_extended(cx, v) => {
            SmallVec::from_slice(regs.regs())
        }
        (types::I8 | types::I16, ArgumentExtension::Uext | ArgumentExtension::Sext) => {
            let rd = extend(cx, regs.regs()[0], location.ty, location.extension);
            SmallVec::from_slice(&[rd.to_reg()])
        }
        _ => SmallVec::from_slice(regs.regs()),
    }
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

/// Registers to receive a value in: its own, or core registers that [`finish_incoming`] turns into them.
fn incoming(cx: &mut Lower<'_>, location: &Location, own: ValueRegs) -> SmallVec<[WritableReg; 2]> {
    let own: SmallVec<[WritableReg; 2]> = own.regs().iter().map(|&r| WritableReg::from_reg(r)).collect();
    let float_in_core = !cx.machine.soft_float()
        && location.ty.is_float()
        && location.parts.iter().all(|part| match part {
            Place::Reg(preg) => preg.index() < 16,
            Place::Memory(_) => true,
        });
    if !float_in_core {
        return own;
    }
    let words = if location.ty == types::F64 { 2 } else { 1 };
    (0..words).map(|_| cx.temp(regs::GPR)).collect()
}

/// Floats that came in core registers go to their own.
fn finish_incoming(cx: &mut Lower<'_>, received: &[WritableReg], own: ValueRegs, location: &Location) {
    let Some(&first) = own.regs().first() else { return };
    if received[0].to_reg() == first {
        return;
    }
    let vd = WritableReg::from_reg(first);
    match (location.ty, received) {
        (types::F32, [a]) => cx.emit(MInst::Real(ArmInst::VmovToS { vn: vd, rt: a.to_reg() })),
        (types::F64, [a, b]) => {
            cx.emit(MInst::Real(ArmInst::VmovToD { vm: vd, rt: a.to_reg(), rt2: b.to_reg() }));
        }
        _ => {}
    }
}

/// The memory words of a location: offset of each.
fn words(location: &Location) -> SmallVec<[u32; 2]> {
    let mut words = SmallVec::new();
    for part in &location.parts {
        if let Place::Memory(at) = part {
            words.push(*at);
            if location.ty == types::F64 && location.parts.len() == 1 {
                words.push(at + 4);
            }
        }
    }
    words
}

/// Brings arguments into the entry block's parameters.
pub(super) fn gen_entry(cx: &mut Lower<'_>) {
    let Some(abi) = sig_abi(cx, &cx.func.signature) else { return };
    cx.frame.popped_bytes = abi.popped_bytes;
    let mut defs: Vec<(WritableReg, PReg)> = Vec::new();
    let mut loads: Vec<(WritableReg, u32)> = Vec::new();
    let mut moves = Vec::new();
    if abi.return_area_bytes > 0 {
        let area = return_area(cx);
        defs.push((area, regs::r(0)));
    }
    for (i, location) in abi.params.iter().enumerate() {
        let own = cx.entry_param_regs(i);
        let received = incoming(cx, location, own);
        let mut memory = words(location).into_iter();
        for (k, &reg) in received.iter().enumerate() {
            match location.parts.get(k) {
                Some(Place::Reg(preg)) => defs.push((reg, *preg)),
                _ => loads.extend(memory.next().map(|at| (reg, at))),
            }
        }
        moves.push((received, own, location));
    }
    cx.emit(MInst::Args { defs: defs.into() });
    for (rd, at) in loads {
        cx.emit(MInst::FrameLoad { rd, area: FrameArea::Incoming, offset: at as i32 });
    }
    for (received, own, location) in moves {
        if !received.is_empty() {
            finish_incoming(cx, &received, own, location);
        }
    }
}

/// The register that keeps the address of the caller's return area.
fn return_area(cx: &mut Lower<'_>) -> WritableReg {
    match cx.return_area {
        Some(reg) => reg,
        None => {
            let reg = cx.temp(regs::GPR);
            cx.return_area = Some(reg);
            reg
        }
    }
}

/// Returns `args`.
pub(super) fn gen_return(cx: &mut Lower<'_>, args: &[Value]) -> Option<()> {
    let abi = sig_abi(cx, &cx.func.signature)?;
    let mut uses: Vec<(Reg, PReg)> = Vec::new();
    for (location, &v) in abi.returns.iter().zip(args) {
        let regs = outgoing(cx, location, v);
        let mut memory = words(location).into_iter();
        for (k, &reg) in regs.iter().enumerate() {
            match location.parts.get(k) {
                Some(Place::Reg(preg)) => uses.push((reg, *preg)),
                _ => {
                    let rn = return_area(cx).to_reg();
                    if let Some(at) = memory.next() {
                        store_at(cx, reg, rn, at);
                    }
                }
            }
        }
    }
    cx.emit(MInst::Return { uses: uses.into() });
    Some(())
}

/// `str reg, [rn, #at]`, whatever the offset.
fn store_at(cx: &mut Lower<'_>, rt: Reg, rn: Reg, at: u32) {
    use super::imm::{Offset12, Sign};
    match Offset12::new(at as i32) {
        Some(off) => cx.emit(MInst::Real(ArmInst::StrImm { rt, rn, off })),
        None => {
            let rm = super::lower::constant(cx, at);
            cx.emit(MInst::Real(ArmInst::StrReg { rt, rn, sign: Sign::Plus, rm }));
        }
    }
}

/// Brings arguments to where `abi` has them: the registers that are returned, and the stack at `base` in `area`.
fn pass_args(
    cx: &mut Lower<'_>,
    abi: &SigAbi,
    args: &[Value],
    area: FrameArea,
    base: i32,
) -> Vec<(Reg, PReg)> {
    let mut uses: Vec<(Reg, PReg)> = Vec::new();
    for (location, &v) in abi.params.iter().zip(args) {
        let regs = outgoing(cx, location, v);
        let mut memory = words(location).into_iter();
        for (k, &reg) in regs.iter().enumerate() {
            match location.parts.get(k) {
                Some(Place::Reg(preg)) => uses.push((reg, *preg)),
                _ => {
                    if let Some(at) = memory.next() {
                        cx.emit(MInst::FrameStore { rt: reg, area, offset: base + at as i32 });
                    }
                }
            }
        }
    }
    uses
}

/// A tail call with the values `args`.
///
/// Its stack arguments end where this function's own do, and grow down from there over them and over what the frame
/// keeps free for that. This function's arguments have been in registers of their own since its entry, so that
/// nothing is read that has been written over.
pub(super) fn gen_tail_call(cx: &mut Lower<'_>, kind: CallKind, args: &[Value]) -> Option<()> {
    let func = cx.func;
    let sig = &func.dfg.signatures[kind.sig];
    if sig.call_conv != CallConv::Tail || func.signature.call_conv != CallConv::Tail {
        cx.unsupported("a tail call outside of the tail convention".into());
        return None;
    }
    let own = sig_abi(cx, &func.signature)?;
    let abi = sig_abi(cx, sig)?;
    cx.frame.tail_call_bytes = cx.frame.tail_call_bytes.max(abi.popped_bytes);
    let base = own.popped_bytes as i32 - abi.popped_bytes as i32;
    let mut uses = pass_args(cx, &abi, args, FrameArea::Incoming, base);
    if abi.return_area_bytes > 0 {
        // The results are the callee's to write to where our caller wants them.
        uses.push((return_area(cx).to_reg(), regs::r(0)));
    }
    cx.emit(MInst::TailCall(Box::new(CallInfo {
        target: kind.target,
        callee: kind.callee,
        uses,
        defs: Vec::new(),
        clobbers: UnitSet::EMPTY,
        popped_bytes: abi.popped_bytes,
    })));
    Some(())
}

/// A call with the values `args`.
pub(super) fn gen_call(cx: &mut Lower<'_>, kind: CallKind, args: &[Value]) -> Option<InstOutput> {
    let func = cx.func;
    let sig = &func.dfg.signatures[kind.sig];
    let abi = sig_abi(cx, sig)?;
    cx.frame.makes_calls = true;
    cx.frame.outgoing_bytes = cx.frame.outgoing_bytes.max(abi.stack_arg_bytes + abi.return_area_bytes);

    let mut uses = pass_args(cx, &abi, args, FrameArea::Outgoing, 0);
    if abi.return_area_bytes > 0 {
        let rd = cx.temp(regs::GPR);
        let offset = abi.stack_arg_bytes as i32;
        cx.emit(MInst::FrameAddr { rd, area: FrameArea::Outgoing, offset });
        uses.push((rd.to_reg(), regs::r(0)));
    }

    let mut defs: Vec<(WritableReg, PReg)> = Vec::new();
    let mut loads: Vec<(WritableReg, u32)> = Vec::new();
    let mut outputs = InstOutput::new();
    let mut moves = Vec::new();
    for location in &abi.returns {
        let own = cx.temps(location.ty)?;
        let received = incoming(cx, location, own);
        let mut memory = words(location).into_iter();
        for (k, &reg) in received.iter().enumerate() {
            match location.parts.get(k) {
                Some(Place::Reg(preg)) => defs.push((reg, *preg)),
                _ => loads.extend(memory.next().map(|at| (reg, at))),
            }
        }
        outputs.push(own);
        moves.push((received, own, location));
    }
    cx.emit(MInst::Call(Box::new(CallInfo {
        target: kind.target,
        callee: kind.callee,
        uses,
        defs,
        clobbers: cx.machine.call_clobbers(),
        popped_bytes: abi.popped_bytes,
    })));
    for (rd, at) in loads {
        let offset = (abi.stack_arg_bytes + at) as i32;
        cx.emit(MInst::FrameLoad { rd, area: FrameArea::Outgoing, offset });
    }
    for (received, own, location) in moves {
        finish_incoming(cx, &received, own, location);
    }
    Some(outputs)
}

/// Calls a routine of the run-time library with up to four words, which returns four in `r0`–`r3`.
pub(super) fn runtime_call(cx: &mut Lower<'_>, name: &str, args: &[Reg]) -> [Reg; 4] {
    cx.frame.makes_calls = true;
    let uses = args.iter().zip(0..).map(|(&reg, n)| (reg, regs::r(n))).collect();
    let results = [(); 4].map(|()| cx.temp(regs::GPR));
    let returned = if args.len() == 2 { 2 } else { 4 };
    let defs = results.iter().zip(0..).take(returned).map(|(&reg, n)| (reg, regs::r(n))).collect();
    cx.emit(MInst::Call(Box::new(CallInfo {
        target: CallTarget::Name { symbol: ExternalName::Symbol(name.into()), colocated: false },
        callee: None,
        uses,
        defs,
        clobbers: cx.machine.call_clobbers(),
        popped_bytes: 0,
    })));
    results.map(WritableReg::to_reg)
}
