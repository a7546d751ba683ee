//! A function without what nothing refers to, everything numbered in the order of the text.

use windlass_ir::entity::packed_option::PackedOption;
use windlass_ir::entity::{EntityRef, SecondaryMap};
use windlass_ir::instdata::ValueList;
use windlass_ir::{
    Block, BlockArg, BlockCall, ExceptionItem, ExceptionTableData, FuncRef, Function, Inst, InstData,
    JumpTableData, RegisterSet, SigRef, StackSlot, Value,
};

/// Numbers of a function's entities in the new one.
#[derive(Default)]
struct Maps {
    values: SecondaryMap<Value, PackedOption<Value>>,
    blocks: SecondaryMap<Block, PackedOption<Block>>,
    slots: SecondaryMap<StackSlot, PackedOption<StackSlot>>,
    sigs: SecondaryMap<SigRef, PackedOption<SigRef>>,
    callees: SecondaryMap<FuncRef, PackedOption<FuncRef>>,
}

/// Copies what is in the layout, and what that refers to. A function that refers to what is not there is copied as it
/// is.
pub fn compact(func: &Function) -> Function {
    Compactor { old: func, new: Function::default(), maps: Maps::default() }
        .run()
        .unwrap_or_else(|| func.clone())
}

struct Compactor<'a> {
    old: &'a Function,
    new: Function,
    maps: Maps,
}

