//! Compile time and code size of Windlass beside Cranelift's, in the same run, over the programs of the filetests.
//!
//! ```text
//! cargo run --release --manifest-path tools/benches/Cargo.toml [-- --quick | --rounds N] [--inputs DIR]
//! … -- --only NAME --rounds N      compile everything N times and print nothing: for a profiler or an
//!                                  instruction counter; NAME is windlass, none or speed
//! ```
//!
//! Each compiler reads each program once; then every round compiles it with each of them in turn, and the middle round
//! counts. What is measured begins with the function in memory, unverified, and ends with its bytes. Programs that a
//! compiler refuses are left out for all, and named.

mod clock;
mod compilers;

use clock::{Clock, Cost, median, median_cost};
use compilers::{Compiler, Cranelift, Program, Windlass};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use windlass::context::Stage;

struct Options {
    rounds: usize,
    inputs: PathBuf,
    only: Option<String>,
}

fn options() -> Result<Options, String> {
    let inputs = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../filetests/tests/programs");
    let mut options = Options { rounds: 51, inputs, only: None };
    let mut args = std::env::args().skip(1);
    while let Some(arg) = args.next() {
        let mut value = || args.next().ok_or_else(|| format!("{arg} needs a value"));
        match arg.as_str() {
            "--quick" => options.rounds = 3,
            "--rounds" => options.rounds = value()?.parse().map_err(|e| format!("--rounds: {e}"))?,
            "--inputs" => options.inputs = value()?.into(),
            "--only" => options.only = Some(value()?),
            _ => return Err(format!("unknown argument {arg}")),
        }
    }
    Ok(options)
}

fn main() -> ExitCode {
    match options() {
        Err(message) => {
            eprintln!("{message}");
            ExitCode::from(2)
        }
        Ok(options) => match run(&options) {
            Ok(()) => ExitCode::SUCCESS,
            Err(message) => {
                eprintln!("{message}");
                ExitCode::FAILURE
            }
        },
    }
}

/// The programs: names of the files that both folders have.
fn programs(inputs: &Path) -> Result<Vec<String>, String> {
    let folder = inputs.join("p32");
    let entries = std::fs::read_dir(&folder).map_err(|e| format!("{}: {e}", folder.display()))?;
    let mut names: Vec<String> = entries
        .filter_map(|entry| entry.ok()?.file_name().into_string().ok())
        .filter_map(|name| name.strip_suffix(".clif").map(str::to_owned))
        .filter(|name| inputs.join("p64").join(format!("{name}.clif")).is_file())
        .collect();
    names.sort();
    Ok(names)
}

fn read(inputs: &Path, folder: &str, name: &str) -> Result<String, String> {
    let path = inputs.join(folder).join(format!("{name}.clif"));
    std::fs::read_to_string(&path).map_err(|e| format!("{}: {e}", path.display()))
}

/// A program as one compiler does it.
#[derive(Clone, Copy)]
struct Row {
    ir_insts: usize,
    code_bytes: usize,
    cost: Cost,
}

fn run(options: &Options) -> Result<(), String> {
    let windlass = Windlass::new("armv7hf", "speed", false)?;
    let (none, speed) = (Cranelift::new("none")?, Cranelift::new("speed")?);
    let compilers: [&dyn Compiler; 3] = [&windlass, &none, &speed];
    let names = programs(&options.inputs)?;
    if let Some(only) = &options.only {
        let chosen = ["windlass", "none", "speed"].iter().position(|name| name == only);
        let chosen = chosen.ok_or_else(|| format!("--only is windlass, none or speed, not {only}"))?;
        return repeat(options, compilers[chosen], &names);
    }

    let mut clock = Clock::new();
    println!(
        "{} rounds, the middle one counts. Instructions retired: {}.",
        options.rounds,
        if clock.counts_instructions() { "counted" } else { "the system does not count them" }
    );
    let mut rows: Vec<(String, Vec<Row>)> = Vec::new();
    let mut refused = Vec::new();
    for name in &names {
        match compare(options, &compilers, name, &mut clock) {
            Ok(row) => rows.push((name.clone(), row)),
            Err(message) => refused.push(format!("{name}: {message}")),
        }
    }
    let names: Vec<&String> = rows.iter().map(|(name, _)| name).collect();
    for (i, compiler) in compilers.iter().enumerate() {
        let column: Vec<Row> = rows.iter().map(|(_, row)| row[i]).collect();
        print_table(compiler.name(), &names, &column, &clock);
    }
    print_summary(&compilers, &rows);
    print_stages(options, &names)?;
    for line in &refused {
        println!("left out: {line}");
    }
    if rows.is_empty() { Err("no program was compiled by all".into()) } else { Ok(()) }
}

