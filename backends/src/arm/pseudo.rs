//! Instructions of ARM code before emission: those of the table, and those that become several.
//!
//! Each pseudo-instruction's expansion is drawn above its `emit_*` in `emit.rs`.

use super::atomic::Atomic;
use super::imm::Cond;
use super::kernel::Helper;
use super::minst::Inst;
use super::regs::{self, reg_name};
pub use crate::machinst::pseudo::{CallInfo, CallTarget, FrameArea, TableInfo};
use crate::machinst::trycall::TryCallInfo;
use crate::machinst::{Label, MachInst, OperandVisitor, Reg, WritableReg};
use alloc::boxed::Box;
use alloc::string::ToString;
use core::fmt;
use windlass_ir::{ExternalName, TrapCode};
use windlass_regalloc::{PReg, UnitSet};

/// An instruction of ARM code before emission.
#[derive(Clone, PartialEq, Debug)]
pub enum MInst {
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
    /// A constant.
    Const {
        /// Written.
        rd: WritableReg,
        /// The constant.
        value: u32,
    },
    /// A single-precision constant.
    Float32 {
        /// Written.
        rd: WritableReg,
        /// Its bits.
        bits: u32,
    },
    /// A double-precision constant.
    Float64 {
        /// Written.
        rd: WritableReg,
        /// Its bits.
        bits: u64,
    },
    /// The address of a symbol.
    Symbol {
        /// Written.
        rd: WritableReg,
        /// The symbol and an offset in bytes.
        symbol: Box<(ExternalName, i32)>,
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
    /// An address in the frame.
    FrameAddr {
        /// Written.
        rd: WritableReg,
        /// Which part.
        area: FrameArea,
        /// Offset in it, in bytes.
        offset: i32,
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
    /// The function's arguments in registers, on entry.
    Args {
        /// Where each goes and where it is.
        defs: Box<[(WritableReg, PReg)]>,
    },
    /// Return with results in registers.
    Return {
        /// What they are and where they go.
        uses: Box<[(Reg, PReg)]>,
    },
    /// A call.
    Call(Box<CallInfo>),
    /// A call of a helper of the kernel without arguments.
    KernelCall {
        /// Which.
        helper: Helper,
        /// What it returns, if it does.
        result: Option<WritableReg>,
    },
    /// A call that may throw.
    TryCall(Box<TryCallInfo>),
    /// What an exception that is caught brings, at the start of the handler's edge.
    Landing {
        /// Where each goes and where it is.
        defs: Box<[(WritableReg, PReg)]>,
    },
    /// The address of a place in the code.
    LabelAddr {
        /// Written.
        rd: WritableReg,
        /// Which place.
        label: Label,
    },
    /// A call that takes this function's place.
    TailCall(Box<CallInfo>),
    /// A loop of exclusive accesses, or of calls to the kernel.
    Atomic(Box<Atomic>),
    /// Orders all accesses before before all accesses after.
    Barrier,
    /// A jump.
    Jump {
        /// Where to.
        to: Label,
    },
    /// A conditional branch: two ways.
    CondJump {
        /// When the first way is taken.
        cond: Cond,
        /// The first way.
        then: Label,
        /// The other.
        other: Label,
    },
    /// A branch through a table.
    Table {
        /// The index.
        index: Reg,
        /// The destinations.
        info: Box<TableInfo>,
    },
    /// A trap under a condition.
    TrapIf {
        /// When.
        cond: Cond,
        /// Why.
        code: TrapCode,
    },
    /// A trap.
    Trap {
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

    /// Does its expansion change the condition flags?
    pub fn sets_flags(&self) -> bool {
        match self {
            MInst::Real(inst) | MInst::Access { inst, .. } => {
                inst.sets_flags().contains(super::minst::Flags::NZCV)
            }
            MInst::Call(_)
            | MInst::TryCall(_)
            | MInst::KernelCall { .. }
            | MInst::Table { .. }
            | MInst::Atomic(_) => true,
            _ => false,
        }
    }

    /// Does it depend on the condition flags?
    pub fn reads_flags(&self) -> bool {
        match self {
            MInst::Real(inst) | MInst::Access { inst, .. } => {
                inst.reads_flags().contains(super::minst::Flags::NZCV)
            }
            MInst::CondJump { .. } | MInst::TrapIf { .. } => true,
            _ => false,
        }
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
            MInst::Const { rd, .. }
            | MInst::Float32 { rd, .. }
            | MInst::Float64 { rd, .. }
            | MInst::Symbol { rd, .. }
            | MInst::ThreadOffset { rd, .. }
            | MInst::ThreadIndex { rd, .. }
            | MInst::FrameAddr { rd, .. }
            | MInst::LabelAddr { rd, .. }
            | MInst::FrameLoad { rd, .. } => v.reg_def(rd),
            MInst::FrameStore { rt, .. } => v.reg_use(rt),
            MInst::Args { defs } => defs.iter_mut().for_each(|(reg, preg)| v.reg_fixed_def(reg, *preg)),
            MInst::Return { uses } => uses.iter_mut().for_each(|(reg, preg)| v.reg_fixed_use(reg, *preg)),
            MInst::Call(info) | MInst::TailCall(info) => info.visit_operands(v),
            MInst::TryCall(info) => info.visit_operands(v),
            MInst::Landing { defs } => defs.iter_mut().for_each(|(reg, preg)| v.reg_entry_def(reg, *preg)),
            MInst::KernelCall { result, .. } => {
                result.iter_mut().for_each(|rd| v.reg_fixed_def(rd, regs::r(0)))
            }
            MInst::Table { index, .. } => v.reg_use(index),
            MInst::Atomic(atomic) => atomic.visit_operands(v),
            MInst::Barrier
            | MInst::Jump { .. }
            | MInst::CondJump { .. }
            | MInst::TrapIf { .. }
            | MInst::Trap { .. } => {}
        }
    }

    fn clobbers(&self) -> UnitSet {
        match self {
            MInst::Call(info) => info.clobbers,
            MInst::KernelCall { helper, .. } => helper.clobbers(),
            MInst::Atomic(atomic) => atomic.clobbers(),
            MInst::TryCall(info) => info.call.clobbers,
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
        match *self {
            MInst::Jump { to } => Some(to),
            _ => None,
        }
    }

    fn is_remat(&self) -> bool {
        matches!(
            self,
            MInst::Const { .. }
                | MInst::Float32 { .. }
                | MInst::Float64 { .. }
                | MInst::Symbol { .. }
                | MInst::ThreadOffset { .. }
                | MInst::ThreadIndex { .. }
                | MInst::FrameAddr { .. }
        )
    }

    fn map_labels(&mut self, map: &mut dyn FnMut(Label) -> Label) {
        match self {
            MInst::Jump { to } => *to = map(*to),
            MInst::CondJump { then, other, .. } => {
                *then = map(*then);
                *other = map(*other);
            }
            MInst::TryCall(info) => info.map_labels(map),
            MInst::LabelAddr { label, .. } => *label = map(*label),
            MInst::Table { info, .. } => {
                info.default = map(info.default);
                info.targets.iter_mut().for_each(|label| *label = map(*label));
            }
            _ => {}
        }
    }

    fn print(&self, out: &mut impl fmt::Write) -> fmt::Result {
        let area = |area: FrameArea, offset: i32| match area {
            FrameArea::Slot(slot) => alloc::format!("[{slot}{offset:+}]"),
            FrameArea::Incoming => alloc::format!("[incoming{offset:+}]"),
            FrameArea::Record => alloc::format!("[record{offset:+}]"),
            FrameArea::Outgoing => alloc::format!("[outgoing{offset:+}]"),
        };
        match self {
            MInst::Real(inst) => write!(out, "{inst}"),
            MInst::Access { inst, code } => write!(out, "{inst} ; {code}"),
            MInst::Move { rd, rm } => write!(out, "mov {}, {}", name(rd.to_reg()), name(*rm)),
            MInst::Const { rd, value } => write!(out, "const {}, {value:#x}", name(rd.to_reg())),
            MInst::Float32 { rd, bits } => write!(out, "float {}, {bits:#x}", name(rd.to_reg())),
            MInst::Float64 { rd, bits } => write!(out, "float {}, {bits:#x}", name(rd.to_reg())),
            MInst::Symbol { rd, symbol } => {
                write!(out, "symbol {}, {}{:+}", name(rd.to_reg()), symbol.0, symbol.1)
            }
            MInst::ThreadOffset { rd, symbol } => {
                write!(out, "thread_offset {}, {}{:+}", name(rd.to_reg()), symbol.0, symbol.1)
            }
            MInst::ThreadIndex { rd, symbol } => {
                write!(out, "thread_index {}, {symbol}", name(rd.to_reg()))
            }
            MInst::FrameAddr { rd, area: a, offset } => {
                write!(out, "addr {}, {}", name(rd.to_reg()), area(*a, *offset))
            }
            MInst::FrameLoad { rd, area: a, offset } => {
                write!(out, "ldr {}, {}", name(rd.to_reg()), area(*a, *offset))
            }
            MInst::FrameStore { rt, area: a, offset } => {
                write!(out, "str {}, {}", name(*rt), area(*a, *offset))
            }
            MInst::Args { defs } => {
                write!(out, "args")?;
                let defs = defs.iter().map(|(reg, preg)| (reg.to_reg(), *preg));
                print_places(out, defs)
            }
            MInst::Return { uses } => {
                write!(out, "return")?;
                print_places(out, uses.iter().copied())
            }
            MInst::Call(info) => info.print(out, &name),
            MInst::TailCall(info) => {
                write!(out, "tail ")?;
                info.print(out, &name)
            }
            MInst::KernelCall { helper, result } => {
                write!(out, "call {}", helper.name())?;
                result.iter().try_for_each(|rd| write!(out, " -> {}=r0", name(rd.to_reg())))
            }
            MInst::TryCall(info) => info.print(out, &name),
            MInst::Landing { defs } => {
                write!(out, "landing")?;
                print_places(out, defs.iter().map(|(reg, preg)| (reg.to_reg(), *preg)))
            }
            MInst::LabelAddr { rd, label } => write!(out, "addr {}, {label}", name(rd.to_reg())),
            MInst::Atomic(atomic) => atomic.print(out, name),
            MInst::Barrier => write!(out, "barrier"),
            MInst::Jump { to } => write!(out, "b {to}"),
            MInst::CondJump { cond, then, other } => write!(out, "b{cond} {then} else {other}"),
            MInst::Table { index, info } => {
                write!(out, "table {}, {}, [", name(*index), info.default)?;
                for (i, label) in info.targets.iter().enumerate() {
                    write!(out, "{}{label}", if i == 0 { "" } else { ", " })?;
                }
                write!(out, "]")
            }
            MInst::TrapIf { cond, code } => write!(out, "trap{cond} {code}"),
            MInst::Trap { code } => write!(out, "trap {code}"),
        }
    }
}

fn name(reg: Reg) -> alloc::string::String {
    match reg.as_preg() {
        Some(preg) => reg_name(preg).to_string(),
        None => reg.to_string(),
    }
}

/// Prints ` %1=r0 %2=r1`.
fn print_places(out: &mut impl fmt::Write, places: impl Iterator<Item = (Reg, PReg)>) -> fmt::Result {
    for (reg, preg) in places {
        write!(out, " {}={}", name(reg), regs::reg_name(preg))?;
    }
    Ok(())
}
