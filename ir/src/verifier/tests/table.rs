//! Every opcode, with every controlling type and operand type: what the table allows is accepted, the rest is
//! refused.

use super::*;
use crate::builder::InstBuilder;
use crate::dfg::ExtFuncData;
use crate::extname::ExternalName;
use crate::function::{GlobalValueData, StackSlotData};
use crate::instdata::*;
use crate::memflags::{Endianness, MemFlags};
use crate::opcode::{Ctrl, Format, Opcode, OpcodeDef, TABLE};
use crate::signature::Signature;
use crate::trapcode::TrapCode;

/// A function with something of everything to refer to, and a parameter of each type; two blocks that return.
pub(super) fn furnished() -> Function {
    let mut func = function(Type::all(), |_, _| {});
    let block = func.dfg.make_block();
    let mut at = FuncCursor::new(&mut func);
    at.insert_block(block);
    at.ins().return_(&[]);
    func
}

pub(super) fn furnish(func: &mut Function, ctrl: Type) {
    let name = ExternalName::symbol("x");
    for tls in [false, true] {
        let name = name.clone();
        func.global_values.push(GlobalValueData::Symbol { name, offset: 0, colocated: false, tls });
    }
    func.stack_slots.push(StackSlotData { size: 8, align_shift: 0, key: None });
    let sig = Signature::new(crate::CallConv::Tail);
    let signature = func.dfg.signatures.push(sig);
    func.dfg.ext_funcs.push(ExtFuncData { name, signature, colocated: false });
    func.dfg.constants.push(alloc::vec![0; ctrl.bytes() as usize]);
    func.dfg.constants.push(alloc::vec![0; 16]);
    func.dfg.immediates.push(alloc::vec![0; 16]);
    let call = BlockCall::new(Block(1), [], &mut func.dfg.block_args);
    func.dfg.jump_tables.push(JumpTableData { default: call, table: [call].into() });
    func.dfg.exception_tables.push(ExceptionTableData {
        sig: SigRef(0),
        normal: call,
        items: [ExceptionItem::Default(call)].into(),
    });
}

/// An instruction with these operands.
pub(super) fn instruction(func: &mut Function, opcode: Opcode, args: &[Value]) -> InstData {
    let dest = BlockCall::new(Block(1), [], &mut func.dfg.block_args);
    let list = ValueList::from_slice(args, &mut func.dfg.value_lists);
    let arg = |i: usize| args.get(i).copied().unwrap_or(Value(0));
    let two = [arg(0), arg(1)];
    let three = [arg(0), arg(1), arg(2)];
    let flags = match opcode {
        Opcode::Bitcast => MemFlags::new().with_endianness(Endianness::Big),
        _ => MemFlags::new(),
    };
    let (offset, code) = (4.into(), TrapCode::STACK_OVERFLOW);
    match opcode.format() {
        Format::Nullary => InstData::Nullary { opcode },
        Format::Unary => InstData::Unary { opcode, arg: arg(0) },
        Format::UnaryImm => InstData::UnaryImm { opcode, imm: 1.into() },
        Format::UnaryIeee16 => InstData::UnaryIeee16 { opcode, imm: crate::Ieee16(0) },
        Format::UnaryIeee32 => InstData::UnaryIeee32 { opcode, imm: 0.0.into() },
        Format::UnaryIeee64 => InstData::UnaryIeee64 { opcode, imm: 0.0.into() },
        Format::UnaryConst => {
            InstData::UnaryConst { opcode, constant: Constant(u32::from(opcode == Opcode::F128const)) }
        }
        Format::UnaryGlobalValue => {
            InstData::UnaryGlobalValue { opcode, global: GlobalValue(u32::from(opcode == Opcode::TlsValue)) }
        }
        Format::Binary => InstData::Binary { opcode, args: two },
        Format::BinaryImm8 => InstData::BinaryImm8 { opcode, arg: arg(0), imm: 1 },
        Format::Ternary => InstData::Ternary { opcode, args: three },
        Format::TernaryImm8 => InstData::TernaryImm8 { opcode, args: two, imm: 1 },
        Format::Shuffle => InstData::Shuffle { opcode, args: two, mask: Immediate(0) },
        Format::IntCompare => InstData::IntCompare { opcode, cond: crate::IntCC::Equal, args: two },
        Format::FloatCompare => InstData::FloatCompare { opcode, cond: crate::FloatCC::Equal, args: two },
        Format::IntAddTrap => InstData::IntAddTrap { opcode, args: two, code },
        Format::MultiAry => InstData::MultiAry { opcode, args: list },
        Format::Jump => InstData::Jump { opcode, dest },
        Format::Brif => InstData::Brif { opcode, arg: arg(0), dests: [dest; 2] },
        Format::BranchTable => InstData::BranchTable { opcode, arg: arg(0), table: JumpTable(0) },
        Format::Call => InstData::Call { opcode, func: FuncRef(0), args: list },
        Format::CallIndirect => InstData::CallIndirect { opcode, sig: SigRef(0), args: list },
        Format::TryCall => {
            InstData::TryCall { opcode, func: FuncRef(0), args: list, exception: ExceptionTable(0) }
        }
        Format::TryCallIndirect => {
            InstData::TryCallIndirect { opcode, args: list, exception: ExceptionTable(0) }
        }
        Format::FuncAddr => InstData::FuncAddr { opcode, func: FuncRef(0) },
        Format::Load => InstData::Load { opcode, flags, arg: arg(0), offset },
        Format::Store => InstData::Store { opcode, flags, args: two, offset },
        Format::LoadNoOffset => InstData::LoadNoOffset { opcode, flags, arg: arg(0) },
        Format::StoreNoOffset => InstData::StoreNoOffset { opcode, flags, args: two },
        Format::StackAddr => InstData::StackAddr { opcode, slot: StackSlot(0), offset },
        Format::AtomicRmw => InstData::AtomicRmw { opcode, flags, op: AtomicRmwOp::Add, args: two },
        Format::AtomicCas => InstData::AtomicCas { opcode, flags, args: three },
        Format::Trap => InstData::Trap { opcode, code },
        Format::CondTrap => InstData::CondTrap { opcode, arg: arg(0), code },
        Format::ExceptionHandlerAddress => {
            InstData::ExceptionHandlerAddress { opcode, block: Block(2), index: 0 }
        }
    }
}

