//! Selection: from the function's instructions to the machine's, by the target's rules.
//!
//! **In:** a verified function that the target can express. **Out:** [`VCode`].
//!
//! Blocks are visited from last to first and instructions from last to first in them, so that when an instruction's turn
//! comes it is known whether anyone wants its results: a pure one that every user has absorbed into its own
//! pattern is never selected. A rule emits forward; the driver turns the whole around at the end. A rule may look
//! through the definition of any operand that is pure, whatever block it stands in, because SSA values do not change.
//!
//! A value lives in one to four virtual registers, as its type needs. What a rule returns for a result is not copied:
//! the result's registers become aliases of it. Constants are made anew at each use; the allocator never
//! keeps one in a register across a loop at the cost of something else.
//!
//! Cost: linear in the function, plus the patterns that the rules look at.

mod look;
mod select;
mod window;

pub use look::power;

use super::order::BlockOrder;
use super::pseudo::CallTarget;
use super::vcode::Edge;
use super::{Label, Machine, Reg, WritableReg};
use crate::coverage::{RuleObserver, RuleSet};
use crate::error::CompileError;
use alloc::collections::BTreeMap;
use alloc::string::String;
use alloc::vec::Vec;
use core::ops::Range;
use smallvec::SmallVec;
use windlass_ir::entity::packed_option::PackedOption;
use windlass_ir::entity::{EntityRef, SecondaryMap};
use windlass_ir::{
    Block, Function, Inst, InstData, MemFlags, Opcode, SourceLoc, StackSlot, TrapCode, Type, Value, ValueDef,
    types,
};
use windlass_regalloc::{PReg, RegClass, UnitSet, VReg};

/// The registers of a value, least significant part first.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct ValueRegs {
    regs: [Reg; 4],
    len: u8,
}

impl ValueRegs {
    /// No register: what an instruction without results gives.
    pub const fn none() -> ValueRegs {
        ValueRegs { regs: [Reg::NONE; 4], len: 0 }
    }

    /// One register.
    pub const fn one(reg: Reg) -> ValueRegs {
        ValueRegs { regs: [reg, Reg::NONE, Reg::NONE, Reg::NONE], len: 1 }
    }

    /// Two registers.
    pub const fn two(lo: Reg, hi: Reg) -> ValueRegs {
        ValueRegs { regs: [lo, hi, Reg::NONE, Reg::NONE], len: 2 }
    }

    /// Four registers.
    pub const fn four(regs: [Reg; 4]) -> ValueRegs {
        ValueRegs { regs, len: 4 }
    }

    /// Up to four registers.
    pub fn from_slice(regs: &[Reg]) -> Option<ValueRegs> {
        let mut all = [Reg::NONE; 4];
        all.get_mut(..regs.len())?.copy_from_slice(regs);
        Some(ValueRegs { regs: all, len: regs.len() as u8 })
    }

    /// The registers.
    pub fn regs(&self) -> &[Reg] {
        &self.regs[..self.len.into()]
    }

    /// The only register, if there is one only.
    pub fn only_reg(&self) -> Option<Reg> {
        (self.len == 1).then_some(self.regs[0])
    }
}

/// What an instruction gives: registers for each result.
pub type InstOutput = SmallVec<[ValueRegs; 2]>;

/// Why selection stopped. A rule's helper can only note it; the driver reports it.
type Failure = Option<CompileError>;

/// A block that was selected.
struct DoneBlock {
    /// Its instructions, reversed.
    insts: Range<usize>,
    /// Where it leads.
    edges: Range<usize>,
    /// Its parameters.
    params: Range<usize>,
    /// The block of the function that it stands for.
    orig: Block,
}

/// What selection needs and leaves to the next function's.
pub struct Memory<I> {
    value_regs: SecondaryMap<Value, ValueRegs>,
    wanted: SecondaryMap<Value, bool>,
    aliases: Vec<PackedOption<VReg>>,
    classes: Vec<RegClass>,
    forward: Vec<I>,
    insts: Vec<(I, SourceLoc, Option<Inst>)>,
    edges: Vec<Edge>,
    regs: Vec<Reg>,
    done: Vec<DoneBlock>,
    sequence: Vec<usize>,
    position: Vec<u32>,
}

