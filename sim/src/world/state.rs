//! Everything in a world: what is going to happen, and what each thing does when it happens.
//!
//! One [`Due`] after the other is taken from the queue, the clock is set to its time, and what it leads
//! to is done at once. What takes time goes into the queue again.

use core::task::Waker;
use std::collections::{BTreeMap, VecDeque};

use etcd_core::{ConnId, Instant, WatchId};

use super::act::Act;
use super::between::Between;
use super::clients::ClientHost;
use super::digest::Digest;
use super::members::{ClusterHost, Health, Member};
use super::queue::{Due, Queue};
use super::rules::Rules;
use super::wire::Wire;
use crate::check::History;
use crate::net::{Arrival, Fault, Link, Shape, Tally, Way};
use crate::rng::Rng;

/// Everything in a world.
#[derive(Debug)]
pub(super) struct State {
    pub(super) now: Instant,
    pub(super) queue: Queue,
    pub(super) rng: Rng,
    pub(super) digest: Digest,
    pub(super) clients: Vec<ClientHost>,
    pub(super) clusters: Vec<ClusterHost>,
    pub(super) members: Vec<Member>,
    /// Which member has which address.
    pub(super) addresses: BTreeMap<String, usize>,
    /// Every connection there ever was; none where it is over.
    pub(super) wires: Vec<Option<Wire>>,
    /// Connections to addresses that nobody has, until the client is told.
    pub(super) unknown: Vec<(usize, usize, ConnId)>,
    pub(super) rules: Rules,
    /// What happens to the next connections.
    pub(super) awaited: Vec<(Between, Fault)>,
    /// Where nothing comes through.
    unplugged: Vec<Between>,
    pub(super) tally: Tally,
    pub(super) acts: BTreeMap<u64, Act>,
    /// Who sleeps; nobody yet where its future was not polled since.
    pub(super) sleeps: BTreeMap<u64, Option<Waker>>,
    /// Numbers the acts that were planned, and the sleeps.
    pub(super) next_number: u64,
    pub(super) next_ask: u64,
    /// To be called once nobody looks at the state.
    pub(super) wakers: Vec<Waker>,
    pub(super) history: History,
    pub(super) keeps_history: bool,
    /// Whether clients that are added are recorded.
    pub(super) records: bool,
    pub(super) log: Option<VecDeque<String>>,
    /// How many things have happened.
    pub(super) steps: u64,
}

/// A log keeps no more lines than this, the last ones.
const LOG_LINES: usize = 100_000;

impl State {
    pub(super) fn new(seed: u64) -> Self {
        Self {
            now: Instant::ZERO,
            queue: Queue::default(),
            rng: Rng::new(seed),
            digest: Digest::new(seed),
            clients: Vec::new(),
            clusters: Vec::new(),
            members: Vec::new(),
            addresses: BTreeMap::new(),
            wires: Vec::new(),
            unknown: Vec::new(),
            rules: Rules::default(),
            awaited: Vec::new(),
            unplugged: Vec::new(),
            tally: Tally::default(),
            acts: BTreeMap::new(),
            sleeps: BTreeMap::new(),
            next_number: 0,
            next_ask: 0,
            wakers: Vec::new(),
            history: History::default(),
            keeps_history: false,
            records: false,
            log: None,
            steps: 0,
        }
    }

    /// Does the next thing, if there is any.
    pub(super) fn step(&mut self) -> bool {
        let Some((at, due)) = self.queue.pop() else {
            return false;
        };
        self.now = self.now.max(at);
        self.steps += 1;
        self.digest.add(self.now.as_nanos());
        match due {
            Due::Open(wire) => self.opened(wire),
            Due::Arrive(wire, way) => self.arrived(wire, way),
            Due::Write(wire, way) => self.write(wire, way),
            Due::Client(client) => self.client_is_due(client),
            Due::Cluster(cluster) => self.cluster_is_due(cluster),
            Due::Thaw(client) => self.thaw(client),
            Due::Take(client, watch) => self.take_slowly(client, watch),
            Due::Wake(sleep) => self.wakers.extend(self.sleeps.remove(&sleep).flatten()),
            Due::Act(number) => {
                if let Some(act) = self.acts.remove(&number) {
                    self.act(act);
                }
            }
        }
        true
    }

    /// Lets time go by up to `at`, with all that happens.
    pub(super) fn run_until(&mut self, at: Instant) {
        while self.queue.next().is_some_and(|next| next <= at) {
            self.step();
        }
        self.now = self.now.max(at);
    }

    fn arrived(&mut self, wire: usize, way: Way) {
        let now = self.now;
        let Some(open) = self.wires[wire].as_mut() else {
            return;
        };
        if !open.disarm(way, now) {
            return;
        }
        match way {
            Way::Down => self.read_client(wire),
            Way::Up => self.read_server(wire),
        }
    }

