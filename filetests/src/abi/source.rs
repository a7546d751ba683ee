//! The two halves of a test program: C for the peer, the language for Windlass.
//!
//! For signature *k* there are
//!
//! | function | written in | does |
//! |---|---|---|
//! | `w_f_k` | the language | stores its parameters to `abi_out`, returns what is in `abi_in` |
//! | `go_k_0` | C | calls it; compares result and `abi_out` with the constants |
//! | `c_f_k` | C | compares its parameters with the constants, returns one |
//! | `w_call_k` | the language | calls it with what is in `abi_in`, stores the result to `abi_out` |
//! | `go_k_1` | C | fills `abi_in`, calls that, compares `abi_out`, and the registers that calls keep |
//!
//! A variadic signature has the second half only. The values are constants of the C file, so that nothing but the call
//! itself brings them across.

use super::ctype::{CType, Scalar};
use super::{Convention, Returns, Shape};
use std::fmt::Write;
use windlass_ir::{AbiParam, ArgumentPurpose, CallConv, Endianness, Signature, StructArg, Type};

/// A test: a signature, and a value for each parameter and the result.
#[derive(Clone, Debug)]
pub struct Case {
    /// The signature.
    pub shape: Shape,
    /// Its convention in the language.
    pub call_conv: CallConv,
    /// How the result comes back: a scalar as itself.
    pub returns: Returns,
    /// The bytes of each argument.
    pub args: Vec<Vec<u8>>,
    /// The bytes of the result; none if there is no result.
    pub result: Vec<u8>,
    /// Where each argument is in the buffers, in bytes.
    pub offsets: Vec<u32>,
    /// Where the result is in them.
    pub result_offset: u32,
    /// For structures: how they are declared.
    pub layouts: Vec<Option<StructArg>>,
    /// Windlass calls through an address.
    pub indirect: bool,
}

impl Case {
    /// The signature in the language.
    pub fn signature(&self, convention: &Convention, address: Type) -> Signature {
        let word = address.bytes();
        let mut sig = Signature::new(self.call_conv);
        match (&self.returns, &self.shape.result) {
            (Returns::Memory, _) => {
                sig.params.push(AbiParam::special(address, ArgumentPurpose::StructReturn));
            }
            (Returns::Values(_), Some(CType::Scalar(scalar))) => {
                let extension = scalar.extension(word);
                sig.returns.push(AbiParam { extension, ..AbiParam::new(scalar.ty()) });
            }
            (Returns::Values(values), _) => {
                sig.returns.extend(values.iter().map(|&(_, ty)| AbiParam::new(ty)));
            }
        }
        for (i, ty) in self.shape.params.iter().enumerate() {
            let open = i >= self.shape.named;
            sig.params.push(match (ty, self.layouts[i]) {
                (_, Some(layout)) => AbiParam::special(address, ArgumentPurpose::StructArgument(layout)),
                (CType::Scalar(Scalar::Double), _) if open && convention.open_floats_as_integers => {
                    AbiParam::new(windlass_ir::types::I64)
                }
                (CType::Scalar(scalar), _) => {
                    AbiParam { extension: scalar.extension(word), ..AbiParam::new(scalar.ty()) }
                }
                (CType::Struct(structure), None) => {
                    AbiParam::special(address, ArgumentPurpose::StructArgument(structure.layout()))
                }
            });
        }
        sig
    }
}

// ----- C -----

fn c_type(ty: &CType, k: usize, i: &str) -> String {
    match ty {
        CType::Scalar(scalar) => scalar.c_name().into(),
        CType::Struct(_) => format!("struct s{k}_{i}"),
    }
}

fn c_bytes(out: &mut String, name: &str, bytes: &[u8]) {
    let list: Vec<_> = bytes.iter().map(ToString::to_string).collect();
    let _ = writeln!(out, "static const unsigned char {name}[] ALIGNED = {{{}}};", list.join(","));
}

/// A comparison of what is at `at` with the constant `want`; `what` is told if they differ.
fn c_check(out: &mut String, ty: &CType, at: &str, want: &str, what: &str) {
    let leaves: Vec<_> = ty.leaves().iter().map(|(at, scalar)| format!("{at},{}", scalar.bytes())).collect();
    let _ = writeln!(
        out,
        "  {{ static const unsigned short l[] = {{{},0,0}}; check({what}, {at}, {want}, l); }}",
        leaves.join(",")
    );
}

