//! The run-time library's routines for what the processor does not do: names and conventions of the Run-time ABI for
//! the Arm Architecture (IHI 0043), and of compilers' libraries beyond it.
//!
//! The ABI's functions with one result are those with two: whoever wants the quotient alone ignores the rest.

use crate::builtins::RuntimeNames;
use crate::legalize::Runtime;
use windlass_ir::{CallConv, ExternalName, FloatCC, Opcode, Type, types};

/// The ABI's name, the library's own.
pub(super) static NAMES: RuntimeNames = &[
    // Integer division, section 4.3.1.
    ("__aeabi_uidivmod", "__windlass_udivmod32"),
    ("__aeabi_uidiv", "__windlass_udivmod32"),
    ("__aeabi_idivmod", "__windlass_sdivmod32"),
    ("__aeabi_idiv", "__windlass_sdivmod32"),
    ("__aeabi_uldivmod", "__windlass_udivmod64"),
    ("__aeabi_ldivmod", "__windlass_sdivmod64"),
];

/// The routine for `opcode` that gives a `result` from operands of type `operand`.
pub(super) fn routine(opcode: Opcode, result: Type, operand: Type) -> Option<Runtime> {
    let name = match (opcode, result, operand) {
        (Opcode::Udiv, types::I128, _) => "__udivti3",
        (Opcode::Sdiv, types::I128, _) => "__divti3",
        (Opcode::Urem, types::I128, _) => "__umodti3",
        (Opcode::Srem, types::I128, _) => "__modti3",
        _ => return None,
    };
    Some(Runtime { name: ExternalName::Symbol(name.into()), call_conv: CallConv::SystemV })
}

/// The routine that compares floats (section 4.1.2, tables 3 and 5).
pub(super) fn comparison(cc: FloatCC, ty: Type) -> Option<Runtime> {
    let name = match (cc, ty) {
        (FloatCC::Equal, types::F32) => "__aeabi_fcmpeq",
        (FloatCC::LessThan, types::F32) => "__aeabi_fcmplt",
        (FloatCC::LessThanOrEqual, types::F32) => "__aeabi_fcmple",
        (FloatCC::GreaterThan, types::F32) => "__aeabi_fcmpgt",
        (FloatCC::GreaterThanOrEqual, types::F32) => "__aeabi_fcmpge",
        (FloatCC::Unordered, types::F32) => "__aeabi_fcmpun",
        (FloatCC::Equal, types::F64) => "__aeabi_dcmpeq",
        (FloatCC::LessThan, types::F64) => "__aeabi_dcmplt",
        (FloatCC::LessThanOrEqual, types::F64) => "__aeabi_dcmple",
        (FloatCC::GreaterThan, types::F64) => "__aeabi_dcmpgt",
        (FloatCC::GreaterThanOrEqual, types::F64) => "__aeabi_dcmpge",
        (FloatCC::Unordered, types::F64) => "__aeabi_dcmpun",
        _ => return None,
    };
    Some(Runtime { name: ExternalName::Symbol(name.into()), call_conv: CallConv::Aapcs })
}
