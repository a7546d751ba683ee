//! The ordered lists of rule files, and their compilation with cranelift-isle.
//!
//! One list says which files make up a target's instruction selector; the
//! build script, the formatter check and rule coverage read it. Files are
//! compiled together, in order; overlapping rules of equal priority are
//! errors, so the order of files never decides which rule fires.

use crate::generate::{Output, fail};
use cranelift_isle::codegen::{CodegenOptions, Prefix};
use std::path::{Path, PathBuf};

/// Rule files of each built-in target's selector, relative to this package.
/// The generated instruction file comes between the prelude and these.
const SELECTORS: &[(&str, &[&str])] = &[(
    "arm",
    &[
        "arm/machine.isle",
        "arm/arith.isle",
        "arm/divide.isle",
        "arm/overflow.isle",
        "arm/bits.isle",
        "arm/shift.isle",
        "arm/cmp.isle",
        "arm/convert.isle",
        "arm/float.isle",
        "arm/mem.isle",
        "arm/atomic.isle",
        "arm/branch.isle",
        "arm/call.isle",
        "arm/special.isle",
    ],
)];

/// Rule files of legalization, in order. The terms that match and build instructions come before them.
const LEGALIZE: &[&str] = &[
    "legalize/prelude.isle",
    "legalize/arith.isle",
    "legalize/bits.isle",
    "legalize/wide.isle",
    "legalize/wide_overflow.isle",
    "legalize/float.isle",
    "legalize/mem.isle",
];

/// Directory of this package's rule files.
pub fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

/// Types and helpers that all rules share.
pub fn prelude() -> PathBuf {
    root().join("prelude.isle")
}

/// What every selector shares besides.
pub fn prelude_lower() -> PathBuf {
    root().join("prelude_lower.isle")
}

/// The files of a target's selector after the prelude and the generated
/// instruction file, in order; empty for a target without rules here.
pub fn files(target: &str) -> Vec<PathBuf> {
    let list = SELECTORS.iter().find(|s| s.0 == target).map_or(&[][..], |s| s.1);
    list.iter().map(|f| root().join(f)).collect()
}

/// The files of legalization, in order.
pub fn legalize_files() -> Vec<PathBuf> {
    LEGALIZE.iter().map(|f| root().join(f)).collect()
}

/// Compiles rule files to the text of a Rust module without inner attributes,
/// to be `include!`d.
///
/// # Errors
///
/// The compiler's diagnostics, with the lines that they are about.
pub fn compile(inputs: &[PathBuf]) -> Result<String, String> {
    let prefix = |dir: &Path, name: &str| Prefix { prefix: dir.display().to_string(), name: name.into() };
    let mut options = CodegenOptions { exclude_global_allow_pragmas: true, ..CodegenOptions::default() };
    // No path of the machine that builds reaches the generated text.
    options.prefixes.push(prefix(&root(), "<isle-rules>"));
    if let Some(out) = std::env::var_os("OUT_DIR") {
        options.prefixes.push(prefix(Path::new(&out), "<OUT_DIR>"));
    }
    cranelift_isle::compile::from_files(inputs, &options).map_err(|e| e.to_string())
}

/// For build scripts: compiles rule files to the file `name` of `out`, and asks
/// cargo to run the script again when one of them changes. Ends the build with
/// the diagnostics if they do not compile.
pub fn compile_to(out: &Output, name: &str, inputs: &[PathBuf]) {
    // Generated files follow from the script's own code. Naming them would run it every time, since it writes them.
    let generated = std::env::var_os("OUT_DIR").map(PathBuf::from);
    for f in inputs.iter().filter(|f| generated.as_ref().is_none_or(|dir| !f.starts_with(dir))) {
        println!("cargo:rerun-if-changed={}", f.display());
    }
    match compile(inputs) {
        Ok(text) => {
            out.write(name, &text);
        }
        Err(e) => fail(&format!("the rules of {name} do not compile:\n{e}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_listed_file_exists() {
        for (target, _) in SELECTORS {
            for f in files(target) {
                assert!(f.is_file(), "{target}: no file {}", f.display());
            }
        }
        assert!(prelude().is_file());
    }
}
