//! The terms that rules match instructions of the language with, made from the opcode table.
//!
//! For each opcode a term whose first argument is the controlling type, followed by the operands and immediates in
//! the order of the text:
//!
//! ```lisp
//! (rule (lower (iadd $I32 x (ishl _ y k))) …)
//! ```
//!
//! An instruction's term stands for an instruction; where a value is expected it stands for a value that a pure
//! instruction of that kind defines.

use std::fmt::Write;
use windlass_ir::opcode::{Format, TABLE};
use windlass_ir::{AtomicRmwOp, FloatCC, IntCC};

/// The fields of a variant: name and type.
type Fields = &'static [(&'static str, &'static str)];

/// The variants of `InstData`: name, fields after `opcode`.
const FORMATS: &[(Format, &str, Fields)] = &[
    (Format::Nullary, "Nullary", &[]),
    (Format::Unary, "Unary", &[("arg", "Value")]),
    (Format::UnaryImm, "UnaryImm", &[("imm", "Imm64")]),
    (Format::UnaryIeee16, "UnaryIeee16", &[("imm", "Ieee16")]),
    (Format::UnaryIeee32, "UnaryIeee32", &[("imm", "Ieee32")]),
    (Format::UnaryIeee64, "UnaryIeee64", &[("imm", "Ieee64")]),
    (Format::UnaryConst, "UnaryConst", &[("constant", "Constant")]),
    (Format::UnaryGlobalValue, "UnaryGlobalValue", &[("global", "GlobalValue")]),
    (Format::Binary, "Binary", &[("args", "Value2")]),
    (Format::BinaryImm8, "BinaryImm8", &[("arg", "Value"), ("imm", "u8")]),
    (Format::Ternary, "Ternary", &[("args", "Value3")]),
    (Format::TernaryImm8, "TernaryImm8", &[("args", "Value2"), ("imm", "u8")]),
    (Format::Shuffle, "Shuffle", &[("args", "Value2"), ("mask", "Immediate")]),
    (Format::IntCompare, "IntCompare", &[("cond", "IntCC"), ("args", "Value2")]),
    (Format::FloatCompare, "FloatCompare", &[("cond", "FloatCC"), ("args", "Value2")]),
    (Format::IntAddTrap, "IntAddTrap", &[("args", "Value2"), ("code", "TrapCode")]),
    (Format::MultiAry, "MultiAry", &[("args", "ValueList")]),
    (Format::Jump, "Jump", &[("dest", "BlockCall")]),
    (Format::Brif, "Brif", &[("arg", "Value"), ("dests", "BlockCall2")]),
    (Format::BranchTable, "BranchTable", &[("arg", "Value"), ("table", "JumpTable")]),
    (Format::Call, "Call", &[("func", "FuncRef"), ("args", "ValueList")]),
    (Format::CallIndirect, "CallIndirect", &[("sig", "SigRef"), ("args", "ValueList")]),
    (
        Format::TryCall,
        "TryCall",
        &[("func", "FuncRef"), ("args", "ValueList"), ("exception", "ExceptionTable")],
    ),
    (Format::TryCallIndirect, "TryCallIndirect", &[("args", "ValueList"), ("exception", "ExceptionTable")]),
    (Format::FuncAddr, "FuncAddr", &[("func", "FuncRef")]),
    (Format::Load, "Load", &[("flags", "MemFlags"), ("arg", "Value"), ("offset", "Offset32")]),
    (Format::Store, "Store", &[("flags", "MemFlags"), ("args", "Value2"), ("offset", "Offset32")]),
    (Format::LoadNoOffset, "LoadNoOffset", &[("flags", "MemFlags"), ("arg", "Value")]),
    (Format::StoreNoOffset, "StoreNoOffset", &[("flags", "MemFlags"), ("args", "Value2")]),
    (Format::StackAddr, "StackAddr", &[("slot", "StackSlot"), ("offset", "Offset32")]),
    (Format::AtomicRmw, "AtomicRmw", &[("flags", "MemFlags"), ("op", "AtomicRmwOp"), ("args", "Value2")]),
    (Format::AtomicCas, "AtomicCas", &[("flags", "MemFlags"), ("args", "Value3")]),
    (Format::Trap, "Trap", &[("code", "TrapCode")]),
    (Format::CondTrap, "CondTrap", &[("arg", "Value"), ("code", "TrapCode")]),
    (Format::ExceptionHandlerAddress, "ExceptionHandlerAddress", &[("block", "Block"), ("index", "u32")]),
];

/// Types of fields that ISLE has or that are declared as enums here.
const DECLARED: &[&str] = &["u8", "u32", "Value", "IntCC", "FloatCC", "AtomicRmwOp"];

