//! What goes into an image or an object: functions and data under names.

use super::SegmentKind;
use crate::compiled::CompiledCode;
use crate::reloc::Reloc;
use alloc::borrow::Cow;
use alloc::format;
use alloc::vec::Vec;
use windlass_ir::{ExternalName, LibCall};

/// Who may refer to a symbol.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Linkage {
    /// Other modules too.
    #[default]
    Global,
    /// This module alone. Names are still unique in a module.
    Local,
}

/// A function of a module.
#[derive(Clone, Debug)]
pub struct FunctionDef {
    /// Its name.
    pub name: ExternalName,
    /// Its code.
    pub code: CompiledCode,
    /// Who may refer to it.
    pub linkage: Linkage,
}

/// What a data object holds at first.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum DataContents {
    /// These bytes.
    Bytes(Vec<u8>),
    /// This many zero bytes.
    Zeros(u64),
}

impl DataContents {
    /// The size in bytes.
    pub fn len(&self) -> u64 {
        match self {
            DataContents::Bytes(bytes) => bytes.len() as u64,
            DataContents::Zeros(size) => *size,
        }
    }

    /// Has it no bytes?
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// A data object of a module.
#[derive(Clone, Debug)]
pub struct DataDef {
    /// Its name.
    pub name: ExternalName,
    /// What it holds at first.
    pub contents: DataContents,
    /// Its address is a multiple of this power of two, in bytes.
    pub alignment: u32,
    /// The program may write to it.
    pub writable: bool,
    /// Every thread has one of its own, which it may write to.
    pub thread_local: bool,
    /// Places in it that depend on symbols; only in objects with [`DataContents::Bytes`].
    pub relocs: Vec<Reloc>,
    /// Who may refer to it.
    pub linkage: Linkage,
}

impl DataDef {
    /// Read-only bytes without relocations, aligned to `alignment` bytes.
    pub fn read_only(name: ExternalName, bytes: Vec<u8>, alignment: u32) -> DataDef {
        let contents = DataContents::Bytes(bytes);
        DataDef {
            name,
            contents,
            alignment,
            writable: false,
            thread_local: false,
            relocs: Vec::new(),
            linkage: Linkage::Global,
        }
    }

    /// `size` zero bytes that the program may write to, aligned to `alignment` bytes.
    pub fn zeros(name: ExternalName, size: u64, alignment: u32) -> DataDef {
        let contents = DataContents::Zeros(size);
        DataDef {
            name,
            contents,
            alignment,
            writable: true,
            thread_local: false,
            relocs: Vec::new(),
            linkage: Linkage::Global,
        }
    }

    /// The kind of segment that it belongs to.
    pub fn kind(&self) -> SegmentKind {
        match (&self.contents, self.writable) {
            (DataContents::Bytes(_), _) if self.thread_local => SegmentKind::ThreadData,
            (DataContents::Zeros(_), _) if self.thread_local => SegmentKind::ThreadZeros,
            (_, false) => SegmentKind::ReadOnly,
            (DataContents::Bytes(_), true) => SegmentKind::Writable,
            (DataContents::Zeros(_), true) => SegmentKind::Zeros,
        }
    }
}

/// Functions and data that are linked together, or become one object file.
#[derive(Clone, Debug, Default)]
pub struct Module {
    pub(super) functions: Vec<FunctionDef>,
    pub(super) data: Vec<DataDef>,
    pub(super) absolute: Vec<(ExternalName, u64)>,
}

impl Module {
    /// An empty module.
    pub fn new() -> Module {
        Module::default()
    }

    /// Adds a function that others may refer to.
    pub fn add_function(&mut self, name: ExternalName, code: CompiledCode) {
        self.functions.push(FunctionDef { name, code, linkage: Linkage::Global });
    }

    /// Adds a function that this module alone refers to.
    pub fn add_local_function(&mut self, name: ExternalName, code: CompiledCode) {
        self.functions.push(FunctionDef { name, code, linkage: Linkage::Local });
    }

    /// Adds a data object.
    pub fn add_data(&mut self, data: DataDef) {
        self.data.push(data);
    }

    /// Says where something outside of the module is: a routine of this process, a device.
    pub fn add_absolute(&mut self, name: ExternalName, address: u64) {
        self.absolute.push((name, address));
    }

    /// The functions, in the order of addition.
    pub fn functions(&self) -> &[FunctionDef] {
        &self.functions
    }

    /// The data objects, in the order of addition.
    pub fn data(&self) -> &[DataDef] {
        &self.data
    }

    /// Is any of its data thread-local?
    pub fn has_thread_locals(&self) -> bool {
        self.data.iter().any(|data| data.thread_local)
    }

    /// Things outside of the module whose address is known, in the order of addition.
    pub fn absolute(&self) -> &[(ExternalName, u64)] {
        &self.absolute
    }
}

/// The name of a symbol in object files and executables: its own, `u0:1` for numbered ones, the C library's for
/// library routines.
pub fn linker_name(name: &ExternalName) -> Cow<'_, str> {
    match name {
        ExternalName::Symbol(name) => Cow::Borrowed(name),
        ExternalName::User { namespace, index } => Cow::Owned(format!("u{namespace}:{index}")),
        ExternalName::LibCall(libcall) => Cow::Borrowed(libcall_symbol(*libcall)),
    }
}

/// The symbol under which a library has a routine.
pub const fn libcall_symbol(libcall: LibCall) -> &'static str {
    match libcall {
        LibCall::Probestack => "__windlass_probestack",
        LibCall::CeilF32 => "ceilf",
        LibCall::CeilF64 => "ceil",
        LibCall::FloorF32 => "floorf",
        LibCall::FloorF64 => "floor",
        LibCall::TruncF32 => "truncf",
        LibCall::TruncF64 => "trunc",
        LibCall::NearestF32 => "nearbyintf",
        LibCall::NearestF64 => "nearbyint",
        LibCall::FmaF32 => "fmaf",
        LibCall::FmaF64 => "fma",
        LibCall::Memcpy => "memcpy",
        LibCall::Memset => "memset",
        LibCall::Memmove => "memmove",
        LibCall::Memcmp => "memcmp",
        LibCall::ElfTlsGetAddr => "__tls_get_addr",
        LibCall::ElfTlsGetOffset => "__tls_get_offset",
    }
}
