//! `windlass verify`

use crate::Outcome;
use crate::input::Input;
use crate::{Failure, print};
use std::path::PathBuf;
use windlass::ir::types;

/// Check functions against the rules of the language
#[derive(clap::Args)]
pub struct Args {
    /// Files of functions
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
    /// Addresses must have this type
    #[arg(long, value_name = "TYPE", value_parser = ["i32", "i64"])]
    address_type: Option<String>,
}

pub fn run(args: &Args) -> Outcome {
    let address_type =
        args.address_type.as_deref().map(|ty| if ty == "i32" { types::I32 } else { types::I64 });
    let mut good = true;
    let mut functions = 0;
    for path in &args.files {
        let result = Input::read(path, address_type).and_then(|input| {
            functions += input.file.functions.len();
            input.verify(address_type)
        });
        match result {
            Ok(()) => {}
            Err(Failure::Input(message)) => {
                good = false;
                crate::diagnostics::message(&message);
            }
            Err(Failure::Reported) => good = false,
            Err(usage) => return Err(usage),
        }
    }
    if !good {
        return Err(Failure::Reported);
    }
    print(&format!("{functions} functions verified\n"))
}
