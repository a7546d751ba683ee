//! 32-bit ARM (A32), from ARMv5TE to ARMv7-A.
//!
//! | file | what is in it |
//! |---|---|
//! | `insts.rs` | the instruction table: enum, encoder, decoder, printer, operand visitor and rule constructors derive from it |
//! | `imm.rs`, `regs.rs` | immediates that are valid by construction, registers |
//! | `target.rs` | the targets and their settings; the framework's view of the machine |
//! | `lower.rs`, `isle-rules/arm/` | selection: rules, and the helpers that they call |
//! | `abi.rs`, `call.rs`, `frame.rs`, `prologue.rs` | where arguments are, code around calls, frames, how they come and go |
//! | `pseudo.rs`, `emit.rs`, `expand.rs` | pseudo-instructions, and the words that instructions become |
//! | `align.rs` | checks of addresses, when a stress setting asks for them |
//! | `atomic.rs`, `kernel.rs` | loops of exclusive accesses; the kernel's helpers |
//! | `reloc.rs`, `elf.rs`, `attributes.rs`, `startup.rs` | objects and executables |
//! | `runtime.rs` | names of the run-time ABI |

mod abi;
mod align;
mod atomic;
pub mod attributes;
mod call;
pub mod elf;
mod emit;
mod expand;
mod frame;
pub mod imm;
pub mod insts;
mod join;
pub mod kernel;
mod lower;
pub mod minst;
mod patterns;
mod prologue;
mod pseudo;
pub mod regs;
pub mod reloc;
mod runtime;
pub mod startup;
mod target;
mod unwind;

pub use target::ArmTarget;

/// The targets.
pub const TARGETS: &[crate::target::TargetEntry] =
    &[target::ARMV7HF, target::ARMV7, target::ARMV6, target::ARMV5];
