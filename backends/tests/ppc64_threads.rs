//! Thread-local data on 64-bit POWER, in objects that the C compiler of the platform links.

use std::process::Command;
use windlass::link::Module;
use windlass::object::{ObjectOptions, write_object};
use windlass::{Context, lookup};

const FUNCTION: &str = "function %next(i32) -> i32 system_v {
    gv0 = symbol tls %counter
    gv1 = symbol tls %zero+4
    fn0 = %twice(i32) -> i32 system_v
block0(v0: i32):
    v1 = tls_value.i64 gv0
    v2 = load.i32 v1
    v3 = iadd v2, v0
    store v3, v1
    v4 = tls_value.i64 gv1
    v5 = load.i32 v4
    v6 = iadd v3, v5
    v7 = call fn0(v6)
    return v7
}";

const C: &str = r#"
#include <stdio.h>
__thread int counter = 5;
__thread int zero[2] = {1, 2};
int next(int);
int twice(int n) { return 2 * n; }
int main(void) {
    int a = next(3), b = next(4);
    printf("%d %d %d\n", a, b, counter);
    return 0;
}
"#;

/// Compiles the function for a model, links it with C, and runs the program.
fn run(target: &str, model: &str, compiler: &str, link: &[&str], emulator: &[&str]) -> String {
    let mut builder = lookup(target).expect("a target");
    builder.set("tls_model", Some(model)).expect("a model");
    let target = builder.build().expect("it goes together");
    let function = windlass::ir::text::parse_function(FUNCTION).expect("it parses");
    let code = target.compile(&function, &mut Context::new()).expect("it compiles");
    let mut module = Module::new();
    module.add_function(function.name.clone(), code);
    let folder = tempfile::tempdir().expect("a folder");
    let path = |name| folder.path().join(name);
    let object = write_object(&module, target.elf(), &ObjectOptions::default()).expect("an object");
    std::fs::write(path("ours.o"), object).expect("written");
    std::fs::write(path("theirs.c"), C).expect("written");
    let output = Command::new(compiler)
        .args(link)
        .arg("-o")
        .args([path("program"), path("theirs.c"), path("ours.o")])
        .output()
        .unwrap_or_else(|_| panic!("{compiler} not found: tools/test.sh installs it"));
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let output = Command::new(emulator[0])
        .args(&emulator[1..])
        .arg(path("program"))
        .output()
        .unwrap_or_else(|_| panic!("{} not found: tools/test.sh installs it", emulator[0]));
    String::from_utf8_lossy(&output.stdout).into_owned()
}

#[test]
fn c_and_windlass_share_data_of_threads() {
    let platforms = [
        ("ppc64le", "powerpc64le-linux-gnu-gcc", "qemu-ppc64le", "power8", "/usr/powerpc64le-linux-gnu"),
        ("ppc64", "powerpc64-linux-gnu-gcc", "qemu-ppc64", "970fx", "/usr/powerpc64-linux-gnu"),
    ];
    for (target, compiler, emulator, cpu, root) in platforms {
        let emulator = [emulator, "-cpu", cpu, "-L", root];
        for (model, link) in [
            ("elf_le", &["-static", "-Wl,--fatal-warnings"][..]),
            ("elf_gd", &["-static", "-Wl,--fatal-warnings"]),
            // Position-independent, with libraries that are loaded.
            ("elf_gd", &[]),
        ] {
            assert_eq!(run(target, model, compiler, link, &emulator), "20 28 12\n", "{target} {model}");
        }
    }
}
