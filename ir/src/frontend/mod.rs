//! The front end's builder: functions out of statements over variables that change.
//!
//! A front end declares [`Variable`]s, reads them with [`use_var`](FunctionBuilder::use_var) and assigns to them with
//! [`def_var`](FunctionBuilder::def_var); the builder finds out which value each use means, and gives blocks the
//! parameters, branches the arguments, that this takes. Names and manners are those of Cranelift's
//! `cranelift-frontend`.
//!
//! - [`create_block`](FunctionBuilder::create_block) makes a block, [`switch_to_block`](FunctionBuilder::switch_to_block)
//!   goes to its end, [`ins`](FunctionBuilder::ins) builds instructions there. A terminator *fills* the block.
//! - A branch declares the edges to its destinations. Once all branches to a block are built,
//!   [`seal_block`](FunctionBuilder::seal_block) says so; the sooner, the less there is to remember. A front end that cannot
//!   tell calls [`seal_all_blocks`](FunctionBuilder::seal_all_blocks) at the end.
//! - [`finalize`](FunctionBuilder::finalize) checks that every block is filled and sealed, and tells what the front end has
//!   done wrong on the way: nothing here panics because of what a program that is being compiled says.
//!
//! A variable that a path does not define is zero there, as in WebAssembly, or an error:
//! [`UndefinedUse`].
//!
//! ```
//! use windlass_ir::frontend::{FunctionBuilder, FunctionBuilderContext};
//! use windlass_ir::types::{I8, I32};
//! use windlass_ir::{AbiParam, Function, InstBuilder, IntCC};
//!
//! // fn triangle(n: i32) -> i32 { let mut sum = 0; while n != 0 { sum += n; n -= 1 } sum }
//! let mut func = Function::default();
//! func.signature.params.push(AbiParam::new(I32));
//! func.signature.returns.push(AbiParam::new(I32));
//! let mut cx = FunctionBuilderContext::new();
//! let mut b = FunctionBuilder::new(&mut func, &mut cx);
//! let (n, sum) = (b.declare_var(I32), b.declare_var(I32));
//!
//! let entry = b.create_block();
//! b.append_block_params_for_function_params(entry);
//! b.switch_to_block(entry);
//! b.seal_block(entry);
//! let (head, body, exit) = (b.create_block(), b.create_block(), b.create_block());
//! let param = b.block_params(entry)[0];
//! b.def_var(n, param);
//! let zero = b.ins().iconst(I32, 0);
//! b.def_var(sum, zero);
//! b.ins().jump(head, &[]);
//!
//! // The loop's back edge is still to come: its head is not sealed yet.
//! b.switch_to_block(head);
//! let here = b.use_var(n);
//! b.ins().brif(here, body, &[], exit, &[]);
//!
//! b.switch_to_block(body);
//! b.seal_block(body);
//! let (old, here) = (b.use_var(sum), b.use_var(n));
//! let new = b.ins().iadd(old, here);
//! b.def_var(sum, new);
//! let one = b.ins().iconst(I32, 1);
//! let less = b.ins().isub(here, one);
//! b.def_var(n, less);
//! b.ins().jump(head, &[]);
//! b.seal_block(head);
//!
//! b.switch_to_block(exit);
//! b.seal_block(exit);
//! let result = b.use_var(sum);
//! b.ins().return_(&[result]);
//! b.finalize()?;
//!
//! assert!(windlass_ir::verify_function(&func).is_ok());
//! assert_eq!(func.dfg.block_params(head).len(), 2);
//! # Ok::<(), windlass_ir::frontend::BuildError>(())
//! ```

mod error;
mod older;
mod ssa;

#[cfg(test)]
mod random_tests;
#[cfg(test)]
mod tests;

pub use error::BuildError;
pub use older::{InsertingBuilder, InstBuilderExt};

