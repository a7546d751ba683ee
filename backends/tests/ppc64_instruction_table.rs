//! The PowerPC instruction table against the GNU assembler, in both byte orders.
//!
//! Needs the programs of the Debian packages binutils-powerpc64-linux-gnu and binutils-powerpc64le-linux-gnu.

#[path = "instruction_table/mod.rs"]
mod instruction_table;

use instruction_table::{
    Assembler, Corners, TableInst, compare_with_assembler, table_inst, words_that_decode,
};
use windlass::ir::Endianness;
use windlass::machinst::features::closure;
use windlass::ppc64::insts::table;
use windlass::ppc64::minst::{Features, Inst, decode_bytes, disassemble, level, word_bytes};
use windlass_rules::spec::InstDef;

table_inst!(Inst);

// Registers have names, and no instruction with a prefix crosses a multiple of 64 bytes if all are aligned.
const PROLOGUE: &str = ".p2align 6\n";

static BIG: Assembler = Assembler {
    prefix: "powerpc64-linux-gnu",
    args: &["-mregnames"],
    big_endian: true,
    prologue: PROLOGUE,
    comment: "#",
};

static LITTLE: Assembler = Assembler {
    prefix: "powerpc64le-linux-gnu",
    args: &["-mregnames"],
    big_endian: false,
    prologue: PROLOGUE,
    comment: "#",
};

/// The directive that selects the oldest processor that has what the row claims to need.
fn directives(def: &InstDef, _: &str) -> String {
    let needs = |list: &[&str]| def.requires.iter().any(|r| list.contains(r));
    let machine = if needs(&["power10"]) {
        "power10"
    } else if needs(&["power9"]) {
        "power9"
    } else if needs(&["power8"]) {
        "power8"
    } else if needs(&["power7", "vsx", "isel"]) {
        "power7"
    } else if needs(&["power6"]) {
        "power6"
    } else if needs(&["popcntb", "fprnd"]) {
        "power5"
    } else {
        // The 970 is a POWER4 with vectors.
        "power4"
    };
    format!(".machine \"{machine}\"\n")
}

#[test]
fn the_table_is_consistent() {
    table().check().unwrap_or_else(|e| panic!("{e}"));
}

#[test]
fn every_row_agrees_with_the_gnu_assembler_both_ways() {
    let corners = Corners { registers: &[0, 1, 2, 3, 5, 6, 12, 13, 15, 16, 17, 30, 31] };
    let compared = compare_with_assembler::<Inst>(&table(), &corners, &directives, &[&BIG, &LITTLE]);
    assert!(compared > 100_000, "only {compared} instructions were compared");
}

#[test]
fn decoded_words_encode_to_themselves() {
    let known = words_that_decode::<Inst>(1_000_000, |n, word| match n % 4 {
        0 => word & 0xffff_ffff,
        // The primary opcodes that most rows have.
        1 => word & 0x03ff_ffff | 31 << 26,
        2 => word & 0x03ff_ffff | 63 << 26,
        // Prefixes, half of them well-formed.
        _ => word & 0x0313_ffff_ffff_ffff | 1 << 58,
    });
    assert!(known > 100_000, "only {known} of the words are instructions");
}

#[test]
fn unknown_words_disassemble_as_data() {
    assert_eq!(disassemble(0), ".long 0x00000000");
    assert_eq!(disassemble(0x4e80_0020), "blr");
    assert_eq!(disassemble(0x7fe0_0008), "trap");
    assert_eq!(disassemble(0x3860_0001), "li r3, 1");
    assert_eq!(disassemble(0x3883_0001), "addi r4, r3, 1");
    assert_eq!(disassemble(0xe861_fff8), "ld r3, -8(r1)");
    assert_eq!(disassemble(0x0600_0001_3860_0000), "pli r3, 65536");
    assert_eq!(disassemble(0x07ff_ffff_ffff_ffff), ".long 0x07ffffff, 0xffffffff");
}

#[test]
fn both_byte_orders_are_decoded() {
    for order in [Endianness::Big, Endianness::Little] {
        for (word, size) in [(0x4e80_0020, 4), (0x0600_0001_3860_0000, 8)] {
            let (bytes, length) = word_bytes(word, size, order);
            let inst = Inst::decode(word).expect("an instruction");
            assert_eq!(decode_bytes(&bytes[..length], order), Some((usize::from(size), inst)));
            assert_eq!(decode_bytes(&bytes[..length - 1], order), None);
        }
    }
    assert_eq!(word_bytes(0x0600_0001_3860_0000, 8, Endianness::Little).0, [1, 0, 0, 6, 0, 0, 0x60, 0x38]);
}

#[test]
fn levels_include_those_before() {
    assert_eq!(closure(Features::POWER8, level::INCLUDES), level::POWER8);
    assert_eq!(closure(Features::ISEL, level::INCLUDES), Features::ISEL);
    assert!(level::POWER10.contains(level::POWER9) && !level::POWER7.contains(Features::POWER8));
}
