//! Loads, stores, exclusive accesses, barriers.

use super::*;

/// Index before the access, bit 24.
const P: u32 = 1 << 24;
/// Add the offset, bit 23.
const U: u32 = 1 << 23;
/// Write the address back, bit 21.
const W: u32 = 1 << 21;
/// Load, bit 20.
const L: u32 = 1 << 20;

const SIGN: Operand = imm("sign", "Sign", &[field(23, 1)]);
const SHIFT: Operand = imm("shift", "ShiftImm", &[field(5, 7)]);
/// Base register that is not written.
const BASE: Operand = uses("rn", AT16);
/// Base register that is updated.
const BASE_UPDATED: Operand = tied("rn", AT16);
const INDEX: Operand = uses("rm", AT0);

/// An access and what its addressing modes have in common.
struct Access1 {
    name: &'static str,
    bits: u32,
    load: bool,
    /// The register that is transferred.
    rt: Operand,
    /// Text of the transferred registers.
    text: &'static str,
    /// Their names.
    names: &'static [&'static str],
    /// Offset by a constant: extra bits and operand.
    offset: (u32, Operand),
    /// Offset by a register: extra bits and operand, and whether it can be
    /// shifted.
    index: (u32, Operand),
    shifted: bool,
    /// Sections: by a constant, by a register.
    section: [&'static str; 2],
}

impl Access1 {
    /// The three addressing modes with one kind of offset: offset, pre-indexed,
    /// post-indexed. `inside` and `outside` are the offset's text in brackets
    /// and after them.
    fn modes(
        &self,
        suffix: &str,
        bits: u32,
        more: &[Operand],
        inside: [&str; 2],
        section: &'static str,
    ) -> [InstDef; 3] {
        let m = self.name.to_ascii_lowercase();
        let effect = if self.load { Effect::Load } else { Effect::Store };
        // What is stored must outlive the update of the base.
        let rt_updated = match (self.load, self.rt.kind) {
            (false, OperandKind::Reg { access: Access::Use, .. }) => self.rt.with_access(Access::LateUse),
            _ => self.rt,
        };
        let row = |mode: &str, bits: u32, rt: Operand, base: Operand, text: String| {
            let mut operands = vec![rt, base];
            if !rt.is_def() && base.is_def() {
                operands.swap(0, 1);
            }
            operands.extend(more);
            let mut row = inst(
                format!("{}{suffix}{mode}", self.name),
                AL | self.bits | bits,
                &operands,
                format!("{m} {}, {text}", self.text),
                section,
            )
            .effect(effect);
            if base.is_def() {
                for n in self.names {
                    row = row.distinct(n, "rn");
                }
            }
            // LDRD by a register: the index is neither of the results.
            if more.iter().any(|o| o.name == "rm") {
                if self.load && self.names.len() == 2 {
                    for n in self.names {
                        row = row.distinct(n, "rm");
                    }
                }
                // Before ARMv6 an updated base may not be the index too; no
                // later processor gains anything by it.
                if base.is_def() {
                    row = row.distinct("rn", "rm");
                }
            }
            row
        };
        let [plain, written] = inside;
        [
            row("", bits | P, self.rt, BASE, format!("[{{rn}}{plain}]")),
            row("Pre", bits | P | W, rt_updated, BASE_UPDATED, format!("[{{rn}}, {written}]!")),
            row("Post", bits, rt_updated, BASE_UPDATED, format!("[{{rn}}], {written}")),
        ]
    }

    fn rows(&self) -> Vec<InstDef> {
        let (imm_bits, offset) = self.offset;
        let (reg_bits, index) = self.index;
        let mut kinds = vec![
            self.modes("Imm", imm_bits, &[offset], ["{off:#}", "{off}"], self.section[0]),
            self.modes("Reg", reg_bits, &[SIGN, index], [", {sign}{rm}", "{sign}{rm}"], self.section[1]),
        ];
        if self.shifted {
            kinds.push(self.modes(
                "Shift",
                reg_bits,
                &[SIGN, index, SHIFT],
                [", {sign}{rm}, {shift}", "{sign}{rm}, {shift}"],
                self.section[1],
            ));
        }
        let mut rows = Vec::new();
        for [plain, pre, post] in kinds {
            if self.names.len() == 1 {
                rows.push(cond_form(plain.clone()));
            }
            rows.extend([plain, pre, post]);
        }
        rows
    }
}

