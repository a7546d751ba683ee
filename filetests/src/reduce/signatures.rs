//! Parameters and results that functions, calls and directives lose together.

use super::edit::{self, plain_insts};
use super::passes::{drop_expected, invocation_mut};
use super::{Case, Reducer};
use windlass_ir::instdata::ValueList;
use windlass_ir::{
    ExternalName, FuncCursor, FuncRef, Function, Inst, InstData, Opcode, Signature, Type, Value, ValueDef,
};

impl Reducer<'_> {
    /// Parameters and results disappear; calls by address become calls by name.
    pub(super) fn signatures(&mut self) -> bool {
        let mut progress = self.chunked(
            |case| case.functions.len(),
            |case, range| case.functions[range].iter_mut().fold(false, |any, func| direct_calls(func) | any),
        );
        for f in 0..self.case.functions.len() {
            for n in (0..self.case.functions[f].signature.params.len()).rev() {
                progress |= self.once(|case| drop_param(case, f, n));
            }
            for n in (0..self.case.functions[f].signature.returns.len()).rev() {
                progress |= self.once(|case| drop_result(case, f, n));
            }
        }
        progress
    }
}

/// Calls of addresses that `func_addr` made become calls by name.
fn direct_calls(func: &mut Function) -> bool {
    let insts: Vec<Inst> = plain_insts(func).collect();
    let mut any = false;
    for inst in insts {
        let InstData::CallIndirect { opcode: Opcode::CallIndirect, .. } = func.dfg.insts[inst] else {
            continue;
        };
        let args = func.dfg.inst_args(inst).to_vec();
        let Some((&callee, args)) = args.split_first() else { continue };
        let ValueDef::Result(address, _) = func.dfg.value_def(callee) else { continue };
        let InstData::FuncAddr { func: callee, .. } = func.dfg.insts[address] else { continue };
        let args = ValueList::from_slice(args, &mut func.dfg.value_lists);
        set_call(func, inst, callee, args, None);
        any = true;
    }
    any
}

/// Makes `inst`, a call, a direct one. Its results stay, but for number `without`, which must be gone.
fn set_call(func: &mut Function, inst: Inst, callee: FuncRef, args: ValueList, without: Option<usize>) {
    let mut results: Vec<Value> = func.dfg.inst_results(inst).to_vec();
    func.dfg.detach_results(inst);
    if let Some(n) = without.filter(|&n| n < results.len()) {
        let gone = results.remove(n);
        let ty = func.dfg.value_type(gone);
        let mut at = FuncCursor::new(func).at_inst(inst);
        if let Some(zero) = edit::zero(&mut at, ty) {
            func.dfg.change_to_alias(gone, zero);
        }
    }
    func.dfg.insts[inst] = InstData::Call { opcode: Opcode::Call, func: callee, args };
    func.dfg.define_inst_results(inst, Type::INVALID, &results);
}

/// References of `func` to the function `name`. `None` if it may be called in another way than by `call`.
fn references(func: &Function, name: &ExternalName) -> Option<Vec<FuncRef>> {
    let refs: Vec<FuncRef> =
        func.dfg.ext_funcs.iter().filter(|(_, callee)| callee.name == *name).map(|(r, _)| r).collect();
    for block in func.layout.blocks() {
        for inst in func.layout.block_insts(block) {
            let other = match func.dfg.insts[inst] {
                InstData::Call { opcode, func, .. } => opcode != Opcode::Call && refs.contains(&func),
                InstData::FuncAddr { func, .. } | InstData::TryCall { func, .. } => refs.contains(&func),
                _ => false,
            };
            if other {
                return None;
            }
        }
    }
    Some(refs)
}

/// Changes the signature of function `f` everywhere, and each call of it by `call`.
fn change_signature(
    case: &mut Case,
    f: usize,
    change: impl Fn(&mut Signature),
    call: impl Fn(&mut Function, Inst, FuncRef),
) -> bool {
    let name = case.functions[f].name.clone();
    let all: Option<Vec<_>> = case.functions.iter().map(|func| references(func, &name)).collect();
    let Some(all) = all else { return false };
    change(&mut case.functions[f].signature);
    for (func, refs) in case.functions.iter_mut().zip(all) {
        for &callee in &refs {
            let sig = func.dfg.ext_funcs[callee].signature;
            let mut signature = func.dfg.signatures[sig].clone();
            change(&mut signature);
            func.dfg.ext_funcs[callee].signature = func.dfg.signatures.push(signature);
        }
        let insts: Vec<Inst> = plain_insts(func).collect();
        for inst in insts {
            if let InstData::Call { func: callee, .. } = func.dfg.insts[inst]
                && refs.contains(&callee)
            {
                call(func, inst, callee);
            }
        }
        func.dfg.resolve_all_aliases();
    }
    true
}

/// Parameter `n` of function `f` becomes a zero.
fn drop_param(case: &mut Case, f: usize, n: usize) -> bool {
    let name = case.functions[f].name.clone();
    let changed = change_signature(
        case,
        f,
        |signature| {
            if n < signature.params.len() {
                signature.params.remove(n);
            }
        },
        |func, inst, callee| {
            let mut args = func.dfg.inst_args(inst).to_vec();
            if n < args.len() {
                args.remove(n);
            }
            let args = ValueList::from_slice(&args, &mut func.dfg.value_lists);
            set_call(func, inst, callee, args, None);
        },
    );
    if !changed {
        return false;
    }
    for command in case.commands.iter_mut().filter(|command| command.invocation().func == name) {
        let args = &mut invocation_mut(command).args;
        if n < args.len() {
            args.remove(n);
        }
    }
    let func = &mut case.functions[f];
    let Some(entry) = func.layout.entry_block() else { return true };
    let Some(&param) = func.dfg.block_params(entry).get(n) else { return false };
    let ty = func.dfg.value_type(param);
    let mut at = FuncCursor::new(func).at_top(entry);
    let Some(zero) = edit::zero(&mut at, ty) else { return false };
    func.dfg.remove_block_param(entry, n);
    func.dfg.change_to_alias(param, zero);
    func.dfg.resolve_all_aliases();
    true
}

/// Result `n` of function `f` goes; callers see a zero.
fn drop_result(case: &mut Case, f: usize, n: usize) -> bool {
    let name = case.functions[f].name.clone();
    let changed = change_signature(
        case,
        f,
        |signature| {
            if n < signature.returns.len() {
                signature.returns.remove(n);
            }
        },
        |func, inst, callee| {
            let args = func.dfg.inst_args(inst).to_vec();
            let args = ValueList::from_slice(&args, &mut func.dfg.value_lists);
            set_call(func, inst, callee, args, Some(n));
        },
    );
    if !changed {
        return false;
    }
    for command in case.commands.iter_mut().filter(|command| command.invocation().func == name) {
        drop_expected(command, n);
    }
    let func = &mut case.functions[f];
    let last: Vec<Inst> = func.layout.blocks().filter_map(|block| func.layout.last_inst(block)).collect();
    for inst in last {
        match func.dfg.insts[inst] {
            InstData::MultiAry { opcode: Opcode::Return, .. } => {
                let mut args = func.dfg.inst_args(inst).to_vec();
                if n < args.len() {
                    args.remove(n);
                }
                let args = ValueList::from_slice(&args, &mut func.dfg.value_lists);
                func.dfg.insts[inst] = InstData::MultiAry { opcode: Opcode::Return, args };
            }
            // A tail call's results are its callee's.
            ref data if data.opcode().is_return() => return false,
            _ => {}
        }
    }
    true
}
