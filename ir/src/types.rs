//! Types of the language: scalars, and fixed-width vectors of them.

use core::fmt;

/// A value type: a scalar, or 2 to 256 lanes of one.
///
/// One 16-bit code: the lane kind in the low four bits and log2 of the lane count above them.
/// [`Type::INVALID`] is the type of nothing and never the type of a value.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
pub struct Type(u16);

const LANE_BITS: u32 = 4;
const LANE_MASK: u16 = (1 << LANE_BITS) - 1;

/// No type.
pub const INVALID: Type = Type(0);
/// 8-bit integer; also the type of comparison results, 0 or 1.
pub const I8: Type = Type(1);
/// 16-bit integer.
pub const I16: Type = Type(2);
/// 32-bit integer; the address type of 32-bit targets.
pub const I32: Type = Type(3);
/// 64-bit integer; the address type of 64-bit targets.
pub const I64: Type = Type(4);
/// 128-bit integer.
pub const I128: Type = Type(5);
/// IEEE 754 binary16. Parsed, and refused by name.
pub const F16: Type = Type(6);
/// IEEE 754 binary32.
pub const F32: Type = Type(7);
/// IEEE 754 binary64.
pub const F64: Type = Type(8);
/// IEEE 754 binary128. Parsed, and refused by name.
pub const F128: Type = Type(9);
/// Sixteen 8-bit lanes.
pub const I8X16: Type = I8.vector(4);
/// Eight 16-bit lanes.
pub const I16X8: Type = I16.vector(3);
/// Four 32-bit lanes.
pub const I32X4: Type = I32.vector(2);
/// Two 64-bit lanes.
pub const I64X2: Type = I64.vector(1);
/// Four single-precision lanes.
pub const F32X4: Type = F32.vector(2);
/// Two double-precision lanes.
pub const F64X2: Type = F64.vector(1);

impl Type {
    /// No type.
    pub const INVALID: Type = INVALID;

    const fn vector(self, log2_lanes: u16) -> Type {
        Type(self.0 | log2_lanes << LANE_BITS)
    }

    /// The type of one lane; a scalar is its own lane.
    pub const fn lane_type(self) -> Type {
        Type(self.0 & LANE_MASK)
    }

    /// log2 of the number of lanes; 0 for a scalar.
    pub const fn log2_lane_count(self) -> u32 {
        (self.0 >> LANE_BITS) as u32
    }

    /// Number of lanes; 1 for a scalar.
    pub const fn lane_count(self) -> u32 {
        1 << self.log2_lane_count()
    }

    /// Bits in one lane.
    pub const fn lane_bits(self) -> u32 {
        match self.lane_type() {
            I8 => 8,
            I16 | F16 => 16,
            I32 | F32 => 32,
            I64 | F64 => 64,
            I128 | F128 => 128,
            _ => 0,
        }
    }

    /// Bits in the whole value.
    pub const fn bits(self) -> u32 {
        self.lane_bits() << self.log2_lane_count()
    }

    /// Bytes that the value takes in memory.
    pub const fn bytes(self) -> u32 {
        self.bits() / 8
    }

    /// Is this no type at all?
    pub const fn is_invalid(self) -> bool {
        self.lane_type().0 == 0
    }

    /// Is this a vector?
    pub const fn is_vector(self) -> bool {
        self.log2_lane_count() > 0
    }

    /// Is this a scalar integer?
    pub const fn is_int(self) -> bool {
        matches!(self, I8 | I16 | I32 | I64 | I128)
    }

    /// Is this a scalar float?
    pub const fn is_float(self) -> bool {
        matches!(self, F16 | F32 | F64 | F128)
    }

    /// The scalar integer of `bits` bits, if there is one.
    pub const fn int(bits: u32) -> Option<Type> {
        Some(match bits {
            8 => I8,
            16 => I16,
            32 => I32,
            64 => I64,
            128 => I128,
            _ => return None,
        })
    }

    /// Lanes of this type with half as many bits, lane count unchanged.
    pub const fn half_width(self) -> Option<Type> {
        let lane = match self.lane_type() {
            I16 => I8,
            I32 => I16,
            I64 => I32,
            I128 => I64,
            F32 => F16,
            F64 => F32,
            F128 => F64,
            _ => return None,
        };
        Some(lane.vector(self.0 >> LANE_BITS))
    }

