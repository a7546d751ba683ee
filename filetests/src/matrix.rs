//! What each target supports: opcode × type × target, asked of the targets themselves.
//!
//! In: targets. Out: a [`Matrix`]. Nothing is listed by hand: for each row of the opcode table and each scalar
//! controlling type that fits it there are functions of that one instruction, with every combination of operand
//! types, condition, byte order and way to combine, and each target is asked to compile them. A cell counts as
//! supported only if all of them compile, and as what the most expensive of them is.
//!
//! Cost: about four thousand small functions a target.

use serde_json::json;
use std::collections::BTreeSet;
use std::fmt::{self, Write};
use windlass::builtins::library;
use windlass::{CompileError, Context, SettingError, Target};
use windlass_ir::opcode::{Ctrl, Format, OpcodeDef, TABLE, Ty, TypeSet};
use windlass_ir::types::{self, Type};
use windlass_ir::{AtomicRmwOp, ExternalName, FloatCC, IntCC, Opcode};

/// The types of the columns; what has no controlling type has a column of its own before them.
pub const SCALARS: [Type; 7] =
    [types::I8, types::I16, types::I32, types::I64, types::I128, types::F32, types::F64];

/// How a target does something, the cheapest first.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Support {
    /// There is no such thing on the machine: addresses of the other width.
    Absent,
    /// Rules of the target's own select it.
    Rule,
    /// Rules that all targets share express it in what the target has.
    Expanded,
    /// The run-time library is called.
    Library,
    /// It is refused, for this reason.
    Refused(String),
}

impl Support {
    /// The letter of the table.
    pub const fn letter(&self) -> char {
        match self {
            Support::Absent => '.',
            Support::Rule => 'r',
            Support::Expanded => 'e',
            Support::Library => 'l',
            Support::Refused(_) => '-',
        }
    }

    /// In a word.
    pub const fn name(&self) -> &'static str {
        match self {
            Support::Absent => "absent",
            Support::Rule => "rule",
            Support::Expanded => "expanded",
            Support::Library => "library",
            Support::Refused(_) => "refused",
        }
    }

    /// Can programs use it?
    pub const fn is_there(&self) -> bool {
        matches!(self, Support::Rule | Support::Expanded | Support::Library)
    }
}

/// An opcode at a controlling type.
#[derive(Clone, Debug)]
pub struct Cell {
    /// The opcode.
    pub opcode: Opcode,
    /// The controlling type; invalid if there is none.
    pub ty: Type,
    /// For each target of the matrix.
    pub support: Vec<Support>,
}

impl Cell {
    /// `iadd.i32`, or the opcode alone.
    pub fn name(&self) -> String {
        if self.ty.is_invalid() { self.opcode.to_string() } else { format!("{}.{}", self.opcode, self.ty) }
    }
}

/// Opcode × type × target.
#[derive(Clone, Debug)]
pub struct Matrix {
    /// Names of the targets.
    pub targets: Vec<&'static str>,
    /// The scalar cells, by opcode in the order of the table, and by type.
    pub cells: Vec<Cell>,
}

impl Matrix {
    /// Asks targets: names or triples with feature words.
    ///
    /// # Errors
    /// There is no such target.
    pub fn of(specs: &[&str]) -> Result<Matrix, SettingError> {
        let mut targets = Vec::new();
        let mut probes = Vec::new();
        for spec in specs {
            let target = crate::targets::build(spec, &[])?;
            targets.push(target.name());
            // The embedder's register and thread-local data are there if settings ask for them.
            let asked = [("enable_pinned_reg".into(), None), ("tls_model".into(), Some("elf_le".into()))];
            let asked = crate::targets::build(spec, &asked)?;
            probes.push((Probe::new(target), Probe::new(asked)));
        }
        let mut cells = Vec::new();
        for def in TABLE {
            for ty in std::iter::once(Type::INVALID).chain(SCALARS) {
                if !has_cell(def, ty) {
                    continue;
                }
                let by_setting =
                    matches!(def.opcode, Opcode::GetPinnedReg | Opcode::SetPinnedReg | Opcode::TlsValue);
                let support = probes
                    .iter_mut()
                    .map(|(plain, asked)| if by_setting { asked } else { plain }.cell(def, ty))
                    .collect();
                cells.push(Cell { opcode: def.opcode, ty, support });
            }
        }
        // Types that no machine built in has scalars of.
        cells.retain(|cell| cell.support.iter().any(|support| *support != Support::Absent));
        Ok(Matrix { targets, cells })
    }

