//! The laws of ARCHITECTURE.md over random lives of a client, its users and its servers.
//!
//! A life is told twice. First a plan is played: users, a driver and small servers react to what the
//! client does, and every input is recorded. Then the recording is played again with one thing
//! changed - bytes cut elsewhere, outputs taken later, input for the dead put in between - and
//! what must not depend on it is compared.

mod support;

use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::time::Duration;

use etcd_core::CallId;
use etcd_core::CallOptions;
use etcd_core::Compaction;
use etcd_core::Config;
use etcd_core::ConnId;
use etcd_core::Credentials;
use etcd_core::Error;
use etcd_core::Event;
use etcd_core::Instant;
use etcd_core::KeepAlive;
use etcd_core::KeepAliveId;
use etcd_core::KnownKeys;
use etcd_core::LeaseEvent;
use etcd_core::LeaseGrant;
use etcd_core::LeaseKeepAlive;
use etcd_core::NetError;
use etcd_core::NetErrorKind;
use etcd_core::Observe;
use etcd_core::Output;
use etcd_core::Put;
use etcd_core::Range;
use etcd_core::Response;
use etcd_core::StreamEnd;
use etcd_core::StreamEvent;
use etcd_core::StreamId;
use etcd_core::Watch;
use etcd_core::WatchCarrier;
use etcd_core::WatchEvent;
use etcd_core::WatchId;
use etcd_core::WatchOptions;
use etcd_core::trace;
use etcd_core::trace::Recorded;
use proptest::collection::vec;
use proptest::prelude::*;
use support::Peer;
use support::changes;

/// What may happen next. Numbers pick one of what there is, dead ones included.
#[derive(Clone, Debug)]
enum Step {
    Put,
    Get {
        timeout: u16,
    },
    Renew,
    Watch {
        from: Option<u8>,
    },
    Snapshot {
        pinned: bool,
    },
    Observe,
    Lease,
    KeepAlive {
        ttl: Option<u8>,
    },
    Release(u8),
    Revoke(u8),
    Look(u8),
    CancelCall(u8),
    CancelWatch(u8),
    CancelStream(u8),
    Ask(u8),
    /// Other endpoints, some of which it may have had.
    Endpoints(u8),
    Sync,
    Credentials(bool),
    Read(u8, u8),
    ReadStream(u8, u8),
    Open(u8),
    Refuse(u8),
    Reset(u8),
    Eof(u8),
    Write(u8, u16),
    /// Several things that the server says, in one piece.
    Answer(u8, Vec<u8>),
    /// An answer of which only a part comes, and then the end.
    Cut(u8, u8, u8),
    Garbage(u8, Vec<u8>),
    Broken(u8, u8, u8),
    Grow,
    Wait(u16),
    /// All goes well for a while: everything opens, is written, answered and read.
    Flow(u8),
}

fn step() -> impl Strategy<Value = Step> {
    use Step::*;
    prop_oneof![
        2 => Just(Put),
        2 => prop_oneof![Just(5000), 1..200_u16].prop_map(|timeout| Get { timeout }),
        1 => Just(Renew),
        2 => proptest::option::of(1..40_u8).prop_map(|from| Watch { from }),
        1 => any::<bool>().prop_map(|pinned| Snapshot { pinned }),
        1 => Just(Observe),
        1 => Just(Lease),
        1 => proptest::option::of(0..9_u8).prop_map(|ttl| KeepAlive { ttl }),
        1 => any::<u8>().prop_map(Release),
        1 => any::<u8>().prop_map(Revoke),
        2 => any::<u8>().prop_map(Look),
        1 => any::<u8>().prop_map(CancelCall),
        1 => any::<u8>().prop_map(CancelWatch),
        1 => any::<u8>().prop_map(CancelStream),
        2 => (any::<u8>(), 1..9_u8).prop_map(|(stream, most)| ReadStream(stream, most)),
        1 => any::<u8>().prop_map(Ask),
        1 => any::<u8>().prop_map(Endpoints),
        1 => Just(Sync),
        1 => any::<bool>().prop_map(Credentials),
        2 => (any::<u8>(), 1..9_u8).prop_map(|(watch, most)| Read(watch, most)),
        2 => any::<u8>().prop_map(Open),
        1 => any::<u8>().prop_map(Refuse),
        1 => any::<u8>().prop_map(Reset),
        1 => any::<u8>().prop_map(Eof),
        4 => (any::<u8>(), prop_oneof![3 => Just(u16::MAX), 1 => 0..400_u16])
            .prop_map(|(conn, most)| Write(conn, most)),
        14 => (any::<u8>(), vec(any::<u8>(), 1..5))
            .prop_map(|(conn, choices)| Answer(conn, choices)),
        1 => (any::<u8>(), any::<u8>(), any::<u8>())
            .prop_map(|(conn, choice, part)| Cut(conn, choice, part)),
        8 => Just(Grow),
        2 => prop_oneof![0..100_u16, 0..12_000_u16].prop_map(Wait),
        20 => any::<u8>().prop_map(Flow),
    ]
}

/// Also what no sane server does.
fn hostile_step() -> impl Strategy<Value = Step> {
    prop_oneof![
        20 => step(),
        1 => (any::<u8>(), vec(any::<u8>(), 0..40)).prop_map(|(conn, bytes)| Step::Garbage(conn, bytes)),
        2 => (any::<u8>(), any::<u8>(), any::<u8>())
            .prop_map(|(conn, choice, place)| Step::Broken(conn, choice, place)),
    ]
}

