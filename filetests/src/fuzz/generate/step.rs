//! The instructions of a random block.

use super::body::Body;
use crate::fuzz::menu::{Menu, Operation, data};
use windlass_ir::{
    CallConv, ExtFuncData, FloatCC, FuncRef, Inst, InstBuilder, InstData, IntCC, Opcode, SigRef, Type, Value,
    types,
};

impl Body<'_> {
    /// A few instructions, mostly one.
    pub(super) fn step(&mut self) {
        if self.random.chance(self.style.memory) && !self.slots.is_empty() {
            return self.access();
        }
        match self.random.below(100) {
            0..5 => {
                let ty = self.any_type();
                let v = self.constant(ty);
                self.keep(v);
            }
            5..9 if self.calls > 0 => self.call(),
            9 if self.menu.pinned && self.random.chance(60) => self.pinned(),
            9 if self.stack_pointer.is_some() && self.random.chance(60) => self.distance(),
            9 => {
                if let Some(&opcode) = self.random.pick(&self.menu.idle) {
                    let _: Inst = self.at().ins().make(InstData::Nullary { opcode }, Type::INVALID);
                }
            }
            10..28 => self.pattern(),
            28..45 => self.bit_pattern(),
            _ => self.operation(),
        }
    }

    /// Reads or writes the pinned register.
    fn pinned(&mut self) {
        let address = self.menu.address;
        if self.random.chance(50) {
            let v = self.value(address);
            self.at().ins().set_pinned_reg(v);
        } else {
            let v = self.at().ins().get_pinned_reg(address);
            self.keep(v);
        }
    }

    /// How far the stack pointer is from where it was: a 0 that nobody knows.
    fn distance(&mut self) {
        let Some(start) = self.stack_pointer else { return };
        let address = self.menu.address;
        let now = self.at().ins().get_stack_pointer(address);
        let v = self.at().ins().isub(now, start);
        self.keep(v);
    }

    /// An operation of the menu with random operands.
    fn operation(&mut self) {
        let menu: &Menu = self.menu;
        let Some(operation) = self.random.pick(&menu.groups).and_then(|group| self.random.pick(group)) else {
            return;
        };
        self.compute(operation);
    }

    /// An operation with random operands; keeps and gives its results.
    fn compute(&mut self, operation: &Operation) -> Option<Vec<Value>> {
        let risky = operation.opcode.can_trap();
        let mut args = Vec::with_capacity(operation.args.len());
        for (i, &ty) in operation.args.iter().enumerate() {
            // A comparison of constants tells little.
            let arg = if i == 0 { self.variable(ty) } else { self.value(ty) };
            args.push(arg);
        }
        if risky && !self.make_safe(operation, &mut args) {
            if self.risks == 0 {
                return None;
            }
            self.risks -= 1;
        }
        self.put(operation, &args)
    }

    /// `opcode` at these types with random operands, if the target has it.
    pub(super) fn compute_by(&mut self, opcode: Opcode, ctrl: Type, args: &[Type]) -> Option<Vec<Value>> {
        let menu: &Menu = self.menu;
        self.compute(menu.find(opcode, ctrl, args)?)
    }

    /// `opcode` on these operands, if the target has it.
    pub(super) fn apply(&mut self, opcode: Opcode, ctrl: Type, args: &[Value]) -> Option<Value> {
        let menu: &Menu = self.menu;
        let types: Vec<Type> = args.iter().map(|&v| self.func.dfg.value_type(v)).collect();
        let operation = menu.find(opcode, ctrl, &types)?;
        self.put(operation, args)?.first().copied()
    }

    /// Changes the operands so that the operation does not trap. False if it may.
    fn make_safe(&mut self, operation: &Operation, args: &mut [Value]) -> bool {
        let ty = operation.ctrl;
        match operation.opcode {
            Opcode::Udiv | Opcode::Urem | Opcode::Srem | Opcode::Sdiv => {
                match self.random.below(10) {
                    // Anything; often what does not fit.
                    0 => {
                        if self.risks > 0 && self.random.chance(40) {
                            args[1] = self.constant_of(ty, u128::MAX >> (128 - ty.bits()));
                        }
                        if self.risks > 0 && self.random.chance(40) {
                            args[0] = self.constant_of(ty, 1 << (ty.bits() - 1));
                        }
                        return false;
                    }
                    // A constant.
                    1..4 => {
                        let bits = super::value_bits(ty, self.random);
                        let minus_one = u128::MAX >> (128 - ty.bits());
                        let bits = if bits == 0 || bits == minus_one { 3 } else { bits };
                        args[1] = self.constant_of(ty, bits);
                    }
                    // A number that is odd and not negative, or at least odd.
                    n => {
                        let one = self.constant_of(ty, 1);
                        args[1] = self.at().ins().bor(args[1], one);
                        if n < 8 || operation.opcode == Opcode::Sdiv {
                            let max = self.constant_of(ty, (1 << (ty.bits() - 1)) - 1);
                            args[1] = self.at().ins().band(args[1], max);
                        }
                    }
                }
                true
            }
            Opcode::UaddOverflowTrap if self.random.chance(80) => {
                for arg in args {
                    let shift = self.constant_of(types::I8, 1);
                    *arg = self.at().ins().ushr(*arg, shift);
                }
                true
            }
            Opcode::Trapnz | Opcode::Trapz if self.random.chance(60) => {
                let bits = u128::from(operation.opcode == Opcode::Trapz);
                let c = self.constant_of(ty, bits);
                args[0] = if bits == 1 {
                    self.at().ins().bor(args[0], c)
                } else {
                    self.at().ins().band(args[0], c)
                };
                true
            }
            _ => false,
        }
    }

    /// The instruction of an operation; keeps and gives its results.
    pub(super) fn put(&mut self, operation: &Operation, args: &[Value]) -> Option<Vec<Value>> {
        let int_cond = self.random.pick(IntCC::ALL).copied().unwrap_or(IntCC::Equal);
        let float_cond = self.random.pick(FloatCC::ALL).copied().unwrap_or(FloatCC::Equal);
        let code = self.trap_code();
        let data = data(operation, args, int_cond, float_cond, code)?;
        let inst: Inst = self.at().ins().make(data, operation.ctrl);
        let mut results = self.func.dfg.inst_results(inst).to_vec();
        for v in &mut results {
            *v = self.without_nan(operation.opcode, *v);
            self.keep(*v);
        }
        Some(results)
    }

    /// Machines differ in the NaNs that they compute: all become one.
    pub(super) fn without_nan(&mut self, opcode: Opcode, v: Value) -> Value {
        let ty = self.func.dfg.value_type(v);
        let computes = matches!(
            opcode,
            Opcode::Fadd
                | Opcode::Fsub
                | Opcode::Fmul
                | Opcode::Fdiv
                | Opcode::Sqrt
                | Opcode::Fma
                | Opcode::Fmin
                | Opcode::Fmax
                | Opcode::Ceil
                | Opcode::Floor
                | Opcode::Trunc
                | Opcode::Nearest
                | Opcode::Fpromote
                | Opcode::Fdemote
        );
        if !ty.is_float() || !computes {
            return v;
        }
        let nan = if ty == types::F32 { 0x7fc0_0000 } else { 0x7ff8_0000_0000_0000 };
        let nan = self.constant_of(ty, nan);
        let is_nan = self.at().ins().fcmp(FloatCC::Unordered, v, v);
        self.at().ins().select(is_nan, nan, v)
    }

    /// Operations that rules look for together.
    fn pattern(&mut self) {
        let ints: Vec<Type> = self.menu.types.iter().copied().filter(|ty| ty.is_int()).collect();
        let Some(&ty) = self.random.pick(&ints) else { return };
        let x = self.variable(ty);
        let y = self.value(ty);
        let z = self.value(ty);
        let _ = self.pattern_on(ty, x, y, z);
    }

    fn pattern_on(&mut self, ty: Type, x: Value, y: Value, z: Value) -> Option<Value> {
        use Opcode::*;
        let logic = [Iadd, Isub, Band, Bor, Bxor];
        let op = logic[self.random.below(logic.len())];
        match self.random.below(14) {
            // Multiply and add, either way round.
            0 => {
                let p = self.apply(Imul, ty, &[x, y])?;
                let (a, b) = if self.random.chance(50) { (p, z) } else { (z, p) };
                self.apply(if op == Isub { Isub } else { Iadd }, ty, &[a, b])
            }
            // A shifted second operand.
            1 => {
                let shifts = [Ishl, Ushr, Sshr, Rotl, Rotr];
                let shift = shifts[self.random.below(shifts.len())];
                let bits = u128::from(ty.bits());
                let by = self.random.below(2 * ty.bits() as usize) as u128 % (bits + 2);
                let by = self.constant_of(types::I8, by);
                let s = self.apply(shift, ty, &[y, by])?;
                let (a, b) = if self.random.chance(70) { (x, s) } else { (s, x) };
                self.apply(op, ty, &[a, b])
            }
            2 => {
                let n = self.apply(Bnot, ty, &[y])?;
                let (a, b) = if self.random.chance(50) { (x, n) } else { (n, x) };
                self.apply(op, ty, &[a, b])
            }
            // A comparison and what it decides.
            3 => {
                let c = self.apply(Icmp, ty, &[x, y])?;
                let (a, b) = if self.random.chance(30) { (x, y) } else { (y, z) };
                self.apply(Select, ty, &[c, a, b])
            }
            4 => {
                let c = self.apply(Icmp, ty, &[x, y])?;
                let wide = [types::I16, types::I32, types::I64][self.random.below(3)];
                let c = match self.random.below(4) {
                    0 => self.apply(Uextend, wide, &[c])?,
                    1 => self.apply(Sextend, wide, &[c])?,
                    2 => self.apply(Bmask, wide, &[c])?,
                    _ => c,
                };
                self.apply(Select, ty, &[c, y, z])
            }
            // Carries.
            5 => {
                let families = [
                    (UaddOverflow, UaddOverflowCin),
                    (SaddOverflow, SaddOverflowCin),
                    (UsubOverflow, UsubOverflowBin),
                    (SsubOverflow, SsubOverflowBin),
                ];
                let (first, next) = families[self.random.below(families.len())];
                self.apply(first, ty, &[x, y])?;
                let &carry = self.pool.of(types::I8).last()?;
                self.apply(next, ty, &[y, z, carry])
            }
            // A narrow value widened and used.
            6 => {
                let half = ty.half_width()?;
                let n = self.apply(Ireduce, half, &[x])?;
                let extend = if self.random.chance(50) { Uextend } else { Sextend };
                let w = self.apply(extend, ty, &[n])?;
                self.apply(op, ty, &[y, w])
            }
            // Halves taken apart and put together.
            7 => {
                let menu: &Menu = self.menu;
                let split = menu.find(Isplit, ty, &[ty])?;
                let halves = self.put(split, &[x])?;
                let (a, b) = (*halves.first()?, *halves.get(1)?);
                let half = self.func.dfg.value_type(a);
                let (a, b) = if self.random.chance(50) { (b, a) } else { (a, b) };
                self.apply(Iconcat, half, &[a, b])
            }
            // The test of a bit.
            8 => {
                let one = self.constant_of(ty, 1);
                let by = self.variable(types::I32);
                let bit = self.apply(Ishl, ty, &[one, by])?;
                let test = self.apply(Band, ty, &[x, bit])?;
                self.apply(Select, ty, &[test, y, z])
            }
            // Nothing in the value, anything above it in its register.
            9 => {
                let bits = ty.bits() as usize;
                let first = 1 + self.random.below(bits - 1);
                let rest = (bits - first + self.random.below(3)).min(bits - 1);
                let by = self.constant_of(types::I8, first as u128);
                let high = self.apply(Ishl, ty, &[x, by])?;
                let zero = if self.random.chance(50) {
                    let by = self.constant_of(types::I8, rest as u128);
                    self.apply(Ishl, ty, &[high, by])?
                } else {
                    let by = self.constant_of(ty, 1 << rest);
                    self.apply(Imul, ty, &[high, by])?
                };
                if self.random.chance(50) { self.apply(op, ty, &[zero, y]) } else { Some(zero) }
            }
            // Numbers next to each other.
            10 => {
                let near = self.random.below(3) as u128;
                let near = self.constant_of(ty, near.wrapping_sub(1));
                let other = self.apply(Iadd, ty, &[x, near])?;
                let c = self.apply(Icmp, ty, &[x, other])?;
                self.apply(Select, ty, &[c, y, z])
            }
            // All there is about one number and zero.
            11 => {
                let difference = self.apply(if op == Isub { Isub } else { Bxor }, ty, &[x, y])?;
                let zero = self.constant_of(ty, 0);
                let c = self.apply(Icmp, ty, &[difference, zero])?;
                self.apply(Select, ty, &[c, y, z])
            }
            // The same operand twice.
            12 => self.apply(op, ty, &[x, x]),
            // With a constant, either side.
            _ => {
                let k = self.constant(ty);
                let (a, b) = if self.random.chance(60) { (x, k) } else { (k, x) };
                self.apply(op, ty, &[a, b])
            }
        }
    }

    /// Declares a callee.
    pub(super) fn declare(&mut self, callee: usize) -> (FuncRef, SigRef) {
        if let Some(&known) = self.declared.get(&callee) {
            return known;
        }
        let to = &self.callees[callee];
        let sig = self.func.dfg.signatures.push(to.signature.clone());
        let colocated = self.random.chance(70);
        let func =
            self.func.dfg.ext_funcs.push(ExtFuncData { name: to.name.clone(), signature: sig, colocated });
        self.declared.insert(callee, (func, sig));
        (func, sig)
    }

    /// Returns with the results of a call, if that can be: both functions have the convention for it and the same
    /// results.
    pub(super) fn tail_call(&mut self) -> bool {
        let own = &self.func.signature;
        let fits = |callee: &super::Callee| {
            let other = &callee.signature;
            other.call_conv == CallConv::Tail
                && own.call_conv == CallConv::Tail
                && other.returns == own.returns
                // It would get addresses in a frame that is gone.
                && super::is_plain(other)
        };
        let fit: Vec<usize> = (0..self.callees.len()).filter(|&n| fits(&self.callees[n])).collect();
        let Some(&callee) = self.random.pick(&fit).filter(|_| self.menu.tail_calls) else { return false };
        let (func, sig) = self.declare(callee);
        let params = self.callees[callee].signature.params.clone();
        let args: Vec<Value> = params.iter().map(|param| self.value(param.value_type)).collect();
        if self.random.chance(40) {
            let ty = self.menu.address;
            let address = self.at().ins().func_addr(ty, func);
            self.at().ins().return_call_indirect(sig, address, &args);
        } else {
            self.at().ins().return_call(func, &args);
        }
        true
    }

    /// A call, by name or by address.
    fn call(&mut self) {
        self.calls -= 1;
        let known = self.pool.functions.clone();
        let callee = match self.random.pick(&known) {
            Some(&(callee, _)) if self.random.chance(20) => callee,
            _ => self.random.below(self.callees.len()),
        };
        let (func, sig, address) = self.callee(callee);
        let (args, outputs) = self.arguments(callee);
        let inst = match address {
            Some(address) => self.at().ins().call_indirect(sig, address, &args),
            None => self.at().ins().call(func, &args),
        };
        for v in self.func.dfg.inst_results(inst).to_vec() {
            self.keep(v);
        }
        self.read_outputs(&outputs);
    }

    /// A callee as a call names it: by name, or by address.
    pub(super) fn callee(&mut self, callee: usize) -> (FuncRef, SigRef, Option<Value>) {
        let (func, sig) = self.declare(callee);
        let known = self.pool.functions.iter().find(|&&(n, _)| n == callee).map(|&(_, v)| v);
        if !self.menu.indirect_calls || !self.random.chance(40) {
            return (func, sig, None);
        }
        if let Some(v) = known.filter(|_| self.random.chance(50)) {
            return (func, sig, Some(v));
        }
        let ty = self.menu.address;
        let v = self.at().ins().func_addr(ty, func);
        self.pool.functions.push((callee, v));
        (func, sig, Some(v))
    }
}