    /// The targets built in.
    ///
    /// # Errors
    /// A target does not build with its own defaults: a bug.
    pub fn of_all() -> Result<Matrix, SettingError> {
        let names: Vec<_> = windlass::target::TARGETS.iter().map(|entry| entry.name).collect();
        Matrix::of(&names)
    }

    /// A line for each opcode, a column for each type: one letter if the targets agree, else one for each.
    fn rows(&self) -> Vec<[String; 9]> {
        let mut rows: Vec<[String; 9]> = Vec::new();
        for cell in &self.cells {
            let name = cell.opcode.to_string();
            if rows.last().is_none_or(|row| row[0] != name) {
                let mut row: [String; 9] = Default::default();
                row[0] = name;
                rows.push(row);
            }
            let letters: String = cell.support.iter().map(Support::letter).collect();
            let kinds: BTreeSet<char> = letters.chars().filter(|&c| c != '.').collect();
            let column = SCALARS.iter().position(|&ty| ty == cell.ty).map_or(1, |n| n + 2);
            if let Some(row) = rows.last_mut() {
                row[column] = match (kinds.len(), kinds.first()) {
                    (1, Some(kind)) => kind.to_string(),
                    _ => letters,
                };
            }
        }
        rows
    }

    fn headings() -> [String; 9] {
        let mut headings: [String; 9] = Default::default();
        headings[0] = "opcode".into();
        headings[1] = "no type".into();
        for (heading, ty) in headings[2..].iter_mut().zip(SCALARS) {
            *heading = ty.to_string();
        }
        headings
    }

