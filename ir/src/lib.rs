//! The machine-independent SSA language of Windlass: CLIF, as Cranelift's users know it.
//!
//! A [`Function`] is a preamble (signature, stack slots, global values, callees), a [`DataFlowGraph`] of
//! values and instructions, and a [`Layout`] that puts instructions into blocks and blocks into order.
//! The opcode table in [`opcode`] says what each instruction takes, gives, does and means; text, verifier,
//! builder, interpreter and the rules of the back ends all read it.

#![cfg_attr(not(feature = "std"), no_std)]
extern crate alloc;

pub mod builder;
pub mod cfg;
pub mod condcodes;
pub mod data_value;
pub mod dfg;
pub mod domtree;
pub mod entities;
pub mod extname;
pub mod frontend;
pub mod function;
pub mod immediates;
pub mod instdata;
pub mod interp;
pub mod layout;
pub mod loops;
pub mod memflags;
pub mod opcode;
pub mod reference;
pub mod signature;
pub mod text;
pub mod trapcode;
pub mod types;
pub mod verifier;

pub use builder::{CursorPosition, FuncCursor, InstBuilder};
pub use cfg::{BlockPredecessor, ControlFlowGraph, DepthFirst};
pub use condcodes::{FloatCC, IntCC};
pub use data_value::DataValue;
pub use dfg::{DataFlowGraph, DebugTag, ExtFuncData, UserStackMapEntry, ValueDef};
pub use domtree::{DominatorTree, InstOrder, ProgramPoint};
pub use entities::*;
pub use extname::{ExternalName, LibCall};
pub use function::{Function, GlobalValueData, RegionData, RegisterSet, SourceLoc, StackSlotData};
pub use immediates::{Ieee16, Ieee32, Ieee64, Imm64, Offset32};
pub use instdata::{
    AtomicRmwOp, BlockArg, BlockCall, ExceptionItem, ExceptionTableData, InstData, JumpTableData, ValueList,
};
pub use layout::Layout;
pub use loops::{Loop, LoopAnalysis};
pub use memflags::{Endianness, MemFlags};
pub use opcode::{Ctrl, Effects, Format, Opcode, OpcodeDef, Ty, TypeSet};
pub use signature::{AbiParam, ArgumentExtension, ArgumentPurpose, CallConv, Signature, StructArg};
pub use trapcode::TrapCode;
pub use types::Type;
pub use verifier::{Fault, Verifier, verify_function};

// Re-exported: entity maps are part of the public interface.
pub use cranelift_entity as entity;
