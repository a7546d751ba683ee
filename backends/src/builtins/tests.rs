use super::*;
use crate::lookup;
use alloc::boxed::Box;
use alloc::format;
use windlass_ir::verifier::verify_function;

fn target() -> Box<dyn Target> {
    lookup("armv7hf").unwrap().build().unwrap()
}

fn compiled(target: &dyn Target, text: &str) -> Module {
    let mut module = Module::new();
    for function in parse_functions(text).unwrap() {
        let code = target.compile(&function, &mut Context::new()).unwrap();
        module.add_function(function.name.clone(), code);
    }
    module
}

fn names(module: &Module) -> Vec<String> {
    module.functions().iter().map(|function| function.name.to_string()).collect()
}

#[test]
fn every_text_has_the_functions_that_its_headers_name_and_they_verify() {
    for text in SOURCES {
        for address in [types::I32, types::I64] {
            let functions = parse_functions(&with_addresses(text, address)).unwrap();
            let names: Vec<_> = functions.iter().map(|function| function.name.to_string()).collect();
            let listed: Vec<_> = function_names(text).map(|name| format!("%{name}")).collect();
            assert_eq!(names, listed);
            for function in &functions {
                verify_function(function).unwrap_or_else(|faults| panic!("{}: {faults:?}", function.name));
            }
        }
    }
}

#[test]
fn every_name_of_an_abi_is_that_of_a_routine_and_stands_once() {
    let target = target();
    let mut seen = HashSet::new();
    for &(name, own) in target.runtime_names() {
        assert!(SOURCES.iter().any(|text| function_names(text).any(|n| n == own)), "{name} is {own}");
        assert!(seen.insert(name), "{name}");
    }
    let library = library(&*target).unwrap();
    let routines: usize = SOURCES.iter().map(|text| function_names(text).count()).sum();
    assert_eq!(library.len(), routines + seen.len());
}

#[test]
fn what_is_missing_is_added_once_in_the_order_of_use() {
    let target = target();
    let text = "
function %f(i64, i64, i32) -> i64, i32 system_v {
block0(v0: i64, v1: i64, v2: i32):
    v3 = sdiv v0, v1
    v4 = urem v2, v2
    v5 = srem v3, v0
    return v5, v4
}";
    let mut module = compiled(&*target, text);
    link_missing(&mut module, &*target, &mut Context::new()).unwrap();
    let expected = ["%f", "%__aeabi_ldivmod", "%__aeabi_uidivmod", "%__aeabi_uldivmod"];
    assert_eq!(names(&module), expected, "the last is called by the second");
    link_missing(&mut module, &*target, &mut Context::new()).unwrap();
    assert_eq!(names(&module), expected, "nothing is missing any more");
}

#[test]
fn what_is_defined_or_unknown_is_left_alone() {
    let target = target();
    let text = "
function %f(i32, i32) -> i32 system_v {
    fn0 = %elsewhere(i32) -> i32 system_v
block0(v0: i32, v1: i32):
    v2 = sdiv v0, v1
    v3 = call fn0(v2)
    return v3
}

function %__aeabi_idivmod(i32, i32) -> i32, i32 system_v {
block0(v0: i32, v1: i32):
    return v0, v1
}";
    let mut module = compiled(&*target, text);
    link_missing(&mut module, &*target, &mut Context::new()).unwrap();
    assert_eq!(names(&module), ["%f", "%__aeabi_idivmod"]);
}

#[test]
fn all_routines_together_call_nothing_that_the_library_lacks() {
    let target = target();
    let library = library(&*target).unwrap();
    let known: HashSet<_> = library.iter().map(|function| &function.name).collect();
    assert_eq!(known.len(), library.len(), "no name stands twice");
    for function in &library {
        for callee in function.dfg.ext_funcs.values() {
            assert!(known.contains(&callee.name), "{} calls {}", function.name, callee.name);
        }
    }
}

#[test]
fn library_routines_of_the_language_are_found_by_their_names_in_c() {
    let target = target();
    let text = "
function %f(i32, i32, i32) -> i32 system_v {
    fn0 = %Memmove(i32, i32, i32) -> i32 system_v
block0(v0: i32, v1: i32, v2: i32):
    v3 = call fn0(v0, v1, v2)
    return v3
}";
    let mut module = compiled(&*target, text);
    link_missing(&mut module, &*target, &mut Context::new()).unwrap();
    assert_eq!(names(&module), ["%f", "%memmove", "%memcpy"]);
}

#[test]
fn for_an_object_file_only_what_no_platform_has_is_added() {
    let target = target();
    let text = "
function %f(i32, i32) -> i32, i32 system_v {
    fn0 = %__windlass_f32_order(i32, i32) -> i32 system_v
    fn1 = %__aeabi_fadd(i32, i32) -> i32 system_v
    fn2 = %__windlass_f32_sqrt(i32) -> i32 system_v
block0(v0: i32, v1: i32):
    v2 = call fn0(v0, v1)
    v3 = call fn1(v2, v1)
    v4 = call fn2(v3)
    return v3, v4
}";
    let mut module = compiled(&*target, text);
    link_own(&mut module, &*target, &mut Context::new()).unwrap();
    let expected = ["%f", "%__windlass_f32_order", "%__windlass_f32_sqrt", "%__windlass_f32_unpack"];
    assert_eq!(names(&module), expected);
}
