//! The shape of printed functions, and all that a function may hold besides instructions.

use super::*;
use crate::entities::*;
use crate::function::Function;
use alloc::format;
use core::fmt::{self, Write};

#[test]
fn a_whole_preamble() {
    prints_as_is(
        "function u1:2(i64 vmctx, i32 uext, i8 sext, i64 sarg(64), i64 sarg(16, f64), i64 sarg(12, f32, align = 8), i64 sarg(24, align = 8), i64 sret) -> i32 sext, f64 tail {
    ss0 = explicit_slot 1048576
    ss1 = explicit_slot 8, align = 16, key = 18446744073709551615
    region0 = 4 \"name\"
    region1 = 4294967295 \"\"
    gv0 = vmctx
    gv1 = load.i64 notrap aligned readonly can_move region1 gv0+8
    gv2 = iadd_imm.i64 gv1, -72
    gv3 = symbol colocated %\"a b\"+0x0001_0000
    gv4 = symbol tls u0:9-8
    sig0 = (i64 vmctx) fast
    sig1 = () -> i8x16, f16, f128 aapcs_vfp
    fn0 = colocated %CeilF32 sig0
    fn1 = u4294967295:4294967295 sig1
    const0 = 0x0102
    stack_limit = gv2

block0(v0: i64):
    return
}
",
    );
}

#[test]
fn preambles_in_any_order_and_with_gaps() {
    let printed = reprint(
        "function %f() {
    fn2 = %g sig3
    stack_limit = gv2
    gv2 = load.i32 region1 gv4
    ss2 = explicit_slot 1_024
    sig3 = (i32)
    gv4 = vmctx
    region1 = 7 \"r\"
block0:
    v0 = stack_addr.i32 ss2
    return
}",
    );
    assert_eq!(
        printed,
        "function %f() fast {
    ss0 = explicit_slot 0
    ss1 = explicit_slot 0
    ss2 = explicit_slot 1024
    region0 = 0 \"\"
    region1 = 7 \"r\"
    gv0 = symbol u4294967295:0
    gv1 = symbol u4294967295:1
    gv2 = load.i32 region1 gv4
    gv3 = symbol u4294967295:3
    gv4 = vmctx
    sig0 = () fast
    sig1 = () fast
    sig2 = () fast
    sig3 = (i32) fast
    fn0 = u4294967295:0 sig0
    fn1 = u4294967295:1 sig0
    fn2 = %g sig3
    stack_limit = gv2

block0:
    v0 = stack_addr.i32 ss2
    return
}
"
    );
}

#[test]
fn signatures_inside_of_functions_take_the_next_number() {
    let printed = reprint(
        "function %f(i64) -> i32 {
    sig0 = (f32)
    fn0 = colocated %g(i32) -> i32 system_v
    fn1 = %h()
block0(v0: i64):
    v1 = iconst.i32 1
    v2 = call_indirect sig1, v0(v1)
    call_indirect.i64 sig2, v0()
    return v2
}",
    );
    assert!(
        printed
            .contains("    sig1 = (i32) -> i32 system_v\n    sig2 = () fast\n    fn0 = colocated %g sig1\n")
    );
}

#[test]
fn sparse_numbers_become_dense_in_the_same_order() {
    let printed = reprint(
        "function %f(i32) -> i32 {
    ss4000000000 = explicit_slot 4
    ss5 = explicit_slot 8
    fn3000000000 = %g(i32) -> i32
block7(v4000000000: i32):
    v9 = stack_addr.i32 ss5
    v4000000001 = call fn3000000000(v4000000000)
    jump block4000000000(v4000000001)
block4000000000(v10: i32):
    return v10
}",
    );
    assert_eq!(
        printed,
        "function %f(i32) -> i32 fast {
    ss0 = explicit_slot 8
    ss1 = explicit_slot 4
    sig0 = (i32) -> i32 fast
    fn0 = %g sig0

block0(v2: i32):
    v0 = stack_addr.i32 ss0
    v3 = call fn0(v2)
    jump block1(v3)

block1(v1: i32):
    return v1
}
"
    );
}

#[test]
fn ordinary_gaps_in_numbers_stay() {
    prints_as_is(
        "function %f() -> i32 fast {\nblock100:\n    v1000 = iconst.i32 1\n    return v1000  ; v1000 = 1\n}\n",
    );
}

#[test]
fn prefixes_stack_maps_and_cold_blocks() {
    prints_as_is(
        "function %f(i32) fast {
    ss0 = explicit_slot 12, align = 4
    sig0 = (i32) fast
    fn0 = colocated u0:0 sig0

                                block0(v0: i32):
@0043                               v1 = iconst.i32 7
@12345678 <1, ss0>                  call fn0(v1), stack_map=[i32 @ ss0+0, i64 @ ss0+4]  ; v1 = 7
<4294967295>                        sequence_point
                                    brif v0, block1, block2(v1)  ; v1 = 7

                                block1 cold:
                                    return_call fn0(v0)

                                block2(v2: i32) cold:
                                    try_call fn0(v0), sig0, block3, [ default: block3 ], stack_map=[i8 @ ss0+0]

                                block3:
                                    return
}
",
    );
}

