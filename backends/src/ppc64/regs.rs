//! Registers of 64-bit POWER.
//!
//! | index in the register file | registers | units |
//! |---|---|---|
//! | 0–31 | `r0`–`r31` | 0–31 |
//! | 32–63 | `f0`–`f31`, which are also the first halves of `vs0`–`vs31` | 32–63 |
//! | 64–71 | `cr0`–`cr7`, the fields of the condition register | 64–71 |
//! | 72–103 | `v0`–`v31`, not used yet | 72–103 |
//! | 104–119 | pairs `r0:r1` … `r30:r31` | those of the halves |
//!
//! Roles are those of the ELF ABIs, which agree: `r0`, `r3`–`r12`, `f0`–`f13`, `cr0`, `cr1` and `cr5`–`cr7` are
//! the caller's to save, `r14`–`r31`, `f14`–`f31` and `cr2`–`cr4` the callee's. Never allocated: `r0` (the
//! constant zero where addresses are made, so a scratch register for data only), `r1` (stack), `r2` (TOC),
//! `r11` (scratch), `r12` (scratch, and the callee's address in calls through pointers), `r13` (thread).

use alloc::vec::Vec;
use windlass_regalloc::{ClassDef, PReg, RegClass, RegDef, RegFile, UnitSet};

/// Index of `f0` in the register file.
pub const FIRST_F: u8 = 32;
/// Index of `cr0` in the register file.
pub const FIRST_CR: u8 = 64;
/// Index of `v0` in the register file.
pub const FIRST_V: u8 = 72;
/// Index of the pair `r0:r1` in the register file.
pub const FIRST_PAIR: u8 = 104;
/// Number of registers and pairs.
pub const NUM_REGS: u8 = 120;

/// Class of the general-purpose registers.
pub const GPR: RegClass = RegClass::new(0);
/// Class of the floating-point registers. They hold singles in the format of doubles.
pub const FPR: RegClass = RegClass::new(1);
/// Class of the condition register's fields.
pub const CR: RegClass = RegClass::new(2);
/// Class of the even/odd pairs of general-purpose registers.
pub const PAIR: RegClass = RegClass::new(3);

/// Class of the values of register set `n`, see [`reg_file`].
pub const fn set_class(n: u8) -> RegClass {
    RegClass::new(4 + n)
}

/// General-purpose register `n`, below 32.
pub const fn r(n: u8) -> PReg {
    debug_assert!(n < 32, "there are 32 general-purpose registers");
    PReg::new(n)
}

/// Floating-point register `n`, below 32.
pub const fn f(n: u8) -> PReg {
    debug_assert!(n < 32, "there are 32 floating-point registers");
    PReg::new(FIRST_F + n)
}

/// Field `n` of the condition register, below 8.
pub const fn cr(n: u8) -> PReg {
    debug_assert!(n < 8, "the condition register has 8 fields");
    PReg::new(FIRST_CR + n)
}

/// Scratch register for data, never allocated: where an address is made it reads as zero.
pub const ZERO: PReg = r(0);
/// Stack pointer.
pub const SP: PReg = r(1);
/// Base of the table of contents.
pub const TOC: PReg = r(2);
/// Scratch register, never allocated.
pub const SCRATCH: PReg = r(11);
/// Scratch register, never allocated; the address of the function that is called, in calls through pointers.
pub const ENTRY: PReg = r(12);
/// Thread pointer.
pub const THREAD: PReg = r(13);
/// The pinned register, where there is one and nobody says another.
pub const PINNED: PReg = r(30);
/// Frame pointer, where a function has one.
pub const FP: PReg = r(31);

