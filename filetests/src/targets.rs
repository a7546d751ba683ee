//! What a test runs on: targets with their settings, and interpreters.

use windlass::ir::interp::Machine;
use windlass::ir::{Endianness, Opcode, Type, types};
use windlass::{SettingError, Target};

/// The machine that an interpreter must be to stand beside a target.
pub fn machine_of(target: &dyn Target) -> Machine {
    Machine { address_type: target.address_type(), endianness: target.endianness() }
}

/// The name of an interpreter's machine: `interp32le`.
pub fn machine_name(machine: Machine) -> String {
    let order = match machine.endianness {
        Endianness::Little => "le",
        Endianness::Big => "be",
    };
    format!("interp{}{order}", machine.address_type.bits())
}

/// A name that `--target` takes for an interpreter: `interp` for both widths with little-endian memory, or one
/// machine by its own name.
pub fn interpreters(name: &str) -> Option<&'static [Machine]> {
    Some(match name {
        "interp" => &[Machine::LE32, Machine::LE64],
        "interp32le" => &[Machine::LE32],
        "interp64le" => &[Machine::LE64],
        "interp32be" => &[Machine::BE32],
        "interp64be" => &[Machine::BE64],
        _ => return None,
    })
}

/// A setting, and its value if it has one.
pub type Setting = (String, Option<String>);

/// Makes a target: `spec` is its name or triple and then feature words, `NAME` or `NAME=VALUE`, separated by spaces.
///
/// # Errors
/// No such target, or a setting that it does not have.
pub fn build(spec: &str, settings: &[Setting]) -> Result<Box<dyn Target>, SettingError> {
    let mut words = spec.split_whitespace();
    let mut builder = windlass::lookup(words.next().unwrap_or(""))?;
    for (name, value) in settings {
        builder.set(name, value.as_deref())?;
    }
    for word in words {
        match word.split_once('=') {
            Some((name, value)) => builder.set(name, Some(value))?,
            None => builder.set(word, None)?,
        }
    }
    builder.build()
}

/// The types of the addresses that a function uses.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct AddressUse {
    /// It has 32-bit addresses.
    pub narrow: bool,
    /// It has 64-bit addresses.
    pub wide: bool,
}

impl AddressUse {
    fn add(&mut self, ty: Type) {
        match ty {
            types::I32 => self.narrow = true,
            types::I64 => self.wide = true,
            _ => {}
        }
    }

    /// Adds what `func` uses.
    pub fn add_function(&mut self, func: &windlass::ir::Function) {
        use windlass::ir::{ArgumentPurpose, BlockArg, Ctrl, Ty, TypeSet};
        let signatures = func.dfg.signatures.values().chain(std::iter::once(&func.signature));
        for param in signatures.flat_map(|sig| sig.params.iter().chain(&sig.returns)) {
            if param.purpose != ArgumentPurpose::Normal {
                self.add(param.value_type);
            }
        }
        for block in func.layout.blocks() {
            for inst in func.layout.block_insts(block) {
                let opcode: Opcode = func.dfg.opcode(inst);
                if matches!(opcode.ctrl(), Ctrl::Suffix(TypeSet::Addr) | Ctrl::Operand(_, TypeSet::Addr)) {
                    self.add(func.dfg.ctrl_type(inst));
                }
                // What an exception carries is as large as an address.
                for call in func.dfg.branch_destinations(inst) {
                    let params = func.dfg.block_params(call.block);
                    for (arg, &param) in call.args(&func.dfg.block_args).zip(params) {
                        if matches!(arg, BlockArg::TryCallExn(_)) {
                            self.add(func.dfg.value_type(param));
                        }
                    }
                }
                for (ty, &arg) in opcode.def().args.iter().zip(func.dfg.inst_args(inst)) {
                    if *ty == Ty::Any(TypeSet::Addr) {
                        self.add(func.dfg.value_type(arg));
                    }
                }
            }
        }
    }

    /// Why this cannot run on a machine whose addresses have type `ty`; nothing if it can.
    pub fn refusal(self, ty: Type) -> Option<String> {
        match (self.narrow, self.wide) {
            (true, true) => Some("the file has addresses of type i32 and of type i64".into()),
            (true, false) if ty != types::I32 => {
                Some(format!("the file's addresses have type i32, this machine's {ty}"))
            }
            (false, true) if ty != types::I64 => {
                Some(format!("the file's addresses have type i64, this machine's {ty}"))
            }
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_exceptions_carry_has_the_size_of_addresses() {
        for ty in [types::I32, types::I64] {
            let text = format!(
                "function %f() -> {ty} tail {{
                     sig0 = () tail
                     fn0 = %g sig0
                 block0:
                     try_call fn0(), sig0, block1, [ default: block2(exn0) ]
                 block1:
                     v0 = iconst.{ty} 0
                     return v0
                 block2(v1: {ty}):
                     return v1
                 }}"
            );
            let func = windlass::ir::text::parse_function(&text).unwrap();
            let mut uses = AddressUse::default();
            uses.add_function(&func);
            assert_eq!(uses, AddressUse { narrow: ty == types::I32, wide: ty == types::I64 });
        }
    }
}