/// The verdict on one instruction with operands of these types.
fn verdict(
    verifier: &mut Verifier,
    def: &OpcodeDef,
    ctrl: Type,
    operands: &[Type],
) -> Result<(), Vec<Fault>> {
    let mut func = furnished();
    furnish(&mut func, ctrl);
    func.signature.call_conv = crate::CallConv::Tail;
    let arg = |ty: &Type| Type::all().iter().position(|t| t == ty).map(|i| Value(i as u32));
    let args: Vec<Value> = operands.iter().filter_map(arg).collect();
    let data = instruction(&mut func, def.opcode, &args);
    let mut at = FuncCursor::new(&mut func);
    if def.format == Format::ExceptionHandlerAddress {
        // It needs a block with handlers.
        at.goto_bottom(Block(1));
        let block = at.func.dfg.make_block();
        at.insert_block(block);
        at.ins().try_call(FuncRef(0), &[], ExceptionTable(0));
    }
    at.goto_bottom(Block(0));
    let inst = at.func.dfg.make_inst(data);
    at.func.dfg.make_inst_results(inst, ctrl);
    at.insert_inst(inst);
    if !def.opcode.is_terminator() {
        at.ins().return_(&[]);
    }
    verifier.verify(&func)
}

#[test]
fn the_verifier_accepts_what_the_table_allows_and_refuses_the_rest() {
    let mut verifier = Verifier::new();
    for def in TABLE {
        let ctrls = match def.ctrl {
            Ctrl::None => &[Type::INVALID],
            _ => Type::all(),
        };
        for &ctrl in ctrls {
            let in_set = def.ctrl.types().is_none_or(|set| set.contains(ctrl));
            let fits: Vec<Vec<Type>> = def
                .args
                .iter()
                .map(|arg| Type::all().iter().copied().filter(|&ty| arg.accepts(ctrl, ty)).collect())
                .collect();
            let resolves = def.results.iter().all(|ty| ty.resolve(ctrl).is_some_and(|ty| !ty.is_invalid()));
            let Some(base) = fits.iter().map(|fits| fits.first().copied()).collect::<Option<Vec<Type>>>()
            else {
                continue;
            };
            // Lane indices and constants in the test are for vectors.
            let good = in_set && resolves;
            let result = verdict(&mut verifier, def, ctrl, &base);
            assert_eq!(result.is_ok(), good, "{}.{ctrl} of {base:?}: {result:?}", def.name);
            if !good {
                continue;
            }
            for i in 0..base.len() {
                for &ty in Type::all() {
                    let mut operands = base.clone();
                    operands[i] = ty;
                    // Another type of the controlling operand is another controlling type.
                    if !matches!(def.ctrl, Ctrl::Operand(c, _) if usize::from(c) == i) {
                        let result = verdict(&mut verifier, def, ctrl, &operands);
                        let good = fits[i].contains(&ty);
                        assert_eq!(result.is_ok(), good, "{}.{ctrl} of {operands:?}: {result:?}", def.name);
                    }
                }
            }
        }
    }
}
