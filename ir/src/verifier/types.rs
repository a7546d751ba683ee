//! The type rules of single instructions: what the opcode table says, and the few rules that it has no words
//! for.

use super::Check;
use crate::entities::{Constant, Inst};
use crate::function::GlobalValueData;
use crate::instdata::{ExceptionItem, InstData};
use crate::memflags::MemFlags;
use crate::opcode::{Ctrl, Opcode, OpcodeDef, Ty, TypeSet};
use crate::types::{F128, INVALID, Type};
use alloc::format;

impl Check<'_> {
    /// Checks types, immediates, and control flow of `inst`.
    pub(super) fn instruction(&mut self, inst: Inst) {
        let def = self.func.dfg.opcode(inst).def();
        if let Some(ctrl) = self.controlling_type(inst, def) {
            self.operands(inst, def, ctrl);
            self.results(inst, def, ctrl);
            self.immediates(inst, ctrl);
        }
        self.flow(inst, def);
    }

    /// Finds the controlling type, invalid for an opcode without. `None`, after a fault, if it is wrong.
    fn controlling_type(&mut self, inst: Inst, def: &OpcodeDef) -> Option<Type> {
        let dfg = &self.func.dfg;
        let recorded = dfg.ctrl_type(inst);
        let (ty, set) = match def.ctrl {
            Ctrl::None => return Some(INVALID),
            Ctrl::Suffix(set) => (recorded, set),
            Ctrl::Operand(i, set) => {
                let Some(&v) = dfg.inst_args(inst).get(usize::from(i)) else {
                    self.fault(inst, format!("operand {i} is missing"));
                    return None;
                };
                let ty = dfg.value_type(v);
                if !recorded.is_invalid() && recorded != ty {
                    let message =
                        format!("its controlling type is {recorded}, but arg {i} ({v}) has type {ty}");
                    self.fault(inst, message);
                }
                (ty, set)
            }
        };
        if !set.contains(ty) {
            let message = if ty.is_invalid() {
                format!("has no controlling type; it must be {}", set.describe())
            } else {
                format!("has an invalid controlling type {ty}; it must be {}", set.describe())
            };
            self.fault(inst, message);
            return None;
        }
        self.address(inst, set, ty, "the controlling type");
        Some(ty)
    }

    /// Where the table asks for an address and the target's are known, only those will do.
    fn address(&mut self, inst: Inst, set: TypeSet, ty: Type, what: impl core::fmt::Display) {
        if let Some(address) = self.address_type
            && set == TypeSet::Addr
            && ty != address
        {
            self.fault(inst, format!("{what} is {ty}, but addresses have type {address}"));
        }
    }

    fn operands(&mut self, inst: Inst, def: &OpcodeDef, ctrl: Type) {
        let dfg = &self.func.dfg;
        let args = dfg.inst_args(inst);
        if args.len() < def.args.len() {
            return self.fault(inst, format!("has {} operands, needs {}", args.len(), def.args.len()));
        }
        for (i, (&v, &expected)) in args.iter().zip(def.args).enumerate() {
            let ty = dfg.value_type(v);
            // Most operands have the controlling type.
            if expected == Ty::T && ty == ctrl {
                continue;
            }
            if !expected.accepts(ctrl, ty) {
                let message = match expected.resolve(ctrl) {
                    Some(expected) => format!("arg {i} ({v}) has type {ty}, expected {expected}"),
                    None if ctrl.is_invalid() || matches!(expected, Ty::Any(_)) => {
                        format!("arg {i} ({v}) has type {ty}, expected {}", expected.describe())
                    }
                    None => {
                        format!(
                            "arg {i} ({v}) has type {ty}, expected {}, which is {ctrl}",
                            expected.describe()
                        )
                    }
                };
                self.fault(inst, message);
            } else if let Ty::Any(set) = expected {
                self.address(inst, set, ty, format_args!("the type of arg {i} ({v})"));
            }
        }
    }

    fn results(&mut self, inst: Inst, def: &OpcodeDef, ctrl: Type) {
        // The results of calls are those of the signature.
        if def.opcode.is_call() {
            return;
        }
        let dfg = &self.func.dfg;
        let results = dfg.inst_results(inst);
        if results.len() != def.results.len() {
            return self.fault(inst, format!("has {} results, gives {}", results.len(), def.results.len()));
        }
        for (i, (&v, result)) in results.iter().zip(def.results).enumerate() {
            let ty = dfg.value_type(v);
            if *result == Ty::T && ty == ctrl {
                continue;
            }
            match result.resolve(ctrl).filter(|expected| !expected.is_invalid()) {
                Some(expected) if expected != ty => {
                    self.fault(inst, format!("result {i} ({v}) has type {ty}, expected {expected}"));
                }
                Some(_) => {}
                None => {
                    let what = result.describe();
                    self.fault(
                        inst,
                        format!("result {i} ({v}) would be {what}, but there is none for {ctrl}"),
                    );
                }
            }
        }
    }

    /// Rules about what is not a type.
    fn immediates(&mut self, inst: Inst, ctrl: Type) {
        let dfg = &self.func.dfg;
        match dfg.insts[inst] {
            InstData::UnaryImm { opcode: Opcode::Iconst, imm } => {
                // As a signed number of the type, or as an unsigned one.
                let (n, bits) = (imm.get(), ctrl.bits());
                if bits < 64 && !(-(1i64 << (bits - 1))..1i64 << bits).contains(&n) {
                    self.fault(inst, format!("constant immediate {n} is out of bounds for {ctrl}"));
                }
            }
            InstData::UnaryConst { opcode, constant } => {
                self.constant(inst, constant, if opcode == Opcode::F128const { F128 } else { ctrl });
            }
            InstData::UnaryGlobalValue { opcode, global } => {
                let (tls, wanted) = match opcode {
                    Opcode::TlsValue => (true, "a thread-local symbol"),
                    _ => (false, "a symbol that is not thread-local"),
                };
                match self.func.global_values[global] {
                    GlobalValueData::Symbol { tls: is, .. } if is == tls => {}
                    _ => self.fault(inst, format!("{global} is not {wanted}")),
                }
            }
            InstData::BinaryImm8 { imm: lane, .. } | InstData::TernaryImm8 { imm: lane, .. } => {
                if u32::from(lane) >= ctrl.lane_count() {
                    self.fault(inst, format!("the lane {lane} does not index into the type {ctrl}"));
                }
            }
            InstData::Shuffle { mask, .. } => {
                let mask = &dfg.immediates[mask];
                if mask.len() != 16 {
                    self.fault(inst, format!("the shuffle mask has {} bytes, needs 16", mask.len()));
                } else if let Some(index) = mask.iter().find(|&&index| index >= 32) {
                    self.fault(inst, format!("the shuffle index {index} is larger than the maximum 31"));
                }
            }
            InstData::LoadNoOffset { opcode: Opcode::Bitcast, flags, arg } => {
                let order = flags.explicit_endianness();
                if flags != order.map_or(MemFlags::new(), |order| MemFlags::new().with_endianness(order)) {
                    self.fault(inst, "bitcast takes no memory flags but `little` and `big`");
                }
                let lanes = dfg.value_type(arg).lane_count();
                if lanes != ctrl.lane_count() && order.is_none() {
                    let to = ctrl.lane_count();
                    self.fault(
                        inst,
                        format!("byte order specifier required for a bitcast from {lanes} to {to} lanes"),
                    );
                }
            }
            InstData::ExceptionHandlerAddress { block, index, .. } => {
                let handlers = self.func.layout.last_inst(block).and_then(|last| match dfg.insts[last] {
                    InstData::TryCall { exception, .. } | InstData::TryCallIndirect { exception, .. } => {
                        let items = &dfg.exception_tables[exception].items;
                        Some(items.iter().filter(|item| !matches!(item, ExceptionItem::Context(_))).count())
                    }
                    _ => None,
                });
                match handlers {
                    None => self.fault(inst, format!("{block} does not end in a try_call")),
                    Some(n) if index as usize >= n => {
                        self.fault(inst, format!("handler {index} of {block} does not exist: there are {n}"));
                    }
                    Some(_) => {}
                }
            }
            ref data => {
                if data.opcode().can_store() && data.mem_flags().is_some_and(|flags| flags.readonly()) {
                    self.fault(inst, "a store instruction cannot have the `readonly` memory flag");
                }
            }
        }
    }

    fn constant(&mut self, inst: Inst, constant: Constant, ty: Type) {
        let len = self.func.dfg.constants[constant].len();
        if len != ty.bytes() as usize {
            self.fault(inst, format!("{constant} has {len} bytes, but {ty} needs {}", ty.bytes()));
        }
    }
}
