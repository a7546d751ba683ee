//! The inner loop.
//!
//! One operation after another, each a row of one `match`. A frame's slots are a slice of the interpreter's; the
//! slice, the code and the position are locals that only calls and returns change, so that an ordinary operation
//! touches nothing else. Costs a few nanoseconds an operation; allocates nothing except where a host is called.

use super::call::{self, load_sized, outside, store_sized};
use super::float;
use super::int;
use super::op::{Access, Body, FloatBin, Op};
use super::{ErrorKind, Exception, Frame, HostFunctions, Interpreter, Location, Stop};
use crate::trapcode::TrapCode;

/// Reads a pair of slots.
#[inline(always)]
fn pair(slots: &[u64], a: u32) -> u128 {
    u128::from(slots[a as usize]) | u128::from(slots[a as usize + 1]) << 64
}

/// Writes a pair of slots.
#[inline(always)]
fn set_pair(slots: &mut [u64], d: u32, n: u128) {
    slots[d as usize] = n as u64;
    slots[d as usize + 1] = (n >> 64) as u64;
}

/// The function that runs, and where.
#[derive(Clone, Copy)]
struct Here {
    func: u32,
    /// First of its slots.
    base: usize,
    /// Stack pointer.
    sp: u64,
}

/// Where to go on after a call or a return.
struct Next {
    here: Here,
    pc: usize,
    /// IR instructions of the block that is entered.
    cost: u32,
    /// An edge to take first, or `NONE`.
    edge: u32,
}

const NONE: u32 = u32::MAX;

impl<'p> Interpreter<'p> {
    /// Runs `func` with the arguments in the buffer, and leaves its results there.
    pub(super) fn execute(
        &mut self,
        host: &mut dyn HostFunctions,
        func: u32,
    ) -> Result<(), (Stop, Location)> {
        let limit = self.config.fuel.unwrap_or(u64::MAX);
        let here = Here { func, base: 0, sp: self.memory.stack_end() };
        let result = match self.start(here) {
            Ok(next) => self.run_loop(host, next, limit),
            Err(stop) => Err((stop, here, 0, limit)),
        };
        let fuel = match &result {
            Ok(fuel) | Err((_, _, _, fuel)) => *fuel,
        };
        self.executed = limit - fuel;
        result.map(|_| ()).map_err(|(stop, here, pc, _)| {
            let body = &self.program.bodies[here.func as usize];
            let inst = pc.checked_sub(1).and_then(|at| body.insts.get(at)).copied();
            (stop, Location { func: self.program.names[here.func as usize].clone(), inst })
        })
    }

    fn start(&mut self, mut here: Here) -> Result<Next, Stop> {
        let body = &self.program.bodies[here.func as usize];
        let args = core::mem::take(&mut self.buffer);
        let room = self.reserve(0, body.slots.max(args.len() as u32));
        if room {
            self.slots[..args.len()].copy_from_slice(&args);
        }
        self.buffer = args;
        self.buffer.clear();
        if !room {
            return Err(Stop::Trap(TrapCode::STACK_OVERFLOW));
        }
        here.sp = self.enter(body, 0, here.sp)?;
        Ok(Next { here, pc: 0, cost: body.entry_cost, edge: NONE })
    }

