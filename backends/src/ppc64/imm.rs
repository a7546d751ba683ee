//! Immediate operands of PowerPC instructions.
//!
//! Each type holds valid values only: its constructor refuses what the
//! instruction cannot encode, so encoders only shift and or. `to_bits` and
//! `from_bits` are the field's bits in the order of the table's fields,
//! `Display` is the GNU assembler's text. Sections are those of the Power ISA,
//! version 3.1B, Book I.

use crate::machinst::encode::{Immediate, WideImmediate};
use crate::machinst::imm::{bounded_immediate, immediate, named_immediate};
use core::fmt;

bounded_immediate!(
    /// An unsigned number of 16 bits: UI.
    Uimm16, u16, 0..=0xffff, bias 0, prefix ""
);
bounded_immediate!(
    /// A bit number or shift amount of a word: SH, MB, ME.
    Uimm5, u8, 0..=31, bias 0, prefix ""
);
bounded_immediate!(
    /// A bit number or shift amount of a doubleword: SH, MB, ME.
    Uimm6, u8, 0..=63, bias 0, prefix ""
);
bounded_immediate!(
    /// A set of eight fields of the status and control register: FLM.
    Uimm8, u8, 0..=255, bias 0, prefix ""
);

/// Numbers of which the low bits are taken, all that there are.
macro_rules! from_low {
    ($($name:ident, $mask:literal;)*) => {
        $(
            impl $name {
                /// Zero.
                pub const ZERO: $name = $name::from_low(0);

                /// The number that the low bits of `value` are.
                pub const fn from_low(value: u32) -> $name {
                    match $name::new(value & $mask) {
                        Some(number) => number,
                        None => unreachable!(),
                    }
                }
            }
        )*
    };
}

from_low! {
    Uimm16, 0xffff;
    Uimm5, 31;
    Uimm6, 63;
}

/// Defines a signed number of `width` bits times `scale`.
macro_rules! signed {
    ($(#[$doc:meta])* $name:ident, $ty:ty, width $width:literal, scale $scale:literal, $format:literal) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name($ty);

        impl $name {
            /// Zero.
            pub const ZERO: $name = $name(0);

            /// The number, or `None` if it is out of range or no multiple of the scale.
            pub const fn new(value: i64) -> Option<$name> {
                let limit = $scale << ($width - 1);
                if value >= -limit && value < limit && is_multiple(value, $scale) {
                    Some($name(value as $ty))
                } else {
                    None
                }
            }

            /// The number.
            pub const fn value(self) -> i64 {
                self.0 as i64
            }
        }

        immediate!(
            $name,
            |number| (number.value() / $scale) as u32 & (u32::MAX >> (32 - $width)),
            |bits| {
                let signed = (bits << (32 - $width)) as i32 >> (32 - $width);
                $name::new(i64::from(signed) * $scale)
            },
            |number| $format, number.0
        );
    };
}

signed!(
    /// A signed number of 16 bits: SI, and D, the displacement of most accesses.
    Simm16, i16, width 16, scale 1, "{}"
);
signed!(
    /// A displacement of the DS form: a multiple of 4.
    DsOffset, i16, width 14, scale 4, "{}"
);
signed!(
    /// A displacement of the DQ form: a multiple of 16.
    DqOffset, i16, width 12, scale 16, "{}"
);
signed!(
    /// The distance from an unconditional branch to its target: LI.
    BranchOffset, i32, width 24, scale 4, ".{:+}"
);
signed!(
    /// The distance from a conditional branch to its target: BD.
    CondBranchOffset, i32, width 14, scale 4, ".{:+}"
);

/// Is `value` a multiple of `scale`?
const fn is_multiple(value: i64, scale: i64) -> bool {
    value % scale == 0
}

/// A signed number of 34 bits, in a prefixed instruction.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Simm34(i64);

impl Simm34 {
    /// Zero.
    pub const ZERO: Simm34 = Simm34(0);

    /// The number, or `None` if it is out of range.
    pub const fn new(value: i64) -> Option<Simm34> {
        if value >= -(1 << 33) && value < 1 << 33 { Some(Simm34(value)) } else { None }
    }

    /// The number.
    pub const fn value(self) -> i64 {
        self.0
    }
}

impl WideImmediate for Simm34 {
    fn to_bits(self) -> u64 {
        self.0 as u64 & 0x3_ffff_ffff
    }
    fn from_bits(bits: u64) -> Option<Simm34> {
        Simm34::new((bits << 30) as i64 >> 30)
    }
}

impl fmt::Display for Simm34 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}

/// Any 32 bits: the immediate of instructions with a prefix.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Uimm32(u32);

impl Uimm32 {
    /// The bits.
    pub const fn new(bits: u32) -> Uimm32 {
        Uimm32(bits)
    }
}

