//! References to what does not exist, and links that lead nowhere.

use super::*;
use crate::builder::InstBuilder;
use crate::dfg::{DebugTag, ExtFuncData, UserStackMapEntry};
use crate::function::GlobalValueData;
use crate::instdata::*;
use crate::memflags::MemFlags;
use crate::opcode::Opcode;
use crate::signature::Signature;
use crate::types::{I8X16, I32, I64};

/// A function of an `i32` that holds this instruction, and then returns.
fn holding(data: InstData) -> Function {
    let mut func = function(&[I32], |at, _| {
        at.ins().return_(&[]);
    });
    let inst = func.dfg.make_inst(data);
    let ret = func.layout.first_inst(Block(0)).unwrap();
    func.layout.insert_inst_before(inst, ret);
    func
}

#[test]
fn operands() {
    let func = holding(InstData::CondTrap {
        opcode: Opcode::Trapz,
        arg: Value(9),
        code: crate::TrapCode::STACK_OVERFLOW,
    });
    refused(&func, "inst1", "uses v9, which does not exist");
}

#[test]
fn entities_of_instructions() {
    let v = Value(0);
    let args = ValueList::new();
    let flags = MemFlags::new().with_region(Some(Region(2)));
    let offset = 0.into();
    for (data, message) in [
        (
            InstData::UnaryConst { opcode: Opcode::Vconst, constant: Constant(3) },
            "refers to const3, which does",
        ),
        (InstData::UnaryGlobalValue { opcode: Opcode::SymbolValue, global: GlobalValue(1) }, "refers to gv1"),
        (InstData::Shuffle { opcode: Opcode::Shuffle, args: [v, v], mask: Immediate(4) }, "refers to imm4"),
        (InstData::BranchTable { opcode: Opcode::BrTable, arg: v, table: JumpTable(5) }, "refers to jt5"),
        (InstData::Call { opcode: Opcode::Call, func: FuncRef(6), args }, "refers to fn6"),
        (InstData::FuncAddr { opcode: Opcode::FuncAddr, func: FuncRef(7) }, "refers to fn7"),
        (InstData::CallIndirect { opcode: Opcode::CallIndirect, sig: SigRef(8), args }, "refers to sig8"),
        (InstData::StackAddr { opcode: Opcode::StackAddr, slot: StackSlot(9), offset }, "refers to ss9"),
        (
            InstData::ExceptionHandlerAddress {
                opcode: Opcode::GetExceptionHandlerAddress,
                block: Block(10),
                index: 0,
            },
            "refers to block10",
        ),
        (
            InstData::TryCallIndirect {
                opcode: Opcode::TryCallIndirect,
                args,
                exception: ExceptionTable(11),
            },
            "refers to extable11",
        ),
        (InstData::Load { opcode: Opcode::Load, flags, arg: v, offset }, "undefined alias region region2"),
        (InstData::StoreNoOffset { opcode: Opcode::AtomicStore, flags, args: [v, v] }, "region region2"),
    ] {
        refused(&holding(data), "inst1", message);
    }
}

#[test]
fn formats_that_do_not_belong_to_the_opcode() {
    let func = holding(InstData::UnaryImm { opcode: Opcode::F32const, imm: 0.into() });
    refused(&func, "inst1", "has the instruction format UnaryImm, but its opcode needs UnaryIeee32");
}

#[test]
fn lists_of_another_function() {
    let mut other = Function::default();
    for _ in 0..50 {
        ValueList::from_slice(&[Value(0); 9], &mut other.dfg.value_lists);
        BlockCall::new(Block(0), [BlockArg::Value(Value(0)); 9], &mut other.dfg.block_args);
    }
    let args = ValueList::from_slice(&[Value(0); 9], &mut other.dfg.value_lists);
    let dest = BlockCall::new(Block(0), [BlockArg::Value(Value(0)); 9], &mut other.dfg.block_args);
    refused(
        &holding(InstData::MultiAry { opcode: Opcode::Return, args }),
        "inst1",
        "its operand list is not in the function's pool",
    );
    refused(
        &holding(InstData::Jump { opcode: Opcode::Jump, dest }),
        "inst1",
        "its arguments for block0 are not in the function's pool",
    );
}

#[test]
fn destinations_and_their_arguments() {
    let mut func = holding(InstData::Nullary { opcode: Opcode::Nop });
    let nop = func.layout.first_inst(Block(0)).unwrap();
    let dest = BlockCall::new(Block(5), [BlockArg::Value(Value(7))], &mut func.dfg.block_args);
    func.dfg.insts[nop] = InstData::Jump { opcode: Opcode::Jump, dest };
    refused_by(
        &mut Verifier::new(),
        &func,
        &[("inst1", "refers to block5, which does not exist"), ("inst1", "uses v7, which does not exist")],
    );
}

#[test]
fn exception_tables() {
    let mut func = holding(InstData::Nullary { opcode: Opcode::Nop });
    let nop = func.layout.first_inst(Block(0)).unwrap();
    let normal = BlockCall::new(Block(0), [], &mut func.dfg.block_args);
    let items = [ExceptionItem::Context(Value(8))].into();
    let exception = func.dfg.exception_tables.push(ExceptionTableData { sig: SigRef(3), normal, items });
    let args = ValueList::from_slice(&[Value(0)], &mut func.dfg.value_lists);
    func.dfg.insts[nop] = InstData::TryCallIndirect { opcode: Opcode::TryCallIndirect, args, exception };
    refused_by(
        &mut Verifier::new(),
        &func,
        &[("extable0", "its signature sig3 does not exist"), ("inst1", "uses v8, which does not exist")],
    );
}

