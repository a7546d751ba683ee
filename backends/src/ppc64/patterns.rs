//! What the rules' extractors look for: bits of values on their way through shifts, masks and extensions, and constants
//! that divide. Everything here only looks.
//!
//! **Bits on their way** ([`Bits`]): shifts, rotations, masks and extensions of one value together are that value rotated,
//! under a mask. One walk from the result to the value collects them, knowing which bits of the result are still
//! asked for: a sign extension, say, may be passed if none of the copies of the sign is among them. Then
//! [`rotation`] finds the instruction whose mask is the wanted one. Bits are numbered from the least significant here; the
//! manual's numbers appear only in operands.

use super::imm::*;
use super::lower::Lower;
use super::lower::generated::{Field, Insertion, SDivisor, UDivisor};
use crate::machinst::magic::{self, Signed, Unsigned};
use crate::settings::OptLevel;
use windlass_ir::{Inst, InstData, Opcode, Type, Value, types};

/// Through how many definitions a walk goes.
const DEPTH: u32 = 8;

/// Ones in the `n` least significant bits.
const fn ones(n: u32) -> u64 {
    if n == 0 { 0 } else { u64::MAX >> (64 - n) }
}

/// `value` shifted to the left, or to the right if `by` is negative. Bits beyond either end are lost.
const fn shifted(value: u64, by: i32) -> u64 {
    match by {
        0..=63 => value << by,
        -63..=-1 => value >> -by,
        _ => 0,
    }
}

/// The width of an integer of at most 64 bits.
fn width(cx: &Lower<'_>, v: Value) -> Option<u32> {
    let ty = cx.value_type(v);
    (ty.is_int() && ty.bits() <= 64).then(|| ty.bits())
}

/// An amount modulo the width of what it shifts, if it is a constant.
fn amount(cx: &Lower<'_>, n: Value, width: u32) -> Option<u32> {
    Some((cx.constant(n)? % u64::from(width)) as u32)
}

// ----- Which bits may be set -----

/// The bits of `v`, of at most 64, that may be ones. Those above its type are not among them.
pub(super) fn possible_ones(cx: &Lower<'_>, v: Value) -> u64 {
    width(cx, v).map_or(u64::MAX, |w| ones_of(cx, v, DEPTH) & ones(w))
}

fn ones_of(cx: &Lower<'_>, v: Value, depth: u32) -> u64 {
    let Some(w) = width(cx, v) else { return u64::MAX };
    let all = ones(w);
    if let Some(k) = cx.constant(v) {
        return k;
    }
    let Some(depth) = depth.checked_sub(1) else { return all };
    let of = |x| ones_of(cx, x, depth);
    if let Some((opcode, x, y)) = cx.binary(v) {
        return match opcode {
            Opcode::Band => of(x) & of(y),
            Opcode::Bor | Opcode::Bxor => of(x) | of(y),
            Opcode::Ishl | Opcode::Ushr => match (opcode, amount(cx, y, w)) {
                (Opcode::Ishl, Some(n)) => of(x) << n & all,
                (_, Some(n)) => of(x) >> n,
                _ => all,
            },
            _ => all,
        };
    }
    match cx.unary(v) {
        Some((Opcode::Uextend, x)) => of(x),
        Some((Opcode::Ireduce, x)) if width(cx, x).is_some() => of(x) & all,
        Some((Opcode::Popcnt | Opcode::Clz | Opcode::Ctz, _)) => ones(w.trailing_zeros() + 1) & all,
        Some(_) => all,
        None => match cx.def(v).map(|inst| cx.func.dfg.opcode(inst)) {
            Some(Opcode::Icmp | Opcode::Fcmp) => 1,
            Some(Opcode::Uload8) => 0xff,
            Some(Opcode::Uload16) => 0xffff,
            Some(Opcode::Uload32) => 0xffff_ffff,
            _ => all,
        },
    }
}

/// Is an amount below the width of what it shifts, whatever its value?
pub(super) fn is_reduced(cx: &Lower<'_>, n: Value, ty: Type) -> bool {
    possible_ones(cx, n) < u64::from(ty.bits())
}

