//! Playing a script: with faults first, then without, and judged at the end.

use core::time::Duration;
use std::collections::{BTreeMap, BTreeSet};

use etcd_core::{
    CallOptions, Compact, Compaction, Config, Instant, Proclaim, Put, Range, Resign, Version,
    Watch, WatchOptions,
};

use super::script::{ClientKnobs, Line, Order, Script, User};
use super::seen::{Held, STALL, batches, got, held, leases_live, served, told, told_all};
use super::users;
use crate::check::{Evidence, Kept, Violation, check};
use crate::net::{Fault as NetFault, FaultKind, Tally, Way};
use crate::world::{Act, Between, Pace, World};

/// How long everything has to end or to go on, once nothing is wrong any more (guarantee G60).
const PATIENCE: Duration = Duration::from_secs(10);
/// How long all calls and deliveries take where nothing is wrong.
const PROMPTLY: Duration = Duration::from_secs(3);
/// How long a server may be silent in a snapshot: on a half-open connection that is its end.
const SILENCE: Duration = Duration::from_secs(5);
/// For how long root's client trusts an idle connection.
const ROOT_IDLE: Duration = Duration::from_secs(5);
/// What comes in a second where all that comes is that servers are there.
const FEW_BYTES: u64 = 4096;
/// For so many seconds more watches may go on, if each second brings something.
const MOST_SECONDS: u32 = 120;
/// More things than this at one instant mean that time stands still (guarantee G59).
const MOST_AT_ONCE: u64 = 200_000;

/// What came of a script.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Played {
    /// What was judged, or what must not be.
    pub verdict: Result<Evidence, Violation>,
    /// A number for all that happened, byte for byte.
    pub digest: u64,
    /// What went wrong on connections.
    pub tally: Tally,
    /// How much else was done to the world.
    pub acts: u64,
    /// How much virtual time it took.
    pub time: Duration,
}

impl Played {
    /// Whether so little was judged that it proves nothing.
    #[must_use]
    pub fn is_void(&self) -> bool {
        match &self.verdict {
            Ok(evidence) => evidence.writes_acknowledged < 10 || evidence.batches < 5,
            Err(_) => false,
        }
    }

    /// How much went wrong.
    #[must_use]
    pub fn faults(&self) -> u64 {
        self.acts + self.tally.total()
    }
}

/// Plays a script and judges what happened.
#[must_use]
pub fn play(script: &Script) -> Played {
    play_in(
        script,
        World::with_cluster(script.seed, script.setup.clone()),
    )
}

/// Plays a script and records each of its clients, in their order: what [`etcd_core::trace::replay`]
/// takes. What happens is what happens without.
///
/// ```
/// use etcd_sim::random::{Script, play, record};
///
/// let script = Script::draw(1);
/// let (played, recordings) = record(&script);
/// assert_eq!(played.digest, play(&script).digest);
/// assert!(etcd_core::trace::replay(&recordings[0]).is_ok());
/// ```
#[must_use]
pub fn record(script: &Script) -> (Played, Vec<Vec<u8>>) {
    let world = World::with_cluster(script.seed, script.setup.clone());
    world.record_clients();
    let played = play_in(script, world.clone());
    (played, world.take_recordings())
}

fn play_in(script: &Script, world: World) -> Played {
    let mut player = Player::new(script, world);
    let verdict = player.play(script);
    let world = &player.world;
    Played {
        digest: world.digest(),
        tally: world.tally(),
        acts: player.acts,
        time: world.now() - Instant::ZERO,
        verdict,
    }
}

struct Player {
    world: World,
    clients: usize,
    /// By client and number in the script: the client's own number.
    calls: BTreeMap<(usize, usize), u64>,
    watches: BTreeMap<(usize, usize), u64>,
    /// How fast each watch is read.
    paces: BTreeMap<(usize, usize), Pace>,
    streams: BTreeMap<(usize, usize), u64>,
    leases: BTreeMap<(usize, usize), u64>,
    /// What calls got, by client and its own number.
    held: BTreeMap<(usize, u64), Held>,
    /// The newest revision that any client was told.
    known: i64,
    /// How much of the history was looked through for it.
    seen: usize,
    acts: u64,
}

