//! Machine code under construction: bytes, labels, branches to labels, literal pools, and the islands that keep
//! both in reach.
//!
//! **In:** instruction words, with fixups that name labels or pool constants. **Out:** bytes in which every
//! fixup is patched, and the tables of [`CompiledCode`].
//!
//! A fixup is a place in the code that depends on where a label is. Its kind says how far it reaches and how it
//! is patched. Fixups wait in a list; the earliest *deadline* among them, the last offset at which a target or a
//! replacement for it may stand, decides when an *island* must come: the pool's constants that somebody waits
//! for, and a *veneer*, a jump without limits, for each waiting branch whose target is not known or not in
//! reach. The emitter asks before each instruction ([`Buffer::prepare`]), naming the most that the instruction
//! may add, so that an island still fits when it comes. Within an instruction no island comes.
//!
//! Cost: the list is swept once an island and once at the end; with the usual reaches (32 MiB for ARM branches,
//! 4 KiB for its pool loads) that is linear in the size of the code.

use crate::compiled::{CallSite, CatchItem, InstRange, SourceRange, TrapSite};
use crate::reloc::{Reloc, RelocKind};
use crate::settings::{ReturnAddressData, RuntimeSettings};
use alloc::vec::Vec;
use core::ops::Range;
use windlass_ir::{ExternalName, Inst, SourceLoc, TrapCode};

/// A place in the code that may not be known yet. Labels below the number of blocks are those of the blocks.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Label(u32);

impl Label {
    /// The label with this index.
    pub const fn new(index: u32) -> Label {
        Label(index)
    }

    /// The index.
    pub const fn index(self) -> usize {
        self.0 as usize
    }
}

impl core::fmt::Display for Label {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "block{}", self.0)
    }
}

impl core::fmt::Debug for Label {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        core::fmt::Display::fmt(self, f)
    }
}

/// How a place depends on a label. Targets keep theirs in statics.
pub struct FixupKind {
    /// For dumps.
    pub name: &'static str,
    /// How far after the place a label may be, in bytes.
    pub max_forward: u32,
    /// How far before the place a label may be, in bytes.
    pub max_backward: u32,
    /// Writes the distance into `code[place..]`. Called only with distances in reach.
    pub patch: fn(code: &mut [u8], place: u32, target: u32),
    /// What may stand in for the target when it is out of reach. A kind without one must always reach, or wait
    /// for a constant, which comes to it.
    pub veneer: Option<&'static VeneerKind>,
}

/// A jump without limits.
pub struct VeneerKind {
    /// Bytes it takes.
    pub size_bytes: u32,
    /// Appends the jump to `code`; the result is the place to fix up and how.
    pub emit: fn(code: &mut Vec<u8>) -> (u32, &'static FixupKind),
    /// Bytes at its end that are data.
    pub data_bytes: u32,
}

/// What the buffer needs to know about a machine.
pub struct IslandInfo {
    /// Jumps over an island: bytes it takes, and how.
    pub jump_bytes: u32,
    /// Appends a jump; the result is the place to fix up and how.
    pub emit_jump: fn(code: &mut Vec<u8>) -> (u32, &'static FixupKind),
    /// No veneer is larger, in bytes.
    pub max_veneer_bytes: u32,
}

#[derive(Clone, Copy)]
struct Fixup {
    place: u32,
    label: Label,
    kind: &'static FixupKind,
}

/// Fixups that wait, and the first offset that is too late for one of them.
struct Waiting {
    list: Vec<Fixup>,
    deadline: u32,
}

impl Waiting {
    const fn new() -> Waiting {
        Waiting { list: Vec::new(), deadline: u32::MAX }
    }

