//! The guest's memory: one flat address space with a stack, a data region, and fake addresses of functions.
//!
//! ```text
//!                 32-bit addresses    64-bit addresses
//! stack, ends at      0xc000_0000     0x7fff_f000_0000   grows down from its end
//! data, from          0x1000_0000     0x0010_0000_0000   symbols and the host's allocations, growing up
//! functions, from     0x0001_0000     0x0000_0040_0000   256 bytes each, neither readable nor writable
//! null page                  0 up            0 up
//! ```
//!
//! All else is unmapped. Every access is one range check per region, the stack first.

use crate::memflags::Endianness;
use crate::types::{self, Type};
use alloc::vec::Vec;
use core::fmt;

/// Bytes between the fake addresses of neighbouring functions.
pub(super) const FUNCTION_STRIDE: u64 = 256;

/// The part of the address space that a host or a program may touch.
#[derive(Clone, Debug)]
pub struct Memory {
    stack: Vec<u8>,
    stack_base: u64,
    data: Vec<u8>,
    data_base: u64,
    data_limit: u64,
    endianness: Endianness,
    address_type: Type,
}

/// An access outside of mapped memory.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct OutOfBounds {
    /// Where it starts.
    pub address: u64,
    /// How many bytes it wants.
    pub size: u64,
}

impl fmt::Display for OutOfBounds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} bytes at {:#x} are not mapped", self.size, self.address)
    }
}

impl core::error::Error for OutOfBounds {}

/// Where the fake addresses of functions begin.
pub(super) fn code_base(address_type: Type) -> u64 {
    if address_type == types::I32 { 0x1_0000 } else { 0x40_0000 }
}

/// Most functions that have addresses.
pub(super) const MAX_FUNCTIONS: usize = 0xf_0000;

impl Memory {
    /// Largest stack: 512 MiB.
    pub const MAX_STACK_BYTES: u64 = 512 << 20;

    pub(super) fn new(address_type: Type, endianness: Endianness, stack_bytes: u64) -> Memory {
        let narrow = address_type == types::I32;
        let end: u64 = if narrow { 0xc000_0000 } else { 0x7fff_f000_0000 };
        let size = (stack_bytes.min(Self::MAX_STACK_BYTES) + 15) & !15;
        let data_base = if narrow { 0x1000_0000 } else { 0x10_0000_0000 };
        Memory {
            stack: alloc::vec![0; size as usize],
            stack_base: end - size,
            data: Vec::new(),
            data_base,
            data_limit: if narrow { 0x9000_0000 } else { data_base + (1 << 36) },
            endianness,
            address_type,
        }
    }

    /// The type of addresses: `i32` or `i64`.
    pub fn address_type(&self) -> Type {
        self.address_type
    }

    /// The byte order of accesses that do not name one.
    pub fn endianness(&self) -> Endianness {
        self.endianness
    }

    pub(super) fn stack_base(&self) -> u64 {
        self.stack_base
    }

    pub(super) fn stack_end(&self) -> u64 {
        self.stack_base + self.stack.len() as u64
    }

    /// Adds `size` zeroed bytes to the data region. `None` if the region is full or `align` no power of two.
    pub fn alloc(&mut self, size: u64, align: u64) -> Option<u64> {
        if !align.is_power_of_two() {
            return None;
        }
        let end = self.data_base + self.data.len() as u64;
        let address = end.checked_add(align - 1)? & !(align - 1);
        let new_end = address.checked_add(size)?;
        if new_end > self.data_limit {
            return None;
        }
        let len = usize::try_from(new_end - self.data_base).ok()?;
        self.data.try_reserve(len - self.data.len()).ok()?;
        self.data.resize(len, 0);
        Some(address)
    }

