//! Constants in general-purpose registers: the shortest sequence of instructions that makes a number.
//!
//! **In:** a number, and whether there are instructions with a prefix. **Out:** [`Steps`], which work on one register and
//! read no other. A sequence begins with an immediate of 16 bits (34 with a prefix), may rotate it under a mask or
//! insert it into itself, and may set halves of its low word. The fewest bytes win, then the fewest instructions.
//!
//! Each candidate is looked for in one go: for a rotation with a mask, the number rotated back must be an immediate
//! whatever stood in the bits that the mask clears. Setting halves comes last, so it is tried by leaving the half out.
//! Cost: a few hundred operations on words for each length up to four; the fifth always succeeds.

use super::imm::{Simm16, Simm34, Uimm6, Uimm16};
use super::minst::Inst;
use crate::machinst::WritableReg;
use smallvec::SmallVec;

/// One instruction of a sequence; all but those that load an immediate read the register that they write.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Step {
    /// `li`: the immediate with its sign.
    Li(Simm16),
    /// `lis`: the immediate with its sign, times 2^16.
    Lis(Simm16),
    /// `pli`, of 8 bytes.
    Pli(Simm34),
    /// `ori`
    Ori(Uimm16),
    /// `oris`: the immediate times 2^16.
    Oris(Uimm16),
    /// `rldicl`: rotation to the left, bits above `mb` cleared.
    Left(Uimm6, Uimm6),
    /// `rldicr`: rotation, bits below `me` cleared.
    Right(Uimm6, Uimm6),
    /// `rldic`: rotation, bits above `mb` and those that came round cleared.
    Middle(Uimm6, Uimm6),
    /// `rldimi`: the register rotated, between `mb` and the bits that came round, inserted into itself.
    Insert(Uimm6, Uimm6),
}

impl Step {
    /// The instruction, on register `rd`.
    pub fn inst(self, rd: WritableReg) -> Inst {
        let rs = rd.to_reg();
        match self {
            Step::Li(si) => Inst::Li { rt: rd, si },
            Step::Lis(si) => Inst::Lis { rt: rd, si },
            Step::Pli(si) => Inst::Pli { rt: rd, si },
            Step::Ori(ui) => Inst::Ori { ra: rd, rs, ui },
            Step::Oris(ui) => Inst::Oris { ra: rd, rs, ui },
            Step::Left(sh, mb) => Inst::Rldicl { ra: rd, rs, sh, mb },
            Step::Right(sh, me) => Inst::Rldicr { ra: rd, rs, sh, me },
            Step::Middle(sh, mb) => Inst::Rldic { ra: rd, rs, sh, mb },
            Step::Insert(sh, mb) => Inst::Rldimi { ra: rd, ra_in: rs, rs, sh, mb },
        }
    }
}

/// A sequence: at most five instructions.
pub type Steps = SmallVec<[Step; 5]>;

/// The shortest sequence that makes `value`.
pub fn steps(value: u64, prefixed: bool) -> Steps {
    let search = Search { prefixed };
    (1..=4).find_map(|most| search.within(value, most)).unwrap_or_else(|| fallback(value))
}

/// ```text
///     lis rd, … ; ori rd, rd, … ; sldi rd, rd, 32 ; oris rd, rd, … ; ori rd, rd, …
/// ```
fn fallback(value: u64) -> Steps {
    let mut all = two_halves(value as i64 >> 32);
    all.push(Step::Right(Uimm6::from_low(32), Uimm6::from_low(31)));
    push_halves(&mut all, value as u32);
    all
}

/// A number of 32 bits with its sign, of which the rest is not looked at.
fn two_halves(value: i64) -> Steps {
    let mut all = Steps::new();
    match (Simm16::new(value), Simm16::new(i64::from(value as i32) >> 16)) {
        (Some(si), _) => all.push(Step::Li(si)),
        (None, Some(si)) => {
            all.push(Step::Lis(si));
            push_halves(&mut all, value as u32 & 0xffff);
        }
        // A number of 32 bits has an upper half of 16.
        (None, None) => {}
    }
    all
}

/// Sets the halves of `word` that are not 0.
fn push_halves(all: &mut Steps, word: u32) {
    if word >> 16 != 0 {
        all.push(Step::Oris(Uimm16::from_low(word >> 16)));
    }
    if word & 0xffff != 0 {
        all.push(Step::Ori(Uimm16::from_low(word)));
    }
}

