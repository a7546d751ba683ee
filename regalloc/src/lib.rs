//! Linear-scan register allocation on SSA form for constrained, overlapping register files, with a symbolic checker.
//!
//! Give [`Allocator::run`] a [`Function`] (blocks, instructions, operands with constraints; the crate knows nothing else
//! about the code), a [`RegFile`] and [`Options`]; it fills an [`Output`]: a location for every operand and a list of
//! moves to insert. [`checker::check`] proves an output against its function; [`dump::dump`] prints both.
//!
//! **Input contract.** SSA form with block parameters, no phi destruction. Blocks are numbered in layout order, which is
//! emission order, and own consecutive instructions; the last one is the terminator. Critical edges are split: every edge
//! leaves a block with one successor or enters a block with one predecessor (the function's start counts as a predecessor
//! of the entry block). A block whose only edge enters a block with several predecessors ends in an instruction without
//! operands, because moves of the edge go in front of it. A terminator with several ways to go may define values, each in
//! a register of its own; registers in which a block has entry defs ([`OperandPos::Early`]) are destroyed by the terminators
//! in front of it. Unreachable blocks, endless loops and irreducible loops are fine.
//!
//! **Output contract.** Edits are sorted by program point and are meant to be carried out one after the other in that
//! order. Slots are byte offsets into a spill area of [`Output::spill_size_bytes`] bytes. A move may go from any
//! allocation of a class to any other one, *slot to slot included*: carrying it out must touch neither flags nor any
//! allocatable register.
//!
//! ```
//! use windlass_regalloc::*;
//!
//! /// `%0 = argument in r0; %1 = %0 + %0, in place; return %1 in r0`
//! struct Double([Vec<Operand>; 3]);
//!
//! impl Function for Double {
//!     fn num_insts(&self) -> usize { 3 }
//!     fn num_blocks(&self) -> usize { 1 }
//!     fn num_vregs(&self) -> usize { 2 }
//!     fn block_insts(&self, _: Block) -> InstRange { 0..3 }
//!     fn block_succs(&self, _: Block) -> &[Block] { &[] }
//!     fn block_preds(&self, _: Block) -> &[Block] { &[] }
//!     fn block_params(&self, _: Block) -> &[VReg] { &[] }
//!     fn branch_args(&self, _: Block, _: usize) -> &[VReg] { &[] }
//!     fn loop_depth(&self, _: Block) -> u32 { 0 }
//!     fn inst_operands(&self, inst: Inst) -> &[Operand] { &self.0[inst.as_u32() as usize] }
//!     fn inst_clobbers(&self, _: Inst) -> UnitSet { UnitSet::EMPTY }
//!     fn vreg_class(&self, _: VReg) -> RegClass { RegClass::new(0) }
//! }
//!
//! let [r0, r1] = [PReg::new(0), PReg::new(1)];
//! let reg = |name, unit| RegDef { name, units: UnitSet::single(unit), halves: None };
//! let class = ClassDef {
//!     name: "core", order: vec![r0, r1], spill_size: 4, spill_align: 4, scratch: None, subset_of: None,
//!     pair: None,
//! };
//! let regs =
//!     RegFile { regs: vec![reg("r0", 0), reg("r1", 1)], classes: vec![class], callee_saved: UnitSet::EMPTY };
//! let [v0, v1] = [VReg::from_u32(0), VReg::from_u32(1)];
//! let f = Double([
//!     vec![Operand::fixed_def(v0, r0)],
//!     vec![Operand::reg_use(v0), Operand::reg_use(v0), Operand::reuse_def(v1, 0)],
//!     vec![Operand::fixed_use(v1, r0)],
//! ]);
//! let out = allocate(&f, &regs, &Options::default())?;
//! assert!(checker::check(&f, &regs, &out).is_ok());
//! assert!(out.edits.is_empty());
//! assert_eq!(out.inst_allocs(Inst::from_u32(1)), [Allocation::Reg(r0); 3]);
//! # Ok::<(), Error>(())
//! ```
//!
//! The algorithm and its sources are described in `scan.rs`; costs are near-linear in the number of instructions
//! plus the sum over values of the number of blocks where they live.
#![cfg_attr(not(any(feature = "std", test)), no_std)]
#![forbid(unsafe_code)]

extern crate alloc;

pub mod checker;
mod constraints;
pub mod dump;
#[cfg(test)]
mod fuzz;
mod intervals;
mod live;
mod moves;
mod operand;
mod regs;
mod resolve;
mod scan;
#[cfg(test)]
mod shapes;
mod spill;
mod split;
#[cfg(any(test, feature = "testing"))]
pub mod testing;

use alloc::vec::Vec;
use core::fmt;
use core::ops::Range;

