//! A context's memory serves function after function: what the second compilation allocates is its result.

use std::path::Path;
use windlass::context::Context;
use windlass::lookup;
use windlass_ir::text::{ParseOptions, parse_test_file};

/// Allocations of compiling a program's functions for the second time, and the number of functions.
fn second_time(target: &str, program: &str) -> (u64, usize) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../filetests/tests/programs").join(program);
    let text = std::fs::read_to_string(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
    let functions = parse_test_file(&text, &ParseOptions::default()).unwrap().functions;
    let mut builder = lookup(target).unwrap();
    builder.set("regalloc_checker", Some("false")).unwrap();
    let target = builder.build().unwrap();
    let mut cx = Context::new();
    let mut run = |func| drop(target.compile(func, &mut cx).unwrap());
    functions.iter().for_each(|test| run(&test.func));
    let counted = allocation_counter::measure(|| functions.iter().for_each(|test| run(&test.func)));
    (counted.count_total, functions.len())
}

#[test]
fn the_second_compilation_allocates_almost_nothing() {
    let (allocations, functions) = second_time("armv7hf", "p32/crc32.clif");
    let each = allocations as f64 / functions as f64;
    // The result, what calls pass where, and the copy of a function that is legalized.
    assert!(each < 64.0, "{allocations} allocations for {functions} functions: {each:.0} each");
}
