//! Filetests: a header of commands, settings and targets, then functions with directives in comments.
//!
//! The header is read line by line, up to the first line that begins with `function`: `test COMMAND OPTIONS…`,
//! `set NAME[=VALUE]…`, `target NAME FLAGS…`, `feature NAME`. A comment belongs to the function before it, and within it to
//! the part that begins last before it; comments before the first function belong to the file.

use super::error::{ParseError, Span};
use super::lexer::Kind;
use super::parser::{ParseOptions, Parser};
use super::source_map::SourceMap;
use crate::entities::AnyEntity;
use crate::function::Function;
use crate::types::{self, Type};
use alloc::format;
use alloc::vec::Vec;

/// `test NAME OPTIONS…`
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct TestCommand<'a> {
    /// The command's name.
    pub name: &'a str,
    /// The words behind it.
    pub options: Vec<&'a str>,
    /// The line.
    pub span: Span,
}

/// A setting of a `set` line.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Setting<'a> {
    /// What is set.
    pub name: &'a str,
    /// To what; `None` turns a switch on.
    pub value: Option<&'a str>,
    /// The setting's words.
    pub span: Span,
}

/// A `target` line.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct TargetLine<'a> {
    /// A target's name, or a triple.
    pub name: &'a str,
    /// The target's own flags: the words behind it.
    pub flags: Vec<&'a str>,
    /// How many of the file's settings stand before the line: those hold for it.
    pub settings: usize,
    /// The line.
    pub span: Span,
}

/// A comment.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Comment<'a> {
    /// Its text, from `;` to the end of the line.
    pub text: &'a str,
    /// Where it stands.
    pub span: Span,
    /// What it is about: the part of the function that begins last before it.
    pub entity: AnyEntity,
}

/// A function of a test file.
#[derive(Clone, Debug)]
pub struct TestFunction<'a> {
    /// The function.
    pub func: Function,
    /// Where its parts stand in the file.
    pub source_map: SourceMap,
    /// The comments in it and behind it, up to the next function.
    pub comments: Vec<Comment<'a>>,
    /// From its word to its closing brace.
    pub span: Span,
}

/// A test file.
#[derive(Clone, Debug, Default)]
pub struct TestFile<'a> {
    /// The `test` lines.
    pub commands: Vec<TestCommand<'a>>,
    /// The settings of all `set` lines.
    pub settings: Vec<Setting<'a>>,
    /// The `target` lines.
    pub targets: Vec<TargetLine<'a>>,
    /// The `feature` lines, without the word.
    pub features: Vec<&'a str>,
    /// The comments before the first function.
    pub preamble_comments: Vec<Comment<'a>>,
    /// The functions.
    pub functions: Vec<TestFunction<'a>>,
}

impl<'a> TestFile<'a> {
    /// The settings that hold for a target of this file; cumulative.
    pub fn settings_of(&self, target: &TargetLine<'_>) -> &[Setting<'a>] {
        self.settings.get(..target.settings).unwrap_or(&self.settings)
    }
}

/// Reads a test file. A file without any header is one of functions only.
pub fn parse_test_file<'a>(text: &'a str, options: &ParseOptions) -> Result<TestFile<'a>, ParseError> {
    // The parser refuses texts whose offsets do not fit 32 bits; so does the header's reader.
    if text.len() >= u32::MAX as usize {
        return Parser::new(text, text.len(), *options).map(|_| TestFile::default());
    }
    let mut file = TestFile::default();
    let start = file.header(text)?;
    let address_type = options.address_type.or_else(|| file.targets.first().map(|t| address_type_of(t.name)));
    let mut parser = Parser::new(text, start, ParseOptions { address_type, ..*options })?;
    while parser.peek().kind != Kind::Eof {
        let parsed = parser.function()?;
        let span = parsed.source_map.function;
        let (func, source_map) = (parsed.function, parsed.source_map);
        file.functions.push(TestFunction { func, source_map, comments: Vec::new(), span });
    }
    file.attach_comments(text, &parser.comments);
    Ok(file)
}

/// The type of addresses on a target, by its name alone.
fn address_type_of(name: &str) -> Type {
    let known: Option<target_lexicon::PointerWidth> =
        name.parse::<target_lexicon::Triple>().ok().and_then(|triple| triple.pointer_width().ok());
    match known {
        Some(width) if width.bits() <= 32 => types::I32,
        Some(_) => types::I64,
        None if name.starts_with("arm") || name.starts_with("thumb") => types::I32,
        None => types::I64,
    }
}

