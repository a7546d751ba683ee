//! Does everything that the function refers to exist? Are lists and links sound? After these checks no table
//! is read outside of its bounds.
//!
//! Instructions outside of the layout are not looked at: what a pass has removed may hold stale operands.

use super::{AnyEntity, Check, Definition};
use crate::dfg::{DebugTag, ValueDef};
use crate::entities::*;
use crate::function::GlobalValueData;
use crate::instdata::{BlockArg, InstData, ValueList};
use crate::memflags::MemFlags;
use alloc::format;
use core::hash::{Hash, Hasher};

/// Reads the start of an entity list, and the size of a pool, both of which their types keep to themselves,
/// from what they feed to a hasher.
///
/// A list that was made in another function's pool is a slice of this one that may end outside of it, and
/// reading it would panic. Nothing is hashed: the compiler reduces a run over a pool to its length.
#[derive(Default)]
struct Peek {
    last_u32: u32,
    length: usize,
}

impl Hasher for Peek {
    fn write(&mut self, _: &[u8]) {}
    fn write_u32(&mut self, n: u32) {
        self.last_u32 = n;
    }
    fn write_usize(&mut self, n: usize) {
        self.length = n;
    }
    fn finish(&self) -> u64 {
        0
    }
}

fn peek(of: &impl Hash) -> Peek {
    let mut peek = Peek::default();
    of.hash(&mut peek);
    peek
}

/// Does a list of `len` elements that starts where `list` says end inside of a pool of `pool_size`?
fn list_fits(list: &impl Hash, len: usize, pool_size: usize) -> bool {
    (peek(list).last_u32 as usize).checked_add(len).is_some_and(|end| end <= pool_size)
}

/// Sizes of the pools.
#[derive(Clone, Copy)]
struct Pools {
    values: usize,
    block_args: usize,
}