impl Player {
    fn new(script: &Script, world: World) -> Self {
        world.keep_history();
        for knobs in &script.clients {
            let config = config(&world, knobs, script.setup.token_ttl);
            #[cfg(feature = "planted")]
            let config = {
                let mut config = config;
                config.planted = script.planted;
                config
            };
            world.add_client(config);
        }
        if script.has_users {
            let mut config = world.config();
            // On one connection requests keep their order.
            config.max_connections = 1;
            config.idle_limit = ROOT_IDLE;
            config.token_ttl = script.setup.token_ttl;
            world.add_client(config);
        }
        Self {
            world,
            clients: script.clients.len(),
            calls: BTreeMap::new(),
            watches: BTreeMap::new(),
            paces: BTreeMap::new(),
            streams: BTreeMap::new(),
            leases: BTreeMap::new(),
            held: BTreeMap::new(),
            known: 1,
            seen: 0,
            acts: 0,
        }
    }

    fn play(&mut self, script: &Script) -> Result<Evidence, Violation> {
        if script.has_users {
            self.add_users(script.clients.len());
        }
        let begin = self.world.now();
        for line in &script.lines {
            self.run_until(begin + line.at)?;
            self.order(&line.order);
        }
        self.run_until(begin + script.busy)?;
        let went_on = self.go_on(script);
        let mut history = self.world.take_history();
        history.is_complete = went_on.is_ok();
        history.full = full(script);
        // What was told wrongly says more than that something did not go on because of it.
        let evidence = check(&history)?;
        went_on.map(|()| evidence)
    }

    /// Nothing is wrong yet: root adds the users, and from then on they count.
    fn add_users(&self, root: usize) {
        let is_done = |world: &World| world.calls_under_way(root) == 0;
        for asked in users::setup() {
            // One after the other: members take calls in their own order.
            self.world.call(root, asked);
            self.world.run_for_until(PATIENCE, is_done);
        }
        self.world.set_credentials(root, User::Root.credentials());
    }

    /// Nothing is wrong any more: everything ends or goes on.
    fn go_on(&self, script: &Script) -> Result<(), Violation> {
        self.world.calm();
        let half_open = self.world.tally().count(FaultKind::HalfOpen);
        let has_silent = half_open > 0 || script.lines.iter().any(is_silent);
        // An observation on a connection whose other end is gone without a word does not find out by
        // itself, so these connections are told.
        let observes = |line: &Line| matches!(line.order, Order::Observe { .. });
        if has_silent && script.lines.iter().any(observes) {
            let (way, at) = (Way::Down, 0);
            self.world
                .strike(Between::all(), NetFault::Reset { way, at });
        }
        self.neighbours_go_on()?;
        for (&(client, _), &watch) in &self.watches {
            let before = self.world.look(|history| history.events.len());
            self.world.set_pace(client, watch, Pace::AtOnce);
            let held = self
                .world
                .look(|history| held(&history.events[before..], client, watch));
            let most = script.clients[client].watch_buffer_bytes + script.window();
            if held > most {
                let text = format!("watch {watch}: {held} bytes were held, and {most} may be");
                return Err(Violation::new("G17", self.world.now(), Some(client), text));
            }
        }
        // Who waits for a lock may do so for long yet.
        for (&(client, _), &call) in &self.calls {
            if self.world.waits(client, call) {
                self.world.cancel_call(client, call);
            }
        }
        let calm = self.world.now() + PATIENCE;
        self.run_until(calm)?;
        for client in 0..script.clients.len() + usize::from(script.has_users) {
            let under_way = self.world.calls_under_way(client);
            if under_way > 0 {
                let text = format!("{under_way} calls have no outcome");
                return Err(Violation::new("G60", self.world.now(), Some(client), text));
            }
        }
        // Watches on connections whose other end is gone without a word have found out (guarantee G20). A
        // pooled connection is trusted as long as it was used lately (rule R-9).
        if has_silent {
            let trusted = script.clients.iter().map(|client| client.idle_limit);
            self.run_until(calm + trusted.max().unwrap_or_default().max(ROOT_IDLE))?;
        }
        let mut asked = Vec::new();
        for client in 0..script.clients.len() + usize::from(script.has_users) {
            let put = Put::new("k-last", format!("last of {client}"));
            asked.push((client, self.world.call(client, put)));
            asked.push((client, self.world.call(client, Range::key("k-last"))));
        }
        self.come()?;
        self.world.look(|history| {
            leases_live(history, calm)?;
            served(script, history, &asked)
        })
    }

