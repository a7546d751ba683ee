//! Floats: what Rust's own f32 and f64 say. Of results that are NaN only that is asked: any quiet NaN will do.

use crate::file::*;
use crate::ints;
use windlass_ir::Type;
use windlass_ir::types::*;

/// An f32 or an f64.
#[derive(Clone, Copy)]
enum Number {
    Single(f32),
    Double(f64),
}
use Number::{Double, Single};

impl Number {
    fn of(bits: u128, ty: Type) -> Number {
        if ty == F32 { Single(f32::from_bits(bits as u32)) } else { Double(f64::from_bits(bits as u64)) }
    }

    fn bits(self) -> u128 {
        match self {
            Single(x) => x.to_bits().into(),
            Double(x) => x.to_bits().into(),
        }
    }

    /// The same number; f32 widens without changing anything.
    fn wide(self) -> f64 {
        match self {
            Single(x) => x.into(),
            Double(x) => x,
        }
    }
}

type Unary = (&'static str, fn(f32) -> f32, fn(f64) -> f64);
type Binary = (&'static str, fn(f32, f32) -> f32, fn(f64, f64) -> f64);

fn min64(x: f64, y: f64) -> f64 {
    match () {
        () if x.is_nan() || y.is_nan() => f64::NAN,
        () if x == y => f64::from_bits(x.to_bits() | y.to_bits()),
        () if x < y => x,
        () => y,
    }
}

fn max64(x: f64, y: f64) -> f64 {
    -min64(-x, -y)
}

const UNARY: &[Unary] = &[
    ("sqrt", f32::sqrt, f64::sqrt),
    ("ceil", f32::ceil, f64::ceil),
    ("floor", f32::floor, f64::floor),
    ("trunc", f32::trunc, f64::trunc),
    ("nearest", f32::round_ties_even, f64::round_ties_even),
];

const BINARY: &[Binary] = &[
    ("fadd", |x, y| x + y, |x, y| x + y),
    ("fsub", |x, y| x - y, |x, y| x - y),
    ("fmul", |x, y| x * y, |x, y| x * y),
    ("fdiv", |x, y| x / y, |x, y| x / y),
    ("fmin", |x, y| min64(x.into(), y.into()) as f32, min64),
    ("fmax", |x, y| max64(x.into(), y.into()) as f32, max64),
];

type Condition = fn(f64, f64) -> bool;

const CONDITIONS: &[(&str, Condition)] = &[
    ("ord", |x, y| !x.is_nan() && !y.is_nan()),
    ("uno", |x, y| x.is_nan() || y.is_nan()),
    ("eq", |x, y| x == y),
    ("ne", |x, y| x != y),
    ("one", |x, y| x.partial_cmp(&y).is_some_and(|o| o.is_ne())),
    ("ueq", |x, y| x.partial_cmp(&y).is_none_or(|o| o.is_eq())),
    ("lt", |x, y| x < y),
    ("le", |x, y| x <= y),
    ("gt", |x, y| x > y),
    ("ge", |x, y| x >= y),
    ("ult", |x, y| x.partial_cmp(&y).is_none_or(|o| o.is_lt())),
    ("ule", |x, y| x.partial_cmp(&y).is_none_or(|o| o.is_le())),
    ("ugt", |x, y| x.partial_cmp(&y).is_none_or(|o| o.is_gt())),
    ("uge", |x, y| x.partial_cmp(&y).is_none_or(|o| o.is_ge())),
];

/// Bits of numbers at which something changes; the last three are NaN.
fn corners(ty: Type) -> Vec<u128> {
    let numbers = [
        0.0,
        -0.0,
        0.5,
        -0.5,
        1.0,
        -1.0,
        1.5,
        2.5,
        -2.5,
        0.1,
        -3.7,
        127.5,
        255.5,
        32767.5,
        8388607.5,
        16777217.0,
        2147483647.0,
        4294967295.5,
        4503599627370497.5,
        1e300,
        f64::INFINITY,
        f64::NEG_INFINITY,
    ];
    let mut out: Vec<u128> = numbers
        .iter()
        .map(|&x| if ty == F32 { u128::from((x as f32).to_bits()) } else { x.to_bits().into() })
        .collect();
    let (exponent, fraction) = if ty == F32 { (8, 23) } else { (11, 52) };
    let infinity = mask(exponent) << fraction;
    let sign = 1u128 << (exponent + fraction);
    // Smallest subnormal, largest subnormal, smallest normal, largest; NaN with and without payload, negative NaN.
    out.extend([1, sign | 1, mask(fraction), 1 << fraction, infinity - 1, sign | (infinity - 1)]);
    let quiet = infinity | 1 << (fraction - 1);
    out.extend([quiet, quiet | 5, quiet | sign | 1]);
    out.dedup();
    out
}

fn numbers(ty: Type) -> Vec<u128> {
    let mut out = corners(ty);
    out.truncate(out.len() - 3);
    out
}

/// Pairs of them: neighbours, and each with a few.
fn pairs(ty: Type) -> Vec<(u128, u128)> {
    let all = corners(ty);
    let mut out = Vec::new();
    for (i, &x) in all.iter().enumerate() {
        for step in [0, 1, 7, 12] {
            out.push((x, all[(i + step) % all.len()]));
        }
    }
    out
}

/// A run line for a float result; asks about NaN with the function `name_nan`.
fn run(file: &mut File, name: &str, args: &[(u128, Type)], result: Number, ty: Type) {
    if result.wide().is_nan() {
        file.run(&format!("{name}_nan"), args, Expect::Gives(&[(1, I8)]));
    } else {
        file.run(name, args, Expect::Gives(&[(result.bits(), ty)]));
    }
}

/// A function with one float operation, and one that tells whether its result is NaN.
fn operation(file: &mut File, op: &str, ty: Type, operands: usize) -> String {
    let name = format!("{op}_{ty}");
    let args = (0..operands).map(|i| format!("v{i}")).collect::<Vec<_>>().join(", ");
    let line = format!("v3 = {op} {args}");
    let params = vec![ty; operands];
    file.function(&format!("{name}_nan"), &params, &[I8], &[&line, "v4 = fcmp uno v3, v3", "return v4"]);
    file.function(&name, &params, &[ty], &[&line, "return v3"]);
    name
}

fn arithmetic(file: &mut File, ty: Type) {
    for &(op, single, double) in BINARY {
        let name = operation(file, op, ty, 2);
        for (x, y) in pairs(ty) {
            let result = match (Number::of(x, ty), Number::of(y, ty)) {
                (Single(x), Single(y)) => Single(single(x, y)),
                (x, y) => Double(double(x.wide(), y.wide())),
            };
            run(file, &name, &[(x, ty), (y, ty)], result, ty);
        }
    }
    let name = operation(file, "fma", ty, 3);
    let mut triples: Vec<(u128, u128, u128)> = Vec::new();
    let all = corners(ty);
    for (i, &x) in all.iter().enumerate() {
        triples.push((x, all[(i + 5) % all.len()], all[(i + 11) % all.len()]));
        triples.push((x, x, all[(i + 3) % all.len()] ^ 1));
    }
    // Products whose last bit decides the rounding of the sum.
    let near_one = if ty == F32 { 0x3f80_0001 } else { 0x3ff0_0000_0000_0001 };
    let below_one = if ty == F32 { 0x3f7f_ffff } else { 0x3fef_ffff_ffff_ffff };
    let minus_one = if ty == F32 { 0xbf80_0000 } else { 0xbff0_0000_0000_0000 };
    triples.extend([
        (near_one, near_one, minus_one),
        (near_one, below_one, minus_one),
        (below_one, below_one, 1),
    ]);
    for (x, y, z) in triples {
        let result = match (Number::of(x, ty), Number::of(y, ty), Number::of(z, ty)) {
            (Single(x), Single(y), Single(z)) => Single(x.mul_add(y, z)),
            (x, y, z) => Double(x.wide().mul_add(y.wide(), z.wide())),
        };
        run(file, &name, &[(x, ty), (y, ty), (z, ty)], result, ty);
    }
}

fn rounding(file: &mut File, ty: Type) {
    for &(op, single, double) in UNARY {
        let name = operation(file, op, ty, 1);
        for x in corners(ty) {
            let result = match Number::of(x, ty) {
                Single(x) => Single(single(x)),
                Double(x) => Double(double(x)),
            };
            run(file, &name, &[(x, ty)], result, ty);
        }
    }
}

/// What keeps the bits of NaN: constants, signs, logic, selection, moves.
fn bits(file: &mut File, ty: Type) {
    let int = if ty == F32 { I32 } else { I64 };
    let sign = 1u128 << (ty.bits() - 1);
    for (i, x) in corners(ty).into_iter().enumerate() {
        let name = format!("{}const_{i}", if ty == F32 { "f32" } else { "f64" });
        let text = windlass_ir::DataValue::from_bits(x, ty).map_or(String::new(), |v| v.to_string());
        let line = format!("v0 = {}const {text}", if ty == F32 { "f32" } else { "f64" });
        file.function(&name, &[], &[ty], &[&line, "return v0"]);
        file.run(&name, &[], Expect::Gives(&[(x, ty)]));
    }
    for (op, f) in [("fneg", (|x, sign| x ^ sign) as fn(u128, u128) -> u128), ("fabs", |x, sign| x & !sign)] {
        let name = format!("{op}_{ty}");
        file.function(&name, &[ty], &[ty], &[&format!("v1 = {op} v0"), "return v1"]);
        for x in corners(ty) {
            file.run(&name, &[(x, ty)], Expect::Gives(&[(f(x, sign), ty)]));
        }
    }
    let name = format!("fcopysign_{ty}");
    file.function(&name, &[ty, ty], &[ty], &["v2 = fcopysign v0, v1", "return v2"]);
    for (x, y) in pairs(ty) {
        file.run(&name, &[(x, ty), (y, ty)], Expect::Gives(&[(x & !sign | y & sign, ty)]));
    }
    ints::logic(file, &[ty]);
    ints::select(file, &[ty], &[I8, I32]);
    for (to, from) in [(ty, int), (int, ty), (ty, ty)] {
        let name = format!("bitcast_{to}_{from}");
        file.function(&name, &[from], &[to], &[&format!("v1 = bitcast.{to} v0"), "return v1"]);
        for x in corners(ty) {
            file.run(&name, &[(x, from)], Expect::Gives(&[(x, to)]));
        }
    }
}

fn comparison(file: &mut File, ty: Type) {
    for (cond, f) in CONDITIONS {
        let name = format!("fcmp_{ty}_{cond}");
        file.function(&name, &[ty, ty], &[I8], &[&format!("v2 = fcmp {cond} v0, v1"), "return v2"]);
        for (x, y) in pairs(ty).into_iter().step_by(3) {
            let holds = f(Number::of(x, ty).wide(), Number::of(y, ty).wide());
            file.run(&name, &[(x, ty), (y, ty)], Expect::Gives(&[(holds.into(), I8)]));
        }
    }
}

fn between(file: &mut File) {
    file.function("fpromote_f64", &[F32], &[F64], &["v1 = fpromote.f64 v0", "return v1"]);
    for x in numbers(F32) {
        let wide = Number::of(x, F32).wide();
        file.run("fpromote_f64", &[(x, F32)], Expect::Gives(&[(wide.to_bits().into(), F64)]));
    }
    file.function("fdemote_f32", &[F64], &[F32], &["v1 = fdemote.f32 v0", "return v1"]);
    let ties = [0x3ff0_0000_1000_0000, 0x3ff0_0000_3000_0000, 0x3ff0_0000_1000_0001, 0x36a0_0000_0000_0000];
    for x in numbers(F64).into_iter().chain(ties) {
        let narrow = Number::of(x, F64).wide() as f32;
        file.run("fdemote_f32", &[(x, F64)], Expect::Gives(&[(narrow.to_bits().into(), F32)]));
    }
}

/// Numbers near the ends of integer types.
fn integral(ty: Type) -> Vec<u128> {
    let mut out = corners(ty);
    for exponent in [7, 8, 15, 16, 31, 32, 63, 64, 127] {
        let x = 2f64.powi(exponent);
        for x in [x, -x] {
            let bits: u128 = if ty == F32 { (x as f32).to_bits().into() } else { x.to_bits().into() };
            out.extend([bits - 1, bits, bits + 1]);
        }
    }
    out.sort();
    out.dedup();
    out
}

fn to_integers(file: &mut File, ty: Type, ints: &[Type]) {
    for &int in ints {
        let w = int.bits();
        for (op, is_signed) in [("fcvt_to_uint", false), ("fcvt_to_sint", true)] {
            let (trapping, saturating) = (format!("{op}_{int}_{ty}"), format!("{op}_sat_{int}_{ty}"));
            file.function(&trapping, &[ty], &[int], &[&format!("v1 = {op}.{int} v0"), "return v1"]);
            let line = format!("v1 = {op}_sat.{int} v0");
            let mut lines = Vec::new();
            for bits in integral(ty) {
                let x = Number::of(bits, ty).wide();
                let whole = x.trunc();
                // Rust's casts saturate at 128 bits; what is left is to clamp to the width.
                let clamped = if is_signed {
                    (whole as i128).clamp(signed(1 << (w - 1), w), (mask(w) >> 1) as i128) as u128
                } else {
                    (whole as u128).min(mask(w))
                };
                let (low, high) = if is_signed {
                    (-(2f64.powi(w as i32 - 1)), 2f64.powi(w as i32 - 1))
                } else {
                    (0.0, 2f64.powi(w as i32))
                };
                let args = [(bits, ty)];
                if x.is_nan() {
                    file.run(&trapping, &args, Expect::Traps("bad_toint"));
                } else if whole < low || whole >= high {
                    file.run(&trapping, &args, Expect::Traps("int_ovf"));
                } else {
                    file.run(&trapping, &args, Expect::Gives(&[(clamped, int)]));
                }
                lines.push((bits, clamped));
            }
            file.function(&saturating, &[ty], &[int], &[&line, "return v1"]);
            for (bits, clamped) in lines {
                file.run(&saturating, &[(bits, ty)], Expect::Gives(&[(clamped, int)]));
            }
        }
    }
}

fn from_integers(file: &mut File, ty: Type, ints: &[Type]) {
    for &int in ints {
        let w = int.bits();
        let mut xs = crate::file::corners(w);
        // Ties of both formats, one above and one below.
        for k in [24, 25, 53, 54] {
            if k < w {
                xs.extend([(1 << k) + 1, (1 << k) + 2, (1 << k) + 3, (1 << (w - 1)) - 1]);
            }
        }
        for (op, is_signed) in [("fcvt_from_uint", false), ("fcvt_from_sint", true)] {
            let name = format!("{op}_{ty}_{int}");
            file.function(&name, &[int], &[ty], &[&format!("v1 = {op}.{ty} v0"), "return v1"]);
            for &x in &xs {
                let bits: u128 = match (ty, is_signed) {
                    (F32, true) => (signed(x, w) as f32).to_bits().into(),
                    (F32, false) => (x as f32).to_bits().into(),
                    (_, true) => (signed(x, w) as f64).to_bits().into(),
                    (_, false) => (x as f64).to_bits().into(),
                };
                file.run(&name, &[(x, int)], Expect::Gives(&[(bits, ty)]));
            }
        }
    }
}

/// The files about floats.
pub fn files() -> Vec<File> {
    let mut out = Vec::new();
    let mut add = |name: String, about: &str, make: &dyn Fn(&mut File)| {
        let mut file = File::new(&name, about, ALL);
        make(&mut file);
        out.push(file);
    };
    for ty in [F32, F64] {
        add(format!("float-arithmetic-{ty}"), "Sums, products, quotients, minima, fused products.", &|f| {
            arithmetic(f, ty);
        });
        add(format!("float-rounding-{ty}"), "Square roots, and rounding to integers.", &|f| rounding(f, ty));
        add(format!("float-bits-{ty}"), "What moves and changes bits, a NaN's too.", &|f| bits(f, ty));
        add(format!("float-comparison-{ty}"), "Every condition.", &|f| comparison(f, ty));
        add(format!("float-to-int-{ty}"), "Conversion to integers, trapping and saturating.", &|f| {
            to_integers(f, ty, &NARROW);
        });
        add(format!("float-to-int-{ty}-i128"), "Conversion to i128, trapping and saturating.", &|f| {
            to_integers(f, ty, &[I128]);
        });
        add(format!("int-to-float-{ty}"), "Conversion from integers, rounded.", &|f| {
            from_integers(f, ty, &NARROW)
        });
        add(format!("int-to-float-{ty}-i128"), "Conversion from i128, rounded.", &|f| {
            from_integers(f, ty, &[I128]);
        });
    }
    add("float-conversion".into(), "Between the float types.", &between);
    out
}
