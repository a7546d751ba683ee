//! The driver: what runs in the guest around the calls.
//!
//! Data, all words address-sized:
//!
//! | symbol | what |
//! |---|---|
//! | `%__windlass_calls` | for each call: trampoline, function, arguments, size of its record in bytes |
//! | `%__windlass_args` | the arguments, 16 bytes each |
//! | `%__windlass_range` | number of the first call to run; address of its entry; end of the table |
//! | `%__windlass_out` | the record being made, see [`record`](super::record) |
//! | `%__windlass_record` | what `%__windlass_protect` saves |
//! | `%__windlass_action` | `struct sigaction` of the kernel: handler, flags, restorer, 64 bits of mask |
//! | `%__windlass_stack` | `stack_t` of the kernel: address, flags, size |
//!
//! The code keeps to the integer core of the language, `i32` and addresses, so that a target runs it early in
//! its life.

use super::GuestCall;
use super::record::{HEADER_BYTES, SLOT_BYTES, STARTED};
use windlass::Target;
use windlass::link::{DataContents, DataDef, Linkage, Module};
use windlass::reloc::{Reloc, RelocKind};
use windlass_ir::{Endianness, ExternalName, Signature};

/// Words of an entry of the table.
const ENTRY_WORDS: u32 = 4;

/// Signals that a call may raise: SIGILL, SIGTRAP, SIGBUS, SIGFPE, SIGSEGV.
const SIGNALS: [u32; 5] = [4, 5, 7, 8, 11];

/// `SA_SIGINFO | SA_ONSTACK | SA_NODEFER`: the handler wants the interrupted state, runs on its own stack in case the
/// call used up the other, and never returns to the call, so the signal must not stay blocked.
const ACTION_FLAGS: u64 = 0x4 | 0x0800_0000 | 0x4000_0000;

/// Bytes of the handler's stack: the frame of a signal takes a few KiB with vector registers.
const SIGNAL_STACK_BYTES: u64 = 64 * 1024;

fn symbol(name: &str) -> ExternalName {
    ExternalName::Symbol(format!("__windlass_{name}"))
}

/// Bytes made of address-sized words and addresses of symbols.
struct Words {
    bytes: Vec<u8>,
    relocs: Vec<Reloc>,
    size: usize,
    endianness: Endianness,
    address: RelocKind,
}

impl Words {
    fn new(target: &dyn Target) -> Words {
        Words {
            bytes: Vec::new(),
            relocs: Vec::new(),
            size: target.address_type().bytes() as usize,
            endianness: target.endianness(),
            address: target.elf().address_reloc,
        }
    }

    fn number(&mut self, value: u64) {
        match self.endianness {
            Endianness::Little => self.bytes.extend_from_slice(&value.to_le_bytes()[..self.size]),
            Endianness::Big => self.bytes.extend_from_slice(&value.to_be_bytes()[8 - self.size..]),
        }
    }

    fn address(&mut self, symbol: ExternalName, addend: i64) {
        let offset = self.bytes.len() as u32;
        self.relocs.push(Reloc { offset, kind: self.address, symbol, addend });
        self.number(0);
    }

    fn into_data(self, name: &str) -> DataDef {
        DataDef {
            name: symbol(name),
            contents: DataContents::Bytes(self.bytes),
            alignment: 16,
            thread_local: false,
            writable: false,
            relocs: self.relocs,
            linkage: Linkage::Local,
        }
    }
}

/// The calls as the driver reads them.
pub(super) struct CallTable<'a> {
    target: &'a dyn Target,
    entries: Words,
    args: Vec<u8>,
    calls: usize,
    /// The largest record, in bytes.
    out_bytes: u64,
}

