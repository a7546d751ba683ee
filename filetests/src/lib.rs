//! The filetest runner of Windlass, and the tests themselves.

pub mod guest;
