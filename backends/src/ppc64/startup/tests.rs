use super::super::elf::{V1_BIG, V2_BIG, V2_LITTLE};
use super::*;
use crate::exe::write_executable;
use crate::link::{LinkOptions, Module};
use crate::object::{ObjectOptions, write_object};
use std::path::Path;
use std::process::{Command, Output};

/// A platform: its emulator with the oldest processor, and its C compiler.
struct Platform {
    elf: ElfInfo,
    emulator: [&'static str; 3],
    compiler: &'static str,
}

const LITTLE: Platform = Platform {
    elf: V2_LITTLE,
    emulator: ["qemu-ppc64le", "-cpu", "power8"],
    compiler: "powerpc64le-linux-gnu-gcc",
};
const BIG: Platform =
    Platform { elf: V1_BIG, emulator: ["qemu-ppc64", "-cpu", "970fx"], compiler: "powerpc64-linux-gnu-gcc" };

fn run(platform: &Platform, program: &Path) -> Output {
    let [emulator, args @ ..] = platform.emulator;
    Command::new(emulator)
        .args(args)
        .arg(program)
        .output()
        .unwrap_or_else(|_| panic!("{emulator} not found: install it with `apt-get install qemu-user`"))
}

#[test]
fn a_program_starts_and_exits_with_the_result_of_main() {
    for platform in [LITTLE, BIG, Platform { elf: V2_BIG, ..BIG }] {
        let mut module = Module::new();
        for (name, code) in startup(&platform.elf).functions {
            module.add_function(ExternalName::Symbol(name), code);
        }
        // The argument is the initial stack pointer: argc is there. The table of contents has the address of the other
        // addend: `addis r4, r2, datum@got@ha; ld r4, datum@got@l(r4); lbz r4, 0(r4)`.
        let line = |inst, kind| Line(inst, Some((kind, "datum", 0)));
        let main = [
            ld(r(3), 0, r(3)).into(),
            line(
                Inst::Addis { rt: set(r(4)), ra: get(TOC), si: Simm16::ZERO },
                super::super::reloc::GOT16_HA,
            ),
            line(ld(r(4), 0, r(4)), super::super::reloc::GOT16_LO_DS),
            Inst::Lbz { rt: set(r(4)), ra: get(r(4)), d: Simm16::ZERO }.into(),
            Inst::Add { rt: set(r(3)), ra: get(r(3)), rb: get(r(4)) }.into(),
            Inst::Blr.into(),
        ];
        let (name, main) = function("__windlass_main", &main, &platform.elf).unwrap();
        module.add_function(ExternalName::Symbol(name), main);
        module.add_data(crate::link::DataDef::read_only(ExternalName::symbol("datum"), [41].into(), 1));
        let image = module.link(&LinkOptions::of_elf(&platform.elf)).unwrap();
        let bytes = write_executable(&image, &platform.elf, &ExternalName::symbol("_start")).unwrap();
        let folder = tempfile::tempdir().unwrap();
        let program = folder.path().join("program");
        crate::exe::write_file_atomically(&program, &bytes, true).unwrap();
        assert_eq!(run(&platform, &program).status.code(), Some(42));
    }
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
void __windlass_recover(void);

static long record[RECORD_BYTES / 8];
static volatile long pc, number;
static char stack[65536] __attribute__((aligned(16)));

static void handler(int n, siginfo_t *info, void *context) {
    char *c = context;
    number = n;
    pc = *(long *)(c + PC);
#if _CALL_ELF == 2
    *(void **)(c + PC) = __windlass_recover;
#else
    *(void **)(c + PC) = *(void **)__windlass_recover;
#endif
    *(void **)(c + ARG0) = record;
}
static void __attribute__((noinline)) trap(void *p) {
    asm volatile(".globl the_trap\n li 14, 1\n li 31, 1\n li 2, 1\n fmr 14, 1\n fmr 31, 1\n mtcrf 0xff, 14\n"
                 "addi 1, 1, -64\nthe_trap: tdeqi 14, 1\n"
                 ::: "r14", "fr14", "fr31", "cr2", "cr3", "cr4");
}
static void __attribute__((noinline)) fine(void *p) { *(int *)p += 1; }
static int deep(int n) { volatile char room[4096]; room[0] = n; return n ? deep(n + 1) + room[0] : 0; }
static void overflow(void *p) { *(volatile int *)p = deep(1); }
extern char the_trap[];

int main(void) {
    _Static_assert(offsetof(ucontext_t, uc_mcontext.gp_regs[3]) == ARG0, "r3");
    _Static_assert(offsetof(ucontext_t, uc_mcontext.gp_regs[32]) == PC, "pc");
    _Static_assert(SYS_write == WRITE && SYS_exit_group == EXIT && SYS_rt_sigaction == ACTION, "numbers");
    _Static_assert(SYS_sigaltstack == STACK && SYS_rt_sigprocmask == MASK, "numbers");
    /* The kernel's own structures: handler, flags, restorer, mask; address, flags, size. */
    struct { void *handler; unsigned long flags; void *restorer; unsigned long mask[1]; } action =
        { handler, SA_SIGINFO | SA_ONSTACK | SA_NODEFER, 0, { 0 } };
    struct { void *sp; int flags; unsigned long size; } altstack = { stack, 0, sizeof stack };
    if (__windlass_syscall(STACK, &altstack, 0, 0, 0, 0, 0)) return 1;
    if (__windlass_syscall(ACTION, SIGTRAP, &action, 0, 8, 0, 0)) return 2;
    if (__windlass_syscall(ACTION, SIGSEGV, &action, 0, 8, 0, 0)) return 3;
    int count = 0;
    for (volatile int i = 0; i < 3; i++) {
        double kept = i + 0.25;
        asm volatile("" : "+d"(kept));
        if (__windlass_protect(fine, &count, record) != 0) return 4;
        if (__windlass_protect(trap, 0, record) != 1) return 5;
        if (number != SIGTRAP || pc != (long)the_trap) return 6;
        if (kept != i + 0.25) return 7;
        if (__windlass_protect(overflow, &count, record) != 1 || number != SIGSEGV) return 8;
    }
    if (count != 3) return 9;
    if (__windlass_syscall(WRITE, 1, "written\n", 8, 0, 0, 0) != 8) return 10;
    /* Errors are negative numbers, as everywhere else: EBADF. */
    if (__windlass_syscall(WRITE, 99, "written\n", 8, 0, 0, 0) != -9) return 11;
    /* All six arguments arrive: mmap. */
    if (__windlass_syscall(SYS_mmap, 0, 65536, 3, 0x22, -1, 0) < 0) return 12;
    return __windlass_syscall(EXIT, 42, 0, 0, 0, 0, 0);
}
"#;
    for platform in [LITTLE, BIG] {
        let startup = startup(&platform.elf);
        let mut module = Module::new();
        for (name, code) in startup.functions {
            // C has its own.
            if name != "_start" {
                module.add_function(ExternalName::Symbol(name), code);
            }
        }
        let folder = tempfile::tempdir().unwrap();
        let path = |name| folder.path().join(name);
        let object = write_object(&module, &platform.elf, &ObjectOptions::default()).unwrap();
        std::fs::write(path("ours.o"), object).unwrap();
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
        let compiler = platform.compiler;
        let output = Command::new(compiler)
            .args(["-D_GNU_SOURCE", "-O1", "-static", "-o"])
            .args([path("program"), path("theirs.c"), path("ours.o")])
            .args(constants.map(|(name, value)| alloc::format!("-D{name}={value}")))
            .output()
            .unwrap_or_else(|_| panic!("{compiler} not found: tools/test.sh installs it"));
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let output = run(&platform, &path("program"));
        assert_eq!(String::from_utf8_lossy(&output.stdout), "written\n");
        assert_eq!(output.status.code(), Some(42), "{output:?}");
    }
}