#[test]
fn aliases_follow_what_they_name() {
    let printed = reprint(
        "function %f(i32) -> i32 {
block0(v0: i32):
    v5 -> v4
    v4 -> v0
    v2 = iadd v5, v7
    v7 -> v9
    v8 -> v2
    v9 = iadd v4, v4
    return v8
}",
    );
    assert_eq!(
        printed,
        "function %f(i32) -> i32 fast {
block0(v0: i32):
    v4 -> v0
    v5 -> v0
    v2 = iadd v5, v7
    v8 -> v2
    v9 = iadd v4, v4
    v7 -> v9
    return v8
}
"
    );
}

#[test]
fn constants_are_repeated_in_comments() {
    prints_as_is(
        "function %f() fast {
    const0 = 0x0f0e0d0c0b0a09080706050403020100

block0:
    v0 = iconst.i8 -1
    v1 = f32const 0x1.800000p1
    v2 = f64const -NaN:0x5
    v3 = vconst.i8x16 const0
    v4 = fcmp eq v1, v1  ; v1 = 0x1.800000p1, v1 = 0x1.800000p1
    v5 = iconst.i64 0x0001_0000
    v6 = shuffle v3, v3, 0x000102030405060708090a0b0c0d0e0f  ; v3 = 0x0f0e0d0c0b0a09080706050403020100, v3 = 0x0f0e0d0c0b0a09080706050403020100
    jump block0(v0, v2)  ; v0 = -1, v2 = -NaN:0x5
}
",
    );
}

#[test]
fn constants_inside_of_instructions_go_to_the_pool_once() {
    let printed = reprint(
        "function %f() {
    const0 = i32x4 [1 2 3 4]
block0:
    v0 = vconst.i32x4 [1, 2, 3, 4]
    v1 = vconst.i32x4 0x5
    v2 = vconst.f64x2 [0x1.0 -0.0]
    v3 = vconst.i32x4 [5 0 0 0]
    v4 = f128const 0x1.0
    v5 = shuffle v0, v1, [0 1 2 3 4 5 6 7 8 9 10 11 12 13 14 31]
    return
}",
    );
    for line in [
        "const0 = 0x00000004000000030000000200000001",
        "const1 = 0x00000000000000000000000000000005",
        "const2 = 0x80000000000000003ff0000000000000",
        "const3 = 0x3fff0000000000000000000000000000",
        "v0 = vconst.i32x4 const0",
        "v3 = vconst.i32x4 const1",
        "v4 = f128const const3",
    ] {
        assert!(printed.contains(&format!("    {line}\n")), "{line}\n{printed}");
    }
}

#[test]
fn the_type_stands_where_the_operand_comes_from_elsewhere() {
    prints_as_is(
        "function %f(i32, i64) fast {
block0(v0: i32, v1: i64):
    v2 = iadd v0, v0
    jump block1

block1:
    v3 = iadd.i32 v2, v2
    store.i32 v2, v1
    brif.i32 v0, block0(v3, v1), block1
}
",
    );
}

#[test]
fn a_type_that_contradicts_its_operand_stays() {
    prints_as_is("function %f(i32) fast {\nblock0(v0: i32):\n    v1 = iadd.i64 v0, v0\n    return\n}\n");
}

#[test]
fn free_form() {
    let printed = reprint(
        "\u{feff}; before\r\nfunction\t%f ( i32 , i8 )->i32 ; x\r\nsystem_v{;y\nblock0 ( v0 : i32 ,v1:i8 )\n:;z\n\
         v2=iadd.i32 v0 , v0 v3 = icmp eq v2, v0 brif v3,block1(v2) , block1 ( v0 )\nblock1(v4 ! range(32, f(1), 2): i32):\n\
         v5 ! max = load.i32 readonly little region0 aligned user3 v4 + 0\nreturn\tv4 } ; after\n"
            .replace("{;y", "{;y\nregion0 = 1 \"\"")
            .replace(" + 0", "+0")
            .as_str(),
    );
    assert_eq!(
        printed,
        "function %f(i32, i8) -> i32 system_v {
    region0 = 1 \"\"

block0(v0: i32, v1: i8):
    v2 = iadd v0, v0
    v3 = icmp eq v2, v0
    brif v3, block1(v2), block1(v0)

block1(v4: i32):
    v5 = load.i32 user3 aligned readonly little region0 v4
    return v4
}
"
    );
}

#[test]
fn names_of_any_characters() {
    for name in ["%a.b$c", "%0", "%\"a b\"", "%\"\\\"\\\\\"", "%\"é;{\"", "%\"\"", "%\"\\u{0}\\u{a}\""] {
        prints_as_is(&format!("function {name}() fast {{\nblock0:\n    return\n}}\n"));
    }
    let func = parse_function("function %\"a\\tb\\u{1F600}\"() { block0: return }").unwrap();
    assert_eq!(func.name, crate::ExternalName::Symbol("a\tb😀".into()));
}

