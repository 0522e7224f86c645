//! How watches end, or go on elsewhere: refused, canceled by the server, not confirmed in time, or with
//! their connection.
//!
//! Which of these last, so that asking again would not help, is said here (rules W-14 to W-19). Where a
//! watch goes on from is said by its position alone.

use super::Compaction;
use super::NoLeader;
use super::Phase;
use super::passed;
use super::watch_of;
use crate::client::Client;
use crate::client::conns::LONG_LIFE;
use crate::client::notice::Reason;
use crate::client::output::WatchEnd;
use crate::client::timer::Timer;
use crate::conn::Conn;
use crate::conn::Lane;
use crate::error::Applied;
use crate::error::Cause;
use crate::error::CloseReason;
use crate::error::Code;
use crate::error::Error;
use crate::error::Known;
use crate::error::Limit;
use crate::error::Phase as WaitedFor;
use crate::error::Status;
use crate::id::ConnId;
use crate::id::EndpointIndex;
use crate::id::WatchId;
use crate::time::Instant;
use crate::wire::Ended;

impl Client {
    /// The server owes a confirmation for too long: another connection may do better.
    pub(in crate::client) fn created_timed_out(&mut self, now: Instant, id: ConnId) {
        let Some(conn) = self.conns.get_mut(&id) else {
            return;
        };
        conn.created_deadline = None;
        if conn.full_streams > 0 {
            // It may have confirmed; we are the ones who do not read.
            return self.arm_created(now, id);
        }
        let (at, is_single) = (conn.endpoint, conn.wire.is_one_watch());
        if is_single {
            self.watches.carriers.handle_other(at);
        } else if !conn.wire.is_answered() {
            let until = self.watches.carriers.handle_silence(now, at);
            // Watches for which there are not enough connections go on then.
            self.timers.arm(until, Timer::WatchesBack);
        }
        self.conn_lost(now, id, CloseReason::NotCreated);
    }

    /// No server confirmed the watch in time.
    pub(in crate::client) fn watch_open_timed_out(&mut self, now: Instant, watch: WatchId) {
        let Some(watcher) = self.watches.table.get(&watch) else {
            return;
        };
        // What waits for a token waits for the login, which is among the calls.
        let for_token = watcher.conn().is_none() && self.auth.is_awaited();
        let lane = if for_token {
            Lane::Calls
        } else {
            Lane::Watches
        };
        let refused = self.why_not_open(lane);
        let applied = Applied::No;
        let last_error = watcher
            .resync
            .as_ref()
            .and_then(|resync| resync.last_error());
        let error = match (
            watcher.conn().and_then(|conn| self.conns.get(&conn)),
            refused,
        ) {
            (Some(conn), _) if conn.is_open() => Error::Timeout {
                phase: WaitedFor::Answer,
                applied,
            },
            (_, Some(error)) => Error::Unavailable {
                cause: Cause::ConnectFailed(error),
                applied,
            },
            (_, None) if for_token => Error::Timeout {
                phase: WaitedFor::Token,
                applied,
            },
            (None, None) if self.is_crowded() => self.no_room(applied),
            _ if watcher.phase == Phase::Resyncing => match last_error {
                Some(error) => error.clone(),
                None => Error::Timeout {
                    phase: WaitedFor::Answer,
                    applied,
                },
            },
            (_, None) => Error::Timeout {
                phase: WaitedFor::Connect,
                applied,
            },
        };
        self.leave_watch_conn(now, watch);
        self.end_watch(watch, WatchEnd::Failed(error));
    }

