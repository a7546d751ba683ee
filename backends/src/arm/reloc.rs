//! ARM relocations (ELF for the Arm Architecture, IHI 0044, section 4.6.1).
//!
//! Addends are those of the specification: a branch reads the program counter as its own address + 8, so the addend
//! of a plain `bl symbol` is -8, and `S + A - P` is the distance in the instruction's field. Objects are
//! of REL type: the addend stands in the field until the linker replaces it.

use crate::link::veneers::{Veneer, VeneerDef};
use crate::reloc::{RelocDef, RelocKind, SymbolAddress};

/// Replaces the bits of `mask` in the little-endian word at `place`.
fn patch(place: &mut [u8], mask: u32, bits: u32) -> bool {
    match place.first_chunk_mut::<4>() {
        Some(word) => {
            *word = (u32::from_le_bytes(*word) & !mask | bits & mask).to_le_bytes();
            true
        }
        None => false,
    }
}

/// A word-aligned distance in the low 24 bits of B and BL, in words (DDI 0406, A8.8.18 and A8.8.25).
fn branch(place: &mut [u8], distance: i64) -> bool {
    distance % 4 == 0
        && (-(1 << 25)..1 << 25).contains(&distance)
        && patch(place, 0x00ff_ffff, (distance >> 2) as u32)
}

/// 16 bits in `imm4:imm12` of MOVW and MOVT (A8.8.102 and A8.8.106).
fn half(place: &mut [u8], bits: u32) -> bool {
    patch(place, 0x000f_0fff, (bits & 0xf000) << 4 | bits & 0x0fff)
}

/// The addend in the field of MOVW or MOVT: 16 bits with a sign, for both.
fn half_addend(place: &mut [u8], addend: i64) -> bool {
    i16::try_from(addend).is_ok_and(|addend| half(place, addend as u16 as u32))
}

/// A word, signed or unsigned.
fn word(place: &mut [u8], value: i64) -> bool {
    (-(1 << 31)..1 << 32).contains(&value) && patch(place, u32::MAX, value as u32)
}

static CALL_DEF: RelocDef = RelocDef {
    name: "R_ARM_CALL",
    elf_type: 28,
    size_bytes: 4,
    is_branch: true,
    symbol: SymbolAddress::LocalEntry,
    apply: |place, values| branch(place, values.relative()),
    apply_addend: branch,
};

static JUMP24_DEF: RelocDef = RelocDef {
    name: "R_ARM_JUMP24",
    elf_type: 29,
    size_bytes: 4,
    is_branch: true,
    symbol: SymbolAddress::LocalEntry,
    apply: |place, values| branch(place, values.relative()),
    apply_addend: branch,
};

static ABS32_DEF: RelocDef = RelocDef {
    name: "R_ARM_ABS32",
    elf_type: 2,
    size_bytes: 4,
    is_branch: false,
    symbol: SymbolAddress::Own,
    apply: |place, values| word(place, values.absolute() as i64),
    apply_addend: word,
};

static REL32_DEF: RelocDef = RelocDef {
    name: "R_ARM_REL32",
    elf_type: 3,
    size_bytes: 4,
    is_branch: false,
    symbol: SymbolAddress::Own,
    apply: |place, values| word(place, values.relative()),
    apply_addend: word,
};

static MOVW_ABS_NC_DEF: RelocDef = RelocDef {
    name: "R_ARM_MOVW_ABS_NC",
    elf_type: 43,
    size_bytes: 4,
    is_branch: false,
    symbol: SymbolAddress::Own,
    apply: |place, values| half(place, values.absolute() as u32),
    apply_addend: half_addend,
};

static MOVT_ABS_DEF: RelocDef = RelocDef {
    name: "R_ARM_MOVT_ABS",
    elf_type: 44,
    size_bytes: 4,
    is_branch: false,
    symbol: SymbolAddress::Own,
    apply: |place, values| half(place, values.absolute() as u32 >> 16),
    apply_addend: half_addend,
};

static MOVW_PREL_NC_DEF: RelocDef = RelocDef {
    name: "R_ARM_MOVW_PREL_NC",
    elf_type: 45,
    size_bytes: 4,
    is_branch: false,
    symbol: SymbolAddress::Own,
    apply: |place, values| half(place, values.relative() as u32),
    apply_addend: half_addend,
};

static MOVT_PREL_DEF: RelocDef = RelocDef {
    name: "R_ARM_MOVT_PREL",
    elf_type: 46,
    size_bytes: 4,
    is_branch: false,
    symbol: SymbolAddress::Own,
    apply: |place, values| half(place, (values.relative() >> 16) as u32),
    apply_addend: half_addend,
};

static TLS_GD32_DEF: RelocDef = RelocDef {
    name: "R_ARM_TLS_GD32",
    elf_type: 104,
    size_bytes: 4,
    is_branch: false,
    symbol: SymbolAddress::ThreadIndex,
    apply: |place, values| word(place, values.relative()),
    apply_addend: word,
};

static TLS_LE32_DEF: RelocDef = RelocDef {
    name: "R_ARM_TLS_LE32",
    elf_type: 108,
    size_bytes: 4,
    is_branch: false,
    symbol: SymbolAddress::ThreadOffset,
    apply: |place, values| word(place, values.absolute() as i64),
    apply_addend: word,
};

