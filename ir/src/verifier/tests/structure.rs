//! Blocks, branches, calls, returns; definitions and dominance.

use super::*;
use crate::builder::InstBuilder;
use crate::dfg::ExtFuncData;
use crate::extname::ExternalName;
use crate::instdata::*;
use crate::signature::{CallConv, Signature};
use crate::trapcode::TrapCode;
use crate::types::{F32, F64, I8, I16, I32, I64};

fn signature(params: &[Type], returns: &[Type], call_conv: CallConv) -> Signature {
    let list = |types: &[Type]| types.iter().map(|&ty| AbiParam::new(ty)).collect();
    Signature { params: list(params), returns: list(returns), call_conv }
}

fn declare(func: &mut Function, sig: Signature) -> FuncRef {
    let signature = func.dfg.signatures.push(sig);
    func.dfg.ext_funcs.push(ExtFuncData { name: ExternalName::symbol("g"), signature, colocated: false })
}

#[test]
fn blocks_end_in_one_terminator() {
    let func = function(&[], |_, _| {});
    refused(&func, "block0", "is empty");
    let func = function(&[], |at, _| {
        at.ins().nop();
    });
    refused(&func, "inst0", "block0 does not end in a terminator instruction");
    let func = function(&[], |at, _| {
        at.ins().return_(&[]);
        at.ins().trap(TrapCode::STACK_OVERFLOW);
    });
    refused(
        &func,
        "inst0",
        "a terminator instruction was encountered before the end of the block: inst1 follows",
    );
}

#[test]
fn branches_go_to_blocks_of_the_layout() {
    let func = function(&[], |at, _| {
        let block = at.func.dfg.make_block();
        at.ins().jump(block, &[]);
    });
    refused(&func, "inst0", "branches to block1, which is not in the layout");
    let func = function(&[], |at, _| {
        at.ins().jump(Block(0), &[]);
    });
    refused(&func, "inst0", "invalid reference to entry block block0");
}

#[test]
fn branches_pass_what_parameters_take() {
    let jump = |args: &[usize]| {
        function(&[I16, I64], |at, v| {
            let block = at.func.dfg.make_block();
            at.func.dfg.append_block_param(block, I64);
            at.func.dfg.append_block_param(block, I16);
            let args: Vec<BlockArg> = args.iter().map(|&i| v[i].into()).collect();
            at.ins().jump(block, &args);
            at.insert_block(block);
            at.ins().return_(&[]);
        })
    };
    accepted(&jump(&[1, 0]));
    refused(&jump(&[1]), "inst0", "mismatched argument count for block1: got 1, expected 2");
    refused_by(
        &mut Verifier::new(),
        &jump(&[0, 1]),
        &[
            ("inst0", "arg 0 (v0) has type i16, expected i64"),
            ("inst0", "arg 1 (v1) has type i64, expected i16"),
        ],
    );
}

#[test]
fn block_parameters_have_types() {
    let func = function(&[], |at, _| {
        let block = at.func.dfg.make_block();
        at.func.dfg.append_block_param(block, Type::INVALID);
        at.ins().return_(&[]);
        at.insert_block(block);
        at.ins().return_(&[]);
    });
    refused(&func, "block1", "parameter v0 has no type");
}

#[test]
fn returns_match_the_signature() {
    let returning = |n: usize| {
        let mut func = function(&[I32, I64], |at, v| {
            at.ins().return_(&v[..n]);
        });
        func.signature.returns = [AbiParam::new(F32)].into();
        func
    };
    refused(&returning(0), "inst0", "arguments of return must match function signature: got 0, expected 1");
    refused(&returning(2), "inst0", "arguments of return must match function signature: got 2, expected 1");
    refused(&returning(1), "inst0", "arg 0 (v0) has type i32, must match function signature of f32");
}

