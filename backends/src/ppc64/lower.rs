//! What the PowerPC rules call: the glue between generated code and the framework, and the helpers that only look.
//!
//! The rules are `isle-rules/ppc64/*.isle`. Helpers that the generated code calls are named as the rules name them.

use super::atomic::{Atomic, Quad};
use super::emit::high_low;
use super::imm::*;
use super::memory::{At, Conversion, Data, Form, Moved, Placed};
use super::minst::{Features, Inst as Ppc64Inst, Inst as Real};
use super::patterns;
use super::pseudo::{FrameData, MInst, Transfer};
use super::record;
use super::regs;
use super::target::Ppc64Target;
use super::threads;
use crate::coverage::RuleSet;
use crate::machinst::atomic::{PairCas, PairRmw, Rmw, Width};
use crate::machinst::calls::{self, Callee};
use crate::machinst::lower::power;
use crate::machinst::pseudo::{Common, FrameArea, SymbolInfo, TableInfo};
use crate::machinst::{self, InstOutput, Label, Reg, ValueRegs, WritableReg};
use crate::settings::TlsModel;
use alloc::boxed::Box;
use alloc::format;
use smallvec::smallvec;
use windlass_ir::{
    AtomicRmwOp, Block, ExceptionTable, FuncRef, GlobalValue, GlobalValueData, Inst, InstData, IntCC,
    MemFlags, Offset32, Opcode, SigRef, StackSlot, TrapCode, Type, Value, ValueList, types,
};
use windlass_regalloc::RegClass;

/// Selection of a function for PowerPC.
pub(super) type Lower<'f> = machinst::Lower<'f, Ppc64Target>;

/// Selects an instruction that does not branch.
pub(super) fn lower_inst(cx: &mut Lower<'_>, inst: Inst) -> Option<InstOutput> {
    let output = generated::constructor_lower(&mut Rules { cx, labels: &[] }, inst)?;
    record::answer(cx, inst, &output);
    Some(output)
}

/// Selects a branch.
pub(super) fn lower_branch(cx: &mut Lower<'_>, inst: Inst, labels: &[Label]) -> Option<()> {
    generated::constructor_lower_branch(&mut Rules { cx, labels }, inst, generated::Labels)
}

/// The load `inst` as it brings what another instruction makes of it.
pub(super) fn load_converted(cx: &mut Lower<'_>, inst: Inst, conversion: Conversion) -> Option<Reg> {
    let InstData::Load { flags, arg, offset, .. } = cx.func.dfg.insts[inst] else { return None };
    let is_swapped = cx.is_swapped(flags);
    let rules = &mut Rules { cx, labels: &[] };
    let (Conversion::Signed(data) | Conversion::Reversed(data)) = conversion;
    if matches!(conversion, Conversion::Signed(_)) || is_swapped {
        let place = if data.scale() == 4 {
            generated::constructor_amode4(rules, flags, arg, offset)
        } else {
            generated::constructor_amode(rules, arg, offset, 1)
        };
        return Some(generated::Context::load_from(rules, &data, flags, &place));
    }
    let place = generated::constructor_amode_swapped(rules, arg, offset);
    Some(match data {
        Data::Half => generated::constructor_load_half_swapped(rules, flags, &place),
        Data::Word => generated::constructor_load_word_swapped(rules, flags, &place),
        _ => generated::constructor_load_doubleword_swapped(rules, flags, &place),
    })
}

/// A constant: one register.
pub(super) fn gen_constant(cx: &mut Lower<'_>, ty: Type, bits: u64) -> Option<ValueRegs> {
    if !ty.is_int() || ty.bits() > 64 {
        return None;
    }
    Some(ValueRegs::one(constant(cx, sign_extended(ty, bits))))
}

/// Of the numbers with the same low bits, as many as type `ty` has, the one with their sign above: it takes fewest
/// instructions.
fn sign_extended(ty: Type, bits: u64) -> u64 {
    let above = 64 - ty.bits().clamp(1, 64);
    ((bits << above) as i64 >> above) as u64
}

/// A constant in a register.
pub(super) fn constant(cx: &mut Lower<'_>, value: u64) -> Reg {
    let rd = cx.temp(regs::GPR);
    cx.emit(Common::Const { rd, value }.into());
    rd.to_reg()
}

