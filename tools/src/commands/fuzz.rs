//! `windlass fuzz`

use super::TargetArgs;
use crate::{Failure, Outcome, print};
use indicatif::{ProgressBar, ProgressStyle};
use std::fmt::Display;
use std::io::IsTerminal;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use windlass_filetests::fuzz::generate::program;
use windlass_filetests::fuzz::menu::Menu;
use windlass_filetests::fuzz::random::Random;
use windlass_filetests::fuzz::settings::Setup;
use windlass_filetests::fuzz::text::{TextOptions, fuzz_text};
use windlass_filetests::fuzz::{FuzzError, Options, fuzz};

/// Look for bugs with random programs, or with mutated texts
///
/// Random programs are compiled under all kinds of settings and run in the emulator and in the interpreter; both must
/// agree on every result and trap. Mutated texts go through parser, verifier and printer, and what is sound is compiled.
/// Failures are made small and written to files.
#[derive(clap::Args)]
pub struct Args {
    /// Mutate texts, and feed them to parser, verifier, printer and compiler
    #[arg(long)]
    text: bool,
    /// With --text: files, and folders that are searched for .clif files; random programs if there are none
    #[arg(value_name = "PATH", requires = "text")]
    paths: Vec<PathBuf>,
    /// The target: a name or triple with feature words
    #[arg(long, value_name = "TARGET", default_value = "armv7hf")]
    target: String,
    /// How many functions, or texts
    #[arg(long, value_name = "N", default_value_t = 10_000)]
    count: u64,
    /// Equal seeds make equal programs and texts
    #[arg(long, value_name = "N", default_value_t = 1)]
    seed: u64,
    /// Threads
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..))]
    jobs: Option<u16>,
    /// Functions of one program
    #[arg(long, value_name = "N", default_value_t = 200, value_parser = clap::value_parser!(u16).range(1..))]
    batch: u16,
    /// Calls of each function
    #[arg(long, value_name = "N", default_value_t = 5)]
    calls: u16,
    /// Stop after so many failures
    #[arg(long, value_name = "N", default_value_t = 5)]
    max_failures: u16,
    /// How many programs may be tried to make a failure small
    #[arg(long, value_name = "N", default_value_t = 4000)]
    steps: usize,
    /// No stress settings
    #[arg(long)]
    plain: bool,
    /// Where failures are written
    #[arg(short, long, value_name = "FOLDER", default_value = "fuzz-failures")]
    out: PathBuf,
    #[command(flatten)]
    target_args: TargetArgs,
}

pub fn run(args: &Args) -> Outcome {
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    let jobs = args.jobs.map_or(threads, usize::from);
    let settings = args.target_args.settings();
    crate::input::target(&args.target, &settings)?;
    if args.text { texts(args, jobs) } else { programs(args, jobs) }
}

fn programs(args: &Args, jobs: usize) -> Outcome {
    let options = Options {
        target: args.target.clone(),
        settings: args.target_args.settings(),
        seed: args.seed,
        count: args.count,
        batch: args.batch.into(),
        calls: args.calls.into(),
        jobs,
        max_failures: args.max_failures.into(),
        reduction_steps: args.steps,
        stress: !args.plain,
    };
    let bar = bar(args.count, "functions");
    let report = fuzz(&options, &|report| {
        bar.set_position(report.functions);
        bar.set_message(format!("{} failures", report.failures.len()));
    });
    bar.finish_and_clear();
    let report = report.map_err(|error| match error {
        FuzzError::Target(error) => Failure::Usage(error.to_string()),
        other => Failure::Input(other.to_string()),
    })?;
    for (n, found) in report.failures.iter().enumerate() {
        let name = format!("seed{}-batch{}-{n}.clif", args.seed, found.batch);
        let path = write(&args.out, &name, &found.filetest)?;
        print(&format!("{path}: {} [{}]\n", found.failure, found.setup))?;
    }
    finish(&report, report.failures.is_empty())
}

fn texts(args: &Args, jobs: usize) -> Outcome {
    let mut texts = Vec::new();
    let files = windlass_filetests::find_files(&args.paths).map_err(|e| Failure::Input(e.to_string()))?;
    for path in &files {
        // A file need not be text to be mutated.
        let bytes = std::fs::read(path).map_err(|e| Failure::Input(format!("{}: {e}", path.display())))?;
        texts.push(String::from_utf8_lossy(&bytes).into_owned());
    }
    let target = Setup::plain(&args.target_args.settings())
        .target(&args.target)
        .map_err(|error| Failure::Usage(error.to_string()))?;
    if texts.is_empty() {
        const FUNCTIONS: usize = 400;
        let functions = program(&Menu::of(&*target), &mut Random::new(args.seed), FUNCTIONS);
        texts.extend(functions.iter().map(ToString::to_string));
    }
    let options = TextOptions {
        seed: args.seed,
        count: args.count,
        jobs,
        texts,
        target: Some(Arc::from(target)),
        max_failures: args.max_failures.into(),
        ..TextOptions::default()
    };
    let bar = bar(args.count, "texts");
    // A panic is caught and told; its own message and trace would drown that.
    let hook = std::panic::take_hook();
    std::panic::set_hook(Box::new(|_| ()));
    let report = fuzz_text(&options, &|report| bar.set_position(report.inputs));
    std::panic::set_hook(hook);
    bar.finish_and_clear();
    for failure in &report.failures {
        let path = write(&args.out, &format!("seed{}-text{}.clif", args.seed, failure.input), &failure.text)?;
        print(&format!("{path}: {}\n", failure.what))?;
    }
    finish(&report, report.failures.is_empty())
}

fn finish(report: &dyn Display, good: bool) -> Outcome {
    print(&format!("{report}\n"))?;
    if good { Ok(()) } else { Err(Failure::Reported) }
}

fn write(folder: &Path, name: &str, text: &str) -> Result<String, Failure> {
    let path = folder.join(name);
    let written = std::fs::create_dir_all(folder).and_then(|()| std::fs::write(&path, text));
    written.map_err(|e| Failure::Input(format!("{}: {e}", path.display())))?;
    Ok(path.display().to_string())
}

fn bar(len: u64, what: &str) -> ProgressBar {
    if !std::io::stderr().is_terminal() {
        return ProgressBar::hidden();
    }
    let style =
        ProgressStyle::with_template(&format!("{{bar:40}} {{pos}}/{{len}} {what} {{elapsed}} {{msg}}"))
            .unwrap_or_else(|_| ProgressStyle::default_bar());
    ProgressBar::new(len).with_style(style)
}
