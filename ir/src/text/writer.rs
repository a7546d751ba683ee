//! Functions as text.
//!
//! The layout is Cranelift's: a preamble indented by four, blocks with a blank line between them, instructions indented by
//! four, or, if any has a source location or a debug tag, by 36 behind those. Constants among the operands are repeated
//! in a comment. A type stands behind an opcode where it must, and where the operand that it follows from is defined in
//! another block.
//!
//! What the parser accepts prints to a text that parses and prints the same.

use crate::dfg::{DebugTag, UserStackMapEntry, ValueDef};
use crate::entities::*;
use crate::extname::write_quoted;
use crate::function::{Function, GlobalValueData, RegionData, StackSlotData};
use crate::immediates::{Imm64, Offset32};
use crate::instdata::{BlockCall, ExceptionItem, InstData};
use crate::opcode::{Ctrl, Opcode};
use crate::types::Type;
use alloc::vec::Vec;
use core::fmt::{self, Write};
use cranelift_entity::EntitySet;

/// Lines and ends of lines that a tool adds to a function's text: machine code beside the instructions that it comes
/// from, errors below what they are about. Every method does nothing unless it is overridden.
///
/// What is added should be comments, or the text does not parse again.
pub trait Annotator {
    /// Before the line of a block's header. `indent`: how many spaces the header has before it.
    fn before_block(
        &mut self,
        w: &mut dyn Write,
        func: &Function,
        block: Block,
        indent: usize,
    ) -> fmt::Result {
        let _ = (w, func, block, indent);
        Ok(())
    }

    /// Before the line of an instruction. `indent`: how many spaces the instruction has before it.
    fn before_inst(&mut self, w: &mut dyn Write, func: &Function, inst: Inst, indent: usize) -> fmt::Result {
        let _ = (w, func, inst, indent);
        Ok(())
    }

    /// At the end of the line of a part of the function: a declaration, a block's header, an instruction.
    fn end_of_line(&mut self, w: &mut dyn Write, func: &Function, entity: AnyEntity) -> fmt::Result {
        let _ = (w, func, entity);
        Ok(())
    }

    /// Below the line of a part of the function; for [`AnyEntity::Function`], below its first line.
    /// `indent`: how many spaces that line has before it.
    fn after(&mut self, w: &mut dyn Write, func: &Function, entity: AnyEntity, indent: usize) -> fmt::Result {
        let _ = (w, func, entity, indent);
        Ok(())
    }
}

/// The annotator that adds nothing.
#[derive(Clone, Copy, Debug, Default)]
pub struct PlainText;

impl Annotator for PlainText {}

/// Writes `func` to `w`, with what `annotator` adds. The closing brace ends its line.
pub fn write_function(w: &mut dyn Write, func: &Function, annotator: &mut dyn Annotator) -> fmt::Result {
    Writer::new(func).function(w, annotator)
}

impl fmt::Display for Function {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_function(f, self, &mut PlainText)
    }
}

/// An instruction as one line, without indentation, prefix and comment, for messages.
#[derive(Clone, Copy)]
pub struct DisplayInst<'a>(pub &'a Function, pub Inst);

impl fmt::Display for DisplayInst<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.0.dfg.insts.is_valid(self.1) {
            return self.1.fmt(f);
        }
        write_results_and_operands(f, self.0, self.1, &|_| true)
    }
}

impl fmt::Debug for DisplayInst<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl fmt::Display for StackSlotData {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "explicit_slot {}", self.size)?;
        if self.align_shift != 0 {
            write!(f, ", align = {}", 1u64 << self.align_shift.min(63))?;
        }
        match self.key {
            Some(key) => write!(f, ", key = {key}"),
            None => Ok(()),
        }
    }
}

impl fmt::Display for GlobalValueData {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            GlobalValueData::VMContext => f.write_str("vmctx"),
            GlobalValueData::Load { base, offset, ty, flags } => {
                write!(f, "load.{ty}{flags} {base}{}", Offset32(*offset))
            }
            GlobalValueData::IAddImm { base, offset, ty } => {
                write!(f, "iadd_imm.{ty} {base}, {}", Imm64(*offset))
            }
            GlobalValueData::Symbol { name, offset, colocated, tls } => {
                f.write_str("symbol ")?;
                if *colocated {
                    f.write_str("colocated ")?;
                }
                if *tls {
                    f.write_str("tls ")?;
                }
                write!(f, "{name}")?;
                match offset {
                    0 => Ok(()),
                    1.. => write!(f, "+{}", Imm64(*offset)),
                    _ => write!(f, "{offset}"),
                }
            }
        }
    }
}

