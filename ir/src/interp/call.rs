//! Frames, calls that leave the program, library routines, global values, unwinding.

use super::float;
use super::op::{Access, Body, CallSite, FloatUn, Global, Handler, slots_of};
use super::{ErrorKind, Exception, Frame, HostFunctions, HostResult, Interpreter, Memory, Stop};
use crate::data_value::DataValue;
use crate::extname::{ExternalName, LibCall};
use crate::trapcode::TrapCode;
use crate::types::Type;
use alloc::vec::Vec;

/// Least bytes of a frame, so that depth is bounded even for functions without stack slots.
const MIN_FRAME_BYTES: u64 = 32;

/// Appends the slots of `values`.
pub(super) fn push_words(values: &[DataValue], out: &mut Vec<u64>) {
    for value in values {
        let bits = value.to_bits();
        out.push(bits as u64);
        if slots_of(value.ty()) == 2 {
            out.push((bits >> 64) as u64);
        }
    }
}

/// The exception that a call of a throwing routine of the run-time library throws: `%__windlass_throw`, of a tag and two
/// payloads, and `%__windlass_throw_in`, which a context follows.
fn thrown(name: &ExternalName, args: &[DataValue]) -> Option<Exception> {
    let ExternalName::Symbol(name) = name else { return None };
    let has_context = match name.as_str() {
        "__windlass_throw" => false,
        "__windlass_throw_in" => true,
        _ => return None,
    };
    let number = |i: usize| args.get(i)?.as_unsigned().map(|n| n as u64);
    let context = if has_context { Some(number(3)?) } else { None };
    if args.len() != 3 + usize::from(has_context) {
        return None;
    }
    Some(Exception { tag: number(0)? as u32, payload: [number(1)?, number(2)?], context })
}

/// Takes values of `types` from slots. Types without values, which no operation computes, are left out.
pub(super) fn values(words: &mut dyn Iterator<Item = u64>, types: &[Type]) -> Vec<DataValue> {
    let mut out = Vec::with_capacity(types.len());
    for &ty in types {
        let mut bits = 0u128;
        for i in 0..slots_of(ty) {
            let word = u128::from(words.next().unwrap_or(0));
            if i < 2 {
                bits |= word << (64 * i);
            }
        }
        out.extend(DataValue::from_bits(bits, ty));
    }
    out
}

