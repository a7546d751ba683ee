//! The ARM targets: settings, and the glue between the framework and this folder.

use super::abi;
use super::emit::{self, Emit};
use super::frame::Frame;
use super::imm::Cond;
use super::minst::{Features, Inst as RealInst, level};
use super::prologue::{self, Limit, LimitStart};
use super::pseudo::MInst;
use super::regs::{self, RegOptions};
use super::{align, join, lower, startup};
use crate::builtins::RuntimeNames;
use crate::compiled::{CompiledCode, FrameLayout};
use crate::coverage::RuleSet;
use crate::error::CompileError;
use crate::legalize::{self, Native, Runtime};
use crate::machinst::abi::{AbiMachine, Location, Param, Place};
use crate::machinst::buffer::IslandInfo;
use crate::machinst::features::FeatureChoice;
use crate::machinst::kept::{Keepable, KeptRegs};
use crate::machinst::stack::{self, LimitStep, StackLimit};
use crate::machinst::{Buffer, Emitter, FrameNeeds, InstOutput, Label, Lower, Machine, Room, ValueRegs};
use crate::machinst::{Reg, WritableReg};
use crate::settings::{SettingError, Settings, parse_bool};
use crate::target::{Choices, ElfInfo, Emulator, Startup, Target, TargetBuilder, TargetEntry, TargetInfo};
use alloc::boxed::Box;
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec;
use alloc::vec::Vec;
use target_lexicon::Triple;
use windlass_ir::{Endianness, FloatCC, Function, GlobalValueData, Inst, Opcode, Type, types};
use windlass_regalloc::{Output, PReg, RegClass, RegFile, UnitSet};

/// What distinguishes one ARM target from another before any setting.
struct Variant {
    name: &'static str,
    triple: &'static str,
    features: Features,
    hard_float: bool,
    elf: ElfInfo,
    emulator: Emulator,
    /// Whether loads and stores of more than a byte must be aligned, unless `strict_alignment` says otherwise.
    strict_alignment: bool,
    /// Is there a Linux kernel whose helpers may be called for what the processor may lack?
    kernel_helpers: bool,
}

const ARMV7HF_TRIPLE: &str = "armv7-unknown-linux-gnueabihf";

/// The oldest processor that the emulator knows with division and fused multiply-add.
static CORTEX_A15: Emulator =
    Emulator { program: "qemu-arm", args: &["-cpu", "cortex-a15"], package: "qemu-user" };

static ARMV7HF_VARIANT: Variant = Variant {
    name: "armv7hf",
    triple: ARMV7HF_TRIPLE,
    features: level::V7A.union(level::VFP3),
    hard_float: true,
    elf: super::elf::HARD_FLOAT,
    // A Cortex-A8 has no division; it is the oldest ARMv7-A that the emulator knows.
    emulator: Emulator { program: "qemu-arm", args: &["-cpu", "cortex-a8"], package: "qemu-user" },
    strict_alignment: false,
    kernel_helpers: false,
};

static ARMV7_VARIANT: Variant = Variant {
    name: "armv7",
    triple: ARMV7_TRIPLE,
    features: level::V7A.union(level::VFP3),
    hard_float: false,
    elf: super::elf::ARMV7_SOFTFP,
    emulator: Emulator { program: "qemu-arm", args: &["-cpu", "cortex-a8"], package: "qemu-user" },
    strict_alignment: false,
    kernel_helpers: false,
};

static ARMV6_VARIANT: Variant = Variant {
    name: "armv6",
    triple: ARMV6_TRIPLE,
    features: level::V6.union(level::VFP2),
    hard_float: false,
    elf: super::elf::ARMV6_SOFTFP,
    emulator: Emulator { program: "qemu-arm", args: &["-cpu", "arm1176"], package: "qemu-user" },
    strict_alignment: false,
    kernel_helpers: true,
};

static ARMV5_VARIANT: Variant = Variant {
    name: "armv5",
    triple: ARMV5_TRIPLE,
    features: level::V5TE,
    hard_float: false,
    elf: super::elf::ARMV5_SOFT,
    emulator: Emulator { program: "qemu-arm", args: &["-cpu", "arm926"], package: "qemu-user" },
    strict_alignment: true,
    kernel_helpers: true,
};

