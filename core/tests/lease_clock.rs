//! Until when a lease certainly lasts, against an exact model (guarantees G23 and G25 to G27): random
//! answers, losses, silences and sleeps.

#![allow(
    clippy::unwrap_used,
    reason = "what is not there is the test's own mistake"
)]

use std::collections::BTreeMap;
use std::collections::VecDeque;
use std::time::Duration;

use etcd_core::Client;
use etcd_core::Config;
use etcd_core::ConnId;
use etcd_core::Event;
use etcd_core::Instant;
use etcd_core::KeepAlive;
use etcd_core::KeepAliveId;
use etcd_core::LeaseEnd;
use etcd_core::LeaseEvent;
use etcd_core::LeasePhase;
use etcd_core::NetError;
use etcd_core::NetErrorKind;
use etcd_core::Output;
use proptest::collection::vec;
use proptest::prelude::*;

const HEAD: &str = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";
/// No less than this is between two renewals that were not lost (rule L-4).
const LEAST: Duration = Duration::from_millis(500);

#[derive(Clone, Debug)]
enum Step {
    /// Time passes, and the client runs.
    Wait(u16),
    /// Time passes, and the client does not run.
    Sleep(u16),
    Open,
    Answer,
    Lose,
    Gone,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        6 => (0..2_000_u16).prop_map(Step::Wait),
        1 => (0..9_000_u16).prop_map(Step::Sleep),
        8 => Just(Step::Open),
        8 => Just(Step::Answer),
        2 => Just(Step::Lose),
    ]
}

#[derive(Debug, Default)]
struct Socket {
    open: bool,
    answered: bool,
    /// What the server owes an answer for, by when it was sent.
    owed: VecDeque<Instant>,
}

struct Play {
    client: Client,
    lease: KeepAliveId,
    now: Instant,
    ttl: Duration,
    sockets: BTreeMap<ConnId, Socket>,
    /// The model: when the last confirmed renewal was sent, and until when the lease certainly lasts.
    sent_at: Instant,
    until: Instant,
    /// When the last renewal was sent; none since one was lost.
    last: Option<Instant>,
    lost: bool,
    /// What the user was told last, and how often of an end.
    told: Option<LeaseEvent>,
    ends: usize,
}

impl Play {
    fn new(ttl: u8, endpoints: u8, seed: u64) -> Self {
        let endpoints = (0..endpoints).map(|number| format!("host-{number}"));
        let mut client = Client::new(Config::new(endpoints).unwrap(), seed, Instant::ZERO);
        let asked = KeepAlive::new(7).with_ttl(ttl.into(), Instant::ZERO);
        let lease = client.keep_alive(Instant::ZERO, asked);
        let ttl = Duration::from_secs(ttl.into());
        let mut play = Self {
            client,
            lease,
            now: Instant::ZERO,
            ttl,
            sockets: BTreeMap::new(),
            sent_at: Instant::ZERO,
            until: Instant::ZERO + (ttl - ttl / 1000),
            last: None,
            lost: false,
            told: None,
            ends: 0,
        };
        play.drain();
        play
    }

    fn run(&mut self, step: &Step) {
        let pick = |open: bool, owes: bool, sockets: &BTreeMap<ConnId, Socket>| {
            let fits = |socket: &Socket| socket.open == open && owes != socket.owed.is_empty();
            let found = sockets.iter().find(|(_, socket)| fits(socket));
            found.map(|(conn, _)| *conn)
        };
        match step {
            Step::Wait(millis) => {
                let until = self.now + Duration::from_millis((*millis).into());
                while let Some(due) = self.client.poll_timeout().filter(|due| *due <= until) {
                    self.now = self.now.max(due);
                    self.client.handle_timeout(self.now);
                    self.drain();
                }
                self.now = until;
            }
            // What comes next tells the client how late it is.
            Step::Sleep(millis) => self.now = self.now + Duration::from_millis((*millis).into()),
            Step::Open => {
                let Some(conn) = pick(false, false, &self.sockets) else {
                    return;
                };
                self.sockets.get_mut(&conn).unwrap().open = true;
                self.client.handle_connected(self.now, conn);
                self.drain();
            }
            Step::Answer | Step::Gone => {
                let Some(conn) = pick(true, true, &self.sockets) else {
                    return;
                };
                let socket = self.sockets.get_mut(&conn).unwrap();
                let sent_at = socket.owed.pop_front().unwrap();
                let gone = matches!(step, Step::Gone);
                let ttl = match gone {
                    true => String::new(),
                    false => format!(",\"TTL\":\"{}\"", self.ttl.as_secs()),
                };
                let frame = format!("{{\"result\":{{\"ID\":\"7\"{ttl}}}}}\n");
                let chunk = format!("{:x}\r\n{frame}\r\n", frame.len());
                let first = !std::mem::replace(&mut socket.answered, true);
                let text = if first {
                    HEAD.to_owned() + &chunk
                } else {
                    chunk
                };
                if gone {
                    self.lost = true;
                } else {
                    self.sent_at = sent_at;
                    let until = sent_at + (self.ttl - self.ttl / 1000);
                    assert!(until >= self.until, "one after the other");
                    self.until = until;
                }
                self.client.handle_received(self.now, conn, text.as_bytes());
                self.drain();
            }
            Step::Lose => {
                let conns: Vec<_> = self.sockets.keys().copied().collect();
                for conn in conns {
                    let error = NetError::new(NetErrorKind::Reset, "connection reset");
                    self.client.handle_closed(self.now, conn, error);
                }
                // Where there was none, the client has to be told that time has passed.
                self.client.handle_timeout(self.now);
                self.last = None;
                self.drain();
            }
        }
    }

