//! The A32 instruction table against the GNU assembler.
//!
//! Every row is instantiated over corner operands, printed, and assembled at
//! the architecture level and floating-point unit that the row claims to need;
//! the bytes must be those of the encoder, and the decoder must give the text
//! back. Needs `arm-linux-gnueabihf-as` and `-objcopy`, which are in the Debian
//! package binutils-arm-linux-gnueabihf.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;
use std::process::Command;
use windlass::arm::insts::table;
use windlass::arm::minst::{Inst, disassemble};
use windlass::machinst::encode::OperandFault;
use windlass_rules::spec::{Access, InstDef, OperandKind, scatter};

/// A small generator of numbers that are the same in every run.
struct Rng(u64);

impl Rng {
    fn next(&mut self) -> u32 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 16) as u32
    }
    fn pick(&mut self, values: &[u64]) -> u64 {
        values[self.next() as usize % values.len()]
    }
}

/// Numbers worth trying in an operand's field: first, last, odd, middle. What
/// is not valid there is dropped later, by the decoder.
fn corners(kind: OperandKind, width: u32) -> Vec<u64> {
    let max = (1u64 << width) - 1;
    let mut out = BTreeSet::new();
    match kind {
        OperandKind::Reg { class: "gpr", access, .. } => {
            let pair = matches!(access, Access::PairUse { .. } | Access::PairDef { .. });
            out.extend(if pair { [0, 2, 6, 10, 12, 12] } else { [0, 1, 5, 10, 13, 14] });
            out.extend(if pair { [0, 0] } else { [12, 15] });
        }
        OperandKind::Reg { .. } => out.extend([0, 1, 2, 13, 15, 16, 17, 30, 31]),
        OperandKind::Imm { .. } if width <= 5 => out.extend(0..=max),
        OperandKind::Imm { .. } => {
            out.extend([0, 1, 2, 3, max, max - 1, max / 3, max / 5, max - max / 3]);
            for bit in 0..width {
                out.extend([1 << bit, (1 << bit) - 1, max ^ (1 << bit), max & !((1 << bit) - 1)]);
            }
            // Two numbers side by side, as bit ranges and register runs are.
            let half = width.div_ceil(2);
            for a in [0, 1, 2, 7, 15, 16, 30, 31] {
                for b in [0, 1, 2, 4, 7, 15, 31] {
                    out.insert((a | b << half) & max);
                }
            }
        }
    }
    out.into_iter().filter(|&v| v <= max).collect()
}

/// Words of the row: all combinations of its operands' corners if they are
/// few, else each corner in a few surroundings.
fn words(def: &InstDef, rng: &mut Rng) -> BTreeSet<u32> {
    let encoded: Vec<_> = def.operands.iter().filter(|o| !o.fields.is_empty()).collect();
    let values: Vec<_> = encoded.iter().map(|o| corners(o.kind, o.width())).collect();
    let place = |choice: &[u64]| {
        let bits = encoded.iter().zip(choice).fold(def.bits, |w, (o, &v)| w | scatter(v, o.fields));
        bits as u32
    };
    let mut out = BTreeSet::new();
    let product: usize = values.iter().map(Vec::len).product();
    if product <= 200 {
        for mut n in 0..product {
            let mut choice = Vec::new();
            for v in &values {
                choice.push(v[n % v.len()]);
                n /= v.len();
            }
            out.insert(place(&choice));
        }
    } else {
        for at in 0..values.len() {
            for &v in &values[at] {
                for _ in 0..6 {
                    let mut choice: Vec<_> = values.iter().map(|v| rng.pick(v)).collect();
                    choice[at] = v;
                    out.insert(place(&choice));
                }
            }
        }
    }
    out
}

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

fn run(program: &str, args: &[&str], cwd: &Path) -> Result<(), String> {
    let out = Command::new(program).args(args).current_dir(cwd).output().map_err(|e| {
        format!("cannot run {program} ({e}): install the package binutils-arm-linux-gnueabihf")
    })?;
    match out.status.success() {
        true => Ok(()),
        false => Err(String::from_utf8_lossy(&out.stderr).into_owned()),
    }
}

