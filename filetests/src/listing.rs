//! Machine code as text: disassembly with relocations, traps and data in it.

use std::fmt::Write;
use std::ops::Range;
use windlass::ir::Endianness;
use windlass::{CompiledCode, Target};

/// A machine instruction, or a piece of data between instructions.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Line {
    /// The bytes' place in the code.
    pub code: Range<u32>,
    /// The instruction, or a directive for data.
    pub text: String,
    /// What a linker or a signal handler needs to know about it, empty for most.
    pub note: String,
}

impl Line {
    /// Text and note.
    pub fn full(&self) -> String {
        if self.note.is_empty() { self.text.clone() } else { format!("{} ; {}", self.text, self.note) }
    }
}

/// Disassembles raw code: instructions, and `.word` where there is none.
pub fn disassemble_bytes(target: &dyn Target, bytes: &[u8], data: &[Range<u32>]) -> Vec<Line> {
    let mut lines = Vec::new();
    let mut at = 0;
    while at < bytes.len() {
        let range = data.iter().find(|r| r.contains(&(at as u32)));
        let end = match range {
            Some(range) => range.end as usize,
            None => data.iter().map(|r| r.start as usize).filter(|&s| s > at).min().unwrap_or(bytes.len()),
        };
        let rest = &bytes[at..end.clamp(at + 1, bytes.len())];
        let (size, text) = match range {
            Some(_) => word(target, rest),
            None => match target.disassemble(rest) {
                Some((size, text)) if size > 0 && size <= rest.len() => (size, text),
                _ => word(target, rest),
            },
        };
        lines.push(Line { code: at as u32..(at + size) as u32, text, note: String::new() });
        at += size;
    }
    lines
}

fn word(target: &dyn Target, bytes: &[u8]) -> (usize, String) {
    match *bytes {
        [a, b, c, d, ..] => {
            let word = match target.endianness() {
                Endianness::Little => u32::from_le_bytes([a, b, c, d]),
                Endianness::Big => u32::from_be_bytes([a, b, c, d]),
            };
            (4, format!(".word 0x{word:08x}"))
        }
        [a, ..] => (1, format!(".byte 0x{a:02x}")),
        [] => (1, String::new()),
    }
}

/// Disassembles a compiled function.
pub fn disassemble(target: &dyn Target, code: &CompiledCode) -> Vec<Line> {
    let mut lines = disassemble_bytes(target, &code.bytes, &code.data_ranges);
    for line in &mut lines {
        let mut notes = Vec::new();
        for reloc in code.relocs.iter().filter(|r| line.code.contains(&r.offset)) {
            let mut note = format!("{} {}", reloc.kind, reloc.symbol);
            if reloc.addend != 0 {
                let _ = write!(note, "{:+}", reloc.addend);
            }
            notes.push(note);
        }
        for trap in code.traps.iter().filter(|t| line.code.contains(&t.offset)) {
            notes.push(format!("trap {}", trap.code));
        }
        line.note = notes.join(", ");
    }
    lines
}

/// A compiled function as golden files have it: an instruction a line, no addresses.
pub fn plain(target: &dyn Target, code: &CompiledCode) -> String {
    let mut out = String::new();
    for line in disassemble(target, code) {
        let _ = writeln!(out, "{}", line.full());
    }
    out
}

/// A compiled function with offsets and bytes.
pub fn with_offsets(target: &dyn Target, code: &CompiledCode) -> String {
    let mut out = String::new();
    for line in disassemble(target, code) {
        let _ =
            writeln!(out, "{:8x}:  {:8}  {}", line.code.start, hex(target, &code.bytes, &line), line.full());
    }
    out
}

/// The bytes of a line as one number, in the order of the machine's manual.
pub fn hex(target: &dyn Target, bytes: &[u8], line: &Line) -> String {
    let bytes = &bytes[line.code.start as usize..line.code.end as usize];
    let mut out = String::new();
    let mut each = |b: &u8| {
        let _ = write!(out, "{b:02x}");
    };
    match target.endianness() {
        Endianness::Little => bytes.iter().rev().for_each(&mut each),
        Endianness::Big => bytes.iter().for_each(&mut each),
    }
    out
}
