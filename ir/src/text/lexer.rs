//! From characters to tokens.
//!
//! The whole text becomes one vector of small tokens, so that the parser can look ahead and can learn a
//! function's largest value number before it reads it. Nothing is refused here: what is no token becomes
//! [`Kind::Unknown`], and the parser complains if it gets there. Comments are kept apart, by span.
//! One pass, constant memory per token.

use super::error::Span;
use alloc::vec::Vec;

/// What a token is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Kind {
    /// End of the text.
    Eof,
    /// A word that is none of the numbered entities.
    Word,
    /// `v0`
    Value,
    /// `block0`
    Block,
    /// `ss0`
    StackSlot,
    /// `gv0`
    GlobalValue,
    /// `sig0`
    Sig,
    /// `fn0`
    Func,
    /// `const0`
    Const,
    /// `region0`
    Region,
    /// `tag0`
    Tag,
    /// `ret0`
    Ret,
    /// `exn0`
    Exn,
    /// `u0`, the namespace of `u0:1`
    Namespace,
    /// An entity with a number above what 32 bits hold
    HugeEntity,
    /// `%name`
    Name,
    /// `%"name"`
    QuotedName,
    /// `"text"`
    Text,
    /// A quotation that its line does not end
    Unterminated,
    /// An integer or a float, sign included
    Number,
    /// `@1f`
    SourceLoc,
    At,
    LParen,
    RParen,
    LBrace,
    RBrace,
    LBracket,
    RBracket,
    Comma,
    Colon,
    Dot,
    Equal,
    Less,
    Greater,
    Bang,
    Arrow,
    /// None of these
    Unknown,
}

/// A token and its place. `num` is the number of an entity, of a namespace and of a source location.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Token {
    pub(crate) kind: Kind,
    /// Does it begin a line?
    pub(crate) first: bool,
    pub(crate) start: u32,
    pub(crate) end: u32,
    pub(crate) num: u32,
}

impl Token {
    pub(crate) fn span(self) -> Span {
        Span::new(self.start, self.end)
    }
}

/// The tokens of a text, ended by one of kind [`Kind::Eof`], and its comments, from `;` to the end of the line.
pub(crate) struct Tokens {
    pub(crate) tokens: Vec<Token>,
    pub(crate) comments: Vec<Span>,
}

struct Lexer<'a> {
    text: &'a str,
    bytes: &'a [u8],
    at: usize,
    first: bool,
    out: Tokens,
}

/// Splits `text`, whose length must fit in 32 bits, from byte `from` on.
pub(crate) fn tokenize(text: &str, from: usize) -> Tokens {
    let mut lexer = Lexer {
        text,
        bytes: text.as_bytes(),
        at: from,
        first: true,
        out: Tokens { tokens: Vec::with_capacity((text.len() - from) / 4 + 1), comments: Vec::new() },
    };
    lexer.run();
    lexer.out
}

fn is_word_byte(b: u8) -> bool {
    b.is_ascii_alphanumeric() || b == b'_'
}

fn is_name_byte(b: u8) -> bool {
    is_word_byte(b) || matches!(b, b'.' | b'$')
}

/// The entity that `word` names: its kind and its number.
fn entity(word: &str) -> Option<(Kind, u32)> {
    let head = word.trim_end_matches(|c: char| c.is_ascii_digit());
    let kind = match head {
        "v" => Kind::Value,
        "block" => Kind::Block,
        "ss" => Kind::StackSlot,
        "gv" => Kind::GlobalValue,
        "sig" => Kind::Sig,
        "fn" => Kind::Func,
        "const" => Kind::Const,
        "region" => Kind::Region,
        "tag" => Kind::Tag,
        "ret" => Kind::Ret,
        "exn" => Kind::Exn,
        "u" => Kind::Namespace,
        _ => return None,
    };
    let digits = &word[head.len()..];
    if digits.is_empty() || (digits.starts_with('0') && digits != "0") {
        return None;
    }
    match digits.parse::<u32>() {
        // The largest number stands for "none" in packed options; a namespace is no entity.
        Ok(num) if num != u32::MAX || kind == Kind::Namespace => Some((kind, num)),
        _ => Some((Kind::HugeEntity, 0)),
    }
}

