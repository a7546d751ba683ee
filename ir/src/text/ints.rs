//! Text of integers: literals, immediates and offsets.

use crate::immediates::{Imm64, Offset32};
use alloc::format;
use alloc::string::String;
use core::fmt;
use core::str::FromStr;

/// An integer literal: sign and magnitude.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Literal {
    pub(crate) negative: bool,
    pub(crate) magnitude: u128,
}

impl Literal {
    /// Reads `[+-]123`, `[+-]0x1f`, both with `_` between digits.
    pub(crate) fn parse(text: &str) -> Result<Literal, &'static str> {
        let (negative, rest) = match text.as_bytes().first() {
            Some(b'-') => (true, &text[1..]),
            Some(b'+') => (false, &text[1..]),
            _ => (false, text),
        };
        let (radix, digits) = match rest.strip_prefix("0x").or_else(|| rest.strip_prefix("0X")) {
            Some(digits) => (16, digits),
            None => (10, rest),
        };
        let mut magnitude: u128 = 0;
        let mut any = false;
        for c in digits.chars() {
            if c == '_' {
                continue;
            }
            let digit = c.to_digit(radix).ok_or("not an integer")?;
            any = true;
            magnitude = magnitude
                .checked_mul(radix.into())
                .and_then(|m| m.checked_add(digit.into()))
                .ok_or("an integer of more than 128 bits")?;
        }
        if any { Ok(Literal { negative, magnitude }) } else { Err("not an integer") }
    }

    /// The low `bits` bits (1 to 128) of the number; `None` unless it is in the signed or in the unsigned range
    /// of that width.
    pub(crate) fn fit(self, bits: u32) -> Option<u128> {
        let mask = u128::MAX >> (128 - bits);
        if self.negative {
            (self.magnitude <= 1 << (bits - 1)).then(|| self.magnitude.wrapping_neg() & mask)
        } else {
            (self.magnitude <= mask).then_some(self.magnitude)
        }
    }

    /// The number, if the signed range of 64 bits holds it.
    pub(crate) fn to_i64(self) -> Option<i64> {
        if self.negative {
            (self.magnitude <= 1 << 63).then(|| (self.magnitude as u64).wrapping_neg() as i64)
        } else {
            i64::try_from(self.magnitude).ok()
        }
    }

    /// The number, if it is not negative and at most `max`.
    pub(crate) fn to_unsigned(self, max: u64) -> Option<u64> {
        let n = u64::try_from(self.magnitude).ok()?;
        (n <= max && (!self.negative || n == 0)).then_some(n)
    }
}

/// Reads an integer of `bits` bits, signed or unsigned, as its bits.
pub(crate) fn parse_bits(text: &str, bits: u32) -> Result<u128, String> {
    let literal = Literal::parse(text)?;
    literal.fit(bits).ok_or_else(|| format!("{text} does not fit {bits} bits, signed or unsigned"))
}

/// Numbers below this are printed in decimal, others in groups of four hexadecimal digits.
const DECIMAL_LIMIT: u64 = 10_000;

fn write_grouped_hex(f: &mut fmt::Formatter<'_>, n: u64) -> fmt::Result {
    f.write_str("0x")?;
    let groups = (64 - n.leading_zeros()).div_ceil(16).max(1);
    for group in (0..groups).rev() {
        write!(f, "{:04x}", n >> (16 * group) & 0xffff)?;
        if group > 0 {
            f.write_str("_")?;
        }
    }
    Ok(())
}

/// Decimal for negative and small numbers, `0x0001_0000` for larger ones.
impl fmt::Display for Imm64 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let n = self.get();
        if n < DECIMAL_LIMIT as i64 { write!(f, "{n}") } else { write_grouped_hex(f, n as u64) }
    }
}

/// Reads a number of the signed or the unsigned range of 64 bits.
impl FromStr for Imm64 {
    type Err = String;
    fn from_str(text: &str) -> Result<Imm64, String> {
        parse_bits(text, 64).map(|bits| Imm64(bits as i64))
    }
}

/// Nothing for 0; else a sign, then as an [`Imm64`].
impl fmt::Display for Offset32 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0 == 0 {
            return Ok(());
        }
        f.write_str(if self.0 < 0 { "-" } else { "+" })?;
        let n: u64 = self.0.unsigned_abs().into();
        if n < DECIMAL_LIMIT { write!(f, "{n}") } else { write_grouped_hex(f, n) }
    }
}

/// Reads an offset of the signed range of 32 bits; nothing is 0.
impl FromStr for Offset32 {
    type Err = String;
    fn from_str(text: &str) -> Result<Offset32, String> {
        if text.is_empty() {
            return Ok(Offset32(0));
        }
        let n = Literal::parse(text)?.to_i64().and_then(|n| i32::try_from(n).ok());
        n.map(Offset32).ok_or_else(|| format!("{text} does not fit an offset of 32 bits"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::string::ToString;

    #[test]
    fn literals_know_their_ranges() {
        assert_eq!(parse_bits("-128", 8), Ok(0x80));
        assert_eq!(parse_bits("255", 8), Ok(0xff));
        assert_eq!(parse_bits("-0", 8), Ok(0));
        assert_eq!(parse_bits("1_000", 16), Ok(1000));
        assert!(parse_bits("-129", 8).is_err());
        assert!(parse_bits("256", 8).is_err());
        assert_eq!(parse_bits("0xffffffff_ffffffff_ffffffff_ffffffff", 128), Ok(u128::MAX));
        assert_eq!(parse_bits("-170141183460469231731687303715884105728", 128), Ok(1 << 127));
        for bad in ["", "-", "0x", "_", "1a", "0xg", "340282366920938463463374607431768211456"] {
            assert!(Literal::parse(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn immediates_print_decimal_when_small_or_negative() {
        for (n, text) in [
            (0, "0"),
            (-1, "-1"),
            (9999, "9999"),
            (10000, "0x2710"),
            (0x10000, "0x0001_0000"),
            (i64::MAX, "0x7fff_ffff_ffff_ffff"),
            (i64::MIN, "-9223372036854775808"),
        ] {
            assert_eq!(Imm64(n).to_string(), text);
            assert_eq!(text.parse(), Ok(Imm64(n)));
        }
    }

    #[test]
    fn offsets_carry_their_sign() {
        for (n, text) in [
            (0, ""),
            (4, "+4"),
            (-12, "-12"),
            (65536, "+0x0001_0000"),
            (i32::MIN, "-0x8000_0000"),
            (i32::MAX, "+0x7fff_ffff"),
        ] {
            assert_eq!(Offset32(n).to_string(), text);
            assert_eq!(text.parse(), Ok(Offset32(n)));
        }
        assert!("+0x8000_0000".parse::<Offset32>().is_err());
    }
}