    /// Who does not read a watch holds up no other one of its client (guarantee G18).
    fn neighbours_go_on(&self) -> Result<(), Violation> {
        let is_stalled = |(_, pace): &(&(usize, usize), &Pace)| **pace == Pace::Never;
        let stalled: BTreeSet<usize> = self
            .paces
            .iter()
            .filter(is_stalled)
            .map(|((client, _), _)| *client)
            .collect();
        if stalled.is_empty() {
            return Ok(());
        }
        self.run_until(self.world.now() + PATIENCE)?;
        let put = |client: usize| Put::new(STALL, format!("stall of {client}"));
        let asked: Vec<_> = stalled
            .iter()
            .map(|client| (*client, self.world.call(*client, put(*client))))
            .collect();
        self.come()?;
        let quick = self.paces.iter().filter(|(_, pace)| **pace == Pace::AtOnce);
        let quick = quick.filter_map(|(at, _)| Some((at.0, *self.watches.get(at)?)));
        let quick: Vec<_> = quick
            .filter(|(client, _)| stalled.contains(client))
            .collect();
        self.world.look(|history| told_all(history, &asked, &quick))
    }

    /// Lets come what has to. On a slow network much takes its time: it is enough that it comes.
    fn come(&self) -> Result<(), Violation> {
        self.run_until(self.world.now() + PROMPTLY)?;
        let mut seen = (self.world.look(batches), self.bytes_in());
        for _ in 0..MOST_SECONDS {
            self.run_until(self.world.now() + Duration::from_secs(1))?;
            let (told, bytes) = seen;
            seen = (self.world.look(batches), self.bytes_in());
            if seen.0 == told && seen.1 - bytes < FEW_BYTES {
                break;
            }
        }
        Ok(())
    }

    /// How many bytes came to all clients.
    fn bytes_in(&self) -> u64 {
        let stats = (0..self.clients).map(|client| self.world.stats(client));
        stats.map(|stats| stats.bytes_in).sum()
    }

    /// Lets time go by, and sees that it does.
    fn run_until(&self, at: Instant) -> Result<(), Violation> {
        let mut steps = 0;
        let mut instant = self.world.now();
        while self.world.next_step().is_some_and(|next| next <= at) {
            self.world.step();
            let now = self.world.now();
            steps = if now == instant { steps + 1 } else { 0 };
            instant = now;
            if steps > MOST_AT_ONCE {
                return Err(Violation::new("G59", now, None, "time stands still"));
            }
        }
        self.world.run_until(at);
        Ok(())
    }

    fn order(&mut self, order: &Order) {
        let world = &self.world;
        match order {
            Order::Call {
                client,
                number,
                asked,
                timeout,
            } => {
                let mut options = CallOptions::default();
                options.timeout = *timeout;
                let call = world.call_with(*client, asked.clone(), options);
                self.calls.insert((*client, *number), call);
            }
            Order::ReadBack {
                client,
                range,
                since,
            } => {
                self.look();
                let range = range.clone().with_revision(since.revision(self.known));
                self.world.call(*client, range);
            }
            Order::Compact { client, since } => {
                self.look();
                let compact = Compact::new(since.revision(self.known));
                self.world.call(*client, compact);
            }
            Order::CancelCall { client, number } => {
                if let Some(call) = self.calls.get(&(*client, *number)) {
                    world.cancel_call(*client, *call);
                }
            }
            Order::Watch {
                client,
                number,
                watch,
                options,
                since,
                pace,
            } => {
                self.look();
                let revision = since.revision(self.known);
                let watch = watch.clone().with_start_revision(revision);
                let (watch, options) = self.with_keys(watch, options.clone());
                let watch = self.world.watch_with(*client, watch, options, *pace);
                self.watches.insert((*client, *number), watch);
                self.paces.insert((*client, *number), *pace);
            }
            Order::CancelWatch { client, number } => {
                if let Some(watch) = self.watches.get(&(*client, *number)) {
                    world.cancel_watch(*client, *watch);
                }
            }
            Order::AskProgress { client, number } => {
                if let Some(watch) = self.watches.get(&(*client, *number)) {
                    world.request_progress(*client, *watch);
                }
            }
            Order::SetPace {
                client,
                number,
                pace,
            } => {
                if let Some(watch) = self.watches.get(&(*client, *number)) {
                    world.set_pace(*client, *watch, *pace);
                    self.paces.insert((*client, *number), *pace);
                }
            }
            Order::Release { .. } | Order::Proclaim { .. } => {
                self.look();
                self.lead(order);
            }
            Order::Snapshot { client, number } => {
                let stream = world.snapshot(*client, CallOptions::default());
                self.streams.insert((*client, *number), stream);
            }
            Order::Observe {
                client,
                number,
                observe,
            } => {
                let stream = world.observe(*client, observe.clone());
                self.streams.insert((*client, *number), stream);
            }
            Order::CancelStream { client, number } => {
                if let Some(stream) = self.streams.get(&(*client, *number)) {
                    world.cancel_stream(*client, *stream);
                }
            }
            Order::Keep {
                client,
                number,
                asked,
            } => {
                let kept = match asked.clone() {
                    Kept::Granted(grant) => world.lease(*client, grant),
                    Kept::TakenOver(lease) => world.keep_alive(*client, lease),
                };
                self.leases.insert((*client, *number), kept);
            }
            Order::ReleaseLease { client, number } => {
                if let Some(kept) = self.leases.get(&(*client, *number)) {
                    world.release_lease(*client, *kept);
                }
            }
            Order::RevokeLease { client, number } => {
                if let Some(kept) = self.leases.get(&(*client, *number)) {
                    world.revoke_lease(*client, *kept);
                }
            }
            Order::Act(act) => {
                self.acts += u64::from(!matches!(act, Act::Shape(..) | Act::Faults(..)));
                world.act(act.clone());
            }
        }
    }