    /// Carries out what the client wants, and compares what it says with the model.
    fn drain(&mut self) {
        while let Some(output) = self.client.poll_output() {
            match output {
                Output::Connect { conn, .. } => {
                    self.sockets.insert(conn, Socket::default());
                }
                Output::Transmit(conn) => self.write(conn),
                Output::Close(conn) => {
                    self.sockets.remove(&conn);
                    self.last = None;
                }
                Output::Event(Event::Lease(lease)) => {
                    assert_eq!(lease, self.lease);
                    while let Some(event) = self.client.poll_lease(lease) {
                        self.ends += usize::from(matches!(event, LeaseEvent::End(_)));
                        self.told = Some(event);
                    }
                }
                other => panic!("{other:?}"),
            }
        }
        self.compare();
    }

    fn write(&mut self, conn: ConnId) {
        let bytes = self.client.transmit(conn).to_vec();
        self.client.handle_written(self.now, conn, bytes.len());
        let text = String::from_utf8(bytes).unwrap();
        let socket = self.sockets.get_mut(&conn).unwrap();
        for _ in text.matches("{\"ID\":\"7\"}") {
            socket.owed.push_back(self.now);
            if let Some(last) = self.last.replace(self.now) {
                assert!(self.now - last >= LEAST, "{last:?} {:?}", self.now);
            }
        }
    }

    fn compare(&self) {
        let owed: usize = self.sockets.values().map(|socket| socket.owed.len()).sum();
        assert!(owed <= 1, "at most one is under way");
        if self.lost {
            assert_eq!(self.told, Some(LeaseEvent::End(LeaseEnd::Lost)));
            assert_eq!(self.client.lease_state(self.now, self.lease), None);
            assert_eq!(self.ends, 1);
            return;
        }
        let (now, valid_until) = (self.now, self.until);
        let phase = if now >= valid_until {
            LeasePhase::Expired
        } else if now >= self.sent_at + self.ttl / 3 * 2 {
            LeasePhase::AtRisk
        } else {
            LeasePhase::Active
        };
        let state = self.client.lease_state(now, self.lease).unwrap();
        assert_eq!((state.phase, state.valid_until), (phase, Some(valid_until)));
        let ttl = i64::try_from(self.ttl.as_secs()).unwrap();
        let told = match phase {
            LeasePhase::Expired => LeaseEvent::Expired { valid_until },
            LeasePhase::AtRisk => LeaseEvent::AtRisk { valid_until },
            _ => LeaseEvent::Active { ttl, valid_until },
        };
        assert_eq!(self.told, Some(told), "told by {now:?}");
        // The next moment is known, and it is not over.
        assert!(self.client.poll_timeout().is_some());
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    /// Rule L-2: it follows from when what was sent and granted, and from nothing else.
    #[test]
    fn g25_g26_g27_what_is_said_of_a_lease_is_what_the_model_says(
        ttl in 1..20_u8,
        endpoints in 1..4_u8,
        seed: u64,
        steps in vec(step(), 1..80),
        gone: bool,
    ) {
        let mut play = Play::new(ttl, endpoints, seed);
        for step in &steps {
            play.run(step);
        }
        if gone {
            // Whatever was before, a server can be reached and says that the lease is gone.
            for _ in 0..20 {
                play.run(&Step::Open);
                play.run(&Step::Gone);
                play.run(&Step::Wait(1_000));
            }
            prop_assert!(play.lost);
        }
    }
}

/// What an input costs does not grow with the number of leases: looked at is what is due (L-8, L-10).
#[test]
fn of_a_thousand_leases_only_those_that_are_due_are_renewed_and_each_once() {
    let mut client = Client::new(Config::new(["a"]).unwrap(), 1, Instant::ZERO);
    for lease in 1..=1_000 {
        let asked = KeepAlive::new(lease).with_ttl(60, Instant::ZERO);
        client.keep_alive(Instant::ZERO, asked);
    }
    let (mut conn, mut asked, mut wakes) = (None, 0, 0);
    // All have told that they are active, and no connection was opened for that.
    while let Some(output) = client.poll_output() {
        assert!(matches!(output, Output::Event(Event::Lease(_))));
    }
    let end = Instant::ZERO + Duration::from_secs(23);
    while let Some(due) = client.poll_timeout().filter(|due| *due <= end) {
        wakes += 1;
        client.handle_timeout(due);
        while let Some(output) = client.poll_output() {
            match output {
                Output::Connect { conn: opened, .. } => {
                    assert_eq!(conn.replace(opened), None, "one connection for all");
                    client.handle_connected(due, opened);
                }
                Output::Transmit(conn) => {
                    let bytes = client.transmit(conn).to_vec();
                    client.handle_written(due, conn, bytes.len());
                    let text = String::from_utf8(bytes).unwrap();
                    let mut answer = match asked {
                        0 => HEAD.to_owned(),
                        _ => String::new(),
                    };
                    for part in text.split("{\"ID\":\"").skip(1) {
                        asked += 1;
                        let id = part.split('"').next().unwrap();
                        let frame = format!("{{\"result\":{{\"ID\":\"{id}\",\"TTL\":\"60\"}}}}\n");
                        answer += &format!("{:x}\r\n{frame}\r\n", frame.len());
                    }
                    client.handle_received(due, conn, answer.as_bytes());
                }
                Output::Event(Event::Lease(_)) => {}
                other => panic!("{other:?}"),
            }
        }
    }
    assert_eq!(asked, 1_000);
    assert!(wakes <= 2_100, "{wakes}");
}