#[test]
fn calls_match_their_signature() {
    let call = |n: usize| {
        function(&[I32, F32, I32], |at, v| {
            let callee = declare(at.func, signature(&[I32, F32], &[I64], CallConv::Fast));
            at.ins().call(callee, &v[n..]);
            at.ins().return_(&[]);
        })
    };
    refused(&call(0), "inst0", "mismatched argument count: got 3, expected 2");
    refused_by(
        &mut Verifier::new(),
        &call(1),
        &[
            ("inst0", "arg 0 (v1) has type f32, expected i32"),
            ("inst0", "arg 1 (v2) has type i32, expected f32"),
        ],
    );
    // The signature changes after the results were made.
    let mut func = call(1);
    func.dfg.signatures[SigRef(0)] = signature(&[F32, I32], &[F64], CallConv::Fast);
    refused(&func, "inst0", "result 0 (v3) has type i64, expected f64");
    func.dfg.signatures[SigRef(0)].returns.clear();
    refused(&func, "inst0", "mismatched result count: got 1, expected 0");

    let func = function(&[I32], |at, _| {
        let sig = at.func.dfg.signatures.push(Signature::default());
        let inst = at.ins().call_indirect(sig, Value(0), &[]);
        let args = ValueList::new();
        at.func.dfg.insts[inst] = InstData::CallIndirect { opcode: crate::Opcode::CallIndirect, sig, args };
        at.ins().return_(&[]);
    });
    refused(&func, "inst0", "operand 0 is missing");
}

#[test]
fn tail_calls_leave_with_the_same_results() {
    let tail_call = |caller: CallConv, results: &[Type], callee: CallConv, n: usize| {
        let mut func = function(&[I32], |at, v| {
            let callee = declare(at.func, signature(&[I32], &[I32], callee));
            at.ins().return_call(callee, &v[..n]);
        });
        func.signature.call_conv = caller;
        func.signature.returns = results.iter().map(|&ty| AbiParam::new(ty)).collect();
        func
    };
    use CallConv::{Fast, SystemV, Tail};
    accepted(&tail_call(Tail, &[I32], Tail, 1));
    refused(
        &tail_call(Fast, &[I32], Tail, 1),
        "inst0",
        "callee's calling convention must match caller: `tail` is",
    );
    refused(
        &tail_call(SystemV, &[I32], SystemV, 1),
        "inst0",
        "convention `system_v` does not support tail calls",
    );
    refused_by(
        &mut Verifier::new(),
        &tail_call(Tail, &[I32], Fast, 1),
        &[
            ("inst0", "`fast` does not support tail calls"),
            ("inst0", "callee's calling convention must match"),
        ],
    );
    refused(
        &tail_call(Tail, &[], Tail, 1),
        "inst0",
        "results of callee must match caller: it gives 1, not 0",
    );
    refused(
        &tail_call(Tail, &[I64], Tail, 1),
        "inst0",
        "result 0 has type i32, must match function signature of i64",
    );
    refused(&tail_call(Tail, &[I32], Tail, 0), "inst0", "mismatched argument count: got 0, expected 1");
}

/// `try_call fn0(v0), sig0, block1(normal), [ default: block2(handler) ]` of an i32 to i32, where block1
/// takes an i32 and block2 an i64.
fn trying(normal: BlockArg, handler: BlockArg) -> Function {
    function(&[I32, I64], |at, v| {
        let callee = declare(at.func, signature(&[I32], &[I32], CallConv::Tail));
        let blocks = [I32, I64].map(|ty| {
            let block = at.func.dfg.make_block();
            at.func.dfg.append_block_param(block, ty);
            block
        });
        let pool = &mut at.func.dfg.block_args;
        let normal = BlockCall::new(blocks[0], [normal], pool);
        let handler = BlockCall::new(blocks[1], [handler], pool);
        let items = [ExceptionItem::Context(v[1]), ExceptionItem::Default(handler)].into();
        let table = ExceptionTableData { sig: SigRef(0), normal, items };
        let table = at.func.dfg.exception_tables.push(table);
        at.ins().try_call(callee, &v[..1], table);
        for block in blocks {
            at.insert_block(block);
            at.ins().return_(&[]);
        }
    })
}

