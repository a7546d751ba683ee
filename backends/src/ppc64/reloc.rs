//! Relocations of 64-bit POWER (64-bit ELF V2 ABI, 3.5; 64-bit PowerPC ELF ABI, 4.5.1: the numbers agree).
//!
//! Objects are of RELA type: places are zero until the linker fills them. A place is the field's own bytes: a word for
//! branches, and for the 16-bit immediates of D and DS forms the instruction's second half in the order of significance,
//! which [`half_offset`] finds.

use crate::link::veneers::{Veneer, VeneerDef};
use crate::reloc::{RelocDef, RelocKind, RelocValues, SymbolAddress};
use windlass_ir::Endianness;

/// Offset of the 16-bit immediate in an instruction word, in bytes.
pub const fn half_offset(endianness: Endianness) -> u32 {
    match endianness {
        Endianness::Little => 0,
        Endianness::Big => 2,
    }
}

/// Replaces the bits of `mask` in the number at `place`.
fn patch(place: &mut [u8], endianness: Endianness, mask: u64, bits: u64) -> bool {
    let bytes = place.iter().copied();
    let join = |number: u64, byte: u8| number << 8 | u64::from(byte);
    let old = match endianness {
        Endianness::Little => bytes.rev().fold(0, join),
        Endianness::Big => bytes.fold(0, join),
    };
    let new = old & !mask | bits & mask;
    let size = place.len();
    match endianness {
        Endianness::Little => place.copy_from_slice(&new.to_le_bytes()[..size]),
        Endianness::Big => place.copy_from_slice(&new.to_be_bytes()[8 - size..]),
    }
    true
}

/// The distance in the 24 bits LI of B and BL (Power ISA 3.1B, Book I, 2.4).
fn branch(place: &mut [u8], values: RelocValues) -> bool {
    let distance = values.relative();
    distance % 4 == 0
        && (-(1 << 25)..1 << 25).contains(&distance)
        && patch(place, values.endianness, 0x03ff_fffc, distance as u64)
}

/// Sixteen bits of a number, from bit `shift` on; `rounded` for those above a half that is added with its sign.
fn half(place: &mut [u8], endianness: Endianness, value: i64, shift: u32, rounded: bool) -> bool {
    let carry = if rounded { 0x8000 } else { 0 };
    patch(place, endianness, 0xffff, (value.wrapping_add(carry) >> shift) as u64)
}

/// As [`half`] of a number that must have 32 bits with its sign, once rounded.
fn high_half(place: &mut [u8], endianness: Endianness, value: i64) -> bool {
    i32::try_from(value.wrapping_add(0x8000)).is_ok() && half(place, endianness, value, 16, true)
}

/// The low half in a DS form, whose two lowest bits are part of the opcode.
fn low_half_ds(place: &mut [u8], endianness: Endianness, value: i64) -> bool {
    value % 4 == 0 && patch(place, endianness, 0xfffc, value as u64)
}

/// The 34 bits of a prefixed instruction: 18 in the prefix, which is the word that comes first in either byte order.
fn distance34(place: &mut [u8], endianness: Endianness, value: i64) -> bool {
    let (prefix, suffix) = place.split_at_mut(4.min(place.len()));
    (-(1 << 33)..1 << 33).contains(&value)
        && patch(prefix, endianness, 0x3_ffff, (value >> 16) as u64)
        && patch(suffix, endianness, 0xffff, value as u64)
}

/// A number that the place holds with or without a sign.
fn word(place: &mut [u8], endianness: Endianness, value: i64) -> bool {
    let fits = place.len() == 8 || (-(1 << 31)..1 << 32).contains(&value);
    fits && patch(place, endianness, u64::MAX, value as u64)
}

/// RELA objects keep addends in their records.
fn no_addend(_: &mut [u8], _: i64) -> bool {
    false
}

