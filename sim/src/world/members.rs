//! The clusters of a world, and what their members are asked over connections.

use std::collections::BTreeMap;

use etcd_core::{Instant, Version};

use super::queue::Due;
use super::state::State;
use super::truth::changes;
use super::wire::ServerEnd;
use crate::check::Truth;
use crate::etcd::{AskId, Cluster, Reply, Request, Setup};
use crate::gateway::{ServerConn, ServerEvent, Slot};
use crate::net::Way;

/// A cluster and what it was asked.
#[derive(Debug)]
pub(super) struct ClusterHost {
    pub(super) cluster: Cluster,
    /// What its members run.
    version: Version,
    /// The place of its first member among the members of the world.
    pub(super) first: usize,
    /// How many members it has.
    pub(super) len: usize,
    /// Where answers go.
    asks: BTreeMap<AskId, (usize, Slot)>,
    /// What members that stand still would have said.
    held: Vec<(AskId, Reply)>,
    /// Who cannot hear whom, as said by the world's user.
    pub(super) groups: Option<Vec<Vec<usize>>>,
    /// When it is told the time.
    armed: Option<Instant>,
    /// What each ask was, for checkers.
    asked: BTreeMap<AskId, Request>,
    /// When members forgot their tokens, for checkers.
    pub(super) forgotten: Vec<Instant>,
}

impl ClusterHost {
    pub(super) fn new(setup: Setup, seed: u64, now: Instant, first: usize) -> Self {
        let (version, len) = (setup.version.clone(), setup.members);
        Self {
            cluster: Cluster::new(setup, seed, now),
            version,
            first,
            len,
            asks: BTreeMap::new(),
            held: Vec::new(),
            groups: None,
            armed: None,
            asked: BTreeMap::new(),
            forgotten: Vec::new(),
        }
    }

    /// What was asked and what became of it, for the checkers.
    pub(super) fn truth(&self) -> Truth {
        Truth {
            changes: self.cluster.log().iter().flat_map(changes).collect(),
            asks: self.asked.clone(),
            forgotten: self.forgotten.clone(),
            members: self.len,
        }
    }
}

/// A member, among all of the world.
#[derive(Clone, Copy, Debug)]
pub(super) struct Member {
    /// Its cluster.
    pub(super) cluster: usize,
    /// Its place there.
    pub(super) place: usize,
    pub(super) health: Health,
}

/// What a member's machine and process do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Health {
    Running,
    /// The process is gone, the machine refuses connections.
    Stopped,
    /// The machine is gone.
    Off,
    /// The process stands still, the machine accepts connections.
    Paused,
}

impl State {
    /// Gives a connection its end at the member.
    pub(super) fn accept(&mut self, wire: usize) {
        let Some(open) = self.wires[wire].as_mut() else {
            return;
        };
        let host = &self.clusters[self.members[open.member].cluster];
        open.server = Some(ServerEnd {
            conn: ServerConn::new(&host.version),
            asks: Vec::new(),
        });
    }

    /// Lets the member's end of a connection say what it read, and its cluster answer.
    pub(super) fn pump_server(&mut self, wire: usize) {
        let now = self.now;
        let Some(open) = self.wires[wire].as_mut() else {
            return;
        };
        let Member { cluster, place, .. } = self.members[open.member];
        let host = &mut self.clusters[cluster];
        let is_judged = open.client.is_some();
        let Some(server) = open.server.as_mut() else {
            return;
        };
        while let Some(event) = server.conn.poll() {
            match event {
                ServerEvent::Request {
                    slot,
                    meta,
                    request,
                } => {
                    let ask = AskId(self.next_ask);
                    self.next_ask += 1;
                    server.asks.push((slot, ask));
                    host.asks.insert(ask, (wire, slot));
                    if is_judged && self.keeps_history {
                        host.asked.insert(ask, request.clone());
                    }
                    host.cluster.handle_request(now, place, ask, meta, request);
                }
                ServerEvent::StreamOpened {
                    slot,
                    meta,
                    request,
                } => {
                    let ask = AskId(self.next_ask);
                    self.next_ask += 1;
                    server.asks.push((slot, ask));
                    host.asks.insert(ask, (wire, slot));
                    host.cluster.handle_stream(now, place, ask, meta, request);
                }
                ServerEvent::StreamMessage { slot, request } => {
                    if let Some(ask) = ask_of(server, slot) {
                        host.cluster.handle_stream_message(now, ask, request);
                    }
                }
                ServerEvent::StreamEnd { slot } => {
                    if let Some(ask) = ask_of(server, slot) {
                        host.cluster.handle_stream_end(now, ask);
                    }
                }
                ServerEvent::Gone { slot } => {
                    if let Some(ask) = ask_of(server, slot) {
                        host.asks.remove(&ask);
                        server.asks.retain(|(other, _)| *other != slot);
                        host.cluster.handle_gone(now, ask);
                    }
                }
            }
        }
        self.flush_server(wire);
        self.pump_cluster(cluster);
    }

