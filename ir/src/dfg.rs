//! The data-flow graph: values, the instructions that compute them, and the tables that instructions
//! refer to. Where instructions stand is the [`Layout`](crate::Layout)'s business.

use crate::entities::*;
use crate::extname::ExternalName;
use crate::instdata::*;
use crate::opcode::Opcode;
use crate::signature::Signature;
use crate::types::Type;
use alloc::vec::Vec;
use cranelift_entity::packed_option::PackedOption;
use cranelift_entity::{PrimaryMap, SecondaryMap};

/// Where a value comes from.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Hash)]
pub enum ValueDef {
    /// Result `n` of an instruction.
    Result(Inst, usize),
    /// Parameter `n` of a block.
    Param(Block, usize),
    /// Nothing yet: the text used it before a definition, or its instruction was removed.
    None,
}

#[derive(Clone, Copy, Debug)]
enum ValueData {
    Result { ty: Type, index: u16, inst: Inst },
    Param { ty: Type, index: u16, block: Block },
    Alias { ty: Type, original: Value },
    None { ty: Type },
}

/// A function that calls refer to.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ExtFuncData {
    /// Its name.
    pub name: ExternalName,
    /// Its signature.
    pub signature: SigRef,
    /// It is defined near enough for a direct call, in the same object.
    pub colocated: bool,
}

/// What lives at an offset in a stack slot while a call is under way: a pointer that the collector may move.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct UserStackMapEntry {
    /// The value's type.
    pub ty: Type,
    /// The slot.
    pub slot: StackSlot,
    /// Offset in the slot, in bytes.
    pub offset: u32,
}

/// What a debugger is told about a place in the code.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum DebugTag {
    /// The front end's own number.
    User(u32),
    /// A stack slot.
    StackSlot(StackSlot),
}

/// Most results or block parameters that one instruction or block can have.
pub const MAX_VALUES: usize = u16::MAX as usize;

/// Values, instructions and their tables.
#[derive(Clone, Debug, Default)]
pub struct DataFlowGraph {
    /// Every instruction, in the layout or not.
    pub insts: PrimaryMap<Inst, InstData>,
    results: SecondaryMap<Inst, ValueList>,
    ctrl_types: SecondaryMap<Inst, Type>,
    blocks: PrimaryMap<Block, ValueList>,
    values: PrimaryMap<Value, ValueData>,
    /// Pool of the lists of values.
    pub value_lists: ValueListPool,
    /// Pool of the lists of block arguments.
    pub block_args: BlockArgPool,
    /// Signatures that calls refer to.
    pub signatures: PrimaryMap<SigRef, Signature>,
    /// Functions that calls refer to.
    pub ext_funcs: PrimaryMap<FuncRef, ExtFuncData>,
    /// Destinations of `br_table`s.
    pub jump_tables: PrimaryMap<JumpTable, JumpTableData>,
    /// Handlers of `try_call`s.
    pub exception_tables: PrimaryMap<ExceptionTable, ExceptionTableData>,
    /// The constant pool: bytes in little-endian order of the lanes.
    pub constants: PrimaryMap<Constant, Vec<u8>>,
    /// Masks of shuffles.
    pub immediates: PrimaryMap<Immediate, Vec<u8>>,
    /// Stack maps of calls, sorted by instruction as they were added.
    pub stack_maps: Vec<(Inst, Vec<UserStackMapEntry>)>,
    /// Debug tags, sorted by instruction as they were added.
    pub debug_tags: Vec<(Inst, Vec<DebugTag>)>,
}

impl DataFlowGraph {
    /// Nothing.
    pub fn new() -> DataFlowGraph {
        DataFlowGraph::default()
    }

    /// Empties the graph and keeps its memory.
    pub fn clear(&mut self) {
        self.insts.clear();
        self.results.clear();
        self.ctrl_types.clear();
        self.blocks.clear();
        self.values.clear();
        self.value_lists.clear();
        self.block_args.clear();
        self.signatures.clear();
        self.ext_funcs.clear();
        self.jump_tables.clear();
        self.exception_tables.clear();
        self.constants.clear();
        self.immediates.clear();
        self.stack_maps.clear();
        self.debug_tags.clear();
    }

