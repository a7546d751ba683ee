//! Functions for tests: a builder, a register file like that of a 32-bit ARM, and a generator of random valid functions.
//!
//! Behind the feature `testing`.

use crate::operand::{Block, Constraint, Inst, Operand, OperandKind, OperandPos, VReg};
use crate::regs::{ClassDef, PReg, RegClass, RegDef, RegFile, UnitSet};
use crate::{Function, InstRange};
use alloc::vec::Vec;

/// General registers of [`arm_like`]: `PReg::new(n)` is `r{n}`.
pub const CORE: RegClass = RegClass::new(0);
/// Even/odd pairs of general registers.
pub const PAIRS: RegClass = RegClass::new(1);
/// Single-precision registers.
pub const SINGLE: RegClass = RegClass::new(2);
/// Double-precision registers, each on top of two single-precision ones.
pub const DOUBLE: RegClass = RegClass::new(3);
/// Some of the core registers, `r4` and up, for values that may be in no others.
pub const SUBSET: RegClass = RegClass::new(4);

/// `s{n}` of [`arm_like`].
pub const fn s(n: u8) -> PReg {
    PReg::new(22 + n)
}

/// `d{n}` of [`arm_like`].
pub const fn d(n: u8) -> PReg {
    PReg::new(54 + n)
}

const NAMES: [&str; 70] = [
    "r0", "r1", "r2", "r3", "r4", "r5", "r6", "r7", "r8", "r9", "r10", "r11", "r12", "sp", "lr", "pc",
    "r0:r1", "r2:r3", "r4:r5", "r6:r7", "r8:r9", "r10:r11", "s0", "s1", "s2", "s3", "s4", "s5", "s6", "s7",
    "s8", "s9", "s10", "s11", "s12", "s13", "s14", "s15", "s16", "s17", "s18", "s19", "s20", "s21", "s22",
    "s23", "s24", "s25", "s26", "s27", "s28", "s29", "s30", "s31", "d0", "d1", "d2", "d3", "d4", "d5", "d6",
    "d7", "d8", "d9", "d10", "d11", "d12", "d13", "d14", "d15",
];

/// Registers like those of a 32-bit ARM with 16 double registers. With `scratch`, moves have scratch registers.
pub fn arm_like(scratch: bool) -> RegFile {
    let mut regs = Vec::new();
    for (n, &name) in NAMES.iter().enumerate() {
        let n = n as u8;
        regs.push(match n {
            0..16 => RegDef { name, units: UnitSet::single(n), halves: None },
            16..22 => {
                let lo = 2 * (n - 16);
                let halves = Some((PReg::new(lo), PReg::new(lo + 1)));
                RegDef { name, units: UnitSet::range(lo, 2), halves }
            }
            22..54 => RegDef { name, units: UnitSet::single(16 + n - 22), halves: None },
            _ => RegDef { name, units: UnitSet::range(16 + 2 * (n - 54), 2), halves: None },
        });
    }
    let class = |name, order: Vec<PReg>, size, temp: Option<PReg>, pair| ClassDef {
        name,
        order,
        spill_size: size,
        spill_align: size,
        scratch: temp.filter(|_| scratch),
        subset_of: None,
        pair,
    };
    let core: Vec<PReg> = (0..12).chain([14]).map(PReg::new).collect();
    let callee_saved = UnitSet::range(4, 8).union(UnitSet::single(14)).union(UnitSet::range(16 + 16, 16));
    RegFile {
        regs,
        classes: alloc::vec![
            class("core", core, 4, Some(PReg::new(12)), Some(PAIRS)),
            class("pair", (16..22).map(PReg::new).collect(), 8, None, None),
            class("single", (0..30).map(s).collect(), 4, Some(s(30)), None),
            class("double", (0..15).map(d).collect(), 8, Some(d(15)), None),
            ClassDef {
                subset_of: Some(CORE),
                ..class("subset", (4..12).map(PReg::new).collect(), 4, Some(PReg::new(12)), Some(PAIRS))
            },
        ],
        callee_saved,
    }
}

