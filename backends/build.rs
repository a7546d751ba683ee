//! Turns each target's instruction table and lowering rules into Rust:
//! `OUT_DIR/<target>_minst.{rs,isle}`, `OUT_DIR/<target>_lower.rs` and `OUT_DIR/<target>_native.rs`; and the
//! legalization rules into `OUT_DIR/legalize.rs`.

extern crate alloc;

use windlass_rules::generate::Output;
use windlass_rules::isle;

#[macro_use]
#[path = "src/list.rs"]
mod list;

/// Builds what is in the list. The library reads the same tables; what only its tests use is unused here.
macro_rules! build {
    ($($backend:ident)*) => {
        mod src {
            $(pub mod $backend {
                #[allow(dead_code)]
                pub mod insts;
            })*
        }

        fn main() {
            println!("cargo:rerun-if-changed=build.rs");
            println!("cargo:rerun-if-changed=src/list.rs");
            let out = Output::from_env();
            isle::legalization(&out);
            $(
                println!(concat!("cargo:rerun-if-changed=src/", stringify!($backend), "/insts.rs"));
                println!(concat!("cargo:rerun-if-changed=src/", stringify!($backend), "/insts"));
                isle::backend(&out, &src::$backend::insts::table(), &isle::root().join(stringify!($backend)));
            )*
        }
    };
}

for_each_backend!(build);
