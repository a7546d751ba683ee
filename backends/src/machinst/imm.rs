//! Kinds of immediates that every machine has some of: macros that define a type which holds valid values only, with its
//! bits and its text. See [`Immediate`](super::encode::Immediate).

/// Makes a type an immediate: its bits, the value that bits hold if they are valid, and its text as `write!` takes it.
macro_rules! immediate {
    ($name:ident, |$imm:ident| $to_bits:expr, |$bits:ident| $from_bits:expr, |$shown:ident| $($text:tt)*) => {
        impl $crate::machinst::encode::Immediate for $name {
            fn to_bits(self) -> u32 {
                let $imm = self;
                $to_bits
            }
            fn from_bits($bits: u32) -> Option<$name> {
                $from_bits
            }
        }

        impl core::fmt::Display for $name {
            fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
                let $shown = *self;
                write!(f, $($text)*)
            }
        }
    };
}
pub(crate) use immediate;

/// Defines an immediate, a number from `$min` to `$max`, encoded as the number minus `$min` or, with `bias 0`, as
/// itself; printed behind `$prefix`.
macro_rules! bounded_immediate {
    ($(#[$doc:meta])* $name:ident, $ty:ty, $min:literal ..= $max:literal, bias $bias:literal, prefix $prefix:literal) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name($ty);

        impl $name {
            /// The immediate, or `None` if `value` is out of range.
            pub const fn new(value: u32) -> Option<$name> {
                // One comparison also where the minimum is 0.
                let (min, max): (u32, u32) = ($min, $max);
                if value.wrapping_sub(min) <= max - min { Some($name(value as $ty)) } else { None }
            }

            /// The value.
            pub const fn value(self) -> u32 {
                self.0 as u32
            }
        }

        $crate::machinst::imm::immediate!(
            $name,
            |imm| imm.value() - $bias,
            |bits| $name::new(bits.wrapping_add($bias)),
            |imm| concat!($prefix, "{}"),
            imm.0
        );
    };
}
pub(crate) use bounded_immediate;

/// Defines an immediate that is one of a few, each with its bits and its text.
macro_rules! named_immediate {
    ($(#[$doc:meta])* $name:ident { $($(#[$one_doc:meta])* $one:ident = $bits:literal $text:literal,)* }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        #[repr(u8)]
        pub enum $name {
            $($(#[$one_doc])* $one = $bits,)*
        }

        impl $name {
            /// The name in assembly text.
            pub const fn name(self) -> &'static str {
                match self {
                    $($name::$one => $text,)*
                }
            }
        }

        $crate::machinst::imm::immediate!(
            $name,
            |imm| imm as u32,
            |bits| match bits {
                $($bits => Some($name::$one),)*
                _ => None,
            },
            |imm| "{}",
            imm.name()
        );
    };
}
pub(crate) use named_immediate;
