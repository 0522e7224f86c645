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
    /// The configured ones, at least one; their places are 0 and up.
    list: Vec<Endpoint>,
    /// What is known of them, by the same places.
    health: Vec<Health>,
    balance: Balance,
    /// Who leads, where that matters.
    leader: Leader,
    /// Where the next call goes, if that one serves.
    calls: usize,
    /// Where the next connection for a stream goes (rule B-8: their own order).
    streams: usize,
    /// Which one was behind last, and when.
    behind: Option<(EndpointIndex, Instant)>,
    /// Others, by places that are never used again.
    others: BTreeMap<usize, Endpoint>,
    next: usize,
    /// How many others there may be before those are forgotten that nothing names any more.
    most: usize,
}

/// How many endpoints that are not configured are kept in any case.
const OTHERS: usize = 64;

impl Endpoints {
    /// `first` picks where to begin, so that many clients do not all begin at the same member.
    pub(crate) fn new(list: Vec<Endpoint>, balance: Balance, first: u64) -> Self {
        let configured = list.len().max(1);
        let first = usize::try_from(first % configured as u64).unwrap_or(0);
        Self {
            next: configured,
            health: vec![Health::default(); list.len()],
            leader: Leader::new(list.len()),
            list,
            balance,
            calls: first,
            streams: first,
            behind: None,
            others: BTreeMap::new(),
            most: OTHERS,
        }
    }

    /// Where the next call goes (rule B-5).
    pub(crate) fn for_call(&self) -> EndpointIndex {
        EndpointIndex(self.pick(self.first_for_calls(), None))
    }

    fn first_for_calls(&self) -> usize {
        let leader = self.leader.place();
        let leader = leader.filter(|_| self.balance == Balance::LeaderFirst);
        leader.unwrap_or(self.calls)
    }

    /// A call goes there.
    pub(crate) fn handle_call(&mut self, at: EndpointIndex) {
        self.calls = match self.balance {
            Balance::RoundRobin => self.after(at.0),
            Balance::Sticky | Balance::Priority => at.0,
            // Where it goes while nobody leads, it stays.
            Balance::LeaderFirst if self.leader.place() == Some(at.0) => self.calls,
            Balance::LeaderFirst => at.0,
        };
    }

    /// Where the next connection for a stream goes; not there, if there is another.
    pub(crate) fn for_stream(&self, avoided: Option<EndpointIndex>) -> EndpointIndex {
        EndpointIndex(self.pick(self.streams, avoided))
    }

    /// A stream's connection goes there.
    pub(crate) fn handle_stream(&mut self, at: EndpointIndex) {
        self.streams = match self.balance {
            Balance::RoundRobin | Balance::LeaderFirst => self.after(at.0),
            Balance::Sticky | Balance::Priority => at.0,
        };
    }

    /// Whether it serves, as far as is known.
    pub(crate) fn is_healthy(&self, at: EndpointIndex) -> bool {
        self.health.get(at.0).is_some_and(Health::is_healthy)
    }

    /// What is known of it; nothing of one that is not configured.
    pub(crate) fn state(&self, at: EndpointIndex) -> Option<EndpointState> {
        self.health.get(at.0).map(Health::told)
    }

    /// How many do not serve, as far as is known.
    pub(crate) fn unhealthy(&self) -> usize {
        let unhealthy = |health: &&Health| !health.is_healthy();
        self.health.iter().filter(unhealthy).count()
    }

