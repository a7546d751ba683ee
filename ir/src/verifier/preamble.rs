//! What a function declares before its first block, and its entry.

use super::{AnyEntity, Check};
use crate::entities::{GlobalValue, Value};
use crate::function::GlobalValueData;
use crate::opcode::TypeSet;
use crate::signature::{ArgumentExtension, ArgumentPurpose, CallConv, Signature, StructArg};
use crate::types::{self, Type};
use alloc::format;
use cranelift_entity::SecondaryMap;

impl Check<'_> {
    /// Checks everything outside of the blocks, and the entry block's parameters.
    pub(super) fn preamble(&mut self) {
        let func = self.func;
        self.signature(AnyEntity::Function, &func.signature);
        for (sig, data) in &func.dfg.signatures {
            self.signature(sig.into(), data);
        }
        for (slot, data) in &func.stack_slots {
            if data.align_shift >= u32::BITS as u8 {
                self.fault(
                    slot,
                    format!("its alignment, 2 to the power of {}, is too large", data.align_shift),
                );
            }
        }
        self.regions();
        self.register_sets();
        self.global_values();
        self.annotation_rules();
        self.entry();
    }

    fn signature(&mut self, location: AnyEntity, sig: &Signature) {
        let (mut vmctx, mut sret) = (0, 0);
        let params = sig.params.iter().enumerate().map(|param| ("parameter", param));
        let results = sig.returns.iter().enumerate().map(|param| ("result", param));
        for (what, (i, param)) in params.chain(results) {
            let (ty, is_result) = (param.value_type, what == "result");
            if ty.is_invalid() {
                self.fault(location, format!("{what} {i} of the signature has no type"));
                continue;
            }
            if param.extension != ArgumentExtension::None && !ty.is_int() {
                self.fault(location, format!("{what} {i} has type {ty}, which cannot be extended"));
            }
            match param.purpose {
                ArgumentPurpose::Normal => continue,
                ArgumentPurpose::StructArgument(_) if is_result => {
                    self.fault(location, format!("result {i} cannot be a structure argument (`sarg`)"));
                }
                ArgumentPurpose::StructArgument(_) if sig.call_conv == CallConv::Tail => {
                    self.fault(
                        location,
                        "a signature with `tail` convention cannot have structure arguments (`sarg`)",
                    );
                }
                ArgumentPurpose::StructArgument(layout) => self.structure(location, i, layout),
                ArgumentPurpose::StructReturn => sret += u32::from(!is_result),
                ArgumentPurpose::VMContext if is_result => {
                    self.fault(location, format!("result {i} cannot be a context (`vmctx`)"));
                }
                ArgumentPurpose::VMContext => vmctx += 1,
            }
            if !TypeSet::Addr.contains(ty) {
                self.fault(location, format!("{what} {i} holds an address, but has type {ty}"));
            } else if let Some(address) = self.address_type
                && address != ty
            {
                self.fault(location, format!("{what} {i} has type {ty}, but addresses have type {address}"));
            }
        }
        if vmctx > 1 {
            self.fault(location, "more than one parameter is the context (`vmctx`)");
        }
        if sret > 1 {
            self.fault(location, "more than one parameter is the structure return (`sret`)");
        }
    }

    /// Names that print, values that exist, are integers of at most an address, and are of one set at most.
    fn register_sets(&mut self) {
        let func = self.func;
        let mut seen: SecondaryMap<Value, bool> = SecondaryMap::new();
        for (i, set) in func.register_sets.iter().enumerate() {
            let name = &set.name;
            let is_word = name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_')
                && name.bytes().next().is_some_and(|b| b.is_ascii_alphabetic());
            if !is_word || set.values.is_empty() {
                self.fault(AnyEntity::Function, format!("register set '{name}' has no name or no values"));
            }
            if func.register_sets[..i].iter().any(|other| other.name == *name) {
                self.fault(AnyEntity::Function, format!("register set '{name}' is listed twice"));
            }
            for &v in &set.values {
                if !func.dfg.value_is_valid(v) {
                    self.fault(
                        AnyEntity::Function,
                        format!("register set '{name}' has {v}, which does not exist"),
                    );
                    continue;
                }
                let ty = func.dfg.value_type(v);
                let address_bits = self.address_type.map_or(64, Type::bits);
                if !ty.is_int() || ty.bits() > address_bits {
                    self.fault(
                        AnyEntity::Function,
                        format!(
                            "register set '{name}' has {v}, which has type {ty}; it must be an integer of up to \
                             {address_bits} bits"
                        ),
                    );
                }
                if core::mem::replace(&mut seen[v], true) {
                    self.fault(AnyEntity::Function, format!("{v} is of two register sets"));
                }
            }
        }
    }

    fn regions(&mut self) {
        let ids = &mut self.scratch.region_ids;
        ids.clear();
        ids.extend(self.func.regions.iter().map(|(region, data)| (data.user_id, region)));
        ids.sort_unstable();
        for i in 1..self.scratch.region_ids.len() {
            let [(a, _), (b, region)] = [self.scratch.region_ids[i - 1], self.scratch.region_ids[i]];
            if a == b {
                self.fault(region, format!("duplicate alias region user_id {b}"));
            }
        }
    }

    fn structure(&mut self, location: AnyEntity, i: usize, layout: StructArg) {
        let StructArg { bytes, align, element } = layout;
        if !align.is_power_of_two() {
            self.fault(
                location,
                format!("parameter {i}: a structure's alignment, {align}, is no power of two"),
            );
        }
        let Some(ty) = element else { return };
        if !matches!(ty, types::F32 | types::F64) {
            self.fault(location, format!("parameter {i}: a structure of {ty} is not homogeneous floats"));
        } else if bytes == 0 || !bytes.is_multiple_of(ty.bytes()) {
            self.fault(location, format!("parameter {i}: {bytes} bytes are no structure of {ty}"));
        }
    }

    fn global_values(&mut self) {
        let func = self.func;
        self.scratch.rounds.clear();
        self.scratch.rounds.resize(func.global_values.len());
        for (round, (gv, data)) in (1..).zip(&func.global_values) {
            // Each has at most one base: following them, the first that this round has seen closes a cycle.
            let mut at = gv;
            while self.scratch.rounds[at] == 0 {
                self.scratch.rounds[at] = round;
                match func.global_values[at] {
                    GlobalValueData::Load { base, .. } | GlobalValueData::IAddImm { base, .. } => at = base,
                    GlobalValueData::VMContext | GlobalValueData::Symbol { .. } => break,
                }
                if self.scratch.rounds[at] == round {
                    self.fault(at, "is its own base: the bases of global values form a cycle");
                }
            }
            match *data {
                GlobalValueData::VMContext => {
                    if func.signature.special_param_index(ArgumentPurpose::VMContext).is_none() {
                        self.fault(gv, "undeclared vmctx reference: the signature has no such parameter");
                    }
                }
                GlobalValueData::Load { base, ty, .. } => {
                    if ty.is_invalid() {
                        self.fault(gv, "has no type");
                    }
                    let base_ty = self.global_type(base);
                    if let Some(base_ty) = base_ty.filter(|&ty| !TypeSet::Addr.contains(ty)) {
                        self.fault(
                            gv,
                            format!("base {base} has type {base_ty}, which is not an address type"),
                        );
                    } else if let (Some(address), Some(base_ty)) = (self.address_type, base_ty)
                        && address != base_ty
                    {
                        let message = format!(
                            "base {base} has type {base_ty}, which is not the pointer type {address}"
                        );
                        self.fault(gv, message);
                    }
                }
                GlobalValueData::IAddImm { base, ty, .. } => {
                    if !TypeSet::NarrowInt.contains(ty) {
                        self.fault(
                            gv,
                            format!("iadd_imm needs an integer type of at most 64 bits, not {ty}"),
                        );
                    } else if let Some(base_ty) = self.global_type(base).filter(|&base_ty| base_ty != ty) {
                        self.fault(gv, format!("has type {ty}, but its base {base} has type {base_ty}"));
                    }
                }
                GlobalValueData::Symbol { .. } => {}
            }
        }
        if let Some(gv) = func.stack_limit
            && let Some(ty) = self.global_type(gv).filter(|&ty| !TypeSet::Addr.contains(ty))
        {
            self.fault(
                AnyEntity::StackLimit,
                format!("the stack limit {gv} has type {ty}, which is no address"),
            );
        }
    }

    /// The type of a global value; `None` for a symbol if the type of addresses is not known.
    fn global_type(&self, gv: GlobalValue) -> Option<Type> {
        match self.func.global_values[gv] {
            GlobalValueData::VMContext => {
                let sig = &self.func.signature;
                sig.special_param_index(ArgumentPurpose::VMContext).map(|i| sig.params[i].value_type)
            }
            GlobalValueData::Load { ty, .. } | GlobalValueData::IAddImm { ty, .. } => Some(ty),
            GlobalValueData::Symbol { .. } => self.address_type,
        }
    }

    /// Stack maps and debug tags: do they fit their instructions and slots?
    fn annotation_rules(&mut self) {
        let func = self.func;
        for (inst, entries) in &func.dfg.stack_maps {
            if self.scratch.numbers[*inst] == 0 || entries.is_empty() {
                continue;
            }
            let opcode = func.dfg.opcode(*inst);
            if !opcode.is_call() || opcode.is_return() {
                self.fault(*inst, "has a user stack map, but is no call that comes back");
            }
            for entry in entries {
                let size = func.stack_slots[entry.slot].size;
                let end = u64::from(entry.offset) + u64::from(entry.ty.bytes());
                if entry.ty.is_invalid() {
                    self.fault(*inst, format!("its user stack map names {} without a type", entry.slot));
                } else if end > u64::from(size) {
                    let message = format!(
                        "its user stack map names bytes {} to {end} of {}, which has {size}",
                        entry.offset, entry.slot
                    );
                    self.fault(*inst, message);
                }
            }
        }
        for (inst, tags) in &func.dfg.debug_tags {
            if self.scratch.numbers[*inst] == 0 || tags.is_empty() {
                continue;
            }
            let opcode = func.dfg.opcode(*inst);
            if !opcode.is_call() && opcode != crate::Opcode::SequencePoint {
                self.fault(*inst, "debug tags present on non-call, non-sequence point instruction");
            }
        }
    }

    fn entry(&mut self) {
        let func = self.func;
        let Some(entry) = func.layout.entry_block() else {
            return self.fault(AnyEntity::Function, "has no blocks");
        };
        if func.layout.is_cold(entry) {
            self.fault(entry, "entry block cannot be marked as cold");
        }
        let params = func.dfg.block_params(entry);
        let expected = &func.signature.params;
        if params.len() != expected.len() {
            let message = format!(
                "entry block parameters ({}) must match function signature ({})",
                params.len(),
                expected.len()
            );
            return self.fault(entry, message);
        }
        for (i, (&v, expected)) in params.iter().zip(expected).enumerate() {
            let (ty, expected) = (func.dfg.value_type(v), expected.value_type);
            if ty != expected {
                self.fault(
                    entry,
                    format!("entry block parameter {i} expected to have type {expected}, got {ty}"),
                );
            }
        }
    }
}
