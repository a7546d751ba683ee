//! Relocatable ELF objects, for linkers and C compilers of the target.
//!
//! In: a [`Module`]. Out: the object's bytes: `.text`, `.rodata`, `.data`, `.bss`, of thread-local data `.tdata` and `.tbss` (or a section for each function and
//! datum, which linkers can drop when nothing refers to it), symbols for what the module defines and for what it
//! needs, relocations in the form that the target's ABI has (REL: addends in the places, RELA: in the records),
//! mapping symbols, attributes, and the note that the stack need not be executable. Where functions have descriptors,
//! these are in `.opd`, and the functions' symbols are there.

use crate::compiled::CompiledCode;
use crate::elf::{
    ElfError, ElfFile, ElfPlace, ElfReloc, ElfSection, ElfSymbol, MappingSymbols, attributes_section,
    local_entry_bits, symbol_name,
};
use crate::link::veneers::Veneer;
use crate::link::{DataContents, Linkage, Module, SegmentKind};
use crate::reloc::{Reloc, SymbolAddress};
use crate::target::{ElfInfo, FunctionSymbols};
use ::object::elf;
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use hashbrown::HashMap;
use windlass_ir::ExternalName;

/// Choices in how objects are made.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct ObjectOptions {
    /// Each function and datum has a section of its own, `.text.NAME`. They have anyway where the code is larger than
    /// the reach of its branches: linkers put veneers between sections, not into them.
    pub separate_sections: bool,
}

/// A relocatable object with what `module` has. Its [absolute](Module::absolute) symbols become absolute symbols
/// of the object.
///
/// # Errors
/// Two definitions of one name; a name or a number that ELF cannot hold; a relocation outside of its code.
pub fn write_object(module: &Module, info: &ElfInfo, options: &ObjectOptions) -> Result<Vec<u8>, ElfError> {
    let code_bytes: u64 = module.functions().iter().map(|function| function.code.bytes.len() as u64).sum();
    let is_large = info.veneer.is_some_and(|Veneer(veneer)| code_bytes > veneer.reach_bytes);
    let mut object = Object {
        info,
        separate: options.separate_sections || is_large,
        sections: Vec::new(),
        mapping: Vec::new(),
        common: [None; SegmentKind::COUNT],
        descriptors: None,
        symbols: Vec::new(),
        names: HashMap::new(),
        code: HashMap::new(),
        section_symbols: Vec::new(),
    };
    // Everything is defined before any relocation is written, so that references find definitions.
    let mut places = Vec::new();
    for function in module.functions() {
        let code = &function.code;
        let size = code.bytes.len() as u64;
        let (name, linkage) = (&function.name, function.linkage);
        let (section, start) = object.define_function(name, code, linkage)?;
        let mut data = code.data_ranges.clone();
        data.sort_by_key(|range| range.start);
        object.mapping[section].add_function(&mut object.symbols, info, section, start, size, &data);
        object.sections[section].bytes.extend_from_slice(&code.bytes);
        places.push((section, start, name, &code.relocs, code.bytes.len()));
    }
    for data in module.data() {
        let (kind, size) = (data.kind(), data.contents.len());
        let (section, start) = object.place(&data.name, kind, size, data.alignment)?;
        let sym_type = if kind.is_thread_local() { elf::STT_TLS } else { elf::STT_OBJECT };
        object.define_symbol(
            &data.name,
            ElfPlace::Section(section),
            start,
            size,
            (sym_type, 0),
            data.linkage,
        )?;
        let stored = match &data.contents {
            DataContents::Bytes(bytes) => {
                object.sections[section].bytes.extend_from_slice(bytes);
                bytes.len()
            }
            DataContents::Zeros(size) => {
                if !matches!(kind, SegmentKind::Zeros | SegmentKind::ThreadZeros) {
                    let bytes = &mut object.sections[section].bytes;
                    bytes.resize(bytes.len() + *size as usize, 0);
                }
                0
            }
        };
        places.push((section, start, &data.name, &data.relocs, stored));
    }
    for (name, address) in module.absolute() {
        let place = ElfPlace::Absolute;
        object.define_symbol(name, place, *address, 0, (elf::STT_NOTYPE, 0), Linkage::Global)?;
    }
    for (section, start, user, relocs, size) in places {
        for reloc in relocs {
            object.add_reloc(section, start, user, size, reloc)?;
        }
    }

    object.sections.extend(attributes_section(info));
    object.sections.push(ElfSection {
        name: ".note.GNU-stack".to_string(),
        kind: elf::SHT_PROGBITS,
        flags: 0,
        address: 0,
        size: 0,
        alignment: 1,
        bytes: Vec::new(),
        relocs: Vec::new(),
        load: None,
    });
    ElfFile { info, entry: None, sections: object.sections, symbols: object.symbols }.write()
}

