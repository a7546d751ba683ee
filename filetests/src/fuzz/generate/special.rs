//! Parameters with a purpose: structures by value, results in memory, contexts with the limit of the stack.
//!
//! Their operands are addresses, so only other functions of the program call such a function. Who calls writes all that the
//! callee may read; what the callee gets is a slot like its own.

use super::body::Body;
use super::memory::{Place, Slot};
use super::{Context, is_plain};
use crate::fuzz::menu::Menu;
use crate::fuzz::random::Random;
use windlass_ir::{
    AbiParam, ArgumentPurpose, GlobalValueData, InstBuilder, MemFlags, Signature, StackSlotData, StructArg,
    Type, Value, types,
};

/// Bytes of memory behind parameters that are no structures.
const ROOM: u32 = 64;
/// Where in a context's memory the limit of the stack is.
const LIMIT: i32 = 8;
/// Where the part of a context's memory begins that is the callee's own.
const OWN: i32 = 16;

/// Gives some signatures parameters with a purpose.
pub(super) fn add_params(signature: &mut Signature, menu: &Menu, random: &mut Random) -> Context {
    let mut context = Context::None;
    if !random.chance(15) {
        return context;
    }
    let address = menu.address;
    let add = |signature: &mut Signature, purpose, random: &mut Random| {
        let at = random.below(signature.params.len() + 1);
        signature.params.insert(at, AbiParam::special(address, purpose));
    };
    if menu.structs.contains(&signature.call_conv) && random.chance(75) {
        for _ in 0..1 + random.below(3) {
            add(signature, ArgumentPurpose::StructArgument(layout(random)), random);
        }
    }
    if menu.contexts && random.chance(30) {
        add(signature, ArgumentPurpose::StructReturn, random);
    }
    if menu.contexts && (random.chance(30) || is_plain(signature)) {
        context = if random.chance(50) { Context::Memory } else { Context::Limit };
        add(signature, ArgumentPurpose::VMContext, random);
    }
    context
}

/// A structure: small, large, of floats alone.
fn layout(random: &mut Random) -> StructArg {
    match random.below(10) {
        0..2 => StructArg::homogeneous(types::F32, 1 + random.below(10) as u32),
        2..4 => StructArg::homogeneous(types::F64, 1 + random.below(10) as u32),
        n => {
            let bytes = match n {
                4..8 => 1 + random.below(24),
                8 => random.between(25, 80),
                _ => random.between(81, 400),
            };
            let align = 1 << random.below(5);
            StructArg::new(bytes as u32).with_align(align)
        }
    }
}

