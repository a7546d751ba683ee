//! The driver of selection: block by block, from last to first, and what comes out put into order.

use super::{DoneBlock, FrameNeeds, InstOutput, Lower, Memory, ValueRegs};
use crate::coverage::RuleObserver;
use crate::error::CompileError;
use crate::machinst::abi::{self, AbiMachine};
use crate::machinst::calls;
use crate::machinst::order::{BlockOrder, LoweredBlock, destination};
use crate::machinst::pseudo::Common;
use crate::machinst::vcode::{BlockParts, Edge, VCode};
use crate::machinst::{Label, MachInst, Reg, WritableReg};
use alloc::collections::BTreeMap;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use core::ops::Range;
use smallvec::SmallVec;
use windlass_ir::entity::packed_option::PackedOption;
use windlass_ir::entity::{EntityRef, SecondaryMap};
use windlass_ir::loops::LoopAnalysis;
use windlass_ir::{Block, BlockArg, Function, Inst, InstData, Opcode, SourceLoc, Value};
use windlass_regalloc::VReg;

impl<'f, M: AbiMachine> Lower<'f, M> {
    /// Selects machine code for the whole function into `vcode`, and says what that wants of the frame.
    ///
    /// # Errors
    /// What the target does not support, with the instruction; or a bug of ours.
    pub fn run(
        func: &'f Function,
        machine: &'f M,
        order: &'f BlockOrder,
        loops: &LoopAnalysis,
        observer: Option<&'f mut RuleObserver>,
        memory: &mut Memory<M::Inst>,
        vcode: &mut VCode<M::Inst>,
    ) -> Result<FrameNeeds, CompileError> {
        let mut lower = Lower::new(func, machine, order, observer, memory);
        let mut done = core::mem::take(&mut memory.done);
        let frame = lower.select(&mut done).map(|()| {
            vcode.clear();
            lower.assemble(&done, loops, memory, vcode);
            lower.frame
        });
        memory.done = done;
        lower.leave(memory);
        frame
    }

    fn new(
        func: &'f Function,
        machine: &'f M,
        order: &'f BlockOrder,
        observer: Option<&'f mut RuleObserver>,
        memory: &mut Memory<M::Inst>,
    ) -> Self {
        memory.value_regs.clear();
        memory.wanted.clear();
        fn emptied<T>(list: &mut Vec<T>) -> Vec<T> {
            list.clear();
            core::mem::take(list)
        }
        let no_regs = SecondaryMap::with_default(ValueRegs::none());
        Lower {
            func,
            machine,
            order,
            value_regs: core::mem::replace(&mut memory.value_regs, no_regs),
            wanted: core::mem::take(&mut memory.wanted),
            aliases: emptied(&mut memory.aliases),
            classes: emptied(&mut memory.classes),
            forward: emptied(&mut memory.forward),
            backward: emptied(&mut memory.insts),
            edges: emptied(&mut memory.edges),
            regs: emptied(&mut memory.regs),
            failure: None,
            frame: FrameNeeds::default(),
            return_area: None,
            current: None,
            joined: SecondaryMap::new(),
            use_counts: SecondaryMap::new(),
            observer,
            absorbed: None,
            tests: Vec::new(),
            try_results: BTreeMap::new(),
        }
    }

    /// Gives the memory back.
    fn leave(self, memory: &mut Memory<M::Inst>) {
        memory.value_regs = self.value_regs;
        memory.wanted = self.wanted;
        memory.aliases = self.aliases;
        memory.classes = self.classes;
        memory.forward = self.forward;
        memory.insts = self.backward;
        memory.edges = self.edges;
        memory.regs = self.regs;
    }

    /// Selects every block, from last to first; `done` has them in that order.
    fn select(&mut self, done: &mut Vec<DoneBlock>) -> Result<(), CompileError> {
        done.clear();
        self.assign_value_regs()?;
        self.restrict_values()?;
        for index in (0..self.order.blocks.len()).rev() {
            let (insts, edges) = (self.backward.len(), self.edges.len());
            let orig = match self.order.blocks[index] {
                LoweredBlock::Orig(block) => {
                    self.block(block)?;
                    block
                }
                LoweredBlock::Edge { from, dest } => {
                    self.edge_block(from, dest as usize)?;
                    from
                }
            };
            let params = self.regs.len();
            if let LoweredBlock::Orig(block) = self.order.blocks[index] {
                self.param_regs(block);
            }
            done.push(DoneBlock {
                insts: insts..self.backward.len(),
                edges: edges..self.edges.len(),
                params: params..self.regs.len(),
                orig,
            });
        }
        done.reverse();
        Ok(())
    }

