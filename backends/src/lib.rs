//! Windlass: a retargetable code generator for 32-bit ARM and 64-bit POWER.
//!
//! ```text
//! Function --verify--> --select--> VCode --allocate--> --frame--> --emit--> CompiledCode
//! ```
//!
//! A function is built with [`ir::InstBuilder`] or read from text with [`ir::text`]; a [`Target`] compiles it:
//!
//! ```
//! use windlass::ir::types::I32;
//! use windlass::ir::{AbiParam, ExternalName, FuncCursor, Function, InstBuilder};
//! use windlass::{Context, lookup};
//!
//! // function %sum(i32, i32) -> i32
//! let mut func = Function::default();
//! func.name = ExternalName::symbol("sum");
//! func.signature.params.extend([AbiParam::new(I32), AbiParam::new(I32)]);
//! func.signature.returns.push(AbiParam::new(I32));
//! let block = func.dfg.make_block();
//! let x = func.dfg.append_block_param(block, I32);
//! let y = func.dfg.append_block_param(block, I32);
//! let mut at = FuncCursor::new(&mut func);
//! at.insert_block(block);
//! let sum = at.ins().iadd(x, y);
//! at.ins().return_(&[sum]);
//!
//! // A target is a name and settings. A context is memory that every function uses again.
//! let target = lookup("armv7hf")?.build()?;
//! let code = target.compile(&func, &mut Context::new())?;
//!
//! let mut listing = Vec::new();
//! let mut rest = &code.bytes[..];
//! while let Some((length, text)) = target.disassemble(rest) {
//!     listing.push(text);
//!     rest = &rest[length..];
//! }
//! assert_eq!(listing, ["add r0, r0, r1", "bx lr"]);
//! # Ok::<(), Box<dyn core::error::Error>>(())
//! ```
//!
//! What comes after is made from [`CompiledCode`]: [`link`] joins functions and data into an image, [`object`] writes
//! relocatable ELF files and [`exe`] executables (both with the feature `object`).

#![cfg_attr(not(feature = "std"), no_std)]
extern crate alloc;

#[macro_use]
mod list;

pub mod arm;
pub mod builtins;
pub mod compiled;
pub mod context;
pub mod coverage;
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
pub mod ppc64;
pub mod reloc;
pub mod settings;
pub mod target;
pub mod unwind;

pub use compiled::{CompiledCode, Stats};
pub use context::Context;
#[cfg(feature = "object")]
pub use elf::ElfError;
pub use error::CompileError;
pub use settings::{OptLevel, SettingError, Settings};
pub use target::{Target, TargetBuilder, TargetInfo, VCodeStage, lookup};
pub use target_lexicon::Triple;
pub use windlass_ir as ir;

/// Tests the programs in the readme.
#[cfg(doctest)]
#[doc = include_str!("../../README.md")]
pub struct Readme;
