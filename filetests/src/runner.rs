//! Files in, a summary out.

use crate::commands::{self, Command};
use crate::execute;
use crate::golden::{self, Edits};
use crate::options::Options;
use crate::parser_test;
use crate::report::{Check, FileReport, Outcome, Summary};
use crate::source::SourceFile;
use crate::targets;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use windlass::Target;
use windlass::ir::interp::Machine;

/// What a command runs on.
pub(crate) struct TestTarget {
    /// The target as the file or the command line spells it.
    pub spec: String,
    /// The target.
    pub target: Box<dyn Target>,
}

/// The state of one file's run.
pub(crate) struct FileRun<'a> {
    pub path: &'a Path,
    pub options: &'a Options,
    pub report: FileReport,
    pub edits: Edits,
}

impl FileRun<'_> {
    /// Adds a check of a line.
    pub fn check(&mut self, line: u32, name: impl Into<String>, target: Option<&str>, outcome: Outcome) {
        self.check_at(line, 0, name, target, outcome);
    }

    /// Adds a check of a place.
    pub fn check_at(
        &mut self,
        line: u32,
        column: u32,
        name: impl Into<String>,
        target: Option<&str>,
        outcome: Outcome,
    ) {
        self.report.checks.push(Check {
            file: self.path.to_path_buf(),
            line,
            column,
            name: name.into(),
            target: target.map(str::to_owned),
            outcome,
        });
    }
}

/// The `.clif` files under `paths`, sorted, each once; folders are searched.
///
/// # Errors
/// A path that does not exist or a folder that cannot be read; the message names it.
pub fn find_files(paths: &[PathBuf]) -> io::Result<Vec<PathBuf>> {
    fn walk(path: &Path, out: &mut Vec<PathBuf>) -> io::Result<()> {
        let named = |e: io::Error| io::Error::new(e.kind(), format!("{}: {e}", path.display()));
        for entry in std::fs::read_dir(path).map_err(named)? {
            let path = entry.map_err(named)?.path();
            if path.is_dir() {
                walk(&path, out)?;
            } else if path.extension().is_some_and(|e| e == "clif") {
                out.push(path);
            }
        }
        Ok(())
    }
    let mut out = Vec::new();
    for path in paths {
        let metadata = std::fs::metadata(path)
            .map_err(|e| io::Error::new(e.kind(), format!("{}: {e}", path.display())))?;
        if metadata.is_dir() { walk(path, &mut out)? } else { out.push(path.clone()) }
    }
    out.sort();
    out.dedup();
    Ok(out)
}

/// Runs files, several at a time. `progress` is called after each with the number of those done, from any thread.
pub fn run_files(files: &[PathBuf], options: &Options, progress: &(dyn Fn(usize) + Sync)) -> Summary {
    let next = AtomicUsize::new(0);
    let done = AtomicUsize::new(0);
    let reports: Mutex<Vec<(usize, FileReport)>> = Mutex::new(Vec::new());
    std::thread::scope(|scope| {
        for _ in 0..options.jobs.clamp(1, files.len().max(1)) {
            scope.spawn(|| {
                while let Some((i, path)) = {
                    let i = next.fetch_add(1, Ordering::Relaxed);
                    files.get(i).map(|path| (i, path))
                } {
                    let report = run_file(path, options);
                    if let Ok(mut reports) = reports.lock() {
                        reports.push((i, report));
                    }
                    progress(done.fetch_add(1, Ordering::Relaxed) + 1);
                }
            });
        }
    });
    let mut reports = reports.into_inner().unwrap_or_else(|poisoned| poisoned.into_inner());
    reports.sort_by_key(|(i, _)| *i);
    let coverage = options.coverage.as_ref().map(crate::Coverage::report);
    Summary { files: reports.into_iter().map(|(_, report)| report).collect(), coverage }
}

/// Runs one file.
pub fn run_file(path: &Path, options: &Options) -> FileReport {
    let mut run = FileRun { path, options, report: FileReport::default(), edits: Edits::default() };
    match read(path) {
        Ok(text) => run_text(&mut run, &text),
        Err(message) => run.check(0, "read", None, Outcome::failed(message)),
    }
    run.report
}

/// The text of a file.
///
/// # Errors
/// It cannot be read, or is not UTF-8: the message says at which byte.
pub fn read(path: &Path) -> Result<String, String> {
    let bytes = std::fs::read(path).map_err(|e| e.to_string())?;
    String::from_utf8(bytes).map_err(|e| format!("not UTF-8 at byte {}", e.utf8_error().valid_up_to()))
}

