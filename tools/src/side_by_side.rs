//! Machine code beside the instructions that it comes from.
//!
//! The compiled code's [`inst_ranges`](windlass::CompiledCode::inst_ranges) say which instruction a stretch of code
//! was selected from. Lines of code with the same origin stand beside the function's line; an instruction without
//! code (a constant that went into its use) stands alone, before the next one that has some.

use std::collections::BTreeMap;
use std::fmt::Write;
use windlass::ir::{Inst, text};
use windlass::{CompiledCode, Target};
use windlass_filetests::listing::{self, Line};
use windlass_filetests::source::SourceFunction;

/// Width of the function's column.
const LEFT: usize = 48;

fn clip(text: &str) -> String {
    let flat: String = text.split_whitespace().collect::<Vec<_>>().join(" ");
    if flat.chars().count() <= LEFT {
        return flat;
    }
    flat.chars().take(LEFT - 1).chain(['…']).collect()
}

/// What the function's column says of an instruction: its source, or how it prints if it has none.
fn source(func: &SourceFunction, text: &str, inst: Inst) -> String {
    match func.source_map.span(inst) {
        Some(span) => clip(span.of(text)),
        None => clip(&text::DisplayInst(&func.function, inst).to_string()),
    }
}

/// The listing of a function.
pub fn render(target: &dyn Target, func: &SourceFunction, text: &str, code: &CompiledCode) -> String {
    let lines = listing::disassemble(target, code);
    let mut by_inst: BTreeMap<u32, Vec<&Line>> = BTreeMap::new();
    let mut placed = vec![false; lines.len()];
    let order: Vec<_> = func
        .function
        .layout
        .blocks()
        .flat_map(|block| func.function.layout.block_insts(block).map(move |inst| (block, inst)))
        .collect();
    // Number of each instruction in the layout.
    let number: BTreeMap<Inst, u32> = order.iter().zip(0..).map(|((_, inst), n)| (*inst, n)).collect();
    for (i, line) in lines.iter().enumerate() {
        let origin = code
            .inst_ranges
            .iter()
            .find(|r| r.code.contains(&line.code.start))
            .and_then(|r| number.get(&r.inst));
        if let Some(&n) = origin {
            by_inst.entry(n).or_default().push(line);
            placed[i] = true;
        }
    }
    let right = |line: &Line| {
        format!("{:6x}:  {:8}  {}", line.code.start, listing::hex(target, &code.bytes, line), line.full())
    };
    let mut out = format!("function {}{}\n", func.function.name, func.function.signature);
    let first_placed = placed.iter().position(|&p| p).unwrap_or(lines.len());
    for line in &lines[..first_placed] {
        let _ = writeln!(out, "{:LEFT$}  {}", "", right(line));
    }
    let mut block = None;
    for (n, (in_block, inst)) in (0..).zip(&order) {
        if block.replace(*in_block) != Some(*in_block) {
            let params: Vec<_> = func
                .function
                .dfg
                .block_params(*in_block)
                .iter()
                .map(|&v| format!("{v}: {}", func.function.dfg.value_type(v)))
                .collect();
            let list = if params.is_empty() { String::new() } else { format!("({})", params.join(", ")) };
            let _ = writeln!(out, "{}", clip(&format!("{in_block}{list}:")));
        }
        let mut left = format!("  {}", source(func, text, *inst));
        left = left.chars().take(LEFT).collect();
        let mut rest = by_inst.get(&n).map(Vec::as_slice).unwrap_or_default().iter();
        match rest.next() {
            None => {
                let _ = writeln!(out, "{left}");
            }
            Some(line) => {
                let _ = writeln!(out, "{left:LEFT$}  {}", right(line));
            }
        }
        for line in rest {
            let _ = writeln!(out, "{:LEFT$}  {}", "", right(line));
        }
    }
    for (line, _) in lines.iter().zip(&placed).skip(first_placed).filter(|(_, placed)| !**placed) {
        let _ = writeln!(out, "{:LEFT$}  {}", "", right(line));
    }
    out
}
