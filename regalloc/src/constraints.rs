//! Validation of the input, and what each instruction's constraints really ask.
//!
//! Requires nothing of the input. Leaves, for every operand, an *effective* constraint with which the scan cannot fail.
//!
//! The scan places operands one after the other. It never gets stuck at an instruction if, for each operand, the
//! registers of its class that are not taken by fixed operands outnumber those that all the other operands can block in
//! the worst case. Where this simple count does not hold (nearly always because of a stress setting), the instruction
//! is *tight*: a small search finds registers for all its operands together, and they become fixed ones.
//!
//! Instructions that cannot be reached get their registers by the same search and take no further part.
//!
//! Cost: linear, but for tight instructions, whose search is bounded.

use crate::operand::{Block, Constraint, Inst, Operand, OperandPos, VReg};
use crate::regs::{PReg, RegFile, UnitSet};
use crate::{Allocation, Error, Function, Options, Output, SpillSlot};
use alloc::vec::Vec;
use smallvec::SmallVec;

/// Search steps before an instruction counts as impossible.
const MAX_STEPS: u32 = 200_000;

/// The largest number of instructions, operands or values.
const MAX_COUNT: usize = 1 << 29;

/// Classes as the scan sees them.
#[derive(Default)]
pub(crate) struct ClassInfo {
    /// Registers to choose from, callee-saved ones last, cut down to `max_regs`.
    pub(crate) order: Vec<PReg>,
    /// Members of `order`.
    pub(crate) members: RegSet,
}

/// A set of registers.
#[derive(Clone, Copy, Default)]
pub(crate) struct RegSet([u64; 4]);

impl RegSet {
    pub(crate) fn insert(&mut self, reg: PReg) {
        self.0[reg.index() / 64] |= 1 << (reg.index() % 64);
    }

    pub(crate) fn contains(&self, reg: PReg) -> bool {
        self.0[reg.index() / 64] & (1 << (reg.index() % 64)) != 0
    }
}

/// The function's layout and constraints, checked.
#[derive(Default)]
pub(crate) struct Prepared {
    pub(crate) classes: Vec<ClassInfo>,
    /// Number of registers of a class (row) that a register of another class (column) can block.
    blocks: Vec<u16>,
    /// Effective constraint of every operand.
    pub(crate) effective: Vec<Constraint>,
    /// First instruction of every block, and the number of instructions.
    pub(crate) first_inst: Vec<u32>,
    pub(crate) inst_block: Vec<u32>,
    pub(crate) reachable: Vec<bool>,
    /// Loop depth of every block, as the function gives it.
    depth: Vec<u32>,
    stack: Vec<u32>,
    /// An operand in unreachable code sits in the slot at offset 0.
    pub(crate) dummy_slot: bool,
    /// The largest of `blocks` and the smallest class, among classes of plain operands: a quick test for most instructions.
    max_blocks: u16,
    min_order: u16,
}

/// Something that needs a register of its own at one instruction.
#[derive(Clone, Copy)]
struct Item {
    class: u8,
    early: bool,
    late: bool,
    /// For uses: one register serves all operands that read this value.
    reads: Option<VReg>,
    reg: Option<PReg>,
}

/// Registers that an instruction's fixed operands and clobbers occupy.
#[derive(Clone, Copy, Default)]
struct Taken {
    early: UnitSet,
    late: UnitSet,
}

type Items = SmallVec<[Item; 8]>;
/// For each operand: its item, and which half of a pair it is.
type ItemOf = SmallVec<[Option<(u16, Half)>; 8]>;

#[derive(Clone, Copy, PartialEq, Eq)]
enum Half {
    Whole,
    Lo,
    Hi,
}

impl Prepared {
    /// Position range of a block: the first one, and the one after the last.
    pub(crate) fn block_start(&self, block: u32) -> u32 {
        self.first_inst[block as usize] * 4
    }

    pub(crate) fn block_end(&self, block: u32) -> u32 {
        self.first_inst[block as usize + 1] * 4
    }

    pub(crate) fn block_at(&self, pos: u32) -> u32 {
        self.inst_block[(pos / 4) as usize]
    }

