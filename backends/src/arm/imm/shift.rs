//! Shifts, rotations and ranges of bits.

use crate::machinst::imm::{immediate, named_immediate};

/// Amount of an immediate right shift: 1 to 32, where 32 is encoded as 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Amt1To32(u8);

impl Amt1To32 {
    /// The amount, or `None` if it is not 1 to 32.
    pub const fn new(amount: u32) -> Option<Amt1To32> {
        if amount >= 1 && amount <= 32 { Some(Amt1To32(amount as u8)) } else { None }
    }

    /// The amount.
    pub const fn value(self) -> u32 {
        self.0 as u32
    }
}

immediate!(
    Amt1To32,
    |amount| amount.value() & 31,
    |bits| Amt1To32::new(if bits == 0 { 32 } else { bits }),
    |amount| "#{}",
    amount.0
);

named_immediate!(
    /// Kind of a shift (A8.4.1).
    ShiftKind {
        /// Logical shift left.
        Lsl = 0 "lsl",
        /// Logical shift right.
        Lsr = 1 "lsr",
        /// Arithmetic shift right.
        Asr = 2 "asr",
        /// Rotate right.
        Ror = 3 "ror",
    }
);

/// A register operand's shift by a constant that is not nothing (A8.4.1):
/// `lsl #1..31`, `lsr #1..32`, `asr #1..32`, `ror #1..31`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct ShiftImm {
    kind: ShiftKind,
    amount: u8,
}

impl ShiftImm {
    /// `lsl #1`
    pub const LSL_1: ShiftImm = ShiftImm { kind: ShiftKind::Lsl, amount: 1 };

    /// The shift, or `None` if the amount is out of its kind's range.
    pub const fn new(kind: ShiftKind, amount: u32) -> Option<ShiftImm> {
        let max = match kind {
            ShiftKind::Lsl | ShiftKind::Ror => 31,
            ShiftKind::Lsr | ShiftKind::Asr => 32,
        };
        if amount == 0 || amount > max {
            return None;
        }
        Some(ShiftImm { kind, amount: amount as u8 })
    }

    /// The kind of shift.
    pub const fn kind(self) -> ShiftKind {
        self.kind
    }

    /// The amount.
    pub const fn amount(self) -> u32 {
        self.amount as u32
    }
}

immediate!(
    ShiftImm,
    |shift| (u32::from(shift.amount) & 31) << 2 | shift.kind.to_bits(),
    |bits| {
        let kind = ShiftKind::from_bits(bits & 3)?;
        let amount = match (kind, bits >> 2) {
            (ShiftKind::Lsr | ShiftKind::Asr, 0) => 32,
            (_, n) => n,
        };
        ShiftImm::new(kind, amount)
    },
    |shift| "{} #{}",
    shift.kind,
    shift.amount
);

/// Rotation of the byte and halfword extensions (A8.8.274): 8, 16 or 24.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Rotation(u8);

impl Rotation {
    /// The rotation in bits, or `None` if it is not 8, 16 or 24.
    pub const fn new(bits: u32) -> Option<Rotation> {
        match bits {
            8 | 16 | 24 => Some(Rotation(bits as u8)),
            _ => None,
        }
    }

    /// The rotation in bits.
    pub const fn value(self) -> u32 {
        self.0 as u32
    }
}

immediate!(
    Rotation,
    |rotation| u32::from(rotation.0 / 8),
    |bits| Rotation::new(bits * 8),
    |rotation| "ror #{}",
    rotation.0
);

/// Defines a range of bits with its own second field.
macro_rules! bit_range {
    ($(#[$doc:meta])* $name:ident, |$lsb:ident, $width:ident| $second:expr, |$low:ident, $field:ident| $back:expr) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub struct $name {
            lsb: u8,
            width: u8,
        }

        impl $name {
            /// The bits `lsb .. lsb + width`, or `None` if there are none or
            /// if they do not fit in a register.
            pub const fn new(lsb: u32, width: u32) -> Option<$name> {
                if width == 0 || lsb > 31 || width > 32 - lsb {
                    return None;
                }
                Some($name { lsb: lsb as u8, width: width as u8 })
            }

            /// Number of the lowest bit.
            pub const fn lsb(self) -> u32 {
                self.lsb as u32
            }

            /// Number of bits.
            pub const fn width(self) -> u32 {
                self.width as u32
            }
        }

        immediate!(
            $name,
            |range| {
                let ($lsb, $width) = (range.lsb(), range.width());
                $second << 5 | $lsb
            },
            |bits| {
                let ($low, $field) = (bits & 31, bits >> 5);
                $name::new($low, $back)
            },
            |range| "#{}, #{}", range.lsb, range.width
        );
    };
}

bit_range!(
    /// The bits that UBFX and SBFX extract (A8.8.246): encoded as lowest bit
    /// and width minus one.
    ExtractRange, |_lsb, width| (width - 1), |_low, field| field + 1
);
bit_range!(
    /// The bits that BFI and BFC replace (A8.8.20): encoded as lowest and
    /// highest bit.
    InsertRange, |lsb, width| (lsb + width - 1), |low, field| (field + 1).saturating_sub(low)
);
