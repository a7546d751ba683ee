//! Scratch memory that compilations share.

use windlass_regalloc::{Allocator, Output};

/// Memory that one compilation leaves to the next: compiling the second function allocates almost nothing. A
/// context belongs to one thread at a time and to no target in particular.
#[derive(Default)]
pub struct Context {
    /// The register allocator's.
    pub(crate) allocator: Allocator,
    /// Its result.
    pub(crate) allocation: Output,
}

impl Context {
    /// Empty memory.
    pub fn new() -> Context {
        Context::default()
    }
}