/// What generated code works on.
struct Rules<'a, 'f> {
    cx: &'a mut Lower<'f>,
    /// Where the branch at hand leads.
    labels: &'a [Label],
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
pub(super) mod generated {
    pub use super::super::imm::*;
    pub use super::super::memory::Data;
    pub use super::super::minst::Ppc64Inst;
    pub use crate::machinst::types::{Class16, Class32, TypeClass};
    pub use crate::machinst::{InstOutput, Label, Reg, ValueRegs, WritableReg};
    pub use windlass_ir::immediates::*;
    pub use windlass_ir::{
        AtomicRmwOp, Block, BlockCall, Constant, ExceptionTable, FloatCC, FuncRef, GlobalValue, Immediate,
        Inst, InstData, IntCC, JumpTable, MemFlags, Opcode, SigRef, StackSlot, TrapCode, Type, Value,
        ValueList,
    };

    pub type Unit = ();
    /// The labels of the branch at hand, which `Rules` keeps.
    #[derive(Clone, Copy)]
    pub struct Labels;
    /// A condition on a field of the condition register.
    #[derive(Clone, Copy)]
    pub struct CrCond {
        pub cond: Cond,
        pub cr: Reg,
    }
    pub type RegPair = (Reg, Reg);
    pub type Value2 = [Value; 2];
    pub type Value3 = [Value; 3];
    pub type BlockCall2 = [BlockCall; 2];

    pub const I8: Type = windlass_ir::types::I8;
    pub const I16: Type = windlass_ir::types::I16;
    pub const I32: Type = windlass_ir::types::I32;
    pub const I64: Type = windlass_ir::types::I64;
    pub const CR_LT: CrBit = CrBit::Lt;
    pub const CR_GT: CrBit = CrBit::Gt;
    pub const CR_EQ: CrBit = CrBit::Eq;
    pub const CR_SO: CrBit = CrBit::So;
    pub const LT: Cond = Cond::LT;
    pub const LE: Cond = Cond::LE;
    pub const GT: Cond = Cond::GT;
    pub const GE: Cond = Cond::GE;
    pub const EQ: Cond = Cond::EQ;
    pub const NE: Cond = Cond::NE;
    pub const SO: Cond = Cond::SO;
    pub const NS: Cond = Cond::NS;
    pub const TO_EQ: TrapCond = TrapCond::EQ;
    pub const TO_NE: TrapCond = TrapCond::NE;
    pub const TO_LT: TrapCond = TrapCond::LT;
    pub const INT_DIVZ: TrapCode = TrapCode::INTEGER_DIVISION_BY_ZERO;
    pub const INT_OVF: TrapCode = TrapCode::INTEGER_OVERFLOW;
    pub const BAD_TOINT: TrapCode = TrapCode::BAD_CONVERSION_TO_INTEGER;

    include!(concat!(env!("OUT_DIR"), "/ppc64_lower.rs"));
}

use generated::{CrCond, Place, RegPair, TypeClass};

impl Rules<'_, '_> {
    fn real(&mut self, inst: Ppc64Inst) {
        self.cx.emit(MInst::Real(inst));
    }

    fn temp(&mut self) -> WritableReg {
        self.cx.temp(regs::GPR)
    }

    fn has(&self, features: Features) -> Option<()> {
        self.cx.machine.features().contains(features).then_some(())
    }

    /// A rule's own fault.
    fn internal(&mut self, what: alloc::string::String) {
        self.cx.fail(crate::CompileError::Internal { stage: "selection", what });
    }

    fn transfer(&mut self, class: RegClass, rm: Reg, kind: Transfer) -> Reg {
        let rd = self.cx.temp(class);
        self.cx.emit(MInst::Transfer { rd, rm, kind });
        rd.to_reg()
    }

    /// `new` or `old` of a class, by a condition.
    fn select(&mut self, class: RegClass, c: CrCond, new: Reg, old: Reg) -> Reg {
        let rd = self.cx.temp(class);
        let CrCond { cond, cr } = c;
        self.cx.emit(MInst::Select { rd, cond, cr, new, old });
        rd.to_reg()
    }

    /// `rlwinm rd, rs, sh, mb, me`
    fn word_field(&mut self, rs: Reg, sh: u32, mb: u32, me: u32) -> Reg {
        let rd = self.temp();
        let (sh, mb, me) = (Uimm5::from_low(sh), Uimm5::from_low(mb), Uimm5::from_low(me));
        self.real(Ppc64Inst::Rlwinm { ra: rd, rs, sh, mb, me });
        rd.to_reg()
    }

    /// `rldicl rd, rs, sh, mb`
    fn clear_left(&mut self, rs: Reg, sh: u32, mb: u32) -> Reg {
        let rd = self.temp();
        let (sh, mb) = (Uimm6::from_low(sh), Uimm6::from_low(mb));
        self.real(Ppc64Inst::Rldicl { ra: rd, rs, sh, mb });
        rd.to_reg()
    }

