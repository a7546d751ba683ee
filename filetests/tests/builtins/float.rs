//! Floating-point arithmetic on bits against the host's, which is IEEE 754's.

use crate::harness::{Case, Random, program, random_count};
use crate::operands::{F32, F64, Format};
use windlass_ir::{DataValue, Type, types};

/// An operand or a result.
#[derive(Clone, Copy)]
enum Kind {
    Float(Format),
    Int(Type),
}

impl Kind {
    fn value(self, bits: u64) -> DataValue {
        let ty = match self {
            Kind::Float(format) if format.bits == 32 => types::I32,
            Kind::Float(_) => types::I64,
            Kind::Int(ty) => ty,
        };
        let mask = if ty == types::I32 { u64::from(u32::MAX) } else { u64::MAX };
        DataValue::from_bits((bits & mask).into(), ty).unwrap()
    }

    fn corners(self) -> Vec<u64> {
        match self {
            Kind::Float(format) => format.corners(),
            Kind::Int(_) => {
                let mut corners = vec![0, 1, 2, 3, 0x7fff_fffd, 0xaaaa_aaaa, 0x0123_4567_89ab_cdef];
                for bit in 1..64 {
                    let power = 1_u64 << bit;
                    corners.extend([
                        power - 1,
                        power,
                        power + 1,
                        power | 1 << (bit / 2),
                        power.wrapping_neg(),
                    ]);
                    // Halfway between two numbers of either format, and next to that.
                    for place in [24, 53] {
                        if bit > place {
                            let half = power | 1 << (bit - place);
                            corners.extend([half - 1, half, half + 1, half | 1 << (bit - place + 1)]);
                        }
                    }
                }
                corners
            }
        }
    }

    fn random(self, random: &mut Random, others: &[u64]) -> u64 {
        match self {
            Kind::Float(format) => format.random(random, others),
            Kind::Int(_) => {
                let n = random.any_length();
                if n & 1 == 0 { n } else { n.wrapping_neg() }
            }
        }
    }
}

struct Operation<'a> {
    routine: &'a str,
    operands: &'a [Kind],
    result: Kind,
    host: &'a dyn Fn(&[u64]) -> u64,
}

impl Operation<'_> {
    fn corners(&self) -> Vec<Vec<u64>> {
        let mut lists = vec![vec![]];
        for (i, kind) in self.operands.iter().enumerate() {
            let corners = match kind {
                Kind::Float(format) if self.operands.len() == 3 && i < 3 => format.few_corners(),
                _ => kind.corners(),
            };
            let extended = lists.iter().flat_map(|list| {
                corners.iter().map(move |&bits| list.iter().copied().chain([bits]).collect())
            });
            lists = extended.collect();
        }
        lists
    }

    fn random(&self, random: &mut Random) -> Vec<u64> {
        let mut list = Vec::with_capacity(3);
        for kind in self.operands {
            let bits = kind.random(random, &list);
            list.push(bits);
        }
        list
    }

    fn check(&self) {
        self.check_with(&mut |random| self.random(random));
    }

    fn check_with(&self, operands: &mut dyn FnMut(&mut Random) -> Vec<u64>) {
        let check = |args: &[DataValue], results: &[DataValue]| {
            let args: Vec<_> = args.iter().map(|arg| arg.to_bits() as u64).collect();
            let expected = (self.host)(&args);
            let [result] = results else { return Some("one result is wanted".into()) };
            if let Kind::Float(format) = self.result
                && format.is_nan(expected)
            {
                return (!format.is_quiet_nan(result.to_bits() as u64)).then(|| "not a quiet NaN".into());
            }
            let expected = self.result.value(expected);
            (*result != expected).then(|| format!("not {expected:x?}"))
        };
        let case = Case { routine: self.routine, check: &check };
        let values = |list: Vec<u64>| -> Vec<DataValue> {
            list.into_iter().zip(self.operands).map(|(bits, kind)| kind.value(bits)).collect()
        };
        let corners: Vec<_> = self.corners().into_iter().map(values).collect();
        let mut random = Random(0x9e37_79b9_7f4a_7c15);
        let mut some: Vec<_> = (0..3000).map(|_| values(operands(&mut random))).collect();
        let more = (0..random_count()).map(|_| values(operands(&mut random)));
        case.interpret(&program(), corners.iter().cloned().chain(more));
        some.extend(corners);
        case.emulate(&some);
    }
}

