//! The opcode table: the one place that says which instructions exist, what they take and give, which
//! types they are defined for, what they may do besides, and what they mean.
//!
//! From it derive the [`Opcode`] enum, the instruction builder's methods, the parser's and printer's
//! shapes, the verifier's type rules, the terms that ISLE rules match on, and the reference page.
//! Meanings follow Cranelift's published `InstBuilder` documentation (cranelift-codegen 0.135).
//!
//! A row reads: variant, name (also of the builder's method), format, how the controlling type `T` is found, operand types, result
//! types, effects, meaning. Operands are called `x`, `y`, `z` (or `c` for a condition, `p` for an
//! address) in the meanings, in the order of the text.

use crate::types::{self, Type};
use core::fmt;

/// Where an instruction's operands and immediates stand: the variant of
/// [`InstData`](crate::InstData) that holds it, and the shape of its text.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Hash, PartialOrd, Ord)]
pub enum Format {
    /// `op`
    Nullary,
    /// `op x`
    Unary,
    /// `op.T imm`
    UnaryImm,
    /// `op 0x1.0p0`
    UnaryIeee16,
    /// `op 0x1.0p0`
    UnaryIeee32,
    /// `op 0x1.0p0`
    UnaryIeee64,
    /// `op.T const0`
    UnaryConst,
    /// `op.T gv0`
    UnaryGlobalValue,
    /// `op x, y`
    Binary,
    /// `op x, lane`
    BinaryImm8,
    /// `op x, y, z`
    Ternary,
    /// `op x, y, lane`
    TernaryImm8,
    /// `op x, y, mask`
    Shuffle,
    /// `op cond x, y` with an integer condition
    IntCompare,
    /// `op cond x, y` with a float condition
    FloatCompare,
    /// `op x, y, trapcode`
    IntAddTrap,
    /// `op x, y, …`: any number of operands
    MultiAry,
    /// `op block(args)`
    Jump,
    /// `op c, block(args), block(args)`
    Brif,
    /// `op x, block(args), [block(args), …]`
    BranchTable,
    /// `op fn(args)`
    Call,
    /// `op sig, callee(args)`
    CallIndirect,
    /// `op fn(args), sig, block(args), [ tag: block(args), … ]`
    TryCall,
    /// `op callee(args), sig, block(args), [ … ]`
    TryCallIndirect,
    /// `op.T fn`
    FuncAddr,
    /// `op.T flags p+offset`
    Load,
    /// `op flags x, p+offset`
    Store,
    /// `op.T flags p` (atomics; `bitcast`, whose operand is no address)
    LoadNoOffset,
    /// `op flags x, p`
    StoreNoOffset,
    /// `op.T ss+offset`
    StackAddr,
    /// `op.T flags rmw_op p, x`
    AtomicRmw,
    /// `op flags p, x, y`
    AtomicCas,
    /// `op trapcode`
    Trap,
    /// `op c, trapcode`
    CondTrap,
    /// `op.T block, index`
    ExceptionHandlerAddress,
}

/// A set of types, as the table's constraints name it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum TypeSet {
    /// `i8` to `i128`.
    Int,
    /// `i8` to `i64`.
    NarrowInt,
    /// `i16` to `i128`.
    WideInt,
    /// `i32` or `i64`.
    Int32Or64,
    /// Address-sized: `i32` or `i64`.
    Addr,
    /// `i8` to `i128`, and vectors of `i8` to `i64`.
    IntVec,
    /// Vectors of integers.
    VecInt,
    /// `i16x8` or `i32x4` or `i64x2`: integer vectors whose lanes halve.
    VecIntNarrowable,
    /// Integer vectors whose lanes double.
    VecIntWidenable,
    /// Scalar floats.
    Float,
    /// Scalar floats and vectors of them.
    FloatVec,
    /// Anything but `i128`-lane vectors: every type of a value.
    Any,
    /// Any scalar.
    Scalar,
    /// Any vector.
    Vec,
    /// `i16` to `i128`: what memory holds in two bytes or more.
    Mem,
    /// `i16`, `i32` or `i64`.
    Int16To64,
    /// `i32` or `i64`: wider than 16 bits.
    Ext16,
    /// `i64`: wider than 32 bits.
    Ext32,
}

impl TypeSet {
    /// Does the set hold `ty`?
    pub const fn contains(self, ty: Type) -> bool {
        let int_lane = ty.lane_type().is_int();
        let float_lane = ty.lane_type().is_float();
        match self {
            TypeSet::Int => ty.is_int(),
            TypeSet::NarrowInt => ty.is_int() && ty.bits() <= 64,
            TypeSet::WideInt => ty.is_int() && ty.bits() >= 16,
            TypeSet::Int32Or64 | TypeSet::Addr | TypeSet::Ext16 => {
                ty.is_int() && (ty.bits() == 32 || ty.bits() == 64)
            }
            TypeSet::Ext32 => ty.is_int() && ty.bits() == 64,
            TypeSet::Int16To64 => ty.is_int() && ty.bits() >= 16 && ty.bits() <= 64,
            TypeSet::IntVec => int_lane && (!ty.is_vector() || ty.lane_bits() <= 64),
            TypeSet::VecInt => int_lane && ty.is_vector() && ty.lane_bits() <= 64,
            TypeSet::VecIntNarrowable => {
                int_lane && ty.is_vector() && ty.lane_bits() >= 16 && ty.lane_bits() <= 64
            }
            TypeSet::VecIntWidenable => int_lane && ty.is_vector() && ty.lane_bits() <= 32,
            TypeSet::Float => ty.is_float(),
            TypeSet::FloatVec => float_lane,
            TypeSet::Any | TypeSet::Mem => !ty.is_invalid(),
            TypeSet::Scalar => !ty.is_invalid() && !ty.is_vector(),
            TypeSet::Vec => !ty.is_invalid() && ty.is_vector(),
        }
    }