#[rustfmt::skip]
const NAMES: [&str; NUM_REGS as usize] = [
    "r0", "r1", "r2", "r3", "r4", "r5", "r6", "r7",
    "r8", "r9", "r10", "r11", "r12", "r13", "r14", "r15",
    "r16", "r17", "r18", "r19", "r20", "r21", "r22", "r23",
    "r24", "r25", "r26", "r27", "r28", "r29", "r30", "r31",
    "f0", "f1", "f2", "f3", "f4", "f5", "f6", "f7",
    "f8", "f9", "f10", "f11", "f12", "f13", "f14", "f15",
    "f16", "f17", "f18", "f19", "f20", "f21", "f22", "f23",
    "f24", "f25", "f26", "f27", "f28", "f29", "f30", "f31",
    "cr0", "cr1", "cr2", "cr3", "cr4", "cr5", "cr6", "cr7",
    "v0", "v1", "v2", "v3", "v4", "v5", "v6", "v7",
    "v8", "v9", "v10", "v11", "v12", "v13", "v14", "v15",
    "v16", "v17", "v18", "v19", "v20", "v21", "v22", "v23",
    "v24", "v25", "v26", "v27", "v28", "v29", "v30", "v31",
    "r0:r1", "r2:r3", "r4:r5", "r6:r7", "r8:r9", "r10:r11", "r12:r13", "r14:r15",
    "r16:r17", "r18:r19", "r20:r21", "r22:r23", "r24:r25", "r26:r27", "r28:r29", "r30:r31",
];

/// The register's name in assembly text; `?` for an index out of range.
pub fn reg_name(p: PReg) -> &'static str {
    NAMES.get(p.index()).copied().unwrap_or("?")
}

/// The register with this name, in lower case. Knows `sp` and `rtoc` as well as the names that [`reg_name`] gives.
pub fn parse_reg(name: &str) -> Option<PReg> {
    match name {
        "sp" => Some(SP),
        "rtoc" => Some(TOC),
        _ => NAMES.iter().position(|n| *n == name).map(|i| PReg::new(i as u8)),
    }
}

/// The class of a register that calling conventions name.
pub fn class_of(p: PReg) -> RegClass {
    match p.index() as u8 {
        0..FIRST_F => GPR,
        FIRST_F..FIRST_CR => FPR,
        FIRST_CR..FIRST_V => CR,
        _ => PAIR,
    }
}

/// The units that a register covers.
pub fn units(p: PReg) -> UnitSet {
    let i = p.index() as u8;
    match i {
        0..FIRST_PAIR => UnitSet::single(i),
        FIRST_PAIR..NUM_REGS => UnitSet::range(2 * (i - FIRST_PAIR), 2),
        _ => UnitSet::EMPTY,
    }
}

/// The units of a set of general-purpose registers, given as bits.
pub const fn gpr_units(bits: u32) -> UnitSet {
    UnitSet::from_bits(bits as u128)
}

/// The general-purpose registers that are never allocated, as bits.
const NEVER: u32 = 1 << 0 | 1 << 1 | 1 << 2 | 1 << 11 | 1 << 12 | 1 << 13;

/// What of the register file a function may use.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct RegOptions {
    /// Units that are not allocated, besides those that never are: of reserved and pinned registers, and of the frame
    /// pointer where it is kept.
    pub reserved: UnitSet,
}

