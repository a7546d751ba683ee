//! Atomic accesses: loops of exclusive loads and stores (A3.4), or of the kernel's compare-and-swap.
//!
//! Each is one instruction up to emission, so that nothing comes between an exclusive load and its store: the
//! allocator's loads and stores there could clear the monitor for ever. Barriers stand around them as instructions
//! of their own: before a store and after a load, both for what does both, which is sequentially consistent. The
//! kernel's helpers have their barriers in them.
//!
//! Exclusive accesses are words on ARMv6, of all sizes from ARMv6K on. Where there is none of a byte's or a
//! halfword's size, the loop is one of the word around it, whose other bits go back as they came. Before ARMv6, and for
//! doublewords before ARMv6K, the loop is one of [`Helper`](super::kernel::Helper) calls; a failed comparison stores
//! what was there, so that it is ordered and read in one piece as a successful one is.
//!
//! Addresses are multiples of the access's size; what is not faults, or accesses the word below. What was there comes
//! as it stands in memory. In the other byte order whoever selects turns operands and results around, except for what
//! counts or compares: that is turned around in the loop (`swapped`).

mod exclusive;
mod kernel;
mod part;
pub(super) mod select;

use super::imm::Cond;
use super::regs::{self, r};
use crate::machinst::atomic::{PairCas, PairRmw, Rmw, Width};
use crate::machinst::{OperandVisitor, Reg, WritableReg};
use core::fmt;
use windlass_ir::{AtomicRmwOp, TrapCode};
use windlass_regalloc::{PReg, UnitSet};

const IP: Reg = Reg::from_preg(regs::IP);

/// What becomes of what was there; `R` is the registers of a value.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Change<R> {
    /// It is combined with a value, extended for the operations that compare.
    Rmw(AtomicRmwOp, R),
    /// It is replaced if it is as expected.
    Cas {
        /// What is expected, zeros above.
        expected: R,
        /// What replaces it.
        new: R,
    },
    /// It is replaced by what the frame has for it if it is as expected.
    CasStored(R),
    /// Nothing: it is read.
    Keep,
}

/// An atomic access that is more than one instruction.
///
/// Exclusive doublewords are in fixed registers, because an even register and its successor are wanted for what is
/// read and for what is written at the same time: the address in `lr`, what was there in `r0:r1`, what is written in
/// `r2:r3`. The kernel's helpers take an address in `r2`; what was there is kept in the lowest bytes of the frame, so
/// that a loop needs three registers that calls leave alone, and no more.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Atomic {
    /// Combines memory with a value.
    Rmw(Rmw),
    /// Replaces what is there if it is as expected.
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
    /// Changes a part of a word by exclusive accesses to the word.
    Part {
        /// The word that was there, rotated so that the part is at the bottom.
        old: WritableReg,
        /// Written over: what is stored.
        new: WritableReg,
        /// The word's address.
        address: Reg,
        /// How many bits of the word are below the part.
        below: Reg,
        /// What becomes of the part.
        change: Change<Reg>,
        /// What kind of access; 1 or 2 bytes.
        width: Width,
    },
    /// Combines a doubleword of memory with a value.
    Rmw64(PairRmw),
    /// Replaces a doubleword if it is as expected.
    Cas64(PairCas),
    /// Stores a doubleword: STRD need not be atomic without the large physical address extension (A3.5.3).
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
    /// Changes memory by the kernel's compare-and-swap of words. What was there is in the lowest [`KERNEL_BYTES`] of
    /// the frame.
    Kernel {
        /// What was there; of a part, the word, rotated so that the part is at the bottom.
        old: WritableReg,
        /// The word's address.
        address: Reg,
        /// For a part of a word, how many bits of the word are below it.
        below: Option<Reg>,
        /// What becomes of it.
        change: Change<Reg>,
        /// What kind of access.
        width: Width,
    },
    /// Changes a doubleword by the kernel's compare-and-swap of doublewords. What was there, what it stores and, of
    /// [`Change::CasStored`], the replacement are in the lowest [`KERNEL64_BYTES`] of the frame.
    Kernel64 {
        /// What was there.
        old: [WritableReg; 2],
        /// The address.
        address: Reg,
        /// What becomes of it.
        change: Change<[Reg; 2]>,
        /// Is what was there turned around in the loop, and what takes its place?
        swapped: bool,
        /// How it traps if it faults.
        code: Option<TrapCode>,
    },
}

