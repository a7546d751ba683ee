//! The static linker: compiled functions and data become an image at fixed addresses.
//!
//! In: a [`Module`], functions and data objects in the order in which they were added. Out: an [`Image`], bytes
//! by segment with every relocation resolved, symbol addresses, and the way back from an address to the function
//! and the trap. What consumes an image (an executable, code in this process, a saved image) adds its
//! container only; nothing here knows of a file format.
//!
//! Layout: code, read-only data, thread-local data, writable data, zeros, each a segment on pages of its own (never writable and
//! executable at once), each object at the next multiple of its alignment in the order of addition. The same module
//! gives the same bytes.
//!
//! In ABIs with a table of contents the image has one, in the read-only segment before the module's data: the functions'
//! descriptors if there are such, then a word for each symbol that code finds through the table. Its base, 32 KiB
//! from its start as linkers have it, is the symbol `.TOC.`.
//!
//! Every fault of a module is reported, not the first alone: all undefined and duplicate symbols, and all places
//! that cannot reach their symbol. Branches that cannot reach go through [`veneers`] between functions, if the target
//! has such; [`RelocDef::is_branch`](crate::reloc::RelocDef::is_branch) marks those that may.
//!
//! Cost: linear in bytes and relocations, one hash look-up a relocation.

mod error;
mod image;
mod module;
mod threads;
pub mod veneers;

pub use self::error::{LinkError, LinkErrors};
pub use self::image::{Image, ImageSymbol, Segment, SegmentKind};
pub use self::module::{DataContents, DataDef, FunctionDef, Linkage, Module, libcall_symbol, linker_name};

use self::threads::Threads;
use self::veneers::{Islands, Known, Veneer};
use crate::reloc::{Reloc, RelocValues, SymbolAddress};
use crate::target::{ElfInfo, FunctionSymbols, Target, ThreadLayout};
use alloc::format;
use alloc::vec;
use alloc::vec::Vec;
use hashbrown::HashMap;
use windlass_ir::{Endianness, ExternalName, LibCall};

/// Where an image goes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct LinkOptions {
    /// The address of the first segment, a multiple of the page size.
    pub base_address: u64,
    /// Segments are aligned to this power of two, in bytes.
    pub page_size: u64,
    /// The image must end at or before this address.
    pub end: u64,
    /// Byte order of code and data.
    pub endianness: Endianness,
    /// What the symbols of functions stand for.
    pub functions: FunctionSymbols,
    /// Where a thread's data are.
    pub threads: ThreadLayout,
    /// What stands in for a symbol that a branch does not reach; without it that is an error.
    pub veneer: Option<Veneer>,
    /// Branches go no farther than so many bytes, but through veneers.
    pub branch_range: Option<u64>,
}

impl LinkOptions {
    /// As executables of a target are linked, with its stress settings.
    pub fn of_target(target: &dyn Target) -> LinkOptions {
        let branch_range = target.settings().stress.branch_range.map(u64::from);
        LinkOptions { branch_range, ..LinkOptions::of_elf(target.elf()) }
    }

    /// As executables of a target are linked.
    pub fn of_elf(elf: &ElfInfo) -> LinkOptions {
        // The highest page of 32-bit address spaces stays free, so that no end wraps to zero.
        let end = if elf.is_64 { 1 << 62 } else { 0xffff_f000 };
        LinkOptions {
            base_address: elf.base_address,
            page_size: elf.page_size,
            end,
            endianness: elf.endianness,
            functions: elf.functions,
            threads: elf.threads,
            veneer: elf.veneer,
            branch_range: None,
        }
    }
}

impl Module {
    /// The bytes of address space that the image takes at most, from its base, in whole pages, wherever the base is.
    pub fn extent(&self, options: &LinkOptions) -> u64 {
        let options = LinkOptions { base_address: 0, end: u64::MAX, ..*options };
        self.arrange(&options, true).plan.end
    }

    /// Finds a place for everything, veneers included.
    fn arrange(&self, options: &LinkOptions, anywhere: bool) -> Arrangement {
        let mut errors = Vec::new();
        let mut islands = Islands::default();
        let mut plan = Plan::new(self, options, &islands, &mut errors);
        let names = self.names(&plan, &mut errors);
        while errors.is_empty()
            && islands.grow(&Known { module: self, options, plan: &plan, names: &names, anywhere })
        {
            plan = Plan::new(self, options, &islands, &mut errors);
        }
        Arrangement { plan, names, islands, errors }
    }

