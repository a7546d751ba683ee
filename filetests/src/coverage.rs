//! Rule coverage: which rules of legalization and selection no filetest fires.
//!
//! A [`Coverage`] is shared by the threads of a run; each [`Context`] that it makes tells it what fires. It counts the
//! rules of the backends whose targets were part of the run, each backend once for all of its targets, and those of
//! legalization. A rule in a file that backends share has fired if it has for one of them.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use windlass::coverage::{LEGALIZE, Rule, RuleSet};
use windlass::{Context, Target};

/// The rules of a set, and whether each has fired.
struct Fired {
    set: &'static RuleSet,
    flags: Arc<[AtomicBool]>,
}

/// What has fired so far.
#[derive(Clone, Default)]
pub struct Coverage {
    sets: Arc<Mutex<Vec<Fired>>>,
}

impl std::fmt::Debug for Coverage {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Coverage")
    }
}

/// What a run left: rules that never fired, and how many there are.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct CoverageReport {
    /// Rules that never fired with the name of their set, in the order of files and lines.
    pub unfired: Vec<(Rule, &'static str)>,
    /// Each set with the number of its rules that fired and the number of its rules.
    pub sets: Vec<(&'static str, usize, usize)>,
}

impl Coverage {
    /// Nothing has fired, and no backend takes part.
    pub fn new() -> Coverage {
        Coverage::default()
    }

    /// Counts the rules of a target's backend, and legalization's.
    pub fn add_target(&self, target: &dyn Target) {
        self.flags(&LEGALIZE);
        if let Some(set) = target.rules() {
            self.flags(set);
        }
    }

    /// A context that tells what fires.
    pub fn context(&self) -> Context {
        let shared = self.clone();
        // The sets that this context has met: the lock is taken once for each.
        let mut known: Vec<Fired> = Vec::new();
        let mut cx = Context::new();
        cx.set_rule_observer(Some(Box::new(move |set, index| {
            let at = known.iter().position(|fired| std::ptr::eq(fired.set, set)).unwrap_or_else(|| {
                known.push(Fired { set, flags: shared.flags(set) });
                known.len() - 1
            });
            known[at].flags[index as usize].store(true, Ordering::Relaxed);
        })));
        cx
    }

    fn flags(&self, set: &'static RuleSet) -> Arc<[AtomicBool]> {
        // A thread that panicked leaves flags as good as any.
        let mut sets = self.sets.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
        if let Some(fired) = sets.iter().find(|fired| std::ptr::eq(fired.set, set)) {
            return fired.flags.clone();
        }
        let flags: Arc<[AtomicBool]> = (0..set.len()).map(|_| AtomicBool::new(false)).collect();
        sets.push(Fired { set, flags: flags.clone() });
        flags
    }

    /// What has fired and what not.
    pub fn report(&self) -> CoverageReport {
        let sets = self.sets.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
        let mut sets: Vec<&Fired> = sets.iter().collect();
        sets.sort_by_key(|fired| fired.set.name);
        let mut rules: BTreeMap<Rule, (bool, &'static str)> = BTreeMap::new();
        for fired in &sets {
            for (rule, flag) in fired.set.rules().zip(fired.flags.iter()) {
                rules.entry(rule).or_insert((false, fired.set.name)).0 |= flag.load(Ordering::Relaxed);
            }
        }
        let counts = |fired: &&Fired| {
            let hits = fired.set.rules().filter(|rule| rules.get(rule).is_some_and(|(hit, _)| *hit)).count();
            (fired.set.name, hits, fired.set.len())
        };
        CoverageReport {
            sets: sets.iter().map(counts).collect(),
            unfired: rules
                .iter()
                .filter(|(_, (hit, _))| !hit)
                .map(|(rule, (_, set))| (*rule, *set))
                .collect(),
        }
    }
}

impl CoverageReport {
    /// A line for each rule that never fired, and the counts on the last.
    pub fn render(&self) -> String {
        let mut out = String::new();
        for (rule, set) in &self.unfired {
            let _ = writeln!(out, "not fired {rule} [{set}]: a rule of `{}`", rule.term);
        }
        let _ = writeln!(out, "{}", self.line());
        out
    }

    /// `rules fired: 520 of 522 (arm), 103 of 103 (legalize)`
    pub fn line(&self) -> String {
        let counts: Vec<_> =
            self.sets.iter().map(|(name, fired, all)| format!("{fired} of {all} ({name})")).collect();
        if counts.is_empty() {
            return "rules fired: no target was run".to_owned();
        }
        format!("rules fired: {}", counts.join(", "))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use windlass::ir::text::parse_function;

    #[test]
    fn rules_that_fire_are_counted() {
        let coverage = Coverage::new();
        assert_eq!(coverage.report().render(), "rules fired: no target was run\n");
        let target = windlass::lookup("armv7").and_then(|builder| builder.build()).unwrap();
        coverage.add_target(&*target);
        let before = coverage.report();
        assert!(before.sets.iter().all(|&(_, fired, all)| fired == 0 && all > 50), "{:?}", before.sets);
        assert!(before.unfired.is_sorted());

        let text =
            "function %f(i128, i128) -> i128 { block0(v0: i128, v1: i128): v2 = iadd v0, v1\n return v2 }";
        let func = parse_function(text).unwrap();
        std::thread::scope(|scope| {
            for _ in 0..2 {
                scope.spawn(|| target.compile(&func, &mut coverage.context()).map(|_| ()).unwrap());
            }
        });
        let after = coverage.report();
        assert!(after.sets.iter().all(|&(_, fired, _)| fired > 0), "{:?}", after.sets);
        let fired: usize = after.sets.iter().map(|set| set.1).sum();
        assert_eq!(after.unfired.len() + fired, before.unfired.len());
        assert!(after.render().contains("not fired isle-rules/legalize/"), "{}", after.render());
    }
}
