//! Commands that look at functions one by one: their faults, or text that is compared.

use crate::execute;
use crate::filecheck::Checker;
use crate::golden;
use crate::listing;
use crate::report::Outcome;
use crate::runner::{FileRun, TestTarget};
use crate::source::{SourceFile, SourceFunction};
use crate::targets::{self, AddressUse};
use std::fmt::Write;
use windlass::VCodeStage;
use windlass::ir::text::parse_function;
use windlass::ir::verifier::Verifier;
use windlass::ir::{ControlFlowGraph, DominatorTree, Function, LoopAnalysis};

/// A command of a file's header.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Command {
    /// `test verifier`
    Verifier,
    /// `test interpret`
    Interpret,
    /// `test run`
    Run,
    /// A command whose output is compared.
    Output(Output, Precision),
}

/// A command whose output is compared.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Output {
    /// `test cat`: the function as it prints.
    Cat,
    /// `test print-cfg`: the control-flow graph in dot's language.
    PrintCfg,
    /// `test domtree`: immediate dominators and loops.
    Domtree,
    /// `test legalize`: the function in what the target has; interpreted, it does what its run lines say.
    Legalize,
    /// `test select`: machine instructions before register allocation.
    Select,
    /// `test regalloc`: machine instructions after it.
    Regalloc,
    /// `test compile`: disassembled machine code.
    Compile,
}

/// Must there be a golden block?
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Precision {
    /// Directives, and golden blocks where there are.
    Free,
    /// `precise-output`: a golden block for every function.
    Precise,
}

const OUTPUTS: [(&str, Output); 7] = [
    ("cat", Output::Cat),
    ("print-cfg", Output::PrintCfg),
    ("domtree", Output::Domtree),
    ("legalize", Output::Legalize),
    ("select", Output::Select),
    ("regalloc", Output::Regalloc),
    ("compile", Output::Compile),
];

/// Commands that other suites know and that do not exist here.
const ABSENT: [&str; 8] =
    ["alias-analysis", "binemit", "inline", "licm", "object", "optimize", "safepoint", "unwind"];

impl Command {
    /// Reads a header's line.
    ///
    /// # Errors
    /// A command or an option that does not exist; the message names it.
    pub fn parse(name: &str, options: &[String]) -> Result<Command, String> {
        let output = OUTPUTS.iter().find(|(word, _)| *word == name).map(|(_, output)| *output);
        let mut precision = Precision::Free;
        for option in options {
            match (option.as_str(), output) {
                ("precise-output", Some(_)) => precision = Precision::Precise,
                _ => return Err(format!("`test {name}` has no option '{option}'")),
            }
        }
        match (name, output) {
            (_, Some(output)) => Ok(Command::Output(output, precision)),
            ("verifier", _) => Ok(Command::Verifier),
            ("interpret", _) => Ok(Command::Interpret),
            ("run", _) => Ok(Command::Run),
            _ if ABSENT.contains(&name) => Err(format!("`test {name}` does not exist yet")),
            _ => Err(format!("there is no command `test {name}`")),
        }
    }
}

impl Output {
    /// The word after `test`.
    pub fn name(self) -> &'static str {
        OUTPUTS.iter().find(|(_, output)| *output == self).map_or("", |(word, _)| word)
    }

    fn needs_target(self) -> bool {
        matches!(self, Output::Legalize | Output::Select | Output::Regalloc | Output::Compile)
    }
}

/// Verifies every function, and reports the faults. True if there are none.
pub(crate) fn verify_all(run: &mut FileRun<'_>, file: &SourceFile) -> bool {
    let mut verifier = Verifier::new();
    let mut good = true;
    for func in &file.functions {
        let Err(faults) = verifier.verify(&func.function) else { continue };
        good = false;
        for fault in faults {
            let (line, column) = file.place(func, fault.location);
            let name = format!("verify {}", func.function.name);
            run.check_at(line, column, name, None, Outcome::failed(fault.to_string()));
        }
    }
    good
}

