//! `windlass reduce`

use crate::{Failure, Outcome, print};
use indicatif::ProgressBar;
use std::io::{IsTerminal, Read};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};
use windlass_filetests::reduce::{Limits, case_of_file, reduce, reduce_lines};

/// Make a file small while a command does the same with it
///
/// The command is given to the shell with the path of each smaller file: in the place of `{}`, or at the end. It does the
/// same if it ends with the same exit status, and prints what --contains asks for.
#[derive(clap::Args)]
pub struct Args {
    /// A file of functions; one that does not parse is reduced line by line
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// What is run: `windlass test {}`
    #[arg(long, value_name = "COMMAND")]
    test: String,
    /// The command must print this
    #[arg(long, value_name = "TEXT")]
    contains: Option<String>,
    /// The command must print exactly what it prints for FILE
    #[arg(long)]
    same_output: bool,
    /// How often the command may be run
    #[arg(long, value_name = "N", default_value_t = 5000)]
    steps: usize,
    /// A command that takes longer does not do the same
    #[arg(long, value_name = "SECONDS", default_value_t = 30)]
    timeout: u64,
    /// Where the small file goes; standard output without it
    #[arg(short, long, value_name = "FILE")]
    out: Option<PathBuf>,
}

/// What a command did: its exit status (none if a signal ended it), and what it printed to both streams.
type Behaviour = (Option<i32>, Vec<u8>);

pub fn run(args: &Args) -> Outcome {
    let name = args.file.display().to_string();
    let bytes = std::fs::read(&args.file).map_err(|e| Failure::Input(format!("{name}: {e}")))?;
    let text = String::from_utf8_lossy(&bytes).into_owned();
    let folder = tempfile::tempdir().map_err(|e| Failure::Input(format!("a temporary folder: {e}")))?;
    let mut runner =
        Runner { args, path: folder.path().join(args.file.file_name().unwrap_or_default()), runs: 0 };
    let Some(wanted) = runner.behaviour(&text)? else {
        return Err(Failure::Input(format!("{name}: the command takes longer than {} s", args.timeout)));
    };
    if let Some(part) = &args.contains
        && !contains(&wanted.1, part)
    {
        return Err(Failure::Input(format!("{name}: the command does not print '{part}'")));
    }
    let bar =
        if std::io::stderr().is_terminal() { ProgressBar::new_spinner() } else { ProgressBar::hidden() };
    let mut trouble = None;
    let mut holds = |text: &str| {
        bar.set_message(format!("{} runs, {} lines", runner.runs, text.lines().count()));
        bar.tick();
        match runner.behaviour(text) {
            Ok(behaviour) => behaviour.is_some_and(|behaviour| same(args, &wanted, &behaviour)),
            Err(error) => {
                trouble = Some(error);
                false
            }
        }
    };
    let limits = Limits { steps: args.steps, ..Limits::default() };
    let small = match case_of_file(&text) {
        Ok(case) if holds(&case.to_string()) => {
            reduce(case, &limits, &mut |case| holds(&case.to_string())).to_string()
        }
        // What shows in the text as it is written only: comments, spelling.
        _ => reduce_lines(&text, &limits, &mut holds),
    };
    bar.finish_and_clear();
    if let Some(error) = trouble {
        return Err(error);
    }
    match &args.out {
        Some(path) => {
            std::fs::write(path, &small).map_err(|e| Failure::Input(format!("{}: {e}", path.display())))?;
            let lines = (text.lines().count(), small.lines().count());
            print(&format!("{}: {} lines of {}, {} runs\n", path.display(), lines.1, lines.0, runner.runs))
        }
        None => print(&small),
    }
}

fn contains(output: &[u8], part: &str) -> bool {
    String::from_utf8_lossy(output).contains(part)
}

fn same(args: &Args, wanted: &Behaviour, found: &Behaviour) -> bool {
    wanted.0 == found.0
        && args.contains.as_ref().is_none_or(|part| contains(&found.1, part))
        && (!args.same_output || wanted.1 == found.1)
}

struct Runner<'a> {
    args: &'a Args,
    path: PathBuf,
    runs: usize,
}

impl Runner<'_> {
    /// What the command does with `text`; `None` if it takes too long.
    fn behaviour(&mut self, text: &str) -> Result<Option<Behaviour>, Failure> {
        let trouble = |e: std::io::Error| Failure::Input(format!("the command: {e}"));
        self.runs += 1;
        std::fs::write(&self.path, text).map_err(trouble)?;
        // Both streams go to one file: nobody has to read two pipes at once.
        let log = self.path.with_extension("log");
        let output = std::fs::File::create(&log).map_err(trouble)?;
        let errors = output.try_clone().map_err(trouble)?;
        let mut child = Command::new("sh")
            .arg("-c")
            .arg(command(&self.args.test, &self.path))
            .stdin(Stdio::null())
            .stdout(output)
            .stderr(errors)
            .spawn()
            .map_err(trouble)?;
        let start = Instant::now();
        let mut nap = Duration::from_millis(1);
        let status = loop {
            if let Some(status) = child.try_wait().map_err(trouble)? {
                break status;
            }
            if start.elapsed() > Duration::from_secs(self.args.timeout) {
                // It may have ended just now; then there is nothing to kill.
                let _ = child.kill();
                child.wait().map_err(trouble)?;
                return Ok(None);
            }
            std::thread::sleep(nap);
            nap = (nap * 2).min(Duration::from_millis(20));
        };
        let mut printed = Vec::new();
        std::fs::File::open(&log).and_then(|mut log| log.read_to_end(&mut printed)).map_err(trouble)?;
        Ok(Some((status.code(), printed)))
    }
}

/// The command with the path of the file.
fn command(test: &str, path: &Path) -> String {
    let path = format!("'{}'", path.display().to_string().replace('\'', r"'\''"));
    if test.contains("{}") { test.replace("{}", &path) } else { format!("{test} {path}") }
}
