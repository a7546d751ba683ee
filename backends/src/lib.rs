//! Windlass: a retargetable code generator for 32-bit ARM and 64-bit POWER.
//!
//! ```text
//! Function --verify--> --select--> VCode --allocate--> --frame--> --emit--> CompiledCode
//! ```

#![cfg_attr(not(feature = "std"), no_std)]
extern crate alloc;

pub mod arm;
pub mod builtins;
pub mod compiled;
pub mod context;
#[cfg(feature = "object")]
mod elf;
pub mod error;
#[cfg(feature = "object")]
pub mod exe;
pub mod legalize;
pub mod link;
pub mod machinst;
#[cfg(feature = "object")]
pub mod object;
pub mod reloc;
pub mod settings;
pub mod target;

pub use compiled::{CompiledCode, Stats};
pub use context::Context;
#[cfg(feature = "object")]
pub use elf::ElfError;
pub use error::CompileError;
pub use settings::{OptLevel, SettingError, Settings};
pub use target::{Target, TargetBuilder, VCodeStage, lookup};
pub use target_lexicon::Triple;
pub use windlass_ir as ir;
