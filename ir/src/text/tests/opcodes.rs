//! Every row of the opcode table, at every type: an example is made from the row, parsed and printed.

use super::*;
use crate::opcode::{Ctrl, Format, OpcodeDef, TABLE, Ty};
use crate::types::{self, Type};
use crate::{Inst, TypeSet};
use alloc::format;
use alloc::vec::Vec;

const FLAGS: &str = " notrap aligned readonly can_move little region0";

/// A type that an operand may have.
fn operand_type(ty: Ty, ctrl: Type) -> Option<Type> {
    ty.resolve(ctrl).or_else(|| Type::all().iter().copied().find(|&t| ty.accepts(ctrl, t)))
}

/// The operands of `def` at `ctrl`, with a leading space where there are any; value operands are `v0`, `v1`, ….
fn operands(def: &OpcodeDef, ctrl: Type) -> String {
    let all = (0..def.args.len()).map(|i| format!("v{i}")).collect::<Vec<_>>().join(", ");
    match def.format {
        Format::Nullary => "".into(),
        Format::Unary | Format::Binary | Format::Ternary => format!(" {all}"),
        Format::UnaryImm => " -5".into(),
        Format::UnaryIeee16 => " 0x1.200p0".into(),
        Format::UnaryIeee32 => " 0x1.400000p-3".into(),
        Format::UnaryIeee64 => " -0x1.0000000000001p3".into(),
        Format::UnaryConst => " const0".into(),
        Format::UnaryGlobalValue => " gv0".into(),
        Format::BinaryImm8 | Format::TernaryImm8 => format!(" {all}, 1"),
        Format::Shuffle => format!(" {all}, 0x1f1e1d1c1b1a19181716151413121110"),
        Format::IntCompare => format!(" ult {all}"),
        Format::FloatCompare => format!(" uge {all}"),
        Format::IntAddTrap => format!(" {all}, user7"),
        Format::MultiAry => " v8, v9".into(),
        Format::Jump => " block1(v8)".into(),
        Format::Brif => " v0, block1(v8), block2".into(),
        Format::BranchTable => " v0, block2, [block1(v8), block2]".into(),
        Format::Call => " fn0(v8)".into(),
        Format::CallIndirect => " sig0, v0(v8)".into(),
        Format::TryCall => {
            " fn0(v8), sig0, block1(ret0), [ tag7: block1(exn0), context v9, default: block2 ]".into()
        }
        Format::TryCallIndirect => " v0(v8), sig0, block1(v8), []".into(),
        Format::FuncAddr => " fn0".into(),
        Format::Load | Format::Store => format!("{FLAGS} {all}+12"),
        Format::LoadNoOffset | Format::StoreNoOffset => format!("{FLAGS} {all}"),
        Format::StackAddr => " ss0-4".into(),
        Format::AtomicRmw => format!(" little xchg {all}"),
        Format::AtomicCas => format!(" user5 big {all}"),
        Format::Trap => " int_divz".into(),
        Format::CondTrap => " v0, user250".into(),
        Format::ExceptionHandlerAddress => " block2, 3".into(),
    }
    .replace("const0", if ctrl.bits() == 256 { "const1" } else { "const0" })
}

/// The function with `def` at `ctrl`, and its instruction's line. `None` if an operand can have no type.
fn example(def: &OpcodeDef, ctrl: Type, with_suffix: bool) -> Option<(String, String)> {
    let mut params = String::new();
    for (i, &ty) in def.args.iter().enumerate() {
        params.push_str(&format!("v{i}: {}, ", operand_type(ty, ctrl)?));
    }
    let is_call = matches!(def.format, Format::Call | Format::CallIndirect);
    let results = match def.effects.has(crate::Effects::TERMINATOR) {
        true => 0,
        false if is_call => 1,
        false => def.results.len(),
    };
    let names = (20..20 + results).map(|n| format!("v{n}")).collect::<Vec<_>>().join(", ");
    let head = if results > 0 { format!("{names} = ") } else { String::new() };
    let dotted = if with_suffix { format!("{}.{ctrl}", def.name) } else { def.name.into() };
    let line = format!("{head}{dotted}{}", operands(def, ctrl));
    let text = format!(
        "function %f() fast {{
    ss0 = explicit_slot 16
    region0 = 3 \"a \\\"b\\\\\"
    gv0 = symbol colocated tls %x-9
    sig0 = (i32) -> i32 fast
    fn0 = %g sig0
    const0 = 0x000102030405060708090a0b0c0d0e0f

block0({params}v8: i32, v9: i32):
    {line}

block1(v10: i32):
    return

block2:
    return
}}
"
    );
    Some((text, line))
}