    /// A symbol's address.
    fn symbol(&mut self, symbol: SymbolInfo) -> Option<Reg> {
        self.cx.frame.uses_toc |= !self.cx.machine.pc_relative();
        let rd = self.temp();
        self.cx.emit(Common::Symbol { rd, symbol: Box::new(symbol) }.into());
        Some(rd.to_reg())
    }
}

/// The rules of the selector.
pub(super) static RULES: RuleSet = RuleSet::new("ppc64", generated::RULES);

impl generated::Context for Rules<'_, '_> {
    crate::machinst::rule_terms!();

    // ----- Types and constants -----

    fn imm64(&mut self, k: u64) -> Reg {
        constant(self.cx, k)
    }
    fn sign_above(&mut self, ty: Type, k: u64) -> u64 {
        sign_extended(ty, k)
    }
    fn simm(&mut self, k: i64) -> Simm16 {
        Simm16::new(k).unwrap_or_else(|| {
            self.internal(format!("a rule wants {k} in 16 bits"));
            Simm16::ZERO
        })
    }
    fn uimm(&mut self, k: u32) -> Uimm16 {
        Uimm16::from_low(k)
    }
    fn uimm5(&mut self, k: u32) -> Uimm5 {
        Uimm5::from_low(k)
    }
    fn uimm6(&mut self, k: u32) -> Uimm6 {
        Uimm6::from_low(k)
    }
    fn simm16(&mut self, v: Value) -> Option<Simm16> {
        Simm16::new(self.cx.signed_constant(v)?)
    }
    fn neg_simm16(&mut self, v: Value) -> Option<Simm16> {
        Simm16::new(self.cx.signed_constant(v)?.checked_neg()?)
    }
    fn simm16_high(&mut self, v: Value) -> Option<Simm16> {
        let k = self.cx.signed_constant(v)?;
        if k & 0xffff == 0 { Simm16::new(k >> 16) } else { None }
    }
    fn uimm16(&mut self, v: Value) -> Option<Uimm16> {
        Uimm16::new(u32::try_from(self.cx.constant(v)?).ok()?)
    }
    fn uimm16_high(&mut self, v: Value) -> Option<Uimm16> {
        let k = u32::try_from(self.cx.constant(v)?).ok()?;
        if k & 0xffff == 0 { Uimm16::new(k >> 16) } else { None }
    }

    // ----- Instructions and registers -----

    fn reg(&mut self, v: Value) -> Reg {
        let regs = self.cx.put_in_regs(v);
        regs.only_reg().unwrap_or_else(|| {
            let ty = self.cx.value_type(v);
            self.internal(format!("a rule wants {v} of type {ty} in one register"));
            Reg::NONE
        })
    }

    // ----- Features -----

    fn has_fprnd(&mut self) -> Option<()> {
        self.has(Features::FPRND)
    }
    fn has_popcntb(&mut self) -> Option<()> {
        self.has(Features::POPCNTB)
    }
    fn has_isel(&mut self) -> Option<()> {
        self.has(Features::ISEL)
    }
    fn has_power6(&mut self) -> Option<()> {
        self.has(Features::POWER6)
    }
    fn has_power7(&mut self) -> Option<()> {
        self.has(Features::POWER7)
    }
    fn has_power8(&mut self) -> Option<()> {
        self.has(Features::POWER8)
    }
    fn has_power9(&mut self) -> Option<()> {
        self.has(Features::POWER9)
    }
    fn has_power10(&mut self) -> Option<()> {
        self.has(Features::POWER10)
    }
    fn has_vsx(&mut self) -> Option<()> {
        self.has(Features::VSX)
    }

    // ----- Emission -----

    fn ppc64_emit(&mut self, inst: &Ppc64Inst) {
        self.real(inst.clone());
    }
    fn ppc64_temp_gpr(&mut self) -> WritableReg {
        self.temp()
    }
    fn ppc64_temp_fpr(&mut self) -> WritableReg {
        self.cx.temp(regs::FPR)
    }
    fn ppc64_temp_cr(&mut self) -> WritableReg {
        self.cx.temp(regs::CR)
    }
    fn copy(&mut self, rm: Reg) -> Reg {
        let rd = self.temp();
        self.cx.emit(MInst::Move { rd, rm });
        rd.to_reg()
    }

    // ----- Shifts and fields -----

