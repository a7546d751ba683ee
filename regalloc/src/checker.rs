//! The checker: proves that an output computes what its function says.
//!
//! The checker carries out edits and allocated instructions on *symbols* instead of numbers (after the idea of "Fallin,
//! register allocation checker in regalloc2", and older: Leroy & Rideau's validators). It shares no code with the allocator
//! but the validation of the input.
//!
//! **Lattice.** A state gives for each location the set of values that the location surely holds at this point. Locations are
//! physical registers and stretches of the spill area. A location that overlaps the last one written partly holds nothing: writing
//! `d0` empties `s0` and `s1`, and writing either empties `d0`. States are ordered by inclusion, location by location; the
//! meet of two states is the intersection. At the start of the function all sets are empty. A block not seen yet has the
//! top state (every location holds every value), which is never stored.
//!
//! **Transfer.**
//! - A move from `a` to `b` of class `c`: the set of `a` becomes the set of `b`, and everything that overlaps `b` is emptied.
//! - A value computed anew, into `r`: `r` holds just this value, provided that its instruction may be repeated. At the
//!   start of a block with one way in, where moves of the edge are, it also is the parameters that it was passed for.
//! - An instruction first reads: each operand's location must hold its value. Then what it clobbers is emptied. Then it
//!   writes: a value that is defined anew (in a loop) is in none of its former places any more, and the def's
//!   location holds just this value.
//! - At a block's start, before the moves there, the entry defs of its first instruction are in their registers; at the
//!   instruction they must still be.
//! - An edge renames, all at once: a location holds parameter `p` if it held the argument passed for `p`; the parameters'
//!   former values are gone.
//!
//! Blocks are repeated until nothing changes; sets only shrink, so this ends. Since more can go wrong with smaller sets,
//! whatever is wrong in any round is wrong.
//!
//! **Besides values**, each operand's location has to satisfy its constraint, no two operands of an instruction may be
//! in each other's way, and every register in sight must be in [`Output::used`].
//!
//! Cost: a few passes over the function; the states of blocks take as many entries as there are locations in use.

use crate::constraints::Prepared;
use crate::operand::{Block, Constraint, Inst, Operand, OperandPos, VReg};
use crate::regs::{PReg, RegClass, RegFile};
use crate::{Allocation, Edit, Error, Function, Options, Output, ProgPoint, Side};
use alloc::collections::{BTreeMap, BTreeSet};
use alloc::vec::Vec;
use core::fmt;
use smallvec::SmallVec;

/// What is wrong with an output, and where.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct CheckerReport {
    /// The instruction at which it shows, if it is about one.
    pub inst: Option<Inst>,
    /// What is wrong.
    pub problem: Problem,
}

/// What can be wrong with an output.
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum Problem {
    /// The function itself is not valid, so nothing can be said.
    Input(Error),
    /// The output does not have the shape of the function: the sentence says how.
    Shape(&'static str),
    /// An operand reads a location that does not surely hold its value.
    WrongValue {
        /// The operand's index.
        operand: usize,
        /// The value that it reads.
        vreg: VReg,
        /// Where it reads.
        at: Allocation,
        /// What is there.
        holds: Vec<VReg>,
    },
    /// An operand's location does not satisfy its constraint.
    Constraint {
        /// The operand's index.
        operand: usize,
        /// Its location.
        at: Allocation,
    },
    /// Two operands of the instruction are in each other's way.
    Conflict {
        /// One operand's index.
        first: usize,
        /// The other one's.
        second: usize,
    },
    /// An operand is in a register that the instruction destroys too early.
    Clobbered {
        /// The operand's index.
        operand: usize,
    },
    /// A slot is not aligned or not inside of the spill area.
    Slot {
        /// The slot.
        at: Allocation,
    },
    /// An edit makes no sense: the sentence says why.
    Edit {
        /// The edit.
        edit: Edit,
        /// Why it makes no sense.
        why: &'static str,
    },
    /// A register is missing in [`Output::used`].
    NotUsed {
        /// The register.
        reg: PReg,
    },
}

impl fmt::Display for CheckerReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(inst) = self.inst {
            write!(f, "{inst}: ")?;
        }
        match &self.problem {
            Problem::Input(e) => write!(f, "the function is not valid: {e}"),
            Problem::Shape(what) => write!(f, "{what}"),
            Problem::WrongValue { operand, vreg, at, holds } => {
                write!(f, "operand {operand} reads {vreg} from {at:?}, which holds {holds:?}")
            }
            Problem::Constraint { operand, at } => {
                write!(f, "operand {operand} cannot be in {at:?}")
            }
            Problem::Conflict { first, second } => {
                write!(f, "operands {first} and {second} are in each other's way")
            }
            Problem::Clobbered { operand } => {
                write!(f, "operand {operand} is in a register that is clobbered")
            }
            Problem::Slot { at } => {
                write!(f, "{at:?} is not aligned or not inside of the spill area")
            }
            Problem::Edit { edit, why } => write!(f, "{edit:?}: {why}"),
            Problem::NotUsed { reg } => {
                write!(f, "register {} is not among those used", reg.index())
            }
        }
    }
}

