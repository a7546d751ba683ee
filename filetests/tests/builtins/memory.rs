//! The memory routines: all small sizes and alignments, in the interpreter in either byte order, and compiled.

use crate::harness::{Random, TARGETS, target};
use windlass::Context;
use windlass::builtins::library;
use windlass::link::{DataDef, Module};
use windlass_filetests::guest::{CallOutcome, GuestCall, GuestOptions, run_calls};
use windlass_ir::interp::{Config, Interpreter, Machine, Outcome, Program};
use windlass_ir::text::parse_functions;
use windlass_ir::{DataValue, ExternalName};

const ROOM: usize = 256;

struct Memory<'p> {
    interpreter: Interpreter<'p>,
    base: u64,
    random: Random,
}

impl Memory<'_> {
    fn fill(&mut self) -> Vec<u8> {
        let bytes: Vec<u8> = (0..ROOM).map(|_| self.random.next() as u8).collect();
        self.interpreter.memory_mut().write(self.base, &bytes).unwrap();
        bytes
    }

    fn contents(&mut self) -> Vec<u8> {
        let mut bytes = vec![0; ROOM];
        self.interpreter.memory().read(self.base, &mut bytes).unwrap();
        bytes
    }

    fn call(&mut self, name: &str, args: &[DataValue]) -> Vec<DataValue> {
        match self.interpreter.run(&ExternalName::symbol(name), args) {
            Outcome::Return(results) => results,
            other => panic!("%{name}({args:?}): {other}"),
        }
    }

    fn at(&self, offset: usize) -> DataValue {
        DataValue::I32((self.base + offset as u64) as i32)
    }
}

