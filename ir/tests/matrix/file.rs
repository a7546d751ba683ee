//! A test file in the making.

use std::fmt::Write;
use windlass_ir::types::*;
use windlass_ir::{DataValue, Type};

/// What a call must come to.
pub enum Expect<'a> {
    /// These results, as bits.
    Gives(&'a [(u128, Type)]),
    /// A trap.
    Traps(&'a str),
}

/// The targets with 32-bit addresses.
pub const ARM: &[&str] = &["armv7hf", "armv7", "armv6", "armv5"];
/// The targets with 64-bit addresses.
pub const POWER: &[&str] = &["ppc64le", "ppc64", "ppc64v2"];
/// Every target.
pub const ALL: &[&str] = &["armv7hf", "armv7", "armv6", "armv5", "ppc64le", "ppc64", "ppc64v2"];

/// A test file.
pub struct File {
    /// Its name without `.clif`.
    pub name: String,
    text: String,
}

/// The types that every integer opcode has on every machine.
pub const NARROW: [Type; 4] = [I8, I16, I32, I64];

impl File {
    /// A file that is interpreted, and run on `targets` too.
    pub fn new(name: &str, about: &str, targets: &[&str]) -> File {
        let mut text = String::from("test interpret\n");
        if !targets.is_empty() {
            text.push_str("test run\n");
        }
        for target in targets {
            let _ = writeln!(text, "target {target}");
        }
        let _ = write!(
            text,
            "\n; {about}\n; Generated: WINDLASS_BLESS=1 cargo test -p windlass-ir --test matrix\n"
        );
        File { name: name.into(), text }
    }

    /// A function with parameters `v0`, `v1`, …, and lines in its one block.
    pub fn function(&mut self, name: &str, params: &[Type], results: &[Type], lines: &[&str]) {
        self.function_with(name, params, results, "", lines);
    }

    /// The same with declarations.
    pub fn function_with(
        &mut self,
        name: &str,
        params: &[Type],
        results: &[Type],
        preamble: &str,
        lines: &[&str],
    ) {
        let list = |types: &[Type]| types.iter().map(Type::to_string).collect::<Vec<_>>().join(", ");
        let out = if results.is_empty() { String::new() } else { format!(" -> {}", list(results)) };
        let block: Vec<String> = params.iter().enumerate().map(|(i, ty)| format!("v{i}: {ty}")).collect();
        let block = if block.is_empty() { String::new() } else { format!("({})", block.join(", ")) };
        let _ = writeln!(self.text, "\nfunction %{name}({}){out} {{", list(params));
        for line in preamble.lines() {
            let _ = writeln!(self.text, "    {}", line.trim());
        }
        let _ = writeln!(self.text, "block0{block}:");
        for line in lines {
            let _ = writeln!(self.text, "    {line}");
        }
        self.text.push_str("}\n");
    }

    /// Text as it is.
    pub fn raw(&mut self, text: &str) {
        self.text.push('\n');
        self.text.push_str(text.trim_start_matches('\n'));
    }

    /// A run line.
    pub fn run(&mut self, name: &str, args: &[(u128, Type)], expect: Expect<'_>) {
        let list = |values: &[(u128, Type)]| {
            values.iter().map(|&(bits, ty)| show(bits, ty)).collect::<Vec<_>>().join(", ")
        };
        let _ = write!(self.text, "; run: %{name}({})", list(args));
        let _ = match expect {
            Expect::Gives([one]) => writeln!(self.text, " == {}", list(&[*one])),
            Expect::Gives(values) => writeln!(self.text, " == [{}]", list(values)),
            Expect::Traps(code) => writeln!(self.text, " traps {code}"),
        };
    }

    /// The whole file.
    pub fn text(&self) -> &str {
        &self.text
    }
}

fn show(bits: u128, ty: Type) -> String {
    DataValue::from_bits(bits & mask(ty.bits()), ty).map_or(String::new(), |value| value.to_string())
}

/// `w` ones.
pub fn mask(w: u32) -> u128 {
    u128::MAX >> (128 - w)
}

/// The low `w` bits of `x` as a signed number.
pub fn signed(x: u128, w: u32) -> i128 {
    (x << (128 - w)) as i128 >> (128 - w)
}

/// Numbers of `w` bits at which something changes.
pub fn corners(w: u32) -> Vec<u128> {
    let m = mask(w);
    let top = 1u128 << (w - 1);
    let mut out =
        vec![0, 1, 2, m, m - 1, top, top - 1, top + 1, m / 3, m / 3 * 2, 100, 0x0f & m, m << (w / 2) & m];
    out.dedup();
    out
}

/// Pairs of them.
pub fn pairs(w: u32) -> Vec<(u128, u128)> {
    let (m, top) = (mask(w), 1u128 << (w - 1));
    vec![
        (0, 0),
        (0, 1),
        (1, 0),
        (1, 1),
        (m, 1),
        (1, m),
        (m, m),
        (top - 1, 1),
        (top, 1),
        (top, m),
        (top - 1, top - 1),
        (top, top),
        (top - 1, top),
        (m / 3, m / 3 * 2),
        (100, 7),
        (m - 99, 7),
        (1 << (w / 2), 1 << (w / 2)),
        (top, 2),
    ]
}
