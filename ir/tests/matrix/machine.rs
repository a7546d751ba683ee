//! Memory, atomics, control, calls, the machine: for 32-bit and for 64-bit addresses.

use crate::file::*;
use windlass_ir::types::*;
use windlass_ir::{AtomicRmwOp, Type};

const SLOT: &str = "ss0 = explicit_slot 32, align = 16";

/// The bytes of `x`, a value of `ty`, in reverse order.
fn swapped(x: u128, ty: Type) -> u128 {
    x.swap_bytes() >> (128 - ty.bits())
}

fn sample(ty: Type) -> [u128; 3] {
    let m = mask(ty.bits());
    [0x0123_4567_89ab_cdef_1133_5577_99bb_ddff & m, 0x80 | 0x8000 & m | 1 << (ty.bits() - 1), m / 3]
}

fn memory(file: &mut File, address: Type, types: &[Type]) {
    let stack = format!("v1 = stack_addr.{address} ss0");
    for &ty in types {
        let name = format!("load_{ty}");
        let lines = [&stack, "store v0, v1+8", &format!("v2 = load.{ty} v1+8"), "return v2"];
        file.function_with(&name, &[ty], &[ty], SLOT, &lines);
        for x in sample(ty) {
            file.run(&name, &[(x, ty)], Expect::Gives(&[(x, ty)]));
        }
        // Byte orders, and an address that is no multiple of the size.
        let name = format!("store_{ty}");
        let lines = [&stack, "store little v0, v1+1", &format!("v2 = load.{ty} big v1+1"), "return v2"];
        file.function_with(&name, &[ty], &[ty], SLOT, &lines);
        for x in sample(ty) {
            file.run(&name, &[(x, ty)], Expect::Gives(&[(swapped(x, ty), ty)]));
        }
    }
    for &ty in types.iter().filter(|ty| [I16, I32, I64].contains(ty)) {
        for n in [8, 16, 32] {
            if n >= ty.bits() {
                continue;
            }
            // Suffixes where the text has them: the widest have one type only.
            let dot = if n == 32 { String::new() } else { format!(".{ty}") };
            for (op, extends) in [(format!("uload{n}"), false), (format!("sload{n}"), true)] {
                let name = format!("{op}_{ty}");
                let lines =
                    [&stack, "store little v0, v1+4", &format!("v2 = {op}{dot} little v1+4"), "return v2"];
                file.function_with(&name, &[ty], &[ty], SLOT, &lines);
                for x in sample(ty).into_iter().chain([0x80, 0x8000, 0x7f]) {
                    let low = x & mask(n);
                    let bits = if extends { signed(low, n) as u128 } else { low };
                    file.run(&name, &[(x, ty)], Expect::Gives(&[(bits, ty)]));
                }
            }
            let name = format!("istore{n}_{ty}");
            let lines = [
                &stack,
                "store little v0, v1",
                &format!("v2 = iconst.{ty} 0x5a"),
                &format!("istore{n} little v2, v1"),
                &format!("v3 = load.{ty} little v1"),
                "return v3",
            ];
            file.function_with(&name, &[ty], &[ty], SLOT, &lines);
            for x in sample(ty) {
                let bits = x & !mask(n) | 0x5a;
                file.run(&name, &[(x, ty)], Expect::Gives(&[(bits, ty)]));
            }
        }
    }
}

fn addresses(file: &mut File, address: Type) {
    let name = format!("stack_addr_{address}");
    let lines = [
        &format!("v0 = stack_addr.{address} ss0"),
        &format!("v1 = stack_addr.{address} ss0+20"),
        "v2 = isub v1, v0",
        "return v2",
    ];
    file.function_with(&name, &[], &[address], SLOT, &lines);
    file.run(&name, &[], Expect::Gives(&[(20, address)]));
}

fn combine(op: AtomicRmwOp, x: u128, y: u128, w: u32) -> u128 {
    let (sx, sy) = (signed(x, w), signed(y, w));
    match op {
        AtomicRmwOp::Add => x.wrapping_add(y),
        AtomicRmwOp::Sub => x.wrapping_sub(y),
        AtomicRmwOp::And => x & y,
        AtomicRmwOp::Nand => !(x & y),
        AtomicRmwOp::Or => x | y,
        AtomicRmwOp::Xor => x ^ y,
        AtomicRmwOp::Xchg => y,
        AtomicRmwOp::Umin => x.min(y),
        AtomicRmwOp::Umax => x.max(y),
        AtomicRmwOp::Smin => sx.min(sy) as u128,
        AtomicRmwOp::Smax => sx.max(sy) as u128,
    }
}

