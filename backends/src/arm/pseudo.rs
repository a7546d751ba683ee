//! Instructions of ARM code before emission: those of the table, and those that become several.
//!
//! Each pseudo-instruction's expansion is drawn above its `emit_*` in `emit.rs`.

use super::atomic::Atomic;
use super::imm::Cond;
use super::kernel::Helper;
use super::minst::{Flags, Inst};
use super::regs::{self, reg_name};
use crate::machinst::pseudo::{Common, FrameArea};
use crate::machinst::{Label, MachInst, OperandVisitor, Reg, WritableReg};
use alloc::boxed::Box;
use alloc::string::ToString;
use core::fmt;
use windlass_ir::{ExternalName, TrapCode};
use windlass_regalloc::UnitSet;

/// An instruction of ARM code before emission.
#[derive(Clone, PartialEq, Debug)]
pub enum MInst {
    /// What every machine has.
    Common(Common),
    /// An instruction of the table.
    Real(Inst),
    /// An access to memory that traps with `code` if it faults.
    Access {
        /// The load or store.
        inst: Inst,
        /// The trap's code.
        code: TrapCode,
    },
    /// A copy of a core register.
    Move {
        /// Written.
        rd: WritableReg,
        /// Read.
        rm: Reg,
    },
    /// The distance of a thread-local datum from the thread pointer.
    ThreadOffset {
        /// Written.
        rd: WritableReg,
        /// The symbol and an offset in bytes.
        symbol: Box<(ExternalName, i32)>,
    },
    /// The address of the pair of words that tells `__tls_get_addr` which thread-local datum.
    ThreadIndex {
        /// Written.
        rd: WritableReg,
        /// The symbol.
        symbol: Box<ExternalName>,
    },
    /// A register loaded from the frame's argument areas.
    FrameLoad {
        /// Written.
        rd: WritableReg,
        /// Which part.
        area: FrameArea,
        /// Offset in it, in bytes.
        offset: i32,
    },
    /// A register stored to the frame's argument areas.
    FrameStore {
        /// Read.
        rt: Reg,
        /// Which part.
        area: FrameArea,
        /// Offset in it, in bytes.
        offset: i32,
    },
    /// A call of a helper of the kernel without arguments.
    KernelCall {
        /// Which.
        helper: Helper,
        /// What it returns, if it does.
        result: Option<WritableReg>,
    },
    /// A loop of exclusive accesses, or of calls to the kernel.
    Atomic(Box<Atomic>),
    /// Orders all accesses before before all accesses after.
    Barrier,
    /// A conditional branch: two ways.
    CondJump {
        /// When the first way is taken.
        cond: Cond,
        /// The first way.
        then: Label,
        /// The other.
        other: Label,
    },
    /// A trap under a condition.
    TrapIf {
        /// When.
        cond: Cond,
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
            MInst::Move { rd, rm } => {
                v.reg_use(rm);
                v.reg_def(rd);
            }
            MInst::Common(inst) => inst.visit_operands(v),
            MInst::ThreadOffset { rd, .. } | MInst::ThreadIndex { rd, .. } | MInst::FrameLoad { rd, .. } => {
                v.reg_def(rd)
            }
            MInst::FrameStore { rt, .. } => v.reg_use(rt),
            MInst::KernelCall { result, .. } => {
                result.iter_mut().for_each(|rd| v.reg_fixed_def(rd, regs::r(0)))
            }
            MInst::Atomic(atomic) => atomic.visit_operands(v),
            MInst::Barrier | MInst::CondJump { .. } | MInst::TrapIf { .. } => {}
        }
    }

    fn clobbers(&self) -> UnitSet {
        match self {
            MInst::Common(inst) => inst.clobbers(),
            MInst::KernelCall { helper, .. } => helper.clobbers(),
            MInst::Atomic(atomic) => atomic.clobbers(),
            _ => UnitSet::EMPTY,
        }
    }

    fn as_move(&self) -> Option<(WritableReg, Reg)> {
        match *self {
            MInst::Move { rd, rm } => Some((rd, rm)),
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
            MInst::ThreadOffset { .. } | MInst::ThreadIndex { .. } => true,
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

    /// NOTE[arm-flags]: the flags are the condition flags. Nothing that the allocator and the emitter insert sets them.
    fn reads_flags(&self) -> bool {
        match self {
            MInst::CondJump { .. } | MInst::TrapIf { .. } => true,
            _ => self.real().is_some_and(|inst| inst.reads_flags().contains(Flags::NZCV)),
        }
    }

    fn sets_flags(&self) -> bool {
        self.real().is_some_and(|inst| inst.sets_flags().contains(Flags::NZCV))
    }

    fn loses_flags(&self) -> bool {
        match self {
            MInst::Common(inst) => inst.is_call(),
            MInst::KernelCall { .. } | MInst::Atomic(_) => true,
            _ => false,
        }
    }

    fn print(&self, out: &mut impl fmt::Write) -> fmt::Result {
        match self {
            MInst::Real(inst) => write!(out, "{inst}"),
            MInst::Access { inst, code } => write!(out, "{inst} ; {code}"),
            MInst::Common(inst) => inst.print(out, &name),
            MInst::Move { rd, rm } => write!(out, "mov {}, {}", name(rd.to_reg()), name(*rm)),
            MInst::ThreadOffset { rd, symbol } => {
                write!(out, "thread_offset {}, {}{:+}", name(rd.to_reg()), symbol.0, symbol.1)
            }
            MInst::ThreadIndex { rd, symbol } => {
                write!(out, "thread_index {}, {symbol}", name(rd.to_reg()))
            }
            MInst::FrameLoad { rd, area, offset } => {
                write!(out, "ldr {}, ", name(rd.to_reg()))?;
                area.print(out, *offset)
            }
            MInst::FrameStore { rt, area, offset } => {
                write!(out, "str {}, ", name(*rt))?;
                area.print(out, *offset)
            }
            MInst::KernelCall { helper, result } => {
                write!(out, "call {}", helper.name())?;
                result.iter().try_for_each(|rd| write!(out, " -> {}=r0", name(rd.to_reg())))
            }
            MInst::Atomic(atomic) => atomic.print(out, name),
            MInst::Barrier => write!(out, "barrier"),
            MInst::CondJump { cond, then, other } => write!(out, "b{cond} {then} else {other}"),
            MInst::TrapIf { cond, code } => write!(out, "trap{cond} {code}"),
        }
    }
}

fn name(reg: Reg) -> alloc::string::String {
    match reg.as_preg() {
        Some(preg) => reg_name(preg).to_string(),
        None => reg.to_string(),
    }
}
