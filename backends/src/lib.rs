//! Windlass: a retargetable code generator for 32-bit ARM and 64-bit POWER.
//!
//! ```text
//! Function --verify--> --select--> VCode --allocate--> --frame--> --emit--> CompiledCode
//! ```

#![cfg_attr(not(feature = "std"), no_std)]
extern crate alloc;

pub mod arm;
pub mod compiled;
pub mod context;
pub mod error;
pub mod link;
pub mod machinst;
pub mod reloc;
pub mod settings;
pub mod target;

pub use compiled::{CompiledCode, Stats};
pub use context::Context;
pub use error::CompileError;
pub use settings::{OptLevel, SettingError, Settings};
pub use target::{Target, TargetBuilder, VCodeStage, lookup};
pub use windlass_ir as ir;
