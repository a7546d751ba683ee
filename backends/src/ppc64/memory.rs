//! Loads and stores in the machine's byte order: the row of the table for what is accessed and where it is, and
//! accesses to stack slots and symbols, whose displacements are known when they are emitted.

use super::emit::{Emit, R12, Result, TOC, displacement, w};
use super::imm::{DsOffset, Simm16, Simm34};
use super::minst::Inst;
use super::reloc;
use crate::machinst::encode::OperandFault;
use crate::machinst::pseudo::{FrameArea, SymbolInfo};
use crate::machinst::{EmitError, Emitter, Reg, WritableReg};
use windlass_ir::{StackSlot, TrapCode};

/// What is loaded or stored. Stores do not know signs.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Data {
    /// A byte; loads put zeros above it.
    Byte,
    /// Two bytes, zeros above.
    Half,
    /// Two bytes, their sign above.
    SignedHalf,
    /// Four bytes, zeros above.
    Word,
    /// Four bytes, their sign above.
    SignedWord,
    /// Eight bytes.
    Doubleword,
    /// A float of four bytes, which the register holds in the format of eight.
    Single,
    /// A float of eight bytes.
    Double,
}

impl Data {
    /// What displacements of 16 bits are multiples of.
    pub const fn scale(self) -> u32 {
        match self {
            Data::Doubleword | Data::SignedWord => 4,
            _ => 1,
        }
    }

    /// Is it loaded into a floating-point register?
    pub const fn is_float(self) -> bool {
        matches!(self, Data::Single | Data::Double)
    }

    /// The mnemonic's end.
    pub const fn name(self) -> &'static str {
        match self {
            Data::Byte => "bz",
            Data::Half => "hz",
            Data::SignedHalf => "ha",
            Data::Word => "wz",
            Data::SignedWord => "wa",
            Data::Doubleword => "d",
            Data::Single => "fs",
            Data::Double => "fd",
        }
    }
}

/// Where an access is, as forms of instructions have it.
#[derive(Clone, Copy)]
pub enum Form {
    /// Base and displacement of 16 bits.
    Near(Reg, i64),
    /// Base and index.
    Index(Reg, Reg),
    /// Base and displacement of 34 bits, from POWER10 on.
    Far(Reg, i64),
    /// A distance from the instruction that a relocation gives, from POWER10 on.
    Relative,
    /// Base and displacement; the first register becomes their sum.
    Update(WritableReg, Reg, i64),
    /// Base and index; the first register becomes their sum.
    UpdateIndex(WritableReg, Reg, Reg),
}

/// The row of an access: its data operand, the type of its displacement, and the names of the rows by form.
macro_rules! row {
    ($form:expr, $data:ident, $disp:ident, $d:ident $x:ident $far:ident $pc:ident $ux:ident $($u:ident)?) => {
        match $form {
            Form::Near(ra, d) => Inst::$d { $data, ra, d: $disp::new(d)? },
            Form::Index(ra, rb) => Inst::$x { $data, ra, rb },
            Form::Far(ra, d) => Inst::$far { $data, ra, d: Simm34::new(d)? },
            Form::Relative => Inst::$pc { $data, d: Simm34::ZERO },
            Form::UpdateIndex(ra, ra_in, rb) => Inst::$ux { ra, ra_in, $data, rb },
            $(Form::Update(ra, ra_in, d) => Inst::$u { ra, ra_in, $data, d: $disp::new(d)? },)?
            #[allow(unreachable_patterns, reason = "not of those that lack a form")]
            _ => return None,
        }
    };
}

/// A load. `None` if the form does not exist or does not have the displacement.
pub fn load_row(data: Data, rt: WritableReg, form: Form) -> Option<Inst> {
    let frt = rt;
    Some(match data {
        Data::Byte => row!(form, rt, Simm16, Lbz Lbzx Plbz PlbzPc Lbzux Lbzu),
        Data::Half => row!(form, rt, Simm16, Lhz Lhzx Plhz PlhzPc Lhzux Lhzu),
        Data::SignedHalf => row!(form, rt, Simm16, Lha Lhax Plha PlhaPc Lhaux Lhau),
        Data::Word => row!(form, rt, Simm16, Lwz Lwzx Plwz PlwzPc Lwzux Lwzu),
        Data::SignedWord => row!(form, rt, DsOffset, Lwa Lwax Plwa PlwaPc Lwaux),
        Data::Doubleword => row!(form, rt, DsOffset, Ld Ldx Pld PldPc Ldux Ldu),
        Data::Single => row!(form, frt, Simm16, Lfs Lfsx Plfs PlfsPc Lfsux Lfsu),
        Data::Double => row!(form, frt, Simm16, Lfd Lfdx Plfd PlfdPc Lfdux Lfdu),
    })
}

