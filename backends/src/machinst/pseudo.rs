//! Pseudo-instructions that every machine has: calls, jump tables, constants, addresses, parts of the frame.
//!
//! [`Common`] is a variant of each machine's instructions. What the allocator and the printer have to know of it is here;
//! [`Emitter`](super::Emitter) says what a machine does to emit it.

use super::trycall::TryCallInfo;
use super::{Label, OperandVisitor, Reg, WritableReg};
use alloc::boxed::Box;
use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;
use windlass_ir::{ExternalName, StackSlot, TrapCode};
use windlass_regalloc::{PReg, UnitSet};

/// Who is called.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum CallTarget {
    /// A function by name, within reach of a branch or of the linker's veneer.
    Name {
        /// The name.
        symbol: ExternalName,
        /// It ends up in the same module as its caller: no dynamic linker comes between.
        colocated: bool,
    },
    /// The function at the address in the first use of the call.
    Reg,
    /// The function whose address is in memory, at an offset from a register that is never allocated.
    Memory {
        /// The register.
        base: PReg,
        /// In bytes; the target takes only what an instruction can hold.
        offset: i32,
        /// Why the access traps, if it may.
        code: Option<TrapCode>,
    },
}

/// A call: who, what is passed and returned in which registers, and what is lost.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct CallInfo {
    /// Who is called.
    pub target: CallTarget,
    /// For [`CallTarget::Reg`], the register with the address.
    pub callee: Option<Reg>,
    /// Arguments in registers.
    pub uses: Vec<(Reg, PReg)>,
    /// Results in registers.
    pub defs: Vec<(WritableReg, PReg)>,
    /// What the callee may destroy.
    pub clobbers: UnitSet,
    /// Bytes of stack arguments that the callee takes off the stack.
    pub popped_bytes: u32,
}

impl CallInfo {
    /// Shows the callee, the arguments and the results.
    pub fn visit_operands(&mut self, v: &mut impl OperandVisitor) {
        if let Some(callee) = &mut self.callee {
            v.reg_use(callee);
        }
        self.uses.iter_mut().for_each(|(reg, preg)| v.reg_fixed_use(reg, *preg));
        self.defs.iter_mut().for_each(|(reg, preg)| v.reg_fixed_def(reg, *preg));
    }

    /// Prints `call %f %1=r0 -> %2=r0`; `name` is the printer's of registers.
    pub fn print(&self, out: &mut impl fmt::Write, name: &dyn Fn(Reg) -> String) -> fmt::Result {
        match (&self.target, self.callee) {
            (CallTarget::Name { symbol, .. }, _) => write!(out, "call {symbol}")?,
            (CallTarget::Reg, callee) => write!(out, "call {}", name(callee.unwrap_or(Reg::NONE)))?,
            (CallTarget::Memory { base, offset, .. }, _) => {
                write!(out, "call [{}{offset:+}]", name(Reg::from_preg(*base)))?;
            }
        }
        for (reg, preg) in &self.uses {
            write!(out, " {}={}", name(*reg), name(Reg::from_preg(*preg)))?;
        }
        for (i, (reg, preg)) in self.defs.iter().enumerate() {
            let arrow = if i == 0 { " ->" } else { "" };
            write!(out, "{arrow} {}={}", name(reg.to_reg()), name(Reg::from_preg(*preg)))?;
        }
        Ok(())
    }
}

/// A jump table.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct TableInfo {
    /// Where an index beyond the table goes.
    pub default: Label,
    /// Where each index goes.
    pub targets: Vec<Label>,
}

/// A part of the frame that code refers to before the frame is laid out.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum FrameArea {
    /// A stack slot.
    Slot(StackSlot),
    /// Arguments that this function's caller passed on the stack.
    Incoming,
    /// The frame record: the caller's frame pointer and above it the return address.
    Record,
    /// Arguments that this function passes on the stack, and room for results of its callees.
    Outgoing,
}

impl FrameArea {
    /// Prints a place in it: `[ss0+8]`.
    pub fn print(&self, out: &mut impl fmt::Write, offset: i32) -> fmt::Result {
        match self {
            FrameArea::Slot(slot) => write!(out, "[{slot}{offset:+}]"),
            FrameArea::Incoming => write!(out, "[incoming{offset:+}]"),
            FrameArea::Record => write!(out, "[record{offset:+}]"),
            FrameArea::Outgoing => write!(out, "[outgoing{offset:+}]"),
        }
    }
}

/// A symbol whose address is wanted.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct SymbolInfo {
    /// Its name.
    pub name: ExternalName,
    /// Added to its address, in bytes.
    pub offset: i64,
    /// It ends up in the same module as the code.
    pub colocated: bool,
}

