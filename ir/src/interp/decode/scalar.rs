//! Constants, arithmetic, comparisons, conversions: operations on slots alone.

use super::{Class, Decoded, Decoder, class_of, malformed};
use crate::entities::Inst;
use crate::instdata::InstData;
use crate::interp::op::*;
use crate::interp::slots;
use crate::opcode::Opcode;
use crate::types::{self, Type};

impl Decoder<'_, '_> {
    pub(super) fn scalar_constant(&mut self, inst: Inst) -> Decoded {
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

    pub(super) fn operands2(&self) -> Decoded<(u32, u32, u32)> {
        Ok((self.dest()?, self.arg_slot(0)?, self.arg_slot(1)?))
    }

    pub(super) fn int_binary(&mut self, op: IntBin) -> Decoded {
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

    pub(super) fn bitwise(&mut self, op: IntBin) -> Decoded {
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

    pub(super) fn bit_not(&mut self) -> Decoded {
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

    pub(super) fn int_unary(&mut self, op: IntUn) -> Decoded {
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

    pub(super) fn divide(&mut self, op: DivOp) -> Decoded {
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

    pub(super) fn overflow(&mut self, op: OverflowOp) -> Decoded {
        let (d, a, b) = self.operands2()?;
        self.push(match self.class(self.result_type())? {
            Class::I128 => Op::Overflow128 { op, d, a, b },
            _ => Op::Overflow { op, bits: self.result_type().bits() as u8, d, a, b },
        });
        Ok(())
    }

    pub(super) fn overflow_carry(&mut self, op: OverflowOp) -> Decoded {
        let (d, a, b) = self.operands2()?;
        let c = self.arg_slot(2)?;
        self.push(match self.class(self.result_type())? {
            Class::I128 => Op::OverflowCarry128 { op, d, a, b, c },
            _ => Op::OverflowCarry { op, bits: self.result_type().bits() as u8, d, a, b, c },
        });
        Ok(())
    }

    pub(super) fn add_trap(&mut self, inst: Inst) -> Decoded {
        let (d, a, b) = self.operands2()?;
        let code = self.dfg.insts[inst].trap_code().map_or(0, |code| code.as_u8());
        self.push(Op::AddTrap { bits: self.result_type().bits() as u8, code, d, a, b });
        Ok(())
    }

    pub(super) fn shift(&mut self, op: IntBin) -> Decoded {
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

    pub(super) fn bmask(&mut self) -> Decoded {
        let (to, d) = (self.result_type(), self.dest()?);
        let a = self.condition(self.arg(0)?)?;
        self.push(match self.class(to)? {
            Class::Int(bits) => Op::IntUn { op: IntUn::Bmask, bits, d, a },
            _ => Op::Bmask128 { d, a },
        });
        Ok(())
    }

    pub(super) fn select(&mut self, opcode: Opcode) -> Decoded {
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

    pub(super) fn icmp(&mut self, inst: Inst) -> Decoded {
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

    pub(super) fn ireduce(&mut self) -> Decoded {
        let to = self.result_type();
        self.class(to)?;
        let (d, a) = (self.dest()?, self.arg_slot(0)?);
        self.push(match to.bits() {
            64 => Op::Copy { d, a },
            bits => Op::AndImm { d, a, imm: u32::MAX >> (32 - bits) },
        });
        Ok(())
    }

    pub(super) fn extend(&mut self, signed: bool) -> Decoded {
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

    pub(super) fn isplit(&mut self) -> Decoded {
        let from = self.ty(self.arg(0)?);
        let class = self.class(from)?;
        let (d, a) = (self.dest()?, self.arg_slot(0)?);
        self.push(match class {
            Class::Int(bits) => Op::Split { bits: bits / 2, d, a },
            _ => Op::Copy128 { d, a },
        });
        Ok(())
    }

    pub(super) fn iconcat(&mut self) -> Decoded {
        let from = self.ty(self.arg(0)?);
        let (d, a, b) = self.operands2()?;
        self.push(match from.bits() {
            64 => Op::Concat128 { d, a, b },
            bits => Op::Concat { bits: bits as u8, d, a, b },
        });
        Ok(())
    }

    pub(super) fn bitcast(&mut self) -> Decoded {
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

    pub(super) fn is_f64(&self, ty: Type) -> Decoded<bool> {
        match class_of(ty) {
            Some(Class::F32) => Ok(false),
            Some(Class::F64) => Ok(true),
            _ => self.unsupported(ty),
        }
    }

    pub(super) fn float_binary(&mut self, op: FloatBin) -> Decoded {
        let wide = self.is_f64(self.result_type())?;
        let (d, a, b) = self.operands2()?;
        self.push(if wide { Op::F64Bin { op, d, a, b } } else { Op::F32Bin { op, d, a, b } });
        Ok(())
    }

    pub(super) fn float_unary(&mut self, op: FloatUn) -> Decoded {
        let wide = self.is_f64(self.result_type())?;
        let (d, a) = (self.dest()?, self.arg_slot(0)?);
        self.push(if wide { Op::F64Un { op, d, a } } else { Op::F32Un { op, d, a } });
        Ok(())
    }

    pub(super) fn fma(&mut self) -> Decoded {
        let wide = self.is_f64(self.result_type())?;
        let (d, a, b) = self.operands2()?;
        let c = self.arg_slot(2)?;
        self.push(if wide { Op::F64Fma { d, a, b, c } } else { Op::F32Fma { d, a, b, c } });
        Ok(())
    }

    pub(super) fn fcmp(&mut self, inst: Inst) -> Decoded {
        let InstData::FloatCompare { cond, args, .. } = self.dfg.insts[inst] else {
            return malformed("fcmp with other operands");
        };
        let wide = self.is_f64(self.ty(args[0]))?;
        let (d, a, b) = self.operands2()?;
        let cond = FloatCond::new(cond);
        self.push(if wide { Op::F64Cmp { cond, d, a, b } } else { Op::F32Cmp { cond, d, a, b } });
        Ok(())
    }

    pub(super) fn float_width(&mut self, opcode: Opcode) -> Decoded {
        // Both must be types that the interpreter knows: then one is f32 and the other f64.
        self.is_f64(self.ty(self.arg(0)?))?;
        self.is_f64(self.result_type())?;
        let (d, a) = (self.dest()?, self.arg_slot(0)?);
        self.push(if opcode == Opcode::Fpromote { Op::Promote { d, a } } else { Op::Demote { d, a } });
        Ok(())
    }

    pub(super) fn float_to_int(&mut self, signed: bool, saturate: bool) -> Decoded {
        let to = self.result_type();
        self.class(to)?;
        let from64 = self.is_f64(self.ty(self.arg(0)?))?;
        let (d, a) = (self.dest()?, self.arg_slot(0)?);
        self.push(Op::ToInt { from64, signed, saturate, bits: to.bits() as u8, d, a });
        Ok(())
    }

    pub(super) fn int_to_float(&mut self, signed: bool) -> Decoded {
        let to64 = self.is_f64(self.result_type())?;
        let from = self.ty(self.arg(0)?);
        self.class(from)?;
        let (d, a) = (self.dest()?, self.arg_slot(0)?);
        self.push(Op::FromInt { to64, signed, bits: from.bits() as u8, d, a });
        Ok(())
    }
}
