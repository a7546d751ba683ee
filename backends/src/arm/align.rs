//! `stress_check_alignment`: proof that no access is misaligned.
//!
//! The emulator does what no ARMv5 does: it loads and stores at any address. With this setting the check that such a
//! processor makes is in the code. Before each access of more than a byte whose address is not known to be a multiple
//! of what the processor wants, and on entry before the stack pointer is used:
//!
//! ```text
//!     bcond 1f                      of a conditional access, on the opposite condition
//!     str s, [sp, #-8]!
//!     add s, base, offset
//!     orr s, s, s, lsr #1           for words; twice for doublewords
//!     and s, s, #1                  1 if the address is misaligned
//!     sub pc, pc, s, lsl #2         to the next but one, or to the next
//!     udf #MISALIGNED
//!     ldr s, [sp], #8
//! 1:
//! ```
//!
//! `s` is any register that the address does not depend on. The flags and all registers stay as they are, so that
//! the check can stand anywhere: what is emitted by [`Emit::real`](super::emit::Emit::real) cannot escape it. That
//! accesses are recognized by their words, not by their rows, makes it independent of the table; a test
//! compares the two.
//!
//! Not checked are literal loads, which the buffer aligns, accesses at a constant distance from the stack pointer,
//! which is a multiple of 8 at entry and moves by multiples of 4, and exclusive stores: the exclusive load before
//! has checked their address, and another store between the two would make it fail.

use super::emit::Emit;
use super::imm::{ArmImm, BranchOffset, Cond, Offset12, ShiftImm, ShiftKind, TrapCode16};
use super::minst::{Features, Inst};
use super::regs::{self, r};
use super::target::ArmTarget;
use crate::machinst::encode::Immediate;
use crate::machinst::{EmitError, Reg, Room, WritableReg};
use windlass_regalloc::PReg;

/// The payload of the trap: no trap code of the language, which have eight bits.
pub const MISALIGNED: u16 = 0xa119;

/// The most bytes of a check.
const CHECK_BYTES: u32 = 40;
/// The most accesses of one expansion that are checked.
const MAX_CHECKS: u32 = 4;

/// The address of an access.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Access {
    /// When it takes place; always, if there is none.
    cond: Option<Cond>,
    /// Number of the base register.
    base: u32,
    offset: Offset,
    kind: Kind,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Offset {
    /// In bytes; of an access with the address in the base alone it is 0.
    Const(i32),
    /// A register by number, shifted if there is a shift, added or subtracted.
    Reg { index: u32, shift: Option<ShiftImm>, minus: bool },
}

/// What matters to the alignment that is wanted.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Kind {
    Half,
    Word,
    /// LDRD, STRD.
    Pair,
    /// LDM, STM, VLDR, VSTR and their kin.
    Multiple,
    /// Exclusive loads and swaps, of so many bytes.
    Exclusive(u32),
}

impl Access {
    /// What the instruction does with memory, if it is an access of more than a byte (A5.1: the classes of instructions).
    pub(super) fn of(word: u32) -> Option<Access> {
        let bit = |n: u32| word >> n & 1 == 1;
        let cond = match word >> 28 {
            0xf => return None,
            cond => Cond::from_bits(cond),
        };
        let base = word >> 16 & 15;
        let none = Offset::Const(0);
        let access = |kind, offset| Some(Access { cond, base, offset, kind });
        // Post-indexed accesses are at the base itself.
        let signed = |bytes: u32| {
            let bytes = bytes as i32;
            if !bit(24) { none } else { Offset::Const(if bit(23) { bytes } else { -bytes }) }
        };
        let register = || {
            let shift = ShiftImm::from_bits(word >> 5 & 0x7f);
            let shift = if bit(26) { shift } else { None };
            if bit(24) { Offset::Reg { index: word & 15, shift, minus: !bit(23) } } else { none }
        };
        match word >> 25 & 7 {
            // LDR, STR (A5.3); B is the byte's bit. Media instructions have bit 4 set.
            2 if !bit(22) => access(Kind::Word, signed(word & 0xfff)),
            3 if !bit(22) && !bit(4) => access(Kind::Word, register()),
            // SWP and exclusive accesses (A5.2.10).
            0 if word >> 4 & 15 == 9 && bit(24) => {
                let exclusive = |bytes| access(Kind::Exclusive(bytes), none);
                match (bit(23), bit(20), word >> 21 & 3) {
                    (false, _, 0) => exclusive(4),
                    (true, true, 0) => exclusive(4),
                    (true, true, 1) => exclusive(8),
                    (true, true, 3) => exclusive(2),
                    _ => None,
                }
            }
            // Halfwords, doublewords, signed bytes (A5.2.8).
            0 if bit(7) && bit(4) => {
                let offset = if bit(22) { signed(word >> 4 & 0xf0 | word & 15) } else { register() };
                match (bit(20), word >> 5 & 3) {
                    (_, 1) | (true, 3) => access(Kind::Half, offset),
                    (false, 2 | 3) => access(Kind::Pair, offset),
                    _ => None,
                }
            }
            // LDM, STM (A5.5): the distance of the first word is a multiple of four.
            4 => access(Kind::Multiple, none),
            // VLDR, VSTR, VLDM, VSTM (A7.6), but for the transfers of two registers; distances are multiples of four.
            6 if word >> 9 & 7 == 5 && word >> 21 & 15 != 2 => access(Kind::Multiple, none),
            _ => None,
        }
    }

