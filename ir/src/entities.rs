//! The small indices that name parts of a function. Each prints as it is written in the text.

use core::fmt;
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

macro_rules! any_entity {
    ($($name:ident)*) => {
        /// Any part of a function that a message may be about.
        #[derive(Clone, Copy, PartialEq, Eq, Debug, Hash, PartialOrd, Ord)]
        #[allow(missing_docs, reason = "each variant is the entity of its name")]
        pub enum AnyEntity {
            /// The function as a whole, its signature included.
            Function,
            /// The declaration of the stack limit.
            StackLimit,
            $($name($name),)*
        }

        impl fmt::Display for AnyEntity {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                match self {
                    AnyEntity::Function => f.write_str("function"),
                    AnyEntity::StackLimit => f.write_str("stack_limit"),
                    $(AnyEntity::$name(entity) => entity.fmt(f),)*
                }
            }
        }

        $(impl From<$name> for AnyEntity {
            fn from(entity: $name) -> AnyEntity {
                AnyEntity::$name(entity)
            }
        })*
    };
}

any_entity! {
    Block Inst Value StackSlot GlobalValue SigRef FuncRef JumpTable ExceptionTable Constant Immediate Region
}
