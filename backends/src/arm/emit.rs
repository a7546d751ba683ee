//! Emission: allocated ARM instructions to words.
//!
//! Above each expansion it is drawn as assembly. `ip` is the scratch register of all of them. None but `emit_table`
//! and calls touches the flags.

use super::align;
use super::atomic::Atomic;
use super::frame::Frame;
use super::imm::*;
use super::minst::{Features, Inst};
use super::pseudo::MInst;
use super::regs;
use super::reloc;
use super::target::ArmTarget;
use crate::machinst::buffer::{FixupKind, IslandInfo, PoolEntry, VeneerKind};
use crate::machinst::encode::OperandFault;
use crate::machinst::pseudo::Common;
use crate::machinst::{Buffer, EmitError, EmitResult, Emitter, Label, Reg, Room, WritableReg};
use crate::settings::OptLevel;
use alloc::vec::Vec;
use windlass_ir::{ExternalName, TrapCode};
use windlass_regalloc::PReg;

pub(super) const IP: Reg = Reg::from_preg(regs::IP);
pub(super) const SP: Reg = Reg::from_preg(regs::SP);
pub(super) const PC: Reg = Reg::from_preg(regs::PC);
pub(super) const LR: Reg = Reg::from_preg(regs::LR);

pub(super) const fn w(reg: Reg) -> WritableReg {
    WritableReg::from_reg(reg)
}

/// Reads of the program counter give the instruction's address and this.
pub(super) const PC_AHEAD: u32 = 8;

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
pub(super) static BRANCH: FixupKind = FixupKind {
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
pub(super) static VFP_LITERAL: FixupKind = FixupKind {
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
pub(super) static DISTANCE: FixupKind = FixupKind {
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

pub(super) type Result = EmitResult;

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
        MInst::Common(Common::Table { info, .. }) => {
            Room { bytes: ROOM.bytes + 4 * info.targets.len() as u32, ..ROOM }
        }
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
            MInst::Common(inst) => self.common(inst, next),
            MInst::ThreadOffset { rd, symbol } => {
                let (symbol, addend) = (symbol.0.clone(), symbol.1.into());
                self.literal(*rd, PoolEntry::Reloc { kind: reloc::TLS_LE32, symbol, addend })
            }
            MInst::ThreadIndex { rd, symbol } => self.thread_index(*rd, symbol),
            MInst::FrameLoad { rd, area, offset } => {
                let offset = self.frame.area(*area).0.wrapping_add_signed(*offset);
                let preg = rd.to_reg().as_preg().unwrap_or(regs::IP);
                self.emit_reload(preg, offset as i32, regs::class_of(preg))
            }
            MInst::FrameStore { rt, area, offset } => {
                let offset = self.frame.area(*area).0.wrapping_add_signed(*offset);
                let preg = rt.as_preg().unwrap_or(regs::IP);
                self.emit_spill(preg, offset as i32, regs::class_of(preg))
            }
            MInst::KernelCall { helper, .. } => self.kernel_helper(*helper),
            MInst::Atomic(atomic) => self.atomic(atomic),
            MInst::Barrier => self.barrier(),
            MInst::CondJump { cond, then, other } => self.cond_jump(*cond, *then, *other, next),
            MInst::TrapIf { cond, code } => self.trap_if(*cond, *code),
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

    /// What the embedder wants in front of a call, which is one instruction:
    /// ```text
    ///     mov r0, r0                   as often as the return address is to be moved
    ///     b call ; .word data
    /// call:
    /// ```
    pub(super) fn before_call(&mut self) -> Result {
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
    pub(super) fn load_callee(&mut self, rt: Reg, base: PReg, offset: i32, code: Option<TrapCode>) -> Result {
        let fault = OperandFault::NotAllowed;
        let off = Offset12::new(offset).ok_or(EmitError { inst: "Call", operand: "offset", fault })?;
        if let Some(code) = code {
            self.buf.trap_here(code);
        }
        self.real(&Inst::LdrImm { rt: w(rt), rn: Reg::from_preg(base), off })
    }

    pub(super) fn branch_if(&mut self, cond: Cond, label: Label) -> Result {
        let place = self.buf.offset();
        self.real(&Inst::BCc { cond, target: BranchOffset::ZERO })?;
        self.buf.fixup(place, label, &BRANCH);
        Ok(())
    }

    /// A base and an offset that VLDR and VSTR can have: `sp`, or `add ip, sp, …`.
    pub(super) fn vfp_address(&mut self, offset: u32) -> core::result::Result<(Reg, VfpOffset), EmitError> {
        match VfpOffset::new(offset as i32) {
            Some(off) => Ok((SP, off)),
            None => {
                self.add_offset(w(IP), SP, offset)?;
                Ok((IP, VfpOffset::ZERO))
            }
        }
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
