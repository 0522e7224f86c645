//! JSON and TOML as trees, and their errors without the text around them.
//!
//! Both crates' errors are taken apart: of TOML's only the message and the place, as its own text has the
//! line in it.

#[cfg(feature = "toml")]
use serde::Deserialize;

use crate::error::SettingsError;
use crate::tree::Tree;

pub(crate) fn parse_json(json: &str) -> Result<Tree, SettingsError> {
    serde_json::from_str(json).map_err(|error| {
        let (line, column) = (error.line(), error.column());
        let text = error.to_string();
        let place = format!(" at line {line} column {column}");
        let reason = text.strip_suffix(&place).unwrap_or(&text);
        SettingsError::Syntax {
            format: "JSON",
            line,
            column,
            reason: reason.to_owned(),
        }
    })
}

#[cfg(feature = "toml")]
pub(crate) fn parse_toml(toml: &str) -> Result<Tree, SettingsError> {
    let parsed = toml::Deserializer::parse(toml).and_then(Tree::deserialize);
    parsed.map_err(|error| {
        let (line, column) = match error.span() {
            Some(span) => place(toml, span.start),
            None => (0, 0),
        };
        SettingsError::Syntax {
            format: "TOML",
            line,
            column,
            reason: error.message().to_owned(),
        }
    })
}

/// The line and the byte in it, from 1 on.
#[cfg(feature = "toml")]
fn place(text: &str, at: usize) -> (usize, usize) {
    let before = &text.as_bytes()[..at.min(text.len())];
    let begin = before.iter().rposition(|byte| *byte == b'\n');
    let line = before.iter().filter(|byte| **byte == b'\n').count() + 1;
    (line, before.len() - begin.map_or(0, |begin| begin + 1) + 1)
}
