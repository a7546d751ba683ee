//! The pipeline that every target shares.
//!
//! ```text
//! Function --verify--> --legalize--> --order, select--> VCode --allocate--> --check--> --frame, emit--> CompiledCode
//! ```

use super::abi::AbiMachine;
use super::buffer::{Buffer, Label, Room};
use super::lower::{self, Lower};
use super::operands::{AssignRegs, EachReg};
use super::vcode::VCode;
use super::{Emitter, FrameNeeds, MachInst, Reg};
use crate::compiled::{CompiledCode, Stats};
use crate::context::{Context, Stage};
use crate::error::CompileError;
use crate::legalize::{self, Facts, Origins};
use crate::settings::FunctionHeader;
use crate::target::VCodeStage;
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use windlass_ir::entity::EntityRef;
use windlass_ir::{Endianness, Function, Inst};
use windlass_regalloc::{self as ra, Edit, Output, ProgPoint, Side};

/// Compiles `func` for `machine`.
///
/// # Errors
/// See [`CompileError`].
pub fn compile<M: AbiMachine>(
    machine: &M,
    func: &Function,
    cx: &mut Context,
) -> Result<CompiledCode, CompileError> {
    match legalized(machine, func, cx)? {
        None => compile_legal(machine, func, cx),
        Some((legal, origins)) => {
            let origin = |inst: Inst| origins[inst].expand().unwrap_or(inst);
            let mut code = compile_legal(machine, &legal, cx).map_err(|e| e.map_inst(origin))?;
            for range in &mut code.inst_ranges {
                range.inst = origin(range.inst);
            }
            Ok(code)
        }
    }
}

fn compile_legal<M: AbiMachine>(
    machine: &M,
    func: &Function,
    cx: &mut Context,
) -> Result<CompiledCode, CompileError> {
    let mut memory = cx.take::<Memory<M::Inst>>();
    let code = stages(machine, func, cx, &mut memory);
    cx.put_back(memory);
    code
}

fn stages<M: AbiMachine>(
    machine: &M,
    func: &Function,
    cx: &mut Context,
    memory: &mut Memory<M::Inst>,
) -> Result<CompiledCode, CompileError> {
    let needs = select(machine, func, cx, memory)?;
    allocate(machine, &memory.vcode, cx)?;
    cx.stage_done(Stage::Allocate);
    let code = emit(machine, func, &needs, memory, &cx.allocation)?;
    cx.stage_done(Stage::Emit);
    Ok(code)
}

/// What one compilation leaves to the next for a machine with the same type of instructions.
struct Memory<I> {
    lower: lower::Memory<I>,
    vcode: VCode<I>,
    buffer: Option<Buffer>,
    blocks: BlockMemory,
}

impl<I> Default for Memory<I> {
    fn default() -> Self {
        Memory {
            lower: lower::Memory::default(),
            vcode: VCode::default(),
            buffer: None,
            blocks: BlockMemory::default(),
        }
    }
}

/// Which blocks are emitted.
#[derive(Default)]
struct BlockMemory {
    /// For each block, the block where a jump to it ends up.
    forward: Vec<u32>,
    is_live: Vec<bool>,
    work: Vec<usize>,
    /// The blocks to emit, in order.
    live: Vec<usize>,
}

/// Verifies `func` and expresses what `machine` lacks in what it has. `None` if it lacks nothing.
///
/// # Errors
/// See [`CompileError`].
pub fn legalized<M: AbiMachine>(
    machine: &M,
    func: &Function,
    cx: &mut Context,
) -> Result<Option<(Function, Origins)>, CompileError> {
    cx.verifier.address_type = Some(machine.address_type());
    if !machine.settings().skip_verifier {
        cx.verifier.verify(func).map_err(CompileError::Verify)?;
        cx.stage_done(Stage::Verify);
    }
    let facts = Facts {
        native: machine.native(),
        endianness: machine.endianness(),
        runtime: &|opcode, result, operand| machine.runtime(opcode, result, operand),
        compare: &|cc, ty| machine.runtime_compare(cc, ty),
        strict_alignment: machine.strict_alignment(),
    };
    if legalize::is_legal(func, &facts) {
        return Ok(None);
    }
    let mut legal = func.clone();
    let origins = legalize::legalize(&mut legal, &facts, cx.rule_observer.as_mut())?;
    if cfg!(debug_assertions) {
        cx.verifier.verify(&legal).map_err(|faults| {
            let what = faults.first().map_or_else(String::new, ToString::to_string);
            CompileError::Internal { stage: "legalization", what }
        })?;
    }
    cx.stage_done(Stage::Legalize);
    Ok(Some((legal, origins)))
}

