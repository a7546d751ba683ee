//! A test for every fault, every row of the opcode table, and mutated functions that must be refused without
//! a panic.

mod corrupt;
mod preamble;
mod references;
mod structure;
mod table;
mod text;
mod types;

use super::*;
use crate::builder::FuncCursor;
use crate::cfg::testing::*;
use crate::signature::AbiParam;
use alloc::format;

/// A function with one block, the entry, with parameters of these types. `build` stands at the block's end.
fn function(params: &[Type], build: impl FnOnce(&mut FuncCursor<'_>, &[Value])) -> Function {
    let mut func = Function::default();
    let block = func.dfg.make_block();
    for &ty in params {
        func.signature.params.push(AbiParam::new(ty));
        func.dfg.append_block_param(block, ty);
    }
    let values = func.dfg.block_params(block).to_vec();
    let mut at = FuncCursor::new(&mut func);
    at.insert_block(block);
    build(&mut at, &values);
    func
}

/// There is one fault in `func`, at `location`, and its message has `message` in it.
#[track_caller]
fn refused(func: &Function, location: &str, message: &str) {
    refused_by(&mut Verifier::new(), func, &[(location, message)]);
}

/// These are the faults of `func`.
#[track_caller]
fn refused_by(verifier: &mut Verifier, func: &Function, expected: &[(&str, &str)]) {
    let faults = verifier.verify(func).expect_err("the function should be refused");
    let matches = faults.len() == expected.len()
        && faults.iter().zip(expected).all(|(fault, (location, message))| {
            fault.location.to_string() == *location && fault.message.contains(message)
        });
    let found: Vec<String> = faults.iter().map(|fault| fault.to_string()).collect();
    assert!(matches, "expected {expected:#?}, found {found:#?}");
}

#[track_caller]
fn accepted(func: &Function) {
    assert_eq!(verify_function(func), Ok(()));
}

#[test]
fn random_graphs_are_functions() {
    let mut rng = Rng(0xF00D);
    let mut verifier = Verifier::new();
    for _ in 0..300 {
        let n = 1 + rng.below(12);
        let func = function_with_edges(&random_edges(&mut rng, n));
        assert_eq!(verifier.verify(&func), Ok(()));
        let cfg = ControlFlowGraph::with_function(&func);
        let domtree = DominatorTree::with_function(&func, &cfg);
        assert_eq!(verifier.verify_with(&func, &cfg, &domtree), Ok(()));
    }
}

#[test]
fn analyses_that_are_out_of_date_are_refused() {
    let func = function_with_edges(&[alloc::vec![1], alloc::vec![]]);
    let other = function_with_edges(&[alloc::vec![2], alloc::vec![], alloc::vec![]]);
    let cfg = ControlFlowGraph::with_function(&other);
    let domtree = DominatorTree::with_function(&other, &cfg);
    let faults = Verifier::new().verify_with(&func, &cfg, &domtree).unwrap_err();
    assert_eq!(faults[0].to_string(), "function: the control-flow graph or dominator tree is not up to date");
    assert!(Verifier::new().verify_with(&func, &ControlFlowGraph::new(), &domtree).is_err());
}

#[test]
fn a_fault_prints_with_its_instruction() {
    use crate::builder::InstBuilder;
    use crate::types::{I8, I32};
    let func = function(&[I32, I8], |at, v| {
        at.ins().iadd(v[0], v[1]);
        at.ins().return_(&[]);
    });
    let faults = verify_function(&func).unwrap_err();
    assert_eq!(format!("{}", faults[0]), "inst0 (v2 = iadd v0, v1): arg 1 (v1) has type i8, expected i32");
    assert_eq!(faults.len(), 1);
}

#[test]
fn a_large_function_is_checked_in_linear_time() {
    use crate::builder::InstBuilder;
    use crate::types::I32;
    // A chain of aliases as long as the function, each used.
    let func = function(&[I32, I32], |at, v| {
        let mut sum = v[0];
        let mut alias = v[1];
        for _ in 0..200_000 {
            sum = at.ins().iadd(sum, alias);
            let next = at.func.dfg.make_undefined_value(I32);
            at.func.dfg.define_alias(next, I32, alias);
            alias = next;
        }
        at.ins().return_(&[]);
    });
    accepted(&func);
}
