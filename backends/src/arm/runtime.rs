//! The run-time library's routines for what the processor does not do: names and conventions of the Run-time ABI for
//! the Arm Architecture (IHI 0043), and of compilers' libraries beyond it.
//!
//! The ABI's functions with one result are those with two: whoever wants the quotient alone ignores the rest. Those on
//! floating-point numbers take and give them in core registers whatever the target's convention: for the library they
//! are integers. Conversions to integers do what the ABI leaves open: they saturate, and NaN is 0.

use crate::builtins::{self, RuntimeNames};
use crate::legalize::Runtime;
use windlass_ir::{CallConv, ExternalName, FloatCC, LibCall, Opcode, Type, types};

/// The ABI's name, the library's own.
pub(super) static NAMES: RuntimeNames = &[
    // Integer division, section 4.3.1.
    ("__aeabi_uidivmod", "__windlass_udivmod32"),
    ("__aeabi_uidiv", "__windlass_udivmod32"),
    ("__aeabi_idivmod", "__windlass_sdivmod32"),
    ("__aeabi_idiv", "__windlass_sdivmod32"),
    ("__aeabi_uldivmod", "__windlass_udivmod64"),
    ("__aeabi_ldivmod", "__windlass_sdivmod64"),
    // Floating-point arithmetic, section 4.1.2, tables 2 and 4.
    ("__aeabi_dadd", "__windlass_f64_add"),
    ("__aeabi_dsub", "__windlass_f64_sub"),
    ("__aeabi_drsub", "__windlass_f64_rsub"),
    ("__aeabi_dmul", "__windlass_f64_mul"),
    ("__aeabi_ddiv", "__windlass_f64_div"),
    ("__aeabi_dneg", "__windlass_f64_neg"),
    ("__aeabi_fadd", "__windlass_f32_add"),
    ("__aeabi_fsub", "__windlass_f32_sub"),
    ("__aeabi_frsub", "__windlass_f32_rsub"),
    ("__aeabi_fmul", "__windlass_f32_mul"),
    ("__aeabi_fdiv", "__windlass_f32_div"),
    ("__aeabi_fneg", "__windlass_f32_neg"),
    // Comparisons that return 0 or 1, tables 3 and 5.
    ("__aeabi_dcmpeq", "__windlass_f64_eq"),
    ("__aeabi_dcmplt", "__windlass_f64_lt"),
    ("__aeabi_dcmple", "__windlass_f64_le"),
    ("__aeabi_dcmpge", "__windlass_f64_ge"),
    ("__aeabi_dcmpgt", "__windlass_f64_gt"),
    ("__aeabi_dcmpun", "__windlass_f64_un"),
    ("__aeabi_fcmpeq", "__windlass_f32_eq"),
    ("__aeabi_fcmplt", "__windlass_f32_lt"),
    ("__aeabi_fcmple", "__windlass_f32_le"),
    ("__aeabi_fcmpge", "__windlass_f32_ge"),
    ("__aeabi_fcmpgt", "__windlass_f32_gt"),
    ("__aeabi_fcmpun", "__windlass_f32_un"),
    // Conversions, tables 6 to 8.
    ("__aeabi_d2iz", "__windlass_f64_to_i32"),
    ("__aeabi_d2uiz", "__windlass_f64_to_u32"),
    ("__aeabi_d2lz", "__windlass_f64_to_i64"),
    ("__aeabi_d2ulz", "__windlass_f64_to_u64"),
    ("__aeabi_f2iz", "__windlass_f32_to_i32"),
    ("__aeabi_f2uiz", "__windlass_f32_to_u32"),
    ("__aeabi_f2lz", "__windlass_f32_to_i64"),
    ("__aeabi_f2ulz", "__windlass_f32_to_u64"),
    ("__aeabi_d2f", "__windlass_f64_to_f32"),
    ("__aeabi_f2d", "__windlass_f64_from_f32"),
    ("__aeabi_i2d", "__windlass_f64_from_i32"),
    ("__aeabi_ui2d", "__windlass_f64_from_u32"),
    ("__aeabi_l2d", "__windlass_f64_from_i64"),
    ("__aeabi_ul2d", "__windlass_f64_from_u64"),
    ("__aeabi_i2f", "__windlass_f32_from_i32"),
    ("__aeabi_ui2f", "__windlass_f32_from_u32"),
    ("__aeabi_l2f", "__windlass_f32_from_i64"),
    ("__aeabi_ul2f", "__windlass_f32_from_u64"),
    // Memory, section 4.3.4: the length comes before the byte; the digit promises an alignment.
    ("__aeabi_memcpy", "memcpy"),
    ("__aeabi_memcpy4", "memcpy"),
    ("__aeabi_memcpy8", "memcpy"),
    ("__aeabi_memmove", "memmove"),
    ("__aeabi_memmove4", "memmove"),
    ("__aeabi_memmove8", "memmove"),
    ("__aeabi_memset", "__windlass_fill"),
    ("__aeabi_memset4", "__windlass_fill"),
    ("__aeabi_memset8", "__windlass_fill"),
    ("__aeabi_memclr", "__windlass_clear"),
    ("__aeabi_memclr4", "__windlass_clear"),
    ("__aeabi_memclr8", "__windlass_clear"),
];

