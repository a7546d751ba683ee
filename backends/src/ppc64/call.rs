//! Entry, return and calls: the instructions that the framework's [`abi`](crate::machinst::abi) asks for, and the code of
//! calls.

use super::abi::{SAVE_AREA_BYTES, sig_abi as lay_out};
use super::emit::{Emit, Result, w};
use super::fixup;
use super::imm::{BranchOffset, DsOffset, Simm16, Uimm6};
use super::lower::{self, Lower};
use super::minst::{INST_BYTES, Inst};
use super::pseudo::{FrameData, MInst, Transfer};
use super::regs;
use super::reloc;
use super::target::Ppc64Target;
use crate::compiled::CatchItem;
use crate::machinst::abi::{AbiMachine, Location, Piece, Place, SigAbi};
use crate::machinst::encode::OperandFault;
use crate::machinst::pseudo::{CallInfo, CallTarget, Common, FrameArea};
use crate::machinst::{EmitError, Label, Reg, ValueRegs, WritableReg};
use alloc::boxed::Box;
use alloc::string::String;
use alloc::vec::Vec;
use smallvec::SmallVec;
use windlass_ir::{
    ArgumentExtension, Endianness, ExternalName, LibCall, Signature, TrapCode, Type, Value, types,
};
use windlass_regalloc::{PReg, RegClass, UnitSet};

/// Up to so many bytes of structures are copied doubleword by doubleword.
const INLINE_COPY_BYTES: u32 = 128;

const ZERO: Reg = Reg::from_preg(regs::ZERO);
const SP: Reg = Reg::from_preg(regs::SP);
const TOC: Reg = Reg::from_preg(regs::TOC);
const ENTRY: Reg = Reg::from_preg(regs::ENTRY);
const SCRATCH: Reg = Reg::from_preg(regs::SCRATCH);

/// Is a part of a float in a general-purpose register?
fn in_gpr(part: Place) -> bool {
    matches!(part, Place::Reg(preg) if regs::class_of(preg) == regs::GPR)
}

/// How floats of a type move between the files.
fn transfers(ty: Type) -> (Transfer, Transfer) {
    if ty == types::F32 {
        (Transfer::ToSingle, Transfer::FromSingle)
    } else {
        (Transfer::ToFloat, Transfer::FromFloat)
    }
}

/// What of the frame a register of a class, with a float of `bytes` bytes if it is one, is loaded from and stored to.
fn frame_data(cx: &Lower<'_>, reg: Reg, bytes: u32) -> FrameData {
    let class = match (reg.as_vreg(), reg.as_preg()) {
        (Some(vreg), _) => cx.class_of(vreg),
        (_, Some(preg)) => regs::class_of(preg),
        _ => regs::GPR,
    };
    match (class, bytes) {
        (regs::FPR, 4) => FrameData::Single,
        (regs::FPR, _) => FrameData::Double,
        _ => FrameData::Doubleword,
    }
}

impl AbiMachine for Ppc64Target {
    fn sig_abi(&self, sig: &Signature) -> core::result::Result<SigAbi, String> {
        lay_out(sig, self.abi())
    }

    fn class_of_reg(&self, preg: PReg) -> RegClass {
        regs::class_of(preg)
    }

    fn gen_outgoing(&self, cx: &mut Lower<'_>, location: &Location, v: Value) -> SmallVec<[Reg; 2]> {
        let regs = cx.put_in_regs(v);
        let (ty, extension) = (location.ty, location.extension);
        match (ty, extension, regs.only_reg()) {
            (types::F32 | types::F64, _, Some(rm)) => {
                let (_, kind) = transfers(ty);
                let register = |part: &Place| {
                    if !in_gpr(*part) {
                        return rm;
                    }
                    let rd = cx.temp(regs::GPR);
                    cx.emit(MInst::Transfer { rd, rm, kind });
                    rd.to_reg()
                };
                location.parts.iter().map(register).collect()
            }
            (
                types::I8 | types::I16 | types::I32,
                ArgumentExtension::Uext | ArgumentExtension::Sext,
                Some(rs),
            ) => core::iter::once(extend(cx, rs, ty, extension)).collect(),
            _ => SmallVec::from_slice(regs.regs()),
        }
    }

