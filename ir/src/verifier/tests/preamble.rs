//! Signatures, global values, regions, slots, annotations, the entry block.

use super::*;
use crate::builder::InstBuilder;
use crate::dfg::{DebugTag, UserStackMapEntry};
use crate::extname::ExternalName;
use crate::function::{GlobalValueData, RegionData, StackSlotData};
use crate::memflags::MemFlags;
use crate::signature::{ArgumentPurpose, CallConv, Signature, StructArg};
use crate::types::{F32, F64, I8, I16, I32, I32X4, I64};

fn returning() -> Function {
    function(&[], |at, _| {
        at.ins().return_(&[]);
    })
}

/// Declares this signature, which must be refused.
#[track_caller]
fn refused_signature(sig: Signature, message: &str) {
    let mut func = returning();
    func.dfg.signatures.push(sig.clone());
    refused(&func, "sig0", message);
}

#[test]
fn signatures() {
    let sig = |params: &[AbiParam], returns: &[AbiParam]| Signature {
        params: params.into(),
        returns: returns.into(),
        call_conv: CallConv::SystemV,
    };
    let special = AbiParam::special;
    let none = AbiParam::new(Type::INVALID);
    refused_signature(sig(&[AbiParam::new(I32), none], &[]), "parameter 1 of the signature has no type");
    refused_signature(sig(&[], &[none]), "result 0 of the signature has no type");
    refused_signature(
        sig(&[AbiParam::new(F32).sext()], &[]),
        "parameter 0 has type f32, which cannot be extended",
    );
    refused_signature(
        sig(&[], &[AbiParam::new(I32X4).uext()]),
        "result 0 has type i32x4, which cannot be extended",
    );
    let sarg = special(I64, ArgumentPurpose::StructArgument(StructArg::new(16)));
    refused_signature(sig(&[], &[sarg]), "result 0 cannot be a structure argument");
    let tail = Signature { call_conv: CallConv::Tail, ..sig(&[sarg], &[]) };
    refused_signature(tail, "`tail` convention cannot have structure arguments");
    let sarg_of = |layout| special(I64, ArgumentPurpose::StructArgument(layout));
    let odd = sarg_of(StructArg::new(12).with_align(12));
    refused_signature(sig(&[odd], &[]), "parameter 0: a structure's alignment, 12, is no power of two");
    let half = sarg_of(StructArg { bytes: 12, ..StructArg::homogeneous(F64, 2) });
    refused_signature(sig(&[half], &[]), "parameter 0: 12 bytes are no structure of f64");
    let ints = sarg_of(StructArg::homogeneous(I32, 2));
    refused_signature(sig(&[ints], &[]), "parameter 0: a structure of i32 is not homogeneous floats");
    let vmctx = special(I64, ArgumentPurpose::VMContext);
    refused_signature(sig(&[], &[vmctx]), "result 0 cannot be a context");
    refused_signature(sig(&[vmctx, vmctx], &[]), "more than one parameter is the context");
    let sret = special(I32, ArgumentPurpose::StructReturn);
    refused_signature(sig(&[sret, sret], &[]), "more than one parameter is the structure return");
    let small = special(I16, ArgumentPurpose::StructReturn);
    refused_signature(sig(&[small], &[]), "parameter 0 holds an address, but has type i16");

    let mut func = returning();
    func.dfg.signatures.push(sig(&[sret, vmctx, sarg, AbiParam::new(I8).uext()], &[sret]));
    accepted(&func);
    let mut verifier = Verifier::with_address_type(I64);
    let message = "parameter 0 has type i32, but addresses have type i64";
    refused_by(&mut verifier, &func, &[("sig0", message), ("sig0", "result 0 has type i32, but")]);

    let mut func = returning();
    func.signature.returns.push(none);
    refused_by(
        &mut Verifier::new(),
        &func,
        &[("function", "result 0 of the signature has no type"), ("inst0", "arguments of return")],
    );
}

#[test]
fn slots() {
    let mut func = returning();
    func.stack_slots.push(StackSlotData { size: 8, align_shift: 31, key: None });
    accepted(&func);
    func.stack_slots.push(StackSlotData { size: 8, align_shift: 32, key: None });
    refused(&func, "ss1", "its alignment, 2 to the power of 32, is too large");
}

#[test]
fn regions() {
    let mut func = returning();
    for (user_id, description) in [(3, "a"), (4, "b"), (3, "c")] {
        func.regions.push(RegionData { user_id, description: description.into() });
    }
    refused(&func, "region2", "duplicate alias region user_id 3");
}

