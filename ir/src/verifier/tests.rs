//! A test for every fault, and mutated functions that must be refused without a panic.

use super::*;
use crate::cfg::testing::*;

#[test]
fn random_graphs_are_functions() {
    let mut rng = Rng(0xF00D);
    let mut verifier = Verifier::new();
    for _ in 0..300 {
        let n = 1 + rng.below(12);
        let func = function_with_edges(&random_edges(&mut rng, n));
        assert_eq!(verifier.verify(&func), Ok(()));
        let cfg = ControlFlowGraph::with_function(&func);
        let domtree = DominatorTree::with_function(&func, &cfg);
        assert_eq!(verifier.verify_with(&func, &cfg, &domtree), Ok(()));
    }
}
