//! Types of results: at once where the controlling type is known, else at the end, from what was defined later.
//!
//! An instruction whose controlling operand has no type yet waits for it. When everything is read, a work list runs over
//! those that wait for a value whose type is known; each gives types to its results and wakes who waits for them. Linear:
//! every instruction waits for one value and is woken once. What still waits then depends on itself.

use super::Result;
use super::function::FunctionParser;
use crate::entities::*;
use crate::immediates::Imm64;
use crate::instdata::InstData;
use crate::opcode::Opcode;
use crate::text::error::Span;
use crate::text::ints::Literal;
use crate::types::{self, Type};
use alloc::format;
use alloc::vec::Vec;
use core::ops::Range;
use cranelift_entity::SecondaryMap;

/// A controlling type, known or to be known.
#[derive(Clone, Copy)]
pub(super) enum Control {
    Is(Type),
    TypeOf(Value),
}

/// Something that waits for the type of `on`.
pub(super) struct Pending {
    on: Value,
    span: Span,
    what: What,
}

enum What {
    /// Results of an instruction, by their place in the parser's list.
    Results(Inst, Range<usize>),
    /// An alias of the value.
    Alias(Value),
    /// A constant of the value's type.
    Constant(Inst, Value, Literal, bool),
}

impl FunctionParser<'_, '_> {
    fn known(&self, control: Control) -> Option<Type> {
        match control {
            Control::Is(ty) => Some(ty),
            Control::TypeOf(v) => {
                let ty = self.func.dfg.value_type(v);
                (!ty.is_invalid()).then_some(ty)
            }
        }
    }

    /// Defines `results` as those of `inst`. No results at all stand for values without names.
    pub(super) fn define(&mut self, inst: Inst, control: Control, results: &[Value]) -> Result<()> {
        self.check_result_count(inst, results.len())?;
        match (self.known(control), control) {
            (Some(ty), _) => self.define_now(inst, ty, results, self.span),
            (None, Control::TypeOf(on)) => {
                let start = self.pending_results.len();
                self.pending_results.extend_from_slice(results);
                let what = What::Results(inst, start..self.pending_results.len());
                self.pending.push(Pending { on, span: self.span, what });
                Ok(())
            }
            (None, Control::Is(_)) => Ok(()),
        }
    }

    fn check_result_count(&self, inst: Inst, named: usize) -> Result<()> {
        let dfg = &self.func.dfg;
        let opcode = dfg.opcode(inst);
        let count = match dfg.call_signature(inst) {
            Some(sig) if !opcode.is_terminator() => dfg.signatures.get(sig).map_or(0, |s| s.returns.len()),
            _ => opcode.def().results.len(),
        };
        if named == 0 || named == count {
            return Ok(());
        }
        let plural = if count == 1 { "result" } else { "results" };
        Err(self.p.error(self.span, format!("`{opcode}` gives {count} {plural}, but {named} are named")))
    }

    fn define_now(&mut self, inst: Inst, ty: Type, results: &[Value], span: Span) -> Result<()> {
        let def = self.func.dfg.opcode(inst).def();
        for result in def.results {
            if result.resolve(ty).is_none_or(Type::is_invalid) {
                let takes = def.ctrl.types().map_or("no type", |set| set.describe());
                return Err(self
                    .p
                    .error(span, format!("`{}` is not defined for {ty}: it takes {takes}", def.name)));
            }
        }
        self.func.dfg.define_inst_results(inst, ty, results);
        Ok(())
    }

    /// Makes `v` an alias of `original`.
    pub(super) fn make_alias(&mut self, v: Value, original: Value, span: Span) {
        match self.known(Control::TypeOf(original)) {
            Some(ty) => self.alias_now(v, original, ty),
            None => self.pending.push(Pending { on: original, span, what: What::Alias(v) }),
        }
    }

    /// Aliases point to what is no alias, so that following one takes one step.
    fn alias_now(&mut self, v: Value, original: Value, ty: Type) {
        let original = self.func.dfg.alias_of(original).unwrap_or(original);
        self.func.dfg.define_alias(v, ty, original);
    }

