//! How control leaves blocks: terminators, destinations and their arguments, calls and returns.

use super::Check;
use crate::entities::{Block, Inst, SigRef, Value};
use crate::instdata::{BlockArg, BlockCall, InstData};
use crate::opcode::{Effects, OpcodeDef, TypeSet};
use crate::signature::{AbiParam, CallConv, Signature};
use alloc::format;

/// Payloads that an exception carries: `exn0` and `exn1`, of the size of an address.
const EXCEPTION_PAYLOADS: u32 = 2;

fn supports_exceptions(call_conv: CallConv) -> bool {
    match call_conv {
        CallConv::Tail
        | CallConv::SystemV
        | CallConv::Aapcs
        | CallConv::AapcsVfp
        | CallConv::AapcsSoftfp
        | CallConv::Elfv1
        | CallConv::Elfv2 => true,
        CallConv::Fast => false,
    }
}

/// What a destination of a branch may be passed besides values.
#[derive(Clone, Copy)]
enum Edge<'a> {
    /// Nothing.
    Plain,
    /// The results of the call.
    Return(&'a Signature),
    /// The payload of the exception.
    Handler,
}

impl Check<'_> {
    /// Checks that `block` is not empty and ends with a terminator, the only one in it, and that its
    /// parameters have types.
    pub(super) fn block(&mut self, block: Block) {
        let (dfg, layout) = (&self.func.dfg, &self.func.layout);
        for &v in dfg.block_params(block) {
            if dfg.value_type(v).is_invalid() {
                self.fault(block, format!("parameter {v} has no type"));
            }
        }
        match layout.last_inst(block) {
            None => self.fault(block, "is empty: a block ends in a terminator"),
            Some(last) if !dfg.opcode(last).is_terminator() => {
                self.fault(last, format!("{block} does not end in a terminator instruction"));
            }
            Some(_) => {}
        }
    }

    /// Checks what `inst`, whose references are sound, does to control.
    pub(super) fn flow(&mut self, inst: Inst, def: &OpcodeDef) {
        if def.effects.has(Effects::TERMINATOR)
            && let Some(next) = self.func.layout.next_inst(inst)
        {
            let message = format!(
                "a terminator instruction was encountered before the end of the block: {next} follows"
            );
            self.fault(inst, message);
        }
        let func = self.func;
        let dfg = &func.dfg;
        match dfg.insts[inst] {
            InstData::Jump { .. } | InstData::Brif { .. } | InstData::BranchTable { .. } => {
                for call in dfg.branch_destinations(inst) {
                    self.destination(inst, call, Edge::Plain);
                }
            }
            InstData::MultiAry { .. } => {
                let args = dfg.inst_args(inst);
                if args.len() != func.signature.returns.len() {
                    let (n, expected) = (args.len(), func.signature.returns.len());
                    let message = format!(
                        "arguments of return must match function signature: got {n}, expected {expected}"
                    );
                    return self.fault(inst, message);
                }
                for (i, (&v, expected)) in args.iter().zip(&func.signature.returns).enumerate() {
                    let (ty, expected) = (dfg.value_type(v), expected.value_type);
                    if ty != expected {
                        let message = format!(
                            "arg {i} ({v}) has type {ty}, must match function signature of {expected}"
                        );
                        self.fault(inst, message);
                    }
                }
            }
            InstData::Call { func, .. } => self.call(inst, dfg.ext_funcs[func].signature, 0),
            InstData::CallIndirect { sig, .. } => self.call(inst, sig, 1),
            InstData::TryCall { func, exception, .. } => {
                let sig = dfg.ext_funcs[func].signature;
                let table = &dfg.exception_tables[exception];
                if dfg.signatures[table.sig] != dfg.signatures[sig] {
                    let message = format!(
                        "exception table signature {} did not match function {func}'s signature {sig}",
                        table.sig
                    );
                    self.fault(inst, message);
                }
                self.call(inst, sig, 0);
                self.try_call(inst, sig);
            }
            InstData::TryCallIndirect { exception, .. } => {
                let sig = dfg.exception_tables[exception].sig;
                self.call(inst, sig, 1);
                self.try_call(inst, sig);
            }
            _ => {}
        }
    }

    fn call(&mut self, inst: Inst, sig: SigRef, skip: usize) {
        let func = self.func;
        let dfg = &func.dfg;
        let callee = &dfg.signatures[sig];
        let opcode = dfg.opcode(inst);
        // That the callee's address is there has been checked.
        let args = dfg.inst_args(inst).get(skip..).unwrap_or(&[]);
        self.call_values(inst, "arg", args, &callee.params);
        if opcode.is_terminator() {
            self.call_values(inst, "result", dfg.inst_results(inst), &[]);
        } else {
            self.call_values(inst, "result", dfg.inst_results(inst), &callee.returns);
        }
        if !opcode.is_return() {
            return;
        }

        if callee.call_conv != CallConv::Tail {
            let message = format!("calling convention `{}` does not support tail calls", callee.call_conv);
            self.fault(inst, message);
        }
        if callee.call_conv != func.signature.call_conv {
            let message = format!(
                "callee's calling convention must match caller: `{}` is not `{}`",
                callee.call_conv, func.signature.call_conv
            );
            self.fault(inst, message);
        }
        let (results, expected) = (&callee.returns, &func.signature.returns);
        if results.len() != expected.len() {
            let message = format!(
                "results of callee must match caller: it gives {}, not {}",
                results.len(),
                expected.len()
            );
            return self.fault(inst, message);
        }
        for (i, (result, expected)) in results.iter().zip(expected).enumerate() {
            let (ty, expected) = (result.value_type, expected.value_type);
            if ty != expected {
                let message =
                    format!("result {i} has type {ty}, must match function signature of {expected}");
                self.fault(inst, message);
            }
        }
    }

    fn call_values(&mut self, inst: Inst, what: &str, values: &[Value], expected: &[AbiParam]) {
        let dfg = &self.func.dfg;
        if values.len() != expected.len() {
            let what = if what == "arg" { "argument" } else { what };
            let message =
                format!("mismatched {what} count: got {}, expected {}", values.len(), expected.len());
            return self.fault(inst, message);
        }
        for (i, (&v, expected)) in values.iter().zip(expected).enumerate() {
            let (ty, expected) = (dfg.value_type(v), expected.value_type);
            if ty != expected {
                self.fault(inst, format!("{what} {i} ({v}) has type {ty}, expected {expected}"));
            }
        }
    }

    fn try_call(&mut self, inst: Inst, sig: SigRef) {
        let dfg = &self.func.dfg;
        let (InstData::TryCall { exception, .. } | InstData::TryCallIndirect { exception, .. }) =
            dfg.insts[inst]
        else {
            return;
        };
        let table = &dfg.exception_tables[exception];
        let callee = &dfg.signatures[sig];
        if !supports_exceptions(callee.call_conv) {
            let message =
                format!("calling convention `{}` of callee does not support exceptions", callee.call_conv);
            self.fault(inst, message);
        }
        let handlers = table.all().count() - 1;
        for call in table.all().take(handlers) {
            self.destination(inst, call, Edge::Handler);
        }
        self.destination(inst, &table.normal, Edge::Return(callee));
    }

    fn destination(&mut self, inst: Inst, call: &BlockCall, edge: Edge<'_>) {
        let (dfg, layout) = (&self.func.dfg, &self.func.layout);
        let block = call.block;
        if !layout.is_block_inserted(block) {
            return self.fault(inst, format!("branches to {block}, which is not in the layout"));
        }
        if layout.entry_block() == Some(block) {
            self.fault(inst, format!("invalid reference to entry block {block}"));
        }
        let params = dfg.block_params(block);
        let n = call.len(&dfg.block_args);
        if n != params.len() {
            let message =
                format!("mismatched argument count for {block}: got {n}, expected {}", params.len());
            return self.fault(inst, message);
        }
        for (i, (arg, &param)) in call.args(&dfg.block_args).zip(params).enumerate() {
            let expected = dfg.value_type(param);
            match arg {
                BlockArg::Value(v) => {
                    let ty = dfg.value_type(v);
                    if ty != expected {
                        self.fault(inst, format!("arg {i} ({v}) has type {ty}, expected {expected}"));
                    }
                }
                BlockArg::TryCallRet(n) => match edge {
                    Edge::Return(sig) => match sig.returns.get(n as usize) {
                        None => {
                            let message = format!(
                                "out-of-bounds `retN` block argument: {arg} of {}",
                                sig.returns.len()
                            );
                            self.fault(inst, message);
                        }
                        Some(result) if result.value_type != expected => {
                            let ty = result.value_type;
                            self.fault(inst, format!("arg {arg} has type {ty}, expected {expected}"));
                        }
                        Some(_) => {}
                    },
                    _ => {
                        let message = "`retN` block argument used outside normal-return target of `try_call`";
                        self.fault(inst, message);
                    }
                },
                BlockArg::TryCallExn(n) => match edge {
                    Edge::Handler if n >= EXCEPTION_PAYLOADS => {
                        let message =
                            format!("out-of-bounds `exnN` block argument: {arg} of {EXCEPTION_PAYLOADS}");
                        self.fault(inst, message);
                    }
                    Edge::Handler => match self.address_type {
                        Some(ty) if ty != expected => {
                            self.fault(inst, format!("arg {arg} has type {ty}, expected {expected}"));
                        }
                        None if !TypeSet::Addr.contains(expected) => {
                            self.fault(inst, format!("arg {arg} has an address type, expected {expected}"));
                        }
                        _ => {}
                    },
                    _ => {
                        let message =
                            "`exnN` block argument used outside exceptional-return target of `try_call`";
                        self.fault(inst, message);
                    }
                },
            }
        }
    }
}
