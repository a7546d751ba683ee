//! Prologues and epilogues: the frame comes and goes, the stack's limit is checked, large frames are touched.

use super::emit::{Emit, IP, LR, PC, SP, chunks, w};
use super::imm::{ArmImm, BranchOffset, Cond, DRegList, Offset12, PushList};
use super::minst::Inst;
use super::regs;
use crate::machinst::stack::{LimitStep, Probes, slack};
use crate::machinst::{EmitError, Reg, Room};
use alloc::string::String;
use alloc::vec::Vec;
use windlass_ir::{Endianness, ExternalName, MemFlags, TrapCode};

type Result = core::result::Result<(), EmitError>;

/// How a function's stack limit is found.
#[derive(Clone, Debug)]
pub struct Limit {
    /// Where to start.
    pub start: LimitStart,
    /// From there to the limit.
    pub steps: Vec<LimitStep>,
}

/// Where the way to a stack limit starts.
#[derive(Clone, Debug)]
pub enum LimitStart {
    /// An argument in a core register.
    Reg(Reg),
    /// An argument on the stack, so many bytes above the stack pointer.
    Incoming(u32),
    /// A symbol and an offset in bytes.
    Symbol(ExternalName, u32),
}

/// May a stack limit be loaded so, on a machine whose accesses must be aligned if it is `strict`? `ip` is the only register at
/// hand, so that nothing can be put together.
///
/// # Errors
/// What is not supported.
pub fn check_limit_load(flags: MemFlags, strict: bool) -> core::result::Result<(), String> {
    if flags.endianness(Endianness::Little) == Endianness::Big {
        return Err("a stack limit in the other byte order".into());
    }
    if strict && !flags.aligned() {
        return Err("a stack limit at an address that is not said to be aligned".into());
    }
    Ok(())
}

/// The most bytes of the check of a limit with `steps` steps: each adds and loads.
fn limit_room(steps: usize) -> Room {
    let steps = steps as u32 + 1;
    Room { bytes: 48 + 24 * steps, fixups: 1 + steps, pool_bytes: 4 * steps }
}

/// The most bytes of a prologue, without what checks of alignment add.
pub fn room(frame: &super::frame::Frame) -> Room {
    let limit = limit_room(frame.limit.as_ref().map_or(0, |limit| limit.steps.len()));
    // Twice a growth with probes, and the pushes.
    Room { bytes: limit.bytes + 192, fixups: limit.fixups + 8, pool_bytes: limit.pool_bytes + 32 }
}

