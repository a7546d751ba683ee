//! Tests over the whole opcode table: everything scalar runs, and nothing brings the interpreter down.

use super::*;
use crate::condcodes::{FloatCC, IntCC};
use crate::immediates::{Ieee32, Ieee64, Imm64, Offset32};
use crate::instdata::{AtomicRmwOp, InstData};
use crate::memflags::MemFlags;
use crate::opcode::{Ctrl, Format, OpcodeDef, TABLE, Ty, TypeSet};
use crate::text::{parse_function, parse_functions};
use crate::types::{F32, F64};
use alloc::collections::BTreeSet;
use alloc::vec;

const SCALARS: [Type; 7] = [I8, I16, I32, I64, I128, F32, F64];

/// The types that an operand may have besides those that follow from the controlling type.
fn choices(want: Ty, ctrl: Type, machine: Machine) -> Vec<Type> {
    match want {
        Ty::Any(TypeSet::Addr) => vec![machine.address_type],
        _ => SCALARS.into_iter().filter(|&ty| want.accepts(ctrl, ty)).collect(),
    }
}

fn instruction(def: &OpcodeDef, args: &[Value], slot: crate::StackSlot) -> Option<InstData> {
    let opcode = def.opcode;
    let flags = MemFlags::new();
    let code = TrapCode::INTEGER_OVERFLOW;
    let offset = Offset32(0);
    Some(match (def.format, args) {
        (Format::Nullary, &[]) => InstData::Nullary { opcode },
        (Format::Unary, &[arg]) => InstData::Unary { opcode, arg },
        (Format::UnaryImm, &[]) => InstData::UnaryImm { opcode, imm: Imm64(-3) },
        (Format::UnaryIeee32, &[]) => InstData::UnaryIeee32 { opcode, imm: Ieee32(1) },
        (Format::UnaryIeee64, &[]) => InstData::UnaryIeee64 { opcode, imm: Ieee64(1) },
        (Format::Binary, &[x, y]) => InstData::Binary { opcode, args: [x, y] },
        (Format::Ternary, &[x, y, z]) => InstData::Ternary { opcode, args: [x, y, z] },
        (Format::IntCompare, &[x, y]) => InstData::IntCompare { opcode, cond: IntCC::Equal, args: [x, y] },
        (Format::FloatCompare, &[x, y]) => {
            InstData::FloatCompare { opcode, cond: FloatCC::Equal, args: [x, y] }
        }
        (Format::IntAddTrap, &[x, y]) => InstData::IntAddTrap { opcode, args: [x, y], code },
        (Format::Load, &[arg]) => InstData::Load { opcode, flags, arg, offset },
        (Format::Store, &[x, p]) => InstData::Store { opcode, flags, args: [x, p], offset },
        (Format::LoadNoOffset, &[arg]) => InstData::LoadNoOffset { opcode, flags, arg },
        (Format::StoreNoOffset, &[x, p]) => InstData::StoreNoOffset { opcode, flags, args: [x, p] },
        (Format::StackAddr, &[]) => InstData::StackAddr { opcode, slot, offset },
        (Format::AtomicRmw, &[p, x]) => {
            InstData::AtomicRmw { opcode, flags, op: AtomicRmwOp::Add, args: [p, x] }
        }
        (Format::AtomicCas, &[p, x, y]) => InstData::AtomicCas { opcode, flags, args: [p, x, y] },
        (Format::CondTrap, &[arg]) => InstData::CondTrap { opcode, arg, code },
        _ => return None,
    })
}

/// `f` with one instruction: its operands are parameters, addresses are of a stack slot.
fn single(def: &OpcodeDef, ctrl: Type, operands: &[Type], machine: Machine) -> Option<Function> {
    let mut func = Function::new(ExternalName::symbol("f"), Signature::new(CallConv::SystemV));
    let slot = func.stack_slots.push(StackSlotData { size: 16, align_shift: 4, key: None });
    let block = func.dfg.make_block();
    func.layout.append_block(block);
    let mut args = Vec::new();
    for (&ty, &want) in operands.iter().zip(def.args) {
        if matches!(want, Ty::Any(TypeSet::Addr)) {
            let mut at = FuncCursor::new(&mut func).at_bottom(block);
            args.push(at.ins().stack_addr(machine.address_type, slot, 0));
        } else {
            func.signature.params.push(AbiParam::new(ty));
            args.push(func.dfg.append_block_param(block, ty));
        }
    }
    let data = instruction(def, &args, slot)?;
    let mut at = FuncCursor::new(&mut func).at_bottom(block);
    let inst: crate::Inst = at.ins().make(data, ctrl);
    let results = func.dfg.inst_results(inst).to_vec();
    func.signature.returns = results.iter().map(|&v| AbiParam::new(func.dfg.value_type(v))).collect();
    FuncCursor::new(&mut func).at_bottom(block).ins().return_(&results);
    Some(func)
}