/// Loads and stores of one register or a pair (A5.3, A5.2.8).
fn single() -> Vec<InstDef> {
    const OFFSET12: Operand = imm("off", "Offset12", &[field(0, 12), field(23, 1)]);
    const OFFSET8: Operand = imm("off", "Offset8", &[field(0, 4), field(8, 4), field(23, 1)]);
    const WORD_OFFSET: Operand = imm("off", "WordOffset", &[field(2, 10), field(23, 1)]);
    const BYTE: u32 = 1 << 22;
    const PAIR: &[&str] = &["rt", "rt2"];
    let load = def("rt", AT12);
    let store = uses("rt", AT12);
    let word = |name, bits, load, rt, section| Access1 {
        name,
        bits,
        load,
        rt,
        text: "{rt}",
        names: &["rt"],
        offset: (0x0400_0000, OFFSET12),
        index: (0x0600_0000, INDEX),
        shifted: true,
        section,
    };
    let half = |name, bits, load, rt, section| Access1 {
        name,
        bits,
        load,
        rt,
        text: "{rt}",
        names: &["rt"],
        offset: (1 << 22, OFFSET8),
        index: (0, INDEX),
        shifted: false,
        section,
    };
    let pair = |name, bits, load, access, index, section| Access1 {
        rt: uses("rt", AT12).with_access(access).except(1 << 14),
        text: "{rt}, {rt2}",
        names: PAIR,
        index: (0, index),
        ..half(name, bits, load, store, section)
    };
    // LDR may load PC: a branch.
    let load_any = any("rt", Access::Def, AT12);
    let all = [
        word("Ldr", L, true, load_any, ["A8.8.63", "A8.8.66"]),
        word("Str", 0, false, store, ["A8.8.204", "A8.8.205"]),
        word("Ldrb", L | BYTE, true, load, ["A8.8.68", "A8.8.70"]),
        word("Strb", BYTE, false, store, ["A8.8.207", "A8.8.208"]),
        half("Ldrh", L | 0xb0, true, load, ["A8.8.80", "A8.8.82"]),
        half("Strh", 0xb0, false, store, ["A8.8.217", "A8.8.218"]),
        half("Ldrsb", L | 0xd0, true, load, ["A8.8.84", "A8.8.86"]),
        half("Ldrsh", L | 0xf0, true, load, ["A8.8.88", "A8.8.90"]),
        // The pair's index survives the loads.
        pair("Ldrd", 0xd0, true, Access::PairDef { hi: "rt2" }, late("rm", AT0), ["A8.8.72", "A8.8.74"]),
        pair("Strd", 0xf0, false, Access::PairUse { hi: "rt2" }, INDEX, ["A8.8.210", "A8.8.211"]),
    ];
    let mut rows: Vec<_> = all.iter().flat_map(Access1::rows).collect();

    // PC-relative forms: the base is this instruction's address + 8, aligned.
    let lit = |name: &str, bits: u32, rt: Operand, off: Operand, text: &str, section| {
        let asm = format!("{} {text}, [pc, {{off}}]", name.to_ascii_lowercase());
        let bits = AL | P | 15 << 16 | bits;
        inst(format!("{name}Lit"), bits, &[rt, off], asm, section).effect(Effect::Load)
    };
    let pair_def = load.with_access(Access::PairDef { hi: "rt2" }).except(1 << 14);
    rows.extend([
        lit("Ldr", 0x0400_0000 | L, load, OFFSET12, "{rt}", "A8.8.64"),
        lit("Ldrb", 0x0440_0000 | L, load, OFFSET12, "{rt}", "A8.8.69"),
        lit("Ldrh", 0x0040_00b0 | L, load, OFFSET8, "{rt}", "A8.8.81"),
        lit("Ldrsb", 0x0040_00d0 | L, load, OFFSET8, "{rt}", "A8.8.85"),
        lit("Ldrsh", 0x0040_00f0 | L, load, OFFSET8, "{rt}", "A8.8.89"),
        lit("Ldrd", 0x0040_00d0, pair_def, OFFSET8, "{rt}, {rt2}", "A8.8.73"),
        // A far jump: the address follows the code.
        inst("LdrPcLit", AL | P | L | 0x040f_f000, &[WORD_OFFSET], "ldr pc, [pc, {off}]", "A8.8.64")
            .effect(Effect::Branch),
        // A jump through a table of addresses that follows the code.
        inst(
            "LdrPcShift",
            AL | 0x0600_0000 | P | L | 15 << 16,
            &[load_any, SIGN, INDEX, SHIFT],
            "ldr {rt}, [pc, {sign}{rm}, {shift}]",
            "A8.8.66",
        )
        .effect(Effect::Load),
        inst("PldImm", 0xf550_f000, &[BASE, OFFSET12], "pld [{rn}{off:#}]", "A8.8.126")
            .effect(Effect::System),
    ]);
    rows
}

