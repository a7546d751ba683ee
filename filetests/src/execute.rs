//! `; run:` and `; print:` lines: what the interpreter computes, what the machine computes, what the line says.
//!
//! The functions of a file form one program. It is interpreted once for each machine (address width and byte order)
//! that the targets ask for, and compiled, linked and run once for each target: one emulator process makes all
//! calls. A line is one check for each target, and one for each machine that no target has. A check of a
//! target holds if all three agree: the interpreter, the emulated program, and the line.

use crate::data;
use crate::guest::{self, CallOutcome, GuestCall, GuestOptions};
use crate::report::Outcome;
use crate::runner::{FileRun, TestTarget};
use crate::source::{Expect, RunLine, SourceFile};
use crate::targets::{self, AddressUse};
use std::collections::BTreeMap;
use std::fmt;
use windlass::Context;
use windlass::ir::interp::{self, Config, Interpreter, Machine, Program};
use windlass::ir::{DataValue, ExternalName, Signature, TrapCode};
use windlass::link::Module;

/// What a call came to, wherever it ran.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum CallResult {
    /// It returned these.
    Returned(Vec<DataValue>),
    /// It trapped.
    Trapped(TrapCode),
    /// It did neither; the text says what.
    Other(String),
}

/// Values as run lines write them: `5`, `[1, 0x1.0p0]`, `[]`.
pub struct Values<'a>(pub &'a [DataValue]);

impl fmt::Display for Values<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let [value] = self.0 {
            return write!(f, "{value}");
        }
        f.write_str("[")?;
        for (i, value) in self.0.iter().enumerate() {
            write!(f, "{}{value}", if i == 0 { "" } else { ", " })?;
        }
        f.write_str("]")
    }
}

impl fmt::Display for CallResult {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            CallResult::Returned(values) => Values(values).fmt(f),
            CallResult::Trapped(code) => write!(f, "traps {code}"),
            CallResult::Other(what) => f.write_str(what),
        }
    }
}

impl From<interp::Outcome> for CallResult {
    fn from(outcome: interp::Outcome) -> CallResult {
        match outcome {
            interp::Outcome::Return(values) => CallResult::Returned(values),
            interp::Outcome::Trap { code, .. } => CallResult::Trapped(code),
            // As the run-time library has it.
            interp::Outcome::Throw(_) => CallResult::Trapped(windlass::unwind::UNCAUGHT),
            other => CallResult::Other(other.to_string()),
        }
    }
}

impl From<CallOutcome> for CallResult {
    fn from(outcome: CallOutcome) -> CallResult {
        match outcome {
            CallOutcome::Returned(values) => CallResult::Returned(values),
            CallOutcome::Trapped { code, .. } => CallResult::Trapped(code),
            other => CallResult::Other(other.to_string()),
        }
    }
}

/// Does a result satisfy a line?
pub fn satisfies(result: &CallResult, expect: &Expect) -> bool {
    match (expect, result) {
        (Expect::Equal(expected), CallResult::Returned(values)) => values == expected,
        (Expect::NotEqual(expected), CallResult::Returned(values)) => values != expected,
        (Expect::NonZero, CallResult::Returned(values)) => {
            matches!(values[..], [value] if value.to_bits() != 0 && value.ty().is_int())
        }
        (Expect::Traps(code), CallResult::Trapped(other)) => code == other,
        (Expect::Print, _) => true,
        _ => false,
    }
}

/// The stack of interpreted programs: frames of 1 MiB and deep recursion.
const STACK_BYTES: u64 = 64 << 20;

/// Makes calls in the interpreter, each on a fresh machine.
///
/// # Errors
/// The functions do not make a program.
pub fn interpret(
    functions: &[windlass::ir::Function],
    machine: Machine,
    calls: &[(&ExternalName, &[DataValue])],
    fuel: u64,
) -> Result<Vec<CallResult>, String> {
    let program = Program::new(functions, machine).map_err(|e| e.to_string())?;
    let config = Config { fuel: Some(fuel), max_stack_bytes: STACK_BYTES, ..Config::default() };
    // One machine serves all calls: each finds what an earlier one left in its stack slots and data, as it would on
    // a real machine. The pinned register is 0, as it is there.
    let mut interpreter = Interpreter::new(&program, config);
    data::define(&mut interpreter, functions);
    let run = |&(name, args): &(&ExternalName, &[DataValue])| {
        interpreter.set_pinned_reg(0);
        interpreter.run(name, args).into()
    };
    Ok(calls.iter().map(run).collect())
}