/// Accesses that change what is there.
fn atomic_changes(file: &mut File, address: Type, ty: Type) {
    let stack = format!("v7 = stack_addr.{address} ss0");
    let w = ty.bits();
    for &op in AtomicRmwOp::ALL {
        let name = format!("atomic_rmw_{ty}_{op}");
        let lines = [
            &stack,
            "store v0, v7",
            &format!("v2 = atomic_rmw.{ty} {op} v7, v1"),
            &format!("v3 = load.{ty} v7"),
            "return v2, v3",
        ];
        file.function_with(&name, &[ty, ty], &[ty, ty], SLOT, &lines);
        for (x, y) in [pairs(w)[5], pairs(w)[8], pairs(w)[12], pairs(w)[13], pairs(w)[14]] {
            let bits = combine(op, x, y, w);
            file.run(&name, &[(x, ty), (y, ty)], Expect::Gives(&[(x, ty), (bits, ty)]));
        }
    }
    let name = format!("atomic_cas_{ty}");
    let lines = [
        &stack,
        "store v0, v7",
        "v3 = atomic_cas v7, v1, v2",
        &format!("v4 = load.{ty} v7"),
        "return v3, v4",
    ];
    file.function_with(&name, &[ty, ty, ty], &[ty, ty], SLOT, &lines);
    let [a, b, c] = sample(ty);
    for (there, expected, new) in [(a, a, b), (a, b, c), (0, 0, mask(w)), (mask(w), mask(w) - 1, 0)] {
        let after = if there == expected { new } else { there };
        let args = [(there, ty), (expected, ty), (new, ty)];
        file.run(&name, &args, Expect::Gives(&[(there, ty), (after, ty)]));
    }
}

/// Accesses that read or write.
fn atomic_moves(file: &mut File, address: Type, ty: Type) {
    let stack = format!("v7 = stack_addr.{address} ss0");
    let name = format!("atomic_load_{ty}");
    let lines = [&stack, "store v0, v7", &format!("v1 = atomic_load.{ty} v7"), "return v1"];
    file.function_with(&name, &[ty], &[ty], SLOT, &lines);
    for x in sample(ty) {
        file.run(&name, &[(x, ty)], Expect::Gives(&[(x, ty)]));
    }
    let name = format!("atomic_store_{ty}");
    let lines = [&stack, "atomic_store v0, v7", "fence", &format!("v1 = load.{ty} v7"), "return v1"];
    file.function_with(&name, &[ty], &[ty], SLOT, &lines);
    for x in sample(ty) {
        file.run(&name, &[(x, ty)], Expect::Gives(&[(x, ty)]));
    }
}

fn fence(file: &mut File) {
    file.function("fence", &[I32], &[I32], &["fence", "return v0"]);
    file.run("fence", &[(7, I32)], Expect::Gives(&[(7, I32)]));
}

fn registers(file: &mut File, address: Type) {
    let name = format!("set_pinned_reg_{address}");
    let lines = ["set_pinned_reg v0", &format!("v1 = get_pinned_reg.{address}"), "return v1"];
    file.function(&name, &[address], &[address], &lines);
    let again = format!("get_pinned_reg_{address}");
    file.function(&again, &[address], &[address], &lines);
    for x in corners(address.bits()) {
        file.run(&name, &[(x, address)], Expect::Gives(&[(x, address)]));
    }
    file.run(&again, &[(1, address)], Expect::Gives(&[(1, address)]));
    for op in ["get_frame_pointer", "get_stack_pointer", "get_return_address"] {
        // Where they point is the machine's business; that they point somewhere is not.
        let name = format!("{op}_{address}");
        let lines = [
            &format!("v0 = {op}.{address}"),
            &format!("v1 = iconst.{address} 0"),
            "v2 = icmp ne v0, v1",
            "return v2",
        ];
        file.function(&name, &[], &[I8], &lines);
        file.run(&name, &[], Expect::Gives(&[(1, I8)]));
    }
}

