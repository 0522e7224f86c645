//! One snapshot, as a stream or a file.

use std::ffi::OsString;
use std::fmt;
use std::fs;
use std::fs::File;
use std::future::poll_fn;
use std::io;
use std::io::Write;
use std::path::Path;
use std::path::PathBuf;
use std::pin::Pin;
use std::task::Context;
use std::task::Poll;

use blocking::unblock;
use etcd_core::CallOptions;
use etcd_core::Endpoint;
use etcd_core::Error;
use etcd_core::SnapshotChunk;
use etcd_core::SnapshotSummary;
use etcd_core::StreamEnd;
use etcd_core::StreamEvent;
use futures_core::FusedStream;
use futures_core::Stream;

use crate::client::Client;
use crate::stream_handle::StreamHandle;
use crate::streams::Source;
use crate::streams::io_error;

/// Snapshots.
impl Client {
    /// Takes a snapshot of the whole store, of whatever member answers.
    ///
    /// Waits for nothing: what goes wrong is told by the [`Snapshot`].
    ///
    /// ```no_run
    /// # smol::block_on(async {
    /// let client = etcd_smol::Client::connect(["http://127.0.0.1:2379"]).await?;
    /// let summary = client.snapshot().await.save_to("etcd.db").await?;
    /// println!("{} bytes", summary.bytes);
    /// # Ok::<(), Box<dyn std::error::Error>>(()) });
    /// ```
    pub async fn snapshot(&self) -> Snapshot {
        self.snapshot_with(CallOptions::default()).await
    }

    /// Takes a snapshot of one member.
    ///
    /// ```no_run
    /// # smol::block_on(async {
    /// let client = etcd_smol::Client::connect(["http://etcd-1:2379", "http://etcd-2:2379"]).await?;
    /// let snapshot = client.snapshot_of("http://etcd-2:2379".parse()?).await;
    /// snapshot.save_to("etcd-2.db").await?;
    /// # Ok::<(), Box<dyn std::error::Error>>(()) });
    /// ```
    pub async fn snapshot_of(&self, endpoint: Endpoint) -> Snapshot {
        self.snapshot_with(CallOptions::default().with_endpoint(endpoint))
            .await
    }

    /// Takes a snapshot with a deadline for all of it, or of one member.
    ///
    /// ```no_run
    /// use std::time::Duration;
    /// use etcd_smol::{CallOptions, Client};
    ///
    /// # smol::block_on(async {
    /// let client = Client::connect(["http://127.0.0.1:2379"]).await?;
    /// let options = CallOptions::default().with_timeout(Duration::from_secs(60));
    /// client.snapshot_with(options).await.save_to("etcd.db").await?;
    /// # Ok::<(), Box<dyn std::error::Error>>(()) });
    /// ```
    pub async fn snapshot_with(&self, options: CallOptions) -> Snapshot {
        Snapshot {
            source: Source::begin(&self.handle, |core, now| core.snapshot(now, options)),
            received_bytes: 0,
            remaining_bytes: None,
            summary: None,
        }
    }
}

/// One snapshot of a member's store. Dropping it cancels it.
///
/// As a [`Stream`] it gives the store in chunks. It is over once all of it came and its checksum was
/// right; whatever else ends it, a cancel included, is one last `Err`, and what came before is of no
/// use then. A snapshot cannot go on over another connection: it is taken again from the beginning.
///
/// It is `Unpin`, so `next()` of any `StreamExt` works on it as it is.
///
/// ```no_run
/// # smol::block_on(async {
/// let client = etcd_smol::Client::connect(["http://127.0.0.1:2379"]).await?;
/// let mut snapshot = client.snapshot().await;
/// while let Some(chunk) = snapshot.next().await {
///     println!("{} bytes, {} to come", chunk?.blob.len(), snapshot.remaining_bytes().unwrap_or(0));
/// }
/// assert!(snapshot.summary().is_some());
/// # Ok::<(), Box<dyn std::error::Error>>(()) });
/// ```
#[must_use = "dropping a snapshot cancels it"]
pub struct Snapshot {
    source: Source,
    received_bytes: u64,
    remaining_bytes: Option<u64>,
    summary: Option<SnapshotSummary>,
}

impl Snapshot {
    /// The next chunk; the same as the [`Stream`] gives, without its traits.
    ///
    /// Dropping the future loses nothing.
    ///
    /// ```no_run
    /// # smol::block_on(async {
    /// let client = etcd_smol::Client::connect(["http://127.0.0.1:2379"]).await?;
    /// if let Some(chunk) = client.snapshot().await.next().await {
    ///     println!("{} bytes", chunk?.blob.len());
    /// }
    /// # Ok::<(), Box<dyn std::error::Error>>(()) });
    /// ```
    pub async fn next(&mut self) -> Option<Result<SnapshotChunk, Error>> {
        poll_fn(|cx| Pin::new(&mut *self).poll_next(cx)).await
    }

    /// How many bytes of the store were taken.
    #[must_use]
    pub const fn received_bytes(&self) -> u64 {
        self.received_bytes
    }

    /// How many bytes of the store come after those that were taken, as the server has it; nothing
    /// before the first of them.
    #[must_use]
    pub const fn remaining_bytes(&self) -> Option<u64> {
        self.remaining_bytes
    }

    /// Length, checksum and version of the store, once it was taken whole and found right.
    #[must_use]
    pub const fn summary(&self) -> Option<&SnapshotSummary> {
        self.summary.as_ref()
    }

    /// Breaks it off: it ends with [`Error::Canceled`].
    pub fn cancel(&self) {
        self.source.cancel();
    }

