//! SSA construction: which value a variable has in a block.
//!
//! **In**: variables with types, definitions in blocks, edges between blocks, and the promise (sealing) that a
//! block has all its predecessors. **Out**: for each use a value, and block parameters with arguments on the edges
//! where several values meet.
//!
//! **Algorithm**: Braun, Buchwald, Hack, Leißa, Mallon, Zwinkau: "Simple and Efficient Construction of Static
//! Single Assignment Form" (CC 2013), section 2, with an explicit stack instead of recursion. A use without a
//! definition in its block asks the predecessors: through a chain of single predecessors directly, at a join
//! by a *phi*, which counts as the block's definition while its operands are looked up, so that loops end. Phis of
//! unsealed blocks wait; a look-up that meets one whose block has been sealed meanwhile completes it on the way.
//!
//! A phi is a value that nothing defines until it is known whether it is needed. When all its operands are
//! one value besides itself, it becomes an alias of that (section 2.3: redundant phis also go in groups, by
//! rounds over what one look-up has made). Otherwise it becomes the last parameter of its block, and its
//! operands the last arguments of the edges. No parameter is ever removed again.
//!
//! **Cost**: linear in instructions, edges, and pairs of a block and a variable that is used in or through
//! it. The newest definition of each variable stands with the variable, so that straight code does not hash; older ones
//! are in a table by block and variable.

use super::Variable;
use crate::builder::{CursorPosition, FuncCursor, InstBuilder};
use crate::dfg::{DataFlowGraph, MAX_VALUES, ValueDef};
use crate::entities::{Block, Inst, Value};
use crate::function::Function;
use crate::immediates::{Ieee16, Ieee32, Ieee64};
use crate::instdata::{BlockArg, BlockCall, InstData};
use crate::types::{self, Type};
use alloc::vec;
use alloc::vec::Vec;
use cranelift_entity::packed_option::{PackedOption, ReservedValue};
use cranelift_entity::{EntityRef, PrimaryMap, SecondaryMap};
use hashbrown::HashMap;

/// The end of a list.
const NONE: u32 = u32::MAX;

/// A look-up that goes up a chain of single predecessors leaves what it found in one of so many blocks, and where a
/// front end asked. Others will pass by there; the rest would only cost memory.
const MEMO_DISTANCE: usize = 8;

/// Rounds that look for redundant phis among those of one look-up. Each loop around another may need one; what is
/// left after the last is correct, if not minimal.
const MOST_ROUNDS: usize = 16;

#[derive(Clone, Copy, Debug)]
struct VariableData {
    ty: Type,
    /// Where it was defined last, by an assignment or by a look-up, and as what.
    block: PackedOption<Block>,
    value: Value,
}

/// An edge of the control-flow graph: destination `dest` of `inst`, counted as `branch_destinations` does.
#[derive(Clone, Copy, Debug)]
struct Edge {
    inst: Inst,
    dest: u32,
    next: u32,
}

#[derive(Clone, Copy, Debug)]
struct Incomplete {
    phi: Value,
    next: u32,
}

#[derive(Clone, Copy, Debug)]
struct BlockData {
    sealed: bool,
    filled: bool,
    /// Edges come from more than one block.
    is_join: bool,
    /// Some of its parameters are phis.
    has_phis: bool,
    /// The block that the first edge comes from.
    pred: PackedOption<Block>,
    first_edge: u32,
    last_edge: u32,
    edges: u32,
    first_incomplete: u32,
    last_incomplete: u32,
    /// The walk that came by last.
    walk: u32,
}

impl Default for BlockData {
    fn default() -> BlockData {
        BlockData {
            sealed: false,
            filled: false,
            is_join: false,
            has_phis: false,
            pred: None.into(),
            first_edge: NONE,
            last_edge: NONE,
            edges: 0,
            first_incomplete: NONE,
            last_incomplete: NONE,
            walk: 0,
        }
    }
}

/// A phi whose operands are being looked up.
#[derive(Clone, Copy, Debug)]
struct Frame {
    var: Variable,
    phi: Value,
    block: Block,
    /// The edge whose operand is next.
    edge: u32,
    first_operand: u32,
    operands: u32,
    next_operand: u32,
}

