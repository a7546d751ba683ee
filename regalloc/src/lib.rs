//! Linear-scan register allocation on SSA form for constrained, overlapping register files, with a symbolic checker.
