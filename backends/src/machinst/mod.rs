//! The machine-code framework: what all targets share.
//!
//! ```text
//! Function --order.rs--> block order --lower.rs, rules--> VCode (vcode.rs) --regalloc-->
//!     allocated VCode --compile.rs, buffer.rs--> bytes, fixups, islands --> CompiledCode
//! ```
//!
//! A target implements [`Machine`] and its instruction type [`MachInst`]; `compile.rs` drives it.

pub mod abi;
pub mod atomic;
pub mod buffer;
pub mod calls;
pub mod compile;
pub mod emitter;
pub mod encode;
pub mod features;
pub(crate) mod imm;
pub mod kept;
pub mod lower;
pub mod magic;
pub mod operands;
pub mod order;
pub mod pseudo;
pub mod reg;
pub mod stack;
mod terms;
pub mod trycall;
pub mod types;
pub mod vcode;

pub use buffer::{Buffer, Label, Room};
pub use emitter::{EmitResult, Emitter};
pub use lower::{FrameNeeds, InstOutput, Lower, ValueRegs};
pub use reg::{OperandVisitor, Reg, Writable, WritableReg};
pub(crate) use terms::rule_terms;
pub use vcode::VCode;

use crate::compiled::FrameLayout;
use crate::error::CompileError;
use crate::legalize::{Native, Runtime};
use crate::target::TargetInfo;
use core::fmt;
use windlass_ir::{FloatCC, Function, Inst, Opcode, Type};
use windlass_regalloc::{Output, PReg, RegClass, RegFile, UnitSet};

/// Why an instruction could not be emitted: always a bug of the target's.
pub type EmitError = encode::EncodeError;

/// An instruction of one machine, or a pseudo-instruction that becomes several.
pub trait MachInst: Clone + fmt::Debug + From<pseudo::Common> + Send + 'static {
    /// Shows every register operand to `v`, in an order that is the same each time.
    fn visit_operands(&mut self, v: &mut impl OperandVisitor);
    /// The registers that it destroys besides those that it names.
    fn clobbers(&self) -> UnitSet;
    /// For a copy, what is written and what is read.
    fn as_move(&self) -> Option<(WritableReg, Reg)>;
    /// For a jump that does nothing else, where to.
    fn as_jump(&self) -> Option<Label>;
    /// Can it be carried out again anywhere? See [`windlass_regalloc::Function::is_remat`].
    fn is_remat(&self) -> bool;
    /// Replaces every label that it names by `map` of it.
    fn map_labels(&mut self, map: &mut dyn FnMut(Label) -> Label);
    /// Does it depend on the flags?
    ///
    /// Flags are no register of the allocator's: what sets them stands before what reads them, in the same block and with
    /// nothing between that changes them. [`VCode::check_flags`] sees to that.
    fn reads_flags(&self) -> bool;
    /// Does it set the flags?
    fn sets_flags(&self) -> bool;
    /// Does it leave the flags in a state that is not known?
    fn loses_flags(&self) -> bool;
    /// Prints it in assembly syntax.
    fn print(&self, out: &mut impl fmt::Write) -> fmt::Result;
}

/// A machine, as the framework drives it: selection, frames, emission. [`TargetInfo`] has the other facts.
pub trait Machine: TargetInfo + Sized {
    /// Its instructions.
    type Inst: MachInst;
    /// Where things are in a function's frame.
    type Frame;

    // Facts.

    /// The register file.
    fn regs(&self) -> &RegFile;
    /// The pinned register, where the settings say that there is one.
    fn pinned(&self) -> PReg;
    /// The classes of the registers that hold a value of type `ty`, least significant part first. `None` if the
    /// target has none for it.
    fn classes_of(&self, ty: Type) -> Option<&'static [RegClass]>;
    /// Functions start at multiples of this, in bytes.
    fn code_alignment(&self) -> u32;

    // Legalization.

    /// What the rules do natively.
    fn native(&self) -> &Native;
    /// The run-time routine for an opcode that gives a `result` from operands of type `operand`.
    fn runtime(&self, opcode: Opcode, result: Type, operand: Type) -> Option<Runtime>;
    /// The run-time routine that compares floats of type `ty`, giving an i32 of 0 or 1.
    fn runtime_compare(&self, cc: FloatCC, ty: Type) -> Option<Runtime>;
    /// Must accesses be aligned to their size?
    fn strict_alignment(&self) -> bool;

    // Selection.

    /// Selects code for an instruction that does not branch. `None` if no rule matches.
    fn lower_inst(&self, cx: &mut Lower<'_, Self>, inst: Inst) -> Option<InstOutput>;
    /// An earlier instruction of the same block that one machine instruction does together with `inst`: both are
    /// selected where the earlier one stands, which the target vouches for.
    fn joins(&self, _cx: &Lower<'_, Self>, _inst: Inst) -> Option<Inst> {
        None
    }
    /// Selects code for two instructions of which the second [joins](Machine::joins) the first.
    fn lower_joined(
        &self,
        _cx: &mut Lower<'_, Self>,
        _first: Inst,
        _second: Inst,
    ) -> Option<(InstOutput, InstOutput)> {
        None
    }
    /// Selects code for a branch. `labels` are its destinations; for a table, the default and then the entries.
    fn lower_branch(&self, cx: &mut Lower<'_, Self>, inst: Inst, labels: &[Label]) -> Option<()>;
    /// Emits code that makes an integer constant; `bits` beyond the type's width are zero. `None` to have it
    /// selected like any other instruction.
    fn gen_constant(&self, cx: &mut Lower<'_, Self>, ty: Type, bits: u64) -> Option<ValueRegs>;
    /// The class of the values of register set `n`, of those in the settings: a subset of that of addresses.
    fn set_class(&self, n: u8) -> RegClass;
    /// A copy between registers of sets, and others of their kind.
    fn gen_move(&self, to: WritableReg, from: Reg) -> Self::Inst;

    // Frames and emission.

    /// Lays out the frame.
    fn frame(
        &self,
        func: &Function,
        needs: &FrameNeeds,
        allocation: &Output,
    ) -> Result<Self::Frame, CompileError>;
    /// Bytes of the prologue that callers in the same module skip.
    fn local_entry(&self, _frame: &Self::Frame) -> u32 {
        0
    }
    /// What of the frame others can rely on.
    fn frame_layout(&self, frame: &Self::Frame) -> FrameLayout;
    /// How to jump over an island.
    fn island_info(&self) -> &'static buffer::IslandInfo;
    /// The most that [`Emitter::emit`] adds for `inst`.
    fn room(&self, inst: &Self::Inst) -> Room;
    /// The most that [`Emitter::emit_move`] adds.
    fn move_room(&self) -> Room;
    /// The most that [`Emitter::emit_prologue`] adds.
    fn prologue_room(&self, frame: &Self::Frame) -> Room;
    /// What emits code of a function with this frame.
    fn emitter<'a>(
        &'a self,
        frame: &'a Self::Frame,
        buf: &'a mut Buffer,
    ) -> impl Emitter<Inst = Self::Inst> + 'a;
}
