//! How filetests are run.

use crate::coverage::Coverage;
use crate::targets::Setting;
use windlass::Context;

/// How filetests are run.
#[derive(Clone, Debug)]
pub struct Options {
    /// Targets instead of those that the files name: names or triples with feature words, or `interp` and its kin.
    pub targets: Vec<String>,
    /// Settings on top of those that the files make.
    pub settings: Vec<Setting>,
    /// Write what there is where it differs from what a file expects.
    pub bless: bool,
    /// Files that are worked at the same time.
    pub jobs: usize,
    /// Run lines are also checked on the functions as each target legalizes them, in the interpreter.
    pub legalize: bool,
    /// Run lines are not run: each target only compiles the functions that they call.
    pub compile_only: bool,
    /// Collects which rules fire.
    pub coverage: Option<Coverage>,
    /// Most instructions that an interpreted call may take.
    pub fuel: u64,
}

impl Default for Options {
    fn default() -> Options {
        Options {
            targets: Vec::new(),
            settings: Vec::new(),
            bless: false,
            jobs: 1,
            legalize: false,
            compile_only: false,
            coverage: None,
            fuel: 4_000_000_000,
        }
    }
}

impl Options {
    /// Memory for compilations, which tells what rules fire if that is collected.
    pub(crate) fn context(&self) -> Context {
        self.coverage.as_ref().map_or_else(Context::new, Coverage::context)
    }

    /// The defaults, with blessing if the environment's `WINDLASS_BLESS` is 1, and as many jobs as the machine has
    /// processors.
    pub fn from_environment() -> Options {
        let bless = std::env::var_os("WINDLASS_BLESS").is_some_and(|value| value == "1");
        let jobs = std::thread::available_parallelism().map_or(1, |n| n.get());
        Options { bless, jobs, ..Options::default() }
    }
}
