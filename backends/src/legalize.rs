//! Legalization: what the target's rules lack, expressed in what they have.
//!
//! **In:** a verified function. **Out:** the same function, in which every instruction that a rule of
//! `isle-rules/legalize` can expand is one that the target selects; what neither can do is left for selection
//! to refuse by name.
//!
//! What a target has is read off its own rules at build time ([`NativeRow`]); nothing is listed twice. An
//! instruction that is not there is replaced by the values that its rule computes, whose instructions come before it
//! and are looked at in turn. Its results become aliases. Control flow stays as it is. Cost: linear in the function
//! and what it grows to.

use crate::coverage::{LEGALIZE, RuleObserver};
use crate::error::CompileError;
use alloc::boxed::Box;
use alloc::vec::Vec;
use smallvec::{SmallVec, smallvec};
use windlass_ir::entity::packed_option::PackedOption;
use windlass_ir::entity::{EntityRef, SecondaryMap};
use windlass_ir::{
    AbiParam, CallConv, DataFlowGraph, Endianness, ExtFuncData, ExternalName, FloatCC, Function, Inst,
    InstData, Opcode, Signature, Type, Value, ValueDef, opcode, types,
};

/// What a rule of the target covers: see `windlass_rules::native`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct NativeRow {
    /// The opcode.
    pub opcode: Opcode,
    /// Controlling types, a bit for each of the table's types; the top bit is an opcode without one.
    pub ctrl: u8,
    /// Types of the first value operand, the same way.
    pub first: u8,
    /// The feature that it takes; empty for none.
    pub requires: &'static str,
}

/// The types that have a bit in [`NativeRow`], in order.
pub const TYPES: [Type; 7] =
    [types::I8, types::I16, types::I32, types::I64, types::I128, types::F32, types::F64];

/// The place of a type; types that are not in the table share the last one with no type.
fn type_index(ty: Type) -> usize {
    TYPES.iter().position(|&t| t == ty).unwrap_or(TYPES.len())
}

/// What a target does natively: for each opcode and controlling type, the types of the first operand.
#[derive(Clone)]
pub struct Native {
    table: Box<[[u8; 8]]>,
}

impl Native {
    /// The rows whose feature `has` knows.
    pub fn new(rows: &[NativeRow], has: impl Fn(&str) -> bool) -> Native {
        let mut table = alloc::vec![[0u8; 8]; opcode::TABLE.len()].into_boxed_slice();
        for row in rows.iter().filter(|row| row.requires.is_empty() || has(row.requires)) {
            for (i, first) in table[row.opcode as usize].iter_mut().enumerate() {
                if row.ctrl >> i & 1 != 0 {
                    *first |= row.first;
                }
            }
        }
        Native { table }
    }

    /// Is there a rule for `opcode` at controlling type `ctrl` with a first operand of type `first`?
    pub fn covers(&self, opcode: Opcode, ctrl: Type, first: Type) -> bool {
        self.table[opcode as usize][type_index(ctrl)] >> type_index(first) & 1 != 0
    }

    /// Without the rows that touch floats, but for those that ask for `feature`.
    pub fn without_floats(rows: &[NativeRow], feature: &str, has: impl Fn(&str) -> bool) -> Native {
        let floats = [types::F32, types::F64].map(type_index).into_iter().fold(0u8, |bits, i| bits | 1 << i);
        let mut native = Native::new(rows, |name| name != feature && has(name));
        for def in opcode::TABLE {
            let effects = def.opcode.effects();
            if effects.has(windlass_ir::Effects::TERMINATOR) || effects.has(windlass_ir::Effects::CALL) {
                continue;
            }
            let row = &mut native.table[def.opcode as usize];
            let gives_float = matches!(def.opcode, Opcode::F32const | Opcode::F64const);
            for (i, first) in row.iter_mut().enumerate() {
                // Operands that are no floats may be of any type in a row that says nothing of them.
                *first &= !floats;
                if floats >> i & 1 != 0 || gives_float {
                    *first = 0;
                }
            }
        }
        for row in rows.iter().filter(|row| row.requires == feature) {
            for (i, first) in native.table[row.opcode as usize].iter_mut().enumerate() {
                if row.ctrl >> i & 1 != 0 {
                    *first |= row.first;
                }
            }
        }
        native
    }

