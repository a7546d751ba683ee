//! The difference of two texts, by lines.
//!
//! Equal ends are cut off; between them a longest common subsequence is found by dynamic programming, or, where that
//! table would be larger than [`MAX_CELLS`], everything counts as changed. Cost: product of the changed lines.

use std::fmt::Write;

/// The largest table that is worth its memory: two texts of 2000 changed lines.
const MAX_CELLS: usize = 4 << 20;

/// A line of a difference.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Line<'a> {
    /// In both texts.
    Same(&'a str),
    /// In the first alone.
    Removed(&'a str),
    /// In the second alone.
    Added(&'a str),
}

/// The lines of both texts, in order.
pub fn lines<'a>(old: &'a str, new: &'a str) -> Vec<Line<'a>> {
    let (a, b): (Vec<_>, Vec<_>) = (old.lines().collect(), new.lines().collect());
    let prefix = a.iter().zip(&b).take_while(|(x, y)| x == y).count();
    let suffix = a[prefix..].iter().rev().zip(b[prefix..].iter().rev()).take_while(|(x, y)| x == y).count();
    let (mid_a, mid_b) = (&a[prefix..a.len() - suffix], &b[prefix..b.len() - suffix]);
    let mut out: Vec<_> = a[..prefix].iter().map(|l| Line::Same(l)).collect();
    middle(mid_a, mid_b, &mut out);
    out.extend(a[a.len() - suffix..].iter().map(|l| Line::Same(l)));
    out
}

fn middle<'a>(a: &[&'a str], b: &[&'a str], out: &mut Vec<Line<'a>>) {
    let width = b.len() + 1;
    if (a.len() + 1).saturating_mul(width) > MAX_CELLS {
        out.extend(a.iter().map(|l| Line::Removed(l)));
        out.extend(b.iter().map(|l| Line::Added(l)));
        return;
    }
    // common[i][j]: length of the longest common subsequence of a[i..] and b[j..].
    let mut common = vec![0u32; (a.len() + 1) * width];
    for i in (0..a.len()).rev() {
        for j in (0..b.len()).rev() {
            common[i * width + j] = if a[i] == b[j] {
                common[(i + 1) * width + j + 1] + 1
            } else {
                common[(i + 1) * width + j].max(common[i * width + j + 1])
            };
        }
    }
    let (mut i, mut j) = (0, 0);
    while i < a.len() || j < b.len() {
        if i < a.len() && j < b.len() && a[i] == b[j] {
            out.push(Line::Same(a[i]));
            i += 1;
            j += 1;
        } else if j == b.len() || i < a.len() && common[(i + 1) * width + j] >= common[i * width + j + 1] {
            out.push(Line::Removed(a[i]));
            i += 1;
        } else {
            out.push(Line::Added(b[j]));
            j += 1;
        }
    }
}

/// The difference as text: `-` what only `old` has, `+` what only `new` has, with `context` lines of both around,
/// and `...` for what is left out. Red and green if `color`.
pub fn render(old: &str, new: &str, context: usize, color: bool) -> String {
    let lines = lines(old, new);
    let mut keep = vec![false; lines.len()];
    for (i, line) in lines.iter().enumerate() {
        if !matches!(line, Line::Same(_)) {
            let from = i.saturating_sub(context);
            let to = (i + context + 1).min(lines.len());
            keep[from..to].fill(true);
        }
    }
    let (red, green, plain) = if color { ("\x1b[31m", "\x1b[32m", "\x1b[0m") } else { ("", "", "") };
    let mut out = String::new();
    let mut skipped = false;
    for (line, keep) in lines.iter().zip(keep) {
        if !keep {
            skipped = true;
            continue;
        }
        if std::mem::take(&mut skipped) {
            out.push_str("  ...\n");
        }
        let _ = match line {
            Line::Same(l) => writeln!(out, "  {l}"),
            Line::Removed(l) => writeln!(out, "{red}- {l}{plain}"),
            Line::Added(l) => writeln!(out, "{green}+ {l}{plain}"),
        };
    }
    if skipped {
        out.push_str("  ...\n");
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_what_changed() {
        assert_eq!(render("a\nb\nc\nd\n", "a\nx\nc\nd\n", 1, false), "  a\n- b\n+ x\n  c\n  ...\n");
        assert_eq!(render("", "a\n", 3, false), "+ a\n");
        assert_eq!(render("a\n", "", 3, true), "\x1b[31m- a\x1b[0m\n");
    }

    #[test]
    fn both_texts_can_be_read_off() {
        let (old, new) = ("one\ntwo\nthree\nfour\nfive", "zero\ntwo\nfour\nfour and a half\nfive\nsix");
        let lines = lines(old, new);
        let side =
            |f: fn(&Line<'_>) -> Option<String>| lines.iter().filter_map(f).collect::<Vec<_>>().join("\n");
        let left = side(|l| match l {
            Line::Same(l) | Line::Removed(l) => Some(l.to_string()),
            Line::Added(_) => None,
        });
        let right = side(|l| match l {
            Line::Same(l) | Line::Added(l) => Some(l.to_string()),
            Line::Removed(_) => None,
        });
        assert_eq!((left.as_str(), right.as_str()), (old, new));
        assert_eq!(lines.iter().filter(|l| matches!(l, Line::Same(_))).count(), 3);
    }
}
