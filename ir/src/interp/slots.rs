//! Which values are computed at all, and which slot of the frame each lives in.
//!
//! Constants that an operation takes as an immediate, and comparisons that a branch takes over, have no users
//! left and are dropped. A value that lives in one block only shares its slot with others of its kind, so that
//! frames stay small and warm; any other value has a slot to itself. Linear in the function's size.

use super::op::slots_of;
use crate::dfg::ValueDef;
use crate::entities::{Block, Inst, Value};
use crate::function::Function;
use crate::instdata::InstData;
use crate::opcode::Opcode;
use crate::types::{self, Type};
use alloc::vec;
use alloc::vec::Vec;
use cranelift_entity::EntityRef;

const NONE: u32 = u32::MAX;

/// The result: a slot per value, by number.
pub(super) struct Slots {
    slot: Vec<u32>,
    dead: Vec<bool>,
    /// Slots of the frame so far.
    pub(super) count: u32,
}

impl Slots {
    /// The first slot of `v`; aliases have that of what they stand for.
    pub(super) fn get(&self, func: &Function, v: Value) -> Option<u32> {
        let slot = *self.slot.get(func.dfg.resolve_aliases(v).index())?;
        (slot != NONE).then_some(slot)
    }

    /// Has the instruction nothing to do?
    pub(super) fn is_dead(&self, inst: Inst) -> bool {
        self.dead.get(inst.index()).copied().unwrap_or(false)
    }

    /// Adds `n` neighbouring slots.
    pub(super) fn fresh(&mut self, n: u32) -> u32 {
        let first = self.count;
        self.count += n;
        first
    }
}

/// The number that `v` always is, with zeros above its width, if an `iconst` defines it.
pub(super) fn constant(func: &Function, v: Value) -> Option<u64> {
    if !func.dfg.value_is_valid(v) {
        return None;
    }
    let ValueDef::Result(inst, 0) = func.dfg.value_def(v) else { return None };
    match func.dfg.insts.get(inst)? {
        InstData::UnaryImm { opcode: Opcode::Iconst, imm } => {
            let ty = func.dfg.ctrl_type(inst);
            (ty.is_int() && ty.bits() <= 64).then(|| imm.zero_extended(ty.bits()))
        }
        _ => None,
    }
}

/// The second operand, where it is a constant that the operation takes as an immediate.
pub(super) fn immediate(func: &Function, inst: Inst) -> Option<u64> {
    let (opcode, args) = match func.dfg.insts.get(inst)? {
        InstData::Binary { opcode, args } | InstData::IntCompare { opcode, args, .. } => (*opcode, args),
        _ => return None,
    };
    if !func.dfg.value_is_valid(args[0]) {
        return None;
    }
    let ty = func.dfg.value_type(args[0]);
    let wide_enough = ty == types::I32 || ty == types::I64;
    let fits_i32 = |n: u64| ty == types::I32 || (-0x7fff_ffff..=0x7fff_ffff).contains(&(n as i64));
    let n = constant(func, args[1])?;
    let ok = match opcode {
        Opcode::Iadd | Opcode::Isub | Opcode::Imul => wide_enough && fits_i32(n),
        Opcode::Band | Opcode::Bor | Opcode::Bxor => ty.is_int() && ty.bits() <= 64 && n <= u32::MAX.into(),
        Opcode::Icmp => ty.is_int() && ty.bits() <= 64 && n <= u32::MAX.into(),
        Opcode::Ishl | Opcode::Ushr | Opcode::Sshr | Opcode::Rotl | Opcode::Rotr => wide_enough,
        _ => false,
    };
    ok.then_some(n)
}

