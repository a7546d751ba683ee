//! Instruction tables against the GNU assembler: what the tests of all targets share.
//!
//! Every row is instantiated over corner operands, printed, and assembled at the level that the row claims to need;
//! the bytes must be those of the encoder, and the decoder must give the text back.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::{Debug, Display};
use std::fs;
use std::path::Path;
use std::process::Command;
use windlass_rules::spec::{Access, InstDef, OperandKind, Table, scatter};

/// What the tests ask of a generated instruction type.
pub trait TableInst: Sized + Display + Debug + PartialEq {
    /// The word as an instruction of a row.
    fn decode_row(row: usize, word: u64) -> Option<Self>;
    /// The instruction with this encoding.
    fn decode(word: u64) -> Option<Self>;
    /// Its word.
    fn encode(&self) -> u64;
    /// Its row.
    fn row(&self) -> usize;
    /// Its name.
    fn name(&self) -> &'static str;
}

/// Implements [`TableInst`] for a generated instruction type.
macro_rules! table_inst {
    ($inst:ty) => {
        impl TableInst for $inst {
            fn decode_row(row: usize, word: u64) -> Option<Self> {
                <$inst>::decode_row(row, word.try_into().ok()?)
            }
            fn decode(word: u64) -> Option<Self> {
                <$inst>::decode(word.try_into().ok()?)
            }
            fn encode(&self) -> u64 {
                <$inst>::encode(self).unwrap_or_else(|e| panic!("{self}: {e}")).into()
            }
            fn row(&self) -> usize {
                <$inst>::row(self)
            }
            fn name(&self) -> &'static str {
                <$inst>::name(self)
            }
        }
    };
}
pub(crate) use table_inst;

/// An assembler to compare with.
pub struct Assembler {
    /// What its programs' names begin with; its Debian package is `binutils-` and that.
    pub prefix: &'static str,
    /// Options of the assembler.
    pub args: &'static [&'static str],
    /// Does it write the most significant byte of a word first?
    pub big_endian: bool,
    /// What comes before all instructions.
    pub prologue: &'static str,
    /// What begins a comment.
    pub comment: &'static str,
}

/// What is worth trying as an operand.
pub struct Corners {
    /// Numbers of registers. What is not valid in a place is dropped by the decoder.
    pub registers: &'static [u64],
}

/// A small generator of numbers that are the same in every run.
struct Rng(u64);

impl Rng {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }
    fn pick(&mut self, values: &[u64]) -> u64 {
        values[(self.next() >> 16) as usize % values.len()]
    }
}

impl Corners {
    /// Numbers worth trying in an operand's field: first, last, odd, middle.
    fn of(&self, kind: OperandKind, width: u32) -> Vec<u64> {
        let max = (1u64 << width) - 1;
        let mut out = BTreeSet::new();
        match kind {
            OperandKind::Reg { access, .. } => {
                let pair = matches!(access, Access::PairUse { .. } | Access::PairDef { .. });
                out.extend(self.registers.iter().map(|n| if pair { n & !1 } else { *n }));
            }
            OperandKind::Imm { .. } if width <= 5 => out.extend(0..=max),
            OperandKind::Imm { .. } => {
                out.extend([0, 1, 2, 3, max, max - 1, max / 3, max / 5, max - max / 3]);
                for bit in 0..width {
                    out.extend([1 << bit, (1 << bit) - 1, max ^ (1 << bit), max & !((1 << bit) - 1)]);
                }
                // Two numbers side by side, as bit ranges and register runs are.
                let half = width.div_ceil(2);
                for a in [0, 1, 2, 7, 15, 16, 30, 31] {
                    for b in [0, 1, 2, 4, 7, 15, 31] {
                        out.insert((a | b << half) & max);
                    }
                }
            }
        }
        out.into_iter().filter(|&v| v <= max).collect()
    }

    /// Words of the row: all combinations of its operands' corners if they are few, else each corner in a few
    /// surroundings.
    fn words(&self, def: &InstDef, rng: &mut Rng) -> BTreeSet<u64> {
        let encoded: Vec<_> = def.operands.iter().filter(|o| !o.fields.is_empty()).collect();
        let values: Vec<_> = encoded.iter().map(|o| self.of(o.kind, o.width())).collect();
        let place =
            |choice: &[u64]| encoded.iter().zip(choice).fold(def.bits, |w, (o, &v)| w | scatter(v, o.fields));
        let mut out = BTreeSet::new();
        let product: usize = values.iter().map(Vec::len).product();
        if product <= 200 {
            for mut n in 0..product {
                let mut choice = Vec::new();
                for v in &values {
                    choice.push(v[n % v.len()]);
                    n /= v.len();
                }
                out.insert(place(&choice));
            }
        } else {
            for at in 0..values.len() {
                for &v in &values[at] {
                    for _ in 0..6 {
                        let mut choice: Vec<_> = values.iter().map(|v| rng.pick(v)).collect();
                        choice[at] = v;
                        out.insert(place(&choice));
                    }
                }
            }
        }
        out
    }
}

/// An instruction as the table has it.
struct Expected {
    text: String,
    word: u64,
}

