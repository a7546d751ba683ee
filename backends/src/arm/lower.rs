//! What the ARM rules call: the glue between generated code and the framework, and the helpers that only look.
//!
//! The rules are `isle-rules/arm/*.isle`. Helpers that the generated code calls are named as the rules name them.

use super::atomic::{self, Change, select};
use super::call;
use super::imm::*;
use super::kernel::Helper;
use super::minst::{Features, Inst as ArmInst, Inst as Real};
use super::patterns;
use super::pseudo::MInst;
use super::regs;
use super::target::ArmTarget;
use crate::coverage::RuleSet;
use crate::machinst::calls::{self, Callee};
use crate::machinst::pseudo::{Common, FrameArea, SymbolInfo, TableInfo};
use crate::machinst::{self, InstOutput, Label, Reg, ValueRegs, WritableReg};
use crate::settings::{OptLevel, TlsModel};
use alloc::boxed::Box;
use alloc::format;
use smallvec::smallvec;
use windlass_ir::{
    AtomicRmwOp, Block, ExceptionTable, ExternalName, FloatCC, FuncRef, GlobalValue, GlobalValueData, Inst,
    InstData, IntCC, MemFlags, Offset32, Opcode, SigRef, StackSlot, TrapCode, Type, Value, ValueList, types,
};

/// Selection of a function for ARM.
pub(super) type Lower<'f> = machinst::Lower<'f, ArmTarget>;

/// Selects an instruction that does not branch.
pub(super) fn lower_inst(cx: &mut Lower<'_>, inst: Inst) -> Option<InstOutput> {
    generated::constructor_lower(&mut Rules { cx, labels: &[] }, inst)
}

/// Selects a branch.
pub(super) fn lower_branch(cx: &mut Lower<'_>, inst: Inst, labels: &[Label]) -> Option<()> {
    generated::constructor_lower_branch(&mut Rules { cx, labels }, inst, generated::Labels)
}

/// A constant: one or two registers.
pub(super) fn gen_constant(cx: &mut Lower<'_>, ty: Type, bits: u64) -> Option<ValueRegs> {
    match ty {
        types::I8 | types::I16 | types::I32 => Some(ValueRegs::one(constant(cx, bits as u32))),
        types::I64 => {
            let low = constant(cx, bits as u32);
            Some(ValueRegs::two(low, constant(cx, (bits >> 32) as u32)))
        }
        _ => None,
    }
}

/// A 32-bit constant in a register.
pub(super) fn constant(cx: &mut Lower<'_>, value: u32) -> Reg {
    let rd = cx.temp(regs::GPR);
    cx.emit(Common::Const { rd, value: value.into() }.into());
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
    pub use super::super::minst::ArmInst;
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
    pub type RegPair = (Reg, Reg);
    pub type Value2 = [Value; 2];
    pub type Value3 = [Value; 3];
    pub type BlockCall2 = [BlockCall; 2];

    pub const I32: Type = windlass_ir::types::I32;
    pub const EQ: Cond = Cond::Eq;
    pub const NE: Cond = Cond::Ne;
    pub const HS: Cond = Cond::Hs;
    pub const LO: Cond = Cond::Lo;
    pub const VS: Cond = Cond::Vs;
    pub const PL: Cond = Cond::Pl;
    pub const MI: Cond = Cond::Mi;
    pub const LT: Cond = Cond::Lt;
    pub const GE: Cond = Cond::Ge;
    pub const GT: Cond = Cond::Gt;
    pub const LSL: ShiftKind = ShiftKind::Lsl;
    pub const LSR: ShiftKind = ShiftKind::Lsr;
    pub const ASR: ShiftKind = ShiftKind::Asr;
    pub const ROR: ShiftKind = ShiftKind::Ror;
    pub const PLUS: Sign = Sign::Plus;
    pub const INT_DIVZ: TrapCode = TrapCode::INTEGER_DIVISION_BY_ZERO;
    pub const INT_OVF: TrapCode = TrapCode::INTEGER_OVERFLOW;

    include!(concat!(env!("OUT_DIR"), "/arm_lower.rs"));
}

pub(super) use generated::Way;
use generated::{AluOp, Op2, RegPair, RtCall, TypeClass};

