//! A function: preamble, data-flow graph, layout.

use crate::dfg::DataFlowGraph;
use crate::entities::*;
use crate::extname::ExternalName;
use crate::layout::Layout;
use crate::memflags::MemFlags;
use crate::signature::Signature;
use crate::types::Type;
use alloc::string::String;
use alloc::vec::Vec;
use cranelift_entity::{PrimaryMap, SecondaryMap};

/// A stack slot.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct StackSlotData {
    /// Size in bytes.
    pub size: u32,
    /// log2 of the alignment in bytes; 0 asks for none beyond the target's own.
    pub align_shift: u8,
    /// The front end's name for it, if it has one.
    pub key: Option<u64>,
}

/// An address or number known outside the function's own data flow.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum GlobalValueData {
    /// The argument with purpose `vmctx`.
    VMContext,
    /// What memory holds at another global value plus an offset.
    Load {
        /// The address.
        base: GlobalValue,
        /// Added to it, in bytes.
        offset: i32,
        /// What is loaded.
        ty: Type,
        /// Promises about the access.
        flags: MemFlags,
    },
    /// Another global value plus a constant.
    IAddImm {
        /// The summand.
        base: GlobalValue,
        /// The constant.
        offset: i64,
        /// The type of both.
        ty: Type,
    },
    /// The address of a symbol.
    Symbol {
        /// Its name.
        name: ExternalName,
        /// Added to the address, in bytes.
        offset: i64,
        /// It is defined in the same object, near the code.
        colocated: bool,
        /// Each thread has its own.
        tls: bool,
    },
}

/// A part of memory that no access to another region touches.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct RegionData {
    /// The front end's number.
    pub user_id: u32,
    /// What the front end calls it.
    pub description: String,
}

/// Values that are of a register set, which the settings of the compilation define: in registers, they are in no others. It
/// changes nothing about what the function computes.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct RegisterSet {
    /// The set's name: letters, digits and `_`.
    pub name: String,
    /// The values, integers of at most an address's size.
    pub values: Vec<Value>,
}

/// Where an instruction comes from in the front end's source, as a number that only the front end understands.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Hash, PartialOrd, Ord)]
pub struct SourceLoc(pub u32);

impl SourceLoc {
    /// No place.
    pub const NONE: SourceLoc = SourceLoc(u32::MAX);

    /// Is there no place?
    pub const fn is_none(self) -> bool {
        self.0 == u32::MAX
    }
}

impl Default for SourceLoc {
    fn default() -> Self {
        SourceLoc::NONE
    }
}

/// A function.
#[derive(Clone, Debug, Default)]
pub struct Function {
    /// Its name.
    pub name: ExternalName,
    /// What it takes and gives.
    pub signature: Signature,
    /// Stack slots.
    pub stack_slots: PrimaryMap<StackSlot, StackSlotData>,
    /// Global values.
    pub global_values: PrimaryMap<GlobalValue, GlobalValueData>,
    /// Regions of memory.
    pub regions: PrimaryMap<Region, RegionData>,
    /// Values and instructions.
    pub dfg: DataFlowGraph,
    /// Their order.
    pub layout: Layout,
    /// Where instructions come from.
    pub srclocs: SecondaryMap<Inst, SourceLoc>,
    /// The lowest address that the stack may reach; checked on entry.
    pub stack_limit: Option<GlobalValue>,
    /// Values of register sets.
    pub register_sets: Vec<RegisterSet>,
}

impl Function {
    /// An empty function.
    pub fn new(name: ExternalName, signature: Signature) -> Function {
        Function { name, signature, ..Function::default() }
    }

    /// Empties the function and keeps its memory.
    pub fn clear(&mut self) {
        self.name = ExternalName::default();
        self.signature = Signature::default();
        self.stack_slots.clear();
        self.global_values.clear();
        self.regions.clear();
        self.dfg.clear();
        self.layout.clear();
        self.srclocs.clear();
        self.stack_limit = None;
        self.register_sets.clear();
    }
}
