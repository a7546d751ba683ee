//! Every way in which a text is refused: message and place.

use super::*;
use alloc::format;

#[track_caller]
fn refused(text: &str, message: &str) {
    match parse_functions(text) {
        Ok(_) => panic!("accepted: {text}"),
        Err(error) => pretty_assertions::assert_eq!(error.to_string(), message, "of\n{text}"),
    }
}

/// A fault of an instruction, which stands in line 2 from column 1.
#[track_caller]
fn inst_refused(inst: &str, message: &str) {
    let text = format!(
        "function %f(i32) {{ ss0 = explicit_slot 4 gv0 = vmctx region0 = 1 \"\" sig0 = (i32) -> i32 fn0 = %g sig0 block0(v0: i32, v1: i64, v2: f32):
{inst}
return }}"
    );
    refused(&text, &format!("2:{message}"));
}

#[test]
fn functions() {
    refused("func", "1:1: expected `function`, found `func`");
    refused("function f()", "1:10: expected a name such as `%f` or `u0:1`, found `f`");
    refused(
        "function %\"x",
        "1:10: expected a name such as `%f` or `u0:1`, found a quotation that does not end on its line",
    );
    refused("function %\"\\q\"() {}", "1:10: an unknown `\\` sequence in a quotation");
    refused("function %\"\\u{d800}\"() {}", "1:10: a bad `\\u{…}` in a quotation");
    refused("function u0 1() {}", "1:13: expected `:` and an index, found `1`");
    refused("function u0:4294967296() {}", "1:13: an index must be 0 to 4294967295");
    refused("function %f {", "1:13: expected `(` of a signature, found `{`");
    refused("function %f(i32", "1:16: expected `)` of a signature, found the end of the text");
    refused("function %f(i33) {}", "1:13: expected a type, found `i33`");
    refused("function %f(i32x4xN) {}", "1:13: dynamic vectors are not supported: `i32x4xN`");
    refused("function %f(i32 uext sext) {}", "1:22: a second purpose or extension of one parameter");
    refused("function %f(i32 sarg) {}", "1:21: expected `(` and the size of the structure, found `)`");
    refused("function %f(i32 sarg(8, align = 3)) {}", "1:33: an alignment must be a power of two");
    refused("function %f(i32 sarg(8, 4)) {}", "1:25: expected a type, found `4`");
    refused("function %f(i32 sarg(8, f32, f64)) {}", "1:30: a second alignment or type of one structure");
    refused("function %f() -> {}", "1:18: expected a type, found `{`");
    refused("function %f() windows_fastcall {}", "1:15: unknown calling convention `windows_fastcall`");
    refused(
        "function %f() systemv {}",
        "1:15: unknown calling convention `systemv`, did you mean `system_v`?",
    );
    refused("function %f() { block0: return", "1:31: expected an instruction, found the end of the text");
    refused("function %f() {} x", "1:18: expected `function`, found `x`");
    assert_eq!(
        parse_function("function %f() {} function %g() {}").unwrap_err().to_string(),
        "1:18: expected the end of the text, found `function`"
    );
    refused("function %f() { é }", "1:17: expected a declaration, a block or `}`, found `é`");
}

#[test]
fn preambles() {
    let of = |decl: &str, message: &str| {
        refused(&format!("function %f() {{\n{decl}\n}}"), &format!("2:{message}"))
    };
    of("ss0 = slot 4", "7: expected `explicit_slot`, found `slot`");
    of("ss0 = explicit_slot -4", "21: a slot's size must be 0 to 4294967295");
    of("ss0 = explicit_slot 4, align = 3", "32: an alignment must be a power of two");
    of("ss0 = explicit_slot 4, foo = 3", "24: expected `align` or `key`, found `foo`");
    of("ss0 = explicit_slot 4, key = 3, key = 4", "33: a second key");
    of("ss0 = explicit_dynamic_slot dt0", "7: dynamic vectors are not supported: `explicit_dynamic_slot`");
    of("gv0 = foo", "7: expected `vmctx`, `load`, `iadd_imm` or `symbol`, found `foo`");
    of("gv0 = load gv1", "12: expected `.` and a type, found `gv1`");
    of("gv0 = load.i32 gv1", "16: gv1 is not defined");
    of("gv0 = load.i32 region3 gv0", "16: region3 is not defined");
    of("gv0 = load.i32 gv0+0x8000_0000", "19: an offset must fit 32 bits");
    of("gv0 = symbol %x+0x8000_0000_0000_0000", "16: an offset must fit 64 bits");
    of(
        "gv0 = dyn_scale_target_const.i32x4",
        "7: dynamic vectors are not supported: `dyn_scale_target_const`",
    );
    of("fn0 = %f sig0", "10: sig0 is not defined");
    refused(
        "function %f() {\nfn0 = %f(i32)\nsig0 = ()\n}",
        "3:1: sig0 is declared twice, first by a function with a signature of its own",
    );
    refused("function %f() {\nsig0 = ()\nsig0 = () }", "3:1: sig0 is declared twice");
    of("const0 = 5", "10: expected bytes as a hexadecimal number");
    of("const0 = i32x4 [1 2]", "16: i32x4 has 4 lanes in 16 bytes");
    of("const0 = i8x16 [1000]", "17: `1000`: out of the range of i8");
    of("region0 = 4 x", "13: expected a region's description in quotes, found `x`");
    of("stack_limit = gv0", "15: gv0 is not defined");
    of("dt0 = i32x4*gv0", "1: expected a declaration, a block or `}`, found `dt0`");
}

