//! Reduction of files: those that parse, as functions; any others, line by line.

use super::{Case, Limits};
use windlass_ir::ExternalName;
use windlass_ir::text::{ParseError, ParseOptions, parse_run_command, parse_test_file};

/// Reads a file as a case: its header, its functions, its run directives. Other comments are left out.
///
/// # Errors
/// The file does not parse.
pub fn case_of_file(text: &str) -> Result<Case, ParseError> {
    let file = parse_test_file(text, &ParseOptions::default())?;
    let mut case = Case::default();
    let end = text.lines().position(|line| line.starts_with("function")).unwrap_or(usize::MAX);
    for line in text.lines().take(end) {
        let line = line.trim_end();
        if !line.is_empty() && !line.starts_with(';') {
            case.header.push(line.to_string());
        }
    }
    let find = |name: &ExternalName| {
        file.functions.iter().map(|f| &f.func).find(|func| func.name == *name).map(|func| &func.signature)
    };
    for function in &file.functions {
        for comment in &function.comments {
            // What is no sound directive cannot be kept in step with the functions.
            if let Ok(Some(command)) = parse_run_command(comment.text, &function.func.name, find) {
                case.commands.push(command);
            }
        }
    }
    case.functions = file.functions.into_iter().map(|function| function.func).collect();
    Ok(case)
}

/// Drops lines of `text`, for which `holds` is true, while it stays true.
pub fn reduce_lines(text: &str, limits: &Limits, holds: &mut dyn FnMut(&str) -> bool) -> String {
    let mut lines: Vec<&str> = text.lines().collect();
    let mut steps = limits.steps;
    for _ in 0..limits.rounds {
        let before = lines.len();
        let mut size = lines.len();
        while size > 0 {
            let mut end = lines.len();
            while end > 0 && steps > 0 {
                let start = end.saturating_sub(size);
                let mut fewer = lines.clone();
                fewer.drain(start..end);
                steps -= 1;
                if holds(&joined(&fewer)) {
                    lines = fewer;
                }
                end = start;
            }
            size /= 2;
        }
        if lines.len() == before {
            break;
        }
    }
    joined(&lines)
}

fn joined(lines: &[&str]) -> String {
    lines.iter().flat_map(|line| [line, "\n"]).collect()
}
