//! A function as a whole, and the entities that its text names.

use super::infer::Pending;
use super::numbering::Numbering;
use super::preamble::Table;
use super::{ParsedFunction, Parser, Result};
use crate::entities::*;
use crate::function::{Function, SourceLoc};
use crate::text::error::Span;
use crate::text::lexer::{Kind, Token};
use crate::text::source_map::SourceMap;
use crate::types;
use alloc::collections::BTreeMap;
use alloc::format;
use alloc::vec::Vec;

/// A function half read.
pub(super) struct FunctionParser<'p, 'a> {
    pub(super) p: &'p mut Parser<'a>,
    pub(super) func: Function,
    pub(super) map: SourceMap,
    values: Numbering,
    blocks: Numbering,
    pub(super) slots: Table,
    pub(super) globals: Table,
    pub(super) sigs: Table,
    pub(super) funcs: Table,
    pub(super) constants: Table,
    pub(super) regions: Table,
    /// How long the function is.
    pub(super) tokens: usize,
    /// Uses before a definition, to be checked at the end.
    forward_values: Vec<(Value, Span)>,
    forward_blocks: Vec<(Block, Span)>,
    /// What waits for the type of a value.
    pub(super) pending: Vec<Pending>,
    /// The results of pending instructions.
    pub(super) pending_results: Vec<Value>,
    /// Constants by content, once an instruction holds one itself.
    pub(super) inline_constants: Option<BTreeMap<Vec<u8>, Constant>>,
    /// Where instructions go.
    pub(super) block: Option<Block>,
    /// Source location of the instruction that is being read.
    pub(super) srcloc: SourceLoc,
    /// Span of the instruction that is being read.
    pub(super) span: Span,
}

impl Parser<'_> {
    /// A function, from its word on.
    pub(crate) fn function(&mut self) -> Result<ParsedFunction> {
        let start = self.expect_word("function")?;
        let name_token = self.peek();
        let name = self.external_name()?;
        let name_span = name_token.span().to(self.previous().span());
        let signature = self.signature()?;
        self.expect(Kind::LBrace, "`{` and the body of the function")?;

        let is_next = |t: &Token| t.kind == Kind::Word && t.span().of(self.text) == "function";
        let count = self.rest().iter().position(is_next).unwrap_or(self.rest().len());
        let mut slack = self.slack;
        let tokens = &self.rest()[..count];
        let values = Numbering::new(tokens, Kind::Value, &mut slack);
        let blocks = Numbering::new(tokens, Kind::Block, &mut slack);
        self.slack = slack;

        let mut func = Function::new(name, signature);
        for _ in 0..values.len() {
            func.dfg.make_undefined_value(types::INVALID);
        }
        for _ in 0..blocks.len() {
            func.dfg.make_block();
        }
        let mut map = SourceMap::default();
        map.values.resize(values.len());
        map.blocks.resize(blocks.len());
        map.name = name_span;
        let mut parser = FunctionParser {
            p: self,
            func,
            map,
            values,
            blocks,
            slots: Table::default(),
            globals: Table::default(),
            sigs: Table::default(),
            funcs: Table::default(),
            constants: Table::default(),
            regions: Table::default(),
            tokens: count,
            forward_values: Vec::new(),
            forward_blocks: Vec::new(),
            pending: Vec::new(),
            pending_results: Vec::new(),
            inline_constants: None,
            block: None,
            srcloc: SourceLoc::NONE,
            span: Span::default(),
        };
        parser.preamble()?;
        parser.body()?;
        let end = parser.p.expect(Kind::RBrace, "a block or `}`")?;
        parser.check_forward_references()?;
        parser.infer_types()?;
        let FunctionParser { func: function, map: mut source_map, .. } = parser;
        source_map.function = start.span().to(end.span());
        Ok(ParsedFunction { function, source_map })
    }
}

