//! The decoded form of a function: dense operations over numbered 64-bit slots.
//!
//! A narrow value takes one slot, with zeros above its width; a value of 128 bits takes two, low half first.
//! Operands named `d`, `a`, `b`, `c` are slots of the frame. All of an operation's operands are read before any
//! of its results is written, so results may take the slots of operands.

use super::ErrorKind;
use crate::condcodes::{FloatCC, IntCC};
use crate::entities::Inst;
use crate::instdata::AtomicRmwOp;
use crate::types::Type;
use alloc::vec::Vec;

/// Integer operations with two operands that cannot trap.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum IntBin {
    Add,
    Sub,
    Mul,
    Umulhi,
    Smulhi,
    Smin,
    Umin,
    Smax,
    Umax,
    And,
    Or,
    Xor,
    Rotl,
    Rotr,
    Shl,
    Ushr,
    Sshr,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum DivOp {
    Udiv,
    Sdiv,
    Urem,
    Srem,
}

/// Integer operations with one operand.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum IntUn {
    Neg,
    Abs,
    Not,
    Bitrev,
    Clz,
    Cls,
    Ctz,
    Bswap,
    Popcnt,
    Bmask,
}

/// Operations that tell overflow.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum OverflowOp {
    Uadd,
    Sadd,
    Usub,
    Ssub,
    Umul,
    Smul,
}

/// Float operations with two operands.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum FloatBin {
    Add,
    Sub,
    Mul,
    Div,
    Min,
    Max,
    Copysign,
}

/// Float operations with one operand.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum FloatUn {
    Sqrt,
    Neg,
    Abs,
    Ceil,
    Floor,
    Trunc,
    Nearest,
}

/// An integer condition as a set of outcomes, to be tested without a branch: bit 0 equal, bit 1 less, bit 2
/// greater; bit 3 asks for signed order.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct IntCond(u8);

impl IntCond {
    pub(super) fn new(cc: IntCC) -> IntCond {
        use IntCC::*;
        let outcomes = match cc {
            Equal => 0b001,
            NotEqual => 0b110,
            SignedLessThan | UnsignedLessThan => 0b010,
            SignedLessThanOrEqual | UnsignedLessThanOrEqual => 0b011,
            SignedGreaterThan | UnsignedGreaterThan => 0b100,
            SignedGreaterThanOrEqual | UnsignedGreaterThanOrEqual => 0b101,
        };
        IntCond(outcomes | if cc.is_signed() { 8 } else { 0 })
    }

    /// Compares numbers of `sign_bit + 1` bits with zeros above.
    #[inline(always)]
    pub(super) fn test(self, sign_bit: u8, x: u64, y: u64) -> bool {
        let bias = u64::from(self.0 >> 3) << (sign_bit & 63);
        let (x, y) = (x ^ bias, y ^ bias);
        let outcome = u8::from(x == y) | u8::from(x < y) << 1 | u8::from(x > y) << 2;
        self.0 & outcome != 0
    }

    pub(super) fn test128(self, x: u128, y: u128) -> bool {
        let bias = u128::from(self.0 >> 3) << 127;
        let (x, y) = (x ^ bias, y ^ bias);
        let outcome = u8::from(x == y) | u8::from(x < y) << 1 | u8::from(x > y) << 2;
        self.0 & outcome != 0
    }
}

/// A float condition as a set of outcomes: bit 0 equal, bit 1 less, bit 2 greater, bit 3 unordered.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct FloatCond(u8);

impl FloatCond {
    pub(super) fn new(cc: FloatCC) -> FloatCond {
        use FloatCC::*;
        FloatCond(match cc {
            Ordered => 0b0111,
            Unordered => 0b1000,
            Equal => 0b0001,
            NotEqual => 0b1110,
            OrderedNotEqual => 0b0110,
            UnorderedOrEqual => 0b1001,
            LessThan => 0b0010,
            LessThanOrEqual => 0b0011,
            GreaterThan => 0b0100,
            GreaterThanOrEqual => 0b0101,
            UnorderedOrLessThan => 0b1010,
            UnorderedOrLessThanOrEqual => 0b1011,
            UnorderedOrGreaterThan => 0b1100,
            UnorderedOrGreaterThanOrEqual => 0b1101,
        })
    }

