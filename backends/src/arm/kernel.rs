//! The kernel's helpers for user programs on ARM Linux: code at fixed addresses in every process, which does what the
//! processor at hand needs, where the instruction set of a program's level has nothing for it (Linux,
//! Documentation/arch/arm/kernel_user_helpers.rst). The setting `kernel_helpers` says that they may be called.
//!
//! They are called with BLX and keep what their descriptions do not name. The comparisons take the address in `r2`
//! and leave it there; they have their barriers in them, and set C if they stored.

use super::emit::Emit;
use super::imm::{ArmImm, known};
use super::minst::Inst;
use super::regs::{self, gpr_units};
use crate::machinst::{EmitError, Reg, WritableReg};
use windlass_regalloc::UnitSet;

/// A helper.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Helper {
    /// Stores the doubleword at `r1` to the address in `r2` if the one at `r0` stands there. From Linux 3.1 on.
    CompareAndSwap64,
    /// Orders all accesses before before all accesses after.
    Barrier,
    /// Stores `r1` to the address in `r2` if `r0` stands there.
    CompareAndSwap,
    /// The thread pointer, in `r0`.
    ThreadPointer,
}

impl Helper {
    /// Where it is.
    pub const fn address(self) -> u32 {
        match self {
            Helper::CompareAndSwap64 => 0xffff_0f60,
            Helper::Barrier => 0xffff_0fa0,
            Helper::CompareAndSwap => 0xffff_0fc0,
            Helper::ThreadPointer => 0xffff_0fe0,
        }
    }

    /// Its name in listings.
    pub const fn name(self) -> &'static str {
        match self {
            Helper::CompareAndSwap64 => "__kuser_cmpxchg64",
            Helper::Barrier => "__kuser_memory_barrier",
            Helper::CompareAndSwap => "__kuser_cmpxchg",
            Helper::ThreadPointer => "__kuser_get_tls",
        }
    }

    /// What a call destroys; `ip` and the flags in any case.
    pub const fn clobbers(self) -> UnitSet {
        match self {
            // Success in `r0`.
            Helper::CompareAndSwap | Helper::CompareAndSwap64 => gpr_units(0x5009),
            Helper::ThreadPointer => gpr_units(0x5001),
            Helper::Barrier => gpr_units(0x5000),
        }
    }
}

/// What `mvn ip, #0xf000` gives, the end of the page's first 4 KiB.
const END: u32 = !0xf000;

/// The code that calls a helper:
/// ```text
///     mvn ip, #0xf000
///     sub ip, ip, #0xffff0fff - address
///     blx ip
/// ```
pub(super) fn call(helper: Helper) -> [Inst; 3] {
    let ip = Reg::from_preg(regs::IP);
    let rd = WritableReg::from_reg(ip);
    let below = |address: u32| ArmImm::from_byte((END - address) as u8);
    [
        Inst::MvnImm { rd, imm: known!(ArmImm::encode(0xf000)) },
        Inst::SubImm { rd, rn: ip, imm: below(helper.address()) },
        Inst::Blx { rm: ip },
    ]
}

impl Emit<'_> {
    /// Calls a helper; see [`call`].
    pub(super) fn kernel_helper(&mut self, helper: Helper) -> Result<(), EmitError> {
        call(helper).iter().try_for_each(|inst| self.real(inst))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_within_reach_of_a_byte() {
        for helper in
            [Helper::CompareAndSwap64, Helper::Barrier, Helper::CompareAndSwap, Helper::ThreadPointer]
        {
            assert!(END - helper.address() < 256);
            let [mvn, sub, _] = call(helper);
            let (Inst::MvnImm { imm, .. }, Inst::SubImm { imm: below, .. }) = (mvn, sub) else {
                panic!("other code");
            };
            assert_eq!(!imm.value() - below.value(), helper.address());
        }
    }
}
