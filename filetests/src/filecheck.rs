//! Matching of a command's output against directives in comments.
//!
//! A function's `; check:` lines say what must stand in the output of the file's command, in the manner of CLIF's own
//! suite:
//!
//! | directive | means |
//! |---|---|
//! | `check: P` | P matches somewhere after the last match |
//! | `sameln: P` | P matches after the last match, on its line |
//! | `nextln: P` | P matches on the line after the last match |
//! | `unordered: P` | neighbouring `unordered` patterns match after the last match, in any order |
//! | `not: P` | P matches nowhere between the matches before and after this directive |
//! | `regex: V=R` | `$V` stands for the regular expression R |
//!
//! A pattern is literal text with `$V` or `$(V)` (what V matched, or its expression), `$(V=R)` (matches R and calls the
//! match V), `$(V=$W)` (matches the expression of W), `$(=R)` (without a name), `$()` (nothing) and `$$` (a dollar
//! sign). A pattern that starts or ends with a letter, digit or underscore does so at a word's boundary; `$()` there
//! lifts that.
//!
//! Each pattern is compiled when it is needed, since it may use what earlier ones matched. Cost: one regular
//! expression search a directive over the rest of the text.

use regex::Regex;
use std::collections::BTreeMap;
use std::fmt;
use std::ops::Range;

/// What a directive asks for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Kind {
    /// `check:`
    Check,
    /// `sameln:`
    SameLine,
    /// `nextln:`
    NextLine,
    /// `unordered:`
    Unordered,
    /// `not:`
    Not,
    /// `regex:`
    Regex,
}

const KINDS: [(&str, Kind); 6] = [
    ("check:", Kind::Check),
    ("sameln:", Kind::SameLine),
    ("nextln:", Kind::NextLine),
    ("unordered:", Kind::Unordered),
    ("not:", Kind::Not),
    ("regex:", Kind::Regex),
];

/// A directive and the line of the file that it stands on.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Directive {
    /// The kind.
    pub kind: Kind,
    /// What follows the colon, trimmed.
    pub pattern: String,
    /// The line, from 1.
    pub line: u32,
}

impl Directive {
    /// Reads a comment's text, without semicolons. `None` if it is no directive.
    pub fn parse(comment: &str, line: u32) -> Option<Directive> {
        let comment = comment.trim();
        let (word, kind) = KINDS.iter().find(|(word, _)| comment.starts_with(word))?;
        Some(Directive { kind: *kind, pattern: comment[word.len()..].trim().to_owned(), line })
    }
}

/// A directive that does not hold, or that cannot be read.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Mismatch {
    /// The directive's line in the file, from 1.
    pub line: u32,
    /// What is wrong.
    pub message: String,
}

impl fmt::Display for Mismatch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}: {}", self.line, self.message)
    }
}

/// Directives in the order in which they are checked.
#[derive(Clone, Default, Debug)]
pub struct Checker {
    directives: Vec<Directive>,
}

impl Checker {
    /// A checker of these directives.
    pub fn new(directives: Vec<Directive>) -> Checker {
        Checker { directives }
    }

    /// Is there nothing to check?
    pub fn is_empty(&self) -> bool {
        self.directives.is_empty()
    }

    /// Checks `text`.
    ///
    /// # Errors
    /// The first directive that does not hold.
    pub fn check(&self, text: &str) -> Result<(), Mismatch> {
        let mut state = State { text, vars: BTreeMap::new(), at: 0, nots: Vec::new() };
        let mut i = 0;
        while let Some(directive) = self.directives.get(i) {
            i += 1;
            match directive.kind {
                Kind::Regex => state.define(directive)?,
                Kind::Not => state.nots.push((state.compile(directive)?.0, directive.clone())),
                Kind::Check => {
                    let found = state.find(directive, state.at..text.len(), "after the last match")?;
                    state.advance(found)?;
                }
                Kind::SameLine => {
                    let end = state.line_end(state.at);
                    let found = state.find(directive, state.at..end, "on the line of the last match")?;
                    state.advance(found)?;
                }
                Kind::NextLine => {
                    let start = (state.line_end(state.at) + 1).min(text.len());
                    let end = state.line_end(start);
                    let found = state.find(directive, start..end, "on the next line")?;
                    state.advance(found)?;
                }
                Kind::Unordered => {
                    let (mut first, mut last) = (text.len(), state.at);
                    let mut taken: Vec<Range<usize>> = Vec::new();
                    let mut next = Some(directive);
                    while let Some(directive) = next.filter(|d| d.kind == Kind::Unordered) {
                        let found = state.find_free(directive, &taken)?;
                        first = first.min(found.start);
                        last = last.max(found.end);
                        taken.push(found);
                        next = self.directives.get(i);
                        i += usize::from(next.is_some_and(|d| d.kind == Kind::Unordered));
                    }
                    state.advance(first..last)?;
                }
            }
        }
        let rest = state.at..text.len();
        state.refuse(rest)
    }
}

/// What a name stands for.
enum Var {
    /// An expression that `regex:` defined.
    Pattern(String),
    /// Text that a pattern matched.
    Text(String),
}

