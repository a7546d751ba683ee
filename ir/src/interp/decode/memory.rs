//! Loads, stores, atomics, addresses.

use super::{Decoded, Decoder, malformed};
use crate::entities::Inst;
use crate::instdata::InstData;
use crate::interp::op::*;
use crate::opcode::Opcode;
use alloc::format;
use cranelift_entity::EntityRef;

impl Decoder<'_, '_> {
    pub(super) fn load(&mut self, inst: Inst, bytes: u32, signed: bool) -> Decoded {
        let (flags, address, off) = match self.dfg.insts[inst] {
            InstData::Load { flags, arg, offset, .. } => (flags, arg, offset.0),
            InstData::LoadNoOffset { flags, arg, .. } => (flags, arg, 0),
            _ => return malformed("a load with other operands"),
        };
        let ty = self.result_type();
        self.class(ty)?;
        let acc = self.access(flags, self.dfg.opcode(inst) == Opcode::AtomicLoad);
        let (d, a) = (self.dest()?, self.address_slot(address)?);
        self.push(match bytes {
            _ if signed => {
                let size = bytes.trailing_zeros() as u8;
                Op::LoadSigned { acc, size, to: ty.bits() as u8, d, a, off }
            }
            1 => Op::Load8 { acc, d, a, off },
            2 => Op::Load16 { acc, d, a, off },
            4 => Op::Load32 { acc, d, a, off },
            8 => Op::Load64 { acc, d, a, off },
            _ => Op::Load128 { acc, d, a, off },
        });
        Ok(())
    }

    pub(super) fn store(&mut self, inst: Inst, bytes: u32) -> Decoded {
        let (flags, args, off) = match self.dfg.insts[inst] {
            InstData::Store { flags, args, offset, .. } => (flags, args, offset.0),
            InstData::StoreNoOffset { flags, args, .. } => (flags, args, 0),
            _ => return malformed("a store with other operands"),
        };
        self.class(self.ty(args[0]))?;
        let acc = self.access(flags, self.dfg.opcode(inst) == Opcode::AtomicStore);
        let (x, a) = (self.slot(args[0])?, self.address_slot(args[1])?);
        self.push(match bytes {
            1 => Op::Store8 { acc, x, a, off },
            2 => Op::Store16 { acc, x, a, off },
            4 => Op::Store32 { acc, x, a, off },
            8 => Op::Store64 { acc, x, a, off },
            _ => Op::Store128 { acc, x, a, off },
        });
        Ok(())
    }

    pub(super) fn stack_addr(&mut self, inst: Inst) -> Decoded {
        let InstData::StackAddr { slot, offset, .. } = self.dfg.insts[inst] else {
            return malformed("stack_addr with other operands");
        };
        let d = self.address_result()?;
        let Some(&at) = self.stack_offsets.get(slot.index()) else {
            return malformed(format!("{slot} does not exist"));
        };
        let n = at.wrapping_add(i64::from(offset.0) as u64);
        self.push(Op::StackAddr { d, lo: n as u32, hi: (n >> 32) as u32 });
        Ok(())
    }

    pub(super) fn global_value(&mut self, inst: Inst) -> Decoded {
        let InstData::UnaryGlobalValue { global, .. } = self.dfg.insts[inst] else {
            return malformed("symbol_value with other operands");
        };
        if !self.func.global_values.is_valid(global) {
            return malformed(format!("{global} does not exist"));
        }
        let d = self.dest()?;
        self.push(Op::GlobalValue { d, gv: global.as_u32() });
        Ok(())
    }

    pub(super) fn atomic_rmw(&mut self, inst: Inst) -> Decoded {
        let InstData::AtomicRmw { flags, op, args, .. } = self.dfg.insts[inst] else {
            return malformed("atomic_rmw with other operands");
        };
        let size = self.result_type().bytes().trailing_zeros() as u8;
        let acc = self.access(flags, true);
        let (d, a, b) = (self.dest()?, self.address_slot(args[0])?, self.slot(args[1])?);
        self.push(Op::AtomicRmw { op, size, acc, d, a, b });
        Ok(())
    }

    pub(super) fn atomic_cas(&mut self, inst: Inst) -> Decoded {
        let InstData::AtomicCas { flags, args, .. } = self.dfg.insts[inst] else {
            return malformed("atomic_cas with other operands");
        };
        let size = self.result_type().bytes().trailing_zeros() as u8;
        let acc = self.access(flags, true);
        let (d, a) = (self.dest()?, self.address_slot(args[0])?);
        let (b, c) = (self.slot(args[1])?, self.slot(args[2])?);
        self.push(Op::AtomicCas { size, acc, d, a, b, c });
        Ok(())
    }
}
