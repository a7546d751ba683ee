//! The passes of a reduction, and their order.

use super::compact::compact;
use super::edit::{self, plain_insts};
use super::{Case, Reducer};
use std::ops::Range;
use windlass_ir::text::{Expectation, Invocation, RunCommand};
use windlass_ir::{
    ArgumentExtension, Block, CallConv, DataValue, FuncCursor, Function, Imm64, Inst, InstBuilder, InstData,
    MemFlags, Opcode,
};

impl Reducer<'_> {
    /// Every pass once. Did any help?
    pub(super) fn round(&mut self) -> bool {
        let mut progress = false;
        progress |= self.chunked(
            |case| case.commands.len(),
            |case, range| {
                case.commands.drain(range);
                true
            },
        );
        progress |= self.chunked(|case| case.functions.len(), empty_functions);
        progress |= self.chunked(|case| case.functions.len(), drop_functions);
        progress |= self.each_function(edit::remove_unreachable);
        progress |= self.chunked(count_blocks, |case, range| each_block(case, range, edit::make_return));
        progress |= self.branches();
        progress |= self.each_function(edit::remove_unreachable);
        progress |= self.chunked(count_insts, delete_insts);
        progress |= self.each_function(edit::remove_dead);
        progress |= self.operands();
        progress |= self.small_constants();
        progress |= self.block_params();
        progress |= self.chunked(count_blocks, |case, range| each_block(case, range, edit::bypass));
        progress |= self.chunked(count_blocks, |case, range| each_block(case, range, edit::join));
        progress |= self.each_function(edit::merge_constants);
        progress |= self.each_function(edit::remove_dead);
        progress |= self.signatures();
        progress |= self.constants();
        progress |= self.arguments();
        progress |= self.plain();
        progress |= self.chunked(
            |case| case.header.len(),
            |case, range| {
                case.header.drain(range);
                true
            },
        );
        // New numbers are no progress by themselves.
        let before: Vec<String> = self.case.functions.iter().map(ToString::to_string).collect();
        self.once(|case| {
            for func in &mut case.functions {
                *func = compact(func);
            }
            case.functions.iter().map(ToString::to_string).ne(before)
        });
        progress
    }

    /// An edit of all functions at once, then of each.
    fn each_function(&mut self, edit: impl Fn(&mut Function) -> bool) -> bool {
        self.chunked(
            |case| case.functions.len(),
            |case, range| {
                let mut any = false;
                for func in &mut case.functions[range] {
                    any |= edit(func);
                }
                any
            },
        )
    }

    /// Branches become jumps to each of their destinations; tables lose entries.
    fn branches(&mut self) -> bool {
        let mut progress = false;
        for way in [0, 1] {
            progress |= self.chunked(count_blocks, |case, range| {
                each_block(case, range, |func, block| jump_instead(func, block, way))
            });
        }
        for f in 0..self.case.functions.len() {
            let blocks: Vec<Block> = self.case.functions[f].layout.blocks().collect();
            for block in blocks {
                let mut n = destinations(&self.case.functions[f], block);
                while n > 1 {
                    n -= 1;
                    progress |= self.once(|case| jump_instead(&mut case.functions[f], block, n));
                    progress |= self.once(|case| shorten_table(&mut case.functions[f], block, n));
                    n = n.min(destinations(&self.case.functions[f], block));
                }
            }
        }
        progress
    }

    /// Results become operands of the same type.
    fn operands(&mut self) -> bool {
        let mut progress = false;
        for f in 0..self.case.functions.len() {
            let insts: Vec<Inst> = plain_insts(&self.case.functions[f]).collect();
            for inst in insts.into_iter().rev() {
                for n in 0..self.case.functions[f].dfg.inst_args(inst).len() {
                    if self.once(|case| forward_operand(&mut case.functions[f], inst, n)) {
                        progress = true;
                        break;
                    }
                }
            }
        }
        progress
    }

    /// Results become small constants.
    fn small_constants(&mut self) -> bool {
        let mut progress = false;
        for f in 0..self.case.functions.len() {
            let insts: Vec<Inst> = plain_insts(&self.case.functions[f]).collect();
            for inst in insts.into_iter().rev() {
                for n in [1, 3, -1] {
                    if self.once(|case| constant_instead(&mut case.functions[f], inst, n)) {
                        progress = true;
                        break;
                    }
                }
            }
        }
        progress
    }

    /// Parameters of blocks become what is passed, or zeros.
    fn block_params(&mut self) -> bool {
        let mut progress = self.chunked(count_block_params, drop_block_params);
        for f in 0..self.case.functions.len() {
            let blocks: Vec<Block> = self.case.functions[f].layout.blocks().skip(1).collect();
            for block in blocks {
                for n in (0..self.case.functions[f].dfg.block_params(block).len()).rev() {
                    progress |= self.once(|case| {
                        let func = &mut case.functions[f];
                        match edit::only_argument(func, block, n) {
                            Some(v) => edit::drop_block_param(func, block, n, Some(v)),
                            None => false,
                        }
                    });
                }
            }
        }
        progress
    }

    /// Constants become 1, or lose bits.
    fn constants(&mut self) -> bool {
        let mut progress = false;
        for f in 0..self.case.functions.len() {
            let insts: Vec<Inst> = plain_insts(&self.case.functions[f]).collect();
            for inst in insts {
                let InstData::UnaryImm { imm, .. } = self.case.functions[f].dfg.insts[inst] else { continue };
                let now = imm.get();
                for new in simpler(now.into()) {
                    let new = new as i64;
                    let better = self.once(|case| {
                        if let InstData::UnaryImm { imm, .. } = &mut case.functions[f].dfg.insts[inst] {
                            *imm = Imm64(new);
                        }
                        true
                    });
                    if better {
                        progress = true;
                        break;
                    }
                }
            }
        }
        progress
    }

    /// Arguments of directives become small.
    fn arguments(&mut self) -> bool {
        let mut progress = false;
        for c in 0..self.case.commands.len() {
            for a in 0..self.case.commands[c].invocation().args.len() {
                let now = self.case.commands[c].invocation().args[a];
                let candidates = match now.as_signed() {
                    Some(n) => simpler(n),
                    None if now.to_bits() == 0 => Vec::new(),
                    None => vec![0],
                };
                for new in candidates {
                    let Some(new) = DataValue::from_bits(new as u128, now.ty()).filter(|&new| new != now)
                    else {
                        continue;
                    };
                    let better = self.once(|case| {
                        invocation_mut(&mut case.commands[c]).args[a] = new;
                        true
                    });
                    if better {
                        progress = true;
                        break;
                    }
                }
            }
        }
        progress
    }

    /// Conventions, extensions, memory flags, source locations, cold blocks, near callees: plain.
    fn plain(&mut self) -> bool {
        let mut progress = self.once(|case| {
            each_signature(case, |convention, _| {
                std::mem::replace(convention, CallConv::SystemV) != CallConv::SystemV
            })
        });
        progress |= self.once(|case| {
            each_signature(case, |_, extensions| {
                let any = extensions.iter().any(|e| **e != ArgumentExtension::None);
                extensions.iter_mut().for_each(|e| **e = ArgumentExtension::None);
                any
            })
        });
        progress |= self.chunked(count_insts, plain_flags);
        progress |= self.each_function(|func| {
            let mut any = false;
            for callee in func.dfg.ext_funcs.values_mut() {
                any |= !std::mem::replace(&mut callee.colocated, true);
            }
            any
        });
        progress |= self.each_function(|func| {
            let mut any = false;
            for slot in func.stack_slots.values_mut() {
                any |= slot.key.take().is_some();
            }
            any
        });
        progress
    }
}

