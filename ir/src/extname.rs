//! Names of functions and data.

use alloc::string::String;
use core::fmt;

macro_rules! libcalls {
    ($($(#[$doc:meta])* $name:ident,)*) => {
        /// A routine that the platform's library, or Windlass's own, supplies. Written `%CeilF32`.
        #[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, PartialOrd, Ord)]
        pub enum LibCall { $($(#[$doc])* $name,)* }

        impl LibCall {
            /// Every routine.
            pub const ALL: &'static [LibCall] = &[$(LibCall::$name),*];

            /// The name in the text, without `%`.
            pub const fn name(self) -> &'static str {
                match self { $(LibCall::$name => stringify!($name),)* }
            }

            /// Reads a name.
            pub fn from_name(name: &str) -> Option<LibCall> {
                Some(match name { $(stringify!($name) => LibCall::$name,)* _ => return None })
            }
        }
    };
}

libcalls! {
    /// Touches the pages of a large frame.
    Probestack,
    /// `ceil` of f32.
    CeilF32,
    /// `ceil` of f64.
    CeilF64,
    /// `floor` of f32.
    FloorF32,
    /// `floor` of f64.
    FloorF64,
    /// `trunc` of f32.
    TruncF32,
    /// `trunc` of f64.
    TruncF64,
    /// `nearest` of f32.
    NearestF32,
    /// `nearest` of f64.
    NearestF64,
    /// `fma` of f32.
    FmaF32,
    /// `fma` of f64.
    FmaF64,
    /// `memcpy` of C.
    Memcpy,
    /// `memset` of C.
    Memset,
    /// `memmove` of C.
    Memmove,
    /// `memcmp` of C.
    Memcmp,
    /// The address of a thread-local symbol.
    ElfTlsGetAddr,
    /// The offset of a thread-local symbol from the thread pointer.
    ElfTlsGetOffset,
}

/// A function or datum by name.
#[derive(Clone, PartialEq, Eq, Hash, Debug, PartialOrd, Ord)]
pub enum ExternalName {
    /// `%name`; other characters than letters, digits, `_`, `.` and `$` need quotes: `%"a b"`.
    Symbol(String),
    /// `u0:1`: a namespace and an index that the front end understands.
    User {
        /// Namespace.
        namespace: u32,
        /// Index in it.
        index: u32,
    },
    /// A library routine.
    LibCall(LibCall),
}

impl ExternalName {
    /// `%name`, or the library routine of that name.
    pub fn symbol(name: &str) -> ExternalName {
        match LibCall::from_name(name) {
            Some(libcall) => ExternalName::LibCall(libcall),
            None => ExternalName::Symbol(name.into()),
        }
    }

    /// `uNAMESPACE:INDEX`.
    pub const fn user(namespace: u32, index: u32) -> ExternalName {
        ExternalName::User { namespace, index }
    }
}

impl Default for ExternalName {
    fn default() -> Self {
        ExternalName::user(0, 0)
    }
}

/// May a symbol stand in the text without quotes?
pub fn is_plain_symbol(name: &str) -> bool {
    !name.is_empty() && name.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'.' | b'$'))
}

/// Writes what stands between quotes, so that it reads back: quotes, backslashes and control characters escaped.
pub(crate) fn write_quoted(f: &mut fmt::Formatter<'_>, text: &str) -> fmt::Result {
    for c in text.chars() {
        if matches!(c, '"' | '\\') {
            write!(f, "\\{c}")?;
        } else if c.is_control() {
            write!(f, "\\u{{{:x}}}", c as u32)?;
        } else {
            write!(f, "{c}")?;
        }
    }
    Ok(())
}

impl fmt::Display for ExternalName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ExternalName::Symbol(name) if is_plain_symbol(name) => write!(f, "%{name}"),
            ExternalName::Symbol(name) => {
                f.write_str("%\"")?;
                write_quoted(f, name)?;
                f.write_str("\"")
            }
            ExternalName::User { namespace, index } => write!(f, "u{namespace}:{index}"),
            ExternalName::LibCall(libcall) => write!(f, "%{}", libcall.name()),
        }
    }
}
