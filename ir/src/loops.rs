//! Loops: which blocks repeat, around which header, how deeply nested.
//!
//! **In**: a function's graph and its dominator tree. **Out**: the forest of natural loops. A loop is a
//! header and all blocks that reach an edge back to it without passing it; the header dominates them all.
//! Edges back to one header make one loop.
//!
//! **Irreducible regions**: a cycle with several entries has no block that dominates the others, hence no
//! header, and is no loop here: its blocks count for the natural loop around it.
//! [`LoopAnalysis::is_reducible`] says whether there are such cycles, for analyses that must iterate then and
//! need not otherwise. Natural loops inside such a cycle, or around it, are found as usual. Unreachable
//! blocks are in no loop.
//!
//! **Algorithm**: headers from the innermost out; each collects backwards from its back edges, stepping over
//! loops that are complete in one jump to their headers (Tarjan, *Testing Flow Graph Reducibility*, 1974),
//! with path compression over the forest. **Cost**: near linear in blocks and edges; nothing recurses; memory
//! is used again.

use crate::cfg::ControlFlowGraph;
use crate::domtree::DominatorTree;
use crate::entities::Block;
use alloc::vec::Vec;
use cranelift_entity::packed_option::PackedOption;
use cranelift_entity::{PrimaryMap, SecondaryMap, entity_impl};

/// A natural loop. Outer loops have smaller numbers than those inside.
#[derive(Copy, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Loop(u32);
entity_impl!(Loop, "loop");

#[derive(Clone, Copy, Debug)]
struct LoopData {
    header: Block,
    parent: PackedOption<Loop>,
    depth: u32,
    /// While loops are collected: an ancestor, for path compression.
    outer: Loop,
}

/// The loops of a function. It does not follow changes of the function.
#[derive(Clone, Debug, Default)]
pub struct LoopAnalysis {
    loops: PrimaryMap<Loop, LoopData>,
    innermost: SecondaryMap<Block, PackedOption<Loop>>,
    todo: Vec<Block>,
    irreducible: bool,
    valid: bool,
}

impl LoopAnalysis {
    /// The loops of nothing, ready to be [computed](Self::compute).
    pub fn new() -> LoopAnalysis {
        LoopAnalysis::default()
    }

    /// The loops of the function that `cfg` and `domtree` belong to.
    pub fn with_graph(cfg: &ControlFlowGraph, domtree: &DominatorTree) -> LoopAnalysis {
        let mut loops = LoopAnalysis::new();
        loops.compute(cfg, domtree);
        loops
    }

    /// Forgets everything and keeps the memory.
    pub fn clear(&mut self) {
        self.loops.clear();
        self.innermost.clear();
        self.irreducible = false;
        self.valid = false;
    }

    /// Have the loops been computed since they were last cleared?
    pub fn is_valid(&self) -> bool {
        self.valid
    }

    /// Finds the loops of the function that `cfg` and `domtree` belong to.
    pub fn compute(&mut self, cfg: &ControlFlowGraph, domtree: &DominatorTree) {
        debug_assert!(cfg.is_valid() && domtree.is_valid(), "loops need graph and dominators");
        self.clear();
        self.innermost.resize(cfg.num_blocks());
        self.find_headers(cfg, domtree);
        // A header inside of another loop comes after that loop's header in reverse postorder.
        for i in (0..self.loops.len() as u32).rev() {
            self.collect(Loop(i), cfg, domtree);
        }
        for i in 0..self.loops.len() as u32 {
            let depth = self.parent(Loop(i)).map_or(0, |parent| self.loops[parent].depth);
            self.loops[Loop(i)].depth = depth + 1;
        }
        self.valid = true;
    }

    fn find_headers(&mut self, cfg: &ControlFlowGraph, domtree: &DominatorTree) {
        for (i, &block) in domtree.rpo().iter().enumerate() {
            let mut header = false;
            for pred in cfg.preds(block) {
                if domtree.rpo_index(pred.block).is_some_and(|p| p >= i) {
                    if domtree.dominates(block, pred.block) {
                        header = true;
                    } else {
                        self.irreducible = true;
                    }
                }
            }
            if header {
                let id = self.loops.next_key();
                self.loops.push(LoopData { header: block, parent: None.into(), depth: 0, outer: id });
                self.innermost[block] = id.into();
            }
        }
    }