impl Lexer<'_> {
    fn peek(&self, ahead: usize) -> u8 {
        self.bytes.get(self.at + ahead).copied().unwrap_or(0)
    }

    fn push(&mut self, kind: Kind, start: usize, num: u32) {
        let token = Token { kind, first: self.first, start: start as u32, end: self.at as u32, num };
        self.first = false;
        self.out.tokens.push(token);
    }

    fn single(&mut self, kind: Kind) {
        self.at += 1;
        self.push(kind, self.at - 1, 0);
    }

    fn run(&mut self) {
        while self.at < self.bytes.len() {
            let start = self.at;
            match self.bytes[start] {
                b'\n' => {
                    self.at += 1;
                    self.first = true;
                }
                b' ' | b'\t' | b'\r' => self.at += 1,
                b';' => self.comment(),
                b'(' => self.single(Kind::LParen),
                b')' => self.single(Kind::RParen),
                b'{' => self.single(Kind::LBrace),
                b'}' => self.single(Kind::RBrace),
                b'[' => self.single(Kind::LBracket),
                b']' => self.single(Kind::RBracket),
                b',' => self.single(Kind::Comma),
                b':' => self.single(Kind::Colon),
                b'.' => self.single(Kind::Dot),
                b'=' => self.single(Kind::Equal),
                b'<' => self.single(Kind::Less),
                b'>' => self.single(Kind::Greater),
                b'!' => self.single(Kind::Bang),
                b'@' => self.at_sign(),
                b'%' => self.name(),
                b'"' => self.quoted(start, Kind::Text),
                b'-' if self.peek(1) == b'>' => {
                    self.at += 2;
                    self.push(Kind::Arrow, start, 0);
                }
                b'+' | b'-' if self.sign_starts_number() => self.number(),
                b'0'..=b'9' => self.number(),
                b if b.is_ascii_alphabetic() || b == b'_' => self.word(),
                _ if start == 0 && self.text.starts_with('\u{feff}') => self.at += 3,
                _ => {
                    let len = self.text[start..].chars().next().map_or(1, char::len_utf8);
                    self.at += len;
                    self.push(Kind::Unknown, start, 0);
                }
            }
        }
        let start = self.at;
        self.push(Kind::Eof, start, 0);
    }

    fn comment(&mut self) {
        let start = self.at;
        let line = self.bytes[start..].iter().position(|&b| b == b'\n').unwrap_or(self.bytes.len() - start);
        self.at += line;
        let mut end = self.at;
        while end > start && self.bytes[end - 1] == b'\r' {
            end -= 1;
        }
        self.out.comments.push(Span::new(start as u32, end as u32));
    }

    fn at_sign(&mut self) {
        let start = self.at;
        self.at += 1;
        while self.peek(0).is_ascii_hexdigit() {
            self.at += 1;
        }
        if self.at == start + 1 {
            return self.push(Kind::At, start, 0);
        }
        match u32::from_str_radix(&self.text[start + 1..self.at], 16) {
            Ok(num) => self.push(Kind::SourceLoc, start, num),
            Err(_) => self.push(Kind::HugeEntity, start, 0),
        }
    }

    fn name(&mut self) {
        let start = self.at;
        self.at += 1;
        if self.peek(0) == b'"' {
            return self.quoted(start, Kind::QuotedName);
        }
        while is_name_byte(self.peek(0)) {
            self.at += 1;
        }
        let kind = if self.at == start + 1 { Kind::Unknown } else { Kind::Name };
        self.push(kind, start, 0);
    }

    /// A quotation whose opening quote is the current byte, of a token that begins at `start`.
    fn quoted(&mut self, start: usize, kind: Kind) {
        self.at += 1;
        loop {
            match self.peek(0) {
                b'"' => break,
                b'\\' if !matches!(self.peek(1), 0 | b'\n') => {
                    self.at += 1;
                    // The escaped character may be of several bytes.
                    self.at += self.text[self.at..].chars().next().map_or(1, char::len_utf8);
                }
                b'\n' => return self.push(Kind::Unterminated, start, 0),
                _ if self.at >= self.bytes.len() => return self.push(Kind::Unterminated, start, 0),
                _ => self.at += 1,
            }
        }
        self.at += 1;
        self.push(kind, start, 0);
    }

    fn sign_starts_number(&self) -> bool {
        let rest = &self.bytes[self.at + 1..];
        rest.first().is_some_and(u8::is_ascii_digit)
            || rest.starts_with(b"Inf")
            || rest.starts_with(b"NaN")
            || rest.starts_with(b"sNaN")
    }

    fn number(&mut self) {
        let start = self.at;
        if matches!(self.peek(0), b'+' | b'-') {
            self.at += 1;
        }
        let digits = self.at;
        let hex = self.peek(0) == b'0' && matches!(self.peek(1), b'x' | b'X');
        loop {
            let b = self.peek(0);
            let body = &self.bytes[digits..self.at];
            let goes_on = is_word_byte(b)
                || b == b'.'
                || (b == b':' && matches!(body, b"NaN" | b"sNaN"))
                // The sign of an exponent.
                || (matches!(b, b'+' | b'-')
                    && self.peek(1).is_ascii_digit()
                    && match body.last() {
                        Some(b'p' | b'P') => hex,
                        Some(b'e' | b'E') => !hex && body[0].is_ascii_digit(),
                        _ => false,
                    });
            if !goes_on {
                break;
            }
            self.at += 1;
        }
        self.push(Kind::Number, start, 0);
    }

    fn word(&mut self) {
        let start = self.at;
        while is_word_byte(self.peek(0)) {
            self.at += 1;
        }
        let word = &self.text[start..self.at];
        match word {
            "Inf" | "NaN" | "sNaN" => {
                self.at = start;
                self.number();
            }
            _ => {
                let (kind, num) = match word.as_bytes() {
                    [.., b'0'..=b'9'] => entity(word).unwrap_or((Kind::Word, 0)),
                    _ => (Kind::Word, 0),
                };
                self.push(kind, start, num);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kinds(text: &str) -> Vec<(Kind, &str)> {
        tokenize(text, 0).tokens.iter().map(|t| (t.kind, &text[t.start as usize..t.end as usize])).collect()
    }

    #[test]
    fn entities_words_and_numbers() {
        use Kind::*;
        assert_eq!(
            kinds("v0+48 v01 user5 i32 u0:1 block12 @1f @ ss0-0x1_0 -> -1e-5 0x1.8p-3+4 v4294967295"),
            [
                (Value, "v0"),
                (Number, "+48"),
                (Word, "v01"),
                (Word, "user5"),
                (Word, "i32"),
                (Namespace, "u0"),
                (Colon, ":"),
                (Number, "1"),
                (Block, "block12"),
                (SourceLoc, "@1f"),
                (At, "@"),
                (StackSlot, "ss0"),
                (Number, "-0x1_0"),
                (Arrow, "->"),
                (Number, "-1e-5"),
                (Number, "0x1.8p-3"),
                (Number, "+4"),
                (HugeEntity, "v4294967295"),
                (Eof, ""),
            ]
        );
    }

    #[test]
    fn not_a_number_takes_its_payload() {
        use Kind::*;
        assert_eq!(
            kinds("-NaN:0x1 +sNaN:0x2 NaN Inf:x"),
            [
                (Number, "-NaN:0x1"),
                (Number, "+sNaN:0x2"),
                (Number, "NaN"),
                (Number, "Inf"),
                (Colon, ":"),
                (Word, "x"),
                (Eof, ""),
            ]
        );
    }

    #[test]
    fn quotations_end_with_their_line() {
        use Kind::*;
        assert_eq!(
            kinds("%\"a\\\"b\" \"c;d\" \"e\nf\\"),
            [
                (QuotedName, "%\"a\\\"b\""),
                (Text, "\"c;d\""),
                (Unterminated, "\"e"),
                (Word, "f"),
                (Unknown, "\\"),
                (Eof, ""),
            ]
        );
    }

    #[test]
    fn comments_stand_apart_without_line_ends() {
        let text = "a ; b\r\nc;d";
        let tokens = tokenize(text, 0);
        let comments: Vec<&str> = tokens.comments.iter().map(|c| c.of(text)).collect();
        assert_eq!(comments, ["; b", ";d"]);
        assert!(tokens.tokens[0].first && tokens.tokens[1].first);
    }
}
