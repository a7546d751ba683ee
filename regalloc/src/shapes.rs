//! Functions of particular shapes: the rare, the large, and those whose result should look a certain way.

use crate::checker::{Problem, check};
use crate::testing::{
    CORE, DOUBLE, Rng, SINGLE, SUBSET, TestFunction, arm_like, call_clobbers, d, random_function, s,
};
use crate::{
    Allocation, Allocator, Constraint, Edit, Error, Inst, Operand, OperandKind, OperandPos, Options, Output,
    PReg, ProgPoint, RegFile, Stats, UnitSet, VReg, allocate, dump,
};
use std::time::Instant;

const fn r(n: u8) -> PReg {
    PReg::new(n)
}

/// Allocates with several settings and checks each; returns the one with default settings.
fn run(f: &TestFunction) -> Output {
    let regs = arm_like(true);
    let mut allocator = Allocator::new();
    let mut first = None;
    let plain = Options::default();
    for options in [
        plain,
        Options { max_regs: Some(2), ..plain },
        Options { spill_all: true, ..plain },
        Options { random: Some(7), ..plain },
    ] {
        let mut out = Output::new();
        allocator.run(f, &regs, &options, &mut out).expect("the function is valid");
        if let Err(e) = check(f, &regs, &out) {
            panic!("{options:?}: {e}\n{}", dump::dump(f, &regs, &out));
        }
        first.get_or_insert(out);
    }
    first.expect("allocated")
}

/// One block; `values` constants that cannot be repeated, then one use of each, in the same order.
fn pressure(values: usize) -> TestFunction {
    let mut f = TestFunction::default();
    let b = f.block();
    let list: Vec<VReg> = (0..values).map(|_| f.value(CORE)).collect();
    list.iter().for_each(|&v| drop(f.push(b, &[Operand::reg_def(v)]).clone()));
    list.chunks(2).for_each(|v| {
        let ops: Vec<Operand> = v.iter().map(|&v| Operand::reg_use(v)).collect();
        f.push(b, &ops);
    });
    f.push(b, &[]);
    f.finish()
}

#[test]
fn four_hundred_values_live_at_once() {
    let out = run(&pressure(400));
    assert!(out.spill_size_bytes <= 400 * 4, "{} bytes of slots", out.spill_size_bytes);
    let Stats { spills, reloads, .. } = out.stats;
    assert!(spills <= 400 && reloads <= 400, "{spills} spills and {reloads} reloads of 400 values");
}

#[test]
fn forty_fixed_arguments_and_a_call_that_destroys_everything() {
    let mut f = TestFunction::default();
    let b = f.block();
    let (mut defs, mut uses) = (Vec::new(), Vec::new());
    let registers = (0..11).map(|n| (CORE, r(n))).chain((0..29).map(|n| (SINGLE, s(n))));
    for (class, reg) in registers {
        let v = f.value(class);
        defs.push(Operand::fixed_def(v, reg));
        // All change places.
        uses.push((v, class, reg));
    }
    f.push(b, &defs);
    let target = f.value(CORE);
    f.push(b, &[Operand::reg_def(target)]);
    let rotated: Vec<Operand> = uses
        .iter()
        .enumerate()
        .map(|(k, &(_, class, reg))| {
            let same: Vec<VReg> = uses.iter().filter(|u| u.1 == class).map(|u| u.0).collect();
            Operand::fixed_use(same[(k + 1) % same.len()], reg)
        })
        .chain([Operand::reg_use(target)])
        .collect();
    f.push(b, &rotated).clobbers = UnitSet::from_bits(u128::MAX);
    let again: Vec<Operand> = uses.iter().map(|u| Operand::any_use(u.0)).collect();
    f.push(b, &again);
    f.push(b, &[Operand::reg_use(target)]);
    run(&f.finish());
}