    /// Sends out what a cluster has to say, and asks when it wants to know the time.
    pub(super) fn pump_cluster(&mut self, cluster: usize) {
        let mut dirty = Vec::new();
        let host = &mut self.clusters[cluster];
        while let Some((ask, reply)) = host.cluster.poll_reply() {
            let Some(&(wire, slot)) = host.asks.get(&ask) else {
                continue;
            };
            let Some(open) = self.wires[wire].as_mut() else {
                continue;
            };
            if self.members[open.member].health == Health::Paused {
                host.held.push((ask, reply));
                continue;
            }
            let Some(server) = open.server.as_mut() else {
                continue;
            };
            if matches!(reply, Reply::Answer(_) | Reply::Fault(_) | Reply::End) {
                host.asks.remove(&ask);
                server.asks.retain(|(_, other)| *other != ask);
            }
            server.conn.handle_reply(slot, reply);
            if dirty.last() != Some(&wire) {
                dirty.push(wire);
            }
        }
        for wire in dirty {
            // An answer may have let the next request of the connection through.
            self.pump_server(wire);
        }
        self.arm_cluster(cluster);
    }

    fn arm_cluster(&mut self, cluster: usize) {
        let host = &mut self.clusters[cluster];
        let Some(due) = host.cluster.poll_timeout() else {
            return;
        };
        let due = due.max(self.now);
        if host.armed.is_none_or(|armed| due < armed) {
            host.armed = Some(due);
            self.queue.push(due, Due::Cluster(cluster));
        }
    }

    /// A cluster is told the time.
    pub(super) fn cluster_is_due(&mut self, cluster: usize) {
        let host = &mut self.clusters[cluster];
        if host.armed != Some(self.now) {
            return;
        }
        host.armed = None;
        if host
            .cluster
            .poll_timeout()
            .is_some_and(|due| due <= self.now)
        {
            host.cluster.handle_timeout(self.now);
            self.pump_cluster(cluster);
        } else {
            self.arm_cluster(cluster);
        }
    }

    /// What a member that goes on would have said while it stood still.
    pub(super) fn release_replies(&mut self, member: usize) {
        let cluster = self.members[member].cluster;
        let host = &mut self.clusters[cluster];
        let held = core::mem::take(&mut host.held);
        let mut dirty = Vec::new();
        for (ask, reply) in held {
            let host = &mut self.clusters[cluster];
            let Some(&(wire, slot)) = host.asks.get(&ask) else {
                continue;
            };
            let Some(open) = self.wires[wire].as_mut() else {
                continue;
            };
            if open.member != member {
                host.held.push((ask, reply));
            } else if let Some(server) = open.server.as_mut() {
                if matches!(reply, Reply::Answer(_) | Reply::Fault(_) | Reply::End) {
                    host.asks.remove(&ask);
                    server.asks.retain(|(_, other)| *other != ask);
                }
                server.conn.handle_reply(slot, reply);
                dirty.push(wire);
            }
        }
        dirty.dedup();
        for wire in dirty {
            self.pump_server(wire);
        }
    }

    /// Puts under way what the member's end has to send.
    pub(super) fn flush_server(&mut self, wire: usize) {
        let now = self.now;
        let Some(open) = self.wires[wire].as_mut() else {
            return;
        };
        let Some(server) = open.server.as_mut() else {
            return;
        };
        let has_reader = open.client.is_some() || open.is_open;
        while !server.conn.transmit().is_empty() {
            let bytes = server.conn.transmit();
            let tally = &mut self.tally;
            let taken = match has_reader {
                true => open.link.send(Way::Down, now, bytes, &mut |fault| {
                    tally.add(now, wire, fault);
                }),
                // Nobody reads what answers a repeated request.
                false => bytes.len(),
            };
            if taken == 0 {
                break;
            }
            let is_short = taken < bytes.len();
            server.conn.handle_written(taken);
            if is_short {
                break;
            }
        }
        let is_sent = server.conn.transmit().is_empty();
        let is_over = server.conn.wants_close() || !has_reader && server.asks.is_empty();
        if let Some(at) = open.arrange_write(Way::Down, now) {
            self.queue.push(at, Due::Write(wire, Way::Down));
        }
        if is_sent && is_over {
            open.link.close(Way::Down, now);
            self.lose_server(wire);
        }
        // A fault may have ended both ways.
        self.arm(wire, Way::Up);
        self.arm(wire, Way::Down);
    }

    /// The member's end of a connection is gone: whatever was asked over it is nobody's any more.
    pub(super) fn lose_server(&mut self, wire: usize) {
        let now = self.now;
        let Some(open) = self.wires[wire].as_mut() else {
            return;
        };
        let cluster = self.members[open.member].cluster;
        let gone = open.server.take();
        if gone.is_some() {
            self.note(|| format!("{wire} has no member at its end"));
        }
        if let Some(server) = gone {
            let host = &mut self.clusters[cluster];
            for (_, ask) in server.asks {
                host.asks.remove(&ask);
                host.cluster.handle_gone(now, ask);
            }
        }
        self.bury(wire);
        self.arm_cluster(cluster);
    }
}

fn ask_of(server: &ServerEnd, slot: Slot) -> Option<AskId> {
    let found = server.asks.iter().find(|(other, _)| *other == slot);
    found.map(|(_, ask)| *ask)
}
