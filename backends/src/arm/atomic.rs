//! Atomic accesses: loops of exclusive loads and stores (A3.4).
//!
//! Each is one instruction up to emission, so that nothing comes between an exclusive load and its store: the
//! allocator's loads and stores there could clear the monitor for ever. Barriers stand around them as instructions
//! of their own: before a store and after a load, both for what does both, which is sequentially consistent.
//!
//! Addresses are multiples of the access's size; what is not faults.

use super::emit::Emit;
use super::imm::{ArmImm, Barrier, BranchOffset, Cond};
use super::minst::{Features, Inst};
use super::regs::{self, r};
use crate::machinst::{EmitError, OperandVisitor, Reg, WritableReg};
use core::fmt;
use windlass_ir::{AtomicRmwOp, TrapCode};
use windlass_regalloc::PReg;

const IP: Reg = Reg::from_preg(regs::IP);

/// What an access of up to a word is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Width {
    /// Bytes: 1, 2 or 4.
    pub bytes: u8,
    /// Is memory in the other byte order?
    pub swapped: bool,
    /// How it traps if it faults.
    pub code: Option<TrapCode>,
}

/// An atomic access that is more than one instruction.
///
/// Doublewords are in fixed registers, because an even register and its successor are wanted for what is read and for
/// what is written at the same time: the address in `lr`, what was there in `r0:r1`, operand or replacement in `r2:r3`,
/// what is written or expected in `r4:r5`.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Atomic {
    /// Combines memory with a value.
    Rmw {
        /// What was there.
        old: WritableReg,
        /// Written over: what is stored.
        new: WritableReg,
        /// The address.
        address: Reg,
        /// The value; extended for the operations that compare.
        operand: Reg,
        /// How they are combined.
        op: AtomicRmwOp,
        /// What kind of access.
        width: Width,
    },
    /// Replaces what is there if it is as expected, in memory's byte order.
    Cas {
        /// What was there.
        old: WritableReg,
        /// The address.
        address: Reg,
        /// What is expected, zeros above.
        expected: Reg,
        /// What replaces it.
        new: Reg,
        /// What kind of access; not swapped.
        width: Width,
    },
    /// Combines a doubleword of memory with a value.
    Rmw64 {
        /// What was there.
        old: [WritableReg; 2],
        /// Written over: what is stored.
        new: [WritableReg; 2],
        /// The address.
        address: Reg,
        /// The value.
        operand: [Reg; 2],
        /// How they are combined.
        op: AtomicRmwOp,
        /// Is memory in the other byte order?
        swapped: bool,
        /// How it traps if it faults.
        code: Option<TrapCode>,
    },
    /// Replaces a doubleword if it is as expected, in memory's byte order.
    Cas64 {
        /// What was there.
        old: [WritableReg; 2],
        /// The address.
        address: Reg,
        /// What is expected.
        expected: [Reg; 2],
        /// What replaces it.
        new: [Reg; 2],
        /// How it traps if it faults.
        code: Option<TrapCode>,
    },
    /// Stores a doubleword, in memory's byte order: STRD need not be atomic without the large physical address
    /// extension (A3.5.3).
    Store64 {
        /// Written over: what was there.
        old: [WritableReg; 2],
        /// The address.
        address: Reg,
        /// The value.
        value: [Reg; 2],
        /// How it traps if it faults.
        code: Option<TrapCode>,
    },
}

const ADDRESS: PReg = regs::LR;
const OLD: [PReg; 2] = [r(0), r(1)];
const OPERAND: [PReg; 2] = [r(2), r(3)];
const OTHER: [PReg; 2] = [r(4), r(5)];

fn each_use(v: &mut impl OperandVisitor, regs: &mut [Reg; 2], pregs: [PReg; 2]) {
    regs.iter_mut().zip(pregs).for_each(|(reg, preg)| v.reg_fixed_use(reg, preg));
}

fn each_def(v: &mut impl OperandVisitor, regs: &mut [WritableReg; 2], pregs: [PReg; 2]) {
    regs.iter_mut().zip(pregs).for_each(|(reg, preg)| v.reg_fixed_def(reg, preg));
}

impl Atomic {
    /// Most bytes of its expansion.
    pub const MAX_BYTES: u32 = 96;

