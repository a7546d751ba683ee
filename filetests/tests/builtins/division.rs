//! Integer division against Rust's own.

use crate::harness::{Case, Random, program, random_count};
use windlass_ir::DataValue::{self, I32, I64};

/// Numbers at the ends, near powers of two, and multiples of a few divisors with their neighbours.
fn corners() -> Vec<u64> {
    let mut corners = vec![0, 1, 2, 3, 5, 7, 10, 100, 641, 6_700_417, 0x5555_5555, 0xaaaa_aaaa_aaaa_aaaa];
    for bit in [7, 8, 15, 16, 30, 31, 32, 33, 47, 48, 62, 63] {
        let power = 1_u64 << bit;
        corners.extend([power - 1, power, power + 1, power.wrapping_neg(), (power + 1).wrapping_neg()]);
    }
    corners.extend([
        0xffff_ffff_0000_0000,
        0xffff_ffff_0000_0001,
        0x8000_0000_ffff_ffff,
        u64::MAX - 1,
        u64::MAX,
    ]);
    corners
}

fn pairs(value: fn(u64) -> DataValue) -> Vec<Vec<DataValue>> {
    let corners = corners();
    let pairs = corners.iter().flat_map(|&n| corners.iter().map(move |&d| vec![value(n), value(d)]));
    pairs.collect()
}

fn random(value: fn(u64) -> DataValue) -> impl Iterator<Item = Vec<DataValue>> {
    let mut random = Random(0x9e37_79b9_7f4a_7c15);
    (0..random_count()).map(move |i| {
        let (n, d) = (random.any_length(), random.any_length());
        // A third are multiples of the divisor, or just below, where an estimate is easily wrong.
        let n = match i % 3 {
            0 => n,
            1 => d.wrapping_mul(n),
            _ => d.wrapping_mul(n).wrapping_sub(1),
        };
        // One in eight is negative with small magnitude.
        let n = if i % 8 == 0 { n.wrapping_neg() } else { n };
        vec![value(n), value(d)]
    })
}

fn i32_value(n: u64) -> DataValue {
    I32(n as i32)
}

fn i64_value(n: u64) -> DataValue {
    I64(n as i64)
}

fn check(routine: &str, value: fn(u64) -> DataValue, expected: fn(u64, u64) -> (u64, u64)) {
    let bits = |value: &DataValue| value.to_bits() as u64;
    let check = |args: &[DataValue], results: &[DataValue]| {
        let (n, d) = (bits(&args[0]), bits(&args[1]));
        let (q, r) = if d == 0 { (0, n) } else { expected(n, d) };
        (results != [value(q), value(r)]).then(|| format!("not {q:#x} and {r:#x}"))
    };
    let case = Case { routine, check: &check };
    case.interpret(&program(), pairs(value).into_iter().chain(random(value)));
    let mut arguments = pairs(value);
    arguments.extend(random(value).take(10_000));
    case.emulate(&arguments);
}

#[test]
fn unsigned_32_bits() {
    check("__aeabi_uidivmod", i32_value, |n, d| (n / d, n % d));
}

#[test]
fn signed_32_bits() {
    let expected = |n, d| {
        let (n, d) = (n as i32, d as i32);
        (n.wrapping_div(d) as u64, n.wrapping_rem(d) as u64)
    };
    check("__aeabi_idivmod", i32_value, expected);
}

#[test]
fn unsigned_64_bits() {
    check("__aeabi_uldivmod", i64_value, |n, d| (n / d, n % d));
}

#[test]
fn signed_64_bits() {
    let expected = |n, d| {
        let (n, d) = (n as i64, d as i64);
        (n.wrapping_div(d) as u64, n.wrapping_rem(d) as u64)
    };
    check("__aeabi_ldivmod", i64_value, expected);
}
