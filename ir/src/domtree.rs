//! Dominators: which blocks every path from the entry goes through.
//!
//! **In**: a function and its [`ControlFlowGraph`]. **Out**: the immediate dominator of every reachable
//! block, a reverse postorder of the blocks, and O(1) answers to "does a dominate b".
//!
//! **Algorithm**: Semi-NCA (Georgiadis, Tarjan & Werneck, *Finding Dominators in Practice*, 2006):
//! semidominators from a depth-first spanning tree with path compression, then the nearest common ancestor by
//! walking up. It is quadratic for graphs made to defeat it and linear in practice, as simple as the
//! iterative algorithms and without their bad case, deep nests of loops. Numbers of a preorder walk of the
//! tree and sizes of subtrees answer queries. Nothing recurses. **Cost**: near linear in blocks and edges; a
//! second [`compute`](DominatorTree::compute) allocates only for a larger function.

use crate::cfg::{ControlFlowGraph, DepthFirst};
use crate::entities::{Block, Inst};
use crate::function::Function;
use crate::layout::Layout;
use alloc::vec::Vec;
use cranelift_entity::SecondaryMap;
use cranelift_entity::packed_option::PackedOption;

/// What is known of a block.
#[derive(Clone, Copy, Debug, Default)]
struct Node {
    idom: PackedOption<Block>,
    /// Number in the depth-first preorder of the graph, counted from 1; 0 if unreachable.
    dfs: u32,
    /// Number in reverse postorder, counted from 0.
    rpo: u32,
    /// Number in the preorder of the dominator tree, counted from 0.
    pre: u32,
    /// Blocks in the subtree, this one included.
    size: u32,
}

/// What the algorithm keeps for a block, by its number in the depth-first preorder.
#[derive(Clone, Copy, Debug)]
struct Work {
    block: Block,
    /// Ancestor in the forest of linked blocks: at first the parent in the spanning tree, moved up by
    /// compression.
    ancestor: u32,
    /// The block with the smallest semidominator on the compressed path to `ancestor`.
    label: u32,
    semi: u32,
    /// At first the parent in the spanning tree, in the end the immediate dominator.
    idom: u32,
}

/// The dominator tree of a function. Unreachable blocks are not in it. It does not follow changes of the
/// function.
#[derive(Clone, Debug, Default)]
pub struct DominatorTree {
    nodes: SecondaryMap<Block, Node>,
    rpo: Vec<Block>,
    preorder: Vec<Block>,
    work: Vec<Work>,
    path: Vec<u32>,
    walk: DepthFirst,
    valid: bool,
}

impl DominatorTree {
    /// The tree of nothing, ready to be [computed](Self::compute).
    pub fn new() -> DominatorTree {
        DominatorTree::default()
    }

    /// The tree of `func`, whose graph is `cfg`.
    pub fn with_function(func: &Function, cfg: &ControlFlowGraph) -> DominatorTree {
        let mut tree = DominatorTree::new();
        tree.compute(func, cfg);
        tree
    }

    /// Forgets everything and keeps the memory.
    pub fn clear(&mut self) {
        self.nodes.clear();
        self.rpo.clear();
        self.preorder.clear();
        self.work.clear();
        self.valid = false;
    }

    /// Has the tree been computed since it was last cleared?
    pub fn is_valid(&self) -> bool {
        self.valid
    }

    /// Becomes the tree of `func`, whose graph is `cfg`.
    pub fn compute(&mut self, func: &Function, cfg: &ControlFlowGraph) {
        debug_assert!(cfg.is_valid(), "dominators need the control-flow graph");
        self.clear();
        self.nodes.resize(cfg.num_blocks());
        if let Some(entry) = func.layout.entry_block().filter(|&b| func.dfg.block_is_valid(b)) {
            self.number(cfg, entry);
            self.find_semidominators(cfg);
            self.find_dominators();
            self.number_tree();
        }
        self.valid = true;
    }

    /// Walks the graph: spanning tree, preorder, reverse postorder.
    fn number(&mut self, cfg: &ControlFlowGraph, entry: Block) {
        let DominatorTree { nodes, rpo, work, walk, .. } = self;
        // Number 0 stands for no block.
        work.push(Work { block: entry, ancestor: 0, label: 0, semi: 0, idom: 0 });
        let enter = |block: Block, parent: Option<Block>| {
            let n = work.len() as u32;
            let parent = parent.map_or(0, |p| nodes[p].dfs);
            nodes[block].dfs = n;
            work.push(Work { block, ancestor: parent, label: n, semi: n, idom: parent });
        };
        walk.walk(cfg, entry, enter, |block| rpo.push(block));
        rpo.reverse();
        for (i, &block) in rpo.iter().enumerate() {
            nodes[block].rpo = i as u32;
        }
    }

