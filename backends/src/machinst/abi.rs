//! Calling conventions, as far as they are the same on every machine.
//!
//! A target says *where* things are: [`AbiMachine::sig_abi`] turns a signature into a [`SigAbi`], a place for each part
//! of each parameter and result. What follows from it is done here: which registers the function's `args`, `return` and call
//! instructions name, what is loaded and stored beside them, how structures passed by value are taken apart and put
//! together, and where the caller's memory for further results is. The target has the hooks that emit its instructions.
//!
//! ```text
//!  caller                                          callee
//!  gen_outgoing: value -> registers                gen_incoming: registers to receive in
//!  pass_args:    registers -> uses, stores         entry:        defs, loads
//!  Results:      defs, loads                       return_uses:  uses, stores to the return area
//!  gen_received: registers -> value                gen_received
//! ```
//!
//! **Structures by value.** The caller's operand is an address. Pieces that travel in registers are loaded from there, the
//! rest is copied to the stack arguments, word by word or by `memcpy`. The callee stores the pieces that came in
//! registers to their *home*, which the target chooses next to the incoming arguments, so that a
//! structure that came in both is in one piece; the parameter is its address.

use super::lower::{InstOutput, Lower, ValueRegs};
use super::pseudo::{CallTarget, Common, FrameArea};
use super::{Machine, Reg, WritableReg};
use alloc::string::String;
use alloc::vec::Vec;
use smallvec::SmallVec;
use windlass_ir::{ArgumentExtension, Inst, SigRef, Signature, Type, Value};
use windlass_regalloc::{PReg, RegClass, UnitSet};

/// Where a part of a value is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Place {
    /// A register.
    Reg(PReg),
    /// Memory, at this offset in bytes: in the stack arguments, or for results in the return area.
    Memory(u32),
}

/// Where a value is, part by part: a part for each register that carries it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Location {
    /// The parts, in the order of the registers that [`AbiMachine::gen_outgoing`] gives.
    pub parts: SmallVec<[Place; 2]>,
    /// The value's type.
    pub ty: Type,
    /// What a register holds above it.
    pub extension: ArgumentExtension,
}

/// A piece of a structure.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Piece {
    /// Its offset in the structure, in bytes.
    pub offset: u32,
    /// Its size in bytes: at most a register's, but for memory.
    pub bytes: u32,
    /// Where it is.
    pub place: Place,
}

/// Where a structure passed by value is.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct StructLocation {
    /// Its pieces, in order. Together they have every byte of it.
    pub pieces: SmallVec<[Piece; 4]>,
    /// Where the callee has all of it: an offset from the stack arguments, negative if there are registers to store.
    pub home: i32,
    /// Bytes of padding at the start of that: structures that are smaller than a word may stand at its end.
    pub padding: u32,
    /// The alignment of the memory that the caller copies from, in bytes; 1 if it is not known.
    pub align: u32,
}

/// Where a parameter is.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Param {
    /// A value.
    Value(Location),
    /// A structure.
    Struct(StructLocation),
}

/// Where everything that a signature names is.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct SigAbi {
    /// Parameters, in order.
    pub params: Vec<Param>,
    /// Results, in order. Memory is the return area.
    pub returns: Vec<Location>,
    /// Bytes of arguments on the stack.
    pub stack_arg_bytes: u32,
    /// Bytes of them that the callee takes off the stack.
    pub popped_bytes: u32,
    /// Bytes below the stack arguments where the callee has the homes of structures.
    pub home_bytes: u32,
    /// Bytes of results in memory. If any, the caller passes their address.
    pub return_area_bytes: u32,
    /// The register that it passes it in.
    pub return_area_reg: Option<PReg>,
}

