//! From the numbers of the text to dense indices.

use crate::text::lexer::{Kind, Token};
use alloc::vec::Vec;

/// Numbers that one function may leave unused beyond what its length allows.
const SLACK: usize = 4096;
/// Numbers that all functions of a text together may leave unused so.
pub(super) const TOTAL_SLACK: usize = 1 << 20;
/// Indices above this do not fit a block argument.
const LARGEST: usize = crate::instdata::MAX_BLOCK_ARG_INDEX as usize;

/// May entities of a function of `tokens` tokens have numbers below `count`? If so, what goes beyond the function's
/// length is taken from `slack`.
pub(super) fn keep(count: usize, tokens: usize, slack: &mut usize) -> bool {
    let by_length = tokens.saturating_mul(4);
    let beyond = count.saturating_sub(by_length);
    let kept = count <= LARGEST && beyond <= SLACK.min(*slack);
    if kept {
        *slack -= beyond;
    }
    kept
}

/// The numbers of one kind of entity, each given its index.
pub(super) enum Numbering {
    /// Index is number; this many.
    Same(u32),
    /// Index is place in this list, which is sorted.
    Dense(Vec<u32>),
}

impl Numbering {
    /// For all entities of kind `kind` among `tokens`. Takes unused numbers from `slack`.
    pub(super) fn new(tokens: &[Token], kind: Kind, slack: &mut usize) -> Numbering {
        let numbers = || tokens.iter().filter(|t| t.kind == kind).map(|t| t.num);
        let count = numbers().max().map_or(0, |max| max as usize + 1);
        if keep(count, tokens.len(), slack) {
            return Numbering::Same(count as u32);
        }
        let mut sorted: Vec<u32> = numbers().collect();
        sorted.sort_unstable();
        sorted.dedup();
        Numbering::Dense(sorted)
    }

    /// How many indices there are.
    pub(super) fn len(&self) -> usize {
        match self {
            Numbering::Same(count) => *count as usize,
            Numbering::Dense(sorted) => sorted.len(),
        }
    }

    /// The index of a number that stands in the text.
    pub(super) fn index(&self, number: u32) -> u32 {
        match self {
            Numbering::Same(_) => number,
            // Every number of the text is in the list.
            Numbering::Dense(sorted) => sorted.partition_point(|&n| n < number) as u32,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::text::lexer::tokenize;

    #[test]
    fn sparse_numbers_become_dense_and_keep_their_order() {
        let tokens = tokenize("v7 v4000000000 v9 v1000000 v7", 0).tokens;
        let mut slack = TOTAL_SLACK;
        let numbering = Numbering::new(&tokens, Kind::Value, &mut slack);
        assert_eq!(numbering.len(), 4);
        assert_eq!([7, 9, 1_000_000, 4_000_000_000].map(|n| numbering.index(n)), [0, 1, 2, 3]);
        assert_eq!(slack, TOTAL_SLACK);
    }

    #[test]
    fn ordinary_numbers_stay() {
        let tokens = tokenize("v7 v900 v8", 0).tokens;
        let mut slack = TOTAL_SLACK;
        let numbering = Numbering::new(&tokens, Kind::Value, &mut slack);
        assert_eq!((numbering.len(), numbering.index(900)), (901, 900));
        assert!(slack < TOTAL_SLACK);
        // Once the slack is gone, gaps close.
        let mut none = 0;
        assert_eq!(Numbering::new(&tokens, Kind::Value, &mut none).len(), 3);
    }
}