#[test]
fn every_scalar_opcode_runs_at_every_scalar_type() {
    let mut ran = BTreeSet::new();
    let mut cells = 0;
    for machine in [Machine::LE32, Machine::BE64] {
        for def in TABLE {
            let addresses = matches!(def.ctrl, Ctrl::Suffix(TypeSet::Addr) | Ctrl::Operand(_, TypeSet::Addr));
            let ctrls: Vec<Type> = match def.ctrl.types() {
                None => vec![Type::INVALID],
                Some(_) if addresses => vec![machine.address_type],
                Some(set) => SCALARS.into_iter().filter(|&ty| set.contains(ty)).collect(),
            };
            for ctrl in ctrls {
                let lists: Vec<Vec<Type>> =
                    def.args.iter().map(|&want| choices(want, ctrl, machine)).collect();
                let widest = lists.iter().map(Vec::len).max().unwrap_or(1);
                if lists.iter().any(Vec::is_empty) {
                    // Nothing is narrower than the narrowest type, or wider than the widest.
                    continue;
                }
                for i in 0..widest {
                    let operands: Vec<Type> = lists.iter().map(|list| list[i.min(list.len() - 1)]).collect();
                    let Some(func) = single(def, ctrl, &operands, machine) else { continue };
                    if func.signature.returns.iter().any(|p| !SCALARS.contains(&p.value_type)) {
                        continue;
                    }
                    assert_eq!(verify_function(&func), Ok(()), "{} {ctrl} {operands:?}", def.name);
                    let args: Vec<DataValue> = func
                        .signature
                        .params
                        .iter()
                        .map(|p| DataValue::from_bits(3, p.value_type).unwrap())
                        .collect();
                    let program = Program::new([&func], machine).unwrap();
                    let config = Config { max_stack_bytes: 1 << 12, ..Config::default() };
                    let outcome = Interpreter::new(&program, config).run(&func.name, &args);
                    assert!(
                        matches!(outcome, Outcome::Return(_) | Outcome::Trap { .. }),
                        "{} {ctrl} {operands:?}: {outcome}",
                        def.name
                    );
                    ran.insert(def.opcode);
                    cells += 1;
                }
            }
        }
    }
    let absent: Vec<&str> =
        TABLE.iter().filter(|def| !ran.contains(&def.opcode)).map(|def| def.name).collect();
    // Control flow and calls have tests of their own; the rest are vectors and types that are refused by name.
    let expected = [
        "jump",
        "brif",
        "br_table",
        "return",
        "trap",
        "call",
        "call_indirect",
        "return_call",
        "return_call_indirect",
        "try_call",
        "try_call_indirect",
        "func_addr",
        "f16const",
        "f128const",
        "symbol_value",
        "tls_value",
        "get_exception_handler_address",
        "splat",
        "swizzle",
        "shuffle",
        "insertlane",
        "extractlane",
        "vconst",
        "scalar_to_vector",
        "avg_round",
        "uadd_sat",
        "sadd_sat",
        "usub_sat",
        "ssub_sat",
        "vany_true",
        "vall_true",
        "vhigh_bits",
        "snarrow",
        "unarrow",
        "uunarrow",
        "swiden_low",
        "swiden_high",
        "uwiden_low",
        "uwiden_high",
        "iadd_pairwise",
        "sqmul_round_sat",
        "x86_pmaddubsw",
        "fvdemote",
        "fvpromote_low",
        "uload8x8",
        "sload8x8",
        "uload16x4",
        "sload16x4",
        "uload32x2",
        "sload32x2",
    ];
    assert_eq!(absent, expected);
    assert!(cells > 1000, "{cells}");
}

