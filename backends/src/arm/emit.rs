//! Emission: allocated ARM instructions to words.
//!
//! Above each expansion it is drawn as assembly. `ip` is the scratch register of all of them. None but `emit_table`
//! and calls touches the flags.

use super::align;
use super::atomic::Atomic;
use super::frame::Frame;
use super::imm::*;
use super::minst::{Features, Inst};
use super::pseudo::{CallInfo, CallTarget, FrameArea, MInst, TableInfo};
use super::regs;
use super::reloc;
use super::target::ArmTarget;
use crate::compiled::CatchItem;
use crate::machinst::buffer::{FixupKind, IslandInfo, PoolEntry, VeneerKind};
use crate::machinst::encode::OperandFault;
use crate::machinst::trycall::TryCallInfo;
use crate::machinst::{Buffer, EmitError, Label, Reg, Room, WritableReg};
use crate::settings::OptLevel;
use alloc::vec::Vec;
use windlass_ir::{ExternalName, TrapCode};
use windlass_regalloc::{Allocation, PReg, RegClass};

pub(super) const IP: Reg = Reg::from_preg(regs::IP);
pub(super) const SP: Reg = Reg::from_preg(regs::SP);
pub(super) const PC: Reg = Reg::from_preg(regs::PC);
pub(super) const LR: Reg = Reg::from_preg(regs::LR);

pub(super) const fn w(reg: Reg) -> WritableReg {
    WritableReg::from_reg(reg)
}

/// Reads of the program counter give the instruction's address and this.
const PC_AHEAD: u32 = 8;

// ----- Fixups -----

fn word_at(code: &[u8], place: u32) -> u32 {
    let at = place as usize;
    match code.get(at..at + 4).and_then(|bytes| bytes.first_chunk()) {
        Some(&bytes) => u32::from_le_bytes(bytes),
        None => 0,
    }
}

fn set_word(code: &mut [u8], place: u32, word: u32) {
    let at = place as usize;
    if let Some(bytes) = code.get_mut(at..at + 4) {
        bytes.copy_from_slice(&word.to_le_bytes());
    }
}

/// B, BL: 24 bits of distance in words.
static BRANCH: FixupKind = FixupKind {
    name: "branch24",
    max_forward: (1 << 25) - 4 + PC_AHEAD,
    max_backward: (1 << 25) - PC_AHEAD,
    patch: |code, place, target| {
        let distance = target.wrapping_sub(place + PC_AHEAD) as i32 >> 2;
        let word = word_at(code, place);
        set_word(code, place, word & 0xff00_0000 | distance as u32 & 0x00ff_ffff);
    },
    veneer: Some(&FAR_JUMP),
};

/// LDR (literal): 12 bits and a sign.
static LITERAL: FixupKind = FixupKind {
    name: "ldr literal",
    max_forward: 4095 + PC_AHEAD,
    max_backward: 4095 - PC_AHEAD,
    patch: |code, place, target| {
        let distance = target.wrapping_sub(place + PC_AHEAD) as i32;
        let word = word_at(code, place) & 0xff7f_f000;
        let up = if distance >= 0 { 1 << 23 } else { 0 };
        set_word(code, place, word | up | distance.unsigned_abs());
    },
    veneer: None,
};

/// VLDR (literal): 8 bits of distance in words and a sign.
static VFP_LITERAL: FixupKind = FixupKind {
    name: "vldr literal",
    max_forward: 1020 + PC_AHEAD,
    max_backward: 1020 - PC_AHEAD,
    patch: |code, place, target| {
        let distance = target.wrapping_sub(place + PC_AHEAD) as i32;
        let word = word_at(code, place) & 0xff7f_ff00;
        let up = if distance >= 0 { 1 << 23 } else { 0 };
        set_word(code, place, word | up | distance.unsigned_abs() >> 2);
    },
    veneer: None,
};

/// A word that holds a distance: its value before is added.
static DISTANCE: FixupKind = FixupKind {
    name: "distance",
    max_forward: u32::MAX,
    max_backward: u32::MAX,
    patch: |code, place, target| {
        let word = word_at(code, place);
        set_word(code, place, word.wrapping_add(target).wrapping_sub(place));
    },
    veneer: None,
};

