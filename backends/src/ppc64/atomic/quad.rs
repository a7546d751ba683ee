//! Atomic accesses to quadwords, from POWER8 on: LQ and STQ, and loops of LQARX and STQCX. (Power ISA 3.1B, Book I, 3.3.4
//! and Book II, 4.6.2.2).
//!
//! All take an even register and its successor, the even one for the more significant half in both byte orders. Where
//! memory is in the other byte order the halves have changed places, and the bytes of each are turned around.

use super::takes_if;
use crate::machinst::atomic::{PairCas, PairRmw, is_signed};
use crate::machinst::{OperandVisitor, Reg, WritableReg};
use crate::ppc64::emit::{CR0, Emit, R0, R11, Result, w};
use crate::ppc64::imm::{Cond, DqOffset};
use crate::ppc64::minst::Inst;
use core::fmt;
use windlass_ir::{AtomicRmwOp, TrapCode};

/// An atomic access to a quadword. Values are two registers, the less significant half first.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Quad {
    /// What is there.
    Load {
        /// What is there, in memory's byte order.
        value: [WritableReg; 2],
        /// The address.
        address: Reg,
        /// How it traps if it faults.
        code: Option<TrapCode>,
    },
    /// Combines memory with a value.
    Rmw(PairRmw),
    /// Replaces what is there if it is as expected, in memory's byte order.
    Cas(PairCas),
}

/// The register of the more significant half in memory, and the other.
fn in_memory<R>([lo, hi]: [R; 2], swapped: bool) -> (R, R) {
    if swapped { (lo, hi) } else { (hi, lo) }
}

impl Quad {
    /// Does its expansion change the carry?
    pub fn sets_carry(&self) -> bool {
        matches!(self, Quad::Rmw(PairRmw { op: AtomicRmwOp::Add | AtomicRmwOp::Sub, .. }))
    }

    /// Shows its operands. What it reads is still wanted when the results are written: the loop may go round.
    pub fn visit_operands(&mut self, v: &mut impl OperandVisitor) {
        match self {
            Quad::Load { value: [lo, hi], address, .. } => {
                v.reg_late_use(address);
                v.pair_def(hi, lo);
            }
            Quad::Rmw(PairRmw { old, new, address, operand, swapped, .. }) => {
                v.reg_late_use(address);
                operand.iter_mut().for_each(|reg| v.reg_late_use(reg));
                for pair in [old, new] {
                    let (even, odd) = in_memory(pair.each_mut(), *swapped);
                    v.pair_def(even, odd);
                }
            }
            Quad::Cas(PairCas { old: [lo, hi], address, expected, new: [new_lo, new_hi], .. }) => {
                v.reg_late_use(address);
                expected.iter_mut().for_each(|reg| v.reg_late_use(reg));
                v.pair_late_use(new_hi, new_lo);
                v.pair_def(hi, lo);
            }
        }
    }

    /// Prints it; `name` names registers.
    pub fn print(
        &self,
        out: &mut impl fmt::Write,
        name: impl Fn(Reg) -> alloc::string::String,
    ) -> fmt::Result {
        let reads = |[lo, hi]: [Reg; 2]| alloc::format!("{}:{}", name(lo), name(hi));
        let writes = |regs: [WritableReg; 2]| reads(regs.map(WritableReg::to_reg));
        match *self {
            Quad::Load { value, address, .. } => write!(out, "lq {}, [{}]", writes(value), name(address)),
            Quad::Rmw(PairRmw { old, new, address, operand, op, .. }) => {
                let (old, new) = (writes(old), writes(new));
                write!(out, "atomic128 {op} {old}, {new}, [{}], {}", name(address), reads(operand))
            }
            Quad::Cas(PairCas { old, address, expected, new, .. }) => {
                write!(out, "cas128 {}, [{}], ", writes(old), name(address))?;
                write!(out, "{}, {}", reads(expected), reads(new))
            }
        }
    }
}

