//! Parallel moves: many moves that happen at once, as moves one after the other.
//!
//! In: moves between locations, with no two destinations overlapping. Out: an equivalent sequence.
//!
//! A move is ready when its destination overlaps no source of another pending move. Ready ones are emitted until none is
//! left; what remains are cycles (possibly joined by registers that overlap in part), and one source is put aside to
//! a temporary to go on. Overlap is a matter of units only. Computing a value anew reads no location, so it comes last and
//! blocks nothing. A value that goes from one slot to several registers is loaded once.
//!
//! The temporary is the class's scratch register as long as every move that is still to come is between registers, else a
//! stack slot: a target may need its scratch register to reach a slot.
//!
//! Cost: n log n for n moves.

use crate::operand::Inst;
use crate::regs::{PReg, RegClass, RegFile, UnitSet};
use crate::{Allocation, Edit, SpillSlot};
use alloc::vec::Vec;

/// Where a moved value comes from.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) enum Source {
    /// A register or slot.
    Place(Allocation),
    /// The instruction that computes it.
    Remat(Inst),
}

/// One of several moves that happen at once.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) struct Move {
    pub(crate) to: Allocation,
    pub(crate) from: Source,
    pub(crate) class: RegClass,
}

/// Memory of the resolver.
#[derive(Default)]
pub(crate) struct Resolver {
    pending: Vec<Move>,
    done: Vec<bool>,
    last: Vec<Move>,
    /// For each unit, how many pending moves read it, and the pending move that writes it.
    readers: Vec<u32>,
    writer: Vec<u32>,
    /// The same for slots, sorted by slot.
    slot_readers: Vec<(SpillSlot, u32)>,
    slot_writers: Vec<(SpillSlot, u32)>,
    ready: Vec<u32>,
}

const NOBODY: u32 = u32::MAX;