/// The rows of an operation by form of its second operand.
macro_rules! alu_rows {
    ($op:expr, $rd:expr, $rn:expr, $y:expr; $($name:ident: $reg:ident $imm:ident $shift:ident $shift_reg:ident;)*) => {
        match ($op, $y) {
            $(
                (&AluOp::$name, Op2::Reg { rm }) => ArmInst::$reg { rd: $rd, rn: $rn, rm },
                (&AluOp::$name, Op2::Imm { imm }) => ArmInst::$imm { rd: $rd, rn: $rn, imm },
                (&AluOp::$name, Op2::Shift { rm, shift }) => ArmInst::$shift { rd: $rd, rn: $rn, rm, shift },
                (&AluOp::$name, Op2::ShiftReg { rm, kind, rs }) => {
                    ArmInst::$shift_reg { rd: $rd, rn: $rn, rm, shift: kind, rs }
                }
            )*
        }
    };
}

/// The rows of a conditional operation, which leaves the first operand as it is if the condition does not hold.
macro_rules! conditional_rows {
    ($op:expr, $cond:expr, $rd:expr, $rn:expr, $y:expr; $($name:ident: $reg:ident $imm:ident $shift:ident $shift_reg:ident;)*) => {
        match ($op, $y) {
            $(
                (&AluOp::$name, Op2::Reg { rm }) => {
                    Some(ArmInst::$reg { cond: $cond, rd: $rd, rd_in: $rn, rn: $rn, rm })
                }
                (&AluOp::$name, Op2::Imm { imm }) => {
                    Some(ArmInst::$imm { cond: $cond, rd: $rd, rd_in: $rn, rn: $rn, imm })
                }
                (&AluOp::$name, Op2::Shift { rm, shift }) => {
                    Some(ArmInst::$shift { cond: $cond, rd: $rd, rd_in: $rn, rn: $rn, rm, shift })
                }
                (&AluOp::$name, Op2::ShiftReg { rm, kind, rs }) => {
                    Some(ArmInst::$shift_reg { cond: $cond, rd: $rd, rd_in: $rn, rn: $rn, rm, shift: kind, rs })
                }
            )*
            _ => None,
        }
    };
}

/// A comparison by form of its second operand.
macro_rules! compare_rows {
    ($rn:expr, $y:expr, $reg:ident $imm:ident $shift:ident $shift_reg:ident) => {
        match $y {
            Op2::Reg { rm } => ArmInst::$reg { rn: $rn, rm },
            Op2::Imm { imm } => ArmInst::$imm { rn: $rn, imm },
            Op2::Shift { rm, shift } => ArmInst::$shift { rn: $rn, rm, shift },
            Op2::ShiftReg { rm, kind, rs } => ArmInst::$shift_reg { rn: $rn, rm, shift: kind, rs },
        }
    };
}

impl Rules<'_, '_> {
    fn real(&mut self, inst: ArmInst) {
        self.cx.emit(MInst::Real(inst));
    }

    fn temp(&mut self) -> WritableReg {
        self.cx.temp(regs::GPR)
    }

    /// A symbol's address. `None` if the offset has more bits than the address.
    fn symbol(&mut self, symbol: SymbolInfo) -> Option<Reg> {
        i32::try_from(symbol.offset).ok()?;
        let rd = self.temp();
        self.cx.emit(Common::Symbol { rd, symbol: Box::new(symbol) }.into());
        Some(rd.to_reg())
    }

    /// The symbol of a thread-local global value, and an offset in bytes.
    fn thread_local(&self, gv: GlobalValue) -> Option<(ExternalName, i32)> {
        match &self.cx.func.global_values[gv] {
            GlobalValueData::Symbol { name, offset, tls: true, .. } => {
                Some((name.clone(), i32::try_from(*offset).ok()?))
            }
            _ => None,
        }
    }

    /// The constant's bits, if its type has at most 32.
    fn small_constant(&self, v: Value) -> Option<u32> {
        if self.cx.value_type(v).bits() > 32 {
            return None;
        }
        self.cx.constant(v).map(|bits| bits as u32)
    }
}

/// The rules of the selector.
pub(super) static RULES: RuleSet = RuleSet::new("arm", generated::RULES);

impl generated::Context for Rules<'_, '_> {
    crate::machinst::rule_terms!();

    // ----- Types and constants -----

