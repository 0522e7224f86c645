//! What becomes of a watch whose next revision was compacted, if its user wants it to go on (rule W-16).
//!
//! The range is read by calls of the client's own: a page at a time, at one revision, and no further one
//! while the watch holds half of what it may. What was found is told apart from changes, between
//! `ResyncBegin` and `ResyncEnd`; then the watch is asked for right behind that revision. If that is
//! compacted, too, before all was read, reading begins anew, after a wait that grows.
//!
//! Calls that fail are made again, for a watch survives any loss (guarantee G13); what would be said
//! again ends it. What is on a page is known by `listing`, what is news by `KnownKeys`.
//!
//! ```text
//!   Live, Creating ──compacted──► InLine ──asked──► Asked ──last page──► Waiting
//!                                  ▲ ▲ ▲              │  │ │
//!                                  │ │ └─── page ─────┘  │ └─ refused for good ──► Ended
//!                                  │ └─ read ── Full ◄───┤
//!                                  └─ wait ── Resting ◄──┘ failed, or compacted once more
//! ```

use core::time::Duration;
use std::collections::VecDeque;

use super::Phase;
use super::Watcher;
use super::behind::PATIENCE;
use super::listing::Listing;
use super::listing::Page;
use super::passed;
use crate::api::RangeResponse;
use crate::api::Response;
use crate::client::Client;
use crate::client::conns::LONG_LIFE;
use crate::client::conns::WATCHES_CAP;
use crate::client::notice::What;
use crate::client::output::WatchEnd;
use crate::client::retry;
use crate::client::timer::Timer;
use crate::error::Applied;
use crate::error::Cause;
use crate::error::CloseReason;
use crate::error::Error;
use crate::error::Limit;
use crate::error::ProtocolError;
use crate::id::CallId;
use crate::id::WatchId;
use crate::time::Instant;

/// How many pages are asked for at the same time, all watches together: they share the connections of
/// calls, and after a long cut every watch may be compacted.
const AT_ONCE: usize = 4;

/// The pages of all watches.
#[derive(Debug, Default)]
pub(in crate::client) struct Resyncs {
    /// Watches that want a page, in their order.
    line: VecDeque<WatchId>,
    /// How many calls for pages are under way.
    asked: usize,
    /// What they came to, not looked at yet.
    answers: VecDeque<(WatchId, CallId, Result<Response, Error>)>,
}

impl Resyncs {
    /// A call for a page ended.
    pub(in crate::client) fn handle_answer(
        &mut self,
        watch: WatchId,
        call: CallId,
        result: Result<Response, Error>,
    ) {
        self.asked -= 1;
        self.answers.push_back((watch, call, result));
    }

    pub(super) fn clear(&mut self) {
        self.line.clear();
        self.answers.clear();
    }
}

/// A watch that reads its range.
#[derive(Debug)]
pub(super) struct Resync {
    listing: Listing,
    /// As the server told it; 0 if it did not.
    compact_revision: i64,
    /// The range has to be read at this revision or a later one.
    oldest: i64,
    step: Step,
    /// Calls that failed in a row, and why the last one did.
    failures: u32,
    last_error: Option<Error>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Step {
    InLine,
    Asked(CallId),
    /// Waits before the next call.
    Resting(Instant),
    /// Waits for its user.
    Full,
}

impl Resync {
    pub(super) fn is_full(&self) -> bool {
        self.step == Step::Full
    }

    pub(super) const fn last_error(&self) -> Option<&Error> {
        self.last_error.as_ref()
    }
}

impl Client {
    /// What a watch has to deliver next is gone, and it is to go on.
    pub(super) fn begin_resync(&mut self, now: Instant, watch: WatchId, compact_revision: i64) {
        // So a page fits beside what is held already.
        let page_bytes = (self.config.limits.watch_buffer_bytes / 2).min(1 << 20);
        let Some(watcher) = self.watches.table.get_mut(&watch) else {
            return;
        };
        let listing = Listing::new(watcher.range().clone(), page_bytes);
        let listing = match watcher.wants_found() {
            true => listing,
            false => listing.with_keys_only(),
        };
        watcher.phase = Phase::Resyncing;
        watcher.resync = Some(Box::new(Resync {
            listing,
            compact_revision,
            oldest: compact_revision.max(watcher.position().next()),
            step: Step::Full,
            failures: 0,
            last_error: None,
        }));
        let next = watcher.position().next();
        self.notices.note(|| What::WatchReads {
            watch,
            next,
            compact_revision,
        });
        self.read_anew(now, watch);
    }

