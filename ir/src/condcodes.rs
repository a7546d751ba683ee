//! Conditions of integer and floating-point comparisons.

use core::fmt;

macro_rules! condition_codes {
    ($(#[$doc:meta])* $name:ident { $($(#[$vdoc:meta])* $variant:ident $text:literal,)* }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, Debug, Hash, PartialOrd, Ord)]
        pub enum $name { $($(#[$vdoc])* $variant,)* }

        impl $name {
            /// Every condition, in declaration order.
            pub const ALL: &'static [$name] = &[$($name::$variant),*];

            /// The condition's name in the text.
            pub const fn name(self) -> &'static str {
                match self { $($name::$variant => $text,)* }
            }

            /// Reads a name.
            pub fn from_name(name: &str) -> Option<$name> {
                Some(match name { $($text => $name::$variant,)* _ => return None })
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(self.name())
            }
        }
    };
}

condition_codes! {
    /// Condition of `icmp`.
    IntCC {
        /// `==`
        Equal "eq",
        /// `!=`
        NotEqual "ne",
        /// Signed `<`
        SignedLessThan "slt",
        /// Signed `>=`
        SignedGreaterThanOrEqual "sge",
        /// Signed `>`
        SignedGreaterThan "sgt",
        /// Signed `<=`
        SignedLessThanOrEqual "sle",
        /// Unsigned `<`
        UnsignedLessThan "ult",
        /// Unsigned `>=`
        UnsignedGreaterThanOrEqual "uge",
        /// Unsigned `>`
        UnsignedGreaterThan "ugt",
        /// Unsigned `<=`
        UnsignedLessThanOrEqual "ule",
    }
}

impl IntCC {
    /// The condition that holds exactly when this one does not.
    pub const fn complement(self) -> IntCC {
        use IntCC::*;
        match self {
            Equal => NotEqual,
            NotEqual => Equal,
            SignedLessThan => SignedGreaterThanOrEqual,
            SignedGreaterThanOrEqual => SignedLessThan,
            SignedGreaterThan => SignedLessThanOrEqual,
            SignedLessThanOrEqual => SignedGreaterThan,
            UnsignedLessThan => UnsignedGreaterThanOrEqual,
            UnsignedGreaterThanOrEqual => UnsignedLessThan,
            UnsignedGreaterThan => UnsignedLessThanOrEqual,
            UnsignedLessThanOrEqual => UnsignedGreaterThan,
        }
    }

    /// The condition that holds for `(y, x)` exactly when this one does for `(x, y)`.
    pub const fn swap_args(self) -> IntCC {
        use IntCC::*;
        match self {
            Equal => Equal,
            NotEqual => NotEqual,
            SignedLessThan => SignedGreaterThan,
            SignedGreaterThanOrEqual => SignedLessThanOrEqual,
            SignedGreaterThan => SignedLessThan,
            SignedLessThanOrEqual => SignedGreaterThanOrEqual,
            UnsignedLessThan => UnsignedGreaterThan,
            UnsignedGreaterThanOrEqual => UnsignedLessThanOrEqual,
            UnsignedGreaterThan => UnsignedLessThan,
            UnsignedLessThanOrEqual => UnsignedGreaterThanOrEqual,
        }
    }

    /// The unsigned condition of the same direction; `eq` and `ne` stay.
    pub const fn unsigned(self) -> IntCC {
        use IntCC::*;
        match self {
            SignedLessThan => UnsignedLessThan,
            SignedGreaterThanOrEqual => UnsignedGreaterThanOrEqual,
            SignedGreaterThan => UnsignedGreaterThan,
            SignedLessThanOrEqual => UnsignedLessThanOrEqual,
            other => other,
        }
    }

    /// The condition without its equality: `sle` becomes `slt`; `eq` and `ne` stay.
    pub const fn without_equal(self) -> IntCC {
        use IntCC::*;
        match self {
            SignedGreaterThanOrEqual => SignedGreaterThan,
            SignedLessThanOrEqual => SignedLessThan,
            UnsignedGreaterThanOrEqual => UnsignedGreaterThan,
            UnsignedLessThanOrEqual => UnsignedLessThan,
            other => other,
        }
    }

    /// Does the order of the operands' sign matter?
    pub const fn is_signed(self) -> bool {
        use IntCC::*;
        matches!(self, SignedLessThan | SignedGreaterThanOrEqual | SignedGreaterThan | SignedLessThanOrEqual)
    }
}

condition_codes! {
    /// Condition of `fcmp`. Two floats are less, equal, greater, or unordered (one is NaN).
    FloatCC {
        /// Less, equal or greater.
        Ordered "ord",
        /// Unordered.
        Unordered "uno",
        /// Equal.
        Equal "eq",
        /// Less, greater or unordered.
        NotEqual "ne",
        /// Less or greater.
        OrderedNotEqual "one",
        /// Equal or unordered.
        UnorderedOrEqual "ueq",
        /// Less.
        LessThan "lt",
        /// Less or equal.
        LessThanOrEqual "le",
        /// Greater.
        GreaterThan "gt",
        /// Greater or equal.
        GreaterThanOrEqual "ge",
        /// Less or unordered.
        UnorderedOrLessThan "ult",
        /// Less, equal or unordered.
        UnorderedOrLessThanOrEqual "ule",
        /// Greater or unordered.
        UnorderedOrGreaterThan "ugt",
        /// Greater, equal or unordered.
        UnorderedOrGreaterThanOrEqual "uge",
    }
}

impl FloatCC {
    /// The condition that holds exactly when this one does not.
    pub const fn complement(self) -> FloatCC {
        use FloatCC::*;
        match self {
            Ordered => Unordered,
            Unordered => Ordered,
            Equal => NotEqual,
            NotEqual => Equal,
            OrderedNotEqual => UnorderedOrEqual,
            UnorderedOrEqual => OrderedNotEqual,
            LessThan => UnorderedOrGreaterThanOrEqual,
            LessThanOrEqual => UnorderedOrGreaterThan,
            GreaterThan => UnorderedOrLessThanOrEqual,
            GreaterThanOrEqual => UnorderedOrLessThan,
            UnorderedOrLessThan => GreaterThanOrEqual,
            UnorderedOrLessThanOrEqual => GreaterThan,
            UnorderedOrGreaterThan => LessThanOrEqual,
            UnorderedOrGreaterThanOrEqual => LessThan,
        }
    }

    /// The condition that holds for `(y, x)` exactly when this one does for `(x, y)`.
    pub const fn swap_args(self) -> FloatCC {
        use FloatCC::*;
        match self {
            LessThan => GreaterThan,
            LessThanOrEqual => GreaterThanOrEqual,
            GreaterThan => LessThan,
            GreaterThanOrEqual => LessThanOrEqual,
            UnorderedOrLessThan => UnorderedOrGreaterThan,
            UnorderedOrLessThanOrEqual => UnorderedOrGreaterThanOrEqual,
            UnorderedOrGreaterThan => UnorderedOrLessThan,
            UnorderedOrGreaterThanOrEqual => UnorderedOrLessThanOrEqual,
            other => other,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn complement_and_swap_are_involutions() {
        for &cc in IntCC::ALL {
            assert_eq!(cc.complement().complement(), cc);
            assert_eq!(cc.swap_args().swap_args(), cc);
            assert_eq!(IntCC::from_name(cc.name()), Some(cc));
        }
        for &cc in FloatCC::ALL {
            assert_eq!(cc.complement().complement(), cc);
            assert_eq!(cc.swap_args().swap_args(), cc);
            assert_eq!(FloatCC::from_name(cc.name()), Some(cc));
        }
    }
}
