//! Random programs over variables, built with every order of filling and sealing, against a run of the program
//! itself.

use super::*;
use crate::interp::{Config, Interpreter, Machine, Outcome, Program};
use crate::signature::AbiParam;
use crate::types::{I32, I64};
use crate::{DataValue, ExternalName, verify_function};
use alloc::vec::Vec;

const VARIABLES: usize = 5;
const PARAMS: usize = 2;

/// Marsaglia's xorshift.
struct Random(u64);

impl Random {
    fn below(&mut self, n: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 33) as usize % n
    }
}

#[derive(Clone, Copy, Debug)]
enum Statement {
    Const(usize, i32),
    Copy(usize, usize),
    Add(usize, usize, usize),
}

#[derive(Clone, Debug)]
enum End {
    Jump(usize),
    Brif(usize, usize, usize),
    Table(usize, Vec<usize>),
    Return,
}

struct Source {
    blocks: Vec<(Vec<Statement>, End)>,
}

fn source(random: &mut Random) -> Source {
    let count = 1 + random.below(9);
    let block = |random: &mut Random| {
        let statements = (0..random.below(4))
            .map(|_| {
                let (a, b, c) = (random.below(VARIABLES), random.below(VARIABLES), random.below(VARIABLES));
                match random.below(3) {
                    0 => Statement::Const(a, random.below(3) as i32),
                    1 => Statement::Copy(a, b),
                    _ => Statement::Add(a, b, c),
                }
            })
            .collect();
        // The entry has no predecessors.
        let mut target = || if count == 1 { None } else { Some(1 + random.below(count - 1)) };
        let (a, b, c) = (target(), target(), target());
        let end = match (random.below(5), a, b, c) {
            (0, Some(a), ..) => End::Jump(a),
            (1 | 2, Some(a), Some(b), _) => End::Brif(random.below(VARIABLES), a, b),
            (3, Some(a), Some(b), Some(c)) => End::Table(random.below(VARIABLES), [a, b, c, a].into()),
            _ => End::Return,
        };
        (statements, end)
    };
    Source { blocks: (0..count).map(|_| block(random)).collect() }
}

/// Runs the program on variables; `None` if that takes long.
fn run(source: &Source, args: [i32; PARAMS]) -> Option<[i32; VARIABLES]> {
    let mut vars = [0i32; VARIABLES];
    vars[..PARAMS].copy_from_slice(&args);
    let mut at = 0;
    for _ in 0..200 {
        let (statements, end) = &source.blocks[at];
        for &statement in statements {
            match statement {
                Statement::Const(a, n) => vars[a] = n,
                Statement::Copy(a, b) => vars[a] = vars[b],
                Statement::Add(a, b, c) => vars[a] = vars[b].wrapping_add(vars[c]),
            }
        }
        at = match end {
            End::Jump(a) => *a,
            End::Brif(v, a, b) => [*b, *a][usize::from(vars[*v] != 0)],
            End::Table(v, blocks) => {
                let index = vars[*v] as u32 as usize;
                *blocks[1..].get(index).unwrap_or(&blocks[0])
            }
            End::Return => return Some(vars),
        };
    }
    None
}

fn destinations(end: &End) -> Vec<usize> {
    match end {
        End::Jump(a) => [*a].into(),
        End::Brif(_, a, b) => [*a, *b].into(),
        End::Table(_, blocks) => blocks.clone(),
        End::Return => Vec::new(),
    }
}

#[derive(Clone, Copy, PartialEq, Debug)]
enum Sealing {
    /// All at the end.
    Late,
    /// Each block as soon as its predecessors are filled.
    Early,
    /// Some time after that.
    Random,
}

fn build(
    source: &Source,
    random: &mut Random,
    sealing: Sealing,
    cx: &mut FunctionBuilderContext,
) -> Function {
    let count = source.blocks.len();
    let mut func = Function::new(ExternalName::symbol("f"), Signature::default());
    func.signature.params = [AbiParam::new(I32); PARAMS].into();
    func.signature.returns = [AbiParam::new(I32); VARIABLES].into();
    let mut b = FunctionBuilder::new(&mut func, cx);
    let vars: Vec<Variable> = (0..VARIABLES).map(|_| b.declare_var(I32)).collect();
    let blocks: Vec<Block> = (0..count).map(|_| b.create_block()).collect();
    b.append_block_params_for_function_params(blocks[0]);
    let mut missing = alloc::vec![0; count];
    for (_, end) in &source.blocks {
        destinations(end).into_iter().for_each(|d| missing[d] += 1);
    }
    let mut order: Vec<usize> = (1..count).collect();
    for i in (1..order.len()).rev() {
        order.swap(i, random.below(i + 1));
    }
    order.insert(0, 0);
    let mut sealed = alloc::vec![false; count];
    for i in order {
        for j in 0..count {
            let now = match sealing {
                Sealing::Late => false,
                Sealing::Early => true,
                Sealing::Random => random.below(3) == 0,
            };
            if now && missing[j] == 0 && !sealed[j] {
                sealed[j] = true;
                b.seal_block(blocks[j]);
            }
        }
        b.switch_to_block(blocks[i]);
        if i == 0 {
            for (i, &var) in vars[..PARAMS].iter().enumerate() {
                let param = b.block_params(blocks[0])[i];
                b.def_var(var, param);
            }
        }
        let (statements, end) = &source.blocks[i];
        for &statement in statements {
            let (a, value) = match statement {
                Statement::Const(a, n) => (a, b.ins().iconst(I32, i64::from(n))),
                Statement::Copy(a, v) => (a, b.use_var(vars[v])),
                Statement::Add(a, v, w) => {
                    let (x, y) = (b.use_var(vars[v]), b.use_var(vars[w]));
                    (a, b.ins().iadd(x, y))
                }
            };
            b.def_var(vars[a], value);
        }
        match end {
            End::Jump(a) => {
                b.ins().jump(blocks[*a], &[]);
            }
            End::Brif(v, x, y) => {
                let c = b.use_var(vars[*v]);
                b.ins().brif(c, blocks[*x], &[], blocks[*y], &[]);
            }
            End::Table(v, targets) => {
                let index = b.use_var(vars[*v]);
                let default = b.block_call(blocks[targets[0]], &[]);
                let table = targets[1..].iter().map(|&t| b.block_call(blocks[t], &[])).collect();
                let table = b.create_jump_table(JumpTableData { default, table });
                b.ins().br_table(index, table);
            }
            End::Return => {
                let results: Vec<Value> = vars.iter().map(|&v| b.use_var(v)).collect();
                b.ins().return_(&results);
            }
        }
        destinations(end).into_iter().for_each(|d| missing[d] -= 1);
    }
    match sealing {
        Sealing::Late => b.seal_all_blocks(),
        _ => blocks.iter().for_each(|&block| b.seal_block(block)),
    }
    assert_eq!(b.finalize(), Ok(()));
    func
}

