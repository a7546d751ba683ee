//! What language run times find in running code: data at return addresses and entries, and code that moves. The interpreter
//! has none of it, so that these are no run lines.

use windlass::link::{LinkOptions, Module};
use windlass::{Context, Target};
use windlass_filetests::guest::{CallOutcome, GuestCall, GuestOptions, run_calls};
use windlass_filetests::targets;
use windlass_ir::text::parse_functions;
use windlass_ir::{DataValue, ExternalName, Function};

const TARGETS: [&str; 4] = ["armv7hf", "armv7", "armv6", "armv5"];

fn target(name: &str, settings: &str) -> Box<dyn Target> {
    targets::build(&format!("{name} {settings}"), &[]).expect("a target")
}

fn compiled(target: &dyn Target, text: &str) -> (Module, Vec<Function>) {
    let functions = parse_functions(text).expect("functions");
    let mut module = Module::new();
    for function in &functions {
        let code = target.compile(function, &mut Context::new()).expect("compiles");
        module.add_function(function.name.clone(), code);
    }
    (module, functions)
}

/// What `function` returns, its results in the bits of integers.
fn call(target: &dyn Target, module: &Module, function: &Function, args: &[DataValue]) -> Vec<u64> {
    let call = GuestCall { function: &function.name, signature: &function.signature, args };
    let outcomes = run_calls(target, module, &[call], &GuestOptions::default(), &mut Context::new());
    match outcomes.expect("runs").remove(0) {
        CallOutcome::Returned(values) => values.iter().map(|value| value.to_bits() as u64).collect(),
        other => panic!("{}: {other}", target.name()),
    }
}

/// Gives its return address and what stands eight bytes in front of it.
const PROBES: &str = "
function %probe() -> i32, i32 system_v {
block0:
    v0 = get_return_address.i32
    v1 = load.i32 notrap aligned v0-8
    return v0, v1
}

function %direct() -> i32, i32, i32, i32, i32 system_v {
    fn0 = %probe() -> i32, i32 system_v
    fn1 = %direct() -> i32, i32, i32, i32, i32 system_v
block0:
    v0, v1 = call fn0()
    v2, v3 = call fn0()
    v4 = func_addr.i32 fn1
    return v0, v1, v2, v3, v4
}

function %indirect() -> i32, i32, i32, i32, i32 system_v {
    sig0 = () -> i32, i32 system_v
    fn0 = %probe sig0
    fn1 = %indirect() -> i32, i32, i32, i32, i32 system_v
block0:
    v0 = func_addr.i32 fn0
    v1, v2 = call_indirect sig0, v0()
    try_call_indirect v0(), sig0, block1(ret0, ret1), []

block1(v3: i32, v4: i32):
    v5 = func_addr.i32 fn1
    return v1, v2, v3, v4, v5
}
";

#[test]
fn a_word_in_front_of_each_call_leads_from_the_return_address_to_the_function() {
    for (name, settings, align) in [
        ("armv7hf", "return_address_data=offset align_return_addresses=16", 16),
        ("armv7", "return_address_data=offset align_return_addresses=8", 8),
        ("armv6", "return_address_data=offset", 4),
        ("armv5", "return_address_data=offset align_return_addresses=16", 16),
    ] {
        let target = target(name, settings);
        let (module, functions) = compiled(&*target, PROBES);
        for function in &functions[1..] {
            let [at1, word1, at2, word2, entry] = call(&*target, &module, function, &[])[..] else {
                panic!("five results")
            };
            for (at, word) in [(at1, word1), (at2, word2)] {
                assert_eq!(at - word, entry, "{name}: {}", function.name);
                assert_eq!(at % align, 0, "{name}: {}", function.name);
            }
        }
    }
}

#[test]
fn the_word_may_be_the_number_of_the_call() {
    for name in TARGETS {
        let target = target(name, "return_address_data=index");
        let (module, functions) = compiled(&*target, PROBES);
        for (function, def) in functions.iter().zip(module.functions()).skip(1) {
            let [at1, word1, at2, word2, entry] = call(&*target, &module, function, &[])[..] else {
                panic!("five results")
            };
            assert_eq!([word1, word2], [0, 1], "{name}");
            let returns: Vec<u64> = def.code.return_offsets.iter().map(|&at| u64::from(at)).collect();
            assert_eq!([at1 - entry, at2 - entry], returns[..], "{name}");
        }
    }
}

