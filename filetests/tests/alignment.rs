//! `stress_check_alignment` catches what it is there to catch: each kind of misaligned access, and nothing else.
//!
//! The filetests run with it on and none of them fails, which proves something only if the checks work.

use windlass::{Context, Target};
use windlass_filetests::execute::compile_all;
use windlass_filetests::guest::{CallOutcome, GuestCall, GuestOptions, run_calls};
use windlass_filetests::targets;
use windlass_ir::{DataValue, Function};

const SIGILL: u32 = 4;

/// Functions that access a slot at an offset, an i32, with flags that promise alignment.
const ACCESSES: &str = "
function %word(i32) -> i32 {
    ss0 = explicit_slot 32, align=8
block0(v0: i32):
    v1 = stack_addr.i32 ss0
    v2 = iadd v1, v0
    v3 = iconst.i32 7
    store aligned v3, v2
    v4 = load.i32 aligned v2
    return v4
}
function %half(i32) -> i32 {
    ss0 = explicit_slot 32, align=8
block0(v0: i32):
    v1 = stack_addr.i32 ss0
    v2 = iadd v1, v0
    v3 = iconst.i32 7
    istore16 aligned v3, v2+2
    v4 = sload16.i32 aligned v2+2
    return v4
}
function %long(i32) -> i32 {
    ss0 = explicit_slot 32, align=8
block0(v0: i32):
    v1 = stack_addr.i32 ss0
    v2 = iadd v1, v0
    v3 = iconst.i64 7
    store aligned v3, v2+8
    v4 = load.i64 aligned v2+8
    v5 = ireduce.i32 v4
    return v5
}
function %indexed(i32) -> i32 {
    ss0 = explicit_slot 32, align=8
block0(v0: i32):
    v1 = stack_addr.i32 ss0
    v2 = iconst.i32 2
    v3 = ishl v0, v2
    v4 = iconst.i32 1
    v5 = iadd v1, v4
    v6 = iadd v5, v3
    v7 = iconst.i32 7
    v8 = isub v6, v4
    store aligned v7, v8
    v9 = load.i32 aligned v8
    return v9
}
function %byte(i32) -> i32 {
    ss0 = explicit_slot 32, align=8
block0(v0: i32):
    v1 = stack_addr.i32 ss0
    v2 = iadd v1, v0
    v3 = iconst.i32 7
    istore8 aligned v3, v2
    v4 = uload8.i32 aligned v2
    return v4
}
function %any(i32) -> i32 {
    ss0 = explicit_slot 32, align=8
block0(v0: i32):
    v1 = stack_addr.i32 ss0
    v2 = iadd v1, v0
    v3 = iconst.i32 7
    store v3, v2
    v4 = load.i32 v2
    return v4
}
";

/// Doubles in registers of the float unit, and exclusive accesses.
const WITH_ATOMICS: &str = "
function %double(i32) -> i32 {
    ss0 = explicit_slot 32, align=8
block0(v0: i32):
    v1 = stack_addr.i32 ss0
    v2 = iadd v1, v0
    v3 = f64const 0x7.0
    store aligned v3, v2
    v4 = load.f64 aligned v2
    v5 = fcvt_to_sint.i32 v4
    return v5
}
function %atomic(i32) -> i32 {
    ss0 = explicit_slot 32, align=8
block0(v0: i32):
    v1 = stack_addr.i32 ss0
    v2 = iadd v1, v0
    v3 = iconst.i32 7
    v4 = atomic_rmw.i32 aligned xchg v2, v3
    v5 = atomic_load.i32 aligned v2
    return v5
}
";

/// How each function ends for each offset.
fn outcomes(target: &str, settings: &str, text: &str, offsets: &[i32]) -> Vec<(String, i32, CallOutcome)> {
    let spec = format!("{target} {settings}");
    let target: Box<dyn Target> = targets::build(&spec, &[]).unwrap();
    let file = windlass_ir::text::parse_test_file(text, &Default::default()).unwrap();
    let functions: Vec<Function> = file.functions.into_iter().map(|function| function.func).collect();
    let mut cx = Context::new();
    let module = compile_all(&*target, &functions, &mut cx).unwrap();
    let args: Vec<[DataValue; 1]> = offsets.iter().map(|&offset| [DataValue::I32(offset)]).collect();
    let calls: Vec<GuestCall<'_>> = functions
        .iter()
        .flat_map(|func| {
            args.iter().map(|args| GuestCall { function: &func.name, signature: &func.signature, args })
        })
        .collect();
    let found = run_calls(&*target, &module, &calls, &GuestOptions::default(), &mut cx).unwrap();
    let names = functions.iter().flat_map(|func| offsets.iter().map(|&at| (func.name.to_string(), at)));
    names.zip(found).map(|((name, at), outcome)| (name, at, outcome)).collect()
}

fn returns_seven(outcome: &CallOutcome) -> bool {
    matches!(outcome, CallOutcome::Returned(values) if values[..] == [DataValue::I32(7)])
}

fn is_caught(outcome: &CallOutcome) -> bool {
    matches!(outcome, CallOutcome::Signal { number: SIGILL, place: Some(_), .. })
}

const CHECKED: &str = "stress_check_alignment";

#[test]
fn misaligned_accesses_are_caught_where_words_must_be_aligned() {
    for target in ["armv5", "armv6 strict_alignment", "armv7hf strict_alignment"] {
        for (name, at, outcome) in outcomes(target, CHECKED, ACCESSES, &[0, 1, 2, 3, 4]) {
            let alignment = match &*name {
                "%byte" | "%any" | "%indexed" => 1,
                "%half" => 2,
                _ => 4,
            };
            let good = if at % alignment == 0 { returns_seven(&outcome) } else { is_caught(&outcome) };
            assert!(good, "{target}: {name}({at}) {outcome}");
        }
    }
}

#[test]
fn from_armv6_on_words_and_halfwords_may_be_anywhere() {
    for target in ["armv6", "armv7", "armv7hf"] {
        for (name, at, outcome) in outcomes(target, CHECKED, ACCESSES, &[0, 1, 2, 3]) {
            assert!(returns_seven(&outcome), "{target}: {name}({at}) {outcome}");
        }
    }
}

#[test]
fn float_and_exclusive_accesses_are_caught_on_every_processor() {
    for target in ["armv7", "armv7hf"] {
        for (name, at, outcome) in outcomes(target, CHECKED, WITH_ATOMICS, &[0, 1, 2, 4, 6]) {
            let good = if at % 4 == 0 { returns_seven(&outcome) } else { is_caught(&outcome) };
            assert!(good, "{target}: {name}({at}) {outcome}");
        }
    }
}

#[test]
fn without_the_setting_the_emulator_notices_nothing() {
    for (name, at, outcome) in outcomes("armv5", "", ACCESSES, &[1, 2]) {
        assert!(returns_seven(&outcome), "{name}({at}) {outcome}");
    }
}

/// `strict_alignment=off` is a promise that before ARMv6 somebody must keep.
#[test]
fn broken_promises_of_alignment_are_caught() {
    for (name, at, outcome) in outcomes("armv5 strict_alignment=off", CHECKED, ACCESSES, &[0, 2, 4]) {
        if name == "%any" {
            let good = if at % 4 == 0 { returns_seven(&outcome) } else { is_caught(&outcome) };
            assert!(good, "{name}({at}) {outcome}");
        }
    }
}
