//! Emission: allocated PowerPC instructions to words.
//!
//! Above each expansion it is drawn as assembly. `r0` and `r12` are the scratch registers of all of them, and `r11` that of
//! those that are not moves of the allocator's; the 8 bytes below the frame are scratch memory (both ABIs keep
//! 288 bytes below the stack pointer from being written over by others). None but calls touches the carry.

use super::atomic::Atomic;
use super::constant;
use super::fixup::{self, Fixups};
use super::frame::Frame;
use super::imm::*;
use super::minst::{Features, Inst, word_bytes};
use super::pseudo::{FrameData, MInst, Transfer};
use super::regs;
use super::reloc;
use super::target::Ppc64Target;
use crate::machinst::buffer::IslandInfo;
use crate::machinst::encode::OperandFault;
use crate::machinst::pseudo::{Common, FrameArea, SymbolInfo};
use crate::machinst::{Buffer, EmitError, EmitResult, Emitter, Label, Reg, Room, WritableReg};
use windlass_ir::{Endianness, ExternalName};

/// Scratch register; where an address is made it reads as zero.
pub(super) const R0: Reg = Reg::from_preg(regs::ZERO);
/// Scratch register, not in moves of the allocator's.
pub(super) const R11: Reg = Reg::from_preg(regs::SCRATCH);
/// Scratch register.
pub(super) const R12: Reg = Reg::from_preg(regs::ENTRY);
pub(super) const SP: Reg = Reg::from_preg(regs::SP);
pub(super) const TOC: Reg = Reg::from_preg(regs::TOC);
pub(super) const CR0: Reg = Reg::from_preg(regs::cr(0));

pub(super) const fn w(reg: Reg) -> WritableReg {
    WritableReg::from_reg(reg)
}

/// Emission of one instruction.
pub(super) struct Emit<'a> {
    pub(super) target: &'a Ppc64Target,
    pub(super) frame: &'a Frame,
    pub(super) buf: &'a mut Buffer,
}

pub(super) type Result = EmitResult;

/// The most that one instruction adds, but for tables, calls and returns.
const ROOM: Room = Room { bytes: 64, fixups: 2, pool_bytes: 0 };
/// A call through an address of five instructions, with data and padding in front of the branch.
const CALL_ROOM: Room = Room { bytes: 128, fixups: 1, pool_bytes: 0 };
/// With all registers to save or to restore.
const FRAME_ROOM: Room = Room { bytes: 352, fixups: 1, pool_bytes: 0 };

/// The most that `inst` adds.
pub fn room(inst: &MInst) -> Room {
    match inst {
        // A prefix may have to be pushed over a multiple of 64.
        MInst::Real(_) | MInst::Access { .. } => Room { bytes: 12, fixups: 0, pool_bytes: 0 },
        MInst::Move { .. } => Room { bytes: 4, fixups: 0, pool_bytes: 0 },
        MInst::Atomic(_) => Room { bytes: Atomic::MAX_BYTES, fixups: 0, pool_bytes: 0 },
        MInst::Common(Common::Return { .. } | Common::TailCall(_)) => FRAME_ROOM,
        MInst::Common(Common::Call(_) | Common::TryCall(_)) | MInst::ThreadCall(_) => CALL_ROOM,
        MInst::Common(Common::Table { info, .. }) => {
            Room { bytes: ROOM.bytes + 4 * info.targets.len() as u32, ..ROOM }
        }
        _ => ROOM,
    }
}

/// The most that a move adds.
pub const MOVE_ROOM: Room = ROOM;
/// The most that a prologue adds: two growths with probes among it.
pub const PROLOGUE_ROOM: Room = Room { bytes: FRAME_ROOM.bytes + 96, ..FRAME_ROOM };

/// How to jump over an island.
pub fn island(order: Endianness) -> &'static IslandInfo {
    fixup::of(order).island
}

