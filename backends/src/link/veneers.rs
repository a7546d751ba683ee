//! Veneers between functions: jumps without limits for branches that do not reach their symbol.
//!
//! In: a module, and where a plan without islands, or with smaller ones, has put everything. Out: [`Islands`], which
//! veneers stand behind which functions.
//!
//! Functions are put together in groups, in their order, so that a branch in a group reaches to the end of it, and
//! as many veneers farther as the group has callees. Behind each group is its island. A branch that does not reach its
//! symbol goes to a veneer in its group's island or, if that is too far because its function is larger than the reach,
//! in the one before. Branches to one symbol share a veneer.
//!
//! Room for a veneer moves what is behind it, so that more branches may be too far: the linker plans again until no
//! veneer is added. None is ever taken away, so that this ends. Where everything is in reach, which the size of the
//! code tells in most modules, there are no islands.
//!
//! Cost: linear in the number of branches, some three times.

use super::{HashMap, LinkOptions, Module, Plan};
use crate::reloc::{Reloc, RelocValues, SymbolAddress};
use alloc::vec::Vec;
use core::fmt;
use hashbrown::HashSet;
use windlass_ir::ExternalName;

/// A jump without limits, as a target has it.
pub struct VeneerDef {
    /// Bytes that it takes, a multiple of its alignment.
    pub size_bytes: u32,
    /// Bytes at its end that are data.
    pub data_bytes: u32,
    /// Its address is a multiple of this power of two, in bytes.
    pub alignment: u32,
    /// Every branch that a veneer serves reaches at least this far either way, in bytes.
    pub reach_bytes: u64,
    /// The addend of a branch to the start of a symbol.
    pub branch_addend: i64,
    /// Writes a jump to S + A. False if it cannot get there.
    pub emit: fn(place: &mut [u8], values: RelocValues) -> bool,
}

/// A target's veneer by reference; equal if they are the same.
#[derive(Clone, Copy)]
pub struct Veneer(pub &'static VeneerDef);

impl PartialEq for Veneer {
    fn eq(&self, other: &Veneer) -> bool {
        core::ptr::eq(self.0, other.0)
    }
}

impl Eq for Veneer {}

impl fmt::Debug for Veneer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Veneer({} bytes)", self.0.size_bytes)
    }
}

/// Where a veneer goes.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(super) struct Destination {
    /// Index of the symbol in the plan.
    pub(super) symbol: u32,
    /// Which of its addresses.
    pub(super) which: SymbolAddress,
    /// Bytes from there.
    pub(super) offset: i64,
}

/// The veneers behind a group of functions.
#[derive(Clone, Default)]
struct Island {
    veneers: Vec<Destination>,
    index: HashMap<Destination, u32>,
}

/// Which veneers stand behind which functions.
#[derive(Clone, Default)]
pub(super) struct Islands {
    /// The group of each function, in order. Empty as long as everything reaches.
    group_of: Vec<u32>,
    /// The island of each group.
    islands: Vec<Island>,
}

/// What is known when veneers are looked for.
pub(super) struct Known<'a> {
    pub(super) module: &'a Module,
    pub(super) options: &'a LinkOptions,
    pub(super) plan: &'a Plan,
    pub(super) names: &'a HashMap<ExternalName, u32>,
    /// The image may go anywhere: what is outside of it may be out of reach.
    pub(super) anywhere: bool,
}

impl Known<'_> {
    /// Bytes that branches reach, or may.
    fn range(&self, veneer: &VeneerDef) -> u64 {
        self.options.branch_range.map_or(veneer.reach_bytes, |range| range.min(veneer.reach_bytes))
    }

    /// Is everything in reach of everything?
    fn is_small(&self, veneer: &VeneerDef) -> bool {
        self.module.absolute.is_empty() && self.plan.code_size() <= self.range(veneer)
    }

    /// Where a relocation of a function goes, if it is a branch whose symbol is known.
    fn destination(&self, veneer: &VeneerDef, reloc: &Reloc) -> Option<Destination> {
        let def = reloc.kind.0;
        let symbol = if def.is_branch { *self.names.get(&reloc.symbol)? } else { return None };
        let offset = reloc.addend.wrapping_sub(veneer.branch_addend);
        Some(Destination { symbol, which: def.symbol, offset })
    }

    /// The values of a branch from function `user` to an address.
    fn values(&self, user: usize, reloc: &Reloc, symbol: u64, addend: i64) -> RelocValues {
        let place = self.plan.symbols[user].address + u64::from(reloc.offset);
        self.plan.values(self.options, symbol, addend, place)
    }

    /// Can the branch hold these values?
    fn reaches(&self, user: usize, reloc: &Reloc, values: RelocValues) -> bool {
        let mut scratch = [0; 16];
        let start = reloc.offset as usize;
        let size = usize::from(reloc.kind.0.size_bytes);
        let code = &self.module.functions[user].code.bytes;
        match (code.get(start..start.saturating_add(size)), scratch.get_mut(..size)) {
            (Some(bytes), Some(place)) => {
                place.copy_from_slice(bytes);
                (reloc.kind.0.apply)(place, values)
            }
            // Somebody else reports that.
            _ => true,
        }
    }

    /// Must the branch make a detour?
    fn is_far(&self, veneer: &VeneerDef, user: usize, reloc: &Reloc, to: Destination) -> bool {
        let symbol = &self.plan.symbols[to.symbol as usize];
        if self.anywhere && symbol.kind.is_none() {
            return true;
        }
        let address = self.plan.address(&reloc.symbol, symbol, to.which);
        let values = self.values(user, reloc, address, reloc.addend);
        let distance = values.relative().wrapping_sub(veneer.branch_addend).unsigned_abs();
        self.options.branch_range.is_some_and(|range| distance > range) || !self.reaches(user, reloc, values)
    }
}

