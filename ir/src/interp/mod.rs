//! The interpreter: the oracle that defines what the language means.
//!
//! A [`Program`] is functions, linked by name and decoded for a [`Machine`] (address type and byte order). An
//! [`Interpreter`] is one thread of that machine: memory, registers, options. [`Interpreter::run`] calls a function
//! and tells how that ended.
//!
//! # The machine
//!
//! - Integers wrap; every operation is exact to the bit at every type from `i8` to `i128`, `f32` and `f64`.
//!   `f16`, `f128` and vectors are refused by name when an instruction of theirs is reached.
//! - Float arithmetic is IEEE 754's, rounded to nearest, ties to even. Where it gives a NaN, that is the positive
//!   quiet NaN without payload (`0x7fc00000`, `0x7ff8000000000000`); the language allows any quiet NaN, so a
//!   comparison with machine code must treat such results alike. Moves of all kinds keep a NaN's bits.
//! - Addresses are `i32` or `i64` as the machine says and wrap at their width. The [`Memory`] is flat: a stack, a
//!   data region for symbols and the host's allocations, and nothing else. An access outside traps with the code of
//!   its flags (`heap_oob` when they name none); if its flags are `notrap`, the program has broken its promise and
//!   the run ends with [`ErrorKind::Fault`]. So does a misaligned access that is marked `aligned`, or an atomic one,
//!   with [`ErrorKind::Misaligned`], unless [`Config::check_alignment`] is off.
//! - Functions have fake addresses that `call_indirect` understands; the callee's types and convention are compared.
//! - Stack slots start out filled with [`Config::stack_fill`]. Each frame takes two addresses plus its slots, at
//!   least 32 bytes; beyond [`Config::max_stack_bytes`] the call traps with `stk_ovf`, as it does where the
//!   function's `stack_limit` says so. Tail calls take no stack. The frame pointer points at two words, the caller's
//!   frame pointer and the return address.
//! - There is one thread: atomics are plain accesses, fences nothing.
//! - Exceptions come from the host's functions. They leave the frames that do not handle them and go to the first
//!   handler that fits of the innermost `try_call` that has one.
//! - Fuel counts IR instructions, a block at a time as it is entered.
//!
//! # Example
//!
//! ```
//! use windlass_ir::interp::{Config, Interpreter, Machine, Outcome, Program};
//! use windlass_ir::{DataValue, ExternalName, Function};
//!
//! fn call_main(functions: &[Function]) -> Outcome {
//!     let program = match Program::new(functions, Machine::LE32) {
//!         Ok(program) => program,
//!         Err(error) => panic!("{error}"),
//!     };
//!     let mut interpreter = Interpreter::new(&program, Config::default());
//!     interpreter.run(&ExternalName::symbol("main"), &[DataValue::I32(1)])
//! }
//! # assert!(matches!(call_main(&[]), Outcome::Error(_)));
//! ```

mod call;
mod decode;
mod exec;
mod float;
mod int;
mod memory;
mod op;
mod program;
mod slots;

#[cfg(test)]
mod tests;

pub use memory::{Memory, OutOfBounds};
pub use program::{FuncId, Program};

use crate::data_value::DataValue;
use crate::entities::Inst;
use crate::extname::ExternalName;
use crate::function::Function;
use crate::memflags::Endianness;
use crate::opcode::Opcode;
use crate::trapcode::TrapCode;
use crate::types::{self, Type};
use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;

/// What a program is decoded for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Machine {
    /// The type of addresses: `i32` or `i64`.
    pub address_type: Type,
    /// The byte order of accesses that do not name one.
    pub endianness: Endianness,
}

impl Machine {
    /// 32-bit addresses, little-endian.
    pub const LE32: Machine = Machine { address_type: types::I32, endianness: Endianness::Little };
    /// 32-bit addresses, big-endian.
    pub const BE32: Machine = Machine { address_type: types::I32, endianness: Endianness::Big };
    /// 64-bit addresses, little-endian.
    pub const LE64: Machine = Machine { address_type: types::I64, endianness: Endianness::Little };
    /// 64-bit addresses, big-endian.
    pub const BE64: Machine = Machine { address_type: types::I64, endianness: Endianness::Big };

    /// The machine with the addresses that `functions` use. `None` if they use none, so that any will do; if they
    /// use both kinds, the first decides, and the others fail when they run.
    pub fn of<'f>(
        functions: impl IntoIterator<Item = &'f Function>,
        endianness: Endianness,
    ) -> Option<Machine> {
        let address_type = functions.into_iter().find_map(program::address_type)?;
        Some(Machine { address_type, endianness })
    }
}

