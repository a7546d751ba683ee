//! The run-time library's routines for what the processor does not do: names and conventions.
//!
//! Compilers' libraries have division of quadwords, C's library rounds and has a fused multiply-add for processors that
//! do not; conversions between floats and quadwords are the library's own, which take floats as integers of their bits.

use crate::builtins::RuntimeNames;
use crate::legalize::Runtime;
use windlass_ir::{CallConv, ExternalName, LibCall, Opcode, Type, types};

/// The ABI's names for routines of the library: it has none of its own.
pub(super) static NAMES: RuntimeNames = &[];

/// The routine for `opcode` that gives a `result` from operands of type `operand`.
pub(super) fn routine(opcode: Opcode, result: Type, operand: Type) -> Option<Runtime> {
    let name = name(opcode, result, operand)?;
    let floats_as_bits = name.starts_with("__windlass");
    let name = match LibCall::from_name(name) {
        Some(libcall) => ExternalName::LibCall(libcall),
        None => ExternalName::Symbol(name.into()),
    };
    Some(Runtime { name, call_conv: CallConv::SystemV, floats_as_bits })
}

fn name(opcode: Opcode, result: Type, operand: Type) -> Option<&'static str> {
    use Opcode::*;
    use types::{F32, F64, I128};
    Some(match (opcode, result, operand) {
        (Udiv, I128, _) => "__udivti3",
        (Sdiv, I128, _) => "__divti3",
        (Urem, I128, _) => "__umodti3",
        (Srem, I128, _) => "__modti3",
        (Sqrt, F32, _) => "sqrtf",
        (Sqrt, F64, _) => "sqrt",
        (Fma, F32, _) => "FmaF32",
        (Fma, F64, _) => "FmaF64",
        (Ceil, F32, _) => "CeilF32",
        (Ceil, F64, _) => "CeilF64",
        (Floor, F32, _) => "FloorF32",
        (Floor, F64, _) => "FloorF64",
        (Trunc, F32, _) => "TruncF32",
        (Trunc, F64, _) => "TruncF64",
        (Nearest, F32, _) => "NearestF32",
        (Nearest, F64, _) => "NearestF64",
        (FcvtFromSint, F32, I128) => "__windlass_f32_from_i128",
        (FcvtFromSint, F64, I128) => "__windlass_f64_from_i128",
        (FcvtFromUint, F32, I128) => "__windlass_f32_from_u128",
        (FcvtFromUint, F64, I128) => "__windlass_f64_from_u128",
        (FcvtToSintSat, I128, F32) => "__windlass_f32_to_i128",
        (FcvtToSintSat, I128, F64) => "__windlass_f64_to_i128",
        (FcvtToUintSat, I128, F32) => "__windlass_f32_to_u128",
        (FcvtToUintSat, I128, F64) => "__windlass_f64_to_u128",
        _ => return None,
    })
}