    fn min_value(&mut self, ty: Type) -> u32 {
        (i32::MIN >> (32 - ty.bits().clamp(1, 32))) as u32
    }
    fn i64_low(&mut self, k: i64) -> u32 {
        k as u32
    }
    fn imm64_low(&mut self, k: generated::Imm64) -> u32 {
        k.get() as u32
    }
    fn imm32(&mut self, k: u32) -> Reg {
        constant(self.cx, k)
    }
    fn encode_imm(&mut self, k: u32) -> Option<ArmImm> {
        ArmImm::encode(k)
    }
    fn byte_imm(&mut self, k: u8) -> ArmImm {
        ArmImm::from_byte(k)
    }
    fn imm_value(&mut self, v: Value) -> Option<ArmImm> {
        ArmImm::encode(self.small_constant(v)?)
    }
    fn neg_imm(&mut self, v: Value) -> Option<ArmImm> {
        self.small_constant(v)?;
        let k = self.cx.signed_constant(v)? as u32;
        if k == 0 || k == 1 << 31 { None } else { ArmImm::encode(k.wrapping_neg()) }
    }
    fn not_imm(&mut self, v: Value) -> Option<ArmImm> {
        let mask = u32::MAX >> (32 - self.cx.value_type(v).bits().clamp(1, 32));
        ArmImm::encode(!self.small_constant(v)? & mask)
    }

    // ----- Instructions and registers -----

    fn reg(&mut self, v: Value) -> Reg {
        let regs = self.cx.put_in_regs(v);
        regs.only_reg().unwrap_or_else(|| {
            let ty = self.cx.value_type(v);
            self.cx.fail(crate::CompileError::Internal {
                stage: "selection",
                what: format!("a rule wants {v} of type {ty} in one register"),
            });
            Reg::NONE
        })
    }

    // ----- Emission -----

