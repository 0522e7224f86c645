//! Watches that are behind what other answers of the same member show (rule T-4).
//!
//! That a member's store has gone on and a watch has heard nothing means little: what changed may be
//! nothing of the watch's. So the member is asked how far the watch is, and only if neither that nor
//! changes come in the time its options give is its user told. No position moves by any of it (rule W-6).
//!
//! One timer for all, and only while there are answers: an answer leaves its revision, and the timer looks
//! at the watches.

use core::time::Duration;
use std::collections::BTreeMap;
use std::collections::BTreeSet;

use super::Phase;
use crate::client::Client;
use crate::client::notice::What;
use crate::client::timer::Timer;
use crate::id::EndpointIndex;
use crate::id::WatchId;
use crate::time::Instant;

/// What members were seen to have, for the watches that want to know.
#[derive(Debug, Default)]
pub(in crate::client) struct Lags {
    /// The watches whose options ask for it.
    watches: BTreeSet<WatchId>,
    /// The newest revision that answers of each member showed.
    shown: BTreeMap<EndpointIndex, i64>,
    /// When the watches are looked at.
    look: Option<Instant>,
}

/// A watch that is behind.
#[derive(Clone, Copy, Debug)]
pub(super) struct Behind {
    since: Instant,
    /// What its member had shown then.
    shown: i64,
    told: bool,
}

#[cfg(feature = "planted")]
impl Behind {
    /// It counts as told. Gives what its member had shown.
    pub(super) const fn plant_told(&mut self) -> i64 {
        self.told = true;
        self.shown
    }
}

impl Lags {
    pub(super) fn add(&mut self, watch: WatchId) {
        self.watches.insert(watch);
    }

    pub(super) fn remove(&mut self, watch: WatchId) {
        self.watches.remove(&watch);
    }

    pub(super) fn clear(&mut self) {
        *self = Self::default();
    }
}

impl Client {
    /// An answer of a member showed how far its store has come.
    pub(in crate::client) fn revision_shown(
        &mut self,
        now: Instant,
        at: EndpointIndex,
        revision: i64,
    ) {
        let lags = &mut self.watches.lags;
        if lags.watches.is_empty() {
            return;
        }
        let shown = lags.shown.entry(at).or_default();
        *shown = (*shown).max(revision);
        if lags.look.is_none() {
            let table = &self.watches.table;
            let options = lags.watches.iter().filter_map(|watch| table.get(watch));
            let times = options.filter_map(|watcher| Some(watcher.options.lag?.time));
            let least = times.min().unwrap_or_default();
            self.look_later(now, least);
        }
    }

    fn look_later(&mut self, now: Instant, time: Duration) {
        // At least a moment, so that the timer cannot stay due.
        let at = now + time.max(Duration::from_millis(1));
        self.watches.lags.look = Some(at);
        self.timers.arm(at, Timer::Lag);
    }

    /// Looks at the watches that want to know whether they are behind.
    pub(in crate::client) fn look_for_lags(&mut self, now: Instant) {
        self.watches.lags.look = None;
        let mut again: Option<Duration> = None;
        for watch in self.watches.lags.watches.clone() {
            if let Some(wait) = self.look_for_lag(now, watch) {
                again = Some(again.map_or(wait, |other| other.min(wait)));
            }
        }
        // What answers show from now on is looked at then; endpoints may go.
        self.watches.lags.shown.clear();
        if let Some(wait) = again {
            self.look_later(now, wait);
        }
    }

    /// Looks at one watch. Gives after how long it is to be looked at once more, if it is behind.
    fn look_for_lag(&mut self, now: Instant, watch: WatchId) -> Option<Duration> {
        let watcher = self.watches.table.get_mut(&watch)?;
        let lag = watcher.options.lag?;
        let Phase::Live(id) = watcher.phase else {
            watcher.behind = None;
            return None;
        };
        let conn = self.conns.get(&id)?;
        if conn.full_streams > 0 {
            // We are the ones who do not read.
            watcher.behind = None;
            return None;
        }
        let is_behind = |shown: i64| shown - watcher.position().certified() > lag.revisions;
        let newest = self.watches.lags.shown.get(&conn.endpoint).copied();
        match watcher.behind {
            Some(behind) if is_behind(behind.shown) => {
                let waited = now - behind.since;
                if behind.told {
                    return None;
                }
                if waited < lag.time {
                    return Some(lag.time - waited);
                }
                watcher.behind = Some(Behind {
                    told: true,
                    ..behind
                });
                watcher.tell_lag(behind.shown);
                let (certified, server) = (watcher.position().certified(), behind.shown);
                self.notices.note(|| What::WatchLagging {
                    watch,
                    certified,
                    server,
                });
                self.tell_watch(watch);
                None
            }
            _ => {
                let newest = newest.filter(|shown| is_behind(*shown));
                watcher.behind = newest.map(|shown| Behind {
                    since: now,
                    shown,
                    told: false,
                });
                newest?;
                #[cfg(feature = "planted")]
                if self.plant_lag(watch) {
                    return None;
                }
                self.ask_for_progress(now, id);
                Some(lag.time)
            }
        }
    }
}
