//! Quadwords are changed as they should be: what is compiled is carried out by a machine of the few instructions that it
//! consists of. Emulators do not help: LQARX makes no reservation in QEMU before version 8.1.

use super::super::super::minst::{Inst, decode_bytes};
use crate::machinst::Reg;
use crate::ppc64::imm::Cond;
use crate::{Context, lookup};
use alloc::format;
use alloc::string::String;
use alloc::vec;
use alloc::vec::Vec;
use windlass_ir::text::parse_function;
use windlass_ir::{AtomicRmwOp, Endianness};

/// A processor, with memory of which each address is a byte's index.
struct Machine {
    order: Endianness,
    regs: [u64; 32],
    cr0: u32,
    carry: bool,
    memory: Vec<u8>,
    /// The address that is reserved.
    reserved: Option<u64>,
    /// How many conditional stores fail although there is a reservation.
    losses: u32,
}

/// Where the stack begins, downward.
const STACK: u64 = 1024;
/// Where the quadword is.
const PLACE: u64 = 32;

fn n(reg: Reg) -> usize {
    reg.as_preg().map_or(0, |preg| preg.index())
}

/// The bits from `mb` to `me` of 64, numbered from the most significant, around the end if `mb` is above `me`.
fn mask(mb: u32, me: u32) -> u64 {
    let (from, to) = (u64::MAX >> mb, u64::MAX << (63 - me));
    if mb <= me { from & to } else { from | to }
}

impl Machine {
    fn read(&self, address: u64) -> u64 {
        let at = address as usize;
        let bytes = self.memory[at..at + 8].try_into().expect("eight bytes");
        if self.order == Endianness::Big { u64::from_be_bytes(bytes) } else { u64::from_le_bytes(bytes) }
    }

    fn write(&mut self, address: u64, value: u64) {
        let bytes = if self.order == Endianness::Big { value.to_be_bytes() } else { value.to_le_bytes() };
        self.memory[address as usize..address as usize + 8].copy_from_slice(&bytes);
    }

    /// The addresses of the more significant half of the quadword there, and of the other.
    fn halves(&self, address: u64) -> (u64, u64) {
        assert_eq!(address % 16, 0);
        if self.order == Endianness::Big { (address, address + 8) } else { (address + 8, address) }
    }

    fn read_quad(&mut self, even: Reg, odd: Reg, address: u64) {
        assert_eq!((n(even) % 2, n(even) + 1), (0, n(odd)));
        let (high, low) = self.halves(address);
        (self.regs[n(even)], self.regs[n(odd)]) = (self.read(high), self.read(low));
    }

    fn write_quad(&mut self, even: Reg, odd: Reg, address: u64) {
        assert_eq!((n(even) % 2, n(even) + 1), (0, n(odd)));
        let (high, low) = self.halves(address);
        let (even, odd) = (self.regs[n(even)], self.regs[n(odd)]);
        self.write(high, even);
        self.write(low, odd);
    }

    fn compare<T: Ord>(&mut self, x: T, y: T) {
        self.cr0 = match x.cmp(&y) {
            core::cmp::Ordering::Less => 8,
            core::cmp::Ordering::Greater => 4,
            core::cmp::Ordering::Equal => 2,
        };
    }

    fn add(&mut self, rt: usize, x: u64, y: u64, carry: bool) {
        let sum = u128::from(x) + u128::from(y) + u128::from(carry);
        (self.regs[rt], self.carry) = (sum as u64, sum >> 64 != 0);
    }