    fn arm_emit(&mut self, inst: &ArmInst) {
        self.real(inst.clone());
    }
    fn arm_temp_gpr(&mut self) -> WritableReg {
        self.temp()
    }
    fn arm_temp_s(&mut self) -> WritableReg {
        self.cx.temp(regs::S)
    }
    fn arm_temp_d(&mut self) -> WritableReg {
        self.cx.temp(regs::D)
    }
    #[rustfmt::skip] // One operation a row.
    fn alu(&mut self, op: &AluOp, rn: Reg, y: &Op2) -> Reg {
        let rd = self.temp();
        let inst = alu_rows! { op, rd, rn, y.clone();
            Add: Add AddImm AddShift AddShiftReg;
            Sub: Sub SubImm SubShift SubShiftReg;
            Rsb: Rsb RsbImm RsbShift RsbShiftReg;
            And: And AndImm AndShift AndShiftReg;
            Orr: Orr OrrImm OrrShift OrrShiftReg;
            Eor: Eor EorImm EorShift EorShiftReg;
            Bic: Bic BicImm BicShift BicShiftReg;
            Adc: Adc AdcImm AdcShift AdcShiftReg;
            Sbc: Sbc SbcImm SbcShift SbcShiftReg;
            Rsc: Rsc RscImm RscShift RscShiftReg;
            Adds: Adds AddsImm AddsShift AddsShiftReg;
            Subs: Subs SubsImm SubsShift SubsShiftReg;
            Rsbs: Rsbs RsbsImm RsbsShift RsbsShiftReg;
            Ands: Ands AndsImm AndsShift AndsShiftReg;
            Orrs: Orrs OrrsImm OrrsShift OrrsShiftReg;
            Eors: Eors EorsImm EorsShift EorsShiftReg;
            Adcs: Adcs AdcsImm AdcsShift AdcsShiftReg;
            Sbcs: Sbcs SbcsImm SbcsShift SbcsShiftReg;
        };
        self.real(inst);
        rd.to_reg()
    }
    #[rustfmt::skip] // One operation a row.
    fn alu_if(&mut self, op: &AluOp, cond: Cond, rn: Reg, y: &Op2) -> Reg {
        let rd = self.temp();
        let inst = conditional_rows! { op, cond, rd, rn, y.clone();
            Add: AddCc AddImmCc AddShiftCc AddShiftRegCc;
            Sub: SubCc SubImmCc SubShiftCc SubShiftRegCc;
            Rsb: RsbCc RsbImmCc RsbShiftCc RsbShiftRegCc;
            And: AndCc AndImmCc AndShiftCc AndShiftRegCc;
            Orr: OrrCc OrrImmCc OrrShiftCc OrrShiftRegCc;
            Eor: EorCc EorImmCc EorShiftCc EorShiftRegCc;
            Bic: BicCc BicImmCc BicShiftCc BicShiftRegCc;
        };
        match inst {
            Some(inst) => self.real(inst),
            None => self.cx.fail(crate::CompileError::Internal {
                stage: "selection",
                what: format!("a rule wants a conditional {op:?}"),
            }),
        }
        rd.to_reg()
    }
    fn mvn2(&mut self, y: &Op2) -> Reg {
        let rd = self.temp();
        self.real(match y.clone() {
            Op2::Reg { rm } => ArmInst::Mvn { rd, rm },
            Op2::Imm { imm } => ArmInst::MvnImm { rd, imm },
            Op2::Shift { rm, shift } => ArmInst::MvnShift { rd, rm, shift },
            Op2::ShiftReg { rm, kind, rs } => ArmInst::MvnShiftReg { rd, rm, shift: kind, rs },
        });
        rd.to_reg()
    }
    fn cmp2(&mut self, rn: Reg, y: &Op2) {
        self.real(compare_rows!(rn, y.clone(), Cmp CmpImm CmpShift CmpShiftReg));
    }
    fn cmn2(&mut self, rn: Reg, y: &Op2) {
        self.real(compare_rows!(rn, y.clone(), Cmn CmnImm CmnShift CmnShiftReg));
    }
    fn tst2(&mut self, rn: Reg, y: &Op2) {
        self.real(compare_rows!(rn, y.clone(), Tst TstImm TstShift TstShiftReg));
    }
    fn cmp2_if(&mut self, cond: Cond, rn: Reg, y: &Op2) {
        self.real(match y.clone() {
            Op2::Reg { rm } => ArmInst::CmpCc { cond, rn, rm },
            Op2::Imm { imm } => ArmInst::CmpImmCc { cond, rn, imm },
            Op2::Shift { rm, shift } => ArmInst::CmpShiftCc { cond, rn, rm, shift },
            Op2::ShiftReg { rm, kind, rs } => ArmInst::CmpShiftRegCc { cond, rn, rm, shift: kind, rs },
        });
    }
    fn mov_shift(&mut self, rm: Reg, shift: ShiftImm) -> Reg {
        let rd = self.temp();
        let n = shift.amount();
        let (left, right) = (Amt1To31::new(n), Amt1To32::new(n));
        self.real(match (shift.kind(), left, right) {
            (ShiftKind::Lsl, Some(amount), _) => ArmInst::LslImm { rd, rm, amount },
            (ShiftKind::Lsr, _, Some(amount)) => ArmInst::LsrImm { rd, rm, amount },
            (ShiftKind::Asr, _, Some(amount)) => ArmInst::AsrImm { rd, rm, amount },
            (ShiftKind::Ror, Some(amount), _) => ArmInst::RorImm { rd, rm, amount },
            // A `ShiftImm` has an amount that its kind takes.
            _ => ArmInst::Mov { rd, rm },
        });
        rd.to_reg()
    }

    // ----- Shift amounts -----

    fn shift_imm(&mut self, kind: ShiftKind, ty: Type, k: u64) -> Option<ShiftImm> {
        ShiftImm::new(kind, (k % u64::from(ty.bits())) as u32)
    }
    fn shift_by(&mut self, kind: ShiftKind, n: u32) -> ShiftImm {
        ShiftImm::new(kind, n).unwrap_or_else(|| {
            self.cx.fail(crate::CompileError::Internal {
                stage: "selection",
                what: format!("a rule shifts by {n}"),
            });
            ShiftImm::LSL_1
        })
    }
    fn amount_const(&mut self, ty: Type, k: u64) -> Option<u32> {
        Some((k % u64::from(ty.bits())) as u32)
    }
    fn minus_mod_32(&mut self, n: u32) -> u32 {
        n.wrapping_neg() % 32
    }
    fn amount_low(&mut self, n: u32) -> Option<u32> {
        (1..32).contains(&n).then_some(n)
    }
    fn amount_high(&mut self, n: u32) -> Option<u32> {
        n.checked_sub(32)
    }
    fn mod_64(&mut self, n: u64) -> u32 {
        (n % 64) as u32
    }
    fn minus_mod_64(&mut self, n: u32) -> u32 {
        n.wrapping_neg() % 64
    }
    fn left_by(&mut self, n: u32) -> Option<Amt1To31> {
        Amt1To31::new(n)
    }
    fn low_ones(&mut self, n: u32) -> u32 {
        !(u32::MAX << (n % 32))
    }
    fn ones_above(&mut self, n: u32) -> u32 {
        u32::MAX << (n % 32)
    }
    fn low_field(&mut self, n: u32) -> Option<ExtractRange> {
        ExtractRange::new(0, n)
    }
    fn field_at(&mut self, at: u64, width: u32) -> Option<ExtractRange> {
        patterns::field_at(at, width)
    }
    fn field_of_shifts(&mut self, a: u64, b: u64) -> Option<ExtractRange> {
        patterns::field_of_shifts(a, b)
    }

