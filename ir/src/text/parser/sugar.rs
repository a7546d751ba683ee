//! Older spellings, put into today's instructions.
//!
//! | text | becomes |
//! |---|---|
//! | `iadd_imm x, n` and its kin | `iconst`, then the plain opcode; for `i128`, a 64-bit constant is extended |
//! | `irsub_imm x, n` | the constant minus `x` |
//! | `icmp_imm cc x, n` | `iconst`, `icmp` |
//! | `band_not x, y` `bor_not` `bxor_not` | `bnot y`, then the plain opcode |
//! | `stack_load.T ss+n`, `stack_store x, ss+n` | `stack_addr`, then `load notrap`, `store notrap` |
//! | `global_value.T gv` | what the global value says: parameter, `load`, `iadd`, `symbol_value`, `tls_value` |
//! | `iadd_cout` `iadd_carry` `isub_bout` `isub_borrow` | `uadd_overflow`, `uadd_overflow_cin`, `usub_overflow`, `usub_overflow_bin` |
//! | `iadd_cin` `isub_bin` | the first result of `uadd_overflow_cin`, `usub_overflow_bin` |
//! | `bint.T x` | `uextend`, or `x` itself |
//! | `raw_bitcast.T x` | `bitcast` |
//!
//! New values have numbers above all that the text uses.

use super::function::FunctionParser;
use super::infer::Control;
use super::{Result, address_type};
use crate::entities::*;
use crate::function::GlobalValueData;
use crate::immediates::Offset32;
use crate::instdata::InstData;
use crate::memflags::MemFlags;
use crate::opcode::Opcode;
use crate::signature::ArgumentPurpose;
use crate::text::ints::Literal;
use crate::text::lexer::{Kind, Token};
use crate::types::{self, Type};
use alloc::format;
use alloc::vec::Vec;

/// An older spelling.
#[derive(Clone, Copy)]
pub(super) enum Older {
    /// The opcode with a number as its second operand; is it signed when it becomes an `i128`?
    Immediate(Opcode, bool),
    /// A number minus the operand.
    ReverseSub,
    Compare,
    /// The opcode with its second operand inverted.
    Inverted(Opcode),
    StackLoad,
    StackStore,
    GlobalValue,
    /// Another name of the opcode.
    Renamed(Opcode),
    /// The first result of the opcode.
    FirstResult(Opcode),
    BoolToInt,
}

static OLDER: &[(&str, Older)] = &[
    ("iadd_imm", Older::Immediate(Opcode::Iadd, true)),
    ("imul_imm", Older::Immediate(Opcode::Imul, true)),
    ("udiv_imm", Older::Immediate(Opcode::Udiv, false)),
    ("sdiv_imm", Older::Immediate(Opcode::Sdiv, true)),
    ("urem_imm", Older::Immediate(Opcode::Urem, false)),
    ("srem_imm", Older::Immediate(Opcode::Srem, true)),
    ("irsub_imm", Older::ReverseSub),
    ("band_imm", Older::Immediate(Opcode::Band, false)),
    ("bor_imm", Older::Immediate(Opcode::Bor, false)),
    ("bxor_imm", Older::Immediate(Opcode::Bxor, false)),
    ("rotl_imm", Older::Immediate(Opcode::Rotl, false)),
    ("rotr_imm", Older::Immediate(Opcode::Rotr, false)),
    ("ishl_imm", Older::Immediate(Opcode::Ishl, false)),
    ("ushr_imm", Older::Immediate(Opcode::Ushr, false)),
    ("sshr_imm", Older::Immediate(Opcode::Sshr, false)),
    ("icmp_imm", Older::Compare),
    ("stack_load", Older::StackLoad),
    ("stack_store", Older::StackStore),
    ("band_not", Older::Inverted(Opcode::Band)),
    ("bor_not", Older::Inverted(Opcode::Bor)),
    ("bxor_not", Older::Inverted(Opcode::Bxor)),
    ("global_value", Older::GlobalValue),
    ("iadd_cout", Older::Renamed(Opcode::UaddOverflow)),
    ("iadd_carry", Older::Renamed(Opcode::UaddOverflowCin)),
    ("iadd_cin", Older::FirstResult(Opcode::UaddOverflowCin)),
    ("isub_bout", Older::Renamed(Opcode::UsubOverflow)),
    ("isub_borrow", Older::Renamed(Opcode::UsubOverflowBin)),
    ("isub_bin", Older::FirstResult(Opcode::UsubOverflowBin)),
    ("bint", Older::BoolToInt),
    ("raw_bitcast", Older::Renamed(Opcode::Bitcast)),
];

