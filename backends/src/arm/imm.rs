//! Immediate operands of A32 instructions.
//!
//! Each type holds valid values only: its constructor refuses what the
//! instruction cannot encode, so encoders only shift and or. `to_bits` and
//! `from_bits` are the field's bits in the order of the table's fields,
//! `Display` is the GNU assembler's text. Sections are those of the ARM
//! Architecture Reference Manual, DDI 0406C.

use crate::machinst::encode::{Immediate, bounded_immediate};
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

impl Immediate for Amt1To32 {
    fn to_bits(self) -> u32 {
        u32::from(self.0) & 31
    }
    fn from_bits(bits: u32) -> Option<Amt1To32> {
        Amt1To32::new(if bits == 0 { 32 } else { bits })
    }
}

impl fmt::Display for Amt1To32 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "#{}", self.0)
    }
}

/// A condition under which an instruction is executed (A8.3). "Always" is not
/// among them: an unconditional instruction is another row of the table.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum Cond {
    /// Equal: Z.
    Eq = 0,
    /// Not equal: not Z. True of an unordered float comparison.
    Ne = 1,
    /// Unsigned higher or same, carry set: C. True of unordered.
    Hs = 2,
    /// Unsigned lower, carry clear: not C.
    Lo = 3,
    /// Negative: N. Less, of floats: false of unordered.
    Mi = 4,
    /// Not negative: not N. True of unordered.
    Pl = 5,
    /// Overflow: V. Unordered, of floats.
    Vs = 6,
    /// No overflow: not V. Ordered, of floats.
    Vc = 7,
    /// Unsigned higher: C and not Z. True of unordered.
    Hi = 8,
    /// Unsigned lower or same: not C, or Z. False of unordered.
    Ls = 9,
    /// Signed greater or equal: N = V. False of unordered.
    Ge = 10,
    /// Signed less: N is not V. True of unordered.
    Lt = 11,
    /// Signed greater: not Z, and N = V. False of unordered.
    Gt = 12,
    /// Signed less or equal: Z, or N is not V. True of unordered.
    Le = 13,
}

impl Cond {
    /// All conditions, in the order of their encoding.
    pub const ALL: [Cond; 14] = [
        Cond::Eq,
        Cond::Ne,
        Cond::Hs,
        Cond::Lo,
        Cond::Mi,
        Cond::Pl,
        Cond::Vs,
        Cond::Vc,
        Cond::Hi,
        Cond::Ls,
        Cond::Ge,
        Cond::Lt,
        Cond::Gt,
        Cond::Le,
    ];

    /// The condition that holds when this one does not, for every flag value.
    pub const fn invert(self) -> Cond {
        Cond::ALL[(self as u8 ^ 1) as usize]
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

    /// The suffix of mnemonics.
    pub const fn name(self) -> &'static str {
        match self {
            Cond::Eq => "eq",
            Cond::Ne => "ne",
            Cond::Hs => "hs",
            Cond::Lo => "lo",
            Cond::Mi => "mi",
            Cond::Pl => "pl",
            Cond::Vs => "vs",
            Cond::Vc => "vc",
            Cond::Hi => "hi",
            Cond::Ls => "ls",
            Cond::Ge => "ge",
            Cond::Lt => "lt",
            Cond::Gt => "gt",
            Cond::Le => "le",
        }
    }
}

impl Immediate for Cond {
    fn to_bits(self) -> u32 {
        self as u32
    }
    fn from_bits(bits: u32) -> Option<Cond> {
        Cond::ALL.get(bits as usize).copied()
    }
}

impl fmt::Display for Cond {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
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

impl Immediate for ArmImm {
    fn to_bits(self) -> u32 {
        u32::from(self.rot) << 8 | u32::from(self.imm8)
    }
    fn from_bits(bits: u32) -> Option<ArmImm> {
        let imm = ArmImm { imm8: bits as u8, rot: (bits >> 8 & 15) as u8 };
        // Another rotation of the same value would not survive assembly.
        (ArmImm::encode(imm.value()) == Some(imm)).then_some(imm)
    }
}

impl fmt::Display for ArmImm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "#{}", self.value())
    }
}

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

impl Immediate for AdrImm {
    fn to_bits(self) -> u32 {
        self.0.to_bits()
    }
    fn from_bits(bits: u32) -> Option<AdrImm> {
        AdrImm::encode(ArmImm::from_bits(bits)?.value())
    }
}

