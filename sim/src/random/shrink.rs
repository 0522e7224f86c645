//! Making a failing script short: lines are taken out for as long as it still breaks the same rule.

use super::play::{Played, play};
use super::script::Script;

/// A script made short.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Short {
    /// The places of the lines that were kept.
    pub kept: Vec<usize>,
    /// The script with them.
    pub script: Script,
    /// What comes of it.
    pub played: Played,
}

/// Takes lines out of a script for as long as it still breaks the rule it breaks, with so many runs
/// at the most; none where it breaks none.
#[must_use]
pub fn shrink(script: &Script, runs: usize) -> Option<Short> {
    let played = play(script);
    let rule = played.verdict.as_ref().err()?.rule;
    let mut short = Short {
        kept: (0..script.lines.len()).collect(),
        script: script.clone(),
        played,
    };
    let mut left = runs;
    let mut size = short.kept.len().div_ceil(2);
    while size > 0 && left > 0 {
        let mut from = 0;
        let mut has_shrunk = false;
        while from < short.kept.len() && left > 0 {
            let mut kept = short.kept.clone();
            kept.drain(from..kept.len().min(from + size));
            left -= 1;
            let shorter = script.clone().only(&kept);
            let played = play(&shorter);
            match &played.verdict {
                Err(violation) if violation.rule == rule => {
                    has_shrunk = true;
                    short = Short {
                        kept,
                        script: shorter,
                        played,
                    };
                }
                _ => from += size,
            }
        }
        if size == 1 && !has_shrunk {
            break;
        }
        size = if size == 1 { 1 } else { size / 2 };
    }
    Some(short)
}
