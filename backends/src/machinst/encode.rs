//! What generated encoders, decoders and printers stand on.
//!
//! Register numbers are checked here, once for all targets: an operand that
//! the instruction cannot encode is an error with the operand's name, never a
//! wrong word. Immediates need no check: their types hold valid values only.

use super::reg::Reg;
use core::fmt;
use windlass_regalloc::PReg;

/// A set of features of a processor, as a table names them.
pub trait FeatureSet: Copy + 'static {
    /// Every name with its set of one.
    const NAMES: &'static [(&'static str, Self)];
    /// What is in either set.
    fn union(self, other: Self) -> Self;
    /// What is in this set and not in the other.
    fn without(self, other: Self) -> Self;
    /// Is all of `other` in this set?
    fn contains(self, other: Self) -> bool;
}

/// A value that an instruction holds in a bit field.
pub trait Immediate: Copy {
    /// The field's bits. Bits beyond the field's width are zero.
    fn to_bits(self) -> u32;

    /// The value that a field with these bits holds, or `None` if it is not a
    /// valid one, or one with a canonical form that is different.
    fn from_bits(bits: u32) -> Option<Self>;
}

/// A value that an instruction holds in a bit field of more than 32 bits. See
/// [`Immediate`].
pub trait WideImmediate: Copy {
    /// The field's bits. Bits beyond the field's width are zero.
    fn to_bits(self) -> u64;

    /// The value that a field with these bits holds, if it is valid.
    fn from_bits(bits: u64) -> Option<Self>;
}

/// Why an operand cannot be encoded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OperandFault {
    /// The register is still virtual.
    Virtual,
    /// The register is not of the operand's class.
    WrongClass,
    /// The instruction does not take this register here.
    NotAllowed,
    /// Result and tied operand, or a register and its fixed place, differ.
    NotTied,
    /// The two registers are not an even one and its successor.
    NotPair,
    /// The register must differ from another operand's.
    Shared,
    /// The register must not be in the register list.
    InList,
    /// The processor does not have the instruction.
    AboveLevel,
    /// The value must be in the frame.
    NotInFrame,
}

/// An instruction that cannot be encoded: always an error of what made it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EncodeError {
    /// Name of the instruction.
    pub inst: &'static str,
    /// Name of the operand.
    pub operand: &'static str,
    /// What is wrong with it.
    pub fault: OperandFault,
}

impl fmt::Display for EncodeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let why = match self.fault {
            OperandFault::Virtual => "is a virtual register",
            OperandFault::WrongClass => "is a register of the wrong class",
            OperandFault::NotAllowed => "is a register that is not allowed there",
            OperandFault::NotTied => "is not the register that it is tied to",
            OperandFault::NotPair => "does not begin an even pair of registers",
            OperandFault::Shared => "must not be the register of another operand",
            OperandFault::AboveLevel => "belong to an instruction that the processor does not have",
            OperandFault::NotInFrame => "is not in the frame",
            OperandFault::InList => "must not be in the register list",
        };
        write!(f, "cannot encode {}: operand {} {why}", self.inst, self.operand)
    }
}

impl core::error::Error for EncodeError {}

/// An operand's name and what is wrong with it.
type Fault = (&'static str, OperandFault);

/// The number of `reg` in the class of `count` registers from index `first`,
/// where `except` is the set of forbidden numbers.
pub fn number(operand: &'static str, reg: Reg, first: u32, count: u32, except: u64) -> Result<u32, Fault> {
    let Some(preg) = reg.as_preg() else {
        return Err((operand, OperandFault::Virtual));
    };
    match (preg.index() as u32).checked_sub(first) {
        Some(n) if n >= count => Err((operand, OperandFault::WrongClass)),
        Some(n) if except >> n & 1 != 0 => Err((operand, OperandFault::NotAllowed)),
        Some(n) => Ok(n),
        None => Err((operand, OperandFault::WrongClass)),
    }
}

/// The number of the first of a pair of registers, see [`number`].
pub fn pair_number(
    operand: &'static str,
    lo: Reg,
    hi: Reg,
    first: u32,
    count: u32,
    except: u64,
) -> Result<u32, Fault> {
    let n = number(operand, lo, first, count, except)?;
    if n & 1 != 0 || number(operand, hi, first, count, 0)? != n + 1 {
        return Err((operand, OperandFault::NotPair));
    }
    Ok(n)
}

/// Checks that two operands are one register.
pub fn tied(operand: &'static str, a: Reg, b: Reg) -> Result<(), Fault> {
    if a == b { Ok(()) } else { Err((operand, OperandFault::NotTied)) }
}

/// Checks that two operands are different registers.
pub fn distinct(operand: &'static str, a: Reg, b: Reg) -> Result<(), Fault> {
    if a == b { Err((operand, OperandFault::Shared)) } else { Ok(()) }
}

/// Checks that an operand is not in a register list.
pub fn outside(operand: &'static str, is_in: bool) -> Result<(), Fault> {
    if is_in { Err((operand, OperandFault::InList)) } else { Ok(()) }
}

/// The register with this number, see [`self::number`].
pub fn register(number: u32, first: u8, count: u8, except: u64) -> Option<Reg> {
    if number >= u32::from(count) || except >> number & 1 != 0 {
        return None;
    }
    Some(Reg::from_preg(PReg::new(first + number as u8)))
}

/// The pair of registers that begins with this number.
pub fn pair_register(number: u32, first: u8, count: u8, except: u64) -> Option<(Reg, Reg)> {
    if number & 1 != 0 {
        return None;
    }
    let lo = register(number, first, count, except)?;
    let hi = register(number + 1, first, count, 0)?;
    Some((lo, hi))
}

/// A register in assembly text: `%5` or the target's name, and with `{:#}` the number in that alone.
pub struct AsmReg(pub Reg, pub fn(PReg) -> &'static str);

impl fmt::Display for AsmReg {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0.as_preg() {
            Some(p) if f.alternate() => {
                f.write_str((self.1)(p).trim_start_matches(|c: char| !c.is_ascii_digit()))
            }
            Some(p) => f.write_str((self.1)(p)),
            None => fmt::Display::fmt(&self.0, f),
        }
    }
}
