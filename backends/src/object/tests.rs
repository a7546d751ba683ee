use super::*;
use crate::arm::reloc::{ABS32, CALL, MOVT_ABS, MOVW_ABS_NC, TLS_GD32, TLS_LE32};
use crate::compiled::CompiledCode;
use crate::exe::tests::INFO;
use crate::link::DataDef;
use crate::reloc::RelocKind;
use ::object::{
    Object as _, ObjectSection as _, ObjectSymbol as _, RelocationTarget, SectionKind, SymbolKind,
};
use alloc::vec;

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

fn module() -> Module {
    let mut module = Module::new();
    // push {r4, lr}; movw r0, table; movt r0, table; ldr r0, [r0, #4]; bl elsewhere; bl twice; pop {r4, pc}
    let main = [0xe92d_4010, 0xe300_0000, 0xe340_0000, 0xe590_0004, 0xeb00_0000, 0xeb00_0000, 0xe8bd_8010];
    let relocs = vec![
        reloc(4, MOVW_ABS_NC, "table", 0),
        reloc(8, MOVT_ABS, "table", 0),
        reloc(16, CALL, "elsewhere", -8),
        reloc(20, CALL, "twice", -8),
    ];
    module.add_function(name("compute"), code(&main, relocs));
    // add r0, r0, r0; bx lr; a pool
    let mut twice = code(&[0xe080_0000, 0xe12f_ff1e, 0xe7f0_00f0], vec![]);
    twice.data_ranges.push(8..12);
    module.add_local_function(name("twice"), twice);
    module.add_data(DataDef {
        relocs: vec![reloc(8, ABS32, "twice", 0)],
        ..DataDef::read_only(name("table"), vec![1, 0, 0, 0, 20, 0, 0, 0, 0, 0, 0, 0], 4)
    });
    module.add_data(DataDef::zeros(name("room"), 3, 2));
    module
}

#[test]
fn definitions_references_and_relocations_can_be_read_back() {
    let bytes = write_object(&module(), &INFO, &ObjectOptions::default()).unwrap();
    let file = ::object::File::parse(&bytes[..]).unwrap();
    let sections: Vec<_> = file.sections().map(|s| (s.name().unwrap(), s.size(), s.align())).collect();
    let expected = [
        (".text", 40, 4),
        (".rodata", 12, 4),
        (".bss", 3, 2),
        (".ARM.attributes", 47, 1),
        (".note.GNU-stack", 0, 1),
        (".rel.text", 32, 4),
        (".rel.rodata", 8, 4),
    ];
    assert_eq!(&sections[..7], expected);
    let symbols: Vec<_> = file
        .symbols()
        .map(|s| (s.name().unwrap(), s.address(), s.size(), s.is_global(), s.is_undefined()))
        .collect();
    let expected = [
        ("$a", 0, 0, false, false),
        ("twice", 28, 12, false, false),
        ("$d", 36, 0, false, false),
        ("compute", 0, 28, true, false),
        ("table", 0, 12, true, false),
        ("room", 0, 3, true, false),
        ("elsewhere", 0, 0, true, true),
    ];
    assert_eq!(symbols, expected);
    let text = file.section_by_name(".text").unwrap();
    let relocs: Vec<_> = text
        .relocations()
        .map(|(offset, reloc)| match reloc.target() {
            RelocationTarget::Symbol(symbol) => {
                (offset, file.symbol_by_index(symbol).unwrap().name().unwrap().to_string())
            }
            other => panic!("{other:?}"),
        })
        .collect();
    let expected = [(4, "table"), (8, "table"), (16, "elsewhere"), (20, "twice")];
    assert_eq!(relocs, expected.map(|(offset, symbol)| (offset, symbol.to_string())));
    assert_eq!(&text.data().unwrap()[16..20], 0xebff_fffeu32.to_le_bytes(), "the addend stands in the place");
}

#[test]
fn functions_and_data_may_have_sections_of_their_own() {
    let options = ObjectOptions { separate_sections: true };
    let bytes = write_object(&module(), &INFO, &options).unwrap();
    let file = ::object::File::parse(&bytes[..]).unwrap();
    for (section, size) in
        [(".text.compute", 28), (".text.twice", 12), (".rodata.table", 12), (".bss.room", 3)]
    {
        assert_eq!(file.section_by_name(section).unwrap().size(), size, "{section}");
    }
}

#[test]
fn more_sections_than_a_short_number_counts() {
    let mut module = Module::new();
    for i in 0..70_000 {
        module.add_function(ExternalName::user(0, i), code(&[0xe12f_ff1e], vec![]));
    }
    let bytes = write_object(&module, &INFO, &ObjectOptions { separate_sections: true }).unwrap();
    let file = ::object::File::parse(&bytes[..]).unwrap();
    let last = file.symbols().find(|symbol| symbol.name() == Ok("u0:69999")).unwrap();
    let section = file.section_by_index(last.section_index().unwrap()).unwrap();
    assert_eq!(section.name(), Ok(".text.u0:69999"));
}