/// The comparison in the same block that decides a `brif`, of at most 64 bits.
pub(super) fn branch_compare(func: &Function, inst: Inst) -> Option<Inst> {
    let InstData::Brif { arg, .. } = *func.dfg.insts.get(inst)? else { return None };
    let block = func.layout.inst_block(inst)?;
    let mut v = arg;
    // An `icmp` and what widens it.
    for _ in 0..4 {
        if !func.dfg.value_is_valid(v) {
            return None;
        }
        let ValueDef::Result(def, 0) = func.dfg.value_def(v) else { return None };
        if func.layout.inst_block(def) != Some(block) {
            return None;
        }
        match func.dfg.insts.get(def)? {
            InstData::IntCompare { opcode: Opcode::Icmp, args, .. } => {
                let narrow = |v: Value| {
                    func.dfg.value_is_valid(v) && {
                        let ty = func.dfg.value_type(v);
                        ty.is_int() && ty.bits() <= 64
                    }
                };
                let same = narrow(args[0])
                    && narrow(args[1])
                    && func.dfg.value_type(args[0]) == func.dfg.value_type(args[1]);
                return same.then_some(def);
            }
            InstData::Unary { opcode: Opcode::Uextend, arg } => v = *arg,
            _ => return None,
        }
    }
    None
}

/// Calls `f` on every value that the decoded instruction reads.
fn for_each_read(func: &Function, inst: Inst, f: &mut dyn FnMut(Value)) {
    let read_compare = |inst: Inst, f: &mut dyn FnMut(Value)| {
        let args = func.dfg.inst_args(inst);
        f(args[0]);
        if immediate(func, inst).is_none() {
            f(args[1]);
        }
    };
    if immediate(func, inst).is_some() {
        f(func.dfg.inst_args(inst)[0]);
    } else if let Some(compare) = branch_compare(func, inst) {
        read_compare(compare, f);
        for call in func.dfg.branch_destinations(inst) {
            call.args(&func.dfg.block_args).filter_map(|arg| arg.as_value()).for_each(&mut *f);
        }
    } else {
        func.dfg.for_each_use(inst, f);
    }
}

fn may_die(opcode: Opcode) -> bool {
    matches!(opcode, Opcode::Iconst | Opcode::F32const | Opcode::F64const | Opcode::Icmp | Opcode::Uextend)
}

/// Where a value is defined and last read.
#[derive(Clone, Copy)]
struct Life {
    uses: u32,
    block: u32,
    /// Index in the block of the last instruction that reads it.
    last: u32,
    shared: bool,
}

