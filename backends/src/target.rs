//! What a target is to the rest of Windlass, and the registry of those built in.

use crate::builtins::RuntimeNames;
use crate::compiled::CompiledCode;
use crate::context::Context;
use crate::coverage::RuleSet;
use crate::error::CompileError;
use crate::link::Module;
use crate::link::veneers::Veneer;
use crate::machinst::abi::AbiMachine;
use crate::machinst::compile;
use crate::reloc::RelocKind;
use crate::settings::{SettingError, Settings};
use alloc::boxed::Box;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use target_lexicon::Triple;
use windlass_ir::{Endianness, ExternalName, Function, Type};

/// What a target says of itself: names, settings, and what comes before and after compiled code.
pub trait TargetInfo {
    /// The short name, `armv7hf`.
    fn name(&self) -> &'static str;

    /// The platform.
    fn triple(&self) -> &Triple;

    /// The settings that every target has.
    fn settings(&self) -> &Settings;

    /// The type of addresses.
    fn address_type(&self) -> Type;

    /// The byte order of memory.
    fn endianness(&self) -> Endianness;

    /// One machine instruction from the start of `code`: its length in bytes, and its text. `None` if there are
    /// too few bytes or they are no instruction that the target's table has.
    fn disassemble(&self, code: &[u8]) -> Option<(usize, String)>;

    /// How objects and executables of the target are made.
    fn elf(&self) -> &ElfInfo;

    /// The rules that select its instructions, which all targets of its backend share.
    fn rules(&self) -> Option<&'static RuleSet> {
        None
    }

    /// What runs the target's programs on a machine of another kind.
    fn emulator(&self) -> &Emulator;

    /// The pieces of code that a program without a C library needs.
    fn startup(&self) -> Startup;

    /// Routines of the [run-time library](crate::builtins) that the language has no words for, by name:
    /// `%__windlass_throw` and `%__windlass_throw_in`, see [`unwind`](crate::unwind).
    fn machine_routines(&self) -> Vec<(String, CompiledCode)> {
        Vec::new()
    }

    /// The names that the target's run-time ABI has for routines of the [run-time library](crate::builtins).
    fn runtime_names(&self) -> RuntimeNames {
        &[]
    }
}

/// A machine to compile for, with its settings fixed. Whoever implements [`AbiMachine`] is one.
pub trait Target: TargetInfo + Send + Sync {
    /// Compiles a function: verify, legalize, select, allocate, frame, emit. `cx` is scratch memory that the
    /// next function uses again.
    ///
    /// # Errors
    /// See [`CompileError`]; the function is unchanged.
    fn compile(&self, func: &Function, cx: &mut Context) -> Result<CompiledCode, CompileError>;

    /// Expresses what the target lacks in what it has: the stage of [`compile`](Target::compile) before selection.
    /// `None` if it lacks nothing.
    ///
    /// # Errors
    /// As [`compile`](Target::compile).
    fn legalize(&self, func: &Function, cx: &mut Context) -> Result<Option<Function>, CompileError>;

    /// Prints machine code as it was selected, before registers are allocated, and after.
    ///
    /// # Errors
    /// As [`compile`](Target::compile).
    fn print_vcode(
        &self,
        func: &Function,
        stage: VCodeStage,
        cx: &mut Context,
    ) -> Result<String, CompileError>;
}

impl<M: AbiMachine + Send + Sync> Target for M {
    fn compile(&self, func: &Function, cx: &mut Context) -> Result<CompiledCode, CompileError> {
        compile::compile(self, func, cx)
    }
    fn legalize(&self, func: &Function, cx: &mut Context) -> Result<Option<Function>, CompileError> {
        Ok(compile::legalized(self, func, cx)?.map(|(legal, _)| legal))
    }
    fn print_vcode(
        &self,
        func: &Function,
        stage: VCodeStage,
        cx: &mut Context,
    ) -> Result<String, CompileError> {
        compile::print_vcode(self, func, stage, cx)
    }
}

/// A stage of machine code to look at.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum VCodeStage {
    /// After selection, in virtual registers.
    Selected,
    /// After register allocation, with moves.
    Allocated,
}