    fn gen_incoming(
        &self,
        cx: &mut Lower<'_>,
        location: &Location,
        own: ValueRegs,
    ) -> SmallVec<[WritableReg; 2]> {
        match own.only_reg() {
            Some(own) if location.ty.is_float() => location
                .parts
                .iter()
                .enumerate()
                .map(|(i, part)| match i {
                    0 if !in_gpr(*part) => WritableReg::from_reg(own),
                    // The copy in the other file is ignored.
                    _ => cx.temp(regs::GPR),
                })
                .collect(),
            _ => own.regs().iter().map(|&reg| WritableReg::from_reg(reg)).collect(),
        }
    }

    fn gen_received(
        &self,
        cx: &mut Lower<'_>,
        location: &Location,
        received: &[WritableReg],
        own: ValueRegs,
    ) {
        if let (&[first], Some(&part), Some(own)) = (received, location.parts.first(), own.only_reg())
            && location.ty.is_float()
            && in_gpr(part)
        {
            let (kind, _) = transfers(location.ty);
            cx.emit(MInst::Transfer { rd: WritableReg::from_reg(own), rm: first.to_reg(), kind });
        }
    }

    fn gen_arg_store(&self, cx: &mut Lower<'_>, rt: Reg, bytes: u32, area: FrameArea, offset: i32) {
        let data = frame_data(cx, rt, bytes);
        cx.emit(MInst::FrameStore { rt, area, offset, data });
    }

    fn gen_arg_load(&self, cx: &mut Lower<'_>, rd: WritableReg, bytes: u32, area: FrameArea, offset: i32) {
        let data = frame_data(cx, rd.to_reg(), bytes);
        cx.emit(MInst::FrameLoad { rd, area, offset, data });
    }

    fn gen_result_store(&self, cx: &mut Lower<'_>, reg: Reg, bytes: u32, base: Reg, at: u32) {
        let data = frame_data(cx, reg, bytes);
        let (ra, at) = within(cx, base, at);
        let inst = match (data, Simm16::new(at.into()), DsOffset::new(at.into())) {
            (FrameData::Single, Some(d), _) => Inst::Stfs { frs: reg, ra, d },
            (FrameData::Double, Some(d), _) => Inst::Stfd { frs: reg, ra, d },
            (_, _, Some(d)) => Inst::Std { rs: reg, ra, d },
            _ => unreachable!("a multiple of eight in reach"),
        };
        cx.emit(MInst::Real(inst));
    }

    fn gen_piece(&self, cx: &mut Lower<'_>, base: Reg, piece: Piece, _: u32) -> Reg {
        let class = match piece.place {
            Place::Reg(preg) => regs::class_of(preg),
            Place::Memory(_) => regs::GPR,
        };
        if class == regs::GPR {
            return load_bytes(cx, base, piece.offset, piece.bytes);
        }
        let frt = cx.temp(class);
        let (ra, at) = within(cx, base, piece.offset);
        if let Some(d) = Simm16::new(at.into()) {
            let inst = if piece.bytes == 4 { Inst::Lfs { frt, ra, d } } else { Inst::Lfd { frt, ra, d } };
            cx.emit(MInst::Access { inst, code: TrapCode::HEAP_OUT_OF_BOUNDS });
        }
        frt.to_reg()
    }

    fn inline_copy_bytes(&self, _: u32) -> u32 {
        INLINE_COPY_BYTES
    }

    fn gen_memcpy(&self, cx: &mut Lower<'_>, to: u32, base: Reg, offset: u32, bytes: u32) {
        let rd = cx.temp(regs::GPR);
        cx.emit(Common::FrameAddr { rd, area: FrameArea::Outgoing, offset: to as i32 }.into());
        let from = if offset == 0 { base } else { sum(cx, base, offset) };
        let args = [rd.to_reg(), from, lower::constant(cx, bytes.into())];
        library_call(cx, ExternalName::LibCall(LibCall::Memcpy), &args);
    }

    fn call_clobbers(&self) -> UnitSet {
        regs::call_clobbers()
    }

    fn callee_saved(&self) -> UnitSet {
        regs::callee_saved()
    }

    fn payload_regs(&self) -> [PReg; 2] {
        [regs::r(3), regs::r(4)]
    }