/// Load and store of several registers (A5.5). The lists are physical: the
/// allocator does not see them.
fn multiple() -> Vec<InstDef> {
    const LIST: Operand = imm("list", "RegList", &[field(0, 16)]);
    const PUSH_LIST: Operand = imm("list", "PushList", &[field(0, 16)]);
    const MULTIPLE: u32 = AL | 0x0800_0000;
    let mut rows = Vec::new();
    for (name, load, sections) in [
        ("Ldm", L, ["A8.8.58", "A8.8.61", "A8.8.59", "A8.8.60"]),
        ("Stm", 0, ["A8.8.199", "A8.8.202", "A8.8.200", "A8.8.201"]),
    ] {
        let modes = [("ia", U), ("ib", P | U), ("da", 0), ("db", P)];
        for ((mode, bits), section) in modes.into_iter().zip(sections) {
            let effect = if load != 0 { Effect::Load } else { Effect::Store };
            let text = format!("{}{mode}", name.to_ascii_lowercase());
            let bits = MULTIPLE | load | bits;
            rows.extend([
                inst(
                    format!("{name}{mode}"),
                    bits,
                    &[BASE, LIST],
                    format!("{text} {{rn}}, {{list}}"),
                    section,
                )
                .effect(effect),
                inst(
                    format!("{name}{mode}Wb"),
                    bits | W,
                    &[BASE_UPDATED, LIST],
                    format!("{text} {{rn}}!, {{list}}"),
                    section,
                )
                .outside("rn", "list")
                .effect(effect),
            ]);
        }
    }
    let pop = any("rt", Access::Def, AT12);
    rows.extend([
        inst("Push", 0xe92d_0000, &[PUSH_LIST], "push {list}", "A8.8.133").effect(Effect::Store),
        inst("Pop", 0xe8bd_0000, &[PUSH_LIST], "pop {list}", "A8.8.132").effect(Effect::Load),
        inst("PushOne", 0xe52d_0004, &[uses("rt", AT12).except(1 << 13)], "push {{{rt}}}", "A8.8.133")
            .effect(Effect::Store),
        inst("PopOne", 0xe49d_0004, &[pop.except(1 << 13)], "pop {{{rt}}}", "A8.8.132").effect(Effect::Load),
    ]);
    rows
}

/// Exclusive accesses (A3.4) and barriers.
fn exclusive() -> Vec<InstDef> {
    let (rt, rt_in, status) = (def("rt", AT12), uses("rt", AT0), early("rd", AT12));
    let mut rows = Vec::new();
    for (suffix, size, level, sections) in [
        ("", 0, "v6", ["A8.8.75", "A8.8.212"]),
        ("b", 2 << 21, "v6k", ["A8.8.76", "A8.8.213"]),
        ("h", 3 << 21, "v6k", ["A8.8.78", "A8.8.215"]),
    ] {
        rows.extend([
            inst(
                format!("Ldrex{suffix}"),
                AL | 0x0190_0f9f | size,
                &[rt, BASE],
                format!("ldrex{suffix} {{rt}}, [{{rn}}]"),
                sections[0],
            )
            .needs(level)
            .effect(Effect::Load),
            // Gives 0 when it stored, 1 when not.
            inst(
                format!("Strex{suffix}"),
                AL | 0x0180_0f90 | size,
                &[status, rt_in, BASE],
                format!("strex{suffix} {{rd}}, {{rt}}, [{{rn}}]"),
                sections[1],
            )
            .needs(level)
            .distinct("rd", "rt")
            .distinct("rd", "rn")
            .effect(Effect::Store),
        ]);
    }
    let pair = |o: Operand, access| o.with_access(access).except(1 << 14);
    rows.extend([
        inst(
            "Ldrexd",
            AL | 0x01b0_0f9f,
            &[pair(rt, Access::PairDef { hi: "rt2" }), BASE],
            "ldrexd {rt}, {rt2}, [{rn}]",
            "A8.8.77",
        )
        .needs("v6k")
        .effect(Effect::Load),
        inst(
            "Strexd",
            AL | 0x01a0_0f90,
            &[status, pair(rt_in, Access::PairUse { hi: "rt2" }), BASE],
            "strexd {rd}, {rt}, {rt2}, [{rn}]",
            "A8.8.214",
        )
        .needs("v6k")
        .distinct("rd", "rt")
        .distinct("rd", "rt2")
        .distinct("rd", "rn")
        .effect(Effect::Store),
    ]);

    const OPTION: Operand = imm("option", "Barrier", &[field(0, 4)]);
    rows.extend([
        inst("Dmb", 0xf57f_f050, &[OPTION], "dmb {option}", "A8.8.43").needs("v7").effect(Effect::Barrier),
        inst("Dsb", 0xf57f_f040, &[OPTION], "dsb {option}", "A8.8.44").needs("v7").effect(Effect::Barrier),
        inst("Isb", 0xf57f_f06f, &[], "isb sy", "A8.8.53").needs("v7").effect(Effect::Barrier),
        inst("Clrex", 0xf57f_f01f, &[], "clrex", "A8.8.32").needs("v6k").effect(Effect::System),
    ]);
    rows
}

/// The rows of this file.
pub(super) fn rows() -> Vec<InstDef> {
    let mut rows = single();
    rows.extend(multiple());
    rows.extend(exclusive());
    rows
}