#[test]
fn records_have_the_addends_where_the_abi_says_so() {
    let info = ElfInfo { has_addends: true, ..INFO };
    let bytes = write_object(&module(), &info, &ObjectOptions::default()).unwrap();
    let file = ::object::File::parse(&bytes[..]).unwrap();
    let text = file.section_by_name(".text").unwrap();
    let addends: Vec<_> = text.relocations().map(|(_, reloc)| reloc.addend()).collect();
    assert_eq!(addends, [0, 0, -8, -8]);
    assert_eq!(&text.data().unwrap()[16..20], 0xeb00_0000u32.to_le_bytes());
}

#[test]
fn thread_local_data_have_sections_and_symbols_of_their_own() {
    let mut module = Module::new();
    let relocs = vec![reloc(0, TLS_LE32, "ours", 4), reloc(4, TLS_GD32, "theirs", 12)];
    module.add_function(name("main"), code(&[0, 0], relocs));
    let local = |data| DataDef { thread_local: true, ..data };
    module.add_data(local(DataDef::read_only(name("ours"), vec![1, 0, 0, 0, 2, 0, 0, 0], 4)));
    module.add_data(local(DataDef::zeros(name("zeros"), 12, 8)));
    let bytes = write_object(&module, &INFO, &ObjectOptions::default()).unwrap();
    let file = ::object::File::parse(&bytes[..]).unwrap();
    let kinds: Vec<_> = file.symbols().map(|s| (s.name().unwrap(), s.kind(), s.size())).collect();
    let expected = [
        ("$a", SymbolKind::Unknown, 0),
        ("main", SymbolKind::Text, 8),
        ("ours", SymbolKind::Tls, 8),
        ("zeros", SymbolKind::Tls, 12),
        ("theirs", SymbolKind::Tls, 0),
    ];
    assert_eq!(kinds, expected);
    for (section, kind, size) in
        [(".tdata", SectionKind::Tls, 8), (".tbss", SectionKind::UninitializedTls, 12)]
    {
        let section = file.section_by_name(section).unwrap();
        assert_eq!((section.kind(), section.size()), (kind, size));
    }
    let text = file.section_by_name(".text").unwrap();
    assert_eq!(text.data().unwrap(), [4, 0, 0, 0, 12, 0, 0, 0], "addends stand in the places");
}

#[test]
fn faults_are_named() {
    let write =
        |module: &Module| write_object(module, &INFO, &ObjectOptions::default()).unwrap_err().to_string();
    let mut module = Module::new();
    module.add_function(name("f"), code(&[0], vec![reloc(2, ABS32, "g", 0)]));
    assert_eq!(write(&module), "R_ARM_ABS32 at offset 0x2 does not fit into %f");
    let mut module = Module::new();
    module.add_function(name("f"), code(&[0], vec![reloc(0, MOVW_ABS_NC, "g", 0x8000)]));
    assert_eq!(write(&module), "R_ARM_MOVW_ABS_NC at offset 0x0 does not fit into %f");
    let mut module = Module::new();
    module.add_function(name("f"), code(&[0], vec![]));
    module.add_data(DataDef::zeros(name("f"), 1, 1));
    assert_eq!(write(&module), "symbol %f is defined more than once");
    let mut module = Module::new();
    module.add_data(DataDef::zeros(name("f"), 1, 3));
    assert_eq!(write(&module), "the alignment of %f, 3 bytes, is not a power of two");
    let mut module = Module::new();
    module.add_data(DataDef::zeros(name("f"), u64::MAX, 4));
    module.add_data(DataDef::zeros(name("g"), 1, 4));
    assert!(write(&module).starts_with("a section is "));
}

/// Links an object of ours with a C program for the target, and runs it.
#[test]
fn the_c_compiler_of_the_target_links_it() {
    use std::process::Command;
    let folder = tempfile::tempdir().unwrap();
    let (object, source, program) =
        (folder.path().join("ours.o"), folder.path().join("theirs.c"), folder.path().join("program"));
    for separate_sections in [false, true] {
        let bytes = write_object(&module(), &INFO, &ObjectOptions { separate_sections }).unwrap();
        std::fs::write(&object, bytes).unwrap();
        let c = "#include <stdio.h>\n\
            int compute(void); extern char room[3]; extern int table[3];\n\
            int elsewhere(int n) { return n + 1; }\n\
            int main(void) { room[2] = 5; int (*twice)(int) = (int (*)(int))table[2];\n\
                printf(\"%d %d %d\\n\", compute(), room[2], twice(4)); return 0; }\n";
        std::fs::write(&source, c).unwrap();
        let compiler = Command::new("arm-linux-gnueabihf-gcc")
            .args(["-static", "-Wl,--fatal-warnings", "-o"])
            .args([&program, &source, &object])
            .output()
            .expect("arm-linux-gnueabihf-gcc not found: install it with `apt-get install gcc-arm-linux-gnueabihf`");
        assert!(compiler.status.success(), "{}", String::from_utf8_lossy(&compiler.stderr));
        let output = Command::new("qemu-arm")
            .args(["-cpu", "cortex-a8"])
            .arg(&program)
            .output()
            .expect("qemu-arm not found: install it with `apt-get install qemu-user`");
        assert_eq!(String::from_utf8_lossy(&output.stdout), "42 5 8\n");
    }
}
