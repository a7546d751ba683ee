//! Calling conventions against a C compiler: random signatures, called in both directions.
//!
//! In: a convention ([`CONVENTIONS`]), a seed, how many signatures. Out: a [`Report`].
//!
//! Some hundred signatures make a program: one file of C and one of the language ([`source`]), compiled, linked with the
//! C library, and run in the emulator. Parameters are scalars of every type, widened as C does, and structures by
//! value ([`ctype`]) of up to 80 bytes; results are scalars and structures; signatures with `...` are called from Windlass. Every argument is compared
//! where it arrives, every result where it comes back, and the registers that calls keep after each call.
//! Programs take turns in settings that make the allocator use other registers, and in the C compiler's optimization.
//!
//! After Lindig 2005, "Random testing of C calling conventions".
//!
//! # A new convention
//!
//! A row in a backend's file in `conventions/` ([`CONVENTIONS`]): the Windlass target and the names that the language has for the convention; compiler and flags; how it
//! returns structures, because in the language that is the front end's to say; an assembly routine that checks
//! registers. How arguments are passed, structures among them, is for Windlass to know.

mod conventions;
mod ctype;
mod source;

pub use conventions::CONVENTIONS;
pub use ctype::{CType, Member, Scalar, Struct};

use crate::fuzz::random::Random;
use crate::targets::{self, Setting};
use source::Case;
use std::fmt;
use std::path::Path;
use std::process::{Command, Stdio};
use windlass::link::Module;
use windlass::object::{ObjectOptions, write_object};
use windlass::{Context, Target};
use windlass_ir::{CallConv, Endianness, Type};

/// A convention as one target and one C compiler have it.
#[derive(Clone, Copy, Debug)]
pub struct Convention {
    /// Its name in reports.
    pub name: &'static str,
    /// The Windlass target.
    pub target: &'static str,
    /// What the language calls it: any of these.
    pub call_convs: &'static [CallConv],
    /// The convention of variadic functions and how they return structures, if they are tested here.
    pub variadic: Option<(CallConv, ReturnRule)>,
    /// What C functions are declared with.
    pub attribute: &'static str,
    /// The C compiler.
    pub compiler: &'static str,
    /// The Debian package that has it.
    pub package: &'static str,
    /// What it is told.
    pub flags: &'static [&'static str],
    /// C text that defines `int kept_registers(void (*f)(void))`, which calls `f` and gives 0 if every register that
    /// calls keep has what it had.
    pub registers: &'static str,
    /// C has integers of 128 bits.
    pub wide: bool,
    /// Floats behind `...` travel as integers of the same size.
    pub open_floats_as_integers: bool,
    /// How structures are returned.
    pub returns: ReturnRule,
}

/// How a structure is returned.
pub type ReturnRule = fn(&Struct) -> Returns;

/// How a structure is returned.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Returns {
    /// In memory whose address the caller passes first: an `sret` parameter.
    Memory,
    /// As these results, each with its offset in the structure.
    Values(Vec<(u32, Type)>),
}

/// A signature in C.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Shape {
    /// The types of the arguments.
    pub params: Vec<CType>,
    /// How many of them stand before `...`; all, if there is none.
    pub named: usize,
    /// The result's type.
    pub result: Option<CType>,
}

impl Shape {
    /// Does it have a `...` with something behind it?
    pub fn is_variadic(&self) -> bool {
        self.named < self.params.len()
    }

    fn random(random: &mut Random, convention: &Convention, variadic: bool) -> Shape {
        let wide = convention.wide;
        let any = |random: &mut Random, structs: usize| {
            if random.chance(structs) {
                CType::Struct(Struct::random(random, wide, 80))
            } else {
                CType::Scalar(Scalar::random(random, wide))
            }
        };
        // Some signatures are all of a kind, so that its registers run out.
        let structs = *random.pick(&[0, 25, 25, 60]).unwrap_or(&25);
        let floats = random.chance(20);
        let scalar = |random: &mut Random| {
            CType::Scalar(if random.chance(50) { Scalar::Float } else { Scalar::Double })
        };
        let named = if variadic { random.between(1, 4) } else { random.below(13) };
        let mut params: Vec<CType> = (0..named)
            .map(|_| if floats && random.chance(70) { scalar(random) } else { any(random, structs) })
            .collect();
        if variadic {
            params.extend((0..random.between(1, 6)).map(|_| {
                if random.chance(25) {
                    CType::Struct(Struct::random(random, wide, 40))
                } else {
                    CType::Scalar(Scalar::random_promoted(random))
                }
            }));
        }
        let result = random.chance(85).then(|| any(random, 40));
        Shape { params, named, result }
    }
}

/// What to do.
#[derive(Clone, Debug)]
pub struct Options {
    /// Equal seeds make equal programs.
    pub seed: u64,
    /// How many signatures; rounded up to whole programs.
    pub count: u64,
    /// Signatures of a program.
    pub batch: usize,
    /// Settings of the target, besides those that take turns.
    pub settings: Vec<Setting>,
}

