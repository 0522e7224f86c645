//! Recordings: the core keeps a log, and this writes it to a file.
//!
//! The log is written whenever everything the core ordered was carried out, in whole lines, so a
//! program that is killed leaves what happened until then. A file that cannot be written is given up:
//! the client goes on without it, and [`Client::recorded`] says so.

use std::fs;
use std::fs::File;
use std::fs::OpenOptions;
use std::io;
use std::io::Write;
use std::path::Path;

use etcd_core::trace::LogStats;
use etcd_core::trace::Recording;

use crate::client::Client;
use crate::shared::State;

/// Where the log goes.
#[derive(Debug, Default)]
pub(crate) struct Journal {
    file: Option<File>,
    /// Why the file was given up.
    failed: Option<io::Error>,
}

impl State {
    /// Writes what there is of the log.
    pub(crate) fn write_log(&mut self) {
        let Some(file) = &mut self.journal.file else {
            return;
        };
        if !self.core.has_log() {
            return;
        }
        let log = self.core.take_log();
        if let Err(error) = file.write_all(&log) {
            self.journal.file = None;
            self.journal.failed = Some(error);
            self.core.drop_log();
        }
    }

    /// Writes the last of it.
    pub(crate) fn end_log(&mut self) {
        self.core.finish_log();
        self.write_log();
        self.journal.file = None;
    }
}

/// Recording.
impl Client {
    /// Records everything the client is told and does from now on, to be replayed elsewhere
    /// ([`etcd_core::trace`]). The client has to be new.
    ///
    /// Passwords, tokens, values of headers and the contents of snapshots are never written; keys
    /// and values are, unless [`Client::record_with`] marks them as secret. A file that is there is kept
    /// as `….1`. On unix nobody else can read the new one.
    ///
    /// ```no_run
    /// let client = etcd_std::Client::connect(["http://127.0.0.1:2379"])?;
    /// client.record_to("etcd.rec")?;
    /// client.put("foo", "bar")?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    ///
    /// The file cannot be made, or the client was used already.
    pub fn record_to(&self, path: impl AsRef<Path>) -> io::Result<()> {
        self.record_with(path, Recording::new())
    }

    /// The same with values that are secret, or another bound than 256 MiB.
    ///
    /// ```no_run
    /// use etcd_std::etcd_core::trace::Recording;
    ///
    /// let client = etcd_std::Client::connect(["http://127.0.0.1:2379"])?;
    /// let recording = Recording::new().with_secret_prefix("/tls/");
    /// client.record_with("etcd.rec", recording)?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    ///
    /// As for [`Client::record_to`].
    pub fn record_with(&self, path: impl AsRef<Path>, recording: Recording) -> io::Result<()> {
        let mut locked = self.handle.shared().lock();
        let recorded = locked.core.record(recording);
        recorded.map_err(|error| io::Error::new(io::ErrorKind::InvalidInput, error))?;
        match create(path.as_ref()) {
            Ok(file) => locked.journal.file = Some(file),
            Err(error) => {
                locked.core.drop_log();
                return Err(error);
            }
        }
        locked.write_log();
        Ok(())
    }

    /// How the recording is doing; `None` without one.
    ///
    /// ```
    /// let client = etcd_std::Client::connect(["http://127.0.0.1:2379"])?;
    /// assert!(client.recorded()?.is_none());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    ///
    /// Why the file could not be written any more; the client does not mind.
    pub fn recorded(&self) -> io::Result<Option<LogStats>> {
        let locked = self.handle.shared().lock();
        match &locked.journal.failed {
            Some(error) => Err(io::Error::new(error.kind(), error.to_string())),
            None => Ok(locked.core.log_stats()),
        }
    }
}

/// Makes the file, and keeps the one that was there.
fn create(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.write(true);
    match fs::symlink_metadata(path) {
        Ok(there) if there.is_file() => {
            let mut older = path.as_os_str().to_owned();
            older.push(".1");
            fs::rename(path, older)?;
            options.create_new(true);
        }
        // A pipe, a device: there is nothing to keep.
        Ok(_) => {}
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            options.create_new(true);
        }
        Err(error) => return Err(error),
    }
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path)
}