#[test]
fn try_calls_pass_results_and_payloads() {
    use BlockArg::{TryCallExn as Exn, TryCallRet as Ret};
    let v = BlockArg::Value;
    accepted(&trying(Ret(0), Exn(1)));
    accepted(&trying(v(Value(0)), v(Value(1))));
    refused(&trying(Ret(1), Exn(0)), "inst0", "out-of-bounds `retN` block argument: ret1 of 1");
    refused(&trying(Ret(0), Exn(2)), "inst0", "out-of-bounds `exnN` block argument: exn2 of 2");
    refused(&trying(Exn(0), Exn(0)), "inst0", "`exnN` block argument used outside exceptional-return target");
    refused(&trying(Ret(0), Ret(0)), "inst0", "`retN` block argument used outside normal-return target");

    let mut func = trying(Ret(0), Exn(0));
    func.dfg.signatures[SigRef(0)].returns[0] = AbiParam::new(F32);
    refused(&func, "inst0", "arg ret0 has type f32, expected i32");
    refused_by(
        &mut Verifier::with_address_type(I32),
        &trying(Ret(0), Exn(0)),
        &[("inst0", "arg exn0 has type i32, expected i64")],
    );
    let func = function(&[], |at, _| {
        let block = at.func.dfg.make_block();
        at.func.dfg.append_block_param(block, I32);
        at.ins().jump(block, &[Ret(0)]);
        at.insert_block(block);
        at.ins().return_(&[]);
    });
    refused(&func, "inst0", "`retN` block argument used outside normal-return target of `try_call`");

    let mut func = trying(v(Value(0)), Exn(0));
    let param = func.dfg.block_params(Block(2))[0];
    func.dfg.remove_block_param(Block(2), 0);
    func.dfg.attach_block_param(Block(2), param, F64);
    refused(&func, "inst0", "arg exn0 has an address type, expected f64");
}

#[test]
fn try_calls_have_one_signature_that_can_throw() {
    let mut func = trying(BlockArg::TryCallRet(0), BlockArg::TryCallExn(0));
    func.dfg.signatures[SigRef(0)].call_conv = CallConv::Fast;
    refused(&func, "inst0", "calling convention `fast` of callee does not support exceptions");
    func.dfg.signatures[SigRef(0)].call_conv = CallConv::Tail;
    let other = func.dfg.signatures.push(signature(&[I64], &[I32], CallConv::Tail));
    func.dfg.exception_tables[ExceptionTable(0)].sig = other;
    refused(&func, "inst0", "exception table signature sig1 did not match function fn0's signature sig0");
    // Signatures are compared by what they say.
    func.dfg.signatures[other] = func.dfg.signatures[SigRef(0)].clone();
    accepted(&func);
}

#[test]
fn handlers_have_addresses_where_there_are_handlers() {
    let with = |block, index| {
        let mut func = trying(BlockArg::TryCallRet(0), BlockArg::TryCallExn(0));
        let ret = func.layout.last_inst(Block(1)).unwrap();
        FuncCursor::new(&mut func).at_inst(ret).ins().get_exception_handler_address(I64, Block(block), index);
        func
    };
    accepted(&with(0, 0));
    refused(&with(0, 1), "inst3", "handler 1 of block0 does not exist: there are 1");
    refused(&with(2, 0), "inst3", "block2 does not end in a try_call");
}

#[test]
fn definitions_come_before_uses() {
    let func = function(&[I32], |at, v| {
        let a = at.ins().ineg(v[0]);
        let b = at.ins().ineg(a);
        let crate::ValueDef::Result(first, _) = at.func.dfg.value_def(a) else { unreachable!() };
        at.func.dfg.map_uses(first, |_| b);
        at.ins().return_(&[]);
    });
    refused(&func, "inst0", "uses value v2 before its definition");
    let func = function(&[I32], |at, v| {
        let a = at.ins().ineg(v[0]);
        at.func.dfg.map_uses(Inst(0), |_| a);
        at.ins().return_(&[]);
    });
    refused(&func, "inst0", "uses value v1 before its definition");
}