/// The same for a variable: a small integer is looked at with all of its register.
fn c_check_variable(
    out: &mut String,
    ty: &CType,
    variable: &str,
    want: &[u8],
    order: Endianness,
    what: &str,
    name: &str,
) {
    match *ty {
        CType::Scalar(scalar @ (Scalar::Bool | Scalar::Int(1 | 2 | 4, _))) => {
            let mut bits = 0u64;
            for i in 0..want.len() {
                let byte = if order == Endianness::Little { want[want.len() - 1 - i] } else { want[i] };
                bits = bits << 8 | u64::from(byte);
            }
            let shift = 64 - 8 * scalar.bytes();
            let signed = matches!(scalar, Scalar::Int(_, true));
            let value = if signed { ((bits << shift) as i64) >> shift } else { bits as i64 };
            let _ = writeln!(out, "  check_int({what}, {variable}, {value}LL);");
        }
        _ => c_check(out, ty, &format!("&{variable}"), name, what),
    }
}

/// The C half of a program.
pub fn c_source(convention: &Convention, cases: &[Case], order: Endianness) -> String {
    let mut out = format!("{C_HEAD}{}\n", convention.registers);
    for (k, case) in cases.iter().enumerate() {
        c_case(&mut out, convention, k, case, order);
    }
    out.push_str("static void (*const all[])(void) = {");
    for (k, case) in cases.iter().enumerate() {
        let first = if case.shape.is_variadic() { "0".to_string() } else { format!("go_{k}_0") };
        let _ = write!(out, "{first},go_{k}_1,");
    }
    out.push_str("0};\n");
    out.push_str(C_TAIL);
    out
}

fn c_case(out: &mut String, convention: &Convention, k: usize, case: &Case, order: Endianness) {
    let shape = &case.shape;
    let mut declare = |ty: &CType, i: &str, bytes: &[u8]| {
        if let CType::Struct(structure) = ty {
            let _ = writeln!(out, "struct s{k}_{i} {};", structure.c_body());
        }
        c_bytes(out, &format!("k{k}_{i}"), bytes);
    };
    for (i, ty) in shape.params.iter().enumerate() {
        declare(ty, &i.to_string(), &case.args[i]);
    }
    let result = shape.result.as_ref().map(|ty| {
        declare(ty, "r", &case.result);
        c_type(ty, k, "r")
    });
    let ret = result.as_deref().unwrap_or("void");
    let types: Vec<_> =
        shape.params.iter().enumerate().map(|(i, ty)| c_type(ty, k, &i.to_string())).collect();
    let named: Vec<_> = types[..shape.named].iter().enumerate().map(|(i, ty)| format!("{ty} a{i}")).collect();
    let mut list = named.join(", ");
    if shape.is_variadic() {
        list += ", ...";
    } else if list.is_empty() {
        list = "void".into();
    }
    let pcs = convention.attribute;

    // The callee.
    let _ = writeln!(out, "{pcs} {ret} c_f_{k}({list}) {{");
    for (i, ty) in shape.params[..shape.named].iter().enumerate() {
        let (variable, name) = (format!("a{i}"), format!("k{k}_{i}"));
        c_check_variable(out, ty, &variable, &case.args[i], order, &i.to_string(), &name);
    }
    if shape.is_variadic() {
        let _ = writeln!(out, "  va_list ap; va_start(ap, a{});", shape.named - 1);
        for (i, ty) in shape.params.iter().enumerate().skip(shape.named) {
            let _ = writeln!(out, "  {} a{i} = va_arg(ap, {});", types[i], types[i]);
            c_check(out, ty, &format!("&a{i}"), &format!("k{k}_{i}"), &i.to_string());
        }
        out.push_str("  va_end(ap);\n");
    }
    if result.is_some() {
        let _ = writeln!(out, "  {ret} r; memcpy(&r, k{k}_r, sizeof r); return r;");
    }
    out.push_str("}\n");

    // The caller.
    if !shape.is_variadic() {
        let _ = writeln!(out, "{pcs} {ret} w_f_{k}({list});\nstatic void go_{k}_0(void) {{");
        for (i, ty) in types.iter().enumerate() {
            let _ = writeln!(out, "  {ty} a{i}; memcpy(&a{i}, k{k}_{i}, sizeof a{i});");
        }
        let args: Vec<_> = (0..types.len()).map(|i| format!("a{i}")).collect();
        let call = format!("w_f_{k}({})", args.join(", "));
        match &shape.result {
            Some(ty) => {
                let at = case.result_offset;
                let _ = writeln!(out, "  memcpy(abi_in + {at}, k{k}_r, sizeof k{k}_r);\n  {ret} r = {call};");
                c_check_variable(out, ty, "r", &case.result, order, "-1", &format!("k{k}_r"));
            }
            None => {
                let _ = writeln!(out, "  {call};");
            }
        }
        for (i, ty) in shape.params.iter().enumerate() {
            let at = format!("abi_out + {}", case.offsets[i]);
            c_check(out, ty, &at, &format!("k{k}_{i}"), &i.to_string());
        }
        out.push_str("}\n");
    }

    // Windlass is the caller.
    let _ = writeln!(out, "void w_call_{k}(void);\nstatic void go_{k}_1(void) {{");
    for (i, at) in case.offsets.iter().enumerate() {
        let _ = writeln!(out, "  memcpy(abi_in + {at}, k{k}_{i}, sizeof k{k}_{i});");
    }
    let _ = writeln!(out, "  kept(w_call_{k});");
    if let Some(ty) = &shape.result {
        let at = format!("abi_out + {}", case.result_offset);
        c_check(out, ty, &at, &format!("k{k}_r"), "-1");
    }
    out.push_str("}\n");
}

