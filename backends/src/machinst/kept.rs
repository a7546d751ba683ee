//! Registers that an embedder keeps from the allocator: a pinned one, reserved ones, and sets for values of a kind.
//!
//! **In:** the settings, and what a machine says can be kept. **Out:** the units, or which setting cannot be had.
//! `docs/runtimes.md` is the page for users.

use crate::settings::{SettingError, Settings};
use alloc::format;
use alloc::vec::Vec;
use core::ops::Range;
use windlass_regalloc::{PReg, UnitSet};

/// So many of the general-purpose registers that callees save are for the allocator, and so many are in a set: what the
/// longest instruction needs beyond the others.
pub const LEAST_SAVED: usize = 3;

/// What of a machine's registers an embedder can keep.
pub struct Keepable {
    /// The general-purpose registers that callees save, whose numbers are those of their units: pinned ones and those of
    /// sets are among them.
    pub saved: Range<u8>,
    /// How messages call them.
    pub saved_names: &'static str,
    /// The units that can be reserved.
    pub reservable: UnitSet,
    /// How messages call their registers.
    pub reservable_names: &'static str,
    /// The pinned register, unless a setting says another.
    pub pinned: PReg,
    /// The frame pointer, in functions that keep one.
    pub frame_pointer: PReg,
    /// The register of this name.
    pub parse: fn(&str) -> Option<PReg>,
    /// The units that a register covers.
    pub units: fn(PReg) -> UnitSet,
}

/// The registers that are kept.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct KeptRegs {
    /// The pinned register; it is reserved if the settings say that there is one.
    pub pinned: PReg,
    /// The units that are not allocated: those of the pinned and of reserved registers and of the frame pointer.
    pub reserved: UnitSet,
    /// The register sets, in the order of the settings. Nothing reserved is in them.
    pub sets: Vec<UnitSet>,
}

impl KeptRegs {
    /// What `settings` ask for.
    ///
    /// # Errors
    /// A register that cannot be kept, two settings that want one register, or too few left for the allocator.
    pub fn new(settings: &Settings, machine: &Keepable) -> Result<KeptRegs, SettingError> {
        let pinned = match &settings.runtime.pinned_reg {
            None => machine.pinned,
            Some(name) => machine.saved_register(name).map(PReg::new).ok_or_else(|| {
                SettingError(format!("pinned_reg is one of {}, not '{name}'", machine.saved_names))
            })?,
        };
        let reserved = machine.reserved(settings, pinned)?;
        let sets = machine.sets(settings, reserved)?;
        Ok(KeptRegs { pinned, reserved, sets })
    }
}

impl Keepable {
    /// The number of the register of this name, if callees save it.
    fn saved_register(&self, name: &str) -> Option<u8> {
        let number = u8::try_from((self.parse)(name)?.index()).ok()?;
        self.saved.contains(&number).then_some(number)
    }

    fn reserved(&self, settings: &Settings, pinned: PReg) -> Result<UnitSet, SettingError> {
        let mut reserved = UnitSet::EMPTY;
        for name in &settings.runtime.reserved_regs {
            let units = (self.parse)(name).map_or(UnitSet::EMPTY, self.units);
            if units.is_empty() || !self.reservable.contains_all(units) {
                let names = self.reservable_names;
                return Err(SettingError(format!("reserved_regs are among {names}, not '{name}'")));
            }
            reserved.insert_all(units);
        }
        if settings.enable_pinned_reg {
            reserved.insert_all((self.units)(pinned));
        }
        if settings.preserve_frame_pointers {
            let units = (self.units)(self.frame_pointer);
            if reserved.intersects(units) {
                let number = self.frame_pointer.index();
                return Err(SettingError(format!("preserve_frame_pointers wants r{number} for itself")));
            }
            reserved.insert_all(units);
        }
        Ok(reserved)
    }

    fn sets(&self, settings: &Settings, reserved: UnitSet) -> Result<Vec<UnitSet>, SettingError> {
        let mut taken = reserved;
        let mut sets = Vec::new();
        for (name, regs) in &settings.runtime.register_sets {
            let mut set = UnitSet::EMPTY;
            for reg in regs {
                let number =
                    self.saved_register(reg).filter(|&n| !reserved.contains(n)).ok_or_else(|| {
                        let what = format!("is of {} and not reserved", self.saved_names);
                        SettingError(format!("a register of register_set.{name} {what}, not '{reg}'"))
                    })?;
                set.insert(number);
            }
            if set.len() < LEAST_SAVED {
                return Err(SettingError(format!("register_set.{name} needs {LEAST_SAVED} registers")));
            }
            taken.insert_all(set);
            sets.push(set);
        }
        let left = self.saved.clone().filter(|&n| !taken.contains(n)).count();
        if left < LEAST_SAVED {
            let names = self.saved_names;
            return Err(SettingError(format!(
                "{LEAST_SAVED} of {names} are needed; the settings leave {left}"
            )));
        }
        Ok(sets)
    }
}