/// The register file as the allocator sees it. Registers that a caller saves come first in each order; the others
/// cost a save, and are taken from the last. Each of `sets`, of general-purpose registers, is a class of its own behind the
/// others, and in no other.
pub fn reg_file(options: &RegOptions, sets: &[UnitSet]) -> RegFile {
    let regs = (0..NUM_REGS).map(|i| {
        let p = PReg::new(i);
        let halves = i.checked_sub(FIRST_PAIR).map(|n| (r(2 * n), r(2 * n + 1)));
        RegDef { name: reg_name(p), units: units(p), halves }
    });

    let unusable = options.reserved.union(gpr_units(NEVER));
    let usable = |n: &u8| !unusable.contains(*n);
    // What is in a set is for values of that set alone.
    let free = |n: &u8| usable(n) && sets.iter().all(|set| !set.contains(*n));
    let gprs = (0..13).chain((14..32).rev()).filter(free).map(r);
    let pairs = (0..7).chain((7..16).rev()).filter(|n| free(&(2 * n)) && free(&(2 * n + 1)));
    let floats = (0..14).chain((14..32).rev()).map(f).filter(|p| !units(*p).intersects(unusable));
    // `cr0` is what record forms and conditional stores set: where others do as well, it stays free.
    let fields = [7, 6, 5, 1, 0, 4, 3, 2].map(cr);

    let class = |name, order: Vec<PReg>, size, align| ClassDef {
        name,
        order,
        spill_size: size,
        spill_align: align,
        scratch: None,
        subset_of: None,
        pair: None,
    };
    let general =
        |name, order| ClassDef { scratch: Some(SCRATCH), pair: Some(PAIR), ..class(name, order, 8, 8) };
    let mut classes = Vec::from([
        general("gpr", gprs.collect()),
        class("fpr", floats.collect(), 8, 8),
        class("cr", fields.into(), 4, 4),
        class("pair", pairs.map(|n| PReg::new(FIRST_PAIR + n)).collect(), 16, 8),
    ]);
    classes.extend(sets.iter().map(|set| {
        let members = (14..32).rev().filter(|n| usable(n) && set.contains(*n)).map(r).collect();
        ClassDef { subset_of: Some(GPR), ..general("set", members) }
    }));
    RegFile { regs: regs.collect(), classes, callee_saved: callee_saved() }
}

/// The units that a function must leave as it found them: `r14`–`r31`, `f14`–`f31` and `cr2`–`cr4`.
pub fn callee_saved() -> UnitSet {
    reservable().union(UnitSet::range(FIRST_CR + 2, 3))
}

/// Of those, the ones that an embedder can keep to itself. The fields of the condition register are not among them: all are
/// saved and restored at once.
pub const fn reservable() -> UnitSet {
    UnitSet::range(14, 18).union(UnitSet::range(FIRST_F + 14, 18))
}

/// The units that a call destroys.
pub fn call_clobbers() -> UnitSet {
    let core = gpr_units(0x1ff9);
    let floats = UnitSet::range(FIRST_F, 14);
    let fields = UnitSet::range(FIRST_CR, 2).union(UnitSet::range(FIRST_CR + 5, 3));
    core.union(floats).union(fields).union(UnitSet::range(FIRST_V, 20))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_register_file_is_consistent() {
        for reserved in [0, 1 << 31, 3 << 30, 0xffff_c000].map(gpr_units) {
            let options = RegOptions { reserved: reserved.union(units(f(14))) };
            let sets = [gpr_units(0x00f0_0000), gpr_units(0x0038_0000)];
            assert_eq!(reg_file(&options, &sets).validate(), Ok(()));
            let file = reg_file(&options, &[]);
            assert_eq!(file.validate(), Ok(()));
            let usable = file.allocatable();
            assert!(!usable.intersects(options.reserved.union(gpr_units(NEVER))));
            assert!(call_clobbers().intersection(file.callee_saved).is_empty());
            // What is neither destroyed by calls nor saved would be a leak.
            assert!(call_clobbers().union(file.callee_saved).contains_all(usable));
        }
    }

    #[test]
    fn registers_that_callers_save_come_first() {
        let file = reg_file(&RegOptions::default(), &[]);
        for class in &file.classes {
            let saved = |p: &PReg| file.callee_saved.intersects(units(*p));
            let first = class.order.iter().position(saved).unwrap();
            assert!(class.order[first..].iter().all(saved), "{}", class.name);
        }
    }

    #[test]
    fn names_parse_back() {
        for i in 0..NUM_REGS {
            assert_eq!(parse_reg(reg_name(PReg::new(i))), Some(PReg::new(i)));
        }
        assert_eq!((parse_reg("sp"), parse_reg("rtoc"), parse_reg("r32")), (Some(SP), Some(TOC), None));
    }
}
