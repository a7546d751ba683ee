//! Running compiled functions: many calls in one emulator process.
//!
//! In: a target, a [`Module`] of functions that it compiled, and a list of calls. Out: what each call came to
//! ([`CallOutcome`]), in order.
//!
//! The module becomes an executable with a driver ([`driver`]): CLIF that Windlass itself compiles for the target, so
//! that nothing here is a target's own but the few functions of [`Startup`](windlass::target::Startup). A table in
//! the executable lists the calls; for every distinct signature there is one trampoline, which loads
//! the arguments from memory, calls through a pointer, and stores the results. The driver writes one record a call
//! ([`record`]) to its standard output as soon as the call is over: when the process dies or hangs, the first
//! call without a record is to blame, and the calls after it run in a fresh process.
//!
//! Signals are caught in the guest on a stack of their own; the host finds the reason of a trap in the tables of
//! the image, by the address of the instruction.
//!
//! Cost: a process a file; a call costs one `write` and about 20 instructions.

mod driver;
#[cfg(test)]
mod emulated_tests;
mod process;
mod program;
mod record;
#[cfg(test)]
mod tests;

pub use process::GuestOptions;
pub use program::{program_executable, run_program};

use driver::CallTable;
use process::ProcessEnd;
use record::{CallResult, RecordReader};
use std::collections::hash_map::Entry;
use std::collections::{HashMap, HashSet};
use std::fmt;
use windlass::builtins::link_missing;
use windlass::exe::write_executable;
use windlass::link::{Image, LinkErrors, LinkOptions, Module};
use windlass::{CompileError, Context, ElfError, Target};
use windlass_ir::{DataValue, ExternalName, Signature, TrapCode};

/// A call to make.
#[derive(Clone, Copy, Debug)]
pub struct GuestCall<'a> {
    /// The function, which the module has.
    pub function: &'a ExternalName,
    /// Its signature. Parameters with a special purpose are plain values for the caller.
    pub signature: &'a Signature,
    /// A value for each parameter.
    pub args: &'a [DataValue],
}

/// A place in a function.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Place {
    /// The function.
    pub function: ExternalName,
    /// Offset in its code, in bytes.
    pub offset: u32,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}+{:#x}", self.function, self.offset)
    }
}

/// What became of a call.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum CallOutcome {
    /// It returned these values.
    Returned(Vec<DataValue>),
    /// It trapped where the code says that it may.
    Trapped {
        /// Why.
        code: TrapCode,
        /// Where.
        place: Place,
    },
    /// A signal at a place that does not trap.
    Signal {
        /// The signal's number.
        number: u32,
        /// Address of the instruction.
        address: u64,
        /// The function that the address is in, if it is in one.
        place: Option<Place>,
    },
    /// The process ended in the call; the text says how.
    Died(String),
    /// The call did not end in time.
    TimedOut,
    /// The call cannot be made: the text says what its trampoline needs and the target does not have.
    Unsupported(String),
}

impl fmt::Display for CallOutcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            CallOutcome::Returned(values) => write!(f, "returned {values:?}"),
            CallOutcome::Trapped { code, place } => write!(f, "trapped with {code} at {place}"),
            CallOutcome::Signal { number, address, place } => {
                write!(f, "{} at {address:#x}", process::signal_name(*number))?;
                match place {
                    Some(place) => write!(f, " ({place})"),
                    None => Ok(()),
                }
            }
            CallOutcome::Died(how) => write!(f, "ended the process: {how}"),
            CallOutcome::TimedOut => f.write_str("did not end in time"),
            CallOutcome::Unsupported(what) => write!(f, "cannot be called: {what}"),
        }
    }
}

/// Why calls could not be run at all.
#[derive(Debug)]
#[non_exhaustive]
pub enum GuestError {
    /// A call that does not fit its signature or names a function that the module has not.
    BadCall(String),
    /// A piece of the driver does not compile for the target.
    Compile {
        /// The piece.
        function: String,
        /// Why.
        error: CompileError,
    },
    /// The module does not link.
    Link(LinkErrors),
    /// No executable can be made.
    Elf(ElfError),
    /// The emulator is not installed.
    MissingEmulator {
        /// The program.
        program: String,
        /// The Debian package that has it.
        package: &'static str,
    },
    /// The emulator does not start programs; the text is its complaint.
    Emulator(String),
    /// Files or pipes.
    Io(std::io::Error),
    /// A bug of the driver or of what runs it.
    Internal(String),
}

