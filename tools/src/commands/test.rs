//! `windlass test`

use super::TargetArgs;
use crate::{Failure, Outcome, print};
use indicatif::{ProgressBar, ProgressStyle};
use std::io::IsTerminal;
use std::path::PathBuf;
use windlass_filetests::{Coverage, Options, find_files, run_files};

/// Run filetests
#[derive(clap::Args)]
pub struct Args {
    /// Files, and folders that are searched for .clif files
    #[arg(required = true, value_name = "PATH")]
    paths: Vec<PathBuf>,
    /// Run on this target instead of the files' own: a name or triple with feature words, or `interp`
    #[arg(long = "target", value_name = "TARGET")]
    targets: Vec<String>,
    /// Write what there is where it differs from what a file expects
    #[arg(long)]
    bless: bool,
    /// Files that are worked at the same time
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..))]
    jobs: Option<u16>,
    /// List the rules of legalization and selection that no test fires
    #[arg(long)]
    rule_coverage: bool,
    /// How results are printed
    #[arg(long, value_name = "FORMAT", value_parser = ["text", "json"], default_value = "text")]
    format: String,
    #[command(flatten)]
    target_args: TargetArgs,
}

pub fn run(args: &Args) -> Outcome {
    let mut options = Options::from_environment();
    options.bless |= args.bless;
    options.targets.clone_from(&args.targets);
    options.settings = args.target_args.settings();
    options.coverage = args.rule_coverage.then(Coverage::new);
    if let Some(jobs) = args.jobs {
        options.jobs = jobs.into();
    }
    // A target that does not exist is wrong usage, not a failure of every file.
    for spec in &options.targets {
        if windlass_filetests::targets::interpreters(spec).is_none() {
            crate::input::target(spec, &options.settings)?;
        }
    }
    let files = find_files(&args.paths).map_err(|e| Failure::Input(e.to_string()))?;
    if files.is_empty() {
        return Err(Failure::Input("there are no .clif files".into()));
    }
    let bar = if std::io::stderr().is_terminal() && args.format == "text" {
        let style = ProgressStyle::with_template("{bar:40} {pos}/{len} files {elapsed}")
            .unwrap_or_else(|_| ProgressStyle::default_bar());
        ProgressBar::new(files.len() as u64).with_style(style)
    } else {
        ProgressBar::hidden()
    };
    let summary = run_files(&files, &options, &|done| bar.set_position(done as u64));
    bar.finish_and_clear();
    let color = std::io::stdout().is_terminal() && std::env::var_os("NO_COLOR").is_none();
    print(&if args.format == "json" { summary.render_json() } else { summary.render(color) })?;
    if summary.failed() == 0 { Ok(()) } else { Err(Failure::Reported) }
}
