//! A place in a function, where instructions are inserted and from which they are walked.

use super::InstBuilder;
use crate::dfg::DataFlowGraph;
use crate::entities::{Block, Inst};
use crate::function::{Function, SourceLoc};
use crate::instdata::InstData;
use crate::types::Type;

/// Where a cursor stands.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum CursorPosition {
    /// Nowhere: instructions that are built stay outside of the layout.
    Nowhere,
    /// At the start of a block; new instructions come first, in the order in which they are built.
    Before(Block),
    /// At an instruction; new ones come before it.
    At(Inst),
    /// After an instruction; new ones follow it, in the order in which they are built.
    AfterInst(Inst),
    /// At the end of a block; new instructions are appended.
    After(Block),
}

/// A function and a place in it.
pub struct FuncCursor<'f> {
    /// The function.
    pub func: &'f mut Function,
    position: CursorPosition,
    srcloc: SourceLoc,
}

impl<'f> FuncCursor<'f> {
    /// Nowhere in `func`.
    pub fn new(func: &'f mut Function) -> FuncCursor<'f> {
        FuncCursor { func, position: CursorPosition::Nowhere, srcloc: SourceLoc::NONE }
    }

    /// At `position`.
    pub fn at_position(mut self, position: CursorPosition) -> FuncCursor<'f> {
        self.position = position;
        self
    }