    /// Puts the blocks into their final order.
    fn assemble(
        &mut self,
        blocks: &[DoneBlock],
        loops: &LoopAnalysis,
        memory: &mut Memory<M::Inst>,
        vcode: &mut VCode<M::Inst>,
    ) {
        let cold = |i: usize| i != 0 && self.func.layout.is_cold(blocks[i].orig);
        let Memory { sequence, position, .. } = memory;
        sequence.clear();
        sequence.extend((0..blocks.len()).filter(|&i| !cold(i)));
        sequence.extend((0..blocks.len()).filter(|&i| cold(i)));
        if let Some(seed) = self.machine.settings().stress.shuffle_blocks
            && let Some(rest) = sequence.get_mut(1..)
        {
            shuffle(rest, seed);
        }
        position.clear();
        position.resize(blocks.len(), 0);
        for (at, &i) in sequence.iter().enumerate() {
            position[i] = at as u32;
        }
        for edge in &mut self.edges {
            edge.to = position[edge.to as usize];
        }
        for &i in &*sequence {
            let block = &blocks[i];
            let parts = BlockParts {
                reversed: &self.backward[block.insts.clone()],
                params: &self.regs[block.params.clone()],
                edges: &self.edges[block.edges.clone()],
                edge_args: &self.regs,
                loop_depth: loops.loop_depth(block.orig),
                cold: self.func.layout.is_cold(block.orig),
            };
            let aliases = &mut self.aliases;
            vcode.push_block(&parts, |v| resolve(aliases, v));
        }
        for inst in &mut vcode.insts {
            inst.map_labels(&mut |label| Label::new(position[label.index()]));
        }
        vcode.finish(&self.classes);
    }

    /// Every value of a reachable block gets its registers.
    fn assign_value_regs(&mut self) -> Result<(), CompileError> {
        let func = self.func;
        for index in 0..self.order.blocks.len() {
            let LoweredBlock::Orig(block) = self.order.blocks[index] else { continue };
            for &v in func.dfg.block_params(block) {
                self.make_value_regs(v, None)?;
            }
            for inst in func.layout.block_insts(block) {
                func.dfg.for_each_use(inst, |v| self.use_counts[func.dfg.resolve_aliases(v)] += 1);
                for &v in func.dfg.inst_results(inst) {
                    self.make_value_regs(v, Some(inst))?;
                }
            }
        }
        Ok(())
    }

    /// Values of register sets get registers of their set.
    fn restrict_values(&mut self) -> Result<(), CompileError> {
        for set in &self.func.register_sets {
            let unsupported = |what: String| {
                let target = self.machine.name();
                CompileError::Unsupported { target, inst: None, what }
            };
            let sets = &self.machine.settings().runtime.register_sets;
            let Some(n) = sets.iter().position(|(name, _)| *name == set.name) else {
                return Err(unsupported(format!("the register set '{}'", set.name)));
            };
            let class = self.machine.set_class(n as u8);
            for &v in &set.values {
                let v = self.func.dfg.resolve_aliases(v);
                match self.value_regs[v].only_reg().and_then(Reg::as_vreg) {
                    Some(vreg) if self.machine.regs().same_kind(class, self.classes[vreg.index()]) => {
                        self.classes[vreg.index()] = class;
                    }
                    // Of a block that is never reached.
                    None if self.value_regs[v].regs().is_empty() => {}
                    _ => {
                        let ty = self.func.dfg.value_type(v);
                        return Err(unsupported(format!(
                            "a value of type {ty} in the register set '{}'",
                            set.name
                        )));
                    }
                }
            }
        }
        Ok(())
    }

    fn make_value_regs(&mut self, v: Value, inst: Option<Inst>) -> Result<(), CompileError> {
        let ty = self.func.dfg.value_type(v);
        let Some(regs) = self.temps(ty) else {
            let target = self.machine.name();
            return Err(match inst {
                Some(inst) => CompileError::unsupported_op(target, inst, self.func.dfg.opcode(inst), ty),
                None => CompileError::Unsupported { target, inst: None, what: format!("type {ty}") },
            });
        };
        self.value_regs[v] = regs;
        Ok(())
    }

    /// Appends the registers of a block's parameters to `regs`. Those of the entry have their own places.
    fn param_regs(&mut self, block: Block) {
        if Some(block) != self.func.layout.entry_block() {
            let params = self.func.dfg.block_params(block);
            self.regs.extend(params.iter().flat_map(|&v| self.value_regs[v].regs().iter().copied()));
        }
    }

