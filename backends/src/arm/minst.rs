//! The machine instructions: generated from the table in [`super::insts`].
//!
//! `windlass_rules::generate` documents what the generated text contains.

#![allow(clippy::all, clippy::pedantic, unused_parens)]

use super::imm::*;
use super::regs::reg_name;
use crate::machinst::encode::{self, EncodeError, Immediate, OperandFault};
use crate::machinst::reg::{OperandVisitor, Reg, Writable, WritableReg};
#[allow(unused_imports, reason = "only tables with fixed operands name registers")]
use windlass_regalloc::PReg;

include!(concat!(env!("OUT_DIR"), "/arm_minst.rs"));

/// What a processor of an architecture level, or with a floating-point unit,
/// has: each with what it includes. A processor is the union of a level, a
/// unit and single features such as [`Features::IDIV`].
pub mod level {
    use super::Features;

    /// ARMv5TE: the base of the table.
    pub const V5TE: Features = Features::NONE;
    /// ARMv6.
    pub const V6: Features = Features::V6;
    /// ARMv6K: with exclusive accesses of all sizes.
    pub const V6K: Features = V6.union(Features::V6K);
    /// ARMv6T2: with the later bit-field instructions, but not ARMv6K's.
    pub const V6T2: Features = V6.union(Features::V6T2);
    /// ARMv7-A.
    pub const V7A: Features = V6K.union(V6T2).union(Features::V7);
    /// VFPv2.
    pub const VFP2: Features = Features::VFP2;
    /// VFPv3, of 16 or 32 double-precision registers.
    pub const VFP3: Features = VFP2.union(Features::VFP3);
    /// VFPv4.
    pub const VFP4: Features = VFP3.union(Features::VFP4);

    /// Features with what each of them includes.
    pub const INCLUDES: &[(Features, Features)] = &[
        (Features::V7, V7A),
        (Features::IDIV, V7A),
        (Features::V6T2, V6T2),
        (Features::V6K, V6K),
        (Features::NEON, V7A.union(VFP3)),
        (Features::D32, VFP3),
        (Features::VFP4, V7A.union(VFP4)),
        (Features::VFP3, VFP3),
    ];
}

/// Length of every A32 instruction, in bytes.
pub const INST_BYTES: u32 = 4;

/// The word as assembly text: an instruction of the table, or `.word`.
pub fn disassemble(word: u32) -> alloc::string::String {
    match Inst::decode(word) {
        Some(i) => alloc::format!("{i}"),
        None => alloc::format!(".word {word:#010x}"),
    }
}

const _: () = assert!(size_of::<Inst>() <= 28, "instructions are meant to be small");