/// A store, as [`load_row`].
pub fn store_row(data: Data, rs: Reg, form: Form) -> Option<Inst> {
    let frs = rs;
    Some(match data {
        Data::Byte => row!(form, rs, Simm16, Stb Stbx Pstb PstbPc Stbux Stbu),
        Data::Half | Data::SignedHalf => row!(form, rs, Simm16, Sth Sthx Psth PsthPc Sthux Sthu),
        Data::Word | Data::SignedWord => row!(form, rs, Simm16, Stw Stwx Pstw PstwPc Stwux Stwu),
        Data::Doubleword => row!(form, rs, DsOffset, Std Stdx Pstd PstdPc Stdux Stdu),
        Data::Single => row!(form, frs, Simm16, Stfs Stfsx Pstfs PstfsPc Stfsux Stfsu),
        Data::Double => row!(form, frs, Simm16, Stfd Stfdx Pstfd PstfdPc Stfdux Stfdu),
    })
}

/// How a load brings what another instruction makes of what it would bring.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Conversion {
    /// With its sign above.
    Signed(Data),
    /// From the other byte order.
    Reversed(Data),
}

/// The register of an access.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Moved {
    /// It is loaded.
    Load(WritableReg),
    /// It is stored.
    Store(Reg),
}

impl Moved {
    /// The row of the access.
    pub fn row(self, data: Data, form: Form) -> Option<Inst> {
        match self {
            Moved::Load(rt) => load_row(data, rt, form),
            Moved::Store(rs) => store_row(data, rs, form),
        }
    }
}

/// Where an access is that emission finds.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum At {
    /// So many bytes into a stack slot.
    Slot(StackSlot, i32),
    /// A symbol of the same module.
    Symbol(SymbolInfo),
}

/// An access to a stack slot or a symbol.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Placed {
    /// The register.
    pub moved: Moved,
    /// What is loaded or stored.
    pub data: Data,
    /// Where it is.
    pub at: At,
    /// How it traps if it faults.
    pub code: Option<TrapCode>,
}

impl Emit<'_> {
    /// ```text
    ///     lwz rt, offset(r1)                       of a slot, or whatever access it is
    ///     addis r12, r1, high ; lwz rt, low(r12)   beyond 16 bits
    ///     addis r12, r2, symbol@toc@ha ; lwz rt, symbol@toc@l(r12)
    ///     plwz rt, symbol@pcrel                    from POWER10 on
    /// ```
    pub(super) fn placed(&mut self, placed: &Placed) -> Result {
        let Placed { moved, data, at, code } = placed;
        let row = |form| {
            let fault = OperandFault::AboveLevel;
            moved.row(*data, form).ok_or(EmitError { inst: "access", operand: "d", fault })
        };
        let inst = match at {
            At::Slot(slot, offset) => {
                let (start, align) = self.frame.place(FrameArea::Slot(*slot), *offset);
                if align == 1 {
                    let (ra, d) = self.frame_base(start.into())?;
                    row(Form::Near(ra, d))?
                } else {
                    self.emit_frame_addr(w(R12), FrameArea::Slot(*slot), *offset)?;
                    row(Form::Near(R12, 0))?
                }
            }
            At::Symbol(SymbolInfo { name, offset, .. }) if self.target.pc_relative() => {
                self.before_prefix()?;
                self.buf.reloc_at(self.buf.offset(), reloc::PCREL34, name.clone(), *offset);
                row(Form::Relative)?
            }
            At::Symbol(SymbolInfo { name, offset, .. }) => {
                self.half_reloc(reloc::TOC16_HA, name, *offset);
                self.real(&Inst::Addis { rt: w(R12), ra: TOC, si: displacement(0) })?;
                let low = if data.scale() == 4 { reloc::TOC16_LO_DS } else { reloc::TOC16_LO };
                self.half_reloc(low, name, *offset);
                row(Form::Near(R12, 0))?
            }
        };
        if let Some(code) = code {
            self.buf.trap_here(*code);
        }
        self.real(&inst)
    }
}