    /// Loop depth at a position.
    pub(crate) fn depth_at(&self, pos: u32) -> u32 {
        self.depth[self.block_at(pos) as usize]
    }

    /// Checks the function and computes everything that the later phases look up.
    pub(crate) fn run<F: Function>(
        &mut self,
        f: &F,
        regs: &RegFile,
        options: &Options,
        out: &mut Output,
    ) -> Result<(), Error> {
        self.set_up_classes(regs, options);
        self.check_layout(f)?;
        self.check_graph(f)?;
        self.find_reachable(f);
        self.depth.clear();
        self.depth.extend((0..f.num_blocks() as u32).map(|b| f.loop_depth(Block::from_u32(b))));
        self.check_edges(f, regs)?;
        self.effective.clear();
        self.dummy_slot = false;
        out.allocs.clear();
        out.offsets.clear();
        let allocatable = regs.allocatable();
        for i in 0..f.num_insts() as u32 {
            let inst = Inst::from_u32(i);
            let ops = f.inst_operands(inst);
            let base = self.effective.len();
            if base + ops.len() > MAX_COUNT {
                return Err(Error::TooLarge);
            }
            out.offsets.push(base as u32);
            out.allocs.resize(base + ops.len(), Allocation::None);
            self.effective.extend(ops.iter().map(|op| op.constraint));
            let plain = self.check_operands(f, regs, inst, ops)?;
            if !plain && i == self.first_inst[self.inst_block[i as usize] as usize] {
                self.check_entry_defs(f, regs, inst, ops)?;
            }
            let reachable = self.reachable[self.inst_block[i as usize] as usize];
            let clobbers = f.inst_clobbers(inst).intersection(allocatable);
            if !reachable {
                self.fill_unreachable(f, regs, inst, ops, &mut out.allocs[base..])?;
            } else if !plain
                || !clobbers.is_empty()
                || ops.len() * self.max_blocks as usize >= self.min_order as usize
            {
                self.settle(f, regs, inst, ops, base)?;
            }
        }
        out.offsets.push(self.effective.len() as u32);
        Ok(())
    }

    fn set_up_classes(&mut self, regs: &RegFile, options: &Options) {
        let n = regs.classes.len();
        self.classes.clear();
        for class in &regs.classes {
            let mut order: Vec<PReg> = class.order.clone();
            order.truncate(options.max_regs.map_or(usize::MAX, |n| n.max(1) as usize));
            order.sort_by_key(|&r| regs.units(r).intersects(regs.callee_saved));
            let mut members = RegSet::default();
            order.iter().for_each(|&r| members.insert(r));
            self.classes.push(ClassInfo { order, members });
        }
        self.blocks.clear();
        for a in &self.classes {
            for b in &self.classes {
                let overlaps = |r: &PReg| a.order.iter().filter(|s| regs.overlap(*r, **s)).count() as u16;
                self.blocks.push(b.order.iter().map(overlaps).max().unwrap_or(0));
            }
        }
        debug_assert!(self.blocks.len() == n * n, "one entry for two classes");
        // What plain operands can do to each other: pair classes take no part.
        let is_pair = |c: usize| regs.classes.iter().any(|k| k.pair.is_some_and(|p| p.index() == c));
        let plain = || (0..n).filter(|&c| !is_pair(c));
        let blocked = plain().flat_map(|a| plain().map(move |b| (a, b))).map(|(a, b)| self.blocks[a * n + b]);
        self.max_blocks = blocked.max().unwrap_or(0);
        self.min_order = plain().map(|c| self.classes[c].order.len() as u16).min().unwrap_or(0);
    }

