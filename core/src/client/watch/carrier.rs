//! Which endpoints get a request for each watch, because something on the way keeps requests back.
//!
//! Watches share a POST whose body stays open (gateway.md 8). A proxy that sends requests on only once it
//! has all of them never sends that one, and nothing comes back. So where a connection for watches was
//! open for `Config::watch_created_timeout` and not a byte came, the next ones to that endpoint carry one
//! watch each, in a complete request (rule W-22). The server may have been at fault: if such a request is
//! not answered either, or after 30 s, doubled up to 10 min, a shared one is tried again.
//!
//! It knows no connections and no watches.

use core::time::Duration;
use std::collections::BTreeMap;

use crate::id::EndpointIndex;
use crate::time::Instant;

const FIRST: Duration = Duration::from_secs(30);
const LONGEST: Duration = Duration::from_secs(600);

/// How the watches of a client travel.
///
/// ```
/// use etcd_core::{Config, WatchCarrier};
///
/// let mut config = Config::new(["http://proxy:8080"])?;
/// assert_eq!(config.watch_carrier, WatchCarrier::Shared);
/// config.watch_carrier = WatchCarrier::Single;
/// # Ok::<(), etcd_core::ConfigError>(())
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum WatchCarrier {
    /// Up to `Config::max_watches_per_connection` share a connection, in a request whose body stays open.
    /// Where that is not answered in time, since a proxy waits for the end of the body, the endpoint gets
    /// watches as `Single` has them for a while.
    #[default]
    Shared,
    /// Each watch has a connection of its own, with a complete request: for proxies that are known to
    /// buffer requests. The server cannot be told anything more on it. So
    ///
    /// * a canceled watch is known to the server by the end of its connection, which a proxy may delay;
    /// * progress that is asked for is what was delivered for certain, as no server is asked, and no watch
    ///   is told as lagging;
    /// * a server cannot be asked whether it is there: a connection on which nothing came for 5 min (rule
    ///   T-3) is replaced, and until then a frozen server is not noticed. Where the client found a proxy by
    ///   itself it takes less time until it is sure of it: `Config::watch_idle_timeout` and
    ///   `Config::watch_probe_timeout`;
    /// * there are at most as many watches as `Limits::connections` has room for; further ones wait.
    Single,
}

/// What is known of the way to each endpoint.
#[derive(Debug, Default)]
pub(super) struct Carriers {
    kept_back: BTreeMap<EndpointIndex, KeptBack>,
}

/// Shared requests are kept back, it seems.
#[derive(Debug)]
struct KeptBack {
    /// Until then none is tried.
    until: Instant,
    wait: Duration,
}

impl Carriers {
    /// Forgets the endpoints that are not kept.
    pub(super) fn keep(&mut self, is_kept: impl Fn(EndpointIndex) -> bool) {
        self.kept_back.retain(|at, _| is_kept(*at));
    }

    /// Whether watches go there one by one.
    pub(super) fn is_single(&self, now: Instant, at: EndpointIndex) -> bool {
        let kept_back = self.kept_back.get(&at);
        kept_back.is_some_and(|kept_back| now < kept_back.until)
    }

    /// Whether shared requests there were not answered twice, with some time in between.
    pub(super) fn is_proven(&self, at: EndpointIndex) -> bool {
        let kept_back = self.kept_back.get(&at);
        kept_back.is_some_and(|kept_back| kept_back.wait > FIRST)
    }

    /// A shared request was not answered by a byte. Gives when the next one is tried.
    pub(super) fn handle_silence(&mut self, now: Instant, at: EndpointIndex) -> Instant {
        let before = self.kept_back.get(&at);
        let wait = match before {
            // One that was opened before that was known says nothing new.
            Some(kept_back) if now < kept_back.until => return kept_back.until,
            Some(kept_back) => (kept_back.wait * 2).min(LONGEST),
            None => FIRST,
        };
        let until = now + wait;
        self.kept_back.insert(at, KeptBack { until, wait });
        until
    }

    /// A shared request was answered, or one of a single watch was not.
    pub(super) fn handle_other(&mut self, at: EndpointIndex) {
        self.kept_back.remove(&at);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn w22_shared_requests_are_tried_again_and_less_often() {
        let (mut carriers, at) = (Carriers::default(), EndpointIndex(0));
        let mut now = Instant::ZERO;
        assert!(!carriers.is_single(now, at));
        let mut waits = Vec::new();
        for _ in 0..7 {
            let until = carriers.handle_silence(now, at);
            assert_eq!(carriers.handle_silence(now, at), until);
            assert!(carriers.is_single(now, at) && !carriers.is_single(until, at));
            assert!(!carriers.is_single(now, EndpointIndex(1)));
            assert_eq!(carriers.is_proven(at), !waits.is_empty());
            waits.push((until - now).as_secs());
            now = until;
        }
        assert_eq!(waits, [30, 60, 120, 240, 480, 600, 600]);
        carriers.handle_other(at);
        assert_eq!(carriers.handle_silence(now, at), now + FIRST);
    }
}
