//! Integer operations on values of 8 to 64 bits, held zero-extended in 64, and of 128 bits.
//!
//! Contract: narrow operands come in with zeros above their width and results leave the same way. Nothing here
//! panics or depends on the build's overflow checks.
//!
//! The operations are not inlined: tests and inner loop run the same machine code, whatever a compiler makes of
//! the places that they are called from.

use super::op::{DivOp, IntBin, IntUn, OverflowOp};
use crate::instdata::AtomicRmwOp;
use crate::trapcode::TrapCode;

/// Ones in the low `bits` bits, 1 to 64.
#[inline(always)]
pub(super) const fn mask(bits: u8) -> u64 {
    u64::MAX >> ((64 - bits as u32) & 63)
}

/// The low `bits` bits (1 to 64) as a signed number.
#[inline(always)]
pub(super) const fn sext(x: u64, bits: u8) -> i64 {
    let shift = (64 - bits as u32) & 63;
    ((x << shift) as i64) >> shift
}

/// A two-operand operation at `bits` bits.
#[inline(never)]
pub(super) fn binary(op: IntBin, bits: u8, x: u64, y: u64) -> u64 {
    let (sx, sy) = (sext(x, bits), sext(y, bits));
    let amount = (y as u32) & (bits as u32 - 1);
    let result = match op {
        IntBin::Add => x.wrapping_add(y),
        IntBin::Sub => x.wrapping_sub(y),
        IntBin::Mul => x.wrapping_mul(y),
        IntBin::Umulhi => ((x as u128 * y as u128) >> bits) as u64,
        IntBin::Smulhi => ((sx as i128 * sy as i128) >> bits) as u64,
        IntBin::Smin => sx.min(sy) as u64,
        IntBin::Umin => x.min(y),
        IntBin::Smax => sx.max(sy) as u64,
        IntBin::Umax => x.max(y),
        IntBin::And => x & y,
        IntBin::Or => x | y,
        IntBin::Xor => x ^ y,
        IntBin::Rotl => rotate_left(x, amount, bits),
        IntBin::Rotr => rotate_left(x, (bits as u32 - amount) & (bits as u32 - 1), bits),
        IntBin::Shl => x << amount,
        IntBin::Ushr => x >> amount,
        IntBin::Sshr => (sx >> amount) as u64,
    };
    result & mask(bits)
}

/// `amount` is below `bits`.
fn rotate_left(x: u64, amount: u32, bits: u8) -> u64 {
    if amount == 0 { x } else { x << amount | x >> (bits as u32 - amount) }
}

/// A division at `bits` bits.
#[inline(never)]
pub(super) fn divide(op: DivOp, bits: u8, x: u64, y: u64) -> Result<u64, TrapCode> {
    if y == 0 {
        return Err(TrapCode::INTEGER_DIVISION_BY_ZERO);
    }
    let (sx, sy) = (sext(x, bits), sext(y, bits));
    let result = match op {
        DivOp::Udiv => x / y,
        DivOp::Urem => x % y,
        DivOp::Sdiv if sy == -1 && sx == sext(1 << (bits - 1), bits) => {
            return Err(TrapCode::INTEGER_OVERFLOW);
        }
        DivOp::Sdiv => sx.wrapping_div(sy) as u64,
        DivOp::Srem => sx.wrapping_rem(sy) as u64,
    };
    Ok(result & mask(bits))
}

/// A one-operand operation at `bits` bits.
#[inline(never)]
pub(super) fn unary(op: IntUn, bits: u8, x: u64) -> u64 {
    let above = 64 - bits as u32;
    let result = match op {
        IntUn::Neg => x.wrapping_neg(),
        IntUn::Abs => sext(x, bits).wrapping_abs() as u64,
        IntUn::Not => !x,
        IntUn::Bitrev => x.reverse_bits() >> above,
        IntUn::Clz => u64::from(x.leading_zeros() - above),
        IntUn::Cls => {
            let folded = (x ^ (sext(x, bits) >> 63) as u64) & mask(bits);
            u64::from(folded.leading_zeros() - above - 1)
        }
        IntUn::Ctz => u64::from(x.trailing_zeros().min(bits.into())),
        IntUn::Bswap => x.swap_bytes() >> above,
        IntUn::Popcnt => u64::from(x.count_ones()),
        IntUn::Bmask => {
            if x == 0 {
                0
            } else {
                u64::MAX
            }
        }
    };
    result & mask(bits)
}

