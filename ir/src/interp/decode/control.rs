//! Branches with their copies, returns, traps, calls.

use super::{Decoded, Decoder, NONE, malformed};
use crate::entities::{ExceptionTable, Inst, Value};
use crate::instdata::{BlockArg, BlockCall, ExceptionItem, InstData, ValueList};
use crate::interp::op::*;
use crate::interp::slots;
use crate::opcode::Opcode;
use crate::signature::{ArgumentPurpose, Signature};
use crate::types::Type;
use alloc::format;
use alloc::vec::Vec;

impl Decoder<'_, '_> {
    pub(super) fn branch(&mut self, inst: Inst) -> Decoded {
        match self.dfg.insts[inst] {
            InstData::Jump { dest, .. } => {
                let edge = self.edge(&dest, &[], &[])?;
                self.push(Op::Jump { edge });
            }
            InstData::Brif { arg, dests, .. } => {
                let then = self.edge(&dests[0], &[], &[])?;
                let otherwise = self.edge(&dests[1], &[], &[])?;
                match slots::branch_compare(self.func, inst) {
                    Some(compare) => self.compare_branch(compare, then, otherwise)?,
                    None => {
                        let c = self.condition(arg)?;
                        self.push(Op::Brif { c, then, otherwise });
                    }
                }
            }
            InstData::BranchTable { arg, table, .. } => {
                let Some(table) = self.dfg.jump_tables.get(table) else {
                    return malformed(format!("{table} does not exist"));
                };
                let mut edges = Vec::with_capacity(1 + table.table.len());
                for call in table.all() {
                    edges.push(self.edge(call, &[], &[])?);
                }
                let a = self.slot(arg)?;
                let first = self.body.lists.len() as u32;
                let count = edges.len() as u32 - 1;
                self.body.lists.extend(edges);
                self.push(Op::BrTable { a, first, count });
            }
            _ => return malformed("a branch with other operands"),
        }
        Ok(())
    }

    pub(super) fn compare_branch(&mut self, compare: Inst, then: u32, otherwise: u32) -> Decoded {
        let InstData::IntCompare { cond, args, .. } = self.dfg.insts[compare] else {
            return malformed("icmp with other operands");
        };
        let (cond, sign_bit) = (IntCond::new(cond), self.ty(args[0]).bits() as u8 - 1);
        let a = self.slot(args[0])?;
        match slots::immediate(self.func, compare) {
            Some(n) => {
                self.push(Op::BrIcmpImm { cond, sign_bit, a, imm: n as u32, then, otherwise });
            }
            None => {
                let b = self.slot(args[1])?;
                self.push(Op::BrIcmp { cond, sign_bit, a, b, then, otherwise });
            }
        }
        Ok(())
    }

    pub(super) fn ret(&mut self, inst: Inst) -> Decoded {
        let args = self.dfg.inst_args(inst);
        self.check_values(args, &self.func.signature.returns, "the returned values")?;
        let mut words = Vec::new();
        for &v in args {
            self.words(v, &mut words)?;
        }
        let (first, count) = (self.body.lists.len() as u32, words.len() as u32);
        self.body.lists.extend(words);
        self.push(Op::Return { first, count });
        Ok(())
    }

    pub(super) fn words(&self, v: Value, out: &mut Vec<u32>) -> Decoded {
        let first = self.slot(v)?;
        out.extend(first..first + slots_of(self.ty(v)));
        Ok(())
    }

    pub(super) fn trap(&mut self, inst: Inst) -> Decoded {
        match self.dfg.insts[inst] {
            InstData::Trap { code, .. } => self.push(Op::Trap { code: code.as_u8() }),
            InstData::CondTrap { opcode, arg, code } => {
                let a = self.condition(arg)?;
                let code = code.as_u8();
                self.push(match opcode {
                    Opcode::Trapz => Op::Trapz { a, code },
                    _ => Op::Trapnz { a, code },
                });
            }
            _ => return malformed("a trap with other operands"),
        }
        Ok(())
    }