#[test]
fn one_value_in_many_places_at_once() {
    let mut f = TestFunction::default();
    let b = f.block();
    let (v, w, x) = (f.value(CORE), f.value(CORE), f.value(CORE));
    f.push(b, &[Operand::fixed_def(v, r(3))]);
    let [lo, hi] = Operand::pair_use(v, v);
    f.push(b, &[lo, hi, Operand::fixed_use(v, r(5)), Operand::fixed_use(v, r(6)), Operand::reg_use(v)]);
    f.push(
        b,
        &[Operand::reg_use(v), Operand::reg_use(v), Operand::reuse_def(w, 0), Operand::reuse_def(x, 1)],
    );
    f.push(b, &[Operand::reg_use(v), Operand::reg_use(w), Operand::reg_use(x)]);
    run(&f.finish());
}

#[test]
fn loops_without_exit_and_irreducible_loops() {
    let mut f = TestFunction::default();
    for _ in 0..4 {
        f.block();
    }
    let (a, p, q, c) = (f.value(CORE), f.value(CORE), f.value(CORE), f.value(CORE));
    f.blocks[1].params.push(p);
    f.blocks[2].params.push(q);
    f.push(0, &[Operand::reg_def(a)]);
    f.push(0, &[Operand::reg_use(a)]);
    f.push(1, &[Operand::reg_use(p), Operand::reg_def(c)]);
    f.push(1, &[]);
    f.push(2, &[Operand::reg_use(q), Operand::reg_use(a)]);
    f.push(2, &[]);
    f.push(3, &[]);
    // Two ways into the cycle 1 <-> 2, none out of it; block 3 loops on itself and is unreachable.
    f.edge(0, 1, &[a]);
    f.edge(0, 2, &[a]);
    f.edge(1, 2, &[c]);
    f.edge(2, 1, &[q]);
    f.edge(3, 3, &[]);
    f.split_critical_edges();
    run(&f.finish());
}

#[test]
fn parameters_that_change_places_in_a_loop() {
    let mut f = TestFunction::default();
    for _ in 0..3 {
        f.block();
    }
    let start: Vec<VReg> = (0..6).map(|_| f.value(CORE)).collect();
    let params: Vec<VReg> = (0..6).map(|_| f.value(CORE)).collect();
    f.blocks[1].params = params.clone();
    start.iter().for_each(|&v| drop(f.push(0, &[Operand::reg_def(v)]).clone()));
    f.push(0, &[]);
    f.edge(0, 1, &start);
    let ops: Vec<Operand> = params[..3].iter().map(|&v| Operand::reg_use(v)).collect();
    f.push(1, &ops);
    let mut rotated = params.clone();
    rotated.rotate_left(1);
    f.edge(1, 1, &rotated);
    f.edge(1, 2, &[]);
    f.push(2, &[]);
    f.split_critical_edges();
    let out = run(&f.finish());
    // A cycle of six takes seven moves.
    assert!(out.stats.spills == 0 && out.stats.moves <= 7, "{:?}", out.stats);
}

#[test]
fn a_value_across_a_call_lives_in_a_callee_saved_register() {
    let mut f = TestFunction::default();
    let b = f.block();
    let (v, w, x) = (f.value(CORE), f.value(CORE), f.value(CORE));
    f.push(b, &[Operand::fixed_def(v, r(0)), Operand::fixed_def(w, r(1))]);
    f.push(b, &[Operand::fixed_use(w, r(0)), Operand::fixed_def(x, r(0))]).clobbers = call_clobbers();
    f.push(b, &[Operand::reg_use(v), Operand::reg_use(x)]);
    f.push(b, &[Operand::fixed_use(x, r(0))]);
    let out = run(&f.finish());
    // v to a callee-saved register, w to the argument's one: no memory, no move too many.
    assert_eq!((out.stats.spills, out.stats.reloads, out.stats.moves), (0, 0, 2), "{:?}", out.edits);
}

#[test]
fn hints_make_moves_disappear() {
    let mut f = TestFunction::default();
    let b = f.block();
    let v: Vec<VReg> = (0..5).map(|_| f.value(CORE)).collect();
    f.push(b, &[Operand::fixed_def(v[0], r(0)), Operand::fixed_def(v[1], r(1))]);
    f.push(b, &[Operand::reg_use(v[0]), Operand::reg_use(v[1]), Operand::reuse_def(v[2], 0)]);
    f.push(b, &[Operand::reg_use(v[2]), Operand::reg_def(v[3])]).copies = true;
    f.push(b, &[Operand::reg_use(v[1]), Operand::reg_def(v[4])]);
    f.push(b, &[Operand::fixed_use(v[4], r(2)), Operand::fixed_use(v[3], r(0))]);
    let f = f.finish();
    let out = run(&f);
    assert!(out.edits.is_empty(), "{}", dump::dump(&f, &arm_like(true), &out));
}