#[test]
fn definitions() {
    refused(
        "function %f() {\nblock0(v0: i32, v0: i32):\nreturn }",
        "2:17: v0 is defined twice, first in line 2",
    );
    refused(
        "function %f() {\nblock0: return\nblock0: return }",
        "3:1: block0 is defined twice, first in line 2",
    );
    inst_refused("v1 = iconst.i32 1", "1: v1 is defined twice, first in line 1");
    inst_refused("v3 = iadd v9, v0", "11: v9 is not defined");
    inst_refused("jump block9(v8)", "6: block9 is not defined");
    inst_refused("v3 = stack_addr.i32 ss1", "21: ss1 is not defined");
    inst_refused("v3 = symbol_value.i32 gv1", "23: gv1 is not defined");
    inst_refused("v3 = call fn1(v0)", "11: fn1 is not defined");
    inst_refused("v3 = call_indirect sig1, v0(v0)", "20: sig1 is not defined");
    inst_refused("v3 = vconst.i32x4 const0", "19: const0 is not defined");
    inst_refused("v3 = load.i32 region7 v0", "15: region7 is not defined");
    inst_refused("<ss9> nop", "2: ss9 is not defined");
    inst_refused(
        "v3 = iadd v4294967295, v0",
        "11: expected a value, found `v4294967295`, whose number is too large",
    );
}

#[test]
fn instructions() {
    inst_refused("v3 = iad v0, v0", "6: unknown instruction `iad`, did you mean `iadd`?");
    inst_refused("v3 = iadd_im v0, 1", "6: unknown instruction `iadd_im`, did you mean `iadd_imm`?");
    inst_refused("v3 = frobnicate v0", "6: unknown instruction `frobnicate`");
    inst_refused(
        "v3 = dynamic_stack_load.i32x4xN dss0",
        "6: dynamic vectors are not supported: `dynamic_stack_load`",
    );
    inst_refused("v3 = 5", "6: expected an instruction, found `5`");
    inst_refused("v3 iadd v0, v0", "4: expected `=` and an instruction, found `iadd`");
    refused(
        "function %f() {\nblock0: v3 = iadd v0\n}",
        "3:1: expected `,`: `iadd` takes 2 values, found `}`",
    );
}

