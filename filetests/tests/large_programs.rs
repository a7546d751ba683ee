//! Programs beyond the reach of branches between functions: 40 MiB of code, run with veneers of our own and with those of
//! the GNU linker.

use std::fs;
use std::process::Command;
use windlass::exe::{write_executable, write_file_atomically};
use windlass::link::{LinkOptions, Module};
use windlass::object::{ObjectOptions, write_object};
use windlass::{Context, Target};
use windlass_filetests::guest::{CallOutcome, GuestCall, GuestOptions, run_calls};
use windlass_filetests::targets;
use windlass_ir::text::parse_function;
use windlass_ir::{CallConv, DataValue, ExternalName, Signature};

const MIB: usize = 1 << 20;
/// Functions of the program.
const HOPS: u32 = 41;

/// Function `n` of [`HOPS`] counts down by way of a function far away, the last step a tail call. Forty of them fill
/// a mebibyte each.
fn hop(n: u32) -> String {
    let (next, tail) = ((n + 17) % HOPS, (n + 29) % HOPS);
    format!(
        "function %hop{n}(i32) -> i32 tail {{
            fn0 = %hop{next}(i32) -> i32 tail
            fn1 = %hop{tail}(i32) -> i32 tail
        block0(v0: i32):
            v1 = iconst.i32 1
            v2 = isub v0, v1
            brif v0, block1, block2(v0)
        block1:
            v3 = band v0, v1
            brif v3, block3, block4
        block3:
            v4 = call fn0(v2)
            v5 = iconst.i32 {n}
            v6 = iadd v4, v5
            jump block2(v6)
        block4:
            return_call fn1(v2)
        block2(v7: i32):
            return v7
        }}"
    )
}

/// What `%hop{n}(x)` returns.
fn expected(mut n: u32, mut x: u32) -> u32 {
    let mut sum = 0;
    while x != 0 {
        if x % 2 == 1 {
            sum += n;
            n = (n + 17) % HOPS;
        } else {
            n = (n + 29) % HOPS;
        }
        x -= 1;
    }
    sum
}

const STEPS: i32 = 200;

fn program(target: &dyn Target, cx: &mut Context) -> Module {
    let mut module = Module::new();
    for n in 0..HOPS {
        let func = parse_function(&hop(n)).unwrap();
        let mut code = target.compile(&func, cx).unwrap();
        // What is behind the code is never reached. It is zeros, which are instructions.
        if n + 1 < HOPS {
            code.bytes.resize(MIB, 0);
        }
        module.add_function(func.name.clone(), code);
    }
    let entry = parse_function(
        "function %enter(i32) -> i32 {
            fn0 = %hop0(i32) -> i32 tail
        block0(v0: i32):
            v1 = call fn0(v0)
            return v1
        }",
    )
    .unwrap();
    module.add_function(entry.name.clone(), target.compile(&entry, cx).unwrap());
    module
}

#[test]
fn forty_mebibytes_of_code_run_with_veneers() {
    for name in ["armv7hf", "armv5", "ppc64le", "ppc64"] {
        let target = targets::build(name, &[]).unwrap();
        let mut cx = Context::new();
        let module = program(&*target, &mut cx);
        let mut signature = Signature::new(CallConv::SystemV);
        let parameter = windlass_ir::AbiParam::new(windlass_ir::types::I32);
        signature.params.push(parameter);
        signature.returns.push(parameter);
        let function = ExternalName::symbol("enter");
        let args = [DataValue::I32(STEPS)];
        let calls = [GuestCall { function: &function, signature: &signature, args: &args }];
        let outcomes = run_calls(&*target, &module, &calls, &GuestOptions::default(), &mut cx).unwrap();
        let want = DataValue::I32(expected(0, STEPS as u32) as i32);
        assert!(
            matches!(&outcomes[0], CallOutcome::Returned(values) if values[..] == [want]),
            "{name}: {}, expected {want}",
            outcomes[0]
        );
    }
}

/// The status of a program that starts at `%enter`.
fn main_module(target: &dyn Target, cx: &mut Context) -> Module {
    let mut module = program(target, cx);
    let main = parse_function(&format!(
        "function %__windlass_main(i32) -> i32 {{
            fn0 = %enter(i32) -> i32
        block0(v0: i32):
            v1 = iconst.i32 {STEPS}
            v2 = call fn0(v1)
            v3 = iconst.i32 {}
            v4 = icmp eq v2, v3
            v5 = uextend.i32 v4
            v6 = iconst.i32 42
            v7 = imul v5, v6
            return v7
        }}",
        expected(0, STEPS as u32)
    ))
    .unwrap();
    module.add_function(main.name.clone(), target.compile(&main, cx).unwrap());
    for (name, code) in target.startup().functions {
        module.add_function(ExternalName::symbol(&name), code);
    }
    module
}

fn status(target: &dyn Target, program: &std::path::Path) -> Option<i32> {
    let emulator = target.emulator();
    Command::new(emulator.program).args(emulator.args).arg(program).status().expect("the emulator").code()
}

#[test]
fn executables_and_objects_of_that_size_run() {
    let folder = tempfile::tempdir().expect("a folder");
    let target = targets::build("armv7hf", &[]).unwrap();
    let mut cx = Context::new();
    let module = main_module(&*target, &mut cx);

    let image = module.link(&LinkOptions::of_target(&*target)).unwrap();
    assert!(!image.veneers().is_empty());
    let executable = folder.path().join("own");
    let bytes = write_executable(&image, target.elf(), &ExternalName::symbol("_start")).unwrap();
    write_file_atomically(&executable, &bytes, true).unwrap();
    assert_eq!(status(&*target, &executable), Some(42), "our own veneers");

    let object = folder.path().join("program.o");
    fs::write(&object, write_object(&module, target.elf(), &ObjectOptions::default()).unwrap()).unwrap();
    let linked = folder.path().join("linked");
    let linker = Command::new("arm-linux-gnueabihf-ld").arg("-o").arg(&linked).arg(&object).status();
    assert!(linker.expect("binutils-arm-linux-gnueabihf").success());
    assert_eq!(status(&*target, &linked), Some(42), "the GNU linker's veneers");
}

#[test]
fn every_program_may_have_short_branches() {
    for range in ["1", "100", "2000", "200000"] {
        let setting = ("stress_branch_range".to_owned(), Some(range.to_owned()));
        let target = targets::build("armv5", &[setting]).unwrap();
        let mut cx = Context::new();
        let mut module = Module::new();
        for (n, function) in main_module(&*target, &mut cx).functions().iter().enumerate() {
            let mut code = function.code.clone();
            code.bytes.truncate(code.bytes.len().min(1000 + 4 * n));
            module.add_function(function.name.clone(), code);
        }
        let image = module.link(&LinkOptions::of_target(&*target)).unwrap();
        assert_eq!(image.veneers().is_empty(), range == "200000");
        let folder = tempfile::tempdir().expect("a folder");
        let executable = folder.path().join("program");
        let bytes = write_executable(&image, target.elf(), &ExternalName::symbol("_start")).unwrap();
        write_file_atomically(&executable, &bytes, true).unwrap();
        assert_eq!(status(&*target, &executable), Some(42), "branches of {range} bytes");
    }
}
