//! ELF files, executables and objects alike: sections, symbols and relocations laid out and written.
//!
//! In: an [`ElfFile`], whose sections and symbols are in the order that the caller wants. Out: the bytes. The
//! container's own parts (headers, string tables, the symbol table with local symbols first, relocation sections)
//! are added here; what a machine puts into its fields comes from [`ElfInfo`]. Everything is checked against the
//! width of the fields that it goes into.
//!
//! Follows the System V ABI, chapters 4 and 5. Cost: linear, but for the string table, which sorts the names.

use crate::link::linker_name;
use crate::target::ElfInfo;
use ::object::elf;
use ::object::write::elf::{FileHeader, ProgramHeader, Rel, SectionHeader, Sym, Writer};
use ::object::write::elf::{SectionIndex, SymbolIndex};
use alloc::string::{String, ToString};
use alloc::vec;
use alloc::vec::Vec;
use core::fmt;
use core::ops::Range;
use windlass_ir::{Endianness, ExternalName};

/// Why an ELF file could not be made.
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum ElfError {
    /// A symbol that ELF cannot name: nothing, or with a NUL character.
    BadName {
        /// The symbol.
        symbol: String,
    },
    /// Two definitions have the same name.
    Duplicate {
        /// The symbol.
        symbol: String,
    },
    /// The executable's entry is not in the image.
    NoEntry {
        /// The symbol.
        symbol: String,
    },
    /// An alignment that is not a power of two.
    BadAlignment {
        /// The function or datum.
        symbol: String,
        /// The alignment in bytes.
        alignment: u32,
    },
    /// A relocation whose place is not inside of its function or datum, or whose addend the place cannot hold.
    BadReloc {
        /// The function or datum.
        user: String,
        /// Where in it, in bytes.
        offset: u32,
        /// The relocation's name.
        reloc: &'static str,
    },
    /// A number is too large for its field.
    TooLarge {
        /// What.
        what: &'static str,
        /// How large it is.
        value: u64,
        /// The most that fits.
        limit: u64,
    },
    /// The writer of ELF files refused.
    Writer(String),
}

impl fmt::Display for ElfError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ElfError::BadName { symbol } => write!(f, "the name {symbol:?} cannot stand in an ELF file"),
            ElfError::Duplicate { symbol } => write!(f, "symbol {symbol} is defined more than once"),
            ElfError::NoEntry { symbol } => write!(f, "the entry point {symbol} is not defined"),
            ElfError::BadAlignment { symbol, alignment } => {
                write!(f, "the alignment of {symbol}, {alignment} bytes, is not a power of two")
            }
            ElfError::BadReloc { user, offset, reloc } => {
                write!(f, "{reloc} at offset {offset:#x} does not fit into {user}")
            }
            ElfError::TooLarge { what, value, limit } => {
                write!(f, "{what} is {value:#x}, and this ELF file holds at most {limit:#x}")
            }
            ElfError::Writer(message) => f.write_str(message),
        }
    }
}

impl core::error::Error for ElfError {}

/// A relocation of a section.
pub(crate) struct ElfReloc {
    /// From the start of the section, in bytes.
    pub(crate) offset: u64,
    /// Index into [`ElfFile::symbols`]; `None` for kinds that need no symbol.
    pub(crate) symbol: Option<usize>,
    /// The number of the kind.
    pub(crate) kind: u32,
    /// Written only where records have addends.
    pub(crate) addend: i64,
}

/// A section.
pub(crate) struct ElfSection {
    pub(crate) name: String,
    pub(crate) kind: u32,
    pub(crate) flags: u32,
    /// In executables.
    pub(crate) address: u64,
    /// In bytes.
    pub(crate) size: u64,
    /// In bytes, a power of two.
    pub(crate) alignment: u64,
    /// Empty for [`elf::SHT_NOBITS`].
    pub(crate) bytes: Vec<u8>,
    pub(crate) relocs: Vec<ElfReloc>,
    /// `p_flags` of the segment that loads it, in executables.
    pub(crate) load: Option<u32>,
}

/// Where a symbol is.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum ElfPlace {
    /// In another file.
    Undefined,
    /// At an address that does not move.
    Absolute,
    /// In the section with this index into [`ElfFile::sections`].
    Section(usize),
}