    fn clear(&mut self) {
        self.list.clear();
        self.deadline = u32::MAX;
    }
}

/// The content of a constant in the pool.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum PoolEntry {
    /// Up to 8 bytes as they stand in memory.
    Bytes {
        /// The bytes, the first in the lowest byte of the number.
        bits: u64,
        /// How many: 4 or 8; also the alignment.
        size: u8,
    },
    /// A word, of zeros until it is relocated.
    Reloc {
        /// How.
        kind: RelocKind,
        /// The symbol.
        symbol: ExternalName,
        /// Added to its address.
        addend: i64,
    },
    /// A word, of zeros until it is relocated, that code adds to an address in itself.
    Distance {
        /// How. The kind takes the distance from the word.
        kind: RelocKind,
        /// The symbol.
        symbol: ExternalName,
        /// The distance that is wanted is from this offset in the code.
        from: u32,
    },
}

impl PoolEntry {
    fn size(&self) -> u32 {
        match self {
            PoolEntry::Bytes { size, .. } => (*size).into(),
            PoolEntry::Reloc { kind, .. } | PoolEntry::Distance { kind, .. } => kind.0.size_bytes.into(),
        }
    }
}

const UNBOUND: u32 = u32::MAX;

/// Machine code under construction.
pub struct Buffer {
    code: Vec<u8>,
    labels: Vec<u32>,
    /// Fixups without a veneer: they wait for the pool.
    loads: Waiting,
    /// Fixups with a veneer.
    branches: Waiting,
    /// Fixups that always reach.
    unlimited: Vec<Fixup>,
    pool: Vec<(PoolEntry, Label)>,
    pool_bytes: u32,
    relocs: Vec<Reloc>,
    traps: Vec<TrapSite>,
    data_ranges: Vec<Range<u32>>,
    source_ranges: Vec<SourceRange>,
    inst_ranges: Vec<InstRange>,
    call_sites: Vec<(u32, u32, Vec<CatchItem<Label>>)>,
    return_offsets: Vec<u32>,
    deferred_traps: Vec<(TrapCode, SourceLoc, Label)>,
    srcloc: (u32, SourceLoc),
    reach: u32,
    island: &'static IslandInfo,
    pool_words: u32,
    veneers: u32,
}

/// What the embedder wants in front of a call: see `docs/runtimes.md`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct BeforeCall {
    /// Bytes of instructions that do nothing, so that the return address is aligned.
    pub padding_bytes: u32,
    /// A word of data, which comes last, behind a jump over it.
    pub word: Option<u32>,
}

/// The most that one instruction may add.
#[derive(Clone, Copy, Debug)]
pub struct Room {
    /// Bytes.
    pub bytes: u32,
    /// Fixups with a limited reach.
    pub fixups: u32,
    /// Bytes of pool constants.
    pub pool_bytes: u32,
}

// An island is padded to the alignment of the largest constant.
const POOL_ALIGN: u32 = 8;

impl Buffer {
    /// An empty buffer with `num_blocks` labels, in the memory of an older one. `reach` shortens the reach of every
    /// fixup that has a veneer or waits for a constant (the stress setting).
    pub fn new(
        memory: Option<Buffer>,
        num_blocks: usize,
        island: &'static IslandInfo,
        reach: Option<u32>,
    ) -> Buffer {
        // Below this, islands would be needed for islands.
        let reach = reach.map_or(u32::MAX, |reach| reach.max(MIN_REACH_VENEERS * island.max_veneer_bytes));
        let mut buf = memory.unwrap_or_else(|| Buffer {
            code: Vec::new(),
            labels: Vec::new(),
            loads: Waiting::new(),
            branches: Waiting::new(),
            unlimited: Vec::new(),
            pool: Vec::new(),
            pool_bytes: 0,
            relocs: Vec::new(),
            traps: Vec::new(),
            data_ranges: Vec::new(),
            source_ranges: Vec::new(),
            inst_ranges: Vec::new(),
            call_sites: Vec::new(),
            return_offsets: Vec::new(),
            deferred_traps: Vec::new(),
            srcloc: (0, SourceLoc::NONE),
            reach,
            island,
            pool_words: 0,
            veneers: 0,
        });
        buf.code.clear();
        buf.labels.clear();
        buf.labels.resize(num_blocks, UNBOUND);
        buf.loads.clear();
        buf.branches.clear();
        buf.unlimited.clear();
        buf.pool.clear();
        buf.relocs.clear();
        buf.traps.clear();
        buf.data_ranges.clear();
        buf.source_ranges.clear();
        buf.inst_ranges.clear();
        buf.call_sites.clear();
        buf.return_offsets.clear();
        buf.deferred_traps.clear();
        Buffer {
            pool_bytes: 0,
            srcloc: (0, SourceLoc::NONE),
            reach,
            island,
            pool_words: 0,
            veneers: 0,
            ..buf
        }
    }