/// Parameters for which one value would do.
fn redundant_params(func: &Function) -> Vec<Value> {
    let mut found = Vec::new();
    for block in func.layout.blocks().skip(1) {
        for (i, &param) in func.dfg.block_params(block).iter().enumerate() {
            let mut values: Vec<Value> = Vec::new();
            for inst in func.layout.blocks().filter_map(|b| func.layout.last_inst(b)) {
                for call in func.dfg.branch_destinations(inst).filter(|call| call.block == block) {
                    let arg = call.args(&func.dfg.block_args).nth(i).and_then(BlockArg::as_value);
                    values.extend(arg.map(|v| func.dfg.resolve_aliases(v)).filter(|&v| v != param));
                }
            }
            values.sort();
            values.dedup();
            if values.len() == 1 {
                found.push(param);
            }
        }
    }
    found
}

#[test]
fn random_programs_mean_what_their_variables_say() {
    let mut random = Random(0x1234_5678_9abc_def1);
    let mut cx = FunctionBuilderContext::new();
    let mut ran = 0;
    for _ in 0..3000 {
        let source = source(&mut random);
        for sealing in [Sealing::Late, Sealing::Early, Sealing::Random] {
            let func = build(&source, &mut random, sealing, &mut cx);
            let verdict = verify_function(&func);
            assert_eq!(verdict, Ok(()), "{sealing:?}\n{func}");
            if sealing == Sealing::Late {
                assert_eq!(redundant_params(&func), [], "{func}");
            }
            let program = Program::new([&func], Machine::LE32).unwrap();
            let mut interpreter = Interpreter::new(&program, Config::default());
            for args in [[0, 0], [1, 0], [0, 2], [-1, 5]] {
                let Some(expected) = run(&source, args) else { continue };
                ran += 1;
                let outcome = interpreter.run(&func.name, &args.map(DataValue::I32));
                let expected = expected.iter().map(|&n| DataValue::I32(n)).collect();
                assert_eq!(outcome, Outcome::Return(expected), "{sealing:?} {args:?}\n{func}");
            }
        }
    }
    assert!(ran > 10_000, "{ran}");
}

/// Every method with what it does not want, in random order: no panic, and an error in the end or a function that the
/// verifier accepts.
#[test]
fn random_misuse_is_an_error() {
    let mut random = Random(42);
    let mut cx = FunctionBuilderContext::new();
    let (mut good, mut bad) = (0, 0);
    for _ in 0..20_000 {
        let mut func = Function::default();
        func.signature.returns.push(AbiParam::new(I32));
        let mut b = FunctionBuilder::new(&mut func, &mut cx);
        for _ in 0..random.below(3) {
            b.declare_var(if random.below(4) == 0 { I64 } else { I32 });
        }
        for _ in 0..random.below(14) {
            let block = Block::new(random.below(4));
            let other = Block::new(random.below(4));
            let var = Variable::new(random.below(3));
            let value = Value::new(random.below(6));
            match random.below(14) {
                0 | 1 => {
                    b.create_block();
                }
                2 | 3 => b.switch_to_block(block),
                4 => b.seal_block(block),
                5 | 6 => b.def_var(var, value),
                7 => {
                    b.ins().iconst(I32, 1);
                }
                8 => {
                    let v = b.use_var(var);
                    b.ins().return_(&[v]);
                }
                9 => {
                    b.ins().jump(block, &[]);
                }
                10 => {
                    let v = b.use_var(var);
                    b.ins().brif(v, block, &[], other, &[]);
                }
                11 if b.func.dfg.block_is_valid(block) => {
                    b.append_block_param(block, I32);
                }
                12 => {
                    let branch = b.func.dfg.insts.keys().next_back();
                    if let Some(branch) = branch {
                        b.change_jump_destination(branch, block, other);
                    }
                }
                _ => b.seal_all_blocks(),
            }
        }
        match b.finalize() {
            Ok(()) => {
                good += 1;
                // Whether types fit, and whether branches pass arguments, is not the builder's business.
                drop(verify_function(&func));
                drop(alloc::string::ToString::to_string(&func));
            }
            Err(_) => bad += 1,
        }
    }
    assert!(good > 100 && bad > 100, "{good} {bad}");
}
