//! Integers: what Rust's own arithmetic says, at 128 bits and cut to the width.

use crate::file::*;
use windlass_ir::Type;
use windlass_ir::types::*;

type Binary = fn(u128, u128, u32) -> u128;
type Table<F> = &'static [(&'static str, F)];
type Unary = fn(u128, u32) -> u128;
type Logic = fn(u128, u128) -> u128;
type Shift = fn(u128, u32, u32) -> u128;
type Condition = fn(u128, u128, u32) -> bool;
type Flagged = fn(u128, u128, u32) -> (u128, bool);

fn umulhi(x: u128, y: u128, w: u32) -> u128 {
    if w <= 64 {
        return (x * y) >> w;
    }
    let (m, x0, x1, y0, y1) = (u128::from(u64::MAX), x & mask(64), x >> 64, y & mask(64), y >> 64);
    let low = x0 * y0;
    let middle = x1 * y0 + (low >> 64);
    let other = x0 * y1 + (middle & m);
    x1 * y1 + (middle >> 64) + (other >> 64)
}

fn smulhi(x: u128, y: u128, w: u32) -> u128 {
    let mut high = umulhi(x, y, w);
    if signed(x, w) < 0 {
        high = high.wrapping_sub(y);
    }
    if signed(y, w) < 0 {
        high = high.wrapping_sub(x);
    }
    high
}

const BINARY: Table<Binary> = &[
    ("iadd", |x, y, _| x.wrapping_add(y)),
    ("isub", |x, y, _| x.wrapping_sub(y)),
    ("imul", |x, y, _| x.wrapping_mul(y)),
    ("umulhi", umulhi),
    ("smulhi", smulhi),
    ("smin", |x, y, w| if signed(x, w) < signed(y, w) { x } else { y }),
    ("umin", |x, y, _| x.min(y)),
    ("smax", |x, y, w| if signed(x, w) > signed(y, w) { x } else { y }),
    ("umax", |x, y, _| x.max(y)),
];

const UNARY: Table<Unary> =
    &[("ineg", |x, _| x.wrapping_neg()), ("iabs", |x, w| signed(x, w).unsigned_abs())];

const LOGIC: Table<Logic> = &[("band", |x, y| x & y), ("bor", |x, y| x | y), ("bxor", |x, y| x ^ y)];

const COUNTS: Table<Unary> = &[
    ("bitrev", |x, w| x.reverse_bits() >> (128 - w)),
    ("clz", |x, w| u128::from(x.leading_zeros() + w - 128)),
    ("cls", |x, w| {
        let x = signed(x, w);
        let same = if x < 0 { !x } else { x };
        u128::from((same.leading_zeros() + w - 128) - 1)
    }),
    ("ctz", |x, w| u128::from(x.trailing_zeros().min(w))),
    ("popcnt", |x, _| u128::from(x.count_ones())),
];

const OVERFLOW: Table<Flagged> = &[
    ("uadd_overflow", |x, y, w| {
        let (sum, carry) = x.overflowing_add(y);
        (sum, carry || sum > mask(w))
    }),
    ("sadd_overflow", |x, y, w| {
        let (sum, over) = signed(x, w).overflowing_add(signed(y, w));
        (sum as u128, over || signed(sum as u128, w) != sum)
    }),
    ("usub_overflow", |x, y, _| (x.wrapping_sub(y), x < y)),
    ("ssub_overflow", |x, y, w| {
        let (difference, over) = signed(x, w).overflowing_sub(signed(y, w));
        (difference as u128, over || signed(difference as u128, w) != difference)
    }),
    ("umul_overflow", |x, y, w| {
        let (product, over) = x.overflowing_mul(y);
        (product, over || product > mask(w))
    }),
    ("smul_overflow", |x, y, w| {
        let (product, over) = signed(x, w).overflowing_mul(signed(y, w));
        (product as u128, over || signed(product as u128, w) != product)
    }),
];

const SHIFTS: Table<Shift> = &[
    ("ishl", |x, k, _| x << k),
    ("ushr", |x, k, _| x >> k),
    ("sshr", |x, k, w| (signed(x, w) >> k) as u128),
    ("rotl", |x, k, w| if k == 0 { x } else { x << k | x >> (w - k) }),
    ("rotr", |x, k, w| if k == 0 { x } else { x >> k | x << (w - k) }),
];