    /// Where the next byte goes.
    pub fn offset(&self) -> u32 {
        self.code.len() as u32
    }

    /// Appends a 32-bit word, its bytes in the order given.
    pub fn put4(&mut self, bytes: [u8; 4]) {
        self.code.extend_from_slice(&bytes);
    }

    /// Appends bytes that are data.
    pub fn put_data(&mut self, bytes: &[u8]) {
        let start = self.offset();
        self.code.extend_from_slice(bytes);
        self.mark_data(start..self.offset());
    }

    fn mark_data(&mut self, range: Range<u32>) {
        if range.is_empty() {
            return;
        }
        match self.data_ranges.last_mut() {
            Some(last) if last.end == range.start => last.end = range.end,
            _ => self.data_ranges.push(range),
        }
    }

    /// Is anything recorded as data at `offset`? Only the last range is looked at.
    pub fn ends_in_data(&self) -> bool {
        self.data_ranges.last().is_some_and(|last| last.end == self.offset())
    }

    // ----- Labels and fixups -----

    /// A label that is not anywhere yet.
    pub fn new_label(&mut self) -> Label {
        self.labels.push(UNBOUND);
        Label(self.labels.len() as u32 - 1)
    }

    /// Puts `label` here.
    pub fn bind(&mut self, label: Label) {
        debug_assert_eq!(self.labels[label.index()], UNBOUND, "{label} is bound twice");
        self.labels[label.index()] = self.offset();
    }

    /// Where `label` is, if it is known.
    pub fn label_offset(&self, label: Label) -> Option<u32> {
        match self.labels[label.index()] {
            UNBOUND => None,
            offset => Some(offset),
        }
    }

    fn reach_forward(&self, kind: &FixupKind) -> u32 {
        if kind.max_forward == u32::MAX { u32::MAX } else { kind.max_forward.min(self.reach) }
    }

    fn reach_backward(&self, kind: &FixupKind) -> u32 {
        if kind.max_backward == u32::MAX { u32::MAX } else { kind.max_backward.min(self.reach) }
    }

    /// The code at `place` depends on `label`.
    pub fn fixup(&mut self, place: u32, label: Label, kind: &'static FixupKind) {
        let fixup = Fixup { place, label, kind };
        if let Some(target) = self.label_offset(label)
            && self.in_reach(&fixup, target)
        {
            (kind.patch)(&mut self.code, place, target);
            return;
        }
        self.wait(fixup);
    }

    fn wait(&mut self, fixup: Fixup) {
        let reach = self.reach_forward(fixup.kind);
        if reach == u32::MAX {
            self.unlimited.push(fixup);
            return;
        }
        let deadline = fixup.place.saturating_add(reach);
        let waiting = if fixup.kind.veneer.is_some() { &mut self.branches } else { &mut self.loads };
        waiting.deadline = waiting.deadline.min(deadline);
        waiting.list.push(fixup);
    }

    fn in_reach(&self, fixup: &Fixup, target: u32) -> bool {
        if target >= fixup.place {
            target - fixup.place <= self.reach_forward(fixup.kind)
        } else {
            fixup.place - target <= self.reach_backward(fixup.kind)
        }
    }

    // ----- Pool -----

    /// A label where `entry` will be. Equal constants of one pool share their place.
    pub fn pool_constant(&mut self, entry: PoolEntry) -> Label {
        // Pools are small: the reach of their loads bounds how many constants can wait.
        if let Some((_, label)) = self.pool.iter().rev().find(|(other, _)| *other == entry) {
            return *label;
        }
        let label = self.new_label();
        self.pool_bytes += entry.size();
        self.pool.push((entry, label));
        label
    }