/// A symbol.
pub(crate) struct ElfSymbol {
    pub(crate) name: String,
    pub(crate) place: ElfPlace,
    pub(crate) value: u64,
    pub(crate) size: u64,
    /// `STT_*`.
    pub(crate) kind: u8,
    /// `st_other`.
    pub(crate) other: u8,
    pub(crate) global: bool,
}

/// A file to be written.
pub(crate) struct ElfFile<'a> {
    pub(crate) info: &'a ElfInfo,
    /// The entry's address makes it an executable.
    pub(crate) entry: Option<u64>,
    pub(crate) sections: Vec<ElfSection>,
    pub(crate) symbols: Vec<ElfSymbol>,
}

/// The name of a symbol in the file.
pub(crate) fn symbol_name(name: &ExternalName) -> Result<String, ElfError> {
    let name = linker_name(name);
    if name.is_empty() || name.contains('\0') {
        return Err(ElfError::BadName { symbol: name.into_owned() });
    }
    Ok(name.into_owned())
}

/// `st_other` of a function whose callers in the same module enter `local_entry` bytes after the others (64-bit ELF V2
/// ABI, 3.4.1): the binary logarithm of that number of bytes, in the three highest bits.
pub(crate) fn local_entry_bits(local_entry: u32) -> u8 {
    if local_entry == 0 { 0 } else { (local_entry.trailing_zeros() as u8) << 5 }
}

/// The section with what the target promises to linkers.
pub(crate) fn attributes_section(info: &ElfInfo) -> Option<ElfSection> {
    let attributes = info.attributes?;
    Some(ElfSection {
        name: attributes.section.to_string(),
        kind: attributes.section_type,
        flags: 0,
        address: 0,
        size: attributes.bytes.len() as u64,
        alignment: 1,
        bytes: attributes.bytes.to_vec(),
        relocs: Vec::new(),
        load: None,
    })
}

/// Keeps track of where code turns into data and back in one section, and makes the symbols that say so.
#[derive(Default)]
pub(crate) struct MappingSymbols {
    /// What the last symbol said: is it data?
    state: Option<bool>,
}

impl MappingSymbols {
    /// Adds the symbols of a function of `size` bytes at `start`, `data` being its stretches of data in order.
    pub(crate) fn add_function(
        &mut self,
        symbols: &mut Vec<ElfSymbol>,
        info: &ElfInfo,
        section: usize,
        start: u64,
        size: u64,
        data: &[Range<u32>],
    ) {
        let (Some(code_symbol), Some(data_symbol)) = (info.code_mapping_symbol, info.data_mapping_symbol)
        else {
            return;
        };
        let mut mark = |offset: u64, is_data: bool| {
            if self.state != Some(is_data) {
                self.state = Some(is_data);
                symbols.push(ElfSymbol {
                    name: if is_data { data_symbol } else { code_symbol }.to_string(),
                    place: ElfPlace::Section(section),
                    value: start + offset,
                    size: 0,
                    kind: elf::STT_NOTYPE,
                    other: 0,
                    global: false,
                });
            }
        };
        let mut at = 0;
        for range in data.iter().filter(|range| !range.is_empty()) {
            if at < u64::from(range.start) {
                mark(at, false);
            }
            mark(range.start.into(), true);
            at = range.end.into();
        }
        if at < size {
            mark(at, false);
        }
    }
}

fn fits(what: &'static str, value: u64, limit: u64) -> Result<(), ElfError> {
    if value <= limit { Ok(()) } else { Err(ElfError::TooLarge { what, value, limit }) }
}

