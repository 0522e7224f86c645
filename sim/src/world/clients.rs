//! The clients of a world: each a core, what it wants done, and who waits for what comes of it.

use core::mem;
use core::task::Waker;
use core::time::Duration;
use std::collections::{BTreeMap, BTreeSet};

use etcd_core::trace::Recorded;
use etcd_core::{
    CallId, ConnId, Endpoint, Error, Event, Instant, KeepAliveId, LeaseEvent, NetError,
    NetErrorKind, Output, Response, StreamEvent, StreamId, WatchEvent, WatchId,
};

use super::members::Health;
use super::queue::Due;
use super::state::State;
use super::wire::{ClientEnd, Wire};
use crate::check::What;
use crate::net::{Arrival, Link, Opening, Way};

/// How a login begins.
const LOGIN: &[u8] = b"POST /v3/auth/authenticate ";

/// A client and its users.
#[derive(Debug)]
pub(super) struct ClientHost {
    pub(super) core: Recorded,
    /// Its connections, opening ones included.
    conns: BTreeMap<ConnId, usize>,
    /// How many of them have ended.
    ended: u64,
    /// The connection its last login was sent on, until that answers or ends.
    login: Option<usize>,
    /// How far its clock is ahead of the world's.
    ahead: Duration,
    /// Until when its process stands still.
    pub(super) frozen: Option<Instant>,
    /// When it is told the time.
    armed: Option<Instant>,
    /// Calls whose future is alive.
    pub(super) calls: BTreeMap<CallId, CallSlot>,
    /// Calls that were commanded by number, while they are under way.
    pub(super) numbered: BTreeMap<u64, CallId>,
    /// All calls that ever were: a second outcome is written down, too.
    pub(super) numbers: BTreeSet<u64>,
    /// Of these, the ones that may wait for somebody else.
    pub(super) waits: BTreeSet<u64>,
    /// Watches that have not told their end.
    pub(super) watches: BTreeMap<WatchId, Reader>,
    /// The same for snapshots and observations.
    pub(super) streams: BTreeMap<StreamId, Reader>,
    /// Leases that are kept alive and have not told their end.
    pub(super) leases: BTreeSet<KeepAliveId>,
    /// The deadlines a call has by itself: of a read, of a write.
    pub(super) deadlines: (Duration, Duration),
}

/// Where a call's answer goes.
#[derive(Debug)]
pub(crate) enum CallSlot {
    /// It has not come; who waits for it.
    Waiting(Option<Waker>),
    /// It has come and was not taken yet.
    Answered(Box<Result<Response, Error>>),
}

/// Who takes what a watch, a snapshot or an observation delivers.
#[derive(Debug)]
pub(crate) enum Reader {
    /// A task; who waits.
    Task(Option<Waker>),
    /// The world itself, into its history.
    World {
        /// How fast.
        pace: Pace,
        /// Whether the next time is arranged.
        is_arranged: bool,
    },
}

/// How fast a user takes what a watch delivers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Pace {
    /// Everything as soon as it is there.
    #[default]
    AtOnce,
    /// One thing, and the next one this much later.
    Every(Duration),
    /// Never anything.
    Never,
}

impl ClientHost {
    pub(super) fn new(core: Recorded, deadlines: (Duration, Duration)) -> Self {
        Self {
            core,
            conns: BTreeMap::new(),
            ended: 0,
            login: None,
            ahead: Duration::ZERO,
            frozen: None,
            armed: None,
            calls: BTreeMap::new(),
            numbered: BTreeMap::new(),
            numbers: BTreeSet::new(),
            waits: BTreeSet::new(),
            watches: BTreeMap::new(),
            streams: BTreeMap::new(),
            leases: BTreeSet::new(),
            deadlines,
        }
    }

    /// A connection is no more. Says which it was.
    fn end_conn(&mut self, conn: ConnId) -> Option<usize> {
        let wire = self.conns.remove(&conn)?;
        self.ended += 1;
        self.login = self.login.filter(|login| *login != wire);
        Some(wire)
    }