    fn sldi(&mut self, rs: Reg, n: u32) -> Reg {
        if n == 0 {
            return rs;
        }
        let rd = self.temp();
        let (sh, me) = (self.uimm6(n), self.uimm6(63 - n.min(63)));
        self.real(Ppc64Inst::Rldicr { ra: rd, rs, sh, me });
        rd.to_reg()
    }
    fn srdi(&mut self, rs: Reg, n: u32) -> Reg {
        if n == 0 { rs } else { self.clear_left(rs, 64 - n.min(64), n) }
    }
    fn slwi(&mut self, rs: Reg, n: u32) -> Reg {
        self.word_field(rs, n, 0, 31 - n.min(31))
    }
    fn srwi(&mut self, rs: Reg, n: u32) -> Reg {
        self.word_field(rs, 32 - n.min(32), n, 31)
    }
    fn low_bits(&mut self, rs: Reg, n: u32) -> Reg {
        self.clear_left(rs, 0, 64 - n.clamp(1, 64))
    }
    fn right_of(&mut self, ty: Type, rs: Reg, n: u32) -> Reg {
        let width = ty.bits().clamp(1, 32);
        let n = n.min(width - 1);
        self.word_field(rs, 32 - n, 32 - (width - n), 31)
    }
    fn field(&mut self, inst: Inst) -> Option<generated::Field> {
        patterns::field(self.cx, inst)
    }
    fn insertion(&mut self, inst: Inst) -> Option<generated::Insertion> {
        patterns::insertion(self.cx, inst)
    }
    fn at_most_31(&mut self, n: u32) -> u32 {
        n.min(31)
    }
    fn less_32(&mut self, n: u32) -> Option<u32> {
        n.checked_sub(32)
    }
    fn reduced(&mut self, ty: Type, n: Value) -> Option<()> {
        patterns::is_reduced(self.cx, n, ty).then_some(())
    }
    fn known_signed(&mut self, v: Value) -> Option<Value> {
        patterns::sign_extended(self.cx, v).then_some(v)
    }

    // ----- Division by constants -----

    fn multiplication_pays(&mut self) -> Option<()> {
        patterns::multiplication_pays(self.cx).then_some(())
    }
    fn udivisor(&mut self, v: Value) -> Option<generated::UDivisor> {
        patterns::udivisor(self.cx, v)
    }
    fn sdivisor(&mut self, v: Value) -> Option<generated::SDivisor> {
        patterns::sdivisor(self.cx, v)
    }
    fn next_to_power(&mut self, v: Value) -> Option<(u32, u32)> {
        let k = self.cx.constant(v).filter(|&k| k > 0x7fff)?;
        if let Some(n) = power(k - 1) {
            return Some((n, 1));
        }
        k.checked_add(1).and_then(power).map(|n| (n, 0))
    }
    fn amount_const(&mut self, ty: Type, k: u64) -> u32 {
        (k % u64::from(ty.bits().max(1))) as u32
    }
    fn plus_one(&mut self, n: u32) -> u32 {
        n + 1
    }
    fn minus_const(&mut self, width: u32, n: u32) -> u32 {
        (width - n.min(width)) % width
    }

    // ----- Conditions -----

