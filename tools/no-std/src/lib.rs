//! Proof that the code generator needs no std, by a crate that has none.
//!
//! It brings a panic handler of its own. If any crate below it linked std, there would be two, and `cargo check`
//! would refuse this crate ("found duplicate lang item `panic_impl`"). `tools/test.sh` runs that.

#![no_std]

extern crate alloc;

use alloc::string::{String, ToString};
use windlass::{CompiledCode, Context};

/// Compiles one function from its text, as a compiler on a device would.
///
/// # Errors
/// The text, the target or the function is refused; the message says why.
pub fn compile(target: &str, text: &str) -> Result<CompiledCode, String> {
    let func = windlass::ir::text::parse_function(text).map_err(|e| e.to_string())?;
    let target = windlass::lookup(target).and_then(|builder| builder.build()).map_err(|e| e.to_string())?;
    target.compile(&func, &mut Context::new()).map_err(|e| e.to_string())
}

#[panic_handler]
fn panic(_: &core::panic::PanicInfo<'_>) -> ! {
    loop {}
}
