//! The ISLE rules of Windlass, in order, and the build-time code that compiles them to Rust.