    // ----- Values -----

    /// Number of values ever made, aliases included.
    pub fn num_values(&self) -> usize {
        self.values.len()
    }

    /// Does `v` exist?
    pub fn value_is_valid(&self, v: Value) -> bool {
        self.values.is_valid(v)
    }

    /// Every value ever made.
    pub fn values(&self) -> impl ExactSizeIterator<Item = Value> + use<> {
        self.values.keys()
    }

    /// The type of `v`.
    pub fn value_type(&self, v: Value) -> Type {
        match self.values[v] {
            ValueData::Result { ty, .. }
            | ValueData::Param { ty, .. }
            | ValueData::Alias { ty, .. }
            | ValueData::None { ty } => ty,
        }
    }

    /// Where `v` comes from, through aliases.
    pub fn value_def(&self, v: Value) -> ValueDef {
        match self.values[self.resolve_aliases(v)] {
            ValueData::Result { inst, index, .. } => ValueDef::Result(inst, index.into()),
            ValueData::Param { block, index, .. } => ValueDef::Param(block, index.into()),
            ValueData::Alias { .. } | ValueData::None { .. } => ValueDef::None,
        }
    }

    /// The value that `v` stands for, itself unless it is an alias. A cycle of aliases, which only the verifier
    /// meets, ends somewhere on the cycle.
    pub fn resolve_aliases(&self, v: Value) -> Value {
        let mut at = v;
        for _ in 0..=self.values.len() {
            match self.values[at] {
                ValueData::Alias { original, .. } => at = original,
                _ => return at,
            }
        }
        at
    }

    /// What `v` is an alias of, one step; `None` if it is none.
    pub fn alias_of(&self, v: Value) -> Option<Value> {
        match self.values[v] {
            ValueData::Alias { original, .. } => Some(original),
            _ => None,
        }
    }

    /// Makes `v`, which nothing defines any more, another name of `original`.
    pub fn change_to_alias(&mut self, v: Value, original: Value) {
        let original = self.resolve_aliases(original);
        debug_assert_ne!(v, original, "{v} cannot be an alias of itself");
        self.values[v] = ValueData::Alias { ty: self.value_type(original), original };
    }

    /// Makes a value that nothing defines yet: the text mentions values before their definition.
    pub fn make_undefined_value(&mut self, ty: Type) -> Value {
        self.values.push(ValueData::None { ty })
    }

    /// Turns `v`, made by [`make_undefined_value`](Self::make_undefined_value), into an alias, for the parser.
    pub fn define_alias(&mut self, v: Value, ty: Type, original: Value) {
        self.values[v] = ValueData::Alias { ty, original };
    }

    // ----- Instructions -----

    /// Makes an instruction without results.
    pub fn make_inst(&mut self, data: InstData) -> Inst {
        self.insts.push(data)
    }

    /// Makes the results of `inst` from its opcode, its controlling type and its signature. Results that it
    /// has are forgotten. Returns how many there are.
    pub fn make_inst_results(&mut self, inst: Inst, ctrl: Type) -> usize {
        self.results[inst].clear(&mut self.value_lists);
        self.ctrl_types[inst] = ctrl;
        let mut n = 0;
        while let Some(ty) = self.computed_result_type(inst, ctrl, n) {
            let v = self.values.push(ValueData::Result { ty, index: n as u16, inst });
            self.results[inst].push(v, &mut self.value_lists);
            n += 1;
        }
        n
    }

    /// Like [`make_inst_results`](Self::make_inst_results), but defines values that exist: the parser's.
    /// Values beyond what the instruction gives stay undefined. Returns how many it gives.
    pub fn define_inst_results(&mut self, inst: Inst, ctrl: Type, values: &[Value]) -> usize {
        self.results[inst].clear(&mut self.value_lists);
        self.ctrl_types[inst] = ctrl;
        let mut n = 0;
        while let Some(ty) = self.computed_result_type(inst, ctrl, n) {
            let data = ValueData::Result { ty, index: n as u16, inst };
            let v = match values.get(n) {
                Some(&v) => {
                    self.values[v] = data;
                    v
                }
                None => self.values.push(data),
            };
            self.results[inst].push(v, &mut self.value_lists);
            n += 1;
        }
        n
    }

