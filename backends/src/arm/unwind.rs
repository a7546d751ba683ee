//! The routines of the run-time library that throw, in machine code: they read the stack pointer and the return address
//! as they find them, and set the stack pointer.

use super::imm::{ArmImm, BranchOffset, Offset12, PushList, known};
use super::minst::Inst;
use super::regs::{IP, LR, SP, r};
use super::startup::{function, get, mov, set};
use crate::compiled::CompiledCode;
use alloc::string::String;
use alloc::vec::Vec;

/// `__windlass_throw` and `__windlass_throw_in`.
pub(super) fn routines() -> Vec<(String, CompiledCode)> {
    let find = "__windlass_find_handler";
    let call = Some((8, find));
    // Both encode, as the tests of the start-up code show for all such functions.
    let routines =
        [function("__windlass_throw", &throw(0), call), function("__windlass_throw_in", &throw(1), call)];
    routines.into_iter().flatten().collect()
}

/// ```text
/// mov  ip, sp
/// push {r1, r2, r3, lr}  @ the payload, and the context, if there is one
/// sub  sp, sp, #8
/// str  r3, [sp]          @ the fifth argument
/// mov  r2, r0            @ the tag
/// mov  r0, ip            @ the stack pointer and the address behind the call
/// mov  r1, lr
/// mov  r3, #has_context
/// bl   __windlass_find_handler
/// ldr  r2, [sp, #8]
/// ldr  r3, [sp, #12]
/// mov  sp, r1
/// mov  ip, r0
/// mov  r0, r2
/// mov  r1, r3
/// bx   ip
/// ```
fn throw(has_context: u32) -> Vec<Inst> {
    let has_context = if has_context == 0 { known!(ArmImm::encode(0)) } else { known!(ArmImm::encode(1)) };
    Vec::from([
        mov(IP, SP),
        Inst::Push { list: known!(PushList::new(0b1110 | 1 << 14)) },
        Inst::SubImm { rd: set(SP), rn: get(SP), imm: known!(ArmImm::encode(8)) },
        Inst::StrImm { rt: get(r(3)), rn: get(SP), off: known!(Offset12::new(0)) },
        mov(r(2), r(0)),
        mov(r(0), IP),
        mov(r(1), LR),
        Inst::MovImm { rd: set(r(3)), imm: has_context },
        Inst::Bl { target: BranchOffset::ZERO },
        Inst::LdrImm { rt: set(r(2)), rn: get(SP), off: known!(Offset12::new(8)) },
        Inst::LdrImm { rt: set(r(3)), rn: get(SP), off: known!(Offset12::new(12)) },
        mov(SP, r(1)),
        mov(IP, r(0)),
        mov(r(0), r(2)),
        mov(r(1), r(3)),
        Inst::Bx { rm: get(IP) },
    ])
}