/// A phi whose operands are known and that seems to be needed.
#[derive(Clone, Copy, Debug)]
struct Phi {
    value: Value,
    block: Block,
    first_operand: u32,
    operands: u32,
}

/// What a look-up does next.
enum Step {
    /// Find the value at the end of a block.
    Find(Variable, Block),
    /// It is found.
    Found(Value),
}

/// What the operands of a phi are.
enum Operands {
    /// Several values.
    Differ,
    /// One value besides the phi itself.
    One(Value),
    /// The phi itself: nothing that runs gets here.
    Itself,
}

/// What went wrong besides an operation's own errors; the builder asks after each.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Findings {
    /// A variable that a path uses without a definition.
    pub(super) undefined: Option<Variable>,
    /// A block that needs more parameters than there can be.
    pub(super) too_many_params: Option<Block>,
}

/// State of the construction.
#[derive(Clone, Debug, Default)]
pub(super) struct Ssa {
    variables: PrimaryMap<Variable, VariableData>,
    /// Definitions that a later one of the same variable in another block has displaced.
    displaced: HashMap<(Block, Variable), Value>,
    blocks: SecondaryMap<Block, BlockData>,
    edges: Vec<Edge>,
    incomplete: Vec<Incomplete>,
    /// Phis that wait for their block to be sealed and their operands to be looked up.
    waiting: HashMap<Value, (Variable, Block)>,
    /// Zeros of each type that has been needed, in the entry block.
    zeros: Vec<(Type, Value)>,
    walks: u32,
    chain: Vec<Block>,
    frames: Vec<Frame>,
    operands: Vec<Value>,
    phis: Vec<Phi>,
    /// A phi became an alias after others were found that may have it as an operand.
    stale: bool,
    pub(super) findings: Findings,
}

impl Ssa {
    /// Forgets everything and keeps the memory.
    pub(super) fn clear(&mut self) {
        self.variables.clear();
        self.displaced.clear();
        self.blocks.clear();
        self.edges.clear();
        self.incomplete.clear();
        self.waiting.clear();
        self.zeros.clear();
        self.walks = 0;
        self.chain.clear();
        self.frames.clear();
        self.operands.clear();
        self.phis.clear();
        self.stale = false;
        self.findings = Findings::default();
    }

    // ----- Variables -----

    pub(super) fn declare(&mut self, ty: Type) -> Variable {
        let value = Value::reserved_value();
        self.variables.push(VariableData { ty, block: None.into(), value })
    }

    /// The type of `var`, if it is declared.
    pub(super) fn variable_type(&self, var: Variable) -> Option<Type> {
        self.variables.get(var).map(|data| data.ty)
    }

    /// `var`, which is declared, is `value` from here on in `block`.
    pub(super) fn define(&mut self, var: Variable, block: Block, value: Value) {
        let data = &mut self.variables[var];
        if let Some(other) = data.block.expand()
            && other != block
        {
            self.displaced.insert((other, var), data.value);
        }
        data.block = block.into();
        data.value = value;
    }

    /// What `var` is at the end of `block`, as far as is known without asking its predecessors.
    fn definition(&self, dfg: &DataFlowGraph, var: Variable, block: Block) -> Option<Value> {
        let data = &self.variables[var];
        let value =
            if data.block == block.into() { data.value } else { *self.displaced.get(&(block, var))? };
        Some(dfg.resolve_aliases(value))
    }

    /// The value of `var`, which is declared, here in `block`.
    pub(super) fn use_var(&mut self, func: &mut Function, var: Variable, block: Block) -> Value {
        match self.definition(&func.dfg, var, block) {
            Some(value) => value,
            None => self.look_up(func, Step::Find(var, block)),
        }
    }

    // ----- Blocks -----

    pub(super) fn is_sealed(&self, block: Block) -> bool {
        self.blocks[block].sealed
    }

    pub(super) fn is_filled(&self, block: Block) -> bool {
        self.blocks[block].filled
    }

    pub(super) fn set_filled(&mut self, block: Block) {
        self.blocks[block].filled = true;
    }

    pub(super) fn has_predecessors(&self, block: Block) -> bool {
        self.blocks[block].edges > 0
    }

    pub(super) fn has_phis(&self, block: Block) -> bool {
        self.blocks[block].has_phis
    }