    // ----- Shapes of values -----

    fn not_const(&mut self, v: Value) -> Option<()> {
        self.cx.constant(v).is_none().then_some(())
    }
    fn shifted_value(&mut self, v: Value) -> Option<(Value, ShiftImm)> {
        patterns::shifted_value(self.cx, v)
    }
    fn two_imms(&mut self, v: Value) -> Option<(ArmImm, ArmImm)> {
        patterns::two_imms(self.cx, v)
    }
    fn neg_two_imms(&mut self, v: Value) -> Option<(ArmImm, ArmImm)> {
        patterns::neg_two_imms(self.cx, v)
    }
    fn negative_const(&mut self, v: Value) -> Option<u64> {
        let k = self.cx.signed_constant(v)?;
        if self.cx.value_type(v) == types::I64 && k < 0 { k.checked_neg().map(|k| k as u64) } else { None }
    }
    fn high_zero(&mut self, v: Value) -> Option<Value> {
        patterns::high_zero(self.cx, v).then_some(v)
    }
    fn high_ones(&mut self, v: Value) -> Option<u32> {
        let k = self.cx.constant(v)?;
        (k >> 32 == u64::from(u32::MAX)).then_some(k as u32)
    }
    fn twice(&mut self, v: Value) -> Option<u32> {
        let k = self.cx.constant(v)?;
        (k >> 32 == k & u64::from(u32::MAX)).then_some(k as u32)
    }
    fn ones_below(&mut self, v: Value) -> Option<u32> {
        patterns::ones_below(self.cx, v)
    }
    fn run_of_zeros(&mut self, v: Value) -> Option<InsertRange> {
        patterns::run_of_zeros(self.small_constant(v)?)
    }
    fn arithmetic(&mut self, v: Value) -> Option<(AluOp, Value, Value)> {
        patterns::arithmetic(self.cx, v)
    }
    fn comparison(&mut self, v: Value) -> Option<Value> {
        patterns::comparison(self.cx, v)
    }
    fn extended(&mut self, v: Value) -> Option<(generated::Extension, Value)> {
        patterns::extended(self.cx, v)
    }
    fn half(&mut self, v: Value) -> Option<generated::Half> {
        patterns::half(self.cx, v)
    }
    fn packing(&mut self, x: Value, y: Value) -> Option<generated::Packing> {
        patterns::packing(self.cx, x, y)
    }
    fn insertion(&mut self, x: Value, y: Value) -> Option<generated::Insertion> {
        patterns::insertion(self.cx, x, y)
    }
    fn signed_range(&mut self, low: i64, high: i64) -> Option<SignedSat> {
        patterns::signed_range(low, high)
    }
    fn unsigned_range(&mut self, low: i64, high: i64) -> Option<UnsignedSat> {
        patterns::unsigned_range(low, high)
    }

    // ----- Conditions -----

    fn cond_of(&mut self, cc: &IntCC) -> Cond {
        super::target::cond_of(*cc)
    }
    fn invert(&mut self, cond: Cond) -> Cond {
        cond.invert()
    }
    fn swap_cc(&mut self, cc: &IntCC) -> IntCC {
        cc.swap_args()
    }
    fn equality_cc(&mut self, cc: &IntCC) -> Option<IntCC> {
        matches!(cc, IntCC::Equal | IntCC::NotEqual).then_some(*cc)
    }
    fn trap_if(&mut self, cond: Cond, code: TrapCode) {
        self.cx.emit(MInst::TrapIf { cond, code });
    }
    fn breakpoint(&mut self) -> TrapCode16 {
        TrapCode16::ZERO
    }

