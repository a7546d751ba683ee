//! Thread-local data and atomic accesses among threads: objects linked by C compilers of the targets, and executables of
//! the linker of this crate, run in the emulator.

use std::path::Path;
use std::process::Command;
use windlass::builtins::{link_missing, link_own};
use windlass::exe::{write_executable, write_file_atomically};
use windlass::ir::text::parse_functions;
use windlass::ir::{Endianness, ExternalName};
use windlass::link::{DataContents, DataDef, LinkOptions, Module};
use windlass::object::{ObjectOptions, write_object};
use windlass::{Context, Target, lookup};

/// Settings, and their values.
type Choice = &'static [(&'static str, &'static str)];

/// A target, and a compiler for its platform.
struct Platform {
    name: &'static str,
    /// The compiler, without `-gcc`, which is also the name of the folder with its libraries.
    compiler: Option<&'static str>,
    /// What it must be told.
    flags: &'static [&'static str],
    /// Ways to a datum at a constant distance from the thread pointer.
    local_exec: &'static [Choice],
    /// Ways to a datum wherever it is defined.
    general_dynamic: &'static [Choice],
    /// Of executables without a C library.
    own: &'static [Choice],
    /// `%is_near(address) -> i32`: is an address a little behind the thread pointer?
    is_near: &'static str,
}

/// Whether the thread pointer is read by the processor, the kernel, or the platform's library.
const HELPERS: [Choice; 2] = [&[("kernel_helpers", "on")], &[("kernel_helpers", "off")]];

const ARM: Platform = Platform {
    name: "armv7hf",
    compiler: Some("arm-linux-gnueabihf"),
    flags: &["-marm"],
    local_exec: &HELPERS,
    general_dynamic: &HELPERS,
    own: &[
        &[("tls_model", "elf_le"), ("kernel_helpers", "off")],
        &[("tls_model", "elf_le"), ("kernel_helpers", "on")],
        &[("tls_model", "elf_gd"), ("kernel_helpers", "on")],
    ],
    is_near: "
function %is_near(i32) -> i32 system_v {
    fn0 = %__aeabi_read_tp() -> i32 aapcs
block0(v0: i32):
    v1 = call fn0()
    v2 = isub v0, v1
    v3 = iconst.i32 1024
    v4 = icmp ult v2, v3
    v5 = uextend.i32 v4
    return v5
}
",
};

const SOFT_ARM: Platform = Platform { compiler: Some("arm-linux-gnueabi"), ..ARM };

const POWER: Platform = Platform {
    name: "ppc64",
    compiler: Some("powerpc64-linux-gnu"),
    flags: &[],
    local_exec: &[&[], &[("toc_free", "on")]],
    // Data in front of the call that linkers replace.
    general_dynamic: &[&[], &[("return_address_data", "offset"), ("align_return_addresses", "16")]],
    own: &[
        &[("tls_model", "elf_le")],
        &[("tls_model", "elf_le"), ("toc_free", "on")],
        &[("tls_model", "elf_gd")],
        &[("tls_model", "elf_gd"), ("return_address_data", "index")],
    ],
    // No function tells the thread pointer.
    is_near: "
function %is_near(i64) -> i32 system_v {
block0(v0: i64):
    v1 = iconst.i32 1
    return v1
}
",
};

const PLATFORMS: [Platform; 7] = [
    ARM,
    Platform { name: "armv7", flags: &["-marm", "-march=armv7-a+fp", "-mfloat-abi=softfp"], ..SOFT_ARM },
    Platform { name: "armv6", flags: &["-marm", "-march=armv6+fp", "-mfloat-abi=softfp"], ..SOFT_ARM },
    Platform { name: "armv5", flags: &["-marm", "-march=armv5te"], ..SOFT_ARM },
    Platform { name: "ppc64le", compiler: Some("powerpc64le-linux-gnu"), ..POWER },
    POWER,
    // Its libraries are not packaged.
    Platform { name: "ppc64v2", compiler: None, ..POWER },
];

fn target(name: &str, settings: &[(&str, &str)]) -> Box<dyn Target> {
    let mut builder = lookup(name).expect("a target");
    for (name, value) in settings {
        builder.set(name, Some(value)).expect("a setting");
    }
    builder.build().expect("settings that go together")
}

/// Compiles functions; `ADDR` in their text is the type of addresses.
fn compile(target: &dyn Target, text: &str) -> Module {
    let mut module = Module::new();
    let text = text.replace("ADDR", &target.address_type().to_string());
    for func in parse_functions(&text).expect("it parses") {
        let code = target.compile(&func, &mut Context::new()).expect("it compiles");
        module.add_function(func.name, code);
    }
    module
}

