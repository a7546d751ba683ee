//! Test-case reduction: a program made small while a property of it stays.
//!
//! In: a [`Case`] (functions, run directives, header lines) and a predicate that says whether a case still shows what
//! is looked for. Out: a smaller case that shows it. Functions that the verifier accepted are accepted after each step.
//!
//! Passes take turns until none helps: functions are emptied and dropped, branches become jumps, blocks that nobody
//! reaches go, instructions become constants or one of their operands, parameters and results disappear from blocks,
//! signatures, calls and directives, blocks are joined, constants, conventions and flags become plain, and everything is
//! numbered anew. Where there are many of a kind, large runs are tried before small ones (delta debugging,
//! Zeller and Hildebrandt 2002); the passes know the language, after Regehr et al. 2012 (C-Reduce).
//!
//! Cost: the predicate is asked some hundred times for a function of some hundred instructions; [`Limits`] bounds it.

mod compact;
mod edit;
mod passes;
mod signatures;
#[cfg(test)]
mod tests;
mod text;

pub use compact::compact;
pub use text::{case_of_file, reduce_lines};

use std::fmt;
use std::ops::Range;
use windlass_ir::text::RunCommand;
use windlass_ir::{Function, Verifier};

/// What is reduced.
#[derive(Clone, Debug, Default)]
pub struct Case {
    /// Lines before the functions.
    pub header: Vec<String>,
    /// The functions.
    pub functions: Vec<Function>,
    /// The run directives; they stand behind the functions.
    pub commands: Vec<RunCommand>,
}

/// As a test file.
impl fmt::Display for Case {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for line in &self.header {
            writeln!(f, "{line}")?;
        }
        for func in &self.functions {
            write!(f, "\n{func}")?;
        }
        for command in &self.commands {
            writeln!(f, "; {command}")?;
        }
        Ok(())
    }
}

/// How much a reduction may cost.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// How often the predicate may be asked.
    pub steps: usize,
    /// Most rounds of all passes.
    pub rounds: usize,
}

impl Default for Limits {
    fn default() -> Limits {
        Limits { steps: 20_000, rounds: 20 }
    }
}

/// Makes `case`, for which `holds` is true, small while `holds` stays true.
pub fn reduce(case: Case, limits: &Limits, holds: &mut dyn FnMut(&Case) -> bool) -> Case {
    let mut verifier = Verifier::new();
    let verified = case.functions.iter().all(|func| verifier.verify(func).is_ok());
    let verifier = verified.then_some(verifier);
    let mut reducer = Reducer { case, holds, verifier, steps: limits.steps };
    for _ in 0..limits.rounds {
        if !reducer.round() || reducer.steps == 0 {
            break;
        }
    }
    reducer.case
}

/// A reduction under way.
struct Reducer<'a> {
    case: Case,
    holds: &'a mut dyn FnMut(&Case) -> bool,
    /// There is one if the functions were sound to begin with.
    verifier: Option<Verifier>,
    /// How often the predicate may still be asked.
    steps: usize,
}

impl Reducer<'_> {
    /// Takes `new` if it is sound and shows what is looked for.
    fn attempt(&mut self, new: Case) -> bool {
        if self.steps == 0 {
            return false;
        }
        if let Some(verifier) = &mut self.verifier
            && !new.functions.iter().all(|func| verifier.verify(func).is_ok())
        {
            return false;
        }
        self.steps -= 1;
        let holds = (self.holds)(&new);
        if holds {
            self.case = new;
        }
        holds
    }

    /// Tries an edit of the whole case; `edit` says whether it changed anything.
    fn once(&mut self, edit: impl FnOnce(&mut Case) -> bool) -> bool {
        let mut new = self.case.clone();
        edit(&mut new) && self.attempt(new)
    }

    /// Tries an edit on runs of the things that `count` counts: all, halves, quarters, …, each.
    fn chunked(
        &mut self,
        count: impl Fn(&Case) -> usize,
        mut edit: impl FnMut(&mut Case, Range<usize>) -> bool,
    ) -> bool {
        let mut progress = false;
        let mut size = count(&self.case);
        while size > 0 && self.steps > 0 {
            let mut end = count(&self.case);
            while end > 0 && self.steps > 0 {
                let start = end.saturating_sub(size);
                progress |= self.once(|case| edit(case, start..end));
                // What was behind has been tried; what is gone is behind.
                end = start.min(count(&self.case));
            }
            size /= 2;
        }
        progress
    }
}
