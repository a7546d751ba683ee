//! `docs/settings.md` lists the settings that there are, and no others.

use std::collections::BTreeSet;
use windlass::arm::minst::Features;
use windlass::settings::NEUTRAL;
use windlass::{Settings, lookup};

fn page() -> String {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/settings.md");
    std::fs::read_to_string(path).expect("the page")
}

/// The names in the first column of a section's tables and in its lists.
fn names<'a>(page: &'a str, section: &str) -> BTreeSet<&'a str> {
    let start = page.find(&format!("\n## {section}\n")).unwrap_or_else(|| panic!("no section {section}"));
    let body = &page[start + 4..];
    let body = &body[..body.find("\n## ").unwrap_or(body.len())];
    let entry = |line: &'a str| line.strip_prefix("| `").or(line.strip_prefix("- `"))?.split('`').next();
    body.lines().filter_map(entry).collect()
}

#[test]
fn every_setting_of_the_page_exists() {
    let page = page();
    for section in ["Of every target", "Stress"] {
        for name in names(&page, section) {
            let value = match name {
                "opt_level" | "tls_model" | "return_address_data" => "none",
                "probestack_size_log2" => "12",
                "probestack_strategy" => "inline",
                _ => "1",
            };
            assert_eq!(Settings::default().set(name, Some(value)), Ok(true), "{name}");
        }
    }
}

#[test]
fn every_setting_is_on_the_page() {
    // The code names its settings once, in the match that reads them.
    let source = include_str!("../src/settings.rs");
    let reader = source.split("pub fn set(").nth(1).expect("the reader of settings");
    let arms = reader.lines().filter_map(|line| {
        // Arms of the match itself, not of those in its arms.
        line.strip_prefix("            \"")?.split_once("\" => ")
    });
    let known: BTreeSet<&str> = arms.map(|(name, _)| name).collect();
    assert!(known.len() > 10);
    let page = page();
    let listed: BTreeSet<&str> =
        names(&page, "Of every target").union(&names(&page, "Stress")).copied().collect();
    assert_eq!(listed, known);
}

#[test]
fn neutral_settings_are_listed() {
    let listed: BTreeSet<String> =
        names(&page(), "Cranelift's settings that mean nothing here").into_iter().map(String::from).collect();
    assert_eq!(listed, NEUTRAL.iter().map(|name| name.to_string()).collect());
}

#[test]
fn settings_of_arm_exist() {
    let page = page();
    let listed = names(&page, "Of ARM targets");
    assert!(!listed.is_empty());
    for entry in ["armv7hf", "armv5"] {
        for name in &listed {
            assert_eq!(lookup(entry).expect("a target").set(name, Some("on")), Ok(()), "{name}");
        }
    }
}

#[test]
fn features_are_listed() {
    let page = page();
    let listed = names(&page, "Features of ARM targets");
    assert_eq!(listed, Features::NAMES.iter().map(|(name, _)| *name).collect());
    for name in listed {
        let mut builder = lookup("armv7hf").expect("a target");
        assert_eq!(builder.set(name, Some("on")), Ok(()), "{name}");
        let optional = builder.set(name, Some("off")).is_ok();
        assert_eq!(optional, ["idiv", "vfp4", "d32", "neon"].contains(&name), "{name}");
    }
}

#[test]
fn other_arm_settings_exist() {
    let page = page();
    let listed = names(&page, "Other settings of ARM targets");
    assert!(!listed.is_empty());
    for name in listed {
        let mut builder = lookup("armv7hf").expect("a target");
        assert_eq!(builder.set(name, Some("on")), Ok(()), "{name}");
        assert!(builder.set(name, Some("perhaps")).is_err(), "{name}");
    }
}

#[test]
fn features_of_power_are_listed() {
    use windlass::ppc64::minst::Features;
    let page = page();
    let listed = names(&page, "Features of POWER targets");
    assert_eq!(listed, Features::NAMES.iter().map(|(name, _)| *name).collect());
    for name in listed {
        for (target, own) in [("ppc64", &[][..]), ("ppc64le", &["power9", "power10"])] {
            let mut builder = lookup(target).expect("a target");
            assert_eq!(builder.set(name, Some("on")), Ok(()), "{name}");
            let optional = builder.set(name, Some("off")).is_ok();
            assert_eq!(optional, own.is_empty() || own.contains(&name), "{name}");
        }
    }
}

#[test]
fn other_power_settings_exist() {
    let page = page();
    let listed = names(&page, "Other settings of POWER targets");
    assert!(!listed.is_empty());
    for name in listed {
        let mut builder = lookup("ppc64le").expect("a target");
        assert_eq!(builder.set(name, Some("on")), Ok(()), "{name}");
        assert!(builder.set(name, Some("perhaps")).is_err(), "{name}");
    }
}