    /// The set in words, for messages.
    pub const fn describe(self) -> &'static str {
        match self {
            TypeSet::Int => "an integer type",
            TypeSet::NarrowInt => "an integer type of at most 64 bits",
            TypeSet::WideInt => "an integer type of at least 16 bits",
            TypeSet::Int32Or64 | TypeSet::Ext16 => "i32 or i64",
            TypeSet::Ext32 => "i64",
            TypeSet::Int16To64 => "i16, i32 or i64",
            TypeSet::Addr => "an address type, i32 or i64",
            TypeSet::IntVec => "an integer type or a vector of integers",
            TypeSet::VecInt => "a vector of integers",
            TypeSet::VecIntNarrowable => "a vector of 16-bit to 64-bit integers",
            TypeSet::VecIntWidenable => "a vector of 8-bit to 32-bit integers",
            TypeSet::Float => "a float type",
            TypeSet::FloatVec => "a float type or a vector of floats",
            TypeSet::Any | TypeSet::Mem => "any type",
            TypeSet::Scalar => "a scalar type",
            TypeSet::Vec => "a vector type",
        }
    }
}

/// How an instruction's controlling type `T` is found.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Ctrl {
    /// The instruction has none.
    None,
    /// It is written after the opcode: `iconst.i32`.
    Suffix(TypeSet),
    /// It is the type of the operand with this index; a suffix may repeat it.
    Operand(u8, TypeSet),
}

impl Ctrl {
    /// The types that `T` may be.
    pub const fn types(self) -> Option<TypeSet> {
        match self {
            Ctrl::None => None,
            Ctrl::Suffix(set) | Ctrl::Operand(_, set) => Some(set),
        }
    }
}

/// The type of an operand or a result, given the controlling type `T`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Ty {
    /// `T` itself.
    T,
    /// This type.
    Is(Type),
    /// Its own type out of a set, whatever `T` is.
    Any(TypeSet),
    /// A lane of `T`.
    LaneOfT,
    /// The result of comparing values of type `T`: `i8`, or lanes of integers.
    TruthyT,
    /// `T` with half as many bits.
    HalfT,
    /// `T` with twice as many bits.
    DoubleT,
    /// An integer narrower than `T`.
    NarrowerIntThanT,
    /// An integer wider than `T`.
    WiderIntThanT,
    /// A float narrower than `T`.
    NarrowerFloatThanT,
    /// A float wider than `T`.
    WiderFloatThanT,
    /// A float; for a vector `T`, with as many lanes.
    FloatLikeT,
    /// An integer; for a vector `T`, with as many lanes.
    IntLikeT,
    /// Any type with as many bits as `T`.
    SameBitsAsT,
    /// Half as many lanes of twice the width.
    MergeT,
    /// Twice as many lanes of half the width.
    SplitT,
}

impl Ty {
    /// The type itself where `T` fixes it; `None` where the operand has a choice, or `T` has no such type.
    pub fn resolve(self, ctrl: Type) -> Option<Type> {
        match self {
            Ty::T => Some(ctrl),
            Ty::Is(ty) => Some(ty),
            Ty::LaneOfT => Some(ctrl.lane_type()),
            Ty::TruthyT => Some(ctrl.as_truthy()),
            Ty::HalfT => ctrl.half_width(),
            Ty::DoubleT => ctrl.double_width(),
            Ty::MergeT => ctrl.merge_lanes(),
            Ty::SplitT => ctrl.split_lanes(),
            Ty::Any(_)
            | Ty::NarrowerIntThanT
            | Ty::WiderIntThanT
            | Ty::NarrowerFloatThanT
            | Ty::WiderFloatThanT
            | Ty::FloatLikeT
            | Ty::IntLikeT
            | Ty::SameBitsAsT => None,
        }
    }

    /// May an operand have type `ty` when the controlling type is `ctrl`?
    pub fn accepts(self, ctrl: Type, ty: Type) -> bool {
        let (t, lane) = (ctrl.lane_type(), ty.lane_type());
        let same_shape = ty.lane_count() == ctrl.lane_count();
        match self {
            Ty::Any(set) => set.contains(ty),
            Ty::NarrowerIntThanT => same_shape && lane.is_int() && lane.bits() < t.bits(),
            Ty::WiderIntThanT => same_shape && lane.is_int() && lane.bits() > t.bits(),
            Ty::NarrowerFloatThanT => same_shape && lane.is_float() && lane.bits() < t.bits(),
            Ty::WiderFloatThanT => same_shape && lane.is_float() && lane.bits() > t.bits(),
            Ty::FloatLikeT => same_shape && lane.is_float(),
            Ty::IntLikeT => same_shape && lane.is_int(),
            Ty::SameBitsAsT => !ty.is_invalid() && ty.bits() == ctrl.bits(),
            fixed => fixed.resolve(ctrl) == Some(ty),
        }
    }