impl<'a> TestFile<'a> {
    /// Reads the header; returns where the functions begin.
    fn header(&mut self, text: &'a str) -> Result<usize, ParseError> {
        let mut at = text.len() - text.trim_start_matches('\u{feff}').len();
        while at < text.len() {
            let line_end = text[at..].find('\n').map_or(text.len(), |n| at + n);
            let line = &text[at..line_end];
            let (code, comment) = match line.find(';') {
                Some(n) => (&line[..n], Some(n)),
                None => (line, None),
            };
            let indent = code.len() - code.trim_start().len();
            let code = code.trim();
            let start = at + indent;
            let mut words = code.split_ascii_whitespace();
            let span_of = |part: &str| {
                let from = part.as_ptr() as usize - text.as_ptr() as usize;
                Span::new(from as u32, (from + part.len()) as u32)
            };
            let need = |word: Option<&'a str>, what: &str| {
                word.ok_or_else(|| ParseError::new(text, span_of(code), format!("expected {what}")))
            };
            match words.next() {
                None => {}
                Some("function") => return Ok(start),
                Some("test") => {
                    let name = need(words.next(), "a test command")?;
                    self.commands.push(TestCommand { name, options: words.collect(), span: span_of(code) });
                }
                Some("set") => {
                    let before = self.settings.len();
                    for word in words {
                        let (name, value) = match word.split_once('=') {
                            Some((name, value)) => (name, Some(value)),
                            None => (word, None),
                        };
                        self.settings.push(Setting { name, value, span: span_of(word) });
                    }
                    if self.settings.len() == before {
                        return Err(ParseError::new(text, span_of(code), "expected a setting"));
                    }
                }
                Some("target") => {
                    let name = need(words.next(), "a target")?;
                    let (flags, settings) = (words.collect(), self.settings.len());
                    self.targets.push(TargetLine { name, flags, settings, span: span_of(code) });
                }
                Some("feature") => {
                    need(words.next(), "a feature")?;
                    self.features.push(code["feature".len()..].trim());
                }
                Some(word) if word.starts_with("function") => return Ok(start),
                Some(word) => {
                    let message =
                        format!("expected `test`, `set`, `target`, `feature` or `function`, found `{word}`");
                    return Err(ParseError::new(text, span_of(word), message));
                }
            }
            if let Some(n) = comment {
                let comment = line[n..].trim_end_matches('\r');
                let span = Span::new((at + n) as u32, (at + n + comment.len()) as u32);
                self.preamble_comments.push(Comment { text: comment, span, entity: AnyEntity::Function });
            }
            at = line_end + 1;
        }
        Ok(text.len())
    }

    /// Gives comments to the functions before them.
    fn attach_comments(&mut self, text: &'a str, comments: &[Span]) {
        let mut comments = comments.iter().copied().peekable();
        let mut starts: Vec<(Span, AnyEntity)> = Vec::new();
        let next_starts: Vec<u32> =
            self.functions.iter().skip(1).map(|f| f.span.start).chain([u32::MAX]).collect();
        for (function, next) in self.functions.iter_mut().zip(next_starts) {
            if comments.peek().is_none_or(|c| c.start >= next) {
                continue;
            }
            starts.clear();
            function.source_map.for_each(|span, entity| starts.push((span, entity)));
            // Parts that begin at the same place: the last one made.
            starts.sort_by_key(|&(span, _)| span.start);
            let mut part = 0;
            while let Some(span) = comments.next_if(|c| c.start < next) {
                while starts.get(part).is_some_and(|(s, _)| s.start < span.start) {
                    part += 1;
                }
                let inside = span.start < function.span.end && part > 0;
                let entity = if inside { starts[part - 1].1 } else { AnyEntity::Function };
                function.comments.push(Comment { text: span.of(text), span, entity });
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::entities::{Block, Inst, SigRef};
    use crate::opcode::Opcode;
    use alloc::string::ToString;

    const FILE: &str = "\u{feff}test run ; here\r
test compile precise-output
set opt_level=speed  enable_probestack
target armv7hf neon
set regalloc_checker
  target powerpc64-unknown-linux-gnu has_x=1 has_y
feature \"std\"

; about the file
function %f(i32) -> i32 system_v { ; a
    ; b
    sig0 = () system_v ; c
block0(v0: i32): ; d
    v1 = stack_add v0, v0 ; e
";

    fn file() -> alloc::string::String {
        FILE.replace("stack_add", "iadd")
            + "    ; f\n    return v1\n} ; g\n; run: %f(1) == 2\n\nfunction %g() { block0: trap user1 }\n;h"
    }

    #[test]
    fn headers() {
        let text = file();
        let file = parse_test_file(&text, &ParseOptions::default()).unwrap();
        let names: Vec<_> =
            file.commands.iter().map(|c| (c.name, c.options.clone(), c.span.of(&text))).collect();
        assert_eq!(
            names,
            [
                ("run", alloc::vec![], "test run"),
                ("compile", alloc::vec!["precise-output"], "test compile precise-output")
            ]
        );
        let settings: Vec<_> = file.settings.iter().map(|s| (s.name, s.value, s.span.of(&text))).collect();
        assert_eq!(
            settings,
            [
                ("opt_level", Some("speed"), "opt_level=speed"),
                ("enable_probestack", None, "enable_probestack"),
                ("regalloc_checker", None, "regalloc_checker"),
            ]
        );
        assert_eq!(file.targets[0].name, "armv7hf");
        assert_eq!(file.settings_of(&file.targets[0]).len(), 2);
        assert_eq!(file.targets[1].flags, ["has_x=1", "has_y"]);
        assert_eq!(file.settings_of(&file.targets[1]).len(), 3);
        assert_eq!(file.features, ["\"std\""]);
        let comments: Vec<_> = file.preamble_comments.iter().map(|c| c.text).collect();
        assert_eq!(comments, ["; here", "; about the file"]);
    }

    #[test]
    fn comments_belong_to_what_begins_before_them() {
        let text = file();
        let file = parse_test_file(&text, &ParseOptions::default()).unwrap();
        let found: Vec<_> = file.functions[0].comments.iter().map(|c| (c.text, c.entity)).collect();
        let add = Inst::from_u32(0);
        assert_eq!(
            found,
            [
                ("; a", AnyEntity::Function),
                ("; b", AnyEntity::Function),
                ("; c", SigRef::from_u32(0).into()),
                ("; d", Block::from_u32(0).into()),
                ("; e", add.into()),
                ("; f", add.into()),
                ("; g", AnyEntity::Function),
                ("; run: %f(1) == 2", AnyEntity::Function),
            ]
        );
        assert!(file.functions[0].comments.iter().all(|c| c.span.of(&text) == c.text));
        assert_eq!(file.functions[1].comments.len(), 1);
        assert_eq!(file.functions[0].source_map.span(add).unwrap().of(&text), "v1 = iadd v0, v0");
        assert_eq!(file.functions[1].span.of(&text), "function %g() { block0: trap user1 }");
    }

    #[test]
    fn faults_have_places() {
        for (text, message) in [
            ("test\n", "1:1: expected a test command"),
            ("test cat\nset", "2:1: expected a setting"),
            (" target ", "1:2: expected a target"),
            (
                "test cat\nfoo bar",
                "2:1: expected `test`, `set`, `target`, `feature` or `function`, found `foo`",
            ),
            ("test cat\nfunction %f() { }\nset x", "3:1: expected `function`, found `set`"),
        ] {
            let error = parse_test_file(text, &ParseOptions::default()).unwrap_err();
            assert_eq!(error.to_string(), message);
        }
        assert!(parse_test_file("", &ParseOptions::default()).unwrap().functions.is_empty());
    }

    #[test]
    fn targets_say_how_wide_old_stack_accesses_address() {
        for (target, ty) in [
            ("armv7hf", types::I32),
            ("arm-unknown-linux-gnueabihf", types::I32),
            ("ppc64", types::I64),
            ("interp", types::I64),
        ] {
            let text = format!(
                "target {target}\nfunction %f() {{ ss0 = explicit_slot 4\nblock0:\n v0 = stack_load.i32 ss0\n return }}"
            );
            let file = parse_test_file(&text, &ParseOptions::default()).unwrap();
            let func = &file.functions[0].func;
            assert_eq!(func.dfg.opcode(Inst::from_u32(0)), Opcode::StackAddr);
            assert_eq!(func.dfg.ctrl_type(Inst::from_u32(0)), ty, "{target}");
        }
    }
}