fn each_example(mut f: impl FnMut(&OpcodeDef, Type, &str, &str)) {
    for def in TABLE {
        let mut any = false;
        let (set, suffix) = match def.ctrl {
            Ctrl::None => (None, false),
            Ctrl::Suffix(set) => (Some(set), true),
            Ctrl::Operand(_, set) => (Some(set), false),
        };
        let allowed = |ty: &Type| set.is_some_and(|set: TypeSet| set.contains(*ty));
        let types =
            Type::all().iter().copied().filter(allowed).chain(set.is_none().then_some(types::INVALID));
        for ctrl in types {
            if let Some((text, line)) = example(def, ctrl, suffix)
                && def.results.iter().all(|r| r.resolve(ctrl).is_some_and(|ty| !ty.is_invalid()))
            {
                any = true;
                f(def, ctrl, &text, &line);
            }
        }
        assert!(any, "no example of {}", def.name);
    }
}

#[test]
fn every_opcode_at_every_type_prints_as_it_is_read() {
    let mut count = 0;
    each_example(|def, ctrl, text, line| {
        let func = parse_function(text).unwrap_or_else(|e| panic!("{} at {ctrl}: {e}\n{text}", def.name));
        let inst = Inst::from_u32(0);
        assert_eq!(DisplayInst(&func, inst).to_string(), line);
        assert_eq!(func.dfg.opcode(inst), def.opcode);
        assert_eq!(func.dfg.insts[inst].format(), def.format);
        assert_eq!(func.dfg.ctrl_type(inst), ctrl, "{line}");
        assert_eq!(reprint(text), text);
        count += 1;
    });
    assert!(count > 500, "only {count} examples");
}

#[test]
fn suffixes_may_repeat_the_type_of_an_operand() {
    each_example(|def, ctrl, text, _| {
        if let Ctrl::Operand(..) = def.ctrl {
            let (suffixed, line) = example(def, ctrl, true).unwrap();
            assert!(line.contains(&format!("{}.{ctrl}", def.name)));
            assert_eq!(reprint(&suffixed), text);
        }
    });
}

#[test]
fn results_without_names_get_numbers_behind_all_others() {
    each_example(|def, ctrl, text, line| {
        if let Some((names, rest)) = line.split_once(" = ") {
            let printed = reprint(&text.replace(line, rest));
            let renamed: Vec<String> = names
                .split(", ")
                .map(|name| format!("v{}", name[1..].parse::<u32>().unwrap() - 20 + 11))
                .collect();
            assert_eq!(printed, text.replace(names, &renamed.join(", ")), "{} at {ctrl}", def.name);
        }
    });
}

#[test]
fn types_are_found_when_operands_are_defined_behind_their_use() {
    each_example(|def, ctrl, text, line| {
        let Ctrl::Operand(i, _) = def.ctrl else { return };
        // The controlling operand becomes an alias of a parameter of a later block.
        let param = format!("v{i}: {ctrl}, ");
        let moved = text
            .replacen(&param, "", 1)
            .replace("block2:\n", &format!("block2(v30: {ctrl}):\n    v31 -> v30\n    v{i} -> v31\n"));
        let func = parse_function(&moved).unwrap_or_else(|e| panic!("{line}: {e}\n{moved}"));
        assert_eq!(func.dfg.ctrl_type(Inst::from_u32(0)), ctrl);
        let printed = reprint(&moved);
        assert!(printed.contains(&format!("{}.{ctrl} ", def.name)), "{printed}");
    });
}