    fn calls_through(&self, offset: i32) -> bool {
        DsOffset::new(offset.into()).is_some()
    }

    fn note_call(&self, cx: &mut Lower<'_>, target: &CallTarget) {
        if matches!(target, CallTarget::Name { .. }) && !self.toc_free() {
            // The callee finds the table of contents where its caller has it.
            cx.frame.uses_toc = true;
        }
    }
}

/// `base + offset`
fn sum(cx: &mut Lower<'_>, ra: Reg, offset: u32) -> Reg {
    let (rt, rb) = (cx.temp(regs::GPR), lower::constant(cx, offset.into()));
    cx.emit(MInst::Real(Inst::Add { rt, ra, rb }));
    rt.to_reg()
}

/// A base and an offset that accesses of up to eight bytes can have.
fn within(cx: &mut Lower<'_>, base: Reg, offset: u32) -> (Reg, u32) {
    if offset < 0x7ff8 { (base, offset) } else { (sum(cx, base, offset), 0) }
}

/// The bits of a doubleword from `n` on: `rs << n`.
fn shifted(cx: &mut Lower<'_>, rs: Reg, n: u32) -> Reg {
    let ra = cx.temp(regs::GPR);
    match (Uimm6::new(n), Uimm6::new(63 - n)) {
        (Some(sh), Some(me)) => cx.emit(MInst::Real(Inst::Rldicr { ra, rs, sh, me })),
        _ => unreachable!("less than 64"),
    }
    ra.to_reg()
}

/// `bytes` bytes (1 to 8), `offset` behind `base`, as a doubleword that begins with them, or ends with them if they are
/// the whole structure, in the order of memory; nothing is read behind them.
fn load_bytes(cx: &mut Lower<'_>, base: Reg, offset: u32, bytes: u32) -> Reg {
    let big = cx.machine.order() == Endianness::Big;
    let (ra, start) = within(cx, base, offset);
    let mut word = None;
    let mut done = 0;
    while done < bytes {
        let width = 1 << (bytes - done).ilog2();
        let mut part = load(cx, ra, start + done, width);
        if let Some(mut before) = word {
            if big {
                before = shifted(cx, before, 8 * width);
            } else {
                part = shifted(cx, part, 8 * done);
            }
            let ra = cx.temp(regs::GPR);
            cx.emit(MInst::Real(Inst::Or { ra, rs: before, rb: part }));
            part = ra.to_reg();
        }
        word = Some(part);
        done += width;
    }
    let word = word.unwrap_or(base);
    if big && bytes < 8 && offset != 0 { shifted(cx, word, 8 * (8 - bytes)) } else { word }
}

/// A zero-extended load of 1, 2, 4 or 8 bytes. Like any load of an address that the program gives it may fault.
fn load(cx: &mut Lower<'_>, ra: Reg, offset: u32, width: u32) -> Reg {
    let rt = cx.temp(regs::GPR);
    let inst = match (width, Simm16::new(offset.into()), DsOffset::new(offset.into())) {
        (1, Some(d), _) => Inst::Lbz { rt, ra, d },
        (2, Some(d), _) => Inst::Lhz { rt, ra, d },
        (4, Some(d), _) => Inst::Lwz { rt, ra, d },
        (_, _, Some(d)) => Inst::Ld { rt, ra, d },
        _ => Inst::Ldx { rt, ra, rb: lower::constant(cx, offset.into()) },
    };
    cx.emit(MInst::Access { inst, code: TrapCode::HEAP_OUT_OF_BOUNDS });
    rt.to_reg()
}

/// A small integer with what stands above it.
fn extend(cx: &mut Lower<'_>, rs: Reg, ty: Type, extension: ArgumentExtension) -> Reg {
    let ra = cx.temp(regs::GPR);
    let clear = |mb: u32| match (Uimm6::new(0), Uimm6::new(mb)) {
        (Some(sh), Some(mb)) => Inst::Rldicl { ra, rs, sh, mb },
        _ => unreachable!("less than 64"),
    };
    cx.emit(MInst::Real(match (ty, extension) {
        (types::I8, ArgumentExtension::Sext) => Inst::Extsb { ra, rs },
        (types::I16, ArgumentExtension::Sext) => Inst::Extsh { ra, rs },
        (_, ArgumentExtension::Sext) => Inst::Extsw { ra, rs },
        _ => clear(64 - ty.bits()),
    }));
    ra.to_reg()
}

