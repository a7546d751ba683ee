//! Record forms: instructions that compare their result with 0 besides.
//!
//! Selection goes backward. A comparison with 0 whose operand is computed shortly before it asks that
//! instruction for the answer ([`compare_zero`], [`Lower::ask_test`]); when its turn has come, its last machine instruction becomes
//! the record form, which sets `cr0`, or a comparison follows it ([`answer`]). A record form compares all 64 bits, as a signed
//! number: for narrower types it serves if the instruction leaves zeros or the sign above.

use super::imm::{Simm16, Uimm5};
use super::lower::{Lower, zero_extended};
use super::minst::Inst as Real;
use super::patterns::sign_extended;
use super::pseudo::MInst;
use super::regs;
use crate::machinst::{InstOutput, Reg, WritableReg};
use windlass_ir::{Inst, Opcode, Type, Value, types};

/// What an instruction leaves above the bits of a type.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Above {
    Zeros,
    Sign,
    Unknown,
}

/// Compares `v`, of at most 64 bits, with 0: as a signed number, or only for whether it is 0. The field with the answer.
pub(super) fn compare_zero(cx: &mut Lower<'_>, v: Value, signed: bool) -> Reg {
    let ty = cx.value_type(v);
    if let Some(inst) = cx.shortly_before(v)
        && records(cx.func.dfg.opcode(inst))
    {
        cx.put_in_regs(v);
        return cx.ask_test(inst, regs::CR, signed);
    }
    let known = if signed { sign_extended(cx, v) } else { zero_extended(cx, v) || sign_extended(cx, v) };
    let reg = cx.put_in_regs(v).only_reg().unwrap_or(Reg::NONE);
    let bf = cx.temp(regs::CR);
    compare(cx, reg, ty, bf, signed, known);
    bf.to_reg()
}

/// Opcodes whose rules end with an instruction that has a record form, often enough.
fn records(opcode: Opcode) -> bool {
    use Opcode::*;
    matches!(
        opcode,
        Iadd | Isub | Ineg | Band | Bor | Bxor | Bnot | Bitselect | Ishl | Ushr | Sshr | Uextend | Sextend
    )
}

/// Compares a register with 0, of which `known` says that what is above the type continues it.
fn compare(cx: &mut Lower<'_>, ra: Reg, ty: Type, bf: WritableReg, signed: bool, known: bool) {
    let si = Simm16::ZERO;
    let inst = match ty {
        types::I64 => Real::Cmpdi { bf, ra, si },
        _ if known || ty == types::I32 => Real::Cmpwi { bf, ra, si },
        // The extension compares.
        _ => {
            let rd = cx.temp(regs::GPR);
            match (signed, ty) {
                (true, types::I8) => Real::ExtsbRc { ra: rd, cr0: bf, rs: ra },
                (true, _) => Real::ExtshRc { ra: rd, cr0: bf, rs: ra },
                (false, _) => Real::RlwinmRc {
                    ra: rd,
                    cr0: bf,
                    rs: ra,
                    sh: Uimm5::ZERO,
                    mb: Uimm5::from_low(32 - ty.bits()),
                    me: Uimm5::from_low(31),
                },
            }
        }
    };
    cx.emit(MInst::Real(inst));
}

/// Gives the answer that was asked of `inst`, which was selected just now with `output`.
pub(super) fn answer(cx: &mut Lower<'_>, inst: Inst, output: &InstOutput) {
    let Some((bf, signed)) = cx.take_test(inst) else { return };
    let Some(result) = output.first().and_then(|regs| regs.only_reg()) else { return };
    let ty = cx.func.dfg.first_result(inst).map_or(types::I64, |v| cx.value_type(v));
    if let Some(MInst::Real(last)) = cx.last_emitted()
        && let Some(record) = record_form(last, result, bf)
    {
        let above = above(last, ty);
        if ty == types::I64 || above == Above::Sign || above == Above::Zeros && !signed {
            *last = record;
            return;
        }
    }
    compare(cx, result, ty, bf, signed, false);
}

/// What an instruction of the table leaves above a type's bits.
fn above(inst: &Real, ty: Type) -> Above {
    let bits = ty.bits();
    let zeros = |yes| if yes { Above::Zeros } else { Above::Unknown };
    match *inst {
        Real::AndiRc { .. } | Real::AndisRc { .. } => Above::Zeros,
        Real::Rlwinm { mb, me, .. } => zeros(mb <= me && mb.value() + bits >= 32),
        Real::Rldicl { mb, .. } => zeros(mb.value() + bits >= 64),
        Real::Rldic { sh, mb, .. } => zeros(mb.value() + bits >= 64 && mb.value() + sh.value() <= 63),
        // Of extended operands.
        Real::Srawi { .. } => Above::Sign,
        Real::Extsb { .. } => Above::Sign,
        Real::Extsh { .. } if bits >= 16 => Above::Sign,
        Real::Extsw { .. } if bits >= 32 => Above::Sign,
        _ => Above::Unknown,
    }
}

/// Makes a match of plain forms, by their result and the other operands, with the record forms.
macro_rules! record_forms {
    ($inst:ident, $result:ident, $cr0:ident; $($plain:ident $record:ident $rd:ident ($($operand:ident),*);)*) => {
        match *$inst {
            $(
                Real::$plain { $rd, $($operand),* } if $rd.to_reg() == $result => {
                    Real::$record { $rd, $cr0, $($operand),* }
                }
            )*
            // These have no other form.
            Real::AndiRc { ra, rs, ui, .. } if ra.to_reg() == $result => Real::AndiRc { ra, $cr0, rs, ui },
            Real::AndisRc { ra, rs, ui, .. } if ra.to_reg() == $result => Real::AndisRc { ra, $cr0, rs, ui },
            _ => return None,
        }
    };
}

/// The record form of an instruction that gives `result`.
fn record_form(inst: &Real, result: Reg, cr0: WritableReg) -> Option<Real> {
    Some(record_forms! { inst, result, cr0;
        Add AddRc rt (ra, rb);
        Subf SubfRc rt (ra, rb);
        Neg NegRc rt (ra);
        And AndRc ra (rs, rb);
        Andc AndcRc ra (rs, rb);
        Nand NandRc ra (rs, rb);
        Or OrRc ra (rs, rb);
        Orc OrcRc ra (rs, rb);
        Nor NorRc ra (rs, rb);
        Xor XorRc ra (rs, rb);
        Eqv EqvRc ra (rs, rb);
        Extsb ExtsbRc ra (rs);
        Extsh ExtshRc ra (rs);
        Extsw ExtswRc ra (rs);
        Sld SldRc ra (rs, rb);
        Srd SrdRc ra (rs, rb);
        Srad SradRc ra (rs, rb);
        Srawi SrawiRc ra (rs, sh);
        Sradi SradiRc ra (rs, sh);
        Rlwinm RlwinmRc ra (rs, sh, mb, me);
        Rlwimi RlwimiRc ra (ra_in, rs, sh, mb, me);
        Rldicl RldiclRc ra (rs, sh, mb);
        Rldicr RldicrRc ra (rs, sh, me);
        Rldic RldicRc ra (rs, sh, mb);
        Rldimi RldimiRc ra (ra_in, rs, sh, mb);
    })
}