impl Platform {
    /// Compiles and links C with objects, by the platform's compiler.
    fn link(&self, platform: &str, flags: &[&str], inputs: &[&Path], output: &Path) {
        let compiler = format!("{platform}-gcc");
        let result = Command::new(&compiler)
            .args(self.flags)
            .args(["-O1", "-pthread", "-Wl,--fatal-warnings"])
            .args(flags)
            .arg("-o")
            .arg(output)
            .args(inputs)
            .output()
            .unwrap_or_else(|_| {
                panic!("{compiler} not found: install it with `apt-get install gcc-{platform}`")
            });
        assert!(result.status.success(), "{}: {}", self.name, String::from_utf8_lossy(&result.stderr));
    }
}

/// Runs a program in the target's emulator; its output and its status.
fn run(target: &dyn Target, flags: &[&str], program: &Path) -> (String, Option<i32>) {
    let emulator = target.emulator();
    let output = Command::new(emulator.program)
        .args(emulator.args)
        .args(flags)
        .arg(program)
        .output()
        .unwrap_or_else(|_| {
            panic!("{} not found: install it with `apt-get install {}`", emulator.program, emulator.package)
        });
    (
        String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr),
        output.status.code(),
    )
}

fn name(name: &str) -> ExternalName {
    ExternalName::symbol(name)
}

/// Numbers as the target has them in memory.
fn words(target: &dyn Target, words: &[u32]) -> Vec<u8> {
    let bytes = |word: &u32| match target.endianness() {
        Endianness::Little => word.to_le_bytes(),
        Endianness::Big => word.to_be_bytes(),
    };
    words.iter().flat_map(bytes).collect()
}

/// `ours` starts as 7 and 1000, `zeros` as zeros.
fn add_thread_locals(module: &mut Module, target: &dyn Target) {
    let bytes = words(target, &[7, 1000]);
    module.add_data(DataDef { thread_local: true, ..DataDef::read_only(name("ours"), bytes, 8) });
    module.add_data(DataDef { thread_local: true, ..DataDef::zeros(name("zeros"), 40, 16) });
}

const BUMP: &str = "
function %bump(i32, i32) -> i64 system_v {
    gv0 = symbol tls %theirs
    gv1 = symbol tls %ours+4
    gv2 = symbol tls %zeros+36
    gv3 = symbol tls %ours
block0(v0: i32, v1: i32):
    v2 = tls_value.ADDR gv0
    v3 = load.i32 v2
    v4 = iadd v3, v0
    store v4, v2
    v5 = tls_value.ADDR gv1
    v6 = load.i32 v5
    v7 = iadd v6, v1
    store v7, v5
    v8 = tls_value.ADDR gv2
    v9 = load.i32 v8
    v10 = iadd v9, v4
    store v10, v8
    v11 = tls_value.ADDR gv3
    v12 = load.i32 v11
    v13 = iadd v10, v12
    v14 = iadd v0, v1
    v15 = iadd v13, v14
    v16 = uextend.i64 v15
    v17 = uextend.i64 v7
    v18 = ishl_imm v17, 32
    v19 = bor v16, v18
    return v19
}
";

const THREADS_C: &str = r#"
#include <pthread.h>
#include <stdio.h>
unsigned long long bump(int, int);
__thread int theirs = 100;
extern __thread int ours[2], zeros[10];
static char lines[4][200];
static pthread_barrier_t barrier;
static void *work(void *p) {
    long n = (long)p;
    char *line = lines[n];
    for (int i = 0; i < 3; i++) {
        pthread_barrier_wait(&barrier);
        unsigned long long both = bump(n + 1, 10 * n);
        line += sprintf(line, "%d %d, ", (int)both, (int)(both >> 32));
    }
    sprintf(line, "%d %d %d %d", theirs, ours[0], ours[1], zeros[9]);
    return 0;
}
int main(void) {
    pthread_t threads[4];
    pthread_barrier_init(&barrier, 0, 4);
    for (long n = 1; n < 4; n++) pthread_create(&threads[n], 0, work, (void *)n);
    work(0);
    for (int n = 1; n < 4; n++) pthread_join(threads[n], 0);
    for (int n = 0; n < 4; n++) puts(lines[n]);
    return 0;
}
"#;