impl<I> Default for Memory<I> {
    fn default() -> Self {
        Memory {
            value_regs: SecondaryMap::with_default(ValueRegs::none()),
            wanted: SecondaryMap::new(),
            aliases: Vec::new(),
            classes: Vec::new(),
            forward: Vec::new(),
            insts: Vec::new(),
            edges: Vec::new(),
            regs: Vec::new(),
            done: Vec::new(),
            sequence: Vec::new(),
            position: Vec::new(),
        }
    }
}

/// Selection of one function.
pub struct Lower<'f, M: Machine> {
    /// The function.
    pub func: &'f Function,
    /// The target.
    pub machine: &'f M,
    order: &'f BlockOrder,
    value_regs: SecondaryMap<Value, ValueRegs>,
    wanted: SecondaryMap<Value, bool>,
    aliases: Vec<PackedOption<VReg>>,
    classes: Vec<RegClass>,
    /// Emitted by the rule at work, forward.
    forward: Vec<M::Inst>,
    /// All that is selected, the last block first, backward.
    backward: Vec<(M::Inst, SourceLoc, Option<Inst>)>,
    /// The edges of the blocks that are selected.
    edges: Vec<Edge>,
    /// What edges pass on, and the parameters of blocks.
    regs: Vec<Reg>,
    failure: Failure,
    /// What the code selected so far wants of the frame.
    pub frame: FrameNeeds,
    /// The register that keeps the address where the caller wants results that found no register, once it is
    /// needed. The target defines it on entry.
    pub return_area: Option<WritableReg>,
    current: Option<Inst>,
    /// The later instruction that is selected with this one.
    joined: SecondaryMap<Inst, PackedOption<Inst>>,
    /// How often each value is used.
    use_counts: SecondaryMap<Value, u32>,
    observer: Option<&'f mut RuleObserver>,
    /// The load that the last call does itself.
    absorbed: Option<Inst>,
    /// What later instructions want to know of a result: the instruction that gives it, where the answer goes, and
    /// whether the result's sign matters. Few at a time.
    tests: Vec<(Inst, WritableReg, bool)>,
    /// What the normal edges of calls that may throw find in registers, by call, until the call itself comes.
    try_results: BTreeMap<Inst, Vec<(WritableReg, PReg)>>,
}