    /// The native instructions that `keep` keeps: a smaller machine, for tests.
    pub fn retain(&mut self, keep: impl Fn(Opcode, Type) -> bool) {
        for def in opcode::TABLE {
            for (i, first) in self.table[def.opcode as usize].iter_mut().enumerate() {
                let ty = TYPES.get(i).copied().unwrap_or(Type::INVALID);
                if !keep(def.opcode, ty) {
                    *first = 0;
                }
            }
        }
    }
}

/// The operations that every other can be made of: what a new target's first rules do.
pub fn is_core(opcode: Opcode, ty: Type) -> bool {
    use Opcode::*;
    match opcode {
        Iadd | Isub | Imul | Udiv | Sdiv | Band | Bor | Bxor | Ishl | Ushr | Sshr | Icmp | Select
        | SelectSpectreGuard | Load | Store | Iconst | Ireduce | Uextend | Sextend => ty != types::I128,
        Bitcast | Isplit | Iconcat => true,
        _ => {
            let effects = opcode.effects();
            effects.has(windlass_ir::Effects::TERMINATOR)
                || effects.has(windlass_ir::Effects::CALL)
                || effects.has(windlass_ir::Effects::OTHER)
                || opcode.def().args.is_empty()
                || matches!(opcode, Trapz | Trapnz | Fcmp)
        }
    }
}

/// A routine of the run-time library that does an operation.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Runtime {
    /// Its name.
    pub name: ExternalName,
    /// The convention that it is called by.
    pub call_conv: CallConv,
    /// It takes and gives floats as integers of the same bits.
    pub floats_as_bits: bool,
}

/// What legalization needs to know about the target.
pub struct Facts<'a> {
    /// What it does natively.
    pub native: &'a Native,
    /// Byte order of memory.
    pub endianness: Endianness,
    /// The routine for an opcode that gives a `result` from operands of type `operand`.
    pub runtime: &'a dyn Fn(Opcode, Type, Type) -> Option<Runtime>,
    /// The routine that compares floats of a type, giving an i32 of 0 or 1.
    pub compare: &'a dyn Fn(FloatCC, Type) -> Option<Runtime>,
    /// Accesses must be aligned to their size.
    pub strict_alignment: bool,
}

/// Does the target select everything in `func` as it is?
pub fn is_legal(func: &Function, facts: &Facts<'_>) -> bool {
    let legal = |inst| is_native(&func.dfg, inst, facts);
    func.layout.blocks().all(|block| func.layout.block_insts(block).all(legal))
}

fn is_native(dfg: &DataFlowGraph, inst: Inst, facts: &Facts<'_>) -> bool {
    let first = dfg.inst_args(inst).first().map_or(Type::INVALID, |&v| dfg.value_type(v));
    facts.native.covers(dfg.opcode(inst), dfg.ctrl_type(inst), first)
        && !(facts.strict_alignment && may_be_misaligned(dfg, inst))
}

/// Is it an access of more than a byte without a promise of its alignment? (Atomic accesses are aligned.)
fn may_be_misaligned(dfg: &DataFlowGraph, inst: Inst) -> bool {
    use Opcode::*;
    match &dfg.insts[inst] {
        InstData::Load { opcode, flags, .. } | InstData::Store { opcode, flags, .. } => {
            let byte = match opcode {
                Uload8 | Sload8 | Istore8 => true,
                Load | Store => dfg.ctrl_type(inst) == types::I8,
                _ => false,
            };
            !flags.aligned() && !byte
        }
        _ => false,
    }
}

/// More instructions than an expansion ever needs: beyond it a rule leads back to itself.
const MAX_EXPANSION: u32 = 100_000;

/// For an instruction that legalization made, the instruction of the original function that it is part of.
pub type Origins = SecondaryMap<Inst, PackedOption<Inst>>;

