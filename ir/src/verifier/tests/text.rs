//! Functions as front ends write them: nothing in them is a fault.

use super::*;
use crate::text::parse_functions;

#[test]
fn functions_as_they_are_written_are_accepted() {
    let text = r#"
function %calls(i64 vmctx, i32 uext, i64 sret) -> i8 sext, i64 tail {
    ss0 = explicit_slot 32, align = 16
    gv0 = vmctx
    gv1 = load.i64 notrap aligned gv0+8
    gv2 = iadd_imm.i64 gv1, 16
    gv3 = symbol colocated tls %errno
    sig0 = (i64 vmctx, i32 uext, i64 sret) -> i8 sext, i64 tail
    fn0 = %calls(i64 vmctx, i32 uext, i64 sret) -> i8 sext, i64 tail
    region0 = 4 "heap"
    stack_limit = gv2

block0(v0: i64, v1: i32, v2: i64):
    v3, v4 = call fn0(v0, v1, v2)
    v5 = func_addr.i64 fn0
    v6, v7 = call_indirect sig0, v5(v0, v1, v2)
    v8 = stack_addr.i64 ss0+64
    store notrap aligned region0 v3, v8
    v9 = tls_value.i64 gv3
    v10 = atomic_rmw.i64 umax v9, v8
    v11 = atomic_cas.i32 v9, v1, v1
    br_table v1, block1(v3), [block1(v6), block2, block2]

block1(v12: i8):
    return v12, v7

block2:
    v13 -> v8
    v14 = iadd v13, v13
    return_call fn0(v0, v1, v14)
}

function %throws(i32, i64) -> i32 {
    sig0 = (i32) -> f32 tail
    fn0 = %g(i32) -> f32 tail

block0(v1: i32, v20: i64):
    v2 = f64const 0x1.0
    try_call fn0(v1), sig0, block1(ret0, v2), [ tag1: block2(exn0), context v20, tag1: block2(exn1), default: block3(v2, exn0) ]

block1(v3: f32, v4: f64):
    v5 = iconst.i32 0xffff_ffff
    return v5

block2(v6: i64):
    v7 = get_exception_handler_address.i64 block0, 2
    v8 = icmp_imm eq v7, 0
    v9 = uextend.i32 v8
    return v9

block3(v10: f64, v11: i64):
    trapz v11, user42
    trap user7
}
"#;
    for func in parse_functions(text).expect("the text is right") {
        let verdict = Verifier::with_address_type(crate::types::I64).verify(&func);
        assert_eq!(verdict, Ok(()), "{func}");
    }
}

#[test]
fn vectors_and_wide_types_are_of_the_language() {
    let text = "
function %wide(i128, f128, f16, i8x16, i32x2) -> i128 {
block0(v0: i128, v1: f128, v2: f16, v3: i8x16, v4: i32x2):
    v5 = imul v0, v0
    v6 = fadd v1, v1
    v7 = fpromote.f32 v2
    v8 = shuffle v3, v3, 0x0f0e0d0c0b0a09080706050403020100
    v9 = bitcast.i16x8 little v8
    v10 = swiden_low v9
    v11 = extractlane v10, 3
    v12 = splat.i32x2 v11
    v13 = icmp slt v4, v12
    v14 = vany_true v13
    v15 = bitcast.f64 big v13
    return v5
}
";
    for func in parse_functions(text).expect("the text is right") {
        accepted(&func);
    }
}
