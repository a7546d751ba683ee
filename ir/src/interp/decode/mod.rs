//! From a [`Function`] to its decoded [`Body`].
//!
//! Requires: a function that the verifier accepts. On others the result may be unspecified, but nothing panics:
//! an instruction whose operands, types or references do not fit becomes an operation that fails with a message.
//! Leaves: operations whose slots lie inside the frame, edges whose copies are in an order that needs no temporary
//! (cycles go through one scratch slot), callees and signatures resolved to numbers. Linear in the function's size.

mod control;
mod memory;
mod scalar;

use super::ErrorKind;
use super::op::*;
use super::program::Linker;
use super::slots::{self, Slots};
use crate::dfg::DataFlowGraph;
use crate::entities::*;
use crate::function::{Function, GlobalValueData};
use crate::memflags::{Endianness, MemFlags};
use crate::opcode::Opcode;
use crate::signature::{AbiParam, ArgumentPurpose};
use crate::types::{self, Type};
use alloc::format;
use alloc::string::String;
use alloc::vec;
use alloc::vec::Vec;
use cranelift_entity::EntityRef;

type Decoded<T = ()> = Result<T, ErrorKind>;

fn malformed<T>(message: impl Into<String>) -> Decoded<T> {
    Err(ErrorKind::Malformed(message.into()))
}

/// How the interpreter holds a scalar type.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Class {
    /// An integer of 8 to 64 bits.
    Int(u8),
    I128,
    F32,
    F64,
}

fn class_of(ty: Type) -> Option<Class> {
    Some(match ty {
        types::I128 => Class::I128,
        types::F32 => Class::F32,
        types::F64 => Class::F64,
        _ if ty.is_int() => Class::Int(ty.bits() as u8),
        _ => return None,
    })
}

/// Decodes `func`.
pub(super) fn decode(func: &Function, link: &mut Linker) -> Body {
    let slots = slots::assign(func);
    let mut decoder = Decoder {
        func,
        dfg: &func.dfg,
        link,
        slots,
        scratch: 0,
        body: Body::default(),
        inst: Inst::from_u32(0),
        block_code: vec![u32::MAX; func.dfg.num_blocks()],
        block_cost: vec![0; func.dfg.num_blocks()],
        stack_offsets: Vec::new(),
        source_of: Vec::new(),
        readers: Vec::new(),
    };
    decoder.run();
    decoder.body
}

struct Decoder<'a, 'l> {
    func: &'a Function,
    dfg: &'a DataFlowGraph,
    link: &'l mut Linker,
    slots: Slots,
    /// Two slots that no value lives in.
    scratch: u32,
    body: Body,
    inst: Inst,
    /// Where each block's code starts, by number.
    block_code: Vec<u32>,
    /// IR instructions in each block.
    block_cost: Vec<u32>,
    /// Where each stack slot starts above the stack pointer.
    stack_offsets: Vec<u64>,
    /// By slot, while an edge's copies are put in order: the source, or `NONE`.
    source_of: Vec<u32>,
    /// By slot: how many pending copies read it.
    readers: Vec<u32>,
}

const NONE: u32 = u32::MAX;

impl Decoder<'_, '_> {
    fn run(&mut self) {
        let func = self.func;
        self.scratch = self.slots.fresh(2);
        self.body.sig = self.link.shape(&func.signature);
        self.lay_out_stack();
        self.globals();
        for block in func.layout.blocks() {
            if let Some(cost) = self.block_cost.get_mut(block.index()) {
                *cost = func.layout.block_insts(block).count() as u32;
            }
        }
        if let Err(error) = self.check_entry() {
            self.fail(error);
        }
        for block in func.layout.blocks() {
            if !self.dfg.block_is_valid(block) {
                continue;
            }
            self.block_code[block.index()] = self.body.code.len() as u32;
            for inst in func.layout.block_insts(block) {
                self.inst = inst;
                if self.slots.is_dead(inst) {
                    continue;
                }
                if let Err(error) = self.check(inst).and_then(|()| self.instruction(inst)) {
                    self.fail(error);
                }
            }
            let ends = func.layout.last_inst(block).is_some_and(|last| self.dfg.opcode(last).is_terminator());
            if !ends {
                self.fail(ErrorKind::Malformed(format!("{block} does not end in a terminator")));
            }
        }
        for edge in &mut self.body.edges {
            let block = edge.target as usize;
            edge.target = self.block_code[block];
            edge.cost = self.block_cost[block];
        }
        self.body.slots = self.slots.count;
    }