pub(super) fn invocation_mut(command: &mut RunCommand) -> &mut Invocation {
    match command {
        RunCommand::Print(invocation) | RunCommand::Run(invocation, _) => invocation,
    }
}

/// Simpler numbers than `n`, the simplest first; none for 0.
fn simpler(n: i128) -> Vec<i128> {
    let mut out: Vec<i128> = vec![0, 1, -1, n & 0xff, n & 0xffff, n & 0xffff_ffff, n / 2];
    let weight = |n: i128| (n.unsigned_abs(), n < 0);
    out.retain(|&m| weight(m) < weight(n));
    out.dedup();
    out
}

fn count_blocks(case: &Case) -> usize {
    case.functions.iter().map(|func| func.layout.blocks().count()).sum()
}

fn count_insts(case: &Case) -> usize {
    case.functions.iter().map(|func| plain_insts(func).count()).sum()
}

fn count_block_params(case: &Case) -> usize {
    let params = |func: &Function| -> usize {
        func.layout.blocks().skip(1).map(|block| func.dfg.block_params(block).len()).sum()
    };
    case.functions.iter().map(params).sum()
}

/// The part of `range`, which counts through all functions, that falls into one with `n` things from `start` on.
fn part(range: &Range<usize>, start: usize, n: usize) -> Range<usize> {
    range.start.clamp(start, start + n) - start..range.end.clamp(start, start + n) - start
}

