//! The configured endpoints: which one is taken next.

use std::collections::BTreeMap;
use std::collections::BTreeSet;

use super::Endpoint;
use super::health::Flaw;
use super::health::Health;
use super::leader::Leader;
use crate::api::ResponseHeader;
use crate::api::StatusResponse;
use crate::client::notice::EndpointState;
use crate::id::EndpointIndex;
use crate::time::Instant;

/// How a client chooses among the endpoints that serve (rule B-6). One that failed comes last, whatever
/// the choice; a call that names its endpoint ([`CallOptions::endpoint`](crate::CallOptions)) goes there.
///
/// ```
/// use etcd_core::{Balance, Config};
///
/// let mut config = Config::new(["http://10.0.0.1:2379", "http://10.0.0.2:2379"])?;
/// assert_eq!(config.balance, Balance::RoundRobin);
/// // The first one, and the second only while the first does not serve.
/// config.balance = Balance::Priority;
/// # Ok::<(), etcd_core::ConfigError>(())
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Balance {
    /// One after the other, beginning at one picked by the seed. A call never waits for a connection
    /// to the next one while one to another is free.
    #[default]
    RoundRobin,
    /// Always the same, beginning at one picked by the seed, until it fails.
    Sticky,
    /// The first in the order of the configuration.
    Priority,
    /// The member that leads, which spares writes and reads the way over a follower; while it is not known, or
    /// does not serve, always the same of the others. Who leads is asked of the members (`Status`) when the
    /// client begins, after each election that an answer shows, and where the leader lets callers wait.
    /// Watches are spread as ever.
    LeaderFirst,
}

/// The configured endpoints, which of them is next, and others that calls were pinned to.
#[derive(Debug)]
pub(crate) struct Endpoints {
    /// The configured ones, at least one, in their order.
    list: Vec<Entry>,
    balance: Balance,
    /// Who leads, where that matters.
    leader: Leader,
    /// Where in the list the next call goes, if that one serves.
    calls: usize,
    /// Where in it the next connection for a stream goes (rule B-8: their own order).
    streams: usize,
    /// Which one was behind last, and when.
    behind: Option<(EndpointIndex, Instant)>,
    /// Others: those that calls were pinned to, and those that were configured before.
    others: BTreeMap<EndpointIndex, Endpoint>,
    /// The next index, which was never used.
    next: usize,
    /// How many others there may be before those are forgotten that nothing names any more.
    most: usize,
}

/// One that is configured.
#[derive(Debug)]
struct Entry {
    at: EndpointIndex,
    endpoint: Endpoint,
    /// What is known of it.
    health: Health,
}

/// How many endpoints that are not configured are kept in any case.
const OTHERS: usize = 64;

impl Endpoints {
    /// `first` picks where to begin, so that many clients do not all begin at the same member.
    pub(crate) fn new(list: Vec<Endpoint>, balance: Balance, first: u64) -> Self {
        let mut endpoints = Self {
            list: Vec::new(),
            balance,
            leader: Leader::new(0),
            calls: 0,
            streams: 0,
            behind: None,
            others: BTreeMap::new(),
            next: 0,
            most: OTHERS,
        };
        endpoints.set(list, first);
        endpoints
    }

    /// These are the configured ones from now on, each once. Of those that were before all is known that was; the others of
    /// them are as if calls had been pinned to them. Where the one whose turn it was is gone, `first` picks another.
    pub(crate) fn set(&mut self, list: Vec<Endpoint>, first: u64) {
        let at = |place: usize| self.list.get(place).map(|entry| entry.at);
        let (calls, streams) = (at(self.calls), at(self.streams));
        let mut old = core::mem::take(&mut self.list);
        for endpoint in list {
            if self.list.iter().any(|entry| entry.endpoint == endpoint) {
                continue;
            }
            let kept = old.iter().position(|entry| entry.endpoint == endpoint);
            let entry = match kept {
                Some(kept) => old.remove(kept),
                None => Entry {
                    at: self.find_or_add(&endpoint),
                    endpoint,
                    health: Health::default(),
                },
            };
            self.others.remove(&entry.at);
            self.list.push(entry);
        }
        for entry in old {
            self.others.insert(entry.at, entry.endpoint);
        }
        let place = |at: Option<EndpointIndex>| at.and_then(|at| self.place(at));
        let first = usize::try_from(first % self.count() as u64).unwrap_or(0);
        let (calls, streams) = (place(calls), place(streams));
        (self.calls, self.streams) = (calls.unwrap_or(first), streams.unwrap_or(first));
        self.leader = Leader::new(self.list.len());
    }

    /// Its place in the list, if it is configured.
    fn place(&self, at: EndpointIndex) -> Option<usize> {
        // As long as the configuration was not changed that is where it is.
        let is_here = |entry: &Entry| entry.at == at;
        match self.list.get(at.0) {
            Some(entry) if is_here(entry) => Some(at.0),
            _ => self.list.iter().position(is_here),
        }
    }

