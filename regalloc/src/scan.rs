//! The linear scan.
//!
//! Requires: intervals, fixed ranges and demands ([`crate::live`]). Leaves: every interval split into pieces, each in a
//! register or on the stack; registers for all pair demands.
//!
//! **Algorithm.** Linear scan (Poletto & Sarkar 1999) over intervals with holes that are split where they have to be
//! (Wimmer & Mössenböck 2005), on SSA form, with block parameters as ordinary intervals that edges connect (Wimmer &
//! Franz 2010). Pieces are taken in the order of their beginning. A piece gets a register that is free as long as it
//! lives, one that its moves hint at if possible; else one that is free for a while, and is split before that ends; else
//! it takes the register whose holder is needed last; or goes to the stack until its next use that wants a register,
//! when its rest becomes a piece of its own: a second chance.
//!
//! **What makes it always succeed.** Only the position of an instruction that reads or writes a register holds a piece
//! there; everything else can be evicted. A value on the stack got there right after its definition, so an eviction
//! needs no move and can happen even between the early and the late point of an instruction. Operands in fixed registers,
//! pairs, or tied ones are served by copies in the gap and do not bind the interval. Instructions where placing operands
//! one by one could fail have been settled before ([`crate::constraints`]).
//!
//! **Cost.** At most one piece holds a unit at a time, so there is no list of active intervals: each unit keeps
//! the ranges promised to pieces that began before, soonest last, and a piece looks at the units of its class only.

use crate::constraints::Prepared;
use crate::intervals::{Intervals, Loc, NONE, Piece};
use crate::live::{Live, PairDemand};
use crate::regs::{PReg, RegFile, UnitSet};
use crate::split::Loops;
use crate::{Error, Function, Options, Stats};
use alloc::collections::BinaryHeap;
use alloc::vec::Vec;
use core::cmp::Reverse;

/// Marks an index of a pair demand among those of pieces.
const PAIR: u32 = 1 << 31;
const MAX_PIECES: usize = 1 << 30;

/// A range of positions promised to a piece.
#[derive(Clone, Copy)]
struct Busy {
    from: u32,
    to: u32,
    piece: u32,
}

/// The scan's memory.
#[derive(Default)]
pub(crate) struct ScanMemory {
    pub(crate) loops: Loops,
    /// For each unit the promised ranges from now on, the soonest last.
    busy: Vec<Vec<Busy>>,
    /// For each unit, the first fixed range that is not over.
    cursor: Vec<u32>,
    clobber_cursor: Vec<u32>,
    /// For each clobber group, where it meets the current piece, and the piece's number that this is about.
    clobber_at: Vec<(u32, u32)>,
    initial: Vec<u64>,
    queue: BinaryHeap<Reverse<u64>>,
    /// The register of the value's last piece.
    last_reg: Vec<Option<PReg>>,
    /// For each set of friends: the register that one of them got last, and one that one of them is copied to.
    friend_reg: Vec<Option<PReg>>,
    friend_fixed: Vec<Option<PReg>>,
}

/// A scan on its way.
pub(crate) struct Scan<'a> {
    m: &'a mut ScanMemory,
    prep: &'a Prepared,
    regs: &'a RegFile,
    iv: &'a mut Intervals,
    live: &'a mut Live,
    options: Options,
    /// Current position.
    p: u32,
    /// Number of the current piece.
    turn: u32,
    callee_saved_used: UnitSet,
    rng: u64,
    stats: &'a mut Stats,
}

/// Runs the scan.
pub(crate) fn scan<F: Function>(
    f: &F,
    regs: &RegFile,
    options: &Options,
    m: &mut ScanMemory,
    prep: &Prepared,
    iv: &mut Intervals,
    live: &mut Live,
    stats: &mut Stats,
) -> Result<(), Error> {
    m.loops.run(f, prep);
    let units = live.fixed.len();
    m.busy.iter_mut().for_each(Vec::clear);
    m.busy.resize_with(units.max(m.busy.len()), Vec::new);
    m.cursor.clear();
    m.cursor.resize(units, 0);
    m.clobber_cursor.clear();
    m.clobber_cursor.resize(live.clobber_count, 0);
    m.clobber_at.clear();
    m.clobber_at.resize(live.clobber_count, (NONE, NONE));
    m.initial.clear();
    m.queue.clear();
    for list in [&mut m.last_reg, &mut m.friend_reg, &mut m.friend_fixed] {
        list.clear();
        list.resize(iv.values.len(), None);
    }
    let rng = options.random.unwrap_or(0).wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let callee_saved_used = UnitSet::EMPTY;
    let mut s =
        Scan { m, prep, regs, iv, live, options: *options, p: 0, turn: 0, callee_saved_used, rng, stats };
    s.start()?;
    s.run()
}