impl<'a> CallTable<'a> {
    pub(super) fn new(target: &'a dyn Target) -> CallTable<'a> {
        let out_bytes = HEADER_BYTES as u64;
        CallTable { target, entries: Words::new(target), args: Vec::new(), calls: 0, out_bytes }
    }

    /// Adds a call through the trampoline of its signature. The arguments fit the signature.
    pub(super) fn push(&mut self, trampoline: &ExternalName, call: &GuestCall<'_>) {
        let record = (HEADER_BYTES + SLOT_BYTES * call.signature.returns.len()) as u64;
        self.out_bytes = self.out_bytes.max(record);
        self.entries.address(trampoline.clone(), 0);
        self.entries.address(call.function.clone(), 0);
        self.entries.address(symbol("args"), self.args.len() as i64);
        self.entries.number(record);
        for arg in call.args {
            let mut slot = [0; SLOT_BYTES];
            arg.write(&mut slot, self.target.endianness());
            self.args.extend_from_slice(&slot);
        }
        self.calls += 1;
    }

    fn entry_bytes(&self) -> usize {
        ENTRY_WORDS as usize * self.entries.size
    }

    /// Adds everything but the range to a module.
    pub(super) fn add_to(&mut self, module: &mut Module) {
        let target = self.target;
        let entries = std::mem::replace(&mut self.entries, Words::new(target));
        module.add_data(entries.into_data("calls"));
        let args = Words { bytes: std::mem::take(&mut self.args), ..Words::new(target) };
        module.add_data(args.into_data("args"));
        module.add_data(DataDef::zeros(symbol("out"), self.out_bytes, 16));
        module.add_data(DataDef::zeros(symbol("record"), target.startup().record_bytes.into(), 16));

        let mut action = Words::new(target);
        action.address(symbol("signal"), 0);
        action.number(ACTION_FLAGS);
        action.number(0);
        action.bytes.extend_from_slice(&[0; 8]);
        module.add_data(action.into_data("action"));

        let mut stack = Words::new(target);
        stack.address(symbol("stack_room"), 0);
        // An `int`, padded to a word.
        stack.number(0);
        stack.number(SIGNAL_STACK_BYTES);
        module.add_data(stack.into_data("stack"));
        module.add_data(DataDef::zeros(symbol("stack_room"), SIGNAL_STACK_BYTES, 16));
    }

    /// The datum that makes the driver start with call number `first`.
    pub(super) fn range_from(&self, first: usize) -> DataDef {
        let mut range = Words::new(self.target);
        range.number(first as u64);
        range.address(symbol("calls"), (first * self.entry_bytes()) as i64);
        range.address(symbol("calls"), (self.calls * self.entry_bytes()) as i64);
        range.into_data("range")
    }
}

/// `%__windlass_main`, and the handler of signals.
pub(super) fn main_text(target: &dyn Target) -> String {
    let startup = target.startup();
    let signal = startup.signal;
    let ptr = target.address_type();
    let word = ptr.bytes();
    let (word2, word3) = (2 * word, 3 * word);
    let entry = ENTRY_WORDS * word;
    let (write, action, stack) = (signal.sys_write, signal.sys_rt_sigaction, signal.sys_sigaltstack);
    let (pc, arg0) = (signal.pc, signal.arg0);
    // Execution goes on at code, not at a descriptor of it.
    let recover = if target.elf().functions.has_descriptors() {
        format!("v5 = load.{ptr} notrap aligned v10")
    } else {
        "v5 -> v10".to_owned()
    };
    // The signal's number as a word.
    let widen = if word == 4 { "v9 = iadd v0, v8" } else { "v7 = uextend.i64 v0\n    v9 = iadd v7, v8" };
    let install: String = SIGNALS
        .iter()
        .enumerate()
        .map(|(i, number)| {
            let (n, call) = (100 + 2 * i, 101 + 2 * i);
            format!(
                "    v{n} = iconst.{ptr} {number}\n    v{call} = call fn0(v8, v{n}, v9, v1, v10, v1, v1)\n"
            )
        })
        .collect();
    format!(
        "\
function %__windlass_main({ptr}) -> i32 system_v {{
    gv0 = symbol colocated %__windlass_range
    gv1 = symbol colocated %__windlass_out
    gv2 = symbol colocated %__windlass_record
    gv3 = symbol colocated %__windlass_action
    gv4 = symbol colocated %__windlass_stack
    sig0 = ({ptr}, {ptr}, {ptr}, {ptr}, {ptr}, {ptr}, {ptr}) -> {ptr} system_v
    sig1 = ({ptr}, {ptr}, {ptr}) -> i32 system_v
    sig2 = ({ptr}, {ptr}) -> i32 system_v
    fn0 = colocated %__windlass_syscall sig0
    fn1 = colocated %__windlass_protect sig1
    fn2 = colocated %__windlass_write sig2

block0(v0: {ptr}):
    v1 = iconst.{ptr} 0
    v2 = symbol_value.{ptr} gv4
    v3 = iconst.{ptr} {stack}
    v4 = call fn0(v3, v2, v1, v1, v1, v1, v1)
    v8 = iconst.{ptr} {action}
    v9 = symbol_value.{ptr} gv3
    v10 = iconst.{ptr} 8
{install}
    v20 = symbol_value.{ptr} gv1
    v21 = iconst.{ptr} {STARTED}
    v22 = iconst.{ptr} {HEADER_BYTES}
    store notrap aligned v21, v20
    v23 = call fn2(v20, v22)
    v24 = symbol_value.{ptr} gv0
    v25 = load.{ptr} notrap aligned v24
    v26 = load.{ptr} notrap aligned v24+{word}
    brif v23, block6, block1(v25, v26)

block1(v30: {ptr}, v31: {ptr}):
    v32 = symbol_value.{ptr} gv0
    v33 = load.{ptr} notrap aligned v32+{word2}
    v34 = icmp eq v31, v33
    brif v34, block7, block2

block2:
    v40 = symbol_value.{ptr} gv1
    store notrap aligned v30, v40
    v41 = load.{ptr} notrap aligned v31
    v42 = symbol_value.{ptr} gv2
    v43 = call fn1(v41, v31, v42)
    brif v43, block4, block3

block3:
    v50 = iconst.{ptr} 0
    v51 = symbol_value.{ptr} gv1
    store notrap aligned v50, v51+{word}
    store notrap aligned v50, v51+{word2}
    v52 = load.{ptr} notrap aligned v31+{word3}
    jump block5(v52)

block4:
    v60 = iconst.{ptr} {HEADER_BYTES}
    jump block5(v60)

block5(v70: {ptr}):
    v71 = symbol_value.{ptr} gv1
    v72 = call fn2(v71, v70)
    v73 = iconst.{ptr} 1
    v74 = iadd v30, v73
    v75 = iconst.{ptr} {entry}
    v76 = iadd v31, v75
    brif v72, block6, block1(v74, v76)

block6:
    v80 = iconst.i32 3
    return v80

block7:
    v81 = iconst.i32 0
    return v81
}}

; Writes all of the bytes; 0 if that works.
function %__windlass_write({ptr}, {ptr}) -> i32 system_v {{
    sig0 = ({ptr}, {ptr}, {ptr}, {ptr}, {ptr}, {ptr}, {ptr}) -> {ptr} system_v
    fn0 = colocated %__windlass_syscall sig0

block0(v0: {ptr}, v1: {ptr}):
    jump block1(v0, v1)

block1(v2: {ptr}, v3: {ptr}):
    v4 = iconst.{ptr} {write}
    v5 = iconst.{ptr} 1
    v6 = iconst.{ptr} 0
    v7 = call fn0(v4, v5, v2, v3, v6, v6, v6)
    v8 = icmp sle v7, v6
    brif v8, block3, block2

block2:
    v9 = iadd v2, v7
    v10 = isub v3, v7
    brif v10, block1(v9, v10), block4

block3:
    v11 = iconst.i32 1
    return v11

block4:
    v12 = iconst.i32 0
    return v12
}}

; Notes the signal and makes the interrupted call end.
function %__windlass_signal(i32, {ptr}, {ptr}) system_v {{
    gv0 = symbol colocated %__windlass_out
    gv1 = symbol colocated %__windlass_record
    sig0 = () system_v
    fn0 = colocated %__windlass_recover sig0

block0(v0: i32, v1: {ptr}, v2: {ptr}):
    v3 = symbol_value.{ptr} gv0
    v4 = load.{ptr} notrap aligned v2+{pc}
    store notrap aligned v4, v3+{word2}
    v8 = iconst.{ptr} 0
    {widen}
    store notrap aligned v9, v3+{word}
    v10 = func_addr.{ptr} fn0
    {recover}
    store notrap aligned v5, v2+{pc}
    v6 = symbol_value.{ptr} gv1
    store notrap aligned v6, v2+{arg0}
    return
}}
"
    )
}

