//! A snapshot as a program uses it: chunks, a reader, or a file.

use std::ffi::OsString;
use std::fmt;
use std::fs;
use std::fs::File;
use std::io;
use std::io::Read;
use std::io::Write;
use std::iter::FusedIterator;
use std::path::Path;
use std::path::PathBuf;
use std::time::Duration;

use etcd_core::CallOptions;
use etcd_core::Endpoint;
use etcd_core::Error;
use etcd_core::Instant;
use etcd_core::SnapshotChunk;
use etcd_core::SnapshotSummary;
use etcd_core::StreamEvent;
use etcd_core::bytes::Bytes;

use crate::client::Client;
use crate::stream_handle::StreamHandle;
use crate::streams::Source;
use crate::streams::io_error;
use crate::watcher::Elapsed;

/// Snapshots.
impl Client {
    /// Takes a snapshot of the whole store, of whatever member answers.
    ///
    /// Returns at once: what goes wrong is told by the [`Snapshot`].
    ///
    /// ```no_run
    /// let client = etcd_std::Client::connect(["http://127.0.0.1:2379"])?;
    /// let summary = client.snapshot().save_to("etcd.db")?;
    /// println!("{} bytes", summary.bytes);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use = "dropping a snapshot cancels it"]
    pub fn snapshot(&self) -> Snapshot {
        self.snapshot_with(CallOptions::default())
    }

    /// Takes a snapshot of one member.
    ///
    /// ```no_run
    /// let client = etcd_std::Client::connect(["http://etcd-1:2379", "http://etcd-2:2379"])?;
    /// client.snapshot_of("http://etcd-2:2379".parse()?).save_to("etcd-2.db")?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use = "dropping a snapshot cancels it"]
    pub fn snapshot_of(&self, endpoint: Endpoint) -> Snapshot {
        self.snapshot_with(CallOptions::default().with_endpoint(endpoint))
    }

    /// Takes a snapshot with a deadline for all of it, or of one member.
    ///
    /// ```no_run
    /// use std::time::Duration;
    /// use etcd_std::{CallOptions, Client};
    ///
    /// let client = Client::connect(["http://127.0.0.1:2379"])?;
    /// let options = CallOptions::default().with_timeout(Duration::from_secs(60));
    /// client.snapshot_with(options).save_to("etcd.db")?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use = "dropping a snapshot cancels it"]
    pub fn snapshot_with(&self, options: CallOptions) -> Snapshot {
        Snapshot {
            source: Source::begin(&self.handle, |core, now| core.snapshot(now, options)),
            received_bytes: 0,
            remaining_bytes: None,
            summary: None,
            unread: Bytes::new(),
        }
    }
}

/// One snapshot of a member's store. Dropping it cancels it.
///
/// As an iterator it gives the store in chunks. It is over once all of it came and its checksum was
/// right; whatever else ends it, a cancel included, is one last `Err`, and what came before is of no
/// use then. A snapshot cannot go on over another connection: it is taken again from the beginning.
///
/// As a reader ([`Read`]) it gives the store and behind it the 32 bytes of the checksum, which is the
/// file that etcd's tools write and restore from. [`Snapshot::save_to`] writes such a file.
///
/// ```no_run
/// let client = etcd_std::Client::connect(["http://127.0.0.1:2379"])?;
/// let mut snapshot = client.snapshot();
/// while let Some(chunk) = snapshot.next() {
///     println!("{} bytes, {} to come", chunk?.blob.len(), snapshot.remaining_bytes().unwrap_or(0));
/// }
/// assert!(snapshot.summary().is_some());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct Snapshot {
    source: Source,
    received_bytes: u64,
    remaining_bytes: Option<u64>,
    summary: Option<SnapshotSummary>,
    /// What a reader has not taken of the last chunk, or of the checksum.
    unread: Bytes,
}

