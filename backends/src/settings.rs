//! Settings of a compilation that every target has. A target's own features are in its folder.

use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

/// How much to optimize.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum OptLevel {
    /// Compile fast.
    None,
    /// Make the program fast.
    #[default]
    Speed,
    /// Make the program small.
    Size,
}

/// How code finds thread-local data.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum TlsModel {
    /// It does not: `tls_value` is refused.
    #[default]
    None,
    /// ELF, general dynamic: a call of `__tls_get_addr`, whoever defines the datum.
    ElfGd,
    /// ELF, local exec: at a constant distance from the thread pointer. The datum is in the executable, and so is
    /// the code.
    ElfLe,
}

/// What every target understands.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Settings {
    /// `opt_level=none|speed|size`
    pub opt_level: OptLevel,
    /// `enable_verifier`: verify what comes in. Off only for input that was verified already.
    pub skip_verifier: bool,
    /// `regalloc_checker`: prove each allocation; on in debug builds unless it is switched off. `None` is that default.
    pub regalloc_checker: Option<bool>,
    /// `inst_ranges`: keep which code comes from which instruction.
    pub inst_ranges: bool,
    /// `enable_pinned_reg`: one register is the embedder's, outside of every convention: `get_pinned_reg` reads it,
    /// `set_pinned_reg` writes it, nothing else touches it and nobody restores it.
    pub enable_pinned_reg: bool,
    /// `tls_model=none|elf_gd|elf_le`
    pub tls_model: TlsModel,
    /// `preserve_frame_pointers`: every function keeps a frame pointer.
    pub preserve_frame_pointers: bool,
    /// `enable_probestack`: frames are touched page by page, so that no function steps over a guard page.
    pub enable_probestack: bool,
    /// `probestack_size_log2=N`: the guard has 2 to the power of N bytes, 8 to 24.
    pub probestack_size_log2: Option<u8>,
    /// What language run times ask of code.
    pub runtime: RuntimeSettings,
    /// Settings that make small programs reach rare paths. They change code, never its meaning.
    pub stress: Stress,
}

/// What language run times ask of code: see `docs/runtimes.md`.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct RuntimeSettings {
    /// `pinned_reg=NAME`: which register is pinned, with [`enable_pinned_reg`](Settings::enable_pinned_reg). `None`: the
    /// target's choice.
    pub pinned_reg: Option<String>,
    /// `reserved_regs=NAME,NAME`: registers that code neither reads nor writes, and so never saves.
    pub reserved_regs: Vec<String>,
    /// `register_set.NAME=NAME,NAME`: sets of registers, for values that a function says to be of the set alone, and in the
    /// order in which they were set.
    pub register_sets: Vec<(String, Vec<String>)>,
    /// `align_return_addresses=BYTES`: calls return to multiples of this, a power of two of at most
    /// [`MAX_RETURN_ALIGNMENT`]. 0: to where they happen to.
    pub align_return_addresses: u32,
    /// `return_address_data=offset|index`: each call has a word of data in front of it.
    pub return_address_data: Option<ReturnAddressData>,
    /// `function_header=size|NUMBER`: each function has a word of data in front of its entry.
    pub function_header: Option<FunctionHeader>,
}

impl RuntimeSettings {
    /// Do they keep registers from the allocator?
    pub fn takes_registers(&self) -> bool {
        self.pinned_reg.is_some() || !self.reserved_regs.is_empty() || !self.register_sets.is_empty()
    }
}

/// There are no more register sets than this.
pub const MAX_REGISTER_SETS: usize = 8;

/// The largest alignment of return addresses, in bytes.
pub const MAX_RETURN_ALIGNMENT: u32 = 16;

/// What the word in front of a call says.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ReturnAddressData {
    /// How many bytes the return address is behind the function's entry.
    Offset,
    /// The call's number: an index into [`CompiledCode::return_offsets`](crate::CompiledCode::return_offsets).
    Index,
}

/// What the word in front of a function's entry says.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum FunctionHeader {
    /// How many bytes of code the function has.
    Size,
    /// A number, for the embedder to replace.
    Word(u32),
}

