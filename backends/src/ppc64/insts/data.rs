//! Fixed-point arithmetic, logic, rotation and comparison; condition register
//! logic.

use super::*;

const SI: Operand = imm("si", "Simm16", &[bits(16, 31)]);
const UI: Operand = imm("ui", "Uimm16", &[bits(16, 31)]);

/// Immediate arithmetic of the D form (3.3.9).
#[rustfmt::skip] // One instruction a line.
fn immediate() -> Vec<InstDef> {
    // `addpcis`: the number in three pieces, least significant first.
    const D: Operand = imm("d", "Simm16", &[bits(31, 31), bits(11, 15), bits(16, 25)]);
    let cr0 = reg("cr0", CR, Access::FixedDef(CR0), &[]);
    vec![
        inst("Addi", po(14), &[RT, RA0, SI], "addi {rt}, {ra}, {si}", "3.3.9"),
        inst("Li", po(14), &[RT, SI], "li {rt}, {si}", "3.3.9"),
        inst("Addis", po(15), &[RT, RA0, SI], "addis {rt}, {ra}, {si}", "3.3.9"),
        inst("Lis", po(15), &[RT, SI], "lis {rt}, {si}", "3.3.9"),
        inst("Addic", po(12), &[RT, RA, SI], "addic {rt}, {ra}, {si}", "3.3.9").sets("ca"),
        inst("AddicRc", po(13), &[RT, cr0, RA, SI], "addic. {rt}, {ra}, {si}", "3.3.9").sets("ca"),
        inst("Subfic", po(8), &[RT, RA, SI], "subfic {rt}, {ra}, {si}", "3.3.9").sets("ca"),
        inst("Mulli", po(7), &[RT, RA, SI], "mulli {rt}, {ra}, {si}", "3.3.9"),
        inst("Addpcis", po(19) | xo(2), &[RT, D], "addpcis {rt}, {d}", "3.3.9").needs("power9"),
        inst("Ori", po(24), &[RA_DEF, RS, UI], "ori {ra}, {rs}, {ui}", "3.3.13"),
        inst("Oris", po(25), &[RA_DEF, RS, UI], "oris {ra}, {rs}, {ui}", "3.3.13"),
        inst("Xori", po(26), &[RA_DEF, RS, UI], "xori {ra}, {rs}, {ui}", "3.3.13"),
        inst("Xoris", po(27), &[RA_DEF, RS, UI], "xoris {ra}, {rs}, {ui}", "3.3.13"),
        // These have a record form only.
        inst("AndiRc", po(28), &[RA_DEF, cr0, RS, UI], "andi. {ra}, {rs}, {ui}", "3.3.13"),
        inst("AndisRc", po(29), &[RA_DEF, cr0, RS, UI], "andis. {ra}, {rs}, {ui}", "3.3.13"),
    ]
}

/// Arithmetic of registers, XO form (3.3.9), with record forms.
fn arithmetic() -> Vec<InstDef> {
    let lower = |name: &str| name.to_ascii_lowercase();
    let three = |name: &str, op: u32| {
        inst(name, po(31) | xo(op), &[RT, RA, RB], format!("{} {{rt}}, {{ra}}, {{rb}}", lower(name)), "3.3.9")
    };
    let two = |name: &str, op: u32| {
        inst(name, po(31) | xo(op), &[RT, RA], format!("{} {{rt}}, {{ra}}", lower(name)), "3.3.9")
    };
    let mut rows: Vec<InstDef> = [
        three("Add", 266),
        // rb - ra
        three("Subf", 40),
        three("Addc", 10).sets("ca"),
        three("Subfc", 8).sets("ca"),
        three("Adde", 138).reads("ca").sets("ca"),
        three("Subfe", 136).reads("ca").sets("ca"),
        two("Addme", 234).reads("ca").sets("ca"),
        two("Subfme", 232).reads("ca").sets("ca"),
        two("Addze", 202).reads("ca").sets("ca"),
        two("Subfze", 200).reads("ca").sets("ca"),
        two("Neg", 104),
        three("Mullw", 235),
        three("Mulhw", 75),
        three("Mulhwu", 11),
        three("Mulld", 233),
        three("Mulhd", 73),
        three("Mulhdu", 9),
        // By zero, and the least number by -1, they give something undefined.
        three("Divw", 491),
        three("Divwu", 459),
        three("Divd", 489),
        three("Divdu", 457),
        // The dividend is shifted left by the register's width.
        three("Divwe", 427).needs("power7"),
        three("Divweu", 395).needs("power7"),
        three("Divde", 425).needs("power7"),
        three("Divdeu", 393).needs("power7"),
    ]
    .into_iter()
    .flat_map(with_rc)
    .collect();
    rows.extend(
        [three("Modsw", 779), three("Moduw", 267), three("Modsd", 777), three("Modud", 265)]
            .map(|row| row.needs("power9")),
    );
    // ra * rb + rc: low or high doubleword.
    for (name, op) in [("Maddhd", 48), ("Maddhdu", 49), ("Maddld", 51)] {
        let asm = format!("{} {{rt}}, {{ra}}, {{rb}}, {{rc}}", lower(name));
        rows.push(inst(name, po(4) | op, &[RT, RA, RB, uses("rc", B21)], asm, "3.3.9").needs("power9"));
    }
    rows
}