#[test]
fn constants_are_repeated_rather_than_spilled() {
    let mut f = TestFunction::default();
    let b = f.block();
    let v: Vec<VReg> = (0..30).map(|_| f.value(CORE)).collect();
    v.iter().for_each(|&v| f.push(b, &[Operand::reg_def(v)]).remat = true);
    v.iter().for_each(|&v| drop(f.push(b, &[Operand::reg_use(v)]).clone()));
    f.push(b, &[]);
    let out = run(&f.finish());
    assert_eq!((out.stats.spills, out.stats.reloads, out.spill_size_bytes), (0, 0, 0));
    assert!(out.stats.remats > 10, "{:?}", out.stats);
}

#[test]
fn a_spilled_value_stays_out_of_a_loop_that_does_not_use_it() {
    let mut f = TestFunction::default();
    for _ in 0..3 {
        f.block();
    }
    let cold: Vec<VReg> = (0..6).map(|_| f.value(CORE)).collect();
    let hot: Vec<VReg> = (0..12).map(|_| f.value(CORE)).collect();
    for &v in cold.iter().chain(&hot) {
        f.push(0, &[Operand::reg_def(v)]);
    }
    f.push(0, &[]);
    f.edge(0, 1, &[]);
    for &v in &hot {
        f.push(1, &[Operand::reg_use(v)]);
    }
    f.push(1, &[]);
    f.edge(1, 1, &[]);
    f.edge(1, 2, &[]);
    for &v in &cold {
        f.push(2, &[Operand::reg_use(v)]);
    }
    f.push(2, &[]);
    f.split_critical_edges();
    let f = f.finish();
    let out = run(&f);
    let body = 19..32;
    let inside = out.edits.iter().filter(|e| body.contains(&e.0.inst.as_u32()) && e.0.inst.as_u32() > 19);
    assert_eq!(inside.count(), 0, "{}", dump::dump(&f, &arm_like(true), &out));
}

#[test]
fn wide_branches_and_long_chains_take_linear_time() {
    let mut f = TestFunction::default();
    let b = f.block();
    let list: Vec<VReg> = (0..20).map(|_| f.value(CORE)).collect();
    list.iter().for_each(|&v| drop(f.push(b, &[Operand::reg_def(v)]).clone()));
    f.push(b, &[Operand::reg_use(list[0])]);
    for n in 0..10_000 {
        let arm = f.block();
        f.push(arm, &[Operand::reg_use(list[n % 20])]);
        f.push(arm, &[]);
        f.edge(b, arm, &[]);
    }
    for _ in 0..20_000 {
        let link = f.block();
        f.push(link, &[Operand::reg_use(list[link % 20])]);
        f.push(link, &[]);
        if f.blocks[link - 1].succs.is_empty() {
            f.edge(link - 1, link, &[]);
        }
    }
    let f = f.finish();
    let regs = arm_like(true);
    let begin = Instant::now();
    let out = allocate(&f, &regs, &Options::default()).expect("the function is valid");
    let time = begin.elapsed();
    check(&f, &regs, &out).expect("the allocation is right");
    // Far above what it takes, far below what quadratic time would.
    assert!(time.as_millis() < 3_000, "{time:?}");
}

/// Straight code with `n` instructions, calls in between, and values that live for a while.
fn straight(n: usize) -> TestFunction {
    let mut f = TestFunction::default();
    let b = f.block();
    let mut rng = Rng::new(1);
    let mut live: Vec<VReg> = Vec::new();
    let first = f.value(CORE);
    f.push(b, &[Operand::reg_def(first)]);
    live.push(first);
    for k in 1..n {
        let v = f.value(CORE);
        let recent = live.len().saturating_sub(16);
        let (x, y) =
            (live[recent + rng.below(16) % live.len().min(16)], live[recent + rng.below(live.len().min(16))]);
        if k % 20 == 0 {
            let ops = [Operand::fixed_use(x, r(0)), Operand::fixed_use(y, r(1)), Operand::fixed_def(v, r(0))];
            f.push(b, &ops).clobbers = call_clobbers();
        } else {
            f.push(b, &[Operand::reg_use(x), Operand::reg_use(y), Operand::reg_def(v)]);
        }
        live.push(v);
    }
    f.push(b, &[]);
    f.finish()
}

