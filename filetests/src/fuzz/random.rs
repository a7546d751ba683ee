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
    /// immediates of machine instructions; sometimes anything.
    pub fn number(&mut self, width: u32) -> u128 {
        let k = self.below(width as usize) as u32;
        let bit = 1u128 << k;
        let low = u128::from(self.bits());
        let bits = match self.below(14) {
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
            _ => low << 64 | u128::from(self.bits()),
        };
        bits & (u128::MAX >> (128 - width))
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
