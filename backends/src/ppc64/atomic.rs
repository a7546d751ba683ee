//! Atomic accesses: loops of loads with reservation and conditional stores (Power ISA 3.1B, Book II, 4.6.2 and B.2).
//!
//! Each is one instruction up to emission, so that nothing comes between a load and its store: the allocator's accesses
//! there could lose the reservation for ever. Barriers stand around them as instructions of their own.
//!
//! Before POWER8 only words and doublewords can be reserved: a byte or halfword is changed within the aligned word that
//! it is part of. Addresses are multiples of the access's size. Scratch registers are `r0`, `r11` and `r12`, and `cr0`.
//! Quadwords are in `quad.rs`.

mod quad;

pub use quad::Quad;

use super::emit::{CR0, Emit, R0, R11, R12, Result, w};
use super::imm::{Cond, Uimm5, Uimm6, Uimm16};
use super::minst::{Features, Inst};
use crate::machinst::atomic::{Rmw, Width, is_signed};
use crate::machinst::{OperandVisitor, Reg, WritableReg};
use core::fmt;
use windlass_ir::{AtomicRmwOp, Endianness, TrapCode};

/// An atomic access that is more than one instruction.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Atomic {
    /// Combines memory with a value.
    Rmw(Rmw),
    /// Replaces what is there if it is as expected, in memory's byte order.
    Cas {
        /// What was there, zeros above.
        old: WritableReg,
        /// Written over.
        temp: WritableReg,
        /// The address.
        address: Reg,
        /// What is expected, zeros above.
        expected: Reg,
        /// What replaces it.
        new: Reg,
        /// What kind of access; not swapped.
        width: Width,
    },
    /// An access to a quadword.
    Quad(Quad),
}

impl Atomic {
    /// Most bytes of its expansion.
    pub const MAX_BYTES: u32 = 208;

    /// Does its expansion change the carry?
    pub fn sets_carry(&self) -> bool {
        matches!(self, Atomic::Quad(quad) if quad.sets_carry())
    }

    /// Shows its operands.
    pub fn visit_operands(&mut self, v: &mut impl OperandVisitor) {
        match self {
            Atomic::Rmw(rmw) => rmw.visit_operands(v),
            // Written while the operands are still wanted: the loop may go round.
            Atomic::Cas { old, temp, address, expected, new, .. } => {
                v.reg_use(address);
                v.reg_use(expected);
                v.reg_use(new);
                v.reg_early_def(old);
                v.reg_early_def(temp);
            }
            Atomic::Quad(quad) => quad.visit_operands(v),
        }
    }

    /// Prints it; `name` names registers.
    pub fn print(
        &self,
        out: &mut impl fmt::Write,
        name: impl Fn(Reg) -> alloc::string::String,
    ) -> fmt::Result {
        let def = |reg: &WritableReg| name(reg.to_reg());
        match self {
            Atomic::Rmw(rmw) => rmw.print(out, name),
            Atomic::Cas { old, temp, address, expected, new, width } => write!(
                out,
                "cas{} {}, {}, [{}], {}, {}",
                width.bits(),
                def(old),
                def(temp),
                name(*address),
                name(*expected),
                name(*new)
            ),
            Atomic::Quad(quad) => quad.print(out, name),
        }
    }
}

/// The condition under which the operand takes the place of what was there and compares so with it.
fn takes_if(op: AtomicRmwOp) -> Option<Cond> {
    match op {
        AtomicRmwOp::Umin | AtomicRmwOp::Smin => Some(Cond::GT),
        AtomicRmwOp::Umax | AtomicRmwOp::Smax => Some(Cond::LT),
        _ => None,
    }
}