impl fmt::Display for AdrImm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

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

/// Whether a register offset is added or subtracted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Sign {
    /// Subtracted.
    Minus,
    /// Added.
    Plus,
}

impl Immediate for Sign {
    fn to_bits(self) -> u32 {
        self as u32
    }
    fn from_bits(bits: u32) -> Option<Sign> {
        Some(if bits == 0 { Sign::Minus } else { Sign::Plus })
    }
}

impl fmt::Display for Sign {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Sign::Minus => "-",
            Sign::Plus => "",
        })
    }
}

/// Kind of a shift (A8.4.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum ShiftKind {
    /// Logical shift left.
    Lsl = 0,
    /// Logical shift right.
    Lsr = 1,
    /// Arithmetic shift right.
    Asr = 2,
    /// Rotate right.
    Ror = 3,
}

impl ShiftKind {
    const ALL: [ShiftKind; 4] = [ShiftKind::Lsl, ShiftKind::Lsr, ShiftKind::Asr, ShiftKind::Ror];
}

impl Immediate for ShiftKind {
    fn to_bits(self) -> u32 {
        self as u32
    }
    fn from_bits(bits: u32) -> Option<ShiftKind> {
        ShiftKind::ALL.get(bits as usize).copied()
    }
}

impl fmt::Display for ShiftKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            ShiftKind::Lsl => "lsl",
            ShiftKind::Lsr => "lsr",
            ShiftKind::Asr => "asr",
            ShiftKind::Ror => "ror",
        })
    }
}

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

impl Immediate for ShiftImm {
    fn to_bits(self) -> u32 {
        (u32::from(self.amount) & 31) << 2 | self.kind.to_bits()
    }
    fn from_bits(bits: u32) -> Option<ShiftImm> {
        let kind = ShiftKind::from_bits(bits & 3)?;
        let amount = match (kind, bits >> 2) {
            (ShiftKind::Lsr | ShiftKind::Asr, 0) => 32,
            (_, n) => n,
        };
        ShiftImm::new(kind, amount)
    }
}

impl fmt::Display for ShiftImm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} #{}", self.kind, self.amount)
    }
}

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

impl Immediate for Rotation {
    fn to_bits(self) -> u32 {
        u32::from(self.0 / 8)
    }
    fn from_bits(bits: u32) -> Option<Rotation> {
        Rotation::new(bits * 8)
    }
}

impl fmt::Display for Rotation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ror #{}", self.0)
    }
}

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

        impl Immediate for $name {
            fn to_bits(self) -> u32 {
                let ($lsb, $width) = (self.lsb(), self.width());
                $second << 5 | $lsb
            }
            fn from_bits(bits: u32) -> Option<$name> {
                let ($low, $field) = (bits & 31, bits >> 5);
                $name::new($low, $back)
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "#{}, #{}", self.lsb, self.width)
            }
        }
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