    /// What its clock says.
    pub(super) fn local(&self, now: Instant) -> Instant {
        now + self.ahead
    }

    /// When the world's clock says that, if its own clock is not made to jump.
    fn global(&self, local: Instant) -> Instant {
        Instant::ZERO + (local - (Instant::ZERO + self.ahead))
    }
}

impl State {
    /// Gives a client's core something, and does whatever comes of it.
    pub(super) fn visit<R>(
        &mut self,
        client: usize,
        act: impl FnOnce(&mut ClientHost, Instant) -> R,
    ) -> R {
        let host = &mut self.clients[client];
        let local = host.local(self.now);
        let result = act(host, local);
        self.drain_client(client);
        result
    }

    /// Does what a client's core wants, until it wants nothing more.
    pub(super) fn drain_client(&mut self, client: usize) {
        while let Some(output) = self.clients[client].core.poll_output() {
            match output {
                Output::Connect { conn, endpoint } => self.begin(client, conn, &endpoint),
                Output::Transmit(conn) => {
                    if let Some(&wire) = self.clients[client].conns.get(&conn) {
                        self.flush_client(wire);
                    }
                }
                Output::Close(conn) => {
                    if let Some(wire) = self.clients[client].end_conn(conn) {
                        self.close_client(wire);
                    }
                }
                Output::Pause(conn) => self.set_paused(client, conn, true),
                Output::Resume(conn) => self.set_paused(client, conn, false),
                Output::Event(event) => self.tell(client, event),
            }
        }
        self.arm_client(client);
    }

    fn arm_client(&mut self, client: usize) {
        let host = &mut self.clients[client];
        if host.frozen.is_some() {
            return;
        }
        let Some(local) = host.core.poll_timeout() else {
            return;
        };
        let due = host.global(local).max(self.now);
        if host.armed.is_none_or(|armed| due < armed) {
            host.armed = Some(due);
            self.queue.push(due, Due::Client(client));
        }
    }

    /// A client is told the time.
    pub(super) fn client_is_due(&mut self, client: usize) {
        let now = self.now;
        let host = &mut self.clients[client];
        if host.armed != Some(now) || host.frozen.is_some() {
            return;
        }
        host.armed = None;
        let local = host.local(now);
        if host.core.poll_timeout().is_some_and(|due| due <= local) {
            host.core.handle_timeout(local);
        }
        self.drain_client(client);
    }

    /// A client's clock jumps.
    pub(super) fn jump(&mut self, client: usize, by: Duration) {
        let at = self.now;
        self.clients[client].ahead += by;
        self.clients[client].armed = None;
        self.history.add(at, client, What::Jumped { by });
        self.tell_frozen(client);
        self.arm_client(client);
    }

    /// Writes down, behind what is measured from now on, for how long the client still stands still.
    pub(super) fn tell_frozen(&mut self, client: usize) {
        if let Some(until) = self.clients[client].frozen {
            let time = until - self.now;
            self.history.add(self.now, client, What::Froze { time });
        }
    }

    /// A client's process stands still.
    pub(super) fn freeze(&mut self, client: usize, time: Duration) {
        let until = self.now + time;
        self.clients[client].frozen = Some(until);
        self.history.add(self.now, client, What::Froze { time });
        self.queue.push(until, Due::Thaw(client));
    }

    /// A client goes on, unless it was made to stand still for longer meanwhile.
    pub(super) fn thaw(&mut self, client: usize) {
        let host = &mut self.clients[client];
        if host.frozen.is_none_or(|until| until > self.now) {
            return;
        }
        host.frozen = None;
        host.armed = None;
        let wires: Vec<usize> = host.conns.values().copied().collect();
        for wire in wires {
            self.flush_client(wire);
            self.arm(wire, Way::Down);
        }
        self.arm_client(client);
    }