/// What the program prints.
fn expected_lines() -> String {
    let mut out = String::new();
    for n in 0..4 {
        let (mut theirs, mut ours, mut zeros) = (100, 1000, 0);
        for _ in 0..3 {
            theirs += n + 1;
            ours += 10 * n;
            zeros += theirs;
            out += &format!("{} {ours}, ", zeros + 7 + (n + 1) + 10 * n);
        }
        out += &format!("{theirs} 7 {ours} {zeros}\n");
    }
    out
}

#[test]
fn c_compilers_link_thread_local_data() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = |name: &str| folder.path().join(name);
    std::fs::write(path("theirs.c"), THREADS_C).expect("a file");
    for platform in PLATFORMS {
        let Some(compiler) = platform.compiler else { continue };
        let of_model = |model, choices: &'static [Choice]| choices.iter().map(move |choice| (model, choice));
        let local_exec = of_model("elf_le", platform.local_exec);
        for (model, choice) in local_exec.chain(of_model("elf_gd", platform.general_dynamic)) {
            let target = target(platform.name, &[&[("tls_model", model)], *choice].concat());
            let mut module = compile(&*target, BUMP);
            add_thread_locals(&mut module, &*target);
            link_own(&mut module, &*target, &mut Context::new()).expect("the library compiles");
            let object = write_object(&module, target.elf(), &ObjectOptions::default()).expect("an object");
            std::fs::write(path("ours.o"), object).expect("a file");
            platform.link(compiler, &["-static"], &[&path("theirs.c"), &path("ours.o")], &path("program"));
            let expected = (expected_lines(), Some(0));
            let case = format!("{} {model} {choice:?}", platform.name);
            assert_eq!(run(&*target, &[], &path("program")), expected, "{case}");

            // General dynamic is for code that is loaded anywhere, in an executable or a shared object.
            if model == "elf_gd" {
                let library = format!("LD_LIBRARY_PATH={}", folder.path().display());
                let root = format!("/usr/{compiler}");
                let flags = ["-L", &root, "-E", &library];
                let pie = ["-fPIE", "-pie"];
                platform.link(compiler, &pie, &[&path("theirs.c"), &path("ours.o")], &path("program"));
                assert_eq!(run(&*target, &flags, &path("program")), expected, "{case} anywhere");

                platform.link(compiler, &["-shared"], &[&path("ours.o")], &path("libours.so"));
                platform.link(compiler, &[], &[&path("theirs.c"), &path("libours.so")], &path("program"));
                assert_eq!(run(&*target, &flags, &path("program")), expected, "{case} shared");
            }
        }
    }
}

/// A program without a C library: the linker of this crate lays out the data, and the program fills them.
#[test]
fn executables_have_thread_local_data() {
    const MAIN: &str = "
function %__windlass_main(ADDR) -> i32 system_v {
    fn0 = %bump(i32, i32) -> i64 system_v
    fn1 = %is_near(ADDR) -> i32 system_v
    gv0 = symbol tls %aligned
block0(v0: ADDR):
    v1 = iconst.i32 1
    v2 = iconst.i32 10
    v3 = call fn0(v1, v2)
    v4 = call fn0(v2, v1)
    v5 = ireduce.i32 v4
    v6 = ushr_imm v4, 32
    v7 = ireduce.i32 v6
    v8 = iadd v5, v7
    ; aligned as it asks for
    v9 = tls_value.ADDR gv0
    v10 = band_imm v9, 63
    v11 = iconst.ADDR 0
    v12 = icmp eq v10, v11
    v13 = uextend.i32 v12
    v14 = load.i32 v9
    v15 = call fn1(v9)
    v16 = band v13, v15
    v17 = imul v14, v16
    v18 = iadd v8, v17
    return v18
}
";
    let folder = tempfile::tempdir().expect("a folder");
    for platform in PLATFORMS {
        for choice in platform.own {
            let target = target(platform.name, choice);
            let mut module = compile(&*target, &format!("{BUMP}{MAIN}{}", platform.is_near));
            add_thread_locals(&mut module, &*target);
            let bytes = words(&*target, &[100]);
            module.add_data(DataDef { thread_local: true, ..DataDef::read_only(name("theirs"), bytes, 4) });
            module.add_data(DataDef {
                thread_local: true,
                contents: DataContents::Bytes(words(&*target, &[9])),
                ..DataDef::zeros(name("aligned"), 4, 64)
            });
            let startup = target.startup();
            let entry = startup.entry(&module);
            startup.add_to(&mut module);
            link_missing(&mut module, &*target, &mut Context::new()).expect("the library compiles");
            let image = module.link(&LinkOptions::of_target(&*target)).expect("it links");
            let file = write_executable(&image, target.elf(), &entry).expect("an executable");
            let program = folder.path().join("program");
            write_file_atomically(&program, &file, true).expect("a file");
            // bump(1, 10): theirs 101, ours 1010, zeros 101, sum 101 + 7 + 11; bump(10, 1): 111, 1011, 212, 212 + 7 + 11.
            let sum = 212 + 7 + 11 + 1011 + 9;
            let expected = (String::new(), Some(sum % 256));
            assert_eq!(run(&*target, &[], &program), expected, "{} {choice:?}", platform.name);
        }
    }
}

