//! Every opcode at every type: what the interpreter, the verifier and the text make of it.
//!
//! The run lines stand in `filetests/tests/matrix/`, where every target runs them too. They are written by the generator
//! here, whose expectations come from Rust's own arithmetic, never from the interpreter: a file that
//! differs from the generator fails, `WINDLASS_BLESS=1 cargo test -p windlass-ir --test matrix` writes it. A function
//! called `%OPCODE_TYPE…` stands for the cell of that opcode and type; a scalar cell without a run line fails.
//!
//! `cargo test -p windlass-ir --test matrix -- --nocapture table` prints the table.

mod example;
mod file;
mod floats;
mod ints;
mod machine;

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use windlass_ir::interp::{Config, ErrorKind, Interpreter, Machine, Outcome, Program};
use windlass_ir::opcode::TABLE;
use windlass_ir::text::{
    Expectation, ParseOptions, RunCommand, TestFile, parse_run_command, parse_test_file,
};
use windlass_ir::types::*;
use windlass_ir::{
    DataValue, Endianness, ExternalName, Function, Opcode, OpcodeDef, Signature, Type, Verifier,
};

const SCALARS: [Type; 7] = [I8, I16, I32, I64, I128, F32, F64];

fn folder() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../filetests/tests/matrix")
}

fn generated() -> Vec<file::File> {
    ints::files().into_iter().chain(floats::files()).chain(machine::files()).collect()
}

#[test]
fn the_files_are_what_the_generator_writes() {
    let bless = std::env::var_os("WINDLASS_BLESS").is_some_and(|value| value == "1");
    let mut names = BTreeSet::new();
    for file in generated() {
        let path = folder().join(&file.name).with_extension("clif");
        names.insert(path.file_name().unwrap_or_default().to_owned());
        if bless {
            std::fs::create_dir_all(folder()).expect("the folder can be made");
            std::fs::write(&path, file.text()).expect("the file can be written");
        }
        let there = std::fs::read_to_string(&path).unwrap_or_default();
        assert!(
            there == file.text(),
            "{} is not what the generator writes: WINDLASS_BLESS=1 cargo test -p windlass-ir --test matrix",
            path.display()
        );
    }
    for entry in std::fs::read_dir(folder()).expect("the folder is there") {
        let name = entry.expect("the folder can be read").file_name();
        assert!(names.contains(&name), "nobody generates {}", name.display());
    }
}

/// The opcode that a function stands for: the longest that its name begins with.
fn subject(name: &ExternalName) -> Option<&'static OpcodeDef> {
    let ExternalName::Symbol(name) = name else { return None };
    let begins = |def: &&OpcodeDef| {
        name.strip_prefix(def.name).is_some_and(|rest| rest.is_empty() || rest.starts_with('_'))
    };
    TABLE.iter().filter(begins).max_by_key(|def| def.name.len())
}

/// Runs the lines of a file; what cells they cover.
fn run_file(path: &str, file: &TestFile<'_>, cells: &mut BTreeMap<(Opcode, Type), usize>) {
    let functions: Vec<&Function> = file.functions.iter().map(|f| &f.func).collect();
    let mut verifier = Verifier::new();
    for func in &functions {
        assert_eq!(verifier.verify(func), Ok(()), "{path}: {func}");
        let text = func.to_string();
        let again =
            windlass_ir::text::parse_function(&text).unwrap_or_else(|e| panic!("{path}: {e}\n{text}"));
        assert_eq!(again.to_string(), text, "{path}");
    }
    let machine = Machine::of(functions.iter().copied(), Endianness::Little).unwrap_or(Machine::LE64);
    let signatures: BTreeMap<&ExternalName, &Signature> =
        functions.iter().map(|f| (&f.name, &f.signature)).collect();
    let program = Program::new(functions.iter().copied(), machine).unwrap_or_else(|e| panic!("{path}: {e}"));
    let mut interpreter = Interpreter::new(&program, Config::default());
    let mut lines: BTreeMap<ExternalName, usize> = BTreeMap::new();
    for function in &file.functions {
        for comment in &function.comments {
            let find = |name: &ExternalName| signatures.get(name).copied();
            let command = parse_run_command(comment.text, &function.func.name, find)
                .unwrap_or_else(|e| panic!("{path}: {}: {e}", comment.text));
            let Some(RunCommand::Run(call, expected)) = command else { continue };
            let outcome = interpreter.run(&call.func, &call.args);
            let good = match (&expected, &outcome) {
                (Expectation::Equals(values), Outcome::Return(found)) => values == found,
                (Expectation::Traps(code), Outcome::Trap { code: found, .. }) => code == found,
                _ => false,
            };
            assert!(good, "{path}: {}: {outcome}", comment.text);
            *lines.entry(call.func).or_default() += 1;
        }
    }
    for func in functions {
        let (Some(def), Some(&count)) = (subject(&func.name), lines.get(&func.name)) else { continue };
        for block in func.layout.blocks() {
            for inst in func.layout.block_insts(block) {
                if func.dfg.opcode(inst) == def.opcode {
                    *cells.entry((def.opcode, func.dfg.ctrl_type(inst))).or_default() += count;
                }
            }
        }
    }
}

