//! Every use has a definition that dominates it.

use super::Check;
use crate::dfg::ValueDef;
use crate::domtree::DominatorTree;
use crate::entities::{Block, Inst, Value};
use alloc::format;

impl Check<'_> {
    /// Checks the values that `inst` in `block` uses, those that it passes to blocks included.
    pub(super) fn uses(&mut self, inst: Inst, block: Block, reachable: bool, domtree: &DominatorTree) {
        let func = self.func;
        func.dfg.for_each_use(inst, |v| self.check_use(inst, block, reachable, v, domtree));
    }

    fn check_use(&mut self, inst: Inst, block: Block, reachable: bool, v: Value, domtree: &DominatorTree) {
        let definition = self.scratch.definitions[self.resolve(v)];
        let Some(def_block) = definition.block.expand() else {
            return self.undefined(inst, v);
        };
        // Anything holds in a block that is never entered.
        if !reachable {
            return;
        }
        if def_block == block {
            if definition.number >= self.scratch.numbers[inst] {
                self.fault(inst, format!("uses value {v} before its definition"));
            }
        } else if !domtree.dominates(def_block, block) {
            let what = if definition.number == 0 { "an arg" } else { "a result" };
            let message = if domtree.is_reachable(def_block) {
                format!("uses value {v}, {what} from non-dominating {def_block}")
            } else {
                format!("uses value {v}, {what} from unreachable {def_block}")
            };
            self.fault(inst, message);
        }
    }

    /// Says why `v` has no definition in the layout.
    #[cold]
    fn undefined(&mut self, inst: Inst, v: Value) {
        let dfg = &self.func.dfg;
        let message = match dfg.value_def(v) {
            ValueDef::None => format!("uses value {v}, which nothing defines"),
            ValueDef::Result(def, _) if dfg.insts.is_valid(def) && self.scratch.numbers[def] == 0 => {
                format!("uses value {v} from {def}, which is not in the layout")
            }
            ValueDef::Param(block, _) if !self.func.layout.is_block_inserted(block) => {
                format!("uses value {v} from {block}, which is not in the layout")
            }
            ValueDef::Result(def, i) => format!("uses value {v}, which is no longer result {i} of {def}"),
            ValueDef::Param(block, i) => {
                format!("uses value {v}, which is no longer parameter {i} of {block}")
            }
        };
        self.fault(inst, message);
    }
}
