//! The blocks of one random function: parameters, what they pass to each other, how they end.

use super::memory::Slot;
use super::skeleton::{Ends, Exit, Skeleton};
use super::{Callee, Context, value_bits};
use crate::fuzz::menu::Menu;
use crate::fuzz::random::Random;
use std::collections::BTreeMap;
use windlass_ir::{
    Block, BlockArg, BlockCall, ExternalName, FuncCursor, FuncRef, Function, Ieee32, Ieee64, InstBuilder,
    JumpTableData, Opcode, SigRef, Signature, TrapCode, Type, Value, types,
};

/// Values by type, in the order of their definitions; blocks take off what is not theirs.
#[derive(Default)]
pub(super) struct Pool {
    lists: BTreeMap<Type, Vec<Value>>,
    /// Addresses of callees: number of the callee and address.
    pub(super) functions: Vec<(usize, Value)>,
    /// Addresses in slots: number of the slot, address, offset from the first byte that may be accessed.
    pub(super) addresses: Vec<(usize, Value, i32)>,
}

/// How much of a [`Pool`] there was.
struct Mark {
    lists: BTreeMap<Type, usize>,
    functions: usize,
    addresses: usize,
}

impl Pool {
    fn push(&mut self, ty: Type, v: Value) {
        self.lists.entry(ty).or_default().push(v);
    }

    /// The values of a type.
    pub(super) fn of(&self, ty: Type) -> &[Value] {
        self.lists.get(&ty).map_or(&[], Vec::as_slice)
    }

    fn mark(&self) -> Mark {
        let lists = self.lists.iter().map(|(&ty, list)| (ty, list.len())).collect();
        Mark { lists, functions: self.functions.len(), addresses: self.addresses.len() }
    }

    fn release(&mut self, mark: &Mark) {
        for (ty, list) in &mut self.lists {
            list.truncate(mark.lists.get(ty).copied().unwrap_or(0));
        }
        self.functions.truncate(mark.functions);
        self.addresses.truncate(mark.addresses);
    }
}

/// What kind of function it becomes.
pub(super) struct Style {
    /// Instructions of an average block.
    pub(super) block_insts: usize,
    /// In percent: an operand is a constant.
    pub(super) constants: usize,
    /// In percent: an operand is one of the last few values.
    pub(super) recent: usize,
    /// In percent: a live value is folded into the results.
    pub(super) folded: usize,
    /// In percent: an instruction is an access to memory.
    pub(super) memory: usize,
    /// Most parameters of a block.
    block_params: usize,
    /// Fuel is a parameter of every block, instead of in a slot.
    fuel_type: Option<Type>,
}

impl Style {
    fn random(random: &mut Random) -> Style {
        let fuel_types = [types::I8, types::I16, types::I32, types::I64];
        Style {
            block_insts: match random.below(10) {
                0..3 => 3,
                3..8 => 7,
                8 => 15,
                _ => 40,
            },
            constants: random.between(5, 35),
            recent: random.between(30, 90),
            folded: [15, 50, 90][random.below(3)],
            memory: if random.chance(50) { random.between(5, 35) } else { 0 },
            block_params: if random.chance(12) { 12 } else { 4 },
            fuel_type: if random.chance(50) { random.pick(&fuel_types).copied() } else { None },
        }
    }
}

/// A function in the making.
pub(super) struct Body<'a> {
    pub(super) menu: &'a Menu,
    pub(super) random: &'a mut Random,
    pub(super) func: Function,
    /// The block that is being made; instructions go to its end.
    pub(super) block: Block,
    pub(super) pool: Pool,
    pub(super) slots: Vec<Slot>,
    /// What the parameter with purpose `vmctx` points at.
    pub(super) context: Context,
    /// The stack pointer at the start.
    pub(super) stack_pointer: Option<Value>,
    pub(super) callees: &'a [Callee],
    /// Callees that are declared, by number.
    pub(super) declared: BTreeMap<usize, (FuncRef, SigRef)>,
    pub(super) style: Style,
    /// How many instructions that trap with some data may still come.
    pub(super) risks: usize,
    /// How many calls may still come.
    pub(super) calls: usize,
    blocks: Vec<Block>,
    /// Blocks have a last parameter of this type, which is what is left of the fuel.
    fuel_param: Option<Type>,
    /// The slot of the fuel.
    fuel_slot: Option<windlass_ir::StackSlot>,
    /// What is left in the block that is being made.
    fuel: Option<Value>,
}

