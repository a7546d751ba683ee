//! Changes of one function that the passes are made of. None keeps the meaning; all keep what is left well formed,
//! but for dominance, which the verifier judges.

use windlass_ir::types::{self, Type};
use windlass_ir::{
    Block, BlockArg, BlockCall, FuncCursor, Function, Ieee32, Ieee64, Inst, InstBuilder, InstData, Opcode,
    Value,
};

/// The instructions of the layout that do not end blocks, in order.
pub(super) fn plain_insts(func: &Function) -> impl Iterator<Item = Inst> {
    func.layout
        .blocks()
        .flat_map(|block| func.layout.block_insts(block))
        .filter(|&inst| !func.dfg.opcode(inst).is_terminator())
}

/// A zero of a type, made at a place. `None` for types without constants.
pub(super) fn zero(at: &mut FuncCursor<'_>, ty: Type) -> Option<Value> {
    Some(match ty {
        types::I8 | types::I16 | types::I32 | types::I64 => at.ins().iconst(ty, 0),
        types::I128 => {
            let half = at.ins().iconst(types::I64, 0);
            at.ins().iconcat(half, half)
        }
        types::F32 => at.ins().f32const(Ieee32(0)),
        types::F64 => at.ins().f64const(Ieee64(0)),
        _ if ty.is_vector() => {
            let constant = at.func.dfg.constants.push(vec![0; ty.bytes() as usize]);
            at.ins().vconst(ty, constant)
        }
        _ => return None,
    })
}

/// Is the instruction a zero that [`zero`] makes, or a part of one?
pub(super) fn is_zero(func: &Function, inst: Inst) -> bool {
    match func.dfg.insts[inst] {
        InstData::UnaryImm { imm, .. } => imm.get() == 0,
        InstData::UnaryIeee32 { imm, .. } => imm.bits() == 0,
        InstData::UnaryIeee64 { imm, .. } => imm.bits() == 0,
        InstData::UnaryConst { constant, .. } => {
            func.dfg.constants.get(constant).is_some_and(|bytes| bytes.iter().all(|&b| b == 0))
        }
        InstData::Binary { opcode: Opcode::Iconcat, args } => {
            args.iter().all(|&arg| match func.dfg.value_def(arg) {
                windlass_ir::ValueDef::Result(half, _) => {
                    matches!(func.dfg.insts[half], InstData::UnaryImm { imm, .. } if imm.get() == 0)
                }
                _ => false,
            })
        }
        _ => false,
    }
}

/// Deletes an instruction; its results become zeros. Callers resolve aliases afterwards.
pub(super) fn delete(func: &mut Function, inst: Inst) -> bool {
    let results = func.dfg.inst_results(inst).to_vec();
    let mut zeros = Vec::with_capacity(results.len());
    for &v in &results {
        let ty = func.dfg.value_type(v);
        let mut at = FuncCursor::new(func).at_inst(inst);
        let Some(zero) = zero(&mut at, ty) else { return false };
        zeros.push(zero);
    }
    replace_results(func, inst, &zeros);
    true
}

/// Removes an instruction whose results others stand for.
pub(super) fn replace_results(func: &mut Function, inst: Inst, others: &[Value]) {
    let results = func.dfg.inst_results(inst).to_vec();
    func.dfg.detach_results(inst);
    for (&result, &other) in results.iter().zip(others) {
        func.dfg.change_to_alias(result, other);
    }
    func.layout.remove_inst(inst);
}

/// Removes a block with its instructions from the layout.
pub(super) fn remove_block(func: &mut Function, block: Block) {
    let insts: Vec<Inst> = func.layout.block_insts(block).collect();
    for inst in insts {
        func.layout.remove_inst(inst);
    }
    func.layout.remove_block(block);
}

/// Removes the blocks that nobody reaches. Were there any?
pub(super) fn remove_unreachable(func: &mut Function) -> bool {
    let Some(entry) = func.layout.entry_block() else { return false };
    let mut reached = windlass_ir::entity::SecondaryMap::new();
    let mut todo = vec![entry];
    while let Some(block) = todo.pop() {
        if !std::mem::replace(&mut reached[block], true)
            && let Some(last) = func.layout.last_inst(block)
        {
            todo.extend(func.dfg.branch_destinations(last).map(|call| call.block));
        }
    }
    let dead: Vec<Block> = func.layout.blocks().filter(|&block| !reached[block]).collect();
    for &block in &dead {
        remove_block(func, block);
    }
    !dead.is_empty()
}