    /// Shows its operands.
    pub fn visit_operands(&mut self, v: &mut impl OperandVisitor) {
        match self {
            // Written while the operands are still wanted: the loop may go round.
            Atomic::Rmw { old, new, address, operand, .. } => {
                v.reg_use(address);
                v.reg_use(operand);
                v.reg_early_def(old);
                v.reg_early_def(new);
            }
            Atomic::Cas { old, address, expected, new, .. } => {
                v.reg_use(address);
                v.reg_use(expected);
                v.reg_use(new);
                v.reg_early_def(old);
            }
            Atomic::Rmw64 { old, new, address, operand, .. } => {
                v.reg_fixed_use(address, ADDRESS);
                each_use(v, operand, OPERAND);
                each_def(v, old, OLD);
                each_def(v, new, OTHER);
            }
            Atomic::Cas64 { old, address, expected, new, .. } => {
                v.reg_fixed_use(address, ADDRESS);
                each_use(v, new, OPERAND);
                each_use(v, expected, OTHER);
                each_def(v, old, OLD);
            }
            Atomic::Store64 { old, address, value, .. } => {
                v.reg_fixed_use(address, ADDRESS);
                each_use(v, value, OPERAND);
                each_def(v, old, OLD);
            }
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
            Atomic::Rmw { old, new, address, operand, op, width } => write!(
                out,
                "atomic{} {op} {}, {}, [{}], {}",
                8 * width.bytes,
                def(old),
                def(new),
                name(*address),
                name(*operand)
            ),
            Atomic::Cas { old, address, expected, new, width } => write!(
                out,
                "cas{} {}, [{}], {}, {}",
                8 * width.bytes,
                def(old),
                name(*address),
                name(*expected),
                name(*new)
            ),
            Atomic::Rmw64 { old: [a, b], new: [c, d], address, operand: [e, f], op, .. } => {
                write!(out, "atomic64 {op} {}:{}, {}:{}, ", def(a), def(b), def(c), def(d))?;
                write!(out, "[{}], {}:{}", name(*address), name(*e), name(*f))
            }
            Atomic::Cas64 { old: [a, b], address, expected: [c, d], new: [e, f], .. } => {
                write!(out, "cas64 {}:{}, [{}], ", def(a), def(b), name(*address))?;
                write!(out, "{}:{}, {}:{}", name(*c), name(*d), name(*e), name(*f))
            }
            Atomic::Store64 { old: [a, b], address, value: [c, d], .. } => {
                let (a, b) = (def(a), def(b));
                write!(out, "store64 {}:{}, [{}], {a}:{b}", name(*c), name(*d), name(*address))
            }
        }
    }
}

type Result = core::result::Result<(), EmitError>;

/// What `new` becomes of what was there: by one instruction, or by the choice of the operand under a condition.
enum Combine {
    Plain,
    /// The operand, if what was there compares so with it.
    TakeIf(Cond),
}

fn combine(op: AtomicRmwOp) -> Combine {
    match op {
        AtomicRmwOp::Umin => Combine::TakeIf(Cond::Hs),
        AtomicRmwOp::Umax => Combine::TakeIf(Cond::Lo),
        AtomicRmwOp::Smin => Combine::TakeIf(Cond::Ge),
        AtomicRmwOp::Smax => Combine::TakeIf(Cond::Lt),
        _ => Combine::Plain,
    }
}

fn signed(op: AtomicRmwOp) -> bool {
    matches!(op, AtomicRmwOp::Smin | AtomicRmwOp::Smax)
}

