//! Places in the code that depend on labels, in both byte orders.

use super::emit::{R0, R12, w};
use super::imm::{BranchOffset, Simm16};
use super::minst::{INST_BYTES, Inst, word_bytes};
use crate::machinst::buffer::{FixupKind, IslandInfo, VeneerKind};
use alloc::vec::Vec;
use windlass_ir::Endianness;

/// The kinds of one byte order.
pub struct Fixups {
    /// B: 24 bits of distance in words.
    pub branch: &'static FixupKind,
    /// BC: 14 bits of distance in words.
    pub cond_branch: &'static FixupKind,
    /// A word that holds a distance: its value before is added.
    pub distance: &'static FixupKind,
    /// How to jump over an island.
    pub island: &'static IslandInfo,
}

/// The kinds of a byte order.
pub fn of(order: Endianness) -> &'static Fixups {
    match order {
        Endianness::Big => &BIG,
        Endianness::Little => &LITTLE,
    }
}

/// A word's bytes.
pub fn word(word: u32, order: Endianness) -> [u8; 4] {
    match order {
        Endianness::Big => word.to_be_bytes(),
        Endianness::Little => word.to_le_bytes(),
    }
}

const fn order(big: bool) -> Endianness {
    if big { Endianness::Big } else { Endianness::Little }
}

/// Replaces a word of the code by `new` of it.
fn patch<const BIG: bool>(code: &mut [u8], place: u32, new: impl FnOnce(u32) -> u32) {
    let at = place as usize;
    if let Some(bytes) = code.get_mut(at..at + 4).and_then(|bytes| bytes.first_chunk_mut::<4>()) {
        let old = if BIG { u32::from_be_bytes(*bytes) } else { u32::from_le_bytes(*bytes) };
        *bytes = word(new(old), order(BIG));
    }
}

fn branch<const BIG: bool>(code: &mut [u8], place: u32, target: u32) {
    let distance = target.wrapping_sub(place);
    patch::<BIG>(code, place, |word| word & !0x03ff_fffc | distance & 0x03ff_fffc);
}

fn cond_branch<const BIG: bool>(code: &mut [u8], place: u32, target: u32) {
    let distance = target.wrapping_sub(place);
    patch::<BIG>(code, place, |word| word & !0xfffc | distance & 0xfffc);
}

fn distance<const BIG: bool>(code: &mut [u8], place: u32, target: u32) {
    patch::<BIG>(code, place, |word| word.wrapping_add(target).wrapping_sub(place));
}

/// Bytes from where `bcl` leaves the address to the ADDIS and ADDI that add to it.
const FAR_AHEAD: u32 = 8;

/// ADDIS and ADDI with a distance from `FAR_AHEAD` before them.
fn far<const BIG: bool>(code: &mut [u8], place: u32, target: u32) {
    let distance = target.wrapping_sub(place - FAR_AHEAD);
    let high = distance.wrapping_add(0x8000) >> 16;
    patch::<BIG>(code, place, |word| word & !0xffff | high);
    patch::<BIG>(code, place + INST_BYTES, |word| word & !0xffff | distance & 0xffff);
}

/// For instructions without register operands, or with fixed ones: they cannot fail.
fn push<const BIG: bool>(code: &mut Vec<u8>, inst: &Inst) {
    let word = inst.encode();
    debug_assert!(word.is_ok(), "{inst} does not encode");
    let (bytes, size) = word_bytes(word.unwrap_or(0), inst.size(), order(BIG));
    code.extend_from_slice(&bytes[..size]);
}

/// ```text
///     mflr r0 ; bcl 20, 31, .+4 ; mflr r12 ; mtlr r0
///     addis r12, r12, high ; addi r12, r12, low ; mtctr r12 ; bctr
/// ```
fn emit_far<const BIG: bool>(code: &mut Vec<u8>) -> u32 {
    push::<BIG>(code, &Inst::Mflr { rt: w(R0) });
    push::<BIG>(code, &Inst::BclNext);
    push::<BIG>(code, &Inst::Mflr { rt: w(R12) });
    push::<BIG>(code, &Inst::Mtlr { rs: R0 });
    let place = code.len() as u32;
    push::<BIG>(code, &Inst::Addis { rt: w(R12), ra: R12, si: Simm16::ZERO });
    push::<BIG>(code, &Inst::Addi { rt: w(R12), ra: R12, si: Simm16::ZERO });
    push::<BIG>(code, &Inst::Mtctr { rs: R12 });
    push::<BIG>(code, &Inst::Bctr);
    place
}