/// What ELF files need to know.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct ElfInfo {
    /// `e_machine`.
    pub machine: u16,
    /// `e_flags`.
    pub flags: u32,
    /// Addresses have 64 bits.
    pub is_64: bool,
    /// Addends stand in the relocation records (RELA), not in the places (REL).
    pub has_addends: bool,
    /// Where executables are loaded.
    pub base_address: u64,
    /// Page size that segments are aligned to, in bytes.
    pub page_size: u64,
    /// Byte order of the file.
    pub endianness: Endianness,
    /// What the symbols of functions stand for.
    pub functions: FunctionSymbols,
    /// Where a thread's data are.
    pub threads: ThreadLayout,
    /// The relocation that puts a symbol's address into data, address-sized: tables of functions.
    pub address_reloc: RelocKind,
    /// The same of a function's code, where that is not what its symbol stands for.
    pub code_address_reloc: RelocKind,
    /// The mapping symbol where code starts, in ABIs that tell code from data in code by them: `$a`.
    pub code_mapping_symbol: Option<&'static str>,
    /// The mapping symbol where data starts in code: `$d`.
    pub data_mapping_symbol: Option<&'static str>,
    /// What objects promise and ask of the objects that they are linked with.
    pub attributes: Option<ElfAttributes>,
    /// What the linker puts between functions for branches that do not reach.
    pub veneer: Option<Veneer>,
}

/// What the symbol of a function stands for, and whether code finds the addresses of data in a table of contents.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum FunctionSymbols {
    /// Its first instruction.
    #[default]
    Code,
    /// Its first instruction, which callers in the same module skip ([`CompiledCode::local_entry`]): 64-bit ELF V2 ABI
    /// of the Power architecture, 2.3.2.1.
    TwoEntries,
    /// Its descriptor, three doublewords: the address of the code, the base of the table of contents, and one that is
    /// not used: the first 64-bit ELF ABI of the architecture, 3.2.5.
    Descriptors {
        /// The relocation that puts the base of the table of contents into a descriptor.
        toc_reloc: u32,
    },
}

/// Where the data of a thread are: behind a header, as far as their alignment says.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct ThreadLayout {
    /// Bytes of a word: an address.
    pub word_bytes: u8,
    /// Bytes of the header.
    pub header_bytes: u8,
    /// From the header to what the thread pointer points at, in bytes.
    pub pointer_bias: u16,
}

impl FunctionSymbols {
    /// Bytes of a function's descriptor.
    pub const DESCRIPTOR_BYTES: u64 = 24;

    /// Is there a table of contents, whose base a register has?
    pub const fn has_toc(self) -> bool {
        !matches!(self, FunctionSymbols::Code)
    }

    /// Do functions have descriptors?
    pub const fn has_descriptors(self) -> bool {
        matches!(self, FunctionSymbols::Descriptors { .. })
    }
}

/// A section of attributes: architecture, floating point and calling convention of an object.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct ElfAttributes {
    /// The section's name, `.ARM.attributes`.
    pub section: &'static str,
    /// `sh_type`.
    pub section_type: u32,
    /// Its contents.
    pub bytes: &'static [u8],
}

/// A user-mode emulator.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Emulator {
    /// The program.
    pub program: &'static str,
    /// Its arguments before the emulated program: the oldest CPU that the target claims.
    pub args: &'static [&'static str],
    /// The Debian package that has it.
    pub package: &'static str,
}

/// Code for programs that run on a bare kernel. Each is a function under a name.
///
/// - `_start`: calls `%__windlass_main` with the initial stack pointer as argument, exits with its result.
/// - `%__windlass_syscall(number, a, b, c, d, e, f) -> result`: a system call, addresses and numbers address-sized,
///   in the C convention.
/// - `%__windlass_protect(function, argument, record) -> i32`: calls `function(argument)` in the C convention and
///   returns 0, unless `%__windlass_recover` is entered meanwhile: then it returns 1. `record` is room for
///   [`Startup::record_bytes`] bytes.
/// - `%__windlass_recover`: not callable; a signal handler makes it the place where execution goes on, with the
///   record's address in the first argument register.
pub struct Startup {
    /// Name and code.
    pub functions: Vec<(String, CompiledCode)>,
    /// What programs with thread-local data need besides. The first is where they start: it fills the data of the first
    /// thread, sets the thread pointer, and goes on at `_start` with the stack as it found it. None if the target
    /// has no thread-local data.
    pub threads: Vec<(String, CompiledCode)>,
    /// Size of what `__windlass_protect` saves.
    pub record_bytes: u32,
    /// Signals: where the handler finds and changes the interrupted state.
    pub signal: SignalLayout,
}

