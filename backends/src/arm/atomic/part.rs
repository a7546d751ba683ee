//! A byte or a halfword in the word around it, and what processors before ARMv6 extend and turn around by hand.
//!
//! Everything here may use `ip`.

use super::{Change, Combine, IP, combine};
use crate::arm::emit::Emit;
use crate::arm::imm::{Amt1To31, Amt1To32, ArmImm, Cond, ShiftImm, ShiftKind, known};
use crate::arm::minst::{Features, Inst};
use crate::machinst::atomic::{Width, is_signed};
use crate::machinst::{EmitError, Reg, WritableReg};

type Result = core::result::Result<(), EmitError>;

/// A shift by 1 to 31.
const fn shift(kind: ShiftKind, amount: u32) -> ShiftImm {
    match ShiftImm::new(kind, amount) {
        Some(shift) => shift,
        None => ShiftImm::LSL_1,
    }
}

impl Emit<'_> {
    fn has_v6(&self) -> bool {
        self.target.features().contains(Features::V6)
    }

    /// The low byte or halfword of a register, zeros or its sign above:
    /// ```text
    ///     uxtb rd, rm                 or sxtb, uxth, sxth
    ///     and rd, rm, #255            before ARMv6, or
    ///     lsl rd, rm, #16 ; lsr rd, rd, #16
    /// ```
    pub(super) fn extend(&mut self, rd: WritableReg, rm: Reg, bytes: u8, signed: bool) -> Result {
        if self.has_v6() || bytes == 4 {
            return match (bytes, signed) {
                (1, false) => self.real(&Inst::Uxtb { rd, rm }),
                (1, true) => self.real(&Inst::Sxtb { rd, rm }),
                (2, false) => self.real(&Inst::Uxth { rd, rm }),
                (2, true) => self.real(&Inst::Sxth { rd, rm }),
                _ => self.copy(rd, rm),
            };
        }
        let (left, right) = if bytes == 1 {
            if !signed {
                return self.real(&Inst::AndImm { rd, rn: rm, imm: known!(ArmImm::encode(255)) });
            }
            (known!(Amt1To31::new(24)), known!(Amt1To32::new(24)))
        } else {
            (known!(Amt1To31::new(16)), known!(Amt1To32::new(16)))
        };
        self.real(&Inst::LslImm { rd, rm, amount: left })?;
        let rm = rd.to_reg();
        self.real(&if signed {
            Inst::AsrImm { rd, rm, amount: right }
        } else {
            Inst::LsrImm { rd, rm, amount: right }
        })
    }

    /// The bytes of a word or of a register's low halfword in reverse order; above a halfword stands anything.
    /// ```text
    ///     rev rd, rm                  or rev16
    ///     eor ip, rm, rm, ror #16 ; bic ip, ip, #0xff0000      before ARMv6
    ///     ror rd, rm, #8 ; eor rd, rd, ip, lsr #8
    ///     lsl ip, rm, #24 ; lsl rd, rm, #16                    a halfword
    ///     lsr rd, rd, #24 ; orr rd, rd, ip, lsr #16
    /// ```
    pub(super) fn reverse(&mut self, rd: WritableReg, rm: Reg, bytes: u8) -> Result {
        let ip = WritableReg::from_reg(IP);
        match (bytes, self.has_v6()) {
            (2, true) => self.real(&Inst::Rev16 { rd, rm }),
            (4, true) => self.real(&Inst::Rev { rd, rm }),
            (2, false) => {
                self.real(&Inst::LslImm { rd: ip, rm, amount: known!(Amt1To31::new(24)) })?;
                self.real(&Inst::LslImm { rd, rm, amount: known!(Amt1To31::new(16)) })?;
                self.real(&Inst::LsrImm { rd, rm: rd.to_reg(), amount: known!(Amt1To32::new(24)) })?;
                let shift = const { shift(ShiftKind::Lsr, 16) };
                self.real(&Inst::OrrShift { rd, rn: rd.to_reg(), rm: IP, shift })
            }
            (4, false) => {
                let (ror, lsr) = const { (shift(ShiftKind::Ror, 16), shift(ShiftKind::Lsr, 8)) };
                self.real(&Inst::EorShift { rd: ip, rn: rm, rm, shift: ror })?;
                self.real(&Inst::BicImm { rd: ip, rn: IP, imm: known!(ArmImm::encode(0xff_0000)) })?;
                self.real(&Inst::RorImm { rd, rm, amount: known!(Amt1To31::new(8)) })?;
                self.real(&Inst::EorShift { rd, rn: rd.to_reg(), rm: IP, shift: lsr })
            }
            _ => self.copy(rd, rm),
        }
    }

    /// What a word becomes when a part of it changes. `old` is the word, and is left rotated so that the part is at the
    /// bottom.
    /// ```text
    ///     ror old, old, below
    ///     add new, old, operand       or what it is, see combine_part
    ///     eor new, new, old           what is above the part comes from old
    ///     uxtb new, new               (or  uxth)
    ///     eor new, new, old
    ///     rsb ip, below, #32
    ///     ror new, new, ip
    /// ```
    pub(super) fn change_part(
        &mut self,
        new: WritableReg,
        old: WritableReg,
        below: Reg,
        change: Change<Reg>,
        width: Width,
    ) -> Result {
        let word = old.to_reg();
        self.real(&Inst::Ror { rd: old, rm: word, rs: below })?;
        self.combine_part(new, word, change, width)?;
        self.real(&Inst::Eor { rd: new, rn: new.to_reg(), rm: word })?;
        self.extend(new, new.to_reg(), width.bytes, false)?;
        self.real(&Inst::Eor { rd: new, rn: new.to_reg(), rm: word })?;
        let ip = WritableReg::from_reg(IP);
        self.real(&Inst::RsbImm { rd: ip, rn: below, imm: known!(ArmImm::encode(32)) })?;
        self.real(&Inst::Ror { rd: new, rm: new.to_reg(), rs: IP })
    }

    /// What becomes of the low part of `rn`; above it stands anything.
    /// ```text
    ///     add rd, rn, operand         or what it is; or the larger or smaller one:
    ///         uxtb rd, rn             (or  sxtb, uxth, sxth)
    ///         cmp rd, operand
    ///         movcond rd, operand
    ///     uxtb ip, rn                 of a comparison
    ///         cmp ip, expected
    ///         mov rd, rn
    ///         moveq rd, new
    /// ```
    fn combine_part(&mut self, rd: WritableReg, rn: Reg, change: Change<Reg>, width: Width) -> Result {
        match change {
            Change::Keep | Change::CasStored(_) => self.copy(rd, rn),
            Change::Cas { expected, new } => {
                self.extend(WritableReg::from_reg(IP), rn, width.bytes, false)?;
                self.real(&Inst::Cmp { rn: IP, rm: expected })?;
                self.copy(rd, rn)?;
                self.real(&Inst::MovCc { cond: Cond::Eq, rd, rd_in: rd.to_reg(), rm: new })
            }
            Change::Rmw(op, rm) => match combine(op) {
                // The word's upper bits are in the way of a comparison.
                Combine::TakeIf(cond) => {
                    if width.swapped {
                        self.reverse(rd, rn, width.bytes)?;
                    }
                    let rn = if width.swapped { rd.to_reg() } else { rn };
                    self.extend(rd, rn, width.bytes, is_signed(op))?;
                    self.take_if(cond, rd, rm)?;
                    if width.swapped { self.reverse(rd, rd.to_reg(), width.bytes) } else { Ok(()) }
                }
                Combine::Plain => self.combine(rd, rn, rm, op, width),
            },
        }
    }
}
