//! The lists of rule files, and their compilation with cranelift-isle.
//!
//! A target's instruction selector is made of the files of its folder; the
//! build script, the formatter check and rule coverage read the same list. Files are
//! compiled together; overlapping rules of equal priority are
//! errors, so the order of files never decides which rule fires.

use crate::generate::{Output, fail, generate};
use crate::ir_terms::{ir_constructors, ir_terms};
use crate::native::native_table;
use crate::spec::Table;
use cranelift_isle::codegen::{CodegenOptions, Prefix};
use std::fs;
use std::path::{Path, PathBuf};

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

/// The files of a built-in target's selector after the prelude and the generated
/// instruction file, see [`files_in`]; empty for a target without rules here.
pub fn files(target: &str) -> Vec<PathBuf> {
    files_in(&root().join(target))
}

/// The rule files of a folder, by name. `machine.isle`, with the terms that the others are written in, comes first.
pub fn files_in(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    let mut files: Vec<PathBuf> = entries.map(|entry| entry.path()).collect();
    files.retain(|file| file.extension().is_some_and(|ext| ext == "isle"));
    files.sort_by_key(|file| (!file.ends_with("machine.isle"), file.clone()));
    files
}

/// For build scripts: turns an instruction table and the rules in `folder` into `<prefix>_minst.rs`, `<prefix>_lower.rs` and
/// `<prefix>_native.rs`, and asks cargo to run the script again when a rule file changes, comes or goes. Ends the build with
/// the diagnostics if something is wrong with them.
pub fn backend(out: &Output, table: &Table, folder: &Path) {
    let name = table.prefix;
    let text = generate(table).unwrap_or_else(|e| fail(&format!("instruction table of {name}: {e}")));
    out.write(&format!("{name}_minst.rs"), &text.rust);
    let minst = out.write(&format!("{name}_minst.isle"), &text.isle);

    println!("cargo:rerun-if-changed={}", folder.display());
    let rules = files_in(folder);
    let terms = out.write("ir.isle", &ir_terms());
    let mut inputs = vec![prelude(), terms, prelude_lower(), minst];
    inputs.extend_from_slice(&rules);
    compile_to(out, &format!("{name}_lower.rs"), &inputs);
    let native = native_table(&rules).unwrap_or_else(|e| fail(&e));
    out.write(&format!("{name}_native.rs"), &native);
}

/// The same of the legalization rules, which become `legalize.rs`.
pub fn legalization(out: &Output) {
    let terms = out.write("ir.isle", &ir_terms());
    let constructors = out.write("ir_constructors.isle", &ir_constructors());
    let mut inputs = vec![prelude(), terms];
    let mut rules = legalize_files();
    // The legalization prelude declares what the constructors are made of.
    inputs.push(rules.remove(0));
    inputs.push(constructors);
    inputs.extend(rules);
    compile_to(out, "legalize.rs", &inputs);
}

/// The files of legalization, in order.
pub fn legalize_files() -> Vec<PathBuf> {
    LEGALIZE.iter().map(|f| root().join(f)).collect()
}

/// Compiles rule files to the text of a Rust module without inner attributes,
/// to be `include!`d.
///
/// Whenever a rule of this package fires, the module calls `Context::rule_fired` (declared in the prelude) with the
/// rule's place in its table `RULES: &[(&str, u32, &str)]`: file, line of the rule's first parenthesis, and the term
/// that it is a rule of, in the order of the files and lines. Rules of generated files are not told apart from the
/// instructions that they make, and have no place.
///
/// # Errors
///
/// The compiler's diagnostics, with the lines that they are about.
pub fn compile(inputs: &[PathBuf]) -> Result<String, String> {
    let prefix = |dir: &Path, name: &str| Prefix { prefix: dir.display().to_string(), name: name.into() };
    let mut options = CodegenOptions { exclude_global_allow_pragmas: true, ..CodegenOptions::default() };
    // A call for each rule that fires, which `count_rules` turns into one of ours.
    options.emit_logging = true;
    // No path of the machine that builds reaches the generated text.
    options.prefixes.push(prefix(&root(), RULES_PREFIX));
    if let Some(out) = std::env::var_os("OUT_DIR") {
        options.prefixes.push(prefix(Path::new(&out), "<OUT_DIR>"));
    }
    let text = cranelift_isle::compile::from_files(inputs, &options).map_err(|e| e.to_string())?;
    Ok(count_rules(&text, inputs))
}

