//! The reference page of the language, `docs/ir.md`: prose with tables out of the opcode table and its kin.
//!
//! **In**: the prose in `page.md`, whose `{{name}}` are replaced. **Out**: the page as Markdown. A test compares it
//! with the file in `docs/`; `WINDLASS_BLESS=1 cargo test -p windlass-ir --test reference` writes that.

use crate::condcodes::{FloatCC, IntCC};
use crate::extname::LibCall;
use crate::instdata::AtomicRmwOp;
use crate::opcode::{Ctrl, Effects, Format, Opcode, OpcodeDef, TABLE, Ty, TypeSet};
use crate::signature::CallConv;
use crate::types::Type;
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

/// The first opcode of each group, in the order of the table.
const GROUPS: &[(Opcode, &str)] = &[
    (Opcode::Jump, "Control flow"),
    (Opcode::Call, "Calls"),
    (Opcode::Iconst, "Integers"),
    (Opcode::Band, "Bits"),
    (Opcode::Icmp, "Comparison and selection"),
    (Opcode::Ireduce, "Conversions of integers and bits"),
    (Opcode::F16const, "Floats"),
    (Opcode::Load, "Memory"),
    (Opcode::AtomicRmw, "Atomics"),
    (Opcode::GetPinnedReg, "The machine"),
    (Opcode::Splat, "Vectors"),
];

/// Every set, for the table of sets.
const SETS: &[TypeSet] = &[
    TypeSet::Int,
    TypeSet::NarrowInt,
    TypeSet::WideInt,
    TypeSet::Int16To64,
    TypeSet::Int32Or64,
    TypeSet::Ext32,
    TypeSet::Addr,
    TypeSet::IntVec,
    TypeSet::VecInt,
    TypeSet::VecIntNarrowable,
    TypeSet::VecIntWidenable,
    TypeSet::Float,
    TypeSet::FloatVec,
    TypeSet::Scalar,
    TypeSet::Vec,
    TypeSet::Any,
];

/// The page.
///
/// ```
/// let page = windlass_ir::reference::page();
/// assert!(page.contains("| `iadd x, y` |"));
/// ```
pub fn page() -> String {
    let mut out = String::new();
    let mut rest = include_str!("page.md");
    while let Some((before, after)) = rest.split_once("{{") {
        let Some((name, after)) = after.split_once("}}") else { break };
        out.push_str(before);
        out.push_str(&section(name));
        rest = after;
    }
    out.push_str(rest);
    out
}

/// What stands for `{{name}}`.
fn section(name: &str) -> String {
    match name {
        "types" => types(),
        "type_sets" => type_sets(),
        "count" => TABLE.len().to_string(),
        "opcodes" => opcodes(),
        "intcc" => lines(IntCC::ALL.iter().map(|&cc| format!("| `{cc}` | {} |", int_meaning(cc)))),
        "floatcc" => lines(FloatCC::ALL.iter().map(|&cc| format!("| `{cc}` | {} |", float_meaning(cc)))),
        "traps" => traps(),
        "rmw" => codes(AtomicRmwOp::ALL.iter().map(|op| op.name())),
        "libcalls" => codes(LibCall::ALL.iter().map(|call| call.name())),
        "conventions" => conventions(),
        "entities" => {
            codes(["v0", "block0", "ss0", "gv0", "sig0", "fn0", "const0", "region0", "tag0"].iter().copied())
        }
        _ => format!("(no section `{name}`)"),
    }
}

fn lines(lines: impl Iterator<Item = String>) -> String {
    lines.collect::<Vec<_>>().join("\n")
}

fn codes<'a>(words: impl Iterator<Item = &'a str>) -> String {
    words.map(|word| format!("`{word}`")).collect::<Vec<_>>().join(" ")
}

fn types() -> String {
    let mut out = String::from("| type | bits | what |\n|---|---|---|\n");
    for &ty in Type::all() {
        let what = match (ty.is_vector(), ty.is_int(), ty.is_float()) {
            (true, ..) => format!("vector of {} lanes of `{}`", ty.lane_count(), ty.lane_type()),
            (_, true, _) => "integer".into(),
            (_, _, true) => format!("IEEE 754 binary{}", ty.bits()),
            _ => String::new(),
        };
        out.push_str(&format!("| `{ty}` | {} | {what} |\n", ty.bits()));
    }
    out.pop();
    out
}

fn members(set: TypeSet) -> String {
    Type::all()
        .iter()
        .filter(|&&ty| set.contains(ty))
        .map(|ty| format!("`{ty}`"))
        .collect::<Vec<_>>()
        .join(" ")
}

fn type_sets() -> String {
    let mut out = String::from("| set | types |\n|---|---|\n");
    for &set in SETS {
        out.push_str(&format!("| {} | {} |\n", set.describe(), members(set)));
    }
    out.pop();
    out
}