    /// The type in words, for messages and for the reference page.
    pub const fn describe(self) -> &'static str {
        match self {
            Ty::T => "T",
            Ty::Is(types::I8) => "i8",
            Ty::Is(types::I16) => "i16",
            Ty::Is(types::I32) => "i32",
            Ty::Is(types::I64) => "i64",
            Ty::Is(types::F32) => "f32",
            Ty::Is(types::F64) => "f64",
            Ty::Is(_) => "a fixed type",
            Ty::Any(set) => set.describe(),
            Ty::LaneOfT => "a lane of T",
            Ty::TruthyT => "the truth type of T",
            Ty::HalfT => "half of T",
            Ty::DoubleT => "double of T",
            Ty::NarrowerIntThanT => "an integer narrower than T",
            Ty::WiderIntThanT => "an integer wider than T",
            Ty::NarrowerFloatThanT => "a float narrower than T",
            Ty::WiderFloatThanT => "a float wider than T",
            Ty::FloatLikeT => "a float with as many lanes as T",
            Ty::IntLikeT => "an integer with as many lanes as T",
            Ty::SameBitsAsT => "a type with as many bits as T",
            Ty::MergeT => "half as many lanes of twice the width",
            Ty::SplitT => "twice as many lanes of half the width",
        }
    }
}

/// What an instruction may do besides computing its results.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Effects(u16);

impl Effects {
    /// Nothing: it may be removed, repeated and moved.
    pub const PURE: Effects = Effects(0);
    /// Ends a block.
    pub const TERMINATOR: Effects = Effects(1 << 0);
    /// Continues in a block that it names.
    pub const BRANCH: Effects = Effects(1 << 1);
    /// Leaves the function.
    pub const RETURN: Effects = Effects(1 << 2);
    /// Calls.
    pub const CALL: Effects = Effects(1 << 3);
    /// May trap.
    pub const TRAP: Effects = Effects(1 << 4);
    /// Reads memory.
    pub const LOAD: Effects = Effects(1 << 5);
    /// Writes memory.
    pub const STORE: Effects = Effects(1 << 6);
    /// Has an effect that nothing above describes: it is neither removed nor reordered.
    pub const OTHER: Effects = Effects(1 << 7);

    /// Both.
    pub const fn and(self, other: Effects) -> Effects {
        Effects(self.0 | other.0)
    }

    /// Are all effects of `other` among these?
    pub const fn has(self, other: Effects) -> bool {
        self.0 & other.0 == other.0 && other.0 != 0
    }

    /// Must the instruction stay even if nobody uses its results?
    pub const fn must_stay(self) -> bool {
        self.0 & !Effects::LOAD.0 != 0
    }
}

/// A row of the table.
#[derive(Debug)]
pub struct OpcodeDef {
    /// The opcode that the row is about.
    pub opcode: Opcode,
    /// The name of the enum's variant.
    pub variant: &'static str,
    /// The name in the text; also of the builder's method and of the rules' term.
    pub name: &'static str,
    /// Where the operands stand.
    pub format: Format,
    /// How the controlling type is found.
    pub ctrl: Ctrl,
    /// Types of the value operands, in order. Formats with a variable list give the types of their fixed ones.
    pub args: &'static [Ty],
    /// Types of the results, in order. Calls have those of their signature.
    pub results: &'static [Ty],
    /// What it may do.
    pub effects: Effects,
    /// What it means, in one line.
    pub doc: &'static str,
}

