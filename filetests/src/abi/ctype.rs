//! Types of C: random ones, their layout, and values of them.
//!
//! The layout is what every ABI here shares: each scalar is aligned to its size, a structure to its most aligned member,
//! and its size is a multiple of that.

use crate::fuzz::random::Random;
use std::fmt::Write;
use windlass_ir::{ArgumentExtension, Endianness, StructArg, Type, types};

/// A scalar type.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Scalar {
    /// `_Bool`
    Bool,
    /// An integer of so many bytes, signed or not.
    Int(u32, bool),
    /// `float`
    Float,
    /// `double`
    Double,
}

impl Scalar {
    /// Its size and alignment in bytes.
    pub fn bytes(self) -> u32 {
        match self {
            Scalar::Bool => 1,
            Scalar::Int(bytes, _) => bytes,
            Scalar::Float => 4,
            Scalar::Double => 8,
        }
    }

    /// Its name in C.
    pub fn c_name(self) -> &'static str {
        match self {
            Scalar::Bool => "_Bool",
            Scalar::Int(1, true) => "signed char",
            Scalar::Int(1, false) => "unsigned char",
            Scalar::Int(2, true) => "short",
            Scalar::Int(2, false) => "unsigned short",
            Scalar::Int(4, true) => "int",
            Scalar::Int(4, false) => "unsigned",
            Scalar::Int(8, true) => "long long",
            Scalar::Int(8, false) => "unsigned long long",
            Scalar::Int(_, true) => "__int128",
            Scalar::Int(_, false) => "unsigned __int128",
            Scalar::Float => "float",
            Scalar::Double => "double",
        }
    }

    /// The type of values of it.
    pub fn ty(self) -> Type {
        match self {
            Scalar::Bool | Scalar::Int(1, _) => types::I8,
            Scalar::Int(2, _) => types::I16,
            Scalar::Int(4, _) => types::I32,
            Scalar::Int(8, _) => types::I64,
            Scalar::Int(..) => types::I128,
            Scalar::Float => types::F32,
            Scalar::Double => types::F64,
        }
    }

    /// How C widens it where it is passed, in registers of `word` bytes.
    pub fn extension(self, word: u32) -> ArgumentExtension {
        match self {
            Scalar::Bool => ArgumentExtension::Uext,
            Scalar::Int(bytes, signed) if bytes < word => {
                if signed {
                    ArgumentExtension::Sext
                } else {
                    ArgumentExtension::Uext
                }
            }
            _ => ArgumentExtension::None,
        }
    }

    fn is_float(self) -> bool {
        matches!(self, Scalar::Float | Scalar::Double)
    }

    /// Any one. `wide` allows integers of 128 bits.
    pub fn random(random: &mut Random, wide: bool) -> Scalar {
        match random.below(if wide { 12 } else { 11 }) {
            0 => Scalar::Bool,
            1 | 2 => Scalar::Int(1, random.chance(50)),
            3 | 4 => Scalar::Int(2, random.chance(50)),
            5 | 6 => Scalar::Int(4, random.chance(50)),
            7 | 8 => Scalar::Int(8, random.chance(50)),
            9 => Scalar::Float,
            10 => Scalar::Double,
            _ => Scalar::Int(16, random.chance(50)),
        }
    }

    /// Any one that an argument behind `...` can have: none that C would promote.
    pub fn random_promoted(random: &mut Random) -> Scalar {
        match random.below(4) {
            0 | 1 => Scalar::Int(4, random.chance(50)),
            2 => Scalar::Int(8, random.chance(50)),
            _ => Scalar::Double,
        }
    }

    /// The bytes of a random value. Floats are no NaNs, whose bits a conversion would change.
    fn value(self, random: &mut Random, endianness: Endianness) -> Vec<u8> {
        let mut bits = u128::from(random.bits()) << 64 | u128::from(random.bits());
        match self {
            Scalar::Bool => bits &= 1,
            Scalar::Float => bits &= !(1 << 30),
            Scalar::Double => bits &= !(1 << 62),
            Scalar::Int(..) => {}
        }
        let bytes = self.bytes() as usize;
        match endianness {
            Endianness::Little => bits.to_le_bytes()[..bytes].to_vec(),
            Endianness::Big => bits.to_be_bytes()[16 - bytes..].to_vec(),
        }
    }
}

/// A member of a structure.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Member {
    /// A scalar.
    Scalar(Scalar),
    /// An array of scalars.
    Array(Scalar, u32),
    /// A structure.
    Struct(Struct),
}

impl Member {
    fn align(&self) -> u32 {
        match self {
            Member::Scalar(scalar) | Member::Array(scalar, _) => scalar.bytes(),
            Member::Struct(inner) => inner.align(),
        }
    }

    fn bytes(&self) -> u32 {
        match self {
            Member::Scalar(scalar) => scalar.bytes(),
            Member::Array(scalar, count) => scalar.bytes() * count,
            Member::Struct(inner) => inner.bytes(),
        }
    }
}

/// A structure.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Struct(pub Vec<Member>);

impl Struct {
    /// Its alignment in bytes.
    pub fn align(&self) -> u32 {
        self.0.iter().map(Member::align).max().unwrap_or(1)
    }

    /// Its size in bytes.
    pub fn bytes(&self) -> u32 {
        let mut end = 0;
        for member in &self.0 {
            end = u32::next_multiple_of(end, member.align()) + member.bytes();
        }
        end.next_multiple_of(self.align())
    }

    /// The scalars in it, with their offsets.
    pub fn leaves(&self) -> Vec<(u32, Scalar)> {
        let mut leaves = Vec::new();
        self.add_leaves(0, &mut leaves);
        leaves
    }

