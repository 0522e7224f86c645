//! The connections of a cluster's members: pure glue, the same outputs for the same inputs.

use std::collections::{BTreeMap, BTreeSet};

use etcd_core::{Code, Instant, Version};

use crate::etcd::{AskId, Cluster, Fault, Place, Reply, Setup};
use crate::gateway::{Front, ServerConn, ServerEvent, Slot};

/// The name of a connection; they are counted up and never used again.
pub(super) type ConnKey = u64;

/// Something that happened to the host. In a journal these are all there is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Input<'a> {
    /// A member accepted a connection.
    Accepted {
        conn: ConnKey,
        member: usize,
    },
    Received {
        conn: ConnKey,
        bytes: &'a [u8],
    },
    /// The client sends nothing more.
    Eof {
        conn: ConnKey,
    },
    /// The connection is no more.
    Closed {
        conn: ConnKey,
    },
    /// Time passed.
    Timeout,
    /// The process was started again: connections and tokens are lost.
    Restarted,
}

/// A cluster and who is connected to it.
#[derive(Debug)]
pub(super) struct Host {
    cluster: Cluster,
    front: Front,
    /// The members that stand still.
    paused: BTreeSet<usize>,
    conns: BTreeMap<ConnKey, Conn>,
    asks: BTreeMap<AskId, (ConnKey, Slot)>,
    next_ask: u64,
    /// The connections that may have something to send.
    dirty: BTreeSet<ConnKey>,
}

#[derive(Debug)]
struct Conn {
    member: usize,
    server: ServerConn,
    asks: BTreeMap<Slot, AskId>,
}

impl Host {
    pub(super) fn new(setup: Setup, front: Front, seed: u64, now: Instant) -> Self {
        Self {
            cluster: Cluster::new(setup, seed, now),
            front,
            paused: BTreeSet::new(),
            conns: BTreeMap::new(),
            asks: BTreeMap::new(),
            next_ask: 0,
            dirty: BTreeSet::new(),
        }
    }

    pub(super) fn handle(&mut self, now: Instant, input: Input<'_>) {
        match input {
            Input::Accepted { conn, member } => {
                let version = &self.cluster.setup().version;
                let server = ServerConn::new(version).with_front(self.front.clone());
                let asks = BTreeMap::new();
                self.conns.insert(
                    conn,
                    Conn {
                        member,
                        server,
                        asks,
                    },
                );
            }
            Input::Received { conn, bytes } => {
                if let Some(open) = self.conns.get_mut(&conn) {
                    open.server.handle_received(bytes);
                    self.pass_on(now, conn);
                }
            }
            Input::Eof { conn } => {
                if let Some(open) = self.conns.get_mut(&conn) {
                    open.server.handle_eof();
                    self.pass_on(now, conn);
                }
            }
            Input::Closed { conn } => {
                let open = self.conns.remove(&conn);
                for ask in open.into_iter().flat_map(|open| open.asks.into_values()) {
                    self.asks.remove(&ask);
                    self.cluster.handle_gone(now, ask);
                }
            }
            Input::Timeout => self.cluster.handle_timeout(now),
            Input::Restarted => {
                self.conns.clear();
                self.asks.clear();
                self.dirty.clear();
                for member in 0..self.cluster.members() {
                    self.cluster.stop(now, member);
                }
                for member in 0..self.cluster.members() {
                    self.cluster.start(now, member);
                }
            }
        }
        self.answer(now);
    }

    /// Kills a member; its connections are the caller's to close.
    pub(super) fn stop(&mut self, now: Instant, member: usize) {
        self.cluster.stop(now, member);
        self.paused.remove(&member);
        self.part(now);
    }

    /// Starts a member again. Tells whether it runs then.
    pub(super) fn start(&mut self, now: Instant, member: usize) -> bool {
        self.cluster.start(now, member);
        self.answer(now);
        self.cluster.is_serving(member)
    }

    /// Suspends a member, or lets it go on: to the others it is as if nobody could hear it.
    pub(super) fn pause(&mut self, now: Instant, member: usize, paused: bool) {
        match paused {
            true => self.paused.insert(member),
            false => self.paused.remove(&member),
        };
        self.part(now);
        let of = self.conns.iter().filter(|(_, conn)| conn.member == member);
        self.dirty.extend(of.map(|(conn, _)| *conn));
    }

    pub(super) fn is_paused(&self, member: usize) -> bool {
        self.paused.contains(&member)
    }