pub use operand::{Block, Constraint, Inst, Operand, OperandKind, OperandPos, VReg};
pub use regs::{ClassDef, PReg, RegClass, RegDef, RegFile, UnitIter, UnitSet};

/// The consecutive instructions of a block, as indices.
pub type InstRange = Range<u32>;

/// The code to allocate registers for: everything that the allocator wants to know about it.
///
/// Methods are called often: they should be look-ups.
pub trait Function {
    /// How many instructions there are: indices are 0 to this, exclusive.
    fn num_insts(&self) -> usize;
    /// How many blocks there are: indices are 0 to this, exclusive.
    fn num_blocks(&self) -> usize;
    /// How many virtual registers there are: indices are 0 to this, exclusive. Not all need to occur.
    fn num_vregs(&self) -> usize;
    /// The entry block: index 0.
    fn entry_block(&self) -> Block {
        Block::from_u32(0)
    }
    /// The block's instructions: at least one; the next block's begin where these end.
    fn block_insts(&self, block: Block) -> InstRange;
    /// The block's successors, one for each edge.
    fn block_succs(&self, block: Block) -> &[Block];
    /// The block's predecessors, one for each edge, in any order.
    fn block_preds(&self, block: Block) -> &[Block];
    /// Values that the block defines at its start from what its predecessors pass.
    fn block_params(&self, block: Block) -> &[VReg];
    /// Values that the block passes to the parameters of its successor with this index.
    fn branch_args(&self, block: Block, succ_index: usize) -> &[VReg];
    /// How many loops the block is in. A hint: it changes the quality of the result, not its correctness.
    fn loop_depth(&self, block: Block) -> u32;
    /// The instruction's operands.
    fn inst_operands(&self, inst: Inst) -> &[Operand];
    /// Units that the instruction destroys at its late point: no value that lives through it, is read late or is
    /// written to a register of the allocator's choice is there. Units of fixed defs may be among them: the def wins.
    fn inst_clobbers(&self, inst: Inst) -> UnitSet;
    /// For a register copy, the value read and the value written: the allocator tries to make it a copy of a register
    /// to itself.
    fn is_move(&self, inst: Inst) -> Option<(VReg, VReg)> {
        let _ = inst;
        None
    }
    /// The value's register class.
    fn vreg_class(&self, vreg: VReg) -> RegClass;
    /// Whether the instruction can be carried out again anywhere, into any register of its class (no uses, no effects,
    /// one result: constants, addresses): the allocator may do so instead of spilling and reloading.
    fn is_remat(&self, inst: Inst) -> bool {
        let _ = inst;
        false
    }
}

/// Settings. Only stress tests want other ones than the default.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Options {
    /// Use at most this many registers of each class, the first ones of its order. An instruction whose constraints
    /// need more gets more; fixed operands get their register in any case.
    pub max_regs: Option<u8>,
    /// Keep every value in a stack slot between instructions.
    pub spill_all: bool,
    /// Seed of a random choice among free registers.
    pub random: Option<u64>,
}

/// A place in the spill area: its offset in bytes from the start of the area.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct SpillSlot(u32);

impl SpillSlot {
    /// The slot at this offset.
    pub const fn new(offset_bytes: u32) -> Self {
        SpillSlot(offset_bytes)
    }

    /// Its offset in bytes from the start of the spill area.
    pub const fn offset_bytes(self) -> u32 {
        self.0
    }
}

/// Where a value is.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
pub enum Allocation {
    /// Nowhere: never the allocation of an operand in a finished output.
    #[default]
    None,
    /// In a register.
    Reg(PReg),
    /// In the spill area; its size is that of the value's class.
    Slot(SpillSlot),
}

impl Allocation {
    /// The register, if it is one.
    pub const fn as_reg(self) -> Option<PReg> {
        match self {
            Allocation::Reg(r) => Some(r),
            Allocation::None | Allocation::Slot(_) => None,
        }
    }

    /// The slot, if it is one.
    pub const fn as_slot(self) -> Option<SpillSlot> {
        match self {
            Allocation::Slot(s) => Some(s),
            Allocation::None | Allocation::Reg(_) => None,
        }
    }
}

/// Before or after an instruction.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Side {
    /// Right before it, after whatever happened before.
    Before,
    /// Right after it.
    After,
}

/// A point between instructions. Points are ordered as the program is.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct ProgPoint {
    /// The instruction.
    pub inst: Inst,
    /// Which side of it.
    pub side: Side,
}

impl ProgPoint {
    /// The point before an instruction.
    pub const fn before(inst: Inst) -> Self {
        ProgPoint { inst, side: Side::Before }
    }

    /// The point after an instruction.
    pub const fn after(inst: Inst) -> Self {
        ProgPoint { inst, side: Side::After }
    }
}

