//! Text of values outside of functions: the arguments and results of run directives.
//!
//! Integers are decimal; read are also hexadecimal ones, of the type's signed or unsigned range. Floats are as in
//! instructions. Vectors are `[1 2 3 4]`, lane 0 first; read is also `0x…`, whose last digits are lane 0.

use super::error::ParseError;
use super::lexer::Kind;
use super::parser::{ParseOptions, Parser};
use crate::data_value::DataValue;
use crate::types::Type;
use alloc::format;
use core::fmt;

impl fmt::Display for DataValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            DataValue::I8(n) => write!(f, "{n}"),
            DataValue::I16(n) => write!(f, "{n}"),
            DataValue::I32(n) => write!(f, "{n}"),
            DataValue::I64(n) => write!(f, "{n}"),
            DataValue::I128(n) => write!(f, "{n}"),
            DataValue::F32(x) => x.fmt(f),
            DataValue::F64(x) => x.fmt(f),
            DataValue::V128(ty, bytes) => {
                let width = ty.lane_bits();
                let bits = u128::from_le_bytes(bytes);
                for lane in 0..128u32.checked_div(width).unwrap_or(0) {
                    f.write_str(if lane == 0 { "[" } else { " " })?;
                    let lane_bits = bits >> (lane * width) & (u128::MAX >> (128 - width));
                    match DataValue::from_bits(lane_bits, ty.lane_type()) {
                        Some(value) => value.fmt(f)?,
                        None => write!(f, "{lane_bits:#x}")?,
                    }
                }
                f.write_str("]")
            }
        }
    }
}

/// Reads a value of type `ty`.
///
/// # Errors
///
/// If the text is no such value, or is out of the type's range, or if the type has no values outside of functions
/// (`f16`, `f128`, vectors that are not of 128 bits).
pub fn parse_data_value(text: &str, ty: Type) -> Result<DataValue, ParseError> {
    let mut parser = Parser::new(text, 0, ParseOptions::default())?;
    let value = parser.data_value(ty)?;
    parser.expect_end()?;
    Ok(value)
}

impl Parser<'_> {
    /// A value of type `ty`.
    pub(super) fn data_value(&mut self, ty: Type) -> Result<DataValue, ParseError> {
        let token = self.peek();
        let bits = if ty.is_vector() {
            let bytes = self.vector_bytes(ty)?;
            <[u8; 16]>::try_from(bytes).ok().map(u128::from_le_bytes)
        } else {
            let token = self.expect(Kind::Number, &format!("a value of type {ty}"))?;
            Some(self.scalar_bits(token, ty)?)
        };
        bits.and_then(|bits| DataValue::from_bits(bits, ty))
            .ok_or_else(|| self.error(token.span(), format!("values of type {ty} are not supported here")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::types::*;
    use alloc::string::ToString;

    #[test]
    fn scalars() {
        for (text, ty, bits) in [
            ("-1", I8, 0xff),
            ("255", I8, 0xff),
            ("0xDEADBEEF_C0FFEEEE", I64, 0xdead_beef_c0ff_eeee),
            ("-170141183460469231731687303715884105728", I128, 1 << 127),
            ("0xffff_ffff_ffff_ffff_ffff_ffff_ffff_ffff", I128, u128::MAX),
            ("0x2.0p3", F64, 0x4030_0000_0000_0000),
            ("-0.0", F32, 0x8000_0000),
            ("+NaN:0x1", F32, 0x7fc0_0001),
        ] {
            assert_eq!(parse_data_value(text, ty).unwrap().to_bits(), bits, "{text}");
        }
        for (text, ty) in
            [("256", I8), ("-129", I8), ("1.5", I32), ("x", I32), ("1 2", I32), ("", F64), ("1", F128)]
        {
            assert!(parse_data_value(text, ty).is_err(), "{text}");
        }
    }

    #[test]
    fn vectors() {
        let v = parse_data_value("[1 2 -1 4]", I32X4).unwrap();
        assert_eq!(v.to_string(), "[1 2 -1 4]");
        assert_eq!(parse_data_value("0x00000004_ffffffff_00000002_00000001", I32X4).unwrap(), v);
        assert_eq!(parse_data_value("[1, 2, 0xffffffff, 4]", I32X4).unwrap(), v);
        assert_eq!(
            parse_data_value("[0x1.8p0 -Inf]", F64X2).unwrap().to_string(),
            "[0x1.8000000000000p0 -Inf]"
        );
        for bad in ["[1 2 3]", "[1 2 3 4 5]", "[1 2", "1_2", "[]", "0x1_00000000_00000000_00000000_00000000"]
        {
            assert!(parse_data_value(bad, I32X4).is_err(), "{bad}");
        }
        assert!(parse_data_value("[1 2]", I32.by(2).unwrap()).is_err());
    }

    #[test]
    fn printed_values_read_back() {
        let mut x = 0x0123_4567_89ab_cdef_u128;
        for _ in 0..500 {
            x = x.wrapping_mul(0x2360_ed05_1fc6_5da4_4385_df64_9fcc_f645).wrapping_add(1);
            for &ty in Type::all() {
                let bits = if ty.bits() == 128 { x } else { x >> 64 & ((1 << ty.bits()) - 1) };
                if let Some(value) = DataValue::from_bits(bits, ty) {
                    assert_eq!(parse_data_value(&value.to_string(), ty), Ok(value), "{ty}");
                }
            }
        }
    }
}