/// ```text
///     ldr ip, [pc, #0]
///     add pc, pc, ip
///     .word target - . - 4
/// ```
static FAR_JUMP: VeneerKind = VeneerKind {
    size_bytes: 12,
    emit: |code| {
        push(code, &Inst::LdrLit { rt: w(IP), off: Offset12::ZERO });
        push(code, &Inst::Add { rd: w(PC), rn: PC, rm: IP });
        let place = code.len() as u32;
        code.extend_from_slice(&(-4i32).to_le_bytes());
        (place, &DISTANCE)
    },
    data_bytes: 4,
};

/// How to jump over an island.
pub static ISLAND: IslandInfo = IslandInfo {
    jump_bytes: 4,
    emit_jump: |code| {
        let place = code.len() as u32;
        push(code, &Inst::B { target: BranchOffset::ZERO });
        (place, &BRANCH)
    },
    max_veneer_bytes: 16,
};

/// For instructions without register operands, or with fixed ones: they cannot fail.
fn push(code: &mut Vec<u8>, inst: &Inst) {
    let word = inst.encode();
    debug_assert!(word.is_ok(), "{inst} does not encode");
    code.extend_from_slice(&word.unwrap_or(UNDEFINED).to_le_bytes());
}

/// `udf #65535`: what stands where an instruction failed to encode, which debug builds refuse.
const UNDEFINED: u32 = 0xe7ff_ffff;

/// Emission of one instruction.
pub(super) struct Emit<'a> {
    pub(super) target: &'a ArmTarget,
    pub(super) frame: &'a Frame,
    pub(super) buf: &'a mut Buffer,
}

type Result = core::result::Result<(), EmitError>;

/// The most that one instruction adds, but for tables.
const ROOM: Room = Room { bytes: 64, fixups: 2, pool_bytes: 8 };

/// The most that `inst` adds.
pub fn room(target: &ArmTarget, inst: &MInst) -> Room {
    let room = match inst {
        MInst::Real(_) | MInst::Access { .. } | MInst::Move { .. } => {
            let room = Room { bytes: 4, fixups: 0, pool_bytes: 0 };
            return align::more_room(target, room, Some(1));
        }
        MInst::Atomic(_) => Room { bytes: Atomic::MAX_BYTES, fixups: 0, pool_bytes: 0 },
        MInst::Table { info, .. } => Room { bytes: ROOM.bytes + 4 * info.targets.len() as u32, ..ROOM },
        _ => ROOM,
    };
    align::more_room(target, room, None)
}

/// The most that a move or a prologue adds.
pub fn move_room(target: &ArmTarget) -> Room {
    align::more_room(target, ROOM, None)
}

