//! 32-bit ARM (A32), from ARMv5TE to ARMv7-A.

pub mod attributes;
pub mod elf;
pub mod imm;
pub mod insts;
pub mod minst;
pub mod regs;
pub mod reloc;
pub mod startup;
