//! Liveness: from instructions to live ranges and uses.
//!
//! Requires: the input is checked, constraints are effective ones ([`crate::constraints`]). Leaves: for every value that
//! occurs in reachable code sorted uses and sorted, merged live ranges; ranges taken by fixed operands and clobbers;
//! the list of *demands*, operands that a copy serves.
//!
//! Algorithm: one walk per value, up from the blocks of its uses to the block of its definition (Appel, "Modern Compiler
//! Implementation", 19.6; Boissinot et al. 2011 measure it as the fastest for SSA form). It asks nothing of the graph's
//! shape, so irreducible loops need no care. A value that reaches the function's start is used before its definition.
//! Cost: the number of pairs (value, block where it is live), which is the size of the result.

use crate::constraints::{Prepared, pair_class};
use crate::intervals::{Intervals, NONE, Span, Use, UseKind, Value, early, gap, late};
use crate::operand::{Block, Constraint, Inst, Operand, OperandPos, VReg};
use crate::regs::{PReg, RegFile, UnitSet};
use crate::{Allocation, Error, Function, Output};
use alloc::vec::Vec;

/// Positions where a fixed operand occupies a unit.
#[derive(Clone, Copy)]
pub(crate) struct FixedSpan {
    pub(crate) from: u32,
    pub(crate) to: u32,
    /// The value, which may be in this very register all the same.
    pub(crate) owner: u32,
    pub(crate) reg: PReg,
}

/// Instructions that clobber the same units.
#[derive(Default)]
pub(crate) struct ClobberGroup {
    pub(crate) units: UnitSet,
    /// Late positions, increasing.
    pub(crate) at: Vec<u32>,
}

/// Where the copy for an operand goes.
#[derive(Clone, Copy)]
pub(crate) enum Target {
    /// To this register.
    Fixed(PReg),
    /// To the register of the value that reuses the operand.
    Reuse(u32),
}

/// A use that is served by a copy in the gap before the instruction.
#[derive(Clone, Copy)]
pub(crate) struct Demand {
    pub(crate) inst: u32,
    pub(crate) value: u32,
    pub(crate) op: u32,
    pub(crate) target: Target,
}

/// Two operands in a pair of registers.
#[derive(Clone, Copy)]
pub(crate) struct PairDemand {
    pub(crate) inst: u32,
    pub(crate) lo: u32,
    pub(crate) hi: u32,
    /// Index of the low operand; the high one is next.
    pub(crate) op: u32,
    pub(crate) class: u8,
    pub(crate) is_def: bool,
    /// Positions where the pair is occupied.
    pub(crate) from: u32,
    pub(crate) to: u32,
    pub(crate) reg: Option<PReg>,
    /// For defs: the pieces that begin in the pair.
    pub(crate) first: [u32; 2],
}

/// A value defined in a fixed register.
#[derive(Clone, Copy)]
pub(crate) struct FixedDef {
    pub(crate) value: u32,
    pub(crate) reg: PReg,
}

/// What liveness leaves besides the intervals.
#[derive(Default)]
pub(crate) struct Live {
    pub(crate) fixed: Vec<Vec<FixedSpan>>,
    pub(crate) clobbers: Vec<ClobberGroup>,
    pub(crate) clobber_count: usize,
    pub(crate) demands: Vec<Demand>,
    pub(crate) pairs: Vec<PairDemand>,
    pub(crate) fixed_defs: Vec<FixedDef>,
    /// Values that would best share a register, as sets: the parent of each value.
    pub(crate) friends: Vec<u32>,
    /// For each value the one whose register would suit it best, or `NONE`.
    pub(crate) buddy: Vec<u32>,
    raw: Vec<(u32, Use)>,
    stamp_in: Vec<u32>,
    stamp_out: Vec<u32>,
    touched: Vec<u32>,
    work: Vec<u32>,
}

impl Live {
    /// Fills `iv` and itself.
    pub(crate) fn run<F: Function>(
        &mut self,
        f: &F,
        regs: &RegFile,
        prep: &Prepared,
        iv: &mut Intervals,
        out: &mut Output,
    ) -> Result<(), Error> {
        self.reset(f, regs, iv);
        for b in 0..f.num_blocks() as u32 {
            if prep.reachable[b as usize] {
                self.collect_block(f, regs, prep, iv, out, b)?;
            }
        }
        self.sort_uses(iv);
        self.build_ranges(f, prep, iv)
    }

