//! Calls in the emulator of a real target: every outcome, and many calls.

use super::*;
use std::time::Duration;
use windlass_ir::text::parse_functions;

const FUNCTIONS: &str = "
function %add(i32, i32) -> i32 system_v {
block0(v0: i32, v1: i32):
    v2 = iadd v0, v1
    return v2
}

function %swap(i8, i64, i16) -> i16, i64, i8 fast {
block0(v0: i8, v1: i64, v2: i16):
    return v2, v1, v0
}

function %out_of_bounds(i32) -> i32 system_v {
block0(v0: i32):
    v1 = load.i32 v0
    return v1
}

function %crash(i32) -> i32 system_v {
block0(v0: i32):
    v1 = load.i32 notrap v0
    return v1
}

function %trap(i32) tail {
block0(v0: i32):
    trapz v0, user7
    return
}

function %spin() system_v {
block0:
    jump block1
block1:
    jump block1
}

function %leave(i32) system_v {
    sig0 = (i32, i32, i32, i32, i32, i32, i32) -> i32 system_v
    fn0 = colocated %__windlass_syscall sig0
block0(v0: i32):
    v1 = iconst.i32 248
    v2 = call fn0(v1, v0, v0, v0, v0, v0, v0)
    return
}

; The number of arguments and the first byte of the first.
function %main(i32, i32) -> i32 system_v {
block0(v0: i32, v1: i32):
    v2 = load.i32 v1+4
    v3 = uload8.i32 v2
    v4 = iadd v3, v0
    return v4
}
";

struct Fixture {
    target: Box<dyn Target>,
    module: Module,
    functions: Vec<(ExternalName, Signature)>,
    cx: Context,
}

impl Fixture {
    fn new() -> Fixture {
        let target = windlass::lookup("armv7hf").unwrap().build().unwrap();
        let mut cx = Context::new();
        let mut module = Module::new();
        let mut functions = Vec::new();
        for function in parse_functions(FUNCTIONS).unwrap() {
            module.add_function(function.name.clone(), target.compile(&function, &mut cx).unwrap());
            functions.push((function.name.clone(), function.signature.clone()));
        }
        Fixture { target, module, functions, cx }
    }

    fn run(&mut self, calls: &[(&str, &[DataValue])]) -> Vec<CallOutcome> {
        let calls: Vec<_> = calls
            .iter()
            .map(|&(name, args)| {
                let name = ExternalName::symbol(name);
                let (function, signature) = self.functions.iter().find(|f| f.0 == name).unwrap();
                GuestCall { function, signature, args }
            })
            .collect();
        let options = GuestOptions { timeout: Duration::from_secs(2), emulator: None };
        run_calls(&*self.target, &self.module, &calls, &options, &mut self.cx).unwrap()
    }
}

#[test]
fn every_outcome_is_told_and_later_calls_still_run() {
    use DataValue::{I8, I16, I32, I64};
    let mut fixture = Fixture::new();
    let sum = |a, b| CallOutcome::Returned(vec![I32(a + b)]);
    let outcomes = fixture.run(&[
        ("add", &[I32(1), I32(-5)]),
        ("swap", &[I8(-3), I64(i64::MIN + 7), I16(-300)]),
        ("out_of_bounds", &[I32(16)]),
        ("crash", &[I32(16)]),
        ("add", &[I32(2), I32(2)]),
        ("trap", &[I32(1)]),
        ("trap", &[I32(0)]),
        ("leave", &[I32(9)]),
        ("add", &[I32(3), I32(3)]),
        ("spin", &[]),
        ("add", &[I32(4), I32(3)]),
        ("leave", &[I32(0)]),
    ]);
    assert_eq!(outcomes.len(), 12);
    assert_eq!(outcomes[0], sum(1, -5));
    assert_eq!(outcomes[1], CallOutcome::Returned(vec![I16(-300), I64(i64::MIN + 7), I8(-3)]));
    let trap = |outcome: &CallOutcome| match outcome {
        CallOutcome::Trapped { code, place } => Some((*code, place.function.to_string())),
        _ => None,
    };
    assert_eq!(trap(&outcomes[2]), Some((TrapCode::HEAP_OUT_OF_BOUNDS, "%out_of_bounds".into())));
    assert!(
        matches!(&outcomes[3], CallOutcome::Signal { number: 11, place: Some(place), .. }
            if place.function == ExternalName::symbol("crash")),
        "{}",
        outcomes[3]
    );
    assert_eq!(outcomes[4], sum(2, 2));
    assert_eq!(outcomes[5], CallOutcome::Returned(vec![]));
    assert_eq!(trap(&outcomes[6]), TrapCode::user(7).map(|code| (code, "%trap".into())));
    assert_eq!(outcomes[7], CallOutcome::Died("exit status 9".into()));
    assert_eq!(outcomes[8], sum(3, 3));
    assert_eq!(outcomes[9], CallOutcome::TimedOut);
    assert_eq!(outcomes[10], sum(4, 3));
    assert_eq!(outcomes[11], CallOutcome::Died("exit status 0".into()));
}

#[test]
fn fifty_thousand_calls_and_traps_run_in_one_process() {
    use DataValue::I32;
    let mut fixture = Fixture::new();
    let args: Vec<_> = (0..25_000).map(|n| [I32(n), I32(-2 * n)]).collect();
    let calls: Vec<_> = args.iter().flat_map(|args| [("add", &args[..]), ("trap", &args[1..])]).collect();
    let outcomes = fixture.run(&calls);
    for (n, pair) in outcomes.chunks(2).enumerate() {
        assert_eq!(pair[0], CallOutcome::Returned(vec![I32(-(n as i32))]));
        assert_eq!(matches!(pair[1], CallOutcome::Trapped { .. }), n == 0, "{}", pair[1]);
    }
}

#[test]
fn a_program_gets_its_arguments() {
    let mut fixture = Fixture::new();
    let name = ExternalName::symbol("main");
    let (_, signature) = fixture.functions.iter().find(|f| f.0 == name).unwrap();
    let options = GuestOptions::default();
    let args = ["A".into(), "b".into()];
    let status =
        run_program(&*fixture.target, &fixture.module, &name, signature, &args, &options, &mut fixture.cx);
    assert_eq!(status.unwrap().code(), Some(65 + 3));
}
