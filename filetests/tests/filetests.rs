//! Every `.clif` file here and under examples/ is a test with its path as name.
//!
//! `WINDLASS_BLESS=1 cargo test -p windlass-filetests` rewrites golden outputs.

use libtest_mimic::{Arguments, Failed, Trial};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use windlass_filetests::report::Summary;
use windlass_filetests::targets::{self, Setting};
use windlass_filetests::{Coverage, Options, find_files, run_file, run_files};

fn main() -> ExitCode {
    let arguments = Arguments::from_args();
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    let roots: [PathBuf; 2] = [here.join("tests"), here.join("../examples")];
    let mut trials = Vec::new();
    for root in roots {
        let files = match find_files(std::slice::from_ref(&root)) {
            Ok(files) => files,
            Err(e) => {
                eprintln!("{e}");
                return ExitCode::FAILURE;
            }
        };
        for file in files {
            let name = file.strip_prefix(&root).unwrap_or(&file).display().to_string();
            let kind = root.file_name().map(|n| n.to_string_lossy().into_owned()).unwrap_or_default();
            trials.push(Trial::test(format!("{kind}/{name}"), move || run(&file)));
        }
    }
    for target in OTHER_TARGETS {
        trials.push(Trial::test(format!("target/{target}"), move || run_on(target, &ROOTS)));
    }
    for target in ALIGNED {
        trials.push(Trial::test(format!("alignment/{target}"), move || run_aligned(target)));
    }
    for target in LEGALIZED {
        trials.push(Trial::test(format!("legalize/{target}"), move || run_legalized(target)));
    }
    for stress in STRESS {
        let setting = setting(stress);
        trials.push(Trial::test(format!("stress/{stress}"), move || run_stressed(setting)));
        for target in STRESSED {
            let target = format!("{target} {stress}");
            trials.push(Trial::test(format!("stress/{target}"), move || run_on(&target, &STRESS_ROOTS)));
        }
    }
    trials.push(Trial::test("coverage", every_rule_fires));
    libtest_mimic::run(&arguments, trials).exit_code()
}

/// Sets of rules of which every one is fired by some file here.
const COVERED: &[&str] = &["arm", "legalize", "ppc64"];

/// No rule is untested. What fires while functions are compiled says it: nothing is run.
fn every_rule_fires() -> Result<(), Failed> {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    let files = find_files(&[here.join("tests")]).map_err(|e| e.to_string())?;
    let options = Options {
        compile_only: true,
        coverage: Some(Coverage::new()),
        jobs: Options::from_environment().jobs,
        ..Options::default()
    };
    let mut report = run_files(&files, &options, &|_| {}).coverage.unwrap_or_default();
    report.unfired.retain(|(_, set)| COVERED.contains(set));
    let all_there = COVERED.iter().all(|name| report.sets.iter().any(|set| set.0 == *name));
    if report.unfired.is_empty() && all_there { Ok(()) } else { Err(report.render().into()) }
}

/// Targets that the run tests do not name: all run tests hold on them too. Among them are the levels of a processor that
/// has more of them than the oldest.
const OTHER_TARGETS: &[&str] = &[
    "armv7",
    "armv6",
    "armv5",
    "ppc64le",
    "ppc64le power9",
    "ppc64le power10",
    "ppc64le power10 toc_free",
    "ppc64le toc_free return_address_data=index enable_pinned_reg reserved_regs=r14,r29,r31,f14,f31",
    "ppc64",
    "ppc64 power6",
    "ppc64 power7",
    "ppc64 power7 return_address_data=offset align_return_addresses=16 function_header=size",
    "ppc64 power9",
    "ppc64 power10",
    "ppc64 toc_free",
    "ppc64v2",
    "ppc64v2 power9",
    "ppc64v2 toc_free",
];

/// Those that run the matrix too, which is all that depends on a processor's level: opcodes by types.
const LEVELS: &[&str] = &[
    "ppc64le",
    "ppc64le power9",
    "ppc64le power10",
    "ppc64",
    "ppc64 power6",
    "ppc64 power7",
    "ppc64 power10",
];

/// Where the run tests are. Of some folders only those of a width of addresses.
const ROOTS: [&str; 4] = ["tests/run", "tests/programs", "tests/matrix", "../examples"];
/// Of these a setting is tried on.
const STRESS_ROOTS: [&str; 2] = ["tests/run", "../examples"];

/// Runs what there is for a target: a name and words for features and settings.
fn run_on(target: &str, roots: &[&str]) -> Result<(), Failed> {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    let roots: Vec<_> = roots.iter().map(|root| here.join(root)).collect();
    let wide = target.starts_with("ppc64");
    let other = if wide { "p32" } else { "p64" };
    let mut summary = Summary::default();
    for file in find_files(&roots).map_err(|e| e.to_string())? {
        let path = file.to_string_lossy();
        let targets = specs_of(&file, target);
        let skipped = path.contains("matrix") && !LEVELS.contains(&target);
        if path.contains(other) || skipped || targets.is_empty() {
            continue;
        }
        let options = Options { targets, jobs: 1, ..Options::default() };
        summary.files.extend(run_files(&[file], &options, &|_| {}).files);
    }
    if summary.failed() == 0 && summary.passed() > 0 { Ok(()) } else { Err(summary.render(false).into()) }
}