    fn entry(&mut self, at: EndpointIndex) -> Option<&mut Entry> {
        let place = self.place(at)?;
        self.list.get_mut(place)
    }

    /// How many there are, but at least one.
    fn count(&self) -> usize {
        self.list.len().max(1)
    }

    /// The one at a place of the list.
    fn at(&self, place: usize) -> EndpointIndex {
        self.list
            .get(place)
            .map_or(EndpointIndex(0), |entry| entry.at)
    }

    /// Where the next call goes (rule B-5).
    pub(crate) fn for_call(&self) -> EndpointIndex {
        self.pick(self.first_for_calls(), None)
    }

    fn first_for_calls(&self) -> usize {
        let leader = self.leader.place();
        let leader = leader.filter(|_| self.balance == Balance::LeaderFirst);
        leader.unwrap_or(self.calls)
    }

    /// A call goes there.
    pub(crate) fn handle_call(&mut self, at: EndpointIndex) {
        let Some(place) = self.place(at) else {
            return;
        };
        self.calls = match self.balance {
            Balance::RoundRobin => self.after(place),
            Balance::Sticky | Balance::Priority => place,
            // Where it goes while nobody leads, it stays.
            Balance::LeaderFirst if self.leader.place() == Some(place) => self.calls,
            Balance::LeaderFirst => place,
        };
    }

    /// Where the next connection for a stream goes; not there, if there is another.
    pub(crate) fn for_stream(&self, avoided: Option<EndpointIndex>) -> EndpointIndex {
        self.pick(self.streams, avoided)
    }

    /// A stream's connection goes there.
    pub(crate) fn handle_stream(&mut self, at: EndpointIndex) {
        let Some(place) = self.place(at) else {
            return;
        };
        self.streams = match self.balance {
            Balance::RoundRobin | Balance::LeaderFirst => self.after(place),
            Balance::Sticky | Balance::Priority => place,
        };
    }

    /// Whether it serves, as far as is known.
    pub(crate) fn is_healthy(&self, at: EndpointIndex) -> bool {
        let place = self.place(at);
        place.is_some_and(|place| self.list[place].health.is_healthy())
    }

    /// What is known of it; nothing of one that is not configured.
    pub(crate) fn state(&self, at: EndpointIndex) -> Option<EndpointState> {
        self.place(at).map(|place| self.list[place].health.told())
    }

    /// How many do not serve, as far as is known.
    pub(crate) fn unhealthy(&self) -> usize {
        let unhealthy = |entry: &&Entry| !entry.health.is_healthy();
        self.list.iter().filter(unhealthy).count()
    }