immediate!(Uimm32, |imm| imm.0, |bits| Some(Uimm32(bits)), |imm| "{}", imm.0);

named_immediate!(
    /// A bit of a condition register field (2.3.1).
    CrBit {
        /// Less; the result of a record form is negative.
        Lt = 0 "lt",
        /// Greater; positive.
        Gt = 1 "gt",
        /// Equal; zero.
        Eq = 2 "eq",
        /// Unordered, after a comparison of floats; else the summary overflow bit.
        So = 3 "so",
    }
);

/// A condition on a condition register field: one of its bits is set, or not
/// (2.4, BO and the low bits of BI).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Cond {
    /// The bit.
    pub bit: CrBit,
    /// Must it be set?
    pub set: bool,
}

impl Cond {
    /// Less.
    pub const LT: Cond = Cond { bit: CrBit::Lt, set: true };
    /// Not less. True of unordered.
    pub const GE: Cond = Cond { bit: CrBit::Lt, set: false };
    /// Greater.
    pub const GT: Cond = Cond { bit: CrBit::Gt, set: true };
    /// Not greater. True of unordered.
    pub const LE: Cond = Cond { bit: CrBit::Gt, set: false };
    /// Equal.
    pub const EQ: Cond = Cond { bit: CrBit::Eq, set: true };
    /// Not equal. True of unordered.
    pub const NE: Cond = Cond { bit: CrBit::Eq, set: false };
    /// Unordered, or overflow.
    pub const SO: Cond = Cond { bit: CrBit::So, set: true };
    /// Ordered, or no overflow.
    pub const NS: Cond = Cond { bit: CrBit::So, set: false };

    /// The condition that holds when this one does not.
    pub const fn invert(self) -> Cond {
        Cond { bit: self.bit, set: !self.set }
    }

    /// The suffix of mnemonics.
    pub const fn name(self) -> &'static str {
        match (self.bit, self.set) {
            (CrBit::Lt, true) => "lt",
            (CrBit::Lt, false) => "ge",
            (CrBit::Gt, true) => "gt",
            (CrBit::Gt, false) => "le",
            (CrBit::Eq, true) => "eq",
            (CrBit::Eq, false) => "ne",
            (CrBit::So, true) => "so",
            (CrBit::So, false) => "ns",
        }
    }
}

immediate!(
    Cond,
    |cond| cond.bit.to_bits() | u32::from(cond.set) << 2,
    |bits| Some(Cond { bit: CrBit::from_bits(bits & 3)?, set: bits >> 2 & 1 != 0 }),
    |cond| "{}",
    cond.name()
);

/// When a trap instruction traps (3.3.11, TO): any of five relations between
/// its operands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct TrapCond(u8);

impl TrapCond {
    /// Equal.
    pub const EQ: TrapCond = TrapCond(4);
    /// Not equal.
    pub const NE: TrapCond = TrapCond(24);
    /// Less, of signed numbers.
    pub const LT: TrapCond = TrapCond(16);
    /// Greater, of signed numbers.
    pub const GT: TrapCond = TrapCond(8);
    /// Less, of unsigned numbers.
    pub const LTU: TrapCond = TrapCond(2);
    /// Greater, of unsigned numbers.
    pub const GTU: TrapCond = TrapCond(1);

    /// Always: one of the relations holds.
    pub const ALWAYS: TrapCond = TrapCond(31);

    /// The relations as bits: from bit 4 down signed less, signed greater,
    /// equal, unsigned less, unsigned greater. `None` beyond them.
    pub const fn new(bits: u32) -> Option<TrapCond> {
        if bits < 32 { Some(TrapCond(bits as u8)) } else { None }
    }

    /// Either of two conditions.
    pub const fn or(self, other: TrapCond) -> TrapCond {
        TrapCond(self.0 | other.0)
    }
}

immediate!(TrapCond, |cond| cond.0.into(), |bits| TrapCond::new(bits), |cond| "{}", cond.0);

/// Several fields of the condition register, `cr0` in the most significant
/// bit: FXM. At least two, as one has an instruction of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct CrMask(u8);

impl CrMask {
    /// All fields.
    pub const ALL: CrMask = CrMask(0xff);

    /// The fields whose bits are set, or `None` if they are too few.
    pub const fn new(mask: u32) -> Option<CrMask> {
        if mask < 256 && mask.count_ones() > 1 { Some(CrMask(mask as u8)) } else { None }
    }
}

immediate!(CrMask, |mask| mask.0.into(), |bits| CrMask::new(bits), |mask| "{}", mask.0);

/// One field of the condition register, encoded as a bit of FXM.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct CrField(u8);

impl CrField {
    /// Field `n`, or `None` if it is not below 8.
    pub const fn new(n: u32) -> Option<CrField> {
        if n < 8 { Some(CrField(n as u8)) } else { None }
    }