#[test]
fn two_hundred_thousand_instructions_take_well_under_a_second() {
    let n = 200_000;
    let f = straight(n);
    let regs = arm_like(true);
    let (mut allocator, mut out) = (Allocator::new(), Output::new());
    allocator.run(&f, &regs, &Options::default(), &mut out).expect("the function is valid");
    let begin = Instant::now();
    allocator.run(&f, &regs, &Options::default(), &mut out).expect("the function is valid");
    let per_inst = begin.elapsed().as_nanos() as usize / n;
    check(&f, &regs, &out).expect("the allocation is right");
    println!("{per_inst} ns an instruction, {:?}", out.stats);
    assert!(per_inst < 5_000, "{per_inst} ns an instruction");
}

/// A row of diamonds in a loop, with values that live through all of it, and calls: many blocks, many holes.
fn diamonds(n: usize, long: usize) -> TestFunction {
    let mut f = TestFunction::default();
    let mut rng = Rng::new(3);
    let entry = f.block();
    let list: Vec<VReg> = (0..long).map(|_| f.value(CORE)).collect();
    list.iter().for_each(|&v| drop(f.push(entry, &[Operand::reg_def(v)]).clone()));
    f.push(entry, &[]);
    f.edge(entry, 1, &[]);
    for _ in 0..n {
        let [head, left, right, join] = core::array::from_fn(|_| f.block());
        let mut values = Vec::new();
        for &b in &[head, left, right] {
            for _ in 0..3 {
                let (x, y) = (list[rng.below(long)], list[rng.below(long)]);
                let v = f.value(CORE);
                f.push(b, &[Operand::reg_use(x), Operand::reg_use(y), Operand::reg_def(v)]);
                values.push(v);
            }
        }
        let arg = list[rng.below(long)];
        f.push(right, &[Operand::fixed_use(arg, r(0))]).clobbers = call_clobbers();
        [head, left, right].iter().for_each(|&b| drop(f.push(b, &[]).clone()));
        f.push(join, &[Operand::reg_use(values[2])]);
        f.push(join, &[]);
        f.edge(head, left, &[]);
        f.edge(head, right, &[]);
        f.edge(left, join, &[]);
        f.edge(right, join, &[]);
        if join < 4 * n {
            f.edge(join, join + 1, &[]);
        }
    }
    f.finish()
}

#[test]
fn many_blocks_with_many_long_lives_take_time_in_proportion() {
    let regs = arm_like(true);
    let (mut allocator, mut out) = (Allocator::new(), Output::new());
    let mut per_inst = Vec::new();
    for n in [2_000, 8_000] {
        let f = diamonds(n, 60);
        let begin = Instant::now();
        allocator.run(&f, &regs, &Options::default(), &mut out).expect("the function is valid");
        per_inst.push(begin.elapsed().as_nanos() as usize / (14 * n));
        if n < 5_000 {
            check(&f, &regs, &out).expect("the allocation is right");
        }
    }
    println!("{per_inst:?} ns an instruction, {:?}", out.stats);
    assert!(per_inst[1] < per_inst[0] * 3 + 1_000, "{per_inst:?} ns an instruction");
}

#[test]
fn the_same_input_gives_the_same_output_whatever_was_allocated_before() {
    let (a, b) = (random_function(11, 30), random_function(12, 30));
    let regs = arm_like(true);
    let options = Options::default();
    let mut used = Allocator::new();
    let mut out = Output::new();
    used.run(&a, &regs, &options, &mut out).expect("valid");
    used.run(&b, &regs, &options, &mut out).expect("valid");
    assert_eq!(out, allocate(&b, &regs, &options).expect("valid"));
}

fn refused(f: TestFunction) -> Error {
    let mut f = f;
    f.split_critical_edges();
    allocate(&f.finish(), &arm_like(true), &Options::default()).expect_err("the function is not valid")
}