#[test]
fn preamble_entities() {
    let valid = || {
        function(&[], |at, _| {
            at.ins().return_(&[]);
        })
    };
    let mut func = valid();
    let name = crate::ExternalName::symbol("f");
    func.dfg.ext_funcs.push(ExtFuncData { name, signature: SigRef(0), colocated: false });
    refused(&func, "fn0", "its signature sig0 does not exist");
    func.dfg.signatures.push(Signature::default());
    accepted(&func);

    let mut func = valid();
    func.global_values.push(GlobalValueData::IAddImm { base: GlobalValue(1), offset: 0, ty: I64 });
    refused(&func, "gv0", "its base gv1 does not exist");

    let mut func = valid();
    let flags = MemFlags::new().with_region(Some(Region(0)));
    func.global_values.push(GlobalValueData::Load { base: GlobalValue(0), offset: 0, ty: I64, flags });
    refused(&func, "gv0", "undefined alias region region0");

    let mut func = valid();
    func.stack_limit = Some(GlobalValue(2));
    refused(&func, "stack_limit", "the stack limit gv2 does not exist");
}

#[test]
fn aliases() {
    let valid = || {
        function(&[I32], |at, v| {
            at.func.dfg.make_undefined_value(I32);
            at.func.dfg.make_undefined_value(I32);
            at.func.dfg.make_undefined_value(I32);
            at.ins().ineg(v[0]);
            at.ins().return_(&[]);
        })
    };
    let mut func = valid();
    func.dfg.define_alias(Value(1), I32, Value(77));
    refused(&func, "v1", "is an alias of v77, which does not exist");

    // Two lead into a cycle of two.
    let mut func = valid();
    func.dfg.define_alias(Value(4), I32, Value(3));
    func.dfg.define_alias(Value(1), I32, Value(2));
    func.dfg.define_alias(Value(2), I32, Value(3));
    func.dfg.define_alias(Value(3), I32, Value(2));
    refused(&func, "v2", "its aliases form a cycle");
    func.dfg.define_alias(Value(3), I32, Value(3));
    refused(&func, "v3", "its aliases form a cycle");

    let mut func = valid();
    func.dfg.define_alias(Value(1), I64, Value(0));
    refused(&func, "v1", "is an alias of type i64 of v0, which has type i32");

    let mut func = valid();
    func.dfg.define_alias(Value(4), I32, Value(0));
    refused(&func, "inst0", "defines v4, which is an alias");
}

#[test]
fn definitions() {
    let valid = || {
        function(&[I32], |at, v| {
            at.ins().ineg(v[0]);
            at.ins().ineg(v[0]);
            at.ins().return_(&[]);
        })
    };
    accepted(&valid());
    let mut func = valid();
    func.dfg.define_inst_results(Inst(1), I32, &[Value(1)]);
    refused(&func, "inst0", "defines v1, which says that it is defined elsewhere");

    let mut func = valid();
    func.dfg.attach_block_param(Block(0), Value(0), I32);
    refused_by(
        &mut Verifier::new(),
        &func,
        &[("block0", "defines v0, which says that"), ("block0", "entry block parameters (2)")][..1],
    );

    // The result list is new, the value remembers the old one.
    let mut func = valid();
    let kept = func.dfg.first_result(Inst(0)).unwrap();
    func.dfg.make_inst_results(Inst(0), I32);
    let ret = func.layout.last_inst(Block(0)).unwrap();
    FuncCursor::new(&mut func).at_inst(ret).ins().bnot(kept);
    refused(&func, "inst3", "uses value v1, which is no longer result 0 of inst0");
}

#[test]
fn layouts() {
    let valid = || {
        function(&[I32], |at, _| {
            at.ins().return_(&[]);
        })
    };
    let mut func = valid();
    func.layout.append_block(Block(4));
    refused(&func, "function", "the layout holds block4, which does not exist");

    let mut func = valid();
    func.layout.append_inst(Inst(8), Block(0));
    refused(&func, "block0", "holds inst8, which does not exist");
}

#[test]
fn annotations() {
    let mut func = function(&[I8X16], |at, _| {
        at.ins().return_(&[]);
    });
    let entry = UserStackMapEntry { ty: I32, slot: StackSlot(0), offset: 0 };
    // Instructions that do not exist, or are not in the layout, do not count.
    func.dfg.stack_maps.push((Inst(44), [entry].into()));
    func.dfg.debug_tags.push((Inst(44), [DebugTag::StackSlot(StackSlot(3))].into()));
    accepted(&func);
    func.dfg.stack_maps.push((Inst(0), [entry].into()));
    func.dfg.debug_tags.push((Inst(0), [DebugTag::User(3), DebugTag::StackSlot(StackSlot(1))].into()));
    refused_by(
        &mut Verifier::new(),
        &func,
        &[("inst0", "refers to ss0, which does not exist"), ("inst0", "refers to ss1, which does not exist")],
    );
}