/// Compares every row with the assemblers, both ways. `directives` are those that select exactly what a row claims to
/// need. The number of instructions that were compared.
pub fn compare_with_assembler<I: TableInst>(
    table: &Table,
    corners: &Corners,
    directives: &dyn Fn(&InstDef, &str) -> String,
    assemblers: &[&Assembler],
) -> usize {
    let mut rng = Rng(0x9e37_79b9_7f4a_7c15);
    // By length and directives.
    let mut groups: BTreeMap<(u8, String), Vec<Expected>> = BTreeMap::new();
    for (row, def) in table.insts.iter().enumerate() {
        let mut seen = 0;
        for word in corners.words(def, &mut rng) {
            let Some(inst) = I::decode_row(row, word) else { continue };
            seen += 1;
            assert_eq!((inst.row(), inst.name()), (row, def.name.as_str()));
            assert_eq!(inst.encode(), word, "{inst}");
            let text = inst.to_string();
            let decoded = I::decode(word).unwrap_or_else(|| panic!("{text} is not decoded"));
            let chosen = &table.insts[decoded.row()];
            if def.alias {
                assert_eq!(decoded.to_string(), text);
            } else if decoded.row() != row {
                let special = chosen.mask() & def.mask() == def.mask() && chosen.mask() != def.mask();
                assert!(special, "{text} is decoded as {decoded}");
            } else {
                assert_eq!(decoded, inst);
            }
            groups.entry((def.size, directives(def, &text))).or_default().push(Expected { text, word });
        }
        assert!(seen > 0, "{}: no corner is valid", def.name);
    }
    let mut compared = 0;
    for assembler in assemblers {
        for size in [4, 8] {
            let groups =
                groups.iter().filter(|((s, _), _)| *s == size).map(|((_, d), list)| (d.as_str(), list));
            compared += assembler.compare(size, groups);
        }
    }
    compared
}

impl Assembler {
    fn compare<'a>(&self, size: u8, groups: impl Iterator<Item = (&'a str, &'a Vec<Expected>)>) -> usize {
        let mut source = String::from(self.prologue);
        let mut expected = Vec::new();
        for (directives, list) in groups {
            source += directives;
            for one in list {
                source += &one.text;
                source.push('\n');
                expected.push(one);
            }
        }
        if expected.is_empty() {
            return 0;
        }
        let words = self.assemble(&source, size);
        assert_eq!(words.len(), expected.len(), "the assembler gives one instruction a line");
        let wrong: Vec<_> = words
            .iter()
            .zip(&expected)
            .filter(|(got, want)| **got != want.word)
            .map(|(got, want)| {
                let Expected { text, word } = want;
                format!("{text}: encoded {word:08x}, the assembler says {got:08x}")
            })
            .collect();
        assert!(
            wrong.is_empty(),
            "{} differences:\n{}",
            wrong.len(),
            wrong[..wrong.len().min(40)].join("\n")
        );
        expected.len()
    }

    fn run(&self, tool: &str, args: &[&str], cwd: &Path) -> Result<(), String> {
        let program = format!("{}-{tool}", self.prefix);
        let out = Command::new(&program).args(args).current_dir(cwd).output().map_err(|e| {
            format!("cannot run {program} ({e}): install the package binutils-{}", self.prefix)
        })?;
        match out.status.success() {
            true => Ok(()),
            false => Err(String::from_utf8_lossy(&out.stderr).into_owned()),
        }
    }

    /// Assembles lines of one instruction each, in order.
    fn assemble(&self, source: &str, size: u8) -> Vec<u64> {
        let dir = tempfile::tempdir().expect("a temporary directory");
        fs::write(dir.path().join("t.s"), source).expect("the source is written");
        // A warning would be about an unpredictable combination of operands.
        let args = [self.args, &["--fatal-warnings", "-o", "t.o", "t.s"]].concat();
        if let Err(message) = self.run("as", &args, dir.path()) {
            let lines: Vec<_> = source.lines().collect();
            let mut report = String::new();
            for m in message.lines().take(40) {
                let at = m.split(':').nth(1).and_then(|n| n.parse::<usize>().ok());
                let line = at.and_then(|n| lines.get(n - 1)).unwrap_or(&"");
                report += &format!("{m}  {}  {line}\n", self.comment);
            }
            panic!("the assembler refuses what the table prints:\n{report}");
        }
        let objcopy = ["-O", "binary", "--only-section=.text", "t.o", "t.bin"];
        self.run("objcopy", &objcopy, dir.path()).unwrap_or_else(|e| panic!("{e}"));
        let bytes = fs::read(dir.path().join("t.bin")).expect("the output is read");
        let word = |b: &[u8]| {
            let b = [b[0], b[1], b[2], b[3]];
            u64::from(if self.big_endian { u32::from_be_bytes(b) } else { u32::from_le_bytes(b) })
        };
        // A prefix comes before its suffix in either byte order.
        bytes.chunks_exact(size.into()).map(|b| b.chunks_exact(4).fold(0, |w, b| w << 32 | word(b))).collect()
    }
}

/// Decodes random words, made from random numbers by `shape` with their index; every one that is an instruction must
/// encode to itself. How many are.
pub fn words_that_decode<I: TableInst>(n: u64, shape: impl Fn(u64, u64) -> u64) -> usize {
    let mut rng = Rng(0x0123_4567_89ab_cdef);
    let mut known = 0;
    for i in 0..n {
        let word = shape(i, rng.next() >> 16 | rng.next() << 40);
        if let Some(inst) = I::decode(word) {
            known += 1;
            assert_eq!(inst.encode(), word, "{inst}");
        }
    }
    known
}
