//! Places in the text, and errors that name one.

use alloc::string::{String, ToString};
use core::fmt;
use core::ops::Range;

/// A range of bytes of the text: `start` is in it, `end` is not.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Hash, PartialOrd, Ord)]
pub struct Span {
    /// Offset of the first byte.
    pub start: u32,
    /// Offset behind the last byte.
    pub end: u32,
}

impl Span {
    /// From `start` to `end`.
    pub const fn new(start: u32, end: u32) -> Span {
        Span { start, end }
    }

    /// Is there nothing in it? The span of something that stands nowhere in the text is empty.
    pub const fn is_empty(self) -> bool {
        self.start >= self.end
    }

    /// The smallest span with both in it.
    pub fn to(self, other: Span) -> Span {
        Span { start: self.start.min(other.start), end: self.end.max(other.end) }
    }

    /// The span as a range of byte offsets.
    pub const fn range(self) -> Range<usize> {
        self.start as usize..self.end as usize
    }

    /// What `text` holds there; empty if it reaches outside.
    pub fn of(self, text: &str) -> &str {
        text.get(self.range()).unwrap_or("")
    }
}

/// Line and column of byte `offset` in `text`, both from 1, columns in characters.
///
/// Takes time in proportion to `offset`.
pub fn line_column(text: &str, offset: usize) -> (u32, u32) {
    let mut end = offset.min(text.len());
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    let before = &text[..end];
    let line = before.bytes().filter(|&b| b == b'\n').count() + 1;
    let column = before.rsplit('\n').next().unwrap_or("").chars().count() + 1;
    (line as u32, column as u32)
}

/// Why a text was refused, and where.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ParseError {
    /// The bytes that are wrong.
    pub span: Span,
    /// Line of the first of them, from 1.
    pub line: u32,
    /// Column of the first of them, from 1, in characters.
    pub column: u32,
    /// What is wrong with them.
    pub message: String,
}

impl ParseError {
    /// An error at `span` of `text`.
    #[cold]
    pub fn new(text: &str, span: Span, message: impl fmt::Display) -> ParseError {
        let (line, column) = line_column(text, span.start as usize);
        ParseError { span, line, column, message: message.to_string() }
    }

    /// The same error for a text that begins at byte `offset` of `file`: a comment's in its file.
    #[must_use]
    pub fn within(self, file: &str, offset: u32) -> ParseError {
        let span =
            Span { start: self.span.start.saturating_add(offset), end: self.span.end.saturating_add(offset) };
        ParseError::new(file, span, self.message)
    }
}

impl fmt::Display for ParseError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}: {}", self.line, self.column, self.message)
    }
}

impl core::error::Error for ParseError {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_and_columns_count_from_one_in_characters() {
        let text = "ab\ncä d\n";
        assert_eq!(line_column(text, 0), (1, 1));
        assert_eq!(line_column(text, 3), (2, 1));
        assert_eq!(line_column(text, 5), (2, 2));
        assert_eq!(line_column(text, 6), (2, 3));
        assert_eq!(line_column(text, 99), (3, 1));
        let error = ParseError::new(text, Span::new(3, 4), "no");
        assert_eq!(error.to_string(), "2:1: no");
    }

    #[test]
    fn errors_move_into_their_file() {
        let file = "x\n; run: foo";
        let error = ParseError::new("run: foo", Span::new(5, 8), "bad").within(file, 4);
        assert_eq!((error.line, error.column), (2, 8));
        assert_eq!(error.span.of(file), "foo");
    }
}