impl ElfFile<'_> {
    /// The bytes of the file.
    pub(crate) fn write(&self) -> Result<Vec<u8>, ElfError> {
        self.check()?;
        let info = self.info;
        let endian = match info.endianness {
            Endianness::Little => ::object::Endianness::Little,
            Endianness::Big => ::object::Endianness::Big,
        };
        let reloc_prefix = if info.has_addends { ".rela" } else { ".rel" };
        let reloc_names: Vec<String> =
            self.sections.iter().map(|section| alloc::format!("{reloc_prefix}{}", section.name)).collect();

        let mut buffer = Vec::new();
        let mut w = Writer::new(endian, info.is_64, &mut buffer);

        // First everything is reserved, in the order in which it is written afterwards.
        w.reserve_file_header();
        let loaded = self.sections.iter().filter(|section| section.load.is_some()).count() as u32;
        if self.entry.is_some() {
            w.reserve_program_headers(loaded + 1 + u32::from(self.thread_sections().next().is_some()));
        }
        w.reserve_null_section_index();
        let mut indices: Vec<SectionIndex> = Vec::with_capacity(self.sections.len());
        let mut names = Vec::with_capacity(self.sections.len());
        let mut offsets = Vec::with_capacity(self.sections.len());
        for section in &self.sections {
            indices.push(w.reserve_section_index());
            names.push(w.add_section_name(section.name.as_bytes()));
            offsets.push(w.reserve(section.bytes.len(), self.file_alignment(section)));
        }
        let mut reloc_headers = vec![None; self.sections.len()];
        for (i, section) in self.sections.iter().enumerate() {
            if !section.relocs.is_empty() {
                w.reserve_section_index();
                let name = w.add_section_name(reloc_names[i].as_bytes());
                reloc_headers[i] = Some((name, 0));
            }
        }
        w.reserve_null_symbol_index();
        let order = self.symbol_order();
        let mut symbol_indices = vec![SymbolIndex(0); self.symbols.len()];
        let mut symbol_names = Vec::with_capacity(order.len());
        for &i in &order {
            let symbol = &self.symbols[i];
            symbol_names.push(w.add_string(symbol.name.as_bytes()));
            let section = match symbol.place {
                ElfPlace::Section(section) => Some(indices[section]),
                _ => None,
            };
            symbol_indices[i] = w.reserve_symbol_index(section);
        }
        let locals = order.iter().filter(|&&i| !self.symbols[i].global).count() as u32 + 1;
        w.reserve_symtab_section_index();
        w.reserve_symtab();
        if w.symtab_shndx_needed() {
            w.reserve_symtab_shndx_section_index();
        }
        w.reserve_symtab_shndx();
        w.reserve_strtab_section_index();
        w.reserve_strtab();
        for (section, header) in self.sections.iter().zip(&mut reloc_headers) {
            if let Some((_, offset)) = header {
                *offset = w.reserve_relocations(section.relocs.len(), info.has_addends);
            }
        }
        w.reserve_shstrtab_section_index();
        w.reserve_shstrtab();
        w.reserve_section_headers();
        if !info.is_64 {
            fits("the size of the file", w.reserved_len() as u64, u32::MAX.into())?;
        }

        w.write_file_header(&FileHeader {
            os_abi: elf::ELFOSABI_NONE,
            abi_version: 0,
            e_type: if self.entry.is_some() { elf::ET_EXEC } else { elf::ET_REL },
            e_machine: info.machine,
            e_entry: self.entry.unwrap_or(0),
            e_flags: info.flags,
        })
        .map_err(|error| ElfError::Writer(error.to_string()))?;
        if self.entry.is_some() {
            self.write_program_headers(&mut w, &offsets);
        }
        for section in &self.sections {
            w.write_align(self.file_alignment(section));
            w.write(&section.bytes);
        }
        w.write_null_symbol();
        for (&i, name) in order.iter().zip(symbol_names) {
            let symbol = &self.symbols[i];
            let (section, st_shndx) = match symbol.place {
                ElfPlace::Section(section) => (Some(indices[section]), 0),
                ElfPlace::Absolute => (None, elf::SHN_ABS),
                ElfPlace::Undefined => (None, elf::SHN_UNDEF),
            };
            let binding = if symbol.global { elf::STB_GLOBAL } else { elf::STB_LOCAL };
            w.write_symbol(&Sym {
                name: Some(name),
                section,
                st_info: binding << 4 | symbol.kind,
                st_other: symbol.other,
                st_shndx,
                st_value: symbol.value,
                st_size: symbol.size,
            });
        }
        w.write_symtab_shndx();
        w.write_strtab();
        for section in self.sections.iter().filter(|section| !section.relocs.is_empty()) {
            w.write_align_relocation();
            for reloc in &section.relocs {
                w.write_relocation(
                    info.has_addends,
                    &Rel {
                        r_offset: reloc.offset,
                        r_sym: reloc.symbol.map_or(0, |symbol| symbol_indices[symbol].0),
                        r_type: reloc.kind,
                        r_addend: reloc.addend,
                    },
                );
            }
        }
        w.write_shstrtab();

        w.write_null_section_header();
        for ((section, name), offset) in self.sections.iter().zip(names).zip(offsets) {
            w.write_section_header(&SectionHeader {
                name: Some(name),
                sh_type: section.kind,
                sh_flags: section.flags.into(),
                sh_addr: section.address,
                sh_offset: offset as u64,
                sh_size: section.size,
                sh_link: 0,
                sh_info: 0,
                sh_addralign: section.alignment,
                sh_entsize: 0,
            });
        }
        let symtab = w.symtab_index();
        for ((section, header), index) in self.sections.iter().zip(&reloc_headers).zip(&indices) {
            if let &Some((name, offset)) = header {
                let count = section.relocs.len();
                w.write_relocation_section_header(name, *index, symtab, offset, count, info.has_addends);
            }
        }
        w.write_symtab_section_header(locals);
        w.write_symtab_shndx_section_header();
        w.write_strtab_section_header();
        w.write_shstrtab_section_header();
        Ok(buffer)
    }

    /// Numbers of symbols in the order of the file: local symbols come first.
    fn symbol_order(&self) -> Vec<usize> {
        let (mut order, global): (Vec<_>, Vec<_>) =
            (0..self.symbols.len()).partition(|&i| !self.symbols[i].global);
        order.extend(global);
        order
    }

    /// The sections of thread-local data, in order.
    fn thread_sections(&self) -> impl Iterator<Item = usize> + '_ {
        (0..self.sections.len()).filter(|&i| self.sections[i].flags & elf::SHF_TLS != 0)
    }

    /// What is loaded is mapped: its offset in the file is congruent to its address, modulo the page size.
    fn file_alignment(&self, section: &ElfSection) -> usize {
        if section.load.is_some() { self.info.page_size as usize } else { section.alignment as usize }
    }

    fn write_program_headers(&self, w: &mut Writer<'_>, offsets: &[usize]) {
        w.write_align_program_headers();
        for (section, &offset) in self.sections.iter().zip(offsets) {
            let Some(flags) = section.load else { continue };
            w.write_program_header(&ProgramHeader {
                p_type: elf::PT_LOAD,
                p_flags: flags,
                p_offset: offset as u64,
                p_vaddr: section.address,
                p_paddr: section.address,
                p_filesz: section.bytes.len() as u64,
                p_memsz: section.size,
                p_align: self.info.page_size,
            });
        }
        // What a thread's data hold at first.
        if let Some((first, &offset)) =
            self.thread_sections().next().and_then(|i| self.sections.get(i).zip(offsets.get(i)))
        {
            let parts = || self.thread_sections().map(|i| &self.sections[i]);
            let end = parts().map(|section| section.address + section.size).max().unwrap_or(first.address);
            w.write_program_header(&ProgramHeader {
                p_type: elf::PT_TLS,
                p_flags: elf::PF_R,
                p_offset: offset as u64,
                p_vaddr: first.address,
                p_paddr: first.address,
                p_filesz: parts().map(|section| section.bytes.len() as u64).sum(),
                p_memsz: end - first.address,
                p_align: parts().map(|section| section.alignment).max().unwrap_or(1),
            });
        }
        // The stack is no place for code.
        w.write_program_header(&ProgramHeader {
            p_type: elf::PT_GNU_STACK,
            p_flags: elf::PF_R | elf::PF_W,
            p_offset: 0,
            p_vaddr: 0,
            p_paddr: 0,
            p_filesz: 0,
            p_memsz: 0,
            p_align: 16,
        });
    }

    fn check(&self) -> Result<(), ElfError> {
        fits("the number of symbols", self.symbols.len() as u64, u64::from(u32::MAX) - 1)?;
        // Section and relocation section each; the rest of the container has fewer than ten.
        fits("the number of sections", self.sections.len() as u64, u64::from(u32::MAX) / 2 - 10)?;
        if self.info.is_64 {
            return Ok(());
        }
        for section in &self.sections {
            let end = section.address.saturating_add(section.size);
            fits("the end of a section", end, u32::MAX.into())?;
            for reloc in &section.relocs {
                fits("a relocation's kind", reloc.kind.into(), u8::MAX.into())?;
                if self.info.has_addends && i32::try_from(reloc.addend).is_err() {
                    fits("an addend", reloc.addend.unsigned_abs(), i32::MAX as u64)?;
                }
            }
            if !section.relocs.is_empty() {
                fits("the number of symbols", self.symbols.len() as u64, (1 << 24) - 2)?;
            }
        }
        for symbol in &self.symbols {
            fits("the value of a symbol", symbol.value, u32::MAX.into())?;
            fits("the size of a symbol", symbol.size, u32::MAX.into())?;
        }
        Ok(())
    }
}