impl<M: Machine> Lower<'_, M> {
    /// Appends an instruction.
    pub fn emit(&mut self, inst: M::Inst) {
        self.forward.push(inst);
    }

    /// Tells whoever wants to know that a rule fires.
    pub fn rule_fired(&mut self, set: &'static RuleSet, index: u32) {
        if let Some(observer) = &mut self.observer {
            observer(set, index);
        }
    }

    /// A new virtual register.
    pub fn temp(&mut self, class: RegClass) -> WritableReg {
        self.classes.push(class);
        self.aliases.push(None.into());
        WritableReg::from_reg(Reg::from_vreg(VReg::from_u32(self.classes.len() as u32 - 1)))
    }

    /// The class of a virtual register.
    pub fn class_of(&self, vreg: VReg) -> RegClass {
        self.classes[vreg.index()]
    }

    /// New registers for a value of type `ty`. `None` if the target has none for it.
    pub fn temps(&mut self, ty: Type) -> Option<ValueRegs> {
        let mut regs = ValueRegs::none();
        for &class in self.machine.classes_of(ty)? {
            regs.regs[usize::from(regs.len)] = self.temp(class).to_reg();
            regs.len += 1;
        }
        Some(regs)
    }

    /// The registers of `v`, to be read by what is emitted next.
    pub fn put_in_regs(&mut self, v: Value) -> ValueRegs {
        let v = self.func.dfg.resolve_aliases(v);
        if let Some(bits) = self.constant(v)
            && let Some(regs) = self.machine.gen_constant(self, self.func.dfg.value_type(v), bits)
        {
            return regs;
        }
        self.wanted[v] = true;
        self.value_regs[v]
    }

    /// The block that a call which may throw ends is entered through `defs`: virtual registers to be defined by the call,
    /// in these physical ones. To be noted by [`try_return`](super::abi::try_return).
    pub fn set_try_results(&mut self, inst: Inst, defs: Vec<(WritableReg, PReg)>) {
        self.try_results.insert(inst, defs);
    }

    /// What the call at work, which may throw, has to define: see [`set_try_results`](Self::set_try_results).
    pub fn take_try_results(&mut self) -> Vec<(WritableReg, PReg)> {
        self.current.and_then(|inst| self.try_results.remove(&inst)).unwrap_or_default()
    }

    /// Where handler `index` of the call that ends `block` begins. `None` if the block is never reached, or does not
    /// end in such a call.
    pub fn handler_label(&self, block: Block, index: u32) -> Option<Label> {
        self.order.index_of(block)?;
        let index = index as usize;
        (index < self.order.num_dests(block)).then(|| Label::new(self.order.dest(block, index).0))
    }

    /// The registers of an entry block's parameter, to be written.
    pub fn entry_param_regs(&self, index: usize) -> ValueRegs {
        let entry = self.func.layout.entry_block();
        let params = entry.map_or(&[][..], |entry| self.func.dfg.block_params(entry));
        params.get(index).map_or(ValueRegs::none(), |&v| self.value_regs[v])
    }

    /// How many operands of reachable instructions `v` is, which is no alias.
    pub fn use_count(&self, v: Value) -> u32 {
        self.use_counts[v]
    }

    /// Has what was selected so far, which is everything behind the current instruction, asked for the registers of
    /// `v`, which is no alias?
    pub fn is_wanted(&self, v: Value) -> bool {
        self.wanted[v]
    }

    /// Is `inst` selected together with a later instruction?
    pub fn is_joined(&self, inst: Inst) -> bool {
        self.joined[inst].is_some()
    }

    /// Asks `inst`, whose turn has not come, to compare its result with 0 besides, into a register of `class`; as a signed
    /// number, or to tell only whether it is 0. Whoever asks wants the result. See [`take_test`](Self::take_test).
    pub fn ask_test(&mut self, inst: Inst, class: RegClass, signed: bool) -> Reg {
        if let Some(test) = self.tests.iter_mut().find(|test| test.0 == inst) {
            test.2 |= signed;
            return test.1.to_reg();
        }
        let answer = self.temp(class);
        self.tests.push((inst, answer, signed));
        answer.to_reg()
    }

    /// Where `inst`, which is selected now, has to leave how its result compares with 0, and whether its sign is asked for.
    pub fn take_test(&mut self, inst: Inst) -> Option<(WritableReg, bool)> {
        let at = self.tests.iter().position(|test| test.0 == inst)?;
        let (_, answer, signed) = self.tests.swap_remove(at);
        Some((answer, signed))
    }

    /// The instruction that was emitted last for what is selected now.
    pub fn last_emitted(&mut self) -> Option<&mut M::Inst> {
        self.forward.last_mut()
    }

    /// If the pure instruction that defines `v` stands shortly before the one at work, in its block, with nothing between them
    /// that has effects, or has been asked for a test already: that instruction. Its turn has not come.
    pub fn shortly_before(&self, v: Value) -> Option<Inst> {
        // Constants are made where they are used, and what defines them is not selected.
        if self.constant(v).is_some() {
            return None;
        }
        let def = self.pure_def(v)?;
        if self.tests.iter().any(|test| test.0 == def) {
            return Some(def);
        }
        let mut at = self.current?;
        for _ in 0..TEST_WINDOW {
            at = self.func.layout.prev_inst(at)?;
            if at == def {
                return Some(def);
            }
            let opcode = self.func.dfg.opcode(at);
            if opcode.is_call() || opcode.effects().must_stay() {
                return None;
            }
        }
        None
    }

    /// If `callee`, which the call at work alone reads, is loaded from memory behind the pinned register, and a load right
    /// at the call would give the same: the offset in bytes, why the load may trap, and the load.
    fn pinned_slot(&self, callee: Value) -> Option<(i32, Option<TrapCode>, Inst)> {
        let dfg = &self.func.dfg;
        let (call, callee) = (self.current?, dfg.resolve_aliases(callee));
        let ValueDef::Result(load, 0) = dfg.value_def(callee) else { return None };
        let InstData::Load { opcode: Opcode::Load, flags, arg, offset } = dfg.insts[load] else {
            return None;
        };
        let is_native = flags.endianness(self.machine.endianness()) == self.machine.endianness();
        if !is_native
            || self.wanted[callee]
            || dfg.inst_args(call).iter().filter(|v| **v == callee).count() != 1
        {
            return None;
        }
        let mut offset = i64::from(offset.0);
        let mut base = dfg.resolve_aliases(arg);
        // Whatever leads from the register to the load stands between them.
        for _ in 0..PINNED_WINDOW {
            let Some((Opcode::Iadd, x, k)) = self.binary(base) else { break };
            offset = offset.wrapping_add(self.signed_constant(k)?);
            base = dfg.resolve_aliases(x);
        }
        let ValueDef::Result(pinned, 0) = dfg.value_def(base) else { return None };
        if dfg.opcode(pinned) != Opcode::GetPinnedReg {
            return None;
        }
        // Up from the call: nothing changes memory behind the load, nothing the register behind its reading.
        let mut at = call;
        let mut found = false;
        for _ in 0..PINNED_WINDOW {
            at = self.func.layout.prev_inst(at)?;
            let opcode = dfg.opcode(at);
            if at == load {
                found = true;
            } else if at == pinned {
                if !found {
                    return None;
                }
                return Some((i32::try_from(offset).ok()?, flags.trap_code(), load));
            } else if opcode.is_call()
                || opcode == Opcode::SetPinnedReg
                || !found && opcode.effects() != windlass_ir::Effects::PURE && opcode != Opcode::GetPinnedReg
            {
                return None;
            }
        }
        None
    }

    /// Who an indirect call of `callee` calls: what the word behind the pinned register leads to, where the address is loaded
    /// for the call alone and a load of the machine's `reaches` the offset; else what is in the register.
    pub fn callee(
        &mut self,
        callee: Value,
        reaches: impl FnOnce(i32) -> bool,
    ) -> Option<(CallTarget, Option<Reg>)> {
        if let Some((offset, code, load)) = self.pinned_slot(callee)
            && reaches(offset)
        {
            self.absorbed = Some(load);
            return Some((CallTarget::Memory { base: self.machine.pinned(), offset, code }, None));
        }
        let callee = self.put_in_regs(callee).only_reg()?;
        Some((CallTarget::Reg, Some(callee)))
    }

    /// The pinned register, if the settings say that there is one.
    pub fn pinned(&mut self) -> Option<Reg> {
        if !self.machine.settings().enable_pinned_reg {
            self.unsupported("the pinned register without the setting enable_pinned_reg".into());
            return None;
        }
        Some(Reg::from_preg(self.machine.pinned()))
    }

    /// Is memory of an access with these flags in the other byte order than the machine's?
    pub fn is_swapped(&self, flags: MemFlags) -> bool {
        let order = self.machine.endianness();
        flags.endianness(order) != order
    }

    /// The type of `v`.
    pub fn value_type(&self, v: Value) -> Type {
        self.func.dfg.value_type(v)
    }

    /// Notes that the instruction at work cannot be selected, and why. The first note counts.
    pub fn unsupported(&mut self, what: String) {
        if self.failure.is_none() {
            let target = self.machine.name();
            self.failure = Some(CompileError::Unsupported { target, inst: self.current, what });
        }
    }

    /// Notes an error of any kind.
    pub fn fail(&mut self, error: CompileError) {
        self.failure.get_or_insert(error);
    }

    /// Size of a stack slot in bytes.
    pub fn slot_size(&self, slot: StackSlot) -> u32 {
        self.func.stack_slots[slot].size
    }

    /// The address type of the target.
    pub fn address_type(&self) -> Type {
        self.machine.address_type()
    }
}