/// Bytes of the frame's outgoing area that [`Atomic::Kernel`] needs.
pub const KERNEL_BYTES: u32 = 4;
/// Bytes of the frame's outgoing area that [`Atomic::Kernel64`] needs: three doublewords.
pub const KERNEL64_BYTES: u32 = 24;
/// Where in them the replacement is.
pub const KERNEL64_REPLACEMENT: i32 = 16;

const ADDRESS: PReg = regs::LR;
const OLD: [PReg; 2] = [r(0), r(1)];
const WRITTEN: [PReg; 2] = [r(2), r(3)];
/// Where the kernel's helpers take the address, and leave it.
const KERNEL_ADDRESS: PReg = r(2);
/// What loops around the kernel's helpers write over: `r0` and `r1`, the helpers' arguments; `r3`, theirs; `lr`.
const KERNEL_CLOBBERS: UnitSet = regs::gpr_units(0x400b);

fn each_use(v: &mut impl OperandVisitor, regs: &mut [Reg; 2], pregs: [PReg; 2]) {
    regs.iter_mut().zip(pregs).for_each(|(reg, preg)| v.reg_fixed_use(reg, preg));
}

fn each_def(v: &mut impl OperandVisitor, regs: &mut [WritableReg; 2], pregs: [PReg; 2]) {
    regs.iter_mut().zip(pregs).for_each(|(reg, preg)| v.reg_fixed_def(reg, preg));
}

impl<R> Change<R> {
    /// Its registers.
    fn each(&mut self, mut f: impl FnMut(&mut R)) {
        match self {
            Change::Rmw(_, operand) | Change::CasStored(operand) => f(operand),
            Change::Cas { expected, new } => {
                f(expected);
                f(new);
            }
            Change::Keep => {}
        }
    }

    /// Prints it as words behind the access; `name` names registers.
    fn print(&self, out: &mut impl fmt::Write, name: impl Fn(&R) -> alloc::string::String) -> fmt::Result {
        match self {
            Change::Rmw(op, operand) => write!(out, ", {op} {}", name(operand)),
            Change::Cas { expected, new } => write!(out, ", cas {}, {}", name(expected), name(new)),
            Change::CasStored(expected) => write!(out, ", cas {}", name(expected)),
            Change::Keep => Ok(()),
        }
    }
}

impl Atomic {
    /// Most bytes of its expansion.
    pub const MAX_BYTES: u32 = 160;