    // ----- Islands -----

    /// Makes sure that an instruction which adds at most `room` can follow: emits an island first if one must
    /// come now.
    pub fn prepare(&mut self, room: Room) {
        if self.branches_must_island(room) {
            self.sweep();
        }
        if self.loads_must_island(room) || self.branches_must_island(room) {
            self.emit_island(room, true);
        }
    }

    /// Here control does not come from above: a good place for the pool, if it will be wanted within the next
    /// `distance` bytes anyhow.
    pub fn prepare_at_gap(&mut self, distance: u32) {
        let room = Room { bytes: distance, fixups: 0, pool_bytes: 0 };
        if !self.pool.is_empty() && self.loads_must_island(room) {
            self.emit_island(Room { bytes: 0, fixups: 0, pool_bytes: 0 }, false);
        }
    }

    /// Where the pool would end if it came after `room`.
    fn pool_end(&self, room: Room) -> u32 {
        let island = self.island.jump_bytes + POOL_ALIGN * 2 + self.pool_bytes + room.pool_bytes;
        self.offset().saturating_add(room.bytes).saturating_add(island)
    }

    fn loads_must_island(&self, room: Room) -> bool {
        self.pool_end(room) > self.loads.deadline
    }

    fn branches_must_island(&self, room: Room) -> bool {
        let veneers =
            (self.branches.list.len() as u32 + room.fixups).saturating_mul(self.island.max_veneer_bytes);
        self.branches.deadline != u32::MAX
            && self.pool_end(room).saturating_add(veneers) > self.branches.deadline
    }

    /// Patches what is known and in reach, keeps the rest.
    fn sweep(&mut self) {
        for fixup in core::mem::replace(&mut self.loads, Waiting::new()).list {
            self.fixup(fixup.place, fixup.label, fixup.kind);
        }
        for fixup in core::mem::replace(&mut self.branches, Waiting::new()).list {
            self.fixup(fixup.place, fixup.label, fixup.kind);
        }
    }

    fn emit_island(&mut self, room: Room, jump_over: bool) {
        let after = jump_over.then(|| (self.island.emit_jump)(&mut self.code));
        self.emit_pool();
        let veneers_too = self.branches_must_island(room);
        for fixup in core::mem::replace(&mut self.loads, Waiting::new()).list {
            self.fixup(fixup.place, fixup.label, fixup.kind);
        }
        if veneers_too {
            self.emit_veneers(room);
        }
        if let Some((place, kind)) = after {
            // The jump over the island is short: its own reach always suffices.
            let here = self.offset();
            (kind.patch)(&mut self.code, place, here);
        }
    }

    /// Veneers for branches that do not reach their target, or might not by the time it is known: those whose
    /// deadline comes within a quarter of their reach, so that islands keep a distance.
    fn emit_veneers(&mut self, room: Room) {
        let fixups = core::mem::replace(&mut self.branches, Waiting::new()).list;
        let island = (fixups.len() as u32).saturating_mul(self.island.max_veneer_bytes);
        let soon = self.pool_end(room).saturating_add(island);
        for fixup in fixups {
            let target = self.label_offset(fixup.label);
            let reach = self.reach_forward(fixup.kind);
            let deadline = fixup.place.saturating_add(reach);
            match fixup.kind.veneer {
                Some(_) if target.is_some_and(|target| self.in_reach(&fixup, target)) => {
                    self.fixup(fixup.place, fixup.label, fixup.kind);
                }
                Some(veneer) if target.is_some() || deadline <= soon.saturating_add(reach / 4) => {
                    let here = self.offset();
                    let (place, kind) = (veneer.emit)(&mut self.code);
                    self.mark_data(self.offset() - veneer.data_bytes..self.offset());
                    (fixup.kind.patch)(&mut self.code, fixup.place, here);
                    self.veneers += 1;
                    self.fixup(place, fixup.label, kind);
                }
                _ => self.wait(fixup),
            }
        }
    }

