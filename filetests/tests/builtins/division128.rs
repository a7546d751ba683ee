//! Division of 128-bit integers against Rust's own.

use crate::harness::{Case, Random, program, random_count};
use windlass_ir::DataValue::{self, I128};

fn corners() -> Vec<u128> {
    let mut corners = vec![0, 1, 2, 3, 7, 10, 0x5555_5555_5555_5555, u128::MAX / 3];
    for bit in [31, 32, 62, 63, 64, 65, 95, 96, 126, 127] {
        let power = 1_u128 << bit;
        corners.extend([power - 1, power, power + 1, power.wrapping_neg()]);
    }
    corners.extend([u128::MAX, u128::MAX - 1, u128::MAX << 64, (u128::MAX << 64) + 1, u128::MAX >> 1]);
    corners
}

fn check(routine: &str, expected: fn(u128, u128) -> u128) {
    let corners = corners();
    let pairs: Vec<_> = corners.iter().flat_map(|&n| corners.iter().map(move |&d| (n, d))).collect();
    let mut random = Random(0x2545_f491_4f6c_dd1d);
    let mut any = move || {
        let wide = u128::from(random.next()) << 64 | u128::from(random.next());
        wide >> (random.next() % 128)
    };
    let random = (0..random_count()).map(move |i| {
        let (n, d) = (any(), any());
        let n = if i % 2 == 0 { n } else { d.wrapping_mul(n).wrapping_sub(i as u128 >> 1 & 1) };
        (if i % 8 == 0 { n.wrapping_neg() } else { n }, d)
    });
    let check = |args: &[DataValue], results: &[DataValue]| {
        let (n, d) = (args[0].to_bits(), args[1].to_bits());
        let value = I128(expected(n, d) as i128);
        (results != [value]).then(|| format!("not {value:x?}"))
    };
    let value = |(n, d): (u128, u128)| vec![I128(n as i128), I128(d as i128)];
    let case = Case { routine, check: &check };
    case.interpret(&program(), pairs.iter().copied().chain(random.clone()).map(value));
    let some: Vec<_> = pairs.into_iter().chain(random.take(3000)).map(value).collect();
    case.emulate(&some);
}

#[test]
fn unsigned_quotient() {
    check("__udivti3", |n, d| n.checked_div(d).unwrap_or(0));
}

#[test]
fn unsigned_remainder() {
    check("__umodti3", |n, d| n.checked_rem(d).unwrap_or(n));
}

#[test]
fn signed_quotient() {
    check("__divti3", |n, d| if d == 0 { 0 } else { (n as i128).wrapping_div(d as i128) as u128 });
}

#[test]
fn signed_remainder() {
    check("__modti3", |n, d| if d == 0 { n } else { (n as i128).wrapping_rem(d as i128) as u128 });
}
