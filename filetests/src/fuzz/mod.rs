//! Differential fuzzing: random programs, the interpreter against machine code.
//!
//! In: a target, a seed, how many functions. Out: a [`Report`]; each failure is shrunk to a small filetest.
//!
//! The functions come in batches. A batch is generated ([`generate`]) from what the target compiles ([`menu`]),
//! verified, printed and parsed, compiled twice under settings of its own ([`settings`]) with the allocation
//! checked, run in one emulator process, and compared with the interpreter: results bit by bit, traps by code and
//! function ([`case`]). What goes wrong is reduced ([`crate::reduce`]) while it keeps going wrong in the same way.
//!
//! Batch `n` of a seed is the same on every host, however many jobs there are. After Yang, Chen, Eide and Regehr 2011
//! (Csmith) and McKeeman 1998.
//!
//! [`text`] is the other fuzzer: mutated text against parser, verifier and printer.

pub mod case;
pub mod generate;
pub mod menu;
pub mod random;
pub mod settings;
pub mod text;

#[cfg(test)]
mod tests;

use crate::guest::GuestError;
use crate::reduce;
use crate::targets::Setting;
use case::{Checker, Failure};
use menu::Menu;
use random::Random;
use settings::Setup;
use std::fmt;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};
use windlass::target::Choices;
use windlass::{SettingError, Target, lookup};

/// What to do.
#[derive(Clone, Debug)]
pub struct Options {
    /// The target: a name or triple with feature words behind it.
    pub target: String,
    /// Settings of all batches.
    pub settings: Vec<Setting>,
    /// Equal seeds make equal programs.
    pub seed: u64,
    /// How many functions; rounded up to whole batches.
    pub count: u64,
    /// Functions of a batch: one program.
    pub batch: usize,
    /// Calls of each function, with other arguments each.
    pub calls: usize,
    /// Threads.
    pub jobs: usize,
    /// Stop after so many failures.
    pub max_failures: usize,
    /// Shrink failures; how many programs a shrink may try.
    pub reduction_steps: usize,
    /// Use stress settings in most batches; else the target's defaults in all.
    pub stress: bool,
}

impl Default for Options {
    fn default() -> Options {
        Options {
            target: "armv7hf".into(),
            settings: Vec::new(),
            seed: 1,
            count: 1000,
            batch: 200,
            calls: 5,
            jobs: 1,
            max_failures: 5,
            reduction_steps: 4000,
            stress: true,
        }
    }
}

/// A failure, made small.
#[derive(Clone, Debug)]
pub struct Found {
    /// The batch.
    pub batch: u64,
    /// Under which settings.
    pub setup: Setup,
    /// What is wrong.
    pub failure: Failure,
    /// A filetest that shows it.
    pub filetest: String,
}

/// What a run came to.
#[derive(Clone, Debug, Default)]
pub struct Report {
    /// Functions that were tried.
    pub functions: u64,
    /// IR instructions in them.
    pub instructions: u64,
    /// Calls that were compared.
    pub calls: u64,
    /// Calls of these that trapped.
    pub traps: u64,
    /// Calls that ended with an exception that nobody caught.
    pub throws: u64,
    /// Calls that took too long in the interpreter, and were not compared.
    pub skipped: u64,
    /// Bytes of machine code.
    pub code_bytes: u64,
    /// What went wrong, by batch.
    pub failures: Vec<Found>,
    /// How long it took.
    pub time: Duration,
}

impl Report {
    fn add(&mut self, other: Report) {
        self.functions += other.functions;
        self.instructions += other.instructions;
        self.calls += other.calls;
        self.traps += other.traps;
        self.throws += other.throws;
        self.skipped += other.skipped;
        self.code_bytes += other.code_bytes;
        self.failures.extend(other.failures);
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let seconds = self.time.as_secs_f64();
        let minute = self.functions as f64 / seconds.max(1e-9) * 60.0;
        write!(
            f,
            "{} functions ({} instructions, {} bytes of code), {} calls compared ({} trapped, {} threw, {} skipped) in {seconds:.1} s: \
             {minute:.0} functions a minute; {} failures",
            self.functions,
            self.instructions,
            self.code_bytes,
            self.calls,
            self.traps,
            self.throws,
            self.skipped,
            self.failures.len()
        )
    }
}

/// Why fuzzing could not be done.
#[derive(Debug)]
#[non_exhaustive]
pub enum FuzzError {
    /// No such target, or it does not know its own settings.
    Target(SettingError),
    /// Programs do not run at all.
    Guest(GuestError),
}