/// A function that takes an entry of the table and makes a call of this signature. Each call finds 0 in the pinned
/// register, if there is one.
pub(super) fn trampoline_text(target: &dyn Target, name: &ExternalName, signature: &Signature) -> String {
    let ptr = target.address_type();
    let word = ptr.bytes();
    let mut text = format!(
        "\
function {name}({ptr}) system_v {{
    gv0 = symbol colocated %__windlass_out
    sig0 = {signature}

block0(v0: {ptr}):
    v1 = load.{ptr} notrap aligned v0+{word}
    v2 = load.{ptr} notrap aligned v0+{}
",
        2 * word
    );
    let first_arg = 3;
    let first_result = first_arg + signature.params.len();
    for (i, param) in signature.params.iter().enumerate() {
        let (v, ty, offset) = (first_arg + i, param.value_type, SLOT_BYTES * i);
        text.push_str(&format!("    v{v} = load.{ty} notrap aligned v2+{offset}\n"));
    }
    let list = |from: usize, n: usize| {
        let values: Vec<_> = (from..from + n).map(|v| format!("v{v}")).collect();
        values.join(", ")
    };
    let results = signature.returns.len();
    let equals = if results == 0 { String::new() } else { format!("{} = ", list(first_result, results)) };
    let args = list(first_arg, signature.params.len());
    let out = first_result + results;
    if target.settings().enable_pinned_reg {
        text.push_str(&format!("    v{} = iconst.{ptr} 0\n    set_pinned_reg v{}\n", out + 1, out + 1));
    }
    text.push_str(&format!("    {equals}call_indirect sig0, v1({args})\n"));
    text.push_str(&format!("    v{out} = symbol_value.{ptr} gv0\n"));
    for i in 0..results {
        let (v, offset) = (first_result + i, HEADER_BYTES + SLOT_BYTES * i);
        text.push_str(&format!("    store notrap aligned v{v}, v{out}+{offset}\n"));
    }
    text.push_str("    return\n}\n");
    text
}
