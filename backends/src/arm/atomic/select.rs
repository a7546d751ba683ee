//! What the rules for atomic accesses call.

use super::{Atomic, Change, KERNEL_BYTES, KERNEL64_BYTES, KERNEL64_REPLACEMENT, bitwise};
use crate::arm::lower::{Lower, Way};
use crate::arm::pseudo::MInst;
use crate::arm::regs;
use crate::machinst::atomic::{PairCas, PairRmw, Rmw, Width};
use crate::machinst::pseudo::FrameArea;
use crate::machinst::{Reg, ValueRegs, WritableReg};
use alloc::boxed::Box;
use windlass_ir::{MemFlags, Type};

fn emit(cx: &mut Lower<'_>, way: &Way, atomic: Atomic) {
    if *way == Way::Kernel {
        // The helpers are calls.
        cx.frame.makes_calls = true;
        let bytes = if matches!(atomic, Atomic::Kernel64 { .. }) { KERNEL64_BYTES } else { KERNEL_BYTES };
        cx.frame.outgoing_bytes = cx.frame.outgoing_bytes.max(bytes);
    }
    cx.emit(MInst::Atomic(Box::new(atomic)));
}

fn pair(x: ValueRegs) -> [Reg; 2] {
    match *x.regs() {
        [lo, hi] => [lo, hi],
        _ => [Reg::NONE; 2],
    }
}

/// Must what is there be turned around in the loop?
fn turns<R>(cx: &Lower<'_>, flags: MemFlags, change: &Change<R>) -> bool {
    matches!(change, Change::Rmw(op, _) if cx.is_swapped(flags) && !bitwise(*op))
}

/// A change of a value of at most a word, with an exclusive access of its size or of a word by the kernel.
pub(in crate::arm) fn whole(
    cx: &mut Lower<'_>,
    way: &Way,
    flags: MemFlags,
    ty: Type,
    address: Reg,
    change: Change<Reg>,
) -> Reg {
    let swapped = turns(cx, flags, &change) && ty.bytes() > 1;
    let width = Width { bytes: ty.bytes() as u8, swapped, code: flags.trap_code() };
    let old = cx.temp(regs::GPR);
    let atomic = match (way, change) {
        (Way::Exclusive, Change::Rmw(op, operand)) => {
            let new = cx.temp(regs::GPR);
            Atomic::Rmw(Rmw { old, new, address, operand, op, width })
        }
        (Way::Exclusive, Change::Cas { expected, new }) => Atomic::Cas { old, address, expected, new, width },
        _ => Atomic::Kernel { old, address, below: None, change, width },
    };
    emit(cx, way, atomic);
    old.to_reg()
}

/// A change of a byte or halfword in the word at `address`, with `below` bits of the word below it. What was there is at
/// the bottom of the result.
pub(in crate::arm) fn part(
    cx: &mut Lower<'_>,
    way: &Way,
    flags: MemFlags,
    ty: Type,
    (address, below): (Reg, Reg),
    change: Change<Reg>,
) -> Reg {
    let swapped = turns(cx, flags, &change) && ty.bytes() > 1;
    let width = Width { bytes: ty.bytes() as u8, swapped, code: flags.trap_code() };
    let old = cx.temp(regs::GPR);
    let atomic = match way {
        Way::Exclusive => {
            let new = cx.temp(regs::GPR);
            Atomic::Part { old, new, address, below, change, width }
        }
        Way::Kernel => Atomic::Kernel { old, address, below: Some(below), change, width },
    };
    emit(cx, way, atomic);
    old.to_reg()
}

/// A change of a doubleword.
pub(in crate::arm) fn wide(
    cx: &mut Lower<'_>,
    way: &Way,
    flags: MemFlags,
    address: Reg,
    change: Change<ValueRegs>,
) -> ValueRegs {
    let (swapped, code) = (turns(cx, flags, &change), flags.trap_code());
    let old = [cx.temp(regs::GPR), cx.temp(regs::GPR)];
    let atomic = match (way, change) {
        (Way::Exclusive, Change::Rmw(op, operand)) => {
            let new = [cx.temp(regs::GPR), cx.temp(regs::GPR)];
            Atomic::Rmw64(PairRmw { old, new, address, operand: pair(operand), op, swapped, code })
        }
        (Way::Exclusive, Change::Cas { expected, new }) => {
            Atomic::Cas64(PairCas { old, address, expected: pair(expected), new: pair(new), code })
        }
        (_, change) => {
            let change = match change {
                Change::Rmw(op, operand) => Change::Rmw(op, pair(operand)),
                Change::Cas { expected, new } => {
                    for (rt, offset) in pair(new).into_iter().zip([0, 4]) {
                        let (area, offset) = (FrameArea::Outgoing, KERNEL64_REPLACEMENT + offset);
                        cx.emit(MInst::FrameStore { rt, area, offset });
                    }
                    Change::CasStored(pair(expected))
                }
                Change::CasStored(expected) => Change::CasStored(pair(expected)),
                Change::Keep => Change::Keep,
            };
            Atomic::Kernel64 { old, address, change, swapped, code }
        }
    };
    emit(cx, way, atomic);
    let [lo, hi] = old.map(WritableReg::to_reg);
    ValueRegs::two(lo, hi)
}

/// Stores a doubleword with exclusive accesses.
pub(in crate::arm) fn store_wide(cx: &mut Lower<'_>, flags: MemFlags, address: Reg, x: ValueRegs) {
    let old = [cx.temp(regs::GPR), cx.temp(regs::GPR)];
    let atomic = Atomic::Store64 { old, address, value: pair(x), code: flags.trap_code() };
    emit(cx, &Way::Exclusive, atomic);
}
