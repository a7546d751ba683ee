//! The terms that the rules of every target have in common.
//!
//! **In:** a target's `Rules`, with `cx`, its [`Lower`](super::Lower), and `labels`; the types of its `generated`
//! module. **Out:** the methods of `generated::Context` that no machine does in a way of its own. The generated trait
//! is another one for each target, so they are a macro in its implementation, not methods of a shared trait.

/// Methods of `impl generated::Context for Rules` that are the same for every target.
macro_rules! rule_terms {
    () => {
        fn rule_fired(&mut self, index: u32) {
            self.cx.rule_fired(&RULES, index);
        }
        fn type_class(&mut self, ty: Type) -> TypeClass {
            TypeClass::of(ty)
        }
        fn int_to_64(&mut self, ty: Type) -> Option<Type> {
            (ty.is_int() && ty.bits() <= 64).then_some(ty)
        }
        fn ty_bits(&mut self, ty: Type) -> u32 {
            ty.bits()
        }
        fn value_type(&mut self, v: Value) -> Type {
            self.cx.value_type(v)
        }
        fn type_of(&mut self, v: Value) -> Type {
            self.cx.value_type(v)
        }
        fn u64_const(&mut self, v: Value) -> Option<u64> {
            self.cx.constant(v)
        }
        fn i64_const(&mut self, v: Value) -> Option<i64> {
            self.cx.signed_constant(v)
        }
        fn nonzero_const(&mut self, v: Value) -> Option<u64> {
            self.cx.constant(v).filter(|&k| k != 0)
        }
        fn safe_divisor(&mut self, v: Value) -> Option<u64> {
            let signed = self.cx.signed_constant(v)?;
            (signed != 0 && signed != -1).then_some(signed as u64)
        }
        fn power(&mut self, v: Value) -> Option<u32> {
            crate::machinst::lower::power(self.cx.constant(v)?)
        }
        fn positive_power(&mut self, v: Value) -> Option<u32> {
            let k = self.cx.signed_constant(v).filter(|&k| k > 0)?;
            crate::machinst::lower::power(k.unsigned_abs())
        }
        fn negative_power(&mut self, v: Value) -> Option<u32> {
            let k = self.cx.signed_constant(v).filter(|&k| k < 0)?;
            crate::machinst::lower::power(k.unsigned_abs())
        }
        fn u64_low(&mut self, k: u64) -> u32 {
            k as u32
        }
        fn u64_high(&mut self, k: u64) -> u32 {
            (k >> 32) as u32
        }
        fn imm64_bits(&mut self, k: generated::Imm64) -> u64 {
            k.get() as u64
        }
        fn pinned(&mut self) -> Option<Reg> {
            self.cx.pinned()
        }
        fn value2(&mut self, v: [Value; 2]) -> (Value, Value) {
            (v[0], v[1])
        }
        fn value3(&mut self, v: [Value; 3]) -> (Value, Value, Value) {
            (v[0], v[1], v[2])
        }
        fn inst_data(&mut self, inst: Inst) -> (Type, InstData) {
            (self.cx.func.dfg.ctrl_type(inst), self.cx.func.dfg.insts[inst])
        }
        fn def_inst(&mut self, v: Value) -> Option<Inst> {
            self.cx.pure_def(v)
        }
        fn writable_reg_to_reg(&mut self, r: WritableReg) -> Reg {
            r.to_reg()
        }
        fn reg_pair(&mut self, a: Reg, b: Reg) -> RegPair {
            (a, b)
        }
        fn pair_lo(&mut self, p: RegPair) -> Reg {
            p.0
        }
        fn pair_hi(&mut self, p: RegPair) -> Reg {
            p.1
        }
        fn regs(&mut self, v: Value) -> ValueRegs {
            self.cx.put_in_regs(v)
        }
        fn lo(&mut self, r: ValueRegs) -> Reg {
            r.regs().first().copied().unwrap_or(Reg::NONE)
        }
        fn hi(&mut self, r: ValueRegs) -> Reg {
            r.regs().get(1).copied().unwrap_or(Reg::NONE)
        }
        fn part(&mut self, v: Value, n: u32) -> Reg {
            self.cx.put_in_regs(v).regs().get(n as usize).copied().unwrap_or(Reg::NONE)
        }
        fn four(&mut self, a: Reg, b: Reg, c: Reg, d: Reg) -> ValueRegs {
            ValueRegs::four([a, b, c, d])
        }
        fn one(&mut self, r: Reg) -> ValueRegs {
            ValueRegs::one(r)
        }
        fn two(&mut self, l: Reg, h: Reg) -> ValueRegs {
            ValueRegs::two(l, h)
        }
        fn output(&mut self, r: ValueRegs) -> InstOutput {
            smallvec![r]
        }
        fn output2(&mut self, r: ValueRegs, s: ValueRegs) -> InstOutput {
            smallvec![r, s]
        }
        fn output_none(&mut self) -> InstOutput {
            smallvec![]
        }
        fn no_op(&mut self) {}
        fn zero_extended(&mut self, v: Value) -> Option<Value> {
            zero_extended(self.cx, v).then_some(v)
        }
        fn signed_cc(&mut self, cc: &IntCC) -> Option<IntCC> {
            cc.is_signed().then_some(*cc)
        }
        fn unsigned_cc(&mut self, cc: &IntCC) -> Option<IntCC> {
            (!cc.is_signed()).then_some(*cc)
        }
        fn trap_always(&mut self, code: TrapCode) {
            self.cx.emit(Common::Trap { code }.into());
        }
        fn scalar_float(&mut self, ty: Type) -> Option<Type> {
            matches!(ty, types::F32 | types::F64).then_some(ty)
        }
        fn zero_offset(&mut self, off: Offset32) -> Option<()> {
            (off.0 == 0).then_some(())
        }
        fn slot_addr(&mut self, slot: StackSlot, off: Offset32) -> Reg {
            let rd = self.temp();
            self.cx.emit(Common::FrameAddr { rd, area: FrameArea::Slot(slot), offset: off.0 }.into());
            rd.to_reg()
        }
        fn has_general_dynamic(&mut self) -> Option<()> {
            (self.cx.machine.settings.tls_model == TlsModel::ElfGd).then_some(())
        }
        fn frame_pointer(&mut self) -> Reg {
            self.cx.frame.frame_record = true;
            let rd = self.temp();
            self.cx.emit(Common::FrameAddr { rd, area: FrameArea::Record, offset: 0 }.into());
            rd.to_reg()
        }
        fn label(&mut self, _: generated::Labels, i: u32) -> Label {
            self.labels[i as usize]
        }
        fn emit_jump(&mut self, to: Label) {
            self.cx.emit(Common::Jump { to }.into());
        }
        fn emit_table(&mut self, index: Reg, _: generated::Labels) {
            let info = Box::new(TableInfo { default: self.labels[0], targets: self.labels[1..].to_vec() });
            self.cx.emit(Common::Table { index, info }.into());
        }
        fn handler_address(&mut self, block: Block, index: u32) -> Reg {
            match self.cx.handler_label(block, index) {
                Some(label) => {
                    let rd = self.temp();
                    self.cx.emit(Common::LabelAddr { rd, label }.into());
                    rd.to_reg()
                }
                // Of a call that is never made: no exception comes there.
                None => constant(self.cx, 0),
            }
        }
        fn gen_return(&mut self, args: ValueList) -> Option<()> {
            let args = args.as_slice(&self.cx.func.dfg.value_lists);
            calls::gen_return(self.cx, args)
        }
        fn gen_call(&mut self, func: FuncRef, args: ValueList) -> Option<InstOutput> {
            let args = args.as_slice(&self.cx.func.dfg.value_lists);
            calls::gen_call(self.cx, Callee::direct(self.cx, func), args)
        }
        fn gen_call_indirect(&mut self, sig: SigRef, args: ValueList) -> Option<InstOutput> {
            let args = args.as_slice(&self.cx.func.dfg.value_lists);
            let (callee, args) = Callee::indirect(self.cx, sig, args)?;
            calls::gen_call(self.cx, callee, args)
        }
        fn gen_tail_call(&mut self, func: FuncRef, args: ValueList) -> Option<()> {
            let args = args.as_slice(&self.cx.func.dfg.value_lists);
            calls::gen_tail_call(self.cx, Callee::direct(self.cx, func), args)
        }
        fn gen_tail_call_indirect(&mut self, sig: SigRef, args: ValueList) -> Option<()> {
            let args = args.as_slice(&self.cx.func.dfg.value_lists);
            let (callee, args) = Callee::indirect(self.cx, sig, args)?;
            calls::gen_tail_call(self.cx, callee, args)
        }
        fn gen_try_call(&mut self, func: FuncRef, args: ValueList, table: ExceptionTable) -> Option<()> {
            let args = args.as_slice(&self.cx.func.dfg.value_lists);
            calls::gen_try_call(self.cx, Callee::direct(self.cx, func), args, table, self.labels)
        }
        fn gen_try_call_indirect(&mut self, args: ValueList, table: ExceptionTable) -> Option<()> {
            let sig = self.cx.func.dfg.exception_tables[table].sig;
            let args = args.as_slice(&self.cx.func.dfg.value_lists);
            let (callee, args) = Callee::indirect(self.cx, sig, args)?;
            calls::gen_try_call(self.cx, callee, args, table, self.labels)
        }
        fn access(&mut self, flags: MemFlags, inst: &Real) {
            self.cx.emit(match flags.trap_code() {
                Some(code) => MInst::Access { inst: inst.clone(), code },
                None => MInst::Real(inst.clone()),
            });
        }
        fn global_addr(&mut self, gv: GlobalValue) -> Option<Reg> {
            match &self.cx.func.global_values[gv] {
                GlobalValueData::Symbol { name, offset, tls: false, colocated, .. } => {
                    self.symbol(SymbolInfo { name: name.clone(), offset: *offset, colocated: *colocated })
                }
                _ => None,
            }
        }
        fn native(&mut self, flags: MemFlags) -> Option<MemFlags> {
            (!self.cx.is_swapped(flags)).then_some(flags)
        }
        fn swapped(&mut self, flags: MemFlags) -> Option<MemFlags> {
            self.cx.is_swapped(flags).then_some(flags)
        }
        fn function_addr(&mut self, func: FuncRef) -> Option<Reg> {
            let data = &self.cx.func.dfg.ext_funcs[func];
            self.symbol(SymbolInfo { name: data.name.clone(), offset: 0, colocated: data.colocated })
        }
    };
}
pub(crate) use rule_terms;