fn plan() -> impl Strategy<Value = Vec<Step>> {
    vec(step(), 0..120)
}

fn hostile_plan() -> impl Strategy<Value = Vec<Step>> {
    vec(hostile_step(), 0..120)
}

/// One input, as a driver or a user gives it.
#[derive(Clone, Debug)]
enum Input {
    Put,
    Get(u16),
    Renew(i64),
    Watch(i64),
    Snapshot(bool),
    Observe,
    Lease,
    KeepAlive(Option<u8>),
    Release(KeepAliveId),
    Revoke(KeepAliveId),
    Look(KeepAliveId),
    CancelCall(CallId),
    CancelWatch(WatchId),
    CancelStream(StreamId),
    Ask(WatchId),
    Endpoints(u8),
    Sync,
    Credentials(bool),
    Read(WatchId, u8),
    ReadStream(StreamId, u8),
    Open(ConnId),
    Refuse(ConnId),
    Reset(ConnId),
    Eof(ConnId),
    Written(ConnId, usize),
    Received(ConnId, Vec<u8>),
    Timeout,
    Shutdown,
}

fn root() -> Credentials {
    let credentials = Credentials::password("root", "p").expect("they are not empty");
    credentials.over_plain_http()
}

/// Every other client has a password.
fn config(seed: u64) -> Config {
    let mut config = Config::new(["a", "b"]).expect("two endpoints");
    config.max_connections = 2;
    config.find_api_prefix = seed % 7 == 3;
    config.pipeline_depth = 1 + usize::try_from(seed / 2 % 4).expect("a small number");
    config.max_watches_per_connection = 3;
    config.connect_timeout = Duration::from_secs(1);
    config.watch_created_timeout = Duration::from_secs(2);
    config.limits.watch_buffer_bytes = 1500;
    config.limits.all_watch_buffers_bytes = 3000;
    config.limits.calls = 20;
    config.limits.watches = 10;
    config.limits.streams = 4;
    config.limits.leases = 4;
    config.limits.connections = 8;
    config.limits.stream_buffer_bytes = 1500;
    if seed % 5 == 0 {
        config.watch_carrier = WatchCarrier::Single;
    }
    config.snapshot_idle_timeout = Duration::from_secs(3);
    if seed % 2 == 1 {
        config.set_credentials(root()).expect("no header");
        config.token_ttl = Duration::from_secs(10);
    }
    config
}

/// A client and everything that came out of it.
struct Run {
    client: Recorded,
    outputs: Vec<Output>,
    calls: Vec<CallId>,
    /// What was read of watches, in the order it was read.
    given: Vec<String>,
    watched: BTreeMap<WatchId, Vec<WatchEvent>>,
    streamed: BTreeMap<StreamId, Vec<StreamEvent>>,
    leased: BTreeMap<KeepAliveId, Vec<LeaseEvent>>,
}

impl Run {
    fn new(seed: u64) -> Self {
        Self {
            client: Recorded::new(config(seed), seed, Instant::ZERO),
            outputs: Vec::new(),
            calls: Vec::new(),
            given: Vec::new(),
            watched: BTreeMap::new(),
            streamed: BTreeMap::new(),
            leased: BTreeMap::new(),
        }
    }