impl Emit<'_> {
    pub(super) fn real(&mut self, inst: &Inst) -> Result {
        let word = inst.encode()?;
        if !self.target.features().contains(inst.requires()) {
            // A rule chose a row above the target's level.
            let fault = OperandFault::AboveLevel;
            return Err(EmitError { inst: inst.name(), operand: "all", fault });
        }
        if inst.size() == 8 {
            self.before_prefix()?;
        }
        let (bytes, size) = word_bytes(word, inst.size(), self.target.order());
        for four in bytes[..size].chunks_exact(4) {
            self.buf.put4([four[0], four[1], four[2], four[3]]);
        }
        Ok(())
    }

    /// No instruction with a prefix crosses a multiple of 64 bytes (1.6).
    pub(super) fn before_prefix(&mut self) -> Result {
        if self.buf.offset() % 64 == 60 { self.real(&Inst::Nop) } else { Ok(()) }
    }

    pub(super) fn has(&self, features: Features) -> bool {
        self.target.features().contains(features)
    }

    pub(super) fn fixups(&self) -> &'static Fixups {
        fixup::of(self.target.order())
    }

    pub(super) fn inst(&mut self, inst: &MInst, next: Option<Label>) -> Result {
        match inst {
            MInst::Real(inst) => self.real(inst),
            MInst::Access { inst, code } => {
                if inst.size() == 8 {
                    self.before_prefix()?;
                }
                self.buf.trap_here(*code);
                self.real(inst)
            }
            MInst::Move { rd, rm } => self.copy(*rd, *rm),
            MInst::Common(inst) => self.common(inst, next),
            MInst::Placed(placed) => self.placed(placed),
            MInst::FrameLoad { rd, area, offset, data } => {
                let offset = self.frame_offset(*area, *offset);
                self.frame_load(*rd, offset, *data)
            }
            MInst::FrameStore { rt, area, offset, data } => {
                let offset = self.frame_offset(*area, *offset);
                self.frame_store(*rt, offset, *data)
            }
            MInst::Transfer { rd, rm, kind } => self.transfer(*rd, *rm, *kind),
            MInst::SetIf { rd, cond, cr } => self.set_if(*rd, *cond, *cr),
            MInst::Select { rd, cond, cr, new, .. } => self.select(*rd, *cond, *cr, *new),
            MInst::ThreadAddr { rd, symbol } => self.thread_addr(*rd, &symbol.0, symbol.1),
            MInst::ThreadCall(info) => self.thread_call(info),
            MInst::Atomic(atomic) => self.atomic(atomic),
            MInst::CondJump { cond, cr, then, other } => self.cond_jump((*cond, *cr), *then, *other, next),
            MInst::TrapIf { cond, cr, code } => self.trap_if((*cond, *cr), *code),
        }
    }

    /// `mr rd, rs`, unless they are the same.
    pub(super) fn copy(&mut self, rd: WritableReg, rs: Reg) -> Result {
        if rd.to_reg() == rs {
            return Ok(());
        }
        self.real(&Inst::Or { ra: rd, rs, rb: rs })
    }

    // ----- Constants -----

    /// A number in a register, see [`constant`].
    pub(super) fn constant(&mut self, rd: WritableReg, value: u64) -> Result {
        let all = constant::steps(value, self.has(Features::POWER10));
        all.iter().try_for_each(|step| self.real(&step.inst(rd)))
    }

    /// `sldi rd, rd, n`
    pub(super) fn shift_left(&mut self, rd: WritableReg, n: u32) -> Result {
        let (sh, me) = (Uimm6::from_low(n), Uimm6::from_low(63 - n));
        self.real(&Inst::Rldicr { ra: rd, rs: rd.to_reg(), sh, me })
    }

    /// ```text
    ///     std rm, n(r1) ; lfd rd, n(r1)          or the reverse, or of words
    /// ```
    pub(super) fn transfer(&mut self, rd: WritableReg, rm: Reg, kind: Transfer) -> Result {
        let below = i64::from(self.frame.scratch_offset());
        let (d, ds) = (displacement(below), ds_offset(below));
        match kind {
            Transfer::ToFloat => {
                self.real(&Inst::Std { rs: rm, ra: SP, d: ds })?;
                self.real(&Inst::Lfd { frt: rd, ra: SP, d })
            }
            Transfer::FromFloat => {
                self.real(&Inst::Stfd { frs: rm, ra: SP, d })?;
                self.real(&Inst::Ld { rt: rd, ra: SP, d: ds })
            }
            Transfer::ToSingle => {
                self.real(&Inst::Stw { rs: rm, ra: SP, d })?;
                self.real(&Inst::Lfs { frt: rd, ra: SP, d })
            }
            Transfer::FromSingle => {
                self.real(&Inst::Stfs { frs: rm, ra: SP, d })?;
                self.real(&Inst::Lwz { rt: rd, ra: SP, d })
            }
        }
    }

    // ----- Addresses -----

    /// The place of a relocation of 16 bits in the instruction that comes next.
    pub(super) fn half_reloc(&mut self, kind: crate::reloc::RelocKind, symbol: &ExternalName, addend: i64) {
        let place = self.buf.offset() + reloc::half_offset(self.target.order());
        self.buf.reloc_at(place, kind, symbol.clone(), addend);
    }

    /// Of the same module, and of others by a word in the table of contents:
    /// ```text
    ///     addis rd, r2, symbol@toc@ha ; addi rd, rd, symbol@toc@l
    ///     addis rd, r2, symbol@got@ha ; ld rd, symbol@got@l(rd)      and the offset added
    ///     paddi rd, 0, symbol@pcrel, 1 ; or pld rd, symbol@got@pcrel       from POWER10 on
    /// ```
    pub(super) fn symbol(&mut self, rd: WritableReg, symbol: &SymbolInfo) -> Result {
        let ra = rd.to_reg();
        let SymbolInfo { name, offset, colocated } = symbol;
        if self.target.toc_free() {
            return self.absolute(rd, name, *offset);
        }
        let in_place = *colocated && i32::try_from(*offset).is_ok();
        if self.target.pc_relative() {
            self.before_prefix()?;
            let (kind, addend) = if in_place { (reloc::PCREL34, *offset) } else { (reloc::GOT_PCREL34, 0) };
            self.buf.reloc_at(self.buf.offset(), kind, name.clone(), addend);
            if in_place {
                return self.real(&Inst::Pla { rt: rd, si: Simm34::ZERO });
            }
            self.real(&Inst::PldPc { rt: rd, d: Simm34::ZERO })?;
            return self.add_offset(rd, ra, *offset);
        }
        let (high, low) =
            if in_place { (reloc::TOC16_HA, reloc::TOC16_LO) } else { (reloc::GOT16_HA, reloc::GOT16_LO_DS) };
        let addend = if in_place { *offset } else { 0 };
        self.half_reloc(high, name, addend);
        self.real(&Inst::Addis { rt: rd, ra: TOC, si: Simm16::ZERO })?;
        self.half_reloc(low, name, addend);
        if in_place {
            return self.real(&Inst::Addi { rt: rd, ra, si: Simm16::ZERO });
        }
        self.real(&Inst::Ld { rt: rd, ra, d: DsOffset::ZERO })?;
        self.add_offset(rd, ra, *offset)
    }

    /// A symbol's address, whatever it is:
    /// ```text
    ///     lis rd, symbol@highest ; ori rd, rd, symbol@higher ; sldi rd, rd, 32
    ///     oris rd, rd, symbol@high ; ori rd, rd, symbol@l
    /// ```
    pub(super) fn absolute(&mut self, rd: WritableReg, symbol: &ExternalName, offset: i64) -> Result {
        let (rs, ui) = (rd.to_reg(), Uimm16::ZERO);
        self.half_reloc(reloc::ADDR16_HIGHEST, symbol, offset);
        self.real(&Inst::Lis { rt: rd, si: Simm16::ZERO })?;
        self.half_reloc(reloc::ADDR16_HIGHER, symbol, offset);
        self.real(&Inst::Ori { ra: rd, rs, ui })?;
        self.shift_left(rd, 32)?;
        self.half_reloc(reloc::ADDR16_HIGH, symbol, offset);
        self.real(&Inst::Oris { ra: rd, rs, ui })?;
        self.half_reloc(reloc::ADDR16_LO, symbol, offset);
        self.real(&Inst::Ori { ra: rd, rs, ui })
    }

    /// `rd = ra + offset`, which may be `r12` but not `r0`:
    /// ```text
    ///     addi rd, ra, offset
    ///     addis rd, ra, high ; addi rd, rd, low
    ///     …offset… r0 ; add rd, ra, r0
    /// ```
    pub(super) fn add_offset(&mut self, rd: WritableReg, ra: Reg, offset: i64) -> Result {
        if offset == 0 {
            return self.copy(rd, ra);
        }
        if let Some(si) = Simm16::new(offset) {
            return self.real(&Inst::Addi { rt: rd, ra, si });
        }
        let (high, low) = high_low(offset);
        if let Some(si) = high {
            self.real(&Inst::Addis { rt: rd, ra, si })?;
            if low == Simm16::ZERO {
                return Ok(());
            }
            return self.real(&Inst::Addi { rt: rd, ra: rd.to_reg(), si: low });
        }
        self.constant(w(R0), offset as u64)?;
        self.real(&Inst::Add { rt: rd, ra, rb: R0 })
    }

    /// The offset from the stack pointer of a place in an argument area.
    fn frame_offset(&self, area: FrameArea, offset: i32) -> i64 {
        self.frame.place(area, offset).0.into()
    }

    /// A base and a displacement that is a multiple of 4 if `offset` is: `r1`, or
    /// ```text
    ///     addis r12, r1, high
    /// ```
    pub(super) fn frame_base(&mut self, offset: i64) -> core::result::Result<(Reg, i64), EmitError> {
        if Simm16::new(offset).is_some() {
            return Ok((SP, offset));
        }
        let (high, low) = high_low(offset);
        match high {
            Some(si) => {
                self.real(&Inst::Addis { rt: w(R12), ra: SP, si })?;
                Ok((R12, low.value()))
            }
            None => {
                self.add_offset(w(R12), SP, offset)?;
                Ok((R12, 0))
            }
        }
    }

    pub(super) fn frame_load(&mut self, rd: WritableReg, offset: i64, data: FrameData) -> Result {
        let (ra, d) = self.frame_base(offset)?;
        self.real(&match data {
            FrameData::Doubleword => Inst::Ld { rt: rd, ra, d: ds_offset(d) },
            FrameData::Double => Inst::Lfd { frt: rd, ra, d: displacement(d) },
            FrameData::Single => Inst::Lfs { frt: rd, ra, d: displacement(d) },
        })
    }

    pub(super) fn frame_store(&mut self, rs: Reg, offset: i64, data: FrameData) -> Result {
        let (ra, d) = self.frame_base(offset)?;
        self.real(&match data {
            FrameData::Doubleword => Inst::Std { rs, ra, d: ds_offset(d) },
            FrameData::Double => Inst::Stfd { frs: rs, ra, d: displacement(d) },
            FrameData::Single => Inst::Stfs { frs: rs, ra, d: displacement(d) },
        })
    }

    // ----- Conditions -----

    /// ```text
    ///     setbc rd, bit                            from POWER10 on; setbcr if it should be clear
    ///     mfocrf rd, cr
    ///     rlwinm rd, rd, bit + 1, 31, 31
    ///     xori rd, rd, 1                           if it should be clear
    /// ```
    fn set_if(&mut self, rd: WritableReg, cond: Cond, cr: Reg) -> Result {
        let Cond { bit, set } = cond;
        if self.has(Features::POWER10) {
            return self.real(&if set {
                Inst::Setbc { rt: rd, bi: cr, bit }
            } else {
                Inst::Setbcr { rt: rd, bi: cr, bit }
            });
        }
        let number = field_number(cr);
        self.real(&Inst::Mfocrf { rt: rd, fxm: cr_field(number) })?;
        let rs = rd.to_reg();
        let (sh, end) = (Uimm5::from_low(4 * number + bit as u32 + 1), Uimm5::from_low(31));
        self.real(&Inst::Rlwinm { ra: rd, rs, sh, mb: end, me: end })?;
        if set {
            return Ok(());
        }
        self.real(&Inst::Xori { ra: rd, rs, ui: Uimm16::from_low(1) })
    }

    /// ```text
    ///     bnot-cond cr, .+8
    ///     mr rd, new                               or  fmr
    /// ```
    fn select(&mut self, rd: WritableReg, cond: Cond, cr: Reg, new: Reg) -> Result {
        if rd.to_reg() == new {
            return Ok(());
        }
        self.branch_near(cond.invert(), cr, 8)?;
        match rd.to_reg().as_preg() {
            Some(preg) if regs::class_of(preg) == regs::FPR => self.real(&Inst::Fmr { frt: rd, frb: new }),
            _ => self.copy(rd, new),
        }
    }

    /// A branch within an expansion, `distance` bytes from itself.
    pub(super) fn branch_near(&mut self, cond: Cond, cr: Reg, distance: i64) -> Result {
        let target = CondBranchOffset::new(distance).unwrap_or(CondBranchOffset::ZERO);
        self.real(&Inst::Bc { cond, bi: cr, target })
    }

    /// The address of the next instruction but `ahead` bytes, in `r12`, and how many those are:
    /// ```text
    ///     addpcis r12, 0                           from POWER9 on
    ///     mflr r0 ; bcl 20, 31, .+4 ; mflr r12 ; mtlr r0
    /// ```
    pub(super) fn here(&mut self) -> core::result::Result<i64, EmitError> {
        if self.has(Features::POWER9) {
            self.real(&Inst::Addpcis { rt: w(R12), d: Simm16::ZERO })?;
            return Ok(0);
        }
        self.real(&Inst::Mflr { rt: w(R0) })?;
        self.real(&Inst::BclNext)?;
        self.real(&Inst::Mflr { rt: w(R12) })?;
        self.real(&Inst::Mtlr { rs: R0 })?;
        Ok(8)
    }

    pub(super) fn branch_if(&mut self, cond: Cond, cr: Reg, label: Label) -> Result {
        let (place, kind) = (self.buf.offset(), self.fixups().cond_branch);
        self.real(&Inst::Bc { cond, bi: cr, target: CondBranchOffset::ZERO })?;
        self.buf.fixup(place, label, kind);
        Ok(())
    }

    /// `rotlwi r0, r0, n`, unless that is nothing.
    pub(super) fn rotate_word(&mut self, n: u32) -> Result {
        if n.is_multiple_of(32) {
            return Ok(());
        }
        let (sh, mb, me) = (Uimm5::from_low(n), Uimm5::ZERO, Uimm5::from_low(31));
        self.real(&Inst::Rlwinm { ra: w(R0), rs: R0, sh, mb, me })
    }
}