impl Emit<'_> {
    pub(super) fn atomic(&mut self, atomic: &Atomic) -> Result {
        match *atomic {
            Atomic::Quad(ref quad) => self.quad(quad),
            Atomic::Rmw(Rmw { old, new, address, operand, op, width }) => {
                if self.is_part(width) {
                    self.rmw_part(old, new, address, operand, op, width)
                } else {
                    self.rmw(old, new, address, operand, op, width)
                }
            }
            Atomic::Cas { old, temp, address, expected, new, width } => {
                if self.is_part(width) {
                    self.cas_part(old, temp, address, expected, new, width)
                } else {
                    self.cas(old, address, expected, new, width)
                }
            }
        }
    }

    /// Is it less than what can be reserved?
    fn is_part(&self, width: Width) -> bool {
        width.bytes < 4 && !self.has(Features::POWER8)
    }

    fn may_trap(&mut self, code: Option<TrapCode>) {
        if let Some(code) = code {
            self.buf.trap_here(code);
        }
    }

    /// `lwarx rt, 0, rb`, or of another width
    fn load_reserved(&mut self, rt: WritableReg, rb: Reg, width: Width) -> Result {
        self.may_trap(width.code);
        self.real(&match width.bytes {
            1 => Inst::LbarxZ { rt, rb },
            2 => Inst::LharxZ { rt, rb },
            4 => Inst::LwarxZ { rt, rb },
            _ => Inst::LdarxZ { rt, rb },
        })
    }

    /// `stwcx. rs, 0, rb ; bne cr0, top`, or of another width
    fn store_conditional(&mut self, rs: Reg, rb: Reg, width: Width, top: u32) -> Result {
        let cr0 = w(CR0);
        self.may_trap(width.code);
        self.real(&match width.bytes {
            1 => Inst::StbcxRcZ { cr0, rs, rb },
            2 => Inst::SthcxRcZ { cr0, rs, rb },
            4 => Inst::StwcxRcZ { cr0, rs, rb },
            _ => Inst::StdcxRcZ { cr0, rs, rb },
        })?;
        let distance = i64::from(top) - i64::from(self.buf.offset());
        self.branch_near(Cond::NE, CR0, distance)
    }

    /// ```text
    /// 1:  lwarx old, 0, address           or lbarx, lharx, ldarx
    ///     …old in the other byte order
    ///     add new, old, operand           or what it is, see combine
    ///     …new in the other byte order
    ///     stwcx. new, 0, address
    ///     bne 1b
    /// ```
    fn rmw(
        &mut self,
        old: WritableReg,
        new: WritableReg,
        address: Reg,
        operand: Reg,
        op: AtomicRmwOp,
        width: Width,
    ) -> Result {
        let top = self.buf.offset();
        self.load_reserved(old, address, width)?;
        self.reverse(old, width)?;
        self.combine(new, old.to_reg(), operand, op, width)?;
        self.reverse(new, width)?;
        self.store_conditional(new.to_reg(), address, width, top)
    }

    /// Within the aligned word that has it: the bits that change, moved to their place, are what its store changes.
    /// ```text
    ///     rlwinm r11, address, 3, 27, 28           bits below it in the word
    ///     xori r11, r11, 24                        of bytes, 16 of halfwords, in big-endian words
    ///     clrrdi r12, address, 2
    /// 1:  lwarx r0, 0, r12
    ///     srw old, r0, r11 ; clrldi old, old, 56
    ///     …new of old, as above
    ///     xor new, new, old ; clrldi new, new, 56
    ///     slw new, new, r11 ; xor r0, r0, new
    ///     stwcx. r0, 0, r12
    ///     bne 1b
    /// ```
    fn rmw_part(
        &mut self,
        old: WritableReg,
        new: WritableReg,
        address: Reg,
        operand: Reg,
        op: AtomicRmwOp,
        width: Width,
    ) -> Result {
        self.word_around(address, width)?;
        let top = self.buf.offset();
        self.load_part(old, width)?;
        self.reverse(old, width)?;
        self.combine(new, old.to_reg(), operand, op, width)?;
        // Changed bits are the same in either order, once turned around.
        self.real(&Inst::Xor { ra: new, rs: new.to_reg(), rb: old.to_reg() })?;
        self.reverse(new, width)?;
        self.store_part(new, width, top)
    }

    /// `r12` is the address of the word around a byte or halfword, `r11` the number of bits below it there.
    fn word_around(&mut self, address: Reg, width: Width) -> Result {
        // Of a halfword's address the lowest bit is 0.
        let (sh, mb, me) = (Uimm5::from_low(3), Uimm5::from_low(27), Uimm5::from_low(28));
        self.real(&Inst::Rlwinm { ra: w(R11), rs: address, sh, mb, me })?;
        if self.target.order() == Endianness::Big {
            let ui = Uimm16::from_low(32 - width.bits());
            self.real(&Inst::Xori { ra: w(R11), rs: R11, ui })?;
        }
        let (sh, me) = (Uimm6::ZERO, Uimm6::from_low(61));
        self.real(&Inst::Rldicr { ra: w(R12), rs: address, sh, me })
    }

    /// ```text
    ///     lwarx r0, 0, r12
    ///     srw old, r0, r11
    ///     clrldi old, old, 56                      or 48
    /// ```
    fn load_part(&mut self, old: WritableReg, width: Width) -> Result {
        self.may_trap(width.code);
        self.real(&Inst::LwarxZ { rt: w(R0), rb: R12 })?;
        self.real(&Inst::Srw { ra: old, rs: R0, rb: R11 })?;
        self.low_bits(old, width)
    }

    /// ```text
    ///     clrldi change, change, 56                or 48
    ///     slw change, change, r11
    ///     xor r0, r0, change
    ///     stwcx. r0, 0, r12
    ///     bne top
    /// ```
    fn store_part(&mut self, change: WritableReg, width: Width, top: u32) -> Result {
        self.low_bits(change, width)?;
        self.real(&Inst::Slw { ra: change, rs: change.to_reg(), rb: R11 })?;
        self.real(&Inst::Xor { ra: w(R0), rs: R0, rb: change.to_reg() })?;
        self.store_conditional(R0, R12, Width { bytes: 4, ..width }, top)
    }

    /// Zeros above a byte or halfword.
    fn low_bits(&mut self, rd: WritableReg, width: Width) -> Result {
        let mb = Uimm6::from_low(64 - width.bits());
        self.real(&Inst::Rldicl { ra: rd, rs: rd.to_reg(), sh: Uimm6::ZERO, mb })
    }

    /// ```text
    ///     add new, old, operand                    or what it is; or the larger or smaller one:
    ///         mr new, old                          or  extsb, extsh, extsw
    ///         cmpd cr0, new, operand               or  cmpld
    ///         bnot-cond cr0, .+8
    ///         mr new, operand
    /// ```
    fn combine(&mut self, new: WritableReg, old: Reg, operand: Reg, op: AtomicRmwOp, width: Width) -> Result {
        let Some(cond) = takes_if(op) else { return self.plain(op, new, old, operand) };
        self.real(&match (is_signed(op), width.bytes) {
            (true, 1) => Inst::Extsb { ra: new, rs: old },
            (true, 2) => Inst::Extsh { ra: new, rs: old },
            (true, 4) => Inst::Extsw { ra: new, rs: old },
            _ => Inst::Or { ra: new, rs: old, rb: old },
        })?;
        let (bf, ra, rb) = (w(CR0), new.to_reg(), operand);
        self.real(&if is_signed(op) { Inst::Cmpd { bf, ra, rb } } else { Inst::Cmpld { bf, ra, rb } })?;
        self.branch_near(cond.invert(), CR0, 8)?;
        self.real(&Inst::Or { ra: new, rs: operand, rb: operand })
    }

    /// An operation that one instruction does.
    fn plain(&mut self, op: AtomicRmwOp, new: WritableReg, old: Reg, operand: Reg) -> Result {
        let (ra, rs, rb) = (new, old, operand);
        self.real(&match op {
            AtomicRmwOp::Add => Inst::Add { rt: new, ra: old, rb },
            AtomicRmwOp::Sub => Inst::Subf { rt: new, ra: operand, rb: old },
            AtomicRmwOp::And => Inst::And { ra, rs, rb },
            AtomicRmwOp::Nand => Inst::Nand { ra, rs, rb },
            AtomicRmwOp::Or => Inst::Or { ra, rs, rb },
            AtomicRmwOp::Xor => Inst::Xor { ra, rs, rb },
            _ => Inst::Or { ra, rs: operand, rb },
        })
    }

    /// Turns the bytes of `rd` around in place, if memory is in the other order.
    fn reverse(&mut self, rd: WritableReg, width: Width) -> Result {
        if width.swapped { self.reverse_bytes(rd, width.bytes) } else { Ok(()) }
    }

    /// Turns the low `bytes` bytes of `rd` around in place, zeros above:
    /// ```text
    ///     brd rd, rd                               from POWER10 on; of less, a shift behind it
    ///     rlwimi rd, rd, 16, 0, 15 ; rlwinm rd, rd, 8, 16, 31                        halfwords
    ///     rotlwi r0, rd, 8 ; rlwimi r0, rd, 24, 0, 7 ; rlwimi r0, rd, 24, 16, 23     words
    ///     mr rd, r0
    ///     srdi r11, rd, 32 ; …both words, to r0 and r12… ; rldimi r12, r0, 32, 0     doublewords
    ///     mr rd, r12
    /// ```
    fn reverse_bytes(&mut self, rd: WritableReg, bytes: u8) -> Result {
        let rs = rd.to_reg();
        let five = Uimm5::from_low;
        if self.has(Features::POWER10) && bytes > 1 {
            self.real(&Inst::Brd { ra: rd, rs })?;
            let bits = 8 * u32::from(bytes);
            let (sh, mb) = (Uimm6::from_low(bits), Uimm6::from_low(64 - bits));
            return if bits == 64 { Ok(()) } else { self.real(&Inst::Rldicl { ra: rd, rs, sh, mb }) };
        }
        match bytes {
            2 => {
                self.real(&Inst::Rlwimi { ra: rd, ra_in: rs, rs, sh: five(16), mb: five(0), me: five(15) })?;
                self.real(&Inst::Rlwinm { ra: rd, rs, sh: five(8), mb: five(16), me: five(31) })
            }
            4 => {
                self.reverse_word(w(R0), rs)?;
                self.copy(rd, R0)
            }
            8 => {
                let (sh, mb) = (Uimm6::from_low(32), Uimm6::from_low(32));
                self.real(&Inst::Rldicl { ra: w(R11), rs, sh, mb })?;
                self.reverse_word(w(R0), rs)?;
                self.reverse_word(w(R12), R11)?;
                self.real(&Inst::Rldimi { ra: w(R12), ra_in: R12, rs: R0, sh, mb: Uimm6::ZERO })?;
                self.copy(rd, R12)
            }
            _ => Ok(()),
        }
    }

    /// The low word of `rs` with its bytes turned around, zeros above.
    fn reverse_word(&mut self, ra: WritableReg, rs: Reg) -> Result {
        let (five, ra_in) = (Uimm5::from_low, ra.to_reg());
        self.real(&Inst::Rlwinm { ra, rs, sh: five(8), mb: five(0), me: five(31) })?;
        self.real(&Inst::Rlwimi { ra, ra_in, rs, sh: five(24), mb: five(0), me: five(7) })?;
        self.real(&Inst::Rlwimi { ra, ra_in, rs, sh: five(24), mb: five(16), me: five(23) })
    }

    /// ```text
    /// 1:  lwarx old, 0, address           or lbarx, lharx, ldarx
    ///     cmpld cr0, old, expected
    ///     bne cr0, 2f
    ///     stwcx. new, 0, address
    ///     bne cr0, 1b
    /// 2:
    /// ```
    fn cas(&mut self, old: WritableReg, address: Reg, expected: Reg, new: Reg, width: Width) -> Result {
        let top = self.buf.offset();
        self.load_reserved(old, address, width)?;
        self.real(&Inst::Cmpld { bf: w(CR0), ra: old.to_reg(), rb: expected })?;
        self.branch_near(Cond::NE, CR0, 12)?;
        self.store_conditional(new, address, width, top)
    }

    /// Within the word around it:
    /// ```text
    /// 1:  …load_part old
    ///     cmpld cr0, old, expected
    ///     bne cr0, 2f
    ///     xor temp, old, new
    ///     …store_part temp, 1b
    /// 2:
    /// ```
    fn cas_part(
        &mut self,
        old: WritableReg,
        temp: WritableReg,
        address: Reg,
        expected: Reg,
        new: Reg,
        width: Width,
    ) -> Result {
        self.word_around(address, width)?;
        let top = self.buf.offset();
        self.load_part(old, width)?;
        self.real(&Inst::Cmpld { bf: w(CR0), ra: old.to_reg(), rb: expected })?;
        self.branch_near(Cond::NE, CR0, 28)?;
        self.real(&Inst::Xor { ra: temp, rs: old.to_reg(), rb: new })?;
        self.store_part(temp, width, top)
    }
}
