//! The order of blocks in a function and of instructions in a block: doubly linked lists in dense maps, so
//! that inserting, removing and splitting take constant time.

use crate::entities::{Block, Inst};
use cranelift_entity::SecondaryMap;
use cranelift_entity::packed_option::PackedOption;

#[derive(Clone, Copy, Debug, Default)]
struct BlockNode {
    prev: PackedOption<Block>,
    next: PackedOption<Block>,
    first: PackedOption<Inst>,
    last: PackedOption<Inst>,
    inserted: bool,
    cold: bool,
}

#[derive(Clone, Copy, Debug, Default)]
struct InstNode {
    block: PackedOption<Block>,
    prev: PackedOption<Inst>,
    next: PackedOption<Inst>,
}

/// The order of a function's blocks and instructions. The first block is the entry.
#[derive(Clone, Debug, Default)]
pub struct Layout {
    blocks: SecondaryMap<Block, BlockNode>,
    insts: SecondaryMap<Inst, InstNode>,
    first: PackedOption<Block>,
    last: PackedOption<Block>,
}

impl Layout {
    /// Nothing.
    pub fn new() -> Layout {
        Layout::default()
    }

    /// Empties the layout and keeps its memory.
    pub fn clear(&mut self) {
        self.blocks.clear();
        self.insts.clear();
        self.first = None.into();
        self.last = None.into();
    }

    /// The first block.
    pub fn entry_block(&self) -> Option<Block> {
        self.first.expand()
    }

    /// The last block.
    pub fn last_block(&self) -> Option<Block> {
        self.last.expand()
    }

    /// Is `block` in the layout?
    pub fn is_block_inserted(&self, block: Block) -> bool {
        self.blocks[block].inserted
    }

    /// The block before `block`.
    pub fn prev_block(&self, block: Block) -> Option<Block> {
        self.blocks[block].prev.expand()
    }

    /// The block after `block`.
    pub fn next_block(&self, block: Block) -> Option<Block> {
        self.blocks[block].next.expand()
    }

    /// Is `block` seldom reached, so that its code goes to the end?
    pub fn is_cold(&self, block: Block) -> bool {
        self.blocks[block].cold
    }

    /// Marks `block` as seldom reached.
    pub fn set_cold(&mut self, block: Block) {
        self.blocks[block].cold = true;
    }

    /// Puts `block` at the end.
    pub fn append_block(&mut self, block: Block) {
        self.link_block(block, self.last.expand(), None);
    }

    /// Puts `block` before `next`.
    pub fn insert_block_before(&mut self, block: Block, next: Block) {
        self.link_block(block, self.prev_block(next), Some(next));
    }

    /// Puts `block` after `prev`.
    pub fn insert_block_after(&mut self, block: Block, prev: Block) {
        self.link_block(block, Some(prev), self.next_block(prev));
    }

    fn link_block(&mut self, block: Block, prev: Option<Block>, next: Option<Block>) {
        debug_assert!(!self.is_block_inserted(block), "{block} stands in the layout already");
        let node = &mut self.blocks[block];
        node.inserted = true;
        node.prev = prev.into();
        node.next = next.into();
        match prev {
            Some(prev) => self.blocks[prev].next = block.into(),
            None => self.first = block.into(),
        }
        match next {
            Some(next) => self.blocks[next].prev = block.into(),
            None => self.last = block.into(),
        }
    }

    /// Takes `block`, which must be empty, out.
    pub fn remove_block(&mut self, block: Block) {
        let node = self.blocks[block];
        debug_assert!(node.inserted && node.first.is_none(), "{block} must stand in the layout and be empty");
        match node.prev.expand() {
            Some(prev) => self.blocks[prev].next = node.next,
            None => self.first = node.next,
        }
        match node.next.expand() {
            Some(next) => self.blocks[next].prev = node.prev,
            None => self.last = node.prev,
        }
        self.blocks[block] = BlockNode { cold: node.cold, ..BlockNode::default() };
    }

