//! Data of tests: symbols whose names say what they are.
//!
//! A symbol `%data_SIZE`, or `%data_SIZE_ANYTHING`, that a function refers to and that is no function's name is SIZE
//! zero bytes, aligned to 16, which the program may write to: the same in the interpreter and in emulated programs. Each thread has
//! its own if the global value says `tls`. What a call leaves in it, the next call finds.

use windlass::ir::interp::Interpreter;
use windlass::ir::{ExternalName, Function, GlobalValueData};
use windlass::link::{DataDef, Module};

/// The largest datum, in bytes.
const MAX_BYTES: u64 = 1 << 24;
/// Alignment of all data, in bytes.
const ALIGNMENT: u32 = 16;

/// A datum that functions refer to.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Datum {
    /// Its name.
    pub name: ExternalName,
    /// Its size in bytes.
    pub bytes: u64,
    /// Each thread has its own.
    pub thread_local: bool,
}

/// How many bytes a symbol with this name has; none if it is no datum.
fn bytes_of(name: &ExternalName) -> Option<u64> {
    let ExternalName::Symbol(name) = name else { return None };
    let rest = name.strip_prefix("data_")?;
    let digits = rest.split('_').next().unwrap_or("");
    digits.parse().ok().filter(|&bytes| (1..=MAX_BYTES).contains(&bytes))
}

/// The data that `functions` refer to, in the order in which they do.
pub fn of<'f>(functions: impl IntoIterator<Item = &'f Function>) -> Vec<Datum> {
    let mut data: Vec<Datum> = Vec::new();
    for func in functions {
        for value in func.global_values.values() {
            let GlobalValueData::Symbol { name, tls, .. } = value else { continue };
            let known = data.iter().any(|datum| datum.name == *name);
            if let Some(bytes) = bytes_of(name).filter(|_| !known) {
                data.push(Datum { name: name.clone(), bytes, thread_local: *tls });
            }
        }
    }
    data
}

/// Gives an interpreter the data that `functions` refer to.
pub fn define<'f>(interpreter: &mut Interpreter<'_>, functions: impl IntoIterator<Item = &'f Function>) {
    for datum in of(functions) {
        // Where there is no room the symbol stays undefined, as the access to it says.
        let _ = interpreter.define_data(&datum.name, &vec![0; datum.bytes as usize], ALIGNMENT.into());
    }
}

/// Gives a module the data that `functions` refer to.
pub fn add<'f>(module: &mut Module, functions: impl IntoIterator<Item = &'f Function>) {
    for Datum { name, bytes, thread_local } in of(functions) {
        module.add_data(DataDef { thread_local, ..DataDef::zeros(name, bytes, ALIGNMENT) });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_say_how_large_data_are() {
        let bytes = |name: &str| bytes_of(&ExternalName::symbol(name));
        assert_eq!(bytes("data_64"), Some(64));
        assert_eq!(bytes("data_70000_b"), Some(70_000));
        for name in ["data", "data_", "data_x", "data_0", "date_5", "data_99999999999999999999", "data_-1"] {
            assert_eq!(bytes(name), None, "{name}");
        }
    }

    #[test]
    fn each_symbol_is_one_datum() {
        let text = "function %f() {
                gv0 = symbol colocated %data_8
                gv1 = symbol colocated %data_8+4
                gv2 = symbol tls %data_16_t
                gv3 = symbol %other
            block0:
                return
            }";
        let func = windlass::ir::text::parse_function(text).unwrap();
        let datum = |name: &str, bytes, thread_local| {
            let name = ExternalName::symbol(name);
            Datum { name, bytes, thread_local }
        };
        assert_eq!(of([&func]), [datum("data_8", 8, false), datum("data_16_t", 16, true)]);
    }
}
