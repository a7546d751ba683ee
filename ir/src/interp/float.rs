//! Floating-point operations, exact to the bit.
//!
//! Sums, products and quotients are the host's, which Rust defines as IEEE 754's, rounded to nearest, ties to even.
//! Square root, fused multiply-add and rounding to integers are computed here in integers, for `core` has none.
//! A NaN result of arithmetic is the positive quiet NaN without payload; the language allows any quiet NaN.

use super::op::{FloatBin, FloatUn};
use crate::trapcode::TrapCode;

/// The NaN that arithmetic gives in f32.
pub(super) const NAN32: u32 = 0x7fc0_0000;
/// The NaN that arithmetic gives in f64.
pub(super) const NAN64: u64 = 0x7ff8_0000_0000_0000;

/// Where the fields of a binary float are. Bits come and go as `u64`.
#[derive(Clone, Copy)]
struct Format {
    /// Bits of the fraction, without the hidden one.
    fraction_bits: u32,
    /// Bits of the exponent.
    exponent_bits: u32,
}

const F32: Format = Format { fraction_bits: 23, exponent_bits: 8 };
const F64: Format = Format { fraction_bits: 52, exponent_bits: 11 };

impl Format {
    const fn bias(self) -> i32 {
        (1 << (self.exponent_bits - 1)) - 1
    }
    const fn max_exponent(self) -> u64 {
        (1 << self.exponent_bits) - 1
    }
    const fn sign_bit(self) -> u64 {
        1 << (self.fraction_bits + self.exponent_bits)
    }
    const fn infinity(self) -> u64 {
        self.max_exponent() << self.fraction_bits
    }
    const fn nan(self) -> u64 {
        self.infinity() | 1 << (self.fraction_bits - 1)
    }
    const fn exponent(self, bits: u64) -> u64 {
        bits >> self.fraction_bits & self.max_exponent()
    }
    const fn fraction(self, bits: u64) -> u64 {
        bits & ((1 << self.fraction_bits) - 1)
    }
    const fn is_nan(self, bits: u64) -> bool {
        bits & !self.sign_bit() > self.infinity()
    }
    const fn is_infinite(self, bits: u64) -> bool {
        bits & !self.sign_bit() == self.infinity()
    }
    const fn is_zero(self, bits: u64) -> bool {
        bits & !self.sign_bit() == 0
    }

    /// A finite number other than zero as an odd or even significand and a power of two: `significand * 2^exponent`.
    const fn unpack(self, bits: u64) -> (u64, i32) {
        let unit = -self.bias() - self.fraction_bits as i32;
        match self.exponent(bits) {
            0 => (self.fraction(bits), unit + 1),
            e => (self.fraction(bits) | 1 << self.fraction_bits, unit + e as i32),
        }
    }

    /// Rounds `significand * 2^exponent`, ties to even. The lowest bit of the significand may stand for any
    /// number of bits below it that are not all zero (it is "jammed"), provided there are more than
    /// `fraction_bits + 2` bits.
    fn round(self, sign: u64, significand: u128, exponent: i32) -> u64 {
        if significand == 0 {
            return sign;
        }
        let top = 127 - significand.leading_zeros() as i32;
        let unit = -self.bias() - self.fraction_bits as i32 + 1;
        // The result's unit in the last place, as a power of two.
        let place = (exponent + top - self.fraction_bits as i32).max(unit);
        let drop = place - exponent;
        let rounded = if drop <= 0 {
            (significand << -drop) as u64
        } else {
            let kept = if drop > 127 { 0 } else { significand >> drop } as u64;
            let half = drop <= 128 && significand >> (drop - 1) & 1 != 0;
            let rest = drop > 128 || significand & ((1 << (drop - 1)) - 1) != 0;
            kept + u64::from(half && (rest || kept & 1 != 0))
        };
        // A carry out of the fraction moves into the exponent by itself, infinity included.
        let biased = (place - unit) as u64;
        if biased >= self.max_exponent() {
            return sign | self.infinity();
        }
        let bits = (biased << self.fraction_bits) + rounded;
        // A normal number's hidden bit was added to the exponent field, which `biased` leaves room for.
        sign | bits.min(self.infinity())
    }

