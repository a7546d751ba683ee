//! Calls of routines of the library, in the interpreter and in the emulator, compared with what the host says.

use std::time::Instant;
use windlass::builtins::{library, link_missing};
use windlass::link::Module;
use windlass::{Context, Target};
use windlass_filetests::guest::{CallOutcome, GuestCall, GuestOptions, run_calls};
use windlass_ir::interp::{Config, Interpreter, Machine, Outcome, Program};
use windlass_ir::{DataValue, ExternalName, Function, Signature};

/// A pseudo-random generator (Marsaglia's xorshift64*), the same numbers in every run.
#[derive(Clone)]
pub struct Random(pub u64);

impl Random {
    pub fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d)
    }

    /// A number of a random length: small ones and large ones are as frequent.
    pub fn any_length(&mut self) -> u64 {
        let shift = self.next() % 64;
        self.next() >> shift
    }
}

/// Random operands per operation.
pub fn random_count() -> usize {
    match std::env::var("WINDLASS_BUILTINS_RANDOM") {
        Ok(text) => text.parse().expect("WINDLASS_BUILTINS_RANDOM is a number"),
        Err(_) => 2000,
    }
}

/// Targets to compile for: with and without a float unit, and with strict alignment.
pub const TARGETS: [&str; 2] = ["armv7hf", "armv5"];

pub fn target() -> Box<dyn Target> {
    windlass::lookup("armv7hf").unwrap().build().unwrap()
}

/// The library in the interpreter.
pub fn program() -> Program {
    Program::new(&library(&*target()).unwrap(), Machine::LE32).unwrap()
}

/// What is wrong with the results for some arguments; `None` if they are right.
pub type Check<'a> = &'a dyn Fn(&[DataValue], &[DataValue]) -> Option<String>;

/// A routine, and what the host says of it.
pub struct Case<'a> {
    pub routine: &'a str,
    pub check: Check<'a>,
}

impl Case<'_> {
    fn complain(&self, args: &[DataValue], results: &str, what: &str) -> ! {
        panic!("%{}({args:x?}) gives {results}: {what}", self.routine)
    }

    /// Interprets the routine with each list of arguments.
    pub fn interpret(&self, program: &Program, arguments: impl Iterator<Item = Vec<DataValue>>) {
        let name = ExternalName::symbol(self.routine);
        let func = program.find(&name).unwrap_or_else(|| panic!("no routine %{}", self.routine));
        let mut interpreter = Interpreter::new(program, Config::default());
        let (start, mut calls, mut insts) = (Instant::now(), 0_u64, 0_u64);
        for args in arguments {
            match interpreter.run_function(&mut windlass_ir::interp::NoHost, func, &args) {
                Outcome::Return(results) => {
                    if let Some(what) = (self.check)(&args, &results) {
                        self.complain(&args, &format!("{results:x?}"), &what);
                    }
                }
                other => self.complain(&args, &other.to_string(), "it must return"),
            }
            calls += 1;
            insts += interpreter.executed();
        }
        if std::env::var_os("WINDLASS_BUILTINS_RANDOM").is_some() {
            let (seconds, each) = (start.elapsed().as_secs_f64(), insts as f64 / calls.max(1) as f64);
            eprintln!("%{}: {calls} calls, {each:.1} instructions each, {seconds:.1} s", self.routine);
        }
    }

    /// Compiles the routine and runs it in the emulator with each list of arguments.
    pub fn emulate(&self, arguments: &[Vec<DataValue>]) {
        for name in TARGETS {
            let target = windlass::lookup(name).unwrap().build().unwrap();
            self.emulate_on(&*target, arguments);
        }
    }

    fn emulate_on(&self, target: &dyn Target, arguments: &[Vec<DataValue>]) {
        let functions = library(target).unwrap();
        let name = ExternalName::symbol(self.routine);
        let function: &Function = functions.iter().find(|function| function.name == name).unwrap();
        let signature: &Signature = &function.signature;
        let mut cx = Context::new();
        let mut module = Module::new();
        module.add_function(name.clone(), target.compile(function, &mut cx).unwrap());
        link_missing(&mut module, target, &mut cx).unwrap();
        let calls: Vec<_> =
            arguments.iter().map(|args| GuestCall { function: &name, signature, args }).collect();
        let outcomes = run_calls(target, &module, &calls, &GuestOptions::default(), &mut cx).unwrap();
        for (args, outcome) in arguments.iter().zip(outcomes) {
            match outcome {
                CallOutcome::Returned(results) => {
                    if let Some(what) = (self.check)(args, &results) {
                        self.complain(
                            args,
                            &format!("{results:x?}"),
                            &format!("{what}, compiled for {}", target.name()),
                        );
                    }
                }
                other => {
                    let what = format!("it must return, compiled for {}", target.name());
                    self.complain(args, &other.to_string(), &what);
                }
            }
        }
    }
}