/// Legalizes `func`; says where its new instructions come from.
///
/// # Errors
/// A rule that does not end, which is a bug.
pub fn legalize(
    func: &mut Function,
    facts: &Facts<'_>,
    mut observer: Option<&mut RuleObserver>,
) -> Result<Origins, CompileError> {
    let mut origins = Origins::new();
    let blocks: Vec<_> = func.layout.blocks().collect();
    for block in blocks {
        let mut next = func.layout.first_inst(block);
        let mut budget = MAX_EXPANSION;
        let mut target = None;
        while let Some(inst) = next {
            next = func.layout.next_inst(inst);
            if target == Some(inst) {
                budget = MAX_EXPANSION;
                target = None;
            }
            if is_native(&func.dfg, inst, facts) {
                continue;
            }
            let origin = origins[inst].expand().unwrap_or(inst);
            let observer = observer.as_deref_mut();
            let mut rules =
                Rules { func, facts, at: inst, first: None, origins: &mut origins, origin, observer };
            let Some(values) = generated::constructor_legalize(&mut rules, inst) else { continue };
            let first = rules.first;
            replace(func, inst, &values)?;
            target = target.or(next);
            next = first.or(next);
            budget -= 1;
            if budget == 0 {
                let what = alloc::format!("the expansion of {} does not end", func.dfg.opcode(inst));
                return Err(CompileError::Internal { stage: "legalization", what });
            }
        }
    }
    func.dfg.resolve_all_aliases();
    Ok(origins)
}

/// Removes `inst`, whose results `values` stand for from now on.
fn replace(func: &mut Function, inst: Inst, values: &[Value]) -> Result<(), CompileError> {
    let results: SmallVec<[Value; 2]> = SmallVec::from_slice(func.dfg.inst_results(inst));
    if results.len() != values.len() {
        let what = alloc::format!("the rule for {} gives other results", func.dfg.opcode(inst));
        return Err(CompileError::Internal { stage: "legalization", what });
    }
    func.dfg.detach_results(inst);
    for (&old, &new) in results.iter().zip(values) {
        if func.dfg.value_type(old) != func.dfg.value_type(new) {
            let what = alloc::format!("the rule for {} gives another type", func.dfg.opcode(inst));
            return Err(CompileError::Internal { stage: "legalization", what });
        }
        func.dfg.change_to_alias(old, new);
    }
    func.layout.remove_inst(inst);
    Ok(())
}

/// What generated code works on.
struct Rules<'a> {
    func: &'a mut Function,
    facts: &'a Facts<'a>,
    /// New instructions go before it.
    at: Inst,
    /// The first new one.
    first: Option<Inst>,
    origins: &'a mut Origins,
    /// What all of them are part of.
    origin: Inst,
    observer: Option<&'a mut RuleObserver>,
}

#[allow(
    clippy::all,
    dead_code,
    missing_docs,
    unreachable_code,
    unreachable_patterns,
    unused_imports,
    unused_mut,
    unused_variables,
    non_snake_case,
    irrefutable_let_patterns,
    reason = "generated"
)]
mod generated {
    pub use crate::machinst::types::{Class16, Class32, TypeClass};
    pub use windlass_ir::immediates::*;
    pub use windlass_ir::{
        AtomicRmwOp, Block, BlockCall, Constant, ExceptionTable, FloatCC, FuncRef, GlobalValue, Immediate,
        Inst, InstData, IntCC, JumpTable, MemFlags, Opcode, SigRef, StackSlot, TrapCode, Type, Value,
        ValueList,
    };

    pub type Unit = ();
    pub type Values = smallvec::SmallVec<[Value; 2]>;
    pub type ValuePair = (Value, Value);
    pub type Value2 = [Value; 2];
    pub type Value3 = [Value; 3];
    pub type BlockCall2 = [BlockCall; 2];