/// What every program has: buffers, comparisons, a report of where it stopped.
const C_HEAD: &str = r#"#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#define ALIGNED __attribute__((aligned(16)))
unsigned char abi_in[16384] ALIGNED, abi_out[16384] ALIGNED;
static volatile int current;
static int failures;
static void fail(int what) { failures++; printf("fail %d %d\n", current, what); }
__attribute__((noinline)) static void check(int what, const void *got, const void *want, const unsigned short *l) {
  for (; l[1]; l += 2) if (memcmp((const char *)got + l[0], (const char *)want + l[0], l[1])) { fail(what); return; }
}
__attribute__((noinline)) static void check_int(int what, long long got, long long want) { if (got != want) fail(what); }
int kept_registers(void (*f)(void));
static void kept(void (*f)(void)) { if (kept_registers(f)) fail(-2); }
static void stopped(int signal) {
  char text[64]; int n = snprintf(text, sizeof text, "stop %d %d\n", current, signal);
  fflush(stdout); write(1, text, n); _exit(1);
}
"#;

const C_TAIL: &str = r#"int main(void) {
  static char stack[65536];
  stack_t alt = { .ss_sp = stack, .ss_size = sizeof stack };
  struct sigaction act = { .sa_handler = stopped, .sa_flags = SA_ONSTACK };
  sigaltstack(&alt, 0);
  int signals[] = { SIGSEGV, SIGILL, SIGBUS, SIGTRAP, SIGABRT };
  for (int i = 0; i < 5; i++) sigaction(signals[i], &act, 0);
  int n = sizeof all / sizeof *all - 1;
  for (current = 0; current < n; current++) if (all[current]) {
    memset(abi_in, 0x5a, sizeof abi_in); memset(abi_out, 0xa5, sizeof abi_out);
    all[current]();
  }
  printf("done %d %d\n", n, failures);
  return 0;
}
"#;

// ----- The language -----

/// The half in the language.
pub fn clif_source(convention: &Convention, cases: &[Case], address: Type) -> String {
    let mut out = String::new();
    for (k, case) in cases.iter().enumerate() {
        let sig = case.signature(convention, address);
        if !case.shape.is_variadic() {
            clif_callee(&mut out, k, case, &sig, address);
        }
        clif_caller(&mut out, k, case, &sig, address);
    }
    out
}

/// The parts of the result that are in registers, with their offsets in it; and whether its address is a parameter.
fn result_parts(case: &Case) -> (&[(u32, Type)], bool) {
    match &case.returns {
        Returns::Values(values) => (values, false),
        Returns::Memory => (&[], true),
    }
}