/// Ends the block of `inst`, its last instruction, with a jump to `dest` instead.
pub(super) fn make_jump(func: &mut Function, inst: Inst, dest: BlockCall) {
    func.dfg.detach_results(inst);
    func.dfg.insts[inst] = InstData::Jump { opcode: Opcode::Jump, dest };
    func.dfg.make_inst_results(inst, Type::INVALID);
}

/// Ends `block` with a return of zeros instead. False if that is what it does, or if a result has no zero.
pub(super) fn make_return(func: &mut Function, block: Block) -> bool {
    let Some(last) = func.layout.last_inst(block) else { return false };
    let is_zero_value = |v: Value| match func.dfg.value_def(v) {
        windlass_ir::ValueDef::Result(inst, _) => is_zero(func, inst),
        _ => false,
    };
    if func.dfg.opcode(last) == Opcode::Return && func.dfg.inst_args(last).iter().all(|&v| is_zero_value(v)) {
        return false;
    }
    func.dfg.detach_results(last);
    func.layout.remove_inst(last);
    let returns: Vec<Type> = func.signature.returns.iter().map(|ret| ret.value_type).collect();
    let mut at = FuncCursor::new(func).at_bottom(block);
    let mut values = Vec::with_capacity(returns.len());
    for ty in returns {
        let Some(v) = zero(&mut at, ty) else { return false };
        values.push(v);
    }
    at.ins().return_(&values);
    true
}

/// Parameter `index` of `block`, which is not the entry, becomes `value` or, without one, a zero; branches pass it no
/// longer.
pub(super) fn drop_block_param(
    func: &mut Function,
    block: Block,
    index: usize,
    value: Option<Value>,
) -> bool {
    let param = func.dfg.block_params(block)[index];
    let ty = func.dfg.value_type(param);
    let value = match value {
        Some(v) => v,
        None => {
            let mut at = FuncCursor::new(func).at_top(block);
            match zero(&mut at, ty) {
                Some(v) => v,
                None => return false,
            }
        }
    };
    func.dfg.remove_block_param(block, index);
    func.dfg.change_to_alias(param, value);
    let branches: Vec<Inst> = func.layout.blocks().filter_map(|b| func.layout.last_inst(b)).collect();
    for inst in branches {
        func.dfg.for_each_destination_mut(inst, |call, pool| {
            if call.block == block {
                call.remove_arg(index, pool);
            }
        });
    }
    func.dfg.resolve_all_aliases();
    true
}

/// What all branches pass for parameter `index` of `block`, if it is one value besides the parameter itself.
pub(super) fn only_argument(func: &Function, block: Block, index: usize) -> Option<Value> {
    let param = func.dfg.block_params(block)[index];
    let mut only = None;
    for inst in func.layout.blocks().filter_map(|b| func.layout.last_inst(b)) {
        for call in func.dfg.branch_destinations(inst).filter(|call| call.block == block) {
            match call.args(&func.dfg.block_args).nth(index)? {
                BlockArg::Value(v) if v == param || only == Some(v) => {}
                BlockArg::Value(v) if only.is_none() => only = Some(v),
                _ => return None,
            }
        }
    }
    only
}

/// Joins `block`, which ends with a jump, with the block that it jumps to, if nobody else goes there.
pub(super) fn join(func: &mut Function, block: Block) -> bool {
    let Some(last) = func.layout.last_inst(block) else { return false };
    let InstData::Jump { dest, .. } = func.dfg.insts[last] else { return false };
    let next = dest.block;
    let mut ways = 0;
    for inst in func.layout.blocks().filter_map(|b| func.layout.last_inst(b)) {
        ways += func.dfg.branch_destinations(inst).filter(|call| call.block == next).count();
    }
    if ways != 1 || next == block || Some(next) == func.layout.entry_block() {
        return false;
    }
    let args: Vec<Value> = dest.args(&func.dfg.block_args).filter_map(BlockArg::as_value).collect();
    let params = func.dfg.block_params(next).to_vec();
    if args.len() != params.len() {
        return false;
    }
    for (&param, &arg) in params.iter().zip(&args) {
        func.dfg.remove_block_param(next, 0);
        if func.dfg.resolve_aliases(arg) == param {
            return false;
        }
        func.dfg.change_to_alias(param, arg);
    }
    func.layout.remove_inst(last);
    let insts: Vec<Inst> = func.layout.block_insts(next).collect();
    for inst in insts {
        func.layout.remove_inst(inst);
        func.layout.append_inst(inst, block);
    }
    func.layout.remove_block(next);
    func.dfg.resolve_all_aliases();
    true
}

