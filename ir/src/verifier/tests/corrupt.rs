//! Functions made of random parts: whatever is in them, the verifier must give a verdict, and what it accepts
//! the analyses must be able to read.

use super::table::{furnish, furnished, instruction};
use super::*;
use crate::dfg::{DebugTag, ExtFuncData, UserStackMapEntry};
use crate::extname::ExternalName;
use crate::function::{GlobalValueData, StackSlotData};
use crate::instdata::*;
use crate::loops::LoopAnalysis;
use crate::memflags::MemFlags;
use crate::opcode::{Ctrl, Format, Opcode, TABLE};
use crate::signature::{ArgumentExtension, ArgumentPurpose, CallConv, Signature, StructArg};
use crate::trapcode::TrapCode;
use crate::types::{I32, I64};

/// Numbers of entities: mostly of some that may exist, seldom absurd ones.
fn number(rng: &mut Rng) -> u32 {
    match rng.below(12) {
        0 => (1 << 29) - rng.below(3) as u32,
        1 => rng.below(1000) as u32,
        2 | 3 => rng.below(20) as u32,
        _ => rng.below(4) as u32,
    }
}

fn a_type(rng: &mut Rng) -> Type {
    match rng.below(12) {
        0 => Type::INVALID,
        1 => Type::all()[rng.below(9)].by(1 << rng.below(9)).unwrap_or(I32),
        2..6 => I32,
        6..8 => I64,
        _ => Type::all()[rng.below(Type::all().len())],
    }
}

fn values(rng: &mut Rng) -> Vec<Value> {
    (0..rng.below(5)).map(|_| Value(number(rng))).collect()
}

fn block_call(rng: &mut Rng, pool: &mut BlockArgPool) -> BlockCall {
    let args: Vec<BlockArg> = (0..rng.below(3))
        .map(|_| match rng.below(6) {
            0 => BlockArg::TryCallRet(number(rng)),
            1 => BlockArg::TryCallExn(number(rng)),
            _ => BlockArg::Value(Value(number(rng))),
        })
        .collect();
    BlockCall::new(Block(number(rng)), args, pool)
}

/// Lists come from the function's pools, or from those of another.
fn random_inst(rng: &mut Rng, func: &mut Function, other: &mut Function) -> InstData {
    let opcode = TABLE[rng.below(TABLE.len())].opcode;
    if rng.below(3) == 0 {
        let args: Vec<Value> = (0..4).map(|_| Value(number(rng))).collect();
        return instruction(func, opcode, &args);
    }
    // The format of some other opcode, one time in ten.
    let format = if rng.below(10) == 0 { TABLE[rng.below(TABLE.len())].format } else { opcode.format() };
    let pools = if rng.below(10) == 0 { &mut other.dfg } else { &mut func.dfg };
    let list = ValueList::from_slice(&values(rng), &mut pools.value_lists);
    let dests = [block_call(rng, &mut pools.block_args), block_call(rng, &mut pools.block_args)];
    let v = || Value(number(rng));
    let args: [Value; 3] = core::array::from_fn({
        let mut v = v;
        move |_| v()
    });
    let (arg, two) = (args[0], [args[0], args[1]]);
    let mut flags = MemFlags::new();
    if rng.below(4) == 0 {
        flags = flags.with_region(Some(Region(number(rng)))).with_readonly();
    }
    let n = number(rng);
    let offset = (n as i32).into();
    let code = TrapCode::STACK_OVERFLOW;
    let imm = (rng.next() as i64 >> rng.below(64)).into();
    match format {
        Format::Nullary => InstData::Nullary { opcode },
        Format::Unary => InstData::Unary { opcode, arg },
        Format::UnaryImm => InstData::UnaryImm { opcode, imm },
        Format::UnaryIeee16 => InstData::UnaryIeee16 { opcode, imm: crate::Ieee16(0) },
        Format::UnaryIeee32 => InstData::UnaryIeee32 { opcode, imm: 0.0.into() },
        Format::UnaryIeee64 => InstData::UnaryIeee64 { opcode, imm: 0.0.into() },
        Format::UnaryConst => InstData::UnaryConst { opcode, constant: Constant(n) },
        Format::UnaryGlobalValue => InstData::UnaryGlobalValue { opcode, global: GlobalValue(n) },
        Format::Binary => InstData::Binary { opcode, args: two },
        Format::BinaryImm8 => InstData::BinaryImm8 { opcode, arg, imm: n as u8 },
        Format::Ternary => InstData::Ternary { opcode, args },
        Format::TernaryImm8 => InstData::TernaryImm8 { opcode, args: two, imm: n as u8 },
        Format::Shuffle => InstData::Shuffle { opcode, args: two, mask: Immediate(n) },
        Format::IntCompare => InstData::IntCompare { opcode, cond: crate::IntCC::Equal, args: two },
        Format::FloatCompare => InstData::FloatCompare { opcode, cond: crate::FloatCC::Equal, args: two },
        Format::IntAddTrap => InstData::IntAddTrap { opcode, args: two, code },
        Format::MultiAry => InstData::MultiAry { opcode, args: list },
        Format::Jump => InstData::Jump { opcode, dest: dests[0] },
        Format::Brif => InstData::Brif { opcode, arg, dests },
        Format::BranchTable => InstData::BranchTable { opcode, arg, table: JumpTable(n) },
        Format::Call => InstData::Call { opcode, func: FuncRef(n), args: list },
        Format::CallIndirect => InstData::CallIndirect { opcode, sig: SigRef(n), args: list },
        Format::TryCall => {
            let exception = ExceptionTable(number(rng));
            InstData::TryCall { opcode, func: FuncRef(n), args: list, exception }
        }
        Format::TryCallIndirect => {
            InstData::TryCallIndirect { opcode, args: list, exception: ExceptionTable(n) }
        }
        Format::FuncAddr => InstData::FuncAddr { opcode, func: FuncRef(n) },
        Format::Load => InstData::Load { opcode, flags, arg, offset },
        Format::Store => InstData::Store { opcode, flags, args: two, offset },
        Format::LoadNoOffset => InstData::LoadNoOffset { opcode, flags, arg },
        Format::StoreNoOffset => InstData::StoreNoOffset { opcode, flags, args: two },
        Format::StackAddr => InstData::StackAddr { opcode, slot: StackSlot(n), offset },
        Format::AtomicRmw => InstData::AtomicRmw { opcode, flags, op: AtomicRmwOp::Nand, args: two },
        Format::AtomicCas => InstData::AtomicCas { opcode, flags, args },
        Format::Trap => InstData::Trap { opcode, code },
        Format::CondTrap => InstData::CondTrap { opcode, arg, code },
        Format::ExceptionHandlerAddress => {
            InstData::ExceptionHandlerAddress { opcode, block: Block(n), index: number(rng) }
        }
    }
}

