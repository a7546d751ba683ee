//! Random functions through the allocator and the checker. `WINDLASS_REGALLOC_FUZZ=N` runs N functions, from the seed in
//! `WINDLASS_REGALLOC_SEED` on.

use crate::checker::check;
use crate::testing::{arm_like, random_function};
use crate::{Allocator, Error, Options, Output, dump};

fn settings(seed: u64) -> Vec<Options> {
    let plain = Options::default();
    let few = |n| Options { max_regs: Some(n), ..plain };
    vec![
        plain,
        few(1 + (seed % 6) as u8),
        Options { spill_all: true, ..plain },
        Options { random: Some(seed), ..plain },
        Options { random: Some(seed + 1), ..few(2 + (seed % 3) as u8) },
        Options { spill_all: true, random: Some(seed), max_regs: Some(1) },
    ]
}

/// Returns what is wrong with the function of this seed.
fn run_seed(allocator: &mut Allocator, out: &mut Output, seed: u64) -> (usize, Option<String>) {
    let size = [3, 6, 12, 30, 80][(seed % 5) as usize];
    let f = random_function(seed, size);
    let regs = arm_like(seed & 1 == 0);
    let mut refused = 0;
    for options in settings(seed) {
        let result = match allocator.run(&f, &regs, &options, out) {
            Ok(()) => check(&f, &regs, out).map_err(|e| e.to_string()),
            Err(Error::TooManyConstraints { .. }) => {
                refused += 1;
                Ok(())
            }
            Err(e) => Err(e.to_string()),
        };
        if let Err(e) = result {
            let text = dump::dump(&f, &regs, out);
            return (refused, Some(format!("seed {seed}, {options:?}: {e}\n{text}")));
        }
    }
    (refused, None)
}

fn env(name: &str, default: u64) -> u64 {
    std::env::var(name).ok().and_then(|v| v.parse().ok()).unwrap_or(default)
}

#[test]
fn random_functions_are_allocated_and_check() {
    let (count, first) = (env("WINDLASS_REGALLOC_FUZZ", 2000), env("WINDLASS_REGALLOC_SEED", 0));
    let (mut allocator, mut out) = (Allocator::new(), Output::new());
    let mut refused = 0;
    for seed in first..first + count {
        let (r, wrong) = run_seed(&mut allocator, &mut out, seed);
        refused += r;
        if let Some(wrong) = wrong {
            panic!("{wrong}");
        }
    }
    assert!(
        refused == 0,
        "{refused} allocations were refused: the generator makes satisfiable functions only"
    );
}