/// Settings that make small programs reach rare paths.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Stress {
    /// `stress_max_regs=N`: at most N allocatable registers a class.
    pub max_regs: Option<u8>,
    /// `stress_spill_all`: every value lives in a stack slot between instructions.
    pub spill_all: bool,
    /// `stress_random_regs=SEED`: a random choice among free registers.
    pub random_regs: Option<u64>,
    /// `stress_branch_range=BYTES`: branches and pool loads reach no farther than this.
    pub branch_range: Option<u32>,
    /// `stress_block_padding=BYTES`: dead bytes after each block.
    pub block_padding: u32,
    /// `stress_shuffle_blocks=SEED`: blocks after the entry in random order.
    pub shuffle_blocks: Option<u64>,
    /// `stress_legalize_core`: only a small core of operations counts as native, all others are expanded.
    pub legalize_core: bool,
    /// `stress_check_alignment`: code checks the address of each access that the processor wants aligned, and dies
    /// at a misaligned one with a trap that no trap code stands for.
    pub check_alignment: bool,
}

/// Names of Cranelift's settings whose meaning is neutral here: they are accepted and do nothing.
pub const NEUTRAL: &[&str] = &[
    "bb_padding_log2_minus_one",
    "enable_alias_analysis",
    "enable_float",
    "enable_heap_access_spectre_mitigation",
    "enable_jump_tables",
    "enable_llvm_abi_extensions",
    "enable_multi_ret_implicit_sret",
    "enable_nan_canonicalization",
    "enable_pcc",
    "enable_safepoints",
    "enable_simd",
    "enable_table_access_spectre_mitigation",
    "enable_tls",
    "is_pic",
    "libcall_call_conv",
    "log2_min_function_alignment",
    "machine_code_cfg_info",
    "probestack_func_adjusts_sp",
    "regalloc_algorithm",
    "regalloc_verbose_logs",
    "stack_switch_model",
    "unwind_info",
    "use_colocated_libcalls",
];

/// A setting that is not known or a value that it cannot have.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct SettingError(pub String);

impl core::fmt::Display for SettingError {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str(&self.0)
    }
}

impl core::error::Error for SettingError {}

/// Reads the value of a boolean setting; none given means true.
pub fn parse_bool(name: &str, value: Option<&str>) -> Result<bool, SettingError> {
    match value {
        None | Some("true" | "1" | "on" | "yes") => Ok(true),
        Some("false" | "0" | "off" | "no") => Ok(false),
        Some(other) => Err(SettingError(format!("setting {name} is true or false, not '{other}'"))),
    }
}

/// Reads the value of a numeric setting.
pub fn parse_number<T: core::str::FromStr>(name: &str, value: Option<&str>) -> Result<T, SettingError> {
    let text = value.ok_or_else(|| SettingError(format!("setting {name} needs a number")))?;
    text.parse().map_err(|_| SettingError(format!("setting {name} takes a number in range, not '{text}'")))
}

/// Reads a list of names between commas, at least one.
fn names(name: &str, value: Option<&str>) -> Result<Vec<String>, SettingError> {
    let names: Vec<String> = value
        .unwrap_or("")
        .split(',')
        .map(str::trim)
        .filter(|name| !name.is_empty())
        .map(str::to_string)
        .collect();
    if names.is_empty() {
        Err(SettingError(format!("setting {name} needs a register's name")))
    } else {
        Ok(names)
    }
}

impl Settings {
    /// The size of the page that probes must not step over, in bytes; none without probes.
    pub fn probe_page(&self) -> Option<u32> {
        self.enable_probestack.then(|| 1 << self.probestack_size_log2.unwrap_or(12))
    }

