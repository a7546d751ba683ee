//! Types by size, as the rules' preludes name them.

use windlass_ir::{Type, types};

/// A type's class. Nested, so that rules for different sizes are known not to overlap.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum TypeClass {
    /// Integers of at most 32 bits.
    UpTo32 {
        /// Which.
        class: Class32,
    },
    /// `i64`
    Int64,
    /// `i128`
    Int128,
    /// `f32`
    Float32,
    /// `f64`
    Float64,
    /// Everything else.
    Other,
}

/// Integers of at most 32 bits.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Class32 {
    /// Integers of at most 16 bits.
    UpTo16 {
        /// Which.
        class: Class16,
    },
    /// `i32`
    Int32,
}

/// Integers of at most 16 bits.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Class16 {
    /// `i8`
    Int8,
    /// `i16`
    Int16,
}

impl TypeClass {
    /// The class of `ty`.
    pub const fn of(ty: Type) -> TypeClass {
        const fn narrow(class: Class16) -> TypeClass {
            TypeClass::UpTo32 { class: Class32::UpTo16 { class } }
        }
        match ty {
            types::I8 => narrow(Class16::Int8),
            types::I16 => narrow(Class16::Int16),
            types::I32 => TypeClass::UpTo32 { class: Class32::Int32 },
            types::I64 => TypeClass::Int64,
            types::I128 => TypeClass::Int128,
            types::F32 => TypeClass::Float32,
            types::F64 => TypeClass::Float64,
            _ => TypeClass::Other,
        }
    }
}
