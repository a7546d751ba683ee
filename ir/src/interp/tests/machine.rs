//! Memory, control, calls, exceptions, limits, errors.

use super::*;
use crate::condcodes::IntCC;
use crate::entities::Block;
use crate::function::GlobalValueData;
use crate::instdata::{
    AtomicRmwOp, BlockArg, BlockCall, ExceptionItem, ExceptionTableData, InstData, JumpTableData,
};
use crate::memflags::MemFlags;
use crate::signature::{ArgumentPurpose, StructArg};
use crate::types::{F32, F64};
use crate::{ExceptionTag, ExtFuncData};
use alloc::string::ToString;
use alloc::vec;

#[test]
fn memory_has_both_byte_orders_at_every_type() {
    for machine in [Machine::LE32, Machine::BE32, Machine::LE64, Machine::BE64] {
        let addr = machine.address_type;
        for ty in [I8, I16, I32, I64, I128, F32, F64] {
            let bits = 0x0102_0304_0506_0708_090a_0b0c_0d0e_0f10u128 >> (128 - ty.bits());
            let value = DataValue::from_bits(bits, ty).unwrap();
            for order in [None, Some(Endianness::Little), Some(Endianness::Big)] {
                let flags = order.map_or(MemFlags::new(), |e| MemFlags::new().with_endianness(e));
                let func = slot_function("f", 32, &[ty], |at, v, slot| {
                    let p = at.ins().stack_addr(addr, slot, 3);
                    at.ins().store(flags, v[0], p, -2);
                    let back = at.ins().load(ty, flags, p, -2);
                    let first = at.ins().load(I8, flags, p, -2);
                    vec![back, first]
                });
                let first = match order.unwrap_or(machine.endianness) {
                    Endianness::Little => bits as u8,
                    Endianness::Big => (bits >> (ty.bits() - 8)) as u8,
                };
                let want = [value, DataValue::I8(first as i8)];
                assert_eq!(returned(run_on(machine, &[func], "f", &[value])), want, "{machine:?} {ty}");
            }
        }
    }
}

#[test]
fn narrow_loads_and_stores_extend_and_cut() {
    for machine in [Machine::LE64, Machine::BE64] {
        let func = slot_function("f", 32, &[I64], |at, v, slot| {
            let p = at.ins().stack_addr(I64, slot, 0);
            let flags = MemFlags::trusted();
            at.ins().istore8(flags, v[0], p, 0);
            at.ins().istore16(flags, v[0], p, 2);
            at.ins().istore32(flags, v[0], p, 4);
            vec![
                at.ins().uload8(I16, flags, p, 0),
                at.ins().sload8(I32, flags, p, 0),
                at.ins().uload16(I32, flags, p, 2),
                at.ins().sload16(I64, flags, p, 2),
                at.ins().uload32(flags, p, 4),
                at.ins().sload32(flags, p, 4),
                at.ins().load(I8, flags, p, 1),
            ]
        });
        let want = [
            DataValue::I16(0xf8),
            DataValue::I32(-8),
            DataValue::I32(0xf7f8),
            DataValue::I64(-0x808),
            DataValue::I64(0xf5f6_f7f8),
            DataValue::I64(0xf5f6_f7f8u32 as i32 as i64),
            DataValue::I8(0),
        ];
        let arg = [DataValue::I64(0x0102_0304_f5f6_f7f8)];
        assert_eq!(returned(run_on(machine, &[func], "f", &arg)), want);
    }
}

