//! The vocabulary of instruction tables.
//!
//! Purpose: one row ([`InstDef`]) says everything that the generators need to
//! know of a machine instruction: fixed bits, operands with their roles and
//! encoding fields, assembly text, the features it needs, the flags it reads
//! and sets. A [`Table`] is the rows of a target with the names they refer to.
//!
//! The words are target neutral. A register operand has a *class*, an
//! encoding number split over any number of bit [`Field`]s (ARM's `Sd` is
//! `Vd:D`, `Dd` is `D:Vd`), and an [`Access`] that the register allocator
//! sees. An immediate operand names a Rust type that cannot hold an invalid
//! value. What cannot be said of one operand alone is a [`Constraint`].
//!
//! The vocabulary depends on nothing but `alloc`, so that the build script and
//! the target's own tests read one and the same table. Rows are made by
//! ordinary functions, so a family of instructions is a function and not
//! copies. [`Table::check`] refuses a table that contradicts itself.

use alloc::collections::BTreeSet;
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

/// Bits `lsb .. lsb + width` of the instruction word; bit 0 is the least
/// significant. (A manual that numbers from the most significant bit wants a
/// named helper in the target's table.)
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Field {
    /// Number of the field's least significant bit.
    pub lsb: u8,
    /// Number of bits.
    pub width: u8,
}

/// A [`Field`] of `width` bits from bit `lsb` upward.
pub const fn field(lsb: u8, width: u8) -> Field {
    Field { lsb, width }
}

impl Field {
    /// The field's bits as a mask over the instruction word.
    pub const fn mask(self) -> u64 {
        ((1u64 << self.width) - 1) << self.lsb
    }
}

/// Puts the low bits of `value` into `fields`, least significant piece first.
pub fn scatter(value: u64, fields: &[Field]) -> u64 {
    let (mut word, mut taken) = (0, 0);
    for f in fields {
        word |= (value >> taken << f.lsb) & f.mask();
        taken += f.width;
    }
    word
}

/// The inverse of [`scatter`]: collects `fields` of `word` into one number.
pub fn gather(word: u64, fields: &[Field]) -> u64 {
    let (mut value, mut taken) = (0, 0);
    for f in fields {
        value |= ((word & f.mask()) >> f.lsb) << taken;
        taken += f.width;
    }
    value
}

/// What an instruction does with a register operand, as the register allocator
/// sees it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// Read before anything is written: a result may reuse the register.
    Use,
    /// Read after results may have been written: no result shares the register.
    LateUse,
    /// Written after all ordinary uses were read.
    Def,
    /// Written before the uses are read: no use shares the register.
    EarlyDef,
    /// Read and written. The generated instruction has two fields: `name`, the
    /// result, and `name_in`, the value on entry, which share one register.
    Tied,
    /// Read from this physical register (an index into the target's registers).
    FixedUse(u8),
    /// Written to this physical register.
    FixedDef(u8),
    /// Reads two registers: an even-numbered one, which is encoded, and its
    /// successor, the field named `hi`.
    PairUse {
        /// Name of the odd register's field.
        hi: &'static str,
    },
    /// Writes an even-numbered register, which is encoded, and its successor.
    PairDef {
        /// Name of the odd register's field.
        hi: &'static str,
    },
}

/// Kind of an operand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OperandKind {
    /// A register.
    Reg {
        /// Name of one of the table's [`Class`]es.
        class: &'static str,
        /// What happens to the register.
        access: Access,
        /// Bit `n` is set if the class's register number `n` may not stand
        /// here (ARM's PC, POWER's "register 0 reads as zero").
        except: u64,
    },
    /// A value known when the instruction is made.
    Imm {
        /// Rust type, with the trait `Immediate` of the machine framework
        /// (`WideImmediate` if it has more than 32 bits), and ISLE primitive
        /// type of the same name.
        ty: &'static str,
    },
}

/// One operand of an instruction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Operand {
    /// Field name in the enum, and placeholder in the assembly text.
    pub name: &'static str,
    /// Register or immediate, and its role.
    pub kind: OperandKind,
    /// Where the operand's number stands in the word, least significant piece
    /// first. Empty for a register that the instruction implies.
    pub fields: &'static [Field],
}

impl Operand {
    /// The operand with these register numbers (a bit set) forbidden as well.
    pub const fn except(mut self, numbers: u64) -> Operand {
        if let OperandKind::Reg { class, access, except } = self.kind {
            self.kind = OperandKind::Reg { class, access, except: except | numbers };
        }
        self
    }

