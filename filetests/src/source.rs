//! A test file, read: header, functions, and what the comments say.

use crate::filecheck::Directive;
use crate::golden::{self, Block};
use std::collections::BTreeMap;
use std::fmt;
use std::ops::Range;
use windlass::ir::text::{
    self, Expectation, Invocation, ParseError, ParseOptions, RunCommand, SourceMap, Span,
};
use windlass::ir::{AnyEntity, DataValue, ExternalName, Function, Inst, Signature, TrapCode, Type};

/// A `test` line.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct CommandLine {
    /// The command.
    pub name: String,
    /// The words behind it.
    pub options: Vec<String>,
    /// The line, from 1.
    pub line: u32,
}

/// A setting of a `set` line.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct SettingLine {
    /// What is set.
    pub name: String,
    /// To what.
    pub value: Option<String>,
    /// The line, from 1.
    pub line: u32,
}

/// A `target` line.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct TargetLine {
    /// Its words after the first, with single spaces between.
    pub spec: String,
    /// The line, from 1.
    pub line: u32,
}

/// What a run line expects.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Expect {
    /// Nothing: the results are to be shown.
    Print,
    /// One integer that is not 0.
    NonZero,
    /// These results, bit by bit.
    Equal(Vec<DataValue>),
    /// Other results than these.
    NotEqual(Vec<DataValue>),
    /// A trap with this code.
    Traps(TrapCode),
}

impl fmt::Display for Expect {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        use crate::execute::Values;
        match self {
            Expect::Print => f.write_str("anything"),
            Expect::NonZero => f.write_str("an integer that is not 0"),
            Expect::Equal(values) => Values(values).fmt(f),
            Expect::NotEqual(values) => write!(f, "not {}", Values(values)),
            Expect::Traps(code) => write!(f, "traps {code}"),
        }
    }
}

/// A `; run:` or `; print:` line.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct RunLine {
    /// The line, from 1.
    pub line: u32,
    /// The comment, without its semicolon.
    pub text: String,
    /// The function to call.
    pub function: ExternalName,
    /// Its arguments.
    pub args: Vec<DataValue>,
    /// What is expected.
    pub expect: Expect,
}

impl RunLine {
    fn new(line: u32, text: &str, command: RunCommand) -> RunLine {
        let (Invocation { func, args }, expect) = match command {
            RunCommand::Print(invocation) => (invocation, Expect::Print),
            RunCommand::Run(invocation, expectation) => {
                let expect = match expectation {
                    Expectation::Equals(values) => Expect::Equal(values),
                    Expectation::NotEquals(values) => Expect::NotEqual(values),
                    Expectation::Traps(code) => Expect::Traps(code),
                    Expectation::BareNonZero => Expect::NonZero,
                };
                (invocation, expect)
            }
        };
        let text = text.trim_start_matches(';').trim().to_owned();
        RunLine { line, text, function: func, args, expect }
    }

    /// The call: `%f(1, 2)`.
    pub fn call(&self) -> String {
        let args: Vec<_> = self.args.iter().map(DataValue::to_string).collect();
        format!("{}({})", self.function, args.join(", "))
    }
}

/// A function of a file.
#[derive(Clone, Debug)]
pub struct SourceFunction {
    /// The function.
    pub function: Function,
    /// Where its parts stand in the file.
    pub source_map: SourceMap,
    /// `; check:` and its kin.
    pub directives: Vec<Directive>,
    /// `; run:` and `; print:` lines.
    pub runs: Vec<RunLine>,
    /// `; error:` comments: line from 1, text.
    pub expected_errors: Vec<(u32, String)>,
    /// Golden blocks.
    pub goldens: Vec<Block>,
    /// Lines from 0, from the one behind the closing brace to the next function.
    pub behind: Range<usize>,
    first_line: u32,
}

