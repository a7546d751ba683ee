//! Multipliers that divide: for division by a constant on machines where a multiplication is cheaper.
//!
//! Granlund and Montgomery, "Division by Invariant Integers using Multiplication", PLDI 1994, figures 4.2, 5.2 and 6.2.
//! Words have N bits, 8 to 64; `mulhi` is the upper word of a product.

/// How to divide unsigned words.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Unsigned {
    /// x >> n
    Shift(u32),
    /// mulhi(x >> pre, multiplier) >> post
    Multiply {
        /// Shift before; 0 unless the divisor is even.
        pre: u32,
        /// The multiplier, below 2^N.
        multiplier: u64,
        /// Shift after.
        post: u32,
    },
    /// With t = mulhi(x, multiplier): (((x - t) >> 1) + t) >> post. The multiplier proper has N + 1 bits.
    MultiplyAdd {
        /// The multiplier less 2^N.
        multiplier: u64,
        /// Shift after.
        post: u32,
    },
}

/// How to divide signed words by the divisor's magnitude, rounding towards zero.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Signed {
    /// (x + (x < 0 ? 2^n - 1 : 0)) >> n, arithmetically.
    Shift(u32),
    /// (mulhi(x, multiplier) >> post) - (x >> N - 1), shifting arithmetically.
    Multiply {
        /// The multiplier, as a word.
        multiplier: u64,
        /// Shift after.
        post: u32,
    },
    /// ((mulhi(x, multiplier) + x) >> post) - (x >> N - 1): the multiplier proper is 2^N more.
    MultiplyAdd {
        /// The multiplier, as a word: negative.
        multiplier: u64,
        /// Shift after.
        post: u32,
    },
}

/// The smallest multiplier for dividends of `precision` bits, and the shift after it: figure 6.2.
fn multiplier(bits: u32, divisor: u64, precision: u32) -> (u128, u32) {
    let log = 64 - (divisor - 1).leading_zeros();
    let power = 1u128 << (bits + log);
    let (mut low, mut high) =
        (power / u128::from(divisor), (power + (1 << (bits + log - precision))) / u128::from(divisor));
    let mut shift = log;
    while shift > 0 && low / 2 < high / 2 {
        (low, high, shift) = (low / 2, high / 2, shift - 1);
    }
    (high, shift)
}

/// How to divide unsigned words of `bits` bits by `divisor`. `None` for 0, and for divisors above 2^63, whose quotients
/// a comparison tells.
pub fn unsigned(bits: u32, divisor: u64) -> Option<Unsigned> {
    if divisor == 0 || divisor > 1 << 63 {
        return None;
    }
    if divisor.is_power_of_two() {
        return Some(Unsigned::Shift(divisor.trailing_zeros()));
    }
    let limit = 1u128 << bits;
    let (m, post) = multiplier(bits, divisor, bits);
    if m < limit {
        return Some(Unsigned::Multiply { pre: 0, multiplier: m as u64, post });
    }
    let pre = divisor.trailing_zeros();
    if pre > 0 {
        // Fewer bits to divide once the divisor's zeros are shifted out: the multiplier fits.
        let (m, post) = multiplier(bits, divisor >> pre, bits - pre);
        return Some(Unsigned::Multiply { pre, multiplier: m as u64, post });
    }
    Some(Unsigned::MultiplyAdd { multiplier: (m - limit) as u64, post: post - 1 })
}

/// How to divide signed words of `bits` bits by a divisor of magnitude `divisor`. `None` for 0.
pub fn signed(bits: u32, divisor: u64) -> Option<Signed> {
    if divisor == 0 {
        return None;
    }
    if divisor.is_power_of_two() {
        return Some(Signed::Shift(divisor.trailing_zeros()));
    }
    let (m, post) = multiplier(bits, divisor, bits - 1);
    let multiplier = (m & ((1 << bits) - 1)) as u64;
    Some(if m < 1 << (bits - 1) {
        Signed::Multiply { multiplier, post }
    } else {
        Signed::MultiplyAdd { multiplier, post }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A word of `bits` bits with its sign.
    fn sext(bits: u32, x: u64) -> i64 {
        (x << (64 - bits)) as i64 >> (64 - bits)
    }

    fn divide_unsigned(bits: u32, how: Unsigned, x: u64) -> u64 {
        let mask = u64::MAX >> (64 - bits);
        let mulhi = |a: u64, b: u64| ((u128::from(a) * u128::from(b)) >> bits) as u64;
        match how {
            Unsigned::Shift(n) => x >> n,
            Unsigned::Multiply { pre, multiplier, post } => {
                assert!(multiplier <= mask);
                mulhi(x >> pre, multiplier) >> post
            }
            Unsigned::MultiplyAdd { multiplier, post } => {
                let t = mulhi(x, multiplier);
                (((x - t) >> 1) + t) >> post
            }
        }
    }

    fn divide_signed(bits: u32, how: Signed, x: i64) -> i64 {
        let mulhi = |a: i64, b: u64| ((i128::from(a) * i128::from(sext(bits, b))) >> bits) as i64;
        let word = |x: i64| sext(bits, x as u64);
        match how {
            Signed::Shift(n) => x.wrapping_add(if x < 0 { (1i64 << n).wrapping_sub(1) } else { 0 }) >> n,
            Signed::Multiply { multiplier, post } => word((mulhi(x, multiplier) >> post) - (x >> 63)),
            Signed::MultiplyAdd { multiplier, post } => {
                word((word(mulhi(x, multiplier).wrapping_add(x)) >> post) - (x >> 63))
            }
        }
    }

    #[test]
    fn bytes_by_bytes() {
        for d in 1..=255 {
            let how = unsigned(8, d).unwrap();
            for x in 0..=255 {
                assert_eq!(divide_unsigned(8, how, x), x / d, "{x} / {d}: {how:?}");
            }
        }
        for d in 1..=128u64 {
            let how = signed(8, d).unwrap();
            for x in -128..=127 {
                assert_eq!(divide_signed(8, how, x), x / d as i64, "{x} / {d}: {how:?}");
            }
        }
    }

    #[test]
    fn words_at_the_corners() {
        for bits in [32, 64] {
            let max = u64::MAX >> (64 - bits);
            let mut divisors: Vec<u64> = (1..200).chain([641, 1000, 1_000_000_007, 0x7fff_ffff]).collect();
            for n in 1..bits {
                divisors.extend([(1 << n) - 1, 1 << n, (1u64 << n) + 1]);
            }
            divisors.extend([max, max - 1, max / 3, max / 5 + 1]);
            divisors.retain(|&d| d != 0 && d <= max);
            for d in divisors {
                let mut xs = vec![0, 1, 2, max, max - 1, max / 2, max / 2 + 1];
                for k in [1, 2, 3, 1000, max / d] {
                    let multiple = d.wrapping_mul(k) & max;
                    xs.extend([multiple, multiple.wrapping_sub(1) & max, multiple.wrapping_add(1) & max]);
                }
                for x in xs {
                    match unsigned(bits, d) {
                        Some(how) => {
                            assert_eq!(divide_unsigned(bits, how, x), x / d, "{x} / {d}: {how:?}");
                        }
                        None => assert!(d > 1 << 63),
                    }
                    if d <= max / 2 {
                        let how = signed(bits, d).unwrap();
                        let x = sext(bits, x);
                        assert_eq!(divide_signed(bits, how, x), x / d as i64, "{x} / {d}: {how:?}");
                    }
                }
            }
        }
        assert_eq!((unsigned(32, 0), signed(32, 0), unsigned(64, u64::MAX)), (None, None, None));
    }
}
