//! Two instructions of a block that one machine instruction does: loads of neighbouring words (LDRD), and an access with
//! the addition that its address takes part in (post-indexed and pre-indexed addressing).
//!
//! [`joins`] finds, for an instruction, an earlier one of its block to be selected with; [`lower_joined`] selects both
//! where the earlier one stands. What moves there is pure or a load that cannot trap, and moves past nothing that
//! could change what it gives. A base register that is written costs a copy if its old value lives on, so that an
//! address is joined only if nobody else uses it; and an access whose offset costs nothing is joined with an addition only
//! if somebody wants the sum in a register.

use super::imm::{Offset8, Offset12};
use super::lower::Lower;
use super::minst::{Features, Inst as ArmInst};
use super::pseudo::MInst;
use super::regs;
use crate::machinst::{InstOutput, Reg, ValueRegs, WritableReg};
use smallvec::smallvec;
use windlass_ir::{Endianness, Inst, InstData, MemFlags, Opcode, Value, types};

/// A load or store of at most a word in the machine's byte order.
#[derive(Clone, Copy)]
struct Access {
    opcode: Opcode,
    flags: MemFlags,
    /// What is stored.
    value: Option<Value>,
    address: Value,
    offset: i32,
}

fn access(cx: &Lower<'_>, inst: Inst) -> Option<Access> {
    let dfg = &cx.func.dfg;
    let access = match dfg.insts[inst] {
        InstData::Load { opcode, flags, arg, offset } => {
            Access { opcode, flags, value: None, address: dfg.resolve_aliases(arg), offset: offset.0 }
        }
        InstData::Store { opcode, flags, args: [value, address], offset } => {
            let (value, address) = (dfg.resolve_aliases(value), dfg.resolve_aliases(address));
            Access { opcode, flags, value: Some(value), address, offset: offset.0 }
        }
        _ => return None,
    };
    // Where the controlling type is i64 the word extends to two registers.
    let native = access.flags.endianness(Endianness::Little) == Endianness::Little;
    let types = [types::I8, types::I16, types::I32];
    (native && types.contains(&dfg.ctrl_type(inst)) && access.reach(dfg.ctrl_type(inst).bits()).is_some())
        .then_some(access)
}

impl Access {
    /// The largest offset with writeback, for a controlling type of so many bits.
    fn reach(&self, bits: u32) -> Option<u32> {
        Some(match (self.opcode, bits) {
            (Opcode::Load | Opcode::Store, 16) | (Opcode::Sload8, _) => 255,
            (Opcode::Uload16 | Opcode::Sload16 | Opcode::Istore16, _) => 255,
            (Opcode::Load | Opcode::Store | Opcode::Uload8 | Opcode::Istore8, _) => 4095,
            _ => return None,
        })
    }

    /// A load of a word at a multiple of 4 that cannot trap.
    fn is_word(&self, cx: &Lower<'_>, inst: Inst) -> bool {
        self.opcode == Opcode::Load
            && cx.func.dfg.ctrl_type(inst) == types::I32
            && self.flags.aligned()
            && self.flags.trap_code().is_none()
    }
}

/// A value and a constant that an instruction adds.
fn addition(cx: &Lower<'_>, inst: Inst) -> Option<(Value, i32)> {
    let dfg = &cx.func.dfg;
    match dfg.insts[inst] {
        InstData::Binary { opcode: Opcode::Iadd, args: [x, k] } if dfg.ctrl_type(inst) == types::I32 => {
            let x = dfg.resolve_aliases(x);
            Some((x, cx.signed_constant(k)? as i32)).filter(|&(_, k)| k != 0 && cx.constant(x).is_none())
        }
        _ => None,
    }
}

/// An earlier instruction of the block that `inst` is selected with.
pub(super) fn joins(cx: &Lower<'_>, inst: Inst) -> Option<Inst> {
    if let Some((address, k)) = addition(cx, inst) {
        return post_indexed(cx, inst, address, k);
    }
    let access = access(cx, inst)?;
    pre_indexed(cx, inst, &access).or_else(|| neighbour(cx, inst, &access))
}

/// The access at `address`, whose only other use is the addition `inst`.
fn post_indexed(cx: &Lower<'_>, inst: Inst, address: Value, k: i32) -> Option<Inst> {
    let first = cx.other_user(inst, address)?;
    let access = access(cx, first)?;
    let reach = access.reach(cx.func.dfg.ctrl_type(first).bits())?;
    (access.address == address && access.offset == 0 && k.unsigned_abs() <= reach).then_some(first)
}

/// The addition that makes the address, whose sum is used later too but not before `inst`.
fn pre_indexed(cx: &Lower<'_>, inst: Inst, access: &Access) -> Option<Inst> {
    let first = cx.pure_def(access.address)?;
    let (base, k) = addition(cx, first)?;
    let reach = access.reach(cx.func.dfg.ctrl_type(inst).bits())?;
    let fits = access.offset == 0 && k.unsigned_abs() <= reach;
    (fits && cx.can_update(inst, first, base, access.address, access.value)).then_some(first)
}