    fn on(&mut self, cond: Cond, cr: Reg) -> CrCond {
        CrCond { cond, cr }
    }
    fn invert(&mut self, c: CrCond) -> CrCond {
        CrCond { cond: c.cond.invert(), ..c }
    }
    fn zero_cond(&mut self, cc: &IntCC) -> Option<(Cond, bool)> {
        match cc {
            IntCC::UnsignedGreaterThan => Some((Cond::NE, false)),
            IntCC::UnsignedLessThanOrEqual => Some((Cond::EQ, false)),
            IntCC::UnsignedLessThan | IntCC::UnsignedGreaterThanOrEqual => None,
            _ => Some((self.cond_of(cc), cc.is_signed())),
        }
    }
    fn compare_zero(&mut self, v: Value, signed: bool) -> Reg {
        record::compare_zero(self.cx, v, signed)
    }
    fn cond_bit(&mut self, cond: Cond) -> CrBit {
        cond.bit
    }
    fn equality(&mut self, cc: &IntCC) -> Option<Cond> {
        matches!(cc, IntCC::Equal | IntCC::NotEqual).then(|| self.cond_of(cc))
    }
    fn swap_cc(&mut self, cc: &IntCC) -> IntCC {
        cc.swap_args()
    }
    fn only_left_constant(&mut self, x: Value, y: Value) -> Option<()> {
        (self.cx.constant(x).is_some() && self.cx.constant(y).is_none()).then_some(())
    }
    fn before_power10(&mut self) -> Option<()> {
        if self.has_power10().is_some() { None } else { Some(()) }
    }
    fn greater(&mut self, cc: &IntCC) -> Option<IntCC> {
        matches!(cc, IntCC::SignedGreaterThan | IntCC::UnsignedGreaterThan).then_some(*cc)
    }
    fn less_than(&mut self, cc: &IntCC) -> Option<IntCC> {
        matches!(cc, IntCC::SignedLessThan | IntCC::UnsignedLessThan).then_some(*cc)
    }
    fn same_sign(&mut self, a: &IntCC, b: &IntCC) -> Option<()> {
        (a.is_signed() == b.is_signed()).then_some(())
    }
    fn cond_field(&mut self, c: CrCond) -> Reg {
        c.cr
    }
    fn same_value(&mut self, x: Value, y: Value) -> Option<()> {
        let dfg = &self.cx.func.dfg;
        (dfg.resolve_aliases(x) == dfg.resolve_aliases(y)).then_some(())
    }
    fn halves_of(&mut self, v: Value) -> Option<(Uimm16, Uimm16)> {
        let k = u32::try_from(self.cx.constant(v)?).ok().filter(|&k| k >> 16 != 0)?;
        Some((Uimm16::from_low(k >> 16), Uimm16::from_low(k & 0xffff)))
    }
    fn mask_of_bit(&mut self, c: CrCond) -> Reg {
        let rd = self.temp();
        let (bi, bit) = (c.cr, c.cond.bit);
        self.real(if c.cond.set {
            Ppc64Inst::Setnbc { rt: rd, bi, bit }
        } else {
            Ppc64Inst::Setnbcr { rt: rd, bi, bit }
        });
        rd.to_reg()
    }
    fn choose_value(&mut self, c: CrCond, x: Value, y: Value) -> Reg {
        let (new, old) = if c.cond.set { (x, y) } else { (y, x) };
        if self.has(Features::ISEL).is_some() && self.cx.constant(new) == Some(0) {
            let (rd, rb) = (self.temp(), self.reg(old));
            self.real(Ppc64Inst::IselZ { rt: rd, rb, bc: c.cr, bit: c.cond.bit });
            return rd.to_reg();
        }
        let (new, old) = (self.reg(x), self.reg(y));
        self.choose(c, new, old)
    }
    fn cond_of(&mut self, cc: &IntCC) -> Cond {
        match cc {
            IntCC::Equal => Cond::EQ,
            IntCC::NotEqual => Cond::NE,
            IntCC::SignedLessThan | IntCC::UnsignedLessThan => Cond::LT,
            IntCC::SignedGreaterThanOrEqual | IntCC::UnsignedGreaterThanOrEqual => Cond::GE,
            IntCC::SignedGreaterThan | IntCC::UnsignedGreaterThan => Cond::GT,
            IntCC::SignedLessThanOrEqual | IntCC::UnsignedLessThanOrEqual => Cond::LE,
        }
    }
    fn inverse_cc(&mut self, cc: &IntCC) -> IntCC {
        cc.complement()
    }
    fn trap_cond(&mut self, cc: &IntCC) -> TrapCond {
        match cc {
            IntCC::Equal => TrapCond::EQ,
            IntCC::NotEqual => TrapCond::NE,
            IntCC::SignedLessThan => TrapCond::LT,
            IntCC::SignedGreaterThanOrEqual => TrapCond::GT.or(TrapCond::EQ),
            IntCC::SignedGreaterThan => TrapCond::GT,
            IntCC::SignedLessThanOrEqual => TrapCond::LT.or(TrapCond::EQ),
            IntCC::UnsignedLessThan => TrapCond::LTU,
            IntCC::UnsignedGreaterThanOrEqual => TrapCond::GTU.or(TrapCond::EQ),
            IntCC::UnsignedGreaterThan => TrapCond::GTU,
            IntCC::UnsignedLessThanOrEqual => TrapCond::LTU.or(TrapCond::EQ),
        }
    }
    fn bool_of(&mut self, c: CrCond) -> Reg {
        let rd = self.temp();
        self.cx.emit(MInst::SetIf { rd, cond: c.cond, cr: c.cr });
        rd.to_reg()
    }
    fn choose(&mut self, c: CrCond, new: Reg, old: Reg) -> Reg {
        if self.has(Features::ISEL).is_none() {
            return self.select(regs::GPR, c, new, old);
        }
        let rd = self.temp();
        let (ra, rb) = if c.cond.set { (new, old) } else { (old, new) };
        self.real(Ppc64Inst::Isel { rt: rd, ra, rb, bc: c.cr, bit: c.cond.bit });
        rd.to_reg()
    }
    fn choose_float(&mut self, c: CrCond, new: Reg, old: Reg) -> Reg {
        self.select(regs::FPR, c, new, old)
    }
    fn trap_if(&mut self, c: CrCond, code: TrapCode) {
        self.cx.emit(MInst::TrapIf { cond: c.cond, cr: c.cr, code });
    }
    fn trap_inst(&mut self, inst: &Ppc64Inst, code: TrapCode) {
        self.cx.emit(MInst::Access { inst: inst.clone(), code });
    }

