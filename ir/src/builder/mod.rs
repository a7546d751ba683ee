//! Building instructions: a method for every opcode, and cursors that say where instructions go.
//!
//! The methods of [`InstBuilder`] are derived from the opcode table: a row's format and controlling type give
//! the arguments, its results what comes back: an [`Inst`] for none (and for calls, whose results are their
//! signature's), a [`Value`] for one, a pair for two. Names and order of arguments are those of Cranelift's
//! `InstBuilder`. A builder does not check types: the [verifier](crate::verifier) does.
//!
//! ```
//! use windlass_ir::types::I32;
//! use windlass_ir::{AbiParam, FuncCursor, Function, InstBuilder};
//!
//! let mut func = Function::default();
//! func.signature.params.push(AbiParam::new(I32));
//! func.signature.returns.push(AbiParam::new(I32));
//! let block = func.dfg.make_block();
//! let x = func.dfg.append_block_param(block, I32);
//!
//! let mut at = FuncCursor::new(&mut func);
//! at.insert_block(block);
//! let one = at.ins().iconst(I32, 1);
//! let sum = at.ins().iadd(x, one);
//! at.ins().return_(&[sum]);
//! assert!(windlass_ir::verify_function(&func).is_ok());
//! ```

mod cursor;

pub use cursor::{CursorPosition, FuncCursor, InsertBuilder};

use crate::condcodes::{FloatCC, IntCC};
use crate::dfg::DataFlowGraph;
use crate::entities::*;
use crate::immediates::{Ieee16, Ieee32, Ieee64, Imm64, Offset32};
use crate::instdata::{AtomicRmwOp, BlockArg, BlockCall, InstData, ValueList};
use crate::memflags::MemFlags;
use crate::opcode::{Ctrl, Opcode, for_each_opcode};
use crate::trapcode::TrapCode;
use crate::types::Type;
use smallvec::SmallVec;

/// What a method of the builder gives back.
pub trait BuiltResults {
    /// Takes it from `inst`.
    fn of(dfg: &DataFlowGraph, inst: Inst) -> Self;
}

impl BuiltResults for Inst {
    fn of(_: &DataFlowGraph, inst: Inst) -> Inst {
        inst
    }
}

impl BuiltResults for Value {
    fn of(dfg: &DataFlowGraph, inst: Inst) -> Value {
        dfg.inst_results(inst)[0]
    }
}

impl BuiltResults for (Value, Value) {
    fn of(dfg: &DataFlowGraph, inst: Inst) -> (Value, Value) {
        let results = dfg.inst_results(inst);
        (results[0], results[1])
    }
}

macro_rules! returns {
    ([]) => {
        Inst
    };
    ([$a:expr]) => {
        Value
    };
    ([$a:expr, $b:expr]) => {
        (Value, Value)
    };
}