impl Compactor<'_> {
    fn run(mut self) -> Option<Function> {
        let old = self.old;
        self.new.name = old.name.clone();
        self.new.signature = old.signature.clone();
        // Few functions have these, and they are seldom what makes one large.
        self.new.global_values = old.global_values.clone();
        self.new.regions = old.regions.clone();
        self.new.stack_limit = old.stack_limit;
        self.new.dfg.constants = old.dfg.constants.clone();
        self.new.dfg.immediates = old.dfg.immediates.clone();
        if !self.uses_globals() {
            self.new.global_values.clear();
        }
        self.preamble()?;
        self.define();
        for block in old.layout.blocks() {
            for inst in old.layout.block_insts(block) {
                self.inst(block, inst)?;
            }
        }
        for set in &old.register_sets {
            let known = |&v: &Value| self.maps.values[old.dfg.resolve_aliases(v)].expand();
            let mut values: Vec<Value> = set.values.iter().filter_map(known).collect();
            values.sort_unstable();
            values.dedup();
            if !values.is_empty() {
                self.new.register_sets.push(RegisterSet { name: set.name.clone(), values });
            }
        }
        Some(self.new)
    }

    fn uses_globals(&self) -> bool {
        let old = self.old;
        old.stack_limit.is_some()
            || old
                .layout
                .blocks()
                .flat_map(|block| old.layout.block_insts(block))
                .any(|inst| matches!(old.dfg.insts[inst], InstData::UnaryGlobalValue { .. }))
    }

    /// Slots, signatures and callees that are referred to, in their order.
    fn preamble(&mut self) -> Option<()> {
        let old = self.old;
        let mut slots = vec![false; old.stack_slots.len()];
        let mut sigs = vec![false; old.dfg.signatures.len()];
        let mut callees = vec![false; old.dfg.ext_funcs.len()];
        for block in old.layout.blocks() {
            for inst in old.layout.block_insts(block) {
                match old.dfg.insts[inst] {
                    InstData::StackAddr { slot, .. } => *slots.get_mut(slot.index())? = true,
                    InstData::Call { func, .. } | InstData::FuncAddr { func, .. } => {
                        *callees.get_mut(func.index())? = true;
                    }
                    InstData::TryCall { func, exception, .. } => {
                        *callees.get_mut(func.index())? = true;
                        *sigs.get_mut(old.dfg.exception_tables.get(exception)?.sig.index())? = true;
                    }
                    InstData::CallIndirect { sig, .. } => *sigs.get_mut(sig.index())? = true,
                    InstData::TryCallIndirect { exception, .. } => {
                        *sigs.get_mut(old.dfg.exception_tables.get(exception)?.sig.index())? = true;
                    }
                    _ => {}
                }
            }
        }
        for (_, entries) in &old.dfg.stack_maps {
            for entry in entries {
                *slots.get_mut(entry.slot.index())? = true;
            }
        }
        for (callee, data) in old.dfg.ext_funcs.iter().filter(|(callee, _)| callees[callee.index()]) {
            let _ = callee;
            *sigs.get_mut(data.signature.index())? = true;
        }
        for (slot, data) in old.stack_slots.iter().filter(|(slot, _)| slots[slot.index()]) {
            self.maps.slots[slot] = Some(self.new.stack_slots.push(*data)).into();
        }
        for (sig, data) in old.dfg.signatures.iter().filter(|(sig, _)| sigs[sig.index()]) {
            // Equal signatures become one.
            let same = self.new.dfg.signatures.iter().find(|(_, other)| *other == data).map(|(sig, _)| sig);
            let new = same.unwrap_or_else(|| self.new.dfg.signatures.push(data.clone()));
            self.maps.sigs[sig] = Some(new).into();
        }
        for (callee, data) in old.dfg.ext_funcs.iter().filter(|(callee, _)| callees[callee.index()]) {
            let mut data = data.clone();
            data.signature = self.maps.sigs[data.signature].expand()?;
            self.maps.callees[callee] = Some(self.new.dfg.ext_funcs.push(data)).into();
        }
        Some(())
    }

    /// Blocks, and numbers for all values in the order of their definitions.
    fn define(&mut self) {
        let old = self.old;
        for block in old.layout.blocks() {
            let new = self.new.dfg.make_block();
            self.maps.blocks[block] = Some(new).into();
            self.new.layout.append_block(new);
            if old.layout.is_cold(block) {
                self.new.layout.set_cold(new);
            }
            for &param in old.dfg.block_params(block) {
                let v = self.new.dfg.append_block_param(new, old.dfg.value_type(param));
                self.maps.values[param] = Some(v).into();
            }
            for inst in old.layout.block_insts(block) {
                for &result in old.dfg.inst_results(inst) {
                    let v = self.new.dfg.make_undefined_value(old.dfg.value_type(result));
                    self.maps.values[result] = Some(v).into();
                }
            }
        }
    }

    fn value(&self, v: Value) -> Option<Value> {
        self.maps.values[self.old.dfg.resolve_aliases(v)].expand()
    }

    fn call(&mut self, call: &BlockCall) -> Option<BlockCall> {
        let block = self.maps.blocks[call.block].expand()?;
        let args: Option<Vec<BlockArg>> = call
            .args(&self.old.dfg.block_args)
            .map(|arg| match arg {
                BlockArg::Value(v) => self.value(v).map(BlockArg::Value),
                other => Some(other),
            })
            .collect();
        Some(BlockCall::new(block, args?, &mut self.new.dfg.block_args))
    }

    fn exception_table(&mut self, table: &ExceptionTableData) -> Option<ExceptionTableData> {
        let sig = self.maps.sigs[table.sig].expand()?;
        let normal = self.call(&table.normal)?;
        let mut items = Vec::with_capacity(table.items.len());
        for item in &table.items {
            items.push(match item {
                ExceptionItem::Tag(tag, call) => ExceptionItem::Tag(*tag, self.call(call)?),
                ExceptionItem::Default(call) => ExceptionItem::Default(self.call(call)?),
                ExceptionItem::Context(v) => ExceptionItem::Context(self.value(*v)?),
            });
        }
        Some(ExceptionTableData { sig, normal, items })
    }

    fn inst(&mut self, block: Block, inst: Inst) -> Option<()> {
        let old = self.old;
        let mut data = old.dfg.insts[inst];
        let mapped: Option<Vec<Value>> = old.dfg.inst_args(inst).iter().map(|&v| self.value(v)).collect();
        let mapped = mapped?;
        match &mut data {
            InstData::MultiAry { args, .. } => *args = self.list(&mapped),
            InstData::Call { func, args, .. } => {
                *func = self.maps.callees[*func].expand()?;
                *args = self.list(&mapped);
            }
            InstData::CallIndirect { sig, args, .. } => {
                *sig = self.maps.sigs[*sig].expand()?;
                *args = self.list(&mapped);
            }
            InstData::TryCall { func, args, exception, .. } => {
                *func = self.maps.callees[*func].expand()?;
                *args = self.list(&mapped);
                let table = self.exception_table(old.dfg.exception_tables.get(*exception)?)?;
                *exception = self.new.dfg.exception_tables.push(table);
            }
            InstData::TryCallIndirect { args, exception, .. } => {
                *args = self.list(&mapped);
                let table = self.exception_table(old.dfg.exception_tables.get(*exception)?)?;
                *exception = self.new.dfg.exception_tables.push(table);
            }
            other => {
                let args = other.args_mut(&mut self.new.dfg.value_lists);
                args.copy_from_slice(&mapped);
            }
        }
        match &mut data {
            InstData::Jump { dest, .. } => *dest = self.call(&dest.clone())?,
            InstData::Brif { dests, .. } => {
                *dests = [self.call(&dests[0].clone())?, self.call(&dests[1].clone())?]
            }
            InstData::BranchTable { table, .. } => {
                let from = old.dfg.jump_tables.get(*table)?;
                let default = self.call(&from.default)?;
                let entries: Option<Vec<_>> = from.table.iter().map(|call| self.call(call)).collect();
                *table = self.new.dfg.jump_tables.push(JumpTableData { default, table: entries? });
            }
            InstData::FuncAddr { func, .. } => *func = self.maps.callees[*func].expand()?,
            InstData::StackAddr { slot, .. } => *slot = self.maps.slots[*slot].expand()?,
            InstData::ExceptionHandlerAddress { block, .. } => *block = self.maps.blocks[*block].expand()?,
            _ => {}
        }
        let new = self.new.dfg.make_inst(data);
        let results: Option<Vec<Value>> =
            old.dfg.inst_results(inst).iter().map(|&v| self.maps.values[v].expand()).collect();
        self.new.dfg.define_inst_results(new, old.dfg.ctrl_type(inst), &results?);
        self.new.layout.append_inst(new, self.maps.blocks[block].expand()?);
        if !old.srclocs[inst].is_none() {
            self.new.srclocs[new] = old.srclocs[inst];
        }
        for (_, tags) in old.dfg.debug_tags.iter().filter(|(at, _)| *at == inst) {
            self.new.dfg.debug_tags.push((new, tags.clone()));
        }
        for (_, entries) in old.dfg.stack_maps.iter().filter(|(at, _)| *at == inst) {
            let mut entries = entries.clone();
            for entry in &mut entries {
                entry.slot = self.maps.slots[entry.slot].expand()?;
            }
            self.new.dfg.stack_maps.push((new, entries));
        }
        Some(())
    }

    fn list(&mut self, values: &[Value]) -> ValueList {
        ValueList::from_slice(values, &mut self.new.dfg.value_lists)
    }
}