    /// Carries out an instruction; the distance to the next one, or `None` at a return.
    fn step(&mut self, inst: &Inst, size: i64) -> Option<i64> {
        let r = self.regs;
        let get = |reg: Reg| r[n(reg)];
        let both = |word: u64| word << 32 | word & 0xffff_ffff;
        match *inst {
            Inst::Sync | Inst::Lwsync => {}
            Inst::Blr => return None,
            Inst::Std { rs, ra, d } => self.write(get(ra).wrapping_add_signed(d.value()), get(rs)),
            Inst::Ld { rt, ra, d } => {
                self.regs[n(rt.to_reg())] = self.read(get(ra).wrapping_add_signed(d.value()));
            }
            Inst::Or { ra, rs, rb } => self.regs[n(ra.to_reg())] = get(rs) | get(rb),
            Inst::OrRc { ra, rs, rb, .. } => {
                self.regs[n(ra.to_reg())] = get(rs) | get(rb);
                self.compare((get(rs) | get(rb)) as i64, 0);
            }
            Inst::And { ra, rs, rb } => self.regs[n(ra.to_reg())] = get(rs) & get(rb),
            Inst::Nand { ra, rs, rb } => self.regs[n(ra.to_reg())] = !(get(rs) & get(rb)),
            Inst::Xor { ra, rs, rb } => self.regs[n(ra.to_reg())] = get(rs) ^ get(rb),
            Inst::Addc { rt, ra, rb } => self.add(n(rt.to_reg()), get(ra), get(rb), false),
            Inst::Adde { rt, ra, rb } => self.add(n(rt.to_reg()), get(ra), get(rb), self.carry),
            Inst::Subfc { rt, ra, rb } => self.add(n(rt.to_reg()), !get(ra), get(rb), true),
            Inst::Subfe { rt, ra, rb } => self.add(n(rt.to_reg()), !get(ra), get(rb), self.carry),
            Inst::Cmpd { ra, rb, .. } => self.compare(get(ra) as i64, get(rb) as i64),
            Inst::Cmpld { ra, rb, .. } => self.compare(get(ra), get(rb)),
            Inst::Brd { ra, rs } => self.regs[n(ra.to_reg())] = get(rs).swap_bytes(),
            Inst::Rlwinm { ra, rs, sh, mb, me } => {
                let word = both(u64::from((get(rs) as u32).rotate_left(sh.value())));
                let mask = mask(mb.value() + 32, me.value() + 32);
                self.regs[n(ra.to_reg())] = word & mask;
            }
            Inst::Rlwimi { ra, rs, sh, mb, me, .. } => {
                let word = both(u64::from((get(rs) as u32).rotate_left(sh.value())));
                let mask = mask(mb.value() + 32, me.value() + 32);
                self.regs[n(ra.to_reg())] = word & mask | r[n(ra.to_reg())] & !mask;
            }
            Inst::Rldicl { ra, rs, sh, mb } => {
                let rotated = get(rs).rotate_left(sh.value());
                self.regs[n(ra.to_reg())] = rotated & mask(mb.value(), 63);
            }
            Inst::Rldimi { ra, rs, sh, mb, .. } => {
                let rotated = get(rs).rotate_left(sh.value());
                let mask = mask(mb.value(), 63 - sh.value());
                self.regs[n(ra.to_reg())] = rotated & mask | r[n(ra.to_reg())] & !mask;
            }
            Inst::LqarxZ { rt, rt2, rb } => {
                self.reserved = Some(get(rb));
                self.read_quad(rt.to_reg(), rt2.to_reg(), get(rb));
            }
            Inst::StqcxRcZ { rs, rs2, rb, .. } => {
                let holds = self.reserved.take() == Some(get(rb)) && self.losses == 0;
                self.losses = self.losses.saturating_sub(1);
                self.cr0 = if holds { 2 } else { 0 };
                if holds {
                    self.write_quad(rs, rs2, get(rb));
                }
            }
            Inst::Lq { rt, rt2, ra, d } => {
                self.read_quad(rt.to_reg(), rt2.to_reg(), get(ra).wrapping_add_signed(d.value()));
            }
            Inst::Stq { rs, rs2, ra, d } => {
                self.write_quad(rs, rs2, get(ra).wrapping_add_signed(d.value()));
            }
            Inst::Bc { cond: Cond { bit, set }, bi, target } => {
                assert_eq!(n(bi), 64, "cr0");
                if (self.cr0 >> (3 - bit as u32) & 1 != 0) == set {
                    return Some(target.value());
                }
            }
            ref other => panic!("the machine does not know {other}"),
        }
        Some(size)
    }

    /// Runs a function.
    fn run(&mut self, code: &[u8]) {
        let mut at = 0;
        for _ in 0..1000 {
            let (size, inst) = decode_bytes(&code[at as usize..], self.order).expect("an instruction");
            match self.step(&inst, size as i64) {
                Some(distance) => at += distance,
                None => return,
            }
        }
        panic!("it does not end");
    }
}

/// A target, what it is, and its processor's byte order.
const TARGETS: [(&str, &str, Endianness); 4] = [
    ("ppc64le", "power8", Endianness::Little),
    ("ppc64le", "power10", Endianness::Little),
    ("ppc64", "power8", Endianness::Big),
    ("ppc64v2", "power10", Endianness::Big),
];

const HIGH: u128 = 1 << 127;
const VALUES: [u128; 9] = [
    0,
    1,
    u128::MAX,
    HIGH,
    HIGH - 1,
    u64::MAX as u128,
    1 << 64,
    0x0123_4567_89ab_cdef_0011_2233_4455_6677,
    0xf123_4567_89ab_cdef_0011_2233_4455_6677,
];

/// The bytes of a number in memory.
fn bytes(value: u128, order: Endianness) -> [u8; 16] {
    if order == Endianness::Big { value.to_be_bytes() } else { value.to_le_bytes() }
}