    /// Compares; f32 widens to f64 without changing the order.
    #[inline(always)]
    pub(super) fn test(self, x: f64, y: f64) -> bool {
        let (eq, lt, gt) = (x == y, x < y, x > y);
        let unordered = !(eq | lt | gt);
        let outcome = u8::from(eq) | u8::from(lt) << 1 | u8::from(gt) << 2 | u8::from(unordered) << 3;
        self.0 & outcome != 0
    }
}

/// What a memory access promises, and what happens when it fails.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Access {
    /// `TrapCode::as_u8`, or 0 for `notrap`.
    pub(super) trap: u8,
    pub(super) flags: u8,
}

impl Access {
    pub(super) const ALIGNED: u8 = 1;
    pub(super) const BIG: u8 = 2;

    #[inline(always)]
    pub(super) fn is_big(self) -> bool {
        self.flags & Access::BIG != 0
    }

    #[inline(always)]
    pub(super) fn is_aligned(self) -> bool {
        self.flags & Access::ALIGNED != 0
    }
}

/// An operation. `bits` is a width from 8 to 64; `size` is log2 of a size in bytes.
#[derive(Clone, Copy, Debug)]
#[rustfmt::skip] // One operation a row.
pub(super) enum Op {
    // Moves and constants.
    Const { d: u32, lo: u32, hi: u32 },
    Copy { d: u32, a: u32 },
    Copy128 { d: u32, a: u32 },
    // The commonest integer operations, one each.
    Add32 { d: u32, a: u32, b: u32 },
    Add64 { d: u32, a: u32, b: u32 },
    Sub32 { d: u32, a: u32, b: u32 },
    Sub64 { d: u32, a: u32, b: u32 },
    Mul32 { d: u32, a: u32, b: u32 },
    Mul64 { d: u32, a: u32, b: u32 },
    And { d: u32, a: u32, b: u32 },
    Or { d: u32, a: u32, b: u32 },
    Xor { d: u32, a: u32, b: u32 },
    AddImm32 { d: u32, a: u32, imm: i32 },
    AddImm64 { d: u32, a: u32, imm: i32 },
    MulImm32 { d: u32, a: u32, imm: i32 },
    MulImm64 { d: u32, a: u32, imm: i32 },
    AndImm { d: u32, a: u32, imm: u32 },
    OrImm { d: u32, a: u32, imm: u32 },
    XorImm { d: u32, a: u32, imm: u32 },
    ShlImm32 { d: u32, a: u32, k: u8 },
    ShlImm64 { d: u32, a: u32, k: u8 },
    UshrImm { d: u32, a: u32, k: u8 },
    SshrImm32 { d: u32, a: u32, k: u8 },
    SshrImm64 { d: u32, a: u32, k: u8 },
    RotlImm32 { d: u32, a: u32, k: u8 },
    RotlImm64 { d: u32, a: u32, k: u8 },
    // All others by kind.
    IntBin { op: IntBin, bits: u8, d: u32, a: u32, b: u32 },
    IntUn { op: IntUn, bits: u8, d: u32, a: u32 },
    Div { op: DivOp, bits: u8, d: u32, a: u32, b: u32 },
    /// Result in `d`, overflow in `d + 1`.
    Overflow { op: OverflowOp, bits: u8, d: u32, a: u32, b: u32 },
    /// The same with a carry or borrow in `c`.
    OverflowCarry { op: OverflowOp, bits: u8, d: u32, a: u32, b: u32, c: u32 },
    AddTrap { bits: u8, code: u8, d: u32, a: u32, b: u32 },
    IntBin128 { op: IntBin, d: u32, a: u32, b: u32 },
    /// A shift or rotation: the amount takes one slot.
    Shift128 { op: IntBin, d: u32, a: u32, b: u32 },
    IntUn128 { op: IntUn, d: u32, a: u32 },
    Div128 { op: DivOp, d: u32, a: u32, b: u32 },
    /// Result in `d` and `d + 1`, overflow in `d + 2`.
    Overflow128 { op: OverflowOp, d: u32, a: u32, b: u32 },
    OverflowCarry128 { op: OverflowOp, d: u32, a: u32, b: u32, c: u32 },
    /// 1 if any bit is set, else 0.
    NonZero128 { d: u32, a: u32 },
    /// All ones in 128 bits if `a` is not zero.
    Bmask128 { d: u32, a: u32 },
    Bitselect { d: u32, c: u32, a: u32, b: u32 },
    Bitselect128 { d: u32, c: u32, a: u32, b: u32 },
    Icmp { cond: IntCond, sign_bit: u8, d: u32, a: u32, b: u32 },
    IcmpImm { cond: IntCond, sign_bit: u8, d: u32, a: u32, imm: u32 },
    Icmp128 { cond: IntCond, d: u32, a: u32, b: u32 },
    Select { d: u32, c: u32, a: u32, b: u32 },
    Select128 { d: u32, c: u32, a: u32, b: u32 },
    Sext { from: u8, to: u8, d: u32, a: u32 },
    Uext128 { d: u32, a: u32 },
    Sext128 { from: u8, d: u32, a: u32 },
    /// Halves of `bits` bits into `d` and `d + 1`.
    Split { bits: u8, d: u32, a: u32 },
    /// `b` above the `bits` bits of `a`.
    Concat { bits: u8, d: u32, a: u32, b: u32 },
    Concat128 { d: u32, a: u32, b: u32 },
    // Floats.
    F32Bin { op: FloatBin, d: u32, a: u32, b: u32 },
    F64Bin { op: FloatBin, d: u32, a: u32, b: u32 },
    F32Un { op: FloatUn, d: u32, a: u32 },
    F64Un { op: FloatUn, d: u32, a: u32 },
    F32Fma { d: u32, a: u32, b: u32, c: u32 },
    F64Fma { d: u32, a: u32, b: u32, c: u32 },
    F32Cmp { cond: FloatCond, d: u32, a: u32, b: u32 },
    F64Cmp { cond: FloatCond, d: u32, a: u32, b: u32 },
    Promote { d: u32, a: u32 },
    Demote { d: u32, a: u32 },
    /// To an integer of `bits` bits, 8 to 128.
    ToInt { from64: bool, signed: bool, saturate: bool, bits: u8, d: u32, a: u32 },
    /// From an integer of `bits` bits, 8 to 128.
    FromInt { to64: bool, signed: bool, bits: u8, d: u32, a: u32 },
    // Memory.
    Load8 { acc: Access, d: u32, a: u32, off: i32 },
    Load16 { acc: Access, d: u32, a: u32, off: i32 },
    Load32 { acc: Access, d: u32, a: u32, off: i32 },
    Load64 { acc: Access, d: u32, a: u32, off: i32 },
    Load128 { acc: Access, d: u32, a: u32, off: i32 },
    /// Widened with its sign to `to` bits.
    LoadSigned { acc: Access, size: u8, to: u8, d: u32, a: u32, off: i32 },
    Store8 { acc: Access, x: u32, a: u32, off: i32 },
    Store16 { acc: Access, x: u32, a: u32, off: i32 },
    Store32 { acc: Access, x: u32, a: u32, off: i32 },
    Store64 { acc: Access, x: u32, a: u32, off: i32 },
    Store128 { acc: Access, x: u32, a: u32, off: i32 },
    AtomicRmw { op: AtomicRmwOp, size: u8, acc: Access, d: u32, a: u32, b: u32 },
    AtomicCas { size: u8, acc: Access, d: u32, a: u32, b: u32, c: u32 },
    /// Stack pointer plus a 64-bit offset.
    StackAddr { d: u32, lo: u32, hi: u32 },
    GlobalValue { d: u32, gv: u32 },
    // The machine.
    GetPinned { d: u32 },
    SetPinned { a: u32 },
    FramePointer { d: u32 },
    StackPointer { d: u32 },
    ReturnAddress { d: u32 },
    Debugtrap,
    // Control.
    Jump { edge: u32 },
    Brif { c: u32, then: u32, otherwise: u32 },
    BrIcmp { cond: IntCond, sign_bit: u8, a: u32, b: u32, then: u32, otherwise: u32 },
    BrIcmpImm { cond: IntCond, sign_bit: u8, a: u32, imm: u32, then: u32, otherwise: u32 },
    /// `count` edges in the lists from `first`, the default before them.
    BrTable { a: u32, first: u32, count: u32 },
    Return { first: u32, count: u32 },
    Trap { code: u8 },
    Trapz { a: u32, code: u8 },
    Trapnz { a: u32, code: u8 },
    Call { site: u32 },
    /// The callee's address in `a`.
    CallIndirect { site: u32, a: u32 },
    TailCall { site: u32 },
    TailCallIndirect { site: u32, a: u32 },
    /// What the interpreter does not do, or the instruction is malformed.
    Fail { error: u32 },
}