fn run_text(machine: Machine, text: &str, entry: &str, args: &[DataValue]) -> Outcome {
    let functions = parse_functions(text).unwrap();
    for func in &functions {
        assert_eq!(verify_function(func), Ok(()));
    }
    let program = Program::new(&functions, machine).unwrap();
    let mut interpreter = Interpreter::new(&program, Config::default());
    let mut host = |_: &ExternalName, args: &[DataValue], _: &mut Memory| {
        let tag = args[0].to_bits() as u32;
        let context = args.get(1).map(|value| value.to_bits() as u64);
        HostResult::Throw(Exception { tag, context, payload: [tag.into(), 7] })
    };
    interpreter.run_with(&mut host, &ExternalName::symbol(entry), args)
}

#[test]
fn exceptions_cross_tail_calls_indirect_calls_and_contexts() {
    let text = "
function %thrower(i32, i64) -> i32 tail {
    sig0 = (i32, i64) -> i32 tail
    fn0 = %throw sig0
block0(v0: i32, v1: i64):
    return_call fn0(v0, v1)
}
function %again(i32, i64) -> i32 tail {
    sig0 = (i32, i64) -> i32 tail
    fn0 = %thrower sig0
block0(v0: i32, v1: i64):
    v2 = func_addr.i64 fn0
    return_call_indirect sig0, v2(v0, v1)
}
function %f(i32, i64, i64) -> i32, i64 system_v {
    sig0 = (i32, i64) -> i32 tail
    fn0 = %again sig0
block0(v0: i32, v1: i64, v2: i64):
    v3 = func_addr.i64 fn0
    try_call_indirect v3(v0, v1), sig0, block1(ret0), [ tag5: block2(exn1), context v2, tag6: block3(exn0), default: block4 ]
block1(v4: i32):
    v5 = iconst.i64 1
    return v4, v5
block2(v6: i64):
    return v0, v6
block3(v7: i64):
    v8 = iadd v7, v1
    return v0, v8
block4:
    v9 = iconst.i64 -1
    return v0, v9
}
";
    let call = |tag, thrown, here| {
        let args = [DataValue::I32(tag), DataValue::I64(thrown), DataValue::I64(here)];
        match run_text(Machine::LE64, text, "f", &args) {
            Outcome::Return(values) => values[1],
            other => panic!("{other}"),
        }
    };
    assert_eq!(call(5, 100, 200), DataValue::I64(7));
    assert_eq!(call(6, 100, 100), DataValue::I64(106));
    assert_eq!(call(6, 100, 200), DataValue::I64(-1));
    assert_eq!(call(7, 100, 100), DataValue::I64(-1));
}

#[test]
fn traps_name_their_place() {
    let text = "
function %f(i32) -> i32 {
    sig0 = (i32) -> i32
    fn0 = %g sig0
block0(v0: i32):
    v1 = call fn0(v0)
    return v1
}
function %g(i32) -> i32 {
block0(v0: i32):
    v1 = iconst.i32 100
    v2 = sdiv v1, v0
    trapz v2, user9
    trap user10
}
";
    let at = |arg| match run_text(Machine::LE32, text, "f", &[DataValue::I32(arg)]) {
        Outcome::Trap { code, at } => (code, at.func, at.inst.map(|inst| inst.as_u32())),
        other => panic!("{other}"),
    };
    let g = ExternalName::symbol("g");
    assert_eq!(at(0), (TrapCode::INTEGER_DIVISION_BY_ZERO, g.clone(), Some(1)));
    assert_eq!(Some(at(101).0), TrapCode::user(9));
    assert_eq!(at(1), (TrapCode::user(10).unwrap(), g, Some(3)));
}

#[test]
fn the_machine_of_functions_shows_in_their_addresses() {
    let none = parse_function("function %f() { block0: return }").unwrap();
    let narrow = parse_function("function %f(i32) { block0(v0: i32): v1 = load.i64 v0 return }").unwrap();
    let wide = "function %f() -> i64 { ss0 = explicit_slot 8 block0: v0 = stack_addr.i64 ss0 return v0 }";
    let wide = parse_function(wide).unwrap();
    let of = |func: &Function| Machine::of([func], Endianness::Big);
    assert_eq!(of(&none), None);
    assert_eq!(of(&narrow), Some(Machine::BE32));
    assert_eq!(of(&wide), Some(Machine::BE64));
}

/// Marsaglia's xorshift.
fn random(state: &mut u64) -> usize {
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    (state.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 20) as usize
}

