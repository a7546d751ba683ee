//! Every immediate type over every value of its field.

use super::*;
use alloc::string::ToString;

#[test]
fn modified_immediates_are_rotated_bytes_and_nothing_else() {
    for imm8 in 0..=255u32 {
        for rot in 0..16 {
            let value = imm8.rotate_right(2 * rot);
            assert_eq!(ArmImm::encode(value).map(ArmImm::value), Some(value));
        }
    }
    for value in [0x101, 0x1fe, 0xffff_fffe, 0x0001_0002, u32::MAX, 0x7f_8000 + 1] {
        assert_eq!(ArmImm::encode(value), None, "{value:#x}");
    }
    assert!(ArmImm::encode(0x1fe << 1).is_some() && ArmImm::encode(0xf000_000f).is_some());
}

#[test]
fn every_valid_field_round_trips() {
    fn check<T: Immediate + PartialEq + fmt::Debug>(width: u32) -> usize {
        let valid = (0..1u32 << width).filter(|&bits| {
            let value = T::from_bits(bits);
            assert!(value.is_none_or(|v| v.to_bits() == bits), "{value:?} of {bits:#x}");
            value.is_some()
        });
        valid.count()
    }
    assert_eq!(check::<Amt1To31>(5), 31);
    assert_eq!(check::<Amt1To32>(5), 32);
    assert_eq!(check::<SignedSat>(5), 32);
    assert_eq!(check::<UnsignedSat>(5), 32);
    assert_eq!(check::<Imm16>(16), 1 << 16);
    assert_eq!(check::<TrapCode16>(16), 1 << 16);
    assert_eq!(check::<Cond>(4), 14);
    assert_eq!(check::<Offset12>(13), 2 * 4096 - 1);
    assert_eq!(check::<WordOffset>(11), 2 * 1024 - 1);
    assert!(check::<AdrImm>(12) < check::<ArmImm>(12));
    assert_eq!(check::<Offset8>(9), 2 * 256 - 1);
    assert_eq!(check::<VfpOffset>(9), 2 * 256 - 1);
    assert_eq!(check::<ShiftImm>(7), 31 + 32 + 32 + 31);
    assert_eq!(check::<Rotation>(2), 3);
    assert_eq!(check::<ExtractRange>(10), 32 * 33 / 2);
    assert_eq!(check::<InsertRange>(10), 32 * 33 / 2);
    assert_eq!(check::<RegList>(16), (1 << 16) - 1);
    assert_eq!(check::<PushList>(16), (1 << 15) - 16);
    assert_eq!(check::<SRegList>(13), 32 * 33 / 2);
    assert_eq!(check::<DRegList>(13), 32 * 33 / 2 - 16 * 17 / 2);
    assert_eq!(check::<VfpImm>(8), 256);
    assert_eq!(check::<Barrier>(4), 4);
    assert!(check::<ArmImm>(12) < 4096);
    assert_eq!(check::<BranchOffset>(24), 1 << 24);
}

#[test]
fn out_of_range_values_are_refused() {
    assert_eq!(Offset12::new(4096), None);
    assert_eq!(Offset12::new(-4096), None);
    assert_eq!(VfpOffset::new(1018), None);
    assert_eq!(VfpOffset::new(1024), None);
    assert_eq!(BranchOffset::new((1 << 25) + 8), None);
    assert!(BranchOffset::new((1 << 25) + 4).is_some());
    assert!(BranchOffset::new(-(1 << 25) + 8).is_some());
    assert_eq!(BranchOffset::new(i32::MIN), None);
    assert_eq!(BranchOffset::new(6), None);
    assert_eq!(ShiftImm::new(ShiftKind::Ror, 32), None);
    assert_eq!(ShiftImm::new(ShiftKind::Lsl, 0), None);
    assert_eq!(ExtractRange::new(31, 2), None);
    assert_eq!(InsertRange::new(u32::MAX, 1), None);
    assert_eq!(Imm24::new(1 << 24), None);
}

#[test]
fn float_constants_agree_in_both_precisions() {
    for bits in 0..256 {
        let imm = VfpImm::from_bits(bits).unwrap();
        let single = f32::from_bits(imm.f32_bits());
        assert_eq!(f64::from(single), f64::from_bits(imm.f64_bits()));
        assert_eq!(VfpImm::from_f64_bits(imm.f64_bits()), Some(imm));
        assert_eq!(VfpImm::from_f32_bits(imm.f32_bits()), Some(imm));
        assert!((0.125..=31.0).contains(&single.abs()));
    }
    for value in [0.0f64, -0.0, 0.1, 32.0, 1.0 + f64::EPSILON, f64::NAN, f64::INFINITY] {
        assert_eq!(VfpImm::from_f64_bits(value.to_bits()), None, "{value}");
        assert_eq!(VfpImm::from_f32_bits((value as f32 * 0.0 + 0.1).to_bits()), None);
    }
}

#[test]
fn conditions_invert_and_swap_to_themselves() {
    for c in (0..14).filter_map(Cond::from_bits) {
        assert_eq!(c.invert().invert(), c);
        assert_ne!(c.invert(), c);
        if let Some(swapped) = c.swap_operands() {
            assert_eq!(swapped.swap_operands(), Some(c));
        }
    }
    assert_eq!(Cond::Gt.invert(), Cond::Le);
    assert_eq!(Cond::Hs.swap_operands(), Some(Cond::Ls));
}

#[test]
fn lists_print_ranges() {
    assert_eq!(RegList::new(0x40f1).unwrap().to_string(), "{r0, r4-r7, lr}");
    assert_eq!(RegList::new(0xf800).unwrap().to_string(), "{r11, ip, sp, lr, pc}");
    assert_eq!(RegList::new(0x0003).unwrap().to_string(), "{r0, r1}");
    assert_eq!(DRegList::new(8, 8).unwrap().to_string(), "{d8-d15}");
    assert_eq!(SRegList::new(31, 1).unwrap().to_string(), "{s31}");
    assert_eq!(DRegList::new(30, 3), None);
}
