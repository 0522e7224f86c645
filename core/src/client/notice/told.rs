//! What a client says of itself: notices whose parts come from several of its tables.

use super::Choice;
use super::Notice;
use super::Reason;
use super::Use;
use super::WaitsFor;
use super::Wake;
use super::What;
use crate::client::Client;
use crate::client::timer::Timer;
use crate::conn::Conn;
use crate::conn::Lane;
use crate::error::CloseReason;
use crate::id::CallId;
use crate::id::ConnId;
use crate::id::EndpointIndex;
use crate::id::WatchId;
use crate::time::Instant;

impl Client {
    /// The next notice, if `Config::notices` is on and there is one. They come in the order in which things
    /// happened, and need not be taken: beyond `Limits::notices` the oldest gives way, which
    /// [`Stats::notices_dropped`](crate::Stats::notices_dropped) counts.
    ///
    /// ```
    /// # use etcd_core::{Client, Config, Instant, Put};
    /// let mut config = Config::new(["127.0.0.1:2379"])?;
    /// config.notices = true;
    /// let mut client = Client::new(config, 1, Instant::ZERO);
    /// client.call(Instant::ZERO, Put::new("k", "v"));
    /// let lines = std::iter::from_fn(|| client.poll_notice()).map(|notice| notice.to_string());
    /// assert_eq!(
    ///     lines.collect::<Vec<_>>(),
    ///     [
    ///         "conn 1: opening to http://127.0.0.1:2379 for calls",
    ///         "call 1: waits for a free connection",
    ///     ]
    /// );
    /// # Ok::<(), etcd_core::ConfigError>(())
    /// ```
    #[must_use]
    pub fn poll_notice(&mut self) -> Option<Notice> {
        self.notices.pop()
    }

    /// Whether [`Client::poll_notice`] has something.
    ///
    /// ```
    /// # use etcd_core::{Client, Config, Instant};
    /// let client = Client::new(Config::new(["127.0.0.1:2379"])?, 1, Instant::ZERO);
    /// assert!(!client.has_notice());
    /// # Ok::<(), etcd_core::ConfigError>(())
    /// ```
    #[must_use]
    pub fn has_notice(&self) -> bool {
        self.notices.has_some()
    }

    /// Tells for what calls wait that came to a line and were not sent from it.
    pub(in crate::client) fn note_waits(&mut self) {
        if !self.notices.is_on() {
            return;
        }
        for call in self.notices.take_came() {
            if let Some(lane) = self.calls.waits_in(call) {
                let waits_for = match self.gates.get(&lane).and_then(|gate| gate.until()) {
                    _ if self.auth.parked.contains(&call) => WaitsFor::Token,
                    Some(until) => WaitsFor::Endpoint { until },
                    None => WaitsFor::Connection,
                };
                self.notices.note(|| What::CallWaits { call, waits_for });
            }
        }
    }

    /// A call goes to an endpoint, while it is another one's turn or that one's.
    pub(in crate::client) fn note_choice(
        &mut self,
        call: Option<CallId>,
        turn: EndpointIndex,
        at: EndpointIndex,
    ) {
        let Some(call) = call.filter(|_| self.notices.is_on()) else {
            return;
        };
        let choice = match () {
            () if !self.endpoints.is_healthy(at) => Choice::Suspect,
            () if at == turn => Choice::Turn,
            () => Choice::Free,
        };
        self.calls.set_choice(call, choice);
    }

    /// No connection is ordered for a lane until then.
    pub(in crate::client) fn note_held_back(&mut self, lane: Lane, until: Instant) {
        self.stats.backoffs += 1;
        let used_for = Use::of(lane);
        self.notices.note(|| What::HeldBack { used_for, until });
    }

    /// A connection is gone.
    pub(in crate::client) fn note_conn_gone(
        &mut self,
        id: ConnId,
        conn: &Conn,
        reason: &CloseReason,
    ) {
        let was_open = conn.is_open();
        self.stats.connections_failed += u64::from(!was_open);
        self.notices.note(|| {
            let endpoint = self.endpoints.get(conn.endpoint).clone();
            let (conn, why) = (id, Reason::of_close(reason, was_open));
            match was_open {
                true => What::ConnClosed {
                    conn,
                    endpoint,
                    why,
                },
                false => What::ConnFailed {
                    conn,
                    endpoint,
                    why,
                },
            }
        });
    }

    /// A watch was at an endpoint, and is not any more.
    pub(in crate::client) fn note_watch_lost(
        &mut self,
        watch: WatchId,
        at: Option<EndpointIndex>,
        why: impl FnOnce() -> Reason,
    ) {
        self.stats.losses += 1;
        let Some(at) = at.filter(|_| self.notices.is_on()) else {
            return;
        };
        let next = self.watches.next_of(watch);
        let endpoint = self.endpoints.get(at).clone();
        self.notices.note(|| What::WatchLost {
            watch,
            endpoint,
            next,
            why: why(),
        });
    }
}

impl Wake {
    /// What a timer is for.
    pub(in crate::client) const fn of(timer: Timer) -> Self {
        match timer {
            Timer::Call(call) => Self::CallDeadline(call),
            Timer::Again(call) => Self::CallAgain(call),
            Timer::Patience(call) => Self::CallPatience(call),
            Timer::Lease => Self::Lease,
            Timer::Connect(conn) => Self::ConnDeadline(conn),
            Timer::Created(conn) => Self::WatchConfirmed(conn),
            Timer::Sync => Self::Sync,
            Timer::Login => Self::Login,
            Timer::Silence(conn) => Self::WatchSilence(conn),
            Timer::Progress(conn) => Self::WatchProgress(conn),
            Timer::SlowWatches(conn) => Self::SlowWatches(conn),
            Timer::WatchesBack => Self::WatchesBack,
            Timer::Resync(watch) => Self::WatchPage(watch),
            Timer::Lag => Self::WatchLag,
            Timer::WatchOpen(watch) => Self::WatchDeadline(watch),
            Timer::Stream(stream) => Self::StreamDeadline(stream),
            Timer::Retry(lane) => Self::Reconnect(Use::of(lane)),
        }
    }
}
