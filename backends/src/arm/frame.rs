//! Frames of ARM functions, drawn in `NOTES.md`.

use super::prologue::Limit;
use super::regs;
use crate::compiled::FrameLayout;
use crate::error::CompileError;
use crate::machinst::FrameNeeds;
use crate::machinst::pseudo::FrameArea;
use windlass_ir::entity::SecondaryMap;
use windlass_ir::{Function, StackSlot};
use windlass_regalloc::{Output, SpillSlot};

/// The caller's frame pointer and the return address, which are pushed first.
const RECORD_BYTES: u32 = 8;

/// Largest frame: offsets stay positive in 32 bits.
const MAX_FRAME: u64 = 1 << 30;

/// Where things are in a function's frame. Offsets are from the stack pointer after the prologue.
#[derive(Clone, Debug, Default)]
pub struct Frame {
    /// Core registers that the prologue pushes, as bits. With any, `lr` is among them.
    pub pushed: u16,
    /// First double-precision register that the prologue pushes, and how many.
    pub vpushed: (u8, u8),
    /// Bytes above what is pushed and below the arguments that the caller pushed: where arguments of tail calls
    /// outgrow them, and where structures that came in registers have their homes.
    pub tail_bytes: u32,
    /// Bytes of the caller's arguments that the function takes off the stack.
    pub popped_bytes: u32,
    /// Bytes below what is pushed.
    pub local_bytes: u32,
    /// Below what the frame must not reach.
    pub limit: Option<Limit>,
    spill_offset: u32,
    slots: SecondaryMap<StackSlot, SlotPlace>,
}

#[derive(Clone, Copy, Debug, Default)]
struct SlotPlace {
    offset: u32,
    align: u32,
}

impl Frame {
    /// Lays out the frame of `func`.
    pub fn new(
        func: &Function,
        needs: &FrameNeeds,
        allocation: &Output,
        keep_frame_pointer: bool,
    ) -> Result<Frame, CompileError> {
        let mut frame = Frame {
            tail_bytes: needs.tail_call_bytes.saturating_sub(needs.popped_bytes).max(needs.home_bytes),
            popped_bytes: needs.popped_bytes,
            ..Frame::default()
        };
        let used = allocation.used.union(needs.saves);
        for n in 4..12 {
            if used.contains(n) {
                frame.pushed |= 1 << n;
            }
        }
        if keep_frame_pointer || needs.frame_record {
            frame.pushed |= 1 << regs::FP.index();
        }
        let lr = regs::LR.index();
        if frame.pushed != 0 || needs.makes_calls || used.contains(lr as u8) {
            frame.pushed |= 1 << lr;
        }
        let mut doubles = (8..16u8).filter(|n| used.intersects(regs::units(regs::d(*n))));
        if let (Some(first), Some(last)) = (doubles.clone().next(), doubles.next_back()) {
            frame.vpushed = (first, last - first + 1);
        }

        let mut size = u64::from(needs.outgoing_bytes).next_multiple_of(8);
        frame.spill_offset = size as u32;
        size += u64::from(allocation.spill_size_bytes);
        for (slot, data) in &func.stack_slots {
            // The stack pointer is a multiple of 8; more is made at each use of the address.
            let align = 1u64 << data.align_shift.min(30);
            size = size.next_multiple_of(align.clamp(4, 8));
            if size > MAX_FRAME {
                break;
            }
            frame.slots[slot] = SlotPlace { offset: size as u32, align: align as u32 };
            size += u64::from(data.size) + if align > 8 { align } else { 0 };
        }
        // The frame as a whole is a multiple of 8.
        let pushed = u64::from(frame.pushed.count_ones()) * 4;
        size = (size + pushed).next_multiple_of(8) - pushed;
        if size > MAX_FRAME {
            return Err(CompileError::TooLarge { what: "the stack frame", needed: size, limit: MAX_FRAME });
        }
        frame.local_bytes = size as u32;
        Ok(frame)
    }

    /// Bytes that the prologue pushes.
    pub fn pushed_bytes(&self) -> u32 {
        self.pushed.count_ones() * 4 + u32::from(self.vpushed.1) * 8
    }

    /// Bytes of the whole frame.
    pub fn size_bytes(&self) -> u32 {
        self.local_bytes + self.pushed_bytes() + self.tail_bytes
    }

    /// What of the frame others can rely on.
    pub fn layout(&self) -> FrameLayout {
        let pushes_lr = self.pushed & 1 << regs::LR.index() != 0;
        FrameLayout {
            size_bytes: self.size_bytes(),
            // `lr` is the topmost of what is pushed.
            return_address_offset: pushes_lr.then(|| self.local_bytes + self.pushed_bytes() - 4),
            popped_bytes: self.popped_bytes,
        }
    }

    /// The offset of a spill slot.
    pub fn spill(&self, slot: SpillSlot) -> u32 {
        self.spill_offset + slot.offset_bytes()
    }

    /// The offset of a part of the frame; the alignment in bytes that its address must be rounded up to, 1 for none.
    pub fn area(&self, area: FrameArea) -> (u32, u32) {
        match area {
            FrameArea::Slot(slot) => {
                let place = self.slots[slot];
                if place.align > 8 { (place.offset, place.align) } else { (place.offset, 1) }
            }
            FrameArea::Outgoing => (0, 1),
            FrameArea::Incoming => (self.size_bytes(), 1),
            FrameArea::Record => (self.local_bytes + self.pushed_bytes() - RECORD_BYTES, 1),
        }
    }
}
