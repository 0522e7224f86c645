//! Playing a script: with faults first, then without, and judged at the end.

use core::time::Duration;
use std::collections::BTreeMap;

use etcd_core::{
    CallOptions, Compact, Config, Error, Instant, Known, Put, Range, Response, Status, WatchBatch,
    WatchEvent,
};

use super::script::{ClientKnobs, Line, Order, Script};
use crate::check::{Event, Evidence, History, Violation, What, check};
use crate::net::{Fault as NetFault, FaultKind, Tally};
use crate::world::{Act, Pace, World};

/// How long everything has to end or to go on, once nothing is wrong any more (guarantee G60).
const PATIENCE: Duration = Duration::from_secs(10);
/// How long all calls and deliveries take where nothing is wrong.
const PROMPTLY: Duration = Duration::from_secs(3);
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
    let world = World::with_cluster(script.seed, script.setup.clone());
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
    /// By client and number in the script: the client's own number.
    calls: BTreeMap<(usize, usize), u64>,
    watches: BTreeMap<(usize, usize), u64>,
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
            let config = config(&world, knobs);
            #[cfg(feature = "planted")]
            let config = {
                let mut config = config;
                config.planted = script.planted;
                config
            };
            world.add_client(config);
        }
        Self {
            world,
            calls: BTreeMap::new(),
            watches: BTreeMap::new(),
            known: 1,
            seen: 0,
            acts: 0,
        }
    }

    fn play(&mut self, script: &Script) -> Result<Evidence, Violation> {
        for line in &script.lines {
            self.run_until(Instant::ZERO + line.at)?;
            self.order(&line.order);
        }
        self.run_until(Instant::ZERO + script.busy)?;
        self.go_on(script)?;
        let mut history = self.world.take_history();
        history.is_complete = true;
        check(&history)
    }

    /// Nothing is wrong any more: everything ends or goes on.
    fn go_on(&self, script: &Script) -> Result<(), Violation> {
        self.world.calm();
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
        let calm = self.world.now() + PATIENCE;
        self.run_until(calm)?;
        for client in 0..script.clients.len() {
            let under_way = self.world.calls_under_way(client);
            if under_way > 0 {
                let text = format!("{under_way} calls have no outcome");
                return Err(Violation::new("G60", self.world.now(), Some(client), text));
            }
        }
        // Watches on connections whose other end is gone without a word have found out (guarantee G20). A
        // pooled connection is trusted as long as it was used lately (rule R-9).
        let half_open = self.world.tally().count(FaultKind::HalfOpen);
        if half_open > 0 || script.lines.iter().any(is_silent) {
            let trusted = script.clients.iter().map(|client| client.idle_limit);
            self.run_until(calm + trusted.max().unwrap_or_default())?;
        }
        let mut asked = Vec::new();
        for client in 0..script.clients.len() {
            let put = Put::new("k-last", format!("last of {client}"));
            asked.push((client, self.world.call(client, put)));
            asked.push((client, self.world.call(client, Range::key("k-last"))));
        }
        self.run_until(self.world.now() + PROMPTLY)?;
        // On a slow network much takes its time: it is enough that it comes.
        let mut seen = self.world.look(batches);
        for _ in 0..MOST_SECONDS {
            self.run_until(self.world.now() + Duration::from_secs(1))?;
            let told = self.world.look(batches);
            if core::mem::replace(&mut seen, told) == told {
                break;
            }
        }
        self.world.look(|history| served(history, &asked))
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
                since,
                pace,
            } => {
                self.look();
                let revision = since.revision(self.known);
                let watch = watch.clone().with_start_revision(revision);
                let watch = self.world.watch(*client, watch, *pace);
                self.watches.insert((*client, *number), watch);
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
                }
            }
            Order::Act(act) => {
                self.acts += u64::from(!matches!(act, Act::Shape(..) | Act::Faults(..)));
                world.act(act.clone());
            }
        }
    }

    /// Takes note of the newest revision any client was told.
    fn look(&mut self) {
        let Self {
            world, seen, known, ..
        } = self;
        world.look(|history| {
            for event in &history.events[*seen..] {
                *known = (*known).max(told(event));
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

fn config(world: &World, knobs: &ClientKnobs) -> Config {
    let endpoints = knobs
        .members
        .iter()
        .filter_map(|place| world.endpoint(*place));
    let mut config = world.config();
    config.endpoints = endpoints.collect();
    config.max_connections = knobs.connections;
    config.max_watches_per_connection = knobs.watches_per_connection;
    config.limits.watch_buffer_bytes = knobs.watch_buffer_bytes;
    config.idle_limit = knobs.idle_limit;
    config
}

/// The revision that something told, or 0.
fn told(event: &Event) -> i64 {
    match &event.what {
        What::CallEnded { result, .. } => match &**result {
            Ok(Response::Put(answer)) => answer.header.revision,
            Ok(Response::DeleteRange(answer)) => answer.header.revision,
            Ok(Response::Txn(answer)) => answer.header.revision,
            Ok(Response::Range(answer)) => answer.header.revision,
            _ => 0,
        },
        What::WatchTold { event, .. } => match event {
            WatchEvent::Created { revision } | WatchEvent::Progress { revision } => *revision,
            WatchEvent::Batch(batch) => batch.revision,
            _ => 0,
        },
        _ => 0,
    }
}

/// How many bytes of keys and values a watch told at once, without the largest revision: that one may
/// have been taken in while the rest was already too much.
fn held(events: &[Event], of: usize, watch: u64) -> usize {
    let told = events.iter().filter_map(|event| match &event.what {
        What::WatchTold {
            watch: its,
            event: WatchEvent::Batch(batch),
        } if event.client == of && *its == watch => Some(batch),
        _ => None,
    });
    let size = |batch: &WatchBatch| -> usize {
        let kvs = batch.events.iter().map(|event| &event.kv);
        kvs.map(|kv| kv.key.len() + kv.value.len()).sum()
    };
    let (sum, largest) = told.map(size).fold((0, 0), |(sum, largest), size| {
        (sum + size, size.max(largest))
    });
    sum - largest
}

/// How many batches were told.
fn batches(history: &History) -> usize {
    let is_batch = |event: &&Event| matches!(&event.what, What::WatchTold { event, .. } if matches!(event, WatchEvent::Batch(_)));
    history.events.iter().filter(is_batch).count()
}

/// Whether a server is full, for which nobody can do anything.
fn is_full(error: &Error) -> bool {
    error.status().and_then(Status::known) == Some(Known::NoSpace)
}

/// These calls were answered.
fn served(history: &History, asked: &[(usize, u64)]) -> Result<(), Violation> {
    let mut answers = BTreeMap::new();
    for event in &history.events {
        if let What::CallEnded { call, result } = &event.what {
            answers.insert((event.client, *call), (event.at, &**result));
        }
    }
    let end = history.events.last().map_or(Instant::ZERO, |last| last.at);
    for (client, call) in asked {
        let broken = |at, text| Err(Violation::new("G60", at, Some(*client), text));
        match answers.get(&(*client, *call)) {
            Some((_, Ok(_))) => {}
            Some((_, Err(error))) if is_full(error) => {}
            Some((at, Err(error))) => {
                return broken(
                    *at,
                    format!("call {call} failed in a healthy world: {error}"),
                );
            }
            None => return broken(end, format!("call {call} has no answer in a healthy world")),
        }
    }
    Ok(())
}
