//! Positions, live ranges, uses, and the pieces that intervals are split into.
//!
//! **Positions.** Instruction `i` owns four: `4i` (the gap in front of it, where edits go), `4i+1` (early), `4i+2` (late)
//! and `4i+3` (its end). A block owns the positions of its instructions. A value can change its place in the gap of an
//! instruction, that is between `4i` and `4i+1`, and between blocks; so a piece may begin at `4i+1` or at a block's first
//! position, and wherever its definition is. One more kind of change is free: since a spilled value is stored once,
//! right after its definition, going from a register to its slot needs no move and can happen anywhere.
//!
//! **Pieces.** Live ranges and uses of a value lie in two arrays, sorted. A piece is a window on them: splitting
//! copies nothing, because a range that is cut belongs to both pieces and each clips it to its own bounds.

use crate::operand::VReg;
use crate::regs::PReg;
use alloc::vec::Vec;

/// Position of the gap in front of an instruction.
pub(crate) const fn gap(inst: u32) -> u32 {
    inst * 4
}

/// Position where an instruction reads early uses and writes early defs.
pub(crate) const fn early(inst: u32) -> u32 {
    inst * 4 + 1
}

/// Position where an instruction writes late defs and destroys what it clobbers.
pub(crate) const fn late(inst: u32) -> u32 {
    inst * 4 + 2
}

/// No index.
pub(crate) const NONE: u32 = u32::MAX;

/// A half-open range of positions.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Span {
    pub(crate) from: u32,
    pub(crate) to: u32,
}

/// What a use asks of the value's interval.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum UseKind {
    /// In a register, early.
    Must,
    /// In a register, early and late.
    MustLate,
    /// Written late to a register, which it keeps until the next gap.
    Def,
    /// Written early to a register, which it keeps until the next gap.
    DefEarly,
    /// Copied from wherever it is, to the place that an instruction or an edge wants it in.
    Soft,
    /// Read or written wherever it is.
    Any,
}

/// A use or definition of a value.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Use {
    pub(crate) pos: u32,
    /// Index of the operand among all operands, or `NONE`.
    pub(crate) op: u32,
    pub(crate) kind: UseKind,
    /// For soft uses: the register that it is copied to.
    pub(crate) hint: Option<PReg>,
}

impl Use {
    /// Whether the interval itself has to be in a register.
    pub(crate) fn is_must(self) -> bool {
        match self.kind {
            UseKind::Must | UseKind::MustLate | UseKind::Def | UseKind::DefEarly => true,
            UseKind::Soft | UseKind::Any => false,
        }
    }

    /// End of the positions where the value has to stay where it is.
    pub(crate) fn hold_end(self) -> u32 {
        match self.kind {
            UseKind::Must | UseKind::Soft | UseKind::Any => self.pos + 1,
            UseKind::MustLate => self.pos + 2,
            UseKind::Def | UseKind::DefEarly => (self.pos & !3) + 5,
        }
    }

    /// End of the positions where the value is live on this use's account.
    pub(crate) fn live_end(self) -> u32 {
        match self.kind {
            UseKind::Def | UseKind::DefEarly => (self.pos & !3) + 3,
            _ => self.hold_end(),
        }
    }
}

/// Where a piece lives.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Loc {
    /// Not decided yet.
    Unset,
    /// In a register.
    Reg(PReg),
    /// In the value's slot; or nowhere, for a value that is computed anew instead.
    Stack,
}

/// Part of a value's interval, in one place.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Piece {
    pub(crate) vreg: u32,
    pub(crate) from: u32,
    pub(crate) to: u32,
    /// Window on the spans: the first and the last may stick out of `from..to`.
    pub(crate) r0: u32,
    pub(crate) r1: u32,
    /// Window on the uses.
    pub(crate) u0: u32,
    pub(crate) u1: u32,
    pub(crate) loc: Loc,
    /// The piece serves an operand of a pair in place: it cannot be evicted below this position.
    pub(crate) pin: u32,
}