/// `edit` on the blocks of a range.
fn each_block(case: &mut Case, range: Range<usize>, edit: impl Fn(&mut Function, Block) -> bool) -> bool {
    let mut start = 0;
    let mut any = false;
    for func in &mut case.functions {
        let blocks: Vec<Block> = func.layout.blocks().collect();
        let part = part(&range, start, blocks.len());
        start += blocks.len();
        for &block in &blocks[part] {
            // An edit may have taken a later block away.
            any |= func.layout.is_block_inserted(block) && edit(func, block);
        }
    }
    any
}

/// Functions whose bodies become one block that returns zeros.
fn empty_functions(case: &mut Case, range: Range<usize>) -> bool {
    let mut any = false;
    for func in &mut case.functions[range] {
        let Some(entry) = func.layout.entry_block() else { continue };
        let insts: Vec<Inst> = func.layout.block_insts(entry).collect();
        let trivial = func.layout.blocks().count() == 1
            && insts.iter().all(|&inst| edit::is_zero(func, inst) || func.dfg.opcode(inst) == Opcode::Return);
        if trivial {
            continue;
        }
        for &inst in insts.iter().rev().skip(1) {
            func.dfg.detach_results(inst);
            func.layout.remove_inst(inst);
        }
        any |= edit::make_return(func, entry);
        edit::remove_unreachable(func);
    }
    any
}

/// Functions, and the directives that call them.
fn drop_functions(case: &mut Case, range: Range<usize>) -> bool {
    let names: Vec<_> = case.functions.drain(range).map(|func| func.name).collect();
    case.commands.retain(|command| !names.contains(&command.invocation().func));
    true
}

/// Instructions become zeros, or go if they have no results.
fn delete_insts(case: &mut Case, range: Range<usize>) -> bool {
    let mut start = 0;
    let mut any = false;
    for func in &mut case.functions {
        let insts: Vec<Inst> = plain_insts(func).collect();
        let part = part(&range, start, insts.len());
        start += insts.len();
        let mut here = false;
        for &inst in &insts[part] {
            here |= !edit::is_zero(func, inst) && edit::delete(func, inst);
        }
        if here {
            func.dfg.resolve_all_aliases();
        }
        any |= here;
    }
    any
}

fn drop_block_params(case: &mut Case, range: Range<usize>) -> bool {
    let mut start = 0;
    let mut any = false;
    for func in &mut case.functions {
        let blocks: Vec<Block> = func.layout.blocks().skip(1).collect();
        for block in blocks {
            let n = func.dfg.block_params(block).len();
            let part = part(&range, start, n);
            start += n;
            for index in part.rev() {
                any |= edit::drop_block_param(func, block, index, None);
            }
        }
    }
    any
}

