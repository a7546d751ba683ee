//! Short runs of both fuzzers, with fixed seeds.

use super::text::{TextOptions, fuzz_text};
use super::*;
use std::path::Path;
use windlass::target::{ElfInfo, Emulator, Startup};
use windlass::{CompileError, CompiledCode, Context, Target, TargetInfo, Triple, VCodeStage};
use windlass_ir::{Endianness, Function, InstData, Opcode, Type};

const TARGET: &str = "armv7hf";

#[track_caller]
fn assert_clean(report: &Report) {
    let files: Vec<_> = report.failures.iter().map(|f| format!("{}\n{}", f.failure, f.filetest)).collect();
    assert!(files.is_empty(), "{report}\n{}", files.join("\n"));
}

#[test]
fn random_programs_run_as_interpreted_under_every_kind_of_setting() {
    // Twenty kinds of settings take turns.
    let options = Options { count: 24 * 20, batch: 20, calls: 3, seed: 2026, jobs: 2, ..Options::default() };
    let report = fuzz(&options, &|_| ()).unwrap();
    assert_clean(&report);
    assert_eq!(report.functions, 480);
    assert!(report.calls > 1200 && report.traps > 30, "{report}");
}

#[test]
fn power_runs_random_programs_as_interpreted_in_both_byte_orders() {
    for target in ["ppc64le", "ppc64"] {
        let target = target.to_string();
        let options = Options { target, count: 100, batch: 20, calls: 3, seed: 11, ..Options::default() };
        let report = fuzz(&options, &|_| ()).unwrap();
        assert_clean(&report);
        assert!(report.calls > 200 && report.throws > 10, "{report}");
    }
}

#[test]
fn all_that_a_target_has_is_among_its_choices() {
    for entry in windlass::target::TARGETS {
        let choices = (entry.builder)().choices();
        assert!(
            !choices.features.is_empty() && !choices.switches.is_empty() && !choices.reservable.is_empty()
        );
        for name in choices.features.iter().chain(&choices.switches) {
            assert_eq!((entry.builder)().set(name, Some("true")), Ok(()), "{name} of {}", entry.name);
        }
        for register in choices.reservable {
            let mut builder = (entry.builder)();
            builder.set("reserved_regs", Some(register)).unwrap();
            assert!(builder.build().is_ok(), "{register} of {}", entry.name);
        }
    }
}

#[test]
fn what_a_target_compiles_is_on_the_menu() {
    let target = Setup::plain(&[]).target(TARGET).unwrap();
    let menu = Menu::of(&*target);
    use windlass_ir::types::{I8, I16, I32, I64};
    for ty in [I8, I16, I32, I64] {
        assert!(menu.types.contains(&ty));
        for opcode in [Opcode::Iadd, Opcode::Imul, Opcode::Band, Opcode::Umulhi, Opcode::Smax, Opcode::Icmp] {
            assert!(menu.find(opcode, ty, &[ty, ty]).is_some(), "{opcode}.{ty}");
        }
        for amount in [I8, I16, I32, I64] {
            assert!(menu.find(Opcode::Rotl, ty, &[ty, amount]).is_some(), "rotl.{ty} by {amount}");
        }
        assert!(menu.find(Opcode::Sdiv, ty, &[ty, ty]).is_some(), "sdiv.{ty}");
        assert!(menu.find(Opcode::UaddOverflowCin, ty, &[ty, ty, I8]).is_some(), "uadd_overflow_cin.{ty}");
    }
    assert!(menu.tables && menu.indirect_calls && menu.conventions.len() == 3);
    assert!(
        menu.exceptions && menu.contexts && menu.symbols && menu.thread_locals && menu.stack_pointer,
        "{menu:?}"
    );
    assert!(!menu.structs.is_empty() && !menu.pinned);
    assert!(menu.accesses.iter().filter(|access| access.any_order).count() >= 20);
}

#[test]
fn equal_seeds_make_equal_programs() {
    let target = Setup::plain(&[]).target(TARGET).unwrap();
    let menu = Menu::of(&*target);
    let program = |seed| {
        let functions = generate::program(&menu, &mut Random::new(seed), 30);
        functions.iter().map(|func| func.to_string()).collect::<String>()
    };
    assert_eq!(program(3), program(3));
    assert_ne!(program(3), program(4));
}

