//! Declarations: stack slots, global values, signatures, functions, constants, regions, the stack limit.
//!
//! They may refer to each other in any order, so they are collected first, with the text's numbers inside, and put
//! into the function's tables when all are known.

use super::function::FunctionParser;
use super::{Parser, Result, numbering};
use crate::dfg::ExtFuncData;
use crate::entities::*;
use crate::extname::ExternalName;
use crate::function::{GlobalValueData, RegionData, RegisterSet, StackSlotData};
use crate::memflags::{Endianness, MemFlags};
use crate::signature::{CallConv, Signature};
use crate::text::error::Span;
use crate::text::ints::Literal;
use crate::text::lexer::{Kind, Token};
use crate::trapcode::TrapCode;
use crate::types::{self, Type};
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use cranelift_entity::{EntityRef, PrimaryMap, SecondaryMap};

/// The numbers that one kind of declarations has, and their indices.
#[derive(Default)]
pub(super) struct Table {
    /// Sorted.
    numbers: Vec<u32>,
    /// Is the index the place in `numbers`, not the number itself?
    dense: bool,
}

impl Table {
    /// The index of the declaration with this number.
    pub(super) fn index(&self, number: u32) -> Option<u32> {
        if self.numbers.get(number as usize) == Some(&number) {
            return Some(number); // Without gaps before it, place and number are the same.
        }
        let place = self.numbers.binary_search(&number).ok()?;
        Some(if self.dense { place as u32 } else { number })
    }
}

struct Decl<T> {
    number: u32,
    data: T,
    span: Span,
}

#[derive(Default)]
struct Declarations {
    slots: Vec<Decl<StackSlotData>>,
    globals: Vec<Decl<GlobalValueData>>,
    sigs: Vec<Decl<Signature>>,
    funcs: Vec<Decl<ExtFuncData>>,
    constants: Vec<Decl<Vec<u8>>>,
    regions: Vec<Decl<RegionData>>,
    stack_limit: Option<Token>,
    /// What declarations refer to.
    references: Vec<Token>,
    /// The number that a signature inside of a function declaration gets.
    next_sig: u32,
}

/// The name of what fills gap `number`.
fn filler_name(number: u32) -> ExternalName {
    ExternalName::user(u32::MAX, number)
}

impl FunctionParser<'_, '_> {
    /// Everything before the first block.
    pub(super) fn preamble(&mut self) -> Result<()> {
        let mut decls = Declarations::default();
        loop {
            let token = self.p.peek();
            match token.kind {
                Kind::StackSlot | Kind::GlobalValue | Kind::Sig | Kind::Func | Kind::Const | Kind::Region => {
                    self.declaration(&mut decls)?
                }
                Kind::Word if self.p.is_word("stack_limit") => {
                    self.p.bump();
                    self.p.expect(Kind::Equal, "`=`")?;
                    let limit = self.p.expect(Kind::GlobalValue, "a global value")?;
                    if decls.stack_limit.replace(limit).is_some() {
                        return Err(self.p.error(token.span(), "a second stack limit"));
                    }
                    decls.references.push(limit);
                    self.map.stack_limit = token.span().to(limit.span());
                }
                Kind::Word if self.p.is_word("registers") => self.register_set()?,
                Kind::Block | Kind::RBrace => break,
                _ => return Err(self.p.unexpected("a declaration, a block or `}`")),
            }
        }
        self.settle(decls)
    }

    /// `registers tagged = v0, v3`
    fn register_set(&mut self) -> Result<()> {
        self.p.bump();
        let token = self.p.expect(Kind::Word, "a register set's name")?;
        let name = String::from(self.p.word(token));
        if self.func.register_sets.iter().any(|set| set.name == name) {
            return Err(self.p.error(token.span(), "a second list of values of this register set"));
        }
        self.p.expect(Kind::Equal, "`=`")?;
        let mut values = alloc::vec![self.value()?];
        while self.p.eat(Kind::Comma) {
            values.push(self.value()?);
        }
        self.func.register_sets.push(RegisterSet { name, values });
        Ok(())
    }