/// Prints the code of `func` at a stage.
///
/// # Errors
/// See [`CompileError`].
pub fn print_vcode<M: AbiMachine>(
    machine: &M,
    func: &Function,
    stage: VCodeStage,
    cx: &mut Context,
) -> Result<String, CompileError> {
    let legal = legalized(machine, func, cx)?;
    let mut memory = Memory::default();
    select(machine, legal.as_ref().map_or(func, |(legal, _)| legal), cx, &mut memory)?;
    let mut vcode = memory.vcode;
    let mut out = String::new();
    // Writing to a string cannot fail.
    let _ = match stage {
        VCodeStage::Selected => vcode.print(&mut out),
        VCodeStage::Allocated => {
            allocate(machine, &vcode, cx)?;
            assign_registers(&mut vcode, &cx.allocation);
            print_allocated(machine, &vcode, &cx.allocation, &mut out)
        }
    };
    Ok(out)
}

fn select<M: AbiMachine>(
    machine: &M,
    func: &Function,
    cx: &mut Context,
    memory: &mut Memory<M::Inst>,
) -> Result<FrameNeeds, CompileError> {
    cx.flow.compute(func);
    cx.stage_done(Stage::Order);
    if cx.flow.order.blocks.is_empty() {
        let what = "a function without blocks".to_string();
        return Err(CompileError::Unsupported { target: machine.name(), inst: None, what });
    }
    let Memory { lower, vcode, .. } = memory;
    let needs =
        Lower::run(func, machine, &cx.flow.order, &cx.flow.loops, cx.rule_observer.as_mut(), lower, vcode)?;
    if cfg!(debug_assertions) {
        vcode.check_flags()?;
    }
    cx.stage_done(Stage::Select);
    Ok(needs)
}

fn allocate<M: AbiMachine>(
    machine: &M,
    vcode: &VCode<M::Inst>,
    cx: &mut Context,
) -> Result<(), CompileError> {
    let stress = &machine.settings().stress;
    let options =
        ra::Options { max_regs: stress.max_regs, spill_all: stress.spill_all, random: stress.random_regs };
    cx.allocator.run(vcode, machine.regs(), &options, &mut cx.allocation).map_err(|e| match e {
        // What the embedder keeps for itself may be too much for the longest instructions.
        ra::Error::TooManyConstraints { inst } if machine.settings().runtime.takes_registers() => {
            let what = "an operation that needs more registers than the settings leave".to_string();
            CompileError::Unsupported { target: machine.name(), inst: vcode.origins[inst.index()], what }
        }
        e => CompileError::Internal { stage: "register allocation", what: e.to_string() },
    })?;
    if machine.settings().regalloc_checker.unwrap_or(cfg!(debug_assertions)) {
        ra::checker::check(vcode, machine.regs(), &cx.allocation).map_err(|report| {
            CompileError::Internal { stage: "register allocation check", what: report.to_string() }
        })?;
    }
    Ok(())
}

fn assign_registers<I: MachInst>(vcode: &mut VCode<I>, allocation: &Output) {
    for (i, inst) in vcode.insts.iter_mut().enumerate() {
        let allocs = allocation.inst_allocs(ra::Inst::from_u32(i as u32));
        inst.visit_operands(&mut AssignRegs::new(allocs));
    }
}

fn print_allocated<M: AbiMachine>(
    machine: &M,
    vcode: &VCode<M::Inst>,
    allocation: &Output,
    out: &mut String,
) -> core::fmt::Result {
    use core::fmt::Write;
    let regs = machine.regs();
    let place = |a: ra::Allocation| match a {
        ra::Allocation::Reg(preg) => regs.name(preg).to_string(),
        ra::Allocation::Slot(slot) => format!("[spill+{}]", slot.offset_bytes()),
        ra::Allocation::None => "none".to_string(),
    };
    let edits = |inst: usize, side: fn(ra::Inst) -> ProgPoint, out: &mut String| -> core::fmt::Result {
        for (_, edit) in allocation.edits_at(side(ra::Inst::from_u32(inst as u32))) {
            match *edit {
                Edit::Move { from, to, .. } => writeln!(out, "  + move {}, {}", place(to), place(from))?,
                Edit::Remat { inst, to } => {
                    let mut again = vcode.insts[inst.index()].clone();
                    again.visit_operands(&mut AssignTo(Reg::from_preg(to)));
                    write!(out, "  + ")?;
                    again.print(out)?;
                    writeln!(out)?;
                }
            }
        }
        Ok(())
    };
    for block in 0..vcode.num_blocks() {
        writeln!(out, "block{block}:")?;
        for inst in vcode.block_range(block) {
            edits(inst, ProgPoint::before, out)?;
            write!(out, "    ")?;
            vcode.insts[inst].print(out)?;
            writeln!(out)?;
            edits(inst, ProgPoint::after, out)?;
        }
    }
    Ok(())
}

