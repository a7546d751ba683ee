//! Arithmetic, comparisons, conversions at every width, decoded and run.

use super::*;
use crate::condcodes::{FloatCC, IntCC};
use crate::instdata::InstData;
use crate::memflags::MemFlags;
use crate::types::{F32, F64};
use crate::{Ieee32, Ieee64};
use alloc::vec;

fn corners(ty: Type) -> Vec<i128> {
    let bits = ty.bits();
    let top = 1i128 << (bits - 1).min(126);
    let mut out = vec![0, 1, 2, 3, 5, 7, 31, -1, -2, -7, top, top - 1, -top, top + 1, 0x5a];
    if bits == 128 {
        out.extend([i128::MIN, i128::MAX, i128::MIN + 1, 1 << 64, (1 << 64) - 1, -(1 << 64)]);
    }
    out
}

fn wrap(n: i128, ty: Type) -> i128 {
    let shift = 128 - ty.bits();
    (n << shift) >> shift
}

fn zext(n: i128, ty: Type) -> u128 {
    let shift = 128 - ty.bits();
    (n as u128) << shift >> shift
}

/// Two-operand operations with their meaning on sign-extended and zero-extended operands.
type Meaning = fn(i128, i128, u128, u128, u32) -> i128;

const BINARY: &[(Opcode, Meaning)] = &[
    (Opcode::Iadd, |x, y, _, _, _| x.wrapping_add(y)),
    (Opcode::Isub, |x, y, _, _, _| x.wrapping_sub(y)),
    (Opcode::Imul, |x, y, _, _, _| x.wrapping_mul(y)),
    (Opcode::Band, |x, y, _, _, _| x & y),
    (Opcode::Bor, |x, y, _, _, _| x | y),
    (Opcode::Bxor, |x, y, _, _, _| x ^ y),
    (Opcode::Smin, |x, y, _, _, _| if x < y { x } else { y }),
    (Opcode::Smax, |x, y, _, _, _| if x > y { x } else { y }),
    (Opcode::Umin, |_, _, x, y, _| if x < y { x as i128 } else { y as i128 }),
    (Opcode::Umax, |_, _, x, y, _| if x > y { x as i128 } else { y as i128 }),
    (Opcode::Ishl, |_, _, x, y, bits| (x << (y % u128::from(bits))) as i128),
    (Opcode::Ushr, |_, _, x, y, bits| (x >> (y % u128::from(bits))) as i128),
    (Opcode::Sshr, |x, _, _, y, bits| x >> (y % u128::from(bits))),
    (Opcode::Rotl, |_, _, x, y, bits| rotate(x, (y % u128::from(bits)) as u32, bits)),
    (Opcode::Rotr, |_, _, x, y, bits| rotate(x, (bits - (y % u128::from(bits)) as u32) % bits, bits)),
];

fn rotate(x: u128, by: u32, bits: u32) -> i128 {
    let mut x = x;
    for _ in 0..by {
        x = x << 1 | x >> (bits - 1) & 1;
    }
    x as i128
}

/// Both with two parameters and with a constant as the second operand, which decodes differently.
#[test]
fn binary_operations_at_every_width_in_registers_and_with_constants() {
    for ty in INTS {
        let bits = ty.bits();
        for &(opcode, meaning) in BINARY {
            let data = |x, y| InstData::Binary { opcode, args: [x, y] };
            let func = function("f", &[ty, ty], |at, v| vec![at.ins().make(data(v[0], v[1]), ty)]);
            let program = Program::new([&func], Machine::LE32).unwrap();
            let mut machine = Interpreter::new(&program, small());
            for y in corners(ty) {
                let with_constant = (bits <= 64).then(|| {
                    function("f", &[ty], |at, v| {
                        let y = at.ins().iconst(ty, y as i64);
                        vec![at.ins().make(data(v[0], y), ty)]
                    })
                });
                let constant_program =
                    with_constant.as_ref().map(|func| Program::new([func], Machine::LE32).unwrap());
                for x in corners(ty) {
                    let (sx, sy, ux, uy) = (wrap(x, ty), wrap(y, ty), zext(x, ty), zext(y, ty));
                    let want = int(meaning(sx, sy, ux, uy, bits), ty);
                    let got = returned(machine.run(&name("f"), &[int(x, ty), int(y, ty)]));
                    assert_eq!(got, [want], "{opcode}.{ty} {x:#x}, {y:#x}");
                    if let Some(program) = &constant_program {
                        let got = returned(Interpreter::new(program, small()).run(&name("f"), &[int(x, ty)]));
                        assert_eq!(got, [want], "{opcode}.{ty} {x:#x}, constant {y:#x}");
                    }
                }
            }
        }
    }
}

