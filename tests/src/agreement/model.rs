//! The simulated etcd's part.

use std::collections::BTreeMap;
use std::time::Duration;

use etcd_core::{Call, Instant, Response, Watch, WatchRequest, WatchResponse};
use etcd_sim::etcd::{AskId, Cluster, Meta, Reply, Request, Setup, StreamRequest};
use serde::Serialize;

use super::script::User;
use super::{Said, each, said, said_error};

/// A cluster of one, asked one thing after the other.
pub(super) struct Model {
    cluster: Cluster,
    now: Instant,
    last: u64,
    tokens: BTreeMap<User, String>,
    stream: Option<AskId>,
    events: Watched,
}

/// What watches were told, by their ids.
#[derive(Default)]
pub(super) struct Watched {
    lines: BTreeMap<i64, Vec<String>>,
}

impl Watched {
    pub(super) fn add(&mut self, response: &WatchResponse) {
        let lines = self.lines.entry(response.watch_id).or_default();
        if response.created || response.canceled {
            let revision = response.header.revision;
            let (created, compacted) = (response.created, response.compact_revision);
            let reason = &response.cancel_reason;
            lines.push(format!(
                "{} at {revision}: created {created} canceled {} compacted {compacted} {reason}",
                response.watch_id, response.canceled
            ));
        }
        for event in &response.events {
            lines.push(format!("{}: {event:?}", response.watch_id));
        }
    }

    fn len(&self) -> u64 {
        self.lines.values().map(|lines| lines.len() as u64).sum()
    }

    pub(super) fn said(&self) -> Said {
        let lines: Vec<_> = self.lines.values().flatten().cloned().collect();
        Said(lines.join("\n"))
    }
}

impl Model {
    pub(super) fn new(setup: Setup, seed: u64) -> Self {
        Self {
            cluster: Cluster::new(setup, seed, Instant::ZERO),
            now: Instant::ZERO,
            last: 0,
            tokens: BTreeMap::new(),
            stream: None,
            events: Watched::default(),
        }
    }

    /// How much the watches were told until now.
    pub(super) fn told(&self) -> u64 {
        self.events.len()
    }

    pub(super) fn revision(&self) -> i64 {
        self.cluster.revision()
    }

    pub(super) fn compact_revision(&self) -> i64 {
        self.cluster.compact_revision()
    }

    pub(super) fn call(&mut self, user: Option<User>, request: &Request) -> Said {
        let mut meta = Meta::default();
        meta.token = user.and_then(|user| self.tokens.get(&user).cloned());
        each!(request, typed => self.typed(meta, typed.clone()))
    }

    fn typed<C>(&mut self, meta: Meta, call: C) -> Said
    where
        C: Call + Into<Request>,
        C::Response: Serialize,
    {
        self.last += 1;
        let ask = AskId(self.last);
        let request = call.into();
        let login = match &request {
            Request::Authenticate(login) => Some(login.name.clone()),
            _ => None,
        };
        self.cluster.handle_request(self.now, 0, ask, meta, request);
        for _ in 0..20_000 {
            while let Some((of, reply)) = self.cluster.poll_reply() {
                match reply {
                    Reply::Answer(answer) if of == ask => {
                        if let (Some(name), Response::Authenticate(answer)) = (&login, &*answer) {
                            let token = answer.token.clone();
                            User::named(name).and_then(|user| self.tokens.insert(user, token));
                        }
                        let answer = C::from_response(*answer).expect("the answer to its request");
                        return said::<C>(&answer);
                    }
                    Reply::Fault(fault) if of == ask => {
                        return said_error(fault.code.get(), &fault.message);
                    }
                    Reply::Watch(response) => self.events.add(&response),
                    _ => {}
                }
            }
            self.now = self.now + Duration::from_millis(1);
            self.cluster.handle_timeout(self.now);
        }
        Said("no answer".to_owned())
    }

    /// Begins a watch on the one stream.
    pub(super) fn watch(&mut self, watch: Watch) -> Said {
        let request = StreamRequest::Watch(WatchRequest::Create(watch));
        match self.stream {
            Some(stream) => self
                .cluster
                .handle_stream_message(self.now, stream, request),
            None => {
                self.last += 1;
                let ask = AskId(self.last);
                self.stream = Some(ask);
                let meta = Meta::default();
                self.cluster.handle_stream(self.now, 0, ask, meta, request);
            }
        }
        self.events()
    }

    /// All that the watches were told.
    pub(super) fn events(&mut self) -> Said {
        self.now = self.now + Duration::from_millis(200);
        self.cluster.handle_timeout(self.now);
        while let Some((_, reply)) = self.cluster.poll_reply() {
            if let Reply::Watch(response) = reply {
                self.events.add(&response);
            }
        }
        self.events.said()
    }
}