/// How an [`Interpreter`] runs.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Config {
    /// Most IR instructions that a run may take; `None` is no limit.
    pub fuel: Option<u64>,
    /// Size of the guest's stack, and bound on the interpreter's own registers; at most [`Memory::MAX_STACK_BYTES`].
    pub max_stack_bytes: u64,
    /// What stack slots hold at first, in every byte.
    pub stack_fill: u8,
    /// Misaligned accesses that are marked `aligned` are errors.
    pub check_alignment: bool,
    /// `debugtrap` ends the run with [`Outcome::Debugtrap`]; otherwise it does nothing.
    pub stop_at_debugtrap: bool,
}

impl Default for Config {
    fn default() -> Config {
        Config {
            fuel: None,
            max_stack_bytes: 64 << 20,
            stack_fill: 0,
            check_alignment: true,
            stop_at_debugtrap: false,
        }
    }
}

/// A place in a program.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Location {
    /// The function.
    pub func: ExternalName,
    /// The instruction; `None` before the outermost function's first.
    pub inst: Option<Inst>,
}

impl fmt::Display for Location {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.inst {
            Some(inst) => write!(f, "{} in {}", inst, self.func),
            None => write!(f, "entry of {}", self.func),
        }
    }
}

/// How a run ended.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Outcome {
    /// The function returned.
    Return(Vec<DataValue>),
    /// It trapped.
    Trap {
        /// Why.
        code: TrapCode,
        /// Where. A stack that is used up, or below its limit, traps at the call.
        at: Location,
    },
    /// An exception left the outermost function.
    Throw(Exception),
    /// It took more instructions than it may.
    OutOfFuel,
    /// It came to `debugtrap`.
    Debugtrap(Location),
    /// It has no meaning, or the interpreter does not do something in it.
    Error(InterpError),
}

/// An exception.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Exception {
    /// Handlers with this tag fit.
    pub tag: u32,
    /// Tagged handlers that stand under another dynamic context do not fit; `None` fits under any.
    pub context: Option<u64>,
    /// What handlers get as `exn0` and `exn1`, cut to the width of an address.
    pub payload: [u64; 2],
}

/// Why a run has no result.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct InterpError {
    /// Where.
    pub at: Location,
    /// What is wrong.
    pub kind: ErrorKind,
}

/// What is wrong with a run.
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum ErrorKind {
    /// The interpreter does not do this opcode at this type.
    Unsupported {
        /// The opcode.
        opcode: Opcode,
        /// The type.
        ty: Type,
    },
    /// The verifier would have refused the function.
    Malformed(String),
    /// Neither the program nor the host knows the function.
    UndefinedFunction(ExternalName),
    /// Nobody defined the symbol.
    UndefinedSymbol(ExternalName),
    /// A library routine that the interpreter does not have.
    UnsupportedLibcall(ExternalName),
    /// Caller and callee disagree on types or convention.
    SignatureMismatch(ExternalName),
    /// An indirect call of something else than a function.
    NotAFunction {
        /// The address that was called.
        address: u64,
    },
    /// [`Interpreter::run`] was given arguments of other types than the parameters.
    Arguments(ExternalName),
    /// An access that is marked `notrap` to memory that is not mapped.
    Fault {
        /// Where it starts.
        address: u64,
        /// How many bytes it wants.
        size: u64,
    },
    /// A misaligned access that is atomic or marked `aligned`.
    Misaligned {
        /// Where it starts.
        address: u64,
        /// How many bytes it wants.
        size: u64,
    },
    /// The host's function failed, with its words.
    Host(String),
}

