//! An instruction's opcode, operands and immediates.

use crate::condcodes::{FloatCC, IntCC};
use crate::entities::*;
use crate::immediates::{Ieee16, Ieee32, Ieee64, Imm64, Offset32};
use crate::memflags::MemFlags;
use crate::opcode::{Format, Opcode};
use crate::trapcode::TrapCode;
use alloc::vec::Vec;
use core::fmt;
use cranelift_entity::packed_option::ReservedValue;
use cranelift_entity::{EntityList, EntityRef, ListPool};

/// A list of values in the function's pool.
pub type ValueList = EntityList<Value>;
/// Pool of all value lists of a function.
pub type ValueListPool = ListPool<Value>;
/// Pool of all block arguments of a function.
pub type BlockArgPool = ListPool<PackedBlockArg>;

/// What is passed to a block's parameter.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum BlockArg {
    /// A value.
    Value(Value),
    /// Result `n` of the `try_call` that branches: `ret0`.
    TryCallRet(u32),
    /// Payload `n` of the exception that the `try_call` caught: `exn0`.
    TryCallExn(u32),
}

impl BlockArg {
    /// The value, if it is one.
    pub fn as_value(self) -> Option<Value> {
        match self {
            BlockArg::Value(v) => Some(v),
            _ => None,
        }
    }
}

impl From<Value> for BlockArg {
    fn from(v: Value) -> BlockArg {
        BlockArg::Value(v)
    }
}

impl fmt::Display for BlockArg {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            BlockArg::Value(v) => v.fmt(f),
            BlockArg::TryCallRet(n) => write!(f, "ret{n}"),
            BlockArg::TryCallExn(n) => write!(f, "exn{n}"),
        }
    }
}

/// A [`BlockArg`] in 32 bits: the kind in the top two, the index below.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct PackedBlockArg(u32);

const KIND_SHIFT: u32 = 30;
const INDEX_MASK: u32 = (1 << KIND_SHIFT) - 1;

/// Values and result numbers above this do not fit a block argument.
pub const MAX_BLOCK_ARG_INDEX: u32 = INDEX_MASK - 1;

impl From<BlockArg> for PackedBlockArg {
    fn from(arg: BlockArg) -> Self {
        let (kind, index) = match arg {
            BlockArg::Value(v) => (0, v.as_u32()),
            BlockArg::TryCallRet(n) => (1, n),
            BlockArg::TryCallExn(n) => (2, n),
        };
        debug_assert!(index <= MAX_BLOCK_ARG_INDEX, "block argument {arg} out of range");
        PackedBlockArg(kind << KIND_SHIFT | index & INDEX_MASK)
    }
}

impl From<PackedBlockArg> for BlockArg {
    fn from(packed: PackedBlockArg) -> Self {
        let index = packed.0 & INDEX_MASK;
        match packed.0 >> KIND_SHIFT {
            0 => BlockArg::Value(Value::from_u32(index)),
            1 => BlockArg::TryCallRet(index),
            _ => BlockArg::TryCallExn(index),
        }
    }
}

impl EntityRef for PackedBlockArg {
    fn new(index: usize) -> Self {
        PackedBlockArg(index as u32)
    }
    fn index(self) -> usize {
        self.0 as usize
    }
}

impl ReservedValue for PackedBlockArg {
    fn reserved_value() -> Self {
        PackedBlockArg(u32::MAX)
    }
    fn is_reserved_value(&self) -> bool {
        self.0 == u32::MAX
    }
}

/// A block and what is passed to its parameters.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct BlockCall {
    /// Where control goes.
    pub block: Block,
    args: EntityList<PackedBlockArg>,
}

impl BlockCall {
    /// Goes to `block` with `args`.
    pub fn new(block: Block, args: impl IntoIterator<Item = BlockArg>, pool: &mut BlockArgPool) -> BlockCall {
        let mut list = EntityList::new();
        list.extend(args.into_iter().map(PackedBlockArg::from), pool);
        BlockCall { block, args: list }
    }