    pub(super) fn watch_ended(&mut self, now: Instant, watch: WatchId, why: Ended) {
        let Some(watcher) = self.watches.table.get_mut(&watch) else {
            return;
        };
        watcher.rests = why == Ended::Silently;
        let (next, live_since) = (watcher.position().next(), watcher.live_since);
        let was_live = matches!(watcher.phase, Phase::Live(_));
        let conn = watcher.conn().and_then(|conn| self.conns.get(&conn));
        let carried = conn.map(|conn| (conn.endpoint, conn.token));
        let at = carried.map(|(at, _)| at);
        let about_token = match (&why, carried) {
            (Ended::Refused(status), Some((at, token))) => {
                self.watch_refused(now, watch, at, token, status)
            }
            _ => false,
        };
        self.set_full_elsewhere(watch);
        #[cfg(feature = "planted")]
        let Some(next) = self.plant_compacted(watch, next, &why) else {
            return self.wait_again(watch);
        };
        let is_doubtful = self.doubts_compaction(watch, &why);
        let options = self
            .watches
            .table
            .get(&watch)
            .map(|watcher| &watcher.options);
        let resyncs = options.is_some_and(|options| options.compaction != Compaction::Fail);
        match why {
            Ended::Compacted { compact_revision } if is_doubtful => {
                self.note_watch_lost(watch, at, || Reason::Compacted {
                    next,
                    compact_revision,
                });
                self.wait_again(watch);
                self.watch_was_dropped(now, live_since);
            }
            Ended::Compacted { compact_revision } if resyncs => {
                self.begin_resync(now, watch, compact_revision);
            }
            Ended::Compacted { compact_revision } => {
                self.end_watch(
                    watch,
                    WatchEnd::Compacted {
                        compact_revision,
                        next,
                    },
                );
            }
            Ended::Refused(status) if about_token => {
                self.note_watch_lost(watch, at, || Reason::of_status(&status));
                self.wait_again(watch);
                // A server that confirms and then refuses would be asked without end.
                if was_live {
                    self.watch_was_dropped(now, live_since);
                }
            }
            Ended::Refused(status) => self.end_watch(watch, self.refused(status)),
            Ended::TooLarge(limit) => self.end_watch(watch, passed(limit)),
            // A close of the server's own, whatever its grounds (rule W-15).
            Ended::Silently => {
                self.note_watch_lost(watch, at, || Reason::Dropped);
                self.wait_again(watch);
                self.watch_was_dropped(now, live_since);
            }
        }
    }

    /// Whether a server says that a live watch wants what was compacted, though that is not so: some take a
    /// watch back in time when they load a snapshot (etcd issue 15271), and what it wants then may be
    /// compacted. It is asked for again where the watch stands (guarantee G14); if it is said once more
    /// before anything came, it is believed.
    fn doubts_compaction(&mut self, watch: WatchId, why: &Ended) -> bool {
        let Ended::Compacted { compact_revision } = why else {
            return false;
        };
        let Some(watcher) = self.watches.table.get_mut(&watch) else {
            return false;
        };
        let next = watcher.position().next();
        let is_there = next > 0 && *compact_revision > 0 && next >= *compact_revision;
        is_there && watcher.doubted.replace(next) != Some(next)
    }

    /// A connection is gone; `conn` was taken out of the table.
    pub(in crate::client) fn watches_lost(
        &mut self,
        now: Instant,
        conn: &Conn,
        reason: &CloseReason,
    ) {
        for stream in conn.wire.streams() {
            let watch = watch_of(stream);
            #[cfg(feature = "planted")]
            if self.plant_lost(watch, reason) {
                continue;
            }
            let again = matches!(reason, CloseReason::Status(status)
                if self.watch_refused(now, watch, conn.endpoint, conn.token, status));
            let end = self.lasting(reason).filter(|_| !again);
            let end = end.or_else(|| self.lost_again(now, watch, conn, reason));
            let why = || Reason::of_close(reason, conn.is_open());
            match end {
                Some(end) => self.end_watch(watch, end),
                _ => {
                    self.note_watch_lost(watch, Some(conn.endpoint), why);
                    self.wait_again(watch);
                }
            }
        }
    }