/// What a call destroys in [`arm_like`].
pub fn call_clobbers() -> UnitSet {
    UnitSet::range(0, 4).union(UnitSet::single(12)).union(UnitSet::single(14)).union(UnitSet::range(16, 16))
}

/// An instruction of a [`TestFunction`].
#[derive(Clone, Debug, Default)]
pub struct TestInst {
    /// Its operands.
    pub ops: Vec<Operand>,
    /// What it destroys.
    pub clobbers: UnitSet,
    /// It can be carried out again.
    pub remat: bool,
    /// It copies its first operand to its second one.
    pub copies: bool,
}

/// A block of a [`TestFunction`].
#[derive(Clone, Debug, Default)]
pub struct TestBlock {
    /// Its instructions.
    pub insts: Vec<TestInst>,
    /// Its parameters.
    pub params: Vec<VReg>,
    /// Its successors and what is passed to them.
    pub succs: Vec<(u32, Vec<VReg>)>,
}

/// A function as plain data. Fill `classes` and `blocks`, then call [`TestFunction::finish`].
#[derive(Clone, Debug, Default)]
pub struct TestFunction {
    /// The class of every value.
    pub classes: Vec<RegClass>,
    /// The blocks in layout order.
    pub blocks: Vec<TestBlock>,
    flat: Vec<TestInst>,
    ranges: Vec<InstRange>,
    succs: Vec<Vec<Block>>,
    preds: Vec<Vec<Block>>,
    depths: Vec<u32>,
}

impl TestFunction {
    /// A new value.
    pub fn value(&mut self, class: RegClass) -> VReg {
        self.classes.push(class);
        VReg::from_u32(self.classes.len() as u32 - 1)
    }

    /// A new, empty block.
    pub fn block(&mut self) -> usize {
        self.blocks.push(TestBlock::default());
        self.blocks.len() - 1
    }

    /// Appends an instruction with these operands to a block.
    pub fn push(&mut self, block: usize, ops: &[Operand]) -> &mut TestInst {
        let insts = &mut self.blocks[block].insts;
        insts.push(TestInst { ops: ops.to_vec(), ..TestInst::default() });
        let last = insts.len() - 1;
        &mut insts[last]
    }

    /// Adds an edge.
    pub fn edge(&mut self, from: usize, to: usize, args: &[VReg]) {
        self.blocks[from].succs.push((to as u32, args.to_vec()));
    }

    /// Numbers instructions and finds predecessors.
    pub fn finish(mut self) -> Self {
        let n = self.blocks.len();
        self.flat.clear();
        self.ranges.clear();
        self.preds = alloc::vec![Vec::new(); n];
        self.succs = alloc::vec![Vec::new(); n];
        self.depths = alloc::vec![0; n];
        for b in 0..n {
            let start = self.flat.len() as u32;
            self.flat.extend(self.blocks[b].insts.iter().cloned());
            self.ranges.push(start..self.flat.len() as u32);
            for (s, _) in &self.blocks[b].succs {
                self.succs[b].push(Block::from_u32(*s));
                self.preds[*s as usize].push(Block::from_u32(b as u32));
            }
        }
        if n < 1000 {
            for b in 0..n {
                for s in self.succs[b].iter().map(|s| s.as_u32() as usize).filter(|&s| s <= b) {
                    self.depths[s..=b].iter_mut().for_each(|d| *d += 1);
                }
            }
        }
        self
    }

    /// The block's predecessors, counting the start of the function.
    fn ways_in(&self, block: u32) -> usize {
        let edges = self.blocks.iter().flat_map(|b| &b.succs).filter(|s| s.0 == block).count();
        edges + (block == 0) as usize
    }

