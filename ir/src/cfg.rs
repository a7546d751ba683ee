//! The control-flow graph: who branches where.
//!
//! **In**: a [`Function`], verified or not. A block without a terminator has no successors, and a destination
//! that does not exist is no edge. **Out**: successors and predecessors of every block as slices of two
//! pools. An edge is a destination of a terminator: a `brif` with twice the same block makes two. Successors
//! come in the order of [`branch_destinations`](crate::DataFlowGraph::branch_destinations), predecessors in
//! layout order. **Cost**: linear in blocks and edges; a second [`compute`](ControlFlowGraph::compute)
//! allocates only for a larger function.

use crate::entities::{Block, Inst};
use crate::function::Function;
use alloc::vec::Vec;
use cranelift_entity::SecondaryMap;

/// Where an edge comes from.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Hash)]
pub struct BlockPredecessor {
    /// The block.
    pub block: Block,
    /// The branch that ends it.
    pub inst: Inst,
}

/// A block's slices of the pools.
#[derive(Clone, Copy, Default, Debug)]
struct Node {
    succ_start: u32,
    succ_end: u32,
    pred_start: u32,
    pred_end: u32,
}

/// Predecessors and successors of every block of a function. It does not follow changes of the function.
#[derive(Clone, Debug, Default)]
pub struct ControlFlowGraph {
    nodes: SecondaryMap<Block, Node>,
    succs: Vec<Block>,
    preds: Vec<BlockPredecessor>,
    valid: bool,
}

impl ControlFlowGraph {
    /// The graph of nothing, ready to be [computed](Self::compute).
    pub fn new() -> ControlFlowGraph {
        ControlFlowGraph::default()
    }

    /// The graph of `func`.
    pub fn with_function(func: &Function) -> ControlFlowGraph {
        let mut cfg = ControlFlowGraph::new();
        cfg.compute(func);
        cfg
    }

    /// Forgets everything and keeps the memory.
    pub fn clear(&mut self) {
        self.nodes.clear();
        self.succs.clear();
        self.preds.clear();
        self.valid = false;
    }

    /// Has the graph been computed since it was last cleared?
    pub fn is_valid(&self) -> bool {
        self.valid
    }

    /// Becomes the graph of `func`.
    pub fn compute(&mut self, func: &Function) {
        self.clear();
        let n = func.dfg.num_blocks();
        self.nodes.resize(n);

        // Successors, and how many predecessors each block has. A layout that the verifier would refuse may
        // hold blocks that do not exist, or run in circles.
        for block in func.layout.blocks().take(n).filter(|&b| func.dfg.block_is_valid(b)) {
            let start = self.succs.len() as u32;
            if let Some(inst) = branch_at_end(func, block) {
                for call in func.dfg.branch_destinations(inst) {
                    if func.dfg.block_is_valid(call.block) {
                        self.succs.push(call.block);
                        self.nodes[call.block].pred_end += 1;
                    }
                }
            }
            let end = self.succs.len() as u32;
            let node = &mut self.nodes[block];
            (node.succ_start, node.succ_end) = (start, end);
        }

        // Each block's share of the pool of predecessors.
        let mut at = 0;
        for node in self.nodes.values_mut() {
            let count = node.pred_end;
            (node.pred_start, node.pred_end) = (at, at);
            at += count;
        }

        // Predecessors.
        let nothing = BlockPredecessor { block: Block(0), inst: Inst(0) };
        self.preds.resize(self.succs.len(), nothing);
        for block in func.layout.blocks().take(n).filter(|&b| func.dfg.block_is_valid(b)) {
            let Some(inst) = branch_at_end(func, block) else { continue };
            let node = self.nodes[block];
            for i in node.succ_start..node.succ_end {
                let end = &mut self.nodes[self.succs[i as usize]].pred_end;
                if let Some(slot) = self.preds.get_mut(*end as usize) {
                    *slot = BlockPredecessor { block, inst };
                    *end += 1;
                }
            }
        }
        self.valid = true;
    }

    /// Where `block` continues, once for every destination of its terminator.
    pub fn succs(&self, block: Block) -> &[Block] {
        let node = self.nodes[block];
        &self.succs[node.succ_start as usize..node.succ_end as usize]
    }

