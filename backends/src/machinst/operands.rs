//! Visitors of instruction operands: what the allocator is told, and how its answer comes back.

use super::reg::{OperandVisitor, Reg, WritableReg};
use alloc::vec::Vec;
use windlass_regalloc::{Allocation, Constraint, Operand, OperandKind, OperandPos, PReg};

/// Tells the allocator about the operands of an instruction, in the order of the visit. Physical registers are
/// not the allocator's: instructions name only reserved ones outright.
pub struct OperandCollector<'a> {
    operands: &'a mut Vec<Operand>,
    start: usize,
    /// For each call of the visitor so far, its operand.
    shown: u8,
}

impl<'a> OperandCollector<'a> {
    /// Appends to `operands`.
    pub fn new(operands: &'a mut Vec<Operand>) -> Self {
        let start = operands.len();
        OperandCollector { operands, start, shown: 0 }
    }

    fn add(&mut self, reg: Reg, kind: OperandKind, pos: OperandPos, constraint: Constraint) {
        self.shown += 1;
        if let Some(vreg) = reg.as_vreg() {
            self.operands.push(Operand::new(vreg, kind, pos, constraint));
        }
    }
}

impl OperandVisitor for OperandCollector<'_> {
    fn reg_use(&mut self, r: &mut Reg) {
        self.add(*r, OperandKind::Use, OperandPos::Early, Constraint::Reg);
    }
    fn reg_late_use(&mut self, r: &mut Reg) {
        self.add(*r, OperandKind::Use, OperandPos::Late, Constraint::Reg);
    }
    fn reg_def(&mut self, r: &mut WritableReg) {
        self.add(r.to_reg(), OperandKind::Def, OperandPos::Late, Constraint::Reg);
    }
    fn reg_early_def(&mut self, r: &mut WritableReg) {
        self.add(r.to_reg(), OperandKind::Def, OperandPos::Early, Constraint::Reg);
    }
    fn reg_reuse_def(&mut self, r: &mut WritableReg, use_index: usize) {
        // Tied operands are virtual, and shown before everything else.
        debug_assert!(use_index < self.operands.len() - self.start, "a tied operand is shown first");
        self.add(r.to_reg(), OperandKind::Def, OperandPos::Late, Constraint::Reuse(use_index as u8));
    }
    fn reg_fixed_use(&mut self, r: &mut Reg, p: PReg) {
        self.add(*r, OperandKind::Use, OperandPos::Early, Constraint::Fixed(p));
    }
    fn reg_fixed_def(&mut self, r: &mut WritableReg, p: PReg) {
        self.add(r.to_reg(), OperandKind::Def, OperandPos::Late, Constraint::Fixed(p));
    }
    fn reg_entry_def(&mut self, r: &mut WritableReg, p: PReg) {
        self.add(r.to_reg(), OperandKind::Def, OperandPos::Early, Constraint::Fixed(p));
    }
    fn any_late_use(&mut self, r: &mut Reg) {
        self.add(*r, OperandKind::Use, OperandPos::Late, Constraint::Any);
    }
    fn pair_use(&mut self, lo: &mut Reg, hi: &mut Reg) {
        self.add(*lo, OperandKind::Use, OperandPos::Early, Constraint::PairLo);
        self.add(*hi, OperandKind::Use, OperandPos::Early, Constraint::PairHi);
    }
    fn pair_late_use(&mut self, lo: &mut Reg, hi: &mut Reg) {
        self.add(*lo, OperandKind::Use, OperandPos::Late, Constraint::PairLo);
        self.add(*hi, OperandKind::Use, OperandPos::Late, Constraint::PairHi);
    }
    fn pair_def(&mut self, lo: &mut WritableReg, hi: &mut WritableReg) {
        self.add(lo.to_reg(), OperandKind::Def, OperandPos::Late, Constraint::PairLo);
        self.add(hi.to_reg(), OperandKind::Def, OperandPos::Late, Constraint::PairHi);
    }
}

/// A visitor to which all operands are the same.
pub trait EachReg {
    /// Is shown a register.
    fn each(&mut self, reg: &mut Reg);
}

impl<T: EachReg> OperandVisitor for T {
    fn reg_use(&mut self, r: &mut Reg) {
        self.each(r);
    }
    fn reg_late_use(&mut self, r: &mut Reg) {
        self.each(r);
    }
    fn reg_def(&mut self, r: &mut WritableReg) {
        self.each(r.reg_mut());
    }
    fn reg_early_def(&mut self, r: &mut WritableReg) {
        self.each(r.reg_mut());
    }
    fn reg_reuse_def(&mut self, r: &mut WritableReg, _: usize) {
        self.each(r.reg_mut());
    }
    fn reg_fixed_use(&mut self, r: &mut Reg, _: PReg) {
        self.each(r);
    }
    fn reg_fixed_def(&mut self, r: &mut WritableReg, _: PReg) {
        self.each(r.reg_mut());
    }
    fn reg_entry_def(&mut self, r: &mut WritableReg, _: PReg) {
        self.each(r.reg_mut());
    }
    fn any_late_use(&mut self, r: &mut Reg) {
        self.each(r);
    }
    fn pair_use(&mut self, lo: &mut Reg, hi: &mut Reg) {
        self.each(lo);
        self.each(hi);
    }
    fn pair_late_use(&mut self, lo: &mut Reg, hi: &mut Reg) {
        self.each(lo);
        self.each(hi);
    }
    fn pair_def(&mut self, lo: &mut WritableReg, hi: &mut WritableReg) {
        self.each(lo.reg_mut());
        self.each(hi.reg_mut());
    }
}

/// Writes the allocator's answer for one instruction into it. Operands that have no place keep their virtual
/// register; the emitter refuses them.
pub struct AssignRegs<'a> {
    allocs: core::slice::Iter<'a, Allocation>,
}

impl<'a> AssignRegs<'a> {
    /// `allocs` are those of the instruction.
    pub fn new(allocs: &'a [Allocation]) -> Self {
        AssignRegs { allocs: allocs.iter() }
    }
}

impl EachReg for AssignRegs<'_> {
    fn each(&mut self, reg: &mut Reg) {
        if reg.is_virtual() {
            match self.allocs.next() {
                Some(Allocation::Reg(preg)) => *reg = Reg::from_preg(*preg),
                Some(Allocation::Slot(slot)) => *reg = Reg::from_slot(*slot),
                _ => {}
            }
        }
    }
}
