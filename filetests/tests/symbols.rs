//! Data at symbols, of the same module and of others, as targets with 64-bit addresses find them: in images of our own
//! linker, and in programs that the platform's linker makes of our objects.

use std::process::Command;
use windlass::Context;
use windlass::link::{DataDef, Module};
use windlass::object::{ObjectOptions, write_object};
use windlass_filetests::guest::{CallOutcome, GuestCall, GuestOptions, run_calls};
use windlass_filetests::targets::build;
use windlass_ir::{DataValue, Endianness, ExternalName};

/// Reads and writes two words, in place and through their addresses.
const FUNCTION: &str = "function %next(i64) -> i64, i32 system_v {
    gv0 = symbol colocated %near
    gv1 = symbol colocated %near+8
    gv2 = symbol %far
    gv3 = symbol %far+4
    fn0 = %twice(i64) -> i64 system_v
block0(v0: i64):
    v1 = symbol_value.i64 gv0
    v2 = load.i64 aligned v1
    v3 = iadd v2, v0
    v4 = symbol_value.i64 gv0
    store aligned v3, v4
    v5 = symbol_value.i64 gv1
    v6 = load.i16 v5
    v7 = sextend.i32 v6
    v8 = symbol_value.i64 gv2
    v9 = load.i32 v8
    v10 = iadd v7, v9
    v11 = symbol_value.i64 gv3
    v12 = load.i32 v11
    v13 = iadd v10, v12
    v14 = symbol_value.i64 gv0
    v15 = load.i64 v14
    v16 = call fn0(v15)
    return v16, v13
}";
const TWICE: &str = "function %twice(i64) -> i64 system_v {
block0(v0: i64):
    v1 = iadd v0, v0
    return v1
}";

const TARGETS: [&str; 5] = ["ppc64le", "ppc64", "ppc64v2", "ppc64le power10", "ppc64v2 power10"];

#[test]
fn our_linker_finds_them() {
    for spec in TARGETS {
        let target = build(spec, &[]).expect("a target");
        let mut cx = Context::new();
        let mut module = Module::new();
        let functions =
            [FUNCTION, TWICE].map(|text| windlass_ir::text::parse_function(text).expect("it parses"));
        for function in &functions {
            let code = target.compile(function, &mut cx).expect("it compiles");
            module.add_function(function.name.clone(), code);
        }
        let big = target.endianness() == Endianness::Big;
        let long = |n: u64| if big { n.to_be_bytes() } else { n.to_le_bytes() };
        let word = |n: u32| if big { n.to_be_bytes() } else { n.to_le_bytes() };
        let half = |n: u16| if big { n.to_be_bytes() } else { n.to_le_bytes() };
        let near = [&long(1000)[..], &half(-5i16 as u16)[..]].concat();
        let writable = DataDef::read_only(ExternalName::symbol("near"), near, 8);
        module.add_data(DataDef { writable: true, ..writable });
        let far = [word(70), word(7)].concat();
        module.add_data(DataDef::read_only(ExternalName::symbol("far"), far, 4));
        let (seven, three) = ([DataValue::I64(7)], [DataValue::I64(3)]);
        let call =
            |args| GuestCall { function: &functions[0].name, signature: &functions[0].signature, args };
        let calls = [call(&seven), call(&three)];
        let outcomes =
            run_calls(&*target, &module, &calls, &GuestOptions::default(), &mut cx).expect("it runs");
        for (outcome, sum) in outcomes.iter().zip([2014, 2020]) {
            let expected = CallOutcome::Returned(vec![DataValue::I64(sum), DataValue::I32(72)]);
            assert_eq!(*outcome, expected, "{spec}");
        }
    }
}

const C: &str = "
struct { long a; short b; } near = {1000, -5};
int far[2] = {70, 7};
long twice(long n) { return 2 * n; }
long next(long);
int main(void) { return next(7) == 2014 && next(3) == 2020 ? 42 : 1; }
";

#[test]
fn the_linker_of_the_platform_finds_them() {
    for spec in TARGETS.into_iter().filter(|spec| !spec.starts_with("ppc64v2")) {
        let target = build(spec, &[]).expect("a target");
        let mut module = Module::new();
        let text = FUNCTION.replace("-> i64, i32 system_v", "-> i64 system_v").replace("v16, v13", "v16");
        let function = windlass_ir::text::parse_function(&text).expect("it parses");
        let code = target.compile(&function, &mut Context::new()).expect("it compiles");
        module.add_function(function.name.clone(), code);
        let folder = tempfile::tempdir().expect("a folder");
        let path = |name| folder.path().join(name);
        let object = write_object(&module, target.elf(), &ObjectOptions::default()).expect("an object");
        std::fs::write(path("ours.o"), object).expect("written");
        std::fs::write(path("theirs.c"), C).expect("written");
        let little = target.endianness() == Endianness::Little;
        let compiler = if little { "powerpc64le-linux-gnu-gcc" } else { "powerpc64-linux-gnu-gcc" };
        let output = Command::new(compiler)
            .args(["-static", "-O1", "-o"])
            .args([path("program"), path("theirs.c"), path("ours.o")])
            .output()
            .unwrap_or_else(|_| panic!("{compiler} not found: tools/test.sh installs it"));
        assert!(output.status.success(), "{spec}: {}", String::from_utf8_lossy(&output.stderr));
        let emulator = if little { "qemu-ppc64le" } else { "qemu-ppc64" };
        let args: &[&str] = if spec.contains("power10") { &["-cpu", "power10"] } else { &[] };
        let status = Command::new(emulator).args(args).arg(path("program")).status().expect("it runs");
        assert_eq!(status.code(), Some(42), "{spec}");
    }
}