impl FunctionParser<'_, '_> {
    fn check_forward_references(&self) -> Result<()> {
        let undefined_value =
            self.forward_values.iter().find(|&&(v, _)| self.map.values[v].is_empty()).map(|&(_, span)| span);
        let undefined_block =
            self.forward_blocks.iter().find(|&&(b, _)| self.map.blocks[b].is_empty()).map(|&(_, span)| span);
        match undefined_value.into_iter().chain(undefined_block).min() {
            Some(span) => Err(self.undefined(span)),
            None => Ok(()),
        }
    }

    fn undefined(&self, span: Span) -> super::ParseError {
        self.p.error(span, format!("{} is not defined", span.of(self.p.text)))
    }

    #[cold]
    fn redefined(&self, token: Token, first: Span) -> super::ParseError {
        let (line, _) = crate::text::error::line_column(self.p.text, first.start as usize);
        self.p.error(token.span(), format!("{} is defined twice, first in line {line}", self.p.word(token)))
    }

    /// The value that `token` names, to be defined here.
    pub(super) fn define_value(&mut self, token: Token) -> Result<Value> {
        let v = Value::from_u32(self.values.index(token.num));
        let first = self.map.values[v];
        if !first.is_empty() {
            return Err(self.redefined(token, first));
        }
        self.map.values[v] = token.span();
        Ok(v)
    }

    /// The value that `token` names, to be used.
    pub(super) fn use_value(&mut self, token: Token) -> Value {
        let v = Value::from_u32(self.values.index(token.num));
        if self.map.values[v].is_empty() {
            self.forward_values.push((v, token.span()));
        }
        v
    }

    /// A value, used.
    pub(super) fn value(&mut self) -> Result<Value> {
        let token = self.p.expect(Kind::Value, "a value")?;
        Ok(self.use_value(token))
    }

    /// A value that the text does not name. Its number is above all that the text has.
    pub(super) fn fresh_value(&mut self) -> Value {
        self.func.dfg.make_undefined_value(types::INVALID)
    }

    /// The block that `token` names, to be defined by a header of span `span`.
    pub(super) fn define_block(&mut self, token: Token) -> Result<Block> {
        let block = Block::from_u32(self.blocks.index(token.num));
        let first = self.map.blocks[block];
        if !first.is_empty() {
            return Err(self.redefined(token, first));
        }
        self.map.blocks[block] = token.span();
        Ok(block)
    }

    /// A block, used.
    pub(super) fn block_ref(&mut self) -> Result<Block> {
        let token = self.p.expect(Kind::Block, "a block")?;
        let block = Block::from_u32(self.blocks.index(token.num));
        if self.map.blocks[block].is_empty() {
            self.forward_blocks.push((block, token.span()));
        }
        Ok(block)
    }
}

impl FunctionParser<'_, '_> {
    /// The region that `token` names.
    pub(super) fn find_region(&self, token: Token) -> Result<Region> {
        self.regions.index(token.num).map(Region::from_u32).ok_or_else(|| self.undefined(token.span()))
    }
}

macro_rules! preamble_references {
    ($($method:ident $lookup:ident $table:ident $entity:ident $kind:ident $what:literal;)*) => {
        impl FunctionParser<'_, '_> {$(
            #[doc = concat!("The ", $what, " that `token` names.")]
            pub(super) fn $lookup(&self, token: Token) -> Result<$entity> {
                match self.$table.index(token.num) {
                    Some(index) => Ok($entity::from_u32(index)),
                    None => Err(self.undefined(token.span())),
                }
            }

            #[doc = concat!("A ", $what, ".")]
            pub(super) fn $method(&mut self) -> Result<$entity> {
                let token = self.p.expect(Kind::$kind, concat!("a ", $what))?;
                self.$lookup(token)
            }
        )*}
    };
}

preamble_references! {
    stack_slot find_stack_slot slots StackSlot StackSlot "stack slot";
    global_value find_global_value globals GlobalValue GlobalValue "global value";
    sig_ref find_sig_ref sigs SigRef Sig "signature";
    func_ref find_func_ref funcs FuncRef Func "function";
    constant find_constant constants Constant Const "constant";
}