impl Interpreter<'_> {
    /// Makes room for a frame with its slots at `base`. Gives whether there is.
    pub(super) fn reserve(&mut self, base: usize, slots: u32) -> bool {
        let need = base + slots as usize;
        if need > self.slots.len() {
            let limit = (self.config.max_stack_bytes / 4).max(1 << 20) as usize;
            if need > limit.max(slots as usize) {
                return false;
            }
            self.slots.resize(need.max(self.slots.len() * 2).min(limit.max(need)), 0);
        }
        true
    }

    /// Enters a function whose arguments are in place, with the caller's stack pointer. Gives its stack pointer.
    pub(super) fn enter(&mut self, body: &Body, base: usize, caller_sp: u64) -> Result<u64, Stop> {
        let word = u64::from(self.program.machine.address_type.bytes());
        let size = (body.stack_bytes + 2 * word).max(MIN_FRAME_BYTES);
        let overflow = Stop::Trap(TrapCode::STACK_OVERFLOW);
        let Some(low) = caller_sp.checked_sub(size) else { return Err(overflow) };
        let sp = low & !(body.stack_align - 1);
        if sp < self.memory.stack_base() {
            return Err(overflow);
        }
        if let Some(gv) = body.stack_limit
            && sp < self.global_value(body, base, gv)?
        {
            return Err(overflow);
        }
        if body.stack_bytes > 0
            && let Ok(bytes) = self.memory.bytes_mut(sp, body.stack_bytes)
        {
            bytes.fill(self.config.stack_fill);
        }
        if self.program.walks_frames {
            let fp = self.frame_pointer(caller_sp);
            let callers_fp = match self.frames.len().checked_sub(2).map(|i| self.frames[i]) {
                Some(frame) => self.frame_pointer(frame.call_sp),
                None if self.frames.is_empty() => 0,
                None => self.frame_pointer(self.memory.stack_end()),
            };
            let ret = self.return_address();
            // Inside the stack, as checked above.
            let _ = self.memory.write_address(fp, callers_fp);
            let _ = self.memory.write_address(fp + word, ret);
        }
        Ok(sp)
    }

    /// The frame pointer of a function whose caller has this stack pointer.
    pub(super) fn frame_pointer(&self, caller_sp: u64) -> u64 {
        caller_sp - 2 * u64::from(self.program.machine.address_type.bytes())
    }

    /// The running function's caller's stack pointer.
    pub(super) fn caller_sp(&self) -> u64 {
        self.frames.last().map_or(self.memory.stack_end(), |frame| frame.call_sp)
    }

    /// Where the running function returns to: inside its caller's fake addresses.
    pub(super) fn return_address(&self) -> u64 {
        match self.frames.last() {
            Some(frame) => self.program.address(super::FuncId(frame.func)) + 128 + u64::from(frame.pc % 127),
            // The host's.
            None => super::memory::code_base(self.program.machine.address_type) - 16,
        }
    }

    /// Copies the structures that a call passes by value below the stack pointer and points the arguments at the
    /// copies. `args` is where the arguments' slots start. Gives the new stack pointer.
    pub(super) fn pass_structs(&mut self, site: &CallSite, args: usize, mut sp: u64) -> Result<u64, Stop> {
        for &(index, size) in &site.structs {
            let overflow = Stop::Trap(TrapCode::STACK_OVERFLOW);
            let Some(low) = sp.checked_sub(size.into()) else { return Err(overflow) };
            sp = low & !15;
            if sp < self.memory.stack_base() {
                return Err(overflow);
            }
            let from = self.slots[args + index as usize];
            if self.memory.copy(sp, from, size.into()).is_err() {
                return Err(Stop::Trap(TrapCode::HEAP_OUT_OF_BOUNDS));
            }
            self.slots[args + index as usize] = sp;
        }
        Ok(sp)
    }

    /// Calls something that the program does not define. Its arguments and results are in the caller's slots.
    pub(super) fn call_outside(
        &mut self,
        host: &mut dyn HostFunctions,
        callee: u32,
        site: &CallSite,
        base: usize,
    ) -> Result<Vec<DataValue>, Stop> {
        let program = self.program;
        let name = &program.names[callee as usize];
        let shape = &program.shapes[site.sig as usize];
        let slots = &self.slots[base..];
        let args = values(&mut site.args.iter().map(|&slot| slots[slot as usize]), &shape.params);
        let results = match name {
            ExternalName::LibCall(routine) => self.library_routine(*routine, &args, &shape.returns)?,
            _ => match host.call(name, &args, &mut self.memory) {
                HostResult::Return(results) => results,
                HostResult::Trap(code) => return Err(Stop::Trap(code)),
                HostResult::Throw(exception) => return Err(Stop::Throw(exception)),
                HostResult::Unknown => match thrown(name, &args) {
                    Some(exception) => return Err(Stop::Throw(exception)),
                    None => return Err(ErrorKind::UndefinedFunction(name.clone()).into()),
                },
                HostResult::Error(message) => return Err(ErrorKind::Host(message).into()),
            },
        };
        let fit = results.len() == shape.returns.len()
            && results.iter().zip(&shape.returns).all(|(value, &ty)| value.ty() == ty);
        if fit { Ok(results) } else { Err(ErrorKind::SignatureMismatch(name.clone()).into()) }
    }

    fn library_routine(
        &mut self,
        routine: LibCall,
        args: &[DataValue],
        returns: &[Type],
    ) -> Result<Vec<DataValue>, Stop> {
        let name = ExternalName::LibCall(routine);
        let mismatch = || Stop::Error(ErrorKind::SignatureMismatch(name.clone()));
        let unary32 = |op| match args {
            [DataValue::F32(x)] => Ok(float::unary32(op, x.bits()).into()),
            _ => Err(mismatch()),
        };
        let unary64 = |op| match args {
            [DataValue::F64(x)] => Ok(float::unary64(op, x.bits())),
            _ => Err(mismatch()),
        };
        let result: u64 = match routine {
            LibCall::CeilF32 => unary32(FloatUn::Ceil)?,
            LibCall::CeilF64 => unary64(FloatUn::Ceil)?,
            LibCall::FloorF32 => unary32(FloatUn::Floor)?,
            LibCall::FloorF64 => unary64(FloatUn::Floor)?,
            LibCall::TruncF32 => unary32(FloatUn::Trunc)?,
            LibCall::TruncF64 => unary64(FloatUn::Trunc)?,
            LibCall::NearestF32 => unary32(FloatUn::Nearest)?,
            LibCall::NearestF64 => unary64(FloatUn::Nearest)?,
            LibCall::FmaF32 => match args {
                [DataValue::F32(x), DataValue::F32(y), DataValue::F32(z)] => {
                    float::fma32(x.bits(), y.bits(), z.bits()).into()
                }
                _ => return Err(mismatch()),
            },
            LibCall::FmaF64 => match args {
                [DataValue::F64(x), DataValue::F64(y), DataValue::F64(z)] => {
                    float::fma64(x.bits(), y.bits(), z.bits())
                }
                _ => return Err(mismatch()),
            },
            LibCall::Memcpy | LibCall::Memmove | LibCall::Memset | LibCall::Memcmp => {
                let [x, y, n] = args else { return Err(mismatch()) };
                let number = |value: &DataValue| value.as_unsigned().ok_or_else(mismatch).map(|n| n as u64);
                let (x, y, n) = (number(x)?, number(y)?, number(n)?);
                let outside = |_| Stop::Trap(TrapCode::HEAP_OUT_OF_BOUNDS);
                match routine {
                    LibCall::Memset => {
                        self.memory.bytes_mut(x, n).map_err(outside)?.fill(y as u8);
                        x
                    }
                    LibCall::Memcmp => {
                        let (x, y) = (self.memory.bytes(x, n), self.memory.bytes(y, n));
                        match x.map_err(outside)?.cmp(y.map_err(outside)?) {
                            core::cmp::Ordering::Less => u64::MAX,
                            core::cmp::Ordering::Equal => 0,
                            core::cmp::Ordering::Greater => 1,
                        }
                    }
                    _ => {
                        self.memory.copy(x, y, n).map_err(outside)?;
                        x
                    }
                }
            }
            LibCall::Probestack | LibCall::ElfTlsGetAddr | LibCall::ElfTlsGetOffset => {
                return Err(ErrorKind::UnsupportedLibcall(name).into());
            }
        };
        match returns {
            [] => Ok(Vec::new()),
            [ty] => Ok(DataValue::from_bits(result.into(), *ty).into_iter().collect()),
            _ => Err(mismatch()),
        }
    }

    /// Evaluates a global value in a frame with its slots at `base`.
    pub(super) fn global_value(&self, body: &Body, base: usize, gv: u32) -> Result<u64, Stop> {
        // Down to where the chain starts, then up again.
        let mut chain = Vec::new();
        let mut at = gv;
        let mut value = loop {
            if chain.len() > body.globals.len() {
                return Err(ErrorKind::Malformed("a global value that depends on itself".into()).into());
            }
            let Some(&global) = body.globals.get(at as usize) else {
                return Err(ErrorKind::Malformed("a global value that does not exist".into()).into());
            };
            match global {
                Global::VmContext { slot } => break self.slots[base + slot as usize],
                Global::Symbol { symbol, off } => break self.symbol(symbol)?.wrapping_add(off as u64),
                Global::Bad { error } => return Err(body.errors[error as usize].clone().into()),
                Global::Load { base: next, .. } | Global::Add { base: next, .. } => {
                    chain.push(global);
                    at = next;
                }
            }
        } & self.address_mask();
        for global in chain.into_iter().rev() {
            value = match global {
                Global::Load { off, size, acc, .. } => {
                    let address = value.wrapping_add(off as i64 as u64) & self.address_mask();
                    load_sized(&self.memory, self.config.check_alignment, address, size, acc)? as u64
                }
                Global::Add { off, .. } => value.wrapping_add(off as u64) & self.address_mask(),
                Global::VmContext { .. } | Global::Symbol { .. } | Global::Bad { .. } => value,
            };
        }
        Ok(value)
    }

    fn symbol(&self, symbol: u32) -> Result<u64, Stop> {
        if let Some(Some(address)) = self.symbols.get(symbol as usize) {
            return Ok(*address);
        }
        let name = &self.program.symbols[symbol as usize];
        match self.program.find(name) {
            Some(func) => Ok(self.program.address(func)),
            None => Err(ErrorKind::UndefinedSymbol(name.clone()).into()),
        }
    }

    /// Finds the handler of an exception that the call `site` of the running function, or of one of its callers,
    /// has: leaves the frames in between, puts the payload in place and gives the frame and the edge to take.
    pub(super) fn unwind(&mut self, exception: Exception, running: Frame) -> Result<(Frame, u32), Stop> {
        let program = self.program;
        let mut frame = running;
        loop {
            let site = &program.bodies[frame.func as usize].sites[frame.site as usize];
            let mut in_context = true;
            for handler in &site.handlers {
                let edge = match *handler {
                    Handler::Context(slot) => {
                        let context = self.slots[frame.base + slot as usize];
                        in_context = exception.context.is_none_or(|wanted| wanted == context);
                        continue;
                    }
                    Handler::Tag(tag, edge) if tag == exception.tag && in_context => edge,
                    Handler::Tag(..) => continue,
                    Handler::Default(edge) => edge,
                };
                for (i, word) in exception.payload.into_iter().enumerate() {
                    self.slots[frame.base + site.exn as usize + i] = word & self.address_mask();
                }
                return Ok((frame, edge));
            }
            match self.frames.pop() {
                Some(caller) => frame = caller,
                None => return Err(Stop::Throw(exception)),
            }
        }
    }
}

