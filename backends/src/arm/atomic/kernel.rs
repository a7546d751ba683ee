//! Loops around the kernel's compare-and-swap.

use super::{Change, KERNEL64_REPLACEMENT};
use crate::arm::emit::Emit;
use crate::arm::imm::{Cond, Offset12, known};
use crate::arm::kernel::Helper;
use crate::arm::minst::Inst;
use crate::arm::regs;
use crate::machinst::atomic::Width;
use crate::machinst::pseudo::FrameArea;
use crate::machinst::{EmitError, Reg, WritableReg};
use windlass_ir::TrapCode;

type Result = core::result::Result<(), EmitError>;

/// What was there, and what replaces it: words, or addresses of doublewords.
const R0: Reg = Reg::from_preg(regs::r(0));
const R1: Reg = Reg::from_preg(regs::r(1));
/// Free up to the call.
const R3: Reg = Reg::from_preg(regs::r(3));

const fn w(reg: Reg) -> WritableReg {
    WritableReg::from_reg(reg)
}

impl Emit<'_> {
    /// Where the loops keep what was there, from the stack pointer.
    fn kernel_room(&self) -> u32 {
        self.frame.area(FrameArea::Outgoing).0
    }

    /// ```text
    /// 1:  ldr r0, [r2]
    ///     str r0, [sp]                or of a part of the word, which change_part rotates:
    ///         mov r3, r0 ; … ; str r3, [sp]
    ///     add r1, r0, operand         or what it is, see combine
    ///         cmp r0, expected        of a comparison
    ///         mov r1, r0
    ///         moveq r1, new
    ///     compare-and-swap helper     sets C if r0 was there, and stored r1
    ///     blo 1b
    ///     ldr r0, [sp]
    /// ```
    pub(super) fn kernel_loop(
        &mut self,
        old: WritableReg,
        address: Reg,
        below: Option<Reg>,
        change: Change<Reg>,
        width: Width,
    ) -> Result {
        let room = self.kernel_room();
        let top = self.buf.offset();
        self.load(&Inst::LdrImm { rt: w(R0), rn: address, off: Offset12::ZERO }, width.code)?;
        if let Some(below) = below {
            self.copy(w(R3), R0)?;
            self.change_part(w(R1), w(R3), below, change, width)?;
            self.store_word(R3, room)?;
        } else {
            self.store_word(R0, room)?;
            match change {
                Change::Rmw(op, operand) => self.combine(w(R1), R0, operand, op, width)?,
                Change::Cas { expected, new } => {
                    self.real(&Inst::Cmp { rn: R0, rm: expected })?;
                    self.copy(w(R1), R0)?;
                    self.real(&Inst::MovCc { cond: Cond::Eq, rd: w(R1), rd_in: R1, rm: new })?;
                }
                Change::Keep | Change::CasStored(_) => self.copy(w(R1), R0)?,
            }
        }
        self.kernel_helper(Helper::CompareAndSwap)?;
        self.branch_back(Cond::Lo, top)?;
        self.load_word(old, room)
    }

    /// ```text
    /// 1:  ldr r0, [r2] ; ldr r1, [r2, #4]                  may be of two times: then the comparison fails
    ///     str r0, [sp] ; str r1, [sp, #4]
    ///     adds r0, r0, operand0 ; adc r1, r1, operand1     or what it is, see combine64
    ///         cmp r0, expected0 ; cmpeq r1, expected1      of a comparison
    ///         ldreq r0, [sp, #16] ; ldreq r1, [sp, #20]
    ///     str r0, [sp, #8] ; str r1, [sp, #12]
    ///     mov r0, sp ; add r1, sp, #8                      (mov r1, sp  if nothing changes)
    ///     compare-and-swap helper                          sets C if [r0] was there, and stored [r1]
    ///     blo 1b
    ///     ldr r0, [sp] ; ldr r1, [sp, #4]
    /// ```
    /// Where memory is in the other byte order, `r0` and `r1` change their places at loads and stores, and are turned
    /// around by `rev` before and after the operation.
    pub(super) fn kernel_loop64(
        &mut self,
        old: [WritableReg; 2],
        address: Reg,
        change: Change<[Reg; 2]>,
        swapped: bool,
        code: Option<TrapCode>,
    ) -> Result {
        let room = self.kernel_room();
        let (first, second) = if swapped { (R1, R0) } else { (R0, R1) };
        let new = [w(R0), w(R1)];
        let top = self.buf.offset();
        self.load(&Inst::LdrImm { rt: w(first), rn: address, off: Offset12::ZERO }, code)?;
        self.load(&Inst::LdrImm { rt: w(second), rn: address, off: known!(Offset12::new(4)) }, code)?;
        self.store_word(first, room)?;
        self.store_word(second, room + 4)?;
        let reverse = |emit: &mut Self| {
            let both = if swapped { &new[..] } else { &[] };
            both.iter().try_for_each(|&rd| emit.reverse(rd, rd.to_reg(), 4))
        };
        match change {
            Change::Rmw(op, operand) => {
                reverse(self)?;
                self.combine64(new, [R0, R1], operand, op, false)?;
                reverse(self)?;
            }
            Change::CasStored(expected) => {
                self.compare_pairs([R0, R1], expected)?;
                for (rt, offset) in new.into_iter().zip([0, 4]) {
                    let offset = room as i32 + KERNEL64_REPLACEMENT + offset;
                    let off = Offset12::new(offset).unwrap_or(Offset12::ZERO);
                    let (rt_in, rn) = (rt.to_reg(), Reg::from_preg(regs::SP));
                    self.real(&Inst::LdrImmCc { cond: Cond::Eq, rt, rt_in, rn, off })?;
                }
            }
            Change::Keep | Change::Cas { .. } => {}
        }
        let replacement = if change == Change::Keep {
            room
        } else {
            self.store_word(first, room + 8)?;
            self.store_word(second, room + 12)?;
            room + 8
        };
        self.sp_offset(w(R0), room)?;
        self.sp_offset(w(R1), replacement)?;
        self.kernel_helper(Helper::CompareAndSwap64)?;
        self.branch_back(Cond::Lo, top)?;
        self.load_word(old[0], room)?;
        self.load_word(old[1], room + 4)
    }
}
