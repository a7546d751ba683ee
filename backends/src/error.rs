//! Why a function could not be compiled.

use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;
use windlass_ir::{Inst, Type};

/// Why a function could not be compiled: the front end's fault, a limit of ours, or a bug of ours.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum CompileError {
    /// The function is malformed. Each fault names its place.
    Verify(Vec<windlass_ir::verifier::Fault>),
    /// A correct function that this target cannot express yet.
    Unsupported {
        /// The target.
        target: &'static str,
        /// The instruction, if it is one's fault.
        inst: Option<Inst>,
        /// What is not supported: an opcode with its type, a type, a calling convention.
        what: String,
    },
    /// The function is larger than the target's or the file format's reach.
    TooLarge {
        /// What is too large.
        what: &'static str,
        /// How large it would be, in bytes.
        needed: u64,
        /// How large it may be, in bytes.
        limit: u64,
    },
    /// A bug of ours: please report it.
    Internal {
        /// The stage that noticed.
        stage: &'static str,
        /// What it noticed.
        what: String,
    },
}

impl CompileError {
    /// Shorthand for an unsupported instruction: `opcode` at type `ty`.
    pub fn unsupported_op(
        target: &'static str,
        inst: Inst,
        opcode: windlass_ir::Opcode,
        ty: Type,
    ) -> CompileError {
        let what = if ty.is_invalid() { alloc::format!("{opcode}") } else { alloc::format!("{opcode}.{ty}") };
        CompileError::Unsupported { target, inst: Some(inst), what }
    }

    /// The same error about `map` of its instruction.
    pub fn map_inst(mut self, map: impl Fn(Inst) -> Inst) -> CompileError {
        if let CompileError::Unsupported { inst: Some(inst), .. } = &mut self {
            *inst = map(*inst);
        }
        self
    }

    /// The instruction that the error is about, if it is about one.
    pub fn inst(&self) -> Option<Inst> {
        match self {
            CompileError::Unsupported { inst, .. } => *inst,
            _ => None,
        }
    }
}

impl fmt::Display for CompileError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            CompileError::Verify(faults) => {
                for (i, fault) in faults.iter().enumerate() {
                    write!(f, "{}{fault}", if i == 0 { "" } else { "\n" })?;
                }
                Ok(())
            }
            CompileError::Unsupported { target, what, .. } => {
                write!(f, "{what} is not supported on {target}")
            }
            CompileError::TooLarge { what, needed, limit } => {
                write!(f, "{what} takes {needed} bytes, and may take {limit}")
            }
            CompileError::Internal { stage, what } => {
                write!(f, "internal error in {stage}, please report it: {what}")
            }
        }
    }
}

impl core::error::Error for CompileError {}