    /// The arguments, in order.
    pub fn args<'a>(
        &self,
        pool: &'a BlockArgPool,
    ) -> impl ExactSizeIterator<Item = BlockArg> + DoubleEndedIterator + use<'a> {
        self.args.as_slice(pool).iter().map(|&arg| arg.into())
    }

    /// Number of arguments.
    pub fn len(&self, pool: &BlockArgPool) -> usize {
        self.args.len(pool)
    }

    /// Is nothing passed?
    pub fn is_empty(&self) -> bool {
        self.args.is_empty()
    }

    /// Adds an argument at the end.
    pub fn append_arg(&mut self, arg: BlockArg, pool: &mut BlockArgPool) {
        self.args.push(arg.into(), pool);
    }

    /// Removes argument `index`, closing the gap.
    pub fn remove_arg(&mut self, index: usize, pool: &mut BlockArgPool) {
        self.args.remove(index, pool);
    }

    /// Replaces every value by `map` of it.
    pub fn map_values(&mut self, pool: &mut BlockArgPool, mut map: impl FnMut(Value) -> Value) {
        for arg in self.args.as_mut_slice(pool) {
            if let BlockArg::Value(v) = (*arg).into() {
                *arg = BlockArg::Value(map(v)).into();
            }
        }
    }
}

/// The destinations of a `br_table`.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct JumpTableData {
    /// Where an index outside of `table` goes.
    pub default: BlockCall,
    /// Where index `i` goes.
    pub table: Vec<BlockCall>,
}

impl JumpTableData {
    /// The default, then the table.
    pub fn all(&self) -> impl Iterator<Item = &BlockCall> {
        core::iter::once(&self.default).chain(&self.table)
    }

    /// The default, then the table.
    pub fn all_mut(&mut self) -> impl Iterator<Item = &mut BlockCall> {
        core::iter::once(&mut self.default).chain(&mut self.table)
    }
}

/// One entry of an exception table, in the order in which the run time tries them.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub enum ExceptionItem {
    /// Exceptions with this tag go there.
    Tag(ExceptionTag, BlockCall),
    /// All exceptions go there.
    Default(BlockCall),
    /// The entries after it hold for this dynamic context, a value that the front end tells handlers apart by.
    Context(Value),
}

/// How a `try_call` goes on.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct ExceptionTableData {
    /// The callee's signature.
    pub sig: SigRef,
    /// Where a normal return goes.
    pub normal: BlockCall,
    /// The handlers.
    pub items: Vec<ExceptionItem>,
}

impl ExceptionTableData {
    /// Every destination: the handlers' in order, then the normal one.
    pub fn all(&self) -> impl Iterator<Item = &BlockCall> {
        let handlers = self.items.iter().filter_map(|item| match item {
            ExceptionItem::Tag(_, call) | ExceptionItem::Default(call) => Some(call),
            ExceptionItem::Context(_) => None,
        });
        handlers.chain(core::iter::once(&self.normal))
    }

    /// Every destination: the handlers' in order, then the normal one.
    pub fn all_mut(&mut self) -> impl Iterator<Item = &mut BlockCall> {
        let handlers = self.items.iter_mut().filter_map(|item| match item {
            ExceptionItem::Tag(_, call) | ExceptionItem::Default(call) => Some(call),
            ExceptionItem::Context(_) => None,
        });
        handlers.chain(core::iter::once(&mut self.normal))
    }

    /// The values that the entries name as contexts.
    pub fn contexts(&self) -> impl Iterator<Item = Value> {
        self.items.iter().filter_map(|item| match item {
            ExceptionItem::Context(v) => Some(*v),
            _ => None,
        })
    }
}

/// How an atomic operation combines what is in memory with its operand.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum AtomicRmwOp {
    /// Wrapping sum.
    Add,
    /// Wrapping difference.
    Sub,
    /// Bitwise and.
    And,
    /// Bitwise and, inverted.
    Nand,
    /// Bitwise or.
    Or,
    /// Bitwise exclusive or.
    Xor,
    /// The operand.
    Xchg,
    /// The smaller, unsigned.
    Umin,
    /// The larger, unsigned.
    Umax,
    /// The smaller, signed.
    Smin,
    /// The larger, signed.
    Smax,
}