    /// Adds destination `dest` of `inst`, which stands in `from`, to the edges into `block`.
    pub(super) fn add_edge(&mut self, block: Block, inst: Inst, from: Block, dest: u32) {
        let index = self.edges.len() as u32;
        self.edges.push(Edge { inst, dest, next: NONE });
        let data = &mut self.blocks[block];
        match data.last_edge {
            NONE => data.first_edge = index,
            last => self.edges[last as usize].next = index,
        }
        data.last_edge = index;
        data.edges += 1;
        match data.pred.expand() {
            None => data.pred = from.into(),
            Some(pred) => data.is_join |= pred != from,
        }
    }

    /// Takes the edges of `inst` out of those into `block`.
    pub(super) fn remove_edges(&mut self, func: &Function, block: Block, inst: Inst) {
        let mut at = self.blocks[block].first_edge;
        let fresh = BlockData {
            pred: None.into(),
            is_join: false,
            first_edge: NONE,
            last_edge: NONE,
            edges: 0,
            ..self.blocks[block]
        };
        self.blocks[block] = fresh;
        while at != NONE {
            let edge = self.edges[at as usize];
            at = edge.next;
            if edge.inst != inst
                && let Some(from) = func.layout.inst_block(edge.inst)
            {
                self.add_edge(block, edge.inst, from, edge.dest);
            }
        }
    }

    /// `block` has all its edges.
    pub(super) fn seal(&mut self, func: &mut Function, block: Block) {
        self.blocks[block].sealed = true;
        self.complete(func, block);
    }

    /// All blocks have all their edges. Sealing them together leaves fewer phis than one after the other.
    pub(super) fn seal_all(&mut self, func: &mut Function) {
        let count = func.dfg.num_blocks();
        for block in (0..count).map(Block::new) {
            self.blocks[block].sealed = true;
        }
        for block in (0..count).map(Block::new) {
            self.complete(func, block);
        }
    }

    /// Looks up the operands of the phis that wait in `block`, which is sealed.
    fn complete(&mut self, func: &mut Function, block: Block) {
        let mut at = self.blocks[block].first_incomplete;
        self.blocks[block].first_incomplete = NONE;
        self.blocks[block].last_incomplete = NONE;
        while at != NONE {
            let Incomplete { phi, next } = self.incomplete[at as usize];
            at = next;
            // A look-up may have passed by.
            if let Some((var, _)) = self.waiting.remove(&phi) {
                let step = self.open(func, var, phi, block);
                self.look_up(func, step);
            }
        }
    }

    // ----- Look-ups -----

    /// Takes steps until the value at the bottom of the stack is found, and settles the phis that this made.
    fn look_up(&mut self, func: &mut Function, mut step: Step) -> Value {
        let value = loop {
            step = match step {
                Step::Find(var, block) => self.walk(func, var, block),
                Step::Found(value) => match self.frames.last_mut() {
                    None => break value,
                    Some(frame) => {
                        // Edges of one branch stand next to each other.
                        let Edge { inst, .. } = self.edges[frame.edge as usize];
                        while frame.edge != NONE && self.edges[frame.edge as usize].inst == inst {
                            self.operands[frame.next_operand as usize] = value;
                            frame.next_operand += 1;
                            frame.edge = self.edges[frame.edge as usize].next;
                        }
                        let frame = *frame;
                        self.next_operand(func, frame)
                    }
                },
            };
        };
        self.settle(func);
        func.dfg.resolve_aliases(value)
    }