/// Branches to `block`, which only jumps and has no parameters, go where it jumps to.
pub(super) fn bypass(func: &mut Function, block: Block) -> bool {
    let Some(last) = func.layout.last_inst(block) else { return false };
    let InstData::Jump { dest, .. } = func.dfg.insts[last] else { return false };
    let empty = func.layout.first_inst(block) == Some(last) && func.dfg.block_params(block).is_empty();
    if !empty || dest.block == block || Some(block) == func.layout.entry_block() {
        return false;
    }
    let args: Vec<BlockArg> = dest.args(&func.dfg.block_args).collect();
    let branches: Vec<Inst> = func.layout.blocks().filter_map(|b| func.layout.last_inst(b)).collect();
    for inst in branches {
        func.dfg.for_each_destination_mut(inst, |call, pool| {
            if call.block == block {
                *call = BlockCall::new(dest.block, args.iter().copied(), pool);
            }
        });
    }
    remove_block(func, block);
    true
}

/// Removes instructions that only compute what nobody uses. Were there any?
pub(super) fn remove_dead(func: &mut Function) -> bool {
    let mut any = false;
    loop {
        let mut used = windlass_ir::entity::SecondaryMap::new();
        for block in func.layout.blocks() {
            for inst in func.layout.block_insts(block) {
                func.dfg.for_each_use(inst, |v| used[func.dfg.resolve_aliases(v)] = true);
            }
        }
        let dead: Vec<Inst> = plain_insts(func)
            .filter(|&inst| {
                let unused = func.dfg.inst_results(inst).iter().all(|&v| !used[v]);
                unused && !func.dfg.opcode(inst).effects().must_stay()
            })
            .collect();
        if dead.is_empty() {
            return any;
        }
        any = true;
        for inst in dead {
            func.dfg.detach_results(inst);
            func.layout.remove_inst(inst);
        }
    }
}

/// Equal constants of a block become one, and those of other blocks the entry's. Were there any?
pub(super) fn merge_constants(func: &mut Function) -> bool {
    let Some(entry) = func.layout.entry_block() else { return false };
    let mut known: Vec<(Block, InstData, Type, Value)> = Vec::new();
    let mut merged = Vec::new();
    for inst in plain_insts(func) {
        let data = func.dfg.insts[inst];
        let constant = matches!(
            data,
            InstData::UnaryImm { .. } | InstData::UnaryIeee32 { .. } | InstData::UnaryIeee64 { .. }
        );
        let (Some(v), Some(block)) = (func.dfg.first_result(inst), func.layout.inst_block(inst)) else {
            continue;
        };
        if !constant {
            continue;
        }
        let ty = func.dfg.value_type(v);
        let same = known
            .iter()
            .find(|(b, d, t, _)| (*b == block || *b == entry) && *t == ty && same_constant(d, &data));
        match same {
            Some(&(.., other)) => merged.push((inst, other)),
            None => known.push((block, data, ty, v)),
        }
    }
    for &(inst, other) in &merged {
        replace_results(func, inst, &[other]);
    }
    func.dfg.resolve_all_aliases();
    !merged.is_empty()
}

fn same_constant(a: &InstData, b: &InstData) -> bool {
    match (a, b) {
        (InstData::UnaryImm { imm: a, .. }, InstData::UnaryImm { imm: b, .. }) => a == b,
        (InstData::UnaryIeee32 { imm: a, .. }, InstData::UnaryIeee32 { imm: b, .. }) => a == b,
        (InstData::UnaryIeee64 { imm: a, .. }, InstData::UnaryIeee64 { imm: b, .. }) => a == b,
        _ => false,
    }
}
