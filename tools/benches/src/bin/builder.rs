//! What building a function costs: time and memory at 10,000, 100,000 and 1,000,000 instructions.
//!
//! The function is what a front end of a procedural language makes of loops and branches over 16 variables:
//! a fifth of the instructions ends blocks, variables are read and assigned everywhere. A counting
//! allocator gives the peak of all memory that function and builder take together.
//!
//! `cargo run --release --manifest-path tools/benches/Cargo.toml --bin builder`

use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::time::Instant;
use windlass_ir::frontend::{FunctionBuilder, FunctionBuilderContext, Variable};
use windlass_ir::types::I32;
use windlass_ir::{AbiParam, Function, InstBuilder, IntCC};

/// The system's allocator, with the sum of what it has given out.
struct Counting;

static LIVE: AtomicUsize = AtomicUsize::new(0);
static PEAK: AtomicUsize = AtomicUsize::new(0);

#[allow(unsafe_code, reason = "an allocator is unsafe; it hands everything on to the system's")]
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        PEAK.fetch_max(LIVE.fetch_add(layout.size(), Relaxed) + layout.size(), Relaxed);
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, p: *mut u8, layout: Layout) {
        LIVE.fetch_sub(layout.size(), Relaxed);
        unsafe { System.dealloc(p, layout) }
    }

    unsafe fn realloc(&self, p: *mut u8, layout: Layout, new_size: usize) -> *mut u8 {
        // Old and new live at the same time while the content is copied.
        PEAK.fetch_max(LIVE.fetch_add(new_size, Relaxed) + new_size, Relaxed);
        LIVE.fetch_sub(layout.size(), Relaxed);
        unsafe { System.realloc(p, layout, new_size) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// `while (x) { if (a < b) {…} else {…} … }`, again and again, until there are `size` instructions.
fn build(func: &mut Function, cx: &mut FunctionBuilderContext, size: usize) -> usize {
    func.signature.params.push(AbiParam::new(I32));
    func.signature.returns.push(AbiParam::new(I32));
    let mut b = FunctionBuilder::new(func, cx);
    let vars: Vec<Variable> = (0..16).map(|_| b.declare_var(I32)).collect();
    let entry = b.create_block();
    b.append_block_params_for_function_params(entry);
    b.switch_to_block(entry);
    b.seal_block(entry);
    for &var in &vars {
        let param = b.block_params(entry)[0];
        b.def_var(var, param);
    }
    let mut n = 0;
    while b.func.dfg.insts.len() < size {
        let var = |k: usize| vars[(n * 7 + k * 5) % vars.len()];
        let (head, body, left, right, join, exit) = (
            b.create_block(),
            b.create_block(),
            b.create_block(),
            b.create_block(),
            b.create_block(),
            b.create_block(),
        );
        b.ins().jump(head, &[]);
        b.switch_to_block(head);
        let c = b.use_var(var(0));
        b.ins().brif(c, body, &[], exit, &[]);
        b.seal_block(body);
        b.switch_to_block(body);
        let (x, y) = (b.use_var(var(1)), b.use_var(var(2)));
        let less = b.ins().icmp(IntCC::SignedLessThan, x, y);
        b.ins().brif(less, left, &[], right, &[]);
        for (block, k) in [(left, 3), (right, 4)] {
            b.seal_block(block);
            b.switch_to_block(block);
            for i in 0..5 {
                let (x, y) = (b.use_var(var(k + i)), b.use_var(var(i)));
                let z = b.ins().iadd(x, y);
                let z = b.ins().imul(z, x);
                b.def_var(var(k), z);
            }
            b.ins().jump(join, &[]);
        }
        b.seal_block(join);
        b.switch_to_block(join);
        let x = b.use_var(var(0));
        let one = b.ins().iconst(I32, 1);
        let less = b.ins().isub(x, one);
        b.def_var(var(0), less);
        b.ins().jump(head, &[]);
        b.seal_block(head);
        b.seal_block(exit);
        b.switch_to_block(exit);
        n += 1;
    }
    let result = b.use_var(vars[0]);
    b.ins().return_(&[result]);
    if let Err(error) = b.finalize() {
        panic!("{error}");
    }
    func.dfg.insts.len()
}

fn main() {
    println!("{:>12} {:>12} {:>12} {:>12} {:>8}", "instructions", "ns/inst", "again", "bytes/inst", "blocks");
    for size in [10_000, 100_000, 1_000_000] {
        let base = LIVE.load(Relaxed);
        PEAK.store(base, Relaxed);
        let mut func = Function::default();
        let mut cx = FunctionBuilderContext::new();
        let start = Instant::now();
        let insts = build(&mut func, &mut cx, size);
        let first = start.elapsed();
        let peak = PEAK.load(Relaxed) - base;
        func.clear();
        let start = Instant::now();
        build(&mut func, &mut cx, size);
        let second = start.elapsed();
        let ns = |time: std::time::Duration| time.as_nanos() as f64 / insts as f64;
        println!(
            "{insts:>12} {:>12.1} {:>12.1} {:>12.1} {:>8}",
            ns(first),
            ns(second),
            peak as f64 / insts as f64,
            func.dfg.num_blocks()
        );
        if let Err(faults) = windlass_ir::verify_function(&func) {
            panic!("{}", faults[0]);
        }
    }
}
