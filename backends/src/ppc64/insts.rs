//! The 64-bit PowerPC instruction table: THE source of the instruction enum,
//! encoder, decoder, printer, operand visitor and ISLE constructors.
//!
//! Sections are those of the Power ISA, version 3.1B: of Book I where nothing
//! else is said. Opcodes are decimal, bits are numbered from the most
//! significant one, and field names are the manual's. The build script and the
//! tests read this file: it uses nothing but the table vocabulary.
//!
//! Names of rows:
//!
//! * the mnemonic; `Rc` at the end = record form (`add.`): sets `cr0` too;
//! * `x` forms have a register offset, `u` forms update the base;
//! * `Z` at the end = the form whose `RA` is 0 and reads as the constant zero.
//!   In all other rows `RA` is a register, and not `r0` where that would read
//!   as zero;
//! * `Pc` at the end = relative to the instruction's own address.

use alloc::string::String;
use alloc::vec::Vec;
use alloc::{format, vec};
use windlass_rules::spec::*;

#[path = "insts/data.rs"]
mod data;
#[path = "insts/float.rs"]
mod float;
#[path = "insts/memory.rs"]
mod memory;
#[path = "insts/prefixed.rs"]
mod prefixed;
#[path = "insts/vsx.rs"]
mod vsx;

/// Primary opcode, bits 0 to 5.
const fn po(n: u32) -> u32 {
    n << 26
}
/// Extended opcode that ends at bit 30, of the X, XO, XL and XFX forms.
const fn xo(n: u32) -> u32 {
    n << 1
}
/// Record bit, or link bit.
const RC: u32 = 1;

/// Bits `first` to `last`, numbered as the manual does: 0 is the most
/// significant of the word.
const fn bits(first: u8, last: u8) -> Field {
    field(31 - last, last - first + 1)
}

const CORE: &str = "gpr";
const FLOAT: &str = "fpr";
const CR: &str = "cr";
/// Index of `cr0` in the register file.
const CR0: u8 = 64;

const B6: &[Field] = &[bits(6, 10)];
const B11: &[Field] = &[bits(11, 15)];
const B16: &[Field] = &[bits(16, 20)];
const B21: &[Field] = &[bits(21, 25)];

const fn def(name: &'static str, at: &'static [Field]) -> Operand {
    reg(name, CORE, Access::Def, at)
}
const fn uses(name: &'static str, at: &'static [Field]) -> Operand {
    reg(name, CORE, Access::Use, at)
}
const fn float_def(name: &'static str, at: &'static [Field]) -> Operand {
    reg(name, FLOAT, Access::Def, at)
}
const fn float_use(name: &'static str, at: &'static [Field]) -> Operand {
    reg(name, FLOAT, Access::Use, at)
}

const RT: Operand = def("rt", B6);
const RS: Operand = uses("rs", B6);
const RA: Operand = uses("ra", B11);
/// `RA` where 0 reads as the constant zero.
const RA0: Operand = RA.nonzero();
const RB: Operand = uses("rb", B16);
/// `RA` as the result of the logical instructions.
const RA_DEF: Operand = def("ra", B11);
/// `RA` as a base that is updated.
const RA_UPDATE: Operand = RA_DEF.nonzero().with_access(Access::Tied);
const BF: Operand = reg("bf", CR, Access::Def, &[bits(6, 8)]);
/// A condition register field from which one bit is read.
const BI: Operand = reg("bi", CR, Access::Use, &[bits(11, 13)]);
/// Which bit of [`BI`].
const BIT: Operand = imm("bit", "CrBit", &[bits(14, 15)]);

/// A row with its record form.
fn with_rc(row: InstDef) -> [InstDef; 2] {
    let mut rc = row.clone();
    let results = rc.operands.iter().take_while(|o| o.is_def()).count();
    rc.operands.insert(results, reg("cr0", CR, Access::FixedDef(CR0), &[]));
    rc.name += "Rc";
    rc.bits |= u64::from(RC);
    // The dot follows the mnemonic.
    let at = rc.asm.find(' ').unwrap_or(rc.asm.len());
    rc.asm.insert(at, '.');
    [row, rc]
}

