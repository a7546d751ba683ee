//! The operands of each format.

use super::function::FunctionParser;
use super::{Result, names, shorten};
use crate::condcodes::{FloatCC, IntCC};
use crate::entities::*;
use crate::immediates::{Ieee16, Ieee32, Ieee64, Imm64, Offset32};
use crate::instdata::*;
use crate::memflags::MemFlags;
use crate::opcode::{Format, Opcode};
use crate::text::floats::parse_f128;
use crate::text::lexer::Kind;
use crate::trapcode::TrapCode;
use crate::types::{self, Type};
use alloc::collections::BTreeMap;
use alloc::format;
use alloc::vec::Vec;
use core::str::FromStr;

impl FunctionParser<'_, '_> {
    /// The operands of `opcode`, whose suffix is `ty`.
    pub(super) fn operands(&mut self, opcode: Opcode, ty: Option<Type>) -> Result<InstData> {
        let ty = ty.unwrap_or(types::INVALID);
        Ok(match opcode.format() {
            Format::Nullary => InstData::Nullary { opcode },
            Format::Unary => InstData::Unary { opcode, arg: self.value()? },
            Format::UnaryImm => InstData::UnaryImm { opcode, imm: self.integer(opcode, ty)? },
            Format::UnaryIeee16 => InstData::UnaryIeee16 { opcode, imm: self.float::<Ieee16>()? },
            Format::UnaryIeee32 => InstData::UnaryIeee32 { opcode, imm: self.float::<Ieee32>()? },
            Format::UnaryIeee64 => InstData::UnaryIeee64 { opcode, imm: self.float::<Ieee64>()? },
            Format::UnaryConst => {
                let ty = if ty.is_invalid() { types::F128 } else { ty };
                InstData::UnaryConst { opcode, constant: self.constant_operand(ty)? }
            }
            Format::UnaryGlobalValue => InstData::UnaryGlobalValue { opcode, global: self.global_value()? },
            Format::Binary => InstData::Binary { opcode, args: self.values(opcode)? },
            Format::BinaryImm8 => {
                let arg = self.value()?;
                self.comma(opcode)?;
                InstData::BinaryImm8 { opcode, arg, imm: self.byte()? }
            }
            Format::Ternary => InstData::Ternary { opcode, args: self.values(opcode)? },
            Format::TernaryImm8 => {
                let args = self.values(opcode)?;
                self.comma(opcode)?;
                InstData::TernaryImm8 { opcode, args, imm: self.byte()? }
            }
            Format::Shuffle => {
                let args = self.values(opcode)?;
                self.comma(opcode)?;
                let bytes = self.p.vector_bytes(types::I8X16)?;
                InstData::Shuffle { opcode, args, mask: self.func.dfg.immediates.push(bytes) }
            }
            Format::IntCompare => {
                let cond = self.int_cc()?;
                InstData::IntCompare { opcode, cond, args: self.values(opcode)? }
            }
            Format::FloatCompare => {
                let names = FloatCC::ALL.iter().map(|cc| cc.name());
                let cond = self.keyword("condition", FloatCC::from_name, names)?;
                InstData::FloatCompare { opcode, cond, args: self.values(opcode)? }
            }
            Format::IntAddTrap => {
                let args = self.values(opcode)?;
                self.comma(opcode)?;
                InstData::IntAddTrap { opcode, args, code: self.trap_code()? }
            }
            Format::MultiAry => InstData::MultiAry { opcode, args: self.open_list()? },
            Format::Jump => InstData::Jump { opcode, dest: self.block_call()? },
            Format::Brif => {
                let arg = self.value()?;
                self.comma(opcode)?;
                let then = self.block_call()?;
                self.comma(opcode)?;
                InstData::Brif { opcode, arg, dests: [then, self.block_call()?] }
            }
            Format::BranchTable => {
                let arg = self.value()?;
                self.comma(opcode)?;
                InstData::BranchTable { opcode, arg, table: self.jump_table(opcode)? }
            }
            Format::Call => {
                let func = self.func_ref()?;
                let mut args = ValueList::new();
                self.call_args(&mut args)?;
                InstData::Call { opcode, func, args }
            }
            Format::CallIndirect => {
                let sig = self.sig_ref()?;
                self.comma(opcode)?;
                InstData::CallIndirect { opcode, sig, args: self.callee_and_args()? }
            }
            Format::TryCall => {
                let func = self.func_ref()?;
                let mut args = ValueList::new();
                self.call_args(&mut args)?;
                self.comma(opcode)?;
                InstData::TryCall { opcode, func, args, exception: self.exception_table(opcode)? }
            }
            Format::TryCallIndirect => {
                let args = self.callee_and_args()?;
                self.comma(opcode)?;
                InstData::TryCallIndirect { opcode, args, exception: self.exception_table(opcode)? }
            }
            Format::FuncAddr => InstData::FuncAddr { opcode, func: self.func_ref()? },
            Format::Load => {
                let flags = self.flags()?;
                let arg = self.value()?;
                InstData::Load { opcode, flags, arg, offset: Offset32(self.p.offset32()?) }
            }
            Format::Store => {
                let flags = self.flags()?;
                let args = self.values(opcode)?;
                InstData::Store { opcode, flags, args, offset: Offset32(self.p.offset32()?) }
            }
            Format::LoadNoOffset => {
                let flags = self.flags()?;
                InstData::LoadNoOffset { opcode, flags, arg: self.value()? }
            }
            Format::StoreNoOffset => {
                let flags = self.flags()?;
                InstData::StoreNoOffset { opcode, flags, args: self.values(opcode)? }
            }
            Format::StackAddr => {
                let slot = self.stack_slot()?;
                InstData::StackAddr { opcode, slot, offset: Offset32(self.p.offset32()?) }
            }
            Format::AtomicRmw => {
                let flags = self.any_flags()?;
                let names = AtomicRmwOp::ALL.iter().map(|op| op.name());
                let op = self.keyword("memory flag or operation", AtomicRmwOp::from_name, names)?;
                InstData::AtomicRmw { opcode, flags, op, args: self.values(opcode)? }
            }
            Format::AtomicCas => {
                let flags = self.flags()?;
                InstData::AtomicCas { opcode, flags, args: self.values(opcode)? }
            }
            Format::Trap => InstData::Trap { opcode, code: self.trap_code()? },
            Format::CondTrap => {
                let arg = self.value()?;
                self.comma(opcode)?;
                InstData::CondTrap { opcode, arg, code: self.trap_code()? }
            }
            Format::ExceptionHandlerAddress => {
                let block = self.block_ref()?;
                self.comma(opcode)?;
                let index = self.p.unsigned("a handler's index", u32::MAX.into())? as u32;
                InstData::ExceptionHandlerAddress { opcode, block, index }
            }
        })
    }

