//! The A32 instruction table: THE source of the instruction enum, encoder,
//! decoder, printer, operand visitor and ISLE constructors.
//!
//! Sections are those of the ARM Architecture Reference Manual, ARMv7-A and
//! ARMv7-R edition, DDI 0406C; field and register names are the manual's.
//! The build script and the tests read this file: it uses nothing but the
//! table vocabulary.
//!
//! Names of rows:
//!
//! * plain = register operands; `Imm` = immediate operand or offset; `Shift` =
//!   last register shifted by a constant; `ShiftReg` = by a register; `Reg` =
//!   register offset; `Pre`, `Post` = address writeback; `Lit` = PC-relative;
//! * the mnemonic's `s` (`Adds`) = sets the flags;
//! * `Cc` at the end = conditional: the first input is the condition, then the
//!   results' values in case it does not hold;
//! * `V5` at the end = for processors before ARMv6, which forbid some shared
//!   registers: the same encoding with stricter operands.

use alloc::string::String;
use alloc::vec::Vec;
use alloc::{format, vec};
use windlass_rules::spec::*;

#[path = "insts/data.rs"]
mod data;
#[path = "insts/memory.rs"]
mod memory;
#[path = "insts/vfp.rs"]
mod vfp;

/// Condition field: always.
const AL: u32 = 0xe << 28;

const CORE: &str = "gpr";
/// Bit set of register numbers: the program counter alone.
const PC: u64 = 1 << 15;

const AT0: &[Field] = &[field(0, 4)];
const AT8: &[Field] = &[field(8, 4)];
const AT12: &[Field] = &[field(12, 4)];
const AT16: &[Field] = &[field(16, 4)];

/// A core register that is written; never PC (see [`any`]).
const fn def(name: &'static str, at: &'static [Field]) -> Operand {
    reg(name, CORE, Access::Def, at).except(PC)
}
/// A core register that is read; never PC.
const fn uses(name: &'static str, at: &'static [Field]) -> Operand {
    reg(name, CORE, Access::Use, at).except(PC)
}
/// A core register that is read late: shared with no result.
const fn late(name: &'static str, at: &'static [Field]) -> Operand {
    uses(name, at).with_access(Access::LateUse)
}
/// A core register that is written before the operands are read.
const fn early(name: &'static str, at: &'static [Field]) -> Operand {
    def(name, at).with_access(Access::EarlyDef)
}
/// A core register that is read and written.
const fn tied(name: &'static str, at: &'static [Field]) -> Operand {
    def(name, at).with_access(Access::Tied)
}
/// A core register in this role, PC among them.
const fn any(name: &'static str, access: Access, at: &'static [Field]) -> Operand {
    reg(name, CORE, access, at)
}

const COND: Operand = imm("cond", "Cond", &[field(28, 4)]);

/// The conditional form of a row: a condition in place of "always", and every
/// result tied to the value that it has when the condition does not hold.
fn cond_form(row: InstDef) -> InstDef {
    let (mut results, mut rest) = (Vec::new(), vec![COND]);
    for o in row.operands {
        match o.kind {
            OperandKind::Reg { access: Access::Def | Access::EarlyDef, .. } => {
                results.push(o.with_access(Access::Tied));
            }
            _ if o.is_def() => results.push(o),
            _ => rest.push(o),
        }
    }
    // The condition follows the mnemonic proper: `vaddeq.f32`, `addeq`.
    let at = row.asm.find(['.', ' ']).unwrap_or(row.asm.len());
    let mut asm = row.asm;
    asm.insert_str(at, "{cond}");
    // The condition is the first input, before the tied results' old values.
    rest.splice(1..1, results);
    InstDef { name: row.name + "Cc", bits: row.bits & 0x0fff_ffff, operands: rest, asm, ..row }.reads("nzcv")
}

/// The rows, each followed by its conditional form.
fn with_cond(rows: impl IntoIterator<Item = InstDef>) -> Vec<InstDef> {
    rows.into_iter().flat_map(|r| [r.clone(), cond_form(r)]).collect()
}

/// A row of control flow, traps or the system.
fn control(
    name: &str,
    bits: u32,
    operands: &[Operand],
    asm: &str,
    section: &'static str,
    effect: Effect,
) -> InstDef {
    inst(name, bits, operands, asm, section).effect(effect)
}