const COUNT: &str = "
function %count(ADDR, i32) system_v {
block0(v0: ADDR, v1: i32):
    v2 = iconst.i32 1
    jump block1(v1)
block1(v3: i32):
    v4 = iadd_imm v0, 1
    v5 = iconst.i8 1
    v6 = atomic_rmw.i8 add v4, v5
    v7 = iadd_imm v0, 2
    v8 = iconst.i16 3
    v9 = atomic_rmw.i16 big add v7, v8
    v10 = iadd_imm v0, 4
    v11 = atomic_rmw.i32 sub v10, v2
    v12 = iadd_imm v0, 8
    v13 = iconst.i64 0x1_0000_0001
    v14 = atomic_rmw.i64 add v12, v13
    v15 = iadd_imm v0, 16
    v16 = atomic_load.i64 v15
    jump block2(v16)
block2(v17: i64):
    v18 = iadd v17, v13
    v19 = atomic_cas v15, v17, v18
    v20 = icmp eq v19, v17
    brif v20, block3, block2(v19)
block3:
    v21 = load.i8 v0
    jump block4(v21)
block4(v22: i8):
    v23 = iadd v22, v5
    v24 = atomic_cas v0, v22, v23
    v25 = icmp eq v24, v22
    brif v25, block5, block4(v24)
block5:
    v26 = isub v3, v2
    brif v26, block1(v26), block6
block6:
    return
}
";

const COUNT_C: &str = r#"
#include <pthread.h>
#include <stdio.h>
void count(void *, int);
static struct { unsigned char a, b; unsigned short c; int d; unsigned long long e, f; } data
    __attribute__((aligned(8)));
static void *work(void *p) { count(&data, 5000); return 0; }
int main(void) {
    pthread_t threads[4];
    for (int n = 0; n < 4; n++) pthread_create(&threads[n], 0, work, 0);
    for (int n = 0; n < 4; n++) pthread_join(threads[n], 0);
    unsigned short c = data.c;
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
    c = c << 8 | c >> 8;
#endif
    printf("%d %d %d %d %llx %llx\n", data.a, data.b, c, data.d, data.e, data.f);
    return 0;
}
"#;

#[test]
fn atomic_accesses_lose_nothing_among_threads() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = |name: &str| folder.path().join(name);
    std::fs::write(path("theirs.c"), COUNT_C).expect("a file");
    for platform in PLATFORMS {
        let Some(compiler) = platform.compiler else { continue };
        let target = target(platform.name, &[]);
        let module = compile(&*target, COUNT);
        let object = write_object(&module, target.elf(), &ObjectOptions::default()).expect("an object");
        std::fs::write(path("ours.o"), object).expect("a file");
        platform.link(compiler, &["-static"], &[&path("theirs.c"), &path("ours.o")], &path("program"));
        // 20,000 times: modulo 256, and three times modulo 65,536.
        let expected = ("32 32 60000 -20000 4e2000004e20 4e2000004e20\n".to_owned(), Some(0));
        assert_eq!(run(&*target, &[], &path("program")), expected, "{}", platform.name);
    }
}

#[test]
fn power_without_a_table_of_contents_has_local_exec_alone() {
    const TEXT: &str =
        "function %f() -> i64 {\n gv0 = symbol tls %x\nblock0:\n v0 = tls_value.i64 gv0\n return v0\n}";
    for (settings, expected) in [
        (&[][..], "tls_value without the setting tls_model"),
        (&[("tls_model", "elf_gd"), ("toc_free", "on")], "tls_model=elf_gd without a table of contents"),
    ] {
        for name in ["ppc64le", "ppc64", "ppc64v2"] {
            let func = parse_functions(TEXT).expect("it parses").remove(0);
            let error = target(name, settings).compile(&func, &mut Context::new()).expect_err("a refusal");
            assert!(error.to_string().contains(expected), "{error}");
        }
    }
}
