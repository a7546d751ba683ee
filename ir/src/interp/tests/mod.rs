//! The machine as a whole: decoded functions against formulas of their own, calls, memory, traps, limits.

mod machine;
mod matrix;
mod scalar;

use super::*;
use crate::builder::{FuncCursor, InstBuilder};
use crate::entities::Value;
use crate::function::{Function, StackSlotData};
use crate::signature::{AbiParam, CallConv, Signature};
use crate::types::{I8, I16, I32, I64, I128};
use crate::verifier::verify_function;

const INTS: [Type; 5] = [I8, I16, I32, I64, I128];

fn name(s: &str) -> ExternalName {
    ExternalName::symbol(s)
}

fn signature(params: &[Type], returns: &[Type]) -> Signature {
    let list = |types: &[Type]| types.iter().map(|&ty| AbiParam::new(ty)).collect();
    Signature { params: list(params), returns: list(returns), call_conv: CallConv::SystemV }
}

/// A function of one block. `build` gets its parameters and says what it returns.
fn function(
    symbol: &str,
    params: &[Type],
    build: impl FnOnce(&mut FuncCursor, &[Value]) -> Vec<Value>,
) -> Function {
    let mut func = Function::new(name(symbol), signature(params, &[]));
    let block = func.dfg.make_block();
    let args: Vec<Value> = params.iter().map(|&ty| func.dfg.append_block_param(block, ty)).collect();
    func.layout.append_block(block);
    let results = {
        let mut at = FuncCursor::new(&mut func).at_bottom(block);
        build(&mut at, &args)
    };
    func.signature.returns = results.iter().map(|&v| AbiParam::new(func.dfg.value_type(v))).collect();
    FuncCursor::new(&mut func).at_bottom(block).ins().return_(&results);
    func
}

fn run(functions: &[Function], entry: &str, args: &[DataValue]) -> Outcome {
    run_on(Machine::LE32, functions, entry, args)
}

fn run_on(machine: Machine, functions: &[Function], entry: &str, args: &[DataValue]) -> Outcome {
    for func in functions {
        if let Err(faults) = verify_function(func) {
            panic!("{}: {faults:?}", func.name);
        }
    }
    let program = Program::new(functions, machine).unwrap();
    Interpreter::new(&program, Config::default()).run(&name(entry), args)
}

fn int(n: i128, ty: Type) -> DataValue {
    DataValue::int(n, ty).unwrap()
}

fn returned(outcome: Outcome) -> Vec<DataValue> {
    match outcome {
        Outcome::Return(values) => values,
        other => panic!("{other}"),
    }
}

fn trap_of(outcome: Outcome) -> TrapCode {
    match outcome {
        Outcome::Trap { code, .. } => code,
        other => panic!("no trap: {other}"),
    }
}

fn small() -> Config {
    Config { max_stack_bytes: 1 << 16, ..Config::default() }
}

fn with_slot(func: &mut Function, size: u32) -> crate::StackSlot {
    func.stack_slots.push(StackSlotData { size, align_shift: 0, key: None })
}

/// Like [`function`], with one stack slot.
fn slot_function(
    symbol: &str,
    size: u32,
    params: &[Type],
    build: impl FnOnce(&mut FuncCursor, &[Value], crate::StackSlot) -> Vec<Value>,
) -> Function {
    function(symbol, params, |at, v| {
        let slot = with_slot(at.func, size);
        build(at, v, slot)
    })
}