/// Does the register of `v`, a value of at most 64 bits, hold its sign above its type's width?
pub(super) fn sign_extended(cx: &Lower<'_>, v: Value) -> bool {
    let Some(w) = width(cx, v) else { return false };
    if w == 64 {
        return true;
    }
    let Some(inst) = cx.def(v) else { return false };
    match cx.func.dfg.opcode(inst) {
        // Constants are made so.
        _ if cx.constant(v).is_some() => true,
        Opcode::Sextend | Opcode::Sload8 | Opcode::Sload16 => true,
        // Arithmetic shifts of words fill the upper half too.
        Opcode::Sshr => true,
        _ => possible_ones(cx, v) >> (w - 1) == 0 && super::lower::zero_extended(cx, v),
    }
}

// ----- Rotations under a mask -----

/// Bits of a value: those in `mask` are the source's, moved; the others are zeros.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Bits {
    /// Where they come from: an integer of at most 64 bits.
    source: Value,
    /// Its width.
    from: u32,
    /// How far to the left they moved.
    by: i32,
    /// Do bits that leave the source's end come in at the other?
    round: bool,
    /// Where they are.
    mask: u64,
}

impl Bits {
    /// A value itself.
    fn whole(cx: &Lower<'_>, v: Value) -> Option<Bits> {
        let w = width(cx, v)?;
        Some(Bits { source: v, from: w, by: 0, round: false, mask: ones(w) })
    }

    /// All of them from the low 32 bits of the source's register?
    fn in_word(&self) -> bool {
        if self.round { self.from == 32 } else { shifted(self.mask, -self.by) >> 32 == 0 }
    }
}

/// What of `v` is wanted, `wanted` in its own numbering, is of which value's bits?
fn bits_of(cx: &Lower<'_>, v: Value, wanted: u64) -> Option<Bits> {
    let mut at = Bits::whole(cx, v)?;
    at.mask &= wanted;
    for _ in 0..DEPTH {
        match inward(cx, at) {
            Some(next) => at = next,
            None => break,
        }
    }
    Some(at)
}

/// The same bits as those of an operand of what defines their source.
fn inward(cx: &Lower<'_>, at: Bits) -> Option<Bits> {
    let v = at.source;
    // The wanted bits by their numbers in `v`.
    let wanted = shifted(at.mask, -at.by);
    let to = |x: Value, moved: i32, kept: u64| {
        let from = width(cx, x)?;
        let by = at.by + moved;
        // Kept, and from within the operand.
        let mask = shifted(wanted & kept & shifted(ones(from), moved), at.by);
        Some(Bits { source: x, from, by, round: false, mask })
    };
    if let Some((opcode, x, y)) = cx.binary(v) {
        if opcode == Opcode::Band {
            return match (cx.constant(x), cx.constant(y)) {
                (_, Some(k)) => to(x, 0, k),
                (Some(k), None) => to(y, 0, k),
                _ => None,
            };
        }
        let n = amount(cx, y, at.from)? as i32;
        let w = at.from as i32;
        return match opcode {
            Opcode::Ishl => to(x, n, u64::MAX),
            Opcode::Ushr => to(x, -n, u64::MAX),
            // No copy of the sign is wanted.
            Opcode::Sshr if wanted & !ones((w - n) as u32) == 0 => to(x, -n, u64::MAX),
            Opcode::Rotl | Opcode::Rotr => {
                let n = if opcode == Opcode::Rotl { n } else { (w - n) % w };
                if wanted & ones(n as u32) == 0 {
                    to(x, n, u64::MAX)
                } else if wanted & !ones(n as u32) == 0 {
                    to(x, n - w, u64::MAX)
                } else {
                    None
                }
            }
            _ => None,
        };
    }
    match cx.unary(v)? {
        (Opcode::Uextend, x) => to(x, 0, u64::MAX),
        (Opcode::Ireduce, x) => to(x, 0, u64::MAX),
        (Opcode::Sextend, x) if wanted & !ones(width(cx, x)?) == 0 => to(x, 0, u64::MAX),
        _ => None,
    }
}

/// The run of ones that `mask` is: its lowest and its highest bit; the former above the latter if it goes round the end.
fn run_of_ones(mask: u64) -> Option<(u32, u32)> {
    if mask == 0 {
        return None;
    }
    let round = mask & 1 != 0 && mask >> 63 != 0 && mask != u64::MAX;
    let inner = if round { !mask } else { mask };
    let (low, high) = (inner.trailing_zeros(), 63 - inner.leading_zeros());
    if inner.count_ones() != high + 1 - low {
        return None;
    }
    Some(if round { (high + 1, low - 1) } else { (low, high) })
}

