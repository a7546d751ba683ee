//! What ARM targets cannot do they refuse, and say what it is.

use windlass::ir::text::parse_function;
use windlass::{CompileError, Context, lookup};

/// Compiles for a target, given with its settings as words, and returns the text of the error.
fn refusal(target: &str, text: &str) -> Option<String> {
    let mut words = target.split(' ');
    let mut builder = lookup(words.next().expect("a name")).expect("a target");
    for word in words {
        let (name, value) = word.split_once('=').map_or((word, None), |(name, value)| (name, Some(value)));
        builder.set(name, value).expect("a setting");
    }
    let target = builder.build().expect("settings that go together");
    let func = parse_function(text).expect("it parses");
    match target.compile(&func, &mut Context::new()) {
        Ok(_) => None,
        Err(error @ CompileError::Unsupported { .. }) => Some(error.to_string()),
        Err(error) => panic!("{error}"),
    }
}

fn atomic(line: &str, ty: &str) -> String {
    format!("function %f(i32, {ty}) {{\nblock0(v0: i32, v1: {ty}):\n    {line}\n    return\n}}\n")
}

#[test]
fn atomics_beyond_the_processor_without_the_kernel() {
    let add = |ty| atomic(&format!("v2 = atomic_rmw.{ty} add v0, v1"), ty);
    for (spec, ty, refused) in [
        ("armv5 kernel_helpers=off", "i8", true),
        ("armv5 kernel_helpers=off", "i32", true),
        ("armv5 kernel_helpers=off", "i64", true),
        ("armv6 kernel_helpers=off", "i8", false),
        ("armv6 kernel_helpers=off", "i32", false),
        ("armv6 kernel_helpers=off", "i64", true),
        ("armv6 kernel_helpers=off v6k", "i64", false),
        ("armv7", "i64", false),
    ] {
        let target = spec.split(' ').next().unwrap_or(spec);
        let expected = refused.then(|| format!("atomic_rmw.{ty} is not supported on {target}"));
        assert_eq!(refusal(spec, &add(ty)), expected, "{spec}");
    }
    for (line, what) in [
        ("fence", "fence"),
        ("atomic_store v1, v0", "atomic_store.i32"),
        ("v2 = atomic_load.i32 v0", "atomic_load.i32"),
        ("v2 = atomic_cas v0, v1, v1", "atomic_cas.i32"),
    ] {
        let expected = Some(format!("{what} is not supported on armv5"));
        assert_eq!(refusal("armv5 kernel_helpers=off", &atomic(line, "i32")), expected);
    }
}

#[test]
fn atomics_of_i128() {
    for target in ["armv7hf", "armv7", "armv6", "armv5"] {
        for (line, what) in [
            ("v2 = atomic_rmw.i128 xchg v0, v1", "atomic_rmw"),
            ("v2 = atomic_cas v0, v1, v1", "atomic_cas"),
            ("v2 = atomic_load.i128 v0", "atomic_load"),
            ("atomic_store v1, v0", "atomic_store"),
        ] {
            let expected = Some(format!("{what}.i128 is not supported on {target}"));
            assert_eq!(refusal(target, &atomic(line, "i128")), expected);
        }
    }
}

#[test]
fn thread_local_data_without_a_model() {
    let text = "function %f() -> i32 {\n    gv0 = symbol tls %x\nblock0:\n    v0 = tls_value.i32 gv0\n    return v0\n}\n";
    for target in ["armv7hf", "armv7", "armv6", "armv5"] {
        let expected = Some(format!("tls_value without the setting tls_model is not supported on {target}"));
        assert_eq!(refusal(target, text), expected);
        assert_eq!(refusal(&format!("{target} tls_model=elf_le"), text), None);
        assert_eq!(refusal(&format!("{target} tls_model=elf_gd"), text), None);
    }
}
