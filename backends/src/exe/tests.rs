use super::*;
use crate::compiled::CompiledCode;
use crate::link::{DataDef, LinkOptions, Module};
use ::object::read::elf::{ElfFile32, FileHeader as _, ProgramHeader as _};
use ::object::{Object as _, ObjectSection as _, ObjectSymbol as _};
use windlass_ir::Endianness;

pub(crate) const INFO: ElfInfo = crate::arm::elf::HARD_FLOAT;

fn module() -> Module {
    let words = |words: &[u32]| words.iter().flat_map(|word| word.to_le_bytes()).collect::<Vec<u8>>();
    let mut module = Module::new();
    module.add_function(
        ExternalName::symbol("_start"),
        CompiledCode {
            bytes: words(&[0xe3a0_0007, 0xea00_0000, 0x1234_5678, 0xe3a0_7001, 0xef00_0000]),
            alignment: 4,
            data_ranges: core::iter::once(8..12).collect(),
            ..CompiledCode::default()
        },
    );
    module.add_local_function(
        ExternalName::user(0, 1),
        CompiledCode { bytes: words(&[0xe12f_ff1e]), alignment: 4, ..CompiledCode::default() },
    );
    module.add_data(DataDef::read_only(ExternalName::symbol("text"), b"hello".to_vec(), 1));
    module.add_data(DataDef::zeros(ExternalName::symbol("room"), 64, 8));
    module
}

fn image() -> Image {
    module().link(&LinkOptions::of_elf(&INFO)).unwrap()
}

#[test]
fn sections_symbols_and_segments_are_those_of_the_image() {
    let bytes = write_executable(&image(), &INFO, &ExternalName::symbol("_start")).unwrap();
    let file = ElfFile32::<::object::Endianness>::parse(&bytes[..]).unwrap();
    assert_eq!(file.entry(), 0x10000);
    let sections: Vec<_> = file.sections().map(|s| (s.name().unwrap(), s.address(), s.size())).collect();
    assert_eq!(
        &sections[..4],
        [(".text", 0x10000, 24), (".rodata", 0x11000, 5), (".bss", 0x12000, 64), (".ARM.attributes", 0, 47)]
    );
    let symbols: Vec<_> = file.symbols().map(|s| (s.name().unwrap(), s.address(), s.is_global())).collect();
    let expected = [
        ("$a", 0x10000, false),
        ("$d", 0x10008, false),
        ("$a", 0x1000c, false),
        ("u0:1", 0x10014, false),
        ("_start", 0x10000, true),
        ("text", 0x11000, true),
        ("room", 0x12000, true),
    ];
    assert_eq!(symbols, expected);
    let endian = ::object::Endianness::Little;
    for header in file.elf_header().program_headers(endian, &bytes[..]).unwrap() {
        let flags = header.p_flags(endian);
        assert_ne!(
            flags & (elf::PF_W | elf::PF_X),
            elf::PF_W | elf::PF_X,
            "writable or executable, not both"
        );
        if header.p_type(endian) == elf::PT_LOAD {
            assert_eq!(header.p_offset(endian) % 0x1000, header.p_vaddr(endian) % 0x1000);
        }
    }
}

#[test]
fn the_same_image_gives_the_same_bytes_in_every_word_size_and_byte_order() {
    for is_64 in [false, true] {
        for endianness in [Endianness::Little, Endianness::Big] {
            let info = ElfInfo { is_64, endianness, ..INFO };
            let entry = ExternalName::symbol("_start");
            let bytes = write_executable(&image(), &info, &entry).unwrap();
            assert_eq!(bytes, write_executable(&image(), &info, &entry).unwrap());
            assert_eq!(bytes[4], if is_64 { 2 } else { 1 });
            assert_eq!(bytes[5], if endianness == Endianness::Little { 1 } else { 2 });
            let file = ::object::File::parse(&bytes[..]).unwrap();
            assert_eq!(file.entry(), 0x10000);
            assert_eq!(file.section_by_name(".rodata").unwrap().data().unwrap(), b"hello");
        }
    }
}

#[test]
fn what_elf_cannot_hold_is_refused() {
    let no_entry = write_executable(&image(), &INFO, &ExternalName::symbol("text")).unwrap_err();
    assert_eq!(no_entry.to_string(), "the entry point %text is not defined");
    for bad in ["", "a\0b"] {
        let mut module = module();
        module.add_data(DataDef::zeros(ExternalName::symbol(bad), 1, 1));
        let image = module.link(&LinkOptions::of_elf(&INFO)).unwrap();
        let error = write_executable(&image, &INFO, &ExternalName::symbol("_start")).unwrap_err();
        assert_eq!(error, ElfError::BadName { symbol: bad.to_string() });
    }
    let high = LinkOptions { base_address: 1 << 32, end: 1 << 40, ..LinkOptions::of_elf(&INFO) };
    let image = module().link(&high).unwrap();
    let error = write_executable(&image, &INFO, &ExternalName::symbol("_start")).unwrap_err();
    assert!(matches!(error, ElfError::TooLarge { .. }), "{error}");
}

#[test]
fn files_are_replaced_whole_and_failures_leave_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("program");
    write_file_atomically(&path, b"one", true).unwrap();
    write_file_atomically(&path, b"two", true).unwrap();
    assert_eq!(fs::read(&path).unwrap(), b"two");
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o700, 0o700);
        let link = folder.path().join("link");
        std::os::unix::fs::symlink(&path, &link).unwrap();
        write_file_atomically(&link, b"three", false).unwrap();
        assert!(fs::symlink_metadata(&link).unwrap().is_symlink());
        assert_eq!(fs::read(&path).unwrap(), b"three");
        fs::remove_file(&link).unwrap();
        write_file_atomically(Path::new("/dev/null"), b"gone", false).unwrap();
    }
    assert!(write_file_atomically(&folder.path().join("missing/program"), b"", false).is_err());
    assert!(write_file_atomically(folder.path(), b"", false).is_err());
    let names: Vec<_> =
        fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(names, ["program"]);
}
