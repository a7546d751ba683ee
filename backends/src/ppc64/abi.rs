//! Calling conventions of 64-bit POWER: where arguments and results are.
//!
//! The 64-bit PowerPC ELF ABI, version 1.9 ("first"), and the 64-bit ELF V2 ABI ("second"). Arguments are laid out one
//! after another in doublewords, as if in memory: the *parameter save area*. Its first eight doublewords travel in
//! `r3`–`r10` instead; floats travel in `f1`–`f13` and leave the register of their doubleword empty.
//!
//! `system_v` and `fast` are the platform's convention as C uses it with prototypes. `elfv1` and `elfv2`, whichever the
//! platform has, are that convention for callees whose parameters are not known, variadic ones above all: callers pass
//! floats in both kinds of registers and provide the whole save area. Callees rely on neither. `tail` is Windlass's own. Its integers and floats
//! have their registers independently, it has no save area, and a function takes its stack arguments off the stack
//! together with the header below them, so that a tail call may have more of them in constant stack. Caller and callee of
//! the `tail` convention have the same table of contents.
//!
//! Results beyond what C returns are Windlass's: integers in `r3`–`r10`, floats in `f1`–`f8`, and what finds no register
//! in memory that the caller provides, whose address it passes before all arguments.

use super::regs::{f, r};
use crate::machinst::abi::{Location, Param, Piece, Place, SigAbi, StructLocation};
use alloc::format;
use alloc::string::String;
use smallvec::{SmallVec, smallvec};
use windlass_ir::{AbiParam, ArgumentPurpose, CallConv, Signature, StructArg, types};

/// What of the target a convention depends on.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct AbiOptions {
    /// The first ABI: with descriptors.
    pub v1: bool,
    /// The most significant byte comes first.
    pub big: bool,
}

impl AbiOptions {
    /// Bytes of the header at the bottom of every frame: back chain, saved condition register, return address, and what
    /// else the ABI has there. The parameter save area follows.
    pub const fn header_bytes(self) -> u32 {
        if self.v1 { 48 } else { 32 }
    }

    /// Where in its header a caller keeps its table of contents across calls.
    pub const fn toc_save(self) -> u32 {
        if self.v1 { 40 } else { 24 }
    }
}

/// General-purpose registers with arguments or results.
const GPRS: u32 = 8;
/// Floating-point registers with arguments.
const ARG_FPRS: u32 = 13;
/// Floating-point registers with results.
const RESULT_FPRS: u32 = 8;
/// The most members of a homogeneous aggregate that travel in floating-point registers.
const MAX_MEMBERS: u32 = 8;
/// Bytes of the part of the save area that travels in registers.
pub const SAVE_AREA_BYTES: u32 = 8 * GPRS;
/// Bytes where a function has homes of structures if everything came in registers: what is in the eight and the
/// thirteen of them.
const HOME_BYTES: u32 = (8 * (GPRS + ARG_FPRS)).next_multiple_of(16);
/// The most bytes of arguments on the stack: sums of two stay far from overflow.
const MAX_STACK_BYTES: u32 = 1 << 28;

/// What a signature's convention is here.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Convention {
    /// C, with a prototype.
    C,
    /// C, for a callee of which nothing is known.
    Unprototyped,
    /// Windlass's.
    Tail,
}

fn convention(conv: CallConv, options: AbiOptions) -> Result<Convention, String> {
    match conv {
        CallConv::Fast | CallConv::SystemV => Ok(Convention::C),
        CallConv::Elfv1 if options.v1 => Ok(Convention::Unprototyped),
        CallConv::Elfv2 if !options.v1 => Ok(Convention::Unprototyped),
        CallConv::Tail => Ok(Convention::Tail),
        _ => Err(format!("calling convention {conv}")),
    }
}