    /// Calls `callee` from `site` of the running function; `pc` is where it goes on.
    fn call(
        &mut self,
        host: &mut dyn HostFunctions,
        here: Here,
        pc: usize,
        site_index: u32,
        callee: u32,
    ) -> Result<Next, Stop> {
        let program = self.program;
        let body = &program.bodies[here.func as usize];
        let site = &body.sites[site_index as usize];
        let mut frame = Frame {
            func: here.func,
            pc: pc as u32,
            site: site_index,
            base: here.base,
            sp: here.sp,
            call_sp: here.sp,
        };
        let Some(target) = program.bodies.get(callee as usize) else {
            return match self.call_outside(host, callee, site, here.base) {
                Ok(results) => {
                    self.buffer.clear();
                    call::push_words(&results, &mut self.buffer);
                    let at = here.base + site.ret as usize;
                    self.slots[at..at + self.buffer.len()].copy_from_slice(&self.buffer);
                    self.buffer.clear();
                    Ok(Next { here, pc, cost: 0, edge: NONE })
                }
                Err(Stop::Throw(exception)) => self.catch(exception, frame),
                Err(stop) => Err(stop),
            };
        };
        if target.sig != site.sig {
            return Err(ErrorKind::SignatureMismatch(program.names[callee as usize].clone()).into());
        }
        let base = here.base + body.slots as usize;
        if !self.reserve(base, target.slots) {
            return Err(Stop::Trap(TrapCode::STACK_OVERFLOW));
        }
        let (low, high) = self.slots.split_at_mut(base);
        let from = &low[here.base..];
        for (to, &slot) in high.iter_mut().zip(&site.args) {
            *to = from[slot as usize];
        }
        if !site.structs.is_empty() {
            frame.call_sp = self.pass_structs(site, base, here.sp)?;
        }
        self.frames.push(frame);
        let sp = self.enter(target, base, frame.call_sp)?;
        Ok(Next { here: Here { func: callee, base, sp }, pc: 0, cost: target.entry_cost, edge: NONE })
    }

    /// Calls `callee` in place of the running function.
    fn tail_call(
        &mut self,
        host: &mut dyn HostFunctions,
        here: Here,
        site_index: u32,
        callee: u32,
    ) -> Result<Next, Stop> {
        let program = self.program;
        let site = &program.bodies[here.func as usize].sites[site_index as usize];
        let Some(target) = program.bodies.get(callee as usize) else {
            return match self.call_outside(host, callee, site, here.base) {
                Ok(results) => {
                    self.buffer.clear();
                    call::push_words(&results, &mut self.buffer);
                    Ok(self.leave())
                }
                Err(Stop::Throw(exception)) => match self.frames.pop() {
                    Some(caller) => self.catch(exception, caller),
                    None => Err(Stop::Throw(exception)),
                },
                Err(stop) => Err(stop),
            };
        };
        if target.sig != site.sig {
            return Err(ErrorKind::SignatureMismatch(program.names[callee as usize].clone()).into());
        }
        self.buffer.clear();
        let from = &self.slots[here.base..];
        self.buffer.extend(site.args.iter().map(|&slot| from[slot as usize]));
        if !self.reserve(here.base, target.slots) {
            return Err(Stop::Trap(TrapCode::STACK_OVERFLOW));
        }
        for (to, &word) in self.slots[here.base..].iter_mut().zip(&self.buffer) {
            *to = word;
        }
        let sp = self.enter(target, here.base, self.caller_sp())?;
        let here = Here { func: callee, base: here.base, sp };
        Ok(Next { here, pc: 0, cost: target.entry_cost, edge: NONE })
    }

    /// Goes back to the caller with the results in the buffer; without a caller, `edge` and `pc` are `NONE`.
    fn leave(&mut self) -> Next {
        let Some(frame) = self.frames.pop() else {
            let here = Here { func: 0, base: 0, sp: 0 };
            return Next { here, pc: NONE as usize, cost: 0, edge: NONE };
        };
        let site = &self.program.bodies[frame.func as usize].sites[frame.site as usize];
        let at = frame.base + site.ret as usize;
        self.slots[at..at + self.buffer.len()].copy_from_slice(&self.buffer);
        self.buffer.clear();
        let here = Here { func: frame.func, base: frame.base, sp: frame.sp };
        Next { here, pc: frame.pc as usize, cost: 0, edge: NONE }
    }

    /// Goes to the handler of an exception that came out of the call under way in `frame`.
    fn catch(&mut self, exception: Exception, frame: Frame) -> Result<Next, Stop> {
        let (frame, edge) = self.unwind(exception, frame)?;
        let here = Here { func: frame.func, base: frame.base, sp: frame.sp };
        Ok(Next { here, pc: frame.pc as usize, cost: 0, edge })
    }

