//! The Rust text of a table: the instruction type and all that belongs to it.
//!
//! Rows whose variants have the same fields and the same treatment share one
//! match arm, which keeps the text, and the time to compile it, small.

use super::variant_fields;
use crate::spec::{Access, Constraint, Effect, Field, InstDef, Named, OperandKind, Table, gather, tied_name};
use std::collections::BTreeMap;
use std::fmt::Write;

pub(super) fn text(table: &Table) -> String {
    let wide = table.insts.iter().any(|i| i.size == 8);
    let mut out = String::from("// Generated from the instruction table.\n\n");
    let _ = writeln!(
        out,
        "/// An instruction word{}.\npub type Word = {};\n",
        if wide { ", a prefix in its upper half" } else { "" },
        if wide { "u64" } else { "u32" },
    );
    bit_set(&mut out, "Features", "Processor features.", "u32", &table.features);
    out.push_str(FEATURE_SET);
    bit_set(&mut out, "Flags", "Groups of flags outside the register file.", "u8", &table.flags);
    type_text(&mut out, table);
    info_text(&mut out, table);
    visit_text(&mut out, table);
    encode_text(&mut out, table);
    decode_text(&mut out, table);
    display_text(&mut out, table);
    out
}

/// What the settings of every target do with its features.
const FEATURE_SET: &str = "
impl encode::FeatureSet for Features {
    const NAMES: &'static [(&'static str, Features)] = Features::NAMES;
    fn union(self, other: Features) -> Features {
        self.union(other)
    }
    fn without(self, other: Features) -> Features {
        self.without(other)
    }
    fn contains(self, other: Features) -> bool {
        self.contains(other)
    }
}
";

fn bit_set(out: &mut String, ty: &str, doc: &str, repr: &str, names: &[Named]) {
    let mut consts = String::new();
    let mut list = String::new();
    for (n, named) in names.iter().enumerate() {
        let upper = named.name.to_ascii_uppercase();
        let _ = writeln!(consts, "    /// {}.\n    pub const {upper}: {ty} = {ty}(1 << {n});", named.meaning);
        let _ = write!(list, "(\"{}\", {ty}::{upper}), ", named.name);
    }
    let _ = writeln!(
        out,
        "/// {doc} A set.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct {ty}({repr});

impl {ty} {{
    /// The empty set.
    pub const NONE: {ty} = {ty}(0);
{consts}    /// Every name with its set of one.
    pub const NAMES: &'static [(&'static str, {ty})] = &[{list}];

    /// What is in either set.
    pub const fn union(self, other: {ty}) -> {ty} {{
        {ty}(self.0 | other.0)
    }}

    /// What is in this set and not in the other.
    pub const fn without(self, other: {ty}) -> {ty} {{
        {ty}(self.0 & !other.0)
    }}

    /// Is all of `other` in this set?
    pub const fn contains(self, other: {ty}) -> bool {{
        self.0 & other.0 == other.0
    }}

    /// Have the sets something in common?
    pub const fn intersects(self, other: {ty}) -> bool {{
        self.0 & other.0 != 0
    }}

    /// Is the set empty?
    pub const fn is_empty(self) -> bool {{
        self.0 == 0
    }}

    /// The names in the set, in the table's order.
    pub fn names(self) -> impl Iterator<Item = &'static str> {{
        Self::NAMES.iter().filter(move |n| self.contains(n.1)).map(|n| n.0)
    }}
}}
"
    );
}

fn type_text(out: &mut String, table: &Table) {
    let _ = writeln!(
        out,
        "/// A machine instruction: one variant a row of the table.\n\
         #[derive(Clone, Debug, PartialEq)]\npub enum Inst {{"
    );
    for i in &table.insts {
        let _ = writeln!(out, "    /// `{}` (section {}).", i.asm, i.section);
        let fields = variant_fields(i);
        if fields.is_empty() {
            let _ = writeln!(out, "    {},", i.name);
            continue;
        }
        let _ = writeln!(out, "    {} {{", i.name);
        for f in fields {
            let doc = match f.class {
                None => "Immediate".to_string(),
                Some(c) if f.written => format!("Result, class {c}"),
                Some(c) => format!("Operand, class {c}"),
            };
            let _ = writeln!(out, "        /// {doc}.\n        {}: {},", f.name, f.ty);
        }
        out.push_str("    },\n");
    }
    let _ = writeln!(
        out,
        "}}\n\n/// The instruction type under its ISLE name.\npub type {} = Inst;\n",
        table.inst_type
    );
}