    fn emit_pool(&mut self) {
        if self.pool.is_empty() {
            return;
        }
        let start = self.offset();
        let mut pool = core::mem::take(&mut self.pool);
        // The largest first: only the first needs padding.
        pool.sort_by_key(|(entry, _)| core::cmp::Reverse(entry.size()));
        let align = pool[0].0.size();
        while !self.offset().is_multiple_of(align) {
            self.code.push(0);
        }
        for (entry, label) in pool.drain(..) {
            self.bind(label);
            self.pool_words += entry.size() / 4;
            match entry {
                PoolEntry::Bytes { bits, size } => {
                    self.code.extend_from_slice(&bits.to_le_bytes()[..size.into()]);
                }
                PoolEntry::Distance { kind, symbol, from } => {
                    let place = self.offset();
                    self.reloc_at(place, kind, symbol, i64::from(place) - i64::from(from));
                    self.code.extend(core::iter::repeat_n(0, kind.0.size_bytes.into()));
                }
                PoolEntry::Reloc { kind, symbol, addend } => {
                    self.reloc_at(self.offset(), kind, symbol, addend);
                    self.code.extend(core::iter::repeat_n(0, kind.0.size_bytes.into()));
                }
            }
        }
        self.pool = pool;
        self.pool_bytes = 0;
        self.mark_data(start..self.offset());
    }

    // ----- Tables -----

    /// The code at `offset` depends on a symbol.
    pub fn reloc_at(&mut self, offset: u32, kind: RelocKind, symbol: ExternalName, addend: i64) {
        self.relocs.push(Reloc { offset, kind, symbol, addend });
    }

    /// The next instruction may trap.
    pub fn trap_here(&mut self, code: TrapCode) {
        self.traps.push(TrapSite { offset: self.offset(), code });
    }

    /// What a call of `call_bytes` bytes that comes next wants in front of it; `jump_bytes` is the size of a jump over data.
    /// A call with a number takes it now.
    pub fn before_call(
        &mut self,
        settings: &RuntimeSettings,
        call_bytes: u32,
        jump_bytes: u32,
    ) -> BeforeCall {
        let data_bytes = if settings.return_address_data.is_some() { jump_bytes + 4 } else { 0 };
        let returns = self.offset() + data_bytes + call_bytes;
        let padding_bytes = match settings.align_return_addresses {
            0 => 0,
            align => returns.next_multiple_of(align) - returns,
        };
        let returns = returns + padding_bytes;
        let word = settings.return_address_data.map(|data| match data {
            ReturnAddressData::Offset => returns,
            ReturnAddressData::Index => {
                self.return_offsets.push(returns);
                self.return_offsets.len() as u32 - 1
            }
        });
        BeforeCall { padding_bytes, word }
    }

    /// A call returns here, having taken `popped_bytes` off the stack; `items` is what happens if it throws. Calls about
    /// which there is nothing to say are not kept.
    pub fn call_returns_here(&mut self, popped_bytes: u32, items: Vec<CatchItem<Label>>) {
        if popped_bytes != 0 || !items.is_empty() {
            self.call_sites.push((self.offset(), popped_bytes, items));
        }
    }

    /// A label where, after the function's code, an instruction will trap with `code`. Traps of one code from one
    /// source location share it.
    pub fn deferred_trap(&mut self, code: TrapCode) -> Label {
        let loc = self.srcloc.1;
        let same = |&&(c, l, _): &&(TrapCode, SourceLoc, Label)| c == code && l == loc;
        // Look only at the newest: neighbours share, and the search takes constant time.
        if let Some(&(_, _, label)) = self.deferred_traps.iter().rev().take(8).find(same) {
            return label;
        }
        let label = self.new_label();
        self.deferred_traps.push((code, loc, label));
        label
    }

    /// The traps promised by [`deferred_trap`](Self::deferred_trap), to be emitted after the last block.
    pub fn take_deferred_traps(&mut self) -> Vec<(TrapCode, SourceLoc, Label)> {
        core::mem::take(&mut self.deferred_traps)
    }

