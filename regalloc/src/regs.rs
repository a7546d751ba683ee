//! The description of a register file: registers, the units they cover, and classes.
//!
//! A machine is data here. A *unit* is the smallest piece of storage that registers can share: on a machine where
//! `d0` is made of `s0` and `s1` there are two units, `s0` covers the first, `s1` the second and `d0` both. Two
//! registers overlap exactly when they have a unit in common, and nothing else about overlap is ever asked.

use alloc::vec::Vec;
use core::fmt;

/// A physical register: an index into [`RegFile::regs`].
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct PReg(u8);

impl PReg {
    /// The register with this index in [`RegFile::regs`].
    pub const fn new(index: u8) -> Self {
        PReg(index)
    }

    /// Its index in [`RegFile::regs`].
    pub const fn index(self) -> usize {
        self.0 as usize
    }
}

/// A register class: an index into [`RegFile::classes`].
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct RegClass(u8);

impl RegClass {
    /// The class with this index in [`RegFile::classes`].
    pub const fn new(index: u8) -> Self {
        RegClass(index)
    }

    /// Its index in [`RegFile::classes`].
    pub const fn index(self) -> usize {
        self.0 as usize
    }
}

/// A set of register units, numbered 0 to 127.
#[derive(Clone, Copy, PartialEq, Eq, Default, Hash)]
pub struct UnitSet(u128);

impl UnitSet {
    /// No unit.
    pub const EMPTY: UnitSet = UnitSet(0);
    /// How many units there can be.
    pub const MAX_UNITS: usize = 128;

    /// The set with these bits: bit `n` stands for unit `n`.
    pub const fn from_bits(bits: u128) -> Self {
        UnitSet(bits)
    }

    /// The set as bits: bit `n` stands for unit `n`.
    pub const fn bits(self) -> u128 {
        self.0
    }

    /// The set of one unit, which is below 128 (a higher number gives the empty set).
    pub const fn single(unit: u8) -> Self {
        if unit < 128 { UnitSet(1 << unit) } else { UnitSet(0) }
    }

    /// The `len` units from `first` on; units above 127 are left out.
    pub const fn range(first: u8, len: u8) -> Self {
        let mut bits = 0;
        let mut i = 0;
        while i < len {
            bits |= Self::single(first.saturating_add(i)).0;
            i += 1;
        }
        UnitSet(bits)
    }

    /// Adds a unit.
    pub fn insert(&mut self, unit: u8) {
        self.0 |= Self::single(unit).0;
    }

    /// Takes a unit out.
    pub fn remove(&mut self, unit: u8) {
        self.0 &= !Self::single(unit).0;
    }

    /// Adds all units of `other`.
    pub fn insert_all(&mut self, other: UnitSet) {
        self.0 |= other.0;
    }

    /// Whether `unit` is in the set.
    pub const fn contains(self, unit: u8) -> bool {
        self.0 & Self::single(unit).0 != 0
    }

    /// Whether every unit of `other` is in this set.
    pub const fn contains_all(self, other: UnitSet) -> bool {
        other.0 & !self.0 == 0
    }

    /// The units in either set.
    pub const fn union(self, other: UnitSet) -> UnitSet {
        UnitSet(self.0 | other.0)
    }

    /// The units in both sets.
    pub const fn intersection(self, other: UnitSet) -> UnitSet {
        UnitSet(self.0 & other.0)
    }

    /// Whether the sets have a unit in common.
    pub const fn intersects(self, other: UnitSet) -> bool {
        self.0 & other.0 != 0
    }

    /// The units of this set that are not in `other`.
    pub const fn minus(self, other: UnitSet) -> UnitSet {
        UnitSet(self.0 & !other.0)
    }

    /// Whether there is no unit in the set.
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// How many units there are in the set.
    pub const fn len(self) -> usize {
        self.0.count_ones() as usize
    }

    /// The units in increasing order.
    pub fn iter(self) -> UnitIter {
        UnitIter(self.0)
    }
}

impl IntoIterator for UnitSet {
    type Item = u8;
    type IntoIter = UnitIter;
    fn into_iter(self) -> UnitIter {
        self.iter()
    }
}

impl FromIterator<u8> for UnitSet {
    fn from_iter<I: IntoIterator<Item = u8>>(units: I) -> Self {
        let mut set = UnitSet::EMPTY;
        units.into_iter().for_each(|u| set.insert(u));
        set
    }
}

impl fmt::Debug for UnitSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.iter()).finish()
    }
}

/// Iterator over the units of a [`UnitSet`], in increasing order.
#[derive(Clone, Debug)]
pub struct UnitIter(u128);

impl Iterator for UnitIter {
    type Item = u8;
    fn next(&mut self) -> Option<u8> {
        if self.0 == 0 {
            return None;
        }
        let unit = self.0.trailing_zeros() as u8;
        self.0 &= self.0 - 1;
        Some(unit)
    }
}

/// One physical register.
#[derive(Clone, Debug)]
pub struct RegDef {
    /// Its name in dumps and reports.
    pub name: &'static str,
    /// The units it covers: at least one.
    pub units: UnitSet,
    /// For pairs: the two halves (low, high).
    pub halves: Option<(PReg, PReg)>,
}