impl Snapshot {
    /// Like [`Iterator::next`], but blocks no longer than `timeout`. What comes later is not lost:
    /// the next call has it.
    ///
    /// ```no_run
    /// use std::time::Duration;
    ///
    /// let client = etcd_std::Client::connect(["http://127.0.0.1:2379"])?;
    /// let mut snapshot = client.snapshot();
    /// if let Ok(Some(chunk)) = snapshot.next_timeout(Duration::from_secs(1)) {
    ///     println!("{} bytes", chunk?.blob.len());
    /// }
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    ///
    /// [`Elapsed`], if nothing came.
    pub fn next_timeout(
        &mut self,
        timeout: Duration,
    ) -> Result<Option<Result<SnapshotChunk, Error>>, Elapsed> {
        let until = self.source.handle.after(timeout);
        match self.next_chunk(Some(until)) {
            None if !self.source.ended => Err(Elapsed),
            chunk => Ok(chunk),
        }
    }

    /// How many bytes of the store were taken.
    ///
    /// ```no_run
    /// let client = etcd_std::Client::connect(["http://127.0.0.1:2379"])?;
    /// assert_eq!(client.snapshot().received_bytes(), 0);
    /// # Ok::<(), etcd_std::ConfigError>(())
    /// ```
    #[must_use]
    pub const fn received_bytes(&self) -> u64 {
        self.received_bytes
    }

    /// How many bytes of the store come after those that were taken, as the server has it; nothing
    /// before the first of them.
    ///
    /// ```no_run
    /// let client = etcd_std::Client::connect(["http://127.0.0.1:2379"])?;
    /// assert_eq!(client.snapshot().remaining_bytes(), None);
    /// # Ok::<(), etcd_std::ConfigError>(())
    /// ```
    #[must_use]
    pub const fn remaining_bytes(&self) -> Option<u64> {
        self.remaining_bytes
    }

    /// Length, checksum and version of the store, once it was taken whole and found right.
    ///
    /// ```no_run
    /// let client = etcd_std::Client::connect(["http://127.0.0.1:2379"])?;
    /// let mut snapshot = client.snapshot();
    /// assert!(snapshot.all(|chunk| chunk.is_ok()));
    /// println!("{} bytes", snapshot.summary().map_or(0, |summary| summary.bytes));
    /// # Ok::<(), etcd_std::ConfigError>(())
    /// ```
    #[must_use]
    pub const fn summary(&self) -> Option<&SnapshotSummary> {
        self.summary.as_ref()
    }

    /// Breaks it off: it ends with [`Error::Canceled`].
    ///
    /// ```no_run
    /// let client = etcd_std::Client::connect(["http://127.0.0.1:2379"])?;
    /// let mut snapshot = client.snapshot();
    /// snapshot.cancel();
    /// assert!(snapshot.next().is_some_and(|chunk| chunk.is_err()));
    /// # Ok::<(), etcd_std::ConfigError>(())
    /// ```
    pub fn cancel(&self) {
        self.source.cancel();
    }