/// The rotation that brings bits to their place, of a value of `w` bits above which nothing is known.
fn rotation(bits: &Bits, w: u32) -> Option<Field> {
    let Bits { source: x, by, mask, .. } = *bits;
    if mask == 0 {
        return Some(Field::Zero);
    }
    let word = bits.in_word() && mask >> 32 == 0;
    let sh5 = Uimm5::from_low(by as u32);
    if word && (w < 64 || bits.round) {
        // A run round the end fills the upper half of the register too.
        if let Some(m) = WordMask::new(mask as u32).filter(|m| m.mb <= m.me || w == 32) {
            return Some(Field::Word { x, sh: sh5, mb: m.mb, me: m.me });
        }
    }
    if bits.round && bits.from < 64 {
        return None;
    }
    let n = by.rem_euclid(64) as u32;
    let (low, high) = run_of_ones(mask)?;
    let sh = Uimm6::from_low(n);
    if low > high {
        // Zeros from high + 1 to low - 1: rotated to the upper end, cleared, and rotated back.
        let up = Uimm6::from_low(n + 64 - low);
        let mb = Uimm6::from_low(low - high - 1);
        return Some(Field::Twice { x, sh: up, mb, sh2: Uimm6::from_low(low), me2: Uimm6::from_low(63) });
    }
    let (mb, me) = (Uimm6::from_low(63 - high), Uimm6::from_low(63 - low));
    if low == 0 {
        return Some(Field::Left { x, sh, mb });
    }
    if high == 63 {
        return Some(Field::Right { x, sh, me });
    }
    if low == n {
        return Some(Field::Middle { x, sh, mb });
    }
    if word && let Some(m) = WordMask::new(mask as u32) {
        return Some(Field::Word { x, sh: sh5, mb: m.mb, me: m.me });
    }
    // Down to the lowest bit, then up.
    let (down, mb) = (Uimm6::from_low(n + 64 - low), Uimm6::from_low(63 - (high - low)));
    Some(Field::Twice { x, sh: down, mb, sh2: Uimm6::from_low(low), me2: me })
}

/// An instruction that rotates a value under a mask, with what it is made of.
pub(super) fn field(cx: &Lower<'_>, inst: Inst) -> Option<Field> {
    let data = cx.func.dfg.insts[inst];
    let opcode = data.opcode();
    let is_rotation = match opcode {
        Opcode::Band | Opcode::Ishl | Opcode::Ushr | Opcode::Uextend | Opcode::Rotl | Opcode::Rotr => false,
        Opcode::Bor | Opcode::Bxor => true,
        _ => return None,
    };
    let v = cx.func.dfg.first_result(inst)?;
    let w = width(cx, v)?;
    if is_rotation {
        let InstData::Binary { args: [x, y], .. } = data else { return None };
        return rotation(&both_ends(cx, x, y, w)?, w);
    }
    if let Some((Opcode::Rotl | Opcode::Rotr, x, n)) = cx.binary(v) {
        let n = amount(cx, n, w)?;
        let by = if opcode == Opcode::Rotl { n } else { w - n } as i32;
        let at = Bits { source: x, from: w, by, round: true, mask: ones(w) };
        return if w < 32 { None } else { rotation(&at, w) };
    }
    if let Some((Opcode::Uextend, x)) = cx.unary(v)
        && super::lower::zero_extended(cx, x)
    {
        // Nothing to do.
        return None;
    }
    let mut at = bits_of(cx, v, u64::MAX)?;
    if at.source == v {
        return None;
    }
    // A mask of all that a rotation leaves.
    if let Some((Opcode::Rotl | Opcode::Rotr, x, n)) = cx.binary(at.source)
        && at.by == 0
        && matches!(at.from, 32 | 64)
        && let Some(n) = amount(cx, n, at.from)
    {
        let left = matches!(cx.binary(at.source), Some((Opcode::Rotl, ..)));
        at = Bits { source: x, by: if left { n } else { at.from - n } as i32, round: true, ..at };
    }
    rotation(&at, w)
}

/// Two operands of `bor` that are one value's bits, shifted to the left and to the right by the width between them.
fn both_ends(cx: &Lower<'_>, x: Value, y: Value, w: u32) -> Option<Bits> {
    if !matches!(w, 32 | 64) {
        return None;
    }
    let (p, q) = (bits_of(cx, x, u64::MAX)?, bits_of(cx, y, u64::MAX)?);
    let (up, down) = if p.by > q.by { (p, q) } else { (q, p) };
    let same = cx.func.dfg.resolve_aliases(up.source) == cx.func.dfg.resolve_aliases(down.source);
    if !same || up.from != w || up.by - down.by != w as i32 || up.mask & down.mask != 0 {
        return None;
    }
    Some(Bits { round: true, mask: up.mask | down.mask, ..up })
}