    /// Puts everything at its address and resolves every relocation.
    ///
    /// # Errors
    /// Every fault of the module, see [`LinkError`].
    pub fn link(&self, options: &LinkOptions) -> Result<Image, LinkErrors> {
        let Arrangement { plan, names, islands, mut errors } = self.arrange(options, false);
        if plan.end > options.end {
            errors.push(LinkError::TooLarge { end: plan.end, limit: options.end });
        }
        if !errors.is_empty() {
            return Err(LinkErrors(errors));
        }
        let known = Known { module: self, options, plan: &plan, names: &names, anywhere: false };
        Linker { known, islands: &islands, undefined: HashMap::new(), errors }.link()
    }

    /// Symbols to indices into the plan's symbols.
    fn names(&self, plan: &Plan, errors: &mut Vec<LinkError>) -> HashMap<ExternalName, u32> {
        let mut names = HashMap::with_capacity(plan.symbols.len());
        for (i, symbol) in plan.symbols.iter().enumerate() {
            if names.insert(symbol.name.clone(), i as u32).is_some() {
                errors.push(LinkError::Duplicate { symbol: symbol.name.clone() });
            }
        }
        // A library routine is also known by the name that C gives it.
        for &libcall in LibCall::ALL {
            let name = ExternalName::LibCall(libcall);
            if !names.contains_key(&name)
                && let Some(&i) = names.get(&ExternalName::Symbol(libcall_symbol(libcall).into()))
            {
                names.insert(name, i);
            }
        }
        names
    }
}

/// A plan, and what led to it.
struct Arrangement {
    plan: Plan,
    /// Symbols to indices into the plan's.
    names: HashMap<ExternalName, u32>,
    islands: Islands,
    errors: Vec<LinkError>,
}

/// Where everything goes, before any byte is written.
struct Plan {
    /// In the order of [`SegmentKind::ALL`]: address, size, alignment.
    segments: [(u64, u64, u64); SegmentKind::COUNT],
    /// In the order of [`Image::symbols`]; addresses are final.
    symbols: Vec<ImageSymbol>,
    /// The addresses of the islands of veneers.
    islands: Vec<u64>,
    /// The end of the last segment, in whole pages.
    end: u64,
    /// The symbols in the table of addresses, which follows the descriptors.
    got_symbols: Vec<ExternalName>,
    /// Their places in it.
    got: HashMap<ExternalName, u32>,
    /// The address of that table.
    got_start: u64,
    /// The base of the table of contents; 0 in ABIs without one.
    toc: u64,
    threads: Threads,
}

/// The name of the base of the table of contents.
const TOC_SYMBOL: &str = ".TOC.";
/// From the start of the table of contents to its base, which thus is in the middle of what 16 bits with a sign reach.
const TOC_BIAS: u64 = 0x8000;
/// Bytes of an entry of the table of addresses.
const GOT_ENTRY_BYTES: u64 = 8;

/// `n` rounded up to a power of two; saturating, so that absurd sizes end as "too large".
fn align_up(n: u64, alignment: u64) -> u64 {
    n.checked_add(alignment - 1).map_or(u64::MAX, |n| n & !(alignment - 1))
}

impl Plan {
    fn new(module: &Module, options: &LinkOptions, islands: &Islands, errors: &mut Vec<LinkError>) -> Plan {
        let mut plan = Plan {
            segments: [(0, 0, 1); SegmentKind::COUNT],
            symbols: Vec::with_capacity(module.functions.len() + module.data.len() + module.absolute.len()),
            islands: Vec::new(),
            end: 0,
            got_symbols: Vec::new(),
            got: HashMap::new(),
            got_start: 0,
            toc: 0,
            threads: Threads::default(),
        };
        plan.place_code(module, options, islands, errors);
        plan.place_toc(module, options);
        for data in &module.data {
            plan.place(&data.name, data.kind(), data.contents.len(), data.alignment, data.linkage, errors);
        }
        plan.place_threads(module, options);
        // Offsets in segments become addresses once the segments' sizes are known.
        let mut address = options.base_address;
        let mut before = 0;
        for (segment, kind) in plan.segments.iter_mut().zip(SegmentKind::ALL) {
            if kind == SegmentKind::ThreadZeros {
                segment.0 = align_up(before, segment.2);
                continue;
            }
            segment.0 = address;
            before = address.saturating_add(segment.1);
            address = align_up(address.saturating_add(segment.1), options.page_size.max(1));
        }
        plan.end = address;
        let code = plan.segments[SegmentKind::Code as usize].0;
        for island in &mut plan.islands {
            *island = island.saturating_add(code);
        }
        for symbol in &mut plan.symbols {
            if let Some(kind) = symbol.kind {
                symbol.address = symbol.address.saturating_add(plan.segments[kind as usize].0);
                symbol.own_address = symbol.address;
            }
        }
        let table = plan.segments[SegmentKind::ReadOnly as usize].0;
        if options.functions.has_descriptors() {
            for (symbol, i) in plan.symbols.iter_mut().zip(0..module.functions.len() as u64) {
                symbol.own_address = table.saturating_add(i * FunctionSymbols::DESCRIPTOR_BYTES);
            }
        }
        plan.got_start = plan.got_start.saturating_add(table);
        if options.functions.has_toc() {
            plan.toc = table.saturating_add(TOC_BIAS);
            plan.add_absolute(&ExternalName::symbol(TOC_SYMBOL), plan.toc);
        }
        plan.settle_threads(module);
        for &(ref name, address) in &module.absolute {
            plan.add_absolute(name, address);
        }
        plan
    }

