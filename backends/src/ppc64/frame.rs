//! Frames of PowerPC functions, drawn in `NOTES.md`: where things are, and the code that makes and removes them.

use super::abi::AbiOptions;
use super::emit::{Emit, Result, w};
use super::imm::{CrMask, DsOffset, Simm16};
use super::limit::Limit;
use super::minst::Inst;
use super::regs::{self, f, r};
use super::reloc;
use crate::compiled::FrameLayout;
use crate::error::CompileError;
use crate::machinst::pseudo::FrameArea;
use crate::machinst::{FrameNeeds, Reg};
use alloc::vec::Vec;
use windlass_ir::entity::SecondaryMap;
use windlass_ir::{ExternalName, Function, StackSlot};
use windlass_regalloc::{Output, PReg, SpillSlot};

/// Largest frame: offsets stay positive in 32 bits.
const MAX_FRAME: u64 = 1 << 30;
/// Bytes below the stack pointer that nobody else writes to, signal handlers neither (64-bit ELF V2 ABI, 2.2.2.4).
const RED_ZONE_BYTES: u64 = 288;
/// Bytes of them that emission uses.
const SCRATCH_BYTES: u64 = 16;

/// Offsets in the header at the bottom of every frame, in bytes: what a function saves in its caller's.
const SAVED_CR: i32 = 8;
const SAVED_LR: i32 = 16;

const ZERO: Reg = Reg::from_preg(regs::ZERO);
const SP: Reg = Reg::from_preg(regs::SP);
const TOC: Reg = Reg::from_preg(regs::TOC);
const ENTRY: Reg = Reg::from_preg(regs::ENTRY);
const SCRATCH: Reg = Reg::from_preg(regs::SCRATCH);
const FP: Reg = Reg::from_preg(regs::FP);

/// The fields of the condition register that callees save, as MTCRF has them: `cr2`–`cr4`.
const SAVED_FIELDS: CrMask = match CrMask::new(0x38) {
    Some(mask) => mask,
    None => panic!("eight fields"),
};

/// Bytes of the global entry, which finds the table of contents.
pub const GLOBAL_ENTRY_BYTES: u32 = 8;

/// Where things are in a function's frame. Offsets are from the stack pointer after the prologue; in a leaf
/// function that keeps its frame in the red zone they are negative.
#[derive(Clone, Debug, Default)]
pub struct Frame {
    /// Bytes from the stack pointer to the caller's, or to where that is moved to make room for arguments of tail calls.
    pub size: u32,
    /// The stack pointer stays where it is at entry.
    pub in_red_zone: bool,
    /// Bytes below the caller's stack pointer where arguments of tail calls outgrow the function's own.
    pub tail_bytes: u32,
    /// Bytes of the caller's arguments, with the header below them, that the function takes off the stack.
    pub popped_bytes: u32,
    /// Is the return address saved?
    pub saves_lr: bool,
    /// Is the condition register saved?
    pub saves_cr: bool,
    /// Does it begin with a global entry?
    pub global_entry: bool,
    /// Is there a frame pointer?
    pub frame_pointer: bool,
    /// Below what the frame must not reach.
    pub limit: Option<Limit>,
    /// The registers that it saves, from the top of the frame down.
    saved: Vec<PReg>,
    /// Bytes of the header of every frame.
    header: u32,
    homes: u32,
    spills: u32,
    slots: SecondaryMap<StackSlot, SlotPlace>,
}

#[derive(Clone, Copy, Debug, Default)]
struct SlotPlace {
    offset: u32,
    align: u32,
}

/// What of the target a frame depends on.
#[derive(Clone, Copy, Debug)]
pub struct FrameOptions {
    /// The ABI.
    pub abi: AbiOptions,
    /// Functions find their table of contents themselves.
    pub global_entries: bool,
    /// Every function keeps a frame pointer.
    pub frame_pointer: bool,
    /// The page in bytes that no function steps over, where frames are touched.
    pub probe_page: Option<u32>,
}

