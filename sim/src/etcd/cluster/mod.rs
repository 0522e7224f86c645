//! A cluster: its members, their agreement, and who waits for what.
//!
//! Time comes in with each input; what is due by then happens first. Each question is answered once,
//! or never, if its member stopped or its asker went away.

mod agree;
mod expiry;
mod header;
mod node;
mod raft;
mod reads;
mod requests;
mod services;
mod snapshot;
mod streams;
#[cfg(test)]
mod tests;
mod timers;
mod upkeep;

use core::time::Duration;
use std::collections::{BTreeMap, BTreeSet, VecDeque};

use etcd_core::{Instant, Member, Response};

use super::log::Applied;
use super::machine::Machine;
use super::watch::Out;
use super::{AskId, Fault, Meta, Reply, Request, Setup, StreamRequest};
use crate::Rng;
use agree::{Log, Stuck};
use expiry::Expiry;
use node::Node;
use requests::Pending;
use services::Service;
use streams::Stream;
use timers::{Event, Timers};

/// A cluster of etcd servers as one machine.
///
/// ```
/// use etcd_core::{Instant, Put, Response, Version};
/// use etcd_sim::etcd::{AskId, Cluster, Meta, Reply, Setup};
///
/// let setup = Setup::new(Version::new(3, 5, 16)).with_members(3);
/// let mut cluster = Cluster::new(setup, 1, Instant::ZERO);
/// let put = Put::new("k", "v").into();
/// cluster.handle_request(Instant::ZERO, 0, AskId(1), Meta::default(), put);
/// // Nothing happens by itself: the caller comes back when it is time.
/// let answer = loop {
///     if let Some((AskId(1), answer)) = cluster.poll_reply() {
///         break answer;
///     }
///     let due = cluster.poll_timeout().expect("a write under way has a time");
///     cluster.handle_timeout(due);
/// };
/// let Reply::Answer(answer) = answer else { panic!() };
/// assert!(matches!(*answer, Response::Put(_)));
/// assert_eq!(cluster.revision(), 2);
/// ```
#[derive(Debug)]
pub struct Cluster {
    setup: Setup,
    rng: Rng,
    id: u64,
    now: Instant,
    nodes: Vec<Node>,
    /// What has been agreed on, applied at once.
    truth: Machine,
    log: Log,
    history: Vec<Applied>,
    /// Who leads with a quorum behind it.
    leader: Option<usize>,
    term: u64,
    /// When that one was elected.
    elected: Instant,
    /// When there will be an election.
    elects: Option<Instant>,
    /// What a leader has that lost its quorum.
    stuck: Vec<Stuck>,
    /// The leader tries to hand over to one that does not hear of it.
    hands_over: Option<HandOver>,
    expiry: Expiry,
    timers: Timers,
    pending: BTreeMap<Waiter, Pending>,
    deadlines: BTreeSet<(Instant, Waiter)>,
    streams: BTreeMap<AskId, Stream>,
    services: BTreeMap<u64, Service>,
    /// How many services there ever were, for their names.
    service_count: u64,
    replies: Out,
}

/// A leader's try to hand over.
#[derive(Debug)]
struct HandOver {
    to: usize,
    until: Instant,
    by: usize,
    waiter: Waiter,
}

/// Who waits for the outcome of a write or a read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Waiter {
    /// An asker outside.
    Ask(AskId),
    /// A lock or an election that a member sees to.
    Service(u64),
    /// The same, for the time its asker has.
    Patience(u64),
    /// A stream whose renewals wait for a leader.
    Renewal(AskId),
}

impl Cluster {
    /// A cluster that has just elected its leader; nothing was written yet. Everything that is left
    /// to chance follows from the seed.
    #[must_use]
    pub fn new(setup: Setup, seed: u64, now: Instant) -> Self {
        let mut rng = Rng::new(seed).fork(0xe7cd);
        let members = setup.members.max(1);
        let id = rng.next_u64();
        let mut truth = Machine::new(&setup);
        let ids: Vec<_> = (0..members).map(|_| rng.next_u64() | 1).collect();
        for (index, &id) in ids.iter().enumerate() {
            let mut member = Member::default();
            member.id = id;
            let place = setup.place(index);
            member.name = place.name;
            member.peer_urls = vec![place.peer_url];
            member.client_urls = vec![place.client_url];
            truth.members.insert(member);
        }
        // A new cluster's first entries: its members, an empty one of the leader, its version.
        let log = Log::new(u64::try_from(members).unwrap_or(1) + 2);
        let nodes = ids
            .iter()
            .map(|&id| Node::new(id, truth.clone(), log.last()));
        let nodes = nodes.collect();
        let mut cluster = Self {
            setup,
            rng,
            id,
            now,
            nodes,
            truth,
            log,
            history: Vec::new(),
            leader: None,
            term: 1,
            elected: now,
            elects: None,
            stuck: Vec::new(),
            hands_over: None,
            expiry: Expiry::default(),
            timers: Timers::default(),
            pending: BTreeMap::new(),
            deadlines: BTreeSet::new(),
            streams: BTreeMap::new(),
            services: BTreeMap::new(),
            service_count: 0,
            replies: VecDeque::new(),
        };
        cluster.elect();
        cluster
    }

