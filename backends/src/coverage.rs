//! Which rules fire: the tables of rules that the build script leaves, and who is told.
//!
//! Generated code reports each rule that fires by its place in its table. With nobody to tell
//! ([`Context::set_rule_observer`](crate::Context::set_rule_observer)) that costs a comparison a rule.

use alloc::boxed::Box;
use core::fmt;

/// A rule: where it stands, and what it is a rule of.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Rule {
    /// The file, relative to the folder of rules: `arm/arith.isle`.
    pub file: &'static str,
    /// The line where it begins, from 1.
    pub line: u32,
    /// The term, `lower` in the rules for instructions.
    pub term: &'static str,
}

impl fmt::Display for Rule {
    /// `isle-rules/arm/arith.isle:5`
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "isle-rules/{}:{}", self.file, self.line)
    }
}

/// Rules that are compiled together: those of a selector, with the preludes' own, or those of legalization.
#[derive(PartialEq, Eq, Debug)]
pub struct RuleSet {
    /// `arm` for all targets of `backends/src/arm`, or `legalize`.
    pub name: &'static str,
    table: &'static [(&'static str, u32, &'static str)],
}

impl RuleSet {
    /// A set from the table `RULES` of a generated module.
    pub const fn new(name: &'static str, table: &'static [(&'static str, u32, &'static str)]) -> RuleSet {
        RuleSet { name, table }
    }

    /// Number of rules.
    pub fn len(&self) -> usize {
        self.table.len()
    }

    /// Are there none?
    pub fn is_empty(&self) -> bool {
        self.table.is_empty()
    }

    /// The rules, sorted by file, in the order in which they are compiled, and line.
    pub fn rules(&self) -> impl Iterator<Item = Rule> {
        self.table.iter().map(|&(file, line, term)| Rule { file, line, term })
    }
}

/// The rules that express what a target lacks in what it has.
pub static LEGALIZE: RuleSet = RuleSet::new("legalize", crate::legalize::RULES);

/// Is told each rule that fires: its set, and its place there.
pub type RuleObserver = Box<dyn FnMut(&'static RuleSet, u32) + Send>;