impl Islands {
    /// Bytes behind function `n`, if an island is there.
    pub(super) fn behind(&self, n: usize, veneer: &VeneerDef) -> Option<u64> {
        let group = *self.group_of.get(n)?;
        let last = self.group_of.get(n + 1).is_none_or(|&next| next != group);
        last.then(|| self.islands[group as usize].veneers.len() as u64 * u64::from(veneer.size_bytes))
    }

    /// Adds the veneers that branches want where things are now. False if there is nothing to add.
    pub(super) fn grow(&mut self, known: &Known<'_>) -> bool {
        let Some(Veneer(veneer)) = known.options.veneer else { return false };
        if known.is_small(veneer) {
            return false;
        }
        let mut grown = false;
        for (user, function) in known.module.functions.iter().enumerate() {
            for reloc in &function.code.relocs {
                let Some(to) = known.destination(veneer, reloc) else { continue };
                if !known.is_far(veneer, user, reloc, to) {
                    continue;
                }
                if self.group_of.is_empty() {
                    *self = Islands::grouped(known, veneer);
                    return true;
                }
                let Some(group) = self.in_reach(known, veneer, user, reloc).next() else { continue };
                let island = &mut self.islands[group];
                if !island.index.contains_key(&to) {
                    island.index.insert(to, island.veneers.len() as u32);
                    island.veneers.push(to);
                    grown = true;
                }
            }
        }
        grown
    }

    /// Groups of functions with empty islands.
    fn grouped(known: &Known<'_>, veneer: &VeneerDef) -> Islands {
        let range = known.range(veneer);
        let mut group_of = Vec::with_capacity(known.module.functions.len());
        let (mut group, mut start) = (0, None);
        let mut callees = HashSet::new();
        for (function, symbol) in known.module.functions.iter().zip(&known.plan.symbols) {
            callees.extend(function.code.relocs.iter().filter_map(|reloc| known.destination(veneer, reloc)));
            let end = symbol.address + symbol.size;
            let island = callees.len() as u64 * u64::from(veneer.size_bytes) + u64::from(veneer.alignment);
            // Behind an island functions are aligned anew.
            let slack = u64::from(function.code.alignment) + function.code.header.len() as u64;
            match start {
                Some(start) if end - start + island + slack > range => {
                    group += 1;
                    callees.clear();
                    callees.extend(
                        function.code.relocs.iter().filter_map(|reloc| known.destination(veneer, reloc)),
                    );
                }
                Some(_) => {
                    group_of.push(group);
                    continue;
                }
                None => {}
            }
            start = Some(symbol.address);
            group_of.push(group);
        }
        let islands = core::iter::repeat_n(Island::default(), group as usize + 1).collect();
        Islands { group_of, islands }
    }

    /// The groups whose islands a branch reaches from end to end, the best first.
    fn in_reach(
        &self,
        known: &Known<'_>,
        veneer: &VeneerDef,
        user: usize,
        reloc: &Reloc,
    ) -> impl Iterator<Item = usize> {
        let own = self.group_of[user] as usize;
        [Some(own), own.checked_sub(1)].into_iter().flatten().filter(move |&group| {
            let start = known.plan.islands[group];
            // One more may be added.
            let end = start + self.islands[group].veneers.len() as u64 * u64::from(veneer.size_bytes);
            [start, end].into_iter().all(|address| {
                let values = known.values(user, reloc, address, veneer.branch_addend);
                known.reaches(user, reloc, values)
            })
        })
    }

    /// The address of the veneer that a branch goes to, if it makes a detour.
    pub(super) fn detour(&self, known: &Known<'_>, user: usize, reloc: &Reloc) -> Option<u64> {
        let Veneer(veneer) = known.options.veneer?;
        if self.group_of.is_empty() {
            return None;
        }
        let to = known.destination(veneer, reloc)?;
        if !known.is_far(veneer, user, reloc, to) {
            return None;
        }
        self.in_reach(known, veneer, user, reloc).find_map(|group| {
            let n = *self.islands[group].index.get(&to)?;
            Some(known.plan.islands[group] + u64::from(n) * u64::from(veneer.size_bytes))
        })
    }

    /// Every veneer: its address, and where it goes.
    pub(super) fn veneers(&self, plan: &Plan, veneer: &VeneerDef) -> Vec<(u64, Destination)> {
        let size = u64::from(veneer.size_bytes);
        let islands = self.islands.iter().zip(&plan.islands);
        islands
            .flat_map(|(island, &start)| {
                island.veneers.iter().zip(0..).map(move |(&to, n)| (start + n * size, to))
            })
            .collect()
    }
}
