//! Streams: watches, renewals, snapshots, observations.

use etcd_core::{
    Known, LeaseKeepAlive, LeaseKeepAliveResponse, Watch, WatchRequest, WatchResponse,
};

use super::Cluster;
use super::expiry::LeaseAsk;
use super::timers::Event;
use crate::etcd::defects::is_before;
use crate::etcd::machine::fault;
use crate::etcd::watch::View;
use crate::etcd::{AskId, Fault, Meta, Reply, StreamRequest};

/// A stream that is open.
#[derive(Debug)]
pub(super) struct Stream {
    pub(super) member: usize,
    meta: Meta,
    kind: Kind,
}

#[derive(Debug)]
enum Kind {
    Watch,
    /// Renewals: how many are not answered yet, and whether no more will come.
    Renewals {
        unanswered: usize,
        ended: bool,
    },
}

impl Cluster {
    /// A stream was opened at a member that serves.
    pub(super) fn open_stream(
        &mut self,
        member: usize,
        ask: AskId,
        meta: Meta,
        request: StreamRequest,
    ) {
        if meta.require_leader && self.nodes[member].leader.is_none() {
            self.refuse_stream(ask, fault(Known::NoLeader));
            return;
        }
        let kind = match request {
            StreamRequest::Watch(_) => Kind::Watch,
            StreamRequest::LeaseKeepAlive(_) => Kind::Renewals {
                unanswered: 0,
                ended: false,
            },
            StreamRequest::Snapshot(_) => {
                self.send_snapshot(member, ask, &meta);
                return;
            }
            StreamRequest::Observe(request) => {
                self.observe(member, ask, &meta, request);
                return;
            }
        };
        let is_watch = matches!(kind, Kind::Watch);
        let stream = Stream { member, meta, kind };
        self.streams.insert(ask, stream);
        if is_watch {
            self.nodes[member].hub.open(ask);
        }
        self.stream_message(ask, request);
    }

    pub(super) fn stream_message(&mut self, ask: AskId, request: StreamRequest) {
        let Some(stream) = self.streams.get_mut(&ask) else {
            return;
        };
        let member = stream.member;
        match (request, &mut stream.kind) {
            (StreamRequest::Watch(request), Kind::Watch) => {
                self.watch_message(member, ask, request);
            }
            (StreamRequest::LeaseKeepAlive(request), Kind::Renewals { unanswered, .. }) => {
                *unanswered += 1;
                self.renewal(member, ask, &request);
            }
            _ => {}
        }
    }

    /// No further message comes.
    pub(super) fn end_stream(&mut self, ask: AskId) {
        let Some(stream) = self.streams.get_mut(&ask) else {
            return;
        };
        if let Kind::Renewals { unanswered, ended } = &mut stream.kind {
            *ended = true;
            if *unanswered == 0 {
                self.streams.remove(&ask);
                self.replies.push_back((ask, Reply::End));
            }
        }
    }

    /// The asker is gone.
    pub(super) fn drop_stream(&mut self, ask: AskId) {
        if let Some(stream) = self.streams.remove(&ask) {
            self.nodes[stream.member].hub.close(ask);
        }
    }

    pub(super) fn fail_stream(&mut self, ask: AskId, fault: Fault) {
        self.drop_stream(ask);
        self.refuse_stream(ask, fault);
    }

    fn refuse_stream(&mut self, ask: AskId, fault: Fault) {
        self.replies.push_back((ask, Reply::Fault(fault)));
    }

    fn renewal(&mut self, member: usize, ask: AskId, request: &LeaseKeepAlive) {
        let token = self
            .streams
            .get(&ask)
            .and_then(|stream| stream.meta.token.clone());
        let machine = &mut self.nodes[member].machine;
        let who = if machine.auth.guards_renewals() {
            let tokens = &mut machine.tokens;
            machine
                .auth
                .identify_stream(self.now, tokens, token.as_deref())
        } else {
            Ok(Default::default())
        };
        match who {
            Ok(who) => {
                let (id, since) = (request.id, self.now);
                let ask = LeaseAsk::Renew {
                    ask,
                    id,
                    who,
                    since,
                };
                self.ask_leader(member, ask);
            }
            Err(fault) => self.fail_stream(ask, fault),
        }
    }

    /// A renewal is answered.
    pub(super) fn renewed(&mut self, ask: AskId, response: LeaseKeepAliveResponse) {
        self.replies
            .push_back((ask, Reply::LeaseKeepAlive(response)));
        let Some(stream) = self.streams.get_mut(&ask) else {
            return;
        };
        if let Kind::Renewals { unanswered, ended } = &mut stream.kind {
            *unanswered = unanswered.saturating_sub(1);
            if *ended && *unanswered == 0 {
                self.streams.remove(&ask);
                self.replies.push_back((ask, Reply::End));
            }
        }
    }