    /// `size` bytes at `address`.
    ///
    /// # Errors
    /// Part of them is not mapped.
    pub fn bytes(&self, address: u64, size: u64) -> Result<&[u8], OutOfBounds> {
        let find = |region: &'_ [u8], base: u64| {
            let start = address.checked_sub(base)?;
            let end = start.checked_add(size)?;
            (end <= region.len() as u64).then_some(start as usize..end as usize)
        };
        if let Some(range) = find(&self.stack, self.stack_base) {
            return Ok(&self.stack[range]);
        }
        match find(&self.data, self.data_base) {
            Some(range) => Ok(&self.data[range]),
            None => Err(OutOfBounds { address, size }),
        }
    }

    /// `size` bytes at `address`, to be changed.
    ///
    /// # Errors
    /// Part of them is not mapped.
    pub fn bytes_mut(&mut self, address: u64, size: u64) -> Result<&mut [u8], OutOfBounds> {
        let find = |region: &'_ [u8], base: u64| {
            let start = address.checked_sub(base)?;
            let end = start.checked_add(size)?;
            (end <= region.len() as u64).then_some(start as usize..end as usize)
        };
        if let Some(range) = find(&self.stack, self.stack_base) {
            return Ok(&mut self.stack[range]);
        }
        match find(&self.data, self.data_base) {
            Some(range) => Ok(&mut self.data[range]),
            None => Err(OutOfBounds { address, size }),
        }
    }

    /// Copies `out.len()` bytes from `address`.
    ///
    /// # Errors
    /// Part of them is not mapped.
    pub fn read(&self, address: u64, out: &mut [u8]) -> Result<(), OutOfBounds> {
        out.copy_from_slice(self.bytes(address, out.len() as u64)?);
        Ok(())
    }

    /// Copies `bytes` to `address`.
    ///
    /// # Errors
    /// Part of the destination is not mapped; nothing is written.
    pub fn write(&mut self, address: u64, bytes: &[u8]) -> Result<(), OutOfBounds> {
        self.bytes_mut(address, bytes.len() as u64)?.copy_from_slice(bytes);
        Ok(())
    }

    /// Copies `size` bytes from `from` to `to`, which may overlap.
    ///
    /// # Errors
    /// Part of either is not mapped; nothing is written.
    pub fn copy(&mut self, to: u64, from: u64, size: u64) -> Result<(), OutOfBounds> {
        self.bytes(to, size)?;
        let in_stack = |a: u64| a >= self.stack_base && a - self.stack_base <= self.stack.len() as u64;
        match (in_stack(to), in_stack(from)) {
            (true, true) => {
                self.bytes(from, size)?;
                let (to, from) = ((to - self.stack_base) as usize, (from - self.stack_base) as usize);
                self.stack.copy_within(from..from + size as usize, to);
            }
            (false, false) => {
                self.bytes(from, size)?;
                let (to, from) = ((to - self.data_base) as usize, (from - self.data_base) as usize);
                self.data.copy_within(from..from + size as usize, to);
            }
            _ => {
                let bytes = self.bytes(from, size)?.to_vec();
                self.write(to, &bytes)?;
            }
        }
        Ok(())
    }

    #[inline(always)]
    pub(super) fn load<const N: usize>(&self, address: u64) -> Option<[u8; N]> {
        let at = address.wrapping_sub(self.stack_base);
        if at < self.stack.len() as u64
            && let Some(bytes) = self.stack[at as usize..].first_chunk::<N>()
        {
            return Some(*bytes);
        }
        self.load_data(address)
    }

    fn load_data<const N: usize>(&self, address: u64) -> Option<[u8; N]> {
        let at = usize::try_from(address.wrapping_sub(self.data_base)).ok()?;
        self.data.get(at..)?.first_chunk::<N>().copied()
    }

    #[inline(always)]
    pub(super) fn store<const N: usize>(&mut self, address: u64, bytes: [u8; N]) -> bool {
        let at = address.wrapping_sub(self.stack_base);
        if at < self.stack.len() as u64
            && let Some(place) = self.stack[at as usize..].first_chunk_mut::<N>()
        {
            *place = bytes;
            return true;
        }
        self.store_data(address, bytes)
    }

    fn store_data<const N: usize>(&mut self, address: u64, bytes: [u8; N]) -> bool {
        let Ok(at) = usize::try_from(address.wrapping_sub(self.data_base)) else { return false };
        match self.data.get_mut(at..).and_then(|rest| rest.first_chunk_mut::<N>()) {
            Some(place) => {
                *place = bytes;
                true
            }
            None => false,
        }
    }

    /// Reads an address-sized number in the machine's own byte order.
    pub fn read_address(&self, address: u64) -> Result<u64, OutOfBounds> {
        let size = u64::from(self.address_type.bytes());
        let bytes = self.bytes(address, size)?.iter();
        let join = |n: u64, byte: &u8| n << 8 | u64::from(*byte);
        Ok(match self.endianness {
            Endianness::Little => bytes.rev().fold(0, join),
            Endianness::Big => bytes.fold(0, join),
        })
    }

    /// Writes an address-sized number in the machine's own byte order.
    pub fn write_address(&mut self, address: u64, n: u64) -> Result<(), OutOfBounds> {
        let size = self.address_type.bytes() as usize;
        let little = n.to_le_bytes();
        let mut bytes = [0; 8];
        bytes[..size].copy_from_slice(&little[..size]);
        if self.endianness == Endianness::Big {
            bytes[..size].reverse();
        }
        self.write(address, &bytes[..size])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn regions_have_ends_and_nothing_lies_between() {
        for ty in [types::I32, types::I64] {
            let mut memory = Memory::new(ty, Endianness::Little, 4096);
            let data = memory.alloc(16, 8).unwrap();
            let end = memory.stack_end();
            assert_eq!(memory.load::<4>(end - 4), Some([0; 4]));
            assert_eq!(memory.load::<4>(end - 3), None);
            assert_eq!(memory.load::<4>(memory.stack_base() - 1), None);
            assert_eq!(memory.load::<8>(data + 8), Some([0; 8]));
            assert_eq!(memory.load::<8>(data + 9), None);
            assert!(!memory.store(0, [1u8]));
            assert_eq!(memory.load::<16>(u64::MAX - 3), None);
            assert!(memory.bytes(u64::MAX, 2).is_err());
            assert_eq!(memory.alloc(u64::MAX, 1), None);
            assert_eq!(memory.alloc(1, 3), None);
            assert_eq!(memory.alloc(1, 4096).unwrap() % 4096, 0);
        }
    }

    #[test]
    fn copies_overlap_and_cross_regions() {
        let mut memory = Memory::new(types::I64, Endianness::Big, 4096);
        let data = memory.alloc(16, 1).unwrap();
        let stack = memory.stack_base();
        memory.write(data, b"abcdefgh").unwrap();
        memory.copy(data + 2, data, 6).unwrap();
        assert_eq!(memory.bytes(data, 8).unwrap(), b"ababcdef");
        memory.copy(stack, data, 8).unwrap();
        memory.copy(stack + 1, stack, 7).unwrap();
        assert_eq!(memory.bytes(stack, 8).unwrap(), b"aababcde");
        assert!(memory.copy(stack, 0, 1).is_err());
        assert!(memory.copy(data, stack, 17).is_err());
        memory.write_address(data, 0x0102_0304).unwrap();
        assert_eq!(memory.bytes(data, 8).unwrap(), [0, 0, 0, 0, 1, 2, 3, 4]);
        assert_eq!(memory.read_address(data), Ok(0x0102_0304));
    }
}