/// The method of one opcode. The arguments follow from format and controlling type.
macro_rules! method {
    (Nullary NONE $variant:ident $name:ident $doc:literal $results:tt) => {
        #[doc = $doc]
        fn $name(self) -> returns!($results) {
            self.make(InstData::Nullary { opcode: Opcode::$variant }, Type::INVALID)
        }
    };
    (Nullary SFX $variant:ident $name:ident $doc:literal $results:tt) => {
        #[doc = $doc]
        fn $name(self, ty: Type) -> returns!($results) {
            self.make(InstData::Nullary { opcode: Opcode::$variant }, ty)
        }
    };
    (Unary SFX $variant:ident $name:ident $doc:literal $results:tt) => {
        #[doc = $doc]
        fn $name(self, ty: Type, x: Value) -> returns!($results) {
            self.make(InstData::Unary { opcode: Opcode::$variant, arg: x }, ty)
        }
    };
    (Unary $ctrl:ident $variant:ident $name:ident $doc:literal $results:tt) => {
        #[doc = $doc]
        fn $name(self, x: Value) -> returns!($results) {
            self.make(InstData::Unary { opcode: Opcode::$variant, arg: x }, Type::INVALID)
        }
    };
    (UnaryImm SFX $variant:ident $name:ident $doc:literal $results:tt) => {
        #[doc = $doc]
        fn $name(self, ty: Type, imm: impl Into<Imm64>) -> returns!($results) {
            self.make(InstData::UnaryImm { opcode: Opcode::$variant, imm: imm.into() }, ty)
        }
    };
    (UnaryIeee16 NONE $variant:ident $name:ident $doc:literal $results:tt) => {
        #[doc = $doc]
        fn $name(self, imm: impl Into<Ieee16>) -> returns!($results) {
            self.make(InstData::UnaryIeee16 { opcode: Opcode::$variant, imm: imm.into() }, Type::INVALID)
        }
    };
    (UnaryIeee32 NONE $variant:ident $name:ident $doc:literal $results:tt) => {
        #[doc = $doc]
        fn $name(self, imm: impl Into<Ieee32>) -> returns!($results) {
            self.make(InstData::UnaryIeee32 { opcode: Opcode::$variant, imm: imm.into() }, Type::INVALID)
        }
    };
    (UnaryIeee64 NONE $variant:ident $name:ident $doc:literal $results:tt) => {
        #[doc = $doc]
        fn $name(self, imm: impl Into<Ieee64>) -> returns!($results) {
            self.make(InstData::UnaryIeee64 { opcode: Opcode::$variant, imm: imm.into() }, Type::INVALID)
        }
    };
    (UnaryConst SFX $variant:ident $name:ident $doc:literal $results:tt) => {
        #[doc = $doc]
        fn $name(self, ty: Type, constant: Constant) -> returns!($results) {
            self.make(InstData::UnaryConst { opcode: Opcode::$variant, constant }, ty)
        }
    };
    (UnaryConst NONE $variant:ident $name:ident $doc:literal $results:tt) => {
        #[doc = $doc]
        fn $name(self, constant: Constant) -> returns!($results) {
            self.make(InstData::UnaryConst { opcode: Opcode::$variant, constant }, Type::INVALID)
        }
    };
    (UnaryGlobalValue SFX $variant:ident $name:ident $doc:literal $results:tt) => {
        #[doc = $doc]
        fn $name(self, ty: Type, global: GlobalValue) -> returns!($results) {
            self.make(InstData::UnaryGlobalValue { opcode: Opcode::$variant, global }, ty)
        }
    };
    (Binary $ctrl:ident $variant:ident $name:ident $doc:literal $results:tt) => {
        #[doc = $doc]
        fn $name(self, x: Value, y: Value) -> returns!($results) {
            self.make(InstData::Binary { opcode: Opcode::$variant, args: [x, y] }, Type::INVALID)
        }
    };
    (BinaryImm8 $ctrl:ident $variant:ident $name:ident $doc:literal $results:tt) => {
        #[doc = $doc]
        fn $name(self, x: Value, lane: u8) -> returns!($results) {
            self.make(InstData::BinaryImm8 { opcode: Opcode::$variant, arg: x, imm: lane }, Type::INVALID)
        }
    };
    (Ternary $ctrl:ident $variant:ident $name:ident $doc:literal $results:tt) => {
        #[doc = $doc]
        fn $name(self, x: Value, y: Value, z: Value) -> returns!($results) {
            self.make(InstData::Ternary { opcode: Opcode::$variant, args: [x, y, z] }, Type::INVALID)
        }
    };
    (TernaryImm8 $ctrl:ident $variant:ident $name:ident $doc:literal $results:tt) => {
        #[doc = $doc]
        fn $name(self, x: Value, y: Value, lane: u8) -> returns!($results) {
            let data = InstData::TernaryImm8 { opcode: Opcode::$variant, args: [x, y], imm: lane };
            self.make(data, Type::INVALID)
        }
    };
    (Shuffle $ctrl:ident $variant:ident $name:ident $doc:literal $results:tt) => {
        #[doc = $doc]
        fn $name(self, x: Value, y: Value, mask: Immediate) -> returns!($results) {
            self.make(InstData::Shuffle { opcode: Opcode::$variant, args: [x, y], mask }, Type::INVALID)
        }
    };
    (IntCompare $ctrl:ident $variant:ident $name:ident $doc:literal $results:tt) => {
        #[doc = $doc]
        fn $name(self, cond: IntCC, x: Value, y: Value) -> returns!($results) {
            self.make(InstData::IntCompare { opcode: Opcode::$variant, cond, args: [x, y] }, Type::INVALID)
        }
    };
    (FloatCompare $ctrl:ident $variant:ident $name:ident $doc:literal $results:tt) => {
        #[doc = $doc]
        fn $name(self, cond: FloatCC, x: Value, y: Value) -> returns!($results) {
            self.make(InstData::FloatCompare { opcode: Opcode::$variant, cond, args: [x, y] }, Type::INVALID)
        }
    };
    (IntAddTrap $ctrl:ident $variant:ident $name:ident $doc:literal $results:tt) => {
        #[doc = $doc]
        fn $name(self, x: Value, y: Value, code: TrapCode) -> returns!($results) {
            self.make(InstData::IntAddTrap { opcode: Opcode::$variant, args: [x, y], code }, Type::INVALID)
        }
    };
    // `return` is a word of Rust's.
    (MultiAry $ctrl:ident Return $name:ident $doc:literal $results:tt) => {
        #[doc = $doc]
        fn return_(mut self, rvals: &[Value]) -> returns!($results) {
            let args = ValueList::from_slice(rvals, &mut self.dfg_mut().value_lists);
            self.make(InstData::MultiAry { opcode: Opcode::Return, args }, Type::INVALID)
        }
    };
    (Jump $ctrl:ident $variant:ident $name:ident $doc:literal $results:tt) => {
        #[doc = $doc]
        fn $name<'a>(
            mut self,
            block: Block,
            args: impl IntoIterator<Item = &'a BlockArg>,
        ) -> returns!($results) {
            let dest = BlockCall::new(block, args.into_iter().copied(), &mut self.dfg_mut().block_args);
            self.make(InstData::Jump { opcode: Opcode::$variant, dest }, Type::INVALID)
        }
    };
    (Brif $ctrl:ident $variant:ident $name:ident $doc:literal $results:tt) => {
        #[doc = $doc]
        fn $name<'a>(
            mut self,
            c: Value,
            then_block: Block,
            then_args: impl IntoIterator<Item = &'a BlockArg>,
            else_block: Block,
            else_args: impl IntoIterator<Item = &'a BlockArg>,
        ) -> returns!($results) {
            let pool = &mut self.dfg_mut().block_args;
            let then_dest = BlockCall::new(then_block, then_args.into_iter().copied(), pool);
            let else_dest = BlockCall::new(else_block, else_args.into_iter().copied(), pool);
            let data = InstData::Brif { opcode: Opcode::$variant, arg: c, dests: [then_dest, else_dest] };
            self.make(data, Type::INVALID)
        }
    };
    (BranchTable $ctrl:ident $variant:ident $name:ident $doc:literal $results:tt) => {
        #[doc = $doc]
        fn $name(self, x: Value, table: JumpTable) -> returns!($results) {
            self.make(InstData::BranchTable { opcode: Opcode::$variant, arg: x, table }, Type::INVALID)
        }
    };
    (Call $ctrl:ident $variant:ident $name:ident $doc:literal $results:tt) => {
        #[doc = $doc]
        fn $name(mut self, func: FuncRef, args: &[Value]) -> returns!($results) {
            let args = ValueList::from_slice(args, &mut self.dfg_mut().value_lists);
            self.make(InstData::Call { opcode: Opcode::$variant, func, args }, Type::INVALID)
        }
    };
    (CallIndirect $ctrl:ident $variant:ident $name:ident $doc:literal $results:tt) => {
        #[doc = $doc]
        fn $name(mut self, sig: SigRef, callee: Value, args: &[Value]) -> returns!($results) {
            let args = callee_and_args(self.dfg_mut(), callee, args);
            self.make(InstData::CallIndirect { opcode: Opcode::$variant, sig, args }, Type::INVALID)
        }
    };
    (TryCall $ctrl:ident $variant:ident $name:ident $doc:literal $results:tt) => {
        #[doc = $doc]
        fn $name(mut self, func: FuncRef, args: &[Value], exception: ExceptionTable) -> returns!($results) {
            let args = ValueList::from_slice(args, &mut self.dfg_mut().value_lists);
            self.make(InstData::TryCall { opcode: Opcode::$variant, func, args, exception }, Type::INVALID)
        }
    };
    (TryCallIndirect $ctrl:ident $variant:ident $name:ident $doc:literal $results:tt) => {
        #[doc = $doc]
        fn $name(mut self, callee: Value, args: &[Value], exception: ExceptionTable) -> returns!($results) {
            let args = callee_and_args(self.dfg_mut(), callee, args);
            self.make(InstData::TryCallIndirect { opcode: Opcode::$variant, args, exception }, Type::INVALID)
        }
    };
    (FuncAddr SFX $variant:ident $name:ident $doc:literal $results:tt) => {
        #[doc = $doc]
        fn $name(self, ty: Type, func: FuncRef) -> returns!($results) {
            self.make(InstData::FuncAddr { opcode: Opcode::$variant, func }, ty)
        }
    };
    (Load SFX $variant:ident $name:ident $doc:literal $results:tt) => {
        #[doc = $doc]
        fn $name(
            self,
            ty: Type,
            flags: impl Into<MemFlags>,
            p: Value,
            offset: impl Into<Offset32>,
        ) -> returns!($results) {
            let (flags, offset) = (flags.into(), offset.into());
            self.make(InstData::Load { opcode: Opcode::$variant, flags, arg: p, offset }, ty)
        }
    };
    (Load NONE $variant:ident $name:ident $doc:literal $results:tt) => {
        #[doc = $doc]
        fn $name(
            self,
            flags: impl Into<MemFlags>,
            p: Value,
            offset: impl Into<Offset32>,
        ) -> returns!($results) {
            let (flags, offset) = (flags.into(), offset.into());
            self.make(InstData::Load { opcode: Opcode::$variant, flags, arg: p, offset }, Type::INVALID)
        }
    };
    (Store $ctrl:ident $variant:ident $name:ident $doc:literal $results:tt) => {
        #[doc = $doc]
        fn $name(
            self,
            flags: impl Into<MemFlags>,
            x: Value,
            p: Value,
            offset: impl Into<Offset32>,
        ) -> returns!($results) {
            let (flags, offset) = (flags.into(), offset.into());
            self.make(
                InstData::Store { opcode: Opcode::$variant, flags, args: [x, p], offset },
                Type::INVALID,
            )
        }
    };
    (LoadNoOffset SFX $variant:ident $name:ident $doc:literal $results:tt) => {
        #[doc = $doc]
        fn $name(self, ty: Type, flags: impl Into<MemFlags>, x: Value) -> returns!($results) {
            self.make(InstData::LoadNoOffset { opcode: Opcode::$variant, flags: flags.into(), arg: x }, ty)
        }
    };
    (StoreNoOffset $ctrl:ident $variant:ident $name:ident $doc:literal $results:tt) => {
        #[doc = $doc]
        fn $name(self, flags: impl Into<MemFlags>, x: Value, p: Value) -> returns!($results) {
            let flags = flags.into();
            self.make(
                InstData::StoreNoOffset { opcode: Opcode::$variant, flags, args: [x, p] },
                Type::INVALID,
            )
        }
    };
    (StackAddr SFX $variant:ident $name:ident $doc:literal $results:tt) => {
        #[doc = $doc]
        fn $name(self, ty: Type, slot: StackSlot, offset: impl Into<Offset32>) -> returns!($results) {
            self.make(InstData::StackAddr { opcode: Opcode::$variant, slot, offset: offset.into() }, ty)
        }
    };
    (AtomicRmw SFX $variant:ident $name:ident $doc:literal $results:tt) => {
        #[doc = $doc]
        fn $name(
            self,
            ty: Type,
            flags: impl Into<MemFlags>,
            op: AtomicRmwOp,
            p: Value,
            x: Value,
        ) -> returns!($results) {
            let flags = flags.into();
            self.make(InstData::AtomicRmw { opcode: Opcode::$variant, flags, op, args: [p, x] }, ty)
        }
    };
    (AtomicCas $ctrl:ident $variant:ident $name:ident $doc:literal $results:tt) => {
        #[doc = $doc]
        fn $name(self, flags: impl Into<MemFlags>, p: Value, x: Value, y: Value) -> returns!($results) {
            let flags = flags.into();
            self.make(InstData::AtomicCas { opcode: Opcode::$variant, flags, args: [p, x, y] }, Type::INVALID)
        }
    };
    (Trap $ctrl:ident $variant:ident $name:ident $doc:literal $results:tt) => {
        #[doc = $doc]
        fn $name(self, code: TrapCode) -> returns!($results) {
            self.make(InstData::Trap { opcode: Opcode::$variant, code }, Type::INVALID)
        }
    };
    (CondTrap $ctrl:ident $variant:ident $name:ident $doc:literal $results:tt) => {
        #[doc = $doc]
        fn $name(self, c: Value, code: TrapCode) -> returns!($results) {
            self.make(InstData::CondTrap { opcode: Opcode::$variant, arg: c, code }, Type::INVALID)
        }
    };
    (ExceptionHandlerAddress SFX $variant:ident $name:ident $doc:literal $results:tt) => {
        #[doc = $doc]
        fn $name(self, ty: Type, block: Block, index: u32) -> returns!($results) {
            self.make(InstData::ExceptionHandlerAddress { opcode: Opcode::$variant, block, index }, ty)
        }
    };
}