    // ----- Floating point -----

    fn used_once(&mut self, v: Value) -> Option<Value> {
        (self.cx.use_count(self.cx.func.dfg.resolve_aliases(v)) == 1).then_some(v)
    }
    fn quiet(&mut self, v: Value) -> Option<Value> {
        is_quiet(self.cx, v).then_some(v)
    }
    fn float32(&mut self, k: generated::Ieee32) -> Reg {
        let rd = self.cx.temp(regs::FPR);
        self.cx.emit(Common::Float32 { rd, bits: k.bits() }.into());
        rd.to_reg()
    }
    fn float64(&mut self, k: generated::Ieee64) -> Reg {
        self.float_bits(k.bits())
    }
    fn float_bits(&mut self, bits: u64) -> Reg {
        let rd = self.cx.temp(regs::FPR);
        self.cx.emit(Common::Float64 { rd, bits }.into());
        rd.to_reg()
    }
    fn to_float_memory(&mut self, rm: Reg) -> Reg {
        self.transfer(regs::FPR, rm, Transfer::ToFloat)
    }
    fn from_float_memory(&mut self, rm: Reg) -> Reg {
        self.transfer(regs::GPR, rm, Transfer::FromFloat)
    }
    fn to_single_memory(&mut self, rm: Reg) -> Reg {
        self.transfer(regs::FPR, rm, Transfer::ToSingle)
    }
    fn from_single_memory(&mut self, rm: Reg) -> Reg {
        self.transfer(regs::GPR, rm, Transfer::FromSingle)
    }

    // ----- Memory -----

    fn in_reach(&mut self, off: Offset32, scale: u32) -> Option<i32> {
        displacement(off.0.into(), scale)
    }
    fn sum_in_reach(&mut self, off: Offset32, k: i64, scale: u32) -> Option<i32> {
        displacement(k.checked_add(off.0.into())?, scale)
    }
    fn offset_bits(&mut self, off: Offset32) -> u64 {
        i64::from(off.0) as u64
    }
    fn sum34(&mut self, off: Offset32, k: i64) -> Option<i64> {
        Simm34::new(k.checked_add(off.0.into())?).map(Simm34::value)
    }
    fn high_half(&mut self, off: Offset32, k: i64, scale: u32) -> Option<Simm16> {
        let sum = k.checked_add(off.0.into())?;
        if sum % i64::from(scale) == 0 { high_low(sum).0 } else { None }
    }
    fn low_half(&mut self, off: Offset32, k: i64) -> i32 {
        high_low(k.wrapping_add(off.0.into())).1.value() as i32
    }
    fn only_here(&mut self, v: Value) -> Option<()> {
        (self.cx.use_count(self.cx.func.dfg.resolve_aliases(v)) == 1).then_some(())
    }
    fn in_slot(&mut self, slot: StackSlot, start: Offset32, off: Offset32, scale: u32) -> Option<i32> {
        let offset = start.0.checked_add(off.0)?;
        let near = self.cx.func.stack_slots[slot].align_shift <= 4;
        (near && offset % scale as i32 == 0).then_some(offset)
    }
    fn from_symbol(&mut self, gv: GlobalValue, off: Offset32, scale: u32) -> Option<i32> {
        let GlobalValueData::Symbol { offset, tls: false, colocated: true, .. } =
            &self.cx.func.global_values[gv]
        else {
            return None;
        };
        let machine = self.cx.machine;
        let suits = !machine.toc_free() && (scale == 1 || machine.pc_relative());
        if suits { i32::try_from(offset.checked_add(off.0.into())?).ok() } else { None }
    }
    fn aligned(&mut self, flags: MemFlags) -> Option<()> {
        flags.aligned().then_some(())
    }
    fn load_from(&mut self, data: &Data, flags: MemFlags, place: &Place) -> Reg {
        let rt = self.cx.temp(if data.is_float() { regs::FPR } else { regs::GPR });
        self.move_data(Moved::Load(rt), *data, flags, place);
        rt.to_reg()
    }
    fn store_to(&mut self, data: &Data, flags: MemFlags, rs: Reg, place: &Place) {
        self.move_data(Moved::Store(rs), *data, flags, place);
    }