    /// A grip on this snapshot for another thread, to break it off while it is read here, or saved:
    /// [`Snapshot::save_to`] ends with an error then, and takes `<path>.part` away.
    ///
    /// ```no_run
    /// let client = etcd_std::Client::connect(["http://127.0.0.1:2379"])?;
    /// let snapshot = client.snapshot();
    /// let handle = snapshot.handle();
    /// std::thread::spawn(move || handle.cancel());
    /// snapshot.save_to("etcd.db")?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn handle(&self) -> StreamHandle {
        self.source.grip()
    }

    /// Writes it to a file that `etcdutl snapshot restore` takes.
    ///
    /// It is written to `<path>.part`, which on unix only its owner may read, synced, and named
    /// `path` once it is whole and right; a file that was there before is replaced then, and stays
    /// as it is if anything fails. To be called before any chunk was taken.
    ///
    /// ```no_run
    /// let client = etcd_std::Client::connect(["http://127.0.0.1:2379"])?;
    /// client.snapshot().save_to("etcd.db")?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    ///
    /// What the system said of the file, or an error with the client's own [`Error`] inside.
    pub fn save_to(self, path: impl AsRef<Path>) -> io::Result<SnapshotSummary> {
        self.save_to_with(path, |_, _| {})
    }

    /// As [`Snapshot::save_to`], and tells how many bytes were written and how many are to come.
    ///
    /// ```no_run
    /// let client = etcd_std::Client::connect(["http://127.0.0.1:2379"])?;
    /// let snapshot = client.snapshot();
    /// snapshot.save_to_with("etcd.db", |done, rest| println!("{done} of {}", done + rest))?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    ///
    /// As [`Snapshot::save_to`].
    pub fn save_to_with(
        mut self,
        path: impl AsRef<Path>,
        mut progress: impl FnMut(u64, u64),
    ) -> io::Result<SnapshotSummary> {
        if self.received_bytes > 0 {
            let text = "chunks of the snapshot were taken before it was to be saved";
            return Err(io::Error::new(io::ErrorKind::InvalidInput, text));
        }
        let path = path.as_ref();
        let part = part_of(path);
        let mut file = create(&part)?;
        let saved = self.write_to(&mut file, &mut progress);
        drop(file);
        let saved = saved.and_then(|summary| {
            fs::rename(&part, path)?;
            sync_folder(path)?;
            Ok(summary)
        });
        if saved.is_err() {
            let _ = fs::remove_file(&part);
        }
        saved
    }

    fn write_to(
        &mut self,
        file: &mut File,
        progress: &mut impl FnMut(u64, u64),
    ) -> io::Result<SnapshotSummary> {
        while let Some(chunk) = self.next_chunk(None) {
            let chunk = chunk.map_err(io_error)?;
            file.write_all(&chunk.blob)?;
            progress(self.received_bytes, chunk.remaining_bytes);
        }
        let summary = self.summary.clone().ok_or_else(over)?;
        file.write_all(&summary.sha256)?;
        file.sync_all()?;
        Ok(summary)
    }

    /// The next chunk, or `None` if there is none by `until` or none will ever be.
    fn next_chunk(&mut self, until: Option<Instant>) -> Option<Result<SnapshotChunk, Error>> {
        loop {
            match self.source.take(until)? {
                StreamEvent::Chunk(chunk) => {
                    self.received_bytes += chunk.blob.len() as u64;
                    self.remaining_bytes = Some(chunk.remaining_bytes);
                    return Some(Ok(chunk));
                }
                StreamEvent::End(etcd_core::StreamEnd::Done(summary)) => {
                    self.unread = Bytes::copy_from_slice(&summary.sha256);
                    self.summary = Some(summary);
                    return None;
                }
                StreamEvent::End(end) => return end.into_error().map(Err),
                // A snapshot has no other events.
                _ => {}
            }
        }
    }
}

impl Iterator for Snapshot {
    type Item = Result<SnapshotChunk, Error>;

    fn next(&mut self) -> Option<Self::Item> {
        self.next_chunk(None)
    }
}

impl FusedIterator for Snapshot {}

impl Read for Snapshot {
    /// The next bytes of the store, and at its end of the checksum. An error has the client's own
    /// [`Error`] inside; what was read before is of no use then.
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        if buf.is_empty() {
            return Ok(0);
        }
        if self.unread.is_empty() {
            match self.next_chunk(None) {
                Some(chunk) => self.unread = chunk.map_err(io_error)?.blob,
                // An end that is not a good one must not look like the end of the file.
                None if self.summary.is_none() => return Err(over()),
                None => {}
            }
        }
        let len = buf.len().min(self.unread.len());
        buf[..len].copy_from_slice(&self.unread.split_to(len));
        Ok(len)
    }
}

impl fmt::Debug for Snapshot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Snapshot")
            .field("id", &self.source.id)
            .field("received_bytes", &self.received_bytes)
            .field("remaining_bytes", &self.remaining_bytes)
            .field("ended", &self.source.ended)
            .finish_non_exhaustive()
    }
}

fn over() -> io::Error {
    let text = "the snapshot had failed before";
    io::Error::new(io::ErrorKind::UnexpectedEof, text)
}

fn part_of(path: &Path) -> PathBuf {
    let mut part = OsString::from(path);
    part.push(".part");
    part.into()
}

/// A new file that nobody else may read. One that an earlier attempt left behind is taken away.
fn create(part: &Path) -> io::Result<File> {
    match fs::remove_file(part) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let mut options = fs::OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(part)
}

/// Makes the new name last, where folders can be synced.
fn sync_folder(path: &Path) -> io::Result<()> {
    if !cfg!(unix) {
        return Ok(());
    }
    let folder = path.parent().filter(|folder| *folder != Path::new(""));
    File::open(folder.unwrap_or_else(|| Path::new(".")))?.sync_all()
}