    /// Splits critical edges by blocks at the end.
    pub fn split_critical_edges(&mut self) {
        for b in 0..self.blocks.len() {
            if self.blocks[b].succs.len() < 2 {
                continue;
            }
            for k in 0..self.blocks[b].succs.len() {
                let (to, _) = self.blocks[b].succs[k];
                if self.ways_in(to) > 1 {
                    let middle = self.block();
                    self.push(middle, &[]);
                    let edge = core::mem::replace(&mut self.blocks[b].succs[k], (middle as u32, Vec::new()));
                    self.blocks[middle].succs.push(edge);
                }
            }
        }
    }
}

impl Function for TestFunction {
    fn num_insts(&self) -> usize {
        self.flat.len()
    }
    fn num_blocks(&self) -> usize {
        self.blocks.len()
    }
    fn num_vregs(&self) -> usize {
        self.classes.len()
    }
    fn block_insts(&self, block: Block) -> InstRange {
        self.ranges[block.as_u32() as usize].clone()
    }
    fn block_succs(&self, block: Block) -> &[Block] {
        &self.succs[block.as_u32() as usize]
    }
    fn block_preds(&self, block: Block) -> &[Block] {
        &self.preds[block.as_u32() as usize]
    }
    fn block_params(&self, block: Block) -> &[VReg] {
        &self.blocks[block.as_u32() as usize].params
    }
    fn branch_args(&self, block: Block, succ_index: usize) -> &[VReg] {
        &self.blocks[block.as_u32() as usize].succs[succ_index].1
    }
    fn loop_depth(&self, block: Block) -> u32 {
        self.depths[block.as_u32() as usize]
    }
    fn inst_operands(&self, inst: Inst) -> &[Operand] {
        &self.flat[inst.as_u32() as usize].ops
    }
    fn inst_clobbers(&self, inst: Inst) -> UnitSet {
        self.flat[inst.as_u32() as usize].clobbers
    }
    fn is_move(&self, inst: Inst) -> Option<(VReg, VReg)> {
        let i = &self.flat[inst.as_u32() as usize];
        i.copies.then(|| (i.ops[0].vreg, i.ops[1].vreg))
    }
    fn vreg_class(&self, vreg: VReg) -> RegClass {
        self.classes[vreg.as_u32() as usize]
    }
    fn is_remat(&self, inst: Inst) -> bool {
        self.flat[inst.as_u32() as usize].remat
    }
}

/// A small pseudo-random number generator (xorshift64*), the same on every host.
#[derive(Clone, Debug)]
pub struct Rng(u64);

impl Rng {
    /// A generator for this seed.
    pub fn new(seed: u64) -> Self {
        let mut r = Rng(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ 0x1234_5678_9abc_def1);
        r.0 |= 1;
        r.next();
        r.next();
        r
    }

    fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 16
    }

    /// A number below `n` (0 if `n` is 0).
    pub fn below(&mut self, n: usize) -> usize {
        self.next() as usize % n.max(1)
    }

    /// True once in `n` times.
    pub fn one_in(&mut self, n: usize) -> bool {
        self.below(n) == 0
    }
}

/// Makes a random valid function for [`arm_like`]: any control flow, all constraints. Larger `size` gives longer blocks and
/// more pressure.
pub fn random_function(seed: u64, size: usize) -> TestFunction {
    let mut g = Generator {
        r: Rng::new(seed),
        f: TestFunction::default(),
        available: Vec::new(),
        recent: 0,
        lands: Vec::new(),
    };
    g.run(size);
    g.f.finish()
}

struct Generator {
    r: Rng,
    f: TestFunction,
    /// Values that may be used at the present point.
    available: Vec<VReg>,
    /// How strongly uses prefer recent values.
    recent: usize,
    /// Blocks with entry defs.
    lands: Vec<bool>,
}

const CLASSES: [RegClass; 8] = [CORE, CORE, CORE, CORE, CORE, SUBSET, SINGLE, DOUBLE];

/// The class whose values can be moved to those of `class`.
fn kind(class: RegClass) -> RegClass {
    if class == SUBSET { CORE } else { class }
}