    // ----- Thread-local data -----

    fn local_exec(&mut self, gv: GlobalValue) -> Option<Reg> {
        threads::local_exec(self.cx, gv)
    }
    fn general_dynamic(&mut self, gv: GlobalValue) -> Option<Reg> {
        threads::general_dynamic(self.cx, gv)
    }

    // ----- Atomic accesses -----

    fn rmw(&mut self, flags: MemFlags, ty: Type, op: &AtomicRmwOp, address: Reg, operand: Reg) -> Reg {
        let (old, new) = (self.temp(), self.temp());
        let swapped = self.cx.is_swapped(flags) && ty != types::I8;
        let width = Width { bytes: ty.bytes() as u8, swapped, code: flags.trap_code() };
        self.cx.emit(MInst::Atomic(Box::new(Atomic::Rmw(Rmw {
            old,
            new,
            address,
            operand,
            op: *op,
            width,
        }))));
        old.to_reg()
    }
    fn cas(&mut self, flags: MemFlags, ty: Type, address: Reg, expected: Reg, new: Reg) -> Reg {
        let (old, temp) = (self.temp(), self.temp());
        let width = Width { bytes: ty.bytes() as u8, swapped: false, code: flags.trap_code() };
        self.cx.emit(MInst::Atomic(Box::new(Atomic::Cas { old, temp, address, expected, new, width })));
        old.to_reg()
    }

    fn quad_store(&mut self, flags: MemFlags, value: ValueRegs, ra: Reg) {
        let [rs2, rs] = halves(value);
        generated::Context::access(self, flags, &Ppc64Inst::Stq { rs, rs2, ra, d: DsOffset::ZERO });
    }
    fn quad_load(&mut self, flags: MemFlags, address: Reg) -> ValueRegs {
        let value @ [lo, hi] = [self.temp(), self.temp()];
        self.quad(Quad::Load { value, address, code: flags.trap_code() });
        ValueRegs::two(lo.to_reg(), hi.to_reg())
    }
    fn quad_rmw(&mut self, flags: MemFlags, op: &AtomicRmwOp, address: Reg, operand: ValueRegs) -> ValueRegs {
        let (old, new) = ([self.temp(), self.temp()], [self.temp(), self.temp()]);
        let (operand, swapped) = (halves(operand), self.cx.is_swapped(flags));
        self.quad(Quad::Rmw(PairRmw {
            old,
            new,
            address,
            operand,
            op: *op,
            swapped,
            code: flags.trap_code(),
        }));
        ValueRegs::two(old[0].to_reg(), old[1].to_reg())
    }
    fn quad_cas(&mut self, flags: MemFlags, address: Reg, expected: ValueRegs, new: ValueRegs) -> ValueRegs {
        let old = [self.temp(), self.temp()];
        let (expected, new) = (halves(expected), halves(new));
        self.quad(Quad::Cas(PairCas { old, address, expected, new, code: flags.trap_code() }));
        ValueRegs::two(old[0].to_reg(), old[1].to_reg())
    }

    // ----- Registers that the machine keeps -----

    fn stack_pointer(&mut self) -> Reg {
        self.copy(Reg::from_preg(regs::SP))
    }
    fn return_address(&mut self) -> Reg {
        self.cx.frame.frame_record = true;
        let rd = self.temp();
        let (area, data) = (FrameArea::Record, FrameData::Doubleword);
        self.cx.emit(MInst::FrameLoad { rd, area, offset: RETURN_ADDRESS, data });
        rd.to_reg()
    }
    fn set_pinned(&mut self, pinned: Reg, rm: Reg) {
        self.cx.emit(MInst::Move { rd: WritableReg::from_reg(pinned), rm });
    }

    // ----- Control flow -----