/// Gives the only register operand of an instruction that is carried out again its register.
struct AssignTo(Reg);

impl EachReg for AssignTo {
    fn each(&mut self, reg: &mut Reg) {
        *reg = self.0;
    }
}

/// Emission of one function.
struct Emission<'a, M: AbiMachine> {
    machine: &'a M,
    func: &'a Function,
    vcode: &'a VCode<M::Inst>,
    allocation: &'a Output,
    frame: M::Frame,
    buf: &'a mut Buffer,
}

fn emit<M: AbiMachine>(
    machine: &M,
    func: &Function,
    needs: &FrameNeeds,
    memory: &mut Memory<M::Inst>,
    allocation: &Output,
) -> Result<CompiledCode, CompileError> {
    let Memory { vcode, blocks, .. } = memory;
    assign_registers(vcode, allocation);
    let frame = machine.frame(func, needs, allocation)?;
    let reach = machine.settings().stress.branch_range;
    let mut buf = Buffer::new(memory.buffer.take(), vcode.num_blocks(), machine.island_info(), reach);
    empty_blocks(vcode, allocation, &mut blocks.forward);
    for inst in &mut vcode.insts {
        inst.map_labels(&mut |label| Label::new(blocks.forward[label.index()]));
    }
    // Blocks that only jump have been bypassed: nobody goes there.
    live_blocks(vcode, blocks);
    let mut emission = Emission { machine, func, vcode, allocation, frame, buf: &mut buf };
    let code = emission.run(&blocks.live).and_then(|()| emission.finish());
    memory.buffer = Some(buf);
    code
}

impl<M: AbiMachine> Emission<'_, M> {
    fn run(&mut self, live: &[usize]) -> Result<(), CompileError> {
        let machine = self.machine;
        let vcode = self.vcode;
        for (at, &block) in live.iter().enumerate() {
            let next = live.get(at + 1).map(|&next| Label::new(next as u32));
            self.buf.bind(Label::new(block as u32));
            if block == 0 {
                self.buf.prepare(machine.prologue_room(&self.frame));
                machine.emitter(&self.frame, self.buf).emit_prologue().map_err(bug)?;
            }
            for inst in vcode.block_range(block) {
                self.buf.set_srcloc(vcode.srclocs[inst]);
                let start = self.buf.offset();
                self.edits(ProgPoint::before(ra::Inst::from_u32(inst as u32)))?;
                self.inst(&vcode.insts[inst], next)?;
                self.edits(ProgPoint::after(ra::Inst::from_u32(inst as u32)))?;
                if machine.settings().inst_ranges
                    && let Some(origin) = vcode.origins[inst]
                {
                    self.buf.inst_range(start, origin);
                }
            }
            let padding = machine.settings().stress.block_padding;
            let falls_through = next.is_some_and(|next| self.falls_to(block, next));
            if !falls_through {
                // Padding may be longer than what waits can reach.
                self.buf.prepare(Room { bytes: padding, fixups: 0, pool_bytes: 0 });
                machine.emitter(&self.frame, self.buf).emit_padding(padding).map_err(bug)?;
                self.buf.prepare_at_gap(GAP_BYTES);
            }
        }
        for (code, loc, label) in self.buf.take_deferred_traps() {
            self.buf.set_srcloc(loc);
            self.buf.prepare(Room { bytes: 16, fixups: 0, pool_bytes: 0 });
            self.buf.bind(label);
            machine.emitter(&self.frame, self.buf).trap(code).map_err(bug)?;
        }
        Ok(())
    }

    /// Does `block` end without a jump, because `next` comes next?
    fn falls_to(&self, block: usize, next: Label) -> bool {
        let mut found = false;
        if let Some(last) = self.vcode.block_range(block).last() {
            self.vcode.insts[last].clone().map_labels(&mut |label| {
                found |= label == next;
                label
            });
        }
        found
    }

    fn inst(&mut self, inst: &M::Inst, next: Option<Label>) -> Result<(), CompileError> {
        self.buf.prepare(self.machine.room(inst));
        let start = self.buf.offset();
        self.machine.emitter(&self.frame, self.buf).emit(inst, next).map_err(bug)?;
        debug_assert!(
            self.buf.offset() - start <= self.machine.room(inst).bytes,
            "{inst:?} takes more room than it says"
        );
        Ok(())
    }

    fn edits(&mut self, point: ProgPoint) -> Result<(), CompileError> {
        for &(_, edit) in self.allocation.edits_at(point) {
            match edit {
                Edit::Move { from, to, class } => {
                    self.buf.prepare(self.machine.move_room());
                    let mut emitter = self.machine.emitter(&self.frame, self.buf);
                    emitter.emit_move(from, to, class).map_err(bug)?;
                }
                Edit::Remat { inst, to } => {
                    let mut again = self.vcode.insts[inst.index()].clone();
                    again.visit_operands(&mut AssignTo(Reg::from_preg(to)));
                    self.inst(&again, None)?;
                }
            }
        }
        Ok(())
    }

    /// A word of data in the order of memory.
    fn word(&self, word: u32) -> [u8; 4] {
        match self.machine.endianness() {
            Endianness::Little => word.to_le_bytes(),
            Endianness::Big => word.to_be_bytes(),
        }
    }

    fn finish(&mut self) -> Result<CompiledCode, CompileError> {
        let done = self.buf.finish().map_err(bug)?;
        let frame = self.machine.frame_layout(&self.frame);
        let allocation = &self.allocation.stats;
        let func = self.func;
        let ir_insts =
            func.layout.blocks().map(|block| func.layout.block_insts(block).count()).sum::<usize>();
        let stats = Stats {
            ir_insts: ir_insts as u32,
            ir_blocks: func.layout.blocks().count() as u32,
            machine_insts: self.vcode.insts.len() as u32,
            machine_blocks: self.vcode.num_blocks() as u32,
            intervals: allocation.intervals,
            splits: allocation.splits,
            spills: allocation.spills,
            reloads: allocation.reloads,
            moves: allocation.moves,
            remats: allocation.remats,
            spill_bytes: self.allocation.spill_size_bytes,
            code_bytes: done.bytes.len() as u32,
            pool_words: done.pool_words,
            veneers: done.veneers,
        };
        let runtime = &self.machine.settings().runtime;
        let header = match runtime.function_header {
            None => Vec::new(),
            Some(FunctionHeader::Size) => self.word(done.bytes.len() as u32).to_vec(),
            Some(FunctionHeader::Word(word)) => self.word(word).to_vec(),
        };
        Ok(CompiledCode {
            bytes: done.bytes,
            alignment: self.machine.code_alignment().max(runtime.align_return_addresses),
            header,
            return_offsets: done.return_offsets,
            local_entry: self.machine.local_entry(&self.frame),
            relocs: done.relocs,
            traps: done.traps,
            data_ranges: done.data_ranges,
            source_ranges: done.source_ranges,
            inst_ranges: done.inst_ranges,
            frame_size_bytes: frame.size_bytes,
            frame: Some(frame),
            call_sites: done.call_sites,
            stats,
        })
    }
}