/// Branches, calls, traps, hints, and access to system registers.
fn control_rows() -> Vec<InstDef> {
    const TARGET: Operand = imm("target", "BranchOffset", &[field(0, 24)]);
    const CODE: Operand = imm("code", "TrapCode16", &[field(0, 4), field(8, 12)]);
    const NUMBER: Operand = imm("number", "Imm24", &[field(0, 24)]);
    let rm = uses("rm", AT0);
    let rt = [uses("rt", AT12)];
    let rt_def = [def("rt", AT12)];

    let mut rows = with_cond([
        control("B", AL | 0x0a00_0000, &[TARGET], "b {target}", "A8.8.18", Effect::Branch),
        control("Bl", AL | 0x0b00_0000, &[TARGET], "bl {target}", "A8.8.25", Effect::Call),
        control("Bx", AL | 0x012f_ff10, &[rm], "bx {rm}", "A8.8.27", Effect::Branch),
        control("Blx", AL | 0x012f_ff30, &[rm], "blx {rm}", "A8.8.26", Effect::Call),
        control("Svc", AL | 0x0f00_0000, &[NUMBER], "svc {number}", "A8.8.228", Effect::Trap),
    ]);
    rows.extend([
        control("Udf", AL | 0x07f0_00f0, &[CODE], "udf {code}", "A8.8.247", Effect::Trap),
        control("Bkpt", AL | 0x0120_0070, &[CODE], "bkpt {code}", "A8.8.24", Effect::Trap),
        inst("Nop", AL | 0x0320_f000, &[], "nop", "A8.8.119").needs("v6k"),
        control("Yield", AL | 0x0320_f001, &[], "yield", "A8.8.426", Effect::System).needs("v6k"),
        // The flags as a word, and back.
        inst("MrsApsr", AL | 0x010f_0000, &rt_def, "mrs {rt}, APSR", "A8.8.109").reads("nzcv"),
        inst("MsrApsr", AL | 0x0128_f000, &[uses("rn", AT0)], "msr APSR_nzcvq, {rn}", "A8.8.112")
            .sets("nzcv"),
        // Thread pointers in CP15 (B4.1.150): read-only, and writable by users.
        control(
            "MrcTpidruro",
            AL | 0x0e1d_0f70,
            &rt_def,
            "mrc p15, 0, {rt}, c13, c0, 3",
            "A8.8.107",
            Effect::System,
        )
        .needs("v6k"),
        control(
            "MrcTpidrurw",
            AL | 0x0e1d_0f50,
            &rt_def,
            "mrc p15, 0, {rt}, c13, c0, 2",
            "A8.8.107",
            Effect::System,
        )
        .needs("v6k"),
        control(
            "McrTpidrurw",
            AL | 0x0e0d_0f50,
            &rt,
            "mcr p15, 0, {rt}, c13, c0, 2",
            "A8.8.98",
            Effect::System,
        )
        .needs("v6k"),
        // ARMv6 has barriers as CP15 operations (B6.2.5); the value should be 0.
        control("McrDmb", AL | 0x0e07_0fba, &rt, "mcr p15, 0, {rt}, c7, c10, 5", "A8.8.98", Effect::Barrier)
            .needs("v6"),
        control("McrDsb", AL | 0x0e07_0f9a, &rt, "mcr p15, 0, {rt}, c7, c10, 4", "A8.8.98", Effect::Barrier),
        control("McrIsb", AL | 0x0e07_0f95, &rt, "mcr p15, 0, {rt}, c7, c5, 4", "A8.8.98", Effect::Barrier)
            .needs("v6"),
    ]);
    rows
}

/// The table.
pub fn table() -> Table {
    const fn named(name: &'static str, meaning: &'static str) -> Named {
        Named { name, meaning }
    }
    let mut insts = data::rows();
    insts.extend(memory::rows());
    insts.extend(control_rows());
    insts.extend(vfp::rows());
    Table {
        prefix: "arm",
        inst_type: "ArmInst",
        // Indices in the register file of `regs.rs`.
        classes: vec![
            Class { name: CORE, first: 0, count: 16 },
            Class { name: "s", first: 16, count: 32 },
            Class { name: "d", first: 48, count: 32 },
        ],
        // ARMv5TE is the base. A later level has the features of those before.
        features: vec![
            named("v6", "ARMv6"),
            named("v6k", "The multiprocessing extensions of ARMv6K"),
            named("v6t2", "The instructions that ARMv6T2 added"),
            named("v7", "ARMv7-A"),
            named("idiv", "SDIV and UDIV"),
            named("vfp2", "Floating point: VFPv2"),
            named("vfp3", "Floating point: VFPv3"),
            named("vfp4", "Floating point: VFPv4, fused multiply-add"),
            named("d32", "32 double-precision registers, not 16"),
            named("neon", "Advanced SIMD; reserved, nothing uses it yet"),
        ],
        flags: vec![
            named("nzcv", "The condition flags"),
            named("ge", "The greater-or-equal bits of parallel arithmetic"),
            named("q", "The sticky saturation bit"),
            named("fpscr", "The comparison result of floating point"),
        ],
        decode_key: vec![field(4, 4), field(20, 8)],
        shared_types: vec![],
        insts,
    }
}