    pub use windlass_ir::types::{F32, F64, I8, I16, I32, I64, I128};
    pub const INT_DIVZ: TrapCode = TrapCode::INTEGER_DIVISION_BY_ZERO;
    pub const INT_OVF: TrapCode = TrapCode::INTEGER_OVERFLOW;
    pub const BAD_TOINT: TrapCode = TrapCode::BAD_CONVERSION_TO_INTEGER;

    include!(concat!(env!("OUT_DIR"), "/legalize.rs"));
}

pub(crate) use generated::RULES;
use generated::{Context, TypeClass, Values};

impl Rules<'_> {
    fn insert(&mut self, ctrl: Type, data: InstData) -> Inst {
        let inst = self.func.dfg.make_inst(data);
        self.func.dfg.make_inst_results(inst, ctrl);
        self.func.layout.insert_inst_before(inst, self.at);
        self.func.srclocs[inst] = self.func.srclocs[self.at];
        self.origins[inst] = self.origin.into();
        self.first.get_or_insert(inst);
        inst
    }

    fn result(&self, inst: Inst, n: usize) -> Value {
        // Rules build only instructions that have the result: their types say so.
        self.func.dfg.inst_results(inst).get(n).copied().unwrap_or(Value::new(0))
    }

    fn binary(&mut self, opcode: Opcode, x: Value, y: Value) -> Value {
        let ctrl = self.func.dfg.value_type(x);
        let inst = self.insert(ctrl, InstData::Binary { opcode, args: [x, y] });
        self.result(inst, 0)
    }

    /// A constant of an integer type of up to 128 bits.
    fn constant(&mut self, ty: Type, k: i128) -> Value {
        if ty == types::I128 {
            let low = self.constant(types::I64, k as i64 as i128);
            let high = self.constant(types::I64, k >> 64);
            return self.binary(Opcode::Iconcat, low, high);
        }
        let shift = 64 - ty.bits().clamp(1, 64);
        let imm = ((k as i64) << shift >> shift).into();
        let inst = self.insert(ty, InstData::UnaryImm { opcode: Opcode::Iconst, imm });
        self.result(inst, 0)
    }

    fn float_constant(&mut self, ty: Type, bits: u64) -> Value {
        let data = if ty == types::F32 {
            InstData::UnaryIeee32 { opcode: Opcode::F32const, imm: windlass_ir::Ieee32(bits as u32) }
        } else {
            InstData::UnaryIeee64 { opcode: Opcode::F64const, imm: windlass_ir::Ieee64(bits) }
        };
        let inst = self.insert(Type::INVALID, data);
        self.result(inst, 0)
    }

    /// Calls the run-time routine for `opcode`, if there is one.
    fn call(&mut self, opcode: Opcode, ty: Type, args: &[Value]) -> Option<Value> {
        let operand = args.first().map_or(Type::INVALID, |&v| self.func.dfg.value_type(v));
        let routine = (self.facts.runtime)(opcode, ty, operand)?;
        Some(self.call_routine(routine, ty, args))
    }

    fn call_routine(&mut self, routine: Runtime, ty: Type, args: &[Value]) -> Value {
        if routine.floats_as_bits {
            let is_float = |ty: Type| matches!(ty, types::F32 | types::F64);
            let bits: SmallVec<[Value; 4]> =
                args.iter().map(|&v| if is_float(self.value_ty(v)) { self.to_bits(v) } else { v }).collect();
            let routine = Runtime { floats_as_bits: false, ..routine };
            if !is_float(ty) {
                return self.call_routine(routine, ty, &bits);
            }
            let int = Type::int(ty.bits()).unwrap_or(ty);
            let result = self.call_routine(routine, int, &bits);
            return self.from_bits(ty, result);
        }
        let params = args.iter().map(|&v| AbiParam::new(self.func.dfg.value_type(v))).collect();
        let signature =
            Signature { params, returns: alloc::vec![AbiParam::new(ty)], call_conv: routine.call_conv };
        let dfg = &mut self.func.dfg;
        let known = dfg
            .ext_funcs
            .iter()
            .find(|(_, f)| f.name == routine.name && dfg.signatures[f.signature] == signature);
        let func = match known {
            Some((func, _)) => func,
            None => {
                let signature = dfg.signatures.push(signature);
                dfg.ext_funcs.push(ExtFuncData { name: routine.name, signature, colocated: false })
            }
        };
        let args = windlass_ir::ValueList::from_slice(args, &mut dfg.value_lists);
        let inst = self.insert(Type::INVALID, InstData::Call { opcode: Opcode::Call, func, args });
        self.result(inst, 0)
    }

    /// The bits of the float 2^n.
    fn power_of_two(ty: Type, n: u32) -> u64 {
        match ty {
            types::F32 => u64::from((127 + n.min(127)) << 23),
            _ => u64::from(1023 + n) << 52,
        }
    }

    fn value_ty(&self, v: Value) -> Type {
        self.func.dfg.value_type(v)
    }
}

