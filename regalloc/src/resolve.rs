//! From placed pieces to allocations and edits.
//!
//! Requires: pieces placed, slots given. Leaves: the finished output.
//!
//! Everything that happens in one gap happens at once: pieces that follow each other, stores of values just defined,
//! copies for demands. At a block's start the moves of its edge come first, where it has one predecessor; else they come
//! last in the predecessor, in front of its jump (Wimmer & Franz 2010, section 6: resolution deconstructs SSA form by the
//! way). A value on the stack is stored once, right behind its definition; going to the stack later costs nothing.
//!
//! Cost: the number of pieces and operands, and for each value that was split the number of edges where it lives.

use crate::constraints::{Prepared, edge_preds};
use crate::intervals::{Intervals, Loc, Piece};
use crate::live::{Live, Target};
use crate::moves::{Move, Resolver, Source};
use crate::operand::{Block, Constraint, Inst};
use crate::regs::{PReg, RegClass, RegFile};
use crate::spill::Slots;
use crate::{Allocation, Edit, Error, Function, Output, ProgPoint};
use alloc::vec::Vec;

/// Parts of a gap, in their order.
const EDGE_IN: u64 = 0;
const GAP: u64 = 1;
const EDGE_OUT: u64 = 2;

/// Memory of the phase.
#[derive(Default)]
pub(crate) struct Resolve {
    /// Pieces of value `v`: `by_value[start[v]..start[v + 1]]`, by position.
    start: Vec<u32>,
    by_value: Vec<Piece>,
    moves: Vec<(u64, Move)>,
    group: Vec<Move>,
    resolver: Resolver,
    edits: Vec<Edit>,
}

/// What the phase looks at.
pub(crate) struct Input<'a, F> {
    pub(crate) f: &'a F,
    pub(crate) regs: &'a RegFile,
    pub(crate) prep: &'a Prepared,
}

impl Resolve {
    /// Sorts pieces by value; to be called before the others.
    pub(crate) fn sort_pieces(&mut self, iv: &Intervals) {
        let n = iv.values.len();
        self.start.clear();
        self.start.resize(n + 1, 0);
        for p in &iv.pieces {
            self.start[p.vreg as usize + 1] += 1;
        }
        for v in 0..n {
            self.start[v + 1] += self.start[v];
        }
        self.by_value.clear();
        if let Some(&first) = iv.pieces.first() {
            self.by_value.resize(iv.pieces.len(), first);
        }
        let mut next = self.start.clone();
        for p in &iv.pieces {
            let at = &mut next[p.vreg as usize];
            self.by_value[*at as usize] = *p;
            *at += 1;
        }
        for v in 0..n {
            let list = &mut self.by_value[self.start[v] as usize..self.start[v + 1] as usize];
            if list.len() > 1 {
                list.sort_unstable_by_key(|p| p.from);
            }
        }
    }

    fn pieces(&self, v: u32) -> &[Piece] {
        &self.by_value[self.start[v as usize] as usize..self.start[v as usize + 1] as usize]
    }

    fn loc(&self, v: u32, pos: u32) -> Loc {
        let list = self.pieces(v);
        match list {
            [one] if one.from <= pos => one.loc,
            _ => {
                let after = list.partition_point(|p| p.from <= pos);
                after.checked_sub(1).map_or(Loc::Unset, |k| list[k].loc)
            }
        }
    }

    /// Values that could be computed anew but are passed to a parameter on the stack need a slot, to be moved from.
    pub(crate) fn find_stored<F: Function>(&self, input: &Input<'_, F>, iv: &mut Intervals) {
        let Input { f, prep, .. } = input;
        for b in (0..f.num_blocks() as u32).filter(|&b| prep.reachable[b as usize]) {
            let block = Block::from_u32(b);
            for (n, &succ) in f.block_succs(block).iter().enumerate() {
                for (&a, &p) in f.branch_args(block, n).iter().zip(f.block_params(succ)) {
                    let (a, p) = (a.as_u32(), p.as_u32());
                    if iv.values[a as usize].remat
                        && self.loc(a, prep.block_end(b) - 1) == Loc::Stack
                        && self.loc(p, prep.block_start(succ.as_u32())) == Loc::Stack
                    {
                        iv.values[a as usize].stored = true;
                    }
                }
            }
        }
    }

