//! Thread-local data of an image.
//!
//! The image has a template: what a thread's data hold when it starts. It is [`SegmentKind::ThreadData`], which is
//! loaded, and [`SegmentKind::ThreadZeros`] behind it, which is nowhere in memory. Of the program's first thread it has
//! the block itself, among the zeros; a program starts by filling it and setting the thread pointer
//! ([`Startup::threads`](crate::target::Startup::threads)), for which it is told where things are:
//!
//! | symbol | is the address of |
//! |---|---|
//! | `__windlass_tls_template` | the template |
//! | `__windlass_tls_template_end` | the end of those of its bytes that are in memory |
//! | `__windlass_tls_data` | the first thread's data |
//! | `__windlass_tls_pointer` | what the first thread's pointer points at |
//!
//! The offset of a datum from the thread pointer is the same in every thread ("Handling of Thread-Local Storage",
//! Drepper, variant I: the data stand behind the header that the pointer leads to). An *index* is a pair of words, for
//! `__tls_get_addr`: the module, which is always 1, and that offset, since one module is all there is.

use super::{LinkOptions, Plan, Segment, SegmentKind, align_up};
use crate::link::Module;
use crate::reloc::SymbolAddress;
use alloc::vec::Vec;
use hashbrown::HashMap;
use windlass_ir::{Endianness, ExternalName};

/// Where thread-local data are.
#[derive(Default)]
pub(super) struct Threads {
    /// The address of the template.
    start: u64,
    /// From a thread's data to what its pointer points at, in bytes; it wraps around.
    pointer: u64,
    /// The first thread's header: at first its offset among the zeros, then its address.
    block: u64,
    /// From a thread's header to its data, in bytes.
    header: u64,
    /// The symbols that have indices.
    indexed: Vec<ExternalName>,
    /// Their places.
    indices: HashMap<ExternalName, u32>,
    /// Bytes of a word.
    word: u64,
    /// The address of the first index; at first its offset in the read-only segment.
    indices_start: u64,
}

impl SegmentKind {
    /// Is it of data that every thread has for itself?
    pub const fn is_thread_local(self) -> bool {
        matches!(self, SegmentKind::ThreadData | SegmentKind::ThreadZeros)
    }
}

impl Plan {
    /// The largest alignment of thread-local data, and the bytes that they take, in a thread.
    fn thread_extent(&self) -> (u64, u64) {
        let data = self.segments[SegmentKind::ThreadData as usize];
        let zeros = self.segments[SegmentKind::ThreadZeros as usize];
        (data.2.max(zeros.2), align_up(data.1, zeros.2).saturating_add(zeros.1))
    }

    /// Makes room for indices and for the first thread's block, once everything else has its place.
    pub(super) fn place_threads(&mut self, module: &Module, options: &LinkOptions) {
        for reloc in module.functions.iter().flat_map(|function| &function.code.relocs) {
            let threads = &mut self.threads;
            if reloc.kind.0.symbol == SymbolAddress::ThreadIndex
                && !threads.indices.contains_key(&reloc.symbol)
            {
                threads.indices.insert(reloc.symbol.clone(), threads.indexed.len() as u32);
                threads.indexed.push(reloc.symbol.clone());
            }
        }
        let word = u64::from(options.threads.word_bytes);
        self.threads.word = word;
        if !self.threads.indexed.is_empty() {
            let segment = &mut self.segments[SegmentKind::ReadOnly as usize];
            self.threads.indices_start = align_up(segment.1, word);
            segment.1 = self.threads.indices_start + self.threads.indexed.len() as u64 * 2 * word;
            segment.2 = segment.2.max(word);
        }
        if !module.has_thread_locals() {
            return;
        }
        let (alignment, size) = self.thread_extent();
        let alignment = alignment.max(word);
        self.threads.header = align_up(options.threads.header_bytes.into(), alignment);
        let bias = u64::from(options.threads.pointer_bias);
        self.threads.pointer = bias.wrapping_sub(self.threads.header);
        let zeros = &mut self.segments[SegmentKind::Zeros as usize];
        self.threads.block = align_up(zeros.1, alignment);
        zeros.1 = self.threads.block.saturating_add(self.threads.header).saturating_add(size);
        zeros.2 = zeros.2.max(alignment);
    }

    /// Offsets become addresses.
    pub(super) fn settle_threads(&mut self, module: &Module) {
        let segment = |kind: SegmentKind| self.segments[kind as usize];
        self.threads.start = segment(SegmentKind::ThreadData).0;
        let read_only = segment(SegmentKind::ReadOnly).0;
        self.threads.indices_start = self.threads.indices_start.saturating_add(read_only);
        if !module.has_thread_locals() {
            return;
        }
        let block = self.threads.block.saturating_add(segment(SegmentKind::Zeros).0);
        let end = self.threads.start.saturating_add(segment(SegmentKind::ThreadData).1);
        let data = block.saturating_add(self.threads.header);
        self.threads.block = block;
        for (name, address) in [
            ("__windlass_tls_template", self.threads.start),
            ("__windlass_tls_template_end", end),
            ("__windlass_tls_data", data),
            ("__windlass_tls_pointer", data.wrapping_add(self.threads.pointer)),
        ] {
            self.add_absolute(&ExternalName::symbol(name), address);
        }
    }

    /// From the thread pointer to the datum with this place in the template, in bytes; it wraps around.
    pub(super) fn thread_offset(&self, address: u64) -> u64 {
        address.wrapping_sub(self.threads.start).wrapping_sub(self.threads.pointer)
    }

    /// The address of the index of a symbol.
    pub(super) fn thread_index(&self, name: &ExternalName) -> u64 {
        let place = self.threads.indices.get(name).copied().unwrap_or_default();
        self.threads.indices_start + u64::from(place) * 2 * self.threads.word
    }

    /// Writes the indices.
    pub(super) fn fill_indices(
        &self,
        segment: &mut Segment,
        names: &HashMap<ExternalName, u32>,
        options: &LinkOptions,
    ) {
        let word = self.threads.word as usize;
        for name in &self.threads.indexed {
            let Some(&symbol) = names.get(name) else { continue };
            let offset = self.thread_offset(self.symbols[symbol as usize].address);
            let at = (self.thread_index(name) - segment.address) as usize;
            for (value, at) in [(1, at), (offset, at + word)] {
                let place = &mut segment.bytes[at..at + word];
                match options.endianness {
                    Endianness::Little => place.copy_from_slice(&value.to_le_bytes()[..word]),
                    Endianness::Big => place.copy_from_slice(&value.to_be_bytes()[8 - word..]),
                }
            }
        }
    }
}