    /// `,` between operands of `opcode`.
    fn comma(&mut self, opcode: Opcode) -> Result<()> {
        if self.p.eat(Kind::Comma) { Ok(()) } else { Err(self.missing_comma(opcode)) }
    }

    #[cold]
    fn missing_comma(&self, opcode: Opcode) -> super::ParseError {
        let count = opcode.def().args.len();
        let fixed = !opcode.is_call() && !opcode.is_branch() && count > 1;
        let what = if fixed {
            format!("`,`: `{opcode}` takes {count} values")
        } else {
            format!("`,` and more operands of `{opcode}`")
        };
        self.p.unexpected(&what)
    }

    /// As many values as the array has, with commas between.
    fn values<const N: usize>(&mut self, opcode: Opcode) -> Result<[Value; N]> {
        let mut out = [Value::from_u32(0); N];
        for (i, v) in out.iter_mut().enumerate() {
            if i > 0 {
                self.comma(opcode)?;
            }
            *v = self.value()?;
        }
        Ok(out)
    }

    /// A word out of a list of names.
    fn keyword<T>(
        &mut self,
        what: &str,
        read: impl Fn(&str) -> Option<T>,
        all: impl Iterator<Item = &'static str>,
    ) -> Result<T> {
        let token = self.p.peek();
        if token.kind != Kind::Word {
            return Err(self.p.unexpected(&format!("a {what}")));
        }
        let word = self.p.word(token);
        match read(word) {
            Some(found) => {
                self.p.bump();
                Ok(found)
            }
            None => {
                let known = names::suggest(word, all);
                Err(self.p.error(token.span(), format!("unknown {what} `{}`{known}", shorten(word))))
            }
        }
    }

