//! Two instructions of a block that one machine instruction does: a load and what extends or reverses what it brings,
//! and an access whose address somebody wants as a new base (update forms: `lwzu`, `stdux`).
//!
//! [`joins`] finds, for an instruction, an earlier one of its block to be selected with; [`lower_joined`] selects both
//! where the earlier one stands. What moves there is pure, or a load that cannot trap, and moves past nothing that could
//! change what it gives. A base that is written costs a copy if its old value lives on, so that an access updates only a
//! base that nobody else uses.

use super::imm::Simm16;
use super::lower::{Lower, load_converted};
use super::memory::{Conversion, Data, Form, Moved};
use super::pseudo::MInst;
use super::regs;
use crate::machinst::{InstOutput, Reg, ValueRegs};
use smallvec::smallvec;
use windlass_ir::{Inst, InstData, MemFlags, Opcode, Type, Value, types};

/// A load or store in the machine's byte order.
#[derive(Clone, Copy)]
struct Access {
    data: Data,
    flags: MemFlags,
    /// What is stored.
    value: Option<Value>,
    address: Value,
    offset: i32,
}

/// What an access of an opcode and controlling type moves.
fn moved(opcode: Opcode, ty: Type) -> Option<Data> {
    Some(match (opcode, ty) {
        (Opcode::Uload8 | Opcode::Istore8, _) | (Opcode::Load | Opcode::Store, types::I8) => Data::Byte,
        (Opcode::Uload16 | Opcode::Istore16, _) | (Opcode::Load | Opcode::Store, types::I16) => Data::Half,
        (Opcode::Sload16, _) => Data::SignedHalf,
        (Opcode::Uload32 | Opcode::Istore32, _) | (Opcode::Load | Opcode::Store, types::I32) => Data::Word,
        (Opcode::Sload32, _) => Data::SignedWord,
        (Opcode::Load | Opcode::Store, types::I64) => Data::Doubleword,
        (Opcode::Load | Opcode::Store, types::F32) => Data::Single,
        (Opcode::Load | Opcode::Store, types::F64) => Data::Double,
        _ => return None,
    })
}

fn access(cx: &Lower<'_>, inst: Inst) -> Option<Access> {
    let dfg = &cx.func.dfg;
    let (opcode, flags, value, address, offset) = match dfg.insts[inst] {
        InstData::Load { opcode, flags, arg, offset } => (opcode, flags, None, arg, offset.0),
        InstData::Store { opcode, flags, args: [value, address], offset } => {
            (opcode, flags, Some(dfg.resolve_aliases(value)), address, offset.0)
        }
        _ => return None,
    };
    let data = moved(opcode, dfg.ctrl_type(inst))?;
    let native = data == Data::Byte || !cx.is_swapped(flags);
    let address = dfg.resolve_aliases(address);
    native.then_some(Access { data, flags, value, address, offset })
}

/// What is added to a base.
#[derive(Clone, Copy)]
enum Step {
    Constant(i64),
    Index(Value),
}

impl Step {
    /// Can an access of `data` update its base by it?
    fn suits(self, data: Data) -> bool {
        match self {
            Step::Constant(k) => {
                Simm16::new(k).is_some() && k % i64::from(data.scale()) == 0 && data != Data::SignedWord
            }
            Step::Index(_) => true,
        }
    }
}

/// A value of 64 bits, no constant, and what an instruction adds to it.
fn addition(cx: &Lower<'_>, inst: Inst) -> Option<(Value, Step)> {
    let dfg = &cx.func.dfg;
    let InstData::Binary { opcode: Opcode::Iadd, args } = dfg.insts[inst] else { return None };
    let [x, y] = args.map(|v| dfg.resolve_aliases(v));
    if dfg.ctrl_type(inst) != types::I64 || cx.constant(x).is_some() || x == y {
        return None;
    }
    let step = match cx.signed_constant(y) {
        Some(k) => Step::Constant(k),
        None => Step::Index(y),
    };
    Some((x, step))
}

/// An earlier instruction of the block that `inst` is selected with.
pub(super) fn joins(cx: &Lower<'_>, inst: Inst) -> Option<Inst> {
    if let Some((base, step)) = addition(cx, inst) {
        return updated_behind(cx, inst, base, step);
    }
    if let Some(access) = access(cx, inst) {
        return updated_before(cx, inst, &access);
    }
    converted(cx, inst)
}

/// The access at the sum that `inst` makes, whose base nobody else uses.
fn updated_behind(cx: &Lower<'_>, inst: Inst, base: Value, step: Step) -> Option<Inst> {
    let Step::Constant(k) = step else { return None };
    let first = cx.other_user(inst, base)?;
    let access = access(cx, first)?;
    let fits = k != 0 && access.address == base && i64::from(access.offset) == k;
    (fits && step.suits(access.data)).then_some(first)
}

