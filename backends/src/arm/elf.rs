//! What ELF files of ARM programs have in their headers (ELF for the Arm Architecture, IHI 0044).

use super::attributes::{
    ARMV5_SOFT_ATTRIBUTES, ARMV6_SOFTFP_ATTRIBUTES, ARMV7_HARD_FLOAT_ATTRIBUTES, ARMV7_SOFTFP_ATTRIBUTES,
};
use super::reloc::{ABS32, VENEER};
use crate::target::{ElfInfo, FunctionSymbols, ThreadLayout};
use windlass_ir::Endianness;

/// `EM_ARM`.
const MACHINE: u16 = 40;
/// `EF_ARM_EABI_VER5`.
const EABI_VERSION_5: u32 = 0x0500_0000;
/// `EF_ARM_ABI_FLOAT_HARD`.
const FLOAT_HARD: u32 = 0x0000_0400;
/// `EF_ARM_ABI_FLOAT_SOFT`: floating-point arguments in core registers.
const FLOAT_SOFT: u32 = 0x0000_0200;

/// ARMv7-A, floating-point arguments in VFP registers, little-endian.
pub const HARD_FLOAT: ElfInfo = ElfInfo {
    machine: MACHINE,
    flags: EABI_VERSION_5 | FLOAT_HARD,
    is_64: false,
    has_addends: false,
    base_address: 0x1_0000,
    page_size: 0x1000,
    endianness: Endianness::Little,
    functions: FunctionSymbols::Code,
    // "Addenda to the ABI", IHI 0045, section 3: two words that are the implementation's.
    threads: ThreadLayout { word_bytes: 4, header_bytes: 8, pointer_bias: 0 },
    address_reloc: ABS32,
    code_address_reloc: ABS32,
    code_mapping_symbol: Some("$a"),
    data_mapping_symbol: Some("$d"),
    attributes: Some(ARMV7_HARD_FLOAT_ATTRIBUTES),
    veneer: Some(VENEER),
};

/// ARMv7-A, floating-point arguments in core registers, little-endian.
pub const ARMV7_SOFTFP: ElfInfo =
    ElfInfo { flags: EABI_VERSION_5 | FLOAT_SOFT, attributes: Some(ARMV7_SOFTFP_ATTRIBUTES), ..HARD_FLOAT };

/// ARMv6, floating-point arguments in core registers, little-endian.
pub const ARMV6_SOFTFP: ElfInfo =
    ElfInfo { flags: EABI_VERSION_5 | FLOAT_SOFT, attributes: Some(ARMV6_SOFTFP_ATTRIBUTES), ..HARD_FLOAT };

/// ARMv5TE without floating point, little-endian.
pub const ARMV5_SOFT: ElfInfo =
    ElfInfo { flags: EABI_VERSION_5 | FLOAT_SOFT, attributes: Some(ARMV5_SOFT_ATTRIBUTES), ..HARD_FLOAT };
