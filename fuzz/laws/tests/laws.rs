//! The laws on stable: over the seeds in the repository, over these changed, and over any bytes.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::path::PathBuf;

use etcd_laws::TARGETS;
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::Index;
use proptest::test_runner::Config;
use proptest::test_runner::TestRunner;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// The seeds of a target, as they lie in the repository.
fn committed(target: &str) -> BTreeMap<String, Vec<u8>> {
    files(&root().join("fuzz/seeds").join(target)).expect("a folder of seeds for each target")
}

fn files(folder: &Path) -> std::io::Result<BTreeMap<String, Vec<u8>>> {
    let files = fs::read_dir(folder)?;
    Ok(files
        .map(|file| {
            let file = file.expect("a file");
            let name = file.file_name().to_string_lossy().into_owned();
            (name, fs::read(file.path()).expect("a seed"))
        })
        .collect())
}

/// What once broke a law, in `fuzz/found`, breaks none any more.
#[test]
fn what_was_found_stays_mended() {
    let mut judged = 0;
    for target in TARGETS {
        let found = files(&root().join("fuzz/found").join(target.name)).unwrap_or_default();
        judged += found.len();
        for bytes in found.values() {
            (target.run)(bytes);
        }
    }
    assert!(judged >= 2, "{judged} findings");
}

#[test]
fn the_seeds_are_those_that_the_captures_give() {
    let made = etcd_laws::seeds(&root().join("core/testdata/captures")).expect("captures");
    let mut all = BTreeMap::new();
    for target in TARGETS {
        for (name, seed) in committed(target.name) {
            all.insert((target.name, name), seed);
        }
    }
    assert!(all == made, "make them again: cargo xtask fuzz seeds");
    let bytes: usize = made.values().map(Vec::len).sum();
    assert!(bytes <= 1 << 20, "{bytes} bytes");
}

#[test]
fn every_law_has_a_target_of_the_fuzzer() {
    for target in TARGETS {
        let file = root().join(format!("fuzz/fuzz_targets/{}.rs", target.name));
        let text = fs::read_to_string(&file).expect("a file for each target");
        assert!(text.contains(&format!("\"{}\"", target.name)), "{file:?}");
    }
}

/// A seed, changed in a few places.
fn changed(seeds: Vec<Vec<u8>>) -> impl Strategy<Value = Vec<u8>> {
    let change = (any::<Index>(), any::<u8>(), 0..5_u8);
    let seed = prop::sample::select(seeds);
    (seed, vec(change, 1..8), any::<Index>()).prop_map(|(mut bytes, changes, other)| {
        for (place, byte, kind) in changes {
            let at = place.index(bytes.len() + 1);
            match kind {
                0 => bytes.insert(at, byte),
                1 => bytes.truncate(at.max(3)),
                2 if at < bytes.len() => drop(bytes.remove(at)),
                3 if at < bytes.len() => {
                    let from = other.index(at + 1);
                    let again = bytes[from..at].to_vec();
                    bytes.splice(at..at, again);
                }
                _ if at < bytes.len() => bytes[at] ^= 1 << (byte % 8),
                _ => bytes.push(byte),
            }
        }
        bytes
    })
}

/// How many inputs each law gets: 256, or `PROPTEST_CASES`.
#[test]
fn laws_hold_for_seeds_for_changed_seeds_and_for_any_bytes() {
    let only = std::env::var("LAW").ok();
    for target in TARGETS {
        if only.as_deref().is_some_and(|only| only != target.name) {
            continue;
        }
        let seeds: Vec<Vec<u8>> = committed(target.name).into_values().collect();
        for seed in &seeds {
            (target.run)(seed);
        }
        let any_bytes = vec(any::<u8>(), 0..200);
        let input = prop_oneof![3 => changed(seeds), 1 => any_bytes];
        let config = Config {
            failure_persistence: None,
            ..Config::default()
        };
        let outcome = TestRunner::new(config).run(&input, |bytes| {
            (target.run)(&bytes);
            Ok(())
        });
        outcome.unwrap_or_else(|error| panic!("{}: {error}", target.name));
    }
}