impl Emit<'_> {
    pub(super) fn quad(&mut self, quad: &Quad) -> Result {
        match *quad {
            Quad::Load { value: [lo, hi], address, code } => {
                self.may_trap(code);
                self.real(&Inst::Lq { rt: hi, rt2: lo, ra: address, d: DqOffset::ZERO })
            }
            Quad::Rmw(PairRmw { old, new, address, operand, op, swapped, code }) => {
                let top = self.buf.offset();
                let (even, odd) = in_memory(old, swapped);
                self.load_quad(even, odd, address, code)?;
                self.reverse_halves(old, swapped)?;
                self.combine_quad(new, old.map(WritableReg::to_reg), operand, op)?;
                self.reverse_halves(new, swapped)?;
                let (even, odd) = in_memory(new.map(WritableReg::to_reg), swapped);
                self.store_quad(even, odd, address, code, top)
            }
            Quad::Cas(PairCas { old, address, expected, new, code }) => {
                self.cas_quad(old, address, expected, new, code)
            }
        }
    }

    /// `lqarx even, 0, rb`
    fn load_quad(&mut self, rt: WritableReg, rt2: WritableReg, rb: Reg, code: Option<TrapCode>) -> Result {
        self.may_trap(code);
        self.real(&Inst::LqarxZ { rt, rt2, rb })
    }

    /// `stqcx. even, 0, rb ; bne cr0, top`
    fn store_quad(&mut self, rs: Reg, rs2: Reg, rb: Reg, code: Option<TrapCode>, top: u32) -> Result {
        self.may_trap(code);
        self.real(&Inst::StqcxRcZ { cr0: w(CR0), rs, rs2, rb })?;
        self.branch_near(Cond::NE, CR0, i64::from(top) - i64::from(self.buf.offset()))
    }

    /// Turns the bytes of each half around where it is, if memory is in the other order.
    fn reverse_halves(&mut self, regs: [WritableReg; 2], swapped: bool) -> Result {
        if !swapped {
            return Ok(());
        }
        self.reverse_bytes(regs[0], 8)?;
        self.reverse_bytes(regs[1], 8)
    }

    /// ```text
    ///     addc new0, old0, operand0 ; adde new1, old1, operand1    or what it is; or the larger or smaller one:
    ///         mr new0, old0 ; mr new1, old1
    ///         cmpd cr0, old1, operand1             or  cmpld
    ///         bne cr0, .+8
    ///         cmpld cr0, old0, operand0
    ///         bnot-cond cr0, .+12
    ///         mr new0, operand0 ; mr new1, operand1
    /// ```
    fn combine_quad(
        &mut self,
        [new_lo, new_hi]: [WritableReg; 2],
        [old_lo, old_hi]: [Reg; 2],
        [lo, hi]: [Reg; 2],
        op: AtomicRmwOp,
    ) -> Result {
        match (op, takes_if(op)) {
            (AtomicRmwOp::Add, _) => {
                self.real(&Inst::Addc { rt: new_lo, ra: old_lo, rb: lo })?;
                self.real(&Inst::Adde { rt: new_hi, ra: old_hi, rb: hi })
            }
            (AtomicRmwOp::Sub, _) => {
                self.real(&Inst::Subfc { rt: new_lo, ra: lo, rb: old_lo })?;
                self.real(&Inst::Subfe { rt: new_hi, ra: hi, rb: old_hi })
            }
            (_, Some(cond)) => {
                self.copy(new_lo, old_lo)?;
                self.copy(new_hi, old_hi)?;
                let bf = w(CR0);
                self.real(&if is_signed(op) {
                    Inst::Cmpd { bf, ra: old_hi, rb: hi }
                } else {
                    Inst::Cmpld { bf, ra: old_hi, rb: hi }
                })?;
                self.branch_near(Cond::NE, CR0, 8)?;
                self.real(&Inst::Cmpld { bf, ra: old_lo, rb: lo })?;
                self.branch_near(cond.invert(), CR0, 12)?;
                self.copy(new_lo, lo)?;
                self.copy(new_hi, hi)
            }
            (_, None) => {
                self.plain(op, new_lo, old_lo, lo)?;
                self.plain(op, new_hi, old_hi, hi)
            }
        }
    }

    /// ```text
    /// 1:  lqarx old1, 0, address
    ///     xor r0, old1, expected1
    ///     xor r11, old0, expected0
    ///     or. r0, r0, r11
    ///     bne cr0, 2f
    ///     stqcx. new1, 0, address
    ///     bne cr0, 1b
    /// 2:
    /// ```
    fn cas_quad(
        &mut self,
        [old_lo, old_hi]: [WritableReg; 2],
        address: Reg,
        [lo, hi]: [Reg; 2],
        [new_lo, new_hi]: [Reg; 2],
        code: Option<TrapCode>,
    ) -> Result {
        let top = self.buf.offset();
        self.load_quad(old_hi, old_lo, address, code)?;
        self.real(&Inst::Xor { ra: w(R0), rs: old_hi.to_reg(), rb: hi })?;
        self.real(&Inst::Xor { ra: w(R11), rs: old_lo.to_reg(), rb: lo })?;
        self.real(&Inst::OrRc { ra: w(R0), cr0: w(CR0), rs: R0, rb: R11 })?;
        self.branch_near(Cond::NE, CR0, 12)?;
        self.store_quad(new_hi, new_lo, address, code, top)
    }
}

#[cfg(test)]
mod tests;