    /// Lanes of this type with twice as many bits, lane count unchanged.
    pub const fn double_width(self) -> Option<Type> {
        let lane = match self.lane_type() {
            I8 => I16,
            I16 => I32,
            I32 => I64,
            I64 => I128,
            F16 => F32,
            F32 => F64,
            F64 => F128,
            _ => return None,
        };
        Some(lane.vector(self.0 >> LANE_BITS))
    }

    /// `lanes` lanes of this scalar; `None` unless `lanes` is a power of two up to 256 and this a scalar.
    pub const fn by(self, lanes: u32) -> Option<Type> {
        if self.is_invalid() || self.is_vector() || !lanes.is_power_of_two() || lanes > 256 {
            return None;
        }
        Some(self.vector(lanes.trailing_zeros() as u16))
    }

    /// Half as many lanes of twice the width: the result of pairwise and narrowing families.
    pub const fn merge_lanes(self) -> Option<Type> {
        if !self.is_vector() {
            return None;
        }
        match self.double_width() {
            Some(wide) => Some(Type(wide.0 - (1 << LANE_BITS))),
            None => None,
        }
    }

    /// Twice as many lanes of half the width.
    pub const fn split_lanes(self) -> Option<Type> {
        if !self.is_vector() {
            return None;
        }
        match self.half_width() {
            Some(narrow) => Some(Type(narrow.0 + (1 << LANE_BITS))),
            None => None,
        }
    }

    /// The type of a comparison of two values of this type: `i8` for scalars; for vectors, integer lanes
    /// of the same width.
    pub const fn as_truthy(self) -> Type {
        if !self.is_vector() {
            return I8;
        }
        match Type::int(self.lane_bits()) {
            Some(lane) => lane.vector(self.0 >> LANE_BITS),
            None => INVALID,
        }
    }

    /// Every type that a value of the language may have today, in the order of their codes.
    pub const fn all() -> &'static [Type] {
        &[I8, I16, I32, I64, I128, F16, F32, F64, F128, F64X2, I64X2, F32X4, I32X4, I16X8, I8X16]
    }

    /// Reads a type name. `None` if `name` is not one; dynamic vectors (`i32x4xN`) are not.
    pub fn from_name(name: &str) -> Option<Type> {
        let scalar = |s: &str| {
            Some(match s {
                "i8" => I8,
                "i16" => I16,
                "i32" => I32,
                "i64" => I64,
                "i128" => I128,
                "f16" => F16,
                "f32" => F32,
                "f64" => F64,
                "f128" => F128,
                _ => return None,
            })
        };
        match name.split_once('x') {
            None => scalar(name),
            Some((lane, count)) => {
                if count.starts_with('0') || !count.bytes().all(|b| b.is_ascii_digit()) {
                    return None;
                }
                let lanes: u32 = count.parse().ok()?;
                if lanes < 2 {
                    return None;
                }
                scalar(lane)?.by(lanes)
            }
        }
    }
}

impl fmt::Display for Type {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let lane = match self.lane_type() {
            I8 => "i8",
            I16 => "i16",
            I32 => "i32",
            I64 => "i64",
            I128 => "i128",
            F16 => "f16",
            F32 => "f32",
            F64 => "f64",
            F128 => "f128",
            _ => "invalid",
        };
        f.write_str(lane)?;
        if self.is_vector() { write!(f, "x{}", self.lane_count()) } else { Ok(()) }
    }
}

impl fmt::Debug for Type {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::string::ToString;

    #[test]
    fn names_round_trip() {
        for &ty in Type::all() {
            assert_eq!(Type::from_name(&ty.to_string()), Some(ty));
        }
        for bad in ["", "i", "i7", "i32x", "i32x3", "i32x1", "i32x04", "i32x4xN", "i32x512", "x4", "f80"] {
            assert_eq!(Type::from_name(bad), None, "{bad}");
        }
    }

    #[test]
    fn shapes() {
        assert_eq!(I32X4.bits(), 128);
        assert_eq!(I32X4.merge_lanes(), Some(I64X2));
        assert_eq!(I16X8.split_lanes(), Some(I8X16));
        assert_eq!(F64X2.as_truthy(), I64X2);
        assert_eq!(F64.as_truthy(), I8);
        assert_eq!(I64.half_width(), Some(I32));
        assert_eq!(I128.double_width(), None);
    }
}
