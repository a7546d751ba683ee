//! Instructions of PowerPC code before emission: those of the table, and those that become several.
//!
//! Each pseudo-instruction's expansion is drawn above its `emit_*` in `emit.rs`.

use super::atomic::Atomic;
use super::imm::Cond;
use super::memory::{At, Moved, Placed};
use super::minst::{Flags, Inst};
use super::regs::{self, reg_name};
use super::threads::ThreadCall;
use crate::machinst::pseudo::{Common, FrameArea};
use crate::machinst::{Label, MachInst, OperandVisitor, Reg, WritableReg};
use alloc::boxed::Box;
use alloc::string::ToString;
use core::fmt;
use windlass_ir::{ExternalName, TrapCode};
use windlass_regalloc::UnitSet;

/// What is loaded from or stored to a place in the frame's argument areas.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum FrameData {
    /// A doubleword of a general-purpose register.
    Doubleword,
    /// A float of 8 bytes.
    Double,
    /// A float of 4 bytes, which a register holds in the format of 8.
    Single,
}

/// What moves between a general-purpose and a floating-point register.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Transfer {
    /// The 64 bits of a general-purpose register become those of a floating-point one.
    ToFloat,
    /// The reverse.
    FromFloat,
    /// The low 32 bits of a general-purpose register are those of a single.
    ToSingle,
    /// The reverse. What is above the 32 bits is zero.
    FromSingle,
}

/// An instruction of PowerPC code before emission.
#[derive(Clone, PartialEq, Debug)]
pub enum MInst {
    /// What every machine has.
    Common(Common),
    /// An instruction of the table.
    Real(Inst),
    /// An instruction that traps with `code`: a conditional trap, or an access to memory that faults.
    Access {
        /// The trap, load or store.
        inst: Inst,
        /// The trap's code.
        code: TrapCode,
    },
    /// A copy of a general-purpose register.
    Move {
        /// Written.
        rd: WritableReg,
        /// Read.
        rm: Reg,
    },
    /// A load or store in a stack slot or at a symbol.
    Placed(Box<Placed>),
    /// A load from the frame's argument areas.
    FrameLoad {
        /// Written.
        rd: WritableReg,
        /// Which part.
        area: FrameArea,
        /// Offset in it, in bytes.
        offset: i32,
        /// What is there.
        data: FrameData,
    },
    /// A store to the frame's argument areas.
    FrameStore {
        /// Read.
        rt: Reg,
        /// Which part.
        area: FrameArea,
        /// Offset in it, in bytes.
        offset: i32,
        /// What goes there.
        data: FrameData,
    },
    /// A move between the files of registers, through the bytes below the stack pointer where there is no instruction.
    Transfer {
        /// Written.
        rd: WritableReg,
        /// Read.
        rm: Reg,
        /// What moves where.
        kind: Transfer,
    },
    /// 1 if a condition holds, else 0.
    SetIf {
        /// Written.
        rd: WritableReg,
        /// The condition.
        cond: Cond,
        /// The condition register field that it is about.
        cr: Reg,
    },
    /// One of two registers of one class.
    Select {
        /// Written.
        rd: WritableReg,
        /// When `new` is chosen.
        cond: Cond,
        /// The condition register field.
        cr: Reg,
        /// What is chosen if the condition holds.
        new: Reg,
        /// What is chosen otherwise, in the result's register.
        old: Reg,
    },
    /// The address of a thread-local datum at a constant distance from the thread pointer.
    ThreadAddr {
        /// Written.
        rd: WritableReg,
        /// The symbol, and an offset in bytes.
        symbol: Box<(ExternalName, i64)>,
    },
    /// The call that gives the address of a thread-local datum.
    ThreadCall(Box<ThreadCall>),
    /// A loop of accesses with reservation.
    Atomic(Box<Atomic>),
    /// A conditional branch: two ways.
    CondJump {
        /// When the first way is taken.
        cond: Cond,
        /// The condition register field.
        cr: Reg,
        /// The first way.
        then: Label,
        /// The other.
        other: Label,
    },
    /// A trap under a condition that no trap instruction asks for.
    TrapIf {
        /// When.
        cond: Cond,
        /// The condition register field.
        cr: Reg,
        /// Why.
        code: TrapCode,
    },
}

const _: () = assert!(size_of::<MInst>() <= 32, "instructions are meant to be small");

impl MInst {
    /// The instruction of the table in it, if it is one.
    pub fn real(&self) -> Option<&Inst> {
        match self {
            MInst::Real(inst) | MInst::Access { inst, .. } => Some(inst),
            _ => None,
        }
    }
}

impl From<Common> for MInst {
    fn from(inst: Common) -> MInst {
        MInst::Common(inst)
    }
}

impl MachInst for MInst {
    fn visit_operands(&mut self, v: &mut impl OperandVisitor) {
        match self {
            MInst::Real(inst) | MInst::Access { inst, .. } => inst.visit_operands(v),
            MInst::Move { rd, rm } | MInst::Transfer { rd, rm, .. } => {
                v.reg_use(rm);
                v.reg_def(rd);
            }
            MInst::Common(inst) => inst.visit_operands(v),
            MInst::ThreadAddr { rd, .. } | MInst::FrameLoad { rd, .. } => v.reg_def(rd),
            MInst::Placed(placed) => match &mut placed.moved {
                Moved::Load(rt) => v.reg_def(rt),
                Moved::Store(rs) => v.reg_use(rs),
            },
            MInst::FrameStore { rt, .. } => v.reg_use(rt),
            MInst::SetIf { rd, cr, .. } => {
                v.reg_use(cr);
                v.reg_def(rd);
            }
            MInst::Select { rd, cr, new, old, .. } => {
                v.reg_use(old);
                v.reg_use(new);
                v.reg_use(cr);
                v.reg_reuse_def(rd, 0);
            }
            MInst::ThreadCall(info) => info.call.visit_operands(v),
            MInst::CondJump { cr, .. } | MInst::TrapIf { cr, .. } => v.reg_use(cr),
            MInst::Atomic(atomic) => atomic.visit_operands(v),
        }
    }

