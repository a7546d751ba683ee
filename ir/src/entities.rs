//! The small indices that name parts of a function. Each prints as it is written in the text.

use cranelift_entity::entity_impl;

macro_rules! entities {
    ($($(#[$doc:meta])* $name:ident $prefix:literal;)*) => {$(
        $(#[$doc])*
        #[derive(Copy, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub struct $name(pub(crate) u32);
        entity_impl!($name, $prefix);
    )*};
}

entities! {
    /// A basic block.
    Block "block";
    /// An SSA value: an instruction's result, a block parameter, or an alias of another value.
    Value "v";
    /// An instruction.
    Inst "inst";
    /// A stack slot of fixed size.
    StackSlot "ss";
    /// A global value: an address or number known outside the function's own data flow.
    GlobalValue "gv";
    /// A signature that calls of the function refer to.
    SigRef "sig";
    /// A function that the function refers to.
    FuncRef "fn";
    /// The destinations of a `br_table`.
    JumpTable "jt";
    /// The handlers of a `try_call`.
    ExceptionTable "extable";
    /// A tag that selects an exception handler; its meaning is the front end's.
    ExceptionTag "tag";
    /// Bytes in the function's constant pool.
    Constant "const";
    /// Bytes that an instruction holds as an immediate (a shuffle's mask).
    Immediate "imm";
    /// A disjoint part of memory: accesses to different regions never alias.
    Region "region";
}
