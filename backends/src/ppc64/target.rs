//! The PowerPC targets: settings, and the glue between the framework and this folder.

use super::abi::AbiOptions;
use super::emit::{self, Emit};
use super::frame::{Frame, FrameOptions};
use super::limit::Limit;
use super::minst::{self, Features, level};
use super::pseudo::MInst;
use super::regs::{self, RegOptions};
use super::{join, lower, startup};
use crate::builtins::RuntimeNames;
use crate::compiled::{CompiledCode, FrameLayout};
use crate::coverage::RuleSet;
use crate::error::CompileError;
use crate::legalize::{self, Native, Runtime};
use crate::machinst::buffer::IslandInfo;
use crate::machinst::features::FeatureChoice;
use crate::machinst::kept::{Keepable, KeptRegs};
use crate::machinst::{Buffer, Emitter, FrameNeeds, InstOutput, Label, Lower, Machine, Room, ValueRegs};
use crate::machinst::{Reg, WritableReg};
use crate::settings::{SettingError, Settings, parse_bool};
use crate::target::{
    Choices, ElfInfo, Emulator, FunctionSymbols, Startup, Target, TargetBuilder, TargetEntry, TargetInfo,
};
use alloc::boxed::Box;
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec;
use alloc::vec::Vec;
use target_lexicon::Triple;
use windlass_ir::{Endianness, FloatCC, Function, Inst, Opcode, Type, types};
use windlass_regalloc::{Output, PReg, RegClass, RegFile};

/// What distinguishes one PowerPC target from another before any setting.
struct Variant {
    name: &'static str,
    triple: &'static str,
    features: Features,
    elf: ElfInfo,
    emulator: Emulator,
}

const PPC64LE_TRIPLE: &str = "powerpc64le-unknown-linux-gnu";
const PPC64_TRIPLE: &str = "powerpc64-unknown-linux-gnu";
const PPC64V2_TRIPLE: &str = "powerpc64-unknown-linux-musl";

static PPC64LE_VARIANT: Variant = Variant {
    name: "ppc64le",
    triple: PPC64LE_TRIPLE,
    features: level::POWER8,
    elf: super::elf::V2_LITTLE,
    emulator: Emulator { program: "qemu-ppc64le", args: &[], package: "qemu-user" },
};

static PPC64_VARIANT: Variant = Variant {
    name: "ppc64",
    triple: PPC64_TRIPLE,
    features: level::PPC970,
    elf: super::elf::V1_BIG,
    emulator: Emulator { program: "qemu-ppc64", args: &[], package: "qemu-user" },
};

static PPC64V2_VARIANT: Variant =
    Variant { name: "ppc64v2", triple: PPC64V2_TRIPLE, elf: super::elf::V2_BIG, ..PPC64_VARIANT };

/// `ppc64le`: POWER8, little-endian, the second ABI.
pub const PPC64LE: TargetEntry = TargetEntry {
    name: "ppc64le",
    triple: PPC64LE_TRIPLE,
    doc: "64-bit POWER, little-endian, from POWER8 on, ELFv2, Linux",
    builder: || Box::new(Ppc64Builder::new(&PPC64LE_VARIANT)),
};

/// `ppc64`: PowerPC 970, big-endian, the first ABI.
pub const PPC64: TargetEntry = TargetEntry {
    name: "ppc64",
    triple: PPC64_TRIPLE,
    doc: "64-bit POWER, big-endian, from the PowerPC 970 on, ELFv1, Linux",
    builder: || Box::new(Ppc64Builder::new(&PPC64_VARIANT)),
};

/// `ppc64v2`: PowerPC 970, big-endian, the second ABI, as systems with musl have it.
pub const PPC64V2: TargetEntry = TargetEntry {
    name: "ppc64v2",
    triple: PPC64V2_TRIPLE,
    doc: "64-bit POWER, big-endian, from the PowerPC 970 on, ELFv2, Linux with musl",
    builder: || Box::new(Ppc64Builder::new(&PPC64V2_VARIANT)),
};

struct Ppc64Builder {
    variant: &'static Variant,
    settings: Settings,
    features: FeatureChoice<Features>,
    toc_free: bool,
}

impl Ppc64Builder {
    fn new(variant: &'static Variant) -> Ppc64Builder {
        let features = FeatureChoice::new(variant.features, level::INCLUDES);
        Ppc64Builder { variant, settings: Settings::default(), features, toc_free: false }
    }
}

