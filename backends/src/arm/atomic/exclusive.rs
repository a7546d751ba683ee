//! Loops of exclusive loads and stores, and barriers.

use super::{Atomic, Combine, IP, combine};
use crate::arm::emit::Emit;
use crate::arm::imm::{ArmImm, Barrier, BranchOffset, Cond};
use crate::arm::minst::{Features, Inst};
use crate::machinst::atomic::{PairCas, PairRmw, Rmw, Width, is_signed};
use crate::machinst::{EmitError, Reg, WritableReg};
use windlass_ir::{AtomicRmwOp, TrapCode};

type Result = core::result::Result<(), EmitError>;

impl Emit<'_> {
    /// Orders all accesses before before all accesses after:
    /// ```text
    ///     dmb ish                              from ARMv7 on
    ///     mov ip, #0 ; mcr p15, 0, ip, c7, c10, 5
    /// ```
    pub(in crate::arm) fn barrier(&mut self) -> Result {
        if self.target.features().contains(Features::V7) {
            return self.real(&Inst::Dmb { option: Barrier::Ish });
        }
        self.constant(WritableReg::from_reg(IP), 0)?;
        self.real(&Inst::McrDmb { rt: IP })
    }

    fn may_trap(&mut self, code: Option<TrapCode>) {
        if let Some(code) = code {
            self.buf.trap_here(code);
        }
    }

    /// A load that may trap.
    pub(super) fn load(&mut self, inst: &Inst, code: Option<TrapCode>) -> Result {
        match code {
            Some(code) => self.access(inst, code),
            None => self.real(inst),
        }
    }

    fn load_exclusive(&mut self, rt: WritableReg, rn: Reg, width: Width) -> Result {
        let inst = match width.bytes {
            1 => Inst::Ldrexb { rt, rn },
            2 => Inst::Ldrexh { rt, rn },
            _ => Inst::Ldrex { rt, rn },
        };
        self.load(&inst, width.code)
    }

    fn store_exclusive(&mut self, rt: Reg, rn: Reg, width: Width) -> Result {
        let rd = WritableReg::from_reg(IP);
        self.may_trap(width.code);
        self.real(&match width.bytes {
            1 => Inst::Strexb { rd, rt, rn },
            2 => Inst::Strexh { rd, rt, rn },
            _ => Inst::Strex { rd, rt, rn },
        })
    }

    /// `cmp ip, #0 ; bne top`: again, if the store lost its claim.
    fn retry(&mut self, top: u32) -> Result {
        if let Some(imm) = ArmImm::encode(0) {
            self.real(&Inst::CmpImm { rn: IP, imm })?;
        }
        self.branch_back(Cond::Ne, top)
    }

    /// `bcond top`, a place within the same expansion.
    pub(super) fn branch_back(&mut self, cond: Cond, top: u32) -> Result {
        self.branch_near(cond, top.wrapping_sub(self.buf.offset()) as i32)
    }

    /// A branch within an expansion, `distance` bytes from itself.
    fn branch_near(&mut self, cond: Cond, distance: i32) -> Result {
        let target = BranchOffset::new(distance).unwrap_or(BranchOffset::ZERO);
        self.real(&Inst::BCc { cond, target })
    }

    pub(in crate::arm) fn atomic(&mut self, atomic: &Atomic) -> Result {
        match *atomic {
            Atomic::Rmw(Rmw { old, new, address, operand, op, width }) => {
                let top = self.buf.offset();
                self.load_exclusive(old, address, width)?;
                self.combine(new, old.to_reg(), operand, op, width)?;
                self.store_exclusive(new.to_reg(), address, width)?;
                self.retry(top)
            }
            Atomic::Cas { old, address, expected, new, width } => {
                self.cas(old, address, expected, new, width)
            }
            Atomic::Part { old, new, address, below, change, width } => {
                let word = Width { bytes: 4, ..width };
                let top = self.buf.offset();
                self.load_exclusive(old, address, word)?;
                self.change_part(new, old, below, change, width)?;
                self.store_exclusive(new.to_reg(), address, word)?;
                self.retry(top)
            }
            Atomic::Rmw64(PairRmw { old, new, address, operand, op, swapped, code }) => {
                let top = self.buf.offset();
                self.load(&Inst::Ldrexd { rt: old[0], rt2: old[1], rn: address }, code)?;
                self.combine64(new, old.map(WritableReg::to_reg), operand, op, swapped)?;
                self.store_pair(new.map(WritableReg::to_reg), address, code)?;
                self.retry(top)
            }
            Atomic::Cas64(PairCas { old, address, expected, new, code }) => {
                self.cas64(old, address, expected, new, code)
            }
            Atomic::Store64 { old, address, value, code } => self.store64(old, address, value, code),
            Atomic::Kernel { old, address, below, change, width } => {
                self.kernel_loop(old, address, below, change, width)
            }
            Atomic::Kernel64 { old, address, change, swapped, code } => {
                self.kernel_loop64(old, address, change, swapped, code)
            }
        }
    }

    /// What becomes of `rn`, which is all of what was there, with zeros above.
    /// ```text
    ///     add rd, rn, rm              or what it is; or the larger or smaller one:
    ///         mov rd, rn              (or  sxtb, sxth)
    ///         cmp rd, rm
    ///         movcond rd, rm
    /// ```
    /// Where memory is in the other byte order, `rev rd, rn` before it, of `rd` instead of `rn` from there on, and
    /// `rev rd, rd` behind it.
    pub(super) fn combine(
        &mut self,
        rd: WritableReg,
        rn: Reg,
        rm: Reg,
        op: AtomicRmwOp,
        width: Width,
    ) -> Result {
        let rn = if width.swapped {
            self.reverse(rd, rn, width.bytes)?;
            rd.to_reg()
        } else {
            rn
        };
        match combine(op) {
            Combine::TakeIf(cond) => {
                if is_signed(op) {
                    self.extend(rd, rn, width.bytes, true)?;
                } else {
                    self.copy(rd, rn)?;
                }
                self.take_if(cond, rd, rm)?;
            }
            Combine::Plain => self.operate(op, rd, rn, rm)?,
        }
        if width.swapped { self.reverse(rd, rd.to_reg(), width.bytes) } else { Ok(()) }
    }

    /// `cmp rd, rm ; movcond rd, rm`
    pub(super) fn take_if(&mut self, cond: Cond, rd: WritableReg, rm: Reg) -> Result {
        self.real(&Inst::Cmp { rn: rd.to_reg(), rm })?;
        self.real(&Inst::MovCc { cond, rd, rd_in: rd.to_reg(), rm })
    }

    /// An operation that goes bit by bit, or on words alone.
    pub(super) fn operate(&mut self, op: AtomicRmwOp, rd: WritableReg, rn: Reg, rm: Reg) -> Result {
        self.real(&match op {
            AtomicRmwOp::Add => Inst::Add { rd, rn, rm },
            AtomicRmwOp::Sub => Inst::Sub { rd, rn, rm },
            AtomicRmwOp::And | AtomicRmwOp::Nand => Inst::And { rd, rn, rm },
            AtomicRmwOp::Or => Inst::Orr { rd, rn, rm },
            AtomicRmwOp::Xor => Inst::Eor { rd, rn, rm },
            _ => Inst::Mov { rd, rm },
        })?;
        if op == AtomicRmwOp::Nand {
            self.real(&Inst::Mvn { rd, rm: rd.to_reg() })?;
        }
        Ok(())
    }

    /// ```text
    ///     adds new0, old0, operand0 ; adc new1, old1, operand1     or what it is; or
    ///         mov new0, old0 ; mov new1, old1
    ///         cmp old0, operand0 ; sbcs ip, old1, operand1
    ///         movcond new0, operand0 ; movcond new1, operand1
    /// ```
    /// Where memory is in the other byte order, `rev new0, old1 ; rev new1, old0` before it, of `new` instead of `old`
    /// from there on, and behind it the same in place.
    pub(super) fn combine64(
        &mut self,
        new: [WritableReg; 2],
        old: [Reg; 2],
        operand: [Reg; 2],
        op: AtomicRmwOp,
        swapped: bool,
    ) -> Result {
        let ([rd0, rd1], [rm0, rm1]) = (new, operand);
        let [rn0, rn1] = if swapped {
            self.reverse(rd0, old[1], 4)?;
            self.reverse(rd1, old[0], 4)?;
            new.map(WritableReg::to_reg)
        } else {
            old
        };
        match (op, combine(op)) {
            (_, Combine::TakeIf(cond)) => {
                self.copy(rd0, rn0)?;
                self.copy(rd1, rn1)?;
                self.real(&Inst::Cmp { rn: rn0, rm: rm0 })?;
                self.real(&Inst::Sbcs { rd: WritableReg::from_reg(IP), rn: rn1, rm: rm1 })?;
                self.real(&Inst::MovCc { cond, rd: rd0, rd_in: rd0.to_reg(), rm: rm0 })?;
                self.real(&Inst::MovCc { cond, rd: rd1, rd_in: rd1.to_reg(), rm: rm1 })?;
            }
            (AtomicRmwOp::Add, _) => {
                self.real(&Inst::Adds { rd: rd0, rn: rn0, rm: rm0 })?;
                self.real(&Inst::Adc { rd: rd1, rn: rn1, rm: rm1 })?;
            }
            (AtomicRmwOp::Sub, _) => {
                self.real(&Inst::Subs { rd: rd0, rn: rn0, rm: rm0 })?;
                self.real(&Inst::Sbc { rd: rd1, rn: rn1, rm: rm1 })?;
            }
            _ => {
                self.operate(op, rd0, rn0, rm0)?;
                self.operate(op, rd1, rn1, rm1)?;
            }
        }
        if swapped { self.exchange_ends(new) } else { Ok(()) }
    }

    /// Turns a doubleword around where it is:
    /// ```text
    ///     rev lo, lo ; rev hi, hi
    ///     mov ip, lo ; mov lo, hi ; mov hi, ip
    /// ```
    fn exchange_ends(&mut self, [lo, hi]: [WritableReg; 2]) -> Result {
        self.reverse(lo, lo.to_reg(), 4)?;
        self.reverse(hi, hi.to_reg(), 4)?;
        self.copy(WritableReg::from_reg(IP), lo.to_reg())?;
        self.copy(lo, hi.to_reg())?;
        self.copy(hi, IP)
    }

    /// ```text
    /// 1:  ldrex old, [address]            or ldrexb, ldrexh
    ///     cmp old, expected
    ///     bne 2f
    ///     strex ip, new, [address]
    ///     cmp ip, #0
    ///     bne 1b
    /// 2:
    /// ```
    fn cas(&mut self, old: WritableReg, address: Reg, expected: Reg, new: Reg, width: Width) -> Result {
        let top = self.buf.offset();
        self.load_exclusive(old, address, width)?;
        self.real(&Inst::Cmp { rn: old.to_reg(), rm: expected })?;
        self.branch_near(Cond::Ne, 16)?;
        self.store_exclusive(new, address, width)?;
        self.retry(top)
    }

    /// ```text
    /// 1:  ldrexd old0, old1, [address]
    ///     cmp old0, expected0
    ///     cmpeq old1, expected1
    ///     bne 2f
    ///     strexd ip, new0, new1, [address]
    ///     cmp ip, #0
    ///     bne 1b
    /// 2:
    /// ```
    fn cas64(
        &mut self,
        old: [WritableReg; 2],
        address: Reg,
        expected: [Reg; 2],
        new: [Reg; 2],
        code: Option<TrapCode>,
    ) -> Result {
        let top = self.buf.offset();
        self.load(&Inst::Ldrexd { rt: old[0], rt2: old[1], rn: address }, code)?;
        self.compare_pairs(old.map(WritableReg::to_reg), expected)?;
        self.branch_near(Cond::Ne, 16)?;
        self.store_pair(new, address, code)?;
        self.retry(top)
    }

    /// `cmp a0, b0 ; cmpeq a1, b1`
    pub(super) fn compare_pairs(&mut self, a: [Reg; 2], b: [Reg; 2]) -> Result {
        self.real(&Inst::Cmp { rn: a[0], rm: b[0] })?;
        self.real(&Inst::CmpCc { cond: Cond::Eq, rn: a[1], rm: b[1] })
    }

    /// ```text
    /// 1:  ldrexd old0, old1, [address]
    ///     strexd ip, value0, value1, [address]
    ///     cmp ip, #0
    ///     bne 1b
    /// ```
    fn store64(
        &mut self,
        old: [WritableReg; 2],
        address: Reg,
        value: [Reg; 2],
        code: Option<TrapCode>,
    ) -> Result {
        let top = self.buf.offset();
        self.load(&Inst::Ldrexd { rt: old[0], rt2: old[1], rn: address }, code)?;
        self.store_pair(value, address, code)?;
        self.retry(top)
    }

    fn store_pair(&mut self, [rt, rt2]: [Reg; 2], rn: Reg, code: Option<TrapCode>) -> Result {
        self.may_trap(code);
        self.real(&Inst::Strexd { rd: WritableReg::from_reg(IP), rt, rt2, rn })
    }
}
