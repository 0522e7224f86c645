//! Every rule and guarantee this project holds itself to is named by a test: by its doc, by its name, or by
//! a checker of random worlds, which tests run. Of those that nothing here holds the table says why.
//!
//! What is read is text, so a name alone proves nothing; that each test fails without its rule is for
//! whoever writes it.

#![allow(
    clippy::unwrap_used,
    reason = "sources that cannot be read fail the test"
)]

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::path::PathBuf;

/// The rules of semantics.md and the guarantees of reliability.md, as ranges of their numbers.
const MEANT: &[(&str, u32, u32)] = &[
    ("R-", 1, 10),
    ("A-", 1, 12),
    ("B-", 1, 8),
    ("B-", 11, 11),
    ("T-", 1, 4),
    ("W-", 1, 28),
    ("L-", 1, 12),
    ("G", 1, 30),
    ("G", 38, 48),
    ("G", 57, 61),
];

/// Those without a test, and why.
const WITHOUT: &[(&str, &str)] = &[(
    "W-23",
    "no WebSocket: gateway.md 8 has the same over one POST",
)];

fn meant() -> impl Iterator<Item = String> {
    MEANT
        .iter()
        .flat_map(|(letter, from, to)| (*from..=*to).map(move |at| format!("{letter}{at}")))
}

/// All sources of the workspace, and of what lies beside it.
fn sources(folder: &Path, into: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        if path.is_dir() && name != "target" && !name.starts_with('.') {
            sources(&path, into);
        } else if name.ends_with(".rs") {
            into.push(path);
        }
    }
}

/// What the tests of a source say: docs and names, and the rules that a checker names as broken.
fn said(path: &Path, source: &str) -> String {
    let lines: Vec<_> = source.lines().map(str::trim).collect();
    let is_beside = |line: &str| line.starts_with("///") || line.starts_with("#[");
    let mut said = String::new();
    for (place, _) in lines
        .iter()
        .enumerate()
        .filter(|(_, line)| **line == "#[test]")
    {
        let before = lines[..place]
            .iter()
            .rev()
            .take_while(|line| is_beside(line));
        let first = place - before.count();
        for line in &lines[first..] {
            said.push_str(line);
            said.push('\n');
            if line.starts_with("fn ") {
                break;
            }
        }
    }
    let path = path.to_string_lossy().replace('\\', "/");
    if path.contains("/sim/src/check/") || path.contains("/sim/src/random/") {
        let quoted = source.split('"').skip(1).step_by(2);
        let short = quoted.filter(|text| text.len() < 6);
        said.extend(short.flat_map(|text| [text, "\n"]));
    }
    said
}

/// The rules that a text names: as `W-16` or, in the name of a test, as `w16_`.
fn named(text: &str) -> BTreeSet<String> {
    let words = text.split(|letter: char| !letter.is_ascii_alphanumeric() && letter != '-');
    let mut all: BTreeSet<String> = words.map(str::to_owned).collect();
    for line in text.lines().filter_map(|line| line.strip_prefix("fn ")) {
        for word in line.split(['_', '(']) {
            let Some((letter, number)) = word.split_at_checked(1) else {
                continue;
            };
            let letter = letter.to_ascii_uppercase();
            let dash = if letter == "G" { "" } else { "-" };
            all.insert(format!("{letter}{dash}{number}"));
        }
    }
    all
}

#[test]
fn every_rule_is_named_by_a_test_or_has_a_reason() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let mut paths = Vec::new();
    sources(&root, &mut paths);
    assert!(paths.len() > 300, "{} sources", paths.len());
    let mut found = BTreeSet::new();
    for path in paths {
        let source = fs::read_to_string(&path).unwrap();
        found.extend(named(&said(&path, &source)));
    }
    let excused = |rule: &String| WITHOUT.iter().any(|(its, _)| its == rule);
    let missing: Vec<_> = meant()
        .filter(|rule| !found.contains(rule) && !excused(rule))
        .collect();
    assert!(missing.is_empty(), "no test names {missing:?}");
    let idle: Vec<_> = WITHOUT
        .iter()
        .filter(|(rule, _)| found.contains(*rule) || meant().all(|meant| meant != *rule))
        .collect();
    assert!(
        idle.is_empty(),
        "tests name them, or nobody means them: {idle:?}"
    );
}

#[test]
fn a_rule_is_named_by_the_doc_or_the_name_of_a_test() {
    let source = r#"
//! Rule W-1 in the doc of a file says nothing of its tests.

/// Rule W-2 of what is no test.
fn help() {}

/// Rule W-16, and guarantee G5.
#[test]
#[ignore]
fn l3_g25_it_holds() {
    // Rule W-4.
}
"#;
    let found = named(&said(Path::new("core/tests/some.rs"), source));
    let all: Vec<_> = meant().filter(|rule| found.contains(rule)).collect();
    assert_eq!(all, ["W-16", "L-3", "G5", "G25"]);
    let checker = said(
        Path::new("/sim/src/check/some.rs"),
        r#"broken("T-4", "late")"#,
    );
    assert!(named(&checker).contains("T-4"));
}