    /// Finds the blocks of `this`, whose inner loops are complete.
    fn collect(&mut self, this: Loop, cfg: &ControlFlowGraph, domtree: &DominatorTree) {
        let header = self.loops[this].header;
        let back = cfg.preds(header).iter().map(|pred| pred.block);
        self.todo.extend(back.filter(|&b| domtree.is_reachable(b) && domtree.dominates(header, b)));
        while let Some(block) = self.todo.pop() {
            // What to go on from: the block itself, or the header of the whole nest that it is in.
            let from = match self.innermost[block].expand() {
                None => {
                    self.innermost[block] = this.into();
                    block
                }
                Some(inner) => {
                    let outermost = self.outermost_so_far(inner);
                    if outermost == this {
                        continue;
                    }
                    let data = &mut self.loops[outermost];
                    data.parent = this.into();
                    data.outer = this;
                    data.header
                }
            };
            let preds = cfg.preds(from).iter().map(|pred| pred.block);
            self.todo.extend(preds.filter(|&b| domtree.is_reachable(b)));
        }
    }

    /// The outermost loop around `inner` that is known, with path halving.
    fn outermost_so_far(&mut self, inner: Loop) -> Loop {
        let mut at = inner;
        loop {
            let outer = self.loops[at].outer;
            if outer == at {
                return at;
            }
            let next = self.loops[outer].outer;
            self.loops[at].outer = next;
            at = next;
        }
    }

    /// The loops, outer ones before those inside, headers in reverse postorder.
    pub fn loops(&self) -> impl ExactSizeIterator<Item = Loop> + DoubleEndedIterator + use<> {
        self.loops.keys()
    }

    /// The one block through which `l` is entered.
    pub fn header(&self, l: Loop) -> Block {
        self.loops[l].header
    }

    /// The loop right around `l`.
    pub fn parent(&self, l: Loop) -> Option<Loop> {
        self.loops[l].parent.expand()
    }

    /// How many loops `l` is, itself included, inside of: at least 1.
    pub fn depth(&self, l: Loop) -> u32 {
        self.loops[l].depth
    }

    /// The innermost loop that `block` is in.
    pub fn innermost_loop(&self, block: Block) -> Option<Loop> {
        self.innermost[block].expand()
    }

    /// How many loops `block` is in: 0 outside of all.
    pub fn loop_depth(&self, block: Block) -> u32 {
        self.innermost_loop(block).map_or(0, |l| self.depth(l))
    }

    /// Is `block` the header of a loop?
    pub fn is_header(&self, block: Block) -> bool {
        self.innermost_loop(block).is_some_and(|l| self.header(l) == block)
    }

    /// Is `block` in `l`, or in a loop inside it? Takes time in proportion to the nesting.
    pub fn contains(&self, l: Loop, block: Block) -> bool {
        self.innermost_loop(block).is_some_and(|inner| self.is_within(inner, l))
    }

    /// Is `inner` the same as `outer`, or inside it? Takes time in proportion to the nesting.
    pub fn is_within(&self, inner: Loop, outer: Loop) -> bool {
        // Loops inside others have larger numbers.
        let mut at = Some(inner);
        while let Some(l) = at.filter(|&l| l > outer) {
            at = self.parent(l);
        }
        at == Some(outer)
    }