const ARMV5_TRIPLE: &str = "armv5te-unknown-linux-gnueabi";
const ARMV7_TRIPLE: &str = "armv7-unknown-linux-gnueabi";
const ARMV6_TRIPLE: &str = "arm-unknown-linux-gnueabi";

/// `armv7`: ARMv7-A with VFPv3-D16, floats in core registers at calls.
pub const ARMV7: TargetEntry = TargetEntry {
    name: "armv7",
    triple: ARMV7_TRIPLE,
    doc: "32-bit ARM, ARMv7-A with VFPv3-D16, softfp calls, Linux",
    builder: || Box::new(ArmBuilder::new(&ARMV7_VARIANT)),
};

/// `armv5`: ARMv5TE without a float unit.
pub const ARMV5: TargetEntry = TargetEntry {
    name: "armv5",
    triple: ARMV5_TRIPLE,
    doc: "32-bit ARM, ARMv5TE without a float unit, Linux",
    builder: || Box::new(ArmBuilder::new(&ARMV5_VARIANT)),
};

/// `armv6`: ARMv6 with VFPv2, floats in core registers at calls.
pub const ARMV6: TargetEntry = TargetEntry {
    name: "armv6",
    triple: ARMV6_TRIPLE,
    doc: "32-bit ARM, ARMv6 with VFPv2, softfp calls, Linux",
    builder: || Box::new(ArmBuilder::new(&ARMV6_VARIANT)),
};

/// `armv7hf`: ARMv7-A with VFPv3-D16, floats in VFP registers.
pub const ARMV7HF: TargetEntry = TargetEntry {
    name: "armv7hf",
    triple: ARMV7HF_TRIPLE,
    doc: "32-bit ARM, ARMv7-A with VFPv3-D16, hard-float calls, Linux",
    builder: || Box::new(ArmBuilder::new(&ARMV7HF_VARIANT)),
};

struct ArmBuilder {
    variant: &'static Variant,
    settings: Settings,
    features: FeatureChoice<Features>,
    strict_alignment: bool,
    kernel_helpers: bool,
}

impl ArmBuilder {
    fn new(variant: &'static Variant) -> ArmBuilder {
        let features = FeatureChoice::new(variant.features, level::INCLUDES);
        let strict_alignment = variant.strict_alignment;
        let kernel_helpers = variant.kernel_helpers;
        ArmBuilder { variant, settings: Settings::default(), features, strict_alignment, kernel_helpers }
    }
}

impl TargetBuilder for ArmBuilder {
    fn set(&mut self, name: &str, value: Option<&str>) -> Result<(), SettingError> {
        if self.settings.set(name, value)? {
            return Ok(());
        }
        if name == "strict_alignment" {
            self.strict_alignment = parse_bool(name, value)?;
            return Ok(());
        }
        if name == "kernel_helpers" {
            self.kernel_helpers = parse_bool(name, value)?;
            return Ok(());
        }
        self.features.set(self.variant.name, name, value)
    }

    fn choices(&self) -> Choices {
        let reservable = ["r4", "r5", "r6", "r7", "r8", "r9", "r10", "r11", "d8", "d11", "d15"];
        Choices {
            features: self.features.switchable(),
            switches: vec!["strict_alignment", "kernel_helpers"],
            reservable: reservable.to_vec(),
        }
    }

