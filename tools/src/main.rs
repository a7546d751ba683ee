//! The `windlass` command: a thin layer over the libraries.
//!
//! Results go to standard output, diagnostics to standard error. Exit status: 0 all well, 1 the input is wrong or
//! a test failed, 2 wrong usage.

mod commands;
mod diagnostics;
mod input;
mod side_by_side;
mod stats;

use clap::{Parser, Subcommand};
use std::io::Write;
use std::process::ExitCode;

#[derive(Parser)]
#[command(name = "windlass", version, about, max_term_width = 100)]
#[command(propagate_version = true, subcommand_required = true, arg_required_else_help = true)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Compile a file of functions to assembly, an object file, an executable or raw code
    Compile(commands::compile::Args),
    /// Run a file's `; run:` lines, one call, or its `%main`
    Run(commands::run::Args),
    /// Compile a file, print its machine code beside the functions, and run it
    Show(commands::show::Args),
    /// Run filetests
    Test(commands::test::Args),
    /// Check functions against the rules of the language
    Verify(commands::verify::Args),
    /// Print the machine code of an ELF file or of raw bytes
    Disasm(commands::disasm::Args),
    /// Look for bugs with random programs, or with mutated texts
    Fuzz(commands::fuzz::Args),
    /// Make a file small while a command does the same with it
    Reduce(commands::reduce::Args),
    /// List targets and settings
    Targets(commands::targets::Args),
}

/// Why a command did not do what it was asked to.
pub enum Failure {
    /// The input is wrong, or a test failed; what there is to say has been said.
    Reported,
    /// The input is wrong or cannot be read.
    Input(String),
    /// The command line is wrong.
    Usage(String),
}

/// What a command gives.
pub type Outcome = Result<(), Failure>;

fn main() -> ExitCode {
    let cli = Cli::parse();
    let outcome = match cli.command {
        Command::Compile(args) => commands::compile::run(&args),
        Command::Run(args) => commands::run::run(&args),
        Command::Show(args) => commands::show::run(&args),
        Command::Test(args) => commands::test::run(&args),
        Command::Verify(args) => commands::verify::run(&args),
        Command::Disasm(args) => commands::disasm::run(&args),
        Command::Fuzz(args) => commands::fuzz::run(&args),
        Command::Reduce(args) => commands::reduce::run(&args),
        Command::Targets(args) => commands::targets::run(&args),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(Failure::Reported) => ExitCode::from(1),
        Err(Failure::Input(message)) => {
            diagnostics::message(&message);
            ExitCode::from(1)
        }
        Err(Failure::Usage(message)) => {
            diagnostics::message(&message);
            ExitCode::from(2)
        }
    }
}

/// Writes results to standard output. A reader that has seen enough is no failure.
pub fn print(text: &str) -> Outcome {
    let mut stdout = std::io::stdout().lock();
    match stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush()) {
        Err(e) if e.kind() != std::io::ErrorKind::BrokenPipe => {
            Err(Failure::Input(format!("standard output: {e}")))
        }
        _ => Ok(()),
    }
}