/// Longest chain of global values that `global_value` follows.
const LONGEST_CHAIN: usize = 64;

/// The older spelling called `name`.
pub(super) fn lookup(name: &str) -> Option<Older> {
    OLDER.iter().find(|&&(known, _)| known == name).map(|&(_, older)| older)
}

/// Every older spelling's name.
pub(super) fn names() -> impl Iterator<Item = &'static str> {
    OLDER.iter().map(|&(name, _)| name)
}

impl FunctionParser<'_, '_> {
    /// The operands of an older spelling, and the instructions that it stands for.
    pub(super) fn older(
        &mut self,
        older: Older,
        word: Token,
        suffix: Option<Type>,
        results: &[Value],
    ) -> Result<()> {
        let start = self.span;
        match older {
            Older::Immediate(opcode, signed) => {
                let (arg, literal) = self.value_and_number()?;
                self.span = start.to(self.p.previous().span());
                let control = suffix.map_or(Control::TypeOf(arg), Control::Is);
                let number = self.constant_of(control, literal, signed)?;
                self.add(InstData::Binary { opcode, args: [arg, number] }, suffix, results)
            }
            Older::ReverseSub => {
                let (arg, literal) = self.value_and_number()?;
                self.span = start.to(self.p.previous().span());
                let control = suffix.map_or(Control::TypeOf(arg), Control::Is);
                let number = self.constant_of(control, literal, true)?;
                let data = InstData::Binary { opcode: Opcode::Isub, args: [number, arg] };
                // The constant's type may not be known yet; the operand has the same.
                let inst = self.append(data);
                self.define(inst, control, results)
            }
            Older::Compare => {
                let cond = self.int_cc()?;
                let (arg, literal) = self.value_and_number()?;
                self.span = start.to(self.p.previous().span());
                let control = suffix.map_or(Control::TypeOf(arg), Control::Is);
                let number = self.constant_of(control, literal, true)?;
                let data = InstData::IntCompare { opcode: Opcode::Icmp, cond, args: [arg, number] };
                self.add(data, suffix, results)
            }
            Older::Inverted(opcode) => {
                let x = self.value()?;
                self.p.expect(Kind::Comma, "`,` and a value")?;
                let y = self.value()?;
                self.span = start.to(self.p.previous().span());
                let inverted = self.fresh_value();
                self.add(InstData::Unary { opcode: Opcode::Bnot, arg: y }, suffix, &[inverted])?;
                self.add(InstData::Binary { opcode, args: [x, inverted] }, suffix, results)
            }
            Older::StackLoad => {
                let ty = self.needed(word, suffix)?;
                let address = self.old_stack_address(start)?;
                let flags = MemFlags::new().with_notrap();
                let data = InstData::Load { opcode: Opcode::Load, flags, arg: address, offset: Offset32(0) };
                self.add(data, Some(ty), results)
            }
            Older::StackStore => {
                let x = self.value()?;
                self.p.expect(Kind::Comma, "`,` and a stack slot")?;
                let address = self.old_stack_address(start)?;
                let flags = MemFlags::new().with_notrap();
                let args = [x, address];
                let data = InstData::Store { opcode: Opcode::Store, flags, args, offset: Offset32(0) };
                self.add(data, suffix, results)
            }
            Older::GlobalValue => {
                let ty = self.needed(word, suffix)?;
                let token = self.p.expect(Kind::GlobalValue, "a global value")?;
                let global = self.find_global_value(token)?;
                self.span = start.to(token.span());
                self.expand_global_value(global, ty, results)
            }
            Older::Renamed(opcode) => {
                let data = self.operands(opcode, suffix)?;
                self.span = start.to(self.p.previous().span());
                if opcode == Opcode::Bitcast {
                    self.needed(word, suffix)?;
                }
                self.add(data, suffix, results)
            }
            Older::FirstResult(opcode) => {
                let data = self.operands(opcode, suffix)?;
                self.span = start.to(self.p.previous().span());
                match results {
                    [] => self.add(data, suffix, &[]),
                    &[sum] => {
                        let carry = self.fresh_value();
                        self.add(data, suffix, &[sum, carry])
                    }
                    _ => Err(self.p.error(self.span, format!("`{}` gives 1 result", self.p.word(word)))),
                }
            }
            Older::BoolToInt => {
                let ty = self.needed(word, suffix)?;
                let arg = self.value()?;
                self.span = start.to(self.p.previous().span());
                if ty == types::I8 {
                    return self.name_value(arg, results);
                }
                self.add(InstData::Unary { opcode: Opcode::Uextend, arg }, suffix, results)
            }
        }
    }

