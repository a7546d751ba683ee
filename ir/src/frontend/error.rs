//! What a front end can do wrong.

use super::Variable;
use crate::entities::{Block, Inst, Value};
use crate::types::Type;
use core::fmt;

/// What a front end has done wrong. Methods that have no result to give it with keep the first one for
/// [`FunctionBuilder::finalize`](super::FunctionBuilder::finalize).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum BuildError {
    /// A variable that was never declared.
    UndeclaredVariable(Variable),
    /// A variable without a definition on some path to its use, where
    /// [`UndefinedUse::Error`](super::UndefinedUse::Error) is asked for.
    UndefinedVariable(Variable),
    /// A definition of a variable by a value of another type.
    TypeMismatch {
        /// The variable.
        variable: Variable,
        /// Its type.
        expected: Type,
        /// The value.
        value: Value,
        /// The value's type.
        found: Type,
    },
    /// A value of no function's, or of another's.
    UnknownValue(Value),
    /// A block that was never made.
    UnknownBlock(Block),
    /// Something that needs a current block, before any
    /// [`switch_to_block`](super::FunctionBuilder::switch_to_block).
    NoCurrentBlock,
    /// An instruction or a definition behind the block's terminator.
    FilledBlock(Block),
    /// A branch to a block after it was sealed.
    SealedBlock(Block),
    /// A parameter for a block after branches to it got arguments for variables.
    LateParameter(Block),
    /// A block, one that is branched to or has instructions, does not end in a terminator.
    UnfilledBlock(Block),
    /// A block was never sealed.
    UnsealedBlock(Block),
    /// More variables meet in a block than it can have parameters.
    TooManyParameters(Block),
    /// More values than branches can pass.
    TooManyValues,
    /// An instruction that has no such destination, or is no branch.
    NotADestination(Inst, Block),
}

impl fmt::Display for BuildError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            BuildError::UndeclaredVariable(var) => write!(f, "{var} is not declared"),
            BuildError::UndefinedVariable(var) => {
                write!(f, "{var} is used where it may not have been defined")
            }
            BuildError::TypeMismatch { variable, expected, value, found } => {
                write!(f, "{variable} of type {expected} is defined as {value} of type {found}")
            }
            BuildError::UnknownValue(value) => write!(f, "{value} does not exist"),
            BuildError::UnknownBlock(block) => write!(f, "{block} does not exist"),
            BuildError::NoCurrentBlock => f.write_str("there is no current block"),
            BuildError::FilledBlock(block) => write!(f, "{block} has its terminator already"),
            BuildError::SealedBlock(block) => write!(f, "{block} is branched to after it was sealed"),
            BuildError::LateParameter(block) => {
                write!(f, "{block} gets a parameter after its branches have their arguments")
            }
            BuildError::UnfilledBlock(block) => write!(f, "{block} does not end in a terminator"),
            BuildError::UnsealedBlock(block) => write!(f, "{block} is not sealed"),
            BuildError::TooManyParameters(block) => {
                write!(f, "more variables meet in {block} than it can have parameters")
            }
            BuildError::TooManyValues => f.write_str("the function has more values than branches can pass"),
            BuildError::NotADestination(inst, block) => write!(f, "{inst} does not branch to {block}"),
        }
    }
}

impl core::error::Error for BuildError {}
