//! Why a program stopped.

use core::fmt;

/// The reason of a trap: five codes of the language, and `user1` to `user250` for the front end.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct TrapCode(core::num::NonZeroU8);

impl TrapCode {
    const RESERVED: u8 = 5;
    const USER_MAX: u8 = u8::MAX - Self::RESERVED;

    const fn reserved(n: u8) -> TrapCode {
        match core::num::NonZeroU8::new(Self::USER_MAX + n) {
            Some(code) => TrapCode(code),
            None => panic!("trap codes fit in a byte"),
        }
    }

    /// The stack is used up.
    pub const STACK_OVERFLOW: TrapCode = Self::reserved(1);
    /// An address outside of what may be accessed.
    pub const HEAP_OUT_OF_BOUNDS: TrapCode = Self::reserved(2);
    /// A result that its integer type cannot hold.
    pub const INTEGER_OVERFLOW: TrapCode = Self::reserved(3);
    /// Division by zero.
    pub const INTEGER_DIVISION_BY_ZERO: TrapCode = Self::reserved(4);
    /// NaN converted to an integer.
    pub const BAD_CONVERSION_TO_INTEGER: TrapCode = Self::reserved(5);

    /// The front end's own code `n`, 1 to 250.
    pub const fn user(n: u8) -> Option<TrapCode> {
        if n > Self::USER_MAX {
            return None;
        }
        match core::num::NonZeroU8::new(n) {
            Some(code) => Some(TrapCode(code)),
            None => None,
        }
    }

    /// The code as one byte, 1 to 255, stable: it goes into machine code and tables.
    pub const fn as_u8(self) -> u8 {
        self.0.get()
    }

    /// The code that [`TrapCode::as_u8`] gave as `byte`.
    pub const fn from_u8(byte: u8) -> Option<TrapCode> {
        match core::num::NonZeroU8::new(byte) {
            Some(code) => Some(TrapCode(code)),
            None => None,
        }
    }

    /// Reads a code's name.
    pub fn from_name(name: &str) -> Option<TrapCode> {
        Some(match name {
            "stk_ovf" => Self::STACK_OVERFLOW,
            "heap_oob" => Self::HEAP_OUT_OF_BOUNDS,
            "int_ovf" => Self::INTEGER_OVERFLOW,
            "int_divz" => Self::INTEGER_DIVISION_BY_ZERO,
            "bad_toint" => Self::BAD_CONVERSION_TO_INTEGER,
            _ => {
                let digits = name.strip_prefix("user")?;
                if digits.starts_with('0') || !digits.bytes().all(|b| b.is_ascii_digit()) {
                    return None;
                }
                return TrapCode::user(digits.parse().ok()?);
            }
        })
    }
}

impl fmt::Display for TrapCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::STACK_OVERFLOW => f.write_str("stk_ovf"),
            Self::HEAP_OUT_OF_BOUNDS => f.write_str("heap_oob"),
            Self::INTEGER_OVERFLOW => f.write_str("int_ovf"),
            Self::INTEGER_DIVISION_BY_ZERO => f.write_str("int_divz"),
            Self::BAD_CONVERSION_TO_INTEGER => f.write_str("bad_toint"),
            TrapCode(n) => write!(f, "user{n}"),
        }
    }
}

impl fmt::Debug for TrapCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::string::ToString;

    #[test]
    fn every_code_round_trips() {
        for byte in 1..=255 {
            let code = TrapCode::from_u8(byte).unwrap();
            assert_eq!(code.as_u8(), byte);
            assert_eq!(TrapCode::from_name(&code.to_string()), Some(code));
        }
        for bad in ["user0", "user251", "user01", "user", "heap", ""] {
            assert_eq!(TrapCode::from_name(bad), None, "{bad}");
        }
    }
}