    /// Sets `name` to `value`. `Ok(false)` if no target-independent setting has that name.
    ///
    /// # Errors
    /// The setting exists and cannot have that value.
    pub fn set(&mut self, name: &str, value: Option<&str>) -> Result<bool, SettingError> {
        if let Some(set) = name.strip_prefix("register_set.") {
            let regs = names(name, value)?;
            self.runtime.register_sets.retain(|(other, _)| other != set);
            if self.runtime.register_sets.len() == MAX_REGISTER_SETS {
                return Err(SettingError(format!("there are at most {MAX_REGISTER_SETS} register sets")));
            }
            self.runtime.register_sets.push((set.into(), regs));
            return Ok(true);
        }
        match name {
            "opt_level" => {
                self.opt_level = match value {
                    Some("none") => OptLevel::None,
                    Some("speed") => OptLevel::Speed,
                    Some("size" | "speed_and_size") => OptLevel::Size,
                    other => {
                        let other = other.unwrap_or("");
                        return Err(SettingError(format!("opt_level is none, speed or size, not '{other}'")));
                    }
                }
            }
            "tls_model" => {
                self.tls_model = match value {
                    Some("none") => TlsModel::None,
                    Some("elf_gd") => TlsModel::ElfGd,
                    Some("elf_le") => TlsModel::ElfLe,
                    other => {
                        let other = other.unwrap_or("");
                        return Err(SettingError(format!(
                            "tls_model is none, elf_gd or elf_le, not '{other}'"
                        )));
                    }
                }
            }
            "enable_verifier" => self.skip_verifier = !parse_bool(name, value)?,
            "regalloc_checker" => self.regalloc_checker = Some(parse_bool(name, value)?),
            "inst_ranges" => self.inst_ranges = parse_bool(name, value)?,
            "enable_pinned_reg" => self.enable_pinned_reg = parse_bool(name, value)?,
            "preserve_frame_pointers" => self.preserve_frame_pointers = parse_bool(name, value)?,
            "enable_probestack" => self.enable_probestack = parse_bool(name, value)?,
            "probestack_size_log2" => {
                let log2 = parse_number(name, value)?;
                if !(8..=24).contains(&log2) {
                    return Err(SettingError(format!("probestack_size_log2 is 8 to 24, not {log2}")));
                }
                self.probestack_size_log2 = Some(log2);
            }
            // There is no routine to call: both are done in line, by a loop where that is shorter.
            "probestack_strategy" => {
                if !matches!(value, Some("inline" | "outline")) {
                    let value = value.unwrap_or("");
                    let what = format!("probestack_strategy is inline or outline, not '{value}'");
                    return Err(SettingError(what));
                }
            }
            "pinned_reg" => self.runtime.pinned_reg = Some(names(name, value)?.remove(0)),
            "reserved_regs" => self.runtime.reserved_regs = names(name, value)?,
            "align_return_addresses" => {
                let bytes: u32 = parse_number(name, value)?;
                if bytes != 0 && (!bytes.is_power_of_two() || bytes > MAX_RETURN_ALIGNMENT) {
                    return Err(SettingError(format!(
                        "{name} takes a power of two of at most {MAX_RETURN_ALIGNMENT}, not {bytes}"
                    )));
                }
                self.runtime.align_return_addresses = bytes;
            }
            "return_address_data" => {
                self.runtime.return_address_data = match value {
                    Some("offset") => Some(ReturnAddressData::Offset),
                    Some("index") => Some(ReturnAddressData::Index),
                    Some("none") => None,
                    other => {
                        let other = other.unwrap_or("");
                        return Err(SettingError(format!("{name} is none, offset or index, not '{other}'")));
                    }
                }
            }
            "function_header" => {
                self.runtime.function_header = match value {
                    Some("size") => Some(FunctionHeader::Size),
                    Some("none") => None,
                    _ => Some(FunctionHeader::Word(parse_number(name, value)?)),
                }
            }
            "stress_max_regs" => self.stress.max_regs = Some(parse_number(name, value)?),
            "stress_spill_all" => self.stress.spill_all = parse_bool(name, value)?,
            "stress_random_regs" => self.stress.random_regs = Some(parse_number(name, value)?),
            "stress_branch_range" => self.stress.branch_range = Some(parse_number(name, value)?),
            "stress_block_padding" => self.stress.block_padding = parse_number(name, value)?,
            "stress_shuffle_blocks" => self.stress.shuffle_blocks = Some(parse_number(name, value)?),
            "stress_check_alignment" => self.stress.check_alignment = parse_bool(name, value)?,
            "stress_legalize_core" => self.stress.legalize_core = parse_bool(name, value)?,
            _ => return Ok(NEUTRAL.contains(&name)),
        }
        Ok(true)
    }
}
