//! What the generator may use: the operations that a target compiles, each at its types.
//!
//! In: a target. Out: a [`Menu`]. Nothing is listed by hand: the candidates are the rows of the opcode table at all
//! scalar types that fit them, and a candidate is on the menu if the target compiles a function that does nothing
//! else. A target that learns an operation has it fuzzed from then on.
//!
//! Cost: about two thousand functions of one instruction are compiled, once a run.

use windlass::builtins::library;
use windlass::{CompileError, Context, Target};
use windlass_ir::types::{self, Type};
use windlass_ir::{
    AbiParam, ArgumentPurpose, AtomicRmwOp, BlockCall, Ctrl, Endianness, ExternalName, Format, FuncCursor,
    Function, Ieee32, Ieee64, InstBuilder, InstData, IntCC, MemFlags, Opcode, OpcodeDef, Signature,
    StackSlotData, TrapCode, Ty, Value,
};
use windlass_ir::{CallConv, ExtFuncData, FloatCC};
use windlass_ir::{ExceptionItem, ExceptionTableData, GlobalValueData, StructArg};

/// An operation at its types.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Operation {
    /// The operation.
    pub opcode: Opcode,
    /// Its controlling type; invalid if it has none.
    pub ctrl: Type,
    /// The types of its operands.
    pub args: Vec<Type>,
    /// The types of its results.
    pub results: Vec<Type>,
}

/// An access to memory.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Access {
    /// The operation.
    pub opcode: Opcode,
    /// The type of the value that is read, written or combined.
    pub ty: Type,
    /// Bytes of memory.
    pub bytes: u32,
    /// The target does it in both byte orders.
    pub any_order: bool,
    /// How an atomic operation combines.
    pub rmw: Option<AtomicRmwOp>,
}

/// What the generator may use.
#[derive(Clone, Debug)]
pub struct Menu {
    /// The type of addresses.
    pub address: Type,
    /// Types of values.
    pub types: Vec<Type>,
    /// Operations on values, grouped by opcode, in the order of the opcode table.
    pub groups: Vec<Vec<Operation>>,
    /// Accesses to memory.
    pub accesses: Vec<Access>,
    /// Calling conventions.
    pub conventions: Vec<CallConv>,
    /// `call_indirect` and `func_addr`.
    pub indirect_calls: bool,
    /// `return_call` and `return_call_indirect`.
    pub tail_calls: bool,
    /// `br_table`.
    pub tables: bool,
    /// `try_call`, and the run-time library's routine that throws.
    pub exceptions: bool,
    /// Conventions with structures by value.
    pub structs: Vec<CallConv>,
    /// Results in memory (`sret`), contexts (`vmctx`) and limits of the stack.
    pub contexts: bool,
    /// `symbol_value`.
    pub symbols: bool,
    /// `tls_value`.
    pub thread_locals: bool,
    /// `get_pinned_reg` and `set_pinned_reg`.
    pub pinned: bool,
    /// `get_stack_pointer`.
    pub stack_pointer: bool,
    /// Instructions without operands, results and meaning: `nop`, `fence`.
    pub idle: Vec<Opcode>,
}

/// Every scalar type that the interpreter has.
const SCALARS: &[Type] =
    &[types::I8, types::I16, types::I32, types::I64, types::I128, types::F32, types::F64];

