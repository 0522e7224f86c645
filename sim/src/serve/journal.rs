//! A file of everything that went into a host, so that another one can be made like it.
//!
//! It begins with a line that says what it is, the seed, and the time of the real clock that is the
//! host's zero. Then come records: the kind of input, when, of which connection, and its bytes. What
//! a killed process had not written whole is cut off.

use std::fs::{File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::Path;

use etcd_core::Instant;

use super::host::Input;

const MAGIC: &[u8] = b"etcd-sim journal 1\n";

/// Kind, time, connection and length.
const RECORD: usize = 1 + 8 + 8 + 8;

/// What a host begins with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Beginning {
    pub(super) seed: u64,
    /// The real clock at the host's zero, in nanoseconds since 1970.
    pub(super) epoch: u64,
}

/// A journal to write to.
#[derive(Debug)]
pub(super) struct Journal {
    file: File,
    /// What is not written yet.
    buffer: Vec<u8>,
}

/// What a journal held.
#[derive(Debug)]
pub(super) struct Held {
    pub(super) beginning: Beginning,
    bytes: Vec<u8>,
}

impl Journal {
    /// Opens the journal of a folder, which is made if need be. What it held comes with it, if it is
    /// not new; else it begins with what is given.
    pub(super) fn open(folder: &Path, new: Beginning) -> io::Result<(Self, Option<Held>)> {
        std::fs::create_dir_all(folder)?;
        let path = folder.join("journal");
        let mut file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .open(&path)?;
        let mut bytes = Vec::new();
        file.read_to_end(&mut bytes)?;
        let held = if bytes.is_empty() {
            None
        } else {
            let held = Held::read(bytes);
            Some(held.ok_or_else(|| {
                let what = format!("{} is no journal of etcd-sim", path.display());
                io::Error::new(io::ErrorKind::InvalidData, what)
            })?)
        };
        let mut journal = Self {
            file,
            buffer: Vec::new(),
        };
        match &held {
            None => {
                journal.buffer.extend_from_slice(MAGIC);
                for number in [new.seed, new.epoch] {
                    journal.buffer.extend_from_slice(&number.to_le_bytes());
                }
                journal.flush()?;
            }
            Some(held) => {
                let len = u64::try_from(held.bytes.len()).unwrap_or(u64::MAX);
                journal.file.set_len(len)?;
                journal.file.seek(SeekFrom::Start(len))?;
            }
        }
        Ok((journal, held))
    }

    /// Notes an input; it is in the file after [`flush`](Self::flush).
    pub(super) fn note(&mut self, now: Instant, input: Input<'_>) {
        let (kind, conn, more): (u8, u64, &[u8]) = match input {
            Input::Accepted { conn, member } => {
                let member = u64::try_from(member).unwrap_or(u64::MAX);
                self.record(1, now, conn, &member.to_le_bytes());
                return;
            }
            Input::Received { conn, bytes } => (2, conn, bytes),
            Input::Eof { conn } => (3, conn, &[]),
            Input::Closed { conn } => (4, conn, &[]),
            Input::Timeout => (5, 0, &[]),
            Input::Restarted => (6, 0, &[]),
        };
        self.record(kind, now, conn, more);
    }

    fn record(&mut self, kind: u8, now: Instant, conn: u64, bytes: &[u8]) {
        let len = u64::try_from(bytes.len()).unwrap_or(u64::MAX);
        self.buffer.push(kind);
        for number in [now.as_nanos(), conn, len] {
            self.buffer.extend_from_slice(&number.to_le_bytes());
        }
        self.buffer.extend_from_slice(bytes);
    }

    /// Writes what was noted. A process may be killed after that, a machine may not fail.
    pub(super) fn flush(&mut self) -> io::Result<()> {
        self.file.write_all(&self.buffer)?;
        self.buffer.clear();
        Ok(())
    }
}

impl Held {
    /// The whole records of a journal; None if it is none.
    fn read(mut bytes: Vec<u8>) -> Option<Self> {
        let rest = bytes.strip_prefix(MAGIC)?;
        let (seed, rest) = number(rest)?;
        let (epoch, rest) = number(rest)?;
        let mut whole = rest;
        while let Some((_, _, after)) = next(whole) {
            whole = after;
        }
        let torn = whole.len();
        bytes.truncate(bytes.len() - torn);
        let beginning = Beginning { seed, epoch };
        Some(Self { beginning, bytes })
    }