#[test]
fn invalid_input_is_refused_with_its_place() {
    let one = |ops: &dyn Fn(&mut TestFunction) -> Vec<Operand>| {
        let mut f = TestFunction::default();
        let b = f.block();
        let ops = ops(&mut f);
        f.push(b, &ops);
        refused(f)
    };
    let inst = Inst::from_u32(0);
    let v0 = VReg::from_u32(0);
    assert_eq!(one(&|f| vec![Operand::reg_use(f.value(CORE))]), Error::UseBeforeDef { vreg: v0 });
    assert_eq!(
        one(&|f| {
            let v = f.value(CORE);
            vec![Operand::reg_def(v), Operand::reg_def(v)]
        }),
        Error::NotSsa { vreg: v0 }
    );
    assert_eq!(one(&|f| vec![Operand::reuse_def(f.value(CORE), 3)]), Error::BadReuse { inst, operand: 0 });
    let half = |f: &mut TestFunction| {
        vec![Operand::new(f.value(CORE), OperandKind::Def, OperandPos::Late, Constraint::PairLo)]
    };
    assert_eq!(one(&half), Error::BadPair { inst, operand: 0 });
    assert_eq!(
        one(&|f| vec![Operand::fixed_def(f.value(CORE), r(200))]),
        Error::BadFixed { inst, operand: 0 }
    );
    let clash = |f: &mut TestFunction| {
        vec![Operand::fixed_def(f.value(DOUBLE), d(0)), Operand::fixed_def(f.value(SINGLE), s(1))]
    };
    assert_eq!(one(&clash), Error::TooManyConstraints { inst });
    let many = |f: &mut TestFunction| (0..14).map(|_| Operand::reg_def(f.value(CORE))).collect();
    assert_eq!(one(&many), Error::TooManyConstraints { inst });
    assert_eq!(
        one(&|_| vec![Operand::reg_use(VReg::from_u32(9))]),
        Error::VRegOutOfRange { vreg: VReg::from_u32(9) }
    );
    assert!(matches!(
        allocate(&TestFunction::default().finish(), &arm_like(true), &Options::default()),
        Err(Error::Layout { .. })
    ));
}

#[test]
fn an_instruction_may_take_every_register_of_a_class() {
    for (class, count) in [(CORE, 13), (SINGLE, 30), (DOUBLE, 15)] {
        let mut f = TestFunction::default();
        let b = f.block();
        let old: Vec<VReg> = (0..count).map(|_| f.value(class)).collect();
        let new: Vec<VReg> = (0..count).map(|_| f.value(class)).collect();
        let defs: Vec<Operand> = old.iter().map(|&v| Operand::reg_def(v)).collect();
        f.push(b, &defs);
        let all: Vec<Operand> = old
            .iter()
            .map(|&v| Operand::reg_use(v))
            .chain(new.iter().enumerate().map(|(k, &v)| Operand::reuse_def(v, (count - 1 - k) as u8)))
            .collect();
        f.push(b, &all);
        let uses: Vec<Operand> = old.iter().chain(&new).map(|&v| Operand::any_use(v)).collect();
        f.push(b, &uses);
        f.push(b, &[]);
        run(&f.finish());
    }
}

#[test]
fn singles_never_keep_a_double_out() {
    let mut f = TestFunction::default();
    let b = f.block();
    // 15 singles live at once, spread over all doubles by the random setting; then doubles with singles.
    let singles: Vec<VReg> = (0..15).map(|_| f.value(SINGLE)).collect();
    singles.iter().for_each(|&v| drop(f.push(b, &[Operand::reg_def(v)]).clone()));
    let doubles: Vec<VReg> = (0..7).map(|_| f.value(DOUBLE)).collect();
    let mut ops: Vec<Operand> = singles.iter().map(|&v| Operand::late_use(v)).collect();
    ops.extend(doubles.iter().map(|&v| Operand::early_def(v)));
    f.push(b, &ops);
    let uses: Vec<Operand> = doubles.iter().chain(&singles).map(|&v| Operand::any_use(v)).collect();
    f.push(b, &uses);
    f.push(b, &[]);
    let f = f.finish();
    for seed in 0..50 {
        let regs = arm_like(true);
        let options = Options { random: Some(seed), ..Options::default() };
        let out = allocate(&f, &regs, &options).expect("the function is valid");
        check(&f, &regs, &out).expect("the allocation is right");
    }
    run(&f);
}