/// The addition that makes the address, whose sum is used later too but not before `inst`, and whose base is not.
fn updated_before(cx: &Lower<'_>, inst: Inst, access: &Access) -> Option<Inst> {
    let first = cx.pure_def(access.address)?;
    let (base, step) = addition(cx, first)?;
    let fits = access.offset == 0 && step.suits(access.data);
    (fits && cx.can_update(inst, first, base, access.address, access.value)).then_some(first)
}

/// The load of which `inst` makes something, and what: an extension with the sign, or a reversal.
fn conversion(cx: &Lower<'_>, inst: Inst) -> Option<(Inst, Conversion)> {
    let dfg = &cx.func.dfg;
    let InstData::Unary { opcode, arg } = dfg.insts[inst] else { return None };
    let v = dfg.resolve_aliases(arg);
    let load = cx.def(v)?;
    let InstData::Load { opcode: Opcode::Load, flags, .. } = dfg.insts[load] else { return None };
    let conversion = match (opcode, dfg.value_type(v)) {
        (Opcode::Sextend, _) if cx.is_swapped(flags) => return None,
        (Opcode::Sextend, types::I16) => Conversion::Signed(Data::SignedHalf),
        (Opcode::Sextend, types::I32) => Conversion::Signed(Data::SignedWord),
        (Opcode::Bswap, types::I16) => Conversion::Reversed(Data::Half),
        (Opcode::Bswap, types::I32) => Conversion::Reversed(Data::Word),
        (Opcode::Bswap, types::I64) => Conversion::Reversed(Data::Doubleword),
        _ => return None,
    };
    Some((load, conversion))
}

/// The load of this block whose result `inst` alone uses, and that can bring what `inst` makes of it.
fn converted(cx: &Lower<'_>, inst: Inst) -> Option<Inst> {
    let (load, _) = conversion(cx, inst)?;
    let brought = cx.func.dfg.first_result(load)?;
    let wide = cx.value_type(cx.func.dfg.first_result(inst)?).bits() > 64;
    let alone = cx.use_count(brought) == 1 && !cx.is_wanted(brought) && !cx.is_joined(load);
    (alone && !wide && cx.before(inst).any(|at| at == load)).then_some(load)
}

/// Selects two instructions where the first stands. The second was found by [`joins`].
pub(super) fn lower_joined(
    cx: &mut Lower<'_>,
    first: Inst,
    second: Inst,
) -> Option<(InstOutput, InstOutput)> {
    if let Some((base, step)) = addition(cx, second) {
        return update(cx, first, base, step);
    }
    if let Some((base, step)) = addition(cx, first) {
        let (result, base) = update(cx, second, base, step)?;
        return Some((base, result));
    }
    let (_, conversion) = conversion(cx, second)?;
    let reg = load_converted(cx, first, conversion)?;
    let output = || smallvec![ValueRegs::one(reg)];
    Some((output(), output()))
}

fn one_reg(cx: &mut Lower<'_>, v: Value) -> Option<Reg> {
    cx.put_in_regs(v).only_reg()
}

/// An access with update: what it gives, and the new base.
fn update(cx: &mut Lower<'_>, inst: Inst, base: Value, step: Step) -> Option<(InstOutput, InstOutput)> {
    let Access { data, flags, value, .. } = access(cx, inst)?;
    let stored = match value {
        Some(v) => Some(one_reg(cx, v)?),
        None => None,
    };
    let ra_in = one_reg(cx, base)?;
    let index = match step {
        Step::Constant(_) => None,
        Step::Index(v) => Some(one_reg(cx, v)?),
    };
    let ra = cx.temp(regs::GPR);
    let form = match (step, index) {
        (_, Some(rb)) => Form::UpdateIndex(ra, ra_in, rb),
        (Step::Constant(k), None) => Form::Update(ra, ra_in, k),
        _ => return None,
    };
    let (moved, result) = match stored {
        Some(rs) => (Moved::Store(rs), smallvec![]),
        None => {
            let rt = cx.temp(if data.is_float() { regs::FPR } else { regs::GPR });
            (Moved::Load(rt), smallvec![ValueRegs::one(rt.to_reg())])
        }
    };
    let row = moved.row(data, form)?;
    cx.emit(match flags.trap_code() {
        Some(code) => MInst::Access { inst: row, code },
        None => MInst::Real(row),
    });
    Some((result, smallvec![ValueRegs::one(ra.to_reg())]))
}