// The inner loop walks over these.
const _: () = assert!(size_of::<Op>() <= 20);

/// A way from one block to another: copies, in order, then a jump.
#[derive(Clone, Copy, Debug)]
pub(super) struct Edge {
    /// Index in the code, once all blocks are placed.
    pub(super) target: u32,
    /// IR instructions in the target block.
    pub(super) cost: u32,
    /// In [`Body::moves`].
    pub(super) first_move: u32,
    pub(super) end_move: u32,
}

/// A handler of a `try_call`.
#[derive(Clone, Copy, Debug)]
pub(super) enum Handler {
    Tag(u32, u32),
    Default(u32),
    Context(u32),
}

/// A call.
#[derive(Clone, Debug)]
pub(super) struct CallSite {
    /// Callable index; unused by indirect calls.
    pub(super) callee: u32,
    /// Signature in the program's table.
    pub(super) sig: u32,
    /// Slots of the arguments, in the callee's order of parameter slots.
    pub(super) args: Vec<u32>,
    /// First slot of the results.
    pub(super) ret: u32,
    /// First slot of an exception's payload.
    pub(super) exn: u32,
    /// Arguments that are structures passed by value: index into `args`, size in bytes.
    pub(super) structs: Vec<(u32, u32)>,
    /// Handlers, in order; empty for plain calls.
    pub(super) handlers: Vec<Handler>,
}