/// An instruction that inserts bits of one value between those of another.
pub(super) fn insertion(cx: &Lower<'_>, inst: Inst) -> Option<Insertion> {
    let data = cx.func.dfg.insts[inst];
    let w = width(cx, cx.func.dfg.first_result(inst)?)?;
    match data {
        InstData::Binary { opcode: Opcode::Bor | Opcode::Bxor, args: [x, y] } => {
            let both = [(x, y), (y, x)];
            let found = |bare| both.into_iter().find_map(|(base, part)| insert_part(cx, base, part, w, bare));
            found(true).or_else(|| found(false))
        }
        InstData::Ternary { opcode: Opcode::Bitselect, args: [c, x, y] } => {
            let c = cx.constant(c)?;
            [(y, x, c), (x, y, !c & ones(w))].into_iter().find_map(|(base, part, m)| {
                let bits = bits_of(cx, part, m)?;
                // Zeros that the walk found are to be inserted as well.
                let bits = if bits.mask == m { bits } else { Bits { mask: m, ..Bits::whole(cx, part)? } };
                insert(base, &bits, w)
            })
        }
        _ => None,
    }
}

/// `base | part`, if `part` can be inserted into `base`, or with `bare` into what `base` is with fewer bits cleared.
fn insert_part(cx: &Lower<'_>, base: Value, part: Value, w: u32, bare: bool) -> Option<Insertion> {
    let bits = bits_of(cx, part, u64::MAX)?;
    let (base_ones, part_ones) = (possible_ones(cx, base), possible_ones(cx, part));
    [bits.mask, bits.mask & part_ones].into_iter().find_map(|mask| {
        let bits = Bits { mask, ..bits };
        if bits.mask & base_ones != 0 {
            return None;
        }
        if !bare {
            // Otherwise an `or` does as well.
            return if bits.source == part { None } else { insert(base, &bits, w) };
        }
        let kept = bits_of(cx, base, u64::MAX)?;
        let needed = possible_ones(cx, kept.source) & ones(w);
        let all = kept.by == 0 && kept.source != base && (kept.mask | bits.mask) & needed == needed;
        // Above the source's width nothing is known of its register.
        let known = kept.from >= w || ones(w) & !ones(kept.from) & !bits.mask == 0;
        if all && known { insert(kept.source, &bits, w) } else { None }
    })
}

/// The insertion of bits into `a`, of values of `w` bits.
fn insert(a: Value, bits: &Bits, w: u32) -> Option<Insertion> {
    let Bits { source: b, by, mask, .. } = *bits;
    if bits.in_word()
        && mask >> 32 == 0
        && let Some(m) = WordMask::new(mask as u32).filter(|m| m.mb <= m.me || w == 32)
    {
        return Some(Insertion::Word { a, b, sh: Uimm5::from_low(by as u32), mb: m.mb, me: m.me });
    }
    let n = by.rem_euclid(64) as u32;
    let (low, high) = run_of_ones(mask)?;
    (low == n).then(|| Insertion::Doubleword { a, b, sh: Uimm6::from_low(n), mb: Uimm6::from_low(63 - high) })
}

// ----- Division -----

/// Does code that is longer than a division, and faster, pay?
pub(super) fn multiplication_pays(cx: &Lower<'_>) -> bool {
    cx.machine.settings.opt_level != OptLevel::Size
}

/// A multiplier as a register is to hold it: of words with its sign above, which nobody looks at.
fn word(ty: Type, multiplier: u64) -> u64 {
    if ty == types::I64 { multiplier } else { multiplier as i32 as u64 }
}

/// How to divide unsigned numbers by a constant that is no power of two. Bytes need a multiplier of 16 bits only, halfwords one
/// of 32: no more than rounding the reciprocal up costs is lost of theirs.
pub(super) fn udivisor(cx: &Lower<'_>, v: Value) -> Option<UDivisor> {
    let k = cx.constant(v).filter(|&k| k != 0)?;
    let ty = cx.value_type(v);
    let how = magic::unsigned(if ty == types::I64 { 64 } else { 32 }, k)?;
    Some(match (how, ty) {
        (Unsigned::Shift(_), _) => return None,
        (_, types::I8) => UDivisor::Byte { m: Simm16::new((0xffff / k + 1) as i64)? },
        (_, types::I16) => UDivisor::Mul { pre: 0, m: word(ty, 0xffff_ffff / k + 1), post: 0 },
        (Unsigned::Multiply { pre, multiplier, post }, _) => {
            UDivisor::Mul { pre, m: word(ty, multiplier), post }
        }
        (Unsigned::MultiplyAdd { multiplier, post }, _) => UDivisor::MulAdd { m: word(ty, multiplier), post },
    })
}

