//! Entry, return and calls: [`abi`](super::abi) says what goes where, and here it becomes instructions.

use super::abi::{self, AbiMachine, call_defs, call_uses, pass_args, return_area, return_uses, sig_abi};
use super::pseudo::{CallInfo, CallTarget, Common, FrameArea};
use super::trycall::{Continuations, TryCallInfo};
use super::{InstOutput, Label, Lower, Reg, ValueRegs};
use alloc::boxed::Box;
use alloc::vec::Vec;
use windlass_ir::{CallConv, ExceptionTable, FuncRef, SigRef, Value};
use windlass_regalloc::UnitSet;

/// Who is called, and with what signature.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Callee {
    /// Who.
    pub target: CallTarget,
    /// For [`CallTarget::Reg`], the register with the address.
    pub reg: Option<Reg>,
    /// The signature.
    pub sig: SigRef,
}

impl Callee {
    /// A function by name.
    pub fn direct<M: AbiMachine>(cx: &Lower<'_, M>, func: FuncRef) -> Callee {
        let data = &cx.func.dfg.ext_funcs[func];
        let target = CallTarget::Name { symbol: data.name.clone(), colocated: data.colocated };
        Callee { target, reg: None, sig: data.signature }
    }

    /// The function whose address is the first of `args`; and the others, which are passed.
    pub fn indirect<'a, M: AbiMachine>(
        cx: &mut Lower<'_, M>,
        sig: SigRef,
        args: &'a [Value],
    ) -> Option<(Callee, &'a [Value])> {
        let (&callee, args) = args.split_first()?;
        let machine = cx.machine;
        let (target, reg) = cx.callee(callee, |offset| machine.calls_through(offset))?;
        Some((Callee { target, reg, sig }, args))
    }
}

/// Brings arguments into the entry block's parameters.
pub(super) fn entry<M: AbiMachine>(cx: &mut Lower<'_, M>) {
    // What is not supported has been noted.
    let _ = abi::entry(cx, |defs| Common::Args { defs: defs.into() }.into());
}

/// Returns `args`.
pub fn gen_return<M: AbiMachine>(cx: &mut Lower<'_, M>, args: &[Value]) -> Option<()> {
    let uses = return_uses(cx, args)?;
    cx.emit(Common::Return { uses: uses.into() }.into());
    Some(())
}

/// A call with the values `args`.
pub fn gen_call<M: AbiMachine>(cx: &mut Lower<'_, M>, callee: Callee, args: &[Value]) -> Option<InstOutput> {
    let func = cx.func;
    let abi = sig_abi(cx, &func.dfg.signatures[callee.sig])?;
    cx.machine.note_call(cx, &callee.target);
    let uses = call_uses(cx, &abi, args);
    let (mut results, outputs) = call_defs(cx, &abi)?;
    let call = CallInfo {
        target: callee.target,
        callee: callee.reg,
        uses,
        defs: core::mem::take(&mut results.regs),
        clobbers: cx.machine.call_clobbers(),
        popped_bytes: abi.popped_bytes,
    };
    cx.emit(Common::Call(Box::new(call)).into());
    results.finish(cx, FrameArea::Outgoing);
    Some(outputs)
}

/// A tail call with the values `args`.
///
/// Its stack arguments end where this function's own do, and grow down from there over them, over what stands below
/// them, and over what the frame keeps free for that. This function's arguments have been in registers of their own
/// since its entry, so that nothing is read that has been written over.
pub fn gen_tail_call<M: AbiMachine>(cx: &mut Lower<'_, M>, callee: Callee, args: &[Value]) -> Option<()> {
    let func = cx.func;
    let sig = &func.dfg.signatures[callee.sig];
    if sig.call_conv != CallConv::Tail || func.signature.call_conv != CallConv::Tail {
        cx.unsupported("a tail call outside of the tail convention".into());
        return None;
    }
    let own = sig_abi(cx, &func.signature)?;
    let abi = sig_abi(cx, sig)?;
    cx.machine.note_call(cx, &callee.target);
    cx.frame.tail_call_bytes = cx.frame.tail_call_bytes.max(abi.popped_bytes);
    let base = own.popped_bytes as i32 - abi.popped_bytes as i32;
    let mut uses = pass_args(cx, &abi, args, FrameArea::Incoming, base);
    if let Some(preg) = abi.return_area_reg {
        // The results are the callee's to write to where our caller wants them.
        uses.push((return_area(cx).to_reg(), preg));
    }
    let call = CallInfo {
        target: callee.target,
        callee: callee.reg,
        uses,
        defs: Vec::new(),
        clobbers: UnitSet::EMPTY,
        popped_bytes: abi.popped_bytes,
    };
    cx.emit(Common::TailCall(Box::new(call)).into());
    Some(())
}

/// A call with the values `args` that may throw: what its edges begin with was emitted before.
pub fn gen_try_call<M: AbiMachine>(
    cx: &mut Lower<'_, M>,
    callee: Callee,
    args: &[Value],
    table: ExceptionTable,
    labels: &[Label],
) -> Option<()> {
    let func = cx.func;
    let abi = sig_abi(cx, &func.dfg.signatures[callee.sig])?;
    cx.machine.note_call(cx, &callee.target);
    let then = Continuations::new(cx, table, labels)?;
    let uses = call_uses(cx, &abi, args);
    let defs = cx.take_try_results();
    // Frames between the throw and the handler may have saved any register that callees save.
    let all = cx.machine.regs().allocatable();
    cx.frame.saves = all.intersection(cx.machine.callee_saved());
    let call = CallInfo {
        target: callee.target,
        callee: callee.reg,
        uses,
        defs,
        clobbers: all.union(cx.machine.call_clobbers()),
        popped_bytes: abi.popped_bytes,
    };
    cx.emit(Common::TryCall(Box::new(TryCallInfo { call, then })).into());
    Some(())
}

/// The start of a handler's edge: the payload is in two registers.
pub(super) fn landing<M: AbiMachine>(cx: &mut Lower<'_, M>) -> InstOutput {
    let payload = cx.machine.payload_regs().map(|preg| (abi::address_reg(cx), preg));
    cx.emit(Common::Landing { defs: Box::new(payload) }.into());
    payload.iter().map(|(reg, _)| ValueRegs::one(reg.to_reg())).collect()
}