impl fmt::Display for GuestError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            GuestError::BadCall(what) => f.write_str(what),
            GuestError::Compile { function, error } => {
                write!(f, "{function}, which is needed to run the calls: {error}")
            }
            GuestError::Link(errors) => errors.fmt(f),
            GuestError::Elf(error) => error.fmt(f),
            GuestError::MissingEmulator { program, package } => {
                write!(f, "{program} not found: install it with `apt-get install {package}`")
            }
            GuestError::Emulator(message) => write!(f, "the emulator does not run programs: {message}"),
            GuestError::Io(error) => error.fmt(f),
            GuestError::Internal(what) => {
                write!(f, "internal error in running code, please report it: {what}")
            }
        }
    }
}

impl std::error::Error for GuestError {}

impl From<LinkErrors> for GuestError {
    fn from(errors: LinkErrors) -> GuestError {
        GuestError::Link(errors)
    }
}

impl From<ElfError> for GuestError {
    fn from(error: ElfError) -> GuestError {
        GuestError::Elf(error)
    }
}

impl From<std::io::Error> for GuestError {
    fn from(error: std::io::Error) -> GuestError {
        GuestError::Io(error)
    }
}

/// Compiles a piece of the driver and adds it.
fn add_compiled(
    module: &mut Module,
    target: &dyn Target,
    cx: &mut Context,
    text: &str,
) -> Result<(), GuestError> {
    let functions =
        windlass_ir::text::parse_functions(text).map_err(|error| GuestError::Internal(error.to_string()))?;
    for function in functions {
        match target.compile(&function, cx) {
            Ok(code) => module.add_function(function.name.clone(), code),
            Err(error) => return Err(GuestError::Compile { function: function.name.to_string(), error }),
        }
    }
    Ok(())
}

/// Adds the target's own functions, and those of the run-time library that anything refers to.
fn add_libraries(module: &mut Module, target: &dyn Target, cx: &mut Context) -> Result<(), GuestError> {
    target.startup().add_to(module);
    link_missing(module, target, cx)
        .map_err(|error| GuestError::Compile { function: error.name.to_string(), error: error.error })
}

fn link_executable(module: &Module, target: &dyn Target) -> Result<(Image, Vec<u8>), GuestError> {
    let image = module.link(&LinkOptions::of_target(target))?;
    let bytes = write_executable(&image, target.elf(), &target.startup().entry(module))?;
    Ok((image, bytes))
}

