//! Mutated text against parser, verifier and printer.
//!
//! In: texts, a seed, how many inputs. Each input is a function or a few lines of one of the texts, changed in one
//! to six places: bytes and tokens cut, doubled, moved and replaced; most changes keep the text close to the language
//! (other entities, types, opcodes, numbers), so that some inputs reach the verifier and some pass it.
//!
//! What the verifier accepts is compiled for a target, if there is one: that may be refused, but by name.
//!
//! An input must not make anything panic, must be done in good time and in bounded memory; what the parser accepts must
//! print to a text that reads back and prints the same; what the verifier accepts it must accept again then.
//!
//! Input `n` of a seed and a list of texts is always the same.

use super::case::panic_text;
use super::random::Random;
use crate::reduce::{self, Limits};
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};
use windlass::{CompileError, Context, Target};
use windlass_ir::text::{ParseOptions, parse_function, parse_run_command, parse_test_file};
use windlass_ir::{ExternalName, Function, Opcode, Verifier};

/// What to do.
#[derive(Clone)]
pub struct TextOptions {
    /// Equal seeds make equal inputs.
    pub seed: u64,
    /// How many inputs.
    pub count: u64,
    /// Threads.
    pub jobs: usize,
    /// What is mutated.
    pub texts: Vec<String>,
    /// Sound functions are compiled for it.
    pub target: Option<Arc<dyn Target>>,
    /// Stop after so many failures.
    pub max_failures: usize,
    /// An input that takes longer hangs.
    pub patience: Duration,
}

impl Default for TextOptions {
    fn default() -> TextOptions {
        TextOptions {
            seed: 1,
            count: 10_000,
            jobs: 1,
            texts: Vec::new(),
            target: None,
            max_failures: 5,
            patience: Duration::from_secs(20),
        }
    }
}

/// An input that something is wrong with.
#[derive(Clone, Debug)]
pub struct TextFailure {
    /// Its number.
    pub input: u64,
    /// What is wrong.
    pub what: String,
    /// The input, made small if that was possible.
    pub text: String,
}

/// What a run came to.
#[derive(Clone, Debug, Default)]
pub struct TextReport {
    /// Inputs that were tried.
    pub inputs: u64,
    /// Bytes in them.
    pub bytes: u64,
    /// Inputs that the parser accepted.
    pub parsed: u64,
    /// Inputs that the verifier accepted as well.
    pub verified: u64,
    /// Functions that were compiled.
    pub compiled: u64,
    /// The longest time that an input took.
    pub longest: Duration,
    /// Most memory that the process had, in bytes, where the system tells.
    pub peak_bytes: Option<u64>,
    /// What went wrong.
    pub failures: Vec<TextFailure>,
    /// How long it all took.
    pub time: Duration,
}

impl fmt::Display for TextReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let seconds = self.time.as_secs_f64();
        write!(
            f,
            "{} inputs ({} bytes), {} parsed, {} verified, {} functions compiled, in {seconds:.1} s; longest {:.1} ms",
            self.inputs,
            self.bytes,
            self.parsed,
            self.verified,
            self.compiled,
            self.longest.as_secs_f64() * 1e3
        )?;
        if let Some(peak) = self.peak_bytes {
            write!(f, ", peak memory {} MiB", peak >> 20)?;
        }
        write!(f, "; {} failures", self.failures.len())
    }
}

/// What one thread is at.
#[derive(Default)]
struct Watch {
    /// Number of the input, plus 1.
    input: AtomicU64,
    /// When it began, in milliseconds since the start.
    since: AtomicU64,
}