    fn clobbers(&self) -> UnitSet {
        match self {
            MInst::ThreadCall(info) => info.call.clobbers,
            // What the conditional store and the comparison before it set.
            MInst::Atomic(_) | MInst::Common(Common::Table { .. }) => regs::units(regs::cr(0)),
            MInst::Common(inst) => inst.clobbers(),
            _ => UnitSet::EMPTY,
        }
    }

    fn as_move(&self) -> Option<(WritableReg, Reg)> {
        match *self {
            MInst::Move { rd, rm } => Some((rd, rm)),
            MInst::Real(Inst::Fmr { frt, frb }) => Some((frt, frb)),
            _ => None,
        }
    }

    fn as_jump(&self) -> Option<Label> {
        match self {
            MInst::Common(inst) => inst.as_jump(),
            _ => None,
        }
    }

    fn is_remat(&self) -> bool {
        match self {
            MInst::Common(inst) => inst.is_remat(),
            MInst::ThreadAddr { .. } => true,
            _ => false,
        }
    }

    fn map_labels(&mut self, map: &mut dyn FnMut(Label) -> Label) {
        match self {
            MInst::Common(inst) => inst.map_labels(map),
            MInst::CondJump { then, other, .. } => {
                *then = map(*then);
                *other = map(*other);
            }
            _ => {}
        }
    }

    /// NOTE[ppc64-carry]: the flag is the carry bit. Nothing that the allocator and the emitter insert sets it.
    fn reads_flags(&self) -> bool {
        self.real().is_some_and(|inst| inst.reads_flags().contains(Flags::CA))
    }

    fn sets_flags(&self) -> bool {
        self.real().is_some_and(|inst| inst.sets_flags().contains(Flags::CA))
    }

    fn loses_flags(&self) -> bool {
        match self {
            MInst::Common(inst) => inst.is_call(),
            MInst::ThreadCall(_) => true,
            MInst::Atomic(atomic) => atomic.sets_carry(),
            _ => false,
        }
    }

    fn print(&self, out: &mut impl fmt::Write) -> fmt::Result {
        let suffix = |data: &FrameData| match data {
            FrameData::Doubleword => "d",
            FrameData::Double => "fd",
            FrameData::Single => "fs",
        };
        match self {
            MInst::Real(inst) => write!(out, "{inst}"),
            MInst::Access { inst, code } => write!(out, "{inst} ; {code}"),
            MInst::Common(inst) => inst.print(out, &name),
            MInst::Move { rd, rm } => write!(out, "mr {}, {}", name(rd.to_reg()), name(*rm)),
            MInst::ThreadAddr { rd, symbol } => {
                write!(out, "thread {}, {}{:+}", name(rd.to_reg()), symbol.0, symbol.1)
            }
            MInst::ThreadCall(info) => {
                write!(out, "thread {}{:+} ", info.symbol.0, info.symbol.1)?;
                info.call.print(out, &name)
            }
            MInst::FrameLoad { rd, area, offset, data } => {
                write!(out, "l{} {}, ", suffix(data), name(rd.to_reg()))?;
                area.print(out, *offset)
            }
            MInst::Placed(placed) => {
                let Placed { moved, data, at, .. } = &**placed;
                match moved {
                    Moved::Load(rt) => write!(out, "l{} {}, ", data.name(), name(rt.to_reg()))?,
                    Moved::Store(rs) => write!(out, "st{} {}, ", data.name(), name(*rs))?,
                }
                match at {
                    At::Slot(slot, offset) => write!(out, "[{slot}{offset:+}]"),
                    At::Symbol(symbol) => write!(out, "[{}{:+}]", symbol.name, symbol.offset),
                }
            }
            MInst::FrameStore { rt, area, offset, data } => {
                write!(out, "st{} {}, ", suffix(data), name(*rt))?;
                area.print(out, *offset)
            }
            MInst::Transfer { rd, rm, kind } => {
                let what = match kind {
                    Transfer::ToFloat => "tofloat",
                    Transfer::FromFloat => "fromfloat",
                    Transfer::ToSingle => "tosingle",
                    Transfer::FromSingle => "fromsingle",
                };
                write!(out, "{what} {}, {}", name(rd.to_reg()), name(*rm))
            }
            MInst::SetIf { rd, cond, cr } => write!(out, "set{cond} {}, {}", name(rd.to_reg()), name(*cr)),
            MInst::Select { rd, cond, cr, new, old } => {
                write!(
                    out,
                    "select{cond} {}, {}, {}, {}",
                    name(rd.to_reg()),
                    name(*cr),
                    name(*new),
                    name(*old)
                )
            }
            MInst::Atomic(atomic) => atomic.print(out, name),
            MInst::CondJump { cond, cr, then, other } => {
                write!(out, "b{cond} {}, {then} else {other}", name(*cr))
            }
            MInst::TrapIf { cond, cr, code } => write!(out, "trap{cond} {}, {code}", name(*cr)),
        }
    }
}

fn name(reg: Reg) -> alloc::string::String {
    match reg.as_preg() {
        Some(preg) => reg_name(preg).to_string(),
        None => reg.to_string(),
    }
}
