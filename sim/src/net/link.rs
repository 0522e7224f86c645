//! One connection: both directions, how it opens, and what goes wrong on it.

use core::time::Duration;

use etcd_core::Instant;

use super::fault::{Fault, Way};
use super::pipe::{Arrival, Pipe};
use super::shape::Shape;
use crate::rng::Rng;

/// One connection.
#[derive(Clone, Debug)]
pub(crate) struct Link {
    up: Pipe,
    down: Pipe,
    rng: Rng,
    opening: Opening,
    /// Nothing arrives while it is held; what was sent comes afterwards.
    is_held: bool,
    /// The next whole request is to be sent twice.
    repeats: bool,
    /// What was planned and has no place in a direction.
    noted: Vec<Fault>,
}

/// How opening a connection goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Opening {
    /// An answer comes then.
    Answered {
        at: Instant,
        refused: bool,
        closed: bool,
    },
    /// Nothing is heard.
    Silent,
}

impl Link {
    /// A connection that begins to open now.
    pub(crate) fn new(now: Instant, shape: Shape, plan: &[Fault], mut rng: Rng) -> Self {
        let trip = |rng: &mut Rng| rng.between(shape.least_latency, shape.most_latency);
        let there_and_back = trip(&mut rng) + trip(&mut rng);
        let mut link = Self {
            up: Pipe::new(shape),
            down: Pipe::new(shape),
            rng,
            opening: Opening::Answered {
                at: now + there_and_back,
                refused: false,
                closed: false,
            },
            is_held: false,
            repeats: false,
            noted: Vec::new(),
        };
        for fault in plan {
            link.plan(*fault);
        }
        link
    }

    /// How opening it goes, and which faults that is due to.
    pub(crate) fn opening(&mut self) -> (Opening, Vec<Fault>) {
        (self.opening, core::mem::take(&mut self.noted))
    }

    /// Plans a fault; places are counted from now on.
    pub(crate) fn plan(&mut self, fault: Fault) {
        match (fault, &mut self.opening) {
            (Fault::Refused, Opening::Answered { refused, .. }) => *refused = true,
            (Fault::ClosedOnAccept, Opening::Answered { closed, .. }) => *closed = true,
            (Fault::SlowConnect(by), Opening::Answered { at, .. }) => *at = *at + by,
            (Fault::NeverConnected, opening) => *opening = Opening::Silent,
            (Fault::Refused | Fault::ClosedOnAccept | Fault::SlowConnect(_), _) => return,
            (Fault::Duplicate, _) => {
                self.repeats = true;
                return;
            }
            (
                Fault::Reset { way, .. }
                | Fault::Fin { way, .. }
                | Fault::BlackHole { way, .. }
                | Fault::Delay { way, .. }
                | Fault::Drip { way, .. }
                | Fault::Garbage { way, .. }
                | Fault::Flip { way, .. }
                | Fault::ShortWrites { way, .. }
                | Fault::Pieces { way, .. }
                | Fault::Merged { way, .. },
                _,
            ) => return self.pipe(way).plan(fault),
            (Fault::HalfOpen { .. }, _) => return self.up.plan(fault),
        }
        self.noted.push(fault);
    }

    fn pipe(&mut self, way: Way) -> &mut Pipe {
        match way {
            Way::Up => &mut self.up,
            Way::Down => &mut self.down,
        }
    }

    /// Hands bytes to a socket, and says what went wrong.
    pub(crate) fn send(
        &mut self,
        way: Way,
        now: Instant,
        bytes: &[u8],
        strike: &mut dyn FnMut(Fault),
    ) -> usize {
        let Self { up, down, rng, .. } = self;
        let (pipe, back) = match way {
            Way::Up => (up, down),
            Way::Down => (down, up),
        };
        let mut is_reset = false;
        let taken = pipe.send(now, bytes, rng, &mut |fault| {
            is_reset |= matches!(fault, Fault::Reset { .. });
            strike(fault);
        });
        if is_reset {
            back.reset(now, rng);
        }
        taken
    }