    /// The operand where register number 0 would read as the constant zero
    /// (POWER's `RA|0`): no register operand may have that number. The form
    /// with the constant is a row of its own.
    pub const fn nonzero(self) -> Operand {
        self.except(1)
    }

    /// The register operand with another access.
    pub const fn with_access(mut self, access: Access) -> Operand {
        if let OperandKind::Reg { class, except, .. } = self.kind {
            self.kind = OperandKind::Reg { class, access, except };
        }
        self
    }

    /// The operand under another name.
    pub const fn named(mut self, name: &'static str) -> Operand {
        self.name = name;
        self
    }

    /// Bits of the word that the operand occupies.
    pub fn mask(&self) -> u64 {
        self.fields.iter().fold(0, |m, f| m | f.mask())
    }

    /// Number of bits that encode the operand.
    pub fn width(&self) -> u32 {
        self.fields.iter().map(|f| u32::from(f.width)).sum()
    }

    /// Is this a register that the instruction writes (and perhaps reads)?
    pub fn is_def(&self) -> bool {
        matches!(
            self.kind,
            OperandKind::Reg {
                access: Access::Def
                    | Access::EarlyDef
                    | Access::Tied
                    | Access::FixedDef(_)
                    | Access::PairDef { .. },
                ..
            }
        )
    }
}

/// A register operand of `class`.
pub const fn reg(
    name: &'static str,
    class: &'static str,
    access: Access,
    fields: &'static [Field],
) -> Operand {
    Operand { name, kind: OperandKind::Reg { class, access, except: 0 }, fields }
}

/// An immediate operand of the Rust type `ty`.
pub const fn imm(name: &'static str, ty: &'static str, fields: &'static [Field]) -> Operand {
    Operand { name, kind: OperandKind::Imm { ty }, fields }
}

/// What must hold between operands of one instruction. The encoder refuses,
/// and the decoder does not recognise, a word that breaks it. The allocator
/// does not see constraints: accesses must make sure of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Constraint {
    /// Two register operands are not the same register. The second of a pair
    /// is named by its own field.
    Distinct(&'static str, &'static str),
    /// The register is not in the register list (an immediate with a method
    /// `contains_number(u32) -> bool`).
    Outside {
        /// The register operand.
        reg: &'static str,
        /// The list operand.
        list: &'static str,
    },
}

/// What an instruction does besides computing registers and flags from
/// registers and flags.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Effect {
    /// Nothing.
    #[default]
    None,
    /// Reads memory.
    Load,
    /// Writes memory, or reads and writes it.
    Store,
    /// Orders memory accesses or the instruction stream.
    Barrier,
    /// Transfers control within the function, or returns from it.
    Branch,
    /// Calls.
    Call,
    /// Raises an exception.
    Trap,
    /// Reads or writes system state that the compiler does not model.
    System,
}

/// One machine instruction: a row of the table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InstDef {
    /// Name of the enum's variant. The ISLE constructor is the table's prefix
    /// and this name in snake case.
    pub name: String,
    /// The word with every operand field zero. Bits outside the operand fields
    /// are fixed.
    pub bits: u64,
    /// Length in bytes: 4, or 8 (a prefix in the upper half of `bits`).
    pub size: u8,
    /// Operands, results first, in the order of the enum's fields.
    pub operands: Vec<Operand>,
    /// Assembly text with operand names in braces. `{name:#}` asks for an
    /// immediate's alternate form; `{{` stands for a brace.
    pub asm: String,
    /// Section of the architecture manual that defines the instruction.
    pub section: &'static str,
    /// Names of the table's features that a processor must have, all of them.
    pub requires: Vec<&'static str>,
    /// Names of the table's flag groups that the instruction reads.
    pub reads: Vec<&'static str>,
    /// Names of the table's flag groups that the instruction sets.
    pub sets: Vec<&'static str>,
    /// Effect besides registers and flags.
    pub effect: Effect,
    /// What must hold between operands.
    pub constraints: Vec<Constraint>,
    /// The row encodes as another row does and differs only in what the
    /// allocator or the feature check sees: the decoder yields the other.
    pub alias: bool,
}