/// An access that failed traps, or faults if it promised not to.
pub(super) fn outside(address: u64, size: u64, acc: Access) -> Stop {
    match TrapCode::from_u8(acc.trap) {
        Some(code) => Stop::Trap(code),
        None => ErrorKind::Fault { address, size }.into(),
    }
}

/// Loads `1 << size` bytes, zeros above.
pub(super) fn load_sized(
    memory: &Memory,
    check_alignment: bool,
    address: u64,
    size: u8,
    acc: Access,
) -> Result<u128, Stop> {
    let bytes = 1u64 << size;
    if acc.is_aligned() && address & (bytes - 1) != 0 && check_alignment {
        return Err(ErrorKind::Misaligned { address, size: bytes }.into());
    }
    match memory.bytes(address, bytes) {
        Ok(content) => {
            let join = |n: u128, byte: &u8| n << 8 | u128::from(*byte);
            Ok(if acc.is_big() { content.iter().fold(0, join) } else { content.iter().rev().fold(0, join) })
        }
        Err(_) => Err(outside(address, bytes, acc)),
    }
}

/// Stores the low `1 << size` bytes of `n`.
pub(super) fn store_sized(
    memory: &mut Memory,
    check_alignment: bool,
    address: u64,
    size: u8,
    acc: Access,
    n: u128,
) -> Result<(), Stop> {
    let bytes = 1u64 << size;
    if acc.is_aligned() && address & (bytes - 1) != 0 && check_alignment {
        return Err(ErrorKind::Misaligned { address, size: bytes }.into());
    }
    let mut content = n.to_le_bytes();
    let content = &mut content[..bytes as usize];
    if acc.is_big() {
        content.reverse();
    }
    memory.write(address, content).map_err(|_| outside(address, bytes, acc))
}
