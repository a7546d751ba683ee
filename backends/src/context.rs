//! Scratch memory that compilations share.

use crate::coverage::RuleObserver;
use alloc::boxed::Box;
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
    observer: Option<Observer>,
    /// Is told which rules fire.
    pub(crate) rule_observer: Option<RuleObserver>,
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

    pub(crate) fn stage_done(&mut self, stage: Stage) {
        if let Some(observer) = &mut self.observer {
            observer(stage);
        }
    }
}
