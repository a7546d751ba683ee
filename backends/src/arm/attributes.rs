//! `.ARM.attributes`: what an object promises and asks of the objects it is linked with (Addenda to the ABI for the
//! Arm Architecture, IHI 0045, section 3).

use crate::target::ElfAttributes;

/// `SHT_ARM_ATTRIBUTES`.
const SECTION_TYPE: u32 = 0x7000_0003;

// The attributes' tags. Numbers below 128 are one byte as ULEB128.
const TAG_FILE: u8 = 1;
const TAG_CPU_NAME: u8 = 5;
const TAG_CPU_ARCH: u8 = 6;
const TAG_CPU_ARCH_PROFILE: u8 = 7;
const TAG_ARM_ISA_USE: u8 = 8;
const TAG_FP_ARCH: u8 = 10;
const TAG_ABI_PCS_WCHAR_T: u8 = 18;
const TAG_ABI_FP_DENORMAL: u8 = 20;
const TAG_ABI_FP_EXCEPTIONS: u8 = 21;
const TAG_ABI_FP_NUMBER_MODEL: u8 = 23;
const TAG_ABI_ALIGN_NEEDED: u8 = 24;
const TAG_ABI_ALIGN_PRESERVED: u8 = 25;
const TAG_ABI_ENUM_SIZE: u8 = 26;
const TAG_ABI_VFP_ARGS: u8 = 28;
const TAG_CPU_UNALIGNED_ACCESS: u8 = 34;

// Values of `TAG_CPU_ARCH` and `TAG_FP_ARCH`.
const V5TE: u8 = 4;
const V6: u8 = 6;
const V7: u8 = 10;
const VFPV2: u8 = 2;
const VFPV3_D16: u8 = 4;

/// The section around the attributes of the whole file: format version, vendor, lengths (each counts itself).
const fn section<const ATTRIBUTES: usize, const TOTAL: usize>(attributes: [u8; ATTRIBUTES]) -> [u8; TOTAL] {
    // 'A', length, "aeabi\0", Tag_File, length, attributes.
    assert!(TOTAL == 1 + 4 + 6 + 1 + 4 + ATTRIBUTES && TOTAL < 256);
    let mut bytes = [0; TOTAL];
    let vendor = *b"aeabi\0";
    bytes[0] = b'A';
    bytes[1] = (TOTAL - 1) as u8;
    let mut i = 0;
    while i < vendor.len() {
        bytes[5 + i] = vendor[i];
        i += 1;
    }
    bytes[11] = TAG_FILE;
    bytes[12] = (TOTAL - 11) as u8;
    i = 0;
    while i < ATTRIBUTES {
        bytes[16 + i] = attributes[i];
        i += 1;
    }
    bytes
}

/// A section with what a variant says of its processor, what all variants say, and what else it promises.
macro_rules! attributes {
    ([$($cpu:expr),*], [$($more:expr),*]) => {
        section([
            $($cpu,)*
            TAG_ABI_PCS_WCHAR_T, 4,
            TAG_ABI_FP_DENORMAL, 1,
            TAG_ABI_FP_EXCEPTIONS, 1,
            TAG_ABI_FP_NUMBER_MODEL, 3, // IEEE 754
            TAG_ABI_ALIGN_NEEDED, 1,
            TAG_ABI_ALIGN_PRESERVED, 1,
            TAG_ABI_ENUM_SIZE, 2, // an int
            $($more,)*
        ])
    };
}

static ARMV7_HARD_FLOAT: [u8; 47] = attributes! {
    [TAG_CPU_NAME, b'7', b'-', b'A', 0, TAG_CPU_ARCH, V7, TAG_CPU_ARCH_PROFILE, b'A', TAG_ARM_ISA_USE, 1, TAG_FP_ARCH, VFPV3_D16],
    [TAG_ABI_VFP_ARGS, 1, TAG_CPU_UNALIGNED_ACCESS, 1]
};
static ARMV7_SOFTFP: [u8; 45] = attributes! {
    [TAG_CPU_NAME, b'7', b'-', b'A', 0, TAG_CPU_ARCH, V7, TAG_CPU_ARCH_PROFILE, b'A', TAG_ARM_ISA_USE, 1, TAG_FP_ARCH, VFPV3_D16],
    [TAG_CPU_UNALIGNED_ACCESS, 1]
};
static ARMV6_SOFTFP: [u8; 41] = attributes! {
    [TAG_CPU_NAME, b'6', 0, TAG_CPU_ARCH, V6, TAG_ARM_ISA_USE, 1, TAG_FP_ARCH, VFPV2],
    [TAG_CPU_UNALIGNED_ACCESS, 1]
};
static ARMV5_SOFT: [u8; 39] = attributes! {
    [TAG_CPU_NAME, b'5', b'T', b'E', 0, TAG_CPU_ARCH, V5TE, TAG_ARM_ISA_USE, 1],
    []
};

/// ARMv5TE without floating point.
pub const ARMV5_SOFT_ATTRIBUTES: ElfAttributes =
    ElfAttributes { section: ".ARM.attributes", section_type: SECTION_TYPE, bytes: &ARMV5_SOFT };

/// ARMv7-A with VFPv3-D16, floating-point arguments in core registers.
pub const ARMV7_SOFTFP_ATTRIBUTES: ElfAttributes =
    ElfAttributes { section: ".ARM.attributes", section_type: SECTION_TYPE, bytes: &ARMV7_SOFTFP };

/// ARMv6 with VFPv2, floating-point arguments in core registers.
pub const ARMV6_SOFTFP_ATTRIBUTES: ElfAttributes =
    ElfAttributes { section: ".ARM.attributes", section_type: SECTION_TYPE, bytes: &ARMV6_SOFTFP };

/// ARMv7-A with VFPv3-D16, floating-point arguments in VFP registers.
pub const ARMV7_HARD_FLOAT_ATTRIBUTES: ElfAttributes =
    ElfAttributes { section: ".ARM.attributes", section_type: SECTION_TYPE, bytes: &ARMV7_HARD_FLOAT };