    fn check_layout<F: Function>(&mut self, f: &F) -> Result<(), Error> {
        let entry = f.entry_block();
        if f.num_insts() > MAX_COUNT || f.num_vregs() > MAX_COUNT || f.num_blocks() > MAX_COUNT {
            return Err(Error::TooLarge);
        }
        if entry.as_u32() != 0 || f.num_blocks() == 0 {
            return Err(Error::Layout { block: entry });
        }
        self.first_inst.clear();
        self.inst_block.clear();
        let mut next = 0;
        for b in 0..f.num_blocks() as u32 {
            let block = Block::from_u32(b);
            let range = f.block_insts(block);
            if range.start != next || range.end <= range.start || range.end as usize > f.num_insts() {
                return Err(Error::Layout { block });
            }
            self.first_inst.push(range.start);
            next = range.end;
            self.inst_block.resize(next as usize, b);
        }
        if next as usize != f.num_insts() {
            return Err(Error::Layout { block: Block::from_u32(f.num_blocks() as u32 - 1) });
        }
        self.first_inst.push(next);
        Ok(())
    }

    /// Every edge is listed at both ends the same number of times, and none is critical.
    fn check_graph<F: Function>(&mut self, f: &F) -> Result<(), Error> {
        let n = f.num_blocks();
        // Count of edges into a block minus entries in its list of predecessors, block by block.
        self.stack.clear();
        self.stack.resize(n, 0);
        for b in 0..n as u32 {
            let block = Block::from_u32(b);
            for &s in f.block_succs(block) {
                match self.stack.get_mut(s.as_u32() as usize) {
                    Some(count) => *count += 1,
                    None => return Err(Error::Graph { block }),
                }
            }
        }
        for b in 0..n as u32 {
            let block = Block::from_u32(b);
            let preds = f.block_preds(block);
            if preds.len() != self.stack[b as usize] as usize {
                return Err(Error::Graph { block });
            }
            for &p in preds {
                if p.as_u32() as usize >= n || !succs_contain(f, p, block) {
                    return Err(Error::Graph { block });
                }
            }
        }
        for b in 0..n as u32 {
            let from = Block::from_u32(b);
            let succs = f.block_succs(from);
            if succs.len() > 1 {
                for &to in succs {
                    if edge_preds(f, to) > 1 {
                        return Err(Error::CriticalEdge { from, to });
                    }
                }
            }
        }
        Ok(())
    }

    fn find_reachable<F: Function>(&mut self, f: &F) {
        self.reachable.clear();
        self.reachable.resize(f.num_blocks(), false);
        self.stack.clear();
        self.stack.push(0);
        self.reachable[0] = true;
        while let Some(b) = self.stack.pop() {
            for s in f.block_succs(Block::from_u32(b)) {
                let s = s.as_u32();
                if !core::mem::replace(&mut self.reachable[s as usize], true) {
                    self.stack.push(s);
                }
            }
        }
    }

    /// Arguments match parameters, and moves find room in front of a jump.
    fn check_edges<F: Function>(&mut self, f: &F, regs: &RegFile) -> Result<(), Error> {
        if !f.block_params(f.entry_block()).is_empty() {
            return Err(Error::EntryParams);
        }
        let allocatable = regs.allocatable();
        let check = |vreg: VReg| check_vreg(f, regs, vreg);
        for b in 0..f.num_blocks() as u32 {
            let block = Block::from_u32(b);
            for &p in f.block_params(block) {
                check(p)?;
            }
            for (succ_index, &succ) in f.block_succs(block).iter().enumerate() {
                let (args, params) = (f.branch_args(block, succ_index), f.block_params(succ));
                if args.len() != params.len() {
                    return Err(Error::BranchArgs { block, succ_index });
                }
                for (&a, &p) in args.iter().zip(params) {
                    check(a)?;
                    check(p)?;
                    if !regs.same_kind(f.vreg_class(a), f.vreg_class(p)) {
                        return Err(Error::BranchArgs { block, succ_index });
                    }
                }
                if edge_preds(f, succ) > 1 {
                    let last = Inst::from_u32(self.first_inst[b as usize + 1] - 1);
                    if !f.inst_operands(last).is_empty() || f.inst_clobbers(last).intersects(allocatable) {
                        return Err(Error::TerminatorOperands { block });
                    }
                }
            }
        }
        Ok(())
    }