/// One register class: the registers that can hold a kind of value.
#[derive(Clone, Debug)]
pub struct ClassDef {
    /// Its name in dumps and reports.
    pub name: &'static str,
    /// Allocatable members in order of preference. Reserved and pinned registers are simply not in it.
    pub order: Vec<PReg>,
    /// Size of a spill slot, in bytes; at least 1.
    pub spill_size: u32,
    /// Alignment of a spill slot, in bytes; a power of two.
    pub spill_align: u32,
    /// Register that is never in any `order`, free for breaking cycles of moves in this class. `None`: the allocator
    /// uses a stack slot to break cycles.
    pub scratch: Option<PReg>,
    /// The class that this one has some of the registers of, for values that may be in no others. Values of a class and of
    /// its subsets can be moved to each other, passed to each other's parameters, and read where the other's is tied. Subsets
    /// have the class's spill slots, scratch register and pairs.
    pub subset_of: Option<RegClass>,
    /// Class of consecutive even/odd pairs whose halves are members of this class. Its own `order` lists the pairs.
    pub pair: Option<RegClass>,
}

/// A machine's registers.
#[derive(Clone, Debug, Default)]
pub struct RegFile {
    /// All registers, at most 256.
    pub regs: Vec<RegDef>,
    /// All classes, at most 255. A class and its subsets need have no register in common: what counts is the kind.
    pub classes: Vec<ClassDef>,
    /// Units that cost a save in the prologue when first used (callee-saved): preferred last, and only when worth it.
    pub callee_saved: UnitSet,
}

impl RegFile {
    /// The units that a register covers; empty for an index out of range.
    pub fn units(&self, reg: PReg) -> UnitSet {
        self.regs.get(reg.index()).map_or(UnitSet::EMPTY, |r| r.units)
    }

    /// Whether two registers share a unit.
    pub fn overlap(&self, a: PReg, b: PReg) -> bool {
        self.units(a).intersects(self.units(b))
    }

    /// The register's name, `?` for an index out of range.
    pub fn name(&self, reg: PReg) -> &'static str {
        self.regs.get(reg.index()).map_or("?", |r| r.name)
    }

    /// The class that a class is a subset of, or the class itself.
    pub fn root(&self, class: RegClass) -> RegClass {
        self.classes.get(class.index()).and_then(|c| c.subset_of).unwrap_or(class)
    }

    /// Whether values of the two classes can be moved to each other.
    pub fn same_kind(&self, a: RegClass, b: RegClass) -> bool {
        self.root(a) == self.root(b)
    }

    /// The units of all registers that the allocator may choose: the union of all orders.
    pub fn allocatable(&self) -> UnitSet {
        let all = self.classes.iter().flat_map(|c| c.order.iter());
        all.fold(UnitSet::EMPTY, |set, &r| set.union(self.units(r)))
    }

    /// Checks that the description is consistent: indices in range, units non-empty, sizes and alignments sane,
    /// scratch registers outside every order, pairs made of halves.
    ///
    /// # Errors
    /// A sentence that says what is wrong first.
    pub fn validate(&self) -> Result<(), &'static str> {
        if self.regs.len() > 256 {
            return Err("more than 256 registers");
        }
        if self.classes.len() > 255 {
            return Err("more than 255 classes");
        }
        for reg in &self.regs {
            if reg.units.is_empty() {
                return Err("a register covers no unit");
            }
            if let Some((lo, hi)) = reg.halves {
                let (lo, hi) = (self.units(lo), self.units(hi));
                if lo.is_empty() || hi.is_empty() || lo.intersects(hi) || lo.union(hi) != reg.units {
                    return Err("a pair's halves do not make up the pair");
                }
            }
        }
        let allocatable = self.allocatable();
        for class in &self.classes {
            if class.order.iter().any(|r| r.index() >= self.regs.len()) {
                return Err("a class lists a register that does not exist");
            }
            if class.spill_size == 0 || !class.spill_align.is_power_of_two() {
                return Err("a class has no spill size or an alignment that is not a power of two");
            }
            if let Some(scratch) = class.scratch {
                if scratch.index() >= self.regs.len() {
                    return Err("a class's scratch register does not exist");
                }
                if self.units(scratch).intersects(allocatable) {
                    return Err("a scratch register overlaps an allocatable one");
                }
            }
            if let Some(root) = class.subset_of {
                let fits = self.classes.get(root.index()).is_some_and(|root| {
                    root.subset_of.is_none()
                        && (root.spill_size, root.spill_align) == (class.spill_size, class.spill_align)
                        && (root.scratch, root.pair) == (class.scratch, class.pair)
                });
                if !fits {
                    return Err("a class is not a subset of the class that it says");
                }
            }
            if let Some(pair) = class.pair {
                let Some(pair) = self.classes.get(pair.index()) else {
                    return Err("a class's pair class does not exist");
                };
                if pair.order.iter().any(|r| self.regs.get(r.index()).is_none_or(|r| r.halves.is_none())) {
                    return Err("a pair class lists a register without halves");
                }
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unit_sets_behave_as_sets() {
        let mut a = UnitSet::range(3, 4);
        assert_eq!(a.iter().collect::<Vec<_>>(), [3, 4, 5, 6]);
        a.remove(4);
        a.insert(127);
        assert_eq!(a.len(), 4);
        assert!(a.contains(127) && !a.contains(4));
        assert!(a.intersects(UnitSet::single(5)) && !a.intersects(UnitSet::single(4)));
        assert_eq!(a.minus(UnitSet::range(0, 7)), UnitSet::single(127));
        assert_eq!([3u8, 5].into_iter().collect::<UnitSet>(), a.intersection(UnitSet::range(0, 6)));
    }
}
