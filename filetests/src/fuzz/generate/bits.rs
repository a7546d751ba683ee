//! Constants in the places where selection rules look for them: masks beside shifts, divisors, immediates near their
//! ends; and other operations that one machine instruction may do together.

use super::body::Body;
use windlass_ir::{InstBuilder, Opcode, Type, Value, types};

impl Body<'_> {
    /// Operations that rules look for together, with constants.
    pub(super) fn bit_pattern(&mut self) {
        let ints: Vec<Type> = self.menu.types.iter().copied().filter(|ty| ty.is_int()).collect();
        // Words more often than the others, which are made of them.
        let ints = [ints, vec![types::I32, types::I64]].concat();
        let Some(&ty) = self.random.pick(&ints).filter(|ty| self.menu.types.contains(ty)) else { return };
        let x = self.variable(ty);
        let y = self.variable(ty);
        let _ = match self.random.below(20) {
            0..7 => self.field(ty, x, y),
            7..11 => self.division(ty, x, y),
            11..13 => self.edges(ty, x, y),
            13..15 => self.choice(ty, x, y),
            15..17 => self.widths(ty, x, y),
            17 => self.counts(ty, x),
            _ => self.floats(),
        };
    }

    /// One of `opcodes` on these operands, if the target has it.
    fn apply_one(&mut self, opcodes: &[Opcode], ctrl: Type, args: &[Value]) -> Option<Value> {
        let opcode = *self.random.pick(opcodes)?;
        self.apply(opcode, ctrl, args)
    }

    /// A constant amount of a shift, mostly below the width.
    fn amount(&mut self, ty: Type) -> Value {
        let bits = ty.bits() as usize;
        let by = match self.random.below(10) {
            0..3 => [8, 16, 24, 32, 48, 63, 31, 1][self.random.below(8)],
            9 => self.random.below(2 * bits),
            _ => self.random.below(bits),
        };
        let of = [types::I8, types::I32, types::I64][self.random.below(3)];
        self.constant_of(of, (by & 127) as u128)
    }

    fn mask(&mut self, ty: Type) -> Value {
        let ones = self.random.run_of_ones(ty.bits());
        self.constant_of(ty, ones)
    }

    fn shifted(&mut self, ty: Type, x: Value) -> Option<Value> {
        let shifts = [Opcode::Ishl, Opcode::Ushr, Opcode::Sshr, Opcode::Rotl, Opcode::Rotr];
        let by = self.amount(ty);
        self.apply_one(&shifts, ty, &[x, by])
    }

    fn masked(&mut self, ty: Type, x: Value) -> Option<Value> {
        let m = self.mask(ty);
        self.apply(Opcode::Band, ty, &[x, m])
    }

    /// Bits moved from one place to another.
    fn field(&mut self, ty: Type, x: Value, y: Value) -> Option<Value> {
        use Opcode::*;
        let all = u128::MAX >> (128 - ty.bits());
        match self.random.below(8) {
            0 | 1 => {
                let s = self.shifted(ty, x)?;
                self.masked(ty, s)
            }
            2 => {
                let m = self.masked(ty, x)?;
                self.shifted(ty, m)
            }
            // Two shifts, by the same amount or not.
            3 => {
                let left = self.amount(ty);
                let right = if self.random.chance(50) { left } else { self.amount(ty) };
                let s = self.apply(Ishl, ty, &[x, left])?;
                self.apply_one(&[Ushr, Sshr], ty, &[s, right])
            }
            // A field put into another number: complementary masks, or nearly.
            4 | 5 => {
                let ones = self.random.run_of_ones(ty.bits());
                let rest =
                    if self.random.chance(85) { !ones & all } else { self.random.run_of_ones(ty.bits()) };
                let s = if self.random.chance(75) { self.shifted(ty, x)? } else { x };
                let ones = self.constant_of(ty, ones);
                let rest = self.constant_of(ty, rest);
                let new = self.apply(Band, ty, &[s, ones])?;
                let old = self.apply(Band, ty, &[y, rest])?;
                let (a, b) = if self.random.chance(50) { (new, old) } else { (old, new) };
                self.apply_one(&[Bor, Bor, Bxor, Iadd], ty, &[a, b])
            }
            // A rotation in two shifts.
            6 => {
                let by = self.random.below(ty.bits() as usize) as u128;
                let left = self.constant_of(types::I8, by);
                let right = self.constant_of(types::I8, u128::from(ty.bits()) - by);
                let left = self.apply(Ishl, ty, &[x, left])?;
                let other = if self.random.chance(70) { x } else { y };
                let right = self.apply(Ushr, ty, &[other, right])?;
                self.apply_one(&[Bor, Iadd, Bxor], ty, &[left, right])
            }
            _ => {
                let m = self.mask(ty);
                let (a, b) = if self.random.chance(50) { (x, y) } else { (self.shifted(ty, x)?, y) };
                self.apply(Bitselect, ty, &[m, a, b])
            }
        }
    }

    /// Quotients and remainders by constants, and products with constants.
    fn division(&mut self, ty: Type, x: Value, y: Value) -> Option<Value> {
        use Opcode::*;
        let all = u128::MAX >> (128 - ty.bits());
        let k = self.random.number(ty.bits());
        // By neither 0 nor -1: those trap.
        let k = if k == 0 || k == all { 7 } else { k };
        let k = self.constant_of(ty, k);
        let (divide, rest) = if self.random.chance(50) { (Udiv, Urem) } else { (Sdiv, Srem) };
        match self.random.below(5) {
            0 => self.apply(divide, ty, &[x, k]),
            1 => self.apply(rest, ty, &[x, k]),
            2 => {
                let quotient = self.apply(divide, ty, &[x, k])?;
                let product = self.apply(Imul, ty, &[quotient, k])?;
                self.apply(Isub, ty, &[x, product])
            }
            3 => {
                let product = self.apply(Imul, ty, &[x, k])?;
                self.apply_one(&[Iadd, Isub], ty, &[y, product])
            }
            _ => {
                let rest = self.apply(rest, ty, &[x, k])?;
                let zero = self.constant_of(ty, 0);
                let c = self.apply(Icmp, ty, &[rest, zero])?;
                self.apply(Select, ty, &[c, x, y])
            }
        }
    }

    /// Sums and comparisons with constants, one after the other.
    fn edges(&mut self, ty: Type, x: Value, y: Value) -> Option<Value> {
        use Opcode::*;
        let ops = [Iadd, Isub, Band, Bor, Bxor, Imul];
        let k = self.constant(ty);
        match self.random.below(3) {
            0 => {
                let v = self.apply_one(&ops, ty, &[x, k])?;
                let k = self.constant(ty);
                self.apply_one(&ops, ty, &[v, k])
            }
            1 => {
                let c = self.apply(Icmp, ty, &[x, k])?;
                self.apply(Select, ty, &[c, y, k])
            }
            _ => {
                let v = self.apply_one(&ops, ty, &[x, k])?;
                let k = self.constant(ty);
                let c = self.apply(Icmp, ty, &[v, k])?;
                self.apply(Select, ty, &[c, v, y])
            }
        }
    }

    /// The choices that have instructions of their own: extremes, absolute values, masks, signs.
    fn choice(&mut self, ty: Type, x: Value, y: Value) -> Option<Value> {
        use Opcode::*;
        let zero = self.constant_of(ty, 0);
        match self.random.below(5) {
            0 => {
                let c = self.apply(Icmp, ty, &[x, y])?;
                self.apply(Select, ty, &[c, x, y])
            }
            1 => {
                let c = self.apply(Icmp, ty, &[x, zero])?;
                let negated = self.apply(Ineg, ty, &[x])?;
                self.apply(Select, ty, &[c, negated, x])
            }
            2 => {
                let c = self.apply(Icmp, ty, &[x, y])?;
                let mask = self.apply(Bmask, ty, &[c])?;
                self.apply(Band, ty, &[mask, x])
            }
            // -1, 0 and 1.
            3 => {
                let more = self.apply(Icmp, ty, &[x, y])?;
                let less = self.apply(Icmp, ty, &[x, y])?;
                let one = self.constant_of(ty, 1);
                let minus = self.constant_of(ty, u128::MAX >> (128 - ty.bits()));
                let inner = self.apply(Select, ty, &[less, minus, zero])?;
                self.apply(Select, ty, &[more, one, inner])
            }
            // Two conditions.
            _ => {
                let c = self.apply(Icmp, ty, &[x, y])?;
                let d = self.condition();
                let d = self.converted(d, types::I8);
                let both = self.apply_one(&[Band, Bor, Bxor], types::I8, &[c, d])?;
                self.apply(Select, ty, &[both, x, y])
            }
        }
    }

    /// Numbers cut, extended, swapped and joined.
    fn widths(&mut self, ty: Type, x: Value, y: Value) -> Option<Value> {
        use Opcode::*;
        let extend = [Uextend, Sextend][self.random.below(2)];
        match self.random.below(5) {
            0 => {
                let half = ty.half_width()?;
                let v = self.apply(Ireduce, half, &[x])?;
                let v = if self.random.chance(50) {
                    self.apply(Bswap, half, &[v])?
                } else {
                    self.shifted(half, v)?
                };
                self.apply(extend, ty, &[v])
            }
            // Two halves made one.
            1 => {
                let half = ty.half_width()?;
                let low = self.variable(half);
                let high = self.variable(half);
                let low = self.apply(extend, ty, &[low])?;
                let high = self.apply(Uextend, ty, &[high])?;
                let by = self.constant_of(types::I8, half.bits().into());
                let high = self.apply(Ishl, ty, &[high, by])?;
                self.apply_one(&[Bor, Iadd], ty, &[high, low])
            }
            // A product as wide as two factors.
            2 => {
                let half = ty.half_width()?;
                let a = self.variable(half);
                let b = self.value(half);
                let a = self.apply(extend, ty, &[a])?;
                let b = self.apply(extend, ty, &[b])?;
                let product = self.apply(Imul, ty, &[a, b])?;
                self.apply(Iadd, ty, &[product, y])
            }
            3 => {
                let low = self.apply(Imul, ty, &[x, y])?;
                let high = self.apply_one(&[Umulhi, Smulhi], ty, &[x, y])?;
                self.apply(Bxor, ty, &[low, high])
            }
            _ => {
                let v = self.apply(Bswap, ty, &[x])?;
                let v = self.shifted(ty, v)?;
                self.apply(Bswap, ty, &[v])
            }
        }
    }

    /// Bits counted, and what is made of the count.
    fn counts(&mut self, ty: Type, x: Value) -> Option<Value> {
        use Opcode::*;
        let v = if self.random.chance(50) { self.masked(ty, x)? } else { x };
        let n = self.apply_one(&[Clz, Ctz, Popcnt, Cls], ty, &[v])?;
        match self.random.below(3) {
            // The last bit of the count: is it 0?
            0 => {
                let by = self.constant_of(types::I8, ty.bits().trailing_zeros().into());
                self.apply(Ushr, ty, &[n, by])
            }
            1 => {
                let k = self.constant_of(ty, u128::from(ty.bits()) - 1);
                self.apply(Isub, ty, &[k, n])
            }
            _ => {
                let k = self.constant(ty);
                self.apply(Ishl, ty, &[k, n])
            }
        }
    }

    /// Float operations that one instruction may do: signs beside products, choices by comparisons, conversions of
    /// narrow integers.
    fn floats(&mut self) -> Option<Value> {
        use Opcode::*;
        let ty = [types::F32, types::F64][self.random.below(2)];
        if !self.menu.types.contains(&ty) {
            return None;
        }
        let x = self.variable(ty);
        let y = self.value(ty);
        let z = self.variable(ty);
        match self.random.below(5) {
            // Signs go into the product; only the result's NaN is anybody's.
            0 | 1 if self.menu.find(Fma, ty, &[ty; 3]).is_some() => {
                let mut args = [x, y, z];
                for arg in &mut args {
                    if self.random.chance(30) {
                        *arg = self.at().ins().fneg(*arg);
                    }
                }
                let [x, y, z] = args;
                let v = self.at().ins().fma(x, y, z);
                let v = if self.random.chance(50) { self.at().ins().fneg(v) } else { v };
                let v = self.without_nan(Fma, v);
                self.keep(v);
                Some(v)
            }
            2 => {
                let c = self.apply(Fcmp, ty, &[x, y])?;
                let (a, b) = if self.random.chance(50) { (x, y) } else { (z, x) };
                self.apply(Select, ty, &[c, a, b])
            }
            3 => {
                let narrow = [types::I8, types::I16, types::I32, types::I64][self.random.below(4)];
                let v = self.variable(narrow);
                let wide = [types::I32, types::I64][self.random.below(2)];
                let extend = [Uextend, Sextend][self.random.below(2)];
                let v = if wide.bits() > narrow.bits() { self.apply(extend, wide, &[v])? } else { v };
                self.apply_one(&[FcvtFromSint, FcvtFromUint], ty, &[v])
            }
            _ => {
                let v = self.apply_one(&[Fneg, Fabs], ty, &[x])?;
                let v = self.apply_one(&[Fneg, Fabs], ty, &[v])?;
                self.apply(Fcopysign, ty, &[v, y])
            }
        }
    }
}