/// A row for each relocation.
macro_rules! relocations {
    ($($(#[$doc:meta])* $name:ident = $def:ident: $number:literal, $size:literal, $symbol:ident, $apply:expr;)*) => {
        $(
            static $def: RelocDef = RelocDef {
                name: concat!("R_PPC64_", stringify!($name)),
                elf_type: $number,
                size_bytes: $size,
                is_branch: matches!(SymbolAddress::$symbol, SymbolAddress::LocalEntry),
                symbol: SymbolAddress::$symbol,
                apply: $apply,
                apply_addend: no_addend,
            };
            $(#[$doc])*
            pub const $name: RelocKind = RelocKind(&$def);
        )*
    };
}

/// `R_PPC64_TOC`, the base of the table of contents in a descriptor: it has no symbol.
pub const TOC_BASE: u32 = 51;

relocations! {
    /// B and BL to a function.
    REL24 = REL24_DEF: 10, 4, LocalEntry, branch;
    /// An address in a doubleword of data.
    ADDR64 = ADDR64_DEF: 38, 8, Own, |place, v| word(place, v.endianness, v.absolute() as i64);
    /// An address in a word of data.
    ADDR32 = ADDR32_DEF: 1, 4, Own, |place, v| word(place, v.endianness, v.absolute() as i64);
    /// A distance in a doubleword of data.
    REL64 = REL64_DEF: 44, 8, Own, |place, v| word(place, v.endianness, v.relative());
    /// A distance in a word of data.
    REL32 = REL32_DEF: 26, 4, Own, |place, v| word(place, v.endianness, v.relative());
    /// Bits 0 to 15 of an address, the lowest.
    ADDR16_LO = ADDR16_LO_DEF: 4, 2, Own, |place, v| half(place, v.endianness, v.absolute() as i64, 0, false);
    /// Bits 16 to 31 of an address, of whatever size it is.
    ADDR16_HIGH = ADDR16_HIGH_DEF: 110, 2, Own, |place, v| half(place, v.endianness, v.absolute() as i64, 16, false);
    /// Bits 32 to 47 of an address.
    ADDR16_HIGHER = ADDR16_HIGHER_DEF: 39, 2, Own,
        |place, v| half(place, v.endianness, v.absolute() as i64, 32, false);
    /// Bits 48 to 63 of an address.
    ADDR16_HIGHEST = ADDR16_HIGHEST_DEF: 41, 2, Own,
        |place, v| half(place, v.endianness, v.absolute() as i64, 48, false);
    /// The high half of the distance from the table of contents to a symbol, for ADDIS.
    TOC16_HA = TOC16_HA_DEF: 50, 2, Own, |place, v| high_half(place, v.endianness, v.from_toc());
    /// The low half of that distance.
    TOC16_LO = TOC16_LO_DEF: 48, 2, Own, |place, v| half(place, v.endianness, v.from_toc(), 0, false);
    /// The low half of that distance in a DS form.
    TOC16_LO_DS = TOC16_LO_DS_DEF: 64, 2, Own, |place, v| low_half_ds(place, v.endianness, v.from_toc());
    /// The high half of the distance from the table of contents to the word with a symbol's address.
    GOT16_HA = GOT16_HA_DEF: 17, 2, GotSlot, |place, v| high_half(place, v.endianness, v.from_toc());
    /// The low half of that distance in a DS form.
    GOT16_LO_DS = GOT16_LO_DS_DEF: 59, 2, GotSlot, |place, v| low_half_ds(place, v.endianness, v.from_toc());
    /// The high half of the distance from the thread pointer to a thread-local datum, for ADDIS.
    TPREL16_HA = TPREL16_HA_DEF: 72, 2, ThreadOffset,
        |place, v| high_half(place, v.endianness, v.absolute() as i64);
    /// The low half of that distance.
    TPREL16_LO = TPREL16_LO_DEF: 70, 2, ThreadOffset,
        |place, v| half(place, v.endianness, v.absolute() as i64, 0, false);
    /// The high half of the distance from the table of contents to the pair of doublewords that tells which datum.
    GOT_TLSGD16_HA = GOT_TLSGD16_HA_DEF: 82, 2, ThreadIndex,
        |place, v| high_half(place, v.endianness, v.from_toc());
    /// The low half of that distance.
    GOT_TLSGD16_LO = GOT_TLSGD16_LO_DEF: 80, 2, ThreadIndex,
        |place, v| half(place, v.endianness, v.from_toc(), 0, false);
    /// The call of `__tls_get_addr` with the address of that pair. It changes nothing.
    TLSGD = TLSGD_DEF: 107, 0, ThreadIndex, |_, _| true;
    /// The distance from a prefixed instruction to a symbol.
    PCREL34 = PCREL34_DEF: 132, 8, Own, |place, v| distance34(place, v.endianness, v.relative());
    /// The distance from a prefixed instruction to the word with a symbol's address.
    GOT_PCREL34 = GOT_PCREL34_DEF: 133, 8, GotSlot, |place, v| distance34(place, v.endianness, v.relative());
    /// The high half of a distance, for ADDIS: a function's way to its table of contents.
    REL16_HA = REL16_HA_DEF: 252, 2, Own, |place, v| high_half(place, v.endianness, v.relative());
    /// The low half of a distance.
    REL16_LO = REL16_LO_DEF: 250, 2, Own, |place, v| half(place, v.endianness, v.relative(), 0, false);
}

/// Relocations of these kinds are about a place in a function's own code: the ABI's kind for the same field, and the
/// address of code where a function's own address is its descriptor's.
macro_rules! code_relocations {
    ($($(#[$doc:meta])* $name:ident = $def:ident: $of:ident;)*) => {
        $(
            static $def: RelocDef = RelocDef { symbol: SymbolAddress::Code, ..$of };
            $(#[$doc])*
            pub const $name: RelocKind = RelocKind(&$def);
        )*
    };
}

code_relocations! {
    /// As [`ADDR64`], of code.
    CODE_ADDR64 = CODE_ADDR64_DEF: ADDR64_DEF;
    /// As [`TOC16_HA`], of code.
    CODE_TOC16_HA = CODE_TOC16_HA_DEF: TOC16_HA_DEF;
    /// As [`TOC16_LO`], of code.
    CODE_TOC16_LO = CODE_TOC16_LO_DEF: TOC16_LO_DEF;
    /// As [`TOC16_LO_DS`], of code.
    CODE_TOC16_LO_DS = CODE_TOC16_LO_DS_DEF: TOC16_LO_DS_DEF;
}

/// ```text
///     addis r12, r2, symbol@toc@ha
///     addi r12, r12, symbol@toc@l
///     mtctr r12
///     bctr
/// ```
static VENEER_DEF: VeneerDef = VeneerDef {
    size_bytes: 16,
    data_bytes: 0,
    alignment: 4,
    reach_bytes: (1 << 25) - 4,
    branch_addend: 0,
    emit: |place, values| {
        let (order, distance) = (values.endianness, values.from_toc());
        let (high, low) = (distance.wrapping_add(0x8000) >> 16, distance);
        let words =
            [0x3d82_0000 | high as u32 & 0xffff, 0x398c_0000 | low as u32 & 0xffff, 0x7d89_03a6, 0x4e80_0420];
        let fits = i16::try_from(high).is_ok();
        fits && place
            .chunks_exact_mut(4)
            .zip(words)
            .all(|(place, word)| patch(place, order, u64::MAX, word.into()))
    },
};

/// A jump to anywhere in the image, between functions: for [`REL24`] that does not reach.
pub const VENEER: Veneer = Veneer(&VENEER_DEF);

#[cfg(test)]
mod tests {
    use super::*;
    use Endianness::{Big, Little};

    fn apply(kind: RelocKind, old: u32, at: (u64, i64, u64), endianness: Endianness) -> Option<u32> {
        let (symbol, addend, place) = at;
        let values = RelocValues { symbol, addend, place, toc: 0x1_8000, endianness };
        let size = usize::from(kind.0.size_bytes);
        let mut bytes = match endianness {
            Little => old.to_le_bytes(),
            Big => old.to_be_bytes(),
        };
        // A half is the word's lower one.
        let field = if size == 2 { half_offset(endianness) as usize } else { 0 };
        (kind.0.apply)(&mut bytes[field..field + size], values).then(|| match endianness {
            Little => u32::from_le_bytes(bytes),
            Big => u32::from_be_bytes(bytes),
        })
    }

    #[test]
    fn branches_reach_32_mib_and_no_farther() {
        for endianness in [Little, Big] {
            let bl = 0x4800_0001;
            assert_eq!(apply(REL24, bl, (0x1008, 0, 0x1000), endianness), Some(0x4800_0009));
            assert_eq!(apply(REL24, bl, (0x1000, 0, 0x1004), endianness), Some(0x4bff_fffd));
            let far = 0x1000_0000;
            assert_eq!(apply(REL24, bl, (far + (1 << 25) - 4, 0, far), endianness), Some(0x49ff_fffd));
            assert_eq!(apply(REL24, bl, (far + (1 << 25), 0, far), endianness), None);
            assert_eq!(apply(REL24, bl, (0x1002, 0, 0x1000), endianness), None, "not a multiple of four");
        }
    }

    #[test]
    fn high_and_low_halves_add_up() {
        for endianness in [Little, Big] {
            let high = apply(TOC16_HA, 0x3c62_0000, (0x3_0000, 0, 0), endianness);
            assert_eq!(high, Some(0x3c62_0002), "0x18000 is 2 * 65536 - 0x8000");
            assert_eq!(apply(TOC16_LO, 0x3863_0000, (0x3_0000, 0, 0), endianness), Some(0x3863_8000));
            assert_eq!(apply(TOC16_LO_DS, 0xe863_0000, (0x1_8008, 0, 0), endianness), Some(0xe863_0008));
            assert_eq!(apply(TOC16_LO_DS, 0xe863_0000, (0x1_8002, 0, 0), endianness), None);
            assert_eq!(apply(TOC16_HA, 0, (0x8000_0000, 0, 0), endianness), Some(0x7fff));
            assert_eq!(apply(TOC16_HA, 0, (0x8001_0000, 0, 0), endianness), None);
            assert_eq!(apply(REL16_HA, 0x3c4c_0000, (0x2_0000, 4, 0x1_0004), endianness), Some(0x3c4c_0001));
        }
    }

    #[test]
    fn an_address_has_four_quarters() {
        let quarters =
            [(ADDR16_HIGHEST, 0x0123), (ADDR16_HIGHER, 0x4567), (ADDR16_HIGH, 0x89ab), (ADDR16_LO, 0xcdef)];
        for (kind, quarter) in quarters {
            assert_eq!(apply(kind, 0, (0x0123_4567_89ab_cdef, 0, 0), Big), Some(quarter));
        }
    }

    #[test]
    fn distances_from_the_thread_pointer_have_signs() {
        for endianness in [Little, Big] {
            // What the linker takes for the symbol is the distance itself.
            let at = (0x10u64.wrapping_sub(0x7000), 4, 0);
            assert_eq!(apply(TPREL16_HA, 0x3c6d_0000, at, endianness), Some(0x3c6d_0000));
            assert_eq!(apply(TPREL16_LO, 0x3863_0000, at, endianness), Some(0x3863_9014));
            let at = (0x1_8000, 0, 0);
            assert_eq!(apply(TPREL16_HA, 0x3c6d_0000, at, endianness), Some(0x3c6d_0002));
            assert_eq!(apply(TPREL16_LO, 0x3863_0000, at, endianness), Some(0x3863_8000));
            assert_eq!(apply(TPREL16_HA, 0, (0x7fff_8000, 0, 0), endianness), None);
            assert_eq!(apply(GOT_TLSGD16_HA, 0x3c62_0000, (0x3_0000, 0, 0), endianness), Some(0x3c62_0002));
            assert_eq!(apply(GOT_TLSGD16_LO, 0x3863_0000, (0x3_0000, 0, 0), endianness), Some(0x3863_8000));
        }
    }

    #[test]
    fn prefixed_instructions_have_34_bits_of_distance() {
        for endianness in [Little, Big] {
            // plwz r3, 0(0), 1
            let words = [0x0610_0000u32, 0x8060_0000];
            let bytes = |words: [u32; 2]| match endianness {
                Little => words.map(u32::to_le_bytes).concat(),
                Big => words.map(u32::to_be_bytes).concat(),
            };
            let applied = |symbol: u64| {
                let mut place = bytes(words);
                let values = RelocValues { symbol, addend: 0, place: 0x1_0000_0000, toc: 0, endianness };
                (PCREL34.0.apply)(&mut place, values).then_some(place)
            };
            assert_eq!(applied(0x1_1234_5678), Some(bytes([0x0610_1234, 0x8060_5678])));
            assert_eq!(applied(0xffff_fffc), Some(bytes([0x0613_ffff, 0x8060_fffc])));
            assert_eq!((applied(0x3_0000_0000), applied(0x3_0000_0000 - 1).is_some()), (None, true));
        }
    }

    #[test]
    fn words_hold_32_bits_of_either_sign_and_doublewords_64() {
        assert_eq!(apply(ADDR32, 0, (0xffff_fffc, 3, 0), Big), Some(0xffff_ffff));
        assert_eq!(apply(ADDR32, 0, (0xffff_fffc, 4, 0), Big), None);
        assert_eq!(apply(REL32, 0, (0x1000, 0, 0x2000), Little), Some(0xffff_f000));
        let mut place = [0; 8];
        let values = RelocValues { symbol: 1, addend: -3, place: 0, toc: 0, endianness: Big };
        assert!((ADDR64.0.apply)(&mut place, values));
        assert_eq!(place, (-2i64).to_be_bytes());
    }
}