/// Calls a routine of C with integers, which returns one.
pub(super) fn library_call(cx: &mut Lower<'_>, symbol: ExternalName, args: &[Reg]) -> Reg {
    let (call, result) = library_call_info(cx, symbol, args);
    cx.emit(Common::Call(Box::new(call)).into());
    result
}

/// The same, not emitted; and the result.
pub(super) fn library_call_info(cx: &mut Lower<'_>, symbol: ExternalName, args: &[Reg]) -> (CallInfo, Reg) {
    let target = CallTarget::Name { symbol, colocated: false };
    cx.machine.note_call(cx, &target);
    cx.frame.makes_calls = true;
    if cx.machine.abi().v1 {
        cx.frame.outgoing_bytes = cx.frame.outgoing_bytes.max(SAVE_AREA_BYTES);
    }
    let uses = args.iter().zip(3..).map(|(&reg, n)| (reg, regs::r(n))).collect();
    let result = cx.temp(regs::GPR);
    let call = CallInfo {
        target,
        callee: None,
        uses,
        defs: Vec::from([(result, regs::r(3))]),
        clobbers: regs::call_clobbers(),
        popped_bytes: 0,
    };
    (call, result.to_reg())
}

impl Emit<'_> {
    /// One of
    /// ```text
    ///     bl symbol ; nop                  the linker may put a reload of r2 in the nop's place
    ///     bl symbol                        in the same module
    ///     ld r12, offset(base)             through a pointer, which may be in memory
    ///     std r2, save(r1)
    ///     mr r12, callee ; mtctr r12       or  ld r11, 16(callee) ; ld r0, 0(callee) ; ld r2, 8(callee) ; mtctr r0
    ///     bctrl
    ///     ld r2, save(r1)
    /// ```
    /// and where the callee took its arguments off
    /// ```text
    ///     addi r11, r1, size - popped      the back chain
    ///     stdu r11, -popped(r1)
    /// ```
    /// What `before_call` says stands in front of the `bl` or `bctrl`. A `datum` is thread-local and what the call is about.
    pub(super) fn call(
        &mut self,
        info: &CallInfo,
        items: Vec<CatchItem<Label>>,
        datum: Option<&ExternalName>,
    ) -> Result {
        match &info.target {
            CallTarget::Name { symbol, colocated } if !self.target.toc_free() => {
                self.before_call()?;
                let place = self.buf.offset();
                if let Some(datum) = datum {
                    // Linkers want it before the call's own.
                    self.buf.reloc_at(place, reloc::TLSGD, datum.clone(), 0);
                }
                self.buf.reloc_at(place, reloc::REL24, symbol.clone(), 0);
                self.real(&Inst::Bl { target: BranchOffset::ZERO })?;
                self.buf.call_returns_here(info.popped_bytes, items);
                if !colocated {
                    self.real(&Inst::Nop)?;
                }
            }
            _ => {
                let callee = self.pointer(info)?;
                let save = self.target.abi().toc_save() as i32;
                // Code that uses no table of contents need not keep it.
                let keeps_toc = !self.target.toc_free();
                if keeps_toc {
                    self.store_near(TOC, save)?;
                }
                if self.target.abi().v1 {
                    // The environment, which a closure of C or of a library finds there.
                    let d = DsOffset::new(16).unwrap_or(DsOffset::ZERO);
                    self.real(&Inst::Ld { rt: w(SCRATCH), ra: callee, d })?;
                }
                self.enter(callee, true)?;
                self.before_call()?;
                self.real(&Inst::Bctrl)?;
                self.buf.call_returns_here(info.popped_bytes, items);
                if keeps_toc && info.popped_bytes == 0 {
                    self.load_near(TOC, save)?;
                }
            }
        }
        self.retake(info.popped_bytes)
    }

    /// What the embedder wants in front of a call, which is one instruction:
    /// ```text
    ///     nop                              as often as the return address is to be moved
    ///     b call ; .long data
    /// call:
    /// ```
    fn before_call(&mut self) -> Result {
        let before = self.buf.before_call(&self.target.settings.runtime, INST_BYTES, INST_BYTES);
        for _ in 0..before.padding_bytes / INST_BYTES {
            self.real(&Inst::Nop)?;
        }
        if let Some(word) = before.word {
            let target = BranchOffset::new(2 * i64::from(INST_BYTES)).unwrap_or(BranchOffset::ZERO);
            self.real(&Inst::B { target })?;
            self.buf.put_data(&fixup::word(word, self.target.order()));
        }
        Ok(())
    }

    /// The register with the pointer to the function that is called: one of the call's operands, or `r12`, which gets it from
    /// memory or from instructions.
    fn pointer(&mut self, info: &CallInfo) -> core::result::Result<Reg, EmitError> {
        match &info.target {
            CallTarget::Reg => return Ok(info.callee.unwrap_or(Reg::NONE)),
            CallTarget::Name { symbol, .. } => self.absolute(w(ENTRY), symbol, 0)?,
            &CallTarget::Memory { base, offset, code } => {
                let fault = OperandFault::NotAllowed;
                let d = DsOffset::new(offset.into()).ok_or(EmitError {
                    inst: "Call",
                    operand: "offset",
                    fault,
                })?;
                if let Some(code) = code {
                    self.buf.trap_here(code);
                }
                self.real(&Inst::Ld { rt: w(ENTRY), ra: Reg::from_preg(base), d })?;
            }
        }
        Ok(ENTRY)
    }

    /// The count register gets the address of a function's code, and what else its entry needs is set.
    fn enter(&mut self, callee: Reg, sets_toc: bool) -> Result {
        if self.target.abi().v1 {
            let toc = DsOffset::new(8).unwrap_or(DsOffset::ZERO);
            self.real(&Inst::Ld { rt: w(ZERO), ra: callee, d: DsOffset::ZERO })?;
            if sets_toc {
                self.real(&Inst::Ld { rt: w(TOC), ra: callee, d: toc })?;
            }
            return self.real(&Inst::Mtctr { rs: ZERO });
        }
        self.copy(w(ENTRY), callee)?;
        self.real(&Inst::Mtctr { rs: ENTRY })
    }

    /// The stack pointer goes back to where it was before a callee took `popped` bytes off the stack.
    fn retake(&mut self, popped: u32) -> Result {
        if popped == 0 {
            return Ok(());
        }
        let chain = i64::from(self.frame.size) - i64::from(popped);
        self.add_offset(w(SCRATCH), SP, chain)?;
        match DsOffset::new(-i64::from(popped)) {
            Some(d) => self.real(&Inst::Stdu { ra: w(SP), ra_in: SP, rs: SCRATCH, d }),
            None => {
                self.constant(w(ZERO), (-i64::from(popped)) as u64)?;
                self.real(&Inst::Stdux { ra: w(SP), ra_in: SP, rs: SCRATCH, rb: ZERO })
            }
        }
    }

    /// The frame goes, but for the callee's arguments, which lie where its caller's caller expects to have them taken off.
    /// ```text
    ///     ld r12, offset(base)             of a call through memory
    ///     mr r12, callee ; mtctr r12       of a call through a pointer; in the first ABI  ld r0, 0(callee) ; mtctr r0
    ///     addi r1, r1, size ; …            see take_down
    ///     ld r11, 0(r1) ; addi r1, r1, n ; std r11, 0(r1)
    ///     b symbol                         or  bctr
    /// ```
    pub(super) fn tail_call(&mut self, info: &CallInfo) -> Result {
        let direct = match &info.target {
            CallTarget::Name { symbol, .. } if !self.target.toc_free() => Some(symbol),
            _ => {
                let callee = self.pointer(info)?;
                self.enter(callee, self.target.toc_free())?;
                None
            }
        };
        self.take_down()?;
        let above = (self.frame.tail_bytes + self.frame.popped_bytes) as i32 - info.popped_bytes as i32;
        self.move_header(above)?;
        match direct {
            Some(symbol) => {
                let place = self.buf.offset();
                self.buf.reloc_at(place, reloc::REL24, symbol.clone(), 0);
                self.real(&Inst::B { target: BranchOffset::ZERO })
            }
            None => self.real(&Inst::Bctr),
        }
    }
}