macro_rules! methods {
    ($($variant:ident $name:ident $format:ident $ctrl:ident $doc:literal $results:tt;)*) => {
        $(method! { $format $ctrl $variant $name $doc $results })*
    };
}

fn callee_and_args(dfg: &mut DataFlowGraph, callee: Value, args: &[Value]) -> ValueList {
    let mut list = ValueList::new();
    list.push(callee, &mut dfg.value_lists);
    list.extend(args.iter().copied(), &mut dfg.value_lists);
    list
}

/// Makes instructions, one call each. What happens with the instruction is up to the implementation: a
/// [cursor's](FuncCursor::ins) inserts it, [`DataFlowGraph::replace`]'s overwrites another.
///
/// Operands called `x`, `y`, `z` (or `c` for a condition, `p` for an address) come in the order of the text.
/// `ty`, where there is one, is the controlling type, the suffix in the text; elsewhere it is an operand's.
pub trait InstBuilder: Sized {
    /// The graph that instructions are made in.
    fn dfg(&self) -> &DataFlowGraph;

    /// The graph that instructions are made in.
    fn dfg_mut(&mut self) -> &mut DataFlowGraph;

    /// Makes an instruction and its results. `ctrl` is its controlling type, invalid if its opcode has none.
    fn build(&mut self, data: InstData, ctrl: Type) -> Inst;

