//! Registers of 32-bit ARM.
//!
//! | index in the register file | registers | units |
//! |---|---|---|
//! | 0–15 | `r0`–`r12`, `sp`, `lr`, `pc` | 0–15 |
//! | 16–47 | `s0`–`s31` | 16–47, one each |
//! | 48–79 | `d0`–`d31` | `d0`–`d15` are pairs of `s`; 48–63 for `d16`–`d31` |
//! | 80–85 | pairs `r0:r1` … `r10:r11` | those of the halves |
//!
//! Roles are those of the AAPCS: `r0`–`r3`, `r12`, `lr`, `d0`–`d7` and
//! `d16`–`d31` are the caller's to save, `r4`–`r11` and `d8`–`d15` the
//! callee's. `r12` (`ip`) is never allocated: it is the scratch register of
//! moves and of expansions, and veneers destroy it at calls.

use alloc::vec::Vec;
use core::ops::RangeInclusive;
use windlass_regalloc::{ClassDef, PReg, RegClass, RegDef, RegFile, UnitSet};

/// Index of `s0` in the register file.
pub const FIRST_S: u8 = 16;
/// Index of `d0` in the register file.
pub const FIRST_D: u8 = 48;
/// Index of the pair `r0:r1` in the register file.
pub const FIRST_PAIR: u8 = 80;
/// Number of registers and pairs.
pub const NUM_REGS: u8 = 86;

/// Class of the core registers.
pub const GPR: RegClass = RegClass::new(0);
/// Class of the single-precision registers.
pub const S: RegClass = RegClass::new(1);
/// Class of the double-precision registers.
pub const D: RegClass = RegClass::new(2);
/// Class of the even/odd pairs of core registers.
pub const PAIR: RegClass = RegClass::new(3);

/// Class of the values of register set `n`, see [`reg_file`].
pub const fn set_class(n: u8) -> RegClass {
    RegClass::new(4 + n)
}

/// The kind of register that a class has: for that of a set the core registers, else the class itself.
pub const fn kind(class: RegClass) -> RegClass {
    if class.index() >= 4 { GPR } else { class }
}

/// Core register `n`, below 16.
pub const fn r(n: u8) -> PReg {
    debug_assert!(n < 16, "there are 16 core registers");
    PReg::new(n)
}

/// Single-precision register `n`, below 32.
pub const fn s(n: u8) -> PReg {
    debug_assert!(n < 32, "there are 32 single-precision registers");
    PReg::new(FIRST_S + n)
}

/// Double-precision register `n`, below 32.
pub const fn d(n: u8) -> PReg {
    debug_assert!(n < 32, "there are 32 double-precision registers");
    PReg::new(FIRST_D + n)
}

/// The pinned register, where there is one and nobody says another. It shares its pair with the frame pointer, so that keeping both costs one
/// pair.
pub const PINNED: PReg = r(10);
/// Frame pointer, where a function has one.
pub const FP: PReg = r(11);
/// Scratch register, never allocated.
pub const IP: PReg = r(12);
/// Stack pointer.
pub const SP: PReg = r(13);
/// Link register: the return address at a function's entry.
pub const LR: PReg = r(14);
/// Program counter: reads as the instruction's address + 8.
pub const PC: PReg = r(15);

#[rustfmt::skip]
const NAMES: [&str; NUM_REGS as usize] = [
    "r0", "r1", "r2", "r3", "r4", "r5", "r6", "r7",
    "r8", "r9", "r10", "r11", "ip", "sp", "lr", "pc",
    "s0", "s1", "s2", "s3", "s4", "s5", "s6", "s7",
    "s8", "s9", "s10", "s11", "s12", "s13", "s14", "s15",
    "s16", "s17", "s18", "s19", "s20", "s21", "s22", "s23",
    "s24", "s25", "s26", "s27", "s28", "s29", "s30", "s31",
    "d0", "d1", "d2", "d3", "d4", "d5", "d6", "d7",
    "d8", "d9", "d10", "d11", "d12", "d13", "d14", "d15",
    "d16", "d17", "d18", "d19", "d20", "d21", "d22", "d23",
    "d24", "d25", "d26", "d27", "d28", "d29", "d30", "d31",
    "r0:r1", "r2:r3", "r4:r5", "r6:r7", "r8:r9", "r10:r11",
];

/// The register's name in assembly text; `?` for an index out of range.
pub fn reg_name(p: PReg) -> &'static str {
    NAMES.get(p.index()).copied().unwrap_or("?")
}

/// The register with this name, in lower case. Knows `r12`–`r15`, `fp` and
/// `sl` as well as the names that [`reg_name`] gives.
pub fn parse_reg(name: &str) -> Option<PReg> {
    match name {
        "r12" => Some(IP),
        "r13" => Some(SP),
        "r14" => Some(LR),
        "r15" => Some(PC),
        "fp" => Some(FP),
        "sl" => Some(r(10)),
        _ => NAMES.iter().position(|n| *n == name).map(|i| PReg::new(i as u8)),
    }
}

/// The units that a register covers.
pub fn units(p: PReg) -> UnitSet {
    let i = p.index() as u8;
    match i {
        0..FIRST_D => UnitSet::single(i),
        FIRST_D..FIRST_PAIR => {
            let n = i - FIRST_D;
            match n {
                0..16 => UnitSet::range(FIRST_S + 2 * n, 2),
                _ => UnitSet::single(32 + n),
            }
        }
        FIRST_PAIR..NUM_REGS => UnitSet::range(2 * (i - FIRST_PAIR), 2),
        _ => UnitSet::EMPTY,
    }
}

