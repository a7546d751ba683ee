//! Random programs: functions that the verifier accepts, that end, and whose results depend on all that they do.
//!
//! In: a [`Menu`], random numbers. Out: functions `%f0`, `%f1`, …, in groups in which later ones call earlier ones.
//!
//! A function is made in three steps: a signature, the control flow ([`skeleton`]), then block after block in dominator
//! order, so that any value of a dominating block can be an operand (`body`, `step`, `bits`, `memory`, `exceptions`). Functions
//! with structures, results in memory or contexts (`special`) are called by others alone. Operands are mostly the most
//! recent values, which makes the nested patterns that selection rules look for; some are the constants that go wrong.
//! Blocks that return fold the values that are live, and what is in the stack slots, into the results.
//!
//! What never gets into data is an address: the interpreter's are others than a machine's. What has no one
//! meaning is avoided: slots are written before they are read, NaNs get one bit pattern before anyone looks.

mod bits;
mod body;
mod exceptions;
mod memory;
mod skeleton;
mod special;
mod step;

use super::menu::Menu;
use super::random::Random;
use body::Body;
use windlass_ir::{
    AbiParam, ArgumentPurpose, CallConv, DataValue, ExternalName, Function, Signature, Type, types,
};

/// A function that later ones may call.
#[derive(Clone, Debug)]
pub struct Callee {
    /// Its name.
    pub name: ExternalName,
    /// Its signature.
    pub signature: Signature,
    /// What its parameter with purpose `vmctx` is to be.
    context: Context,
    /// Length of the longest chain of calls below it.
    depth: usize,
}

/// What a parameter with purpose `vmctx` is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Context {
    /// There is none.
    None,
    /// The limit of the stack.
    Limit,
    /// The address of a block of memory that has the limit, and room besides.
    Memory,
}

/// Functions that call each other are among this many neighbours.
const GROUP: usize = 8;
/// Longest chain of calls, so that the time of a call stays small: each level may be called in a loop.
const MAX_DEPTH: usize = 2;

/// Makes `count` functions.
///
/// A few functions that throw come on top of them, where the target has exceptions.
pub fn program(menu: &Menu, random: &mut Random, count: usize) -> Vec<Function> {
    let mut functions = if menu.exceptions { exceptions::throwers(menu.address) } else { Vec::new() };
    let throwers: Vec<Callee> = functions
        .iter()
        .map(|func| Callee {
            name: func.name.clone(),
            signature: func.signature.clone(),
            context: Context::None,
            depth: 0,
        })
        .collect();
    let mut callees: Vec<Callee> = Vec::new();
    for i in 0..count {
        if i % GROUP == 0 {
            callees.clear();
            // The others are to be called as well.
            callees.extend(throwers.iter().filter(|_| random.chance(50)).cloned());
        }
        let name = ExternalName::Symbol(format!("f{i}"));
        let mut signature = signature(menu, &callees, random);
        let context = special::add_params(&mut signature, menu, random);
        let known: Vec<_> = callees.iter().filter(|callee| callee.depth < MAX_DEPTH).cloned().collect();
        let body = Body::new(menu, random, &known, name.clone(), signature.clone());
        let (func, called) = body.in_context(context).run();
        let depth = called.iter().map(|&c| known[c].depth + 1).max().unwrap_or(0);
        callees.push(Callee { name, signature, context, depth });
        functions.push(func);
    }
    functions
}

/// Can the function be called with numbers alone?
pub fn is_plain(signature: &Signature) -> bool {
    signature.params.iter().all(|param| param.purpose == ArgumentPurpose::Normal)
}

/// Random arguments for a signature.
pub fn arguments(signature: &Signature, random: &mut Random) -> Vec<DataValue> {
    let mut args = Vec::with_capacity(signature.params.len());
    for param in &signature.params {
        // Equal arguments make comparisons true.
        let same = args.last().copied().filter(|last: &DataValue| last.ty() == param.value_type);
        match same {
            Some(last) if random.chance(15) => args.push(last),
            _ => args.extend(DataValue::from_bits(value_bits(param.value_type, random), param.value_type)),
        }
    }
    args
}

/// Bits of a value.
fn value_bits(ty: Type, random: &mut Random) -> u128 {
    const DOUBLES: [f64; 22] = [
        0.0,
        -0.0,
        1.0,
        -1.5,
        0.1,
        1e10,
        -1e300,
        4_294_967_296.0,
        f64::INFINITY,
        f64::NAN,
        1e-310,
        -2_147_483_649.0,
        0.5,
        2.5,
        -0.999_999_999_999,
        255.5,
        2_147_483_647.5,
        9_223_372_036_854_775_808.0,
        -9_223_372_036_854_775_808.0,
        18_446_744_073_709_551_616.0,
        4_503_599_627_370_497.5,
        -f64::NAN,
    ];
    match (ty, random.chance(60)) {
        (types::F32, true) => (DOUBLES[random.below(DOUBLES.len())] as f32).to_bits().into(),
        (types::F64, true) => DOUBLES[random.below(DOUBLES.len())].to_bits().into(),
        _ => random.number(ty.bits()),
    }
}

fn signature(menu: &Menu, callees: &[Callee], random: &mut Random) -> Signature {
    let convention = random.pick(&menu.conventions).copied().unwrap_or(CallConv::SystemV);
    let mut signature = Signature::new(convention);
    // Tail calls with more arguments than their caller had move the caller's frame.
    let many = if convention == CallConv::Tail { 12 } else { 5 };
    let params = match random.below(100 + many) {
        0..75 => random.below(5),
        75..100 => random.between(5, 12),
        _ => random.between(13, 40),
    };
    let returns = match random.below(100) {
        0..3 => 0,
        3..60 => 1,
        60..88 => random.between(2, 4),
        88..98 => random.between(5, 12),
        _ => random.between(13, 30),
    };
    if let Some(callee) = random.pick(callees).filter(|_| random.chance(30)) {
        // The callee can be left to by a tail call.
        signature = Signature { params: Vec::new(), ..callee.signature.clone() };
        signature.params = (0..params).map(|_| parameter(menu, random)).collect();
        return signature;
    }
    signature.params = (0..params).map(|_| parameter(menu, random)).collect();
    signature.returns = (0..returns).map(|_| parameter(menu, random)).collect();
    signature
}

fn parameter(menu: &Menu, random: &mut Random) -> AbiParam {
    let ty = random.pick(&menu.types).copied().unwrap_or(types::I32);
    let param = AbiParam::new(ty);
    match random.below(4) {
        0 if ty.is_int() && ty.bits() < 32 => param.uext(),
        1 if ty.is_int() && ty.bits() < 32 => param.sext(),
        _ => param,
    }
}