/// What stands for this package's folder in positions.
const RULES_PREFIX: &str = "<isle-rules>";

/// How the rule compiler logs that a rule fires: the term and the rule's position, two string literals.
const LOG: &str = "log::debug!(\"ISLE {} {}\", ";

/// Replaces logging by calls of `Context::rule_fired`, and appends the table of rules.
fn count_rules(text: &str, inputs: &[PathBuf]) -> String {
    /// File, line and term of a logging line.
    fn logged(line: &str) -> Option<(&str, u32, &str)> {
        let (term, position) = line.trim_start().strip_prefix(LOG)?.strip_suffix(");")?.split_once(", ")?;
        let (file, line) = position.trim_matches('"').rsplit_once(" line ")?;
        let file = file.strip_prefix(RULES_PREFIX)?.trim_start_matches('/');
        Some((file, line.parse().ok()?, term.trim_matches('"')))
    }
    let order: Vec<PathBuf> =
        inputs.iter().filter_map(|f| Some(f.strip_prefix(root()).ok()?.to_path_buf())).collect();
    let place = |file: &str| order.iter().position(|f| f == Path::new(file));
    let mut rules: Vec<(Option<usize>, u32, &str, &str)> =
        text.lines().filter_map(logged).map(|(file, line, term)| (place(file), line, file, term)).collect();
    rules.sort_unstable();
    rules.dedup();

    let mut out = String::with_capacity(text.len());
    for line in text.lines() {
        match logged(line) {
            Some((file, number, term)) => {
                if let Ok(index) = rules.binary_search(&(place(file), number, file, term)) {
                    let indent = &line[..line.len() - line.trim_start().len()];
                    out.push_str(&format!("{indent}C::rule_fired(ctx, {index});\n"));
                }
            }
            None if line.trim_start().starts_with(LOG) => {}
            None => {
                out.push_str(line);
                out.push('\n');
            }
        }
    }
    out.push_str("\n/// Every rule: file, line, and the term that it is a rule of.\n");
    out.push_str("pub static RULES: &[(&str, u32, &str)] = &[\n");
    for (_, line, file, term) in &rules {
        out.push_str(&format!("    ({file:?}, {line}, {term:?}),\n"));
    }
    out.push_str("];\n");
    out
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
    fn the_machine_s_terms_come_first() {
        for target in ["arm", "legalize"] {
            assert!(files(target).iter().all(|f| f.is_file()), "{target}");
        }
        assert!(files("arm")[0].ends_with("machine.isle"));
        assert!(files("arm").len() > 10 && files("no such target").is_empty());
        assert!(legalize_files().iter().all(|f| f.is_file()));
        assert!(prelude().is_file());
    }

    #[test]
    fn each_rule_tells_that_it_fires() {
        let (first, last) = (root().join("arm/a.isle"), root().join("arm/b.isle"));
        let log = |term: &str, place: &str| format!("    {LOG}{term:?}, {place:?});\n");
        let text = log("lower", "<isle-rules>/arm/b.isle line 3")
            + "    return x;\n"
            + &log("op2", "<isle-rules>/arm/a.isle line 20")
            + &log("arm_add", "<OUT_DIR>/arm_minst.isle line 4");
        let counted = count_rules(&text, &[first, last]);
        let calls = "    C::rule_fired(ctx, 1);\n    return x;\n    C::rule_fired(ctx, 0);\n\n";
        assert!(counted.starts_with(calls), "{counted}");
        let table = "= &[\n    (\"arm/a.isle\", 20, \"op2\"),\n    (\"arm/b.isle\", 3, \"lower\"),\n];\n";
        assert!(counted.ends_with(table), "{counted}");
    }
}
