//! The emulator's process: started, read, and stopped when it makes no progress.

use super::GuestError;
use std::fmt;
use std::io::{ErrorKind, Read};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{RecvTimeoutError, sync_channel};
use std::thread;
use std::time::Duration;
use windlass::Target;
use windlass::exe::write_file_atomically;

/// How calls are run.
#[derive(Clone, Debug)]
pub struct GuestOptions {
    /// A call that takes longer than this is stopped.
    pub timeout: Duration,
    /// The emulator, in place of the target's own from the search path. It gets the same arguments.
    pub emulator: Option<PathBuf>,
}

impl Default for GuestOptions {
    fn default() -> GuestOptions {
        GuestOptions { timeout: Duration::from_secs(60), emulator: None }
    }
}

/// How a process ended.
pub(super) enum ProcessEnd {
    /// By itself; the text says how.
    Ended(String),
    /// It wrote nothing for too long.
    TimedOut,
}

impl fmt::Display for ProcessEnd {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ProcessEnd::Ended(how) => f.write_str(how),
            ProcessEnd::TimedOut => f.write_str("nothing happened in time"),
        }
    }
}

/// The emulator of a target, ready for a program of it.
pub(super) fn emulator(target: &dyn Target, options: &GuestOptions) -> Command {
    let emulator = target.emulator();
    let mut command = match &options.emulator {
        Some(path) => Command::new(path),
        None => Command::new(emulator.program),
    };
    command.args(emulator.args);
    command
}

/// Starts the emulator, or says which package has it.
pub(super) fn spawn(
    command: &mut Command,
    target: &dyn Target,
    options: &GuestOptions,
) -> Result<Child, GuestError> {
    command.spawn().map_err(|error| match error.kind() {
        ErrorKind::NotFound => {
            let emulator = target.emulator();
            let program = match &options.emulator {
                Some(path) => path.display().to_string(),
                None => emulator.program.to_string(),
            };
            GuestError::MissingEmulator { program, package: emulator.package }
        }
        _ => GuestError::Io(error),
    })
}

/// The program's file in a folder that goes away with the value.
pub(super) fn temporary_program(executable: &[u8]) -> Result<(tempfile::TempDir, PathBuf), GuestError> {
    let folder = tempfile::Builder::new().prefix("windlass").tempdir()?;
    let path = folder.path().join("program");
    write_file_atomically(&path, executable, true)?;
    Ok((folder, path))
}

/// Runs an executable and gives its standard output to `feed` as it comes, until `feed` refuses it.
pub(super) fn run(
    target: &dyn Target,
    executable: &[u8],
    options: &GuestOptions,
    feed: &mut dyn FnMut(&[u8]) -> bool,
) -> Result<ProcessEnd, GuestError> {
    let (folder, path) = temporary_program(executable)?;
    let mut command = emulator(target, options);
    // An emulator that dumps core does it where it stands.
    command.arg(&path).current_dir(folder.path());
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = spawn(&mut command, target, options)?;
    let end = supervise(&mut child, options.timeout, feed);
    // Whatever happened, no process is left behind. Killing one that has ended does nothing.
    let _ = child.kill();
    let status = child.wait()?;
    let (timed_out, complaint) = end?;
    if timed_out {
        return Ok(ProcessEnd::TimedOut);
    }
    let mut how = describe(status);
    if let Some(line) = complaint.lines().find(|line| !line.trim().is_empty()) {
        how = format!("{how}: {}", line.trim().replace(&program_text(&path), "program"));
    }
    Ok(ProcessEnd::Ended(how))
}

fn program_text(path: &Path) -> String {
    path.display().to_string()
}

/// Reads until the process closes its output. Whether it was too slow, and the start of its standard error.
fn supervise(
    child: &mut Child,
    timeout: Duration,
    feed: &mut dyn FnMut(&[u8]) -> bool,
) -> Result<(bool, String), GuestError> {
    let (Some(mut stdout), Some(stderr)) = (child.stdout.take(), child.stderr.take()) else {
        return Err(GuestError::Internal("the emulator has no output".into()));
    };
    // Threads read, so that time can be watched here. They end when the process does.
    let complaints = thread::spawn(move || {
        const ENOUGH: u64 = 4096;
        let mut text = Vec::new();
        let mut stderr = stderr.take(ENOUGH);
        // What was read until an error is all there is to tell.
        let _ = stderr.read_to_end(&mut text);
        // The rest is read as well, or the process would wait for it.
        let _ = std::io::copy(&mut stderr.into_inner(), &mut std::io::sink());
        String::from_utf8_lossy(&text).into_owned()
    });
    let (sender, receiver) = sync_channel::<Vec<u8>>(16);
    thread::spawn(move || {
        let mut buffer = vec![0; 64 * 1024];
        while let Ok(n @ 1..) = stdout.read(&mut buffer) {
            if sender.send(buffer[..n].to_vec()).is_err() {
                break;
            }
        }
    });
    let mut timed_out = false;
    loop {
        match receiver.recv_timeout(timeout) {
            Ok(bytes) => {
                if !feed(&bytes) {
                    let _ = child.kill();
                    break;
                }
            }
            Err(RecvTimeoutError::Timeout) => {
                timed_out = true;
                let _ = child.kill();
                break;
            }
            Err(RecvTimeoutError::Disconnected) => break,
        }
    }
    drop(receiver);
    // A thread that reads a pipe ends with the process; one that panicked has nothing to tell.
    let complaint = complaints.join().unwrap_or_default();
    Ok((timed_out, complaint))
}

/// The name of a signal that stops programs, or its number.
pub(super) fn signal_name(number: u32) -> String {
    let name = match number {
        4 => "SIGILL",
        5 => "SIGTRAP",
        6 => "SIGABRT",
        7 => "SIGBUS",
        8 => "SIGFPE",
        9 => "SIGKILL",
        11 => "SIGSEGV",
        _ => return format!("signal {number}"),
    };
    name.to_string()
}

fn describe(status: ExitStatus) -> String {
    #[cfg(unix)]
    if let Some(signal) = std::os::unix::process::ExitStatusExt::signal(&status) {
        return signal_name(signal.unsigned_abs());
    }
    match status.code() {
        Some(code) => format!("exit status {code}"),
        None => "ended".to_string(),
    }
}