    fn declaration(&mut self, decls: &mut Declarations) -> Result<()> {
        let name = self.p.bump();
        let number = name.num;
        self.p.skip_fact()?;
        self.p.expect(Kind::Equal, "`=`")?;
        match name.kind {
            Kind::StackSlot => {
                let data = self.p.stack_slot_data()?;
                decls.slots.push(Decl { number, data, span: self.span_from(name) });
            }
            Kind::GlobalValue => {
                let data = self.p.global_value_data(&mut decls.references)?;
                decls.globals.push(Decl { number, data, span: self.span_from(name) });
            }
            Kind::Sig => {
                let data = self.p.signature()?;
                decls.next_sig = decls.next_sig.max(number + 1);
                decls.sigs.push(Decl { number, data, span: self.span_from(name) });
            }
            Kind::Func => {
                let colocated = self.p.eat_word("colocated");
                let callee = self.p.external_name()?;
                let sig = if self.p.is(Kind::LParen) {
                    let data = self.p.signature()?;
                    let number = decls.next_sig;
                    decls.next_sig = number.saturating_add(1);
                    decls.sigs.push(Decl { number, data, span: self.span_from(name) });
                    number
                } else {
                    let sig = self.p.expect(Kind::Sig, "a signature")?;
                    decls.references.push(sig);
                    sig.num
                };
                let data = ExtFuncData { name: callee, signature: SigRef::from_u32(sig), colocated };
                decls.funcs.push(Decl { number, data, span: self.span_from(name) });
            }
            Kind::Const => {
                let data = self.p.constant_data()?;
                decls.constants.push(Decl { number, data, span: self.span_from(name) });
            }
            _ => {
                let user_id = self.p.unsigned("a region's number", u32::MAX.into())? as u32;
                let token = self.p.expect(Kind::Text, "a region's description in quotes")?;
                let description = self.p.unquote(token, 1)?;
                let data = RegionData { user_id, description };
                decls.regions.push(Decl { number, data, span: self.span_from(name) });
            }
        }
        Ok(())
    }

    fn span_from(&self, start: Token) -> Span {
        start.span().to(self.p.previous().span())
    }

    /// Gives declarations their indices, and puts them into the function.
    fn settle(&mut self, mut decls: Declarations) -> Result<()> {
        self.slots = self.table(&mut decls.slots)?;
        self.globals = self.table(&mut decls.globals)?;
        self.sigs = self.table(&mut decls.sigs)?;
        self.funcs = self.table(&mut decls.funcs)?;
        self.constants = self.table(&mut decls.constants)?;
        self.regions = self.table(&mut decls.regions)?;
        for &token in &decls.references {
            match token.kind {
                Kind::GlobalValue => drop(self.find_global_value(token)?),
                Kind::Sig => drop(self.find_sig_ref(token)?),
                _ => drop(self.find_region(token)?),
            }
        }
        if let Some(limit) = decls.stack_limit {
            self.func.stack_limit = Some(self.find_global_value(limit)?);
        }
        for decl in &mut decls.globals {
            let base = |raw: &mut GlobalValue| {
                *raw = GlobalValue::from_u32(self.globals.index(raw.as_u32()).unwrap_or(0));
            };
            match &mut decl.data {
                GlobalValueData::Load { base: raw, flags, .. } => {
                    base(raw);
                    if let Some(region) = flags.region() {
                        let index = self.regions.index(region.as_u32()).unwrap_or(0);
                        *flags = flags.with_region(Some(Region::from_u32(index)));
                    }
                }
                GlobalValueData::IAddImm { base: raw, .. } => base(raw),
                GlobalValueData::VMContext | GlobalValueData::Symbol { .. } => {}
            }
        }
        for decl in &mut decls.funcs {
            let sig = self.sigs.index(decl.data.signature.as_u32()).unwrap_or(0);
            decl.data.signature = SigRef::from_u32(sig);
        }
        let (func, map) = (&mut self.func, &mut self.map);
        fill(decls.slots, &self.slots, &mut func.stack_slots, &mut map.stack_slots, |_| StackSlotData {
            size: 0,
            align_shift: 0,
            key: None,
        });
        fill(decls.globals, &self.globals, &mut func.global_values, &mut map.global_values, |number| {
            GlobalValueData::Symbol { name: filler_name(number), offset: 0, colocated: false, tls: false }
        });
        fill(decls.sigs, &self.sigs, &mut func.dfg.signatures, &mut map.signatures, |_| {
            Signature::new(CallConv::Fast)
        });
        fill(decls.funcs, &self.funcs, &mut func.dfg.ext_funcs, &mut map.functions, |number| ExtFuncData {
            name: filler_name(number),
            // A function stands behind the gap, so there is a signature.
            signature: SigRef::from_u32(0),
            colocated: false,
        });
        fill(decls.constants, &self.constants, &mut func.dfg.constants, &mut map.constants, |_| {
            alloc::vec![0]
        });
        fill(decls.regions, &self.regions, &mut func.regions, &mut map.regions, |_| RegionData {
            user_id: 0,
            description: String::new(),
        });
        Ok(())
    }