    /// Begins to open a connection.
    fn begin(&mut self, client: usize, conn: ConnId, endpoint: &Endpoint) {
        let wire = self.wires.len();
        self.clients[client].conns.insert(conn, wire);
        let Some(&member) = self.addresses.get(endpoint.authority()) else {
            // Nobody has that address.
            self.wires.push(None);
            self.unknown.push((wire, client, conn));
            self.queue.push(self.now, Due::Open(wire));
            return;
        };
        let (shape, mut plan) = self.rules.plan(client, member, &mut self.rng);
        self.awaited.retain(|(between, fault)| {
            let is_meant = between.holds(client, member);
            if is_meant {
                plan.push(*fault);
            }
            !is_meant
        });
        let rng = self.rng.fork(wire as u64);
        let mut link = Link::new(self.now, shape, &plan, rng);
        let (opening, noted) = link.opening();
        for fault in noted {
            self.tally.add(self.now, wire, fault);
        }
        if self.is_unplugged(client, member) {
            link.hold(true);
        }
        let end = ClientEnd {
            client,
            conn,
            is_paused: false,
        };
        self.wires.push(Some(Wire::new(link, member, Some(end))));
        self.note(|| format!("client {client} opens {wire} to member {member}: {plan:?}"));
        if let Opening::Answered { at, .. } = opening {
            self.queue.push(at, Due::Open(wire));
        }
    }

    /// A connection opens, or cannot.
    pub(super) fn opened(&mut self, wire: usize) {
        if let Some(place) = self.unknown.iter().position(|(other, ..)| *other == wire) {
            let (_, client, conn) = self.unknown.swap_remove(place);
            let error = NetError::new(NetErrorKind::NameNotFound, "no such address in the world");
            self.visit(client, |host, now| {
                host.core.handle_connect_failed(now, conn, error)
            });
            return;
        }
        let Some(open) = self.wires[wire].as_mut() else {
            return;
        };
        let (Some(end), member, false) = (open.client, open.member, open.is_open) else {
            return;
        };
        if let Some(until) = self.clients[end.client].frozen {
            return self.queue.push(until, Due::Open(wire));
        }
        // Whoever joins the cable again lets it go on.
        if open.link.is_held() {
            return;
        }
        let (opening, _) = open.link.opening();
        let Opening::Answered {
            refused, closed, ..
        } = opening
        else {
            return;
        };
        match self.members[member].health {
            Health::Off => return,
            Health::Stopped => return self.refuse(wire, end),
            Health::Running | Health::Paused if refused => return self.refuse(wire, end),
            Health::Running | Health::Paused => {}
        }
        open.is_open = true;
        if closed {
            open.link.close(Way::Down, self.now);
        } else {
            self.accept(wire);
        }
        self.digest.add(wire as u64);
        self.note(|| format!("{wire} is open"));
        self.visit(end.client, |host, now| {
            host.core.handle_connected(now, end.conn);
        });
        self.arm(wire, Way::Down);
    }

    fn refuse(&mut self, wire: usize, end: ClientEnd) {
        self.wires[wire] = None;
        let error = NetError::new(NetErrorKind::Refused, "connection refused");
        self.visit(end.client, |host, now| {
            host.end_conn(end.conn);
            host.core.handle_connect_failed(now, end.conn, error);
        });
    }

    /// Puts under way what a client has to send.
    pub(super) fn flush_client(&mut self, wire: usize) {
        let now = self.now;
        let Some(open) = self.wires[wire].as_mut() else {
            return;
        };
        let Some(end) = open.client.filter(|_| open.is_open) else {
            return;
        };
        let host = &mut self.clients[end.client];
        if host.frozen.is_some() {
            return;
        }
        let local = host.local(now);
        loop {
            let bytes = host.core.transmit(end.conn);
            if bytes.is_empty() {
                break;
            }
            let len = bytes.len();
            let is_login = bytes.starts_with(LOGIN);
            let tally = &mut self.tally;
            let taken = open.link.send(Way::Up, now, bytes, &mut |fault| {
                tally.add(now, wire, fault);
            });
            if taken == 0 {
                break;
            }
            if is_login {
                let is_alone = host.login.replace(wire).is_none();
                let ended = host.ended;
                let sent = What::LoginSent { is_alone, ended };
                self.history.add(now, end.client, sent);
            }
            host.core.handle_written(local, end.conn, taken);
            if taken < len {
                break;
            }
        }
        if let Some(at) = open.arrange_write(Way::Up, now) {
            self.queue.push(at, Due::Write(wire, Way::Up));
        }
        self.arm(wire, Way::Up);
        self.arm(wire, Way::Down);
    }