    /// At `inst`: new instructions come before it and have its source location.
    pub fn at_inst(mut self, inst: Inst) -> FuncCursor<'f> {
        self.goto_inst(inst);
        self.use_srcloc(inst);
        self
    }

    /// After `inst`: new instructions follow it and have its source location.
    pub fn after_inst(mut self, inst: Inst) -> FuncCursor<'f> {
        self.goto_after_inst(inst);
        self.use_srcloc(inst);
        self
    }

    /// At the start of `block`.
    pub fn at_top(mut self, block: Block) -> FuncCursor<'f> {
        self.goto_top(block);
        self
    }

    /// At the end of `block`.
    pub fn at_bottom(mut self, block: Block) -> FuncCursor<'f> {
        self.goto_bottom(block);
        self
    }

    /// Where the cursor stands.
    pub fn position(&self) -> CursorPosition {
        self.position
    }

    /// Goes to `position`.
    pub fn set_position(&mut self, position: CursorPosition) {
        self.position = position;
    }

    /// Goes to `inst`.
    pub fn goto_inst(&mut self, inst: Inst) {
        self.position = CursorPosition::At(inst);
    }

    /// Goes behind `inst`.
    pub fn goto_after_inst(&mut self, inst: Inst) {
        self.position = CursorPosition::AfterInst(inst);
    }

    /// Goes to the start of `block`.
    pub fn goto_top(&mut self, block: Block) {
        self.position = CursorPosition::Before(block);
    }

    /// Goes to the end of `block`.
    pub fn goto_bottom(&mut self, block: Block) {
        self.position = CursorPosition::After(block);
    }

    /// What new instructions get as their source location.
    pub fn srcloc(&self) -> SourceLoc {
        self.srcloc
    }

    /// Gives new instructions the source location `srcloc`.
    pub fn set_srcloc(&mut self, srcloc: SourceLoc) {
        self.srcloc = srcloc;
    }

    /// The same, giving new instructions the source location `srcloc`.
    pub fn with_srcloc(mut self, srcloc: SourceLoc) -> FuncCursor<'f> {
        self.srcloc = srcloc;
        self
    }

    /// Gives new instructions the source location of `inst`.
    pub fn use_srcloc(&mut self, inst: Inst) {
        self.srcloc = self.func.srclocs[inst];
    }

    /// The block that the cursor is in.
    pub fn current_block(&self) -> Option<Block> {
        match self.position {
            CursorPosition::Nowhere => None,
            CursorPosition::Before(block) | CursorPosition::After(block) => Some(block),
            CursorPosition::At(inst) | CursorPosition::AfterInst(inst) => self.func.layout.inst_block(inst),
        }
    }

    /// The instruction that the cursor is at.
    pub fn current_inst(&self) -> Option<Inst> {
        match self.position {
            CursorPosition::At(inst) => Some(inst),
            _ => None,
        }
    }

    /// Goes to the next instruction, from the start of a block to its first. After the last the cursor is at
    /// the block's end, and there is none.
    pub fn next_inst(&mut self) -> Option<Inst> {
        let layout = &self.func.layout;
        let (next, block) = match self.position {
            CursorPosition::Nowhere | CursorPosition::After(_) => return None,
            CursorPosition::Before(block) => (layout.first_inst(block), Some(block)),
            CursorPosition::At(inst) | CursorPosition::AfterInst(inst) => {
                (layout.next_inst(inst), layout.inst_block(inst))
            }
        };
        self.position = match (next, block) {
            (Some(inst), _) => CursorPosition::At(inst),
            (None, Some(block)) => CursorPosition::After(block),
            (None, None) => CursorPosition::Nowhere,
        };
        next
    }

    /// Goes to the instruction before, from the end of a block to its last. Before the first the cursor is at
    /// the block's start, and there is none.
    pub fn prev_inst(&mut self) -> Option<Inst> {
        let layout = &self.func.layout;
        let (prev, block) = match self.position {
            CursorPosition::Nowhere | CursorPosition::Before(_) => return None,
            CursorPosition::After(block) => (layout.last_inst(block), Some(block)),
            CursorPosition::At(inst) => (layout.prev_inst(inst), layout.inst_block(inst)),
            CursorPosition::AfterInst(inst) => (Some(inst), None),
        };
        self.position = match (prev, block) {
            (Some(inst), _) => CursorPosition::At(inst),
            (None, Some(block)) => CursorPosition::Before(block),
            (None, None) => CursorPosition::Nowhere,
        };
        prev
    }

    /// Goes to the start of the next block; from nowhere, of the entry block. After the last block the cursor
    /// is nowhere.
    pub fn next_block(&mut self) -> Option<Block> {
        let next = match self.current_block() {
            Some(block) => self.func.layout.next_block(block),
            None => self.func.layout.entry_block(),
        };
        self.position = next.map_or(CursorPosition::Nowhere, CursorPosition::Before);
        next
    }

    /// Goes to the end of the block before; from nowhere, of the last block. Before the first block the
    /// cursor is nowhere.
    pub fn prev_block(&mut self) -> Option<Block> {
        let prev = match self.current_block() {
            Some(block) => self.func.layout.prev_block(block),
            None => self.func.layout.last_block(),
        };
        self.position = prev.map_or(CursorPosition::Nowhere, CursorPosition::After);
        prev
    }

    /// Puts `block`, which is new to the layout, behind the current block, or behind all from nowhere, and
    /// goes to its end.
    pub fn insert_block(&mut self, block: Block) {
        match self.current_block() {
            Some(current) => self.func.layout.insert_block_after(block, current),
            None => self.func.layout.append_block(block),
        }
        self.position = CursorPosition::After(block);
    }

    /// Puts `inst`, which is not in the layout, where the cursor stands.
    pub fn insert_inst(&mut self, inst: Inst) {
        let layout = &mut self.func.layout;
        match self.position {
            CursorPosition::Nowhere => {}
            CursorPosition::At(next) => layout.insert_inst_before(inst, next),
            CursorPosition::After(block) => layout.append_inst(inst, block),
            CursorPosition::Before(block) => {
                match layout.first_inst(block) {
                    Some(first) => layout.insert_inst_before(inst, first),
                    None => layout.append_inst(inst, block),
                }
                self.position = CursorPosition::AfterInst(inst);
            }
            CursorPosition::AfterInst(prev) => {
                layout.insert_inst_after(inst, prev);
                self.position = CursorPosition::AfterInst(inst);
            }
        }
    }

    /// Takes the current instruction out of the layout, and goes to the next one or to the block's end.
    pub fn remove_inst(&mut self) -> Option<Inst> {
        let inst = self.current_inst()?;
        self.next_inst();
        self.func.layout.remove_inst(inst);
        Some(inst)
    }

    /// Takes the current instruction out of the layout, and goes to the one before or to the block's start:
    /// the next [`next_inst`](Self::next_inst) is the one that followed.
    pub fn remove_inst_and_step_back(&mut self) -> Option<Inst> {
        let inst = self.current_inst()?;
        self.prev_inst();
        self.func.layout.remove_inst(inst);
        Some(inst)
    }

    /// Builds an instruction here.
    pub fn ins(&mut self) -> InsertBuilder<'_, 'f> {
        InsertBuilder { cursor: self }
    }
}

/// Inserts what it builds where a cursor stands.
pub struct InsertBuilder<'c, 'f> {
    cursor: &'c mut FuncCursor<'f>,
}

impl InstBuilder for InsertBuilder<'_, '_> {
    fn dfg(&self) -> &DataFlowGraph {
        &self.cursor.func.dfg
    }

    fn dfg_mut(&mut self) -> &mut DataFlowGraph {
        &mut self.cursor.func.dfg
    }

    fn build(&mut self, data: InstData, ctrl: Type) -> Inst {
        let inst = self.cursor.func.dfg.make_inst(data);
        self.cursor.func.dfg.make_inst_results(inst, ctrl);
        self.cursor.insert_inst(inst);
        let srcloc = self.cursor.srcloc;
        if !srcloc.is_none() {
            self.cursor.func.srclocs[inst] = srcloc;
        }
        inst
    }
}
