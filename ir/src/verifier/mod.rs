//! The verifier: is this function one of the language?
//!
//! **In**: any [`Function`], built by hand, parsed, or left by a pass: nothing in it is believed. **Out**:
//! nothing, or every [`Fault`] that was found, each with its place. After `Ok`, references resolve, blocks
//! end in their one terminator, types fit, and definitions dominate uses: the other parts of the compiler
//! rely on it and need not check again.
//!
//! **Order**: first references (`references`), so that nothing later reads outside of a table; if they are
//! sound, preamble and signatures (`preamble`), then every instruction's type rule (`types`), control flow
//! and calls (`flow`), and its uses against the dominator tree (`uses`). Unreachable blocks are held to all
//! rules but dominance.
//!
//! **Cost**: linear in the function, besides dominators; a second run allocates only for a larger function or
//! to report faults.
//!
//! The language does not know a target: addresses may be `i32` or `i64` unless [`Verifier::address_type`]
//! says which. Types that no target has yet are not faults; targets refuse them by name.

mod flow;
mod preamble;
mod references;
mod types;
mod uses;

#[cfg(test)]
mod tests;

use crate::cfg::ControlFlowGraph;
use crate::domtree::DominatorTree;
use crate::entities::*;
use crate::function::Function;
use crate::text::DisplayInst;
use crate::types::Type;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::fmt;
use cranelift_entity::SecondaryMap;
use cranelift_entity::packed_option::PackedOption;

/// A rule of the language that a function breaks.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Fault {
    /// Where.
    pub location: AnyEntity,
    /// The instruction as text, if it is one; the name of its opcode if its operands are not sound.
    pub context: String,
    /// What is wrong.
    pub message: String,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.context.is_empty() {
            write!(f, "{}: {}", self.location, self.message)
        } else {
            write!(f, "{} ({}): {}", self.location, self.context, self.message)
        }
    }
}

impl core::error::Error for Fault {}

/// Checks `func`. Who checks many functions keeps a [`Verifier`].
///
/// # Errors
/// Every rule that the function breaks.
pub fn verify_function(func: &Function) -> Result<(), Vec<Fault>> {
    Verifier::new().verify(func)
}

/// Where a value is defined.
#[derive(Clone, Copy, Default)]
struct Definition {
    /// The block; none if nothing in the layout defines the value.
    block: PackedOption<Block>,
    /// The instruction's number; 0 for a parameter of the block.
    number: u32,
}

/// Tables that all checks share.
#[derive(Default)]
struct Scratch {
    /// Numbers of the instructions in layout order, from 1; 0 outside of the layout.
    numbers: SecondaryMap<Inst, u32>,
    definitions: SecondaryMap<Value, Definition>,
    blocks_seen: SecondaryMap<Block, bool>,
    /// What each alias stands for; empty if there are no aliases.
    alias_roots: SecondaryMap<Value, PackedOption<Value>>,
    path: Vec<Value>,
    /// For global values: the round that saw it.
    rounds: SecondaryMap<GlobalValue, u32>,
    region_ids: Vec<(u32, Region)>,
}

/// Checks functions, one after another, in the same memory.
#[derive(Default)]
pub struct Verifier {
    /// The type of addresses, `i32` or `i64`; without, either will do.
    pub address_type: Option<Type>,
    scratch: Scratch,
    cfg: ControlFlowGraph,
    domtree: DominatorTree,
}

impl Verifier {
    /// A verifier for no target in particular.
    pub fn new() -> Verifier {
        Verifier::default()
    }

    /// A verifier for a target whose addresses have type `ty`.
    pub fn with_address_type(ty: Type) -> Verifier {
        Verifier { address_type: Some(ty), ..Verifier::default() }
    }

    /// Checks `func`.
    ///
    /// # Errors
    /// Every rule that the function breaks.
    pub fn verify(&mut self, func: &Function) -> Result<(), Vec<Fault>> {
        let Verifier { address_type, scratch, cfg, domtree } = self;
        let mut check = Check::new(func, *address_type, scratch);
        if check.references() {
            cfg.compute(func);
            domtree.compute(func, cfg);
            check.rules(domtree);
        }
        check.finish()
    }

    /// Checks `func`, for which `cfg` and `domtree` have been computed.
    ///
    /// # Errors
    /// Every rule that the function breaks, and a graph that is not the function's.
    pub fn verify_with(
        &mut self,
        func: &Function,
        cfg: &ControlFlowGraph,
        domtree: &DominatorTree,
    ) -> Result<(), Vec<Fault>> {
        let mut check = Check::new(func, self.address_type, &mut self.scratch);
        if check.references() && check.graph_is_current(cfg, domtree) {
            check.rules(domtree);
        }
        check.finish()
    }
}

/// One run over one function.
struct Check<'a> {
    func: &'a Function,
    address_type: Option<Type>,
    scratch: &'a mut Scratch,
    faults: Vec<Fault>,
    /// References have been checked: instructions can be printed.
    sound: bool,
}

impl<'a> Check<'a> {
    fn new(func: &'a Function, address_type: Option<Type>, scratch: &'a mut Scratch) -> Check<'a> {
        Check { func, address_type, scratch, faults: Vec::new(), sound: false }
    }

    fn finish(self) -> Result<(), Vec<Fault>> {
        if self.faults.is_empty() { Ok(()) } else { Err(self.faults) }
    }

    /// Everything that relies on references.
    fn rules(&mut self, domtree: &DominatorTree) {
        self.preamble();
        let func = self.func;
        for block in func.layout.blocks() {
            self.block(block);
            let reachable = domtree.is_reachable(block);
            for inst in func.layout.block_insts(block) {
                self.instruction(inst);
                self.uses(inst, block, reachable, domtree);
            }
        }
    }

    /// Are the analyses that the caller brought about this function, as it is?
    fn graph_is_current(&mut self, cfg: &ControlFlowGraph, domtree: &DominatorTree) -> bool {
        let (dfg, layout) = (&self.func.dfg, &self.func.layout);
        let current = cfg.is_valid()
            && domtree.is_valid()
            && domtree.rpo().first().copied() == layout.entry_block()
            && layout.blocks().all(|block| {
                let succs =
                    layout.last_inst(block).into_iter().flat_map(|inst| dfg.branch_destinations(inst));
                succs.map(|call| call.block).eq(cfg.succs(block).iter().copied())
            });
        if !current {
            self.fault(AnyEntity::Function, "the control-flow graph or dominator tree is not up to date");
        }
        current
    }

    /// Takes note of a broken rule.
    #[cold]
    fn fault(&mut self, location: impl Into<AnyEntity>, message: impl Into<String>) {
        let location = location.into();
        let context = match location {
            AnyEntity::Inst(inst) if self.sound => DisplayInst(self.func, inst).to_string(),
            AnyEntity::Inst(inst) => {
                self.func.dfg.insts.get(inst).map_or(String::new(), |data| data.opcode().to_string())
            }
            _ => String::new(),
        };
        self.faults.push(Fault { location, context, message: message.into() });
    }
}