/// A displacement that was made to fit.
pub(super) fn displacement(d: i64) -> Simm16 {
    debug_assert!(Simm16::new(d).is_some(), "the displacement {d} has more than 16 bits");
    Simm16::new(d).unwrap_or(Simm16::ZERO)
}

/// The same of the DS form.
pub(super) fn ds_offset(d: i64) -> DsOffset {
    debug_assert!(DsOffset::new(d).is_some(), "the displacement {d} is out of reach or no multiple of 4");
    DsOffset::new(d).unwrap_or(DsOffset::ZERO)
}

/// An offset as what ADDIS adds, if it has 32 bits, and what a displacement adds to that.
pub(super) fn high_low(offset: i64) -> (Option<Simm16>, Simm16) {
    let low = i64::from(offset as i16);
    (Simm16::new(offset.wrapping_sub(low) >> 16), displacement(low))
}

/// The number of a field of the condition register.
pub(super) fn field_number(cr: Reg) -> u32 {
    let index = cr.as_preg().map_or(0, |preg| preg.index() as u32);
    debug_assert!((64..72).contains(&index), "{cr} is no field of the condition register");
    index.wrapping_sub(regs::FIRST_CR.into()) & 7
}

/// A field as a mask.
pub(super) fn cr_field(number: u32) -> CrField {
    match CrField::new(number & 7) {
        Some(field) => field,
        None => unreachable!("3 bits are below 8"),
    }
}