    /// An edge to `call`'s block. `rets` and `exns` are slots and types of what a `try_call` passes on.
    pub(super) fn edge(
        &mut self,
        call: &BlockCall,
        rets: &[(u32, Type)],
        exns: &[(u32, Type)],
    ) -> Decoded<u32> {
        let block = call.block;
        if !self.dfg.block_is_valid(block) || !self.func.layout.is_block_inserted(block) {
            return malformed(format!("{block} does not exist"));
        }
        let params = self.dfg.block_params(block);
        if params.len() != call.len(&self.dfg.block_args) {
            return malformed(format!("another number of arguments than {block} has parameters"));
        }
        let mut copies = Vec::new();
        for (&param, arg) in params.iter().zip(call.args(&self.dfg.block_args)) {
            let (source, ty) = match arg {
                BlockArg::Value(v) => (self.slot(v)?, self.ty(v)),
                BlockArg::TryCallRet(n) => match rets.get(n as usize) {
                    Some(&ret) => ret,
                    None => return malformed(format!("ret{n} does not exist here")),
                },
                BlockArg::TryCallExn(n) => match exns.get(n as usize) {
                    Some(&exn) => exn,
                    None => return malformed(format!("exn{n} does not exist here")),
                },
            };
            let dest = self.slot(param)?;
            if self.ty(param) != ty {
                return malformed(format!("{arg} is {ty}, but {block} takes {}", self.ty(param)));
            }
            copies.extend((0..slots_of(ty)).map(|i| (dest + i, source + i)));
        }
        let first_move = self.body.moves.len() as u32;
        self.sequence(&copies);
        let end_move = self.body.moves.len() as u32;
        let edge = Edge { target: block.as_u32(), cost: 0, first_move, end_move };
        self.body.edges.push(edge);
        Ok(self.body.edges.len() as u32 - 1)
    }

    /// Orders copies that happen at once into copies one after another. Destinations are distinct.
    pub(super) fn sequence(&mut self, copies: &[(u32, u32)]) {
        let count = self.slots.count as usize;
        if self.source_of.len() < count {
            self.source_of.resize(count, NONE);
            self.readers.resize(count, 0);
        }
        let mut pending = 0usize;
        for &(d, s) in copies {
            if d != s && self.source_of[d as usize] == NONE {
                self.source_of[d as usize] = s;
                self.readers[s as usize] += 1;
                pending += 1;
            }
        }
        // What nobody reads any more may be overwritten.
        let mut ready: Vec<u32> = copies
            .iter()
            .map(|&(d, _)| d)
            .filter(|&d| self.source_of[d as usize] != NONE && self.readers[d as usize] == 0)
            .collect();
        let mut cycles = copies.iter().map(|&(d, _)| d);
        // In a cycle that was broken, the slot whose old content is in scratch.
        let mut saved = NONE;
        while pending > 0 {
            let Some(d) = ready.pop() else {
                // Only cycles are left: each of their slots has one reader.
                let Some(d) = cycles.find(|&d| self.source_of[d as usize] != NONE) else { break };
                self.body.moves.push((self.scratch, d));
                saved = d;
                self.readers[d as usize] = 0;
                ready.push(d);
                continue;
            };
            let s = core::mem::replace(&mut self.source_of[d as usize], NONE);
            if s == NONE {
                continue;
            }
            pending -= 1;
            if s == saved {
                self.body.moves.push((d, self.scratch));
                saved = NONE;
                continue;
            }
            self.body.moves.push((d, s));
            self.readers[s as usize] -= 1;
            if self.readers[s as usize] == 0 && self.source_of[s as usize] != NONE {
                ready.push(s);
            }
        }
        for &(d, s) in copies {
            self.source_of[d as usize] = NONE;
            self.readers[s as usize] = 0;
        }
    }

    // ----- Calls -----

    pub(super) fn func_addr(&mut self, inst: Inst) -> Decoded {
        let InstData::FuncAddr { func, .. } = self.dfg.insts[inst] else {
            return malformed("func_addr with other operands");
        };
        let Some(data) = self.dfg.ext_funcs.get(func) else {
            return malformed(format!("{func} does not exist"));
        };
        let d = self.address_result()?;
        let address = self.link.callable_address(&data.name);
        self.constant(d, address);
        Ok(())
    }

    pub(super) fn handler_address(&mut self, inst: Inst) -> Decoded {
        let InstData::ExceptionHandlerAddress { index, .. } = self.dfg.insts[inst] else {
            return malformed("get_exception_handler_address with other operands");
        };
        let d = self.address_result()?;
        let address = self.link.callable_address(&self.func.name) + 1 + u64::from(index % 127);
        self.constant(d, address);
        Ok(())
    }