/// A row with no features, flags, effects or constraints; the methods of
/// [`InstDef`] add those.
pub fn inst(
    name: impl Into<String>,
    bits: u32,
    operands: &[Operand],
    asm: impl Into<String>,
    section: &'static str,
) -> InstDef {
    InstDef {
        name: name.into(),
        bits: bits.into(),
        size: 4,
        operands: operands.to_vec(),
        asm: asm.into(),
        section,
        requires: Vec::new(),
        reads: Vec::new(),
        sets: Vec::new(),
        effect: Effect::None,
        constraints: Vec::new(),
        alias: false,
    }
}

impl InstDef {
    /// Adds a required feature.
    pub fn needs(mut self, feature: &'static str) -> Self {
        if !self.requires.contains(&feature) {
            self.requires.push(feature);
        }
        self
    }

    /// Adds a flag group that the instruction reads.
    pub fn reads(mut self, flags: &'static str) -> Self {
        if !self.reads.contains(&flags) {
            self.reads.push(flags);
        }
        self
    }

    /// Adds a flag group that the instruction sets.
    pub fn sets(mut self, flags: &'static str) -> Self {
        if !self.sets.contains(&flags) {
            self.sets.push(flags);
        }
        self
    }

    /// Sets the effect.
    pub fn effect(mut self, effect: Effect) -> Self {
        self.effect = effect;
        self
    }

    /// Adds the constraint that two registers differ.
    pub fn distinct(mut self, a: &'static str, b: &'static str) -> Self {
        self.constraints.push(Constraint::Distinct(a, b));
        self
    }

    /// Adds the constraint that `reg` is not in `list`.
    pub fn outside(mut self, reg: &'static str, list: &'static str) -> Self {
        self.constraints.push(Constraint::Outside { reg, list });
        self
    }

    /// Marks the row as an alias of another row's encoding.
    pub fn alias(mut self) -> Self {
        self.alias = true;
        self
    }

    /// Makes the row a prefixed instruction of 8 bytes.
    pub fn prefixed(mut self, prefix: u32) -> Self {
        self.bits |= u64::from(prefix) << 32;
        self.size = 8;
        self
    }

    /// The operand of this name.
    pub fn operand(&self, name: &str) -> Option<&Operand> {
        self.operands.iter().find(|o| o.name == name)
    }

    /// The bits that are the same in every instance of the row. The upper half
    /// counts as fixed (zero) for a row of 4 bytes.
    pub fn mask(&self) -> u64 {
        !self.operands.iter().fold(0, |m, o| m | o.mask())
    }

    /// The variant's name in snake case.
    pub fn snake_name(&self) -> String {
        let mut s = String::new();
        for (i, c) in self.name.chars().enumerate() {
            if c.is_ascii_uppercase() && i > 0 {
                s.push('_');
            }
            s.push(c.to_ascii_lowercase());
        }
        s
    }
}

/// A class of registers as the encoding sees it: `count` registers of the
/// target's register file from index `first`, numbered from 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Class {
    /// Name; the ISLE constructor of a temporary is `<prefix>_temp_<name>`.
    pub name: &'static str,
    /// Index of register number 0 in the target's register file.
    pub first: u8,
    /// How many registers.
    pub count: u8,
}

/// A name with one line of meaning: a feature or a flag group.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Named {
    /// Lower-case name; the generated constant is its upper case.
    pub name: &'static str,
    /// What it stands for, a sentence without its full stop.
    pub meaning: &'static str,
}

/// The machine instructions of a target.
#[derive(Clone, Debug)]
pub struct Table {
    /// Prefix of the ISLE constructors' names, such as `arm`.
    pub prefix: &'static str,
    /// ISLE name of the instruction type, such as `ArmInst`; also a Rust alias
    /// of the generated enum `Inst`.
    pub inst_type: &'static str,
    /// Register classes.
    pub classes: Vec<Class>,
    /// Processor features, at most 32.
    pub features: Vec<Named>,
    /// Groups of flags outside the register file, at most 8.
    pub flags: Vec<Named>,
    /// The fields of the word (its low half) that tell most rows apart, at
    /// most 12 bits: the decoder's index.
    pub decode_key: Vec<Field>,
    /// Types of immediates that the ISLE prelude declares already.
    pub shared_types: Vec<&'static str>,
    /// The rows.
    pub insts: Vec<InstDef>,
}

