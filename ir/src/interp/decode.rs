//! From a [`Function`] to its decoded [`Body`].
//!
//! Requires: a function that the verifier accepts. On others the result may be unspecified, but nothing panics:
//! an instruction whose operands, types or references do not fit becomes an operation that fails with a message.
//! Leaves: operations whose slots lie inside the frame, edges whose copies are in an order that needs no temporary
//! (cycles go through one scratch slot), callees and signatures resolved to numbers. Linear in the function's size.

use super::ErrorKind;
use super::op::*;
use super::program::Linker;
use super::slots::{self, Slots};
use crate::dfg::DataFlowGraph;
use crate::entities::*;
use crate::function::{Function, GlobalValueData};
use crate::instdata::{BlockArg, BlockCall, ExceptionItem, InstData, ValueList};
use crate::memflags::{Endianness, MemFlags};
use crate::opcode::Opcode;
use crate::signature::{AbiParam, ArgumentPurpose, Signature};
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

    fn scalar_constant(&mut self, inst: Inst) -> Decoded {
        let d = self.dest()?;
        match self.dfg.insts[inst] {
            InstData::UnaryImm { imm, .. } => {
                let n = imm.zero_extended(self.result_type().bits());
                self.constant(d, n);
            }
            InstData::UnaryIeee32 { imm, .. } => self.constant(d, imm.bits().into()),
            InstData::UnaryIeee64 { imm, .. } => self.constant(d, imm.bits()),
            _ => return malformed("a constant with other operands"),
        }
        Ok(())
    }

    fn operands2(&self) -> Decoded<(u32, u32, u32)> {
        Ok((self.dest()?, self.arg_slot(0)?, self.arg_slot(1)?))
    }

    fn int_binary(&mut self, op: IntBin) -> Decoded {
        let ty = self.ty(self.arg(0)?);
        let class = self.class(ty)?;
        if let Some(n) = slots::immediate(self.func, self.inst) {
            let (d, a) = (self.dest()?, self.arg_slot(0)?);
            let imm = if op == IntBin::Sub { (n as i32).wrapping_neg() } else { n as i32 };
            self.push(match (op, class) {
                (IntBin::Mul, Class::Int(32)) => Op::MulImm32 { d, a, imm },
                (IntBin::Mul, _) => Op::MulImm64 { d, a, imm },
                (_, Class::Int(32)) => Op::AddImm32 { d, a, imm },
                (_, _) => Op::AddImm64 { d, a, imm },
            });
            return Ok(());
        }
        let (d, a, b) = self.operands2()?;
        self.push(match (op, class) {
            (IntBin::Add, Class::Int(32)) => Op::Add32 { d, a, b },
            (IntBin::Add, Class::Int(64)) => Op::Add64 { d, a, b },
            (IntBin::Sub, Class::Int(32)) => Op::Sub32 { d, a, b },
            (IntBin::Sub, Class::Int(64)) => Op::Sub64 { d, a, b },
            (IntBin::Mul, Class::Int(32)) => Op::Mul32 { d, a, b },
            (IntBin::Mul, Class::Int(64)) => Op::Mul64 { d, a, b },
            (_, Class::Int(bits)) => Op::IntBin { op, bits, d, a, b },
            (_, Class::I128) => Op::IntBin128 { op, d, a, b },
            (_, Class::F32 | Class::F64) => return self.unsupported(ty),
        });
        Ok(())
    }

    fn bitwise(&mut self, op: IntBin) -> Decoded {
        let class = self.class(self.ty(self.arg(0)?))?;
        if let Some(n) = slots::immediate(self.func, self.inst) {
            let (d, a, imm) = (self.dest()?, self.arg_slot(0)?, n as u32);
            self.push(match op {
                IntBin::And => Op::AndImm { d, a, imm },
                IntBin::Or => Op::OrImm { d, a, imm },
                _ => Op::XorImm { d, a, imm },
            });
            return Ok(());
        }
        let (d, a, b) = self.operands2()?;
        self.push(match (class, op) {
            (Class::I128, _) => Op::IntBin128 { op, d, a, b },
            (_, IntBin::And) => Op::And { d, a, b },
            (_, IntBin::Or) => Op::Or { d, a, b },
            (_, _) => Op::Xor { d, a, b },
        });
        Ok(())
    }

    fn bit_not(&mut self) -> Decoded {
        let class = self.class(self.result_type())?;
        let (d, a) = (self.dest()?, self.arg_slot(0)?);
        let op = IntUn::Not;
        self.push(match class {
            Class::Int(bits) => Op::IntUn { op, bits, d, a },
            Class::F32 => Op::IntUn { op, bits: 32, d, a },
            Class::F64 => Op::IntUn { op, bits: 64, d, a },
            Class::I128 => Op::IntUn128 { op, d, a },
        });
        Ok(())
    }

    fn int_unary(&mut self, op: IntUn) -> Decoded {
        let ty = self.result_type();
        let class = self.class(ty)?;
        let (d, a) = (self.dest()?, self.arg_slot(0)?);
        self.push(match class {
            Class::Int(bits) => Op::IntUn { op, bits, d, a },
            Class::I128 => Op::IntUn128 { op, d, a },
            Class::F32 | Class::F64 => return self.unsupported(ty),
        });
        Ok(())
    }

    fn divide(&mut self, op: DivOp) -> Decoded {
        let ty = self.result_type();
        let class = self.class(ty)?;
        let (d, a, b) = self.operands2()?;
        self.push(match class {
            Class::Int(bits) => Op::Div { op, bits, d, a, b },
            Class::I128 => Op::Div128 { op, d, a, b },
            Class::F32 | Class::F64 => return self.unsupported(ty),
        });
        Ok(())
    }

    fn overflow(&mut self, op: OverflowOp) -> Decoded {
        let (d, a, b) = self.operands2()?;
        self.push(match self.class(self.result_type())? {
            Class::I128 => Op::Overflow128 { op, d, a, b },
            _ => Op::Overflow { op, bits: self.result_type().bits() as u8, d, a, b },
        });
        Ok(())
    }

    fn overflow_carry(&mut self, op: OverflowOp) -> Decoded {
        let (d, a, b) = self.operands2()?;
        let c = self.arg_slot(2)?;
        self.push(match self.class(self.result_type())? {
            Class::I128 => Op::OverflowCarry128 { op, d, a, b, c },
            _ => Op::OverflowCarry { op, bits: self.result_type().bits() as u8, d, a, b, c },
        });
        Ok(())
    }

    fn add_trap(&mut self, inst: Inst) -> Decoded {
        let (d, a, b) = self.operands2()?;
        let code = self.dfg.insts[inst].trap_code().map_or(0, |code| code.as_u8());
        self.push(Op::AddTrap { bits: self.result_type().bits() as u8, code, d, a, b });
        Ok(())
    }

    fn shift(&mut self, op: IntBin) -> Decoded {
        let ty = self.ty(self.arg(0)?);
        let class = self.class(ty)?;
        let d = self.dest()?;
        let a = self.arg_slot(0)?;
        if let Some(n) = slots::immediate(self.func, self.inst) {
            let wide = class == Class::Int(64);
            let bits = if wide { 64 } else { 32 };
            let k = (n % bits) as u8;
            let back = ((bits - n % bits) % bits) as u8;
            self.push(match (op, wide) {
                (IntBin::Shl, false) => Op::ShlImm32 { d, a, k },
                (IntBin::Shl, true) => Op::ShlImm64 { d, a, k },
                (IntBin::Ushr, _) => Op::UshrImm { d, a, k },
                (IntBin::Sshr, false) => Op::SshrImm32 { d, a, k },
                (IntBin::Sshr, true) => Op::SshrImm64 { d, a, k },
                (IntBin::Rotl, false) => Op::RotlImm32 { d, a, k },
                (IntBin::Rotl, true) => Op::RotlImm64 { d, a, k },
                (_, false) => Op::RotlImm32 { d, a, k: back },
                (_, true) => Op::RotlImm64 { d, a, k: back },
            });
            return Ok(());
        }
        // Of a 128-bit amount the low slot is enough: widths are powers of two.
        let b = self.arg_slot(1)?;
        self.push(match class {
            Class::Int(bits) => Op::IntBin { op, bits, d, a, b },
            Class::I128 => Op::Shift128 { op, d, a, b },
            Class::F32 | Class::F64 => return self.unsupported(ty),
        });
        Ok(())
    }

    fn bmask(&mut self) -> Decoded {
        let (to, d) = (self.result_type(), self.dest()?);
        let a = self.condition(self.arg(0)?)?;
        self.push(match self.class(to)? {
            Class::Int(bits) => Op::IntUn { op: IntUn::Bmask, bits, d, a },
            _ => Op::Bmask128 { d, a },
        });
        Ok(())
    }

    fn select(&mut self, opcode: Opcode) -> Decoded {
        let class = self.class(self.result_type())?;
        let (d, a, b) = (self.dest()?, self.arg_slot(1)?, self.arg_slot(2)?);
        let condition = self.arg(0)?;
        if opcode == Opcode::Bitselect {
            let c = self.slot(condition)?;
            self.push(match class {
                Class::I128 => Op::Bitselect128 { d, c, a, b },
                _ => Op::Bitselect { d, c, a, b },
            });
            return Ok(());
        }
        let c = self.condition(condition)?;
        self.push(match class {
            Class::I128 => Op::Select128 { d, c, a, b },
            _ => Op::Select { d, c, a, b },
        });
        Ok(())
    }

    fn icmp(&mut self, inst: Inst) -> Decoded {
        let InstData::IntCompare { cond, args, .. } = self.dfg.insts[inst] else {
            return malformed("icmp with other operands");
        };
        let ty = self.ty(args[0]);
        let (cond, class) = (IntCond::new(cond), self.class(ty)?);
        let (d, a) = (self.dest()?, self.slot(args[0])?);
        let op = match (class, slots::immediate(self.func, inst)) {
            (Class::Int(bits), Some(n)) => Op::IcmpImm { cond, sign_bit: bits - 1, d, a, imm: n as u32 },
            (Class::Int(bits), None) => Op::Icmp { cond, sign_bit: bits - 1, d, a, b: self.slot(args[1])? },
            (Class::I128, _) => Op::Icmp128 { cond, d, a, b: self.slot(args[1])? },
            (Class::F32 | Class::F64, _) => return self.unsupported(ty),
        };
        self.push(op);
        Ok(())
    }

    fn ireduce(&mut self) -> Decoded {
        let to = self.result_type();
        self.class(to)?;
        let (d, a) = (self.dest()?, self.arg_slot(0)?);
        self.push(match to.bits() {
            64 => Op::Copy { d, a },
            bits => Op::AndImm { d, a, imm: u32::MAX >> (32 - bits) },
        });
        Ok(())
    }

    fn extend(&mut self, signed: bool) -> Decoded {
        let (from, to) = (self.ty(self.arg(0)?), self.result_type());
        self.class(to)?;
        let (d, a) = (self.dest()?, self.arg_slot(0)?);
        let from = from.bits() as u8;
        self.push(match (to, signed) {
            (types::I128, false) => Op::Uext128 { d, a },
            (types::I128, true) => Op::Sext128 { from, d, a },
            (_, false) => Op::Copy { d, a },
            (_, true) => Op::Sext { from, to: to.bits() as u8, d, a },
        });
        Ok(())
    }

    fn isplit(&mut self) -> Decoded {
        let from = self.ty(self.arg(0)?);
        let class = self.class(from)?;
        let (d, a) = (self.dest()?, self.arg_slot(0)?);
        self.push(match class {
            Class::Int(bits) => Op::Split { bits: bits / 2, d, a },
            _ => Op::Copy128 { d, a },
        });
        Ok(())
    }

    fn iconcat(&mut self) -> Decoded {
        let from = self.ty(self.arg(0)?);
        let (d, a, b) = self.operands2()?;
        self.push(match from.bits() {
            64 => Op::Concat128 { d, a, b },
            bits => Op::Concat { bits: bits as u8, d, a, b },
        });
        Ok(())
    }

    fn bitcast(&mut self) -> Decoded {
        let (from, to) = (self.ty(self.arg(0)?), self.result_type());
        let class = self.class(to)?;
        self.class(from)?;
        let (d, a) = (self.dest()?, self.arg_slot(0)?);
        self.push(match class {
            Class::I128 => Op::Copy128 { d, a },
            _ => Op::Copy { d, a },
        });
        Ok(())
    }

    // ----- Floats -----

    fn is_f64(&self, ty: Type) -> Decoded<bool> {
        match class_of(ty) {
            Some(Class::F32) => Ok(false),
            Some(Class::F64) => Ok(true),
            _ => self.unsupported(ty),
        }
    }

    fn float_binary(&mut self, op: FloatBin) -> Decoded {
        let wide = self.is_f64(self.result_type())?;
        let (d, a, b) = self.operands2()?;
        self.push(if wide { Op::F64Bin { op, d, a, b } } else { Op::F32Bin { op, d, a, b } });
        Ok(())
    }

    fn float_unary(&mut self, op: FloatUn) -> Decoded {
        let wide = self.is_f64(self.result_type())?;
        let (d, a) = (self.dest()?, self.arg_slot(0)?);
        self.push(if wide { Op::F64Un { op, d, a } } else { Op::F32Un { op, d, a } });
        Ok(())
    }

    fn fma(&mut self) -> Decoded {
        let wide = self.is_f64(self.result_type())?;
        let (d, a, b) = self.operands2()?;
        let c = self.arg_slot(2)?;
        self.push(if wide { Op::F64Fma { d, a, b, c } } else { Op::F32Fma { d, a, b, c } });
        Ok(())
    }

    fn fcmp(&mut self, inst: Inst) -> Decoded {
        let InstData::FloatCompare { cond, args, .. } = self.dfg.insts[inst] else {
            return malformed("fcmp with other operands");
        };
        let wide = self.is_f64(self.ty(args[0]))?;
        let (d, a, b) = self.operands2()?;
        let cond = FloatCond::new(cond);
        self.push(if wide { Op::F64Cmp { cond, d, a, b } } else { Op::F32Cmp { cond, d, a, b } });
        Ok(())
    }

    fn float_width(&mut self, opcode: Opcode) -> Decoded {
        // Both must be types that the interpreter knows: then one is f32 and the other f64.
        self.is_f64(self.ty(self.arg(0)?))?;
        self.is_f64(self.result_type())?;
        let (d, a) = (self.dest()?, self.arg_slot(0)?);
        self.push(if opcode == Opcode::Fpromote { Op::Promote { d, a } } else { Op::Demote { d, a } });
        Ok(())
    }

    fn float_to_int(&mut self, signed: bool, saturate: bool) -> Decoded {
        let to = self.result_type();
        self.class(to)?;
        let from64 = self.is_f64(self.ty(self.arg(0)?))?;
        let (d, a) = (self.dest()?, self.arg_slot(0)?);
        self.push(Op::ToInt { from64, signed, saturate, bits: to.bits() as u8, d, a });
        Ok(())
    }

    fn int_to_float(&mut self, signed: bool) -> Decoded {
        let to64 = self.is_f64(self.result_type())?;
        let from = self.ty(self.arg(0)?);
        self.class(from)?;
        let (d, a) = (self.dest()?, self.arg_slot(0)?);
        self.push(Op::FromInt { to64, signed, bits: from.bits() as u8, d, a });
        Ok(())
    }

    // ----- Memory -----

    fn load(&mut self, inst: Inst, bytes: u32, signed: bool) -> Decoded {
        let (flags, address, off) = match self.dfg.insts[inst] {
            InstData::Load { flags, arg, offset, .. } => (flags, arg, offset.0),
            InstData::LoadNoOffset { flags, arg, .. } => (flags, arg, 0),
            _ => return malformed("a load with other operands"),
        };
        let ty = self.result_type();
        self.class(ty)?;
        let acc = self.access(flags, self.dfg.opcode(inst) == Opcode::AtomicLoad);
        let (d, a) = (self.dest()?, self.address_slot(address)?);
        self.push(match bytes {
            _ if signed => {
                let size = bytes.trailing_zeros() as u8;
                Op::LoadSigned { acc, size, to: ty.bits() as u8, d, a, off }
            }
            1 => Op::Load8 { acc, d, a, off },
            2 => Op::Load16 { acc, d, a, off },
            4 => Op::Load32 { acc, d, a, off },
            8 => Op::Load64 { acc, d, a, off },
            _ => Op::Load128 { acc, d, a, off },
        });
        Ok(())
    }

    fn store(&mut self, inst: Inst, bytes: u32) -> Decoded {
        let (flags, args, off) = match self.dfg.insts[inst] {
            InstData::Store { flags, args, offset, .. } => (flags, args, offset.0),
            InstData::StoreNoOffset { flags, args, .. } => (flags, args, 0),
            _ => return malformed("a store with other operands"),
        };
        self.class(self.ty(args[0]))?;
        let acc = self.access(flags, self.dfg.opcode(inst) == Opcode::AtomicStore);
        let (x, a) = (self.slot(args[0])?, self.address_slot(args[1])?);
        self.push(match bytes {
            1 => Op::Store8 { acc, x, a, off },
            2 => Op::Store16 { acc, x, a, off },
            4 => Op::Store32 { acc, x, a, off },
            8 => Op::Store64 { acc, x, a, off },
            _ => Op::Store128 { acc, x, a, off },
        });
        Ok(())
    }

    fn stack_addr(&mut self, inst: Inst) -> Decoded {
        let InstData::StackAddr { slot, offset, .. } = self.dfg.insts[inst] else {
            return malformed("stack_addr with other operands");
        };
        let d = self.address_result()?;
        let Some(&at) = self.stack_offsets.get(slot.index()) else {
            return malformed(format!("{slot} does not exist"));
        };
        let n = at.wrapping_add(i64::from(offset.0) as u64);
        self.push(Op::StackAddr { d, lo: n as u32, hi: (n >> 32) as u32 });
        Ok(())
    }

    fn global_value(&mut self, inst: Inst) -> Decoded {
        let InstData::UnaryGlobalValue { global, .. } = self.dfg.insts[inst] else {
            return malformed("symbol_value with other operands");
        };
        if !self.func.global_values.is_valid(global) {
            return malformed(format!("{global} does not exist"));
        }
        let d = self.dest()?;
        self.push(Op::GlobalValue { d, gv: global.as_u32() });
        Ok(())
    }

    fn atomic_rmw(&mut self, inst: Inst) -> Decoded {
        let InstData::AtomicRmw { flags, op, args, .. } = self.dfg.insts[inst] else {
            return malformed("atomic_rmw with other operands");
        };
        let size = self.result_type().bytes().trailing_zeros() as u8;
        let acc = self.access(flags, true);
        let (d, a, b) = (self.dest()?, self.address_slot(args[0])?, self.slot(args[1])?);
        self.push(Op::AtomicRmw { op, size, acc, d, a, b });
        Ok(())
    }

    fn atomic_cas(&mut self, inst: Inst) -> Decoded {
        let InstData::AtomicCas { flags, args, .. } = self.dfg.insts[inst] else {
            return malformed("atomic_cas with other operands");
        };
        let size = self.result_type().bytes().trailing_zeros() as u8;
        let acc = self.access(flags, true);
        let (d, a) = (self.dest()?, self.address_slot(args[0])?);
        let (b, c) = (self.slot(args[1])?, self.slot(args[2])?);
        self.push(Op::AtomicCas { size, acc, d, a, b, c });
        Ok(())
    }

    // ----- Control -----

    fn branch(&mut self, inst: Inst) -> Decoded {
        match self.dfg.insts[inst] {
            InstData::Jump { dest, .. } => {
                let edge = self.edge(&dest, &[], &[])?;
                self.push(Op::Jump { edge });
            }
            InstData::Brif { arg, dests, .. } => {
                let then = self.edge(&dests[0], &[], &[])?;
                let otherwise = self.edge(&dests[1], &[], &[])?;
                match slots::branch_compare(self.func, inst) {
                    Some(compare) => self.compare_branch(compare, then, otherwise)?,
                    None => {
                        let c = self.condition(arg)?;
                        self.push(Op::Brif { c, then, otherwise });
                    }
                }
            }
            InstData::BranchTable { arg, table, .. } => {
                let Some(table) = self.dfg.jump_tables.get(table) else {
                    return malformed(format!("{table} does not exist"));
                };
                let mut edges = Vec::with_capacity(1 + table.table.len());
                for call in table.all() {
                    edges.push(self.edge(call, &[], &[])?);
                }
                let a = self.slot(arg)?;
                let first = self.body.lists.len() as u32;
                let count = edges.len() as u32 - 1;
                self.body.lists.extend(edges);
                self.push(Op::BrTable { a, first, count });
            }
            _ => return malformed("a branch with other operands"),
        }
        Ok(())
    }

    fn compare_branch(&mut self, compare: Inst, then: u32, otherwise: u32) -> Decoded {
        let InstData::IntCompare { cond, args, .. } = self.dfg.insts[compare] else {
            return malformed("icmp with other operands");
        };
        let (cond, sign_bit) = (IntCond::new(cond), self.ty(args[0]).bits() as u8 - 1);
        let a = self.slot(args[0])?;
        match slots::immediate(self.func, compare) {
            Some(n) => {
                self.push(Op::BrIcmpImm { cond, sign_bit, a, imm: n as u32, then, otherwise });
            }
            None => {
                let b = self.slot(args[1])?;
                self.push(Op::BrIcmp { cond, sign_bit, a, b, then, otherwise });
            }
        }
        Ok(())
    }

    fn ret(&mut self, inst: Inst) -> Decoded {
        let args = self.dfg.inst_args(inst);
        self.check_values(args, &self.func.signature.returns, "the returned values")?;
        let mut words = Vec::new();
        for &v in args {
            self.words(v, &mut words)?;
        }
        let (first, count) = (self.body.lists.len() as u32, words.len() as u32);
        self.body.lists.extend(words);
        self.push(Op::Return { first, count });
        Ok(())
    }

    fn words(&self, v: Value, out: &mut Vec<u32>) -> Decoded {
        let first = self.slot(v)?;
        out.extend(first..first + slots_of(self.ty(v)));
        Ok(())
    }

    fn trap(&mut self, inst: Inst) -> Decoded {
        match self.dfg.insts[inst] {
            InstData::Trap { code, .. } => self.push(Op::Trap { code: code.as_u8() }),
            InstData::CondTrap { opcode, arg, code } => {
                let a = self.condition(arg)?;
                let code = code.as_u8();
                self.push(match opcode {
                    Opcode::Trapz => Op::Trapz { a, code },
                    _ => Op::Trapnz { a, code },
                });
            }
            _ => return malformed("a trap with other operands"),
        }
        Ok(())
    }

    /// An edge to `call`'s block. `rets` and `exns` are slots and types of what a `try_call` passes on.
    fn edge(&mut self, call: &BlockCall, rets: &[(u32, Type)], exns: &[(u32, Type)]) -> Decoded<u32> {
        let block = call.block;
        if !self.dfg.block_is_valid(block) || !self.func.layout.is_block_inserted(block) {
            return malformed(format!("{block} does not exist"));
        }
        let params = self.dfg.block_params(block);
        if params.len() != call.len(&self.dfg.block_args) {
            return malformed(format!("another number of arguments than {block} has parameters"));
        }
        let mut copies = Vec::new();
        for (&param, arg) in params.iter().zip(call.args(&self.dfg.block_args)) {
            let (source, ty) = match arg {
                BlockArg::Value(v) => (self.slot(v)?, self.ty(v)),
                BlockArg::TryCallRet(n) => match rets.get(n as usize) {
                    Some(&ret) => ret,
                    None => return malformed(format!("ret{n} does not exist here")),
                },
                BlockArg::TryCallExn(n) => match exns.get(n as usize) {
                    Some(&exn) => exn,
                    None => return malformed(format!("exn{n} does not exist here")),
                },
            };
            let dest = self.slot(param)?;
            if self.ty(param) != ty {
                return malformed(format!("{arg} is {ty}, but {block} takes {}", self.ty(param)));
            }
            copies.extend((0..slots_of(ty)).map(|i| (dest + i, source + i)));
        }
        let first_move = self.body.moves.len() as u32;
        self.sequence(&copies);
        let end_move = self.body.moves.len() as u32;
        let edge = Edge { target: block.as_u32(), cost: 0, first_move, end_move };
        self.body.edges.push(edge);
        Ok(self.body.edges.len() as u32 - 1)
    }

    /// Orders copies that happen at once into copies one after another. Destinations are distinct.
    fn sequence(&mut self, copies: &[(u32, u32)]) {
        let count = self.slots.count as usize;
        if self.source_of.len() < count {
            self.source_of.resize(count, NONE);
            self.readers.resize(count, 0);
        }
        let mut pending = 0usize;
        for &(d, s) in copies {
            if d != s && self.source_of[d as usize] == NONE {
                self.source_of[d as usize] = s;
                self.readers[s as usize] += 1;
                pending += 1;
            }
        }
        // What nobody reads any more may be overwritten.
        let mut ready: Vec<u32> = copies
            .iter()
            .map(|&(d, _)| d)
            .filter(|&d| self.source_of[d as usize] != NONE && self.readers[d as usize] == 0)
            .collect();
        let mut cycles = copies.iter().map(|&(d, _)| d);
        // In a cycle that was broken, the slot whose old content is in scratch.
        let mut saved = NONE;
        while pending > 0 {
            let Some(d) = ready.pop() else {
                // Only cycles are left: each of their slots has one reader.
                let Some(d) = cycles.find(|&d| self.source_of[d as usize] != NONE) else { break };
                self.body.moves.push((self.scratch, d));
                saved = d;
                self.readers[d as usize] = 0;
                ready.push(d);
                continue;
            };
            let s = core::mem::replace(&mut self.source_of[d as usize], NONE);
            if s == NONE {
                continue;
            }
            pending -= 1;
            if s == saved {
                self.body.moves.push((d, self.scratch));
                saved = NONE;
                continue;
            }
            self.body.moves.push((d, s));
            self.readers[s as usize] -= 1;
            if self.readers[s as usize] == 0 && self.source_of[s as usize] != NONE {
                ready.push(s);
            }
        }
        for &(d, s) in copies {
            self.source_of[d as usize] = NONE;
            self.readers[s as usize] = 0;
        }
    }

    // ----- Calls -----

    fn func_addr(&mut self, inst: Inst) -> Decoded {
        let InstData::FuncAddr { func, .. } = self.dfg.insts[inst] else {
            return malformed("func_addr with other operands");
        };
        let Some(data) = self.dfg.ext_funcs.get(func) else {
            return malformed(format!("{func} does not exist"));
        };
        let d = self.address_result()?;
        let address = self.link.callable_address(&data.name);
        self.constant(d, address);
        Ok(())
    }

    fn handler_address(&mut self, inst: Inst) -> Decoded {
        let InstData::ExceptionHandlerAddress { index, .. } = self.dfg.insts[inst] else {
            return malformed("get_exception_handler_address with other operands");
        };
        let d = self.address_result()?;
        let address = self.link.callable_address(&self.func.name) + 1 + u64::from(index % 127);
        self.constant(d, address);
        Ok(())
    }

    fn call(&mut self, inst: Inst) -> Decoded {
        let none = ValueList::new();
        let (func, args, table) = match self.dfg.insts[inst] {
            InstData::Call { func, args, .. } => (Some(func), args, None),
            InstData::TryCall { func, args, exception, .. } => (Some(func), args, Some(exception)),
            InstData::CallIndirect { args, .. } => (None, args, None),
            InstData::TryCallIndirect { args, exception, .. } => (None, args, Some(exception)),
            _ => (None, none, None),
        };
        let Some(sig) = self.dfg.call_signature(inst).and_then(|sig| self.dfg.signatures.get(sig)) else {
            return malformed("a call of what does not exist, or without a signature");
        };
        let mut operands = args.as_slice(&self.dfg.value_lists);
        let mut target = None;
        if func.is_none() {
            let Some((&address, rest)) = operands.split_first() else {
                return malformed("an indirect call without its operands");
            };
            target = Some(self.address_slot(address)?);
            operands = rest;
        }
        self.check_values(operands, &sig.params, "the arguments")?;
        let opcode = self.dfg.opcode(inst);
        let tail = opcode.is_return();
        if tail && self.link.shape(sig) != self.body.sig {
            let own = &self.func.signature.returns;
            let same = own.len() == sig.returns.len()
                && own.iter().zip(&sig.returns).all(|(a, b)| a.value_type == b.value_type);
            if !same {
                return malformed("a tail call whose results differ from the function's");
            }
        }
        let callee = match func.and_then(|func| self.dfg.ext_funcs.get(func)) {
            Some(data) => self.link.callable(&data.name),
            None => NONE,
        };
        let mut site = self.call_site(sig, callee, operands)?;
        if let Some(table) = table {
            return self.try_call(site, target, table, sig);
        }
        if !tail && !sig.returns.is_empty() {
            self.check_values(self.dfg.inst_results(inst), &sig.returns, "the results")?;
            site.ret = self.dest()?;
        }
        if tail && !site.structs.is_empty() {
            return malformed("a tail call with structures by value");
        }
        let site = self.add_site(site);
        self.push(match (target, tail) {
            (None, false) => Op::Call { site },
            (None, true) => Op::TailCall { site },
            (Some(a), false) => Op::CallIndirect { site, a },
            (Some(a), true) => Op::TailCallIndirect { site, a },
        });
        Ok(())
    }

    fn call_site(&mut self, sig: &Signature, callee: u32, operands: &[Value]) -> Decoded<CallSite> {
        let mut args = Vec::new();
        let mut structs = Vec::new();
        for (&v, param) in operands.iter().zip(&sig.params) {
            if let ArgumentPurpose::StructArgument(size) = param.purpose {
                structs.push((args.len() as u32, size));
            }
            self.words(v, &mut args)?;
        }
        let sig = self.link.shape(sig);
        Ok(CallSite { callee, sig, args, ret: 0, exn: 0, structs, handlers: Vec::new() })
    }

    fn add_site(&mut self, site: CallSite) -> u32 {
        self.body.sites.push(site);
        self.body.sites.len() as u32 - 1
    }

    /// Results and payload go to slots of their own; the edges copy them on.
    fn try_call(
        &mut self,
        mut site: CallSite,
        target: Option<u32>,
        table: ExceptionTable,
        sig: &Signature,
    ) -> Decoded {
        let Some(table) = self.dfg.exception_tables.get(table) else {
            return malformed(format!("{table} does not exist"));
        };
        let mut rets = Vec::new();
        site.ret = self.slots.count;
        for param in &sig.returns {
            rets.push((self.slots.fresh(slots_of(param.value_type)), param.value_type));
        }
        site.exn = self.slots.fresh(2);
        let address = self.link.address_type;
        let exns = [(site.exn, address), (site.exn + 1, address)];
        for item in &table.items {
            site.handlers.push(match item {
                ExceptionItem::Tag(tag, call) => Handler::Tag(tag.as_u32(), self.edge(call, &[], &exns)?),
                ExceptionItem::Default(call) => Handler::Default(self.edge(call, &[], &exns)?),
                ExceptionItem::Context(v) => Handler::Context(self.slot(*v)?),
            });
        }
        let normal = self.edge(&table.normal, &rets, &[])?;
        let site = self.add_site(site);
        self.push(match target {
            None => Op::Call { site },
            Some(a) => Op::CallIndirect { site, a },
        });
        self.push(Op::Jump { edge: normal });
        Ok(())
    }
}