#[test]
fn accesses_outside_of_memory_trap_or_fault() {
    let plain = function("plain", &[I32], |at, v| vec![at.ins().load(I32, MemFlags::new(), v[0], 0)]);
    let coded = function("coded", &[I32], |at, v| {
        let flags = MemFlags::new().with_trap_code(TrapCode::user(3));
        at.ins().store(flags, v[0], v[0], 4);
        vec![]
    });
    let promised =
        function("promised", &[I32], |at, v| vec![at.ins().load(I8, MemFlags::new().with_notrap(), v[0], 0)]);
    let aligned = slot_function("aligned", 16, &[], |at, _, slot| {
        let p = at.ins().stack_addr(I32, slot, 2);
        vec![at.ins().load(I32, MemFlags::trusted(), p, 0)]
    });
    let functions = [plain, coded, promised, aligned];
    let zero = [DataValue::I32(0)];
    assert_eq!(trap_of(run(&functions, "plain", &zero)), TrapCode::HEAP_OUT_OF_BOUNDS);
    assert_eq!(Some(trap_of(run(&functions, "coded", &[DataValue::I32(-4)]))), TrapCode::user(3));
    let kind = |outcome| match outcome {
        Outcome::Error(error) => error.kind,
        other => panic!("{other}"),
    };
    assert_eq!(kind(run(&functions, "promised", &zero)), ErrorKind::Fault { address: 0, size: 1 });
    let misaligned = kind(run(&functions, "aligned", &[]));
    assert!(matches!(misaligned, ErrorKind::Misaligned { size: 4, address } if address % 4 == 2));
    let program = Program::new(&functions, Machine::LE32).unwrap();
    let mut lax = Interpreter::new(&program, Config { check_alignment: false, ..Config::default() });
    assert_eq!(returned(lax.run(&name("aligned"), &[])), [DataValue::I32(0)]);
}

#[test]
fn atomics_read_what_was_there_before() {
    for ty in INTS {
        for &op in AtomicRmwOp::ALL {
            let func = slot_function("f", 16, &[ty, ty], |at, v, slot| {
                let p = at.ins().stack_addr(I32, slot, 0);
                let flags = MemFlags::new();
                at.ins().atomic_store(flags, v[0], p);
                let old = at.ins().atomic_rmw(ty, flags, op, p, v[1]);
                at.ins().fence();
                let new = at.ins().atomic_load(ty, flags, p);
                let seen = at.ins().atomic_cas(flags, p, v[0], v[1]);
                let last = at.ins().load(ty, flags, p, 0);
                vec![old, new, seen, last]
            });
            let (x, y) = (-5i128, 3i128);
            let new = match op {
                AtomicRmwOp::Add => -2,
                AtomicRmwOp::Sub => -8,
                AtomicRmwOp::And => 3,
                AtomicRmwOp::Nand => -4,
                AtomicRmwOp::Or => -5,
                AtomicRmwOp::Xor => -8,
                AtomicRmwOp::Xchg => 3,
                AtomicRmwOp::Umin => 3,
                AtomicRmwOp::Umax => -5,
                AtomicRmwOp::Smin => -5,
                AtomicRmwOp::Smax => 3,
            };
            let last = if new == x { y } else { new };
            let want = [x, new, new, last].map(|n| int(n, ty));
            assert_eq!(returned(run(&[func], "f", &[int(x, ty), int(y, ty)])), want, "{op} {ty}");
        }
    }
}

fn declare(at: &mut FuncCursor, symbol: &str, sig: Signature) -> crate::FuncRef {
    let signature = at.func.dfg.signatures.push(sig);
    at.func.dfg.ext_funcs.push(ExtFuncData { name: name(symbol), signature, colocated: true })
}

