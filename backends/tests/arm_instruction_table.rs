//! The A32 instruction table against the GNU assembler.
//!
//! Every row is instantiated over corner operands, printed, and assembled at
//! the architecture level and floating-point unit that the row claims to need;
//! the bytes must be those of the encoder, and the decoder must give the text
//! back. Needs `arm-linux-gnueabihf-as` and `-objcopy`, which are in the Debian
//! package binutils-arm-linux-gnueabihf.

#[path = "instruction_table/mod.rs"]
mod instruction_table;

use instruction_table::{
    Assembler, Corners, TableInst, compare_with_assembler, table_inst, words_that_decode,
};
use windlass::arm::insts::table;
use windlass::arm::minst::{Inst, disassemble};
use windlass::machinst::encode::OperandFault;
use windlass_rules::spec::InstDef;

table_inst!(Inst);

static GNU: Assembler = Assembler {
    prefix: "arm-linux-gnueabihf",
    args: &[],
    big_endian: false,
    prologue: ".syntax unified\n.arm\n",
    comment: "@",
};

/// The directives that select exactly what the row claims to need, plus the
/// upper double-precision registers where the text uses one.
fn directives(def: &InstDef, text: &str) -> String {
    let needs = |f: &str| def.requires.contains(&f);
    let level = ["v7", "v6t2", "v6k", "v6"].into_iter().find(|l| needs(l));
    let mut out = format!(
        ".arch {}\n",
        match level {
            Some("v7") => "armv7-a",
            Some("v6t2") => "armv6t2",
            Some("v6k") => "armv6k",
            Some(_) => "armv6",
            None => "armv5te",
        }
    );
    if needs("idiv") {
        out += ".arch_extension idiv\n";
    }
    let upper = text
        .split(|c: char| !c.is_ascii_alphanumeric())
        .filter_map(|word| word.strip_prefix('d')?.parse::<u32>().ok())
        .any(|n| n >= 16);
    out += match (needs("vfp2"), needs("vfp3"), needs("vfp4"), upper) {
        (_, _, true, false) => ".fpu vfpv4-d16\n",
        (_, _, true, true) => ".fpu vfpv4\n",
        (_, true, _, false) => ".fpu vfpv3-d16\n",
        (_, true, _, true) | (true, _, _, true) => ".fpu vfpv3\n",
        (true, _, _, false) => ".fpu vfpv2\n",
        (false, ..) => ".fpu softvfp\n",
    };
    out
}

#[test]
fn the_table_is_consistent() {
    table().check().unwrap_or_else(|e| panic!("{e}"));
}

#[test]
fn every_row_agrees_with_the_gnu_assembler_both_ways() {
    let corners = Corners { registers: &[0, 1, 2, 5, 6, 10, 12, 13, 14, 15, 16, 17, 30, 31] };
    let compared = compare_with_assembler::<Inst>(&table(), &corners, &directives, &[&GNU]);
    assert!(compared > 50_000, "only {compared} instructions were compared");
}

#[test]
fn decoded_words_encode_to_themselves() {
    // Half of the words with the commonest condition, which most rows need.
    let known = words_that_decode::<Inst>(1_000_000, |n, word| {
        let low = u64::from(word as u32);
        if n % 2 == 0 { low } else { low & 0x0fff_ffff | 0xe000_0000 }
    });
    assert!(known > 100_000, "only {known} of the words are instructions");
    assert!(!disassemble(0).is_empty());
}

#[test]
fn unknown_words_disassemble_as_data() {
    assert_eq!(disassemble(0xffff_ffff), ".word 0xffffffff");
    assert_eq!(disassemble(0xe12f_ff1e), "bx lr");
    assert_eq!(disassemble(0xe92d_4800), "push {r11, lr}");
    assert_eq!(disassemble(0xe52d_4004), "push {r4}");
    assert_eq!(disassemble(0x0281_0a01), "addeq r0, r1, #4096");
    assert_eq!(disassemble(0xe591_0000), "ldr r0, [r1]");
    assert_eq!(disassemble(0xe511_0008), "ldr r0, [r1, #-8]");
}

mod operands {
    use super::*;
    use windlass::arm::imm::Cond;
    use windlass::arm::minst::{Features, Flags};
    use windlass::arm::regs::r;
    use windlass::machinst::reg::{OperandVisitor, Reg, Writable, WritableReg};
    use windlass_regalloc::{PReg, VReg};

    fn core(n: u8) -> Reg {
        Reg::from_preg(r(n))
    }
    fn result(n: u8) -> WritableReg {
        Writable::from_reg(core(n))
    }
    fn fault(inst: Inst) -> (&'static str, OperandFault) {
        let e = inst.encode().expect_err("the instruction cannot be encoded");
        (e.operand, e.fault)
    }