    fn put_in(&mut self, now: Instant, input: &Input) {
        let client = &mut self.client;
        let timeout = |millis: u16| {
            let timeout = Duration::from_millis(millis.into());
            CallOptions::default().with_timeout(timeout)
        };
        match input {
            Input::Put => self.calls.push(client.call(now, Put::new("k", "v"))),
            Input::Get(millis) => {
                let call = client.call_with(now, Range::key("k"), timeout(*millis));
                self.calls.push(call);
            }
            Input::Endpoints(bits) => {
                let names = ["a", "b", "c", "d"].into_iter().enumerate();
                let names = names.filter(|(place, _)| (bits % 15 + 1) >> place & 1 == 1);
                let endpoints = names.map(|(_, name)| name.parse().expect("a name"));
                let set = client.set_endpoints(now, endpoints);
                set.expect("there is one, and credentials may go anywhere");
            }
            Input::Sync => self.calls.push(client.sync(now)),
            Input::Credentials(some) => {
                client.set_credentials(now, some.then(root));
            }
            Input::Renew(lease) => {
                self.calls
                    .push(client.call(now, LeaseKeepAlive::new(*lease)));
            }
            Input::Watch(from) => {
                let watch = Watch::key("k").with_start_revision(*from);
                let compaction = match from % 3 {
                    0 => Compaction::Fail,
                    1 => Compaction::Snapshot,
                    _ => Compaction::Difference(KnownKeys::new()),
                };
                let options = WatchOptions::default().with_compaction(compaction);
                let watch = client.watch_with(now, watch.with_fragment(true), options);
                self.watched.insert(watch, Vec::new());
            }
            Input::Snapshot(pinned) => {
                let mut options = CallOptions::default();
                if *pinned {
                    options = options.with_endpoint("c".parse().expect("an endpoint"));
                }
                let stream = client.snapshot(now, options);
                self.streamed.insert(stream, Vec::new());
            }
            Input::Observe => {
                let stream = client.observe(now, Observe::new("el"));
                self.streamed.insert(stream, Vec::new());
            }
            Input::Lease => {
                let lease = client.lease(now, LeaseGrant::new(4));
                self.leased.insert(lease, Vec::new());
            }
            Input::KeepAlive(ttl) => {
                let asked = KeepAlive::new(9);
                let asked = match ttl {
                    Some(ttl) => asked.with_ttl((*ttl).into(), now),
                    None => asked,
                };
                let lease = client.keep_alive(now, asked);
                self.leased.insert(lease, Vec::new());
            }
            Input::Release(lease) => client.release_lease(now, *lease),
            Input::Revoke(lease) => client.revoke_lease(now, *lease),
            Input::Look(lease) => {
                while let Some(event) = client.poll_lease(*lease) {
                    self.given.push(format!("{lease:?} {event:?}"));
                    self.leased.entry(*lease).or_default().push(event);
                }
            }
            Input::CancelStream(stream) => client.cancel_stream(now, *stream),
            Input::ReadStream(stream, most) => {
                for _ in 0..*most {
                    let Some(event) = client.poll_stream(*stream) else {
                        break;
                    };
                    self.given.push(format!("{stream:?} {event:?}"));
                    self.streamed.entry(*stream).or_default().push(event);
                }
            }
            Input::CancelCall(call) => client.cancel_call(now, *call),
            Input::CancelWatch(watch) => client.cancel_watch(now, *watch),
            Input::Ask(watch) => client.request_progress(now, *watch),
            Input::Read(watch, most) => {
                for _ in 0..*most {
                    let certified = client.certified(*watch);
                    let Some(event) = client.poll_watch(*watch) else {
                        break;
                    };
                    support::check_certified(certified, &event, client.certified(*watch));
                    self.given.push(format!("{watch:?} {event:?}"));
                    self.watched.entry(*watch).or_default().push(event);
                }
            }
            Input::Open(conn) => client.handle_connected(now, *conn),
            Input::Refuse(conn) => {
                let error = NetError::new(NetErrorKind::Refused, "refused");
                client.handle_connect_failed(now, *conn, error);
            }
            Input::Reset(conn) => {
                let error = NetError::new(NetErrorKind::Reset, "reset");
                client.handle_closed(now, *conn, error);
            }
            Input::Eof(conn) => client.handle_eof(now, *conn),
            Input::Written(conn, len) => client.handle_written(now, *conn, *len),
            Input::Received(conn, bytes) => client.handle_received(now, *conn, bytes),
            Input::Timeout => client.handle_timeout(now),
            Input::Shutdown => client.shutdown(now),
        }
    }

    /// Law 4: a drain ends, and one input gives a bounded number of outputs.
    fn drain(&mut self) -> usize {
        let before = self.outputs.len();
        while let Some(output) = self.client.poll_output() {
            self.outputs.push(output);
            assert!(
                self.outputs.len() - before < 200,
                "law 4: outputs without end"
            );
        }
        before
    }

    /// What the user sees: outcomes of calls, what watches delivered.
    ///
    /// Calls go by which of them it was, not by their ids: the client's own calls have ids as well, and a page
    /// of a range may be asked for at another time.
    fn application(&self) -> Told<'_> {
        let answers = self.outputs.iter().filter_map(|output| match output {
            Output::Event(Event::Answered { call, result }) => Some((*call, &**result)),
            _ => None,
        });
        let answers: Vec<_> = answers.collect();
        let ids: BTreeSet<CallId> = answers.iter().map(|(call, _)| *call).collect();
        let place = |call: CallId| ids.range(..call).count();
        let answers = answers.into_iter();
        let answers = answers.map(|(call, result)| (place(call), result));
        (answers.collect(), &self.given)
    }
}

/// Outcomes of calls, and what else a user was given.
type Told<'a> = (Vec<(usize, &'a Result<Response, Error>)>, &'a [String]);

/// A recording: the inputs, each with its time.
type Recording = Vec<(Instant, Input)>;

/// Plays a plan, and checks on the way what holds at every moment.
struct Play {
    run: Run,
    now: Instant,
    recording: Recording,
    conns: Vec<ConnId>,
    dead: BTreeSet<ConnId>,
    peers: BTreeMap<ConnId, Peer>,
    /// How often each call ended.
    ends: BTreeMap<CallId, u32>,
    watches: Vec<(WatchId, i64)>,
    revision: i64,
}

impl Play {
    fn of(plan: &[Step], seed: u64) -> Self {
        let mut play = Self {
            run: Run::new(seed),
            now: Instant::ZERO,
            recording: Vec::new(),
            conns: Vec::new(),
            dead: BTreeSet::new(),
            peers: BTreeMap::new(),
            ends: BTreeMap::new(),
            watches: Vec::new(),
            revision: 10,
        };
        for step in plan {
            play.step(step);
        }
        play
    }