#[test]
fn integers_of_all_ranges() {
    for (text, printed) in [
        ("iconst.i8 255", "iconst.i8 -1"),
        ("iconst.i8 -128", "iconst.i8 -128"),
        ("iconst.i16 0xffff", "iconst.i16 -1"),
        ("iconst.i32 100_000", "iconst.i32 0x0001_86a0"),
        ("iconst.i64 0xDEADBEEF_C0FFEEEE", "iconst.i64 -2401053089374146834"),
        ("iconst.i64 -9223372036854775808", "iconst.i64 -9223372036854775808"),
        ("f64const 0x0.5", "f64const 0x1.4000000000000p-2"),
        ("f32const -0x0.0", "f32const -0.0"),
        ("f32const 1e10", "f32const 0x1.2a05f2p33"),
        ("f64const NaN", "f64const +NaN"),
        ("f32const +sNaN:0x1", "f32const +sNaN:0x1"),
        ("f16const -Inf", "f16const -Inf"),
    ] {
        let text = format!("function %f() {{ block0: v0 = {text} return }}");
        assert!(reprint(&text).contains(&format!("    v0 = {printed}\n")), "{text}");
    }
}

#[test]
fn spans_of_parts() {
    let text = "function %f(i32) { ss0 = explicit_slot 4 fn0 = %g(i32) -> i32\n block0(v0: i32) cold:\n @1 v1, v2 = uadd_overflow v0, v0\nv3 -> v1 return }";
    let parsed = &parse_functions_with(text, &ParseOptions::default()).unwrap()[0];
    let map = &parsed.source_map;
    let of = |entity: AnyEntity| map.span(entity).map(|s| s.of(text));
    assert_eq!(of(AnyEntity::Function), Some(text));
    assert_eq!(map.name.of(text), "%f");
    assert_eq!(of(Block::from_u32(0).into()), Some("block0(v0: i32) cold:"));
    assert_eq!(of(Inst::from_u32(0).into()), Some("v1, v2 = uadd_overflow v0, v0"));
    assert_eq!(of(Inst::from_u32(1).into()), Some("return"));
    assert_eq!(of(Value::from_u32(2).into()), Some("v2"));
    assert_eq!(of(StackSlot::from_u32(0).into()), Some("ss0 = explicit_slot 4"));
    assert_eq!(of(FuncRef::from_u32(0).into()), Some("fn0 = %g(i32) -> i32"));
    assert_eq!(of(SigRef::from_u32(0).into()), Some("fn0 = %g(i32) -> i32"));
    assert_eq!(of(Value::from_u32(99).into()), None);
}

#[test]
fn several_functions_and_none() {
    let text = "; a\nfunction %f() { block0: return }\nfunction %g() { block0: return }\n";
    let names: alloc::vec::Vec<_> =
        parse_functions(text).unwrap().iter().map(|f| f.name.to_string()).collect();
    assert_eq!(names, ["%f", "%g"]);
    assert!(parse_functions("; nothing").unwrap().is_empty());
}

struct Notes;

impl Annotator for Notes {
    fn before_block(&mut self, w: &mut dyn Write, _: &Function, block: Block, indent: usize) -> fmt::Result {
        writeln!(w, "{:indent$}; before {block}", "")
    }
    fn before_inst(&mut self, w: &mut dyn Write, _: &Function, inst: Inst, indent: usize) -> fmt::Result {
        writeln!(w, "{:indent$}; before {inst}", "")
    }
    fn end_of_line(&mut self, w: &mut dyn Write, _: &Function, entity: AnyEntity) -> fmt::Result {
        write!(w, " ; at {entity}")
    }
    fn after(&mut self, w: &mut dyn Write, _: &Function, entity: AnyEntity, indent: usize) -> fmt::Result {
        writeln!(w, "{:indent$}; after {entity}", "")
    }
}

#[test]
fn tools_add_lines() {
    let func = parse_function("function %f() { ss0 = explicit_slot 4\nblock0: return }").unwrap();
    let mut out = String::new();
    write_function(&mut out, &func, &mut Notes).unwrap();
    assert_eq!(
        out,
        "function %f() fast { ; at function
; after function
    ss0 = explicit_slot 4 ; at ss0
    ; after ss0

; before block0
block0: ; at block0
; after block0
    ; before inst0
    return ; at inst0
    ; after inst0
}
"
    );
    assert_eq!(parse_function(&out).unwrap().to_string(), func.to_string());
}

#[test]
fn types_that_depend_on_themselves_are_written() {
    // No definition stands before its use: the verifier's business, not the text's.
    let printed = reprint(
        "function %f() {
         block0:
             v1 = iadd.i8 v1, v0
             v4 = ineg.i16 v2
             v2 = ineg v4
             v0 = iconst.i8 1
             return }",
    );
    assert_eq!(
        printed,
        "function %f() fast {
block0:
    v1 = iadd.i8 v1, v0  ; v0 = 1
    v4 = ineg.i16 v2
    v2 = ineg v4
    v0 = iconst.i8 1
    return
}
"
    );
}
