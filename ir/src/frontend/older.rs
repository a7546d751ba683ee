//! Sugar: the instructions of older text, and what else takes two where one is meant.

use crate::builder::{InsertBuilder, InstBuilder};
use crate::condcodes::IntCC;
use crate::dfg::DataFlowGraph;
use crate::entities::{Inst, StackSlot, Value};
use crate::immediates::{Imm64, Offset32};
use crate::instdata::InstData;
use crate::memflags::MemFlags;
use crate::opcode::Opcode;
use crate::types::{self, Type};

/// A builder whose every instruction is a new one, so that one call can build several. (One that
/// [overwrites](DataFlowGraph::replace) an instruction is not.)
pub trait InsertingBuilder: InstBuilder {}

impl InsertingBuilder for InsertBuilder<'_, '_> {}

macro_rules! immediates {
    ($($name:ident $opcode:ident $signed:tt $plain:literal;)*) => {$(
        #[doc = concat!("`", $plain, "` with a constant of `x`'s type as `y`. An `i128` gets it widened ",
            "with ", immediates!(@how $signed), ".")]
        fn $name(mut self, x: Value, imm: impl Into<Imm64>) -> Value {
            let y = constant(&mut self, x, imm.into(), $signed);
            self.make(InstData::Binary { opcode: Opcode::$opcode, args: [x, y] }, Type::INVALID)
        }
    )*};
    (@how true) => { "its sign" };
    (@how false) => { "zeros" };
}

/// The older spellings, as methods: each builds a constant, an address or an inversion, then the plain opcode.
///
/// ```
/// use windlass_ir::frontend::{FunctionBuilder, FunctionBuilderContext, InstBuilderExt};
/// use windlass_ir::types::{I32, I64};
/// use windlass_ir::{AbiParam, Function, InstBuilder, IntCC, StackSlotData};
///
/// let (mut func, mut cx) = (Function::default(), FunctionBuilderContext::new());
/// func.signature.params.push(AbiParam::new(I32));
/// let mut b = FunctionBuilder::new(&mut func, &mut cx);
/// let slot = b.create_sized_stack_slot(StackSlotData { size: 4, align_shift: 2, key: None });
/// let entry = b.create_block();
/// b.append_block_params_for_function_params(entry);
/// b.switch_to_block(entry);
/// let x = b.block_params(entry)[0];
/// let y = b.ins().iadd_imm(x, 42);
/// b.ins().stack_store(I64, y, slot, 0);
/// let z = b.ins().stack_load(I64, I32, slot, 0);
/// b.ins().icmp_imm(IntCC::Equal, z, 43);
/// b.ins().return_(&[]);
/// b.seal_all_blocks();
/// b.finalize()?;
/// assert!(windlass_ir::verify_function(&func).is_ok());
/// # Ok::<(), windlass_ir::frontend::BuildError>(())
/// ```
pub trait InstBuilderExt: InsertingBuilder {
    immediates! {
        iadd_imm Iadd true "iadd";
        imul_imm Imul true "imul";
        udiv_imm Udiv false "udiv";
        sdiv_imm Sdiv true "sdiv";
        urem_imm Urem false "urem";
        srem_imm Srem true "srem";
        band_imm Band false "band";
        bor_imm Bor false "bor";
        bxor_imm Bxor false "bxor";
        rotl_imm Rotl false "rotl";
        rotr_imm Rotr false "rotr";
        ishl_imm Ishl false "ishl";
        ushr_imm Ushr false "ushr";
        sshr_imm Sshr false "sshr";
    }

    /// The constant minus `x`.
    fn irsub_imm(mut self, x: Value, imm: impl Into<Imm64>) -> Value {
        let y = constant(&mut self, x, imm.into(), true);
        self.isub(y, x)
    }

    /// `icmp` with a constant of `x`'s type as `y`.
    fn icmp_imm(mut self, cond: IntCC, x: Value, imm: impl Into<Imm64>) -> Value {
        let y = constant(&mut self, x, imm.into(), true);
        self.icmp(cond, x, y)
    }

    /// `band` of `x` and `y` inverted.
    fn band_not(mut self, x: Value, y: Value) -> Value {
        let y = inverted(&mut self, y);
        self.band(x, y)
    }

    /// `bor` of `x` and `y` inverted.
    fn bor_not(mut self, x: Value, y: Value) -> Value {
        let y = inverted(&mut self, y);
        self.bor(x, y)
    }

    /// `bxor` of `x` and `y` inverted.
    fn bxor_not(mut self, x: Value, y: Value) -> Value {
        let y = inverted(&mut self, y);
        self.bxor(x, y)
    }

    /// Loads a value of type `ty` from a stack slot, whose address has type `address`.
    fn stack_load(mut self, address: Type, ty: Type, slot: StackSlot, offset: impl Into<Offset32>) -> Value {
        let p = stack_address(&mut self, address, slot, offset.into());
        self.load(ty, MemFlags::new().with_notrap(), p, 0)
    }

    /// Stores `x` to a stack slot, whose address has type `address`.
    fn stack_store(mut self, address: Type, x: Value, slot: StackSlot, offset: impl Into<Offset32>) -> Inst {
        let p = stack_address(&mut self, address, slot, offset.into());
        self.store(MemFlags::new().with_notrap(), x, p, 0)
    }
}

impl<B: InsertingBuilder> InstBuilderExt for B {}

/// The first result of `inst`; every instruction here has one.
fn result(dfg: &DataFlowGraph, inst: Inst) -> Value {
    dfg.inst_results(inst)[0]
}

/// `imm` as a value of the type of `like`.
fn constant(b: &mut impl InstBuilder, like: Value, imm: Imm64, signed: bool) -> Value {
    let dfg = b.dfg();
    let ty = if dfg.value_is_valid(like) { dfg.value_type(like) } else { Type::INVALID };
    let narrow = if ty == types::I128 { types::I64 } else { ty };
    let imm = if narrow.is_int() { Imm64(imm.sign_extended(narrow.bits())) } else { imm };
    let inst = b.build(InstData::UnaryImm { opcode: Opcode::Iconst, imm }, narrow);
    let value = result(b.dfg(), inst);
    if ty != types::I128 {
        return value;
    }
    let opcode = if signed { Opcode::Sextend } else { Opcode::Uextend };
    let inst = b.build(InstData::Unary { opcode, arg: value }, ty);
    result(b.dfg(), inst)
}

fn inverted(b: &mut impl InstBuilder, arg: Value) -> Value {
    let dfg = b.dfg();
    let ty = if dfg.value_is_valid(arg) { dfg.value_type(arg) } else { Type::INVALID };
    let inst = b.build(InstData::Unary { opcode: Opcode::Bnot, arg }, ty);
    result(b.dfg(), inst)
}

fn stack_address(b: &mut impl InstBuilder, address: Type, slot: StackSlot, offset: Offset32) -> Value {
    let inst = b.build(InstData::StackAddr { opcode: Opcode::StackAddr, slot, offset }, address);
    result(b.dfg(), inst)
}
