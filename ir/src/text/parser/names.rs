//! Finding opcodes by name, and names that were perhaps meant.

use crate::opcode::{Opcode, TABLE};
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

const COUNT: usize = TABLE.len();

/// The names in order, so that one of two hundred is found with eight comparisons.
static SORTED: [(&str, Opcode); COUNT] = sort();

const fn less(a: &str, b: &str) -> bool {
    let (a, b) = (a.as_bytes(), b.as_bytes());
    let mut i = 0;
    while i < a.len() && i < b.len() {
        if a[i] != b[i] {
            return a[i] < b[i];
        }
        i += 1;
    }
    a.len() < b.len()
}

const fn sort() -> [(&'static str, Opcode); COUNT] {
    let mut out = [(TABLE[0].name, TABLE[0].opcode); COUNT];
    let mut n = 0;
    while n < COUNT {
        let mut at = n;
        while at > 0 && less(TABLE[n].name, out[at - 1].0) {
            out[at] = out[at - 1];
            at -= 1;
        }
        out[at] = (TABLE[n].name, TABLE[n].opcode);
        n += 1;
    }
    out
}

/// The opcode called `name`.
pub(super) fn opcode(name: &str) -> Option<Opcode> {
    SORTED.binary_search_by(|&(known, _)| known.cmp(name)).ok().map(|i| SORTED[i].1)
}

/// Every opcode's name.
pub(super) fn opcode_names() -> impl Iterator<Item = &'static str> {
    TABLE.iter().map(|def| def.name)
}

/// `, did you mean …?` with the name among `known` that is nearest to `name`; nothing if none is near.
pub(super) fn suggest<'a>(name: &str, known: impl Iterator<Item = &'a str>) -> String {
    const LONGEST: usize = 40;
    if name.len() > LONGEST {
        return String::new();
    }
    let limit = 1 + name.len() / 4;
    let best = known.map(|k| (distance(name.as_bytes(), k.as_bytes()), k)).min();
    match best {
        Some((distance, best)) if distance <= limit => format!(", did you mean `{best}`?"),
        _ => String::new(),
    }
}

/// Number of insertions, removals, replacements and swaps of neighbours that lead from `a` to `b`
/// (Damerau's distance, restricted to one edit a place).
fn distance(a: &[u8], b: &[u8]) -> usize {
    let mut before: Vec<usize> = Vec::new();
    let mut above: Vec<usize> = (0..=b.len()).collect();
    for i in 1..=a.len() {
        let mut row = alloc::vec![i; b.len() + 1];
        for j in 1..=b.len() {
            let replace = above[j - 1] + usize::from(a[i - 1] != b[j - 1]);
            row[j] = replace.min(above[j] + 1).min(row[j - 1] + 1);
            if i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] {
                row[j] = row[j].min(before[j - 2] + 1);
            }
        }
        before = core::mem::replace(&mut above, row);
    }
    above[b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_opcode_is_found() {
        for def in TABLE {
            assert_eq!(opcode(def.name), Some(def.opcode));
        }
        assert_eq!(opcode("iad"), None);
        assert_eq!(opcode(""), None);
    }

    #[test]
    fn near_names_are_suggested() {
        assert_eq!(suggest("iad", opcode_names()), ", did you mean `iadd`?");
        assert_eq!(suggest("retrun", opcode_names()), ", did you mean `return`?");
        assert_eq!(suggest("frobnicate", opcode_names()), "");
    }
}
