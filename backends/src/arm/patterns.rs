//! What the rules' extractors look for: shapes of values and constants. Everything here only looks.

use super::imm::*;
use super::lower::generated::{
    AluOp, Extension, Half, Insertion, Packing, SDivisor, SDivisor64, UDivisor, UDivisor64,
};
use super::lower::{Lower, zero_extended};
use crate::machinst::magic::{self, Signed, Unsigned};
use windlass_ir::{Opcode, Value, types};

/// `x op k` of a word.
fn word_by_constant(cx: &Lower<'_>, v: Value) -> Option<(Opcode, Value, u32)> {
    let (opcode, x, y) = cx.binary(v)?;
    if cx.value_type(v) != types::I32 {
        return None;
    }
    Some((opcode, x, cx.constant(y)? as u32))
}

/// The constant's bits, zeros above its type, if that has at most 32.
fn small_constant(cx: &Lower<'_>, v: Value) -> Option<u32> {
    if cx.value_type(v).bits() > 32 { None } else { cx.constant(v).map(|bits| bits as u32) }
}

// ----- Constants -----

/// Two modified immediates without a bit in common that make up `k`, which is neither itself one nor its negation.
fn split_imm(k: u32) -> Option<(ArmImm, ArmImm)> {
    if ArmImm::encode(k).is_some() || ArmImm::encode(k.wrapping_neg()).is_some() {
        return None;
    }
    (0..32).step_by(2).find_map(|at| {
        let part = k & 0xff_u32.rotate_left(at);
        Some((ArmImm::encode(part)?, ArmImm::encode(k & !part)?))
    })
}

pub(super) fn two_imms(cx: &Lower<'_>, v: Value) -> Option<(ArmImm, ArmImm)> {
    split_imm(small_constant(cx, v)?)
}

pub(super) fn neg_two_imms(cx: &Lower<'_>, v: Value) -> Option<(ArmImm, ArmImm)> {
    if cx.value_type(v).bits() > 32 || two_imms(cx, v).is_some() {
        return None;
    }
    split_imm((cx.signed_constant(v)? as u32).wrapping_neg())
}

/// The number of ones at the bottom of a word that has no others, 1 to 31.
pub(super) fn ones_below(cx: &Lower<'_>, v: Value) -> Option<u32> {
    let k = small_constant(cx, v)?;
    let n = k.trailing_ones();
    ((1..=31).contains(&n) && k >> n == 0).then_some(n)
}

/// The only zeros of a word, which stand together.
pub(super) fn run_of_zeros(k: u32) -> Option<InsertRange> {
    let (lsb, width) = ((!k).trailing_zeros(), (!k).count_ones());
    let range = InsertRange::new(lsb, width)?;
    (u64::from(!k) == ((1u64 << width) - 1) << lsb).then_some(range)
}

/// The upper half of an i64 is 0: a constant's, or an extension's by zeros.
pub(super) fn high_zero(cx: &Lower<'_>, v: Value) -> bool {
    cx.value_type(v) == types::I64
        && match cx.constant(v) {
            Some(k) => k >> 32 == 0,
            None => matches!(cx.unary(v), Some((Opcode::Uextend, _))),
        }
}

// ----- Division -----

pub(super) fn udivisor(cx: &Lower<'_>, v: Value) -> Option<UDivisor> {
    let k = small_constant(cx, v)?;
    Some(match magic::unsigned(32, k.into())? {
        Unsigned::Shift(n) => UDivisor::Shift { n },
        // Of dividends below 2^16, no more than rounding the reciprocal up costs is lost.
        _ if cx.value_type(v).bits() <= 16 => UDivisor::Mul { pre: 0, m: u32::MAX / k + 1, post: 0 },
        Unsigned::Multiply { pre, multiplier, post } => UDivisor::Mul { pre, m: multiplier as u32, post },
        Unsigned::MultiplyAdd { multiplier, post } => UDivisor::MulAdd { m: multiplier as u32, post },
    })
}

pub(super) fn sdivisor(cx: &Lower<'_>, v: Value) -> Option<SDivisor> {
    small_constant(cx, v)?;
    let k = cx.signed_constant(v)?;
    let op = if k < 0 { AluOp::Rsb } else { AluOp::Sub };
    Some(match magic::signed(32, k.unsigned_abs())? {
        Signed::Shift(n) if k < -1 => SDivisor::ShiftNeg { n },
        Signed::Shift(n) => SDivisor::Shift { n },
        Signed::Multiply { multiplier, post } => SDivisor::Mul { op, m: multiplier as u32, post },
        Signed::MultiplyAdd { multiplier, post } => SDivisor::MulAdd { op, m: multiplier as u32, post },
    })
}

pub(super) fn udivisor64(cx: &Lower<'_>, v: Value) -> Option<UDivisor64> {
    Some(match magic::unsigned(64, cx.constant(v)?)? {
        Unsigned::Shift(_) => return None,
        Unsigned::Multiply { pre, multiplier, post } => UDivisor64::Mul { pre, m: multiplier, post },
        Unsigned::MultiplyAdd { multiplier, post } => UDivisor64::MulAdd { m: multiplier, post },
    })
}