    // ----- Blocks -----

    fn block(&mut self, block: Block) -> Result<(), CompileError> {
        let func = self.func;
        for inst in func.layout.block_insts(block).rev() {
            self.current = Some(inst);
            if func.dfg.opcode(inst).is_branch() {
                self.branch(block, inst)?;
            } else {
                self.inst(inst)?;
            }
        }
        self.current = None;
        if Some(block) == func.layout.entry_block() {
            calls::entry(self);
            self.flush(SourceLoc::NONE, None)?;
        }
        Ok(())
    }

    fn branch(&mut self, block: Block, inst: Inst) -> Result<(), CompileError> {
        let order = self.order;
        let n = order.num_dests(block);
        let first = self.edges.len();
        let mut labels: SmallVec<[Label; 4]> = SmallVec::new();
        for i in 0..n {
            let (to, call, own_block) = order.dest(block, i);
            let args = if own_block { 0..0 } else { self.edge_args(inst, call, &[])? };
            self.edges.push(Edge { to, args });
            labels.push(Label::new(to));
        }
        if let InstData::BranchTable { table, .. } = self.func.dfg.insts[inst] {
            let entries = self.func.dfg.jump_tables[table].table.len();
            labels = order
                .table(block, entries)
                .iter()
                .map(|&i| Label::new(self.edges[first + i as usize].to))
                .collect();
        }
        // Made before the branch, because it comes after it.
        if self.machine.lower_branch(self, inst, &labels).is_none() {
            return Err(self.no_rule(inst));
        }
        self.flush(self.func.srclocs[inst], Some(inst))
    }

    fn edge_block(&mut self, from: Block, dest: usize) -> Result<(), CompileError> {
        let Some(inst) = self.func.layout.last_inst(from) else {
            return Err(CompileError::Internal { stage: "selection", what: format!("{from} has no branch") });
        };
        let (_, call, _) = self.order.dest(from, dest);
        let target = destination(self.func, inst, call).and_then(|dest| self.order.index_of(dest.block));
        let Some(to) = target else {
            return Err(CompileError::Internal { stage: "selection", what: format!("{inst} leads nowhere") });
        };
        self.current = Some(inst);
        let brought = self.try_call_edge(inst, call)?;
        let args = self.edge_args(inst, call, &brought)?;
        self.current = None;
        self.emit(Common::Jump { to: Label::new(to) }.into());
        self.edges.push(Edge { to, args });
        self.flush(self.func.srclocs[inst], Some(inst))
    }

    /// Emits what the edge of a call that may throw begins with, and gives what the edge can pass on: the call's results,
    /// or the exception's payload. Nothing for other branches.
    fn try_call_edge(&mut self, inst: Inst, call: usize) -> Result<InstOutput, CompileError> {
        let (InstData::TryCall { exception, .. } | InstData::TryCallIndirect { exception, .. }) =
            self.func.dfg.insts[inst]
        else {
            return Ok(InstOutput::new());
        };
        let table = &self.func.dfg.exception_tables[exception];
        let brought = if call + 1 == table.all().count() {
            abi::try_return(self, inst, table.sig)
        } else {
            Some(calls::landing(self))
        };
        brought.ok_or_else(|| self.no_rule(inst))
    }

    /// The registers that destination `call` of `inst` passes on; `brought` is what the edge itself brings. Constants
    /// among them are emitted where control reaches the branch, that is after everything emitted from now on.
    fn edge_args(
        &mut self,
        inst: Inst,
        call: usize,
        brought: &[ValueRegs],
    ) -> Result<Range<u32>, CompileError> {
        let func = self.func;
        let start = self.regs.len() as u32;
        let Some(dest) = destination(func, inst, call) else { return Ok(0..0) };
        for arg in dest.args(&func.dfg.block_args) {
            match arg {
                BlockArg::Value(v) => {
                    let v = func.dfg.resolve_aliases(v);
                    self.wanted[v] = true;
                    self.regs.extend_from_slice(self.value_regs[v].regs());
                }
                BlockArg::TryCallRet(n) | BlockArg::TryCallExn(n) => match brought.get(n as usize) {
                    Some(value) => self.regs.extend_from_slice(value.regs()),
                    None => {
                        let what = format!("{inst} brings no {arg}");
                        return Err(CompileError::Internal { stage: "selection", what });
                    }
                },
            }
        }
        Ok(start..self.regs.len() as u32)
    }

