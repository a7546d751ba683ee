//! Registers as operands of machine instructions.
//!
//! A [`Reg`] is physical or virtual; instruction selection makes virtual ones
//! (and physical ones where the machine leaves no choice), the allocator's
//! result replaces them through an [`OperandVisitor`]. A register that an
//! instruction writes is a [`WritableReg`], so that a rule cannot write to what
//! it was given to read.

use core::fmt;
use windlass_regalloc::{PReg, SpillSlot, VReg};

/// Numbers below this are physical registers.
const FIRST_VIRTUAL: u32 = 256;
/// Numbers from this on are spill slots, by offset in bytes.
const FIRST_SLOT: u32 = 1 << 31;

/// A register in a machine instruction: physical or virtual. After allocation, an operand that takes any place may be a
/// spill slot.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Reg(u32);

impl Reg {
    /// No register: what fills the place of one that is not there.
    pub const NONE: Reg = Reg(u32::MAX);

    /// The physical register.
    pub const fn from_preg(preg: PReg) -> Reg {
        Reg(preg.index() as u32)
    }

    /// The virtual register, whose index is below 2^32 - 256.
    pub fn from_vreg(vreg: VReg) -> Reg {
        Reg(vreg.as_u32() + FIRST_VIRTUAL)
    }

    /// The physical register, or `None` for a virtual one.
    pub const fn as_preg(self) -> Option<PReg> {
        if self.0 < FIRST_VIRTUAL { Some(PReg::new(self.0 as u8)) } else { None }
    }

    /// The virtual register, or `None` for a physical one.
    pub fn as_vreg(self) -> Option<VReg> {
        if self.is_virtual() { Some(VReg::from_u32(self.0 - FIRST_VIRTUAL)) } else { None }
    }

    /// Is this a virtual register?
    pub const fn is_virtual(self) -> bool {
        self.0 >= FIRST_VIRTUAL && self.0 < FIRST_SLOT
    }

    /// The spill slot, whose offset is below 2^31 - 1.
    pub const fn from_slot(slot: SpillSlot) -> Reg {
        Reg(FIRST_SLOT | slot.offset_bytes())
    }

    /// The spill slot, or `None` for a register.
    pub const fn as_slot(self) -> Option<SpillSlot> {
        if self.0 >= FIRST_SLOT && self.0 != Reg::NONE.0 {
            Some(SpillSlot::new(self.0 - FIRST_SLOT))
        } else {
            None
        }
    }
}

/// `%5` for a virtual register, `p3` for a physical one, `[spill+8]` for a slot: the target's names
/// are the printer's of its instructions.
impl fmt::Display for Reg {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.as_vreg(), self.as_slot()) {
            (Some(v), _) => write!(f, "%{}", v.as_u32()),
            (_, Some(slot)) => write!(f, "[spill+{}]", slot.offset_bytes()),
            _ => write!(f, "p{}", self.0),
        }
    }
}

impl fmt::Debug for Reg {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// Something that an instruction writes.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Writable<R>(R);

impl<R: Copy> Writable<R> {
    /// Declares that `reg` is about to be written.
    pub const fn from_reg(reg: R) -> Writable<R> {
        Writable(reg)
    }

    /// The register, to be read.
    pub const fn to_reg(self) -> R {
        self.0
    }

    /// The register, to be replaced.
    pub fn reg_mut(&mut self) -> &mut R {
        &mut self.0
    }
}

impl<R: fmt::Debug> fmt::Debug for Writable<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// A register that an instruction writes.
pub type WritableReg = Writable<Reg>;

/// Is shown every register operand of an instruction, and may replace it.
///
/// The generated `visit_operands` shows tied reads first, then the other
/// reads, then the writes. Physical registers are shown like virtual ones.
pub trait OperandVisitor {
    /// Read before results are written.
    fn reg_use(&mut self, r: &mut Reg);
    /// Read after results may have been written.
    fn reg_late_use(&mut self, r: &mut Reg);
    /// Written after all ordinary reads.
    fn reg_def(&mut self, r: &mut WritableReg);
    /// Written before the reads: shares a register with none of them.
    fn reg_early_def(&mut self, r: &mut WritableReg);
    /// Written to the register of the operand that the visitor was shown in
    /// its call number `use_index`, counted from 0.
    fn reg_reuse_def(&mut self, r: &mut WritableReg, use_index: usize);
    /// Read from `p`.
    fn reg_fixed_use(&mut self, r: &mut Reg, p: PReg);
    /// Written to `p`.
    fn reg_fixed_def(&mut self, r: &mut WritableReg, p: PReg);
    /// In `p` when the block is entered; of a block's first instruction only.
    fn reg_entry_def(&mut self, r: &mut WritableReg, p: PReg);
    /// Read, after results may have been written, from a register or a spill slot.
    fn any_late_use(&mut self, r: &mut Reg);
    /// Read from an even register and its successor.
    fn pair_use(&mut self, lo: &mut Reg, hi: &mut Reg);
    /// Read from an even register and its successor after results may have been written.
    fn pair_late_use(&mut self, lo: &mut Reg, hi: &mut Reg);
    /// Written to an even register and its successor.
    fn pair_def(&mut self, lo: &mut WritableReg, hi: &mut WritableReg);
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::format;

    #[test]
    fn physical_and_virtual_registers_stay_apart() {
        let p = Reg::from_preg(PReg::new(255));
        let v = Reg::from_vreg(VReg::from_u32(0));
        assert_eq!((p.as_preg(), p.as_vreg()), (Some(PReg::new(255)), None));
        assert_eq!((v.as_preg(), v.as_vreg()), (None, Some(VReg::from_u32(0))));
        let slot = Reg::from_slot(SpillSlot::new(8));
        assert_eq!((slot.as_preg(), slot.as_vreg(), slot.as_slot()), (None, None, Some(SpillSlot::new(8))));
        assert_eq!((Reg::NONE.as_preg(), Reg::NONE.as_vreg(), Reg::NONE.as_slot()), (None, None, None));
        assert_eq!(format!("{p} {v} {slot}"), "p255 %0 [spill+8]");
    }
}
