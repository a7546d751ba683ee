//! The run-time library, written in the IR itself.
//!
//! In: a [`Module`] that refers to routines which compiled code calls for what the machine lacks (division,
//! floating-point arithmetic, moving memory). Out: the same module with those of the routines that nobody defines.
//! A program links against the platform's library where there is one, and against this one where there is none: on a
//! bare device, in this process, in tests.
//!
//! The texts are `builtins/*.clif`. Their functions keep to what every target selects from the first day: integers of
//! up to 64 bits without division; floating-point numbers are integers there, bit by bit. `iaddr` stands
//! for the target's type of addresses, `WORD2` for the bytes of two. They have names of their own, `%__windlass_...`, or those of C;
//! [`Target::runtime_names`](crate::Target::runtime_names) says under which names the target's ABI knows them.
//!
//! Cost: one pass over the module's relocations; if anything is missing, one over the texts for the names in them; only
//! the files that hold a wanted routine are parsed.

use crate::compiled::CompiledCode;
use crate::context::Context;
use crate::error::CompileError;
use crate::link::{DataContents, Module, libcall_symbol};
use crate::reloc::Reloc;
use crate::target::Target;
use crate::unwind;
use alloc::borrow::Cow;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::fmt;
use hashbrown::{HashMap, HashSet};
use windlass_ir::text::parse_functions;
use windlass_ir::{ExternalName, Function, LibCall, Opcode, Type, types};

/// The files, each after those that it calls.
static SOURCES: &[&str] = &[
    include_str!("builtins/divide.clif"),
    include_str!("builtins/divide128.clif"),
    include_str!("builtins/memory.clif"),
    include_str!("builtins/f32_add_mul.clif"),
    include_str!("builtins/f32_div_sqrt_fma.clif"),
    include_str!("builtins/f32_compare_round.clif"),
    include_str!("builtins/f32_convert.clif"),
    include_str!("builtins/f64_add_mul.clif"),
    include_str!("builtins/f64_div_sqrt_fma.clif"),
    include_str!("builtins/f64_compare_round.clif"),
    include_str!("builtins/f64_convert.clif"),
    include_str!("builtins/float_names.clif"),
    include_str!("builtins/unwind.clif"),
];

/// How the names begin that no platform's library has.
const OWN_PREFIX: &str = "__windlass_";

/// A text for addresses of this type: `iaddr` is the type, `WORD3` the bytes of three addresses.
fn with_addresses(text: &'static str, address: Type) -> Cow<'static, str> {
    if !text.contains("iaddr") {
        return text.into();
    }
    let mut text = text.replace("iaddr", if address == types::I32 { "i32" } else { "i64" });
    for words in 1..=MAX_WORDS {
        let (name, bytes) = (alloc::format!("WORD{words}"), words * address.bytes());
        if text.contains(&name) {
            text = text.replace(&name, &bytes.to_string());
        }
    }
    text.into()
}

/// The texts name no more addresses at once.
const MAX_WORDS: u32 = 9;

/// The names of a file's functions, in order.
fn function_names(text: &'static str) -> impl Iterator<Item = &'static str> {
    let headers = text.lines().filter_map(|line| line.strip_prefix("function %"));
    headers.filter_map(|rest| rest.split_once('(').map(|(name, _)| name))
}

/// Names under which a target's run-time ABI knows routines of the library: the ABI's name, the library's own. A
/// routine may have several; the first is the one that others of the library call.
pub type RuntimeNames = &'static [(&'static str, &'static str)];

/// A routine could not be added.
#[derive(Clone, Debug)]
pub struct BuiltinError {
    /// The routine.
    pub name: ExternalName,
    /// Why.
    pub error: CompileError,
}

impl fmt::Display for BuiltinError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} of the run-time library: {}", self.name, self.error)
    }
}

impl core::error::Error for BuiltinError {}

/// The files, parsed for a target as they are needed.
struct Library<'t> {
    target: &'t dyn Target,
    parsed: Vec<Option<Vec<Function>>>,
    /// Where routines are, by their own names: the file, and the place there.
    places: HashMap<&'static str, (usize, usize)>,
}