fn random_signature(rng: &mut Rng) -> Signature {
    let mut list = || -> Vec<AbiParam> {
        (0..rng.below(3))
            .map(|_| AbiParam {
                value_type: a_type(rng),
                purpose: match rng.below(8) {
                    0 => ArgumentPurpose::VMContext,
                    1 => ArgumentPurpose::StructReturn,
                    2 => ArgumentPurpose::StructArgument(StructArg { align: 3, ..StructArg::new(7) }),
                    _ => ArgumentPurpose::Normal,
                },
                extension: if rng.below(4) == 0 { ArgumentExtension::Sext } else { ArgumentExtension::None },
            })
            .collect()
    };
    let (params, returns) = (list(), list());
    Signature { params, returns, call_conv: CallConv::ALL[rng.below(CallConv::ALL.len())] }
}

/// Puts a random instruction somewhere.
fn insert(rng: &mut Rng, func: &mut Function, other: &mut Function) {
    let data = random_inst(rng, func, other);
    let opcode = data.opcode();
    let inst = func.dfg.make_inst(data);
    let operand = |i: u8, func: &Function| {
        let reads_lists = matches!(
            data,
            InstData::MultiAry { .. }
                | InstData::Call { .. }
                | InstData::CallIndirect { .. }
                | InstData::TryCall { .. }
                | InstData::TryCallIndirect { .. }
        );
        let args = if reads_lists { &[] } else { data.args(&func.dfg.value_lists) };
        args.get(usize::from(i)).filter(|&&v| func.dfg.value_is_valid(v)).map(|&v| func.dfg.value_type(v))
    };
    let ctrl = match opcode.ctrl() {
        Ctrl::Operand(i, _) => operand(i, func).unwrap_or(I32),
        _ => a_type(rng),
    };
    func.dfg.make_inst_results(inst, ctrl);
    let blocks: Vec<Block> = func.layout.blocks().collect();
    let Some(&block) = blocks.get(rng.below(blocks.len())) else { return };
    match func.layout.last_inst(block).filter(|&last| func.dfg.opcode(last).is_terminator()) {
        Some(last) if !opcode.is_terminator() => func.layout.insert_inst_before(inst, last),
        Some(last) if rng.below(8) != 0 => func.dfg.insts[last] = data,
        _ => func.layout.append_inst(inst, block),
    }
}