    fn watch_message(&mut self, member: usize, ask: AskId, request: WatchRequest) {
        match request {
            WatchRequest::Create(watch) => self.create_watch(member, ask, &watch),
            WatchRequest::Cancel { watch_id } => {
                let node = &mut self.nodes[member];
                if node.hub.cancel(ask, watch_id) {
                    let mut response = self.watch_frame(member);
                    response.watch_id = watch_id;
                    response.canceled = true;
                    self.send_watch(ask, response);
                }
            }
            WatchRequest::Progress => {
                let node = &self.nodes[member];
                let view = node.view(&self.setup, self.id);
                if node.hub.tells_progress(view, ask) {
                    let mut response = self.watch_frame(member);
                    response.watch_id = -1;
                    self.send_watch(ask, response);
                }
            }
            _ => {}
        }
    }

    fn create_watch(&mut self, member: usize, ask: AskId, watch: &Watch) {
        let mut response = self.watch_frame(member);
        response.created = true;
        if let Err(reason) = self.may_watch(member, ask, watch) {
            response.canceled = true;
            response.cancel_reason = reason;
            response.watch_id = -1;
            if is_before(&self.setup.version, 22, 6) {
                // The id that was asked for comes back, and means another watch to the server.
                response.watch_id = watch.watch_id;
                self.nodes[member].hub.mute(ask, watch.watch_id);
            }
            self.send_watch(ask, response);
            return;
        }
        let node = &mut self.nodes[member];
        let mut hub = core::mem::take(&mut node.hub);
        let created = hub.create(node.view(&self.setup, self.id), ask, watch);
        let progress = hub.plan_progress(&self.setup, self.now, ask, &mut self.rng);
        self.nodes[member].hub = hub;
        match created {
            Ok(id) => response.watch_id = id,
            Err(refused) => {
                response.watch_id = -1;
                response.canceled = true;
                if is_before(&self.setup.version, 22, 6) {
                    self.nodes[member].hub.mute(ask, -1);
                }
                refused.reason().clone_into(&mut response.cancel_reason);
            }
        }
        self.send_watch(ask, response);
        if let Some(due) = progress {
            self.timers.add(due, Event::Progress(member, ask));
        }
        self.plan_sync(member);
    }

    fn may_watch(&mut self, member: usize, ask: AskId, watch: &Watch) -> Result<(), String> {
        let token = self.streams.get(&ask);
        let token = token.and_then(|stream| stream.meta.token.as_deref());
        let machine = &mut self.nodes[member].machine;
        if !machine.auth.is_enabled() && token.is_none() {
            return Ok(());
        }
        let tokens = &mut machine.tokens;
        let who = machine.auth.identify_stream(self.now, tokens, token);
        machine.auth.permit_watch(who.as_ref(), &watch.range)
    }

    fn watch_frame(&self, member: usize) -> WatchResponse {
        let mut response = WatchResponse::default();
        response.header = self.header(member);
        response
    }

    fn send_watch(&mut self, ask: AskId, response: WatchResponse) {
        self.replies
            .push_back((ask, Reply::Watch(Box::new(response))));
    }

    /// Plans a member's next pass over the history, if a watch waits for one.
    pub(super) fn plan_sync(&mut self, member: usize) {
        let node = &self.nodes[member];
        let waits = node.hub.is_behind() || node.hub.stalled().is_some();
        if node.syncs.is_some() || !node.running || !waits {
            return;
        }
        let most = self.setup.watch_sync_interval;
        let due = self.now + self.rng.between(most / 100, most);
        let due = node.hub.stalled().map_or(due, |until| due.max(until));
        self.nodes[member].syncs = Some(due);
        self.timers.add(due, Event::Sync(member));
    }

    pub(super) fn sync_watches(&mut self, member: usize) {
        let node = &mut self.nodes[member];
        if node.syncs != Some(self.now) {
            return;
        }
        node.syncs = None;
        let mut hub = core::mem::take(&mut node.hub);
        let view: View<'_> = node.view(&self.setup, self.id);
        hub.sync(view, &mut self.rng, &mut self.replies);
        self.nodes[member].hub = hub;
    }

    pub(super) fn tick_progress(&mut self, member: usize, ask: AskId) {
        let node = &mut self.nodes[member];
        let mut hub = core::mem::take(&mut node.hub);
        hub.tick_progress(node.view(&self.setup, self.id), ask, &mut self.replies);
        let progress = hub.plan_progress(&self.setup, self.now, ask, &mut self.rng);
        self.nodes[member].hub = hub;
        if let Some(due) = progress {
            self.timers.add(due, Event::Progress(member, ask));
        }
    }

    /// A member gave its leader up: the streams that need one will end.
    pub(super) fn lost_leader(&mut self, member: usize) {
        let of = self
            .streams
            .iter()
            .filter(|(_, stream)| stream.member == member && stream.meta.require_leader);
        let of: Vec<_> = of.map(|(&ask, _)| ask).collect();
        for ask in of {
            let after = 3 * self.setup.election_timeout;
            self.plan(after, Event::Leaderless(member, ask));
        }
    }

    pub(super) fn check_leaderless(&mut self, member: usize, ask: AskId) {
        let open = self
            .streams
            .get(&ask)
            .is_some_and(|stream| stream.member == member);
        if open && self.nodes[member].leader.is_none() {
            self.fail_stream(ask, fault(Known::NoLeader));
        }
    }
}
