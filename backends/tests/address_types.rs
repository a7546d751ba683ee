//! Addresses have the machine's width: any other is the input's fault, and compiling says so.

use windlass::ir::text::parse_function;
use windlass::target::TARGETS;
use windlass::{CompileError, Context, lookup};

#[test]
fn addresses_of_another_width_are_the_inputs_fault() {
    // One context after the other target's function.
    let mut cx = Context::new();
    for target in TARGETS {
        let target = lookup(target.name).expect("a target").build().expect("plain settings");
        let right = target.address_type();
        for ty in ["i32", "i64"] {
            let text = format!(
                "function %f({ty}) -> i64 {{\nblock0(v0: {ty}):\n    v1 = load.i64 v0\n    return v1\n}}\n"
            );
            let func = parse_function(&text).expect("it parses");
            match target.compile(&func, &mut cx) {
                Ok(_) => assert_eq!(ty, right.to_string()),
                Err(CompileError::Verify(faults)) => {
                    assert_ne!(ty, right.to_string());
                    let message = faults[0].to_string();
                    assert!(message.contains(&format!("addresses have type {right}")), "{message}");
                }
                Err(error) => panic!("{error}"),
            }
        }
    }
}