impl Generator {
    fn run(&mut self, size: usize) {
        let blocks = 1 + self.r.below(2 + size.min(24));
        self.recent = self.r.below(3);
        for _ in 0..blocks {
            self.f.block();
        }
        for b in 0..blocks {
            let succs = match self.r.below(10) {
                0 => 0,
                1..5 => 1,
                5..9 => 2,
                _ => self.r.below(6),
            };
            for _ in 0..succs {
                // Mostly forward, often to the next one; sometimes anywhere.
                let to = match self.r.below(8) {
                    0..3 => b + 1,
                    3..6 => b + 1 + self.r.below(blocks - b),
                    _ => self.r.below(blocks),
                };
                if to < blocks && (to > 0 || self.r.one_in(4)) {
                    self.f.edge(b, to, &[]);
                }
            }
        }
        self.f.split_critical_edges();
        self.shuffle();
        let n = self.f.blocks.len();
        for b in 1..n {
            if self.r.one_in(2) {
                let count = if self.r.one_in(12) { self.r.below(20) } else { self.r.below(5) };
                for _ in 0..count {
                    let class = CLASSES[self.r.below(8)];
                    let p = self.f.value(class);
                    self.f.blocks[b].params.push(p);
                }
            }
        }
        self.lands = alloc::vec![false; n];
        for from in 0..n {
            let succs: Vec<u32> = self.f.blocks[from].succs.iter().map(|s| s.0).collect();
            if succs.iter().all(|&s| self.f.ways_in(s) == 1) {
                for s in succs {
                    self.lands[s as usize] = self.r.one_in(4);
                }
            }
        }
        let dominators = dominators(&self.f.blocks);
        let mut order: Vec<usize> = (0..n).collect();
        let count = |b: &usize| dominators[*b].iter().filter(|x| **x).count();
        order.sort_by_key(count);
        let mut defined: Vec<Vec<VReg>> = alloc::vec![Vec::new(); n];
        for b in order {
            self.available.clear();
            for a in 0..n {
                // In unreachable blocks everything dominates: what exists so far may be used.
                if a != b && dominators[b][a] {
                    self.available.extend(&defined[a]);
                }
            }
            let before = self.available.len();
            self.available.extend(self.f.blocks[b].params.clone());
            self.fill(b, size);
            defined[b] = self.available.split_off(before);
        }
    }

    /// Lays blocks out in another order, with the entry block first.
    fn shuffle(&mut self) {
        let n = self.f.blocks.len();
        if !self.r.one_in(3) {
            return;
        }
        let mut order: Vec<usize> = (0..n).collect();
        for i in (2..n).rev() {
            let j = 1 + self.r.below(i);
            order.swap(i, j);
        }
        let mut place = alloc::vec![0u32; n];
        order.iter().enumerate().for_each(|(new, &old)| place[old] = new as u32);
        let mut blocks: Vec<TestBlock> = order.iter().map(|&o| self.f.blocks[o].clone()).collect();
        blocks.iter_mut().flat_map(|b| &mut b.succs).for_each(|s| s.0 = place[s.0 as usize]);
        self.f.blocks = blocks;
    }

    fn def(&mut self, class: RegClass) -> VReg {
        self.f.value(class)
    }

    /// A value of this class to use in `block`; makes one if there is none.
    fn pick(&mut self, block: usize, class: RegClass) -> VReg {
        // Wherever a core register is wanted, a value of the subset will do.
        let class = if class == CORE && self.r.one_in(6) { SUBSET } else { class };
        let fits: Vec<VReg> =
            self.available.iter().copied().filter(|v| self.f.classes[v.as_u32() as usize] == class).collect();
        if fits.is_empty() || self.r.one_in(24) {
            let v = self.def(class);
            let remat = self.r.one_in(2);
            self.f.push(block, &[Operand::reg_def(v)]).remat = remat;
            self.available.push(v);
            return v;
        }
        let n = fits.len();
        let low = if self.recent > 0 && !self.r.one_in(4) { n.saturating_sub(6) } else { 0 };
        fits[low + self.r.below(n - low)]
    }