/// The bits of a single in the format of doubles, as a load converts them: a signalling NaN stays one.
pub(super) fn widen(bits: u32) -> u64 {
    let sign = u64::from(bits >> 31) << 63;
    let (exponent, fraction) = (bits >> 23 & 0xff, u64::from(bits & 0x7f_ffff));
    let magnitude = match (exponent, fraction) {
        (0, 0) => 0,
        (0, _) => {
            // Subnormal: the highest one becomes the hidden bit.
            let shift = fraction.leading_zeros() - 40;
            let exponent = u64::from(1023 - 126 - shift);
            exponent << 52 | (fraction << (shift + 29)) & ((1 << 52) - 1)
        }
        (0xff, _) => 0x7ff << 52 | fraction << 29,
        (exponent, _) => u64::from(exponent + 1023 - 127) << 52 | fraction << 29,
    };
    sign | magnitude
}

/// The single that a double is, unless it is subnormal or NaN.
pub(super) fn normal_single(bits: u64) -> Option<Uimm32> {
    let single = f64::from_bits(bits) as f32;
    let exact = f64::from(single).to_bits() == bits;
    (exact && !single.is_subnormal() && !single.is_nan()).then(|| Uimm32::new(single.to_bits()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn singles_among_doubles() {
        let single = |value: f64| normal_single(value.to_bits());
        for value in [0.0, -0.0, 1.0, -2.5, f64::from(f32::MIN_POSITIVE), f32::MAX.into(), f64::INFINITY] {
            assert_eq!(single(value), Some(Uimm32::new((value as f32).to_bits())));
        }
        for value in [0.1, 1e300, f64::from(f32::from_bits(1)), f64::MIN_POSITIVE, f64::NAN] {
            assert_eq!(single(value), None);
        }
    }

    #[test]
    fn singles_widen_as_their_values_do() {
        for bits in [0, 1, 0x7f_ffff, 0x40_0000, 0x80_0000, 0x3f80_0000, 0x7f7f_ffff, 0x7f80_0000, 0x12_3456]
        {
            for bits in [bits, bits | 1 << 31] {
                assert_eq!(widen(bits), f64::from(f32::from_bits(bits)).to_bits(), "{bits:#x}");
            }
        }
        assert_eq!(widen(0x7fa0_0001), 0x7ff4_0000_2000_0000);
    }

    #[test]
    fn offsets_split_into_halves_with_signs() {
        for offset in [0x8000, 0x7fff, -0x8001, 0x1234_8765, -0x1234_8765, 0x7fff_0000] {
            let (high, low) = high_low(offset);
            assert_eq!(high.map(|high| (high.value() << 16) + low.value()), Some(offset));
        }
        assert_eq!(high_low(0x7fff_8000).0, None);
    }
}