    fn add_absolute(&mut self, name: &ExternalName, address: u64) {
        self.symbols.push(ImageSymbol {
            name: name.clone(),
            address,
            own_address: address,
            size: 0,
            local_entry: 0,
            kind: None,
            linkage: Linkage::Global,
            data_ranges: Vec::new(),
            traps: Vec::new(),
        });
    }

    /// Descriptors, and a table of the addresses that code loads.
    fn place_toc(&mut self, module: &Module, options: &LinkOptions) {
        let mut size = 0;
        if options.functions.has_descriptors() {
            size = module.functions.len() as u64 * FunctionSymbols::DESCRIPTOR_BYTES;
        }
        self.got_start = size;
        for reloc in module.functions.iter().flat_map(|function| &function.code.relocs) {
            if reloc.kind.0.symbol == SymbolAddress::GotSlot && !self.got.contains_key(&reloc.symbol) {
                self.got.insert(reloc.symbol.clone(), self.got_symbols.len() as u32);
                self.got_symbols.push(reloc.symbol.clone());
            }
        }
        size += self.got_symbols.len() as u64 * GOT_ENTRY_BYTES;
        if size != 0 {
            let segment = &mut self.segments[SegmentKind::ReadOnly as usize];
            (segment.1, segment.2) = (size, GOT_ENTRY_BYTES);
        }
    }

    /// The address of a symbol that a relocation asks for.
    fn address(&self, name: &ExternalName, symbol: &ImageSymbol, which: SymbolAddress) -> u64 {
        match which {
            SymbolAddress::Own => symbol.own_address,
            SymbolAddress::LocalEntry => symbol.address + u64::from(symbol.local_entry),
            SymbolAddress::Code => symbol.address,
            SymbolAddress::ThreadOffset => self.thread_offset(symbol.address),
            SymbolAddress::ThreadIndex => self.thread_index(name),
            SymbolAddress::GotSlot => {
                let slot = self.got.get(name).copied().unwrap_or_default();
                self.got_start + u64::from(slot) * GOT_ENTRY_BYTES
            }
        }
    }

    /// Bytes of the code segment.
    fn code_size(&self) -> u64 {
        self.segments[SegmentKind::Code as usize].1
    }

    /// The values of a relocation.
    fn values(&self, options: &LinkOptions, symbol: u64, addend: i64, place: u64) -> RelocValues {
        RelocValues { symbol, addend, place, toc: self.toc, endianness: options.endianness }
    }

    /// Functions in the order of addition, with islands of veneers between them.
    fn place_code(
        &mut self,
        module: &Module,
        options: &LinkOptions,
        islands: &Islands,
        errors: &mut Vec<LinkError>,
    ) {
        for (n, function) in module.functions.iter().enumerate() {
            let code = &function.code;
            let size = code.bytes.len() as u64;
            let header = code.header.len() as u64;
            let segment = &mut self.segments[SegmentKind::Code as usize];
            segment.1 = segment.1.saturating_add(header);
            self.place(&function.name, SegmentKind::Code, size, code.alignment, function.linkage, errors);
            if let Some(symbol) = self.symbols.last_mut() {
                symbol.data_ranges = code.data_ranges.clone();
                symbol.data_ranges.sort_by_key(|range| range.start);
                symbol.traps = code.traps.clone();
                symbol.traps.sort_by_key(|trap| trap.offset);
                symbol.local_entry = code.local_entry;
            }
            if let Some(Veneer(veneer)) = options.veneer
                && let Some(size) = islands.behind(n, veneer)
            {
                let segment = &mut self.segments[SegmentKind::Code as usize];
                let start = align_up(segment.1, veneer.alignment.into());
                self.islands.push(start);
                if size != 0 {
                    segment.1 = start.saturating_add(size);
                }
            }
        }
    }

