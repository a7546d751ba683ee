//! The routines of the run-time library that throw, in machine code: they read the stack pointer and the return address
//! as they find them, and set the stack pointer.

use super::imm::BranchOffset;
use super::minst::Inst;
use super::regs::{SP, ZERO, r};
use super::reloc::REL24;
use super::startup::{Line, ds, function, get, global_entry, ld, li, mr, set, simm, std};
use crate::compiled::CompiledCode;
use crate::target::ElfInfo;
use alloc::string::String;
use alloc::vec::Vec;

/// `__windlass_throw` and `__windlass_throw_in`.
pub(super) fn routines(elf: &ElfInfo) -> Vec<(String, CompiledCode)> {
    // Both encode, as the tests of the start-up code show for all such functions.
    let routines = [
        function("__windlass_throw", &throw(0, elf), elf),
        function("__windlass_throw_in", &throw(1, elf), elf),
    ];
    routines.into_iter().flatten().collect()
}

/// The size of the frame: the header, a callee's arguments and the payload.
const FRAME_BYTES: i64 = 128;
/// Where the payload is kept.
const PAYLOAD: [i64; 2] = [112, 120];

/// ```text
/// addis r2, r12, …; addi r2, r2, …   # second ABI
/// mflr  r0
/// std   r0, 16(r1)
/// stdu  r1, -128(r1)
/// std   r4, 112(r1)      # the payload
/// std   r5, 120(r1)
/// mr    r7, r6           # the context, if there is one
/// mr    r5, r3           # the tag
/// addi  r3, r1, 128      # the stack pointer and the address behind the call
/// mr    r4, r0
/// li    r6, has_context
/// bl    __windlass_find_handler
/// nop
/// ld    r5, 112(r1)
/// ld    r6, 120(r1)
/// mtctr r3
/// mr    r1, r4
/// mr    r3, r5
/// mr    r4, r6
/// bctr
/// ```
fn throw(has_context: i64, elf: &ElfInfo) -> Vec<Line> {
    let mut code = global_entry(elf);
    let find = Some((REL24, "__windlass_find_handler", 0));
    code.extend([
        Inst::Mflr { rt: set(ZERO) }.into(),
        std(ZERO, 16, SP).into(),
        Inst::Stdu { ra: set(SP), rs: get(SP), ra_in: get(SP), d: ds(-FRAME_BYTES) }.into(),
        std(r(4), PAYLOAD[0], SP).into(),
        std(r(5), PAYLOAD[1], SP).into(),
        mr(r(7), r(6)).into(),
        mr(r(5), r(3)).into(),
        Inst::Addi { rt: set(r(3)), ra: get(SP), si: simm(FRAME_BYTES) }.into(),
        mr(r(4), ZERO).into(),
        li(r(6), has_context).into(),
        Line(Inst::Bl { target: BranchOffset::ZERO }, find),
        Inst::Nop.into(),
        ld(r(5), PAYLOAD[0], SP).into(),
        ld(r(6), PAYLOAD[1], SP).into(),
        Inst::Mtctr { rs: get(r(3)) }.into(),
        mr(SP, r(4)).into(),
        mr(r(3), r(5)).into(),
        mr(r(4), r(6)).into(),
        Inst::Bctr.into(),
    ]);
    code
}