use crate::builder::{FuncCursor, InstBuilder};
use crate::dfg::{DataFlowGraph, ExtFuncData};
use crate::entities::*;
use crate::function::{Function, GlobalValueData, SourceLoc, StackSlotData};
use crate::instdata::{
    BlockArg, BlockCall, ExceptionTableData, InstData, JumpTableData, MAX_BLOCK_ARG_INDEX,
};
use crate::signature::Signature;
use crate::types::Type;
use cranelift_entity::{EntityRef, entity_impl};
use ssa::Ssa;

/// A variable of the front end's: it has a type, and a value that changes.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Variable(u32);
entity_impl!(Variable, "var");

/// What a use of a variable is worth that no assignment reaches.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum UndefinedUse {
    /// The zero of the variable's type: all bits are 0.
    #[default]
    Zero,
    /// An error.
    Error,
}

/// The memory of [`FunctionBuilder`]s, to be used for one function after another.
///
/// ```
/// use windlass_ir::frontend::{FunctionBuilder, FunctionBuilderContext};
/// use windlass_ir::{Function, InstBuilder};
///
/// let mut cx = FunctionBuilderContext::new();
/// for _ in 0..3 {
///     let mut func = Function::default();
///     let mut b = FunctionBuilder::new(&mut func, &mut cx);
///     let block = b.create_block();
///     b.switch_to_block(block);
///     b.ins().return_(&[]);
///     b.seal_all_blocks();
///     b.finalize()?;
/// }
/// # Ok::<(), windlass_ir::frontend::BuildError>(())
/// ```
#[derive(Clone, Debug, Default)]
pub struct FunctionBuilderContext {
    ssa: Ssa,
}

impl FunctionBuilderContext {
    /// No memory yet.
    pub fn new() -> FunctionBuilderContext {
        FunctionBuilderContext::default()
    }
}

/// Builds a function. See the [module](self).
#[derive(Debug)]
pub struct FunctionBuilder<'a> {
    /// The function. What the builder has no method for is done here.
    pub func: &'a mut Function,
    ssa: &'a mut Ssa,
    block: Option<Block>,
    srcloc: SourceLoc,
    undefined_use: UndefinedUse,
    error: Option<BuildError>,
}