    /// Starts a member that was added. Tells its number; none if nobody added such a one.
    pub(super) fn join(&mut self, now: Instant, place: &Place) -> Option<usize> {
        let id = self.cluster.member_at(&place.peer_url)?;
        let member = self.cluster.join_at(now, id, place);
        self.part(now);
        member
    }

    /// The process is about to end: whoever waits is told so (gateway.md 16).
    pub(super) fn end(&mut self) {
        let is_old = self.cluster.setup().version < Version::new(3, 5, 0);
        let text = match is_old {
            true => "transport is closing",
            false => "error reading from server: EOF",
        };
        for (conn, slot) in core::mem::take(&mut self.asks).into_values() {
            if let Some(open) = self.conns.get_mut(&conn) {
                let fault = Fault::new(Code::UNAVAILABLE, text);
                open.server.handle_reply(slot, Reply::Fault(fault));
                self.dirty.insert(conn);
            }
        }
    }

    /// Those that stand still hear nobody.
    fn part(&mut self, now: Instant) {
        let members = 0..self.cluster.members();
        let moving: Vec<_> = members.filter(|member| !self.is_paused(*member)).collect();
        self.cluster.partition(now, &[&moving]);
        self.answer(now);
    }

    pub(super) fn poll_timeout(&self) -> Option<Instant> {
        self.cluster.poll_timeout()
    }

    /// The next connection that may have something to send, or wants to be closed.
    pub(super) fn poll_dirty(&mut self) -> Option<ConnKey> {
        self.dirty.pop_first()
    }

    pub(super) fn transmit(&self, conn: ConnKey) -> &[u8] {
        let open = self.conns.get(&conn);
        open.map_or(&[], |open| open.server.transmit())
    }

    pub(super) fn handle_written(&mut self, conn: ConnKey, len: usize) {
        if let Some(open) = self.conns.get_mut(&conn) {
            open.server.handle_written(len);
        }
    }

    /// Whether all was sent that is to be sent on a connection.
    pub(super) fn is_done(&self, conn: ConnKey) -> bool {
        let open = self.conns.get(&conn);
        open.is_none_or(|open| open.server.wants_close() && open.server.transmit().is_empty())
    }

    /// Asks the cluster what came in on a connection.
    fn pass_on(&mut self, now: Instant, conn: ConnKey) {
        self.dirty.insert(conn);
        let Some(open) = self.conns.get_mut(&conn) else {
            return;
        };
        let cluster = &mut self.cluster;
        while let Some(event) = open.server.poll() {
            match event {
                ServerEvent::Request {
                    slot,
                    meta,
                    request,
                } => {
                    let ask = AskId(self.next_ask);
                    self.next_ask += 1;
                    self.asks.insert(ask, (conn, slot));
                    open.asks.insert(slot, ask);
                    cluster.handle_request(now, open.member, ask, meta, request);
                }
                ServerEvent::StreamOpened {
                    slot,
                    meta,
                    request,
                } => {
                    let ask = AskId(self.next_ask);
                    self.next_ask += 1;
                    self.asks.insert(ask, (conn, slot));
                    open.asks.insert(slot, ask);
                    cluster.handle_stream(now, open.member, ask, meta, request);
                }
                ServerEvent::StreamMessage { slot, request } => {
                    if let Some(ask) = open.asks.get(&slot) {
                        cluster.handle_stream_message(now, *ask, request);
                    }
                }
                ServerEvent::StreamEnd { slot } => {
                    if let Some(ask) = open.asks.get(&slot) {
                        cluster.handle_stream_end(now, *ask);
                    }
                }
                ServerEvent::Gone { slot } => {
                    if let Some(ask) = open.asks.remove(&slot) {
                        self.asks.remove(&ask);
                        cluster.handle_gone(now, ask);
                    }
                }
            }
        }
    }

    /// Gives the cluster's replies to their connections, and what those ask then to the cluster.
    fn answer(&mut self, now: Instant) {
        while let Some((ask, reply)) = self.cluster.poll_reply() {
            let Some(&(conn, slot)) = self.asks.get(&ask) else {
                continue;
            };
            let Some(open) = self.conns.get_mut(&conn) else {
                continue;
            };
            if matches!(reply, Reply::Answer(_) | Reply::Fault(_) | Reply::End) {
                self.asks.remove(&ask);
                open.asks.remove(&slot);
            }
            open.server.handle_reply(slot, reply);
            self.pass_on(now, conn);
        }
    }
}