    /// When something arrives that way.
    pub(crate) fn due(&self, way: Way) -> Option<Instant> {
        let pipe = match way {
            Way::Up => &self.up,
            Way::Down => &self.down,
        };
        pipe.due().filter(|_| !self.is_held)
    }

    /// What has arrived that way.
    pub(crate) fn arrive(&mut self, way: Way, now: Instant) -> Option<Arrival<'_>> {
        if self.is_held {
            return None;
        }
        let Self { up, down, .. } = self;
        let (pipe, back) = match way {
            Way::Up => (up, down),
            Way::Down => (down, up),
        };
        let arrival = pipe.arrive(now);
        if arrival == Some(Arrival::Vanish) {
            back.cut();
        }
        arrival
    }

    /// Does to an open connection what a fault says. Says whether that took effect at once.
    pub(crate) fn strike(&mut self, fault: Fault, now: Instant) -> bool {
        match fault {
            Fault::Reset { at: 0, .. } => self.reset(now),
            Fault::Fin { way, at: 0 } => self.close(way, now),
            Fault::BlackHole { way, at: 0 } => self.pipe(way).swallow(),
            Fault::HalfOpen { at: 0 } => self.leave(),
            _ => {
                self.plan(fault);
                return false;
            }
        }
        true
    }

    /// Nothing goes wrong any more. What was swallowed is lost, so a black hole becomes a reset.
    pub(crate) fn calm(&mut self, now: Instant) {
        self.repeats = false;
        let is_broken = self.up.calm(now) | self.down.calm(now);
        if is_broken {
            self.reset(now);
        }
    }

    /// When a socket that took less than it could looks again, if it has more.
    pub(crate) fn next_write(&mut self, way: Way, now: Instant) -> Option<Instant> {
        if !self.pipe(way).is_writable() {
            return None;
        }
        let pause = self
            .rng
            .between(Duration::from_micros(5), Duration::from_micros(100));
        Some(now + pause)
    }

    /// The sender that way closes: an end comes behind what it sent, and what comes back is not read.
    pub(crate) fn close(&mut self, way: Way, now: Instant) {
        let Self { up, down, rng, .. } = self;
        match way {
            Way::Up => up.finish(now, rng),
            Way::Down => down.finish(now, rng),
        }
    }

    /// The receiver that way is gone and says so, now that it was sent something.
    pub(crate) fn refuse(&mut self, way: Way, now: Instant) {
        let Self { up, down, rng, .. } = self;
        match way {
            Way::Up => down.reset(now, rng),
            Way::Down => up.reset(now, rng),
        }
    }

    /// Both ends learn that it is broken; what was under way is lost.
    pub(crate) fn reset(&mut self, now: Instant) {
        self.up.reset(now, &mut self.rng);
        self.down.reset(now, &mut self.rng);
    }

    /// The member's end is gone and nobody is told.
    pub(crate) fn leave(&mut self) {
        self.up.vanish();
        self.down.cut();
    }

    /// Lets nothing arrive until it is released.
    pub(crate) fn hold(&mut self, is_held: bool) {
        self.is_held = is_held;
    }

    pub(crate) fn is_held(&self) -> bool {
        self.is_held
    }

    /// Whether the request that arrives next is to be sent twice; asked once.
    pub(crate) fn take_repeat(&mut self) -> bool {
        core::mem::take(&mut self.repeats)
    }

    /// Whether an arriving request is to be sent twice.
    pub(crate) fn repeats(&self) -> bool {
        self.repeats
    }

    /// A number of its own luck.
    pub(crate) fn rng(&mut self) -> &mut Rng {
        &mut self.rng
    }
}

#[cfg(test)]
mod tests {
    use super::super::Faults;
    use super::*;

