//! Scalar floating point: VFPv2 to VFPv4.

use super::*;

// Sd is Vd:D, Dd is D:Vd, and so for n and m.
const SD: &[Field] = &[field(22, 1), field(12, 4)];
const SN: &[Field] = &[field(7, 1), field(16, 4)];
const SM: &[Field] = &[field(5, 1), field(0, 4)];
const DD: &[Field] = &[field(12, 4), field(22, 1)];
const DN: &[Field] = &[field(16, 4), field(7, 1)];
const DM: &[Field] = &[field(0, 4), field(5, 1)];

/// Double precision, bit 8: the `sz` field.
const SZ: u32 = 1 << 8;

/// What differs between the two precisions.
#[derive(Clone, Copy)]
struct Precision {
    suffix: &'static str,
    dot: &'static str,
    sz: u32,
    class: &'static str,
    d: &'static [Field],
    n: &'static [Field],
    m: &'static [Field],
}

const SINGLE: Precision = Precision { suffix: "F32", dot: ".f32", sz: 0, class: "s", d: SD, n: SN, m: SM };
const DOUBLE: Precision = Precision { suffix: "F64", dot: ".f64", sz: SZ, class: "d", d: DD, n: DN, m: DM };

impl Precision {
    const fn def(self) -> Operand {
        reg("vd", self.class, Access::Def, self.d)
    }
    const fn acc(self) -> Operand {
        reg("vd", self.class, Access::Tied, self.d)
    }
    const fn n(self) -> Operand {
        reg("vn", self.class, Access::Use, self.n)
    }
    const fn m(self) -> Operand {
        reg("vm", self.class, Access::Use, self.m)
    }

    /// A row of this precision: `name` and mnemonic get its suffix.
    fn row(self, name: &str, bits: u32, operands: &[Operand], text: &str, section: &'static str) -> InstDef {
        let asm = format!("{}{} {text}", name.to_ascii_lowercase(), self.dot);
        inst(format!("{name}{}", self.suffix), AL | bits | self.sz, operands, asm, section).needs("vfp2")
    }

    /// Arithmetic (A7.5): two operands, or multiplication with an accumulator.
    fn arithmetic(self) -> Vec<InstDef> {
        let three = |name, bits, section| {
            self.row(name, bits, &[self.def(), self.n(), self.m()], "{vd}, {vn}, {vm}", section)
        };
        let accumulate = |name, bits, section| {
            self.row(name, bits, &[self.acc(), self.n(), self.m()], "{vd}, {vn}, {vm}", section)
        };
        let unary =
            |name, bits, section| self.row(name, bits, &[self.def(), self.m()], "{vd}, {vm}", section);
        let mut rows = with_cond([
            three("Vadd", 0x0e30_0a00, "A8.8.283"),
            three("Vsub", 0x0e30_0a40, "A8.8.415"),
            three("Vmul", 0x0e20_0a00, "A8.8.351"),
            unary("Vabs", 0x0eb0_0ac0, "A8.8.280"),
            unary("Vneg", 0x0eb1_0a40, "A8.8.355"),
            unary("Vmov", 0x0eb0_0a40, "A8.8.340"),
        ]);
        rows.extend([
            three("Vnmul", 0x0e20_0a40, "A8.8.356"),
            three("Vdiv", 0x0e80_0a00, "A8.8.312"),
            unary("Vsqrt", 0x0eb1_0ac0, "A8.8.401"),
            // Two roundings: d + n*m, d - n*m, -d - n*m, -d + n*m.
            accumulate("Vmla", 0x0e00_0a00, "A8.8.337"),
            accumulate("Vmls", 0x0e00_0a40, "A8.8.337"),
            accumulate("Vnmla", 0x0e10_0a40, "A8.8.356"),
            accumulate("Vnmls", 0x0e10_0a00, "A8.8.356"),
        ]);
        // One rounding.
        rows.extend(
            [
                accumulate("Vfma", 0x0ea0_0a00, "A8.8.317"),
                accumulate("Vfms", 0x0ea0_0a40, "A8.8.317"),
                accumulate("Vfnma", 0x0e90_0a40, "A8.8.318"),
                accumulate("Vfnms", 0x0e90_0a00, "A8.8.318"),
            ]
            .map(|r| r.needs("vfp4")),
        );
        rows
    }