    /// Ends the client, and checks that everything ended once.
    fn end(mut self) -> Self {
        self.input(Input::Shutdown);
        for (watch, _) in self.watches.clone() {
            self.input(Input::Read(watch, u8::MAX));
        }
        for stream in self.streams() {
            self.input(Input::ReadStream(stream, u8::MAX));
        }
        for lease in self.leases() {
            self.input(Input::Look(lease));
        }
        assert_eq!(
            self.run.client.poll_timeout(),
            None,
            "nothing is left to do"
        );
        assert_eq!(self.run.client.stats().connections_open, 0);
        let once = |call: &CallId| (*call, 1);
        let wanted: BTreeMap<CallId, u32> = self.run.calls.iter().map(once).collect();
        assert_eq!(self.ends, wanted, "law 6");
        for (watch, _) in &self.watches {
            let events = &self.run.watched[watch];
            let ends = events
                .iter()
                .filter(|event| matches!(event, WatchEvent::End(_)));
            assert_eq!(ends.count(), 1, "law 6: {watch:?} {events:?}");
            assert!(
                matches!(events.last(), Some(WatchEvent::End(_))),
                "{events:?}"
            );
        }
        for (lease, events) in &self.run.leased {
            let ends = events
                .iter()
                .filter(|event| matches!(event, LeaseEvent::End(_)));
            assert_eq!(ends.count(), 1, "law 6: {lease:?} {events:?}");
            assert!(
                matches!(events.last(), Some(LeaseEvent::End(_))),
                "{events:?}"
            );
        }
        for (stream, events) in &self.run.streamed {
            let ends = events
                .iter()
                .filter(|event| matches!(event, StreamEvent::End(_)));
            assert_eq!(ends.count(), 1, "law 6: {stream:?} {events:?}");
            assert!(
                matches!(events.last(), Some(StreamEvent::End(_))),
                "{events:?}"
            );
        }
        self
    }

    /// A snapshot that is done was delivered whole; leaders are told once, each after its
    /// predecessor.
    fn check_streams(&self) {
        for (stream, events) in &self.run.streamed {
            let mut bytes = 0;
            let mut last = (0, 0);
            for event in events {
                match event {
                    StreamEvent::Chunk(chunk) => bytes += chunk.blob.len() as u64,
                    StreamEvent::Leader(leader) => {
                        let next = (leader.kv.create_revision, leader.kv.mod_revision);
                        assert!(next > last, "{stream:?}: {events:?}");
                        last = next;
                    }
                    StreamEvent::End(StreamEnd::Done(summary)) => {
                        assert_eq!(summary.bytes, bytes, "{stream:?}: {events:?}");
                    }
                    _ => {}
                }
            }
        }
    }

    fn streams(&self) -> Vec<StreamId> {
        self.run.streamed.keys().copied().collect()
    }

    fn leases(&self) -> Vec<KeepAliveId> {
        self.run.leased.keys().copied().collect()
    }

    fn lease(&self, pick: u8) -> Option<KeepAliveId> {
        let leases = self.leases();
        leases.get(usize::from(pick) % leases.len().max(1)).copied()
    }

    fn stream(&self, pick: u8) -> Option<StreamId> {
        let streams = self.streams();
        streams
            .get(usize::from(pick) % streams.len().max(1))
            .copied()
    }

    /// Each watch delivered every revision from its start once, whole, in order (rule W-9).
    fn check_watches(&self) {
        for (watch, from) in &self.watches {
            let events = &self.run.watched[watch];
            let mut next = *from;
            let mut told = 0;
            for event in events {
                match event {
                    WatchEvent::Created { revision } if *from == 0 => next = revision + 1,
                    WatchEvent::Batch(batch) => {
                        assert_eq!(batch.revision, next, "{watch:?} from {from}: {events:?}");
                        assert_eq!(batch.events.len(), changes(next), "{watch:?}");
                        next += 1;
                    }
                    WatchEvent::Progress { revision } => {
                        assert!(*revision >= told, "G16: {watch:?} {events:?}");
                        assert!(*revision < next, "{watch:?} from {from}: {events:?}");
                        told = *revision;
                    }
                    WatchEvent::ResyncBegin {
                        lost_from, lost_to, ..
                    } => {
                        assert_eq!(*lost_from, next, "G14: {watch:?} {events:?}");
                        assert!(lost_to >= lost_from);
                    }
                    WatchEvent::ResyncEnd { revision } => {
                        assert!(*revision >= next, "{watch:?} {events:?}");
                        next = revision + 1;
                    }
                    WatchEvent::Resumed { from, .. } => assert!(*from <= next || *from == 0),
                    _ => {}
                }
            }
        }
    }

    fn input(&mut self, input: Input) {
        let now = self.now;
        self.run.put_in(now, &input);
        self.recording.push((now, input));
        let before = self.run.drain();
        for output in &self.run.outputs[before..] {
            match output {
                Output::Connect { conn, .. } => {
                    self.conns.push(*conn);
                    self.peers.insert(*conn, Peer::default());
                }
                Output::Close(conn) => assert!(self.dead.insert(*conn), "closed twice"),
                Output::Event(Event::Answered { call, .. }) => {
                    *self.ends.entry(*call).or_default() += 1;
                }
                _ => {}
            }
        }
        let stats = self.run.client.stats();
        let open = stats.connections_open;
        assert!(
            open <= (self.conns.len() - self.dead.len()) as u64,
            "{open} open"
        );
    }

    fn conn(&self, pick: u8) -> Option<ConnId> {
        // Mostly one of those that live.
        let live: Vec<ConnId> = self
            .conns
            .iter()
            .copied()
            .filter(|conn| !self.dead.contains(conn))
            .collect();
        let from = if pick < 235 && !live.is_empty() {
            &live
        } else {
            &self.conns
        };
        from.get(usize::from(pick) % from.len().max(1)).copied()
    }