/// BL, and BLX by immediate. The addend of a plain call is -8.
pub const CALL: RelocKind = RelocKind(&CALL_DEF);
/// B, and BL under a condition. The addend of a plain jump is -8.
pub const JUMP24: RelocKind = RelocKind(&JUMP24_DEF);
/// An address in a word of data.
pub const ABS32: RelocKind = RelocKind(&ABS32_DEF);
/// A distance in a word of data.
pub const REL32: RelocKind = RelocKind(&REL32_DEF);
/// The distance, in a word of data, of the pair that `__tls_get_addr` takes.
pub const TLS_GD32: RelocKind = RelocKind(&TLS_GD32_DEF);
/// A thread-local datum's distance from the thread pointer, in a word of data.
pub const TLS_LE32: RelocKind = RelocKind(&TLS_LE32_DEF);
/// The low half of an address in MOVW.
pub const MOVW_ABS_NC: RelocKind = RelocKind(&MOVW_ABS_NC_DEF);
/// The high half of an address in MOVT.
pub const MOVT_ABS: RelocKind = RelocKind(&MOVT_ABS_DEF);
/// The low half of a distance in MOVW.
pub const MOVW_PREL_NC: RelocKind = RelocKind(&MOVW_PREL_NC_DEF);
/// The high half of a distance in MOVT.
pub const MOVT_PREL: RelocKind = RelocKind(&MOVT_PREL_DEF);

/// ```text
///     ldr pc, [pc, #-4]
///     .word symbol
/// ```
static VENEER_DEF: VeneerDef = VeneerDef {
    size_bytes: 8,
    data_bytes: 4,
    alignment: 4,
    reach_bytes: (1 << 25) - 8,
    branch_addend: -8,
    emit: |place, values| match place.split_at_mut_checked(4) {
        Some((jump, address)) => {
            patch(jump, u32::MAX, 0xe51f_f004) && word(address, values.absolute() as i64)
        }
        None => false,
    },
};

/// A jump to anywhere, between functions: for [`CALL`] and [`JUMP24`] that do not reach.
pub const VENEER: Veneer = Veneer(&VENEER_DEF);

#[cfg(test)]
mod tests {
    use super::*;
    use crate::reloc::RelocValues;
    use windlass_ir::Endianness;

    fn apply(kind: RelocKind, instruction: u32, values: RelocValues) -> Option<u32> {
        let mut place = instruction.to_le_bytes();
        (kind.0.apply)(&mut place, values).then(|| u32::from_le_bytes(place))
    }

    fn at(symbol: u64, addend: i64, place: u64) -> RelocValues {
        RelocValues { symbol, addend, place, toc: 0, endianness: Endianness::Little }
    }

    #[test]
    fn branches_reach_32_mib_and_no_farther() {
        let bl = 0xeb00_0000;
        assert_eq!(apply(CALL, bl, at(0x1000, -8, 0x1000)), Some(0xebff_fffe));
        assert_eq!(apply(CALL, bl, at(0x1008, -8, 0x1000)), Some(bl));
        let far = 0x1000_0000;
        assert_eq!(apply(CALL, bl, at(far + (1 << 25) + 4, -8, far)), Some(0xeb7f_ffff));
        assert_eq!(apply(CALL, bl, at(far + (1 << 25) + 8, -8, far)), None);
        assert_eq!(apply(JUMP24, 0xea00_0000, at(far - (1 << 25) + 8, -8, far)), Some(0xea80_0000));
        assert_eq!(apply(JUMP24, 0xea00_0000, at(far - (1 << 25) + 4, -8, far)), None);
        assert_eq!(apply(CALL, bl, at(0x1002, -8, 0x1000)), None, "not a multiple of four");
    }

    #[test]
    fn halves_go_into_split_fields() {
        assert_eq!(apply(MOVW_ABS_NC, 0xe300_c000, at(0x1234_5678, 0, 0)), Some(0xe305_c678));
        assert_eq!(apply(MOVT_ABS, 0xe340_c000, at(0x1234_5678, 0, 0)), Some(0xe341_c234));
        assert_eq!(apply(MOVT_PREL, 0xe340_c000, at(0x1000, -8, 0x2000)), Some(0xe34f_cfff));
        assert_eq!(apply(MOVW_PREL_NC, 0xe300_c000, at(0x1000, -8, 0x2000)), Some(0xe30e_cff8));
    }

    #[test]
    fn words_hold_32_bits_of_either_sign() {
        assert_eq!(apply(ABS32, 0, at(0xffff_fffc, 3, 0)), Some(0xffff_ffff));
        assert_eq!(apply(ABS32, 0, at(0xffff_fffc, 4, 0)), None);
        assert_eq!(apply(REL32, 0, at(0x1000, 0, 0x2000)), Some(0xffff_f000));
    }

    #[test]
    fn addends_stand_in_the_field_of_rel_objects() {
        let mut place = 0xeb00_0000u32.to_le_bytes();
        assert!((CALL.0.apply_addend)(&mut place, -8));
        assert_eq!(u32::from_le_bytes(place), 0xebff_fffe);
        let mut place = 0xe340_0000u32.to_le_bytes();
        assert!((MOVT_ABS.0.apply_addend)(&mut place, -2));
        assert_eq!(u32::from_le_bytes(place), 0xe34f_0ffe);
        assert!(!(MOVT_ABS.0.apply_addend)(&mut place, 0x8000));
    }

    #[test]
    fn a_place_that_is_too_small_is_refused() {
        assert!(!(ABS32.0.apply)(&mut [0, 0], at(0, 0, 0)));
    }
}
