//! Registers that embedders keep: which settings go together, and what is said of those that do not.

use windlass::ir::text::parse_function;
use windlass::{Context, lookup};

/// Builds a target, given with its settings as words; the text of the error.
fn build(spec: &str) -> Result<Box<dyn windlass::Target>, String> {
    let mut words = spec.split(' ');
    let mut builder = lookup(words.next().expect("a name")).expect("a target");
    for word in words {
        let (name, value) = word.split_once('=').map_or((word, None), |(name, value)| (name, Some(value)));
        builder.set(name, value).map_err(|error| error.to_string())?;
    }
    builder.build().map_err(|error| error.to_string())
}

#[test]
fn what_cannot_be_kept_is_refused() {
    for (spec, error) in [
        ("armv7hf enable_pinned_reg pinned_reg=r3", "pinned_reg is one of r4 to r11, not 'r3'"),
        ("armv5 pinned_reg=d8", "pinned_reg is one of r4 to r11, not 'd8'"),
        ("ppc64 enable_pinned_reg pinned_reg=r13", "pinned_reg is one of r14 to r31, not 'r13'"),
        ("ppc64le pinned_reg=f14", "pinned_reg is one of r14 to r31, not 'f14'"),
        ("armv6 reserved_regs=r4,ip", "reserved_regs are among r4 to r11 and d8 to d15, not 'ip'"),
        ("ppc64v2 reserved_regs=r14,r2", "reserved_regs are among r14 to r31 and f14 to f31, not 'r2'"),
        ("ppc64 reserved_regs=cr2", "reserved_regs are among r14 to r31 and f14 to f31, not 'cr2'"),
        ("ppc64 reserved_regs=f13", "reserved_regs are among r14 to r31 and f14 to f31, not 'f13'"),
        ("armv7 reserved_regs=fp preserve_frame_pointers", "preserve_frame_pointers wants r11 for itself"),
        (
            "ppc64 enable_pinned_reg pinned_reg=r31 preserve_frame_pointers",
            "preserve_frame_pointers wants r31 for itself",
        ),
        (
            "armv7hf register_set.t=r4,r5,r3",
            "a register of register_set.t is of r4 to r11 and not reserved, not 'r3'",
        ),
        (
            "ppc64le register_set.t=r14,r15,r30 enable_pinned_reg",
            "a register of register_set.t is of r14 to r31 and not reserved, not 'r30'",
        ),
        ("ppc64le register_set.t=r14,r15", "register_set.t needs 3 registers"),
        (
            "armv7hf reserved_regs=r4,r5,r6 register_set.t=r7,r8,r9",
            "3 of r4 to r11 are needed; the settings leave 2",
        ),
        (
            "ppc64 reserved_regs=r14,r15,r16,r17,r18,r19,r20,r21,r22 register_set.t=r23,r24,r25,r26,r27,r28,r29",
            "3 of r14 to r31 are needed; the settings leave 2",
        ),
    ] {
        assert_eq!(build(spec).err().as_deref(), Some(error), "{spec}");
    }
}

#[test]
fn sets_that_are_not_there_and_values_that_do_not_fit_are_refused() {
    let refusal = |spec: &str, ty: &str, set: &str| {
        let text =
            format!("function %f({ty}) {{\n    registers {set} = v0\nblock0(v0: {ty}):\n    return\n}}\n");
        let function = parse_function(&text).expect("it parses");
        let target = build(spec).expect("a target");
        target.compile(&function, &mut Context::new()).err().map(|error| error.to_string())
    };
    for (name, regs) in [("armv7hf", "r4,r5,r6"), ("ppc64", "r14,r15,r16")] {
        let spec = format!("{name} register_set.tagged={regs}");
        assert_eq!(refusal(&spec, "i32", "tagged"), None);
        let other = format!("the register set 'other' is not supported on {name}");
        assert_eq!(refusal(&spec, "i32", "other"), Some(other));
    }
    assert_eq!(refusal("ppc64 register_set.tagged=r14,r15,r16", "i64", "tagged"), None);
    assert_eq!(
        refusal("armv7hf register_set.tagged=r4,r5,r6", "i64", "tagged").as_deref(),
        Some(
            "function: register set 'tagged' has v0, which has type i64; it must be an integer of up to 32 bits"
        )
    );
}