    /// The member's end of a connection reads what has arrived.
    pub(super) fn read_server(&mut self, wire: usize) {
        let now = self.now;
        loop {
            let Some(open) = self.wires[wire].as_mut() else {
                return;
            };
            if self.members[open.member].health == Health::Paused {
                return;
            }
            let is_repeated = open.link.repeats();
            let Some(arrival) = open.link.arrive(Way::Up, now) else {
                break;
            };
            let Some(server) = open.server.as_mut() else {
                // Its machine says that nobody has that connection, to bytes only.
                let is_told = matches!(arrival, Arrival::Bytes(_));
                if is_told && open.client.is_some() {
                    open.link.refuse(Way::Up, now);
                    self.arm(wire, Way::Down);
                }
                return;
            };
            match arrival {
                Arrival::Bytes(bytes) => {
                    self.digest.add_bytes(bytes);
                    let copy = (is_repeated && is_whole_call(bytes)).then(|| bytes.to_vec());
                    server.conn.handle_received(bytes);
                    self.pump_server(wire);
                    if let Some(copy) = copy {
                        self.repeat(wire, &copy);
                    }
                }
                Arrival::Fin => {
                    server.conn.handle_eof();
                    self.pump_server(wire);
                    self.end_server(wire);
                }
                Arrival::Reset | Arrival::Vanish => self.lose_server(wire),
            }
        }
        self.arrange_write(wire, Way::Up);
        self.arm(wire, Way::Up);
        self.arm(wire, Way::Down);
    }

    /// The client's end has sent everything; what it asked for is no longer wanted.
    fn end_server(&mut self, wire: usize) {
        let now = self.now;
        let Some(open) = self.wires[wire].as_mut() else {
            return;
        };
        if open.server.is_some() {
            open.link.close(Way::Down, now);
            self.lose_server(wire);
            self.arm(wire, Way::Down);
        }
    }

    /// Something in the middle sends a request again, over a connection of its own.
    fn repeat(&mut self, wire: usize, request: &[u8]) {
        let now = self.now;
        let Some(open) = self.wires[wire].as_mut() else {
            return;
        };
        open.link.take_repeat();
        let member = open.member;
        self.tally.add(now, wire, Fault::Duplicate);
        let again = self.wires.len();
        let link = Link::new(now, Shape::default(), &[], self.rng.fork(again as u64));
        self.wires.push(Some(Wire::new(link, member, None)));
        self.accept(again);
        let server = self.wires[again]
            .as_mut()
            .and_then(|open| open.server.as_mut());
        if let Some(server) = server {
            server.conn.handle_received(request);
            self.pump_server(again);
        }
    }

    fn write(&mut self, wire: usize, way: Way) {
        let Some(open) = self.wires[wire].as_mut() else {
            return;
        };
        open.begin_write(way);
        match way {
            Way::Up => self.flush_client(wire),
            Way::Down => self.flush_server(wire),
        }
    }

    /// Sees to it that what arrives is looked at.
    pub(super) fn arm(&mut self, wire: usize, way: Way) {
        let now = self.now;
        let Some(open) = self.wires[wire].as_mut() else {
            return;
        };
        let is_waiting = match way {
            Way::Up => self.members[open.member].health == Health::Paused,
            Way::Down => open
                .client
                .is_some_and(|end| end.is_paused || self.clients[end.client].frozen.is_some()),
        };
        if is_waiting || !open.is_open {
            return;
        }
        if let Some(at) = open.arm(way, now) {
            self.queue.push(at, Due::Arrive(wire, way));
        }
    }

    /// Sees to it that a sender who waits looks again, if there is room.
    pub(super) fn arrange_write(&mut self, wire: usize, way: Way) {
        let now = self.now;
        let at = self.wires[wire]
            .as_mut()
            .and_then(|open| open.arrange_write(way, now));
        if let Some(at) = at {
            self.queue.push(at, Due::Write(wire, way));
        }
    }

    /// Forgets a connection at whose ends nobody is.
    pub(super) fn bury(&mut self, wire: usize) {
        if self.wires[wire].as_ref().is_some_and(Wire::is_dead) {
            self.wires[wire] = None;
        }
    }

    pub(super) fn is_unplugged(&self, client: usize, member: usize) -> bool {
        self.unplugged
            .iter()
            .any(|between| between.holds(client, member))
    }

