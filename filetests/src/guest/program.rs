//! Whole programs: an executable whose `main` is a function of the module.

use super::process::{emulator, spawn, temporary_program};
use super::{GuestError, GuestOptions, add_compiled, add_libraries, link_executable};
use std::ffi::OsString;
use std::process::ExitStatus;
use windlass::link::Module;
use windlass::{Context, Target};
use windlass_ir::{ExternalName, Signature, types};

/// An executable that calls the function `main` of the module, as C programs are called: with the number of
/// arguments (`i32`), the address of the array of their addresses, and that of the environment's, as many of the
/// three as it takes. Its result, an integer, is the exit status; without one the status is 0.
///
/// # Errors
/// The signature is none of these; the driver does not compile; the module does not link.
pub fn program_executable(
    target: &dyn Target,
    module: &Module,
    main: &ExternalName,
    signature: &Signature,
    cx: &mut Context,
) -> Result<Vec<u8>, GuestError> {
    if !module.functions().iter().any(|function| &function.name == main) {
        return Err(GuestError::BadCall(format!("there is no function {main}")));
    }
    let text = main_text(target, main, signature).ok_or_else(|| {
        GuestError::BadCall(format!("{main} cannot be a program's main: it is {signature}"))
    })?;
    let mut module = module.clone();
    add_compiled(&mut module, target, cx, &text)?;
    add_libraries(&mut module, target, cx)?;
    Ok(link_executable(&module, target)?.1)
}

/// Runs the program of [`program_executable`] in the target's emulator, with this process's standard streams.
///
/// # Errors
/// As [`program_executable`]; the emulator is missing.
pub fn run_program(
    target: &dyn Target,
    module: &Module,
    main: &ExternalName,
    signature: &Signature,
    args: &[OsString],
    options: &GuestOptions,
    cx: &mut Context,
) -> Result<ExitStatus, GuestError> {
    let executable = program_executable(target, module, main, signature, cx)?;
    let (_folder, path) = temporary_program(&executable)?;
    let mut command = emulator(target, options);
    command.arg(&path).args(args);
    Ok(spawn(&mut command, target, options)?.wait()?)
}

/// `%__windlass_main`, which finds the arguments at the initial stack pointer: their number as a word, their
/// addresses and a null, the environment's addresses and a null. `None` if `main` cannot be called so.
pub(super) fn main_text(target: &dyn Target, main: &ExternalName, signature: &Signature) -> Option<String> {
    let ptr = target.address_type();
    let word = ptr.bytes();
    let wanted = [types::I32, ptr, ptr];
    let types: Vec<_> = signature.params.iter().map(|param| param.value_type).collect();
    if !wanted.starts_with(&types) {
        return None;
    }
    let args = &["v1", "v2", "v6"][..types.len()];
    // The status is an i32.
    let (result, status) = match signature.returns.as_slice() {
        [] => ("", "v8 = iconst.i32 0"),
        [ret] => match ret.value_type {
            types::I8 | types::I16 => ("v7 = ", "v8 = sextend.i32 v7"),
            types::I32 => ("v7 = ", "v9 = iconst.i32 0\n    v8 = iadd v7, v9"),
            types::I64 => ("v7 = ", "v8 = ireduce.i32 v7"),
            _ => return None,
        },
        _ => return None,
    };
    // argc is an int in a word: the low half in either byte order.
    let argc = if word == 4 {
        "v1 = load.i32 notrap aligned v0"
    } else {
        "v10 = load.i64 notrap aligned v0\n    v1 = ireduce.i32 v10"
    };
    let shift = word.trailing_zeros();
    let args = args.join(", ");
    let widened =
        if word == 4 { "v11 = iconst.i32 0\n    v12 = iadd v1, v11" } else { "v12 = uextend.i64 v1" };
    Some(format!(
        "\
function %__windlass_main({ptr}) -> i32 system_v {{
    sig0 = {signature}
    fn0 = colocated {main} sig0

block0(v0: {ptr}):
    {argc}
    v3 = iconst.{ptr} {word}
    v2 = iadd v0, v3
    {widened}
    v4 = iconst.{ptr} {shift}
    v5 = ishl v12, v4
    v13 = iadd v2, v5
    v6 = iadd v13, v3
    {result}call fn0({args})
    {status}
    return v8
}}
"
    ))
}
