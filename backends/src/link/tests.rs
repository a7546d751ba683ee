use super::*;
use crate::arm::reloc::{ABS32, CALL, TLS_GD32, TLS_LE32};
use crate::compiled::{CompiledCode, TrapSite};
use crate::reloc::RelocKind;
use alloc::string::ToString;
use windlass_ir::TrapCode;

const OPTIONS: LinkOptions = LinkOptions {
    base_address: 0x1_0000,
    page_size: 0x1000,
    end: 0xffff_f000,
    endianness: Endianness::Little,
    functions: FunctionSymbols::Code,
    threads: ThreadLayout { word_bytes: 4, header_bytes: 8, pointer_bias: 0 },
    veneer: None,
    branch_range: None,
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

// ----- Veneers -----

use crate::arm::reloc::{JUMP24, VENEER};

/// Branches that reach 100 bytes.
const SHORT: LinkOptions = LinkOptions { veneer: Some(VENEER), branch_range: Some(100), ..OPTIONS };

/// `bl callee`, and words up to `bytes`.
fn caller(callee: &str, bytes: usize) -> CompiledCode {
    let mut words = vec![0xe1a0_0000; bytes / 4];
    words[0] = 0xeb00_0000;
    code(&words, vec![reloc(0, CALL, callee, -8)])
}

/// Where the branch at an address goes, through a veneer if it goes to one.
fn destination(image: &Image, from: u64) -> (u64, bool) {
    let branch = word(image, from);
    let to = (from + 8).wrapping_add_signed(i64::from((branch << 8) as i32 >> 6));
    match image.veneers().iter().any(|veneer| veneer.address == to) {
        true => {
            assert_eq!(word(image, to), 0xe51f_f004, "ldr pc, [pc, #-4]");
            (word(image, to + 4).into(), true)
        }
        false => (to, false),
    }
}

#[test]
fn branches_that_do_not_reach_go_through_veneers() {
    let mut module = Module::new();
    module.add_function(name("a"), caller("d", 60));
    module.add_function(name("b"), caller("c", 40));
    module.add_function(name("c"), caller("a", 80));
    module.add_function(name("d"), caller("d", 80));
    let image = module.link(&SHORT).unwrap();
    let at = |symbol: &str| image.address_of(&name(symbol)).unwrap();
    assert_eq!(destination(&image, at("a")), (at("d"), true));
    assert_eq!(destination(&image, at("b")), (at("c"), false));
    assert_eq!(destination(&image, at("c")), (at("a"), true));
    assert_eq!(destination(&image, at("d")), (at("d"), false));
    let veneers: Vec<_> = image.veneers().iter().map(|v| (v.name.to_string(), v.size)).collect();
    assert_eq!(veneers, [("%__d_veneer".to_string(), 8), ("%__a_veneer".to_string(), 8)]);
    for veneer in image.veneers() {
        assert!(veneer.data_ranges.iter().eq([&(4..8)]), "{:?}", veneer.data_ranges);
        assert!(image.function_at(veneer.address).is_none());
    }
    let without = module.link(&LinkOptions { branch_range: None, ..SHORT }).unwrap();
    assert!(without.veneers().is_empty());
    assert_eq!(without.symbols().last().map(|s| s.address), Some(0x100b4));
}

#[test]
fn branches_of_a_group_share_veneers_and_those_to_other_places_do_not() {
    let mut module = Module::new();
    let calls = vec![
        reloc(0, CALL, "far", -8),
        reloc(4, JUMP24, "far", -8),
        reloc(8, CALL, "far", -4),
        reloc(12, CALL, "far", -8),
    ];
    module.add_function(name("user"), code(&[0xeb00_0000, 0x0a00_0000, 0xeb00_0000, 0xeb00_0000], calls));
    module.add_absolute(name("far"), 0x8000_0000);
    let image = module.link(&LinkOptions { branch_range: None, ..SHORT }).unwrap();
    assert_eq!(image.veneers().len(), 2);
    let found: Vec<_> = (0..4).map(|n| destination(&image, 0x10000 + 4 * n)).collect();
    assert_eq!(found, [0x8000_0000, 0x8000_0000, 0x8000_0004, 0x8000_0000].map(|at| (at, true)));
    assert_eq!(word(&image, 0x10004) >> 24, 0x0a, "the condition stays");
    // Wherever the image goes, there is room for the veneers.
    let near = LinkOptions { base_address: 0x7fff_0000, branch_range: None, ..SHORT };
    assert!(module.link(&near).unwrap().veneers().is_empty());
    assert_eq!(module.extent(&near), 0x1000);
}

#[test]
fn veneers_push_others_out_of_reach_until_all_have_one() {
    let mut module = Module::new();
    // Each calls the next but one, just in reach as long as no veneer stands between.
    for n in 0..200 {
        module.add_function(name(&format!("f{n}")), caller(&format!("f{}", (n + 2) % 200), 48));
    }
    let image = module.link(&SHORT).unwrap();
    let again = module.link(&SHORT).unwrap();
    assert_eq!(image.segments(), again.segments());
    let addresses: Vec<u64> = (0..200).map(|n| image.address_of(&name(&format!("f{n}"))).unwrap()).collect();
    for n in 0..200 {
        let (to, veneer) = destination(&image, addresses[n]);
        assert_eq!(to, addresses[(n + 2) % 200], "f{n}");
        assert!(veneer, "f{n}");
    }
}

#[test]
fn a_function_larger_than_the_reach_uses_the_islands_before_and_behind() {
    const MIB: usize = 1 << 20;
    let mut big = caller("last", 50 * MIB);
    // From the middle the island behind is in reach, from the start the one before.
    big.relocs.push(reloc(40 << 20, CALL, "first", -8));
    big.bytes[40 << 20..(40 << 20) + 4].copy_from_slice(&0xeb00_0000u32.to_le_bytes());
    let mut module = Module::new();
    module.add_function(name("first"), caller("last", 8));
    module.add_function(name("big"), big);
    module.add_function(name("last"), caller("first", 8));
    let image = module.link(&LinkOptions { branch_range: None, ..SHORT }).unwrap();
    let at = |symbol: &str| image.address_of(&name(symbol)).unwrap();
    assert_eq!(destination(&image, at("first")), (at("last"), true));
    assert_eq!(destination(&image, at("big")), (at("last"), true));
    assert_eq!(destination(&image, at("big") + (40 << 20)), (at("first"), true));
    assert_eq!(destination(&image, at("last")), (at("first"), true));

    let mut module = Module::new();
    let mut huge = code(&[0xe1a0_0000; 8], vec![reloc(40 << 20, CALL, "last", -8)]);
    huge.bytes.resize(80 * MIB, 0);
    module.add_function(name("huge"), huge);
    module.add_function(name("last"), caller("huge", 8));
    let errors = module.link(&LinkOptions { branch_range: None, ..SHORT }).unwrap_err();
    assert!(matches!(&errors.0[..], [LinkError::OutOfRange { offset: 0x280_0000, .. }]), "{errors}");
}

#[test]
fn thread_local_data_have_a_template_and_a_block_of_the_first_thread() {
    let mut module = Module::new();
    let relocs = vec![
        reloc(0, TLS_LE32, "one", 0),
        reloc(4, TLS_LE32, "zeros", 4),
        reloc(8, TLS_GD32, "two", 12),
        reloc(12, TLS_GD32, "zeros", 16),
        reloc(16, ABS32, "__windlass_tls_template", 0),
        reloc(20, ABS32, "__windlass_tls_template_end", 0),
        reloc(24, ABS32, "__windlass_tls_data", 0),
        reloc(28, ABS32, "__windlass_tls_pointer", 0),
        reloc(32, ABS32, "plain", 0),
    ];
    module.add_function(name("main"), code(&[0; 9], relocs));
    let local = |data| DataDef { thread_local: true, ..data };
    module.add_data(local(DataDef::zeros(name("zeros"), 8, 32)));
    module.add_data(local(DataDef::read_only(name("one"), vec![1, 0, 0, 0], 4)));
    module.add_data(local(DataDef::read_only(name("two"), vec![2, 0, 0, 0], 8)));
    module.add_data(DataDef::zeros(name("plain"), 4, 4));
    let image = module.link(&OPTIONS).unwrap();

    let segments: Vec<_> =
        image.segments().iter().map(|s| (s.kind, s.address, s.bytes.len(), s.size)).collect();
    let expected = [
        (SegmentKind::Code, 0x10000, 36, 36),
        (SegmentKind::ReadOnly, 0x11000, 16, 16),
        (SegmentKind::ThreadData, 0x12000, 12, 12),
        (SegmentKind::ThreadZeros, 0x12020, 0, 8),
        // A datum, a header of 8 bytes made 32 by the alignment of what is behind it, 40 bytes of data.
        (SegmentKind::Zeros, 0x13000, 0, 32 + 32 + 40),
    ];
    assert_eq!(segments, expected);
    let words: Vec<_> = (0..9).map(|n| word(&image, 0x10000 + 4 * n)).collect();
    // Distances of pairs: from the function, since the addends are the places' offsets plus 4.
    let expected = [32, 32 + 32 + 4, 0x1004, 0x100c, 0x12000, 0x1200c, 0x13040, 0x13020, 0x13000];
    assert_eq!(words, expected);
    let pairs: Vec<_> = (0..4).map(|n| word(&image, 0x11000 + 4 * n)).collect();
    assert_eq!(pairs, [1, 32 + 8, 1, 32 + 32]);
}

#[test]
fn thread_local_data_and_others_are_told_apart() {
    let mut module = Module::new();
    let relocs = vec![reloc(0, TLS_LE32, "plain", 0), reloc(4, ABS32, "local", 0)];
    module.add_function(name("main"), code(&[0; 2], relocs));
    module.add_data(DataDef { thread_local: true, ..DataDef::zeros(name("local"), 4, 4) });
    module.add_data(DataDef::zeros(name("plain"), 4, 4));
    let errors = module.link(&OPTIONS).unwrap_err().to_string();
    let expected = "%plain is not thread-local, unlike what R_ARM_TLS_LE32 in %main at offset 0x0 wants\n\
                    %local is thread-local, unlike what R_ARM_ABS32 in %main at offset 0x4 wants";
    assert_eq!(errors, expected);
}
