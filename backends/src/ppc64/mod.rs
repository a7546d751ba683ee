//! 64-bit POWER, from the PowerPC 970 (ISA 2.01) to POWER10 (ISA 3.1), in both byte orders.
//!
//! | file | what is in it |
//! |---|---|
//! | `insts.rs` | the instruction table: enum, encoder, decoder, printer, operand visitor and rule constructors derive from it |
//! | `imm.rs`, `regs.rs` | immediates that are valid by construction, registers |
//! | `target.rs` | the targets and their settings; the framework's view of the machine |
//! | `lower.rs`, `isle-rules/ppc64/` | selection: rules, and the helpers that they call |
//! | `patterns.rs`, `record.rs` | what rules look for in values; comparisons with 0 that come with a result |
//! | `abi.rs`, `call.rs`, `frame.rs` | where arguments are, code around calls, frames |
//! | `pseudo.rs`, `emit.rs`, `expand.rs`, `fixup.rs` | pseudo-instructions, the words that instructions become, distances in them |
//! | `constant.rs` | the shortest sequence for a number |
//! | `memory.rs`, `join.rs` | accesses to memory; two instructions that are one |
//! | `atomic.rs`, `threads.rs` | loops of accesses with reservation, thread-local data |
//! | `reloc.rs`, `elf.rs`, `startup.rs` | objects and executables |
//! | `runtime.rs`, `unwind.rs` | names of the run-time library, its routines in machine code |

mod abi;
mod atomic;
mod call;
mod constant;
pub mod elf;
mod emit;
mod expand;
mod fixup;
mod frame;
pub mod imm;
pub mod insts;
mod join;
mod limit;
mod lower;
mod memory;
pub mod minst;
mod patterns;
mod pseudo;
mod record;
pub mod regs;
pub mod reloc;
mod runtime;
pub mod startup;
mod target;
mod threads;
mod unwind;

pub use target::Ppc64Target;

/// The targets.
pub const TARGETS: &[crate::target::TargetEntry] = &[target::PPC64LE, target::PPC64, target::PPC64V2];