impl fmt::Display for RegionData {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} \"", self.user_id)?;
        write_quoted(f, &self.description)?;
        f.write_str("\"")
    }
}

/// Bytes as one hexadecimal number, the last byte first.
struct Bytes<'a>(&'a [u8]);

impl fmt::Display for Bytes<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("0x")?;
        self.0.iter().rev().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

/// Indentation of instructions where some have a prefix.
const WIDE_INDENT: usize = 36;
const INDENT: usize = 4;

struct Writer<'a> {
    func: &'a Function,
    indent: usize,
    /// Pairs of a value and an alias of it, sorted.
    aliases: Vec<(Value, Value)>,
    /// Scratch for prefixes.
    prefix: alloc::string::String,
    /// Places of debug tags, in the order of instructions.
    tags: Vec<(Inst, usize)>,
    /// Instructions that stand in the text already.
    written: EntitySet<Inst>,
}

impl<'a> Writer<'a> {
    fn new(func: &'a Function) -> Writer<'a> {
        let dfg = &func.dfg;
        let mut aliases: Vec<(Value, Value)> = dfg
            .values()
            .filter(|&v| dfg.alias_of(v).is_some())
            .map(|v| (dfg.resolve_aliases(v), v))
            .collect();
        aliases.sort_unstable();
        let mut tags: Vec<(Inst, usize)> =
            dfg.debug_tags.iter().enumerate().map(|(place, &(inst, _))| (inst, place)).collect();
        tags.sort_unstable();
        let mut insts = func.layout.blocks().flat_map(|block| func.layout.block_insts(block));
        let is_tagged = |inst: Inst| tags.binary_search_by_key(&inst, |&(tagged, _)| tagged).is_ok();
        let wide = insts.any(|inst| !func.srclocs[inst].is_none() || (!tags.is_empty() && is_tagged(inst)));
        let indent = if wide { WIDE_INDENT } else { INDENT };
        Writer { func, indent, aliases, prefix: Default::default(), tags, written: EntitySet::new() }
    }

    fn function(&mut self, w: &mut dyn Write, annotator: &mut dyn Annotator) -> fmt::Result {
        let func = self.func;
        write!(w, "function {}{} {{", func.name, func.signature)?;
        annotator.end_of_line(w, func, AnyEntity::Function)?;
        w.write_char('\n')?;
        annotator.after(w, func, AnyEntity::Function, 0)?;
        let mut blank = self.preamble(w, annotator)?;
        for block in func.layout.blocks() {
            if blank {
                w.write_char('\n')?;
            }
            blank = true;
            self.block(w, annotator, block)?;
        }
        w.write_str("}\n")
    }

    /// Returns whether there is any.
    fn preamble(&self, w: &mut dyn Write, annotator: &mut dyn Annotator) -> Result<bool, fmt::Error> {
        let func = self.func;
        let mut any = false;
        let mut line = |w: &mut dyn Write, entity: AnyEntity, data: &dyn fmt::Display| {
            any = true;
            write!(w, "    {entity} = {data}")?;
            annotator.end_of_line(w, func, entity)?;
            w.write_char('\n')?;
            annotator.after(w, func, entity, INDENT)
        };
        for (slot, data) in &func.stack_slots {
            line(w, slot.into(), data)?;
        }
        for (region, data) in &func.regions {
            line(w, region.into(), data)?;
        }
        for (global, data) in &func.global_values {
            line(w, global.into(), data)?;
        }
        for (sig, data) in &func.dfg.signatures {
            line(w, sig.into(), data)?;
        }
        for (callee, data) in &func.dfg.ext_funcs {
            let colocated = if data.colocated { "colocated " } else { "" };
            line(w, callee.into(), &format_args!("{colocated}{} {}", data.name, data.signature))?;
        }
        for (constant, data) in &func.dfg.constants {
            line(w, constant.into(), &Bytes(data))?;
        }
        if let Some(limit) = func.stack_limit {
            line(w, AnyEntity::StackLimit, &limit)?;
        }
        for set in &func.register_sets {
            any = true;
            write!(w, "    registers {}", set.name)?;
            for (i, v) in set.values.iter().enumerate() {
                write!(w, "{} {v}", if i == 0 { " =" } else { "," })?;
            }
            w.write_char('\n')?;
        }
        Ok(any)
    }

    fn block(&mut self, w: &mut dyn Write, annotator: &mut dyn Annotator, block: Block) -> fmt::Result {
        let func = self.func;
        let indent = self.indent - INDENT;
        annotator.before_block(w, func, block, indent)?;
        write!(w, "{:indent$}{block}", "")?;
        let params = func.dfg.block_params(block);
        for (i, &param) in params.iter().enumerate() {
            let before = if i == 0 { "(" } else { ", " };
            write!(w, "{before}{param}: {}", func.dfg.value_type(param))?;
        }
        if !params.is_empty() {
            w.write_char(')')?;
        }
        w.write_str(if func.layout.is_cold(block) { " cold:" } else { ":" })?;
        annotator.end_of_line(w, func, block.into())?;
        w.write_char('\n')?;
        for &param in params {
            self.aliases_of(w, param)?;
        }
        annotator.after(w, func, block.into(), indent)?;
        for inst in func.layout.block_insts(block) {
            self.inst(w, annotator, inst)?;
        }
        Ok(())
    }

    fn inst(&mut self, w: &mut dyn Write, annotator: &mut dyn Annotator, inst: Inst) -> fmt::Result {
        let func = self.func;
        annotator.before_inst(w, func, inst, self.indent)?;
        self.prefix.clear();
        let loc = func.srclocs[inst];
        if !loc.is_none() {
            write!(self.prefix, "@{:04x} ", loc.0)?;
        }
        if let Ok(place) = self.tags.binary_search_by_key(&inst, |&(tagged, _)| tagged) {
            let tags = &func.dfg.debug_tags[self.tags[place].1].1;
            for (i, tag) in tags.iter().enumerate() {
                self.prefix.push_str(if i == 0 { "<" } else { ", " });
                match tag {
                    DebugTag::User(n) => write!(self.prefix, "{n}")?,
                    DebugTag::StackSlot(slot) => write!(self.prefix, "{slot}")?,
                }
            }
            self.prefix.push_str(if tags.is_empty() { "<> " } else { "> " });
        }
        write!(w, "{:indent$}", self.prefix, indent = self.indent)?;
        write_results_and_operands(w, func, inst, &|def| self.written.contains(def))?;
        self.written.insert(inst);
        write_constants(w, func, inst)?;
        annotator.end_of_line(w, func, inst.into())?;
        w.write_char('\n')?;
        for &result in func.dfg.inst_results(inst) {
            self.aliases_of(w, result)?;
        }
        annotator.after(w, func, inst.into(), self.indent)
    }

    fn aliases_of(&self, w: &mut dyn Write, v: Value) -> fmt::Result {
        let start = self.aliases.partition_point(|&(original, _)| original < v);
        for &(original, alias) in &self.aliases[start..] {
            if original != v {
                break;
            }
            writeln!(w, "{:indent$}{alias} -> {original}", "", indent = self.indent)?;
        }
        Ok(())
    }
}

/// `precedes` tells of an instruction whether it stands before `inst`.
fn write_results_and_operands(
    w: &mut dyn Write,
    func: &Function,
    inst: Inst,
    precedes: &dyn Fn(Inst) -> bool,
) -> fmt::Result {
    for (i, result) in func.dfg.inst_results(inst).iter().enumerate() {
        write!(w, "{}{result}", if i == 0 { "" } else { ", " })?;
    }
    if !func.dfg.inst_results(inst).is_empty() {
        w.write_str(" = ")?;
    }
    w.write_str(func.dfg.opcode(inst).name())?;
    if let Some(ty) = suffix(func, inst, precedes) {
        write!(w, ".{ty}")?;
    }
    write_operands(w, func, inst)
}

/// The type behind the opcode, if there has to be one. Definitions stand before uses in functions that are sound; but the
/// others have to read back as well, where types of values may depend on each other in a circle.
fn suffix(func: &Function, inst: Inst, precedes: &dyn Fn(Inst) -> bool) -> Option<Type> {
    let dfg = &func.dfg;
    let ty = dfg.ctrl_type(inst);
    if ty.is_invalid() {
        return None;
    }
    match dfg.opcode(inst).ctrl() {
        Ctrl::None => None,
        Ctrl::Suffix(_) => Some(ty),
        Ctrl::Operand(i, _) => {
            let &v = dfg.inst_args(inst).get(usize::from(i))?;
            let block = match dfg.value_def(v) {
                ValueDef::Result(def, _) if precedes(def) => func.layout.inst_block(def),
                ValueDef::Param(block, _) => Some(block),
                ValueDef::Result(..) | ValueDef::None => None,
            };
            let evident = block.is_some() && block == func.layout.inst_block(inst) && dfg.value_type(v) == ty;
            (!evident).then_some(ty)
        }
    }
}

fn write_values(w: &mut dyn Write, values: &[Value]) -> fmt::Result {
    for (i, v) in values.iter().enumerate() {
        write!(w, "{}{v}", if i == 0 { "" } else { ", " })?;
    }
    Ok(())
}

fn write_block_call(w: &mut dyn Write, func: &Function, call: &BlockCall) -> fmt::Result {
    write!(w, "{}", call.block)?;
    for (i, arg) in call.args(&func.dfg.block_args).enumerate() {
        write!(w, "{}{arg}", if i == 0 { "(" } else { ", " })?;
    }
    w.write_str(if call.is_empty() { "" } else { ")" })
}

/// `v0(v1, v2)`: the first of `args` is the callee.
fn write_indirect(w: &mut dyn Write, args: &[Value]) -> fmt::Result {
    if let Some((callee, args)) = args.split_first() {
        write!(w, "{callee}(")?;
        write_values(w, args)?;
        w.write_char(')')?;
    }
    Ok(())
}

fn write_exception_table(w: &mut dyn Write, func: &Function, table: ExceptionTable) -> fmt::Result {
    let Some(table) = func.dfg.exception_tables.get(table) else { return write!(w, ", {table}") };
    write!(w, ", {}, ", table.sig)?;
    write_block_call(w, func, &table.normal)?;
    w.write_str(", [")?;
    for (i, item) in table.items.iter().enumerate() {
        w.write_str(if i == 0 { " " } else { ", " })?;
        match item {
            ExceptionItem::Tag(tag, call) => {
                write!(w, "{tag}: ")?;
                write_block_call(w, func, call)?;
            }
            ExceptionItem::Default(call) => {
                w.write_str("default: ")?;
                write_block_call(w, func, call)?;
            }
            ExceptionItem::Context(v) => write!(w, "context {v}")?,
        }
    }
    w.write_str(if table.items.is_empty() { "]" } else { " ]" })
}

fn write_operands(w: &mut dyn Write, func: &Function, inst: Inst) -> fmt::Result {
    let dfg = &func.dfg;
    let data = &dfg.insts[inst];
    match data {
        InstData::Nullary { .. } => {}
        InstData::Unary { arg, .. } => write!(w, " {arg}")?,
        InstData::UnaryImm { imm, .. } => write!(w, " {}", signed_imm(*imm, dfg.ctrl_type(inst)))?,
        InstData::UnaryIeee16 { imm, .. } => write!(w, " {imm}")?,
        InstData::UnaryIeee32 { imm, .. } => write!(w, " {imm}")?,
        InstData::UnaryIeee64 { imm, .. } => write!(w, " {imm}")?,
        InstData::UnaryConst { constant, .. } => write!(w, " {constant}")?,
        InstData::UnaryGlobalValue { global, .. } => write!(w, " {global}")?,
        InstData::Binary { args: [x, y], .. } => write!(w, " {x}, {y}")?,
        InstData::BinaryImm8 { arg, imm, .. } => write!(w, " {arg}, {imm}")?,
        InstData::Ternary { args: [x, y, z], .. } => write!(w, " {x}, {y}, {z}")?,
        InstData::TernaryImm8 { args: [x, y], imm, .. } => write!(w, " {x}, {y}, {imm}")?,
        InstData::Shuffle { args: [x, y], mask, .. } => match dfg.immediates.get(*mask) {
            Some(bytes) => write!(w, " {x}, {y}, {}", Bytes(bytes))?,
            None => write!(w, " {x}, {y}, {mask}")?,
        },
        InstData::IntCompare { cond, args: [x, y], .. } => write!(w, " {cond} {x}, {y}")?,
        InstData::FloatCompare { cond, args: [x, y], .. } => write!(w, " {cond} {x}, {y}")?,
        InstData::IntAddTrap { args: [x, y], code, .. } => write!(w, " {x}, {y}, {code}")?,
        InstData::MultiAry { args, .. } => {
            let args = args.as_slice(&dfg.value_lists);
            w.write_str(if args.is_empty() { "" } else { " " })?;
            write_values(w, args)?;
        }
        InstData::Jump { dest, .. } => {
            w.write_char(' ')?;
            write_block_call(w, func, dest)?;
        }
        InstData::Brif { arg, dests: [then, other], .. } => {
            write!(w, " {arg}, ")?;
            write_block_call(w, func, then)?;
            w.write_str(", ")?;
            write_block_call(w, func, other)?;
        }
        InstData::BranchTable { arg, table, .. } => {
            write!(w, " {arg}, ")?;
            match dfg.jump_tables.get(*table) {
                Some(table) => {
                    write_block_call(w, func, &table.default)?;
                    w.write_str(", [")?;
                    for (i, call) in table.table.iter().enumerate() {
                        w.write_str(if i == 0 { "" } else { ", " })?;
                        write_block_call(w, func, call)?;
                    }
                    w.write_char(']')?;
                }
                None => write!(w, "{table}")?,
            }
        }
        InstData::Call { func, args, .. } => {
            write!(w, " {func}(")?;
            write_values(w, args.as_slice(&dfg.value_lists))?;
            w.write_char(')')?;
        }
        InstData::CallIndirect { sig, args, .. } => {
            write!(w, " {sig}, ")?;
            write_indirect(w, args.as_slice(&dfg.value_lists))?;
        }
        InstData::TryCall { func: callee, args, exception, .. } => {
            write!(w, " {callee}(")?;
            write_values(w, args.as_slice(&dfg.value_lists))?;
            w.write_char(')')?;
            write_exception_table(w, func, *exception)?;
        }
        InstData::TryCallIndirect { args, exception, .. } => {
            w.write_char(' ')?;
            write_indirect(w, args.as_slice(&dfg.value_lists))?;
            write_exception_table(w, func, *exception)?;
        }
        InstData::FuncAddr { func, .. } => write!(w, " {func}")?,
        InstData::Load { flags, arg, offset, .. } => write!(w, "{flags} {arg}{offset}")?,
        InstData::Store { flags, args: [x, p], offset, .. } => write!(w, "{flags} {x}, {p}{offset}")?,
        InstData::LoadNoOffset { flags, arg, .. } => write!(w, "{flags} {arg}")?,
        InstData::StoreNoOffset { flags, args: [x, p], .. } => write!(w, "{flags} {x}, {p}")?,
        InstData::StackAddr { slot, offset, .. } => write!(w, " {slot}{offset}")?,
        InstData::AtomicRmw { flags, op, args: [p, x], .. } => write!(w, "{flags} {op} {p}, {x}")?,
        InstData::AtomicCas { flags, args: [p, x, y], .. } => write!(w, "{flags} {p}, {x}, {y}")?,
        InstData::Trap { code, .. } => write!(w, " {code}")?,
        InstData::CondTrap { arg, code, .. } => write!(w, " {arg}, {code}")?,
        InstData::ExceptionHandlerAddress { block, index, .. } => write!(w, " {block}, {index}")?,
    }
    write_stack_map(w, func, inst)
}

fn write_stack_map(w: &mut dyn Write, func: &Function, inst: Inst) -> fmt::Result {
    let maps = &func.dfg.stack_maps;
    if maps.is_empty() || !func.dfg.opcode(inst).is_call() {
        return Ok(());
    }
    // Sorted, as they were added; a tool may have added some later.
    let found = match maps.binary_search_by_key(&inst, |&(call, _)| call) {
        Ok(place) => Some(place),
        Err(_) if maps.is_sorted_by_key(|&(call, _)| call) => None,
        Err(_) => maps.iter().position(|&(call, _)| call == inst),
    };
    let Some(place) = found else { return Ok(()) };
    w.write_str(", stack_map=[")?;
    for (i, UserStackMapEntry { ty, slot, offset }) in maps[place].1.iter().enumerate() {
        write!(w, "{}{ty} @ {slot}+{offset}", if i == 0 { "" } else { ", " })?;
    }
    w.write_char(']')
}

/// A constant of type `ty`, with its sign.
fn signed_imm(imm: Imm64, ty: Type) -> Imm64 {
    match ty.bits() {
        bits @ 1..=64 => Imm64(imm.sign_extended(bits)),
        _ => imm,
    }
}

/// The comment that says what constants are among the operands.
fn write_constants(w: &mut dyn Write, func: &Function, inst: Inst) -> fmt::Result {
    let dfg = &func.dfg;
    let mut before = "  ; ";
    let mut result = Ok(());
    dfg.for_each_use(inst, |v| {
        if result.is_err() {
            return;
        }
        let ValueDef::Result(def, 0) = dfg.value_def(v) else { return };
        result = match dfg.insts[def] {
            InstData::UnaryImm { opcode: Opcode::Iconst, imm } => {
                write!(w, "{before}{v} = {}", signed_imm(imm, dfg.ctrl_type(def)))
            }
            InstData::UnaryIeee16 { imm, .. } => write!(w, "{before}{v} = {imm}"),
            InstData::UnaryIeee32 { imm, .. } => write!(w, "{before}{v} = {imm}"),
            InstData::UnaryIeee64 { imm, .. } => write!(w, "{before}{v} = {imm}"),
            InstData::UnaryConst { constant, .. } => match dfg.constants.get(constant) {
                Some(bytes) => write!(w, "{before}{v} = {}", Bytes(bytes)),
                None => return,
            },
            _ => return,
        };
        before = ", ";
    });
    result
}
