//! Machine code before it is bytes: instructions of one target in blocks, with virtual registers.
//!
//! **Made by** [`Lower`](super::lower::Lower). **Read by** the register allocator, through its `Function` trait,
//! and by the emitter. Blocks stand in the order of emission and own consecutive instructions; the last is the
//! terminator. Critical edges are split. Everything is in dense vectors by index.

use super::operands::OperandCollector;
use super::{MachInst, Reg};
use crate::error::CompileError;
use alloc::format;
use alloc::vec::Vec;
use core::ops::Range;
use windlass_ir::SourceLoc;
use windlass_ir::entity::EntityRef;
use windlass_regalloc::{self as ra, Operand, RegClass, UnitSet, VReg};

/// An index range in a shared pool.
type Span = Range<u32>;

/// A branch from a block to its successor, with the registers that it passes.
#[derive(Clone, Debug)]
pub struct Edge {
    /// Index of the successor.
    pub to: u32,
    /// What its parameters get: a part of [`BlockParts::edge_args`].
    pub args: Range<u32>,
}

/// Machine code in virtual registers.
pub struct VCode<I> {
    /// Every instruction, in the order of emission.
    pub insts: Vec<I>,
    /// Where each comes from in the source.
    pub srclocs: Vec<SourceLoc>,
    /// Which instruction of the function each comes from; `None` for what the pipeline adds.
    pub origins: Vec<Option<windlass_ir::Inst>>,
    blocks: Vec<Span>,
    block_params: Vec<VReg>,
    block_param_spans: Vec<Span>,
    succs: Vec<ra::Block>,
    succ_spans: Vec<Span>,
    preds: Vec<ra::Block>,
    pred_spans: Vec<Span>,
    branch_args: Vec<VReg>,
    /// One for each entry of `succs`.
    branch_arg_spans: Vec<Span>,
    loop_depths: Vec<u32>,
    cold: Vec<bool>,
    classes: Vec<RegClass>,
    operands: Vec<Operand>,
    operand_spans: Vec<Span>,
    clobbers: Vec<(u32, UnitSet)>,
}

impl<I> Default for VCode<I> {
    fn default() -> Self {
        VCode {
            insts: Vec::new(),
            srclocs: Vec::new(),
            origins: Vec::new(),
            blocks: Vec::new(),
            block_params: Vec::new(),
            block_param_spans: Vec::new(),
            succs: Vec::new(),
            succ_spans: Vec::new(),
            preds: Vec::new(),
            pred_spans: Vec::new(),
            branch_args: Vec::new(),
            branch_arg_spans: Vec::new(),
            loop_depths: Vec::new(),
            cold: Vec::new(),
            classes: Vec::new(),
            operands: Vec::new(),
            operand_spans: Vec::new(),
            clobbers: Vec::new(),
        }
    }
}

/// A block as [`VCode::push_block`] takes it.
pub struct BlockParts<'a, I> {
    /// Instructions in reverse order, with source locations and origins.
    pub reversed: &'a [(I, SourceLoc, Option<windlass_ir::Inst>)],
    /// Parameters.
    pub params: &'a [Reg],
    /// Successors.
    pub edges: &'a [Edge],
    /// The registers that edges pass.
    pub edge_args: &'a [Reg],
    /// How many loops it is in.
    pub loop_depth: u32,
    /// Seldom reached.
    pub cold: bool,
}

impl<I: MachInst> VCode<I> {
    /// Checks that whatever reads the flags finds them as its block has set them.
    ///
    /// # Errors
    /// It does not: always a bug of the rules'.
    pub fn check_flags(&self) -> Result<(), CompileError> {
        for block in 0..self.num_blocks() {
            let mut known = false;
            for inst in &self.insts[self.block_range(block)] {
                if inst.reads_flags() && !known {
                    let what = format!("{inst:?} reads flags that nothing in its block has set");
                    return Err(CompileError::Internal { stage: "selection", what });
                }
                known = (known || inst.sets_flags()) && !inst.loses_flags();
            }
        }
        Ok(())
    }