    /// Begins with the first page: at once, or after a wait where it begins again and again.
    fn read_anew(&mut self, now: Instant, watch: WatchId) {
        let Some(watcher) = self.watches.table.get_mut(&watch) else {
            return;
        };
        let (times, last) = watcher.resyncs;
        let times = if now - last > LONG_LIFE { 0 } else { times };
        watcher.resyncs = (times.saturating_add(1), now);
        match times {
            0 => self.join_line(watch),
            times => self.rest(now, watch, times),
        }
    }

    fn join_line(&mut self, watch: WatchId) {
        if let Some(resync) = self.resync_of(watch) {
            resync.step = Step::InLine;
            self.watches.resyncs.line.push_back(watch);
        }
    }

    fn rest(&mut self, now: Instant, watch: WatchId, times: u32) {
        let wait = self.rng.spread(retry::wait_after_round(times, WATCHES_CAP));
        // At least a moment, so that the timer cannot stay due.
        let until = now + wait.max(Duration::from_nanos(1));
        if let Some(resync) = self.resync_of(watch) {
            resync.step = Step::Resting(until);
            self.timers.arm(until, Timer::Resync(watch));
            self.stats.backoffs += 1;
            self.notices.note(|| What::WatchRests { watch, until });
        }
    }

    fn resync_of(&mut self, watch: WatchId) -> Option<&mut Resync> {
        self.watches.table.get_mut(&watch)?.resync.as_deref_mut()
    }

    /// The wait of a watch is over.
    pub(in crate::client) fn resync_is_due(&mut self, watch: WatchId) {
        self.join_line(watch);
    }

    /// The user of a watch has read enough for a further page.
    pub(super) fn resync_has_room(&mut self, watch: WatchId) {
        if self.resync_of(watch).is_some_and(|resync| resync.is_full()) {
            self.join_line(watch);
        }
    }

    /// Asks for pages, as far as there is room for them.
    pub(in crate::client) fn place_resyncs(&mut self, now: Instant) {
        while self.watches.resyncs.asked < AT_ONCE {
            let Some(watch) = self.watches.resyncs.line.pop_front() else {
                return;
            };
            let half = self.config.limits.watch_buffer_bytes / 2;
            let squeezed = self.watches.squeezed;
            let Some(watcher) = self.watches.table.get_mut(&watch) else {
                continue;
            };
            let held = watcher.queued_bytes();
            let has_room = held == 0 || (held <= half && !squeezed);
            watcher.full = !has_room;
            let Some(resync) = watcher.resync.as_deref_mut() else {
                continue;
            };
            if !has_room {
                resync.step = Step::Full;
                continue;
            }
            let range = resync.listing.request().clone();
            #[cfg(feature = "planted")]
            let range = self.plant_page(range);
            let call = self.call_for_page(now, watch, &range);
            self.watches.resyncs.asked += 1;
            if let Some(resync) = self.resync_of(watch) {
                resync.step = Step::Asked(call);
            }
        }
    }

    /// Deals with the pages that came, or did not. Whether there were any.
    pub(in crate::client) fn finish_resyncs(&mut self, now: Instant) -> bool {
        let mut any = false;
        while let Some((watch, call, result)) = self.watches.resyncs.answers.pop_front() {
            any = true;
            // It may have been taken back.
            let resync = self.resync_of(watch);
            if resync.is_none_or(|resync| resync.step != Step::Asked(call)) {
                continue;
            }
            match result {
                Ok(Response::Range(answer)) => self.page_came(now, watch, answer),
                Ok(_) => self.page_is_broken(now, watch),
                Err(error) => self.page_failed(now, watch, error),
            }
        }
        any
    }

    fn page_came(&mut self, now: Instant, watch: WatchId, answer: RangeResponse) {
        let Some(watcher) = self.watches.table.get_mut(&watch) else {
            return;
        };
        let Some(resync) = watcher.resync.as_deref_mut() else {
            return;
        };
        let is_first = resync.listing.revision() == 0;
        let read_at = answer.header.revision;
        if is_first && read_at > 0 && read_at < resync.oldest {
            let seen = resync.oldest;
            return self.page_is_old(now, watch, seen, read_at);
        }
        let Ok(page) = resync.listing.handle_answer(answer) else {
            return self.page_is_broken(now, watch);
        };
        resync.failures = 0;
        resync.last_error = None;
        let (compact_revision, revision) = (resync.compact_revision, resync.listing.revision());
        if is_first {
            watcher.behind_since = None;
            if !watcher.was_created() {
                watcher.handle_created(revision);
                // It is confirmed as far as its user can see.
                if let Some(deadline) = watcher.open_deadline.take() {
                    self.timers.disarm(deadline, Timer::WatchOpen(watch));
                }
            }
            watcher.tell_resync(compact_revision, revision);
        }
        self.take_in_page(watch, revision, page);
        self.tell_watch(watch);
    }