    /// The endpoints a call may go to rather than wait, the best first: those that serve, or all if none
    /// does. Which they are does not depend on whose turn it is.
    pub(crate) fn instead(&self) -> impl Iterator<Item = EndpointIndex> + '_ {
        let none_serves = !self.health.iter().any(Health::is_healthy);
        self.order(self.calls)
            .filter(move |at| none_serves || self.health[*at].is_healthy())
            .filter(|_| self.balance == Balance::RoundRobin)
            .map(EndpointIndex)
    }

    /// Whether a free connection to it is of use.
    pub(crate) fn is_wanted(&self, at: EndpointIndex) -> bool {
        self.for_call() == at || self.instead().any(|wanted| wanted == at)
    }

    /// It answered something that only a member that serves answers.
    pub(crate) fn handle_answer(&mut self, at: EndpointIndex) {
        if let Some(health) = self.health.get_mut(at.0) {
            health.handle_answer();
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
        let health = self.health.get_mut(at.0);
        let is_news = health.is_some_and(|health| health.handle_failure(now, begun, flaw));
        if is_news {
            self.leave(at);
        }
        is_news
    }

    /// Somebody lost patience with it, which need not be its fault: others come first, once.
    pub(crate) fn leave(&mut self, at: EndpointIndex) {
        // Another may lead by now, and this one need not know, nor say so.
        self.leader.doubt(at.0);
        let count = self.list.len().max(1);
        for next in [&mut self.calls, &mut self.streams] {
            if *next == at.0 {
                *next = (at.0 + 1) % count;
            }
        }
    }

    /// Its member said this of itself and its cluster.
    pub(crate) fn handle_header(&mut self, at: EndpointIndex, header: &ResponseHeader) {
        self.leader.handle_header(at.0, header);
    }

    /// Its member said who leads.
    pub(crate) fn handle_status(&mut self, at: EndpointIndex, status: &StatusResponse) {
        self.leader.handle_status(at.0, status);
    }

    /// One that is to be asked who leads, and which member it is.
    pub(crate) fn poll_leader_question(&mut self, now: Instant) -> Option<EndpointIndex> {
        if self.balance != Balance::LeaderFirst {
            return None;
        }
        let health = &self.health;
        let serves = |at: usize| health.get(at).is_some_and(Health::is_healthy);
        self.leader.poll_question(now, serves).map(EndpointIndex)
    }

    /// A user may not have a stream there: the next one comes from another, which may know more of its roles.
    pub(crate) fn leave_for_streams(&mut self, at: EndpointIndex) {
        if self.streams == at.0 {
            self.streams = (at.0 + 1) % self.list.len().max(1);
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
        if !self.health.iter().any(Health::is_healthy) {
            return None;
        }
        let due = self.health.iter().position(|health| health.is_due(now))?;
        self.health[due].handle_probe(now);
        Some(EndpointIndex(due))
    }

    /// The asking is over, whatever came of it.
    pub(crate) fn handle_probed(&mut self, at: EndpointIndex) {
        if let Some(health) = self.health.get_mut(at.0) {
            health.handle_no_probe();
        }
    }

    fn pick(&self, from: usize, avoided: Option<EndpointIndex>) -> usize {
        let order = || {
            let all = self.order(from);
            all.filter(move |at| avoided.is_none_or(|avoided| avoided.0 != *at))
        };
        let serves = order().find(|at| self.health[*at].is_healthy());
        let soonest = || order().min_by_key(|at| self.health[*at].until());
        let only = || avoided.map_or(0, |avoided| avoided.0);
        serves.or_else(soonest).unwrap_or_else(only)
    }

    fn order(&self, from: usize) -> impl Iterator<Item = usize> + '_ {
        let from = match self.balance {
            Balance::Priority => 0,
            Balance::RoundRobin | Balance::Sticky | Balance::LeaderFirst => from,
        };
        let count = self.list.len();
        (0..count).map(move |step| (from + step) % count)
    }

    fn after(&self, at: usize) -> usize {
        (at + 1) % self.list.len().max(1)
    }

    /// The place of this endpoint, added outside the order of trying where it was not configured.
    pub(crate) fn find_or_add(&mut self, endpoint: &Endpoint) -> EndpointIndex {
        let configured = self.list.iter().position(|known| known == endpoint);
        let others = || self.others.iter().find(|(_, known)| *known == endpoint);
        if let Some(index) = configured.or_else(|| others().map(|(index, _)| *index)) {
            return EndpointIndex(index);
        }
        let index = self.next;
        self.next += 1;
        self.others.insert(index, endpoint.clone());
        EndpointIndex(index)
    }

    /// All of them, and whether each is configured.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (EndpointIndex, &Endpoint, bool)> {
        let list = self.list.iter().enumerate();
        let configured = list.map(|(at, endpoint)| (EndpointIndex(at), endpoint, true));
        let others = self.others.iter();
        configured.chain(others.map(|(at, endpoint)| (EndpointIndex(*at), endpoint, false)))
    }

    /// Whether it is time to look which endpoints nothing names any more.
    pub(crate) fn are_many(&self) -> bool {
        self.others.len() >= self.most
    }

    /// Forgets the endpoints that are not configured and not named. The next look is due when there
    /// are twice as many as are left, so looking costs little for each endpoint.
    pub(crate) fn keep(&mut self, named: &BTreeSet<EndpointIndex>) {
        self.others
            .retain(|index, _| named.contains(&EndpointIndex(*index)));
        self.most = OTHERS.max(self.others.len() * 2);
    }

    /// How many are not configured.
    #[cfg(test)]
    pub(crate) fn others(&self) -> usize {
        self.others.len()
    }

    /// Whether this place is still one of an endpoint.
    pub(crate) fn has(&self, index: EndpointIndex) -> bool {
        index.0 < self.list.len() || self.others.contains_key(&index.0)
    }

    pub(crate) fn configured(&self) -> usize {
        self.list.len()
    }

    /// The endpoint at this place.
    pub(crate) fn get(&self, index: EndpointIndex) -> &Endpoint {
        let configured = self.list.get(index.0);
        configured
            .or_else(|| self.others.get(&index.0))
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