    pub(super) fn int_cc(&mut self) -> Result<IntCC> {
        self.keyword("condition", IntCC::from_name, IntCC::ALL.iter().map(|cc| cc.name()))
    }

    fn trap_code(&mut self) -> Result<TrapCode> {
        let token = self.p.peek();
        let word = self.p.word(token);
        let user = word.strip_prefix("user").is_some_and(|n| n.parse::<u64>().is_ok());
        if token.kind == Kind::Word && user && TrapCode::from_name(word).is_none() {
            let message = format!("no trap code `{word}`: they are `user1` to `user250`");
            return Err(self.p.error(token.span(), message));
        }
        let names = ["stk_ovf", "heap_oob", "int_ovf", "int_divz", "bad_toint", "user1"];
        self.keyword("trap code", TrapCode::from_name, names.into_iter())
    }

    /// Memory flags, before something that is no word.
    fn flags(&mut self) -> Result<MemFlags> {
        let flags = self.any_flags()?;
        if self.p.is(Kind::Word) {
            let names =
                ["notrap", "aligned", "readonly", "can_move", "little", "big", "heap_oob", "int_divz"];
            self.keyword("memory flag", |_| None::<()>, names.into_iter())?;
        }
        Ok(flags)
    }

    fn any_flags(&mut self) -> Result<MemFlags> {
        let (flags, region) = self.p.mem_flags()?;
        match region {
            Some(token) => Ok(flags.with_region(Some(self.find_region(token)?))),
            None => Ok(flags),
        }
    }

    /// An integer constant of type `ty`, kept with its sign.
    fn integer(&mut self, opcode: Opcode, ty: Type) -> Result<Imm64> {
        let (literal, span) = self.p.literal("an integer")?;
        if !ty.is_int() || ty.bits() > 64 {
            return Err(self.p.error(self.span.to(span), format!("`{opcode}` has no type {ty}")));
        }
        match literal.fit(ty.bits()) {
            Some(bits) => Ok(Imm64(Imm64(bits as i64).sign_extended(ty.bits()))),
            None => Err(self.p.error(span, format!("out of the range of {ty}"))),
        }
    }

