//! `windlass show`: machine code beside the functions that it comes from, and what it computes.

use super::TargetArgs;
use super::compile::compile_file;
use super::run::{Place, machine_for, run_lines};
use crate::input::{Input, has_emulator};
use crate::stats::Table;
use crate::{Failure, Outcome, print, side_by_side};
use std::path::PathBuf;
use windlass::Context;
use windlass_filetests::source::RunLine;
use windlass_filetests::targets;

/// Compile a file, print its machine code beside the functions, and run it
///
/// The `; run:` lines run under the target's emulator if it is installed, else in the interpreter; the output
/// says which.
#[derive(clap::Args)]
pub struct Args {
    /// A file of functions
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// The machine: a name or triple, with feature words
    #[arg(long, value_name = "TARGET", default_value = "armv7hf")]
    target: String,
    /// Print this function only: its name, with or without the percent sign
    #[arg(long, value_name = "NAME")]
    function: Option<String>,
    /// Print sizes and times too
    #[arg(long)]
    stats: bool,
    #[command(flatten)]
    target_args: TargetArgs,
}

pub fn run(args: &Args) -> Outcome {
    let target = args.target_args.build(&args.target, true)?;
    let input = Input::verified(&args.file, Some(&*target))?;
    input.check_defined()?;
    let mut table = Table::default();
    let codes = compile_file(&input, &*target, &mut Context::new(), &mut table)?;
    let wanted = args.function.as_deref().map(|name| name.trim_start_matches('%'));
    let mut shown = 0;
    for (func, code) in input.file.functions.iter().zip(&codes) {
        let name = func.function.name.to_string();
        if wanted.is_none_or(|wanted| name.trim_start_matches('%') == wanted) {
            shown += 1;
            print(&format!("{}\n", side_by_side::render(&*target, func, &input.text, code)))?;
        }
    }
    if shown == 0 {
        return Err(Failure::Input(format!(
            "{}: there is no function %{}",
            input.path,
            wanted.unwrap_or("")
        )));
    }
    let insts: u32 = table.sizes.ir_insts;
    print(&format!(
        "{} functions, {insts} instructions, {} bytes of machine code for {}\n",
        table.functions,
        table.sizes.code_bytes,
        target.name(),
    ))?;
    if args.stats {
        print(&table.render())?;
    }

    let lines: Vec<&RunLine> = input.file.functions.iter().flat_map(|f| &f.runs).collect();
    if lines.is_empty() {
        return Ok(());
    }
    let emulator = target.emulator();
    if has_emulator(&*target) {
        print(&format!("\nRunning the machine code under {}:\n", emulator.program))?;
        run_lines(&input, &lines, &Place::Emulator(&*target))
    } else {
        print(&format!(
            "\n{} is not installed (apt-get install {}); running in the interpreter:\n",
            emulator.program, emulator.package
        ))?;
        let machine = machine_for(&input, &[targets::machine_of(&*target)])?;
        run_lines(&input, &lines, &Place::Interpreter(machine))
    }
}
