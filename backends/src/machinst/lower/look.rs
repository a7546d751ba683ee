//! What rules and their helpers look at: the definitions of values. Nothing here emits.

use super::Lower;
use crate::machinst::Machine;
use windlass_ir::{Effects, Inst, InstData, Opcode, Value, ValueDef};

impl<M: Machine> Lower<'_, M> {
    /// The pure instruction that defines `v` alone, if it is one.
    pub fn pure_def(&self, v: Value) -> Option<Inst> {
        match self.func.dfg.value_def(v) {
            ValueDef::Result(inst, 0)
                if self.func.dfg.opcode(inst).effects() == Effects::PURE
                    && self.func.dfg.inst_results(inst).len() == 1 =>
            {
                Some(inst)
            }
            _ => None,
        }
    }

    /// The instruction that defines `v`, pure or not: for what is known of its result, not for repeating it.
    pub fn def(&self, v: Value) -> Option<Inst> {
        match self.func.dfg.value_def(v) {
            ValueDef::Result(inst, _) => Some(inst),
            _ => None,
        }
    }

    /// The bits of `v` if it is an integer constant, maybe extended, of at most 64 bits; zeros above its type's width.
    pub fn constant(&self, v: Value) -> Option<u64> {
        let inst = self.pure_def(v)?;
        let bits = self.func.dfg.value_type(v).bits();
        match self.func.dfg.insts[inst] {
            InstData::UnaryImm { opcode: Opcode::Iconst, imm } => Some(imm.zero_extended(bits.clamp(1, 64))),
            InstData::Unary { opcode: Opcode::Uextend, arg } if bits <= 64 => self.constant(arg),
            InstData::Unary { opcode: Opcode::Sextend, arg } if bits <= 64 => {
                Some(self.signed_constant(arg)? as u64 & u64::MAX >> (64 - bits.clamp(1, 64)))
            }
            _ => None,
        }
    }

    /// The constant as a signed number.
    pub fn signed_constant(&self, v: Value) -> Option<i64> {
        let bits = self.func.dfg.value_type(v).bits();
        let shift = 64 - bits.clamp(1, 64);
        Some((self.constant(v)? << shift) as i64 >> shift)
    }

    /// Opcode and operands of the pure instruction with two operands that defines `v`.
    pub fn binary(&self, v: Value) -> Option<(Opcode, Value, Value)> {
        match self.func.dfg.insts[self.pure_def(v)?] {
            InstData::Binary { opcode, args: [x, y] } => Some((opcode, x, y)),
            _ => None,
        }
    }

    /// Opcode and operand of the pure instruction with one operand that defines `v`.
    pub fn unary(&self, v: Value) -> Option<(Opcode, Value)> {
        match self.func.dfg.insts[self.pure_def(v)?] {
            InstData::Unary { opcode, arg } => Some((opcode, arg)),
            _ => None,
        }
    }
}

/// The exponent of a power of two.
pub fn power(k: u64) -> Option<u32> {
    k.is_power_of_two().then(|| k.trailing_zeros())
}