/// Lays out `sig`.
///
/// # Errors
/// What is not supported.
pub fn sig_abi(sig: &Signature, options: AbiOptions) -> Result<SigAbi, String> {
    let convention = convention(sig.call_conv, options)?;
    let mut abi = SigAbi::default();
    let mut results = Results { options, gprs: 0, fprs: 0, area: 0 };
    for result in &sig.returns {
        abi.returns.push(results.place(result)?);
    }
    abi.return_area_bytes = results.area.next_multiple_of(16);
    let mut args = Arguments { options, convention, gprs: 0, fprs: 0, doublewords: 0, in_memory: false };
    if results.area > 0 {
        (args.gprs, args.doublewords) = (1, 1);
        abi.return_area_reg = Some(r(3));
    }
    if convention == Convention::Tail {
        args.doublewords = 0;
    }
    for param in &sig.params {
        abi.params.push(match param.purpose {
            ArgumentPurpose::StructArgument(layout) if layout.bytes > MAX_STACK_BYTES => {
                return Err(format!("a structure of {} bytes by value", layout.bytes));
            }
            ArgumentPurpose::StructArgument(layout) => Param::Struct(args.structure(layout)),
            _ => Param::Value(args.value(param)?),
        });
        if args.doublewords > MAX_STACK_BYTES / 8 {
            return Err(format!("more than {MAX_STACK_BYTES} bytes of arguments"));
        }
    }
    let bytes = (8 * args.doublewords).next_multiple_of(16);
    abi.stack_arg_bytes = match convention {
        // Who comes last may have no stack arguments: its caller's header is then right above these.
        Convention::Tail if bytes > 0 => bytes + options.header_bytes(),
        Convention::Tail => 0,
        Convention::C if !options.v1 && !args.in_memory => 0,
        _ => bytes.max(SAVE_AREA_BYTES),
    };
    if convention == Convention::Tail && bytes > 0 {
        abi.popped_bytes = bytes + options.header_bytes();
    }
    if !options.v1 && !args.in_memory {
        // There may be no save area: structures have homes in the callee's frame.
        for param in &mut abi.params {
            if let Param::Struct(location) = param
                && !location.pieces.is_empty()
            {
                location.home -= HOME_BYTES as i32;
                abi.home_bytes = HOME_BYTES;
            }
        }
    }
    Ok(abi)
}

fn location(param: &AbiParam, parts: SmallVec<[Place; 2]>) -> Location {
    Location { parts, ty: param.value_type, extension: param.extension }
}

/// A type's kind of parts.
enum Parts {
    /// Floats, with their size in bytes.
    Float(u32),
    /// This many doublewords.
    Doublewords(u32),
}

fn parts_of(param: &AbiParam) -> Result<Parts, String> {
    Ok(match param.value_type {
        types::I8 | types::I16 | types::I32 | types::I64 => Parts::Doublewords(1),
        types::I128 => Parts::Doublewords(2),
        types::F32 => Parts::Float(4),
        types::F64 => Parts::Float(8),
        ty => return Err(format!("a parameter or result of type {ty}")),
    })
}

/// The places of two doublewords, in the order of memory, as parts: the least significant first.
fn in_order(options: AbiOptions, first: Place, second: Place) -> SmallVec<[Place; 2]> {
    if options.big { smallvec![second, first] } else { smallvec![first, second] }
}

/// Results given places so far.
struct Results {
    options: AbiOptions,
    gprs: u32,
    fprs: u32,
    /// Bytes of the return area.
    area: u32,
}

impl Results {
    fn place(&mut self, result: &AbiParam) -> Result<Location, String> {
        let parts = match parts_of(result)? {
            Parts::Float(_) if self.fprs < RESULT_FPRS => {
                self.fprs += 1;
                smallvec![Place::Reg(f(self.fprs as u8))]
            }
            Parts::Doublewords(n) if self.gprs + n <= GPRS => {
                let first = (3 + self.gprs) as u8;
                self.gprs += n;
                match n {
                    1 => smallvec![Place::Reg(r(first))],
                    _ => in_order(self.options, Place::Reg(r(first)), Place::Reg(r(first + 1))),
                }
            }
            Parts::Float(_) | Parts::Doublewords(1) => {
                self.area += 8;
                smallvec![Place::Memory(self.area - 8)]
            }
            Parts::Doublewords(_) => {
                self.area += 16;
                in_order(self.options, Place::Memory(self.area - 16), Place::Memory(self.area - 8))
            }
        };
        Ok(location(result, parts))
    }
}

/// Arguments given places so far.
struct Arguments {
    options: AbiOptions,
    convention: Convention,
    /// General-purpose registers in use, in the `tail` convention.
    gprs: u32,
    /// Floating-point registers in use.
    fprs: u32,
    /// Doublewords of the save area; in the `tail` convention, of the stack arguments.
    doublewords: u32,
    /// Is anything on the stack alone?
    in_memory: bool,
}

