//! An example of each opcode at each type, made from its row in the table.

use windlass_ir::opcode::{Ctrl, Effects, Format, OpcodeDef, Ty, TypeSet};
use windlass_ir::text::{DisplayInst, parse_function};
use windlass_ir::types::*;
use windlass_ir::{Inst, Opcode, Type, verify_function};

/// A type that an operand may have; narrow and scalar ones first.
fn operand_type(ty: Ty, ctrl: Type) -> Option<Type> {
    match ty {
        Ty::Any(TypeSet::Addr) => Some(I64),
        _ => ty.resolve(ctrl).or_else(|| Type::all().iter().copied().find(|&t| ty.accepts(ctrl, t))),
    }
}

/// The operands as text; values are `v0`, `v1`, ….
fn operands(def: &OpcodeDef) -> String {
    let all = (0..def.args.len()).map(|i| format!("v{i}")).collect::<Vec<_>>().join(", ");
    match def.format {
        Format::Nullary => String::new(),
        Format::Unary | Format::Binary | Format::Ternary => format!(" {all}"),
        Format::UnaryImm => " -5".into(),
        Format::UnaryIeee16 => " 0x1.200p0".into(),
        Format::UnaryIeee32 => " 0x1.400000p-3".into(),
        Format::UnaryIeee64 => " -0x1.0000000000001p3".into(),
        Format::UnaryConst => " const0".into(),
        Format::UnaryGlobalValue => (if def.opcode == Opcode::TlsValue { " gv1" } else { " gv0" }).into(),
        Format::BinaryImm8 | Format::TernaryImm8 => format!(" {all}, 1"),
        Format::Shuffle => format!(" {all}, 0x1f1e1d1c1b1a19181716151413121110"),
        Format::IntCompare => format!(" ult {all}"),
        Format::FloatCompare => format!(" uge {all}"),
        Format::IntAddTrap => format!(" {all}, user7"),
        Format::MultiAry => String::new(),
        Format::Jump => " block2".into(),
        Format::Brif => " v0, block2, block2".into(),
        Format::BranchTable => " v0, block2, [block2]".into(),
        Format::Call => " fn0()".into(),
        Format::CallIndirect => " sig0, v0()".into(),
        Format::TryCall => " fn0(), sig0, block2, [ tag7: block2, default: block2 ]".into(),
        Format::TryCallIndirect => " v0(), sig0, block2, []".into(),
        Format::FuncAddr => " fn0".into(),
        Format::Load | Format::Store => format!(" notrap aligned {all}+12"),
        Format::LoadNoOffset | Format::StoreNoOffset => format!(" {}{all}", order(def)),
        Format::StackAddr => " ss0".into(),
        Format::AtomicRmw => format!(" little xchg {all}"),
        Format::AtomicCas => format!(" big {all}"),
        Format::Trap => " int_divz".into(),
        Format::CondTrap => " v0, user250".into(),
        Format::ExceptionHandlerAddress => " block1, 0".into(),
    }
}

/// Vectors of different lanes need a byte order to be cast.
fn order(def: &OpcodeDef) -> &'static str {
    if def.opcode == Opcode::Bitcast { "little " } else { "aligned " }
}

/// A function without parameters that has `def` at `ctrl` in it; `None` if there is no such cell.
pub fn example(def: &OpcodeDef, ctrl: Type) -> Option<String> {
    match def.ctrl.types() {
        None if !ctrl.is_invalid() => return None,
        Some(set) if ctrl.is_invalid() || !set.contains(ctrl) => return None,
        _ => {}
    }
    if def.results.iter().any(|ty| ty.resolve(ctrl).is_none_or(|ty| ty.is_invalid())) {
        return None;
    }
    let address = if ctrl == I32 && matches!(def.ctrl.types(), Some(TypeSet::Addr)) { I32 } else { I64 };
    let mut setup = String::new();
    for (i, &ty) in def.args.iter().enumerate() {
        let ty = operand_type(ty, ctrl)?;
        setup += &if matches!(def.args[i], Ty::Any(TypeSet::Addr)) {
            format!("    v{i} = stack_addr.{ty} ss0\n")
        } else if matches!(def.ctrl.types(), Some(TypeSet::Addr)) && ty == ctrl {
            // What is called.
            format!("    v{i} = func_addr.{ty} fn0\n")
        } else if ty == F128 || ty == F16 {
            format!("    v{i} = {ty}const {}\n", if ty == F128 { "const0" } else { "0.0" })
        } else if ty.is_vector() {
            format!("    v{i} = vconst.{ty} const0\n")
        } else if ty == I128 {
            format!("    v6{i} = iconst.i64 3\n    v{i} = uextend.i128 v6{i}\n")
        } else if ty.is_float() {
            format!("    v{i} = {ty}const 1.0\n")
        } else {
            format!("    v{i} = iconst.{ty} 3\n")
        };
    }
    let is_call = matches!(def.format, Format::Call | Format::CallIndirect);
    let results = if def.effects.has(Effects::TERMINATOR) || is_call { 0 } else { def.results.len() };
    let names = (20..20 + results).map(|n| format!("v{n}")).collect::<Vec<_>>().join(", ");
    let head = if results > 0 { format!("{names} = ") } else { String::new() };
    let dotted = match def.ctrl {
        Ctrl::Suffix(_) => format!("{}.{ctrl}", def.name),
        _ => def.name.into(),
    };
    let end = if def.effects.has(Effects::TERMINATOR) { "" } else { "    jump block1\n" };
    Some(format!(
        "function %f() tail {{
    ss0 = explicit_slot 64, align = 16
    gv0 = symbol colocated %x
    gv1 = symbol colocated tls %y
    sig0 = () tail
    fn0 = %g sig0
    const0 = 0x000102030405060708090a0b0c0d0e0f

block0:
{setup}    {head}{dotted}{}
{end}
block1:
    v99 = func_addr.{address} fn0
    try_call fn0(), sig0, block2, [ default: block2 ]

block2:
    return
}}
",
        operands(def)
    ))
}

/// The example parses, prints as it is read, and is accepted.
pub fn check_text_and_verifier(def: &OpcodeDef, ctrl: Type, text: &str) {
    let func = parse_function(text).unwrap_or_else(|e| panic!("{} {ctrl}: {e}\n{text}", def.name));
    let printed = func.to_string();
    let again = parse_function(&printed).unwrap_or_else(|e| panic!("{} {ctrl}: {e}\n{printed}", def.name));
    assert_eq!(again.to_string(), printed);
    assert_eq!(verify_function(&func), Ok(()), "{} {ctrl}\n{text}", def.name);
    let entry = func.layout.entry_block().expect("there is a block");
    let inst: Option<Inst> = func.layout.block_insts(entry).find(|&inst| func.dfg.opcode(inst) == def.opcode);
    let inst = inst.expect("the opcode is there");
    assert_eq!(func.dfg.ctrl_type(inst), ctrl, "{}", DisplayInst(&func, inst));
}
