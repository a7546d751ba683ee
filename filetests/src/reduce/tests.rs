//! What reductions leave of known programs.

use super::*;
use windlass_ir::interp::{Config, Interpreter, Machine, Outcome, Program};
use windlass_ir::text::parse_functions;
use windlass_ir::{Opcode, verify_function};

const PROGRAM: &str = "test run
target armv7hf

; Not a directive.
function %helper(i32, i64 uext) -> i32, i64 tail {
block0(v0: i32, v1: i64):
    v2 = iadd v0, v0
    v3 = imul v1, v1
    return v2, v3
}

function %main(i32, i64, i8 sext) -> i32, i64 fast {
    ss0 = explicit_slot 16
    sig0 = (i32, i64 uext) -> i32, i64 tail
    fn0 = %helper sig0

block0(v0: i32, v1: i64, v2: i8):
    v3 = stack_addr.i32 ss0
    store little v0, v3+4
    v4 = iconst.i32 1000
    brif v2, block1(v4, v1), block2

block1(v5: i32, v6: i64):
    v7 = func_addr.i32 fn0
    v8, v9 = call_indirect sig0, v7(v5, v6)
    v10 = load.i32 big notrap v3+4
    br_table v8, block2, [block3(v10), block4, block1(v10, v9)]

block2:
    jump block3(v4)

block3(v11: i32):
    v12 = udiv v4, v11
    v13 = bxor v12, v0
    return v13, v1

block4:
    trap user7

block5:
    jump block4
}
; run: %main(7, 12345, 0) == [8, 12345]
; run: %main(70000, -1, 1) == [0, 5]
; run: %helper(1, 2) == [2, 4]
";

fn has(case: &Case, opcode: Opcode) -> bool {
    case.functions.iter().any(|func| {
        let mut insts = func.layout.blocks().flat_map(|block| func.layout.block_insts(block));
        insts.any(|inst| func.dfg.opcode(inst) == opcode)
    })
}

#[test]
fn an_instruction_that_must_stay_is_all_that_stays() {
    let case = case_of_file(PROGRAM).unwrap();
    assert_eq!(case.commands.len(), 3);
    let mut holds = |case: &Case| {
        let mut functions = case.functions.clone();
        functions.iter_mut().for_each(|func| _ = edit::remove_unreachable(func));
        has(&Case { functions, ..Case::default() }, Opcode::Udiv)
    };
    let small = reduce(case, &Limits::default(), &mut holds);
    assert_eq!(
        small.to_string(),
        "
function %main() system_v {
block0:
    v0 = iconst.i32 0
    v1 = udiv v0, v0  ; v0 = 0, v0 = 0
    return
}
"
    );
}

#[test]
fn behaviour_is_kept_while_everything_shrinks() {
    // The property: the first directive returns two results, and somewhere there is a call.
    let text = PROGRAM.replace("v13 = bxor", "v14, v15 = call fn0(v12, v1)\n    v13 = bxor");
    let mut case = case_of_file(&text).unwrap();
    case.commands.truncate(1);
    let mut asked = 0;
    let mut holds = |case: &Case| {
        asked += 1;
        let Ok(program) = Program::new(&case.functions, Machine::LE32) else { return false };
        let [command] = case.commands.as_slice() else { return false };
        let call = command.invocation();
        let config = Config { fuel: Some(1000), ..Config::default() };
        let outcome = Interpreter::new(&program, config).run(&call.func, &call.args);
        matches!(outcome, Outcome::Return(values) if values.len() == 2 && values[0].to_bits() == 6)
            && has(case, Opcode::Call)
    };
    assert!(holds(&case));
    let small = reduce(case, &Limits::default(), &mut holds);
    let text = small.to_string();
    assert!(small.functions.iter().all(|func| verify_function(func).is_ok()), "{text}");
    assert!(text.lines().count() <= 22, "{text}");
    assert!(!text.contains("brif") && !text.contains("sext") && !text.contains("stack"), "{text}");
    assert!(asked < 600, "asked {asked} times");
    let again = parse_functions(&text).unwrap();
    assert_eq!(again.len(), small.functions.len());
}

#[test]
fn unsound_functions_are_reduced_as_well() {
    let text = "function %f(i32) {\nblock0(v0: i32):\n v1 = iadd v0, v0\n v2 = ireduce.i32 v1\n return\n}\n";
    let case = case_of_file(text).unwrap();
    let mut holds = |case: &Case| {
        case.functions.iter().any(|func| {
            verify_function(func).is_err_and(|faults| faults.iter().any(|f| f.message.contains("wider")))
        })
    };
    assert!(holds(&case));
    let small = reduce(case, &Limits::default(), &mut holds).to_string();
    assert!(small.contains("ireduce") && !small.contains("iadd"), "{small}");
}

#[test]
fn compact_functions_say_the_same_in_the_order_of_the_text() {
    for func in parse_functions(PROGRAM.split_once("directive.").unwrap().1).unwrap() {
        let small = compact(&func);
        assert!(verify_function(&small).is_ok());
        assert_eq!(compact(&small).to_string(), small.to_string());
    }
    let func = parse_functions(
        "function %f(i32) -> i32 {
            ss0 = explicit_slot 4
            ss3 = explicit_slot 8
            sig0 = () fast
            sig1 = () fast
            fn0 = %a sig0
            fn1 = %b sig1
        block7(v9: i32):
            v8 -> v9
            v7 = stack_addr.i32 ss3
            call fn1()
            jump block2(v8)
        block2(v4: i32):
            return v4
        }",
    )
    .unwrap();
    assert_eq!(
        compact(&func[0]).to_string(),
        "function %f(i32) -> i32 fast {
    ss0 = explicit_slot 8
    sig0 = () fast
    fn0 = %b sig0

block0(v0: i32):
    v1 = stack_addr.i32 ss0
    call fn0()
    jump block1(v0)

block1(v2: i32):
    return v2
}
"
    );
}

#[test]
fn lines_are_dropped_while_the_property_stays() {
    let text: String = (0..100).map(|n| format!("line {n}\n")).collect();
    let mut asked = 0;
    let small = reduce_lines(&text, &Limits::default(), &mut |text| {
        asked += 1;
        text.contains("line 17\n") && text.contains("line 83\n")
    });
    assert_eq!(small, "line 17\nline 83\n");
    assert!(asked < 120, "{asked}");
}