/// Ones in the `n` most significant bits.
const fn ones_above(n: u32) -> u64 {
    if n == 0 { 0 } else { u64::MAX << (64 - n) }
}

/// Ones in the `n` least significant bits.
const fn ones_below(n: u32) -> u64 {
    if n == 0 { 0 } else { u64::MAX >> (64 - n) }
}

struct Search {
    prefixed: bool,
}

impl Search {
    /// Is a number an immediate of at most `words` words?
    fn fits(&self, value: u64, words: u32) -> bool {
        let bits = if words < 2 || value & 0xffff == 0 && !self.prefixed {
            if value & 0xffff == 0 { 32 } else { 16 }
        } else if self.prefixed {
            34
        } else {
            32
        };
        // The bits from the sign on are alike.
        (value as i64 >> (bits - 1)).wrapping_add(1) as u64 <= 1
    }

    /// The first instructions of a sequence, in at most `words` words: an immediate.
    fn immediate(&self, value: u64, words: u32) -> Option<Steps> {
        let signed = value as i64;
        let mut all = Steps::new();
        if let Some(si) = Simm16::new(signed) {
            all.push(Step::Li(si));
        } else if value & 0xffff == 0
            && let Some(si) = Simm16::new(signed >> 16)
        {
            all.push(Step::Lis(si));
        } else if words < 2 {
            return None;
        } else if self.prefixed
            && let Some(si) = Simm34::new(signed)
        {
            all.push(Step::Pli(si));
        } else if i32::try_from(signed).is_ok() {
            all = two_halves(signed);
        } else {
            return None;
        }
        Some(all)
    }

    /// A sequence of at most `words` words.
    fn within(&self, value: u64, words: u32) -> Option<Steps> {
        if let Some(all) = self.immediate(value, words) {
            return Some(all);
        }
        let words = words.checked_sub(1).filter(|&words| words > 0)?;
        if let Some(all) = self.rotated(value, words).or_else(|| self.inserted(value, words)) {
            return Some(all);
        }
        // A half of the low word set last.
        let (low, high) = (value & 0xffff, value & 0xffff_0000);
        for half in [low, high] {
            if half != 0
                && let Some(mut all) = self.within(value & !half, words)
            {
                push_halves(&mut all, half as u32);
                return Some(all);
            }
        }
        None
    }

    /// An immediate of `words` words rotated under a mask.
    fn rotated(&self, value: u64, words: u32) -> Option<Steps> {
        let (above, below) = (value.leading_zeros(), value.trailing_zeros().min(63));
        for n in 0..64 {
            let sh = Uimm6::from_low(n);
            let left = (ones_above(above), Step::Left(sh, Uimm6::from_low(above.min(63))));
            let right = (ones_below(below), Step::Right(sh, Uimm6::from_low(63 - below)));
            let middle =
                (ones_above(above) | ones_below(n), Step::Middle(sh, Uimm6::from_low(above.min(63))));
            for (cleared, step) in [left, right, middle] {
                if matches!(step, Step::Middle(..)) && n > below {
                    continue;
                }
                // What is cleared may have been ones, or zeros: whichever the sign is.
                for filled in [value | cleared, value] {
                    if self.fits(filled.rotate_right(n), words)
                        && let Some(mut all) = self.immediate(filled.rotate_right(n), words)
                    {
                        all.push(step);
                        return Some(all);
                    }
                }
            }
        }
        None
    }

