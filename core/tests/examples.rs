//! Every public type and function of the core has an example, read from its sources. That the examples
//! run is for `cargo test --doc`. What macros name has its docs where they are used.

use std::fs;
use std::path::Path;

/// Public in name only: they cannot be reached from outside.
const HIDDEN: [&str; 2] = ["Scanned", "Budget"];

#[test]
fn every_public_item_has_an_example() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut items = 0;
    let mut missing = Vec::new();
    walk(&root, &mut |path, source| {
        let (mut docs, mut in_attribute) = (String::new(), false);
        for (at, line) in source.lines().enumerate() {
            let line = line.trim();
            if line == "#[cfg(test)]" {
                break;
            }
            let begins = line.starts_with("#[");
            if begins || in_attribute || line.starts_with("///") {
                docs.push_str(line);
                in_attribute = (begins || in_attribute) && !line.ends_with(']');
                continue;
            }
            if let Some(name) =
                item(line).filter(|name| !HIDDEN.contains(name) && !name.starts_with('$'))
            {
                items += 1;
                if !docs.contains("```") {
                    missing.push(format!("{}:{} {name}", path.display(), at + 1));
                }
            }
            docs.clear();
        }
    });
    assert!(items > 400, "{items} public items");
    assert!(
        missing.is_empty(),
        "without an example:\n{}",
        missing.join("\n")
    );
}

/// The name of a public item that begins on this line.
fn item(line: &str) -> Option<&str> {
    let rest = line.strip_prefix("pub ")?;
    let rest = rest.strip_prefix("const ").unwrap_or(rest);
    let kinds = ["fn ", "struct ", "enum ", "trait "];
    let name = kinds.iter().find_map(|kind| rest.strip_prefix(kind))?;
    let end = name.find(|c: char| !c.is_alphanumeric() && c != '_' && c != '$');
    Some(&name[..end.unwrap_or(name.len())])
}

fn walk(folder: &Path, look: &mut impl FnMut(&Path, &str)) {
    for entry in fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("an entry").path();
        let name = path.file_name().and_then(|name| name.to_str());
        if path.is_dir() {
            if name != Some("tests") {
                walk(&path, look);
            }
        } else if name.is_some_and(|name| name.ends_with(".rs") && name != "tests.rs") {
            look(&path, &fs::read_to_string(&path).expect("a source"));
        }
    }
}
