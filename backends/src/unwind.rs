//! Unwinding without DWARF: exceptions for programs that bring no unwinder of their own.
//!
//! In: a [`Module`], whose functions say where their frames keep return addresses
//! ([`FrameLayout`](crate::compiled::FrameLayout)) and which calls catch what ([`CallSite`](crate::compiled::CallSite)).
//! Out: a read-only datum, [`TABLE`], that the run-time library searches when a program calls one of
//!
//! - `%__windlass_throw(tag: i32, exn0, exn1)`
//! - `%__windlass_throw_in(tag: i32, exn0, exn1, context)`
//!
//! in the C convention, all other arguments address-sized. Neither returns: control goes on in the innermost handler that
//! catches the exception. One that nothing catches traps with [`UNCAUGHT`]. The interpreter knows both routines.
//! [`builtins::link_missing`](crate::builtins::link_missing) adds them and the table where a module refers to them. All of
//! it can be replaced: a run time with an unwinder of its own uses the same tables of the compiled code.
//!
//! **Walking.** Let *S* be the stack pointer right behind a call, which returns to *R*. If the call site pops *p* bytes, the
//! frame's stack pointer is *F* = *S* − *p*. If no item of the site catches the exception, the function itself returns to
//! the word at *F* + `return_address_offset`, and behind that call the stack pointer is *F* + `size_bytes` + `popped_bytes`.
//!
//! **Resuming.** Set the stack pointer to *F*, the two payload registers to `exn0` and `exn1`, and jump to the handler's
//! offset. Nothing else needs to be as it was: the handler takes everything from its frame, and restores at its return
//! what its own caller wants restored. Of a context's value, the frame has the parts at *F* + their offsets.
//!
//! **The table**, all words address-sized, offsets in bytes:
//!
//! ```text
//! %__windlass_unwind:  number of functions, and of each, by address:
//!     address, size, size_bytes + popped_bytes, return_address_offset, address of its first site, number of sites
//! sites, by offset:    return offset in the function, popped bytes, address of its first item, number of items
//! items, in order:     0, tag, handler's offset   |   1, 0, handler's offset   |   2, offset in the frame, 0
//! ```
//!
//! The functions are those that the module has when the table is made, in its order, which is that of their addresses.
//! A context is compared as one word: values of contexts should have the size of addresses.

use crate::compiled::CatchItem;
use crate::link::{DataContents, DataDef, Linkage, Module};
use crate::reloc::{Reloc, RelocKind};
use crate::target::Target;
use alloc::vec::Vec;
use windlass_ir::{Endianness, ExternalName, TrapCode};

/// The table's symbol.
pub const TABLE: &str = "__windlass_unwind";

/// The trap of an exception that nothing catches.
pub const UNCAUGHT: TrapCode = match TrapCode::user(250) {
    Some(code) => code,
    None => TrapCode::HEAP_OUT_OF_BOUNDS,
};

/// Address-sized words and addresses of symbols.
struct Words {
    bytes: Vec<u8>,
    relocs: Vec<Reloc>,
    size: usize,
    endianness: Endianness,
    address: RelocKind,
}

impl Words {
    fn number(&mut self, value: u32) {
        let value = u64::from(value);
        match self.endianness {
            Endianness::Little => self.bytes.extend_from_slice(&value.to_le_bytes()[..self.size]),
            Endianness::Big => self.bytes.extend_from_slice(&value.to_be_bytes()[8 - self.size..]),
        }
    }

    fn address(&mut self, symbol: ExternalName, addend: u64) {
        self.reloc(self.address, symbol, addend as i64);
    }

    fn reloc(&mut self, kind: RelocKind, symbol: ExternalName, addend: i64) {
        let offset = self.bytes.len() as u32;
        self.relocs.push(Reloc { offset, kind, symbol, addend });
        self.number(0);
    }
}

/// Adds the table of all functions of `module`.
pub fn add_table(module: &mut Module, target: &dyn Target) {
    let functions: Vec<_> = module
        .functions()
        .iter()
        .filter_map(|function| {
            let frame = function.code.frame?;
            Some((function, frame, frame.return_address_offset?))
        })
        .collect();
    let mut words = Words {
        bytes: Vec::new(),
        relocs: Vec::new(),
        size: target.address_type().bytes() as usize,
        endianness: target.endianness(),
        address: target.elf().address_reloc,
    };
    let table = ExternalName::symbol(TABLE);
    let size = words.size as u64;
    // The sites come behind all functions, the items behind all sites.
    let mut site = size * (1 + 6 * functions.len() as u64);
    let sites = functions.iter().map(|(function, ..)| function.code.call_sites.len() as u64).sum::<u64>();
    let mut item = site + size * 4 * sites;
    words.number(functions.len() as u32);
    for (function, frame, return_address) in &functions {
        let count = function.code.call_sites.len();
        words.reloc(target.elf().code_address_reloc, function.name.clone(), 0);
        words.number(function.code.bytes.len() as u32);
        words.number(frame.size_bytes + frame.popped_bytes);
        words.number(*return_address);
        words.address(table.clone(), site);
        words.number(count as u32);
        site += size * 4 * count as u64;
    }
    for call in functions.iter().flat_map(|(function, ..)| &function.code.call_sites) {
        words.number(call.return_offset);
        words.number(call.popped_bytes);
        words.address(table.clone(), item);
        words.number(call.items.len() as u32);
        item += size * 3 * call.items.len() as u64;
    }
    let sites = functions.iter().flat_map(|(function, ..)| &function.code.call_sites);
    for catch in sites.flat_map(|site| &site.items) {
        let row = match catch {
            CatchItem::Tag(tag, offset) => [0, tag.as_u32(), *offset],
            CatchItem::Default(offset) => [1, 0, *offset],
            CatchItem::Context(parts) => [2, parts.first().copied().unwrap_or(0), 0],
        };
        row.into_iter().for_each(|word| words.number(word));
    }
    module.add_data(DataDef {
        name: table,
        contents: DataContents::Bytes(words.bytes),
        alignment: size as u32,
        writable: false,
        thread_local: false,
        relocs: words.relocs,
        linkage: Linkage::Local,
    });
}