    /// The type of result `n` by the table and the signature; `None` after the last.
    fn computed_result_type(&self, inst: Inst, ctrl: Type, n: usize) -> Option<Type> {
        if n >= MAX_VALUES {
            return None;
        }
        let data = &self.insts[inst];
        let opcode = data.opcode();
        if opcode.is_call() {
            if opcode.is_terminator() {
                return None;
            }
            let sig = self.call_signature(inst)?;
            return Some(self.signatures.get(sig)?.returns.get(n)?.value_type);
        }
        let result = opcode.def().results.get(n)?;
        Some(result.resolve(ctrl).unwrap_or(Type::INVALID))
    }

    /// The signature of a call; `None` for other instructions and for references to nothing.
    pub fn call_signature(&self, inst: Inst) -> Option<SigRef> {
        match self.insts[inst] {
            InstData::Call { func, .. } | InstData::TryCall { func, .. } => {
                Some(self.ext_funcs.get(func)?.signature)
            }
            InstData::CallIndirect { sig, .. } => Some(sig),
            InstData::TryCallIndirect { exception, .. } => Some(self.exception_tables.get(exception)?.sig),
            _ => None,
        }
    }

    /// The controlling type that the instruction was made with; invalid if its opcode has none.
    pub fn ctrl_type(&self, inst: Inst) -> Type {
        self.ctrl_types[inst]
    }

    /// The results of `inst`, in order.
    pub fn inst_results(&self, inst: Inst) -> &[Value] {
        self.results[inst].as_slice(&self.value_lists)
    }

    /// The first result of `inst`, if it has any.
    pub fn first_result(&self, inst: Inst) -> Option<Value> {
        self.results[inst].first(&self.value_lists)
    }

    /// The results of `inst` become undefined values, free to be aliases or results of another.
    pub fn detach_results(&mut self, inst: Inst) {
        for i in 0..self.results[inst].len(&self.value_lists) {
            let v = self.results[inst].as_slice(&self.value_lists)[i];
            self.values[v] = ValueData::None { ty: self.value_type(v) };
        }
        self.results[inst].clear(&mut self.value_lists);
    }

    /// The value operands of `inst`, without those that it passes to blocks.
    pub fn inst_args(&self, inst: Inst) -> &[Value] {
        self.insts[inst].args(&self.value_lists)
    }

    /// The operation of `inst`.
    pub fn opcode(&self, inst: Inst) -> Opcode {
        self.insts[inst].opcode()
    }

    /// The destinations of `inst`, in the order in which successors are counted everywhere: for `brif` then
    /// and else, for `br_table` the default and then the table, for `try_call` the handlers and then the
    /// normal block.
    pub fn branch_destinations(&self, inst: Inst) -> impl Iterator<Item = &BlockCall> {
        let (direct, table, exceptions) = match &self.insts[inst] {
            InstData::Jump { dest, .. } => (core::slice::from_ref(dest), None, None),
            InstData::Brif { dests, .. } => (&dests[..], None, None),
            InstData::BranchTable { table, .. } => (&[][..], self.jump_tables.get(*table), None),
            InstData::TryCall { exception, .. } | InstData::TryCallIndirect { exception, .. } => {
                (&[][..], None, self.exception_tables.get(*exception))
            }
            _ => (&[][..], None, None),
        };
        direct
            .iter()
            .chain(table.into_iter().flat_map(JumpTableData::all))
            .chain(exceptions.into_iter().flat_map(ExceptionTableData::all))
    }

    /// Calls `f` on each destination of `inst`, in the order of
    /// [`branch_destinations`](Self::branch_destinations), to change it.
    pub fn for_each_destination_mut(
        &mut self,
        inst: Inst,
        mut f: impl FnMut(&mut BlockCall, &mut BlockArgPool),
    ) {
        let pool = &mut self.block_args;
        match &mut self.insts[inst] {
            InstData::Jump { dest, .. } => f(dest, pool),
            InstData::Brif { dests, .. } => dests.iter_mut().for_each(|dest| f(dest, pool)),
            InstData::BranchTable { table, .. } => {
                if let Some(table) = self.jump_tables.get_mut(*table) {
                    table.all_mut().for_each(|dest| f(dest, pool));
                }
            }
            InstData::TryCall { exception, .. } | InstData::TryCallIndirect { exception, .. } => {
                if let Some(table) = self.exception_tables.get_mut(*exception) {
                    table.all_mut().for_each(|dest| f(dest, pool));
                }
            }
            _ => {}
        }
    }