    /// What follows comes from `loc`.
    pub fn set_srcloc(&mut self, loc: SourceLoc) {
        let (start, old) = self.srcloc;
        if old == loc {
            return;
        }
        let end = self.offset();
        if !old.is_none() && end > start {
            match self.source_ranges.last_mut() {
                Some(last) if last.loc == old && last.code.end == start => last.code.end = end,
                _ => self.source_ranges.push(SourceRange { code: start..end, loc: old }),
            }
        }
        self.srcloc = (end, loc);
    }

    /// The code from `start` to here comes from `inst`.
    pub fn inst_range(&mut self, start: u32, inst: Inst) {
        let end = self.offset();
        if start == end {
            return;
        }
        match self.inst_ranges.last_mut() {
            Some(last) if last.inst == inst && last.code.end == start => last.code.end = end,
            _ => self.inst_ranges.push(InstRange { code: start..end, inst }),
        }
    }

    /// Emits the last pool and patches everything. The error is a bug: a fixup that cannot reach.
    pub fn finish(&mut self) -> Result<Finished, &'static str> {
        self.set_srcloc(SourceLoc::NONE);
        self.emit_pool();
        let none = Room { bytes: 0, fixups: 0, pool_bytes: 0 };
        self.sweep();
        // A veneer may be a branch that wants one itself.
        for _ in 0..MAX_VENEER_CHAIN {
            self.emit_veneers(none);
            self.sweep();
        }
        for fixup in core::mem::take(&mut self.unlimited) {
            self.fixup(fixup.place, fixup.label, fixup.kind);
        }
        let mut waiting = self.loads.list.iter().chain(&self.branches.list).chain(&self.unlimited);
        if let Some(fixup) = waiting.next() {
            return Err(match self.label_offset(fixup.label) {
                None => "a label is used and never bound",
                Some(_) => "a branch does not reach its veneer",
            });
        }
        if self.code.len() as u64 >= u64::from(UNBOUND) {
            return Err("the code is larger than 4 GiB");
        }
        self.relocs.sort_by_key(|reloc| reloc.offset);
        let mut call_sites = Vec::with_capacity(self.call_sites.len());
        for (return_offset, popped_bytes, items) in core::mem::take(&mut self.call_sites) {
            let mut placed = Vec::with_capacity(items.len());
            for item in items {
                placed.push(item.map(|label| self.label_offset(label)).ok_or("a handler is never bound")?);
            }
            call_sites.push(CallSite { return_offset, popped_bytes, items: placed });
        }
        Ok(Finished {
            bytes: self.code.clone(),
            relocs: self.relocs.drain(..).collect(),
            traps: self.traps.clone(),
            data_ranges: self.data_ranges.clone(),
            source_ranges: self.source_ranges.clone(),
            inst_ranges: self.inst_ranges.clone(),
            call_sites,
            return_offsets: core::mem::take(&mut self.return_offsets),
            pool_words: self.pool_words,
            veneers: self.veneers,
        })
    }
}

/// Veneers of branches are branches without limits, or branches whose veneers are.
const MAX_VENEER_CHAIN: u32 = 2;

/// The least reach that the stress setting can ask for: so many of the largest veneers.
const MIN_REACH_VENEERS: u32 = 64;

/// Machine code with everything in place.
pub struct Finished {
    /// The code.
    pub bytes: Vec<u8>,
    /// By offset.
    pub relocs: Vec<Reloc>,
    /// By offset.
    pub traps: Vec<TrapSite>,
    /// By offset.
    pub data_ranges: Vec<Range<u32>>,
    /// By offset.
    pub source_ranges: Vec<SourceRange>,
    /// By offset.
    pub inst_ranges: Vec<InstRange>,
    /// By offset.
    pub call_sites: Vec<CallSite>,
    /// Where calls with a number return to, by number.
    pub return_offsets: Vec<u32>,
    /// Words in pools.
    pub pool_words: u32,
    /// Veneers.
    pub veneers: u32,
}