impl AtomicRmwOp {
    /// Every operation.
    pub const ALL: &'static [AtomicRmwOp] = {
        use AtomicRmwOp::*;
        &[Add, Sub, And, Nand, Or, Xor, Xchg, Umin, Umax, Smin, Smax]
    };

    /// The name in the text.
    pub const fn name(self) -> &'static str {
        use AtomicRmwOp::*;
        match self {
            Add => "add",
            Sub => "sub",
            And => "and",
            Nand => "nand",
            Or => "or",
            Xor => "xor",
            Xchg => "xchg",
            Umin => "umin",
            Umax => "umax",
            Smin => "smin",
            Smax => "smax",
        }
    }

    /// Reads a name.
    pub fn from_name(name: &str) -> Option<AtomicRmwOp> {
        Self::ALL.iter().copied().find(|op| op.name() == name)
    }
}

impl fmt::Display for AtomicRmwOp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// An instruction. Each variant is a [`Format`]; the opcode says which operation.
///
/// Address operands come after the stored value, as in the text: `store x, p` has `args: [x, p]`.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[allow(missing_docs, reason = "fields are the operands that `Format` describes")]
pub enum InstData {
    Nullary {
        opcode: Opcode,
    },
    Unary {
        opcode: Opcode,
        arg: Value,
    },
    UnaryImm {
        opcode: Opcode,
        imm: Imm64,
    },
    UnaryIeee16 {
        opcode: Opcode,
        imm: Ieee16,
    },
    UnaryIeee32 {
        opcode: Opcode,
        imm: Ieee32,
    },
    UnaryIeee64 {
        opcode: Opcode,
        imm: Ieee64,
    },
    UnaryConst {
        opcode: Opcode,
        constant: Constant,
    },
    UnaryGlobalValue {
        opcode: Opcode,
        global: GlobalValue,
    },
    Binary {
        opcode: Opcode,
        args: [Value; 2],
    },
    BinaryImm8 {
        opcode: Opcode,
        arg: Value,
        imm: u8,
    },
    Ternary {
        opcode: Opcode,
        args: [Value; 3],
    },
    TernaryImm8 {
        opcode: Opcode,
        args: [Value; 2],
        imm: u8,
    },
    Shuffle {
        opcode: Opcode,
        args: [Value; 2],
        mask: Immediate,
    },
    IntCompare {
        opcode: Opcode,
        cond: IntCC,
        args: [Value; 2],
    },
    FloatCompare {
        opcode: Opcode,
        cond: FloatCC,
        args: [Value; 2],
    },
    IntAddTrap {
        opcode: Opcode,
        args: [Value; 2],
        code: TrapCode,
    },
    MultiAry {
        opcode: Opcode,
        args: ValueList,
    },
    Jump {
        opcode: Opcode,
        dest: BlockCall,
    },
    Brif {
        opcode: Opcode,
        arg: Value,
        dests: [BlockCall; 2],
    },
    BranchTable {
        opcode: Opcode,
        arg: Value,
        table: JumpTable,
    },
    Call {
        opcode: Opcode,
        func: FuncRef,
        args: ValueList,
    },
    /// The callee's address is the first of `args`.
    CallIndirect {
        opcode: Opcode,
        sig: SigRef,
        args: ValueList,
    },
    TryCall {
        opcode: Opcode,
        func: FuncRef,
        args: ValueList,
        exception: ExceptionTable,
    },
    /// The callee's address is the first of `args`; the table has the signature.
    TryCallIndirect {
        opcode: Opcode,
        args: ValueList,
        exception: ExceptionTable,
    },
    FuncAddr {
        opcode: Opcode,
        func: FuncRef,
    },
    Load {
        opcode: Opcode,
        flags: MemFlags,
        arg: Value,
        offset: Offset32,
    },
    Store {
        opcode: Opcode,
        flags: MemFlags,
        args: [Value; 2],
        offset: Offset32,
    },
    LoadNoOffset {
        opcode: Opcode,
        flags: MemFlags,
        arg: Value,
    },
    StoreNoOffset {
        opcode: Opcode,
        flags: MemFlags,
        args: [Value; 2],
    },
    StackAddr {
        opcode: Opcode,
        slot: StackSlot,
        offset: Offset32,
    },
    AtomicRmw {
        opcode: Opcode,
        flags: MemFlags,
        op: AtomicRmwOp,
        args: [Value; 2],
    },
    AtomicCas {
        opcode: Opcode,
        flags: MemFlags,
        args: [Value; 3],
    },
    Trap {
        opcode: Opcode,
        code: TrapCode,
    },
    CondTrap {
        opcode: Opcode,
        arg: Value,
        code: TrapCode,
    },
    ExceptionHandlerAddress {
        opcode: Opcode,
        block: Block,
        index: u32,
    },
}