const CONDITIONS: Table<Condition> = &[
    ("eq", |x, y, _| x == y),
    ("ne", |x, y, _| x != y),
    ("slt", |x, y, w| signed(x, w) < signed(y, w)),
    ("sge", |x, y, w| signed(x, w) >= signed(y, w)),
    ("sgt", |x, y, w| signed(x, w) > signed(y, w)),
    ("sle", |x, y, w| signed(x, w) <= signed(y, w)),
    ("ult", |x, y, _| x < y),
    ("uge", |x, y, _| x >= y),
    ("ugt", |x, y, _| x > y),
    ("ule", |x, y, _| x <= y),
];

/// Constants and arithmetic.
fn arithmetic(file: &mut File, types: &[Type]) {
    for &ty in types {
        let w = ty.bits();
        if w <= 64 {
            for (i, x) in corners(w).into_iter().enumerate() {
                let name = format!("iconst_{ty}_{i}");
                file.function(
                    &name,
                    &[],
                    &[ty],
                    &[&format!("v0 = iconst.{ty} {}", signed(x, w)), "return v0"],
                );
                file.run(&name, &[], Expect::Gives(&[(x, ty)]));
            }
        }
        for (op, f) in BINARY {
            let name = format!("{op}_{ty}");
            file.function(&name, &[ty, ty], &[ty], &[&format!("v2 = {op} v0, v1"), "return v2"]);
            for (x, y) in pairs(w) {
                file.run(&name, &[(x, ty), (y, ty)], Expect::Gives(&[(f(x, y, w), ty)]));
            }
        }
        unary(file, ty, UNARY);
    }
}

fn unary(file: &mut File, ty: Type, ops: &[(&str, Unary)]) {
    for (op, f) in ops {
        let name = format!("{op}_{ty}");
        file.function(&name, &[ty], &[ty], &[&format!("v1 = {op} v0"), "return v1"]);
        for x in corners(ty.bits()) {
            file.run(&name, &[(x, ty)], Expect::Gives(&[(f(x, ty.bits()), ty)]));
        }
    }
}

fn division(file: &mut File, types: &[Type]) {
    for &ty in types {
        let w = ty.bits();
        for op in ["udiv", "sdiv", "urem", "srem"] {
            let name = format!("{op}_{ty}");
            file.function(&name, &[ty, ty], &[ty], &[&format!("v2 = {op} v0, v1"), "return v2"]);
            for (x, y) in pairs(w).into_iter().chain([(mask(w), 0), (1 << (w - 1), 0), (7, mask(w) - 1)]) {
                let (sx, sy) = (signed(x, w), signed(y, w));
                let overflows = x == 1 << (w - 1) && y == mask(w);
                let result = match op {
                    _ if y == 0 => Err("int_divz"),
                    "sdiv" if overflows => Err("int_ovf"),
                    "udiv" => Ok(x / y),
                    "urem" => Ok(x % y),
                    "sdiv" => Ok((sx / sy) as u128),
                    _ => Ok(sx.wrapping_rem(sy) as u128),
                };
                let args = [(x, ty), (y, ty)];
                match result {
                    Ok(bits) => file.run(&name, &args, Expect::Gives(&[(bits, ty)])),
                    Err(code) => file.run(&name, &args, Expect::Traps(code)),
                }
            }
        }
    }
}

fn overflow(file: &mut File, types: &[Type]) {
    for &ty in types {
        let w = ty.bits();
        for (op, f) in OVERFLOW {
            let name = format!("{op}_{ty}");
            file.function(&name, &[ty, ty], &[ty, I8], &[&format!("v2, v3 = {op} v0, v1"), "return v2, v3"]);
            for (x, y) in pairs(w) {
                let (bits, over) = f(x, y, w);
                file.run(&name, &[(x, ty), (y, ty)], Expect::Gives(&[(bits, ty), (over.into(), I8)]));
            }
        }
    }
}

fn carry(file: &mut File, types: &[Type]) {
    for &ty in types {
        let w = ty.bits();
        for op in ["uadd_overflow_cin", "sadd_overflow_cin", "usub_overflow_bin", "ssub_overflow_bin"] {
            let name = format!("{op}_{ty}");
            let line = format!("v3, v4 = {op} v0, v1, v2");
            file.function(&name, &[ty, ty, I8], &[ty, I8], &[&line, "return v3, v4"]);
            for (x, y) in pairs(w) {
                for carry in [0u128, 1] {
                    let (sx, sy, c) = (signed(x, w), signed(y, w), carry as i128);
                    let (bits, over) = match op {
                        "uadd_overflow_cin" => {
                            let (a, over) = x.overflowing_add(y);
                            let (b, again) = a.overflowing_add(carry);
                            (b, over || again || b > mask(w))
                        }
                        "usub_overflow_bin" => {
                            let (a, over) = x.overflowing_sub(y);
                            let (b, again) = a.overflowing_sub(carry);
                            (b, over || again)
                        }
                        _ => {
                            let adds = op == "sadd_overflow_cin";
                            let (a, over) =
                                if adds { sx.overflowing_add(sy) } else { sx.overflowing_sub(sy) };
                            let (b, again) = if adds { a.overflowing_add(c) } else { a.overflowing_sub(c) };
                            // Two overflows of 128 bits undo each other.
                            (b as u128, (over ^ again) || (w < 128 && signed(b as u128, w) != b))
                        }
                    };
                    let args = [(x, ty), (y, ty), (carry, I8)];
                    file.run(&name, &args, Expect::Gives(&[(bits, ty), (over.into(), I8)]));
                }
            }
        }
    }
}

