//! Calling conventions of 32-bit ARM: where arguments and results are.
//!
//! The Procedure Call Standard for the Arm Architecture (AAPCS, IHI 0042) and its VFP variant. `fast` and `tail` are
//! the platform's own convention, but that a `tail` function takes its stack arguments off the stack: at its return
//! the stack pointer is above them. So a tail call may pass more on the stack than its caller was passed, in
//! constant stack: what the caller's caller finds afterwards does not depend on who returned. Results beyond what C returns are Windlass's: integers in `r0`–`r3`, floats
//! in `s0`/`d0` and up, and what finds no register in memory that the caller provides, whose address it
//! passes before all arguments.

use super::regs::{self, d, r, s};
use crate::machinst::abi::{Location, Param, Piece, Place, SigAbi, StructLocation};
use alloc::format;
use alloc::string::String;
use smallvec::SmallVec;
use windlass_ir::{AbiParam, ArgumentPurpose, CallConv, Signature, StructArg, Type, types};
use windlass_regalloc::PReg;

/// What of the target a convention depends on.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct AbiOptions {
    /// C passes floats in VFP registers.
    pub hard_float: bool,
    /// There are VFP registers.
    pub vfp: bool,
}

impl AbiOptions {
    /// Does a convention pass floats in VFP registers?
    fn uses_vfp(self, conv: CallConv) -> Result<bool, String> {
        match conv {
            CallConv::Fast | CallConv::Tail | CallConv::SystemV => Ok(self.hard_float),
            CallConv::AapcsVfp if self.vfp => Ok(true),
            CallConv::AapcsVfp => Err("the convention aapcs_vfp without floating-point registers".into()),
            CallConv::Aapcs | CallConv::AapcsSoftfp => Ok(false),
            CallConv::Elfv1 | CallConv::Elfv2 => Err(format!("calling convention {conv}")),
        }
    }
}

/// The most bytes of arguments on the stack: sums of two stay far from overflow.
const MAX_STACK_BYTES: u32 = 1 << 28;
/// Bytes of the homes of `r0`-`r3`, right below the stack arguments: a structure that begins in them goes on there.
const CORE_HOME_BYTES: u32 = 16;
/// Bytes of the homes of `s0`-`s15`, below those.
const VFP_HOME_BYTES: u32 = 64;

/// Lays out `sig`.
///
/// # Errors
/// What is not supported.
pub fn sig_abi(sig: &Signature, options: AbiOptions) -> Result<SigAbi, String> {
    let vfp = options.uses_vfp(sig.call_conv)?;
    let has_vfp = options.vfp;
    let mut abi = SigAbi::default();
    let mut results = Registers::new(vfp);
    let mut area = 0;
    for result in &sig.returns {
        let location = match results.registers(result)? {
            Some(location) => location,
            None => memory(result, &mut area, has_vfp),
        };
        abi.returns.push(location);
    }
    abi.return_area_bytes = area.next_multiple_of(8);
    let mut args = Registers::new(vfp);
    if area > 0 {
        args.core = 1;
        abi.return_area_reg = Some(r(0));
    }
    let mut stack = 0;
    for param in &sig.params {
        abi.params.push(match param.purpose {
            ArgumentPurpose::StructArgument(layout) if layout.bytes > MAX_STACK_BYTES => {
                return Err(format!("a structure of {} bytes by value", layout.bytes));
            }
            ArgumentPurpose::StructArgument(layout) => {
                let location = args.structure(layout, &mut stack);
                abi.home_bytes = abi.home_bytes.max(home_bytes(&location));
                Param::Struct(location)
            }
            _ => Param::Value(args.argument(param, &mut stack, has_vfp)?),
        });
        if stack > MAX_STACK_BYTES {
            return Err(format!("more than {MAX_STACK_BYTES} bytes of arguments"));
        }
    }
    abi.stack_arg_bytes = stack.next_multiple_of(8);
    if sig.call_conv == CallConv::Tail {
        abi.popped_bytes = abi.stack_arg_bytes;
    }
    Ok(abi)
}

fn location(param: &AbiParam, parts: impl IntoIterator<Item = Place>) -> Location {
    Location { parts: parts.into_iter().collect(), ty: param.value_type, extension: param.extension }
}