fn with_memory(test: impl Fn(&mut Memory<'_>)) {
    let functions = library(&*target()).unwrap();
    for machine in [Machine::LE32, Machine::BE32] {
        let program = Program::new(&functions, machine).unwrap();
        let mut interpreter = Interpreter::new(&program, Config::default());
        let base = interpreter.memory_mut().alloc(ROOM as u64, 16).unwrap();
        test(&mut Memory { interpreter, base, random: Random(1234567) });
    }
}

fn size(n: usize) -> DataValue {
    DataValue::I32(n as i32)
}

/// Offsets and sizes that reach every loop of the routines, and every step from one to the next.
fn places() -> impl Iterator<Item = (usize, usize, usize)> {
    let offsets =
        (64..80).flat_map(|to| [40, 60, 63, 64, 65, 67, 71, 72, 73, 80, 97, 120].map(|from| (to, from)));
    offsets.flat_map(|(to, from)| (0..70).map(move |n| (to, from, n)))
}

#[test]
fn memmove_copies_whatever_overlaps() {
    with_memory(|memory| {
        for (to, from, n) in places() {
            let mut expected = memory.fill();
            let args = [memory.at(to), memory.at(from), size(n)];
            assert_eq!(memory.call("memmove", &args), [memory.at(to)]);
            expected.copy_within(from..from + n, to);
            assert!(memory.contents() == expected, "{n} bytes from {from} to {to}");
        }
    });
}

#[test]
fn memcpy_copies() {
    with_memory(|memory| {
        for (to, from, n) in places().filter(|&(to, from, n)| to <= from || from + n <= to) {
            let mut expected = memory.fill();
            let args = [memory.at(to), memory.at(from), size(n)];
            assert_eq!(memory.call("memcpy", &args), [memory.at(to)]);
            expected.copy_within(from..from + n, to);
            assert!(memory.contents() == expected, "{n} bytes from {from} to {to}");
        }
    });
}

#[test]
fn memset_fills_with_the_low_byte() {
    with_memory(|memory| {
        for (to, n) in (64..80).flat_map(|to| (0..70).map(move |n| (to, n))) {
            let byte = DataValue::I32(0x0123_45fe);
            for (name, args, value) in [
                ("memset", vec![memory.at(to), byte, size(n)], 0xfe),
                ("__aeabi_memset", vec![memory.at(to), size(n), byte], 0xfe),
                ("__aeabi_memclr", vec![memory.at(to), size(n)], 0),
            ] {
                let mut expected = memory.fill();
                memory.call(name, &args);
                expected[to..to + n].fill(value);
                assert!(memory.contents() == expected, "%{name}: {n} bytes at {to}");
            }
        }
    });
}

#[test]
fn memcmp_orders_by_the_first_difference() {
    with_memory(|memory| {
        for (a, b, n) in places().filter(|&(a, b, n)| a + n <= b || b + n <= a) {
            for change in [None, Some(n / 2), n.checked_sub(1)] {
                let mut bytes = memory.fill();
                bytes.copy_within(a..a + n, b);
                if let Some(place) = change.filter(|&place| place < n) {
                    bytes[b + place] ^= 1 << (place % 8);
                    // What comes later does not count.
                    bytes[b + place + 1..b + n].fill(0x55);
                }
                let base = memory.base;
                memory.interpreter.memory_mut().write(base, &bytes).unwrap();
                let expected = bytes[a..a + n].cmp(&bytes[b..b + n]) as i32;
                let results = memory.call("memcmp", &[memory.at(a), memory.at(b), size(n)]);
                let [DataValue::I32(order)] = results[..] else { panic!("{results:?}") };
                assert_eq!(order.signum(), expected, "{n} bytes at {a} and {b}");
            }
        }
    });
}

/// `%fill` writes a pattern to the room, `%sum` adds it up with weights; the rest is a routine between the two.
const COMPILED: &str = "
function %fill() system_v {
    gv0 = symbol colocated %room
block0:
    v0 = symbol_value.i32 gv0
    v1 = iconst.i32 0
    jump block1(v1)
block1(v2: i32):
    v3 = iadd v0, v2
    v4 = imul_imm v2, 37
    v5 = ushr_imm v4, 3
    v6 = bxor v4, v5
    istore8 notrap v6, v3
    v7 = iadd_imm v2, 1
    v8 = icmp_imm ult v7, 256
    brif v8, block1(v7), block2
block2:
    return
}

function %sum() -> i32 system_v {
    gv0 = symbol colocated %room
block0:
    v0 = symbol_value.i32 gv0
    v1 = iconst.i32 0
    jump block1(v1, v1)
block1(v2: i32, v3: i32):
    v4 = iadd v0, v2
    v5 = uload8.i32 notrap v4
    v6 = imul_imm v3, 31
    v7 = iadd v6, v5
    v8 = iadd_imm v2, 1
    v9 = icmp_imm ult v8, 256
    brif v9, block1(v8, v7), block2
block2:
    return v7
}

function %move(i32, i32, i32) -> i32 system_v {
    gv0 = symbol colocated %room
    fn0 = colocated %fill() system_v
    fn1 = colocated %sum() -> i32 system_v
    fn2 = %Memmove(i32, i32, i32) -> i32 system_v
block0(v0: i32, v1: i32, v2: i32):
    call fn0()
    v3 = symbol_value.i32 gv0
    v4 = iadd v3, v0
    v5 = iadd v3, v1
    v6 = call fn2(v4, v5, v2)
    v7 = isub v6, v4
    v8 = call fn1()
    v9 = iadd v8, v7
    return v9
}

function %set(i32, i32, i32) -> i32 system_v {
    gv0 = symbol colocated %room
    fn0 = colocated %fill() system_v
    fn1 = colocated %sum() -> i32 system_v
    fn2 = %Memset(i32, i32, i32) -> i32 system_v
block0(v0: i32, v1: i32, v2: i32):
    call fn0()
    v3 = symbol_value.i32 gv0
    v4 = iadd v3, v0
    v5 = call fn2(v4, v1, v2)
    v6 = call fn1()
    return v6
}

function %compare(i32, i32, i32) -> i32 system_v {
    gv0 = symbol colocated %room
    fn0 = colocated %fill() system_v
    fn1 = %Memcmp(i32, i32, i32) -> i32 system_v
block0(v0: i32, v1: i32, v2: i32):
    call fn0()
    v3 = symbol_value.i32 gv0
    v4 = iadd v3, v0
    v5 = iadd v3, v1
    v6 = call fn1(v4, v5, v2)
    return v6
}
";

fn pattern() -> Vec<u8> {
    let byte = |i: u32| (i * 37) ^ ((i * 37) >> 3);
    (0..ROOM as u32).map(|i| byte(i) as u8).collect()
}

fn sum(bytes: &[u8]) -> i32 {
    bytes.iter().fold(0, |sum: i32, &byte| sum.wrapping_mul(31).wrapping_add(byte.into()))
}

#[test]
fn compiled_they_do_the_same() {
    let functions = parse_functions(COMPILED).unwrap();
    let mut calls = Vec::new();
    for (to, from, n) in places() {
        let mut bytes = pattern();
        bytes.copy_within(from..from + n, to);
        calls.push(("move", [size(to), size(from), size(n)], sum(&bytes)));
        let mut bytes = pattern();
        bytes[to..to + n].fill(from as u8);
        calls.push(("set", [size(to), size(from), size(n)], sum(&bytes)));
        let bytes = pattern();
        let order = bytes[to..to + n].cmp(&bytes[from..from + n]) as i32;
        calls.push(("compare", [size(to), size(from), size(n)], order));
    }
    for name in TARGETS {
        let target = windlass::lookup(name).unwrap().build().unwrap();
        let mut cx = Context::new();
        let mut module = Module::new();
        for function in &functions {
            module.add_function(function.name.clone(), target.compile(function, &mut cx).unwrap());
        }
        module.add_data(DataDef::zeros(ExternalName::symbol("room"), ROOM as u64, 16));
        let named = |name: &str| functions.iter().find(|f| f.name == ExternalName::symbol(name)).unwrap();
        let guest_calls: Vec<_> = calls
            .iter()
            .map(|(name, args, _)| {
                let function = named(name);
                GuestCall { function: &function.name, signature: &function.signature, args }
            })
            .collect();
        let outcomes = run_calls(&*target, &module, &guest_calls, &GuestOptions::default(), &mut cx).unwrap();
        for ((routine, args, expected), outcome) in calls.iter().zip(outcomes) {
            let CallOutcome::Returned(results) = &outcome else { panic!("%{routine}({args:?}) {outcome}") };
            let [DataValue::I32(result)] = results[..] else { panic!("{results:?}") };
            let result = if *routine == "compare" { result.signum() } else { result };
            assert_eq!(result, *expected, "%{routine}({args:?}) on {name}");
        }
    }
}
