//! From tokens to functions.
//!
//! [`Parser`] walks the tokens and knows the small things: names, numbers, types, signatures. `function` puts a
//! function together, `preamble` reads declarations, `body` blocks and instructions, `operands` the operands of each
//! format, `sugar` the older spellings, `infer` the types that are known only at the end.
//!
//! Everything is a loop over tokens: there is no recursion, whatever the input.

mod body;
mod function;
mod infer;
mod names;
mod numbering;
mod operands;
mod preamble;
mod sugar;

use super::error::{ParseError, Span};
use super::ints::Literal;
use super::lexer::{Kind, Token, tokenize};
use super::source_map::SourceMap;
use crate::extname::ExternalName;
use crate::function::Function;
use crate::signature::{AbiParam, ArgumentExtension, ArgumentPurpose, CallConv, Signature, StructArg};
use crate::types::{self, Type};
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::fmt;

/// What the text leaves open.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct ParseOptions {
    /// The convention of signatures that name none. CLIF's is `fast`.
    pub default_call_conv: CallConv,
    /// The type of the addresses that `stack_load` and `stack_store` make, which no longer exist in the language. `None`
    /// is `i64`, or what a test file's first `target` line has.
    pub address_type: Option<Type>,
}

impl Default for ParseOptions {
    fn default() -> Self {
        ParseOptions { default_call_conv: CallConv::Fast, address_type: None }
    }
}

/// A function, and where its parts stand in the text.
#[derive(Clone, Debug)]
pub struct ParsedFunction {
    /// The function.
    pub function: Function,
    /// Where its parts stand.
    pub source_map: SourceMap,
}

/// Reads one function. Comments may surround it, nothing else.
pub fn parse_function(text: &str) -> Result<Function, ParseError> {
    let mut parser = Parser::new(text, 0, ParseOptions::default())?;
    let parsed = parser.function()?;
    parser.expect_end()?;
    Ok(parsed.function)
}

/// Reads any number of functions.
pub fn parse_functions(text: &str) -> Result<Vec<Function>, ParseError> {
    let parsed = parse_functions_with(text, &ParseOptions::default())?;
    Ok(parsed.into_iter().map(|p| p.function).collect())
}

/// Reads any number of functions, with their source maps.
pub fn parse_functions_with(text: &str, options: &ParseOptions) -> Result<Vec<ParsedFunction>, ParseError> {
    let mut parser = Parser::new(text, 0, *options)?;
    let mut functions = Vec::new();
    while parser.peek().kind != Kind::Eof {
        functions.push(parser.function()?);
    }
    Ok(functions)
}

pub(super) type Result<T, E = ParseError> = core::result::Result<T, E>;

/// A position in the tokens of a text.
pub(super) struct Parser<'a> {
    pub(super) text: &'a str,
    tokens: Vec<Token>,
    pub(super) comments: Vec<Span>,
    at: usize,
    pub(super) options: ParseOptions,
    /// How many numbers may still go unused in the rest of the text; see `numbering`.
    pub(super) slack: usize,
}

impl<'a> Parser<'a> {
    /// At byte `from` of `text`.
    pub(super) fn new(text: &'a str, from: usize, options: ParseOptions) -> Result<Parser<'a>> {
        if text.len() >= u32::MAX as usize {
            return Err(ParseError::new("", Span::default(), "a text of 4 GiB or more"));
        }
        let tokens = tokenize(text, from);
        let slack = numbering::TOTAL_SLACK;
        Ok(Parser { text, tokens: tokens.tokens, comments: tokens.comments, at: 0, options, slack })
    }

    // ----- Tokens -----

    pub(super) fn peek(&self) -> Token {
        self.tokens[self.at]
    }

    pub(super) fn peek_at(&self, ahead: usize) -> Token {
        self.tokens[(self.at + ahead).min(self.tokens.len() - 1)]
    }

    /// The tokens that are left.
    pub(super) fn rest(&self) -> &[Token] {
        &self.tokens[self.at..]
    }

    /// The token behind which the parser stands; its own at the start.
    pub(super) fn previous(&self) -> Token {
        self.tokens[self.at.saturating_sub(1)]
    }

    pub(super) fn bump(&mut self) -> Token {
        let token = self.tokens[self.at];
        if token.kind != Kind::Eof {
            self.at += 1;
        }
        token
    }

    pub(super) fn word(&self, token: Token) -> &'a str {
        token.span().of(self.text)
    }

    pub(super) fn is(&self, kind: Kind) -> bool {
        self.peek().kind == kind
    }

    pub(super) fn is_word(&self, word: &str) -> bool {
        self.is(Kind::Word) && self.word(self.peek()) == word
    }

    pub(super) fn eat(&mut self, kind: Kind) -> bool {
        let found = self.is(kind);
        if found {
            self.at += 1;
        }
        found
    }

    pub(super) fn eat_word(&mut self, word: &str) -> bool {
        let found = self.is_word(word);
        if found {
            self.at += 1;
        }
        found
    }

