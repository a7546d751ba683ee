//! Code for programs on a bare Linux kernel, ARM EABI: start, system calls, and a way back from signals.
//!
//! System calls take their number in `r7` and arguments in `r0`–`r5` (syscall(2)). A record of `__windlass_protect`
//! holds, in bytes:
//!
//! | offset | what |
//! |---|---|
//! | 0 | `sp` |
//! | 4 | `r4`–`r11` |
//! | 36 | `lr` |
//! | 40 | `d8`–`d15`, if there are floating-point registers |
//!
//! which is what a function must leave as it found it (AAPCS, 6.1). `__windlass_recover` runs as the continuation of
//! the instruction that the signal interrupted: nothing but the record is worth keeping there.

use super::imm::{ArmImm, BranchOffset, DRegList, Imm24, Offset12, PushList, RegList, TrapCode16, known};
use super::minst::Inst;
use super::regs::{FP, IP, LR, SP, r};
use super::reloc::CALL;
use crate::compiled::CompiledCode;
use crate::machinst::encode::EncodeError;
use crate::machinst::reg::{Reg, Writable, WritableReg};
use crate::reloc::Reloc;
use crate::target::{SignalLayout, Startup};
use alloc::string::String;
use alloc::vec::Vec;
use windlass_ir::ExternalName;
use windlass_regalloc::PReg;

/// Where the core registers are in a record, and their size, in bytes.
const CORE_BYTES: u32 = 40;
/// `d8`–`d15`, in bytes.
const FLOAT_BYTES: u32 = 64;

/// `sigcontext` of ARM is the third member of `ucontext_t`, after `uc_flags`, `uc_link` and `uc_stack` (20 bytes). It
/// starts with `trap_no`, `error_code` and `oldmask`; the sixteen core registers follow.
const UCONTEXT_R0: u32 = 20 + 12;

/// Linux system calls and signal frames of the ARM EABI.
pub const SIGNAL: SignalLayout = SignalLayout {
    pc: UCONTEXT_R0 + 4 * 15,
    arg0: UCONTEXT_R0,
    sys_write: 4,
    sys_exit_group: 248,
    sys_rt_sigaction: 174,
    sys_sigaltstack: 186,
    sys_rt_sigprocmask: 175,
};

const SYS_EXIT_GROUP: u32 = SIGNAL.sys_exit_group;

mod threads;

/// The functions of [`Startup`]; `vfp` says whether there are floating-point registers to save, `thread_register` whether
/// there is a register for the thread pointer.
pub fn startup(vfp: bool, thread_register: bool) -> Startup {
    let functions = [
        function("_start", &start(), Some((2, "__windlass_main"))),
        function("__windlass_syscall", &syscall(), None),
        function("__windlass_protect", &protect(vfp), None),
        function("__windlass_recover", &recover(vfp), None),
    ];
    // All of them encode, as the tests show; one that did not would be an undefined symbol to the linker.
    let functions = functions.into_iter().flatten().collect();
    let record_bytes = CORE_BYTES + if vfp { FLOAT_BYTES } else { 0 };
    let threads = threads::functions(thread_register).into_iter().flatten().collect();
    Startup { functions, threads, record_bytes, signal: SIGNAL }
}

/// Core registers by number, as [`RegList`] wants them.
const fn bits(low: u16, high: u16) -> u16 {
    let mut bits = 0;
    let mut n = low;
    while n <= high {
        bits |= 1 << n;
        n += 1;
    }
    bits
}

const LR_BIT: u16 = 1 << 14;
const PC_BIT: u16 = 1 << 15;

pub(super) fn get(reg: PReg) -> Reg {
    Reg::from_preg(reg)
}

pub(super) fn set(reg: PReg) -> WritableReg {
    Writable::from_reg(get(reg))
}

pub(super) fn mov(rd: PReg, rm: PReg) -> Inst {
    Inst::Mov { rd: set(rd), rm: get(rm) }
}

const fn svc() -> Inst {
    Inst::Svc { number: known!(Imm24::new(0)) }
}

/// ```text
/// mov fp, #0          @ the outermost frame
/// mov r0, sp
/// bl  __windlass_main
/// mov r7, #248        @ exit_group
/// svc 0
/// udf 0
/// ```
fn start() -> Vec<Inst> {
    Vec::from([
        Inst::MovImm { rd: set(FP), imm: known!(ArmImm::encode(0)) },
        mov(r(0), SP),
        Inst::Bl { target: BranchOffset::ZERO },
        Inst::MovImm { rd: set(r(7)), imm: known!(ArmImm::encode(SYS_EXIT_GROUP)) },
        svc(),
        Inst::Udf { code: known!(TrapCode16::new(0)) },
    ])
}