    /// Names of opcodes that have no scalar cell: those of vectors and of floats of 16 and 128 bits.
    pub fn without_scalars(&self) -> Vec<&'static str> {
        let there: BTreeSet<_> = self.cells.iter().map(|cell| cell.opcode).collect();
        TABLE.iter().filter(|def| !there.contains(&def.opcode)).map(|def| def.name).collect()
    }

    /// What is refused somewhere: the cell, the targets, the first reason.
    pub fn refused(&self) -> Vec<(String, Vec<&'static str>, &str)> {
        let mut out = Vec::new();
        for cell in &self.cells {
            let mut names = Vec::new();
            let mut first = None;
            for (support, name) in cell.support.iter().zip(&self.targets) {
                if let Support::Refused(reason) = support {
                    names.push(*name);
                    first.get_or_insert(reason.as_str());
                }
            }
            if let Some(reason) = first {
                out.push((cell.name(), names, reason));
            }
        }
        out
    }

    /// For people at a terminal.
    pub fn text(&self) -> String {
        let mut rows = vec![Matrix::headings()];
        rows.extend(self.rows());
        let width = |column: usize| rows.iter().map(|row| row[column].len()).max().unwrap_or(0);
        let widths: Vec<usize> = (0..9).map(width).collect();
        let mut out = format!("targets: {}\n{LEGEND}\n\n", self.targets.join(" "));
        for row in &rows {
            let line: String =
                row.iter().zip(&widths).map(|(text, &width)| format!("{text:<width$}  ")).collect();
            out.push_str(line.trim_end());
            out.push('\n');
        }
        out
    }

    /// For the page of the documentation.
    pub fn markdown(&self) -> String {
        let mut out = String::from(PAGE_HEAD);
        // Writing to a string cannot fail.
        let _ = writeln!(out, "Targets, in the order of the letters: `{}`.\n", self.targets.join("` `"));
        let _ = writeln!(out, "| {} |", Matrix::headings().join(" | "));
        let _ = writeln!(out, "|---{}|", "|:-:".repeat(8));
        for mut row in self.rows() {
            row[0] = format!("`{}`", row[0]);
            let _ = writeln!(out, "| {} |", row.join(" | "));
        }
        let _ = writeln!(out, "\n## Refused\n");
        let refused = self.refused();
        if refused.is_empty() {
            let _ = writeln!(out, "No scalar cell is refused.");
        }
        for (cell, targets, reason) in refused {
            let everywhere = targets.len() == self.targets.len();
            let targets = if everywhere { "every target".to_owned() } else { targets.join(", ") };
            let _ = writeln!(out, "- `{cell}` on {targets}: {reason}");
        }
        let _ = writeln!(
            out,
            "\nVectors and floats of 16 and 128 bits are read, verified and refused by name on every target. Opcodes that have \
             no other types: {}.",
            self.without_scalars().iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ")
        );
        out
    }

    /// For tools: `{"targets": […], "cells": [{"opcode", "type", "support": {target: kind}}]}`. The type of a cell
    /// without one is null; what a machine does not have is left out.
    pub fn json(&self) -> String {
        let cells: Vec<_> = self
            .cells
            .iter()
            .map(|cell| {
                let there = cell.support.iter().zip(&self.targets).filter(|(s, _)| **s != Support::Absent);
                let support: serde_json::Map<_, _> =
                    there.map(|(support, name)| ((*name).to_owned(), json!(support.name()))).collect();
                let ty = (!cell.ty.is_invalid()).then(|| cell.ty.to_string());
                json!({ "opcode": cell.opcode.to_string(), "type": ty, "support": support })
            })
            .collect();
        format!("{:#}\n", json!({ "targets": self.targets, "cells": cells }))
    }
}

impl fmt::Display for Matrix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text())
    }
}

const LEGEND: &str = "r: a rule of the target's own; e: expressed in what the target has; l: a call of the run-time library; \
                      -: refused; one letter where the targets agree, else one for each, '.' for one without such addresses";

const PAGE_HEAD: &str = "# What each target supports

Every opcode at every scalar type, on every target. The targets say so themselves: this page is the output of
`windlass targets --matrix --format markdown`, written by `WINDLASS_BLESS=1 cargo test -p windlass-filetests --test opcode_matrix`,
and that test fails if it differs. A cell that says yes has `; run:` lines in `filetests/tests/matrix/` that every such target
runs under its emulator.

| letter | meaning |
|---|---|
| `r` | a rule of the target's own selects it |
| `e` | rules that all targets share express it in what the target has |
| `l` | the run-time library is called |
| `-` | refused, by name |
| `.` | not of this machine: addresses of the other width |

One letter where the targets agree, else one for each. The type is the controlling type: that of the result for conversions,
of the operands for comparisons. A cell counts as the most expensive of its kinds: operand types, conditions, byte orders.

";

/// Does the table have a scalar cell here?
fn has_cell(def: &OpcodeDef, ctrl: Type) -> bool {
    match def.ctrl.types() {
        None => ctrl.is_invalid(),
        Some(set) => !ctrl.is_invalid() && set.contains(ctrl),
    }
}

/// Asks one target.
struct Probe {
    target: Box<dyn Target>,
    /// Functions of the run-time library.
    support: BTreeSet<ExternalName>,
    cx: Context,
}

impl Probe {
    fn new(target: Box<dyn Target>) -> Probe {
        let support = library(&*target).unwrap_or_default().into_iter().map(|func| func.name).collect();
        Probe { target, support, cx: Context::new() }
    }

    /// The most expensive of the cell's functions.
    fn cell(&mut self, def: &OpcodeDef, ctrl: Type) -> Support {
        let address = self.target.address_type();
        examples(def, ctrl, address).iter().map(|text| self.ask(text)).max().unwrap_or(Support::Absent)
    }