    /// Fills the output.
    pub(crate) fn run<F: Function>(
        &mut self,
        input: &Input<'_, F>,
        iv: &Intervals,
        live: &Live,
        slots: &mut Slots,
        out: &mut Output,
    ) -> Result<(), Error> {
        self.moves.clear();
        let n = iv.values.len() as u32;
        for v in 0..n {
            if !self.pieces(v).is_empty() {
                self.fill_operands(iv, slots, v, out)?;
                if self.pieces(v).len() > 1 || iv.values[v as usize].stored {
                    self.connect_pieces(input, iv, slots, v)?;
                    self.store(input, iv, slots, v)?;
                    self.connect_blocks(input, iv, slots, v)?;
                }
            }
        }
        self.demands(input.regs, iv, live, slots, out)?;
        self.params(input, iv, slots)?;
        self.emit(input.regs, slots, out)?;
        out.spill_size_bytes = slots.size_bytes.next_multiple_of(slots.align_bytes.max(1));
        out.spill_align = slots.align_bytes.max(1);
        let reg_of = |a: &Allocation| a.as_reg().map(|r| input.regs.units(r));
        for units in out.allocs.iter().filter_map(reg_of) {
            out.used.insert_all(units);
        }
        Ok(())
    }

    /// The place of a piece on the stack or in a register, as a destination.
    fn place(&self, slots: &Slots, v: u32, loc: Loc) -> Result<Allocation, Error> {
        match loc {
            Loc::Reg(r) => Ok(Allocation::Reg(r)),
            Loc::Stack => slots
                .slot_of(v)
                .map(Allocation::Slot)
                .ok_or(Error::Internal("a value on the stack has no slot")),
            Loc::Unset => Err(Error::Internal("a value has no place where it is needed")),
        }
    }

    /// Where to get a value at a position, for this destination.
    fn source(
        &self,
        iv: &Intervals,
        slots: &Slots,
        v: u32,
        pos: u32,
        to: Allocation,
    ) -> Result<Source, Error> {
        let value = &iv.values[v as usize];
        let loc = self.loc(v, pos);
        if loc == Loc::Stack && value.remat && to.as_reg().is_some() {
            return Ok(Source::Remat(Inst::from_u32(value.def_pos / 4)));
        }
        self.place(slots, v, loc).map(Source::Place)
    }

    fn push(&mut self, iv: &Intervals, v: u32, inst: u32, part: u64, from: Source, to: Allocation) {
        if from != Source::Place(to) {
            let class = RegClass::new(iv.values[v as usize].class);
            self.moves.push(((inst as u64) << 2 | part, Move { to, from, class }));
        }
    }

    fn fill_operands(
        &mut self,
        iv: &Intervals,
        slots: &Slots,
        v: u32,
        out: &mut Output,
    ) -> Result<(), Error> {
        for piece in self.pieces(v) {
            for u in iv.uses_of(piece) {
                if let Some(alloc) = out.allocs.get_mut(u.op as usize) {
                    *alloc = self.place(slots, v, piece.loc)?;
                }
            }
        }
        Ok(())
    }

    /// Moves between pieces that follow each other within a block.
    fn connect_pieces<F: Function>(
        &mut self,
        input: &Input<'_, F>,
        iv: &Intervals,
        slots: &Slots,
        v: u32,
    ) -> Result<(), Error> {
        for k in 1..self.pieces(v).len() {
            let (a, b) = (self.pieces(v)[k - 1], self.pieces(v)[k]);
            if a.to != b.from || b.loc == Loc::Stack || b.from & 3 == 0 {
                continue;
            }
            if b.from & 3 != 1 || input.prep.block_at(b.from) != input.prep.block_at(a.to - 1) {
                return Err(Error::Internal("a value changes its register within an instruction"));
            }
            let to = self.place(slots, v, b.loc)?;
            let from = self.source(iv, slots, v, b.from - 1, to)?;
            self.push(iv, v, b.from / 4, GAP, from, to);
        }
        Ok(())
    }

