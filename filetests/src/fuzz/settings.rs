//! Settings that a batch is compiled under: the usual ones, and those that make small programs reach rare paths.

use super::random::Random;
use crate::targets::{self, Setting};
use std::fmt;
use windlass::{SettingError, Target};

/// Settings, in the order in which they are set.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Setup(pub Vec<Setting>);

impl Setup {
    /// `fixed`, with each allocation checked.
    pub fn plain(fixed: &[Setting]) -> Setup {
        let mut setup = Setup(fixed.to_vec());
        setup.set("regalloc_checker", true);
        setup
    }

    /// `fixed`, and what is the turn of batch `n`: all kinds take turns, numbers are random.
    pub fn random(fixed: &[Setting], n: u64, random: &mut Random) -> Setup {
        let mut setup = Setup::plain(fixed);
        let kind = n % 14;
        match kind {
            0..12 => setup.add(kind, random),
            _ => {
                for kind in 1..12 {
                    if random.chance(35) {
                        setup.add(kind, random);
                    }
                }
            }
        }
        setup
    }

    fn set(&mut self, name: &str, value: impl fmt::Display) {
        self.0.push((name.to_string(), Some(value.to_string())));
    }

    fn add(&mut self, kind: u64, random: &mut Random) {
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
            _ => {}
        }
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
