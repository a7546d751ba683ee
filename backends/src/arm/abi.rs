//! Calling conventions of 32-bit ARM: where arguments and results are.
//!
//! The Procedure Call Standard for the Arm Architecture (AAPCS, IHI 0042) and its VFP variant. `fast` and `tail` are
//! the platform's own convention, but that a `tail` function takes its stack arguments off the stack: at its return
//! the stack pointer is above them. So a tail call may pass more on the stack than its caller was passed, in
//! constant stack: what the caller's caller finds afterwards does not depend on who returned. Results beyond what C returns are Windlass's: integers in `r0`–`r3`, floats
//! in `s0`/`d0` and up, and what finds no register in memory that the caller provides, whose address it
//! passes before all arguments.

use super::regs::{self, d, r, s};
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use smallvec::SmallVec;
use windlass_ir::{AbiParam, ArgumentExtension, ArgumentPurpose, CallConv, Signature, Type, types};
use windlass_regalloc::PReg;

/// Where a part of a value is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Place {
    /// A core register, or a floating-point one of the value's own size.
    Reg(PReg),
    /// A word (or two, for a double in one part) of memory, at this offset in bytes.
    Memory(u32),
}

/// Where a value is, part by part.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Location {
    /// The parts, least significant first.
    pub parts: SmallVec<[Place; 2]>,
    /// The value's type.
    pub ty: Type,
    /// What a register holds above it.
    pub extension: ArgumentExtension,
}

/// Where everything that a signature names is.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct SigAbi {
    /// Parameters, in order.
    pub params: Vec<Location>,
    /// Results, in order. Memory is the return area.
    pub returns: Vec<Location>,
    /// Bytes of arguments on the stack.
    pub stack_arg_bytes: u32,
    /// Bytes of them that the callee takes off the stack: all in the `tail` convention, none in others.
    pub popped_bytes: u32,
    /// Bytes of results in memory. If any, `r0` has their address.
    pub return_area_bytes: u32,
}

/// Does a convention pass floats in VFP registers, on a target whose C convention does (`hard_float`)?
fn uses_vfp(conv: CallConv, hard_float: bool) -> Option<bool> {
    match conv {
        CallConv::Fast | CallConv::Tail | CallConv::SystemV => Some(hard_float),
        CallConv::AapcsVfp => Some(true),
        CallConv::Aapcs | CallConv::AapcsSoftfp => Some(false),
        CallConv::Elfv1 | CallConv::Elfv2 => None,
    }
}

impl SigAbi {
    /// Lays out `sig`. The error says what is not supported.
    pub fn new(sig: &Signature, hard_float: bool) -> Result<SigAbi, String> {
        let Some(vfp) = uses_vfp(sig.call_conv, hard_float) else {
            return Err(format!("calling convention {}", sig.call_conv));
        };
        let mut abi = SigAbi::default();
        let mut results = Registers::new(vfp);
        let mut area = 0;
        for result in &sig.returns {
            let location = match results.registers(result)? {
                Some(location) => location,
                None => memory(result, &mut area),
            };
            abi.returns.push(location);
        }
        abi.return_area_bytes = area.next_multiple_of(8);
        let mut args = Registers::new(vfp);
        if area > 0 {
            args.core = 1;
        }
        let mut stack = 0;
        for param in &sig.params {
            if let ArgumentPurpose::StructArgument(_) = param.purpose {
                return Err("a structure passed by value".into());
            }
            let location = args.argument(param, &mut stack)?;
            abi.params.push(location);
        }
        abi.stack_arg_bytes = stack.next_multiple_of(8);
        if sig.call_conv == CallConv::Tail {
            abi.popped_bytes = abi.stack_arg_bytes;
        }
        Ok(abi)
    }
}

fn location(param: &AbiParam, parts: impl IntoIterator<Item = Place>) -> Location {
    Location { parts: parts.into_iter().collect(), ty: param.value_type, extension: param.extension }
}

/// The next place in memory for a value.
fn memory(param: &AbiParam, next: &mut u32) -> Location {
    let bytes = param.value_type.bytes().max(4);
    *next = next.next_multiple_of(bytes.min(8));
    let at = *next;
    *next += bytes;
    let parts = if param.value_type.is_float() { 1 } else { bytes / 4 };
    location(param, (0..parts).map(|i| Place::Memory(at + 4 * i)))
}

/// Registers given out so far (AAPCS 6.5, stages B and C).
struct Registers {
    vfp: bool,
    /// Next core register number.
    core: u8,
    /// Single-precision registers in use, as bits.
    vfp_used: u16,
    /// An argument went to the stack: no VFP register is given out after that.
    vfp_closed: bool,
}