/// Cells whose programs need more than a file can say: symbols, which somebody must define.
fn run_symbols(cells: &mut BTreeMap<(Opcode, Type), usize>) {
    for (machine, ty) in [(Machine::LE32, I32), (Machine::LE64, I64)] {
        for (opcode, tls) in [(Opcode::SymbolValue, ""), (Opcode::TlsValue, "tls ")] {
            let text = format!(
                "function %f() -> i16 {{
                     gv0 = symbol {tls}%data+2
                 block0:
                     v0 = {opcode}.{ty} gv0
                     v1 = load.i16 little v0
                     return v1
                 }}"
            );
            let func = windlass_ir::text::parse_function(&text).expect("it parses");
            let program = Program::new([&func], machine).expect("one function is a program");
            let mut interpreter = Interpreter::new(&program, Config::default());
            interpreter.define_data(&ExternalName::symbol("data"), &[1, 2, 3, 4], 4).expect("there is room");
            let outcome = interpreter.run(&func.name, &[]);
            assert_eq!(outcome, Outcome::Return(vec![DataValue::I16(0x0403)]), "{text}");
            *cells.entry((opcode, ty)).or_default() += 1;
        }
    }
}

/// Scalar cells that the interpreter refuses by name, with the reason.
fn refused(def: &OpcodeDef, ty: Type) -> Option<&'static str> {
    match def.opcode {
        Opcode::F16const | Opcode::F128const => Some("values of f16 and f128 are read and verified only"),
        // The other side of these can be f16 or f128 only.
        Opcode::Fpromote if ty == F32 => Some("values of f16 are read and verified only"),
        Opcode::Fdemote if ty == F64 => Some("values of f128 are read and verified only"),
        _ if !ty.is_invalid() && !SCALARS.contains(&ty) => {
            Some("vectors, f16 and f128 are read and verified only")
        }
        _ if def.opcode >= Opcode::Splat => Some("vectors are read and verified only"),
        _ => None,
    }
}

#[test]
fn the_table_has_no_holes() {
    let mut cells: BTreeMap<(Opcode, Type), usize> = BTreeMap::new();
    let mut paths: Vec<PathBuf> = std::fs::read_dir(folder())
        .expect("the folder is there")
        .map(|entry| entry.expect("the folder can be read").path())
        .collect();
    paths.sort();
    for path in paths {
        let text = std::fs::read_to_string(&path).expect("the file can be read");
        let name = path.display().to_string();
        let file = parse_test_file(&text, &ParseOptions::default()).unwrap_or_else(|e| panic!("{name}:{e}"));
        run_file(&name, &file, &mut cells);
    }
    run_symbols(&mut cells);

    let columns: Vec<Type> = std::iter::once(Type::INVALID).chain(Type::all().iter().copied()).collect();
    let mut table = format!("{:<30}", "");
    for ty in &columns {
        table += &format!("{:>6}", if ty.is_invalid() { "-".to_owned() } else { ty.to_string() });
    }
    table += "\n";
    let (mut count, mut runs) = (0, 0);
    let mut holes = Vec::new();
    for def in TABLE {
        table += &format!("{:<30}", def.name);
        for &ty in &columns {
            let Some(text) = example::example(def, ty) else {
                table += "     .";
                continue;
            };
            count += 1;
            example::check_text_and_verifier(def, ty, &text);
            let lines = cells.get(&(def.opcode, ty)).copied().unwrap_or(0);
            runs += lines;
            match refused(def, ty) {
                None if lines > 0 => table += "   IVT",
                None => {
                    table += "   ?VT";
                    holes.push(format!("{} {ty}", def.name));
                }
                Some(_) => {
                    check_refusal(def, ty, &text);
                    table += "    VT";
                }
            }
        }
        table += "\n";
    }
    println!("{table}I: {runs} run lines in the interpreter; V: verifier; T: text; {count} cells");
    assert!(holes.is_empty(), "no run line for {holes:?}");
    assert!(runs > 15_000, "{runs}");
}

/// The interpreter names what it does not do.
fn check_refusal(def: &OpcodeDef, ty: Type, text: &str) {
    let func = windlass_ir::text::parse_function(text).unwrap_or_else(|e| panic!("{e}\n{text}"));
    let machine = Machine::of([&func], Endianness::Little).unwrap_or(Machine::LE64);
    let program = Program::new([&func], machine).unwrap_or_else(|e| panic!("{e}\n{text}"));
    let outcome = Interpreter::new(&program, Config::default()).run(&func.name, &[]);
    let named = match &outcome {
        Outcome::Error(error) => matches!(error.kind, ErrorKind::Unsupported { .. }),
        _ => false,
    };
    assert!(named, "{} {ty}: {outcome}\n{text}", def.name);
}