/// An operation that also tells overflow, with a carry or borrow of 0 or 1 coming in.
#[inline(never)]
pub(super) fn overflowing(op: OverflowOp, bits: u8, x: u64, y: u64, carry: u64) -> (u64, bool) {
    let (ux, uy, uc) = (x as i128, y as i128, carry as i128);
    let (sx, sy) = (sext(x, bits) as i128, sext(y, bits) as i128);
    let fits_u = |wide: i128| wide >> bits == 0;
    let fits_s = |wide: i128| {
        let sign = wide >> (bits - 1);
        sign == 0 || sign == -1
    };
    let (wide, fits) = match op {
        OverflowOp::Uadd => (ux + uy + uc, fits_u(ux + uy + uc)),
        OverflowOp::Sadd => (sx + sy + uc, fits_s(sx + sy + uc)),
        OverflowOp::Usub => (ux - uy - uc, fits_u(ux - uy - uc)),
        OverflowOp::Ssub => (sx - sy - uc, fits_s(sx - sy - uc)),
        OverflowOp::Umul => {
            let product = x as u128 * y as u128;
            (product as i128, product >> bits == 0)
        }
        OverflowOp::Smul => (sx * sy, fits_s(sx * sy)),
    };
    (wide as u64 & mask(bits), !fits)
}

/// A two-operand operation at 128 bits. Shift amounts count modulo 128.
#[inline(never)]
pub(super) fn binary128(op: IntBin, x: u128, y: u128) -> u128 {
    let (sx, sy) = (x as i128, y as i128);
    let amount = y as u32 & 127;
    match op {
        IntBin::Add => x.wrapping_add(y),
        IntBin::Sub => x.wrapping_sub(y),
        IntBin::Mul => x.wrapping_mul(y),
        IntBin::Umulhi => umulhi128(x, y),
        IntBin::Smulhi => smulhi128(x, y),
        IntBin::Smin => sx.min(sy) as u128,
        IntBin::Umin => x.min(y),
        IntBin::Smax => sx.max(sy) as u128,
        IntBin::Umax => x.max(y),
        IntBin::And => x & y,
        IntBin::Or => x | y,
        IntBin::Xor => x ^ y,
        IntBin::Rotl => x.rotate_left(amount),
        IntBin::Rotr => x.rotate_right(amount),
        IntBin::Shl => x << amount,
        IntBin::Ushr => x >> amount,
        IntBin::Sshr => (sx >> amount) as u128,
    }
}

/// The upper 128 bits of the unsigned product, from four products of halves.
fn umulhi128(x: u128, y: u128) -> u128 {
    const LOW: u128 = u64::MAX as u128;
    let (x0, x1, y0, y1) = (x & LOW, x >> 64, y & LOW, y >> 64);
    let middle = x1 * y0 + ((x0 * y0) >> 64);
    let other = x0 * y1 + (middle & LOW);
    x1 * y1 + (middle >> 64) + (other >> 64)
}

/// The signed one differs by each operand's negative weight of its top bit.
fn smulhi128(x: u128, y: u128) -> u128 {
    let mut high = umulhi128(x, y);
    if (x as i128) < 0 {
        high = high.wrapping_sub(y);
    }
    if (y as i128) < 0 {
        high = high.wrapping_sub(x);
    }
    high
}

/// A division at 128 bits.
#[inline(never)]
pub(super) fn divide128(op: DivOp, x: u128, y: u128) -> Result<u128, TrapCode> {
    if y == 0 {
        return Err(TrapCode::INTEGER_DIVISION_BY_ZERO);
    }
    let (sx, sy) = (x as i128, y as i128);
    Ok(match op {
        DivOp::Udiv => x / y,
        DivOp::Urem => x % y,
        DivOp::Sdiv => sx.checked_div(sy).ok_or(TrapCode::INTEGER_OVERFLOW)? as u128,
        DivOp::Srem => sx.wrapping_rem(sy) as u128,
    })
}

/// A one-operand operation at 128 bits.
#[inline(never)]
pub(super) fn unary128(op: IntUn, x: u128) -> u128 {
    match op {
        IntUn::Neg => x.wrapping_neg(),
        IntUn::Abs => (x as i128).wrapping_abs() as u128,
        IntUn::Not => !x,
        IntUn::Bitrev => x.reverse_bits(),
        IntUn::Clz => x.leading_zeros().into(),
        IntUn::Cls => u128::from((x ^ ((x as i128) >> 127) as u128).leading_zeros() - 1),
        IntUn::Ctz => x.trailing_zeros().into(),
        IntUn::Bswap => x.swap_bytes(),
        IntUn::Popcnt => x.count_ones().into(),
        IntUn::Bmask => {
            if x == 0 {
                0
            } else {
                u128::MAX
            }
        }
    }
}

