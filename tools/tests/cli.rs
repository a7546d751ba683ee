//! The command as its users meet it: exit status, what is printed where, and that bad input is told with its place.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

const GOOD: &str = "\
function %twice(i32) -> i32 {
block0(v0: i32):
    v1 = iadd v0, v0
    return v1
}
; run: %twice(4) == 8
; run: %twice(-1) == -2
";

struct Folder(tempfile::TempDir);

impl Folder {
    fn new() -> Folder {
        Folder(tempfile::tempdir().unwrap())
    }

    fn file(&self, name: &str, text: impl AsRef<[u8]>) -> PathBuf {
        let path = self.0.path().join(name);
        std::fs::write(&path, text).unwrap();
        path
    }
}

fn windlass(folder: &Folder, args: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_windlass")).args(args).current_dir(folder.0.path()).output().unwrap()
}

fn text(bytes: &[u8]) -> &str {
    std::str::from_utf8(bytes).unwrap()
}

/// Status 1, nothing on standard output, and all of `parts` on standard error.
fn refused(output: &Output, status: i32, parts: &[&str]) {
    let stderr = text(&output.stderr);
    assert_eq!(output.status.code(), Some(status), "{stderr}");
    for part in parts {
        assert!(stderr.contains(part), "no '{part}' in: {stderr}");
    }
    assert!(!stderr.contains("panicked"), "{stderr}");
}

fn has(program: &str) -> bool {
    std::env::split_paths(&std::env::var_os("PATH").unwrap()).any(|dir| dir.join(program).is_file())
}

#[test]
fn functions_run_in_the_interpreter_with_nothing_installed() {
    let folder = Folder::new();
    folder.file("a.clif", GOOD);
    let output = Command::new(env!("CARGO_BIN_EXE_windlass"))
        .args(["run", "--target", "interp", "a.clif"])
        .current_dir(folder.0.path())
        .env("PATH", "")
        .output()
        .unwrap();
    assert_eq!(text(&output.stderr), "");
    assert!(output.status.success());
    assert!(text(&output.stdout).ends_with("2 passed, 0 failed, 0 skipped\n"), "{}", text(&output.stdout));
}

#[test]
fn a_missing_emulator_is_an_error_that_names_the_package() {
    let folder = Folder::new();
    folder.file("a.clif", GOOD);
    for args in
        [&["run", "a.clif", "--target", "armv7hf"][..], &["test", "a.clif", "--target", "armv7hf"][..]]
    {
        folder.file("a.clif", format!("test run\n{GOOD}"));
        let output = Command::new(env!("CARGO_BIN_EXE_windlass"))
            .args(args)
            .current_dir(folder.0.path())
            .env("PATH", "")
            .output()
            .unwrap();
        assert_eq!(output.status.code(), Some(1));
        let all = format!("{}{}", text(&output.stdout), text(&output.stderr));
        assert!(all.contains("apt-get install qemu-user"), "{all}");
    }
}

#[test]
fn show_says_where_the_code_runs() {
    let folder = Folder::new();
    folder.file("a.clif", GOOD);
    let output = Command::new(env!("CARGO_BIN_EXE_windlass"))
        .args(["show", "a.clif", "--target", "armv7hf"])
        .current_dir(folder.0.path())
        .env("PATH", "")
        .output()
        .unwrap();
    let stdout = text(&output.stdout);
    assert!(output.status.success(), "{stdout}{}", text(&output.stderr));
    assert!(stdout.contains("v1 = iadd v0, v0") && stdout.contains("add r0, r0, r0"), "{stdout}");
    assert!(stdout.contains("qemu-arm is not installed") && stdout.contains("interpreter"), "{stdout}");
    assert!(stdout.ends_with("2 passed, 0 failed, 0 skipped\n"), "{stdout}");
    if has("qemu-arm") {
        let stdout = windlass(&folder, &["show", "a.clif"]).stdout;
        assert!(text(&stdout).contains("under qemu-arm"), "{}", text(&stdout));
    }
}

#[test]
fn one_call_prints_its_results() {
    let folder = Folder::new();
    folder.file("a.clif", GOOD);
    let output = windlass(&folder, &["run", "a.clif", "--target", "interp", "--invoke", "%twice(21)"]);
    assert_eq!(text(&output.stdout), "%twice(21) -> 42\n");
    let output = windlass(&folder, &["run", "a.clif", "--target", "interp", "--invoke", "%thrice(21)"]);
    refused(&output, 1, &["there is no function %thrice"]);
}