impl Emit<'_> {
    /// Orders all accesses before before all accesses after:
    /// ```text
    ///     dmb ish                              from ARMv7 on
    ///     mov ip, #0 ; mcr p15, 0, ip, c7, c10, 5
    /// ```
    pub(super) fn barrier(&mut self) -> Result {
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

    fn load_exclusive(&mut self, rt: WritableReg, rn: Reg, width: Width) -> Result {
        let inst = match width.bytes {
            1 => Inst::Ldrexb { rt, rn },
            2 => Inst::Ldrexh { rt, rn },
            _ => Inst::Ldrex { rt, rn },
        };
        match width.code {
            Some(code) => self.access(&inst, code),
            None => self.real(&inst),
        }
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
        self.branch_near(Cond::Ne, top.wrapping_sub(self.buf.offset()) as i32)
    }

    /// A branch within an expansion, `distance` bytes from itself.
    fn branch_near(&mut self, cond: Cond, distance: i32) -> Result {
        let target = BranchOffset::new(distance).unwrap_or(BranchOffset::ZERO);
        self.real(&Inst::BCc { cond, target })
    }

    /// Reverses the bytes of `reg`, of a value of 2 or 4.
    fn reverse(&mut self, rd: WritableReg, width: Width) -> Result {
        let rm = rd.to_reg();
        match (width.swapped, width.bytes) {
            (true, 2) => self.real(&Inst::Rev16 { rd, rm }),
            (true, 4) => self.real(&Inst::Rev { rd, rm }),
            _ => Ok(()),
        }
    }

    /// Reverses the bytes of a doubleword.
    fn reverse_pair(&mut self, [lo, hi]: [WritableReg; 2], swapped: bool) -> Result {
        if !swapped {
            return Ok(());
        }
        self.real(&Inst::Rev { rd: WritableReg::from_reg(IP), rm: lo.to_reg() })?;
        self.real(&Inst::Rev { rd: lo, rm: hi.to_reg() })?;
        self.real(&Inst::Mov { rd: hi, rm: IP })
    }

    pub(super) fn atomic(&mut self, atomic: &Atomic) -> Result {
        match *atomic {
            Atomic::Rmw { old, new, address, operand, op, width } => {
                self.rmw(old, new, address, operand, op, width)
            }
            Atomic::Cas { old, address, expected, new, width } => {
                self.cas(old, address, expected, new, width)
            }
            Atomic::Rmw64 { old, new, address, operand, op, swapped, code } => {
                let top = self.buf.offset();
                self.load_pair(old, address, code)?;
                self.reverse_pair(old, swapped)?;
                self.combine64(old, new, operand, op)?;
                self.reverse_pair(new, swapped)?;
                self.store_pair(new.map(WritableReg::to_reg), address, code)?;
                self.retry(top)
            }
            Atomic::Cas64 { old, address, expected, new, code } => {
                self.cas64(old, address, expected, new, code)
            }
            Atomic::Store64 { old, address, value, code } => self.store64(old, address, value, code),
        }
    }

    /// ```text
    /// 1:  ldrex old, [address]            or ldrexb, ldrexh
    ///     rev old, old                    where memory is in the other byte order
    ///     add new, old, operand           or what it is; or the larger or smaller one:
    ///         mov new, old                (or  sxtb, sxth)
    ///         cmp new, operand
    ///         movcond new, operand
    ///     rev new, new
    ///     strex ip, new, [address]
    ///     cmp ip, #0
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
        self.load_exclusive(old, address, width)?;
        self.reverse(old, width)?;
        let (rd, rn, rm) = (new, old.to_reg(), operand);
        match combine(op) {
            Combine::TakeIf(cond) => {
                self.real(&match (signed(op), width.bytes) {
                    (true, 1) => Inst::Sxtb { rd, rm: rn },
                    (true, 2) => Inst::Sxth { rd, rm: rn },
                    _ => Inst::Mov { rd, rm: rn },
                })?;
                self.real(&Inst::Cmp { rn: new.to_reg(), rm })?;
                self.real(&Inst::MovCc { cond, rd, rd_in: rd.to_reg(), rm })?;
            }
            Combine::Plain => self.operate(op, rd, rn, rm)?,
        }
        self.reverse(new, width)?;
        self.store_exclusive(new.to_reg(), address, width)?;
        self.retry(top)
    }

    /// An operation that goes bit by bit, or on words alone.
    fn operate(&mut self, op: AtomicRmwOp, rd: WritableReg, rn: Reg, rm: Reg) -> Result {
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
    fn combine64(
        &mut self,
        old: [WritableReg; 2],
        new: [WritableReg; 2],
        operand: [Reg; 2],
        op: AtomicRmwOp,
    ) -> Result {
        let [rn0, rn1] = old.map(WritableReg::to_reg);
        let ([rd0, rd1], [rm0, rm1]) = (new, operand);
        match (op, combine(op)) {
            (_, Combine::TakeIf(cond)) => {
                self.real(&Inst::Mov { rd: rd0, rm: rn0 })?;
                self.real(&Inst::Mov { rd: rd1, rm: rn1 })?;
                self.real(&Inst::Cmp { rn: rn0, rm: rm0 })?;
                self.real(&Inst::Sbcs { rd: WritableReg::from_reg(IP), rn: rn1, rm: rm1 })?;
                self.real(&Inst::MovCc { cond, rd: rd0, rd_in: rd0.to_reg(), rm: rm0 })?;
                self.real(&Inst::MovCc { cond, rd: rd1, rd_in: rd1.to_reg(), rm: rm1 })
            }
            (AtomicRmwOp::Add, _) => {
                self.real(&Inst::Adds { rd: rd0, rn: rn0, rm: rm0 })?;
                self.real(&Inst::Adc { rd: rd1, rn: rn1, rm: rm1 })
            }
            (AtomicRmwOp::Sub, _) => {
                self.real(&Inst::Subs { rd: rd0, rn: rn0, rm: rm0 })?;
                self.real(&Inst::Sbc { rd: rd1, rn: rn1, rm: rm1 })
            }
            _ => {
                self.operate(op, rd0, rn0, rm0)?;
                self.operate(op, rd1, rn1, rm1)
            }
        }
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
        self.load_pair(old, address, code)?;
        self.real(&Inst::Cmp { rn: old[0].to_reg(), rm: expected[0] })?;
        self.real(&Inst::CmpCc { cond: Cond::Eq, rn: old[1].to_reg(), rm: expected[1] })?;
        self.branch_near(Cond::Ne, 16)?;
        self.store_pair(new, address, code)?;
        self.retry(top)
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
        self.load_pair(old, address, code)?;
        self.store_pair(value, address, code)?;
        self.retry(top)
    }

    fn load_pair(&mut self, [rt, rt2]: [WritableReg; 2], rn: Reg, code: Option<TrapCode>) -> Result {
        let inst = Inst::Ldrexd { rt, rt2, rn };
        match code {
            Some(code) => self.access(&inst, code),
            None => self.real(&inst),
        }
    }

    fn store_pair(&mut self, [rt, rt2]: [Reg; 2], rn: Reg, code: Option<TrapCode>) -> Result {
        self.may_trap(code);
        self.real(&Inst::Strexd { rd: WritableReg::from_reg(IP), rt, rt2, rn })
    }
}