impl Startup {
    /// Adds the functions that a program with the data of `module` needs.
    pub fn add_to(self, module: &mut Module) {
        let threads = if module.has_thread_locals() { self.threads } else { Vec::new() };
        for (name, code) in self.functions.into_iter().chain(threads) {
            module.add_function(ExternalName::Symbol(name), code);
        }
    }

    /// The function that a program with the data of `module` starts with.
    pub fn entry(&self, module: &Module) -> ExternalName {
        match self.threads.first() {
            Some((name, _)) if module.has_thread_locals() => ExternalName::symbol(name),
            _ => ExternalName::symbol("_start"),
        }
    }
}

/// Offsets in the kernel's structures, in bytes, and numbers of system calls.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct SignalLayout {
    /// Program counter in `ucontext_t`.
    pub pc: u32,
    /// The first argument register in `ucontext_t`.
    pub arg0: u32,
    /// Number of `write`.
    pub sys_write: u32,
    /// Number of `exit_group`.
    pub sys_exit_group: u32,
    /// Number of `rt_sigaction`.
    pub sys_rt_sigaction: u32,
    /// Number of `sigaltstack`.
    pub sys_sigaltstack: u32,
    /// Number of `rt_sigprocmask`.
    pub sys_rt_sigprocmask: u32,
}

/// Makes a target: a name or triple, then settings, then [`build`](TargetBuilder::build).
pub trait TargetBuilder {
    /// Sets a setting or a feature of the target. A feature without a value is switched on.
    ///
    /// # Errors
    /// No such setting, or no such value.
    fn set(&mut self, name: &str, value: Option<&str>) -> Result<(), SettingError>;

    /// What there is to choose from besides the settings that every target has.
    fn choices(&self) -> Choices;

    /// The target.
    ///
    /// # Errors
    /// Settings that do not go together.
    fn build(self: Box<Self>) -> Result<Box<dyn Target>, SettingError>;
}

/// What a target's own settings are, for those who try them all.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Choices {
    /// Features that it does not have by itself. Some need an emulator that has them.
    pub features: Vec<&'static str>,
    /// Booleans of its own.
    pub switches: Vec<&'static str>,
    /// Registers that `reserved_regs` takes.
    pub reservable: Vec<&'static str>,
}

/// A row of the registry.
#[derive(Clone, Copy)]
pub struct TargetEntry {
    /// The short name.
    pub name: &'static str,
    /// The triple that the name stands for.
    pub triple: &'static str,
    /// What it is, in one line.
    pub doc: &'static str,
    /// Starts a builder.
    pub builder: fn() -> Box<dyn TargetBuilder>,
}

/// The targets built in.
pub static TARGETS: &[TargetEntry] = &ALL_TARGETS;

macro_rules! targets_of {
    ($($backend:ident)*) => { &[$(crate::$backend::TARGETS),*] };
}

/// The targets of each backend.
const BACKENDS: &[&[TargetEntry]] = for_each_backend!(targets_of);

static ALL_TARGETS: [TargetEntry; count(BACKENDS)] = all(BACKENDS);

const fn count(lists: &[&[TargetEntry]]) -> usize {
    let (mut sum, mut n) = (0, 0);
    while n < lists.len() {
        sum += lists[n].len();
        n += 1;
    }
    sum
}

/// The entries of the lists in one list, which has their number.
const fn all<const N: usize>(lists: &[&[TargetEntry]]) -> [TargetEntry; N] {
    let mut all = [lists[0][0]; N];
    let (mut at, mut list) = (0, 0);
    while list < lists.len() {
        let mut n = 0;
        while n < lists[list].len() {
            all[at] = lists[list][n];
            at += 1;
            n += 1;
        }
        list += 1;
    }
    all
}

/// A builder for the target with this short name or triple.
///
/// # Errors
/// No target built in has it; the message lists those that there are.
pub fn lookup(name: &str) -> Result<Box<dyn TargetBuilder>, SettingError> {
    let entry = TARGETS.iter().find(|entry| entry.name == name || entry.triple == name);
    match entry {
        Some(entry) => Ok((entry.builder)()),
        None => {
            let names: Vec<_> = TARGETS.iter().map(|entry| entry.name).collect();
            Err(SettingError(format!("unknown target '{name}'; there are: {}", names.join(", "))))
        }
    }
}