/// Bytes of the far jump.
const FAR_BYTES: u32 = 32;

/// `b target`
fn emit_branch<const BIG: bool>(code: &mut Vec<u8>) -> u32 {
    let place = code.len() as u32;
    push::<BIG>(code, &Inst::B { target: BranchOffset::ZERO });
    place
}

/// The statics of a byte order.
macro_rules! fixups {
    ($name:ident, $big:literal) => {
        static $name: Fixups = {
            static BRANCH: FixupKind = FixupKind {
                name: "branch",
                max_forward: (1 << 25) - 4,
                max_backward: 1 << 25,
                patch: branch::<$big>,
                veneer: Some(&FAR_JUMP),
            };
            static COND_BRANCH: FixupKind = FixupKind {
                name: "conditional branch",
                max_forward: (1 << 15) - 4,
                max_backward: 1 << 15,
                patch: cond_branch::<$big>,
                veneer: Some(&JUMP),
            };
            static DISTANCE: FixupKind = FixupKind {
                name: "distance",
                max_forward: u32::MAX,
                max_backward: u32::MAX,
                patch: distance::<$big>,
                veneer: None,
            };
            static FAR: FixupKind = FixupKind {
                name: "far jump",
                max_forward: u32::MAX,
                max_backward: u32::MAX,
                patch: far::<$big>,
                veneer: None,
            };
            static JUMP: VeneerKind = VeneerKind {
                size_bytes: INST_BYTES,
                emit: |code| (emit_branch::<$big>(code), &BRANCH),
                data_bytes: 0,
            };
            static FAR_JUMP: VeneerKind = VeneerKind {
                size_bytes: FAR_BYTES,
                emit: |code| (emit_far::<$big>(code), &FAR),
                data_bytes: 0,
            };
            static ISLAND: IslandInfo = IslandInfo {
                jump_bytes: INST_BYTES,
                emit_jump: |code| (emit_branch::<$big>(code), &BRANCH),
                max_veneer_bytes: FAR_BYTES,
            };
            Fixups { branch: &BRANCH, cond_branch: &COND_BRANCH, distance: &DISTANCE, island: &ISLAND }
        };
    };
}

fixups!(BIG, true);
fixups!(LITTLE, false);

#[cfg(test)]
mod tests {
    use super::*;
    use crate::machinst::encode::Immediate;
    use crate::ppc64::imm::CondBranchOffset;

    #[test]
    fn distances_go_into_their_fields() {
        let mut code = Vec::new();
        let place = emit_branch::<true>(&mut code);
        branch::<true>(&mut code, place, 0x100);
        assert_eq!(code, 0x4800_0100u32.to_be_bytes());
        let bits = CondBranchOffset::new(-8).map(Immediate::to_bits).unwrap_or(0) << 2;
        let mut code = 0x4082_0000u32.to_le_bytes();
        let mut padded = [[0; 8].as_slice(), &code].concat();
        cond_branch::<false>(&mut padded, 8, 0);
        code = [padded[8], padded[9], padded[10], padded[11]];
        assert_eq!(u32::from_le_bytes(code), 0x4082_0000 | bits);
    }

    #[test]
    fn far_jumps_add_to_where_they_are() {
        let mut code = Vec::new();
        let place = emit_far::<true>(&mut code);
        assert_eq!((place, code.len() as u32), (16, FAR_BYTES));
        // The address is that of the third instruction.
        far::<true>(&mut code, place, 8 + 0x1_8000);
        assert_eq!(&code[18..20], &2u16.to_be_bytes());
        assert_eq!(&code[22..24], &0x8000u16.to_be_bytes());
    }
}
