//! Blocks, and what instructions have in common: prefix, results, opcode, type, suffix.

use super::function::FunctionParser;
use super::infer::Control;
use super::{Result, names, shorten, sugar};
use crate::dfg::{DebugTag, MAX_VALUES, UserStackMapEntry};
use crate::entities::*;
use crate::function::SourceLoc;
use crate::instdata::InstData;
use crate::opcode::{Ctrl, Opcode};
use crate::text::lexer::{Kind, Token};
use crate::types::{self, Type};
use alloc::format;
use alloc::vec::Vec;

impl FunctionParser<'_, '_> {
    /// All blocks.
    pub(super) fn body(&mut self) -> Result<()> {
        let mut results = Vec::new();
        while self.p.is(Kind::Block) {
            self.block_header()?;
            while !matches!(self.p.peek().kind, Kind::Block | Kind::RBrace) {
                self.statement(&mut results)?;
            }
        }
        Ok(())
    }

    /// `block0(v0: i32, v1: i64) cold:`
    fn block_header(&mut self) -> Result<()> {
        let token = self.p.bump();
        let block = self.define_block(token)?;
        self.func.layout.append_block(block);
        self.block = Some(block);
        if self.p.eat(Kind::LParen) && !self.p.eat(Kind::RParen) {
            loop {
                let token = self.p.expect(Kind::Value, "a parameter, as in `v0: i32`")?;
                let v = self.define_value(token)?;
                self.p.skip_fact()?;
                self.p.expect(Kind::Colon, "`:` and the parameter's type")?;
                let ty = self.p.type_()?;
                if self.func.dfg.block_params(block).len() >= MAX_VALUES {
                    return Err(self.p.error(token.span(), "more than 65535 parameters"));
                }
                self.func.dfg.attach_block_param(block, v, ty);
                if !self.p.eat(Kind::Comma) {
                    break;
                }
            }
            self.p.expect(Kind::RParen, "`,` or `)`")?;
        }
        if self.p.eat_word("cold") {
            self.func.layout.set_cold(block);
        }
        let end = self.p.expect(Kind::Colon, "`:` behind the block")?;
        self.map.blocks[block] = token.span().to(end.span());
        Ok(())
    }

    /// An instruction or an alias, with its prefix. `results` is an empty list to be used and emptied again.
    fn statement(&mut self, results: &mut Vec<Value>) -> Result<()> {
        self.srcloc = SourceLoc::NONE;
        if self.p.is(Kind::SourceLoc) {
            self.srcloc = SourceLoc(self.p.bump().num);
        }
        let tags = if self.p.is(Kind::Less) { self.debug_tags()? } else { Vec::new() };
        let start = self.p.peek();
        self.span = start.span();
        if start.kind == Kind::Value {
            if self.p.peek_at(1).kind == Kind::Arrow {
                return self.alias();
            }
            loop {
                let token = self.p.expect(Kind::Value, "a result")?;
                results.push(self.define_value(token)?);
                self.p.skip_fact()?;
                if !self.p.eat(Kind::Comma) {
                    break;
                }
            }
            self.p.expect(Kind::Equal, "`=` and an instruction")?;
        }
        let word = self.p.expect(Kind::Word, "an instruction")?;
        let name = self.p.word(word);
        if let Some(opcode) = names::opcode(name) {
            let suffix = self.suffix()?;
            self.check_suffix(opcode, word, suffix)?;
            let data = self.operands(opcode, suffix)?;
            self.finish_call_and_check_end(opcode, name)?;
            self.span = start.span().to(self.p.previous().span());
            let inst = self.append(data);
            let control = self.control(inst, suffix);
            self.define(inst, control, results)?;
        } else if let Some(old) = sugar::lookup(name) {
            let suffix = self.suffix()?;
            self.older(old, word, suffix, results)?;
            self.check_end(name)?;
        } else {
            return Err(self.unknown_instruction(word));
        }
        results.clear();
        if !tags.is_empty()
            && let Some(inst) = self.block.and_then(|block| self.func.layout.last_inst(block))
        {
            self.func.dfg.debug_tags.push((inst, tags));
        }
        Ok(())
    }

    #[cold]
    fn unknown_instruction(&self, word: Token) -> super::ParseError {
        let name = self.p.word(word);
        if name.starts_with("dynamic_") || name == "extract_vector" {
            return self
                .p
                .error(word.span(), format!("dynamic vectors are not supported: `{}`", shorten(name)));
        }
        let known = names::suggest(name, names::opcode_names().chain(sugar::names()));
        self.p.error(word.span(), format!("unknown instruction `{}`{known}", shorten(name)))
    }

    /// `v1 -> v2`
    fn alias(&mut self) -> Result<()> {
        let token = self.p.bump();
        let v = self.define_value(token)?;
        self.p.bump();
        let original = self.value()?;
        let span = token.span().to(self.p.previous().span());
        self.make_alias(v, original, span);
        Ok(())
    }