/// Makes calls to functions of `module` in the target's emulator. The outcomes are those of `calls`, in order.
///
/// A call that ends the process, or does not end, costs a new process for the calls after it.
///
/// # Errors
/// When no call at all can be run; see [`GuestError`].
pub fn run_calls(
    target: &dyn Target,
    module: &Module,
    calls: &[GuestCall<'_>],
    options: &GuestOptions,
    cx: &mut Context,
) -> Result<Vec<CallOutcome>, GuestError> {
    let known: HashSet<&ExternalName> = module.functions().iter().map(|function| &function.name).collect();
    let mut module = module.clone();
    let mut table = CallTable::new(target);
    let mut outcomes: Vec<Option<CallOutcome>> = vec![None; calls.len()];
    // Numbers of the calls in the table.
    let mut runnable = Vec::with_capacity(calls.len());

    let mut trampolines: HashMap<&Signature, Result<ExternalName, String>> = HashMap::new();
    for (i, call) in calls.iter().enumerate() {
        check_call(call, &known)?;
        let next = trampolines.len();
        let trampoline = match trampolines.entry(call.signature) {
            Entry::Occupied(entry) => entry.into_mut(),
            Entry::Vacant(entry) => {
                entry.insert(add_trampoline(&mut module, target, cx, next, call.signature)?)
            }
        };
        match trampoline {
            Ok(trampoline) => {
                table.push(trampoline, call);
                runnable.push(i);
            }
            Err(what) => outcomes[i] = Some(CallOutcome::Unsupported(what.clone())),
        }
    }

    if !runnable.is_empty() {
        table.add_to(&mut module);
        add_compiled(&mut module, target, cx, &driver::main_text(target))?;
        add_libraries(&mut module, target, cx)?;
    }
    let mut next = 0;
    while next < runnable.len() {
        let mut program = module.clone();
        program.add_data(table.range_from(next));
        let (image, executable) = link_executable(&program, target)?;
        let mut reader = RecordReader::new(target, next);
        let end = process::run(target, &executable, options, &mut |bytes| {
            reader.feed(bytes, |n| runnable.get(n).map(|&i| calls[i].signature))
        })?;
        if !reader.started() {
            return Err(GuestError::Emulator(end.to_string()));
        }
        for result in reader.take() {
            outcomes[runnable[next]] = Some(outcome(&image, result));
            next += 1;
        }
        if next < runnable.len() {
            let outcome = match end {
                ProcessEnd::TimedOut => CallOutcome::TimedOut,
                ProcessEnd::Ended(how) => CallOutcome::Died(how),
            };
            outcomes[runnable[next]] = Some(outcome);
            next += 1;
        }
    }
    let outcomes: Vec<_> = outcomes.into_iter().flatten().collect();
    if outcomes.len() == calls.len() {
        Ok(outcomes)
    } else {
        Err(GuestError::Internal("a call has no outcome".into()))
    }
}

/// Does the call fit its signature, and is the function there?
fn check_call(call: &GuestCall<'_>, known: &HashSet<&ExternalName>) -> Result<(), GuestError> {
    let GuestCall { function, signature, args } = *call;
    if !known.contains(function) {
        return Err(GuestError::BadCall(format!("there is no function {function}")));
    }
    if args.len() != signature.params.len() {
        let (got, wanted) = (args.len(), signature.params.len());
        return Err(GuestError::BadCall(format!("{function} takes {wanted} arguments, not {got}")));
    }
    for (i, (arg, param)) in args.iter().zip(&signature.params).enumerate() {
        let (got, wanted) = (arg.ty(), param.value_type);
        if got != wanted {
            let n = i + 1;
            return Err(GuestError::BadCall(format!("argument {n} of {function} is {wanted}, not {got}")));
        }
    }
    Ok(())
}

/// Adds the trampoline for a signature, and gives its name; or says what the target lacks for it.
fn add_trampoline(
    module: &mut Module,
    target: &dyn Target,
    cx: &mut Context,
    number: usize,
    signature: &Signature,
) -> Result<Result<ExternalName, String>, GuestError> {
    let name = ExternalName::Symbol(format!("__windlass_trampoline_{number}"));
    let without_values = |ty| DataValue::from_bits(0, ty).is_none();
    if let Some(result) = signature.returns.iter().find(|result| without_values(result.value_type)) {
        return Ok(Err(format!("a result of type {}", result.value_type)));
    }
    match add_compiled(module, target, cx, &driver::trampoline_text(target, &name, signature)) {
        Ok(()) => Ok(Ok(name)),
        Err(GuestError::Compile { error: error @ CompileError::Unsupported { .. }, .. }) => {
            Ok(Err(error.to_string()))
        }
        Err(error) => Err(error),
    }
}

/// What a record means, with the tables of the image.
fn outcome(image: &Image, result: CallResult) -> CallOutcome {
    let (number, address) = match result {
        CallResult::Returned(values) => return CallOutcome::Returned(values),
        CallResult::Signal { number, address } => (number, address),
    };
    let place = image
        .function_at(address)
        .map(|(function, offset)| Place { function: function.name.clone(), offset });
    match (image.trap_at(address), place) {
        (Some(code), Some(place)) => CallOutcome::Trapped { code, place },
        (_, place) => CallOutcome::Signal { number, address, place },
    }
}