    fn watch(&self, pick: u8) -> Option<WatchId> {
        let place = usize::from(pick) % self.watches.len().max(1);
        self.watches.get(place).map(|(watch, _)| *watch)
    }

    #[allow(clippy::too_many_lines, reason = "one arm for each kind of step")]
    fn step(&mut self, step: &Step) {
        let conn_of = |pick: &u8| self.conn(*pick);
        let input = match step {
            Step::Put => Some(Input::Put),
            Step::Get { timeout } => Some(Input::Get(*timeout)),
            Step::Renew => Some(Input::Renew(7)),
            Step::Watch { from } => {
                let from = from.map_or(0, i64::from);
                self.input(Input::Watch(from));
                let newest = self.run.watched.keys().next_back().copied();
                self.watches.extend(newest.map(|watch| (watch, from)));
                None
            }
            Step::Snapshot { pinned } => Some(Input::Snapshot(*pinned)),
            Step::Observe => Some(Input::Observe),
            Step::Lease => Some(Input::Lease),
            Step::KeepAlive { ttl } => Some(Input::KeepAlive(*ttl)),
            Step::Release(pick) => self.lease(*pick).map(Input::Release),
            Step::Revoke(pick) => self.lease(*pick).map(Input::Revoke),
            Step::Look(pick) => self.lease(*pick).map(Input::Look),
            Step::CancelStream(pick) => self.stream(*pick).map(Input::CancelStream),
            Step::ReadStream(pick, most) => self
                .stream(*pick)
                .map(|stream| Input::ReadStream(stream, *most)),
            Step::CancelCall(pick) => {
                let calls = &self.run.calls;
                let place = usize::from(*pick) % calls.len().max(1);
                calls.get(place).map(|call| Input::CancelCall(*call))
            }
            Step::CancelWatch(pick) => self.watch(*pick).map(Input::CancelWatch),
            Step::Ask(pick) => self.watch(*pick).map(Input::Ask),
            Step::Endpoints(bits) => Some(Input::Endpoints(*bits)),
            Step::Sync => Some(Input::Sync),
            Step::Credentials(some) => Some(Input::Credentials(*some)),
            Step::Read(pick, most) => self.watch(*pick).map(|watch| Input::Read(watch, *most)),
            Step::Open(pick) => conn_of(pick).map(Input::Open),
            Step::Refuse(pick) => conn_of(pick).map(Input::Refuse),
            Step::Reset(pick) => conn_of(pick).map(Input::Reset),
            Step::Eof(pick) => conn_of(pick).map(Input::Eof),
            Step::Write(pick, most) => conn_of(pick).map(|conn| {
                let bytes = self.run.client.transmit(conn);
                let len = bytes.len().min(usize::from(*most));
                let taken = bytes[..len].to_vec();
                self.peers.entry(conn).or_default().read(&taken);
                Input::Written(conn, len)
            }),
            Step::Answer(pick, choices) => self.conn(*pick).map(|conn| {
                // The end of a stream comes in a piece of its own: what a client did in between
                // (the place of a canceled watch is taken at once) it would undo.
                let alone = |choice: &&u8| choices.len() == 1 || **choice % 16 != 15;
                let said = choices.iter().filter(alone);
                let said = said.flat_map(|choice| self.say(conn, *choice));
                Input::Received(conn, said.collect())
            }),
            Step::Cut(pick, choice, part) => self.conn(*pick).map(|conn| {
                let bytes = self.say(conn, *choice);
                let len = bytes.len() * usize::from(*part) / 256;
                self.input(Input::Received(conn, bytes[..len].to_vec()));
                Input::Eof(conn)
            }),
            Step::Garbage(pick, bytes) => {
                conn_of(pick).map(|conn| Input::Received(conn, bytes.clone()))
            }
            Step::Broken(pick, choice, place) => self.conn(*pick).map(|conn| {
                let mut bytes = self.say(conn, *choice);
                let place = usize::from(*place) % bytes.len().max(1);
                if let Some(byte) = bytes.get_mut(place) {
                    *byte ^= 1 << (choice % 8);
                }
                Input::Received(conn, bytes)
            }),
            Step::Flow(choice) => {
                self.flow(*choice);
                None
            }
            Step::Grow => {
                self.revision += 1;
                None
            }
            Step::Wait(millis) => {
                self.wait(*millis);
                None
            }
        };
        if let Some(input) = input {
            self.input(input);
        }
    }

    fn flow(&mut self, choice: u8) {
        for (place, conn) in self.conns.clone().into_iter().enumerate() {
            if self.dead.contains(&conn) {
                continue;
            }
            self.input(Input::Open(conn));
            let taken = self.run.client.transmit(conn).to_vec();
            if !taken.is_empty() {
                self.peers.entry(conn).or_default().read(&taken);
                self.input(Input::Written(conn, taken.len()));
            }
            // Neither silent cancels nor errors.
            let choice = choice.wrapping_add(u8::try_from(place).unwrap_or(0));
            let choice = if choice % 16 >= 14 {
                choice - 8
            } else {
                choice
            };
            let mut bytes = self.say(conn, choice);
            bytes.extend(self.say(conn, 37_u8.wrapping_mul(choice) & 0xf7));
            if !bytes.is_empty() {
                self.input(Input::Received(conn, bytes));
            }
        }
        if choice % 3 == 0 {
            for (watch, _) in self.watches.clone() {
                self.input(Input::Read(watch, 20));
            }
            for stream in self.streams() {
                self.input(Input::ReadStream(stream, 20));
            }
            for lease in self.leases() {
                self.input(Input::Look(lease));
            }
        }
    }