// The checker itself.

fn small() -> (TestFunction, RegFile, Output) {
    let mut f = TestFunction::default();
    for _ in 0..4 {
        f.block();
    }
    let list: Vec<VReg> = (0..16).map(|_| f.value(CORE)).collect();
    let (p, sum) = (f.value(CORE), f.value(CORE));
    list.iter().for_each(|&v| drop(f.push(0, &[Operand::reg_def(v)]).clone()));
    f.push(0, &[Operand::reg_use(list[0])]);
    f.edge(0, 1, &[]);
    f.edge(0, 2, &[]);
    f.push(1, &[Operand::fixed_use(list[3], r(0))]).clobbers = call_clobbers();
    f.push(1, &[]);
    f.edge(1, 3, &[list[1]]);
    f.push(2, &[]);
    f.edge(2, 3, &[list[2]]);
    f.blocks[3].params.push(p);
    let [lo, hi] = Operand::pair_use(p, list[4]);
    f.push(3, &[lo, hi, Operand::reg_use(list[5]), Operand::reuse_def(sum, 2)]);
    for pair in list[5..].chunks(2) {
        let ops: Vec<Operand> = pair.iter().map(|&v| Operand::reg_use(v)).collect();
        f.push(3, &ops);
    }
    f.push(3, &[Operand::fixed_use(sum, r(0))]);
    let f = f.finish();
    let regs = arm_like(true);
    let out = allocate(&f, &regs, &Options::default()).expect("the function is valid");
    check(&f, &regs, &out).expect("the allocation is right");
    (f, regs, out)
}

#[test]
fn the_checker_misses_no_dropped_edit() {
    let (f, regs, out) = small();
    assert!(out.edits.len() > 8, "the function is meant to need edits");
    for k in 0..out.edits.len() {
        let mut broken = out.clone();
        let (point, edit) = broken.edits.remove(k);
        assert!(check(&f, &regs, &broken).is_err(), "without {edit:?} at {point:?}");
    }
}

#[test]
fn the_checker_misses_no_allocation_in_another_register() {
    let (f, regs, mut out) = small();
    out.used = UnitSet::from_bits(u128::MAX);
    for i in 0..f.blocks.iter().map(|b| b.insts.len()).sum::<usize>() as u32 {
        let inst = Inst::from_u32(i);
        for k in 0..out.inst_allocs(inst).len() {
            for n in 0..13 {
                let mut broken = out.clone();
                let other = Allocation::Reg(r(n));
                let old = core::mem::replace(&mut broken.inst_allocs_mut(inst)[k], other);
                if old != other {
                    assert!(
                        check(&f, &regs, &broken).is_err(),
                        "{inst} operand {k} in r{n} instead of {old:?}"
                    );
                }
            }
            for wrong in [Allocation::None, Allocation::Reg(r(250)), Allocation::Reg(s(0))] {
                let mut broken = out.clone();
                broken.inst_allocs_mut(inst)[k] = wrong;
                assert!(check(&f, &regs, &broken).is_err(), "{inst} operand {k} in {wrong:?}");
            }
        }
    }
}

#[test]
fn the_checker_finds_edits_in_the_wrong_order_and_place() {
    let (f, regs, out) = small();
    let mut caught = 0;
    for k in 0..out.edits.len() {
        let mut broken = out.clone();
        // One instruction later: the value is late, or gone.
        let later = ProgPoint::before(Inst::from_u32(broken.edits[k].0.inst.as_u32() + 1));
        broken.edits[k].0 = later;
        broken.edits.sort_by_key(|e| e.0);
        caught += check(&f, &regs, &broken).is_err() as usize;
    }
    assert!(caught * 2 > out.edits.len(), "{caught} of {}", out.edits.len());
    let mut broken = out.clone();
    broken.edits.reverse();
    assert_eq!(
        check(&f, &regs, &broken).expect_err("not sorted").problem,
        Problem::Shape("edits are not sorted")
    );
    let mut broken = out.clone();
    broken.spill_size_bytes = 4;
    assert!(matches!(check(&f, &regs, &broken).expect_err("too small").problem, Problem::Slot { .. }));
    let mut broken = out.clone();
    broken.used = UnitSet::EMPTY;
    assert!(matches!(check(&f, &regs, &broken).expect_err("used").problem, Problem::NotUsed { .. }));
}