fn opcodes() -> String {
    let mut out = String::new();
    for (i, &(first, title)) in GROUPS.iter().enumerate() {
        let end = GROUPS.get(i + 1).map_or(TABLE.len(), |&(next, _)| next as usize);
        out.push_str(&format!(
            "### {title}\n\n| text | T | operands | results | effects | meaning |\n|---|---|---|---|---|---|\n"
        ));
        for def in &TABLE[first as usize..end] {
            out.push_str(&row(def));
        }
        out.push('\n');
    }
    out.truncate(out.trim_end().len());
    out
}

fn row(def: &OpcodeDef) -> String {
    let control = match def.ctrl {
        Ctrl::None => String::new(),
        Ctrl::Suffix(set) => set.describe().into(),
        Ctrl::Operand(i, set) => format!("{}: {}", set.describe(), operand_name(def, i.into())),
    };
    let list = |types: &[Ty]| types.iter().map(|ty| ty.describe()).collect::<Vec<_>>().join(", ");
    let results = if def.effects.has(Effects::CALL) && !def.effects.has(Effects::TERMINATOR) {
        "the signature's".into()
    } else {
        list(def.results)
    };
    format!(
        "| `{}` | {control} | {} | {results} | {} | {} |\n",
        shape(def),
        list(def.args),
        effects(def.effects),
        def.doc.replace('|', "\\|")
    )
}

/// How an opcode's value operand is called.
fn operand_name(def: &OpcodeDef, i: usize) -> &'static str {
    let names: &[&str] = match def.format {
        Format::Load => &["p"],
        Format::Store | Format::StoreNoOffset => &["x", "p"],
        Format::LoadNoOffset if def.opcode != Opcode::Bitcast => &["p"],
        Format::AtomicRmw => &["p", "x"],
        Format::AtomicCas => &["p", "x", "y"],
        Format::Brif | Format::CondTrap => &["c"],
        Format::CallIndirect | Format::TryCallIndirect => &["callee"],
        Format::Ternary if matches!(def.args, [Ty::Any(_), ..]) || def.opcode == Opcode::Bitselect => {
            &["c", "x", "y"]
        }
        _ => &["x", "y", "z"],
    };
    names.get(i).copied().unwrap_or("x")
}

/// The opcode with its operands, as text has them.
fn shape(def: &OpcodeDef) -> String {
    let name = def.name;
    let dotted = match def.ctrl {
        Ctrl::Suffix(_) => format!("{name}.T"),
        _ => name.into(),
    };
    let values = (0..def.args.len()).map(|i| operand_name(def, i)).collect::<Vec<_>>().join(", ");
    match def.format {
        Format::Nullary => dotted,
        Format::Unary | Format::Binary | Format::Ternary => format!("{dotted} {values}"),
        Format::UnaryImm => format!("{dotted} imm"),
        Format::UnaryIeee16 | Format::UnaryIeee32 | Format::UnaryIeee64 => format!("{dotted} 0x1.8p0"),
        Format::UnaryConst => format!("{dotted} const0"),
        Format::UnaryGlobalValue => format!("{dotted} gv0"),
        Format::BinaryImm8 | Format::TernaryImm8 => format!("{dotted} {values}, lane"),
        Format::Shuffle => format!("{dotted} {values}, mask"),
        Format::IntCompare | Format::FloatCompare => format!("{dotted} cond {values}"),
        Format::IntAddTrap => format!("{dotted} {values}, trap"),
        Format::MultiAry => format!("{dotted} x, y, …"),
        Format::Jump => format!("{dotted} block1(args)"),
        Format::Brif => format!("{dotted} c, block1(args), block2(args)"),
        Format::BranchTable => format!("{dotted} x, block1(args), [block2(args), …]"),
        Format::Call => format!("{dotted} fn0(args)"),
        Format::CallIndirect => format!("{dotted} sig0, callee(args)"),
        Format::TryCall => {
            format!("{dotted} fn0(args), sig0, block1(args), [tag0: block2(args), default: block3(args)]")
        }
        Format::TryCallIndirect => format!("{dotted} callee(args), sig0, block1(args), […]"),
        Format::FuncAddr => format!("{dotted} fn0"),
        Format::Load => format!("{dotted} flags p+offset"),
        Format::Store => format!("{dotted} flags x, p+offset"),
        Format::LoadNoOffset => format!("{dotted} flags {values}"),
        Format::StoreNoOffset => format!("{dotted} flags {values}"),
        Format::StackAddr => format!("{dotted} ss0+offset"),
        Format::AtomicRmw => format!("{dotted} flags op {values}"),
        Format::AtomicCas => format!("{dotted} flags {values}"),
        Format::Trap => format!("{dotted} trap"),
        Format::CondTrap => format!("{dotted} c, trap"),
        Format::ExceptionHandlerAddress => format!("{dotted} block1, index"),
    }
}