    fn reset<F: Function>(&mut self, f: &F, regs: &RegFile, iv: &mut Intervals) {
        iv.clear();
        iv.values.extend((0..f.num_vregs() as u32).map(|v| {
            let class = f.vreg_class(VReg::from_u32(v)).index() as u8;
            Value { class, ..Value::UNUSED }
        }));
        let units = regs.regs.iter().fold(UnitSet::EMPTY, |s, r| s.union(r.units));
        let count = units.iter().last().map_or(0, |u| u as usize + 1);
        self.fixed.iter_mut().for_each(Vec::clear);
        self.fixed.resize_with(count.max(self.fixed.len()), Vec::new);
        self.clobber_count = 0;
        self.demands.clear();
        self.pairs.clear();
        self.fixed_defs.clear();
        self.friends.clear();
        self.friends.extend(0..f.num_vregs() as u32);
        self.buddy.clear();
        self.buddy.resize(f.num_vregs(), NONE);
        self.raw.clear();
    }

    /// The representative of the values that would best share a register.
    pub(crate) fn friend(&mut self, mut v: u32) -> u32 {
        while self.friends[v as usize] != v {
            let up = self.friends[v as usize];
            self.friends[v as usize] = self.friends[up as usize];
            v = self.friends[v as usize];
        }
        v
    }

    fn befriend(&mut self, a: u32, b: u32) {
        let (a, b) = (self.friend(a), self.friend(b));
        // The smaller number wins: deterministic, and the paths stay short by halving.
        self.friends[a.max(b) as usize] = a.min(b);
    }

    fn define(
        &self,
        iv: &mut Intervals,
        vreg: VReg,
        pos: u32,
        block: u32,
        is_param: bool,
    ) -> Result<(), Error> {
        let value = &mut iv.values[vreg.as_u32() as usize];
        if value.def_pos != NONE {
            return Err(Error::NotSsa { vreg });
        }
        value.def_pos = pos;
        value.def_block = block;
        value.is_param = is_param;
        Ok(())
    }

    fn collect_block<F: Function>(
        &mut self,
        f: &F,
        regs: &RegFile,
        prep: &Prepared,
        iv: &mut Intervals,
        out: &mut Output,
        b: u32,
    ) -> Result<(), Error> {
        let block = Block::from_u32(b);
        for &p in f.block_params(block) {
            self.define(iv, p, prep.block_start(b), b, true)?;
        }
        let range = f.block_insts(block);
        let allocatable = regs.allocatable();
        for i in range.clone() {
            let inst = Inst::from_u32(i);
            let ops = f.inst_operands(inst);
            let base = out.offsets[i as usize];
            let effective = &prep.effective[base as usize..base as usize + ops.len()];
            let reuses = effective.iter().any(|c| matches!(c, Constraint::Reuse(_)));
            for (k, op) in ops.iter().enumerate() {
                if op.is_use() {
                    self.collect_use(f, regs, out, i, ops, effective, k, base, reuses);
                }
            }
            for (k, op) in ops.iter().enumerate() {
                if op.is_def() {
                    self.collect_def(f, regs, prep, iv, out, i, op, effective[k], base + k as u32, b)?;
                    if let Constraint::Reuse(u) = op.constraint {
                        let reused = ops[u as usize].vreg.as_u32();
                        self.befriend(op.vreg.as_u32(), reused);
                        self.buddy[op.vreg.as_u32() as usize] = reused;
                    }
                }
            }
            if let Some((from, to)) = f.is_move(inst) {
                let n = f.num_vregs() as u32;
                if from.as_u32() < n && to.as_u32() < n {
                    self.befriend(from.as_u32(), to.as_u32());
                    self.buddy[to.as_u32() as usize] = from.as_u32();
                }
            }
            let clobbers = f.inst_clobbers(inst).intersection(allocatable);
            if !clobbers.is_empty() {
                self.clobber(clobbers, late(i));
            }
            // Only a plain single definition can be computed anew; and not at a terminator, which is no place to repeat.
            if f.is_remat(inst)
                && ops.len() == 1
                && ops[0].is_def()
                && i + 1 < range.end
                && clobbers.is_empty()
            {
                iv.values[ops[0].vreg.as_u32() as usize].remat = true;
            }
        }
        for (n, &succ) in f.block_succs(block).iter().enumerate() {
            let pos = prep.block_end(b) - 1;
            for (&a, &p) in f.branch_args(block, n).iter().zip(f.block_params(succ)) {
                self.raw.push((a.as_u32(), Use { pos, op: NONE, kind: UseKind::Soft, hint: None }));
                self.befriend(a.as_u32(), p.as_u32());
                // The scan sees the argument first, but for back edges.
                let (of, is) = if succ.as_u32() > b { (p, a) } else { (a, p) };
                let buddy = &mut self.buddy[of.as_u32() as usize];
                if *buddy == NONE {
                    *buddy = is.as_u32();
                }
            }
        }
        Ok(())
    }

