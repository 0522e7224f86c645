//! `etcd-shim replay`: one line about a recording.

use etcd_core::trace;
use etcd_core::trace::ReplayError;
use serde_json::json;

/// What came of it.
#[derive(Debug)]
#[non_exhaustive]
pub struct Said {
    /// The line to print.
    pub line: String,
    /// Whether all of it was the same.
    pub is_same: bool,
}

/// Replays a recording.
#[must_use]
pub fn replay(recording: &[u8]) -> Said {
    let replayed = trace::replay(recording);
    let is_same = replayed.is_ok();
    let line = match replayed {
        // Its members in the order of the protocol.
        Ok(same) => {
            let (inputs, outputs) = (same.inputs, same.outputs);
            format!(r#"{{"replay":"same","inputs":{inputs},"outputs":{outputs}}}"#)
        }
        Err(ReplayError::Different(difference)) => json!({
            "replay": "different",
            "line": difference.line,
            "offset": difference.offset,
            "recorded": difference.expected,
            "replayed": difference.got,
            "before": difference.before,
        })
        .to_string(),
        Err(ReplayError::Damaged {
            line,
            offset,
            reason,
        }) => json!({
            "replay": "damaged",
            "line": line,
            "offset": offset,
            "reason": reason,
        })
        .to_string(),
        Err(other) => json!({"replay": "damaged", "reason": other.to_string()}).to_string(),
    };
    Said { line, is_same }
}
