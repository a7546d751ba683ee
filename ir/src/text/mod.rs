//! The text of the language, in and out.
//!
//! [`parse_function`] and [`parse_functions`] read functions, [`parse_test_file`] reads a filetest with its header and
//! directives, [`parse_run_command`] reads a `; run:` directive. Functions print with `Display`; [`write_function`]
//! lets a tool add lines of its own. What is printed parses again and prints to the same text.
//!
//! Out: a [`Function`](crate::Function) whose values all have types, and a [`SourceMap`] that says where its parts
//! stand. The parser checks what it must to build that: names, numbers of operands and results, that everything used is
//! defined, and that a type can be found for every value. All else is the verifier's.
//!
//! **Numbers.** Entities keep the numbers that the text gives them. Tables are dense, so numbers far beyond what the
//! text can fill would cost memory without bound; if a function's largest number of a kind exceeds four times its
//! tokens by more than 4096 (less after a million such gaps in one text), that kind is numbered anew, in the same order.
//! Gaps in the numbering of a preamble are filled with entities that nothing refers to: slots of no size,
//! symbols and functions `u4294967295:N`, empty signatures, constants and regions.
//!
//! **Cost.** Linear in the length of the text, in time and in memory (n log n where numbers are sparse).

mod data_value;
mod error;
mod floats;
mod ints;
mod lexer;
mod parser;
mod run_command;
mod source_map;
mod testfile;
mod writer;

#[cfg(test)]
mod tests;

pub use crate::entities::AnyEntity;
pub use data_value::parse_data_value;
pub use error::{ParseError, Span, line_column};
pub use parser::{ParseOptions, ParsedFunction, parse_function, parse_functions, parse_functions_with};
pub use run_command::{Expectation, Invocation, RunCommand, parse_run_command};
pub use source_map::SourceMap;
pub use testfile::{Comment, Setting, TargetLine, TestCommand, TestFile, TestFunction, parse_test_file};
pub use writer::{Annotator, DisplayInst, PlainText, write_function};