    /// Does something from outside.
    pub(super) fn act(&mut self, act: Act) {
        self.note(|| format!("{act:?}"));
        match act {
            Act::Stop(member) => self.stop(member, Health::Stopped),
            Act::PowerOff(member) => self.stop(member, Health::Off),
            Act::Start(member) => self.start(member),
            Act::Pause(member) => self.pause(member),
            Act::Resume(member) => self.resume(member),
            Act::Partition(groups) => self.partition(&groups),
            Act::Heal => self.heal(),
            Act::Lag(member, lag) => self.at_member(member, |host, place, now| {
                host.cluster.set_lag(now, place, lag);
            }),
            Act::MoveLeader(member) => self.at_member(member, |host, place, now| {
                host.cluster.move_leader(now, place);
            }),
            Act::ExpireTokens(member) => self.at_member(member, |host, place, now| {
                host.forgotten.push(now);
                host.cluster.expire_tokens(now, place);
            }),
            Act::Unplug(between) => {
                self.unplugged.push(between);
                self.hold_links();
            }
            Act::Plug(between) => {
                self.unplugged.retain(|other| *other != between);
                self.hold_links();
            }
            Act::Strike(between, fault) => self.strike(between, fault),
            Act::Await(between, fault) => self.awaited.push((between, fault)),
            Act::Shape(between, shape) => self.rules.set_shape(between, shape),
            Act::Faults(between, faults) => self.rules.set_faults(between, faults),
            Act::Jump(client, by) if client < self.clients.len() => self.jump(client, by),
            Act::Freeze(client, time) if client < self.clients.len() => self.freeze(client, time),
            Act::Jump(..) | Act::Freeze(..) => {}
            Act::Calm => self.calm(),
        }
    }

    /// Lets each connection through or not, as the cables are now.
    fn hold_links(&mut self) {
        for wire in 0..self.wires.len() {
            let Some(open) = self.wires[wire].as_mut() else {
                continue;
            };
            let Some(end) = open.client else {
                continue;
            };
            let is_held = self
                .unplugged
                .iter()
                .any(|b| b.holds(end.client, open.member));
            let was_held = open.link.is_held();
            open.link.hold(is_held);
            if was_held && !is_held {
                if open.is_open {
                    self.arm(wire, Way::Up);
                    self.arm(wire, Way::Down);
                } else {
                    self.queue.push(self.now, Due::Open(wire));
                }
            }
        }
    }

    /// Does something to open connections.
    fn strike(&mut self, between: Between, fault: Fault) {
        let now = self.now;
        for wire in 0..self.wires.len() {
            let Some(open) = self.wires[wire].as_mut() else {
                continue;
            };
            let Some(end) = open.client.filter(|_| open.is_open) else {
                continue;
            };
            if !between.holds(end.client, open.member) {
                continue;
            }
            if open.link.strike(fault, now) {
                self.tally.add(now, wire, fault);
            }
            if matches!(fault, Fault::HalfOpen { at: 0 }) {
                self.lose_server(wire);
            }
            self.arm(wire, Way::Up);
            self.arm(wire, Way::Down);
        }
    }

    fn calm(&mut self) {
        self.rules.calm();
        self.awaited.clear();
        self.unplugged.clear();
        self.acts.clear();
        self.hold_links();
        for member in 0..self.members.len() {
            match self.members[member].health {
                Health::Running => {}
                Health::Stopped | Health::Off => self.start(member),
                Health::Paused => self.resume(member),
            }
            self.at_member(member, |host, place, now| {
                host.cluster.set_lag(now, place, core::time::Duration::ZERO);
            });
        }
        self.heal();
        for wire in 0..self.wires.len() {
            if let Some(open) = self.wires[wire].as_mut() {
                open.link.calm(self.now);
                self.arm(wire, Way::Up);
                self.arm(wire, Way::Down);
            }
        }
        for client in 0..self.clients.len() {
            if let Some(until) = &mut self.clients[client].frozen {
                *until = self.now;
                self.thaw(client);
            }
        }
    }

    /// Sets how fast the world's own user takes what a watch delivers.
    pub(super) fn set_pace(&mut self, client: usize, watch: WatchId, to: super::Pace) {
        if let Some(super::clients::Reader::World { pace, .. }) =
            self.clients[client].watches.get_mut(&watch)
        {
            *pace = to;
        }
        self.read_watch(client, watch);
        self.drain_client(client);
    }

    /// Writes a line into the log, if one is kept.
    pub(super) fn note(&mut self, line: impl FnOnce() -> String) {
        if let Some(log) = &mut self.log {
            if log.len() == LOG_LINES {
                log.pop_front();
            }
            log.push_back(format!("{:?} {}", self.now, line()));
        }
    }
}

/// Whether these bytes are one call and nothing else.
fn is_whole_call(bytes: &[u8]) -> bool {
    let mut headers = [httparse::EMPTY_HEADER; 32];
    let mut request = httparse::Request::new(&mut headers);
    let Ok(httparse::Status::Complete(head)) = request.parse(bytes) else {
        return false;
    };
    let length = request
        .headers
        .iter()
        .find(|h| h.name.eq_ignore_ascii_case("content-length"));
    let length = length.and_then(|h| core::str::from_utf8(h.value).ok()?.parse::<usize>().ok());
    length.is_some_and(|length| head + length == bytes.len())
}