    fn fma(self, x: u64, y: u64, z: u64) -> u64 {
        let sign = (x ^ y) & self.sign_bit();
        if self.is_nan(x) || self.is_nan(y) || self.is_nan(z) {
            return self.nan();
        }
        if self.is_infinite(x) || self.is_infinite(y) {
            let invalid =
                self.is_zero(x) || self.is_zero(y) || self.is_infinite(z) && z & self.sign_bit() != sign;
            return if invalid { self.nan() } else { sign | self.infinity() };
        }
        if self.is_infinite(z) {
            return z;
        }
        let z_sign = z & self.sign_bit();
        if self.is_zero(x) || self.is_zero(y) {
            // A zero product leaves z; two zeros of different signs give +0.
            return match self.is_zero(z) {
                true if sign == z_sign => sign,
                true => 0,
                false => z,
            };
        }
        let ((mx, ex), (my, ey)) = (self.unpack(x), self.unpack(y));
        let (product, product_exponent) = normalize(mx as u128 * my as u128, ex + ey);
        if self.is_zero(z) {
            return self.round(sign, product, product_exponent);
        }
        let (mz, ez) = self.unpack(z);
        let (addend, addend_exponent) = normalize(mz.into(), ez);
        let exponent = product_exponent.max(addend_exponent);
        // Both have their top bit at 126 and at least 20 zeros at the bottom, so that only a shift by more than
        // that, which leaves no cancellation of more than one bit, jams.
        let product = shift_right_jam(product, exponent - product_exponent);
        let addend = shift_right_jam(addend, exponent - addend_exponent);
        if sign == z_sign {
            self.round(sign, product + addend, exponent)
        } else if product > addend {
            self.round(sign, product - addend, exponent)
        } else if product < addend {
            self.round(z_sign, addend - product, exponent)
        } else {
            0
        }
    }

    #[cfg_attr(all(feature = "std", not(test)), allow(dead_code, reason = "the host's own is faster"))]
    #[inline(never)]
    fn sqrt(self, x: u64) -> u64 {
        if self.is_nan(x) {
            return self.nan();
        }
        if self.is_zero(x) {
            return x;
        }
        if x & self.sign_bit() != 0 {
            return self.nan();
        }
        if self.is_infinite(x) {
            return x;
        }
        let (significand, exponent) = self.unpack(x);
        let (wide, mut exponent) = normalize(significand.into(), exponent);
        let mut wide = wide;
        if exponent & 1 != 0 {
            wide >>= 1;
            exponent += 1;
        }
        // 126 or 127 bits: the root has 63 or 64, and the remainder tells whether more follow.
        let root = wide.isqrt();
        let inexact = root * root != wide;
        self.round(0, root << 1 | u128::from(inexact), exponent / 2 - 1)
    }

    /// Rounds to an integer.
    fn to_integral(self, op: FloatUn, x: u64) -> u64 {
        if self.is_nan(x) {
            return self.nan();
        }
        let power = self.exponent(x) as i32 - self.bias();
        if power >= self.fraction_bits as i32 {
            return x;
        }
        let sign = x & self.sign_bit();
        let one = (self.bias() as u64) << self.fraction_bits;
        if power < 0 {
            if self.is_zero(x) {
                return x;
            }
            // Between -1 and 1, and not zero.
            let up = match op {
                FloatUn::Ceil => sign == 0,
                FloatUn::Floor => sign != 0,
                FloatUn::Nearest => power == -1 && self.fraction(x) != 0,
                _ => false,
            };
            return if up { sign | one } else { sign };
        }
        let unit = 1u64 << (self.fraction_bits as i32 - power);
        let below = x & (unit - 1);
        let down = x & !(unit - 1);
        let up = match op {
            FloatUn::Ceil => sign == 0 && below != 0,
            FloatUn::Floor => sign != 0 && below != 0,
            // The unit's bit tells odd from even; where it is the hidden bit, the number is 1, odd.
            FloatUn::Nearest => {
                let odd = power == 0 || down & unit != 0;
                below > unit / 2 || below == unit / 2 && odd
            }
            _ => false,
        };
        // A carry out of the fraction moves into the exponent by itself.
        if up { down + unit } else { down }
    }
}