fn run_text(run: &mut FileRun<'_>, text: &str) {
    if parser_test::is_parser_test(text) {
        return parser_test::run(run, text);
    }
    // Older spellings of stack accesses have addresses of the target's type.
    let first = run.options.targets.first().and_then(|spec| match targets::interpreters(spec) {
        Some(machines) => machines.first().map(|m| m.address_type),
        None => targets::build(spec, &[]).ok().map(|target| target.address_type()),
    });
    let file = match SourceFile::parse_for(text, first) {
        Ok(file) => file,
        Err(e) => return run.check_at(e.line, e.column, "parse", None, Outcome::failed(e.message)),
    };
    if file.commands.is_empty() {
        let message = "the file has no `test` line: it says not what to check";
        return run.check(0, "header", None, Outcome::failed(message));
    }
    if file.functions.is_empty() {
        return run.check(0, "header", None, Outcome::failed("the file has no functions"));
    }
    let mut commands = Vec::new();
    for line in &file.commands {
        match Command::parse(&line.name, &line.options) {
            Ok(command) => commands.push(command),
            Err(message) => {
                run.check(line.line, format!("test {}", line.name), None, Outcome::failed(message));
            }
        }
    }
    let Some((targets, machines)) = pick_targets(run, &file) else { return };

    if commands.iter().any(|c| !matches!(c, Command::Verifier)) && !commands::verify_all(run, &file) {
        return;
    }
    // `test run` interprets too: with both, each line is interpreted once a machine.
    let runs = commands.iter().any(|c| matches!(c, Command::Run));
    let mut executed = false;
    for command in &commands {
        match command {
            Command::Run | Command::Interpret => {
                if !std::mem::replace(&mut executed, true) {
                    execute::run(run, &file, if runs { &targets } else { &[] }, &machines);
                    if run.options.legalize {
                        targets.iter().for_each(|target| execute::run_legalized(run, &file, target));
                    }
                }
            }
            _ => commands::run(run, &file, *command, &targets),
        }
    }
    bless(run, &file, text);
}

/// Targets and interpreters' machines of a file; nothing if that is wrong, which is reported.
fn pick_targets(run: &mut FileRun<'_>, file: &SourceFile) -> Option<(Vec<TestTarget>, Vec<Machine>)> {
    let mut specs: Vec<(u32, String, Vec<targets::Setting>)> = Vec::new();
    if run.options.targets.is_empty() {
        for target in &file.targets {
            let settings = file.settings.iter().filter(|s| s.line < target.line);
            specs.push((
                target.line,
                target.spec.clone(),
                settings.map(|s| (s.name.clone(), s.value.clone())).collect(),
            ));
        }
    } else {
        let settings: Vec<_> = file.settings.iter().map(|s| (s.name.clone(), s.value.clone())).collect();
        specs.extend(run.options.targets.iter().map(|spec| (0, spec.clone(), settings.clone())));
    }
    let mut machines = Vec::new();
    let mut built = Vec::new();
    let mut good = true;
    for (line, spec, mut settings) in specs {
        if let Some(interpreters) = targets::interpreters(&spec) {
            machines.extend_from_slice(interpreters);
            continue;
        }
        settings.extend(run.options.settings.iter().cloned());
        match targets::build(&spec, &settings) {
            Ok(target) => {
                if let Some(coverage) = &run.options.coverage {
                    coverage.add_target(&*target);
                }
                machines.push(targets::machine_of(&*target));
                built.push(TestTarget { spec, target });
            }
            Err(e) => {
                good = false;
                run.check(line, format!("target {spec}"), None, Outcome::failed(e.to_string()));
            }
        }
    }
    if machines.is_empty() {
        machines.extend_from_slice(&[Machine::LE32, Machine::LE64]);
    }
    let mut distinct: Vec<Machine> = Vec::new();
    for machine in machines {
        if !distinct.contains(&machine) {
            distinct.push(machine);
        }
    }
    good.then_some((built, distinct))
}

fn bless(run: &mut FileRun<'_>, file: &SourceFile, text: &str) {
    if run.edits.is_empty() {
        return;
    }
    let regions: Vec<_> = file.functions.iter().map(|f| f.behind.clone()).collect();
    let new = golden::rewrite(text, &regions, &run.edits);
    if new != text {
        match windlass::exe::write_file_atomically(run.path, new.as_bytes(), false) {
            Ok(()) => run.report.blessed += run.edits.values().map(Vec::len).sum::<usize>(),
            Err(e) => run.check(0, "bless", None, Outcome::failed(e.to_string())),
        }
    }
}
