//! What a target does natively, read off its own rules.
//!
//! A rule of `lower` that puts no condition on its operands but their types covers its opcode at those types. All such
//! rules together are the target's list, from which legalization knows what to expand and the support matrix what
//! to print. Nothing is written twice: adding a rule extends the list.
//!
//! A rule covers if its type pattern is a name, `_`, or one of the [`TYPE_TERMS`]; each value operand is a name, `_`
//! or `x @ (value_type …)`; operands that are not values may be anything (rules for other flags stand beside it); and
//! every `if-let` asks for a feature, `(if-let _ (has_…))`, which is then recorded.

use crate::sexpr::{Sexpr, read};
use std::fmt::Write;
use std::path::PathBuf;
use windlass_ir::opcode::{Format, OpcodeDef, TABLE};
use windlass_ir::types::{F32, F64, I8, I16, I32, I64, I128};
use windlass_ir::{Opcode, Type};

/// The types that have a place in the list, in the order of its bits.
pub const TYPES: [Type; 7] = [I8, I16, I32, I64, I128, F32, F64];

/// The extractors of the prelude that stand for types.
const TYPE_TERMS: &[(&str, &[Type])] = &[
    ("fits_in_32", &[I8, I16, I32]),
    ("fits_in_16", &[I8, I16]),
    ("int_to_64", &[I8, I16, I32, I64]),
    ("i8_type", &[I8]),
    ("i16_type", &[I16]),
    ("i32_type", &[I32]),
    ("i64_type", &[I64]),
    ("i128_type", &[I128]),
    ("f32_type", &[F32]),
    ("f64_type", &[F64]),
    ("scalar_float", &[F32, F64]),
];

/// Every type, and none.
const ALL: u8 = u8::MAX;

/// A rule that covers an opcode.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct NativeRow {
    /// The opcode.
    pub opcode: Opcode,
    /// Controlling types, a bit for each of [`TYPES`]; the top bit is an opcode without one.
    pub ctrl: u8,
    /// Types of the first value operand, the same way.
    pub first: u8,
    /// The feature that the rule asks for, without `has_`; empty for none.
    pub requires: String,
}

fn bits(types: &[Type]) -> u8 {
    TYPES.iter().enumerate().filter(|(_, ty)| types.contains(ty)).fold(0, |bits, (i, _)| bits | 1 << i)
}

/// The types that a type pattern stands for. `None` if it says something else.
fn type_pattern(pattern: &Sexpr) -> Option<u8> {
    match pattern {
        Sexpr::Atom(word) if word.starts_with('$') => None,
        Sexpr::Atom(_) => Some(ALL),
        Sexpr::List(_) => {
            let (name, _) = pattern.call()?;
            TYPE_TERMS.iter().find(|(term, _)| *term == name).map(|(_, types)| bits(types))
        }
    }
}

fn value_pattern(pattern: &Sexpr) -> Option<u8> {
    match pattern {
        Sexpr::Atom(_) => Some(ALL),
        Sexpr::List(_) => match pattern.call()? {
            ("value_type", [ty]) => type_pattern(ty),
            _ => None,
        },
    }
}

/// How many operands of the term after the type are values, and whether they come first.
fn is_value(def: &OpcodeDef, index: usize) -> bool {
    match def.format {
        Format::Unary | Format::BinaryImm8 | Format::CondTrap | Format::Brif | Format::BranchTable => {
            index == 0
        }
        Format::Binary | Format::TernaryImm8 | Format::Shuffle | Format::IntAddTrap => index < 2,
        Format::Ternary => true,
        Format::IntCompare | Format::FloatCompare => index > 0,
        Format::Load | Format::LoadNoOffset => index == 1,
        Format::Store | Format::StoreNoOffset => index == 1 || index == 2,
        Format::AtomicRmw => index >= 2,
        Format::AtomicCas => index >= 1,
        _ => false,
    }
}

/// The row that a `(lower …)` pattern gives, if it covers.
fn row_of(pattern: &Sexpr) -> Option<NativeRow> {
    let (name, args) = pattern.call()?;
    let def = TABLE.iter().find(|def| def.name == name)?;
    let mut patterns = joined(args).into_iter();
    let ctrl = type_pattern(&patterns.next()?)?;
    let mut first = None;
    for (i, pattern) in patterns.enumerate() {
        if is_value(def, i) {
            let types = value_pattern(&pattern)?;
            first.get_or_insert(types);
        }
    }
    Some(NativeRow { opcode: def.opcode, ctrl, first: first.unwrap_or(ALL), requires: String::new() })
}

