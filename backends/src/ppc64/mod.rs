//! 64-bit POWER, from the PowerPC 970 (ISA 2.01) to POWER10 (ISA 3.1), in both byte orders.

mod atomic;
pub mod elf;
pub mod imm;
pub mod insts;
pub mod minst;
pub mod pseudo;
pub mod regs;
pub mod reloc;
pub mod startup;