#[test]
fn operands() {
    inst_refused("v3 = iadd v0 v0", "14: expected `,`: `iadd` takes 2 values, found `v0`");
    inst_refused("v3 = iadd v0, v0, v0", "17: expected the end of `iadd`, found `,`");
    inst_refused("v3 = iadd v0, 5", "15: expected a value, found `5`");
    inst_refused("v3, v4 = iadd v0, v0", "1: `iadd` gives 1 result, but 2 are named");
    inst_refused("v3 = nop", "1: `nop` gives 0 results, but 1 are named");
    inst_refused("v3, v4 = call fn0(v0)", "1: `call` gives 1 result, but 2 are named");
    inst_refused("v3 = iconst 5", "6: `iconst` needs a type, as in `iconst.i32`");
    inst_refused("v3 = splat v0", "6: `splat` needs a type, as in `splat.f64x2`");
    inst_refused("v3 = stack_load ss0", "6: `stack_load` needs a type, as in `stack_load.i32`");
    inst_refused("jump.i32 block0", "6: `jump` takes no type, `.i32`");
    inst_refused("v3 = iconst.f32 5", "1: `iconst` has no type f32");
    inst_refused("v3 = iconst.i128 5", "1: `iconst` has no type i128");
    inst_refused("v3 = iconst.i8 256", "16: out of the range of i8");
    inst_refused("v3 = iconst.i8 -129", "16: out of the range of i8");
    inst_refused("v3 = iconst.i8 0x", "16: expected an integer, found `0x`: not an integer");
    inst_refused(
        "v3 = f32const 0x1p128",
        "15: expected a float, found `0x1p128`: a float too large for its type",
    );
    inst_refused("v3 = f32const x", "15: expected a float, found `x`");
    inst_refused(
        "v3, v5 = isplit.i8 v0",
        "1: `isplit` is not defined for i8: it takes an integer type of at least 16 bits",
    );
    inst_refused("v3 = icmp equal v0, v0", "11: unknown condition `equal`");
    inst_refused("v3 = icmp sgee v0, v0", "11: unknown condition `sgee`, did you mean `sge`?");
    inst_refused("v3 = fcmp slt v2, v2", "11: unknown condition `slt`, did you mean `lt`?");
    inst_refused("v3 = load.i32 foo v0", "15: unknown memory flag `foo`");
    inst_refused("v3 = load.i32 alined v0", "15: unknown memory flag `alined`, did you mean `aligned`?");
    inst_refused("v3 = load.i32 little big v0", "22: `big`, but this was said already");
    inst_refused("v3 = load.i32 notrap user1 v0", "22: `user1`, but this was said already");
    inst_refused("v3 = load.i32 region0 region0 v0", "23: `region0`, but this was said already");
    inst_refused("v3 = load.i32 v0+2147483648", "17: an offset must fit 32 bits");
    inst_refused(
        "v3 = atomic_rmw.i32 little ad v0, v0",
        "28: unknown memory flag or operation `ad`, did you mean `add`?",
    );
    inst_refused("trap user0", "6: no trap code `user0`: they are `user1` to `user250`");
    inst_refused("trap user251", "6: no trap code `user251`: they are `user1` to `user250`");
    inst_refused("trapz v0, heap", "11: unknown trap code `heap`");
    inst_refused("v3 = extractlane v0, 256", "22: a lane must be 0 to 255");
    inst_refused("jump v0", "6: expected a block, found `v0`");
    refused("function %f() {\nblock0: jump block0(v0\n}", "3:1: expected `,` or `)`, found `}`");
    inst_refused("jump block0(5)", "13: expected a value, found `5`");
    inst_refused("jump block0(ret1073741823)", "13: a number too large");
    inst_refused("br_table v0, block0, block0", "22: expected `[` and blocks, found `block0`");
    inst_refused("v3 = call fn0 v0", "15: expected `(` and arguments, found `v0`");
    inst_refused("v3 = call fn0(v0), foo=[]", "20: expected `stack_map`, found `foo`");
    inst_refused("v3 = call fn0(v0), stack_map=[i32 @ ss0-1]", "40: an offset must not be negative");
    inst_refused(
        "try_call fn0(v0), sig0, block0, [ foo ]",
        "35: expected a handler: `tag0: block`, `default: block` or `context v0`, found `foo`",
    );
    inst_refused(
        "v3 = vconst.i32x4 0x1_00000000_00000000_00000000_00000000",
        "19: i32x4 has 4 lanes in 16 bytes",
    );
    inst_refused("<1 2> nop", "4: expected `,` or `>`, found `2`");
    inst_refused(
        "@123456789 nop",
        "1: expected an instruction, found `@123456789`, whose number is too large",
    );
}

#[test]
fn types_that_cannot_be_found() {
    inst_refused("v3 = iadd v3, v0", "1: the type of v3 depends on itself: write it behind the opcode");
    inst_refused(
        "v3 = ineg v4\nv4 = ineg v3",
        "1: the type of v4 depends on itself: write it behind the opcode",
    );
    inst_refused("v3 -> v4\nv4 -> v3", "1: an alias of itself");
    inst_refused("v3 -> v3", "1: an alias of itself");
    inst_refused(
        "v3, v5 = isplit v4\nv4 = iconst.i8 1",
        "1: `isplit` is not defined for i8: it takes an integer type of at least 16 bits",
    );
}

#[test]
fn older_spellings() {
    inst_refused("v3 = iadd_imm v2, 1", "1: a number as operand needs an integer type, not f32");
    inst_refused("v3 = iadd_imm v0, 4294967296", "1: a number out of the range of i32");
    inst_refused("v3 = iadd_imm v4, 1\nv4 -> v2", "1: a number as operand needs an integer type, not f32");
    inst_refused("v3 = global_value.i64 gv0", "1: the function has no parameter with purpose `vmctx`");
    inst_refused("v3, v4 = iadd_cin v0, v0, v0", "1: `iadd_cin` gives 1 result");
    refused(
        "function %f() { gv0 = iadd_imm.i64 gv1, 1 gv1 = iadd_imm.i64 gv0, 1\nblock0:\nv0 = global_value.i64 gv0 return }",
        "3:1: gv0 is computed from itself, or from more than 64 others",
    );
}