macro_rules! format_tests {
    ($module:ident, $float:ident, $bits:ident, $format:ident, $letter:literal) => {
        mod $module {
            use super::*;

            const FORMAT: Format = $format;
            const FLOAT: Kind = Kind::Float($format);
            const I32: Kind = Kind::Int(types::I32);
            const I64: Kind = Kind::Int(types::I64);

            fn float(bits: u64) -> $float {
                $float::from_bits(bits as $bits)
            }

            fn bits(float: $float) -> u64 {
                float.to_bits().into()
            }

            fn own(name: &str) -> String {
                format!("__windlass_{}_{name}", stringify!($float))
            }

            fn abi(name: &str) -> String {
                name.replace('#', $letter)
            }

            fn unary(routine: &str, host: fn($float) -> $float) {
                let host = |args: &[u64]| bits(host(float(args[0])));
                Operation { routine, operands: &[FLOAT], result: FLOAT, host: &host }.check();
            }

            fn binary(routine: &str, host: fn($float, $float) -> $float) {
                let host = |args: &[u64]| bits(host(float(args[0]), float(args[1])));
                Operation { routine, operands: &[FLOAT; 2], result: FLOAT, host: &host }.check();
            }

            fn comparison(routine: &str, host: fn($float, $float) -> bool) {
                let host = |args: &[u64]| host(float(args[0]), float(args[1])).into();
                Operation { routine, operands: &[FLOAT; 2], result: I32, host: &host }.check();
            }

            fn conversion(routine: &str, operand: Kind, result: Kind, host: fn(u64) -> u64) {
                let host = |args: &[u64]| host(args[0]);
                Operation { routine, operands: &[operand], result, host: &host }.check();
            }

            #[test]
            fn addition() {
                binary(&abi("__aeabi_#add"), |a, b| a + b);
            }

            #[test]
            fn subtraction() {
                binary(&abi("__aeabi_#sub"), |a, b| a - b);
                binary(&abi("__aeabi_#rsub"), |a, b| b - a);
            }

            #[test]
            fn multiplication() {
                binary(&abi("__aeabi_#mul"), |a, b| a * b);
            }

            #[test]
            fn division() {
                binary(&abi("__aeabi_#div"), |a, b| a / b);
            }

            #[test]
            fn square_root() {
                unary(&own("sqrt"), $float::sqrt);
            }

            #[test]
            fn negation_keeps_nan() {
                let host = |args: &[u64]| args[0] ^ FORMAT.sign();
                let result = if FORMAT.bits == 32 { I32 } else { I64 };
                Operation { routine: &abi("__aeabi_#neg"), operands: &[FLOAT], result, host: &host }.check();
            }

            #[test]
            fn fused_multiplication_and_addition() {
                let host = |args: &[u64]| bits(float(args[0]).mul_add(float(args[1]), float(args[2])));
                let operation =
                    Operation { routine: &own("fma"), operands: &[FLOAT; 3], result: FLOAT, host: &host };
                operation.check_with(&mut |random| {
                    let mut list = operation.random(random);
                    let choice = random.next();
                    if choice & 1 == 0 {
                        // A third operand that cancels the product, or nearly.
                        let product = bits(-(float(list[0]) * float(list[1])));
                        list[2] = match choice >> 1 & 3 {
                            0 => product,
                            1 => product.wrapping_add(1),
                            2 => product ^ FORMAT.sign(),
                            _ => product ^ (choice >> 40 & 0xff),
                        };
                        list[2] &= FORMAT.sign() | (FORMAT.sign() - 1);
                    }
                    list
                });
            }

            #[test]
            fn comparisons() {
                comparison(&abi("__aeabi_#cmpeq"), |a, b| a == b);
                comparison(&abi("__aeabi_#cmplt"), |a, b| a < b);
                comparison(&abi("__aeabi_#cmple"), |a, b| a <= b);
                comparison(&abi("__aeabi_#cmpge"), |a, b| a >= b);
                comparison(&abi("__aeabi_#cmpgt"), |a, b| a > b);
                comparison(&abi("__aeabi_#cmpun"), |a, b| a.is_nan() || b.is_nan());
                let host = |args: &[u64]| match float(args[0]).partial_cmp(&float(args[1])) {
                    Some(order) => order as i64 as u64,
                    None => 2,
                };
                Operation { routine: &own("order"), operands: &[FLOAT; 2], result: I32, host: &host }.check();
            }

            #[test]
            fn least_and_greatest() {
                let least = |a: $float, b: $float| match a.partial_cmp(&b) {
                    None => $float::NAN,
                    Some(std::cmp::Ordering::Equal) => float(bits(a) | bits(b)),
                    Some(std::cmp::Ordering::Less) => a,
                    Some(std::cmp::Ordering::Greater) => b,
                };
                let greatest = |a: $float, b: $float| match a.partial_cmp(&b) {
                    None => $float::NAN,
                    Some(std::cmp::Ordering::Equal) => float(bits(a) & bits(b)),
                    Some(std::cmp::Ordering::Less) => b,
                    Some(std::cmp::Ordering::Greater) => a,
                };
                binary(&own("min"), least);
                binary(&own("max"), greatest);
            }

            #[test]
            fn rounding_to_integers() {
                unary(&own("ceil"), $float::ceil);
                unary(&own("floor"), $float::floor);
                unary(&own("trunc"), $float::trunc);
                unary(&own("nearest"), $float::round_ties_even);
            }

            #[test]
            fn conversion_from_integers() {
                conversion(&abi("__aeabi_i2#"), I32, FLOAT, |n| bits(n as i32 as $float));
                conversion(&abi("__aeabi_ui2#"), I32, FLOAT, |n| bits(n as u32 as $float));
                conversion(&abi("__aeabi_l2#"), I64, FLOAT, |n| bits(n as i64 as $float));
                conversion(&abi("__aeabi_ul2#"), I64, FLOAT, |n| bits(n as $float));
            }

            #[test]
            fn conversion_to_integers_saturates() {
                conversion(&abi("__aeabi_#2iz"), FLOAT, I32, |a| float(a) as i32 as u64);
                conversion(&abi("__aeabi_#2uiz"), FLOAT, I32, |a| float(a) as u32 as u64);
                conversion(&abi("__aeabi_#2lz"), FLOAT, I64, |a| float(a) as i64 as u64);
                conversion(&abi("__aeabi_#2ulz"), FLOAT, I64, |a| float(a) as u64);
            }
        }
    };
}