#[test]
fn a_word_in_front_of_the_entry_is_what_the_setting_says() {
    let text = "
function %one(i32) -> i32 system_v {
    fn0 = %header(i32) -> i32, i32 system_v
block0(v0: i32):
    v1 = func_addr.i32 fn0
    v2 = load.i32 notrap aligned v1-4
    return v2
}

function %header(i32) -> i32, i32 system_v {
    fn0 = %one(i32) -> i32 system_v
block0(v0: i32):
    v1 = func_addr.i32 fn0
    v2 = load.i32 notrap aligned v1-4
    v3 = call fn0(v0)
    return v2, v3
}
";
    for name in TARGETS {
        let target = target(name, "function_header=size");
        let (module, functions) = compiled(&*target, text);
        let sizes: Vec<u64> = module.functions().iter().map(|f| f.code.bytes.len() as u64).collect();
        assert_eq!(call(&*target, &module, &functions[1], &[DataValue::I32(0)]), sizes, "{name}");
        // The embedder's own.
        let target = targets::build(&format!("{name} function_header=7"), &[]).expect("a target");
        let mut module = Module::new();
        for (n, function) in functions.iter().enumerate() {
            let mut code = target.compile(function, &mut Context::new()).expect("compiles");
            assert_eq!(code.header, [7, 0, 0, 0]);
            code.header = vec![n as u8 + 100, 0, 0, 1];
            module.add_function(function.name.clone(), code);
        }
        let words = call(&*target, &module, &functions[1], &[DataValue::I32(0)]);
        assert_eq!(words, [0x0100_0064, 0x0100_0065], "{name}");
    }
}

/// Everything that a function can have for itself: constants in pools, tables, addresses of its own code.
const MOVABLE: &str = "
function %movable(i32, f64) -> i32, f64 system_v {
    ss0 = explicit_slot 8
block0(v0: i32, v1: f64):
    v2 = iconst.i32 0x12345678
    v3 = f64const 0x1.23456789abcdep10
    v4 = fadd v1, v3
    br_table v0, block4(v2), [block1, block2, block3]

block1:
    v5 = iconst.i32 0x0fedcba9
    jump block4(v5)

block2:
    v6 = stack_addr.i32 ss0
    store notrap aligned v4, v6
    v7 = load.i32 notrap aligned v6
    jump block4(v7)

block3:
    v8 = iconst.i32 3
    v9 = isub v0, v8
    trapnz v0, user1
    jump block4(v9)

block4(v10: i32):
    v11 = bxor v10, v2
    v12 = fmul v4, v3
    return v11, v12
}
";

#[test]
fn code_without_references_can_be_moved() {
    for name in TARGETS {
        let target = target(name, "");
        let text = if name == "armv5" {
            // Its arithmetic of floats is calls: what is left is loads, constants and tables.
            MOVABLE.replace("fadd v1, v3", "fcopysign v1, v3").replace("fmul v4, v3", "fcopysign v3, v4")
        } else {
            MOVABLE.to_string()
        };
        let (module, functions) = compiled(&*target, &text);
        let code = &module.functions()[0].code;
        assert!(code.relocs.is_empty(), "{name}");
        assert!(!code.data_ranges.is_empty(), "{name}: a table at least");
        let segment = |base: u64| {
            let options = LinkOptions { base_address: base, ..LinkOptions::of_elf(target.elf()) };
            module.link(&options).expect("links").segments()[0].bytes.clone()
        };
        assert_eq!(segment(0x10000), segment(0x7654_3000), "{name}");

        // The same bytes at two places do the same.
        let mut twice = module.clone();
        let copy = Function { name: ExternalName::symbol("copy"), ..functions[0].clone() };
        twice.add_function(ExternalName::symbol("between"), code.clone());
        twice.add_function(copy.name.clone(), code.clone());
        for n in [0, 1, 7] {
            let args = [
                DataValue::I32(n),
                DataValue::from_bits(0x4012_0000_0000_0000, windlass_ir::types::F64).unwrap(),
            ];
            let results = call(&*target, &twice, &functions[0], &args);
            assert_eq!(call(&*target, &twice, &copy, &args), results, "{name}");
        }
    }
}