    /// Goes up from `block` while there is one way, to a definition or a place for one.
    fn walk(&mut self, func: &mut Function, var: Variable, mut block: Block) -> Step {
        self.walks = match self.walks.checked_add(1) {
            Some(n) => n,
            None => {
                for data in self.blocks.values_mut() {
                    data.walk = 0;
                }
                1
            }
        };
        let asked = self.frames.is_empty();
        let (value, step) = loop {
            if let Some(value) = self.definition(&func.dfg, var, block) {
                if func.dfg.value_def(value) == ValueDef::None
                    && let Some(&(its_var, its_block)) = self.waiting.get(&value)
                    && self.blocks[its_block].sealed
                {
                    self.waiting.remove(&value);
                    break (value, self.open(func, its_var, value, its_block));
                }
                break (value, Step::Found(value));
            }
            let data = &mut self.blocks[block];
            if !data.sealed {
                let phi = self.wait(func, var, block);
                break (phi, Step::Found(phi));
            }
            if data.is_join {
                let phi = func.dfg.make_undefined_value(self.variables[var].ty);
                self.define(var, block, phi);
                break (phi, self.open(func, var, phi, block));
            }
            match data.pred.expand() {
                Some(pred) if data.walk != self.walks => {
                    data.walk = self.walks;
                    self.chain.push(block);
                    block = pred;
                }
                // No way in, or only one from itself.
                _ => {
                    let zero = self.undefined(func, var, block);
                    self.define(var, block, zero);
                    break (zero, Step::Found(zero));
                }
            }
        };
        // The block that asked comes last, and stays the newest.
        while let Some(block) = self.chain.pop() {
            let distance = self.chain.len();
            if distance.is_multiple_of(MEMO_DISTANCE) && (asked || distance > 0) {
                self.define(var, block, value);
            }
        }
        step
    }

    /// A phi of `block`, which is not sealed, for `var`.
    fn wait(&mut self, func: &mut Function, var: Variable, block: Block) -> Value {
        let phi = func.dfg.make_undefined_value(self.variables[var].ty);
        let index = self.incomplete.len() as u32;
        self.incomplete.push(Incomplete { phi, next: NONE });
        let data = &mut self.blocks[block];
        match data.last_incomplete {
            NONE => data.first_incomplete = index,
            last => self.incomplete[last as usize].next = index,
        }
        data.last_incomplete = index;
        self.waiting.insert(phi, (var, block));
        self.define(var, block, phi);
        phi
    }

    /// Begins to look up the operands of `phi`, of `block`, which is sealed.
    fn open(&mut self, func: &mut Function, var: Variable, phi: Value, block: Block) -> Step {
        let data = &self.blocks[block];
        let first_operand = self.operands.len() as u32;
        let (edge, operands) = (data.first_edge, data.edges);
        let frame = Frame { var, phi, block, edge, first_operand, operands, next_operand: first_operand };
        self.operands.resize(self.operands.len() + operands as usize, phi);
        self.frames.push(frame);
        self.next_operand(func, frame)
    }

    /// The operand of the next edge of `frame`, the innermost; after the last, the phi is known.
    fn next_operand(&mut self, func: &mut Function, frame: Frame) -> Step {
        if frame.edge != NONE {
            let inst = self.edges[frame.edge as usize].inst;
            return match func.layout.inst_block(inst) {
                Some(pred) => Step::Find(frame.var, pred),
                // Somebody has removed the branch: nothing comes this way.
                None => Step::Found(frame.phi),
            };
        }
        self.frames.pop();
        let Frame { var, phi, block, first_operand, operands, .. } = frame;
        let found = Phi { value: phi, block, first_operand, operands };
        let one = match self.judge(&func.dfg, found) {
            Operands::Differ => {
                self.phis.push(found);
                return Step::Found(phi);
            }
            Operands::One(value) => value,
            Operands::Itself => self.undefined(func, var, block),
        };
        func.dfg.change_to_alias(phi, one);
        if (first_operand + operands) as usize == self.operands.len() {
            self.operands.truncate(first_operand as usize);
        }
        self.stale |= !self.phis.is_empty();
        Step::Found(one)
    }

    fn judge(&self, dfg: &DataFlowGraph, phi: Phi) -> Operands {
        let first = phi.first_operand as usize;
        let mut one = None;
        for &operand in &self.operands[first..first + phi.operands as usize] {
            let operand = dfg.resolve_aliases(operand);
            if operand != phi.value && one.is_none_or(|one| one != operand) {
                if one.is_some() {
                    return Operands::Differ;
                }
                one = Some(operand);
            }
        }
        one.map_or(Operands::Itself, Operands::One)
    }