/// Digits of precision, the hidden bit included.
fn precision(ty: Type) -> u32 {
    if ty == types::F32 { 24 } else { 53 }
}

impl Context for Rules<'_> {
    fn rule_fired(&mut self, index: u32) {
        if let Some(observer) = &mut self.observer {
            observer(&LEGALIZE, index);
        }
    }
    fn type_class(&mut self, ty: Type) -> TypeClass {
        TypeClass::of(ty)
    }
    fn ty_bits(&mut self, ty: Type) -> u32 {
        ty.bits()
    }
    fn int_to_64(&mut self, ty: Type) -> Option<Type> {
        (ty.is_int() && ty.bits() <= 64).then_some(ty)
    }
    fn value_type(&mut self, v: Value) -> Type {
        self.value_ty(v)
    }
    fn type_of(&mut self, v: Value) -> Type {
        self.value_ty(v)
    }
    fn u64_const(&mut self, v: Value) -> Option<u64> {
        let inst = self.def_inst(v)?;
        match self.func.dfg.insts[inst] {
            InstData::UnaryImm { opcode: Opcode::Iconst, imm } => {
                Some(imm.zero_extended(self.value_ty(v).bits().clamp(1, 64)))
            }
            _ => None,
        }
    }
    fn i64_const(&mut self, v: Value) -> Option<i64> {
        let shift = 64 - self.value_ty(v).bits().clamp(1, 64);
        self.u64_const(v).map(|k| (k << shift) as i64 >> shift)
    }
    fn u64_low(&mut self, k: u64) -> u32 {
        k as u32
    }
    fn u64_high(&mut self, k: u64) -> u32 {
        (k >> 32) as u32
    }
    fn value2(&mut self, v: [Value; 2]) -> (Value, Value) {
        (v[0], v[1])
    }
    fn value3(&mut self, v: [Value; 3]) -> (Value, Value, Value) {
        (v[0], v[1], v[2])
    }
    fn make_value2(&mut self, x: Value, y: Value) -> [Value; 2] {
        [x, y]
    }
    fn make_value3(&mut self, x: Value, y: Value, z: Value) -> [Value; 3] {
        [x, y, z]
    }
    fn inst_data(&mut self, inst: Inst) -> (Type, InstData) {
        (self.func.dfg.ctrl_type(inst), self.func.dfg.insts[inst])
    }
    fn def_inst(&mut self, v: Value) -> Option<Inst> {
        match self.func.dfg.value_def(v) {
            ValueDef::Result(inst, 0) => Some(inst),
            _ => None,
        }
    }
    fn values_none(&mut self) -> Values {
        smallvec![]
    }
    fn values_one(&mut self, v: Value) -> Values {
        smallvec![v]
    }
    fn values_two(&mut self, v: Value, w: Value) -> Values {
        smallvec![v, w]
    }
    fn first(&mut self, p: (Value, Value)) -> Value {
        p.0
    }
    fn second(&mut self, p: (Value, Value)) -> Value {
        p.1
    }
    fn value_pair(&mut self, a: Value, b: Value) -> (Value, Value) {
        (a, b)
    }
    fn emit_none(&mut self, ctrl: Type, data: &InstData) {
        self.insert(ctrl, *data);
    }
    fn emit_one(&mut self, ctrl: Type, data: &InstData) -> Value {
        let inst = self.insert(ctrl, *data);
        self.result(inst, 0)
    }
    fn emit_two(&mut self, ctrl: Type, data: &InstData) -> (Value, Value) {
        let inst = self.insert(ctrl, *data);
        (self.result(inst, 0), self.result(inst, 1))
    }
    fn no_type(&mut self) -> Type {
        Type::INVALID
    }
    fn half(&mut self, ty: Type) -> Type {
        ty.half_width().unwrap_or(ty)
    }
    fn double(&mut self, ty: Type) -> Type {
        ty.double_width().unwrap_or(ty)
    }
    fn int_of(&mut self, ty: Type) -> Type {
        Type::int(ty.bits()).unwrap_or(ty)
    }
    fn float_type(&mut self, ty: Type) -> Option<Type> {
        matches!(ty, types::F32 | types::F64).then_some(ty)
    }
    fn int(&mut self, ty: Type, k: i64) -> Value {
        self.constant(ty, k.into())
    }
    fn bytes(&mut self, ty: Type, byte: u8) -> Value {
        self.constant(ty, i128::from_le_bytes([byte; 16]))
    }
    fn bits_of(&mut self, ty: Type) -> i64 {
        ty.bits().into()
    }
    fn bits_less_one(&mut self, ty: Type) -> i64 {
        i64::from(ty.bits()) - 1
    }
    fn bits_less_eight(&mut self, ty: Type) -> i64 {
        i64::from(ty.bits()) - 8
    }
    fn bits_below_32(&mut self, ty: Type) -> i64 {
        32 - i64::from(ty.bits())
    }
    fn sign_bit(&mut self, ty: Type) -> Value {
        self.constant(ty, i128::MIN >> (128 - ty.bits()))
    }
    fn magnitude_bits(&mut self, ty: Type) -> Value {
        self.constant(ty, i128::MAX >> (128 - ty.bits()))
    }
    fn float(&mut self, ty: Type, bits: u64) -> Value {
        self.float_constant(ty, bits)
    }
    fn runtime1(&mut self, opcode: &Opcode, ty: Type, x: Value) -> Option<Value> {
        self.call(*opcode, ty, &[x])
    }
    fn runtime2(&mut self, opcode: &Opcode, ty: Type, x: Value, y: Value) -> Option<Value> {
        self.call(*opcode, ty, &[x, y])
    }
    fn runtime3(&mut self, opcode: &Opcode, ty: Type, x: Value, y: Value, z: Value) -> Option<Value> {
        self.call(*opcode, ty, &[x, y, z])
    }
    fn runtime_compare(&mut self, cc: &FloatCC, x: Value, y: Value) -> Option<Value> {
        let routine = (self.facts.compare)(*cc, self.value_ty(x))?;
        let result = self.call_routine(routine, types::I32, &[x, y]);
        let data = InstData::Unary { opcode: Opcode::Ireduce, arg: result };
        let inst = self.insert(types::I8, data);
        Some(self.result(inst, 0))
    }
    fn misaligned(&mut self, flags: windlass_ir::MemFlags) -> Option<windlass_ir::MemFlags> {
        (self.facts.strict_alignment && !flags.aligned()).then_some(flags)
    }
    fn half_bytes(&mut self, ty: Type) -> i32 {
        (ty.bytes() / 2) as i32
    }
    fn divide(&mut self, opcode: &Opcode, x: Value, y: Value) -> Value {
        let ty = self.value_ty(x);
        match self.call(*opcode, ty, &[x, y]) {
            Some(v) => v,
            // Left as it is: selection refuses it by name.
            None => self.binary(*opcode, x, y),
        }
    }
    /// x | x >> 1, then >> 2 …: all bits below the highest one are ones.
    fn smear(&mut self, ty: Type, x: Value) -> Value {
        let mut x = x;
        let mut n = 1;
        while n < ty.bits() {
            let amount = self.constant(types::I32, n.into());
            let shifted = self.binary(Opcode::Ushr, x, amount);
            x = self.binary(Opcode::Bor, x, shifted);
            n *= 2;
        }
        x
    }
    /// Bytes change places with their neighbours, then pairs of bytes …
    fn swap_bytes(&mut self, ty: Type, x: Value) -> Value {
        let mut x = x;
        let mut n = 8;
        while n < ty.bits() {
            // Groups of n bits, every other one.
            let ones = (1u128 << n) - 1;
            let mask = (0..128).step_by(2 * n as usize).fold(0u128, |mask, at| mask | ones << at);
            let mask = self.constant(ty, mask as i128);
            let amount = self.constant(types::I32, n.into());
            let low = self.binary(Opcode::Band, x, mask);
            let up = self.binary(Opcode::Ishl, low, amount);
            let down = self.binary(Opcode::Ushr, x, amount);
            let down = self.binary(Opcode::Band, down, mask);
            x = self.binary(Opcode::Bor, up, down);
            n *= 2;
        }
        x
    }
    fn unsigned_cc(&mut self, cc: &windlass_ir::IntCC) -> windlass_ir::IntCC {
        cc.unsigned()
    }
    fn to_bits(&mut self, x: Value) -> Value {
        let ty = self.value_ty(x);
        let int = Type::int(ty.bits()).unwrap_or(ty);
        let flags = windlass_ir::MemFlags::new();
        let inst = self.insert(int, InstData::LoadNoOffset { opcode: Opcode::Bitcast, flags, arg: x });
        self.result(inst, 0)
    }
    fn from_bits(&mut self, ty: Type, x: Value) -> Value {
        let flags = windlass_ir::MemFlags::new();
        let inst = self.insert(ty, InstData::LoadNoOffset { opcode: Opcode::Bitcast, flags, arg: x });
        self.result(inst, 0)
    }
    fn unsigned_max(&mut self, ty: Type) -> i64 {
        (1 << ty.bits().min(62)) - 1
    }
    fn signed_max(&mut self, ty: Type) -> i64 {
        (1 << (ty.bits().min(63) - 1)) - 1
    }
    fn signed_min(&mut self, ty: Type) -> i64 {
        -(1 << (ty.bits().min(63) - 1))
    }
    /// Above -1.
    fn low_bound_unsigned(&mut self, _: Type, x: Value) -> Value {
        let ty = self.value_ty(x);
        let bits = Self::power_of_two(ty, 0) | 1 << (ty.bits() - 1);
        self.float_constant(ty, bits)
    }
    /// Below 2^n. A single cannot be as large as 2^128: infinity is the bound.
    fn high_bound_unsigned(&mut self, int: Type, x: Value) -> Value {
        let ty = self.value_ty(x);
        let bits = if ty == types::F32 && int.bits() == 128 {
            0x7f80_0000
        } else {
            Self::power_of_two(ty, int.bits())
        };
        self.float_constant(ty, bits)
    }
    /// Above -2^(n-1) - 1; where that is no float, above the float next below -2^(n-1).
    fn low_bound_signed(&mut self, int: Type, x: Value) -> Value {
        let ty = self.value_ty(x);
        let (n, p) = (int.bits() - 1, precision(ty));
        let sign = 1 << (ty.bits() - 1);
        let power = Self::power_of_two(ty, n);
        // The unit in the last place of 2^n is 2^(n - p + 1).
        let bits = if n < p { power + (1 << (p - 1 - n)) } else { power + 1 };
        self.float_constant(ty, bits | sign)
    }
    fn high_bound_signed(&mut self, int: Type, x: Value) -> Value {
        let ty = self.value_ty(x);
        self.float_constant(ty, Self::power_of_two(ty, int.bits() - 1))
    }
    fn plus(&mut self, off: windlass_ir::Offset32, k: i32) -> windlass_ir::Offset32 {
        windlass_ir::Offset32(off.0.wrapping_add(k))
    }
    fn is_big(&mut self, flags: windlass_ir::MemFlags) -> Option<()> {
        (flags.endianness(self.facts.endianness) == Endianness::Big).then_some(())
    }
}