impl Emit<'_> {
    /// An instruction of the table.
    pub(super) fn real(&mut self, inst: &Inst) -> Result {
        self.check_alignment(inst)?;
        self.plain(inst)
    }

    /// An access that may trap.
    pub(super) fn access(&mut self, inst: &Inst, code: TrapCode) -> Result {
        self.check_alignment(inst)?;
        self.buf.trap_here(code);
        self.plain(inst)
    }

    /// An instruction that is no access, or one whose address is known to be aligned.
    pub(super) fn plain(&mut self, inst: &Inst) -> Result {
        let word = inst.encode()?;
        if !self.target.features().contains(inst.requires()) {
            // A rule chose a row above the target's level.
            let fault = OperandFault::AboveLevel;
            return Err(EmitError { inst: inst.name(), operand: "all", fault });
        }
        self.buf.put4(word.to_le_bytes());
        Ok(())
    }

    pub(super) fn inst(&mut self, inst: &MInst, next: Option<Label>) -> Result {
        match inst {
            MInst::Real(inst) => self.real(inst),
            MInst::Access { inst, code } => self.access(inst, *code),
            MInst::Move { rd, rm } => self.copy(*rd, *rm),
            MInst::Const { rd, value } => self.constant(*rd, *value),
            MInst::Float32 { rd, bits } => self.float32(*rd, *bits),
            MInst::Float64 { rd, bits } => self.float64(*rd, *bits),
            MInst::Symbol { rd, symbol } => self.symbol(*rd, &symbol.0, symbol.1),
            MInst::ThreadOffset { rd, symbol } => {
                let (symbol, addend) = (symbol.0.clone(), symbol.1.into());
                self.literal(*rd, PoolEntry::Reloc { kind: reloc::TLS_LE32, symbol, addend })
            }
            MInst::ThreadIndex { rd, symbol } => self.thread_index(*rd, symbol),
            MInst::FrameAddr { rd, area, offset } => self.frame_addr(*rd, *area, *offset),
            MInst::FrameLoad { rd, area, offset } => {
                let offset = self.frame.area(*area).0.wrapping_add_signed(*offset);
                let preg = rd.to_reg().as_preg().unwrap_or(regs::IP);
                self.reload(preg, offset, regs::class_of(preg))
            }
            MInst::FrameStore { rt, area, offset } => {
                let offset = self.frame.area(*area).0.wrapping_add_signed(*offset);
                let preg = rt.as_preg().unwrap_or(regs::IP);
                self.spill(preg, offset, regs::class_of(preg))
            }
            MInst::Args { .. } => Ok(()),
            MInst::Return { .. } => self.epilogue(),
            MInst::Call(info) => self.call(info, Vec::new()),
            MInst::TryCall(info) => self.try_call(info, next),
            MInst::Landing { .. } => self.landing(),
            MInst::LabelAddr { rd, label } => self.label_addr(*rd, *label),
            MInst::TailCall(info) => self.tail_call(info),
            MInst::KernelCall { helper, .. } => self.kernel_helper(*helper),
            MInst::Atomic(atomic) => self.atomic(atomic),
            MInst::Barrier => self.barrier(),
            MInst::Jump { to } => self.jump(*to, next),
            MInst::CondJump { cond, then, other } => self.cond_jump(*cond, *then, *other, next),
            MInst::Table { index, info } => self.table(*index, info),
            MInst::TrapIf { cond, code } => {
                let label = self.buf.deferred_trap(*code);
                self.branch_if(*cond, label)
            }
            MInst::Trap { code } => {
                self.buf.trap_here(*code);
                self.real(&udf(*code))
            }
        }
    }

    /// `mov rd, rm`, unless they are the same.
    pub(super) fn copy(&mut self, rd: WritableReg, rm: Reg) -> Result {
        if rd.to_reg() == rm {
            return Ok(());
        }
        self.real(&Inst::Mov { rd, rm })
    }

    /// The shortest of
    /// ```text
    ///     mov rd, #imm
    ///     mvn rd, #imm
    ///     movw rd, #low
    ///     mov rd, #imm1 ; orr rd, rd, #imm2
    ///     ldr rd, [pc, #pool]      when small code is wanted, and before ARMv6T2
    ///     movw rd, #low ; movt rd, #high
    /// ```
    pub(super) fn constant(&mut self, rd: WritableReg, value: u32) -> Result {
        if let Some(imm) = ArmImm::encode(value) {
            return self.real(&Inst::MovImm { rd, imm });
        }
        if let Some(imm) = ArmImm::encode(!value) {
            return self.real(&Inst::MvnImm { rd, imm });
        }
        let (low, high) = halves(value);
        let has_movw = self.target.features().contains(Features::V6T2);
        if has_movw && high.value() == 0 {
            return self.real(&Inst::Movw { rd, imm: low });
        }
        if let Some((first, second)) = two_immediates(value) {
            self.real(&Inst::MovImm { rd, imm: first })?;
            return self.real(&Inst::OrrImm { rd, rn: rd.to_reg(), imm: second });
        }
        if !has_movw || self.target.settings.opt_level == OptLevel::Size {
            return self.literal(rd, PoolEntry::Bytes { bits: value.into(), size: 4 });
        }
        self.real(&Inst::Movw { rd, imm: low })?;
        self.real(&Inst::Movt { rd, rd_in: rd.to_reg(), imm: high })
    }

    /// `ldr rd, [pc, #pool]`
    fn literal(&mut self, rd: WritableReg, entry: PoolEntry) -> Result {
        let label = self.buf.pool_constant(entry);
        let place = self.buf.offset();
        self.real(&Inst::LdrLit { rt: rd, off: Offset12::ZERO })?;
        self.buf.fixup(place, label, &LITERAL);
        Ok(())
    }

    /// `vmov.f32 sd, #imm` or `vldr sd, [pc, #pool]`
    fn float32(&mut self, vd: WritableReg, bits: u32) -> Result {
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
    fn float64(&mut self, vd: WritableReg, bits: u64) -> Result {
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

    /// One of
    /// ```text
    ///     ldr rd, [pc, #pool]      when small code is wanted
    ///     movw rd, #:lower16:symbol ; movt rd, #:upper16:symbol
    /// ```
    /// The addend of a MOVW/MOVT pair has 16 bits in objects of REL type: larger ones are added.
    pub(super) fn symbol(&mut self, rd: WritableReg, symbol: &ExternalName, offset: i32) -> Result {
        let in_place = if i16::try_from(offset).is_ok() { offset } else { 0 };
        let has_movw = self.target.features().contains(Features::V6T2);
        if !has_movw || self.target.settings.opt_level == OptLevel::Size {
            let entry =
                PoolEntry::Reloc { kind: reloc::ABS32, symbol: symbol.clone(), addend: in_place.into() };
            self.literal(rd, entry)?;
        } else {
            let place = self.buf.offset();
            let zero = halves(0).0;
            self.buf.reloc_at(place, reloc::MOVW_ABS_NC, symbol.clone(), in_place.into());
            self.real(&Inst::Movw { rd, imm: zero })?;
            self.buf.reloc_at(place + 4, reloc::MOVT_ABS, symbol.clone(), in_place.into());
            self.real(&Inst::Movt { rd, rd_in: rd.to_reg(), imm: zero })?;
        }
        if in_place != offset {
            self.constant(w(IP), offset as u32)?;
            self.real(&Inst::Add { rd, rn: rd.to_reg(), rm: IP })?;
        }
        Ok(())
    }

    /// ```text
    ///     ldr rd, [pc, #pool]      index - (. + 4 + 8)
    ///     add rd, pc, rd
    /// ```
    fn thread_index(&mut self, rd: WritableReg, symbol: &ExternalName) -> Result {
        let from = self.buf.offset() + 4 + PC_AHEAD;
        self.literal(rd, PoolEntry::Distance { kind: reloc::TLS_GD32, symbol: symbol.clone(), from })?;
        self.real(&Inst::Add { rd, rn: PC, rm: rd.to_reg() })
    }

    /// `rd = sp + offset`
    pub(super) fn sp_offset(&mut self, rd: WritableReg, offset: u32) -> Result {
        self.add_offset(rd, SP, offset)
    }

    /// `rd = rn + offset`:
    /// ```text
    ///     add rd, rn, #imm
    ///     sub rd, rn, #imm
    ///     add rd, rn, #imm1 ; add rd, rd, #imm2
    ///     movw ip, #low ; movt ip, #high ; add rd, rn, ip
    /// ```
    pub(super) fn add_offset(&mut self, rd: WritableReg, rn: Reg, offset: u32) -> Result {
        if offset == 0 {
            return self.copy(rd, rn);
        }
        if let Some(imm) = ArmImm::encode(offset) {
            return self.real(&Inst::AddImm { rd, rn, imm });
        }
        if let Some(imm) = ArmImm::encode(offset.wrapping_neg()) {
            return self.real(&Inst::SubImm { rd, rn, imm });
        }
        if let Some((first, second)) = two_immediates(offset) {
            self.real(&Inst::AddImm { rd, rn, imm: first })?;
            return self.real(&Inst::AddImm { rd, rn: rd.to_reg(), imm: second });
        }
        self.constant(w(IP), offset)?;
        self.real(&Inst::Add { rd, rn, rm: IP })
    }

    /// `add rd, sp, #offset`; for a slot of large alignment rounded up:
    /// ```text
    ///     add rd, sp, #offset + align - 1
    ///     bic rd, rd, #align - 1   (or  lsr rd, rd, #n ; lsl rd, rd, #n)
    ///     add rd, rd, #offset in the slot
    /// ```
    fn frame_addr(&mut self, rd: WritableReg, area: FrameArea, offset: i32) -> Result {
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

    /// ```text
    ///     ldr rd, [sp, #offset]
    ///     movw ip, #low ; movt ip, #high ; ldr rd, [sp, ip]
    /// ```
    pub(super) fn load_word(&mut self, rd: WritableReg, offset: u32) -> Result {
        match Offset12::new(offset as i32) {
            Some(off) => self.real(&Inst::LdrImm { rt: rd, rn: SP, off }),
            None => {
                self.constant(w(IP), offset)?;
                self.real(&Inst::LdrReg { rt: rd, rn: SP, sign: Sign::Plus, rm: IP })
            }
        }
    }

    /// Like `load_word`.
    pub(super) fn store_word(&mut self, rt: Reg, offset: u32) -> Result {
        match Offset12::new(offset as i32) {
            Some(off) => self.real(&Inst::StrImm { rt, rn: SP, off }),
            None => {
                self.constant(w(IP), offset)?;
                self.real(&Inst::StrReg { rt, rn: SP, sign: Sign::Plus, rm: IP })
            }
        }
    }

    /// The frame goes, but for the callee's arguments, which lie where its caller's caller expects to have them taken off.
    /// ```text
    ///     mov ip, callee               of a call through a register
    ///     add sp, sp, #local ; …       see take_down
    ///     b symbol                     or  bx ip  or  ldr pc, [base, #offset]
    /// ```
    fn tail_call(&mut self, info: &CallInfo) -> Result {
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

    /// `bl symbol`, `blx reg` or `ldr ip, [base, #offset] ; blx ip`, and where the callee took its arguments off `sub sp, sp, #popped`
    fn call(&mut self, info: &CallInfo, items: Vec<CatchItem<Label>>) -> Result {
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

    /// What the embedder wants in front of a call, which is one instruction:
    /// ```text
    ///     mov r0, r0                   as often as the return address is to be moved
    ///     b call ; .word data
    /// call:
    /// ```
    fn before_call(&mut self) -> Result {
        let before = self.buf.before_call(&self.target.settings.runtime, 4, 4);
        let r0 = Reg::from_preg(regs::r(0));
        for _ in 0..before.padding_bytes / 4 {
            self.real(&Inst::Mov { rd: w(r0), rm: r0 })?;
        }
        if let Some(word) = before.word {
            self.real(&Inst::B { target: known!(BranchOffset::new(8)) })?;
            self.buf.put_data(&word.to_le_bytes());
        }
        Ok(())
    }

    /// `ldr rt, [base, #offset]`
    fn load_callee(&mut self, rt: Reg, base: PReg, offset: i32, code: Option<TrapCode>) -> Result {
        let fault = OperandFault::NotAllowed;
        let off = Offset12::new(offset).ok_or(EmitError { inst: "Call", operand: "offset", fault })?;
        if let Some(code) = code {
            self.buf.trap_here(code);
        }
        self.real(&Inst::LdrImm { rt: w(rt), rn: Reg::from_preg(base), off })
    }

    /// The call, and `b normal` unless that comes next.
    fn try_call(&mut self, info: &TryCallInfo, next: Option<Label>) -> Result {
        let items = info.items(|slot| self.frame.spill(slot))?;
        self.call(&info.call, items)?;
        self.jump(info.then.normal, next)
    }

    /// The stack pointer is the frame's; the frame pointer, if there is one, is made anew:
    /// `add fp, sp, #record`
    fn landing(&mut self) -> Result {
        if !self.target.settings.preserve_frame_pointers {
            return Ok(());
        }
        let (record, _) = self.frame.area(FrameArea::Record);
        self.add_offset(w(Reg::from_preg(regs::FP)), SP, record)
    }

    /// ```text
    ///     ldr rd, [pc, #4]
    ///     add rd, pc, rd
    ///     b over
    ///     .word label - . + 4       what `pc` reads as is two words ahead of the `add`
    /// over:
    /// ```
    fn label_addr(&mut self, rd: WritableReg, label: Label) -> Result {
        if let Some(off) = Offset12::new(4) {
            self.real(&Inst::LdrLit { rt: rd, off })?;
        }
        let base = self.buf.offset() + PC_AHEAD;
        self.real(&Inst::Add { rd, rn: PC, rm: rd.to_reg() })?;
        let over = self.buf.new_label();
        self.branch_to(over)?;
        let place = self.buf.offset();
        self.buf.put_data(&(place.wrapping_sub(base)).to_le_bytes());
        self.buf.fixup(place, label, &DISTANCE);
        self.buf.bind(over);
        Ok(())
    }

    fn branch_to(&mut self, label: Label) -> Result {
        let place = self.buf.offset();
        self.real(&Inst::B { target: BranchOffset::ZERO })?;
        self.buf.fixup(place, label, &BRANCH);
        Ok(())
    }

    pub(super) fn branch_if(&mut self, cond: Cond, label: Label) -> Result {
        let place = self.buf.offset();
        self.real(&Inst::BCc { cond, target: BranchOffset::ZERO })?;
        self.buf.fixup(place, label, &BRANCH);
        Ok(())
    }

    /// `b to`, unless it comes next.
    fn jump(&mut self, to: Label, next: Option<Label>) -> Result {
        if Some(to) == next { Ok(()) } else { self.branch_to(to) }
    }

    /// ```text
    ///     bcond then ; b other      one or both of which may come next
    /// ```
    fn cond_jump(&mut self, cond: Cond, then: Label, other: Label, next: Option<Label>) -> Result {
        if then == other {
            return self.jump(then, next);
        }
        if Some(then) == next {
            return self.branch_if(cond.invert(), other);
        }
        self.branch_if(cond, then)?;
        self.jump(other, next)
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
    fn table(&mut self, index: Reg, info: &TableInfo) -> Result {
        let n = info.targets.len() as u32;
        if n == 0 {
            return self.branch_to(info.default);
        }
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

    // ----- Moves of the allocator -----

    pub(super) fn alloc_move(&mut self, from: Allocation, to: Allocation, class: RegClass) -> Result {
        match (from, to) {
            (Allocation::Reg(from), Allocation::Reg(to)) => self.reg_move(from, to, class),
            (Allocation::Slot(slot), Allocation::Reg(to)) => {
                let offset = self.frame.spill(slot);
                self.reload(to, offset, class)
            }
            (Allocation::Reg(from), Allocation::Slot(slot)) => {
                let offset = self.frame.spill(slot);
                self.spill(from, offset, class)
            }
            (Allocation::Slot(from), Allocation::Slot(to)) => {
                let (from, to) = (self.frame.spill(from), self.frame.spill(to));
                for word in 0..if class == regs::D { 2 } else { 1 } {
                    self.copy_word(from + 4 * word, to + 4 * word)?;
                }
                Ok(())
            }
            _ => Ok(()),
        }
    }

    fn reg_move(&mut self, from: PReg, to: PReg, class: RegClass) -> Result {
        if from == to {
            return Ok(());
        }
        let (rd, rm) = (w(Reg::from_preg(to)), Reg::from_preg(from));
        match class {
            regs::S => self.real(&Inst::VmovF32 { vd: rd, vm: rm }),
            regs::D => self.real(&Inst::VmovF64 { vd: rd, vm: rm }),
            _ => self.real(&Inst::Mov { rd, rm }),
        }
    }

    fn reload(&mut self, to: PReg, offset: u32, class: RegClass) -> Result {
        let rd = w(Reg::from_preg(to));
        if regs::kind(class) == regs::GPR {
            return self.load_word(rd, offset);
        }
        let (rn, off) = self.vfp_address(offset)?;
        if class == regs::S {
            self.real(&Inst::VldrF32 { vd: rd, rn, off })
        } else {
            self.real(&Inst::VldrF64 { vd: rd, rn, off })
        }
    }

    fn spill(&mut self, from: PReg, offset: u32, class: RegClass) -> Result {
        let rt = Reg::from_preg(from);
        if regs::kind(class) == regs::GPR {
            return self.store_word(rt, offset);
        }
        let (rn, off) = self.vfp_address(offset)?;
        if class == regs::S {
            self.real(&Inst::VstrF32 { vd: rt, rn, off })
        } else {
            self.real(&Inst::VstrF64 { vd: rt, rn, off })
        }
    }

    /// A base and an offset that VLDR and VSTR can have: `sp`, or `add ip, sp, …`.
    fn vfp_address(&mut self, offset: u32) -> core::result::Result<(Reg, VfpOffset), EmitError> {
        match VfpOffset::new(offset as i32) {
            Some(off) => Ok((SP, off)),
            None => {
                self.add_offset(w(IP), SP, offset)?;
                Ok((IP, VfpOffset::ZERO))
            }
        }
    }

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

/// Two modified immediates whose sum and whose union is `value`: its lowest eight bits at an even position, and the
/// rest.
fn two_immediates(value: u32) -> Option<(ArmImm, ArmImm)> {
    let low = value & (0xff << (value.trailing_zeros().min(30) & !1));
    Some((ArmImm::encode(low)?, ArmImm::encode(value - low)?))
}

/// `bytes` as a sum of modified immediates, at most four.
pub(super) fn chunks(bytes: u32) -> impl Iterator<Item = ArmImm> {
    let mut rest = bytes;
    core::iter::from_fn(move || {
        let low = rest & 0xff_u32.wrapping_shl(rest.trailing_zeros() & !1);
        rest -= low;
        ArmImm::encode(low).filter(|_| low != 0)
    })
}

/// The low and the high 16 bits.
fn halves(value: u32) -> (Imm16, Imm16) {
    match (Imm16::new(value & 0xffff), Imm16::new(value >> 16)) {
        (Some(low), Some(high)) => (low, high),
        _ => unreachable!("16 bits fit in 16 bits"),
    }
}

/// The instruction that traps with `code`, which is its payload.
pub fn udf(code: TrapCode) -> Inst {
    match TrapCode16::new(code.as_u8().into()) {
        Some(code) => Inst::Udf { code },
        None => unreachable!("8 bits fit in 16 bits"),
    }
}
