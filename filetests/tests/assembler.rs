//! Every instruction that is emitted is one of the processor that it is emitted for, says the GNU assembler.
//!
//! The instruction table's own test compares its rows with the assembler, each at the level that it claims. Here the
//! functions of all filetests, of the start-up code and of the run-time library are compiled for each target. What the
//! disassembler prints of them must be accepted by an assembler that knows the target's processor and nothing newer, and
//! become the same words again. Texts are assembled once, however often they occur.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::process::Command;
use windlass::{CompiledCode, Context, Target};
use windlass_filetests::find_files;
use windlass_filetests::targets::{self, Setting};
use windlass_ir::Function;
use windlass_ir::text::{ParseOptions, parse_test_file};

/// A target, the assembler's options for its processor, and settings to compile everything with.
struct Processor {
    target: &'static str,
    options: &'static [&'static str],
    settings: &'static [&'static str],
}

const ASSEMBLER: &str = "arm-linux-gnueabihf-as";
const OBJCOPY: &str = "arm-linux-gnueabihf-objcopy";

const PROCESSORS: &[Processor] = &[
    Processor {
        target: "armv5",
        options: &["-march=armv5te", "-mfpu=softvfp"],
        settings: &["", "opt_level=size", "stress_spill_all", "stress_legalize_core"],
    },
    Processor {
        target: "armv6",
        options: &["-march=armv6", "-mfpu=vfpv2"],
        settings: &["", "opt_level=size", "stress_legalize_core"],
    },
    Processor { target: "armv7", options: &["-march=armv7-a", "-mfpu=vfpv3-d16"], settings: &[""] },
    Processor {
        target: "armv7hf",
        options: &["-march=armv7-a", "-mfpu=vfpv3-d16"],
        settings: &["", "opt_level=size", "stress_check_alignment"],
    },
    Processor {
        target: "armv7hf idiv vfp4",
        options: &["-march=armv7-a+idiv", "-mfpu=vfpv4-d16"],
        settings: &[""],
    },
];

/// The functions of all filetests that run.
fn functions() -> Vec<Function> {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    let roots = ["tests/run", "tests/matrix", "tests/regress", "tests/programs", "tests/isa", "../examples"];
    let mut functions = Vec::new();
    for path in find_files(&roots.map(|root| here.join(root))).expect("the folders are there") {
        let text = fs::read_to_string(&path).expect("the file can be read");
        let file = parse_test_file(&text, &ParseOptions::default()).expect("it parses");
        functions.extend(file.functions.into_iter().map(|function| function.func));
    }
    functions
}

/// Adds the words of code that are instructions.
fn add_words(words: &mut BTreeSet<u32>, code: &CompiledCode) {
    for (n, bytes) in code.bytes.chunks_exact(4).enumerate() {
        let at = 4 * n as u32;
        if !code.data_ranges.iter().any(|range| range.contains(&at)) {
            words.insert(u32::from_le_bytes(*bytes.first_chunk().expect("four bytes")));
        }
    }
}

/// The instructions that a target makes of `functions`, and how many functions it compiles.
fn words_of(target: &dyn Target, functions: &[Function], words: &mut BTreeSet<u32>) -> usize {
    let mut cx = Context::new();
    let mut compiled = 0;
    let library = windlass::builtins::library(target).expect("the library parses");
    for func in functions.iter().chain(&library) {
        // What a target does not have it refuses by name; the matrix of opcodes is where that is looked at.
        if let Ok(code) = target.compile(func, &mut cx) {
            add_words(words, &code);
            compiled += 1;
        }
    }
    for (_, code) in target.startup().functions {
        add_words(words, &code);
    }
    compiled
}

fn check(processor: &Processor, functions: &[Function]) {
    let mut words = BTreeSet::new();
    let mut compiled = 0;
    for setting in processor.settings {
        let setting: Vec<Setting> = match setting.split_once('=') {
            _ if setting.is_empty() => Vec::new(),
            Some((name, value)) => vec![(name.into(), Some(value.into()))],
            None => vec![((*setting).into(), None)],
        };
        let target =
            targets::build(&format!("{} enable_pinned_reg", processor.target), &setting).expect("a target");
        compiled = words_of(&*target, functions, &mut words);
    }
    // Most of what there is.
    assert!(compiled * 10 > functions.len() * 8, "{}: only {compiled} functions", processor.target);

    let target = targets::build(processor.target, &[]).expect("a target");
    let mut source = String::from("    .syntax unified\n    .arm\n    .text\n");
    let head = source.lines().count();
    let texts: Vec<String> = words
        .iter()
        .map(|word| match target.disassemble(&word.to_le_bytes()) {
            Some((4, text)) => text,
            other => panic!("{}: {word:#010x} is disassembled as {other:?}", processor.target),
        })
        .collect();
    for text in &texts {
        source.push_str(&format!("    {text}\n"));
    }
    let folder = tempfile::tempdir().expect("a folder");
    let [file, object, binary] = ["all.s", "all.o", "all.bin"].map(|name| folder.path().join(name));
    fs::write(&file, source).expect("the source can be written");
    let result = Command::new(ASSEMBLER)
        .args(processor.options)
        .arg("-o")
        .args([&object, &file])
        .output()
        .expect("the package binutils-arm-linux-gnueabihf");
    let errors = String::from_utf8_lossy(&result.stderr);
    let first: Vec<&str> = errors.lines().filter(|line| line.contains("rror:")).take(8).collect();
    assert!(
        result.status.success(),
        "{}: the assembler for {:?} refuses, by line of the text less {head}:\n{}",
        processor.target,
        processor.options,
        first.join("\n")
    );
    let status = Command::new(OBJCOPY).args(["-O", "binary"]).args([&object, &binary]).status();
    assert!(status.expect("binutils").success());
    let bytes = fs::read(&binary).expect("the code can be read");
    let assembled: Vec<u32> = bytes
        .chunks_exact(4)
        .map(|word| u32::from_le_bytes(*word.first_chunk().expect("four bytes")))
        .collect();
    assert_eq!(assembled.len(), words.len(), "{}", processor.target);
    for ((ours, theirs), text) in words.iter().zip(&assembled).zip(&texts) {
        assert_eq!(ours, theirs, "{}: {text}: ours {ours:#010x}, theirs {theirs:#010x}", processor.target);
    }
    println!("{}: {compiled} functions, {} different instructions", processor.target, words.len());
    assert!(words.len() > 10_000, "{}: {}", processor.target, words.len());
}

#[test]
fn every_instruction_is_one_of_its_processor() {
    let functions = functions();
    for processor in PROCESSORS {
        check(processor, &functions);
    }
}

#[test]
fn the_assembler_refuses_what_is_newer() {
    // What this test stands on: options that let everything pass would prove nothing.
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("new.s");
    for (processor, text) in
        PROCESSORS.iter().zip(["rev r0, r1", "movw r0, #1", "sdiv r0, r1, r2", "vfma.f32 s0, s1, s2"])
    {
        fs::write(&file, format!("    .syntax unified\n    .arm\n    {text}\n"))
            .expect("the source can be written");
        let output = Command::new(ASSEMBLER)
            .args(processor.options)
            .arg("-o")
            .arg(folder.path().join("new.o"))
            .arg(&file)
            .output()
            .expect("the package binutils-arm-linux-gnueabihf");
        assert!(!output.status.success(), "{text} at {:?}", processor.options);
    }
}
