//! The generator: an instruction table becomes Rust and ISLE text.
//!
//! In: a [`Table`]. Out: [`Generated`], two texts that a build script writes
//! with [`Output`]. The text depends on nothing but the table.
//!
//! # The Rust text
//!
//! Is included in a module of the target that brings into scope
//!
//! * the framework's `Reg`, `Writable`, `WritableReg`, `OperandVisitor`,
//!   `Immediate`, `EncodeError`, `OperandFault` and its module `encode`,
//! * `reg_name: fn(PReg) -> &'static str`, the target's register names,
//! * every immediate type that the table names (and the trait `WideImmediate`,
//!   if an immediate has more than 32 bits),
//!
//! and contains
//!
//! * `enum Inst`, one variant a row, fields in the order of the operands. A
//!   written register is a `WritableReg`, a read one a `Reg`; a tied operand
//!   `rd` is the two fields `rd: WritableReg, rd_in: Reg`, a pair operand the
//!   fields of its two halves;
//! * `Inst::visit_operands`: tied reads first, then the other reads, then the
//!   writes, each in the order of the operands. `reg_reuse_def`'s index counts
//!   the visitor's calls, so it is the number of the tied operand among the
//!   tied operands;
//! * `Inst::encode`, `Inst::decode`, `Inst::decode_row`, `Display`;
//! * `struct Features` and `struct Flags`, bit sets with a constant a name;
//! * `struct InstInfo`, `Inst::info` and the shorthands `Inst::name`,
//!   `requires`, `reads_flags`, `sets_flags`, `effect`, `size`;
//! * `type Word`: `u32`, or `u64` for a table with prefixed instructions, whose
//!   prefix is the upper half.
//!
//! The decoder looks up the rows that agree with the word in the table's decode
//! key, most fixed bits first, so that a row that is a special case of another
//! (`push {r4}` of a store with writeback) wins; cost: a handful of compares.
//!
//! # The ISLE text
//!
//! * `(type T (primitive T))` for each immediate type that the table does not
//!   list as shared;
//! * `(type <inst_type> extern (enum …))`;
//! * extern constructors `<prefix>_emit (<inst_type>) Unit` and, for each class
//!   with a written operand, `<prefix>_temp_<class> () WritableReg`;
//! * for each row the constructor `<prefix>_<row in snake case>`. Its arguments
//!   are the fields that are not written, in order (so a tied operand's value
//!   on entry is one). Its result is the written register as `Reg`, `RegPair`
//!   for two written registers (the prelude's `reg_pair`), and `Unit` for none.
//!   A row that writes three registers has no constructor.

mod isle;
mod rust;

use crate::spec::{Access, InstDef, OperandKind, Table, tied_name};
use std::path::{Path, PathBuf};
use std::string::{String, ToString};
use std::{env, fs, process};

/// The texts that [`generate`] makes.
#[derive(Clone, Debug)]
pub struct Generated {
    /// Rust: the instruction type and all that belongs to it.
    pub rust: String,
    /// ISLE: the instruction type and its constructors.
    pub isle: String,
}

/// Turns a table into text.
///
/// # Errors
///
/// The sentence of [`Table::check`] if the table contradicts itself.
pub fn generate(table: &Table) -> Result<Generated, String> {
    table.check()?;
    Ok(Generated { rust: rust::text(table), isle: isle::text(table) })
}

/// A field of a generated variant.
struct VariantField {
    name: String,
    ty: &'static str,
    written: bool,
    /// The operand's register class, if it is a register.
    class: Option<&'static str>,
}

/// The fields of a row's variant, in order.
fn variant_fields(inst: &InstDef) -> Vec<VariantField> {
    let mut out = Vec::new();
    for o in &inst.operands {
        let mut push = |name: &str, written: bool, class| {
            out.push(VariantField {
                name: name.to_string(),
                ty: if written { "WritableReg" } else { "Reg" },
                written,
                class: Some(class),
            });
        };
        match o.kind {
            OperandKind::Imm { ty } => {
                out.push(VariantField { name: o.name.to_string(), ty, written: false, class: None })
            }
            OperandKind::Reg { class, access, .. } => match access {
                Access::Use | Access::LateUse | Access::FixedUse(_) => push(o.name, false, class),
                Access::Def | Access::EarlyDef | Access::FixedDef(_) => push(o.name, true, class),
                Access::Tied => {
                    push(o.name, true, class);
                    push(&tied_name(o.name), false, class);
                }
                Access::PairUse { hi } => {
                    push(o.name, false, class);
                    push(hi, false, class);
                }
                Access::PairDef { hi } => {
                    push(o.name, true, class);
                    push(hi, true, class);
                }
            },
        }
    }
    out
}

/// Where a build script's generated files go: `OUT_DIR`, and a copy in
/// `WINDLASS_GEN_DIR` if that is set.
#[derive(Clone, Debug)]
pub struct Output {
    dir: PathBuf,
    copy: Option<PathBuf>,
}

impl Output {
    /// The directories that the environment of a build script names. Ends the
    /// build with a message if there is no `OUT_DIR`.
    pub fn from_env() -> Output {
        println!("cargo:rerun-if-env-changed=WINDLASS_GEN_DIR");
        let Some(dir) = env::var_os("OUT_DIR") else {
            fail("OUT_DIR is not set: this is meant to run in a build script");
        };
        Output { dir: dir.into(), copy: env::var_os("WINDLASS_GEN_DIR").map(PathBuf::from) }
    }