/// How to divide signed numbers by a constant whose magnitude is no power of two.
pub(super) fn sdivisor(cx: &Lower<'_>, v: Value) -> Option<SDivisor> {
    let k = cx.signed_constant(v)?;
    let (neg, magnitude) = (u32::from(k < 0), k.unsigned_abs());
    let ty = cx.value_type(v);
    let bits = if ty == types::I64 { 64 } else { 32 };
    Some(match (magic::signed(bits, magnitude)?, ty) {
        (Signed::Shift(_), _) => return None,
        (_, types::I8) => SDivisor::Byte { neg, m: Simm16::new((0xffff / magnitude + 1) as i64)? },
        (Signed::Multiply { multiplier, post }, _) => SDivisor::Mul { neg, m: word(ty, multiplier), post },
        (Signed::MultiplyAdd { multiplier, post }, _) => {
            SDivisor::MulAdd { neg, m: word(ty, multiplier), post }
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn runs_of_ones_are_found() {
        assert_eq!(run_of_ones(0xff00), Some((8, 15)));
        assert_eq!(run_of_ones(u64::MAX), Some((0, 63)));
        assert_eq!(run_of_ones(0xf000_0000_0000_000f), Some((60, 3)));
        assert_eq!(
            (run_of_ones(0), run_of_ones(5), run_of_ones(0x8000_0000_0000_0003 | 16)),
            (None, None, None)
        );
    }

    /// What the instructions of a field do to a register.
    fn apply(field: &Field, r: u64) -> u64 {
        let mask = |mb: Uimm6, me: u32| u64::MAX >> mb.value() & u64::MAX << (63 - me);
        match *field {
            Field::Zero => 0,
            Field::Word { sh, mb, me, .. } => {
                let word = u64::from((r as u32).rotate_left(sh.value()));
                let (mb, me) = (32 + mb.value(), 32 + me.value());
                let (from, to) = (u64::MAX >> mb, u64::MAX << (63 - me));
                (word << 32 | word) & if mb <= me { from & to } else { from | to }
            }
            Field::Left { sh, mb, .. } => r.rotate_left(sh.value()) & mask(mb, 63),
            Field::Right { sh, me, .. } => r.rotate_left(sh.value()) & mask(Uimm6::ZERO, me.value()),
            Field::Middle { sh, mb, .. } => r.rotate_left(sh.value()) & mask(mb, 63 - sh.value()),
            Field::Twice { sh, mb, sh2, me2, .. } => {
                let down = r.rotate_left(sh.value()) & mask(mb, 63);
                down.rotate_left(sh2.value()) & mask(Uimm6::ZERO, me2.value())
            }
        }
    }

    /// Every shift and rotation of every width under every run of ones does what the definition says.
    #[test]
    fn rotations_do_what_they_stand_for() {
        let r = 0x9e37_79b9_7f4a_7c15_u64;
        let source = Value::from_u32(0);
        for w in [8, 16, 32, 64] {
            for by in -63..64 {
                for low in 0..w {
                    for high in low..w {
                        let run = ones(high - low + 1) << low;
                        // Within the source.
                        let mask = run & shifted(u64::MAX, by);
                        let linear = Bits { source, from: 64, by, round: false, mask };
                        let field = rotation(&linear, w).unwrap();
                        assert_eq!(apply(&field, r) & ones(w), shifted(r, by) & mask, "{linear:?}");
                        if by < 0 || by as u32 >= w || w < 32 {
                            continue;
                        }
                        let all = ones(w);
                        let turned = if w == 32 {
                            (r as u32).rotate_left(by as u32).into()
                        } else {
                            r.rotate_left(by as u32)
                        };
                        for mask in [run, !run & all, all] {
                            let round = Bits { source, from: w, by, round: true, mask };
                            if let Some(field) = rotation(&round, w) {
                                assert_eq!(apply(&field, r) & all, turned & mask, "{round:?}");
                            }
                        }
                    }
                }
            }
        }
    }
}