    fn ask(&mut self, text: &str) -> Support {
        let func = match windlass_ir::text::parse_function(text) {
            Ok(func) => func,
            Err(error) => return Support::Refused(format!("its example does not parse: {error}")),
        };
        let code = match self.target.compile(&func, &mut self.cx) {
            Ok(code) => code,
            Err(CompileError::Unsupported { what, .. }) => return Support::Refused(what),
            Err(error) => return Support::Refused(error.to_string()),
        };
        let own = |name: &ExternalName| func.dfg.ext_funcs.values().any(|callee| callee.name == *name);
        if code.relocs.iter().any(|reloc| self.support.contains(&reloc.symbol) && !own(&reloc.symbol)) {
            return Support::Library;
        }
        match self.target.legalize(&func, &mut self.cx) {
            Ok(None) => Support::Rule,
            _ => Support::Expanded,
        }
    }
}

/// Functions of the opcode at the controlling type, in every way that is scalar; none if there is no such thing where
/// addresses have type `address`.
fn examples(def: &OpcodeDef, ctrl: Type, address: Type) -> Vec<String> {
    if matches!(def.ctrl.types(), Some(TypeSet::Addr)) && ctrl != address {
        return Vec::new();
    }
    let results: Option<Vec<Type>> = def.results.iter().map(|ty| ty.resolve(ctrl)).collect();
    let Some(results) = results.filter(|results| results.iter().all(|ty| SCALARS.contains(ty))) else {
        return Vec::new();
    };
    let mut lists: Vec<Vec<Type>> = vec![Vec::new()];
    for (i, &arg) in def.args.iter().enumerate() {
        let forced = matches!(def.ctrl, Ctrl::Operand(n, _) if usize::from(n) == i);
        let fits = |ty: Type| match arg {
            _ if forced => ty == ctrl,
            Ty::Any(TypeSet::Addr) => ty == address,
            _ => arg.accepts(ctrl, ty),
        };
        lists = lists
            .iter()
            .flat_map(|list| {
                SCALARS.iter().filter(|&&ty| fits(ty)).map(move |&ty| [list.as_slice(), &[ty]].concat())
            })
            .collect();
    }
    let operands = operands(def);
    lists
        .iter()
        .flat_map(|args| operands.iter().map(|text| example(def, ctrl, args, &results, text)))
        .collect()
}

