//! `windlass compile`

use super::TargetArgs;
use crate::input::Input;
use crate::stats::Table;
use crate::{Failure, Outcome, print, side_by_side};
use std::fmt::Write;
use std::io::IsTerminal;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};
use windlass::builtins::{link_missing, link_own};
use windlass::context::Stage;
use windlass::exe::write_file_atomically;
use windlass::ir::ExternalName;
use windlass::link::{LinkOptions, Module, SegmentKind};
use windlass::object::{ObjectOptions, write_object};
use windlass::{CompiledCode, Context, Target, VCodeStage};
use windlass_filetests::{guest, listing};

/// Compile a file of functions to assembly, an object file, an executable or raw code
#[derive(clap::Args)]
pub struct Args {
    /// A file of functions
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// The machine: a name or triple, with feature words
    #[arg(long, value_name = "TARGET")]
    target: String,
    /// What to make: a listing, an object file, an executable, raw code, the functions as text, machine
    /// instructions before and after register allocation
    #[arg(long, value_name = "KIND", default_value = "asm", value_parser = ["asm", "obj", "exe", "bin", "clif", "vcode"])]
    emit: String,
    /// Where to put it; listings go to standard output unless this is given
    #[arg(short, long, value_name = "OUT")]
    output: Option<PathBuf>,
    /// Print sizes and times of the stages on standard error
    #[arg(long)]
    stats: bool,
    /// In a listing, machine code beside the instructions that it comes from
    #[arg(long)]
    side_by_side: bool,
    #[command(flatten)]
    target_args: TargetArgs,
}

/// Compiles every function of a file, with diagnostics, and measures.
pub fn compile_file(
    input: &Input,
    target: &dyn Target,
    cx: &mut Context,
    table: &mut Table,
) -> Result<Vec<CompiledCode>, Failure> {
    let mut codes = Vec::with_capacity(input.file.functions.len());
    let mut failure = None;
    let clock = StageClock::start(cx);
    for func in &input.file.functions {
        clock.restart();
        let result = target.compile(&func.function, cx);
        match result {
            Ok(code) => {
                table.functions += 1;
                table.sizes.add(&code.stats);
                codes.push(code);
            }
            Err(error) => failure = Some(input.report_compile_error(func, &error)),
        }
    }
    clock.stop(cx, table);
    match failure {
        Some(failure) => Err(failure),
        None => Ok(codes),
    }
}

/// Times the stages of compilations.
struct StageClock(Arc<Mutex<(Instant, [Duration; Stage::ALL.len()])>>);

impl StageClock {
    /// From now on `cx` tells the clock when a stage is done.
    fn start(cx: &mut Context) -> StageClock {
        let shared = Arc::new(Mutex::new((Instant::now(), [Duration::ZERO; Stage::ALL.len()])));
        let clock = StageClock(Arc::clone(&shared));
        cx.set_observer(Some(Box::new(move |stage| {
            if let Ok(mut state) = shared.lock() {
                let now = Instant::now();
                let elapsed = now - state.0;
                state.1[stage as usize] += elapsed;
                state.0 = now;
            }
        })));
        clock
    }

    /// What comes next belongs to no stage before it.
    fn restart(&self) {
        if let Ok(mut state) = self.0.lock() {
            state.0 = Instant::now();
        }
    }

    /// Stops, and adds what was measured.
    fn stop(self, cx: &mut Context, table: &mut Table) {
        cx.set_observer(None);
        if let Ok(state) = self.0.lock() {
            for stage in Stage::ALL {
                table.add_time(stage.name(), state.1[stage as usize]);
            }
        }
    }
}

/// The functions of a file and their code as a module.
pub fn module(input: &Input, codes: Vec<CompiledCode>) -> Module {
    let mut module = Module::new();
    for (func, code) in input.file.functions.iter().zip(codes) {
        module.add_function(func.function.name.clone(), code);
    }
    module
}

