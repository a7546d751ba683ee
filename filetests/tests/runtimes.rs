//! What language run times find in running code: data at return addresses and entries, and code that moves. The interpreter
//! has none of it, so that these are no run lines.

use windlass::builtins::link_missing;
use windlass::link::{DataDef, Image, LinkOptions, Module};
use windlass::{Context, Target};
use windlass_filetests::abi::{CONVENTIONS, build_and_run, object};
use windlass_filetests::guest::{CallOutcome, GuestCall, GuestOptions, run_calls};
use windlass_filetests::targets;
use windlass_ir::text::parse_functions;
use windlass_ir::{DataValue, Endianness, ExternalName, Function};

const TARGETS: [&str; 7] = ["armv7hf", "armv7", "armv6", "armv5", "ppc64le", "ppc64", "ppc64v2"];
const POWER: [&str; 3] = ["ppc64le", "ppc64", "ppc64v2"];

fn target(name: &str, settings: &str) -> Box<dyn Target> {
    targets::build(&format!("{name} {settings}"), &[]).expect("a target")
}

/// Text in which `ADDR` is the type of addresses, and `vM = code vN` the address of the code that a function pointer leads to:
/// itself, or what a descriptor has at its start.
fn text_for(target: &dyn Target, text: &str) -> String {
    let mut out = String::new();
    for line in text.lines() {
        match line.split_once(" = code ") {
            Some((code, pointer)) if target.elf().functions.has_descriptors() => {
                out += &format!("{code} = load.ADDR notrap aligned {pointer}");
            }
            Some((code, pointer)) => out += &format!("{code} -> {pointer}"),
            None => out += line,
        }
        out.push('\n');
    }
    out.replace("ADDR", &target.address_type().to_string())
}

fn compiled(target: &dyn Target, text: &str) -> (Module, Vec<Function>) {
    let functions = parse_functions(&text_for(target, text)).expect("functions");
    let mut module = Module::new();
    for function in &functions {
        let code = target.compile(function, &mut Context::new()).expect("compiles");
        module.add_function(function.name.clone(), code);
    }
    (module, functions)
}

/// A word as the target has it in memory.
fn word(target: &dyn Target, word: u32) -> [u8; 4] {
    match target.endianness() {
        Endianness::Little => word.to_le_bytes(),
        Endianness::Big => word.to_be_bytes(),
    }
}

/// What `function` returns, its results in the bits of integers.
fn call(target: &dyn Target, module: &Module, function: &Function, args: &[DataValue]) -> Vec<u64> {
    let call = GuestCall { function: &function.name, signature: &function.signature, args };
    let outcomes = run_calls(target, module, &[call], &GuestOptions::default(), &mut Context::new());
    match outcomes.expect("runs").remove(0) {
        CallOutcome::Returned(values) => values.iter().map(|value| value.to_bits() as u64).collect(),
        other => panic!("{}: {other}", target.name()),
    }
}

/// Gives its return address and what stands eight bytes in front of it.
const PROBES: &str = "
function %probe() -> ADDR, i32 system_v {
block0:
    v0 = get_return_address.ADDR
    v1 = load.i32 notrap aligned v0-8
    return v0, v1
}

function %direct() -> ADDR, i32, ADDR, i32, ADDR system_v {
    fn0 = %probe() -> ADDR, i32 system_v
    fn1 = %direct() -> ADDR, i32, ADDR, i32, ADDR system_v
block0:
    v0, v1 = call fn0()
    v2, v3 = call fn0()
    v4 = func_addr.ADDR fn1
    v5 = code v4
    return v0, v1, v2, v3, v5
}

function %through_the_register() -> ADDR, i32, ADDR, i32, ADDR system_v {
    ss0 = explicit_slot 8
    sig0 = () -> ADDR, i32 system_v
    fn0 = %probe sig0
    fn1 = %through_the_register() -> ADDR, i32, ADDR, i32, ADDR system_v
block0:
    v0 = stack_addr.ADDR ss0
    v1 = func_addr.ADDR fn0
    store notrap aligned v1, v0
    v2 = get_pinned_reg.ADDR
    set_pinned_reg v0
    v3 = get_pinned_reg.ADDR
    v4 = load.ADDR notrap aligned v3
    v5, v6 = call_indirect sig0, v4()
    v7 = get_pinned_reg.ADDR
    v8 = load.ADDR notrap aligned v7
    try_call_indirect v8(), sig0, block1(ret0, ret1), []

block1(v9: ADDR, v10: i32):
    set_pinned_reg v2
    v11 = func_addr.ADDR fn1
    v12 = code v11
    return v5, v6, v9, v10, v12
}