    /// Stores a value behind its definition, if it has a slot.
    fn store<F: Function>(
        &mut self,
        input: &Input<'_, F>,
        iv: &Intervals,
        slots: &Slots,
        v: u32,
    ) -> Result<(), Error> {
        let Input { f, prep, .. } = input;
        let value = iv.values[v as usize];
        let Some(slot) = slots.slot_of(v).map(Allocation::Slot) else {
            return Ok(());
        };
        let Loc::Reg(reg) = self.loc(v, value.def_pos) else {
            return Ok(());
        };
        let from = Source::Place(Allocation::Reg(reg));
        if value.is_param {
            self.push(iv, v, value.def_pos / 4, GAP, from, slot);
            return Ok(());
        }
        let next = value.def_pos / 4 + 1;
        if next * 4 < prep.block_end(value.def_block) {
            self.push(iv, v, next, GAP, from, slot);
            return Ok(());
        }
        for succ in f.block_succs(Block::from_u32(value.def_block)) {
            let start = prep.block_start(succ.as_u32());
            if self.is_live_at(iv, v, start) {
                self.push(iv, v, start / 4, EDGE_IN, from, slot);
            }
        }
        Ok(())
    }

    fn is_live_at(&self, iv: &Intervals, v: u32, pos: u32) -> bool {
        let value = &iv.values[v as usize];
        let spans = &iv.spans[value.r0 as usize..value.r1 as usize];
        let after = spans.partition_point(|s| s.from <= pos);
        after > 0 && spans[after - 1].to > pos
    }

    /// Moves along edges where a value is in different places at both ends.
    fn connect_blocks<F: Function>(
        &mut self,
        input: &Input<'_, F>,
        iv: &Intervals,
        slots: &Slots,
        v: u32,
    ) -> Result<(), Error> {
        let Input { f, prep, .. } = input;
        let value = iv.values[v as usize];
        let mut k = 0;
        for index in value.r0..value.r1 {
            let span = iv.spans[index as usize];
            let mut b = prep.block_at(span.from);
            if prep.block_start(b) < span.from {
                b += 1;
            }
            while (b as usize) < f.num_blocks() && prep.block_start(b) < span.to {
                let start = prep.block_start(b);
                // A parameter or an entry def comes from no other place.
                if value.def_pos != start {
                    while self.pieces(v).get(k + 1).is_some_and(|p| p.from <= start) {
                        k += 1;
                    }
                    let loc = self.pieces(v)[k].loc;
                    if loc != Loc::Stack {
                        let to = self.place(slots, v, loc)?;
                        for n in 0..f.block_preds(Block::from_u32(b)).len() {
                            let pred = f.block_preds(Block::from_u32(b))[n];
                            if prep.reachable[pred.as_u32() as usize] {
                                let end = prep.block_end(pred.as_u32());
                                let from = self.source(iv, slots, v, end - 1, to)?;
                                self.push_edge(input, iv, v, pred.as_u32(), b, from, to)?;
                            }
                        }
                    }
                }
                b += 1;
            }
        }
        Ok(())
    }

    fn push_edge<F: Function>(
        &mut self,
        input: &Input<'_, F>,
        iv: &Intervals,
        v: u32,
        pred: u32,
        succ: u32,
        from: Source,
        to: Allocation,
    ) -> Result<(), Error> {
        let prep = input.prep;
        let block = Block::from_u32(succ);
        if edge_preds(input.f, block) == 1 {
            let first = Inst::from_u32(prep.first_inst[succ as usize]);
            // What the predecessor's terminator left in a register that the edge brings another value in is gone.
            let lost = |reg: PReg| {
                input.f.inst_operands(first).iter().filter(|op| op.is_entry_def()).any(|op| {
                    match op.constraint {
                        Constraint::Fixed(other) => input.regs.overlap(reg, other),
                        _ => false,
                    }
                })
            };
            if let Source::Place(Allocation::Reg(reg)) = from
                && lost(reg)
            {
                return Err(Error::EntryDef { block });
            }
            self.push(iv, v, first.as_u32(), EDGE_IN, from, to);
        } else {
            self.push(iv, v, prep.first_inst[pred as usize + 1] - 1, EDGE_OUT, from, to);
        }
        Ok(())
    }