/// How far a comparison with 0 is moved up to what it compares, in instructions.
const TEST_WINDOW: u32 = 4;

/// How far in front of a call the pinned register is read for it, in instructions.
const PINNED_WINDOW: u32 = 16;

/// What selected code wants of the function's frame.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct FrameNeeds {
    /// Bytes of arguments that calls pass on the stack and of results that they want there, the most of any call.
    pub outgoing_bytes: u32,
    /// Does the function call anything and go on?
    pub makes_calls: bool,
    /// Bytes of arguments that tail calls pass on the stack, the most of any.
    pub tail_call_bytes: u32,
    /// Bytes of its own stack arguments that the function takes off the stack when it returns.
    pub popped_bytes: u32,
    /// Bytes below its stack arguments where structures passed by value have their homes.
    pub home_bytes: u32,
    /// Does it ask for its frame pointer or its return address?
    pub frame_record: bool,
    /// Does its code use the base of the table of contents, on machines that keep it in a register?
    pub uses_toc: bool,
    /// Registers to be saved although the function does not write to them: when an exception is caught here, frames
    /// that had saved them for this function's caller are gone.
    pub saves: UnitSet,
}

/// Integer types of at most 32 bits.
pub fn fits_in_32(ty: Type) -> bool {
    ty.is_int() && ty.bits() <= 32 && ty != types::INVALID
}
