//! Functions linked by name and decoded, ready to run.

use super::decode;
use super::memory::{FUNCTION_STRIDE, MAX_FUNCTIONS, code_base};
use super::op::{Body, Shape};
use super::{Machine, ProgramError};
use crate::entities::Inst;
use crate::extname::ExternalName;
use crate::function::Function;
use crate::memflags::Endianness;
use crate::opcode::{Ctrl, Ty, TypeSet};
use crate::signature::{CallConv, Signature};
use crate::types::{self, Type};
use alloc::collections::BTreeMap;
use alloc::vec::Vec;

/// A function of a [`Program`].
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct FuncId(pub(super) u32);

/// Functions that call each other by name, decoded for one [`Machine`].
///
/// Decoding does not fail: an instruction that the interpreter does not do, or that is malformed, stops the run that
/// reaches it with an [`InterpError`](super::InterpError) that names it.
#[derive(Clone, Debug)]
pub struct Program {
    pub(super) machine: Machine,
    pub(super) bodies: Vec<Body>,
    /// By callable: first the functions, then what they call and the program does not define.
    pub(super) names: Vec<ExternalName>,
    pub(super) by_name: BTreeMap<ExternalName, u32>,
    pub(super) symbols: Vec<ExternalName>,
    pub(super) shapes: Vec<Shape>,
    /// Some function asks for its frame pointer: frames are linked in memory.
    pub(super) walks_frames: bool,
}

/// What decoding looks up and adds to.
pub(super) struct Linker {
    pub(super) address_type: Type,
    pub(super) endianness: Endianness,
    pub(super) walks_frames: bool,
    names: Vec<ExternalName>,
    by_name: BTreeMap<ExternalName, u32>,
    symbols: Vec<ExternalName>,
    symbol_by_name: BTreeMap<ExternalName, u32>,
    shapes: Vec<Shape>,
    shape_by_content: BTreeMap<Shape, u32>,
}

impl Linker {
    /// The number of a function or of what hosts may supply.
    pub(super) fn callable(&mut self, name: &ExternalName) -> u32 {
        if let Some(&id) = self.by_name.get(name) {
            return id;
        }
        let id = self.names.len() as u32;
        self.names.push(name.clone());
        self.by_name.insert(name.clone(), id);
        id
    }

    pub(super) fn callable_address(&mut self, name: &ExternalName) -> u64 {
        code_base(self.address_type) + u64::from(self.callable(name)) * FUNCTION_STRIDE
    }

    pub(super) fn symbol(&mut self, name: &ExternalName) -> u32 {
        if let Some(&id) = self.symbol_by_name.get(name) {
            return id;
        }
        let id = self.symbols.len() as u32;
        self.symbols.push(name.clone());
        self.symbol_by_name.insert(name.clone(), id);
        id
    }

    pub(super) fn shape(&mut self, sig: &Signature) -> u32 {
        let shape = Shape {
            params: sig.params.iter().map(|p| p.value_type).collect(),
            returns: sig.returns.iter().map(|p| p.value_type).collect(),
            convention: match sig.call_conv {
                CallConv::Fast => 0,
                CallConv::Tail => 1,
                CallConv::SystemV
                | CallConv::Aapcs
                | CallConv::AapcsVfp
                | CallConv::AapcsSoftfp
                | CallConv::Elfv1
                | CallConv::Elfv2 => 2,
            },
        };
        if let Some(&id) = self.shape_by_content.get(&shape) {
            return id;
        }
        let id = self.shapes.len() as u32;
        self.shapes.push(shape.clone());
        self.shape_by_content.insert(shape, id);
        id
    }
}