    fn find_semidominators(&mut self, cfg: &ControlFlowGraph) {
        for n in (2..self.work.len() as u32).rev() {
            let Work { block, idom: parent, .. } = self.work[n as usize];
            let mut semi = parent;
            for pred in cfg.preds(block) {
                let p = self.nodes[pred.block].dfs;
                if p != 0 {
                    let label = self.evaluate(p, n + 1);
                    semi = semi.min(self.work[label as usize].semi);
                }
            }
            self.work[n as usize].semi = semi;
        }
    }

    /// The block with the smallest semidominator on the path from `v` up to the root of its tree in the
    /// forest of blocks numbered `linked` and above, that root excluded. Shortens the path.
    fn evaluate(&mut self, v: u32, linked: u32) -> u32 {
        let work = &mut self.work;
        let mut at = v;
        while work[at as usize].ancestor >= linked {
            self.path.push(at);
            at = work[at as usize].ancestor;
        }
        let mut above = at;
        while let Some(n) = self.path.pop() {
            let upper = work[above as usize];
            let label = work[n as usize].label;
            work[n as usize].ancestor = upper.ancestor;
            if work[upper.label as usize].semi < work[label as usize].semi {
                work[n as usize].label = upper.label;
            }
            above = n;
        }
        work[v as usize].label
    }

    /// The immediate dominator is the nearest common ancestor of parent and semidominator.
    fn find_dominators(&mut self) {
        for n in 2..self.work.len() {
            let Work { block, semi, mut idom, .. } = self.work[n];
            while idom > semi {
                idom = self.work[idom as usize].idom;
            }
            self.work[n].idom = idom;
            self.nodes[block].idom = self.work[idom as usize].block.into();
        }
    }

    /// Numbers the tree in preorder, children in reverse postorder of the graph. A dominator stands before
    /// the blocks that it dominates in that order, so two sweeps do: sizes from the back, places from the
    /// front.
    fn number_tree(&mut self) {
        let nodes = &mut self.nodes;
        for &block in self.rpo.iter().rev() {
            nodes[block].size += 1;
            let Node { size, idom, .. } = nodes[block];
            if let Some(idom) = idom.expand() {
                nodes[idom].size += size;
            }
        }
        self.preorder.resize(self.rpo.len(), Block(0));
        // The next free place in a dominator's part is kept in `pre` of the dominator, one ahead, until all
        // its children have one: `work` is free for that.
        for (i, &block) in self.rpo.iter().enumerate() {
            let Node { size, idom, dfs, .. } = nodes[block];
            let pre = match idom.expand() {
                Some(idom) => {
                    let next = &mut self.work[nodes[idom].dfs as usize].label;
                    let pre = *next;
                    *next += size;
                    pre
                }
                None => i as u32,
            };
            self.work[dfs as usize].label = pre + 1;
            nodes[block].pre = pre;
            self.preorder[pre as usize] = block;
        }
    }

    /// Does a path from the entry lead to `block`?
    pub fn is_reachable(&self, block: Block) -> bool {
        self.nodes[block].dfs != 0
    }

    /// The nearest block that every path from the entry to `block` goes through before `block`. `None` for
    /// the entry and for unreachable blocks.
    pub fn idom(&self, block: Block) -> Option<Block> {
        self.nodes[block].idom.expand()
    }

    /// Does every path from the entry to `b` go through `a`? A block dominates itself; otherwise unreachable
    /// blocks neither dominate nor are dominated.
    pub fn dominates(&self, a: Block, b: Block) -> bool {
        let (na, nb) = (self.nodes[a], self.nodes[b]);
        // The size of an unreachable block is 0.
        a == b || nb.size != 0 && nb.pre.wrapping_sub(na.pre) < na.size
    }

    /// The nearest block that dominates both; `None` if one is unreachable.
    pub fn common_dominator(&self, a: Block, b: Block) -> Option<Block> {
        if !self.is_reachable(a) || !self.is_reachable(b) {
            return None;
        }
        let mut at = a;
        while !self.dominates(at, b) {
            at = self.idom(at)?;
        }
        Some(at)
    }

    /// The reachable blocks in reverse postorder: each before its successors, unless they close a cycle.
    pub fn rpo(&self) -> &[Block] {
        &self.rpo
    }

    /// The place of `block` in [`rpo`](Self::rpo); `None` if it is unreachable.
    pub fn rpo_index(&self, block: Block) -> Option<usize> {
        self.is_reachable(block).then(|| self.nodes[block].rpo as usize)
    }