impl Menu {
    /// Asks a target.
    pub fn of(target: &dyn Target) -> Menu {
        let routines = target.machine_routines().into_iter().chain(target.startup().threads);
        let support = library(target).unwrap_or_default().into_iter().map(|func| func.name);
        let support: Vec<_> = support.chain(routines.map(|(name, _)| ExternalName::Symbol(name))).collect();
        let throws = support.contains(&ExternalName::symbol("__windlass_throw"));
        let mut probe = Probe { target, support, cx: Context::new() };
        let mut groups: Vec<Vec<Operation>> = Vec::new();
        let mut accesses = Vec::new();
        for def in windlass_ir::opcode::TABLE {
            if is_computation(def) {
                let group: Vec<_> =
                    operations(def).into_iter().filter(|operation| probe.operation(operation)).collect();
                if !group.is_empty() {
                    groups.push(group);
                }
            } else {
                accesses.extend(candidates(def).into_iter().filter_map(|access| probe.access(access)));
            }
        }
        let types =
            SCALARS.iter().copied().filter(|&ty| probe.value_type(ty) && probe.needed(&groups, ty)).collect();
        let conventions = [CallConv::SystemV, CallConv::Fast, CallConv::Tail];
        Menu {
            address: target.address_type(),
            types,
            groups,
            accesses,
            conventions: conventions.into_iter().filter(|&convention| probe.convention(convention)).collect(),
            indirect_calls: probe.indirect_call(),
            tail_calls: probe.tail_call(false) && probe.tail_call(true),
            tables: probe.table(),
            exceptions: throws && probe.try_call(),
            structs: conventions.into_iter().filter(|&convention| probe.structure(convention)).collect(),
            contexts: probe.context(),
            symbols: probe.symbol(false),
            thread_locals: probe.symbol(true),
            pinned: probe.pinned(),
            stack_pointer: probe.stack_pointer(),
            idle: [Opcode::Nop, Opcode::Fence, Opcode::SequencePoint]
                .into_iter()
                .filter(|&opcode| probe.idle(opcode))
                .collect(),
        }
        .with_its_types()
    }

    /// The menu without what has to do with types that are not on it.
    fn with_its_types(mut self) -> Menu {
        for group in &mut self.groups {
            let known = |operation: &Operation| {
                operation.args.iter().chain(&operation.results).all(|ty| self.types.contains(ty))
            };
            group.retain(known);
        }
        self.groups.retain(|group| !group.is_empty());
        self.accesses.retain(|access| self.types.contains(&access.ty));
        self
    }

    /// The operation `opcode` with these types of operands, if it is on the menu.
    pub fn find(&self, opcode: Opcode, ctrl: Type, args: &[Type]) -> Option<&Operation> {
        let group = self.groups.iter().find(|group| group[0].opcode == opcode)?;
        group.iter().find(|operation| operation.ctrl == ctrl && operation.args == args)
    }

    /// Number of operations, each type counted.
    pub fn len(&self) -> usize {
        self.groups.iter().map(Vec::len).sum::<usize>() + self.accesses.len()
    }

