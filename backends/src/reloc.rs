//! Relocations: places in code that depend on where something else will be.
//!
//! The kinds are data of the target that makes them: a name, the number that ELF gives it, and how to apply
//! it. Everything that consumes code (object file, executable, in-process code, saved image) works with any
//! target's kinds.

use core::fmt;
use windlass_ir::{Endianness, ExternalName};

/// The numbers of a relocation, in the words of the ELF specification.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct RelocValues {
    /// S: the address of the symbol.
    pub symbol: u64,
    /// A: the addend.
    pub addend: i64,
    /// P: the address of the place.
    pub place: u64,
    /// `.TOC.`: the base of the table of contents, 0 in ABIs without one.
    pub toc: u64,
    /// Byte order of the code and of its data.
    pub endianness: Endianness,
}

impl RelocValues {
    /// S + A, modulo 2^64.
    pub const fn absolute(self) -> u64 {
        self.symbol.wrapping_add_signed(self.addend)
    }

    /// S + A - P, as a signed distance.
    pub const fn relative(self) -> i64 {
        self.absolute().wrapping_sub(self.place) as i64
    }

    /// S + A - `.TOC.`, as a signed distance.
    pub const fn from_toc(self) -> i64 {
        self.absolute().wrapping_sub(self.toc) as i64
    }
}

/// Which address a relocation takes of its symbol. Where a symbol is nothing but an address, they are all that one, but
/// for [`GotSlot`](SymbolAddress::GotSlot) and what is of thread-local data.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum SymbolAddress {
    /// The one that programs see: a function's descriptor if there are descriptors, its entry if not.
    Own,
    /// The entry for callers in the same module.
    LocalEntry,
    /// The first byte of a function's code.
    Code,
    /// A word that holds the symbol's own address, which the linker makes.
    GotSlot,
    /// None, but the distance of a thread-local datum from the thread pointer.
    ThreadOffset,
    /// The pair of words that tells `__tls_get_addr` which thread-local datum, and which the linker makes.
    ThreadIndex,
}

impl SymbolAddress {
    /// Is it of thread-local data?
    pub const fn is_thread_local(self) -> bool {
        matches!(self, SymbolAddress::ThreadOffset | SymbolAddress::ThreadIndex)
    }
}

/// A relocation kind. Targets keep theirs in a table of statics.
pub struct RelocDef {
    /// The name in the ELF supplement, `R_ARM_CALL`.
    pub name: &'static str,
    /// The number in the ELF supplement.
    pub elf_type: u32,
    /// Bytes at the place that it changes.
    pub size_bytes: u8,
    /// A branch that a veneer may serve when the symbol is out of reach.
    pub is_branch: bool,
    /// What S is.
    pub symbol: SymbolAddress,
    /// Writes to the place, `size_bytes` bytes as the code has them with a zero addend. False if the value does
    /// not fit.
    pub apply: fn(place: &mut [u8], values: RelocValues) -> bool,
    /// Writes the addend alone to the place, as REL-type objects keep it. False if it does not fit.
    pub apply_addend: fn(place: &mut [u8], addend: i64) -> bool,
}

/// A relocation kind by reference; kinds are equal if they are the same row.
#[derive(Clone, Copy)]
pub struct RelocKind(pub &'static RelocDef);

impl PartialEq for RelocKind {
    fn eq(&self, other: &RelocKind) -> bool {
        core::ptr::eq(self.0, other.0)
    }
}

impl Eq for RelocKind {}

impl fmt::Debug for RelocKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0.name)
    }
}

impl fmt::Display for RelocKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0.name)
    }
}

/// A place in a function's code that depends on a symbol.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Reloc {
    /// Offset of the place from the start of the code, in bytes.
    pub offset: u32,
    /// What to do there.
    pub kind: RelocKind,
    /// The symbol.
    pub symbol: ExternalName,
    /// Added to the symbol's address.
    pub addend: i64,
}