/// The routine for `opcode` that gives a `result` from operands of type `operand`.
pub(super) fn routine(opcode: Opcode, result: Type, operand: Type) -> Option<Runtime> {
    let division = match (opcode, result) {
        (Opcode::Udiv, types::I128) => Some("__udivti3"),
        (Opcode::Sdiv, types::I128) => Some("__divti3"),
        (Opcode::Urem, types::I128) => Some("__umodti3"),
        (Opcode::Srem, types::I128) => Some("__modti3"),
        _ => None,
    };
    if let Some(name) = division {
        return Some(routine_of(ExternalName::Symbol(name.into()), CallConv::SystemV));
    }
    let name = float_name(opcode, result, operand)?;
    if let Some(libcall) = LibCall::from_name(name) {
        return Some(routine_of(ExternalName::LibCall(libcall), CallConv::SystemV));
    }
    // The ABI's helpers, and those on bits, have the base standard's convention in every program.
    let call_conv = if name.starts_with("__") { CallConv::Aapcs } else { CallConv::SystemV };
    Some(routine_of(ExternalName::Symbol(name.into()), call_conv))
}

/// Names for floating point: of the ABI, of routines of the IR, of the library itself where neither has one (or, for
/// saturating conversions, leaves open what happens out of range).
fn float_name(opcode: Opcode, result: Type, operand: Type) -> Option<&'static str> {
    use Opcode::*;
    use types::{F32, F64, I32, I64};
    Some(match (opcode, result, operand) {
        (Fadd, F32, _) => "__aeabi_fadd",
        (Fadd, F64, _) => "__aeabi_dadd",
        (Fsub, F32, _) => "__aeabi_fsub",
        (Fsub, F64, _) => "__aeabi_dsub",
        (Fmul, F32, _) => "__aeabi_fmul",
        (Fmul, F64, _) => "__aeabi_dmul",
        (Fdiv, F32, _) => "__aeabi_fdiv",
        (Fdiv, F64, _) => "__aeabi_ddiv",
        (Fpromote, F64, F32) => "__aeabi_f2d",
        (Fdemote, F32, F64) => "__aeabi_d2f",
        (FcvtFromSint, F32, I32) => "__aeabi_i2f",
        (FcvtFromSint, F64, I32) => "__aeabi_i2d",
        (FcvtFromUint, F32, I32) => "__aeabi_ui2f",
        (FcvtFromUint, F64, I32) => "__aeabi_ui2d",
        (FcvtFromSint, F32, I64) => "__aeabi_l2f",
        (FcvtFromSint, F64, I64) => "__aeabi_l2d",
        (FcvtFromUint, F32, I64) => "__aeabi_ul2f",
        (FcvtFromUint, F64, I64) => "__aeabi_ul2d",
        (FcvtToSintSat, I32, F32) => "__windlass_f32_to_i32",
        (FcvtToSintSat, I32, F64) => "__windlass_f64_to_i32",
        (FcvtToUintSat, I32, F32) => "__windlass_f32_to_u32",
        (FcvtToUintSat, I32, F64) => "__windlass_f64_to_u32",
        (FcvtToSintSat, I64, F32) => "__windlass_f32_to_i64",
        (FcvtToSintSat, I64, F64) => "__windlass_f64_to_i64",
        (FcvtToUintSat, I64, F32) => "__windlass_f32_to_u64",
        (FcvtToUintSat, I64, F64) => "__windlass_f64_to_u64",
        _ => return builtins::float_routine(opcode, result, operand),
    })
}

/// The base standard passes floats in core registers, as integers of their bits.
fn routine_of(name: ExternalName, call_conv: CallConv) -> Runtime {
    Runtime { name, call_conv, floats_as_bits: call_conv == CallConv::Aapcs }
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
    Some(routine_of(ExternalName::Symbol(name.into()), CallConv::Aapcs))
}
