//! The faults of modules.

use alloc::vec::Vec;
use core::fmt;
use windlass_ir::ExternalName;

/// A fault of a module.
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum LinkError {
    /// A symbol that nothing defines.
    Undefined {
        /// The symbol.
        symbol: ExternalName,
        /// What refers to it first.
        user: ExternalName,
        /// Where in it, in bytes.
        offset: u32,
        /// How many places refer to it.
        places: u32,
    },
    /// A symbol that is defined more than once.
    Duplicate {
        /// The symbol.
        symbol: ExternalName,
    },
    /// A place cannot hold the value that its relocation asks for, as a branch whose target is too far.
    OutOfRange {
        /// The function or datum with the place.
        user: ExternalName,
        /// Where in it, in bytes.
        offset: u32,
        /// The relocation's name.
        reloc: &'static str,
        /// The symbol.
        symbol: ExternalName,
        /// From the place to the symbol with its addend, in bytes.
        distance: i64,
    },
    /// A relocation for thread-local data of a symbol that is none, or one for others of a symbol that is.
    Storage {
        /// The function or datum with the place.
        user: ExternalName,
        /// Where in it, in bytes.
        offset: u32,
        /// The relocation's name.
        reloc: &'static str,
        /// The symbol.
        symbol: ExternalName,
        /// Is the symbol thread-local?
        thread_local: bool,
    },
    /// A relocation whose place is not inside of its function or datum, or in a datum of zeros.
    BadPlace {
        /// The function or datum.
        user: ExternalName,
        /// Where the place would be, in bytes.
        offset: u32,
        /// The relocation's name.
        reloc: &'static str,
    },
    /// An alignment that is not a power of two.
    BadAlignment {
        /// The function or datum.
        symbol: ExternalName,
        /// The alignment in bytes.
        alignment: u32,
    },
    /// The image does not fit below the end of memory.
    TooLarge {
        /// Where it would end.
        end: u64,
        /// Where it must end.
        limit: u64,
    },
}

impl fmt::Display for LinkError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            LinkError::Undefined { symbol, user, offset, places } => {
                write!(f, "undefined symbol {symbol}, used in {user} at offset {offset:#x}")?;
                match places {
                    0 | 1 => Ok(()),
                    n => write!(f, " and in {} more places", n - 1),
                }
            }
            LinkError::Duplicate { symbol } => write!(f, "symbol {symbol} is defined more than once"),
            LinkError::OutOfRange { user, offset, reloc, symbol, distance } => write!(
                f,
                "{symbol} is out of range of {reloc} in {user} at offset {offset:#x}: {distance:+} bytes away"
            ),
            LinkError::Storage { user, offset, reloc, symbol, thread_local } => {
                let is = if *thread_local { "is" } else { "is not" };
                write!(
                    f,
                    "{symbol} {is} thread-local, unlike what {reloc} in {user} at offset {offset:#x} wants"
                )
            }
            LinkError::BadPlace { user, offset, reloc } => {
                write!(f, "{reloc} at offset {offset:#x} is outside of the bytes of {user}")
            }
            LinkError::BadAlignment { symbol, alignment } => {
                write!(f, "the alignment of {symbol}, {alignment} bytes, is not a power of two")
            }
            LinkError::TooLarge { end, limit } => {
                write!(f, "the image would end at {end:#x}, beyond the end of memory at {limit:#x}")
            }
        }
    }
}

impl core::error::Error for LinkError {}

/// Every fault of a module, at least one.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct LinkErrors(pub Vec<LinkError>);

impl fmt::Display for LinkErrors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, error) in self.0.iter().enumerate() {
            write!(f, "{}{error}", if i == 0 { "" } else { "\n" })?;
        }
        Ok(())
    }
}

impl core::error::Error for LinkErrors {}
