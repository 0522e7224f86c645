//! Making a client that can be recorded, beginning its log, and taking it.

use super::Recorded;
use crate::client::Client;
use crate::client::Config;
use crate::time::Instant;
use crate::trace::recorder::Recorder;
use crate::trace::recorder::Recording;
use crate::trace::settings::Start;

/// A recording has to begin with its client, which was told something before.
///
/// ```
/// use etcd_core::trace::{Recorded, Recording};
/// use etcd_core::{Config, Instant, Put};
///
/// let mut client = Recorded::new(Config::new(["a"])?, 7, Instant::ZERO);
/// client.call(Instant::ZERO, Put::new("k", "v"));
/// let error = client.record(Recording::new()).unwrap_err();
/// assert_eq!(error.to_string(), "the client was used already; record a new one from its start");
/// # Ok::<(), etcd_core::ConfigError>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct TooLate;

impl core::fmt::Display for TooLate {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str("the client was used already; record a new one from its start")
    }
}

impl core::error::Error for TooLate {}

/// How a recording is doing.
///
/// ```
/// use etcd_core::trace::{Recorded, Recording};
/// use etcd_core::{Config, Instant};
///
/// let mut client = Recorded::new(Config::new(["a"])?, 7, Instant::ZERO);
/// assert!(client.log_stats().is_none());
/// client.record(Recording::new().with_max_bytes(10))?;
/// assert!(client.log_stats().expect("it is on").is_full);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct LogStats {
    /// Bytes of the log so far, taken or not.
    pub bytes: u64,
    /// Whether it has come to its bound, so that nothing is written any more.
    pub is_full: bool,
}

/// Making one, and its log.
impl Recorded {
    /// As [`Client::new`]. Nothing is recorded yet.
    ///
    /// ```
    /// use etcd_core::trace::Recorded;
    /// use etcd_core::{Config, Instant};
    ///
    /// let client = Recorded::new(Config::new(["127.0.0.1:2379"])?, 42, Instant::ZERO);
    /// assert!(client.log_stats().is_none());
    /// # Ok::<(), etcd_core::ConfigError>(())
    /// ```
    #[must_use]
    pub fn new(config: Config, seed: u64, now: Instant) -> Self {
        Self {
            client: Client::new(config, seed, now),
            seed,
            started: now,
            is_used: false,
            log: None,
        }
    }

    /// Begins a recording, which replaces an earlier one.
    ///
    /// # Errors
    ///
    /// [`TooLate`] once the client was told anything.
    ///
    /// ```
    /// use etcd_core::trace::{Recorded, Recording};
    /// use etcd_core::{Config, Instant};
    ///
    /// let mut client = Recorded::new(Config::new(["127.0.0.1:2379"])?, 42, Instant::ZERO);
    /// client.record(Recording::new())?;
    /// assert!(client.take_log().starts_with(b"etcd-core recording 1\nstart {\"now\":0,\"seed\":42,"));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn record(&mut self, recording: Recording) -> Result<(), TooLate> {
        if self.is_used || !self.client.is_new() {
            return Err(TooLate);
        }
        let start = Start {
            config: self.client.config().clone(),
            seed: self.seed,
            now: self.started,
            secret_prefixes: recording.secret_prefixes,
        };
        self.log = Some(Box::new(Recorder::new(&start, recording.max_bytes)));
        Ok(())
    }

    /// Whether [`take_log`](Self::take_log) has something.
    ///
    /// ```
    /// # use etcd_core::trace::Recorded;
    /// # use etcd_core::{Config, Instant};
    /// let client = Recorded::new(Config::new(["127.0.0.1:2379"])?, 42, Instant::ZERO);
    /// assert!(!client.has_log());
    /// # Ok::<(), etcd_core::ConfigError>(())
    /// ```
    #[must_use]
    pub fn has_log(&self) -> bool {
        self.log.as_ref().is_some_and(|log| log.has_lines())
    }

    /// The lines since it was called last, whole ones; empty where nothing is recorded.
    ///
    /// ```
    /// # use etcd_core::trace::{Recorded, Recording};
    /// # use etcd_core::{Config, Instant};
    /// let mut client = Recorded::new(Config::new(["127.0.0.1:2379"])?, 42, Instant::ZERO);
    /// client.record(Recording::new())?;
    /// assert!(!client.take_log().is_empty());
    /// assert!(client.take_log().is_empty());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn take_log(&mut self) -> Vec<u8> {
        self.log.as_mut().map(|log| log.take()).unwrap_or_default()
    }

    /// Writes the last line of the log: nothing is recorded after it.
    ///
    /// ```
    /// # use etcd_core::trace::{Recorded, Recording};
    /// # use etcd_core::{Config, Instant};
    /// let mut client = Recorded::new(Config::new(["127.0.0.1:2379"])?, 42, Instant::ZERO);
    /// client.record(Recording::new())?;
    /// client.finish_log();
    /// assert!(client.take_log().ends_with(b"\nend 0 0\n"));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn finish_log(&mut self) {
        if let Some(log) = &mut self.log {
            log.finish();
        }
    }

    /// Ends the recording and forgets what of it was not taken: nobody can keep it.
    ///
    /// ```
    /// # use etcd_core::trace::{Recorded, Recording};
    /// # use etcd_core::{Config, Instant};
    /// let mut client = Recorded::new(Config::new(["127.0.0.1:2379"])?, 42, Instant::ZERO);
    /// client.record(Recording::new())?;
    /// client.drop_log();
    /// assert!(!client.has_log() && client.log_stats().is_none());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn drop_log(&mut self) {
        self.log = None;
    }

    /// How the recording is doing, if there is one.
    ///
    /// ```
    /// # use etcd_core::trace::{Recorded, Recording};
    /// # use etcd_core::{Config, Instant};
    /// let mut client = Recorded::new(Config::new(["127.0.0.1:2379"])?, 42, Instant::ZERO);
    /// client.record(Recording::new())?;
    /// assert!(client.log_stats().is_some_and(|log| log.bytes > 500 && !log.is_full));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn log_stats(&self) -> Option<LogStats> {
        self.log.as_ref().map(|log| LogStats {
            bytes: log.bytes(),
            is_full: log.is_full(),
        })
    }

    /// The client itself, to look at.
    ///
    /// ```
    /// # use etcd_core::trace::Recorded;
    /// # use etcd_core::{Config, Instant};
    /// let client = Recorded::new(Config::new(["127.0.0.1:2379"])?, 42, Instant::ZERO);
    /// assert_eq!(client.client().poll_timeout(), None);
    /// # Ok::<(), etcd_core::ConfigError>(())
    /// ```
    #[must_use]
    pub const fn client(&self) -> &Client {
        &self.client
    }
}