    /// Comparisons (set the flags of FPSCR only) and constants.
    fn comparison(self) -> Vec<InstDef> {
        const CONST: Operand = imm("imm", "VfpImm", &[field(0, 4), field(16, 4)]);
        let a = reg("vd", self.class, Access::Use, self.d);
        let zero = |name: &str, mnemonic: &str, bits: u32| {
            let asm = format!("{mnemonic}{} {{vd}}, #0.0", self.dot);
            inst(format!("{name}{}", self.suffix), AL | bits | self.sz, &[a], asm, "A8.8.303")
                .needs("vfp2")
                .sets("fpscr")
        };
        let constant =
            self.row("Vmov", 0x0eb0_0a00, &[self.def(), CONST], "{vd}, {imm}", "A8.8.339").needs("vfp3");
        vec![
            // The `e` forms signal invalid for quiet NaNs too.
            self.row("Vcmp", 0x0eb4_0a40, &[a, self.m()], "{vd}, {vm}", "A8.8.303").sets("fpscr"),
            self.row("Vcmpe", 0x0eb4_0ac0, &[a, self.m()], "{vd}, {vm}", "A8.8.303").sets("fpscr"),
            zero("VcmpZero", "vcmp", 0x0eb5_0a40),
            zero("VcmpeZero", "vcmpe", 0x0eb5_0ac0),
            InstDef { name: format!("VmovImm{}", self.suffix), ..constant },
        ]
    }

    /// Between this precision and 32-bit integers, which live in a single
    /// register (A8.8.306). Out of range saturates, NaN becomes 0.
    fn conversions(self) -> Vec<InstDef> {
        let int_d = reg("vd", "s", Access::Def, SD);
        let int_m = reg("vm", "s", Access::Use, SM);
        let row = |name: String, asm: String, bits: u32, operands: &[Operand]| {
            inst(name, AL | bits | self.sz, operands, asm + " {vd}, {vm}", "A8.8.306").needs("vfp2")
        };
        let (f, dot) = (self.suffix, self.dot);
        let mut rows = Vec::new();
        for (int, signed) in [("S32", 1), ("U32", 0)] {
            let i = int.to_ascii_lowercase();
            rows.extend([
                row(
                    format!("Vcvt{f}{int}"),
                    format!("vcvt{dot}.{i}"),
                    0x0eb8_0a40 | signed << 7,
                    &[self.def(), int_m],
                ),
                // Towards zero, and as FPSCR says.
                row(
                    format!("Vcvt{int}{f}"),
                    format!("vcvt.{i}{dot}"),
                    0x0ebc_0ac0 | signed << 16,
                    &[int_d, self.m()],
                ),
                row(
                    format!("Vcvtr{int}{f}"),
                    format!("vcvtr.{i}{dot}"),
                    0x0ebc_0a40 | signed << 16,
                    &[int_d, self.m()],
                ),
            ]);
        }
        rows
    }

    /// Loads and stores (A7.6): one register, or consecutive ones.
    fn memory(self) -> Vec<InstDef> {
        const OFFSET: Operand = imm("off", "VfpOffset", &[field(0, 8), field(23, 1)]);
        const S_LIST: Operand = imm("list", "SRegList", &[field(22, 1), field(12, 4), field(0, 8)]);
        const D_LIST: Operand = imm("list", "DRegList", &[field(12, 4), field(22, 1), field(0, 8)]);
        let list = if self.sz == 0 { S_LIST } else { D_LIST };
        let base = uses("rn", AT16);
        let updated = tied("rn", AT16);
        let store = reg("vd", self.class, Access::Use, self.d);
        let row = |name: &str, bits: u32, operands: &[Operand], asm: &str, section| {
            let effect = if bits & 1 << 20 != 0 { Effect::Load } else { Effect::Store };
            inst(format!("{name}{}", self.suffix), AL | bits | self.sz, operands, asm, section)
                .needs("vfp2")
                .effect(effect)
        };
        let mut rows = with_cond([
            row("Vldr", 0x0d10_0a00, &[self.def(), base, OFFSET], "vldr {vd}, [{rn}{off:#}]", "A8.8.333"),
            row("Vstr", 0x0d00_0a00, &[store, base, OFFSET], "vstr {vd}, [{rn}{off:#}]", "A8.8.413"),
        ]);
        rows.extend([
            row("VldrLit", 0x0d1f_0a00, &[self.def(), OFFSET], "vldr {vd}, [pc, {off}]", "A8.8.333"),
            row("Vldmia", 0x0c90_0a00, &[base, list], "vldmia {rn}, {list}", "A8.8.332"),
            row("VldmiaWb", 0x0cb0_0a00, &[updated, list], "vldmia {rn}!, {list}", "A8.8.332"),
            row("VldmdbWb", 0x0d30_0a00, &[updated, list], "vldmdb {rn}!, {list}", "A8.8.332"),
            row("Vstmia", 0x0c80_0a00, &[base, list], "vstmia {rn}, {list}", "A8.8.412"),
            row("VstmiaWb", 0x0ca0_0a00, &[updated, list], "vstmia {rn}!, {list}", "A8.8.412"),
            row("VstmdbWb", 0x0d20_0a00, &[updated, list], "vstmdb {rn}!, {list}", "A8.8.412"),
            row("Vpush", 0x0d2d_0a00, &[list], "vpush {list}", "A8.8.368"),
            row("Vpop", 0x0cbd_0a00, &[list], "vpop {list}", "A8.8.367"),
        ]);
        rows
    }
}

