//! The conventions of 64-bit POWER.

use super::NONE;
use crate::abi::ctype::{Scalar, Struct};
use crate::abi::{Convention, Returns};
use windlass_ir::{CallConv, types};

/// The rows.
pub const ROWS: &[Convention] = &[
    PPC64LE,
    // C that needs no table of contents, and keeps `r2` for nobody.
    Convention { name: "ppc64le-power10", target: "ppc64le power10", flags: &["-mcpu=power10"], ..PPC64LE },
    PPC64,
    Convention { name: "ppc64-power7", target: "ppc64 power7", flags: &["-mcpu=power7"], ..PPC64 },
];

/// The second ABI of 64-bit POWER.
const PPC64LE: Convention = Convention {
    name: "ppc64le",
    target: "ppc64le",
    call_convs: &[CallConv::SystemV, CallConv::Fast, CallConv::Elfv2],
    variadic: Some((CallConv::Elfv2, elf_v2)),
    compiler: "powerpc64le-linux-gnu-gcc",
    package: "gcc-powerpc64le-linux-gnu",
    flags: &["-mcpu=power8"],
    registers: PPC64_V2_REGISTERS,
    returns: elf_v2,
    ..PPC64
};

/// The first ABI of 64-bit POWER, and what the rows of the second share with it.
const PPC64: Convention = Convention {
    name: "ppc64",
    target: "ppc64",
    call_convs: &[CallConv::SystemV, CallConv::Fast, CallConv::Elfv1],
    variadic: Some((CallConv::Elfv1, elf_v1)),
    compiler: "powerpc64-linux-gnu-gcc",
    package: "gcc-powerpc64-linux-gnu",
    flags: &["-mcpu=970"],
    registers: PPC64_V1_REGISTERS,
    wide: true,
    returns: elf_v1,
    ..NONE
};

/// 64-bit PowerPC ELF ABI, 3.2.3: every structure comes in memory.
fn elf_v1(_: &Struct) -> Returns {
    Returns::Memory
}

/// 64-bit ELF V2 ABI, 2.2.5: homogeneous aggregates of up to eight floats come in floating-point registers, others of up to
/// two doublewords in general-purpose ones.
fn elf_v2(structure: &Struct) -> Returns {
    match (structure.homogeneous(), structure.bytes()) {
        (Some((scalar @ (Scalar::Float | Scalar::Double), count @ 1..=8)), _) => {
            Returns::Values((0..count).map(|i| (i * scalar.bytes(), scalar.ty())).collect())
        }
        (_, 1..=8) => Returns::Values(vec![(0, types::I64)]),
        (_, 9..=16) => Returns::Values(vec![(0, types::I64), (8, types::I64)]),
        _ => Returns::Memory,
    }
}

/// `r14`-`r31` and `f14`-`f31` hold their numbers while the function runs, and `cr2`-`cr4` a pattern.
macro_rules! ppc64_registers {
    ($entry:literal, $call:literal) => {
        concat!(
            r#"__asm__(".text\n.align 2\n.global kept_registers\n.type kept_registers, @function\n"
""#,
            $entry,
            r#""
"mflr 0\nstd 0, 16(1)\nmfcr 0\nstw 0, 8(1)\nstdu 1, -448(1)\n"
".irp reg, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29, 30, 31\n"
"std \\reg, 16+8*\\reg(1)\nstfd \\reg, 160+8*\\reg(1)\n"
"li \\reg, \\reg\nstd \\reg, 424(1)\nlfd \\reg, 424(1)\n.endr\n"
"lis 0, 0xa5\nori 0, 0, 0xa000\nmtcrf 0x38, 0\n"
""#,
            $call,
            r#""
"li 3, 0\nmfcr 0\nrlwinm 0, 0, 0, 8, 19\nxoris 0, 0, 0xa5\nxori 0, 0, 0xa000\nor 3, 3, 0\n"
".irp reg, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29, 30, 31\n"
"xori 0, \\reg, \\reg\nor 3, 3, 0\nstfd \\reg, 424(1)\nld 0, 424(1)\nxori 0, 0, \\reg\nor 3, 3, 0\n"
"ld \\reg, 16+8*\\reg(1)\nlfd \\reg, 160+8*\\reg(1)\n.endr\n"
"cmpdi 3, 0\nbeq 0f\nli 3, 1\n0: addi 1, 1, 448\nld 0, 16(1)\nmtlr 0\nlwz 0, 8(1)\nmtcrf 0x38, 0\nblr\n");"#
        )
    };
}

/// In the first ABI.
const PPC64_V1_REGISTERS: &str = ppc64_registers!(
    r#".section .opd, \"aw\"\n.align 3\nkept_registers: .quad .Lkept, .TOC.@tocbase, 0\n.previous\n.Lkept:\n"#,
    r"std 2, 40(1)\nld 0, 0(3)\nld 2, 8(3)\nmtctr 0\nbctrl\nld 2, 40(1)\n"
);

/// In the second.
const PPC64_V2_REGISTERS: &str =
    ppc64_registers!(r"kept_registers:\n", r"std 2, 24(1)\nmr 12, 3\nmtctr 12\nbctrl\nld 2, 24(1)\n");