/// `count(n, sum)`: adds the numbers up to `n`, by a call in the last place or by a plain one.
fn counting(symbol: &str, tail: bool) -> Function {
    let sig = signature(&[I64, I64], &[I64]);
    let mut func = Function::new(name(symbol), sig.clone());
    let [entry, more, done] = [(); 3].map(|()| func.dfg.make_block());
    let n = func.dfg.append_block_param(entry, I64);
    let sum = func.dfg.append_block_param(entry, I64);
    for block in [entry, more, done] {
        func.layout.append_block(block);
    }
    let slot = with_slot(&mut func, 40);
    let mut at = FuncCursor::new(&mut func).at_bottom(entry);
    let callee = declare(&mut at, symbol, sig);
    at.ins().brif(n, more, &[], done, &[]);
    let mut at = FuncCursor::new(&mut func).at_bottom(more);
    let p = at.ins().stack_addr(I32, slot, 0);
    at.ins().store(MemFlags::trusted(), n, p, 8);
    let one = at.ins().iconst(I64, 1);
    let less = at.ins().isub(n, one);
    let new = at.ins().iadd(sum, n);
    if tail {
        at.ins().return_call(callee, &[less, new]);
    } else {
        let call = at.ins().call(callee, &[less, new]);
        let result = at.func.dfg.first_result(call).unwrap();
        // The frame is as it was.
        let mine = at.ins().load(I64, MemFlags::trusted(), p, 8);
        let wrong = at.ins().icmp(IntCC::NotEqual, mine, n);
        at.ins().trapnz(wrong, TrapCode::INTEGER_OVERFLOW);
        at.ins().return_(&[result]);
    }
    let mut at = FuncCursor::new(&mut func).at_bottom(done);
    at.ins().return_(&[sum]);
    func
}

#[test]
fn a_hundred_thousand_calls_nest_and_tail_calls_take_no_stack() {
    let functions = [counting("plain", false), counting("tail", true)];
    let program = Program::new(&functions, Machine::LE32).unwrap();
    let args = |n| [DataValue::I64(n), DataValue::I64(0)];
    let mut machine = Interpreter::new(&program, Config::default());
    assert_eq!(returned(machine.run(&name("plain"), &args(100_000))), [DataValue::I64(5_000_050_000)]);
    let mut machine = Interpreter::new(&program, Config { max_stack_bytes: 4096, ..Config::default() });
    assert_eq!(returned(machine.run(&name("tail"), &args(100_000))), [DataValue::I64(5_000_050_000)]);
    assert!(machine.frames.capacity() == 0, "no frame is kept");
    assert_eq!(trap_of(machine.run(&name("plain"), &args(100))), TrapCode::STACK_OVERFLOW);
    // What went before leaves no trace.
    assert_eq!(returned(machine.run(&name("plain"), &args(3))), [DataValue::I64(6)]);
}

#[test]
fn recursion_without_end_overflows_the_stack() {
    let func = function("f", &[], |at, _| {
        let callee = declare(at, "f", signature(&[], &[]));
        at.ins().call(callee, &[]);
        vec![]
    });
    assert_eq!(trap_of(run(&[func], "f", &[])), TrapCode::STACK_OVERFLOW);
}

#[test]
fn indirect_calls_go_by_address_and_check_the_signature() {
    for machine in [Machine::LE32, Machine::BE64] {
        let addr = machine.address_type;
        let twice = function("twice", &[I128, I16], |at, v| {
            let sum = at.ins().iadd(v[0], v[0]);
            vec![v[1], sum, v[1]]
        });
        let caller = function("caller", &[I128], |at, v| {
            let sig = signature(&[I128, I16], &[I16, I128, I16]);
            let callee = declare(at, "twice", sig);
            let sig = at.func.dfg.ext_funcs[callee].signature;
            let p = at.ins().func_addr(addr, callee);
            let k = at.ins().iconst(I16, -3);
            let call = at.ins().call_indirect(sig, p, &[v[0], k]);
            at.func.dfg.inst_results(call).to_vec()
        });
        let wrong = function("wrong", &[addr], |at, v| {
            let callee = declare(at, "twice", signature(&[], &[]));
            let sig = at.func.dfg.ext_funcs[callee].signature;
            let p = at.ins().func_addr(addr, callee);
            let p = at.ins().iadd(p, v[0]);
            at.ins().call_indirect(sig, p, &[]);
            vec![]
        });
        let functions = [caller, twice, wrong];
        let x = i128::MAX / 3;
        assert_eq!(
            returned(run_on(machine, &functions, "caller", &[DataValue::I128(x)])),
            [DataValue::I16(-3), DataValue::I128(x + x), DataValue::I16(-3)]
        );
        let kind = |offset| match run_on(machine, &functions, "wrong", &[int(offset, addr)]) {
            Outcome::Error(error) => error.kind,
            other => panic!("{other}"),
        };
        assert_eq!(kind(0), ErrorKind::SignatureMismatch(name("twice")));
        assert!(matches!(kind(4), ErrorKind::NotAFunction { .. }));
        assert!(matches!(kind(1 << 20), ErrorKind::NotAFunction { .. }));
    }
}