    fn collect_use<F: Function>(
        &mut self,
        f: &F,
        regs: &RegFile,
        out: &mut Output,
        i: u32,
        ops: &[Operand],
        effective: &[Constraint],
        k: usize,
        base: u32,
        reuses: bool,
    ) {
        let op = &ops[k];
        let value = op.vreg.as_u32();
        let at = base + k as u32;
        let is_late = op.pos == OperandPos::Late;
        let soft = |hint| Use { pos: gap(i), op: NONE, kind: UseKind::Soft, hint };
        match effective[k] {
            Constraint::Fixed(reg) => {
                self.raw.push((value, soft(Some(reg))));
                self.occupy(regs, reg, early(i), early(i) + 1 + is_late as u32, value);
                self.demands.push(Demand { inst: i, value, op: at, target: Target::Fixed(reg) });
                out.allocs[at as usize] = Allocation::Reg(reg);
            }
            Constraint::PairLo => {
                self.raw.push((value, soft(None)));
                self.pairs.push(PairDemand {
                    inst: i,
                    lo: value,
                    hi: ops[k + 1].vreg.as_u32(),
                    op: at,
                    class: pair_class(f, regs, op.vreg),
                    is_def: false,
                    from: early(i),
                    to: early(i) + 1 + is_late as u32,
                    reg: None,
                    first: [NONE; 2],
                });
            }
            Constraint::PairHi => self.raw.push((value, soft(None))),
            Constraint::Reg | Constraint::Any | Constraint::Reuse(_) => {
                let user = if is_late || !reuses { None } else { reuser(f, ops, effective, k) };
                if let Some(user) = user {
                    self.raw.push((value, soft(None)));
                    self.demands.push(Demand { inst: i, value, op: at, target: Target::Reuse(user) });
                    return;
                }
                let (pos, kind) = match (effective[k], is_late) {
                    (Constraint::Any, true) => (late(i), UseKind::Any),
                    (Constraint::Any, false) => (early(i), UseKind::Any),
                    (_, true) => (early(i), UseKind::MustLate),
                    (_, false) => (early(i), UseKind::Must),
                };
                self.raw.push((value, Use { pos, op: at, kind, hint: None }));
            }
        }
    }