function %indirect() -> ADDR, i32, ADDR, i32, ADDR system_v {
    sig0 = () -> ADDR, i32 system_v
    fn0 = %probe sig0
    fn1 = %indirect() -> ADDR, i32, ADDR, i32, ADDR system_v
block0:
    v0 = func_addr.ADDR fn0
    v1, v2 = call_indirect sig0, v0()
    try_call_indirect v0(), sig0, block1(ret0, ret1), []

block1(v3: ADDR, v4: i32):
    v5 = func_addr.ADDR fn1
    v6 = code v5
    return v1, v2, v3, v4, v6
}
";

#[test]
fn a_word_in_front_of_each_call_leads_from_the_return_address_to_the_function() {
    for (name, settings, align) in [
        ("armv7hf", "return_address_data=offset align_return_addresses=16", 16),
        ("armv7", "return_address_data=offset align_return_addresses=8", 8),
        ("armv6", "return_address_data=offset", 4),
        ("armv5", "return_address_data=offset align_return_addresses=16", 16),
        ("ppc64le", "return_address_data=offset align_return_addresses=16", 16),
        ("ppc64", "return_address_data=offset align_return_addresses=8", 8),
        ("ppc64v2", "return_address_data=offset", 4),
        ("ppc64le", "return_address_data=offset align_return_addresses=8 toc_free power10", 8),
        ("ppc64", "return_address_data=offset align_return_addresses=16 toc_free", 16),
        ("ppc64v2", "return_address_data=offset align_return_addresses=16 toc_free", 16),
    ] {
        let target = target(name, &format!("{settings} enable_pinned_reg"));
        let (module, functions) = compiled(&*target, PROBES);
        for function in &functions[1..] {
            let [at1, word1, at2, word2, entry] = call(&*target, &module, function, &[])[..] else {
                panic!("five results")
            };
            for (at, word) in [(at1, word1), (at2, word2)] {
                assert_eq!(at - word, entry, "{name}: {}", function.name);
                assert_eq!(at % align, 0, "{name}: {}", function.name);
            }
        }
    }
}

#[test]
fn the_word_may_be_the_number_of_the_call() {
    for name in TARGETS {
        let target = target(name, "return_address_data=index enable_pinned_reg");
        let (module, functions) = compiled(&*target, PROBES);
        for (function, def) in functions.iter().zip(module.functions()).skip(1) {
            let [at1, word1, at2, word2, entry] = call(&*target, &module, function, &[])[..] else {
                panic!("five results")
            };
            assert_eq!([word1, word2], [0, 1], "{name}");
            let returns: Vec<u64> = def.code.return_offsets.iter().map(|&at| u64::from(at)).collect();
            assert_eq!([at1 - entry, at2 - entry], returns[..], "{name}");
        }
    }
}

#[test]
fn a_word_in_front_of_the_entry_is_what_the_setting_says() {
    let text = "
function %one(i32) -> i32 system_v {
    fn0 = %header(i32) -> i32, i32 system_v
block0(v0: i32):
    v1 = func_addr.ADDR fn0
    v2 = code v1
    v3 = load.i32 notrap aligned v2-4
    return v3
}

function %header(i32) -> i32, i32 system_v {
    fn0 = %one(i32) -> i32 system_v
block0(v0: i32):
    v1 = func_addr.ADDR fn0
    v2 = code v1
    v3 = load.i32 notrap aligned v2-4
    v4 = call fn0(v0)
    return v3, v4
}
";
    for name in TARGETS {
        let target = target(name, "function_header=size");
        let (module, functions) = compiled(&*target, text);
        let sizes: Vec<u64> = module.functions().iter().map(|f| f.code.bytes.len() as u64).collect();
        assert_eq!(call(&*target, &module, &functions[1], &[DataValue::I32(0)]), sizes, "{name}");
        // The embedder's own.
        let target = targets::build(&format!("{name} function_header=7"), &[]).expect("a target");
        let mut module = Module::new();
        for (n, function) in functions.iter().enumerate() {
            let mut code = target.compile(function, &mut Context::new()).expect("compiles");
            assert_eq!(code.header, word(&*target, 7));
            code.header = word(&*target, 0x0100_0064 + n as u32).to_vec();
            module.add_function(function.name.clone(), code);
        }
        let words = call(&*target, &module, &functions[1], &[DataValue::I32(0)]);
        assert_eq!(words, [0x0100_0064, 0x0100_0065], "{name}");
    }
}

fn linked(target: &dyn Target, module: &Module, base_address: u64) -> Image {
    let options = LinkOptions { base_address, ..LinkOptions::of_elf(target.elf()) };
    module.link(&options).expect("links")
}