/// The operand names that an assembly template prints, in order.
pub fn placeholders(asm: &str) -> Vec<&str> {
    let mut out = Vec::new();
    let mut rest = asm;
    while let Some(open) = rest.find('{') {
        rest = &rest[open + 1..];
        if let Some(after) = rest.strip_prefix('{') {
            // `{{` is a literal brace; a placeholder may follow at once.
            rest = after;
            continue;
        }
        let Some(close) = rest.find('}') else { break };
        let name = &rest[..close];
        out.push(name.split_once(':').map_or(name, |(n, _)| n));
        rest = &rest[close + 1..];
    }
    out
}

impl Table {
    /// The class of this name.
    pub fn class(&self, name: &str) -> Option<&Class> {
        self.classes.iter().find(|c| c.name == name)
    }

    /// Checks that the table is consistent: names are unique and known, fields
    /// overlap neither fixed bits nor one another, every operand is printed,
    /// constraints name operands, and no two rows have the same fixed bits
    /// unless one is declared an alias of the other.
    ///
    /// # Errors
    ///
    /// The first fault, as a sentence that names the row.
    pub fn check(&self) -> Result<(), String> {
        if self.features.len() > 32 {
            return Err("a table has at most 32 features".into());
        }
        if self.flags.len() > 8 {
            return Err("a table has at most 8 flag groups".into());
        }
        let key: u32 = self.decode_key.iter().map(|f| u32::from(f.width)).sum();
        if key > 12 {
            return Err(format!("the decode key has {key} bits, at most 12 are allowed"));
        }
        let mut names = BTreeSet::new();
        let mut encodings: BTreeSet<(u64, u64)> = BTreeSet::new();
        for i in &self.insts {
            self.check_row(i).map_err(|e| format!("{}: {e}", i.name))?;
            if !names.insert(i.name.as_str()) {
                return Err(format!("{}: two rows have this name", i.name));
            }
            if !i.alias && !encodings.insert((i.mask(), i.bits)) {
                return Err(format!("{}: another row has the same fixed bits {:#010x}", i.name, i.bits));
            }
        }
        let mut aliases = self.insts.iter().filter(|i| i.alias);
        match aliases.find(|i| !encodings.contains(&(i.mask(), i.bits))) {
            Some(i) => Err(format!("{}: an alias of no row", i.name)),
            None => Ok(()),
        }
    }

    fn check_row(&self, i: &InstDef) -> Result<(), String> {
        let known = |list: &[Named], name: &str| list.iter().any(|n| n.name == name);
        let mut seen = 0u64;
        let mut fields = BTreeSet::new();
        for o in &i.operands {
            let (name, mask) = (o.name, o.mask());
            if o.width() != mask.count_ones() || seen & mask != 0 {
                return Err(format!("operand {name} overlaps another"));
            }
            if i.bits & mask != 0 {
                return Err(format!("operand {name} overlaps the fixed bits"));
            }
            seen |= mask;
            let mut wanted = [Some(name), None];
            if let OperandKind::Reg { class, access, .. } = o.kind {
                let class = self
                    .class(class)
                    .ok_or_else(|| format!("operand {name} has the unknown class {class}"))?;
                let implied = matches!(access, Access::FixedUse(_) | Access::FixedDef(_));
                if o.fields.is_empty() && !implied {
                    return Err(format!("operand {name} is not encoded"));
                }
                if !o.fields.is_empty() && 1u64 << o.width() < u64::from(class.count) {
                    return Err(format!("operand {name} has too few bits for its class"));
                }
                if let Access::PairUse { hi } | Access::PairDef { hi } = access {
                    wanted[1] = Some(hi);
                }
            } else if o.fields.is_empty() {
                return Err(format!("immediate {name} is not encoded"));
            }
            for w in wanted.into_iter().flatten() {
                if !fields.insert(w) {
                    return Err(format!("two operands are called {w}"));
                }
            }
        }
        if i.size != 4 && i.size != 8 {
            return Err(format!("{} bytes is no instruction length", i.size));
        }
        if i.size == 4 && (i.bits | seen) >> 32 != 0 {
            return Err("bits above a 4-byte word".into());
        }
        let printed = placeholders(&i.asm);
        for p in &printed {
            if !fields.contains(p) {
                return Err(format!("the assembly text prints the unknown operand {p}"));
            }
        }
        for o in &i.operands {
            if !o.fields.is_empty() && !printed.contains(&o.name) {
                return Err(format!("operand {} is not printed", o.name));
            }
        }
        for c in &i.constraints {
            let pair = match c {
                Constraint::Distinct(a, b) => [*a, *b],
                Constraint::Outside { reg, list } => [*reg, *list],
            };
            if let Some(p) = pair.iter().find(|p| !fields.contains(*p)) {
                return Err(format!("a constraint names the unknown operand {p}"));
            }
        }
        for r in &i.requires {
            if !known(&self.features, r) {
                return Err(format!("unknown feature {r}"));
            }
        }
        for f in i.reads.iter().chain(&i.sets) {
            if !known(&self.flags, f) {
                return Err(format!("unknown flags {f}"));
            }
        }
        Ok(())
    }
}

