//! Random numbers that are the same on every host: SplitMix64 (Steele, Lea and Flood 2014).

/// A generator; equal seeds give equal sequences.
#[derive(Clone, Debug)]
pub struct Random(u64);

impl Random {
    /// A generator for a seed.
    pub const fn new(seed: u64) -> Random {
        Random(seed)
    }

    /// A generator for part `index` of a run with a seed: independent of the other parts.
    pub fn part(seed: u64, index: u64) -> Random {
        let mut random = Random(seed ^ index.wrapping_mul(0xd1b5_4a32_d192_ed03));
        Random(random.bits())
    }

    /// 64 random bits.
    pub fn bits(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ z >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ z >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ z >> 31
    }

    /// A number below `n`; 0 if `n` is 0.
    pub fn below(&mut self, n: usize) -> usize {
        // The upper half of the product: no division, and next to no bias for small n.
        ((u128::from(self.bits()) * n as u128) >> 64) as usize
    }

    /// A number from `low` to `high`, both included.
    pub fn between(&mut self, low: usize, high: usize) -> usize {
        low + self.below(high.saturating_sub(low) + 1)
    }

    /// True in `percent` of 100 cases.
    pub fn chance(&mut self, percent: usize) -> bool {
        self.below(100) < percent
    }

    /// One of `items`; `None` if there are none.
    pub fn pick<'a, T>(&mut self, items: &'a [T]) -> Option<&'a T> {
        items.get(self.below(items.len()))
    }

    /// Puts `items` in a random order.
    pub fn shuffle<T>(&mut self, items: &mut [T]) {
        for i in (1..items.len()).rev() {
            items.swap(i, self.below(i + 1));
        }
    }

    /// Bits of an integer `width` bits wide, of the kinds that go wrong: boundary values, single bits, runs of ones,
    /// immediates of machine instructions and their neighbours, divisors; sometimes anything.
    pub fn number(&mut self, width: u32) -> u128 {
        let k = self.below(width as usize) as u32;
        let bit = 1u128 << k;
        let low = u128::from(self.bits());
        let bits = match self.below(18) {
            0 | 1 => low & 15,
            2 => (low & 15).wrapping_neg(),
            3 => bit,
            4 => bit - 1,
            5 => !bit,
            6 => bit.wrapping_neg(),
            // An 8-bit immediate of ARM, rotated.
            7 => u128::from((low as u32 & 0xff).rotate_right(2 * (k & 15))),
            8 => {
                const PATTERNS: [u64; 8] = [
                    0x5555_5555_5555_5555,
                    0xaaaa_aaaa_aaaa_aaaa,
                    0x00ff_00ff_00ff_00ff,
                    0x0f0f_0f0f_f0f0_f0f0,
                    0x8000_0000_8000_0000,
                    0x7fff_ffff_7fff_ffff,
                    0xffff_ffff_0000_0000,
                    0x0000_0001_0000_0000,
                ];
                let half = u128::from(PATTERNS[self.below(PATTERNS.len())]);
                half << 64 | half
            }
            9 => low & 0xffff,
            10 => 1 << (width - 1),
            // Words that are special each by itself: carries and borrows between them.
            11 | 12 => {
                const WORDS: [u32; 8] =
                    [0, 0, 1, 0x7fff_ffff, 0x8000_0000, 0x8000_0001, u32::MAX, u32::MAX - 1];
                (0..4).fold(0, |bits, _| bits << 32 | u128::from(WORDS[self.below(WORDS.len())]))
            }
            13 => self.run_of_ones(width),
            14 => self.run_of_ones(32) | if self.chance(30) { u128::MAX << 32 } else { 0 },
            15 => self.edge(),
            16 => self.divisor(),
            _ => low << 64 | u128::from(self.bits()),
        };
        bits & (u128::MAX >> (128 - width))
    }

    /// Ones next to each other in a number `width` bits wide, sometimes from its top round to its bottom.
    pub fn run_of_ones(&mut self, width: u32) -> u128 {
        let all = u128::MAX >> (128 - width);
        let ones = all >> self.below(width as usize);
        let by = self.below(width as usize) as u32;
        (ones << by | ones >> ((width - by) % width)) & all
    }

    /// A number near the last that fits the signed or unsigned immediates of machine instructions.
    fn edge(&mut self) -> u128 {
        const WIDTHS: [u32; 14] = [5, 7, 8, 11, 12, 13, 15, 16, 17, 31, 32, 33, 34, 63];
        let edge = 1u128 << WIDTHS[self.below(WIDTHS.len())];
        // A page of 64 KiB more or less: what the upper of two instructions has.
        let upper = if self.chance(25) { (self.below(5) as u128) << 16 } else { 0 };
        let near = (edge + upper).wrapping_add(self.below(5) as u128).wrapping_sub(2);
        if self.chance(50) { near } else { near.wrapping_neg() }
    }

    /// A divisor: a small number, often odd, times a power of two.
    fn divisor(&mut self) -> u128 {
        const ODD: [u128; 12] = [1, 3, 5, 7, 9, 11, 13, 25, 125, 641, 1_000_000_007, 0x1_0000_0001];
        let odd = ODD[self.below(ODD.len())];
        let even = odd << if self.chance(50) { 0 } else { self.below(40) };
        if self.chance(75) { even } else { even.wrapping_neg() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sequences_are_those_of_the_published_generator() {
        let mut random = Random::new(1_234_567);
        let expected = [6_457_827_717_110_365_317, 3_203_168_211_198_807_973, 9_817_491_932_198_370_423];
        assert_eq!(expected.map(|_| random.bits()), expected);
    }

    #[test]
    fn runs_of_ones_are_one_run_of_a_circle() {
        let mut random = Random::new(3);
        for width in [8, 16, 32, 64, 128] {
            let all = u128::MAX >> (128 - width);
            for _ in 0..1000 {
                let ones = random.run_of_ones(width);
                // Where the bit above differs: at both ends of the run, or nowhere.
                let next = (ones >> 1 | ones << (width - 1)) & all;
                assert!(ones != 0 && ones <= all && (ones ^ next).count_ones() <= 2, "{ones:#x} of {width}");
            }
        }
    }

    #[test]
    fn numbers_keep_their_bounds() {
        let mut random = Random::new(1);
        assert_eq!(random.below(0), 0);
        assert_eq!(random.pick::<u8>(&[]), None);
        let mut seen = [false; 5];
        for _ in 0..1000 {
            seen[random.below(5)] = true;
            assert!((3..=7).contains(&random.between(3, 7)));
            for width in [8, 16, 32, 64] {
                assert!(random.number(width) < 1 << width);
            }
        }
        assert_eq!(seen, [true; 5]);
    }
}