impl Arguments {
    /// The place of the next doubleword.
    fn doubleword(&mut self) -> Place {
        if self.convention == Convention::Tail {
            if self.gprs < GPRS {
                self.gprs += 1;
                return Place::Reg(r((2 + self.gprs) as u8));
            }
        } else if self.doublewords < GPRS {
            self.doublewords += 1;
            return Place::Reg(r((2 + self.doublewords) as u8));
        }
        self.in_memory = true;
        self.doublewords += 1;
        Place::Memory(8 * (self.doublewords - 1))
    }

    /// The place of the next doubleword for a float of `size` bytes: singles are its less significant half.
    fn float_doubleword(&mut self, size: u32) -> Place {
        match self.doubleword() {
            Place::Memory(at) if self.options.big => Place::Memory(at + 8 - size),
            place => place,
        }
    }

    /// The next floating-point register.
    fn fpr(&mut self) -> Option<Place> {
        (self.fprs < ARG_FPRS).then(|| {
            self.fprs += 1;
            Place::Reg(f(self.fprs as u8))
        })
    }

    fn value(&mut self, param: &AbiParam) -> Result<Location, String> {
        let parts = match parts_of(param)? {
            Parts::Doublewords(1) => smallvec![self.doubleword()],
            Parts::Doublewords(_) => {
                let (first, second) = (self.doubleword(), self.doubleword());
                in_order(self.options, first, second)
            }
            Parts::Float(size) => match (self.fpr(), self.convention) {
                (Some(place), Convention::C) => {
                    self.doublewords += 1;
                    smallvec![place]
                }
                (Some(place), Convention::Tail) => smallvec![place],
                (Some(place), Convention::Unprototyped) => {
                    let in_memory = self.in_memory;
                    let besides = self.float_doubleword(size);
                    self.in_memory = in_memory;
                    smallvec![place, besides]
                }
                (None, _) => smallvec![self.float_doubleword(size)],
            },
        };
        Ok(location(param, parts))
    }