/// [`overflowing`] at 128 bits.
#[inline(never)]
pub(super) fn overflowing128(op: OverflowOp, x: u128, y: u128, carry: u64) -> (u128, bool) {
    let (sx, sy) = (x as i128, y as i128);
    let unsigned = |o1: bool, (b, o2): (u128, bool)| (b, o1 | o2);
    // Two signed overflows in opposite directions cancel, so they are compared, not joined.
    let signed = |o1: bool, (b, o2): (i128, bool)| (b as u128, o1 != o2);
    match op {
        OverflowOp::Uadd => {
            let (sum, o1) = x.overflowing_add(y);
            unsigned(o1, sum.overflowing_add(carry.into()))
        }
        OverflowOp::Usub => {
            let (difference, o1) = x.overflowing_sub(y);
            unsigned(o1, difference.overflowing_sub(carry.into()))
        }
        OverflowOp::Sadd => {
            let (sum, o1) = sx.overflowing_add(sy);
            signed(o1, sum.overflowing_add(carry.into()))
        }
        OverflowOp::Ssub => {
            let (difference, o1) = sx.overflowing_sub(sy);
            signed(o1, difference.overflowing_sub(carry.into()))
        }
        OverflowOp::Umul => x.overflowing_mul(y),
        OverflowOp::Smul => {
            let (product, overflow) = sx.overflowing_mul(sy);
            (product as u128, overflow)
        }
    }
}