    /// Who wants differences has read the range, and begins behind that.
    fn with_keys(&self, mut watch: Watch, mut options: WatchOptions) -> (Watch, WatchOptions) {
        if matches!(options.compaction, Compaction::Difference(_)) {
            if watch.start_revision == 0 {
                watch.start_revision = self.known + 1;
            }
            let read = self.world.keys_at(&watch.range, watch.start_revision - 1);
            options.compaction = Compaction::Difference(read);
        }
        (watch, options)
    }

    /// Does something with what a lock or a campaign got, if it did.
    fn lead(&self, order: &Order) {
        let (Order::Release { client, number } | Order::Proclaim { client, number, .. }) = order
        else {
            return;
        };
        let call = self.calls.get(&(*client, *number));
        let Some(held) = call.and_then(|call| self.held.get(&(*client, *call))) else {
            return;
        };
        match (order, held.clone()) {
            (Order::Proclaim { value, .. }, Held::Lead(leader)) => {
                let proclaim = Proclaim::new(leader, value.clone());
                self.world.call(*client, proclaim);
            }
            (Order::Proclaim { .. }, Held::Lock(_)) => {}
            (_, Held::Lead(leader)) => {
                self.world.call(*client, Resign::new(leader));
            }
            (_, Held::Lock(unlock)) => {
                self.world.call(*client, unlock);
            }
        }
    }

    /// Takes note of the newest revision any client was told, and of what calls got.
    fn look(&mut self) {
        let Self {
            world,
            seen,
            known,
            held,
            ..
        } = self;
        world.look(|history| {
            for event in &history.events[*seen..] {
                *known = (*known).max(told(event));
                held.extend(got(event));
            }
            *seen = history.events.len();
        });
    }
}

/// Whether that leaves connections whose other end is gone without a word.
const fn is_silent(line: &Line) -> bool {
    matches!(
        line.order,
        Order::Act(Act::PowerOff(_) | Act::Strike(_, NetFault::HalfOpen { .. }))
    )
}

fn config(world: &World, knobs: &ClientKnobs, token_ttl: Duration) -> Config {
    let endpoints = knobs
        .members
        .iter()
        .filter_map(|place| world.endpoint(*place));
    let mut config = world.config();
    config.endpoints = endpoints.collect();
    config.max_connections = knobs.connections;
    config.pipeline_depth = knobs.pipeline_depth;
    config.max_watches_per_connection = knobs.watches_per_connection;
    config.limits.watch_buffer_bytes = knobs.watch_buffer_bytes;
    config.idle_limit = knobs.idle_limit;
    config.token_ttl = token_ttl;
    config.snapshot_idle_timeout = SILENCE;
    if let Some(credentials) = knobs.user.and_then(User::credentials) {
        let set = config.set_credentials(credentials);
        debug_assert!(set.is_ok(), "they may go anywhere");
    }
    config
}

/// The clients to which no key is denied, by servers that say why they refuse.
fn full(script: &Script) -> BTreeSet<usize> {
    let version = &script.setup.version;
    // Some tell of a token they do not know as of one that may not (gateway.md 7.5).
    let names_refusals = *version >= Version::new(3, 5, 6)
        || *version >= Version::new(3, 4, 22) && *version < Version::new(3, 5, 0);
    let is_full = |(place, knobs): (usize, &ClientKnobs)| match knobs.user {
        Some(User::Root | User::Full) if names_refusals => Some(place),
        _ => None,
    };
    let clients = script.clients.iter().enumerate();
    clients.filter_map(is_full).collect()
}