pub(super) fn sdivisor64(cx: &Lower<'_>, v: Value) -> Option<SDivisor64> {
    let k = cx.signed_constant(v)?;
    let neg = u32::from(k < 0);
    Some(match magic::signed(64, k.unsigned_abs())? {
        Signed::Shift(_) => return None,
        Signed::Multiply { multiplier, post } => SDivisor64::Mul { neg, m: multiplier, post },
        Signed::MultiplyAdd { multiplier, post } => SDivisor64::MulAdd { neg, m: multiplier, post },
    })
}

// ----- Shapes of values -----

/// A value of at most 32 bits shifted by a constant that is not 0, modulo its width.
pub(super) fn shifted_value(cx: &Lower<'_>, v: Value) -> Option<(Value, ShiftImm)> {
    let (opcode, x, n) = cx.binary(v)?;
    let bits = cx.value_type(v).bits();
    if bits > 32 {
        return None;
    }
    let n = (cx.constant(n)? % u64::from(bits)) as u32;
    let (kind, n) = match opcode {
        Opcode::Ishl => (ShiftKind::Lsl, n),
        Opcode::Ushr if bits == 32 => (ShiftKind::Lsr, n),
        Opcode::Sshr if bits == 32 => (ShiftKind::Asr, n),
        Opcode::Rotr if bits == 32 => (ShiftKind::Ror, n),
        Opcode::Rotl if bits == 32 => (ShiftKind::Ror, n.wrapping_neg() % 32),
        _ => return None,
    };
    Some((x, ShiftImm::new(kind, n)?))
}

/// An operation with a conditional form, and its operands.
pub(super) fn arithmetic(cx: &Lower<'_>, v: Value) -> Option<(AluOp, Value, Value)> {
    let (opcode, x, y) = cx.binary(v)?;
    let op = match opcode {
        Opcode::Iadd => AluOp::Add,
        Opcode::Isub => AluOp::Sub,
        Opcode::Band => AluOp::And,
        Opcode::Bor => AluOp::Orr,
        Opcode::Bxor => AluOp::Eor,
        _ => return None,
    };
    (cx.value_type(v).bits() <= 32).then_some((op, x, y))
}

/// The comparison whose result `v` is, as it is or extended by zeros.
pub(super) fn comparison(cx: &Lower<'_>, v: Value) -> Option<Value> {
    let inner = match cx.unary(v) {
        Some((Opcode::Uextend, x)) => x,
        _ => v,
    };
    let opcode = cx.func.dfg.opcode(cx.pure_def(inner)?);
    matches!(opcode, Opcode::Icmp | Opcode::Fcmp).then_some(inner)
}

/// A byte or halfword that is extended to a word here.
pub(super) fn extended(cx: &Lower<'_>, v: Value) -> Option<(Extension, Value)> {
    if cx.value_type(v) != types::I32 {
        return None;
    }
    if let Some((opcode, x)) = cx.unary(v) {
        let extension = match (opcode, cx.value_type(x)) {
            (Opcode::Uextend, _) if zero_extended(cx, x) => return None,
            (Opcode::Uextend, types::I8) => Extension::Uxtb,
            (Opcode::Uextend, types::I16) => Extension::Uxth,
            (Opcode::Sextend, types::I8) => Extension::Sxtb,
            (Opcode::Sextend, types::I16) => Extension::Sxth,
            _ => return None,
        };
        return cx.constant(x).is_none().then_some((extension, x));
    }
    match word_by_constant(cx, v)? {
        (Opcode::Band, x, 0xff) => Some((Extension::Uxtb, x)),
        (Opcode::Band, x, 0xffff) => Some((Extension::Uxth, x)),
        _ => None,
    }
}

/// A signed half of a word.
pub(super) fn half(cx: &Lower<'_>, v: Value) -> Option<Half> {
    if let Some((Opcode::Sextend, x)) = cx.unary(v) {
        let fits = cx.value_type(x) == types::I16 && cx.value_type(v) == types::I32;
        return (fits && cx.constant(x).is_none()).then_some(Half::Bottom { x });
    }
    match word_by_constant(cx, v)? {
        (Opcode::Sshr, x, n) if n % 32 == 16 => Some(Half::Top { x }),
        _ => None,
    }
}

/// What `v`, a word with zeros above its low `n` bits, is the low `n` bits of; and `n`.
fn low_part(cx: &Lower<'_>, v: Value) -> Option<(Value, u32)> {
    if let Some((Opcode::Uextend, x)) = cx.unary(v) {
        return Some((x, cx.value_type(x).bits())).filter(|_| cx.constant(x).is_none());
    }
    let (opcode, x, y) = cx.binary(v)?;
    if opcode != Opcode::Band { None } else { Some((x, ones_below(cx, y)?)) }
}