/// block0 goes to 1 or 2, both to 3; 4 is unreachable. `user` uses what `definer` defines.
fn across(definer: u32, user: u32) -> Function {
    let mut func = function_with_edges(&[[1, 2].into(), [3].into(), [3].into(), [].into(), [3].into()]);
    let last = |func: &Function, block| func.layout.last_inst(Block(block)).unwrap();
    let at = last(&func, definer);
    let v = FuncCursor::new(&mut func).at_inst(at).ins().iconst(I32, 7);
    let at = last(&func, user);
    FuncCursor::new(&mut func).at_inst(at).ins().ineg(v);
    func
}

#[test]
fn definitions_dominate_uses() {
    for (definer, user) in [(0, 3), (0, 1), (1, 1), (1, 4), (4, 4), (0, 4)] {
        accepted(&across(definer, user));
    }
    refused(&across(1, 3), "inst6", "uses value v1, a result from non-dominating block1");
    refused(&across(1, 2), "inst6", "uses value v1, a result from non-dominating block1");
    refused(&across(4, 3), "inst6", "uses value v1, a result from unreachable block4");
    // Unreachable blocks are exempt from dominance, not from types.
    let mut func = across(0, 4);
    func.dfg.signatures.push(Signature::default());
    let at = func.layout.last_inst(Block(4)).unwrap();
    FuncCursor::new(&mut func).at_inst(at).ins().fneg(Value(1));
    refused(&func, "inst7", "has an invalid controlling type i32; it must be a float type");
}

#[test]
fn block_arguments_are_uses_of_the_terminator() {
    let mut func = across(1, 1);
    let param = func.dfg.append_block_param(Block(3), I32);
    for block in [1, 2, 4] {
        let last = func.layout.last_inst(Block(block)).unwrap();
        func.dfg
            .for_each_destination_mut(last, |call, pool| call.append_arg(BlockArg::Value(Value(1)), pool));
    }
    refused(&func, "inst2", "uses value v1, a result from non-dominating block1");
    let at = func.layout.last_inst(Block(2)).unwrap();
    FuncCursor::new(&mut func).at_inst(at).ins().ineg(param);
    let message = format!("uses value {param}, a arg from non-dominating block3").replace("a arg", "an arg");
    refused_by(
        &mut Verifier::new(),
        &func,
        &[("inst7", &message), ("inst2", "uses value v1, a result from non-dominating block1")],
    );
}

#[test]
fn uses_have_definitions_in_the_layout() {
    let func = function(&[], |at, _| {
        let v = at.func.dfg.make_undefined_value(I32);
        at.ins().ineg(v);
        at.ins().return_(&[]);
    });
    refused(&func, "inst0", "uses value v0, which nothing defines");
    let func = function(&[I32], |at, v| {
        let a = at.ins().ineg(v[0]);
        at.ins().bnot(a);
        at.ins().return_(&[]);
        at.func.layout.remove_inst(Inst(0));
    });
    refused(&func, "inst1", "uses value v1 from inst0, which is not in the layout");
    let func = function(&[], |at, _| {
        let block = at.func.dfg.make_block();
        let v = at.func.dfg.append_block_param(block, I8);
        at.ins().bnot(v);
        at.ins().return_(&[]);
    });
    refused(&func, "inst0", "uses value v0 from block1, which is not in the layout");
    let func = function(&[I32], |at, v| {
        let alias = at.func.dfg.make_undefined_value(I32);
        at.func.dfg.define_alias(alias, I32, v[0]);
        at.ins().bnot(alias);
        at.ins().return_(&[]);
    });
    accepted(&func);
}