/// One random change.
fn mutate(rng: &mut Rng, func: &mut Function, other: &mut Function) {
    let flags = MemFlags::new();
    match rng.below(32) {
        0 => {
            let block = func.dfg.make_block();
            if rng.below(2) == 0 {
                func.layout.append_block(block);
            }
        }
        1 => {
            let block = Block(rng.below(func.dfg.num_blocks()) as u32);
            func.dfg.append_block_param(block, a_type(rng));
        }
        2 => {
            let v = Value(rng.below(func.dfg.num_values()) as u32);
            func.dfg.define_alias(v, a_type(rng), Value(number(rng)));
        }
        3 => {
            func.dfg.make_undefined_value(a_type(rng));
        }
        4 => {
            let inst = Inst(rng.below(func.dfg.insts.len()) as u32);
            func.layout.remove_inst(inst);
        }
        5 => {
            let inst = Inst(rng.below(func.dfg.insts.len()) as u32);
            func.dfg.detach_results(inst);
        }
        6 => {
            let inst = Inst(rng.below(func.dfg.insts.len()) as u32);
            func.dfg.make_inst_results(inst, a_type(rng));
        }
        7 => {
            let signature = SigRef(number(rng));
            let name = ExternalName::symbol("y");
            func.dfg.ext_funcs.push(ExtFuncData { name, signature, colocated: true });
        }
        8 => {
            func.dfg.signatures.push(random_signature(rng));
        }
        9 => func.signature = random_signature(rng),
        10 => {
            let base = GlobalValue(number(rng));
            func.global_values.push(match rng.below(3) {
                0 => GlobalValueData::VMContext,
                1 => GlobalValueData::Load { base, offset: 0, ty: a_type(rng), flags },
                _ => GlobalValueData::IAddImm { base, offset: 0, ty: a_type(rng) },
            });
        }
        11 => func.stack_limit = Some(GlobalValue(number(rng))),
        12 => {
            let table = (0..rng.below(3)).map(|_| block_call(rng, &mut func.dfg.block_args)).collect();
            let default = block_call(rng, &mut func.dfg.block_args);
            func.dfg.jump_tables.push(JumpTableData { default, table });
        }
        13 => {
            let normal = block_call(rng, &mut func.dfg.block_args);
            let handler = block_call(rng, &mut func.dfg.block_args);
            let items = [ExceptionItem::Context(Value(number(rng))), ExceptionItem::Default(handler)].into();
            func.dfg.exception_tables.push(ExceptionTableData { sig: SigRef(number(rng)), normal, items });
        }
        14 => {
            let entry =
                UserStackMapEntry { ty: a_type(rng), slot: StackSlot(number(rng)), offset: number(rng) };
            func.dfg.stack_maps.push((Inst(number(rng)), [entry].into()));
            func.dfg
                .debug_tags
                .push((Inst(number(rng)), [DebugTag::StackSlot(StackSlot(number(rng)))].into()));
        }
        15 => {
            func.stack_slots.push(StackSlotData {
                size: number(rng),
                align_shift: number(rng) as u8,
                key: None,
            });
            func.dfg.constants.push(alloc::vec![200; rng.below(20)]);
            func.dfg.immediates.push(alloc::vec![30; rng.below(20)]);
        }
        _ => insert(rng, func, other),
    }
}

#[test]
fn random_functions_get_a_verdict() {
    let mut rng = Rng(0xBAD_5EED);
    let mut other = Function::default();
    let mut verifier = Verifier::new();
    let (mut cfg, mut domtree, mut loops) =
        (ControlFlowGraph::new(), DominatorTree::new(), LoopAnalysis::new());
    let (mut good, mut bad) = (0, 0);
    for round in 0..6000 {
        let mut func = furnished();
        furnish(&mut func, I64);
        let ret = func.dfg.make_inst(InstData::Trap { opcode: Opcode::Trap, code: TrapCode::STACK_OVERFLOW });
        func.layout.append_inst(ret, Block(0));
        for _ in 0..1 + rng.below(if round % 2 == 0 { 3 } else { 40 }) {
            mutate(&mut rng, &mut func, &mut other);
        }
        verifier.address_type = [None, Some(I32), Some(I64)][rng.below(3)];
        let verdict = verifier.verify(&func);
        // The analyses take any function.
        cfg.compute(&func);
        domtree.compute(&func, &cfg);
        loops.compute(&cfg, &domtree);
        match verdict {
            Ok(()) => {
                good += 1;
                assert_eq!(verifier.verify_with(&func, &cfg, &domtree), Ok(()));
            }
            Err(faults) => {
                bad += 1;
                assert!(!faults.is_empty() && faults.iter().all(|fault| !fault.message.is_empty()));
            }
        }
    }
    assert!(good > 100 && bad > 1000, "{good} accepted, {bad} refused: the test has lost its aim");
}