/// Finds a slot for every value of `func`.
pub(super) fn assign(func: &Function) -> Slots {
    let dfg = &func.dfg;
    let values = dfg.num_values();
    let resolve = |v: Value| if dfg.value_is_valid(v) { dfg.resolve_aliases(v).index() } else { usize::MAX };
    let mut lives = vec![Life { uses: 0, block: NONE, last: NONE, shared: true }; values];
    let mut dead = vec![false; dfg.insts.len()];
    let blocks: Vec<Block> = func.layout.blocks().collect();

    for &block in &blocks {
        for inst in func.layout.block_insts(block) {
            for_each_read(func, inst, &mut |v| {
                if let Some(life) = lives.get_mut(resolve(v)) {
                    life.uses += 1;
                }
            });
        }
    }
    for &block in blocks.iter().rev() {
        for inst in func.layout.block_insts(block).rev() {
            let unused = |v: &Value| lives.get(resolve(*v)).is_none_or(|life| life.uses == 0);
            if may_die(dfg.opcode(inst)) && dfg.inst_results(inst).iter().all(unused) {
                dead[inst.index()] = true;
                for_each_read(func, inst, &mut |v| {
                    if let Some(life) = lives.get_mut(resolve(v)) {
                        life.uses -= 1;
                    }
                });
            }
        }
    }

    // Definitions, then reads: one in another block makes a value unfit for sharing.
    let entry = func.layout.entry_block();
    for &block in &blocks {
        for &v in dfg.block_params(block) {
            define(&mut lives, resolve(v), block, dfg.value_is_valid(v).then(|| dfg.value_type(v)));
            if Some(block) == entry
                && let Some(life) = lives.get_mut(resolve(v))
            {
                life.shared = false;
            }
        }
        for inst in func.layout.block_insts(block) {
            let results = dfg.inst_results(inst);
            for &v in results {
                define(&mut lives, resolve(v), block, Some(dfg.value_type(v)));
                if results.len() > 1
                    && let Some(life) = lives.get_mut(resolve(v))
                {
                    life.shared = false;
                }
            }
        }
    }
    for &block in &blocks {
        for (at, inst) in func.layout.block_insts(block).enumerate() {
            if dead[inst.index()] {
                continue;
            }
            for_each_read(func, inst, &mut |v| {
                if let Some(life) = lives.get_mut(resolve(v)) {
                    if life.block != block.index() as u32 {
                        life.shared = false;
                    }
                    life.last = at as u32;
                }
            });
        }
    }

    let mut slots = Slots { slot: vec![NONE; values], dead, count: 0 };
    // The entry's parameters come first, in order: callers put arguments there.
    if let Some(entry) = entry {
        for &v in dfg.block_params(entry) {
            let n = if dfg.value_is_valid(v) { slots_of(dfg.value_type(v)) } else { 1 };
            let first = slots.fresh(n);
            if let Some(slot) = slots.slot.get_mut(resolve(v)) {
                *slot = first;
            }
        }
    }
    let mut pool = Pool { all: Vec::new(), next: 0, free: Vec::new() };
    for &block in &blocks {
        pool.next = 0;
        pool.free.clear();
        if Some(block) != entry {
            for &v in dfg.block_params(block) {
                place(
                    &mut slots,
                    &mut pool,
                    &lives,
                    resolve(v),
                    dfg.value_is_valid(v).then(|| dfg.value_type(v)),
                );
            }
            for &v in dfg.block_params(block) {
                free_if_unread(&slots, &mut pool, &lives, resolve(v));
            }
        }
        for (at, inst) in func.layout.block_insts(block).enumerate() {
            if slots.is_dead(inst) {
                continue;
            }
            for_each_read(func, inst, &mut |v| {
                if let Some(life) = lives.get_mut(resolve(v))
                    && life.shared
                    && life.last == at as u32
                {
                    let slot = slots.slot[resolve(v)];
                    if slot != NONE {
                        pool.free.push(slot);
                    }
                    // Read twice by this instruction, it is given back once.
                    life.last = NONE - 1;
                }
            });
            let results = dfg.inst_results(inst);
            for &v in results {
                place(&mut slots, &mut pool, &lives, resolve(v), Some(dfg.value_type(v)));
            }
            for &v in results {
                free_if_unread(&slots, &mut pool, &lives, resolve(v));
            }
        }
    }
    slots
}

struct Pool {
    all: Vec<u32>,
    /// Of `all`, how many this block has used.
    next: usize,
    free: Vec<u32>,
}

fn define(lives: &mut [Life], v: usize, block: Block, ty: Option<Type>) {
    if let Some(life) = lives.get_mut(v) {
        // Defined twice only in malformed functions.
        life.shared &= life.block == NONE && ty.is_some_and(|ty| slots_of(ty) == 1);
        life.block = block.index() as u32;
    }
}

fn place(slots: &mut Slots, pool: &mut Pool, lives: &[Life], v: usize, ty: Option<Type>) {
    let (Some(life), Some(ty)) = (lives.get(v), ty) else { return };
    if slots.slot[v] != NONE {
        return;
    }
    let first = if !life.shared {
        slots.fresh(slots_of(ty))
    } else if let Some(slot) = pool.free.pop() {
        slot
    } else if let Some(&slot) = pool.all.get(pool.next) {
        pool.next += 1;
        slot
    } else {
        let slot = slots.fresh(1);
        pool.all.push(slot);
        pool.next = pool.all.len();
        slot
    };
    slots.slot[v] = first;
}

fn free_if_unread(slots: &Slots, pool: &mut Pool, lives: &[Life], v: usize) {
    if let Some(life) = lives.get(v)
        && life.shared
        && life.last == NONE
        && slots.slot[v] != NONE
    {
        pool.free.push(slots.slot[v]);
    }
}
