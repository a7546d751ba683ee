//! The instruction-table vocabulary and the ISLE rules of Windlass, and the
//! build-time code that turns both into Rust.
//!
//! A target describes its machine instructions in one table, made of the words
//! in [`spec`]. The target's build script (with the feature `build`) passes
//! the table to `generate::generate`, which writes
//!
//! * a Rust file: the instruction enum, its operand visitor, encoder, decoder,
//!   printer and facts (features, flags), and
//! * an ISLE file: the same enum as an ISLE type, and one constructor per row;
//!
//! and then compiles the target's lowering rules against that ISLE file with
//! `isle::compile`. `isle::backend` does all of it. Everything here is target neutral: a target that lives in
//! a repository of its own uses this crate in the same way as the built-in
//! ones.
//!
//! # A build script
//!
//! ```text
//! #[path = "src/mytarget/insts.rs"]
//! mod insts;
//!
//! fn main() {
//!     let out = windlass_rules::generate::Output::from_env();
//!     windlass_rules::isle::backend(&out, &insts::table(), "rules/mytarget".as_ref());
//! }
//! ```
//!
//! `insts.rs` says `use windlass_rules::spec::*;`, so that the build script
//! and the crate itself (whose tests walk the table) read the same file. The
//! module that includes `mytarget_minst.rs` brings the names listed in
//! the module `generate`'s documentation into scope.
//!
//! Setting the environment variable `WINDLASS_GEN_DIR` to a directory makes
//! the build copy every generated file there, for reading.

#![cfg_attr(not(feature = "build"), no_std)]

extern crate alloc;

pub mod spec;

#[cfg(feature = "build")]
pub mod generate;
#[cfg(feature = "build")]
pub mod ir_terms;
#[cfg(feature = "build")]
pub mod isle;
#[cfg(feature = "build")]
pub mod native;
#[cfg(feature = "build")]
pub mod sexpr;
