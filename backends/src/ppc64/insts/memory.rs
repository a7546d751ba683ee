//! Loads and stores of fixed-point and floating-point registers.

use super::*;

/// Displacement of the D form.
const D: Operand = imm("d", "Simm16", &[bits(16, 31)]);
/// Of the DS form: a multiple of 4.
const DS: Operand = imm("d", "DsOffset", &[bits(16, 29)]);
/// Of the DQ form: a multiple of 16.
const DQ: Operand = imm("d", "DqOffset", &[bits(16, 27)]);

/// What is loaded or stored.
#[derive(Clone, Copy)]
struct Kind {
    /// The register.
    data: Operand,
    /// Load or store.
    effect: Effect,
    section: &'static str,
    /// Must the base of an updating load be another register?
    apart: bool,
}

const LOAD: Kind = Kind { data: RT, effect: Effect::Load, section: "3.3.2", apart: true };
const STORE: Kind = Kind { data: RS, effect: Effect::Store, section: "3.3.3", apart: false };
const FLOAT_LOAD: Kind =
    Kind { data: float_def("frt", B6), effect: Effect::Load, section: "4.6.2", apart: false };
const FLOAT_STORE: Kind =
    Kind { data: float_use("frs", B6), effect: Effect::Store, section: "4.6.3", apart: false };

impl Kind {
    fn row(self, name: &str, word: u32, base: Operand, rest: &[Operand], asm: &str) -> InstDef {
        let operands = match (self.data.is_def(), base.is_def()) {
            // Results come first.
            (false, true) => vec![base, self.data],
            _ => vec![self.data, base],
        };
        let data = self.data.name;
        let asm = format!("{} {{{data}}}, {asm}", name.to_ascii_lowercase());
        let row = inst(name, word, &[&operands[..], rest].concat(), asm, self.section).effect(self.effect);
        if self.apart && base.is_def() { row.distinct("rt", "ra") } else { row }
    }

    /// Base and displacement.
    fn displaced(self, name: &str, word: u32, offset: Operand) -> InstDef {
        self.row(name, word, RA0, &[offset], "{d}({ra})")
    }

    /// The same, and the base becomes the address.
    fn updating(self, name: &str, word: u32, offset: Operand) -> InstDef {
        self.row(name, word, RA_UPDATE, &[offset], "{d}({ra})")
    }

    /// Base and index.
    fn indexed(self, name: &str, op: u32) -> InstDef {
        self.row(name, po(31) | xo(op), RA0, &[RB], "{ra}, {rb}")
    }

    /// Base and index, and the base becomes the address.
    fn indexed_updating(self, name: &str, op: u32) -> InstDef {
        self.row(name, po(31) | xo(op), RA_UPDATE, &[RB], "{ra}, {rb}")
    }

    /// All four, by primary opcode and displacement, and by the extended
    /// opcode of the indexed form. Updating forms have the next primary
    /// opcode, and an extended one higher by 32.
    fn family(self, name: &str, primary: u32, op: u32) -> Vec<InstDef> {
        vec![
            self.displaced(name, po(primary), D),
            self.updating(&format!("{name}u"), po(primary + 1), D),
            self.indexed(&format!("{name}x"), op),
            self.indexed_updating(&format!("{name}ux"), op + 32),
        ]
    }
}

fn plain() -> Vec<InstDef> {
    let mut rows = Vec::new();
    rows.extend(LOAD.family("Lbz", 34, 87));
    rows.extend(LOAD.family("Lhz", 40, 279));
    rows.extend(LOAD.family("Lha", 42, 343));
    rows.extend(LOAD.family("Lwz", 32, 23));
    rows.extend(STORE.family("Stb", 38, 215));
    rows.extend(STORE.family("Sth", 44, 407));
    rows.extend(STORE.family("Stw", 36, 151));
    rows.extend(FLOAT_LOAD.family("Lfs", 48, 535));
    rows.extend(FLOAT_LOAD.family("Lfd", 50, 599));
    rows.extend(FLOAT_STORE.family("Stfs", 52, 663));
    rows.extend(FLOAT_STORE.family("Stfd", 54, 727));
    rows.extend([
        LOAD.displaced("Lwa", po(58) | 2, DS),
        LOAD.indexed("Lwax", 341),
        LOAD.indexed_updating("Lwaux", 373),
        LOAD.displaced("Ld", po(58), DS),
        LOAD.updating("Ldu", po(58) | 1, DS),
        LOAD.indexed("Ldx", 21),
        LOAD.indexed_updating("Ldux", 53),
        STORE.displaced("Std", po(62), DS),
        STORE.updating("Stdu", po(62) | 1, DS),
        STORE.indexed("Stdx", 149),
        STORE.indexed_updating("Stdux", 181),
    ]);
    rows
}

