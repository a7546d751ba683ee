//! A value outside of any function: what the interpreter computes with, and what run directives pass and expect.

use crate::immediates::{Ieee32, Ieee64};
use crate::memflags::Endianness;
use crate::types::{self, Type};

/// A scalar of the language with its type. Floats are bits, so equality is of bits: -0 and +0 differ, and a
/// NaN equals itself alone.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum DataValue {
    /// `i8`
    I8(i8),
    /// `i16`
    I16(i16),
    /// `i32`
    I32(i32),
    /// `i64`
    I64(i64),
    /// `i128`
    I128(i128),
    /// `f32`
    F32(Ieee32),
    /// `f64`
    F64(Ieee64),
    /// Any vector of 128 bits: its type, and the bytes with lane 0 first, each lane little-endian.
    V128(Type, [u8; 16]),
}

impl DataValue {
    /// The type.
    pub const fn ty(self) -> Type {
        match self {
            DataValue::I8(_) => types::I8,
            DataValue::I16(_) => types::I16,
            DataValue::I32(_) => types::I32,
            DataValue::I64(_) => types::I64,
            DataValue::I128(_) => types::I128,
            DataValue::F32(_) => types::F32,
            DataValue::F64(_) => types::F64,
            DataValue::V128(ty, _) => ty,
        }
    }

    /// The integer of type `ty` whose bits are the low bits of `bits`. `None` if `ty` is no scalar integer.
    pub const fn int(bits: i128, ty: Type) -> Option<DataValue> {
        Some(match ty {
            types::I8 => DataValue::I8(bits as i8),
            types::I16 => DataValue::I16(bits as i16),
            types::I32 => DataValue::I32(bits as i32),
            types::I64 => DataValue::I64(bits as i64),
            types::I128 => DataValue::I128(bits),
            _ => return None,
        })
    }

    /// The value of type `ty` whose bits are the low bits of `bits`; a vector's lane 0 is lowest. `None` for types
    /// without values (`f16`, `f128`, vectors of other sizes than 128 bits).
    pub const fn from_bits(bits: u128, ty: Type) -> Option<DataValue> {
        match ty {
            types::F32 => Some(DataValue::F32(Ieee32(bits as u32))),
            types::F64 => Some(DataValue::F64(Ieee64(bits as u64))),
            _ if ty.is_vector() && ty.bits() == 128 => Some(DataValue::V128(ty, bits.to_le_bytes())),
            _ => Self::int(bits as i128, ty),
        }
    }

    /// The bits, zeros above.
    pub const fn to_bits(self) -> u128 {
        match self {
            DataValue::I8(n) => n as u8 as u128,
            DataValue::I16(n) => n as u16 as u128,
            DataValue::I32(n) => n as u32 as u128,
            DataValue::I64(n) => n as u64 as u128,
            DataValue::I128(n) => n as u128,
            DataValue::F32(x) => x.bits() as u128,
            DataValue::F64(x) => x.bits() as u128,
            DataValue::V128(_, bytes) => u128::from_le_bytes(bytes),
        }
    }

    /// A scalar integer, widened with its sign.
    pub const fn as_signed(self) -> Option<i128> {
        Some(match self {
            DataValue::I8(n) => n as i128,
            DataValue::I16(n) => n as i128,
            DataValue::I32(n) => n as i128,
            DataValue::I64(n) => n as i128,
            DataValue::I128(n) => n,
            _ => return None,
        })
    }

    /// A scalar integer, widened with zeros.
    pub const fn as_unsigned(self) -> Option<u128> {
        match self {
            DataValue::F32(_) | DataValue::F64(_) | DataValue::V128(..) => None,
            int => Some(int.to_bits()),
        }
    }

    /// Writes the value to the first bytes of `out`, as memory holds it. `out` must have room for the type.
    pub fn write(self, out: &mut [u8], endianness: Endianness) {
        let n = self.ty().bytes() as usize;
        let little = self.to_bits().to_le_bytes();
        let lane = (self.ty().lane_bits() / 8) as usize;
        for (i, byte) in out[..n].iter_mut().enumerate() {
            *byte = match endianness {
                Endianness::Little => little[i],
                Endianness::Big => little[i / lane * lane + (lane - 1 - i % lane)],
            };
        }
    }

    /// Reads a value of type `ty` from the first bytes of `bytes`, which must be enough. `None` for types without
    /// values.
    pub fn read(bytes: &[u8], ty: Type, endianness: Endianness) -> Option<DataValue> {
        let n = ty.bytes() as usize;
        let lane = (ty.lane_bits() / 8) as usize;
        if n == 0 || n > 16 {
            return None;
        }
        let mut little = [0; 16];
        for (i, &byte) in bytes[..n].iter().enumerate() {
            let at = match endianness {
                Endianness::Little => i,
                Endianness::Big => i / lane * lane + (lane - 1 - i % lane),
            };
            little[at] = byte;
        }
        Self::from_bits(u128::from_le_bytes(little), ty)
    }
}
