//! The conventions that are tested: a file for each backend, a row for each convention.

mod arm;
mod ppc64;

use super::{Convention, Returns};
use std::sync::LazyLock;

/// The rows.
pub static CONVENTIONS: LazyLock<Vec<Convention>> = LazyLock::new(|| [arm::ROWS, ppc64::ROWS].concat());

/// What a row is that says nothing of its own.
const NONE: Convention = Convention {
    name: "",
    target: "",
    call_convs: &[],
    variadic: None,
    attribute: "",
    compiler: "",
    package: "",
    flags: &[],
    registers: "",
    wide: false,
    open_floats_as_integers: false,
    returns: |_| Returns::Memory,
};
