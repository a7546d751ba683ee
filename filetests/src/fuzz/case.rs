//! What is checked of a program, and a program that fails made small.

use super::settings::Setup;
use crate::data;
use crate::guest::{self, CallOutcome, GuestCall, GuestError, GuestOptions};
use crate::reduce::{self, Case};
use crate::targets::machine_of;
use std::collections::HashMap;
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Duration;
use windlass::link::Module;
use windlass::unwind::UNCAUGHT;
use windlass::{CompiledCode, Context, Target};
use windlass_ir::interp::{Config, Interpreter, Machine, Outcome, Program};
use windlass_ir::text::{Expectation, Invocation, RunCommand, parse_function};
use windlass_ir::{ExternalName, Function, Signature, TrapCode, Verifier};

/// What went wrong with a function.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Failure {
    /// The function that was verified, compiled or called.
    pub function: ExternalName,
    /// What went wrong.
    pub what: Wrong,
}

/// What can go wrong.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Wrong {
    /// The verifier refuses a function that the generator made.
    Verifier(String),
    /// The text does not read back as it was printed.
    Text(String),
    /// The function does not compile.
    Compile(String),
    /// The compiler panics.
    Panic(String),
    /// The second compilation gives other code than the first.
    Indeterminate,
    /// The interpreter finds the program to have no meaning.
    Interpreter(String),
    /// Code and interpreter disagree on a call.
    Mismatch {
        /// The call.
        call: Invocation,
        /// The interpreter's outcome.
        expected: Box<Outcome>,
        /// The code's.
        found: Box<CallOutcome>,
    },
}

impl Failure {
    /// A word for failures that are alike.
    pub fn kind(&self) -> String {
        let head = |text: &str| {
            // Numbers of registers and places differ between programs.
            let head = text.lines().next().unwrap_or("");
            head.chars().filter(|c| !c.is_ascii_digit()).take(48).collect::<String>()
        };
        match &self.what {
            Wrong::Verifier(text) => format!("verifier: {}", head(text)),
            Wrong::Text(text) => format!("text: {}", head(text)),
            Wrong::Compile(text) => format!("compile: {}", head(text)),
            Wrong::Panic(text) => format!("panic: {}", head(text)),
            Wrong::Indeterminate => "indeterminate".into(),
            Wrong::Interpreter(text) => format!("interpreter: {}", head(text)),
            Wrong::Mismatch { expected, found, .. } => {
                let expected = match **expected {
                    Outcome::Return(_) => "return",
                    Outcome::Trap { .. } => "trap",
                    Outcome::Throw(_) => "throw",
                    _ => "other",
                };
                let found = match **found {
                    CallOutcome::Returned(_) => "return",
                    CallOutcome::Trapped { .. } => "trap",
                    CallOutcome::Signal { .. } => "signal",
                    CallOutcome::Died(_) => "died",
                    CallOutcome::TimedOut => "timed out",
                    CallOutcome::Unsupported(_) => "unsupported",
                };
                format!("mismatch: {expected}, {found}")
            }
        }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let function = &self.function;
        match &self.what {
            Wrong::Verifier(text) => write!(f, "{function}: the verifier refuses it: {text}"),
            Wrong::Text(text) => write!(f, "{function}: its text does not read back: {text}"),
            Wrong::Compile(text) => write!(f, "{function} does not compile: {text}"),
            Wrong::Panic(text) => write!(f, "{function}: the compiler panics: {text}"),
            Wrong::Indeterminate => write!(f, "{function}: two compilations differ"),
            Wrong::Interpreter(text) => write!(f, "{function}: {text}"),
            Wrong::Mismatch { call, expected, found } => {
                write!(f, "{call} {found}; in the interpreter it {expected}")
            }
        }
    }
}

/// Sizes of what was checked.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Counts {
    /// IR instructions.
    pub instructions: u64,
    /// Calls that were compared.
    pub calls: u64,
    /// Of these trapped.
    pub traps: u64,
    /// Of these ended with an exception that nobody caught.
    pub throws: u64,
    /// Calls that took too long in the interpreter.
    pub skipped: u64,
    /// Bytes of code.
    pub code_bytes: u64,
}

/// Most IR instructions of a call in the interpreter.
const FUEL: u64 = 200_000;

/// Checks programs for one target.
pub struct Checker<'t> {
    target: &'t dyn Target,
    cx: Context,
    verifier: Verifier,
    guest: GuestOptions,
}