#[test]
fn block_arguments_change_places_at_once() {
    // Rotates three values and a wide pair `n` times.
    let types = [I32, I32, I32, I128, I128, I32];
    let mut func = Function::new(name("f"), signature(&types, &types[..5]));
    let [entry, head, end] = [(); 3].map(|()| func.dfg.make_block());
    let args = types.map(|ty| func.dfg.append_block_param(entry, ty));
    let p = types.map(|ty| func.dfg.append_block_param(head, ty));
    let r = [I32, I32, I32, I128, I128].map(|ty| func.dfg.append_block_param(end, ty));
    for block in [entry, head, end] {
        func.layout.append_block(block);
    }
    let pass = |values: &[Value]| values.iter().map(|&v| BlockArg::from(v)).collect::<Vec<_>>();
    FuncCursor::new(&mut func).at_bottom(entry).ins().jump(head, &pass(&args));
    let mut at = FuncCursor::new(&mut func).at_bottom(head);
    let one = at.ins().iconst(I32, 1);
    let less = at.ins().isub(p[5], one);
    let turned = pass(&[p[1], p[2], p[0], p[4], p[3], less]);
    at.ins().brif(p[5], head, &turned, end, &pass(&p[..5]));
    FuncCursor::new(&mut func).at_bottom(end).ins().return_(&r);
    let functions = [func];
    for n in 0..7 {
        let mut want = [1, 2, 3].map(DataValue::I32);
        want.rotate_left(n % 3);
        let mut wide = [-4, 5 << 90].map(DataValue::I128);
        let args: Vec<_> =
            [1, 2, 3].map(DataValue::I32).into_iter().chain(wide).chain([DataValue::I32(n as i32)]).collect();
        wide.rotate_left(n % 2);
        let want: Vec<_> = want.into_iter().chain(wide).collect();
        assert_eq!(returned(run(&functions, "f", &args)), want, "{n}");
    }
}

#[test]
fn branch_tables_have_a_default() {
    let mut func = Function::new(name("f"), signature(&[I32], &[I32]));
    let [entry, end] = [(); 2].map(|()| func.dfg.make_block());
    let x = func.dfg.append_block_param(entry, I32);
    let r = func.dfg.append_block_param(end, I32);
    func.layout.append_block(entry);
    func.layout.append_block(end);
    let mut at = FuncCursor::new(&mut func).at_bottom(entry);
    let numbers = [10, 20, 30].map(|n| at.ins().iconst(I32, n));
    let pool = &mut at.func.dfg.block_args;
    let [default, a, b] = numbers.map(|n| BlockCall::new(end, [n.into()], pool));
    let table = at.func.dfg.jump_tables.push(JumpTableData { default, table: vec![a, b] });
    at.ins().br_table(x, table);
    FuncCursor::new(&mut func).at_bottom(end).ins().return_(&[r]);
    let functions = [func];
    for (x, want) in [(0, 20), (1, 30), (2, 10), (-1, 10), (i32::MIN, 10)] {
        assert_eq!(returned(run(&functions, "f", &[DataValue::I32(x)])), [DataValue::I32(want)]);
    }
}