    /// The endpoints a call may go to rather than wait, the best first: those that serve, or all if none
    /// does. Which they are does not depend on whose turn it is.
    pub(crate) fn instead(&self) -> impl Iterator<Item = EndpointIndex> + '_ {
        let none_serves = !self.any_serves();
        self.order(self.calls)
            .filter(move |place| none_serves || self.list[*place].health.is_healthy())
            .filter(|_| self.balance == Balance::RoundRobin)
            .map(|place| self.at(place))
    }

    /// Whether a free connection to it is of use.
    pub(crate) fn is_wanted(&self, at: EndpointIndex) -> bool {
        self.for_call() == at || self.instead().any(|wanted| wanted == at)
    }

    /// It answered something that only a member that serves answers.
    pub(crate) fn handle_answer(&mut self, at: EndpointIndex) {
        if let Some(entry) = self.entry(at) {
            entry.health.handle_answer();
        }
    }

    /// Something that was begun then failed by its fault (rules B-3 and B-4). False if that says nothing
    /// new of it.
    pub(crate) fn handle_failure(
        &mut self,
        now: Instant,
        at: EndpointIndex,
        begun: Instant,
        flaw: Flaw,
    ) -> bool {
        let entry = self.entry(at);
        let is_news = entry.is_some_and(|entry| entry.health.handle_failure(now, begun, flaw));
        if is_news {
            self.leave(at);
        }
        is_news
    }

    /// Somebody lost patience with it, which need not be its fault: others come first, once.
    pub(crate) fn leave(&mut self, at: EndpointIndex) {
        let Some(place) = self.place(at) else {
            return;
        };
        // Another may lead by now, and this one need not know, nor say so.
        self.leader.doubt(place);
        let after = self.after(place);
        for next in [&mut self.calls, &mut self.streams] {
            if *next == place {
                *next = after;
            }
        }
    }

    /// Its member said this of itself and its cluster.
    pub(crate) fn handle_header(&mut self, at: EndpointIndex, header: &ResponseHeader) {
        if self.balance == Balance::LeaderFirst {
            if let Some(place) = self.place(at) {
                self.leader.handle_header(place, header);
            }
        }
    }

    /// Its member said who leads.
    pub(crate) fn handle_status(&mut self, at: EndpointIndex, status: &StatusResponse) {
        if self.balance == Balance::LeaderFirst {
            if let Some(place) = self.place(at) {
                self.leader.handle_status(place, status);
            }
        }
    }

    /// One that is to be asked who leads, and which member it is.
    pub(crate) fn poll_leader_question(&mut self, now: Instant) -> Option<EndpointIndex> {
        if self.balance != Balance::LeaderFirst {
            return None;
        }
        let list = &self.list;
        let serves = |place: usize| list.get(place).is_some_and(|it| it.health.is_healthy());
        let place = self.leader.poll_question(now, serves)?;
        Some(self.at(place))
    }

    /// A user may not have a stream there: the next one comes from another, which may know more of its roles.
    pub(crate) fn leave_for_streams(&mut self, at: EndpointIndex) {
        if self.place(at) == Some(self.streams) {
            self.streams = self.after(self.streams);
        }
    }

    /// The store was set back, and terms with it.
    pub(crate) fn handle_set_back(&mut self) {
        self.leader = Leader::new(self.list.len());
    }

    /// It is behind what a watch saw, and others come first. False if that was told in the same moment.
    pub(crate) fn handle_behind(&mut self, now: Instant, at: EndpointIndex) -> bool {
        self.leave(at);
        self.behind.replace((at, now)) != Some((at, now))
    }

    /// One that failed and may serve again, while others do: it is to be asked, once.
    pub(crate) fn poll_probe(&mut self, now: Instant) -> Option<EndpointIndex> {
        if !self.any_serves() {
            return None;
        }
        let due = self.list.iter_mut().find(|it| it.health.is_due(now))?;
        due.health.handle_probe(now);
        Some(due.at)
    }

    /// The asking is over, whatever came of it.
    pub(crate) fn handle_probed(&mut self, at: EndpointIndex) {
        if let Some(entry) = self.entry(at) {
            entry.health.handle_no_probe();
        }
    }

    fn any_serves(&self) -> bool {
        self.list.iter().any(|entry| entry.health.is_healthy())
    }

    fn pick(&self, from: usize, avoided: Option<EndpointIndex>) -> EndpointIndex {
        let order = || {
            let all = self.order(from);
            all.filter(move |place| avoided.is_none_or(|avoided| avoided != self.at(*place)))
        };
        let serves = order().find(|place| self.list[*place].health.is_healthy());
        let soonest = || order().min_by_key(|place| self.list[*place].health.until());
        let found = serves.or_else(soonest).map(|place| self.at(place));
        found.or(avoided).unwrap_or_else(|| self.at(0))
    }

    fn order(&self, from: usize) -> impl Iterator<Item = usize> + '_ {
        let from = match self.balance {
            Balance::Priority => 0,
            Balance::RoundRobin | Balance::Sticky | Balance::LeaderFirst => from,
        };
        let count = self.list.len();
        (0..count).map(move |step| (from + step) % count)
    }

    fn after(&self, place: usize) -> usize {
        (place + 1) % self.count()
    }

    /// The place of this endpoint, added outside the order of trying where it was not configured.
    pub(crate) fn find_or_add(&mut self, endpoint: &Endpoint) -> EndpointIndex {
        let known = |(_, known, _): &(EndpointIndex, &Endpoint, bool)| *known == endpoint;
        if let Some((at, ..)) = self.iter().find(known) {
            return at;
        }
        let at = EndpointIndex(self.next);
        self.next += 1;
        self.others.insert(at, endpoint.clone());
        at
    }

    /// All of them, and whether each is configured.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (EndpointIndex, &Endpoint, bool)> {
        let list = self.list.iter();
        let configured = list.map(|entry| (entry.at, &entry.endpoint, true));
        let others = self.others.iter();
        configured.chain(others.map(|(at, endpoint)| (*at, endpoint, false)))
    }

    /// Whether it is time to look which endpoints nothing names any more.
    pub(crate) fn are_many(&self) -> bool {
        self.others.len() >= self.most
    }

    /// Forgets the endpoints that are not configured and not named. The next look is due when there
    /// are twice as many as are left, so looking costs little for each endpoint.
    pub(crate) fn keep(&mut self, named: &BTreeSet<EndpointIndex>) {
        self.others.retain(|at, _| named.contains(at));
        self.most = OTHERS.max(self.others.len() * 2);
    }

    /// How many are not configured.
    #[cfg(test)]
    pub(crate) fn others(&self) -> usize {
        self.others.len()
    }

    /// Whether this place is still one of an endpoint.
    pub(crate) fn has(&self, index: EndpointIndex) -> bool {
        self.place(index).is_some() || self.others.contains_key(&index)
    }

    /// Whether it is one of the configuration.
    pub(crate) fn is_configured(&self, at: EndpointIndex) -> bool {
        self.place(at).is_some()
    }

    pub(crate) fn configured(&self) -> usize {
        self.list.len()
    }

    /// The endpoint at this place.
    pub(crate) fn get(&self, index: EndpointIndex) -> &Endpoint {
        let configured = self.place(index).map(|place| &self.list[place].endpoint);
        configured
            .or_else(|| self.others.get(&index))
            .expect("places come from here, and what is named is not forgotten")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_not_used_again() {
        let mut endpoints = Endpoints::new(vec!["a".parse().unwrap()], Balance::default(), 0);
        let (b, c) = ("b".parse().unwrap(), "c".parse().unwrap());
        let first = endpoints.find_or_add(&b);
        let kept = endpoints.find_or_add(&c);
        assert_eq!(endpoints.find_or_add(&b), first);
        endpoints.keep(&BTreeSet::from([kept]));
        assert!(endpoints.has(kept) && !endpoints.has(first));
        assert_ne!(endpoints.find_or_add(&b), first);
        assert_eq!(endpoints.get(kept), &c);
    }

    const NOW: Instant = Instant::ZERO;

    fn three(balance: Balance) -> Endpoints {
        let list = ["a", "b", "c"].map(|host| host.parse().unwrap());
        Endpoints::new(list.into(), balance, 1)
    }

    /// Where the next calls go.
    fn next(endpoints: &mut Endpoints, count: usize) -> Vec<usize> {
        let mut places = Vec::new();
        for _ in 0..count {
            let at = endpoints.for_call();
            endpoints.handle_call(at);
            places.push(at.0);
        }
        places
    }

    #[test]
    fn b5_b6_calls_go_round_sticky_or_by_priority() {
        assert_eq!(next(&mut three(Balance::RoundRobin), 4), [1, 2, 0, 1]);
        assert_eq!(next(&mut three(Balance::Sticky), 3), [1, 1, 1]);
        assert_eq!(next(&mut three(Balance::Priority), 3), [0, 0, 0]);
        for balance in [Balance::RoundRobin, Balance::Sticky, Balance::Priority] {
            let mut endpoints = three(balance);
            let first = endpoints.for_call();
            assert!(endpoints.handle_failure(NOW, first, NOW, Flaw::Failed));
            let places = next(&mut endpoints, 4);
            assert!(!places.contains(&first.0), "{balance:?}: {places:?}");
        }
    }

    #[test]
    fn b5_where_none_is_healthy_the_one_comes_first_whose_window_ends_first() {
        let mut endpoints = three(Balance::Sticky);
        let second = core::time::Duration::from_secs(1);
        for (seconds, at) in [(0, 2), (1, 0), (2, 1)] {
            let now = NOW + second * seconds;
            assert!(endpoints.handle_failure(now, EndpointIndex(at), now, Flaw::Failed));
        }
        assert_eq!(endpoints.for_call(), EndpointIndex(2));
        let now = NOW + second * 3;
        assert!(endpoints.handle_failure(now, EndpointIndex(2), now, Flaw::Failed));
        assert_eq!(endpoints.for_call(), EndpointIndex(0));
        assert_eq!(endpoints.poll_probe(now + second * 60), None);
        endpoints.handle_answer(EndpointIndex(1));
        assert_eq!(endpoints.for_call(), EndpointIndex(1));
        let later = now + second * 60;
        assert_eq!(endpoints.poll_probe(later), Some(EndpointIndex(0)));
        assert_eq!(endpoints.poll_probe(later), Some(EndpointIndex(2)));
        assert_eq!(endpoints.poll_probe(later), None);
    }

    #[test]
    fn b8_streams_have_an_order_of_their_own() {
        let mut endpoints = three(Balance::RoundRobin);
        assert_eq!(next(&mut endpoints, 2), [1, 2]);
        assert_eq!(endpoints.for_stream(None), EndpointIndex(1));
        endpoints.handle_stream(EndpointIndex(1));
        assert_eq!(endpoints.for_stream(None), EndpointIndex(2));
    }

    #[test]
    fn a_late_failure_of_another_endpoint_moves_nothing() {
        let mut endpoints = three(Balance::Sticky);
        let first = endpoints.for_call();
        let later = NOW + core::time::Duration::from_secs(1);
        assert!(endpoints.handle_failure(later, first, NOW, Flaw::Failed));
        let second = endpoints.for_call();
        assert_ne!(first, second);
        assert!(!endpoints.handle_failure(later, first, NOW, Flaw::Failed));
        assert_eq!(endpoints.for_call(), second);
    }
}