/// The next place in memory for a value: one part if a VFP register holds it, else words.
fn memory(param: &AbiParam, next: &mut u32, has_vfp: bool) -> Location {
    let bytes = param.value_type.bytes().max(4);
    *next = next.next_multiple_of(bytes.min(8));
    let at = *next;
    *next += bytes;
    let parts = if param.value_type.is_float() && has_vfp { 1 } else { bytes / 4 };
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
        if self.vfp && matches!(ty, types::F32 | types::F64) {
            let first = self.vfp_registers(ty.bytes() / 4, 1);
            return Ok(first.map(|first| location(param, [Place::Reg(vfp_register(ty, first))])));
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

    /// The lowest free row of `count` floats of `singles` single-precision registers each: the number of its first such.
    /// A single goes into the hole that a double left.
    fn vfp_registers(&mut self, singles: u32, count: u32) -> Option<u8> {
        let width = singles * count;
        if self.vfp_closed || width > 16 {
            return None;
        }
        let mask = (1u32 << width) - 1;
        let first =
            (0..=16 - width).step_by(singles as usize).find(|n| u32::from(self.vfp_used) >> n & mask == 0)?;
        self.vfp_used |= (mask << first) as u16;
        Some(first as u8)
    }

    fn argument(&mut self, param: &AbiParam, stack: &mut u32, has_vfp: bool) -> Result<Location, String> {
        if let Some(location) = self.registers(param)? {
            return Ok(location);
        }
        if param.value_type.is_float() && self.vfp {
            self.vfp_closed = true;
        } else {
            // C.6: no core register after an argument that went to the stack.
            self.core = 4;
        }
        Ok(memory(param, stack, has_vfp))
    }

    /// A structure by value: a homogeneous aggregate of up to four floats in VFP registers or on the stack (C.1, C.2); any
    /// other in core registers, on the stack, or first in these and then on it if nothing is there yet (C.3 to C.8).
    fn structure(&mut self, layout: StructArg, stack: &mut u32) -> StructLocation {
        let StructArg { bytes, align, element } = layout;
        let mut place = StructLocation { pieces: SmallVec::new(), home: 0, padding: 0, align };
        if bytes == 0 {
            return place;
        }
        let boundary = align.clamp(4, 8);
        if let Some(element) = element
            && self.vfp
            && bytes / element.bytes() <= 4
        {
            let (size, count) = (element.bytes(), bytes / element.bytes());
            if let Some(first) = self.vfp_registers(size / 4, count) {
                place.home = 4 * i32::from(first) - (CORE_HOME_BYTES + VFP_HOME_BYTES) as i32;
                place.pieces.extend((0..count).map(|i| Piece {
                    offset: i * size,
                    bytes: size,
                    place: Place::Reg(vfp_register(element, first + (i * size / 4) as u8)),
                }));
                return place;
            }
            self.vfp_closed = true;
        } else {
            if boundary == 8 {
                self.core = self.core.next_multiple_of(2);
            }
            let (first, words) = (u32::from(self.core), bytes.div_ceil(4));
            let in_core = if first + words <= 4 || *stack == 0 { words.min(4 - first) } else { 0 };
            self.core = if in_core == words { (first + words) as u8 } else { 4 };
            if in_core > 0 {
                place.home = 4 * first as i32 - CORE_HOME_BYTES as i32;
                place.pieces.extend((0..in_core).map(|i| Piece {
                    offset: 4 * i,
                    bytes: (bytes - 4 * i).min(4),
                    place: Place::Reg(r((first + i) as u8)),
                }));
            }
        }
        let offset = 4 * place.pieces.len() as u32;
        if offset < bytes {
            if offset == 0 {
                *stack = stack.next_multiple_of(boundary);
                place.home = *stack as i32;
            }
            let bytes = bytes - offset;
            place.pieces.push(Piece { offset, bytes, place: Place::Memory(*stack) });
            *stack += bytes.next_multiple_of(4);
        }
        place
    }
}

/// The register of a float that starts at single-precision register `first`.
fn vfp_register(ty: Type, first: u8) -> PReg {
    if ty == types::F32 { s(first) } else { d(first / 2) }
}

/// Bytes below the stack arguments that a structure's home needs.
fn home_bytes(location: &StructLocation) -> u32 {
    match location.home {
        0.. => 0,
        home if home >= -(CORE_HOME_BYTES as i32) => CORE_HOME_BYTES,
        _ => CORE_HOME_BYTES + VFP_HOME_BYTES,
    }
}

/// The units that a call destroys.
pub fn clobbers(options: &regs::RegOptions) -> windlass_regalloc::UnitSet {
    regs::call_clobbers(options)
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec;
    use alloc::vec::Vec;

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

    fn params(abi: &SigAbi) -> Vec<Vec<Place>> {
        let place = |param: &Param| match param {
            Param::Value(location) => location.parts.to_vec(),
            Param::Struct(location) => location.pieces.iter().map(|piece| piece.place).collect(),
        };
        abi.params.iter().map(place).collect()
    }

    const HARD: AbiOptions = AbiOptions { hard_float: true, vfp: true };
    const SOFTFP: AbiOptions = AbiOptions { hard_float: false, vfp: true };
    const SOFT: AbiOptions = AbiOptions { hard_float: false, vfp: false };

    #[test]
    fn a_64_bit_argument_starts_at_an_even_register() {
        use Place::*;
        let abi = sig_abi(&sig(&[types::I32, types::I64, types::I32, types::I64], &[]), HARD).unwrap();
        assert_eq!(
            params(&abi),
            [vec![Reg(r(0))], vec![Reg(r(2)), Reg(r(3))], vec![Memory(0)], vec![Memory(8), Memory(12)]]
        );
        assert_eq!(abi.stack_arg_bytes, 16);
    }

    #[test]
    fn a_single_fills_the_hole_that_a_double_left() {
        use Place::*;
        let abi = sig_abi(&sig(&[types::F32, types::F64, types::F32], &[]), HARD).unwrap();
        assert_eq!(params(&abi), [vec![Reg(s(0))], vec![Reg(d(1))], vec![Reg(s(1))]]);
    }

    #[test]
    fn floats_use_core_registers_in_the_base_standard() {
        use Place::*;
        let abi = sig_abi(&sig(&[types::F32, types::F64], &[types::F64]), SOFTFP).unwrap();
        assert_eq!(params(&abi), [vec![Reg(r(0))], vec![Reg(r(2)), Reg(r(3))]]);
        assert_eq!(places(&abi.returns), [vec![Reg(r(0)), Reg(r(1))]]);
    }

    #[test]
    fn results_without_registers_go_to_memory_whose_address_comes_first() {
        use Place::*;
        let abi = sig_abi(&sig(&[types::I32], &[types::I64, types::I64, types::I32]), HARD).unwrap();
        assert_eq!(
            places(&abi.returns),
            [vec![Reg(r(0)), Reg(r(1))], vec![Reg(r(2)), Reg(r(3))], vec![Memory(0)]]
        );
        assert_eq!((abi.return_area_bytes, params(&abi)), (8, vec![vec![Reg(r(1))]]));
    }

    fn structure(layout: StructArg) -> AbiParam {
        AbiParam::special(types::I32, ArgumentPurpose::StructArgument(layout))
    }

    fn laid_out(params: Vec<AbiParam>, options: AbiOptions) -> SigAbi {
        let sig = Signature { params, returns: vec![], call_conv: CallConv::SystemV };
        sig_abi(&sig, options).unwrap()
    }

    #[test]
    fn a_structure_begins_in_registers_and_goes_on_on_the_stack() {
        use Place::*;
        let abi = laid_out(vec![AbiParam::new(types::I32), structure(StructArg::new(18))], HARD);
        assert_eq!(params(&abi), [vec![Reg(r(0))], vec![Reg(r(1)), Reg(r(2)), Reg(r(3)), Memory(0)]]);
        let Param::Struct(location) = &abi.params[1] else { panic!("a structure") };
        assert_eq!((location.home, abi.home_bytes, abi.stack_arg_bytes), (-12, 16, 8));
        assert_eq!(location.pieces[3], Piece { offset: 12, bytes: 6, place: Memory(0) });
    }

    #[test]
    fn a_structure_is_not_split_behind_an_argument_on_the_stack() {
        use Place::*;
        let mut list: Vec<_> = (0..9).map(|_| AbiParam::new(types::F64)).collect();
        list.push(structure(StructArg::new(20)));
        list.push(AbiParam::new(types::I32));
        let abi = laid_out(list, HARD);
        assert_eq!(params(&abi)[8..], [vec![Memory(0)], vec![Memory(8)], vec![Memory(28)]]);
    }

    #[test]
    fn a_structure_of_doublewords_starts_at_an_even_register() {
        use Place::*;
        let list = vec![AbiParam::new(types::I32), structure(StructArg::new(16).with_align(8))];
        let abi = laid_out(list, SOFT);
        assert_eq!(params(&abi)[1], [Reg(r(2)), Reg(r(3)), Memory(0)]);
    }

    #[test]
    fn homogeneous_aggregates_want_neighbours() {
        use Place::*;
        let list = vec![
            AbiParam::new(types::F32),
            structure(StructArg::homogeneous(types::F64, 2)),
            structure(StructArg::homogeneous(types::F32, 3)),
            AbiParam::new(types::F32),
            structure(StructArg::homogeneous(types::F64, 4)),
            AbiParam::new(types::F32),
        ];
        let abi = laid_out(list.clone(), HARD);
        assert_eq!(
            params(&abi),
            [
                vec![Reg(s(0))],
                vec![Reg(d(1)), Reg(d(2))],
                vec![Reg(s(6)), Reg(s(7)), Reg(s(8))],
                vec![Reg(s(1))],
                vec![Memory(0)],
                vec![Memory(32)],
            ]
        );
        assert_eq!(abi.home_bytes, 80);
        // The base standard has no such thing.
        let abi = laid_out(list, SOFTFP);
        assert_eq!(params(&abi)[1], [Reg(r(2)), Reg(r(3)), Memory(0)]);
    }

    #[test]
    fn hard_float_calls_need_registers() {
        let sig = Signature { call_conv: CallConv::AapcsVfp, ..Signature::default() };
        assert!(sig_abi(&sig, HARD).is_ok() && sig_abi(&sig, SOFTFP).is_ok());
        assert!(sig_abi(&sig, SOFT).unwrap_err().contains("aapcs_vfp"));
    }
}