impl<'a> FunctionBuilder<'a> {
    /// Builds `func`, which has a signature and no blocks yet. What another builder has left in `cx` is forgotten.
    pub fn new(func: &'a mut Function, cx: &'a mut FunctionBuilderContext) -> FunctionBuilder<'a> {
        cx.ssa.clear();
        FunctionBuilder {
            func,
            ssa: &mut cx.ssa,
            block: None,
            srcloc: SourceLoc::NONE,
            undefined_use: UndefinedUse::default(),
            error: None,
        }
    }

    /// Says what a use of a variable is worth that no assignment reaches. Before anything is used.
    ///
    /// ```
    /// use windlass_ir::frontend::{BuildError, FunctionBuilder, FunctionBuilderContext, UndefinedUse};
    /// use windlass_ir::{Function, types};
    ///
    /// let (mut func, mut cx) = (Function::default(), FunctionBuilderContext::new());
    /// let mut b = FunctionBuilder::new(&mut func, &mut cx);
    /// b.set_undefined_use(UndefinedUse::Error);
    /// let block = b.create_block();
    /// b.switch_to_block(block);
    /// b.seal_block(block);
    /// let x = b.declare_var(types::I32);
    /// assert_eq!(b.try_use_var(x), Err(BuildError::UndefinedVariable(x)));
    /// ```
    pub fn set_undefined_use(&mut self, undefined_use: UndefinedUse) {
        self.undefined_use = undefined_use;
    }

    /// The first thing that the front end has done wrong so far.
    pub fn error(&self) -> Option<BuildError> {
        self.error
    }

    #[cold]
    fn fail(&mut self, error: BuildError) {
        self.error.get_or_insert(error);
    }

    /// Keeps what the construction of SSA form has found. True if a variable is not defined and must be.
    fn take_findings(&mut self) -> Option<BuildError> {
        let findings = core::mem::take(&mut self.ssa.findings);
        if let Some(block) = findings.too_many_params {
            self.fail(BuildError::TooManyParameters(block));
        }
        match (findings.undefined, self.undefined_use) {
            (Some(var), UndefinedUse::Error) => {
                self.fail(BuildError::UndefinedVariable(var));
                Some(BuildError::UndefinedVariable(var))
            }
            _ => None,
        }
    }

    // ----- Blocks -----

    /// Makes a block. It goes into the layout with its first instruction, or with
    /// [`ensure_inserted_block`](Self::ensure_inserted_block).
    pub fn create_block(&mut self) -> Block {
        self.func.dfg.make_block()
    }

    /// The block that instructions go to.
    pub fn current_block(&self) -> Option<Block> {
        self.block
    }

    /// Goes to the end of `block`.
    ///
    /// # Errors
    /// Kept: [`BuildError::UnknownBlock`].
    pub fn switch_to_block(&mut self, block: Block) {
        if self.func.dfg.block_is_valid(block) {
            self.block = Some(block);
        } else {
            self.fail(BuildError::UnknownBlock(block));
        }
    }

    /// Puts the current block into the layout, behind all others, if it is not there yet.
    pub fn ensure_inserted_block(&mut self) {
        if let Some(block) = self.block
            && !self.func.layout.is_block_inserted(block)
        {
            self.func.layout.append_block(block);
        }
    }

    /// Puts `block`, which is not in the layout yet, behind `after`, which is. Otherwise does nothing.
    pub fn insert_block_after(&mut self, block: Block, after: Block) {
        let layout = &mut self.func.layout;
        if !layout.is_block_inserted(block) && layout.is_block_inserted(after) {
            layout.insert_block_after(block, after);
        }
    }

    /// Says that all branches to `block` are built. A block that is sealed stays so.
    ///
    /// # Errors
    /// Kept: [`BuildError::UnknownBlock`], and [`BuildError::UndefinedVariable`] of uses that waited for this.
    pub fn seal_block(&mut self, block: Block) {
        if !self.func.dfg.block_is_valid(block) {
            return self.fail(BuildError::UnknownBlock(block));
        }
        if !self.ssa.is_sealed(block) {
            self.ssa.seal(self.func, block);
            self.take_findings();
        }
    }

    /// Says that all branches to all blocks that exist are built.
    ///
    /// # Errors
    /// As with [`seal_block`](Self::seal_block).
    pub fn seal_all_blocks(&mut self) {
        self.ssa.seal_all(self.func);
        self.take_findings();
    }

    /// Is `block` sealed?
    pub fn is_sealed(&self, block: Block) -> bool {
        self.ssa.is_sealed(block)
    }

    /// Has the current block its terminator? True if there is no current block: nothing can be built.
    pub fn is_filled(&self) -> bool {
        self.block.is_none_or(|block| self.ssa.is_filled(block))
    }

    /// Does nothing get to the current block for sure? Code there need not be built.
    pub fn is_unreachable(&self) -> bool {
        let Some(block) = self.block else { return true };
        let is_entry = self.func.layout.entry_block().is_none_or(|entry| entry == block);
        !is_entry && self.ssa.is_sealed(block) && !self.ssa.has_predecessors(block)
    }

    /// Says that `block` is seldom reached; its code goes behind the rest.
    pub fn set_cold_block(&mut self, block: Block) {
        self.func.layout.set_cold(block);
    }

    /// The parameters of `block`: first those that were appended, then, once the block is sealed, those for variables.
    pub fn block_params(&self, block: Block) -> &[Value] {
        self.func.dfg.block_params(block)
    }

    /// Adds a parameter to `block`. Every branch to it passes the argument itself.
    ///
    /// # Errors
    /// Kept: [`BuildError::LateParameter`] if the block has parameters for variables already, and
    /// [`BuildError::TooManyParameters`].
    pub fn append_block_param(&mut self, block: Block, ty: Type) -> Value {
        if self.ssa.has_phis(block) {
            self.fail(BuildError::LateParameter(block));
        }
        if self.func.dfg.block_params(block).len() >= crate::dfg::MAX_VALUES {
            self.fail(BuildError::TooManyParameters(block));
            return self.func.dfg.make_undefined_value(ty);
        }
        self.func.dfg.append_block_param(block, ty)
    }

    /// Gives `block`, the entry, the parameters of the function's signature.
    pub fn append_block_params_for_function_params(&mut self, block: Block) {
        for i in 0..self.func.signature.params.len() {
            self.append_block_param(block, self.func.signature.params[i].value_type);
        }
    }

    /// Gives `block`, a common exit, a parameter for each result of the function's signature.
    pub fn append_block_params_for_function_returns(&mut self, block: Block) {
        for i in 0..self.func.signature.returns.len() {
            self.append_block_param(block, self.func.signature.returns[i].value_type);
        }
    }

    /// Makes the destinations of `branch` that are `old` go to `new` instead, with the same arguments. Neither block may
    /// be sealed.
    ///
    /// # Errors
    /// Kept: [`BuildError::SealedBlock`], [`BuildError::UnknownBlock`], and [`BuildError::NotADestination`] if
    /// the branch does not go to `old`.
    pub fn change_jump_destination(&mut self, branch: Inst, old: Block, new: Block) {
        for block in [old, new] {
            if !self.func.dfg.block_is_valid(block) {
                return self.fail(BuildError::UnknownBlock(block));
            }
            if self.ssa.is_sealed(block) {
                return self.fail(BuildError::SealedBlock(block));
            }
        }
        let from = self.func.layout.inst_block(branch);
        let goes = from.is_some() && self.func.dfg.branch_destinations(branch).any(|call| call.block == old);
        let (Some(from), true) = (from, goes) else {
            return self.fail(BuildError::NotADestination(branch, old));
        };
        self.ssa.remove_edges(self.func, old, branch);
        let (ssa, mut dest) = (&mut *self.ssa, 0);
        self.func.dfg.for_each_destination_mut(branch, |call, _| {
            if call.block == old {
                call.block = new;
                ssa.add_edge(new, branch, from, dest);
            }
            dest += 1;
        });
    }

    // ----- Variables -----

    /// Declares a variable.
    pub fn declare_var(&mut self, ty: Type) -> Variable {
        self.ssa.declare(ty)
    }

    /// Assigns `value` to `var` in the current block.
    ///
    /// # Errors
    /// [`BuildError::UndeclaredVariable`], [`BuildError::UnknownValue`], [`BuildError::TypeMismatch`],
    /// [`BuildError::NoCurrentBlock`], [`BuildError::FilledBlock`]. The variable keeps the value that it has.
    pub fn try_def_var(&mut self, var: Variable, value: Value) -> Result<(), BuildError> {
        let expected = self.ssa.variable_type(var).ok_or(BuildError::UndeclaredVariable(var))?;
        if !self.func.dfg.value_is_valid(value) {
            return Err(BuildError::UnknownValue(value));
        }
        let found = self.func.dfg.value_type(value);
        if found != expected {
            return Err(BuildError::TypeMismatch { variable: var, expected, value, found });
        }
        let block = self.block.ok_or(BuildError::NoCurrentBlock)?;
        if self.ssa.is_filled(block) {
            return Err(BuildError::FilledBlock(block));
        }
        self.ssa.define(var, block, value);
        Ok(())
    }

    /// Assigns `value` to `var` in the current block.
    ///
    /// # Errors
    /// Those of [`try_def_var`](Self::try_def_var), kept.
    pub fn def_var(&mut self, var: Variable, value: Value) {
        if let Err(error) = self.try_def_var(var, value) {
            self.fail(error);
        }
    }

    /// The value of `var` here, at the end of the current block.
    ///
    /// # Errors
    /// [`BuildError::UndeclaredVariable`], [`BuildError::NoCurrentBlock`], and with [`UndefinedUse::Error`]
    /// [`BuildError::UndefinedVariable`] if that is clear now; in a block that is not sealed it comes to light later.
    pub fn try_use_var(&mut self, var: Variable) -> Result<Value, BuildError> {
        if self.ssa.variable_type(var).is_none() {
            return Err(BuildError::UndeclaredVariable(var));
        }
        let block = self.block.ok_or(BuildError::NoCurrentBlock)?;
        let value = self.ssa.use_var(self.func, var, block);
        match self.take_findings() {
            Some(error) => Err(error),
            None => Ok(value),
        }
    }

    /// The value of `var` here, at the end of the current block.
    ///
    /// # Errors
    /// Those of [`try_use_var`](Self::try_use_var), kept; the value is a stand-in of the variable's type (`i32` if it has none).
    pub fn use_var(&mut self, var: Variable) -> Value {
        match self.try_use_var(var) {
            Ok(value) => value,
            Err(error) => {
                self.fail(error);
                let ty = self.ssa.variable_type(var).unwrap_or(crate::types::I32);
                self.func.dfg.make_undefined_value(ty)
            }
        }
    }

    // ----- Instructions -----

    /// Builds an instruction at the end of the current block.
    ///
    /// # Errors
    /// Kept: [`BuildError::NoCurrentBlock`], [`BuildError::FilledBlock`]; for branches [`BuildError::UnknownBlock`],
    /// [`BuildError::SealedBlock`]. Such an instruction stays outside of the layout.
    pub fn ins(&mut self) -> FuncInstBuilder<'_, 'a> {
        FuncInstBuilder { builder: self }
    }

    /// Gives the instructions that follow this source location.
    pub fn set_srcloc(&mut self, srcloc: SourceLoc) {
        self.srcloc = srcloc;
    }

    /// What instructions get as their source location.
    pub fn srcloc(&self) -> SourceLoc {
        self.srcloc
    }

    /// The results of `inst`.
    pub fn inst_results(&self, inst: Inst) -> &[Value] {
        self.func.dfg.inst_results(inst)
    }

    /// `block` with arguments, for jump tables and exception tables.
    pub fn block_call<'b>(
        &mut self,
        block: Block,
        args: impl IntoIterator<Item = &'b BlockArg>,
    ) -> BlockCall {
        BlockCall::new(block, args.into_iter().copied(), &mut self.func.dfg.block_args)
    }

    // ----- Declarations -----

    /// Declares a signature.
    pub fn import_signature(&mut self, signature: Signature) -> SigRef {
        self.func.dfg.signatures.push(signature)
    }

    /// Declares a function that calls refer to.
    pub fn import_function(&mut self, data: ExtFuncData) -> FuncRef {
        self.func.dfg.ext_funcs.push(data)
    }

    /// Makes a stack slot.
    pub fn create_sized_stack_slot(&mut self, data: StackSlotData) -> StackSlot {
        self.func.stack_slots.push(data)
    }

    /// Makes a global value.
    pub fn create_global_value(&mut self, data: GlobalValueData) -> GlobalValue {
        self.func.global_values.push(data)
    }

    /// Makes the table of one `br_table`.
    pub fn create_jump_table(&mut self, data: JumpTableData) -> JumpTable {
        self.func.dfg.jump_tables.push(data)
    }

    /// Makes the table of one `try_call`.
    pub fn create_exception_table(&mut self, data: ExceptionTableData) -> ExceptionTable {
        self.func.dfg.exception_tables.push(data)
    }

    /// Puts bytes into the constant pool: little-endian, lane 0 first.
    pub fn create_constant(&mut self, bytes: &[u8]) -> Constant {
        self.func.dfg.constants.push(bytes.into())
    }

    // ----- The end -----

    /// Ends building.
    ///
    /// # Errors
    /// What the front end has done wrong first; or else [`BuildError::UnfilledBlock`] or [`BuildError::UnsealedBlock`]
    /// of a block that is in the layout or branched to, or [`BuildError::TooManyValues`]. The function is
    /// of no use then.
    pub fn finalize(self) -> Result<(), BuildError> {
        if let Some(error) = self.error {
            return Err(error);
        }
        for block in (0..self.func.dfg.num_blocks()).map(Block::new) {
            if self.func.layout.is_block_inserted(block) || self.ssa.has_predecessors(block) {
                let last = self.func.layout.last_inst(block);
                if !last.is_some_and(|inst| self.func.dfg.opcode(inst).is_terminator()) {
                    return Err(BuildError::UnfilledBlock(block));
                }
                if !self.ssa.is_sealed(block) {
                    return Err(BuildError::UnsealedBlock(block));
                }
            }
        }
        if self.func.dfg.num_values() > MAX_BLOCK_ARG_INDEX as usize {
            return Err(BuildError::TooManyValues);
        }
        Ok(())
    }
}