/// The type of the first address that `func` computes or uses.
pub(super) fn address_type(func: &Function) -> Option<Type> {
    let dfg = &func.dfg;
    let of_inst = |inst: Inst| {
        let def = dfg.opcode(inst).def();
        if let Ctrl::Suffix(TypeSet::Addr) = def.ctrl {
            return Some(dfg.ctrl_type(inst));
        }
        let controls =
            |i: usize| matches!(def.ctrl, Ctrl::Operand(at, TypeSet::Addr) if usize::from(at) == i);
        let mut operands = dfg.inst_args(inst).iter().zip(def.args).enumerate();
        let (_, (&v, _)) =
            operands.find(|&(i, (_, want))| controls(i) || matches!(want, Ty::Any(TypeSet::Addr)))?;
        dfg.value_is_valid(v).then(|| dfg.value_type(v))
    };
    let found = func.layout.blocks().flat_map(|block| func.layout.block_insts(block)).find_map(of_inst)?;
    (found == types::I32 || found == types::I64).then_some(found)
}

impl Program {
    /// Links and decodes `functions`, which the verifier should have accepted.
    ///
    /// # Errors
    /// Two functions of one name; more functions than have addresses.
    pub fn new<'f>(
        functions: impl IntoIterator<Item = &'f Function>,
        machine: Machine,
    ) -> Result<Program, ProgramError> {
        let functions: Vec<&Function> = functions.into_iter().collect();
        let mut link = Linker {
            address_type: machine.address_type,
            endianness: machine.endianness,
            walks_frames: false,
            names: Vec::with_capacity(functions.len()),
            by_name: BTreeMap::new(),
            symbols: Vec::new(),
            symbol_by_name: BTreeMap::new(),
            shapes: Vec::new(),
            shape_by_content: BTreeMap::new(),
        };
        if machine.address_type != types::I32 && machine.address_type != types::I64 {
            return Err(ProgramError::AddressType(machine.address_type));
        }
        for (i, func) in functions.iter().enumerate() {
            if link.callable(&func.name) as usize != i {
                return Err(ProgramError::DefinedTwice(func.name.clone()));
            }
        }
        let bodies = functions.iter().map(|func| decode::decode(func, &mut link)).collect();
        if link.names.len() > MAX_FUNCTIONS {
            return Err(ProgramError::TooManyFunctions(link.names.len()));
        }
        Ok(Program {
            machine,
            bodies,
            names: link.names,
            by_name: link.by_name,
            symbols: link.symbols,
            shapes: link.shapes,
            walks_frames: link.walks_frames,
        })
    }

    /// The machine that the program was decoded for.
    pub fn machine(&self) -> Machine {
        self.machine
    }

    /// The function of this name, if the program defines one.
    pub fn find(&self, name: &ExternalName) -> Option<FuncId> {
        let &id = self.by_name.get(name)?;
        ((id as usize) < self.bodies.len()).then_some(FuncId(id))
    }

    /// The name of a function.
    pub fn name(&self, func: FuncId) -> &ExternalName {
        &self.names[func.0 as usize]
    }

    /// Every function, in the order in which they were given.
    pub fn functions(&self) -> impl ExactSizeIterator<Item = FuncId> + use<> {
        (0..self.bodies.len() as u32).map(FuncId)
    }

    /// Types of the parameters of `func`.
    pub fn params(&self, func: FuncId) -> &[Type] {
        &self.shapes[self.bodies[func.0 as usize].sig as usize].params
    }

    /// Types of the results of `func`.
    pub fn returns(&self, func: FuncId) -> &[Type] {
        &self.shapes[self.bodies[func.0 as usize].sig as usize].returns
    }

    /// The fake address of a function, as `func_addr` gives it.
    pub fn address(&self, func: FuncId) -> u64 {
        code_base(self.machine.address_type) + u64::from(func.0) * FUNCTION_STRIDE
    }

    /// What the functions call but the program does not define, library routines included.
    pub fn undefined_functions(&self) -> &[ExternalName] {
        &self.names[self.bodies.len()..]
    }

    /// The data symbols that the functions refer to.
    pub fn symbols(&self) -> &[ExternalName] {
        &self.symbols
    }

    /// The callable at a fake address.
    pub(super) fn callable_at(&self, address: u64) -> Option<u32> {
        let offset = address.checked_sub(code_base(self.machine.address_type))?;
        let id = offset / FUNCTION_STRIDE;
        (offset.is_multiple_of(FUNCTION_STRIDE) && id < self.names.len() as u64).then_some(id as u32)
    }
}