impl core::error::Error for CheckerReport {}

/// Proves that `out` is a right allocation for `f`.
///
/// # Errors
/// The first thing found wrong.
pub fn check<F: Function>(f: &F, regs: &RegFile, out: &Output) -> Result<(), CheckerReport> {
    let mut prep = Prepared::default();
    prep.run(f, regs, &Options::default(), &mut Output::new())
        .map_err(|e| CheckerReport { inst: None, problem: Problem::Input(e) })?;
    let shape = |problem| Err(CheckerReport { inst: None, problem: Problem::Shape(problem) });
    if out.offsets.len() != f.num_insts() + 1 {
        return shape("the output has not as many instructions as the function");
    }
    for i in 0..f.num_insts() as u32 {
        let inst = Inst::from_u32(i);
        if out.inst_allocs(inst).len() != f.inst_operands(inst).len() {
            return shape("an instruction has not as many allocations as operands");
        }
    }
    if !out.edits.is_sorted_by_key(|e| e.0) {
        return shape("edits are not sorted");
    }
    if out.edits.last().is_some_and(|e| e.0.inst.as_u32() as usize >= f.num_insts()) {
        return shape("an edit is at an instruction that does not exist");
    }
    let overlaps = (0..regs.regs.len() as u32).map(|r| {
        let r = PReg::new(r as u8);
        let all = (0..regs.regs.len()).map(|s| PReg::new(s as u8));
        all.filter(|&s| regs.overlap(r, s)).collect()
    });
    let checker = Checker {
        f,
        regs,
        out,
        prep: &prep,
        overlaps: overlaps.collect(),
        max_slot: regs.classes.iter().map(|c| c.spill_size).max().unwrap_or(0),
        state: State { regs: alloc::vec![Set::new(); regs.regs.len()], slots: BTreeMap::new() },
        holders: alloc::vec![0; f.num_vregs()],
        aliases: Vec::new(),
    };
    checker.run()
}

/// A sorted set of values.
type Set = SmallVec<[VReg; 2]>;

/// What each location holds.
#[derive(Clone, PartialEq, Eq)]
struct State {
    regs: Vec<Set>,
    /// By offset: size in bytes, and what is there.
    slots: BTreeMap<u32, (u32, Set)>,
}

struct Checker<'a, F> {
    f: &'a F,
    regs: &'a RegFile,
    out: &'a Output,
    prep: &'a Prepared,
    overlaps: Vec<Vec<PReg>>,
    max_slot: u32,
    state: State,
    /// In how many locations of the state each value is: spares the search for values that are nowhere.
    holders: Vec<u32>,
    /// At a block's start: arguments and the parameters that they are passed for.
    aliases: Vec<(VReg, VReg)>,
}