    /// The blocks, in order.
    pub fn blocks(&self) -> Blocks<'_> {
        Blocks { layout: self, next: self.first.expand() }
    }

    /// The block that `inst` stands in.
    pub fn inst_block(&self, inst: Inst) -> Option<Block> {
        self.insts[inst].block.expand()
    }

    /// The first instruction of `block`.
    pub fn first_inst(&self, block: Block) -> Option<Inst> {
        self.blocks[block].first.expand()
    }

    /// The last instruction of `block`: its terminator, once it is complete.
    pub fn last_inst(&self, block: Block) -> Option<Inst> {
        self.blocks[block].last.expand()
    }

    /// The instruction after `inst` in its block.
    pub fn next_inst(&self, inst: Inst) -> Option<Inst> {
        self.insts[inst].next.expand()
    }

    /// The instruction before `inst` in its block.
    pub fn prev_inst(&self, inst: Inst) -> Option<Inst> {
        self.insts[inst].prev.expand()
    }

    /// Puts `inst` at the end of `block`.
    pub fn append_inst(&mut self, inst: Inst, block: Block) {
        debug_assert!(self.is_block_inserted(block), "{block} is not in the layout");
        self.link_inst(inst, block, self.last_inst(block), None);
    }

    /// Puts `inst` before `next`.
    pub fn insert_inst_before(&mut self, inst: Inst, next: Inst) {
        match self.inst_block(next) {
            Some(block) => self.link_inst(inst, block, self.prev_inst(next), Some(next)),
            None => debug_assert!(false, "{next} is not in the layout"),
        }
    }

    /// Puts `inst` after `prev`.
    pub fn insert_inst_after(&mut self, inst: Inst, prev: Inst) {
        match self.inst_block(prev) {
            Some(block) => self.link_inst(inst, block, Some(prev), self.next_inst(prev)),
            None => debug_assert!(false, "{prev} is not in the layout"),
        }
    }

    fn link_inst(&mut self, inst: Inst, block: Block, prev: Option<Inst>, next: Option<Inst>) {
        debug_assert!(self.inst_block(inst).is_none(), "{inst} stands in the layout already");
        self.insts[inst] = InstNode { block: block.into(), prev: prev.into(), next: next.into() };
        match prev {
            Some(prev) => self.insts[prev].next = inst.into(),
            None => self.blocks[block].first = inst.into(),
        }
        match next {
            Some(next) => self.insts[next].prev = inst.into(),
            None => self.blocks[block].last = inst.into(),
        }
    }

    /// Takes `inst` out.
    pub fn remove_inst(&mut self, inst: Inst) {
        let node = self.insts[inst];
        let Some(block) = node.block.expand() else { return };
        match node.prev.expand() {
            Some(prev) => self.insts[prev].next = node.next,
            None => self.blocks[block].first = node.next,
        }
        match node.next.expand() {
            Some(next) => self.insts[next].prev = node.prev,
            None => self.blocks[block].last = node.prev,
        }
        self.insts[inst] = InstNode::default();
    }

    /// The instructions of `block`, in order.
    pub fn block_insts(&self, block: Block) -> Insts<'_> {
        Insts { layout: self, next: self.first_inst(block), last: self.last_inst(block) }
    }

    /// Moves `before` and what follows it to `new_block`, which goes after the block of `before`.
    pub fn split_block(&mut self, new_block: Block, before: Inst) {
        let Some(old) = self.inst_block(before) else {
            debug_assert!(false, "{before} is not in the layout");
            return;
        };
        self.insert_block_after(new_block, old);
        let prev = self.insts[before].prev;
        self.blocks[new_block].first = before.into();
        self.blocks[new_block].last = self.blocks[old].last;
        self.blocks[old].last = prev;
        match prev.expand() {
            Some(prev) => self.insts[prev].next = None.into(),
            None => self.blocks[old].first = None.into(),
        }
        self.insts[before].prev = None.into();
        let mut at = Some(before);
        while let Some(inst) = at {
            self.insts[inst].block = new_block.into();
            at = self.next_inst(inst);
        }
    }
}

/// The blocks of a layout, in order.
#[derive(Clone)]
pub struct Blocks<'a> {
    layout: &'a Layout,
    next: Option<Block>,
}

impl Iterator for Blocks<'_> {
    type Item = Block;
    fn next(&mut self) -> Option<Block> {
        let block = self.next?;
        self.next = self.layout.next_block(block);
        Some(block)
    }
}

/// The instructions of a block, in order.
#[derive(Clone)]
pub struct Insts<'a> {
    layout: &'a Layout,
    next: Option<Inst>,
    last: Option<Inst>,
}

impl Iterator for Insts<'_> {
    type Item = Inst;
    fn next(&mut self) -> Option<Inst> {
        let inst = self.next?;
        self.next = if self.last == Some(inst) { None } else { self.layout.next_inst(inst) };
        Some(inst)
    }
}

impl DoubleEndedIterator for Insts<'_> {
    fn next_back(&mut self) -> Option<Inst> {
        let inst = self.last?;
        self.next?;
        if self.next == Some(inst) {
            self.next = None;
        }
        self.last = self.layout.prev_inst(inst);
        Some(inst)
    }
}
