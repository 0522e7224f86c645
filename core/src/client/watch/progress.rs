//! Asking servers how far a watch is, and what their answer is worth (rule W-5).
//!
//! A server answers for a whole connection at once. Before 3.4.25 and 3.5.8 it answers whatever its
//! watches are doing, which proves nothing; so the first request on a connection asks for the
//! server's version, and an old server's answer moves no position. Newer ones keep silent while any watch of the
//! connection still catches up, so they are asked again (rule W-27).

use core::time::Duration;

use super::Phase;
use super::watch_of;
use crate::api::Response;
use crate::client::Client;
use crate::client::timer::Timer;
use crate::conn::ServerVersion;
use crate::error::Error;
use crate::error::Feature;
use crate::id::ConnId;
use crate::id::WatchId;
use crate::time::Instant;
use crate::wire::StreamId;

/// How long a server has to tell progress before it is asked again (rule W-27). It doubles each time.
const PATIENCE: Duration = Duration::from_secs(1);

/// The longest it gets.
const LONGEST_PATIENCE: Duration = Duration::from_secs(60);

impl Client {
    /// Asks the server how far a watch is; the answer comes as `WatchEvent::Progress` once the
    /// server has sent everything up to some revision. Some servers keep silent while any watch of
    /// the same connection still catches up: they are asked again after 1 s, then 2 s, and so on up to 60 s,
    /// until one tells, also over another connection (rule W-27). On servers whose answer proves nothing (before 3.4.25
    /// and 3.5.8), and where a watch has a request of its own ([`WatchCarrier`](crate::WatchCarrier)), the
    /// event says what was delivered for certain (rule W-5).
    ///
    /// ```
    /// # use etcd_core::{Client, Config, Instant, Watch};
    /// # let mut client = Client::new(Config::new(["127.0.0.1:2379"])?, 1, Instant::ZERO);
    /// let watch = client.watch(Instant::ZERO, Watch::key("k"));
    /// client.request_progress(Instant::ZERO, watch);
    /// # Ok::<(), etcd_core::ConfigError>(())
    /// ```
    pub fn request_progress(&mut self, now: Instant, watch: WatchId) {
        let Some(watcher) = self.watches.table.get_mut(&watch) else {
            return;
        };
        watcher.wants_progress = true;
        if let Phase::Live(conn) = watcher.phase {
            self.ask_for_progress(now, conn);
            self.settle(now);
        }
    }

    /// Asks for progress, once it is known what the server's answer means.
    pub(super) fn ask_for_progress(&mut self, now: Instant, id: ConnId) {
        let Some(conn) = self.conns.get_mut(&id) else {
            return;
        };
        if conn.wire.is_one_watch() {
            // Nobody can be asked: what is certain is all there is to tell.
            let streams = conn.wire.streams();
            return self.tell_progress_of(id, streams, None, false);
        }
        match conn.server {
            ServerVersion::Asked => {}
            ServerVersion::Unknown => {
                conn.server = ServerVersion::Asked;
                let at = conn.endpoint;
                self.call_version_of(now, id, at);
            }
            ServerVersion::Known(_) | ServerVersion::Untold => self.send_progress_request(now, id),
        }
    }

    fn send_progress_request(&mut self, now: Instant, id: ConnId) {
        let Some(conn) = self.conns.get_mut(&id) else {
            return;
        };
        conn.wire.request_progress();
        if conn.owed_progress.is_none() {
            conn.owed_progress = Some((now + PATIENCE, PATIENCE));
            self.timers.arm(now + PATIENCE, Timer::Progress(id));
        }
        self.tell_transmit(id);
    }

    /// A server has not told what it was asked for; it is asked again, if that is still wanted (rule W-27).
    pub(in crate::client) fn progress_is_owed(&mut self, now: Instant, id: ConnId) {
        let Some(conn) = self.conns.get_mut(&id) else {
            return;
        };
        let Some((_, waited)) = conn.owed_progress.take() else {
            return;
        };
        let wants = |stream| {
            let watcher = self.watches.table.get(&watch_of(stream));
            watcher.is_some_and(|it| it.wants_progress && it.phase == Phase::Live(id))
        };
        if conn.wire.streams().into_iter().any(wants) {
            let patience = waited.saturating_mul(2).min(LONGEST_PATIENCE);
            // Where we do not read, it may have been told.
            if conn.full_streams == 0 {
                conn.wire.request_progress();
            }
            conn.owed_progress = Some((now + patience, patience));
            self.timers.arm(now + patience, Timer::Progress(id));
            self.tell_transmit(id);
        }
    }

    /// The version of a watch connection's server is known, or cannot be.
    pub(in crate::client) fn version_answered(
        &mut self,
        id: ConnId,
        result: Result<Response, Error>,
    ) {
        let Some(conn) = self.conns.get_mut(&id) else {
            return;
        };
        conn.server = match &result {
            Ok(Response::Version(answer)) => ServerVersion::told(Some(&answer.etcdserver)),
            _ => ServerVersion::Untold,
        };
        self.send_progress_request(self.now, id);
    }

    pub(super) fn progress_of_all(&mut self, id: ConnId, streams: Vec<StreamId>, revision: i64) {
        let Some(conn) = self.conns.get_mut(&id) else {
            return;
        };
        if let Some((at, _)) = conn.owed_progress.take() {
            self.timers.disarm(at, Timer::Progress(id));
        }
        let trusted = conn.server.has(&Feature::PROGRESS_PROOF);
        #[cfg(feature = "planted")]
        let trusted =
            trusted || self.config.planted == Some(crate::planted::Planted::BelieveOldProgress);
        self.tell_progress_of(id, streams, Some(revision), trusted);
    }

    /// Tells how far watches are by what a server said, or by what each saw for itself.
    fn tell_progress_of(
        &mut self,
        id: ConnId,
        streams: Vec<StreamId>,
        revision: Option<i64>,
        trusted: bool,
    ) {
        for stream in streams {
            let watch = watch_of(stream);
            if let Some(watcher) = self.watches.table.get_mut(&watch) {
                if watcher.phase == Phase::Live(id) {
                    let revision = revision.unwrap_or_else(|| watcher.seen());
                    watcher.handle_progress_of_all(revision, trusted);
                    self.tell_watch(watch);
                }
            }
        }
    }
}
