//! Settings that a batch is compiled under: the usual ones, and those that make small programs reach rare paths.

use super::random::Random;
use crate::targets::{self, Setting};
use std::fmt;
use windlass::target::Choices;
use windlass::{SettingError, Target};

/// Settings, in the order in which they are set.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Setup(pub Vec<Setting>);

/// Kinds of settings that take turns.
const KINDS: u64 = 20;

impl Setup {
    /// `fixed`, with each allocation checked.
    pub fn plain(fixed: &[Setting]) -> Setup {
        let mut setup = Setup(Vec::new());
        // Data of threads are there unless `fixed` says otherwise.
        setup.set("tls_model", "elf_le");
        setup.0.extend_from_slice(fixed);
        setup.set("regalloc_checker", true);
        setup
    }

    /// `fixed`, and what is the turn of batch `n`: all kinds take turns, numbers are random. `choices` are what the target has
    /// to choose from; `works` says whether a target can be made. Settings that do not go together are left out.
    pub fn random(
        fixed: &[Setting],
        choices: &Choices,
        n: u64,
        random: &mut Random,
        works: &dyn Fn(&Setup) -> bool,
    ) -> Setup {
        let plain = Setup::plain(fixed);
        let mut setup = plain.clone();
        match n % KINDS {
            17.. => {
                for kind in 1..17 {
                    if random.chance(25) {
                        setup.add(kind, choices, random);
                    }
                }
            }
            kind => setup.add(kind, choices, random),
        }
        // The first of those that are too many goes.
        let mut good = plain;
        for setting in setup.0.split_off(good.0.len()) {
            good.0.push(setting);
            if !works(&good) {
                good.0.pop();
            }
        }
        good
    }

    fn set(&mut self, name: &str, value: impl fmt::Display) {
        self.0.push((name.to_string(), Some(value.to_string())));
    }

    fn add(&mut self, kind: u64, choices: &Choices, random: &mut Random) {
        match kind {
            1 => self.set("stress_max_regs", random.between(1, 9)),
            2 => self.set("stress_spill_all", true),
            3 => self.set("stress_random_regs", random.below(1_000_000)),
            4 => self.set("stress_branch_range", random.between(64, 2000)),
            5 => self.set("stress_block_padding", [4, 12, 100, 1000, 5000][random.below(5)]),
            6 => self.set("stress_shuffle_blocks", random.below(1_000_000)),
            7 => self.set("opt_level", "none"),
            8 => self.set("opt_level", "size"),
            9 => self.set("preserve_frame_pointers", true),
            10 => self.set("stress_check_alignment", true),
            11 => {
                self.set("enable_probestack", true);
                self.set("probestack_size_log2", random.between(8, 12));
            }
            12 => self.set("enable_pinned_reg", true),
            13 => self.set("stress_legalize_core", true),
            14 => {
                for _ in 0..1 + random.below(2) {
                    if let Some(feature) = random.pick(&choices.features) {
                        self.set(feature, true);
                    }
                }
            }
            15 => {
                if let Some(switch) = random.pick(&choices.switches) {
                    self.set(switch, random.chance(60));
                }
            }
            16 => match random.below(4) {
                0 => self.set("tls_model", "elf_gd"),
                1 => self.set("align_return_addresses", [4, 8, 16][random.below(3)]),
                2 => self.set("return_address_data", ["offset", "index"][random.below(2)]),
                _ => self.reserve(choices, random),
            },
            _ => {}
        }
    }

    /// Takes a register or a few away.
    fn reserve(&mut self, choices: &Choices, random: &mut Random) {
        let mut names = choices.reservable.clone();
        random.shuffle(&mut names);
        names.truncate(1 + random.below(4));
        if !names.is_empty() {
            self.set("reserved_regs", names.join(","));
        }
    }

    /// May there be operations under these settings that there are not without, or the other way round?
    pub fn changes_operations(&self) -> bool {
        const NEUTRAL: [&str; 5] = [
            "opt_level",
            "preserve_frame_pointers",
            "enable_probestack",
            "probestack_size_log2",
            "regalloc_checker",
        ];
        self.0.iter().any(|(name, _)| !name.starts_with("stress_") && !NEUTRAL.contains(&name.as_str()))
    }

    /// A target with these settings: a name or triple with feature words behind it.
    ///
    /// # Errors
    /// No such target, or it does not take the settings.
    pub fn target(&self, spec: &str) -> Result<Box<dyn Target>, SettingError> {
        targets::build(spec, &self.0)
    }
}

/// `name=value` with spaces between.
impl fmt::Display for Setup {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, (name, value)) in self.0.iter().enumerate() {
            write!(f, "{}{name}", if i == 0 { "" } else { " " })?;
            if let Some(value) = value {
                write!(f, "={value}")?;
            }
        }
        Ok(())
    }
}