#[test]
fn comparisons_alone_with_constants_and_in_branches() {
    for ty in INTS {
        for &cc in IntCC::ALL {
            let alone = function("alone", &[ty, ty], |at, v| vec![at.ins().icmp(cc, v[0], v[1])]);
            let branch = branch_on("branch", ty, |at, v| at.ins().icmp(cc, v[0], v[1]));
            let widened = branch_on("widened", ty, |at, v| {
                let c = at.ins().icmp(cc, v[0], v[1]);
                at.ins().uextend(I32, c)
            });
            let functions = [alone, branch, widened];
            let program = Program::new(&functions, Machine::LE32).unwrap();
            let mut machine = Interpreter::new(&program, small());
            for x in corners(ty) {
                for y in corners(ty) {
                    let (sx, sy, ux, uy) = (wrap(x, ty), wrap(y, ty), zext(x, ty), zext(y, ty));
                    use IntCC::*;
                    let want = match cc {
                        Equal => ux == uy,
                        NotEqual => ux != uy,
                        SignedLessThan => sx < sy,
                        SignedGreaterThanOrEqual => sx >= sy,
                        SignedGreaterThan => sx > sy,
                        SignedLessThanOrEqual => sx <= sy,
                        UnsignedLessThan => ux < uy,
                        UnsignedGreaterThanOrEqual => ux >= uy,
                        UnsignedGreaterThan => ux > uy,
                        UnsignedLessThanOrEqual => ux <= uy,
                    };
                    let args = [int(x, ty), int(y, ty)];
                    let want_i8 = [DataValue::I8(want.into())];
                    assert_eq!(returned(machine.run(&name("alone"), &args)), want_i8, "{cc} {ty} {x} {y}");
                    for f in ["branch", "widened"] {
                        assert_eq!(returned(machine.run(&name(f), &args)), want_i8, "{f} {cc} {ty} {x} {y}");
                    }
                }
            }
        }
    }
}

/// `if condition { 1 } else { 0 }`, by a branch.
fn branch_on(symbol: &str, ty: Type, condition: impl FnOnce(&mut FuncCursor, &[Value]) -> Value) -> Function {
    let mut func = Function::new(name(symbol), signature(&[ty, ty], &[I8]));
    let [entry, end] = [(); 2].map(|()| func.dfg.make_block());
    let args = [ty, ty].map(|ty| func.dfg.append_block_param(entry, ty));
    let result = func.dfg.append_block_param(end, I8);
    func.layout.append_block(entry);
    func.layout.append_block(end);
    let mut at = FuncCursor::new(&mut func).at_bottom(entry);
    let one = at.ins().iconst(I8, 1);
    let zero = at.ins().iconst(I8, 0);
    let c = condition(&mut at, &args);
    at.ins().brif(c, end, &[one.into()], end, &[zero.into()]);
    let mut at = FuncCursor::new(&mut func).at_bottom(end);
    at.ins().return_(&[result]);
    func
}

#[test]
fn division_traps_at_every_width() {
    for ty in INTS {
        for opcode in [Opcode::Udiv, Opcode::Sdiv, Opcode::Urem, Opcode::Srem] {
            let func = function("f", &[ty, ty], |at, v| {
                vec![at.ins().make(InstData::Binary { opcode, args: [v[0], v[1]] }, ty)]
            });
            let functions = [func];
            let call = |x: i128, y: i128| run(&functions, "f", &[int(x, ty), int(y, ty)]);
            assert_eq!(trap_of(call(1, 0)), TrapCode::INTEGER_DIVISION_BY_ZERO);
            let min = if ty == I128 { i128::MIN } else { -(1 << (ty.bits() - 1)) };
            match opcode {
                Opcode::Sdiv => assert_eq!(trap_of(call(min, -1)), TrapCode::INTEGER_OVERFLOW),
                Opcode::Srem => assert_eq!(returned(call(min, -1)), [int(0, ty)]),
                Opcode::Udiv => assert_eq!(returned(call(min, -1)), [int(0, ty)]),
                _ => assert_eq!(returned(call(min, -1)), [int(min, ty)]),
            }
            let want = match opcode {
                Opcode::Sdiv => -3,
                Opcode::Srem => -1,
                Opcode::Udiv => (zext(-7, ty) / 2) as i128,
                _ => 1,
            };
            assert_eq!(returned(call(-7, 2)), [int(want, ty)], "{opcode} {ty}");
        }
    }
}

