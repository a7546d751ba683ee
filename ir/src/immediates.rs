//! Constants that instructions hold. Their text is in [`text`](crate::text).

/// An integer of up to 64 bits; users look at as many low bits as their type has.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, PartialOrd, Ord)]
#[repr(Rust, packed(4))]
pub struct Imm64(pub i64);

impl Imm64 {
    /// The number.
    pub const fn get(self) -> i64 {
        self.0
    }

    /// The low `bits` bits (1 to 64), widened with their sign.
    pub const fn sign_extended(self, bits: u32) -> i64 {
        debug_assert!(bits >= 1 && bits <= 64, "an immediate has 1 to 64 bits");
        let shift = 64 - bits;
        ({ self.0 } << shift) >> shift
    }

    /// The low `bits` bits (1 to 64), widened with zeros.
    pub const fn zero_extended(self, bits: u32) -> u64 {
        debug_assert!(bits >= 1 && bits <= 64, "an immediate has 1 to 64 bits");
        let shift = 64 - bits;
        ({ self.0 } as u64) << shift >> shift
    }
}

impl From<i64> for Imm64 {
    fn from(n: i64) -> Imm64 {
        Imm64(n)
    }
}

/// The byte offset of a memory access.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, PartialOrd, Ord, Default)]
pub struct Offset32(pub i32);

impl From<i32> for Offset32 {
    fn from(n: i32) -> Offset32 {
        Offset32(n)
    }
}

impl From<Offset32> for i64 {
    fn from(n: Offset32) -> i64 {
        n.0.into()
    }
}

/// The bits of a binary16 float. Compared as bits.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Ieee16(pub u16);

/// The bits of a binary32 float. Compared as bits: -0 and +0 differ, a NaN equals itself.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Ieee32(pub u32);

/// The bits of a binary64 float. Compared as bits: -0 and +0 differ, a NaN equals itself.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[repr(Rust, packed(4))]
pub struct Ieee64(pub u64);

impl Ieee64 {
    /// The bits.
    pub const fn bits(self) -> u64 {
        self.0
    }

    /// The number.
    pub const fn to_f64(self) -> f64 {
        f64::from_bits(self.0)
    }
}

impl Ieee32 {
    /// The bits.
    pub const fn bits(self) -> u32 {
        self.0
    }

    /// The number.
    pub const fn to_f32(self) -> f32 {
        f32::from_bits(self.0)
    }
}

impl From<f32> for Ieee32 {
    fn from(x: f32) -> Ieee32 {
        Ieee32(x.to_bits())
    }
}

impl From<f64> for Ieee64 {
    fn from(x: f64) -> Ieee64 {
        Ieee64(x.to_bits())
    }
}
