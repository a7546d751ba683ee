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

/// A structure passed by value: what calling conventions ask about it.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct StructArg {
    /// Its size in bytes.
    pub bytes: u32,
    /// Its alignment in bytes, a power of two: its address is a multiple of it, and conventions place it by it. 1 says
    /// that nothing is known of the address; conventions take at least a word for the alignment of any structure.
    pub align: u32,
    /// For a homogeneous aggregate, one with members of a single floating-point type and nothing else: that type,
    /// `f32` or `f64`. Hard-float conventions pass those in floating-point registers.
    pub element: Option<Type>,
}

impl StructArg {
    /// `bytes` bytes at any address, of any types.
    pub const fn new(bytes: u32) -> StructArg {
        StructArg { bytes, align: 1, element: None }
    }

    /// The same with an alignment, which is a power of two.
    pub const fn with_align(self, align: u32) -> StructArg {
        StructArg { align, ..self }
    }

    /// `count` floats of type `element`, and nothing else.
    pub const fn homogeneous(element: Type, count: u32) -> StructArg {
        StructArg { bytes: element.bytes() * count, align: element.bytes(), element: Some(element) }
    }

    /// The alignment of a structure of which nothing is said.
    pub(crate) const fn default_align(element: Option<Type>) -> u32 {
        match element {
            Some(element) if element.bytes() > 0 => element.bytes(),
            _ => 1,
        }
    }
}

impl fmt::Display for StructArg {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "sarg({}", self.bytes)?;
        if let Some(element) = self.element {
            write!(f, ", {element}")?;
        }
        if self.align != Self::default_align(self.element) {
            write!(f, ", align = {}", self.align)?;
        }
        f.write_str(")")
    }
}

/// What a parameter or result is for.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub enum ArgumentPurpose {
    /// A plain value.
    #[default]
    Normal,
    /// A structure passed by value; the operand is its address.
    StructArgument(StructArg),
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
            ArgumentPurpose::StructArgument(layout) => write!(f, " {layout}"),
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