    // ----- Floating point -----

    fn float32(&mut self, k: generated::Ieee32) -> Reg {
        let rd = self.cx.temp(regs::S);
        self.cx.emit(Common::Float32 { rd, bits: k.bits() }.into());
        rd.to_reg()
    }
    fn float64(&mut self, k: generated::Ieee64) -> Reg {
        let rd = self.cx.temp(regs::D);
        self.cx.emit(Common::Float64 { rd, bits: k.bits() }.into());
        rd.to_reg()
    }
    fn has_v6(&mut self) -> Option<()> {
        self.cx.machine.features().contains(Features::V6).then_some(())
    }
    fn has_v6t2(&mut self) -> Option<()> {
        self.cx.machine.features().contains(Features::V6T2).then_some(())
    }
    fn has_soft_float(&mut self) -> Option<()> {
        self.cx.machine.soft_float().then_some(())
    }
    fn ieee32_bits(&mut self, k: generated::Ieee32) -> u32 {
        k.bits()
    }
    fn ieee64_bits(&mut self, k: generated::Ieee64) -> u64 {
        k.bits()
    }
    fn has_vfp4(&mut self) -> Option<()> {
        self.cx.machine.features().contains(Features::VFP4).then_some(())
    }
    fn single_cond(&mut self, cc: &FloatCC) -> Option<Cond> {
        // After an unordered comparison N = 0, Z = 0, C = 1, V = 1 (A2.7.1).
        Some(match cc {
            FloatCC::Equal => Cond::Eq,
            FloatCC::NotEqual => Cond::Ne,
            FloatCC::LessThan => Cond::Mi,
            FloatCC::LessThanOrEqual => Cond::Ls,
            FloatCC::GreaterThan => Cond::Gt,
            FloatCC::GreaterThanOrEqual => Cond::Ge,
            FloatCC::Ordered => Cond::Vc,
            FloatCC::Unordered => Cond::Vs,
            FloatCC::UnorderedOrLessThan => Cond::Lt,
            FloatCC::UnorderedOrLessThanOrEqual => Cond::Le,
            FloatCC::UnorderedOrGreaterThan => Cond::Hi,
            FloatCC::UnorderedOrGreaterThanOrEqual => Cond::Pl,
            FloatCC::OrderedNotEqual | FloatCC::UnorderedOrEqual => return None,
        })
    }
    fn aligned(&mut self, flags: MemFlags) -> Option<MemFlags> {
        if flags.aligned() { self.native(flags) } else { None }
    }
    fn vfp_offset(&mut self, off: Offset32) -> Option<VfpOffset> {
        VfpOffset::new(off.0)
    }

    // ----- Division -----

    fn udivisor(&mut self, v: Value) -> Option<generated::UDivisor> {
        patterns::udivisor(self.cx, v)
    }
    fn sdivisor(&mut self, v: Value) -> Option<generated::SDivisor> {
        patterns::sdivisor(self.cx, v)
    }
    fn udivisor64(&mut self, v: Value) -> Option<generated::UDivisor64> {
        patterns::udivisor64(self.cx, v)
    }
    fn sdivisor64(&mut self, v: Value) -> Option<generated::SDivisor64> {
        patterns::sdivisor64(self.cx, v)
    }
    fn multiply_high(&mut self) -> Option<()> {
        self.has_v6().filter(|()| self.cx.machine.settings.opt_level != OptLevel::Size)
    }
    fn has_idiv(&mut self) -> Option<()> {
        self.cx.machine.features().contains(Features::IDIV).then_some(())
    }
    fn divmod32(&mut self, call: &RtCall, a: Reg, b: Reg) -> RegPair {
        let results = call::runtime_call(self.cx, runtime_name(call), &[a, b]);
        (results[0], results[1])
    }
    fn quotient64(&mut self, call: &RtCall, a: ValueRegs, b: ValueRegs) -> ValueRegs {
        let args = [self.lo(a), self.hi(a), self.lo(b), self.hi(b)];
        let results = call::runtime_call(self.cx, runtime_name(call), &args);
        ValueRegs::two(results[0], results[1])
    }
    fn remainder64(&mut self, call: &RtCall, a: ValueRegs, b: ValueRegs) -> ValueRegs {
        let args = [self.lo(a), self.hi(a), self.lo(b), self.hi(b)];
        let results = call::runtime_call(self.cx, runtime_name(call), &args);
        ValueRegs::two(results[2], results[3])
    }