fn set_text(ty: &str, names: &[&'static str]) -> String {
    names.iter().fold(format!("{ty}::NONE"), |s, n| format!("{s}.union({ty}::{})", n.to_ascii_uppercase()))
}

fn effect_text(e: Effect) -> String {
    format!("::windlass_rules::spec::Effect::{e:?}")
}

fn info_text(out: &mut String, table: &Table) {
    out.push_str(
        "/// Facts of a row that hold for every instance.
#[derive(Clone, Copy, Debug)]
pub struct InstInfo {
    /// The variant's name.
    pub name: &'static str,
    /// Section of the architecture manual.
    pub section: &'static str,
    /// What the processor must have.
    pub requires: Features,
    /// Flags that the instruction reads.
    pub reads: Flags,
    /// Flags that the instruction sets.
    pub sets: Flags,
    /// What it does besides registers and flags.
    pub effect: ::windlass_rules::spec::Effect,
    /// Length in bytes.
    pub size: u8,
}

",
    );
    let _ = writeln!(out, "static INFO: [InstInfo; {}] = [", table.insts.len());
    for i in &table.insts {
        let _ = writeln!(
            out,
            "    InstInfo {{ name: {:?}, section: {:?}, requires: {}, reads: {}, sets: {}, effect: {}, size: {} }},",
            i.name,
            i.section,
            set_text("Features", &i.requires),
            set_text("Flags", &i.reads),
            set_text("Flags", &i.sets),
            effect_text(i.effect),
            i.size,
        );
    }
    out.push_str("];\n\n");
    let _ = writeln!(
        out,
        "impl Inst {{
    /// Number of rows in the table.
    pub const ROWS: usize = {};

    /// Number of the instruction's row in the table, from 0.
    pub fn row(&self) -> usize {{
        match self {{",
        table.insts.len()
    );
    for (n, i) in table.insts.iter().enumerate() {
        let _ = writeln!(out, "            Inst::{} {{ .. }} => {n},", i.name);
    }
    out.push_str(
        "        }
    }

    /// The facts of a row, if there are so many rows.
    pub fn row_info(row: usize) -> Option<&'static InstInfo> {
        INFO.get(row)
    }

    /// The facts of the instruction's row.
    pub fn info(&self) -> &'static InstInfo {
        &INFO[self.row()]
    }

    /// The variant's name.
    pub fn name(&self) -> &'static str {
        self.info().name
    }

    /// What the processor must have.
    pub fn requires(&self) -> Features {
        self.info().requires
    }

    /// Flags that the instruction reads.
    pub fn reads_flags(&self) -> Flags {
        self.info().reads
    }

    /// Flags that the instruction sets.
    pub fn sets_flags(&self) -> Flags {
        self.info().sets
    }

    /// What it does besides registers and flags.
    pub fn effect(&self) -> ::windlass_rules::spec::Effect {
        self.info().effect
    }

    /// Length in bytes.
    pub fn size(&self) -> u8 {
        self.info().size
    }
}

",
    );
}

/// Match arms grouped by bindings and body, in order of first appearance.
#[derive(Default)]
struct Arms {
    order: Vec<(String, Vec<String>)>,
    index: BTreeMap<String, usize>,
}

impl Arms {
    /// `bind` are the fields to bind, with the types that must agree for two
    /// variants to share an arm.
    fn add(&mut self, variant: &str, bind: &[(String, &str)], body: String) {
        let names: Vec<_> = bind.iter().map(|b| b.0.as_str()).collect();
        let pattern = format!(
            "Inst::{variant} {{ {}{}.. }}",
            names.join(", "),
            if names.is_empty() { "" } else { ", " }
        );
        let key = format!("{bind:?}{body}");
        let at = *self.index.entry(key).or_insert_with(|| {
            self.order.push((body, Vec::new()));
            self.order.len() - 1
        });
        self.order[at].1.push(pattern);
    }

