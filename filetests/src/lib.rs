//! The filetest runner of Windlass, and the tests themselves.
//!
//! A filetest is a `.clif` file: a header of commands, settings and targets, functions, and directives in comments. The
//! runner does what each command says and compares:
//!
//! | command | what is checked |
//! |---|---|
//! | `test verifier` | each function's faults are those that `; error:` comments on the same lines tell |
//! | `test parser` | the same for syntax errors, each function read by itself; sound functions print and parse again |
//! | `test cat` | printing, parsing and printing gives the same text; and the output, as below |
//! | `test print-cfg`, `test domtree` | the output |
//! | `test compile`, `test select`, `test regalloc` | the output on each target |
//! | `test interpret` | `; run:` lines in the interpreter |
//! | `test run` | `; run:` lines in the interpreter and, on each target, under an emulator: all must agree |
//!
//! A command's output is compared with the function's golden block ([`golden`]) and searched for its directives
//! ([`filecheck`]). With the option `precise-output` there must be a golden block. Commands that do not exist are
//! errors with their names.
//!
//! ```text
//! files --source--> SourceFile --runner--> Checks --report--> text or JSON
//!                                 |  commands: golden outputs and directives
//!                                 |  execute: run lines, interpreter, emulator
//! ```

pub mod abi;
pub mod commands;
pub mod coverage;
pub mod data;
pub mod diff;
pub mod execute;
pub mod filecheck;
pub mod fuzz;
pub mod golden;
pub mod guest;
pub mod listing;
pub mod matrix;
pub mod options;
pub mod parser_test;
pub mod reduce;
pub mod report;
pub mod runner;
pub mod source;
pub mod targets;

pub use coverage::{Coverage, CoverageReport};
pub use options::Options;
pub use report::{Check, FileReport, Outcome, Summary};
pub use runner::{find_files, run_file, run_files};