#[test]
fn all_that_is_on_the_menu_is_used() {
    let target = Setup::plain(&[]).target(TARGET).unwrap();
    let menu = Menu::of(&*target);
    let functions = generate::program(&menu, &mut Random::new(9), 800);
    let mut used: Vec<(Opcode, Type)> = Vec::new();
    for func in &functions {
        for inst in func.layout.blocks().flat_map(|block| func.layout.block_insts(block)) {
            used.push((func.dfg.opcode(inst), func.dfg.ctrl_type(inst)));
        }
    }
    used.sort_unstable();
    used.dedup();
    let mut missing: Vec<String> = Vec::new();
    for operation in menu.groups.iter().flatten() {
        if !used.contains(&(operation.opcode, operation.ctrl)) {
            missing.push(format!("{}.{}", operation.opcode, operation.ctrl));
        }
    }
    for access in &menu.accesses {
        if !used.iter().any(|(opcode, _)| *opcode == access.opcode) {
            missing.push(access.opcode.to_string());
        }
    }
    use Opcode::*;
    let by_hand =
        [Brif, Jump, BrTable, Return, Trap, Call, CallIndirect, FuncAddr, ReturnCall, ReturnCallIndirect];
    let by_hand = by_hand.into_iter();
    let by_hand = by_hand.chain([TryCall, TryCallIndirect, SymbolValue, TlsValue, GetStackPointer]);
    for opcode in by_hand {
        if !used.iter().any(|(other, _)| *other == opcode) {
            missing.push(opcode.to_string());
        }
    }
    assert!(missing.is_empty(), "{missing:?}");
}

/// A target that takes a left rotation of 16 bits for a right one, and drops trap codes above 200.
struct Faulty(Box<dyn Target>);

impl TargetInfo for Faulty {
    fn name(&self) -> &'static str {
        self.0.name()
    }
    fn triple(&self) -> &Triple {
        self.0.triple()
    }
    fn settings(&self) -> &windlass::Settings {
        self.0.settings()
    }
    fn address_type(&self) -> Type {
        self.0.address_type()
    }
    fn endianness(&self) -> Endianness {
        self.0.endianness()
    }
    fn disassemble(&self, code: &[u8]) -> Option<(usize, String)> {
        self.0.disassemble(code)
    }
    fn elf(&self) -> &ElfInfo {
        self.0.elf()
    }
    fn emulator(&self) -> &Emulator {
        self.0.emulator()
    }
    fn startup(&self) -> Startup {
        self.0.startup()
    }
}

impl Target for Faulty {
    fn compile(&self, func: &Function, cx: &mut Context) -> Result<CompiledCode, CompileError> {
        let mut func = func.clone();
        let insts: Vec<_> = func.dfg.insts.keys().collect();
        for inst in insts {
            if func.dfg.ctrl_type(inst) == windlass_ir::types::I16
                && let InstData::Binary { opcode, .. } = &mut func.dfg.insts[inst]
                && *opcode == Opcode::Rotl
            {
                *opcode = Opcode::Rotr;
            }
        }
        self.0.compile(&func, cx)
    }
    fn legalize(&self, func: &Function, cx: &mut Context) -> Result<Option<Function>, CompileError> {
        self.0.legalize(func, cx)
    }
    fn print_vcode(
        &self,
        func: &Function,
        stage: VCodeStage,
        cx: &mut Context,
    ) -> Result<String, CompileError> {
        self.0.print_vcode(func, stage, cx)
    }
}

#[test]
fn a_wrong_instruction_is_found_and_shown_in_a_few_lines() {
    let options = Options { count: 400, batch: 100, max_failures: 1, stress: false, ..Options::default() };
    let make = |setup: &Setup| -> Result<Box<dyn Target>, SettingError> {
        Ok(Box::new(Faulty(setup.target(TARGET)?)))
    };
    let report = fuzz_with(&options, &make, &|_| ()).unwrap();
    let [found, ..] = report.failures.as_slice() else { panic!("nothing found: {report}") };
    assert_eq!(found.failure.kind(), "mismatch: return, return");
    assert!(found.filetest.contains("rotl"), "{}", found.filetest);
    assert!(found.filetest.lines().count() <= 30, "{}", found.filetest);
    assert!(found.filetest.contains("; run: %f"), "{}", found.filetest);
}

#[test]
fn mutated_files_neither_panic_nor_hang_nor_read_back_otherwise() {
    let mut texts = Vec::new();
    for folder in ["tests/run", "tests/parser", "tests/verifier"] {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join(folder);
        let mut files: Vec<_> =
            std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
        files.sort();
        texts.extend(files.iter().map(|path| std::fs::read_to_string(path).unwrap()));
    }
    let options = TextOptions { count: 20_000, texts, jobs: 2, ..TextOptions::default() };
    let report = fuzz_text(&options, &|_| ());
    assert!(report.failures.is_empty(), "{report}\n{:#?}", report.failures);
    assert!(report.parsed > 2000 && report.verified > 500, "{report}");
}
