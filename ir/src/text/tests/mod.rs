//! Tests of the text as a whole: what is read, what is refused, and that what is printed reads back.

mod errors;
mod layout;
mod mutations;
mod older;
mod opcodes;

use super::*;
use alloc::string::{String, ToString};

/// Parses and prints `text`, and checks that the print parses and prints the same.
fn reprint(text: &str) -> String {
    let func = parse_function(text).unwrap_or_else(|e| panic!("{e}\n{text}"));
    let printed = func.to_string();
    let again = parse_function(&printed).unwrap_or_else(|e| panic!("{e}\n{printed}"));
    assert_eq!(again.to_string(), printed, "of\n{text}");
    printed
}

/// Checks that `text` prints as it stands.
#[track_caller]
fn prints_as_is(text: &str) {
    pretty_assertions::assert_eq!(reprint(text), text);
}
