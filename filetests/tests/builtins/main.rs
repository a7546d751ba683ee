//! The run-time library against the host's arithmetic, in the interpreter and compiled, in the emulator.
//!
//! Operands are all pairs of a list of corner cases, and random ones: `WINDLASS_BUILTINS_RANDOM` of them per
//! operation in the interpreter, a few thousand unless it is set.

mod division;
mod division128;
mod float;
mod harness;
mod memory;
mod operands;
