//! Every opcode at every type, on every target: the page says what is there, what it says is run, and what is not
//! there is known by name.
//!
//! `WINDLASS_BLESS=1 cargo test -p windlass-filetests --test opcode_matrix` writes `docs/matrix.md`.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::LazyLock;
use windlass::Context;
use windlass::link::{DataDef, Module};
use windlass::target::TARGETS;
use windlass_filetests::find_files;
use windlass_filetests::guest::{CallOutcome, GuestCall, GuestOptions, run_calls};
use windlass_filetests::matrix::{Matrix, Support};
use windlass_filetests::targets::build;
use windlass_ir::opcode::TABLE;
use windlass_ir::text::{ParseOptions, parse_test_file};
use windlass_ir::{DataValue, Endianness, ExternalName, Opcode, Type, types};

static MATRIX: LazyLock<Matrix> = LazyLock::new(|| Matrix::of_all().expect("the targets are there"));

/// Scalar cells that targets refuse, with the targets and the reason. A cell that is refused and not listed fails, and
/// so does one that is listed and not refused.
const REFUSED: &[(&str, &[&str], &str)] = &[
    ("atomic_rmw.i128", BEFORE_POWER8, WIDE_ATOMICS),
    ("atomic_cas.i128", BEFORE_POWER8, WIDE_ATOMICS),
    ("atomic_load.i128", BEFORE_POWER8, WIDE_ATOMICS),
    ("atomic_store.i128", BEFORE_POWER8, WIDE_ATOMICS),
];

const WIDE_ATOMICS: &str = "no 32-bit ARM accesses more than eight bytes at once; POWER does from POWER8 on, with the setting `power8` too";
const BEFORE_POWER8: &[&str] = &["armv7hf", "armv7", "armv6", "armv5", "ppc64", "ppc64v2"];

/// Cells that the files cannot run, and where they are run instead.
const RUN_ELSEWHERE: &[(Opcode, Option<Type>, &str)] = &[
    (Opcode::Debugtrap, None, "here: it stops with a signal"),
    (Opcode::TlsValue, None, "here: it needs data, which files do not define"),
    (Opcode::AtomicRmw, Some(types::I128), WIDE_CHANGES),
    (Opcode::AtomicCas, Some(types::I128), WIDE_CHANGES),
];

const WIDE_CHANGES: &str =
    "by the tests of backends/src/ppc64/atomic/quad.rs: emulators have no working LQARX before QEMU 8.1";

fn tree() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

#[test]
fn the_page_is_what_the_targets_say() {
    let path = tree().join("docs/matrix.md");
    let page = MATRIX.markdown();
    if std::env::var_os("WINDLASS_BLESS").is_some_and(|value| value == "1") {
        std::fs::write(&path, &page).expect("the page can be written");
    }
    let there = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(
        there == page,
        "docs/matrix.md is not what the targets say: \
         WINDLASS_BLESS=1 cargo test -p windlass-filetests --test opcode_matrix"
    );
}

#[test]
fn what_is_refused_is_known() {
    let known: BTreeMap<_, BTreeSet<_>> = REFUSED
        .iter()
        .map(|(cell, targets, _)| ((*cell).to_owned(), targets.iter().copied().collect()))
        .collect();
    let refused = MATRIX.refused();
    for (cell, targets, reason) in &refused {
        let listed = known.get(cell).cloned().unwrap_or_default();
        let found: BTreeSet<_> = targets.iter().copied().collect();
        let new: Vec<_> = found.difference(&listed).collect();
        assert!(new.is_empty(), "{cell} is refused on {new:?}: {reason}");
        assert!(!reason.contains("parse"), "{cell}: {reason}");
        let gone: Vec<_> = listed.difference(&found).collect();
        assert!(gone.is_empty(), "{cell} is not refused on {gone:?} any more: change the list");
    }
    let found: BTreeSet<_> = refused.iter().map(|(cell, ..)| cell.clone()).collect();
    for cell in known.keys() {
        assert!(found.contains(cell), "{cell} is not refused any more: change the list");
    }
}

/// The opcode that a function stands for: the longest that its name begins with.
fn subject(name: &ExternalName) -> Option<Opcode> {
    let ExternalName::Symbol(name) = name else { return None };
    let begins = |rest: &str| rest.is_empty() || rest.starts_with('_');
    let named = TABLE.iter().filter(|def| name.strip_prefix(def.name).is_some_and(begins));
    named.max_by_key(|def| def.name.len()).map(|def| def.opcode)
}

/// The cells that the matrix files run, and on which targets.
fn cells_run() -> BTreeMap<(Opcode, Type), BTreeSet<String>> {
    let mut cells: BTreeMap<(Opcode, Type), BTreeSet<String>> = BTreeMap::new();
    let folder = tree().join("filetests/tests/matrix");
    for path in find_files(&[folder]).expect("the folder is there") {
        let text = std::fs::read_to_string(&path).expect("the file can be read");
        let file = parse_test_file(&text, &ParseOptions::default()).expect("it parses");
        let head: Vec<&str> = text.lines().take_while(|line| !line.starts_with("function")).collect();
        if !head.contains(&"test run") {
            continue;
        }
        let targets: Vec<&str> =
            head.iter().filter_map(|line| line.strip_prefix("target ")?.split_whitespace().next()).collect();
        for function in &file.functions {
            let called = format!("run: {}(", function.func.name);
            let is_run = file.functions.iter().flat_map(|f| &f.comments).any(|c| c.text.contains(&called));
            let (Some(opcode), true) = (subject(&function.func.name), is_run) else { continue };
            let func = &function.func;
            for block in func.layout.blocks() {
                for inst in func.layout.block_insts(block).filter(|&inst| func.dfg.opcode(inst) == opcode) {
                    let cell = cells.entry((opcode, func.dfg.ctrl_type(inst))).or_default();
                    cell.extend(targets.iter().map(|target| target.to_string()));
                }
            }
        }
    }
    cells
}

