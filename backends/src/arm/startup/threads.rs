//! What programs with thread-local data need on a bare Linux kernel: start, the thread pointer, and how it is found.

use super::super::imm::{BranchOffset, Cond, Offset12, PushList, known};
use super::super::kernel::{Helper, call};
use super::super::minst::Inst;
use super::super::regs::{IP, LR, r};
use super::super::reloc::{ABS32, JUMP24};
use super::{LR_BIT, PC_BIT, get, mov, set, svc};
use crate::compiled::CompiledCode;
use crate::machinst::encode::EncodeError;
use crate::reloc::Reloc;
use alloc::string::String;
use alloc::vec::Vec;
use windlass_ir::ExternalName;

/// A function under its name.
type Named = Result<(String, CompiledCode), EncodeError>;

/// `__ARM_NR_set_tls`: sets the thread pointer, that of the processor's register and of the kernel's helper.
const SYS_SET_TLS: u32 = 0xf_0005;

/// The functions; `has_register` says whether the processor's level has a register for the thread pointer.
pub(super) fn functions(has_register: bool) -> [Named; 3] {
    [
        start(),
        function("__aeabi_read_tp", &read_pointer(has_register)),
        function("__tls_get_addr", &get_address(has_register)),
    ]
}

fn function(name: &str, code: &[Inst]) -> Named {
    let mut bytes = Vec::with_capacity(4 * code.len());
    for inst in code {
        bytes.extend_from_slice(&inst.encode()?.to_le_bytes());
    }
    Ok((name.into(), CompiledCode { bytes, alignment: 4, ..CompiledCode::default() }))
}

/// ```text
///     ldr  r0, =__windlass_tls_template
///     ldr  r1, =__windlass_tls_template_end
///     ldr  r2, =__windlass_tls_data
/// 1:  cmp  r0, r1
///     bhs  2f
///     ldrb r3, [r0], #1
///     strb r3, [r2], #1
///     b    1b
/// 2:  ldr  r0, =__windlass_tls_pointer
///     ldr  r7, =0xf0005   @ set_tls
///     svc  0
///     b    _start
/// ```
fn start() -> Named {
    const POOL: [&str; 4] = [
        "__windlass_tls_template",
        "__windlass_tls_template_end",
        "__windlass_tls_data",
        "__windlass_tls_pointer",
    ];
    const LENGTH: u32 = 12;
    // Word `n` of the pool, loaded by instruction number `at`, which reads the program counter two words ahead.
    let literal = |rt: u8, at: u32, n: u32| {
        let off = Offset12::new((4 * (LENGTH + n - at - 2)) as i32).unwrap_or(Offset12::ZERO);
        Inst::LdrLit { rt: set(r(rt)), off }
    };
    let code = [
        literal(0, 0, 0),
        literal(1, 1, 1),
        literal(2, 2, 2),
        Inst::Cmp { rn: get(r(0)), rm: get(r(1)) },
        Inst::BCc { cond: Cond::Hs, target: known!(BranchOffset::new(16)) },
        Inst::LdrbImmPost { rt: set(r(3)), rn: set(r(0)), rn_in: get(r(0)), off: known!(Offset12::new(1)) },
        Inst::StrbImmPost { rn: set(r(2)), rn_in: get(r(2)), rt: get(r(3)), off: known!(Offset12::new(1)) },
        Inst::B { target: known!(BranchOffset::new(-16)) },
        literal(0, 8, 3),
        literal(7, 9, 4),
        svc(),
        Inst::B { target: BranchOffset::ZERO },
    ];
    let (name, mut code) = function("__windlass_start_threads", &code)?;
    code.data_ranges.push(4 * LENGTH..4 * (LENGTH + POOL.len() as u32 + 1));
    code.bytes.extend_from_slice(&[0; 4 * POOL.len()]);
    code.bytes.extend_from_slice(&SYS_SET_TLS.to_le_bytes());
    let start = ExternalName::symbol("_start");
    code.relocs.push(Reloc { offset: 4 * (LENGTH - 1), kind: JUMP24, symbol: start, addend: -8 });
    code.relocs.extend(POOL.iter().zip(LENGTH..).map(|(name, n)| {
        let symbol = ExternalName::symbol(name);
        Reloc { offset: 4 * n, kind: ABS32, symbol, addend: 0 }
    }));
    Ok((name, code))
}

/// `mrc p15, 0, r0, c13, c0, 3 ; bx lr`, or a jump to the kernel's helper, which returns to `lr`.
fn read_pointer(has_register: bool) -> Vec<Inst> {
    if has_register {
        return Vec::from([Inst::MrcTpidruro { rt: set(r(0)) }, Inst::Bx { rm: get(LR) }]);
    }
    let mut code = Vec::from(call(Helper::ThreadPointer));
    code.pop();
    code.push(Inst::Bx { rm: get(IP) });
    code
}

/// The second of the two words at `r0`, which is the distance from the thread pointer, made an address:
/// ```text
///     ldr r1, [r0, #4]
///     mrc p15, 0, r0, c13, c0, 3      or  push {r4, lr} ; mov r4, r1 ; the kernel's helper ; mov r1, r4
///     add r0, r0, r1
///     bx  lr                          or  pop {r4, pc}
/// ```
fn get_address(has_register: bool) -> Vec<Inst> {
    const R4_BIT: u16 = 1 << 4;
    let mut code = Vec::from([Inst::LdrImm { rt: set(r(1)), rn: get(r(0)), off: known!(Offset12::new(4)) }]);
    let add = Inst::Add { rd: set(r(0)), rn: get(r(0)), rm: get(r(1)) };
    if has_register {
        code.extend([Inst::MrcTpidruro { rt: set(r(0)) }, add, Inst::Bx { rm: get(LR) }]);
        return code;
    }
    code.extend([Inst::Push { list: known!(PushList::new(R4_BIT | LR_BIT)) }, mov(r(4), r(1))]);
    code.extend(call(Helper::ThreadPointer));
    code.extend([mov(r(1), r(4)), add, Inst::Pop { list: known!(PushList::new(R4_BIT | PC_BIT)) }]);
    code
}