/// The class of a single register.
pub fn class_of(p: PReg) -> RegClass {
    match p.index() as u8 {
        0..FIRST_S => GPR,
        FIRST_S..FIRST_D => S,
        FIRST_D..FIRST_PAIR => D,
        _ => PAIR,
    }
}

/// The units of a set of core registers, given as bits.
pub const fn gpr_units(bits: u16) -> UnitSet {
    UnitSet::from_bits(bits as u128)
}

/// What of the register file a function may use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RegOptions {
    /// Units that are not allocated: of reserved and pinned registers, and of the
    /// frame pointer where it is kept. `ip`, `sp` and `pc` never are.
    pub reserved: UnitSet,
    /// Are there floating-point registers?
    pub vfp: bool,
    /// Are there 32 double-precision registers, not 16?
    pub d32: bool,
}

impl Default for RegOptions {
    fn default() -> RegOptions {
        RegOptions { reserved: UnitSet::EMPTY, vfp: true, d32: false }
    }
}

/// The register file as the allocator sees it. Registers that a caller saves
/// come first in each order; `r4` and up, and `d8`–`d15`, cost a save. Each
/// of `sets`, of core registers, is a class of its own behind the others, and in no other.
pub fn reg_file(options: &RegOptions, sets: &[UnitSet]) -> RegFile {
    let regs = (0..NUM_REGS).map(|i| {
        let p = PReg::new(i);
        let halves = i.checked_sub(FIRST_PAIR).map(|n| (r(2 * n), r(2 * n + 1)));
        RegDef { name: reg_name(p), units: units(p), halves }
    });

    let usable = |n: &u8| !options.reserved.contains(*n);
    // What is in a set is for values of that set alone.
    let free = |n: &u8| usable(n) && sets.iter().all(|set| !set.contains(*n));
    let gprs = (0..4).chain([14]).chain(4..12).filter(free);
    let pairs = (0..6u8).filter(|n| free(&(2 * n)) && free(&(2 * n + 1)));
    let list = |range: RangeInclusive<u8>, make: fn(u8) -> PReg| -> Vec<PReg> {
        let free = |p: &PReg| !units(*p).intersects(options.reserved);
        if options.vfp { range.map(make).filter(free).collect() } else { Vec::new() }
    };
    // s16-s31 are d8-d15, callee-saved.
    let singles = list(0..=31, s);
    let mut doubles = list(0..=7, d);
    if options.d32 {
        doubles.extend(list(16..=31, d));
    }
    doubles.extend(list(8..=15, d));

    let class = |name, order, size, align| ClassDef {
        name,
        order,
        spill_size: size,
        spill_align: align,
        scratch: None,
        subset_of: None,
        pair: None,
    };
    let core = |name, order| ClassDef { scratch: Some(IP), pair: Some(PAIR), ..class(name, order, 4, 4) };
    let mut classes = Vec::from([
        core("gpr", gprs.map(r).collect()),
        class("s", singles, 4, 4),
        class("d", doubles, 8, 8),
        class("pair", pairs.map(|n| PReg::new(FIRST_PAIR + n)).collect(), 8, 8),
    ]);
    classes.extend(sets.iter().map(|set| {
        let members = (0..16).filter(|n| usable(n) && set.contains(*n)).map(r).collect();
        ClassDef { subset_of: Some(GPR), ..core("set", members) }
    }));
    RegFile { regs: regs.collect(), classes, callee_saved: callee_saved() }
}

/// The units that a function must leave as it found them: `r4`–`r11` and
/// `d8`–`d15`. (`lr` is not among them: a function that uses it saves it
/// because it is its own return address.)
pub const fn callee_saved() -> UnitSet {
    UnitSet::range(4, 8).union(UnitSet::range(FIRST_S + 16, 16))
}

/// The units that a call destroys under the AAPCS.
pub fn call_clobbers(options: &RegOptions) -> UnitSet {
    let core = gpr_units(0x500f);
    match (options.vfp, options.d32) {
        (false, _) => core,
        (true, false) => core.union(UnitSet::range(FIRST_S, 16)),
        (true, true) => core.union(UnitSet::range(FIRST_S, 16)).union(UnitSet::range(48, 16)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_register_file_is_consistent() {
        for reserved in [0, 1 << 9, 0x0fff].map(gpr_units) {
            for (vfp, d32) in [(false, false), (true, false), (true, true)] {
                let options = RegOptions { reserved, vfp, d32 };
                let sets = [gpr_units(0x00f0), gpr_units(0x0038)];
                assert_eq!(reg_file(&options, &sets).validate(), Ok(()));
                let file = reg_file(&options, &[]);
                assert_eq!(file.validate(), Ok(()));
                let usable = file.allocatable();
                assert!(!usable.intersects(reserved.union(gpr_units(0xb000))));
                assert!(call_clobbers(&options).intersection(file.callee_saved).is_empty());
                // What is neither destroyed by calls nor saved would be a leak.
                assert!(call_clobbers(&options).union(file.callee_saved).contains_all(usable));
            }
        }
    }

    #[test]
    fn doubles_overlap_their_singles() {
        let file = reg_file(&RegOptions::default(), &[]);
        assert!(file.overlap(d(0), s(0)) && file.overlap(d(0), s(1)) && !file.overlap(d(0), s(2)));
        assert!(file.overlap(d(15), s(31)) && !file.overlap(d(16), s(31)));
        assert!(!file.overlap(d(16), d(17)) && !file.overlap(d(15), d(16)));
    }

    #[test]
    fn names_parse_back() {
        for i in 0..NUM_REGS {
            assert_eq!(parse_reg(reg_name(PReg::new(i))), Some(PReg::new(i)));
        }
        assert_eq!(parse_reg("r13"), Some(SP));
        assert_eq!(parse_reg("r16"), None);
    }
}