    /// Writes a file and returns its path in `OUT_DIR`. Ends the build with a
    /// message if the file cannot be written.
    pub fn write(&self, name: &str, text: &str) -> PathBuf {
        let put = |dir: &Path| {
            let path = dir.join(name);
            if let Err(e) = fs::create_dir_all(dir).and_then(|()| fs::write(&path, text)) {
                fail(&format!("cannot write {}: {e}", path.display()));
            }
            path
        };
        if let Some(copy) = &self.copy {
            put(copy);
        }
        put(&self.dir)
    }
}

/// Ends a build script with a message.
pub fn fail(message: &str) -> ! {
    eprintln!("{message}");
    process::exit(1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::isle;
    use crate::spec::{Access, Class, Field, Named, field, imm, inst, reg};

    /// A toy with what ARM does not have: a prefixed instruction with a wide
    /// immediate, fixed registers, and a register 0 that reads as zero.
    fn toy() -> Table {
        const AT21: &[Field] = &[field(21, 5)];
        const AT16: &[Field] = &[field(16, 5)];
        const LOW16: &[Field] = &[field(0, 16)];
        const WIDE: &[Field] = &[field(0, 16), field(32, 18)];
        let (rt, ra) = (reg("rt", "gpr", Access::Def, AT21), reg("ra", "gpr", Access::Use, AT16));
        let count = reg("rc", "gpr", Access::FixedUse(9), &[]);
        let pair = reg("rp", "gpr", Access::PairDef { hi: "rq" }, AT21);
        Table {
            prefix: "toy",
            inst_type: "ToyInst",
            classes: vec![Class { name: "gpr", first: 0, count: 32 }],
            features: vec![Named { name: "p10", meaning: "Prefixed instructions" }],
            flags: vec![],
            decode_key: vec![field(26, 6)],
            shared_types: vec![],
            insts: vec![
                inst(
                    "Addi",
                    14 << 26,
                    &[rt, ra.nonzero(), imm("si", "Simm34", WIDE)],
                    "paddi {rt}, {ra}, {si}",
                    "1",
                )
                .prefixed(1 << 26 | 2 << 24)
                .needs("p10"),
                inst("Loop", 16 << 26, &[count, imm("to", "Uimm16", LOW16)], "loop {to}", "2"),
                inst("Lq", 56 << 26, &[pair, ra.nonzero()], "lq {rp}, 0({ra})", "3"),
                inst("Ins", 20 << 26, &[rt.with_access(Access::Tied), ra], "ins {rt}, {ra}", "4"),
                inst("Sync", 31 << 26, &[], "sync", "5"),
            ],
        }
    }

    #[test]
    fn generated_constructors_compile_against_the_prelude() {
        let text = generate(&toy()).expect("the table is consistent");
        let dir = env::temp_dir().join(format!("windlass-rules-{}", process::id()));
        fs::create_dir_all(&dir).expect("a directory");
        let minst = dir.join("minst.isle");
        fs::write(&minst, &text.isle).expect("written");
        // Every selector has rules for its entry points.
        let rules = dir.join("rules.isle");
        fs::write(&rules, "(rule (lower _) (output_none))\n(decl none () Unit) (extern constructor none none)\n(rule (lower_branch _ _) (none))\n")
            .expect("written");
        let code = isle::compile(&[isle::prelude(), isle::prelude_lower(), minst, rules]);
        fs::remove_dir_all(&dir).expect("the directory goes");
        let code = code.unwrap_or_else(|e| panic!("{e}"));
        for term in ["toy_addi", "toy_loop", "toy_lq", "toy_ins", "toy_sync"] {
            assert!(code.contains(&format!("fn constructor_{term}<")), "no {term}");
        }
        // Rules tell that they fire; those that only make an instruction do not, nor do files elsewhere.
        assert!(code.contains("fn rule_fired(&mut self, arg0: u32) -> Unit;"), "{code}");
        assert!(code.contains("C::rule_fired(ctx, 0);") && !code.contains("log::"), "{code}");
        assert!(code.contains("= &[\n    (\"prelude_lower.isle\", "), "{code}");
    }

    #[test]
    fn roles_reach_the_generated_text() {
        let text = generate(&toy()).expect("the table is consistent").rust;
        for part in [
            "pub type Word = u64;",
            "v.reg_fixed_use(rc, PReg::new(9));",
            "v.pair_def(rp, rq);",
            "v.reg_use(rt_in); v.reg_use(ra); v.reg_reuse_def(rt, 0);",
            // Register 0 is refused where it would read as zero.
            "encode::number(\"ra\", ra, 0, 32, 0x1)?",
            "Simm34::from_bits",
            "pub const P10: Features = Features(1 << 0);",
        ] {
            assert!(text.contains(part), "no {part}");
        }
    }

    #[test]
    fn a_faulty_table_is_refused() {
        let mut table = toy();
        table.insts[0].asm = "paddi".into();
        assert!(generate(&table).is_err_and(|e| e.starts_with("Addi: operand rt is not printed")));
    }
}