    fn collect_def<F: Function>(
        &mut self,
        f: &F,
        regs: &RegFile,
        prep: &Prepared,
        iv: &mut Intervals,
        out: &mut Output,
        i: u32,
        op: &Operand,
        effective: Constraint,
        at: u32,
        b: u32,
    ) -> Result<(), Error> {
        let value = op.vreg.as_u32();
        let mut pos = match op.pos {
            // Nothing that an edge moves may be there either.
            OperandPos::Early if op.is_entry_def() && gap(i) == prep.block_start(b) => gap(i),
            OperandPos::Early => early(i),
            OperandPos::Late => late(i),
        };
        let end = (gap(i) + 5).min(prep.block_end(b));
        let mut kind = None;
        match effective {
            Constraint::Fixed(reg) => {
                self.occupy(regs, reg, pos, end, value);
                self.fixed_defs.push(FixedDef { value, reg });
                out.allocs[at as usize] = Allocation::Reg(reg);
            }
            Constraint::PairLo => {
                let class = pair_class(f, regs, op.vreg);
                // The high half is filled in when its operand comes, right after this one.
                let hi = NONE;
                let (from, to) = (pos, end);
                self.pairs.push(PairDemand {
                    inst: i,
                    lo: value,
                    hi,
                    op: at,
                    class,
                    is_def: true,
                    from,
                    to,
                    reg: None,
                    first: [NONE; 2],
                });
            }
            Constraint::PairHi => {
                if let Some(pair) = self.pairs.last_mut() {
                    pair.hi = value;
                }
            }
            Constraint::Reuse(_) => {
                pos = early(i);
                kind = Some(UseKind::DefEarly);
            }
            Constraint::Any if op.pos == OperandPos::Late => kind = Some(UseKind::Any),
            Constraint::Any | Constraint::Reg => {
                kind = Some(if op.pos == OperandPos::Early { UseKind::DefEarly } else { UseKind::Def });
            }
        }
        if let Some(kind) = kind {
            self.raw.push((value, Use { pos, op: at, kind, hint: None }));
        }
        self.define(iv, op.vreg, pos, b, false)
    }

    fn occupy(&mut self, regs: &RegFile, reg: PReg, from: u32, to: u32, owner: u32) {
        for unit in regs.units(reg) {
            let list = &mut self.fixed[unit as usize];
            let span = FixedSpan { from, to, owner, reg };
            match list.last_mut() {
                // Two fixed uses of a value in one register.
                Some(last) if last.from == from => last.to = last.to.max(to),
                // An early def comes after late uses of the list's order only if they are in different registers.
                Some(last) if last.from > from => {
                    let at = list.partition_point(|s| s.from <= from);
                    list.insert(at, span);
                }
                _ => list.push(span),
            }
        }
    }

    fn clobber(&mut self, units: UnitSet, at: u32) {
        let known = self.clobbers[..self.clobber_count].iter_mut().find(|g| g.units == units);
        if let Some(group) = known {
            group.at.push(at);
            return;
        }
        if self.clobber_count == self.clobbers.len() {
            self.clobbers.push(ClobberGroup::default());
        }
        let group = &mut self.clobbers[self.clobber_count];
        self.clobber_count += 1;
        group.units = units;
        group.at.clear();
        group.at.push(at);
    }

    /// Sorts uses by value and position.
    fn sort_uses(&mut self, iv: &mut Intervals) {
        for &(v, u) in &self.raw {
            let value = &mut iv.values[v as usize];
            value.u1 += 1;
            // A slot must be possible wherever a use takes any place, and then it has to hold the value.
            value.remat &= u.kind != UseKind::Any;
        }
        let mut sum = 0;
        for value in &mut iv.values {
            let count = value.u1;
            value.u0 = sum;
            value.u1 = sum;
            sum += count;
        }
        let filler = Use { pos: 0, op: NONE, kind: UseKind::Soft, hint: None };
        iv.uses.resize(sum as usize, filler);
        for &(v, u) in &self.raw {
            let value = &mut iv.values[v as usize];
            iv.uses[value.u1 as usize] = u;
            value.u1 += 1;
        }
        for value in &iv.values {
            let uses = &mut iv.uses[value.u0 as usize..value.u1 as usize];
            if !uses.is_sorted_by_key(|u| u.pos) {
                uses.sort_by_key(|u| u.pos);
            }
        }
    }

    fn build_ranges<F: Function>(&mut self, f: &F, prep: &Prepared, iv: &mut Intervals) -> Result<(), Error> {
        let blocks = f.num_blocks();
        for stamp in [&mut self.stamp_in, &mut self.stamp_out] {
            stamp.clear();
            stamp.resize(blocks, NONE);
        }
        for v in 0..iv.values.len() as u32 {
            let value = iv.values[v as usize];
            let r0 = iv.spans.len() as u32;
            let uses = &iv.uses[value.u0 as usize..value.u1 as usize];
            if value.def_pos == NONE && uses.is_empty() || value.is_param && uses.is_empty() {
                continue;
            }
            let def_end = if value.is_param { value.def_pos + 1 } else { (value.def_pos & !3) + 3 };
            let local =
                value.def_pos != NONE && uses.last().is_none_or(|u| u.pos < prep.block_end(value.def_block));
            let local = local && uses.first().is_none_or(|u| u.pos >= value.def_pos);
            if local {
                // Most values: nothing leaves the block.
                let to = uses.iter().map(|u| u.live_end()).max().unwrap_or(0).max(def_end);
                iv.spans.push(Span { from: value.def_pos, to });
            } else {
                self.walk(f, prep, v, value, uses)?;
                push_ranges(
                    prep,
                    &self.touched,
                    &self.stamp_in,
                    &self.stamp_out,
                    v,
                    value,
                    uses,
                    &mut iv.spans,
                );
            }
            let value = &mut iv.values[v as usize];
            value.r0 = r0;
            value.r1 = iv.spans.len() as u32;
        }
        Ok(())
    }

