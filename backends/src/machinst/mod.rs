//! The machine-code framework: what all targets share.

pub mod encode;
pub mod reg;