fn branches(file: &mut File, types: &[Type]) {
    for &ty in types {
        file.raw(&format!(
            "
function %brif_{ty}({ty}) -> i8 {{
block0(v0: {ty}):
    v1 = iconst.i8 10
    v2 = iconst.i8 20
    brif v0, block1(v1), block1(v2)

block1(v3: i8):
    return v3
}}
"
        ));
        let name = format!("brif_{ty}");
        for x in [0, 1, mask(ty.bits()), 1 << (ty.bits() - 1)] {
            let result = if x == 0 { 20 } else { 10 };
            file.run(&name, &[(x, ty)], Expect::Gives(&[(result, I8)]));
        }
        for op in ["trapz", "trapnz"] {
            let name = format!("{op}_{ty}");
            file.function(&name, &[ty], &[ty], &[&format!("{op} v0, user42"), "return v0"]);
            for x in [0, 1, mask(ty.bits()), 1 << (ty.bits() - 1)] {
                if (x == 0) == (op == "trapz") {
                    file.run(&name, &[(x, ty)], Expect::Traps("user42"));
                } else {
                    file.run(&name, &[(x, ty)], Expect::Gives(&[(x, ty)]));
                }
            }
        }
    }
}

fn returns(file: &mut File, types: &[Type]) {
    for &ty in types {
        let name = format!("return_{ty}");
        file.function(&name, &[ty], &[ty], &["return v0"]);
        for x in sample(ty) {
            file.run(&name, &[(x, ty)], Expect::Gives(&[(x, ty)]));
        }
    }
}

fn control(file: &mut File) {
    branches(file, &NARROW);
    returns(file, &NARROW);
    file.raw(
        "
function %jump(i32) -> i32 {
block0(v0: i32):
    jump block2(v0)

block1(v1: i32):
    return v1

block2(v2: i32):
    v3 = iadd v2, v2
    jump block1(v3)
}
",
    );
    file.run("jump", &[(21, I32)], Expect::Gives(&[(42, I32)]));
    file.raw(
        "
function %br_table(i32) -> i32 {
block0(v0: i32):
    v1 = iconst.i32 100
    br_table v0, block1(v1), [block1(v0), block2, block3, block2]

block1(v2: i32):
    return v2

block2:
    v3 = iconst.i32 200
    return v3

block3:
    v4 = iconst.i32 300
    return v4
}
",
    );
    for (x, result) in [(0, 0), (1, 200), (2, 300), (3, 200), (4, 100), (mask(32), 100), (1 << 31, 100)] {
        file.run("br_table", &[(x, I32)], Expect::Gives(&[(result, I32)]));
    }
    for code in ["stk_ovf", "heap_oob", "int_ovf", "int_divz", "bad_toint", "user1", "user250"] {
        let name = format!("trap_{code}");
        file.function(&name, &[], &[], &[&format!("trap {code}")]);
        file.run(&name, &[], Expect::Traps(code));
    }
    file.function("nop", &[I32], &[I32], &["nop", "return v0"]);
    file.run("nop", &[(5, I32)], Expect::Gives(&[(5, I32)]));
    file.function("return", &[], &[], &["return"]);
    file.run("return", &[], Expect::Gives(&[]));
}

