//! Operands of floating-point operations: corner cases, and random numbers that meet the hard cases often.

use crate::harness::Random;

/// A binary format of IEEE 754: bits in all, and in the fraction.
#[derive(Clone, Copy)]
pub struct Format {
    pub bits: u32,
    pub fraction: u32,
}

pub const F32: Format = Format { bits: 32, fraction: 23 };
pub const F64: Format = Format { bits: 64, fraction: 52 };

impl Format {
    pub fn sign(self) -> u64 {
        1 << (self.bits - 1)
    }

    fn top(self) -> u64 {
        (1 << (self.bits - 1 - self.fraction)) - 1
    }

    fn bias(self) -> u64 {
        self.top() / 2
    }

    pub fn infinity(self) -> u64 {
        self.top() << self.fraction
    }

    pub fn quiet_bit(self) -> u64 {
        1 << (self.fraction - 1)
    }

    pub fn is_nan(self, bits: u64) -> bool {
        bits & !self.sign() > self.infinity()
    }

    /// Any quiet NaN.
    pub fn is_quiet_nan(self, bits: u64) -> bool {
        self.is_nan(bits) && bits & self.quiet_bit() != 0
    }

    fn fraction_mask(self) -> u64 {
        (1 << self.fraction) - 1
    }

    /// Numbers of both signs about zero, one, the ends of the exponents, the ends of integer types, and where
    /// products and square roots come to the ends; infinities, NaNs.
    pub fn corners(self) -> Vec<u64> {
        let (bias, mask, quiet) = (self.bias(), self.fraction_mask(), self.quiet_bit());
        let float = |exponent: u64, fraction: u64| exponent << self.fraction | fraction;
        let mut list = vec![
            0,
            1,
            2,
            3,
            quiet,
            quiet + 1,
            mask - 1,
            mask,
            float(1, 0),
            float(1, 1),
            float(1, mask),
            float(2, 0),
            float(bias / 2, 0),
            float(bias / 2, mask),
            float(bias / 2 + 1, 1),
            float(bias - u64::from(self.fraction) - 2, 0),
            float(bias - u64::from(self.fraction) - 1, 0),
            float(bias - u64::from(self.fraction) - 1, 1),
            float(bias - u64::from(self.fraction), mask),
            float(bias - 2, mask),
            float(bias - 1, 0),
            float(bias - 1, 1),
            float(bias - 1, mask),
            float(bias, 0),
            float(bias, 1),
            float(bias, 2),
            float(bias, quiet),
            float(bias, mask / 3),
            float(bias, mask - 1),
            float(bias, mask),
            float(bias + 1, 0),
            float(bias + 1, quiet >> 1),
            float(bias + 1, quiet),
            float(bias + 2, quiet >> 1),
            float(bias + u64::from(self.fraction) - 1, 1),
            float(bias + u64::from(self.fraction) - 1, mask),
            float(bias + u64::from(self.fraction), mask),
            float(bias + u64::from(self.fraction) + 1, 1),
            float(bias + bias / 2, mask),
            float(bias + bias / 2 + 1, 0),
            float(2 * bias - 1, mask),
            float(2 * bias, 0),
            float(2 * bias, mask - 1),
            float(2 * bias, mask),
            self.infinity(),
            self.infinity() | 1,
            self.infinity() | quiet,
            self.infinity() | mask,
        ];
        for bit in [30, 31, 32, 62, 63, 64] {
            list.extend([float(bias + bit - 1, mask), float(bias + bit, 0), float(bias + bit, 1)]);
        }
        let negative: Vec<u64> = list.iter().map(|bits| bits | self.sign()).collect();
        list.extend(negative);
        list
    }

    /// One number in so many of the corner cases, for operations of three operands.
    pub fn few_corners(self) -> Vec<u64> {
        let corners = self.corners();
        corners.iter().copied().step_by(3).collect()
    }

    /// Bits of all kinds, a fraction of few bits, or an exponent close to the others.
    pub fn random(self, random: &mut Random, others: &[u64]) -> u64 {
        let bits = random.next() >> (64 - self.bits);
        let choice = random.next();
        let mut result = bits;
        if choice & 1 != 0 {
            let mut fraction = bits & self.fraction_mask();
            // A run of ones or zeros at the end.
            let run = (choice >> 8) % u64::from(self.fraction);
            fraction = if choice & 16 != 0 { fraction >> run << run } else { fraction | ((1 << run) - 1) };
            result = result & !self.fraction_mask() | fraction;
        }
        if choice & 6 == 2
            && let Some(other) = others.first()
        {
            let near = (other >> self.fraction & self.top()) + (choice >> 20) % 7;
            let exponent = near.saturating_sub(3).min(self.top());
            result = result & (self.sign() | self.fraction_mask()) | exponent << self.fraction;
        }
        if choice & 6 == 4 {
            // The exponents in the middle, so that products and quotients stay in range.
            let exponent = self.bias() - 64 + (choice >> 30) % 128;
            let exponent = if self.bits == 32 { exponent.clamp(1, 254) } else { exponent };
            result = result & (self.sign() | self.fraction_mask()) | exponent << self.fraction;
        }
        result
    }
}