/// Moves the top bit to bit 126.
fn normalize(significand: u128, exponent: i32) -> (u128, i32) {
    let shift = significand.leading_zeros() as i32 - 1;
    if shift >= 0 { (significand << shift, exponent - shift) } else { (significand, exponent) }
}

/// Shifts right by `by`, which is not negative; ones that fall out set the lowest bit.
fn shift_right_jam(x: u128, by: i32) -> u128 {
    if by == 0 {
        x
    } else if by > 127 {
        u128::from(x != 0)
    } else {
        x >> by | u128::from(x & ((1 << by) - 1) != 0)
    }
}

#[inline(always)]
fn canonical32(x: f32) -> u32 {
    if x.is_nan() { NAN32 } else { x.to_bits() }
}

#[inline(always)]
fn canonical64(x: f64) -> u64 {
    if x.is_nan() { NAN64 } else { x.to_bits() }
}

/// Two-operand operations in f32.
#[inline]
pub(super) fn binary32(op: FloatBin, x: u32, y: u32) -> u32 {
    let (fx, fy) = (f32::from_bits(x), f32::from_bits(y));
    match op {
        FloatBin::Add => canonical32(fx + fy),
        FloatBin::Sub => canonical32(fx - fy),
        FloatBin::Mul => canonical32(fx * fy),
        FloatBin::Div => canonical32(fx / fy),
        FloatBin::Copysign => x & !(1 << 31) | y & 1 << 31,
        FloatBin::Min | FloatBin::Max if fx.is_nan() || fy.is_nan() => NAN32,
        // Equal operands differ in bits only as zeros of both signs.
        FloatBin::Min if fx == fy => x | y,
        FloatBin::Max if fx == fy => x & y,
        FloatBin::Min => {
            if fx < fy {
                x
            } else {
                y
            }
        }
        FloatBin::Max => {
            if fx > fy {
                x
            } else {
                y
            }
        }
    }
}

/// Two-operand operations in f64.
#[inline]
pub(super) fn binary64(op: FloatBin, x: u64, y: u64) -> u64 {
    let (fx, fy) = (f64::from_bits(x), f64::from_bits(y));
    match op {
        FloatBin::Add => canonical64(fx + fy),
        FloatBin::Sub => canonical64(fx - fy),
        FloatBin::Mul => canonical64(fx * fy),
        FloatBin::Div => canonical64(fx / fy),
        FloatBin::Copysign => x & !(1 << 63) | y & 1 << 63,
        FloatBin::Min | FloatBin::Max if fx.is_nan() || fy.is_nan() => NAN64,
        FloatBin::Min if fx == fy => x | y,
        FloatBin::Max if fx == fy => x & y,
        FloatBin::Min => {
            if fx < fy {
                x
            } else {
                y
            }
        }
        FloatBin::Max => {
            if fx > fy {
                x
            } else {
                y
            }
        }
    }
}

/// One-operand operations in f32.
#[inline(never)]
pub(super) fn unary32(op: FloatUn, x: u32) -> u32 {
    match op {
        FloatUn::Neg => x ^ 1 << 31,
        FloatUn::Abs => x & !(1 << 31),
        FloatUn::Sqrt => sqrt32(x),
        FloatUn::Ceil | FloatUn::Floor | FloatUn::Trunc | FloatUn::Nearest => {
            F32.to_integral(op, x.into()) as u32
        }
    }
}