    /// Where control comes from, once for every edge into `block`.
    pub fn preds(&self, block: Block) -> &[BlockPredecessor] {
        let node = self.nodes[block];
        &self.preds[node.pred_start as usize..node.pred_end as usize]
    }

    /// Number of blocks that the graph was computed for, in the layout or not.
    pub fn num_blocks(&self) -> usize {
        // `succs` and `preds` of other blocks are empty.
        self.nodes.values().len()
    }

    /// Number of edges.
    pub fn num_edges(&self) -> usize {
        self.succs.len()
    }
}

fn branch_at_end(func: &Function, block: Block) -> Option<Inst> {
    let inst = func.layout.last_inst(block)?;
    func.dfg.insts.is_valid(inst).then_some(inst)
}

/// Depth-first walks over a graph, without recursion and with memory that is used again.
#[derive(Clone, Debug, Default)]
pub struct DepthFirst {
    stack: Vec<(Block, u32)>,
    seen: SecondaryMap<Block, bool>,
}

impl DepthFirst {
    /// Ready to walk.
    pub fn new() -> DepthFirst {
        DepthFirst::default()
    }

    /// Walks from `entry`, following successors in order, and calls `enter` with each block and the one that
    /// it was reached from, before its successors, and `leave` after them.
    pub fn walk(
        &mut self,
        cfg: &ControlFlowGraph,
        entry: Block,
        mut enter: impl FnMut(Block, Option<Block>),
        mut leave: impl FnMut(Block),
    ) {
        self.stack.clear();
        self.seen.clear();
        self.seen.resize(cfg.num_blocks());
        self.seen[entry] = true;
        enter(entry, None);
        self.stack.push((entry, 0));
        while let Some((block, next)) = self.stack.last_mut() {
            let block = *block;
            match cfg.succs(block).get(*next as usize) {
                Some(&succ) => {
                    *next += 1;
                    if !self.seen[succ] {
                        self.seen[succ] = true;
                        enter(succ, Some(block));
                        self.stack.push((succ, 0));
                    }
                }
                None => {
                    leave(block);
                    self.stack.pop();
                }
            }
        }
    }

    /// Puts the blocks that `entry` reaches into `order`, each after the successors that it was first to
    /// reach. Backwards it is a reverse postorder, in which a block stands before its successors unless they
    /// close a cycle.
    pub fn postorder(&mut self, cfg: &ControlFlowGraph, entry: Block, order: &mut Vec<Block>) {
        order.clear();
        self.walk(cfg, entry, |_, _| {}, |block| order.push(block));
    }
}

/// Graphs for the tests of this crate's analyses.
#[cfg(test)]
pub(crate) mod testing {
    use super::*;
    use crate::instdata::{BlockCall, InstData, JumpTableData, ValueList};
    use crate::opcode::Opcode;
    use crate::types::I32;

    /// A small generator of numbers that look random (xorshift64*).
    pub(crate) struct Rng(pub u64);

    impl Rng {
        pub(crate) fn next(&mut self) -> u64 {
            self.0 ^= self.0 >> 12;
            self.0 ^= self.0 << 25;
            self.0 ^= self.0 >> 27;
            self.0.wrapping_mul(0x2545_F491_4F6C_DD1D)
        }

        pub(crate) fn below(&mut self, n: usize) -> usize {
            ((self.next() >> 33) % n.max(1) as u64) as usize
        }
    }

    /// A function whose block `i` continues in the blocks `edges[i]`. The entry has one parameter.
    pub(crate) fn function_with_edges(edges: &[Vec<usize>]) -> Function {
        let mut func = Function::default();
        func.signature.params.push(crate::AbiParam::new(I32));
        let blocks: Vec<Block> = edges.iter().map(|_| func.dfg.make_block()).collect();
        let v = func.dfg.append_block_param(blocks[0], I32);
        for (&block, succs) in blocks.iter().zip(edges) {
            func.layout.append_block(block);
            let pool = &mut func.dfg.block_args;
            let call = |i: usize, pool: &mut _| BlockCall::new(blocks[i], [], pool);
            let data = match **succs {
                [] => InstData::MultiAry { opcode: Opcode::Return, args: ValueList::new() },
                [a] => InstData::Jump { opcode: Opcode::Jump, dest: call(a, pool) },
                [a, b] => {
                    InstData::Brif { opcode: Opcode::Brif, arg: v, dests: [call(a, pool), call(b, pool)] }
                }
                [a, ref rest @ ..] => {
                    let default = call(a, pool);
                    let table = rest.iter().map(|&i| call(i, pool)).collect();
                    let table = func.dfg.jump_tables.push(JumpTableData { default, table });
                    InstData::BranchTable { opcode: Opcode::BrTable, arg: v, table }
                }
            };
            let inst = func.dfg.make_inst(data);
            func.layout.append_inst(inst, block);
        }
        func
    }

