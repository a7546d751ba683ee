//! The order of blocks in machine code, with critical edges split.
//!
//! **In:** a function whose branches are valid. **Out:** the reachable blocks, and a block for each critical
//! edge, in reverse postorder (defs before uses), with loops kept together: among the successors of a block, those
//! in fewer loops come later. Cost: linear in blocks and edges.

use alloc::vec::Vec;
use windlass_ir::entity::SecondaryMap;
use windlass_ir::entity::packed_option::PackedOption;
use windlass_ir::loops::LoopAnalysis;
use windlass_ir::{Block, BlockCall, Function, Inst};

/// A block of machine code.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum LoweredBlock {
    /// A block of the function.
    Orig(Block),
    /// A critical edge, or any edge of a call that may throw: what the block's branch with this index passes on.
    Edge {
        /// The branching block.
        from: Block,
        /// The index of its destination, see [`BlockOrder::dest`].
        dest: u32,
    },
}

/// Where a destination of a branch leads.
#[derive(Clone, Copy, Debug)]
struct Dest {
    /// The position of the destination among the branch's destinations.
    call: u32,
    to: Block,
    /// The edge's own block, if it has one, else the block `to`: an index into `blocks`.
    lowered: u32,
    /// It is a handler of a call: seldom reached.
    handler: bool,
}

/// The order of blocks, and where branches lead.
#[derive(Default)]
pub struct BlockOrder {
    /// Blocks in reverse postorder.
    pub blocks: Vec<LoweredBlock>,
    index_of: SecondaryMap<Block, PackedOption<Index>>,
    dests: Vec<Dest>,
    /// For each block of the function, its first entry in `dests` and their number.
    spans: SecondaryMap<Block, (u32, u32)>,
    /// For each `br_table` entry, the index into the block's dests, flattened like `tables`.
    table_dests: Vec<u32>,
    tables: SecondaryMap<Block, u32>,
    scratch: Scratch,
}

/// What only the computation needs.
#[derive(Default)]
struct Scratch {
    seen: SecondaryMap<Block, bool>,
    /// Edges that lead to a block.
    in_edges: SecondaryMap<Block, u32>,
    /// For a table's destinations: the table, and the destination that passes nothing.
    shared: SecondaryMap<Block, (u32, u32)>,
    work: Vec<Block>,
    /// Destinations of the blocks on the stack, in the order of their visits.
    sorted: Vec<u32>,
    /// Block, where its part of `sorted` starts, and the next of it.
    stack: Vec<(Block, usize, usize)>,
}

#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
struct Index(u32);
windlass_ir::entity::entity_impl!(Index);

/// The destination of `inst` with this index, counted as
/// [`branch_destinations`](windlass_ir::DataFlowGraph::branch_destinations) does.
pub fn destination(func: &Function, inst: Inst, index: usize) -> Option<&BlockCall> {
    match &func.dfg.insts[inst] {
        windlass_ir::InstData::BranchTable { table, .. } => {
            let table = &func.dfg.jump_tables[*table];
            if index == 0 { Some(&table.default) } else { table.table.get(index - 1) }
        }
        _ => func.dfg.branch_destinations(inst).nth(index),
    }
}

impl BlockOrder {
    /// Computes the order of `func`'s blocks, in the memory of the last one's.
    pub fn compute(&mut self, func: &Function, loops: &LoopAnalysis) {
        self.blocks.clear();
        self.index_of.clear();
        self.dests.clear();
        self.spans.clear();
        self.table_dests.clear();
        self.tables.clear();
        let Some(entry) = func.layout.entry_block() else { return };
        let mut scratch = core::mem::take(&mut self.scratch);
        self.collect_dests(func, entry, &mut scratch);
        self.number_blocks(entry, loops, &mut scratch);
        self.scratch = scratch;
    }