    /// Sends numbered bytes as a patient sender would, and gives what came and how it ended.
    fn send(seed: u64, plan: &[Fault], way: Way, len: usize) -> (Vec<u8>, bool) {
        let sent: Vec<u8> = (0..len).map(|place| place.to_le_bytes()[0]).collect();
        let shape = Shape::default().with_window(1000);
        let mut link = Link::new(Instant::ZERO, shape, plan, Rng::new(seed));
        let (mut came, mut taken, mut is_over) = (Vec::new(), 0, false);
        let mut now = Instant::ZERO;
        // Without a receiver that reads, a sender is never let on: the loop ends where nothing moves.
        loop {
            taken += link.send(way, now, &sent[taken..], &mut |_| {});
            let next = link.due(way).or_else(|| link.next_write(way, now));
            let Some(at) = next.filter(|_| !is_over) else {
                return (came, is_over);
            };
            now = now.max(at);
            while let Some(arrival) = link.arrive(way, now) {
                match arrival {
                    Arrival::Bytes(bytes) => came.extend_from_slice(bytes),
                    Arrival::Fin | Arrival::Reset | Arrival::Vanish => is_over = true,
                }
            }
        }
    }

    #[test]
    fn honest_faults_give_a_beginning_of_what_was_sent() {
        let len = 5000;
        let sent: Vec<u8> = (0..len)
            .map(|place: usize| place.to_le_bytes()[0])
            .collect();
        let (mut whole, mut cut) = (0, 0);
        for seed in 0..500 {
            let mut faults = Faults::all(200);
            faults.reach = 4096;
            let plan = faults.plan(&mut Rng::new(seed));
            let way = if seed % 2 == 0 { Way::Up } else { Way::Down };
            let (came, _) = send(seed, &plan, way, len);
            assert!(sent.starts_with(&came), "{seed}: {plan:?}");
            if came.len() == len {
                whole += 1;
            } else {
                cut += 1;
            }
        }
        assert!(whole > 50 && cut > 50, "{whole} came whole, {cut} did not");
    }

    #[test]
    fn a_cut_lets_exactly_its_bytes_through() {
        let way = Way::Down;
        for at in [0, 1, 999, 1000, 1001, 4999] {
            let (came, is_over) = send(1, &[Fault::Fin { way, at }], way, 5000);
            assert_eq!((came.len() as u64, is_over), (at, true));
            let (came, is_over) = send(1, &[Fault::Reset { way, at }], way, 5000);
            assert_eq!((came.len() as u64, is_over), (at, true));
            let (came, is_over) = send(1, &[Fault::BlackHole { way, at }], way, 5000);
            assert_eq!((came.len() as u64, is_over), (at, false));
        }
        let (came, is_over) = send(1, &[Fault::Fin { way, at: 5000 }], way, 5000);
        assert_eq!((came.len(), is_over), (5000, false), "it is never reached");
    }

    #[test]
    fn one_bit_is_turned_and_garbage_comes_in_between() {
        let way = Way::Up;
        let (calm, _) = send(1, &[], way, 3000);
        let (came, _) = send(1, &[Fault::Flip { way, at: 700 }], way, 3000);
        let turned: Vec<usize> = (0..3000).filter(|at| calm[*at] != came[*at]).collect();
        assert_eq!(turned, [700]);
        assert_eq!((calm[700] ^ came[700]).count_ones(), 1);

        let garbage = Fault::Garbage {
            way,
            at: 700,
            len: 9,
        };
        let (came, _) = send(1, &[garbage], way, 3000);
        assert_eq!((&came[..700], &came[709..]), (&calm[..700], &calm[700..]));
    }

    #[test]
    fn nothing_arrives_while_it_is_held() {
        let mut link = Link::new(Instant::ZERO, Shape::default(), &[], Rng::new(1));
        link.send(Way::Up, Instant::ZERO, b"late", &mut |_| {});
        link.hold(true);
        let later = Instant::ZERO + Duration::from_secs(60);
        assert_eq!(link.due(Way::Up), None);
        assert_eq!(link.arrive(Way::Up, later), None);
        link.hold(false);
        assert_eq!(link.arrive(Way::Up, later), Some(Arrival::Bytes(b"late")));
    }
}
