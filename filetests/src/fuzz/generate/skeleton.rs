//! Control flow of a random function: blocks, where they lead, and who dominates whom.
//!
//! Edges are arbitrary: loops with several entries, critical edges, both arms to the same block, blocks that nobody
//! reaches. Blocks are numbered in a rough forward order; every cycle has an edge from a block to one that is not after
//! it, and the target of each such edge checks fuel, so that the function ends whatever its data are.

use crate::fuzz::random::Random;

/// How a block ends.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Exit {
    /// Leaves the function.
    Return,
    /// Traps.
    Trap,
    /// Goes on.
    Jump(usize),
    /// By a condition.
    Brif(usize, usize),
    /// By a number; the first is the default.
    Table(Vec<usize>),
    /// Takes one unit of fuel; the second if there is none left.
    Fuel(usize, usize),
    /// A call: the first is where it returns to, the others catch what it throws.
    Try(Vec<usize>),
    /// Throws.
    Throw,
}

/// How blocks may end besides branches, jumps and returns.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Ends {
    /// By tables.
    pub(super) tables: bool,
    /// By calls that may throw, and by throwing.
    pub(super) exceptions: bool,
}

impl Exit {
    /// Where it leads.
    pub(super) fn targets(&self) -> Vec<usize> {
        match self {
            Exit::Return | Exit::Trap | Exit::Throw => Vec::new(),
            Exit::Jump(a) => vec![*a],
            Exit::Brif(a, b) | Exit::Fuel(a, b) => vec![*a, *b],
            Exit::Table(all) | Exit::Try(all) => all.clone(),
        }
    }

    /// The same with one more target.
    fn with(self, target: usize, random: &mut Random) -> Exit {
        match self {
            Exit::Return | Exit::Trap | Exit::Throw => Exit::Jump(target),
            Exit::Jump(a) if random.chance(50) => Exit::Brif(a, target),
            Exit::Jump(a) => Exit::Brif(target, a),
            Exit::Brif(a, b) => Exit::Table(vec![a, b, target]),
            Exit::Table(mut all) => {
                all.push(target);
                Exit::Table(all)
            }
            Exit::Try(mut all) => {
                all.push(target);
                Exit::Try(all)
            }
            fuel @ Exit::Fuel(..) => fuel,
        }
    }
}

/// Control flow of a function; block 0 is the entry.
#[derive(Clone, Debug)]
pub(super) struct Skeleton {
    /// How each block ends.
    pub(super) exits: Vec<Exit>,
    /// The blocks that each block immediately dominates.
    pub(super) children: Vec<Vec<usize>>,
    /// Does control get there, as far as edges tell?
    pub(super) reachable: Vec<bool>,
    /// There are loops, and blocks that take fuel.
    pub(super) fuel: bool,
}

/// Most blocks before those that fuel adds.
pub(super) const MAX_BLOCKS: usize = 60;

impl Skeleton {
    /// Random control flow of about `n` blocks.
    pub(super) fn random(n: usize, ends: Ends, random: &mut Random) -> Skeleton {
        let n = n.clamp(1, MAX_BLOCKS);
        let mut exits: Vec<Exit> = (0..n).map(|i| exit(i, n, ends, random)).collect();
        // Most blocks are reached; a few are left without predecessors.
        for j in 1..n {
            let reached = (0..j).any(|i| exits[i].targets().contains(&j));
            if !reached && random.chance(88) {
                let from = if random.chance(60) { j - 1 } else { random.below(j) };
                let exit = exits[from].clone().with(j, random);
                exits[from] = if ends.tables { exit } else { without_table(exit) };
            }
        }
        let out = exits.len();
        let heads: Vec<usize> = (1..n).filter(|&j| (j..n).any(|i| exits[i].targets().contains(&j))).collect();
        if !heads.is_empty() {
            exits.push(Exit::Return);
        }
        for &head in &heads {
            let body = exits.len();
            exits.push(exits[head].clone());
            exits[head] = Exit::Fuel(body, out);
        }
        let (children, reachable) = dominators(&exits);
        Skeleton { exits, children, reachable, fuel: !heads.is_empty() }
    }
}