/// A decoded global value.
#[derive(Clone, Copy, Debug)]
pub(super) enum Global {
    VmContext {
        slot: u32,
    },
    Load {
        base: u32,
        off: i32,
        size: u8,
        acc: Access,
    },
    Add {
        base: u32,
        off: i64,
    },
    Symbol {
        symbol: u32,
        off: i64,
    },
    /// Cannot be evaluated; index into [`Body::errors`].
    Bad {
        error: u32,
    },
}

/// A decoded function.
#[derive(Clone, Debug, Default)]
pub(super) struct Body {
    pub(super) code: Vec<Op>,
    /// The instruction that each operation is part of.
    pub(super) insts: Vec<Inst>,
    pub(super) edges: Vec<Edge>,
    /// Copies of edges: destination, source.
    pub(super) moves: Vec<(u32, u32)>,
    pub(super) lists: Vec<u32>,
    pub(super) sites: Vec<CallSite>,
    pub(super) globals: Vec<Global>,
    pub(super) errors: Vec<ErrorKind>,
    /// Slots of a frame.
    pub(super) slots: u32,
    /// IR instructions of the entry block.
    pub(super) entry_cost: u32,
    /// Signature in the program's table.
    pub(super) sig: u32,
    /// Bytes of the stack slots.
    pub(super) stack_bytes: u64,
    /// Alignment of the frame in bytes.
    pub(super) stack_align: u64,
    /// Index into `globals`.
    pub(super) stack_limit: Option<u32>,
}

/// A signature as far as callers and callees must agree on it.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(super) struct Shape {
    pub(super) params: Vec<Type>,
    pub(super) returns: Vec<Type>,
    /// 0 for `fast`, 1 for `tail`, 2 for the conventions of platforms.
    pub(super) convention: u8,
}

/// Slots that a value of type `ty` takes.
pub(super) fn slots_of(ty: Type) -> u32 {
    ty.bits().div_ceil(64).max(1)
}
