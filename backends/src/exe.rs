//! Static executables: an image in an ELF file that needs no C toolchain and no dynamic linker.
//!
//! In: an [`Image`], linked at the target's base address, and the name of its entry. Out: the file's bytes. Each
//! segment of the image is one section and one program header; the stack is not executable; the symbol table has
//! every symbol, and the mapping symbols of targets that ask for them, so that debuggers and disassemblers tell code
//! from literal pools.

use crate::elf::{
    ElfError, ElfFile, ElfPlace, ElfSection, ElfSymbol, MappingSymbols, attributes_section, local_entry_bits,
    symbol_name,
};
use crate::link::{Image, Linkage, SegmentKind};
use crate::target::{ElfInfo, FunctionSymbols};
use ::object::elf;
use alloc::string::ToString;
use alloc::vec::Vec;
use std::ffi::OsString;
use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};
use windlass_ir::ExternalName;

/// An executable that starts at the function `entry`.
///
/// # Errors
/// There is no such function; a name or a number that ELF cannot hold.
pub fn write_executable(image: &Image, info: &ElfInfo, entry: &ExternalName) -> Result<Vec<u8>, ElfError> {
    let entry = image
        .symbol(entry)
        .filter(|symbol| symbol.kind == Some(SegmentKind::Code))
        .ok_or_else(|| ElfError::NoEntry { symbol: entry.to_string() })?;

    let mut sections = Vec::new();
    let thread = elf::SHF_WRITE | elf::SHF_TLS;
    for segment in image.segments() {
        let (name, kind, flags, load) = match segment.kind {
            SegmentKind::Code => (".text", elf::SHT_PROGBITS, elf::SHF_EXECINSTR, elf::PF_R | elf::PF_X),
            SegmentKind::ReadOnly => (".rodata", elf::SHT_PROGBITS, 0, elf::PF_R),
            SegmentKind::ThreadData => (".tdata", elf::SHT_PROGBITS, thread, elf::PF_R),
            SegmentKind::ThreadZeros => (".tbss", elf::SHT_NOBITS, thread, 0),
            SegmentKind::Writable => (".data", elf::SHT_PROGBITS, elf::SHF_WRITE, elf::PF_R | elf::PF_W),
            SegmentKind::Zeros => (".bss", elf::SHT_NOBITS, elf::SHF_WRITE, elf::PF_R | elf::PF_W),
        };
        sections.push(ElfSection {
            name: name.to_string(),
            kind,
            flags: elf::SHF_ALLOC | flags,
            address: segment.address,
            size: segment.size,
            alignment: segment.alignment,
            bytes: segment.bytes.clone(),
            relocs: Vec::new(),
            load: (segment.kind != SegmentKind::ThreadZeros).then_some(load),
        });
    }
    sections.extend(attributes_section(info));

    let template = image.segments().iter().find(|segment| segment.kind.is_thread_local());
    let template = template.map_or(0, |segment| segment.address);
    let section_of = |kind| image.segments().iter().position(|segment| segment.kind == kind);
    let mut symbols = Vec::new();
    let mut mapping = MappingSymbols::default();
    for symbol in image.symbols().iter().chain(image.veneers()) {
        // An empty datum may be the only one of its segment, which then is not there.
        let section = symbol.kind.and_then(section_of);
        let kind = match symbol.kind {
            Some(SegmentKind::Code) => elf::STT_FUNC,
            Some(kind) if kind.is_thread_local() => elf::STT_TLS,
            Some(_) => elf::STT_OBJECT,
            None => elf::STT_NOTYPE,
        };
        if let (Some(SegmentKind::Code), Some(section)) = (symbol.kind, section) {
            let data = &symbol.data_ranges;
            mapping.add_function(&mut symbols, info, section, symbol.address, symbol.size, data);
        }
        let mut name = symbol_name(&symbol.name)?;
        let global = symbol.linkage == Linkage::Global;
        if symbol.own_address != symbol.address {
            symbols.push(ElfSymbol {
                name: name.clone(),
                place: section_of(SegmentKind::ReadOnly).map_or(ElfPlace::Absolute, ElfPlace::Section),
                value: symbol.own_address,
                size: FunctionSymbols::DESCRIPTOR_BYTES,
                kind: elf::STT_OBJECT,
                other: 0,
                global,
            });
            // What the code of a function is called whose own name is that of its descriptor.
            name.insert(0, '.');
        }
        symbols.push(ElfSymbol {
            name,
            place: section.map_or(ElfPlace::Absolute, ElfPlace::Section),
            // Of thread-local data it is the offset in the template.
            value: match symbol.kind {
                Some(kind) if kind.is_thread_local() => symbol.address.wrapping_sub(template),
                _ => symbol.address,
            },
            size: symbol.size,
            kind,
            other: local_entry_bits(symbol.local_entry),
            global,
        });
    }
    ElfFile { info, entry: Some(entry.own_address), sections, symbols }.write()
}

/// Writes a file whole or not at all: into a temporary file beside it, which then takes its name. Readers see the
/// old contents or the new, and a failure leaves no half file. An executable may be run by everybody who
/// may read it. What is no regular file, as a terminal or a pipe, is written to directly.
///
/// # Errors
/// Those of the file system; the message does not name the path.
pub fn write_file_atomically(path: &Path, bytes: &[u8], executable: bool) -> io::Result<()> {
    // A link keeps pointing where it does: its target is replaced.
    let path = match fs::canonicalize(path) {
        Ok(real) => real,
        Err(_) => path.to_path_buf(),
    };
    if fs::metadata(&path).is_ok_and(|metadata| !metadata.is_file()) {
        return fs::write(&path, bytes);
    }
    let (temporary, mut file) = create_beside(&path, executable)?;
    let result = file.write_all(bytes).and_then(|()| {
        drop(file);
        fs::rename(&temporary, &path)
    });
    if result.is_err() {
        // The first error is the one worth telling.
        let _ = fs::remove_file(&temporary);
    }
    result
}

/// A new file in the folder of `path`, under a name that no other process uses.
fn create_beside(path: &Path, executable: bool) -> io::Result<(PathBuf, fs::File)> {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    let name = path.file_name().ok_or_else(|| io::Error::from(io::ErrorKind::InvalidInput))?;
    loop {
        let n = NEXT.fetch_add(1, Ordering::Relaxed);
        let mut temporary = OsString::from(".");
        temporary.push(name);
        temporary.push(alloc::format!(".{}-{n}.tmp", std::process::id()));
        let temporary = path.with_file_name(temporary);
        let mut options = OpenOptions::new();
        options.write(true).create_new(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, if executable { 0o755 } else { 0o644 });
        #[cfg(not(unix))]
        let _ = executable;
        match options.open(&temporary) {
            Ok(file) => return Ok((temporary, file)),
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            Err(error) => return Err(error),
        }
    }
}

#[cfg(test)]
pub(crate) mod tests;
