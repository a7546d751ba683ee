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