impl Default for Options {
    fn default() -> Options {
        Options { seed: 1, count: 150, batch: 150, settings: Vec::new() }
    }
}

/// A difference.
#[derive(Clone, Debug)]
pub struct Difference {
    /// The program, and the signature in it.
    pub place: (u64, usize),
    /// What differs.
    pub what: String,
    /// The signature in the language.
    pub signature: String,
    /// The settings of the target.
    pub settings: String,
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Difference { place: (program, index), what, signature, settings } = self;
        write!(f, "program {program}, signature {index}: {what}\n    {signature}\n    settings: {settings}")
    }
}

/// What a run came to.
#[derive(Clone, Debug, Default)]
pub struct Report {
    /// Signatures that were tried.
    pub signatures: u64,
    /// Of these with `...`.
    pub variadic: u64,
    /// Calls that were made.
    pub calls: u64,
    /// What differs.
    pub differences: Vec<Difference>,
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Report { signatures, variadic, calls, differences } = self;
        write!(
            f,
            "{signatures} signatures ({variadic} variadic), {calls} calls, {} differences",
            differences.len()
        )?;
        for difference in differences.iter().take(10) {
            write!(f, "\n{difference}")?;
        }
        Ok(())
    }
}

/// The settings of program `n`: plain ones, and some that make the allocator choose other registers.
fn settings_of(n: u64) -> Vec<Setting> {
    let of = |name: &str, value: Option<String>| (name.to_string(), value);
    match n % 6 {
        1 => vec![of("stress_random_regs", Some(n.to_string()))],
        2 => vec![of("stress_spill_all", None)],
        3 => vec![of("preserve_frame_pointers", None), of("stress_random_regs", Some(n.to_string()))],
        4 => vec![
            of("opt_level", Some("size".into())),
            of("stress_max_regs", Some("6".into())),
            of("enable_probestack", None),
        ],
        // Copies of structures make no access that the processor would not.
        5 => vec![of("stress_check_alignment", None), of("stress_random_regs", Some(n.to_string()))],
        _ => Vec::new(),
    }
}

/// Tests a convention. `progress` is told the sum after each program.
///
/// # Errors
/// The target is not there or refuses a signature; the C compiler or the emulator is missing or fails.
pub fn test(
    convention: &Convention,
    options: &Options,
    progress: &mut dyn FnMut(&Report),
) -> Result<Report, String> {
    let mut report = Report::default();
    for n in 0..options.count.div_ceil(options.batch.max(1) as u64) {
        let left = options.count - n * options.batch as u64;
        let count = left.min(options.batch as u64) as usize;
        program(convention, options, n, count, &mut report)?;
        progress(&report);
    }
    Ok(report)
}

fn program(
    convention: &Convention,
    options: &Options,
    n: u64,
    count: usize,
    report: &mut Report,
) -> Result<(), String> {
    let mut settings = options.settings.clone();
    settings.extend(settings_of(n));
    let target = targets::build(convention.target, &settings).map_err(|error| error.to_string())?;
    let (order, address) = (target.endianness(), target.address_type());
    let mut random = Random::part(options.seed, n);
    let cases: Vec<Case> = (0..count).map(|_| case(convention, &mut random, order)).collect();
    let text = source::clif_source(convention, &cases, address);
    // The linker may put functions anywhere.
    let layout = ObjectOptions { separate_sections: n % 2 == 1 };
    let object = object_with(&*target, &text, &layout)?;
    let c = source::c_source(convention, &cases, order);
    let optimization = ["-O2", "-O0", "-O1"][(n % 3) as usize];
    let output = build_and_run(convention, &*target, optimization, &c, &object)?;

    report.signatures += count as u64;
    let variadic = cases.iter().filter(|case| case.shape.is_variadic()).count() as u64;
    report.variadic += variadic;
    let mut done = false;
    for line in output.lines() {
        let mut words = line.split(' ');
        let kind = words.next().unwrap_or_default();
        let mut number = || words.next().and_then(|word| word.parse::<i64>().ok());
        match (kind, number(), number()) {
            ("done", Some(calls), _) => {
                done = true;
                // Variadic functions are C's: there is no call in the other direction.
                report.calls += (calls as u64).saturating_sub(variadic);
            }
            (kind @ ("fail" | "stop"), Some(at), Some(detail)) => {
                let (index, direction) = ((at / 2) as usize, at % 2);
                let Some(case) = cases.get(index) else { return Err(format!("a strange report: {line}")) };
                let from = if direction == 0 { "C calls Windlass" } else { "Windlass calls C" };
                let what = match (kind, detail) {
                    ("stop", signal) => format!("signal {signal}"),
                    (_, -1) => "the result differs".into(),
                    (_, -2) => "a register that calls keep differs".into(),
                    (_, i) => format!("argument {i} differs"),
                };
                done |= kind == "stop";
                report.differences.push(Difference {
                    place: (n, index),
                    what: format!("{from}: {what}"),
                    signature: case.signature(convention, address).to_string(),
                    settings: format!("{settings:?}"),
                });
            }
            _ => return Err(format!("program {n} of {} reports {line:?}", convention.name)),
        }
    }
    if done { Ok(()) } else { Err(format!("program {n} of {} ends early: {output:?}", convention.name)) }
}

