//! An allocated function as text.
//!
//! One line a block, an instruction or an edit, in layout order:
//!
//! ```text
//! block1(%3):
//!     move r4 -> [8]
//!     inst5: use %3 r4, def %4 r0 fixed
//!     -> block2(%4)
//! ```

use crate::operand::{Block, Constraint, Inst, Operand, OperandKind, OperandPos};
use crate::regs::RegFile;
use crate::{Allocation, Edit, Function, Output, ProgPoint};
use alloc::string::String;
use core::fmt::{self, Write};

/// The function with its allocations and edits, as text for people and golden tests.
pub fn dump<F: Function>(f: &F, regs: &RegFile, out: &Output) -> String {
    let mut text = String::new();
    // Writing to a string cannot fail.
    let _ = write_dump(&mut text, f, regs, out);
    text
}

/// An allocation as text: a register's name, or a slot's offset in brackets.
pub fn place(regs: &RegFile, a: Allocation) -> impl fmt::Display + '_ {
    struct Place<'a>(&'a RegFile, Allocation);
    impl fmt::Display for Place<'_> {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            match self.1 {
                Allocation::None => f.write_str("-"),
                Allocation::Reg(r) => f.write_str(self.0.name(r)),
                Allocation::Slot(s) => write!(f, "[{}]", s.offset_bytes()),
            }
        }
    }
    Place(regs, a)
}

fn write_dump<F: Function>(text: &mut String, f: &F, regs: &RegFile, out: &Output) -> fmt::Result {
    for b in 0..f.num_blocks() as u32 {
        let block = Block::from_u32(b);
        write!(text, "{block}")?;
        values(text, f.block_params(block))?;
        writeln!(text, ":")?;
        for i in f.block_insts(block) {
            let inst = Inst::from_u32(i);
            edits(text, regs, out, ProgPoint::before(inst))?;
            write!(text, "    {inst}:")?;
            for (k, (op, &at)) in f.inst_operands(inst).iter().zip(out.inst_allocs(inst)).enumerate() {
                let comma = if k == 0 { "" } else { "," };
                write!(text, "{comma} {} {} {}", kind(op), op.vreg, place(regs, at))?;
                match op.constraint {
                    Constraint::Reg => {}
                    Constraint::Any => write!(text, " any")?,
                    Constraint::Fixed(_) => write!(text, " fixed")?,
                    Constraint::Reuse(k) => write!(text, " reuse {k}")?,
                    Constraint::PairLo => write!(text, " low")?,
                    Constraint::PairHi => write!(text, " high")?,
                }
            }
            let clobbers = f.inst_clobbers(inst);
            if !clobbers.is_empty() {
                write!(text, " clobbers {clobbers:?}")?;
            }
            writeln!(text)?;
            edits(text, regs, out, ProgPoint::after(inst))?;
        }
        for (k, succ) in f.block_succs(block).iter().enumerate() {
            write!(text, "    -> {succ}")?;
            values(text, f.branch_args(block, k))?;
            writeln!(text)?;
        }
    }
    writeln!(text, "spill area: {} bytes, aligned to {}", out.spill_size_bytes, out.spill_align.max(1))
}

fn kind(op: &Operand) -> &'static str {
    match (op.kind, op.pos) {
        (OperandKind::Use, OperandPos::Early) => "use",
        (OperandKind::Use, OperandPos::Late) => "late use",
        (OperandKind::Def, OperandPos::Early) => "early def",
        (OperandKind::Def, OperandPos::Late) => "def",
    }
}

fn values(text: &mut String, list: &[crate::VReg]) -> fmt::Result {
    for (k, v) in list.iter().enumerate() {
        write!(text, "{}{v}", if k == 0 { "(" } else { ", " })?;
    }
    if list.is_empty() { Ok(()) } else { text.write_char(')') }
}

fn edits(text: &mut String, regs: &RegFile, out: &Output, point: ProgPoint) -> fmt::Result {
    for (_, edit) in out.edits_at(point) {
        match *edit {
            Edit::Move { from, to, .. } => {
                writeln!(text, "    move {} -> {}", place(regs, from), place(regs, to))?
            }
            Edit::Remat { inst, to } => writeln!(text, "    again {inst} -> {}", regs.name(to))?,
        }
    }
    Ok(())
}
