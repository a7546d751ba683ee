//! What a run of filetests found: checks, counted and listed.

use crate::coverage::CoverageReport;
use crate::diff;
use serde_json::json;
use std::fmt::Write;
use std::path::PathBuf;

/// How a check ended.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Outcome {
    /// It holds.
    Passed,
    /// It does not hold.
    Failed {
        /// Why, in a line or a few.
        message: String,
        /// What was expected and what there is, where both are texts.
        texts: Option<(String, String)>,
    },
    /// It cannot be made here.
    Skipped {
        /// Why.
        reason: String,
    },
}

impl Outcome {
    /// A failure without texts.
    pub fn failed(message: impl Into<String>) -> Outcome {
        Outcome::Failed { message: message.into(), texts: None }
    }

    /// The word in reports.
    pub fn word(&self) -> &'static str {
        match self {
            Outcome::Passed => "passed",
            Outcome::Failed { .. } => "failed",
            Outcome::Skipped { .. } => "skipped",
        }
    }
}

/// One thing that a filetest checks: a `; run:` line, a golden function, an expected error.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Check {
    /// The file.
    pub file: PathBuf,
    /// The line in it, from 1; 0 is the whole file.
    pub line: u32,
    /// The column in it, from 1; 0 is the whole line.
    pub column: u32,
    /// What is checked: the directive's text, or the command and the function.
    pub name: String,
    /// The target, where there is one.
    pub target: Option<String>,
    /// How it ended.
    pub outcome: Outcome,
}

impl Check {
    /// `file:line:column`, as far as known.
    pub fn place(&self) -> String {
        let mut out = self.file.display().to_string();
        for n in [self.line, self.column] {
            if n == 0 {
                break;
            }
            let _ = write!(out, ":{n}");
        }
        out
    }

    /// The check and its failure or skip as text; nothing for a check that passed.
    pub fn render(&self, color: bool) -> String {
        let on = self.target.as_ref().map(|t| format!(" [{t}]")).unwrap_or_default();
        let (red, yellow, bold, plain) =
            if color { ("\x1b[31m", "\x1b[33m", "\x1b[1m", "\x1b[0m") } else { ("", "", "", "") };
        match &self.outcome {
            Outcome::Passed => String::new(),
            Outcome::Skipped { reason } => {
                format!("{yellow}skipped{plain} {bold}{}{plain}{on}: {}: {reason}\n", self.place(), self.name)
            }
            Outcome::Failed { message, texts } => {
                let mut out =
                    format!("{red}failed{plain} {bold}{}{plain}{on}: {}\n", self.place(), self.name);
                for line in message.lines() {
                    let _ = writeln!(out, "    {line}");
                }
                if let Some((expected, actual)) = texts {
                    out.push_str("    - expected, + actual\n");
                    for line in diff::render(expected, actual, 3, color).lines() {
                        let _ = writeln!(out, "    {line}");
                    }
                }
                out
            }
        }
    }

    /// The check as one JSON object.
    pub fn to_json(&self) -> serde_json::Value {
        let mut object = json!({
            "file": self.file.display().to_string(),
            "line": self.line,
            "column": self.column,
            "name": self.name,
            "target": self.target,
            "outcome": self.outcome.word(),
        });
        match &self.outcome {
            Outcome::Passed => {}
            Outcome::Skipped { reason } => object["reason"] = json!(reason),
            Outcome::Failed { message, texts } => {
                object["message"] = json!(message);
                if let Some((expected, actual)) = texts {
                    object["expected"] = json!(expected);
                    object["actual"] = json!(actual);
                }
            }
        }
        object
    }
}

/// What a file gave.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct FileReport {
    /// Its checks, in the order of the file's commands, targets and lines.
    pub checks: Vec<Check>,
    /// What its `; print:` lines print.
    pub printed: Vec<String>,
    /// Golden functions that were rewritten.
    pub blessed: usize,
}

/// Checks in a row with the same failure that are shown; the others are counted.
const SAME_SHOWN: usize = 3;

/// What all files gave, in the order of their names.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Summary {
    /// A report a file.
    pub files: Vec<FileReport>,
    /// Which rules fired, if that was collected.
    pub coverage: Option<CoverageReport>,
}

impl Summary {
    /// Every check.
    pub fn checks(&self) -> impl Iterator<Item = &Check> {
        self.files.iter().flat_map(|file| &file.checks)
    }

    fn count(&self, word: &str) -> usize {
        self.checks().filter(|check| check.outcome.word() == word).count()
    }

    /// Number of checks that hold.
    pub fn passed(&self) -> usize {
        self.count("passed")
    }

    /// Number of checks that do not hold.
    pub fn failed(&self) -> usize {
        self.count("failed")
    }

