//! A linked module: its segments and symbols, and the way back from an address.

use super::Linkage;
use crate::compiled::TrapSite;
use alloc::vec::Vec;
use core::ops::Range;
use hashbrown::HashMap;
use windlass_ir::{ExternalName, TrapCode};

/// What may be done with a segment.
#[derive(Clone, Copy, PartialEq, Eq, Debug, PartialOrd, Ord)]
pub enum SegmentKind {
    /// Read and executed.
    Code,
    /// Read.
    ReadOnly,
    /// Read: what threads' own data hold at first.
    ThreadData,
    /// Threads' own data that are zeros at first, behind the others. It is nowhere in memory.
    ThreadZeros,
    /// Read and written.
    Writable,
    /// Read and written, zeros at first; no bytes are kept.
    Zeros,
}

impl SegmentKind {
    /// How many there are.
    pub(crate) const COUNT: usize = 6;

    pub(super) const ALL: [SegmentKind; SegmentKind::COUNT] = [
        SegmentKind::Code,
        SegmentKind::ReadOnly,
        SegmentKind::ThreadData,
        SegmentKind::ThreadZeros,
        SegmentKind::Writable,
        SegmentKind::Zeros,
    ];
}

/// A stretch of memory with one protection.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Segment {
    /// What may be done with it.
    pub kind: SegmentKind,
    /// Where it starts, a multiple of the page size.
    pub address: u64,
    /// What it holds at first; empty for [`SegmentKind::Zeros`] and [`SegmentKind::ThreadZeros`].
    pub bytes: Vec<u8>,
    /// Its size in memory, in bytes.
    pub size: u64,
    /// The largest alignment of anything in it, in bytes.
    pub alignment: u64,
}

/// A symbol of an image.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ImageSymbol {
    /// Its name.
    pub name: ExternalName,
    /// Where it is.
    pub address: u64,
    /// The address that programs know it by: a function's descriptor, if there are descriptors.
    pub own_address: u64,
    /// Its size in bytes.
    pub size: u64,
    /// Offset of a function's entry for callers in the same module, in bytes.
    pub local_entry: u32,
    /// The segment that it is in; `None` for a thing outside of the image.
    pub kind: Option<SegmentKind>,
    /// Who may refer to it.
    pub linkage: Linkage,
    /// In a function: the stretches that are data, by offset, in order.
    pub data_ranges: Vec<Range<u32>>,
    /// In a function: the places that trap, by offset, in order.
    pub(super) traps: Vec<TrapSite>,
}

/// A linked module.
#[derive(Clone, Debug)]
pub struct Image {
    pub(super) segments: Vec<Segment>,
    pub(super) symbols: Vec<ImageSymbol>,
    pub(super) veneers: Vec<ImageSymbol>,
    pub(super) names: HashMap<ExternalName, u32>,
    /// How many of the symbols, from the first, are functions.
    pub(super) functions: usize,
}

impl Image {
    /// The segments that are not empty, by address.
    pub fn segments(&self) -> &[Segment] {
        &self.segments
    }

    /// The functions, then the data, then what is outside; each in the order of addition.
    pub fn symbols(&self) -> &[ImageSymbol] {
        &self.symbols
    }

    /// The veneers that the linker put between functions, by address, under names as linkers give them. Several may
    /// have the same.
    pub fn veneers(&self) -> &[ImageSymbol] {
        &self.veneers
    }

    /// The symbol with this name.
    pub fn symbol(&self, name: &ExternalName) -> Option<&ImageSymbol> {
        self.names.get(name).map(|&i| &self.symbols[i as usize])
    }

    /// The address that programs know the symbol with this name by.
    pub fn address_of(&self, name: &ExternalName) -> Option<u64> {
        self.symbol(name).map(|symbol| symbol.own_address)
    }

    /// The function that has this address in its code, and the offset in bytes.
    pub fn function_at(&self, address: u64) -> Option<(&ImageSymbol, u32)> {
        let functions = &self.symbols[..self.functions];
        let next = functions.partition_point(|function| function.address <= address);
        let function = functions[..next].last()?;
        let offset = address - function.address;
        (offset < function.size).then_some((function, offset as u32))
    }

    /// Why the instruction at this address traps, if it is one that does.
    pub fn trap_at(&self, address: u64) -> Option<TrapCode> {
        let (function, offset) = self.function_at(address)?;
        let at = function.traps.binary_search_by_key(&offset, |trap| trap.offset).ok()?;
        Some(function.traps[at].code)
    }
}
