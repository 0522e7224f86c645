//! What is wrong with a body that should be JSON.
//!
//! The texts of serde are taken apart here, so that none of them gets out with a value in it.

use core::fmt;

/// How a body broke JSON, or is not the message it should be.
///
/// ```
/// use etcd_core::JsonError;
///
/// assert_eq!(JsonError::TooDeep(32).to_string(), "nested deeper than 32");
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum JsonError {
    /// A byte that cannot stand where it stands.
    UnexpectedByte {
        /// How many bytes of the body came before it.
        offset: u64,
        /// The byte.
        byte: u8,
    },
    /// Nested deeper than this. Raise `Limits::json_depth`.
    TooDeep(usize),
    /// The body ended inside a value.
    Truncated,
    /// The elements of its lists would take more than this many bytes of memory: 64 KiB, and 8 for
    /// each byte of the text. No server of etcd answers so, empty elements make it: look for what else
    /// may answer at that address. A real answer fits when less is asked for at once.
    TooManyElements(usize),
    /// Not the message this call answers with.
    WrongShape {
        /// The field that is wrong, or the message that is, as far as that is known.
        field: Option<String>,
        /// Where in the body that was seen, in bytes from its start.
        offset: u64,
        /// What is wrong with it; never a value.
        what: String,
    },
}

impl fmt::Display for JsonError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::UnexpectedByte { offset, byte } => {
                write!(f, "unexpected byte 0x{byte:02x} at offset {offset}")
            }
            Self::TooDeep(limit) => write!(f, "nested deeper than {limit}"),
            Self::Truncated => f.write_str("body ends inside a value"),
            Self::TooManyElements(limit) => write!(
                f,
                "elements of its lists take more than {limit} bytes of memory, 8 for each of its \
                 text and 64 KiB; check that this is etcd, or ask for less at once"
            ),
            Self::WrongShape { offset, what, .. } => write!(f, "{what}, at offset {offset}"),
        }
    }
}

impl JsonError {
    /// What serde found wrong in `body`. The texts that this crate's own types give name their field
    /// in backticks and quote nothing; no other text is taken over.
    pub(crate) fn from_serde(body: &[u8], error: &serde_json::Error) -> Self {
        if error.is_eof() {
            return Self::Truncated;
        }
        // serde counts lines from 1, and columns by how many bytes of the line were read.
        let lines = body.split_inclusive(|byte| *byte == b'\n');
        let before: usize = lines
            .take(error.line().saturating_sub(1))
            .map(<[u8]>::len)
            .sum();
        let offset = before.saturating_add(error.column().saturating_sub(1));
        let offset = u64::try_from(offset.min(body.len())).unwrap_or(u64::MAX);
        let text = error.to_string();
        let what = match text.rsplit_once(" at line ") {
            Some((what, _)) => what,
            None => &text,
        };
        let mut ticks = what.rsplit('`').skip(1);
        let field = ticks.next().filter(|_| what.ends_with('`'));
        Self::WrongShape {
            field: field.map(str::to_owned),
            offset,
            what: what.to_owned(),
        }
    }

    /// A body that is wrong as a whole.
    pub(crate) fn wrong_shape(what: &str) -> Self {
        Self::WrongShape {
            field: None,
            offset: 0,
            what: what.to_owned(),
        }
    }
}

impl core::error::Error for JsonError {}