    /// Shows its operands.
    pub fn visit_operands(&mut self, v: &mut impl OperandVisitor) {
        match self {
            Atomic::Rmw(rmw) => rmw.visit_operands(v),
            // Written while the operands are still wanted: the loop may go round.
            Atomic::Cas { old, address, expected, new, .. } => {
                v.reg_use(address);
                v.reg_use(expected);
                v.reg_use(new);
                v.reg_early_def(old);
            }
            Atomic::Part { old, new, address, below, change, .. } => {
                v.reg_use(address);
                v.reg_use(below);
                change.each(|reg| v.reg_use(reg));
                v.reg_early_def(old);
                v.reg_early_def(new);
            }
            Atomic::Rmw64(PairRmw { old, new, address, operand, .. }) => {
                // The loop may go round: what it reads is not where it writes.
                v.reg_fixed_use(address, ADDRESS);
                operand.iter_mut().for_each(|reg| v.reg_late_use(reg));
                each_def(v, old, OLD);
                each_def(v, new, WRITTEN);
            }
            Atomic::Cas64(PairCas { old, address, expected, new, .. }) => {
                v.reg_fixed_use(address, ADDRESS);
                each_use(v, new, WRITTEN);
                expected.iter_mut().for_each(|reg| v.reg_late_use(reg));
                each_def(v, old, OLD);
            }
            Atomic::Store64 { old, address, value, .. } => {
                v.reg_fixed_use(address, ADDRESS);
                each_use(v, value, WRITTEN);
                each_def(v, old, OLD);
            }
            // Late: not where the helper writes.
            Atomic::Kernel { old, address, below, change, .. } => {
                v.reg_fixed_use(address, KERNEL_ADDRESS);
                below.iter_mut().for_each(|reg| v.reg_late_use(reg));
                change.each(|reg| v.reg_late_use(reg));
                v.reg_fixed_def(old, OLD[0]);
            }
            Atomic::Kernel64 { old, address, change, .. } => {
                v.reg_fixed_use(address, KERNEL_ADDRESS);
                change.each(|regs| regs.iter_mut().for_each(|reg| v.reg_late_use(reg)));
                each_def(v, old, OLD);
            }
        }
    }

    /// What it writes over besides its operands.
    pub fn clobbers(&self) -> UnitSet {
        match self {
            Atomic::Kernel { .. } | Atomic::Kernel64 { .. } => KERNEL_CLOBBERS,
            _ => UnitSet::EMPTY,
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
            Atomic::Cas { old, address, expected, new, width } => write!(
                out,
                "cas{} {}, [{}], {}, {}",
                width.bits(),
                def(old),
                name(*address),
                name(*expected),
                name(*new)
            ),
            Atomic::Part { old, new, address, below, change, width } => {
                let (old, new, bits) = (def(old), def(new), width.bits());
                write!(out, "part{bits} {old}, {new}, [{}], {}", name(*address), name(*below))?;
                change.print(out, |&reg| name(reg))
            }
            Atomic::Rmw64(PairRmw { old: [a, b], new: [c, d], address, operand: [e, f], op, .. }) => {
                write!(out, "atomic64 {op} {}:{}, {}:{}, ", def(a), def(b), def(c), def(d))?;
                write!(out, "[{}], {}:{}", name(*address), name(*e), name(*f))
            }
            Atomic::Cas64(PairCas { old: [a, b], address, expected: [c, d], new: [e, f], .. }) => {
                write!(out, "cas64 {}:{}, [{}], ", def(a), def(b), name(*address))?;
                write!(out, "{}:{}, {}:{}", name(*c), name(*d), name(*e), name(*f))
            }
            Atomic::Store64 { old: [a, b], address, value: [c, d], .. } => {
                let (a, b) = (def(a), def(b));
                write!(out, "store64 {}:{}, [{}], {a}:{b}", name(*c), name(*d), name(*address))
            }
            Atomic::Kernel { old, address, below, change, width } => {
                write!(out, "kernel{} {}, [{}]", width.bits(), def(old), name(*address))?;
                if let Some(below) = below {
                    write!(out, ", {}", name(*below))?;
                }
                change.print(out, |&reg| name(reg))
            }
            Atomic::Kernel64 { old: [a, b], address, change, .. } => {
                write!(out, "kernel64 {}:{}, [{}]", def(a), def(b), name(*address))?;
                change.print(out, |&[a, b]| alloc::format!("{}:{}", name(a), name(b)))
            }
        }
    }
}

/// What memory becomes: by one instruction, or by the choice of the operand under a condition.
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

/// Is every bit of the result made of the bits at its own place? Then it does not matter in which order the bytes are.
pub(super) fn bitwise(op: AtomicRmwOp) -> bool {
    use AtomicRmwOp::*;
    matches!(op, And | Nand | Or | Xor | Xchg)
}