#[test]
fn wrong_results_are_failures() {
    let folder = Folder::new();
    folder.file("a.clif", GOOD.replace("== 8", "== 9"));
    let output = windlass(&folder, &["run", "a.clif", "--target", "interp"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(text(&output.stdout).contains("expected 9"), "{}", text(&output.stdout));
}

#[test]
fn bad_input_is_told_with_file_line_column_and_caret() {
    let cases = [
        ("syntax", GOOD.replace("iadd v0, v0", "iadd v0 v0"), "bad.clif:3:18", "expected"),
        ("opcode", GOOD.replace("iadd", "iaddd"), "bad.clif:3:10", "iaddd"),
        ("type", GOOD.replace("(i32) -> i32", "(i32) -> i64"), "bad.clif:4:5", "i64"),
        ("directive", GOOD.replace("%twice(4)", "%twice(x)"), "bad.clif:6:", "x"),
        (
            "undefined",
            GOOD.replace("block0(v0", "    fn0 = %gone(i32)\nblock0(v0")
                .replace("return", "call fn0(v1)\n    return"),
            "bad.clif:2:5",
            "%gone is not defined in this file",
        ),
    ];
    for (what, source, place, message) in cases {
        let folder = Folder::new();
        folder.file("bad.clif", &source);
        for args in [["run", "--target", "interp", "bad.clif"], ["run", "--target", "armv7hf", "bad.clif"]] {
            let output = windlass(&folder, &args);
            refused(&output, 1, &[place, message, "^"]);
            assert!(output.stdout.is_empty(), "{what}");
        }
    }
}

#[test]
fn an_opcode_that_the_target_does_not_have_is_named() {
    let folder = Folder::new();
    folder.file(
        "bad.clif",
        "function %f(i32x4) -> i32x4 {\nblock0(v0: i32x4):\n    v1 = iadd v0, v0\n    return v1\n}\n",
    );
    let output = windlass(&folder, &["compile", "bad.clif", "--target", "armv7hf"]);
    refused(&output, 1, &["bad.clif:", "armv7hf", "not supported"]);
}

#[test]
fn files_that_cannot_be_read_are_named() {
    let folder = Folder::new();
    refused(&windlass(&folder, &["verify", "none.clif"]), 1, &["none.clif", "No such file"]);
    folder.file("bytes.clif", b"function \xff");
    refused(&windlass(&folder, &["verify", "bytes.clif"]), 1, &["bytes.clif", "not UTF-8 at byte 9"]);
    folder.file("empty.clif", "");
    refused(&windlass(&folder, &["compile", "empty.clif", "--target", "armv7hf"]), 1, &["no functions"]);
}

#[test]
fn wrong_usage_has_its_own_status() {
    let folder = Folder::new();
    folder.file("a.clif", GOOD);
    for args in [
        &["compile", "a.clif"][..],
        &["compile", "a.clif", "--target", "pdp11"],
        &["compile", "a.clif", "--target", "armv7hf", "--set", "no_such_setting"],
        &["compile", "a.clif", "--target", "armv7hf", "--emit", "song"],
        &["test", "a.clif", "--target", "pdp11"],
        &["run", "a.clif", "--target", "armv7hf", "-O", "lots"],
        &["frobnicate"],
        &[],
    ] {
        let output = windlass(&folder, args);
        assert_eq!(output.status.code(), Some(2), "{args:?}: {}", text(&output.stderr));
    }
}

#[test]
fn what_is_compiled_can_be_taken_apart() {
    let folder = Folder::new();
    folder.file("a.clif", GOOD);
    folder.file("m.clif", "function %main() -> i32 {\nblock0:\n    v0 = iconst.i32 0\n    return v0\n}\n");
    let target = ["--target", "armv7hf"];
    let compile = |args: &[&str]| {
        let output = windlass(&folder, &[&["compile"], args, &target[..]].concat());
        assert!(output.status.success(), "{}", text(&output.stderr));
        text(&output.stdout).to_owned()
    };
    assert!(compile(&["a.clif"]).contains("add r0, r0, r0"));
    assert!(compile(&["a.clif", "--side-by-side"]).contains("v1 = iadd v0, v0"));
    assert!(compile(&["a.clif", "--emit", "clif"]).starts_with("function %twice"));
    assert!(compile(&["a.clif", "--emit", "vcode"]).contains("%twice allocated"));
    for (source, kind, file) in
        [("a.clif", "obj", "a.o"), ("m.clif", "exe", "m.elf"), ("a.clif", "bin", "a.bin")]
    {
        compile(&[source, "--emit", kind]);
        let output = windlass(&folder, &["disasm", file, "--target", "armv7hf"]);
        let listing = text(&output.stdout);
        assert!(output.status.success(), "{}", text(&output.stderr));
        assert!(listing.contains("bx lr") || listing.contains("mov r0, #0"), "{file}: {listing}");
        let first = std::fs::read(folder.0.path().join(file)).unwrap();
        compile(&[source, "--emit", kind, "-o", "again"]);
        assert_eq!(first, std::fs::read(folder.0.path().join("again")).unwrap(), "same input, same bytes");
    }
}

#[test]
fn statistics_go_to_standard_error() {
    let folder = Folder::new();
    folder.file("a.clif", GOOD);
    let output = windlass(&folder, &["compile", "a.clif", "--target", "armv7hf", "--stats", "-o", "a.s"]);
    let table = text(&output.stderr);
    for row in ["IR instructions", "machine instructions", "spills", "code bytes", "total time"] {
        assert!(table.contains(row), "{table}");
    }
    assert!(Path::new(&folder.0.path().join("a.s")).is_file());
}

#[test]
fn filetests_are_counted_and_blessed() {
    let folder = Folder::new();
    let path = folder.file("a.clif", format!("test cat precise-output\ntest interpret\n\n{GOOD}"));
    let output = windlass(&folder, &["test", "a.clif"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(text(&output.stdout).ends_with("5 passed, 1 failed, 0 skipped\n"), "{}", text(&output.stdout));
    let output = windlass(&folder, &["test", "a.clif", "--bless"]);
    assert!(output.status.success(), "{}", text(&output.stdout));
    let blessed = std::fs::read_to_string(&path).unwrap();
    assert!(blessed.contains("; run: %twice(-1) == -2\n;; cat\n; function %twice"), "{blessed}");
    let output = windlass(&folder, &["test", ".", "--format", "json"]);
    assert!(output.status.success(), "{}", text(&output.stdout));
    let lines: Vec<serde_json::Value> =
        text(&output.stdout).lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(lines.last().unwrap()["passed"], 6);
    assert!(lines.iter().any(|check| check["name"] == "run: %twice(4) == 8" && check["outcome"] == "passed"));
}

#[test]
fn commands_that_do_not_exist_are_refused_by_name() {
    let folder = Folder::new();
    folder.file("a.clif", format!("test optimize\ntest run\nset opt_level=speed\n{GOOD}"));
    let output = windlass(&folder, &["test", "a.clif"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(text(&output.stdout).contains("`test optimize` does not exist yet"), "{}", text(&output.stdout));
}

#[test]
fn targets_are_listed() {
    let folder = Folder::new();
    let output = windlass(&folder, &["targets"]);
    let listing = text(&output.stdout);
    assert!(output.status.success());
    assert!(listing.contains("armv7hf") && listing.contains("stress_spill_all"), "{listing}");
}

#[test]
fn fuzzing_runs_and_tells_what_it_did() {
    let folder = Folder::new();
    let output = windlass(&folder, &["fuzz", "--text", "--count", "2000", "--jobs", "1"]);
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    assert!(text(&output.stdout).starts_with("2000 inputs"), "{}", text(&output.stdout));
    if has("qemu-arm") {
        let output = windlass(&folder, &["fuzz", "--count", "20", "--batch", "10", "--jobs", "1"]);
        assert_eq!(output.status.code(), Some(0), "{}", text(&output.stdout));
        assert!(text(&output.stdout).starts_with("20 functions"), "{}", text(&output.stdout));
    }
    refused(&windlass(&folder, &["fuzz", "--target", "vax"]), 2, &["vax"]);
    refused(&windlass(&folder, &["fuzz", "file.clif"]), 2, &["--text"]);
}

#[test]
fn files_are_reduced_while_a_command_does_the_same() {
    let folder = Folder::new();
    folder.file("a.clif", GOOD.replace("v1 = iadd v0, v0", "v2 = imul v0, v0\n    v1 = isub v2, v0"));
    let output = windlass(&folder, &["reduce", "a.clif", "--test", "grep -q imul"]);
    assert_eq!(
        text(&output.stdout),
        "\nfunction %twice() system_v {\nblock0:\n    v0 = iconst.i32 0\n    v1 = imul v0, v0  ; v0 = 0, v0 = 0\n    return\n}\n"
    );
    // What does not parse is reduced by lines.
    folder.file("b.clif", "what\nis\nthis\n");
    let output = windlass(&folder, &["reduce", "b.clif", "--test", "grep this", "--contains", "this"]);
    assert_eq!(text(&output.stdout), "this\n");
    refused(&windlass(&folder, &["reduce", "none.clif", "--test", "true"]), 1, &["none.clif"]);
    let never = windlass(&folder, &["reduce", "b.clif", "--test", "true", "--contains", "x"]);
    refused(&never, 1, &["does not print 'x'"]);
}
