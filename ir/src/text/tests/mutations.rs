//! Mutated inputs: no panic, and what is accepted prints and reads back.

use super::*;
use alloc::vec::Vec;

/// Xorshift.
struct Random(u64);

impl Random {
    fn below(&mut self, n: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 16) as usize % n.max(1)
    }
}

const SEED_TEXT: &str = r#"test run
set opt_level=speed
target armv7hf

function %f(i64 vmctx, i32, f64 uext) -> i32, i64 system_v {
    ss0 = explicit_slot 16, align = 4, key = 5
    region0 = 4 "name\"\u{41}"
    gv0 = vmctx
    gv1 = load.i64 notrap aligned region0 gv0+8
    gv2 = iadd_imm.i64 gv1, -72
    gv3 = symbol colocated %x+4
    sig0 = (i32 sext, i64 sarg(8)) -> i32 tail
    fn0 = colocated %g sig0
    fn1 = u0:1(i32) -> i8
    const0 = 0x000102030405060708090a0b0c0d0e0f
    stack_limit = gv2

block0(v0: i64, v1: i32, v2: f64):
@1f   v3 = iconst.i32 0xDEAD_BEEF
      <1, ss0> v4 = call fn0(v1, v0), stack_map=[i32 @ ss0+0]
      v5 -> v9
      v6, v7 = uadd_overflow v4, v5
      v8 = icmp_imm ult v6, 5
      brif v8, block1(v6), block2
block1(v10: i32) cold:
      v9 = iadd_imm v10, -3
      v11 = load.f64 little aligned user3 region0 v0+0x10
      v12 = fcmp uno v11, v2
      v13 = f64const -0x1.8p-3
      v14 = f32const +NaN:0x1
      store v11, v0-8 ; a comment
      br_table v9, block2, [block1(v9), block2]
block2:
      v15 = global_value.i64 gv2
      v16 = stack_load.i32 ss0+4
      v17 = atomic_rmw.i32 big xchg v15, v16
      v18 = vconst.i32x4 [1 2 3 4]
      v19 = shuffle v20, v20, 0x1f1e1d1c1b1a19181716151413121110
      v20 = bitcast.i8x16 little v18
      v21 = band_not v17, v16
      trapz v21, int_divz
      try_call fn0(v1, v0), sig0, block1(ret0), [ tag1: block1(v1), context v0, default: block2 ]
}
; run: %f(1, 2, 0x1.0) == [2, -3]
; print: %f(0, -1, +NaN:0x1)
"#;

/// Pieces that mutations put in.
const PIECES: &[&str] = &[
    "v4294967294",
    "v0",
    "block0",
    "block4000000000",
    "ss0",
    "gv0",
    "sig0",
    "fn0",
    "const0",
    "region0",
    "tag0",
    "ret0",
    "exn0",
    "(",
    ")",
    "[",
    "]",
    "{",
    "}",
    ",",
    ":",
    "=",
    "->",
    "<",
    ">",
    "!",
    "@",
    "@ff",
    "%",
    "%\"",
    "\"",
    "\\",
    "\u{e9}",
    "\0",
    ".i8",
    ".i128",
    ".f32x4",
    "function %f() {",
    "return",
    "iadd",
    "iadd_imm",
    "stack_map=[",
    "0x",
    "-",
    "+NaN",
    "1e400",
    "99999999999999999999999999999999999999999",
    "cold",
    "\n",
    "\r",
    ";",
    " ",
    "v1 -> v2",
    "explicit_slot",
    "4294967296",
    "u4:4",
];

/// Between one and eight small changes of `text`.
fn mutate(text: &[u8], random: &mut Random) -> Vec<u8> {
    let mut out = text.to_vec();
    for _ in 0..=random.below(8) {
        let at = random.below(out.len());
        match random.below(7) {
            0 => drop(out.drain(at..(at + 1 + random.below(12)).min(out.len()))),
            1 => {
                let piece = PIECES[random.below(PIECES.len())].bytes();
                out.splice(at..at, piece);
            }
            2 => {
                let end = (at + random.below(8)).min(out.len());
                out.splice(at..end, PIECES[random.below(PIECES.len())].bytes());
            }
            3 => {
                if let Some(byte) = out.get_mut(at) {
                    *byte = random.below(256) as u8;
                }
            }
            4 => {
                let from = random.below(out.len());
                let piece = out[from..(from + random.below(60)).min(out.len())].to_vec();
                out.splice(at..at, piece);
            }
            5 => {
                if let Some(byte) = out[at..].iter_mut().find(|b| b.is_ascii_digit()) {
                    *byte = b'0' + random.below(10) as u8;
                }
            }
            _ => out.truncate(at.max(out.len() / 2)),
        }
    }
    out
}

/// Reads one input as everything that it may be.
fn feed(bytes: &[u8]) -> bool {
    let text = String::from_utf8_lossy(bytes);
    let Ok(file) = parse_test_file(&text, &ParseOptions::default()) else {
        return false;
    };
    for function in &file.functions {
        let printed = function.func.to_string();
        let again = parse_function(&printed).unwrap_or_else(|e| panic!("{e}\n{printed}\nof\n{text}"));
        assert_eq!(again.to_string(), printed, "of\n{text}");
        for comment in &function.comments {
            let find = |name: &crate::ExternalName| {
                file.functions.iter().map(|f| &f.func).find(|f| f.name == *name).map(|f| &f.signature)
            };
            if let Ok(Some(command)) = parse_run_command(comment.text, &function.func.name, find) {
                let printed = command.to_string();
                let again = parse_run_command(&printed, &function.func.name, find);
                assert_eq!(again, Ok(Some(command)), "{printed}");
            }
        }
    }
    true
}

#[test]
fn mutated_inputs_neither_panic_nor_print_differently() {
    assert!(feed(SEED_TEXT.as_bytes()), "{:?}", parse_test_file(SEED_TEXT, &ParseOptions::default()).err());
    let mut random = Random(0x2545_f491_4f6c_dd1d);
    let rounds = option_env!("WINDLASS_MUTATIONS").and_then(|n| n.parse().ok()).unwrap_or(20_000);
    let mut accepted = 0;
    for _ in 0..rounds {
        accepted += u32::from(feed(&mutate(SEED_TEXT.as_bytes(), &mut random)));
    }
    assert!(accepted > 50, "only {accepted} mutated inputs were accepted");
}

#[test]
fn long_inputs_take_linear_time() {
    let n = 20_000;
    let mut text = String::from("function %f(i32) { block0(v0: i32):\n");
    // Each value is defined behind its use, so that all types come from the last line.
    for i in 1..n {
        text += &alloc::format!("v{i} = ineg v{}\n", i + 1);
    }
    text += &alloc::format!("v{n} -> v0\nreturn }}");
    reprint(&text);
    for nested in ["(", "[", "{", "!x(", "block0(", "<", "%\"", "v1 -> "] {
        let _ = parse_functions(&alloc::format!("function %f() {{ block0: {}", nested.repeat(n)));
        let _ = parse_functions(&nested.repeat(n));
    }
}