// Instructions are copied and scanned all the time.
const _: () = assert!(size_of::<InstData>() <= 28);

macro_rules! for_all_formats {
    ($self:expr, $($name:ident)*) => {
        match $self { $(InstData::$name { opcode, .. } => (*opcode, Format::$name),)* }
    };
}

/// The value operands of instruction `$data`: `$none` if its format has none, `$one` of a single one, `$list` of a
/// list in a pool.
macro_rules! value_operands {
    ($data:expr, $none:expr, $one:path, |$args:ident| $list:expr) => {{
        use InstData::*;
        match $data {
            Nullary { .. }
            | UnaryImm { .. }
            | UnaryIeee16 { .. }
            | UnaryIeee32 { .. }
            | UnaryIeee64 { .. }
            | UnaryConst { .. }
            | UnaryGlobalValue { .. }
            | Jump { .. }
            | FuncAddr { .. }
            | StackAddr { .. }
            | Trap { .. }
            | ExceptionHandlerAddress { .. } => $none,
            Unary { arg, .. }
            | BinaryImm8 { arg, .. }
            | Brif { arg, .. }
            | BranchTable { arg, .. }
            | Load { arg, .. }
            | LoadNoOffset { arg, .. }
            | CondTrap { arg, .. } => $one(arg),
            Binary { args, .. }
            | TernaryImm8 { args, .. }
            | Shuffle { args, .. }
            | IntCompare { args, .. }
            | FloatCompare { args, .. }
            | IntAddTrap { args, .. }
            | Store { args, .. }
            | StoreNoOffset { args, .. }
            | AtomicRmw { args, .. } => args,
            Ternary { args, .. } | AtomicCas { args, .. } => args,
            MultiAry { args: $args, .. }
            | Call { args: $args, .. }
            | CallIndirect { args: $args, .. }
            | TryCall { args: $args, .. }
            | TryCallIndirect { args: $args, .. } => $list,
        }
    }};
}

impl InstData {
    fn head(&self) -> (Opcode, Format) {
        for_all_formats!(self,
            Nullary Unary UnaryImm UnaryIeee16 UnaryIeee32 UnaryIeee64 UnaryConst UnaryGlobalValue
            Binary BinaryImm8 Ternary TernaryImm8 Shuffle IntCompare FloatCompare IntAddTrap MultiAry
            Jump Brif BranchTable Call CallIndirect TryCall TryCallIndirect FuncAddr Load Store
            LoadNoOffset StoreNoOffset StackAddr AtomicRmw AtomicCas Trap CondTrap ExceptionHandlerAddress)
    }

    /// The operation.
    pub fn opcode(&self) -> Opcode {
        self.head().0
    }

    /// The variant. The verifier refuses an instruction whose opcode has another format.
    pub fn format(&self) -> Format {
        self.head().1
    }

    /// The value operands, without those that are passed to blocks and exception contexts.
    pub fn args<'a>(&'a self, pool: &'a ValueListPool) -> &'a [Value] {
        value_operands!(self, &[], core::slice::from_ref, |list| list.as_slice(pool))
    }

    /// The value operands, to be changed in place.
    pub fn args_mut<'a>(&'a mut self, pool: &'a mut ValueListPool) -> &'a mut [Value] {
        value_operands!(self, &mut [], core::slice::from_mut, |list| list.as_mut_slice(pool))
    }

    /// The memory flags, if the instruction has them.
    pub fn mem_flags(&self) -> Option<MemFlags> {
        use InstData::*;
        match *self {
            Load { flags, .. }
            | Store { flags, .. }
            | LoadNoOffset { flags, .. }
            | StoreNoOffset { flags, .. }
            | AtomicRmw { flags, .. }
            | AtomicCas { flags, .. } => Some(flags),
            _ => None,
        }
    }

    /// The trap code that the instruction names, flags included.
    pub fn trap_code(&self) -> Option<TrapCode> {
        match *self {
            InstData::Trap { code, .. }
            | InstData::CondTrap { code, .. }
            | InstData::IntAddTrap { code, .. } => Some(code),
            _ => self.mem_flags().and_then(|flags| flags.trap_code()),
        }
    }
}
