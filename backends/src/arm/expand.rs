//! What every machine emits, in ARM's instructions.
//!
//! Above each expansion it is drawn as assembly. `ip` is the scratch register of all of them. None but `emit_table`
//! and calls touches the flags.

use super::emit::{BRANCH, DISTANCE, Emit, IP, PC, PC_AHEAD, Result, SP, VFP_LITERAL, udf, w};
use super::imm::*;
use super::minst::{Features, Inst};
use super::pseudo::MInst;
use super::regs;
use super::reloc;
use crate::compiled::CatchItem;
use crate::machinst::buffer::PoolEntry;
use crate::machinst::pseudo::{CallInfo, CallTarget, FrameArea, SymbolInfo, TableInfo};
use crate::machinst::{Buffer, Emitter, Label, Reg, WritableReg};
use alloc::vec::Vec;
use windlass_ir::TrapCode;
use windlass_regalloc::{PReg, RegClass, SpillSlot};

impl Emitter for Emit<'_> {
    type Inst = MInst;
    type Cond = Cond;

    fn buffer(&mut self) -> &mut Buffer {
        self.buf
    }

    fn spill_offset(&self, slot: SpillSlot) -> i32 {
        self.frame.spill(slot) as i32
    }

    fn emit_prologue(&mut self) -> Result {
        self.prologue()
    }

    fn emit(&mut self, inst: &MInst, next: Option<Label>) -> Result {
        self.inst(inst, next)
    }

    /// ARMv5 has no NOP of its own: `mov r0, r0`
    fn emit_padding(&mut self, bytes: u32) -> Result {
        let r0 = Reg::from_preg(regs::r(0));
        for _ in 0..bytes.div_ceil(4) {
            self.real(&Inst::Mov { rd: w(r0), rm: r0 })?;
        }
        Ok(())
    }

    fn emit_const(&mut self, rd: WritableReg, value: u64) -> Result {
        self.constant(rd, value as u32)
    }

    /// `vmov.f32 sd, #imm` or `vldr sd, [pc, #pool]`
    fn emit_float32(&mut self, vd: WritableReg, bits: u32) -> Result {
        if let Some(imm) = VfpImm::from_f32_bits(bits)
            && self.target.features().contains(Features::VFP3)
        {
            return self.real(&Inst::VmovImmF32 { vd, imm });
        }
        let label = self.buf.pool_constant(PoolEntry::Bytes { bits: bits.into(), size: 4 });
        let place = self.buf.offset();
        self.real(&Inst::VldrLitF32 { vd, off: VfpOffset::ZERO })?;
        self.buf.fixup(place, label, &VFP_LITERAL);
        Ok(())
    }

    /// `vmov.f64 dd, #imm` or `vldr dd, [pc, #pool]`
    fn emit_float64(&mut self, vd: WritableReg, bits: u64) -> Result {
        if let Some(imm) = VfpImm::from_f64_bits(bits)
            && self.target.features().contains(Features::VFP3)
        {
            return self.real(&Inst::VmovImmF64 { vd, imm });
        }
        let label = self.buf.pool_constant(PoolEntry::Bytes { bits, size: 8 });
        let place = self.buf.offset();
        self.real(&Inst::VldrLitF64 { vd, off: VfpOffset::ZERO })?;
        self.buf.fixup(place, label, &VFP_LITERAL);
        Ok(())
    }

    fn emit_symbol(&mut self, rd: WritableReg, symbol: &SymbolInfo) -> Result {
        self.symbol(rd, &symbol.name, symbol.offset as i32)
    }

    /// ```text
    ///     ldr rd, [pc, #4]
    ///     add rd, pc, rd
    ///     b over
    ///     .word label - . + 4       what `pc` reads as is two words ahead of the `add`
    /// over:
    /// ```
    fn emit_label_addr(&mut self, rd: WritableReg, label: Label) -> Result {
        if let Some(off) = Offset12::new(4) {
            self.real(&Inst::LdrLit { rt: rd, off })?;
        }
        let base = self.buf.offset() + PC_AHEAD;
        self.real(&Inst::Add { rd, rn: PC, rm: rd.to_reg() })?;
        let over = self.buf.new_label();
        self.emit_branch(over)?;
        let place = self.buf.offset();
        self.buf.put_data(&(place.wrapping_sub(base)).to_le_bytes());
        self.buf.fixup(place, label, &DISTANCE);
        self.buf.bind(over);
        Ok(())
    }

    /// `add rd, sp, #offset`; for a slot of large alignment rounded up:
    /// ```text
    ///     add rd, sp, #offset + align - 1
    ///     bic rd, rd, #align - 1   (or  lsr rd, rd, #n ; lsl rd, rd, #n)
    ///     add rd, rd, #offset in the slot
    /// ```
    fn emit_frame_addr(&mut self, rd: WritableReg, area: FrameArea, offset: i32) -> Result {
        let (base, align) = self.frame.area(area);
        if align == 1 {
            return self.add_offset(rd, SP, base.wrapping_add_signed(offset));
        }
        self.add_offset(rd, SP, base + align - 1)?;
        let rn = rd.to_reg();
        match ArmImm::encode(align - 1) {
            Some(imm) => self.real(&Inst::BicImm { rd, rn, imm })?,
            None => {
                let bits = align.trailing_zeros();
                if let (Some(right), Some(left)) = (Amt1To32::new(bits), Amt1To31::new(bits)) {
                    self.real(&Inst::LsrImm { rd, rm: rn, amount: right })?;
                    self.real(&Inst::LslImm { rd, rm: rn, amount: left })?;
                }
            }
        }
        self.add_offset(rd, rn, offset as u32)
    }

    fn emit_return(&mut self) -> Result {
        self.epilogue()
    }

    /// `bl symbol`, `blx reg` or `ldr ip, [base, #offset] ; blx ip`, and where the callee took its arguments off `sub sp, sp, #popped`
    fn emit_call(&mut self, info: &CallInfo, items: Vec<CatchItem<Label>>) -> Result {
        if let CallTarget::Memory { base, offset, code } = info.target {
            self.load_callee(IP, base, offset, code)?;
        }
        self.before_call()?;
        match (&info.target, info.callee) {
            (CallTarget::Name { symbol, .. }, _) => {
                let place = self.buf.offset();
                self.buf.reloc_at(place, reloc::CALL, symbol.clone(), -i64::from(PC_AHEAD));
                self.real(&Inst::Bl { target: BranchOffset::ZERO })?;
            }
            (CallTarget::Reg, callee) => self.real(&Inst::Blx { rm: callee.unwrap_or(Reg::NONE) })?,
            (CallTarget::Memory { .. }, _) => self.real(&Inst::Blx { rm: IP })?,
        }
        self.buf.call_returns_here(info.popped_bytes, items);
        self.lower_sp(info.popped_bytes)
    }

    /// The frame goes, but for the callee's arguments, which lie where its caller's caller expects to have them taken off.
    /// ```text
    ///     mov ip, callee               of a call through a register
    ///     add sp, sp, #local ; …       see take_down
    ///     b symbol                     or  bx ip  or  ldr pc, [base, #offset]
    /// ```
    fn emit_tail_call(&mut self, info: &CallInfo) -> Result {
        let above = (self.frame.tail_bytes + self.frame.popped_bytes).saturating_sub(info.popped_bytes);
        if let Some(callee) = info.callee {
            self.copy(w(IP), callee)?;
        }
        self.take_down(above)?;
        match &info.target {
            CallTarget::Name { symbol, .. } => {
                let place = self.buf.offset();
                self.buf.reloc_at(place, reloc::JUMP24, symbol.clone(), -i64::from(PC_AHEAD));
                self.real(&Inst::B { target: BranchOffset::ZERO })
            }
            CallTarget::Reg => self.real(&Inst::Bx { rm: IP }),
            CallTarget::Memory { base, offset, code } => self.load_callee(PC, *base, *offset, *code),
        }
    }

    /// The stack pointer is the frame's; the frame pointer, if there is one, is made anew:
    /// `add fp, sp, #record`
    fn emit_landing(&mut self) -> Result {
        if !self.target.settings.preserve_frame_pointers {
            return Ok(());
        }
        let (record, _) = self.frame.area(FrameArea::Record);
        self.add_offset(w(Reg::from_preg(regs::FP)), SP, record)
    }

    fn emit_branch(&mut self, label: Label) -> Result {
        let place = self.buf.offset();
        self.real(&Inst::B { target: BranchOffset::ZERO })?;
        self.buf.fixup(place, label, &BRANCH);
        Ok(())
    }

    fn emit_branch_if(&mut self, cond: Cond, to: Label) -> Result {
        self.branch_if(cond, to)
    }

    fn inverse(&self, cond: Cond) -> Cond {
        cond.invert()
    }

    /// ```text
    ///     cmp index, #n             (or  movw ip, #n ; cmp index, ip)
    ///     bhs default
    ///     add ip, pc, index, lsl #2
    ///     ldr ip, [ip, #4]
    ///     add pc, pc, ip
    ///     nop                       what `pc` reads as is two words ahead
    ///     .word target0 - . …
    /// ```
    fn emit_table(&mut self, index: Reg, info: &TableInfo) -> Result {
        let n = info.targets.len() as u32;
        match ArmImm::encode(n) {
            Some(imm) => self.real(&Inst::CmpImm { rn: index, imm })?,
            None => {
                self.constant(w(IP), n)?;
                self.real(&Inst::Cmp { rn: index, rm: IP })?;
            }
        }
        self.branch_if(Cond::Hs, info.default)?;
        if let (Some(shift), Some(off)) = (ShiftImm::new(ShiftKind::Lsl, 2), Offset12::new(4)) {
            self.real(&Inst::AddShift { rd: w(IP), rn: PC, rm: index, shift })?;
            // Aligned as the code is, and at a distance from the table that is fixed: without a check.
            self.plain(&Inst::LdrImm { rt: w(IP), rn: IP, off })?;
        }
        let base = self.buf.offset() + PC_AHEAD;
        self.real(&Inst::Add { rd: w(PC), rn: PC, rm: IP })?;
        for label in &info.targets {
            let place = self.buf.offset();
            self.buf.put_data(&(place.wrapping_sub(base)).to_le_bytes());
            self.buf.fixup(place, *label, &DISTANCE);
        }
        Ok(())
    }

    fn emit_trap(&mut self, code: TrapCode) -> Result {
        self.real(&udf(code))
    }

    fn emit_copy(&mut self, from: PReg, to: PReg, class: RegClass) -> Result {
        let (rd, rm) = (w(Reg::from_preg(to)), Reg::from_preg(from));
        match class {
            regs::S => self.real(&Inst::VmovF32 { vd: rd, vm: rm }),
            regs::D => self.real(&Inst::VmovF64 { vd: rd, vm: rm }),
            _ => self.real(&Inst::Mov { rd, rm }),
        }
    }

    fn emit_reload(&mut self, to: PReg, offset: i32, class: RegClass) -> Result {
        let rd = w(Reg::from_preg(to));
        if regs::kind(class) == regs::GPR {
            return self.load_word(rd, offset as u32);
        }
        let (rn, off) = self.vfp_address(offset as u32)?;
        if class == regs::S {
            self.real(&Inst::VldrF32 { vd: rd, rn, off })
        } else {
            self.real(&Inst::VldrF64 { vd: rd, rn, off })
        }
    }

    fn emit_spill(&mut self, from: PReg, offset: i32, class: RegClass) -> Result {
        let rt = Reg::from_preg(from);
        if regs::kind(class) == regs::GPR {
            return self.store_word(rt, offset as u32);
        }
        let (rn, off) = self.vfp_address(offset as u32)?;
        if class == regs::S {
            self.real(&Inst::VstrF32 { vd: rt, rn, off })
        } else {
            self.real(&Inst::VstrF64 { vd: rt, rn, off })
        }
    }

    fn emit_slot_copy(&mut self, from: i32, to: i32, class: RegClass) -> Result {
        for word in 0..if class == regs::D { 2 } else { 1 } {
            self.copy_word((from + 4 * word) as u32, (to + 4 * word) as u32)?;
        }
        Ok(())
    }
}

impl Emit<'_> {
    /// A word of the frame to another through `ip`; beyond the reach of an offset a second register is borrowed:
    /// ```text
    ///     push {r0}
    ///     movw r0, #from + 4 … ; ldr ip, [sp, r0]
    ///     movw r0, #to + 4 …   ; str ip, [sp, r0]
    ///     pop {r0}
    /// ```
    fn copy_word(&mut self, from: u32, to: u32) -> Result {
        if Offset12::new(to as i32).is_some() {
            self.load_word(w(IP), from)?;
            return self.store_word(IP, to);
        }
        let r0 = Reg::from_preg(regs::r(0));
        self.real(&Inst::PushOne { rt: r0 })?;
        self.constant(w(r0), from + 4)?;
        self.real(&Inst::LdrReg { rt: w(IP), rn: SP, sign: Sign::Plus, rm: r0 })?;
        self.constant(w(r0), to + 4)?;
        self.real(&Inst::StrReg { rt: IP, rn: SP, sign: Sign::Plus, rm: r0 })?;
        self.real(&Inst::PopOne { rt: w(r0) })
    }
}
