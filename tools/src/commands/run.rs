//! `windlass run`

use super::TargetArgs;
use super::compile::{compile_file, module};
use crate::input::Input;
use crate::stats::Table;
use crate::{Failure, Outcome, print};
use std::ffi::OsString;
use std::fmt::Write;
use std::path::PathBuf;
use windlass::ir::interp::Machine;
use windlass::ir::text::{RunCommand, parse_run_command};
use windlass::ir::{ExternalName, Function};
use windlass::{Context, Target};
use windlass_filetests::execute::{self, CallResult};
use windlass_filetests::guest::{self, GuestCall, GuestOptions};
use windlass_filetests::source::{Expect, RunLine};
use windlass_filetests::targets::{self, AddressUse};

/// Run a file's `; run:` lines, one call, or its `%main`
#[derive(clap::Args)]
pub struct Args {
    /// A file of functions
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// The machine, whose programs run under an emulator: a name or triple, with feature words; or `interp`
    #[arg(long, value_name = "TARGET")]
    target: String,
    /// Make this call and print its results, instead of the file's own
    #[arg(long, value_name = "CALL")]
    invoke: Option<String>,
    /// Arguments of `%main`, for a file without `; run:` lines
    #[arg(value_name = "ARGS", trailing_var_arg = true, allow_hyphen_values = true)]
    args: Vec<OsString>,
    #[command(flatten)]
    target_args: TargetArgs,
}

/// Where calls run.
pub enum Place<'a> {
    /// In the interpreter.
    Interpreter(Machine),
    /// Under a target's emulator.
    Emulator(&'a dyn Target),
}

/// Makes the calls of some lines.
pub fn calls(input: &Input, lines: &[&RunLine], place: &Place<'_>) -> Result<Vec<CallResult>, Failure> {
    let functions: Vec<Function> = input.file.functions.iter().map(|f| f.function.clone()).collect();
    match *place {
        Place::Interpreter(machine) => {
            let calls: Vec<_> = lines.iter().map(|l| (&l.function, l.args.as_slice())).collect();
            execute::interpret(&functions, machine, &calls, u64::MAX)
                .map_err(|e| Failure::Input(format!("{}: {e}", input.path)))
        }
        Place::Emulator(target) => {
            let mut cx = Context::new();
            let codes = compile_file(input, target, &mut cx, &mut Table::default())?;
            let module = module(input, codes);
            let mut calls = Vec::with_capacity(lines.len());
            for line in lines {
                let Some(signature) = input.file.signature(&line.function) else {
                    return Err(Failure::Input(format!(
                        "{}: there is no function {}",
                        input.path, line.function
                    )));
                };
                calls.push(GuestCall { function: &line.function, signature, args: &line.args });
            }
            let outcomes = guest::run_calls(target, &module, &calls, &GuestOptions::default(), &mut cx)
                .map_err(|e| Failure::Input(e.to_string()))?;
            Ok(outcomes.into_iter().map(CallResult::from).collect())
        }
    }
}

/// Makes the calls of a file's lines and prints what they came to; an error if one is not as its line says.
pub fn run_lines(input: &Input, lines: &[&RunLine], place: &Place<'_>) -> Outcome {
    let results = calls(input, lines, place)?;
    let mut out = String::new();
    let mut failed = 0;
    for (line, result) in lines.iter().zip(&results) {
        if execute::satisfies(result, &line.expect) {
            let _ = match line.expect {
                Expect::Print => writeln!(out, "{} -> {result}", line.call()),
                _ => writeln!(out, "{}: yes", line.text.trim_start_matches("run:").trim()),
            };
        } else {
            failed += 1;
            let _ = writeln!(
                out,
                "{}: NO, it is {result}, expected {}",
                line.text.trim_start_matches("run:").trim(),
                line.expect
            );
        }
    }
    let prints = lines.iter().filter(|l| l.expect == Expect::Print).count();
    if lines.len() > prints {
        let _ = writeln!(out, "{} passed, {failed} failed, 0 skipped", lines.len() - prints - failed);
    }
    print(&out)?;
    if failed == 0 { Ok(()) } else { Err(Failure::Reported) }
}