/// Functions that the verifier never saw: operands, opcodes and references changed at random.
#[test]
fn spoiled_functions_never_bring_the_interpreter_down() {
    let text = "
function %f(i32 vmctx, i64, f64, i128) -> i32, i128 tail {
    ss0 = explicit_slot 24, align = 16
    gv0 = vmctx
    gv1 = load.i32 notrap aligned gv0+4
    gv2 = symbol %data
    sig0 = (i32 vmctx, i64, f64, i128) -> i32, i128 tail
    sig1 = (f64) -> f64 system_v
    fn0 = %f sig0
    fn1 = %CeilF64 sig1
block0(v0: i32, v1: i64, v2: f64, v3: i128):
    v4 = iconst.i32 5
    v5 = iadd v0, v4
    v6, v7 = sadd_overflow v3, v3
    v8 = stack_addr.i32 ss0
    store v1, v8+8
    v9 = load.i128 aligned v8
    v10 = call fn1(v2)
    v11 = fcvt_to_sint_sat.i16 v10
    v12 = icmp slt v5, v4
    v13 = symbol_value.i32 gv1
    v14 = func_addr.i32 fn0
    brif v12, block1(v5, v9), block2(v11)
block1(v15: i32, v16: i128):
    v17, v18 = isplit v16
    v19 = udiv v17, v1
    v20 = select v19, v15, v4
    br_table v20, block3(v20, v16), [block1(v4, v3), block1(v20, v9)]
block2(v21: i16):
    v22 = sextend.i32 v21
    v23, v24 = call_indirect sig0, v14(v22, v1, v2, v3)
    try_call fn0(v23, v1, v2, v24), sig0, block3(ret0, ret1), [ tag0: block3(exn0, v6), default: block3(exn1, v3) ]
block3(v25: i32, v26: i128):
    v27 = atomic_rmw.i16 add v8, v21
    return_call fn0(v25, v1, v2, v26)
}
";
    let func = parse_function(text).unwrap();
    let insts: Vec<crate::Inst> = func.dfg.insts.keys().collect();
    let mut state = 0x9e37_79b9_7f4a_7c15;
    let (mut returned, mut failed) = (0, 0);
    for _ in 0..20_000 {
        let mut spoiled = func.clone();
        for _ in 0..1 + random(&mut state) % 3 {
            let inst = insts[random(&mut state) % insts.len()];
            let values = spoiled.dfg.num_values() as u32 + 1;
            let mut pick = || Value::from_u32(random(&mut state) as u32 % values);
            match pick().as_u32() % 5 {
                0 => {
                    // Another's data: operands, format and opcode no longer fit the results.
                    let other = insts[pick().as_u32() as usize % insts.len()];
                    spoiled.dfg.insts[inst] = spoiled.dfg.insts[other];
                }
                1 => spoiled.layout.remove_inst(inst),
                2 => {
                    let lists = &mut spoiled.dfg.value_lists;
                    for v in spoiled.dfg.insts[inst].args_mut(lists) {
                        *v = pick();
                    }
                }
                3 => {
                    let blocks = spoiled.dfg.num_blocks() as u32 + 1;
                    let target = crate::Block::from_u32(pick().as_u32() % blocks);
                    spoiled.dfg.for_each_destination_mut(inst, |call, _| call.block = target);
                }
                _ => {
                    if let InstData::Binary { opcode, .. } | InstData::Unary { opcode, .. } =
                        &mut spoiled.dfg.insts[inst]
                    {
                        *opcode = TABLE[pick().as_u32() as usize % TABLE.len()].opcode;
                    }
                }
            }
        }
        let program = Program::new([&spoiled], Machine::LE32).unwrap();
        let config = Config { fuel: Some(1000), max_stack_bytes: 1 << 13, ..Config::default() };
        let mut machine = Interpreter::new(&program, config);
        let context = machine.memory_mut().alloc(16, 4).unwrap() as i32;
        let args = [
            DataValue::I32(context),
            DataValue::I64(random(&mut state) as i64 % 3),
            DataValue::F64(1.5.into()),
            DataValue::I128(-1),
        ];
        match machine.run(&func.name, &args) {
            Outcome::Error(_) => failed += 1,
            _ => returned += 1,
        }
    }
    assert!(returned > 1000 && failed > 1000, "{returned} ran, {failed} failed");
}