    /// Is there nothing on the menu?
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// Does the row compute values from values, in one of the formats that [`data`] makes?
fn is_computation(def: &OpcodeDef) -> bool {
    if def.effects.has(windlass_ir::Effects::OTHER) && def.opcode != Opcode::SelectSpectreGuard
        || def.opcode.is_terminator()
        || def.opcode.is_call()
    {
        return false;
    }
    match def.format {
        Format::Unary | Format::Binary | Format::Ternary | Format::IntCompare | Format::FloatCompare => true,
        Format::IntAddTrap | Format::CondTrap => true,
        Format::LoadNoOffset => def.opcode == Opcode::Bitcast,
        _ => false,
    }
}

/// A row at all scalar types that fit it.
fn operations(def: &OpcodeDef) -> Vec<Operation> {
    let ctrls: Vec<Type> = match def.ctrl.types() {
        Some(set) => SCALARS.iter().copied().filter(|&ty| set.contains(ty)).collect(),
        None => vec![Type::INVALID],
    };
    let mut out = Vec::new();
    for ctrl in ctrls {
        let results: Option<Vec<Type>> = def.results.iter().map(|ty| ty.resolve(ctrl)).collect();
        let Some(results) = results.filter(|results| results.iter().all(|ty| SCALARS.contains(ty))) else {
            continue;
        };
        let mut lists: Vec<Vec<Type>> = vec![Vec::new()];
        for (i, &arg) in def.args.iter().enumerate() {
            let forced = matches!(def.ctrl, Ctrl::Operand(n, _) if usize::from(n) == i);
            let fits = |ty: Type| if forced { ty == ctrl } else { accepts(arg, ctrl, ty) };
            lists = lists
                .iter()
                .flat_map(|list| {
                    SCALARS.iter().filter(|&&ty| fits(ty)).map(move |&ty| [list.as_slice(), &[ty]].concat())
                })
                .collect();
        }
        for args in lists {
            out.push(Operation { opcode: def.opcode, ctrl, args, results: results.clone() });
        }
    }
    out
}

fn accepts(arg: Ty, ctrl: Type, ty: Type) -> bool {
    arg.accepts(ctrl, ty)
}

/// A row of the memory operations at all scalar types.
fn candidates(def: &OpcodeDef) -> Vec<Access> {
    let bytes_of = |ty: Type| match def.opcode {
        Opcode::Uload8 | Opcode::Sload8 | Opcode::Istore8 => 1,
        Opcode::Uload16 | Opcode::Sload16 | Opcode::Istore16 => 2,
        Opcode::Uload32 | Opcode::Sload32 | Opcode::Istore32 => 4,
        _ => ty.bytes(),
    };
    let of_memory = matches!(
        def.format,
        Format::Load
            | Format::Store
            | Format::LoadNoOffset
            | Format::StoreNoOffset
            | Format::AtomicRmw
            | Format::AtomicCas
    );
    if !of_memory || def.opcode == Opcode::Bitcast {
        return Vec::new();
    }
    // QEMU before 8.1 has no conditional store of 16 bytes that ever succeeds: what changes them atomically never ends.
    let endless = |ty: Type| ty == types::I128 && matches!(def.format, Format::AtomicRmw | Format::AtomicCas);
    let types: Vec<Type> = match def.ctrl.types() {
        Some(set) => SCALARS.iter().copied().filter(|&ty| set.contains(ty)).collect(),
        None => def
            .results
            .iter()
            .filter_map(|ty| ty.resolve(Type::INVALID))
            .filter(|ty| !ty.is_vector())
            .collect(),
    };
    let mut out = Vec::new();
    for ty in types.into_iter().filter(|&ty| !endless(ty)) {
        let access = Access { opcode: def.opcode, ty, bytes: bytes_of(ty), any_order: true, rmw: None };
        if def.format == Format::AtomicRmw {
            out.extend(AtomicRmwOp::ALL.iter().map(|&op| Access { rmw: Some(op), ..access }));
        } else {
            out.push(access);
        }
    }
    out
}

/// The instruction of an access at `p`; `x` is what is stored, combined or compared, `y` what `atomic_cas` stores.
pub(super) fn access_data(
    access: &Access,
    flags: MemFlags,
    p: Value,
    offset: i32,
    x: Value,
    y: Value,
) -> InstData {
    let opcode = access.opcode;
    let offset = offset.into();
    match opcode.format() {
        Format::Store => InstData::Store { opcode, flags, args: [x, p], offset },
        Format::LoadNoOffset => InstData::LoadNoOffset { opcode, flags, arg: p },
        Format::StoreNoOffset => InstData::StoreNoOffset { opcode, flags, args: [x, p] },
        Format::AtomicRmw => {
            let op = access.rmw.unwrap_or(AtomicRmwOp::Add);
            InstData::AtomicRmw { opcode, flags, op, args: [p, x] }
        }
        Format::AtomicCas => InstData::AtomicCas { opcode, flags, args: [p, x, y] },
        _ => InstData::Load { opcode, flags, arg: p, offset },
    }
}

/// The instruction of an operation.
pub(super) fn data(
    operation: &Operation,
    args: &[Value],
    int_cond: IntCC,
    float_cond: FloatCC,
    code: TrapCode,
) -> Option<InstData> {
    let opcode = operation.opcode;
    Some(match (opcode.format(), args) {
        (Format::Unary, &[arg]) => InstData::Unary { opcode, arg },
        (Format::Binary, &[x, y]) => InstData::Binary { opcode, args: [x, y] },
        (Format::Ternary, &[x, y, z]) => InstData::Ternary { opcode, args: [x, y, z] },
        (Format::IntCompare, &[x, y]) => InstData::IntCompare { opcode, cond: int_cond, args: [x, y] },
        (Format::FloatCompare, &[x, y]) => InstData::FloatCompare { opcode, cond: float_cond, args: [x, y] },
        (Format::IntAddTrap, &[x, y]) => InstData::IntAddTrap { opcode, args: [x, y], code },
        (Format::CondTrap, &[arg]) => InstData::CondTrap { opcode, arg, code },
        (Format::LoadNoOffset, &[arg]) => InstData::LoadNoOffset { opcode, flags: MemFlags::new(), arg },
        _ => return None,
    })
}

/// Compiles functions of one instruction.
struct Probe<'t> {
    target: &'t dyn Target,
    /// Functions of the run-time library.
    support: Vec<ExternalName>,
    cx: Context,
}