impl TargetBuilder for Ppc64Builder {
    fn set(&mut self, name: &str, value: Option<&str>) -> Result<(), SettingError> {
        if self.settings.set(name, value)? {
            return Ok(());
        }
        if name == "toc_free" {
            self.toc_free = parse_bool(name, value)?;
            return Ok(());
        }
        self.features.set(self.variant.name, name, value)
    }

    fn choices(&self) -> Choices {
        Choices {
            features: self.features.switchable(),
            switches: vec!["toc_free"],
            reservable: vec!["r14", "r15", "r20", "r29", "r30", "r31", "f14", "f20", "f31"],
        }
    }

    fn build(self: Box<Self>) -> Result<Box<dyn Target>, SettingError> {
        let variant = self.variant;
        let triple = variant.triple.parse().map_err(|e| SettingError(format!("{}: {e}", variant.triple)))?;
        let kept = KeptRegs::new(&self.settings, &KEEPABLE)?;
        let features = self.features.chosen;
        let mut native = Native::new(generated::NATIVE, |name| self.features.has(name));
        if self.settings.stress.legalize_core {
            native.retain(legalize::is_core);
        }
        Ok(Box::new(Ppc64Target {
            variant,
            triple,
            regs: regs::reg_file(&RegOptions { reserved: kept.reserved }, &kept.sets),
            settings: self.settings,
            features,
            toc_free: self.toc_free,
            native,
            pinned: kept.pinned,
            emulator: Emulator { args: processor(features), ..variant.emulator },
        }))
    }
}

/// What an embedder can keep to itself.
static KEEPABLE: Keepable = Keepable {
    saved: 14..32,
    saved_names: "r14 to r31",
    reservable: regs::reservable(),
    reservable_names: "r14 to r31 and f14 to f31",
    pinned: regs::PINNED,
    frame_pointer: regs::FP,
    parse: regs::parse_reg,
    units: regs::units,
};

/// The oldest processor that the emulator has with these features.
fn processor(features: Features) -> &'static [&'static str] {
    let processors: [(Features, &'static [&'static str]); 5] = [
        (level::PPC970, &["-cpu", "970fx"]),
        (level::POWER7, &["-cpu", "power7"]),
        (level::POWER8, &["-cpu", "power8"]),
        (level::POWER9, &["-cpu", "power9"]),
        (level::POWER10, &["-cpu", "power10"]),
    ];
    let enough = processors.iter().find(|(has, _)| has.contains(features));
    enough.map_or(&["-cpu", "max"], |&(_, args)| args)
}

/// A 64-bit POWER target.
pub struct Ppc64Target {
    variant: &'static Variant,
    triple: Triple,
    regs: RegFile,
    pub(super) settings: Settings,
    features: Features,
    toc_free: bool,
    native: Native,
    pinned: PReg,
    emulator: Emulator,
}

mod generated {
    use crate::legalize::NativeRow;
    use windlass_ir::Opcode;
    include!(concat!(env!("OUT_DIR"), "/ppc64_native.rs"));
}

impl Ppc64Target {
    /// The features of the processor.
    pub fn features(&self) -> Features {
        self.features
    }

    /// Byte order of code and data.
    pub(super) fn order(&self) -> Endianness {
        self.variant.elf.endianness
    }

    /// What calling conventions depend on.
    pub(super) fn abi(&self) -> AbiOptions {
        let ElfInfo { functions, endianness, .. } = self.variant.elf;
        AbiOptions { v1: functions.has_descriptors(), big: endianness == Endianness::Big }
    }

    /// Are addresses distances from the instruction that wants them? Prefixed instructions have those, and the second ABI has
    /// relocations for them.
    pub(super) fn pc_relative(&self) -> bool {
        self.features.contains(Features::POWER10) && !self.abi().v1 && !self.toc_free
    }

    /// Are addresses made of instructions alone, without a table of contents?
    pub(super) fn toc_free(&self) -> bool {
        self.toc_free
    }
}

impl TargetInfo for Ppc64Target {
    fn name(&self) -> &'static str {
        self.variant.name
    }
    fn triple(&self) -> &Triple {
        &self.triple
    }
    fn settings(&self) -> &Settings {
        &self.settings
    }
    fn address_type(&self) -> Type {
        types::I64
    }
    fn endianness(&self) -> Endianness {
        self.order()
    }
    fn disassemble(&self, code: &[u8]) -> Option<(usize, String)> {
        let (length, inst) = minst::decode_bytes(code, self.order())?;
        Some((length, inst.to_string()))
    }
    fn elf(&self) -> &ElfInfo {
        &self.variant.elf
    }
    fn rules(&self) -> Option<&'static RuleSet> {
        Some(&super::lower::RULES)
    }
    fn emulator(&self) -> &Emulator {
        &self.emulator
    }
    fn startup(&self) -> Startup {
        startup::startup(&self.variant.elf)
    }
    fn machine_routines(&self) -> Vec<(String, CompiledCode)> {
        super::unwind::routines(&self.variant.elf)
    }
    fn runtime_names(&self) -> RuntimeNames {
        super::runtime::NAMES
    }
}