/// What an atomic operation on `bits` bits (8 to 128) leaves in memory.
#[inline(never)]
pub(super) fn atomic(op: AtomicRmwOp, bits: u8, old: u128, x: u128) -> u128 {
    let shift = 128 - bits as u32;
    let signed = |n: u128| ((n << shift) as i128) >> shift;
    let result = match op {
        AtomicRmwOp::Add => old.wrapping_add(x),
        AtomicRmwOp::Sub => old.wrapping_sub(x),
        AtomicRmwOp::And => old & x,
        AtomicRmwOp::Nand => !(old & x),
        AtomicRmwOp::Or => old | x,
        AtomicRmwOp::Xor => old ^ x,
        AtomicRmwOp::Xchg => x,
        AtomicRmwOp::Umin => old.min(x),
        AtomicRmwOp::Umax => old.max(x),
        AtomicRmwOp::Smin => signed(old).min(signed(x)) as u128,
        AtomicRmwOp::Smax => signed(old).max(signed(x)) as u128,
    };
    result & (u128::MAX >> shift)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn eight_bit_operations_match_rusts_on_all_operands() {
        for x in 0..=255u8 {
            for y in 0..=255u8 {
                let (sx, sy, k) = (x as i8, y as i8, u32::from(y) % 8);
                let bin = |op| binary(op, 8, x.into(), y.into()) as u8;
                assert_eq!(bin(IntBin::Add), x.wrapping_add(y));
                assert_eq!(bin(IntBin::Sub), x.wrapping_sub(y));
                assert_eq!(bin(IntBin::Mul), x.wrapping_mul(y));
                assert_eq!(bin(IntBin::Umulhi), ((u16::from(x) * u16::from(y)) >> 8) as u8);
                assert_eq!(bin(IntBin::Smulhi), ((i16::from(sx) * i16::from(sy)) >> 8) as u8);
                assert_eq!(bin(IntBin::Smin), sx.min(sy) as u8);
                assert_eq!(bin(IntBin::Smax), sx.max(sy) as u8);
                assert_eq!(bin(IntBin::Umin), x.min(y));
                assert_eq!(bin(IntBin::Umax), x.max(y));
                assert_eq!(bin(IntBin::Rotl), x.rotate_left(k));
                assert_eq!(bin(IntBin::Rotr), x.rotate_right(k));
                assert_eq!(bin(IntBin::Shl), x << k);
                assert_eq!(bin(IntBin::Ushr), x >> k);
                assert_eq!(bin(IntBin::Sshr), (sx >> k) as u8);
                let div = |op| divide(op, 8, x.into(), y.into()).map(|n| n as u8);
                let zero = TrapCode::INTEGER_DIVISION_BY_ZERO;
                assert_eq!(div(DivOp::Udiv), x.checked_div(y).ok_or(zero));
                assert_eq!(div(DivOp::Urem), x.checked_rem(y).ok_or(zero));
                let why = if y == 0 { zero } else { TrapCode::INTEGER_OVERFLOW };
                assert_eq!(div(DivOp::Sdiv), sx.checked_div(sy).map(|n| n as u8).ok_or(why));
                let remainder = if y == 0 { Err(zero) } else { Ok(sx.wrapping_rem(sy) as u8) };
                assert_eq!(div(DivOp::Srem), remainder);
                let ovf = |op, c| {
                    let (n, o) = overflowing(op, 8, x.into(), y.into(), c);
                    (n as u8, o)
                };
                for c in 0..2 {
                    let (sum, difference) =
                        (i32::from(x) + i32::from(y) + c, i32::from(x) - i32::from(y) - c);
                    let (ssum, sdiff) =
                        (i32::from(sx) + i32::from(sy) + c, i32::from(sx) - i32::from(sy) - c);
                    let c = c as u64;
                    assert_eq!(ovf(OverflowOp::Uadd, c), (sum as u8, sum > 255));
                    assert_eq!(ovf(OverflowOp::Usub, c), (difference as u8, difference < 0));
                    assert_eq!(ovf(OverflowOp::Sadd, c), (ssum as u8, i8::try_from(ssum).is_err()));
                    assert_eq!(ovf(OverflowOp::Ssub, c), (sdiff as u8, i8::try_from(sdiff).is_err()));
                }
                assert_eq!(ovf(OverflowOp::Umul, 0), x.overflowing_mul(y));
                let (product, o) = sx.overflowing_mul(sy);
                assert_eq!(ovf(OverflowOp::Smul, 0), (product as u8, o));
            }
            let un = |op| unary(op, 8, x.into()) as u8;
            assert_eq!(un(IntUn::Neg), x.wrapping_neg());
            assert_eq!(un(IntUn::Abs), (x as i8).wrapping_abs() as u8);
            assert_eq!(un(IntUn::Not), !x);
            assert_eq!(un(IntUn::Bitrev), x.reverse_bits());
            assert_eq!(un(IntUn::Clz), x.leading_zeros() as u8);
            assert_eq!(un(IntUn::Ctz), x.trailing_zeros() as u8);
            assert_eq!(un(IntUn::Popcnt), x.count_ones() as u8);
            assert_eq!(un(IntUn::Bmask), if x == 0 { 0 } else { 255 });
            let s = x as i8;
            let leading = if s < 0 { s.leading_ones() } else { s.leading_zeros() };
            assert_eq!(un(IntUn::Cls), leading as u8 - 1);
        }
    }

    /// Corners of every width, and numbers between them.
    fn corners128() -> impl Iterator<Item = u128> + Clone {
        let powers = (0..128).step_by(7).chain([7, 8, 15, 16, 31, 32, 63, 64, 127]).map(|k| 1u128 << k);
        powers.flat_map(|p| [p - 1, p, p + 1, p.wrapping_neg(), !p, p.wrapping_mul(0x9e37_79b9_7f4a_7c15)])
    }

    #[test]
    fn sixty_four_bit_operations_match_wider_arithmetic() {
        for x in corners128().map(|x| x as u64) {
            for y in corners128().map(|y| y as u64) {
                let (wx, wy) = (x as i64 as i128, y as i64 as i128);
                assert_eq!(binary(IntBin::Umulhi, 64, x, y), ((u128::from(x) * u128::from(y)) >> 64) as u64);
                assert_eq!(binary(IntBin::Smulhi, 64, x, y), ((wx * wy) >> 64) as u64);
                assert_eq!(binary(IntBin::Rotr, 64, x, y), x.rotate_right((y % 64) as u32));
                for c in 0..2u64 {
                    let sum = u128::from(x) + u128::from(y) + u128::from(c);
                    assert_eq!(overflowing(OverflowOp::Uadd, 64, x, y, c), (sum as u64, sum >> 64 != 0));
                    let ssum = wx + wy + i128::from(c);
                    assert_eq!(
                        overflowing(OverflowOp::Sadd, 64, x, y, c),
                        (ssum as u64, i64::try_from(ssum).is_err())
                    );
                    let sdiff = wx - wy - i128::from(c);
                    assert_eq!(
                        overflowing(OverflowOp::Ssub, 64, x, y, c),
                        (sdiff as u64, i64::try_from(sdiff).is_err())
                    );
                }
                assert_eq!(overflowing(OverflowOp::Umul, 64, x, y, 0), x.overflowing_mul(y));
                let (product, o) = (x as i64).overflowing_mul(y as i64);
                assert_eq!(overflowing(OverflowOp::Smul, 64, x, y, 0), (product as u64, o));
            }
        }
    }

    /// Schoolbook product in 32-bit digits, least significant first.
    fn product256(x: u128, y: u128) -> [u32; 8] {
        let digits = |n: u128| [0, 32, 64, 96].map(|s| (n >> s) as u32);
        let mut out = [0u32; 8];
        for (i, a) in digits(x).into_iter().enumerate() {
            let mut carry = 0u64;
            for (j, b) in digits(y).into_iter().enumerate() {
                let t = u64::from(a) * u64::from(b) + u64::from(out[i + j]) + carry;
                out[i + j] = t as u32;
                carry = t >> 32;
            }
            out[i + 4] = carry as u32;
        }
        out
    }

    #[test]
    fn wide_products_match_schoolbook_multiplication() {
        for x in corners128() {
            for y in corners128() {
                let digits = product256(x, y);
                let high = (0..4).fold(0u128, |n, i| n | u128::from(digits[4 + i]) << (32 * i));
                assert_eq!(binary128(IntBin::Umulhi, x, y), high, "{x:#x} * {y:#x}");
                // Signed: the product of magnitudes, negated as 256 bits where the signs differ.
                let digits = product256((x as i128).unsigned_abs(), (y as i128).unsigned_abs());
                let half =
                    |from: usize| (0..4).fold(0u128, |n, i| n | u128::from(digits[from + i]) << (32 * i));
                let (low, high) = (half(0), half(4));
                let negative = ((x ^ y) as i128) < 0;
                let signed = if negative { (!high).wrapping_add(u128::from(low == 0)) } else { high };
                assert_eq!(binary128(IntBin::Smulhi, x, y), signed, "{x:#x} * {y:#x}");
            }
        }
    }

    #[test]
    fn wide_carries_tell_overflow_of_the_whole_sum() {
        let i128_fits = |negative_parts: [(bool, u128); 3]| {
            // Sum of signed magnitudes in 32-bit digits would do as well; halves of 64 bits suffice.
            let mut total: [i128; 3] = [0; 3];
            for (negative, magnitude) in negative_parts {
                let sign = if negative { -1 } else { 1 };
                total[0] += sign * (magnitude & u128::from(u64::MAX)) as i128;
                total[1] += sign * (magnitude >> 64) as i128;
            }
            let carry = total[0] >> 64;
            let high = total[1] + carry;
            (-(1i128 << 63)..1i128 << 63).contains(&high)
        };
        for x in corners128() {
            for y in corners128() {
                for c in 0..2u64 {
                    let part = |n: u128| ((n as i128) < 0, (n as i128).unsigned_abs());
                    let (_, o) = overflowing128(OverflowOp::Sadd, x, y, c);
                    assert_eq!(!o, i128_fits([part(x), part(y), (false, c.into())]), "{x:#x} + {y:#x} + {c}");
                    let (neg, mag) = part(y);
                    let (_, o) = overflowing128(OverflowOp::Ssub, x, y, c);
                    assert_eq!(
                        !o,
                        i128_fits([part(x), (!neg, mag), (true, c.into())]),
                        "{x:#x} - {y:#x} - {c}"
                    );
                    let (n, o) = overflowing128(OverflowOp::Uadd, x, y, c);
                    assert_eq!(n, x.wrapping_add(y).wrapping_add(c.into()));
                    assert_eq!(o, x.checked_add(y).and_then(|s| s.checked_add(c.into())).is_none());
                    let (n, o) = overflowing128(OverflowOp::Usub, x, y, c);
                    assert_eq!(n, x.wrapping_sub(y).wrapping_sub(c.into()));
                    assert_eq!(o, x.checked_sub(y).and_then(|s| s.checked_sub(c.into())).is_none());
                }
            }
        }
    }

    #[test]
    fn atomics_compare_at_their_width() {
        assert_eq!(atomic(AtomicRmwOp::Smin, 8, 0x7f, 0x80), 0x80);
        assert_eq!(atomic(AtomicRmwOp::Smax, 16, 0x8000, 1), 1);
        assert_eq!(atomic(AtomicRmwOp::Nand, 32, 0xff00_ff00, 0x0ff0_0ff0), 0xf0ff_f0ff);
        assert_eq!(atomic(AtomicRmwOp::Sub, 64, 0, 1), u128::from(u64::MAX));
        assert_eq!(atomic(AtomicRmwOp::Add, 128, u128::MAX, 1), 0);
    }
}