impl fmt::Display for FuzzError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            FuzzError::Target(error) => error.fmt(f),
            FuzzError::Guest(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for FuzzError {}

impl From<SettingError> for FuzzError {
    fn from(error: SettingError) -> FuzzError {
        FuzzError::Target(error)
    }
}

/// Fuzzes a target. `progress` is told the sum after each batch.
///
/// # Errors
/// The target is not there, or programs do not run. Failures of the compiler are in the report.
pub fn fuzz(options: &Options, progress: &(dyn Fn(&Report) + Sync)) -> Result<Report, FuzzError> {
    fuzz_with(options, &|setup: &Setup| setup.target(&options.target), progress)
}

/// Makes the target for the settings of a batch.
pub type MakeTarget<'a> = dyn Fn(&Setup) -> Result<Box<dyn Target>, SettingError> + Sync + 'a;

/// Fuzzes any target; the options' name is for the filetests alone.
///
/// # Errors
/// As [`fuzz`].
pub fn fuzz_with(
    options: &Options,
    make: &MakeTarget<'_>,
    progress: &(dyn Fn(&Report) + Sync),
) -> Result<Report, FuzzError> {
    let start = Instant::now();
    let menu = Menu::of(&*make(&Setup::plain(&options.settings))?);
    let choices = lookup(options.target.split_whitespace().next().unwrap_or(""))?.choices();
    let batches = options.count.div_ceil(options.batch.max(1) as u64);
    let next = AtomicU64::new(0);
    let stop = AtomicBool::new(false);
    let total = Mutex::new((Report::default(), None::<FuzzError>));
    std::thread::scope(|scope| {
        for _ in 0..options.jobs.max(1) {
            scope.spawn(|| {
                loop {
                    let batch = next.fetch_add(1, Ordering::Relaxed);
                    if batch >= batches || stop.load(Ordering::Relaxed) {
                        break;
                    }
                    let result = run_batch(options, make, (&menu, &choices), batch);
                    let Ok(mut total) = total.lock() else { break };
                    match result {
                        Ok(report) => total.0.add(report),
                        Err(error) => {
                            total.1 = Some(error);
                            stop.store(true, Ordering::Relaxed);
                        }
                    }
                    if total.0.failures.len() >= options.max_failures {
                        stop.store(true, Ordering::Relaxed);
                    }
                    total.0.time = start.elapsed();
                    progress(&total.0);
                }
            });
        }
    });
    let (mut report, error) = total.into_inner().unwrap_or_else(|poisoned| poisoned.into_inner());
    report.failures.sort_by_key(|found| found.batch);
    report.time = start.elapsed();
    match error {
        Some(error) => Err(error),
        None => Ok(report),
    }
}

/// One program: generated, compiled, run, compared.
fn run_batch(
    options: &Options,
    make: &MakeTarget<'_>,
    (menu, choices): (&Menu, &Choices),
    batch: u64,
) -> Result<Report, FuzzError> {
    let mut random = Random::part(options.seed, batch);
    let fixed = &options.settings;
    let plain = Setup::plain(fixed);
    let setup = if options.stress {
        let works = |setup: &Setup| make(setup).is_ok();
        Setup::random(fixed, choices, batch, &mut random, &works)
    } else {
        plain.clone()
    };
    let target = make(&setup)?;
    let own = Setup(setup.0[plain.0.len()..].to_vec()).changes_operations().then(|| Menu::of(&*target));
    let functions = generate::program(own.as_ref().unwrap_or(menu), &mut random, options.batch.max(1));
    let mut checker = Checker::new(&*target);
    let mut calls = Vec::new();
    for func in functions.iter().filter(|func| generate::is_plain(&func.signature)) {
        for _ in 0..options.calls {
            calls.push(windlass_ir::text::Invocation {
                func: func.name.clone(),
                args: generate::arguments(&func.signature, &mut random),
            });
        }
    }
    let mut report = Report::default();
    let (failures, counts) = checker.check(&functions, &calls).map_err(FuzzError::Guest)?;
    // Those that only throw are not counted.
    report.functions = options.batch.max(1) as u64;
    report.instructions = counts.instructions;
    report.calls = counts.calls;
    report.traps = counts.traps;
    report.throws = counts.throws;
    report.skipped = counts.skipped;
    report.code_bytes = counts.code_bytes;
    // One failure of a kind is enough: the others are likely the same fault.
    let mut kinds: Vec<String> = Vec::new();
    for failure in failures {
        let kind = failure.kind();
        if kinds.contains(&kind) || kinds.len() >= options.max_failures {
            continue;
        }
        kinds.push(kind);
        let small = case::shrink(&mut checker, &functions, &failure, options.reduction_steps);
        let case = small.unwrap_or_else(|| reduce::Case::of_failure(&functions, &failure));
        let filetest = case::filetest(&case, &setup, &options.target, &failure, options.seed, batch);
        report.failures.push(Found { batch, setup: setup.clone(), failure, filetest });
    }
    Ok(report)
}