/// One-operand operations in f64.
#[inline(never)]
pub(super) fn unary64(op: FloatUn, x: u64) -> u64 {
    match op {
        FloatUn::Neg => x ^ 1 << 63,
        FloatUn::Abs => x & !(1 << 63),
        FloatUn::Sqrt => sqrt64(x),
        FloatUn::Ceil | FloatUn::Floor | FloatUn::Trunc | FloatUn::Nearest => F64.to_integral(op, x),
    }
}

// NaN and numbers below zero, of which -0 is none, are sorted out by their bits, so that what a compiler knows
// of the sign of a square root plays no part.

#[cfg(feature = "std")]
fn sqrt32(x: u32) -> u32 {
    if x > 1 << 31 || F32.is_nan(x.into()) { NAN32 } else { f32::from_bits(x).sqrt().to_bits() }
}

#[cfg(feature = "std")]
fn sqrt64(x: u64) -> u64 {
    if x > 1 << 63 || F64.is_nan(x) { NAN64 } else { f64::from_bits(x).sqrt().to_bits() }
}

#[cfg(not(feature = "std"))]
fn sqrt32(x: u32) -> u32 {
    F32.sqrt(x.into()) as u32
}

#[cfg(not(feature = "std"))]
fn sqrt64(x: u64) -> u64 {
    F64.sqrt(x)
}

/// `x * y + z` in f32, rounded once.
#[inline(never)]
pub(super) fn fma32(x: u32, y: u32, z: u32) -> u32 {
    F32.fma(x.into(), y.into(), z.into()) as u32
}

/// `x * y + z` in f64, rounded once.
#[inline(never)]
pub(super) fn fma64(x: u64, y: u64, z: u64) -> u64 {
    F64.fma(x, y, z)
}

/// f32 as f64.
#[inline(never)]
pub(super) fn promote(x: u32) -> u64 {
    canonical64(f32::from_bits(x).into())
}

/// f64 rounded to f32.
#[inline(never)]
pub(super) fn demote(x: u64) -> u32 {
    canonical32(f64::from_bits(x) as f32)
}

/// The integer of `bits` bits (8 to 128) toward zero; out of range and NaN trap or saturate.
#[inline(never)]
pub(super) fn to_int(x: f64, signed: bool, saturate: bool, bits: u8) -> Result<u128, TrapCode> {
    let mask = u128::MAX >> (128 - bits as u32);
    if x.is_nan() {
        return if saturate { Ok(0) } else { Err(TrapCode::BAD_CONVERSION_TO_INTEGER) };
    }
    let whole = f64::from_bits(F64.to_integral(FloatUn::Trunc, x.to_bits()));
    // Both limits are powers of two, exact as f64.
    let limit = f64::from_bits(((1023 + u64::from(bits) - u64::from(signed)) & 0x7ff) << 52);
    let low = if signed { -limit } else { 0.0 };
    if whole >= limit {
        let max = if signed { mask >> 1 } else { mask };
        return if saturate { Ok(max) } else { Err(TrapCode::INTEGER_OVERFLOW) };
    }
    if whole < low {
        let min = if signed { (mask >> 1) + 1 } else { 0 };
        return if saturate { Ok(min) } else { Err(TrapCode::INTEGER_OVERFLOW) };
    }
    // In range: the cast is exact.
    Ok(if signed { whole as i128 as u128 & mask } else { whole as u128 })
}

