//! What an instruction says about its registers: operands and their constraints.

use crate::regs::PReg;
use cranelift_entity::entity_impl;

/// Virtual register: an SSA value of the machine code.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct VReg(u32);
entity_impl!(VReg, "%");

/// An instruction: its index in layout order, which is emission order.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Inst(u32);
entity_impl!(Inst, "inst");

/// A basic block: its index in layout order. The entry block has index 0.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Block(u32);
entity_impl!(Block, "block");

/// Where an operand's value has to be.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Constraint {
    /// In a register of the value's class or in a stack slot.
    Any,
    /// In a register of the value's class.
    Reg,
    /// In exactly this register, which need not be allocatable.
    Fixed(PReg),
    /// Late defs only: in the same register as the use operand with this index in the instruction's operand list.
    /// The use is satisfied by a copy where the value lives on. At most one def may name an operand.
    Reuse(u8),
    /// In the low half of a register pair. The next operand is the matching `PairHi`, of the same kind and position.
    PairLo,
    /// In the high half of a register pair, right after the matching `PairLo`.
    PairHi,
}

/// Whether the instruction reads or writes the operand.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum OperandKind {
    /// Read.
    Use,
    /// Written: the only definition of its value.
    Def,
}

/// When the instruction reads or writes the operand.
///
/// All that happens early happens before anything that happens late: an early use and a late def may share a register,
/// a late use and a def may not, and an early def shares a register with no other operand.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum OperandPos {
    /// Uses: read before any late def is written. Defs: written while uses are still to be read; the register belongs to
    /// the def throughout the instruction, also when nothing reads it afterwards (temporaries).
    ///
    /// An early def in a *fixed* register by a block's *first* instruction is an **entry def**: the register has the value
    /// when the block is entered, before any move that the allocator puts in front of the instruction. That is how
    /// values arrive that control itself brings, such as an exception's payload.
    Early,
    /// Uses: read while late defs are written, so the register survives the instruction. Defs: written after early uses.
    Late,
}

/// One operand of an instruction.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Operand {
    /// The value.
    pub vreg: VReg,
    /// Read or written.
    pub kind: OperandKind,
    /// Early or late.
    pub pos: OperandPos,
    /// Where it has to be.
    pub constraint: Constraint,
}

impl Operand {
    /// An operand with all parts given.
    pub const fn new(vreg: VReg, kind: OperandKind, pos: OperandPos, constraint: Constraint) -> Self {
        Operand { vreg, kind, pos, constraint }
    }

    const fn early_use(vreg: VReg, constraint: Constraint) -> Self {
        Operand::new(vreg, OperandKind::Use, OperandPos::Early, constraint)
    }

    const fn late_def(vreg: VReg, constraint: Constraint) -> Self {
        Operand::new(vreg, OperandKind::Def, OperandPos::Late, constraint)
    }

    /// Read early from a register.
    pub const fn reg_use(vreg: VReg) -> Self {
        Operand::early_use(vreg, Constraint::Reg)
    }

    /// Read late from a register: no def shares it.
    pub const fn late_use(vreg: VReg) -> Self {
        Operand::new(vreg, OperandKind::Use, OperandPos::Late, Constraint::Reg)
    }

    /// Written late to a register.
    pub const fn reg_def(vreg: VReg) -> Self {
        Operand::late_def(vreg, Constraint::Reg)
    }

    /// Written early to a register that no other operand shares; also the way to ask for a temporary.
    pub const fn early_def(vreg: VReg) -> Self {
        Operand::new(vreg, OperandKind::Def, OperandPos::Early, Constraint::Reg)
    }

    /// Read early from this register.
    pub const fn fixed_use(vreg: VReg, reg: PReg) -> Self {
        Operand::early_use(vreg, Constraint::Fixed(reg))
    }

    /// Written late to this register.
    pub const fn fixed_def(vreg: VReg, reg: PReg) -> Self {
        Operand::late_def(vreg, Constraint::Fixed(reg))
    }

    /// In this register when the block is entered; of a block's first instruction only.
    pub const fn entry_def(vreg: VReg, reg: PReg) -> Self {
        Operand::new(vreg, OperandKind::Def, OperandPos::Early, Constraint::Fixed(reg))
    }

    /// Read early from a register or a stack slot.
    pub const fn any_use(vreg: VReg) -> Self {
        Operand::early_use(vreg, Constraint::Any)
    }

    /// Written late to a register or a stack slot.
    pub const fn any_def(vreg: VReg) -> Self {
        Operand::late_def(vreg, Constraint::Any)
    }

    /// Written late to the register of the use operand with this index.
    pub const fn reuse_def(vreg: VReg, operand: u8) -> Self {
        Operand::late_def(vreg, Constraint::Reuse(operand))
    }

    /// Two values read early from the halves of a register pair: low, high.
    pub const fn pair_use(lo: VReg, hi: VReg) -> [Self; 2] {
        [Operand::early_use(lo, Constraint::PairLo), Operand::early_use(hi, Constraint::PairHi)]
    }

    /// Two values written late to the halves of a register pair: low, high.
    pub const fn pair_def(lo: VReg, hi: VReg) -> [Self; 2] {
        [Operand::late_def(lo, Constraint::PairLo), Operand::late_def(hi, Constraint::PairHi)]
    }

    /// The same operand at another position.
    pub const fn at(self, pos: OperandPos) -> Self {
        Operand { pos, ..self }
    }

    /// Whether the operand, of a block's first instruction, is there when the block is entered.
    pub(crate) const fn is_entry_def(self) -> bool {
        self.is_def()
            && matches!(self.pos, OperandPos::Early)
            && matches!(self.constraint, Constraint::Fixed(_))
    }

    /// Whether the operand is read.
    pub const fn is_use(self) -> bool {
        matches!(self.kind, OperandKind::Use)
    }

    /// Whether the operand is written.
    pub const fn is_def(self) -> bool {
        matches!(self.kind, OperandKind::Def)
    }
}

const _: () = assert!(size_of::<Operand>() == 8, "an operand is meant to take 8 bytes");
