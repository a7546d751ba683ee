//! Prefixed instructions (1.6.3, ISA 3.1): a constant or displacement of 34
//! bits, relative to a register or to the instruction's own address. None may
//! cross a multiple of 64 bytes.

use super::*;

/// Its low 16 bits in the suffix, the rest in the prefix.
const WIDE: &[Field] = &[bits(16, 31), field(32, 18)];
const D: Operand = imm("d", "Simm34", WIDE);
const SI: Operand = imm("si", "Simm34", WIDE);

/// 32 bits, half of them in the prefix.
const HALVES: &[Field] = &[bits(16, 31), field(32, 16)];

/// Prefix of the form MLS, whose suffix is that of the instruction without a
/// prefix.
const MLS: u32 = po(1) | 2 << 24;
/// Prefix of the form 8LS, with suffixes of its own.
const LS8: u32 = po(1);
/// Prefix of the form 8RR.
const RR8: u32 = po(1) | 1 << 24;
/// Relative to the instruction's own address; `RA` is 0.
const R: u32 = 1 << 20;

/// Relative to a register, and to the instruction.
fn access(
    name: &str,
    prefix: u32,
    suffix: u32,
    data: Operand,
    effect: Effect,
    section: &'static str,
) -> [InstDef; 2] {
    let mnemonic = format!("{} {{{}}}", name.to_ascii_lowercase(), data.name);
    [
        inst(name, po(suffix), &[data, RA0, D], format!("{mnemonic}, {{d}}({{ra}})"), section)
            .prefixed(prefix),
        inst(format!("{name}Pc"), po(suffix), &[data, D], format!("{mnemonic}, {{d}}(0), 1"), section)
            .prefixed(prefix | R),
    ]
    .map(|row| row.effect(effect).needs("power10"))
}

/// The rows of this file.
pub(super) fn rows() -> Vec<InstDef> {
    const FRT: Operand = float_def("frt", B6);
    const FRS: Operand = float_use("frs", B6);
    let load = |name, prefix, suffix| access(name, prefix, suffix, RT, Effect::Load, "3.3.2");
    let store = |name, prefix, suffix| access(name, prefix, suffix, RS, Effect::Store, "3.3.3");
    let mut rows: Vec<InstDef> = [
        inst("Paddi", po(14), &[RT, RA0, SI], "paddi {rt}, {ra}, {si}", "3.3.9").prefixed(MLS),
        inst("Pli", po(14), &[RT, SI], "pli {rt}, {si}", "3.3.9").prefixed(MLS),
        inst("Pla", po(14), &[RT, SI], "paddi {rt}, 0, {si}, 1", "3.3.9").prefixed(MLS | R),
    ]
    .map(|row| row.needs("power10"))
    .into();
    // A single as a double, in both halves of the vector register.
    let single = imm("single", "Uimm32", HALVES);
    let splat = inst("Xxspltidp", po(32) | 2 << 17, &[FRT, single], "xxspltidp vs{frt:#}, {single}", "7.6.1");
    rows.push(splat.prefixed(RR8).needs("power10"));
    rows.extend(load("Plbz", MLS, 34));
    rows.extend(load("Plhz", MLS, 40));
    rows.extend(load("Plha", MLS, 42));
    rows.extend(load("Plwz", MLS, 32));
    rows.extend(load("Plwa", LS8, 41));
    rows.extend(load("Pld", LS8, 57));
    rows.extend(store("Pstb", MLS, 38));
    rows.extend(store("Psth", MLS, 44));
    rows.extend(store("Pstw", MLS, 36));
    rows.extend(store("Pstd", LS8, 61));
    rows.extend(access("Plfs", MLS, 48, FRT, Effect::Load, "4.6.2"));
    rows.extend(access("Plfd", MLS, 50, FRT, Effect::Load, "4.6.2"));
    rows.extend(access("Pstfs", MLS, 52, FRS, Effect::Store, "4.6.3"));
    rows.extend(access("Pstfd", MLS, 54, FRS, Effect::Store, "4.6.3"));
    rows
}