    /// Is every cycle of the function a natural loop?
    pub fn is_reducible(&self) -> bool {
        !self.irreducible
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cfg::testing::*;
    use alloc::vec;

    fn analyse(edges: &[Vec<usize>]) -> (LoopAnalysis, ControlFlowGraph, DominatorTree) {
        let func = function_with_edges(edges);
        let cfg = ControlFlowGraph::with_function(&func);
        let domtree = DominatorTree::with_function(&func, &cfg);
        (LoopAnalysis::with_graph(&cfg, &domtree), cfg, domtree)
    }

    fn depths(edges: &[Vec<usize>]) -> Vec<u32> {
        let (loops, ..) = analyse(edges);
        (0..edges.len()).map(|b| loops.loop_depth(Block(b as u32))).collect()
    }

    #[test]
    fn nested_loops_have_depths() {
        // 0 -> 1 { 2 { 3 } 4 } 5
        let edges = [vec![1], vec![2, 5], vec![3], vec![2, 4], vec![1], vec![]];
        assert_eq!(depths(&edges), [0, 1, 2, 2, 1, 0]);
        let (loops, ..) = analyse(&edges);
        let (outer, inner) = (Loop(0), Loop(1));
        assert_eq!(loops.loops().len(), 2);
        assert_eq!((loops.header(outer), loops.header(inner)), (Block(1), Block(2)));
        assert_eq!((loops.parent(outer), loops.parent(inner)), (None, Some(outer)));
        assert!(loops.contains(outer, Block(3)) && !loops.contains(inner, Block(4)));
        assert!(loops.is_header(Block(2)) && !loops.is_header(Block(3)) && loops.is_reducible());
    }

    #[test]
    fn a_block_may_be_its_own_loop() {
        assert_eq!(depths(&[vec![1], vec![1, 2], vec![]]), [0, 1, 0]);
    }

    #[test]
    fn edges_back_to_one_header_make_one_loop() {
        assert_eq!(depths(&[vec![1], vec![2, 3], vec![1], vec![1, 4], vec![]]), [0, 1, 1, 1, 0]);
    }

    #[test]
    fn cycles_with_two_entries_are_no_loops() {
        let edges = [vec![1, 2], vec![2], vec![1, 3], vec![]];
        assert_eq!(depths(&edges), [0; 4]);
        assert!(!analyse(&edges).0.is_reducible());
        // The same inside of a loop, and with a loop inside.
        let edges = [vec![1], vec![2, 3], vec![3], vec![3, 2, 4], vec![1, 5], vec![]];
        assert_eq!(depths(&edges), [0, 1, 1, 2, 1, 0]);
        assert!(!analyse(&edges).0.is_reducible());
    }

    #[test]
    fn unreachable_cycles_are_no_loops() {
        let edges = [vec![1], vec![], vec![3], vec![2, 1]];
        assert_eq!(depths(&edges), [0; 4]);
        assert!(analyse(&edges).0.is_reducible());
    }

    /// Whether the cycles that are left without edges to dominators are none.
    fn naively_reducible(edges: &[Vec<usize>], domtree: &DominatorTree) -> bool {
        let n = edges.len();
        let b = |i: usize| Block(i as u32);
        let mut forward: Vec<Vec<usize>> = edges.to_vec();
        for (i, succs) in forward.iter_mut().enumerate() {
            succs.retain(|&s| domtree.is_reachable(b(i)) && !domtree.dominates(b(s), b(i)));
        }
        let mut count = vec![0; n];
        forward.iter().flatten().for_each(|&s| count[s] += 1);
        let mut todo: Vec<usize> = (0..n).filter(|&i| count[i] == 0).collect();
        let mut done = 0;
        while let Some(i) = todo.pop() {
            done += 1;
            for &s in &forward[i] {
                count[s] -= 1;
                if count[s] == 0 {
                    todo.push(s);
                }
            }
        }
        done == n
    }

    #[test]
    fn random_graphs_have_the_loops_of_the_definition() {
        let mut rng = Rng(0x100D);
        for _ in 0..3000 {
            let n = 1 + rng.below(12);
            let edges = random_edges(&mut rng, n);
            let (loops, cfg, domtree) = analyse(&edges);
            let mut depth = vec![0; n];
            let mut headers = 0;
            for h in (0..n as u32).map(Block).filter(|&h| domtree.is_reachable(h)) {
                let mut todo: Vec<Block> =
                    cfg.preds(h).iter().map(|p| p.block).filter(|&p| domtree.dominates(h, p)).collect();
                if todo.is_empty() {
                    continue;
                }
                headers += 1;
                let mut body = vec![false; n];
                body[h.as_u32() as usize] = true;
                while let Some(b) = todo.pop() {
                    if !core::mem::replace(&mut body[b.as_u32() as usize], true) {
                        todo.extend(
                            cfg.preds(b).iter().map(|p| p.block).filter(|&p| domtree.is_reachable(p)),
                        );
                    }
                }
                let l = loops.innermost_loop(h).unwrap();
                assert_eq!(loops.header(l), h);
                for b in 0..n {
                    depth[b] += u32::from(body[b]);
                    assert_eq!(loops.contains(l, Block(b as u32)), body[b], "{b} in {l} of {edges:?}");
                }
            }
            assert_eq!(loops.loops().len(), headers);
            for (b, &depth) in depth.iter().enumerate() {
                assert_eq!(loops.loop_depth(Block(b as u32)), depth, "{edges:?}");
            }
            assert_eq!(loops.is_reducible(), naively_reducible(&edges, &domtree), "{edges:?}");
        }
    }

    #[test]
    fn deep_nests_take_linear_time() {
        // for for for … end end end
        let depth = 100_000;
        let n = 2 * depth + 2;
        let mut edges: Vec<Vec<usize>> = (0..n).map(|i| vec![i + 1]).collect();
        for i in 1..=depth {
            edges[n - 1 - i].push(i);
        }
        edges[n - 1] = vec![];
        let (loops, ..) = analyse(&edges);
        assert_eq!(loops.loop_depth(Block(depth as u32)), depth as u32);
        assert_eq!(loops.loop_depth(Block(n as u32 - 1)), 0);
    }
}