    /// Number of checks that could not be made.
    pub fn skipped(&self) -> usize {
        self.count("skipped")
    }

    /// Number of golden functions that were rewritten.
    pub fn blessed(&self) -> usize {
        self.files.iter().map(|file| file.blessed).sum()
    }

    /// `N passed, N failed, N skipped`
    pub fn line(&self) -> String {
        format!("{} passed, {} failed, {} skipped", self.passed(), self.failed(), self.skipped())
    }

    /// Everything as text: what was printed, what was skipped or failed, and the last line.
    pub fn render(&self, color: bool) -> String {
        let mut out = String::new();
        for file in &self.files {
            for line in &file.printed {
                let _ = writeln!(out, "{line}");
            }
        }
        // Where one cause spoils many checks in a row, three of them say it.
        let mut last: Option<&Check> = None;
        let mut same = 0;
        let more = |same: usize, out: &mut String| {
            if same > SAME_SHOWN {
                let _ = writeln!(out, "    and {} more like it", same - SAME_SHOWN);
            }
        };
        for check in self.checks().filter(|check| check.outcome != Outcome::Passed) {
            let again = last.is_some_and(|last| {
                last.outcome == check.outcome && last.file == check.file && last.target == check.target
            });
            if !again {
                more(same, &mut out);
                same = 0;
            }
            same += 1;
            if same <= SAME_SHOWN {
                out.push_str(&check.render(color));
            }
            last = Some(check);
        }
        more(same, &mut out);
        if self.checks().any(|c| matches!(&c.outcome, Outcome::Failed { texts: Some(_), .. })) {
            out.push_str("to accept what there is: WINDLASS_BLESS=1, or --bless\n");
        }
        if self.blessed() > 0 {
            let _ = writeln!(out, "{} blessed", self.blessed());
        }
        if let Some(coverage) = &self.coverage {
            out.push_str(&coverage.render());
        }
        let _ = writeln!(out, "{}", self.line());
        out
    }

    /// Everything as JSON: an object a check, one a line, then one a rule that did not fire if that was asked for, and
    /// the counts on the last.
    pub fn render_json(&self) -> String {
        let mut out = String::new();
        for check in self.checks() {
            let _ = writeln!(out, "{}", check.to_json());
        }
        if let Some(coverage) = &self.coverage {
            for (rule, set) in &coverage.unfired {
                let file = format!("isle-rules/{}", rule.file);
                let object = json!({"file": file, "line": rule.line, "rules": set, "term": rule.term, "outcome": "not fired"});
                let _ = writeln!(out, "{object}");
            }
            for (set, fired, all) in &coverage.sets {
                let _ = writeln!(out, "{}", json!({"rules": set, "fired": fired, "all": all}));
            }
        }
        let counts = json!({"passed": self.passed(), "failed": self.failed(), "skipped": self.skipped(), "blessed": self.blessed()});
        let _ = writeln!(out, "{counts}");
        out
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(outcome: Outcome) -> Check {
        let target = Some("armv7hf".into());
        Check { file: "a.clif".into(), line: 3, column: 0, name: "run: %f() == 1".into(), target, outcome }
    }

    #[test]
    fn the_same_failure_many_times_is_told_three_times() {
        let checks = vec![check(Outcome::failed("gone")); 10];
        let text = Summary { files: vec![FileReport { checks, ..FileReport::default() }], coverage: None }
            .render(false);
        assert_eq!(text.matches("failed a.clif:3").count(), 3, "{text}");
        assert!(text.contains("    and 7 more like it\n0 passed, 10 failed"), "{text}");
    }

    #[test]
    fn counts_and_lists() {
        let failed = Outcome::Failed { message: "differs".into(), texts: Some(("a\n".into(), "b\n".into())) };
        let skipped = Outcome::Skipped { reason: "no".into() };
        let checks = vec![check(Outcome::Passed), check(failed), check(skipped)];
        let summary = Summary { files: vec![FileReport { checks, ..FileReport::default() }], coverage: None };
        let text = summary.render(false);
        assert!(text.contains("failed a.clif:3 [armv7hf]: run: %f() == 1\n    differs\n"), "{text}");
        assert!(text.contains("    - a\n    + b\n"), "{text}");
        assert!(text.contains("skipped a.clif:3 [armv7hf]: run: %f() == 1: no\n"), "{text}");
        assert!(text.ends_with("1 passed, 1 failed, 1 skipped\n"), "{text}");
        let json: Vec<serde_json::Value> =
            summary.render_json().lines().map(|l| serde_json::from_str(l).unwrap()).collect();
        assert_eq!(json.len(), 4);
        assert_eq!(json[1]["expected"], "a\n");
        assert_eq!(json[3]["skipped"], 1);
    }
}