#[test]
fn fuel_bounds_loops_and_is_counted() {
    let mut func = Function::new(name("f"), signature(&[], &[]));
    let block = func.dfg.make_block();
    let head = func.dfg.make_block();
    func.layout.append_block(block);
    func.layout.append_block(head);
    FuncCursor::new(&mut func).at_bottom(block).ins().jump(head, &[]);
    let mut at = FuncCursor::new(&mut func).at_bottom(head);
    at.ins().nop();
    at.ins().jump(head, &[]);
    let program = Program::new([&func], Machine::LE32).unwrap();
    let mut machine = Interpreter::new(&program, Config { fuel: Some(1000), ..Config::default() });
    assert_eq!(machine.run(&name("f"), &[]), Outcome::OutOfFuel);
    assert_eq!(machine.executed(), 999);
}

#[test]
fn hosts_supply_functions_memory_and_exceptions() {
    let caller = function("caller", &[I32, I64], |at, v| {
        let host = declare(at, "host", signature(&[I32, I64], &[I64, I8]));
        let call = at.ins().call(host, &[v[0], v[1]]);
        let loaded = at.ins().load(I8, MemFlags::new(), v[0], 0);
        let mut out = at.func.dfg.inst_results(call).to_vec();
        out.push(loaded);
        out
    });
    let program = Program::new([&caller], Machine::LE32).unwrap();
    let mut machine = Interpreter::new(&program, Config::default());
    let p = machine.memory_mut().alloc(4, 4).unwrap();
    let args = [DataValue::I32(p as i32), DataValue::I64(-9)];
    let mut host = |called: &ExternalName, args: &[DataValue], memory: &mut Memory| {
        assert_eq!(called, &name("host"));
        memory.write(args[0].to_bits() as u64, &[42]).unwrap();
        HostResult::Return(vec![args[1], DataValue::I8(7)])
    };
    let got = returned(machine.run_with(&mut host, &name("caller"), &args));
    assert_eq!(got, [DataValue::I64(-9), DataValue::I8(7), DataValue::I8(42)]);
    let mut wrong = |_: &ExternalName, _: &[DataValue], _: &mut Memory| HostResult::Return(vec![]);
    assert!(matches!(machine.run_with(&mut wrong, &name("caller"), &args), Outcome::Error(_)));
    let undefined = machine.run(&name("caller"), &args);
    let Outcome::Error(error) = undefined else { panic!("{undefined}") };
    assert_eq!(error.kind, ErrorKind::UndefinedFunction(name("host")));
    assert_eq!(program.undefined_functions(), [name("host")]);
}

/// Calls `middle`, which calls `host`, under handlers for tags 1 and 2 and, if asked for, all others.
fn catching(default: bool) -> [Function; 2] {
    let middle = function("middle", &[I32], |at, v| {
        let host = declare(at, "host", signature(&[I32], &[I32]));
        let call = at.ins().call(host, &[v[0]]);
        vec![at.func.dfg.first_result(call).unwrap()]
    });
    let mut func = Function::new(name("f"), signature(&[I32, I64], &[I32, I64]));
    let [entry, normal, one, two, other] = [(); 5].map(|()| func.dfg.make_block());
    let x = func.dfg.append_block_param(entry, I32);
    let keep = func.dfg.append_block_param(entry, I64);
    for block in [entry, normal, one, two, other] {
        func.layout.append_block(block);
    }
    let mut at = FuncCursor::new(&mut func).at_bottom(entry);
    let callee = declare(&mut at, "middle", signature(&[I32], &[I32]));
    let sig = at.func.dfg.ext_funcs[callee].signature;
    let pool = &mut at.func.dfg.block_args;
    let to = |block, arg, pool: &mut _| BlockCall::new(block, [arg], pool);
    let mut items = vec![
        ExceptionItem::Tag(ExceptionTag::from_u32(1), to(one, BlockArg::TryCallExn(0), pool)),
        ExceptionItem::Tag(ExceptionTag::from_u32(2), to(two, BlockArg::TryCallExn(1), pool)),
    ];
    if default {
        items.push(ExceptionItem::Default(BlockCall::new(other, [], pool)));
    }
    let normal_call = to(normal, BlockArg::TryCallRet(0), pool);
    let table = at.func.dfg.exception_tables.push(ExceptionTableData { sig, normal: normal_call, items });
    at.ins().try_call(callee, &[x], table);
    for (block, mark) in [(normal, 100i64), (one, 200), (two, 300)] {
        let v = func.dfg.append_block_param(block, I32);
        let mut at = FuncCursor::new(&mut func).at_bottom(block);
        let mark = at.ins().iconst(I64, mark);
        let sum = at.ins().iadd(mark, keep);
        at.ins().return_(&[v, sum]);
    }
    let mut at = FuncCursor::new(&mut func).at_bottom(other);
    at.ins().return_(&[x, keep]);
    [func, middle]
}