    fn class(&mut self) -> RegClass {
        CLASSES[self.r.below(8)]
    }

    fn fill(&mut self, b: usize, size: usize) {
        if b == 0 {
            let ops: Vec<Operand> = (0..self.r.below(5))
                .map(|n| {
                    let v = self.def(CORE);
                    self.available.push(v);
                    Operand::fixed_def(v, PReg::new(n as u8))
                })
                .collect();
            self.f.push(b, &ops);
        } else if self.lands[b] {
            // What an exception brings: in registers where values that live in would like to be.
            let first = 1 + self.r.below(4);
            let mut ops: Vec<Operand> = Vec::new();
            for n in 0..1 + self.r.below(3) {
                let v = self.def(CORE);
                self.available.push(v);
                ops.push(Operand::entry_def(v, PReg::new((first + n) as u8)));
            }
            if self.r.one_in(3) {
                let v = self.def(DOUBLE);
                self.available.push(v);
                ops.push(Operand::entry_def(v, d(1)));
            }
            self.f.push(b, &ops);
        }
        let count =
            if self.f.blocks[b].succs.len() == 1 && self.r.one_in(3) { 0 } else { self.r.below(size + 1) };
        for _ in 0..count {
            self.instruction(b);
        }
        // Arguments first: picking them may need a definition.
        for k in 0..self.f.blocks[b].succs.len() {
            let succ = self.f.blocks[b].succs[k].0 as usize;
            let params = self.f.blocks[succ].params.clone();
            let args: Vec<VReg> =
                params.iter().map(|p| self.pick(b, kind(self.f.classes[p.as_u32() as usize]))).collect();
            self.f.blocks[b].succs[k].1 = args;
        }
        self.terminator(b);
    }

    fn terminator(&mut self, b: usize) {
        let succs = self.f.blocks[b].succs.clone();
        let free = succs.iter().all(|s| self.f.ways_in(s.0) == 1);
        let throws = succs.iter().any(|s| self.lands[s.0 as usize]);
        match succs.len() {
            0 => {
                let ops: Vec<Operand> = (0..self.r.below(3))
                    .map(|n| Operand::fixed_use(self.pick(b, CORE), PReg::new(n as u8)))
                    .collect();
                self.f.push(b, &ops);
            }
            _ if free && (throws || self.r.one_in(3)) => {
                let mut ops = Vec::new();
                for n in 0..self.r.below(4) {
                    ops.push(Operand::fixed_use(self.pick(b, CORE), PReg::new(n as u8)));
                }
                let class = self.class();
                let reported = self.pick(b, class);
                if self.r.one_in(2) {
                    let v = self.def(CORE);
                    ops.push(Operand::fixed_def(v, PReg::new(0)));
                    self.available.push(v);
                    if self.r.one_in(3) {
                        let v = self.def(SINGLE);
                        ops.push(Operand::fixed_def(v, s(0)));
                        self.available.push(v);
                    }
                } else if !throws && self.r.one_in(2) {
                    let (lo, hi) = (self.def(CORE), self.def(CORE));
                    ops.extend(Operand::pair_def(lo, hi));
                    self.available.extend([lo, hi]);
                }
                // A call whose handlers find no register as it was; what it reports is read from the frame.
                let no_choice = ops.iter().all(|op| matches!(op.constraint, Constraint::Fixed(_)));
                let destroys_all = throws || no_choice && self.r.one_in(2);
                if destroys_all && self.r.one_in(2) {
                    ops.push(Operand::any_use(reported).at(OperandPos::Late));
                }
                let clobbers = if destroys_all { UnitSet::from_bits(u128::MAX) } else { call_clobbers() };
                self.f.push(b, &ops).clobbers = clobbers;
            }
            _ if free => {
                let ops: Vec<Operand> =
                    (0..self.r.below(4)).map(|_| Operand::reg_use(self.pick(b, CORE))).collect();
                self.f.push(b, &ops);
            }
            _ => {
                self.f.push(b, &[]);
            }
        }
    }

