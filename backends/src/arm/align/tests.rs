use super::super::insts::table;
use super::*;
use windlass_rules::spec::Effect;

/// Bytes of an access by its mnemonic, an opinion independent of the encoding.
fn bytes_by_name(asm: &str) -> u32 {
    let mnemonic = asm.split(['{', ' ', '.']).next().unwrap_or("");
    match mnemonic {
        "ldr" | "str" | "ldrex" | "strex" => 4,
        "ldrh" | "strh" | "ldrsh" | "ldrexh" | "strexh" => 2,
        "ldrb" | "strb" | "ldrsb" | "ldrexb" | "strexb" => 1,
        "ldrd" | "strd" | "ldrexd" | "strexd" => 8,
        _ if mnemonic.starts_with("ldm") || mnemonic.starts_with("stm") => 4,
        "push" | "pop" | "vldr" | "vstr" | "vldmia" | "vstmia" | "vpush" | "vpop" | "vldmdb" | "vstmdb" => 4,
        other => panic!("what does {other} access?"),
    }
}

#[test]
fn every_row_that_accesses_memory_is_recognized() {
    let mut accesses = 0;
    for row in table().insts {
        let found = Access::of(row.bits as u32);
        // A jump through memory is a load that the table calls a branch.
        let is_access = matches!(row.effect, Effect::Load | Effect::Store) || row.name == "LdrPcLit";
        if !is_access {
            assert_eq!(found, None, "{} is no access", row.name);
            continue;
        }
        accesses += 1;
        let bytes = bytes_by_name(&row.asm);
        let checked = bytes > 1 && !row.name.starts_with("Strex");
        assert_eq!(found.is_some(), checked, "{}", row.name);
        if let Some(access) = found {
            assert_eq!(access.alignment(Features::NONE, true), bytes, "{} before ARMv6", row.name);
            let relaxed = access.alignment(Features::V6, false);
            let plain = ["Ldr", "Str", "Ldrh", "Strh", "Ldrsh"];
            let is_plain = plain.iter().any(|name| {
                row.name.strip_prefix(name).is_some_and(|rest| {
                    ["Imm", "Reg", "Shift", "Lit", "Pc"].iter().any(|form| rest.starts_with(form))
                })
            });
            let is_exclusive = row.name.starts_with("Ldrex");
            let expected = if is_plain || row.name.starts_with("PushOne") || row.name.starts_with("PopOne") {
                1
            } else if is_exclusive {
                bytes
            } else {
                4
            };
            assert_eq!(relaxed, expected, "{} from ARMv6 on", row.name);
        }
    }
    assert!(accesses > 100, "{accesses}");
}

#[test]
fn addresses_are_read_off_the_word() {
    let always = |base, offset, kind| Some(Access { cond: None, base, offset, kind });
    // ldr r1, [r2, #-3]
    assert_eq!(Access::of(0xe512_1003), always(2, Offset::Const(-3), Kind::Word));
    // ldr r1, [r2], #4
    assert_eq!(Access::of(0xe492_1004), always(2, Offset::Const(0), Kind::Word));
    // ldrh r1, [r2, #0x23]
    assert_eq!(Access::of(0xe1d2_12b3), always(2, Offset::Const(0x23), Kind::Half));
    // str r1, [r2, -r3, lsr #2]
    let shift = ShiftImm::new(ShiftKind::Lsr, 2);
    assert_eq!(Access::of(0xe702_1123), always(2, Offset::Reg { index: 3, shift, minus: true }, Kind::Word));
    // ldrdeq r4, r5, [r6, r7]
    let offset = Offset::Reg { index: 7, shift: None, minus: false };
    assert_eq!(
        Access::of(0x0186_40d7),
        Some(Access { cond: Some(Cond::Eq), base: 6, offset, kind: Kind::Pair })
    );
    // mul, umull, pld, vmov d0, r0, r1, uxtb, ldrb: none of them
    for word in [0xe001_0293, 0xe081_0392, 0xf5d1_f000, 0xec41_0b10, 0xe6ef_0070, 0xe5d1_0000] {
        assert_eq!(Access::of(word), None, "{word:#x}");
    }
}
