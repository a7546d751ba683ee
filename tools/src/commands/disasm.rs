//! `windlass disasm`

use super::TargetArgs;
use crate::{Failure, Outcome, print};
use object::{Object, ObjectSection, ObjectSymbol, SectionKind, SymbolKind};
use std::collections::BTreeMap;
use std::fmt::Write;
use std::ops::Range;
use std::path::PathBuf;
use windlass::Target;
use windlass_filetests::listing;

/// Print the machine code of an ELF file or of raw bytes
#[derive(clap::Args)]
pub struct Args {
    /// An ELF file, or raw machine code
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// The machine: a name or triple, with feature words
    #[arg(long, value_name = "TARGET")]
    target: String,
    #[command(flatten)]
    target_args: TargetArgs,
}

pub fn run(args: &Args) -> Outcome {
    let target = args.target_args.build(&args.target, false)?;
    let name = args.file.display();
    let bytes = std::fs::read(&args.file).map_err(|e| Failure::Input(format!("{name}: {e}")))?;
    let mut out = String::new();
    if bytes.starts_with(b"\x7fELF") {
        elf(&*target, &bytes, &mut out).map_err(|e| Failure::Input(format!("{name}: {e}")))?;
    } else {
        code(&*target, &bytes, 0, &[], &mut out);
    }
    print(&out)
}

fn code(target: &dyn Target, bytes: &[u8], address: u64, data: &[Range<u32>], out: &mut String) {
    for line in listing::disassemble_bytes(target, bytes, data) {
        let at = address.wrapping_add(line.code.start.into());
        let _ = writeln!(out, "{at:8x}:  {:8}  {}", listing::hex(target, bytes, &line), line.text);
    }
}

fn elf(target: &dyn Target, bytes: &[u8], out: &mut String) -> Result<(), object::Error> {
    let file = object::File::parse(bytes)?;
    for section in file.sections().filter(|s| s.kind() == SectionKind::Text) {
        let data = section.data()?;
        let base = section.address();
        // Addresses of the section, with the functions that begin there and whether data begins there.
        let mut starts: BTreeMap<u64, (Vec<String>, Option<bool>)> = BTreeMap::new();
        starts.entry(base).or_default();
        for symbol in file.symbols().filter(|s| s.section_index() == Some(section.index())) {
            let name = symbol.name().unwrap_or("?");
            let entry = starts.entry(symbol.address()).or_default();
            match name.split('.').next() {
                // Mapping symbols of the ELF supplement: code and data.
                Some("$a" | "$t" | "$x") => entry.1 = Some(false),
                Some("$d") => entry.1 = Some(true),
                _ if symbol.kind() != SymbolKind::Section && !name.is_empty() => {
                    entry.0.push(name.to_owned())
                }
                _ => {}
            }
        }
        let _ = writeln!(out, "section {}", section.name().unwrap_or("?"));
        let end = base + data.len() as u64;
        let bounds: Vec<u64> = starts.keys().copied().chain([end]).collect();
        let mut is_data = false;
        for (bound, (names, kind)) in bounds.windows(2).zip(starts.values()) {
            is_data = kind.unwrap_or(is_data);
            for name in names {
                let _ = writeln!(out, "\n{name}:");
            }
            let (from, to) = (bound[0].saturating_sub(base), bound[1].saturating_sub(base));
            let Some(part) = data.get(from as usize..to as usize) else { continue };
            let whole = 0..part.len() as u32;
            code(target, part, bound[0], if is_data { std::slice::from_ref(&whole) } else { &[] }, out);
        }
    }
    Ok(())
}