    /// The address must be a multiple of this many bytes on a processor with these features; `strict` if words and
    /// halfwords must be aligned (A3.2.1), which before ARMv6 they must whatever the setting promises (DDI 0100I A2.8).
    fn alignment(&self, features: Features, strict: bool) -> u32 {
        let strict = strict || !features.contains(Features::V6);
        match self.kind {
            Kind::Half if strict => 2,
            Kind::Word if strict => 4,
            Kind::Half | Kind::Word => 1,
            Kind::Pair if features.contains(Features::V6) => 4,
            Kind::Pair => 8,
            Kind::Multiple => 4,
            Kind::Exclusive(bytes) => bytes,
        }
    }

    /// Does the alignment follow from that of `pc` or `sp`?
    fn is_known(&self, alignment: u32) -> bool {
        let Offset::Const(offset) = self.offset else { return false };
        let aligned = offset as u32 & (alignment - 1) == 0;
        self.base == regs::PC.index() as u32 || self.base == regs::SP.index() as u32 && aligned
    }
}

type Result = core::result::Result<(), EmitError>;

fn reg(preg: PReg) -> Reg {
    Reg::from_preg(preg)
}

/// The room that checks add to that of an instruction: `accesses` of them, or as many as an expansion has.
pub(super) fn more_room(target: &ArmTarget, room: Room, accesses: Option<u32>) -> Room {
    if !target.settings.stress.check_alignment {
        return room;
    }
    Room { bytes: room.bytes + CHECK_BYTES * accesses.unwrap_or(MAX_CHECKS), ..room }
}

impl Emit<'_> {
    /// The check before `inst`, if the setting is on and the instruction is an access that needs one.
    pub(super) fn check_alignment(&mut self, inst: &Inst) -> Result {
        if !self.target.settings.stress.check_alignment {
            return Ok(());
        }
        let Some(access) = Access::of(inst.encode()?) else { return Ok(()) };
        let alignment = access.alignment(self.target.features(), self.target.is_strict());
        if alignment == 1 || access.is_known(alignment) {
            return Ok(());
        }
        self.check_access(&access, alignment)
    }

    /// The check of the stack pointer on entry.
    pub(super) fn check_stack(&mut self) -> Result {
        if !self.target.settings.stress.check_alignment {
            return Ok(());
        }
        let base = regs::SP.index() as u32;
        let access = Access { cond: None, base, offset: Offset::Const(0), kind: Kind::Pair };
        self.check_access(&access, 8)
    }

    fn check_access(&mut self, access: &Access, alignment: u32) -> Result {
        let index = match access.offset {
            Offset::Reg { index, .. } => index,
            Offset::Const(_) => access.base,
        };
        let scratch = (0..3).find(|&n| n != access.base && n != index).unwrap_or(0);
        let (sp, pc, base) = (reg(regs::SP), reg(regs::PC), reg(r(access.base as u8)));
        let s = reg(r(scratch as u8));
        let rd = WritableReg::from_reg(s);
        let set_sp = WritableReg::from_reg(sp);
        let halvings = alignment.trailing_zeros() - 1;

        if let Some(cond) = access.cond {
            let bytes = 4 * (7 + halvings as i32);
            let target = BranchOffset::new(bytes).unwrap_or(BranchOffset::ZERO);
            self.plain(&Inst::BCc { cond: cond.invert(), target })?;
        }
        let (Some(down), Some(up)) = (Offset12::new(-8), Offset12::new(8)) else { return Ok(()) };
        let (Some(half), Some(quadruple)) =
            (ShiftImm::new(ShiftKind::Lsr, 1), ShiftImm::new(ShiftKind::Lsl, 2))
        else {
            return Ok(());
        };
        self.plain(&Inst::StrImmPre { rn: set_sp, rn_in: sp, rt: s, off: down })?;
        self.plain(&match access.offset {
            // Of an offset the lowest bits alone matter.
            Offset::Const(offset) => Inst::AddImm { rd, rn: base, imm: ArmImm::from_byte(offset as u8 & 7) },
            Offset::Reg { index, shift, minus } => {
                let rm = reg(r(index as u8));
                match (shift, minus) {
                    (None, false) => Inst::Add { rd, rn: base, rm },
                    (None, true) => Inst::Sub { rd, rn: base, rm },
                    (Some(shift), false) => Inst::AddShift { rd, rn: base, rm, shift },
                    (Some(shift), true) => Inst::SubShift { rd, rn: base, rm, shift },
                }
            }
        })?;
        for _ in 0..halvings {
            self.plain(&Inst::OrrShift { rd, rn: s, rm: s, shift: half })?;
        }
        self.plain(&Inst::AndImm { rd, rn: s, imm: ArmImm::from_byte(1) })?;
        let set_pc = WritableReg::from_reg(pc);
        self.plain(&Inst::SubShift { rd: set_pc, rn: pc, rm: s, shift: quadruple })?;
        if let Some(code) = TrapCode16::new(MISALIGNED.into()) {
            self.plain(&Inst::Udf { code })?;
        }
        self.plain(&Inst::LdrImmPost { rt: rd, rn: set_sp, rn_in: sp, off: up })
    }
}

#[cfg(test)]
mod tests;
