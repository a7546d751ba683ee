//! Stack slots of a random function, and accesses to them.
//!
//! Of each slot a window is written in the entry block and accessed from then on; a slot may be much larger than its
//! window, so that offsets do not fit instructions. Indices are masked to stay in the window. Symbols' data and what
//! parameters point at are slots too.

use super::body::Body;
use crate::fuzz::menu::{Access, access_data};
use windlass_ir::{
    Endianness, ExternalName, GlobalValue, GlobalValueData, Inst, InstBuilder, MemFlags, Opcode, StackSlot,
    StackSlotData, TrapCode, Type, Value, types,
};

/// Where a slot is.
#[derive(Clone, Copy, Debug)]
pub(super) enum Place {
    /// In the frame.
    Stack(StackSlot),
    /// Where a parameter points.
    Pointer(Value),
    /// The datum of a symbol.
    Symbol(GlobalValue),
    /// A thread's datum.
    Thread(GlobalValue),
}

/// A slot and its window.
#[derive(Clone, Copy, Debug)]
pub(super) struct Slot {
    pub(super) place: Place,
    /// Offset of the window's first byte, a multiple of 16.
    pub(super) start: i32,
    /// Bytes of the window, a multiple of 8.
    pub(super) len: i32,
    /// The window's address is a multiple of this power of two.
    pub(super) align: i32,
}