/// A row with its record form, which nothing else is said of.
fn recording(
    name: &str,
    word: u32,
    operands: &[Operand],
    asm: impl Into<String>,
    section: &'static str,
) -> [InstDef; 2] {
    with_rc(inst(name, word, operands, asm, section))
}

/// The form with `RA` = 0 of a row that has the operand `ra`, beside the row.
fn with_zero_base(row: InstDef) -> [InstDef; 2] {
    let mut zero = row.clone();
    zero.operands.retain(|o| o.name != "ra");
    zero.constraints.retain(|c| !matches!(c, Constraint::Distinct(_, "ra")));
    zero.name += "Z";
    zero.asm = zero.asm.replace("{ra}", "0");
    [row, zero]
}

/// Branches, system calls, traps, barriers, special registers.
#[rustfmt::skip] // One instruction a line.
fn control_rows() -> Vec<InstDef> {
    const TARGET: Operand = imm("target", "BranchOffset", &[bits(6, 29)]);
    const NEAR: Operand = imm("target", "CondBranchOffset", &[bits(16, 29)]);
    // The bit of the field, and whether it is wanted set: BO is 4 or 12.
    const COND: Operand = imm("cond", "Cond", &[bits(14, 15), bits(7, 7)]);
    const TO: Operand = imm("to", "TrapCond", B6);
    const SI: Operand = imm("si", "Simm16", &[bits(16, 31)]);
    let branch = |name: &str, word: u32, operands: &[Operand], asm: &str, section| {
        inst(name, word, operands, asm, section).effect(Effect::Branch)
    };
    let call = |name: &str, word: u32, operands: &[Operand], asm: &str, section| {
        inst(name, word, operands, asm, section).effect(Effect::Call).sets("lr")
    };
    let trap = |name: &str, word: u32, operands: &[Operand], asm: &str, section| {
        inst(name, word, operands, asm, section).effect(Effect::Trap)
    };
    let order = |name: &str, word: u32, asm: &str, section| {
        inst(name, word, &[], asm, section).effect(Effect::Barrier)
    };
    let cond = po(16) | 4 << 21;
    let mut rows = vec![
        branch("B", po(18), &[TARGET], "b {target}", "2.4"),
        call("Bl", po(18) | 1, &[TARGET], "bl {target}", "2.4"),
        branch("Bc", cond, &[COND, BI, NEAR], "b{cond} {bi}, {target}", "2.4"),
        call("Bcl", cond | 1, &[COND, BI, NEAR], "b{cond}l {bi}, {target}", "2.4"),
        branch("Bdnz", po(16) | 16 << 21, &[NEAR], "bdnz {target}", "2.4").reads("ctr").sets("ctr"),
        branch("Bdz", po(16) | 18 << 21, &[NEAR], "bdz {target}", "2.4").reads("ctr").sets("ctr"),
        // The address of the next instruction. The processor does not take it for a call.
        inst("BclNext", po(16) | 20 << 21 | 31 << 16 | 4 | 1, &[], "bcl 20, 31, .+4", "2.4").sets("lr"),
        branch("Blr", po(19) | 20 << 21 | xo(16), &[], "blr", "2.4").reads("lr"),
        call("Blrl", po(19) | 20 << 21 | xo(16) | 1, &[], "blrl", "2.4").reads("lr"),
        branch("Bclr", po(19) | 4 << 21 | xo(16), &[COND, BI], "b{cond}lr {bi}", "2.4").reads("lr"),
        branch("Bctr", po(19) | 20 << 21 | xo(528), &[], "bctr", "2.4").reads("ctr"),
        call("Bctrl", po(19) | 20 << 21 | xo(528) | 1, &[], "bctrl", "2.4").reads("ctr"),
        branch("Bcctr", po(19) | 4 << 21 | xo(528), &[COND, BI], "b{cond}ctr {bi}", "2.4").reads("ctr"),
        trap("Sc", po(17) | 2, &[], "sc", "2.7"),
        trap("Trap", po(31) | 31 << 21 | xo(4), &[], "trap", "3.3.11"),
        trap("Tw", po(31) | xo(4), &[TO, RA, RB], "tw {to}, {ra}, {rb}", "3.3.11"),
        trap("Td", po(31) | xo(68), &[TO, RA, RB], "td {to}, {ra}, {rb}", "3.3.11"),
        trap("Twi", po(3), &[TO, RA, SI], "twi {to}, {ra}, {si}", "3.3.11"),
        trap("Tdi", po(2), &[TO, RA, SI], "tdi {to}, {ra}, {si}", "3.3.11"),
        inst("Nop", po(24), &[], "nop", "3.3.13"),
        order("Sync", po(31) | xo(598), "sync", "II 4.6.3"),
        order("Lwsync", po(31) | 1 << 21 | xo(598), "lwsync", "II 4.6.3"),
        order("Eieio", po(31) | xo(854), "eieio", "II 4.6.3"),
        order("Isync", po(19) | xo(150), "isync", "II 4.6.1"),
    ];
    // Special purpose registers 1, 8 and 9; the two halves of the number change places.
    for (name, spr, flags) in [("xer", 1, "ca"), ("lr", 8, "lr"), ("ctr", 9, "ctr")] {
        rows.push(inst(format!("Mf{name}"), po(31) | spr << 16 | xo(339), &[RT], format!("mf{name} {{rt}}"), "3.3.19").reads(flags));
        rows.push(inst(format!("Mt{name}"), po(31) | spr << 16 | xo(467), &[RS], format!("mt{name} {{rs}}"), "3.3.19").sets(flags));
    }
    // Whole condition register, and one field of it.
    const MASK: Operand = imm("fxm", "CrMask", &[bits(12, 19)]);
    const ONE: Operand = imm("fxm", "CrField", &[bits(12, 19)]);
    rows.extend([
        inst("Mfcr", po(31) | xo(19), &[RT], "mfcr {rt}", "3.3.19").effect(Effect::System),
        inst("Mfocrf", po(31) | 1 << 20 | xo(19), &[RT, ONE], "mfocrf {rt}, {fxm}", "3.3.19").effect(Effect::System),
        inst("Mtcrf", po(31) | xo(144), &[MASK, RS], "mtcrf {fxm}, {rs}", "3.3.19").effect(Effect::System),
        inst("Mtocrf", po(31) | 1 << 20 | xo(144), &[ONE, RS], "mtocrf {fxm}, {rs}", "3.3.19").effect(Effect::System),
    ]);
    for (name, word) in [("Dcbst", 54), ("Dcbf", 86), ("Dcbt", 278), ("Icbi", 982)] {
        let asm = format!("{} {{ra}}, {{rb}}", name.to_ascii_lowercase());
        rows.extend(with_zero_base(inst(name, po(31) | xo(word), &[RA0, RB], asm, "II 4.3").effect(Effect::System)));
    }
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
    insts.extend(float::rows());
    insts.extend(vsx::rows());
    insts.extend(prefixed::rows());
    Table {
        prefix: "ppc64",
        inst_type: "Ppc64Inst",
        // Indices in the register file of `regs.rs`.
        classes: vec![
            Class { name: CORE, first: 0, count: 32 },
            Class { name: FLOAT, first: 32, count: 32 },
            Class { name: CR, first: CR0, count: 8 },
        ],
        // ISA 2.01 as the PowerPC 970 has it is the base. `minst::level` says what a processor has of these.
        features: vec![
            named("popcntb", "POPCNTB, of ISA 2.02"),
            named("fprnd", "Rounding to integers, of ISA 2.02"),
            named("isel", "ISEL, of ISA 2.03"),
            named("power6", "The base of ISA 2.05"),
            named("power7", "The base of ISA 2.06"),
            named("vsx", "Vector-scalar instructions, of ISA 2.06"),
            named("power8", "ISA 2.07"),
            named("power9", "ISA 3.0B"),
            named("power10", "ISA 3.1, with prefixed instructions"),
        ],
        flags: vec![
            named("ca", "The carry bit of XER"),
            named("lr", "The link register"),
            named("ctr", "The count register"),
        ],
        decode_key: vec![bits(0, 5), bits(25, 30)],
        shared_types: vec![],
        insts,
    }
}