    // ----- Memory -----

    fn in_reach(&mut self, off: Offset32, max: u32) -> Option<i32> {
        (off.0.unsigned_abs() <= max).then_some(off.0)
    }
    fn sum_in_reach(&mut self, off: Offset32, k: i64, max: u32) -> Option<i32> {
        let sum = i32::try_from(k.checked_add(off.into())?).ok()?;
        (sum.unsigned_abs() <= max).then_some(sum)
    }
    fn offset_bits(&mut self, off: Offset32) -> u32 {
        off.0 as u32
    }
    fn plus4(&mut self, off: i32) -> i32 {
        off + 4
    }
    fn offset12(&mut self, off: i32) -> Offset12 {
        Offset12::new(off).unwrap_or(Offset12::ZERO)
    }
    fn offset8(&mut self, off: i32) -> Offset8 {
        Offset8::new(off).unwrap_or(Offset8::ZERO)
    }

    // ----- Thread-local data -----

    fn has_kernel_helpers(&mut self) -> Option<()> {
        self.cx.machine.kernel_helpers().then_some(())
    }
    fn read_thread_pointer(&mut self) -> Reg {
        call::read_thread_pointer(self.cx)
    }
    fn kernel_thread_pointer(&mut self) -> Reg {
        call::kernel_call(self.cx, Helper::ThreadPointer).unwrap_or(Reg::NONE)
    }
    fn thread_offset(&mut self, gv: GlobalValue) -> Option<Reg> {
        if self.cx.machine.settings.tls_model != TlsModel::ElfLe {
            self.cx.unsupported("tls_value without the setting tls_model".into());
            return None;
        }
        let (name, offset) = self.thread_local(gv)?;
        let (rd, symbol) = (self.temp(), Box::new((name, offset)));
        self.cx.emit(MInst::ThreadOffset { rd, symbol });
        Some(rd.to_reg())
    }
    fn thread_index(&mut self, gv: GlobalValue) -> Option<Reg> {
        let (name, _) = self.thread_local(gv)?;
        let (rd, symbol) = (self.temp(), Box::new(name));
        self.cx.emit(MInst::ThreadIndex { rd, symbol });
        Some(rd.to_reg())
    }
    fn tls_get_addr(&mut self, index: Reg) -> Reg {
        call::tls_get_addr(self.cx, index)
    }
    fn global_offset(&mut self, gv: GlobalValue) -> Option<Op2> {
        let offset = self.thread_local(gv)?.1 as u32;
        Some(match ArmImm::encode(offset) {
            Some(imm) => Op2::Imm { imm },
            None => Op2::Reg { rm: constant(self.cx, offset) },
        })
    }
    fn global_at_start(&mut self, gv: GlobalValue) -> Option<()> {
        (self.thread_local(gv)?.1 == 0).then_some(())
    }

    // ----- Atomic accesses -----