struct State<'a> {
    text: &'a str,
    vars: BTreeMap<String, Var>,
    /// End of the last match.
    at: usize,
    /// `not:` directives since the last match.
    nots: Vec<(Regex, Directive)>,
}

impl State<'_> {
    fn line_end(&self, at: usize) -> usize {
        self.text[at..].find('\n').map_or(self.text.len(), |n| at + n)
    }

    fn define(&mut self, directive: &Directive) -> Result<(), Mismatch> {
        let fail = |message: String| Mismatch { line: directive.line, message };
        let Some((name, pattern)) = directive.pattern.split_once('=') else {
            return Err(fail(format!("`regex: {}` is not of the form NAME=EXPRESSION", directive.pattern)));
        };
        let (name, pattern) = (name.trim(), pattern.trim());
        if !is_name(name) {
            return Err(fail(format!("'{name}' is not a variable's name")));
        }
        Regex::new(pattern).map_err(|e| fail(format!("`{pattern}`: {e}")))?;
        self.vars.insert(name.to_owned(), Var::Pattern(pattern.to_owned()));
        Ok(())
    }

    /// The expression of a directive, and the names that it defines: group `n + 1` holds name `n`.
    fn compile(&self, directive: &Directive) -> Result<(Regex, Vec<String>), Mismatch> {
        let fail = |message: String| Mismatch { line: directive.line, message };
        let pattern = directive.pattern.as_str();
        if pattern.is_empty() {
            return Err(fail("the directive has no pattern".into()));
        }
        let is_word = |c: char| c.is_ascii_alphanumeric() || c == '_';
        let mut out = String::from("(?m)");
        let mut names = Vec::new();
        if pattern.starts_with(is_word) {
            out.push_str(r"\b");
        }
        let mut rest = pattern;
        while let Some(dollar) = rest.find('$') {
            out.push_str(&regex::escape(&rest[..dollar]));
            rest = &rest[dollar + 1..];
            if let Some(after) = rest.strip_prefix('$') {
                out.push_str(r"\$");
                rest = after;
            } else if let Some(after) = rest.strip_prefix('(') {
                let end = closing(after).ok_or_else(|| fail(format!("unclosed `$({after}`")))?;
                let inside = &after[..end];
                rest = &after[end + 1..];
                match inside.split_once('=') {
                    None if inside.is_empty() => {}
                    None => out.push_str(&self.value(inside).map_err(fail)?),
                    Some((name, expression)) => {
                        let expression = match expression.strip_prefix('$') {
                            Some(var) if is_name(var) => self.value(var).map_err(fail)?,
                            _ => format!("(?:{expression})"),
                        };
                        if name.is_empty() {
                            out.push_str(&expression);
                        } else if is_name(name) {
                            names.push(name.to_owned());
                            out.push_str(&format!("(?P<windlass{}>{expression})", names.len()));
                        } else {
                            return Err(fail(format!("'{name}' is not a variable's name")));
                        }
                    }
                }
            } else {
                let end = rest.find(|c| !is_word(c)).unwrap_or(rest.len());
                out.push_str(&self.value(&rest[..end]).map_err(fail)?);
                rest = &rest[end..];
            }
        }
        out.push_str(&regex::escape(rest));
        // A name at the end is no text at the end.
        if rest.ends_with(is_word) {
            out.push_str(r"\b");
        }
        let regex = Regex::new(&out).map_err(|e| fail(format!("`{pattern}`: {e}")))?;
        Ok((regex, names))
    }

    fn value(&self, name: &str) -> Result<String, String> {
        match self.vars.get(name) {
            Some(Var::Pattern(pattern)) => Ok(format!("(?:{pattern})")),
            Some(Var::Text(text)) => Ok(regex::escape(text)),
            None if name.is_empty() => Err("a dollar sign that is meant as such is written `$$`".into()),
            None => Err(format!("variable ${name} is not defined")),
        }
    }

    fn find(
        &mut self,
        directive: &Directive,
        range: Range<usize>,
        place: &str,
    ) -> Result<Range<usize>, Mismatch> {
        let (regex, names) = self.compile(directive)?;
        // The search sees what stands before the range, for word boundaries.
        let found = regex.captures_at(&self.text[..range.end], range.start);
        let Some(found) = found else {
            let message = format!("`{}` is not {place}{}", directive.pattern, self.known());
            return Err(Mismatch { line: directive.line, message });
        };
        for (i, name) in names.iter().enumerate() {
            let text = found.name(&format!("windlass{}", i + 1)).map_or("", |m| m.as_str());
            self.vars.insert(name.clone(), Var::Text(text.to_owned()));
        }
        Ok(found.get(0).map_or(range.start..range.start, |m| m.range()))
    }

    /// A match after the last one that meets none of `taken`.
    fn find_free(&mut self, directive: &Directive, taken: &[Range<usize>]) -> Result<Range<usize>, Mismatch> {
        let mut start = self.at;
        loop {
            let found = self.find(directive, start..self.text.len(), "after the last match")?;
            match taken.iter().find(|other| found.start < other.end && other.start < found.end) {
                Some(other) => start = other.end.max(start + 1),
                None => return Ok(found),
            }
            if start > self.text.len() || !self.text.is_char_boundary(start) {
                let message = format!("`{}` is not after the last match", directive.pattern);
                return Err(Mismatch { line: directive.line, message });
            }
        }
    }

    fn known(&self) -> String {
        let mut out = String::new();
        for (name, var) in &self.vars {
            if let Var::Text(text) = var {
                out.push_str(&format!("{} ${name} = {text}", if out.is_empty() { ";" } else { "," }));
            }
        }
        out
    }

    fn advance(&mut self, found: Range<usize>) -> Result<(), Mismatch> {
        self.refuse(self.at..found.start.max(self.at))?;
        self.at = found.end;
        Ok(())
    }

    fn refuse(&mut self, range: Range<usize>) -> Result<(), Mismatch> {
        for (regex, directive) in self.nots.drain(..) {
            if let Some(found) = regex.find_at(&self.text[..range.end], range.start) {
                let line = self.text[..found.start()].matches('\n').count() + 1;
                let message =
                    format!("`{}` must not match, and does on line {line} of the output", directive.pattern);
                return Err(Mismatch { line: directive.line, message });
            }
        }
        Ok(())
    }
}

