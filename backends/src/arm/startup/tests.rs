use super::*;
use crate::exe::tests::INFO;
use crate::exe::write_executable;
use crate::link::{LinkOptions, Module};
use crate::object::{ObjectOptions, write_object};
use std::path::Path;
use std::process::{Command, Output};

fn run(program: &Path) -> Output {
    Command::new("qemu-arm")
        .args(["-cpu", "cortex-a8"])
        .arg(program)
        .output()
        .expect("qemu-arm not found: install it with `apt-get install qemu-user`")
}

#[test]
fn a_program_starts_and_exits_with_the_result_of_main() {
    let mut module = Module::new();
    for (name, code) in startup(true, true).functions {
        module.add_function(ExternalName::Symbol(name), code);
    }
    // The argument is the initial stack pointer: argc is there.
    let main = [
        Inst::LdrImm { rt: set(r(0)), rn: get(r(0)), off: Offset12::ZERO },
        Inst::AddImm { rd: set(r(0)), rn: get(r(0)), imm: ArmImm::encode(41).unwrap() },
        Inst::Bx { rm: get(LR) },
    ];
    let (name, main) = function("__windlass_main", &main, None).unwrap();
    module.add_function(ExternalName::Symbol(name), main);
    let image = module.link(&LinkOptions::of_elf(&INFO)).unwrap();
    let bytes = write_executable(&image, &INFO, &ExternalName::symbol("_start")).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let program = folder.path().join("program");
    crate::exe::write_file_atomically(&program, &bytes, true).unwrap();
    assert_eq!(run(&program).status.code(), Some(42));
}

/// Calls the functions from C, whose structures are the authority on the layout of signal frames.
#[test]
fn c_calls_system_calls_and_recovers_from_signals() {
    const C: &str = r#"
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <ucontext.h>
#include <sys/syscall.h>

long __windlass_syscall(long, ...);
int __windlass_protect(void (*)(void *), void *, void *);
extern char __windlass_recover[];

static int record[RECORD_BYTES / 4];
static volatile long pc, number;
static char stack[65536] __attribute__((aligned(8)));

static void handler(int n, siginfo_t *info, void *context) {
    char *c = context;
    number = n;
    pc = *(long *)(c + PC);
    *(void **)(c + PC) = __windlass_recover;
    *(void **)(c + ARG0) = record;
}
static void __attribute__((noinline, target("arm"))) trap(void *p) {
    asm volatile(".globl the_trap\n vmov d8, r0, r0\n vmov d15, r0, r0\n mov r4, #1\n mov r11, #1\n mov r9, #5\n"
                 "sub sp, sp, #64\nthe_trap: udf #7\n"
                 ::: "r4", "r9", "d8", "d15");
}
static void __attribute__((noinline, target("arm"))) fine(void *p) { *(int *)p += 1; }
static int deep(int n) { volatile char room[4096]; room[0] = n; return n ? deep(n + 1) + room[0] : 0; }
static void overflow(void *p) { *(volatile int *)p = deep(1); }
extern char the_trap[];

int main(void) {
    _Static_assert(offsetof(ucontext_t, uc_mcontext) + offsetof(mcontext_t, arm_r0) == ARG0, "r0");
    _Static_assert(offsetof(ucontext_t, uc_mcontext) + offsetof(mcontext_t, arm_pc) == PC, "pc");
    _Static_assert(SYS_write == WRITE && SYS_exit_group == EXIT && SYS_rt_sigaction == ACTION, "numbers");
    _Static_assert(SYS_sigaltstack == STACK && SYS_rt_sigprocmask == MASK, "numbers");
    /* The kernel's own structures: handler, flags, restorer, mask; address, flags, size. */
    struct { void *handler; unsigned long flags; void *restorer; unsigned long mask[2]; } action =
        { handler, SA_SIGINFO | SA_ONSTACK | SA_NODEFER, 0, { 0, 0 } };
    struct { void *sp; int flags; unsigned long size; } altstack = { stack, 0, sizeof stack };
    if (__windlass_syscall(STACK, &altstack, 0, 0, 0, 0, 0)) return 1;
    if (__windlass_syscall(ACTION, SIGILL, &action, 0, 8, 0, 0)) return 2;
    if (__windlass_syscall(ACTION, SIGSEGV, &action, 0, 8, 0, 0)) return 3;
    int count = 0;
    for (volatile int i = 0; i < 3; i++) {
        double kept = i + 0.25;
        asm volatile("" : "+w"(kept));
        if (__windlass_protect(fine, &count, record) != 0) return 4;
        if (__windlass_protect(trap, 0, record) != 1) return 5;
        if (number != SIGILL || pc != (long)the_trap) return 6;
        if (kept != i + 0.25) return 7;
        if (__windlass_protect(overflow, &count, record) != 1 || number != SIGSEGV) return 8;
    }
    if (count != 3) return 9;
    if (__windlass_syscall(WRITE, 1, "written\n", 8, 0, 0, 0) != 8) return 10;
    /* All six arguments arrive: mmap2. */
    if (__windlass_syscall(SYS_mmap2, 0, 4096, 3, 0x22, -1, 0) == -1) return 11;
    return __windlass_syscall(EXIT, 42, 0, 0, 0, 0, 0);
}
"#;
    let startup = startup(true, true);
    let mut module = Module::new();
    for (name, code) in startup.functions {
        // C has its own.
        if name != "_start" {
            module.add_function(ExternalName::Symbol(name), code);
        }
    }
    let folder = tempfile::tempdir().unwrap();
    let path = |name| folder.path().join(name);
    std::fs::write(path("ours.o"), write_object(&module, &INFO, &ObjectOptions::default()).unwrap()).unwrap();
    std::fs::write(path("theirs.c"), C).unwrap();
    let signal = startup.signal;
    let constants = [
        ("RECORD_BYTES", startup.record_bytes),
        ("PC", signal.pc),
        ("ARG0", signal.arg0),
        ("WRITE", signal.sys_write),
        ("EXIT", signal.sys_exit_group),
        ("ACTION", signal.sys_rt_sigaction),
        ("STACK", signal.sys_sigaltstack),
        ("MASK", signal.sys_rt_sigprocmask),
    ];
    let compiler = Command::new("arm-linux-gnueabihf-gcc")
        .args(["-D_GNU_SOURCE", "-marm", "-O1", "-fomit-frame-pointer", "-static", "-o"])
        .args([path("program"), path("theirs.c"), path("ours.o")])
        .args(constants.map(|(name, value)| alloc::format!("-D{name}={value}")))
        .output()
        .expect(
            "arm-linux-gnueabihf-gcc not found: install it with `apt-get install gcc-arm-linux-gnueabihf`",
        );
    assert!(compiler.status.success(), "{}", String::from_utf8_lossy(&compiler.stderr));
    let output = run(&path("program"));
    assert_eq!(String::from_utf8_lossy(&output.stdout), "written\n");
    assert_eq!(output.status.code(), Some(42), "{output:?}");
}

#[test]
fn without_floating_point_registers_only_core_registers_are_saved() {
    let startup = startup(false, false);
    assert_eq!(startup.record_bytes, 40);
    assert_eq!(startup.functions.len(), 4);
    for (name, code) in &startup.functions {
        for word in code.bytes.chunks(4) {
            let word = u32::from_le_bytes(word.try_into().unwrap());
            let text = super::super::minst::disassemble(word);
            assert!(!text.starts_with('v') && !text.starts_with('.'), "{name}: {text}");
        }
    }
}