fn add_trap(file: &mut File) {
    for ty in [I32, I64] {
        let name = format!("uadd_overflow_trap_{ty}");
        file.function(&name, &[ty, ty], &[ty], &["v2 = uadd_overflow_trap v0, v1, user7", "return v2"]);
        for (x, y) in pairs(ty.bits()) {
            let args = [(x, ty), (y, ty)];
            if x + y > mask(ty.bits()) {
                file.run(&name, &args, Expect::Traps("user7"));
            } else {
                file.run(&name, &args, Expect::Gives(&[(x + y, ty)]));
            }
        }
    }
}

/// Logical operations of integers, or of the bits of floats.
pub fn logic(file: &mut File, types: &[Type]) {
    for &ty in types {
        let w = ty.bits();
        for (op, f) in LOGIC {
            let name = format!("{op}_{ty}");
            file.function(&name, &[ty, ty], &[ty], &[&format!("v2 = {op} v0, v1"), "return v2"]);
            for (x, y) in pairs(w) {
                file.run(&name, &[(x, ty), (y, ty)], Expect::Gives(&[(f(x, y), ty)]));
            }
        }
        unary(file, ty, &[("bnot", |x, _| !x)]);
        let name = format!("bitselect_{ty}");
        file.function(&name, &[ty, ty, ty], &[ty], &["v3 = bitselect v0, v1, v2", "return v3"]);
        for (x, y) in pairs(w) {
            for c in [0, mask(w), mask(w) / 3, 1 << (w - 1)] {
                let bits = c & x | !c & y;
                file.run(&name, &[(c, ty), (x, ty), (y, ty)], Expect::Gives(&[(bits, ty)]));
            }
        }
    }
}

/// Selections of any scalar.
pub fn select(file: &mut File, types: &[Type], conditions: &[Type]) {
    for &ty in types {
        let (x, y) = (mask(ty.bits()) / 3, mask(ty.bits()) / 5);
        for op in ["select", "select_spectre_guard"] {
            for &c in conditions {
                let name = format!("{op}_{ty}_{c}");
                file.function(&name, &[c, ty, ty], &[ty], &[&format!("v3 = {op} v0, v1, v2"), "return v3"]);
                for n in [0, 1, mask(c.bits()), 1 << (c.bits() - 1)] {
                    let bits = if n == 0 { y } else { x };
                    file.run(&name, &[(n, c), (x, ty), (y, ty)], Expect::Gives(&[(bits, ty)]));
                }
            }
        }
    }
}

fn shifts(file: &mut File, types: &[Type], amounts: &[Type]) {
    for &ty in types {
        let w = ty.bits();
        for (op, f) in SHIFTS {
            for &by in amounts {
                let name = format!("{op}_{ty}_{by}");
                file.function(&name, &[ty, by], &[ty], &[&format!("v2 = {op} v0, v1"), "return v2"]);
                let xs = [mask(w) / 3, (1 << (w - 1)) + 5];
                for k in [0, 1, w / 2, w - 1, w, w + 3] {
                    for x in xs {
                        let amount = u128::from(k) & mask(by.bits());
                        let bits = f(x, amount as u32 % w, w);
                        file.run(&name, &[(x, ty), (amount, by)], Expect::Gives(&[(bits, ty)]));
                    }
                }
                let amount = mask(by.bits());
                let bits = f(xs[1], (amount % u128::from(w)) as u32, w);
                file.run(&name, &[(xs[1], ty), (amount, by)], Expect::Gives(&[(bits, ty)]));
            }
        }
    }
}

