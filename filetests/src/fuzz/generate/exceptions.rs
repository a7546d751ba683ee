//! Calls that may throw, and functions that throw.
//!
//! Tags and contexts are few, so that some handlers fit, some do not, and some exceptions leave the outermost function: those
//! trap, with a code of their own.

use super::body::Body;
use windlass_ir::entity::EntityRef;
use windlass_ir::{
    BlockArg, CallConv, ExceptionItem, ExceptionTableData, ExceptionTag, ExtFuncData, ExternalName, Function,
    InstBuilder, Signature, TrapCode, Type, Value, types,
};

/// Tags are below this; 0 is thrown by nobody.
const TAGS: usize = 4;
/// Contexts are below this.
const CONTEXTS: usize = 3;

/// Functions that throw or return, as their arguments say: without a context and with one.
pub(super) fn throwers(address: Type) -> Vec<Function> {
    let mut out = Vec::new();
    for context in ["", "_in"] {
        let (param, arg) =
            if context.is_empty() { (String::new(), "") } else { (format!(", {address}"), ", v9") };
        let entry = if context.is_empty() { String::new() } else { format!(", v9: {address}") };
        let text = format!(
            "function %throw_some{context}(i32, {address}, {address}{param}) -> i32, {address} system_v {{
                 fn0 = %__windlass_throw{context}(i32, {address}, {address}{param}) system_v
             block0(v0: i32, v1: {address}, v2: {address}{entry}):
                 v3 = iconst.i32 3
                 v4 = band v0, v3
                 brif v4, block1, block2
             block1:
                 call fn0(v4, v1, v2{arg})
                 trap user9
             block2:
                 return v0, v2
             }}"
        );
        out.extend(windlass_ir::text::parse_function(&text));
    }
    out
}

impl Body<'_> {
    /// A number below `n` as an address, that nobody knows; or one that everybody does.
    fn small(&mut self, ty: Type, n: usize) -> Value {
        if self.random.chance(60) {
            let k = self.random.below(n);
            return self.constant_of(ty, k as u128);
        }
        let v = self.variable(ty);
        let mask = self.constant_of(ty, n.next_power_of_two() as u128 - 1);
        self.at().ins().band(v, mask)
    }

    /// Ends the block with a call that returns to the first of `targets`, or throws to the others.
    pub(super) fn try_call(&mut self, targets: &[usize]) {
        // The convention that nobody else knows has no exceptions.
        let fit: Vec<usize> = (0..self.callees.len())
            .filter(|&n| self.callees[n].signature.call_conv != CallConv::Fast)
            .collect();
        let Some(&callee) = self.random.pick(&fit) else { return self.throw() };
        let (func, sig, address) = self.callee(callee);
        let (args, _) = self.arguments(callee);
        let ty = self.menu.address;
        let returns = self.callees[callee].signature.returns.clone();
        let results: Vec<(Type, BlockArg)> =
            (0..).zip(&returns).map(|(i, result)| (result.value_type, BlockArg::TryCallRet(i))).collect();
        let payloads = [(ty, BlockArg::TryCallExn(0)), (ty, BlockArg::TryCallExn(1))];
        let mut items = Vec::new();
        let contexts = self.random.chance(35);
        for (i, &target) in targets[1..].iter().enumerate() {
            if contexts && self.random.chance(50) {
                items.push(ExceptionItem::Context(self.small(ty, CONTEXTS)));
            }
            let dest = self.block_call_with(target, &payloads);
            let last = i + 2 == targets.len();
            if last && self.random.chance(40) || self.random.chance(5) {
                items.push(ExceptionItem::Default(dest));
            } else {
                items.push(ExceptionItem::Tag(ExceptionTag::new(self.random.below(TAGS)), dest));
            }
        }
        let normal = self.block_call_with(targets[0], &results);
        let table = self.func.dfg.exception_tables.push(ExceptionTableData { sig, normal, items });
        match address {
            Some(address) => self.at().ins().try_call_indirect(address, &args, table),
            None => self.at().ins().try_call(func, &args, table),
        };
    }

    /// Ends the block with an exception.
    pub(super) fn throw(&mut self) {
        let ty = self.menu.address;
        let in_context = self.random.chance(50);
        let tag = self.small(types::I32, TAGS);
        let mut args = vec![tag, self.value(ty), self.value(ty)];
        if in_context {
            args.push(self.small(ty, CONTEXTS));
        }
        let mut signature = Signature::new(CallConv::SystemV);
        for &arg in &args {
            signature.params.push(windlass_ir::AbiParam::new(self.func.dfg.value_type(arg)));
        }
        let name = ExternalName::symbol(if in_context { "__windlass_throw_in" } else { "__windlass_throw" });
        let signature = self.func.dfg.signatures.push(signature);
        let colocated = self.random.chance(50);
        let func = self.func.dfg.ext_funcs.push(ExtFuncData { name, signature, colocated });
        self.at().ins().call(func, &args);
        self.at().ins().trap(TrapCode::HEAP_OUT_OF_BOUNDS);
    }
}