/// What is known of a value.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Value {
    pub(crate) r0: u32,
    pub(crate) r1: u32,
    pub(crate) u0: u32,
    pub(crate) u1: u32,
    /// Where it is defined; `NONE` if it is not (or in code that cannot be reached).
    pub(crate) def_pos: u32,
    /// Block of the definition.
    pub(crate) def_block: u32,
    /// It is a block parameter.
    pub(crate) is_param: bool,
    /// It can be computed anew.
    pub(crate) remat: bool,
    /// Some piece is on the stack.
    pub(crate) spilled: bool,
    /// It needs a slot although it can be computed anew.
    pub(crate) stored: bool,
    pub(crate) class: u8,
}

impl Value {
    /// A value that does not occur.
    pub(crate) const UNUSED: Value = Value {
        r0: 0,
        r1: 0,
        u0: 0,
        u1: 0,
        def_pos: NONE,
        def_block: NONE,
        is_param: false,
        remat: false,
        spilled: false,
        stored: false,
        class: 0,
    };
}

/// All intervals of a function.
#[derive(Default)]
pub(crate) struct Intervals {
    pub(crate) values: Vec<Value>,
    pub(crate) spans: Vec<Span>,
    pub(crate) uses: Vec<Use>,
    pub(crate) pieces: Vec<Piece>,
}

impl Intervals {
    pub(crate) fn clear(&mut self) {
        self.values.clear();
        self.spans.clear();
        self.uses.clear();
        self.pieces.clear();
    }

    /// The piece that is the value's whole interval.
    pub(crate) fn whole(&self, vreg: u32) -> Piece {
        let v = &self.values[vreg as usize];
        Piece {
            vreg,
            from: self.spans[v.r0 as usize].from,
            to: self.spans[v.r1 as usize - 1].to,
            r0: v.r0,
            r1: v.r1,
            u0: v.u0,
            u1: v.u1,
            loc: Loc::Unset,
            pin: 0,
        }
    }

    /// The piece's span with this index, clipped.
    pub(crate) fn span(&self, piece: &Piece, index: u32) -> Span {
        let s = self.spans[index as usize];
        Span { from: s.from.max(piece.from), to: s.to.min(piece.to) }
    }

    /// The piece's uses.
    pub(crate) fn uses_of(&self, piece: &Piece) -> &[Use] {
        &self.uses[piece.u0 as usize..piece.u1 as usize]
    }

    /// Ranges of a value.
    pub(crate) fn spans_of(&self, vreg: VReg) -> &[Span] {
        let v = &self.values[vreg.as_u32() as usize];
        &self.spans[v.r0 as usize..v.r1 as usize]
    }

    /// Cuts a piece at `at`, strictly inside of it. The piece keeps what is before; returns what is at and after it, not
    /// yet placed.
    pub(crate) fn split(&mut self, piece: u32, at: u32) -> u32 {
        let left = &mut self.pieces[piece as usize];
        debug_assert!(left.from < at && at < left.to, "a piece is split outside of its range");
        let mut right = *left;
        let (r0, r1) = (left.r0 as usize, left.r1 as usize);
        let k = r0 + self.spans[r0..r1].partition_point(|s| s.to <= at);
        let (u0, u1) = (left.u0 as usize, left.u1 as usize);
        let u = u0 + self.uses[u0..u1].partition_point(|u| u.pos < at);
        let cut = self.spans[k];
        if cut.from < at {
            left.r1 = k as u32 + 1;
            left.to = at;
        } else {
            left.r1 = k as u32;
            left.to = self.spans[k - 1].to.min(left.to);
        }
        left.u1 = u as u32;
        right.r0 = k as u32;
        right.u0 = u as u32;
        right.from = cut.from.max(at);
        right.loc = Loc::Unset;
        right.pin = 0;
        let index = self.pieces.len() as u32;
        self.pieces.push(right);
        index
    }
}