/// Compiles everything that the compiler takes, again and again.
fn repeat(options: &Options, compiler: &dyn Compiler, names: &[String]) -> Result<(), String> {
    for name in names {
        let mut program = compiler.load(&read(&options.inputs, compiler.folder(), name)?)?;
        // Only what every compiler takes, as in the tables.
        if Windlass::new("armv7hf", "speed", false)?
            .load(&read(&options.inputs, "p32", name)?)?
            .compile()
            .is_err()
        {
            continue;
        }
        for _ in 0..options.rounds {
            program.prepare();
            program.compile()?;
        }
    }
    Ok(())
}

fn compare(
    options: &Options,
    compilers: &[&dyn Compiler],
    name: &str,
    clock: &mut Clock,
) -> Result<Vec<Row>, String> {
    let mut programs: Vec<(Box<dyn Program>, usize, Vec<Cost>)> = Vec::new();
    for compiler in compilers {
        let mut program = compiler.load(&read(&options.inputs, compiler.folder(), name)?)?;
        program.prepare();
        let bytes = program.compile().map_err(|e| format!("{}: {e}", compiler.name()))?;
        programs.push((program, bytes, Vec::new()));
    }
    for _ in 0..options.rounds {
        for (program, bytes, costs) in &mut programs {
            program.prepare();
            let mut result = Ok(0);
            costs.push(clock.measure(|| result = program.compile()));
            if result? != *bytes {
                return Err("the same input gave code of another size".into());
            }
        }
    }
    let row = |(program, bytes, costs): &(Box<dyn Program>, usize, Vec<Cost>)| Row {
        ir_insts: program.ir_insts(),
        code_bytes: *bytes,
        cost: median_cost(costs),
    };
    Ok(programs.iter().map(row).collect())
}

fn total(rows: &[Row]) -> Row {
    let mut sum = Row { ir_insts: 0, code_bytes: 0, cost: Cost::default() };
    for row in rows {
        sum.ir_insts += row.ir_insts;
        sum.code_bytes += row.code_bytes;
        sum.cost.seconds += row.cost.seconds;
        sum.cost.instructions += row.cost.instructions;
    }
    sum
}

fn print_table(title: String, names: &[&String], rows: &[Row], clock: &Clock) {
    println!("\n{title}");
    println!(
        "  {:<10} {:>9} {:>9} {:>12} {:>10} {:>14}",
        "program", "IR insts", "ms", "ns/IR inst", "bytes/IR", "insts/IR inst"
    );
    let all = total(rows);
    let rows = rows.iter().chain([&all]);
    for (name, row) in names.iter().map(|name| name.as_str()).chain(["total"]).zip(rows) {
        let n = row.ir_insts as f64;
        let instructions = if clock.counts_instructions() {
            format!("{:.0}", row.cost.instructions / n)
        } else {
            "-".into()
        };
        println!(
            "  {:<10} {:>9} {:>9.3} {:>12.0} {:>10.2} {:>14}",
            name,
            row.ir_insts,
            row.cost.seconds * 1e3,
            row.cost.seconds * 1e9 / n,
            row.code_bytes as f64 / n,
            instructions
        );
    }
}

/// Side by side, per IR instruction.
fn print_summary(compilers: &[&dyn Compiler], rows: &[(String, Vec<Row>)]) {
    println!("\nPer IR instruction, all programs");
    let mut first = None;
    for (i, compiler) in compilers.iter().enumerate() {
        let all = total(&rows.iter().map(|(_, row)| row[i]).collect::<Vec<_>>());
        let nanoseconds = all.cost.seconds * 1e9 / all.ir_insts as f64;
        let first = *first.get_or_insert(nanoseconds);
        println!(
            "  {:<26} {:>7.0} ns ({:.2} of the first) {:>6.2} bytes of code",
            compiler.name(),
            nanoseconds,
            nanoseconds / first,
            all.code_bytes as f64 / all.ir_insts as f64
        );
    }
}

/// Where Windlass spends its time, on the wall, with verification.
fn print_stages(options: &Options, names: &[&String]) -> Result<(), String> {
    let windlass = Windlass::new("armv7hf", "speed", true)?;
    let mut sums = [0.0; Stage::ALL.len()];
    for name in names {
        let text = read(&options.inputs, "p32", name)?;
        let rounds: Result<Vec<_>, _> = (0..options.rounds).map(|_| windlass.stages(&text)).collect();
        let rounds = rounds?;
        for (i, sum) in sums.iter_mut().enumerate() {
            *sum += median(rounds.iter().map(|times| times[i]).collect());
        }
    }
    let all: f64 = sums.iter().sum();
    println!("\nStages of {}, verification included (time on the wall)", windlass.name());
    for (stage, seconds) in Stage::ALL.iter().zip(sums) {
        println!("  {:<10} {:>9.3} ms {:>6.1} %", stage.name(), seconds * 1e3, seconds * 100.0 / all);
    }
    Ok(())
}