fn bug(what: impl core::fmt::Display) -> CompileError {
    CompileError::Internal { stage: "emission", what: what.to_string() }
}

/// After a jump the pool goes here if it would be wanted within so many bytes.
const GAP_BYTES: u32 = 1024;

/// For each block the block where a jump to it ends up: blocks that only jump, and into which the allocator put
/// nothing, are passed over.
fn empty_blocks<I: MachInst>(vcode: &VCode<I>, allocation: &Output, forward: &mut Vec<u32>) {
    let only_jump = |block: usize| {
        let range = vcode.block_range(block);
        if block == 0 || range.len() != 1 {
            return None;
        }
        let inst = ra::Inst::from_u32(range.start as u32);
        let edited = !allocation.edits_at(ProgPoint { inst, side: Side::Before }).is_empty();
        if edited { None } else { vcode.insts[range.start].as_jump().map(|label| label.index() as u32) }
    };
    let end_of_chain = |block: usize| {
        // A chain of empty blocks may be a cycle: an endless loop, whose first block met stays itself.
        let mut at = block;
        for _ in 0..MAX_CHAIN {
            match only_jump(at) {
                Some(to) => at = to as usize,
                None => return at as u32,
            }
        }
        block as u32
    };
    forward.clear();
    forward.extend((0..vcode.num_blocks()).map(end_of_chain));
}

/// Longer chains of empty blocks are only shortened.
const MAX_CHAIN: usize = 8;

/// The blocks that something still leads to, once labels have been forwarded.
fn live_blocks<I: MachInst>(vcode: &VCode<I>, blocks: &mut BlockMemory) {
    let BlockMemory { is_live, work, live, .. } = blocks;
    is_live.clear();
    is_live.resize(vcode.num_blocks(), false);
    is_live[0] = true;
    work.clear();
    work.push(0);
    while let Some(block) = work.pop() {
        if let Some(last) = vcode.block_range(block).last() {
            vcode.insts[last].clone().map_labels(&mut |label| {
                if !core::mem::replace(&mut is_live[label.index()], true) {
                    work.push(label.index());
                }
                label
            });
        }
    }
    live.clear();
    live.extend((0..vcode.num_blocks()).filter(|&block| is_live[block]));
}
