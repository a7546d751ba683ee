//! Turns each target's instruction table and lowering rules into Rust:
//! `OUT_DIR/<target>_minst.{rs,isle}`, `OUT_DIR/<target>_lower.rs` and `OUT_DIR/<target>_native.rs`; and the
//! legalization rules into `OUT_DIR/legalize.rs`.

extern crate alloc;

use windlass_rules::generate::{Output, fail, generate};
use windlass_rules::spec::Table;
use windlass_rules::{ir_terms, isle, native};

// The library reads the same file; what only its tests use is unused here.
#[path = "src/arm/insts.rs"]
#[allow(dead_code)]
mod arm_insts;
#[path = "src/ppc64/insts.rs"]
#[allow(dead_code)]
mod ppc64_insts;

fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    let out = Output::from_env();
    legalize(&out);
    target(&out, &arm_insts::table());
    target(&out, &ppc64_insts::table());
    for folder in ["arm", "ppc64"] {
        println!("cargo:rerun-if-changed=src/{folder}/insts.rs");
        println!("cargo:rerun-if-changed=src/{folder}/insts");
    }
}

fn target(out: &Output, table: &Table) {
    let name = table.prefix;
    let text = generate(table).unwrap_or_else(|e| fail(&format!("instruction table of {name}: {e}")));
    out.write(&format!("{name}_minst.rs"), &text.rust);
    let minst = out.write(&format!("{name}_minst.isle"), &text.isle);

    let rules = isle::files(name);
    let terms = out.write("ir.isle", &ir_terms::ir_terms());
    let mut inputs = vec![isle::prelude(), terms, isle::prelude_lower(), minst];
    inputs.extend_from_slice(&rules);
    isle::compile_to(out, &format!("{name}_lower.rs"), &inputs);
    let native = native::native_table(&rules).unwrap_or_else(|e| fail(&e));
    out.write(&format!("{name}_native.rs"), &native);
}

fn legalize(out: &Output) {
    let terms = out.write("ir.isle", &ir_terms::ir_terms());
    let constructors = out.write("ir_constructors.isle", &ir_terms::ir_constructors());
    let mut inputs = vec![isle::prelude(), terms];
    let mut rules = isle::legalize_files();
    // The legalization prelude declares what the constructors are made of.
    inputs.push(rules.remove(0));
    inputs.push(constructors);
    inputs.extend(rules);
    isle::compile_to(out, "legalize.rs", &inputs);
}
