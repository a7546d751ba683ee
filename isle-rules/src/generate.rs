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
//! * every immediate type that the table names,
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