    /// Empties the code and keeps its memory.
    pub fn clear(&mut self) {
        self.insts.clear();
        self.srclocs.clear();
        self.origins.clear();
        self.blocks.clear();
        self.block_params.clear();
        self.block_param_spans.clear();
        self.succs.clear();
        self.succ_spans.clear();
        self.preds.clear();
        self.pred_spans.clear();
        self.branch_args.clear();
        self.branch_arg_spans.clear();
        self.loop_depths.clear();
        self.cold.clear();
        self.classes.clear();
        self.operands.clear();
        self.operand_spans.clear();
        self.clobbers.clear();
    }

    /// Number of blocks.
    pub fn num_blocks(&self) -> usize {
        self.blocks.len()
    }

    /// The instructions of block `index`, as indices.
    pub fn block_range(&self, index: usize) -> Range<usize> {
        self.blocks[index].start as usize..self.blocks[index].end as usize
    }

    /// The successors of block `index`.
    pub fn successors(&self, index: usize) -> &[ra::Block] {
        &self.succs[range(&self.succ_spans[index])]
    }

    /// Appends a block. `resolve` finds the register that a virtual register stands for.
    pub fn push_block(&mut self, parts: &BlockParts<'_, I>, mut resolve: impl FnMut(VReg) -> VReg) {
        let vreg = |reg: &Reg, resolve: &mut dyn FnMut(VReg) -> VReg| reg.as_vreg().map(resolve);
        let start = self.insts.len() as u32;
        for (inst, srcloc, origin) in parts.reversed.iter().rev() {
            let mut inst = inst.clone();
            inst.visit_operands(&mut ResolveAliases { resolve: &mut resolve });
            self.insts.push(inst);
            self.srclocs.push(*srcloc);
            self.origins.push(*origin);
        }
        self.blocks.push(start..self.insts.len() as u32);

        let start = self.block_params.len() as u32;
        self.block_params.extend(parts.params.iter().filter_map(|reg| vreg(reg, &mut resolve)));
        self.block_param_spans.push(start..self.block_params.len() as u32);

        let start = self.succs.len() as u32;
        for edge in parts.edges {
            self.succs.push(ra::Block::from_u32(edge.to));
            let start = self.branch_args.len() as u32;
            let args = &parts.edge_args[range(&edge.args)];
            self.branch_args.extend(args.iter().filter_map(|reg| vreg(reg, &mut resolve)));
            self.branch_arg_spans.push(start..self.branch_args.len() as u32);
        }
        self.succ_spans.push(start..self.succs.len() as u32);
        self.loop_depths.push(parts.loop_depth);
        self.cold.push(parts.cold);
    }

    /// After the last block: operands, clobbers, predecessors.
    pub fn finish(&mut self, classes: &[RegClass]) {
        self.classes.extend_from_slice(classes);
        self.operand_spans.reserve(self.insts.len());
        self.operands.reserve(self.insts.len() * 3);
        for (i, inst) in self.insts.iter_mut().enumerate() {
            let start = self.operands.len() as u32;
            inst.visit_operands(&mut OperandCollector::new(&mut self.operands));
            self.operand_spans.push(start..self.operands.len() as u32);
            let clobbers = inst.clobbers();
            if !clobbers.is_empty() {
                self.clobbers.push((i as u32, clobbers));
            }
        }
        // Counting sort of the edges by successor: `end` of a span counts up to where the next one starts.
        self.pred_spans.resize(self.blocks.len(), 0..0);
        for succ in &self.succs {
            self.pred_spans[succ.index()].end += 1;
        }
        let mut next = 0;
        for span in &mut self.pred_spans {
            let count = span.end;
            *span = next..next;
            next += count;
        }
        self.preds.resize(self.succs.len(), ra::Block::from_u32(0));
        for (block, span) in self.succ_spans.iter().enumerate() {
            for succ in &self.succs[range(span)] {
                let at = &mut self.pred_spans[succ.index()].end;
                self.preds[*at as usize] = ra::Block::from_u32(block as u32);
                *at += 1;
            }
        }
    }

