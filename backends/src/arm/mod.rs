//! 32-bit ARM (A32), from ARMv5TE to ARMv7-A.

pub mod reloc;