    /// Gives the fuel that is left; with a [`Stop`], also where.
    fn run_loop(
        &mut self,
        host: &mut dyn HostFunctions,
        first: Next,
        limit: u64,
    ) -> Result<u64, (Stop, Here, usize, u64)> {
        let program = self.program;
        let address_mask = self.address_mask();
        let check_alignment = self.config.check_alignment;
        let mut fuel = limit;
        let mut here;
        let mut pc;
        let mut next = first;
        let stop = 'frame: loop {
            here = next.here;
            pc = next.pc;
            match fuel.checked_sub(u64::from(next.cost)) {
                Some(left) => fuel = left,
                None => break 'frame Stop::OutOfFuel,
            }
            let body: &'p Body = &program.bodies[here.func as usize];
            let code = &body.code[..];
            let s = &mut self.slots[here.base..here.base + body.slots as usize];

            macro_rules! trap {
                ($code:expr) => {
                    break 'frame Stop::Trap($code)
                };
            }
            macro_rules! attempt {
                ($result:expr) => {
                    match $result {
                        Ok(value) => value,
                        Err(stop) => break 'frame Stop::from(stop),
                    }
                };
            }
            // Traps by the code that an operation holds.
            macro_rules! trap_byte {
                ($code:expr) => {
                    match TrapCode::from_u8($code) {
                        Some(code) => trap!(code),
                        None => break 'frame ErrorKind::Malformed("a trap without a code".into()).into(),
                    }
                };
            }
            macro_rules! take {
                ($edge:expr) => {{
                    let edge = &body.edges[$edge as usize];
                    match fuel.checked_sub(u64::from(edge.cost)) {
                        Some(left) => fuel = left,
                        None => break 'frame Stop::OutOfFuel,
                    }
                    for &(d, a) in &body.moves[edge.first_move as usize..edge.end_move as usize] {
                        s[d as usize] = s[a as usize];
                    }
                    pc = edge.target as usize;
                }};
            }
            macro_rules! set {
                ($d:expr, $value:expr) => {{
                    let value: u64 = $value;
                    s[$d as usize] = value;
                }};
            }
            macro_rules! get {
                ($a:expr) => {
                    s[$a as usize]
                };
            }
            macro_rules! address {
                ($a:expr, $off:expr, $acc:expr, $size:expr) => {{
                    let address = get!($a).wrapping_add($off as i64 as u64) & address_mask;
                    if $acc.is_aligned() && address & ($size - 1) != 0 && check_alignment {
                        break 'frame ErrorKind::Misaligned { address, size: $size }.into();
                    }
                    address
                }};
            }
            macro_rules! load {
                ($ty:ty, $a:expr, $off:expr, $acc:expr) => {{
                    const SIZE: usize = size_of::<$ty>();
                    let acc: Access = $acc;
                    let address = address!($a, $off, acc, SIZE as u64);
                    match self.memory.load::<SIZE>(address) {
                        Some(bytes) if acc.is_big() => <$ty>::from_be_bytes(bytes),
                        Some(bytes) => <$ty>::from_le_bytes(bytes),
                        None => break 'frame outside(address, SIZE as u64, acc),
                    }
                }};
            }
            macro_rules! store {
                ($ty:ty, $x:expr, $a:expr, $off:expr, $acc:expr) => {{
                    const SIZE: usize = size_of::<$ty>();
                    let acc: Access = $acc;
                    let address = address!($a, $off, acc, SIZE as u64);
                    let x = $x as $ty;
                    let bytes = if acc.is_big() { x.to_be_bytes() } else { x.to_le_bytes() };
                    if !self.memory.store::<SIZE>(address, bytes) {
                        break 'frame outside(address, SIZE as u64, acc);
                    }
                }};
            }
            macro_rules! float64 {
                ($a:expr) => {
                    f64::from_bits(get!($a))
                };
            }
            macro_rules! float32 {
                ($a:expr) => {
                    f32::from_bits(get!($a) as u32)
                };
            }

            loop {
                let Some(op) = code.get(pc) else {
                    break 'frame ErrorKind::Malformed("control runs past the last instruction".into())
                        .into();
                };
                pc += 1;
                match *op {
                    Op::Const { d, lo, hi } => set!(d, u64::from(lo) | u64::from(hi) << 32),
                    Op::Copy { d, a } => set!(d, get!(a)),
                    Op::Copy128 { d, a } => set_pair(s, d, pair(s, a)),
                    Op::Add32 { d, a, b } => set!(d, (get!(a) as u32).wrapping_add(get!(b) as u32).into()),
                    Op::Add64 { d, a, b } => set!(d, get!(a).wrapping_add(get!(b))),
                    Op::Sub32 { d, a, b } => set!(d, (get!(a) as u32).wrapping_sub(get!(b) as u32).into()),
                    Op::Sub64 { d, a, b } => set!(d, get!(a).wrapping_sub(get!(b))),
                    Op::Mul32 { d, a, b } => set!(d, (get!(a) as u32).wrapping_mul(get!(b) as u32).into()),
                    Op::Mul64 { d, a, b } => set!(d, get!(a).wrapping_mul(get!(b))),
                    Op::And { d, a, b } => set!(d, get!(a) & get!(b)),
                    Op::Or { d, a, b } => set!(d, get!(a) | get!(b)),
                    Op::Xor { d, a, b } => set!(d, get!(a) ^ get!(b)),
                    Op::AddImm32 { d, a, imm } => set!(d, (get!(a) as u32).wrapping_add(imm as u32).into()),
                    Op::AddImm64 { d, a, imm } => set!(d, get!(a).wrapping_add(imm as i64 as u64)),
                    Op::MulImm32 { d, a, imm } => set!(d, (get!(a) as u32).wrapping_mul(imm as u32).into()),
                    Op::MulImm64 { d, a, imm } => set!(d, get!(a).wrapping_mul(imm as i64 as u64)),
                    Op::AndImm { d, a, imm } => set!(d, get!(a) & u64::from(imm)),
                    Op::OrImm { d, a, imm } => set!(d, get!(a) | u64::from(imm)),
                    Op::XorImm { d, a, imm } => set!(d, get!(a) ^ u64::from(imm)),
                    Op::ShlImm32 { d, a, k } => set!(d, ((get!(a) as u32) << (k & 31)).into()),
                    Op::ShlImm64 { d, a, k } => set!(d, get!(a) << (k & 63)),
                    Op::UshrImm { d, a, k } => set!(d, get!(a) >> (k & 63)),
                    Op::SshrImm32 { d, a, k } => set!(d, u64::from((get!(a) as i32 >> (k & 31)) as u32)),
                    Op::SshrImm64 { d, a, k } => set!(d, (get!(a) as i64 >> (k & 63)) as u64),
                    Op::RotlImm32 { d, a, k } => set!(d, (get!(a) as u32).rotate_left(k.into()).into()),
                    Op::RotlImm64 { d, a, k } => set!(d, get!(a).rotate_left(k.into())),

                    Op::IntBin { op, bits, d, a, b } => set!(d, int::binary(op, bits, get!(a), get!(b))),
                    Op::IntUn { op, bits, d, a } => set!(d, int::unary(op, bits, get!(a))),
                    Op::Div { op, bits, d, a, b } => match int::divide(op, bits, get!(a), get!(b)) {
                        Ok(value) => set!(d, value),
                        Err(code) => trap!(code),
                    },
                    Op::Overflow { op, bits, d, a, b } => {
                        let (value, overflow) = int::overflowing(op, bits, get!(a), get!(b), 0);
                        set!(d, value);
                        set!(d + 1, overflow.into());
                    }
                    Op::OverflowCarry { op, bits, d, a, b, c } => {
                        let carry = u64::from(get!(c) != 0);
                        let (value, overflow) = int::overflowing(op, bits, get!(a), get!(b), carry);
                        set!(d, value);
                        set!(d + 1, overflow.into());
                    }
                    Op::AddTrap { bits, code, d, a, b } => {
                        let (sum, carry) = get!(a).overflowing_add(get!(b));
                        if carry || sum & !int::mask(bits) != 0 {
                            trap_byte!(code);
                        }
                        set!(d, sum);
                    }
                    Op::IntBin128 { op, d, a, b } => {
                        set_pair(s, d, int::binary128(op, pair(s, a), pair(s, b)))
                    }
                    Op::Shift128 { op, d, a, b } => {
                        set_pair(s, d, int::binary128(op, pair(s, a), get!(b).into()));
                    }
                    Op::IntUn128 { op, d, a } => set_pair(s, d, int::unary128(op, pair(s, a))),
                    Op::Div128 { op, d, a, b } => match int::divide128(op, pair(s, a), pair(s, b)) {
                        Ok(value) => set_pair(s, d, value),
                        Err(code) => trap!(code),
                    },
                    Op::Overflow128 { op, d, a, b } => {
                        let (value, overflow) = int::overflowing128(op, pair(s, a), pair(s, b), 0);
                        set_pair(s, d, value);
                        set!(d + 2, overflow.into());
                    }
                    Op::OverflowCarry128 { op, d, a, b, c } => {
                        let carry = u64::from(get!(c) != 0);
                        let (value, overflow) = int::overflowing128(op, pair(s, a), pair(s, b), carry);
                        set_pair(s, d, value);
                        set!(d + 2, overflow.into());
                    }
                    Op::NonZero128 { d, a } => set!(d, u64::from(pair(s, a) != 0)),
                    Op::Bmask128 { d, a } => set_pair(s, d, if get!(a) != 0 { u128::MAX } else { 0 }),
                    Op::Bitselect { d, c, a, b } => {
                        let c = get!(c);
                        set!(d, get!(a) & c | get!(b) & !c);
                    }
                    Op::Bitselect128 { d, c, a, b } => {
                        let c = pair(s, c);
                        set_pair(s, d, pair(s, a) & c | pair(s, b) & !c);
                    }
                    Op::Icmp { cond, sign_bit, d, a, b } => {
                        set!(d, cond.test(sign_bit, get!(a), get!(b)).into());
                    }
                    Op::IcmpImm { cond, sign_bit, d, a, imm } => {
                        set!(d, cond.test(sign_bit, get!(a), imm.into()).into());
                    }
                    Op::Icmp128 { cond, d, a, b } => set!(d, cond.test128(pair(s, a), pair(s, b)).into()),
                    Op::Select { d, c, a, b } => {
                        let (x, y) = (get!(a), get!(b));
                        set!(d, if get!(c) != 0 { x } else { y });
                    }
                    Op::Select128 { d, c, a, b } => {
                        let value = if get!(c) != 0 { pair(s, a) } else { pair(s, b) };
                        set_pair(s, d, value);
                    }
                    Op::Sext { from, to, d, a } => set!(d, int::sext(get!(a), from) as u64 & int::mask(to)),
                    Op::Uext128 { d, a } => set_pair(s, d, get!(a).into()),
                    Op::Sext128 { from, d, a } => set_pair(s, d, int::sext(get!(a), from) as i128 as u128),
                    Op::Split { bits, d, a } => {
                        let value = get!(a);
                        set!(d, value & int::mask(bits));
                        set!(d + 1, value >> bits);
                    }
                    Op::Concat { bits, d, a, b } => set!(d, get!(a) | get!(b) << bits),
                    Op::Concat128 { d, a, b } => {
                        set_pair(s, d, u128::from(get!(a)) | u128::from(get!(b)) << 64)
                    }

                    Op::F32Bin { op, d, a, b } => {
                        set!(d, float::binary32(op, get!(a) as u32, get!(b) as u32).into());
                    }
                    // The two that programs do most, without a second dispatch.
                    Op::F64Bin { op: FloatBin::Add, d, a, b } => {
                        set!(d, float::binary64(FloatBin::Add, get!(a), get!(b)));
                    }
                    Op::F64Bin { op: FloatBin::Mul, d, a, b } => {
                        set!(d, float::binary64(FloatBin::Mul, get!(a), get!(b)));
                    }
                    Op::F64Bin { op, d, a, b } => set!(d, float::binary64(op, get!(a), get!(b))),
                    Op::F32Un { op, d, a } => set!(d, float::unary32(op, get!(a) as u32).into()),
                    Op::F64Un { op, d, a } => set!(d, float::unary64(op, get!(a))),
                    Op::F32Fma { d, a, b, c } => {
                        set!(d, float::fma32(get!(a) as u32, get!(b) as u32, get!(c) as u32).into());
                    }
                    Op::F64Fma { d, a, b, c } => set!(d, float::fma64(get!(a), get!(b), get!(c))),
                    Op::F32Cmp { cond, d, a, b } => {
                        set!(d, cond.test(float32!(a).into(), float32!(b).into()).into());
                    }
                    Op::F64Cmp { cond, d, a, b } => set!(d, cond.test(float64!(a), float64!(b)).into()),
                    Op::Promote { d, a } => set!(d, float::promote(get!(a) as u32)),
                    Op::Demote { d, a } => set!(d, float::demote(get!(a)).into()),
                    Op::ToInt { from64, signed, saturate, bits, d, a } => {
                        let x = if from64 { float64!(a) } else { float32!(a).into() };
                        match float::to_int(x, signed, saturate, bits) {
                            Ok(value) if bits > 64 => set_pair(s, d, value),
                            Ok(value) => set!(d, value as u64),
                            Err(code) => trap!(code),
                        }
                    }
                    Op::FromInt { to64, signed, bits, d, a } => {
                        let n = match (bits > 64, signed) {
                            (true, _) => pair(s, a),
                            (false, true) => int::sext(get!(a), bits) as i128 as u128,
                            (false, false) => get!(a).into(),
                        };
                        set!(d, float::from_int(n, signed, to64));
                    }

                    Op::Load8 { acc, d, a, off } => set!(d, load!(u8, a, off, acc).into()),
                    Op::Load16 { acc, d, a, off } => set!(d, load!(u16, a, off, acc).into()),
                    Op::Load32 { acc, d, a, off } => set!(d, load!(u32, a, off, acc).into()),
                    Op::Load64 { acc, d, a, off } => set!(d, load!(u64, a, off, acc)),
                    Op::Load128 { acc, d, a, off } => set_pair(s, d, load!(u128, a, off, acc)),
                    Op::LoadSigned { acc, size, to, d, a, off } => {
                        let value: u64 = match size {
                            0 => load!(u8, a, off, acc).into(),
                            1 => load!(u16, a, off, acc).into(),
                            _ => load!(u32, a, off, acc).into(),
                        };
                        set!(d, int::sext(value, 8 << size) as u64 & int::mask(to));
                    }
                    Op::Store8 { acc, x, a, off } => store!(u8, get!(x), a, off, acc),
                    Op::Store16 { acc, x, a, off } => store!(u16, get!(x), a, off, acc),
                    Op::Store32 { acc, x, a, off } => store!(u32, get!(x), a, off, acc),
                    Op::Store64 { acc, x, a, off } => store!(u64, get!(x), a, off, acc),
                    Op::Store128 { acc, x, a, off } => store!(u128, pair(s, x), a, off, acc),
                    Op::AtomicRmw { op, size, acc, d, a, b } => {
                        let address = get!(a);
                        let wide = size == 4;
                        let x = if wide { pair(s, b) } else { get!(b).into() };
                        let old = attempt!(load_sized(&self.memory, check_alignment, address, size, acc));
                        let new = int::atomic(op, 8 << size, old, x);
                        attempt!(store_sized(&mut self.memory, check_alignment, address, size, acc, new));
                        if wide {
                            set_pair(s, d, old);
                        } else {
                            set!(d, old as u64);
                        }
                    }
                    Op::AtomicCas { size, acc, d, a, b, c } => {
                        let address = get!(a);
                        let wide = size == 4;
                        let (expected, new) =
                            if wide { (pair(s, b), pair(s, c)) } else { (get!(b).into(), get!(c).into()) };
                        let old = attempt!(load_sized(&self.memory, check_alignment, address, size, acc));
                        // Written back where it differs: memory that can be read can be written.
                        let new = if old == expected { new } else { old };
                        attempt!(store_sized(&mut self.memory, check_alignment, address, size, acc, new));
                        if wide {
                            set_pair(s, d, old);
                        } else {
                            set!(d, old as u64);
                        }
                    }
                    Op::StackAddr { d, lo, hi } => {
                        let offset = u64::from(lo) | u64::from(hi) << 32;
                        set!(d, here.sp.wrapping_add(offset) & address_mask);
                    }
                    Op::GlobalValue { d, gv } => {
                        let value = attempt!(self.global_value(body, here.base, gv));
                        self.slots[here.base + d as usize] = value;
                        next = Next { here, pc, cost: 0, edge: NONE };
                        continue 'frame;
                    }

                    Op::GetPinned { d } => set!(d, self.pinned),
                    Op::SetPinned { a } => self.pinned = get!(a),
                    Op::FramePointer { d } => {
                        let value = self.frame_pointer(self.caller_sp());
                        self.slots[here.base + d as usize] = value;
                        next = Next { here, pc, cost: 0, edge: NONE };
                        continue 'frame;
                    }
                    Op::StackPointer { d } => set!(d, here.sp),
                    Op::ReturnAddress { d } => {
                        let value = self.return_address();
                        self.slots[here.base + d as usize] = value;
                        next = Next { here, pc, cost: 0, edge: NONE };
                        continue 'frame;
                    }
                    Op::Debugtrap => {
                        if self.config.stop_at_debugtrap {
                            break 'frame Stop::Debugtrap;
                        }
                    }

                    Op::Jump { edge } => take!(edge),
                    Op::Brif { c, then, otherwise } => {
                        let edge = if get!(c) != 0 { then } else { otherwise };
                        take!(edge);
                    }
                    Op::BrIcmp { cond, sign_bit, a, b, then, otherwise } => {
                        let edge = if cond.test(sign_bit, get!(a), get!(b)) { then } else { otherwise };
                        take!(edge);
                    }
                    Op::BrIcmpImm { cond, sign_bit, a, imm, then, otherwise } => {
                        let edge = if cond.test(sign_bit, get!(a), imm.into()) { then } else { otherwise };
                        take!(edge);
                    }
                    Op::BrTable { a, first, count } => {
                        let index = get!(a);
                        let at = if index < u64::from(count) { 1 + index as usize } else { 0 };
                        take!(body.lists[first as usize + at]);
                    }
                    Op::Trap { code } => trap_byte!(code),
                    Op::Trapz { a, code } => {
                        if get!(a) == 0 {
                            trap_byte!(code);
                        }
                    }
                    Op::Trapnz { a, code } => {
                        if get!(a) != 0 {
                            trap_byte!(code);
                        }
                    }
                    Op::Return { first, count } => {
                        let list = &body.lists[first as usize..(first + count) as usize];
                        self.buffer.clear();
                        self.buffer.extend(list.iter().map(|&slot| s[slot as usize]));
                        next = self.leave();
                        if next.pc == NONE as usize {
                            return Ok(fuel);
                        }
                        continue 'frame;
                    }
                    Op::Call { site } => {
                        let callee = body.sites[site as usize].callee;
                        next = attempt!(self.call(host, here, pc, site, callee));
                        if next.edge != NONE {
                            break;
                        }
                        continue 'frame;
                    }
                    Op::CallIndirect { site, a } => {
                        let address = get!(a);
                        let Some(callee) = program.callable_at(address) else {
                            break 'frame ErrorKind::NotAFunction { address }.into();
                        };
                        next = attempt!(self.call(host, here, pc, site, callee));
                        if next.edge != NONE {
                            break;
                        }
                        continue 'frame;
                    }
                    Op::TailCall { site } => {
                        let callee = body.sites[site as usize].callee;
                        next = attempt!(self.tail_call(host, here, site, callee));
                        if next.pc == NONE as usize {
                            return Ok(fuel);
                        }
                        if next.edge != NONE {
                            break;
                        }
                        continue 'frame;
                    }
                    Op::TailCallIndirect { site, a } => {
                        let address = get!(a);
                        let Some(callee) = program.callable_at(address) else {
                            break 'frame ErrorKind::NotAFunction { address }.into();
                        };
                        next = attempt!(self.tail_call(host, here, site, callee));
                        if next.pc == NONE as usize {
                            return Ok(fuel);
                        }
                        if next.edge != NONE {
                            break;
                        }
                        continue 'frame;
                    }
                    Op::Fail { error } => break 'frame body.errors[error as usize].clone().into(),
                }
            }
            // An exception was caught: the handler's edge, in the frame that has it.
            let body = &program.bodies[next.here.func as usize];
            let edge = body.edges[next.edge as usize];
            for &(d, a) in &body.moves[edge.first_move as usize..edge.end_move as usize] {
                self.slots[next.here.base + d as usize] = self.slots[next.here.base + a as usize];
            }
            next = Next { here: next.here, pc: edge.target as usize, cost: edge.cost, edge: NONE };
        };
        Err((stop, here, pc, fuel))
    }
}