    /// The reachable blocks in preorder of the tree: each before the blocks that it dominates, which follow
    /// without a gap; siblings in reverse postorder.
    pub fn preorder(&self) -> &[Block] {
        &self.preorder
    }

    /// `block` and the blocks that it dominates, in preorder of the tree; empty if it is unreachable.
    pub fn subtree(&self, block: Block) -> &[Block] {
        let node = self.nodes[block];
        &self.preorder[node.pre as usize..(node.pre + node.size) as usize]
    }

    /// Does every path from the entry to `b` go through `a` first? A point dominates itself. Instructions
    /// outside of the layout neither dominate nor are dominated.
    pub fn point_dominates(
        &self,
        a: ProgramPoint,
        b: ProgramPoint,
        layout: &Layout,
        order: &InstOrder,
    ) -> bool {
        let (Some((block_a, n_a)), Some((block_b, n_b))) = (order.place(a, layout), order.place(b, layout))
        else {
            return a == b;
        };
        if block_a == block_b { n_a <= n_b } else { self.dominates(block_a, block_b) }
    }

    /// Does every path from the entry to `b` go through `a` first? An instruction dominates itself.
    pub fn inst_dominates(&self, a: Inst, b: Inst, layout: &Layout, order: &InstOrder) -> bool {
        self.point_dominates(ProgramPoint::Inst(a), ProgramPoint::Inst(b), layout, order)
    }
}

/// A place where something happens.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Hash)]
pub enum ProgramPoint {
    /// The entry to a block, where its parameters are defined.
    Block(Block),
    /// An instruction.
    Inst(Inst),
}

impl From<Block> for ProgramPoint {
    fn from(block: Block) -> ProgramPoint {
        ProgramPoint::Block(block)
    }
}

impl From<Inst> for ProgramPoint {
    fn from(inst: Inst) -> ProgramPoint {
        ProgramPoint::Inst(inst)
    }
}

/// A number for every instruction of the layout, ascending in each block: which of two comes first is one
/// comparison. It does not follow changes of the layout.
#[derive(Clone, Debug, Default)]
pub struct InstOrder {
    /// Counted from 1: 0 is the entry to the block.
    numbers: SecondaryMap<Inst, u32>,
}

impl InstOrder {
    /// The order of nothing, ready to be [computed](Self::compute).
    pub fn new() -> InstOrder {
        InstOrder::default()
    }

    /// The order of `func`.
    pub fn with_function(func: &Function) -> InstOrder {
        let mut order = InstOrder::new();
        order.compute(func);
        order
    }

    /// Becomes the order of `func`. Linear in its instructions.
    pub fn compute(&mut self, func: &Function) {
        self.numbers.clear();
        self.numbers.resize(func.dfg.insts.len());
        let mut n = 0;
        for block in func.layout.blocks() {
            for inst in func.layout.block_insts(block) {
                n += 1;
                self.numbers[inst] = n;
            }
        }
    }

    /// The number of `inst`, from 1; 0 if it is not in the layout.
    pub fn number(&self, inst: Inst) -> u32 {
        self.numbers[inst]
    }