impl<F: Function> Checker<'_, F> {
    fn run(mut self) -> Result<(), CheckerReport> {
        let n = self.f.num_blocks();
        for b in (0..n).filter(|&b| !self.prep.reachable[b]) {
            for i in self.f.block_insts(Block::from_u32(b as u32)) {
                self.check_places(Inst::from_u32(i))?;
            }
        }
        let mut starts: Vec<Option<State>> = alloc::vec![None; n];
        starts[0] = Some(self.state.clone());
        let mut work = BTreeSet::from([0u32]);
        let mut edit = EditCursor::new(self.out, self.f);
        while let Some(b) = work.pop_first() {
            let block = Block::from_u32(b);
            let Some(start) = starts[b as usize].clone() else {
                continue;
            };
            self.load(start);
            edit.seek(self.f.block_insts(block).start);
            self.find_aliases(block);
            self.entry_defs(Inst::from_u32(self.f.block_insts(block).start));
            for i in self.f.block_insts(block) {
                let inst = Inst::from_u32(i);
                for e in edit.take(self.out, ProgPoint::before(inst)) {
                    self.edit(inst, e)?;
                }
                self.aliases.clear();
                self.instruction(inst)?;
                for e in edit.take(self.out, ProgPoint::after(inst)) {
                    self.edit(inst, e)?;
                }
            }
            for (k, &succ) in self.f.block_succs(block).iter().enumerate() {
                let passed = self.along(self.f.branch_args(block, k), self.f.block_params(succ));
                let known = &mut starts[succ.as_u32() as usize];
                let changed = match known {
                    None => {
                        *known = Some(passed.unwrap_or_else(|| self.state.clone()));
                        true
                    }
                    Some(known) => known.meet(passed.as_ref().unwrap_or(&self.state)),
                };
                if changed {
                    work.insert(succ.as_u32());
                }
            }
        }
        Ok(())
    }

    /// Values that are in their registers when a block is entered, which its first instruction names.
    fn entry_defs(&mut self, first: Inst) {
        let (f, out) = (self.f, self.out);
        for (op, &at) in f.inst_operands(first).iter().zip(out.inst_allocs(first)) {
            if op.is_entry_def() {
                self.forget(op.vreg);
                self.write(at, f.vreg_class(op.vreg), Set::from_slice(&[op.vreg]));
            }
        }
    }

    /// Behind the only edge into a block, parameters are equal to their arguments.
    fn find_aliases(&mut self, block: Block) {
        self.aliases.clear();
        if let [pred] = *self.f.block_preds(block)
            && block != self.f.entry_block()
        {
            let k = self.f.block_succs(pred).iter().position(|&s| s == block);
            let args = k.map_or(&[][..], |k| self.f.branch_args(pred, k));
            let params = self.f.block_params(block);
            self.aliases.extend(args.iter().copied().zip(params.iter().copied()));
        }
    }

    fn load(&mut self, state: State) {
        let old = core::mem::replace(&mut self.state, state);
        old.sets().flatten().for_each(|v| self.holders[v.as_u32() as usize] = 0);
        for v in self.state.sets().flatten() {
            self.holders[v.as_u32() as usize] += 1;
        }
    }

    /// The state behind an edge; `None` if it is the same.
    fn along(&self, args: &[VReg], params: &[VReg]) -> Option<State> {
        if params.is_empty() {
            return None;
        }
        let mut by_arg: Vec<(VReg, VReg)> = args.iter().copied().zip(params.iter().copied()).collect();
        by_arg.sort_unstable();
        let mut gone: Vec<VReg> = params.to_vec();
        gone.sort_unstable();
        let rename = |set: &Set| {
            let mut new: Set = set.iter().copied().filter(|v| gone.binary_search(v).is_err()).collect();
            for v in set {
                let from = by_arg.partition_point(|x| x.0 < *v);
                new.extend(by_arg[from..].iter().take_while(|x| x.0 == *v).map(|x| x.1));
            }
            new.sort_unstable();
            new.dedup();
            new
        };
        let regs = self.state.regs.iter().map(rename).collect();
        let slots = self.state.slots.iter().map(|(&o, (size, set))| (o, (*size, rename(set)))).collect();
        Some(State { regs, slots })
    }

    fn fail<T>(&self, inst: Inst, problem: Problem) -> Result<T, CheckerReport> {
        Err(CheckerReport { inst: Some(inst), problem })
    }

    fn edit(&mut self, inst: Inst, edit: Edit) -> Result<(), CheckerReport> {
        let bad = |why| Err(CheckerReport { inst: Some(inst), problem: Problem::Edit { edit, why } });
        match edit {
            Edit::Move { from, to, class } => {
                if class.index() >= self.regs.classes.len() {
                    return bad("the class does not exist");
                }
                for place in [from, to] {
                    if place == Allocation::None {
                        return bad("a move between places needs two places");
                    }
                    self.check_place(inst, place, class)?;
                }
                let set = self.read(from, class);
                if !self.check_moved(inst, to, &set) {
                    return bad("no value there may be in that register");
                }
                self.write(to, class, set);
            }
            Edit::Remat { inst: source, to } => {
                if source.as_u32() as usize >= self.f.num_insts() || !self.f.is_remat(source) {
                    return bad("the instruction may not be repeated");
                }
                let [def] = self.f.inst_operands(source) else {
                    return bad("the instruction has other operands than its result");
                };
                if !def.is_def() {
                    return bad("the instruction has no result");
                }
                let class = self.f.vreg_class(def.vreg);
                let to = Allocation::Reg(to);
                self.check_place(inst, to, class)?;
                let mut set = Set::from_slice(&[def.vreg]);
                set.extend(self.aliases.iter().filter(|a| a.0 == def.vreg).map(|a| a.1));
                set.sort_unstable();
                self.write(to, class, set);
            }
        }
        Ok(())
    }

    /// A register must be one that the values moved there may be in: their class's, the scratch register, where `inst` reads a
    /// copy, or where a parameter that one is passed for wants it. So no value of a subset is in a foreign register but
    /// right in front of the instruction that wants it there.
    fn check_moved(&self, inst: Inst, to: Allocation, set: &Set) -> bool {
        let Some(reg) = to.as_reg() else { return true };
        let member = |v: VReg| self.regs.classes[self.f.vreg_class(v).index()].order.contains(&reg);
        let scratch = |v: VReg| self.regs.classes[self.f.vreg_class(v).index()].scratch == Some(reg);
        if set.is_empty() || set.iter().any(|&v| member(v) || scratch(v)) {
            return true;
        }
        if self.out.inst_allocs(inst).iter().any(|at| at.as_reg().is_some_and(|r| self.regs.overlap(r, reg)))
        {
            return true;
        }
        if self.aliases.iter().any(|&(arg, param)| set.contains(&arg) && member(param)) {
            return true;
        }
        let block = Block::from_u32(self.prep.inst_block[inst.as_u32() as usize]);
        self.f.block_insts(block).end == inst.as_u32() + 1
            && self.f.block_succs(block).iter().enumerate().any(|(k, &succ)| {
                let passed = self.f.branch_args(block, k).iter().zip(self.f.block_params(succ));
                passed.into_iter().any(|(arg, &param)| set.contains(arg) && member(param))
            })
    }

    /// A register must be known as used, a slot well placed.
    fn check_place(&self, inst: Inst, place: Allocation, class: RegClass) -> Result<(), CheckerReport> {
        match place {
            Allocation::Reg(reg) => {
                let units = self.regs.units(reg);
                if units.is_empty() || !self.out.used.contains_all(units) {
                    return self.fail(inst, Problem::NotUsed { reg });
                }
            }
            Allocation::Slot(slot) => {
                let class = &self.regs.classes[class.index()];
                let end = slot.offset_bytes().checked_add(class.spill_size);
                let inside = end.is_some_and(|end| end <= self.out.spill_size_bytes);
                let aligned = slot.offset_bytes() % class.spill_align == 0;
                if !inside || !aligned || self.out.spill_align < class.spill_align {
                    return self.fail(inst, Problem::Slot { at: place });
                }
            }
            Allocation::None => {}
        }
        Ok(())
    }

    fn instruction(&mut self, inst: Inst) -> Result<(), CheckerReport> {
        self.check_places(inst)?;
        let (f, out) = (self.f, self.out);
        let ops = f.inst_operands(inst);
        let allocs = out.inst_allocs(inst);
        // The moves in front of the instruction must leave an entry def where it is.
        let block = self.prep.inst_block[inst.as_u32() as usize];
        let is_first = self.prep.first_inst[block as usize] == inst.as_u32();
        let is_entry_def = |op: &Operand| is_first && op.is_entry_def();
        let read = ops.iter().zip(allocs).enumerate().filter(|(_, (op, _))| op.is_use() || is_entry_def(op));
        for (operand, (op, &at)) in read {
            let holds = self.read(at, f.vreg_class(op.vreg));
            if holds.binary_search(&op.vreg).is_err() {
                let holds = holds.to_vec();
                return self.fail(inst, Problem::WrongValue { operand, vreg: op.vreg, at, holds });
            }
        }
        let clobbers = f.inst_clobbers(inst);
        if !clobbers.is_empty() {
            for r in 0..self.regs.regs.len() {
                if self.regs.regs[r].units.intersects(clobbers) {
                    self.set_reg(r, Set::new());
                }
            }
        }
        let written = |op: &Operand| op.is_def() && !is_entry_def(op);
        for op in ops.iter().filter(|op| written(op)) {
            self.forget(op.vreg);
        }
        for (op, &at) in ops.iter().zip(allocs).filter(|(op, _)| written(op)) {
            self.write(at, f.vreg_class(op.vreg), Set::from_slice(&[op.vreg]));
        }
        Ok(())
    }

    /// Checks what does not depend on values.
    fn check_places(&self, inst: Inst) -> Result<(), CheckerReport> {
        let ops = self.f.inst_operands(inst);
        let allocs = self.out.inst_allocs(inst);
        let clobbers = self.f.inst_clobbers(inst);
        // Code that is never carried out may share slots at will.
        let block = self.prep.inst_block[inst.as_u32() as usize];
        let reachable = self.prep.reachable[block as usize];
        for (operand, (op, &at)) in ops.iter().zip(allocs).enumerate() {
            let class = self.f.vreg_class(op.vreg);
            if !self.satisfies(ops, allocs, operand) {
                return self.fail(inst, Problem::Constraint { operand, at });
            }
            self.check_place(inst, at, class)?;
            let fixed_def =
                op.is_def() && matches!(op.constraint, Constraint::Fixed(_)) && op.pos == OperandPos::Late;
            let has_late = op.is_def() || op.pos == OperandPos::Late;
            if let Some(reg) = at.as_reg().filter(|_| has_late && !fixed_def) {
                // A def tied to a fixed use counts as fixed.
                let tied = match op.constraint {
                    Constraint::Reuse(k) => {
                        matches!(ops[k as usize].constraint, Constraint::Fixed(_))
                    }
                    _ => false,
                };
                if self.regs.units(reg).intersects(clobbers) && !tied {
                    return self.fail(inst, Problem::Clobbered { operand });
                }
            }
            if op.is_def() {
                for (second, (other, &place)) in ops.iter().zip(allocs).enumerate() {
                    let early =
                        op.pos == OperandPos::Early || other.pos == OperandPos::Late || other.is_def();
                    if second != operand
                        && early
                        && (reachable || at.as_reg().is_some())
                        && self.meet(at, class, place, self.f.vreg_class(other.vreg))
                    {
                        return self.fail(inst, Problem::Conflict { first: operand, second });
                    }
                }
            }
        }
        Ok(())
    }

    fn satisfies(&self, ops: &[Operand], allocs: &[Allocation], operand: usize) -> bool {
        let op = &ops[operand];
        let at = allocs[operand];
        // A copy that a def is tied to is where the def wants it.
        let tied = ops.iter().find(|o| op.is_use() && o.constraint == Constraint::Reuse(operand as u8));
        let class = &self.regs.classes[self.f.vreg_class(tied.unwrap_or(op).vreg).index()];
        let member = |at: Allocation| at.as_reg().is_some_and(|r| class.order.contains(&r));
        match op.constraint {
            Constraint::Any => at.as_slot().is_some() || member(at),
            Constraint::Reg => member(at),
            Constraint::Fixed(reg) => at == Allocation::Reg(reg),
            Constraint::Reuse(k) => at.as_reg().is_some() && allocs.get(k as usize) == Some(&at),
            Constraint::PairLo | Constraint::PairHi => {
                let first = operand - (op.constraint == Constraint::PairHi) as usize;
                let (Some(lo), Some(hi)) = (allocs[first].as_reg(), allocs[first + 1].as_reg()) else {
                    return false;
                };
                let pair = class.pair.map(|c| &self.regs.classes[c.index()]);
                pair.is_some_and(|c| {
                    c.order.iter().any(|r| self.regs.regs[r.index()].halves == Some((lo, hi)))
                })
            }
        }
    }

    /// Whether two places overlap.
    fn meet(&self, a: Allocation, a_class: RegClass, b: Allocation, b_class: RegClass) -> bool {
        match (a, b) {
            (Allocation::Reg(a), Allocation::Reg(b)) => self.regs.overlap(a, b),
            (Allocation::Slot(a), Allocation::Slot(b)) => {
                let size = |c: RegClass| self.regs.classes[c.index()].spill_size;
                a.offset_bytes() < b.offset_bytes() + size(b_class)
                    && b.offset_bytes() < a.offset_bytes() + size(a_class)
            }
            _ => false,
        }
    }

    fn read(&self, at: Allocation, class: RegClass) -> Set {
        match at {
            Allocation::Reg(r) => self.state.regs.get(r.index()).cloned().unwrap_or_default(),
            Allocation::Slot(s) => {
                let size = self.regs.classes[class.index()].spill_size;
                match self.state.slots.get(&s.offset_bytes()) {
                    Some((n, set)) if *n == size => set.clone(),
                    _ => Set::new(),
                }
            }
            Allocation::None => Set::new(),
        }
    }

    fn write(&mut self, at: Allocation, class: RegClass, set: Set) {
        match at {
            Allocation::Reg(r) => {
                let Some(all) =
                    self.overlaps.get(r.index()).map(|all| SmallVec::<[PReg; 8]>::from_slice(all))
                else {
                    return;
                };
                all.iter().for_each(|s| self.set_reg(s.index(), Set::new()));
                self.set_reg(r.index(), set);
            }
            Allocation::Slot(s) => {
                let size = self.regs.classes[class.index()].spill_size;
                let (start, end) = (s.offset_bytes(), s.offset_bytes().saturating_add(size));
                let near = self.state.slots.range(start.saturating_sub(self.max_slot)..end);
                let hit: SmallVec<[u32; 4]> =
                    near.filter(|(o, (n, _))| **o + n > start).map(|(&o, _)| o).collect();
                for offset in hit {
                    if let Some((_, old)) = self.state.slots.remove(&offset) {
                        old.iter().for_each(|v| self.holders[v.as_u32() as usize] -= 1);
                    }
                }
                set.iter().for_each(|v| self.holders[v.as_u32() as usize] += 1);
                self.state.slots.insert(start, (size, set));
            }
            Allocation::None => {}
        }
    }

    fn set_reg(&mut self, reg: usize, set: Set) {
        self.state.regs[reg].iter().for_each(|v| self.holders[v.as_u32() as usize] -= 1);
        set.iter().for_each(|v| self.holders[v.as_u32() as usize] += 1);
        self.state.regs[reg] = set;
    }

    /// The value is about to be defined: its former value is nowhere any more.
    fn forget(&mut self, vreg: VReg) {
        if self.holders[vreg.as_u32() as usize] > 0 {
            let slots = self.state.slots.values_mut().map(|(_, set)| set);
            for set in self.state.regs.iter_mut().chain(slots) {
                set.retain(|v| *v != vreg);
            }
            self.holders[vreg.as_u32() as usize] = 0;
        }
    }
}