fn clif_callee(out: &mut String, k: usize, case: &Case, sig: &Signature, address: Type) {
    let (parts, memory) = result_parts(case);
    let params: Vec<_> =
        sig.params.iter().enumerate().map(|(i, param)| format!("v{i}: {}", param.value_type)).collect();
    let mut next = sig.params.len();
    let mut new = || {
        next += 1;
        next - 1
    };
    let (input, output) = (new(), new());
    let _ = write!(
        out,
        "function %w_f_{k}{sig} {{\n    gv0 = symbol %abi_in\n    gv1 = symbol %abi_out\nblock0({}):\n    \
         v{input} = symbol_value.{address} gv0\n    v{output} = symbol_value.{address} gv1\n",
        params.join(", ")
    );
    let first = usize::from(memory);
    for (i, ty) in case.shape.params.iter().enumerate() {
        let (v, at) = (first + i, case.offsets[i]);
        match ty {
            CType::Scalar(_) => {
                let _ = writeln!(out, "    store notrap v{v}, v{output}+{at}");
            }
            CType::Struct(structure) => {
                for (offset, leaf) in structure.leaves() {
                    let x = new();
                    let _ = writeln!(out, "    v{x} = load.{} notrap v{v}+{offset}", leaf.ty());
                    let _ = writeln!(out, "    store notrap v{x}, v{output}+{}", at + offset);
                }
            }
        }
    }
    let at = case.result_offset;
    let mut results = Vec::new();
    if memory && let Some(ty) = &case.shape.result {
        for (offset, leaf) in ty.leaves() {
            let x = new();
            let _ = writeln!(out, "    v{x} = load.{} notrap v{input}+{}", leaf.ty(), at + offset);
            let _ = writeln!(out, "    store notrap v{x}, v0+{offset}");
        }
    }
    for &(offset, ty) in parts {
        let x = new();
        let _ = writeln!(out, "    v{x} = load.{ty} notrap v{input}+{}", at + offset);
        results.push(format!("v{x}"));
    }
    let _ = writeln!(out, "    return {}\n}}\n", results.join(", "));
}

fn clif_caller(out: &mut String, k: usize, case: &Case, sig: &Signature, address: Type) {
    let (parts, memory) = result_parts(case);
    let mut next = 0;
    let mut new = || {
        next += 1;
        next - 1
    };
    let (input, output) = (new(), new());
    let _ = write!(
        out,
        "function %w_call_{k}() system_v {{\n    gv0 = symbol %abi_in\n    gv1 = symbol %abi_out\n    sig0 = {sig}\n    \
         fn0 = %c_f_{k} sig0\nblock0:\n    \
         v{input} = symbol_value.{address} gv0\n    v{output} = symbol_value.{address} gv1\n",
    );
    let result_at = case.result_offset;
    let mut args = Vec::new();
    for (i, param) in sig.params.iter().enumerate() {
        let x = new();
        args.push(format!("v{x}"));
        let at = match i.checked_sub(memory.into()) {
            Some(i) => case.offsets[i],
            None => {
                let _ = writeln!(out, "    v{x} = iadd_imm v{output}, {result_at}");
                continue;
            }
        };
        let _ = match param.purpose {
            ArgumentPurpose::Normal => {
                writeln!(out, "    v{x} = load.{} notrap v{input}+{at}", param.value_type)
            }
            _ => writeln!(out, "    v{x} = iadd_imm v{input}, {at}"),
        };
    }
    let results: Vec<_> = parts.iter().map(|&(offset, ty)| (new(), offset, ty)).collect();
    let callee = new();
    let names: Vec<_> = results.iter().map(|(x, ..)| format!("v{x}")).collect();
    let give = if names.is_empty() { String::new() } else { format!("{} = ", names.join(", ")) };
    let args = args.join(", ");
    let _ = if case.indirect {
        writeln!(
            out,
            "    v{callee} = func_addr.{address} fn0\n    {give}call_indirect sig0, v{callee}({args})"
        )
    } else {
        writeln!(out, "    {give}call fn0({args})")
    };
    for (x, offset, _) in results {
        let _ = writeln!(out, "    store notrap v{x}, v{output}+{}", result_at + offset);
    }
    out.push_str("    return\n}\n\n");
}
