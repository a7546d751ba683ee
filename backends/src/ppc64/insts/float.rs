//! Floating point in the floating-point registers. A single is held in double
//! format.

use super::*;

const FRT: Operand = float_def("frt", B6);
const FRA: Operand = float_use("fra", B11);
const FRB: Operand = float_use("frb", B16);
const FRC: Operand = float_use("frc", B21);

/// Rows of the A form (4.6.6): double precision, and single with the suffix
/// `s` and the primary opcode 59.
fn arithmetic() -> Vec<InstDef> {
    let mut rows = Vec::new();
    for (suffix, primary) in [("", 63), ("s", 59)] {
        let row = |name: &str, op: u32, operands: &[Operand]| {
            let name = format!("{name}{suffix}");
            let names: Vec<_> = operands.iter().map(|o| format!("{{{}}}", o.name)).collect();
            let asm = format!("{} {}", name.to_ascii_lowercase(), names.join(", "));
            inst(name, po(primary) | xo(op), operands, asm, "4.6.6")
        };
        rows.extend([
            row("Fadd", 21, &[FRT, FRA, FRB]),
            row("Fsub", 20, &[FRT, FRA, FRB]),
            row("Fmul", 25, &[FRT, FRA, FRC]),
            row("Fdiv", 18, &[FRT, FRA, FRB]),
            row("Fsqrt", 22, &[FRT, FRB]),
            // fra * frc + frb
            row("Fmadd", 29, &[FRT, FRA, FRC, FRB]),
            row("Fmsub", 28, &[FRT, FRA, FRC, FRB]),
            row("Fnmadd", 31, &[FRT, FRA, FRC, FRB]),
            row("Fnmsub", 30, &[FRT, FRA, FRC, FRB]),
        ]);
    }
    // fra >= 0 ? frc : frb
    rows.push(inst(
        "Fsel",
        po(63) | xo(23),
        &[FRT, FRA, FRC, FRB],
        "fsel {frt}, {fra}, {frc}, {frb}",
        "4.6.9",
    ));
    rows
}

/// Moves, rounding, conversion: one operand.
fn unary() -> Vec<InstDef> {
    let row = |name: &str, primary: u32, op: u32, section| {
        let asm = format!("{} {{frt}}, {{frb}}", name.to_ascii_lowercase());
        inst(name, po(primary) | xo(op), &[FRT, FRB], asm, section)
    };
    vec![
        row("Fmr", 63, 72, "4.6.5"),
        row("Fneg", 63, 40, "4.6.5"),
        row("Fabs", 63, 264, "4.6.5"),
        row("Fnabs", 63, 136, "4.6.5"),
        row("Frsp", 63, 12, "4.6.7"),
        // To integers in the register: rounded as FPSCR says, and towards zero.
        row("Fctiw", 63, 14, "4.6.7"),
        row("Fctiwz", 63, 15, "4.6.7"),
        row("Fctid", 63, 814, "4.6.7"),
        row("Fctidz", 63, 815, "4.6.7"),
        row("Fcfid", 63, 846, "4.6.7"),
        row("Fctiwu", 63, 142, "4.6.7").needs("power7"),
        row("Fctiwuz", 63, 143, "4.6.7").needs("power7"),
        row("Fctidu", 63, 942, "4.6.7").needs("power7"),
        row("Fctiduz", 63, 943, "4.6.7").needs("power7"),
        row("Fcfidu", 63, 974, "4.6.7").needs("power7"),
        row("Fcfids", 59, 846, "4.6.7").needs("power7"),
        row("Fcfidus", 59, 974, "4.6.7").needs("power7"),
        // To the nearest, halves away from zero; towards zero, up, down.
        row("Frin", 63, 392, "4.6.7").needs("fprnd"),
        row("Friz", 63, 424, "4.6.7").needs("fprnd"),
        row("Frip", 63, 456, "4.6.7").needs("fprnd"),
        row("Frim", 63, 488, "4.6.7").needs("fprnd"),
    ]
}

/// Comparison, and the status and control register.
#[rustfmt::skip] // One instruction a line.
fn status() -> Vec<InstDef> {
    const FLM: Operand = imm("flm", "Uimm8", &[bits(7, 14)]);
    const BT: Operand = imm("bt", "Uimm5", B6);
    vec![
        inst("Fcmpu", po(63), &[BF, FRA, FRB], "fcmpu {bf}, {fra}, {frb}", "4.6.8"),
        inst("Fcmpo", po(63) | xo(32), &[BF, FRA, FRB], "fcmpo {bf}, {fra}, {frb}", "4.6.8"),
        inst("Fcpsgn", po(63) | xo(8), &[FRT, FRA, FRB], "fcpsgn {frt}, {fra}, {frb}", "4.6.5").needs("power6"),
        inst("Mffs", po(63) | xo(583), &[FRT], "mffs {frt}", "4.6.10").effect(Effect::System),
        inst("Mtfsf", po(63) | xo(711), &[FLM, FRB], "mtfsf {flm}, {frb}", "4.6.10").effect(Effect::System),
        inst("Mtfsb0", po(63) | xo(70), &[BT], "mtfsb0 {bt}", "4.6.10").effect(Effect::System),
        inst("Mtfsb1", po(63) | xo(38), &[BT], "mtfsb1 {bt}", "4.6.10").effect(Effect::System),
    ]
}

/// Moves between the files of registers (POWER8).
fn transfers() -> Vec<InstDef> {
    let to = |name: &str, op: u32| {
        let asm = format!("{} {{frt}}, {{ra}}", name.to_ascii_lowercase());
        inst(name, po(31) | xo(op), &[FRT, RA], asm, "7.6.1").needs("power8")
    };
    let from = |name: &str, op: u32| {
        let asm = format!("{} {{ra}}, {{frs}}", name.to_ascii_lowercase());
        inst(name, po(31) | xo(op), &[RA_DEF, float_use("frs", B6)], asm, "7.6.1").needs("power8")
    };
    vec![to("Mtfprd", 179), to("Mtfprwa", 211), to("Mtfprwz", 243), from("Mffprd", 51), from("Mffprwz", 115)]
}

/// The rows of this file.
pub(super) fn rows() -> Vec<InstDef> {
    let mut rows = arithmetic();
    rows.extend(unary());
    rows.extend(status());
    rows.extend(transfers());
    rows
}