    /// A structure by value. Members of a homogeneous aggregate go to floating-point registers as long as there are
    /// any (second ABI, 2.2.3; in the first ABI a structure of one float goes there); the doublewords of what remains, and
    /// of any other structure, where doublewords go. The `tail` convention has no structures.
    fn structure(&mut self, layout: StructArg) -> StructLocation {
        let StructArg { bytes, align, element } = layout;
        if align > 8 && element.is_none() && self.doublewords % 2 == 1 {
            self.doublewords += 1;
        }
        let first = self.doublewords;
        let small = self.options.big && bytes < 8;
        let mut place = StructLocation {
            pieces: SmallVec::new(),
            home: 8 * first as i32,
            padding: if small { 8 - bytes } else { 0 },
            align,
        };
        if bytes == 0 {
            place.padding = 0;
            return place;
        }
        let mut members: SmallVec<[Piece; 4]> = SmallVec::new();
        let mut done = 0;
        if let Some(element) = element {
            let (size, count) = (element.bytes(), bytes / element.bytes());
            let most = if self.options.v1 { 1 } else { MAX_MEMBERS };
            while count <= most && done < bytes {
                let Some(register) = self.fpr() else { break };
                members.push(Piece { offset: done, bytes: size, place: register });
                done += size;
            }
        }
        let in_memory = self.in_memory;
        let mut at = done / 8 * 8;
        if done == bytes {
            // Its home is the callee's choice.
            place.padding = 0;
            at = bytes.next_multiple_of(8);
        }
        if self.convention == Convention::Unprototyped {
            at = 0;
        }
        // A doubleword of which the last floating-point register has a part goes where doublewords go as well.
        self.doublewords += at / 8;
        while at < bytes {
            let rest = bytes - at;
            match self.doubleword() {
                register @ Place::Reg(_) => {
                    place.pieces.push(Piece { offset: at, bytes: rest.min(8), place: register });
                    at += 8;
                }
                memory @ Place::Memory(_) => {
                    place.pieces.push(Piece { offset: at, bytes: rest, place: memory });
                    self.doublewords += rest.div_ceil(8) - 1;
                    break;
                }
            }
        }
        if done == bytes {
            // What is on the stack besides is for others to find.
            self.in_memory = in_memory;
        }
        // Callers that do know the callee pass floats here alone: these are stored last.
        place.pieces.extend(members);
        place
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec;
    use alloc::vec::Vec;
    use windlass_ir::Type;
    use windlass_ir::types::{F32, F64, I32, I64, I128};

    const V1: AbiOptions = AbiOptions { v1: true, big: true };
    const V2: AbiOptions = AbiOptions { v1: false, big: false };
    const V2_BIG: AbiOptions = AbiOptions { v1: false, big: true };

    fn structure(layout: StructArg) -> AbiParam {
        AbiParam::special(I64, ArgumentPurpose::StructArgument(layout))
    }

    fn values(list: &[Type]) -> Vec<AbiParam> {
        list.iter().map(|&ty| AbiParam::new(ty)).collect()
    }

    fn laid_out(params: Vec<AbiParam>, returns: &[Type], call_conv: CallConv, options: AbiOptions) -> SigAbi {
        sig_abi(&Signature { params, returns: values(returns), call_conv }, options).unwrap()
    }

    fn params(abi: &SigAbi) -> Vec<Vec<Place>> {
        let place = |param: &Param| match param {
            Param::Value(location) => location.parts.to_vec(),
            Param::Struct(location) => location.pieces.iter().map(|piece| piece.place).collect(),
        };
        abi.params.iter().map(place).collect()
    }

    fn gpr(n: u8) -> Place {
        Place::Reg(r(n))
    }

    fn fpr(n: u8) -> Place {
        Place::Reg(f(n))
    }

    #[test]
    fn a_float_leaves_the_register_of_its_doubleword_empty() {
        let list = values(&[I32, F64, I64, F32]);
        for options in [V1, V2] {
            let abi = laid_out(list.clone(), &[F32, I64], CallConv::SystemV, options);
            assert_eq!(params(&abi), [vec![gpr(3)], vec![fpr(1)], vec![gpr(5)], vec![fpr(2)]]);
            assert_eq!(abi.returns[0].parts[..], [fpr(1)]);
            assert_eq!(abi.returns[1].parts[..], [gpr(3)]);
        }
        let tail = laid_out(list, &[], CallConv::Tail, V2);
        assert_eq!(params(&tail), [vec![gpr(3)], vec![fpr(1)], vec![gpr(4)], vec![fpr(2)]]);
    }

    #[test]
    fn the_save_area_is_there_always_or_when_it_is_used() {
        for (n, v1, v2) in [(0, 64, 0), (8, 64, 0), (9, 80, 80), (12, 96, 96)] {
            let list = values(&vec![I64; n]);
            let bytes = |conv, options| laid_out(list.clone(), &[], conv, options).stack_arg_bytes;
            assert_eq!((bytes(CallConv::SystemV, V1), bytes(CallConv::SystemV, V2)), (v1, v2));
            assert_eq!((bytes(CallConv::Elfv1, V1), bytes(CallConv::Elfv2, V2)), (v1, v1));
        }
        // Floats that are all in registers need none.
        assert_eq!(laid_out(values(&[F64; 13]), &[], CallConv::SystemV, V2).stack_arg_bytes, 0);
        let abi = laid_out(values(&[F32; 14]), &[], CallConv::SystemV, V1);
        assert_eq!(params(&abi)[13], [Place::Memory(8 * 13 + 4)], "the less significant half");
        assert_eq!(abi.stack_arg_bytes, 112);
    }

    #[test]
    fn a_quadword_may_be_in_a_register_and_on_the_stack() {
        let mut list = values(&[I64; 7]);
        list.push(AbiParam::new(I128));
        let abi = laid_out(list.clone(), &[I128], CallConv::SystemV, V2);
        assert_eq!(params(&abi)[7], [gpr(10), Place::Memory(64)]);
        assert_eq!(abi.returns[0].parts[..], [gpr(3), gpr(4)]);
        let abi = laid_out(list, &[I128], CallConv::SystemV, V1);
        assert_eq!(params(&abi)[7], [Place::Memory(64), gpr(10)], "the first has the more significant half");
        assert_eq!(abi.returns[0].parts[..], [gpr(4), gpr(3)]);
    }

    #[test]
    fn floats_are_in_both_files_for_callees_that_are_not_known() {
        let mut list = values(&[I64, F64]);
        list.extend(values(&[I64; 6]));
        list.push(AbiParam::new(F64));
        let abi = laid_out(list, &[], CallConv::Elfv2, V2);
        assert_eq!(params(&abi)[1], [fpr(1), gpr(4)]);
        assert_eq!(params(&abi)[8], [fpr(2), Place::Memory(64)]);
    }

    #[test]
    fn tail_functions_take_the_header_off_with_their_arguments() {
        let abi = laid_out(values(&[I64; 9]), &[], CallConv::Tail, V2);
        assert_eq!(params(&abi)[8], [Place::Memory(0)]);
        assert_eq!((abi.stack_arg_bytes, abi.popped_bytes), (48, 48));
        assert_eq!(laid_out(values(&[I64; 8]), &[], CallConv::Tail, V1).popped_bytes, 0);
    }

    #[test]
    fn results_without_registers_go_to_memory_whose_address_comes_first() {
        let results: Vec<Type> = [I64; 9].into_iter().chain([I128]).collect();
        for conv in [CallConv::SystemV, CallConv::Tail] {
            let abi = laid_out(values(&[I32]), &results, conv, V2);
            assert_eq!(abi.returns[7].parts[..], [gpr(10)]);
            assert_eq!(abi.returns[8].parts[..], [Place::Memory(0)]);
            assert_eq!(abi.returns[9].parts[..], [Place::Memory(8), Place::Memory(16)]);
            assert_eq!((abi.return_area_bytes, params(&abi)), (32, vec![vec![gpr(4)]]));
        }
    }

    fn only(abi: &SigAbi) -> &StructLocation {
        match abi.params.last() {
            Some(Param::Struct(location)) => location,
            _ => panic!("a structure"),
        }
    }

    #[test]
    fn small_structures_stand_at_the_end_of_their_doubleword() {
        for (options, home, padding) in [(V1, 0, 5), (V2, -176, 0), (V2_BIG, -176, 5)] {
            let abi = laid_out(vec![structure(StructArg::new(3))], &[], CallConv::SystemV, options);
            let location = only(&abi);
            assert_eq!((location.home, location.padding), (home, padding));
            assert_eq!(location.pieces[..], [Piece { offset: 0, bytes: 3, place: gpr(3) }]);
        }
    }

    #[test]
    fn structures_are_split_between_registers_and_the_stack() {
        let mut list = values(&[I64; 6]);
        list.push(structure(StructArg::new(37)));
        list.push(AbiParam::new(I32));
        let abi = laid_out(list, &[], CallConv::SystemV, V2);
        assert_eq!(params(&abi)[6], [gpr(9), gpr(10), Place::Memory(64)]);
        assert_eq!(params(&abi)[7], [Place::Memory(88)]);
        assert_eq!((abi.stack_arg_bytes, abi.home_bytes), (96, 0));
        let quadword = laid_out(
            vec![AbiParam::new(I32), structure(StructArg::new(32).with_align(16))],
            &[],
            CallConv::SystemV,
            V2,
        );
        assert_eq!(params(&quadword)[1], [gpr(5), gpr(6), gpr(7), gpr(8)]);
    }

    #[test]
    fn homogeneous_aggregates_travel_in_floating_point_registers() {
        let list = vec![
            structure(StructArg::homogeneous(F32, 8)),
            structure(StructArg::homogeneous(F32, 6)),
            AbiParam::new(F64),
        ];
        let abi = laid_out(list.clone(), &[], CallConv::SystemV, V2);
        assert_eq!(params(&abi)[0], (1..9).map(fpr).collect::<Vec<_>>());
        // The last member finds no register; its doubleword has the one before it too.
        let expected: Vec<_> = [gpr(9)].into_iter().chain((9..14).map(fpr)).collect();
        assert_eq!(params(&abi)[1], expected);
        assert_eq!(params(&abi)[2], [gpr(10)]);
        let abi = laid_out(list, &[], CallConv::SystemV, V1);
        assert_eq!(params(&abi)[0], [gpr(3), gpr(4), gpr(5), gpr(6)]);
        let single = laid_out(vec![structure(StructArg::homogeneous(F32, 1))], &[], CallConv::SystemV, V1);
        assert_eq!(params(&single), [[fpr(1)]]);
    }
}