    pub(super) fn expect(&mut self, kind: Kind, what: &str) -> Result<Token> {
        if self.is(kind) { Ok(self.bump()) } else { Err(self.unexpected(what)) }
    }

    pub(super) fn expect_word(&mut self, word: &str) -> Result<Token> {
        if self.is_word(word) { Ok(self.bump()) } else { Err(self.unexpected(&format!("`{word}`"))) }
    }

    pub(super) fn expect_end(&self) -> Result<()> {
        if self.is(Kind::Eof) { Ok(()) } else { Err(self.unexpected("the end of the text")) }
    }

    #[cold]
    pub(super) fn error(&self, span: Span, message: impl fmt::Display) -> ParseError {
        ParseError::new(self.text, span, message)
    }

    /// The error that `what` is not there.
    #[cold]
    pub(super) fn unexpected(&self, what: &str) -> ParseError {
        let token = self.peek();
        self.error(token.span(), format!("expected {what}, found {}", self.describe(token)))
    }

    /// A token in words.
    pub(super) fn describe(&self, token: Token) -> String {
        match token.kind {
            Kind::Eof => "the end of the text".into(),
            Kind::Unterminated => "a quotation that does not end on its line".into(),
            Kind::HugeEntity => format!("`{}`, whose number is too large", shorten(self.word(token))),
            _ => format!("`{}`", shorten(self.word(token))),
        }
    }

    // ----- Numbers and names -----

    /// An integer of up to 128 bits.
    pub(super) fn literal(&mut self, what: &str) -> Result<(Literal, Span)> {
        let token = self.expect(Kind::Number, what)?;
        match Literal::parse(self.word(token)) {
            Ok(literal) => Ok((literal, token.span())),
            Err(reason) => {
                let found = shorten(self.word(token));
                Err(self.error(token.span(), format!("expected {what}, found `{found}`: {reason}")))
            }
        }
    }

    /// An integer from 0 to `max`.
    pub(super) fn unsigned(&mut self, what: &str, max: u64) -> Result<u64> {
        let (literal, span) = self.literal(what)?;
        literal.to_unsigned(max).ok_or_else(|| self.error(span, format!("{what} must be 0 to {max}")))
    }

    /// An integer of 64 bits, signed or unsigned.
    pub(super) fn imm64(&mut self, what: &str) -> Result<(i64, Span)> {
        let (literal, span) = self.literal(what)?;
        match literal.fit(64) {
            Some(bits) => Ok((bits as i64, span)),
            None => Err(self.error(span, format!("{what} must fit 64 bits"))),
        }
    }

    /// A signed offset of 32 bits, `+` and `-` included; 0 if there is none.
    pub(super) fn offset32(&mut self) -> Result<i32> {
        let token = self.peek();
        if token.kind != Kind::Number || !self.word(token).starts_with(['+', '-']) {
            return Ok(0);
        }
        let (literal, span) = self.literal("an offset")?;
        let offset = literal.to_i64().and_then(|n| i32::try_from(n).ok());
        offset.ok_or_else(|| self.error(span, "an offset must fit 32 bits"))
    }

    /// A type.
    pub(super) fn type_(&mut self) -> Result<Type> {
        let token = self.peek();
        if token.kind != Kind::Word {
            return Err(self.unexpected("a type"));
        }
        let ty = self.type_of_word(token)?;
        self.bump();
        Ok(ty)
    }

    fn type_of_word(&self, token: Token) -> Result<Type> {
        let word = self.word(token);
        if let Some(ty) = Type::from_name(word) {
            return Ok(ty);
        }
        let is_dynamic = word.strip_suffix("xN").is_some_and(|lanes| Type::from_name(lanes).is_some());
        Err(self.error(
            token.span(),
            if is_dynamic {
                format!("dynamic vectors are not supported: `{word}`")
            } else {
                format!("expected a type, found `{}`", shorten(word))
            },
        ))
    }

    /// `%name`, `%"name"` or `u0:1`.
    pub(super) fn external_name(&mut self) -> Result<ExternalName> {
        let token = self.peek();
        match token.kind {
            Kind::Name => {
                self.bump();
                Ok(ExternalName::symbol(&self.word(token)[1..]))
            }
            Kind::QuotedName => {
                self.bump();
                let name = self.unquote(token, 2)?;
                Ok(ExternalName::symbol(&name))
            }
            Kind::Namespace => {
                self.bump();
                self.expect(Kind::Colon, "`:` and an index")?;
                let index = self.unsigned("an index", u32::MAX.into())?;
                Ok(ExternalName::user(token.num, index as u32))
            }
            _ => Err(self.unexpected("a name such as `%f` or `u0:1`")),
        }
    }