#[test]
fn exceptions_go_to_the_first_handler_that_fits() {
    let mut host = |_: &ExternalName, args: &[DataValue], _: &mut Memory| match args[0] {
        DataValue::I32(0) => HostResult::Return(vec![DataValue::I32(77)]),
        DataValue::I32(n) => {
            HostResult::Throw(Exception { tag: n as u32, context: None, payload: [11, 1 << 40 | 22] })
        }
        _ => HostResult::Unknown,
    };
    let functions = catching(true);
    let program = Program::new(&functions, Machine::LE32).unwrap();
    let mut machine = Interpreter::new(&program, Config::default());
    for (x, v, sum) in [(0, 77, 105), (1, 11, 205), (2, 22, 305), (3, 3, 5)] {
        let args = [DataValue::I32(x), DataValue::I64(5)];
        let got = returned(machine.run_with(&mut host, &name("f"), &args));
        assert_eq!(got, [DataValue::I32(v), DataValue::I64(sum)], "{x}");
    }
    let functions = catching(false);
    let program = Program::new(&functions, Machine::LE32).unwrap();
    let mut machine = Interpreter::new(&program, Config::default());
    let args = [DataValue::I32(3), DataValue::I64(5)];
    assert!(matches!(machine.run_with(&mut host, &name("f"), &args), Outcome::Throw(e) if e.tag == 3));
}

#[test]
fn library_routines_are_built_in() {
    let func = function("f", &[F64], |at, v| {
        let ceil = declare(at, "CeilF64", signature(&[F64], &[F64]));
        let call = at.ins().call(ceil, &[v[0]]);
        at.func.dfg.inst_results(call).to_vec()
    });
    let copy = slot_function("copy", 32, &[I64], |at, v, slot| {
        let p = at.ins().stack_addr(I32, slot, 0);
        at.ins().store(MemFlags::new(), v[0], p, 0);
        let q = at.ins().stack_addr(I32, slot, 13);
        let n = at.ins().iconst(I32, 8);
        let memcpy = declare(at, "Memcpy", signature(&[I32, I32, I32], &[I32]));
        let memcmp = declare(at, "Memcmp", signature(&[I32, I32, I32], &[I32]));
        let memset = declare(at, "Memset", signature(&[I32, I32, I32], &[]));
        at.ins().call(memcpy, &[q, p, n]);
        at.ins().call(memset, &[p, n, n]);
        let call = at.ins().call(memcmp, &[p, q, n]);
        let order = at.func.dfg.first_result(call).unwrap();
        vec![at.ins().load(I64, MemFlags::new(), q, 0), at.ins().load(I64, MemFlags::new(), p, 0), order]
    });
    let functions = [func, copy];
    assert_eq!(returned(run(&functions, "f", &[DataValue::F64(1.25.into())])), [DataValue::F64(2.0.into())]);
    let x = 0x1122_3344_5566_7788;
    assert_eq!(
        returned(run(&functions, "copy", &[DataValue::I64(x)])),
        [DataValue::I64(x), DataValue::I64(0x0808_0808_0808_0808), DataValue::I32(-1)]
    );
}