/// Feeds mutated inputs. `progress` is told the sum every few thousand.
///
/// A thread that hangs is left behind: the report says at which input, and the caller should end the process soon.
pub fn fuzz_text(options: &TextOptions, progress: &dyn Fn(&TextReport)) -> TextReport {
    const CHUNK: u64 = 500;
    let start = Instant::now();
    let corpus = Arc::new(Corpus::new(&options.texts));
    let total = Arc::new(Mutex::new(TextReport::default()));
    let stop = Arc::new(AtomicBool::new(false));
    let next = Arc::new(AtomicU64::new(0));
    let mut threads = Vec::new();
    for _ in 0..options.jobs.max(1) {
        let watch = Arc::new(Watch::default());
        let (corpus, total, stop, next) = (corpus.clone(), total.clone(), stop.clone(), next.clone());
        let (seed, count, most) = (options.seed, options.count, options.max_failures);
        let mine = watch.clone();
        let target = options.target.clone();
        let thread = thread::spawn(move || {
            let mut feeder = Feeder { target, ..Feeder::default() };
            while !stop.load(Ordering::Relaxed) {
                let first = next.fetch_add(CHUNK, Ordering::Relaxed);
                if first >= count {
                    break;
                }
                let mut report = TextReport::default();
                for input in first..count.min(first + CHUNK) {
                    mine.since.store(start.elapsed().as_millis() as u64, Ordering::Relaxed);
                    mine.input.store(input + 1, Ordering::Relaxed);
                    let text = corpus.input(&mut Random::part(seed, input));
                    feeder.input(input, &text, &mut report);
                }
                mine.input.store(0, Ordering::Relaxed);
                let Ok(mut total) = total.lock() else { break };
                total.inputs += report.inputs;
                total.bytes += report.bytes;
                total.parsed += report.parsed;
                total.verified += report.verified;
                total.compiled += report.compiled;
                total.longest = total.longest.max(report.longest);
                total.failures.extend(report.failures);
                if total.failures.len() >= most {
                    stop.store(true, Ordering::Relaxed);
                }
            }
        });
        threads.push((thread, watch));
    }
    let mut hung = Vec::new();
    while threads.iter().any(|(thread, _)| !thread.is_finished()) && hung.is_empty() {
        thread::sleep(Duration::from_millis(50));
        let now = start.elapsed().as_millis() as u64;
        for (_, watch) in &threads {
            let input = watch.input.load(Ordering::Relaxed);
            let since = watch.since.load(Ordering::Relaxed);
            if input > 0 && now.saturating_sub(since) > options.patience.as_millis() as u64 {
                hung.push(input - 1);
            }
        }
        if let Ok(mut total) = total.lock() {
            total.time = start.elapsed();
            progress(&total);
        }
    }
    stop.store(true, Ordering::Relaxed);
    let mut report = match total.lock() {
        Ok(total) => total.clone(),
        Err(poisoned) => poisoned.into_inner().clone(),
    };
    for input in hung {
        let text = corpus.input(&mut Random::part(options.seed, input));
        let what = format!("not done after {} s", options.patience.as_secs());
        report.failures.push(TextFailure { input, what, text });
    }
    report.failures.sort_by_key(|failure| failure.input);
    report.time = start.elapsed();
    report.peak_bytes = peak_memory();
    report
}

/// The process's largest resident set, in bytes.
fn peak_memory() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    let kib: u64 = line.trim().trim_end_matches("kB").trim().parse().ok()?;
    Some(kib << 10)
}

/// Feeds inputs to parser, verifier and printer.
#[derive(Default)]
struct Feeder {
    verifier: Verifier,
    target: Option<Arc<dyn Target>>,
    cx: Context,
    compiled: u64,
}

/// How far an input came.
enum Reached {
    Refused,
    Parsed,
    Verified,
}

impl Feeder {
    fn input(&mut self, input: u64, text: &str, report: &mut TextReport) {
        let start = Instant::now();
        let result = self.feed(text);
        report.inputs += 1;
        report.bytes += text.len() as u64;
        report.longest = report.longest.max(start.elapsed());
        report.compiled += std::mem::take(&mut self.compiled);
        match result {
            Ok(Reached::Refused) => {}
            Ok(Reached::Parsed) => report.parsed += 1,
            Ok(Reached::Verified) => {
                report.parsed += 1;
                report.verified += 1;
            }
            Err(what) => {
                let limits = Limits { steps: 2000, ..Limits::default() };
                let text = reduce::reduce_lines(
                    text,
                    &limits,
                    &mut |text| matches!(self.feed(text), Err(other) if head(&other) == head(&what)),
                );
                report.failures.push(TextFailure { input, what, text });
            }
        }
    }

    fn feed(&mut self, text: &str) -> Result<Reached, String> {
        let result = catch_unwind(AssertUnwindSafe(|| {
            let (reached, functions) = feed(&mut self.verifier, text)?;
            for func in &functions {
                self.compile(func)?;
            }
            Ok(reached)
        }));
        result.unwrap_or_else(|payload| {
            // What a panic left in them is anyone's guess.
            self.verifier = Verifier::default();
            self.cx = Context::new();
            Err(format!("panic: {}", panic_text(&*payload)))
        })
    }
}

impl Feeder {
    /// Compiles a sound function. The target may refuse it, but not be surprised by it.
    fn compile(&mut self, func: &Function) -> Result<(), String> {
        let Some(target) = &self.target else { return Ok(()) };
        self.compiled += 1;
        match target.compile(func, &mut self.cx) {
            Err(error @ CompileError::Internal { .. }) => Err(format!("it does not compile: {error}")),
            _ => Ok(()),
        }
    }
}