    /// An immediate of `words` words inserted into itself.
    fn inserted(&self, value: u64, words: u32) -> Option<Steps> {
        let narrow = [value as i16 as i64, value as i32 as i64, (value << 30) as i64 >> 30];
        for part in narrow {
            let part = part as u64;
            let Some(all) = self.immediate(part, words) else { continue };
            for n in 1..64 {
                if (value ^ part) & ones_below(n) != 0 {
                    break;
                }
                // As far up as the rotated number agrees; from there on it must be the number itself.
                let agree = ((value ^ part.rotate_left(n)) >> n).trailing_zeros().min(64 - n);
                if agree > 0 && (value ^ part) & !ones_below(n + agree) == 0 {
                    let mut all = all;
                    all.push(Step::Insert(Uimm6::from_low(n), Uimm6::from_low(64 - n - agree)));
                    return Some(all);
                }
            }
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::machinst::encode::Immediate;

    /// What a sequence makes, by the manual's definitions of its instructions.
    fn interpret(all: &[Step]) -> u64 {
        let mask = |mb: u32, me: u32| {
            let (from, to) = (u64::MAX >> mb, u64::MAX << (63 - me));
            if mb <= me { from & to } else { from | to }
        };
        let mut r = 0xdead_beef_dead_beef_u64;
        for (i, step) in all.iter().enumerate() {
            assert_eq!(i == 0, matches!(step, Step::Li(_) | Step::Lis(_) | Step::Pli(_)), "{all:?}");
            r = match *step {
                Step::Li(si) => si.value() as u64,
                Step::Lis(si) => (si.value() << 16) as u64,
                Step::Pli(si) => si.value() as u64,
                Step::Ori(ui) => r | u64::from(ui.to_bits()),
                Step::Oris(ui) => r | u64::from(ui.to_bits()) << 16,
                Step::Left(sh, mb) => r.rotate_left(sh.to_bits()) & mask(mb.to_bits(), 63),
                Step::Right(sh, me) => r.rotate_left(sh.to_bits()) & mask(0, me.to_bits()),
                Step::Middle(sh, mb) => r.rotate_left(sh.to_bits()) & mask(mb.to_bits(), 63 - sh.to_bits()),
                Step::Insert(sh, mb) => {
                    let m = mask(mb.to_bits(), 63 - sh.to_bits());
                    r.rotate_left(sh.to_bits()) & m | r & !m
                }
            };
        }
        r
    }

    fn check(value: u64) {
        for prefixed in [false, true] {
            let all = steps(value, prefixed);
            assert_eq!(interpret(&all), value, "{value:#x}: {all:?}");
            assert!(prefixed || !all.iter().any(|s| matches!(s, Step::Pli(_))));
            assert!(all.len() <= 5);
        }
    }

    fn lengths(values: &[u64]) -> Vec<usize> {
        values.iter().map(|&v| steps(v, false).len()).collect()
    }

    #[test]
    fn every_number_is_made() {
        // All of 16 bits, with either sign, at either end.
        for k in 0..=0xffff_u64 {
            check(k);
        }
        for k in (0..=0xffff_u64).step_by(17) {
            for v in [!k, k << 16, k << 31, k << 48, k | k << 32, k * 0x1_0001_0001_0001, !(k << 20)] {
                check(v);
            }
        }
        // All runs of ones, and what is next to them.
        for low in 0..64 {
            for width in 1..=64 {
                let run = ones_below(width).rotate_left(low);
                [run, !run, run.wrapping_add(1), run.wrapping_sub(1), run ^ 0x1234]
                    .into_iter()
                    .for_each(check);
            }
        }
        // Sums of two powers.
        for a in 0..64 {
            for b in 0..64 {
                let v = (1u64 << a).wrapping_add(1 << b);
                [v, !v, v.wrapping_neg(), (1u64 << a).wrapping_sub(1 << b)].into_iter().for_each(check);
            }
        }
        // Others: a linear congruential generator, whole, and with few bits.
        let mut state = 1u64;
        for _ in 0..1000 {
            state = state.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
            let sparse = state & state.rotate_left(17) & state.rotate_left(41);
            [state, state >> 32, state >> (state & 63), sparse, !sparse].into_iter().for_each(check);
        }
    }

    #[test]
    fn sequences_are_short() {
        assert_eq!(lengths(&[0, 32767, u64::MAX, 0x8000_0000_u64.wrapping_neg(), 0x7fff_0000]), [1; 5]);
        assert_eq!(
            lengths(&[
                0x1234_5678,
                0xffff,
                0xffff_ffff,
                0x8000_0000_0000_0000,
                0x8000_0000,
                0x0123_0000_0000,
                0xffff_ffff_0000_ffff,
                0x0000_00ff_ffff_ff00,
                0x0000_0055_0000_0055,
            ]),
            [2; 9]
        );
        assert_eq!(
            lengths(&[0x5555_5555_5555_5555, 0x9234_8679, 0xcccc_cccd_cccc_cccd, 0x1234_5678_0000_0000]),
            [3; 4]
        );
        assert_eq!(lengths(&[0x1234_5678_0000_9abc, 0x1234_5678_9abc_0000]), [4; 2]);
        assert_eq!(lengths(&[0x1234_5678_9abc_def0]), [5]);
        assert_eq!(steps(0x1_2345_6789, true).len(), 1);
        assert_eq!(steps(0x1234_5678, true).len(), 1);
    }
}