/// Patterns with `x @ p` as one: `p`.
fn joined(args: &[Sexpr]) -> Vec<Sexpr> {
    let mut patterns: Vec<Sexpr> = Vec::new();
    let mut rest = args.iter();
    while let Some(arg) = rest.next() {
        if arg.atom() == Some("@")
            && let (Some(last), Some(pattern)) = (patterns.last_mut(), rest.next())
        {
            *last = pattern.clone();
        } else {
            patterns.push(arg.clone());
        }
    }
    patterns
}

/// The rows of a target's rules, given the texts of its files.
pub fn native_rows<'a>(files: impl IntoIterator<Item = &'a str>) -> Vec<NativeRow> {
    let mut rows = Vec::new();
    for text in files {
        for item in read(text) {
            let Some(("rule", parts)) = item.call() else { continue };
            let mut parts = parts.iter().skip_while(|part| part.atom().is_some());
            let pattern = match parts.next().and_then(Sexpr::call) {
                Some(("lower" | "lower_branch", [pattern, ..])) => pattern,
                _ => continue,
            };
            let Some(mut row) = row_of(pattern) else { continue };
            let mut covers = true;
            for part in parts {
                if let Some(("if-let", [_, condition])) = part.call() {
                    match condition.call().and_then(|(name, _)| name.strip_prefix("has_")) {
                        Some(feature) if row.requires.is_empty() => row.requires = feature.into(),
                        _ => covers = false,
                    }
                }
            }
            if covers {
                rows.push(row);
            }
        }
    }
    rows.sort();
    rows.dedup();
    rows
}

/// A Rust file with a static `NATIVE` of the rows of the rules in `files`.
///
/// # Errors
///
/// A file that cannot be read.
pub fn native_table(files: &[PathBuf]) -> Result<String, String> {
    let texts: Vec<String> = files
        .iter()
        .map(|file| std::fs::read_to_string(file).map_err(|e| format!("{}: {e}", file.display())))
        .collect::<Result<_, _>>()?;
    let mut out = String::from("// Generated from the rules.\n\n");
    out.push_str("/// What the rules do natively.\npub static NATIVE: &[NativeRow] = &[\n");
    for row in native_rows(texts.iter().map(String::as_str)) {
        let _ = writeln!(
            out,
            "    NativeRow {{ opcode: Opcode::{:?}, ctrl: {:#04x}, first: {:#04x}, requires: {:?} }},",
            row.opcode, row.ctrl, row.first, row.requires
        );
    }
    out.push_str("];\n");
    Ok(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rows(text: &str) -> Vec<NativeRow> {
        native_rows([text])
    }

    #[test]
    fn a_rule_without_conditions_covers_its_types() {
        let found = rows("(rule 0 (lower (iadd (fits_in_32 _) x y)) (add x y))");
        assert_eq!(
            found,
            [NativeRow { opcode: Opcode::Iadd, ctrl: 0b111, first: ALL, requires: String::new() }]
        );
    }

    #[test]
    fn a_rule_for_some_operands_does_not_cover() {
        assert_eq!(rows("(rule 1 (lower (iadd (i64_type) x (u64_const k))) z)"), []);
        assert_eq!(rows("(rule 1 (lower (iadd (i64_type) x (bnot _ y))) z)"), []);
        assert_eq!(rows("(rule 1 (lower (iadd (i64_type) x y)) (if-let k (small y)) z)"), []);
        assert_eq!(rows("(rule (other (iadd (i64_type) x y)) z)"), []);
    }

    #[test]
    fn features_and_operand_types_are_recorded() {
        let found = rows("(rule 3 (lower (fma (f64_type) x y z)) (if-let _ (has_vfp4)) w)");
        assert_eq!((found[0].ctrl, found[0].requires.as_str()), (1 << 6, "vfp4"));
        let found = rows("(rule (lower (ireduce (fits_in_32 _) x @ (value_type (i64_type)))) w)");
        assert_eq!(found[0].first, 1 << 3);
        let found = rows("(rule 0 (lower (load (i16_type) (native f) p off)) w)");
        assert_eq!(found[0].ctrl, 1 << 1);
    }
}