#[test]
fn overflow_families_in_pairs_of_results() {
    for ty in INTS {
        let func = function("f", &[ty, ty, I8], |at, v| {
            let (a, b) = at.ins().uadd_overflow_cin(v[0], v[1], v[2]);
            let (c, d) = at.ins().ssub_overflow_bin(v[0], v[1], v[2]);
            let (e, g) = at.ins().smul_overflow(v[0], v[1]);
            vec![a, b, c, d, e, g]
        });
        let min = if ty == I128 { i128::MIN } else { -(1 << (ty.bits() - 1)) };
        let got = returned(run(&[func], "f", &[int(min, ty), int(-1, ty), DataValue::I8(2)]));
        let i8s = |n| DataValue::I8(n);
        // min + (2^n - 1) + 1 = 2^n + min; min + 1 - 1 = min; min * -1 does not fit.
        assert_eq!(got, [int(min, ty), i8s(1), int(min, ty), i8s(0), int(min, ty), i8s(1)], "{ty}");
    }
}

#[test]
fn add_trap_stops_with_its_own_code() {
    let code = TrapCode::user(7).unwrap();
    for ty in [I32, I64] {
        let func = function("f", &[ty, ty], |at, v| vec![at.ins().uadd_overflow_trap(v[0], v[1], code)]);
        let functions = [func];
        assert_eq!(returned(run(&functions, "f", &[int(-2, ty), int(1, ty)])), [int(-1, ty)]);
        assert_eq!(trap_of(run(&functions, "f", &[int(-1, ty), int(1, ty)])), code);
    }
}

#[test]
fn conversions_between_all_integer_widths() {
    for from in INTS {
        for to in INTS {
            for x in corners(from) {
                let mut expect = Vec::new();
                let func = function("f", &[from], |at, v| {
                    let mut out = vec![at.ins().bmask(to, v[0])];
                    expect.push(int(if wrap(x, from) == 0 { 0 } else { -1 }, to));
                    if to.bits() > from.bits() {
                        out.push(at.ins().uextend(to, v[0]));
                        expect.push(int(zext(x, from) as i128, to));
                        out.push(at.ins().sextend(to, v[0]));
                        expect.push(int(wrap(x, from), to));
                    } else if to.bits() < from.bits() {
                        out.push(at.ins().ireduce(to, v[0]));
                        expect.push(int(x, to));
                    }
                    if Some(to) == from.half_width() {
                        let (low, high) = at.ins().isplit(v[0]);
                        out.extend([low, high, at.ins().iconcat(low, high)]);
                        expect.extend([int(x, to), int(x >> to.bits(), to), int(x, from)]);
                    }
                    out
                });
                assert_eq!(returned(run(&[func], "f", &[int(x, from)])), expect, "{from} {to} {x:#x}");
            }
        }
    }
}

#[test]
fn selections_look_at_the_whole_condition() {
    for ty in INTS {
        let func = function("f", &[ty, I128, I128, F64, F64], |at, v| {
            vec![at.ins().select(v[0], v[1], v[2]), at.ins().select_spectre_guard(v[0], v[3], v[4])]
        });
        let functions = [func];
        let (a, b) = (DataValue::I128(i128::MIN + 5), DataValue::I128(-7));
        let (x, y) = (DataValue::F64(Ieee64(0xfff0_0000_0000_0001)), DataValue::F64(1.0.into()));
        let top = if ty == I128 { i128::MIN } else { 1 << (ty.bits() - 1) };
        let call = |c| returned(run(&functions, "f", &[int(c, ty), a, b, x, y]));
        assert_eq!(call(top), [a, x], "{ty}");
        assert_eq!(call(0), [b, y], "{ty}");
        let branch = branch_on("f", ty, |_, v| v[0]);
        let functions = [branch];
        let call = |c| returned(run(&functions, "f", &[int(c, ty), int(0, ty)]));
        assert_eq!((call(top), call(0)), (vec![DataValue::I8(1)], vec![DataValue::I8(0)]), "{ty}");
    }
    let func = function("f", &[I128, I128, I128, F32, F32, F32], |at, v| {
        vec![at.ins().bitselect(v[0], v[1], v[2]), at.ins().bitselect(v[3], v[4], v[5]), at.ins().bnot(v[3])]
    });
    let f32s = |bits| DataValue::F32(Ieee32(bits));
    let args = [
        int(0xff << 60, I128),
        int(-1, I128),
        int(0x1234, I128),
        f32s(0xffff_0000),
        f32s(0x1234_5678),
        f32s(0x9abc_def0),
    ];
    assert_eq!(
        returned(run(&[func], "f", &args)),
        [int(0xff << 60 | 0x1234, I128), f32s(0x1234_def0), f32s(0x0000_ffff)]
    );
}

