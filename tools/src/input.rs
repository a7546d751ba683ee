//! Files of functions, read and verified, with diagnostics for what is wrong in them.

use crate::{Failure, diagnostics};
use std::collections::BTreeSet;
use std::path::Path;
use windlass::ir::text::Span;
use windlass::ir::verifier::Verifier;
use windlass::ir::{ExternalName, FuncRef, InstData, Type};
use windlass::{CompileError, Target};
use windlass_filetests::source::{SourceFile, SourceFunction};
use windlass_filetests::targets::{self, Setting};

/// A file of functions.
pub struct Input {
    /// Its path, as given.
    pub path: String,
    /// Its text.
    pub text: String,
    /// Its functions and directives.
    pub file: SourceFile,
}

impl Input {
    /// Reads and parses a file. `address_type` is what older spellings of stack accesses mean.
    pub fn read(path: &Path, address_type: Option<Type>) -> Result<Input, Failure> {
        let name = path.display().to_string();
        let text = windlass_filetests::runner::read(path)
            .map_err(|message| Failure::Input(format!("{name}: {message}")))?;
        match SourceFile::parse_for(&text, address_type) {
            Ok(file) => Ok(Input { path: name, text, file }),
            Err(e) => {
                diagnostics::at(&name, &text, e.span, &e.message);
                Err(Failure::Reported)
            }
        }
    }

    /// Verifies every function; says what is wrong.
    pub fn verify(&self, address_type: Option<Type>) -> Result<(), Failure> {
        let mut verifier = match address_type {
            Some(ty) => Verifier::with_address_type(ty),
            None => Verifier::new(),
        };
        let mut good = true;
        for func in &self.file.functions {
            for fault in verifier.verify(&func.function).err().unwrap_or_default() {
                good = false;
                self.report(func.span(fault.location), &fault.to_string());
            }
        }
        if good { Ok(()) } else { Err(Failure::Reported) }
    }

    /// Reads, parses and verifies for a target; for any machine if there is none.
    pub fn verified(path: &Path, target: Option<&dyn Target>) -> Result<Input, Failure> {
        let address_type = target.map(|t| t.address_type());
        let input = Input::read(path, address_type)?;
        if input.file.functions.is_empty() {
            return Err(Failure::Input(format!("{}: the file has no functions", input.path)));
        }
        input.verify(address_type)?;
        Ok(input)
    }

    /// A diagnostic about a place.
    pub fn report(&self, span: Span, message: &str) {
        diagnostics::at(&self.path, &self.text, span, message);
    }

    /// A diagnostic about a function that does not compile.
    pub fn report_compile_error(&self, func: &SourceFunction, error: &CompileError) -> Failure {
        let span = match error.inst() {
            Some(inst) => func.span(inst),
            None => func.name_span(),
        };
        self.report(span, &error.to_string());
        Failure::Reported
    }

    /// Says which functions are referred to and defined nowhere, each at its first declaration.
    pub fn check_defined(&self) -> Result<(), Failure> {
        let defined: BTreeSet<&ExternalName> = self.file.functions.iter().map(|f| &f.function.name).collect();
        let mut missing = BTreeSet::new();
        for func in &self.file.functions {
            let dfg = &func.function.dfg;
            for block in func.function.layout.blocks() {
                for inst in func.function.layout.block_insts(block) {
                    let Some(callee) = callee(&dfg.insts[inst]) else { continue };
                    let name = &dfg.ext_funcs[callee].name;
                    if matches!(name, ExternalName::LibCall(_)) || defined.contains(name) {
                        continue;
                    }
                    if missing.insert(name) {
                        self.report(func.span(callee), &format!("{name} is not defined in this file"));
                    }
                }
            }
        }
        if missing.is_empty() { Ok(()) } else { Err(Failure::Reported) }
    }
}

fn callee(data: &InstData) -> Option<FuncRef> {
    match *data {
        InstData::Call { func, .. } | InstData::TryCall { func, .. } | InstData::FuncAddr { func, .. } => {
            Some(func)
        }
        _ => None,
    }
}

/// Splits `NAME` or `NAME=VALUE`.
pub fn setting(text: &str) -> Setting {
    match text.split_once('=') {
        Some((name, value)) => (name.to_owned(), Some(value.to_owned())),
        None => (text.to_owned(), None),
    }
}

/// Makes the target that the command line names.
pub fn target(spec: &str, settings: &[Setting]) -> Result<Box<dyn Target>, Failure> {
    targets::build(spec, settings).map_err(|e| Failure::Usage(e.to_string()))
}

/// Is the target's emulator to be found in the search path?
pub fn has_emulator(target: &dyn Target) -> bool {
    let program = target.emulator().program;
    std::env::var_os("PATH")
        .is_some_and(|path| std::env::split_paths(&path).any(|dir| dir.join(program).is_file()))
}
