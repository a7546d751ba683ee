//! Emission of instructions, as far as it is the same on every machine.
//!
//! **In:** an instruction whose registers are physical, or a move of the allocator's. **Out:** bytes, labels and
//! relocations in a [`Buffer`]. A machine has a method for each thing that it has its own instructions for; which of them is
//! wanted when, and what needs no instruction because it comes next, is decided here.

use super::pseudo::{CallInfo, Common, FrameArea, SymbolInfo, TableInfo};
use super::trycall::TryCallInfo;
use super::{Buffer, EmitError, Label, Reg, WritableReg};
use crate::compiled::CatchItem;
use alloc::vec::Vec;
use windlass_ir::TrapCode;
use windlass_regalloc::{Allocation, PReg, RegClass, SpillSlot};

/// What emission gives.
pub type EmitResult = Result<(), EmitError>;

/// Emits the code of one function: a machine, a frame and a buffer together.
///
/// Each method's expansion is drawn above it, in the machine's folder. Moves of the allocator's touch neither flags nor
/// registers that are allocated.
pub trait Emitter {
    /// The machine's instructions.
    type Inst;
    /// A condition that is branched on.
    type Cond: Copy;

    /// Where the code goes.
    fn buffer(&mut self) -> &mut Buffer;
    /// A spill slot's distance from the stack pointer, in bytes: negative in frames below it, of functions without calls.
    fn spill_offset(&self, slot: SpillSlot) -> i32;

    /// Emits what comes before the entry block.
    fn emit_prologue(&mut self) -> EmitResult;
    /// Emits `inst`. `next` is the label of what comes next: a jump there is none.
    fn emit(&mut self, inst: &Self::Inst, next: Option<Label>) -> EmitResult;
    /// Emits at least `bytes` bytes that are never reached.
    fn emit_padding(&mut self, bytes: u32) -> EmitResult;

    /// An integer constant.
    fn emit_const(&mut self, rd: WritableReg, value: u64) -> EmitResult;
    /// A single-precision constant.
    fn emit_float32(&mut self, rd: WritableReg, bits: u32) -> EmitResult;
    /// A double-precision constant.
    fn emit_float64(&mut self, rd: WritableReg, bits: u64) -> EmitResult;
    /// The address of a symbol.
    fn emit_symbol(&mut self, rd: WritableReg, symbol: &SymbolInfo) -> EmitResult;
    /// The address of a place in the code.
    fn emit_label_addr(&mut self, rd: WritableReg, label: Label) -> EmitResult;
    /// An address in the frame.
    fn emit_frame_addr(&mut self, rd: WritableReg, area: FrameArea, offset: i32) -> EmitResult;
    /// The frame goes, and execution goes on at the caller.
    fn emit_return(&mut self) -> EmitResult;
    /// A call. `items` are what is tried if it throws.
    fn emit_call(&mut self, info: &CallInfo, items: Vec<CatchItem<Label>>) -> EmitResult;
    /// The frame goes, and the callee takes its place.
    fn emit_tail_call(&mut self, info: &CallInfo) -> EmitResult;
    /// The start of a handler's edge: the stack pointer is the frame's, and what else the frame needs is made anew.
    fn emit_landing(&mut self) -> EmitResult;
    /// A branch.
    fn emit_branch(&mut self, to: Label) -> EmitResult;
    /// A branch if `cond` holds.
    fn emit_branch_if(&mut self, cond: Self::Cond, to: Label) -> EmitResult;
    /// The condition that holds when `cond` does not.
    fn inverse(&self, cond: Self::Cond) -> Self::Cond;
    /// A branch through a table that is not empty.
    fn emit_table(&mut self, index: Reg, info: &TableInfo) -> EmitResult;
    /// The instruction that traps. That it traps here has been noted.
    fn emit_trap(&mut self, code: TrapCode) -> EmitResult;

