//! Stacks that end: the check of a function's stack limit, and probes of large frames. See `machinst/stack.rs`.
//!
//! Every frame begins with a store of the back chain at its bottom, so that the stack pointer's own word has been touched on
//! every entry, and after every prologue: what is left are the pages in between.

use super::emit::{CR0, Emit, R0, R11, R12, Result, w};
use super::imm::{Cond, DsOffset};
use super::minst::Inst;
use super::regs;
use super::target::Ppc64Target;
use crate::machinst::abi::{AbiMachine, Location, Param, Place};
use crate::machinst::pseudo::SymbolInfo;
use crate::machinst::stack::{LimitStart, LimitStep, Probes, StackLimit};
use crate::machinst::{Reg, Room};
use alloc::boxed::Box;
use alloc::string::String;
use alloc::vec::Vec;
use windlass_ir::{Function, GlobalValueData, TrapCode};

const SP: Reg = Reg::from_preg(regs::SP);

/// Where the way to a function's stack limit starts.
#[derive(Clone, Debug)]
enum Start {
    /// In the context, which is in a register.
    Reg(Reg),
    /// In the context, which is so many bytes above the stack pointer at entry.
    Incoming(i64),
    /// At a symbol.
    Symbol(Box<SymbolInfo>),
}

/// How a function's stack limit is found.
#[derive(Clone, Debug)]
pub struct Limit {
    start: Start,
    steps: Vec<LimitStep>,
}

impl Limit {
    /// The most bytes of the check.
    pub fn room(&self) -> Room {
        Room { bytes: 80 + 24 * (1 + self.steps.len() as u32), fixups: 2, pool_bytes: 0 }
    }

    /// Does the check find a symbol, by the table of contents if there is one?
    pub fn uses_toc(&self) -> bool {
        matches!(self.start, Start::Symbol(_))
    }
}

impl Ppc64Target {
    /// Where the stack limit of `func` is.
    ///
    /// # Errors
    /// What is not supported.
    pub(super) fn stack_limit(&self, func: &Function) -> core::result::Result<Option<Limit>, String> {
        let Some(StackLimit { start, steps }) = StackLimit::of(func)? else { return Ok(None) };
        for step in &steps {
            if let LimitStep::Load(_, flags) = step
                && flags.endianness(self.order()) != self.order()
            {
                return Err("a stack limit in the other byte order".into());
            }
        }
        let start = match start {
            LimitStart::Param(index) => match self.sig_abi(&func.signature)?.params.get(index) {
                Some(Param::Value(Location { parts, .. })) => match parts.first() {
                    Some(&Place::Reg(preg)) => Start::Reg(Reg::from_preg(preg)),
                    Some(&Place::Memory(at)) => {
                        Start::Incoming(i64::from(at) + i64::from(self.abi().header_bytes()))
                    }
                    None => return Ok(None),
                },
                _ => return Err("a stack limit in a context that is a structure".into()),
            },
            LimitStart::Symbol(gv) => match &func.global_values[gv] {
                GlobalValueData::Symbol { name, offset, colocated, .. } => {
                    Start::Symbol(Box::new(SymbolInfo {
                        name: name.clone(),
                        offset: *offset,
                        colocated: *colocated,
                    }))
                }
                _ => return Err("a stack limit that starts nowhere".into()),
            },
        };
        Ok(Some(Limit { start, steps }))
    }
}

