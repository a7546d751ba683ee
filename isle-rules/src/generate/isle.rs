//! The ISLE text of a table: types and constructors.

use super::variant_fields;
use crate::spec::{OperandKind, Table};
use std::collections::BTreeSet;
use std::fmt::Write;

pub(super) fn text(table: &Table) -> String {
    let mut out = String::from(";; Generated from the instruction table.\n\n");
    let p = table.prefix;
    let inst_type = table.inst_type;
    // Writing to a string cannot fail: `drop` discards the formal result.
    let mut types = BTreeSet::new();
    let mut classes = BTreeSet::new();
    for o in table.insts.iter().flat_map(|i| &i.operands) {
        match o.kind {
            OperandKind::Imm { ty } if !table.shared_types.contains(&ty) => {
                types.insert(ty);
            }
            OperandKind::Reg { class, .. } if o.is_def() => {
                classes.insert(class);
            }
            _ => {}
        }
    }
    for t in types {
        let _ = writeln!(out, "(type {t} (primitive {t}))");
    }

    let _ = writeln!(out, "\n(type {inst_type} extern (enum");
    for i in &table.insts {
        let _ = write!(out, "  ({}", i.name);
        for f in variant_fields(i) {
            let _ = write!(out, " ({} {})", f.name, f.ty);
        }
        out.push_str(")\n");
    }
    out.push_str("))\n\n");

    let _ = writeln!(
        out,
        ";; Appends an instruction.\n(decl {p}_emit ({inst_type}) Unit)\n\
         (extern constructor {p}_emit {p}_emit)"
    );
    for c in classes {
        let _ = writeln!(
            out,
            ";; A new virtual register of class {c}.\n(decl {p}_temp_{c} () WritableReg)\n\
             (extern constructor {p}_temp_{c} {p}_temp_{c})"
        );
    }

    for i in &table.insts {
        let name = format!("{p}_{}", i.snake_name());
        let fields = variant_fields(i);
        let defs: Vec<_> = fields.iter().filter(|f| f.written).collect();
        let _ = writeln!(out, "\n;; `{}` (section {})", i.asm, i.section);
        let result = match defs.len() {
            0 => "Unit",
            1 => "Reg",
            2 => "RegPair",
            n => {
                let _ = writeln!(out, ";; writes {n} registers: no constructor");
                continue;
            }
        };
        let inputs: Vec<_> = fields.iter().filter(|f| !f.written).collect();
        let types: Vec<_> = inputs.iter().map(|f| f.ty).collect();
        let args: String = inputs.iter().map(|f| format!(" {}", f.name)).collect();
        let all: String = fields.iter().map(|f| format!(" {}", f.name)).collect();
        let emit = format!("({p}_emit ({inst_type}.{}{all}))", i.name);
        let _ = writeln!(out, "(decl {name} ({}) {result})", types.join(" "));
        if defs.is_empty() {
            let _ = writeln!(out, "(rule ({name}{args}) {emit})");
            continue;
        }
        let _ = write!(out, "(rule ({name}{args})\n  (let (");
        for d in &defs {
            let class = d.class.unwrap_or_default();
            let _ = write!(out, "({} WritableReg ({p}_temp_{class})) ", d.name);
        }
        let values: Vec<_> = defs.iter().map(|d| format!("(writable_reg_to_reg {})", d.name)).collect();
        let value = match values.as_slice() {
            [one] => one.clone(),
            _ => format!("(reg_pair {})", values.join(" ")),
        };
        let _ = writeln!(out, "(_ Unit {emit}))\n    {value}))");
    }
    out
}