impl Body<'_> {
    /// Makes slots and writes their windows.
    pub(super) fn make_slots(&mut self) {
        for _ in 0..1 + self.random.below(3) {
            let len = [16, 32, 64][self.random.below(3)];
            let start = match self.random.below(50) {
                0..35 => 0,
                35..40 => 16 * self.random.below(20) as i32,
                40..43 => 16 * self.random.between(250, 260) as i32,
                43..46 => 16 * self.random.between(2040, 2056) as i32,
                // A mebibyte, once in a function.
                46 if self.slots.is_empty() => 16 * self.random.below(1 << 16) as i32,
                _ => 16 * self.random.below(4500) as i32,
            };
            let slot = match self.random.below(100) {
                0..12 if self.menu.symbols => self.datum(len, false),
                12..20 if self.menu.thread_locals => self.datum(len, true),
                _ => {
                    let size = (start + len) as u32 + self.random.below(20) as u32;
                    let align_shift = self.random.between(4, 5) as u8;
                    let slot = self.func.stack_slots.push(StackSlotData { size, align_shift, key: None });
                    Slot { place: Place::Stack(slot), start, len, align: 16 }
                }
            };
            self.slots.push(slot);
            let base = self.at_slot(self.slots.len() - 1, 0);
            let mut at = 0;
            while at < len {
                let ty = if self.random.chance(50) { types::I32 } else { types::I64 };
                let ty = if at % 8 != 0 { types::I32 } else { ty };
                let v = self.value(ty);
                self.at().ins().store(MemFlags::trusted(), v, base, at);
                at += ty.bytes() as i32;
            }
        }
    }

    /// A window of `len` bytes in a datum, of the program or of the thread.
    fn datum(&mut self, len: i32, tls: bool) -> Slot {
        const SIZES: [i32; 3] = [64, 4000, 140_000];
        let size = SIZES[self.random.below(SIZES.len())];
        let start = 16 * self.random.below(((size - len) / 16) as usize + 1) as i32;
        // Of the offset a part may stand in the global value.
        let offset = if self.random.chance(50) { start } else { 0 };
        let name = ExternalName::Symbol(format!("data_{size}{}", if tls { "_t" } else { "" }));
        let colocated = self.random.chance(60);
        let data = GlobalValueData::Symbol { name, offset: offset.into(), colocated, tls };
        let value = self.func.global_values.push(data);
        let place = if tls { Place::Thread(value) } else { Place::Symbol(value) };
        Slot { place, start: start - offset, len, align: 16 }
    }

    /// The slot for fuel.
    pub(super) fn make_fuel_slot(&mut self, units: usize) -> StackSlot {
        let slot = self.func.stack_slots.push(StackSlotData { size: 4, align_shift: 2, key: None });
        let units = self.constant_of(types::I32, units as u128);
        let address = self.menu.address;
        let p = self.at().ins().stack_addr(address, slot, 0);
        self.at().ins().store(MemFlags::trusted(), units, p, 0);
        slot
    }

    /// Takes a unit of fuel from its slot; gives what is left.
    pub(super) fn take_fuel_from(&mut self, slot: StackSlot) -> Value {
        let address = self.menu.address;
        let p = self.at().ins().stack_addr(address, slot, 0);
        let fuel = self.at().ins().load(types::I32, MemFlags::trusted(), p, 0);
        let one = self.constant_of(types::I32, 1);
        let left = self.at().ins().isub(fuel, one);
        self.at().ins().store(MemFlags::trusted(), left, p, 0);
        left
    }

    /// The address of byte `at` of a slot's window.
    pub(super) fn at_slot(&mut self, slot: usize, at: i32) -> Value {
        let Slot { place, start, .. } = self.slots[slot];
        let address = self.menu.address;
        let offset = start + at;
        let base = match place {
            Place::Stack(entity) => self.at().ins().stack_addr(address, entity, offset),
            Place::Pointer(v) => v,
            Place::Symbol(value) => self.at().ins().symbol_value(address, value),
            Place::Thread(value) => self.at().ins().tls_value(address, value),
        };
        let v = match place {
            Place::Stack(_) => base,
            _ if offset == 0 => base,
            _ => self.plus(base, offset),
        };
        if self.random.chance(30) {
            self.pool.addresses.push((slot, v, at));
        }
        v
    }

    /// A random access, sometimes to memory that is not there.
    pub(super) fn access(&mut self) {
        let Some(&access) = self.random.pick(&self.menu.accesses) else { return };
        if self.risks > 0 && self.random.chance(3) && !is_atomic(access.opcode) {
            self.risks -= 1;
            return self.stray_access(&access);
        }
        let size = access.bytes as i32;
        let known = self.pool.addresses.clone();
        let (slot, mut base, mut at) = match self.random.pick(&known) {
            Some(&known) if self.random.chance(50) => known,
            _ => {
                let slot = self.random.below(self.slots.len());
                let at = self.random.below(self.slots[slot].len as usize + 1) as i32;
                let at = if self.random.chance(50) { at & !7 } else { at };
                (slot, self.at_slot(slot, at), at)
            }
        };
        let Slot { len, align, .. } = self.slots[slot];
        let aligned = is_atomic(access.opcode) || self.random.chance(40) && size <= align;
        if aligned && size > align {
            return;
        }
        let unit = if aligned { size } else { 1 };
        // Bytes that a variable index may add at most.
        let mut reach = 0;
        if self.random.chance(35) {
            (base, reach) = self.indexed(base, unit, (len - size).min(len / 2));
        }
        if self.random.chance(20) {
            // Mostly near; else the access comes back by an offset as large.
            let k = match self.random.below(6) {
                0 => self.random.below(1 << 17) as i32 - (1 << 16),
                1 => (self.random.bits() as i32) / 2,
                _ => self.random.below(len as usize) as i32 - len / 2,
            };
            base = self.plus(base, k);
            at += k;
        }
        let has_offset = !is_atomic(access.opcode);
        // Where in the window the access starts, before the index.
        let places: Vec<i32> = (0..=len - size - reach).filter(|place| place % unit == 0).collect();
        let Some(&place) = self.random.pick(&places) else { return };
        let mut offset = place - at;
        if !has_offset {
            base = self.plus(base, offset);
            offset = 0;
        }
        let mut flags = MemFlags::new();
        if aligned {
            flags = flags.with_aligned();
        }
        flags = match self.random.below(3) {
            0 => flags.with_notrap(),
            1 => flags.with_trap_code(TrapCode::user(9)),
            _ => flags,
        };
        if access.any_order {
            flags = match self.random.below(4) {
                0 => flags.with_endianness(Endianness::Big),
                1 => flags.with_endianness(Endianness::Little),
                _ => flags,
            };
        }
        self.put_access(&access, flags, base, offset);
    }

    fn put_access(&mut self, access: &Access, flags: MemFlags, base: Value, offset: i32) {
        let (mut x, mut y) = (base, base);
        if access.opcode.can_store() {
            x = self.value(access.ty);
            y = self.value(access.ty);
        }
        let data = access_data(access, flags, base, offset, x, y);
        let inst: Inst = self.at().ins().make(data, access.ty);
        for v in self.func.dfg.inst_results(inst).to_vec() {
            self.keep(v);
        }
    }

    /// An access near address 0, which traps as its flags say.
    fn stray_access(&mut self, access: &Access) {
        let address = self.menu.address;
        let k = 8 * self.random.below(100) as u128;
        let base = self.constant_of(address, k);
        let flags = if self.random.chance(50) {
            MemFlags::new()
        } else {
            let code = self.trap_code();
            MemFlags::new().with_trap_code(Some(code))
        };
        self.put_access(access, flags, base, 0);
    }

    /// `base` plus a constant.
    fn plus(&mut self, base: Value, k: i32) -> Value {
        let address = self.menu.address;
        let k = self.constant_of(address, k as i64 as u128);
        if self.random.chance(80) { self.at().ins().iadd(base, k) } else { self.at().ins().iadd(k, base) }
    }

    /// `base` plus a variable from 0 to at most `most`, in steps of `unit` bytes; and what is added at most.
    fn indexed(&mut self, base: Value, unit: i32, most: i32) -> (Value, i32) {
        let shift = unit.max(1).trailing_zeros();
        let steps = most >> shift;
        if steps < 1 {
            return (base, 0);
        }
        let mask = (1 << steps.ilog2()) - 1;
        let address: Type = self.menu.address;
        let narrow = self.any_type();
        let index = if narrow.is_int() && self.random.chance(40) {
            let v = self.variable(narrow);
            self.converted(v, address)
        } else {
            self.variable(address)
        };
        let k = self.constant_of(address, mask as u128);
        let mut index = self.at().ins().band(index, k);
        if shift > 0 {
            let by = self.constant_of(types::I8, shift.into());
            index = self.at().ins().ishl(index, by);
        }
        let sum = if self.random.chance(80) {
            self.at().ins().iadd(base, index)
        } else {
            self.at().ins().iadd(index, base)
        };
        (sum, mask << shift)
    }

    /// Some of what slots hold.
    pub(super) fn slot_contents(&mut self) -> Vec<Value> {
        let mut out = Vec::new();
        for slot in 0..self.slots.len() {
            let mut at = 0;
            while at < self.slots[slot].len {
                if self.random.chance(self.style.folded) {
                    let p = self.at_slot(slot, at);
                    let flags = MemFlags::new().with_notrap();
                    let aligned = self.slots[slot].align >= 8;
                    let flags = if aligned { flags.with_aligned() } else { flags };
                    out.push(self.at().ins().load(types::I64, flags, p, 0));
                }
                at += 8;
            }
        }
        out
    }
}

fn is_atomic(opcode: Opcode) -> bool {
    matches!(opcode, Opcode::AtomicLoad | Opcode::AtomicStore | Opcode::AtomicRmw | Opcode::AtomicCas)
}