#[test]
fn symbols_pinned_register_and_frames() {
    let func = function("f", &[I32], |at, v| {
        let gv = at.func.global_values.push(GlobalValueData::Symbol {
            name: name("table"),
            offset: 4,
            colocated: false,
            tls: false,
        });
        let p = at.ins().symbol_value(I32, gv);
        let x = at.ins().load(I32, MemFlags::trusted(), p, 0);
        let old = at.ins().get_pinned_reg(I32);
        at.ins().set_pinned_reg(v[0]);
        let sp = at.ins().get_stack_pointer(I32);
        let fp = at.ins().get_frame_pointer(I32);
        let in_frame = at.ins().icmp(IntCC::UnsignedLessThanOrEqual, sp, fp);
        let ret = at.ins().get_return_address(I32);
        let saved = at.ins().load(I32, MemFlags::trusted(), fp, 4);
        let same = at.ins().icmp(IntCC::Equal, ret, saved);
        vec![x, old, in_frame, same]
    });
    let outer = function("outer", &[I32], |at, v| {
        let f = declare(at, "f", signature(&[I32], &[I32, I32, I8, I8]));
        let call = at.ins().call(f, &[v[0]]);
        at.func.dfg.inst_results(call).to_vec()
    });
    let functions = [func, outer];
    let program = Program::new(&functions, Machine::BE32).unwrap();
    let mut machine = Interpreter::new(&program, Config::default());
    let missing = machine.run(&name("f"), &[DataValue::I32(0)]);
    let Outcome::Error(error) = missing else { panic!("{missing}") };
    assert_eq!(error.kind, ErrorKind::UndefinedSymbol(name("table")));
    machine.define_data(&name("table"), &[0, 0, 0, 1, 0, 0, 0, 2], 4).unwrap();
    machine.set_pinned_reg(5);
    for (entry, old, new) in [("f", 5, 6), ("outer", 6, 7)] {
        let got = returned(machine.run(&name(entry), &[DataValue::I32(new)]));
        assert_eq!(got, [DataValue::I32(2), DataValue::I32(old), DataValue::I8(1), DataValue::I8(1)]);
        assert_eq!(machine.pinned_reg(), new as u64);
    }
}

#[test]
fn stack_limits_are_checked_on_entry() {
    let mut func = slot_function("f", 64, &[I64], |_, v, _| vec![v[0]]);
    func.signature.params[0] = AbiParam::special(I64, ArgumentPurpose::VMContext);
    let vmctx = func.global_values.push(GlobalValueData::VMContext);
    let limit = func.global_values.push(GlobalValueData::Load {
        base: vmctx,
        offset: 8,
        ty: I64,
        flags: MemFlags::trusted(),
    });
    let limit = func.global_values.push(GlobalValueData::IAddImm { base: limit, offset: 64, ty: I64 });
    func.stack_limit = Some(limit);
    let program = Program::new([&func], Machine::BE64).unwrap();
    let mut machine = Interpreter::new(&program, Config::default());
    let context = machine.memory_mut().alloc(16, 8).unwrap();
    let args = [DataValue::I64(context as i64)];
    assert_eq!(returned(machine.run(&name("f"), &args)), args);
    let top = machine.memory().stack_end();
    machine.memory_mut().write_address(context + 8, top - 64).unwrap();
    assert_eq!(trap_of(machine.run(&name("f"), &args)), TrapCode::STACK_OVERFLOW);
    machine.memory_mut().write_address(context + 8, top - 400).unwrap();
    assert_eq!(returned(machine.run(&name("f"), &args)), args);
}

