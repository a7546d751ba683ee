//! Text of floats: exact, in both directions.
//!
//! Printed forms are `0.0` and `-0.0`, hexadecimal significands with as many digits as the format has bits
//! (`0x1.8000000000000p3`, subnormal `0x0.0000000000001p-1022`), `+Inf`, `-Inf`, `+NaN`, and with payloads
//! `+NaN:0x1` (quiet) and `+sNaN:0x1` (signalling). Read are also shorter significands, a missing exponent,
//! a missing sign, `_` between digits, and decimal numbers. What a format cannot hold exactly is rounded to nearest, ties
//! to even; what is too large for it is refused.

use crate::immediates::{Ieee16, Ieee32, Ieee64};
use alloc::string::String;
use core::fmt;
use core::str::FromStr;

/// A binary interchange format: `exponent` bits, and `fraction` stored bits of significand.
#[derive(Clone, Copy)]
struct Ieee {
    exponent: u32,
    fraction: u32,
}

const BINARY16: Ieee = Ieee { exponent: 5, fraction: 10 };
const BINARY32: Ieee = Ieee { exponent: 8, fraction: 23 };
const BINARY64: Ieee = Ieee { exponent: 11, fraction: 52 };
const BINARY128: Ieee = Ieee { exponent: 15, fraction: 112 };

const NOT_A_FLOAT: &str = "not a float";
const TOO_LARGE: &str = "a float too large for its type";
/// Exponents beyond these are zero or too large in every format, whatever the digits; far from overflow.
const EXPONENT_CLAMP: i64 = 1 << 40;

impl Ieee {
    fn bias(self) -> i64 {
        (1 << (self.exponent - 1)) - 1
    }

    /// The bits of infinity.
    fn infinity(self) -> u128 {
        ((1 << self.exponent) - 1) << self.fraction
    }

    fn sign_bit(self) -> u128 {
        1 << (self.exponent + self.fraction)
    }

