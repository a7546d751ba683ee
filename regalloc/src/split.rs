//! Where intervals are best split: loops by position, legal positions, and the way out of loops.
//!
//! Loops are taken from the layout: an edge that goes back to a block laid out before makes a loop of everything in
//! between. For reducible code in a usual layout these are the natural loops; elsewhere they are a hint that is good enough, since
//! every split position is correct. Following Wimmer & Mössenböck 2005 (section 3.2, "moving the split position out of
//! loops"), a split that is free to move goes to the start of the outermost loop that it can leave.

use crate::Function;
use crate::constraints::Prepared;
use crate::intervals::NONE;
use crate::operand::Block;
use alloc::vec::Vec;

/// A loop, as positions.
#[derive(Clone, Copy)]
pub(crate) struct Loop {
    pub(crate) start: u32,
    pub(crate) end: u32,
    /// The loop around it, or `NONE`.
    pub(crate) parent: u32,
}

/// The loops of a function.
#[derive(Default)]
pub(crate) struct Loops {
    pub(crate) loops: Vec<Loop>,
    /// Innermost loop of each block, or `NONE`.
    of_block: Vec<u32>,
}

impl Loops {
    pub(crate) fn run<F: Function>(&mut self, f: &F, prep: &Prepared) {
        self.loops.clear();
        self.of_block.clear();
        let mut current = NONE;
        for b in 0..f.num_blocks() as u32 {
            let start = prep.block_start(b);
            while current != NONE && self.loops[current as usize].end <= start {
                current = self.loops[current as usize].parent;
            }
            let preds = f.block_preds(Block::from_u32(b)).iter().map(|p| p.as_u32());
            let latch = preds.filter(|&p| p >= b && prep.reachable[p as usize]).max();
            if let Some(latch) = latch {
                let mut end = prep.block_end(latch);
                if current != NONE {
                    end = end.min(self.loops[current as usize].end);
                }
                self.loops.push(Loop { start, end, parent: current });
                current = self.loops.len() as u32 - 1;
            }
            self.of_block.push(current);
        }
    }

    /// The loops around a block, from the innermost out.
    pub(crate) fn around(&self, block: u32) -> impl Iterator<Item = Loop> + '_ {
        let mut at = self.of_block[block as usize];
        core::iter::from_fn(move || {
            let l = *self.loops.get(at as usize)?;
            at = l.parent;
            Some(l)
        })
    }

    /// The best position from `low` to `high` (both legal): `high`, or the start of the outermost loop that this leaves.
    pub(crate) fn best_split(&self, prep: &Prepared, low: u32, high: u32) -> u32 {
        let mut best = high;
        for l in self.around(prep.block_at(high)) {
            if l.start < low {
                break;
            }
            best = best.min(l.start);
        }
        best
    }
}

impl Prepared {
    /// The last legal split position that is not after `pos`; 0 if there is none.
    pub(crate) fn split_at_or_before(&self, pos: u32) -> u32 {
        match pos & 3 {
            0 if self.is_block_start(pos) => pos,
            0 => pos.saturating_sub(3),
            _ => (pos & !3) + 1,
        }
    }

    /// The first legal split position after `pos`.
    pub(crate) fn split_after(&self, pos: u32) -> u32 {
        let next = (pos & !3) + 4;
        match pos & 3 {
            0 => pos + 1,
            _ if self.is_block_start(next) => next,
            _ => next + 1,
        }
    }

    fn is_block_start(&self, pos: u32) -> bool {
        self.inst_block.get((pos / 4) as usize).is_none_or(|&b| self.block_start(b) == pos)
    }
}