/// A pseudo-instruction that means the same on every machine. None of them changes the flags, but for calls and tables.
#[derive(Clone, PartialEq, Debug)]
pub enum Common {
    /// An integer constant that one register holds.
    Const {
        /// Written.
        rd: WritableReg,
        /// The constant; a machine with smaller registers has zeros above.
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
    /// The address of a place in the code.
    LabelAddr {
        /// Written.
        rd: WritableReg,
        /// Which place.
        label: Label,
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
    /// A call that takes this function's place.
    TailCall(Box<CallInfo>),
    /// A call that may throw.
    TryCall(Box<TryCallInfo>),
    /// What an exception that is caught brings, at the start of the handler's edge.
    Landing {
        /// Where each goes and where it is.
        defs: Box<[(WritableReg, PReg)]>,
    },
    /// A jump.
    Jump {
        /// Where to.
        to: Label,
    },
    /// A branch through a table.
    Table {
        /// The index. Machines with wider registers find zeros above its 32 bits.
        index: Reg,
        /// The destinations.
        info: Box<TableInfo>,
    },
    /// A trap.
    Trap {
        /// Why.
        code: TrapCode,
    },
}

impl Common {
    /// Shows every register operand.
    pub fn visit_operands(&mut self, v: &mut impl OperandVisitor) {
        match self {
            Common::Const { rd, .. }
            | Common::Float32 { rd, .. }
            | Common::Float64 { rd, .. }
            | Common::Symbol { rd, .. }
            | Common::LabelAddr { rd, .. }
            | Common::FrameAddr { rd, .. } => v.reg_def(rd),
            Common::Args { defs } => defs.iter_mut().for_each(|(reg, preg)| v.reg_fixed_def(reg, *preg)),
            Common::Return { uses } => uses.iter_mut().for_each(|(reg, preg)| v.reg_fixed_use(reg, *preg)),
            Common::Call(info) | Common::TailCall(info) => info.visit_operands(v),
            Common::TryCall(info) => info.visit_operands(v),
            Common::Landing { defs } => defs.iter_mut().for_each(|(reg, preg)| v.reg_entry_def(reg, *preg)),
            Common::Table { index, .. } => v.reg_use(index),
            Common::Jump { .. } | Common::Trap { .. } => {}
        }
    }

    /// What a call destroys.
    pub fn clobbers(&self) -> UnitSet {
        match self {
            Common::Call(info) => info.clobbers,
            Common::TryCall(info) => info.call.clobbers,
            _ => UnitSet::EMPTY,
        }
    }

    /// Is it a call that comes back? What the flags are then is not known.
    pub fn is_call(&self) -> bool {
        matches!(self, Common::Call(_) | Common::TryCall(_))
    }

    /// For a jump, where to.
    pub fn as_jump(&self) -> Option<Label> {
        match *self {
            Common::Jump { to } => Some(to),
            _ => None,
        }
    }

    /// Can it be carried out again anywhere?
    pub fn is_remat(&self) -> bool {
        matches!(
            self,
            Common::Const { .. }
                | Common::Float32 { .. }
                | Common::Float64 { .. }
                | Common::Symbol { .. }
                | Common::FrameAddr { .. }
        )
    }

    /// Replaces every label by `map` of it.
    pub fn map_labels(&mut self, map: &mut dyn FnMut(Label) -> Label) {
        match self {
            Common::Jump { to } => *to = map(*to),
            Common::TryCall(info) => info.map_labels(map),
            Common::LabelAddr { label, .. } => *label = map(*label),
            Common::Table { info, .. } => {
                info.default = map(info.default);
                info.targets.iter_mut().for_each(|label| *label = map(*label));
            }
            _ => {}
        }
    }

    /// Prints it; `name` is the printer's of registers.
    pub fn print(&self, out: &mut impl fmt::Write, name: &dyn Fn(Reg) -> String) -> fmt::Result {
        match self {
            Common::Const { rd, value } => write!(out, "const {}, {value:#x}", name(rd.to_reg())),
            Common::Float32 { rd, bits } => write!(out, "float {}, {bits:#x}", name(rd.to_reg())),
            Common::Float64 { rd, bits } => write!(out, "float {}, {bits:#x}", name(rd.to_reg())),
            Common::Symbol { rd, symbol } => {
                write!(out, "symbol {}, {}{:+}", name(rd.to_reg()), symbol.name, symbol.offset)
            }
            Common::LabelAddr { rd, label } => write!(out, "addr {}, {label}", name(rd.to_reg())),
            Common::FrameAddr { rd, area, offset } => {
                write!(out, "addr {}, ", name(rd.to_reg()))?;
                area.print(out, *offset)
            }
            Common::Args { defs } => {
                write!(out, "args")?;
                print_places(out, name, defs.iter().map(|(reg, preg)| (reg.to_reg(), *preg)))
            }
            Common::Return { uses } => {
                write!(out, "return")?;
                print_places(out, name, uses.iter().copied())
            }
            Common::Call(info) => info.print(out, name),
            Common::TailCall(info) => {
                write!(out, "tail ")?;
                info.print(out, name)
            }
            Common::TryCall(info) => info.print(out, name),
            Common::Landing { defs } => {
                write!(out, "landing")?;
                print_places(out, name, defs.iter().map(|(reg, preg)| (reg.to_reg(), *preg)))
            }
            Common::Jump { to } => write!(out, "b {to}"),
            Common::Table { index, info } => {
                write!(out, "table {}, {}, [", name(*index), info.default)?;
                for (i, label) in info.targets.iter().enumerate() {
                    write!(out, "{}{label}", if i == 0 { "" } else { ", " })?;
                }
                write!(out, "]")
            }
            Common::Trap { code } => write!(out, "trap {code}"),
        }
    }
}

/// Prints ` %1=r0 %2=r1`.
fn print_places(
    out: &mut impl fmt::Write,
    name: &dyn Fn(Reg) -> String,
    mut places: impl Iterator<Item = (Reg, PReg)>,
) -> fmt::Result {
    places.try_for_each(|(reg, preg)| write!(out, " {}={}", name(reg), name(Reg::from_preg(preg))))
}