    /// `significand * 2^exponent`, rounded; `sticky` if there is a little more than that.
    fn pack(self, significand: u128, exponent: i64, sticky: bool) -> Result<u128, &'static str> {
        if significand == 0 {
            return Ok(0);
        }
        let fraction = i64::from(self.fraction);
        let top = exponent + i64::from(127 - significand.leading_zeros());
        let min = 1 - self.bias();
        if top > self.bias() {
            return Err(TOO_LARGE);
        }
        // Exponent of the last place that the format keeps.
        let last = (top - fraction).max(min - fraction);
        let shift = last - exponent;
        let mut kept = if shift <= 0 {
            significand << -shift
        } else if shift > 128 {
            0
        } else {
            let kept = if shift == 128 { 0 } else { significand >> shift };
            let half = 1u128 << (shift - 1);
            let rest = if shift == 128 { significand } else { significand & ((1u128 << shift) - 1) };
            let up = rest > half || (rest == half && (sticky || kept & 1 == 1));
            kept + u128::from(up)
        };
        if kept >> self.fraction != 0 {
            // Normal: the leading one becomes part of the exponent field, a carry out of the fraction too.
            kept += ((last + fraction + self.bias() - 1) as u128) << self.fraction;
        }
        if kept >= self.infinity() { Err(TOO_LARGE) } else { Ok(kept) }
    }

    fn parse(self, text: &str) -> Result<u128, &'static str> {
        let (sign, body) = match text.as_bytes().first() {
            Some(b'-') => (self.sign_bit(), &text[1..]),
            Some(b'+') => (0, &text[1..]),
            _ => (0, text),
        };
        let quiet = 1u128 << (self.fraction - 1);
        let magnitude = if body == "Inf" {
            self.infinity()
        } else if body == "NaN" {
            self.infinity() | quiet
        } else if let Some(payload) = body.strip_prefix("NaN:") {
            self.infinity() | quiet | self.payload(payload)?
        } else if let Some(payload) = body.strip_prefix("sNaN:") {
            match self.payload(payload)? {
                0 => return Err("a signalling NaN needs a payload that is not 0"),
                payload => self.infinity() | payload,
            }
        } else if let Some(digits) = body.strip_prefix("0x").or_else(|| body.strip_prefix("0X")) {
            self.parse_hex(digits)?
        } else {
            self.parse_decimal(body)?
        };
        Ok(sign | magnitude)
    }

    fn payload(self, text: &str) -> Result<u128, &'static str> {
        let digits = text.strip_prefix("0x").ok_or("a NaN's payload is a hexadecimal number")?;
        let payload =
            u128::from_str_radix(digits, 16).map_err(|_| "a NaN's payload is a hexadecimal number")?;
        if payload >> (self.fraction - 1) == 0 {
            Ok(payload)
        } else {
            Err("a payload too large for its type")
        }
    }

    fn parse_hex(self, text: &str) -> Result<u128, &'static str> {
        let (digits, exponent) = match text.split_once(['p', 'P']) {
            Some((digits, exponent)) => (digits, parse_exponent(exponent)?),
            None => (text, 0),
        };
        let (mut significand, mut sticky, mut scale) = (0u128, false, 0i64);
        let (mut any, mut point) = (false, false);
        for c in digits.chars() {
            match c {
                '_' => continue,
                '.' if !point => point = true,
                _ => {
                    let digit = c.to_digit(16).ok_or(NOT_A_FLOAT)?;
                    any = true;
                    if significand >> 124 == 0 {
                        significand = significand << 4 | u128::from(digit);
                        scale -= if point { 4 } else { 0 };
                    } else {
                        sticky |= digit != 0;
                        scale += if point { 0 } else { 4 };
                    }
                }
            }
        }
        if any { self.pack(significand, exponent + scale, sticky) } else { Err(NOT_A_FLOAT) }
    }

    fn parse_decimal(self, text: &str) -> Result<u128, &'static str> {
        let allowed = |b: u8| b.is_ascii_digit() || matches!(b, b'.' | b'e' | b'E' | b'+' | b'-' | b'_');
        if !text.starts_with(|c: char| c.is_ascii_digit()) || !text.bytes().all(allowed) {
            return Err(NOT_A_FLOAT);
        }
        let stripped: String;
        let text = if text.contains('_') {
            stripped = text.chars().filter(|&c| c != '_').collect();
            &stripped
        } else {
            text
        };
        if self.fraction == BINARY32.fraction {
            let x: f32 = text.parse().map_err(|_| NOT_A_FLOAT)?;
            return if x.is_finite() { Ok(x.to_bits().into()) } else { Err(TOO_LARGE) };
        }
        let x: f64 = text.parse().map_err(|_| NOT_A_FLOAT)?;
        if !x.is_finite() {
            return Err(TOO_LARGE);
        }
        if self.fraction > BINARY64.fraction && x != 0.0 {
            return Err("a decimal number; an f128 is written in hexadecimal");
        }
        let bits = x.to_bits();
        if self.fraction == BINARY64.fraction {
            return Ok(bits.into());
        }
        let stored = u128::from(bits & ((1 << 52) - 1));
        match (bits >> 52) as i64 {
            0 => self.pack(stored, -1074, false),
            biased => self.pack(stored | 1 << 52, biased - 1075, false),
        }
    }

    fn write(self, f: &mut fmt::Formatter<'_>, bits: u128) -> fmt::Result {
        let negative = bits & self.sign_bit() != 0;
        let magnitude = bits & (self.sign_bit() - 1);
        let fraction = magnitude & ((1 << self.fraction) - 1);
        let biased = (magnitude >> self.fraction) as i64;
        if magnitude >= self.infinity() {
            f.write_str(if negative { "-" } else { "+" })?;
            let quiet = 1u128 << (self.fraction - 1);
            return match fraction {
                0 => f.write_str("Inf"),
                _ if fraction == quiet => f.write_str("NaN"),
                _ if fraction & quiet != 0 => write!(f, "NaN:{:#x}", fraction & !quiet),
                _ => write!(f, "sNaN:{fraction:#x}"),
            };
        }
        if negative {
            f.write_str("-")?;
        }
        if magnitude == 0 {
            return f.write_str("0.0");
        }
        let digits = self.fraction.div_ceil(4);
        let fraction = fraction << (digits * 4 - self.fraction);
        let (lead, exponent) = if biased == 0 { (0, 1 - self.bias()) } else { (1, biased - self.bias()) };
        write!(f, "0x{lead}.{fraction:0width$x}p{exponent}", width = digits as usize)
    }
}

/// Reads a binary exponent. Absurdly large ones are cut, which changes nothing.
fn parse_exponent(text: &str) -> Result<i64, &'static str> {
    let (negative, digits) = match text.as_bytes().first() {
        Some(b'-') => (true, &text[1..]),
        Some(b'+') => (false, &text[1..]),
        _ => (false, text),
    };
    if digits.is_empty() || !digits.bytes().all(|b| b.is_ascii_digit()) {
        return Err(NOT_A_FLOAT);
    }
    let mut n: i64 = 0;
    for b in digits.bytes() {
        n = (n * 10 + i64::from(b - b'0')).min(EXPONENT_CLAMP);
    }
    Ok(if negative { -n } else { n })
}

/// Reads a binary128 float, as bits. Decimal numbers other than 0 are refused.
pub(crate) fn parse_f128(text: &str) -> Result<u128, &'static str> {
    BINARY128.parse(text)
}

