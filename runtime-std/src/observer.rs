//! An observation as a program uses it: a blocking iterator over the leaders of an election.

use std::fmt;
use std::iter::FusedIterator;
use std::time::Duration;

use etcd_core::Error;
use etcd_core::Instant;
use etcd_core::IntoBytes;
use etcd_core::Observe;
use etcd_core::ObserveResponse;
use etcd_core::StreamEnd;
use etcd_core::StreamEvent;

use crate::client::Client;
use crate::stream_handle::StreamHandle;
use crate::streams::Source;
use crate::watcher::Elapsed;

/// Elections.
impl Client {
    /// Observes the election of this name: who leads, and who leads next.
    ///
    /// Returns at once, and tells nothing while nobody leads.
    ///
    /// ```no_run
    /// let client = etcd_std::Client::connect(["http://127.0.0.1:2379"])?;
    /// for leader in client.observe("el") {
    ///     println!("{:?}", leader?.kv.value_str());
    /// }
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use = "dropping an observer cancels it"]
    pub fn observe(&self, name: impl IntoBytes) -> Observer {
        let observe = Observe::new(name);
        Observer {
            source: Source::begin(&self.handle, |core, now| core.observe(now, observe)),
        }
    }
}

/// The leaders of one election. Dropping it ends the observation.
///
/// It goes on across lost connections and restarts of servers. A leader is told once for each value
/// it proclaims; one that came and went while the connection was lost is not told. As an iterator
/// it is over when it was canceled or the client shut down; any other end is one last `Err`.
///
/// ```no_run
/// let client = etcd_std::Client::connect(["http://127.0.0.1:2379"])?;
/// let mut observer = client.observe("el");
/// if let Some(leader) = observer.next() {
///     println!("{:?} leads", leader?.kv.key);
/// }
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct Observer {
    source: Source,
}

impl Observer {
    /// Blocks until something happens: a leader, a new connection, or the end, after which there is
    /// only `None`.
    ///
    /// ```no_run
    /// use etcd_std::StreamEvent;
    ///
    /// let client = etcd_std::Client::connect(["http://127.0.0.1:2379"])?;
    /// let mut observer = client.observe("el");
    /// while let Some(event) = observer.next_event() {
    ///     match event {
    ///         StreamEvent::Leader(leader) => println!("{:?} leads", leader.kv.key),
    ///         StreamEvent::Resumed { endpoint } => println!("goes on at {endpoint}"),
    ///         other => println!("{other:?}"),
    ///     }
    /// }
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn next_event(&mut self) -> Option<StreamEvent> {
        self.source.take(None)
    }

    /// Like [`Iterator::next`], but blocks no longer than `timeout`. What comes later is not lost:
    /// the next call has it.
    ///
    /// ```no_run
    /// use std::time::Duration;
    ///
    /// let client = etcd_std::Client::connect(["http://127.0.0.1:2379"])?;
    /// let mut observer = client.observe("el");
    /// match observer.next_timeout(Duration::from_secs(1)) {
    ///     Ok(leader) => println!("{leader:?}"),
    ///     Err(_) => println!("nobody leads, or nobody can be reached"),
    /// }
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    ///
    /// [`Elapsed`], if nobody came to lead.
    pub fn next_timeout(
        &mut self,
        timeout: Duration,
    ) -> Result<Option<Result<ObserveResponse, Error>>, Elapsed> {
        let until = self.source.handle.after(timeout);
        match self.next_leader(Some(until)) {
            None if !self.source.ended => Err(Elapsed),
            leader => Ok(leader),
        }
    }

    /// Ends the observation; [`Observer::next_event`] tells it.
    ///
    /// ```no_run
    /// let client = etcd_std::Client::connect(["http://127.0.0.1:2379"])?;
    /// let mut observer = client.observe("el");
    /// observer.cancel();
    /// assert!(observer.next().is_none());
    /// # Ok::<(), etcd_std::ConfigError>(())
    /// ```
    pub fn cancel(&self) {
        self.source.cancel();
    }

    /// A grip on this observation for another thread, to end it while somebody waits here.
    ///
    /// ```no_run
    /// let client = etcd_std::Client::connect(["http://127.0.0.1:2379"])?;
    /// let mut observer = client.observe("el");
    /// let handle = observer.handle();
    /// std::thread::spawn(move || handle.cancel());
    /// while observer.next().is_some() {}
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn handle(&self) -> StreamHandle {
        self.source.grip()
    }

    /// The next leader, or `None` if there is none by `until` or none will ever be.
    fn next_leader(&mut self, until: Option<Instant>) -> Option<Result<ObserveResponse, Error>> {
        loop {
            match self.source.take(until)? {
                StreamEvent::Leader(leader) => return Some(Ok(leader)),
                StreamEvent::End(StreamEnd::Canceled | StreamEnd::Shutdown) => return None,
                StreamEvent::End(end) => return end.into_error().map(Err),
                _ => {}
            }
        }
    }
}

impl Iterator for Observer {
    type Item = Result<ObserveResponse, Error>;

    fn next(&mut self) -> Option<Self::Item> {
        self.next_leader(None)
    }
}

impl FusedIterator for Observer {}

impl fmt::Debug for Observer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Observer")
            .field("id", &self.source.id)
            .field("ended", &self.source.ended)
            .finish()
    }
}
