//! Scalar vector-scalar instructions on the registers 0 to 31, whose upper
//! halves are the floating-point registers. (The extension bits AX, BX and TX,
//! which reach the vector registers, are 0.)

use super::*;

const XT: Operand = float_def("xt", B6);
const XT_TIED: Operand = XT.with_access(Access::Tied);
const XA: Operand = float_use("xa", B11);
const XB: Operand = float_use("xb", B16);

/// XX3 form: extended opcode in bits 21 to 28.
const fn xx3(op: u32) -> u32 {
    po(60) | op << 3
}
/// XX2 form: extended opcode in bits 21 to 29.
const fn xx2(op: u32) -> u32 {
    po(60) | op << 2
}

fn two_operands(name: &str, op: u32) -> InstDef {
    // `{:#}` is the number alone: the assembler wants `vs` before it.
    let asm = format!("{} vs{{xt:#}}, vs{{xa:#}}, vs{{xb:#}}", name.to_ascii_lowercase());
    inst(name, xx3(op), &[XT, XA, XB], asm, "7.6.1")
}

/// The target is the addend, or the second factor.
fn fused(name: &str, op: u32) -> InstDef {
    let row = two_operands(name, op);
    InstDef { operands: vec![XT_TIED, XA, XB], ..row }
}

fn one_operand(name: &str, op: u32) -> InstDef {
    let asm = format!("{} vs{{xt:#}}, vs{{xb:#}}", name.to_ascii_lowercase());
    inst(name, xx2(op), &[XT, XB], asm, "7.6.1")
}

/// ISA 2.06: double precision.
fn double() -> Vec<InstDef> {
    let mut rows = vec![
        two_operands("Xsadddp", 32),
        two_operands("Xssubdp", 40),
        two_operands("Xsmuldp", 48),
        two_operands("Xsdivdp", 56),
        two_operands("Xsmaxdp", 160),
        two_operands("Xsmindp", 168),
        two_operands("Xscpsgndp", 176),
        fused("Xsmaddadp", 33),
        fused("Xsmaddmdp", 41),
        fused("Xsmsubadp", 49),
        fused("Xsmsubmdp", 57),
        fused("Xsnmaddadp", 161),
        fused("Xsnmaddmdp", 169),
        fused("Xsnmsubadp", 177),
        fused("Xsnmsubmdp", 185),
        one_operand("Xsabsdp", 345),
        one_operand("Xsnabsdp", 361),
        one_operand("Xsnegdp", 377),
        one_operand("Xssqrtdp", 75),
        // To the nearest, halves away from zero; as FPSCR says; down, up, towards zero.
        one_operand("Xsrdpi", 73),
        one_operand("Xsrdpic", 107),
        one_operand("Xsrdpim", 121),
        one_operand("Xsrdpip", 105),
        one_operand("Xsrdpiz", 89),
        one_operand("Xscvdpsp", 265),
        one_operand("Xscvspdp", 329),
        one_operand("Xscvdpsxds", 344),
        one_operand("Xscvdpsxws", 88),
        one_operand("Xscvdpuxds", 328),
        one_operand("Xscvdpuxws", 72),
        one_operand("Xscvsxddp", 376),
        one_operand("Xscvuxddp", 360),
        // All bits, of the whole vector register.
        two_operands("Xxland", 130),
        two_operands("Xxlandc", 138),
        two_operands("Xxlor", 146),
        two_operands("Xxlxor", 154),
        two_operands("Xxlnor", 162),
    ];
    // xc ? xb : xa, bit by bit.
    rows.push(inst(
        "Xxsel",
        po(60) | 3 << 4,
        &[XT, XA, XB, float_use("xc", B21)],
        "xxsel vs{xt:#}, vs{xa:#}, vs{xb:#}, vs{xc:#}",
        "7.6.1",
    ));
    for (name, op) in [("Xscmpudp", 35), ("Xscmpodp", 43)] {
        let asm = format!("{} {{bf}}, vs{{xa:#}}, vs{{xb:#}}", name.to_ascii_lowercase());
        rows.push(inst(name, xx3(op), &[BF, XA, XB], asm, "7.6.1"));
    }
    rows.into_iter().map(|row| row.needs("vsx")).collect()
}

/// ISA 2.07: single precision, and conversion that leaves the bits of NaN alone.
fn single() -> Vec<InstDef> {
    let rows = vec![
        two_operands("Xsaddsp", 0),
        two_operands("Xssubsp", 8),
        two_operands("Xsmulsp", 16),
        two_operands("Xsdivsp", 24),
        fused("Xsmaddasp", 1),
        fused("Xsmaddmsp", 9),
        fused("Xsmsubasp", 17),
        fused("Xsmsubmsp", 25),
        fused("Xsnmaddasp", 129),
        fused("Xsnmaddmsp", 137),
        fused("Xsnmsubasp", 145),
        fused("Xsnmsubmsp", 153),
        one_operand("Xssqrtsp", 11),
        one_operand("Xsrsp", 281),
        one_operand("Xscvdpspn", 267),
        one_operand("Xscvspdpn", 331),
        one_operand("Xscvsxdsp", 312),
        one_operand("Xscvuxdsp", 296),
    ];
    rows.into_iter().map(|row| row.needs("vsx").needs("power8")).collect()
}

/// ISA 3.0: maximum and minimum as C (`c`) and Java (`j`) define them,
/// comparison to a mask, and moves of 128 bits.
fn newer() -> Vec<InstDef> {
    let mut rows = vec![
        two_operands("Xsmaxcdp", 128),
        two_operands("Xsmincdp", 136),
        two_operands("Xsmaxjdp", 144),
        two_operands("Xsminjdp", 152),
        two_operands("Xscmpeqdp", 3),
        two_operands("Xscmpgtdp", 11),
        two_operands("Xscmpgedp", 19),
    ];
    rows.push(inst("Mtvsrws", po(31) | xo(403), &[XT, uses("ra", B11)], "mtvsrws vs{xt:#}, {ra}", "7.6.1"));
    rows.push(inst(
        "Mfvsrld",
        po(31) | xo(307),
        &[RA_DEF, float_use("xs", B6)],
        "mfvsrld {ra}, vs{xs:#}",
        "7.6.1",
    ));
    rows.extend(with_zero_base(inst(
        "Mtvsrdd",
        po(31) | xo(435),
        &[XT, RA0, RB],
        "mtvsrdd vs{xt:#}, {ra}, {rb}",
        "7.6.1",
    )));
    rows.into_iter().map(|row| row.needs("vsx").needs("power9")).collect()
}

/// The rows of this file.
pub(super) fn rows() -> Vec<InstDef> {
    let mut rows = double();
    rows.extend(single());
    rows.extend(newer());
    rows
}
