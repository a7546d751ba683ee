//! Run directives: what a comment asks to be called, and what is expected of it.
//!
//! | comment | meaning |
//! |---|---|
//! | `; run` | the function before it takes nothing, and its integer result is not 0 |
//! | `; run: %f(1, 2)` | the integer result is not 0 |
//! | `; run: %f(1, 2) == 3` | the result is this, bit by bit |
//! | `; run: %f(1, 2) == [3, 4]` | the results are these; `[]` for none |
//! | `; run: %f(1, 2) != 3` | the result is anything else |
//! | `; run: %f(1, 0) traps int_divz` | the call traps with this code |
//! | `; print: %f(1, 2)` | the results are to be shown |

use super::error::ParseError;
use super::lexer::Kind;
use super::parser::{ParseOptions, Parser};
use crate::data_value::DataValue;
use crate::extname::ExternalName;
use crate::signature::{AbiParam, Signature};
use crate::trapcode::TrapCode;
use alloc::format;
use alloc::vec::Vec;
use core::fmt;

/// A call of a function with values.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Invocation {
    /// What is called.
    pub func: ExternalName,
    /// What it is given.
    pub args: Vec<DataValue>,
}

/// What a call must give.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Expectation {
    /// These results, bit by bit.
    Equals(Vec<DataValue>),
    /// Results of which at least one differs from these in a bit.
    NotEquals(Vec<DataValue>),
    /// A trap with this code.
    Traps(TrapCode),
    /// One integer that is not 0.
    BareNonZero,
}

/// A run directive.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum RunCommand {
    /// Call, and show the results.
    Print(Invocation),
    /// Call, and compare.
    Run(Invocation, Expectation),
}

impl RunCommand {
    /// The call.
    pub fn invocation(&self) -> &Invocation {
        match self {
            RunCommand::Print(invocation) | RunCommand::Run(invocation, _) => invocation,
        }
    }
}

struct List<'a>(&'a [DataValue]);

impl fmt::Display for List<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0
            .iter()
            .enumerate()
            .try_for_each(|(i, value)| write!(f, "{}{value}", if i == 0 { "" } else { ", " }))
    }
}

impl fmt::Display for Invocation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}({})", self.func, List(&self.args))
    }
}

/// What follows the call, with a space before it.
impl fmt::Display for Expectation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Expectation::Equals(values) if values.len() == 1 => write!(f, " == {}", values[0]),
            Expectation::NotEquals(values) if values.len() == 1 => write!(f, " != {}", values[0]),
            Expectation::Equals(values) => write!(f, " == [{}]", List(values)),
            Expectation::NotEquals(values) => write!(f, " != [{}]", List(values)),
            Expectation::Traps(code) => write!(f, " traps {code}"),
            Expectation::BareNonZero => Ok(()),
        }
    }
}

/// The directive without `;`.
impl fmt::Display for RunCommand {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            RunCommand::Print(invocation) => write!(f, "print: {invocation}"),
            RunCommand::Run(invocation, expectation) => write!(f, "run: {invocation}{expectation}"),
        }
    }
}

/// Reads a run directive out of a comment, `;` included or not. `None` if the comment is something else.
///
/// `current` is the function that the comment follows, which a bare `run` means; `signature_of` finds the signatures
/// that give the types of arguments and results.
///
/// # Errors
///
/// Spans and lines are those of `text`; [`ParseError::within`] moves them into the file.
pub fn parse_run_command<'s>(
    text: &str,
    current: &ExternalName,
    signature_of: impl Fn(&ExternalName) -> Option<&'s Signature>,
) -> Result<Option<RunCommand>, ParseError> {
    let body = text.trim_start_matches([';', ' ', '\t']);
    let start = text.len() - body.len();
    let is_print = body.starts_with("print:");
    if body.trim_end() == "run" {
        let signature = signature_of(current);
        let invocation = Invocation { func: current.clone(), args: Vec::new() };
        if signature.is_some_and(|sig| !sig.params.is_empty()) {
            let span = super::Span::new(start as u32, text.len() as u32);
            return Err(ParseError::new(
                text,
                span,
                format!("{current} takes arguments: write `run: {current}(…)`"),
            ));
        }
        return Ok(Some(RunCommand::Run(invocation, Expectation::BareNonZero)));
    }
    if !is_print && !body.starts_with("run:") {
        return Ok(None);
    }
    let mut parser = Parser::new(text, start, ParseOptions::default())?;
    parser.bump();
    parser.bump();
    let name_token = parser.peek();
    let func = parser.external_name()?;
    let Some(signature) = signature_of(&func) else {
        let span = name_token.span().to(parser.previous().span());
        return Err(parser.error(span, format!("there is no function {func}")));
    };
    parser.expect(Kind::LParen, "`(` and arguments")?;
    let args = parser.values_of(&signature.params, Kind::RParen, "argument")?;
    let invocation = Invocation { func, args };
    if is_print {
        parser.expect_end()?;
        return Ok(Some(RunCommand::Print(invocation)));
    }
    let operator = parser.peek();
    let expectation = match operator.kind {
        Kind::Eof => Expectation::BareNonZero,
        Kind::Equal | Kind::Bang if parser.peek_at(1).kind == Kind::Equal => {
            parser.bump();
            parser.bump();
            let results = parser.expected_results(signature)?;
            if operator.kind == Kind::Equal {
                Expectation::Equals(results)
            } else {
                Expectation::NotEquals(results)
            }
        }
        Kind::Word if parser.is_word("traps") => {
            parser.bump();
            let token = parser.expect(Kind::Word, "a trap code")?;
            match TrapCode::from_name(parser.word(token)) {
                Some(code) => Expectation::Traps(code),
                None => return Err(parser.error(token.span(), "unknown trap code")),
            }
        }
        _ => return Err(parser.unexpected("`==`, `!=` or `traps`")),
    };
    parser.expect_end()?;
    Ok(Some(RunCommand::Run(invocation, expectation)))
}