/// The ISLE text: types, then a term for each opcode. It comes after the prelude.
pub fn ir_terms() -> String {
    let mut out = String::from(";; Generated from the opcode table.\n\n");
    let mut types: Vec<&str> = FORMATS.iter().flat_map(|(_, _, fields)| fields.iter().map(|f| f.1)).collect();
    types.sort_unstable();
    types.dedup();
    for ty in types.into_iter().filter(|ty| !DECLARED.contains(ty)) {
        line(&mut out, &format!("(type {ty} (primitive {ty}))"));
    }
    let names = |list: Vec<String>| list.join(" ");
    let debug = |x: &dyn std::fmt::Debug| format!("{x:?}");
    let enums = [
        ("Opcode", TABLE.iter().map(|def| def.variant.to_string()).collect()),
        ("IntCC", IntCC::ALL.iter().map(|cc| debug(cc)).collect()),
        ("FloatCC", FloatCC::ALL.iter().map(|cc| debug(cc)).collect()),
        ("AtomicRmwOp", AtomicRmwOp::ALL.iter().map(|op| debug(op)).collect::<Vec<_>>()),
    ];
    for (name, variants) in enums {
        line(&mut out, &format!("(type {name} extern (enum {}))", names(variants)));
    }
    line(&mut out, "(type InstData extern (enum");
    for (_, name, fields) in FORMATS {
        let fields: String = fields.iter().map(|(field, ty)| format!(" ({field} {ty})")).collect();
        line(&mut out, &format!("  ({name} (opcode Opcode){fields})"));
    }
    line(&mut out, "))\n");
    out.push_str(
        "(decl pure value2 (Value Value) Value2)\n\
         (extern extractor infallible value2 value2)\n\
         (decl pure value3 (Value Value Value) Value3)\n\
         (extern extractor infallible value3 value3)\n\
         ;; An instruction's controlling type, opcode and operands.\n\
         (decl inst_data (Type InstData) Inst)\n\
         (extern extractor infallible inst_data inst_data)\n\
         ;; The pure instruction that defines a value.\n\
         (decl def_inst (Inst) Value)\n\
         (extern extractor def_inst def_inst)\n\
         (convert Inst Value def_inst)\n\n",
    );
    for def in TABLE {
        let Some((_, format, fields)) = FORMATS.iter().find(|(format, ..)| *format == def.format) else {
            continue;
        };
        let mut params = String::from("ty");
        let mut types = String::from("Type");
        let mut pattern = String::new();
        for (field, ty) in *fields {
            match *ty {
                "Value2" => {
                    params.push_str(" x y");
                    types.push_str(" Value Value");
                    pattern.push_str(" (value2 x y)");
                }
                "Value3" => {
                    params.push_str(" x y z");
                    types.push_str(" Value Value Value");
                    pattern.push_str(" (value3 x y z)");
                }
                _ => {
                    let _ = write!(params, " {field}");
                    let _ = write!(types, " {ty}");
                    let _ = write!(pattern, " {field}");
                }
            }
        }
        let (name, variant, doc) = (def.name, def.variant, def.doc);
        line(&mut out, &format!(";; {doc}\n(decl {name} ({types}) Inst)"));
        line(
            &mut out,
            &format!(
                "(extractor ({name} {params}) (inst_data ty (InstData.{format} (Opcode.{variant}){pattern})))"
            ),
        );
    }
    out
}

/// The ISLE text that legalization rules build instructions with: for each opcode of values and memory, `ir_` and its
/// name. Opcodes whose type is written after them take it first; then come operands and immediates in the order
/// of the text. One result is a `Value`, two are a `ValuePair`, none is `Unit`.
pub fn ir_constructors() -> String {
    let mut out = String::from(";; Generated from the opcode table.\n\n");
    for def in TABLE {
        let Some((_, format, fields)) = FORMATS.iter().find(|(format, ..)| *format == def.format) else {
            continue;
        };
        let effects = def.opcode.effects();
        if effects.has(windlass_ir::Effects::TERMINATOR) || effects.has(windlass_ir::Effects::CALL) {
            continue;
        }
        let (mut params, mut types, mut build) = (Vec::new(), Vec::new(), String::new());
        let mut values = 0;
        let ctrl = match def.ctrl {
            windlass_ir::Ctrl::None => "(no_type)".to_string(),
            windlass_ir::Ctrl::Suffix(_) => {
                params.push("ty".to_string());
                types.push("Type");
                "ty".to_string()
            }
            windlass_ir::Ctrl::Operand(i, _) => format!("(type_of v{i})"),
        };
        for (field, ty) in *fields {
            let count = match *ty {
                "Value" => 1,
                "Value2" => 2,
                "Value3" => 3,
                _ => 0,
            };
            if count == 0 {
                params.push(field.to_string());
                types.push(*ty);
                let _ = write!(build, " {field}");
                continue;
            }
            let names: Vec<String> = (values..values + count).map(|i| format!("v{i}")).collect();
            values += count;
            types.extend(std::iter::repeat_n("Value", count));
            let _ = match count {
                1 => write!(build, " {}", names[0]),
                n => write!(build, " (make_value{n} {})", names.join(" ")),
            };
            params.extend(names);
        }
        let (result, emit) = match def.results.len() {
            0 => ("Unit", "emit_none"),
            1 => ("Value", "emit_one"),
            _ => ("ValuePair", "emit_two"),
        };
        let (name, variant) = (def.name, def.variant);
        line(&mut out, &format!("(decl ir_{name} ({}) {result})", types.join(" ")));
        line(
            &mut out,
            &format!(
                "(rule (ir_{name} {}) ({emit} {ctrl} (InstData.{format} (Opcode.{variant}){build})))",
                params.join(" ")
            ),
        );
    }
    out
}

fn line(out: &mut String, text: &str) {
    out.push_str(text);
    out.push('\n');
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_opcode_has_a_term() {
        let text = ir_terms();
        for def in TABLE {
            assert!(text.contains(&format!("(extractor ({} ty", def.name)), "{} has no term", def.name);
        }
    }
}
