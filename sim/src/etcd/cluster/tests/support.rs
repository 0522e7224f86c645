//! A cluster with a clock, and someone who asks it.

use core::time::Duration;
use std::collections::BTreeMap;

use etcd_core::{
    Call, Instant, KvEvent, LeaseKeepAlive, LeaseKeepAliveResponse, Put, PutResponse, Range,
    RangeResponse, Response, Version, Watch, WatchRequest, WatchResponse,
};

use crate::etcd::{AskId, Cluster, Fault, Meta, Reply, Request, Setup, StreamRequest};

pub(super) struct Etcd {
    pub(super) cluster: Cluster,
    pub(super) now: Instant,
    last: u64,
    replies: BTreeMap<AskId, Vec<Reply>>,
}

pub(super) fn millis(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

pub(super) fn secs(secs: u64) -> Duration {
    Duration::from_secs(secs)
}

/// A watch's answer in short: what it is, and its revision.
pub(super) fn short(response: &WatchResponse) -> String {
    let revision = response.header.revision;
    let id = response.watch_id;
    let mut words = vec![format!("{id}@{revision}")];
    if response.created {
        words.push("created".to_owned());
    }
    if response.canceled {
        words.push("canceled".to_owned());
    }
    if response.compact_revision != 0 {
        words.push(format!("compacted {}", response.compact_revision));
    }
    if response.fragment {
        words.push("fragment".to_owned());
    }
    words.extend(response.events.iter().map(event));
    words.join(" ")
}

fn event(event: &KvEvent) -> String {
    let key = event.kv.key_str().unwrap();
    let revision = event.kv.mod_revision;
    let sign = match event.kind {
        etcd_core::EventKind::Put => "+",
        _ => "-",
    };
    let prev = event.prev_kv.as_ref();
    let prev = prev.map_or(String::new(), |kv| format!("({})", kv.value_str().unwrap()));
    format!("{sign}{key}{revision}{prev}")
}

impl Etcd {
    pub(super) fn new(setup: Setup) -> Self {
        Self::seeded(setup, 7)
    }

    pub(super) fn seeded(setup: Setup, seed: u64) -> Self {
        Self {
            cluster: Cluster::new(setup, seed, Instant::ZERO),
            now: Instant::ZERO,
            last: 0,
            replies: BTreeMap::new(),
        }
    }

    pub(super) fn one() -> Self {
        Self::new(Setup::new(Version::new(3, 5, 16)))
    }

    pub(super) fn three() -> Self {
        Self::new(Setup::new(Version::new(3, 5, 16)).with_members(3))
    }

    fn name(&mut self) -> AskId {
        self.last += 1;
        AskId(self.last)
    }

    fn drain(&mut self) {
        while let Some((ask, reply)) = self.cluster.poll_reply() {
            self.replies.entry(ask).or_default().push(reply);
        }
    }

    /// Lets time pass.
    pub(super) fn pass(&mut self, time: Duration) {
        let until = self.now + time;
        while let Some(due) = self.cluster.poll_timeout().filter(|&due| due <= until) {
            self.now = self.now.max(due);
            self.cluster.handle_timeout(self.now);
            let next = self.cluster.poll_timeout();
            assert!(next.is_none_or(|next| next > self.now), "it would spin");
            self.drain();
        }
        self.now = until;
        self.cluster.handle_timeout(until);
        self.drain();
    }

    pub(super) fn ask_with(
        &mut self,
        member: usize,
        meta: Meta,
        request: impl Into<Request>,
    ) -> AskId {
        let ask = self.name();
        let request = request.into();
        self.cluster
            .handle_request(self.now, member, ask, meta, request);
        self.drain();
        ask
    }

    pub(super) fn ask(&mut self, member: usize, request: impl Into<Request>) -> AskId {
        self.ask_with(member, Meta::default(), request)
    }

    /// What came for one who asks.
    pub(super) fn replies(&mut self, ask: AskId) -> Vec<Reply> {
        self.replies.remove(&ask).unwrap_or_default()
    }

    pub(super) fn outcome(&mut self, ask: AskId) -> Option<Result<Response, Fault>> {
        let mut replies = self.replies(ask);
        assert!(replies.len() < 2, "{replies:?}");
        Some(match replies.pop()? {
            Reply::Answer(response) => Ok(*response),
            Reply::Fault(fault) => Err(fault),
            other => panic!("{other:?}"),
        })
    }

    /// Asks and waits.
    pub(super) fn call<T: Call + Into<Request>>(
        &mut self,
        member: usize,
        request: T,
    ) -> Result<T::Response, Fault> {
        self.call_with(member, Meta::default(), request)
    }

    pub(super) fn call_with<T: Call + Into<Request>>(
        &mut self,
        member: usize,
        meta: Meta,
        request: T,
    ) -> Result<T::Response, Fault> {
        let ask = self.ask_with(member, meta, request);
        for _ in 0..20_000 {
            if let Some(outcome) = self.outcome(ask) {
                return outcome.map(|response| T::from_response(response).unwrap());
            }
            self.pass(millis(1));
        }
        panic!("no answer");
    }

    pub(super) fn put(&mut self, key: &str, value: &str) -> PutResponse {
        let (key, value) = (key.to_owned(), value.to_owned());
        self.call(0, Put::new(key, value)).unwrap()
    }

    pub(super) fn get(&mut self, member: usize, key: &str) -> RangeResponse {
        self.call(member, Range::key(key.to_owned())).unwrap()
    }

    /// Why a request fails.
    pub(super) fn fails<T: Call + Into<Request>>(&mut self, request: T) -> String
    where
        T::Response: core::fmt::Debug,
    {
        self.call(0, request).unwrap_err().message
    }

    pub(super) fn stream(&mut self, member: usize, meta: Meta, request: StreamRequest) -> AskId {
        let ask = self.name();
        self.cluster
            .handle_stream(self.now, member, ask, meta, request);
        self.drain();
        ask
    }

    pub(super) fn send(&mut self, ask: AskId, request: StreamRequest) {
        self.cluster.handle_stream_message(self.now, ask, request);
        self.drain();
    }

    pub(super) fn watch(&mut self, member: usize, watch: Watch) -> AskId {
        let create = StreamRequest::Watch(WatchRequest::Create(watch));
        self.stream(member, Meta::default(), create)
    }

    /// What a watch stream was told since it was asked last, in short.
    pub(super) fn told(&mut self, ask: AskId) -> Vec<String> {
        let replies = self.replies(ask).into_iter();
        let told = replies.map(|reply| match reply {
            Reply::Watch(response) => short(&response),
            other => format!("{other:?}"),
        });
        told.collect()
    }

    pub(super) fn renew(&mut self, member: usize, lease: i64) -> AskId {
        let renewal = StreamRequest::LeaseKeepAlive(LeaseKeepAlive::new(lease));
        self.stream(member, Meta::default(), renewal)
    }

    pub(super) fn renewals(&mut self, ask: AskId) -> Vec<LeaseKeepAliveResponse> {
        let replies = self.replies(ask).into_iter();
        let renewals = replies.map(|reply| match reply {
            Reply::LeaseKeepAlive(response) => response,
            other => panic!("{other:?}"),
        });
        renewals.collect()
    }

    pub(super) fn leader(&self) -> usize {
        self.cluster.leader().unwrap()
    }

    /// A member that does not lead.
    pub(super) fn follower(&self) -> usize {
        (self.leader() + 1) % self.cluster.members()
    }
}
