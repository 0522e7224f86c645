//! What comes of a replay: nothing, damage, or the first difference.

use core::fmt;
use std::borrow::Cow;

/// How much of a line is told.
pub(super) const SHOWN: usize = 240;

/// What came of a whole replay.
///
/// ```
/// use etcd_core::trace::{self, Recorded, Recording};
/// use etcd_core::{Config, Instant};
///
/// let mut client = Recorded::new(Config::new(["a"])?, 7, Instant::ZERO);
/// client.record(Recording::new())?;
/// client.shutdown(Instant::ZERO);
/// let replayed = trace::replay(&client.take_log())?;
/// assert_eq!((replayed.inputs, replayed.outputs), (1, 0));
/// assert!(!replayed.is_complete, "it has no last line yet");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Replayed {
    /// Lines that told the client something.
    pub inputs: u64,
    /// Lines that came out of it, all of them the same.
    pub outputs: u64,
    /// Whether the recording has its last line. Without it there was more to record: it came to its
    /// bound, or its program was ended in the middle.
    pub is_complete: bool,
}

/// Why a recording cannot be replayed, or where it differs.
///
/// ```
/// use etcd_core::trace::{self, ReplayError};
///
/// let error = trace::replay(b"etcd-core recording 0\n").unwrap_err();
/// assert!(matches!(error, ReplayError::Damaged { line: 1, offset: 0, .. }));
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ReplayError {
    /// No recorder writes such a line. Take another copy of the recording; if it was edited, undo
    /// that.
    Damaged {
        /// The line, counted from 1.
        line: u64,
        /// Where it begins, in bytes.
        offset: usize,
        /// What is wrong with it.
        reason: String,
    },
    /// The client did something else than it did when it was recorded.
    Different(Box<Difference>),
}

/// The first difference between a recording and its replay.
///
/// ```
/// use etcd_core::trace::{self, Recorded, Recording, ReplayError};
/// use etcd_core::{Config, Instant, Put};
///
/// let mut client = Recorded::new(Config::new(["a", "b"])?, 7, Instant::ZERO);
/// client.record(Recording::new())?;
/// client.call(Instant::ZERO, Put::new("k", "v"));
/// client.poll_output();
/// let log = String::from_utf8(client.take_log())?;
/// let altered = log.replace("< connect 1 ", "< connect 2 ");
/// let Err(ReplayError::Different(difference)) = trace::replay(altered.as_bytes()) else {
///     panic!()
/// };
/// assert_eq!(difference.line, 5);
/// assert!(difference.got.starts_with("< connect 1"));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Difference {
    /// The line, counted from 1.
    pub line: u64,
    /// Where it begins, in bytes.
    pub offset: usize,
    /// What was recorded.
    pub expected: String,
    /// What came now; empty where nothing did.
    pub got: String,
    /// The lines before it, the last one last, long ones cut.
    pub before: Vec<String>,
}

impl fmt::Display for ReplayError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Damaged {
                line,
                offset,
                reason,
            } => write!(
                f,
                "line {line} at byte {offset} is no line of a recording: {reason}"
            ),
            Self::Different(difference) => fmt::Display::fmt(difference, f),
        }
    }
}

impl core::error::Error for ReplayError {}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let pairs = self.expected.bytes().zip(self.got.bytes());
        let same = pairs.take_while(|(a, b)| a == b).count();
        writeln!(
            f,
            "line {} at byte {} differs at its byte {same}",
            self.line, self.offset
        )?;
        for line in &self.before {
            writeln!(f, "          {line}")?;
        }
        // Where they differ, with what is before it.
        let from = same.saturating_sub(SHOWN / 2);
        writeln!(f, "recorded: {}", cut(&self.expected, from))?;
        write!(f, "replayed: {}", cut(&self.got, from))
    }
}

/// A part of a line, marked where something is left out. Lines are ASCII, but a damaged one may not be.
fn cut(line: &str, from: usize) -> Cow<'_, str> {
    if from == 0 && line.len() <= SHOWN {
        return Cow::Borrowed(line);
    }
    let bytes = line.as_bytes().get(from..).unwrap_or_default();
    let shown = String::from_utf8_lossy(&bytes[..bytes.len().min(SHOWN)]);
    let before = if from > 0 { "…" } else { "" };
    let after = if bytes.len() > SHOWN { "…" } else { "" };
    Cow::Owned(format!("{before}{shown}{after}"))
}
