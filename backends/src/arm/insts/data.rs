//! Data processing, multiplication, division, bits, packed data.

use super::*;

/// Opcode field of the data-processing instructions (A5.2.1).
const fn op(n: u32) -> u32 {
    n << 21
}
/// Immediate form, bit 25.
const I: u32 = 1 << 25;
/// Set the flags, bit 20.
const S: u32 = 1 << 20;

const CONST: Operand = imm("imm", "ArmImm", &[field(0, 12)]);
/// Shift of `rm` by a constant: type and imm5 together.
const SHIFT: Operand = imm("shift", "ShiftImm", &[field(5, 7)]);
const SHIFT_KIND: Operand = imm("shift", "ShiftKind", &[field(5, 2)]);

/// Register operands where PC may stand.
const RN: Operand = any("rn", Access::Use, AT16);
const RM: Operand = any("rm", Access::Use, AT0);

/// The four forms of the second operand ("shifter operand", A5.2): constant,
/// register, register shifted by a constant, by a register. `first` are the
/// operands before it. The last form takes no PC anywhere.
fn shifter_forms(
    name: &str,
    bits: u32,
    first: &[Operand],
    asm: &str,
    section: [&'static str; 3],
) -> [InstDef; 4] {
    let sep = if first.is_empty() { "" } else { ", " };
    let head: String = first.iter().map(|o| format!("{{{}}}", o.name)).collect::<Vec<_>>().join(", ");
    let text = |second: &str| format!("{asm} {head}{sep}{second}");
    let with = |second: &[Operand]| [first, second].concat();
    let no_pc: Vec<_> =
        with(&[uses("rm", AT0), SHIFT_KIND, uses("rs", AT8)]).into_iter().map(|o| o.except(PC)).collect();
    [
        inst(name, bits, &with(&[RM]), text("{rm}"), section[1]),
        inst(format!("{name}Imm"), bits | I, &with(&[CONST]), text("{imm}"), section[0]),
        inst(format!("{name}Shift"), bits, &with(&[RM, SHIFT]), text("{rm}, {shift}"), section[1]),
        inst(format!("{name}ShiftReg"), bits | 1 << 4, &no_pc, text("{rm}, {shift} {rs}"), section[2]),
    ]
}

/// A three-operand instruction in its four forms, conditional and not, and the
/// four that set the flags. `carry`: reads the carry flag.
fn arith(name: &str, opcode: u32, carry: bool, section: [&'static str; 3]) -> Vec<InstDef> {
    let mnemonic = name.to_ascii_lowercase();
    let carry_in = |row: InstDef| if carry { row.reads("nzcv") } else { row };
    // ADD and SUB of PC and a constant are rows of their own: ADR.
    let adr = matches!(name, "Add" | "Sub");
    let plain = shifter_forms(name, AL | op(opcode), &[any("rd", Access::Def, AT12), RN], &mnemonic, section)
        .map(|mut row| {
            if adr && row.bits & u64::from(I) != 0 {
                row.operands[1] = row.operands[1].except(PC);
            }
            carry_in(row)
        });
    let flags = shifter_forms(
        &format!("{name}s"),
        AL | op(opcode) | S,
        &[def("rd", AT12), RN],
        &format!("{mnemonic}s"),
        section,
    )
    .map(|row| carry_in(row).sets("nzcv"));
    let mut rows = with_cond(plain);
    rows.extend(flags);
    rows
}

/// A comparison: four forms that only set the flags, conditional and not.
fn compare(name: &str, opcode: u32, section: [&'static str; 3]) -> Vec<InstDef> {
    let rows = shifter_forms(name, AL | op(opcode) | S, &[RN], &name.to_ascii_lowercase(), section);
    with_cond(rows.map(|r| r.sets("nzcv")))
}

/// MOV (A8.8.102, .104), whose shifted forms are the shifts by a constant
/// (LSL A8.8.94 …) and by a register (A8.8.95 …).
fn moves() -> Vec<InstDef> {
    const LEFT: Operand = imm("amount", "Amt1To31", &[field(7, 5)]);
    const RIGHT: Operand = imm("amount", "Amt1To32", &[field(7, 5)]);
    let mov = AL | op(13);
    let kinds = [
        ("Lsl", 0, LEFT, "A8.8.94", "A8.8.95"),
        ("Lsr", 1, RIGHT, "A8.8.96", "A8.8.97"),
        ("Asr", 2, RIGHT, "A8.8.16", "A8.8.17"),
        ("Ror", 3, LEFT, "A8.8.149", "A8.8.150"),
    ];
    let mut rows = Vec::new();
    for s in [false, true] {
        let (suffix, bit) = if s { ("s", S) } else { ("", 0) };
        // Writing PC and the flags is an exception return: not here.
        let rd = any("rd", Access::Def, AT12).except(if s { PC } else { 0 });
        let low = |n: &str| n.to_ascii_lowercase() + suffix;
        let mut forms = vec![
            inst(
                format!("Mov{suffix}"),
                mov | bit,
                &[rd, RM],
                format!("mov{suffix} {{rd}}, {{rm}}"),
                "A8.8.104",
            ),
            inst(
                format!("Mov{suffix}Imm"),
                mov | bit | I,
                &[rd, CONST],
                format!("mov{suffix} {{rd}}, {{imm}}"),
                "A8.8.102",
            ),
            inst(
                format!("Rrx{suffix}"),
                mov | bit | 3 << 5,
                &[rd, RM],
                format!("rrx{suffix} {{rd}}, {{rm}}"),
                "A8.8.151",
            )
            .reads("nzcv"),
        ];
        for (name, kind, amount, by_imm, by_reg) in kinds {
            forms.push(inst(
                format!("{name}{suffix}Imm"),
                mov | bit | kind << 5,
                &[rd, RM, amount],
                format!("{} {{rd}}, {{rm}}, {{amount}}", low(name)),
                by_imm,
            ));
            forms.push(inst(
                format!("{name}{suffix}"),
                mov | bit | kind << 5 | 1 << 4,
                &[rd.except(PC), RM.except(PC), uses("rs", AT8)],
                format!("{} {{rd}}, {{rm}}, {{rs}}", low(name)),
                by_reg,
            ));
        }
        if s {
            rows.extend(forms.into_iter().map(|r| r.sets("nzcv")));
        } else {
            rows.extend(with_cond(forms));
        }
    }
    rows
}

/// MVN in its four forms.
fn inverted_moves() -> Vec<InstDef> {
    let section = ["A8.8.115", "A8.8.116", "A8.8.117"];
    let mut rows =
        with_cond(shifter_forms("Mvn", AL | op(15), &[any("rd", Access::Def, AT12)], "mvn", section));
    let flags = shifter_forms("Mvns", AL | op(15) | S, &[def("rd", AT12)], "mvns", section);
    rows.extend(flags.map(|r| r.sets("nzcv")));
    rows
}

/// 16-bit constants, addresses near PC.
fn constants() -> Vec<InstDef> {
    const DISTANCE: Operand = imm("imm", "AdrImm", &[field(0, 12)]);
    const HALF: Operand = imm("imm", "Imm16", &[field(0, 12), field(16, 4)]);
    let mut rows = with_cond([
        inst("Movw", AL | 0x0300_0000, &[def("rd", AT12), HALF], "movw {rd}, {imm}", "A8.8.102")
            .needs("v6t2"),
        inst("Movt", AL | 0x0340_0000, &[tied("rd", AT12), HALF], "movt {rd}, {imm}", "A8.8.106")
            .needs("v6t2"),
    ]);
    // ADR: the address of this instruction + 8, plus or minus a constant.
    rows.extend([
        inst(
            "AdrAdd",
            AL | I | op(4) | 15 << 16,
            &[def("rd", AT12), DISTANCE],
            "add {rd}, pc, {imm}",
            "A8.8.12",
        ),
        inst(
            "AdrSub",
            AL | I | op(2) | 15 << 16,
            &[def("rd", AT12), DISTANCE],
            "sub {rd}, pc, {imm}",
            "A8.8.12",
        ),
    ]);
    rows
}

/// Multiplications (A5.2.5, A5.2.7, A5.4.4) and divisions.
fn multiplies() -> Vec<InstDef> {
    const M: u32 = AL | 0x90;
    let (rd, rn, rm, ra) = (def("rd", AT16), uses("rn", AT0), uses("rm", AT8), uses("ra", AT12));
    let rn_late = late("rn", AT0);

    let mut rows = with_cond([
        inst("Mul", M, &[rd, rn, rm], "mul {rd}, {rn}, {rm}", "A8.8.114").needs("v6"),
        inst("Mla", M | 0x0020_0000, &[rd, rn, rm, ra], "mla {rd}, {rn}, {rm}, {ra}", "A8.8.100").needs("v6"),
        inst("Mls", M | 0x0060_0000, &[rd, rn, rm, ra], "mls {rd}, {rn}, {rm}, {ra}", "A8.8.101")
            .needs("v6t2"),
    ]);
    rows.extend([
        inst("Muls", M | S, &[rd, rn, rm], "muls {rd}, {rn}, {rm}", "A8.8.114").needs("v6").sets("nzcv"),
        // Before ARMv6 the result and the first factor must differ.
        inst("MulV5", M, &[rd, rn_late, rm], "mul {rd}, {rn}, {rm}", "A8.8.114").distinct("rd", "rn").alias(),
        inst("MlaV5", M | 0x0020_0000, &[rd, rn_late, rm, ra], "mla {rd}, {rn}, {rm}, {ra}", "A8.8.100")
            .distinct("rd", "rn")
            .alias(),
    ]);

    // Products of 64 bits: two results, which must differ.
    let (lo, hi) = (def("rdlo", AT12), def("rdhi", AT16));
    let (lo_in, hi_in) = (tied("rdlo", AT12), tied("rdhi", AT16));
    let long = |name: &str, op: u32, lo, hi, section| {
        let asm = format!("{} {{rdlo}}, {{rdhi}}, {{rn}}, {{rm}}", name.to_ascii_lowercase());
        let row = |name: String, rn, rm| {
            inst(name, M | op, &[lo, hi, rn, rm], asm.clone(), section).distinct("rdlo", "rdhi")
        };
        // Before ARMv6 the first factor must differ from both results.
        let v5 = row(format!("{name}V5"), rn_late, rm).distinct("rdlo", "rn").distinct("rdhi", "rn");
        [row(name.into(), rn, rm).needs("v6"), v5.alias()]
    };
    rows.extend(long("Umull", 0x0080_0000, lo, hi, "A8.8.257"));
    rows.extend(long("Umlal", 0x00a0_0000, lo_in, hi_in, "A8.8.256"));
    rows.extend(long("Smull", 0x00c0_0000, lo, hi, "A8.8.189"));
    rows.extend(long("Smlal", 0x00e0_0000, lo_in, hi_in, "A8.8.178"));
    rows.push(
        inst(
            "Umaal",
            M | 0x0040_0000,
            &[lo_in, hi_in, rn, rm],
            "umaal {rdlo}, {rdhi}, {rn}, {rm}",
            "A8.8.255",
        )
        .distinct("rdlo", "rdhi")
        .needs("v6"),
    );

    // Halves as factors: bottom or top of each (ARMv5TE).
    for (x, y) in [("b", "b"), ("b", "t"), ("t", "b"), ("t", "t")] {
        let halves = u32::from(x == "t") << 5 | u32::from(y == "t") << 6;
        rows.extend([
            inst(
                format!("Smul{x}{y}"),
                AL | 0x0160_0080 | halves,
                &[rd, rn, rm],
                format!("smul{x}{y} {{rd}}, {{rn}}, {{rm}}"),
                "A8.8.188",
            ),
            inst(
                format!("Smla{x}{y}"),
                AL | 0x0100_0080 | halves,
                &[rd, rn, rm, ra],
                format!("smla{x}{y} {{rd}}, {{rn}}, {{rm}}, {{ra}}"),
                "A8.8.176",
            )
            .sets("q"),
            inst(
                format!("Smlal{x}{y}"),
                AL | 0x0140_0080 | halves,
                &[lo_in, hi_in, rn, rm],
                format!("smlal{x}{y} {{rdlo}}, {{rdhi}}, {{rn}}, {{rm}}"),
                "A8.8.179",
            )
            .distinct("rdlo", "rdhi"),
        ]);
        if x == "b" {
            // The first factor is a whole word here.
            let half = halves & 1 << 6;
            rows.extend([
                inst(
                    format!("Smulw{y}"),
                    AL | 0x0120_00a0 | half,
                    &[rd, rn, rm],
                    format!("smulw{y} {{rd}}, {{rn}}, {{rm}}"),
                    "A8.8.190",
                ),
                inst(
                    format!("Smlaw{y}"),
                    AL | 0x0120_0080 | half,
                    &[rd, rn, rm, ra],
                    format!("smlaw{y} {{rd}}, {{rn}}, {{rm}}, {{ra}}"),
                    "A8.8.181",
                )
                .sets("q"),
            ]);
        }
    }

    // The upper word of a product; `ra` of 15 means none.
    rows.extend(
        [
            inst("Smmul", AL | 0x0750_f010, &[rd, rn, rm], "smmul {rd}, {rn}, {rm}", "A8.8.186"),
            inst("Smmulr", AL | 0x0750_f030, &[rd, rn, rm], "smmulr {rd}, {rn}, {rm}", "A8.8.186"),
            inst("Smmla", AL | 0x0750_0010, &[rd, rn, rm, ra], "smmla {rd}, {rn}, {rm}, {ra}", "A8.8.184"),
            inst("Smmls", AL | 0x0750_00d0, &[rd, rn, rm, ra], "smmls {rd}, {rn}, {rm}, {ra}", "A8.8.185"),
            inst("Smuad", AL | 0x0700_f010, &[rd, rn, rm], "smuad {rd}, {rn}, {rm}", "A8.8.187").sets("q"),
            inst("Smusd", AL | 0x0700_f050, &[rd, rn, rm], "smusd {rd}, {rn}, {rm}", "A8.8.191"),
            inst("Usad8", AL | 0x0780_f010, &[rd, rn, rm], "usad8 {rd}, {rn}, {rm}", "A8.8.264"),
        ]
        .map(|r| r.needs("v6")),
    );

    // By zero they give zero, and INT_MIN / -1 wraps.
    rows.extend(with_cond([
        inst("Sdiv", AL | 0x0710_f010, &[rd, rn, rm], "sdiv {rd}, {rn}, {rm}", "A8.8.165")
            .needs("v7")
            .needs("idiv"),
        inst("Udiv", AL | 0x0730_f010, &[rd, rn, rm], "udiv {rd}, {rn}, {rm}", "A8.8.248")
            .needs("v7")
            .needs("idiv"),
    ]));
    rows
}

/// Counting, reversing, extending, and fields of bits.
fn bits() -> Vec<InstDef> {
    let (rd, rm) = (def("rd", AT12), uses("rm", AT0));
    let unary = |name: &str, bits: u32, section| {
        inst(name, AL | bits, &[rd, rm], format!("{} {{rd}}, {{rm}}", name.to_ascii_lowercase()), section)
    };
    let mut rows = vec![
        unary("Clz", 0x016f_0f10, "A8.8.33"),
        unary("Rbit", 0x06ff_0f30, "A8.8.144").needs("v6t2"),
        unary("Rev", 0x06bf_0f30, "A8.8.145").needs("v6"),
        unary("Rev16", 0x06bf_0fb0, "A8.8.146").needs("v6"),
        unary("Revsh", 0x06ff_0fb0, "A8.8.147").needs("v6"),
    ];

    // Extensions, optionally of the operand rotated; with addition of `rn`.
    const ROTATION: Operand = imm("rot", "Rotation", &[field(10, 2)]);
    for (name, bits, section, add_section) in [
        ("Sxtb", 0x06a0_0070, "A8.8.233", "A8.8.230"),
        ("Sxtb16", 0x0680_0070, "A8.8.234", "A8.8.231"),
        ("Sxth", 0x06b0_0070, "A8.8.235", "A8.8.232"),
        ("Uxtb", 0x06e0_0070, "A8.8.274", "A8.8.271"),
        ("Uxtb16", 0x06c0_0070, "A8.8.275", "A8.8.272"),
        ("Uxth", 0x06f0_0070, "A8.8.276", "A8.8.273"),
    ] {
        let m = name.to_ascii_lowercase();
        let (add_name, add_m) = (name.replace("xt", "xta"), m.replace("xt", "xta"));
        let rn = uses("rn", AT16);
        let alone = AL | bits | 15 << 16;
        let plain = inst(name, alone, &[rd, rm], format!("{m} {{rd}}, {{rm}}"), section);
        rows.extend(
            [
                cond_form(plain.clone()),
                plain,
                inst(
                    format!("{name}Ror"),
                    alone,
                    &[rd, rm, ROTATION],
                    format!("{m} {{rd}}, {{rm}}, {{rot}}"),
                    section,
                ),
                inst(
                    add_name.clone(),
                    AL | bits,
                    &[rd, rn, rm],
                    format!("{add_m} {{rd}}, {{rn}}, {{rm}}"),
                    add_section,
                ),
                inst(
                    format!("{add_name}Ror"),
                    AL | bits,
                    &[rd, rn, rm, ROTATION],
                    format!("{add_m} {{rd}}, {{rn}}, {{rm}}, {{rot}}"),
                    add_section,
                ),
            ]
            .map(|r| r.needs("v6")),
        );
    }

    const EXTRACT: Operand = imm("range", "ExtractRange", &[field(7, 5), field(16, 5)]);
    const INSERT: Operand = imm("range", "InsertRange", &[field(7, 5), field(16, 5)]);
    let rn = uses("rn", AT0);
    rows.extend(
        [
            inst("Ubfx", AL | 0x07e0_0050, &[rd, rn, EXTRACT], "ubfx {rd}, {rn}, {range}", "A8.8.246"),
            inst("Sbfx", AL | 0x07a0_0050, &[rd, rn, EXTRACT], "sbfx {rd}, {rn}, {range}", "A8.8.164"),
            inst(
                "Bfi",
                AL | 0x07c0_0010,
                &[tied("rd", AT12), rn, INSERT],
                "bfi {rd}, {rn}, {range}",
                "A8.8.20",
            ),
            inst("Bfc", AL | 0x07c0_001f, &[tied("rd", AT12), INSERT], "bfc {rd}, {range}", "A8.8.19"),
        ]
        .map(|r| r.needs("v6t2")),
    );
    rows
}

/// Saturation, packing, and arithmetic on halves and bytes in parallel.
fn packed() -> Vec<InstDef> {
    const SIGNED: Operand = imm("width", "SignedSat", &[field(16, 5)]);
    const UNSIGNED: Operand = imm("width", "UnsignedSat", &[field(16, 5)]);
    const LEFT: Operand = imm("amount", "Amt1To31", &[field(7, 5)]);
    const RIGHT: Operand = imm("amount", "Amt1To32", &[field(7, 5)]);
    let (rd, rn, rm) = (def("rd", AT12), uses("rn", AT16), uses("rm", AT0));
    let src = uses("rn", AT0);

    let mut rows = Vec::new();
    for (name, bits, width, section) in
        [("Ssat", 0x06a0_0010, SIGNED, "A8.8.193"), ("Usat", 0x06e0_0010, UNSIGNED, "A8.8.266")]
    {
        let m = name.to_ascii_lowercase();
        let form = |suffix: &str, extra: u32, more: &[Operand], text: &str| {
            let operands = [&[rd, width, src], more].concat();
            inst(
                format!("{name}{suffix}"),
                AL | bits | extra,
                &operands,
                format!("{m} {{rd}}, {{width}}, {{rn}}{text}"),
                section,
            )
            .needs("v6")
            .sets("q")
        };
        rows.extend([
            form("", 0, &[], ""),
            form("Lsl", 0, &[LEFT], ", lsl {amount}"),
            form("Asr", 1 << 6, &[RIGHT], ", asr {amount}"),
        ]);
    }
    rows.extend(
        [
            inst("Pkhbt", AL | 0x0680_0010, &[rd, rn, rm], "pkhbt {rd}, {rn}, {rm}", "A8.8.125"),
            inst(
                "PkhbtLsl",
                AL | 0x0680_0010,
                &[rd, rn, rm, LEFT],
                "pkhbt {rd}, {rn}, {rm}, lsl {amount}",
                "A8.8.125",
            ),
            inst(
                "PkhtbAsr",
                AL | 0x0680_0050,
                &[rd, rn, rm, RIGHT],
                "pkhtb {rd}, {rn}, {rm}, asr {amount}",
                "A8.8.125",
            ),
            inst("Sel", AL | 0x0680_0fb0, &[rd, rn, rm], "sel {rd}, {rn}, {rm}", "A8.8.166").reads("ge"),
        ]
        .map(|r| r.needs("v6")),
    );

    // Saturating arithmetic on words (ARMv5TE): the manual names Rm first.
    for (name, bits, section) in [
        ("Qadd", 0x0100_0050, "A8.8.134"),
        ("Qsub", 0x0120_0050, "A8.8.141"),
        ("Qdadd", 0x0140_0050, "A8.8.138"),
        ("Qdsub", 0x0160_0050, "A8.8.139"),
    ] {
        let asm = format!("{} {{rd}}, {{rm}}, {{rn}}", name.to_ascii_lowercase());
        rows.push(inst(name, AL | bits, &[rd, rm, rn], asm, section).sets("q"));
    }

    // Parallel addition and subtraction (A5.4.1, A5.4.2), a section a prefix.
    for (prefix, kind, section) in [
        ("S", 1, "A5.4.1"),
        ("Q", 2, "A5.4.1"),
        ("Sh", 3, "A5.4.1"),
        ("U", 5, "A5.4.2"),
        ("Uq", 6, "A5.4.2"),
        ("Uh", 7, "A5.4.2"),
    ] {
        for (name, code) in [("add16", 0), ("asx", 1), ("sax", 2), ("sub16", 3), ("add8", 4), ("sub8", 7)] {
            let asm = format!("{}{name} {{rd}}, {{rn}}, {{rm}}", prefix.to_ascii_lowercase());
            let bits = AL | 0x0600_0f10 | kind << 20 | code << 5;
            let row = inst(format!("{prefix}{name}"), bits, &[rd, rn, rm], asm, section).needs("v6");
            // Only the plain signed and unsigned ones leave comparison bits.
            rows.push(if prefix.len() == 1 && prefix != "Q" { row.sets("ge") } else { row });
        }
    }
    rows
}

/// The rows of this file.
pub(super) fn rows() -> Vec<InstDef> {
    let mut rows = Vec::new();
    rows.extend(arith("And", 0, false, ["A8.8.13", "A8.8.14", "A8.8.15"]));
    rows.extend(arith("Eor", 1, false, ["A8.8.46", "A8.8.47", "A8.8.48"]));
    rows.extend(arith("Sub", 2, false, ["A8.8.222", "A8.8.223", "A8.8.224"]));
    rows.extend(arith("Rsb", 3, false, ["A8.8.152", "A8.8.153", "A8.8.154"]));
    rows.extend(arith("Add", 4, false, ["A8.8.5", "A8.8.7", "A8.8.8"]));
    rows.extend(arith("Adc", 5, true, ["A8.8.1", "A8.8.2", "A8.8.3"]));
    rows.extend(arith("Sbc", 6, true, ["A8.8.161", "A8.8.162", "A8.8.163"]));
    rows.extend(arith("Rsc", 7, true, ["A8.8.155", "A8.8.156", "A8.8.157"]));
    rows.extend(arith("Orr", 12, false, ["A8.8.122", "A8.8.123", "A8.8.124"]));
    rows.extend(arith("Bic", 14, false, ["A8.8.21", "A8.8.22", "A8.8.23"]));
    rows.extend(compare("Tst", 8, ["A8.8.240", "A8.8.241", "A8.8.242"]));
    rows.extend(compare("Teq", 9, ["A8.8.237", "A8.8.238", "A8.8.239"]));
    rows.extend(compare("Cmp", 10, ["A8.8.37", "A8.8.38", "A8.8.39"]));
    rows.extend(compare("Cmn", 11, ["A8.8.34", "A8.8.35", "A8.8.36"]));
    rows.extend(moves());
    rows.extend(inverted_moves());
    rows.extend(constants());
    rows.extend(multiplies());
    rows.extend(bits());
    rows.extend(packed());
    rows
}