/// Something to insert into the code.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Edit {
    /// Copy a value of this class. A register pair is moved as two moves of its halves' class.
    Move {
        /// A register or a slot.
        from: Allocation,
        /// A register or a slot, another one.
        to: Allocation,
        /// The class: it says how many bytes a slot has and which instructions do it.
        class: RegClass,
    },
    /// Emit this instruction (see [`Function::is_remat`]) again, with this register for its result.
    Remat {
        /// The instruction that defines the value.
        inst: Inst,
        /// Where its result goes now.
        to: PReg,
    },
}

/// Counts of what an allocation did, for tests, benches and the curious.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Stats {
    /// Values that are live somewhere.
    pub intervals: u32,
    /// Times an interval was split in two.
    pub splits: u32,
    /// Moves from register to slot.
    pub spills: u32,
    /// Moves from slot to register.
    pub reloads: u32,
    /// Moves from register to register, or from slot to slot.
    pub moves: u32,
    /// Values computed anew instead of reloaded.
    pub remats: u32,
}

/// The result of an allocation. Can be used again for the next one.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Output {
    /// Allocations of all operands of all instructions, one after the other.
    pub(crate) allocs: Vec<Allocation>,
    /// Where an instruction's allocations begin; one more entry than there are instructions.
    pub(crate) offsets: Vec<u32>,
    /// What to insert, sorted by program point; edits of the same point are carried out in the order given. This
    /// allocator places all edits *before* instructions.
    pub edits: Vec<(ProgPoint, Edit)>,
    /// Size of the spill area, in bytes; a multiple of [`Output::spill_align`].
    pub spill_size_bytes: u32,
    /// Alignment that the spill area's start needs, in bytes: a power of two.
    pub spill_align: u32,
    /// All units that an operand or an edit writes or reads. Clobbers are not counted: add those of the instructions to
    /// find the callee-saved registers to save.
    pub used: UnitSet,
    /// Counts.
    pub stats: Stats,
}

impl Output {
    /// An empty output, to be filled by [`Allocator::run`].
    pub fn new() -> Self {
        Self::default()
    }

    /// Allocations of the instruction's operands, in their order; empty for an instruction that does not exist.
    pub fn inst_allocs(&self, inst: Inst) -> &[Allocation] {
        let range = self.inst_range(inst);
        self.allocs.get(range).unwrap_or(&[])
    }

    /// The same, to be changed: how tests break an output.
    pub fn inst_allocs_mut(&mut self, inst: Inst) -> &mut [Allocation] {
        let range = self.inst_range(inst);
        self.allocs.get_mut(range).unwrap_or(&mut [])
    }

    fn inst_range(&self, inst: Inst) -> Range<usize> {
        let at = |i: usize| self.offsets.get(i).map_or(0, |&o| o as usize);
        let i = inst.as_u32() as usize;
        at(i)..at(i + 1)
    }

    /// The edits of one program point.
    pub fn edits_at(&self, point: ProgPoint) -> &[(ProgPoint, Edit)] {
        let start = self.edits.partition_point(|e| e.0 < point);
        let len = self.edits[start..].partition_point(|e| e.0 == point);
        &self.edits[start..start + len]
    }
}

