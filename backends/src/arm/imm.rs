//! Immediate operands of A32 instructions.
//!
//! Each type holds valid values only: its constructor refuses what the
//! instruction cannot encode, so encoders only shift and or. `to_bits` and
//! `from_bits` are the field's bits in the order of the table's fields,
//! `Display` is the GNU assembler's text. Sections are those of the ARM
//! Architecture Reference Manual, DDI 0406C.

mod list;
mod shift;

pub use list::*;
pub use shift::*;

use crate::machinst::encode::Immediate;
use crate::machinst::imm::{bounded_immediate, immediate, named_immediate};
use core::fmt;

/// A constant that the table's type takes.
macro_rules! known {
    ($value:expr) => {
        const {
            match $value {
                Some(value) => value,
                None => panic!("not encodable"),
            }
        }
    };
}
pub(super) use known;

bounded_immediate!(
    /// The 16 bits of MOVW and MOVT (A8.8.102).
    Imm16, u16, 0..=0xffff, bias 0, prefix "#"
);
bounded_immediate!(
    /// The payload of UDF and BKPT: 16 bits that the processor ignores.
    TrapCode16, u16, 0..=0xffff, bias 0, prefix "#"
);
bounded_immediate!(
    /// The number of SVC: 24 bits that the processor ignores.
    Imm24, u32, 0..=0x00ff_ffff, bias 0, prefix "#"
);
bounded_immediate!(
    /// Amount of an immediate left shift or rotation: 1 to 31. (A shift by
    /// nothing is MOV, a rotation by nothing RRX.)
    Amt1To31, u8, 1..=31, bias 0, prefix "#"
);
bounded_immediate!(
    /// Width in bits of a signed saturation (SSAT): 1 to 32.
    SignedSat, u8, 1..=32, bias 1, prefix "#"
);
bounded_immediate!(
    /// Width in bits of an unsigned saturation (USAT): 0 to 31.
    UnsignedSat, u8, 0..=31, bias 0, prefix "#"
);

named_immediate!(
    /// A condition under which an instruction is executed (A8.3). "Always" is not
    /// among them: an unconditional instruction is another row of the table.
    Cond {
        /// Equal: Z.
        Eq = 0 "eq",
        /// Not equal: not Z. True of an unordered float comparison.
        Ne = 1 "ne",
        /// Unsigned higher or same, carry set: C. True of unordered.
        Hs = 2 "hs",
        /// Unsigned lower, carry clear: not C.
        Lo = 3 "lo",
        /// Negative: N. Less, of floats: false of unordered.
        Mi = 4 "mi",
        /// Not negative: not N. True of unordered.
        Pl = 5 "pl",
        /// Overflow: V. Unordered, of floats.
        Vs = 6 "vs",
        /// No overflow: not V. Ordered, of floats.
        Vc = 7 "vc",
        /// Unsigned higher: C and not Z. True of unordered.
        Hi = 8 "hi",
        /// Unsigned lower or same: not C, or Z. False of unordered.
        Ls = 9 "ls",
        /// Signed greater or equal: N = V. False of unordered.
        Ge = 10 "ge",
        /// Signed less: N is not V. True of unordered.
        Lt = 11 "lt",
        /// Signed greater: not Z, and N = V. False of unordered.
        Gt = 12 "gt",
        /// Signed less or equal: Z, or N is not V. True of unordered.
        Le = 13 "le",
    }
);

impl Cond {
    /// The condition that holds when this one does not, for every flag value.
    pub const fn invert(self) -> Cond {
        match self {
            Cond::Eq => Cond::Ne,
            Cond::Ne => Cond::Eq,
            Cond::Hs => Cond::Lo,
            Cond::Lo => Cond::Hs,
            Cond::Mi => Cond::Pl,
            Cond::Pl => Cond::Mi,
            Cond::Vs => Cond::Vc,
            Cond::Vc => Cond::Vs,
            Cond::Hi => Cond::Ls,
            Cond::Ls => Cond::Hi,
            Cond::Ge => Cond::Lt,
            Cond::Lt => Cond::Ge,
            Cond::Gt => Cond::Le,
            Cond::Le => Cond::Gt,
        }
    }

