//! Spill slots.
//!
//! Requires: all pieces placed. Leaves: a slot for every value that needs one, and the size of the spill area.
//!
//! A slot holds its value from the definition to the end of the value's life, so the live ranges decide who can share.
//! Values of the same size and alignment share a pool: they are taken in the order of their beginning, and get the slot
//! whose holders ended first (coloring of interval graphs, greedy). Parameters and their arguments try to get the same
//! slot, with an exact test of the ranges, because then nothing has to be moved along the edge.
//!
//! Cost: n log n for n spilled values.

use crate::SpillSlot;
use crate::intervals::{Intervals, Span};
use crate::live::Live;
use crate::operand::VReg;
use crate::regs::{RegClass, RegFile};
use alloc::collections::BinaryHeap;
use alloc::vec::Vec;
use core::cmp::Reverse;

/// With more holders than this, a slot is not asked for an exact fit any more.
const MAX_EXACT: usize = 8;

struct Slot {
    pool: u32,
    /// Where the last holder ends.
    end: u32,
    holders: Vec<u32>,
}

struct Pool {
    size: u32,
    align: u32,
    /// Slots by the position where they are free.
    free: BinaryHeap<Reverse<(u32, u32)>>,
}

/// Memory of the phase.
#[derive(Default)]
pub(crate) struct Slots {
    order: Vec<(u32, u32)>,
    pools: Vec<Pool>,
    slots: Vec<Slot>,
    /// For each set of friends, the slot that one of them got last.
    hint: Vec<u32>,
    slot_of: Vec<u32>,
    offset: Vec<u32>,
    /// Slots that break cycles, by class.
    temps: Vec<(u8, SpillSlot)>,
    pub(crate) size_bytes: u32,
    pub(crate) align_bytes: u32,
}

const NO_SLOT: u32 = u32::MAX;

impl Slots {
    pub(crate) fn run(&mut self, regs: &RegFile, iv: &Intervals, live: &mut Live, dummy: bool) {
        self.order.clear();
        self.pools.clear();
        self.slots.clear();
        self.temps.clear();
        self.hint.clear();
        self.hint.resize(iv.values.len(), NO_SLOT);
        self.slot_of.clear();
        self.slot_of.resize(iv.values.len(), NO_SLOT);
        for (v, value) in iv.values.iter().enumerate() {
            if value.stored || value.spilled && !value.remat {
                self.order.push((iv.spans[value.r0 as usize].from, v as u32));
            }
        }
        self.order.sort_unstable();
        for n in 0..self.order.len() {
            let v = self.order[n].1;
            self.choose(regs, iv, live, v);
        }
        self.lay_out();
        if dummy {
            let largest = regs.classes.iter().map(|c| (c.spill_size, c.spill_align));
            for (size, align) in largest {
                self.size_bytes = self.size_bytes.max(size);
                self.align_bytes = self.align_bytes.max(align);
            }
        }
    }

    fn choose(&mut self, regs: &RegFile, iv: &Intervals, live: &mut Live, v: u32) {
        let value = &iv.values[v as usize];
        let class = &regs.classes[value.class as usize];
        let spans = iv.spans_of(VReg::from_u32(v));
        let (from, to) = (spans[0].from, spans[spans.len() - 1].to);
        let pool = self.pools.iter().position(|p| (p.size, p.align) == (class.spill_size, class.spill_align));
        let pool = pool.unwrap_or_else(|| {
            self.pools.push(Pool {
                size: class.spill_size,
                align: class.spill_align,
                free: BinaryHeap::new(),
            });
            self.pools.len() - 1
        });
        let root = live.friend(v) as usize;
        let hint = self.hint[root];
        let slot =
            if hint != NO_SLOT && self.slots[hint as usize].pool == pool as u32 && self.fits(iv, hint, spans)
            {
                hint
            } else {
                self.take_free(pool, from)
            };
        self.hint[root] = slot;
        self.slot_of[v as usize] = slot;
        let s = &mut self.slots[slot as usize];
        s.holders.push(v);
        if to > s.end || s.holders.len() == 1 {
            s.end = to;
            self.pools[pool].free.push(Reverse((to, slot)));
        }
    }