pub fn run(args: &Args) -> Outcome {
    let target = args.target_args.build(&args.target, args.side_by_side)?;
    let target = &*target;
    let mut table = Table::default();
    let start = Instant::now();
    let input = Input::verified(&args.file, Some(target))?;
    table.add_time("read and verify", start.elapsed());
    let mut cx = Context::new();

    let bytes = match args.emit.as_str() {
        "clif" => {
            let functions = &input.file.functions;
            functions.iter().map(|f| f.function.to_string()).collect::<Vec<_>>().join("\n").into_bytes()
        }
        "vcode" => vcode(&input, target, &mut cx)?.into_bytes(),
        kind => {
            if kind == "exe" {
                input.check_defined()?;
            }
            let codes = compile_file(&input, target, &mut cx, &mut table)?;
            let start = Instant::now();
            let bytes = match kind {
                "obj" => object(&input, target, codes, &mut cx)?,
                "exe" => executable(&input, target, codes, &mut cx)?,
                "bin" => raw(&input, target, codes, &mut cx)?,
                _ => asm(&input, target, &codes, args.side_by_side).into_bytes(),
            };
            table.add_time("output", start.elapsed());
            bytes
        }
    };
    if args.stats {
        eprint!("{}", table.render());
    }
    let binary = matches!(args.emit.as_str(), "obj" | "exe" | "bin");
    match &args.output {
        Some(path) if path.as_os_str() != "-" => write_file_atomically(path, &bytes, args.emit == "exe")
            .map_err(|e| Failure::Input(format!("{}: {e}", path.display()))),
        None if binary => {
            let extension = match args.emit.as_str() {
                "obj" => "o",
                "exe" => "elf",
                _ => "bin",
            };
            let path = PathBuf::from(args.file.with_extension(extension).file_name().unwrap_or_default());
            write_file_atomically(&path, &bytes, args.emit == "exe")
                .map_err(|e| Failure::Input(format!("{}: {e}", path.display())))
        }
        Some(_) if binary && std::io::stdout().is_terminal() => {
            Err(Failure::Usage("a binary file does not go to a terminal".into()))
        }
        _ => {
            use std::io::Write as _;
            match String::from_utf8(bytes) {
                Ok(text) => print(&text),
                Err(binary) => std::io::stdout()
                    .write_all(binary.as_bytes())
                    .map_err(|e| Failure::Input(format!("standard output: {e}"))),
            }
        }
    }
}

fn asm(input: &Input, target: &dyn Target, codes: &[CompiledCode], side_by_side: bool) -> String {
    let mut out = String::new();
    for (i, (func, code)) in input.file.functions.iter().zip(codes).enumerate() {
        if i > 0 {
            out.push('\n');
        }
        if side_by_side {
            out.push_str(&side_by_side::render(target, func, &input.text, code));
        } else {
            let _ = writeln!(
                out,
                "{}: ; {} bytes, frame {} bytes",
                func.function.name,
                code.bytes.len(),
                code.frame_size_bytes
            );
            out.push_str(&listing::with_offsets(target, code));
        }
    }
    out
}

fn vcode(input: &Input, target: &dyn Target, cx: &mut Context) -> Result<String, Failure> {
    let mut out = String::new();
    for func in &input.file.functions {
        for (stage, title) in [(VCodeStage::Selected, "selected"), (VCodeStage::Allocated, "allocated")] {
            match target.print_vcode(&func.function, stage, cx) {
                Ok(text) => {
                    let _ = writeln!(out, "; {} {title}\n{}", func.function.name, text.trim_end());
                }
                Err(error) => return Err(input.report_compile_error(func, &error)),
            }
        }
    }
    Ok(out)
}

fn object(
    input: &Input,
    target: &dyn Target,
    codes: Vec<CompiledCode>,
    cx: &mut Context,
) -> Result<Vec<u8>, Failure> {
    let fail = |e: &dyn std::fmt::Display| Failure::Input(format!("{}: {e}", input.path));
    let mut module = module(input, codes);
    link_own(&mut module, target, cx).map_err(|e| fail(&e))?;
    write_object(&module, target.elf(), &ObjectOptions::default()).map_err(|e| fail(&e))
}

fn executable(
    input: &Input,
    target: &dyn Target,
    codes: Vec<CompiledCode>,
    cx: &mut Context,
) -> Result<Vec<u8>, Failure> {
    let main = ExternalName::symbol("main");
    let Some(signature) = input.file.signature(&main) else {
        return Err(Failure::Input(format!("{}: an executable needs a function {main}", input.path)));
    };
    let module = module(input, codes);
    guest::program_executable(target, &module, &main, signature, cx)
        .map_err(|e| Failure::Input(format!("{}: {e}", input.path)))
}

/// The code of all functions, and of the run-time library that they need, as it stands in memory, linked at the target's base address.
fn raw(
    input: &Input,
    target: &dyn Target,
    codes: Vec<CompiledCode>,
    cx: &mut Context,
) -> Result<Vec<u8>, Failure> {
    input.check_defined()?;
    let fail = |e: &dyn std::fmt::Display| Failure::Input(format!("{}: {e}", input.path));
    let mut module = module(input, codes);
    link_missing(&mut module, target, cx).map_err(|e| fail(&e))?;
    let image = module.link(&LinkOptions::of_target(target)).map_err(|e| fail(&e))?;
    let code = image.segments().iter().find(|segment| segment.kind == SegmentKind::Code);
    Ok(code.map(|segment| segment.bytes.clone()).unwrap_or_default())
}
