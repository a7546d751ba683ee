//! Lists of registers, as the instructions that load and store several name them.

use crate::arm::regs;
use crate::machinst::encode::Immediate;
use core::fmt;

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
    let name = |n: u32| regs::reg_name(regs::r(n as u8));
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