    fn say(&mut self, conn: ConnId, choice: u8) -> Vec<u8> {
        let peer = self.peers.entry(conn).or_default();
        peer.say(self.revision, choice)
    }

    /// Time passes. Law 3: what was due is not due any more.
    fn wait(&mut self, millis: u16) {
        let until = self.now + Duration::from_millis(millis.into());
        let mut times = 0;
        while let Some(due) = self.run.client.poll_timeout().filter(|due| *due <= until) {
            self.now = self.now.max(due);
            self.input(Input::Timeout);
            let next = self.run.client.poll_timeout();
            assert!(next.is_none_or(|next| next > self.now), "law 3: {next:?}");
            times += 1;
            assert!(times < 1000, "law 3: no end of timeouts");
        }
        self.now = until;
    }
}

/// Plays a recording again; `draw` says after which inputs the outputs are taken.
fn replay(recording: &Recording, seed: u64, mut drain_at: impl FnMut(usize) -> bool) -> Run {
    let mut run = Run::new(seed);
    for (place, (now, input)) in recording.iter().enumerate() {
        run.put_in(*now, input);
        if drain_at(place) {
            run.drain();
        }
    }
    while let Some(output) = run.client.poll_output() {
        run.outputs.push(output);
    }
    run
}

/// What every connection has to send, after each input.
fn sent_by(
    recording: &Recording,
    seed: u64,
    mut cuts: impl FnMut(usize) -> Vec<usize>,
) -> (Run, Vec<Vec<u8>>) {
    let mut run = Run::new(seed);
    let mut sent = Vec::new();
    let mut conns = Vec::new();
    for (place, (now, input)) in recording.iter().enumerate() {
        if let Input::Received(conn, bytes) = input {
            let mut from = 0;
            for cut in cuts(place) {
                let cut = cut % (bytes.len() + 1);
                if cut > from {
                    run.put_in(*now, &Input::Received(*conn, bytes[from..cut].to_vec()));
                    from = cut;
                }
            }
            run.put_in(*now, &Input::Received(*conn, bytes[from..].to_vec()));
        } else {
            run.put_in(*now, input);
        }
        let before = run.drain();
        for output in &run.outputs[before..] {
            if let Output::Connect { conn, .. } = output {
                conns.push(*conn);
            }
        }
        sent.push(
            conns
                .iter()
                .flat_map(|conn| run.client.transmit(*conn))
                .copied()
                .collect(),
        );
    }
    (run, sent)
}

/// What is sent, line by line. The order of independent requests may differ: a place that is freed in
/// the first piece is taken before the second piece asks for something itself. So may the time at which a page
/// of a range is read in place of compacted changes: not while others hold all bytes that watches may hold,
/// which the second piece may bring about.
fn requests(sent: &[u8]) -> Vec<String> {
    let mut text = String::from_utf8_lossy(sent).into_owned();
    let mut from = 0;
    while let Some(at) = text[from..].find("POST /v3/kv/range ") {
        from += at;
        let end = request_end(&text[from..]).map_or(text.len(), |len| from + len);
        match text[from..end].contains(r#""limit":"#) {
            true => text.replace_range(from..end, ""),
            false => from = end,
        }
    }
    let mut lines: Vec<String> = text.split("\r\n").map(str::to_owned).collect();
    lines.sort();
    lines
}

/// Where the first request ends.
fn request_end(text: &str) -> Option<usize> {
    let (head, _) = text.split_once("\r\n\r\n")?;
    let length = head.split_once("Content-Length: ")?.1;
    let length: usize = length.split("\r\n").next()?.parse().ok()?;
    Some(head.len() + 4 + length)
}

fn come_one_by_one(plan: &[Step], seed: u64) {
    let recording = Play::of(plan, seed).end().recording;
    let (whole, sent) = sent_by(&recording, seed, |_| Vec::new());
    let (cut, sent_cut) = sent_by(&recording, seed, |_| (1..4000).collect());
    assert_same(&recording, (&whole, &sent), (&cut, &sent_cut));
}

/// Two runs are told and send the same, up to where one of them reads a page of a range at another time (see
/// [`requests`]): from there on a recorded answer is to a call in one of them and to another in the other.
fn assert_same(
    recording: &Recording,
    (whole, sent): (&Run, &[Vec<u8>]),
    (cut, sent_cut): (&Run, &[Vec<u8>]),
) {
    for (place, (sent, sent_cut)) in sent.iter().zip(sent_cut).enumerate() {
        if pages(sent) != pages(sent_cut) {
            return;
        }
        let step = &recording[place];
        assert_eq!(requests(sent), requests(sent_cut), "after {step:?}");
    }
    assert_eq!(whole.application(), cut.application());
}