    /// The condition that holds of `b, a` when this one holds of `a, b`, for
    /// the flags of an integer comparison. `None` for those that do not
    /// compare (`mi`, `pl`, `vs`, `vc`).
    pub const fn swap_operands(self) -> Option<Cond> {
        Some(match self {
            Cond::Eq => Cond::Eq,
            Cond::Ne => Cond::Ne,
            Cond::Hs => Cond::Ls,
            Cond::Lo => Cond::Hi,
            Cond::Hi => Cond::Lo,
            Cond::Ls => Cond::Hs,
            Cond::Ge => Cond::Le,
            Cond::Lt => Cond::Gt,
            Cond::Gt => Cond::Lt,
            Cond::Le => Cond::Ge,
            Cond::Mi | Cond::Pl | Cond::Vs | Cond::Vc => return None,
        })
    }
}

/// A modified immediate (A5.2.4): 8 bits rotated right by an even amount.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct ArmImm {
    imm8: u8,
    /// Half of the rotation.
    rot: u8,
}

impl ArmImm {
    /// The encoding of `value` with the smallest rotation, as assemblers
    /// choose it, or `None` if it has none.
    pub const fn encode(value: u32) -> Option<ArmImm> {
        let mut rot = 0;
        while rot < 16 {
            let v = value.rotate_left(2 * rot);
            if v <= 0xff {
                return Some(ArmImm { imm8: v as u8, rot: rot as u8 });
            }
            rot += 1;
        }
        None
    }

    /// A number below 256: every one has an encoding.
    pub const fn from_byte(value: u8) -> ArmImm {
        ArmImm { imm8: value, rot: 0 }
    }

    /// The value.
    pub const fn value(self) -> u32 {
        (self.imm8 as u32).rotate_right(2 * self.rot as u32)
    }
}

impl TrapCode16 {
    /// No payload.
    pub const ZERO: TrapCode16 = TrapCode16(0);
}

immediate!(
    ArmImm,
    |imm| u32::from(imm.rot) << 8 | u32::from(imm.imm8),
    |bits| {
        let imm = ArmImm { imm8: bits as u8, rot: (bits >> 8 & 15) as u8 };
        // Another rotation of the same value would not survive assembly.
        (ArmImm::encode(imm.value()) == Some(imm)).then_some(imm)
    },
    |imm| "#{}",
    imm.value()
);

/// Distance that ADR adds to or subtracts from PC (A8.8.12): a modified
/// immediate below 2^31.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct AdrImm(ArmImm);

impl AdrImm {
    /// The encoding of `distance`, or `None` if it has none.
    pub const fn encode(distance: u32) -> Option<AdrImm> {
        match ArmImm::encode(distance) {
            Some(imm) if distance >> 31 == 0 => Some(AdrImm(imm)),
            _ => None,
        }
    }

    /// The distance in bytes.
    pub const fn value(self) -> u32 {
        self.0.value()
    }
}

immediate!(
    AdrImm,
    |distance| distance.0.to_bits(),
    |bits| AdrImm::encode(ArmImm::from_bits(bits)?.value()),
    |distance| "{}",
    distance.0
);