impl Registers {
    fn new(vfp: bool) -> Registers {
        Registers { vfp, core: 0, vfp_used: 0, vfp_closed: false }
    }

    /// Registers for a value, or `None` if they are used up.
    fn registers(&mut self, param: &AbiParam) -> Result<Option<Location>, String> {
        let ty = param.value_type;
        if ty.is_float() && self.vfp && matches!(ty, types::F32 | types::F64) {
            return Ok(self.vfp_register(ty).map(|preg| location(param, [Place::Reg(preg)])));
        }
        let words = match ty {
            types::I8 | types::I16 | types::I32 | types::F32 => 1,
            types::I64 | types::F64 => 2,
            // Like a structure of two doublewords.
            types::I128 => 4,
            _ => return Err(format!("a parameter or result of type {ty}")),
        };
        let first = if words > 1 { self.core.next_multiple_of(2) } else { self.core };
        if first + words > 4 {
            return Ok(None);
        }
        self.core = first + words;
        Ok(Some(location(param, (first..first + words).map(|n| Place::Reg(r(n))))))
    }

    /// The lowest free register: a single goes into the hole that a double left.
    fn vfp_register(&mut self, ty: Type) -> Option<PReg> {
        if self.vfp_closed {
            return None;
        }
        let (width, mask) = if ty == types::F32 { (1, 1) } else { (2, 3) };
        let first = (0..16u8).step_by(width).find(|n| self.vfp_used >> n & mask == 0)?;
        self.vfp_used |= mask << first;
        Some(if ty == types::F32 { s(first) } else { d(first / 2) })
    }

    fn argument(&mut self, param: &AbiParam, stack: &mut u32) -> Result<Location, String> {
        if let Some(location) = self.registers(param)? {
            return Ok(location);
        }
        if param.value_type.is_float() && self.vfp {
            self.vfp_closed = true;
        } else {
            // C.6: no core register after an argument that went to the stack.
            self.core = 4;
        }
        Ok(memory(param, stack))
    }
}

/// The units that a call destroys.
pub fn clobbers(options: &regs::RegOptions) -> windlass_regalloc::UnitSet {
    regs::call_clobbers(options)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sig(params: &[Type], returns: &[Type]) -> Signature {
        Signature {
            params: params.iter().map(|&ty| AbiParam::new(ty)).collect(),
            returns: returns.iter().map(|&ty| AbiParam::new(ty)).collect(),
            call_conv: CallConv::SystemV,
        }
    }

    fn places(locations: &[Location]) -> Vec<Vec<Place>> {
        locations.iter().map(|location| location.parts.to_vec()).collect()
    }

    #[test]
    fn a_64_bit_argument_starts_at_an_even_register() {
        use Place::*;
        let abi = SigAbi::new(&sig(&[types::I32, types::I64, types::I32, types::I64], &[]), true).unwrap();
        assert_eq!(
            places(&abi.params),
            [vec![Reg(r(0))], vec![Reg(r(2)), Reg(r(3))], vec![Memory(0)], vec![Memory(8), Memory(12)]]
        );
        assert_eq!(abi.stack_arg_bytes, 16);
    }

    #[test]
    fn a_single_fills_the_hole_that_a_double_left() {
        use Place::*;
        let abi = SigAbi::new(&sig(&[types::F32, types::F64, types::F32], &[]), true).unwrap();
        assert_eq!(places(&abi.params), [vec![Reg(s(0))], vec![Reg(d(1))], vec![Reg(s(1))]]);
    }

    #[test]
    fn floats_use_core_registers_in_the_base_standard() {
        use Place::*;
        let abi = SigAbi::new(&sig(&[types::F32, types::F64], &[types::F64]), false).unwrap();
        assert_eq!(places(&abi.params), [vec![Reg(r(0))], vec![Reg(r(2)), Reg(r(3))]]);
        assert_eq!(places(&abi.returns), [vec![Reg(r(0)), Reg(r(1))]]);
    }

    #[test]
    fn results_without_registers_go_to_memory_whose_address_comes_first() {
        use Place::*;
        let abi = SigAbi::new(&sig(&[types::I32], &[types::I64, types::I64, types::I32]), true).unwrap();
        assert_eq!(
            places(&abi.returns),
            [vec![Reg(r(0)), Reg(r(1))], vec![Reg(r(2)), Reg(r(3))], vec![Memory(0)]]
        );
        assert_eq!((abi.return_area_bytes, places(&abi.params)), (8, vec![vec![Reg(r(1))]]));
    }
}
