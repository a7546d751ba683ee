//! What the builder makes of small programs, and what it says to mistakes.

use super::*;
use crate::instdata::ExceptionItem;
use crate::signature::{AbiParam, CallConv};
use crate::types::*;
use crate::{ExternalName, IntCC, verify_function};
use alloc::string::{String, ToString};
use alloc::vec::Vec;

/// Builds `%f(i32) -> i32` with one variable, which is the parameter, current in block0, sealed.
fn with_builder(f: impl FnOnce(&mut FunctionBuilder<'_>, Variable)) -> (Function, Result<(), BuildError>) {
    let mut func = Function::new(ExternalName::symbol("f"), Signature::new(CallConv::Fast));
    func.signature.params.push(AbiParam::new(I32));
    func.signature.returns.push(AbiParam::new(I32));
    let mut cx = FunctionBuilderContext::new();
    let mut b = FunctionBuilder::new(&mut func, &mut cx);
    let x = b.declare_var(I32);
    let entry = b.create_block();
    b.append_block_params_for_function_params(entry);
    b.switch_to_block(entry);
    b.seal_block(entry);
    let param = b.block_params(entry)[0];
    b.def_var(x, param);
    f(&mut b, x);
    let result = b.finalize();
    (func, result)
}

/// The body of what `f` builds, verified.
fn built(f: impl FnOnce(&mut FunctionBuilder<'_>, Variable)) -> String {
    let (func, result) = with_builder(f);
    assert_eq!(result, Ok(()), "{func}");
    assert_eq!(verify_function(&func), Ok(()), "{func}");
    let text = func.to_string();
    text.split_once("{\n").unwrap().1.trim_end_matches("}\n").into()
}

fn refused(f: impl FnOnce(&mut FunctionBuilder<'_>, Variable)) -> BuildError {
    with_builder(f).1.unwrap_err()
}

#[test]
fn a_value_that_meets_another_becomes_a_parameter() {
    let text = built(|b, x| {
        let (then, join) = (b.create_block(), b.create_block());
        let c = b.use_var(x);
        b.ins().brif(c, then, &[], join, &[]);
        b.switch_to_block(then);
        b.seal_block(then);
        let one = b.ins().iconst(I32, 1);
        b.def_var(x, one);
        b.ins().jump(join, &[]);
        b.switch_to_block(join);
        b.seal_block(join);
        let x = b.use_var(x);
        b.ins().return_(&[x]);
    });
    pretty_assertions::assert_eq!(
        text,
        "block0(v0: i32):
    brif v0, block1, block2(v0)

block1:
    v1 = iconst.i32 1
    jump block2(v1)  ; v1 = 1

block2(v2: i32):
    return v2
"
    );
}

#[test]
fn a_loop_that_does_not_assign_needs_no_parameter() {
    let text = built(|b, x| {
        let (head, exit) = (b.create_block(), b.create_block());
        b.ins().jump(head, &[]);
        b.switch_to_block(head);
        let c = b.use_var(x);
        b.ins().brif(c, head, &[], exit, &[]);
        b.seal_block(head);
        b.switch_to_block(exit);
        b.seal_block(exit);
        let x = b.use_var(x);
        b.ins().return_(&[x]);
    });
    pretty_assertions::assert_eq!(
        text,
        "block0(v0: i32):
    v1 -> v0
    jump block1

block1:
    brif.i32 v1, block1, block2

block2:
    return v0
"
    );
}

#[test]
fn nested_loops_sealed_at_the_end_need_only_what_they_assign() {
    let mut blocks = Vec::new();
    let (func, result) = with_builder(|b, x| {
        let i = b.declare_var(I32);
        blocks = (0..4).map(|_| b.create_block()).collect();
        let (outer, inner, latch, exit) = (blocks[0], blocks[1], blocks[2], blocks[3]);
        let zero = b.ins().iconst(I32, 0);
        b.def_var(i, zero);
        b.ins().jump(outer, &[]);
        b.switch_to_block(outer);
        b.ins().jump(inner, &[]);
        b.switch_to_block(inner);
        let (a, c) = (b.use_var(x), b.use_var(i));
        let sum = b.ins().iadd(a, c);
        b.def_var(i, sum);
        b.ins().brif(sum, inner, &[], latch, &[]);
        b.switch_to_block(latch);
        let c = b.use_var(x);
        b.ins().brif(c, outer, &[], exit, &[]);
        b.switch_to_block(exit);
        let (x, i) = (b.use_var(x), b.use_var(i));
        let sum = b.ins().iadd(x, i);
        b.ins().return_(&[sum]);
        b.seal_all_blocks();
    });
    assert_eq!(result, Ok(()));
    assert_eq!(verify_function(&func), Ok(()));
    let counts: Vec<usize> = blocks.iter().map(|&block| func.dfg.block_params(block).len()).collect();
    assert_eq!(counts, [1, 1, 0, 0], "{func}");
}

#[test]
fn a_variable_without_a_definition_is_zero() {
    for (ty, zero) in [
        (I8, "v1 = iconst.i8 0"),
        (I64, "v1 = iconst.i64 0"),
        (I128, "v1 = iconst.i64 0\n    v2 = uextend.i128 v1  ; v1 = 0"),
        (F32, "v1 = f32const 0.0"),
        (F64, "v1 = f64const 0.0"),
        (F16, "v1 = f16const 0.0"),
        (F128, "v1 = f128const 0.0"),
        (I32X4, "v1 = vconst.i32x4 const0"),
    ] {
        let text = built(|b, x| {
            let y = b.declare_var(ty);
            let value = b.use_var(y);
            assert_eq!(b.func.dfg.value_type(value), ty);
            // The same again, in the same place.
            assert_eq!(b.use_var(y), value);
            let x = b.use_var(x);
            b.ins().return_(&[x]);
        });
        assert!(text.contains(zero) || ty == F128, "{text}");
    }
    let text = built(|b, x| {
        let y = b.declare_var(I32);
        let (then, join) = (b.create_block(), b.create_block());
        let c = b.use_var(x);
        b.ins().brif(c, then, &[], join, &[]);
        b.seal_block(then);
        b.switch_to_block(then);
        b.def_var(y, c);
        b.ins().jump(join, &[]);
        b.seal_block(join);
        b.switch_to_block(join);
        let y = b.use_var(y);
        b.ins().return_(&[y]);
    });
    assert!(
        text.contains("block0(v0: i32):\n    v2 = iconst.i32 0\n    brif v0, block1, block2(v2)"),
        "{text}"
    );
}

#[test]
fn code_that_nothing_reaches_is_built_all_the_same() {
    let text = built(|b, x| {
        let (dead, ring) = (b.create_block(), b.create_block());
        let value = b.use_var(x);
        assert!(!b.is_unreachable());
        b.ins().return_(&[value]);
        assert!(b.is_filled());
        b.switch_to_block(dead);
        b.seal_block(dead);
        assert!(b.is_unreachable() && !b.is_filled());
        let value = b.use_var(x);
        b.ins().return_(&[value]);
        // Blocks that only reach each other.
        let other = b.create_block();
        b.switch_to_block(ring);
        b.ins().jump(other, &[]);
        b.seal_block(other);
        b.switch_to_block(other);
        b.ins().jump(ring, &[]);
        b.seal_block(ring);
        let tail = b.create_block();
        b.switch_to_block(tail);
        b.seal_block(tail);
        b.switch_to_block(tail);
        let value = b.use_var(x);
        b.ins().return_(&[value]);
    });
    assert!(text.contains("iconst.i32 0"), "{text}");
    let (func, result) = with_builder(|b, x| {
        let ring = [b.create_block(), b.create_block()];
        let value = b.use_var(x);
        b.ins().return_(&[value]);
        for i in 0..2 {
            b.switch_to_block(ring[i]);
            b.use_var(x);
            b.ins().jump(ring[1 - i], &[]);
        }
        b.seal_all_blocks();
        assert_eq!(b.block_params(ring[0]).len() + b.block_params(ring[1]).len(), 0);
    });
    assert_eq!(result, Ok(()), "{func}");
}

#[test]
fn a_pristine_block_is_nothing() {
    let text = built(|b, x| {
        b.create_block();
        let value = b.use_var(x);
        b.ins().return_(&[value]);
    });
    assert!(!text.contains("block1"), "{text}");
}

#[test]
fn tables_pass_variables_on_every_edge() {
    let text = built(|b, x| {
        let (a, c) = (b.create_block(), b.create_block());
        let value = b.use_var(x);
        let default = b.block_call(c, &[]);
        let table = [a, c, a].iter().map(|&block| b.block_call(block, &[])).collect();
        let table = b.create_jump_table(JumpTableData { default, table });
        b.ins().br_table(value, table);
        b.switch_to_block(a);
        b.seal_block(a);
        let more = b.ins().iadd_imm(value, 1);
        b.def_var(x, more);
        b.ins().jump(c, &[]);
        b.switch_to_block(c);
        b.seal_block(c);
        b.set_cold_block(c);
        let value = b.use_var(x);
        b.ins().return_(&[value]);
    });
    assert!(text.contains("br_table v0, block2(v0), [block1, block2(v0), block1]"), "{text}");
    assert!(text.contains("block2(v3: i32) cold:"), "{text}");
}

#[test]
fn exception_edges_pass_variables_behind_their_own_arguments() {
    let text = built(|b, x| {
        let mut sig = Signature::new(CallConv::Tail);
        sig.returns.push(AbiParam::new(I32));
        let sig = b.import_signature(sig);
        let name = ExternalName::symbol("g");
        let callee = b.import_function(ExtFuncData { name, signature: sig, colocated: false });
        let (normal, handler, exit) = (b.create_block(), b.create_block(), b.create_block());
        let result = b.append_block_param(normal, I32);
        b.append_block_param(exit, I32);
        let (n, e) = (
            b.block_call(normal, &[BlockArg::TryCallRet(0)]),
            b.block_call(exit, &[BlockArg::TryCallExn(0)]),
        );
        let h = b.block_call(handler, &[]);
        let items = [ExceptionItem::Tag(ExceptionTag::from_u32(3), h), ExceptionItem::Default(e)].into();
        let table = b.create_exception_table(ExceptionTableData { sig, normal: n, items });
        b.ins().try_call(callee, &[], table);
        b.switch_to_block(handler);
        b.seal_block(handler);
        let minus = b.ins().iconst(I32, -1);
        b.def_var(x, minus);
        b.ins().jump(exit, &[minus.into()]);
        b.switch_to_block(normal);
        b.seal_block(normal);
        b.ins().return_(&[result]);
        b.switch_to_block(exit);
        b.seal_block(exit);
        let value = b.use_var(x);
        b.ins().return_(&[value]);
    });
    assert!(
        text.contains("try_call fn0(), sig0, block1(ret0), [ tag3: block2, default: block3(exn0, v0) ]"),
        "{text}"
    );
    assert!(text.contains("jump block3(v3, v3)"), "{text}");
}

#[test]
fn destinations_change_before_sealing() {
    let text = built(|b, x| {
        let (a, c) = (b.create_block(), b.create_block());
        let value = b.use_var(x);
        let branch = b.ins().brif(value, a, &[], a, &[]);
        b.switch_to_block(c);
        let other = b.ins().jump(a, &[]);
        b.change_jump_destination(branch, a, c);
        b.seal_block(a);
        b.seal_block(c);
        b.switch_to_block(a);
        let value = b.use_var(x);
        b.ins().return_(&[value]);
        assert_eq!(b.func.layout.inst_block(other), Some(c));
    });
    assert!(text.contains("brif v0, block2, block2"), "{text}");
    assert!(text.contains("return v0"), "{text}");
}

#[test]
fn source_locations_go_with_instructions() {
    let text = built(|b, x| {
        b.set_srcloc(SourceLoc(7));
        let value = b.use_var(x);
        b.ins().return_(&[value]);
        assert_eq!(b.srcloc(), SourceLoc(7));
    });
    assert!(text.contains("@0007"), "{text}");
}

#[test]
fn sugar_builds_a_constant_and_the_plain_opcode() {
    let text = built(|b, x| {
        let value = b.use_var(x);
        let wide = b.ins().sextend(I128, value);
        b.ins().iadd_imm(wide, -1);
        b.ins().band_imm(wide, -1);
        let byte = b.ins().ireduce(I8, value);
        b.ins().ushr_imm(byte, 0x1ff);
        let c = b.ins().icmp_imm(IntCC::SignedLessThan, value, -5);
        let d = b.ins().band_not(c, byte);
        let e = b.ins().uextend(I32, d);
        let f = b.ins().irsub_imm(e, 9);
        b.ins().return_(&[f]);
    });
    for line in [
        "sextend.i128 v2",
        "uextend.i128 v5",
        "= iconst.i8 -1",
        "= icmp slt v0, v11",
        "= bnot v8",
        "= iconst.i32 9",
    ] {
        assert!(text.contains(line), "{line}\n{text}");
    }
}

#[test]
fn mistakes_are_errors() {
    use BuildError::*;
    let (block0, block1, block9) = (Block::from_u32(0), Block::from_u32(1), Block::from_u32(9));
    let finish = |b: &mut FunctionBuilder<'_>, x| {
        let value = b.use_var(x);
        b.ins().return_(&[value]);
    };
    let undeclared = Variable::from_u32(5);
    assert_eq!(
        refused(|b, _| {
            b.use_var(undeclared);
        }),
        UndeclaredVariable(undeclared)
    );
    assert_eq!(
        refused(|b, x| {
            let wide = b.ins().iconst(I64, 1);
            b.def_var(x, wide);
        }),
        TypeMismatch {
            variable: Variable::from_u32(0),
            expected: I32,
            value: Value::from_u32(1),
            found: I64
        }
    );
    assert_eq!(refused(|b, x| b.def_var(x, Value::from_u32(99))), UnknownValue(Value::from_u32(99)));
    assert_eq!(
        refused(|b, x| {
            finish(b, x);
            b.ins().nop();
        }),
        FilledBlock(block0)
    );
    assert_eq!(
        refused(|b, x| {
            finish(b, x);
            let value = b.use_var(x);
            b.def_var(x, value);
        }),
        FilledBlock(block0)
    );
    assert_eq!(refused(|b, _| b.switch_to_block(block9)), UnknownBlock(block9));
    assert_eq!(refused(|b, _| b.seal_block(block9)), UnknownBlock(block9));
    assert_eq!(
        refused(|b, _| {
            b.ins().jump(block9, &[]);
        }),
        UnknownBlock(block9)
    );
    assert_eq!(
        refused(|b, _| {
            let block = b.create_block();
            b.seal_block(block);
            b.ins().jump(block, &[]);
        }),
        SealedBlock(block1)
    );
    assert_eq!(
        refused(|b, _| {
            b.ins().nop();
        }),
        UnfilledBlock(block0)
    );
    assert_eq!(
        refused(|b, x| {
            let block = b.create_block();
            b.ins().jump(block, &[]);
            b.switch_to_block(block);
            finish(b, x);
        }),
        UnsealedBlock(block1)
    );
    assert_eq!(
        refused(|b, _| {
            let block = b.create_block();
            b.ins().jump(block, &[]);
            b.seal_block(block);
        }),
        UnfilledBlock(block1)
    );
    assert_eq!(
        refused(|b, x| {
            let (then, join) = (b.create_block(), b.create_block());
            let c = b.use_var(x);
            b.ins().brif(c, then, &[], join, &[]);
            b.seal_block(then);
            b.switch_to_block(then);
            let one = b.ins().iconst(I32, 1);
            b.def_var(x, one);
            b.ins().jump(join, &[]);
            b.seal_block(join);
            b.switch_to_block(join);
            b.use_var(x);
            b.append_block_param(join, I32);
        }),
        LateParameter(Block::from_u32(2))
    );
    assert_eq!(
        refused(|b, x| {
            let block = b.create_block();
            finish(b, x);
            let jump = b.func.layout.last_inst(block0).unwrap();
            b.change_jump_destination(jump, block1, block);
        }),
        NotADestination(Inst::from_u32(0), block1)
    );

    let mut func = Function::default();
    let mut cx = FunctionBuilderContext::new();
    let mut b = FunctionBuilder::new(&mut func, &mut cx);
    let x = b.declare_var(I32);
    assert_eq!(b.try_use_var(x), Err(NoCurrentBlock));
    assert!(b.cursor().is_err());
    b.ins().nop();
    assert_eq!(b.error(), Some(NoCurrentBlock));
    assert_eq!(b.finalize(), Err(NoCurrentBlock));
}

#[test]
fn undefined_uses_are_errors_where_asked_for() {
    let use_in_loop = |late: bool| {
        refused(|b, x| {
            b.set_undefined_use(UndefinedUse::Error);
            let y = b.declare_var(I32);
            let block = b.create_block();
            b.ins().jump(block, &[]);
            b.switch_to_block(block);
            if !late {
                b.seal_block(block);
            }
            let result = b.try_use_var(y);
            assert_eq!(result.is_err(), !late);
            let value = b.use_var(x);
            b.ins().return_(&[value]);
            b.seal_block(block);
        })
    };
    let expected = BuildError::UndefinedVariable(Variable::from_u32(1));
    assert_eq!(use_in_loop(false), expected);
    assert_eq!(use_in_loop(true), expected);
}

#[test]
fn more_parameters_than_a_block_can_have_are_refused() {
    let error = refused(|b, x| {
        let (then, join) = (b.create_block(), b.create_block());
        let vars: Vec<Variable> = (0..crate::dfg::MAX_VALUES + 1).map(|_| b.declare_var(I32)).collect();
        let c = b.use_var(x);
        b.ins().brif(c, then, &[], join, &[]);
        b.seal_block(then);
        b.switch_to_block(then);
        for &var in &vars {
            b.def_var(var, c);
        }
        b.ins().jump(join, &[]);
        b.seal_block(join);
        b.switch_to_block(join);
        for &var in &vars {
            b.use_var(var);
        }
        b.ins().return_(&[c]);
    });
    assert_eq!(error, BuildError::TooManyParameters(Block::from_u32(2)));
}

#[test]
fn chains_of_blocks_take_no_stack() {
    let text = built(|b, x| {
        for i in 0..100_000 {
            let next = b.create_block();
            match i % 2 {
                0 => {
                    b.ins().jump(next, &[]);
                }
                _ => {
                    let other = b.create_block();
                    let c = b.ins().iconst(I32, 0);
                    b.ins().brif(c, next, &[], other, &[]);
                    b.switch_to_block(other);
                    b.ins().jump(next, &[]);
                }
            }
            b.switch_to_block(next);
        }
        let value = b.use_var(x);
        b.ins().return_(&[value]);
        b.seal_all_blocks();
    });
    assert!(!text.contains(" -> v0\n    return") && text.matches('(').count() == 1, "{}", text.len());
}