    /// Random edges between `n` blocks; none go to block 0.
    pub(crate) fn random_edges(rng: &mut Rng, n: usize) -> Vec<Vec<usize>> {
        (0..n)
            .map(|_| {
                let count = [0, 1, 1, 1, 2, 2, 2, 3][rng.below(8)];
                (0..if n > 1 { count } else { 0 }).map(|_| 1 + rng.below(n - 1)).collect()
            })
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::testing::*;
    use super::*;
    use alloc::vec;

    #[test]
    fn edges_are_listed_both_ways_in_order() {
        let func = function_with_edges(&[vec![2, 1], vec![3, 3], vec![1, 2, 3], vec![]]);
        let cfg = ControlFlowGraph::with_function(&func);
        assert_eq!(cfg.num_edges(), 7);
        assert_eq!(cfg.succs(Block(0)), &[Block(2), Block(1)]);
        assert_eq!(cfg.succs(Block(1)), &[Block(3), Block(3)]);
        assert_eq!(cfg.succs(Block(2)), &[Block(1), Block(2), Block(3)]);
        assert_eq!(cfg.succs(Block(3)), &[]);
        let preds = |b| cfg.preds(Block(b)).iter().map(|p| p.block.as_u32()).collect::<Vec<_>>();
        assert_eq!(preds(0), []);
        assert_eq!(preds(1), [0, 2]);
        assert_eq!(preds(2), [0, 2]);
        assert_eq!(preds(3), [1, 1, 2]);
        for block in func.layout.blocks() {
            for pred in cfg.preds(block) {
                assert_eq!(func.layout.last_inst(pred.block), Some(pred.inst));
            }
        }
    }

    #[test]
    fn unfinished_functions_have_a_graph() {
        let mut func = function_with_edges(&[vec![1], vec![]]);
        let empty = func.dfg.make_block();
        func.layout.append_block(empty);
        let unplaced = func.dfg.make_block();
        let cfg = ControlFlowGraph::with_function(&func);
        assert_eq!(cfg.succs(empty), &[]);
        assert_eq!(cfg.succs(unplaced), &[]);
        assert_eq!(cfg.preds(Block(77)), &[]);
    }

    #[test]
    fn memory_is_used_again() {
        let large = function_with_edges(&[vec![1, 2], vec![2], vec![1]]);
        let small = function_with_edges(&[vec![]]);
        let mut cfg = ControlFlowGraph::with_function(&large);
        cfg.compute(&small);
        assert_eq!((cfg.num_blocks(), cfg.num_edges()), (1, 0));
        assert_eq!(cfg.succs(Block(1)), &[]);
        cfg.clear();
        assert!(!cfg.is_valid());
    }

    #[test]
    fn postorder_of_a_diamond() {
        let func = function_with_edges(&[vec![1, 2], vec![3], vec![3], vec![], vec![3]]);
        let mut order = Vec::new();
        DepthFirst::new().postorder(&ControlFlowGraph::with_function(&func), Block(0), &mut order);
        assert_eq!(order, [Block(3), Block(1), Block(2), Block(0)]);
    }

    #[test]
    fn a_million_blocks_in_a_chain() {
        let n = 1_000_000;
        let edges: Vec<Vec<usize>> = (0..n).map(|i| if i + 1 < n { vec![i + 1] } else { vec![] }).collect();
        let func = function_with_edges(&edges);
        let cfg = ControlFlowGraph::with_function(&func);
        let mut order = Vec::new();
        DepthFirst::new().postorder(&cfg, Block(0), &mut order);
        assert_eq!(order.len(), n);
        assert!(order.iter().rev().map(|b| b.as_u32() as usize).eq(0..n));
    }
}
