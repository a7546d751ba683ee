//! The result of compiling a function.

use crate::reloc::Reloc;
use alloc::vec::Vec;
use core::ops::Range;
use smallvec::SmallVec;
use windlass_ir::{ExceptionTag, SourceLoc, TrapCode};

/// A place that traps.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct TrapSite {
    /// Offset of the instruction that traps, in bytes: the address that the signal handler is told.
    pub offset: u32,
    /// Why.
    pub code: TrapCode,
}

/// Where a stretch of code comes from.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct SourceRange {
    /// Offsets in bytes.
    pub code: Range<u32>,
    /// Never [`SourceLoc::NONE`].
    pub loc: SourceLoc,
}

/// Which instruction of the front end's block a stretch of code comes from, for listings.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct InstRange {
    /// Offsets in bytes.
    pub code: Range<u32>,
    /// The instruction of the function as it was selected from.
    pub inst: windlass_ir::Inst,
}

/// The frame of a function between its prologue and its epilogue, where the stack pointer does not move: what is needed to
/// find the caller's frame from a return address. See [`unwind`](crate::unwind).
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct FrameLayout {
    /// From the stack pointer up to what it was at the function's entry, in bytes.
    pub size_bytes: u32,
    /// From the stack pointer up to the word that keeps the function's return address, in bytes. `None` if it is never
    /// in memory: such a function calls nothing.
    pub return_address_offset: Option<u32>,
    /// Bytes of its own stack arguments that the function takes off the stack: at its return the stack pointer is above
    /// its value at entry by so many.
    pub popped_bytes: u32,
}

/// What happens if a call throws: one item of the table of a `try_call`, in the order in which they are tried. `P` is a
/// place in the code: an offset in bytes in [`CompiledCode`], a label before that.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum CatchItem<P = u32> {
    /// Exceptions with this tag go there.
    Tag(ExceptionTag, P),
    /// All exceptions go there.
    Default(P),
    /// The items after it hold for one dynamic context: the value whose parts, least significant first, are in the frame
    /// at these distances from the stack pointer, in bytes. Bits above the value's type are unspecified.
    Context(SmallVec<[u32; 2]>),
}

impl<P> CatchItem<P> {
    /// The same with `map` of the place. `None` if that is.
    pub fn map<Q>(self, map: impl FnOnce(P) -> Option<Q>) -> Option<CatchItem<Q>> {
        Some(match self {
            CatchItem::Tag(tag, place) => CatchItem::Tag(tag, map(place)?),
            CatchItem::Default(place) => CatchItem::Default(map(place)?),
            CatchItem::Context(parts) => CatchItem::Context(parts),
        })
    }
}

/// A call with something to know about it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct CallSite {
    /// Where the call returns to: an offset in bytes.
    pub return_offset: u32,
    /// Bytes of stack arguments that the callee takes off the stack.
    pub popped_bytes: u32,
    /// For a `try_call`, its handlers, in the order in which they are tried.
    pub items: Vec<CatchItem>,
}

/// A compiled function: position-independent bytes, and tables by offset. There is no pointer into the
/// compiler; object files, executables, in-process code and saved images are made from it.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct CompiledCode {
    /// Machine code, with literal pools and jump tables in it.
    pub bytes: Vec<u8>,
    /// The code must start at a multiple of this, in bytes.
    pub alignment: u32,
    /// What comes right in front of the code, wherever that goes: the word that the setting `function_header` asks for.
    /// No offset counts it.
    pub header: Vec<u8>,
    /// Where calls return to, by number: filled with the setting `return_address_data=index`.
    pub return_offsets: Vec<u32>,
    /// Offset in bytes at which callers in the same module enter: behind the instructions that find the module's table
    /// of contents, in ABIs that have such.
    pub local_entry: u32,
    /// Places that depend on symbols, by offset.
    pub relocs: Vec<Reloc>,
    /// Places that trap, by offset.
    pub traps: Vec<TrapSite>,
    /// Stretches of `bytes` that are data, by offset.
    pub data_ranges: Vec<Range<u32>>,
    /// Origins in the front end's source, by offset.
    pub source_ranges: Vec<SourceRange>,
    /// Origins in the function; filled only when the settings ask for listings.
    pub inst_ranges: Vec<InstRange>,
    /// Bytes of stack that the function takes, without its callees'.
    pub frame_size_bytes: u32,
    /// Where things are in the frame; `None` for code that says nothing about it.
    pub frame: Option<FrameLayout>,
    /// Calls that may throw to a handler here, and those whose callee takes arguments off the stack, by offset. All other
    /// calls leave the stack pointer where it was and catch nothing.
    pub call_sites: Vec<CallSite>,
    /// Sizes of every stage.
    pub stats: Stats,
}

/// Sizes of every stage of a compilation. Times are kept by whoever has a clock.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Stats {
    /// Instructions of the function.
    pub ir_insts: u32,
    /// Blocks of the function.
    pub ir_blocks: u32,
    /// Machine instructions that selection made.
    pub machine_insts: u32,
    /// Blocks of machine code, edge blocks included.
    pub machine_blocks: u32,
    /// Live intervals.
    pub intervals: u32,
    /// Splits of intervals.
    pub splits: u32,
    /// Stores to spill slots.
    pub spills: u32,
    /// Loads from spill slots.
    pub reloads: u32,
    /// Moves between registers that the allocator made.
    pub moves: u32,
    /// Values computed anew instead of reloaded.
    pub remats: u32,
    /// Bytes of spill slots.
    pub spill_bytes: u32,
    /// Bytes of code, pools included.
    pub code_bytes: u32,
    /// Words in literal pools.
    pub pool_words: u32,
    /// Veneers for branches out of reach.
    pub veneers: u32,
}

impl Stats {
    /// Every number with its name, in the order of the stages.
    pub fn rows(&self) -> [(&'static str, u32); 14] {
        [
            ("IR instructions", self.ir_insts),
            ("IR blocks", self.ir_blocks),
            ("machine instructions", self.machine_insts),
            ("machine blocks", self.machine_blocks),
            ("live intervals", self.intervals),
            ("splits", self.splits),
            ("spills", self.spills),
            ("reloads", self.reloads),
            ("moves", self.moves),
            ("rematerialized", self.remats),
            ("spill bytes", self.spill_bytes),
            ("code bytes", self.code_bytes),
            ("pool words", self.pool_words),
            ("veneers", self.veneers),
        ]
    }

    /// Adds another function's numbers.
    pub fn add(&mut self, other: &Stats) {
        self.ir_insts += other.ir_insts;
        self.ir_blocks += other.ir_blocks;
        self.machine_insts += other.machine_insts;
        self.machine_blocks += other.machine_blocks;
        self.intervals += other.intervals;
        self.splits += other.splits;
        self.spills += other.spills;
        self.reloads += other.reloads;
        self.moves += other.moves;
        self.remats += other.remats;
        self.spill_bytes += other.spill_bytes;
        self.code_bytes += other.code_bytes;
        self.pool_words += other.pool_words;
        self.veneers += other.veneers;
    }
}