impl<'t> Library<'t> {
    fn new(target: &'t dyn Target) -> Library<'t> {
        let names = SOURCES.iter().map(|text| function_names(text).enumerate());
        let places = names
            .enumerate()
            .flat_map(|(file, names)| names.map(move |(place, name)| (name, (file, place))))
            .collect();
        Library { target, parsed: SOURCES.iter().map(|_| None).collect(), places }
    }

    /// The place of the routine that goes by `symbol` on this target.
    fn find(&self, symbol: &str) -> Option<(usize, usize)> {
        let names = self.target.runtime_names();
        let own = names.iter().find(|(name, _)| *name == symbol).map_or(symbol, |&(_, own)| own);
        self.places.get(own).copied()
    }

    /// What the library calls one of its routines on this target.
    fn name_of(&self, own: &str) -> Option<&'static str> {
        self.target.runtime_names().iter().find(|(_, routine)| *routine == own).map(|&(name, _)| name)
    }

    fn parse(&mut self, file: usize) -> Result<&[Function], CompileError> {
        let slot = &mut self.parsed[file];
        if slot.is_none() {
            let text = with_addresses(SOURCES[file], self.target.address_type());
            let functions = parse_functions(&text).map_err(|error| internal(error.to_string()))?;
            *slot = Some(functions);
        }
        Ok(slot.as_deref().unwrap_or_default())
    }

    /// The routine at this place under the name `symbol`, calling others by the names of the target's ABI.
    fn routine(&mut self, (file, place): (usize, usize), symbol: &str) -> Result<Function, CompileError> {
        let Some(function) = self.parse(file)?.get(place) else {
            return Err(internal(alloc::format!("the file has no function for {symbol}")));
        };
        let mut function = function.clone();
        function.name = ExternalName::symbol(symbol);
        for callee in function.dfg.ext_funcs.values_mut() {
            if let ExternalName::Symbol(name) = &callee.name
                && name.starts_with(OWN_PREFIX)
                && let Some(name) = self.name_of(name)
            {
                callee.name = ExternalName::Symbol(name.into());
            }
        }
        Ok(function)
    }
}

fn internal(what: String) -> CompileError {
    CompileError::Internal { stage: "run-time library", what }
}

/// Every routine of the library under each of its names on `target`, in a fixed order: for interpreters and
/// listings.
///
/// # Errors
/// A bug of ours: a text of the library does not parse.
pub fn library(target: &dyn Target) -> Result<Vec<Function>, BuiltinError> {
    let mut library = Library::new(target);
    let mut functions = Vec::new();
    for (file, text) in SOURCES.iter().enumerate() {
        for (place, own) in function_names(text).enumerate() {
            let aliases = target.runtime_names().iter().filter(|(_, routine)| *routine == own);
            for symbol in aliases.map(|&(name, _)| name).chain([own]) {
                let routine = library.routine((file, place), symbol);
                functions.push(routine.map_err(|error| error_at(symbol, error))?);
            }
        }
    }
    Ok(functions)
}

fn error_at(symbol: &str, error: CompileError) -> BuiltinError {
    BuiltinError { name: ExternalName::symbol(symbol), error }
}

/// Adds to `module` those routines of the library that it refers to, directly or through other routines, and that
/// it does not define; each as a function of the module's own, in the order in which they are first referred to. If one
/// of them throws, the [table](crate::unwind) of all functions that the module has then comes last.
/// Symbols that the library does not have stay undefined.
///
/// # Errors
/// A routine does not compile for the target; the module then has those before it.
pub fn link_missing(module: &mut Module, target: &dyn Target, cx: &mut Context) -> Result<(), BuiltinError> {
    link(module, target, cx, &|_| true)
}

/// Adds what [`link_missing`] adds, but only routines that no platform's library has, those named `__windlass_...`:
/// for an object file that a linker puts together with the platform's library.
///
/// # Errors
/// As [`link_missing`].
pub fn link_own(module: &mut Module, target: &dyn Target, cx: &mut Context) -> Result<(), BuiltinError> {
    link(module, target, cx, &|symbol| symbol.starts_with(OWN_PREFIX))
}

