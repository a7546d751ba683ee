//! What pseudo-instructions of every machine have in common: calls, jump tables, parts of the frame.

use super::{Label, Reg, WritableReg};
use alloc::vec::Vec;
use windlass_ir::{ExternalName, StackSlot};
use windlass_regalloc::{PReg, UnitSet};

/// Who is called.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum CallTarget {
    /// A function by name, within reach of a branch or of the linker's veneer.
    Name {
        /// The name.
        symbol: ExternalName,
        /// It ends up in the same module as its caller: no dynamic linker comes between.
        colocated: bool,
    },
    /// The function at the address in the first use of the call.
    Reg,
}

/// A call: who, what is passed and returned in which registers, and what is lost.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct CallInfo {
    /// Who is called.
    pub target: CallTarget,
    /// For [`CallTarget::Reg`], the register with the address.
    pub callee: Option<Reg>,
    /// Arguments in registers.
    pub uses: Vec<(Reg, PReg)>,
    /// Results in registers.
    pub defs: Vec<(WritableReg, PReg)>,
    /// What the callee may destroy.
    pub clobbers: UnitSet,
    /// Bytes of stack arguments that the callee takes off the stack.
    pub popped_bytes: u32,
}

/// A jump table.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct TableInfo {
    /// Where an index beyond the table goes.
    pub default: Label,
    /// Where each index goes.
    pub targets: Vec<Label>,
}

/// A part of the frame that code refers to before the frame is laid out.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum FrameArea {
    /// A stack slot.
    Slot(StackSlot),
    /// Arguments that this function's caller passed on the stack.
    Incoming,
    /// The frame record: the caller's frame pointer and above it the return address.
    Record,
    /// Arguments that this function passes on the stack, and room for results of its callees.
    Outgoing,
}