#[test]
fn a_program_counter_leads_to_its_function() {
    for name in TARGETS {
        let target = target(name, "return_address_data=index function_header=size enable_pinned_reg");
        let (module, functions) = compiled(&*target, PROBES);
        let image = linked(&*target, &module, 0x4_0000);
        for (function, def) in functions.iter().zip(module.functions()) {
            let symbol = image.symbol(&function.name).expect("a symbol");
            let code = &image.segments()[0];
            let entry = (symbol.address - code.address) as usize;
            assert_eq!(code.bytes[entry - 4..entry], word(&*target, symbol.size as u32), "{name}");
            for &offset in [0].iter().chain(&def.code.return_offsets) {
                let (found, at) = image.function_at(symbol.address + u64::from(offset)).expect("a function");
                assert_eq!((&found.name, at), (&function.name, offset), "{name}");
            }
        }
    }
}

/// Everything that a function can have for itself: constants in pools, tables, addresses of its own code.
const MOVABLE: &str = "
function %movable(i32, f64) -> i32, f64 system_v {
    ss0 = explicit_slot 8
block0(v0: i32, v1: f64):
    v2 = iconst.i32 0x12345678
    v3 = f64const 0x1.23456789abcdep10
    v4 = fadd v1, v3
    br_table v0, block4(v2), [block1, block2, block3]

block1:
    v5 = iconst.i32 0x0fedcba9
    jump block4(v5)

block2:
    v6 = stack_addr.ADDR ss0
    store notrap aligned v4, v6
    v7 = load.i32 notrap aligned v6
    jump block4(v7)

block3:
    v8 = iconst.i32 3
    v9 = isub v0, v8
    trapnz v0, user1
    jump block4(v9)

block4(v10: i32):
    v11 = bxor v10, v2
    v12 = fmul v4, v3
    return v11, v12
}
";

#[test]
fn code_without_references_can_be_moved() {
    for name in TARGETS {
        let target = target(name, "");
        let text = if name == "armv5" {
            // Its arithmetic of floats is calls: what is left is loads, constants and tables.
            MOVABLE.replace("fadd v1, v3", "fcopysign v1, v3").replace("fmul v4, v3", "fcopysign v3, v4")
        } else {
            MOVABLE.to_string()
        };
        let (module, functions) = compiled(&*target, &text);
        let code = &module.functions()[0].code;
        assert!(code.relocs.is_empty(), "{name}");
        assert!(!code.data_ranges.is_empty(), "{name}: a table at least");
        let segment = |base| linked(&*target, &module, base).segments()[0].bytes.clone();
        assert_eq!(segment(0x10000), segment(0x7654_3000), "{name}");

        // The same bytes at two places do the same.
        let mut twice = module.clone();
        let copy = Function { name: ExternalName::symbol("copy"), ..functions[0].clone() };
        twice.add_function(ExternalName::symbol("between"), code.clone());
        twice.add_function(copy.name.clone(), code.clone());
        for n in [0, 1, 7] {
            let args = [
                DataValue::I32(n),
                DataValue::from_bits(0x4012_0000_0000_0000, windlass_ir::types::F64).unwrap(),
            ];
            let results = call(&*target, &twice, &functions[0], &args);
            assert_eq!(call(&*target, &twice, &copy, &args), results, "{name}");
        }
    }
}

/// A function that finds functions and data by their addresses, and calls.
const ABSOLUTE: &str = "
function %absolute(i64) -> i64, i64 system_v {
    sig0 = (i64) -> i64 system_v
    fn0 = %double sig0
    gv0 = symbol %there+8
block0(v0: i64):
    v1 = call fn0(v0)
    v2 = global_value.i64 gv0
    v3 = load.i64 notrap aligned v2
    v4 = func_addr.i64 fn0
    try_call_indirect v4(v3), sig0, block1(ret0), [ default: block2(exn0) ]

block1(v5: i64):
    v6 = iadd v5, v1
    return v6, v3

block2(v7: i64):
    return v7, v0
}

function %double(i64) -> i64 system_v {
    fn0 = %__windlass_throw(i32, i64, i64) system_v
block0(v0: i64):
    v1 = iadd v0, v0
    v2 = iconst.i32 3
    v3 = iconst.i64 40
    v4 = icmp eq v0, v3
    brif v4, block1, block2

block1:
    call fn0(v2, v0, v0)
    jump block2

block2:
    return v1
}
";

