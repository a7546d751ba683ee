//! Calling conventions against a C compiler, in both directions.
//!
//! `WINDLASS_ABI=2000 cargo test -p windlass-filetests --test abi` tries so many signatures of each convention.

use windlass_filetests::abi::{CONVENTIONS, Convention, Options, build_and_run, object, test};
use windlass_filetests::targets;
use windlass_ir::CallConv;

/// A short run, or what the environment asks for.
fn count() -> u64 {
    std::env::var("WINDLASS_ABI").ok().and_then(|text| text.parse().ok()).unwrap_or(150)
}

fn check(name: &str) {
    let convention = CONVENTIONS.iter().find(|row| row.name == name).expect("a convention");
    // Small programs: more settings have their turn.
    let batch = if count() > 1000 { 200 } else { 25 };
    let options = Options { count: count(), batch, seed: 4, ..Options::default() };
    let report = test(convention, &options, &mut |_| ()).unwrap_or_else(|error| panic!("{error}"));
    assert!(report.differences.is_empty(), "{name}: {report}");
    assert_eq!(report.signatures, count());
    // Each is called from both sides, but for those that C alone defines.
    assert!(report.variadic < report.signatures / 3, "{report}");
}

macro_rules! conventions {
    ($($test:ident $name:literal)*) => {
        $(#[test] fn $test() { check($name); })*

        #[test]
        fn every_convention_is_tested() {
            let tested = [$($name),*];
            assert!(CONVENTIONS.iter().map(|row| row.name).eq(tested));
        }
    };
}

conventions! {
    armv7hf "armv7hf"
    armv7hf_base "armv7hf-base"
    armv7 "armv7"
    armv7_vfp "armv7-vfp"
    armv6 "armv6"
    armv6_vfp "armv6-vfp"
    armv5 "armv5"
    ppc64le "ppc64le"
    ppc64le_power10 "ppc64le-power10"
    ppc64 "ppc64"
    ppc64_power7 "ppc64-power7"
}

/// What the tests see is really the convention: with another one nothing fits.
#[test]
fn a_wrong_convention_is_found() {
    let row = CONVENTIONS.iter().find(|row| row.name == "armv7hf").expect("a convention");
    let wrong = Convention { call_convs: &[CallConv::Aapcs], variadic: None, ..*row };
    let options = Options { count: 20, ..Options::default() };
    let report = test(&wrong, &options, &mut |_| ()).unwrap_or_else(|error| panic!("{error}"));
    assert!(report.differences.iter().any(|found| found.what.starts_with("C calls Windlass")), "{report}");
}

/// A pointer to a nested function, as GNU C has them, leads to the variables around it: by code on the stack, or by the
/// environment in a descriptor.
#[test]
fn closures_find_their_environment() {
    const APPLY: &str = "
function %apply(ADDR, i32) -> i32 system_v {
    sig0 = (i32) -> i32 system_v
block0(v0: ADDR, v1: i32):
    v2 = call_indirect sig0, v0(v1)
    v3 = call_indirect sig0, v0(v2)
    return v3
}
";
    const C: &str = r#"
#include <stdio.h>
#include <stdlib.h>
int apply(int (*)(int), int);
int main(int argc, char **argv) {
  int count = argc, step = atoi(argv[0]) + 5;
  int add(int n) { count++; return n + step; }
  int twice = apply(add, 30);
  printf("%d %d\n", twice, count);
  return 0;
}
"#;
    for convention in CONVENTIONS.iter() {
        for settings in if convention.wide { &["", "toc_free"][..] } else { &[""] } {
            let target = targets::build(&format!("{} {settings}", convention.target), &[]).expect("a target");
            let text = APPLY.replace("ADDR", &target.address_type().to_string());
            let object = object(&*target, &text).expect("compiles");
            let printed = build_and_run(convention, &*target, "-O1", C, &object);
            assert_eq!(printed.as_deref(), Ok("40 3\n"), "{} {settings}", convention.name);
        }
    }
}