    /// The text in a quotation whose opening quote ends `skip` bytes into the token.
    pub(super) fn unquote(&self, token: Token, skip: usize) -> Result<String> {
        let word = self.word(token);
        let inner = &word[skip..word.len() - 1];
        if !inner.contains('\\') {
            return Ok(inner.to_string());
        }
        let mut out = String::with_capacity(inner.len());
        let mut chars = inner.chars();
        while let Some(c) = chars.next() {
            if c != '\\' {
                out.push(c);
                continue;
            }
            match chars.next() {
                Some(c @ ('"' | '\\' | '\'')) => out.push(c),
                Some('n') => out.push('\n'),
                Some('t') => out.push('\t'),
                Some('r') => out.push('\r'),
                Some('0') => out.push('\0'),
                Some('u') => {
                    let decoded = chars.as_str().strip_prefix('{').and_then(|rest| rest.split_once('}'));
                    let c = decoded.and_then(|(hex, rest)| {
                        chars = rest.chars();
                        u32::from_str_radix(hex, 16).ok().and_then(char::from_u32)
                    });
                    out.push(c.ok_or_else(|| self.error(token.span(), "a bad `\\u{…}` in a quotation"))?);
                }
                _ => return Err(self.error(token.span(), "an unknown `\\` sequence in a quotation")),
            }
        }
        Ok(out)
    }

    // ----- Signatures -----

    /// `(params) [-> results] [convention]`
    pub(super) fn signature(&mut self) -> Result<Signature> {
        let mut sig = Signature::new(self.options.default_call_conv);
        self.expect(Kind::LParen, "`(` of a signature")?;
        if !self.eat(Kind::RParen) {
            self.abi_params(&mut sig.params)?;
            self.expect(Kind::RParen, "`)` of a signature")?;
        }
        if self.eat(Kind::Arrow) {
            self.abi_params(&mut sig.returns)?;
        }
        let token = self.peek();
        if token.kind == Kind::Word && (!token.first || CallConv::from_name(self.word(token)).is_some()) {
            let name = self.word(token);
            sig.call_conv = CallConv::from_name(name).ok_or_else(|| {
                let known = names::suggest(name, CallConv::ALL.iter().map(|cc| cc.name()));
                self.error(token.span(), format!("unknown calling convention `{}`{known}", shorten(name)))
            })?;
            self.bump();
        }
        Ok(sig)
    }

    fn abi_params(&mut self, list: &mut Vec<AbiParam>) -> Result<()> {
        loop {
            let start = self.peek();
            list.push(self.abi_param()?);
            if list.len() > crate::dfg::MAX_VALUES {
                return Err(self.error(start.span(), "more than 65535 parameters or results"));
            }
            if !self.eat(Kind::Comma) {
                return Ok(());
            }
        }
    }

    fn abi_param(&mut self) -> Result<AbiParam> {
        let mut param = AbiParam::new(self.type_()?);
        loop {
            let token = self.peek();
            if token.kind != Kind::Word {
                return Ok(param);
            }
            let (extended, special) =
                (param.extension != ArgumentExtension::None, param.purpose != ArgumentPurpose::Normal);
            let again = match self.word(token) {
                "uext" => {
                    param.extension = ArgumentExtension::Uext;
                    extended
                }
                "sext" => {
                    param.extension = ArgumentExtension::Sext;
                    extended
                }
                "sret" => {
                    param.purpose = ArgumentPurpose::StructReturn;
                    special
                }
                "vmctx" => {
                    param.purpose = ArgumentPurpose::VMContext;
                    special
                }
                "sarg" => {
                    self.bump();
                    self.expect(Kind::LParen, "`(` and the size of the structure")?;
                    param.purpose = ArgumentPurpose::StructArgument(self.struct_arg()?);
                    special
                }
                _ => return Ok(param),
            };
            if again {
                return Err(self.error(token.span(), "a second purpose or extension of one parameter"));
            }
            self.bump();
        }
    }

    /// `SIZE [, f32 | , f64] [, align = N]`, up to the closing parenthesis.
    fn struct_arg(&mut self) -> Result<StructArg> {
        let size = self.unsigned("the size of the structure", u32::MAX.into())?;
        let mut layout = StructArg::new(size as u32);
        let mut align = None;
        while self.eat(Kind::Comma) {
            let token = self.peek();
            let again = if self.is_word("align") {
                self.bump();
                self.expect(Kind::Equal, "`=`")?;
                let n = self.unsigned("an alignment", 1 << 31)?;
                if !n.is_power_of_two() {
                    return Err(self.error(self.previous().span(), "an alignment must be a power of two"));
                }
                align.replace(n as u32).is_some()
            } else {
                layout.element.replace(self.type_()?).is_some()
            };
            if again {
                return Err(self.error(token.span(), "a second alignment or type of one structure"));
            }
        }
        if !self.is(Kind::RParen) {
            return Err(self.unexpected("`)`"));
        }
        layout.align = align.unwrap_or(StructArg::default_align(layout.element));
        Ok(layout)
    }
}

/// The beginning of `word`, for messages.
fn shorten(word: &str) -> String {
    const LONGEST: usize = 60;
    match word.char_indices().nth(LONGEST) {
        Some((end, _)) => format!("{}…", &word[..end]),
        None => word.into(),
    }
}

/// The address type that the options say.
fn address_type(options: &ParseOptions) -> Type {
    options.address_type.unwrap_or(types::I64)
}