/// Defines a byte offset of a load or store, a magnitude and an add/subtract
/// bit above it. `{:#}` prints `, #8` for use inside brackets, nothing for 0.
macro_rules! offset {
    ($(#[$doc:meta])* $name:ident, max $max:literal, scale $scale:literal, width $width:literal) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(i16);

        impl $name {
            /// The offset is a multiple of this many bytes.
            pub const SCALE: u32 = $scale;

            /// No offset.
            pub const ZERO: $name = $name(0);

            /// The offset in bytes, or `None` if it cannot be encoded.
            pub const fn new(offset: i32) -> Option<$name> {
                let scale = Self::SCALE as i32;
                if offset >= -$max && offset <= $max && offset % scale == 0 {
                    Some($name(offset as i16))
                } else {
                    None
                }
            }

            /// The offset in bytes.
            pub const fn value(self) -> i32 {
                self.0 as i32
            }
        }

        impl Immediate for $name {
            fn to_bits(self) -> u32 {
                let up = u32::from(self.0 >= 0) << $width;
                up | u32::from(self.0.unsigned_abs()) / Self::SCALE
            }
            fn from_bits(bits: u32) -> Option<$name> {
                let magnitude = ((bits & ((1 << $width) - 1)) * Self::SCALE) as i32;
                match bits >> $width & 1 {
                    1 => $name::new(magnitude),
                    // Minus zero exists, and means zero.
                    _ if magnitude == 0 => None,
                    _ => $name::new(-magnitude),
                }
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                match (f.alternate(), self.0) {
                    (true, 0) => Ok(()),
                    (true, n) => write!(f, ", #{n}"),
                    (false, n) => write!(f, "#{n}"),
                }
            }
        }
    };
}

offset!(
    /// Offset of LDR, STR, LDRB, STRB (A8.8.63): -4095 to 4095 bytes.
    Offset12, max 4095, scale 1, width 12
);
offset!(
    /// Offset of LDR into PC (A8.8.64): -4092 to 4092 bytes, a multiple of 4.
    WordOffset, max 4092, scale 4, width 10
);
offset!(
    /// Offset of the halfword, signed and doubleword accesses (A8.8.80): -255
    /// to 255 bytes.
    Offset8, max 255, scale 1, width 8
);
offset!(
    /// Offset of VLDR and VSTR (A8.8.333): -1020 to 1020 bytes, a multiple of 4.
    VfpOffset, max 1020, scale 4, width 8
);

named_immediate!(
    /// Whether a register offset is added or subtracted.
    Sign {
        /// Subtracted.
        Minus = 0 "-",
        /// Added.
        Plus = 1 "",
    }
);

/// A constant of VMOV (A7.5.1): ±(16…31)/16 × 2^(-3…4), in 8 bits, the same
/// for both precisions.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct VfpImm(u8);

impl VfpImm {
    /// The encoding of the double with these bits, or `None` if it has none.
    pub const fn from_f64_bits(bits: u64) -> Option<VfpImm> {
        // aBbb_bbbb_bbcd_efgh followed by zeros, where B is not b.
        let imm = (bits >> 56 & 0x80) | (bits >> 48 & 0x7f);
        let imm = VfpImm(imm as u8);
        if imm.f64_bits() == bits { Some(imm) } else { None }
    }

    /// The encoding of the single with these bits, or `None` if it has none.
    pub const fn from_f32_bits(bits: u32) -> Option<VfpImm> {
        let imm = (bits >> 24 & 0x80) | (bits >> 19 & 0x7f);
        let imm = VfpImm(imm as u8);
        if imm.f32_bits() == bits { Some(imm) } else { None }
    }

    /// The bits of the double that VMOV.F64 makes of it.
    pub const fn f64_bits(self) -> u64 {
        let imm = self.0 as u64;
        let b = imm >> 6 & 1;
        let exponent = (b ^ 1) << 10 | (b * 0xff) << 2 | (imm >> 4 & 3);
        (imm >> 7) << 63 | exponent << 52 | (imm & 15) << 48
    }

    /// The bits of the single that VMOV.F32 makes of it.
    pub const fn f32_bits(self) -> u32 {
        let imm = self.0 as u32;
        let b = imm >> 6 & 1;
        let exponent = (b ^ 1) << 7 | (b * 0x1f) << 2 | (imm >> 4 & 3);
        (imm >> 7) << 31 | exponent << 23 | (imm & 15) << 19
    }
}

// `{:?}` keeps the decimal point, without which assemblers see bits.
immediate!(
    VfpImm,
    |imm| imm.0.into(),
    |bits| Some(VfpImm(bits as u8)),
    |imm| "#{:?}",
    f32::from_bits(imm.f32_bits())
);

/// Distance of a branch (A8.8.18), in bytes from the branch's own address: a
/// multiple of 4 within ±32 MiB of the address + 8.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct BranchOffset(i32);

impl BranchOffset {
    /// The branch to itself, to be patched.
    pub const ZERO: BranchOffset = BranchOffset(0);

    /// The distance from the branch's own address to its target, or `None` if
    /// it is out of reach.
    pub const fn new(from_branch: i32) -> Option<BranchOffset> {
        let Some(encoded) = from_branch.checked_sub(8) else {
            return None;
        };
        if encoded % 4 != 0 || encoded < -(1 << 25) || encoded >= 1 << 25 {
            return None;
        }
        Some(BranchOffset(from_branch))
    }

    /// The distance from the branch's own address to its target, in bytes.
    pub const fn value(self) -> i32 {
        self.0
    }
}

immediate!(
    BranchOffset,
    |distance| ((distance.0 - 8) >> 2) as u32 & 0x00ff_ffff,
    |bits| BranchOffset::new(((bits << 8) as i32 >> 6) + 8),
    |distance| ".{:+}",
    distance.0
);

named_immediate!(
    /// What a data barrier orders (A8.8.43).
    Barrier {
        /// Full system, all accesses: what the IR's fence means.
        Sy = 15 "sy",
        /// Full system, stores only.
        St = 14 "st",
        /// Inner shareable domain.
        Ish = 11 "ish",
        /// Inner shareable domain, stores only.
        Ishst = 10 "ishst",
    }
);

#[cfg(test)]
mod tests;