fn is_name(s: &str) -> bool {
    s.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
        && s.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
}

/// The index of the parenthesis that closes what is before it.
fn closing(s: &str) -> Option<usize> {
    let mut depth = 0;
    let mut escaped = false;
    for (i, c) in s.char_indices() {
        match c {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            '(' => depth += 1,
            ')' if depth == 0 => return Some(i),
            ')' => depth -= 1,
            _ => {}
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(directives: &str, text: &str) -> Result<(), String> {
        let parsed = directives
            .lines()
            .enumerate()
            .map(|(i, l)| Directive::parse(l, i as u32 + 1).unwrap_or_else(|| panic!("no directive: {l}")));
        Checker::new(parsed.collect()).check(text).map_err(|m| m.to_string())
    }

    const TEXT: &str =
        "function %f(i32) -> i32 {\nblock0(v0: i32):\n    v1 = iadd v0, v0\n    return v1\n}\n";

    #[test]
    fn checks_match_in_order() {
        assert_eq!(check("check: block0\ncheck: iadd\nnextln: return", TEXT), Ok(()));
        assert!(check("check: iadd\ncheck: block0", TEXT).unwrap_err().starts_with("line 2: "));
    }

    #[test]
    fn same_line_and_next_line_stay_on_their_lines() {
        assert_eq!(check("check: v1 =\nsameln: v0, v0", TEXT), Ok(()));
        assert!(check("check: v1 =\nsameln: return", TEXT).is_err());
        assert!(check("check: block0\nnextln: return", TEXT).is_err());
    }

    #[test]
    fn words_match_whole() {
        assert!(check("check: add", TEXT).is_err());
        assert_eq!(check("check: $()add", TEXT), Ok(()));
        assert!(check("check: retur", TEXT).is_err());
        assert_eq!(check("check: retur$()", TEXT), Ok(()));
    }

    #[test]
    fn variables_bind_and_are_matched_again() {
        assert_eq!(check("regex: V=v\\d+\ncheck: $(x=$V) = iadd\nnextln: return $x", TEXT), Ok(()));
        let err = check("check: $(x=v\\d) = iadd $(y=v\\d), $y\nnextln: return $y", TEXT).unwrap_err();
        assert_eq!(err, "line 1: variable $y is not defined");
        let err = check("check: $(x=v\\d) = iadd $(y=v\\d)\nnextln: return $y", TEXT).unwrap_err();
        assert_eq!(err, "line 2: `return $y` is not on the next line; $x = v1, $y = v0");
    }

    #[test]
    fn unordered_patterns_take_different_text() {
        assert_eq!(check("unordered: return\nunordered: iadd\ncheck: }", TEXT), Ok(()));
        assert!(check("unordered: iadd\nunordered: iadd", TEXT).is_err());
        assert!(check("unordered: return\nunordered: iadd\ncheck: iadd", TEXT).is_err());
    }

    #[test]
    fn not_looks_between_its_neighbours() {
        assert_eq!(check("check: block0\nnot: return\ncheck: iadd", TEXT), Ok(()));
        assert!(check("check: block0\nnot: iadd\ncheck: return", TEXT).is_err());
        assert!(check("not: return", TEXT).is_err());
        assert_eq!(check("check: return\nnot: return", TEXT), Ok(()));
    }

    #[test]
    fn dollar_signs_and_bad_patterns() {
        assert_eq!(check("check: a$$b", "a$b"), Ok(()));
        assert!(check("check: $(", TEXT).is_err());
        assert!(check("regex: 1=x", TEXT).is_err());
        assert!(check("check: $(x=[)", TEXT).is_err());
        assert!(check("check:", TEXT).is_err());
    }
}