impl Frame {
    /// Lays out the frame of `func`, which does not reach below `limit`.
    pub fn new(
        func: &Function,
        needs: &FrameNeeds,
        allocation: &Output,
        options: FrameOptions,
        limit: Option<Limit>,
    ) -> core::result::Result<Frame, CompileError> {
        let used = allocation.used.union(needs.saves);
        let frame_pointer = options.frame_pointer;
        let has_frame = needs.makes_calls || needs.frame_record || frame_pointer;
        let mut frame = Frame {
            tail_bytes: needs.tail_call_bytes.saturating_sub(needs.popped_bytes),
            popped_bytes: needs.popped_bytes,
            saves_lr: has_frame,
            saves_cr: (2..5).any(|n| used.intersects(regs::units(regs::cr(n)))),
            global_entry: options.global_entries
                && (needs.uses_toc || limit.as_ref().is_some_and(Limit::uses_toc)),
            frame_pointer,
            limit,
            header: options.abi.header_bytes(),
            ..Frame::default()
        };
        let saved = (14..32).rev().map(f).chain((14..32).rev().map(r));
        let is_used = |preg: &PReg| used.intersects(regs::units(*preg)) || frame_pointer && *preg == regs::FP;
        frame.saved = saved.filter(is_used).collect();

        let outgoing = u64::from(needs.outgoing_bytes);
        let mut size = if has_frame { u64::from(frame.header) + outgoing } else { outgoing };
        frame.spills = size as u32;
        size = (size + u64::from(allocation.spill_size_bytes)).next_multiple_of(8);
        for (slot, data) in &func.stack_slots {
            // The stack pointer is a multiple of 16; more is made at each use of the address.
            let align = 1u64 << data.align_shift.min(30);
            size = size.next_multiple_of(align.clamp(8, 16));
            if size > MAX_FRAME {
                break;
            }
            frame.slots[slot] = SlotPlace { offset: size as u32, align: align as u32 };
            size += u64::from(data.size) + if align > 16 { align } else { 0 };
        }
        size = size.next_multiple_of(8) + u64::from(needs.home_bytes);
        frame.homes = size as u32;
        size = (size + 8 * frame.saved.len() as u64).next_multiple_of(16);
        let red_zone = RED_ZONE_BYTES.min(options.probe_page.map_or(u64::MAX, u64::from));
        frame.in_red_zone = !has_frame && frame.tail_bytes == 0 && size + SCRATCH_BYTES <= red_zone;
        if !frame.in_red_zone && !has_frame {
            // Whoever is interrupted has a header.
            let header = frame.header;
            frame.raise(header);
            size += u64::from(header);
        }
        if size > MAX_FRAME {
            return Err(CompileError::TooLarge { what: "the stack frame", needed: size, limit: MAX_FRAME });
        }
        frame.size = size as u32;
        Ok(frame)
    }

    /// Makes room for `bytes` bytes at the bottom.
    fn raise(&mut self, bytes: u32) {
        self.spills += bytes;
        self.homes += bytes;
        for place in self.slots.values_mut() {
            place.offset += bytes;
        }
    }

    /// By how much the prologue lowers the stack pointer below the caller's, or below where that is moved to.
    fn drop_bytes(&self) -> u32 {
        if self.in_red_zone { 0 } else { self.size }
    }

    /// Something at so many bytes from the frame's bottom, from the stack pointer.
    fn above_bottom(&self, offset: u32) -> i32 {
        offset as i32 + self.drop_bytes() as i32 - self.size as i32
    }

    /// What of the frame others can rely on.
    pub fn layout(&self) -> FrameLayout {
        let size_bytes = self.drop_bytes() + self.tail_bytes;
        let return_address_offset = self.saves_lr.then_some(self.size + SAVED_LR as u32);
        FrameLayout { size_bytes, return_address_offset, popped_bytes: self.popped_bytes }
    }

    /// The offset of the scratch memory of emission: the doubleword below all else.
    pub fn scratch_offset(&self) -> i32 {
        self.above_bottom(0) - 8
    }

    /// The offset of a spill slot.
    pub fn spill(&self, slot: SpillSlot) -> i32 {
        self.above_bottom(self.spills + slot.offset_bytes())
    }