fn counts(file: &mut File, types: &[Type], all: &[Type]) {
    for &ty in types {
        unary(file, ty, COUNTS);
        if ty != I8 {
            unary(file, ty, &[("bswap", |x, w| x.swap_bytes() >> (128 - w))]);
        }
        for &from in all {
            let name = format!("bmask_{ty}_{from}");
            file.function(&name, &[from], &[ty], &[&format!("v1 = bmask.{ty} v0"), "return v1"]);
            for x in [0, 1, mask(from.bits()), 1 << (from.bits() - 1)] {
                let bits = if x == 0 { 0 } else { mask(ty.bits()) };
                file.run(&name, &[(x, from)], Expect::Gives(&[(bits, ty)]));
            }
        }
    }
}

fn comparison(file: &mut File, types: &[Type]) {
    for &ty in types {
        for (cond, f) in CONDITIONS {
            let name = format!("icmp_{ty}_{cond}");
            file.function(&name, &[ty, ty], &[I8], &[&format!("v2 = icmp {cond} v0, v1"), "return v2"]);
            for (x, y) in pairs(ty.bits()) {
                let holds = f(x, y, ty.bits());
                file.run(&name, &[(x, ty), (y, ty)], Expect::Gives(&[(holds.into(), I8)]));
            }
        }
    }
}

/// Conversions between `types`, those of which `wide` is one side if there is one.
fn conversion(file: &mut File, types: &[Type], wide: Option<Type>) {
    for &from in types {
        for &to in types {
            if wide.is_some_and(|wide| wide != from && wide != to) {
                continue;
            }
            let ops: &[&str] = match from.bits().cmp(&to.bits()) {
                std::cmp::Ordering::Greater => &["ireduce"],
                std::cmp::Ordering::Less => &["uextend", "sextend"],
                std::cmp::Ordering::Equal => &["bitcast"],
            };
            for op in ops {
                let name = format!("{op}_{to}_{from}");
                file.function(&name, &[from], &[to], &[&format!("v1 = {op}.{to} v0"), "return v1"]);
                for x in corners(from.bits()) {
                    let bits = if *op == "sextend" { signed(x, from.bits()) as u128 } else { x };
                    file.run(&name, &[(x, from)], Expect::Gives(&[(bits, to)]));
                }
            }
        }
        let (half, w) = (from.half_width(), from.bits());
        if let Some(half) = half
            && wide.is_none_or(|wide| wide == from)
        {
            let name = format!("isplit_{from}");
            file.function(&name, &[from], &[half, half], &["v1, v2 = isplit v0", "return v1, v2"]);
            for x in corners(w) {
                file.run(&name, &[(x, from)], Expect::Gives(&[(x, half), (x >> (w / 2), half)]));
            }
            let name = format!("iconcat_{half}");
            file.function(&name, &[half, half], &[from], &["v2 = iconcat v0, v1", "return v2"]);
            for (x, y) in pairs(w / 2) {
                file.run(&name, &[(x, half), (y, half)], Expect::Gives(&[(y << (w / 2) | x, from)]));
            }
        }
    }
}

/// The files about integers.
pub fn files() -> Vec<File> {
    let all = [I8, I16, I32, I64, I128];
    let mut out = Vec::new();
    for (suffix, types) in [("", &NARROW[..]), ("-i128", &[I128])] {
        let mut add = |name: &str, about: &str, make: &dyn Fn(&mut File)| {
            let name = format!("{name}{suffix}");
            let mut file = File::new(&name, about, ALL);
            make(&mut file);
            out.push(file);
        };
        let wide = (!suffix.is_empty()).then_some(I128);
        let amounts: &[Type] = if wide.is_some() { &all } else { &NARROW };
        add("arithmetic", "Constants, sums, products, minima, at the ends of the ranges.", &|f| {
            arithmetic(f, types)
        });
        add("division", "Quotients and remainders, and their traps.", &|f| division(f, types));
        add("overflow", "Results with a mark whether they fit.", &|f| overflow(f, types));
        add("carry", "Sums and differences with a carry in and out.", &|f| carry(f, types));
        add("logic", "Logical operations, bit by bit.", &|f| logic(f, types));
        add("select", "One of two, by conditions of every type.", &|f| select(f, types, amounts));
        add("shifts", "Shifts and rotations, by amounts of every type, beyond the width too.", &|f| {
            shifts(f, types, amounts);
        });
        add("counts", "Counting bits, reversing bits and bytes, masks.", &|f| counts(f, types, amounts));
        add("comparison", "Every condition.", &|f| comparison(f, types));
        add("conversion", "Narrowing, widening, halves.", &|f| {
            let types: &[Type] = if wide.is_some() { &all } else { &NARROW };
            conversion(f, types, wide);
        });
    }
    let mut file = File::new("add-trap", "Sums that trap when they do not fit.", ALL);
    add_trap(&mut file);
    out.push(file);
    out
}
