//! What ELF files of 64-bit POWER programs have in their headers.

use super::reloc::{ADDR64, CODE_ADDR64, TOC_BASE, VENEER};
use crate::target::{ElfInfo, FunctionSymbols, ThreadLayout};
use windlass_ir::Endianness;

/// `EM_PPC64`.
const MACHINE: u16 = 21;

/// The second ABI, little-endian (64-bit ELF V2 ABI, 3.1: `e_flags` is the version).
pub const V2_LITTLE: ElfInfo = ElfInfo {
    machine: MACHINE,
    flags: 2,
    is_64: true,
    has_addends: true,
    base_address: 0x1000_0000,
    page_size: 0x1_0000,
    endianness: Endianness::Little,
    functions: FunctionSymbols::TwoEntries,
    // 64-bit ELF V2 ABI, 3.7.2.
    threads: ThreadLayout { word_bytes: 8, header_bytes: 0, pointer_bias: 0x7000 },
    address_reloc: ADDR64,
    code_address_reloc: CODE_ADDR64,
    code_mapping_symbol: None,
    data_mapping_symbol: None,
    attributes: None,
    veneer: Some(VENEER),
};

/// The second ABI, big-endian.
pub const V2_BIG: ElfInfo = ElfInfo { endianness: Endianness::Big, ..V2_LITTLE };

/// The first ABI, which is big-endian.
pub const V1_BIG: ElfInfo =
    ElfInfo { flags: 1, functions: FunctionSymbols::Descriptors { toc_reloc: TOC_BASE }, ..V2_BIG };
