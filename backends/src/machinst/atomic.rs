//! Atomic accesses that are loops: what the machines' pseudo-instructions for them have in common. The loops are the
//! machines' own.

use super::{OperandVisitor, Reg, WritableReg};
use alloc::string::String;
use core::fmt;
use windlass_ir::{AtomicRmwOp, TrapCode};

/// What kind of access it is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Width {
    /// Bytes: 1 to those of a register.
    pub bytes: u8,
    /// Is memory in the other byte order, so that the loop turns around what was there, and what takes its place?
    pub swapped: bool,
    /// How it traps if it faults.
    pub code: Option<TrapCode>,
}

impl Width {
    /// In bits.
    pub fn bits(self) -> u32 {
        8 * u32::from(self.bytes)
    }
}

/// Combines memory with a value, of at most a register.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Rmw {
    /// What was there, zeros above.
    pub old: WritableReg,
    /// Written over: what is stored.
    pub new: WritableReg,
    /// The address.
    pub address: Reg,
    /// The value; extended for the operations that compare.
    pub operand: Reg,
    /// How they are combined.
    pub op: AtomicRmwOp,
    /// What kind of access.
    pub width: Width,
}

impl Rmw {
    /// Shows its operands. Results are written while operands are still wanted: the loop may go round.
    pub fn visit_operands(&mut self, v: &mut impl OperandVisitor) {
        v.reg_use(&mut self.address);
        v.reg_use(&mut self.operand);
        v.reg_early_def(&mut self.old);
        v.reg_early_def(&mut self.new);
    }

    /// Prints it; `name` names registers.
    pub fn print(&self, out: &mut impl fmt::Write, name: impl Fn(Reg) -> String) -> fmt::Result {
        let Rmw { old, new, address, operand, op, width } = *self;
        let (old, new) = (name(old.to_reg()), name(new.to_reg()));
        write!(out, "atomic{} {op} {old}, {new}, [{}], {}", width.bits(), name(address), name(operand))
    }
}

/// Combines memory with a value in two registers, the less significant half first.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct PairRmw {
    /// What was there.
    pub old: [WritableReg; 2],
    /// Written over: what is stored.
    pub new: [WritableReg; 2],
    /// The address.
    pub address: Reg,
    /// The value.
    pub operand: [Reg; 2],
    /// How they are combined.
    pub op: AtomicRmwOp,
    /// Is what was there turned around in the loop, and what takes its place?
    pub swapped: bool,
    /// How it traps if it faults.
    pub code: Option<TrapCode>,
}

/// Replaces a value in two registers, the less significant half first, if it is as expected; all in memory's byte order.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct PairCas {
    /// What was there.
    pub old: [WritableReg; 2],
    /// The address.
    pub address: Reg,
    /// What is expected.
    pub expected: [Reg; 2],
    /// What replaces it.
    pub new: [Reg; 2],
    /// How it traps if it faults.
    pub code: Option<TrapCode>,
}

/// Does an operation compare signed numbers?
pub fn is_signed(op: AtomicRmwOp) -> bool {
    matches!(op, AtomicRmwOp::Smin | AtomicRmwOp::Smax)
}