/// What a file is run on for a target. A file that names targets of [`OTHER_TARGETS`] lists all that have what it tests:
/// it is run on those of the same name, with the settings that it gives them and the words behind the target's name, unless
/// the two do not go together.
fn specs_of(file: &Path, target: &str) -> Vec<String> {
    let own = own_specs(file);
    if !own.iter().any(|spec| OTHER_TARGETS.contains(&first_word(spec))) {
        return vec![target.to_owned()];
    }
    let (name, words) = target.split_at(first_word(target).len());
    let same = own.iter().filter(|spec| first_word(spec) == name).map(|spec| format!("{spec}{words}"));
    same.filter(|spec| go_together(spec)).collect()
}

/// Is there such a target? General dynamic thread-local data need a table of contents.
fn go_together(spec: &str) -> bool {
    targets::build(spec, &[]).is_ok() && !(spec.contains("elf_gd") && spec.contains("toc_free"))
}

/// The targets that a file names, with the words behind them.
fn own_specs(file: &Path) -> Vec<String> {
    let text = std::fs::read_to_string(file).unwrap_or_default();
    text.lines().filter_map(|line| line.strip_prefix("target ").map(str::to_owned)).collect()
}

fn first_word(spec: &str) -> &str {
    spec.split_whitespace().next().unwrap_or_default()
}

/// Targets on which every access is checked. The emulator loads and stores anywhere; these processors do not.
const ALIGNED: &[&str] = &["armv5", "armv6 strict_alignment", "armv7 strict_alignment"];

fn run_aligned(target: &str) -> Result<(), Failed> {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    let roots = ["tests/run", "tests/matrix", "tests/regress", "tests/programs/p32", "../examples"];
    let mut summary = Summary::default();
    for file in find_files(&roots.map(|root| here.join(root))).map_err(|e| e.to_string())? {
        let targets = specs_of(&file, target);
        if file.to_string_lossy().contains("p64") || targets.is_empty() {
            continue;
        }
        let settings = vec![setting("stress_check_alignment")];
        let options = Options { targets, settings, jobs: 1, ..Options::default() };
        summary.files.extend(run_files(&[file], &options, &|_| {}).files);
    }
    if summary.failed() == 0 { Ok(()) } else { Err(summary.render(false).into()) }
}

/// Every expansion does what the instruction does: the table's run lines hold on legalized functions, in the
/// interpreter. With a small core of native operations nearly every rule is at work; without a float unit the
/// library's calls are.
const LEGALIZED: &[&str] = &["armv7hf", "armv5", "ppc64le", "ppc64"];

fn run_legalized(target: &str) -> Result<(), Failed> {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    // Most run tests have narrow addresses.
    let (roots, other) = match target.starts_with("ppc64") {
        true => (&["tests/matrix"][..], "p32"),
        false => (&["tests/run", "tests/matrix"][..], "p64"),
    };
    let roots: Vec<_> = roots.iter().map(|root| here.join(root)).collect();
    let mut files = find_files(&roots).map_err(|e| e.to_string())?;
    files.retain(|file| !file.to_string_lossy().contains(other));
    let options = Options {
        targets: vec![target.to_owned()],
        settings: vec![setting("stress_legalize_core")],
        legalize: true,
        jobs: 1,
        ..Options::default()
    };
    let mut summary = run_files(&files, &options, &|_| {});
    // What the target does not compile at all is another test's business.
    for file in &mut summary.files {
        file.checks.retain(|check| check.target.as_deref().is_some_and(|t| t.ends_with("legalized")));
    }
    if summary.failed() == 0 && summary.passed() > 0 { Ok(()) } else { Err(summary.render(false).into()) }
}

/// Targets on which the settings of [`STRESS`] are tried, besides the one that the run tests name.
const STRESSED: &[&str] = &["ppc64le", "ppc64"];

/// Settings that change code and never its meaning: every run test holds under each of them.
const STRESS: &[&str] = &[
    "stress_spill_all",
    "stress_max_regs=4",
    "stress_max_regs=8",
    "stress_random_regs=1",
    "stress_random_regs=2026",
    "stress_branch_range=64",
    "stress_block_padding=60",
    "stress_shuffle_blocks=1",
    "stress_legalize_core",
    "stress_check_alignment",
    "preserve_frame_pointers",
    "opt_level=none",
    "opt_level=size",
];

fn setting(text: &str) -> Setting {
    match text.split_once('=') {
        Some((name, value)) => (name.to_owned(), Some(value.to_owned())),
        None => (text.to_owned(), None),
    }
}

fn run_stressed(setting: Setting) -> Result<(), Failed> {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    let files = find_files(&[here.join("tests/run"), here.join("../examples")]).map_err(|e| e.to_string())?;
    let options = Options { settings: vec![setting], jobs: 1, ..Options::default() };
    let summary = run_files(&files, &options, &|_| {});
    if summary.failed() == 0 { Ok(()) } else { Err(summary.render(false).into()) }
}

fn run(file: &Path) -> Result<(), Failed> {
    let options = Options { jobs: 1, ..Options::from_environment() };
    let summary = Summary { files: vec![run_file(file, &options)], ..Summary::default() };
    if summary.failed() == 0 { Ok(()) } else { Err(summary.render(false).into()) }
}
