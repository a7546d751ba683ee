//! What every machine emits, in PowerPC's instructions.
//!
//! Above each expansion it is drawn as assembly. The scratch registers are those of `emit.rs`.

use super::emit::{
    CR0, Emit, R0, R11, R12, Result, SP, cr_field, displacement, ds_offset, field_number, normal_single, w,
    widen,
};
use super::fixup;
use super::imm::*;
use super::minst::{Features, INST_BYTES, Inst};
use super::pseudo::{FrameData, MInst, Transfer};
use super::regs;
use crate::compiled::CatchItem;
use crate::machinst::pseudo::{CallInfo, FrameArea, SymbolInfo, TableInfo};
use crate::machinst::{Buffer, Emitter, Label, Reg, WritableReg};
use alloc::vec::Vec;
use windlass_ir::TrapCode;
use windlass_regalloc::{PReg, RegClass, SpillSlot};

impl Emitter for Emit<'_> {
    type Inst = MInst;
    /// A condition, and the field of the condition register that it is about.
    type Cond = (Cond, Reg);

    fn buffer(&mut self) -> &mut Buffer {
        self.buf
    }

    fn spill_offset(&self, slot: SpillSlot) -> i32 {
        self.frame.spill(slot)
    }

    fn emit_prologue(&mut self) -> Result {
        self.prologue()
    }

    fn emit(&mut self, inst: &MInst, next: Option<Label>) -> Result {
        self.inst(inst, next)
    }

    fn emit_padding(&mut self, bytes: u32) -> Result {
        (0..bytes.div_ceil(INST_BYTES)).try_for_each(|_| self.real(&Inst::Nop))
    }

    fn emit_const(&mut self, rd: WritableReg, value: u64) -> Result {
        self.constant(rd, value)
    }

    /// ```text
    ///     …bits… r0 ; stw r0, n(r1) ; lfs rd, n(r1)
    /// ```
    /// or as a double, see `float64`.
    fn emit_float32(&mut self, rd: WritableReg, bits: u32) -> Result {
        if self.has(Features::POWER8) {
            return self.emit_float64(rd, widen(bits));
        }
        self.constant(w(R0), (bits as i32 as i64) as u64)?;
        self.transfer(rd, R0, Transfer::ToSingle)
    }

    /// ```text
    ///     xxlxor rd, rd, rd                        zero, with VSX
    ///     xxspltidp rd, single                     what is a single, from POWER10 on
    ///     …bits… r0 ; mtfprd rd, r0                from POWER8 on
    ///     …bits… r0 ; std r0, n(r1) ; lfd rd, n(r1)
    /// ```
    fn emit_float64(&mut self, rd: WritableReg, bits: u64) -> Result {
        let vs = rd.to_reg();
        if bits == 0 && self.has(Features::VSX) {
            return self.real(&Inst::Xxlxor { xt: rd, xa: vs, xb: vs });
        }
        if self.has(Features::POWER10)
            && let Some(single) = normal_single(bits)
        {
            return self.real(&Inst::Xxspltidp { frt: rd, single });
        }
        self.constant(w(R0), bits)?;
        if self.has(Features::POWER8) {
            return self.real(&Inst::Mtfprd { frt: rd, ra: R0 });
        }
        self.transfer(rd, R0, Transfer::ToFloat)
    }

    fn emit_symbol(&mut self, rd: WritableReg, symbol: &SymbolInfo) -> Result {
        self.symbol(rd, symbol)
    }

    /// ```text
    ///     …here… r12
    ///     lwa r11, word - .(r12)
    ///     add rd, r12, r11
    ///     b over
    ///     .long label - .                          and what `r12` is before it
    /// over:
    /// ```
    fn emit_label_addr(&mut self, rd: WritableReg, label: Label) -> Result {
        let ahead = self.here()? + 12;
        self.real(&Inst::Lwa { rt: w(R11), ra: R12, d: ds_offset(ahead) })?;
        self.real(&Inst::Add { rt: rd, ra: R12, rb: R11 })?;
        let over = self.buf.new_label();
        self.emit_branch(over)?;
        let place = self.buf.offset();
        self.buf.put_data(&fixup::word(ahead as u32, self.target.order()));
        self.buf.fixup(place, label, self.fixups().distance);
        self.buf.bind(over);
        Ok(())
    }

    /// `rd = r1 + offset`; for a slot of large alignment rounded up:
    /// ```text
    ///     addi rd, r1, offset + align - 1
    ///     clrrdi rd, rd, n
    ///     addi rd, rd, offset in the slot
    /// ```
    fn emit_frame_addr(&mut self, rd: WritableReg, area: FrameArea, offset: i32) -> Result {
        let (start, align) = self.frame.place(area, offset);
        if align == 1 {
            return self.add_offset(rd, SP, start.into());
        }
        self.add_offset(rd, SP, i64::from(start) + i64::from(align) - 1)?;
        let me = Uimm6::from_low(63 - align.trailing_zeros());
        self.real(&Inst::Rldicr { ra: rd, rs: rd.to_reg(), sh: Uimm6::ZERO, me })?;
        self.add_offset(rd, rd.to_reg(), offset.into())
    }

    fn emit_return(&mut self) -> Result {
        self.epilogue()
    }

    fn emit_call(&mut self, info: &CallInfo, items: Vec<CatchItem<Label>>) -> Result {
        self.call(info, items, None)
    }

    fn emit_tail_call(&mut self, info: &CallInfo) -> Result {
        self.tail_call(info)
    }

    /// The stack pointer is the frame's. What functions that took its arguments off the stack may have written over is made
    /// anew, the back chain, and the frame pointer, if there is one: `addi r11, r1, size ; std r11, 0(r1) ; mr r31, r1`
    fn emit_landing(&mut self) -> Result {
        self.add_offset(w(R11), SP, self.frame.size.into())?;
        self.store_near(R11, 0)?;
        if !self.frame.frame_pointer {
            return Ok(());
        }
        self.copy(w(Reg::from_preg(regs::FP)), SP)
    }

    fn emit_branch(&mut self, label: Label) -> Result {
        let (place, kind) = (self.buf.offset(), self.fixups().branch);
        self.real(&Inst::B { target: BranchOffset::ZERO })?;
        self.buf.fixup(place, label, kind);
        Ok(())
    }

    fn emit_branch_if(&mut self, (cond, cr): (Cond, Reg), to: Label) -> Result {
        self.branch_if(cond, cr, to)
    }

    fn inverse(&self, (cond, cr): (Cond, Reg)) -> (Cond, Reg) {
        (cond.invert(), cr)
    }

    /// ```text
    ///     cmplwi cr0, index, n                     or  …n… r12 ; cmplw cr0, index, r12
    ///     bge cr0, default
    ///     …here… r12
    ///     sldi r11, index, 2
    ///     addi r12, r12, table - .
    ///     lwax r11, r12, r11
    ///     add r12, r12, r11
    ///     mtctr r12
    ///     bctr
    ///     .long target0 - table …
    /// ```
    fn emit_table(&mut self, index: Reg, info: &TableInfo) -> Result {
        let n = info.targets.len() as u32;
        match Uimm16::new(n) {
            Some(ui) => self.real(&Inst::Cmplwi { bf: w(CR0), ra: index, ui })?,
            None => {
                self.constant(w(R12), n.into())?;
                self.real(&Inst::Cmplw { bf: w(CR0), ra: index, rb: R12 })?;
            }
        }
        self.branch_if(Cond::GE, CR0, info.default)?;
        let ahead = self.here()? + 24;
        let (sh, me) = (Uimm6::from_low(2), Uimm6::from_low(61));
        self.real(&Inst::Rldicr { ra: w(R11), rs: index, sh, me })?;
        self.real(&Inst::Addi { rt: w(R12), ra: R12, si: displacement(ahead) })?;
        self.real(&Inst::Lwax { rt: w(R11), ra: R12, rb: R11 })?;
        self.real(&Inst::Add { rt: w(R12), ra: R12, rb: R11 })?;
        self.real(&Inst::Mtctr { rs: R12 })?;
        self.real(&Inst::Bctr)?;
        let (table, kind) = (self.buf.offset(), self.fixups().distance);
        for label in &info.targets {
            let place = self.buf.offset();
            self.buf.put_data(&fixup::word(place.wrapping_sub(table), self.target.order()));
            self.buf.fixup(place, *label, kind);
        }
        Ok(())
    }

    /// `twi 31, r0, code`: it always traps, whatever is in the register; the immediate is for whoever catches it.
    fn emit_trap(&mut self, code: TrapCode) -> Result {
        let si = displacement(code.as_u8().into());
        self.real(&Inst::Twi { to: TrapCond::ALWAYS, ra: R0, si })
    }

    /// `mr`, `fmr`, `mcrf`
    fn emit_copy(&mut self, from: PReg, to: PReg, class: RegClass) -> Result {
        let (rd, rm) = (w(Reg::from_preg(to)), Reg::from_preg(from));
        match class {
            regs::FPR => self.real(&Inst::Fmr { frt: rd, frb: rm }),
            regs::CR => self.real(&Inst::Mcrf { bf: rd, bfa: rm }),
            _ => self.copy(rd, rm),
        }
    }

    /// ```text
    ///     ld rd, offset(r1)                        or  lfd
    ///     lwz r0, offset(r1) ; rotrwi r0, r0, 4n ; mtocrf crn, r0
    /// ```
    fn emit_reload(&mut self, to: PReg, offset: i32, class: RegClass) -> Result {
        let reg = Reg::from_preg(to);
        match class {
            regs::FPR => self.frame_load(w(reg), offset.into(), FrameData::Double),
            regs::CR => {
                let (ra, d) = self.frame_base(offset.into())?;
                self.real(&Inst::Lwz { rt: w(R0), ra, d: displacement(d) })?;
                let number = field_number(reg);
                self.rotate_word(32 - 4 * number)?;
                self.real(&Inst::Mtocrf { fxm: cr_field(number), rs: R0 })
            }
            _ => self.frame_load(w(reg), offset.into(), FrameData::Doubleword),
        }
    }

    /// The reverse. A field of the condition register is kept in the uppermost bits of a word, whichever it is:
    /// ```text
    ///     mfocrf r0, crn ; rotlwi r0, r0, 4n ; stw r0, offset(r1)
    /// ```
    fn emit_spill(&mut self, from: PReg, offset: i32, class: RegClass) -> Result {
        let reg = Reg::from_preg(from);
        match class {
            regs::FPR => self.frame_store(reg, offset.into(), FrameData::Double),
            regs::CR => {
                let number = field_number(reg);
                self.real(&Inst::Mfocrf { rt: w(R0), fxm: cr_field(number) })?;
                self.rotate_word(4 * number)?;
                let (ra, d) = self.frame_base(offset.into())?;
                self.real(&Inst::Stw { rs: R0, ra, d: displacement(d) })
            }
            _ => self.frame_store(reg, offset.into(), FrameData::Doubleword),
        }
    }

    /// `ld r0, from(r1) ; std r0, to(r1)`, or of words
    fn emit_slot_copy(&mut self, from: i32, to: i32, class: RegClass) -> Result {
        if class != regs::CR {
            self.frame_load(w(R0), from.into(), FrameData::Doubleword)?;
            return self.frame_store(R0, to.into(), FrameData::Doubleword);
        }
        let (ra, d) = self.frame_base(from.into())?;
        self.real(&Inst::Lwz { rt: w(R0), ra, d: displacement(d) })?;
        let (ra, d) = self.frame_base(to.into())?;
        self.real(&Inst::Stw { rs: R0, ra, d: displacement(d) })
    }
}