/// Runs a command that looks at functions one by one.
pub(crate) fn run(run: &mut FileRun<'_>, file: &SourceFile, command: Command, targets: &[TestTarget]) {
    match command {
        Command::Verifier => verifier(run, file),
        Command::Output(output, precision) if output.needs_target() => {
            if targets.is_empty() {
                let message = "the command needs a target: a `target` line, or --target";
                let name = format!("test {}", output.name());
                return run.check(0, name, None, Outcome::failed(message));
            }
            for target in targets {
                machine_output(run, file, output, precision, target);
                if output == Output::Legalize {
                    execute::run_legalized(run, file, target);
                }
            }
        }
        Command::Output(output, precision) => {
            for func in &file.functions {
                let text = match output {
                    Output::PrintCfg => print_cfg(&func.function),
                    Output::Domtree => print_domtree(&func.function),
                    _ => func.function.to_string(),
                };
                if output == Output::Cat {
                    round_trip(run, func, &text);
                }
                compare(run, func, output, precision, None, text);
            }
        }
        // The runner hands these to `execute`.
        Command::Interpret | Command::Run => {}
    }
}

/// Every fault must be expected on its line, and every expected fault must be found.
fn verifier(run: &mut FileRun<'_>, file: &SourceFile) {
    let mut verifier = Verifier::new();
    for func in &file.functions {
        let faults = verifier.verify(&func.function).err().unwrap_or_default();
        let mut found: Vec<_> =
            faults.iter().map(|fault| (file.place(func, fault.location), fault.to_string(), false)).collect();
        for (line, message) in &func.expected_errors {
            let hit = found
                .iter_mut()
                .find(|(place, text, used)| !*used && place.0 == *line && text.contains(message.as_str()));
            let outcome = match hit {
                Some((_, _, used)) => {
                    *used = true;
                    Outcome::Passed
                }
                None => {
                    let mut text = String::from("no such fault on this line");
                    for ((line, column), fault, _) in &found {
                        let _ = write!(text, "\nfound {line}:{column}: {fault}");
                    }
                    Outcome::failed(text)
                }
            };
            run.check(*line, format!("error: {message}"), None, outcome);
        }
        let mut surprises = 0;
        for ((line, column), fault, used) in found {
            if !used {
                surprises += 1;
                run.check_at(line, column, "verify", None, Outcome::failed(format!("unexpected: {fault}")));
            }
        }
        if surprises == 0 && func.expected_errors.is_empty() {
            run.check(func.first_line(), format!("verify {}", func.function.name), None, Outcome::Passed);
        }
    }
}

/// Printing, parsing and printing again gives the same text.
fn round_trip(run: &mut FileRun<'_>, func: &SourceFunction, text: &str) {
    let outcome = match parse_function(text) {
        Ok(again) => {
            let again = again.to_string();
            if again == text {
                Outcome::Passed
            } else {
                Outcome::Failed {
                    message: "printed, parsed and printed again it differs".into(),
                    texts: Some((text.to_owned(), again)),
                }
            }
        }
        Err(e) => Outcome::failed(format!("what is printed does not parse: {e}\n{text}")),
    };
    run.check(func.first_line(), format!("round trip {}", func.function.name), None, outcome);
}

fn machine_output(
    run: &mut FileRun<'_>,
    file: &SourceFile,
    output: Output,
    precision: Precision,
    on: &TestTarget,
) {
    let target = &*on.target;
    let mut cx = run.options.context();
    for func in &file.functions {
        let name = || format!("test {} {}", output.name(), func.function.name);
        let mut uses = AddressUse::default();
        uses.add_function(&func.function);
        if let Some(reason) = uses.refusal(targets::machine_of(target).address_type) {
            run.check(func.first_line(), name(), Some(&on.spec), Outcome::Skipped { reason });
            continue;
        }
        let text = match output {
            Output::Legalize => target.legalize(&func.function, &mut cx).map(|legal| match legal {
                Some(legal) => legal.to_string(),
                None => func.function.to_string(),
            }),
            Output::Select => target.print_vcode(&func.function, VCodeStage::Selected, &mut cx),
            Output::Regalloc => target.print_vcode(&func.function, VCodeStage::Allocated, &mut cx),
            _ => target.compile(&func.function, &mut cx).map(|code| listing::plain(target, &code)),
        };
        match text {
            Ok(text) => compare(run, func, output, precision, Some(&on.spec), text),
            Err(e) => {
                let (line, column) = match e.inst() {
                    Some(inst) => file.inst_place(func, inst),
                    None => (func.first_line(), 0),
                };
                run.check_at(line, column, name(), Some(&on.spec), Outcome::failed(e.to_string()));
            }
        }
    }
}