/// Calls a function of an address and of i128 `args` in registers with memory as `there`, in the byte order of the access;
/// what it returns and leaves in memory.
fn call(
    code: &[u8],
    orders: (Endianness, Endianness),
    there: u128,
    args: &[u128],
    losses: u32,
) -> (u128, u128) {
    let (order, access) = orders;
    let mut regs = [0x5555_5555_5555_5555; 32];
    (regs[1], regs[3]) = (STACK, PLACE);
    let halves = |x: u128| {
        let (high, low) = ((x >> 64) as u64, x as u64);
        if order == Endianness::Big { [high, low] } else { [low, high] }
    };
    for (place, half) in regs[4..].iter_mut().zip(args.iter().flat_map(|&x| halves(x))) {
        *place = half;
    }
    let memory = vec![0; STACK as usize];
    let mut machine = Machine { order, regs, cr0: 0, carry: false, memory, reserved: None, losses };
    let place = PLACE as usize..PLACE as usize + 16;
    machine.memory[place.clone()].copy_from_slice(&bytes(there, access));
    machine.run(code);
    assert_eq!(machine.regs[14..32], [0x5555_5555_5555_5555; 18], "registers of the caller's");
    let [first, second] = [machine.regs[3], machine.regs[4]].map(u128::from);
    let result = if order == Endianness::Big { first << 64 | second } else { second << 64 | first };
    let left: [u8; 16] = machine.memory[place].try_into().expect("sixteen bytes");
    let left = if access == Endianness::Big { u128::from_be_bytes(left) } else { u128::from_le_bytes(left) };
    (result, left)
}

/// Compiles the same body for every target and byte order of the access, whose word is `FLAGS` in the text, and hands
/// each to `check`.
fn each(text: &str, check: impl Fn(&[u8], (Endianness, Endianness), &str)) {
    let accesses = [("little", Endianness::Little), ("big", Endianness::Big)];
    let stresses = [("opt_level", "speed"), ("stress_random_regs", "5"), ("stress_max_regs", "2")];
    for (name, level, order) in TARGETS {
        for ((flags, access), (setting, value)) in
            accesses.into_iter().flat_map(|access| stresses.map(|stress| (access, stress)))
        {
            let mut builder = lookup(name).expect("a target");
            builder.set(level, None).expect("a level");
            builder.set(setting, Some(value)).expect("a setting");
            let target = builder.build().expect("it goes together");
            let text = text.replace("FLAGS", flags);
            let function = parse_function(&text).expect("it parses");
            let code = target.compile(&function, &mut Context::new()).expect("it compiles");
            check(&code.bytes, (order, access), &format!("{name} {level}: {text}"));
        }
    }
}

fn combine(op: AtomicRmwOp, x: u128, y: u128) -> u128 {
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
        AtomicRmwOp::Smin => (x as i128).min(y as i128) as u128,
        AtomicRmwOp::Smax => (x as i128).max(y as i128) as u128,
    }
}

#[test]
fn quadwords_combine_with_values() {
    for &op in AtomicRmwOp::ALL {
        let text = format!(
            "function %f(i64, i128) -> i128 system_v {{
            block0(v0: i64, v1: i128):
                v2 = atomic_rmw.i128 FLAGS {op} v0, v1
                return v2
            }}"
        );
        each(&text, |code, orders, what| {
            for x in VALUES {
                for y in VALUES {
                    let expected = (x, combine(op, x, y));
                    assert_eq!(call(code, orders, x, &[y], 2), expected, "{x:#x}, {y:#x} with {what}");
                }
            }
        });
    }
}

#[test]
fn quadwords_are_compared_and_replaced() {
    let text: String = "function %f(i64, i128, i128) -> i128 system_v {
        block0(v0: i64, v1: i128, v2: i128):
            v3 = atomic_cas.i128 FLAGS v0, v1, v2
            return v3
        }"
    .into();
    each(&text, |code, orders, what| {
        for x in VALUES {
            for y in VALUES {
                let new = 0x0f0e_0d0c_0b0a_0908_0706_0504_0302_0100;
                let expected = (x, if x == y { new } else { x });
                assert_eq!(call(code, orders, x, &[y, new], 1), expected, "{x:#x}, {y:#x} with {what}");
            }
        }
    });
}

#[test]
fn quadwords_are_read_and_written() {
    let text = "function %f(i64, i128) -> i128 system_v {
        block0(v0: i64, v1: i128):
            v2 = atomic_load.i128 FLAGS v0
            atomic_store FLAGS v1, v0
            return v2
        }";
    each(text, |code, orders, what| {
        for (x, y) in VALUES.into_iter().zip(VALUES.into_iter().rev()) {
            assert_eq!(call(code, orders, x, &[y], 0), (x, y), "{what}");
        }
    });
}