    fn place(
        &mut self,
        name: &ExternalName,
        kind: SegmentKind,
        size: u64,
        alignment: u32,
        linkage: Linkage,
        errors: &mut Vec<LinkError>,
    ) {
        let mut alignment = u64::from(alignment.max(1));
        if !alignment.is_power_of_two() {
            errors.push(LinkError::BadAlignment { symbol: name.clone(), alignment: alignment as u32 });
            alignment = 1;
        }
        let segment = &mut self.segments[kind as usize];
        let offset = align_up(segment.1, alignment);
        segment.1 = offset.saturating_add(size);
        segment.2 = segment.2.max(alignment);
        self.symbols.push(ImageSymbol {
            name: name.clone(),
            address: offset,
            own_address: offset,
            size,
            local_entry: 0,
            kind: Some(kind),
            linkage,
            data_ranges: Vec::new(),
            traps: Vec::new(),
        });
    }
}

/// The second half: bytes and relocations.
struct Linker<'a> {
    known: Known<'a>,
    islands: &'a Islands,
    /// Undefined symbols to their place among the errors.
    undefined: HashMap<ExternalName, usize>,
    errors: Vec<LinkError>,
}

impl Linker<'_> {
    fn link(mut self) -> Result<Image, LinkErrors> {
        let Known { module, plan, .. } = self.known;
        let mut segments: Vec<Segment> = SegmentKind::ALL
            .iter()
            .zip(plan.segments)
            .map(|(&kind, (address, size, alignment))| {
                let bytes = match kind {
                    SegmentKind::Zeros | SegmentKind::ThreadZeros => Vec::new(),
                    _ => vec![0; size as usize],
                };
                Segment { kind, address, bytes, size, alignment }
            })
            .collect();

        let functions = module.functions.iter().map(|f| (&f.code.bytes[..], &f.code.relocs));
        let data = module.data.iter().map(|data| match &data.contents {
            DataContents::Bytes(bytes) => (&bytes[..], &data.relocs),
            DataContents::Zeros(_) => (&[][..], &data.relocs),
        });
        for (n, ((bytes, relocs), symbol)) in functions.chain(data).zip(&plan.symbols).enumerate() {
            let Some(kind) = symbol.kind else { continue };
            let segment = &mut segments[kind as usize];
            // A datum of zeros has no bytes here, and its segment may have none.
            let start = if bytes.is_empty() { 0 } else { (symbol.address - segment.address) as usize };
            let target = &mut segment.bytes[start..start + bytes.len()];
            target.copy_from_slice(bytes);
            for reloc in relocs {
                self.resolve(target, n, symbol, reloc);
            }
        }
        let code = &mut segments[SegmentKind::Code as usize];
        for (function, symbol) in module.functions.iter().zip(&plan.symbols) {
            let header = &function.code.header;
            let end = (symbol.address - code.address) as usize;
            code.bytes[end - header.len()..end].copy_from_slice(header);
        }
        let veneers = self.write_veneers(&mut segments[SegmentKind::Code as usize]);

        if !self.errors.is_empty() {
            return Err(LinkErrors(self.errors));
        }
        self.fill_toc(&mut segments[SegmentKind::ReadOnly as usize]);
        plan.fill_indices(
            &mut segments[SegmentKind::ReadOnly as usize],
            self.known.names,
            self.known.options,
        );
        segments.retain(|segment| segment.size != 0);
        let symbols = plan.symbols.clone();
        let names = self.known.names.clone();
        Ok(Image { segments, symbols, veneers, names, functions: module.functions.len() })
    }

    /// Writes the veneers; what they are called.
    fn write_veneers(&mut self, segment: &mut Segment) -> Vec<ImageSymbol> {
        let Known { plan, options, .. } = self.known;
        let Some(Veneer(veneer)) = options.veneer else { return Vec::new() };
        let size = veneer.size_bytes;
        let mut symbols = Vec::new();
        for (address, to) in self.islands.veneers(plan, veneer) {
            let symbol = &plan.symbols[to.symbol as usize];
            let target = plan.address(&symbol.name, symbol, to.which);
            let values = plan.values(options, target, to.offset, address);
            let name = ExternalName::symbol(&format!("__{}_veneer", linker_name(&symbol.name)));
            let start = (address - segment.address) as usize;
            if !(veneer.emit)(&mut segment.bytes[start..start + size as usize], values) {
                self.errors.push(LinkError::OutOfRange {
                    user: name.clone(),
                    offset: 0,
                    reloc: "a veneer",
                    symbol: symbol.name.clone(),
                    distance: values.relative(),
                });
            }
            symbols.push(ImageSymbol {
                name,
                address,
                own_address: address,
                size: size.into(),
                local_entry: 0,
                kind: Some(SegmentKind::Code),
                linkage: Linkage::Local,
                data_ranges: (veneer.data_bytes != 0)
                    .then_some(size - veneer.data_bytes..size)
                    .into_iter()
                    .collect(),
                traps: Vec::new(),
            });
        }
        symbols
    }

    /// Writes the descriptors and the table of addresses.
    fn fill_toc(&self, segment: &mut Segment) {
        let Known { module, options, plan, names, .. } = self.known;
        let endianness = options.endianness;
        let mut put = |address: u64, value: u64| {
            let at = (address - segment.address) as usize;
            let bytes = match endianness {
                Endianness::Little => value.to_le_bytes(),
                Endianness::Big => value.to_be_bytes(),
            };
            segment.bytes[at..at + bytes.len()].copy_from_slice(&bytes);
        };
        if options.functions.has_descriptors() {
            for function in &plan.symbols[..module.functions.len()] {
                put(function.own_address, function.address);
                put(function.own_address + 8, plan.toc);
            }
        }
        for (name, slot) in plan.got_symbols.iter().zip(0..) {
            if let Some(&symbol) = names.get(name) {
                let value = plan.symbols[symbol as usize].own_address;
                put(plan.got_start + slot * GOT_ENTRY_BYTES, value);
            }
        }
    }

    /// `user` is number `n` of the plan's symbols.
    fn resolve(&mut self, bytes: &mut [u8], n: usize, user: &ImageSymbol, reloc: &Reloc) {
        let Known { module, options, plan, names, .. } = self.known;
        let def = reloc.kind.0;
        let start = reloc.offset as usize;
        let Some(place) = bytes.get_mut(start..start + usize::from(def.size_bytes)) else {
            let (user, offset) = (user.name.clone(), reloc.offset);
            self.errors.push(LinkError::BadPlace { user, offset, reloc: def.name });
            return;
        };
        let Some(&symbol) = names.get(&reloc.symbol) else {
            self.report_undefined(user, reloc);
            return;
        };
        let symbol = &plan.symbols[symbol as usize];
        let thread_local = symbol.kind.is_some_and(SegmentKind::is_thread_local);
        if thread_local != def.symbol.is_thread_local() {
            self.errors.push(LinkError::Storage {
                user: user.name.clone(),
                offset: reloc.offset,
                reloc: def.name,
                symbol: reloc.symbol.clone(),
                thread_local,
            });
            return;
        }
        let address = plan.address(&reloc.symbol, symbol, def.symbol);
        let mut values = plan.values(options, address, reloc.addend, user.address + u64::from(reloc.offset));
        if n < module.functions.len()
            && let Some(Veneer(veneer)) = options.veneer
            && let Some(detour) = self.islands.detour(&self.known, n, reloc)
        {
            (values.symbol, values.addend) = (detour, veneer.branch_addend);
        }
        if !(def.apply)(place, values) {
            self.errors.push(LinkError::OutOfRange {
                user: user.name.clone(),
                offset: reloc.offset,
                reloc: def.name,
                symbol: reloc.symbol.clone(),
                distance: values.relative(),
            });
        }
    }

    fn report_undefined(&mut self, user: &ImageSymbol, reloc: &Reloc) {
        if let Some(&i) = self.undefined.get(&reloc.symbol) {
            if let LinkError::Undefined { places, .. } = &mut self.errors[i] {
                *places += 1;
            }
            return;
        }
        self.undefined.insert(reloc.symbol.clone(), self.errors.len());
        self.errors.push(LinkError::Undefined {
            symbol: reloc.symbol.clone(),
            user: user.name.clone(),
            offset: reloc.offset,
            places: 1,
        });
    }
}

#[cfg(test)]
mod tests;
