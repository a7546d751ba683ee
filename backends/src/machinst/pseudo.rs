//! What pseudo-instructions of every machine have in common: calls, jump tables, parts of the frame.

use super::{Label, OperandVisitor, Reg, WritableReg};
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