    fn instruction(&mut self, b: usize) {
        let mut ops: Vec<Operand> = Vec::new();
        let mut new = Vec::new();
        let mut inst = TestInst::default();
        match self.r.below(20) {
            0..2 => {
                let v = self.def(CLASSES[self.r.clone().below(8)]);
                new.push(v);
                ops.push(Operand::reg_def(v));
                inst.remat = true;
            }
            2..7 => {
                let class = self.class();
                for _ in 0..self.r.below(4) {
                    ops.push(Operand::reg_use(self.pick(b, class)));
                }
                let v = self.def(class);
                new.push(v);
                ops.push(Operand::reg_def(v));
            }
            7..9 => {
                let class = self.class();
                let reused = self.pick(b, class);
                ops.push(Operand::reg_use(reused));
                if self.r.one_in(2) {
                    ops.push(Operand::reg_use(self.pick(b, class)));
                }
                let v = self.def(class);
                new.push(v);
                ops.push(Operand::reuse_def(v, 0));
            }
            9..11 => self.call(b, &mut ops, &mut new, &mut inst),
            11 => {
                ops.extend(Operand::pair_use(self.pick(b, CORE), self.pick(b, CORE)));
                ops.push(Operand::reg_use(self.pick(b, CORE)));
                if self.r.one_in(2) {
                    ops[0].pos = OperandPos::Late;
                    ops[1].pos = OperandPos::Late;
                }
                if self.r.one_in(2) {
                    let v = self.def(CORE);
                    new.push(v);
                    ops.push(Operand::reg_def(v));
                }
            }
            12 => {
                ops.push(Operand::reg_use(self.pick(b, CORE)));
                let (lo, hi) = (self.def(CORE), self.def(CORE));
                new.extend([lo, hi]);
                let mut defs = Operand::pair_def(lo, hi);
                if self.r.one_in(4) {
                    defs = defs.map(|d| d.at(OperandPos::Early));
                }
                ops.extend(defs);
            }
            13 => {
                // A pair read and written in place, with temporaries.
                ops.extend(Operand::pair_use(self.pick(b, CORE), self.pick(b, CORE)));
                let (lo, hi) = (self.def(CORE), self.def(CORE));
                new.extend([lo, hi]);
                ops.push(Operand::reuse_def(lo, 0));
                ops.push(Operand::reuse_def(hi, 1));
            }
            14 => {
                let class = self.class();
                for _ in 0..1 + self.r.below(3) {
                    ops.push(Operand::early_def(self.def(class)));
                }
                ops.push(Operand::reg_use(self.pick(b, class)));
                ops.push(Operand::late_use(self.pick(b, class)));
                let v = self.def(class);
                new.push(v);
                ops.push(Operand::reg_def(v));
            }
            15 => {
                let class = self.class();
                let from = self.pick(b, class);
                let to = self.def(class);
                new.push(to);
                ops = alloc::vec![Operand::reg_use(from), Operand::reg_def(to)];
                inst.copies = true;
            }
            16 => {
                // Fixed registers here and there, perhaps two for the same value.
                let v = self.pick(b, CORE);
                ops.push(Operand::fixed_use(v, PReg::new(self.r.below(4) as u8)));
                if self.r.one_in(2) {
                    let v = if self.r.one_in(2) { v } else { self.pick(b, CORE) };
                    ops.push(
                        Operand::fixed_use(v, PReg::new(4 + self.r.below(4) as u8)).at(OperandPos::Late),
                    );
                }
                ops.push(Operand::reg_use(v));
                let w = self.def(CORE);
                new.push(w);
                ops.push(match self.r.below(3) {
                    0 => Operand::reuse_def(w, 0),
                    1 => Operand::fixed_def(w, PReg::new(self.r.below(4) as u8)),
                    _ => Operand::reg_def(w),
                });
            }
            17 => {
                for _ in 0..1 + self.r.below(6) {
                    let class = self.class();
                    let v = self.pick(b, class);
                    let pos = if self.r.one_in(2) { OperandPos::Late } else { OperandPos::Early };
                    ops.push(Operand::any_use(v).at(pos));
                }
                let class = self.class();
                let v = self.def(class);
                new.push(v);
                ops.push(Operand::any_def(v));
            }
            18 => {
                // Doubles and singles mixed.
                ops.push(Operand::reg_use(self.pick(b, DOUBLE)));
                ops.push(Operand::reg_use(self.pick(b, SINGLE)));
                if self.r.one_in(2) {
                    ops.push(Operand::fixed_use(self.pick(b, DOUBLE), d(self.r.clone().below(8) as u8)));
                }
                let v = self.def(SINGLE);
                let w = self.def(DOUBLE);
                new.extend([v, w]);
                ops.extend([Operand::reg_def(v), Operand::early_def(w)]);
            }
            _ => {
                // Everything is destroyed; operands in registers only early.
                ops.push(Operand::reg_use(self.pick(b, CORE)));
                ops.push(Operand::any_use(self.pick(b, DOUBLE)).at(OperandPos::Late));
                inst.clobbers = UnitSet::from_bits(u128::MAX);
                if self.r.one_in(2) {
                    let v = self.def(CORE);
                    new.push(v);
                    ops.push(Operand::fixed_def(v, PReg::new(self.r.below(12) as u8)));
                }
            }
        }
        inst.ops = ops;
        self.f.blocks[b].insts.push(inst);
        self.available.extend(new);
    }