    fn float<T: FromStr<Err = &'static str>>(&mut self) -> Result<T> {
        let token = self.p.expect(Kind::Number, "a float")?;
        let word = self.p.word(token);
        word.parse().map_err(|reason| {
            self.p.error(token.span(), format!("expected a float, found `{}`: {reason}", shorten(word)))
        })
    }

    fn byte(&mut self) -> Result<u8> {
        Ok(self.p.unsigned("a lane", u8::MAX.into())? as u8)
    }

    /// `const0`, or what the constant pool is to hold.
    fn constant_operand(&mut self, ty: Type) -> Result<Constant> {
        if self.p.is(Kind::Const) {
            return self.constant();
        }
        let bytes = if ty == types::F128 && self.p.is(Kind::Number) {
            let token = self.p.bump();
            let bits = parse_f128(self.p.word(token)).map_err(|reason| self.p.error(token.span(), reason))?;
            bits.to_le_bytes().to_vec()
        } else {
            self.p.vector_bytes(ty)?
        };
        let constants = &mut self.func.dfg.constants;
        let known = self.inline_constants.get_or_insert_with(|| {
            let mut known = BTreeMap::new();
            for (constant, bytes) in constants.iter().rev() {
                known.insert(bytes.clone(), constant);
            }
            known
        });
        if let Some(&constant) = known.get(&bytes) {
            return Ok(constant);
        }
        let constant = constants.push(bytes.clone());
        known.insert(bytes, constant);
        Ok(constant)
    }

    /// Any number of values, on the same line.
    fn open_list(&mut self) -> Result<ValueList> {
        let mut list = ValueList::new();
        let token = self.p.peek();
        if token.kind != Kind::Value || token.first {
            return Ok(list);
        }
        loop {
            let v = self.value()?;
            list.push(v, &mut self.func.dfg.value_lists);
            if !self.p.eat(Kind::Comma) {
                return Ok(list);
            }
        }
    }

    /// `(v1, v2)`, put behind what is in the list.
    fn call_args(&mut self, list: &mut ValueList) -> Result<()> {
        self.p.expect(Kind::LParen, "`(` and arguments")?;
        if self.p.eat(Kind::RParen) {
            return Ok(());
        }
        loop {
            let v = self.value()?;
            list.push(v, &mut self.func.dfg.value_lists);
            if !self.p.eat(Kind::Comma) {
                break;
            }
        }
        self.p.expect(Kind::RParen, "`,` or `)`")?;
        Ok(())
    }

    /// `v1(v2, v3)`
    fn callee_and_args(&mut self) -> Result<ValueList> {
        let callee = self.value()?;
        let mut list = ValueList::from_slice(&[callee], &mut self.func.dfg.value_lists);
        self.call_args(&mut list)?;
        Ok(list)
    }

    /// `block1` or `block1(v1, ret0, exn0)`
    fn block_call(&mut self) -> Result<BlockCall> {
        let block = self.block_ref()?;
        let mut call = BlockCall::new(block, [], &mut self.func.dfg.block_args);
        if !self.p.eat(Kind::LParen) || self.p.eat(Kind::RParen) {
            return Ok(call);
        }
        loop {
            let token = self.p.peek();
            let arg = match token.kind {
                Kind::Value => BlockArg::Value(self.use_value(token)),
                Kind::Ret | Kind::Exn if token.num > MAX_BLOCK_ARG_INDEX => {
                    return Err(self.p.error(token.span(), "a number too large"));
                }
                Kind::Ret => BlockArg::TryCallRet(token.num),
                Kind::Exn => BlockArg::TryCallExn(token.num),
                _ => return Err(self.p.unexpected("a value")),
            };
            self.p.bump();
            call.append_arg(arg, &mut self.func.dfg.block_args);
            if !self.p.eat(Kind::Comma) {
                break;
            }
        }
        self.p.expect(Kind::RParen, "`,` or `)`")?;
        Ok(call)
    }

    /// `block1, [block2, block3(v1)]`
    fn jump_table(&mut self, opcode: Opcode) -> Result<JumpTable> {
        let default = self.block_call()?;
        self.comma(opcode)?;
        self.p.expect(Kind::LBracket, "`[` and blocks")?;
        let mut table = Vec::new();
        if !self.p.eat(Kind::RBracket) {
            loop {
                table.push(self.block_call()?);
                if !self.p.eat(Kind::Comma) {
                    break;
                }
            }
            self.p.expect(Kind::RBracket, "`,` or `]`")?;
        }
        Ok(self.func.dfg.jump_tables.push(JumpTableData { default, table }))
    }

    /// `sig0, block1(ret0), [ tag1: block2(exn0), context v1, default: block3 ]`
    fn exception_table(&mut self, opcode: Opcode) -> Result<ExceptionTable> {
        let sig = self.sig_ref()?;
        self.comma(opcode)?;
        let normal = self.block_call()?;
        self.comma(opcode)?;
        self.p.expect(Kind::LBracket, "`[` and handlers")?;
        let mut items = Vec::new();
        if !self.p.eat(Kind::RBracket) {
            loop {
                items.push(self.exception_item()?);
                if !self.p.eat(Kind::Comma) {
                    break;
                }
            }
            self.p.expect(Kind::RBracket, "`,` or `]`")?;
        }
        Ok(self.func.dfg.exception_tables.push(ExceptionTableData { sig, normal, items }))
    }

    fn exception_item(&mut self) -> Result<ExceptionItem> {
        if self.p.is(Kind::Tag) {
            let tag = ExceptionTag::from_u32(self.p.bump().num);
            self.p.expect(Kind::Colon, "`:` and a block")?;
            Ok(ExceptionItem::Tag(tag, self.block_call()?))
        } else if self.p.eat_word("default") {
            self.p.expect(Kind::Colon, "`:` and a block")?;
            Ok(ExceptionItem::Default(self.block_call()?))
        } else if self.p.eat_word("context") {
            Ok(ExceptionItem::Context(self.value()?))
        } else {
            Err(self.p.unexpected("a handler: `tag0: block`, `default: block` or `context v0`"))
        }
    }
}