/// Defines a set of core registers.
macro_rules! reg_list {
    ($(#[$doc:meta])* $name:ident, min $min:literal, never $never:literal) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub struct $name(u16);

        impl $name {
            /// The list of the registers whose bits are set, or `None` if they
            /// are too few or one is not allowed.
            pub const fn new(registers: u16) -> Option<$name> {
                if registers.count_ones() >= $min && disjoint(registers, $never) { Some($name(registers)) } else { None }
            }

            /// The registers as bits.
            pub const fn registers(self) -> u16 {
                self.0
            }

            /// Is register `number` in the list?
            pub const fn contains_number(self, number: u32) -> bool {
                self.0 as u32 >> number & 1 != 0
            }
        }

        impl Immediate for $name {
            fn to_bits(self) -> u32 {
                self.0.into()
            }
            fn from_bits(bits: u32) -> Option<$name> {
                $name::new(bits as u16)
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write_list(f, self.0)
            }
        }
    };
}

reg_list!(
    /// The registers of LDM and STM: at least one.
    RegList, min 1, never 0
);
reg_list!(
    /// The registers of PUSH and POP: at least two, as one has another
    /// encoding (A8.8.133), and not SP.
    PushList, min 2, never 0x2000
);

/// Have two sets of registers nothing in common?
const fn disjoint(a: u16, b: u16) -> bool {
    a & b == 0
}

/// `{r0, r4-r7, lr}`.
fn write_list(f: &mut fmt::Formatter<'_>, list: u16) -> fmt::Result {
    let name = |n: u32| super::regs::reg_name(super::regs::r(n as u8));
    let mut separator = "{";
    let mut n = 0;
    while n < 16 {
        if list >> n & 1 == 0 {
            n += 1;
            continue;
        }
        // Ranges only among r0-r11: `ip-lr` would read badly.
        let run = if n < 12 { (u32::from(list & 0xfff) >> n).trailing_ones() } else { 1 };
        match run {
            0..=2 => write!(f, "{separator}{}", name(n))?,
            _ => write!(f, "{separator}{}-{}", name(n), name(n + run - 1))?,
        }
        separator = ", ";
        n += if run > 2 { run } else { 1 };
    }
    f.write_str("}")
}

/// Defines a run of consecutive floating-point registers.
macro_rules! vfp_list {
    ($(#[$doc:meta])* $name:ident, max $max:literal, words $words:literal, prefix $prefix:literal) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub struct $name {
            first: u8,
            count: u8,
        }

        impl $name {
            /// Words that a register takes.
            pub const WORDS: u32 = $words;

            /// `count` registers from number `first` up, or `None` if there
            /// are none, too many, or not so many registers.
            pub const fn new(first: u32, count: u32) -> Option<$name> {
                if first > 31 || count == 0 || count > $max || first + count > 32 {
                    return None;
                }
                Some($name { first: first as u8, count: count as u8 })
            }

            /// Number of the first register.
            pub const fn first(self) -> u32 {
                self.first as u32
            }

            /// Number of registers.
            pub const fn count(self) -> u32 {
                self.count as u32
            }
        }

        impl Immediate for $name {
            fn to_bits(self) -> u32 {
                (self.count() * Self::WORDS) << 5 | self.first()
            }
            fn from_bits(bits: u32) -> Option<$name> {
                let words = bits >> 5;
                if !words.is_multiple_of(Self::WORDS) {
                    return None;
                }
                $name::new(bits & 31, words / Self::WORDS)
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                match self.count {
                    1 => write!(f, concat!("{{", $prefix, "{}}}"), self.first),
                    n => {
                        let last = self.first + n - 1;
                        write!(f, concat!("{{", $prefix, "{}-", $prefix, "{}}}"), self.first, last)
                    }
                }
            }
        }
    };
}

vfp_list!(
    /// Consecutive single-precision registers of VLDM and VSTM: 1 to 32.
    SRegList, max 32, words 1, prefix "s"
);
vfp_list!(
    /// Consecutive double-precision registers of VLDM and VSTM: 1 to 16.
    DRegList, max 16, words 2, prefix "d"
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

impl Immediate for VfpImm {
    fn to_bits(self) -> u32 {
        self.0.into()
    }
    fn from_bits(bits: u32) -> Option<VfpImm> {
        Some(VfpImm(bits as u8))
    }
}

impl fmt::Display for VfpImm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // `{:?}` keeps the decimal point, without which assemblers see bits.
        write!(f, "#{:?}", f32::from_bits(self.f32_bits()))
    }
}

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

impl Immediate for BranchOffset {
    fn to_bits(self) -> u32 {
        ((self.0 - 8) >> 2) as u32 & 0x00ff_ffff
    }
    fn from_bits(bits: u32) -> Option<BranchOffset> {
        BranchOffset::new(((bits << 8) as i32 >> 6) + 8)
    }
}

impl fmt::Display for BranchOffset {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, ".{:+}", self.0)
    }
}

/// What a data barrier orders (A8.8.43).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum Barrier {
    /// Full system, all accesses: what the IR's fence means.
    Sy = 15,
    /// Full system, stores only.
    St = 14,
    /// Inner shareable domain.
    Ish = 11,
    /// Inner shareable domain, stores only.
    Ishst = 10,
}

impl Immediate for Barrier {
    fn to_bits(self) -> u32 {
        self as u32
    }
    fn from_bits(bits: u32) -> Option<Barrier> {
        Some(match bits {
            15 => Barrier::Sy,
            14 => Barrier::St,
            11 => Barrier::Ish,
            10 => Barrier::Ishst,
            _ => return None,
        })
    }
}

impl fmt::Display for Barrier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Barrier::Sy => "sy",
            Barrier::St => "st",
            Barrier::Ish => "ish",
            Barrier::Ishst => "ishst",
        })
    }
}

#[cfg(test)]
mod tests;