    /// Counts a lost connection, and tells what it means that a member has no leader. Gives the end of the
    /// watch where its options say that this was one loss too many.
    fn lost_again(
        &mut self,
        now: Instant,
        watch: WatchId,
        conn: &Conn,
        reason: &CloseReason,
    ) -> Option<WatchEnd> {
        let watcher = self.watches.table.get_mut(&watch)?;
        // One that was replaced by us is not lost.
        if !watcher.was_created() || matches!(reason, CloseReason::Idle | CloseReason::Removed) {
            return None;
        }
        let was_live = matches!(watcher.phase, Phase::Live(_));
        if was_live && now - watcher.live_since > LONG_LIFE {
            watcher.losses = 0;
            watcher.lost_since = None;
        }
        let options = &watcher.options;
        if let CloseReason::Status(status) = reason {
            if status.known() == Some(Known::NoLeader) {
                if options.no_leader == NoLeader::Fail {
                    return Some(self.refused(status.clone()));
                }
                watcher.handle_no_leader(self.endpoints.get(conn.endpoint).clone());
                self.tell_watch(watch);
            }
        }
        let cause = match reason {
            CloseReason::Net(error) if !conn.is_open() => Cause::ConnectFailed(error.clone()),
            reason => Cause::ConnectionLost(reason.clone()),
        };
        self.count_loss(now, watch, cause)
    }

    /// Counts a loss of a watch, which may be one too many (rule W-21). Of one that was never confirmed none
    /// counts: that has its own deadline.
    pub(super) fn count_loss(
        &mut self,
        now: Instant,
        watch: WatchId,
        cause: Cause,
    ) -> Option<WatchEnd> {
        let watcher = self.watches.table.get_mut(&watch)?;
        if !watcher.was_created() {
            return None;
        }
        watcher.losses = watcher.losses.saturating_add(1);
        let since = *watcher.lost_since.get_or_insert(now);
        if watcher
            .options
            .max_losses
            .is_some_and(|most| watcher.losses > most)
        {
            let applied = Applied::No;
            return Some(WatchEnd::Failed(Error::Unavailable { cause, applied }));
        }
        if let (Some(within), None) = (watcher.options.resume_within, watcher.open_deadline) {
            let deadline = since + within;
            watcher.open_deadline = Some(deadline);
            self.timers.arm(deadline, Timer::WatchOpen(watch));
        }
        None
    }

    /// Whether a refused watch is asked for again with another token (rule A-5).
    fn watch_refused(
        &mut self,
        now: Instant,
        watch: WatchId,
        at: EndpointIndex,
        token: u64,
        status: &Status,
    ) -> bool {
        let found = self.watches.table.get(&watch);
        let Some(mut refreshes) = found.map(|watcher| watcher.refreshes) else {
            return false;
        };
        let again = self.token_refused(now, at, token, status, &mut refreshes);
        if let Some(watcher) = self.watches.table.get_mut(&watch) {
            watcher.refreshes = refreshes;
        }
        again
    }

    /// The end of a watch whose connection ended so, if trying again would not help (rule W-19).
    fn lasting(&self, reason: &CloseReason) -> Option<WatchEnd> {
        match reason {
            CloseReason::Status(status) => match status.code {
                Code::INVALID_ARGUMENT
                | Code::PERMISSION_DENIED
                | Code::NOT_FOUND
                | Code::UNIMPLEMENTED => Some(self.refused(status.clone())),
                _ if status.needs_new_token() => Some(self.refused(status.clone())),
                _ => None,
            },
            // The watch whose revision it was has ended with it; the others go on.
            CloseReason::Limit(Limit::Revision(_)) => None,
            CloseReason::Limit(limit) => Some(passed(*limit)),
            _ => None,
        }
    }

    pub(super) fn refused(&self, status: Status) -> WatchEnd {
        if status.known() == Some(Known::PermissionDenied) || status.code == Code::PERMISSION_DENIED
        {
            return WatchEnd::PermissionDenied(status);
        }
        WatchEnd::Failed(self.auth.error(status, Applied::No))
    }

    pub(super) fn wait_again(&mut self, watch: WatchId) {
        if let Some(watcher) = self.watches.table.get_mut(&watch) {
            watcher.phase = Phase::Waiting;
            self.watches.waiting.push_back(watch);
        }
    }
}