    /// Makes an instruction from its data and gives its results. `ty` counts if the opcode takes its
    /// controlling type from a suffix.
    fn make<R: BuiltResults>(mut self, data: InstData, ty: Type) -> R {
        let dfg = self.dfg();
        let ctrl = match data.opcode().ctrl() {
            Ctrl::None => Type::INVALID,
            Ctrl::Suffix(_) => ty,
            Ctrl::Operand(i, _) => {
                let operand = data.args(&dfg.value_lists).get(usize::from(i));
                operand.filter(|&&v| dfg.value_is_valid(v)).map_or(Type::INVALID, |&v| dfg.value_type(v))
            }
        };
        let inst = self.build(data, ctrl);
        R::of(self.dfg(), inst)
    }

    for_each_opcode! { methods }
}

/// Overwrites an instruction. See [`DataFlowGraph::replace`].
pub struct ReplaceBuilder<'f> {
    dfg: &'f mut DataFlowGraph,
    inst: Inst,
}

impl DataFlowGraph {
    /// Overwrites `inst`, which keeps its place. Its results become those of the new instruction, as many as
    /// that has; values beyond are no longer defined.
    pub fn replace(&mut self, inst: Inst) -> ReplaceBuilder<'_> {
        ReplaceBuilder { dfg: self, inst }
    }
}

impl InstBuilder for ReplaceBuilder<'_> {
    fn dfg(&self) -> &DataFlowGraph {
        self.dfg
    }

    fn dfg_mut(&mut self) -> &mut DataFlowGraph {
        self.dfg
    }

    fn build(&mut self, data: InstData, ctrl: Type) -> Inst {
        let results: SmallVec<[Value; 4]> = self.dfg.inst_results(self.inst).into();
        self.dfg.detach_results(self.inst);
        self.dfg.insts[self.inst] = data;
        self.dfg.define_inst_results(self.inst, ctrl, &results);
        self.inst
    }
}

#[cfg(test)]
mod tests;