    fn build(self: Box<Self>) -> Result<Box<dyn Target>, SettingError> {
        let variant = self.variant;
        let triple = variant.triple.parse().map_err(|e| SettingError(format!("{}: {e}", variant.triple)))?;
        let kept = KeptRegs::new(&self.settings, &KEEPABLE)?;
        let features = self.features.chosen;
        let kernel_helpers = self.kernel_helpers;
        let has = |name: &str| match name {
            "atomics" => kernel_helpers || features.contains(Features::V6),
            "atomics64" => kernel_helpers || features.contains(Features::V6K),
            _ => self.features.has(name),
        };
        let vfp = features.contains(Features::VFP2);
        let mut native = if vfp {
            Native::new(generated::NATIVE, has)
        } else {
            Native::without_floats(generated::NATIVE, "soft_float", has)
        };
        if self.settings.stress.legalize_core {
            native.retain(legalize::is_core);
        }
        let reg_options =
            RegOptions { reserved: kept.reserved, vfp, d32: vfp && features.contains(Features::D32) };
        Ok(Box::new(ArmTarget {
            variant,
            triple,
            regs: regs::reg_file(&reg_options, &kept.sets),
            call_clobbers: abi::clobbers(&reg_options),
            settings: self.settings,
            features,
            strict_alignment: self.strict_alignment,
            kernel_helpers,
            native,
            pinned: kept.pinned,
        }))
    }
}

/// What an embedder can keep to itself.
static KEEPABLE: Keepable = Keepable {
    saved: 4..12,
    saved_names: "r4 to r11",
    reservable: regs::callee_saved(),
    reservable_names: "r4 to r11 and d8 to d15",
    pinned: regs::PINNED,
    frame_pointer: regs::FP,
    parse: regs::parse_reg,
    units: regs::units,
};

/// A 32-bit ARM target.
pub struct ArmTarget {
    variant: &'static Variant,
    triple: Triple,
    regs: RegFile,
    call_clobbers: UnitSet,
    pub(super) settings: Settings,
    features: Features,
    strict_alignment: bool,
    kernel_helpers: bool,
    native: Native,
    pinned: PReg,
}

mod generated {
    use crate::legalize::NativeRow;
    use windlass_ir::Opcode;
    include!(concat!(env!("OUT_DIR"), "/arm_native.rs"));
}

impl ArmTarget {
    /// The features of the processor.
    pub fn features(&self) -> Features {
        self.features
    }

    /// Does C pass floats in VFP registers?
    pub fn hard_float(&self) -> bool {
        self.variant.hard_float
    }

    /// Is there no float unit? Then floats live in core registers.
    pub(super) fn soft_float(&self) -> bool {
        !self.features.contains(Features::VFP2)
    }

    /// Must words and halfwords be aligned?
    pub(super) fn is_strict(&self) -> bool {
        self.strict_alignment
    }

    /// May the kernel's helpers be called?
    pub(super) fn kernel_helpers(&self) -> bool {
        self.kernel_helpers
    }

    /// Can words be accessed atomically?
    pub(super) fn has_atomics(&self) -> bool {
        self.kernel_helpers || self.features.contains(Features::V6)
    }

    /// Can doublewords be accessed atomically?
    pub(super) fn has_atomics64(&self) -> bool {
        self.kernel_helpers || self.features.contains(Features::V6K)
    }

    /// Where the stack limit of `func` is.
    fn stack_limit(&self, func: &Function) -> Result<Option<Limit>, String> {
        let Some(StackLimit { start, steps }) = StackLimit::of(func)? else { return Ok(None) };
        for step in &steps {
            if let LimitStep::Load(_, flags) = *step {
                prologue::check_limit_load(flags, self.is_strict())?;
            }
        }
        let start = match start {
            stack::LimitStart::Param(index) => match self.sig_abi(&func.signature)?.params.get(index) {
                Some(Param::Value(Location { parts, .. })) => match parts.first() {
                    Some(&Place::Reg(preg)) => LimitStart::Reg(Reg::from_preg(preg)),
                    Some(&Place::Memory(offset)) => LimitStart::Incoming(offset),
                    None => return Ok(None),
                },
                _ => return Err("a stack limit in a context that is a structure".into()),
            },
            stack::LimitStart::Symbol(gv) => match &func.global_values[gv] {
                GlobalValueData::Symbol { name, offset, .. } => {
                    LimitStart::Symbol(name.clone(), *offset as u32)
                }
                _ => return Err("a stack limit that starts nowhere".into()),
            },
        };
        Ok(Some(Limit { start, steps }))
    }

    /// What a call destroys.
    pub(super) fn destroyed_by_calls(&self) -> UnitSet {
        self.call_clobbers
    }
}

