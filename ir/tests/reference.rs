//! `docs/ir.md` is what the opcode table says.

use std::path::Path;

#[test]
fn the_reference_page_is_up_to_date() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/ir.md");
    let page = windlass_ir::reference::page();
    if std::env::var_os("WINDLASS_BLESS").is_some_and(|value| value == "1") {
        std::fs::write(&path, page).expect("docs/ir.md can be written");
        return;
    }
    let there = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(
        there == page,
        "docs/ir.md is not what the opcode table says: \
         WINDLASS_BLESS=1 cargo test -p windlass-ir --test reference"
    );
}