impl<'t> Checker<'t> {
    /// Checks for `target`.
    pub fn new(target: &'t dyn Target) -> Checker<'t> {
        Checker {
            target,
            cx: Context::new(),
            verifier: Verifier::with_address_type(target.address_type()),
            guest: GuestOptions { timeout: Duration::from_secs(10), ..GuestOptions::default() },
        }
    }

    /// Everything that is wrong with a program and these calls.
    ///
    /// # Errors
    /// Programs do not run at all.
    pub fn check(
        &mut self,
        functions: &[Function],
        calls: &[Invocation],
    ) -> Result<(Vec<Failure>, Counts), GuestError> {
        let mut failures = Vec::new();
        let mut counts = Counts::default();
        let mut module = Module::new();
        for func in functions {
            match self.function(func) {
                Ok(code) => {
                    counts.instructions += u64::from(code.stats.ir_insts);
                    counts.code_bytes += code.bytes.len() as u64;
                    module.add_function(func.name.clone(), code);
                }
                Err(what) => failures.push(Failure { function: func.name.clone(), what }),
            }
        }
        // A program with a hole does not link.
        if failures.is_empty() {
            self.calls(functions, &mut module, calls, &mut failures, &mut counts)?;
        }
        Ok((failures, counts))
    }

    /// Verifies, prints, parses and compiles.
    fn function(&mut self, func: &Function) -> Result<CompiledCode, Wrong> {
        if let Err(faults) = self.verifier.verify(func) {
            return Err(Wrong::Verifier(faults.iter().map(|f| f.to_string()).collect::<Vec<_>>().join("\n")));
        }
        let text = func.to_string();
        match parse_function(&text) {
            Err(error) => return Err(Wrong::Text(error.to_string())),
            Ok(again) if again.to_string() != text => return Err(Wrong::Text("it prints otherwise".into())),
            Ok(_) => {}
        }
        let first = self.compile(func)?;
        let second = self.compile(func)?;
        if first == second { Ok(first) } else { Err(Wrong::Indeterminate) }
    }

    fn compile(&mut self, func: &Function) -> Result<CompiledCode, Wrong> {
        let (target, cx) = (self.target, &mut self.cx);
        match catch_unwind(AssertUnwindSafe(|| target.compile(func, cx))) {
            Ok(Ok(code)) => Ok(code),
            Ok(Err(error)) => Err(Wrong::Compile(error.to_string())),
            Err(payload) => {
                // What a panic left in it is anyone's guess.
                self.cx = Context::new();
                Err(Wrong::Panic(panic_text(&*payload)))
            }
        }
    }

    /// Runs the calls in the interpreter and in the emulator.
    fn calls(
        &mut self,
        functions: &[Function],
        module: &mut Module,
        calls: &[Invocation],
        failures: &mut Vec<Failure>,
        counts: &mut Counts,
    ) -> Result<(), GuestError> {
        let machine =
            Machine { address_type: self.target.address_type(), endianness: self.target.endianness() };
        let program = match Program::new(functions, machine) {
            Ok(program) => program,
            Err(error) => {
                let function = ExternalName::default();
                failures.push(Failure { function, what: Wrong::Interpreter(error.to_string()) });
                return Ok(());
            }
        };
        let config = Config { fuel: Some(FUEL), max_stack_bytes: 8 << 20, ..Config::default() };
        let mut interpreter = Interpreter::new(&program, config);
        data::define(&mut interpreter, functions);
        data::add(module, functions);
        let signatures: HashMap<&ExternalName, &Signature> =
            functions.iter().map(|func| (&func.name, &func.signature)).collect();
        let mut expected = Vec::new();
        let mut guest_calls = Vec::new();
        let mut compared = Vec::new();
        for call in calls {
            let Some(&signature) = signatures.get(&call.func) else { continue };
            interpreter.set_pinned_reg(0);
            match interpreter.run(&call.func, &call.args) {
                Outcome::OutOfFuel => counts.skipped += 1,
                outcome @ (Outcome::Return(_) | Outcome::Trap { .. } | Outcome::Throw(_)) => {
                    counts.traps += u64::from(matches!(outcome, Outcome::Trap { .. }));
                    counts.throws += u64::from(matches!(outcome, Outcome::Throw(_)));
                    guest_calls.push(GuestCall { function: &call.func, signature, args: &call.args });
                    expected.push(outcome);
                    compared.push(call);
                }
                other => {
                    let what = Wrong::Interpreter(other.to_string());
                    failures.push(Failure { function: call.func.clone(), what });
                }
            }
        }
        counts.calls += expected.len() as u64;
        let outcomes = guest::run_calls(self.target, module, &guest_calls, &self.guest, &mut self.cx)?;
        for ((call, expected), found) in compared.into_iter().zip(expected).zip(outcomes) {
            if !agree(&expected, &found) {
                let what = Wrong::Mismatch {
                    call: call.clone(),
                    expected: Box::new(expected),
                    found: Box::new(found),
                };
                failures.push(Failure { function: call.func.clone(), what });
            }
        }
        Ok(())
    }
}

/// Are both the same outcome?
fn agree(expected: &Outcome, found: &CallOutcome) -> bool {
    match (expected, found) {
        (Outcome::Return(expected), CallOutcome::Returned(found)) => expected == found,
        (Outcome::Trap { code: expected, at }, CallOutcome::Trapped { code: found, place }) => {
            // Below its limit the stack traps at the call for the interpreter, in the callee for a machine.
            expected == found && (at.func == place.function || *expected == TrapCode::STACK_OVERFLOW)
        }
        // In the run-time library.
        (Outcome::Throw(_), CallOutcome::Trapped { code, .. }) => *code == UNCAUGHT,
        _ => false,
    }
}

/// What a panic said.
pub(super) fn panic_text(payload: &(dyn std::any::Any + Send)) -> String {
    match (payload.downcast_ref::<String>(), payload.downcast_ref::<&str>()) {
        (Some(text), _) => text.clone(),
        (None, Some(text)) => (*text).to_string(),
        (None, None) => "no message".into(),
    }
}

impl Case {
    /// The functions that a failure is about, and the call that shows it.
    pub fn of_failure(functions: &[Function], failure: &Failure) -> Case {
        let commands = match &failure.what {
            Wrong::Mismatch { call, .. } => {
                vec![RunCommand::Run(call.clone(), Expectation::BareNonZero)]
            }
            _ => Vec::new(),
        };
        let mut wanted = vec![failure.function.clone()];
        let mut at = 0;
        while let Some(name) = wanted.get(at).cloned() {
            at += 1;
            for func in functions.iter().filter(|func| func.name == name) {
                let called = func.dfg.ext_funcs.values().map(|callee| callee.name.clone());
                let new: Vec<_> = called.filter(|name| !wanted.contains(name)).collect();
                wanted.extend(new);
            }
        }
        let functions = functions.iter().filter(|func| wanted.contains(&func.name)).cloned().collect();
        Case { header: Vec::new(), functions, commands }
    }
}

/// Do the calls come to the same whatever is in memory that nobody wrote?
fn has_one_meaning(functions: &[Function], calls: &[Invocation], machine: Machine) -> bool {
    let Ok(program) = Program::new(functions, machine) else { return true };
    let outcomes = [0, 0xa5].map(|stack_fill| {
        let config = Config { fuel: Some(FUEL), max_stack_bytes: 8 << 20, stack_fill, ..Config::default() };
        let mut interpreter = Interpreter::new(&program, config);
        data::define(&mut interpreter, functions);
        calls.iter().map(|call| interpreter.run(&call.func, &call.args)).collect::<Vec<_>>()
    });
    outcomes[0] == outcomes[1]
}

/// Makes the functions of a failure small. `None` if it does not show outside of its program.
pub fn shrink(
    checker: &mut Checker<'_>,
    functions: &[Function],
    failure: &Failure,
    steps: usize,
) -> Option<Case> {
    let case = Case::of_failure(functions, failure);
    let kind = failure.kind();
    let mut fails = |case: &Case| {
        let calls: Vec<_> = case.commands.iter().map(|command| command.invocation().clone()).collect();
        if !has_one_meaning(&case.functions, &calls, machine_of(checker.target)) {
            return false;
        }
        match checker.check(&case.functions, &calls) {
            Ok((failures, _)) => failures.iter().any(|failure| failure.kind() == kind),
            Err(_) => false,
        }
    };
    if steps == 0 || !fails(&case) {
        return None;
    }
    Some(reduce::reduce(case, &reduce::Limits { steps, ..reduce::Limits::default() }, &mut fails))
}

/// A filetest that shows a failure.
pub fn filetest(
    case: &Case,
    setup: &Setup,
    target: &str,
    failure: &Failure,
    seed: u64,
    batch: u64,
) -> String {
    let mut out = String::new();
    let runs = matches!(failure.what, Wrong::Mismatch { .. });
    out += if runs { "test run\n" } else { "test compile\n" };
    for (name, value) in &setup.0 {
        match value {
            Some(value) => out += &format!("set {name}={value}\n"),
            None => out += &format!("set {name}\n"),
        }
    }
    out += &format!("target {target}\n\n; Seed {seed}, batch {batch}: {}.\n", failure.kind());
    for func in &case.functions {
        out += &format!("\n{func}");
    }
    // What the interpreter gives now that the functions are small.
    let expected = |call: &Invocation| {
        let machine = setup.target(target).map(|target| machine_of(&*target)).unwrap_or(Machine::LE32);
        let program = Program::new(&case.functions, machine).ok()?;
        let config = Config { fuel: Some(FUEL), ..Config::default() };
        let mut interpreter = Interpreter::new(&program, config);
        data::define(&mut interpreter, &case.functions);
        match interpreter.run(&call.func, &call.args) {
            Outcome::Throw(_) => Some(Expectation::Traps(UNCAUGHT)),
            Outcome::Return(values) => Some(Expectation::Equals(values)),
            Outcome::Trap { code, .. } => Some(Expectation::Traps(code)),
            _ => None,
        }
    };
    for command in &case.commands {
        let call = command.invocation();
        let expectation = expected(call).unwrap_or(Expectation::BareNonZero);
        out += &format!("; {}\n", RunCommand::Run(call.clone(), expectation));
    }
    out
}