    fn check_entry(&mut self) -> Decoded {
        let Some(entry) = self.func.layout.entry_block() else {
            return malformed("the function has no body");
        };
        if !self.dfg.block_is_valid(entry) {
            return malformed("the entry block does not exist");
        }
        self.body.entry_cost = self.block_cost[entry.index()];
        let params = self.dfg.block_params(entry);
        self.check_values(params, &self.func.signature.params, "the entry block's parameters")
    }

    fn check_values(&self, values: &[Value], params: &[AbiParam], what: &str) -> Decoded {
        let same = values.len() == params.len()
            && values
                .iter()
                .zip(params)
                .all(|(&v, param)| self.dfg.value_is_valid(v) && self.dfg.value_type(v) == param.value_type);
        if same { Ok(()) } else { malformed(format!("{what} differ from the signature")) }
    }

    /// Stack slots in order, each at least 16-byte aligned, from the stack pointer up.
    fn lay_out_stack(&mut self) {
        let mut at = 0u64;
        self.body.stack_align = 16;
        for data in self.func.stack_slots.values() {
            let align = 1u64 << data.align_shift.clamp(4, 31);
            self.body.stack_align = self.body.stack_align.max(align);
            at = (at + align - 1) & !(align - 1);
            self.stack_offsets.push(at);
            at += u64::from(data.size);
        }
        self.body.stack_bytes = at;
    }

    fn globals(&mut self) {
        for (gv, data) in self.func.global_values.iter() {
            let global = match self.global(data) {
                Ok(global) => global,
                Err(error) => {
                    self.body.errors.push(error);
                    Global::Bad { error: self.body.errors.len() as u32 - 1 }
                }
            };
            debug_assert_eq!(gv.index(), self.body.globals.len(), "global values are dense");
            self.body.globals.push(global);
        }
        self.body.stack_limit = self.func.stack_limit.map(|gv| gv.as_u32());
    }

    fn global(&mut self, data: &GlobalValueData) -> Decoded<Global> {
        let known = |base: GlobalValue| {
            if self.func.global_values.is_valid(base) {
                Ok(base.as_u32())
            } else {
                malformed(format!("{base} does not exist"))
            }
        };
        Ok(match *data {
            GlobalValueData::VMContext => {
                let index = self.func.signature.special_param_index(ArgumentPurpose::VMContext);
                let Some(index) = index else { return malformed("no parameter has purpose vmctx") };
                let before = &self.func.signature.params[..index];
                Global::VmContext { slot: before.iter().map(|p| slots_of(p.value_type)).sum() }
            }
            GlobalValueData::Load { base, offset, ty, flags } => {
                if !ty.is_int() || ty.bits() > 64 {
                    return malformed(format!("a global value of type {ty}"));
                }
                let size = ty.bytes().trailing_zeros() as u8;
                Global::Load { base: known(base)?, off: offset, size, acc: self.access(flags, false) }
            }
            GlobalValueData::IAddImm { base, offset, .. } => Global::Add { base: known(base)?, off: offset },
            GlobalValueData::Symbol { ref name, offset, .. } => {
                Global::Symbol { symbol: self.link.symbol(name), off: offset }
            }
        })
    }

    // ----- Emitting -----

    fn push(&mut self, op: Op) {
        self.body.code.push(op);
        self.body.insts.push(self.inst);
    }

    fn fail(&mut self, error: ErrorKind) {
        let index = self.body.errors.len() as u32;
        self.body.errors.push(error);
        self.push(Op::Fail { error: index });
    }

    fn constant(&mut self, d: u32, n: u64) {
        self.push(Op::Const { d, lo: n as u32, hi: (n >> 32) as u32 });
    }

    // ----- Operands -----