    /// Checks operands one by one. Whether none has a constraint other than `Any` or `Reg`.
    fn check_operands<F: Function>(
        &self,
        f: &F,
        regs: &RegFile,
        inst: Inst,
        ops: &[Operand],
    ) -> Result<bool, Error> {
        let mut plain = true;
        for (operand, op) in ops.iter().enumerate() {
            check_vreg(f, regs, op.vreg)?;
            match op.constraint {
                Constraint::Any | Constraint::Reg => continue,
                Constraint::Fixed(reg) => {
                    if reg.index() >= regs.regs.len() {
                        return Err(Error::BadFixed { inst, operand });
                    }
                }
                Constraint::Reuse(k) => {
                    let reused = ops.get(k as usize).filter(|u| u.is_use() && u.pos == OperandPos::Early);
                    let fits =
                        reused.is_some_and(|u| regs.same_kind(f.vreg_class(u.vreg), f.vreg_class(op.vreg)));
                    let again = ops[..operand].iter().any(|o| o.constraint == op.constraint);
                    if !fits || again || op.is_use() || op.pos == OperandPos::Early {
                        return Err(Error::BadReuse { inst, operand });
                    }
                }
                Constraint::PairLo | Constraint::PairHi => {
                    let lo = op.constraint == Constraint::PairLo;
                    let other = if lo {
                        ops.get(operand + 1)
                    } else {
                        operand.checked_sub(1).and_then(|k| ops.get(k))
                    };
                    let wanted = if lo { Constraint::PairHi } else { Constraint::PairLo };
                    let class = f.vreg_class(op.vreg);
                    let fits = other.is_some_and(|o| {
                        o.constraint == wanted
                            && (o.kind, o.pos) == (op.kind, op.pos)
                            && regs.same_kind(f.vreg_class(o.vreg), class)
                            && (op.is_use() || o.vreg != op.vreg)
                    });
                    if !fits || regs.classes[class.index()].pair.is_none() {
                        return Err(Error::BadPair { inst, operand });
                    }
                }
            }
            plain = false;
        }
        Ok(plain)
    }

    /// Registers that a block finds values in hold nothing else at the end of the blocks in front of it.
    fn check_entry_defs<F: Function>(
        &self,
        f: &F,
        regs: &RegFile,
        inst: Inst,
        ops: &[Operand],
    ) -> Result<(), Error> {
        let block = Block::from_u32(self.inst_block[inst.as_u32() as usize]);
        let mut units = UnitSet::EMPTY;
        for op in ops.iter().filter(|op| op.is_entry_def()) {
            if let Constraint::Fixed(reg) = op.constraint {
                units.insert_all(regs.units(reg).intersection(regs.allocatable()));
            }
        }
        for pred in f.block_preds(block) {
            let last = Inst::from_u32(self.first_inst[pred.as_u32() as usize + 1] - 1);
            if !f.inst_clobbers(last).contains_all(units) {
                return Err(Error::EntryDef { block });
            }
        }
        Ok(())
    }

    /// Makes the effective constraints of an instruction ones that the scan cannot fail on.
    fn settle<F: Function>(
        &mut self,
        f: &F,
        regs: &RegFile,
        inst: Inst,
        ops: &[Operand],
        base: usize,
    ) -> Result<(), Error> {
        let mut must_solve = false;
        for (k, op) in ops.iter().enumerate() {
            if let Constraint::Reuse(used) = op.constraint {
                match self.effective[base + used as usize] {
                    Constraint::Fixed(reg) => self.effective[base + k] = Constraint::Fixed(reg),
                    Constraint::PairLo | Constraint::PairHi => must_solve = true,
                    Constraint::Any | Constraint::Reg | Constraint::Reuse(_) => {}
                }
            }
        }
        let (items, item_of) = self.items(f, regs, ops, &self.effective[base..]);
        let taken = self.taken(f, regs, inst, ops, base)?;
        if !must_solve && (items.is_empty() || self.is_loose(regs, &items, taken)) {
            return Ok(());
        }
        // Where a value is read from a fixed register anyway, that will do for its other early uses.
        for k in 0..ops.len() {
            let op = &ops[k];
            if self.effective[base + k] != Constraint::Reg || !op.is_use() || op.pos != OperandPos::Early {
                continue;
            }
            let reused = ops.iter().any(|o| o.constraint == Constraint::Reuse(k as u8) && k < 256);
            let twin = ops.iter().enumerate().find_map(|(j, o)| match self.effective[base + j] {
                Constraint::Fixed(r) if o.is_use() && o.vreg == op.vreg => Some(r),
                _ => None,
            });
            let full = &regs.classes[f.vreg_class(op.vreg).index()].order;
            if let Some(reg) = twin.filter(|r| !reused && full.contains(r)) {
                self.effective[base + k] = Constraint::Fixed(reg);
            }
        }
        drop((items, item_of));
        let (mut items, item_of) = self.items(f, regs, ops, &self.effective[base..]);
        if !self.solve(regs, &mut items, taken) {
            return Err(Error::TooManyConstraints { inst });
        }
        for k in 0..ops.len() {
            if let Some(reg) = chosen(regs, &items, item_of[k]) {
                self.effective[base + k] = Constraint::Fixed(reg);
            }
        }
        Ok(())
    }