    /// The offset of a place in a part of the frame; the alignment in bytes that the part's address must be rounded up to
    /// before `offset` is added, 1 for none, in which case it has been.
    pub fn place(&self, area: FrameArea, offset: i32) -> (i32, u32) {
        match area {
            FrameArea::Slot(slot) => {
                let SlotPlace { offset: start, align } = self.slots[slot];
                let start = self.above_bottom(start);
                if align > 16 { (start, align) } else { (start.wrapping_add(offset), 1) }
            }
            FrameArea::Outgoing => ((self.header as i32).wrapping_add(offset), 1),
            // What came in registers has its home in the frame.
            FrameArea::Incoming if offset < 0 && self.popped_bytes == 0 && self.tail_bytes == 0 => {
                (self.above_bottom(self.homes).wrapping_add(offset), 1)
            }
            FrameArea::Incoming => {
                let start = self.drop_bytes() + self.tail_bytes + self.header;
                ((start as i32).wrapping_add(offset), 1)
            }
            FrameArea::Record => ((self.drop_bytes() as i32).wrapping_add(offset), 1),
        }
    }

    /// Bytes of the prologue that callers in the same module skip.
    pub fn local_entry(&self) -> u32 {
        if self.global_entry { GLOBAL_ENTRY_BYTES } else { 0 }
    }
}

/// A number of bytes in a frame as an immediate.
fn simm(value: i32) -> Option<Simm16> {
    Simm16::new(value.into())
}