    /// Drops the redundant ones of the phis that a look-up has found; the others become parameters.
    fn settle(&mut self, func: &mut Function) {
        let mut rounds = 0;
        while self.stale && rounds < MOST_ROUNDS {
            self.stale = false;
            rounds += 1;
            // In the order in which they were completed: operands mostly before what uses them.
            for i in 0..self.phis.len() {
                let phi = self.phis[i];
                if func.dfg.alias_of(phi.value).is_none()
                    && let Operands::One(value) = self.judge(&func.dfg, phi)
                {
                    func.dfg.change_to_alias(phi.value, value);
                    self.stale = true;
                }
            }
        }
        self.stale = false;
        for i in 0..self.phis.len() {
            let phi = self.phis[i];
            if func.dfg.alias_of(phi.value).is_none() {
                self.attach(func, phi);
            }
        }
        self.phis.clear();
        self.operands.clear();
    }

    /// Makes `phi` a parameter, and its operands arguments.
    fn attach(&mut self, func: &mut Function, phi: Phi) {
        let Phi { value, block, first_operand, .. } = phi;
        if func.dfg.block_params(block).len() >= MAX_VALUES {
            self.findings.too_many_params = Some(block);
            let zero = self.zero(func, func.dfg.value_type(value), block);
            func.dfg.change_to_alias(value, zero);
            return;
        }
        func.dfg.attach_block_param(block, value, func.dfg.value_type(value));
        self.blocks[block].has_phis = true;
        let mut at = self.blocks[block].first_edge;
        let mut operand = first_operand as usize;
        while at != NONE {
            let Edge { inst, dest, next } = self.edges[at as usize];
            at = next;
            let value = func.dfg.resolve_aliases(self.operands[operand]);
            operand += 1;
            append_arg(&mut func.dfg, inst, dest as usize, value);
        }
    }

    // ----- Variables without a definition -----

    fn undefined(&mut self, func: &mut Function, var: Variable, block: Block) -> Value {
        self.findings.undefined.get_or_insert(var);
        self.zero(func, self.variables[var].ty, block)
    }

    /// The zero of type `ty`, at the start of the entry block, from where it reaches everything. `block` becomes the
    /// entry if there is none.
    pub(super) fn zero(&mut self, func: &mut Function, ty: Type, block: Block) -> Value {
        if let Some(&(_, zero)) = self.zeros.iter().find(|&&(known, _)| known == ty) {
            return zero;
        }
        let entry = match func.layout.entry_block() {
            Some(entry) => entry,
            None => {
                func.layout.append_block(block);
                block
            }
        };
        let zero = make_zero(func, ty, CursorPosition::Before(entry));
        self.zeros.push((ty, zero));
        zero
    }
}

/// Builds the zero of type `ty` at a place.
fn make_zero(func: &mut Function, ty: Type, position: CursorPosition) -> Value {
    let mut at = FuncCursor::new(func).at_position(position);
    match ty {
        types::I128 => {
            let low = at.ins().iconst(types::I64, 0);
            at.ins().uextend(types::I128, low)
        }
        types::F16 => at.ins().f16const(Ieee16(0)),
        types::F32 => at.ins().f32const(Ieee32(0)),
        types::F64 => at.ins().f64const(Ieee64(0)),
        types::F128 => {
            let zero = at.func.dfg.constants.push(vec![0; 16]);
            at.ins().f128const(zero)
        }
        _ if ty.is_vector() => {
            let zero = at.func.dfg.constants.push(vec![0; ty.bytes() as usize]);
            at.ins().vconst(ty, zero)
        }
        _ => at.ins().iconst(ty, 0),
    }
}

/// Adds an argument to destination `dest` of `inst`.
fn append_arg(dfg: &mut DataFlowGraph, inst: Inst, dest: usize, value: Value) {
    let call: Option<&mut BlockCall> = match &mut dfg.insts[inst] {
        InstData::Jump { dest: call, .. } => Some(call),
        InstData::Brif { dests, .. } => dests.get_mut(dest),
        InstData::BranchTable { table, .. } => match dfg.jump_tables.get_mut(*table) {
            Some(table) if dest == 0 => Some(&mut table.default),
            Some(table) => table.table.get_mut(dest - 1),
            None => None,
        },
        InstData::TryCall { exception, .. } | InstData::TryCallIndirect { exception, .. } => {
            dfg.exception_tables.get_mut(*exception).and_then(|table| table.all_mut().nth(dest))
        }
        _ => None,
    };
    if let Some(call) = call {
        call.append_arg(BlockArg::Value(value), &mut dfg.block_args);
    }
}