    /// All inputs, in their order.
    pub(super) fn inputs(&self) -> impl Iterator<Item = (Instant, Input<'_>)> {
        let mut rest = self.bytes.get(MAGIC.len() + 16..).unwrap_or_default();
        core::iter::from_fn(move || {
            let (now, input, after) = next(rest)?;
            rest = after;
            Some((now, input))
        })
    }
}

/// The first record, if it is whole, and what is behind it.
fn next(bytes: &[u8]) -> Option<(Instant, Input<'_>, &[u8])> {
    let kind = *bytes.get(..RECORD)?.first()?;
    let (now, rest) = number(bytes.get(1..)?)?;
    let (conn, rest) = number(rest)?;
    let (len, rest) = number(rest)?;
    let (more, rest) = rest.split_at_checked(usize::try_from(len).ok()?)?;
    let input = match kind {
        1 => {
            let member = usize::try_from(number(more)?.0).ok()?;
            Input::Accepted { conn, member }
        }
        2 => Input::Received { conn, bytes: more },
        3 => Input::Eof { conn },
        4 => Input::Closed { conn },
        5 => Input::Timeout,
        6 => Input::Restarted,
        _ => return None,
    };
    Some((Instant::from_nanos(now), input, rest))
}

fn number(bytes: &[u8]) -> Option<(u64, &[u8])> {
    let (number, rest) = bytes.split_first_chunk::<8>()?;
    Some((u64::from_le_bytes(*number), rest))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A folder of the test's own, removed in the end.
    struct Folder(std::path::PathBuf);

    impl Folder {
        fn new(name: &str) -> Self {
            let name = format!("etcd-sim-{name}-{}", std::process::id());
            Self(std::env::temp_dir().join(name))
        }
    }

    impl Drop for Folder {
        fn drop(&mut self) {
            let _ = std::fs::remove_dir_all(&self.0);
        }
    }

    const NEW: Beginning = Beginning { seed: 7, epoch: 9 };

    #[test]
    fn what_was_written_whole_is_held_and_no_more() {
        let folder = Folder::new("journal");
        let inputs = [
            Input::Accepted { conn: 1, member: 2 },
            Input::Received {
                conn: 1,
                bytes: b"abc",
            },
            Input::Timeout,
            Input::Eof { conn: 1 },
            Input::Closed { conn: 1 },
            Input::Restarted,
        ];
        let (mut journal, held) = Journal::open(&folder.0, NEW).unwrap();
        assert!(held.is_none());
        for (at, input) in (5..).zip(inputs) {
            journal.note(Instant::from_nanos(at), input);
        }
        journal.flush().unwrap();
        let whole = std::fs::read(folder.0.join("journal")).unwrap();
        let other = Beginning { seed: 1, epoch: 1 };
        for cut in MAGIC.len() + 16..=whole.len() {
            std::fs::write(folder.0.join("journal"), &whole[..cut]).unwrap();
            let (mut journal, held) = Journal::open(&folder.0, other).unwrap();
            let held = held.unwrap();
            assert_eq!(held.beginning, NEW);
            let kept: Vec<_> = held.inputs().collect();
            assert_eq!(kept.len() == inputs.len(), cut == whole.len());
            for ((at, input), (now, kept)) in (5..).zip(inputs).zip(&kept) {
                assert_eq!((Instant::from_nanos(at), input), (*now, *kept));
            }
            // What comes now stands behind the last whole one.
            journal.note(Instant::from_nanos(99), Input::Restarted);
            journal.flush().unwrap();
            let (_, held) = Journal::open(&folder.0, other).unwrap();
            assert_eq!(held.unwrap().inputs().count(), kept.len() + 1);
        }
    }

    #[test]
    fn another_file_is_left_alone() {
        let folder = Folder::new("other");
        std::fs::create_dir_all(&folder.0).unwrap();
        std::fs::write(folder.0.join("journal"), b"dear diary").unwrap();
        let error = Journal::open(&folder.0, NEW).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::InvalidData);
    }
}