    /// Appends an instruction and defines its results.
    fn add(&mut self, data: InstData, suffix: Option<Type>, results: &[Value]) -> Result<()> {
        let inst = self.append(data);
        let control = self.control(inst, suffix);
        self.define(inst, control, results)
    }

    fn needed(&self, word: Token, suffix: Option<Type>) -> Result<Type> {
        suffix.ok_or_else(|| {
            let name = self.p.word(word);
            self.p.error(word.span(), format!("`{name}` needs a type, as in `{name}.i32`"))
        })
    }

    fn value_and_number(&mut self) -> Result<(Value, Literal)> {
        let arg = self.value()?;
        self.p.expect(Kind::Comma, "`,` and a number")?;
        let (literal, _) = self.p.literal("a number")?;
        Ok((arg, literal))
    }

    /// `ss0+4`, as a value.
    fn old_stack_address(&mut self, start: crate::text::Span) -> Result<Value> {
        let slot = self.stack_slot()?;
        let offset = Offset32(self.p.offset32()?);
        self.span = start.to(self.p.previous().span());
        let address = self.fresh_value();
        let data = InstData::StackAddr { opcode: Opcode::StackAddr, slot, offset };
        self.add(data, Some(address_type(&self.p.options)), &[address])?;
        Ok(address)
    }

    /// Gives a value that exists the name of a result.
    fn name_value(&mut self, v: Value, results: &[Value]) -> Result<()> {
        match results {
            [] => Ok(()),
            &[result] => {
                self.make_alias(result, v, self.span);
                Ok(())
            }
            _ => Err(self.p.error(self.span, "more names than results")),
        }
    }

    /// `results = global_value.ty global`: from the end of the chain of global values back.
    fn expand_global_value(&mut self, global: GlobalValue, ty: Type, results: &[Value]) -> Result<()> {
        let mut chain: Vec<GlobalValue> = Vec::new();
        let mut at = global;
        loop {
            chain.push(at);
            if chain.len() > LONGEST_CHAIN {
                let message =
                    format!("{global} is computed from itself, or from more than {LONGEST_CHAIN} others");
                return Err(self.p.error(self.span, message));
            }
            match &self.func.global_values[at] {
                GlobalValueData::Load { base, .. } | GlobalValueData::IAddImm { base, .. } => at = *base,
                GlobalValueData::VMContext | GlobalValueData::Symbol { .. } => break,
            }
        }
        let mut value: Option<Value> = None;
        while let Some(at) = chain.pop() {
            let last = chain.is_empty();
            let own;
            let names: &[Value] = if last {
                results
            } else {
                own = [self.fresh_value()];
                &own
            };
            let base = value;
            value = names.first().copied();
            match (self.func.global_values[at].clone(), base) {
                (GlobalValueData::VMContext, _) => {
                    let param = self.vmctx()?;
                    if last {
                        self.name_value(param, results)?;
                    }
                    value = Some(param);
                }
                (GlobalValueData::Symbol { tls, .. }, _) => {
                    let opcode = if tls { Opcode::TlsValue } else { Opcode::SymbolValue };
                    // A symbol at the beginning of a chain is an address, as wide as what is computed.
                    self.add(InstData::UnaryGlobalValue { opcode, global: at }, Some(ty), names)?;
                }
                (GlobalValueData::Load { offset, ty, flags, .. }, Some(base)) => {
                    let offset = Offset32(offset);
                    let data = InstData::Load { opcode: Opcode::Load, flags, arg: base, offset };
                    self.add(data, Some(ty), names)?;
                }
                (GlobalValueData::IAddImm { offset, ty, .. }, Some(base)) => {
                    let literal = Literal { negative: offset < 0, magnitude: offset.unsigned_abs().into() };
                    let number = self.constant_of(Control::Is(ty), literal, true)?;
                    let data = InstData::Binary { opcode: Opcode::Iadd, args: [base, number] };
                    self.add(data, Some(ty), names)?;
                }
                (GlobalValueData::Load { .. } | GlobalValueData::IAddImm { .. }, None) => {}
            }
        }
        Ok(())
    }

    /// The entry block's parameter that is the context.
    fn vmctx(&self) -> Result<Value> {
        let index = self.func.signature.special_param_index(ArgumentPurpose::VMContext);
        let entry = self.func.layout.entry_block();
        match (index, entry) {
            (Some(index), Some(entry)) => self.func.dfg.block_params(entry).get(index).copied(),
            _ => None,
        }
        .ok_or_else(|| self.p.error(self.span, "the function has no parameter with purpose `vmctx`"))
    }
}
