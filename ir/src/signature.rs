//! What a function takes and gives, and by which convention.

use crate::types::Type;
use alloc::vec::Vec;
use core::fmt;

/// How arguments, results and registers are shared between caller and callee.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub enum CallConv {
    /// The fastest; known to Windlass alone.
    Fast,
    /// Guarantees that `return_call` uses no stack.
    Tail,
    /// The C convention of the target triple.
    #[default]
    SystemV,
    /// Arm base procedure call standard.
    Aapcs,
    /// Arm procedure call standard with floats in VFP registers.
    AapcsVfp,
    /// Arm base standard as softfp systems use it: floats in core registers.
    AapcsSoftfp,
    /// 64-bit PowerPC ELF ABI version 1.
    Elfv1,
    /// 64-bit PowerPC ELF ABI version 2.
    Elfv2,
}

impl CallConv {
    /// Every convention.
    pub const ALL: &'static [CallConv] = {
        use CallConv::*;
        &[Fast, Tail, SystemV, Aapcs, AapcsVfp, AapcsSoftfp, Elfv1, Elfv2]
    };

    /// The name in the text.
    pub const fn name(self) -> &'static str {
        match self {
            CallConv::Fast => "fast",
            CallConv::Tail => "tail",
            CallConv::SystemV => "system_v",
            CallConv::Aapcs => "aapcs",
            CallConv::AapcsVfp => "aapcs_vfp",
            CallConv::AapcsSoftfp => "aapcs_softfp",
            CallConv::Elfv1 => "elfv1",
            CallConv::Elfv2 => "elfv2",
        }
    }

    /// Reads a name.
    pub fn from_name(name: &str) -> Option<CallConv> {
        Self::ALL.iter().copied().find(|cc| cc.name() == name)
    }
}

impl fmt::Display for CallConv {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// What a small integer's register holds above the value.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub enum ArgumentExtension {
    /// Anything.
    #[default]
    None,
    /// Zeros.
    Uext,
    /// The sign.
    Sext,
}

/// What a parameter or result is for.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub enum ArgumentPurpose {
    /// A plain value.
    #[default]
    Normal,
    /// A structure of this many bytes passed by value; the operand is its address.
    StructArgument(u32),
    /// The address where a structure is returned.
    StructReturn,
    /// The front end's context.
    VMContext,
}

/// A parameter or a result.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct AbiParam {
    /// The type of the value.
    pub value_type: Type,
    /// What it is for.
    pub purpose: ArgumentPurpose,
    /// What is above it in its register.
    pub extension: ArgumentExtension,
}

impl AbiParam {
    /// A plain value.
    pub const fn new(value_type: Type) -> AbiParam {
        AbiParam { value_type, purpose: ArgumentPurpose::Normal, extension: ArgumentExtension::None }
    }

    /// A value for a special purpose.
    pub const fn special(value_type: Type, purpose: ArgumentPurpose) -> AbiParam {
        AbiParam { value_type, purpose, extension: ArgumentExtension::None }
    }

    /// The same, widened with zeros.
    pub const fn uext(self) -> AbiParam {
        AbiParam { extension: ArgumentExtension::Uext, ..self }
    }

    /// The same, widened with the sign.
    pub const fn sext(self) -> AbiParam {
        AbiParam { extension: ArgumentExtension::Sext, ..self }
    }
}

impl fmt::Display for AbiParam {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.value_type)?;
        match self.extension {
            ArgumentExtension::None => {}
            ArgumentExtension::Uext => f.write_str(" uext")?,
            ArgumentExtension::Sext => f.write_str(" sext")?,
        }
        match self.purpose {
            ArgumentPurpose::Normal => Ok(()),
            ArgumentPurpose::StructArgument(size) => write!(f, " sarg({size})"),
            ArgumentPurpose::StructReturn => f.write_str(" sret"),
            ArgumentPurpose::VMContext => f.write_str(" vmctx"),
        }
    }
}

/// What a function takes and gives.
#[derive(Clone, PartialEq, Eq, Hash, Debug, Default)]
pub struct Signature {
    /// Parameters, in order.
    pub params: Vec<AbiParam>,
    /// Results, in order.
    pub returns: Vec<AbiParam>,
    /// The convention.
    pub call_conv: CallConv,
}

impl Signature {
    /// Nothing in, nothing out.
    pub const fn new(call_conv: CallConv) -> Signature {
        Signature { params: Vec::new(), returns: Vec::new(), call_conv }
    }

    /// The index of the parameter with this purpose.
    pub fn special_param_index(&self, purpose: ArgumentPurpose) -> Option<usize> {
        self.params.iter().rposition(|p| p.purpose == purpose)
    }
}

fn write_list(f: &mut fmt::Formatter<'_>, list: &[AbiParam]) -> fmt::Result {
    for (i, param) in list.iter().enumerate() {
        write!(f, "{}{param}", if i == 0 { "" } else { ", " })?;
    }
    Ok(())
}

impl fmt::Display for Signature {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("(")?;
        write_list(f, &self.params)?;
        f.write_str(")")?;
        if !self.returns.is_empty() {
            f.write_str(" -> ")?;
            write_list(f, &self.returns)?;
        }
        write!(f, " {}", self.call_conv)
    }
}