impl SourceFunction {
    /// The line of the word `function`, from 1.
    pub fn first_line(&self) -> u32 {
        self.first_line
    }

    /// The line of the closing brace, from 1.
    pub fn last_line(&self) -> u32 {
        self.behind.start as u32
    }

    /// Where a part stands; the function's first line if nowhere.
    pub fn span(&self, part: impl Into<AnyEntity>) -> Span {
        self.source_map.span(part).unwrap_or(self.source_map.function)
    }

    /// Where the name stands.
    pub fn name_span(&self) -> Span {
        self.source_map.name
    }
}

/// Line starts of a text, to find lines fast.
#[derive(Clone, Debug, Default)]
struct Lines {
    starts: Vec<u32>,
}

impl Lines {
    fn new(text: &str) -> Lines {
        let newlines = text.bytes().zip(1..).filter(|(b, _)| *b == b'\n').map(|(_, next)| next);
        Lines { starts: std::iter::once(0).chain(newlines).collect() }
    }

    /// Line of a byte, from 1, and the byte in the line, from 1.
    fn at(&self, offset: u32) -> (u32, u32) {
        let line = self.starts.partition_point(|&start| start <= offset);
        let start = self.starts.get(line.wrapping_sub(1)).copied().unwrap_or(0);
        (line as u32, offset - start + 1)
    }
}

/// A test file.
#[derive(Clone, Debug, Default)]
pub struct SourceFile {
    /// `test` lines.
    pub commands: Vec<CommandLine>,
    /// `set` lines.
    pub settings: Vec<SettingLine>,
    /// `target` lines.
    pub targets: Vec<TargetLine>,
    /// The functions.
    pub functions: Vec<SourceFunction>,
    lines: Lines,
}

impl SourceFile {
    /// Reads a file.
    ///
    /// # Errors
    /// The first syntax error, in a directive too.
    pub fn parse(text: &str) -> Result<SourceFile, ParseError> {
        SourceFile::parse_for(text, None)
    }

    /// Reads a file whose older spellings of stack accesses mean addresses of this type.
    ///
    /// # Errors
    /// The first syntax error, in a directive too.
    pub fn parse_for(text: &str, address_type: Option<Type>) -> Result<SourceFile, ParseError> {
        let options = ParseOptions { address_type, ..ParseOptions::default() };
        let parsed = text::parse_test_file(text, &options)?;
        let lines = Lines::new(text);
        let line_of = |span: Span| lines.at(span.start).0;
        let commands = parsed.commands.iter().map(|c| CommandLine {
            name: c.name.to_owned(),
            options: c.options.iter().map(|&o| o.to_owned()).collect(),
            line: line_of(c.span),
        });
        let settings = parsed.settings.iter().map(|s| SettingLine {
            name: s.name.to_owned(),
            value: s.value.map(str::to_owned),
            line: line_of(s.span),
        });
        let targets = parsed.targets.iter().map(|t| TargetLine {
            spec: std::iter::once(t.name).chain(t.flags.iter().copied()).collect::<Vec<_>>().join(" "),
            line: line_of(t.span),
        });
        let (commands, settings, targets) = (commands.collect(), settings.collect(), targets.collect());

        let signatures: BTreeMap<ExternalName, Signature> =
            parsed.functions.iter().map(|f| (f.func.name.clone(), f.func.signature.clone())).collect();
        let text_lines: Vec<&str> = text.lines().collect();
        let starts: Vec<usize> = parsed.functions.iter().map(|f| line_of(f.span) as usize - 1).collect();
        let mut functions = Vec::with_capacity(parsed.functions.len());
        for (n, func) in parsed.functions.into_iter().enumerate() {
            let last_line = lines.at(func.span.end.saturating_sub(1)).0 as usize;
            let end = starts.get(n + 1).copied().unwrap_or(text_lines.len()).max(last_line);
            let behind = last_line..end;
            let goldens = golden::blocks(&text_lines, behind.clone());
            let mut out = SourceFunction {
                directives: Vec::new(),
                runs: Vec::new(),
                expected_errors: Vec::new(),
                goldens,
                behind,
                first_line: starts[n] as u32 + 1,
                function: func.func,
                source_map: func.source_map,
            };
            for comment in &func.comments {
                let line = line_of(comment.span);
                if out.goldens.iter().any(|block| block.lines.contains(&(line as usize - 1))) {
                    continue;
                }
                let body = comment.text.trim_start_matches(';').trim();
                if let Some(directive) = Directive::parse(body, line) {
                    out.directives.push(directive);
                } else if let Some(message) = body.strip_prefix("error:") {
                    out.expected_errors.push((line, message.trim().to_owned()));
                } else {
                    let command = text::parse_run_command(comment.text, &out.function.name, |name| {
                        signatures.get(name)
                    })
                    .map_err(|e| e.within(text, comment.span.start))?;
                    if let Some(command) = command {
                        out.runs.push(RunLine::new(line, comment.text, command));
                    }
                }
            }
            functions.push(out);
        }
        Ok(SourceFile { commands, settings, targets, functions, lines })
    }