fn calls(file: &mut File, address: Type) {
    file.raw(
        "
function %call(i32, i64) -> i64, i32 {
    fn0 = %swap(i32, i64) -> i64, i32
block0(v0: i32, v1: i64):
    v2, v3 = call fn0(v0, v1)
    return v2, v3
}
",
    );
    let args = [(7, I32), (mask(64) - 8, I64)];
    file.run("call", &args, Expect::Gives(&[args[1], args[0]]));
    file.raw(
        "
function %swap(i32, i64) -> i64, i32 {
block0(v0: i32, v1: i64):
    return v1, v0
}
",
    );
    file.raw(&format!(
        "
function %call_indirect_{address}(i32, i64) -> i64, i32 {{
    sig0 = (i32, i64) -> i64, i32
    fn0 = %swap sig0
block0(v0: i32, v1: i64):
    v2 = func_addr.{address} fn0
    v3, v4 = call_indirect sig0, v2(v0, v1)
    return v3, v4
}}
"
    ));
    file.run(&format!("call_indirect_{address}"), &args, Expect::Gives(&[args[1], args[0]]));
    file.raw(&format!(
        "
function %func_addr_{address}() -> i8 {{
    fn0 = %swap(i32, i64) -> i64, i32
    fn1 = %call(i32, i64) -> i64, i32
block0:
    v0 = func_addr.{address} fn0
    v1 = func_addr.{address} fn0
    v2 = func_addr.{address} fn1
    v3 = icmp eq v0, v1
    v4 = icmp ne v0, v2
    v5 = band v3, v4
    return v5
}}
"
    ));
    file.run(&format!("func_addr_{address}"), &[], Expect::Gives(&[(1, I8)]));
    file.raw(&format!(
        "
function %symbol_value_{address}(i32, i64) -> i64, i32, i8 {{
    gv0 = symbol colocated %swap
    sig0 = (i32, i64) -> i64, i32
    fn0 = %swap sig0
block0(v0: i32, v1: i64):
    v2 = symbol_value.{address} gv0
    v3, v4 = call_indirect sig0, v2(v0, v1)
    v5 = func_addr.{address} fn0
    v6 = icmp eq v2, v5
    return v3, v4, v6
}}
"
    ));
    let results = [args[1], args[0], (1, I8)];
    file.run(&format!("symbol_value_{address}"), &args, Expect::Gives(&results));
}

fn tail_calls(file: &mut File, address: Type) {
    file.raw(
        "
function %return_call(i32, i32) -> i32 tail {
    fn0 = %return_call(i32, i32) -> i32 tail
block0(v0: i32, v1: i32):
    brif v0, block1, block2

block1:
    v2 = iconst.i32 -1
    v3 = iadd v0, v2
    v4 = iadd v1, v0
    return_call fn0(v3, v4)

block2:
    return v1
}
",
    );
    file.run("return_call", &[(10, I32), (0, I32)], Expect::Gives(&[(55, I32)]));
    file.run("return_call", &[(100_000, I32), (0, I32)], Expect::Gives(&[(5_000_050_000, I32)]));
    file.raw(&format!(
        "
function %return_call_indirect_{address}(i32, i32) -> i32 tail {{
    sig0 = (i32, i32) -> i32 tail
    fn0 = %return_call sig0
block0(v0: i32, v1: i32):
    v2 = func_addr.{address} fn0
    return_call_indirect sig0, v2(v0, v1)
}}
"
    ));
    let name = format!("return_call_indirect_{address}");
    file.run(&name, &[(4, I32), (1, I32)], Expect::Gives(&[(11, I32)]));
}

/// The part of `try_call` that needs nobody who throws.
fn try_calls(file: &mut File, address: Type) {
    file.raw(
        "
function %callee(i32) -> i32, i32 tail {
block0(v0: i32):
    v1 = iconst.i32 1
    v2 = iadd v0, v1
    return v0, v2
}
",
    );
    for (name, setup, call) in [
        ("try_call".to_owned(), String::new(), "try_call fn0(v0)"),
        (
            format!("try_call_indirect_{address}"),
            format!("    v1 = func_addr.{address} fn0\n"),
            "try_call_indirect v1(v0)",
        ),
    ] {
        file.raw(&format!(
            "
function %{name}(i32) -> i32 {{
    sig0 = (i32) -> i32, i32 tail
    fn0 = %callee sig0
block0(v0: i32):
{setup}    {call}, sig0, block1(ret1, v0, ret0), [ tag1: block2(exn0), default: block3 ]

block1(v2: i32, v3: i32, v4: i32):
    v5 = imul v2, v3
    v6 = iadd v5, v4
    return v6

block2(v7: {address}):
    trap user2

block3:
    trap user3
}}
"
        ));
        file.run(&name, &[(6, I32)], Expect::Gives(&[(48, I32)]));
    }
    let op = "get_exception_handler_address";
    file.raw(&format!(
        "
function %{op}_{address}(i32) -> i8 {{
    sig0 = (i32) -> i32, i32 tail
    fn0 = %callee sig0
block0(v0: i32):
    v1 = {op}.{address} block1, 0
    v2 = {op}.{address} block1, 1
    v3 = {op}.{address} block1, 0
    v4 = icmp ne v1, v2
    v5 = icmp eq v1, v3
    v6 = band v4, v5
    jump block1

block1:
    try_call fn0(v0), sig0, block2, [ tag1: block3, default: block4 ]

block2:
    return v6

block3:
    trap user2

block4:
    trap user3
}}
"
    ));
    file.run(&format!("{op}_{address}"), &[(6, I32)], Expect::Gives(&[(1, I8)]));
}