#[test]
fn without_a_table_of_contents_references_are_the_same_everywhere() {
    for name in POWER {
        for level in ["", "power9"] {
            let target = target(name, &format!("toc_free function_header=size {level}"));
            for (there, results) in [(20, [48, 20]), (40, [40, 4])] {
                let (mut module, functions) = compiled(&*target, ABSOLUTE);
                let code = module.functions()[0].code.clone();
                assert!(!code.relocs.is_empty() && code.local_entry == 0, "{name}");
                let copy = Function { name: ExternalName::symbol("copy"), ..functions[0].clone() };
                module.add_function(copy.name.clone(), code);
                let numbers = [0u64, there].map(|n| match target.endianness() {
                    Endianness::Little => n.to_le_bytes(),
                    Endianness::Big => n.to_be_bytes(),
                });
                let there = ExternalName::symbol("there");
                module.add_data(DataDef::read_only(there, numbers.concat(), 8));
                // What throws is not here.
                let mut whole = module.clone();
                link_missing(&mut whole, &*target, &mut Context::new()).expect("the library compiles");
                let image = linked(&*target, &whole, 0x1234_5678_9000);
                let bytes = |function: &Function| {
                    let (symbol, code) =
                        (image.symbol(&function.name).expect("a symbol"), &image.segments()[0]);
                    let start = (symbol.address - code.address) as usize;
                    &code.bytes[start..start + symbol.size as usize]
                };
                assert_eq!(bytes(&functions[0]), bytes(&copy), "{name}: what memmove would make");
                for function in [&functions[0], &copy] {
                    let args = [DataValue::I64(4)];
                    assert_eq!(call(&*target, &module, function, &args), results, "{name} {level}");
                }
            }
        }
    }
}

/// `BODY` makes `v9` of `v8`.
const MOVED: &str = "
function %moved(i32, ADDR) -> i32 system_v {
    fn0 = %twice(i32) -> i32 system_v
block0(v0: i32, v1: ADDR):
    v2 = iconst.i32 0x12345678
    v3 = f64const 0x1.23456789abcdep10
    v4 = load.f64 v1
    v5 = fadd v4, v3
    store v5, v1
    br_table v0, block4(v2), [block1, block2, block3]

block1:
    v6 = iconst.i32 0x0fedcba9
    jump block4(v6)

block2:
    v7 = bxor v2, v0
    jump block4(v7)

block3:
    trapz v0, user1
    jump block4(v0)

block4(v8: i32):
    BODY
    return v9
}
";

/// A run time in C, which knows the size of code by the word in front of it.
const MOVER: &str = r#"
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
typedef int function(int, double *);
extern function moved;
int twice(int n) { return 2 * n + 1; }
#if defined __powerpc64__ && _CALL_ELF != 2
struct descriptor { char *code; void *toc, *environment; };
static char *code_of(function *f) { return ((struct descriptor *)f)->code; }
static function *with_code(char *code) {
  static struct descriptor copy;
  copy = *(struct descriptor *)moved;
  copy.code = code;
  return (function *)&copy;
}
#else
static char *code_of(function *f) { return (char *)f; }
static function *with_code(char *code) { return (function *)code; }
#endif
static int differences(function *copy) {
  int count = 0;
  for (int n = 0; n < 6; n++) {
    double a = n, b = n;
    count += moved(n, &a) != copy(n, &b);
    count += a != b || a == n;
  }
  return count;
}
int main(void) {
  char *code = code_of(moved);
  int size = ((int *)code)[-1];
  char *memory = mmap(0, 1 << 20, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  int count = 0;
  /* Each copy is made of the one before, over which it may lie, and which then goes. */
  for (int at = 64; at < 1 << 19; at += at < 1024 ? 64 : at) {
    char *from = code;
    code = memory + at;
    memmove(code - 4, from - 4, size + 4);
    if (from != code_of(moved)) memset(from - 4, 0, code - from < size + 4 ? code - from : size + 4);
    __builtin___clear_cache(memory, code + size);
    count += differences(with_code(code));
  }
  printf("%d, %s\n", count, ((int *)code)[-1] == size ? "moved" : "lost");
  return 0;
}
"#;

#[test]
fn a_run_time_moves_code_while_it_runs() {
    for (name, settings, body) in [
        ("armv7hf", "", "v9 -> v8"),
        ("armv6", "", "v9 -> v8"),
        ("armv5", "", "v9 -> v8"),
        ("ppc64le", "", "v9 -> v8"),
        ("ppc64", "", "v9 -> v8"),
        // Calls by address.
        ("ppc64le", "toc_free", "v9 = call fn0(v8)"),
        ("ppc64le", "toc_free power9", "v9 = call fn0(v8)"),
        ("ppc64", "toc_free return_address_data=index", "v9 = call fn0(v8)"),
    ] {
        let convention = CONVENTIONS.iter().find(|row| row.name == name).expect("a convention");
        let target = target(name, &format!("function_header=size {settings}"));
        let mut text = text_for(&*target, MOVED).replace("BODY", body);
        if name == "armv5" {
            // Its arithmetic of floats is calls.
            text = text.replace("fadd v4, v3", "fcopysign v3, v4");
        }
        let object = object(&*target, &text).unwrap_or_else(|error| panic!("{error}"));
        let printed = build_and_run(convention, &*target, "-O1", MOVER, &object);
        assert_eq!(printed.as_deref(), Ok("0, moved\n"), "{name} {settings}");
    }
}