    /// Prints the code in virtual registers.
    pub fn print(&self, out: &mut impl core::fmt::Write) -> core::fmt::Result {
        for block in 0..self.num_blocks() {
            write!(out, "block{block}")?;
            let params = &self.block_params[range(&self.block_param_spans[block])];
            for (i, param) in params.iter().enumerate() {
                write!(out, "{}{param}", if i == 0 { "(" } else { ", " })?;
            }
            writeln!(out, "{}", if params.is_empty() { ":" } else { "):" })?;
            for inst in self.block_range(block) {
                write!(out, "    ")?;
                self.insts[inst].print(out)?;
                writeln!(out)?;
            }
            let span = range(&self.succ_spans[block]);
            for (succ, args) in self.succs[span.clone()].iter().zip(&self.branch_arg_spans[span]) {
                let args = &self.branch_args[range(args)];
                if !args.is_empty() {
                    write!(out, "    ;; to {succ}:")?;
                    for (i, arg) in args.iter().enumerate() {
                        write!(out, "{} {arg}", if i == 0 { "" } else { "," })?;
                    }
                    writeln!(out)?;
                }
            }
        }
        Ok(())
    }
}

fn range(span: &Span) -> Range<usize> {
    span.start as usize..span.end as usize
}

impl<I: MachInst> ra::Function for VCode<I> {
    fn num_insts(&self) -> usize {
        self.insts.len()
    }
    fn num_blocks(&self) -> usize {
        self.blocks.len()
    }
    fn num_vregs(&self) -> usize {
        self.classes.len()
    }
    fn block_insts(&self, block: ra::Block) -> Range<u32> {
        self.blocks[block.index()].clone()
    }
    fn block_succs(&self, block: ra::Block) -> &[ra::Block] {
        self.successors(block.index())
    }
    fn block_preds(&self, block: ra::Block) -> &[ra::Block] {
        &self.preds[range(&self.pred_spans[block.index()])]
    }
    fn block_params(&self, block: ra::Block) -> &[VReg] {
        &self.block_params[range(&self.block_param_spans[block.index()])]
    }
    fn branch_args(&self, block: ra::Block, succ_index: usize) -> &[VReg] {
        let edge = self.succ_spans[block.index()].start as usize + succ_index;
        &self.branch_args[range(&self.branch_arg_spans[edge])]
    }
    fn loop_depth(&self, block: ra::Block) -> u32 {
        // Cold code is worth less than code outside of all loops, which the allocator has no word for.
        if self.cold[block.index()] { 0 } else { self.loop_depths[block.index()] }
    }
    fn inst_operands(&self, inst: ra::Inst) -> &[Operand] {
        &self.operands[range(&self.operand_spans[inst.index()])]
    }
    fn inst_clobbers(&self, inst: ra::Inst) -> UnitSet {
        match self.clobbers.binary_search_by_key(&inst.as_u32(), |(at, _)| *at) {
            Ok(i) => self.clobbers[i].1,
            Err(_) => UnitSet::EMPTY,
        }
    }
    fn is_move(&self, inst: ra::Inst) -> Option<(VReg, VReg)> {
        let (to, from) = self.insts[inst.index()].as_move()?;
        Some((from.as_vreg()?, to.to_reg().as_vreg()?))
    }
    fn vreg_class(&self, vreg: VReg) -> RegClass {
        self.classes[vreg.index()]
    }
    fn is_remat(&self, inst: ra::Inst) -> bool {
        self.insts[inst.index()].is_remat()
    }
}

/// Replaces virtual registers by what they are aliases of.
struct ResolveAliases<'a, F> {
    resolve: &'a mut F,
}

impl<F: FnMut(VReg) -> VReg> super::operands::EachReg for ResolveAliases<'_, F> {
    fn each(&mut self, reg: &mut Reg) {
        if let Some(v) = reg.as_vreg() {
            *reg = Reg::from_vreg((self.resolve)(v));
        }
    }
}