format_tests!(single, f32, u32, F32, "f");
format_tests!(double, f64, u64, F64, "d");

#[test]
fn conversion_between_formats() {
    let widen = |args: &[u64]| f64::from(f32::from_bits(args[0] as u32)).to_bits();
    let (single, double) = (Kind::Float(F32), Kind::Float(F64));
    Operation { routine: "__aeabi_f2d", operands: &[single], result: double, host: &widen }.check();
    let narrow = |args: &[u64]| u64::from((f64::from_bits(args[0]) as f32).to_bits());
    let operation = Operation { routine: "__aeabi_d2f", operands: &[double], result: single, host: &narrow };
    operation.check_with(&mut |random| {
        let bits = F64.random(random, &[]);
        // Half of them where f32 has numbers, and the sixteen exponents below that.
        if bits & 1 == 0 {
            return vec![bits];
        }
        let exponent = 1023 - 165 + random.next() % 300;
        vec![bits & !(0x7ff << 52) | exponent << 52]
    });
}

/// Integers of 128 bits: powers of two and their neighbours, halfway cases of both formats, both signs.
fn wide_integers() -> Vec<u128> {
    let mut list = vec![0];
    for bit in 0..128 {
        let power = 1_u128 << bit;
        list.extend([power, power - 1, power + 1]);
        for place in [24, 53] {
            if bit > place {
                let half = power | 1 << (bit - place);
                list.extend([
                    half - 1,
                    half,
                    half + 1,
                    half | 1 << (bit - place + 1),
                    power + (power - (power >> place)),
                ]);
            }
        }
    }
    let negative: Vec<_> = list.iter().map(|n| n.wrapping_neg()).collect();
    list.extend(negative);
    list
}