    /// Copies for operands that are served by a copy.
    fn demands(
        &mut self,
        regs: &RegFile,
        iv: &Intervals,
        live: &Live,
        slots: &Slots,
        out: &mut Output,
    ) -> Result<(), Error> {
        for d in &live.demands {
            let to = match d.target {
                Target::Fixed(reg) => Allocation::Reg(reg),
                Target::Reuse(user) => self.place(slots, user, self.loc(user, d.inst * 4 + 1))?,
            };
            out.allocs[d.op as usize] = to;
            let from = self.source(iv, slots, d.value, d.inst * 4, to)?;
            self.push(iv, d.value, d.inst, GAP, from, to);
        }
        for d in &live.pairs {
            let halves = d.reg.and_then(|r: PReg| regs.regs[r.index()].halves);
            let (lo, hi) = halves.ok_or(Error::Internal("a pair was not chosen"))?;
            for (value, op, half) in [(d.lo, d.op, lo), (d.hi, d.op + 1, hi)] {
                let to = Allocation::Reg(half);
                out.allocs[op as usize] = to;
                if !d.is_def {
                    let from = self.source(iv, slots, value, d.inst * 4, to)?;
                    self.push(iv, value, d.inst, GAP, from, to);
                }
            }
        }
        Ok(())
    }

    /// Moves from arguments to parameters.
    fn params<F: Function>(
        &mut self,
        input: &Input<'_, F>,
        iv: &Intervals,
        slots: &Slots,
    ) -> Result<(), Error> {
        let Input { f, prep, .. } = input;
        for b in (0..f.num_blocks() as u32).filter(|&b| prep.reachable[b as usize]) {
            let block = Block::from_u32(b);
            for (n, &succ) in f.block_succs(block).iter().enumerate() {
                let s = succ.as_u32();
                for (&a, &p) in f.branch_args(block, n).iter().zip(f.block_params(succ)) {
                    let (a, p) = (a.as_u32(), p.as_u32());
                    // A parameter that nothing reads has no pieces.
                    if !self.pieces(p).is_empty() {
                        let to = self.place(slots, p, self.loc(p, prep.block_start(s)))?;
                        let from = self.source(iv, slots, a, prep.block_end(b) - 1, to)?;
                        self.push_edge(input, iv, p, b, s, from, to)?;
                    }
                }
            }
        }
        Ok(())
    }

    /// Puts all moves in order and makes edits of them.
    fn emit(&mut self, regs: &RegFile, slots: &mut Slots, out: &mut Output) -> Result<(), Error> {
        self.moves.sort_unstable();
        let mut at = 0;
        while at < self.moves.len() {
            let key = self.moves[at].0;
            let len = self.moves[at..].iter().take_while(|m| m.0 == key).count();
            self.group.clear();
            self.group.extend(self.moves[at..at + len].iter().map(|m| m.1));
            at += len;
            self.edits.clear();
            let temp = |class, n| slots.temp(regs, class, n);
            self.resolver.resolve(regs, &mut self.group, temp, &mut self.edits).map_err(Error::Internal)?;
            let point = ProgPoint::before(Inst::from_u32((key >> 2) as u32));
            for &edit in &self.edits {
                count(regs, &edit, out);
                out.edits.push((point, edit));
            }
        }
        Ok(())
    }
}

fn count(regs: &RegFile, edit: &Edit, out: &mut Output) {
    let stats = &mut out.stats;
    match *edit {
        Edit::Move { from, to, .. } => {
            match (from.as_reg(), to.as_reg()) {
                (Some(_), None) => stats.spills += 1,
                (None, Some(_)) => stats.reloads += 1,
                _ => stats.moves += 1,
            }
            for reg in [from.as_reg(), to.as_reg()].into_iter().flatten() {
                out.used.insert_all(regs.units(reg));
            }
        }
        Edit::Remat { to, .. } => {
            stats.remats += 1;
            out.used.insert_all(regs.units(to));
        }
    }
}