    /// Sorts declarations by number, refuses two of the same number, and decides whether numbers are indices.
    fn table<T>(&mut self, decls: &mut [Decl<T>]) -> Result<Table> {
        decls.sort_by_key(|d| d.number);
        let twice = decls.windows(2).filter(|pair| pair[0].number == pair[1].number);
        if let Some([first, second]) = twice.min_by_key(|pair| pair[1].span) {
            let text = |decl: &Decl<T>| decl.span.of(self.p.text);
            let name = text(second).split(['=', ' ']).next().unwrap_or("");
            // A signature that has the span of a function.
            let own = text(first).starts_with("fn") && !name.starts_with("fn");
            let hint = if own { ", first by a function with a signature of its own" } else { "" };
            return Err(self.p.error(second.span, format!("{name} is declared twice{hint}")));
        }
        let numbers: Vec<u32> = decls.iter().map(|d| d.number).collect();
        let span = numbers.last().map_or(0, |&last| last as usize + 1);
        Ok(Table { numbers, dense: !numbering::keep(span, self.tokens, &mut self.p.slack) })
    }
}

/// Puts sorted declarations at their indices, and fillers into the gaps.
fn fill<K: EntityRef, T>(
    decls: Vec<Decl<T>>,
    table: &Table,
    out: &mut PrimaryMap<K, T>,
    spans: &mut SecondaryMap<K, Span>,
    mut filler: impl FnMut(u32) -> T,
) {
    for decl in decls {
        while !table.dense && out.len() < decl.number as usize {
            out.push(filler(out.len() as u32));
        }
        let key = out.push(decl.data);
        spans[key] = decl.span;
    }
}