impl Emit<'_> {
    /// Traps if the frame would go below the function's stack limit, before any stack is used. No sum is made that could wrap.
    /// ```text
    ///     ld r11, offset(ctx) …            the limit, of the context or of a symbol
    ///     cmpld r1, r11 ; blt stk_ovf
    ///     subf r11, r11, r1                what there is
    ///     lis r12, … ; ori r12, …          the frame
    ///     cmpld r11, r12 ; blt stk_ovf
    /// ```
    pub(super) fn stack_limit(&mut self) -> Result {
        let frame = self.frame;
        // What lies in the red zone is used as well.
        let bytes = frame.size + frame.tail_bytes;
        let Some(limit) = frame.limit.as_ref().filter(|_| bytes > 0) else { return Ok(()) };
        let mut at = R11;
        match &limit.start {
            Start::Reg(reg) => at = *reg,
            Start::Incoming(offset) => self.load_limit(SP, *offset)?,
            Start::Symbol(symbol) => self.symbol(w(R11), symbol)?,
        }
        for step in &limit.steps {
            match *step {
                LimitStep::Add(n) => self.add_offset(w(R11), at, n)?,
                LimitStep::Load(offset, flags) => {
                    let offset = i64::from(offset);
                    let near = DsOffset::new(offset).is_some();
                    if !near {
                        self.add_offset(w(R11), at, offset)?;
                        at = R11;
                    }
                    if let Some(code) = flags.trap_code() {
                        self.buf.trap_here(code);
                    }
                    self.load_limit(at, if near { offset } else { 0 })?;
                }
            }
            at = R11;
        }
        let trap = self.buf.deferred_trap(TrapCode::STACK_OVERFLOW);
        self.real(&Inst::Cmpld { bf: w(CR0), ra: SP, rb: at })?;
        self.branch_if(Cond::LT, CR0, trap)?;
        self.real(&Inst::Subf { rt: w(R11), ra: at, rb: SP })?;
        self.constant(w(R12), bytes.into())?;
        self.real(&Inst::Cmpld { bf: w(CR0), ra: R11, rb: R12 })?;
        self.branch_if(Cond::LT, CR0, trap)
    }

    /// `ld r11, offset(ra)`, which the offset suits, or else through a sum.
    fn load_limit(&mut self, ra: Reg, offset: i64) -> Result {
        match DsOffset::new(offset) {
            Some(d) => self.real(&Inst::Ld { rt: w(R11), ra, d }),
            None => {
                self.add_offset(w(R11), ra, offset)?;
                self.real(&Inst::Ld { rt: w(R11), ra: R11, d: DsOffset::ZERO })
            }
        }
    }

    /// Touches the pages of the next `bytes` bytes below the stack pointer, but for the last word, which is touched when the
    /// stack pointer goes there. Nobody keeps anything there: whether a signal comes in between does not matter.
    /// ```text
    ///     std r0, -page(r1) ; std r0, -2*page(r1) …    for few pages; or
    ///
    ///     addi r12, r1, -pages * page
    ///     mr r11, r1
    ///  1: addi r11, r11, -page
    ///     std r0, 0(r11)
    ///     cmpd r11, r12
    ///     bne 1b
    /// ```
    pub(super) fn probe(&mut self, bytes: u32) -> Result {
        let Some(page) = self.target.settings.probe_page() else { return Ok(()) };
        let pages = Probes::plan(Some(page), 0, bytes).pages;
        let page = i64::from(page);
        if pages == 0 {
            return Ok(());
        }
        let offsets = (1..=i64::from(pages)).map(|n| DsOffset::new(-n * page));
        if pages <= Probes::MAX_UNROLLED
            && let Some(offsets) = offsets.collect::<Option<Vec<_>>>()
        {
            for d in offsets {
                self.real(&Inst::Std { rs: R0, ra: SP, d })?;
            }
            return Ok(());
        }
        self.add_offset(w(R12), SP, -page * i64::from(pages))?;
        self.copy(w(R11), SP)?;
        let start = self.buf.offset();
        self.add_offset(w(R11), R11, -page)?;
        self.real(&Inst::Std { rs: R0, ra: R11, d: DsOffset::ZERO })?;
        self.real(&Inst::Cmpd { bf: w(CR0), ra: R11, rb: R12 })?;
        let back = i64::from(start) - i64::from(self.buf.offset());
        self.branch_near(Cond::NE, CR0, back)
    }
}