    /// Appends a constant of the type that `control` says, and returns it. `signed`: an `i128` takes the sign of
    /// the 64 bits that an instruction can hold.
    pub(super) fn constant_of(&mut self, control: Control, literal: Literal, signed: bool) -> Result<Value> {
        let v = self.fresh_value();
        let inst = self.append(InstData::UnaryImm { opcode: Opcode::Iconst, imm: Imm64(0) });
        match (self.known(control), control) {
            (Some(ty), _) => self.constant_now(inst, v, literal, signed, ty, self.span)?,
            (None, Control::TypeOf(on)) => {
                let what = What::Constant(inst, v, literal, signed);
                self.pending.push(Pending { on, span: self.span, what });
            }
            (None, Control::Is(_)) => {}
        }
        Ok(v)
    }

    fn constant_now(
        &mut self,
        inst: Inst,
        v: Value,
        literal: Literal,
        signed: bool,
        ty: Type,
        span: Span,
    ) -> Result<()> {
        let (opcode, wide) = (Opcode::Iconst, ty == types::I128);
        let iconst_type = if wide { types::I64 } else { ty };
        if !iconst_type.is_int() {
            return Err(self.p.error(span, format!("a number as operand needs an integer type, not {ty}")));
        }
        let Some(bits) = literal.fit(iconst_type.bits()) else {
            return Err(self.p.error(span, format!("a number out of the range of {iconst_type}")));
        };
        let imm = Imm64(Imm64(bits as i64).sign_extended(iconst_type.bits()));
        self.func.dfg.insts[inst] = InstData::UnaryImm { opcode, imm };
        if !wide {
            return self.define_now(inst, ty, &[v], span);
        }
        let half = self.fresh_value();
        self.define_now(inst, types::I64, &[half], span)?;
        let opcode = if signed { Opcode::Sextend } else { Opcode::Uextend };
        let extend = self.func.dfg.make_inst(InstData::Unary { opcode, arg: half });
        self.func.layout.insert_inst_after(extend, inst);
        self.func.srclocs[extend] = self.func.srclocs[inst];
        self.map.insts[extend] = span;
        self.define_now(extend, types::I128, &[v], span)
    }

    /// Gives types to all that waits for one.
    pub(super) fn infer_types(&mut self) -> Result<()> {
        if self.pending.is_empty() {
            return Ok(());
        }
        let pending = core::mem::take(&mut self.pending);
        const NONE: u32 = u32::MAX;
        // Lists of who waits for a value: the first of them, and who comes after each.
        let mut first: SecondaryMap<Value, u32> = SecondaryMap::with_default(NONE);
        let mut next: Vec<u32> = alloc::vec![NONE; pending.len()];
        let mut ready: Vec<u32> = Vec::new();
        for (i, p) in pending.iter().enumerate().rev() {
            if self.known(Control::TypeOf(p.on)).is_some() {
                ready.push(i as u32);
            } else {
                next[i] = core::mem::replace(&mut first[p.on], i as u32);
            }
        }
        let mut done: Vec<bool> = alloc::vec![false; pending.len()];
        let mut defined: Vec<Value> = Vec::new();
        while let Some(i) = ready.pop() {
            let p = &pending[i as usize];
            done[i as usize] = true;
            let ty = self.func.dfg.value_type(p.on);
            match &p.what {
                What::Results(inst, results) => {
                    let results: Vec<Value> = self.pending_results[results.clone()].to_vec();
                    self.define_now(*inst, ty, &results, p.span)?;
                    defined.extend(results);
                }
                &What::Alias(v) => {
                    self.alias_now(v, p.on, ty);
                    defined.push(v);
                }
                &What::Constant(inst, v, literal, signed) => {
                    self.constant_now(inst, v, literal, signed, ty, p.span)?;
                    defined.push(v);
                }
            }
            for v in defined.drain(..) {
                let mut waiter = core::mem::replace(&mut first[v], NONE);
                while waiter != NONE {
                    ready.push(waiter);
                    waiter = next[waiter as usize];
                }
            }
        }
        match pending.iter().zip(&done).filter(|(_, done)| !**done).map(|(p, _)| p).min_by_key(|p| p.span) {
            Some(stuck) => {
                let what = match stuck.what {
                    What::Alias(_) => "an alias of itself".into(),
                    _ => format!("the type of {} depends on itself: write it behind the opcode", stuck.on),
                };
                Err(self.p.error(stuck.span, what))
            }
            None => Ok(()),
        }
    }
}