#[test]
fn conversion_from_integers_of_128_bits() {
    let value = |n: u128| vec![DataValue::I128(n as i128)];
    let check = |routine: &str, host: fn(u128) -> DataValue| {
        let check = |args: &[DataValue], results: &[DataValue]| {
            let expected = host(args[0].to_bits());
            (results != [expected]).then(|| format!("not {expected:x?}"))
        };
        let mut random = Random(77);
        let mut any = || {
            let n = u128::from(random.next()) << 64 | u128::from(random.next());
            n >> (random.next() % 128)
        };
        let case = Case { routine, check: &check };
        let corners: Vec<_> = wide_integers().into_iter().map(value).collect();
        let random = (0..random_count()).map(|_| value(any()));
        case.interpret(&program(), corners.iter().cloned().chain(random));
        case.emulate(&corners);
    };
    check("__windlass_f32_from_u128", |n| DataValue::I32((n as f32).to_bits() as i32));
    check("__windlass_f32_from_i128", |n| DataValue::I32((n as i128 as f32).to_bits() as i32));
    check("__windlass_f64_from_u128", |n| DataValue::I64((n as f64).to_bits() as i64));
    check("__windlass_f64_from_i128", |n| DataValue::I64((n as i128 as f64).to_bits() as i64));
}

#[test]
fn conversion_to_integers_of_128_bits_saturates() {
    let check = |format: Format, routine: &str, host: fn(u64) -> u128| {
        let kind = Kind::Float(format);
        let mut random = Random(99);
        let check = |args: &[DataValue], results: &[DataValue]| {
            let expected = DataValue::I128(host(args[0].to_bits() as u64) as i128);
            (results != [expected]).then(|| format!("not {expected:x?}"))
        };
        let case = Case { routine, check: &check };
        let mut any = || {
            let bits = format.random(&mut random, &[]);
            vec![kind.value(bits)]
        };
        let mut some: Vec<_> = format.corners().into_iter().map(|bits| vec![kind.value(bits)]).collect();
        some.extend((0..3000).map(|_| any()));
        case.emulate(&some);
        case.interpret(&program(), some.into_iter().chain((0..random_count()).map(|_| any())));
    };
    check(F32, "__windlass_f32_to_u128", |bits| f32::from_bits(bits as u32) as u128);
    check(F32, "__windlass_f32_to_i128", |bits| f32::from_bits(bits as u32) as i128 as u128);
    check(F64, "__windlass_f64_to_u128", |bits| f64::from_bits(bits) as u128);
    check(F64, "__windlass_f64_to_i128", |bits| f64::from_bits(bits) as i128 as u128);
}

/// The routines that take floating-point numbers as such do nothing but call those on bits: one look at each.
#[test]
fn names_of_c_take_floating_point_numbers() {
    let single = |n: f32| DataValue::from_bits(n.to_bits().into(), types::F32).unwrap();
    let double = |n: f64| DataValue::from_bits(n.to_bits().into(), types::F64).unwrap();
    for (name, expected) in [
        ("ceil", -2.0),
        ("floor", -3.0),
        ("trunc", -2.0),
        ("nearbyint", -2.0),
        ("sqrt", f64::NAN),
        ("fma", 0.25),
    ] {
        let operands = if name == "fma" { 3 } else { 1 };
        for bits in [32, 64] {
            let routine = if bits == 32 { format!("{name}f") } else { name.into() };
            let check = |_: &[DataValue], results: &[DataValue]| {
                let result = match results {
                    [DataValue::F32(bits)] => f64::from(f32::from_bits(bits.0)),
                    [DataValue::F64(bits)] => f64::from_bits(bits.0),
                    other => return Some(format!("{other:?}")),
                };
                (result != expected && !(result.is_nan() && expected.is_nan()))
                    .then(|| format!("not {expected}"))
            };
            // -2.5 * -2.5 + -6.0 = 0.25 for fma.
            let all = if bits == 32 {
                [single(-2.5), single(-2.5), single(-6.0)]
            } else {
                [double(-2.5), double(-2.5), double(-6.0)]
            };
            let operands = vec![all[..operands].to_vec()];
            let case = Case { routine: &routine, check: &check };
            case.interpret(&program(), operands.iter().cloned());
            case.emulate(&operands);
        }
    }
}