#[test]
fn global_values() {
    let load =
        |base, ty| GlobalValueData::Load { base: GlobalValue(base), offset: 0, ty, flags: MemFlags::new() };
    let add = |base, ty| GlobalValueData::IAddImm { base: GlobalValue(base), offset: 8, ty };
    let symbol = || GlobalValueData::Symbol {
        name: ExternalName::symbol("x"),
        offset: 0,
        colocated: false,
        tls: false,
    };
    let with = |globals: &[GlobalValueData]| {
        let mut func = returning();
        globals.iter().for_each(|data| {
            func.global_values.push(data.clone());
        });
        func
    };
    refused(&with(&[add(1, I64), load(0, I64)]), "gv0", "the bases of global values form a cycle");
    refused(&with(&[add(0, I64)]), "gv0", "the bases of global values form a cycle");
    // A chain into a cycle.
    refused(&with(&[add(1, I64), add(2, I64), add(1, I64)]), "gv1", "form a cycle");
    refused(&with(&[GlobalValueData::VMContext]), "gv0", "undeclared vmctx reference");
    refused(&with(&[symbol(), load(0, Type::INVALID)]), "gv1", "has no type");
    refused(
        &with(&[symbol(), load(0, I16), load(1, I16)]),
        "gv2",
        "base gv1 has type i16, which is not an address",
    );
    refused(
        &with(&[symbol(), add(0, F32)]),
        "gv1",
        "iadd_imm needs an integer type of at most 64 bits, not f32",
    );
    refused(
        &with(&[symbol(), load(0, I32), add(1, I64)]),
        "gv2",
        "has type i64, but its base gv1 has type i32",
    );

    let mut verifier = Verifier::with_address_type(I64);
    let func = with(&[symbol(), load(0, I32), load(1, I32)]);
    accepted(&func);
    refused_by(&mut verifier, &func, &[("gv2", "base gv1 has type i32, which is not the pointer type i64")]);

    let mut func = with(&[symbol(), load(0, I8)]);
    func.stack_limit = Some(GlobalValue(1));
    refused(&func, "stack_limit", "the stack limit gv1 has type i8, which is no address");
}

#[test]
fn stack_maps_and_tags() {
    let slot = StackSlotData { size: 8, align_shift: 0, key: None };
    let entry = |ty, offset| UserStackMapEntry { ty, slot: StackSlot(0), offset };
    let calling = |entry| {
        let mut func = function(&[I32], |at, v| {
            at.func.stack_slots.push(slot);
            let sig = at.func.dfg.signatures.push(Signature::default());
            at.ins().call_indirect(sig, v[0], &[]);
            at.ins().sequence_point();
            at.ins().return_(&[]);
        });
        func.dfg.stack_maps.push((Inst(0), [entry].into()));
        func.dfg.debug_tags.push((Inst(0), [DebugTag::User(0)].into()));
        func.dfg.debug_tags.push((Inst(1), [DebugTag::StackSlot(StackSlot(0))].into()));
        func
    };
    accepted(&calling(entry(I32, 4)));
    refused(&calling(entry(I64, 4)), "inst0", "its user stack map names bytes 4 to 12 of ss0, which has 8");
    refused(&calling(entry(I64, u32::MAX)), "inst0", "its user stack map names bytes 4294967295 to");
    refused(&calling(entry(Type::INVALID, 0)), "inst0", "its user stack map names ss0 without a type");

    let mut func = calling(entry(I32, 0));
    func.dfg.stack_maps.push((Inst(1), [entry(I32, 0)].into()));
    refused(&func, "inst1", "has a user stack map, but is no call that comes back");
    let mut func = calling(entry(I32, 0));
    func.dfg.debug_tags.push((Inst(2), [DebugTag::User(0)].into()));
    refused(&func, "inst2", "debug tags present on non-call, non-sequence point instruction");
}

#[test]
fn entries() {
    refused(&Function::default(), "function", "has no blocks");
    let mut func = returning();
    func.layout.set_cold(Block(0));
    refused(&func, "block0", "entry block cannot be marked as cold");
    let mut func = returning();
    func.signature.params.push(AbiParam::new(I32));
    refused(&func, "block0", "entry block parameters (0) must match function signature (1)");
    func.dfg.append_block_param(Block(0), F32);
    refused(&func, "block0", "entry block parameter 0 expected to have type i32, got f32");
}