/// Compares an output with the function's golden block and directives.
fn compare(
    run: &mut FileRun<'_>,
    func: &SourceFunction,
    output: Output,
    precision: Precision,
    target: Option<&str>,
    text: String,
) {
    let name = format!("test {} {}", output.name(), func.function.name);
    if !func.directives.is_empty() {
        let result = Checker::new(func.directives.clone()).check(&text);
        let (line, outcome) = match result {
            Ok(()) => (func.first_line(), Outcome::Passed),
            Err(e) => (e.line, Outcome::failed(format!("{}\nin this output:\n{text}", e.message))),
        };
        run.check(line, name.clone(), target, outcome);
    }
    let header = golden::header(output.name(), target);
    let block = func.goldens.iter().find(|block| block.header == header);
    let text = trim_lines(&text);
    match block {
        Some(block) if block.text == text => {
            run.check(block.lines.start as u32, name, target, Outcome::Passed)
        }
        Some(_) | None if run.options.bless && (block.is_some() || precision == Precision::Precise) => {
            run.edits.entry(func.last_line() as usize - 1).or_default().push((header, text));
            run.check(func.first_line(), name, target, Outcome::Passed);
        }
        Some(block) => {
            let message = "the output is not what the file has".to_owned();
            let outcome = Outcome::Failed { message, texts: Some((block.text.clone(), text)) };
            run.check(block.lines.start as u32, name, target, outcome);
        }
        None if precision == Precision::Precise => {
            let message = format!("the file has no `;; {header}` behind this function");
            let outcome = Outcome::Failed { message, texts: Some((String::new(), text)) };
            run.check(func.first_line(), name, target, outcome);
        }
        // Without any expectation, that there is an output is what the check says.
        None if func.directives.is_empty() && output != Output::Cat => {
            run.check(func.first_line(), name, target, Outcome::Passed);
        }
        None => {}
    }
}

/// A golden block does not hold spaces at the ends of lines, nor empty lines at the end.
fn trim_lines(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for line in text.trim_end().lines() {
        out.push_str(line.trim_end());
        out.push('\n');
    }
    out
}

/// The control-flow graph in the language of dot: each edge once, whatever arguments it passes.
fn print_cfg(func: &Function) -> String {
    let mut out = format!("digraph \"{}\" {{\n", func.name.to_string().replace('"', "'"));
    for block in func.layout.blocks() {
        let _ = writeln!(out, "    {block}");
        if let Some(last) = func.layout.last_inst(block) {
            let mut seen = Vec::new();
            for call in func.dfg.branch_destinations(last) {
                if !seen.contains(&call.block) {
                    seen.push(call.block);
                    let _ =
                        writeln!(out, "    {block} -> {} [label=\"{}\"]", call.block, func.dfg.opcode(last));
                }
            }
        }
    }
    out.push_str("}\n");
    out
}

/// Each block in reverse postorder with its immediate dominator and its loop.
fn print_domtree(func: &Function) -> String {
    let cfg = ControlFlowGraph::with_function(func);
    let domtree = DominatorTree::with_function(func, &cfg);
    let loops = LoopAnalysis::with_graph(&cfg, &domtree);
    let mut out = String::new();
    for &block in domtree.rpo() {
        let _ = write!(out, "{block}:");
        if let Some(idom) = domtree.idom(block) {
            let _ = write!(out, " idom {idom}");
        }
        if let Some(l) = loops.innermost_loop(block) {
            let _ = write!(out, " loop {} depth {}", loops.header(l), loops.loop_depth(block));
        }
        out.push('\n');
    }
    for block in func.layout.blocks().filter(|&b| !domtree.is_reachable(b)) {
        let _ = writeln!(out, "{block}: unreachable");
    }
    out
}