/// Between precisions, between core and floating-point registers, and FPSCR.
fn transfers() -> Vec<InstDef> {
    let (s_def, d_def) = (SINGLE.def(), DOUBLE.def());
    let (s_n, d_m) = (reg("vn", "s", Access::Use, SN), DOUBLE.m());
    let (rt, rt_in) = (def("rt", AT12), uses("rt", AT12));
    let (rt2, rt2_in) = (def("rt2", AT16), uses("rt2", AT16));
    let mut rows = vec![
        inst("VcvtF64F32", AL | 0x0eb7_0ac0, &[d_def, SINGLE.m()], "vcvt.f64.f32 {vd}, {vm}", "A8.8.309"),
        inst("VcvtF32F64", AL | 0x0eb7_0bc0, &[s_def, d_m], "vcvt.f32.f64 {vd}, {vm}", "A8.8.309"),
        inst(
            "VmovToS",
            AL | 0x0e00_0a10,
            &[reg("vn", "s", Access::Def, SN), rt_in],
            "vmov {vn}, {rt}",
            "A8.8.343",
        ),
        inst("VmovFromS", AL | 0x0e10_0a10, &[rt, s_n], "vmov {rt}, {vn}", "A8.8.343"),
        inst(
            "VmovToD",
            AL | 0x0c40_0b10,
            &[reg("vm", "d", Access::Def, DM), rt_in, rt2_in],
            "vmov {vm}, {rt}, {rt2}",
            "A8.8.345",
        ),
        inst("VmovFromD", AL | 0x0c50_0b10, &[rt, rt2, d_m], "vmov {rt}, {rt2}, {vm}", "A8.8.345")
            .distinct("rt", "rt2"),
        inst("VmrsApsr", AL | 0x0ef1_fa10, &[], "vmrs APSR_nzcv, fpscr", "A8.8.348")
            .reads("fpscr")
            .sets("nzcv"),
        inst("VmrsFpscr", AL | 0x0ef1_0a10, &[rt], "vmrs {rt}, fpscr", "A8.8.348").reads("fpscr"),
        inst("VmsrFpscr", AL | 0x0ee1_0a10, &[rt_in], "vmsr fpscr, {rt}", "A8.8.349")
            .sets("fpscr")
            .effect(Effect::System),
    ];
    // One word of a double: bit 21 chooses the upper.
    for (half, bit) in [("Lo", 0), ("Hi", 1)] {
        let to = reg("vn", "d", Access::Tied, DN);
        let from = reg("vn", "d", Access::Use, DN);
        rows.extend([
            inst(
                format!("VmovToD{half}"),
                AL | 0x0e00_0b10 | bit << 21,
                &[to, rt_in],
                format!("vmov.32 {{vn}}[{bit}], {{rt}}"),
                "A8.8.341",
            ),
            inst(
                format!("VmovFromD{half}"),
                AL | 0x0e10_0b10 | bit << 21,
                &[rt, from],
                format!("vmov.32 {{rt}}, {{vn}}[{bit}]"),
                "A8.8.342",
            ),
        ]);
    }
    rows.into_iter().map(|r| r.needs("vfp2")).collect()
}

/// The rows of this file.
pub(super) fn rows() -> Vec<InstDef> {
    let mut rows = Vec::new();
    for p in [SINGLE, DOUBLE] {
        rows.extend(p.arithmetic());
        rows.extend(p.comparison());
        rows.extend(p.conversions());
        rows.extend(p.memory());
    }
    rows.extend(transfers());
    rows
}
