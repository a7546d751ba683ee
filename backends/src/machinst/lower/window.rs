//! Two instructions of a block that are selected as one: what every target's search for the earlier one needs
//! ([`Machine::joins`]). The two are selected where the earlier one stands, so that the later one moves up, past what
//! stands between.

use super::Lower;
use crate::machinst::Machine;
use windlass_ir::{Effects, Inst, Value};

/// Instructions that are looked at for a partner.
const WINDOW: usize = 24;

impl<M: Machine> Lower<'_, M> {
    /// The instructions shortly before `inst` in its block, the nearest first.
    pub fn before(&self, inst: Inst) -> impl Iterator<Item = Inst> + '_ {
        let layout = &self.func.layout;
        core::iter::successors(layout.prev_inst(inst), |&at| layout.prev_inst(at)).take(WINDOW)
    }

    /// Does `inst` only make its results of its operands?
    pub fn is_pure(&self, inst: Inst) -> bool {
        self.func.dfg.opcode(inst).effects() == Effects::PURE
    }

    /// Is `v`, which is no alias, an operand of `inst`?
    pub fn uses(&self, inst: Inst, v: Value) -> bool {
        self.func.dfg.inst_args(inst).iter().any(|&arg| self.func.dfg.resolve_aliases(arg) == v)
    }

    /// The instruction shortly before `inst` that uses `v` too, if nobody else does and it is selected by itself so far.
    pub fn other_user(&self, inst: Inst, v: Value) -> Option<Inst> {
        if self.use_count(v) != 2 || self.is_wanted(v) {
            return None;
        }
        self.before(inst).find(|&at| self.uses(at, v)).filter(|&at| !self.is_joined(at))
    }

    /// Can the access `inst` move up to `first`, the addition to `base` that makes its address, so that it leaves the sum
    /// in the base's register? Nobody else uses the base; the sum is used behind the access, not before it. `stored` is
    /// what it stores.
    pub fn can_update(
        &self,
        inst: Inst,
        first: Inst,
        base: Value,
        address: Value,
        stored: Option<Value>,
    ) -> bool {
        if stored == Some(address)
            || self.use_count(base) != 1
            || self.is_wanted(base)
            || !self.is_wanted(address)
            || self.is_joined(first)
        {
            return false;
        }
        for at in self.before(inst) {
            if at == first {
                return true;
            }
            let gives_stored = stored.is_some_and(|v| self.func.dfg.inst_results(at).contains(&v));
            if !self.is_pure(at) || self.uses(at, address) || gives_stored || self.is_joined(at) {
                return false;
            }
        }
        false
    }
}
