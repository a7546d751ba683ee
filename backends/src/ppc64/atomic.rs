//! Atomic accesses: loops of loads with reservation and conditional stores (Power ISA 3.1B, Book II, 4.6.2 and B.2).
//!
//! Each is one instruction up to emission, so that nothing comes between a load and its store: the allocator's accesses
//! there could lose the reservation for ever. Barriers stand around them as instructions of their own.
//!
//! Before POWER8 only words and doublewords can be reserved: a byte or halfword is changed within the aligned word that
//! it is part of. Addresses are multiples of the access's size. Scratch registers are `r0`, `r11` and `r12`, and `cr0`.

use crate::machinst::{OperandVisitor, Reg, WritableReg};
use core::fmt;
use windlass_ir::{AtomicRmwOp, TrapCode};

/// What kind of access it is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Width {
    /// Bytes: 1, 2, 4 or 8.
    pub bytes: u8,
    /// Is memory in the other byte order?
    pub swapped: bool,
    /// How it traps if it faults.
    pub code: Option<TrapCode>,
}

/// An atomic access that is more than one instruction.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Atomic {
    /// Combines memory with a value.
    Rmw {
        /// What was there, zeros above.
        old: WritableReg,
        /// Written over: what is stored.
        new: WritableReg,
        /// The address.
        address: Reg,
        /// The value; extended for the operations that compare.
        operand: Reg,
        /// How they are combined.
        op: AtomicRmwOp,
        /// What kind of access.
        width: Width,
    },
    /// Replaces what is there if it is as expected, in memory's byte order.
    Cas {
        /// What was there, zeros above.
        old: WritableReg,
        /// Written over.
        temp: WritableReg,
        /// The address.
        address: Reg,
        /// What is expected, zeros above.
        expected: Reg,
        /// What replaces it.
        new: Reg,
        /// What kind of access; not swapped.
        width: Width,
    },
}

impl Atomic {
    /// Most bytes of its expansion.
    pub const MAX_BYTES: u32 = 160;

    /// Shows its operands.
    pub fn visit_operands(&mut self, v: &mut impl OperandVisitor) {
        match self {
            // Written while the operands are still wanted: the loop may go round.
            Atomic::Rmw { old, new, address, operand, .. } => {
                v.reg_use(address);
                v.reg_use(operand);
                v.reg_early_def(old);
                v.reg_early_def(new);
            }
            Atomic::Cas { old, temp, address, expected, new, .. } => {
                v.reg_use(address);
                v.reg_use(expected);
                v.reg_use(new);
                v.reg_early_def(old);
                v.reg_early_def(temp);
            }
        }
    }

    /// Prints it; `name` names registers.
    pub fn print(
        &self,
        out: &mut impl fmt::Write,
        name: impl Fn(Reg) -> alloc::string::String,
    ) -> fmt::Result {
        let def = |reg: &WritableReg| name(reg.to_reg());
        match self {
            Atomic::Rmw { old, new, address, operand, op, width } => write!(
                out,
                "atomic{} {op} {}, {}, [{}], {}",
                8 * width.bytes,
                def(old),
                def(new),
                name(*address),
                name(*operand)
            ),
            Atomic::Cas { old, temp, address, expected, new, width } => write!(
                out,
                "cas{} {}, {}, [{}], {}, {}",
                8 * width.bytes,
                def(old),
                def(temp),
                name(*address),
                name(*expected),
                name(*new)
            ),
        }
    }
}
