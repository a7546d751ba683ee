//! A retargetable code generator for 32-bit ARM and 64-bit POWER.