    /// A grip on this snapshot for another task, to break it off while it is read here, or saved:
    /// [`Snapshot::save_to`] ends with an error then, and takes `<path>.part` away.
    ///
    /// ```no_run
    /// # smol::block_on(async {
    /// let client = etcd_smol::Client::connect(["http://127.0.0.1:2379"]).await?;
    /// let snapshot = client.snapshot().await;
    /// let handle = snapshot.handle();
    /// std::thread::spawn(move || handle.cancel());
    /// snapshot.save_to("etcd.db").await?;
    /// # Ok::<(), Box<dyn std::error::Error>>(()) });
    /// ```
    #[must_use]
    pub fn handle(&self) -> StreamHandle {
        self.source.grip()
    }

    /// Writes it to a file that `etcdutl snapshot restore` takes: the store, and behind it the 32
    /// bytes of the checksum.
    ///
    /// It is written to `<path>.part`, which on unix only its owner may read, synced, and named
    /// `path` once it is whole and right; a file that was there before is replaced then, and stays
    /// as it is if anything fails. To be called before any chunk was taken. Files are written on the
    /// threads of the `blocking` crate. Dropping the future cancels the snapshot and leaves
    /// `<path>.part` behind, which the next attempt takes away.
    ///
    /// ```no_run
    /// # smol::block_on(async {
    /// let client = etcd_smol::Client::connect(["http://127.0.0.1:2379"]).await?;
    /// client.snapshot().await.save_to("etcd.db").await?;
    /// # Ok::<(), Box<dyn std::error::Error>>(()) });
    /// ```
    ///
    /// # Errors
    ///
    /// What the system said of the file, or an error with the client's own [`Error`] inside.
    pub async fn save_to(self, path: impl AsRef<Path>) -> io::Result<SnapshotSummary> {
        self.save_to_with(path, |_, _| {}).await
    }

    /// As [`Snapshot::save_to`], and tells how many bytes were written and how many are to come.
    ///
    /// ```no_run
    /// # smol::block_on(async {
    /// let client = etcd_smol::Client::connect(["http://127.0.0.1:2379"]).await?;
    /// let progress = |done, rest| println!("{done} of {}", done + rest);
    /// client.snapshot().await.save_to_with("etcd.db", progress).await?;
    /// # Ok::<(), Box<dyn std::error::Error>>(()) });
    /// ```
    ///
    /// # Errors
    ///
    /// As [`Snapshot::save_to`].
    pub async fn save_to_with(
        mut self,
        path: impl AsRef<Path>,
        mut progress: impl FnMut(u64, u64),
    ) -> io::Result<SnapshotSummary> {
        if self.received_bytes > 0 {
            let text = "chunks of the snapshot were taken before it was to be saved";
            return Err(io::Error::new(io::ErrorKind::InvalidInput, text));
        }
        let path = path.as_ref().to_owned();
        let part = part_of(&path);
        let file = create(part.clone()).await?;
        let saved = match self.write_to(file, &mut progress).await {
            Ok(summary) => {
                let part = part.clone();
                let renamed = unblock(move || {
                    fs::rename(part, &path)?;
                    sync_folder(&path)
                });
                renamed.await.map(|()| summary)
            }
            Err(error) => Err(error),
        };
        if saved.is_err() {
            let _ = unblock(move || fs::remove_file(part)).await;
        }
        saved
    }

    async fn write_to(
        &mut self,
        mut file: File,
        progress: &mut impl FnMut(u64, u64),
    ) -> io::Result<SnapshotSummary> {
        while let Some(chunk) = self.next().await {
            let SnapshotChunk {
                blob,
                remaining_bytes,
                ..
            } = chunk.map_err(io_error)?;
            file = unblock(move || file.write_all(&blob).map(|()| file)).await?;
            progress(self.received_bytes, remaining_bytes);
        }
        let summary = self.summary.clone().ok_or_else(over)?;
        let sum = summary.sha256;
        unblock(move || {
            file.write_all(&sum)?;
            file.sync_all()
        })
        .await?;
        Ok(summary)
    }
}

impl Stream for Snapshot {
    type Item = Result<SnapshotChunk, Error>;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let snapshot = self.get_mut();
        loop {
            let Poll::Ready(event) = snapshot.source.poll_event(cx) else {
                return Poll::Pending;
            };
            return Poll::Ready(match event {
                Some(StreamEvent::Chunk(chunk)) => {
                    snapshot.received_bytes += chunk.blob.len() as u64;
                    snapshot.remaining_bytes = Some(chunk.remaining_bytes);
                    Some(Ok(chunk))
                }
                Some(StreamEvent::End(StreamEnd::Done(summary))) => {
                    snapshot.summary = Some(summary);
                    None
                }
                Some(StreamEvent::End(end)) => end.into_error().map(Err),
                // A snapshot has no other events.
                Some(_) => continue,
                None => None,
            });
        }
    }
}

impl FusedStream for Snapshot {
    fn is_terminated(&self) -> bool {
        self.source.ended
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
async fn create(part: PathBuf) -> io::Result<File> {
    unblock(move || {
        match fs::remove_file(&part) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        let mut options = fs::OpenOptions::new();
        options.write(true).create_new(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        options.open(part)
    })
    .await
}

/// Makes the new name last, where folders can be synced.
fn sync_folder(path: &Path) -> io::Result<()> {
    if !cfg!(unix) {
        return Ok(());
    }
    let folder = path.parent().filter(|folder| *folder != Path::new(""));
    File::open(folder.unwrap_or_else(|| Path::new(".")))?.sync_all()
}