macro_rules! float_text {
    ($($name:ident $bits:ident $format:ident;)*) => {$(
        /// Exact; see the module's description for the forms.
        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                $format.write(f, { self.0 }.into())
            }
        }

        /// Reads the printed forms, shorter ones, and decimal numbers, rounding to nearest.
        impl FromStr for $name {
            type Err = &'static str;
            fn from_str(text: &str) -> Result<$name, &'static str> {
                $format.parse(text).map(|bits| $name(bits as $bits))
            }
        }
    )*};
}

float_text! {
    Ieee16 u16 BINARY16;
    Ieee32 u32 BINARY32;
    Ieee64 u64 BINARY64;
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::string::ToString;

    #[test]
    fn printed_forms() {
        for (x, text) in [
            (0.0, "0.0"),
            (-0.0, "-0.0"),
            (1.0, "0x1.0000000000000p0"),
            (-2.0, "-0x1.0000000000000p1"),
            (0.01, "0x1.47ae147ae147bp-7"),
            (f64::from_bits(1), "0x0.0000000000001p-1022"),
            (f64::MAX, "0x1.fffffffffffffp1023"),
            (f64::INFINITY, "+Inf"),
        ] {
            assert_eq!(Ieee64::from(x).to_string(), text);
            assert_eq!(text.parse(), Ok(Ieee64::from(x)));
        }
        for (bits, text) in [
            (0x7fc0_0000, "+NaN"),
            (0xffc0_0001, "-NaN:0x1"),
            (0x7f80_0001, "+sNaN:0x1"),
            (0xff80_0000, "-Inf"),
            (0x3980_0000, "0x1.000000p-12"),
            (0x0000_0001, "0x0.000002p-126"),
        ] {
            assert_eq!(Ieee32(bits).to_string(), text);
            assert_eq!(text.parse(), Ok(Ieee32(bits)));
        }
        assert_eq!(Ieee16(0x3c01).to_string(), "0x1.004p0");
    }

    #[test]
    fn read_forms() {
        for (text, x) in [
            ("0x1.8p3", 12.0),
            ("0x2.0p3", 16.0),
            ("0x0.5", 0.3125),
            ("0x10", 16.0),
            ("-0x0.0", -0.0),
            ("1.5", 1.5),
            ("1e10", 1e10),
            ("1_000.25", 1000.25),
            ("-3", -3.0),
            ("0x1.00000000000008p0", 1.0),
            ("0x1.00000000000018p0", 1.0 + 2.0 * f64::EPSILON),
            ("0x1.000000000000080000000000000000000000000000001p0", 1.0 + f64::EPSILON),
            ("0x0.00000000000008p-1022", 0.0),
            ("0x0.00000000000009p-1022", f64::from_bits(1)),
            ("0x1p-99999999999999999999", 0.0),
            ("0x1.fffffffffffff7p1023", f64::MAX),
        ] {
            assert_eq!(text.parse(), Ok(Ieee64::from(x)), "{text}");
        }
        for bad in [
            "",
            "-",
            "0x",
            "0xp3",
            "0x1p",
            "0x1.2.3",
            "1.2.3",
            "inf",
            "nan",
            "NaN:1",
            "sNaN:0x0",
            "+NaN:0x8000000000000",
            "0x1p1024",
            "1e400",
            "0x1.fffffffffffff8p1023",
            "x",
            "1p3",
            "é",
        ] {
            assert!(bad.parse::<Ieee64>().is_err(), "{bad}");
        }
    }

    #[test]
    fn all_half_precision_numbers_round_trip() {
        for bits in 0..=u16::MAX {
            assert_eq!(Ieee16(bits).to_string().parse(), Ok(Ieee16(bits)));
        }
    }

    #[test]
    fn many_singles_and_doubles_round_trip() {
        let mut x = 0x9e37_79b9_7f4a_7c15u64;
        for _ in 0..20_000 {
            x ^= x << 13;
            x ^= x >> 7;
            x ^= x << 17;
            assert_eq!(Ieee64(x).to_string().parse(), Ok(Ieee64(x)));
            let single = Ieee32(x as u32);
            assert_eq!(single.to_string().parse(), Ok(single));
            // Hexadecimal reading rounds as conversion does.
            let narrow = f64::from_bits(x) as f32;
            if narrow.is_finite() {
                assert_eq!(Ieee64(x).to_string().parse(), Ok(Ieee32::from(narrow)));
            }
        }
    }

    #[test]
    fn quadruple_precision_is_read_in_hexadecimal() {
        assert_eq!(parse_f128("0x1.0"), Ok(0x3fff << 112));
        assert_eq!(parse_f128("-0.0"), Ok(1 << 127));
        assert!(parse_f128("1.5").is_err());
    }
}