impl fmt::Display for ErrorKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ErrorKind::Unsupported { opcode, ty } => {
                write!(f, "the interpreter does not do {opcode} on {ty}")
            }
            ErrorKind::Malformed(message) => write!(f, "malformed: {message}"),
            ErrorKind::UndefinedFunction(name) => write!(f, "{name} is called, but nobody defines it"),
            ErrorKind::UndefinedSymbol(name) => write!(f, "{name} is referred to, but nobody defines it"),
            ErrorKind::UnsupportedLibcall(name) => {
                write!(f, "the interpreter does not have the routine {name}")
            }
            ErrorKind::SignatureMismatch(name) => {
                write!(f, "{name} is called with another signature than it has")
            }
            ErrorKind::NotAFunction { address } => write!(f, "a call of {address:#x}, where no function is"),
            ErrorKind::Arguments(name) => write!(f, "{name} takes other arguments"),
            ErrorKind::Fault { address, size } => {
                write!(f, "access of {size} bytes at {address:#x} is marked notrap, but is not mapped")
            }
            ErrorKind::Misaligned { address, size } => {
                write!(f, "misaligned access of {size} bytes at {address:#x} is marked aligned or atomic")
            }
            ErrorKind::Host(message) => f.write_str(message),
        }
    }
}

impl fmt::Display for InterpError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.at, self.kind)
    }
}

impl core::error::Error for InterpError {}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Outcome::Return(values) => write!(f, "returned {values:?}"),
            Outcome::Trap { code, at } => write!(f, "trap {code} at {at}"),
            Outcome::Throw(exception) => write!(f, "uncaught exception with tag {}", exception.tag),
            Outcome::OutOfFuel => f.write_str("out of fuel"),
            Outcome::Debugtrap(at) => write!(f, "debugtrap at {at}"),
            Outcome::Error(error) => error.fmt(f),
        }
    }
}

/// Why functions do not make a program.
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum ProgramError {
    /// Two functions have this name.
    DefinedTwice(ExternalName),
    /// More functions than have addresses.
    TooManyFunctions(usize),
    /// Addresses cannot have this type.
    AddressType(Type),
}

impl fmt::Display for ProgramError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ProgramError::DefinedTwice(name) => write!(f, "{name} is defined twice"),
            ProgramError::TooManyFunctions(n) => write!(f, "{n} functions are more than have addresses"),
            ProgramError::AddressType(ty) => write!(f, "addresses are i32 or i64, not {ty}"),
        }
    }
}

impl core::error::Error for ProgramError {}

/// What a host's function did.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum HostResult {
    /// It returned these, which must have the types that the caller expects.
    Return(Vec<DataValue>),
    /// It trapped.
    Trap(TrapCode),
    /// It threw.
    Throw(Exception),
    /// The host has no such function.
    Unknown,
    /// It failed, with a message.
    Error(String),
}

/// Functions that the program calls but does not define.
pub trait HostFunctions {
    /// Calls `name`. `args` have the types of the caller's signature.
    fn call(&mut self, name: &ExternalName, args: &[DataValue], memory: &mut Memory) -> HostResult;
}

impl<F> HostFunctions for F
where
    F: FnMut(&ExternalName, &[DataValue], &mut Memory) -> HostResult,
{
    fn call(&mut self, name: &ExternalName, args: &[DataValue], memory: &mut Memory) -> HostResult {
        self(name, args, memory)
    }
}

/// A host without functions.
#[derive(Clone, Copy, Debug, Default)]
pub struct NoHost;

impl HostFunctions for NoHost {
    fn call(&mut self, _: &ExternalName, _: &[DataValue], _: &mut Memory) -> HostResult {
        HostResult::Unknown
    }
}

/// One thread of a [`Machine`] with a [`Program`].
#[derive(Clone, Debug)]
pub struct Interpreter<'p> {
    program: &'p Program,
    config: Config,
    memory: Memory,
    /// Slots of all frames. Frames that were left keep their content until others need the room.
    slots: Vec<u64>,
    frames: Vec<Frame>,
    /// Addresses of the program's symbols, once defined.
    symbols: Vec<Option<u64>>,
    pinned: u64,
    executed: u64,
    /// Words of a tail call's arguments on their way, and of the outermost function's results.
    buffer: Vec<u64>,
}

/// A caller, to go on with when its callee returns.
#[derive(Clone, Copy, Debug)]
struct Frame {
    func: u32,
    /// In the code of `func`.
    pc: u32,
    site: u32,
    /// First of its slots.
    base: usize,
    /// Its stack pointer.
    sp: u64,
    /// The stack pointer at the call: below it are structures passed by value.
    call_sp: u64,
}

impl<'p> Interpreter<'p> {
    /// A fresh machine.
    pub fn new(program: &'p Program, config: Config) -> Interpreter<'p> {
        let machine = program.machine;
        Interpreter {
            program,
            config,
            memory: Memory::new(machine.address_type, machine.endianness, config.max_stack_bytes),
            slots: Vec::new(),
            frames: Vec::new(),
            symbols: alloc::vec![None; program.symbols.len()],
            pinned: 0,
            executed: 0,
            buffer: Vec::new(),
        }
    }

    /// The program.
    pub fn program(&self) -> &'p Program {
        self.program
    }