    fn has_atomics(&mut self) -> Option<()> {
        self.cx.machine.has_atomics().then_some(())
    }
    fn has_atomics64(&mut self) -> Option<()> {
        self.cx.machine.has_atomics64().then_some(())
    }
    fn has_v6k(&mut self) -> Option<()> {
        self.cx.machine.features().contains(Features::V6K).then_some(())
    }
    fn barrier(&mut self) {
        if self.cx.machine.features().contains(Features::V6) {
            self.cx.emit(MInst::Barrier);
        } else {
            call::kernel_call(self.cx, Helper::Barrier);
        }
    }
    fn bitwise(&mut self, op: &AtomicRmwOp) -> Option<AtomicRmwOp> {
        atomic::bitwise(*op).then_some(*op)
    }
    fn load_exclusive_64(&mut self, flags: MemFlags, rn: Reg) -> ValueRegs {
        let (rt, rt2) = (self.temp(), self.temp());
        self.access(flags, &ArmInst::Ldrexd { rt, rt2, rn });
        ValueRegs::two(rt.to_reg(), rt2.to_reg())
    }
    fn store_exclusive_64(&mut self, flags: MemFlags, p: Reg, x: ValueRegs) {
        select::store_wide(self.cx, flags, p, x);
    }
    fn atomic_read_64(&mut self, flags: MemFlags, p: Reg) -> ValueRegs {
        select::wide(self.cx, &Way::Kernel, flags, p, Change::Keep)
    }
    fn atomic_rmw_32(&mut self, way: &Way, f: MemFlags, ty: Type, op: &AtomicRmwOp, p: Reg, x: Reg) -> Reg {
        select::whole(self.cx, way, f, ty, p, Change::Rmw(*op, x))
    }
    fn atomic_rmw_part(
        &mut self,
        way: &Way,
        flags: MemFlags,
        ty: Type,
        op: &AtomicRmwOp,
        word: Reg,
        below: Reg,
        x: Reg,
    ) -> Reg {
        select::part(self.cx, way, flags, ty, (word, below), Change::Rmw(*op, x))
    }
    fn atomic_rmw_64(&mut self, way: &Way, f: MemFlags, op: &AtomicRmwOp, p: Reg, x: ValueRegs) -> ValueRegs {
        select::wide(self.cx, way, f, p, Change::Rmw(*op, x))
    }
    fn atomic_cas_32(&mut self, way: &Way, f: MemFlags, ty: Type, p: Reg, expected: Reg, new: Reg) -> Reg {
        select::whole(self.cx, way, f, ty, p, Change::Cas { expected, new })
    }
    fn atomic_cas_part(
        &mut self,
        way: &Way,
        flags: MemFlags,
        ty: Type,
        word: Reg,
        below: Reg,
        expected: Reg,
        new: Reg,
    ) -> Reg {
        select::part(self.cx, way, flags, ty, (word, below), Change::Cas { expected, new })
    }
    fn atomic_cas_64(
        &mut self,
        way: &Way,
        flags: MemFlags,
        p: Reg,
        expected: ValueRegs,
        new: ValueRegs,
    ) -> ValueRegs {
        select::wide(self.cx, way, flags, p, Change::Cas { expected, new })
    }

    // ----- Registers that the machine keeps -----

    fn stack_pointer(&mut self) -> Reg {
        let (rd, rm) = (self.temp(), Reg::from_preg(regs::SP));
        self.real(ArmInst::Mov { rd, rm });
        rd.to_reg()
    }
    fn return_address(&mut self) -> Reg {
        self.cx.frame.frame_record = true;
        let rd = self.temp();
        self.cx.emit(MInst::FrameLoad { rd, area: FrameArea::Record, offset: 4 });
        rd.to_reg()
    }
    fn set_pinned(&mut self, pinned: Reg, rm: Reg) {
        self.real(ArmInst::Mov { rd: WritableReg::from_reg(pinned), rm });
    }

    // ----- Control flow -----

    fn emit_cond_jump(&mut self, cond: Cond, then: Label, other: Label) {
        self.cx.emit(MInst::CondJump { cond, then, other });
    }
}

/// Routines of the run-time ABI (section 4.3.1): quotient and remainder.
fn runtime_name(call: &RtCall) -> &'static str {
    match call {
        RtCall::Uidivmod => "__aeabi_uidivmod",
        RtCall::Idivmod => "__aeabi_idivmod",
        RtCall::Uldivmod => "__aeabi_uldivmod",
        RtCall::Ldivmod => "__aeabi_ldivmod",
    }
}

/// Does the register of `v`, a value of at most 32 bits, hold zeros above its type's width?
pub(super) fn zero_extended(cx: &Lower<'_>, v: Value) -> bool {
    if cx.value_type(v) == types::I32 {
        return true;
    }
    let Some(inst) = cx.def(v) else { return false };
    let data = &cx.func.dfg.insts[inst];
    match data.opcode() {
        // Constants are made with zeros above.
        Opcode::Iconst | Opcode::Icmp | Opcode::Fcmp => true,
        // Byte and halfword loads clear the rest; a swapped halfword has none of that.
        Opcode::Load => cx.value_type(v) == types::I8,
        Opcode::Uload8 => true,
        // Two bytes, if the upper one is.
        Opcode::Iconcat => match cx.func.dfg.inst_args(inst) {
            &[_, high] => cx.value_type(v) == types::I16 && zero_extended(cx, high),
            _ => false,
        },
        Opcode::Umin | Opcode::Umax | Opcode::Popcnt | Opcode::Clz | Opcode::Ctz | Opcode::Ushr => true,
        _ => false,
    }
}