    fn add_leaves(&self, start: u32, leaves: &mut Vec<(u32, Scalar)>) {
        let mut at = start;
        for member in &self.0 {
            at = u32::next_multiple_of(at, member.align());
            match member {
                Member::Scalar(scalar) => leaves.push((at, *scalar)),
                Member::Array(scalar, count) => {
                    leaves.extend((0..*count).map(|i| (at + i * scalar.bytes(), *scalar)));
                }
                Member::Struct(inner) => inner.add_leaves(at, leaves),
            }
            at += member.bytes();
        }
    }

    /// If it is nothing but floats of one type: which, and how many.
    pub fn homogeneous(&self) -> Option<(Scalar, u32)> {
        let leaves = self.leaves();
        let first = leaves.first()?.1;
        (first.is_float() && leaves.iter().all(|(_, leaf)| *leaf == first))
            .then_some((first, leaves.len() as u32))
    }

    /// What the language says of it, all that a convention may ask.
    pub fn layout(&self) -> StructArg {
        let element = self.homogeneous().map(|(scalar, _)| scalar.ty());
        StructArg { bytes: self.bytes(), align: self.align(), element }
    }

    /// Its members in C, in braces.
    pub fn c_body(&self) -> String {
        let mut text = "{ ".to_string();
        for (i, member) in self.0.iter().enumerate() {
            // Writing to a string cannot fail.
            let _ = match member {
                Member::Scalar(scalar) => write!(text, "{} m{i}; ", scalar.c_name()),
                Member::Array(scalar, count) => write!(text, "{} m{i}[{count}]; ", scalar.c_name()),
                Member::Struct(inner) => write!(text, "struct {} m{i}; ", inner.c_body()),
            };
        }
        text + "}"
    }

    /// Any one of at most `most` bytes.
    pub fn random(random: &mut Random, wide: bool, most: u32) -> Struct {
        loop {
            let structure = match random.below(10) {
                // Bytes: sizes that are no multiple of anything.
                0 | 1 => Struct(vec![Member::Array(Scalar::Int(1, false), random.between(1, 21) as u32)]),
                2 => Struct(vec![Member::Array(Scalar::Int(2, true), random.between(1, 12) as u32)]),
                // Homogeneous aggregates, and those with too many members for one.
                3..=5 => Self::random_floats(random),
                6 => {
                    let inner = Self::random_members(random, wide, 3);
                    let mut outer = Self::random_members(random, wide, 2);
                    outer.0.insert(random.below(outer.0.len() + 1), Member::Struct(inner));
                    outer
                }
                _ => Self::random_members(random, wide, 7),
            };
            if structure.bytes() <= most {
                return structure;
            }
        }
    }

    fn random_members(random: &mut Random, wide: bool, most: usize) -> Struct {
        let member = |random: &mut Random| {
            let scalar = Scalar::random(random, wide);
            if random.chance(20) {
                Member::Array(scalar, random.between(1, 4) as u32)
            } else {
                Member::Scalar(scalar)
            }
        };
        let count = random.between(1, most);
        Struct((0..count).map(|_| member(random)).collect())
    }

    fn random_floats(random: &mut Random) -> Struct {
        let scalar = if random.chance(50) { Scalar::Float } else { Scalar::Double };
        let count = random.between(1, 5);
        match random.below(3) {
            0 => Struct(vec![Member::Array(scalar, count as u32)]),
            1 => {
                let inner = Struct(vec![Member::Scalar(scalar); count]);
                Struct(vec![Member::Scalar(scalar), Member::Struct(inner)])
            }
            _ => Struct(vec![Member::Scalar(scalar); count]),
        }
    }
}

/// A type of a parameter or a result.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum CType {
    /// A scalar.
    Scalar(Scalar),
    /// A structure by value.
    Struct(Struct),
}

impl CType {
    /// Its size in bytes.
    pub fn bytes(&self) -> u32 {
        match self {
            CType::Scalar(scalar) => scalar.bytes(),
            CType::Struct(structure) => structure.bytes(),
        }
    }

    /// The scalars in it, with their offsets.
    pub fn leaves(&self) -> Vec<(u32, Scalar)> {
        match self {
            CType::Scalar(scalar) => vec![(0, *scalar)],
            CType::Struct(structure) => structure.leaves(),
        }
    }

    /// The bytes of a random value; there is something in the padding too.
    pub fn value(&self, random: &mut Random, endianness: Endianness) -> Vec<u8> {
        let mut bytes: Vec<u8> = (0..self.bytes()).map(|_| random.bits() as u8).collect();
        for (at, scalar) in self.leaves() {
            let at = at as usize;
            bytes[at..at + scalar.bytes() as usize].copy_from_slice(&scalar.value(random, endianness));
        }
        bytes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn layouts_are_those_of_c() {
        use Member::{Array, Struct as Inner};
        let int = |bytes| Member::Scalar(Scalar::Int(bytes, true));
        let pair = Struct(vec![int(1), int(8)]);
        assert_eq!((pair.bytes(), pair.align()), (16, 8));
        let outer = Struct(vec![int(2), Inner(pair), Array(Scalar::Float, 3), int(1)]);
        assert_eq!((outer.bytes(), outer.align()), (40, 8));
        let at: Vec<u32> = outer.leaves().iter().map(|leaf| leaf.0).collect();
        assert_eq!(at, [0, 8, 16, 24, 28, 32, 36]);
        assert_eq!(outer.homogeneous(), None);
        let floats = Struct(vec![Member::Scalar(Scalar::Float), Array(Scalar::Float, 2)]);
        assert_eq!(floats.homogeneous(), Some((Scalar::Float, 3)));
        assert_eq!(floats.layout(), StructArg::homogeneous(types::F32, 3));
        assert_eq!(floats.c_body(), "{ float m0; float m1[2]; }");
    }
}
