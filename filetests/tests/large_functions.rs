//! Functions beyond the reach of the machine's short ways: literal pools and branches farther apart than an
//! instruction can say, by sheer size and by the stress settings.

use windlass::link::Module;
use windlass::{Context, Target, ir};
use windlass_filetests::guest::{CallOutcome, GuestCall, GuestOptions, run_calls};
use windlass_ir::builder::{FuncCursor, InstBuilder};
use windlass_ir::{AbiParam, CallConv, DataValue, ExternalName, Function, Signature, types};

fn target(name: &str, settings: &[(&str, &str)]) -> Box<dyn Target> {
    let mut builder = windlass::lookup(name).unwrap();
    for (name, value) in settings {
        builder.set(name, Some(value)).unwrap();
    }
    builder.build().unwrap()
}

/// The constant of step `i`: no two alike, none a machine immediate.
fn constant(i: u32) -> u32 {
    (i.wrapping_mul(0x9e37_79b9) ^ 0x5bd1_e995) | 0x0101_0000
}

/// `steps` times `x = (x ^ constant) + (x >> 7)`, in blocks of 64 steps; at the end of each block, an odd `y` (the
/// second parameter) leaves for the end of the function, with the number of the block, when they are equal.
fn long_function(steps: u32) -> Function {
    let mut sig = Signature::new(CallConv::SystemV);
    sig.params = vec![AbiParam::new(types::I32); 2];
    sig.returns = vec![AbiParam::new(types::I32)];
    let mut func = Function::new(ExternalName::symbol("long"), sig);
    let entry = func.dfg.make_block();
    let end = func.dfg.make_block();
    let x0 = func.dfg.append_block_param(entry, types::I32);
    let y = func.dfg.append_block_param(entry, types::I32);
    let result = func.dfg.append_block_param(end, types::I32);
    let mut cursor = FuncCursor::new(&mut func);
    cursor.insert_block(entry);
    let mut x = x0;
    let seven = cursor.ins().iconst(types::I32, 7);
    for i in 0..steps {
        let k = cursor.ins().iconst(types::I32, i64::from(constant(i)));
        let a = cursor.ins().bxor(x, k);
        let b = cursor.ins().ushr(x, seven);
        x = cursor.ins().iadd(a, b);
        if i % 64 == 63 {
            let number = cursor.ins().iconst(types::I32, i64::from(i / 64));
            let same = cursor.ins().icmp(ir::IntCC::Equal, y, number);
            let next = cursor.func.dfg.make_block();
            cursor.ins().brif(same, end, &[x.into()], next, &[]);
            cursor.insert_block(next);
        }
    }
    cursor.ins().jump(end, &[x.into()]);
    cursor.insert_block(end);
    cursor.ins().return_(&[result]);
    func
}

fn expected(steps: u32, mut x: u32, y: u32) -> u32 {
    for i in 0..steps {
        x = (x ^ constant(i)).wrapping_add(x >> 7);
        if i % 64 == 63 && y == i / 64 {
            return x;
        }
    }
    x
}

/// Compiles and runs the function; the sizes of the code.
fn check(target: &dyn Target, steps: u32) -> windlass::Stats {
    let func = long_function(steps);
    let mut cx = Context::new();
    let code = target.compile(&func, &mut cx).unwrap();
    let stats = code.stats;
    let mut module = Module::new();
    module.add_function(func.name.clone(), code);
    let inputs = [(1, u32::MAX), (0xffff_ffff, 0), (42, steps / 64 / 2), (7, steps / 64 - 1)];
    let args: Vec<[DataValue; 2]> =
        inputs.iter().map(|&(x, y)| [DataValue::I32(x as i32), DataValue::I32(y as i32)]).collect();
    let calls: Vec<GuestCall<'_>> = args
        .iter()
        .map(|args| GuestCall { function: &func.name, signature: &func.signature, args })
        .collect();
    let outcomes = run_calls(target, &module, &calls, &GuestOptions::default(), &mut cx).unwrap();
    for (&(x, y), outcome) in inputs.iter().zip(&outcomes) {
        let want = DataValue::I32(expected(steps, x, y) as i32);
        assert!(
            matches!(outcome, CallOutcome::Returned(values) if values[..] == [want]),
            "%long({x}, {y}) {outcome}, expected {want}"
        );
    }
    stats
}

#[test]
fn a_function_of_five_megabytes_runs_with_pools_in_reach() {
    let stats = check(&*target("armv7hf", &[("opt_level", "size")]), 320_000);
    assert!(stats.code_bytes > 5_000_000, "{} bytes", stats.code_bytes);
    // All but the few constants that two immediates make.
    assert!(stats.pool_words >= 319_000, "{} pool words", stats.pool_words);
}

#[test]
fn short_reaches_need_veneers_and_many_pools() {
    for reach in ["1024", "2000", "4096", "70000"] {
        let settings =
            [("opt_level", "size"), ("stress_branch_range", reach), ("stress_block_padding", "52")];
        let stats = check(&*target("armv7hf", &settings), 12_800);
        assert!(stats.veneers > 0, "no veneer with reach {reach}");
    }
}

#[test]
fn shuffled_blocks_with_short_reaches_run() {
    for seed in ["1", "2", "3"] {
        let settings = [("stress_branch_range", "1500"), ("stress_shuffle_blocks", seed)];
        let stats = check(&*target("armv7hf", &settings), 6_400);
        assert!(stats.veneers > 0, "no veneer with seed {seed}");
    }
}