    /// Are the fixed operands and the results there, and of the types that the table asks for?
    fn check(&self, inst: Inst) -> Decoded {
        let data = &self.dfg.insts[inst];
        let def = data.opcode().def();
        if data.format() != def.format {
            return malformed(format!("{} with operands of another format", def.name));
        }
        let args = self.dfg.inst_args(inst);
        let ctrl = self.dfg.ctrl_type(inst);
        let ctrl = match def.ctrl {
            crate::opcode::Ctrl::Operand(i, _) => match args.get(usize::from(i)) {
                Some(&v) if self.dfg.value_is_valid(v) => self.dfg.value_type(v),
                _ => return malformed(format!("{} without its operands", def.name)),
            },
            _ => ctrl,
        };
        if let Some(set) = def.ctrl.types()
            && !set.contains(ctrl)
        {
            return malformed(format!("{} of type {ctrl} instead of {}", def.name, set.describe()));
        }
        if args.len() < def.args.len() {
            return malformed(format!("{} without its operands", def.name));
        }
        for (&v, want) in args.iter().zip(def.args) {
            if !self.dfg.value_is_valid(v) {
                return malformed(format!("{v} does not exist"));
            }
            let ty = self.dfg.value_type(v);
            if !want.accepts(ctrl, ty) {
                return malformed(format!("{}: {v} is {ty}, not {}", def.name, want.describe()));
            }
        }
        if !data.opcode().is_call() {
            let results = self.dfg.inst_results(inst);
            let fit = results.len() == def.results.len()
                && results
                    .iter()
                    .zip(def.results)
                    .all(|(&v, want)| want.resolve(ctrl) == Some(self.dfg.value_type(v)));
            if !fit {
                return malformed(format!("{} with other results than the table's", def.name));
            }
        }
        Ok(())
    }

    /// The slot of a value.
    fn slot(&self, v: Value) -> Decoded<u32> {
        if !self.dfg.value_is_valid(v) {
            return malformed(format!("{v} does not exist"));
        }
        match self.slots.get(self.func, v) {
            Some(slot) => Ok(slot),
            None => malformed(format!("{v} is not defined")),
        }
    }

    /// The first result's slot.
    fn dest(&self) -> Decoded<u32> {
        match self.dfg.first_result(self.inst) {
            Some(v) => self.slot(v),
            None => malformed("an instruction without its result"),
        }
    }

    fn ty(&self, v: Value) -> Type {
        self.dfg.value_type(v)
    }

    fn arg(&self, i: usize) -> Decoded<Value> {
        match self.dfg.inst_args(self.inst).get(i) {
            Some(&v) => Ok(v),
            None => malformed("an instruction without its operands"),
        }
    }

    fn arg_slot(&self, i: usize) -> Decoded<u32> {
        self.slot(self.arg(i)?)
    }

    fn unsupported<T>(&self, ty: Type) -> Decoded<T> {
        Err(ErrorKind::Unsupported { opcode: self.dfg.opcode(self.inst), ty })
    }

    fn class(&self, ty: Type) -> Decoded<Class> {
        match class_of(ty) {
            Some(class) => Ok(class),
            None => self.unsupported(ty),
        }
    }

    fn result_type(&self) -> Type {
        self.dfg.first_result(self.inst).map_or(types::INVALID, |v| self.ty(v))
    }

    /// A slot that is zero exactly when the integer `v` is.
    fn condition(&mut self, v: Value) -> Decoded<u32> {
        let a = self.slot(v)?;
        if self.class(self.ty(v))? != Class::I128 {
            return Ok(a);
        }
        let d = self.scratch;
        self.push(Op::NonZero128 { d, a });
        Ok(d)
    }

    fn access(&self, flags: MemFlags, atomic: bool) -> Access {
        let mut bits = 0;
        if flags.aligned() || atomic {
            bits |= Access::ALIGNED;
        }
        if flags.endianness(self.link.endianness) == Endianness::Big {
            bits |= Access::BIG;
        }
        Access { trap: flags.trap_code().map_or(0, |code| code.as_u8()), flags: bits }
    }

    fn address_slot(&self, v: Value) -> Decoded<u32> {
        let want = self.link.address_type;
        match self.ty(v) {
            ty if ty == want => self.slot(v),
            ty => malformed(format!("an address of type {ty} where addresses are {want}")),
        }
    }

    fn address_result(&self) -> Decoded<u32> {
        let (ty, want) = (self.result_type(), self.link.address_type);
        if ty == want {
            self.dest()
        } else {
            malformed(format!("an address of type {ty} where addresses are {want}"))
        }
    }

    // ----- Instructions -----

