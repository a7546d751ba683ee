//! Scratch memory that compilations share.

use crate::coverage::RuleObserver;
use crate::machinst::order::BlockOrder;
use alloc::boxed::Box;
use core::any::Any;
use windlass_ir::Function;
use windlass_ir::cfg::ControlFlowGraph;
use windlass_ir::domtree::DominatorTree;
use windlass_ir::loops::LoopAnalysis;
use windlass_ir::verifier::Verifier;
use windlass_regalloc::{Allocator, Output};

/// A stage of a compilation.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Stage {
    /// The function is verified.
    Verify,
    /// What the target lacks is expressed in what it has. Skipped where it lacks nothing.
    Legalize,
    /// Control flow is analysed, blocks are ordered.
    Order,
    /// Machine instructions are selected.
    Select,
    /// Registers are allocated and, if asked for, checked.
    Allocate,
    /// Code is laid out and encoded.
    Emit,
}

impl Stage {
    /// Every stage, in order.
    pub const ALL: [Stage; 6] =
        [Stage::Verify, Stage::Legalize, Stage::Order, Stage::Select, Stage::Allocate, Stage::Emit];

    /// What the stage is called.
    pub const fn name(self) -> &'static str {
        match self {
            Stage::Verify => "verify",
            Stage::Legalize => "legalize",
            Stage::Order => "order",
            Stage::Select => "select",
            Stage::Allocate => "allocate",
            Stage::Emit => "emit",
        }
    }
}

/// Is told when a stage is done.
pub type Observer = Box<dyn FnMut(Stage) + Send>;

/// Memory that one compilation leaves to the next: compiling the second function allocates almost nothing. A
/// context belongs to one thread at a time and to no target in particular.
#[derive(Default)]
pub struct Context {
    /// The register allocator's.
    pub(crate) allocator: Allocator,
    /// Its result.
    pub(crate) allocation: Output,
    /// The verifier's.
    pub(crate) verifier: Verifier,
    /// What is known of the function's control flow.
    pub(crate) flow: Flow,
    /// Selection's and emission's, of the type that the last target has for its instructions.
    machine: Option<Box<dyn Any + Send>>,
    observer: Option<Observer>,
    /// Is told which rules fire.
    pub(crate) rule_observer: Option<RuleObserver>,
}

/// What is known of a function's control flow.
#[derive(Default)]
pub(crate) struct Flow {
    cfg: ControlFlowGraph,
    domtree: DominatorTree,
    pub(crate) loops: LoopAnalysis,
    pub(crate) order: BlockOrder,
}

impl Flow {
    /// Finds out everything about `func`.
    pub(crate) fn compute(&mut self, func: &Function) {
        self.cfg.compute(func);
        self.domtree.compute(func, &self.cfg);
        self.loops.compute(&self.cfg, &self.domtree);
        self.order.compute(func, &self.loops);
    }
}

impl Context {
    /// Empty memory.
    pub fn new() -> Context {
        Context::default()
    }

    /// From now on `observer` is called at the end of each stage. The library has no clock: whoever has one can
    /// time stages with this.
    pub fn set_observer(&mut self, observer: Option<Observer>) {
        self.observer = observer;
    }

    /// From now on `observer` is called for each rule of legalization and selection that fires.
    pub fn set_rule_observer(&mut self, observer: Option<RuleObserver>) {
        self.rule_observer = observer;
    }

    /// Takes out the memory of type `T` that [`put_back`](Self::put_back) left; new memory if that was of another
    /// type.
    pub(crate) fn take<T: Any + Send + Default>(&mut self) -> Box<T> {
        self.machine.take().and_then(|memory| memory.downcast().ok()).unwrap_or_default()
    }

    /// Keeps memory for the next function.
    pub(crate) fn put_back<T: Any + Send>(&mut self, memory: Box<T>) {
        self.machine = Some(memory);
    }

    pub(crate) fn stage_done(&mut self, stage: Stage) {
        if let Some(observer) = &mut self.observer {
            observer(stage);
        }
    }
}