/// Compiles functions for a target and adds them to a module.
///
/// # Errors
/// The first function that does not compile, by its index, and why.
pub fn compile_all(
    target: &dyn windlass::Target,
    functions: &[windlass::ir::Function],
    cx: &mut Context,
) -> Result<Module, (usize, windlass::CompileError)> {
    let mut module = Module::new();
    for (i, func) in functions.iter().enumerate() {
        let code = target.compile(func, cx).map_err(|e| (i, e))?;
        module.add_function(func.name.clone(), code);
    }
    data::add(&mut module, functions);
    Ok(module)
}

/// Runs all lines of a file.
pub(crate) fn run(run: &mut FileRun<'_>, file: &SourceFile, targets: &[TestTarget], machines: &[Machine]) {
    let functions: Vec<_> = file.functions.iter().map(|f| f.function.clone()).collect();
    let lines: Vec<&RunLine> = file.functions.iter().flat_map(|f| &f.runs).collect();
    if lines.is_empty() {
        return run.check(0, "run", None, Outcome::failed("the file has no `; run:` lines"));
    }
    let mut signatures: BTreeMap<&ExternalName, &Signature> = BTreeMap::new();
    let mut uses = AddressUse::default();
    for func in &functions {
        signatures.insert(&func.name, &func.signature);
        uses.add_function(func);
    }
    if run.options.compile_only {
        return compile_only(run, file, &functions, uses, targets);
    }
    let calls: Vec<_> = lines.iter().map(|line| (&line.function, line.args.as_slice())).collect();

    let mut interpreted: Vec<(Machine, Result<Vec<CallResult>, String>)> = Vec::new();
    for &machine in machines {
        if uses.refusal(machine.address_type).is_none() {
            interpreted.push((machine, interpret(&functions, machine, &calls, run.options.fuel)));
        }
    }
    let find = |machine: Machine| interpreted.iter().find(|(m, _)| *m == machine).map(|(_, results)| results);

    // Machines that no target stands for. Those of the wrong width are left out if another fits and nobody asked.
    let asked = if run.options.targets.is_empty() {
        file.targets.iter().any(|line| line.spec != "interp")
    } else {
        run.options.targets.iter().any(|spec| spec != "interp")
    };
    let fits = machines.iter().any(|m| uses.refusal(m.address_type).is_none());
    for &machine in machines {
        if targets.iter().any(|t| targets::machine_of(&*t.target) == machine) {
            continue;
        }
        let name = targets::machine_name(machine);
        match (uses.refusal(machine.address_type), find(machine)) {
            (Some(_), _) if !asked && fits => {}
            (Some(reason), _) => skip_all(run, &lines, &name, &reason),
            (None, Some(Ok(results))) => {
                for (line, result) in lines.iter().zip(results) {
                    check_line(run, line, &name, &[("interpreter", result)]);
                }
            }
            (None, Some(Err(e))) => fail_all(run, &lines, &name, e),
            (None, None) => {}
        }
    }

    for on in targets {
        let machine = targets::machine_of(&*on.target);
        if let Some(reason) = uses.refusal(machine.address_type) {
            skip_all(run, &lines, &on.spec, &reason);
            continue;
        }
        let results = match find(machine) {
            Some(Ok(results)) => results,
            Some(Err(e)) => {
                fail_all(run, &lines, &on.spec, e);
                continue;
            }
            None => continue,
        };
        match emulate(run, file, &functions, &signatures, &lines, on) {
            Ok(emulated) => {
                for ((line, interpreted), emulated) in lines.iter().zip(results).zip(&emulated) {
                    check_line(run, line, &on.spec, &[("interpreter", interpreted), ("emulated", emulated)]);
                }
            }
            Err(message) => fail_all(run, &lines, &on.spec, &message),
        }
    }
}

/// Compiles the file's functions for each target that can: a check a target.
fn compile_only(
    run: &mut FileRun<'_>,
    file: &SourceFile,
    functions: &[windlass::ir::Function],
    uses: AddressUse,
    targets: &[TestTarget],
) {
    for on in targets {
        if let Some(reason) = uses.refusal(on.target.address_type()) {
            run.check(0, "compile", Some(&on.spec), Outcome::Skipped { reason });
            continue;
        }
        let outcome = match compile_all(&*on.target, functions, &mut run.options.context()) {
            Ok(_) => Outcome::Passed,
            Err((i, e)) => Outcome::failed(format!("{}: {e}", file.functions[i].function.name)),
        };
        run.check(0, "compile", Some(&on.spec), outcome);
    }
}

