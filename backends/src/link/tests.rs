use super::*;
use crate::arm::reloc::{ABS32, CALL};
use crate::reloc::RelocKind;
use alloc::string::ToString;

const OPTIONS: LinkOptions = LinkOptions {
    base_address: 0x1_0000,
    page_size: 0x1000,
    end: 0xffff_f000,
    endianness: Endianness::Little,
    functions: FunctionSymbols::Code,
};

fn name(name: &str) -> ExternalName {
    ExternalName::symbol(name)
}

fn reloc(offset: u32, kind: RelocKind, symbol: &str, addend: i64) -> Reloc {
    Reloc { offset, kind, symbol: name(symbol), addend }
}

fn code(words: &[u32], relocs: Vec<Reloc>) -> CompiledCode {
    let bytes = words.iter().flat_map(|word| word.to_le_bytes()).collect();
    CompiledCode { bytes, alignment: 4, relocs, ..CompiledCode::default() }
}

fn word(image: &Image, address: u64) -> u32 {
    let segment =
        image.segments().iter().find(|s| (s.address..s.address + s.size).contains(&address)).unwrap();
    let at = (address - segment.address) as usize;
    u32::from_le_bytes(segment.bytes[at..at + 4].try_into().unwrap())
}

#[test]
fn code_and_data_refer_to_each_other() {
    let mut module = Module::new();
    module.add_function(name("main"), code(&[0xeb00_0000, 0xe12f_ff1e], vec![reloc(0, CALL, "leaf", -8)]));
    module.add_function(name("leaf"), code(&[0xe12f_ff1e], vec![]));
    module.add_data(DataDef {
        relocs: vec![reloc(4, ABS32, "leaf", 0), reloc(0, ABS32, "zeros", 12)],
        ..DataDef::read_only(name("table"), vec![0; 8], 4)
    });
    module.add_data(DataDef { writable: true, ..DataDef::read_only(name("state"), vec![7, 0, 0, 0], 4) });
    module.add_data(DataDef::zeros(name("zeros"), 100, 8));
    let image = module.link(&OPTIONS).unwrap();

    let addresses: Vec<_> = image.symbols().iter().map(|s| (s.name.to_string(), s.address)).collect();
    let expected = [
        ("%main", 0x10000),
        ("%leaf", 0x10008),
        ("%table", 0x11000),
        ("%state", 0x12000),
        ("%zeros", 0x13000),
    ];
    assert_eq!(addresses, expected.map(|(name, address)| (name.to_string(), address)));
    assert_eq!(word(&image, 0x10000), 0xeb00_0000, "the next word but one");
    assert_eq!(word(&image, 0x11000), 0x1300c);
    assert_eq!(word(&image, 0x11004), 0x10008);
    assert_eq!(word(&image, 0x12000), 7);
    let kinds: Vec<_> = image.segments().iter().map(|s| (s.kind, s.bytes.len(), s.size)).collect();
    let expected = [
        (SegmentKind::Code, 12, 12),
        (SegmentKind::ReadOnly, 8, 8),
        (SegmentKind::Writable, 4, 4),
        (SegmentKind::Zeros, 0, 100),
    ];
    assert_eq!(kinds, expected);
    assert_eq!(module.extent(&OPTIONS), 0x4000);
}

#[test]
fn every_fault_is_reported() {
    let mut module = Module::new();
    let calls = vec![
        reloc(0, CALL, "one", -8),
        reloc(4, CALL, "two", -8),
        reloc(8, CALL, "one", -8),
        reloc(12, CALL, "far", -8),
        reloc(14, CALL, "f", -8),
    ];
    module.add_function(name("f"), code(&[0xeb00_0000; 4], calls));
    module.add_absolute(name("far"), 0x8000_0000);
    let errors = module.link(&OPTIONS).unwrap_err().to_string();
    let expected = "undefined symbol %one, used in %f at offset 0x0 and in 1 more places\n\
        undefined symbol %two, used in %f at offset 0x4\n\
        %far is out of range of R_ARM_CALL in %f at offset 0xc: +2147418092 bytes away\n\
        R_ARM_CALL at offset 0xe is outside of the bytes of %f";
    assert_eq!(errors, expected);
}

#[test]
fn duplicates_bad_alignment_and_size_are_reported() {
    let mut module = Module::new();
    module.add_function(name("f"), code(&[0], vec![]));
    module.add_data(DataDef::zeros(name("f"), 4, 3));
    module.add_data(DataDef::zeros(name("huge"), u64::MAX, 8));
    let errors = module.link(&OPTIONS).unwrap_err().0;
    let too_large = LinkError::TooLarge { end: u64::MAX, limit: 0xffff_f000 };
    let expected = [
        LinkError::BadAlignment { symbol: name("f"), alignment: 3 },
        LinkError::Duplicate { symbol: name("f") },
        too_large,
    ];
    assert_eq!(errors, expected);
}

#[test]
fn library_routines_are_known_by_their_c_names() {
    let mut module = Module::new();
    let call = Reloc { offset: 0, kind: CALL, symbol: ExternalName::LibCall(LibCall::Memcpy), addend: -8 };
    module.add_function(name("f"), code(&[0xeb00_0000], vec![call]));
    module.add_function(name("memcpy"), code(&[0xe12f_ff1e], vec![]));
    let image = module.link(&OPTIONS).unwrap();
    assert_eq!(word(&image, 0x10000), 0xebff_ffff);
    assert_eq!(image.address_of(&ExternalName::LibCall(LibCall::Memcpy)), Some(0x10004));
}

#[test]
fn addresses_lead_back_to_functions_and_traps() {
    let mut module = Module::new();
    let mut first = code(&[1, 2, 3], vec![]);
    first.traps = vec![
        TrapSite { offset: 8, code: TrapCode::INTEGER_OVERFLOW },
        TrapSite { offset: 4, code: TrapCode::HEAP_OUT_OF_BOUNDS },
    ];
    module.add_function(name("first"), first);
    let mut second = code(&[4], vec![]);
    second.alignment = 16;
    second.traps = vec![TrapSite { offset: 0, code: TrapCode::user(9).unwrap() }];
    module.add_local_function(name("second"), second);
    let image = module.link(&OPTIONS).unwrap();
    let at = |address| image.function_at(address).map(|(f, offset)| (f.name.to_string(), offset));
    assert_eq!(at(0xffff), None);
    assert_eq!(at(0x10000), Some(("%first".to_string(), 0)));
    assert_eq!(at(0x1000b), Some(("%first".to_string(), 11)));
    assert_eq!(at(0x1000c), None, "padding belongs to nobody");
    assert_eq!(at(0x10010), Some(("%second".to_string(), 0)));
    assert_eq!(at(0x10014), None);
    assert_eq!(image.trap_at(0x10004), Some(TrapCode::HEAP_OUT_OF_BOUNDS));
    assert_eq!(image.trap_at(0x10008), Some(TrapCode::INTEGER_OVERFLOW));
    assert_eq!(image.trap_at(0x10000), None);
    assert_eq!(image.trap_at(0x10010), TrapCode::user(9));
}

#[test]
fn an_empty_module_links_to_nothing() {
    let image = Module::new().link(&OPTIONS).unwrap();
    assert!(image.segments().is_empty() && image.symbols().is_empty());
}
