use super::record::{CallResult, HEADER_BYTES, RecordReader, STARTED};
use super::*;
use windlass::target::{ElfInfo, Emulator, Startup, TargetInfo, VCodeStage};
use windlass::{CompiledCode, Settings};
use windlass_ir::text::{parse_function, parse_functions};
use windlass_ir::{AbiParam, CallConv, Endianness, Function, Type, types};

/// A target that compiles nothing, of either word size and byte order.
struct Shape {
    address_type: Type,
    endianness: Endianness,
    triple: windlass::Triple,
    settings: Settings,
}

const SHAPES: [(Type, Endianness); 4] = [
    (types::I32, Endianness::Little),
    (types::I32, Endianness::Big),
    (types::I64, Endianness::Little),
    (types::I64, Endianness::Big),
];

impl Shape {
    fn new((address_type, endianness): (Type, Endianness)) -> Shape {
        Shape { address_type, endianness, triple: windlass::Triple::unknown(), settings: Settings::default() }
    }
}

const NO_EMULATOR: Emulator =
    Emulator { program: "windlass-no-such-emulator", args: &[], package: "some-package" };

impl TargetInfo for Shape {
    fn name(&self) -> &'static str {
        "shape"
    }
    fn triple(&self) -> &windlass::Triple {
        &self.triple
    }
    fn settings(&self) -> &Settings {
        &self.settings
    }
    fn address_type(&self) -> Type {
        self.address_type
    }
    fn endianness(&self) -> Endianness {
        self.endianness
    }
    fn disassemble(&self, _: &[u8]) -> Option<(usize, String)> {
        None
    }
    fn elf(&self) -> &ElfInfo {
        &windlass::arm::elf::HARD_FLOAT
    }
    fn emulator(&self) -> &Emulator {
        &NO_EMULATOR
    }
    fn startup(&self) -> Startup {
        windlass::arm::startup::startup(true, true)
    }
}

impl Target for Shape {
    fn compile(&self, func: &Function, _cx: &mut Context) -> Result<CompiledCode, CompileError> {
        if func.signature.call_conv != CallConv::SystemV {
            let what = func.signature.call_conv.to_string();
            return Err(CompileError::Unsupported { target: "shape", inst: None, what });
        }
        Ok(CompiledCode { bytes: vec![0; 4], alignment: 4, ..CompiledCode::default() })
    }
    fn legalize(&self, _: &Function, _: &mut Context) -> Result<Option<Function>, CompileError> {
        Ok(None)
    }
    fn print_vcode(&self, _: &Function, _: VCodeStage, _: &mut Context) -> Result<String, CompileError> {
        Ok(String::new())
    }
}

fn check_text(text: &str) {
    let functions = parse_functions(text).unwrap_or_else(|error| panic!("{error}\n{text}"));
    assert!(!functions.is_empty());
    for function in functions {
        if let Err(errors) = windlass_ir::verifier::verify_function(&function) {
            panic!("{errors:?}\n{text}");
        }
    }
}

#[test]
fn the_driver_is_correct_for_every_word_size() {
    let signatures = [
        "function %f() system_v {\nblock0:\n return\n}",
        "function %f(i8, i16 sext, i32 uext, i64, f32, f64) -> i64, f32, i8 tail {\nblock0(v0: i8, v1: i16, v2: i32, v3: i64, v4: f32, v5: f64):\n return v3, v4, v0\n}",
        "function %f(i32 vmctx, i32 sret, i128) -> i128 fast {\nblock0(v0: i32, v1: i32, v2: i128):\n return v2\n}",
    ];
    for shape in SHAPES {
        let target = Shape::new(shape);
        check_text(&driver::main_text(&target));
        for text in signatures {
            let function = parse_function(text).unwrap();
            check_text(&driver::trampoline_text(&target, &ExternalName::symbol("t"), &function.signature));
        }
        let ptr = AbiParam::new(target.address_type);
        let params = [AbiParam::new(types::I32), ptr, ptr];
        for returns in [None, Some(types::I8), Some(types::I32), Some(types::I64)] {
            for n in 0..=3 {
                let returns = returns.map(AbiParam::new).into_iter().collect();
                let signature =
                    Signature { params: params[..n].to_vec(), returns, call_conv: CallConv::SystemV };
                let name = ExternalName::symbol("main");
                check_text(&program::main_text(&target, &name, &signature).unwrap());
            }
        }
    }
}