/// What may stand behind the opcode; values are `v0`, `v1`, ….
fn operands(def: &OpcodeDef) -> Vec<String> {
    let all = (0..def.args.len()).map(|i| format!("v{i}")).collect::<Vec<_>>().join(", ");
    let orders = ["", " little", " big", " aligned", " notrap aligned"];
    let one = |text: &str| vec![text.to_owned()];
    match def.format {
        Format::Nullary | Format::MultiAry => one(""),
        Format::Unary | Format::Binary | Format::Ternary => vec![format!(" {all}")],
        Format::UnaryImm => vec![" -5".into(), " 0x76".into()],
        Format::UnaryIeee16 => one(" 0x1.200p0"),
        Format::UnaryIeee32 => one(" 0x1.400000p-3"),
        Format::UnaryIeee64 => one(" -0x1.0000000000001p3"),
        Format::UnaryConst => one(" const0"),
        Format::UnaryGlobalValue => one(if def.opcode == Opcode::TlsValue { " gv1" } else { " gv0" }),
        Format::BinaryImm8 | Format::TernaryImm8 => vec![format!(" {all}, 1")],
        Format::Shuffle => vec![format!(" {all}, 0x1f1e1d1c1b1a19181716151413121110")],
        Format::IntCompare => IntCC::ALL.iter().map(|cc| format!(" {cc} {all}")).collect(),
        Format::FloatCompare => FloatCC::ALL.iter().map(|cc| format!(" {cc} {all}")).collect(),
        Format::IntAddTrap => vec![format!(" {all}, user7")],
        Format::Jump => one(" block1"),
        Format::Brif => one(" v0, block1, block2"),
        Format::BranchTable => one(" v0, block1, [block2, block1]"),
        Format::Call => one(" fn0()"),
        Format::CallIndirect => one(" sig0, v0()"),
        Format::TryCall => one(" fn0(), sig0, block1, [ tag7: block2, default: block2 ]"),
        Format::TryCallIndirect => one(" v0(), sig0, block1, [ tag7: block2, default: block2 ]"),
        Format::FuncAddr => one(" fn0"),
        Format::Load | Format::Store => orders.iter().map(|flags| format!("{flags} {all}+12")).collect(),
        Format::LoadNoOffset if def.opcode == Opcode::Bitcast => vec![format!(" {all}")],
        // Atomic accesses are aligned.
        Format::LoadNoOffset | Format::StoreNoOffset | Format::AtomicCas => {
            ["", " little", " big"].iter().map(|order| format!("{order} {all}")).collect()
        }
        Format::StackAddr => vec![" ss0".into(), " ss0+16".into()],
        Format::AtomicRmw => ["", " little", " big"]
            .iter()
            .flat_map(|order| AtomicRmwOp::ALL.iter().map(move |op| (order, op)))
            .map(|(order, op)| format!("{order} {op} {all}"))
            .collect(),
        Format::Trap => one(" int_divz"),
        Format::CondTrap => one(" v0, user250"),
        Format::ExceptionHandlerAddress => one(" block0, 0"),
    }
}

/// The function.
fn example(def: &OpcodeDef, ctrl: Type, args: &[Type], results: &[Type], operands: &str) -> String {
    // Tail calls and exceptions need a convention that has them; the others are done in C's.
    let catches =
        matches!(def.format, Format::TryCall | Format::TryCallIndirect | Format::ExceptionHandlerAddress);
    let tail = if def.opcode.is_call() && def.opcode.is_return() || catches { " tail" } else { "" };
    let list = |types: &[Type]| types.iter().map(Type::to_string).collect::<Vec<_>>().join(", ");
    let params = args.iter().enumerate().map(|(i, ty)| format!("v{i}: {ty}")).collect::<Vec<_>>().join(", ");
    let terminator = def.opcode.is_terminator();
    let results = if terminator || def.opcode.is_call() { &[][..] } else { results };
    let names = (20..20 + results.len()).map(|n| format!("v{n}")).collect::<Vec<_>>().join(", ");
    let head = if results.is_empty() { String::new() } else { format!("{names} = ") };
    let dotted = match def.ctrl {
        Ctrl::Suffix(_) => format!("{}.{ctrl}", def.name),
        _ => def.name.into(),
    };
    let returns = if results.is_empty() { String::new() } else { format!(" -> {}", list(results)) };
    let end = match def.format {
        _ if terminator => "",
        // The block with the handlers.
        Format::ExceptionHandlerAddress => {
            "    v30 = iadd v20, v20\n    try_call fn0(), sig0, block3, [ default: block4 ]\n"
        }
        _ => &format!("    return {names}\n"),
    };
    let own_blocks = match def.format {
        Format::ExceptionHandlerAddress => "block3:\n    return v30\nblock4:\n    return v20\n",
        Format::Jump => "block1:\n    return\n",
        Format::Brif | Format::BranchTable | Format::TryCall | Format::TryCallIndirect => {
            "block1:\n    return\nblock2:\n    return\n"
        }
        _ => "",
    };
    format!(
        "function %probe({}){returns}{tail} {{
    ss0 = explicit_slot 64, align = 16
    gv0 = symbol colocated %x
    gv1 = symbol colocated tls %y
    sig0 = (){tail}
    fn0 = %g sig0
    const0 = 0x000102030405060708090a0b0c0d0e0f
block0({params}):
    {head}{dotted}{operands}
{end}{own_blocks}}}
",
        list(args)
    )
}