/// A random signature with values for it.
fn case(convention: &Convention, random: &mut Random, order: Endianness) -> Case {
    let variadic = convention.variadic.filter(|_| random.chance(15));
    let shape = Shape::random(random, convention, variadic.is_some());
    let (call_conv, returns) = match variadic {
        Some(variadic) => variadic,
        None => (random.pick(convention.call_convs).copied().unwrap_or_default(), convention.returns),
    };
    let returns = match &shape.result {
        None => Returns::Values(Vec::new()),
        Some(CType::Scalar(scalar)) => Returns::Values(vec![(0, scalar.ty())]),
        Some(CType::Struct(structure)) => returns(structure),
    };
    let args: Vec<Vec<u8>> = shape.params.iter().map(|ty| ty.value(random, order)).collect();
    let result = shape.result.as_ref().map_or(Vec::new(), |ty| ty.value(random, order));
    let (mut offsets, mut layouts, mut at) = (Vec::new(), Vec::new(), 0);
    for ty in &shape.params {
        at = u32::next_multiple_of(at, 16);
        let mut layout = None;
        if let CType::Struct(structure) = ty {
            let mut said = structure.layout();
            // What is not aligned more than a word need not say it, and may then be anywhere.
            if said.align <= 4 && said.element.is_none() && random.chance(40) {
                said.align = 1;
                at += random.below(4) as u32;
            }
            layout = Some(said);
        }
        offsets.push(at);
        layouts.push(layout);
        at += ty.bytes();
    }
    let result_offset = at.next_multiple_of(16);
    let indirect = random.chance(25);
    Case { shape, call_conv, returns, args, result, offsets, result_offset, layouts, indirect }
}

/// Compiles functions into an object.
///
/// # Errors
/// A function does not parse or compile.
pub fn object(target: &dyn Target, text: &str) -> Result<Vec<u8>, String> {
    object_with(target, text, &ObjectOptions::default())
}

fn object_with(target: &dyn Target, text: &str, options: &ObjectOptions) -> Result<Vec<u8>, String> {
    let functions = windlass_ir::text::parse_functions(text).map_err(|error| error.to_string())?;
    let (mut module, mut cx) = (Module::default(), Context::default());
    for function in functions {
        let code = target
            .compile(&function, &mut cx)
            .map_err(|error| format!("{}: {error}\n{function}", function.name))?;
        module.add_function(function.name.clone(), code);
    }
    write_object(&module, target.elf(), options).map_err(|error| error.to_string())
}

/// Compiles C, links it with an object and the C library, and gives what the program prints in the emulator.
///
/// # Errors
/// The C compiler or the emulator is missing or fails; nothing is printed.
pub fn build_and_run(
    convention: &Convention,
    target: &dyn Target,
    optimization: &str,
    c: &str,
    object: &[u8],
) -> Result<String, String> {
    let failed = |what: &str, error: &dyn fmt::Display| format!("{}: {what}: {error}", convention.name);
    let folder =
        tempfile::Builder::new().prefix("windlass-abi").tempdir().map_err(|e| failed("folder", &e))?;
    let path = |name: &str| folder.path().join(name);
    let write = |name: &str, bytes: &[u8]| std::fs::write(path(name), bytes).map_err(|e| failed(name, &e));
    write("peer.c", c.as_bytes())?;
    write("windlass.o", object)?;
    let mut compiler = Command::new(convention.compiler);
    compiler.args(convention.flags).args([optimization, "-w", "-static", "-o"]).arg(path("program"));
    compiler.arg(path("peer.c")).arg(path("windlass.o"));
    let missing = format!("{} (of the package {})", convention.compiler, convention.package);
    let built = compiler.output().map_err(|e| failed(&missing, &e))?;
    if !built.status.success() {
        return Err(failed("the C compiler fails", &String::from_utf8_lossy(&built.stderr)));
    }
    run(target, &path("program")).map_err(|e| failed("the emulator", &e))
}

fn run(target: &dyn Target, program: &Path) -> Result<String, String> {
    let emulator = target.emulator();
    let mut command = Command::new(emulator.program);
    command.args(emulator.args).arg(program).stdin(Stdio::null());
    command.current_dir(program.parent().unwrap_or(Path::new(".")));
    let missing = |error| format!("{} (of the package {}): {error}", emulator.program, emulator.package);
    let output = command.output().map_err(missing)?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    if text.is_empty() {
        return Err(format!(
            "nothing printed; {}; {}",
            output.status,
            String::from_utf8_lossy(&output.stderr)
        ));
    }
    Ok(text)
}
