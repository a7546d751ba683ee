//! Probes find the guard page: however frames follow each other, none steps over it.
//!
//! Functions with frames of all sizes call each other in turn on a stack of their own below which a page is
//! inaccessible, and below that is memory that nobody may touch. Each writes to the lowest end of its frame alone. The first
//! fault must be in the guard page. And limits that symbols lead to, which filetests have no data for, are kept.

use windlass::Context;
use windlass::link::{DataDef, Module};
use windlass_filetests::abi::{CONVENTIONS, build_and_run, object};
use windlass_filetests::guest::{CallOutcome, GuestCall, GuestOptions, run_calls};
use windlass_filetests::targets;
use windlass_ir::text::parse_function;
use windlass_ir::{DataValue, ExternalName, TrapCode};

/// Bytes of the stack slots: around the slack, around a page, of several.
const SIZES: [u32; 12] = [0, 900, 1016, 1024, 1032, 3000, 4080, 4096, 4104, 8200, 20_000, 100_000];

/// `%step_n(depth)` calls a leaf with a frame of its own size, which pushes nothing, and then the step `stride` sizes on.
fn functions(stride: usize) -> String {
    let mut text = String::new();
    for (n, size) in SIZES.iter().enumerate() {
        let next = (n + stride) % SIZES.len();
        let slot = if *size > 0 { format!("    ss0 = explicit_slot {size}\n") } else { String::new() };
        let touch = if *size > 0 { "    v1 = stack_addr.ADDR ss0\n    store v0, v1\n" } else { "" };
        text += &format!(
            "function %step_{n}(i32) -> i32 system_v {{\n{slot}    fn0 = %step_{next}(i32) -> i32 system_v\n    \
             fn1 = %leaf_{n}(i32) -> i32 system_v\nblock0(v0: i32):\n{touch}    v2 = call fn1(v0)\n    v3 = call fn0(v2)\n    \
             v4 = iadd v3, v0\n    return v4\n}}\nfunction %leaf_{n}(i32) -> i32 system_v {{\n{slot}block0(v0: i32):\n{touch}    \
             return v0\n}}\n"
        );
    }
    text
}

const C: &str = r#"#define _GNU_SOURCE
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <ucontext.h>
#include <unistd.h>
#include <stdlib.h>
int step_0(int);
enum { BELOW = 1 << 20, PAGE = 4096, STACK = 1 << 20 };
static char *memory;
static void fault(int signal, siginfo_t *info, void *context) {
  char *at = info->si_addr;
  int touched = 0;
  for (int i = 0; i < BELOW; i++) touched += memory[i] != 0x5a;
  printf("%s, %d bytes below\n", at >= memory + BELOW && at < memory + BELOW + PAGE ? "guard" : "elsewhere", touched);
  fflush(stdout);
  _exit(0);
}
static void run(void) { step_0(1); }
int main(void) {
  memory = mmap(0, BELOW + PAGE + STACK, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  memset(memory, 0x5a, BELOW);
  mprotect(memory + BELOW, PAGE, PROT_NONE);
  static char own[65536];
  stack_t alt = { .ss_sp = own, .ss_size = sizeof own };
  sigaltstack(&alt, 0);
  struct sigaction act = { .sa_sigaction = fault, .sa_flags = SA_ONSTACK | SA_SIGINFO };
  sigaction(SIGSEGV, &act, 0);
  static ucontext_t here, there;
  getcontext(&there);
  there.uc_stack.ss_sp = memory + BELOW + PAGE;
  there.uc_stack.ss_size = STACK;
  there.uc_link = &here;
  makecontext(&there, run, 0);
  swapcontext(&here, &there);
  printf("came back\n");
  return 0;
}
"#;

/// What programs report whose functions follow each other in several orders.
fn reports(name: &str, settings: &str) -> Vec<String> {
    let convention = CONVENTIONS.iter().find(|row| row.name == name).expect("a convention");
    let spec = format!("{} {settings}", convention.target);
    let target = targets::build(&spec, &[]).unwrap_or_else(|error| panic!("{error}"));
    let run = |stride| {
        let text = functions(stride).replace("ADDR", &target.address_type().to_string());
        let object = object(&*target, &text).unwrap_or_else(|error| panic!("{error}"));
        build_and_run(convention, &*target, "-O1", C, &object).unwrap_or_else(|error| panic!("{error}"))
    };
    [1, 5, 7, 11].map(run).to_vec()
}

#[test]
fn no_frame_steps_over_the_guard_page() {
    for name in ["armv7hf", "armv5", "ppc64le", "ppc64"] {
        for report in reports(name, "enable_probestack") {
            assert_eq!(report, "guard, 0 bytes below\n", "{name}");
        }
    }
}

/// The test would see it.
#[test]
fn without_probes_they_do() {
    for name in ["armv7hf", "ppc64le", "ppc64"] {
        let steps_over = |report: &String| report.starts_with("elsewhere") || !report.contains(" 0 bytes");
        assert!(reports(name, "").iter().any(steps_over), "{name}");
    }
}

#[test]
fn limits_at_symbols_are_kept() {
    const LIMITED: &str = "
function %limited(i32) -> i32 system_v {
    gv0 = symbol LINKAGE %limits+8
    gv1 = load.ADDR notrap aligned gv0
    stack_limit = gv1
    ss0 = explicit_slot 4096
block0(v0: i32):
    v1 = stack_addr.ADDR ss0
    store v0, v1
    v2 = load.i32 v1
    return v2
}
";
    for spec in [
        "armv7hf",
        "armv7",
        "armv6",
        "armv5",
        "ppc64le",
        "ppc64",
        "ppc64v2",
        "ppc64le toc_free",
        "ppc64 toc_free",
    ] {
        let target = targets::build(spec, &[]).expect("a target");
        for linkage in ["", "colocated"] {
            let text =
                LIMITED.replace("LINKAGE", linkage).replace("ADDR", &target.address_type().to_string());
            let function = parse_function(&text).expect("a function");
            let code = target.compile(&function, &mut Context::new()).expect("compiles");
            // The least limit and the greatest.
            for (byte, returns) in [(0, true), (0xff, false)] {
                let mut module = Module::new();
                module.add_function(function.name.clone(), code.clone());
                module.add_data(DataDef::read_only(ExternalName::symbol("limits"), vec![byte; 16], 8));
                let args = [DataValue::I32(7)];
                let call =
                    GuestCall { function: &function.name, signature: &function.signature, args: &args };
                let run =
                    run_calls(&*target, &module, &[call], &GuestOptions::default(), &mut Context::new());
                match run.expect("runs").remove(0) {
                    CallOutcome::Returned(values) => assert!(returns && values == args, "{spec} {linkage}"),
                    CallOutcome::Trapped { code: TrapCode::STACK_OVERFLOW, .. } => {
                        assert!(!returns, "{spec}")
                    }
                    other => panic!("{spec} {linkage}: {other}"),
                }
            }
        }
    }
}