/// ```text
/// push {r4, r5, r7, lr}
/// mov  r7, r0         @ the number
/// mov  r0, r1
/// mov  r1, r2
/// mov  r2, r3
/// ldr  r3, [sp, #16]  @ the arguments on the stack
/// ldr  r4, [sp, #20]
/// ldr  r5, [sp, #24]
/// svc  0
/// pop  {r4, r5, r7, pc}
/// ```
fn syscall() -> Vec<Inst> {
    const SAVED: u16 = bits(4, 5) | 1 << 7;
    let argument = |n: u8, off| Inst::LdrImm { rt: set(r(n)), rn: get(SP), off };
    Vec::from([
        Inst::Push { list: known!(PushList::new(SAVED | LR_BIT)) },
        mov(r(7), r(0)),
        mov(r(0), r(1)),
        mov(r(1), r(2)),
        mov(r(2), r(3)),
        argument(3, known!(Offset12::new(16))),
        argument(4, known!(Offset12::new(20))),
        argument(5, known!(Offset12::new(24))),
        svc(),
        Inst::Pop { list: known!(PushList::new(SAVED | PC_BIT)) },
    ])
}

/// ```text
/// mov    r3, sp
/// stmia  r2, {r3-r11, lr}
/// add    ip, r2, #40
/// vstmia ip, {d8-d15}
/// push   {r4, lr}     @ keeps the stack aligned to 8 bytes
/// mov    r3, r0
/// mov    r0, r1
/// blx    r3
/// mov    r0, #0
/// pop    {r4, pc}
/// ```
fn protect(vfp: bool) -> Vec<Inst> {
    let mut code = Vec::from([
        mov(r(3), SP),
        Inst::Stmia { rn: get(r(2)), list: known!(RegList::new(bits(3, 11) | LR_BIT)) },
    ]);
    if vfp {
        code.push(Inst::AddImm { rd: set(IP), rn: get(r(2)), imm: known!(ArmImm::encode(CORE_BYTES)) });
        code.push(Inst::VstmiaF64 { rn: get(IP), list: known!(DRegList::new(8, 8)) });
    }
    code.extend([
        Inst::Push { list: known!(PushList::new(1 << 4 | LR_BIT)) },
        mov(r(3), r(0)),
        mov(r(0), r(1)),
        Inst::Blx { rm: get(r(3)) },
        Inst::MovImm { rd: set(r(0)), imm: known!(ArmImm::encode(0)) },
        Inst::Pop { list: known!(PushList::new(1 << 4 | PC_BIT)) },
    ]);
    code
}

/// ```text
/// ldmia  r0, {r3-r11, lr}
/// add    ip, r0, #40
/// vldmia ip, {d8-d15}
/// mov    sp, r3
/// mov    r0, #1
/// bx     lr
/// ```
fn recover(vfp: bool) -> Vec<Inst> {
    let mut code =
        Vec::from([Inst::Ldmia { rn: get(r(0)), list: known!(RegList::new(bits(3, 11) | LR_BIT)) }]);
    if vfp {
        code.push(Inst::AddImm { rd: set(IP), rn: get(r(0)), imm: known!(ArmImm::encode(CORE_BYTES)) });
        code.push(Inst::VldmiaF64 { rn: get(IP), list: known!(DRegList::new(8, 8)) });
    }
    code.extend([
        mov(SP, r(3)),
        Inst::MovImm { rd: set(r(0)), imm: known!(ArmImm::encode(1)) },
        Inst::Bx { rm: get(LR) },
    ]);
    code
}

/// Encodes a function; instruction number `call.0`, if there is one, calls the function `call.1`.
pub(super) fn function(
    name: &str,
    code: &[Inst],
    call: Option<(u32, &str)>,
) -> Result<(String, CompiledCode), EncodeError> {
    let mut bytes = Vec::with_capacity(4 * code.len());
    for inst in code {
        bytes.extend_from_slice(&inst.encode()?.to_le_bytes());
    }
    // BL reads the program counter as its own address + 8.
    let relocs = call.map(|(n, callee)| {
        let symbol = ExternalName::symbol(callee);
        Reloc { offset: 4 * n, kind: CALL, symbol, addend: -8 }
    });
    let relocs = relocs.into_iter().collect();
    Ok((name.into(), CompiledCode { bytes, alignment: 4, relocs, ..CompiledCode::default() }))
}

#[cfg(all(test, feature = "object"))]
mod tests;