    /// A request came to a member.
    pub fn handle_request(
        &mut self,
        now: Instant,
        member: usize,
        ask: AskId,
        meta: Meta,
        request: Request,
    ) {
        self.run(now);
        if self.is_serving(member) {
            self.begin(member, Waiter::Ask(ask), meta, request);
        }
    }

    /// A stream was opened at a member, with its first message.
    pub fn handle_stream(
        &mut self,
        now: Instant,
        member: usize,
        ask: AskId,
        meta: Meta,
        request: StreamRequest,
    ) {
        self.run(now);
        if self.is_serving(member) {
            self.open_stream(member, ask, meta, request);
        }
    }

    /// A further message of a stream.
    pub fn handle_stream_message(&mut self, now: Instant, ask: AskId, request: StreamRequest) {
        self.run(now);
        self.stream_message(ask, request);
    }

    /// No further message comes on a stream. A stream of renewals ends once all are answered; a watch
    /// goes on.
    pub fn handle_stream_end(&mut self, now: Instant, ask: AskId) {
        self.run(now);
        self.end_stream(ask);
    }

    /// Who asked is gone: its watches end, what it waited for is not told. A write it asked for may
    /// still be done.
    pub fn handle_gone(&mut self, now: Instant, ask: AskId) {
        self.run(now);
        self.drop_pending(Waiter::Ask(ask));
        self.drop_stream(ask);
        self.dismiss(ask);
    }

    /// The next reply.
    pub fn poll_reply(&mut self) -> Option<(AskId, Reply)> {
        self.replies.pop_front()
    }

    /// When to come back at the latest.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Instant> {
        let deadline = self.deadlines.first().map(|&(due, _)| due);
        let event = self.timers.next();
        match (deadline, event) {
            (Some(deadline), Some(event)) => Some(deadline.min(event)),
            (deadline, event) => deadline.or(event),
        }
    }

    /// Coming back.
    pub fn handle_timeout(&mut self, now: Instant) {
        self.run(now);
    }

    /// Whether a member runs and belongs to the cluster.
    #[must_use]
    pub fn is_serving(&self, member: usize) -> bool {
        let node = self.nodes.get(member);
        node.is_some_and(|node| node.running)
    }

    /// Which member leads, if one has a quorum behind it.
    #[must_use]
    pub const fn leader(&self) -> Option<usize> {
        self.leader
    }

    /// How many members there ever were; they are counted from 0 on, and removed ones keep their
    /// places.
    #[must_use]
    pub fn members(&self) -> usize {
        self.nodes.len()
    }

    /// The id of a member, 0 if there is none.
    #[must_use]
    pub fn member_id(&self, member: usize) -> u64 {
        self.nodes.get(member).map_or(0, |node| node.id)
    }

    /// The id of the member that was added with this peer URL.
    #[must_use]
    pub fn member_at(&self, peer_url: &str) -> Option<u64> {
        let members = self.truth.members.list().into_iter();
        let mut found = members.filter(|member| member.peer_urls.iter().any(|url| url == peer_url));
        found.next().map(|member| member.id)
    }

    /// The cluster's id.
    #[must_use]
    pub const fn id(&self) -> u64 {
        self.id
    }

    /// What it was made with.
    #[must_use]
    pub const fn setup(&self) -> &Setup {
        &self.setup
    }

    /// Every write that was agreed on, in its order, if [`Setup::keep_log`] is set.
    #[must_use]
    pub fn log(&self) -> &[Applied] {
        &self.history
    }

    /// The newest revision.
    #[must_use]
    pub const fn revision(&self) -> i64 {
        self.truth.store.revision()
    }

    /// The revision that was compacted last, 0 if none was.
    #[must_use]
    pub fn compact_revision(&self) -> i64 {
        self.truth.store.compacted().max(0)
    }

    /// Lets happen what is due.
    fn run(&mut self, now: Instant) {
        loop {
            let deadline = self.deadlines.first().map(|&(due, _)| due);
            let deadline = deadline.filter(|&due| due <= now);
            let event = self.timers.next().filter(|&due| due <= now);
            match (deadline, event) {
                (Some(deadline), event) if event.is_none_or(|event| deadline < event) => {
                    self.now = self.now.max(deadline);
                    self.time_out();
                }
                (_, Some(_)) => {
                    let Some((due, event)) = self.timers.take(now) else {
                        break;
                    };
                    self.now = self.now.max(due);
                    self.happen(event);
                }
                _ => break,
            }
        }
        self.now = self.now.max(now);
    }

    fn happen(&mut self, event: Event) {
        match event {
            Event::Commit(proposal) => self.commit(*proposal),
            Event::Read(member, read) => self.confirm_read(member, *read),
            Event::Apply(member) => self.apply_due(member),
            Event::Forget(member) => self.forget_leader(member),
            Event::Elect => self.elect_if_due(),
            Event::Leases => self.end_leases(),
            Event::Sync(member) => self.sync_watches(member),
            Event::Progress(member, ask) => self.tick_progress(member, ask),
            Event::Leaderless(member, ask) => self.check_leaderless(member, ask),
        }
    }

    /// Tells an asker how its request ended.
    fn answer(&mut self, ask: AskId, result: Result<Response, Fault>) {
        let reply = match result {
            Ok(response) => Reply::Answer(Box::new(response)),
            Err(fault) => Reply::Fault(fault),
        };
        self.replies.push_back((ask, reply));
    }

    fn plan(&mut self, after: Duration, event: Event) {
        self.timers.add(self.now + after, event);
    }
}
