//! The compilers that are compared, behind one trait: parse a file once, compile all of its functions many times.

use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};
use windlass::Target;
use windlass::context::Stage;

/// A compiler with its settings.
pub trait Compiler {
    /// The name in tables.
    fn name(&self) -> String;
    /// The folder of programs that it takes: the width of its addresses.
    fn folder(&self) -> &'static str;
    /// Reads a program's text.
    ///
    /// # Errors
    /// It does not parse.
    fn load(&self, text: &str) -> Result<Box<dyn Program>, String>;
}

/// A program that was read.
pub trait Program {
    /// Instructions of the language in all of its functions.
    fn ir_insts(&self) -> usize;
    /// Does what must be done anew before each compilation and is not to be measured.
    fn prepare(&mut self) {}
    /// Compiles every function. The result is the bytes of code.
    ///
    /// # Errors
    /// The compiler refuses a function; the message says why.
    fn compile(&mut self) -> Result<usize, String>;
}

/// Windlass for one of its targets.
pub struct Windlass {
    target: Arc<dyn Target>,
    opt_level: String,
}

impl Windlass {
    /// For the target with this name. Nothing is verified unless `verify`.
    ///
    /// # Errors
    /// No such target or level.
    pub fn new(name: &str, opt_level: &str, verify: bool) -> Result<Windlass, String> {
        let build = || {
            let mut builder = windlass::lookup(name)?;
            builder.set("opt_level", Some(opt_level))?;
            builder.set("enable_verifier", Some(if verify { "true" } else { "false" }))?;
            builder.build()
        };
        let target = build().map_err(|e| e.to_string())?;
        Ok(Windlass { target: target.into(), opt_level: opt_level.into() })
    }

    /// Seconds of each stage for one compilation of a program, in the order of [`Stage::ALL`].
    ///
    /// # Errors
    /// The program does not parse or compile.
    pub fn stages(&self, text: &str) -> Result<[f64; Stage::ALL.len()], String> {
        let mut program = self.read(text)?;
        program.compile()?;
        let times = Arc::new(Mutex::new(([Duration::ZERO; Stage::ALL.len()], Instant::now())));
        let seen = Arc::clone(&times);
        program.cx.set_observer(Some(Box::new(move |stage| {
            if let Ok(mut seen) = seen.lock() {
                let now = Instant::now();
                let since = now - seen.1;
                seen.0[Stage::ALL.iter().position(|s| *s == stage).unwrap_or(0)] += since;
                seen.1 = now;
            }
        })));
        for func in &program.functions {
            if let Ok(mut times) = times.lock() {
                times.1 = Instant::now();
            }
            self.target.compile(func, &mut program.cx).map_err(|e| format!("{}: {e}", func.name))?;
        }
        let times = times.lock().map_err(|e| e.to_string())?;
        Ok(times.0.map(|time| time.as_secs_f64()))
    }

    fn read(&self, text: &str) -> Result<WindlassProgram, String> {
        let file = windlass_ir::text::parse_test_file(text, &windlass_ir::text::ParseOptions::default())
            .map_err(|e| e.to_string())?;
        let functions = file.functions.into_iter().map(|f| f.func).collect();
        Ok(WindlassProgram { target: Arc::clone(&self.target), functions, cx: windlass::Context::new() })
    }
}

impl Compiler for Windlass {
    fn name(&self) -> String {
        format!("Windlass {} {}", self.target.name(), self.opt_level)
    }

    fn folder(&self) -> &'static str {
        if self.target.elf().is_64 { "p64" } else { "p32" }
    }

    fn load(&self, text: &str) -> Result<Box<dyn Program>, String> {
        Ok(Box::new(self.read(text)?))
    }
}

struct WindlassProgram {
    target: Arc<dyn Target>,
    functions: Vec<windlass_ir::Function>,
    cx: windlass::Context,
}

impl Program for WindlassProgram {
    fn ir_insts(&self) -> usize {
        let count = |f: &windlass_ir::Function| {
            f.layout.blocks().map(|b| f.layout.block_insts(b).count()).sum::<usize>()
        };
        self.functions.iter().map(count).sum()
    }

    fn compile(&mut self) -> Result<usize, String> {
        let mut bytes = 0;
        for func in &self.functions {
            let code = self.target.compile(func, &mut self.cx).map_err(|e| format!("{}: {e}", func.name))?;
            bytes += code.bytes.len();
        }
        Ok(bytes)
    }
}

/// Cranelift for 64-bit ARM: it has no back end for a 32-bit machine.
pub struct Cranelift {
    isa: cranelift_codegen::isa::OwnedTargetIsa,
    opt_level: String,
}

impl Cranelift {
    /// With this level. Nothing is verified.
    ///
    /// # Errors
    /// No such level.
    pub fn new(opt_level: &str) -> Result<Cranelift, String> {
        use cranelift_codegen::settings::{self, Configurable};
        let mut flags = settings::builder();
        flags.set("opt_level", opt_level).map_err(|e| e.to_string())?;
        flags.set("enable_verifier", "false").map_err(|e| e.to_string())?;
        let isa = cranelift_codegen::isa::lookup_by_name("aarch64-unknown-linux-gnu")
            .map_err(|e| e.to_string())?
            .finish(settings::Flags::new(flags))
            .map_err(|e| e.to_string())?;
        Ok(Cranelift { isa, opt_level: opt_level.into() })
    }
}

impl Compiler for Cranelift {
    fn name(&self) -> String {
        format!("Cranelift aarch64 {}", self.opt_level)
    }

    /// Its verifier refuses addresses of 32 bits on this machine.
    fn folder(&self) -> &'static str {
        "p64"
    }

    fn load(&self, text: &str) -> Result<Box<dyn Program>, String> {
        // The header names machines that the reader does not know.
        let start = if text.starts_with("function") { 0 } else { text.find("\nfunction").unwrap_or(0) };
        let functions = cranelift_reader::parse_functions(&text[start..]).map_err(|e| e.to_string())?;
        Ok(Box::new(CraneliftProgram {
            isa: Arc::clone(&self.isa),
            functions,
            fresh: Vec::new(),
            cx: cranelift_codegen::Context::new(),
        }))
    }
}

struct CraneliftProgram {
    isa: cranelift_codegen::isa::OwnedTargetIsa,
    functions: Vec<cranelift_codegen::ir::Function>,
    /// Copies to compile: it works in place.
    fresh: Vec<cranelift_codegen::ir::Function>,
    cx: cranelift_codegen::Context,
}

impl Program for CraneliftProgram {
    fn ir_insts(&self) -> usize {
        let count = |f: &cranelift_codegen::ir::Function| {
            f.layout.blocks().map(|b| f.layout.block_insts(b).count()).sum::<usize>()
        };
        self.functions.iter().map(count).sum()
    }

    fn prepare(&mut self) {
        self.fresh.clone_from(&self.functions);
    }

    fn compile(&mut self) -> Result<usize, String> {
        let mut bytes = 0;
        let mut plane = cranelift_codegen::control::ControlPlane::default();
        for func in self.fresh.drain(..) {
            // Memory of the last compilation is used again.
            self.cx.clear();
            self.cx.func = func;
            let code = self.cx.compile(&*self.isa, &mut plane).map_err(|e| format!("{:?}", e.inner))?;
            bytes += code.code_buffer().len();
        }
        Ok(bytes)
    }
}