#[test]
fn a_main_with_other_arguments_is_refused() {
    let target = Shape::new(SHAPES[0]);
    let main = ExternalName::symbol("main");
    for (params, returns) in
        [(vec![types::F32], vec![]), (vec![], vec![types::F64]), (vec![types::I64], vec![])]
    {
        let list = |types: Vec<Type>| types.into_iter().map(AbiParam::new).collect();
        let signature =
            Signature { params: list(params), returns: list(returns), call_conv: CallConv::SystemV };
        assert_eq!(program::main_text(&target, &main, &signature), None, "{signature}");
    }
}

#[test]
fn records_are_read_in_pieces_of_any_size() {
    let signature = |returns: &[Type]| Signature {
        params: vec![],
        returns: returns.iter().copied().map(AbiParam::new).collect(),
        call_conv: CallConv::SystemV,
    };
    let signatures = [signature(&[types::I8, types::F64]), signature(&[types::I32]), signature(&[])];
    for shape in SHAPES {
        let target = Shape::new(shape);
        let size = target.address_type.bytes() as usize;
        let header = |words: [u64; 3]| {
            let mut bytes = [0; HEADER_BYTES];
            for (word, bytes) in words.into_iter().zip(bytes.chunks_mut(size)) {
                DataValue::int(word.into(), target.address_type).unwrap().write(bytes, target.endianness);
            }
            bytes.to_vec()
        };
        let slot = |value: DataValue| {
            let mut bytes = [0; 16];
            value.write(&mut bytes, target.endianness);
            bytes.to_vec()
        };
        let (a, b) = (DataValue::I8(-3), DataValue::from_bits(0x7ff0_0000_0000_0001, types::F64).unwrap());
        let pieces = [
            header([STARTED.into(), 0, 0]),
            header([1, 0, 0]),
            slot(a),
            slot(b),
            header([2, 11, 0x1_0040]),
            header([3, 0, 0]),
        ];
        let bytes = pieces.concat();
        for step in [1, 7, 32, 1000] {
            let mut reader = RecordReader::new(&target, 1);
            assert!(!reader.started());
            for piece in bytes.chunks(step) {
                assert!(reader.feed(piece, |n| signatures.get(n - 1)));
            }
            assert!(reader.started());
            let expected = [
                CallResult::Returned(vec![a, b]),
                CallResult::Signal { number: 11, address: 0x1_0040 },
                CallResult::Returned(vec![]),
            ];
            assert_eq!(reader.take(), expected);
        }
        let mut reader = RecordReader::new(&target, 0);
        assert!(!reader.feed(&bytes, |n| signatures.get(n)), "records start with call 0");
        let mut reader = RecordReader::new(&target, 0);
        assert!(!reader.feed(&[b'x'; 100], |n| signatures.get(n)), "no records at all");
    }
}

#[test]
fn calls_that_cannot_be_made_are_refused_by_name() {
    let target = Shape::new(SHAPES[0]);
    let mut cx = Context::new();
    let mut module = Module::new();
    let f = ExternalName::symbol("f");
    module.add_function(f.clone(), CompiledCode { bytes: vec![0; 4], ..CompiledCode::default() });
    let signature =
        Signature { params: vec![AbiParam::new(types::I32)], returns: vec![], call_conv: CallConv::SystemV };
    let mut error = |function: &ExternalName, args: &[DataValue]| {
        let calls = [GuestCall { function, signature: &signature, args }];
        run_calls(&target, &module, &calls, &GuestOptions::default(), &mut cx).unwrap_err().to_string()
    };
    assert_eq!(error(&ExternalName::symbol("g"), &[]), "there is no function %g");
    assert_eq!(error(&f, &[]), "%f takes 1 arguments, not 0");
    assert_eq!(error(&f, &[DataValue::I64(1)]), "argument 1 of %f is i32, not i64");
    assert_eq!(
        error(&f, &[DataValue::I32(1)]),
        "windlass-no-such-emulator not found: install it with `apt-get install some-package`"
    );
}