    /// A copy between registers of one class that are not the same.
    fn emit_copy(&mut self, from: PReg, to: PReg, class: RegClass) -> EmitResult;
    /// A register from a place in the frame, `offset` bytes from the stack pointer.
    fn emit_reload(&mut self, to: PReg, offset: i32, class: RegClass) -> EmitResult;
    /// A register to a place in the frame.
    fn emit_spill(&mut self, from: PReg, offset: i32, class: RegClass) -> EmitResult;
    /// A place in the frame to another.
    fn emit_slot_copy(&mut self, from: i32, to: i32, class: RegClass) -> EmitResult;

    /// Emits what every machine has.
    fn common(&mut self, inst: &Common, next: Option<Label>) -> EmitResult {
        match inst {
            Common::Const { rd, value } => self.emit_const(*rd, *value),
            Common::Float32 { rd, bits } => self.emit_float32(*rd, *bits),
            Common::Float64 { rd, bits } => self.emit_float64(*rd, *bits),
            Common::Symbol { rd, symbol } => self.emit_symbol(*rd, symbol),
            Common::LabelAddr { rd, label } => self.emit_label_addr(*rd, *label),
            Common::FrameAddr { rd, area, offset } => self.emit_frame_addr(*rd, *area, *offset),
            Common::Args { .. } => Ok(()),
            Common::Return { .. } => self.emit_return(),
            Common::Call(info) => self.emit_call(info, Vec::new()),
            Common::TailCall(info) => self.emit_tail_call(info),
            Common::TryCall(info) => self.try_call(info, next),
            Common::Landing { .. } => self.emit_landing(),
            Common::Jump { to } => self.jump(*to, next),
            Common::Table { info, .. } if info.targets.is_empty() => self.emit_branch(info.default),
            Common::Table { index, info } => self.emit_table(*index, info),
            Common::Trap { code } => self.trap(*code),
        }
    }

    /// A trap.
    fn trap(&mut self, code: TrapCode) -> EmitResult {
        self.buffer().trap_here(code);
        self.emit_trap(code)
    }

    /// A trap if `cond` holds, which stands behind everything else.
    fn trap_if(&mut self, cond: Self::Cond, code: TrapCode) -> EmitResult {
        let label = self.buffer().deferred_trap(code);
        self.emit_branch_if(cond, label)
    }

    /// A branch, unless it leads to what comes next.
    fn jump(&mut self, to: Label, next: Option<Label>) -> EmitResult {
        if Some(to) == next { Ok(()) } else { self.emit_branch(to) }
    }

    /// A branch two ways, one or both of which may come next.
    fn cond_jump(&mut self, cond: Self::Cond, then: Label, other: Label, next: Option<Label>) -> EmitResult {
        if then == other {
            return self.jump(then, next);
        }
        if Some(then) == next {
            return self.emit_branch_if(self.inverse(cond), other);
        }
        self.emit_branch_if(cond, then)?;
        self.jump(other, next)
    }

    /// The call, and a branch to its normal destination, unless that comes next.
    fn try_call(&mut self, info: &TryCallInfo, next: Option<Label>) -> EmitResult {
        let items = info.items(|slot| self.spill_offset(slot).unsigned_abs())?;
        self.emit_call(&info.call, items)?;
        self.jump(info.then.normal, next)
    }

    /// A move from any place of a class to any other.
    fn emit_move(&mut self, from: Allocation, to: Allocation, class: RegClass) -> EmitResult {
        match (from, to) {
            (Allocation::Reg(from), Allocation::Reg(to)) if from == to => Ok(()),
            (Allocation::Reg(from), Allocation::Reg(to)) => self.emit_copy(from, to, class),
            (Allocation::Slot(slot), Allocation::Reg(to)) => {
                let offset = self.spill_offset(slot);
                self.emit_reload(to, offset, class)
            }
            (Allocation::Reg(from), Allocation::Slot(slot)) => {
                let offset = self.spill_offset(slot);
                self.emit_spill(from, offset, class)
            }
            (Allocation::Slot(from), Allocation::Slot(to)) => {
                let (from, to) = (self.spill_offset(from), self.spill_offset(to));
                self.emit_slot_copy(from, to, class)
            }
            _ => Ok(()),
        }
    }
}