impl TargetInfo for ArmTarget {
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
        types::I32
    }
    fn endianness(&self) -> Endianness {
        Endianness::Little
    }
    fn disassemble(&self, code: &[u8]) -> Option<(usize, String)> {
        let word = u32::from_le_bytes(*code.first_chunk()?);
        Some((4, RealInst::decode(word)?.to_string()))
    }
    fn elf(&self) -> &ElfInfo {
        &self.variant.elf
    }
    fn rules(&self) -> Option<&'static RuleSet> {
        Some(&super::lower::RULES)
    }
    fn emulator(&self) -> &Emulator {
        let newer = Features::IDIV.union(Features::VFP4);
        if self.features.without(newer) != self.features {
            &CORTEX_A15
        } else if self.variant.features.contains(self.features) {
            &self.variant.emulator
        } else {
            &ARMV7HF_VARIANT.emulator
        }
    }
    fn startup(&self) -> Startup {
        startup::startup(!self.soft_float(), self.features.contains(Features::V6K))
    }
    fn machine_routines(&self) -> Vec<(String, CompiledCode)> {
        super::unwind::routines()
    }
    fn runtime_names(&self) -> RuntimeNames {
        super::runtime::NAMES
    }
}

impl Machine for ArmTarget {
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
            types::I8 | types::I16 | types::I32 => &[regs::GPR],
            types::I64 => &[regs::GPR, regs::GPR],
            types::I128 => &[regs::GPR, regs::GPR, regs::GPR, regs::GPR],
            types::F32 if self.soft_float() => &[regs::GPR],
            types::F64 if self.soft_float() => &[regs::GPR, regs::GPR],
            types::F32 => &[regs::S],
            types::F64 => &[regs::D],
            _ => return None,
        })
    }
    fn native(&self) -> &Native {
        &self.native
    }
    fn runtime(&self, opcode: Opcode, result: Type, operand: Type) -> Option<Runtime> {
        super::runtime::routine(opcode, result, operand)
    }
    fn runtime_compare(&self, cc: FloatCC, ty: Type) -> Option<Runtime> {
        super::runtime::comparison(cc, ty)
    }
    fn strict_alignment(&self) -> bool {
        self.is_strict()
    }
    fn code_alignment(&self) -> u32 {
        // Pool constants of eight bytes are aligned within the function.
        8
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
        let mut frame = Frame::new(func, needs, allocation, self.settings.preserve_frame_pointers)?;
        frame.limit = self.stack_limit(func).map_err(|what| CompileError::Unsupported {
            target: self.variant.name,
            inst: None,
            what,
        })?;
        Ok(frame)
    }
    fn frame_layout(&self, frame: &Frame) -> FrameLayout {
        frame.layout()
    }
    fn island_info(&self) -> &'static IslandInfo {
        &emit::ISLAND
    }
    fn room(&self, inst: &MInst) -> Room {
        emit::room(self, inst)
    }
    fn move_room(&self) -> Room {
        emit::move_room(self)
    }
    fn prologue_room(&self, frame: &Frame) -> Room {
        let loads = frame.limit.as_ref().map_or(0, |limit| limit.steps.len() as u32);
        // The stack pointer itself is checked too.
        align::more_room(self, prologue::room(frame), Some(loads + 2))
    }
    fn emitter<'a>(&'a self, frame: &'a Frame, buf: &'a mut Buffer) -> impl Emitter<Inst = MInst> + 'a {
        Emit { target: self, frame, buf }
    }
}

/// The condition of an integer comparison, after CMP.
pub fn cond_of(cc: windlass_ir::IntCC) -> Cond {
    use windlass_ir::IntCC::*;
    match cc {
        Equal => Cond::Eq,
        NotEqual => Cond::Ne,
        SignedLessThan => Cond::Lt,
        SignedGreaterThanOrEqual => Cond::Ge,
        SignedGreaterThan => Cond::Gt,
        SignedLessThanOrEqual => Cond::Le,
        UnsignedLessThan => Cond::Lo,
        UnsignedGreaterThanOrEqual => Cond::Hs,
        UnsignedGreaterThan => Cond::Hi,
        UnsignedLessThanOrEqual => Cond::Ls,
    }
}