#[test]
fn every_cell_that_is_there_is_run_on_each_target() {
    let run = cells_run();
    let mut missing = Vec::new();
    let mut checked = 0;
    for cell in &MATRIX.cells {
        if RUN_ELSEWHERE.iter().any(|(op, ty, _)| *op == cell.opcode && ty.is_none_or(|ty| ty == cell.ty)) {
            continue;
        }
        for (support, target) in cell.support.iter().zip(&MATRIX.targets) {
            let is_run = run.get(&(cell.opcode, cell.ty)).is_some_and(|targets| targets.contains(*target));
            checked += 1;
            if support.is_there() && !is_run {
                missing.push(format!("{} on {target}", cell.name()));
            }
        }
    }
    assert!(missing.is_empty(), "no run line for {missing:#?}");
    assert!(checked > 1500, "{checked}");
}

#[test]
fn debugtrap_raises_the_signal_of_debuggers() {
    const SIGTRAP: u32 = 5;
    let text = "function %stop() {\nblock0:\n    debugtrap\n    return\n}";
    let func = windlass_ir::text::parse_function(text).expect("it parses");
    for entry in TARGETS {
        let target = (entry.builder)().build().expect("the target");
        let mut cx = Context::new();
        let mut module = Module::new();
        module.add_function(func.name.clone(), target.compile(&func, &mut cx).expect("it compiles"));
        let calls = [GuestCall { function: &func.name, signature: &func.signature, args: &[] }];
        let outcomes =
            run_calls(&*target, &module, &calls, &GuestOptions::default(), &mut cx).expect("it runs");
        assert!(
            matches!(&outcomes[0], CallOutcome::Signal { number: SIGTRAP, .. }),
            "{}: {}",
            entry.name,
            outcomes[0]
        );
    }
}

#[test]
fn thread_local_data_are_found() {
    let cell = MATRIX.cells.iter().find(|cell| cell.opcode == Opcode::TlsValue).expect("a cell");
    for (name, support) in MATRIX.targets.iter().zip(&cell.support).filter(|(_, support)| support.is_there())
    {
        for model in ["elf_le", "elf_gd"] {
            let target = build(&format!("{name} tls_model={model}"), &[]).expect("a target");
            assert_eq!(*support, Support::Rule, "{name}");
            let address = target.address_type();
            let text = format!(
                "function %next(i16) -> i16, i16 {{
                     gv0 = symbol tls %counter+2
                     gv1 = symbol tls %zero
                 block0(v0: i16):
                     v1 = tls_value.{address} gv0
                     v2 = load.i16 v1
                     v3 = iadd v2, v0
                     store v3, v1
                     v4 = tls_value.{address} gv1
                     v5 = load.i16 v4
                     return v3, v5
                 }}"
            );
            let func = windlass_ir::text::parse_function(&text).expect("it parses");
            let mut cx = Context::new();
            let mut module = Module::new();
            module.add_function(func.name.clone(), target.compile(&func, &mut cx).expect("it compiles"));
            let number = |n: u16| match target.endianness() {
                Endianness::Little => n.to_le_bytes(),
                Endianness::Big => n.to_be_bytes(),
            };
            let counter = ExternalName::symbol("counter");
            let bytes = [number(1), number(500)].concat();
            module.add_data(DataDef { thread_local: true, ..DataDef::read_only(counter, bytes, 4) });
            let zero = ExternalName::symbol("zero");
            module.add_data(DataDef { thread_local: true, ..DataDef::zeros(zero, 2, 2) });
            let call = |args| GuestCall { function: &func.name, signature: &func.signature, args };
            let (seven, three) = ([DataValue::I16(7)], [DataValue::I16(3)]);
            let calls = [call(&seven), call(&three)];
            let outcomes =
                run_calls(&*target, &module, &calls, &GuestOptions::default(), &mut cx).expect("it runs");
            for (outcome, sum) in outcomes.iter().zip([507, 510]) {
                let expected = CallOutcome::Returned(vec![DataValue::I16(sum), DataValue::I16(0)]);
                assert_eq!(*outcome, expected, "{name} {model}");
            }
        }
    }
}

#[test]
fn every_scalar_opcode_has_a_cell() {
    // Those of vectors come last in the table; f16 and f128 have no values.
    for name in MATRIX.without_scalars() {
        let opcode = Opcode::from_name(name).expect("its name");
        let narrow_or_wide = matches!(opcode, Opcode::F16const | Opcode::F128const);
        assert!(opcode >= Opcode::Splat || narrow_or_wide, "{name}");
    }
    let is_absent = |support: &Support| *support == Support::Absent;
    assert!(MATRIX.cells.iter().all(|cell| !cell.support.iter().all(is_absent)));
}