    /// The options.
    pub fn config(&self) -> Config {
        self.config
    }

    /// Sets the fuel of later runs.
    pub fn set_fuel(&mut self, fuel: Option<u64>) {
        self.config.fuel = fuel;
    }

    /// The memory.
    pub fn memory(&self) -> &Memory {
        &self.memory
    }

    /// The memory, to be changed.
    pub fn memory_mut(&mut self) -> &mut Memory {
        &mut self.memory
    }

    /// Adds a symbol with its content to the data region; symbols of threads are no different. Gives its address;
    /// `None` if the region is full or `align` no power of two. A symbol that is defined again moves.
    pub fn define_data(&mut self, name: &ExternalName, bytes: &[u8], align: u64) -> Option<u64> {
        let address = self.memory.alloc(bytes.len() as u64, align)?;
        self.memory.write(address, bytes).ok()?;
        self.define_symbol(name, address);
        Some(address)
    }

    /// Makes a symbol stand for an address. One that the program does not refer to is ignored.
    pub fn define_symbol(&mut self, name: &ExternalName, address: u64) {
        let symbols = self.program.symbols.iter().zip(&mut self.symbols);
        for (_, known) in symbols.filter(|(symbol, _)| *symbol == name) {
            *known = Some(address);
        }
    }

    /// The pinned register.
    pub fn pinned_reg(&self) -> u64 {
        self.pinned
    }

    /// Writes the pinned register.
    pub fn set_pinned_reg(&mut self, n: u64) {
        self.pinned = n & self.address_mask();
    }

    /// IR instructions that the last run took, by whole blocks.
    pub fn executed(&self) -> u64 {
        self.executed
    }

    fn address_mask(&self) -> u64 {
        if self.program.machine.address_type == types::I32 { u32::MAX.into() } else { u64::MAX }
    }

    /// Calls the function `name` with `args`, without a host.
    pub fn run(&mut self, name: &ExternalName, args: &[DataValue]) -> Outcome {
        self.run_with(&mut NoHost, name, args)
    }

    /// Calls the function `name` with `args`. Calls that the program does not resolve go to `host`.
    pub fn run_with(
        &mut self,
        host: &mut dyn HostFunctions,
        name: &ExternalName,
        args: &[DataValue],
    ) -> Outcome {
        match self.program.find(name) {
            Some(func) => self.run_function(host, func, args),
            None => Outcome::Error(InterpError {
                at: Location { func: name.clone(), inst: None },
                kind: ErrorKind::UndefinedFunction(name.clone()),
            }),
        }
    }

    /// Calls `func`, a function of this interpreter's program.
    pub fn run_function(
        &mut self,
        host: &mut dyn HostFunctions,
        func: FuncId,
        args: &[DataValue],
    ) -> Outcome {
        let program = self.program;
        let (params, returns) = (program.params(func), program.returns(func));
        let fit = args.len() == params.len() && args.iter().zip(params).all(|(arg, &ty)| arg.ty() == ty);
        if !fit {
            return Outcome::Error(InterpError {
                at: Location { func: program.name(func).clone(), inst: None },
                kind: ErrorKind::Arguments(program.name(func).clone()),
            });
        }
        self.frames.clear();
        self.buffer.clear();
        call::push_words(args, &mut self.buffer);
        match self.execute(host, func.0) {
            Ok(()) => Outcome::Return(call::values(&mut self.buffer.iter().copied(), returns)),
            Err((stop, at)) => match stop {
                Stop::Trap(code) => Outcome::Trap { code, at },
                Stop::Throw(exception) => Outcome::Throw(exception),
                Stop::OutOfFuel => Outcome::OutOfFuel,
                Stop::Debugtrap => Outcome::Debugtrap(at),
                Stop::Error(kind) => Outcome::Error(InterpError { at, kind }),
            },
        }
    }
}

/// What ends a run before its return.
#[derive(Debug)]
enum Stop {
    Trap(TrapCode),
    Throw(Exception),
    OutOfFuel,
    Debugtrap,
    Error(ErrorKind),
}

impl From<ErrorKind> for Stop {
    fn from(kind: ErrorKind) -> Stop {
        Stop::Error(kind)
    }
}