    fn inst(&mut self, inst: Inst) -> Result<(), CompileError> {
        let func = self.func;
        let results = func.dfg.inst_results(inst);
        let opcode = func.dfg.opcode(inst);
        let first = self.classes.len();
        if let Some(second) = self.joined[inst].expand() {
            let Some((output, more)) = self.machine.lower_joined(self, inst, second) else {
                return Err(self.no_rule(inst));
            };
            if self.failure.is_none() {
                self.bind_results(inst, &output, first)?;
                self.bind_results(second, &more, first)?;
            }
            return self.flush(func.srclocs[inst], Some(inst));
        }
        let stays = (opcode.effects().must_stay() || results.is_empty())
            && opcode != Opcode::GetPinnedReg
            && self.absorbed != Some(inst);
        if !stays && !results.iter().any(|&v| self.wanted[v]) {
            return Ok(());
        }
        if let Some(other) = self.machine.joins(self, inst) {
            self.joined[other] = inst.into();
            return Ok(());
        }
        let Some(output) = self.machine.lower_inst(self, inst) else {
            return Err(self.no_rule(inst));
        };
        if self.failure.is_none() {
            self.bind_results(inst, &output, first)?;
        }
        self.flush(func.srclocs[inst], Some(inst))
    }

    /// The results' registers become other names of what the rule gave; registers from `first` on are new. What is of another
    /// register set is copied, or was made for the result alone and becomes of its set.
    fn bind_results(&mut self, inst: Inst, output: &InstOutput, first: usize) -> Result<(), CompileError> {
        let results = self.func.dfg.inst_results(inst);
        let wrong = || {
            let opcode = self.func.dfg.opcode(inst);
            let what = format!("the rule for {opcode} gives other registers than the results' types need");
            CompileError::Internal { stage: "selection", what }
        };
        if results.len() != output.len() {
            return Err(wrong());
        }
        for (i, &v) in results.iter().enumerate() {
            let (own, given) = (self.value_regs[v], output[i]);
            if own.len != given.len {
                return Err(wrong());
            }
            for (own, given) in own.regs().iter().zip(given.regs()) {
                if let (Some(own), Some(given)) = (own.as_vreg(), given.as_vreg()) {
                    let given = resolve(&mut self.aliases, given);
                    if own != given {
                        let (class, from) = (self.classes[own.index()], self.classes[given.index()]);
                        if class == from {
                            self.aliases[own.index()] = given.into();
                            continue;
                        }
                        let regs = self.machine.regs();
                        let pure = self.func.dfg.opcode(inst).effects() == windlass_ir::Effects::PURE;
                        if !regs.same_kind(class, from) {
                            return Err(wrong());
                        } else if given.index() >= first && from == regs.root(from) && pure {
                            self.classes[given.index()] = class;
                            self.aliases[own.index()] = given.into();
                        } else {
                            let to = WritableReg::from_reg(Reg::from_vreg(own));
                            let copy = self.machine.gen_move(to, Reg::from_vreg(given));
                            self.emit(copy);
                        }
                    }
                } else {
                    return Err(wrong());
                }
            }
        }
        Ok(())
    }

    fn no_rule(&mut self, inst: Inst) -> CompileError {
        if let Some(failure) = self.failure.take() {
            return failure;
        }
        let dfg = &self.func.dfg;
        let ty = match dfg.ctrl_type(inst) {
            ty if ty.is_invalid() => dfg.first_result(inst).map_or(ty, |v| dfg.value_type(v)),
            ty => ty,
        };
        CompileError::unsupported_op(self.machine.name(), inst, dfg.opcode(inst), ty)
    }

    fn flush(&mut self, srcloc: SourceLoc, origin: Option<Inst>) -> Result<(), CompileError> {
        if let Some(failure) = self.failure.take() {
            return Err(failure);
        }
        let forward = self.forward.drain(..).rev();
        self.backward.extend(forward.map(|inst| (inst, srcloc, origin)));
        Ok(())
    }
}

/// Follows aliases, and shortens the path for the next one.
fn resolve(aliases: &mut [PackedOption<VReg>], v: VReg) -> VReg {
    let mut root = v;
    while let Some(next) = aliases[root.index()].expand() {
        root = next;
    }
    let mut at = v;
    while let Some(next) = aliases[at.index()].expand() {
        aliases[at.index()] = if next == root { next.into() } else { Some(root).into() };
        at = next;
    }
    root
}

/// A Fisher-Yates shuffle by a xorshift generator: the same for the same seed everywhere.
fn shuffle(items: &mut [usize], seed: u64) {
    let mut state = seed | 1;
    for i in (1..items.len()).rev() {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        items.swap(i, (state % (i as u64 + 1)) as usize);
    }
}