impl Resolver {
    /// Appends to `out` a sequence that does all `moves` at once. `temp(class, n)` is the `n`th slot of the class that
    /// may be overwritten. Slots that occur are equal or do not overlap.
    ///
    /// # Errors
    /// If two destinations overlap.
    pub(crate) fn resolve(
        &mut self,
        regs: &RegFile,
        moves: &mut Vec<Move>,
        mut temp: impl FnMut(RegClass, usize) -> SpillSlot,
        out: &mut Vec<Edit>,
    ) -> Result<(), &'static str> {
        moves.retain(|m| m.from != Source::Place(m.to));
        if let [Move { to, from: Source::Place(from), class }] = moves[..] {
            out.push(Edit::Move { from, to, class });
            return Ok(());
        }
        moves.sort_unstable();
        moves.dedup_by_key(|m| m.to);
        self.set_up(regs, moves);
        self.index(regs)?;
        let mut left = self.pending.len();
        let mut temps = 0;
        let mut next = 0;
        while left > 0 {
            while let Some(k) = self.ready.pop() {
                let k = k as usize;
                if core::mem::replace(&mut self.done[k], true) {
                    continue;
                }
                left -= 1;
                let m = self.pending[k];
                push(m, out);
                self.unlink_writer(regs, m.to);
                if let Source::Place(from) = m.from {
                    self.release(regs, from);
                }
            }
            if left == 0 {
                break;
            }
            // Cycles only: put one source aside.
            while self.done[next]
                || matches!(self.pending[next].from, Source::Place(a) if self.is_aside(a, regs))
            {
                next += 1;
                if next == self.pending.len() {
                    return Err("a parallel move does not come to an end");
                }
            }
            let m = self.pending[next];
            let Source::Place(from) = m.from else {
                return Err("a computed value is part of a cycle");
            };
            let aside = self.aside(regs, m.class, temps, &mut temp);
            temps += 1;
            out.push(Edit::Move { from, to: aside, class: m.class });
            // All moves that read exactly this place read the copy from now on.
            for k in next..self.pending.len() {
                if !self.done[k] && self.pending[k].from == Source::Place(from) {
                    self.pending[k].from = Source::Place(aside);
                    if aside.as_reg().is_none() {
                        // A temporary slot has no writer among the moves and need not be counted.
                    }
                    self.release(regs, from);
                }
            }
            next += 1;
        }
        let last = core::mem::take(&mut self.last);
        last.iter().for_each(|&m| push(m, out));
        self.last = last;
        Ok(())
    }

    fn set_up(&mut self, regs: &RegFile, moves: &[Move]) {
        self.pending.clear();
        self.last.clear();
        // Several loads of one slot: the first one loads, the others copy when all is done.
        self.slot_writers.clear();
        for &m in moves {
            match (m.from, m.to) {
                (Source::Remat(_), _) => self.last.push(m),
                (Source::Place(Allocation::Slot(slot)), Allocation::Reg(_)) => {
                    self.slot_writers.push((slot, self.pending.len() as u32));
                    self.pending.push(m);
                }
                _ => self.pending.push(m),
            }
        }
        if self.slot_writers.len() > 1 {
            self.slot_writers.sort_unstable();
            let mut drop_from = self.pending.len();
            for pair in 1..self.slot_writers.len() {
                let (a, b) = (self.slot_writers[pair - 1], self.slot_writers[pair]);
                let (first, second) = (self.pending[a.1 as usize], self.pending[b.1 as usize]);
                if a.0 == b.0 && first.class == second.class {
                    // The copy reads the first register, which has its final value when the last moves are made.
                    self.last.push(Move { from: Source::Place(first.to), ..second });
                    self.pending[b.1 as usize] = Move { to: Allocation::None, ..second };
                    self.slot_writers[pair].1 = a.1;
                    drop_from = 0;
                }
            }
            if drop_from == 0 {
                self.pending.retain(|m| m.to != Allocation::None);
            }
        }
        // Copies come before values that are computed anew; neither overwrites what the other reads.
        self.last.sort_by_key(|m| matches!(m.from, Source::Remat(_)));
        self.done.clear();
        self.done.resize(self.pending.len(), false);
        let units = regs.regs.iter().fold(UnitSet::EMPTY, |s, r| s.union(r.units));
        let units = 128 - units.bits().leading_zeros() as usize;
        self.readers.clear();
        self.readers.resize(units, 0);
        self.writer.clear();
        self.writer.resize(units, NOBODY);
        self.slot_readers.clear();
        self.slot_writers.clear();
        self.ready.clear();
    }

    /// Counts who reads and who writes what, and finds what is ready.
    fn index(&mut self, regs: &RegFile) -> Result<(), &'static str> {
        for (k, m) in self.pending.iter().enumerate() {
            match m.to {
                Allocation::Reg(r) => {
                    for unit in regs.units(r) {
                        let writer = &mut self.writer[unit as usize];
                        if *writer != NOBODY {
                            return Err("two moves at once write the same register");
                        }
                        *writer = k as u32;
                    }
                }
                Allocation::Slot(s) => self.slot_writers.push((s, k as u32)),
                Allocation::None => return Err("a move goes nowhere"),
            }
            match m.from {
                Source::Place(Allocation::Reg(r)) => {
                    regs.units(r).iter().for_each(|u| self.readers[u as usize] += 1);
                }
                Source::Place(Allocation::Slot(s)) => self.slot_readers.push((s, 1)),
                Source::Place(Allocation::None) => return Err("a move comes from nowhere"),
                Source::Remat(_) => {}
            }
        }
        self.slot_writers.sort_unstable();
        if self.slot_writers.windows(2).any(|w| w[0].0 == w[1].0) {
            return Err("two moves at once write the same slot");
        }
        self.slot_readers.sort_unstable();
        self.slot_readers.dedup_by(|b, a| {
            let same = a.0 == b.0;
            a.1 += b.1 * same as u32;
            same
        });
        for k in (0..self.pending.len()).rev() {
            if !self.is_blocked(regs, k) {
                self.ready.push(k as u32);
            }
        }
        Ok(())
    }

    /// Whether another pending move reads what this one writes.
    fn is_blocked(&self, regs: &RegFile, k: usize) -> bool {
        let m = self.pending[k];
        match m.to {
            Allocation::Reg(r) => {
                let own = match m.from {
                    Source::Place(Allocation::Reg(s)) => regs.units(s),
                    _ => UnitSet::EMPTY,
                };
                regs.units(r).iter().any(|u| self.readers[u as usize] > own.contains(u) as u32)
            }
            Allocation::Slot(s) => {
                let at = self.slot_readers.binary_search_by_key(&s, |r| r.0);
                at.is_ok_and(|at| self.slot_readers[at].1 > 0)
            }
            Allocation::None => false,
        }
    }

    fn unlink_writer(&mut self, regs: &RegFile, to: Allocation) {
        if let Allocation::Reg(r) = to {
            regs.units(r).iter().for_each(|u| self.writer[u as usize] = NOBODY);
        }
    }

    /// One move less reads this place: whoever wants to write it may be ready.
    fn release(&mut self, regs: &RegFile, from: Allocation) {
        match from {
            Allocation::Reg(r) => {
                for unit in regs.units(r) {
                    let readers = &mut self.readers[unit as usize];
                    *readers = readers.saturating_sub(1);
                }
                for unit in regs.units(r) {
                    let writer = self.writer[unit as usize];
                    if writer != NOBODY
                        && !self.done[writer as usize]
                        && !self.is_blocked(regs, writer as usize)
                    {
                        self.ready.push(writer);
                    }
                }
            }
            Allocation::Slot(s) => {
                if let Ok(at) = self.slot_readers.binary_search_by_key(&s, |r| r.0) {
                    self.slot_readers[at].1 = self.slot_readers[at].1.saturating_sub(1);
                }
                if let Ok(at) = self.slot_writers.binary_search_by_key(&s, |w| w.0) {
                    let writer = self.slot_writers[at].1;
                    if !self.done[writer as usize] && !self.is_blocked(regs, writer as usize) {
                        self.ready.push(writer);
                    }
                }
            }
            Allocation::None => {}
        }
    }

    /// Whether a place is a temporary: nobody counts as its reader.
    fn is_aside(&self, place: Allocation, regs: &RegFile) -> bool {
        match place {
            Allocation::Reg(r) => regs.units(r).iter().all(|u| self.readers[u as usize] == 0),
            Allocation::Slot(s) => {
                let at = self.slot_readers.binary_search_by_key(&s, |r| r.0);
                at.is_err()
            }
            Allocation::None => false,
        }
    }

    /// A place to put a value aside.
    fn aside(
        &mut self,
        regs: &RegFile,
        class: RegClass,
        n: usize,
        temp: &mut impl FnMut(RegClass, usize) -> SpillSlot,
    ) -> Allocation {
        let scratch: Option<PReg> = regs.classes[class.index()].scratch;
        if let Some(scratch) = scratch {
            let in_register = |a: Allocation| a.as_reg().is_some();
            let pending = || self.pending.iter().zip(&self.done).filter(|(_, done)| !**done).map(|(m, _)| m);
            let only_registers =
                pending().all(|m| in_register(m.to) && matches!(m.from, Source::Place(a) if in_register(a)));
            let in_use = pending().any(|m| match (m.from, m.to) {
                (Source::Place(Allocation::Reg(r)), _) if regs.overlap(r, scratch) => true,
                (_, Allocation::Reg(r)) => regs.overlap(r, scratch),
                _ => false,
            });
            if only_registers && !in_use {
                return Allocation::Reg(scratch);
            }
        }
        Allocation::Slot(temp(class, n))
    }
}

