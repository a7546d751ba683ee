//! The conventions of 32-bit ARM.

use super::NONE;
use crate::abi::ctype::{Scalar, Struct};
use crate::abi::{Convention, Returns};
use windlass_ir::{CallConv, types};

/// The rows.
pub const ROWS: &[Convention] = &[
    Convention {
        name: "armv7hf",
        target: "armv7hf",
        call_convs: &[CallConv::SystemV, CallConv::Fast, CallConv::AapcsVfp],
        ..ARMHF
    },
    Convention {
        name: "armv7hf-base",
        target: "armv7hf",
        call_convs: &[CallConv::Aapcs, CallConv::AapcsSoftfp],
        attribute: "__attribute__((pcs(\"aapcs\")))",
        returns: aapcs_base,
        ..ARMHF
    },
    Convention {
        name: "armv7",
        target: "armv7",
        call_convs: &[CallConv::SystemV, CallConv::Fast, CallConv::Aapcs, CallConv::AapcsSoftfp],
        flags: &["-marm", "-march=armv7-a", "-mfpu=vfpv3-d16", "-mfloat-abi=softfp"],
        registers: ARM_VFP_REGISTERS,
        ..ARM
    },
    Convention {
        name: "armv7-vfp",
        target: "armv7",
        call_convs: &[CallConv::AapcsVfp],
        variadic: None,
        attribute: "__attribute__((pcs(\"aapcs-vfp\")))",
        flags: &["-marm", "-march=armv7-a", "-mfpu=vfpv3-d16", "-mfloat-abi=softfp"],
        registers: ARM_VFP_REGISTERS,
        returns: aapcs_vfp,
        ..ARM
    },
    Convention {
        name: "armv6",
        target: "armv6",
        call_convs: &[CallConv::SystemV, CallConv::Fast, CallConv::Aapcs, CallConv::AapcsSoftfp],
        flags: &["-marm", "-march=armv6", "-mfpu=vfp", "-mfloat-abi=softfp"],
        registers: ARM_VFP_REGISTERS,
        ..ARM
    },
    Convention {
        name: "armv6-vfp",
        target: "armv6",
        call_convs: &[CallConv::AapcsVfp],
        variadic: None,
        attribute: "__attribute__((pcs(\"aapcs-vfp\")))",
        flags: &["-marm", "-march=armv6", "-mfpu=vfp", "-mfloat-abi=softfp"],
        registers: ARM_VFP_REGISTERS,
        returns: aapcs_vfp,
        ..ARM
    },
    Convention {
        name: "armv5",
        target: "armv5",
        call_convs: &[CallConv::SystemV, CallConv::Fast, CallConv::Aapcs, CallConv::AapcsSoftfp],
        flags: &["-marm", "-march=armv5te", "-mfloat-abi=soft"],
        registers: ARM_REGISTERS,
        ..ARM
    },
];

/// What the rows of 32-bit ARM without hard floats share.
const ARM: Convention = Convention {
    variadic: Some((CallConv::SystemV, aapcs_base)),
    compiler: "arm-linux-gnueabi-gcc",
    package: "gcc-arm-linux-gnueabi",
    returns: aapcs_base,
    ..NONE
};

/// What those with hard floats share.
const ARMHF: Convention = Convention {
    // Variadic functions use the base standard.
    variadic: Some((CallConv::Aapcs, aapcs_base)),
    compiler: "arm-linux-gnueabihf-gcc",
    package: "gcc-arm-linux-gnueabihf",
    flags: &["-marm", "-march=armv7-a", "-mfpu=vfpv3-d16", "-mfloat-abi=hard"],
    registers: ARM_VFP_REGISTERS,
    returns: aapcs_vfp,
    ..ARM
};

/// AAPCS 6.4: a structure of at most a word comes in `r0`, any other in memory.
fn aapcs_base(structure: &Struct) -> Returns {
    if structure.bytes() <= 4 { Returns::Values(vec![(0, types::I32)]) } else { Returns::Memory }
}

/// AAPCS 7.1: the same, but that homogeneous aggregates of up to four floats come in VFP registers.
fn aapcs_vfp(structure: &Struct) -> Returns {
    match structure.homogeneous() {
        Some((scalar @ (Scalar::Float | Scalar::Double), count @ 1..=4)) => {
            Returns::Values((0..count).map(|i| (i * scalar.bytes(), scalar.ty())).collect())
        }
        _ => aapcs_base(structure),
    }
}

/// `r4`-`r11` hold their numbers while the function runs.
macro_rules! arm_registers {
    ($save:literal, $check:literal, $restore:literal) => {
        concat!(
            r#"__asm__(".text\n.arm\n.align 2\n.global kept_registers\n.type kept_registers, %function\nkept_registers:\n"
"push {r4-r11, lr}\nsub sp, sp, #4\nmov r12, r0\n"
"mov r4, #4\nmov r5, #5\nmov r6, #6\nmov r7, #7\nmov r8, #8\nmov r9, #9\nmov r10, #10\nmov r11, #11\n"
""#,
            $save,
            r#""
"blx r12\nmov r0, #0\n"
"cmp r4, #4\nmovne r0, #1\ncmp r5, #5\nmovne r0, #1\ncmp r6, #6\nmovne r0, #1\ncmp r7, #7\nmovne r0, #1\n"
"cmp r8, #8\nmovne r0, #1\ncmp r9, #9\nmovne r0, #1\ncmp r10, #10\nmovne r0, #1\ncmp r11, #11\nmovne r0, #1\n"
""#,
            $check,
            $restore,
            r#""
"add sp, sp, #4\npop {r4-r11, pc}\n.size kept_registers, . - kept_registers\n");"#
        )
    };
}

/// Without floating-point registers.
const ARM_REGISTERS: &str = arm_registers!("", "", "");

/// The same with `d8`-`d15`, which hold pairs of those numbers.
const ARM_VFP_REGISTERS: &str = arm_registers!(
    r"vpush {d8-d15}\nvmov d8, r4, r5\nvmov d9, r5, r6\nvmov d10, r6, r7\nvmov d11, r7, r8\n\
vmov d12, r8, r9\nvmov d13, r9, r10\nvmov d14, r10, r11\nvmov d15, r11, r4\n",
    r"vmov r1, r2, d8\ncmp r1, #4\ncmpeq r2, #5\nmovne r0, #1\nvmov r1, r2, d9\ncmp r1, #5\ncmpeq r2, #6\nmovne r0, #1\n\
vmov r1, r2, d10\ncmp r1, #6\ncmpeq r2, #7\nmovne r0, #1\nvmov r1, r2, d11\ncmp r1, #7\ncmpeq r2, #8\nmovne r0, #1\n\
vmov r1, r2, d12\ncmp r1, #8\ncmpeq r2, #9\nmovne r0, #1\nvmov r1, r2, d13\ncmp r1, #9\ncmpeq r2, #10\nmovne r0, #1\n\
vmov r1, r2, d14\ncmp r1, #10\ncmpeq r2, #11\nmovne r0, #1\nvmov r1, r2, d15\ncmp r1, #11\ncmpeq r2, #4\nmovne r0, #1\n",
    r"vpop {d8-d15}\n"
);