    /// A client closes its end.
    fn close_client(&mut self, wire: usize) {
        let now = self.now;
        let Some(open) = self.wires[wire].as_mut() else {
            return;
        };
        open.client = None;
        self.note(|| format!("{wire} is closed by its client"));
        let Some(open) = self.wires[wire].as_mut() else {
            return;
        };
        if open.is_open {
            open.link.close(Way::Up, now);
            self.arm(wire, Way::Up);
        }
        self.bury(wire);
    }

    fn set_paused(&mut self, client: usize, conn: ConnId, is_paused: bool) {
        let Some(&wire) = self.clients[client].conns.get(&conn) else {
            return;
        };
        if let Some(end) = self.wires[wire]
            .as_mut()
            .and_then(|open| open.client.as_mut())
        {
            end.is_paused = is_paused;
        }
        self.arm(wire, Way::Down);
    }

    /// A client reads what has arrived.
    pub(super) fn read_client(&mut self, wire: usize) {
        let now = self.now;
        loop {
            let Some(open) = self.wires[wire].as_mut() else {
                return;
            };
            let Some(end) = open.client else {
                // It closed the connection; what comes now is answered by its machine.
                if let Some(Arrival::Bytes(_)) = open.link.arrive(Way::Down, now) {
                    open.link.refuse(Way::Down, now);
                    self.arm(wire, Way::Up);
                }
                return;
            };
            let host = &mut self.clients[end.client];
            if end.is_paused || host.frozen.is_some() {
                // What it read before made room for the member.
                self.arrange_write(wire, Way::Down);
                return;
            }
            let local = host.local(now);
            let Some(arrival) = open.link.arrive(Way::Down, now) else {
                break;
            };
            match arrival {
                Arrival::Bytes(bytes) => {
                    self.digest.add_bytes(bytes);
                    host.login = host.login.filter(|login| *login != wire);
                    host.core.handle_received(local, end.conn, bytes);
                }
                Arrival::Fin => {
                    host.core.handle_eof(local, end.conn);
                    self.note(|| format!("{wire} ends for its client"));
                }
                Arrival::Reset | Arrival::Vanish => {
                    open.client = None;
                    host.end_conn(end.conn);
                    let error = NetError::new(NetErrorKind::Reset, "connection reset by peer");
                    host.core.handle_closed(local, end.conn, error);
                    self.bury(wire);
                    self.note(|| format!("{wire} is reset for its client"));
                }
            }
            self.drain_client(end.client);
        }
        self.arrange_write(wire, Way::Down);
        self.arm(wire, Way::Down);
    }

    /// Hands an event to whoever waits for it.
    fn tell(&mut self, client: usize, event: Event) {
        let host = &mut self.clients[client];
        match event {
            Event::Answered { call, result } => match host.calls.get_mut(&call) {
                Some(slot) => {
                    if let CallSlot::Waiting(waker) = mem::replace(slot, CallSlot::Answered(result))
                    {
                        self.wakers.extend(waker);
                    }
                }
                None => {
                    let call = call.get();
                    host.numbered.remove(&call);
                    if host.numbers.contains(&call) {
                        self.add(client, What::CallEnded { call, result });
                    }
                }
            },
            Event::Watch(watch) => match host.watches.get_mut(&watch) {
                Some(Reader::Task(waker)) => self.wakers.extend(waker.take()),
                Some(Reader::World { .. }) => self.read_watch(client, watch),
                None => {}
            },
            Event::Stream(stream) => match host.streams.get_mut(&stream) {
                Some(Reader::Task(waker)) => self.wakers.extend(waker.take()),
                Some(Reader::World { .. }) => self.read_stream(client, stream),
                None => {}
            },
            Event::Lease(lease) => self.read_lease(client, lease),
            // Core and world are of one version; there are no other events.
            _ => {}
        }
    }