    /// Fills `dests`: one entry for each edge; entries of a table that pass nothing and lead to the same block
    /// share one.
    fn collect_dests(&mut self, func: &Function, entry: Block, scratch: &mut Scratch) {
        let Scratch { seen, in_edges, shared, work, .. } = scratch;
        seen.clear();
        in_edges.clear();
        shared.clear();
        work.push(entry);
        seen[entry] = true;
        while let Some(block) = work.pop() {
            let start = self.dests.len() as u32;
            if let Some(inst) = func.layout.last_inst(block) {
                let is_table = matches!(func.dfg.insts[inst], windlass_ir::InstData::BranchTable { .. });
                if is_table {
                    self.tables[block] = self.table_dests.len() as u32;
                }
                let is_try = func.dfg.opcode(inst).is_call();
                let last = func.dfg.branch_destinations(inst).count().saturating_sub(1);
                for (call, dest) in func.dfg.branch_destinations(inst).enumerate() {
                    let to = dest.block;
                    let stamp = inst.as_u32() + 1;
                    if is_table && dest.is_empty() && shared[to].0 == stamp {
                        self.table_dests.push(shared[to].1);
                        continue;
                    }
                    let index = self.dests.len() as u32 - start;
                    if is_table {
                        self.table_dests.push(index);
                        if dest.is_empty() {
                            shared[to] = (stamp, index);
                        }
                    }
                    self.dests.push(Dest {
                        call: call as u32,
                        to,
                        lowered: 0,
                        handler: is_try && call < last,
                    });
                    in_edges[to] += 1;
                    if !seen[to] {
                        seen[to] = true;
                        work.push(to);
                    }
                }
            }
            self.spans[block] = (start, self.dests.len() as u32 - start);
        }
        // Mark the critical ones: `lowered` is 1 for an edge that needs a block.
        for block in func.layout.blocks().filter(|&block| seen[block]) {
            let (start, len) = self.spans[block];
            // A table with one destination is no jump: moves have no room in front of it.
            let is_table = func.layout.last_inst(block).is_some_and(|inst| {
                matches!(func.dfg.insts[inst], windlass_ir::InstData::BranchTable { .. })
            });
            // What a call that may throw leaves in registers is collected on the way.
            let is_try = func.layout.last_inst(block).is_some_and(|inst| func.dfg.opcode(inst).is_call());
            if len > 1 || is_table || is_try {
                for dest in &mut self.dests[start as usize..(start + len) as usize] {
                    dest.lowered = u32::from(is_try || in_edges[dest.to] > 1);
                }
            }
        }
    }

    fn number_blocks(&mut self, entry: Block, loops: &LoopAnalysis, scratch: &mut Scratch) {
        // Depth-first with an explicit stack.
        let mut postorder = core::mem::take(&mut self.blocks);
        let Scratch { seen, sorted, stack, .. } = scratch;
        seen.clear();
        let enter = |block: Block, order: &BlockOrder, sorted: &mut Vec<u32>| {
            let (start, len) = order.spans[block];
            let at = sorted.len();
            // What is visited first comes last in the order: handlers, then destinations in fewer loops, and of those
            // in equally many the later ones.
            sorted.extend((0..len).rev());
            sorted[at..].sort_by_key(|&i| {
                let dest = order.dests[(start + i) as usize];
                (!dest.handler, loops.loop_depth(dest.to))
            });
            (block, at, at)
        };
        seen[entry] = true;
        let first = enter(entry, self, sorted);
        stack.push(first);
        while let Some((block, start, at)) = stack.last_mut() {
            let (block, start) = (*block, *start);
            if *at == sorted.len() {
                sorted.truncate(start);
                stack.pop();
                postorder.push(LoweredBlock::Orig(block));
                continue;
            }
            let i = sorted[*at];
            *at += 1;
            let dest = self.dests[(self.spans[block].0 + i) as usize];
            if dest.lowered == 1 {
                // An edge block has one successor: it is finished when that is. Pushing it after the
                // successor keeps it in front.
                if !seen[dest.to] {
                    seen[dest.to] = true;
                    // Visit the edge again once the successor is done.
                    *at -= 1;
                    let next = enter(dest.to, self, sorted);
                    stack.push(next);
                    continue;
                }
                postorder.push(LoweredBlock::Edge { from: block, dest: i });
            } else if !seen[dest.to] {
                seen[dest.to] = true;
                let next = enter(dest.to, self, sorted);
                stack.push(next);
            }
        }
        postorder.reverse();
        for (index, &block) in postorder.iter().enumerate() {
            match block {
                LoweredBlock::Orig(block) => self.index_of[block] = Some(Index(index as u32)).into(),
                LoweredBlock::Edge { from, dest } => {
                    self.dests[(self.spans[from].0 + dest) as usize].lowered = index as u32 | EDGE;
                }
            }
        }
        for i in 0..self.dests.len() {
            let dest = self.dests[i];
            self.dests[i].lowered = match dest.lowered & EDGE {
                0 => self.index_of[dest.to].expand().map_or(0, |index| index.0),
                _ => dest.lowered & !EDGE,
            };
        }
        self.blocks = postorder;
    }

    /// The index of `block` in the order, if it is reachable.
    pub fn index_of(&self, block: Block) -> Option<u32> {
        self.index_of[block].expand().map(|index| index.0)
    }

    /// Number of distinct destinations of `block`'s branch.
    pub fn num_dests(&self, block: Block) -> usize {
        self.spans[block].1 as usize
    }

    /// Where destination `i` of `block`'s branch leads: the index of the lowered block, the position of the
    /// destination in the instruction, and whether the lowered block is the edge's own, which passes the
    /// arguments.
    pub fn dest(&self, block: Block, i: usize) -> (u32, usize, bool) {
        let dest = self.dests[self.spans[block].0 as usize + i];
        let own = matches!(self.blocks[dest.lowered as usize], LoweredBlock::Edge { .. });
        (dest.lowered, dest.call as usize, own)
    }

    /// For a `br_table` with `entries` table entries: for the default and then each entry, the index of its
    /// destination.
    pub fn table(&self, block: Block, entries: usize) -> &[u32] {
        let start = self.tables[block] as usize;
        &self.table_dests[start..start + entries + 1]
    }
}

const EDGE: u32 = 1 << 31;
