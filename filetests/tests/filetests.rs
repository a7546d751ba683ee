//! Every `.clif` file here and under examples/ is a test with its path as name.
//!
//! `WINDLASS_BLESS=1 cargo test -p windlass-filetests` rewrites golden outputs.

use libtest_mimic::{Arguments, Failed, Trial};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use windlass_filetests::report::Summary;
use windlass_filetests::targets::Setting;
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
        trials.push(Trial::test(format!("target/{target}"), move || run_on(target)));
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
    }
    trials.push(Trial::test("coverage", every_rule_fires));
    libtest_mimic::run(&arguments, trials).exit_code()
}

/// Sets of rules of which every one is fired by some file here.
const COVERED: &[&str] = &["arm", "legalize"];

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

/// Targets that the run tests do not name: all run tests hold on them too.
const OTHER_TARGETS: &[&str] = &[
    "armv7",
    "armv6",
    "armv5",
    "ppc64le",
    "ppc64le power9",
    "ppc64le power10",
    "ppc64le toc_free return_address_data=index enable_pinned_reg reserved_regs=r14,r29,r31,f14,f31",
    "ppc64",
    "ppc64 power7 return_address_data=offset align_return_addresses=16 function_header=size",
    "ppc64v2",
];

fn run_on(target: &str) -> Result<(), Failed> {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    let wide = target.starts_with("ppc64");
    let programs = if wide { "tests/programs/p64" } else { "tests/programs/p32" };
    let mut roots = vec!["tests/run", programs, "../examples"];
    if wide {
        roots.push("tests/matrix");
    }
    let roots: Vec<_> = roots.iter().map(|root| here.join(root)).collect();
    let mut files = find_files(&roots).map_err(|e| e.to_string())?;
    // A file that names such targets lists all that have what it tests, and is run on them anyway.
    files.retain(|file| own_specs(file).iter().all(|spec| !OTHER_TARGETS.contains(&first_word(spec))));
    let options = Options { targets: vec![target.to_owned()], jobs: 1, ..Options::default() };
    let summary = run_files(&files, &options, &|_| {});
    if summary.failed() == 0 { Ok(()) } else { Err(summary.render(false).into()) }
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
        // A file that names such targets is run on those, with the features that it gives them.
        let own = own_specs(&file);
        let mut targets = vec![target.to_owned()];
        if file.to_string_lossy().contains("p64") {
            continue;
        } else if own.iter().any(|spec| OTHER_TARGETS.contains(&first_word(spec))) {
            let this = own.iter().filter(|spec| first_word(spec) == first_word(target));
            targets = this.map(|spec| format!("{spec}{}", &target[first_word(target).len()..])).collect();
        }
        if targets.is_empty() {
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
const LEGALIZED: &[&str] = &["armv7hf", "armv5"];

fn run_legalized(target: &str) -> Result<(), Failed> {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    let roots = ["tests/run", "tests/matrix"].map(|root| here.join(root));
    let mut files = find_files(&roots).map_err(|e| e.to_string())?;
    files.retain(|file| !file.to_string_lossy().contains("p64"));
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