impl Parser<'_> {
    /// `explicit_slot SIZE [, align = N] [, key = N]`
    fn stack_slot_data(&mut self) -> Result<StackSlotData> {
        let kind = self.peek();
        if kind.kind == Kind::Word && self.word(kind).starts_with("explicit_dynamic_slot") {
            return Err(self.error(kind.span(), "dynamic vectors are not supported: `explicit_dynamic_slot`"));
        }
        self.expect_word("explicit_slot")?;
        let size = self.unsigned("a slot's size", u32::MAX.into())? as u32;
        let mut data = StackSlotData { size, align_shift: 0, key: None };
        while self.eat(Kind::Comma) {
            let token = self.peek();
            let is_align = self.is_word("align");
            if !is_align && !self.is_word("key") {
                return Err(self.unexpected("`align` or `key`"));
            }
            self.bump();
            self.expect(Kind::Equal, "`=`")?;
            if is_align {
                let align = self.unsigned("an alignment", 1 << 31)?;
                if !align.is_power_of_two() {
                    return Err(self.error(self.previous().span(), "an alignment must be a power of two"));
                }
                data.align_shift = align.trailing_zeros() as u8;
            } else if data.key.replace(self.unsigned("a key", u64::MAX)?).is_some() {
                return Err(self.error(token.span(), "a second key"));
            }
        }
        Ok(data)
    }

    /// What stands behind `gv0 =`. Entities in it have the text's numbers.
    fn global_value_data(&mut self, references: &mut Vec<Token>) -> Result<GlobalValueData> {
        let token = self.peek();
        if token.kind != Kind::Word {
            return Err(self.unexpected("`vmctx`, `load`, `iadd_imm` or `symbol`"));
        }
        match self.word(token) {
            "vmctx" => {
                self.bump();
                Ok(GlobalValueData::VMContext)
            }
            "load" => {
                self.bump();
                let ty = self.dotted_type()?;
                let (flags, region) = self.mem_flags()?;
                references.extend(region);
                let base = self.expect(Kind::GlobalValue, "a global value")?;
                references.push(base);
                let offset = self.offset32()?;
                let flags = flags.with_region(region.map(|t| Region::from_u32(t.num)));
                Ok(GlobalValueData::Load { base: GlobalValue::from_u32(base.num), offset, ty, flags })
            }
            "iadd_imm" => {
                self.bump();
                let ty = self.dotted_type()?;
                let base = self.expect(Kind::GlobalValue, "a global value")?;
                references.push(base);
                self.expect(Kind::Comma, "`,` and a number")?;
                let (offset, _) = self.imm64("a number")?;
                Ok(GlobalValueData::IAddImm { base: GlobalValue::from_u32(base.num), offset, ty })
            }
            "symbol" => {
                self.bump();
                let (mut colocated, mut tls) = (false, false);
                loop {
                    if self.eat_word("colocated") {
                        colocated = true;
                    } else if self.eat_word("tls") {
                        tls = true;
                    } else {
                        break;
                    }
                }
                let name = self.external_name()?;
                let signed = self.is(Kind::Number) && self.word(self.peek()).starts_with(['+', '-']);
                let offset = if signed { self.symbol_offset()? } else { 0 };
                Ok(GlobalValueData::Symbol { name, offset, colocated, tls })
            }
            "dyn_scale_target_const" => {
                Err(self.error(token.span(), "dynamic vectors are not supported: `dyn_scale_target_const`"))
            }
            _ => Err(self.unexpected("`vmctx`, `load`, `iadd_imm` or `symbol`")),
        }
    }

    fn symbol_offset(&mut self) -> Result<i64> {
        let (literal, span) = self.literal("an offset")?;
        literal.to_i64().ok_or_else(|| self.error(span, "an offset must fit 64 bits"))
    }

    fn dotted_type(&mut self) -> Result<Type> {
        self.expect(Kind::Dot, "`.` and a type")?;
        self.type_()
    }

    /// Bytes: `0x…`, whose last digits are the first byte, or lanes behind their type.
    fn constant_data(&mut self) -> Result<Vec<u8>> {
        if self.is(Kind::Number) {
            let token = self.bump();
            return self.hex_bytes(token);
        }
        let ty = self.type_()?;
        self.vector_bytes(ty)
    }

    /// The bytes of `0x…`, the last digits first.
    pub(super) fn hex_bytes(&self, token: Token) -> Result<Vec<u8>> {
        let bad = || self.error(token.span(), "expected bytes as a hexadecimal number");
        let digits = self.word(token).strip_prefix("0x").ok_or_else(bad)?;
        let mut out = Vec::with_capacity(digits.len() / 2 + 1);
        let mut low: Option<u8> = None;
        for c in digits.bytes().rev().filter(|&c| c != b'_') {
            let digit = char::from(c).to_digit(16).ok_or_else(bad)? as u8;
            match low.take() {
                Some(low) => out.push(digit << 4 | low),
                None => low = Some(digit),
            }
        }
        out.extend(low);
        if out.is_empty() { Err(bad()) } else { Ok(out) }
    }

    /// The bytes of a constant of type `ty`, lane 0 first, each little-endian: `0x…`, or a number a lane in brackets.
    pub(crate) fn vector_bytes(&mut self, ty: Type) -> Result<Vec<u8>> {
        let start = self.peek();
        let size = ty.bytes() as usize;
        let mut out;
        if start.kind == Kind::Number && !ty.is_vector() {
            out = self.lane(ty.lane_type())?;
        } else if start.kind == Kind::Number {
            self.bump();
            out = self.hex_bytes(start)?;
            if out.len() < size {
                out.resize(size, 0);
            }
        } else {
            self.expect(Kind::LBracket, "`[` and a number for each lane, or a hexadecimal number")?;
            out = Vec::with_capacity(size);
            while !self.eat(Kind::RBracket) {
                if out.len() > size {
                    break;
                }
                out.extend(self.lane(ty.lane_type())?);
                self.eat(Kind::Comma);
            }
        }
        if out.len() == size {
            return Ok(out);
        }
        let span = start.span().to(self.previous().span());
        Err(self.error(span, format!("{ty} has {} lanes in {size} bytes", ty.lane_count())))
    }

    /// One number of a scalar type, little-endian.
    fn lane(&mut self, ty: Type) -> Result<Vec<u8>> {
        let token = self.expect(Kind::Number, "a number")?;
        let bits = self.scalar_bits(token, ty)?;
        Ok(bits.to_le_bytes()[..ty.bytes() as usize].into())
    }

    /// The bits of the number `token` in a scalar type.
    pub(crate) fn scalar_bits(&self, token: Token, ty: Type) -> Result<u128> {
        let word = self.word(token);
        let fault = |reason: &str| self.error(token.span(), format!("`{}`: {reason}", super::shorten(word)));
        match ty {
            types::F16 => word.parse::<crate::Ieee16>().map(|x| x.0.into()).map_err(fault),
            types::F32 => word.parse::<crate::Ieee32>().map(|x| x.0.into()).map_err(fault),
            types::F64 => word.parse::<crate::Ieee64>().map(|x| x.bits().into()).map_err(fault),
            types::F128 => crate::text::floats::parse_f128(word).map_err(fault),
            _ => {
                let literal = Literal::parse(word).map_err(fault)?;
                literal.fit(ty.bits()).ok_or_else(|| fault(&format!("out of the range of {ty}")))
            }
        }
    }

    /// Memory flags in any order, and the region's token if there is one.
    pub(super) fn mem_flags(&mut self) -> Result<(MemFlags, Option<Token>)> {
        let mut flags = MemFlags::new();
        let (mut trap, mut region) = (false, None);
        loop {
            let token = self.peek();
            let mut again = false;
            match token.kind {
                Kind::Region => again = region.replace(token).is_some(),
                Kind::Word => match self.word(token) {
                    "aligned" => flags = flags.with_aligned(),
                    "readonly" => flags = flags.with_readonly(),
                    "can_move" => flags = flags.with_can_move(),
                    "notrap" => {
                        again = trap;
                        trap = true;
                        flags = flags.with_notrap();
                    }
                    word @ ("little" | "big") => {
                        again = flags.explicit_endianness().is_some();
                        let e = if word == "big" { Endianness::Big } else { Endianness::Little };
                        flags = flags.with_endianness(e);
                    }
                    word => match TrapCode::from_name(word) {
                        Some(code) => {
                            again = trap;
                            trap = true;
                            flags = flags.with_trap_code(Some(code));
                        }
                        None => return Ok((flags, region)),
                    },
                },
                _ => return Ok((flags, region)),
            }
            if again {
                let word = self.word(token);
                return Err(self.error(token.span(), format!("`{word}`, but this was said already")));
            }
            self.bump();
        }
    }

    /// Steps over `! fact`, which says something about the value or entity before it that is not kept.
    pub(super) fn skip_fact(&mut self) -> Result<()> {
        if !self.eat(Kind::Bang) {
            return Ok(());
        }
        self.expect(Kind::Word, "a fact")?;
        if !self.eat(Kind::LParen) {
            return Ok(());
        }
        let mut depth = 1u32;
        while depth > 0 {
            match self.bump().kind {
                Kind::LParen => depth += 1,
                Kind::RParen => depth -= 1,
                Kind::Eof => return Err(self.unexpected("`)` of a fact")),
                _ => {}
            }
        }
        Ok(())
    }
}