    /// A page is told, and makes room for the next or ends it all.
    fn take_in_page(&mut self, watch: WatchId, revision: i64, page: Page) {
        let limits = &self.config.limits;
        let (limit, most_known) = (limits.watch_buffer_bytes, limits.known_keys_bytes);
        let Some(watcher) = self.watches.table.get_mut(&watch) else {
            return;
        };
        let is_last = page.is_last;
        let before = watcher.queued_bytes();
        watcher.handle_page(revision, page);
        let held = watcher.queued_bytes();
        self.watches.queued_bytes = self.watches.queued_bytes + held - before;
        self.watches.squeezed |= self.watches.queued_bytes > limits.all_watch_buffers_bytes;
        if watcher.known_bytes() > most_known {
            let limit = Limit::KnownKeys(most_known);
            return self.end_watch(watch, passed(limit));
        }
        if !is_last {
            return self.join_line(watch);
        }
        watcher.end_resync(revision);
        // What it holds would hold up the connection it comes to.
        watcher.full = held > limit / 2;
        if watcher.full {
            watcher.phase = Phase::Aside;
        } else {
            self.wait_again(watch);
        }
    }

    /// A member knows less than what was compacted.
    fn page_is_old(&mut self, now: Instant, watch: WatchId, seen: i64, server: i64) {
        let Some(watcher) = self.watches.table.get_mut(&watch) else {
            return;
        };
        let since = *watcher.behind_since.get_or_insert(now);
        if now - since >= PATIENCE {
            return self.end_watch(watch, WatchEnd::RevisionWentBack { seen, server });
        }
        self.page_again(now, watch);
    }

    fn page_is_broken(&mut self, now: Instant, watch: WatchId) {
        let cause = Cause::BadAnswer(ProtocolError::BrokenPage);
        let applied = Applied::No;
        self.page_failed(now, watch, Error::Unavailable { cause, applied });
    }

    /// A call for a page did not bring one.
    fn page_failed(&mut self, now: Instant, watch: WatchId, error: Error) {
        let Some(resync) = self.resync_of(watch) else {
            return;
        };
        let pinned = resync.listing.revision();
        if error.is_compacted() && pinned > 0 {
            resync.oldest = pinned.saturating_add(1);
            resync.listing.begin_anew();
            return self.read_anew(now, watch);
        }
        let is_large = matches!(
            error,
            Error::Limit {
                limit: Limit::Body(_),
                ..
            }
        );
        if is_large && resync.listing.ask_for_less() {
            return self.join_line(watch);
        }
        let cause = match &error {
            Error::Unavailable {
                cause: Cause::ClusterChanged { .. },
                ..
            } => None,
            Error::Unavailable { cause, .. } => Some(cause.clone()),
            Error::Timeout { .. } => Some(Cause::ConnectionLost(CloseReason::Deadline)),
            Error::Etcd { status, .. } if retry::passing(status).is_some() => {
                Some(Cause::ConnectionLost(CloseReason::Status(status.clone())))
            }
            _ => None,
        };
        let Some(cause) = cause else {
            let end = match error {
                Error::Etcd { status, .. } => self.refused(status),
                error => WatchEnd::Failed(error),
            };
            return self.end_watch(watch, end);
        };
        resync.last_error = Some(error);
        match self.count_loss(now, watch, cause) {
            Some(end) => self.end_watch(watch, end),
            None => self.page_again(now, watch),
        }
    }

    /// Makes a call for a page again, after a wait that grows.
    fn page_again(&mut self, now: Instant, watch: WatchId) {
        let Some(resync) = self.resync_of(watch) else {
            return;
        };
        resync.failures = resync.failures.saturating_add(1);
        let failures = resync.failures;
        self.rest(now, watch, failures);
    }

    /// A watch reads no more; what was asked for it is taken back.
    pub(super) fn leave_resync(&mut self, now: Instant, watch: WatchId) {
        let Some(watcher) = self.watches.table.get_mut(&watch) else {
            return;
        };
        let Some(resync) = watcher.resync.take() else {
            return;
        };
        // It goes nowhere by itself.
        watcher.phase = Phase::Aside;
        match resync.step {
            Step::InLine => self.watches.resyncs.line.retain(|other| *other != watch),
            Step::Asked(call) => self.cancel_call(now, call),
            Step::Resting(until) => self.timers.disarm(until, Timer::Resync(watch)),
            Step::Full => {}
        }
    }
}

impl Watcher {
    /// Whether it waits for its user before it asks for more.
    pub(super) fn waits_for_room(&self) -> bool {
        let resync = self.resync.as_deref();
        self.phase == Phase::Aside || resync.is_some_and(Resync::is_full)
    }
}
