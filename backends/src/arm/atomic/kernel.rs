//! Loops around the kernel's compare-and-swap.

use super::{Change, Width};
use crate::arm::emit::Emit;
use crate::arm::imm::{Cond, Offset12};
use crate::arm::kernel::Helper;
use crate::arm::minst::Inst;
use crate::arm::pseudo::FrameArea;
use crate::arm::regs;
use crate::machinst::{EmitError, Reg, WritableReg};
use windlass_ir::TrapCode;

type Result = core::result::Result<(), EmitError>;

/// What is expected, and what replaces it: words, or addresses of doublewords.
const R0: Reg = Reg::from_preg(regs::r(0));
const R1: Reg = Reg::from_preg(regs::r(1));

impl Emit<'_> {
    /// A plain word, which is atomic.
    fn load_plain(&mut self, rt: WritableReg, rn: Reg, off: Offset12, code: Option<TrapCode>) -> Result {
        self.load(&Inst::LdrImm { rt, rn, off }, code)
    }

    /// ```text
    /// 1:  ldr old, [r2]
    ///     mov r0, old
    ///     add r1, old, operand        or what it is, see combine; of a part of the word see change_part
    ///         cmp old, expected       of a comparison
    ///         mov r1, old
    ///         moveq r1, new
    ///     compare-and-swap helper     sets C if r0 was there, and stored r1
    ///     blo 1b
    /// ```
    pub(super) fn kernel_loop(
        &mut self,
        old: WritableReg,
        address: Reg,
        below: Option<Reg>,
        change: Change<Reg>,
        width: Width,
    ) -> Result {
        let rd = WritableReg::from_reg(R1);
        let top = self.buf.offset();
        self.load_plain(old, address, Offset12::ZERO, width.code)?;
        self.copy(WritableReg::from_reg(R0), old.to_reg())?;
        match (below, change) {
            (Some(below), change) => self.change_part(rd, old, below, change, width)?,
            (None, Change::Rmw(op, operand)) => self.combine(rd, old.to_reg(), operand, op, width)?,
            (None, Change::Cas { expected, new }) => {
                self.real(&Inst::Cmp { rn: old.to_reg(), rm: expected })?;
                self.copy(rd, old.to_reg())?;
                self.real(&Inst::MovCc { cond: Cond::Eq, rd, rd_in: R1, rm: new })?;
            }
            (None, Change::Keep) => self.copy(rd, old.to_reg())?,
        }
        self.kernel_helper(Helper::CompareAndSwap)?;
        self.branch_back(Cond::Lo, top)
    }

    /// ```text
    /// 1:  ldr old0, [r2] ; ldr old1, [r2, #4]      may be of two times: then the comparison fails
    ///     str old0, [sp] ; str old1, [sp, #4]
    ///     adds r0, old0, operand0 ; adc r1, old1, operand1     or what it is, see combine64
    ///         cmp old0, expected0 ; cmpeq old1, expected1      of a comparison
    ///         mov r0, old0 ; mov r1, old1
    ///         moveq r0, new0 ; moveq r1, new1
    ///     str r0, [sp, #8] ; str r1, [sp, #12]
    ///     mov r0, sp ; add r1, sp, #8                          (mov r1, sp  if nothing changes)
    ///     compare-and-swap helper                              sets C if [r0] was there, and stored [r1]
    ///     blo 1b
    /// ```
    pub(super) fn kernel_loop64(
        &mut self,
        old: [WritableReg; 2],
        address: Reg,
        change: Change<[Reg; 2]>,
        swapped: bool,
        code: Option<TrapCode>,
    ) -> Result {
        let new = [R0, R1].map(WritableReg::from_reg);
        let there = old.map(WritableReg::to_reg);
        let room = self.frame.area(FrameArea::Outgoing).0;
        let top = self.buf.offset();
        let second = Offset12::new(4).unwrap_or(Offset12::ZERO);
        self.load_plain(old[0], address, Offset12::ZERO, code)?;
        self.load_plain(old[1], address, second, code)?;
        self.store_word(there[0], room)?;
        self.store_word(there[1], room + 4)?;
        match change {
            Change::Rmw(op, operand) => self.combine64(new, there, operand, op, swapped)?,
            Change::Cas { expected, new: value } => {
                self.compare_pairs(there, expected)?;
                for ((rd, was), rm) in new.into_iter().zip(there).zip(value) {
                    self.copy(rd, was)?;
                    self.real(&Inst::MovCc { cond: Cond::Eq, rd, rd_in: rd.to_reg(), rm })?;
                }
            }
            Change::Keep => {}
        }
        let replacement = if change == Change::Keep {
            room
        } else {
            self.store_word(R0, room + 8)?;
            self.store_word(R1, room + 12)?;
            room + 8
        };
        self.sp_offset(new[0], room)?;
        self.sp_offset(new[1], replacement)?;
        self.kernel_helper(Helper::CompareAndSwap64)?;
        self.branch_back(Cond::Lo, top)
    }
}
