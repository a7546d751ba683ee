//! `windlass targets`

use crate::{Failure, Outcome, print};
use std::fmt::Write;
use windlass::target::TARGETS;
use windlass_filetests::matrix::Matrix;

/// List targets and settings, or what each target supports
#[derive(clap::Args)]
pub struct Args {
    /// List opcodes by type and target instead
    #[arg(long)]
    matrix: bool,
    /// How the matrix is printed
    #[arg(long, value_name = "FORMAT", value_parser = ["text", "markdown", "json"], default_value = "text", requires = "matrix")]
    format: String,
}

/// Settings that every target has, with the values that they take and what they do.
const SETTINGS: &[(&str, &str, &str)] = &[
    ("opt_level", "none|speed|size", "how much to optimize"),
    ("tls_model", "none|elf_gd|elf_le", "how thread-local data are found"),
    ("enable_verifier", "BOOL", "verify what comes in"),
    ("regalloc_checker", "BOOL", "prove each register allocation; the default in debug builds"),
    ("inst_ranges", "BOOL", "keep which code comes from which instruction, for listings"),
    ("preserve_frame_pointers", "BOOL", "every function keeps a frame pointer"),
    ("stress_max_regs", "N", "at most N allocatable registers a class"),
    ("stress_spill_all", "BOOL", "every value lives in a stack slot between instructions"),
    ("stress_random_regs", "SEED", "a random choice among free registers"),
    ("stress_branch_range", "BYTES", "branches and pool loads reach no farther"),
    ("stress_block_padding", "BYTES", "dead bytes after each block"),
    ("stress_shuffle_blocks", "SEED", "blocks after the entry in random order"),
    ("stress_legalize_core", "BOOL", "all but a small core of operations is expanded"),
    ("stress_check_alignment", "BOOL", "code checks the addresses that must be aligned (ARM)"),
];

pub fn run(args: &Args) -> Outcome {
    if args.matrix {
        let matrix = Matrix::of_all().map_err(|e| Failure::Input(e.to_string()))?;
        return print(&match &*args.format {
            "markdown" => matrix.markdown(),
            "json" => matrix.json(),
            _ => matrix.text(),
        });
    }
    let mut out = String::from("Targets:\n");
    for entry in TARGETS {
        let _ = writeln!(out, "  {:<10} {:<32} {}", entry.name, entry.triple, entry.doc);
        if let Ok(target) = (entry.builder)().build() {
            let emulator = target.emulator();
            let found = if crate::input::has_emulator(&*target) {
                "installed".to_owned()
            } else {
                format!("not installed: apt-get install {}", emulator.package)
            };
            let _ = writeln!(out, "  {:<10} runs under {} ({found})", "", emulator.program);
        }
    }
    out.push_str("  interp     the interpreter, 32-bit and 64-bit; also interp32le, interp32be, interp64le, interp64be\n");
    out.push_str("\nSettings of every target (--set NAME[=VALUE]):\n");
    for (name, values, doc) in SETTINGS {
        let _ = writeln!(out, "  {:<40} {doc}", format!("{name}={values}"));
    }
    print(&out)
}

#[cfg(test)]
mod tests {
    use super::*;
    use windlass::Settings;

    #[test]
    fn every_listed_setting_exists() {
        for (name, values, _) in SETTINGS {
            let value = match *values {
                "BOOL" => "true",
                "N" | "SEED" | "BYTES" => "5",
                list => list.split('|').next().unwrap(),
            };
            assert_eq!(Settings::default().set(name, Some(value)), Ok(true), "{name}");
        }
    }
}