impl Parser<'_> {
    /// Values of the types of `params`, with commas between, up to `close`.
    fn values_of(
        &mut self,
        params: &[AbiParam],
        close: Kind,
        what: &str,
    ) -> Result<Vec<DataValue>, ParseError> {
        let mut values = Vec::with_capacity(params.len());
        for (i, param) in params.iter().enumerate() {
            if i > 0 || self.is(close) {
                if self.is(close) {
                    return Err(self.unexpected(&format!(
                        "{} {what}s, of which number {} is {}",
                        params.len(),
                        i + 1,
                        param.value_type
                    )));
                }
                self.expect(Kind::Comma, "`,`")?;
            }
            values.push(self.data_value(param.value_type)?);
        }
        self.expect(close, &format!("the end of {} {what}s", params.len()))?;
        Ok(values)
    }

    /// `[2, 3]`, or one value without brackets.
    fn expected_results(&mut self, signature: &Signature) -> Result<Vec<DataValue>, ParseError> {
        let returns = &signature.returns;
        // One vector has brackets of its own.
        let listed = self.is(Kind::LBracket)
            && match returns.as_slice() {
                [one] if one.value_type.is_vector() => self.peek_at(1).kind == Kind::LBracket,
                _ => true,
            };
        if listed {
            self.bump();
            return self.values_of(returns, Kind::RBracket, "result");
        }
        match returns.as_slice() {
            [one] => Ok(alloc::vec![self.data_value(one.value_type)?]),
            _ => Err(self.unexpected(&format!("`[` and {} results", returns.len()))),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::text::parse_function;
    use alloc::string::{String, ToString};

    fn run(signature: &str, text: &str) -> Result<Option<RunCommand>, String> {
        let func = parse_function(&format!("function %f{signature} {{ block0: trap user1 }}")).unwrap();
        let find = |name: &ExternalName| (*name == func.name).then_some(&func.signature);
        parse_run_command(text, &func.name, find).map_err(|e| e.to_string())
    }

    fn shown(signature: &str, text: &str) -> String {
        run(signature, text).unwrap().unwrap().to_string()
    }

    #[test]
    fn directives() {
        assert_eq!(
            shown(
                "(i32, f64, f32, f32) -> i32, i64",
                "; run: %f(1, 0x2.0p3, -0.0, +NaN:0x1) == [2, 0xDEADBEEF_C0FFEEEE]"
            ),
            "run: %f(1, 0x1.0000000000000p4, -0.0, +NaN:0x1) == [2, -2401053089374146834]"
        );
        assert_eq!(shown("(i8) -> i8", ";run: %f(255)!=-128"), "run: %f(-1) != -128");
        assert_eq!(shown("(i8) -> i8", "; run: %f(1) == [1]"), "run: %f(1) == 1");
        assert_eq!(shown("(i8)", "; run: %f(1) == []"), "run: %f(1) == []");
        assert_eq!(
            shown("(i32, i32) -> i32", "; run: %f(1, 0) traps int_divz"),
            "run: %f(1, 0) traps int_divz"
        );
        assert_eq!(shown("() -> i8", "; run"), "run: %f()");
        assert_eq!(shown("() -> i8", "; run: %f()"), "run: %f()");
        assert_eq!(shown("() -> i8", ";; print: %f()"), "print: %f()");
        assert_eq!(
            shown("(i32x4) -> i32x4", "; run: %f([1 2 3 4]) == [1 2 3 4]"),
            "run: %f([1 2 3 4]) == [1 2 3 4]"
        );
        assert_eq!(shown("() -> i32x4, i8", "; run: %f() == [[1 2 3 4], 5]"), "run: %f() == [[1 2 3 4], 5]");
    }

    #[test]
    fn other_comments_are_none() {
        for text in ["; runs fast", "; check: run", "", "; running: %f()", "; printed"] {
            assert_eq!(run("()", text), Ok(None), "{text}");
        }
    }

    #[test]
    fn faults_have_places() {
        for (signature, text, message) in [
            ("(i8) -> i8", "; run: %f(256) == 1", "1:11: `256`: out of the range of i8"),
            ("(i8) -> i8", "; run: %g(1) == 1", "1:8: there is no function %g"),
            (
                "(i8) -> i8",
                "; run: %f() == 1",
                "1:11: expected 1 arguments, of which number 1 is i8, found `)`",
            ),
            ("(i8) -> i8", "; run: %f(1, 2) == 1", "1:12: expected the end of 1 arguments, found `,`"),
            ("(i8) -> i8", "; run: %f(1) = 1", "1:14: expected `==`, `!=` or `traps`, found `=`"),
            ("(i8) -> i8", "; run: %f(1) == 1 2", "1:19: expected the end of the text, found `2`"),
            ("(i8) -> i8", "; run: %f(1) traps boo", "1:20: unknown trap code"),
            ("(i8) -> i8, i8", "; run: %f(1) == 1", "1:17: expected `[` and 2 results, found `1`"),
            ("(i8) -> i8", "; run", "1:3: %f takes arguments: write `run: %f(…)`"),
        ] {
            assert_eq!(run(signature, text), Err(message.into()), "{text}");
        }
    }
}