impl Probe<'_> {
    /// Does a function compile, and is there all that its code calls? Whatever else is wrong with it is the fuzzer's
    /// business, not the menu's.
    fn compiles(&mut self, func: &Function) -> bool {
        match self.target.compile(func, &mut self.cx) {
            Ok(code) => code.relocs.iter().all(|reloc| {
                let own = func.dfg.ext_funcs.values().any(|callee| callee.name == reloc.symbol);
                let data = func.global_values.values().any(
                    |value| matches!(value, GlobalValueData::Symbol { name, .. } if *name == reloc.symbol),
                );
                // The linker's own.
                let toc =
                    self.target.elf().functions.has_toc() && reloc.symbol == ExternalName::symbol(".TOC.");
                own || data || toc || self.support.contains(&reloc.symbol)
            }),
            Err(CompileError::Unsupported { .. } | CompileError::Verify(_)) => false,
            Err(_) => true,
        }
    }

    fn function(
        &mut self,
        params: &[Type],
        returns: &[Type],
        convention: CallConv,
        body: impl FnOnce(&mut FuncCursor<'_>, &[Value]) -> Option<Vec<Value>>,
    ) -> bool {
        let mut signature = Signature::new(convention);
        signature.params.extend(params.iter().map(|&ty| AbiParam::new(ty)));
        signature.returns.extend(returns.iter().map(|&ty| AbiParam::new(ty)));
        let mut func = Function::new(ExternalName::symbol("probe"), signature);
        let block = func.dfg.make_block();
        let args: Vec<_> = params.iter().map(|&ty| func.dfg.append_block_param(block, ty)).collect();
        let mut at = FuncCursor::new(&mut func);
        at.insert_block(block);
        let Some(results) = body(&mut at, &args) else { return false };
        at.ins().return_(&results);
        self.compiles(&func)
    }

    fn value_type(&mut self, ty: Type) -> bool {
        self.function(&[ty], &[ty], CallConv::SystemV, |_, args| Some(args.to_vec()))
    }

    fn constant(&mut self, ty: Type) -> bool {
        self.function(&[], &[ty], CallConv::SystemV, |at, _| {
            Some(vec![match ty {
                types::F32 => at.ins().f32const(Ieee32(0)),
                types::F64 => at.ins().f64const(Ieee64(0)),
                types::I128 => return None,
                _ => at.ins().iconst(ty, 5),
            }])
        })
    }

    /// Is there what the generator itself makes of a type: constants, the way to integers and back, the choice
    /// between a NaN and another?
    fn needed(&mut self, groups: &[Vec<Operation>], ty: Type) -> bool {
        let has = |opcode, ctrl, args: &[Type]| {
            groups.iter().flatten().any(|operation| {
                operation.opcode == opcode && operation.ctrl == ctrl && operation.args == args
            })
        };
        match ty {
            types::I128 => {
                has(Opcode::Iconcat, types::I64, &[types::I64; 2]) && has(Opcode::Isplit, ty, &[ty])
            }
            types::F32 | types::F64 => {
                let int = if ty == types::F32 { types::I32 } else { types::I64 };
                self.constant(ty)
                    && has(Opcode::Bitcast, ty, &[int])
                    && has(Opcode::Bitcast, int, &[ty])
                    && has(Opcode::Fcmp, ty, &[ty; 2])
                    && has(Opcode::Select, ty, &[types::I8, ty, ty])
            }
            _ => self.constant(ty),
        }
    }

    fn convention(&mut self, convention: CallConv) -> bool {
        self.function(&[types::I32], &[], convention, |at, args| {
            let mut signature = Signature::new(convention);
            signature.params.push(AbiParam::new(types::I32));
            let signature = at.func.dfg.signatures.push(signature);
            let name = ExternalName::symbol("other");
            let callee = at.func.dfg.ext_funcs.push(ExtFuncData { name, signature, colocated: true });
            at.ins().call(callee, args);
            Some(Vec::new())
        })
    }

    fn indirect_call(&mut self) -> bool {
        let address = self.target.address_type();
        self.function(&[], &[], CallConv::SystemV, |at, _| {
            let signature = at.func.dfg.signatures.push(Signature::new(CallConv::SystemV));
            let name = ExternalName::symbol("other");
            let callee = at.func.dfg.ext_funcs.push(ExtFuncData { name, signature, colocated: true });
            let callee = at.ins().func_addr(address, callee);
            at.ins().call_indirect(signature, callee, &[]);
            Some(Vec::new())
        })
    }

    fn tail_call(&mut self, by_address: bool) -> bool {
        let address = self.target.address_type();
        self.function(&[], &[], CallConv::Tail, |at, _| {
            let block = at.func.dfg.make_block();
            let sig = at.func.dfg.signatures.push(Signature::new(CallConv::Tail));
            let name = ExternalName::symbol("other");
            let callee = at.func.dfg.ext_funcs.push(ExtFuncData { name, signature: sig, colocated: true });
            if by_address {
                let callee = at.ins().func_addr(address, callee);
                at.ins().return_call_indirect(sig, callee, &[]);
            } else {
                at.ins().return_call(callee, &[]);
            }
            at.insert_block(block);
            Some(Vec::new())
        })
    }

    fn table(&mut self) -> bool {
        self.function(&[types::I32], &[], CallConv::SystemV, |at, args| {
            let block = at.func.dfg.make_block();
            let call = windlass_ir::BlockCall::new(block, [], &mut at.func.dfg.block_args);
            let table = windlass_ir::JumpTableData { default: call, table: vec![call] };
            let table = at.func.dfg.jump_tables.push(table);
            at.ins().br_table(args[0], table);
            at.insert_block(block);
            Some(Vec::new())
        })
    }

    fn try_call(&mut self) -> bool {
        self.function(&[], &[], CallConv::SystemV, |at, _| {
            let block = at.func.dfg.make_block();
            let sig = at.func.dfg.signatures.push(Signature::new(CallConv::SystemV));
            let name = ExternalName::symbol("other");
            let callee = at.func.dfg.ext_funcs.push(ExtFuncData { name, signature: sig, colocated: true });
            let normal = BlockCall::new(block, [], &mut at.func.dfg.block_args);
            let items = vec![ExceptionItem::Default(normal)];
            let table = at.func.dfg.exception_tables.push(ExceptionTableData { sig, normal, items });
            at.ins().try_call(callee, &[], table);
            at.insert_block(block);
            Some(Vec::new())
        })
    }

    fn structure(&mut self, convention: CallConv) -> bool {
        let purpose = ArgumentPurpose::StructArgument(StructArg::new(12));
        self.special(purpose, convention)
    }

    fn context(&mut self) -> bool {
        self.special(ArgumentPurpose::StructReturn, CallConv::SystemV)
            && self.special(ArgumentPurpose::VMContext, CallConv::SystemV)
    }

    /// Passes a stack slot's address as a parameter of this purpose, and gets one: if that is a context, it is
    /// the stack's limit.
    fn special(&mut self, purpose: ArgumentPurpose, convention: CallConv) -> bool {
        let address = self.target.address_type();
        let mut signature = Signature::new(convention);
        signature.params.push(AbiParam::special(address, purpose));
        let mut func = Function::new(ExternalName::symbol("probe"), signature.clone());
        if purpose == ArgumentPurpose::VMContext {
            func.stack_limit = Some(func.global_values.push(GlobalValueData::VMContext));
        }
        let block = func.dfg.make_block();
        func.dfg.append_block_param(block, address);
        let slot = func.stack_slots.push(StackSlotData { size: 64, align_shift: 4, key: None });
        let mut at = FuncCursor::new(&mut func);
        at.insert_block(block);
        let signature = at.func.dfg.signatures.push(signature);
        let name = ExternalName::symbol("other");
        let callee = at.func.dfg.ext_funcs.push(ExtFuncData { name, signature, colocated: true });
        let p = at.ins().stack_addr(address, slot, 0);
        at.ins().call(callee, &[p]);
        at.ins().return_(&[]);
        self.compiles(&func)
    }

    fn symbol(&mut self, tls: bool) -> bool {
        let address = self.target.address_type();
        self.function(&[], &[address], CallConv::SystemV, |at, _| {
            let name = ExternalName::symbol("data");
            let data = GlobalValueData::Symbol { name, offset: 0, colocated: true, tls };
            let value = at.func.global_values.push(data);
            let v =
                if tls { at.ins().tls_value(address, value) } else { at.ins().symbol_value(address, value) };
            Some(vec![v])
        })
    }

    fn pinned(&mut self) -> bool {
        let address = self.target.address_type();
        self.function(&[], &[address], CallConv::SystemV, |at, _| {
            let v = at.ins().get_pinned_reg(address);
            at.ins().set_pinned_reg(v);
            Some(vec![v])
        })
    }

    fn stack_pointer(&mut self) -> bool {
        let address = self.target.address_type();
        self.function(&[], &[address], CallConv::SystemV, |at, _| {
            Some(vec![at.ins().get_stack_pointer(address)])
        })
    }

    fn idle(&mut self, opcode: Opcode) -> bool {
        self.function(&[], &[], CallConv::SystemV, |at, _| {
            let _: windlass_ir::Inst = at.ins().make(InstData::Nullary { opcode }, Type::INVALID);
            Some(Vec::new())
        })
    }

    fn operation(&mut self, operation: &Operation) -> bool {
        self.function(&operation.args, &operation.results, CallConv::SystemV, |at, args| {
            let code = TrapCode::INTEGER_OVERFLOW;
            let data = data(operation, args, IntCC::Equal, FloatCC::Equal, code)?;
            let inst: windlass_ir::Inst = at.ins().make(data, operation.ctrl);
            Some(at.func.dfg.inst_results(inst).to_vec())
        })
    }

    fn access(&mut self, access: Access) -> Option<Access> {
        let native = self.target.endianness();
        let other = match native {
            Endianness::Little => Endianness::Big,
            Endianness::Big => Endianness::Little,
        };
        if !self.access_in(access, native) {
            return None;
        }
        Some(Access { any_order: self.access_in(access, other), ..access })
    }

    fn access_in(&mut self, access: Access, order: Endianness) -> bool {
        let address = self.target.address_type();
        let stores = access.opcode.can_store();
        let params = if stores { vec![access.ty; 2] } else { Vec::new() };
        let returns = if access.opcode.can_load() { vec![access.ty] } else { Vec::new() };
        self.function(&params, &returns, CallConv::SystemV, |at, args| {
            let slot = StackSlotData { size: 32, align_shift: 4, key: None };
            let slot = at.func.stack_slots.push(slot);
            let p = at.ins().stack_addr(address, slot, 0);
            let flags = MemFlags::trusted().with_endianness(order);
            let (x, y) = match *args {
                [x, y] => (x, y),
                _ => (p, p),
            };
            let data = access_data(&access, flags, p, 0, x, y);
            let inst: windlass_ir::Inst = at.ins().make(data, access.ty);
            Some(at.func.dfg.inst_results(inst).to_vec())
        })
    }
}