    /// The world's own user takes from a watch what there is, at its pace.
    pub(super) fn read_watch(&mut self, client: usize, watch: WatchId) {
        let now = self.now;
        let Some(Reader::World { pace, is_arranged }) =
            self.clients[client].watches.get_mut(&watch)
        else {
            return;
        };
        match *pace {
            Pace::AtOnce => while self.take_watch(client, watch) {},
            Pace::Every(time) => {
                if !mem::replace(is_arranged, true) {
                    self.queue.push(now + time, Due::Take(client, watch.get()));
                }
            }
            Pace::Never => {}
        }
    }

    /// A slow user takes one thing.
    pub(super) fn take_slowly(&mut self, client: usize, watch: u64) {
        let found = self.clients[client]
            .watches
            .keys()
            .find(|id| id.get() == watch);
        let Some(&watch) = found else {
            return;
        };
        if let Some(Reader::World { is_arranged, .. }) =
            self.clients[client].watches.get_mut(&watch)
        {
            *is_arranged = false;
        }
        if self.take_watch(client, watch) {
            self.read_watch(client, watch);
        }
        self.drain_client(client);
    }

    fn take_watch(&mut self, client: usize, watch: WatchId) -> bool {
        let host = &mut self.clients[client];
        let Some(event) = host.core.poll_watch(watch) else {
            return false;
        };
        let is_end = matches!(event, WatchEvent::End(_));
        if is_end {
            host.watches.remove(&watch);
        }
        let watch = watch.get();
        self.add(client, What::WatchTold { watch, event });
        !is_end
    }

    fn read_stream(&mut self, client: usize, stream: StreamId) {
        while let Some(event) = self.clients[client].core.poll_stream(stream) {
            if matches!(event, StreamEvent::End(_)) {
                self.clients[client].streams.remove(&stream);
            }
            let stream = stream.get();
            self.add(client, What::StreamTold { stream, event });
        }
    }

    fn read_lease(&mut self, client: usize, kept: KeepAliveId) {
        let now = self.clients[client].local(self.now);
        loop {
            let host = &mut self.clients[client];
            let state = host.core.lease_state(now, kept);
            let Some(event) = host.core.poll_lease(kept) else {
                return;
            };
            if matches!(event, LeaseEvent::End(_)) {
                host.leases.remove(&kept);
            }
            let kept = kept.get();
            let lease = state.map_or(0, |state| state.lease);
            self.add(client, What::LeaseTold { kept, lease, event });
        }
    }

    /// Writes down what a client's user commanded or was told.
    pub(super) fn add(&mut self, client: usize, what: What) {
        self.digest.add(client as u64);
        self.history.add(self.now, client, what);
    }

    /// Nobody waits for this call any more. Who did is given back, to be dropped elsewhere: that may
    /// run any code.
    pub(super) fn forget_call(&mut self, client: usize, call: CallId) -> Option<CallSlot> {
        let slot = self.clients[client].calls.remove(&call)?;
        if matches!(slot, CallSlot::Waiting(_)) {
            self.visit(client, |host, now| host.core.cancel_call(now, call));
        }
        Some(slot)
    }

    /// Nobody waits for this watch any more.
    pub(super) fn forget_watch(&mut self, client: usize, watch: WatchId) -> Option<Reader> {
        self.visit(client, |host, now| {
            let reader = host.watches.remove(&watch);
            host.core.cancel_watch(now, watch);
            // What it still had to deliver, its end included, is of no use to anybody.
            while host.core.poll_watch(watch).is_some() {}
            reader
        })
    }

    /// Nobody waits for this snapshot or observation any more.
    pub(super) fn forget_stream(&mut self, client: usize, stream: StreamId) -> Option<Reader> {
        self.visit(client, |host, now| {
            let reader = host.streams.remove(&stream);
            host.core.cancel_stream(now, stream);
            while host.core.poll_stream(stream).is_some() {}
            reader
        })
    }
}
