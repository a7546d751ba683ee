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
fn every_text_has_the_functions_it_is_listed_with_and_they_verify() {
    for source in SOURCES {
        for address in ["i32", "i64"] {
            let functions = parse_functions(&source.text.replace("iaddr", address)).unwrap();
            let names: Vec<_> = functions.iter().map(|function| function.name.to_string()).collect();
            let listed: Vec<_> = source.functions.iter().map(|name| format!("%{name}")).collect();
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
        assert!(SOURCES.iter().any(|source| source.functions.contains(&own)), "{name} is {own}");
        assert!(seen.insert(name), "{name}");
    }
    let library = library(&*target).unwrap();
    let routines: usize = SOURCES.iter().map(|source| source.functions.len()).sum();
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