/// The targets with 32-bit addresses and a pinned register.
const PINNED_32: &[&str] = &[
    "armv7hf enable_pinned_reg",
    "armv7 enable_pinned_reg",
    "armv6 enable_pinned_reg",
    "armv5 enable_pinned_reg",
];

/// The targets with 64-bit addresses and a pinned register.
const PINNED_64: &[&str] =
    &["ppc64le enable_pinned_reg", "ppc64 enable_pinned_reg", "ppc64v2 enable_pinned_reg"];

/// The files about the rest.
pub fn files() -> Vec<File> {
    let mut out = Vec::new();
    let mut add = |name: String, about: &str, targets: &[&str], make: &dyn Fn(&mut File)| {
        let mut file = File::new(&name, about, targets);
        make(&mut file);
        out.push(file);
    };
    for (address, bits, targets, pinned) in [(I32, "p32", ARM, PINNED_32), (I64, "p64", POWER, PINNED_64)] {
        add(format!("memory-{bits}"), "Loads and stores of every size and byte order.", targets, &|f| {
            memory(f, address, &NARROW);
            addresses(f, address);
        });
        add(format!("memory-i128-{bits}"), "Loads and stores of i128.", targets, &|f| {
            memory(f, address, &[I128]);
        });
        add(format!("memory-float-{bits}"), "Loads and stores of floats.", targets, &|f| {
            memory(f, address, &[F32, F64]);
        });
        add(format!("atomics-{bits}"), "Atomic accesses by one thread.", targets, &|f| {
            for &ty in &NARROW {
                atomic_changes(f, address, ty);
                atomic_moves(f, address, ty);
            }
            fence(f);
        });
        // The emulators' LQARX makes no reservation before version 8.1: where such accesses are there, they are run by
        // the tests of `backends/src/ppc64/atomic/quad.rs`.
        add(format!("atomics-i128-{bits}"), "Atomic changes of i128.", &[], &|f| {
            atomic_changes(f, address, I128);
        });
        let wide: &[&str] = if bits == "p64" { &["ppc64le", "ppc64 power8", "ppc64v2 power10"] } else { &[] };
        add(format!("atomic-moves-i128-{bits}"), "Atomic loads and stores of i128.", wide, &|f| {
            atomic_moves(f, address, I128);
        });
        add(format!("registers-{bits}"), "Registers that the machine keeps.", pinned, &|f| {
            registers(f, address)
        });
        add(format!("calls-{bits}"), "Calls of every kind but those that catch.", targets, &|f| {
            calls(f, address)
        });
        add(format!("tail-calls-{bits}"), "Calls that leave no frame behind.", targets, &|f| {
            tail_calls(f, address)
        });
        add(format!("try-calls-{bits}"), "Calls that would catch, of callees that return.", targets, &|f| {
            try_calls(f, address);
        });
    }
    add("control".into(), "Branches, returns, traps.", ALL, &control);
    add("control-wide".into(), "Conditions and results of i128 and floats.", ALL, &|f| {
        branches(f, &[I128]);
        returns(f, &[I128, F32, F64]);
    });
    add("tags".into(), "Places for debug tags, which do nothing.", ALL, &|f| {
        f.function("sequence_point", &[I32], &[I32], &["sequence_point", "return v0"]);
        f.run("sequence_point", &[(5, I32)], Expect::Gives(&[(5, I32)]));
    });
    // A machine without a debugger dies there.
    add("stops".into(), "Places for debuggers, which the interpreter passes.", &[], &|f| {
        f.function("debugtrap", &[I32], &[I32], &["debugtrap", "return v0"]);
        f.run("debugtrap", &[(5, I32)], Expect::Gives(&[(5, I32)]));
    });
    out
}