    /// What needs registers at this instruction, apart from fixed operands.
    fn items<F: Function>(
        &self,
        f: &F,
        regs: &RegFile,
        ops: &[Operand],
        effective: &[Constraint],
    ) -> (Items, ItemOf) {
        let mut items = Items::new();
        let mut item_of: ItemOf = SmallVec::from_elem(None, ops.len());
        // Reused operands first: they also serve other early uses of the same value.
        for (k, op) in ops.iter().enumerate() {
            let Constraint::Reuse(used) = effective[k] else {
                continue;
            };
            let used = used as usize;
            match effective[used] {
                Constraint::PairLo | Constraint::PairHi => {
                    let lo = used - (effective[used] == Constraint::PairHi) as usize;
                    let item = match item_of[lo] {
                        Some((item, _)) => item,
                        None => {
                            let class = pair_class(f, regs, op.vreg);
                            items.push(Item { class, early: true, late: true, reads: None, reg: None });
                            items.len() as u16 - 1
                        }
                    };
                    item_of[lo] = Some((item, Half::Lo));
                    item_of[lo + 1] = Some((item, Half::Hi));
                    item_of[k] = item_of[used];
                }
                _ => {
                    let item = Some((items.len() as u16, Half::Whole));
                    let class = f.vreg_class(op.vreg).index() as u8;
                    items.push(Item { class, early: true, late: true, reads: None, reg: None });
                    item_of[k] = item;
                    item_of[used] = item;
                    for (j, other) in ops.iter().enumerate() {
                        let early = other.is_use() && other.pos == OperandPos::Early;
                        let simple = matches!(effective[j], Constraint::Reg | Constraint::Any);
                        let same = f.vreg_class(other.vreg) == f.vreg_class(op.vreg);
                        if early && simple && same && other.vreg == ops[used].vreg && item_of[j].is_none() {
                            let claimed = j < 256 && effective.contains(&Constraint::Reuse(j as u8));
                            if !claimed {
                                item_of[j] = item;
                            }
                        }
                    }
                }
            }
        }
        for (k, op) in ops.iter().enumerate() {
            if item_of[k].is_some() {
                continue;
            }
            let early = op.is_use() || op.pos == OperandPos::Early;
            let late = op.is_def() || op.pos == OperandPos::Late;
            match effective[k] {
                Constraint::Reg => {
                    let reads = op.is_use().then_some(op.vreg);
                    if let Some(n) = items.iter().position(|i| reads.is_some() && i.reads == reads) {
                        items[n].late |= late;
                        item_of[k] = Some((n as u16, Half::Whole));
                        continue;
                    }
                    item_of[k] = Some((items.len() as u16, Half::Whole));
                    let class = f.vreg_class(op.vreg).index() as u8;
                    items.push(Item { class, early, late, reads, reg: None });
                }
                Constraint::PairLo => {
                    item_of[k] = Some((items.len() as u16, Half::Lo));
                    item_of[k + 1] = Some((items.len() as u16, Half::Hi));
                    let class = pair_class(f, regs, op.vreg);
                    items.push(Item { class, early, late, reads: None, reg: None });
                }
                // An early def of any kind is given a register.
                Constraint::Any if op.is_def() && early => {
                    item_of[k] = Some((items.len() as u16, Half::Whole));
                    let class = f.vreg_class(op.vreg).index() as u8;
                    items.push(Item { class, early, late, reads: None, reg: None });
                }
                Constraint::Any | Constraint::Fixed(_) | Constraint::PairHi | Constraint::Reuse(_) => {}
            }
        }
        (items, item_of)
    }