#[test]
fn the_checker_knows_that_overlapping_registers_destroy_each_other() {
    let mut f = TestFunction::default();
    let b = f.block();
    let (x, y) = (f.value(SINGLE), f.value(DOUBLE));
    f.push(b, &[Operand::fixed_def(x, s(1))]);
    f.push(b, &[Operand::reg_def(y)]);
    f.push(b, &[Operand::fixed_use(x, s(1)), Operand::reg_use(y)]);
    let f = f.finish();
    let regs = arm_like(true);
    let mut out = allocate(&f, &regs, &Options::default()).expect("valid");
    check(&f, &regs, &out).expect("right");
    out.edits.clear();
    out.used = UnitSet::from_bits(u128::MAX);
    out.inst_allocs_mut(Inst::from_u32(1))[0] = Allocation::Reg(d(0));
    out.inst_allocs_mut(Inst::from_u32(2))[1] = Allocation::Reg(d(0));
    let report = check(&f, &regs, &out).expect_err("d0 covers s1");
    assert!(matches!(report.problem, Problem::WrongValue { operand: 0, .. }), "{report}");
}

#[test]
fn values_of_a_subset_are_elsewhere_only_where_an_instruction_wants_them() {
    let mut f = TestFunction::default();
    let b = f.block();
    let (x, y) = (f.value(SUBSET), f.value(CORE));
    f.push(b, &[Operand::fixed_def(x, r(0))]);
    f.push(b, &[Operand::reg_use(x), Operand::reg_def(y)]);
    f.push(b, &[Operand::fixed_use(x, r(1)), Operand::reg_use(y)]);
    let f = f.finish();
    let regs = arm_like(true);
    let out = run(&f);
    let moved: Vec<_> = out.edits.iter().map(|e| (e.0.inst.as_u32(), e.1)).collect();
    let class = SUBSET;
    let [r0, r1, r4] = [r(0), r(1), r(4)].map(Allocation::Reg);
    assert_eq!(
        moved,
        [(1, Edit::Move { from: r0, to: r4, class }), (2, Edit::Move { from: r4, to: r1, class })]
    );
    // Read from where it came, or kept where nothing wants it.
    let mut broken = out.clone();
    broken.edits.remove(0);
    broken.inst_allocs_mut(Inst::from_u32(1))[0] = r0;
    let report = check(&f, &regs, &broken).expect_err("r0 is not in the subset");
    assert!(matches!(report.problem, Problem::Constraint { operand: 0, .. }), "{report}");
    let mut broken = out.clone();
    broken.used = UnitSet::from_bits(u128::MAX);
    let stray = Edit::Move { from: r4, to: Allocation::Reg(r(3)), class: CORE };
    broken.edits.push((ProgPoint::before(Inst::from_u32(2)), stray));
    let report = check(&f, &regs, &broken).expect_err("nobody reads r3");
    assert!(matches!(report.problem, Problem::Edit { .. }), "{report}");
}

#[test]
fn random_damage_is_found_nearly_always() {
    let regs = arm_like(true);
    let mut rng = Rng::new(5);
    let (mut tried, mut found) = (0, 0);
    for seed in 0..300 {
        let f = random_function(seed, 12);
        let out = allocate(&f, &regs, &Options::default()).expect("valid");
        let moves = out.edits.iter().enumerate().filter(|e| matches!(e.1.1, Edit::Move { .. }));
        let moves: Vec<usize> = moves.map(|e| e.0).collect();
        if moves.is_empty() {
            continue;
        }
        let mut broken = out.clone();
        broken.edits.remove(moves[rng.below(moves.len())]);
        tried += 1;
        found += check(&f, &regs, &broken).is_err() as u32;
    }
    // What remains are moves whose value a path reads only in code that cannot be reached, or never.
    assert!(tried > 100 && found * 10 > tried * 8, "{found} of {tried}");
}