/// Interprets the file's functions as the target legalizes them: the run lines hold as they did before.
pub(crate) fn run_legalized(run: &mut FileRun<'_>, file: &SourceFile, on: &TestTarget) {
    let lines: Vec<&RunLine> = file.functions.iter().flat_map(|f| &f.runs).collect();
    let name = format!("{}, legalized", on.spec);
    let mut cx = run.options.context();
    let mut functions = Vec::new();
    for func in &file.functions {
        match on.target.legalize(&func.function, &mut cx) {
            Ok(legal) => functions.push(legal.unwrap_or_else(|| func.function.clone())),
            Err(e) => return fail_all(run, &lines, &name, &e.to_string()),
        }
    }
    // What the functions call now may be the run-time library's.
    match windlass::builtins::library(&*on.target) {
        Ok(library) => functions.extend(library),
        Err(e) => return fail_all(run, &lines, &name, &e.to_string()),
    }
    let calls: Vec<_> = lines.iter().map(|line| (&line.function, line.args.as_slice())).collect();
    match interpret(&functions, targets::machine_of(&*on.target), &calls, run.options.fuel) {
        Ok(results) => {
            for (line, result) in lines.iter().zip(&results) {
                check_line(run, line, &name, &[("interpreter", result)]);
            }
        }
        Err(e) => fail_all(run, &lines, &name, &e),
    }
}

/// Compiles the file's functions and makes all calls under the target's emulator.
fn emulate(
    run: &mut FileRun<'_>,
    file: &SourceFile,
    functions: &[windlass::ir::Function],
    signatures: &BTreeMap<&ExternalName, &Signature>,
    lines: &[&RunLine],
    on: &TestTarget,
) -> Result<Vec<CallResult>, String> {
    let mut cx = run.options.context();
    let module = compile_all(&*on.target, functions, &mut cx).map_err(|(i, error)| {
        let func = &file.functions[i];
        let (line, column) = match error.inst() {
            Some(inst) => file.inst_place(func, inst),
            None => (func.first_line(), 0),
        };
        let name = format!("compile {}", func.function.name);
        run.check_at(line, column, name, Some(&on.spec), Outcome::failed(error.to_string()));
        format!("{} does not compile", func.function.name)
    })?;
    let mut calls = Vec::with_capacity(lines.len());
    for line in lines {
        let signature = signatures
            .get(&line.function)
            .copied()
            .ok_or_else(|| format!("line {}: {} is not in the file", line.line, line.function))?;
        calls.push(GuestCall { function: &line.function, signature, args: &line.args });
    }
    let options = GuestOptions::default();
    // The driver that makes the calls is no test of any rule.
    let outcomes = guest::run_calls(&*on.target, &module, &calls, &options, &mut Context::new())
        .map_err(|e| e.to_string())?;
    if outcomes.len() != lines.len() {
        return Err(format!("{} calls were made instead of {}", outcomes.len(), lines.len()));
    }
    Ok(outcomes.into_iter().map(CallResult::from).collect())
}

fn check_line(run: &mut FileRun<'_>, line: &RunLine, target: &str, results: &[(&str, &CallResult)]) {
    let agree = results.windows(2).all(|pair| pair[0].1 == pair[1].1);
    if line.expect == Expect::Print {
        for (who, result) in results {
            let who = if results.len() > 1 { format!(", {who}") } else { String::new() };
            run.report.printed.push(format!("{} -> {result} [{target}{who}]", line.call()));
        }
        if agree {
            return;
        }
    }
    let good = agree && results.iter().all(|(_, result)| satisfies(result, &line.expect));
    let outcome = if good {
        Outcome::Passed
    } else {
        let mut message = String::new();
        for (who, result) in results {
            message.push_str(&format!("{who}: {result}\n"));
        }
        message.push_str(&format!("the line: {}", line.expect));
        Outcome::failed(message)
    };
    run.check(line.line, line.text.clone(), Some(target), outcome);
}

fn skip_all(run: &mut FileRun<'_>, lines: &[&RunLine], target: &str, reason: &str) {
    for line in lines {
        run.check(line.line, line.text.clone(), Some(target), Outcome::Skipped { reason: reason.to_owned() });
    }
}

fn fail_all(run: &mut FileRun<'_>, lines: &[&RunLine], target: &str, message: &str) {
    for line in lines {
        run.check(line.line, line.text.clone(), Some(target), Outcome::failed(format!("not run: {message}")));
    }
}