/// Bytes in reverse order, and words between memory and floating-point
/// registers: indexed only, so that the form without a base matters.
fn indexed_only() -> Vec<InstDef> {
    let rows = [
        LOAD.indexed("Lhbrx", 790),
        LOAD.indexed("Lwbrx", 534),
        LOAD.indexed("Ldbrx", 532).needs("power7"),
        STORE.indexed("Sthbrx", 918),
        STORE.indexed("Stwbrx", 662),
        STORE.indexed("Stdbrx", 660).needs("power7"),
        FLOAT_LOAD.indexed("Lfiwax", 855).needs("power6"),
        FLOAT_LOAD.indexed("Lfiwzx", 887).needs("power7"),
        FLOAT_STORE.indexed("Stfiwx", 983),
    ];
    rows.into_iter().flat_map(with_zero_base).collect()
}

/// Accesses with reservation (Book II, 4.6.2), and quadwords: an even register
/// with the more significant half, and its successor.
fn reserving() -> Vec<InstDef> {
    const PAIR: Operand = RT.with_access(Access::PairDef { hi: "rt2" });
    const PAIR_STORE: Operand = RS.with_access(Access::PairUse { hi: "rs2" });
    let cr0 = reg("cr0", CR, Access::FixedDef(CR0), &[]);
    let load = |name: &str, op: u32| LOAD.indexed(name, op);
    // The row's name has the dot's place taken by `Rc`.
    let store = |name: &str, op: u32| {
        let mut row = STORE.indexed(name, op);
        row.name += "Rc";
        row.bits |= u64::from(RC);
        row.operands.insert(0, cr0);
        row.asm = row.asm.replacen(' ', ". ", 1);
        row
    };
    let mut lqarx = load("Lqarx", 276).distinct("rt", "ra").distinct("rt", "rb");
    lqarx = lqarx.distinct("rt2", "ra").distinct("rt2", "rb");
    lqarx.operands[0] = PAIR;
    // Without a base the result is not register 0 either.
    let mut lqarx = with_zero_base(lqarx);
    lqarx[1].operands[0] = PAIR.nonzero();
    let mut stqcx = store("Stqcx", 182);
    stqcx.operands[1] = PAIR_STORE;
    let reserving = [
        load("Lwarx", 20),
        load("Ldarx", 84),
        load("Lbarx", 52).needs("power8"),
        load("Lharx", 116).needs("power8"),
        store("Stwcx", 150),
        store("Stdcx", 214),
        store("Stbcx", 694).needs("power8"),
        store("Sthcx", 726).needs("power8"),
    ];
    let mut rows: Vec<InstDef> = reserving.into_iter().flat_map(with_zero_base).collect();
    rows.extend(lqarx.into_iter().map(|row| row.needs("power8")));
    rows.extend(with_zero_base(stqcx).into_iter().map(|row| row.needs("power8")));
    rows.iter_mut().for_each(|row| row.section = "II 4.6.2");

    let mut lq = LOAD.displaced("Lq", po(56), DQ).distinct("rt", "ra").distinct("rt2", "ra");
    lq.operands[0] = PAIR;
    let mut stq = STORE.displaced("Stq", po(62) | 2, DS);
    stq.operands[0] = PAIR_STORE;
    rows.extend([lq, stq].map(|row| row.needs("power8")));
    rows
}

/// The rows of this file.
pub(super) fn rows() -> Vec<InstDef> {
    let mut rows = plain();
    rows.extend(indexed_only());
    rows.extend(reserving());
    rows
}