macro_rules! opcodes {
    ($($variant:ident $name:ident $format:ident $ctrl:ident $(($($ctrl_arg:tt)*))?, [$($arg:expr),*] => [$($result:expr),*], $effects:expr, $doc:literal;)*) => {
        /// An operation of the language. See the table in `opcode.rs` for meanings.
        #[derive(Clone, Copy, PartialEq, Eq, Debug, Hash, PartialOrd, Ord)]
        #[repr(u8)]
        pub enum Opcode {
            $(#[doc = concat!("`", stringify!($name), "`: ", $doc)] $variant,)*
        }

        /// The table, in the order of [`Opcode`].
        pub static TABLE: &[OpcodeDef] = &[
            $(OpcodeDef {
                opcode: Opcode::$variant,
                variant: stringify!($variant),
                name: stringify!($name),
                format: Format::$format,
                ctrl: $ctrl $(($($ctrl_arg)*))?,
                args: &[$($arg),*],
                results: &[$($result),*],
                effects: $effects,
                doc: $doc,
            },)*
        ];

        /// Hands every row to the macro `$m`, as `Variant name Format CTRL "meaning" [result types];`, where `CTRL` is
        /// `NONE`, `SFX` or `BY`.
        macro_rules! for_each_opcode {
            ($m:ident) => { $m! { $($variant $name $format $ctrl $doc [$($result),*];)* } };
        }
        pub(crate) use for_each_opcode;

        impl Opcode {
            /// Reads an opcode's name.
            pub fn from_name(name: &str) -> Option<Opcode> {
                Some(match name { $(stringify!($name) => Opcode::$variant,)* _ => return None })
            }
        }
    };
}

use Ctrl::{None as NONE, Operand as BY, Suffix as SFX};
use Ty::{Any as A, Is, T};
use TypeSet as S;
use types::{F16, F32, F64, I8};

const PURE: Effects = Effects::PURE;
const TRAP: Effects = Effects::TRAP;
const OTHER: Effects = Effects::OTHER;
const TERM: Effects = Effects::TERMINATOR;
const BRANCH: Effects = TERM.and(Effects::BRANCH);
const RETURN: Effects = TERM.and(Effects::RETURN);
/// What a callee may do is unknown.
const CALL: Effects =
    Effects::CALL.and(Effects::LOAD).and(Effects::STORE).and(Effects::TRAP).and(Effects::OTHER);
const LOAD: Effects = Effects::LOAD.and(Effects::TRAP);
const STORE: Effects = Effects::STORE.and(Effects::TRAP);
const ATOMIC: Effects = LOAD.and(STORE).and(OTHER);
const ADDR: Ty = A(S::Addr);
const CARRY: Ty = Is(I8);

#[rustfmt::skip] // One opcode a row.
mod table {
use super::*;

opcodes! {
    // Control flow.
    Jump jump Jump NONE, [] => [], BRANCH, "Continue in a block, passing arguments to its parameters.";
    Brif brif Brif BY(0, S::Int), [T] => [], BRANCH, "Continue in the first block if `c` is not zero, else in the second.";
    BrTable br_table BranchTable NONE, [Is(types::I32)] => [], BRANCH, "Continue in the block with index `x` (unsigned) of the table, or in the default block if there is none.";
    Return return MultiAry NONE, [] => [], RETURN, "Return from the function with these results.";
    Trap trap Trap NONE, [] => [], TERM.and(TRAP), "Stop with the trap code.";
    Trapz trapz CondTrap BY(0, S::Int), [T] => [], TRAP, "Stop with the trap code if `c` is zero.";
    Trapnz trapnz CondTrap BY(0, S::Int), [T] => [], TRAP, "Stop with the trap code if `c` is not zero.";
    Debugtrap debugtrap Nullary NONE, [] => [], OTHER, "Stop in a debugger.";
    Nop nop Nullary NONE, [] => [], PURE, "Do nothing.";
    SequencePoint sequence_point Nullary NONE, [] => [], OTHER, "A place that debug tags attach to; nothing moves across it.";

    // Calls.
    Call call Call NONE, [] => [], CALL, "Call a function that the preamble declares.";
    CallIndirect call_indirect CallIndirect BY(0, S::Addr), [T] => [], CALL, "Call the function at an address, with a signature.";
    ReturnCall return_call Call NONE, [] => [], CALL.and(RETURN), "Return with the results of a call; the caller's frame is gone before the callee starts.";
    ReturnCallIndirect return_call_indirect CallIndirect BY(0, S::Addr), [T] => [], CALL.and(RETURN), "Tail call of the function at an address.";
    TryCall try_call TryCall NONE, [] => [], CALL.and(BRANCH), "Call; continue in the normal block, or in a handler's if the callee throws.";
    TryCallIndirect try_call_indirect TryCallIndirect BY(0, S::Addr), [T] => [], CALL.and(BRANCH), "`try_call` of the function at an address.";
    FuncAddr func_addr FuncAddr SFX(S::Addr), [] => [T], PURE, "The address of a function.";

    // Integer constants and arithmetic.
    Iconst iconst UnaryImm SFX(S::NarrowInt), [] => [T], PURE, "The integer `imm`, of which the low bits of `T` count.";
    Iadd iadd Binary BY(0, S::IntVec), [T, T] => [T], PURE, "x + y, wrapping.";
    Isub isub Binary BY(0, S::IntVec), [T, T] => [T], PURE, "x - y, wrapping.";
    Ineg ineg Unary BY(0, S::IntVec), [T] => [T], PURE, "0 - x, wrapping.";
    Iabs iabs Unary BY(0, S::IntVec), [T] => [T], PURE, "The magnitude of signed `x`, wrapping: the most negative value is its own.";
    Imul imul Binary BY(0, S::IntVec), [T, T] => [T], PURE, "x * y, wrapping.";
    Umulhi umulhi Binary BY(0, S::IntVec), [T, T] => [T], PURE, "The upper half of the unsigned double-width product.";
    Smulhi smulhi Binary BY(0, S::IntVec), [T, T] => [T], PURE, "The upper half of the signed double-width product.";
    Udiv udiv Binary BY(0, S::Int), [T, T] => [T], TRAP, "Unsigned quotient, rounded toward zero. Traps `int_divz` if `y` is 0.";
    Sdiv sdiv Binary BY(0, S::Int), [T, T] => [T], TRAP, "Signed quotient, rounded toward zero. Traps `int_divz` if `y` is 0, `int_ovf` for the most negative value by -1.";
    Urem urem Binary BY(0, S::Int), [T, T] => [T], TRAP, "Unsigned remainder. Traps `int_divz` if `y` is 0.";
    Srem srem Binary BY(0, S::Int), [T, T] => [T], TRAP, "Signed remainder, with the sign of `x`. Traps `int_divz` if `y` is 0; the most negative value by -1 gives 0.";
    Smin smin Binary BY(0, S::IntVec), [T, T] => [T], PURE, "The smaller as signed numbers.";
    Umin umin Binary BY(0, S::IntVec), [T, T] => [T], PURE, "The smaller as unsigned numbers.";
    Smax smax Binary BY(0, S::IntVec), [T, T] => [T], PURE, "The larger as signed numbers.";
    Umax umax Binary BY(0, S::IntVec), [T, T] => [T], PURE, "The larger as unsigned numbers.";
    UaddOverflow uadd_overflow Binary BY(0, S::Int), [T, T] => [T, CARRY], PURE, "x + y, and 1 if the unsigned sum does not fit.";
    SaddOverflow sadd_overflow Binary BY(0, S::Int), [T, T] => [T, CARRY], PURE, "x + y, and 1 if the signed sum does not fit.";
    UsubOverflow usub_overflow Binary BY(0, S::Int), [T, T] => [T, CARRY], PURE, "x - y, and 1 if the unsigned difference is negative.";
    SsubOverflow ssub_overflow Binary BY(0, S::Int), [T, T] => [T, CARRY], PURE, "x - y, and 1 if the signed difference does not fit.";
    UmulOverflow umul_overflow Binary BY(0, S::Int), [T, T] => [T, CARRY], PURE, "x * y, and 1 if the unsigned product does not fit.";
    SmulOverflow smul_overflow Binary BY(0, S::Int), [T, T] => [T, CARRY], PURE, "x * y, and 1 if the signed product does not fit.";
    UaddOverflowCin uadd_overflow_cin Ternary BY(1, S::Int), [T, T, CARRY] => [T, CARRY], PURE, "x + y + carry (0 or not 0), and 1 if the unsigned sum does not fit.";
    SaddOverflowCin sadd_overflow_cin Ternary BY(1, S::Int), [T, T, CARRY] => [T, CARRY], PURE, "x + y + carry (0 or not 0), and 1 if the signed sum does not fit.";
    UsubOverflowBin usub_overflow_bin Ternary BY(1, S::Int), [T, T, CARRY] => [T, CARRY], PURE, "x - y - borrow (0 or not 0), and 1 if the unsigned difference is negative.";
    SsubOverflowBin ssub_overflow_bin Ternary BY(1, S::Int), [T, T, CARRY] => [T, CARRY], PURE, "x - y - borrow (0 or not 0), and 1 if the signed difference does not fit.";
    UaddOverflowTrap uadd_overflow_trap IntAddTrap BY(0, S::Int32Or64), [T, T] => [T], TRAP, "x + y; stops with the trap code if the unsigned sum does not fit.";

    // Bits.
    Band band Binary BY(0, S::Any), [T, T] => [T], PURE, "Bitwise and; of floats, of their bits.";
    Bor bor Binary BY(0, S::Any), [T, T] => [T], PURE, "Bitwise or; of floats, of their bits.";
    Bxor bxor Binary BY(0, S::Any), [T, T] => [T], PURE, "Bitwise exclusive or; of floats, of their bits.";
    Bnot bnot Unary BY(0, S::Any), [T] => [T], PURE, "Every bit inverted; of floats, of their bits.";
    Bitselect bitselect Ternary BY(1, S::Any), [T, T, T] => [T], PURE, "Bits of the second operand where `c` has ones, of the third where it has zeros.";
    Rotl rotl Binary BY(0, S::IntVec), [T, A(S::Int)] => [T], PURE, "Rotate left by `y` modulo the width.";
    Rotr rotr Binary BY(0, S::IntVec), [T, A(S::Int)] => [T], PURE, "Rotate right by `y` modulo the width.";
    Ishl ishl Binary BY(0, S::IntVec), [T, A(S::Int)] => [T], PURE, "Shift left by `y` modulo the width.";
    Ushr ushr Binary BY(0, S::IntVec), [T, A(S::Int)] => [T], PURE, "Shift right by `y` modulo the width, filling with zeros.";
    Sshr sshr Binary BY(0, S::IntVec), [T, A(S::Int)] => [T], PURE, "Shift right by `y` modulo the width, filling with the sign.";
    Bitrev bitrev Unary BY(0, S::Int), [T] => [T], PURE, "The bits in reverse order.";
    Clz clz Unary BY(0, S::Int), [T] => [T], PURE, "Number of leading zeros; the width for 0.";
    Cls cls Unary BY(0, S::Int), [T] => [T], PURE, "Number of bits after the sign bit that equal it.";
    Ctz ctz Unary BY(0, S::Int), [T] => [T], PURE, "Number of trailing zeros; the width for 0.";
    Bswap bswap Unary BY(0, S::WideInt), [T] => [T], PURE, "The bytes in reverse order.";
    Popcnt popcnt Unary BY(0, S::IntVec), [T] => [T], PURE, "Number of ones.";
    Bmask bmask Unary SFX(S::Int), [A(S::Int)] => [T], PURE, "All ones if `x` is not zero, else zero.";

    // Comparison, selection.
    Icmp icmp IntCompare BY(0, S::IntVec), [T, T] => [Ty::TruthyT], PURE, "1 if the condition holds for x and y, else 0; in vectors, lanes of all ones or zeros.";
    Select select Ternary BY(1, S::Any), [A(S::Int), T, T] => [T], PURE, "The second operand if `c` is not zero, else the third.";
    SelectSpectreGuard select_spectre_guard Ternary BY(1, S::Any), [A(S::Int), T, T] => [T], OTHER, "`select` that no speculation passes: it is not turned into a branch.";

    // Conversions of integers and of bits.
    Ireduce ireduce Unary SFX(S::IntVec), [Ty::WiderIntThanT] => [T], PURE, "The low bits.";
    Uextend uextend Unary SFX(S::IntVec), [Ty::NarrowerIntThanT] => [T], PURE, "Widen with zeros.";
    Sextend sextend Unary SFX(S::IntVec), [Ty::NarrowerIntThanT] => [T], PURE, "Widen with the sign.";
    Isplit isplit Unary BY(0, S::WideInt), [T] => [Ty::HalfT, Ty::HalfT], PURE, "The low half and the high half.";
    Iconcat iconcat Binary BY(0, S::NarrowInt), [T, T] => [Ty::DoubleT], PURE, "The integer with low half `x` and high half `y`.";
    Bitcast bitcast LoadNoOffset SFX(S::Any), [Ty::SameBitsAsT] => [T], PURE, "The same bits as another type; between different lane widths a byte order must be given.";

    // Floats.
    F16const f16const UnaryIeee16 NONE, [] => [Is(F16)], PURE, "A half-precision constant.";
    F32const f32const UnaryIeee32 NONE, [] => [Is(F32)], PURE, "A single-precision constant.";
    F64const f64const UnaryIeee64 NONE, [] => [Is(F64)], PURE, "A double-precision constant.";
    F128const f128const UnaryConst NONE, [] => [Is(types::F128)], PURE, "A quadruple-precision constant.";
    Fcmp fcmp FloatCompare BY(0, S::FloatVec), [T, T] => [Ty::TruthyT], PURE, "1 if the condition holds for x and y, else 0; in vectors, lanes of all ones or zeros.";
    Fadd fadd Binary BY(0, S::FloatVec), [T, T] => [T], PURE, "x + y, rounded to nearest, ties to even.";
    Fsub fsub Binary BY(0, S::FloatVec), [T, T] => [T], PURE, "x - y, rounded.";
    Fmul fmul Binary BY(0, S::FloatVec), [T, T] => [T], PURE, "x * y, rounded.";
    Fdiv fdiv Binary BY(0, S::FloatVec), [T, T] => [T], PURE, "x / y, rounded.";
    Sqrt sqrt Unary BY(0, S::FloatVec), [T] => [T], PURE, "The square root, rounded.";
    Fma fma Ternary BY(1, S::FloatVec), [T, T, T] => [T], PURE, "x * y + z, rounded once.";
    Fneg fneg Unary BY(0, S::FloatVec), [T] => [T], PURE, "The sign bit inverted, also of NaN.";
    Fabs fabs Unary BY(0, S::FloatVec), [T] => [T], PURE, "The sign bit cleared, also of NaN.";
    Fcopysign fcopysign Binary BY(0, S::FloatVec), [T, T] => [T], PURE, "`x` with the sign bit of `y`.";
    Fmin fmin Binary BY(0, S::FloatVec), [T, T] => [T], PURE, "The smaller; NaN if either is NaN; -0 is below +0.";
    Fmax fmax Binary BY(0, S::FloatVec), [T, T] => [T], PURE, "The larger; NaN if either is NaN; -0 is below +0.";
    Ceil ceil Unary BY(0, S::FloatVec), [T] => [T], PURE, "The integer not below `x` that is nearest.";
    Floor floor Unary BY(0, S::FloatVec), [T] => [T], PURE, "The integer not above `x` that is nearest.";
    Trunc trunc Unary BY(0, S::FloatVec), [T] => [T], PURE, "`x` rounded to an integer toward zero.";
    Nearest nearest Unary BY(0, S::FloatVec), [T] => [T], PURE, "`x` rounded to the nearest integer, ties to even.";
    Fpromote fpromote Unary SFX(S::Float), [Ty::NarrowerFloatThanT] => [T], PURE, "Widen; exact.";
    Fdemote fdemote Unary SFX(S::Float), [Ty::WiderFloatThanT] => [T], PURE, "Narrow, rounded.";
    FcvtToUint fcvt_to_uint Unary SFX(S::Int), [A(S::Float)] => [T], TRAP, "The unsigned integer toward zero. Traps `bad_toint` for NaN, `int_ovf` outside of the type.";
    FcvtToSint fcvt_to_sint Unary SFX(S::Int), [A(S::Float)] => [T], TRAP, "The signed integer toward zero. Traps `bad_toint` for NaN, `int_ovf` outside of the type.";
    FcvtToUintSat fcvt_to_uint_sat Unary SFX(S::IntVec), [Ty::FloatLikeT] => [T], PURE, "The unsigned integer toward zero; the nearest one outside of the type; 0 for NaN.";
    FcvtToSintSat fcvt_to_sint_sat Unary SFX(S::IntVec), [Ty::FloatLikeT] => [T], PURE, "The signed integer toward zero; the nearest one outside of the type; 0 for NaN.";
    FcvtFromUint fcvt_from_uint Unary SFX(S::FloatVec), [Ty::IntLikeT] => [T], PURE, "The float nearest to the unsigned integer.";
    FcvtFromSint fcvt_from_sint Unary SFX(S::FloatVec), [Ty::IntLikeT] => [T], PURE, "The float nearest to the signed integer.";

    // Memory.
    Load load Load SFX(S::Any), [ADDR] => [T], LOAD, "The value in memory at p + offset.";
    Store store Store BY(0, S::Any), [T, ADDR] => [], STORE, "Write `x` to memory at p + offset.";
    Uload8 uload8 Load SFX(S::Int16To64), [ADDR] => [T], LOAD, "The byte at p + offset, widened with zeros.";
    Sload8 sload8 Load SFX(S::Int16To64), [ADDR] => [T], LOAD, "The byte at p + offset, widened with the sign.";
    Istore8 istore8 Store BY(0, S::Int16To64), [T, ADDR] => [], STORE, "Write the low 8 bits of `x` to p + offset.";
    Uload16 uload16 Load SFX(S::Ext16), [ADDR] => [T], LOAD, "The 16 bits at p + offset, widened with zeros.";
    Sload16 sload16 Load SFX(S::Ext16), [ADDR] => [T], LOAD, "The 16 bits at p + offset, widened with the sign.";
    Istore16 istore16 Store BY(0, S::Ext16), [T, ADDR] => [], STORE, "Write the low 16 bits of `x` to p + offset.";
    Uload32 uload32 Load NONE, [ADDR] => [Is(types::I64)], LOAD, "The 32 bits at p + offset, widened to i64 with zeros.";
    Sload32 sload32 Load NONE, [ADDR] => [Is(types::I64)], LOAD, "The 32 bits at p + offset, widened to i64 with the sign.";
    Istore32 istore32 Store BY(0, S::Ext32), [T, ADDR] => [], STORE, "Write the low 32 bits of `x` to p + offset.";
    StackAddr stack_addr StackAddr SFX(S::Addr), [] => [T], PURE, "The address of a stack slot, plus offset.";
    SymbolValue symbol_value UnaryGlobalValue SFX(S::Addr), [] => [T], PURE, "The address of a symbol.";
    TlsValue tls_value UnaryGlobalValue SFX(S::Addr), [] => [T], OTHER, "The address of a thread-local symbol in this thread.";

    // Atomics: sequentially consistent.
    AtomicRmw atomic_rmw AtomicRmw SFX(S::Int), [ADDR, T] => [T], ATOMIC, "Combine memory at `p` with `x`, atomically; the value that was there before.";
    AtomicCas atomic_cas AtomicCas BY(2, S::Int), [ADDR, T, T] => [T], ATOMIC, "Write `y` to `p` if `x` stands there, atomically; the value that was there before.";
    AtomicLoad atomic_load LoadNoOffset SFX(S::Int), [ADDR] => [T], LOAD.and(OTHER), "The value in memory at `p`, atomically.";
    AtomicStore atomic_store StoreNoOffset BY(0, S::Int), [T, ADDR] => [], STORE.and(OTHER), "Write `x` to `p`, atomically.";
    Fence fence Nullary NONE, [] => [], OTHER, "Order all accesses before before all accesses after.";

    // The machine.
    GetPinnedReg get_pinned_reg Nullary SFX(S::Addr), [] => [T], OTHER, "The content of the pinned register.";
    SetPinnedReg set_pinned_reg Unary BY(0, S::Addr), [T] => [], OTHER, "Write the pinned register.";
    GetFramePointer get_frame_pointer Nullary SFX(S::Addr), [] => [T], OTHER, "The frame pointer of this function.";
    GetStackPointer get_stack_pointer Nullary SFX(S::Addr), [] => [T], OTHER, "The stack pointer.";
    GetReturnAddress get_return_address Nullary SFX(S::Addr), [] => [T], OTHER, "Where this function returns to.";
    GetExceptionHandlerAddress get_exception_handler_address ExceptionHandlerAddress SFX(S::Addr), [] => [T], PURE, "The address of the handler with this index of the `try_call` that ends the block.";

    // Vectors.
    Splat splat Unary SFX(S::Vec), [Ty::LaneOfT] => [T], PURE, "A vector with `x` in every lane.";
    Swizzle swizzle Binary NONE, [Is(types::I8X16), Is(types::I8X16)] => [Is(types::I8X16)], PURE, "Lanes of `x` picked by the indices in `y`; 0 where an index is above 15.";
    Shuffle shuffle Shuffle NONE, [Is(types::I8X16), Is(types::I8X16)] => [Is(types::I8X16)], PURE, "Bytes of `x` and `y` together, picked by the 16 indices of the mask.";
    Insertlane insertlane TernaryImm8 BY(0, S::Vec), [T, Ty::LaneOfT] => [T], PURE, "`x` with `y` in one lane.";
    Extractlane extractlane BinaryImm8 BY(0, S::Vec), [T] => [Ty::LaneOfT], PURE, "One lane of `x`.";
    Vconst vconst UnaryConst SFX(S::Vec), [] => [T], PURE, "A vector constant.";
    ScalarToVector scalar_to_vector Unary SFX(S::Vec), [Ty::LaneOfT] => [T], PURE, "`x` in lane 0, zeros elsewhere.";
    AvgRound avg_round Binary BY(0, S::VecInt), [T, T] => [T], PURE, "(x + y + 1) / 2, unsigned, without overflow.";
    UaddSat uadd_sat Binary BY(0, S::VecInt), [T, T] => [T], PURE, "x + y, unsigned, saturating.";
    SaddSat sadd_sat Binary BY(0, S::VecInt), [T, T] => [T], PURE, "x + y, signed, saturating.";
    UsubSat usub_sat Binary BY(0, S::VecInt), [T, T] => [T], PURE, "x - y, unsigned, saturating.";
    SsubSat ssub_sat Binary BY(0, S::VecInt), [T, T] => [T], PURE, "x - y, signed, saturating.";
    VanyTrue vany_true Unary BY(0, S::Vec), [T] => [Is(I8)], PURE, "1 if any lane is not zero, else 0.";
    VallTrue vall_true Unary BY(0, S::Vec), [T] => [Is(I8)], PURE, "1 if no lane is zero, else 0.";
    VhighBits vhigh_bits Unary SFX(S::NarrowInt), [A(S::Vec)] => [T], PURE, "The top bit of each lane, lane 0 in bit 0.";
    Snarrow snarrow Binary BY(0, S::VecIntNarrowable), [T, T] => [Ty::SplitT], PURE, "Lanes of `x` and `y` narrowed, signed saturating.";
    Unarrow unarrow Binary BY(0, S::VecIntNarrowable), [T, T] => [Ty::SplitT], PURE, "Lanes of `x` and `y`, read as signed, narrowed to unsigned, saturating.";
    Uunarrow uunarrow Binary BY(0, S::VecIntNarrowable), [T, T] => [Ty::SplitT], PURE, "Lanes of `x` and `y`, read as unsigned, narrowed to unsigned, saturating.";
    SwidenLow swiden_low Unary BY(0, S::VecIntWidenable), [T] => [Ty::MergeT], PURE, "The low lanes widened with the sign.";
    SwidenHigh swiden_high Unary BY(0, S::VecIntWidenable), [T] => [Ty::MergeT], PURE, "The high lanes widened with the sign.";
    UwidenLow uwiden_low Unary BY(0, S::VecIntWidenable), [T] => [Ty::MergeT], PURE, "The low lanes widened with zeros.";
    UwidenHigh uwiden_high Unary BY(0, S::VecIntWidenable), [T] => [Ty::MergeT], PURE, "The high lanes widened with zeros.";
    IaddPairwise iadd_pairwise Binary BY(0, S::VecInt), [T, T] => [T], PURE, "Sums of neighbouring lanes, of `x` and then of `y`.";
    SqmulRoundSat sqmul_round_sat Binary BY(0, S::VecInt), [T, T] => [T], PURE, "The rounded fixed-point product, saturating.";
    X86Pmaddubsw x86_pmaddubsw Binary NONE, [Is(types::I8X16), Is(types::I8X16)] => [Is(types::I16X8)], PURE, "Signed times unsigned bytes, neighbours added, saturating.";
    Fvdemote fvdemote Unary NONE, [Is(types::F64X2)] => [Is(types::F32X4)], PURE, "Both lanes narrowed into the low lanes, zeros above.";
    FvpromoteLow fvpromote_low Unary NONE, [Is(types::F32X4)] => [Is(types::F64X2)], PURE, "The low lanes widened.";
    Uload8x8 uload8x8 Load NONE, [ADDR] => [Is(types::I16X8)], LOAD, "Eight bytes widened with zeros.";
    Sload8x8 sload8x8 Load NONE, [ADDR] => [Is(types::I16X8)], LOAD, "Eight bytes widened with the sign.";
    Uload16x4 uload16x4 Load NONE, [ADDR] => [Is(types::I32X4)], LOAD, "Four halfwords widened with zeros.";
    Sload16x4 sload16x4 Load NONE, [ADDR] => [Is(types::I32X4)], LOAD, "Four halfwords widened with the sign.";
    Uload32x2 uload32x2 Load NONE, [ADDR] => [Is(types::I64X2)], LOAD, "Two words widened with zeros.";
    Sload32x2 sload32x2 Load NONE, [ADDR] => [Is(types::I64X2)], LOAD, "Two words widened with the sign.";
}
}
pub(crate) use table::for_each_opcode;
pub use table::{Opcode, TABLE};

impl Opcode {
    /// The opcode's row.
    pub fn def(self) -> &'static OpcodeDef {
        &TABLE[self as usize]
    }

    /// The name in the text.
    pub fn name(self) -> &'static str {
        self.def().name
    }

    /// Where its operands stand.
    pub fn format(self) -> Format {
        self.def().format
    }

    /// How its controlling type is found.
    pub fn ctrl(self) -> Ctrl {
        self.def().ctrl
    }

    /// What it may do.
    pub fn effects(self) -> Effects {
        self.def().effects
    }

    /// Ends a block?
    pub fn is_terminator(self) -> bool {
        self.effects().has(Effects::TERMINATOR)
    }

    /// Continues in a block that it names?
    pub fn is_branch(self) -> bool {
        self.effects().has(Effects::BRANCH)
    }

    /// Leaves the function, as `return` or a tail call?
    pub fn is_return(self) -> bool {
        self.effects().has(Effects::RETURN)
    }

    /// Calls?
    pub fn is_call(self) -> bool {
        self.effects().has(Effects::CALL)
    }

    /// Reads memory?
    pub fn can_load(self) -> bool {
        self.effects().has(Effects::LOAD)
    }

    /// Writes memory?
    pub fn can_store(self) -> bool {
        self.effects().has(Effects::STORE)
    }

    /// May trap?
    pub fn can_trap(self) -> bool {
        self.effects().has(Effects::TRAP)
    }

    /// Every opcode, in table order.
    pub fn all() -> impl Iterator<Item = Opcode> {
        TABLE.iter().map(|def| def.opcode)
    }
}

impl fmt::Display for Opcode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_stand_in_the_order_of_the_enum() {
        for (i, def) in TABLE.iter().enumerate() {
            assert_eq!(def.opcode as usize, i, "{}", def.name);
            assert_eq!(Opcode::from_name(def.name), Some(def.opcode));
            assert!(def.doc.ends_with('.'), "{}", def.name);
        }
    }

    #[test]
    fn controlling_operands_have_the_controlling_type() {
        for def in TABLE {
            if let Ctrl::Operand(i, _) = def.ctrl {
                assert_eq!(def.args[i as usize], Ty::T, "{}", def.name);
            }
        }
    }

    #[test]
    fn result_types_follow_from_the_controlling_type() {
        for def in TABLE {
            for result in def.results {
                assert!(!matches!(result, Ty::Any(_)), "{}: a result's type must be known", def.name);
            }
        }
    }
}