impl Body<'_> {
    /// Takes the parameters; those with a purpose become slots, or are read.
    pub(super) fn enter(&mut self) {
        let params = self.func.dfg.block_params(self.block).to_vec();
        let purposes: Vec<_> = self.func.signature.params.iter().map(|param| param.purpose).collect();
        for (&v, purpose) in params.iter().zip(purposes) {
            match purpose {
                ArgumentPurpose::Normal => self.keep(v),
                ArgumentPurpose::StructArgument(layout) => self.enter_structure(v, layout),
                ArgumentPurpose::StructReturn => self.enter_slot(v, 0, ROOM as i32, 16),
                ArgumentPurpose::VMContext => self.enter_context(v),
            }
        }
        if self.menu.stack_pointer && self.random.chance(5) {
            let address = self.menu.address;
            self.stack_pointer = Some(self.at().ins().get_stack_pointer(address));
        }
    }

    fn enter_slot(&mut self, v: Value, start: i32, len: i32, align: i32) {
        self.slots.push(Slot { place: Place::Pointer(v), start, len, align });
        self.style.memory = self.style.memory.max(15);
    }

    fn enter_structure(&mut self, v: Value, layout: StructArg) {
        let len = (layout.bytes & !7) as i32;
        if len >= 16 {
            self.enter_slot(v, 0, len, layout.align as i32);
        }
        // What is behind the slot.
        let mut at = if len >= 16 { len } else { 0 };
        while at < layout.bytes as i32 {
            let ty = piece(layout.bytes - at as u32);
            let v = self.at().ins().load(ty, MemFlags::new().with_notrap(), v, at);
            self.keep(v);
            at += ty.bytes() as i32;
        }
    }

    fn enter_context(&mut self, v: Value) {
        let ty = self.menu.address;
        let mut limit = self.func.global_values.push(GlobalValueData::VMContext);
        if self.context == Context::Memory {
            let flags = MemFlags::trusted();
            let load = GlobalValueData::Load { base: limit, offset: LIMIT, ty, flags };
            limit = self.func.global_values.push(load);
            self.enter_slot(v, OWN, ROOM as i32 - OWN, 16);
        }
        if self.random.chance(30) {
            let offset = [-16, 1, 4096, 0x12_3450][self.random.below(4)];
            limit = self.func.global_values.push(GlobalValueData::IAddImm { base: limit, offset, ty });
        }
        self.func.stack_limit = Some(limit);
        // A function without a frame may not look.
        self.func.stack_slots.push(StackSlotData { size: 16, align_shift: 4, key: None });
    }

    /// Arguments for a callee; also the memory into which it puts results.
    pub(super) fn arguments(&mut self, callee: usize) -> (Vec<Value>, Vec<Value>) {
        let callee = self.callees[callee].clone();
        let mut outputs = Vec::new();
        let mut args = Vec::with_capacity(callee.signature.params.len());
        for param in &callee.signature.params {
            args.push(match param.purpose {
                ArgumentPurpose::Normal => self.value(param.value_type),
                ArgumentPurpose::StructArgument(layout) => self.structure(layout),
                ArgumentPurpose::StructReturn => {
                    let p = self.room(ROOM);
                    outputs.push(p);
                    p
                }
                ArgumentPurpose::VMContext => {
                    let limit = self.limit();
                    if callee.context == Context::Limit {
                        limit
                    } else {
                        let p = self.room(ROOM);
                        self.at().ins().store(MemFlags::trusted(), limit, p, LIMIT);
                        outputs.push(p);
                        p
                    }
                }
            });
        }
        (args, outputs)
    }

    /// Reads some of what a callee may have written.
    pub(super) fn read_outputs(&mut self, outputs: &[Value]) {
        for &p in outputs {
            for _ in 0..2 {
                let at = 8 * self.random.between(2, ROOM as usize / 8 - 1) as i32;
                let v = self.at().ins().load(types::I64, MemFlags::trusted(), p, at);
                self.keep(v);
            }
        }
    }

    /// A limit of the stack: far below it, or above it.
    fn limit(&mut self) -> Value {
        let ty = self.menu.address;
        if self.risks > 0 && self.random.chance(30) {
            self.risks -= 1;
            // Not so near the end that a callee's sum gets beyond it.
            return self.constant_of(ty, (u128::MAX >> (128 - ty.bits())) - (1 << 24));
        }
        let low = self.random.between(16, 4000);
        self.constant_of(ty, low as u128)
    }

    /// The address of a structure to be passed.
    fn structure(&mut self, layout: StructArg) -> Value {
        let fits = |slot: &Slot| slot.len >= layout.bytes as i32 && slot.align >= layout.align as i32;
        let fit: Vec<usize> = (0..self.slots.len()).filter(|&n| fits(&self.slots[n])).collect();
        match self.random.pick(&fit).copied().filter(|_| self.random.chance(50)) {
            Some(slot) => {
                let spare = self.slots[slot].len - layout.bytes as i32;
                let at = self.random.below(spare as usize + 1) as i32 & -(layout.align as i32);
                self.at_slot(slot, at)
            }
            None => self.room(layout.bytes),
        }
    }

    /// New memory of `bytes` bytes, written, at a multiple of 16.
    fn room(&mut self, bytes: u32) -> Value {
        let address = self.menu.address;
        let data = StackSlotData { size: bytes, align_shift: 4, key: None };
        let slot = self.func.stack_slots.push(data);
        let p = self.at().ins().stack_addr(address, slot, 0);
        let mut at = 0;
        while at < bytes {
            let ty = piece(bytes - at);
            let v = self.value(ty);
            self.at().ins().store(MemFlags::trusted(), v, p, at as i32);
            at += ty.bytes();
        }
        p
    }
}

/// The largest integer that `bytes` bytes have room for.
fn piece(bytes: u32) -> Type {
    match bytes {
        8.. => types::I64,
        4.. => types::I32,
        2.. => types::I16,
        _ => types::I8,
    }
}