    pub(super) fn call(&mut self, inst: Inst) -> Decoded {
        let none = ValueList::new();
        let (func, args, table) = match self.dfg.insts[inst] {
            InstData::Call { func, args, .. } => (Some(func), args, None),
            InstData::TryCall { func, args, exception, .. } => (Some(func), args, Some(exception)),
            InstData::CallIndirect { args, .. } => (None, args, None),
            InstData::TryCallIndirect { args, exception, .. } => (None, args, Some(exception)),
            _ => (None, none, None),
        };
        let Some(sig) = self.dfg.call_signature(inst).and_then(|sig| self.dfg.signatures.get(sig)) else {
            return malformed("a call of what does not exist, or without a signature");
        };
        let mut operands = args.as_slice(&self.dfg.value_lists);
        let mut target = None;
        if func.is_none() {
            let Some((&address, rest)) = operands.split_first() else {
                return malformed("an indirect call without its operands");
            };
            target = Some(self.address_slot(address)?);
            operands = rest;
        }
        self.check_values(operands, &sig.params, "the arguments")?;
        let opcode = self.dfg.opcode(inst);
        let tail = opcode.is_return();
        if tail && self.link.shape(sig) != self.body.sig {
            let own = &self.func.signature.returns;
            let same = own.len() == sig.returns.len()
                && own.iter().zip(&sig.returns).all(|(a, b)| a.value_type == b.value_type);
            if !same {
                return malformed("a tail call whose results differ from the function's");
            }
        }
        let callee = match func.and_then(|func| self.dfg.ext_funcs.get(func)) {
            Some(data) => self.link.callable(&data.name),
            None => NONE,
        };
        let mut site = self.call_site(sig, callee, operands)?;
        if let Some(table) = table {
            return self.try_call(site, target, table, sig);
        }
        if !tail && !sig.returns.is_empty() {
            self.check_values(self.dfg.inst_results(inst), &sig.returns, "the results")?;
            site.ret = self.dest()?;
        }
        if tail && !site.structs.is_empty() {
            return malformed("a tail call with structures by value");
        }
        let site = self.add_site(site);
        self.push(match (target, tail) {
            (None, false) => Op::Call { site },
            (None, true) => Op::TailCall { site },
            (Some(a), false) => Op::CallIndirect { site, a },
            (Some(a), true) => Op::TailCallIndirect { site, a },
        });
        Ok(())
    }

    pub(super) fn call_site(
        &mut self,
        sig: &Signature,
        callee: u32,
        operands: &[Value],
    ) -> Decoded<CallSite> {
        let mut args = Vec::new();
        let mut structs = Vec::new();
        for (&v, param) in operands.iter().zip(&sig.params) {
            if let ArgumentPurpose::StructArgument(layout) = param.purpose {
                structs.push((args.len() as u32, layout.bytes));
            }
            self.words(v, &mut args)?;
        }
        let sig = self.link.shape(sig);
        Ok(CallSite { callee, sig, args, ret: 0, exn: 0, structs, handlers: Vec::new() })
    }

    pub(super) fn add_site(&mut self, site: CallSite) -> u32 {
        self.body.sites.push(site);
        self.body.sites.len() as u32 - 1
    }

    /// Results and payload go to slots of their own; the edges copy them on.
    pub(super) fn try_call(
        &mut self,
        mut site: CallSite,
        target: Option<u32>,
        table: ExceptionTable,
        sig: &Signature,
    ) -> Decoded {
        let Some(table) = self.dfg.exception_tables.get(table) else {
            return malformed(format!("{table} does not exist"));
        };
        let mut rets = Vec::new();
        site.ret = self.slots.count;
        for param in &sig.returns {
            rets.push((self.slots.fresh(slots_of(param.value_type)), param.value_type));
        }
        site.exn = self.slots.fresh(2);
        let address = self.link.address_type;
        let exns = [(site.exn, address), (site.exn + 1, address)];
        for item in &table.items {
            site.handlers.push(match item {
                ExceptionItem::Tag(tag, call) => Handler::Tag(tag.as_u32(), self.edge(call, &[], &exns)?),
                ExceptionItem::Default(call) => Handler::Default(self.edge(call, &[], &exns)?),
                ExceptionItem::Context(v) => Handler::Context(self.slot(*v)?),
            });
        }
        let normal = self.edge(&table.normal, &rets, &[])?;
        let site = self.add_site(site);
        self.push(match target {
            None => Op::Call { site },
            Some(a) => Op::CallIndirect { site, a },
        });
        self.push(Op::Jump { edge: normal });
        Ok(())
    }
}