impl Check<'_> {
    /// Checks all references; returns whether they are sound.
    pub(super) fn references(&mut self) -> bool {
        self.preamble_references();
        self.aliases();
        // Values are looked up from here on.
        if self.faults.is_empty() {
            self.layout();
        }
        if self.faults.is_empty() {
            self.annotations();
        }
        self.sound = self.faults.is_empty();
        self.sound
    }

    fn preamble_references(&mut self) {
        let func = self.func;
        for (fnref, data) in &func.dfg.ext_funcs {
            if !func.dfg.signatures.is_valid(data.signature) {
                self.fault(fnref, format!("its signature {} does not exist", data.signature));
            }
        }
        for (gv, data) in &func.global_values {
            if let GlobalValueData::Load { base, .. } | GlobalValueData::IAddImm { base, .. } = *data
                && !func.global_values.is_valid(base)
            {
                self.fault(gv, format!("its base {base} does not exist"));
            }
            if let GlobalValueData::Load { flags, .. } = *data {
                self.region(gv, flags);
            }
        }
        if let Some(gv) = func.stack_limit
            && !func.global_values.is_valid(gv)
        {
            self.fault(AnyEntity::StackLimit, format!("the stack limit {gv} does not exist"));
        }
    }

    fn region(&mut self, location: impl Into<AnyEntity>, flags: MemFlags) {
        if let Some(region) = flags.region()
            && !self.func.regions.is_valid(region)
        {
            self.fault(location, format!("undefined alias region {region}"));
        }
    }

    /// Aliases name values that exist, and do not go in circles. Finds what each stands for.
    fn aliases(&mut self) {
        let dfg = &self.func.dfg;
        self.scratch.alias_roots.clear();
        let mut any = false;
        for v in dfg.values() {
            if let Some(original) = dfg.alias_of(v) {
                any = true;
                if !dfg.value_is_valid(original) {
                    self.fault(v, format!("is an alias of {original}, which does not exist"));
                }
            }
        }
        if !any || !self.faults.is_empty() {
            return;
        }
        // Stands for "on the path that is being followed"; no alias stands for itself.
        self.scratch.alias_roots.resize(dfg.num_values());
        for start in dfg.values() {
            let mut at = start;
            let root = loop {
                if let Some(root) = self.scratch.alias_roots[at].expand() {
                    if root == at && self.scratch.path.contains(&at) {
                        self.fault(at, "is an alias of itself: its aliases form a cycle");
                    }
                    break root;
                }
                let Some(original) = dfg.alias_of(at) else { break at };
                self.scratch.alias_roots[at] = at.into();
                self.scratch.path.push(at);
                at = original;
            };
            while let Some(v) = self.scratch.path.pop() {
                self.scratch.alias_roots[v] = root.into();
            }
        }
        for v in dfg.values() {
            if dfg.alias_of(v).is_some()
                && let Some(root) = self.scratch.alias_roots[v].expand()
                && dfg.value_type(v) != dfg.value_type(root)
            {
                let (ty, other) = (dfg.value_type(v), dfg.value_type(root));
                self.fault(v, format!("is an alias of type {ty} of {root}, which has type {other}"));
            }
        }
    }

    /// The value that `v` stands for.
    pub(super) fn resolve(&self, v: Value) -> Value {
        self.scratch.alias_roots.get(v).and_then(|root| root.expand()).unwrap_or(v)
    }

    /// Walks blocks and instructions, numbers them, notes definitions.
    fn layout(&mut self) {
        let (dfg, layout) = (&self.func.dfg, &self.func.layout);
        let pools = Pools { values: peek(&dfg.value_lists).length, block_args: peek(&dfg.block_args).length };
        self.scratch.numbers.clear();
        self.scratch.numbers.resize(dfg.insts.len());
        self.scratch.definitions.clear();
        self.scratch.definitions.resize(dfg.num_values());
        self.scratch.blocks_seen.clear();
        self.scratch.blocks_seen.resize(dfg.num_blocks());
        let mut number = 0;
        for block in layout.blocks() {
            if !dfg.block_is_valid(block) {
                self.fault(AnyEntity::Function, format!("the layout holds {block}, which does not exist"));
                // Nothing says where a list with such a member ends.
                return;
            }
            if self.scratch.blocks_seen[block] {
                self.fault(block, "stands in the layout twice");
                return;
            }
            self.scratch.blocks_seen[block] = true;
            for (i, &v) in dfg.block_params(block).iter().enumerate() {
                self.define(block, v, ValueDef::Param(block, i), block, 0);
            }
            let mut last = None;
            for inst in layout.block_insts(block) {
                if !dfg.insts.is_valid(inst) {
                    self.fault(block, format!("holds {inst}, which does not exist"));
                    return;
                }
                if self.scratch.numbers[inst] != 0 {
                    self.fault(inst, "stands in the layout twice");
                    return;
                }
                if layout.inst_block(inst) != Some(block) {
                    self.fault(inst, format!("stands in {block}, but is linked to another block or none"));
                }
                number += 1;
                self.scratch.numbers[inst] = number;
                for (i, &v) in dfg.inst_results(inst).iter().enumerate() {
                    self.define(inst, v, ValueDef::Result(inst, i), block, number);
                }
                self.inst_references(inst, pools);
                last = Some(inst);
            }
            if last != layout.last_inst(block) {
                self.fault(block, "its last instruction is not linked to the others");
            }
        }
    }

    fn define(&mut self, location: impl Into<AnyEntity>, v: Value, def: ValueDef, block: Block, number: u32) {
        let dfg = &self.func.dfg;
        if !dfg.value_is_valid(v) {
            self.fault(location, format!("defines {v}, which does not exist"));
        } else if dfg.alias_of(v).is_some() {
            self.fault(location, format!("defines {v}, which is an alias"));
        } else if self.scratch.definitions[v].block.is_some() {
            self.fault(location, format!("defines {v}, which is defined before"));
        } else if dfg.value_def(v) != def {
            self.fault(location, format!("defines {v}, which says that it is defined elsewhere"));
        } else {
            self.scratch.definitions[v] = Definition { block: block.into(), number };
        }
    }

    fn value(&mut self, inst: Inst, v: Value) {
        if !self.func.dfg.value_is_valid(v) {
            self.fault(inst, format!("uses {v}, which does not exist"));
        }
    }

    fn value_list(&mut self, inst: Inst, list: &ValueList, pools: Pools) -> bool {
        let fits = list_fits(list, list.len(&self.func.dfg.value_lists), pools.values);
        if !fits {
            self.fault(inst, "its operand list is not in the function's pool");
        }
        fits
    }

    fn inst_references(&mut self, inst: Inst, pools: Pools) {
        use InstData::*;
        let func = self.func;
        let dfg = &func.dfg;
        let data = &dfg.insts[inst];
        if data.format() != data.opcode().format() {
            let (has, needs) = (data.format(), data.opcode().format());
            self.fault(inst, format!("has the instruction format {has:?}, but its opcode needs {needs:?}"));
            return;
        }
        match data {
            MultiAry { args, .. }
            | Call { args, .. }
            | CallIndirect { args, .. }
            | TryCall { args, .. }
            | TryCallIndirect { args, .. }
                if !self.value_list(inst, args, pools) =>
            {
                return;
            }
            _ => {}
        }
        for &v in data.args(&dfg.value_lists) {
            self.value(inst, v);
        }
        match *data {
            Nullary { .. }
            | Unary { .. }
            | UnaryImm { .. }
            | UnaryIeee16 { .. }
            | UnaryIeee32 { .. }
            | UnaryIeee64 { .. }
            | Binary { .. }
            | BinaryImm8 { .. }
            | Ternary { .. }
            | TernaryImm8 { .. }
            | IntCompare { .. }
            | FloatCompare { .. }
            | IntAddTrap { .. }
            | MultiAry { .. }
            | Trap { .. }
            | CondTrap { .. } => {}
            UnaryConst { constant, .. } => self.exists(inst, constant, dfg.constants.is_valid(constant)),
            UnaryGlobalValue { global, .. } => self.exists(inst, global, func.global_values.is_valid(global)),
            Shuffle { mask, .. } => self.exists(inst, mask, dfg.immediates.is_valid(mask)),
            Jump { .. } | Brif { .. } => self.destinations(inst, pools),
            BranchTable { table, .. } => {
                self.exists(inst, table, dfg.jump_tables.is_valid(table));
                self.destinations(inst, pools);
            }
            Call { func, .. } | FuncAddr { func, .. } => {
                self.exists(inst, func, dfg.ext_funcs.is_valid(func))
            }
            CallIndirect { sig, .. } => self.exists(inst, sig, dfg.signatures.is_valid(sig)),
            TryCall { func, exception, .. } => {
                self.exists(inst, func, dfg.ext_funcs.is_valid(func));
                self.exception_table(inst, exception);
                self.destinations(inst, pools);
            }
            TryCallIndirect { exception, .. } => {
                self.exception_table(inst, exception);
                self.destinations(inst, pools);
            }
            StackAddr { slot, .. } => self.exists(inst, slot, func.stack_slots.is_valid(slot)),
            ExceptionHandlerAddress { block, .. } => self.exists(inst, block, dfg.block_is_valid(block)),
            Load { flags, .. }
            | Store { flags, .. }
            | LoadNoOffset { flags, .. }
            | StoreNoOffset { flags, .. }
            | AtomicRmw { flags, .. }
            | AtomicCas { flags, .. } => self.region(inst, flags),
        }
    }

    fn exists(&mut self, inst: Inst, what: impl core::fmt::Display, exists: bool) {
        if !exists {
            self.fault(inst, format!("refers to {what}, which does not exist"));
        }
    }

    fn exception_table(&mut self, inst: Inst, table: ExceptionTable) {
        let dfg = &self.func.dfg;
        let Some(data) = dfg.exception_tables.get(table) else {
            return self.exists(inst, table, false);
        };
        if !dfg.signatures.is_valid(data.sig) {
            self.fault(table, format!("its signature {} does not exist", data.sig));
        }
        for v in data.contexts() {
            self.value(inst, v);
        }
    }

    fn destinations(&mut self, inst: Inst, pools: Pools) {
        let dfg = &self.func.dfg;
        for call in dfg.branch_destinations(inst) {
            self.exists(inst, call.block, dfg.block_is_valid(call.block));
            if !list_fits(call, call.len(&dfg.block_args), pools.block_args) {
                self.fault(inst, format!("its arguments for {} are not in the function's pool", call.block));
                continue;
            }
            for arg in call.args(&dfg.block_args) {
                if let BlockArg::Value(v) = arg {
                    self.value(inst, v);
                }
            }
        }
    }

    /// Stack maps and debug tags of the instructions in the layout.
    fn annotations(&mut self) {
        let func = self.func;
        for (inst, entries) in &func.dfg.stack_maps {
            if self.scratch.numbers[*inst] != 0 {
                for entry in entries {
                    self.exists(*inst, entry.slot, func.stack_slots.is_valid(entry.slot));
                }
            }
        }
        for (inst, tags) in &func.dfg.debug_tags {
            if self.scratch.numbers[*inst] != 0 {
                for tag in tags {
                    if let DebugTag::StackSlot(slot) = *tag {
                        self.exists(*inst, slot, func.stack_slots.is_valid(slot));
                    }
                }
            }
        }
    }
}