fn link(
    module: &mut Module,
    target: &dyn Target,
    cx: &mut Context,
    wants: &dyn Fn(&str) -> bool,
) -> Result<(), BuiltinError> {
    let mut defined: HashSet<ExternalName> = HashSet::new();
    defined.extend(module.functions().iter().map(|function| function.name.clone()));
    defined.extend(module.data().iter().map(|data| data.name.clone()));
    defined.extend(module.absolute().iter().map(|(name, _)| name.clone()));
    let mut wanted = Vec::new();
    for function in module.functions() {
        want(&function.code.relocs, &mut defined, &mut wanted);
    }
    for data in module.data() {
        if let DataContents::Bytes(_) = data.contents {
            want(&data.relocs, &mut defined, &mut wanted);
        }
    }

    if wanted.is_empty() {
        return Ok(());
    }
    let mut library = Library::new(target);
    let mut next = 0;
    let mut needs_table = false;
    while let Some(symbol) = wanted.get(next).cloned() {
        next += 1;
        if !wants(&symbol) {
            continue;
        }
        if symbol == unwind::TABLE {
            needs_table = true;
            continue;
        }
        let code: CompiledCode = match library.find(&symbol) {
            Some(place) => library
                .routine(place, &symbol)
                .and_then(|function| target.compile(&function, cx))
                .map_err(|error| error_at(&symbol, error))?,
            None => match target.machine_routines().into_iter().find(|(name, _)| *name == symbol) {
                Some((_, code)) => code,
                None => continue,
            },
        };
        want(&code.relocs, &mut defined, &mut wanted);
        module.add_local_function(ExternalName::Symbol(symbol), code);
    }
    if needs_table {
        unwind::add_table(module, target);
    }
    Ok(())
}

/// Adds the names that `relocs` refer to and nobody defines. From then on they count as defined.
fn want(relocs: &[Reloc], defined: &mut HashSet<ExternalName>, wanted: &mut Vec<String>) {
    for reloc in relocs {
        if defined.contains(&reloc.symbol) {
            continue;
        }
        defined.insert(reloc.symbol.clone());
        match &reloc.symbol {
            ExternalName::Symbol(name) => wanted.push(name.clone()),
            // The linker resolves a library routine by its name in C too.
            ExternalName::LibCall(libcall) => want_libcall(*libcall, defined, wanted),
            ExternalName::User { .. } => {}
        }
    }
}

fn want_libcall(libcall: LibCall, defined: &mut HashSet<ExternalName>, wanted: &mut Vec<String>) {
    let symbol = String::from(libcall_symbol(libcall));
    if defined.insert(ExternalName::Symbol(symbol.clone())) {
        wanted.push(symbol);
    }
}

/// The routine of C's library, of the IR or of the library itself that does with floats what a processor does not, and no
/// ABI has a name for.
pub(crate) fn float_routine(opcode: Opcode, result: Type, operand: Type) -> Option<&'static str> {
    use Opcode::*;
    use types::{F32, F64, I128};
    Some(match (opcode, result, operand) {
        (Sqrt, F32, _) => "sqrtf",
        (Sqrt, F64, _) => "sqrt",
        (Fma, F32, _) => "FmaF32",
        (Fma, F64, _) => "FmaF64",
        (Ceil, F32, _) => "CeilF32",
        (Ceil, F64, _) => "CeilF64",
        (Floor, F32, _) => "FloorF32",
        (Floor, F64, _) => "FloorF64",
        (Trunc, F32, _) => "TruncF32",
        (Trunc, F64, _) => "TruncF64",
        (Nearest, F32, _) => "NearestF32",
        (Nearest, F64, _) => "NearestF64",
        (FcvtFromSint, F32, I128) => "__windlass_f32_from_i128",
        (FcvtFromSint, F64, I128) => "__windlass_f64_from_i128",
        (FcvtFromUint, F32, I128) => "__windlass_f32_from_u128",
        (FcvtFromUint, F64, I128) => "__windlass_f64_from_u128",
        (FcvtToSintSat, I128, F32) => "__windlass_f32_to_i128",
        (FcvtToSintSat, I128, F64) => "__windlass_f64_to_i128",
        (FcvtToUintSat, I128, F32) => "__windlass_f32_to_u128",
        (FcvtToUintSat, I128, F64) => "__windlass_f64_to_u128",
        _ => return None,
    })
}

#[cfg(test)]
mod tests;