/// The part of a message that is not about one input alone.
fn head(what: &str) -> String {
    what.chars().filter(|c| !c.is_ascii_digit()).take(40).collect()
}

/// How far the text comes, and its functions if all of them are sound.
fn feed(verifier: &mut Verifier, text: &str) -> Result<(Reached, Vec<Function>), String> {
    let Ok(file) = parse_test_file(text, &ParseOptions::default()) else {
        return Ok((Reached::Refused, Vec::new()));
    };
    let mut reached = Reached::Verified;
    for function in &file.functions {
        let sound = verifier.verify(&function.func);
        let printed = function.func.to_string();
        let again =
            parse_function(&printed).map_err(|error| format!("what was printed does not parse: {error}"))?;
        if again.to_string() != printed {
            return Err("what was printed prints otherwise".into());
        }
        if sound.is_err() {
            reached = Reached::Parsed;
        } else if let Err(faults) = verifier.verify(&again) {
            let faults: Vec<_> = faults.iter().map(ToString::to_string).collect();
            return Err(format!("what was printed is no longer sound: {}", faults.join("; ")));
        }
        for comment in &function.comments {
            let find = |name: &ExternalName| {
                file.functions
                    .iter()
                    .map(|f| &f.func)
                    .find(|func| func.name == *name)
                    .map(|func| &func.signature)
            };
            if let Ok(Some(command)) = parse_run_command(comment.text, &function.func.name, find) {
                let printed = command.to_string();
                if parse_run_command(&printed, &function.func.name, find) != Ok(Some(command)) {
                    return Err(format!("a directive reads back otherwise: {printed}"));
                }
            }
        }
    }
    let sound = matches!(reached, Reached::Verified);
    let functions = if sound { file.functions.into_iter().map(|f| f.func).collect() } else { Vec::new() };
    Ok((reached, functions))
}

/// What is mutated: functions with their comments, each by itself, as tokens.
struct Corpus {
    units: Vec<Vec<String>>,
}

/// Tokens that mutations put in.
const TOKENS: &[&str] = &[
    "v0",
    "v4294967294",
    "block0",
    "block4000000000",
    "ss0",
    "gv0",
    "sig0",
    "fn0",
    "const0",
    "region0",
    "tag0",
    "ret0",
    "exn0",
    "(",
    ")",
    "[",
    "]",
    "{",
    "}",
    ",",
    ":",
    "=",
    "->",
    "<",
    ">",
    "!",
    "@",
    "%",
    "\"",
    "\\",
    "\u{e9}",
    "\0",
    ".",
    "0x",
    "-",
    "+NaN",
    "1e400",
    "99999999999999999999999999999999999999999",
    "cold",
    "\n",
    "\r",
    ";",
    " ",
    "explicit_slot",
    "4294967296",
    "-9223372036854775808",
    "18446744073709551616",
    "u4:4",
    "function",
    "return",
    "stack_map=[",
    "sarg(8)",
    "sret",
    "vmctx",
    "uext",
    "notrap",
    "aligned",
    "big",
    "little",
    "user251",
    "heap_oob",
    "symbol",
    "colocated",
    "tls",
    "iadd_imm",
    "load",
    "system_v",
    "tail",
    "stack_limit",
];

const TYPES: &[&str] =
    &["i8", "i16", "i32", "i64", "i128", "f16", "f32", "f64", "f128", "i32x4", "i8x16", "f64x2"];

impl Corpus {
    fn new(texts: &[String]) -> Corpus {
        const LONGEST: usize = 6000;
        let mut units = Vec::new();
        for text in texts {
            let mut unit = String::new();
            for line in text.lines() {
                if line.starts_with("function") && unit.contains("\n}") {
                    units.push(std::mem::take(&mut unit));
                }
                unit += line;
                unit.push('\n');
            }
            units.push(unit);
        }
        // Long functions would take most of the time.
        units.retain(|unit| unit.len() <= LONGEST && !unit.trim().is_empty());
        if units.is_empty() {
            units.push(
                "function %f(i32) -> i32 {\nblock0(v0: i32):\n    v1 = iadd v0, v0\n    return v1\n}\n"
                    .into(),
            );
        }
        Corpus { units: units.iter().map(|unit| tokens(unit)).collect() }
    }

