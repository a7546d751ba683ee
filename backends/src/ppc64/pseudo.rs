//! Instructions of PowerPC code before emission: those of the table, and those that become several.
//!
//! Each pseudo-instruction's expansion is drawn above its `emit_*` in `emit.rs`.

use super::atomic::Atomic;
use super::imm::Cond;
use super::minst::{Flags, Inst};
use super::regs::{self, reg_name};
use super::threads::ThreadCall;
pub use crate::machinst::pseudo::{CallInfo, CallTarget, FrameArea, TableInfo};
use crate::machinst::trycall::TryCallInfo;
use crate::machinst::{Label, MachInst, OperandVisitor, Reg, WritableReg};
use alloc::boxed::Box;
use alloc::string::ToString;
use core::fmt;
use windlass_ir::{ExternalName, TrapCode};
use windlass_regalloc::{PReg, UnitSet};

/// A symbol whose address is wanted.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct SymbolInfo {
    /// Its name.
    pub name: ExternalName,
    /// Added to its address, in bytes.
    pub offset: i64,
    /// It ends up in the same module: its distance from the table of contents is known when that is linked.
    pub colocated: bool,
}

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
    /// A constant.
    Const {
        /// Written.
        rd: WritableReg,
        /// The constant.
        value: u64,
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
        /// The symbol.
        symbol: Box<SymbolInfo>,
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
    /// The address of a thread-local datum at a constant distance from the thread pointer.
    ThreadAddr {
        /// Written.
        rd: WritableReg,
        /// The symbol, and an offset in bytes.
        symbol: Box<(ExternalName, i64)>,
    },
    /// The call that gives the address of a thread-local datum.
    ThreadCall(Box<ThreadCall>),
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
    /// A loop of accesses with reservation.
    Atomic(Box<Atomic>),
    /// A jump.
    Jump {
        /// Where to.
        to: Label,
    },
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
    /// A branch through a table.
    Table {
        /// The index, zeros above 32 bits.
        index: Reg,
        /// The destinations.
        info: Box<TableInfo>,
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

    /// Does its expansion change the carry?
    pub fn sets_flags(&self) -> bool {
        match self {
            MInst::Real(inst) | MInst::Access { inst, .. } => inst.sets_flags().contains(Flags::CA),
            MInst::Call(_) | MInst::TryCall(_) | MInst::ThreadCall(_) => true,
            MInst::Atomic(atomic) => atomic.sets_carry(),
            _ => false,
        }
    }

    /// Does it depend on the carry?
    pub fn reads_flags(&self) -> bool {
        self.real().is_some_and(|inst| inst.reads_flags().contains(Flags::CA))
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
            MInst::Const { rd, .. }
            | MInst::Float32 { rd, .. }
            | MInst::Float64 { rd, .. }
            | MInst::Symbol { rd, .. }
            | MInst::ThreadAddr { rd, .. }
            | MInst::FrameAddr { rd, .. }
            | MInst::LabelAddr { rd, .. }
            | MInst::FrameLoad { rd, .. } => v.reg_def(rd),
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
            MInst::Args { defs } => defs.iter_mut().for_each(|(reg, preg)| v.reg_fixed_def(reg, *preg)),
            MInst::Return { uses } => uses.iter_mut().for_each(|(reg, preg)| v.reg_fixed_use(reg, *preg)),
            MInst::Call(info) | MInst::TailCall(info) => info.visit_operands(v),
            MInst::ThreadCall(info) => info.call.visit_operands(v),
            MInst::TryCall(info) => info.visit_operands(v),
            MInst::Landing { defs } => defs.iter_mut().for_each(|(reg, preg)| v.reg_entry_def(reg, *preg)),
            MInst::CondJump { cr, .. } | MInst::TrapIf { cr, .. } => v.reg_use(cr),
            MInst::Table { index, .. } => v.reg_use(index),
            MInst::Atomic(atomic) => atomic.visit_operands(v),
            MInst::Jump { .. } | MInst::Trap { .. } => {}
        }
    }

    fn clobbers(&self) -> UnitSet {
        match self {
            MInst::Call(info) => info.clobbers,
            MInst::TryCall(info) => info.call.clobbers,
            MInst::ThreadCall(info) => info.call.clobbers,
            // What the conditional store and the comparison before it set.
            MInst::Atomic(_) | MInst::Table { .. } => regs::units(regs::cr(0)),
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
                | MInst::ThreadAddr { .. }
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
        let suffix = |data: &FrameData| match data {
            FrameData::Doubleword => "d",
            FrameData::Double => "fd",
            FrameData::Single => "fs",
        };
        match self {
            MInst::Real(inst) => write!(out, "{inst}"),
            MInst::Access { inst, code } => write!(out, "{inst} ; {code}"),
            MInst::Move { rd, rm } => write!(out, "mr {}, {}", name(rd.to_reg()), name(*rm)),
            MInst::Const { rd, value } => write!(out, "const {}, {value:#x}", name(rd.to_reg())),
            MInst::Float32 { rd, bits } => write!(out, "float {}, {bits:#x}", name(rd.to_reg())),
            MInst::Float64 { rd, bits } => write!(out, "float {}, {bits:#x}", name(rd.to_reg())),
            MInst::Symbol { rd, symbol } => {
                write!(out, "symbol {}, {}{:+}", name(rd.to_reg()), symbol.name, symbol.offset)
            }
            MInst::ThreadAddr { rd, symbol } => {
                write!(out, "thread {}, {}{:+}", name(rd.to_reg()), symbol.0, symbol.1)
            }
            MInst::ThreadCall(info) => {
                write!(out, "thread {}{:+} ", info.symbol.0, info.symbol.1)?;
                info.call.print(out, &name)
            }
            MInst::FrameAddr { rd, area: a, offset } => {
                write!(out, "addr {}, {}", name(rd.to_reg()), area(*a, *offset))
            }
            MInst::FrameLoad { rd, area: a, offset, data } => {
                write!(out, "l{} {}, {}", suffix(data), name(rd.to_reg()), area(*a, *offset))
            }
            MInst::FrameStore { rt, area: a, offset, data } => {
                write!(out, "st{} {}, {}", suffix(data), name(*rt), area(*a, *offset))
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
            MInst::TryCall(info) => info.print(out, &name),
            MInst::Landing { defs } => {
                write!(out, "landing")?;
                print_places(out, defs.iter().map(|(reg, preg)| (reg.to_reg(), *preg)))
            }
            MInst::LabelAddr { rd, label } => write!(out, "addr {}, {label}", name(rd.to_reg())),
            MInst::Atomic(atomic) => atomic.print(out, name),
            MInst::Jump { to } => write!(out, "b {to}"),
            MInst::CondJump { cond, cr, then, other } => {
                write!(out, "b{cond} {}, {then} else {other}", name(*cr))
            }
            MInst::Table { index, info } => {
                write!(out, "table {}, {}, [", name(*index), info.default)?;
                for (i, label) in info.targets.iter().enumerate() {
                    write!(out, "{}{label}", if i == 0 { "" } else { ", " })?;
                }
                write!(out, "]")
            }
            MInst::TrapIf { cond, cr, code } => write!(out, "trap{cond} {}, {code}", name(*cr)),
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

/// Prints ` %1=r3 %2=r4`.
fn print_places(out: &mut impl fmt::Write, places: impl Iterator<Item = (Reg, PReg)>) -> fmt::Result {
    for (reg, preg) in places {
        write!(out, " {}={}", name(reg), reg_name(preg))?;
    }
    Ok(())
}