    fn call(&mut self, b: usize, ops: &mut Vec<Operand>, new: &mut Vec<VReg>, inst: &mut TestInst) {
        for n in 0..self.r.below(5) {
            ops.push(Operand::fixed_use(self.pick(b, CORE), PReg::new(n as u8)));
        }
        for n in 0..self.r.below(3) {
            ops.push(Operand::fixed_use(self.pick(b, SINGLE), s(n as u8)));
        }
        for n in 0..self.r.below(3) {
            ops.push(Operand::fixed_use(self.pick(b, DOUBLE), d(1 + n as u8)));
        }
        if self.r.one_in(3) {
            ops.push(Operand::reg_use(self.pick(b, CORE)));
        }
        if self.r.one_in(4) {
            for _ in 0..self.r.below(8) {
                let class = self.class();
                ops.push(Operand::any_use(self.pick(b, class)).at(OperandPos::Late));
            }
        }
        for n in 0..self.r.below(3) {
            let v = self.def(CORE);
            new.push(v);
            ops.push(Operand::fixed_def(v, PReg::new(n as u8)));
        }
        if self.r.one_in(4) {
            let v = self.def(DOUBLE);
            new.push(v);
            ops.push(Operand::fixed_def(v, d(0)));
        }
        inst.clobbers = call_clobbers();
        debug_assert!(
            ops.iter().all(|o| o.kind == OperandKind::Use || o.constraint != Constraint::Any),
            "a call"
        );
    }
}

/// For each block, whether each block dominates it; for unreachable ones, everything does.
fn dominators(blocks: &[TestBlock]) -> Vec<Vec<bool>> {
    let n = blocks.len();
    let mut dom = alloc::vec![alloc::vec![true; n]; n];
    dom[0] = (0..n).map(|b| b == 0).collect();
    loop {
        let mut changed = false;
        for b in 1..n {
            let mut new = alloc::vec![true; n];
            for (p, block) in blocks.iter().enumerate() {
                if block.succs.iter().any(|s| s.0 as usize == b) {
                    (0..n).for_each(|x| new[x] &= dom[p][x]);
                }
            }
            new[b] = true;
            changed |= new != dom[b];
            dom[b] = new;
        }
        if !changed {
            return dom;
        }
    }
}