impl Scan<'_> {
    /// Makes the first pieces.
    fn start(&mut self) -> Result<(), Error> {
        // What a fixed def or a pair def begins with has its place already.
        for n in 0..self.live.fixed_defs.len() {
            let d = self.live.fixed_defs[n];
            let first = self.begin(d.value);
            self.iv.pieces[first as usize].loc = Loc::Reg(d.reg);
            let root = self.live.friend(d.value);
            self.m.friend_fixed[root as usize].get_or_insert(d.reg);
            self.m.last_reg[d.value as usize] = Some(d.reg);
            self.split_off_start(first);
        }
        for n in 0..self.live.pairs.len() {
            let d = self.live.pairs[n];
            self.m.initial.push(key(d.from, 0, n as u32));
            if d.is_def {
                // Marked as begun; the pieces are made when the pair is chosen.
                let lo = self.begin(d.lo);
                self.split_off_start(lo);
                let hi = self.begin(d.hi);
                self.split_off_start(hi);
                self.live.pairs[n].first = [lo, hi];
            }
        }
        for v in 0..self.iv.values.len() as u32 {
            let value = self.iv.values[v as usize];
            if value.r0 == value.r1 {
                continue;
            }
            self.stats.intervals += 1;
            let uses = &self.iv.uses[value.u0 as usize..value.u1 as usize];
            let fixed = uses.iter().take(16).find_map(|u| u.hint);
            if fixed.is_some() {
                let root = self.live.friend(v);
                let hint = &mut self.m.friend_fixed[root as usize];
                *hint = hint.or(fixed);
            }
            if self.m.last_reg[v as usize].is_none() && !self.begun(v) {
                let piece = self.begin(v);
                self.push_initial(piece);
            }
        }
        if self.iv.pieces.len() > MAX_PIECES {
            return Err(Error::TooLarge);
        }
        self.m.initial.sort_unstable_by(|a, b| b.cmp(a));
        Ok(())
    }

    /// Makes the piece that is the interval of a value, from the definition on. Where blocks are laid out before ones that
    /// dominate them, a value also lives before its definition: that is a piece of its own. So a range that comes
    /// after a hole always begins at the start of a block, never within an instruction.
    fn begin(&mut self, value: u32) -> u32 {
        let index = self.iv.pieces.len() as u32;
        let piece = self.iv.whole(value);
        self.iv.pieces.push(piece);
        let def_pos = self.iv.values[value as usize].def_pos;
        if piece.from < def_pos {
            let rest = self.iv.split(index, def_pos);
            self.push_initial(index);
            return rest;
        }
        index
    }

    /// Whether a value's first piece belongs to a pair def: its first position is the pair's.
    fn begun(&self, v: u32) -> bool {
        let value = &self.iv.values[v as usize];
        let pos = value.def_pos;
        let list = &self.live.pairs;
        let inst = pos / 4;
        let mut at = list.partition_point(|d| d.inst < inst);
        while let Some(d) = list.get(at).filter(|d| d.inst == inst) {
            if d.is_def && (d.lo == v || d.hi == v) {
                return true;
            }
            at += 1;
        }
        false
    }

    /// Cuts a piece whose start has its place where the place need not be kept any more.
    fn split_off_start(&mut self, first: u32) {
        let piece = self.iv.pieces[first as usize];
        let block = self.prep.block_at(piece.from);
        let hold = ((piece.from & !3) + 5).min(self.prep.block_end(block));
        if piece.to > hold {
            let loc = piece.loc;
            let rest = self.iv.split(first, hold);
            self.iv.pieces[first as usize].loc = loc;
            self.push_initial(rest);
        }
    }

    fn push_initial(&mut self, piece: u32) {
        let key = self.key_of(piece);
        self.m.initial.push(key);
    }

    fn key_of(&self, piece: u32) -> u64 {
        let c = &self.iv.pieces[piece as usize];
        let must = self.iv.uses_of(c).iter().take_while(|u| u.pos == c.from).any(|u| u.is_must());
        key(c.from, if must { 1 } else { 2 }, piece)
    }

    fn enqueue(&mut self, piece: u32) {
        debug_assert!(self.iv.pieces[piece as usize].from >= self.p, "a piece is put in front of the scan");
        let key = self.key_of(piece);
        self.m.queue.push(Reverse(key));
    }

    fn run(&mut self) -> Result<(), Error> {
        loop {
            let next = match (self.m.initial.last(), self.m.queue.peek()) {
                (Some(&a), Some(&Reverse(b))) if a < b => self.m.initial.pop(),
                (_, Some(_)) => self.m.queue.pop().map(|r| r.0),
                (_, None) => self.m.initial.pop(),
            };
            let Some(next) = next else { return Ok(()) };
            self.p = (next >> 32) as u32;
            self.turn += 1;
            let (class, index) = (next as u32 >> 30, next as u32 & (MAX_PIECES as u32 - 1));
            if class == 0 {
                self.place_pair(index)?;
            } else {
                self.place(index)?;
            }
            if self.iv.pieces.len() > MAX_PIECES {
                return Err(Error::TooLarge);
            }
        }
    }

    /// Finds a place for a piece.
    fn place(&mut self, ci: u32) -> Result<(), Error> {
        let c = self.iv.pieces[ci as usize];
        if c.loc != Loc::Unset {
            return Ok(());
        }
        let need = self.need(&c);
        if self.options.spill_all && need == 0 {
            self.spill(ci);
            return Ok(());
        }
        let mut best: Option<(PReg, u32)> = None;
        if let Some(reg) = self.free_register(&c, need, &mut best) {
            self.take(ci, reg, u32::MAX, need);
            return Ok(());
        }
        if let Some((reg, until)) = best {
            let worth = if need > 0 {
                until >= need
            } else {
                let cut = self.prep.split_at_or_before(until);
                cut > self.p && self.iv.uses_of(&c).first().is_some_and(|u| u.pos < cut)
            };
            if worth {
                self.take(ci, reg, until, need);
                return Ok(());
            }
        }
        match self.victim(&c, need) {
            Some((reg, until)) => {
                self.clear_register(reg, false);
                self.take(ci, reg, until, need);
                Ok(())
            }
            None if need == 0 => {
                self.spill(ci);
                Ok(())
            }
            None => Err(Error::Internal("no register for an operand that needs one")),
        }
    }

    /// Up to where the piece has to be in a register from its start; 0 if it need not be in one.
    fn need(&self, c: &Piece) -> u32 {
        let uses = self.iv.uses_of(c).iter();
        let here = uses.take_while(|u| u.pos == c.from).filter(|u| u.is_must());
        here.map(|u| u.hold_end().min(c.to)).max().unwrap_or(0)
    }

    /// A register that is free for the whole piece. Puts the one that is free longest into `best`.
    fn free_register(&mut self, c: &Piece, need: u32, best: &mut Option<(PReg, u32)>) -> Option<PReg> {
        let value = self.iv.values[c.vreg as usize];
        let class = &self.prep.classes[value.class as usize];
        let random = self.options.random.is_some();
        let end = if self.options.spill_all { need } else { c.to };
        if !random || self.random() & 1 == 0 {
            for hint in self.hints(c).into_iter().flatten() {
                if class.members.contains(hint) && self.free_until(c, hint, false) >= end {
                    return Some(hint);
                }
            }
        }
        let n = class.order.len();
        let rotate = if random { self.random() as usize % n.max(1) } else { 0 };
        for k in 0..n {
            let reg = class.order[(k + rotate) % n];
            let until = self.free_until(c, reg, false);
            let worth = self.worth_saving(c, reg);
            if until >= end && worth {
                return Some(reg);
            }
            if until > self.p && (worth || need > 0) && best.is_none_or(|b| b.1 < until) {
                *best = Some((reg, until));
            }
        }
        // A callee-saved register that is not worth its save is still better than none.
        best.filter(|b| b.1 >= end && need > 0).map(|b| b.0)
    }

    /// Whether a value should be the first one in a callee-saved register.
    fn worth_saving(&self, c: &Piece, reg: PReg) -> bool {
        let new = self.regs.units(reg).intersection(self.regs.callee_saved).minus(self.callee_saved_used);
        new.is_empty() || !self.iv.values[c.vreg as usize].remat || c.u1 - c.u0 > 2
    }

    /// Registers that would save a move, the best ones first.
    fn hints(&mut self, c: &Piece) -> [Option<PReg>; 5] {
        let copied_to = self.iv.uses_of(c).iter().take(4).find_map(|u| u.hint);
        let root = self.live.friend(c.vreg) as usize;
        let buddy = self.live.buddy[c.vreg as usize] as usize;
        let of_buddy = self.m.last_reg.get(buddy).copied().flatten();
        [
            copied_to,
            self.m.last_reg[c.vreg as usize],
            of_buddy,
            self.m.friend_reg[root],
            self.m.friend_fixed[root],
        ]
    }

    fn random(&mut self) -> u64 {
        self.rng ^= self.rng << 13;
        self.rng ^= self.rng >> 7;
        self.rng ^= self.rng << 17;
        self.rng >> 11
    }

    /// The first position of the piece where the register is not free. With `evict`, what holds it now is not counted.
    fn free_until(&mut self, c: &Piece, reg: PReg, evict: bool) -> u32 {
        let units = self.regs.units(reg);
        let mut until = u32::MAX;
        for unit in units {
            let unit = unit as usize;
            self.expire(unit);
            until = until.min(self.busy_from(c, unit, evict));
            until = until.min(self.fixed_from(c, unit, reg));
            if until <= self.p {
                return until;
            }
        }
        for group in 0..self.live.clobber_count {
            if self.live.clobbers[group].units.intersects(units) {
                until = until.min(self.clobbered_from(c, group));
            }
        }
        until
    }

    fn expire(&mut self, unit: usize) {
        let p = self.p;
        let list = &mut self.m.busy[unit];
        while list.last().is_some_and(|b| b.to <= p) {
            list.pop();
        }
        let fixed = &self.live.fixed[unit];
        let cursor = &mut self.m.cursor[unit];
        while fixed.get(*cursor as usize).is_some_and(|s| s.to <= p) {
            *cursor += 1;
        }
    }

    /// Where the piece meets a promised range of the unit.
    fn busy_from(&self, c: &Piece, unit: usize, evict: bool) -> u32 {
        let list = &self.m.busy[unit];
        let skip = match list.last() {
            Some(b) if evict && b.from <= self.p => b.piece,
            _ => NONE,
        };
        let mut index = c.r0;
        for b in list.iter().rev() {
            if b.piece == skip {
                continue;
            }
            if b.from >= c.to {
                break;
            }
            while index < c.r1 && self.iv.span(c, index).to <= b.from {
                index += 1;
            }
            if index == c.r1 {
                break;
            }
            let span = self.iv.span(c, index);
            if span.from < b.to {
                return span.from.max(b.from);
            }
        }
        u32::MAX
    }

    /// Where the piece meets a fixed operand's range of the unit.
    fn fixed_from(&self, c: &Piece, unit: usize, reg: PReg) -> u32 {
        let list = &self.live.fixed[unit];
        let mut at = self.m.cursor[unit] as usize;
        for index in c.r0..c.r1 {
            let span = self.iv.span(c, index);
            if list.get(at + 8).is_some_and(|s| s.to <= span.from) {
                at += list[at..].partition_point(|s| s.to <= span.from);
            }
            while let Some(s) = list.get(at) {
                if s.from >= span.to {
                    break;
                }
                // A value may stay in the register that it is wanted in.
                if s.to > span.from && !(s.owner == c.vreg && s.reg == reg) {
                    return span.from.max(s.from);
                }
                if s.to > span.to {
                    break;
                }
                at += 1;
            }
            if at >= list.len() {
                break;
            }
        }
        u32::MAX
    }

    /// Where the piece meets an instruction of the clobber group.
    fn clobbered_from(&mut self, c: &Piece, group: usize) -> u32 {
        if self.m.clobber_at[group].1 == self.turn {
            return self.m.clobber_at[group].0;
        }
        let list = &self.live.clobbers[group].at;
        let cursor = &mut self.m.clobber_cursor[group];
        while list.get(*cursor as usize).is_some_and(|&at| at < self.p) {
            *cursor += 1;
        }
        let mut at = *cursor as usize;
        let mut found = u32::MAX;
        for index in c.r0..c.r1 {
            let span = self.iv.span(c, index);
            if list.get(at).is_some_and(|&x| x < span.from) {
                at += list[at..].partition_point(|&x| x < span.from);
            }
            match list.get(at) {
                Some(&x) if x < span.to => {
                    found = x;
                    break;
                }
                Some(_) => {}
                None => break,
            }
        }
        self.m.clobber_at[group] = (found, self.turn);
        found
    }

    /// Puts the piece into the register, up to where this is free, and sees to the rest.
    fn take(&mut self, ci: u32, reg: PReg, until: u32, need: u32) {
        let c = self.iv.pieces[ci as usize];
        let until = if self.options.spill_all { until.min(need) } else { until };
        if until < c.to {
            self.stats.splits += 1;
            let cut = self.prep.split_at_or_before(until);
            if cut < need.max(self.p + 1) || self.options.spill_all {
                // No move is possible before the register is lost: the rest starts in the slot.
                let rest = self.iv.split(ci, need);
                self.spill(rest);
            } else {
                let uses = self.iv.uses_of(&c);
                let before = uses.partition_point(|u| u.pos < cut);
                let last = uses[..before].iter().rev().take(4).map(|u| u.hold_end()).max().unwrap_or(0);
                let low = need.max(last).max(self.p + 1).min(cut);
                let at = self.m.loops.best_split(self.prep, low, cut);
                let rest = self.iv.split(ci, at);
                self.enqueue(rest);
            }
        }
        self.assign(ci, reg);
    }

    fn assign(&mut self, ci: u32, reg: PReg) {
        let c = self.iv.pieces[ci as usize];
        self.iv.pieces[ci as usize].loc = Loc::Reg(reg);
        self.m.last_reg[c.vreg as usize] = Some(reg);
        let root = self.live.friend(c.vreg);
        self.m.friend_reg[root as usize] = Some(reg);
        let units = self.regs.units(reg);
        self.callee_saved_used.insert_all(units.intersection(self.regs.callee_saved));
        for unit in units {
            for index in c.r0..c.r1 {
                let span = self.iv.span(&c, index);
                self.promise(unit as usize, Busy { from: span.from, to: span.to, piece: ci });
            }
        }
    }

    fn promise(&mut self, unit: usize, busy: Busy) {
        let list = &mut self.m.busy[unit];
        let at = match list.last() {
            Some(last) if last.from < busy.from => list.partition_point(|b| b.from > busy.from),
            _ => list.len(),
        };
        list.insert(at, busy);
    }

    /// What holds the unit now: a piece, or a pair demand.
    fn holder(&mut self, unit: usize) -> Option<u32> {
        self.expire(unit);
        self.m.busy[unit].last().filter(|b| b.from <= self.p).map(|b| b.piece)
    }

    /// Whether the holder has to be where it is at this position.
    fn is_held(&self, holder: u32) -> bool {
        if holder & PAIR != 0 {
            return true;
        }
        let x = &self.iv.pieces[holder as usize];
        if x.pin > self.p {
            return true;
        }
        let uses = self.iv.uses_of(x);
        let end = uses.partition_point(|u| u.pos <= self.p);
        let inst = self.p & !3;
        uses[..end].iter().rev().take_while(|u| u.pos >= inst).any(|u| u.is_must() && u.hold_end() > self.p)
    }

    /// How long a piece can do without its register: the position of its next use, further away if it is cheap to bring
    /// back, nearer if a loop brings it back to an earlier use.
    fn next_use(&self, x: &Piece) -> u32 {
        let p = self.p;
        let value = &self.iv.values[x.vreg as usize];
        let uses = &self.iv.uses[value.u0 as usize..value.u1 as usize];
        let next = uses.partition_point(|u| u.pos < p);
        let mut at = uses.get(next).map_or(x.to, |u| u.pos.min(x.to));
        if let Some(previous) = next.checked_sub(1).map(|k| uses[k].pos) {
            let wanted = |l: &crate::split::Loop| previous >= l.start && x.to >= l.end && at >= l.end;
            if let Some(l) = self.m.loops.around(self.prep.block_at(p)).find(wanted) {
                at = l.end;
            }
        }
        // A use in fewer loops than here costs as many times less.
        let depth = |pos| self.prep.depth_at(pos);
        let out_of = depth(p).saturating_sub(depth(at.max(p + 1) - 1)).min(8);
        let distance = at.saturating_sub(p).saturating_mul(1 << out_of);
        let bonus = match (value.remat, value.spilled) {
            (true, _) => distance,
            (false, true) => distance / 2,
            (false, false) => 0,
        };
        p.saturating_add(distance).saturating_add(bonus).min(u32::MAX - 1)
    }

    /// The register to take from its holders for this piece, and how long it is free then.
    fn victim(&mut self, c: &Piece, need: u32) -> Option<(PReg, u32)> {
        let order = &self.prep.classes[self.iv.values[c.vreg as usize].class as usize].order;
        let own = if need > 0 { 0 } else { self.next_use(c) };
        let mut best: Option<(u32, PReg, u32)> = None;
        for &reg in order {
            let least = best.map_or(own, |b| b.0);
            let Some(next) = self.holders_next_use(reg, least, need == 0) else {
                continue;
            };
            let until = self.free_until(c, reg, true);
            let enough = if need > 0 {
                until >= need
            } else {
                let cut = self.prep.split_at_or_before(until);
                cut > self.p && self.iv.uses_of(c).first().is_some_and(|u| u.pos < cut)
            };
            let score = next.min(until);
            if enough && (score > least || best.is_none() && need > 0) {
                best = Some((score, reg, until));
            }
        }
        best.map(|b| (b.1, b.2))
    }

    /// The nearest next use of what holds a register, if that can be evicted and is not needed before `least`.
    fn holders_next_use(&mut self, reg: PReg, least: u32, older: bool) -> Option<u32> {
        let mut next = u32::MAX;
        for unit in self.regs.units(reg) {
            if let Some(holder) = self.holder(unit as usize) {
                if self.is_held(holder) {
                    return None;
                }
                let x = self.iv.pieces[holder as usize];
                if older && x.from >= self.p {
                    return None;
                }
                next = next.min(self.next_use(&x));
                if next < least {
                    return None;
                }
            }
        }
        Some(next)
    }

    /// Evicts whatever holds the register now. With `again`, it may look for another register at once.
    fn clear_register(&mut self, reg: PReg, again: bool) {
        for unit in self.regs.units(reg) {
            if let Some(holder) = self.holder(unit as usize) {
                self.evict(holder, again);
            }
        }
    }

    fn evict(&mut self, xi: u32, again: bool) {
        self.stats.splits += 1;
        let p = self.p;
        let x = self.iv.pieces[xi as usize];
        let uses = self.iv.uses_of(&x);
        let before = uses.partition_point(|u| u.pos < p);
        let last = uses[..before].iter().rev().take(4).map(|u| u.hold_end()).max().unwrap_or(0);
        let low = last.max(x.from);
        let again = again && p & 3 != 2;
        let mut at = p;
        if !again {
            // On its way to the stack: leave before the loops that it does not take part in.
            for l in self.m.loops.around(self.prep.block_at(p)) {
                if l.start < low {
                    break;
                }
                at = at.min(l.start);
            }
        }
        let Loc::Reg(reg) = x.loc else { return };
        for unit in self.regs.units(reg) {
            let list = &mut self.m.busy[unit as usize];
            list.retain_mut(|b| {
                if b.piece == xi && b.to > at {
                    b.to = at;
                    return b.from < at;
                }
                true
            });
        }
        let rest = if at <= x.from {
            self.iv.pieces[xi as usize].loc = Loc::Unset;
            xi
        } else {
            self.iv.split(xi, at)
        };
        if again {
            self.enqueue(rest);
        } else {
            self.spill(rest);
        }
    }

    /// Puts a piece on the stack up to its next use that needs a register; the rest gets another chance.
    fn spill(&mut self, ci: u32) {
        let c = self.iv.pieces[ci as usize];
        let next = self.iv.uses_of(&c).iter().find(|u| u.is_must()).map(|u| u.pos);
        if let Some(next) = next {
            if next <= c.from {
                self.enqueue(ci);
                return;
            }
            self.stats.splits += 1;
            let low = self.prep.split_after(c.from.max(self.p)).min(next);
            let at =
                if self.options.spill_all { next } else { self.m.loops.best_split(self.prep, low, next) };
            let rest = self.iv.split(ci, at);
            self.enqueue(rest);
        }
        self.iv.pieces[ci as usize].loc = Loc::Stack;
        self.iv.values[c.vreg as usize].spilled = true;
    }

    /// Chooses the pair for two operands.
    fn place_pair(&mut self, index: u32) -> Result<(), Error> {
        let d = self.live.pairs[index as usize];
        let mut best: Option<(u64, PReg)> = None;
        let order = &self.prep.classes[d.class as usize].order;
        for (n, &pair) in order.iter().enumerate() {
            if let Some(cost) = self.pair_cost(&d, pair) {
                let cost = cost << 8 | n as u64;
                if best.is_none_or(|b| cost < b.0) {
                    best = Some((cost, pair));
                }
            }
        }
        let (_, pair) = best.ok_or(Error::Internal("no pair of registers for operands that need one"))?;
        self.live.pairs[index as usize].reg = Some(pair);
        self.callee_saved_used.insert_all(self.regs.units(pair).intersection(self.regs.callee_saved));
        let Some((lo, hi)) = self.regs.regs[pair.index()].halves else {
            return Err(Error::Internal("a pair has no halves"));
        };
        for (n, (value, half)) in [(d.lo, lo), (d.hi, hi)].into_iter().enumerate() {
            let mut promise = true;
            for unit in self.regs.units(half) {
                let Some(holder) = self.holder(unit as usize) else {
                    continue;
                };
                if self.is_in_place(&d, holder, value, half) {
                    let piece = &mut self.iv.pieces[holder as usize];
                    piece.pin = piece.pin.max(d.to);
                    promise = false;
                } else {
                    self.evict(holder, true);
                }
            }
            if promise {
                for unit in self.regs.units(half) {
                    self.promise(unit as usize, Busy { from: d.from, to: d.to, piece: PAIR | index });
                }
            }
            if d.is_def {
                self.iv.pieces[d.first[n] as usize].loc = Loc::Reg(half);
                self.m.last_reg[value as usize] = Some(half);
                let root = self.live.friend(value);
                self.m.friend_reg[root as usize] = Some(half);
            }
        }
        Ok(())
    }

    /// Whether the holder of a half is the very value that belongs there.
    fn is_in_place(&self, d: &PairDemand, holder: u32, value: u32, half: PReg) -> bool {
        if d.is_def || holder & PAIR != 0 {
            return false;
        }
        let x = &self.iv.pieces[holder as usize];
        let covers = |b: &Busy| b.piece == holder && b.to >= d.to;
        let unit = self.regs.units(half).iter().next().unwrap_or(0);
        x.vreg == value && x.loc == Loc::Reg(half) && self.m.busy[unit as usize].last().is_some_and(covers)
    }

    /// What it costs to have these operands in this pair; `None` if that is impossible.
    fn pair_cost(&mut self, d: &PairDemand, pair: PReg) -> Option<u64> {
        let (lo, hi) = self.regs.regs[pair.index()].halves?;
        let units = self.regs.units(pair);
        for group in 0..self.live.clobber_count {
            if self.live.clobbers[group].units.intersects(units) {
                let list = &self.live.clobbers[group].at;
                let at = list.partition_point(|&x| x < d.from);
                if list.get(at).is_some_and(|&x| x < d.to) {
                    return None;
                }
            }
        }
        let mut cost = 0;
        for (value, half) in [(d.lo, lo), (d.hi, hi)] {
            for unit in self.regs.units(half) {
                let holder = self.holder(unit as usize);
                let list = &self.live.fixed[unit as usize];
                let cursor = self.m.cursor[unit as usize] as usize;
                let mut soon = list[cursor..].iter().take_while(|s| s.from < d.to);
                if soon.any(|s| d.is_def || s.owner != value || s.reg != half) {
                    return None;
                }
                if let Some(x) = holder {
                    if self.is_in_place(d, x, value, half) {
                        continue;
                    }
                    if self.is_held(x) {
                        return None;
                    }
                    let distance = self.next_use(&self.iv.pieces[x as usize]).saturating_sub(self.p).max(1);
                    cost += 100 + 4_000 / distance as u64;
                }
            }
            if !d.is_def && self.m.last_reg[value as usize] != Some(half) {
                cost += 50;
            }
        }
        let new = units.intersection(self.regs.callee_saved).minus(self.callee_saved_used);
        Some(cost + 80 * !new.is_empty() as u64)
    }
}

/// Order of the queue: position, then pairs, then pieces that need a register at once, then the number.
fn key(from: u32, rank: u32, index: u32) -> u64 {
    (from as u64) << 32 | (rank << 30 | index) as u64
}
