//! Turns each target's instruction table and lowering rules into Rust:
//! `OUT_DIR/<target>_minst.{rs,isle}` and `OUT_DIR/<target>_lower.rs`.

extern crate alloc;

use windlass_rules::generate::{Output, fail, generate};
use windlass_rules::isle;
use windlass_rules::spec::Table;

// The library reads the same file; what only its tests use is unused here.
#[path = "src/arm/insts.rs"]
#[allow(dead_code)]
mod arm_insts;

fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    let out = Output::from_env();
    target(&out, &arm_insts::table());
    println!("cargo:rerun-if-changed=src/arm/insts.rs");
    println!("cargo:rerun-if-changed=src/arm/insts");
}

fn target(out: &Output, table: &Table) {
    let name = table.prefix;
    let text = generate(table).unwrap_or_else(|e| fail(&format!("instruction table of {name}: {e}")));
    out.write(&format!("{name}_minst.rs"), &text.rust);
    let minst = out.write(&format!("{name}_minst.isle"), &text.isle);

    let rules = isle::files(name);
    let terms = out.write("ir.isle", &windlass_rules::ir_terms::ir_terms());
    let mut inputs = vec![isle::prelude(), terms, minst];
    inputs.extend(rules);
    isle::compile_to(out, &format!("{name}_lower.rs"), &inputs);
}
