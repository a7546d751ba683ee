//! The memory routines: all small sizes and alignments, in the interpreter, in either byte order and width.

use crate::harness::{Random, target};
use windlass::builtins::library;
use windlass_ir::interp::{Config, Interpreter, Machine, Outcome, Program};
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
