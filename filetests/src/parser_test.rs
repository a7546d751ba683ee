//! `test parser`: syntax errors where `; error:` comments tell them.
//!
//! The parser stops at its first error, so each function of such a file is read by itself: from a line that starts
//! with `function` to the line before the next that does. A function with an `; error: TEXT` comment must be refused on
//! that comment's line with a message that has TEXT in it. One without must parse, and print to text that parses
//! and prints the same.

use crate::report::Outcome;
use crate::runner::FileRun;
use windlass::ir::text::parse_function;

/// Does the file's header ask for this command?
pub fn is_parser_test(text: &str) -> bool {
    text.lines()
        .take_while(|line| !line.starts_with("function"))
        .any(|line| line.split_whitespace().eq(["test", "parser"]))
}

/// The expected errors of some lines: line number, text.
pub(crate) fn expected_errors<'a>(
    lines: impl Iterator<Item = (u32, &'a str)>,
) -> impl Iterator<Item = (u32, &'a str)> {
    lines.filter_map(|(number, line)| {
        let (_, message) = line.split_once("; error:")?;
        Some((number, message.trim()))
    })
}

pub(crate) fn run(run: &mut FileRun<'_>, text: &str) {
    let lines: Vec<&str> = text.lines().collect();
    let starts: Vec<usize> = (0..lines.len()).filter(|&i| lines[i].starts_with("function")).collect();
    if starts.is_empty() {
        return run.check(0, "test parser", None, Outcome::failed("the file has no functions"));
    }
    for (n, &start) in starts.iter().enumerate() {
        let end = starts.get(n + 1).copied().unwrap_or(lines.len());
        let body = lines[start..end].join("\n");
        let numbered = lines[start..end].iter().enumerate().map(|(i, l)| ((start + i + 1) as u32, *l));
        let expected: Vec<_> = expected_errors(numbered).collect();
        let first = start as u32 + 1;
        match (parse_function(&body), expected.first()) {
            (Ok(func), None) => {
                let printed = func.to_string();
                let outcome = match parse_function(&printed) {
                    Ok(again) if again.to_string() == printed => Outcome::Passed,
                    Ok(again) => Outcome::Failed {
                        message: "printed, parsed and printed again it differs".into(),
                        texts: Some((printed, again.to_string())),
                    },
                    Err(e) => Outcome::failed(format!("what is printed does not parse: {e}\n{printed}")),
                };
                run.check(first, format!("parse {}", func.name), None, outcome);
            }
            (Ok(_), Some((line, message))) => {
                run.check(*line, format!("error: {message}"), None, Outcome::failed("there is no error"));
            }
            (Err(e), None) => {
                let (line, column) = (e.line + start as u32, e.column);
                run.check_at(line, column, "parse", None, Outcome::failed(e.message));
            }
            (Err(e), Some((line, message))) => {
                let at = e.line + start as u32;
                let outcome = if at == *line && e.message.contains(message) {
                    Outcome::Passed
                } else {
                    Outcome::failed(format!("the error is another: {at}:{}: {}", e.column, e.message))
                };
                run.check(*line, format!("error: {message}"), None, outcome);
            }
        }
    }
}
