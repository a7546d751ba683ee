use super::*;
use crate::function::{Function, SourceLoc};
use crate::types::{I8, I32, I64};
use crate::verifier::verify_function;
use crate::{AbiParam, CallConv, Signature};
use alloc::vec::Vec;

fn function() -> (Function, Block, Value) {
    let mut func = Function::default();
    func.signature.params.push(AbiParam::new(I32));
    let block = func.dfg.make_block();
    func.layout.append_block(block);
    let x = func.dfg.append_block_param(block, I32);
    (func, block, x)
}

fn opcodes(func: &Function, block: Block) -> Vec<Opcode> {
    func.layout.block_insts(block).map(|inst| func.dfg.opcode(inst)).collect()
}

#[test]
fn results_have_the_types_of_the_table() {
    let (mut func, block, x) = function();
    let mut at = FuncCursor::new(&mut func).at_bottom(block);
    let (sum, carry) = at.ins().uadd_overflow(x, x);
    let wide = at.ins().uextend(I64, sum);
    let less = at.ins().icmp(IntCC::SignedLessThan, x, sum);
    at.ins().trapnz(less, TrapCode::INTEGER_OVERFLOW);
    let loaded = at.ins().load(I8, MemFlags::trusted(), wide, 4);
    at.ins().store(MemFlags::new(), loaded, wide, -4);
    let ret = at.ins().return_(&[]);
    for (v, ty) in [(sum, I32), (carry, I8), (wide, I64), (less, I8), (loaded, I8)] {
        assert_eq!(func.dfg.value_type(v), ty);
    }
    assert_eq!(func.layout.last_inst(block), Some(ret));
    assert_eq!(verify_function(&func), Ok(()));
}

#[test]
fn calls_have_the_results_of_their_signature() {
    let (mut func, block, x) = function();
    let returns = [AbiParam::new(I64), AbiParam::new(I8)].into();
    let sig = func.dfg.signatures.push(Signature {
        params: [AbiParam::new(I32)].into(),
        returns,
        call_conv: CallConv::SystemV,
    });
    let mut at = FuncCursor::new(&mut func).at_bottom(block);
    let call = at.ins().call_indirect(sig, x, &[x]);
    at.ins().return_(&[]);
    let types: Vec<Type> = func.dfg.inst_results(call).iter().map(|&v| func.dfg.value_type(v)).collect();
    assert_eq!(types, [I64, I8]);
    assert_eq!(func.dfg.inst_args(call), [x, x]);
    assert_eq!(verify_function(&func), Ok(()));
}

#[test]
fn branches_pass_arguments() {
    let (mut func, block, x) = function();
    let (then, other) = (func.dfg.make_block(), func.dfg.make_block());
    func.dfg.append_block_param(then, I32);
    let mut at = FuncCursor::new(&mut func).at_bottom(block);
    let brif = at.ins().brif(x, then, &[x.into()], other, &[]);
    at.insert_block(then);
    at.ins().jump(other, &[]);
    at.insert_block(other);
    at.ins().trap(TrapCode::STACK_OVERFLOW);
    let dests: Vec<Block> = func.dfg.branch_destinations(brif).map(|call| call.block).collect();
    assert_eq!(dests, [then, other]);
    assert_eq!(verify_function(&func), Ok(()));
}

#[test]
fn every_position_inserts_where_it_says() {
    let (mut func, block, x) = function();
    let mut at = FuncCursor::new(&mut func).at_bottom(block);
    at.ins().fence();
    let ret = at.ins().return_(&[]);
    at.goto_inst(ret);
    at.ins().ineg(x);
    at.ins().bnot(x);
    at.goto_top(block);
    at.ins().clz(x);
    let ctz = at.ins().ctz(x);
    let crate::ValueDef::Result(ctz, _) = at.func.dfg.value_def(ctz) else { panic!("{ctz} is a result") };
    at.goto_after_inst(ctz);
    at.ins().iabs(x);
    at.ins().popcnt(x);
    at.set_position(CursorPosition::Nowhere);
    at.ins().debugtrap();
    use Opcode::*;
    assert_eq!(opcodes(&func, block), [Clz, Ctz, Iabs, Popcnt, Fence, Ineg, Bnot, Return]);
}

#[test]
fn walks_meet_every_instruction_and_may_remove_it() {
    let (mut func, block, x) = function();
    let next = func.dfg.make_block();
    let mut at = FuncCursor::new(&mut func).at_bottom(block);
    at.ins().nop();
    at.ins().iadd(x, x);
    at.ins().jump(next, &[]);
    at.insert_block(next);
    at.ins().nop();
    at.ins().return_(&[]);
    at.set_position(CursorPosition::Nowhere);
    let mut seen = Vec::new();
    while at.next_block().is_some() {
        while let Some(inst) = at.next_inst() {
            seen.push(at.func.dfg.opcode(inst));
            if seen.last() == Some(&Opcode::Nop) {
                assert_eq!(at.remove_inst_and_step_back(), Some(inst));
            }
        }
    }
    use Opcode::*;
    assert_eq!(seen, [Nop, Iadd, Jump, Nop, Return]);
    let mut backwards = Vec::new();
    while at.prev_block().is_some() {
        while let Some(inst) = at.prev_inst() {
            backwards.push(at.func.dfg.opcode(inst));
        }
    }
    assert_eq!(backwards, [Return, Jump, Iadd]);
    assert_eq!(verify_function(&func), Ok(()));
}

#[test]
fn source_locations_follow_the_cursor() {
    let (mut func, block, x) = function();
    let mut at = FuncCursor::new(&mut func).at_bottom(block).with_srcloc(SourceLoc(7));
    at.ins().ineg(x);
    let ret = at.ins().return_(&[]);
    let mut at = FuncCursor::new(&mut func).at_inst(ret);
    at.ins().nop();
    assert!(func.layout.block_insts(block).all(|inst| func.srclocs[inst] == SourceLoc(7)));
}

#[test]
fn replacing_keeps_result_values() {
    let (mut func, block, x) = function();
    let mut at = FuncCursor::new(&mut func).at_bottom(block);
    let (sum, carry) = at.ins().uadd_overflow(x, x);
    at.ins().return_(&[]);
    let inst = func.layout.first_inst(block).unwrap();
    assert_eq!(func.dfg.replace(inst).imul(x, x), sum);
    assert_eq!(func.dfg.value_def(carry), crate::ValueDef::None);
    assert_eq!(func.dfg.replace(inst).ssub_overflow(x, x).0, sum);
    assert_eq!(verify_function(&func), Ok(()));
}