/// How many pages are asked for.
fn pages(sent: &[u8]) -> usize {
    let text = String::from_utf8_lossy(sent);
    let bodies = text.split("POST /v3/kv/range ").skip(1);
    let is_page = |body: &&str| body.contains(r#""limit":"#);
    bodies.filter(is_page).count()
}

/// The client's own calls take ids too, at another time.
#[test]
fn a_page_may_come_to_its_id_before_a_call_of_the_user() {
    use Step::{
        Answer, CancelStream, Credentials, Endpoints, Eof, Flow, Grow, Lease, Put, Renew, Reset,
        Sync, Wait, Watch, Write,
    };
    let plan = [
        Watch { from: Some(13) },
        Eof(0),
        Watch { from: None },
        Grow,
        Renew,
        Grow,
        Reset(181),
        CancelStream(0),
        Flow(0),
        Put,
        Write(0, 65535),
        Put,
        Grow,
        Flow(0),
        Watch { from: None },
        Flow(4),
        Wait(0),
        Wait(0),
        Flow(0),
        Write(0, 65535),
        Sync,
        Endpoints(25),
        Put,
        Flow(16),
        Lease,
        Credentials(false),
        Grow,
        Grow,
        Grow,
        Reset(10),
        Put,
        Flow(104),
        Put,
        Answer(60, vec![170, 48]),
        Put,
        Put,
    ];
    let recording = Play::of(&plan, 2).end().recording;
    let (whole, sent) = sent_by(&recording, 2, |_| Vec::new());
    let cuts = |place: usize| match place % 16 {
        15 => vec![71],
        _ => Vec::new(),
    };
    let (cut, sent_cut) = sent_by(&recording, 2, cuts);
    assert_same(&recording, (&whole, &sent), (&cut, &sent_cut));
}

/// The last of several answers in one piece closes their connection: what is asked after the first of them
/// goes the same way as if that had come before.
#[test]
fn answers_before_the_one_that_closes_change_nothing() {
    use Step::{CancelCall, Endpoints, Flow, Get, Lease, Put, Reset, Sync};
    let plan = [
        Endpoints(82),
        Put,
        Flow(1),
        Flow(29),
        Get { timeout: 5000 },
        Lease,
        Get { timeout: 5000 },
        Sync,
        CancelCall(160),
        Put,
        Reset(237),
        Sync,
        Flow(182),
    ];
    come_one_by_one(&plan, 3);
}

/// The rest of a piece takes the room for the page that its first bytes led to.
#[test]
fn a_page_may_be_asked_for_before_the_rest_of_a_piece_takes_its_room() {
    use Step::{CancelWatch, Flow, Get, Grow, Lease, Put, Renew, Reset, Wait, Watch};
    let plan = [
        Get { timeout: 1 },
        Put,
        Flow(88),
        Reset(0),
        Renew,
        Put,
        Watch { from: Some(18) },
        Wait(2025),
        Watch { from: None },
        CancelWatch(31),
        Grow,
        Flow(0),
        Put,
        Flow(8),
        Grow,
        Watch { from: Some(18) },
        Put,
        Put,
        Grow,
        Reset(0),
        Watch { from: None },
        Grow,
        Watch { from: Some(10) },
        Flow(0),
        Lease,
        Grow,
        Grow,
        Grow,
        Flow(69),
        Watch { from: None },
        Grow,
        Wait(3023),
        Flow(0),
        Flow(31),
        Grow,
        Grow,
        Flow(151),
    ];
    come_one_by_one(&plan, 2);
}

fn four_times_the_usual() -> ProptestConfig {
    let usual = ProptestConfig::default();
    ProptestConfig {
        cases: usual.cases * 4,
        failure_persistence: None,
        ..usual
    }
}

proptest! {
    // A failure is printed as its smallest plan; what was learned from it becomes a transcript.
    #![proptest_config(four_times_the_usual())]

    /// Rule W-9: no revision is split, reordered or repeated.
    #[test]
    fn everything_ends_once_and_watches_have_no_gap(plan in plan(), seed in 0..4_u64) {
        let play = Play::of(&plan, seed).end();
        play.check_watches();
        play.check_streams();
    }

    /// Guarantee G59, too: after a timer was served it is not due any more (law 3).
    #[test]
    fn everything_ends_once_whatever_servers_send(plan in hostile_plan(), seed in 0..4_u64) {
        Play::of(&plan, seed).end();
    }

    #[test]
    fn cutting_received_bytes_changes_nothing(
        plan in plan(),
        seed in 0..4_u64,
        cuts in vec(vec(0..4000_usize, 0..6), 1..20),
    ) {
        let recording = Play::of(&plan, seed).end().recording;
        let (whole, sent) = sent_by(&recording, seed, |_| Vec::new());
        let (cut, sent_cut) = sent_by(&recording, seed, |place| {
            let mut cuts = cuts[place % cuts.len()].clone();
            cuts.sort_unstable();
            cuts
        });
        assert_same(&recording, (&whole, &sent), (&cut, &sent_cut));
    }

    #[test]
    fn bytes_one_by_one_change_nothing(plan in plan(), seed in 0..4_u64) {
        come_one_by_one(&plan, seed);
    }

    #[test]
    fn taking_outputs_late_changes_nothing(
        plan in hostile_plan(),
        seed in 0..4_u64,
        drains in vec(any::<bool>(), 1..20),
    ) {
        let recording = Play::of(&plan, seed).end().recording;
        let at_once = replay(&recording, seed, |_| true);
        let late = replay(&recording, seed, |place| drains[place % drains.len()]);
        prop_assert_eq!(&at_once.outputs, &late.outputs);
        prop_assert_eq!(&at_once.given, &late.given);
    }

    /// Guarantee G57.
    #[test]
    fn the_same_inputs_give_the_same_outputs(plan in hostile_plan(), seed in any::<u64>()) {
        let play = Play::of(&plan, seed).end();
        let again = replay(&play.recording, seed, |_| true);
        prop_assert_eq!(&play.run.outputs, &again.outputs);
        prop_assert_eq!(&play.run.given, &again.given);
        prop_assert_eq!(play.run.client.stats(), again.client.stats());
    }

    /// Guarantee G58.
    #[test]
    fn telling_what_it_does_changes_nothing(
        plan in hostile_plan(),
        seed in 0..4_u64,
        room in prop_oneof![Just(0), Just(3), Just(100_000_usize)],
    ) {
        let recording = Play::of(&plan, seed).end().recording;
        let (mut silent, mut telling) = (Run::new(seed), Run::new(seed));
        let mut config = config(seed);
        config.notices = true;
        config.limits.notices = room;
        telling.client = Recorded::new(config, seed, Instant::ZERO);
        let mut conns = Vec::new();
        let (mut told, mut last) = (0, Instant::ZERO);
        for (now, input) in &recording {
            silent.put_in(*now, input);
            telling.put_in(*now, input);
            let before = silent.drain();
            telling.drain();
            for output in &silent.outputs[before..] {
                if let Output::Connect { conn, .. } = output {
                    conns.push(*conn);
                }
            }
            prop_assert_eq!(silent.client.poll_timeout(), telling.client.poll_timeout());
            for conn in &conns {
                prop_assert_eq!(silent.client.transmit(*conn), telling.client.transmit(*conn));
            }
            for notice in core::iter::from_fn(|| telling.client.poll_notice()) {
                prop_assert!(last <= notice.at && notice.at <= *now, "{} at {:?}", notice, notice.at);
                prop_assert!(!notice.to_string().is_empty());
                (told, last) = (told + 1, notice.at);
            }
        }
        prop_assert_eq!(&silent.outputs, &telling.outputs);
        prop_assert_eq!(&silent.given, &telling.given);
        prop_assert!(conns.is_empty() || room == 0 || told > 0, "it opened a connection");
        prop_assert!(silent.client.poll_notice().is_none());
        let mut stats = telling.client.stats();
        prop_assert!(told <= room.saturating_mul(recording.len()));
        prop_assert!(room < 100_000 || stats.notices_dropped == 0);
        stats.notices_dropped = 0;
        prop_assert_eq!(silent.client.stats(), stats);
    }

    #[test]
    fn what_is_recorded_replays_the_same(plan in hostile_plan(), seed in any::<u64>()) {
        let play = Play::of(&plan, seed).end();
        let mut run = Run::new(seed);
        let mut recording = trace::Recording::new();
        if seed % 2 == 0 {
            recording = recording.with_secret_prefix("k");
        }
        run.client.record(recording).expect("it is new");
        for (now, input) in &play.recording {
            run.put_in(*now, input);
            run.drain();
        }
        prop_assert_eq!(&play.run.outputs, &run.outputs, "recording changes nothing");
        run.client.finish_log();
        match trace::replay(&run.client.take_log()) {
            Ok(replayed) => prop_assert!(replayed.is_complete),
            Err(error) => prop_assert!(false, "{}", error),
        }
    }

    #[test]
    fn input_for_the_dead_changes_nothing(
        plan in hostile_plan(),
        seed in 0..4_u64,
        late in vec((0..12_u8, any::<u8>()), 1..20),
    ) {
        let recording = Play::of(&plan, seed).end().recording;
        let plain = replay(&recording, seed, |_| true);
        let mut run = Run::new(seed);
        let (mut conns, mut calls) = (Vec::new(), Vec::new());
        for (place, (now, input)) in recording.iter().enumerate() {
            run.put_in(*now, input);
            let before = run.drain();
            for output in &run.outputs[before..] {
                match output {
                    Output::Close(conn) => conns.push(*conn),
                    Output::Event(Event::Answered { call, .. }) => calls.push(*call),
                    _ => {}
                }
            }
            let (kind, pick) = late[place % late.len()];
            let conn = conns.get(usize::from(pick) % conns.len().max(1)).copied();
            let call = calls.get(usize::from(pick) % calls.len().max(1)).copied();
            let input = match kind {
                0 => conn.map(Input::Open),
                1 => conn.map(Input::Refuse),
                2 => conn.map(Input::Reset),
                3 => conn.map(Input::Eof),
                4 => conn.map(|conn| Input::Written(conn, 10)),
                5..=8 => conn.map(|conn| Input::Received(conn, support::answer(200, "{}").into_bytes())),
                _ => call.map(Input::CancelCall),
            };
            if let Some(input) = input {
                let stats = run.client.stats();
                run.put_in(*now, &input);
                let before = run.drain();
                prop_assert_eq!(&run.outputs[before..], &[][..]);
                prop_assert_eq!(stats, run.client.stats());
            }
        }
        prop_assert_eq!(&plain.outputs, &run.outputs);
        prop_assert_eq!(&plain.given, &run.given);
    }
}
