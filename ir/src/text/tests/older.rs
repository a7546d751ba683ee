//! Older spellings: what each stands for.

use super::*;
use alloc::format;

/// Checks that the instructions `old` of a function with parameters `v0: i32, v1: i32, v2: i64, v3: i8, v4: i128` print as
/// `new`, line by line.
#[track_caller]
fn becomes(old: &str, new: &[&str]) {
    let text = format!(
        "function %f(i32, i32, i64 vmctx, i8, i128) {{
    ss0 = explicit_slot 16
    gv0 = vmctx
    gv1 = load.i64 notrap aligned gv0+8
    gv2 = iadd_imm.i64 gv1, 40
    gv3 = symbol colocated %x+4
    gv4 = symbol tls %y
    gv5 = iadd_imm.i32 gv3, -4
block0(v0: i32, v1: i32, v2: i64, v3: i8, v4: i128):
    {old}
    return
}}"
    );
    let printed = reprint(&text);
    let body = printed.split_once("v4: i128):\n").unwrap().1;
    let lines: alloc::vec::Vec<_> =
        body.lines().map(str::trim).take_while(|&line| line != "return").collect();
    pretty_assertions::assert_eq!(lines, new);
}

#[test]
fn numbers_as_operands() {
    for op in [
        "iadd", "imul", "udiv", "sdiv", "urem", "srem", "band", "bor", "bxor", "rotl", "rotr", "ishl",
        "ushr", "sshr",
    ] {
        becomes(
            &format!("v5 = {op}_imm v0, 7"),
            &["v6 = iconst.i32 7", &format!("v5 = {op} v0, v6  ; v6 = 7")],
        );
    }
    becomes("v5 = iadd_imm.i8 v3, 255", &["v6 = iconst.i8 -1", "v5 = iadd v3, v6  ; v6 = -1"]);
    becomes("v5 = irsub_imm v0, 45", &["v6 = iconst.i32 45", "v5 = isub v6, v0  ; v6 = 45"]);
    becomes("v5 = icmp_imm sge v2, -12", &["v6 = iconst.i64 -12", "v5 = icmp sge v2, v6  ; v6 = -12"]);
}

#[test]
fn wide_numbers_are_extended() {
    becomes(
        "v5 = iadd_imm v4, -1",
        &["v7 = iconst.i64 -1", "v6 = sextend.i128 v7  ; v7 = -1", "v5 = iadd v4, v6"],
    );
    becomes(
        "v5 = udiv_imm v4, 10",
        &["v7 = iconst.i64 10", "v6 = uextend.i128 v7  ; v7 = 10", "v5 = udiv v4, v6"],
    );
}

#[test]
fn numbers_whose_type_is_known_later() {
    becomes(
        "v5 = iadd_imm v9, 1\n v6 = irsub_imm v5, 2\n v9 = iadd v0, v0",
        &[
            "v10 = iconst.i32 1",
            "v5 = iadd.i32 v9, v10  ; v10 = 1",
            "v11 = iconst.i32 2",
            "v6 = isub v11, v5  ; v11 = 2",
            "v9 = iadd v0, v0",
        ],
    );
    becomes(
        "v5 = iadd_imm v9, 1\n v9 -> v4",
        &["v9 -> v4", "v11 = iconst.i64 1", "v10 = sextend.i128 v11  ; v11 = 1", "v5 = iadd v9, v10"],
    );
}

#[test]
fn stack_accesses() {
    becomes("v5 = stack_load.i32 ss0+4", &["v6 = stack_addr.i64 ss0+4", "v5 = load.i32 notrap v6"]);
    becomes("stack_store v0, ss0", &["v5 = stack_addr.i64 ss0", "store notrap v0, v5"]);
    becomes("stack_store.i8 v3, ss0+1", &["v5 = stack_addr.i64 ss0+1", "store notrap v3, v5"]);
}

#[test]
fn inverted_operands() {
    becomes("v5 = band_not v0, v1", &["v6 = bnot v1", "v5 = band v0, v6"]);
    becomes("v5 = bor_not v0, v1", &["v6 = bnot v1", "v5 = bor v0, v6"]);
    becomes("v5 = bxor_not.i32 v0, v1", &["v6 = bnot v1", "v5 = bxor v0, v6"]);
}

#[test]
fn global_values() {
    let printed = reprint(
        "function %f(i64 vmctx) -> i64 { gv0 = vmctx\nblock0(v7: i64):\n v1 = global_value.i64 gv0\n return v1 }",
    );
    assert!(printed.contains("block0(v7: i64):\n    v1 -> v7\n    return v1\n"), "{printed}");
    becomes("v5 = global_value.i64 gv1", &["v5 = load.i64 notrap aligned v2+8"]);
    becomes(
        "v5 = global_value.i64 gv2",
        &["v7 = load.i64 notrap aligned v2+8", "v8 = iconst.i64 40", "v5 = iadd v7, v8  ; v8 = 40"],
    );
    becomes("v5 = global_value.i64 gv3", &["v5 = symbol_value.i64 gv3"]);
    becomes("v5 = global_value.i64 gv4", &["v5 = tls_value.i64 gv4"]);
    becomes(
        "v5 = global_value.i32 gv5",
        &["v6 = symbol_value.i32 gv3", "v7 = iconst.i32 -4", "v5 = iadd v6, v7  ; v7 = -4"],
    );
}

#[test]
fn carries_and_booleans() {
    becomes("v5, v6 = iadd_cout v0, v1", &["v5, v6 = uadd_overflow v0, v1"]);
    becomes("v5, v6 = isub_bout v0, v1", &["v5, v6 = usub_overflow v0, v1"]);
    becomes("v5, v6 = iadd_carry v0, v1, v3", &["v5, v6 = uadd_overflow_cin v0, v1, v3"]);
    becomes("v5, v6 = isub_borrow v0, v1, v3", &["v5, v6 = usub_overflow_bin v0, v1, v3"]);
    becomes("v5 = iadd_cin v0, v1, v3", &["v5, v6 = uadd_overflow_cin v0, v1, v3"]);
    becomes("v5 = isub_bin v0, v1, v3", &["v5, v6 = usub_overflow_bin v0, v1, v3"]);
    becomes("v5 = bint.i32 v3", &["v5 = uextend.i32 v3"]);
    becomes(
        "v6 = iadd v0, v0\n v5 = bint.i8 v3\n v7 = iadd v5, v5",
        &["v5 -> v3", "v6 = iadd v0, v0", "v7 = iadd v5, v5"],
    );
    becomes("v5 = raw_bitcast.f32 v0", &["v5 = bitcast.f32 v0"]);
    becomes("v5 = uload32.i64 v2", &["v5 = uload32 v2"]);
}
