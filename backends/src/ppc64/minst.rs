//! The machine instructions: generated from the table in [`super::insts`].
//!
//! `windlass_rules::generate` documents what the generated text contains.

#![allow(clippy::all, clippy::pedantic, unused_parens)]

use super::imm::*;
use super::regs::reg_name;
use crate::machinst::encode::{self, EncodeError, Immediate, OperandFault, WideImmediate};
use crate::machinst::reg::{OperandVisitor, Reg, Writable, WritableReg};
use windlass_ir::Endianness;
use windlass_regalloc::PReg;

include!(concat!(env!("OUT_DIR"), "/ppc64_minst.rs"));

/// What a processor has, each with what it includes.
pub mod level {
    use super::Features;

    /// PowerPC 970, ISA 2.01: the base of the table.
    pub const PPC970: Features = Features::NONE;
    /// POWER5, ISA 2.02.
    pub const POWER5: Features = Features::POPCNTB.union(Features::FPRND);
    /// POWER6, ISA 2.05.
    pub const POWER6: Features = POWER5.union(Features::POWER6);
    /// POWER7, ISA 2.06.
    pub const POWER7: Features = POWER6.union(Features::ISEL).union(Features::POWER7).union(Features::VSX);
    /// POWER8, ISA 2.07.
    pub const POWER8: Features = POWER7.union(Features::POWER8);
    /// POWER9, ISA 3.0B.
    pub const POWER9: Features = POWER8.union(Features::POWER9);
    /// POWER10, ISA 3.1.
    pub const POWER10: Features = POWER9.union(Features::POWER10);

    /// Features with what each of them includes.
    pub const INCLUDES: &[(Features, Features)] = &[
        (Features::POWER10, POWER10),
        (Features::POWER9, POWER9),
        (Features::POWER8, POWER8),
        (Features::POWER7, POWER7),
        (Features::POWER6, POWER6),
    ];
}

/// Length of every instruction without a prefix, in bytes.
pub const INST_BYTES: u32 = 4;

/// Primary opcode 1, in the first word: a prefix.
const fn is_prefix(word: u32) -> bool {
    word >> 26 == 1
}

/// The bytes of a word, or of a prefix and a word, and how many they are.
pub fn word_bytes(word: Word, size: u8, order: Endianness) -> ([u8; 8], usize) {
    let bytes = |word: u32| match order {
        Endianness::Big => word.to_be_bytes(),
        Endianness::Little => word.to_le_bytes(),
    };
    let (upper, lower) = (bytes((word >> 32) as u32), bytes(word as u32));
    let (first, second) = if size == 8 { (upper, lower) } else { (lower, [0; 4]) };
    let mut all = [0; 8];
    all[..4].copy_from_slice(&first);
    all[4..].copy_from_slice(&second);
    (all, size.into())
}

/// The instruction that `code` begins with, and its length in bytes.
pub fn decode_bytes(code: &[u8], order: Endianness) -> Option<(usize, Inst)> {
    let word = |at: usize| {
        let bytes = *code.get(at..)?.first_chunk()?;
        Some(match order {
            Endianness::Big => u32::from_be_bytes(bytes),
            Endianness::Little => u32::from_le_bytes(bytes),
        })
    };
    let first = word(0)?;
    if is_prefix(first) {
        let both = Word::from(first) << 32 | Word::from(word(4)?);
        return Some((8, Inst::decode(both)?));
    }
    Some((4, Inst::decode(first.into())?))
}

/// The word as assembly text: an instruction of the table, or `.long`.
pub fn disassemble(word: Word) -> alloc::string::String {
    match Inst::decode(word) {
        Some(i) => alloc::format!("{i}"),
        None if is_prefix((word >> 32) as u32) => {
            alloc::format!(".long {:#010x}, {:#010x}", word >> 32, word as u32)
        }
        None => alloc::format!(".long {:#010x}", word as u32),
    }
}

const _: () = assert!(size_of::<Inst>() <= 24, "instructions are meant to be small");