    /// Units that fixed operands and clobbers take.
    ///
    /// # Errors
    /// If two of them are in each other's way.
    fn taken<F: Function>(
        &self,
        f: &F,
        regs: &RegFile,
        inst: Inst,
        ops: &[Operand],
        base: usize,
    ) -> Result<Taken, Error> {
        let mut taken = Taken::default();
        let clash = Error::TooManyConstraints { inst };
        let clobbers = f.inst_clobbers(inst);
        for (k, op) in ops.iter().enumerate() {
            let Constraint::Fixed(reg) = self.effective[base + k] else {
                continue;
            };
            let units = regs.units(reg);
            let same = |j: usize, o: &Operand| {
                op.is_use()
                    && o.is_use()
                    && o.vreg == op.vreg
                    && self.effective[base + j] == Constraint::Fixed(reg)
            };
            let twin = ops[..k].iter().enumerate().any(|(j, o)| same(j, o));
            let early = op.is_use() || op.pos == OperandPos::Early;
            let late = op.is_def() || op.pos == OperandPos::Late;
            if !twin && (early && taken.early.intersects(units) || late && taken.late.intersects(units)) {
                return Err(clash);
            }
            // A late use beside an early one of the same register: what matters is the late one.
            if twin && late && taken.late.intersects(units) {
                let late_twin =
                    ops[..k].iter().enumerate().any(|(j, o)| same(j, o) && o.pos == OperandPos::Late);
                if !late_twin {
                    return Err(clash);
                }
            }
            if late && early && clobbers.intersects(units) {
                return Err(clash);
            }
            if early {
                taken.early.insert_all(units);
            }
            if late {
                taken.late.insert_all(units);
            }
        }
        taken.late.insert_all(clobbers);
        Ok(taken)
    }

    /// Whether placing the items in any order cannot fail.
    fn is_loose(&self, regs: &RegFile, items: &Items, taken: Taken) -> bool {
        let n = self.classes.len();
        items.iter().enumerate().all(|(i, item)| {
            let fits = |r: &&PReg| item_fits(item, regs.units(**r), taken);
            let free = self.classes[item.class as usize].order.iter().filter(fits).count();
            let others = items.iter().enumerate();
            let meet = |o: &Item| o.early && item.early || o.late && item.late;
            let blocked = others.filter(|(j, o)| *j != i && meet(o));
            let blocked: usize =
                blocked.map(|(_, o)| self.blocks[item.class as usize * n + o.class as usize] as usize).sum();
            free > blocked
        })
    }

    /// Finds registers for all items together.
    fn solve(&self, regs: &RegFile, items: &mut Items, taken: Taken) -> bool {
        if items.len() > UnitSet::MAX_UNITS * 2 {
            return false;
        }
        let mut order: SmallVec<[u16; 8]> = (0..items.len() as u16).collect();
        let size = |class: u8| regs.classes[class as usize].order.first().map_or(0, |&r| regs.units(r).len());
        order.sort_by_key(|&i| {
            let item = &items[i as usize];
            let fits = |r: &&PReg| item_fits(item, regs.units(**r), taken);
            let choices = regs.classes[item.class as usize].order.iter().filter(fits).count();
            (core::cmp::Reverse(size(item.class)), choices)
        });
        for full in [false, true] {
            let mut steps = 0;
            if self.place(regs, items, &order, taken, full, &mut steps) {
                return true;
            }
        }
        false
    }

