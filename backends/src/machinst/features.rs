//! The features of the processor, as a target's settings choose them.
//!
//! **In:** the features that the target always has, and settings by name. **Out:** the set that code may use.

use super::encode::FeatureSet;
use crate::settings::{SettingError, parse_bool};
use alloc::format;
use alloc::vec::Vec;

/// `features` with what each of them includes, as the table `includes` says: a feature, and all that it brings.
pub fn closure<F: FeatureSet>(features: F, includes: &[(F, F)]) -> F {
    let own = includes.iter().filter(|(feature, _)| features.contains(*feature));
    own.fold(features, |all, (_, included)| all.union(*included))
}

/// The features that are chosen.
#[derive(Clone, Copy, Debug)]
pub struct FeatureChoice<F: 'static> {
    /// What the target always has.
    base: F,
    /// What the processor has.
    pub chosen: F,
    /// Features with what they include.
    includes: &'static [(F, F)],
}

impl<F: FeatureSet> FeatureChoice<F> {
    /// The features `base`, which cannot be switched off. `includes` says what comes with a feature, see
    /// [`closure`].
    pub fn new(base: F, includes: &'static [(F, F)]) -> Self {
        FeatureChoice { base, chosen: base, includes }
    }

    /// Switches a feature on or off for the target of this name.
    ///
    /// # Errors
    /// There is no such feature, or no such value, or the target always has the feature.
    pub fn set(&mut self, target: &str, name: &str, value: Option<&str>) -> Result<(), SettingError> {
        let Some(&(_, feature)) = F::NAMES.iter().find(|(feature, _)| *feature == name) else {
            return Err(SettingError(format!("{target} has no setting or feature '{name}'")));
        };
        if parse_bool(name, value)? {
            self.chosen = self.chosen.union(closure(feature, self.includes));
        } else if self.base.contains(feature) {
            let what = format!("feature {name} is part of {target} and cannot be switched off");
            return Err(SettingError(what));
        } else {
            self.chosen = self.chosen.without(feature);
        }
        Ok(())
    }

    /// Is the feature of this name among those that are chosen?
    pub fn has(&self, name: &str) -> bool {
        F::NAMES.iter().any(|(feature, bits)| *feature == name && self.chosen.contains(*bits))
    }

    /// The names of the features that can be switched.
    pub fn switchable(&self) -> Vec<&'static str> {
        let own = F::NAMES.iter().filter(|(_, feature)| !self.base.contains(*feature));
        own.map(|&(name, _)| name).collect()
    }
}