/// Two words without a bit in common that one instruction packs.
pub(super) fn packing(cx: &Lower<'_>, x: Value, y: Value) -> Option<Packing> {
    let low = |v| low_part(cx, v).filter(|part| part.1 == 16).map(|part| part.0);
    let high = |v| match word_by_constant(cx, v)? {
        (Opcode::Band, x, 0xffff_0000) => Some(x),
        _ => None,
    };
    [(x, y), (y, x)].into_iter().find_map(|(x, y)| {
        if let Some(a) = low(x) {
            if let Some(b) = high(y) {
                return Some(Packing::BottomTop { a, b });
            }
            return match word_by_constant(cx, y)? {
                (Opcode::Ishl, b, n) if n % 32 >= 16 => {
                    Some(Packing::Bottom { a, b, n: Amt1To31::new(n % 32)? })
                }
                _ => None,
            };
        }
        match (high(x)?, word_by_constant(cx, y)?) {
            (a, (Opcode::Ushr, b, n)) if n % 32 == 16 => Some(Packing::Top { a, b, n: Amt1To32::new(16)? }),
            _ => None,
        }
    })
}

/// Two words of which one has zeros where the other, and only there, is a field.
pub(super) fn insertion(cx: &Lower<'_>, x: Value, y: Value) -> Option<Insertion> {
    [(x, y), (y, x)].into_iter().find_map(|(x, y)| {
        let (Opcode::Band, a, mask) = word_by_constant(cx, x)? else { return None };
        let range = run_of_zeros(mask)?;
        let (field, at) = match word_by_constant(cx, y) {
            Some((Opcode::Ishl, field, n)) => (field, n % 32),
            _ => (y, 0),
        };
        if at != range.lsb() {
            return None;
        }
        let b = match low_part(cx, field) {
            Some((inner, width)) if width == range.width() => inner,
            Some((_, width)) if width < range.width() => field,
            _ if at + range.width() == 32 => field,
            _ => return None,
        };
        Some(Insertion::Field { a, b, range })
    })
}

/// Bits of SSAT for numbers from `low` to `high`.
pub(super) fn signed_range(low: i64, high: i64) -> Option<SignedSat> {
    let n = (high + 1).trailing_zeros();
    (high >= 0 && high + 1 == 1 << n && low == -high - 1).then(|| SignedSat::new(n + 1))?
}

/// Bits of USAT for numbers from `low` to `high`.
pub(super) fn unsigned_range(low: i64, high: i64) -> Option<UnsignedSat> {
    let n = (high + 1).trailing_zeros();
    (high >= 0 && high + 1 == 1 << n && low == 0).then(|| UnsignedSat::new(n))?
}

/// The field that shifts by `a` to the left and by `b` to the right leave.
pub(super) fn field_of_shifts(a: u64, b: u64) -> Option<ExtractRange> {
    let (a, b) = ((a % 32) as u32, (b % 32) as u32);
    if a == 0 { None } else { ExtractRange::new(b.checked_sub(a)?, 32 - b) }
}

/// `width` bits from bit `at` on, modulo 32.
pub(super) fn field_at(at: u64, width: u32) -> Option<ExtractRange> {
    ExtractRange::new((at % 32) as u32, width)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn constants_in_two_parts() {
        for k in [0x101, 0x12300, 0xf00f, 0x8000_0fe1, 1217, 50433] {
            let (a, b) = split_imm(k).unwrap_or_else(|| panic!("{k:#x}"));
            assert_eq!((a.value() ^ b.value(), a.value() & b.value()), (k, 0), "{k:#x}");
        }
        for k in [0, 1, 0xff00, 0xf000_000f, u32::MAX, 0x0101_0100, 0x1234_5678] {
            assert_eq!(split_imm(k), None, "{k:#x}");
        }
    }

    #[test]
    fn runs_and_ranges() {
        assert_eq!(run_of_zeros(0xffff_0fff).map(|r| (r.lsb(), r.width())), Some((12, 4)));
        assert_eq!(run_of_zeros(0).map(|r| (r.lsb(), r.width())), Some((0, 32)));
        assert_eq!(run_of_zeros(0x7fff_ffff).map(|r| (r.lsb(), r.width())), Some((31, 1)));
        assert_eq!((run_of_zeros(u32::MAX), run_of_zeros(0xf0f0_ffff)), (None, None));
        assert_eq!(signed_range(-128, 127), SignedSat::new(8));
        assert_eq!(signed_range(-1, 0), SignedSat::new(1));
        assert_eq!((signed_range(-127, 127), signed_range(0, 255), signed_range(0, -1)), (None, None, None));
        assert_eq!(unsigned_range(0, 255), UnsignedSat::new(8));
        assert_eq!((unsigned_range(1, 255), unsigned_range(0, 254)), (None, None));
        assert_eq!(field_of_shifts(8, 24), ExtractRange::new(16, 8));
        assert_eq!((field_of_shifts(0, 24), field_of_shifts(24, 8)), (None, None));
        assert_eq!((field_at(36, 8), field_at(28, 8)), (ExtractRange::new(4, 8), None));
    }
}