    fn place(&self, point: ProgramPoint, layout: &Layout) -> Option<(Block, u32)> {
        match point {
            ProgramPoint::Block(block) => Some((block, 0)),
            ProgramPoint::Inst(inst) => Some((layout.inst_block(inst)?, self.numbers[inst])),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cfg::testing::*;
    use alloc::vec;

    /// Dominators by the definition: the largest sets with dom(b) = {b} and the meet over predecessors.
    fn naive(edges: &[Vec<usize>]) -> (Vec<bool>, Vec<Vec<bool>>) {
        let n = edges.len();
        let mut reachable = vec![false; n];
        let mut todo = vec![0];
        while let Some(b) = todo.pop() {
            if !reachable[b] {
                reachable[b] = true;
                todo.extend(&edges[b]);
            }
        }
        let mut dom = vec![vec![true; n]; n];
        dom[0] = (0..n).map(|i| i == 0).collect();
        loop {
            let mut changed = false;
            for b in (1..n).filter(|&b| reachable[b]) {
                let mut set = vec![true; n];
                for p in (0..n).filter(|&p| reachable[p] && edges[p].contains(&b)) {
                    (0..n).for_each(|i| set[i] &= dom[p][i]);
                }
                set[b] = true;
                changed |= set != dom[b];
                dom[b] = set;
            }
            if !changed {
                return (reachable, dom);
            }
        }
    }

    fn check(edges: &[Vec<usize>], tree: &DominatorTree) {
        let (reachable, dom) = naive(edges);
        let n = edges.len();
        let block = |i: usize| Block(i as u32);
        for b in 0..n {
            assert_eq!(tree.is_reachable(block(b)), reachable[b], "{edges:?}");
            for a in 0..n {
                let expected = a == b || reachable[a] && reachable[b] && dom[b][a];
                assert_eq!(tree.dominates(block(a), block(b)), expected, "{a} over {b} in {edges:?}");
            }
            // The immediate dominator is the strict one that has the most dominators.
            let strict = (0..n).filter(|&a| reachable[b] && a != b && dom[b][a]);
            let idom = strict.max_by_key(|&a| dom[a].iter().filter(|&&d| d).count());
            assert_eq!(tree.idom(block(b)), idom.map(block), "of {b} in {edges:?}");
            let below = (0..n).filter(|&c| reachable[c] && dom[c][b]).count();
            assert_eq!(tree.subtree(block(b)).len(), if reachable[b] { below } else { 0 });
        }
        assert_eq!(tree.rpo().len(), reachable.iter().filter(|&&r| r).count());
        for (i, &b) in tree.rpo().iter().enumerate() {
            assert_eq!(tree.rpo_index(b), Some(i));
            assert!(tree.idom(b).is_none_or(|d| tree.rpo_index(d) < Some(i)));
        }
    }

    #[test]
    fn random_graphs_have_the_dominators_of_the_definition() {
        let mut rng = Rng(0x5EED);
        let (mut cfg, mut tree) = (ControlFlowGraph::new(), DominatorTree::new());
        for round in 0..3000 {
            let n = 1 + rng.below(if round % 10 == 0 { 30 } else { 9 });
            let edges = random_edges(&mut rng, n);
            let func = function_with_edges(&edges);
            cfg.compute(&func);
            tree.compute(&func, &cfg);
            check(&edges, &tree);
        }
    }

    #[test]
    fn common_dominators_meet_where_paths_part() {
        let func = function_with_edges(&[vec![1, 2], vec![3], vec![3, 4], vec![], vec![], vec![3]]);
        let tree = DominatorTree::with_function(&func, &ControlFlowGraph::with_function(&func));
        let common = |a, b| tree.common_dominator(Block(a), Block(b));
        assert_eq!(common(1, 2), Some(Block(0)));
        assert_eq!(common(3, 4), Some(Block(0)));
        assert_eq!(common(2, 4), Some(Block(2)));
        assert_eq!(common(1, 5), None);
        assert_eq!(tree.preorder(), &[Block(0), Block(2), Block(4), Block(1), Block(3)]);
    }

    #[test]
    fn points_in_a_block_are_ordered() {
        let mut func = function_with_edges(&[vec![1], vec![]]);
        let nop = crate::InstData::Nullary { opcode: crate::Opcode::Nop };
        let (first, second, outside) =
            (func.dfg.make_inst(nop), func.dfg.make_inst(nop), func.dfg.make_inst(nop));
        let jump = func.layout.last_inst(Block(0)).unwrap();
        let ret = func.layout.last_inst(Block(1)).unwrap();
        func.layout.insert_inst_before(second, jump);
        func.layout.insert_inst_before(first, second);
        let tree = DominatorTree::with_function(&func, &ControlFlowGraph::with_function(&func));
        let order = InstOrder::with_function(&func);
        let over = |a, b| tree.inst_dominates(a, b, &func.layout, &order);
        assert!(over(first, second) && over(second, jump) && over(first, ret) && over(first, first));
        assert!(!over(second, first) && !over(ret, first) && !over(outside, ret) && !over(first, outside));
        let point = |a: ProgramPoint, b: ProgramPoint| tree.point_dominates(a, b, &func.layout, &order);
        assert!(point(Block(0).into(), first.into()) && point(Block(0).into(), Block(1).into()));
        assert!(!point(first.into(), Block(0).into()) && point(jump.into(), Block(1).into()));
    }

    #[test]
    fn deep_nests_and_long_chains_take_linear_time() {
        // Block i goes on to i + 1 and back to i / 2: a quarter of a million nested and overlapping cycles.
        let n = 250_000;
        let edges: Vec<Vec<usize>> =
            (0..n).map(|i| if i + 1 < n { vec![i + 1, (i / 2).max(1)] } else { vec![] }).collect();
        let func = function_with_edges(&edges);
        let cfg = ControlFlowGraph::with_function(&func);
        let tree = DominatorTree::with_function(&func, &cfg);
        assert!((1..n as u32).all(|i| tree.idom(Block(i)) == Some(Block(i - 1))));
    }

    #[test]
    fn an_empty_function_has_an_empty_tree() {
        let func = Function::default();
        let tree = DominatorTree::with_function(&func, &ControlFlowGraph::with_function(&func));
        assert!(tree.is_valid() && tree.rpo().is_empty() && !tree.is_reachable(Block(0)));
    }
}