/// Comparisons, and what makes integers of their results.
#[rustfmt::skip] // One instruction a line.
fn comparisons() -> Vec<InstDef> {
    const L: u32 = 1 << 21;
    const BFA: Operand = reg("bfa", CR, Access::Use, &[bits(11, 13)]);
    const BC: Operand = reg("bc", CR, Access::Use, &[bits(21, 23)]);
    const BC_BIT: Operand = imm("bit", "CrBit", &[bits(24, 25)]);
    let mut rows = vec![
        inst("Cmpw", po(31), &[BF, RA, RB], "cmpw {bf}, {ra}, {rb}", "3.3.10"),
        inst("Cmpd", po(31) | L, &[BF, RA, RB], "cmpd {bf}, {ra}, {rb}", "3.3.10"),
        inst("Cmplw", po(31) | xo(32), &[BF, RA, RB], "cmplw {bf}, {ra}, {rb}", "3.3.10"),
        inst("Cmpld", po(31) | L | xo(32), &[BF, RA, RB], "cmpld {bf}, {ra}, {rb}", "3.3.10"),
        inst("Cmpwi", po(11), &[BF, RA, SI], "cmpwi {bf}, {ra}, {si}", "3.3.10"),
        inst("Cmpdi", po(11) | L, &[BF, RA, SI], "cmpdi {bf}, {ra}, {si}", "3.3.10"),
        inst("Cmplwi", po(10), &[BF, RA, UI], "cmplwi {bf}, {ra}, {ui}", "3.3.10"),
        inst("Cmpldi", po(10) | L, &[BF, RA, UI], "cmpldi {bf}, {ra}, {ui}", "3.3.10"),
        inst("Setb", po(31) | xo(128), &[RT, BFA], "setb {rt}, {bfa}", "3.3.10").needs("power9"),
    ];
    // ra if the bit is set, else rb.
    rows.extend(with_zero_base(
        inst("Isel", po(31) | xo(15), &[RT, RA0, RB, BC, BC_BIT], "isel {rt}, {ra}, {rb}, 4*{bc}+{bit}", "3.3.12").needs("isel"),
    ));
    // 1 or -1 if the bit is set (or not: `r`), else 0.
    for (name, op) in [("Setbc", 384), ("Setbcr", 416), ("Setnbc", 448), ("Setnbcr", 480)] {
        let asm = format!("{} {{rt}}, 4*{{bi}}+{{bit}}", name.to_ascii_lowercase());
        rows.push(inst(name, po(31) | xo(op), &[RT, BI, BIT], asm, "3.3.12").needs("power10"));
    }
    rows
}

/// Logic of registers, counting, reversal (3.3.13), X form.
fn logic() -> Vec<InstDef> {
    let lower = |name: &str| name.to_ascii_lowercase();
    let three = |name: &str, op: u32| {
        inst(
            name,
            po(31) | xo(op),
            &[RA_DEF, RS, RB],
            format!("{} {{ra}}, {{rs}}, {{rb}}", lower(name)),
            "3.3.13",
        )
    };
    let two = |name: &str, op: u32| {
        inst(name, po(31) | xo(op), &[RA_DEF, RS], format!("{} {{ra}}, {{rs}}", lower(name)), "3.3.13")
    };
    let mut rows: Vec<InstDef> = [
        three("And", 28),
        three("Or", 444),
        three("Xor", 316),
        three("Nand", 476),
        three("Nor", 124),
        three("Eqv", 284),
        three("Andc", 60),
        three("Orc", 412),
        two("Extsb", 954),
        two("Extsh", 922),
        two("Extsw", 986),
        two("Cntlzw", 26),
        two("Cntlzd", 58),
        two("Cnttzw", 538).needs("power9"),
        two("Cnttzd", 570).needs("power9"),
        // Shifts by a register: the amount has one bit more than the width needs.
        three("Slw", 24),
        three("Srw", 536),
        three("Sraw", 792).sets("ca"),
        three("Sld", 27),
        three("Srd", 539),
        three("Srad", 794).sets("ca"),
    ]
    .into_iter()
    .flat_map(with_rc)
    .collect();
    rows.extend([
        two("Popcntb", 122).needs("popcntb"),
        three("Cmpb", 508).needs("power6"),
        two("Prtyw", 154).needs("power6"),
        two("Prtyd", 186).needs("power6"),
        two("Popcntw", 378).needs("power7"),
        two("Popcntd", 506).needs("power7"),
        three("Bpermd", 252).needs("power7"),
        two("Brh", 219).needs("power10"),
        two("Brw", 155).needs("power10"),
        two("Brd", 187).needs("power10"),
        three("Cntlzdm", 59).needs("power10"),
        three("Cnttzdm", 571).needs("power10"),
        three("Pdepd", 156).needs("power10"),
        three("Pextd", 188).needs("power10"),
        three("Cfuged", 220).needs("power10"),
    ]);
    rows
}