    /// Line and column of a span, from 1.
    pub fn place_of(&self, span: Span) -> (u32, u32) {
        self.lines.at(span.start)
    }

    /// Line and column of a part of a function, from 1.
    pub fn place(&self, func: &SourceFunction, part: impl Into<AnyEntity>) -> (u32, u32) {
        self.place_of(func.span(part))
    }

    /// Line and column of an instruction, from 1.
    pub fn inst_place(&self, func: &SourceFunction, inst: Inst) -> (u32, u32) {
        self.place(func, inst)
    }

    /// The signature of a function of the file.
    pub fn signature(&self, name: &ExternalName) -> Option<&Signature> {
        self.functions.iter().find(|f| f.function.name == *name).map(|f| &f.function.signature)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FILE: &str = "\
test run
test compile precise-output
set opt_level=none
target armv7hf idiv
set regalloc_checker

function %f(i32) -> i32 {
block0(v0: i32):
    v1 = iadd v0, v0 ; error: not at all
    return v1
}
; run: %f(2) == 4
; print: %g()
; check: iadd
;; armv7hf idiv
; add r0, r0, r0
; run: %f(1) == 2

; The next one.
function %g() -> i8 { block0: v0 = iconst.i8 1 return v0 }
; run
";

    #[test]
    fn directives_belong_to_the_function_before_them() {
        let file = SourceFile::parse(FILE).unwrap();
        assert_eq!(file.commands[1].options, ["precise-output"]);
        assert_eq!(file.targets[0].spec, "armv7hf idiv");
        assert_eq!((file.settings[0].line, file.targets[0].line, file.settings[1].line), (3, 4, 5));
        let f = &file.functions[0];
        let runs: Vec<_> = f.runs.iter().map(|r| (r.line, r.text.as_str(), r.call())).collect();
        assert_eq!(runs[0], (12, "run: %f(2) == 4", "%f(2)".into()));
        assert_eq!(runs[1], (13, "print: %g()", "%g()".into()));
        assert_eq!(runs[2].0, 17);
        assert_eq!(f.expected_errors, [(9, "not at all".into())]);
        assert_eq!(f.directives.len(), 1);
        assert_eq!(f.goldens[0].text, "add r0, r0, r0\n");
        assert_eq!((f.first_line(), f.last_line()), (7, 11));
        let g = &file.functions[1];
        assert_eq!(g.runs[0].expect, Expect::NonZero);
        assert_eq!((g.first_line(), g.last_line()), (20, 20));
    }

    #[test]
    fn errors_in_directives_have_places() {
        let error = SourceFile::parse(&FILE.replace("%f(2) == 4", "%f(2, 3) == 4")).unwrap_err();
        assert_eq!(error.line, 12);
    }
}