    #[rustfmt::skip] // One opcode a line.
    fn instruction(&mut self, inst: Inst) -> Decoded {
        let opcode = self.dfg.opcode(inst);
        match opcode {
            Opcode::Jump | Opcode::Brif | Opcode::BrTable => self.branch(inst),
            Opcode::Return => self.ret(inst),
            Opcode::Trap | Opcode::Trapz | Opcode::Trapnz => self.trap(inst),
            Opcode::Debugtrap => { self.push(Op::Debugtrap); Ok(()) }
            Opcode::Nop | Opcode::SequencePoint | Opcode::Fence => Ok(()),

            Opcode::Call | Opcode::CallIndirect | Opcode::ReturnCall | Opcode::ReturnCallIndirect
            | Opcode::TryCall | Opcode::TryCallIndirect => self.call(inst),
            Opcode::FuncAddr => self.func_addr(inst),

            Opcode::Iconst | Opcode::F32const | Opcode::F64const => self.scalar_constant(inst),
            Opcode::Iadd => self.int_binary(IntBin::Add),
            Opcode::Isub => self.int_binary(IntBin::Sub),
            Opcode::Imul => self.int_binary(IntBin::Mul),
            Opcode::Umulhi => self.int_binary(IntBin::Umulhi),
            Opcode::Smulhi => self.int_binary(IntBin::Smulhi),
            Opcode::Smin => self.int_binary(IntBin::Smin),
            Opcode::Umin => self.int_binary(IntBin::Umin),
            Opcode::Smax => self.int_binary(IntBin::Smax),
            Opcode::Umax => self.int_binary(IntBin::Umax),
            Opcode::Ineg => self.int_unary(IntUn::Neg),
            Opcode::Iabs => self.int_unary(IntUn::Abs),
            Opcode::Udiv => self.divide(DivOp::Udiv),
            Opcode::Sdiv => self.divide(DivOp::Sdiv),
            Opcode::Urem => self.divide(DivOp::Urem),
            Opcode::Srem => self.divide(DivOp::Srem),
            Opcode::UaddOverflow => self.overflow(OverflowOp::Uadd),
            Opcode::SaddOverflow => self.overflow(OverflowOp::Sadd),
            Opcode::UsubOverflow => self.overflow(OverflowOp::Usub),
            Opcode::SsubOverflow => self.overflow(OverflowOp::Ssub),
            Opcode::UmulOverflow => self.overflow(OverflowOp::Umul),
            Opcode::SmulOverflow => self.overflow(OverflowOp::Smul),
            Opcode::UaddOverflowCin => self.overflow_carry(OverflowOp::Uadd),
            Opcode::SaddOverflowCin => self.overflow_carry(OverflowOp::Sadd),
            Opcode::UsubOverflowBin => self.overflow_carry(OverflowOp::Usub),
            Opcode::SsubOverflowBin => self.overflow_carry(OverflowOp::Ssub),
            Opcode::UaddOverflowTrap => self.add_trap(inst),

            Opcode::Band => self.bitwise(IntBin::And),
            Opcode::Bor => self.bitwise(IntBin::Or),
            Opcode::Bxor => self.bitwise(IntBin::Xor),
            Opcode::Bnot => self.bit_not(),
            Opcode::Bitselect | Opcode::Select | Opcode::SelectSpectreGuard => self.select(opcode),
            Opcode::Rotl => self.shift(IntBin::Rotl),
            Opcode::Rotr => self.shift(IntBin::Rotr),
            Opcode::Ishl => self.shift(IntBin::Shl),
            Opcode::Ushr => self.shift(IntBin::Ushr),
            Opcode::Sshr => self.shift(IntBin::Sshr),
            Opcode::Bitrev => self.int_unary(IntUn::Bitrev),
            Opcode::Clz => self.int_unary(IntUn::Clz),
            Opcode::Cls => self.int_unary(IntUn::Cls),
            Opcode::Ctz => self.int_unary(IntUn::Ctz),
            Opcode::Bswap => self.int_unary(IntUn::Bswap),
            Opcode::Popcnt => self.int_unary(IntUn::Popcnt),
            Opcode::Bmask => self.bmask(),
            Opcode::Icmp => self.icmp(inst),

            Opcode::Ireduce => self.ireduce(),
            Opcode::Uextend => self.extend(false),
            Opcode::Sextend => self.extend(true),
            Opcode::Isplit => self.isplit(),
            Opcode::Iconcat => self.iconcat(),
            Opcode::Bitcast => self.bitcast(),

            Opcode::Fcmp => self.fcmp(inst),
            Opcode::Fadd => self.float_binary(FloatBin::Add),
            Opcode::Fsub => self.float_binary(FloatBin::Sub),
            Opcode::Fmul => self.float_binary(FloatBin::Mul),
            Opcode::Fdiv => self.float_binary(FloatBin::Div),
            Opcode::Fmin => self.float_binary(FloatBin::Min),
            Opcode::Fmax => self.float_binary(FloatBin::Max),
            Opcode::Fcopysign => self.float_binary(FloatBin::Copysign),
            Opcode::Sqrt => self.float_unary(FloatUn::Sqrt),
            Opcode::Fneg => self.float_unary(FloatUn::Neg),
            Opcode::Fabs => self.float_unary(FloatUn::Abs),
            Opcode::Ceil => self.float_unary(FloatUn::Ceil),
            Opcode::Floor => self.float_unary(FloatUn::Floor),
            Opcode::Trunc => self.float_unary(FloatUn::Trunc),
            Opcode::Nearest => self.float_unary(FloatUn::Nearest),
            Opcode::Fma => self.fma(),
            Opcode::Fpromote | Opcode::Fdemote => self.float_width(opcode),
            Opcode::FcvtToUint => self.float_to_int(false, false),
            Opcode::FcvtToSint => self.float_to_int(true, false),
            Opcode::FcvtToUintSat => self.float_to_int(false, true),
            Opcode::FcvtToSintSat => self.float_to_int(true, true),
            Opcode::FcvtFromUint => self.int_to_float(false),
            Opcode::FcvtFromSint => self.int_to_float(true),

            Opcode::Load | Opcode::AtomicLoad => self.load(inst, self.result_type().bytes(), false),
            Opcode::Uload8 => self.load(inst, 1, false),
            Opcode::Sload8 => self.load(inst, 1, true),
            Opcode::Uload16 => self.load(inst, 2, false),
            Opcode::Sload16 => self.load(inst, 2, true),
            Opcode::Uload32 => self.load(inst, 4, false),
            Opcode::Sload32 => self.load(inst, 4, true),
            Opcode::Store | Opcode::AtomicStore => { let size = self.ty(self.arg(0)?).bytes(); self.store(inst, size) }
            Opcode::Istore8 => self.store(inst, 1),
            Opcode::Istore16 => self.store(inst, 2),
            Opcode::Istore32 => self.store(inst, 4),
            Opcode::StackAddr => self.stack_addr(inst),
            Opcode::SymbolValue | Opcode::TlsValue => self.global_value(inst),
            Opcode::AtomicRmw => self.atomic_rmw(inst),
            Opcode::AtomicCas => self.atomic_cas(inst),

            Opcode::GetPinnedReg => { let d = self.address_result()?; self.push(Op::GetPinned { d }); Ok(()) }
            Opcode::SetPinnedReg => { let a = self.address_slot(self.arg(0)?)?; self.push(Op::SetPinned { a }); Ok(()) }
            Opcode::GetFramePointer => { let d = self.address_result()?; self.link.walks_frames = true; self.push(Op::FramePointer { d }); Ok(()) }
            Opcode::GetStackPointer => { let d = self.address_result()?; self.push(Op::StackPointer { d }); Ok(()) }
            Opcode::GetReturnAddress => { let d = self.address_result()?; self.push(Op::ReturnAddress { d }); Ok(()) }
            Opcode::GetExceptionHandlerAddress => self.handler_address(inst),

            // Types and vectors that the interpreter refuses by name.
            Opcode::F16const | Opcode::F128const | Opcode::Vconst
            | Opcode::Splat | Opcode::Swizzle | Opcode::Shuffle | Opcode::Insertlane | Opcode::ScalarToVector
            | Opcode::AvgRound | Opcode::UaddSat | Opcode::SaddSat | Opcode::UsubSat | Opcode::SsubSat
            | Opcode::Snarrow | Opcode::Unarrow | Opcode::Uunarrow
            | Opcode::SwidenLow | Opcode::SwidenHigh | Opcode::UwidenLow | Opcode::UwidenHigh
            | Opcode::IaddPairwise | Opcode::SqmulRoundSat | Opcode::X86Pmaddubsw
            | Opcode::Fvdemote | Opcode::FvpromoteLow | Opcode::Uload8x8 | Opcode::Sload8x8
            | Opcode::Uload16x4 | Opcode::Sload16x4 | Opcode::Uload32x2 | Opcode::Sload32x2 => self.unsupported(self.result_type()),
            Opcode::Extractlane | Opcode::VanyTrue | Opcode::VallTrue | Opcode::VhighBits => {
                let ty = self.ty(self.arg(0)?);
                self.unsupported(ty)
            }
        }
    }
}