/// Most units of fuel that a call gets.
const FUEL: usize = 14;

impl<'a> Body<'a> {
    pub(super) fn new(
        menu: &'a Menu,
        random: &'a mut Random,
        callees: &'a [Callee],
        name: ExternalName,
        signature: Signature,
    ) -> Body<'a> {
        let style = Style::random(random);
        let risks = if random.chance(30) { 1 + random.below(3) } else { 0 };
        let calls = if callees.is_empty() || random.chance(40) { 0 } else { 1 + random.below(3) };
        let mut func = Function::new(name, signature);
        let block = func.dfg.make_block();
        Body {
            menu,
            random,
            func,
            block,
            pool: Pool::default(),
            slots: Vec::new(),
            context: Context::None,
            stack_pointer: None,
            callees,
            declared: BTreeMap::new(),
            style,
            risks,
            calls,
            blocks: vec![block],
            fuel_param: None,
            fuel_slot: None,
            fuel: None,
        }
    }

    /// The same with a context that its callers know of.
    pub(super) fn in_context(self, context: Context) -> Self {
        Body { context, ..self }
    }

    /// Makes the function. Also gives the numbers of the callees that it may call.
    pub(super) fn run(mut self) -> (Function, Vec<usize>) {
        let n = match self.random.below(100) {
            0..25 => 1,
            25..60 => self.random.between(2, 5),
            60..95 => self.random.between(6, 14),
            _ => self.random.between(15, 40),
        };
        let exceptions = self.menu.exceptions && !self.callees.is_empty();
        let ends = Ends { tables: self.menu.tables, exceptions };
        let skeleton = Skeleton::random(n, ends, self.random);
        self.fuel_param = self.style.fuel_type.filter(|_| skeleton.fuel);
        self.declare_blocks(&skeleton);
        self.entry(&skeleton);
        // Dominators first; a block's values go when all that it dominates is done.
        let mut todo: Vec<(usize, Option<Mark>)> = vec![(0, None)];
        while let Some((i, done)) = todo.pop() {
            if let Some(mark) = done {
                self.pool.release(&mark);
                continue;
            }
            let mark = self.pool.mark();
            self.fill(i, &skeleton.exits[i]);
            todo.push((i, Some(mark)));
            let mut children = skeleton.children[i].clone();
            self.random.shuffle(&mut children);
            todo.extend(children.into_iter().map(|child| (child, None)));
        }
        for i in (0..skeleton.exits.len()).filter(|&i| !skeleton.reachable[i]) {
            let mark = self.pool.mark();
            self.fill(i, &skeleton.exits[i]);
            self.pool.release(&mark);
        }
        let called = self.declared.keys().copied().collect();
        (self.func, called)
    }

    /// Where the next instruction goes.
    pub(super) fn at(&mut self) -> FuncCursor<'_> {
        FuncCursor::new(&mut self.func).at_bottom(self.block)
    }

    /// Blocks with their parameters, in the layout.
    fn declare_blocks(&mut self, skeleton: &Skeleton) {
        for param in self.func.signature.params.clone() {
            self.func.dfg.append_block_param(self.block, param.value_type);
        }
        for _ in 1..skeleton.exits.len() {
            let block = self.func.dfg.make_block();
            self.blocks.push(block);
            let n = if self.random.chance(35) { 0 } else { self.random.below(self.style.block_params + 1) };
            let main = self.any_type();
            for _ in 0..n {
                // Several of one type can be swapped.
                let ty = if self.random.chance(60) { main } else { self.any_type() };
                self.func.dfg.append_block_param(block, ty);
            }
            if let Some(ty) = self.fuel_param {
                self.func.dfg.append_block_param(block, ty);
            }
        }
        let mut order = self.blocks.clone();
        if self.random.chance(25) {
            self.random.shuffle(&mut order[1..]);
        }
        for block in order {
            self.func.layout.append_block(block);
            if block != self.block && self.random.chance(4) {
                self.func.layout.set_cold(block);
            }
        }
    }

    /// Parameters, slots and fuel.
    fn entry(&mut self, skeleton: &Skeleton) {
        self.enter();
        if self.style.memory > 0 {
            self.make_slots();
        }
        if skeleton.fuel {
            let units = 1 + self.random.below(FUEL);
            match self.fuel_param {
                Some(ty) => self.fuel = Some(self.at().ins().iconst(ty, units as i64)),
                None => self.fuel_slot = Some(self.make_fuel_slot(units)),
            }
        }
    }

    /// Keeps the parameters of a block as operands.
    fn keep_params(&mut self) {
        for v in self.func.dfg.block_params(self.block).to_vec() {
            self.keep(v);
        }
    }

    /// The instructions of a block.
    fn fill(&mut self, i: usize, exit: &Exit) {
        self.block = self.blocks[i];
        if i > 0 {
            self.keep_params();
            if self.fuel_param.is_some() {
                self.fuel = self.func.dfg.block_params(self.block).last().copied();
            }
        }
        let n = self.random.below(2 * self.style.block_insts + 1);
        for _ in 0..n {
            self.step();
        }
        self.exit(exit);
    }

    /// A value becomes an operand of later instructions.
    pub(super) fn keep(&mut self, v: Value) {
        self.pool.push(self.func.dfg.value_type(v), v);
    }

    /// A type of values.
    pub(super) fn any_type(&mut self) -> Type {
        self.random.pick(&self.menu.types).copied().unwrap_or(types::I32)
    }

    /// A constant with these bits.
    pub(super) fn constant_of(&mut self, ty: Type, bits: u128) -> Value {
        match ty {
            types::F32 => self.at().ins().f32const(Ieee32(bits as u32)),
            types::F64 => self.at().ins().f64const(Ieee64(bits as u64)),
            types::I128 => {
                let low = self.at().ins().iconst(types::I64, bits as i64);
                let high = self.at().ins().iconst(types::I64, (bits >> 64) as i64);
                self.at().ins().iconcat(low, high)
            }
            _ => {
                let shift = 64 - ty.bits();
                self.at().ins().iconst(ty, (bits as i64) << shift >> shift)
            }
        }
    }

    /// A random constant.
    pub(super) fn constant(&mut self, ty: Type) -> Value {
        let bits = value_bits(ty, self.random);
        let v = self.constant_of(ty, bits);
        if self.random.chance(20) {
            self.keep(v);
        }
        v
    }

    /// An operand.
    pub(super) fn value(&mut self, ty: Type) -> Value {
        if self.random.chance(self.style.constants) {
            return self.constant(ty);
        }
        self.variable(ty)
    }

    /// An operand, mostly no constant.
    pub(super) fn variable(&mut self, ty: Type) -> Value {
        let recent = self.random.chance(self.style.recent);
        let list = self.pool.of(ty);
        let n = list.len();
        if n == 0 {
            return self.constant(ty);
        }
        let back = if recent { self.random.below(n.min(3)) } else { self.random.below(n) };
        list[n - 1 - back]
    }

    /// What is passed to a block.
    fn block_call(&mut self, target: usize) -> BlockCall {
        self.block_call_with(target, &[])
    }

    /// What is passed to a block by a call that may throw, which has these to offer.
    pub(super) fn block_call_with(&mut self, target: usize, offers: &[(Type, BlockArg)]) -> BlockCall {
        let block = self.blocks[target];
        let params = self.func.dfg.block_params(block).to_vec();
        let fuel = self.fuel_param.and(self.fuel);
        let plain = params.len() - usize::from(fuel.is_some());
        let mut args: Vec<BlockArg> = Vec::with_capacity(params.len());
        for &param in &params[..plain] {
            let ty = self.func.dfg.value_type(param);
            // Parameters of the target itself, where they are known: swaps and cycles.
            let own: Vec<Value> = if self.random.chance(40) {
                let known = self.pool.of(ty);
                params[..plain].iter().copied().filter(|p| known.contains(p)).collect()
            } else {
                Vec::new()
            };
            let fit: Vec<BlockArg> =
                offers.iter().filter(|&&(offered, _)| offered == ty).map(|&(_, arg)| arg).collect();
            if let Some(&offer) = self.random.pick(&fit).filter(|_| self.random.chance(70)) {
                args.push(offer);
                continue;
            }
            let arg = match self.random.pick(&own) {
                Some(&own) => own,
                None => self.value(ty),
            };
            args.push(arg.into());
        }
        args.extend(fuel.map(BlockArg::from));
        BlockCall::new(block, args, &mut self.func.dfg.block_args)
    }

    /// An integer that a branch or a trap looks at: often a comparison.
    pub(super) fn condition(&mut self) -> Value {
        if self.random.chance(70) {
            let ty = self.any_type();
            let opcode = if ty.is_int() { Opcode::Icmp } else { Opcode::Fcmp };
            if let Some(&[v]) = self.compute_by(opcode, ty, &[ty, ty]).as_deref() {
                return v;
            }
        }
        let ints: Vec<Type> = self.menu.types.iter().copied().filter(|ty| ty.is_int()).collect();
        let ty = self.random.pick(&ints).copied().unwrap_or(types::I32);
        self.value(ty)
    }

    fn exit(&mut self, exit: &Exit) {
        match exit {
            Exit::Return => self.leave(),
            Exit::Trap => {
                let code = self.trap_code();
                self.at().ins().trap(code);
            }
            &Exit::Jump(target) => {
                let dest = self.block_call(target);
                self.jump(dest);
            }
            &Exit::Brif(then, other) => {
                let c = self.condition();
                let dests = [self.block_call(then), self.block_call(other)];
                self.brif(c, dests);
            }
            Exit::Table(targets) => {
                let index = self.index(targets.len());
                let calls: Vec<_> = targets.iter().map(|&target| self.block_call(target)).collect();
                let table = JumpTableData { default: calls[0], table: calls[1..].to_vec() };
                let table = self.func.dfg.jump_tables.push(table);
                self.at().ins().br_table(index, table);
            }
            Exit::Try(targets) => self.try_call(targets),
            Exit::Throw => self.throw(),
            &Exit::Fuel(go, out) => {
                let left = self.take_fuel();
                let dests = [self.block_call(go), self.block_call(out)];
                self.brif(left, dests);
            }
        }
    }

    fn jump(&mut self, dest: BlockCall) {
        let data = windlass_ir::InstData::Jump { opcode: Opcode::Jump, dest };
        let _: windlass_ir::Inst = self.at().ins().make(data, Type::INVALID);
    }

    fn brif(&mut self, arg: Value, dests: [BlockCall; 2]) {
        let data = windlass_ir::InstData::Brif { opcode: Opcode::Brif, arg, dests };
        let _: windlass_ir::Inst = self.at().ins().make(data, Type::INVALID);
    }

    /// An index of a table with `n` destinations, sometimes beyond it.
    fn index(&mut self, n: usize) -> Value {
        let v = self.variable(types::I32);
        if self.random.chance(20) {
            return v;
        }
        let mask = (n + 1).next_power_of_two() - 1;
        let mask = self.constant_of(types::I32, mask as u128);
        self.at().ins().band(v, mask)
    }

    /// One unit less; not 0 if there is some left.
    fn take_fuel(&mut self) -> Value {
        let Some(fuel) = self.fuel.filter(|_| self.fuel_param.is_some()) else {
            return match self.fuel_slot {
                Some(slot) => self.take_fuel_from(slot),
                None => self.constant_of(types::I8, 0),
            };
        };
        let ty = self.func.dfg.value_type(fuel);
        let one = self.constant_of(ty, 1);
        let left = self.at().ins().isub(fuel, one);
        self.fuel = Some(left);
        left
    }

    /// Any code; the front end may use those of the language.
    pub(super) fn trap_code(&mut self) -> TrapCode {
        match self.random.below(8) {
            0 => TrapCode::INTEGER_OVERFLOW,
            1 => TrapCode::INTEGER_DIVISION_BY_ZERO,
            2 => TrapCode::HEAP_OUT_OF_BOUNDS,
            3 => TrapCode::BAD_CONVERSION_TO_INTEGER,
            _ => TrapCode::user(1 + self.random.below(250) as u8).unwrap_or(TrapCode::INTEGER_OVERFLOW),
        }
    }

    /// Returns; many live values and memory go into the results.
    fn leave(&mut self) {
        if self.random.chance(30) && self.tail_call() {
            return;
        }
        let returns: Vec<Type> = self.func.signature.returns.iter().map(|ret| ret.value_type).collect();
        let mut sums = Vec::new();
        if !returns.is_empty() {
            let mut live = self.slot_contents();
            for &ty in &self.menu.types {
                let list = self.pool.of(ty);
                live.extend(list.iter().copied().filter(|_| self.random.chance(self.style.folded)));
            }
            const MOST: usize = 60;
            self.random.shuffle(&mut live);
            live.truncate(MOST);
            let n = returns.len().min(1 + self.random.below(2));
            for part in 0..n {
                let part: Vec<Value> = live.iter().copied().skip(part).step_by(n).collect();
                sums.push(self.fold(&part));
            }
        }
        let mut results = Vec::with_capacity(returns.len());
        for (i, &ty) in returns.iter().enumerate() {
            let result = match sums.get(i) {
                Some(&sum) => self.converted(sum, ty),
                None => self.value(ty),
            };
            results.push(result);
        }
        self.at().ins().return_(&results);
    }

    /// A number that depends on every bit of `values`.
    fn fold(&mut self, values: &[Value]) -> Value {
        let ty = if self.random.chance(50) { types::I32 } else { types::I64 };
        let mut sum = self.constant_of(ty, 0x9e37_79b1);
        for &v in values {
            let mut parts = vec![v];
            let from = self.func.dfg.value_type(v);
            if from == types::F64 {
                parts = vec![self.at().ins().bitcast(types::I64, windlass_ir::MemFlags::new(), v)];
            }
            if from == types::I128 {
                let (low, high) = self.at().ins().isplit(v);
                parts = vec![low, high];
            }
            for part in parts.clone() {
                if self.func.dfg.value_type(part) == types::I64 && ty == types::I32 {
                    let shift = self.constant_of(types::I8, 32);
                    parts.push(self.at().ins().ushr(part, shift));
                }
            }
            for part in parts {
                let part = self.converted(part, ty);
                sum = match self.random.below(3) {
                    0 => self.at().ins().iadd(sum, part),
                    1 => self.at().ins().bxor(sum, part),
                    _ => self.at().ins().isub(sum, part),
                };
            }
            let turn = self.constant_of(types::I8, 7);
            sum = self.at().ins().rotl(sum, turn);
        }
        sum
    }

    /// The low bits of `v` as a value of type `ty`, with zeros above.
    pub(super) fn converted(&mut self, v: Value, ty: Type) -> Value {
        let from = self.func.dfg.value_type(v);
        if from == ty {
            return v;
        }
        if from.is_float() || ty.is_float() {
            // By way of the integer with the float's bits.
            let float = if from.is_float() { from } else { ty };
            let int = if float == types::F32 { types::I32 } else { types::I64 };
            let flags = windlass_ir::MemFlags::new();
            if from.is_float() {
                let bits = self.at().ins().bitcast(int, flags, v);
                return self.converted(bits, ty);
            }
            let bits = self.converted(v, int);
            return self.at().ins().bitcast(ty, flags, bits);
        }
        if from.bits() > ty.bits() { self.at().ins().ireduce(ty, v) } else { self.at().ins().uextend(ty, v) }
    }
}