/// The bits of the float nearest to an integer, which comes as 128 bits extended according to its sign.
#[inline(never)]
pub(super) fn from_int(n: u128, signed: bool, to64: bool) -> u64 {
    match (signed, to64) {
        (false, false) => (n as f32).to_bits().into(),
        (true, false) => (n as i128 as f32).to_bits().into(),
        (false, true) => (n as f64).to_bits(),
        (true, true) => (n as i128 as f64).to_bits(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Marsaglia's xorshift: the same numbers in every run.
    struct Random(u64);

    impl Random {
        fn next(&mut self) -> u64 {
            self.0 ^= self.0 << 13;
            self.0 ^= self.0 >> 7;
            self.0 ^= self.0 << 17;
            self.0.wrapping_mul(0x2545_f491_4f6c_dd1d)
        }

        /// Bits of a float of `format`: any, or near a corner.
        fn float(&mut self, format: Format) -> u64 {
            let all = format.sign_bit() | (format.sign_bit() - 1);
            let any = self.next() & all;
            match self.next() % 8 {
                0 => format.exponent(any) << format.fraction_bits | any & format.sign_bit(),
                1 => any & (format.sign_bit() | 0xff),
                2 => any | 0xfff & !format.sign_bit(),
                // Near one, where operations interact.
                3..=5 => {
                    let e = (format.bias() as u64 + self.next() % 64 - 32) << format.fraction_bits;
                    e | format.fraction(any) | any & format.sign_bit()
                }
                6 => {
                    let special =
                        [0, format.infinity(), format.nan(), format.infinity() | 1, 1, format.infinity() - 1];
                    special[(self.next() % 6) as usize] | any & format.sign_bit()
                }
                _ => any,
            }
        }
    }

    const ROUNDS: usize = 400_000;

    #[test]
    fn square_root_is_the_hosts() {
        let mut random = Random(1);
        for _ in 0..ROUNDS {
            let x = random.float(F64);
            assert_eq!(F64.sqrt(x), unary64(FloatUn::Sqrt, x), "sqrt({x:#x})");
            let x = random.float(F32) as u32;
            assert_eq!(F32.sqrt(x.into()) as u32, unary32(FloatUn::Sqrt, x), "sqrt({x:#x})");
        }
    }

    #[test]
    fn fused_multiply_add_is_the_hosts() {
        let mut random = Random(2);
        for _ in 0..ROUNDS {
            let (x, y, z) = (random.float(F64), random.float(F64), random.float(F64));
            let host = f64::from_bits(x).mul_add(f64::from_bits(y), f64::from_bits(z));
            assert_eq!(fma64(x, y, z), canonical64(host), "fma({x:#x}, {y:#x}, {z:#x})");
            // A third operand that nearly cancels the product.
            let z = (-(f64::from_bits(x) * f64::from_bits(y))).to_bits() ^ (random.next() & 1);
            let host = f64::from_bits(x).mul_add(f64::from_bits(y), f64::from_bits(z));
            assert_eq!(fma64(x, y, z), canonical64(host), "fma({x:#x}, {y:#x}, {z:#x})");
            let (x, y, z) = (random.float(F32) as u32, random.float(F32) as u32, random.float(F32) as u32);
            let host = f32::from_bits(x).mul_add(f32::from_bits(y), f32::from_bits(z));
            assert_eq!(fma32(x, y, z), canonical32(host), "fma({x:#x}, {y:#x}, {z:#x})");
        }
    }

    #[test]
    fn rounding_to_integers_is_the_hosts() {
        let mut random = Random(3);
        let near = |k: u64| (k as f64 / 4.0 - 8.0).to_bits();
        for i in 0..ROUNDS as u64 {
            let x = if i < 64 { near(i) } else { random.float(F64) };
            let f = f64::from_bits(x);
            assert_eq!(unary64(FloatUn::Ceil, x), canonical64(f.ceil()), "ceil({f})");
            assert_eq!(unary64(FloatUn::Floor, x), canonical64(f.floor()), "floor({f})");
            assert_eq!(unary64(FloatUn::Trunc, x), canonical64(f.trunc()), "trunc({f})");
            assert_eq!(unary64(FloatUn::Nearest, x), canonical64(f.round_ties_even()), "nearest({f})");
            let x =
                if i < 64 { (f64::from_bits(near(i)) as f32).to_bits() } else { random.float(F32) as u32 };
            let f = f32::from_bits(x);
            assert_eq!(unary32(FloatUn::Ceil, x), canonical32(f.ceil()), "ceil({f})");
            assert_eq!(unary32(FloatUn::Floor, x), canonical32(f.floor()), "floor({f})");
            assert_eq!(unary32(FloatUn::Trunc, x), canonical32(f.trunc()), "trunc({f})");
            assert_eq!(unary32(FloatUn::Nearest, x), canonical32(f.round_ties_even()), "nearest({f})");
        }
    }

    #[test]
    fn minimum_and_maximum_order_zeros_and_spread_nan() {
        let (p, n) = (0.0f32.to_bits(), (-0.0f32).to_bits());
        assert_eq!(binary32(FloatBin::Min, p, n), n);
        assert_eq!(binary32(FloatBin::Min, n, p), n);
        assert_eq!(binary32(FloatBin::Max, p, n), p);
        assert_eq!(binary32(FloatBin::Max, n, p), p);
        assert_eq!(binary32(FloatBin::Max, n, n), n);
        assert_eq!(binary32(FloatBin::Min, 0xff80_0001, p), NAN32);
        assert_eq!(binary64(FloatBin::Max, 1.0f64.to_bits(), u64::MAX), NAN64);
        assert_eq!(binary64(FloatBin::Min, 1.0f64.to_bits(), 2.0f64.to_bits()), 1.0f64.to_bits());
        assert_eq!(binary64(FloatBin::Max, (-1.0f64).to_bits(), (-2.0f64).to_bits()), (-1.0f64).to_bits());
    }

    #[test]
    fn conversions_to_integers_know_their_limits() {
        const OVERFLOW: Result<u128, TrapCode> = Err(TrapCode::INTEGER_OVERFLOW);
        assert_eq!(to_int(f64::NAN, true, false, 32), Err(TrapCode::BAD_CONVERSION_TO_INTEGER));
        assert_eq!(to_int(f64::NAN, true, true, 32), Ok(0));
        for bits in [8u8, 16, 32, 64, 128] {
            let limit = 2f64.powi(bits.into());
            let mask = u128::MAX >> (128 - u32::from(bits));
            assert_eq!(to_int(limit, false, false, bits), OVERFLOW);
            assert_eq!(to_int(limit, false, true, bits), Ok(mask));
            assert_eq!(to_int(limit.next_down(), false, false, bits), Ok(limit.next_down() as u128 & mask));
            assert_eq!(to_int(-0.99, false, false, bits), Ok(0));
            assert_eq!(to_int(-1.0, false, false, bits), OVERFLOW);
            assert_eq!(to_int(-1.0, false, true, bits), Ok(0));
            let limit = limit / 2.0;
            assert_eq!(to_int(limit, true, false, bits), OVERFLOW);
            assert_eq!(to_int(limit, true, true, bits), Ok(mask >> 1));
            assert_eq!(to_int(limit.next_down(), true, false, bits), Ok(limit.next_down() as u128));
            assert_eq!(to_int(-limit, true, false, bits), Ok(mask / 2 + 1));
            let below = if bits <= 32 { -limit - 1.0 } else { (-limit).next_down() };
            assert_eq!(to_int(below, true, false, bits), OVERFLOW);
            assert_eq!(to_int(below, true, true, bits), Ok(mask / 2 + 1));
            assert_eq!(to_int(f64::NEG_INFINITY, true, true, bits), Ok(mask / 2 + 1));
            if bits <= 32 {
                assert_eq!(to_int(-limit - 0.5, true, false, bits), Ok(mask / 2 + 1));
            }
        }
    }

    #[test]
    fn conversions_from_integers_round_to_even() {
        let f32_of = |n: u128, signed| f32::from_bits(from_int(n, signed, false) as u32);
        assert_eq!(f32_of((1 << 24) + 1, false), 16_777_216.0);
        assert_eq!(f32_of((1 << 24) + 3, false), 16_777_220.0);
        assert_eq!(f32_of(-1i128 as u128, true), -1.0);
        assert_eq!(f32_of(u128::MAX, false), f32::INFINITY);
        assert_eq!(f64::from_bits(from_int((1 << 53) + 1, false, true)), 9_007_199_254_740_992.0);
        assert_eq!(f64::from_bits(from_int(i128::MIN as u128, true, true)), -(2f64.powi(127)));
    }
}
