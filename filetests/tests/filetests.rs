//! Every `.clif` file here and under examples/ is a test with its path as name.
//!
//! `WINDLASS_BLESS=1 cargo test -p windlass-filetests` rewrites golden outputs.

use libtest_mimic::{Arguments, Failed, Trial};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use windlass_filetests::report::Summary;
use windlass_filetests::{Options, find_files, run_file};

fn main() -> ExitCode {
    let arguments = Arguments::from_args();
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    let roots: [PathBuf; 2] = [here.join("tests"), here.join("../examples")];
    let mut trials = Vec::new();
    for root in roots {
        let files = match find_files(std::slice::from_ref(&root)) {
            Ok(files) => files,
            Err(e) => {
                eprintln!("{e}");
                return ExitCode::FAILURE;
            }
        };
        for file in files {
            let name = file.strip_prefix(&root).unwrap_or(&file).display().to_string();
            let kind = root.file_name().map(|n| n.to_string_lossy().into_owned()).unwrap_or_default();
            trials.push(Trial::test(format!("{kind}/{name}"), move || run(&file)));
        }
    }
    libtest_mimic::run(&arguments, trials).exit_code()
}

fn run(file: &Path) -> Result<(), Failed> {
    let options = Options { jobs: 1, ..Options::from_environment() };
    let summary = Summary { files: vec![run_file(file, &options)] };
    if summary.failed() == 0 { Ok(()) } else { Err(summary.render(false).into()) }
}