fn effects(effects: Effects) -> String {
    [
        (Effects::TERMINATOR, "terminator"),
        (Effects::BRANCH, "branches"),
        (Effects::RETURN, "returns"),
        (Effects::CALL, "calls"),
        (Effects::TRAP, "traps"),
        (Effects::LOAD, "reads memory"),
        (Effects::STORE, "writes memory"),
        (Effects::OTHER, "other"),
    ]
    .into_iter()
    .filter(|&(effect, _)| effects.has(effect))
    .map(|(_, name)| name)
    .collect::<Vec<_>>()
    .join(", ")
}

fn int_meaning(cc: IntCC) -> &'static str {
    match cc {
        IntCC::Equal => "equal",
        IntCC::NotEqual => "not equal",
        IntCC::SignedLessThan => "less, signed",
        IntCC::SignedGreaterThanOrEqual => "greater or equal, signed",
        IntCC::SignedGreaterThan => "greater, signed",
        IntCC::SignedLessThanOrEqual => "less or equal, signed",
        IntCC::UnsignedLessThan => "less, unsigned",
        IntCC::UnsignedGreaterThanOrEqual => "greater or equal, unsigned",
        IntCC::UnsignedGreaterThan => "greater, unsigned",
        IntCC::UnsignedLessThanOrEqual => "less or equal, unsigned",
    }
}

fn float_meaning(cc: FloatCC) -> &'static str {
    match cc {
        FloatCC::Ordered => "neither is NaN",
        FloatCC::Unordered => "one is NaN",
        FloatCC::Equal => "equal (NaN is equal to nothing; -0 to +0)",
        FloatCC::NotEqual => "not equal, or one is NaN",
        FloatCC::OrderedNotEqual => "less or greater",
        FloatCC::UnorderedOrEqual => "equal, or one is NaN",
        FloatCC::LessThan => "less",
        FloatCC::LessThanOrEqual => "less or equal",
        FloatCC::GreaterThan => "greater",
        FloatCC::GreaterThanOrEqual => "greater or equal",
        FloatCC::UnorderedOrLessThan => "less, or one is NaN",
        FloatCC::UnorderedOrLessThanOrEqual => "less or equal, or one is NaN",
        FloatCC::UnorderedOrGreaterThan => "greater, or one is NaN",
        FloatCC::UnorderedOrGreaterThanOrEqual => "greater or equal, or one is NaN",
    }
}

fn traps() -> String {
    "| code | raised by |
|---|---|
| `stk_ovf` | a frame that the stack has no room for |
| `heap_oob` | an access to memory that is not mapped, unless its flags say otherwise |
| `int_ovf` | `sdiv` of the most negative value by -1, float-to-integer conversion out of range |
| `int_divz` | division by zero |
| `bad_toint` | conversion of NaN to an integer |
| `user1` … `user250` | what names them |"
        .into()
}

fn conventions() -> String {
    let mut out = String::from("| name | meaning |\n|---|---|\n");
    for &convention in CallConv::ALL {
        let meaning = match convention {
            CallConv::Fast => "the fastest, for calls between Windlass's own functions; the default in text",
            CallConv::Tail => "guarantees that `return_call` uses no stack",
            CallConv::SystemV => "the C convention of the target",
            CallConv::Aapcs => "Arm base procedure call standard",
            CallConv::AapcsVfp => "Arm procedure call standard with floats in VFP registers",
            CallConv::AapcsSoftfp => "Arm base standard as softfp systems use it: floats in core registers",
            CallConv::Elfv1 => "64-bit PowerPC ELF ABI version 1",
            CallConv::Elfv2 => "64-bit PowerPC ELF ABI version 2",
        };
        out.push_str(&format!("| `{convention}` | {meaning} |\n"));
    }
    out.pop();
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::text::parse_functions;

    #[test]
    fn groups_cover_the_table_in_order() {
        assert_eq!(GROUPS[0].0 as usize, 0);
        assert!(GROUPS.windows(2).all(|pair| pair[0].0 < pair[1].0));
    }

    #[test]
    fn no_placeholder_is_left() {
        let page = page();
        assert!(!page.contains("{{") && !page.contains("(no section"), "a name in page.md is unknown");
        for def in TABLE {
            assert!(page.contains(&format!("| `{}", def.name)), "{}", def.name);
        }
    }

    #[test]
    fn the_first_example_parses() {
        let text = page();
        let example = text.split("```text\n").nth(1).and_then(|rest| rest.split("```").next()).unwrap();
        let functions = parse_functions(example).unwrap();
        assert!(crate::verify_function(&functions[0]).is_ok());
    }

    #[test]
    fn the_preamble_example_parses() {
        let text = page();
        let example = text.split("```text\n").nth(2).and_then(|rest| rest.split("```").next()).unwrap();
        let closed = format!("{example}block0(v0: i32, v1: i64, v2: i64):\n    trap user1\n}}\n");
        let functions = parse_functions(&closed).unwrap();
        assert_eq!(crate::verify_function(&functions[0]), Ok(()));
        assert_eq!(functions[0].dfg.signatures.len(), 2);
    }
}