fn push(m: Move, out: &mut Vec<Edit>) {
    match (m.from, m.to) {
        (Source::Place(from), to) => out.push(Edit::Move { from, to, class: m.class }),
        (Source::Remat(inst), Allocation::Reg(to)) => out.push(Edit::Remat { inst, to }),
        // The resolution phase gives values that go to a slot a slot of their own.
        (Source::Remat(_), _) => debug_assert!(false, "a value is computed anew into a slot"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::regs::{ClassDef, RegDef};

    /// Four s registers, the two d registers on top of them, and scratch registers.
    fn file(scratch: bool) -> RegFile {
        let reg = |name, first, len| RegDef { name, units: UnitSet::range(first, len), halves: None };
        let s = PReg::new;
        let class = |name, order: Vec<PReg>, size, temp| ClassDef {
            name,
            order,
            spill_size: size,
            spill_align: size,
            subset_of: None,
            scratch: scratch.then_some(temp),
            pair: None,
        };
        RegFile {
            regs: alloc::vec![
                reg("s0", 0, 1),
                reg("s1", 1, 1),
                reg("s2", 2, 1),
                reg("s3", 3, 1),
                reg("d0", 0, 2),
                reg("d1", 2, 2),
                reg("ts", 4, 1),
                reg("td", 4, 2),
            ],
            classes: alloc::vec![
                class("s", alloc::vec![s(0), s(1), s(2), s(3)], 4, s(6)),
                class("d", alloc::vec![s(4), s(5)], 8, s(7)),
            ],
            callee_saved: UnitSet::EMPTY,
        }
    }

    /// Bytes of the machine: 6 units and then slots, as words of 4 bytes.
    fn words(regs: &RegFile, a: Allocation, class: RegClass) -> Vec<usize> {
        match a {
            Allocation::Reg(r) => regs.units(r).iter().map(|u| u as usize).collect(),
            Allocation::Slot(s) => {
                let first = 6 + s.offset_bytes() as usize / 4;
                (first..first + regs.classes[class.index()].spill_size as usize / 4).collect()
            }
            Allocation::None => Vec::new(),
        }
    }

    fn run_one(regs: &RegFile, moves: &[Move], resolver: &mut Resolver) {
        let start: Vec<u32> = (0..64).collect();
        let mut want = start.clone();
        let mut touched = [false; 64];
        for m in moves {
            let Source::Place(from) = m.from else {
                continue;
            };
            for (d, s) in words(regs, m.to, m.class).into_iter().zip(words(regs, from, m.class)) {
                want[d] = start[s];
            }
        }
        let mut edits = Vec::new();
        let temp = |class: RegClass, n: usize| SpillSlot::new(80 + 64 * class.index() as u32 + 8 * n as u32);
        let mut list = moves.to_vec();
        resolver.resolve(regs, &mut list, temp, &mut edits).expect("moves are resolved");
        let mut have = start.clone();
        for e in &edits {
            let Edit::Move { from, to, class } = *e else { panic!("nothing is computed anew") };
            let values: Vec<u32> = words(regs, from, class).into_iter().map(|w| have[w]).collect();
            for (d, v) in words(regs, to, class).into_iter().zip(values) {
                have[d] = v;
                touched[d] = true;
            }
        }
        // Scratch registers (units 4, 5) and temporary slots may hold anything.
        let ok = (0..26).filter(|w| *w != 4 && *w != 5).all(|w| have[w] == want[w]);
        assert!(ok, "{moves:?} became {edits:?}");
        assert!(edits.len() <= moves.len() * 2, "too many moves: {moves:?} became {edits:?}");
    }

    /// All sets of destinations with all sources, over a universe of places that overlap.
    fn exhaustive(regs: &RegFile, universe: &[(Allocation, RegClass)]) -> usize {
        let mut resolver = Resolver::default();
        let mut count = 0;
        // choice[i]: 0 = place i is no destination, else 1 + index of its source.
        let mut choice = alloc::vec![0usize; universe.len()];
        loop {
            let mut moves = Vec::new();
            let mut fits = true;
            let mut used = [false; 64];
            for (i, &(to, class)) in universe.iter().enumerate() {
                if choice[i] == 0 {
                    continue;
                }
                let (from, from_class) = universe[choice[i] - 1];
                fits &= class == from_class;
                for w in words(regs, to, class) {
                    fits &= !core::mem::replace(&mut used[w], true);
                }
                moves.push(Move { to, from: Source::Place(from), class });
            }
            if fits {
                run_one(regs, &moves, &mut resolver);
                count += 1;
            }
            let Some(i) = choice.iter().position(|&c| c < universe.len()) else {
                return count;
            };
            choice[..i].fill(0);
            choice[i] += 1;
        }
    }

    #[test]
    fn all_parallel_moves_of_overlapping_registers_are_right() {
        let (s, d) = (RegClass::new(0), RegClass::new(1));
        let r = |n| Allocation::Reg(PReg::new(n));
        for scratch in [false, true] {
            let regs = file(scratch);
            let count =
                exhaustive(&regs, &[(r(0), s), (r(1), s), (r(2), s), (r(3), s), (r(4), d), (r(5), d)]);
            assert!(count > 600, "only {count} cases");
        }
    }

    #[test]
    fn all_parallel_moves_of_registers_and_slots_are_right() {
        let (s, d) = (RegClass::new(0), RegClass::new(1));
        let r = |n| Allocation::Reg(PReg::new(n));
        let slot = |n| Allocation::Slot(SpillSlot::new(n));
        for scratch in [false, true] {
            let regs = file(scratch);
            let count = exhaustive(&regs, &[(r(0), s), (r(1), s), (slot(0), s), (slot(4), s), (r(2), s)]);
            assert!(count > 3000, "only {count} cases");
            exhaustive(&regs, &[(r(0), s), (r(1), s), (r(3), s), (r(4), d), (slot(8), d), (r(5), d)]);
        }
    }

    #[test]
    fn a_slot_is_loaded_once_for_several_registers() {
        let regs = file(true);
        let class = RegClass::new(0);
        let from = Source::Place(Allocation::Slot(SpillSlot::new(0)));
        let mut moves: Vec<Move> =
            (0..3).map(|n| Move { to: Allocation::Reg(PReg::new(n)), from, class }).collect();
        let mut edits = Vec::new();
        Resolver::default()
            .resolve(&regs, &mut moves, |_, _| SpillSlot::new(0), &mut edits)
            .expect("resolved");
        let loads =
            edits.iter().filter(|e| matches!(e, Edit::Move { from: Allocation::Slot(_), .. })).count();
        assert_eq!((edits.len(), loads), (3, 1));
    }
}