    /// Marks the blocks where a value is live at the start or at the end.
    fn walk<F: Function>(
        &mut self,
        f: &F,
        prep: &Prepared,
        v: u32,
        value: Value,
        uses: &[Use],
    ) -> Result<(), Error> {
        self.touched.clear();
        self.work.clear();
        if value.def_pos != NONE {
            self.touched.push(value.def_block);
        }
        let mut last_block = NONE;
        for u in uses {
            let b = prep.block_at(u.pos);
            if b == last_block {
                continue;
            }
            if b == value.def_block && u.pos >= value.def_pos {
                last_block = b;
                continue;
            }
            last_block = if b == value.def_block { NONE } else { b };
            self.enter(v, value, b);
        }
        let undefined = Error::UseBeforeDef { vreg: VReg::from_u32(v) };
        while let Some(b) = self.work.pop() {
            if b == 0 || b == value.def_block {
                return Err(undefined);
            }
            for p in f.block_preds(Block::from_u32(b)) {
                let p = p.as_u32();
                if !prep.reachable[p as usize] || self.stamp_out[p as usize] == v {
                    continue;
                }
                self.stamp_out[p as usize] = v;
                if p != value.def_block {
                    self.enter(v, value, p);
                }
            }
        }
        if !self.touched.is_sorted() {
            self.touched.sort_unstable();
        }
        Ok(())
    }

    fn enter(&mut self, v: u32, value: Value, b: u32) {
        if self.stamp_in[b as usize] != v {
            self.stamp_in[b as usize] = v;
            self.work.push(b);
            if b != value.def_block {
                self.touched.push(b);
            }
        }
    }
}

/// The value that reuses this operand's register: the operand is named, or reads the same value as one that is.
fn reuser<F: Function>(f: &F, ops: &[Operand], effective: &[Constraint], k: usize) -> Option<u32> {
    let early = |o: &Operand| o.is_use() && o.pos == OperandPos::Early;
    let mut found = None;
    for (d, c) in effective.iter().enumerate() {
        if let Constraint::Reuse(j) = *c {
            let j = j as usize;
            if j == k {
                return Some(ops[d].vreg.as_u32());
            }
            // A value of another class may not be read from there.
            let same = f.vreg_class(ops[d].vreg) == f.vreg_class(ops[k].vreg);
            if found.is_none() && same && early(&ops[j]) && ops[j].vreg == ops[k].vreg {
                found = Some(ops[d].vreg.as_u32());
            }
        }
    }
    found
}

fn push_ranges(
    prep: &Prepared,
    touched: &[u32],
    stamp_in: &[u32],
    stamp_out: &[u32],
    v: u32,
    value: Value,
    uses: &[Use],
    spans: &mut Vec<Span>,
) {
    let first = spans.len();
    let mut u = 0;
    for &b in touched {
        let (start, end) = (prep.block_start(b), prep.block_end(b));
        let is_def = b == value.def_block;
        let from = if is_def && stamp_in[b as usize] != v { value.def_pos } else { start };
        let mut to = from + 1;
        if is_def && !value.is_param {
            to = to.max((value.def_pos & !3) + 3);
        }
        while u < uses.len() && uses[u].pos < end {
            to = to.max(uses[u].live_end());
            u += 1;
        }
        if stamp_out[b as usize] == v {
            to = end;
        }
        match spans[first..].last_mut() {
            Some(last) if last.to == from => last.to = to,
            _ => spans.push(Span { from, to }),
        }
    }
}