/// A load of the word before or behind. ARMv6 has LDRD at any multiple of 4.
fn neighbour(cx: &Lower<'_>, inst: Inst, access: &Access) -> Option<Inst> {
    if !access.is_word(cx, inst) || !cx.machine.features().contains(Features::V6) {
        return None;
    }
    for at in cx.before(inst) {
        let other = self::access(cx, at).filter(|other| other.is_word(cx, at));
        match other {
            Some(other)
                if other.address == access.address
                    && other.offset.abs_diff(access.offset) == 4
                    && Offset8::new(other.offset.min(access.offset)).is_some()
                    && !cx.is_joined(at) =>
            {
                return Some(at);
            }
            // Nothing that writes memory or guards an access is passed.
            None if !cx.is_pure(at) => return None,
            _ => {}
        }
    }
    None
}

/// Selects two instructions where the first stands. The second was found by [`joins`].
pub(super) fn lower_joined(
    cx: &mut Lower<'_>,
    first: Inst,
    second: Inst,
) -> Option<(InstOutput, InstOutput)> {
    if let Some((_, k)) = addition(cx, second) {
        let (result, base) = indexed(cx, first, k, false)?;
        return Some((result, base));
    }
    if let Some((_, k)) = addition(cx, first) {
        let (result, base) = indexed(cx, second, k, true)?;
        return Some((base, result));
    }
    let (a, b) = (access(cx, first)?, access(cx, second)?);
    let rn = base_reg(cx, a.address)?;
    let (rt, rt2) = (cx.temp(regs::GPR), cx.temp(regs::GPR));
    let off = Offset8::new(a.offset.min(b.offset))?;
    cx.emit(MInst::Real(ArmInst::LdrdImm { rt, rt2, rn, off }));
    let one = |r: WritableReg| smallvec![ValueRegs::one(r.to_reg())];
    Some(if a.offset < b.offset { (one(rt), one(rt2)) } else { (one(rt2), one(rt)) })
}

fn base_reg(cx: &mut Lower<'_>, v: Value) -> Option<Reg> {
    cx.put_in_regs(v).only_reg()
}

/// An access with writeback: what it gives, and the new base. `pre`: the base changes before the access.
fn indexed(cx: &mut Lower<'_>, inst: Inst, k: i32, pre: bool) -> Option<(InstOutput, InstOutput)> {
    let access = access(cx, inst)?;
    let bits = cx.func.dfg.ctrl_type(inst).bits();
    let base = if pre { addition(cx, cx.pure_def(access.address)?)?.0 } else { access.address };
    let rt_in = match access.value {
        Some(v) => cx.put_in_regs(v).only_reg(),
        None => None,
    };
    let rn_in = base_reg(cx, base)?;
    let (rn, rt) = (cx.temp(regs::GPR), cx.temp(regs::GPR));

    /// The row of an access before or after the base changes.
    macro_rules! row {
        ($pre_row:ident, $post_row:ident, $offset:ident, load) => {{
            let off = $offset::new(k)?;
            if pre {
                ArmInst::$pre_row { rt, rn, rn_in, off }
            } else {
                ArmInst::$post_row { rt, rn, rn_in, off }
            }
        }};
        ($pre_row:ident, $post_row:ident, $offset:ident, store) => {{
            let (off, rt) = ($offset::new(k)?, rt_in?);
            if pre {
                ArmInst::$pre_row { rn, rn_in, rt, off }
            } else {
                ArmInst::$post_row { rn, rn_in, rt, off }
            }
        }};
    }
    let row = match (access.opcode, bits) {
        (Opcode::Load, 32) => row!(LdrImmPre, LdrImmPost, Offset12, load),
        (Opcode::Load, 8) | (Opcode::Uload8, _) => row!(LdrbImmPre, LdrbImmPost, Offset12, load),
        (Opcode::Load, 16) | (Opcode::Uload16, _) => row!(LdrhImmPre, LdrhImmPost, Offset8, load),
        (Opcode::Sload8, _) => row!(LdrsbImmPre, LdrsbImmPost, Offset8, load),
        (Opcode::Sload16, _) => row!(LdrshImmPre, LdrshImmPost, Offset8, load),
        (Opcode::Store, 32) => row!(StrImmPre, StrImmPost, Offset12, store),
        (Opcode::Store, 8) | (Opcode::Istore8, _) => row!(StrbImmPre, StrbImmPost, Offset12, store),
        (Opcode::Store, 16) | (Opcode::Istore16, _) => row!(StrhImmPre, StrhImmPost, Offset8, store),
        _ => return None,
    };
    cx.emit(match access.flags.trap_code() {
        Some(code) => MInst::Access { inst: row, code },
        None => MInst::Real(row),
    });
    let result = match access.value {
        Some(_) => smallvec![],
        None => smallvec![ValueRegs::one(rt.to_reg())],
    };
    Some((result, smallvec![ValueRegs::one(rn.to_reg())]))
}
