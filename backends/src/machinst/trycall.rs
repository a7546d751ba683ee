//! Calls that may throw: `try_call` as a pseudo-instruction of every machine.
//!
//! The call ends its block and defines the results in registers. Every edge that leaves it is a block of its own
//! (`order.rs`), which begins with what the machine has to do there: on the normal edge results are collected from where the
//! convention leaves them ([`abi::try_return`](super::abi::try_return)), on a handler's edge the payload is in the registers
//! that the machine says ([`AbiMachine::payload_regs`](super::abi::AbiMachine::payload_regs)).
//!
//! The call destroys every register that the allocator knows, also those that callees save: whoever resumes a handler need
//! not bring them back. So what lives into a handler is in the frame, and the values of contexts are read there too.
//!
//! What comes out is a [`CallSite`](crate::compiled::CallSite) of the compiled code; `docs/unwinding.md` says how to use it.

use super::encode::OperandFault;
use super::pseudo::CallInfo;
use super::{EmitError, Label, Lower, Machine, OperandVisitor, Reg};
use crate::compiled::CatchItem;
use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;
use smallvec::SmallVec;
use windlass_ir::{ExceptionItem, ExceptionTable};
use windlass_regalloc::SpillSlot;

/// What follows a call that may throw.
#[derive(Clone, PartialEq, Debug)]
pub struct Continuations {
    /// The table: what is tried, in order.
    pub items: Vec<CatchItem<Label>>,
    /// The values of the contexts among the items, in their order.
    pub contexts: Vec<SmallVec<[Reg; 2]>>,
    /// Where the call returns to.
    pub normal: Label,
}

impl Continuations {
    /// Of the call with this table, whose destinations are `labels`: the handlers, then the normal one. Emits constants
    /// among the contexts. `None` if there are too few labels.
    pub fn new<M: Machine>(
        cx: &mut Lower<'_, M>,
        table: ExceptionTable,
        labels: &[Label],
    ) -> Option<Continuations> {
        let (&normal, handlers) = labels.split_last()?;
        let mut handlers = handlers.iter();
        let mut all = Continuations { items: Vec::new(), contexts: Vec::new(), normal };
        for item in &cx.func.dfg.exception_tables[table].items {
            all.items.push(match item {
                ExceptionItem::Tag(tag, _) => CatchItem::Tag(*tag, *handlers.next()?),
                ExceptionItem::Default(_) => CatchItem::Default(*handlers.next()?),
                ExceptionItem::Context(v) => {
                    all.contexts.push(SmallVec::from_slice(cx.put_in_regs(*v).regs()));
                    CatchItem::Context(SmallVec::new())
                }
            });
        }
        Some(all)
    }
}

/// A call that may throw, which ends its block.
#[derive(Clone, PartialEq, Debug)]
pub struct TryCallInfo {
    /// The call. It destroys all registers.
    pub call: CallInfo,
    /// What follows it.
    pub then: Continuations,
}

impl TryCallInfo {
    /// Shows what the call shows, and the contexts.
    pub fn visit_operands(&mut self, v: &mut impl OperandVisitor) {
        self.call.visit_operands(v);
        self.then.contexts.iter_mut().flatten().for_each(|reg| v.any_late_use(reg));
    }

    /// Replaces every label by `map` of it.
    pub fn map_labels(&mut self, map: &mut dyn FnMut(Label) -> Label) {
        self.then.normal = map(self.then.normal);
        for item in &mut self.then.items {
            if let CatchItem::Tag(_, label) | CatchItem::Default(label) = item {
                *label = map(*label);
            }
        }
    }

    /// The table with the places of contexts in the frame, once registers are allocated. `spill` gives a slot's distance
    /// from the stack pointer.
    ///
    /// # Errors
    /// A context is not in the frame: a bug of the allocator's.
    pub fn items(&self, spill: impl Fn(SpillSlot) -> u32) -> Result<Vec<CatchItem<Label>>, EmitError> {
        let mut contexts = self.then.contexts.iter();
        let place = |reg: &Reg| match reg.as_slot() {
            Some(slot) => Ok(spill(slot)),
            None => Err(EmitError { inst: "TryCall", operand: "context", fault: OperandFault::NotInFrame }),
        };
        let item = |item: &CatchItem<Label>| match item {
            CatchItem::Context(_) => {
                let parts = contexts.next().into_iter().flatten().map(place);
                parts.collect::<Result<_, _>>().map(CatchItem::Context)
            }
            other => Ok(other.clone()),
        };
        self.then.items.iter().map(item).collect()
    }

    /// Prints `try call %f %1=r0 -> %2=r0, block1, [tag1: block2, context %3, default: block4]`.
    pub fn print(&self, out: &mut impl fmt::Write, name: &dyn Fn(Reg) -> String) -> fmt::Result {
        write!(out, "try ")?;
        self.call.print(out, name)?;
        write!(out, ", {}, [", self.then.normal)?;
        let mut contexts = self.then.contexts.iter();
        for (i, item) in self.then.items.iter().enumerate() {
            write!(out, "{}", if i == 0 { "" } else { ", " })?;
            match item {
                CatchItem::Tag(tag, label) => write!(out, "{tag}: {label}")?,
                CatchItem::Default(label) => write!(out, "default: {label}")?,
                CatchItem::Context(_) => {
                    write!(out, "context")?;
                    for reg in contexts.next().into_iter().flatten() {
                        write!(out, " {}", name(*reg))?;
                    }
                }
            }
        }
        write!(out, "]")
    }
}