#[test]
fn structures_by_value_are_copied() {
    let mut callee = function("callee", &[I32], |at, v| {
        let seven = at.ins().iconst(I32, 7);
        let old = at.ins().load(I32, MemFlags::trusted(), v[0], 4);
        at.ins().store(MemFlags::trusted(), seven, v[0], 4);
        vec![old]
    });
    let mut sig = signature(&[I32], &[I32]);
    sig.params[0].purpose = ArgumentPurpose::StructArgument(StructArg::new(12));
    callee.signature = sig.clone();
    let caller = slot_function("caller", 12, &[I32], |at, v, slot| {
        let p = at.ins().stack_addr(I32, slot, 0);
        at.ins().store(MemFlags::trusted(), v[0], p, 4);
        let callee = declare(at, "callee", sig);
        let call = at.ins().call(callee, &[p]);
        let seen = at.func.dfg.first_result(call).unwrap();
        vec![seen, at.ins().load(I32, MemFlags::trusted(), p, 4)]
    });
    let got = returned(run(&[caller, callee], "caller", &[DataValue::I32(99)]));
    assert_eq!(got, [DataValue::I32(99), DataValue::I32(99)]);
}

#[test]
fn what_is_not_done_is_refused_by_name_when_it_is_reached() {
    let func = function("f", &[I32], |at, v| {
        let wide = at.ins().splat(crate::types::I32X4, v[0]);
        let _ = at.ins().iadd(wide, wide);
        vec![]
    });
    let outcome = run(&[func], "f", &[DataValue::I32(1)]);
    let Outcome::Error(error) = outcome else { panic!("{outcome}") };
    assert_eq!(error.kind, ErrorKind::Unsupported { opcode: Opcode::Splat, ty: crate::types::I32X4 });
    assert_eq!(error.to_string(), "inst0 in %f: the interpreter does not do splat on i32x4");
}

#[test]
fn arguments_must_fit_and_debugtrap_is_optional() {
    let func = function("f", &[I32], |at, v| {
        at.ins().debugtrap();
        vec![v[0]]
    });
    let functions = [func];
    assert!(matches!(run(&functions, "f", &[]), Outcome::Error(_)));
    assert!(matches!(run(&functions, "f", &[DataValue::I64(1)]), Outcome::Error(_)));
    assert!(matches!(run(&functions, "g", &[]), Outcome::Error(_)));
    assert_eq!(returned(run(&functions, "f", &[DataValue::I32(1)])), [DataValue::I32(1)]);
    let program = Program::new(&functions, Machine::LE32).unwrap();
    let mut machine = Interpreter::new(&program, Config { stop_at_debugtrap: true, ..Config::default() });
    assert!(matches!(machine.run(&name("f"), &[DataValue::I32(1)]), Outcome::Debugtrap(_)));
    assert_eq!(
        Program::new([&functions[0], &functions[0]], Machine::LE32).err(),
        Some(ProgramError::DefinedTwice(name("f")))
    );
}

/// The verifier would refuse these; they must not bring the interpreter down.
#[test]
fn malformed_functions_end_in_errors() {
    let empty = Function::new(name("empty"), signature(&[I32], &[]));
    let mut open = Function::new(name("open"), signature(&[I32], &[]));
    let block: Block = open.dfg.make_block();
    open.layout.append_block(block);
    open.dfg.append_block_param(block, I32);
    let mistyped = function("mistyped", &[I32], |at, v| {
        let wide = at.ins().uextend(I128, v[0]);
        let data = InstData::Binary { opcode: Opcode::Iadd, args: [v[0], wide] };
        at.ins().make::<Value>(data, I32);
        let nowhere = Value::from_u32(1000);
        let data = InstData::Unary { opcode: Opcode::Ineg, arg: nowhere };
        at.ins().make::<crate::Inst>(data, I32);
        vec![]
    });
    for func in [empty, open, mistyped] {
        let program = Program::new([&func], Machine::LE32).unwrap();
        let outcome = Interpreter::new(&program, Config::default()).run(&func.name, &[DataValue::I32(1)]);
        let Outcome::Error(error) = outcome else { panic!("{outcome}") };
        assert!(matches!(error.kind, ErrorKind::Malformed(_)), "{error}");
    }
}