    /// `<1, ss0>`
    fn debug_tags(&mut self) -> Result<Vec<DebugTag>> {
        self.p.bump();
        let mut tags = Vec::new();
        while !self.p.eat(Kind::Greater) {
            if self.p.is(Kind::StackSlot) {
                tags.push(DebugTag::StackSlot(self.stack_slot()?));
            } else {
                tags.push(DebugTag::User(self.p.unsigned("a debug tag", u32::MAX.into())? as u32));
            }
            if !self.p.eat(Kind::Comma) {
                self.p.expect(Kind::Greater, "`,` or `>`")?;
                break;
            }
        }
        Ok(tags)
    }

    fn suffix(&mut self) -> Result<Option<Type>> {
        if self.p.is(Kind::Dot) && !self.p.peek().first {
            self.p.bump();
            return self.p.type_().map(Some);
        }
        Ok(None)
    }

    fn check_suffix(&self, opcode: Opcode, word: Token, suffix: Option<Type>) -> Result<()> {
        match (opcode.ctrl(), suffix) {
            (Ctrl::Suffix(set), None) => {
                let example = Type::all().iter().copied().filter(|&ty| set.contains(ty));
                let example = example.clone().find(|&ty| ty == types::I32).or(example.clone().next());
                let example = example.unwrap_or(types::I32);
                Err(self.p.error(word.span(), format!("`{opcode}` needs a type, as in `{opcode}.{example}`")))
            }
            (Ctrl::None, Some(ty)) => {
                // Some opcodes of one type had a suffix once.
                let only = opcode.def().results.first().and_then(|r| r.resolve(types::INVALID));
                if only == Some(ty) {
                    return Ok(());
                }
                Err(self.p.error(self.p.previous().span(), format!("`{opcode}` takes no type, `.{ty}`")))
            }
            _ => Ok(()),
        }
    }

    /// How the controlling type of `inst`, with its suffix, is found.
    pub(super) fn control(&self, inst: Inst, suffix: Option<Type>) -> Control {
        match (self.func.dfg.opcode(inst).ctrl(), suffix) {
            (Ctrl::None, _) => Control::Is(types::INVALID),
            (_, Some(ty)) => Control::Is(ty),
            (Ctrl::Operand(i, _), None) => match self.func.dfg.inst_args(inst).get(usize::from(i)) {
                Some(&v) => Control::TypeOf(v),
                None => Control::Is(types::INVALID),
            },
            (Ctrl::Suffix(_), None) => Control::Is(types::INVALID),
        }
    }

    /// Puts an instruction at the end of the block. Its results are not defined yet.
    pub(super) fn append(&mut self, data: InstData) -> Inst {
        let inst = self.func.dfg.make_inst(data);
        if let Some(block) = self.block {
            self.func.layout.append_inst(inst, block);
        }
        if !self.srcloc.is_none() {
            self.func.srclocs[inst] = self.srcloc;
        }
        self.map.insts[inst] = self.span;
        inst
    }

    /// What may follow the operands: a call's stack map; then the statement ends.
    fn finish_call_and_check_end(&mut self, opcode: Opcode, name: &str) -> Result<()> {
        if opcode.is_call() && self.p.is(Kind::Comma) && self.p.peek_at(1).kind == Kind::Word {
            self.p.bump();
            self.stack_map()?;
        }
        self.check_end(name)
    }

    /// `stack_map=[i32 @ ss0+0, …]`, for the next instruction.
    fn stack_map(&mut self) -> Result<()> {
        self.p.expect_word("stack_map")?;
        self.p.expect(Kind::Equal, "`=`")?;
        self.p.expect(Kind::LBracket, "`[`")?;
        let mut entries = Vec::new();
        while !self.p.eat(Kind::RBracket) {
            let ty = self.p.type_()?;
            self.p.expect(Kind::At, "`@`")?;
            let slot = self.stack_slot()?;
            let offset = self.p.offset32()?;
            let offset = u32::try_from(offset)
                .map_err(|_| self.p.error(self.p.previous().span(), "an offset must not be negative"))?;
            entries.push(UserStackMapEntry { ty, slot, offset });
            if !self.p.eat(Kind::Comma) {
                self.p.expect(Kind::RBracket, "`,` or `]`")?;
                break;
            }
        }
        let inst = self.func.dfg.insts.next_key();
        self.func.dfg.stack_maps.push((inst, entries));
        Ok(())
    }

    /// Is the statement over? What cannot begin another one is too much.
    fn check_end(&self, name: &str) -> Result<()> {
        let token = self.p.peek();
        let begins = matches!(
            token.kind,
            Kind::Value | Kind::Word | Kind::Block | Kind::RBrace | Kind::SourceLoc | Kind::Less | Kind::Eof
        );
        if token.first || begins {
            return Ok(());
        }
        let found = self.p.describe(token);
        Err(self.p.error(token.span(), format!("expected the end of `{name}`, found {found}")))
    }
}