/// Makes the name of a variant's value-on-entry field: see [`Access::Tied`].
pub fn tied_name(name: &str) -> String {
    name.to_string() + "_in"
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec;

    const HIGH: &[Field] = &[field(16, 4)];
    const LOW: &[Field] = &[field(0, 4)];

    fn one(row: InstDef) -> Result<(), String> {
        rows(vec![row])
    }

    fn rows(insts: Vec<InstDef>) -> Result<(), String> {
        Table {
            prefix: "toy",
            inst_type: "ToyInst",
            classes: vec![Class { name: "r", first: 0, count: 16 }],
            features: vec![Named { name: "fast", meaning: "Is fast" }],
            flags: vec![Named { name: "c", meaning: "Carry" }],
            decode_key: vec![field(24, 8)],
            shared_types: vec![],
            insts,
        }
        .check()
    }

    fn neg() -> InstDef {
        let operands = [reg("rd", "r", Access::Def, HIGH), reg("rm", "r", Access::Use, LOW)];
        inst("Neg", 0x0100_0000, &operands, "neg {rd}, {rm}", "1.1")
    }

    #[test]
    fn split_fields_scatter_and_gather() {
        let split = [field(22, 1), field(12, 4)];
        for value in 0..32 {
            assert_eq!(gather(scatter(value, &split), &split), value);
        }
        assert_eq!(scatter(0b10111, &split), 1 << 22 | 0b1011 << 12);
    }

    #[test]
    fn placeholders_are_found_next_to_braces() {
        assert_eq!(placeholders("push {{{rt}}}"), ["rt"]);
        assert_eq!(placeholders("ldr{cond} {rt}, [{rn}{off:#}]"), ["cond", "rt", "rn", "off"]);
        assert!(placeholders("nop").is_empty());
    }

    #[test]
    fn a_good_table_passes_and_faults_are_named() {
        assert_eq!(one(neg()), Ok(()));
        let fault = |row: InstDef| one(row).expect_err("the table is faulty");

        let rm_in_rd = reg("rm", "r", Access::Use, HIGH);
        let mut row = neg();
        row.operands[1] = rm_in_rd;
        assert_eq!(fault(row), "Neg: operand rm overlaps another");
        let mut row = neg();
        row.bits |= 1;
        assert_eq!(fault(row), "Neg: operand rm overlaps the fixed bits");
        let mut row = neg();
        row.asm = "neg {rd}".into();
        assert_eq!(fault(row), "Neg: operand rm is not printed");
        let mut row = neg();
        row.asm = "neg {rd}, {rm}, {rn}".into();
        assert_eq!(fault(row), "Neg: the assembly text prints the unknown operand rn");
        assert_eq!(fault(neg().needs("slow")), "Neg: unknown feature slow");
        assert_eq!(fault(neg().sets("n")), "Neg: unknown flags n");
        assert_eq!(fault(neg().distinct("rd", "rn")), "Neg: a constraint names the unknown operand rn");
        assert_eq!(fault(neg().alias()), "Neg: an alias of no row");
    }

    #[test]
    fn rows_of_one_encoding_must_be_aliases() {
        let other = |alias: bool| InstDef { name: "Minus".into(), alias, ..neg() };
        assert!(rows(vec![neg(), other(false)]).is_err());
        assert_eq!(rows(vec![neg(), other(true)]), Ok(()));
        assert!(rows(vec![neg(), neg()]).is_err());
    }

    #[test]
    fn names_become_snake_case() {
        let mut row = neg();
        for (name, snake) in [("Neg", "neg"), ("LdrImmPost", "ldr_imm_post"), ("VcvtF64S32", "vcvt_f64_s32")]
        {
            row.name = name.into();
            assert_eq!(row.snake_name(), snake);
        }
    }
}