    fn write(&self, out: &mut String) {
        for (body, patterns) in &self.order {
            let _ = writeln!(out, "            {} => {body}", patterns.join("\n            | "));
        }
    }
}

fn visit_text(out: &mut String, table: &Table) {
    out.push_str(
        "impl Inst {
    /// Shows every register operand to the visitor, which may replace it: tied
    /// reads first, then the other reads, then the writes.
    pub fn visit_operands(&mut self, v: &mut impl OperandVisitor) {
        match self {
",
    );
    let mut arms = Arms::default();
    for i in &table.insts {
        let (mut tied, mut uses, mut defs) = (String::new(), String::new(), String::new());
        let mut ties = 0;
        for o in &i.operands {
            let OperandKind::Reg { access, .. } = o.kind else { continue };
            let n = o.name;
            let fixed = |p: u8| format!("PReg::new({p})");
            match access {
                Access::Use => uses += &format!("v.reg_use({n}); "),
                Access::LateUse => uses += &format!("v.reg_late_use({n}); "),
                Access::Def => defs += &format!("v.reg_def({n}); "),
                Access::EarlyDef => defs += &format!("v.reg_early_def({n}); "),
                Access::FixedUse(p) => uses += &format!("v.reg_fixed_use({n}, {}); ", fixed(p)),
                Access::FixedDef(p) => defs += &format!("v.reg_fixed_def({n}, {}); ", fixed(p)),
                Access::PairUse { hi } => uses += &format!("v.pair_use({n}, {hi}); "),
                Access::PairDef { hi } => defs += &format!("v.pair_def({n}, {hi}); "),
                Access::Tied => {
                    tied += &format!("v.reg_use({}); ", tied_name(n));
                    defs += &format!("v.reg_reuse_def({n}, {ties}); ");
                    ties += 1;
                }
            }
        }
        let bind: Vec<_> =
            variant_fields(i).into_iter().filter(|f| f.class.is_some()).map(|f| (f.name, f.ty)).collect();
        arms.add(&i.name, &bind, format!("{{ {tied}{uses}{defs}}}"));
    }
    arms.write(out);
    out.push_str("        }\n    }\n}\n\n");
}

/// The expression that puts the number `value` into `fields`.
fn scatter_expr(value: &str, fields: &[Field]) -> String {
    let mut taken = 0;
    let mut parts = Vec::new();
    for f in fields {
        let ones = (1u64 << f.width) - 1;
        parts.push(format!("(((Word::from({value}) >> {taken}) & {ones:#x}) << {})", f.lsb));
        taken += f.width;
    }
    parts.join(" | ")
}

/// The expression that collects `fields` of `word`: of type `u32`, or `u64` if
/// there are more than 32 bits.
fn gather_expr(fields: &[Field]) -> String {
    let width: u32 = fields.iter().map(|f| u32::from(f.width)).sum();
    let ty = if width > 32 { "u64" } else { "u32" };
    let mut taken = 0;
    let mut parts = Vec::new();
    for f in fields {
        let ones = (1u64 << f.width) - 1;
        parts.push(format!("((((word >> {}) & {ones:#x}) as {ty}) << {taken})", f.lsb));
        taken += f.width;
    }
    parts.join(" | ")
}

/// `first, count, except` of a register operand as arguments.
fn class_args(table: &Table, class: &str, except: u64) -> String {
    let (first, count) = table.class(class).map_or((0, 0), |c| (c.first, c.count));
    format!("{first}, {count}, {except:#x}")
}

/// The expression that reads a register field of a variant as `Reg`.
fn as_reg(inst: &InstDef, name: &str) -> String {
    match variant_fields(inst).iter().any(|f| f.name == name && f.written) {
        true => format!("{name}.to_reg()"),
        false => name.to_string(),
    }
}

fn encode_text(out: &mut String, table: &Table) {
    let list = |value: fn(&InstDef) -> u64| {
        let all: Vec<_> = table.insts.iter().map(|i| format!("{:#010x}", value(i))).collect();
        all.join(", ")
    };
    let wide = table.insts.iter().any(|i| i.size == 8);
    let mask: fn(&InstDef) -> u64 = match wide {
        true => InstDef::mask,
        false => |i| i.mask() & 0xffff_ffff,
    };
    let _ = writeln!(
        out,
        "/// Fixed bits of each row.\nstatic BITS: [Word; {0}] = [{1}];\n\
         /// Which bits are fixed.\nstatic MASK: [Word; {0}] = [{2}];\n",
        table.insts.len(),
        list(|i| i.bits),
        list(mask),
    );
    out.push_str(
        "impl Inst {
    /// The instruction's word. Every register must be physical.
    ///
    /// # Errors
    ///
    /// Names the operand whose register is virtual, of another class, not
    /// allowed there, or at odds with another operand.
    pub fn encode(&self) -> Result<Word, EncodeError> {
        match self.operand_bits() {
            Ok(bits) => Ok(BITS[self.row()] | bits),
            Err((operand, fault)) => Err(EncodeError { inst: self.name(), operand, fault }),
        }
    }

    fn operand_bits(&self) -> Result<Word, (&'static str, OperandFault)> {
        match *self {
",
    );
    let mut arms = Arms::default();
    for i in &table.insts {
        let mut body = String::from("{ ");
        let mut words = Vec::new();
        for o in &i.operands {
            let n = o.name;
            match o.kind {
                OperandKind::Imm { .. } => {
                    words.push(scatter_expr(&format!("{n}.to_bits()"), o.fields));
                }
                OperandKind::Reg { class, access, except } => {
                    let args = class_args(table, class, except);
                    let reg = as_reg(i, n);
                    let number = match access {
                        Access::PairUse { hi } | Access::PairDef { hi } => {
                            format!("encode::pair_number({n:?}, {reg}, {}, {args})?", as_reg(i, hi))
                        }
                        _ => format!("encode::number({n:?}, {reg}, {args})?"),
                    };
                    let _ = write!(body, "let n_{n} = {number}; ");
                    match access {
                        Access::Tied => body += &format!("encode::tied({n:?}, {reg}, {n}_in)?; "),
                        Access::FixedUse(p) | Access::FixedDef(p) => {
                            body += &format!("encode::tied({n:?}, {reg}, Reg::from_preg(PReg::new({p})))?; ");
                        }
                        _ => {}
                    }
                    if o.fields.is_empty() {
                        let _ = write!(body, "let _ = n_{n}; ");
                    } else {
                        words.push(scatter_expr(&format!("n_{n}"), o.fields));
                    }
                }
            }
        }
        for c in &i.constraints {
            let _ = match c {
                Constraint::Distinct(a, b) => {
                    write!(body, "encode::distinct({a:?}, {}, {})?; ", as_reg(i, a), as_reg(i, b))
                }
                Constraint::Outside { reg, list } => {
                    write!(body, "encode::outside({reg:?}, {list}.contains_number(n_{reg}))?; ")
                }
            };
        }
        if words.is_empty() {
            words.push("0".into());
        }
        let _ = write!(body, "Ok({}) }}", words.join(" | "));
        let bind: Vec<_> = variant_fields(i).into_iter().map(|f| (f.name, f.ty)).collect();
        arms.add(&i.name, &bind, body);
    }
    arms.write(out);
    out.push_str("        }\n    }\n}\n\n");
}

fn decode_text(out: &mut String, table: &Table) {
    // Rows by decode key, most fixed bits first, then in the table's order.
    let key_bits: u32 = table.decode_key.iter().map(|f| u32::from(f.width)).sum();
    let key_mask = table.decode_key.iter().fold(0, |m, f| m | f.mask());
    let mut order: Vec<usize> = (0..table.insts.len()).filter(|&n| !table.insts[n].alias).collect();
    order.sort_by_key(|&n| (std::cmp::Reverse(table.insts[n].mask().count_ones()), n));
    let (mut starts, mut rows) = (vec![0], Vec::new());
    for key in 0..1u64 << key_bits {
        rows.extend(order.iter().copied().filter(|&n| {
            let i = &table.insts[n];
            let fixed = gather(i.mask() & key_mask, &table.decode_key);
            gather(i.bits, &table.decode_key) & fixed == key & fixed
        }));
        starts.push(rows.len());
    }
    let _ = writeln!(
        out,
        "/// The rows that may match, by the word's decode key: row numbers, and where\n\
         /// each key's begin.\nstatic KEY_ROWS: [u16; {}] = {rows:?};\n\
         static KEY_START: [u32; {}] = {starts:?};\n",
        rows.len(),
        starts.len(),
    );
    let _ = writeln!(
        out,
        "impl Inst {{
    /// The instruction with this encoding, or `None` if the table has none.
    pub fn decode(word: Word) -> Option<Inst> {{
        let key = ({}) as usize;
        let rows = &KEY_ROWS[KEY_START[key] as usize..KEY_START[key + 1] as usize];
        rows.iter().find_map(|&row| Inst::decode_row(row.into(), word))
    }}

    /// The word as an instruction of the row with this number, if it is one.
    /// Sees the rows that `decode` does not: aliases, and general forms of
    /// words that have a special one.
    pub fn decode_row(row: usize, word: Word) -> Option<Inst> {{
        if row >= Self::ROWS || word & MASK[row] != BITS[row] {{
            return None;
        }}
        match row {{",
        gather_expr(&table.decode_key),
    );
    for (n, i) in table.insts.iter().enumerate() {
        let _ = write!(out, "            {n} => {{ ");
        let mut values = Vec::new();
        for o in &i.operands {
            let name = o.name;
            let number = gather_expr(o.fields);
            match o.kind {
                OperandKind::Imm { ty } => {
                    let _ = write!(out, "let {name} = {ty}::from_bits({number})?; ");
                    values.push(name.to_string());
                }
                OperandKind::Reg { class, access, except } => {
                    let args = class_args(table, class, except);
                    *out += &match access {
                        Access::FixedUse(p) | Access::FixedDef(p) => {
                            format!("let {name} = Reg::from_preg(PReg::new({p})); ")
                        }
                        Access::PairUse { hi } | Access::PairDef { hi } => {
                            format!("let ({name}, {hi}) = encode::pair_register({number}, {args})?; ")
                        }
                        _ => format!("let {name} = encode::register({number}, {args})?; "),
                    };
                    let def = |n: &str| format!("{n}: Writable::from_reg({n})");
                    match access {
                        Access::Use | Access::LateUse | Access::FixedUse(_) => {
                            values.push(name.to_string());
                        }
                        Access::Def | Access::EarlyDef | Access::FixedDef(_) => {
                            values.push(def(name));
                        }
                        Access::Tied => {
                            values.push(def(name));
                            values.push(format!("{}: {name}", tied_name(name)));
                        }
                        Access::PairUse { hi } => {
                            values.push(name.to_string());
                            values.push(hi.to_string());
                        }
                        Access::PairDef { hi } => {
                            values.push(def(name));
                            values.push(def(hi));
                        }
                    }
                }
            }
        }
        for c in &i.constraints {
            let _ = match c {
                Constraint::Distinct(a, b) => write!(out, "if {a} == {b} {{ return None; }} "),
                Constraint::Outside { reg, list } => {
                    let number = i.operand(reg).map_or("0".into(), |o| gather_expr(o.fields));
                    write!(out, "if {list}.contains_number({number}) {{ return None; }} ")
                }
            };
        }
        let _ = writeln!(out, "Some(Inst::{} {{ {} }}) }}", i.name, values.join(", "));
    }
    out.push_str("            _ => None,\n        }\n    }\n}\n\n");
}

fn display_text(out: &mut String, table: &Table) {
    out.push_str(
        "impl core::fmt::Display for Inst {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match *self {
",
    );
    for i in &table.insts {
        let printed = crate::spec::placeholders(&i.asm);
        let fields = variant_fields(i);
        let bind: Vec<_> = fields.iter().filter(|f| printed.contains(&f.name.as_str())).collect();
        let names: String = bind.iter().map(|f| format!("{}, ", f.name)).collect();
        let args: String = bind
            .iter()
            .map(|f| match (f.class, f.written) {
                (None, _) => String::new(),
                (Some(_), true) => format!(", {0} = encode::AsmReg({0}.to_reg(), reg_name)", f.name),
                (Some(_), false) => format!(", {0} = encode::AsmReg({0}, reg_name)", f.name),
            })
            .collect();
        let _ =
            writeln!(out, "            Inst::{} {{ {names}.. }} => write!(f, {:?}{args}),", i.name, i.asm);
    }
    out.push_str("        }\n    }\n}\n");
}