impl Emit<'_> {
    /// ```text
    ///     addis r2, r12, .TOC. - .@ha      the global entry
    ///     addi r2, r2, .TOC. - .@l
    ///     the check of the stack limit     see stack_limit; and before each growth probes, see probe
    ///     ld r0, 0(r1) ; addi r1, r1, -tail ; std r0, 0(r1)     arguments of tail calls: the caller's header moves
    ///     mflr r0 ; std r0, 16(r1)
    ///     mfcr r12 ; stw r12, 8(r1)
    ///     stfd f31, -8(r1) … std r31, -n(r1) …
    ///     stdu r1, -size(r1)               or  lis r0, … ; ori r0, … ; stdux r1, r1, r0
    ///     mr r31, r1
    /// ```
    pub(super) fn prologue(&mut self) -> Result {
        if self.frame.global_entry {
            let symbol = ExternalName::symbol(".TOC.");
            let half = reloc::half_offset(self.target.order());
            for (n, kind) in [(0, reloc::REL16_HA), (4, reloc::REL16_LO)] {
                // The distance is that from the entry, wherever the half that has it.
                self.buf.reloc_at(n + half, kind, symbol.clone(), (n + half).into());
            }
            self.real(&Inst::Addis { rt: w(TOC), ra: ENTRY, si: Simm16::ZERO })?;
            self.real(&Inst::Addi { rt: w(TOC), ra: TOC, si: Simm16::ZERO })?;
        }
        self.stack_limit()?;
        if self.frame.tail_bytes != 0 {
            self.probe(self.frame.tail_bytes)?;
            self.move_header(-(self.frame.tail_bytes as i32))?;
        }
        // Before anything is saved: a page may be smaller than what is saved below the stack pointer.
        if !self.frame.in_red_zone {
            self.probe(self.frame.size)?;
        }
        if self.frame.saves_lr {
            self.real(&Inst::Mflr { rt: w(ZERO) })?;
            self.store_near(ZERO, SAVED_LR)?;
        }
        if self.frame.saves_cr {
            self.real(&Inst::Mfcr { rt: w(ENTRY) })?;
            if let Some(d) = simm(SAVED_CR) {
                self.real(&Inst::Stw { rs: ENTRY, ra: SP, d })?;
            }
        }
        let frame = self.frame;
        for (&preg, n) in frame.saved.iter().zip(1..) {
            self.save(preg, -8 * n, false)?;
        }
        if !frame.in_red_zone {
            let size = -(frame.size as i32);
            match DsOffset::new(size.into()) {
                Some(d) => self.real(&Inst::Stdu { ra: w(SP), ra_in: SP, rs: SP, d })?,
                None => {
                    self.constant(w(ZERO), i64::from(size) as u64)?;
                    self.real(&Inst::Stdux { ra: w(SP), ra_in: SP, rs: SP, rb: ZERO })?;
                }
            }
        }
        if frame.frame_pointer {
            self.copy(w(FP), SP)?;
        }
        Ok(())
    }

    /// The reverse of the prologue, and `blr`.
    pub(super) fn epilogue(&mut self) -> Result {
        self.take_down()?;
        self.add_offset(w(SP), SP, (self.frame.tail_bytes + self.frame.popped_bytes).into())?;
        self.real(&Inst::Blr)
    }

    /// ```text
    ///     addi r1, r1, size                or  ld r1, 0(r1)
    ///     ld r0, 16(r1) ; mtlr r0
    ///     lwz r11, 8(r1) ; mtcrf 0x38, r11
    ///     lfd f31, -8(r1) … ld r31, -n(r1) …
    /// ```
    /// Leaves `r12` as it is, and the stack pointer where the caller's was moved to.
    pub(super) fn take_down(&mut self) -> Result {
        let frame = self.frame;
        if !frame.in_red_zone {
            match simm(frame.size as i32) {
                Some(si) => self.real(&Inst::Addi { rt: w(SP), ra: SP, si })?,
                None => self.real(&Inst::Ld { rt: w(SP), ra: SP, d: DsOffset::ZERO })?,
            }
        }
        if frame.saves_lr {
            self.load_near(ZERO, SAVED_LR)?;
            self.real(&Inst::Mtlr { rs: ZERO })?;
        }
        if frame.saves_cr {
            if let Some(d) = simm(SAVED_CR) {
                self.real(&Inst::Lwz { rt: w(SCRATCH), ra: SP, d })?;
            }
            self.real(&Inst::Mtcrf { fxm: SAVED_FIELDS, rs: SCRATCH })?;
        }
        for (&preg, n) in frame.saved.iter().zip(1..) {
            self.save(preg, -8 * n, true)?;
        }
        Ok(())
    }

    /// The stack pointer moves to another place for the caller's header, of which the back chain is all that counts:
    /// `ld r0, 0(r1) ; addi r1, r1, bytes ; std r0, 0(r1)`
    pub(super) fn move_header(&mut self, bytes: i32) -> Result {
        if bytes == 0 {
            return Ok(());
        }
        self.real(&Inst::Ld { rt: w(SCRATCH), ra: SP, d: DsOffset::ZERO })?;
        self.add_offset(w(SP), SP, bytes.into())?;
        self.real(&Inst::Std { rs: SCRATCH, ra: SP, d: DsOffset::ZERO })
    }

    /// Saves a register near the stack pointer, or restores it.
    fn save(&mut self, preg: PReg, offset: i32, restore: bool) -> Result {
        let reg = Reg::from_preg(preg);
        let is_float = regs::class_of(preg) == regs::FPR;
        match (is_float, restore, simm(offset)) {
            (true, false, Some(d)) => self.real(&Inst::Stfd { frs: reg, ra: SP, d }),
            (true, true, Some(d)) => self.real(&Inst::Lfd { frt: w(reg), ra: SP, d }),
            (_, false, _) => self.store_near(reg, offset),
            (_, true, _) => self.load_near(reg, offset),
        }
    }

    /// `std reg, offset(r1)`
    pub(super) fn store_near(&mut self, rs: Reg, offset: i32) -> Result {
        match DsOffset::new(offset.into()) {
            Some(d) => self.real(&Inst::Std { rs, ra: SP, d }),
            None => unreachable!("a small multiple of eight"),
        }
    }

    /// `ld reg, offset(r1)`
    pub(super) fn load_near(&mut self, reg: Reg, offset: i32) -> Result {
        match DsOffset::new(offset.into()) {
            Some(d) => self.real(&Inst::Ld { rt: w(reg), ra: SP, d }),
            None => unreachable!("a small multiple of eight"),
        }
    }
}