#[test]
fn float_comparisons_have_four_outcomes() {
    use FloatCC::*;
    let values = [f64::NEG_INFINITY, -1.0, -0.0, 0.0, 1.0, f64::INFINITY, f64::NAN];
    for &cc in FloatCC::ALL {
        let wide = function("wide", &[F64, F64], |at, v| vec![at.ins().fcmp(cc, v[0], v[1])]);
        let narrow = function("narrow", &[F32, F32], |at, v| vec![at.ins().fcmp(cc, v[0], v[1])]);
        let functions = [wide, narrow];
        for x in values {
            for y in values {
                let unordered = x.is_nan() || y.is_nan();
                let want = match cc {
                    Ordered => !unordered,
                    Unordered => unordered,
                    Equal => x == y,
                    NotEqual => x != y,
                    OrderedNotEqual => !unordered && x != y,
                    UnorderedOrEqual => unordered || x == y,
                    LessThan => x < y,
                    LessThanOrEqual => x <= y,
                    GreaterThan => x > y,
                    GreaterThanOrEqual => x >= y,
                    UnorderedOrLessThan => unordered || x < y,
                    UnorderedOrLessThanOrEqual => unordered || x <= y,
                    UnorderedOrGreaterThan => unordered || x > y,
                    UnorderedOrGreaterThanOrEqual => unordered || x >= y,
                };
                let want = [DataValue::I8(want.into())];
                let args = [DataValue::F64(x.into()), DataValue::F64(y.into())];
                assert_eq!(returned(run(&functions, "wide", &args)), want, "{cc} {x} {y}");
                let args = [DataValue::F32((x as f32).into()), DataValue::F32((y as f32).into())];
                assert_eq!(returned(run(&functions, "narrow", &args)), want, "{cc} {x} {y}");
            }
        }
    }
}

#[test]
fn float_arithmetic_gives_one_nan_and_moves_keep_bits() {
    let func = function("f", &[F32, F32], |at, v| {
        let sum = at.ins().fadd(v[0], v[1]);
        let neg = at.ins().fneg(v[0]);
        let abs = at.ins().fabs(v[0]);
        let sign = at.ins().fcopysign(v[0], v[1]);
        let cast = at.ins().bitcast(I32, MemFlags::new(), v[0]);
        vec![sum, neg, abs, sign, cast]
    });
    let f32s = |bits| DataValue::F32(Ieee32(bits));
    let signalling = 0xff80_1234u32;
    let got = returned(run(&[func], "f", &[f32s(signalling), f32s(0)]));
    let want = [
        f32s(0x7fc0_0000),
        f32s(0x7f80_1234),
        f32s(0x7f80_1234),
        f32s(0x7f80_1234),
        DataValue::I32(signalling as i32),
    ];
    assert_eq!(got, want);
}

#[test]
fn conversions_of_floats_at_every_width() {
    for ty in INTS {
        let func = function("f", &[F64, F32], |at, v| {
            let a = at.ins().fcvt_to_sint_sat(ty, v[0]);
            let b = at.ins().fcvt_to_uint_sat(ty, v[1]);
            let c = at.ins().fcvt_from_sint(F64, a);
            let d = at.ins().fcvt_from_uint(F32, b);
            vec![a, b, c, d]
        });
        let args = [DataValue::F64((-3.75).into()), DataValue::F32(100.5.into())];
        let want = [int(-3, ty), int(100, ty), DataValue::F64((-3.0).into()), DataValue::F32(100.0.into())];
        assert_eq!(returned(run(&[func], "f", &args)), want, "{ty}");
        let func = function("f", &[F64], |at, v| vec![at.ins().fcvt_to_uint(ty, v[0])]);
        let functions = [func];
        let call = |x: f64| run(&functions, "f", &[DataValue::F64(x.into())]);
        assert_eq!(trap_of(call(f64::NAN)), TrapCode::BAD_CONVERSION_TO_INTEGER);
        assert_eq!(trap_of(call(-1.0)), TrapCode::INTEGER_OVERFLOW);
        assert_eq!(returned(call(200.9)), [int(200, ty)]);
    }
}