struct Object<'a> {
    info: &'a ElfInfo,
    separate: bool,
    sections: Vec<ElfSection>,
    /// For each section.
    mapping: Vec<MappingSymbols>,
    /// The sections that everything shares, by [`SegmentKind`].
    common: [Option<usize>; SegmentKind::COUNT],
    /// The section of the functions' descriptors.
    descriptors: Option<usize>,
    symbols: Vec<ElfSymbol>,
    /// Linker names to indices of symbols.
    names: HashMap<String, usize>,
    /// Linker names of functions to sections and offsets of their code.
    code: HashMap<String, (usize, u64)>,
    /// For each section the symbol of itself, once something needs it.
    section_symbols: Vec<Option<usize>>,
}

impl Object<'_> {
    /// The section for a thing of this kind.
    fn section(&mut self, kind: SegmentKind, name: &str) -> usize {
        if !self.separate
            && let Some(section) = self.common[kind as usize]
        {
            return section;
        }
        let (prefix, sh_type, flags) = match kind {
            SegmentKind::Code => (".text", elf::SHT_PROGBITS, elf::SHF_EXECINSTR),
            SegmentKind::ReadOnly => (".rodata", elf::SHT_PROGBITS, 0),
            SegmentKind::ThreadData => (".tdata", elf::SHT_PROGBITS, elf::SHF_WRITE | elf::SHF_TLS),
            SegmentKind::ThreadZeros => (".tbss", elf::SHT_NOBITS, elf::SHF_WRITE | elf::SHF_TLS),
            SegmentKind::Writable => (".data", elf::SHT_PROGBITS, elf::SHF_WRITE),
            SegmentKind::Zeros => (".bss", elf::SHT_NOBITS, elf::SHF_WRITE),
        };
        let section = self.add_section(ElfSection {
            name: if self.separate { format!("{prefix}.{name}") } else { prefix.to_string() },
            kind: sh_type,
            flags: elf::SHF_ALLOC | flags,
            address: 0,
            size: 0,
            alignment: 1,
            bytes: Vec::new(),
            relocs: Vec::new(),
            load: None,
        });
        self.common[kind as usize] = Some(section);
        section
    }

    /// Makes room for a thing of `size` bytes. The section, and the offset there; the section's bytes are filled up to
    /// the offset, and the caller adds the thing's.
    fn place(
        &mut self,
        name: &ExternalName,
        kind: SegmentKind,
        size: u64,
        alignment: u32,
    ) -> Result<(usize, u64), ElfError> {
        self.place_behind(name, kind, size, alignment, &[])
    }

    /// The same with `header` right in front.
    fn place_behind(
        &mut self,
        name: &ExternalName,
        kind: SegmentKind,
        size: u64,
        alignment: u32,
        header: &[u8],
    ) -> Result<(usize, u64), ElfError> {
        let alignment = alignment.max(1);
        if !alignment.is_power_of_two() {
            return Err(ElfError::BadAlignment { symbol: name.to_string(), alignment });
        }
        let index = self.section(kind, &symbol_name(name)?);
        let section = &mut self.sections[index];
        section.alignment = section.alignment.max(alignment.into());
        let too_large = ElfError::TooLarge { what: "a section", value: u64::MAX, limit: i64::MAX as u64 };
        let behind = section.size.checked_add(header.len() as u64);
        let start = behind.and_then(|end| end.checked_next_multiple_of(alignment.into()));
        let start = start.ok_or(too_large.clone())?;
        section.size = start.checked_add(size).filter(|&end| end <= i64::MAX as u64).ok_or(too_large)?;
        if !matches!(kind, SegmentKind::Zeros | SegmentKind::ThreadZeros) {
            section.bytes.resize(start as usize - header.len(), 0);
            section.bytes.extend_from_slice(header);
        }
        Ok((index, start))
    }

    /// Makes room for a function's code and defines its symbol.
    fn define_function(
        &mut self,
        name: &ExternalName,
        code: &CompiledCode,
        linkage: Linkage,
    ) -> Result<(usize, u64), ElfError> {
        let size = code.bytes.len() as u64;
        let (section, start) =
            self.place_behind(name, SegmentKind::Code, size, code.alignment, &code.header)?;
        self.code.insert(symbol_name(name)?, (section, start));
        let (mut symbol, mut other) = ((section, start), 0);
        match self.info.functions {
            FunctionSymbols::Code => {}
            FunctionSymbols::TwoEntries => other = local_entry_bits(code.local_entry),
            FunctionSymbols::Descriptors { toc_reloc } => {
                symbol = self.add_descriptor(section, start, toc_reloc);
            }
        }
        let place = ElfPlace::Section(symbol.0);
        self.define_symbol(name, place, symbol.1, size, (elf::STT_FUNC, other), linkage)?;
        Ok((section, start))
    }

    /// Adds the descriptor of the function whose code is at `start` of a section. The descriptor's section and offset.
    fn add_descriptor(&mut self, section: usize, start: u64, toc_reloc: u32) -> (usize, u64) {
        let code = self.section_symbol(section);
        let descriptors = match self.descriptors {
            Some(section) => section,
            None => self.add_section(ElfSection {
                name: ".opd".to_string(),
                kind: elf::SHT_PROGBITS,
                flags: elf::SHF_ALLOC | elf::SHF_WRITE,
                address: 0,
                size: 0,
                alignment: 8,
                bytes: Vec::new(),
                relocs: Vec::new(),
                load: None,
            }),
        };
        self.descriptors = Some(descriptors);
        let address = self.info.address_reloc.0.elf_type;
        let section = &mut self.sections[descriptors];
        let offset = section.size;
        section.size += FunctionSymbols::DESCRIPTOR_BYTES;
        section.bytes.resize(section.size as usize, 0);
        section.relocs.extend([
            ElfReloc { offset, symbol: Some(code), kind: address, addend: start as i64 },
            ElfReloc { offset: offset + 8, symbol: None, kind: toc_reloc, addend: 0 },
        ]);
        (descriptors, offset)
    }

    fn add_section(&mut self, section: ElfSection) -> usize {
        self.sections.push(section);
        self.mapping.push(MappingSymbols::default());
        self.section_symbols.push(None);
        self.sections.len() - 1
    }

    /// The symbol of a section itself.
    fn section_symbol(&mut self, section: usize) -> usize {
        *self.section_symbols[section].get_or_insert_with(|| {
            self.symbols.push(ElfSymbol {
                name: String::new(),
                place: ElfPlace::Section(section),
                value: 0,
                size: 0,
                kind: elf::STT_SECTION,
                other: 0,
                global: false,
            });
            self.symbols.len() - 1
        })
    }

    fn define_symbol(
        &mut self,
        name: &ExternalName,
        place: ElfPlace,
        value: u64,
        size: u64,
        (kind, other): (u8, u8),
        linkage: Linkage,
    ) -> Result<(), ElfError> {
        let linker_name = symbol_name(name)?;
        if self.names.insert(linker_name.clone(), self.symbols.len()).is_some() {
            return Err(ElfError::Duplicate { symbol: name.to_string() });
        }
        let global = linkage == Linkage::Global;
        self.symbols.push(ElfSymbol { name: linker_name, place, value, size, kind, other, global });
        Ok(())
    }

    /// The symbol with this name; one that nothing defines is left to the linker.
    fn reference(&mut self, name: &ExternalName, thread_local: bool) -> Result<usize, ElfError> {
        let name = symbol_name(name)?;
        if let Some(&symbol) = self.names.get(&name) {
            return Ok(symbol);
        }
        let symbol = self.symbols.len();
        self.names.insert(name.clone(), symbol);
        self.symbols.push(ElfSymbol {
            name,
            place: ElfPlace::Undefined,
            value: 0,
            size: 0,
            kind: if thread_local { elf::STT_TLS } else { elf::STT_NOTYPE },
            other: 0,
            global: true,
        });
        Ok(symbol)
    }

    /// Adds a relocation of the thing `user`, which has `size` bytes at `start` of the section.
    fn add_reloc(
        &mut self,
        section: usize,
        start: u64,
        user: &ExternalName,
        size: usize,
        reloc: &Reloc,
    ) -> Result<(), ElfError> {
        let def = reloc.kind.0;
        let (symbol, addend) = match def.symbol {
            SymbolAddress::Code
                if let Some(&(section, start)) = self.code.get(&symbol_name(&reloc.symbol)?) =>
            {
                (self.section_symbol(section), reloc.addend.wrapping_add_unsigned(start))
            }
            _ => (self.reference(&reloc.symbol, def.symbol.is_thread_local())?, reloc.addend),
        };
        let bad = || ElfError::BadReloc { user: user.to_string(), offset: reloc.offset, reloc: def.name };
        let width = usize::from(def.size_bytes);
        if (reloc.offset as usize).checked_add(width).is_none_or(|end| end > size) {
            return Err(bad());
        }
        let offset = start + u64::from(reloc.offset);
        let section = &mut self.sections[section];
        if !self.info.has_addends {
            let place = &mut section.bytes[offset as usize..offset as usize + width];
            if !(def.apply_addend)(place, addend) {
                return Err(bad());
            }
        }
        section.relocs.push(ElfReloc { offset, symbol: Some(symbol), kind: def.elf_type, addend });
        Ok(())
    }
}

#[cfg(test)]
mod tests;
