//! Expected outputs that stand in the test file itself.
//!
//! After a function and its directives, each block says what a command gives for it:
//!
//! ```text
//! ;; armv7hf
//! ; sub r0, r0, #9
//! ; bx lr
//! ;; armv7hf: regalloc
//! ; …
//! ;; cat
//! ; …
//! ```
//!
//! The header is the target as the file's `target` line spells it, then a colon and the command unless that is
//! `compile`; a command that knows no target is the header by itself. Every line of output follows a semicolon and a
//! space; an empty one is a semicolon. A block ends before a line that does not start with a semicolon, before the next
//! header, and before a directive.
//!
//! Blessing replaces the lines of a block, or adds the block behind the function's other comments. It changes no other
//! line.

use std::collections::BTreeMap;
use std::ops::Range;

/// The header of a block.
pub fn header(command: &str, target: Option<&str>) -> String {
    match (target, command) {
        (None, _) => command.to_owned(),
        (Some(target), "compile") => target.to_owned(),
        (Some(target), _) => format!("{target}: {command}"),
    }
}

/// An expected output in the file.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Block {
    /// What follows the two semicolons.
    pub header: String,
    /// The lines of the file, from 0, without the header's.
    pub lines: Range<usize>,
    /// What is expected: every line ends in a newline.
    pub text: String,
}

const DIRECTIVES: [&str; 9] =
    ["run", "print:", "check:", "sameln:", "nextln:", "unordered:", "not:", "regex:", "error:"];

fn is_directive(line: &str) -> bool {
    let comment = line.trim_start_matches(';').trim_start();
    DIRECTIVES.iter().any(|word| match comment.strip_prefix(word) {
        Some(rest) => word.ends_with(':') || rest.is_empty() || rest.starts_with(':'),
        None => false,
    })
}

/// The blocks between two lines of a file.
pub fn blocks(lines: &[&str], within: Range<usize>) -> Vec<Block> {
    let within = within.start..within.end.min(lines.len());
    let mut out = Vec::new();
    let mut i = within.start;
    while i < within.end {
        let Some(header) = lines[i].strip_prefix(";; ") else {
            i += 1;
            continue;
        };
        i += 1;
        let start = i;
        let mut text = String::new();
        while i < within.end
            && lines[i].starts_with(';')
            && !lines[i].starts_with(";;")
            && !is_directive(lines[i])
        {
            let line = &lines[i][1..];
            text.push_str(line.strip_prefix(' ').unwrap_or(line));
            text.push('\n');
            i += 1;
        }
        out.push(Block { header: header.trim().to_owned(), lines: start..i, text });
    }
    out
}

/// Outputs to write into a file: by the line (from 0) of the function's closing brace, and by header.
pub type Edits = BTreeMap<usize, Vec<(String, String)>>;

fn comment(text: &str, out: &mut String) {
    for line in text.lines() {
        let line = line.trim_end();
        out.push_str(if line.is_empty() { ";" } else { "; " });
        out.push_str(line);
        out.push('\n');
    }
}

/// `text` with its blocks as `edits` has them. `regions` gives, for each function, the lines from the one behind
/// its closing brace to the next function.
pub fn rewrite(text: &str, regions: &[Range<usize>], edits: &Edits) -> String {
    let lines: Vec<&str> = text.lines().collect();
    // Lines replaced or inserted, by the line at which they start.
    let mut changes: BTreeMap<usize, (usize, String)> = BTreeMap::new();
    for region in regions {
        let Some(outputs) = region.start.checked_sub(1).and_then(|line| edits.get(&line)) else { continue };
        let present = blocks(&lines, region.clone());
        let mut end = region.start;
        while end < region.end.min(lines.len()) && lines[end].starts_with(';') {
            end += 1;
        }
        let mut added = String::new();
        for (header, output) in outputs {
            match present.iter().find(|block| block.header == *header) {
                Some(block) => {
                    let mut new = String::new();
                    comment(output, &mut new);
                    changes.insert(block.lines.start, (block.lines.end, new));
                }
                None => {
                    added.push_str(&format!(";; {header}\n"));
                    comment(output, &mut added);
                }
            }
        }
        if !added.is_empty() {
            // A block that ends here is replaced first.
            let at = changes.entry(end).or_insert((end, String::new()));
            at.1.insert_str(0, &added);
        }
    }
    let mut out = String::with_capacity(text.len());
    let mut i = 0;
    loop {
        if let Some((next, new)) = changes.remove(&i) {
            out.push_str(&new);
            if next > i {
                i = next;
                continue;
            }
        }
        let Some(line) = lines.get(i) else { break };
        out.push_str(line);
        out.push('\n');
        i += 1;
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    const FILE: &str = "\
test compile precise-output

function %f() {
block0:
    return
}
; run: %f() == []
;; arm
; bx lr
;
; end
;; arm: regalloc
; x

; about g
function %g() {
block0:
    return
}
; run: %g() == []
";

    #[test]
    fn blocks_are_read() {
        let lines: Vec<_> = FILE.lines().collect();
        let blocks = blocks(&lines, 6..14);
        assert_eq!(blocks.len(), 2);
        assert_eq!((blocks[0].header.as_str(), blocks[0].text.as_str()), ("arm", "bx lr\n\nend\n"));
        assert_eq!((blocks[1].header.as_str(), blocks[1].text.as_str()), ("arm: regalloc", "x\n"));
        assert_eq!(header("regalloc", Some("arm")), blocks[1].header);
    }

    #[test]
    fn blessing_changes_nothing_else() {
        let regions = [6..14, 19..20];
        let same: Edits = BTreeMap::from([(
            5,
            vec![("arm".into(), "bx lr\n\nend\n".into()), ("arm: regalloc".into(), "x\n".into())],
        )]);
        assert_eq!(rewrite(FILE, &regions, &same), FILE);
        let edits: Edits = BTreeMap::from([
            (5, vec![("arm".into(), "nop\n".into()), ("cat".into(), "c\n".into())]),
            (18, vec![("arm".into(), "mov\n".into())]),
        ]);
        let new = rewrite(FILE, &regions, &edits);
        let expected = FILE
            .replace("; bx lr\n;\n; end\n", "; nop\n")
            .replace("; x\n", "; x\n;; cat\n; c\n")
            .replace("; run: %g() == []\n", "; run: %g() == []\n;; arm\n; mov\n");
        assert_eq!(new, expected);
        assert_eq!(rewrite(&new, &[6..15, 19..22], &edits), new, "blessing again changes nothing");
    }
}