/// A machine whose calls are made here.
pub trait AbiMachine: Machine {
    /// Lays out a signature. The error says what is not supported.
    ///
    /// # Errors
    /// What the target does not support.
    fn sig_abi(&self, sig: &Signature) -> Result<SigAbi, String>;
    /// The registers that carry `v` to its places, with the extension and in the register file that it wants.
    fn gen_outgoing(&self, cx: &mut Lower<'_, Self>, location: &Location, v: Value) -> SmallVec<[Reg; 2]>;
    /// Registers to receive a value in: its own, or others that [`gen_received`](Self::gen_received) makes it of.
    fn gen_incoming(
        &self,
        cx: &mut Lower<'_, Self>,
        location: &Location,
        own: ValueRegs,
    ) -> SmallVec<[WritableReg; 2]>;
    /// Makes a value of what was received.
    fn gen_received(
        &self,
        cx: &mut Lower<'_, Self>,
        location: &Location,
        received: &[WritableReg],
        own: ValueRegs,
    );
    /// The class of a register that a convention names.
    fn class_of_reg(&self, preg: PReg) -> RegClass;
    /// Stores a register to an argument area: a float of `bytes` bytes, or a word.
    fn gen_arg_store(&self, cx: &mut Lower<'_, Self>, reg: Reg, bytes: u32, area: FrameArea, offset: i32);
    /// Loads a register from an argument area: a float of `bytes` bytes, or a word.
    fn gen_arg_load(
        &self,
        cx: &mut Lower<'_, Self>,
        reg: WritableReg,
        bytes: u32,
        area: FrameArea,
        offset: i32,
    );
    /// Stores a register of a result, a float of `bytes` bytes or a word, to the return area at `base`.
    fn gen_result_store(&self, cx: &mut Lower<'_, Self>, reg: Reg, bytes: u32, base: Reg, offset: u32);
    /// Loads a piece of the structure at `base`, which has alignment `align`, into a register of the kind that its
    /// place wants: a register, or one whose store to memory writes the piece and at most padding behind it. At most a word.
    fn gen_piece(&self, cx: &mut Lower<'_, Self>, base: Reg, piece: Piece, align: u32) -> Reg;
    /// Up to how many bytes of alignment `align` are copied without a call.
    fn inline_copy_bytes(&self, align: u32) -> u32;
    /// Calls `memcpy` to copy `bytes` bytes, `offset` behind `base`, to `to` in the outgoing arguments.
    fn gen_memcpy(&self, cx: &mut Lower<'_, Self>, to: u32, base: Reg, offset: u32, bytes: u32);
    /// What a call destroys.
    fn call_clobbers(&self) -> UnitSet;
    /// What callees save.
    fn callee_saved(&self) -> UnitSet;
    /// The registers that an exception's two payloads are in, at the start of a handler's edge.
    fn payload_regs(&self) -> [PReg; 2];
    /// Can a call take the callee's address from memory, `offset` bytes behind a register?
    fn calls_through(&self, offset: i32) -> bool;
    /// Notes what every call of `target` wants of the frame.
    fn note_call(&self, _cx: &mut Lower<'_, Self>, _target: &CallTarget) {}
}

/// Bytes of each part of a value: a float's, or a word's.
fn part_bytes<M: AbiMachine>(machine: &M, ty: Type) -> u32 {
    if ty.is_float() { ty.bytes() } else { machine.address_type().bytes() }
}

/// Lays out `sig`, or notes what is not supported.
pub fn sig_abi<M: AbiMachine>(cx: &mut Lower<'_, M>, sig: &Signature) -> Option<SigAbi> {
    match cx.machine.sig_abi(sig) {
        Ok(abi) => Some(abi),
        Err(what) => {
            cx.unsupported(what);
            None
        }
    }
}

/// A new register for an address.
pub fn address_reg<M: AbiMachine>(cx: &mut Lower<'_, M>) -> WritableReg {
    let classes = cx.machine.classes_of(cx.address_type()).unwrap_or(&[]);
    cx.temp(classes.first().copied().unwrap_or(RegClass::new(0)))
}

/// The register that keeps the address of the caller's return area.
pub fn return_area<M: AbiMachine>(cx: &mut Lower<'_, M>) -> WritableReg {
    match cx.return_area {
        Some(reg) => reg,
        None => {
            let reg = address_reg(cx);
            cx.return_area = Some(reg);
            reg
        }
    }
}

/// Values that arrive: an entry's parameters, a call's results.
///
/// [`place`](Arrivals::place) each value, emit the instruction with [`regs`](Arrivals::regs), then
/// [`finish`](Arrivals::finish).
#[derive(Default)]
pub struct Arrivals<'a> {
    /// What the instruction writes.
    pub regs: Vec<(WritableReg, PReg)>,
    /// Register, bytes, offset.
    loads: Vec<(WritableReg, u32, i32)>,
    values: Vec<(&'a Location, SmallVec<[WritableReg; 2]>, ValueRegs)>,
}

impl<'a> Arrivals<'a> {
    /// A value arrives at `location` and goes to the registers `own`. Its memory is `base` behind the start of the area.
    pub fn place<M: AbiMachine>(
        &mut self,
        cx: &mut Lower<'_, M>,
        location: &'a Location,
        own: ValueRegs,
        base: i32,
    ) {
        let received = cx.machine.gen_incoming(cx, location, own);
        debug_assert_eq!(received.len(), location.parts.len(), "a register for each part");
        for (&reg, &part) in received.iter().zip(&location.parts) {
            match part {
                Place::Reg(preg) => self.regs.push((reg, preg)),
                Place::Memory(at) => {
                    let bytes = part_bytes(cx.machine, location.ty);
                    self.loads.push((reg, bytes, base + at as i32));
                }
            }
        }
        self.values.push((location, received, own));
    }

    /// Emits the loads from `area`, and what makes values of what came.
    pub fn finish<M: AbiMachine>(self, cx: &mut Lower<'_, M>, area: FrameArea) {
        for (reg, bytes, offset) in self.loads {
            cx.machine.gen_arg_load(cx, reg, bytes, area, offset);
        }
        for (location, received, own) in self.values {
            if !received.is_empty() {
                cx.machine.gen_received(cx, location, &received, own);
            }
        }
    }
}

/// Brings arguments into the entry block's parameters. `args` makes the instruction that writes its registers.
pub fn entry<M: AbiMachine>(
    cx: &mut Lower<'_, M>,
    args: impl FnOnce(Vec<(WritableReg, PReg)>) -> M::Inst,
) -> Option<()> {
    let abi = sig_abi(cx, &cx.func.signature)?;
    cx.frame.popped_bytes = abi.popped_bytes;
    cx.frame.home_bytes = abi.home_bytes;
    let mut arrivals = Arrivals::default();
    if let Some(preg) = abi.return_area_reg {
        let area = return_area(cx);
        arrivals.regs.push((area, preg));
    }
    let mut stores: Vec<(Reg, u32, i32)> = Vec::new();
    let mut addresses = Vec::new();
    for (i, param) in abi.params.iter().enumerate() {
        let own = cx.entry_param_regs(i);
        match param {
            Param::Value(location) => arrivals.place(cx, location, own, 0),
            Param::Struct(location) => {
                for piece in &location.pieces {
                    if let Place::Reg(preg) = piece.place {
                        let reg = cx.temp(cx.machine.class_of_reg(preg));
                        arrivals.regs.push((reg, preg));
                        let offset = location.home + piece.offset as i32;
                        stores.push((reg.to_reg(), piece.bytes, offset));
                    }
                }
                let start = location.home + location.padding as i32;
                addresses.extend(own.only_reg().map(|reg| (WritableReg::from_reg(reg), start)));
            }
        }
    }
    cx.emit(args(core::mem::take(&mut arrivals.regs)));
    for (reg, bytes, offset) in stores {
        cx.machine.gen_arg_store(cx, reg, bytes, FrameArea::Incoming, offset);
    }
    arrivals.finish(cx, FrameArea::Incoming);
    for (reg, offset) in addresses {
        cx.emit(Common::FrameAddr { rd: reg, area: FrameArea::Incoming, offset }.into());
    }
    Some(())
}

/// Brings results to where the caller wants them. Gives the registers that the return reads.
pub fn return_uses<M: AbiMachine>(cx: &mut Lower<'_, M>, args: &[Value]) -> Option<Vec<(Reg, PReg)>> {
    let abi = sig_abi(cx, &cx.func.signature)?;
    let mut uses = Vec::new();
    for (location, &v) in abi.returns.iter().zip(args) {
        let regs = cx.machine.gen_outgoing(cx, location, v);
        debug_assert_eq!(regs.len(), location.parts.len(), "a register for each part");
        for (&reg, &part) in regs.iter().zip(&location.parts) {
            match part {
                Place::Reg(preg) => uses.push((reg, preg)),
                Place::Memory(at) => {
                    let base = return_area(cx).to_reg();
                    let bytes = part_bytes(cx.machine, location.ty);
                    cx.machine.gen_result_store(cx, reg, bytes, base, at);
                }
            }
        }
    }
    Some(uses)
}

/// Brings arguments to where `abi` has them. Gives the registers that the call reads; what goes to the stack is stored
/// `base` bytes into `area`.
pub fn pass_args<M: AbiMachine>(
    cx: &mut Lower<'_, M>,
    abi: &SigAbi,
    args: &[Value],
    area: FrameArea,
    base: i32,
) -> Vec<(Reg, PReg)> {
    let mut uses = Vec::new();
    // Copies that are calls come first, so that nothing has to be kept across them.
    for (param, &v) in abi.params.iter().zip(args) {
        if let Param::Struct(location) = param {
            copy_by_call(cx, location, v, base);
        }
    }
    for (param, &v) in abi.params.iter().zip(args) {
        match param {
            Param::Value(location) => {
                let regs = cx.machine.gen_outgoing(cx, location, v);
                debug_assert_eq!(regs.len(), location.parts.len(), "a register for each part");
                for (&reg, &part) in regs.iter().zip(&location.parts) {
                    match part {
                        Place::Reg(preg) => uses.push((reg, preg)),
                        Place::Memory(at) => {
                            let bytes = part_bytes(cx.machine, location.ty);
                            cx.machine.gen_arg_store(cx, reg, bytes, area, base + at as i32);
                        }
                    }
                }
            }
            Param::Struct(location) => pass_struct(cx, location, v, area, base, &mut uses),
        }
    }
    uses
}

/// Is a piece copied to memory by a call?
fn wants_call<M: AbiMachine>(machine: &M, location: &StructLocation, piece: &Piece) -> bool {
    matches!(piece.place, Place::Memory(_)) && piece.bytes > machine.inline_copy_bytes(location.align)
}

/// What of a structure is copied by a call.
fn copy_by_call<M: AbiMachine>(cx: &mut Lower<'_, M>, location: &StructLocation, v: Value, base: i32) {
    for piece in &location.pieces {
        if let Place::Memory(at) = piece.place
            && wants_call(cx.machine, location, piece)
            && let Some(from) = cx.put_in_regs(v).only_reg()
        {
            cx.machine.gen_memcpy(cx, at.wrapping_add_signed(base), from, piece.offset, piece.bytes);
        }
    }
}

/// The rest of it.
fn pass_struct<M: AbiMachine>(
    cx: &mut Lower<'_, M>,
    location: &StructLocation,
    v: Value,
    area: FrameArea,
    base: i32,
    uses: &mut Vec<(Reg, PReg)>,
) {
    let align = location.align;
    let word = cx.address_type().bytes();
    for piece in &location.pieces {
        if wants_call(cx.machine, location, piece) {
            continue;
        }
        let Some(from) = cx.put_in_regs(v).only_reg() else { return };
        match piece.place {
            Place::Reg(preg) => {
                let reg = cx.machine.gen_piece(cx, from, *piece, align);
                uses.push((reg, preg));
            }
            Place::Memory(at) => {
                for done in (0..piece.bytes).step_by(word as usize) {
                    let place = Place::Memory(at + done);
                    let bytes = word.min(piece.bytes - done);
                    let part = Piece { offset: piece.offset + done, bytes, place };
                    let reg = cx.machine.gen_piece(cx, from, part, align);
                    cx.machine.gen_arg_store(cx, reg, bytes, area, base + (at + done) as i32);
                }
            }
        }
    }
}

/// Makes room for a call's stack arguments and results and passes its arguments. Gives the registers that it reads.
pub fn call_uses<M: AbiMachine>(cx: &mut Lower<'_, M>, abi: &SigAbi, args: &[Value]) -> Vec<(Reg, PReg)> {
    cx.frame.makes_calls = true;
    cx.frame.outgoing_bytes = cx.frame.outgoing_bytes.max(abi.stack_arg_bytes + abi.return_area_bytes);
    let mut uses = pass_args(cx, abi, args, FrameArea::Outgoing, 0);
    if let Some(preg) = abi.return_area_reg {
        let reg = address_reg(cx);
        let offset = abi.stack_arg_bytes as i32;
        cx.emit(Common::FrameAddr { rd: reg, area: FrameArea::Outgoing, offset }.into());
        uses.push((reg.to_reg(), preg));
    }
    uses
}

/// The results of a call, to be written by it; and the registers of each.
pub fn call_defs<'a, M: AbiMachine>(
    cx: &mut Lower<'_, M>,
    abi: &'a SigAbi,
) -> Option<(Arrivals<'a>, InstOutput)> {
    let mut arrivals = Arrivals::default();
    let mut outputs = InstOutput::new();
    for location in &abi.returns {
        let own = cx.temps(location.ty)?;
        arrivals.place(cx, location, own, abi.stack_arg_bytes as i32);
        outputs.push(own);
    }
    Some((arrivals, outputs))
}

/// What the normal edge of `inst`, a call that may throw, begins with: the results are collected. What the call itself
/// writes is kept for [`Lower::take_try_results`].
pub fn try_return<M: AbiMachine>(cx: &mut Lower<'_, M>, inst: Inst, sig: SigRef) -> Option<InstOutput> {
    let abi = sig_abi(cx, &cx.func.dfg.signatures[sig])?;
    let (mut results, outputs) = call_defs(cx, &abi)?;
    cx.set_try_results(inst, core::mem::take(&mut results.regs));
    results.finish(cx, FrameArea::Outgoing);
    Some(outputs)
}