    /// Whether no holder of the slot lives where these ranges are.
    fn fits(&self, iv: &Intervals, slot: u32, spans: &[Span]) -> bool {
        let s = &self.slots[slot as usize];
        s.end <= spans[0].from
            || s.holders.len() <= MAX_EXACT
                && s.holders.iter().all(|&h| disjoint(iv.spans_of(VReg::from_u32(h)), spans))
    }

    fn take_free(&mut self, pool: usize, from: u32) -> u32 {
        while let Some(&Reverse((end, slot))) = self.pools[pool].free.peek() {
            if end > from {
                break;
            }
            self.pools[pool].free.pop();
            // An entry is out of date if the slot was taken again since; then there is a later one.
            if self.slots[slot as usize].end == end {
                self.slots[slot as usize].holders.clear();
                return slot;
            }
        }
        self.slots.push(Slot { pool: pool as u32, end: 0, holders: Vec::new() });
        self.slots.len() as u32 - 1
    }

    /// Gives slots their offsets: pools with large alignment first, so that nothing is lost in between.
    fn lay_out(&mut self) {
        let mut order: Vec<usize> = (0..self.pools.len()).collect();
        order.sort_by_key(|&p| Reverse((self.pools[p].align, self.pools[p].size)));
        self.offset.clear();
        self.offset.resize(self.slots.len(), 0);
        let mut starts = alloc::vec![0u32; self.pools.len()];
        let mut counts = alloc::vec![0u32; self.pools.len()];
        self.slots.iter().for_each(|s| counts[s.pool as usize] += 1);
        self.size_bytes = 0;
        self.align_bytes = 1;
        for p in order {
            let pool = &self.pools[p];
            self.align_bytes = self.align_bytes.max(pool.align);
            let start = self.size_bytes.next_multiple_of(pool.align);
            starts[p] = start;
            self.size_bytes = start + counts[p] * stride(pool.size, pool.align);
        }
        for (n, slot) in self.slots.iter().enumerate() {
            let pool = &self.pools[slot.pool as usize];
            let start = &mut starts[slot.pool as usize];
            self.offset[n] = *start;
            *start += stride(pool.size, pool.align);
        }
    }

    /// The value's slot.
    pub(crate) fn slot_of(&self, v: u32) -> Option<SpillSlot> {
        let slot = *self.slot_of.get(v as usize)?;
        self.offset.get(slot as usize).map(|&o| SpillSlot::new(o))
    }

    /// The `n`th slot of a class that values never use: to break cycles of moves.
    pub(crate) fn temp(&mut self, regs: &RegFile, class: RegClass, n: usize) -> SpillSlot {
        let class = class.index() as u8;
        let known = self.temps.iter().filter(|t| t.0 == class).nth(n);
        if let Some(&(_, slot)) = known {
            return slot;
        }
        let def = &regs.classes[class as usize];
        let offset = self.size_bytes.next_multiple_of(def.spill_align);
        self.size_bytes = offset + def.spill_size;
        self.align_bytes = self.align_bytes.max(def.spill_align);
        let slot = SpillSlot::new(offset);
        self.temps.push((class, slot));
        slot
    }
}

fn stride(size: u32, align: u32) -> u32 {
    size.next_multiple_of(align)
}

fn disjoint(a: &[Span], b: &[Span]) -> bool {
    let (mut i, mut j) = (0, 0);
    while i < a.len() && j < b.len() {
        if a[i].to <= b[j].from {
            i += 1;
        } else if b[j].to <= a[i].from {
            j += 1;
        } else {
            return false;
        }
    }
    true
}
