//! Where the parts of a function stand in its text.

use super::error::Span;
use crate::entities::*;
use cranelift_entity::{EntityRef, SecondaryMap};

/// The spans of a function's parts. What the text does not have (a value that an older spelling needed, an
/// instruction made later) has an empty span.
#[derive(Clone, Debug, Default)]
pub struct SourceMap {
    /// From the word `function` to the closing brace.
    pub function: Span,
    /// The function's name.
    pub name: Span,
    /// Block headers.
    pub blocks: SecondaryMap<Block, Span>,
    /// Instructions: results, opcode, operands.
    pub insts: SecondaryMap<Inst, Span>,
    /// Values, where they are defined.
    pub values: SecondaryMap<Value, Span>,
    /// Stack slot declarations.
    pub stack_slots: SecondaryMap<StackSlot, Span>,
    /// Global value declarations.
    pub global_values: SecondaryMap<GlobalValue, Span>,
    /// Signature declarations; for those inside of function declarations, the function's.
    pub signatures: SecondaryMap<SigRef, Span>,
    /// Function declarations.
    pub functions: SecondaryMap<FuncRef, Span>,
    /// Constant declarations.
    pub constants: SecondaryMap<Constant, Span>,
    /// Region declarations.
    pub regions: SecondaryMap<Region, Span>,
    /// The stack limit.
    pub stack_limit: Span,
}

impl SourceMap {
    /// Where `entity` stands; `None` if nowhere.
    pub fn span(&self, entity: impl Into<AnyEntity>) -> Option<Span> {
        let span = match entity.into() {
            AnyEntity::Function => self.function,
            AnyEntity::Block(e) => self.blocks[e],
            AnyEntity::Inst(e) => self.insts[e],
            AnyEntity::Value(e) => self.values[e],
            AnyEntity::StackSlot(e) => self.stack_slots[e],
            AnyEntity::GlobalValue(e) => self.global_values[e],
            AnyEntity::SigRef(e) => self.signatures[e],
            AnyEntity::FuncRef(e) => self.functions[e],
            AnyEntity::Constant(e) => self.constants[e],
            AnyEntity::Region(e) => self.regions[e],
            AnyEntity::StackLimit => self.stack_limit,
            // They are part of the instructions that use them.
            AnyEntity::JumpTable(_) | AnyEntity::ExceptionTable(_) | AnyEntity::Immediate(_) => {
                Span::default()
            }
        };
        (!span.is_empty()).then_some(span)
    }

    /// Calls `f` on everything that stands in the text, but for values and the function itself.
    pub(crate) fn for_each(&self, mut f: impl FnMut(Span, AnyEntity)) {
        fn each<K: EntityRef + Into<AnyEntity>>(
            map: &SecondaryMap<K, Span>,
            f: &mut impl FnMut(Span, AnyEntity),
        ) {
            for (entity, &span) in map.iter() {
                if !span.is_empty() {
                    f(span, entity.into());
                }
            }
        }
        each(&self.blocks, &mut f);
        each(&self.insts, &mut f);
        each(&self.stack_slots, &mut f);
        each(&self.global_values, &mut f);
        each(&self.signatures, &mut f);
        each(&self.functions, &mut f);
        each(&self.constants, &mut f);
        each(&self.regions, &mut f);
        if !self.stack_limit.is_empty() {
            f(self.stack_limit, AnyEntity::StackLimit);
        }
    }
}
