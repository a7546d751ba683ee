//! Operand, result and controlling types, and immediates.

use super::*;
use crate::builder::InstBuilder;
use crate::extname::ExternalName;
use crate::function::GlobalValueData;
use crate::instdata::InstData;
use crate::memflags::{Endianness, MemFlags};
use crate::opcode::Opcode;
use crate::types::{F32, F64, I8, I8X16, I16, I16X8, I32, I32X4, I64, I64X2, I128};

/// One instruction on parameters of these types, and a return.
fn one(params: &[Type], build: impl FnOnce(&mut FuncCursor<'_>, &[Value])) -> Function {
    function(params, |at, v| {
        build(at, v);
        at.ins().return_(&[]);
    })
}

macro_rules! one {
    ([$($ty:expr),*], |$v:ident| $name:ident($($arg:expr),*)) => {
        one(&[$($ty),*], |at, $v| {
            let _ = $v;
            at.ins().$name($($arg),*);
        })
    };
}

#[test]
fn operands() {
    let func = one!([I32, I64], |v| iadd(v[0], v[1]));
    refused(&func, "inst0", "arg 1 (v1) has type i64, expected i32");
    let func = one!([F32, I64], |v| ishl(v[1], v[0]));
    refused(&func, "inst0", "arg 1 (v0) has type f32, expected an integer type");
    let func = one!([I32], |v| uextend(I16, v[0]));
    refused(&func, "inst0", "arg 0 (v0) has type i32, expected an integer narrower than T, which is i16");
    let func = one!([I32], |v| ireduce(I32, v[0]));
    refused(&func, "inst0", "arg 0 (v0) has type i32, expected an integer wider than T, which is i32");
    let func = one!([F64], |v| fpromote(F64, v[0]));
    refused(&func, "inst0", "arg 0 (v0) has type f64, expected a float narrower than T, which is f64");
    let func = one!([I32], |v| load(I8, MemFlags::new(), v[0], 0));
    accepted(&func);
    refused_by(
        &mut Verifier::with_address_type(I64),
        &func,
        &[("inst0", "the type of arg 0 (v0) is i32, but addresses have type i64")],
    );
    let func = one!([I16], |v| load(I8, MemFlags::new(), v[0], 0));
    refused(&func, "inst0", "arg 0 (v0) has type i16, expected an address type, i32 or i64");
}

#[test]
fn controlling_types() {
    refused(
        &one!([F32, F32], |v| iadd(v[0], v[1])),
        "inst0",
        "invalid controlling type f32; it must be an integer",
    );
    refused(
        &one!([], |v| iconst(I128, 0)),
        "inst0",
        "invalid controlling type i128; it must be an integer type of at",
    );
    refused(&one!([], |v| iconst(Type::INVALID, 0)), "inst0", "has no controlling type; it must be");
    refused_by(
        &mut Verifier::with_address_type(I64),
        &one!([], |v| get_stack_pointer(I32)),
        &[("inst0", "the controlling type is i32, but addresses have type i64")],
    );
    // An operand is replaced by one of another type.
    let mut func = one!([I32, I64], |v| clz(v[0]));
    func.dfg.map_uses(Inst(0), |_| Value(1));
    refused_by(
        &mut Verifier::new(),
        &func,
        &[
            ("inst0", "its controlling type is i32, but arg 0 (v1) has type i64"),
            ("inst0", "result 0 (v2) has type i32, expected i64"),
        ],
    );
}

#[test]
fn results() {
    let mut func = one!([I32], |v| clz(v[0]));
    func.dfg.detach_results(Inst(0));
    refused(&func, "inst0", "has 0 results, gives 1");
    let mut func = one!([I32], |v| clz(v[0]));
    func.dfg.insts[Inst(0)] = InstData::Unary { opcode: Opcode::SetPinnedReg, arg: Value(0) };
    refused(&func, "inst0", "has 1 results, gives 0");
    let mut func = one!([I32, I32], |v| iadd(v[0], v[1]));
    func.dfg.insts[Inst(0)] =
        InstData::IntCompare { opcode: Opcode::Icmp, cond: crate::IntCC::Equal, args: [Value(0); 2] };
    refused(&func, "inst0", "result 0 (v2) has type i32, expected i8");
    let func = one!([I64X2], |v| swiden_low(v[0]));
    refused(
        &func,
        "inst0",
        "invalid controlling type i64x2; it must be a vector of 8-bit to 32-bit integers",
    );
}

#[test]
fn integer_constants() {
    for (ty, n) in [(I8, -128), (I8, 255), (I16, -1), (I16, 65535), (I32, -1 << 31), (I32, (1 << 32) - 1)] {
        accepted(&one!([], |v| iconst(ty, n)));
    }
    accepted(&one!([], |v| iconst(I64, i64::MIN)));
    for (ty, n) in [(I8, -129), (I8, 256), (I16, 65536), (I32, 1 << 32), (I32, i64::MIN), (I8, i64::MAX)] {
        refused(
            &one!([], |v| iconst(ty, n)),
            "inst0",
            &format!("constant immediate {n} is out of bounds for {ty}"),
        );
    }
}

#[test]
fn constants_have_the_size_of_their_type() {
    let vconst = |bytes: usize| {
        one(&[], |at, _| {
            let constant = at.func.dfg.constants.push(alloc::vec![0; bytes]);
            at.ins().vconst(I32X4, constant);
        })
    };
    accepted(&vconst(16));
    refused(&vconst(8), "inst0", "const0 has 8 bytes, but i32x4 needs 16");
    let func = one(&[], |at, _| {
        let constant = at.func.dfg.constants.push([0; 4].into());
        at.ins().f128const(constant);
    });
    refused(&func, "inst0", "const0 has 4 bytes, but f128 needs 16");
}

#[test]
fn symbols_are_thread_local_or_not() {
    let with = |tls: bool, instruction_tls: bool| {
        one(&[], |at, _| {
            let name = ExternalName::symbol("x");
            let data = GlobalValueData::Symbol { name, offset: 0, colocated: false, tls };
            let gv = at.func.global_values.push(data);
            if instruction_tls {
                at.ins().tls_value(I64, gv)
            } else {
                at.ins().symbol_value(I64, gv)
            };
        })
    };
    accepted(&with(true, true));
    accepted(&with(false, false));
    refused(&with(false, true), "inst0", "gv0 is not a thread-local symbol");
    refused(&with(true, false), "inst0", "gv0 is not a symbol that is not thread-local");
}

#[test]
fn lanes_are_in_range() {
    accepted(&one!([I32X4], |v| extractlane(v[0], 3)));
    refused(
        &one!([I32X4], |v| extractlane(v[0], 4)),
        "inst0",
        "the lane 4 does not index into the type i32x4",
    );
    let func = one!([I16X8, I16], |v| insertlane(v[0], v[1], 255));
    refused(&func, "inst0", "the lane 255 does not index into the type i16x8");
}

#[test]
fn shuffle_masks_pick_bytes_of_two_vectors() {
    let shuffle = |mask: &[u8]| {
        one(&[I8X16], |at, v| {
            let mask = at.func.dfg.immediates.push(mask.into());
            at.ins().shuffle(v[0], v[0], mask);
        })
    };
    accepted(&shuffle(&[31; 16]));
    refused(&shuffle(&[0; 15]), "inst0", "the shuffle mask has 15 bytes, needs 16");
    refused(&shuffle(&[32; 16]), "inst0", "the shuffle index 32 is larger than the maximum 31");
}

#[test]
fn bitcasts_keep_bits() {
    let (none, little) = (MemFlags::new(), MemFlags::new().with_endianness(Endianness::Little));
    accepted(&one!([I32], |v| bitcast(F32, none, v[0])));
    accepted(&one!([I32X4], |v| bitcast(I64X2, little, v[0])));
    let func = one!([I32], |v| bitcast(F64, none, v[0]));
    refused(&func, "inst0", "arg 0 (v0) has type i32, expected a type with as many bits as T, which is f64");
    let func = one!([I32X4], |v| bitcast(I64X2, none, v[0]));
    refused(&func, "inst0", "byte order specifier required for a bitcast from 4 to 2 lanes");
    let func = one!([I32], |v| bitcast(F32, none.with_aligned(), v[0]));
    refused(&func, "inst0", "bitcast takes no memory flags but `little` and `big`");
}

#[test]
fn stores_do_not_write_what_is_read_only() {
    let flags = MemFlags::trusted().with_readonly();
    let message = "a store instruction cannot have the `readonly` memory flag";
    refused(&one!([I32, I64], |v| store(flags, v[0], v[1], 0)), "inst0", message);
    refused(&one!([I32, I64], |v| atomic_store(flags, v[0], v[1])), "inst0", message);
    refused(
        &one!([I32, I64], |v| atomic_rmw(I32, flags, crate::AtomicRmwOp::Add, v[1], v[0])),
        "inst0",
        message,
    );
    accepted(&one!([I64], |v| load(I32, flags, v[0], 0)));
}