    /// A unit, changed in a few places.
    fn input(&self, random: &mut Random) -> String {
        let mut unit = self.units[random.below(self.units.len())].clone();
        if random.chance(5) {
            let other = &self.units[random.below(self.units.len())];
            unit.truncate(random.below(unit.len() + 1));
            unit.extend_from_slice(&other[random.below(other.len() + 1)..]);
        }
        for _ in 0..1 + random.below(6) {
            if unit.is_empty() {
                break;
            }
            mutate(&mut unit, random);
        }
        let mut text = unit.concat();
        if random.chance(10) && !text.is_empty() {
            let mut bytes = text.into_bytes();
            let at = random.below(bytes.len());
            match random.below(3) {
                0 => bytes[at] = random.below(256) as u8,
                1 => bytes.truncate(at),
                _ => drop(bytes.drain(at..(at + 1 + random.below(8)).min(bytes.len()))),
            }
            text = String::from_utf8_lossy(&bytes).into_owned();
        }
        text
    }
}

/// Words with the dots and signs in them, blanks, and single characters of all other kinds.
fn tokens(text: &str) -> Vec<String> {
    let class = |c: char| match c {
        'a'..='z' | 'A'..='Z' | '0'..='9' | '_' => 0,
        ' ' => 1,
        _ => 2,
    };
    let mut out: Vec<String> = Vec::new();
    let mut last = 2;
    for c in text.chars() {
        let class = class(c);
        match out.last_mut() {
            Some(token) if class == last && class != 2 => token.push(c),
            _ => out.push(c.to_string()),
        }
        last = class;
    }
    out
}

/// One change.
fn mutate(unit: &mut Vec<String>, random: &mut Random) {
    let at = random.below(unit.len());
    match random.below(16) {
        // Like for like: what is most likely to pass the parser.
        0..6 => {
            // The next token that is an entity, a type, an opcode or a number.
            for at in (at..unit.len()).chain(0..at) {
                if let Some(other) = like(&unit[at], unit, random) {
                    unit[at] = other;
                    break;
                }
            }
        }
        6 => {
            let end = (at + 1 + random.below(6)).min(unit.len());
            unit.drain(at..end);
        }
        7 => {
            let token = TOKENS[random.below(TOKENS.len())].to_string();
            unit.insert(at, token);
        }
        8 => unit[at] = TOKENS[random.below(TOKENS.len())].to_string(),
        9 => {
            let other = random.below(unit.len());
            unit.swap(at, other);
        }
        // Whole lines: deleted, doubled, moved.
        10..14 => {
            let start = unit[..at].iter().rposition(|token| token == "\n").map_or(0, |n| n + 1);
            let end = unit[at..].iter().position(|token| token == "\n").map_or(unit.len(), |n| at + n + 1);
            let line: Vec<String> =
                if random.chance(60) { unit.drain(start..end).collect() } else { unit[start..end].to_vec() };
            if random.chance(50) && !unit.is_empty() {
                let near = random.below(unit.len());
                let to =
                    unit[near..].iter().position(|token| token == "\n").map_or(unit.len(), |n| near + n + 1);
                unit.splice(to..to, line);
            }
        }
        _ => {
            let from = random.below(unit.len());
            let piece = unit[from..(from + random.below(12)).min(unit.len())].to_vec();
            unit.splice(at..at, piece);
        }
    }
}

/// Another token of the same kind.
fn like(token: &str, unit: &[String], random: &mut Random) -> Option<String> {
    if TYPES.contains(&token) {
        return Some(TYPES[random.below(TYPES.len())].to_string());
    }
    if Opcode::from_name(token).is_some() {
        let all = Opcode::all().count();
        return Opcode::all().nth(random.below(all)).map(|opcode| opcode.name().to_string());
    }
    let digits = token.trim_start_matches(|c: char| c.is_ascii_alphabetic());
    let prefix = &token[..token.len() - digits.len()];
    let number: u64 = digits.parse().ok()?;
    if prefix.is_empty() {
        let new = match random.below(4) {
            0 => number ^ 1 << random.below(64),
            1 => number.wrapping_add(1),
            2 => random.number(64) as u64,
            _ => random.below(9) as u64,
        };
        return Some(new.to_string());
    }
    // Mostly another entity of the unit with the same prefix.
    if random.chance(80) {
        let start = random.below(unit.len());
        let same = |other: &&String| {
            let rest = other.trim_start_matches(|c: char| c.is_ascii_alphabetic());
            !rest.is_empty() && other[..other.len() - rest.len()] == *prefix && other.as_str() != token
        };
        if let Some(other) = unit[start..].iter().chain(&unit[..start]).find(same) {
            return Some(other.clone());
        }
    }
    Some(format!("{prefix}{}", number + random.below(3) as u64))
}