    fn emit_cond_jump(&mut self, c: CrCond, then: Label, other: Label) {
        self.cx.emit(MInst::CondJump { cond: c.cond, cr: c.cr, then, other });
    }
}

/// The registers of an i128, the less significant half first.
fn halves(regs: ValueRegs) -> [Reg; 2] {
    match *regs.regs() {
        [lo, hi] => [lo, hi],
        _ => [Reg::NONE; 2],
    }
}

/// Where a caller's frame has the return address (ELFv2 2.2.3.1).
const RETURN_ADDRESS: i32 = 16;

impl Rules<'_, '_> {
    /// A load or store in the machine's byte order.
    fn move_data(&mut self, moved: Moved, data: Data, flags: MemFlags, place: &Place) {
        let code = flags.trap_code();
        let at = match *place {
            Place::Near { base, off } => {
                return self.move_at(moved, data, code, Form::Near(base, off.into()));
            }
            Place::Index { base, index } => return self.move_at(moved, data, code, Form::Index(base, index)),
            Place::Far { base, off } => return self.move_at(moved, data, code, Form::Far(base, off)),
            Place::Slot { slot, off } => At::Slot(slot, off),
            Place::Symbol { symbol, off } => {
                let GlobalValueData::Symbol { name, .. } = &self.cx.func.global_values[symbol] else {
                    return self.internal(format!("{symbol} is no symbol"));
                };
                self.cx.frame.uses_toc |= !self.cx.machine.pc_relative();
                At::Symbol(SymbolInfo { name: name.clone(), offset: off.into(), colocated: true })
            }
        };
        self.cx.emit(MInst::Placed(Box::new(Placed { moved, data, at, code })));
    }

    fn move_at(&mut self, moved: Moved, data: Data, code: Option<TrapCode>, form: Form) {
        match moved.row(data, form) {
            Some(inst) => self.cx.emit(match code {
                Some(code) => MInst::Access { inst, code },
                None => MInst::Real(inst),
            }),
            None => self.internal(format!("a rule wants a displacement that {data:?} does not have")),
        }
    }

    fn quad(&mut self, quad: Quad) {
        self.cx.emit(MInst::Atomic(Box::new(Atomic::Quad(quad))));
    }
}

/// A displacement of 16 bits that is a multiple of `scale`.
fn displacement(offset: i64, scale: u32) -> Option<i32> {
    (offset % i64::from(scale) == 0).then_some(i32::from(i16::try_from(offset).ok()?))
}

/// Does the register of `v`, a value of at most 64 bits, hold zeros above its type's width?
pub(super) fn zero_extended(cx: &Lower<'_>, v: Value) -> bool {
    let ty = cx.value_type(v);
    if ty == types::I64 {
        return true;
    }
    let Some(inst) = cx.def(v) else { return false };
    let data = &cx.func.dfg.insts[inst];
    match data.opcode() {
        // Constants are made with their sign above.
        _ if cx.constant(v).is_some() => cx.signed_constant(v).is_some_and(|k| k >= 0),
        Opcode::Icmp | Opcode::Fcmp | Opcode::FcvtToUint | Opcode::Uextend => true,
        // A mask that is no negative number: what stands above is zero in it. Of two constants the second is the mask, see
        // `patterns::field`; of the first, one that goes round the end of a word may leave a copy above.
        Opcode::Band => {
            let args = cx.func.dfg.inst_args(inst);
            let mask = args.iter().rev().find_map(|&x| cx.signed_constant(x));
            mask.is_some_and(|k| k >= 0)
        }
        // By 0 it is whatever its operand is.
        Opcode::Ushr => {
            let n = cx.constant(cx.func.dfg.inst_args(inst)[1]);
            n.is_none_or(|n| n % u64::from(ty.bits()) != 0)
        }
        // Loads clear the rest.
        Opcode::Load | Opcode::Uload8 | Opcode::Uload16 | Opcode::AtomicLoad => true,
        Opcode::Popcnt | Opcode::Clz | Opcode::Ctz => true,
        _ => false,
    }
}

/// Is `v`, a float, certainly no signalling NaN?
fn is_quiet(cx: &Lower<'_>, v: Value) -> bool {
    let Some(inst) = cx.def(v) else { return false };
    let data = &cx.func.dfg.insts[inst];
    match data.opcode() {
        Opcode::Fadd | Opcode::Fsub | Opcode::Fmul | Opcode::Fdiv | Opcode::Sqrt | Opcode::Fma => true,
        Opcode::Fmin | Opcode::Fmax | Opcode::Ceil | Opcode::Floor | Opcode::Trunc | Opcode::Nearest => true,
        Opcode::Fpromote | Opcode::Fdemote | Opcode::FcvtFromSint | Opcode::FcvtFromUint => true,
        _ => match *data {
            InstData::UnaryIeee32 { imm, .. } => !f32::from_bits(imm.bits()).is_nan(),
            InstData::UnaryIeee64 { imm, .. } => !f64::from_bits(imm.bits()).is_nan(),
            _ => false,
        },
    }
}