    /// Calls `f` on every value that `inst` uses: operands, then what it passes to blocks, then contexts of
    /// exception tables.
    pub fn for_each_use(&self, inst: Inst, mut f: impl FnMut(Value)) {
        for &v in self.inst_args(inst) {
            f(v);
        }
        for call in self.branch_destinations(inst) {
            call.args(&self.block_args).filter_map(BlockArg::as_value).for_each(&mut f);
        }
        if let InstData::TryCall { exception, .. } | InstData::TryCallIndirect { exception, .. } =
            self.insts[inst]
            && let Some(table) = self.exception_tables.get(exception)
        {
            table.contexts().for_each(f);
        }
    }

    /// Replaces every value that `inst` uses by `map` of it.
    pub fn map_uses(&mut self, inst: Inst, mut map: impl FnMut(Value) -> Value) {
        for v in self.insts[inst].args_mut(&mut self.value_lists) {
            *v = map(*v);
        }
        self.for_each_destination_mut(inst, |call, pool| call.map_values(pool, &mut map));
        if let InstData::TryCall { exception, .. } | InstData::TryCallIndirect { exception, .. } =
            self.insts[inst]
            && let Some(table) = self.exception_tables.get_mut(exception)
        {
            for item in &mut table.items {
                if let ExceptionItem::Context(v) = item {
                    *v = map(*v);
                }
            }
        }
    }

    /// Replaces every use of an alias by what it stands for.
    pub fn resolve_all_aliases(&mut self) {
        let mut resolved: SecondaryMap<Value, PackedOption<Value>> = SecondaryMap::new();
        let mut any = false;
        for v in self.values.keys() {
            if matches!(self.values[v], ValueData::Alias { .. }) {
                any = true;
                resolved[v] = self.resolve_aliases(v).into();
            }
        }
        if any {
            for inst in self.insts.keys() {
                self.map_uses(inst, |v| resolved[v].expand().unwrap_or(v));
            }
        }
    }

    // ----- Blocks -----

    /// Makes a block without parameters. It is not in the layout.
    pub fn make_block(&mut self) -> Block {
        self.blocks.push(ValueList::new())
    }

    /// Number of blocks ever made.
    pub fn num_blocks(&self) -> usize {
        self.blocks.len()
    }

    /// Does `block` exist?
    pub fn block_is_valid(&self, block: Block) -> bool {
        self.blocks.is_valid(block)
    }

    /// The parameters of `block`, in order.
    pub fn block_params(&self, block: Block) -> &[Value] {
        self.blocks[block].as_slice(&self.value_lists)
    }

    /// Adds a parameter of type `ty` to `block`.
    pub fn append_block_param(&mut self, block: Block, ty: Type) -> Value {
        let v = self.values.push(ValueData::None { ty });
        self.attach_block_param(block, v, ty);
        v
    }

    /// Makes `v`, which exists and which nothing defines, the last parameter of `block`.
    pub fn attach_block_param(&mut self, block: Block, v: Value, ty: Type) {
        let index = self.blocks[block].push(v, &mut self.value_lists) as u16;
        self.values[v] = ValueData::Param { ty, index, block };
    }

    /// Removes parameter `index` of `block`. The value stays, undefined. Branches are the caller's business.
    pub fn remove_block_param(&mut self, block: Block, index: usize) {
        let v = self.block_params(block)[index];
        self.values[v] = ValueData::None { ty: self.value_type(v) };
        self.blocks[block].remove(index, &mut self.value_lists);
        for i in index..self.blocks[block].len(&self.value_lists) {
            let v = self.blocks[block].as_slice(&self.value_lists)[i];
            if let ValueData::Param { index, .. } = &mut self.values[v] {
                *index = i as u16;
            }
        }
    }
}