    #[test]
    fn what_cannot_be_encoded_is_an_error() {
        let v = Reg::from_vreg(VReg::from_u32(7));
        let mov = Inst::Mov { rd: result(0), rm: v };
        assert_eq!(mov.to_string(), "mov r0, %7");
        assert_eq!(fault(mov), ("rm", OperandFault::Virtual));
        let s0 = Reg::from_preg(windlass::arm::regs::s(0));
        assert_eq!(fault(Inst::Mov { rd: result(0), rm: s0 }), ("rm", OperandFault::WrongClass));
        assert_eq!(fault(Inst::Clz { rd: result(15), rm: core(0) }), ("rd", OperandFault::NotAllowed));
        let cond_mov = Inst::MovCc { cond: Cond::Eq, rd: result(0), rd_in: core(1), rm: core(2) };
        assert_eq!(fault(cond_mov), ("rd", OperandFault::NotTied));
        let mul = Inst::MulV5 { rd: result(1), rn: core(1), rm: core(2) };
        assert_eq!(fault(mul), ("rd", OperandFault::Shared));
        let odd = Inst::Ldrexd { rt: result(1), rt2: result(2), rn: core(0) };
        assert_eq!(fault(odd), ("rt", OperandFault::NotPair));
        let list = windlass::arm::imm::RegList::new(0b110).expect("two registers");
        let load = Inst::LdmiaWb { rn: result(1), rn_in: core(1), list };
        assert_eq!(fault(load), ("rn", OperandFault::InList));
    }

    #[derive(Default)]
    struct Log(Vec<String>);

    impl OperandVisitor for Log {
        fn reg_use(&mut self, r: &mut Reg) {
            self.0.push(format!("use {r}"));
        }
        fn reg_late_use(&mut self, r: &mut Reg) {
            self.0.push(format!("late {r}"));
        }
        fn any_late_use(&mut self, r: &mut Reg) {
            self.0.push(format!("any late {r}"));
        }
        fn reg_entry_def(&mut self, r: &mut WritableReg, p: PReg) {
            self.0.push(format!("entry {r:?}={p:?}"));
        }
        fn reg_def(&mut self, r: &mut WritableReg) {
            self.0.push(format!("def {r:?}"));
        }
        fn reg_early_def(&mut self, r: &mut WritableReg) {
            self.0.push(format!("early {r:?}"));
        }
        fn reg_reuse_def(&mut self, r: &mut WritableReg, use_index: usize) {
            self.0.push(format!("reuse {use_index} {r:?}"));
        }
        fn reg_fixed_use(&mut self, r: &mut Reg, p: PReg) {
            self.0.push(format!("fixed {r} {}", p.index()));
        }
        fn reg_fixed_def(&mut self, r: &mut WritableReg, p: PReg) {
            self.0.push(format!("fixed def {r:?} {}", p.index()));
        }
        fn pair_use(&mut self, lo: &mut Reg, hi: &mut Reg) {
            self.0.push(format!("pair {lo} {hi}"));
        }
        fn pair_late_use(&mut self, lo: &mut Reg, hi: &mut Reg) {
            self.0.push(format!("late pair {lo} {hi}"));
        }
        fn pair_def(&mut self, lo: &mut WritableReg, hi: &mut WritableReg) {
            self.0.push(format!("pair def {lo:?} {hi:?}"));
        }
    }

    fn visited(mut inst: Inst) -> String {
        let mut log = Log::default();
        inst.visit_operands(&mut log);
        log.0.join(", ")
    }

    #[test]
    fn the_allocator_sees_roles_in_the_documented_order() {
        let v = |n| Reg::from_vreg(VReg::from_u32(n));
        let w = |n| Writable::from_reg(Reg::from_vreg(VReg::from_u32(n)));
        let umlal = Inst::Umlal { rdlo: w(1), rdlo_in: v(2), rdhi: w(3), rdhi_in: v(4), rn: v(5), rm: v(6) };
        assert_eq!(visited(umlal), "use %2, use %4, use %5, use %6, reuse 0 %1, reuse 1 %3");
        let strexd = Inst::Strexd { rd: w(1), rt: v(2), rt2: v(3), rn: v(4) };
        assert_eq!(visited(strexd), "pair %2 %3, use %4, early %1");
        let add = Inst::AddCc { cond: Cond::Ne, rd: w(1), rd_in: v(2), rn: v(3), rm: v(4) };
        assert_eq!(visited(add), "use %2, use %3, use %4, reuse 0 %1");
        assert_eq!(visited(Inst::MulV5 { rd: w(1), rn: v(2), rm: v(3) }), "late %2, use %3, def %1");
    }

    #[test]
    fn flags_and_features_are_per_row() {
        let adcs = Inst::Adcs { rd: result(0), rn: core(1), rm: core(2) };
        assert_eq!((adcs.reads_flags(), adcs.sets_flags()), (Flags::NZCV, Flags::NZCV));
        let mov = Inst::Mov { rd: result(0), rm: core(1) };
        assert!(mov.reads_flags().is_empty() && mov.sets_flags().is_empty());
        let div = Inst::Sdiv { rd: result(0), rn: core(1), rm: core(2) };
        assert!(div.requires().contains(Features::IDIV) && !Features::V6.contains(div.requires()));
        assert_eq!(div.requires().names().collect::<Vec<_>>(), ["v7", "idiv"]);
    }
}