/// Assembles lines of one instruction each, in order, to words.
fn assemble(source: &str) -> Vec<u32> {
    let dir = tempfile::tempdir().expect("a temporary directory");
    fs::write(dir.path().join("t.s"), source).expect("the source is written");
    // A warning would be about an unpredictable combination of operands.
    let args = ["--fatal-warnings", "-o", "t.o", "t.s"];
    if let Err(message) = run("arm-linux-gnueabihf-as", &args, dir.path()) {
        let lines: Vec<_> = source.lines().collect();
        let mut report = String::new();
        for m in message.lines().take(40) {
            let at = m.split(':').nth(1).and_then(|n| n.parse::<usize>().ok());
            let line = at.and_then(|n| lines.get(n - 1)).unwrap_or(&"");
            report += &format!("{m}  |  {line}\n");
        }
        panic!("the assembler refuses what the table prints:\n{report}");
    }
    let objcopy = ["-O", "binary", "--only-section=.text", "t.o", "t.bin"];
    run("arm-linux-gnueabihf-objcopy", &objcopy, dir.path()).unwrap_or_else(|e| panic!("{e}"));
    let bytes = fs::read(dir.path().join("t.bin")).expect("the output is read");
    bytes.chunks_exact(4).map(|b| u32::from_le_bytes([b[0], b[1], b[2], b[3]])).collect()
}

#[test]
fn the_table_is_consistent() {
    table().check().unwrap_or_else(|e| panic!("{e}"));
}

#[test]
fn every_row_agrees_with_the_gnu_assembler_both_ways() {
    let table = table();
    let mut rng = Rng(0x9e37_79b9_7f4a_7c15);
    // By directives: the texts, with the words that they stand for.
    let mut groups: BTreeMap<String, Vec<(String, u32)>> = BTreeMap::new();
    for (row, def) in table.insts.iter().enumerate() {
        let mut seen = 0;
        for word in words(def, &mut rng) {
            let Some(inst) = Inst::decode_row(row, word) else { continue };
            seen += 1;
            assert_eq!((inst.row(), inst.name()), (row, def.name.as_str()));
            assert_eq!(inst.encode(), Ok(word), "{inst}");
            let text = inst.to_string();
            let decoded = Inst::decode(word).unwrap_or_else(|| panic!("{text} is not decoded"));
            let chosen = &table.insts[decoded.row()];
            if def.alias {
                assert_eq!(decoded.to_string(), text);
            } else if decoded.row() != row {
                let special = chosen.mask() & def.mask() == def.mask() && chosen.mask() != def.mask();
                assert!(special, "{text} is decoded as {decoded}");
            } else {
                assert_eq!(decoded, inst);
            }
            groups.entry(directives(def, &text)).or_default().push((text, word));
        }
        assert!(seen > 0, "{}: no corner is valid", def.name);
    }

    let mut source = String::from(".syntax unified\n.arm\n");
    let mut expected = Vec::new();
    for (directives, lines) in groups {
        source += &directives;
        for (text, word) in lines {
            source += &text;
            source.push('\n');
            expected.push((text, word));
        }
    }
    let words = assemble(&source);
    assert_eq!(words.len(), expected.len(), "the assembler gives one word a line");
    let wrong: Vec<_> = words
        .iter()
        .zip(&expected)
        .filter(|(got, (_, want))| *got != want)
        .map(|(got, (text, want))| format!("{text}: encoded {want:08x}, the assembler says {got:08x}"))
        .collect();
    assert!(wrong.is_empty(), "{} differences:\n{}", wrong.len(), wrong[..wrong.len().min(40)].join("\n"));
    assert!(expected.len() > 50_000, "only {} instructions were compared", expected.len());
    println!("{} rows, {} instructions compared", table.insts.len(), expected.len());
}

#[test]
fn decoded_words_encode_to_themselves() {
    let mut rng = Rng(0x0123_4567_89ab_cdef);
    let mut known = 0;
    for n in 0..1_000_000u32 {
        // Half of the words with the commonest condition, which most rows need.
        let word = if n % 2 == 0 { rng.next() } else { rng.next() & 0x0fff_ffff | 0xe000_0000 };
        let text = disassemble(word);
        assert!(!text.is_empty());
        if let Some(inst) = Inst::decode(word) {
            known += 1;
            assert_eq!(inst.encode(), Ok(word), "{inst}");
        }
    }
    assert!(known > 100_000, "only {known} of the words are instructions");
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