impl Emit<'_> {
    /// `add sp, sp, #imm` for each eight bits of `bytes`: needs no register.
    fn raise_sp(&mut self, bytes: u32) -> Result {
        for imm in chunks(bytes) {
            self.real(&Inst::AddImm { rd: w(SP), rn: SP, imm })?;
        }
        Ok(())
    }

    /// The reverse of `raise_sp`.
    pub(super) fn lower_sp(&mut self, bytes: u32) -> Result {
        for imm in chunks(bytes) {
            self.real(&Inst::SubImm { rd: w(SP), rn: SP, imm })?;
        }
        Ok(())
    }

    /// ```text
    ///     the check of the limit        see stack_limit
    ///     sub sp, sp, #tail             with probes, see grow
    ///     push {list} ; vpush {list}
    ///     sub sp, sp, #local            the same
    /// ```
    pub(super) fn prologue(&mut self) -> Result {
        self.check_stack()?;
        self.stack_limit()?;
        let page = self.target.settings.probe_page();
        let probes = Probes::plan(page, page.map_or(0, slack), self.frame.tail_bytes);
        self.grow(&probes)?;
        if let Some(list) = PushList::new(self.frame.pushed) {
            self.real(&Inst::Push { list })?;
        } else if self.frame.pushed != 0 {
            self.real(&Inst::PushOne { rt: LR })?;
        }
        if self.target.settings.preserve_frame_pointers {
            // The frame pointer points at its own saved value, next below `lr`.
            let below = (self.frame.pushed & ((1 << regs::FP.index()) - 1)).count_ones() * 4;
            self.add_offset(w(Reg::from_preg(regs::FP)), SP, below)?;
        }
        let (first, count) = self.frame.vpushed;
        if let Some(list) = DRegList::new(first.into(), count.into()) {
            self.real(&Inst::VpushF64 { list })?;
        }
        let untouched =
            if self.frame.pushed_bytes() > 0 { 0 } else { probes.untouched_bytes(page.map_or(0, slack)) };
        self.grow(&Probes::plan(page, untouched, self.frame.local_bytes))
    }

    /// Traps if the frame would go below the function's stack limit. Nothing but `ip` and the flags is changed, and no stack
    /// used, before that is known; there is no sum that could wrap.
    /// ```text
    ///     ldr ip, [ctx, #offset] …      the limit
    ///     cmp sp, ip
    ///     subhs ip, sp, ip              what there is
    ///     cmphs ip, #frame              in pieces if the size is no immediate:
    ///                                   subhs ip, ip, #piece ; cmphs ip, #piece
    ///     blo stk_ovf
    /// ```
    fn stack_limit(&mut self) -> Result {
        let frame = self.frame;
        let bytes = frame.size_bytes();
        let Some(limit) = frame.limit.as_ref().filter(|_| bytes > 0) else { return Ok(()) };
        let mut at = IP;
        match &limit.start {
            LimitStart::Reg(reg) => at = *reg,
            LimitStart::Incoming(offset) => self.load_word(w(IP), *offset)?,
            LimitStart::Symbol(name, offset) => {
                // What goes into the relocation needs no second register.
                let small = i16::try_from(*offset as i32).map_or(0, i32::from);
                self.symbol(w(IP), name, small)?;
                self.add_pieces(IP, offset.wrapping_sub(small as u32))?;
            }
        }
        for step in &limit.steps {
            match *step {
                LimitStep::Add(n) => self.add_pieces(at, n as u32)?,
                LimitStep::Load(offset, flags) => {
                    let (rn, off) = match Offset12::new(offset) {
                        Some(off) => (at, off),
                        None => {
                            self.add_pieces(at, offset as u32)?;
                            (IP, Offset12::ZERO)
                        }
                    };
                    let load = Inst::LdrImm { rt: w(IP), rn, off };
                    match flags.trap_code() {
                        Some(code) => self.access(&load, code)?,
                        None => self.real(&load)?,
                    }
                }
            }
            at = IP;
        }
        let cond = Cond::Hs;
        self.real(&Inst::Cmp { rn: SP, rm: at })?;
        self.real(&Inst::SubCc { cond, rd: w(IP), rd_in: IP, rn: SP, rm: at })?;
        let mut pieces = chunks(bytes).peekable();
        while let Some(imm) = pieces.next() {
            self.real(&Inst::CmpImmCc { cond, rn: IP, imm })?;
            if pieces.peek().is_some() {
                self.real(&Inst::SubImmCc { cond, rd: w(IP), rd_in: IP, rn: IP, imm })?;
            }
        }
        let trap = self.buf.deferred_trap(TrapCode::STACK_OVERFLOW);
        self.branch_if(Cond::Lo, trap)
    }

    /// `ip = rn + n`, in pieces that are immediates: there is no other register.
    fn add_pieces(&mut self, rn: Reg, n: u32) -> Result {
        let mut rn = rn;
        let negative = chunks(n.wrapping_neg()).count() < chunks(n).count();
        for imm in chunks(if negative { n.wrapping_neg() } else { n }) {
            self.real(&if negative {
                Inst::SubImm { rd: w(IP), rn, imm }
            } else {
                Inst::AddImm { rd: w(IP), rn, imm }
            })?;
            rn = IP;
        }
        if rn == IP { Ok(()) } else { self.real(&Inst::Mov { rd: w(IP), rm: rn }) }
    }

    /// The stack grows as `probes` says:
    /// ```text
    ///     ldr ip, [sp]                  what is not the function's own is only read
    ///     sub sp, sp, #page             for each page; or for more of them
    ///     str ip, [sp]
    ///                                   sub ip, sp, #pages
    ///                                1: sub sp, sp, #page
    ///                                   str ip, [sp]
    ///                                   cmp sp, ip
    ///                                   bne 1b
    ///     sub sp, sp, #rest
    ///     str ip, [sp]
    /// ```
    fn grow(&mut self, probes: &Probes) -> Result {
        let touch = Inst::StrImm { rt: IP, rn: SP, off: Offset12::ZERO };
        if probes.first {
            self.real(&Inst::LdrImm { rt: w(IP), rn: SP, off: Offset12::ZERO })?;
        }
        // A power of two from 8 bits on is an immediate.
        let page = self.target.settings.probe_page().and_then(ArmImm::encode);
        if let Some(imm) = page.filter(|_| probes.pages > 0) {
            let down = Inst::SubImm { rd: w(SP), rn: SP, imm };
            if probes.pages <= Probes::MAX_UNROLLED {
                for _ in 0..probes.pages {
                    self.real(&down)?;
                    self.real(&touch)?;
                }
            } else {
                self.constant(w(IP), probes.pages * imm.value())?;
                self.real(&Inst::Sub { rd: w(IP), rn: SP, rm: IP })?;
                self.real(&down)?;
                self.real(&touch)?;
                self.real(&Inst::Cmp { rn: SP, rm: IP })?;
                let target = BranchOffset::new(-12).unwrap_or(BranchOffset::ZERO);
                self.real(&Inst::BCc { cond: Cond::Ne, target })?;
            }
        }
        let rest = probes.rest_bytes;
        if rest > 0 {
            match ArmImm::encode(rest) {
                Some(imm) => self.real(&Inst::SubImm { rd: w(SP), rn: SP, imm })?,
                None => {
                    self.constant(w(IP), rest)?;
                    self.real(&Inst::Sub { rd: w(SP), rn: SP, rm: IP })?;
                }
            }
        }
        if probes.last { self.real(&touch) } else { Ok(()) }
    }

    /// The reverse of the prologue, and `pop {…, pc}` or `bx lr`.
    pub(super) fn epilogue(&mut self) -> Result {
        let above = self.frame.tail_bytes + self.frame.popped_bytes;
        if above != 0 {
            self.take_down(above)?;
            return self.real(&Inst::Bx { rm: LR });
        }
        let local = self.frame.local_bytes;
        if local != 0 {
            match ArmImm::encode(local) {
                Some(imm) => self.real(&Inst::AddImm { rd: w(SP), rn: SP, imm })?,
                None => {
                    self.constant(w(IP), local)?;
                    self.real(&Inst::Add { rd: w(SP), rn: SP, rm: IP })?;
                }
            }
        }
        let (first, count) = self.frame.vpushed;
        if let Some(list) = DRegList::new(first.into(), count.into()) {
            self.real(&Inst::VpopF64 { list })?;
        }
        if self.frame.pushed == 0 {
            return self.real(&Inst::Bx { rm: LR });
        }
        // `pc` gets what `lr` was.
        let popped = self.frame.pushed & !(1 << regs::LR.index()) | 1 << regs::PC.index();
        match PushList::new(popped) {
            Some(list) => self.real(&Inst::Pop { list }),
            None => self.real(&Inst::PopOne { rt: w(PC) }),
        }
    }

    /// ```text
    ///     add sp, sp, #local ; vpop {list} ; pop {list} ; add sp, sp, #above
    /// ```
    /// Leaves `ip` as it is.
    pub(super) fn take_down(&mut self, above: u32) -> Result {
        self.raise_sp(self.frame.local_bytes)?;
        let (first, count) = self.frame.vpushed;
        if let Some(list) = DRegList::new(first.into(), count.into()) {
            self.real(&Inst::VpopF64 { list })?;
        }
        if let Some(list) = PushList::new(self.frame.pushed) {
            self.real(&Inst::Pop { list })?;
        } else if self.frame.pushed != 0 {
            self.real(&Inst::PopOne { rt: w(LR) })?;
        }
        self.raise_sp(above)
    }
}