    fn place(
        &self,
        regs: &RegFile,
        items: &mut Items,
        order: &[u16],
        taken: Taken,
        full: bool,
        steps: &mut u32,
    ) -> bool {
        let Some((&first, rest)) = order.split_first() else {
            return true;
        };
        let item = items[first as usize];
        let choice = if full {
            &regs.classes[item.class as usize].order
        } else {
            &self.classes[item.class as usize].order
        };
        for &reg in choice {
            *steps += 1;
            if *steps > MAX_STEPS {
                return false;
            }
            let units = regs.units(reg);
            if !item_fits(&item, units, taken) {
                continue;
            }
            let mut taken = taken;
            if item.early {
                taken.early.insert_all(units);
            }
            if item.late {
                taken.late.insert_all(units);
            }
            items[first as usize].reg = Some(reg);
            if self.place(regs, items, rest, taken, full, steps) {
                return true;
            }
        }
        false
    }

    /// Gives the operands of an instruction that is never carried out any registers that satisfy it.
    fn fill_unreachable<F: Function>(
        &mut self,
        f: &F,
        regs: &RegFile,
        inst: Inst,
        ops: &[Operand],
        allocs: &mut [Allocation],
    ) -> Result<(), Error> {
        let base = self.effective.len() - ops.len();
        self.settle(f, regs, inst, ops, base)?;
        let taken = self.taken(f, regs, inst, ops, base)?;
        let (mut items, item_of) = self.items(f, regs, ops, &self.effective[base..]);
        if !self.solve(regs, &mut items, taken) {
            return Err(Error::TooManyConstraints { inst });
        }
        for (k, alloc) in allocs.iter_mut().enumerate() {
            *alloc = match (self.effective[base + k], chosen(regs, &items, item_of[k])) {
                (Constraint::Fixed(reg), _) | (_, Some(reg)) => Allocation::Reg(reg),
                (_, None) => {
                    self.dummy_slot = true;
                    Allocation::Slot(SpillSlot::new(0))
                }
            };
        }
        Ok(())
    }
}

fn item_fits(item: &Item, units: UnitSet, taken: Taken) -> bool {
    !(item.early && taken.early.intersects(units) || item.late && taken.late.intersects(units))
}

/// The register of an operand, once its item has one.
fn chosen(regs: &RegFile, items: &Items, of: Option<(u16, Half)>) -> Option<PReg> {
    let (item, half) = of?;
    let reg = items[item as usize].reg?;
    let (lo, hi) = regs.regs[reg.index()].halves.unwrap_or((reg, reg));
    Some(match half {
        Half::Whole => reg,
        Half::Lo => lo,
        Half::Hi => hi,
    })
}

/// The pair class of a value whose operand is half of a pair (checked before).
pub(crate) fn pair_class<F: Function>(f: &F, regs: &RegFile, vreg: VReg) -> u8 {
    let class = f.vreg_class(vreg);
    regs.classes[class.index()].pair.unwrap_or(class).index() as u8
}

/// How many ways lead into a block; the start of the function is one.
pub(crate) fn edge_preds<F: Function>(f: &F, block: Block) -> usize {
    f.block_preds(block).len() + (block == f.entry_block()) as usize
}

/// Whether an edge leads from one block to the other. Looks at the shorter way: long successor lists lead to blocks with
/// one predecessor, and each of these asks once.
fn succs_contain<F: Function>(f: &F, from: Block, to: Block) -> bool {
    let succs = f.block_succs(from);
    // A guess saves the search in wide branches: successors are mostly numbered in a row.
    let guess = succs.first().and_then(|s| to.as_u32().checked_sub(s.as_u32()));
    guess.and_then(|g| succs.get(g as usize)).is_some_and(|&s| s == to) || succs.contains(&to)
}

fn check_vreg<F: Function>(f: &F, regs: &RegFile, vreg: VReg) -> Result<(), Error> {
    if vreg.as_u32() as usize >= f.num_vregs() {
        return Err(Error::VRegOutOfRange { vreg });
    }
    if f.vreg_class(vreg).index() >= regs.classes.len() {
        return Err(Error::ClassOutOfRange { vreg });
    }
    Ok(())
}