/// Rotations under a mask, and shifts by a constant (3.3.14).
#[rustfmt::skip] // One instruction a line.
fn rotations() -> Vec<InstDef> {
    const SH: Operand = imm("sh", "Uimm5", B16);
    const MB: Operand = imm("mb", "Uimm5", B21);
    const ME: Operand = imm("me", "Uimm5", &[bits(26, 30)]);
    // Six bits, the most significant of which stands apart.
    const SH6: Operand = imm("sh", "Uimm6", &[bits(16, 20), bits(30, 30)]);
    const MB6: Operand = imm("mb", "Uimm6", &[bits(21, 25), bits(26, 26)]);
    const ME6: Operand = imm("me", "Uimm6", &[bits(21, 25), bits(26, 26)]);
    const RA_TIED: Operand = RA_DEF.with_access(Access::Tied);
    let rows = [
        recording("Rlwimi", po(20), &[RA_TIED, RS, SH, MB, ME], "rlwimi {ra}, {rs}, {sh}, {mb}, {me}", "3.3.14"),
        recording("Rlwinm", po(21), &[RA_DEF, RS, SH, MB, ME], "rlwinm {ra}, {rs}, {sh}, {mb}, {me}", "3.3.14"),
        recording("Rlwnm", po(23), &[RA_DEF, RS, RB, MB, ME], "rlwnm {ra}, {rs}, {rb}, {mb}, {me}", "3.3.14"),
        recording("Rldicl", po(30), &[RA_DEF, RS, SH6, MB6], "rldicl {ra}, {rs}, {sh}, {mb}", "3.3.14"),
        recording("Rldicr", po(30) | 1 << 2, &[RA_DEF, RS, SH6, ME6], "rldicr {ra}, {rs}, {sh}, {me}", "3.3.14"),
        recording("Rldic", po(30) | 2 << 2, &[RA_DEF, RS, SH6, MB6], "rldic {ra}, {rs}, {sh}, {mb}", "3.3.14"),
        recording("Rldimi", po(30) | 3 << 2, &[RA_TIED, RS, SH6, MB6], "rldimi {ra}, {rs}, {sh}, {mb}", "3.3.14"),
        recording("Rldcl", po(30) | 8 << 1, &[RA_DEF, RS, RB, MB6], "rldcl {ra}, {rs}, {rb}, {mb}", "3.3.14"),
        recording("Rldcr", po(30) | 9 << 1, &[RA_DEF, RS, RB, ME6], "rldcr {ra}, {rs}, {rb}, {me}", "3.3.14"),
        with_rc(inst("Srawi", po(31) | xo(824), &[RA_DEF, RS, SH], "srawi {ra}, {rs}, {sh}", "3.3.14").sets("ca")),
        with_rc(inst("Sradi", po(31) | 413 << 2, &[RA_DEF, RS, SH6], "sradi {ra}, {rs}, {sh}", "3.3.14").sets("ca")),
        with_rc(inst("Extswsli", po(31) | 445 << 2, &[RA_DEF, RS, SH6], "extswsli {ra}, {rs}, {sh}", "3.3.14").needs("power9")),
    ];
    rows.concat()
}

/// Condition register logic (2.5): one bit of a field becomes a function of
/// two; the field's other bits stay.
fn condition_logic() -> Vec<InstDef> {
    const OPERANDS: &[Operand] = &[
        reg("bt", CR, Access::Tied, &[bits(6, 8)]),
        imm("to", "CrBit", &[bits(9, 10)]),
        reg("ba", CR, Access::Use, &[bits(11, 13)]),
        imm("a", "CrBit", &[bits(14, 15)]),
        reg("bb", CR, Access::Use, &[bits(16, 18)]),
        imm("b", "CrBit", &[bits(19, 20)]),
    ];
    let rows = [
        ("Crand", 257),
        ("Crnand", 225),
        ("Cror", 449),
        ("Crxor", 193),
        ("Crnor", 33),
        ("Creqv", 289),
        ("Crandc", 129),
        ("Crorc", 417),
    ];
    let mut rows: Vec<InstDef> = rows
        .into_iter()
        .map(|(name, op)| {
            let asm =
                format!("{} 4*{{bt}}+{{to}}, 4*{{ba}}+{{a}}, 4*{{bb}}+{{b}}", name.to_ascii_lowercase());
            inst(name, po(19) | xo(op), OPERANDS, asm, "2.5")
        })
        .collect();
    const BFA: Operand = reg("bfa", CR, Access::Use, &[bits(11, 13)]);
    rows.push(inst("Mcrf", po(19), &[BF, BFA], "mcrf {bf}, {bfa}", "2.5"));
    rows
}

/// The rows of this file.
pub(super) fn rows() -> Vec<InstDef> {
    let mut rows = immediate();
    rows.extend(arithmetic());
    rows.extend(comparisons());
    rows.extend(logic());
    rows.extend(rotations());
    rows.extend(condition_logic());
    rows
}