/// A machine for the interpreter that fits the file's addresses.
pub fn machine_for(input: &Input, machines: &[Machine]) -> Result<Machine, Failure> {
    let mut uses = AddressUse::default();
    for func in &input.file.functions {
        uses.add_function(&func.function);
    }
    let fits = machines.iter().find(|m| uses.refusal(m.address_type).is_none());
    fits.copied().ok_or_else(|| {
        let reason = machines.first().and_then(|m| uses.refusal(m.address_type)).unwrap_or_default();
        Failure::Input(format!("{}: {reason}", input.path))
    })
}

pub fn run(args: &Args) -> Outcome {
    let interpreters = targets::interpreters(&args.target);
    let target = match interpreters {
        Some(_) => None,
        None => Some(args.target_args.build(&args.target, false)?),
    };
    let input = Input::verified(&args.file, target.as_deref())?;
    let place = match (&target, interpreters) {
        (Some(target), _) => Place::Emulator(&**target),
        (None, machines) => Place::Interpreter(machine_for(&input, machines.unwrap_or_default())?),
    };
    input.check_defined()?;

    if let Some(call) = &args.invoke {
        if !args.args.is_empty() {
            return Err(Failure::Usage("arguments stand in the call: --invoke '%f(1, 2)'".into()));
        }
        let line = invocation(&input, call)?;
        return run_lines(&input, &[&line], &place);
    }
    let lines: Vec<&RunLine> = input.file.functions.iter().flat_map(|f| &f.runs).collect();
    if !lines.is_empty() {
        if !args.args.is_empty() {
            let message = "the file has `; run:` lines, which have their own arguments";
            return Err(Failure::Usage(message.into()));
        }
        return run_lines(&input, &lines, &place);
    }
    run_main(&input, &place, &args.args)
}

fn invocation(input: &Input, call: &str) -> Result<RunLine, Failure> {
    let text = format!("print: {call}");
    let current = ExternalName::default();
    match parse_run_command(&text, &current, |name| input.file.signature(name)) {
        Ok(Some(RunCommand::Print(invocation))) => Ok(RunLine {
            line: 0,
            text: call.to_owned(),
            function: invocation.func,
            args: invocation.args,
            expect: Expect::Print,
        }),
        Ok(_) => Err(Failure::Usage(format!("--invoke: '{call}' is no call"))),
        Err(e) => Err(Failure::Input(format!("--invoke: {}", e.message))),
    }
}

fn run_main(input: &Input, place: &Place<'_>, args: &[OsString]) -> Outcome {
    let main = ExternalName::symbol("main");
    let Some(signature) = input.file.signature(&main) else {
        let message = "the file has neither `; run:` lines nor a function %main; name a call with --invoke";
        return Err(Failure::Input(format!("{}: {message}", input.path)));
    };
    match *place {
        Place::Interpreter(_) => {
            if !signature.params.is_empty() || !args.is_empty() {
                let message = "the interpreter gives %main no arguments; name a call with --invoke";
                return Err(Failure::Input(format!("{}: {message}", input.path)));
            }
            let line = invocation(input, "%main()")?;
            run_lines(input, &[&line], place)
        }
        Place::Emulator(target) => {
            let mut cx = Context::new();
            let codes = compile_file(input, target, &mut cx, &mut Table::default())?;
            let module = module(input, codes);
            let options = GuestOptions::default();
            let status = guest::run_program(target, &module, &main, signature, args, &options, &mut cx)
                .map_err(|e| Failure::Input(e.to_string()))?;
            if status.success() {
                return Ok(());
            }
            Err(Failure::Input(format!("{}: %main ended with {status}", input.path)))
        }
    }
}
