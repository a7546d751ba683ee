//! The run-time library's routines for what the processor does not do: names and conventions.
//!
//! Compilers' libraries have division of quadwords, C's library rounds and has a fused multiply-add for processors that
//! do not; conversions between floats and quadwords are the library's own, which take floats as integers of their bits.

use crate::builtins::{self, RuntimeNames};
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
    use types::I128;
    Some(match (opcode, result, operand) {
        (Udiv, I128, _) => "__udivti3",
        (Sdiv, I128, _) => "__divti3",
        (Urem, I128, _) => "__umodti3",
        (Srem, I128, _) => "__modti3",
        _ => return builtins::float_routine(opcode, result, operand),
    })
}