    /// The field's number.
    pub const fn number(self) -> u32 {
        self.0 as u32
    }
}

immediate!(
    CrField,
    |field| 0x80 >> field.0,
    |bits| {
        if bits.count_ones() == 1 { CrField::new(bits.leading_zeros().checked_sub(24)?) } else { None }
    },
    |field| "{}",
    field.to_bits()
);

/// The mask of a rotation of words: ones from bit `mb` to bit `me`, numbered
/// from the most significant; around the end if `mb` is above `me`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct WordMask {
    /// First bit.
    pub mb: Uimm5,
    /// Last bit.
    pub me: Uimm5,
}

impl WordMask {
    /// The run of ones that `mask` is, or `None` if it is none.
    pub const fn new(mask: u32) -> Option<WordMask> {
        if mask == 0 {
            return None;
        }
        let around = mask & 1 != 0 && mask >> 31 != 0 && mask != u32::MAX;
        let ones = if around { !mask } else { mask };
        let (first, last) = (ones.leading_zeros(), 31 - ones.trailing_zeros());
        if ones.count_ones() != last + 1 - first {
            return None;
        }
        let (mb, me) = if around { (last + 1, first - 1) } else { (first, last) };
        match (Uimm5::new(mb), Uimm5::new(me)) {
            (Some(mb), Some(me)) => Some(WordMask { mb, me }),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn signed_numbers_are_in_range_and_multiples() {
        assert_eq!(Simm16::new(-32768).map(Simm16::to_bits), Some(0x8000));
        assert_eq!((Simm16::new(32768), Simm16::new(-32769)), (None, None));
        assert_eq!(DsOffset::new(-4).map(DsOffset::to_bits), Some(0x3fff));
        assert_eq!((DsOffset::new(6), DsOffset::new(32768)), (None, None));
        assert_eq!(DsOffset::new(32764).map(DsOffset::to_bits), Some(0x1fff));
        assert_eq!((DqOffset::new(8), DqOffset::new(-16).map(DqOffset::to_bits)), (None, Some(0xfff)));
        assert_eq!(BranchOffset::new(-(1 << 25)).map(BranchOffset::to_bits), Some(1 << 23));
        assert_eq!(BranchOffset::new(1 << 25), None);
        assert_eq!((CondBranchOffset::new(32764).is_some(), CondBranchOffset::new(32768)), (true, None));
        assert_eq!(Simm34::new(-1).map(Simm34::to_bits), Some(0x3_ffff_ffff));
        assert_eq!((Simm34::new(1 << 33), Simm34::new(-(1 << 33)).is_some()), (None, true));
        for bits in [0, 1, 0x1fff, 0x2000, 0x3fff] {
            assert_eq!(DsOffset::from_bits(bits).map(DsOffset::to_bits), Some(bits));
        }
    }

    #[test]
    fn masks_are_runs_of_ones() {
        let run = |mask| WordMask::new(mask).map(|m| (m.mb.value(), m.me.value()));
        assert_eq!(run(0xffff_ffff), Some((0, 31)));
        assert_eq!(run(0x0000_ff00), Some((16, 23)));
        assert_eq!(run(0x8000_0000), Some((0, 0)));
        assert_eq!(run(0xf000_000f), Some((28, 3)));
        assert_eq!(run(0xffff_fffe), Some((0, 30)));
        assert_eq!((run(0), run(5), run(0xf00f_000f)), (None, None, None));
        // Against the definition, for every run.
        for mb in 0..32u32 {
            for me in 0..32u32 {
                let one = |bit: u32| if mb <= me { (mb..=me).contains(&bit) } else { bit >= mb || bit <= me };
                let mask = (0..32).filter(|&bit| one(bit)).fold(0u32, |m, bit| m | 0x8000_0000 >> bit);
                let canonical = if mask == u32::MAX { (0, 31) } else { (mb, me) };
                assert_eq!(run(mask), Some(canonical));
            }
        }
    }

    #[test]
    fn conditions_invert() {
        for bits in 0..8 {
            let cond = Cond::from_bits(bits).expect("eight conditions");
            assert_eq!(cond.to_bits(), bits);
            assert_eq!(cond.invert().to_bits(), bits ^ 4);
        }
    }

    #[test]
    fn fields_of_the_condition_register() {
        assert_eq!(CrField::new(0).map(CrField::to_bits), Some(0x80));
        assert_eq!(CrField::from_bits(1).map(CrField::number), Some(7));
        assert_eq!((CrField::from_bits(3), CrField::from_bits(0), CrField::new(8)), (None, None, None));
        assert_eq!((CrMask::new(0x80), CrMask::new(0x81).is_some()), (None, true));
    }
}