/// Builds an instruction at the end of the current block of a [`FunctionBuilder`].
#[derive(Debug)]
pub struct FuncInstBuilder<'b, 'f> {
    builder: &'b mut FunctionBuilder<'f>,
}

impl InstBuilder for FuncInstBuilder<'_, '_> {
    fn dfg(&self) -> &DataFlowGraph {
        &self.builder.func.dfg
    }

    fn dfg_mut(&mut self) -> &mut DataFlowGraph {
        &mut self.builder.func.dfg
    }

    fn build(&mut self, data: InstData, ctrl: Type) -> Inst {
        let builder = &mut *self.builder;
        let func = &mut *builder.func;
        let inst = func.dfg.make_inst(data);
        func.dfg.make_inst_results(inst, ctrl);
        let block = match builder.block {
            None => {
                builder.fail(BuildError::NoCurrentBlock);
                return inst;
            }
            Some(block) if builder.ssa.is_filled(block) => {
                builder.fail(BuildError::FilledBlock(block));
                return inst;
            }
            Some(block) => block,
        };
        if !func.layout.is_block_inserted(block) {
            func.layout.append_block(block);
        }
        let opcode = data.opcode();
        if opcode.is_branch() {
            for call in func.dfg.branch_destinations(inst) {
                if !func.dfg.block_is_valid(call.block) {
                    builder.error.get_or_insert(BuildError::UnknownBlock(call.block));
                    return inst;
                }
                if builder.ssa.is_sealed(call.block) {
                    builder.error.get_or_insert(BuildError::SealedBlock(call.block));
                    return inst;
                }
            }
            for (dest, call) in func.dfg.branch_destinations(inst).enumerate() {
                builder.ssa.add_edge(call.block, inst, block, dest as u32);
            }
        }
        if opcode.is_terminator() {
            builder.ssa.set_filled(block);
        }
        func.layout.append_inst(inst, block);
        if !builder.srcloc.is_none() {
            func.srclocs[inst] = builder.srcloc;
        }
        inst
    }
}

impl InsertingBuilder for FuncInstBuilder<'_, '_> {}

impl<'a> FunctionBuilder<'a> {
    /// A cursor at the end of the current block, for instructions that are no terminators.
    ///
    /// # Errors
    /// [`BuildError::NoCurrentBlock`].
    pub fn cursor(&mut self) -> Result<FuncCursor<'_>, BuildError> {
        let block = self.block.ok_or(BuildError::NoCurrentBlock)?;
        self.ensure_inserted_block();
        Ok(FuncCursor::new(self.func).at_bottom(block).with_srcloc(self.srcloc))
    }
}