impl State {
    fn sets(&self) -> impl Iterator<Item = &Set> {
        self.regs.iter().chain(self.slots.values().map(|(_, set)| set))
    }

    /// Intersects with another state. Whether anything changed.
    fn meet(&mut self, other: &State) -> bool {
        let mut changed = false;
        let mut shrink = |set: &mut Set, with: Option<&Set>| {
            let before = set.len();
            set.retain(|v| with.is_some_and(|w| w.binary_search(v).is_ok()));
            changed |= set.len() != before;
        };
        for (set, with) in self.regs.iter_mut().zip(&other.regs) {
            shrink(set, Some(with));
        }
        for (offset, (size, set)) in &mut self.slots {
            let with = other.slots.get(offset).filter(|(n, _)| n == size).map(|(_, w)| w);
            shrink(set, with);
        }
        if changed {
            self.slots.retain(|_, (_, set)| !set.is_empty());
        }
        changed
    }
}

/// Walks along the sorted edits.
struct EditCursor {
    /// Index of the first edit of each instruction, and the number of edits.
    first: Vec<u32>,
    at: usize,
}

impl EditCursor {
    fn new<F: Function>(out: &Output, f: &F) -> Self {
        let mut first = Vec::with_capacity(f.num_insts() + 1);
        let mut at = 0;
        for i in 0..=f.num_insts() as u32 {
            while out.edits.get(at).is_some_and(|e| e.0.inst.as_u32() < i) {
                at += 1;
            }
            first.push(at as u32);
        }
        EditCursor { first, at: 0 }
    }

    fn seek(&mut self, inst: u32) {
        self.at = self.first[inst as usize] as usize;
    }

    fn take<'a>(&mut self, out: &'a Output, point: ProgPoint) -> impl Iterator<Item = Edit> + use<'a> {
        debug_assert!(point.side == Side::Before || point.side == Side::After, "a point has a side");
        let from = self.at;
        while out.edits.get(self.at).is_some_and(|e| e.0 == point) {
            self.at += 1;
        }
        out.edits[from..self.at].iter().map(|e| e.1)
    }
}