fn plain_flags(case: &mut Case, range: Range<usize>) -> bool {
    let mut start = 0;
    let mut any = false;
    for func in &mut case.functions {
        let insts: Vec<Inst> = plain_insts(func).collect();
        let part = part(&range, start, insts.len());
        start += insts.len();
        for &inst in &insts[part] {
            if let InstData::Load { flags, .. } | InstData::Store { flags, .. } = &mut func.dfg.insts[inst] {
                any |= std::mem::replace(flags, MemFlags::new()) != MemFlags::new();
            }
        }
    }
    any
}

fn destinations(func: &Function, block: Block) -> usize {
    match func.layout.last_inst(block) {
        Some(last) if func.layout.is_block_inserted(block) => func.dfg.branch_destinations(last).count(),
        _ => 0,
    }
}

/// A branch becomes a jump to destination `n`.
fn jump_instead(func: &mut Function, block: Block, n: usize) -> bool {
    let Some(last) = func.layout.last_inst(block) else { return false };
    let is_choice = matches!(func.dfg.insts[last], InstData::Brif { .. } | InstData::BranchTable { .. });
    let dest = func.dfg.branch_destinations(last).nth(n).copied();
    match dest {
        Some(dest) if is_choice => {
            edit::make_jump(func, last, dest);
            true
        }
        _ => false,
    }
}

/// Destination `n` of a table goes.
fn shorten_table(func: &mut Function, block: Block, n: usize) -> bool {
    let Some(last) = func.layout.last_inst(block) else { return false };
    let InstData::BranchTable { table, .. } = func.dfg.insts[last] else { return false };
    let entries = &mut func.dfg.jump_tables[table].table;
    if n == 0 || n > entries.len() {
        return false;
    }
    entries.remove(n - 1);
    true
}

/// The only result of `inst` becomes its operand `n`.
fn forward_operand(func: &mut Function, inst: Inst, n: usize) -> bool {
    let &[result] = func.dfg.inst_results(inst) else { return false };
    let Some(&arg) = func.dfg.inst_args(inst).get(n) else { return false };
    let same = func.dfg.value_type(arg) == func.dfg.value_type(result);
    if !same || func.dfg.resolve_aliases(arg) == result || func.layout.inst_block(inst).is_none() {
        return false;
    }
    edit::replace_results(func, inst, &[arg]);
    func.dfg.resolve_all_aliases();
    true
}

/// The only result of `inst`, an integer that is not constant, becomes the constant `n`.
fn constant_instead(func: &mut Function, inst: Inst, n: i64) -> bool {
    let &[result] = func.dfg.inst_results(inst) else { return false };
    let ty = func.dfg.value_type(result);
    let is_constant = matches!(func.dfg.insts[inst], InstData::UnaryImm { .. });
    if is_constant || !ty.is_int() || ty.bits() > 64 || func.layout.inst_block(inst).is_none() {
        return false;
    }
    let constant = FuncCursor::new(func).at_inst(inst).ins().iconst(ty, n);
    edit::replace_results(func, inst, &[constant]);
    func.dfg.resolve_all_aliases();
    true
}

/// `edit` on every signature of the case, those of callees included.
fn each_signature(
    case: &mut Case,
    edit: impl Fn(&mut CallConv, &mut [&mut ArgumentExtension]) -> bool,
) -> bool {
    let mut any = false;
    for func in &mut case.functions {
        let own = std::iter::once(&mut func.signature);
        for signature in own.chain(func.dfg.signatures.values_mut()) {
            let params = signature.params.iter_mut().chain(&mut signature.returns);
            let mut extensions: Vec<_> = params.map(|param| &mut param.extension).collect();
            any |= edit(&mut signature.call_conv, &mut extensions);
        }
    }
    any
}

/// Takes value `n` out of an expectation.
pub(super) fn drop_expected(command: &mut RunCommand, n: usize) {
    if let RunCommand::Run(_, Expectation::Equals(values) | Expectation::NotEquals(values)) = command
        && n < values.len()
    {
        values.remove(n);
    }
}