/// Why a function could not be allocated.
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum Error {
    /// The register file's description is inconsistent.
    RegFile(&'static str),
    /// Something is larger than 32-bit positions allow: more than 2^29 instructions, operands or values.
    TooLarge,
    /// The blocks' instructions are not consecutive, a block is empty, or the entry block is not the first one.
    Layout {
        /// The block.
        block: Block,
    },
    /// Successors and predecessors do not agree, or name a block that does not exist.
    Graph {
        /// The block.
        block: Block,
    },
    /// An edge from a block with several successors enters a block with several predecessors.
    CriticalEdge {
        /// Where it starts.
        from: Block,
        /// Where it ends.
        to: Block,
    },
    /// A block whose only edge enters a block with several predecessors ends in an instruction with operands or with
    /// allocatable clobbers.
    TerminatorOperands {
        /// The block.
        block: Block,
    },
    /// Not as many arguments as the successor has parameters, or values of different classes.
    BranchArgs {
        /// Where the edge starts.
        block: Block,
        /// Which successor.
        succ_index: usize,
    },
    /// The entry block has parameters: arguments of the function are defs of an instruction.
    EntryParams,
    /// A value that does not exist is named.
    VRegOutOfRange {
        /// The value.
        vreg: VReg,
    },
    /// A value's class does not exist.
    ClassOutOfRange {
        /// The value.
        vreg: VReg,
    },
    /// A value has two definitions.
    NotSsa {
        /// The value.
        vreg: VReg,
    },
    /// A use can be reached without passing the value's definition.
    UseBeforeDef {
        /// The value.
        vreg: VReg,
    },
    /// A `Reuse` constraint does not name a use, is on a use or an early def, names an operand of another class or
    /// one that another def reuses.
    BadReuse {
        /// The instruction.
        inst: Inst,
        /// The operand's index.
        operand: usize,
    },
    /// A pair constraint without its other half next to it, or in a class without pairs.
    BadPair {
        /// The instruction.
        inst: Inst,
        /// The operand's index.
        operand: usize,
    },
    /// A fixed register does not exist.
    BadFixed {
        /// The instruction.
        inst: Inst,
        /// The operand's index.
        operand: usize,
    },
    /// A block has entry defs in registers that the instruction in front of it does not destroy, or in which that
    /// instruction defines a value that the block reads.
    EntryDef {
        /// The block.
        block: Block,
    },
    /// The instruction's constraints cannot be satisfied together.
    TooManyConstraints {
        /// The instruction.
        inst: Inst,
    },
    /// The allocator's own mistake: please report it.
    Internal(&'static str),
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Error::RegFile(what) => write!(f, "the register file is inconsistent: {what}"),
            Error::TooLarge => write!(f, "the function is too large"),
            Error::Layout { block } => {
                write!(f, "{block} is empty or not laid out after the block before it")
            }
            Error::Graph { block } => {
                write!(f, "successors and predecessors of {block} do not agree")
            }
            Error::CriticalEdge { from, to } => {
                write!(f, "the edge from {from} to {to} is critical")
            }
            Error::TerminatorOperands { block } => {
                write!(
                    f,
                    "the terminator of {block} has operands or clobbers, but moves have to go in front of it"
                )
            }
            Error::BranchArgs { block, succ_index } => {
                write!(f, "arguments of {block} do not match the parameters of its successor {succ_index}")
            }
            Error::EntryParams => write!(f, "the entry block has parameters"),
            Error::VRegOutOfRange { vreg } => write!(f, "{vreg} does not exist"),
            Error::ClassOutOfRange { vreg } => write!(f, "the class of {vreg} does not exist"),
            Error::NotSsa { vreg } => write!(f, "{vreg} has two definitions"),
            Error::UseBeforeDef { vreg } => {
                write!(f, "a use of {vreg} can be reached without its definition")
            }
            Error::BadReuse { inst, operand } => {
                write!(f, "operand {operand} of {inst} reuses no use that it can")
            }
            Error::BadPair { inst, operand } => {
                write!(f, "operand {operand} of {inst} is half of no pair")
            }
            Error::BadFixed { inst, operand } => {
                write!(f, "operand {operand} of {inst} names no register")
            }
            Error::EntryDef { block } => {
                write!(f, "entry defs of {block} are in registers that its predecessors keep")
            }
            Error::TooManyConstraints { inst } => {
                write!(f, "constraints of {inst} cannot be satisfied together")
            }
            Error::Internal(what) => {
                write!(f, "internal inconsistency in register allocation: {what}")
            }
        }
    }
}

impl core::error::Error for Error {}

/// A register allocator: all memory that an allocation needs, used again by the next one.
#[derive(Default)]
pub struct Allocator {
    prepared: constraints::Prepared,
    intervals: intervals::Intervals,
    live: live::Live,
    scan: scan::ScanMemory,
    slots: spill::Slots,
    resolve: resolve::Resolve,
}

impl Allocator {
    /// A new allocator.
    pub fn new() -> Self {
        Self::default()
    }

    /// Allocates registers for `func`, and fills `out` (what it held before is forgotten).
    ///
    /// # Errors
    /// The first thing found wrong with the input, see [`Error`]; `out` is of no use then.
    pub fn run<F: Function>(
        &mut self,
        func: &F,
        regs: &RegFile,
        options: &Options,
        out: &mut Output,
    ) -> Result<(), Error> {
        let Allocator { prepared, intervals, live, scan, slots, resolve } = self;
        regs.validate().map_err(Error::RegFile)?;
        out.edits.clear();
        out.used = UnitSet::EMPTY;
        out.stats = Stats::default();
        prepared.run(func, regs, options, out)?;
        live.run(func, regs, prepared, intervals, out)?;
        scan::scan(func, regs, options, scan, prepared, intervals, live, &mut out.stats)?;
        resolve.sort_pieces(intervals);
        let input = resolve::Input { f: func, regs, prep: prepared };
        resolve.find_stored(&input, intervals);
        slots.run(regs, intervals, live, prepared.dummy_slot);
        resolve.run(&input, intervals, live, slots, out)
    }
}

/// Allocates registers for one function; with many to come, keep an [`Allocator`].
///
/// # Errors
/// As [`Allocator::run`].
pub fn allocate<F: Function>(func: &F, regs: &RegFile, options: &Options) -> Result<Output, Error> {
    let mut out = Output::new();
    Allocator::new().run(func, regs, options, &mut out)?;
    Ok(out)
}