impl Machine for Ppc64Target {
    type Inst = MInst;
    type Frame = Frame;

    fn regs(&self) -> &RegFile {
        &self.regs
    }
    fn pinned(&self) -> PReg {
        self.pinned
    }
    fn classes_of(&self, ty: Type) -> Option<&'static [RegClass]> {
        Some(match ty {
            types::I8 | types::I16 | types::I32 | types::I64 => &[regs::GPR],
            types::I128 => &[regs::GPR, regs::GPR],
            types::F32 | types::F64 => &[regs::FPR],
            _ => return None,
        })
    }
    fn native(&self) -> &Native {
        &self.native
    }
    fn runtime(&self, opcode: Opcode, result: Type, operand: Type) -> Option<Runtime> {
        super::runtime::routine(opcode, result, operand)
    }
    fn runtime_compare(&self, _: FloatCC, _: Type) -> Option<Runtime> {
        None
    }
    fn strict_alignment(&self) -> bool {
        false
    }
    fn code_alignment(&self) -> u32 {
        // What prefixed instructions must not cross is a multiple of this.
        if self.features.contains(Features::POWER10) { 64 } else { 16 }
    }

    fn lower_inst(&self, cx: &mut Lower<'_, Self>, inst: Inst) -> Option<InstOutput> {
        lower::lower_inst(cx, inst)
    }
    fn joins(&self, cx: &Lower<'_, Self>, inst: Inst) -> Option<Inst> {
        join::joins(cx, inst)
    }
    fn lower_joined(
        &self,
        cx: &mut Lower<'_, Self>,
        first: Inst,
        second: Inst,
    ) -> Option<(InstOutput, InstOutput)> {
        join::lower_joined(cx, first, second)
    }
    fn lower_branch(&self, cx: &mut Lower<'_, Self>, inst: Inst, labels: &[Label]) -> Option<()> {
        lower::lower_branch(cx, inst, labels)
    }
    fn gen_constant(&self, cx: &mut Lower<'_, Self>, ty: Type, bits: u64) -> Option<ValueRegs> {
        lower::gen_constant(cx, ty, bits)
    }
    fn set_class(&self, n: u8) -> RegClass {
        regs::set_class(n)
    }
    fn gen_move(&self, to: WritableReg, from: Reg) -> MInst {
        MInst::Move { rd: to, rm: from }
    }

    fn frame(&self, func: &Function, needs: &FrameNeeds, allocation: &Output) -> Result<Frame, CompileError> {
        let options = FrameOptions {
            abi: self.abi(),
            global_entries: self.variant.elf.functions == FunctionSymbols::TwoEntries && !self.toc_free,
            frame_pointer: self.settings.preserve_frame_pointers,
            probe_page: self.settings.probe_page(),
        };
        let limit = self.stack_limit(func).map_err(|what| CompileError::Unsupported {
            target: self.variant.name,
            inst: None,
            what,
        })?;
        Frame::new(func, needs, allocation, options, limit)
    }
    fn frame_layout(&self, frame: &Frame) -> FrameLayout {
        frame.layout()
    }
    fn local_entry(&self, frame: &Frame) -> u32 {
        frame.local_entry()
    }
    fn island_info(&self) -> &'static IslandInfo {
        emit::island(self.order())
    }
    fn room(&self, inst: &MInst) -> Room {
        emit::room(inst)
    }
    fn move_room(&self) -> Room {
        emit::MOVE_ROOM
    }
    fn prologue_room(&self, frame: &Frame) -> Room {
        let Some(limit) = frame.limit.as_ref().map(Limit::room) else { return emit::PROLOGUE_ROOM };
        let Room { bytes, fixups, pool_bytes } = emit::PROLOGUE_ROOM;
        Room { bytes: bytes + limit.bytes, fixups: fixups + limit.fixups, pool_bytes }
    }
    fn emitter<'a>(&'a self, frame: &'a Frame, buf: &'a mut Buffer) -> impl Emitter<Inst = MInst> + 'a {
        Emit { target: self, frame, buf }
    }
}