fn exit(i: usize, n: usize, ends: Ends, random: &mut Random) -> Exit {
    if i + 1 == n {
        return match random.below(100) {
            0..4 => Exit::Trap,
            4..7 if ends.exceptions => Exit::Throw,
            _ => Exit::Return,
        };
    }
    let target = |random: &mut Random| {
        if random.chance(80) { i + 1 + random.below((n - i - 1).min(4)) } else { 1 + random.below(n - 1) }
    };
    match random.below(100) {
        0..6 => Exit::Return,
        6..8 => Exit::Trap,
        8..10 if ends.exceptions => Exit::Throw,
        8..35 => Exit::Jump(target(random)),
        35..45 if ends.tables => {
            let len = if random.chance(10) { random.between(7, 70) } else { 1 + random.below(6) };
            Exit::Table((0..len).map(|_| target(random)).collect())
        }
        45..55 if ends.exceptions => {
            let len = 1 + random.below(4);
            Exit::Try((0..len).map(|_| target(random)).collect())
        }
        _ => Exit::Brif(target(random), target(random)),
    }
}

/// A table as a branch, for targets without.
fn without_table(exit: Exit) -> Exit {
    match exit {
        Exit::Table(all) => Exit::Brif(all[0], all[all.len() - 1]),
        other => other,
    }
}

/// The dominator tree by sets of dominators (Allen and Cocke 1972); functions are small.
fn dominators(exits: &[Exit]) -> (Vec<Vec<usize>>, Vec<bool>) {
    let n = exits.len();
    let mut reachable = vec![false; n];
    let mut todo = vec![0];
    while let Some(i) = todo.pop() {
        if !std::mem::replace(&mut reachable[i], true) {
            todo.extend(exits[i].targets());
        }
    }
    // Bit j of set i: j dominates i.
    let mut sets = vec![u128::MAX; n];
    sets[0] = 1;
    let mut changed = true;
    while changed {
        changed = false;
        for i in (0..n).filter(|&i| reachable[i]) {
            for j in exits[i].targets() {
                let set = sets[j] & (sets[i] | 1 << j);
                changed |= j != 0 && set != sets[j];
                if j != 0 {
                    sets[j] = set;
                }
            }
        }
    }
    let mut children = vec![Vec::new(); n];
    for i in (1..n).filter(|&i| reachable[i]) {
        // Of the strict dominators, the one that the most dominate.
        let strict = sets[i] & !(1 << i);
        let idom = (0..n).filter(|&j| strict >> j & 1 == 1).max_by_key(|&j| sets[j].count_ones());
        children[idom.unwrap_or(0)].push(i);
    }
    (children, reachable)
}

// A function's blocks, those for fuel included, are bits of a set.
const _: () = assert!(2 * MAX_BLOCKS < 128);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dominators_of_a_loop_with_two_entries() {
        let exits = [
            Exit::Brif(1, 2),
            Exit::Jump(3),
            Exit::Jump(4),
            Exit::Jump(4),
            Exit::Brif(3, 5),
            Exit::Return,
            Exit::Return,
        ];
        let (children, reachable) = dominators(&exits);
        assert_eq!(children[0], [1, 2, 3, 4]);
        assert_eq!(children[4], [5]);
        assert_eq!(reachable, [true, true, true, true, true, true, false]);
    }

    #[test]
    fn every_cycle_takes_fuel() {
        let mut random = Random::new(7);
        for n in 1..40 {
            let skeleton = Skeleton::random(n, Ends { tables: true, exceptions: true }, &mut random);
            // Without the edges that take fuel, what is left has no cycle.
            let exits = &skeleton.exits;
            let mut done = vec![false; exits.len()];
            let mut progress = true;
            while progress {
                progress = false;
                for i in 0..exits.len() {
                    let free = matches!(exits[i], Exit::Fuel(..));
                    if !done[i] && (free || exits[i].targets().iter().all(|&j| done[j])) {
                        done[i] = true;
                        progress = true;
                    }
                }
            }
            assert!(done.iter().all(|&d| d), "{exits:?}");
        }
    }
}
