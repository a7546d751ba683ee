//! What the front end promises about a memory access.

use crate::entities::Region;
use crate::trapcode::TrapCode;
use core::fmt;
use cranelift_entity::packed_option::PackedOption;

/// Byte order of a memory access.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Hash)]
pub enum Endianness {
    /// Least significant byte first.
    Little,
    /// Most significant byte first.
    Big,
}

/// Properties of a memory access. Without any, the access may trap with `heap_oob`, may have any
/// alignment, and uses the target's byte order.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct MemFlags {
    bits: u8,
    /// `TrapCode::as_u8`, or 0 for `notrap`.
    trap: u8,
    region: PackedOption<Region>,
}

const NO_REGION: PackedOption<Region> = PackedOption::new(Region(u32::MAX));
const ALIGNED: u8 = 1 << 0;
const READONLY: u8 = 1 << 1;
const CAN_MOVE: u8 = 1 << 2;
const LITTLE: u8 = 1 << 3;
const BIG: u8 = 1 << 4;

impl Default for MemFlags {
    fn default() -> Self {
        Self::new()
    }
}

impl MemFlags {
    /// No promise.
    pub const fn new() -> MemFlags {
        MemFlags { bits: 0, trap: TrapCode::HEAP_OUT_OF_BOUNDS.as_u8(), region: NO_REGION }
    }

    /// An access that neither traps nor is misaligned: stack slots, the runtime's own data.
    pub const fn trusted() -> MemFlags {
        MemFlags { bits: ALIGNED, trap: 0, region: NO_REGION }
    }

    const fn has(self, bit: u8) -> bool {
        self.bits & bit != 0
    }

    const fn with(mut self, bit: u8) -> MemFlags {
        self.bits |= bit;
        self
    }

    /// The address is a multiple of the access's size.
    pub const fn aligned(self) -> bool {
        self.has(ALIGNED)
    }

    /// Adds `aligned`.
    pub const fn with_aligned(self) -> MemFlags {
        self.with(ALIGNED)
    }

    /// The memory does not change while the function runs.
    pub const fn readonly(self) -> bool {
        self.has(READONLY)
    }

    /// Adds `readonly`.
    pub const fn with_readonly(self) -> MemFlags {
        self.with(READONLY)
    }

    /// The access may move to any place where its operands are known.
    pub const fn can_move(self) -> bool {
        self.has(CAN_MOVE)
    }

    /// Adds `can_move`.
    pub const fn with_can_move(self) -> MemFlags {
        self.with(CAN_MOVE)
    }

    /// The byte order asked for; `None` is the target's own.
    pub const fn explicit_endianness(self) -> Option<Endianness> {
        if self.has(LITTLE) {
            Some(Endianness::Little)
        } else if self.has(BIG) {
            Some(Endianness::Big)
        } else {
            None
        }
    }

    /// The byte order of the access on a target whose own is `native`.
    pub fn endianness(self, native: Endianness) -> Endianness {
        self.explicit_endianness().unwrap_or(native)
    }

    /// Sets the byte order.
    pub const fn with_endianness(mut self, e: Endianness) -> MemFlags {
        self.bits &= !(LITTLE | BIG);
        self.with(match e {
            Endianness::Little => LITTLE,
            Endianness::Big => BIG,
        })
    }

    /// The code of the trap that the access may raise; `None` if it cannot trap.
    pub const fn trap_code(self) -> Option<TrapCode> {
        TrapCode::from_u8(self.trap)
    }

    /// The access cannot trap.
    pub const fn notrap(self) -> bool {
        self.trap == 0
    }

    /// Sets the trap code; `None` is `notrap`.
    pub const fn with_trap_code(mut self, code: Option<TrapCode>) -> MemFlags {
        self.trap = match code {
            Some(code) => code.as_u8(),
            None => 0,
        };
        self
    }

    /// Adds `notrap`.
    pub const fn with_notrap(self) -> MemFlags {
        self.with_trap_code(None)
    }

    /// The part of memory that the access touches, if the front end named one.
    pub fn region(self) -> Option<Region> {
        self.region.expand()
    }

    /// Sets the region.
    pub fn with_region(mut self, region: Option<Region>) -> MemFlags {
        self.region = region.into();
        self
    }
}

/// Prints each flag with a leading space, in the order that the text uses.
impl fmt::Display for MemFlags {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.trap_code() {
            None => f.write_str(" notrap")?,
            Some(TrapCode::HEAP_OUT_OF_BOUNDS) => {}
            Some(code) => write!(f, " {code}")?,
        }
        for (bit, name) in [
            (ALIGNED, " aligned"),
            (READONLY, " readonly"),
            (CAN_MOVE, " can_move"),
            (BIG, " big"),
            (LITTLE, " little"),
        ] {
            if self.has(bit) {
                f.write_str(name)?;
            }
        }
        match self.region() {
            Some(region) => write!(f, " {region}"),
            None => Ok(()),
        }
    }
}
