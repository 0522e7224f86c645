//! One direction of a connection: bytes go in, are under way, and come out in order.
//!
//! Everything under way lies in one buffer, and a list says which lengths of it arrive when, so a
//! segment costs no allocation. What goes wrong at a byte is a list too, sorted, of which only the
//! first is compared: while nothing is planned a send is a copy.

use core::time::Duration;
use std::collections::VecDeque;

use etcd_core::Instant;

use super::fault::Fault;
use super::shape::Shape;
use crate::rng::Rng;

/// A read takes no more than this.
const READ_BYTES: usize = 64 << 10;

/// One send is received in no more pieces than this, or worlds would become slow.
const MOST_PIECES: usize = 48;

/// One direction of a connection.
#[derive(Clone, Debug)]
pub(super) struct Pipe {
    shape: Shape,
    /// How many bytes a second go through while nothing is wrong.
    rate: Option<u64>,
    /// What is under way, from `start` on.
    bytes: Vec<u8>,
    start: usize,
    /// What is under way, cut as it will be received. The lengths add up to `bytes` from `start` on.
    pieces: VecDeque<Piece>,
    /// How many bytes the sender's socket took.
    sent: u64,
    /// When the last piece arrives.
    last: Instant,
    /// What happens at bytes not sent yet, the next one last.
    plan: Vec<(u64, Fault)>,
    most_taken: Option<usize>,
    most_piece: Option<usize>,
    window: Option<Duration>,
    mouth: Mouth,
    /// Whether the sender has more than the pipe took.
    is_blocked: bool,
    /// Whether something was kept from the receiver that it was not told of.
    is_hole: bool,
}

/// What becomes of what is sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Mouth {
    Open,
    /// So many bytes went nowhere, but fill the sender's buffer.
    BlackHole(usize),
    /// The receiver is gone: what is sent vanishes.
    Ended,
}

#[derive(Clone, Copy, Debug)]
struct Piece {
    due: Instant,
    what: What,
}

#[derive(Clone, Copy, Debug)]
enum What {
    Bytes(usize),
    Fin,
    Reset,
    Vanish,
}

/// What the receiver gets.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Arrival<'a> {
    Bytes(&'a [u8]),
    /// Nothing comes any more.
    Fin,
    /// The connection is broken.
    Reset,
    /// The receiver itself is gone, and tells nobody.
    Vanish,
}

impl Pipe {
    pub(super) fn new(shape: Shape) -> Self {
        Self {
            shape,
            rate: shape.bytes_per_second,
            bytes: Vec::new(),
            start: 0,
            pieces: VecDeque::new(),
            sent: 0,
            last: Instant::ZERO,
            plan: Vec::new(),
            most_taken: None,
            most_piece: None,
            window: None,
            mouth: Mouth::Open,
            is_blocked: false,
            is_hole: false,
        }
    }

    /// Plans something for this direction; places are counted from now on.
    pub(super) fn plan(&mut self, fault: Fault) {
        let at = match fault {
            Fault::Reset { at, .. }
            | Fault::Fin { at, .. }
            | Fault::HalfOpen { at }
            | Fault::BlackHole { at, .. }
            | Fault::Delay { at, .. }
            | Fault::Drip { at, .. }
            | Fault::Garbage { at, .. }
            | Fault::Flip { at, .. } => at,
            _ => 0,
        };
        let at = self.sent.saturating_add(at);
        let place = self.plan.partition_point(|(other, _)| *other > at);
        self.plan.insert(place, (at, fault));
    }

    /// Hands bytes to the sender's socket. Says how many it took, and tells `strike` what went wrong.
    pub(super) fn send(
        &mut self,
        now: Instant,
        bytes: &[u8],
        rng: &mut Rng,
        strike: &mut dyn FnMut(Fault),
    ) -> usize {
        let room = match self.mouth {
            Mouth::Ended => bytes.len(),
            _ => self.room(),
        };
        let mut taken = bytes.len().min(room);
        // What is planned for the beginning may be about this very write.
        while let Some(&(at, fault)) = self.plan.last() {
            if at > self.sent || !self.is_about_all(fault) {
                break;
            }
            self.plan.pop();
            strike(fault);
        }
        if let Some(most) = self.most_taken {
            taken = taken.min(most);
        }
        self.is_blocked = taken < bytes.len();
        let mut rest = &bytes[..taken];
        while let Some(&(at, fault)) = self.plan.last() {
            let before = usize::try_from(at.saturating_sub(self.sent)).unwrap_or(usize::MAX);
            if before >= rest.len() {
                break;
            }
            self.plan.pop();
            let (head, tail) = rest.split_at(before);
            self.carry(now, head, rng);
            self.sent += head.len() as u64;
            rest = tail;
            strike(fault);
            match fault {
                Fault::Reset { .. } => self.end(now, What::Reset, rng),
                Fault::Fin { .. } => self.end(now, What::Fin, rng),
                Fault::BlackHole { .. } => self.swallow(),
                Fault::HalfOpen { .. } => {
                    self.end(now, What::Vanish, rng);
                    self.mouth = Mouth::BlackHole(0);
                }
                Fault::Delay { by, .. } => self.last = self.last.max(now) + by,
                Fault::Drip {
                    bytes_per_second, ..
                } => self.shape.bytes_per_second = Some(bytes_per_second.max(1)),
                Fault::Garbage { len, .. } => {
                    let garbage: Vec<u8> =
                        (0..len).map(|_| rng.next_u64().to_le_bytes()[0]).collect();
                    self.carry(now, &garbage, rng);
                }
                Fault::Flip { .. } => {
                    if let Some((byte, tail)) = rest.split_first() {
                        let flipped = byte ^ (1 << rng.below(8));
                        self.carry(now, &[flipped], rng);
                        self.sent += 1;
                        rest = tail;
                    }
                }
                // The others were seen to above, or are not about a direction.
                _ => {}
            }
        }
        self.carry(now, rest, rng);
        self.sent += rest.len() as u64;
        taken
    }

    /// Sets what holds for all that is sent from now on, if the fault is such.
    fn is_about_all(&mut self, fault: Fault) -> bool {
        match fault {
            Fault::ShortWrites { most, .. } => self.most_taken = Some(most.max(1)),
            Fault::Pieces { most, .. } => self.most_piece = Some(most.max(1)),
            Fault::Merged { window, .. } => self.window = Some(window),
            _ => return false,
        }
        true
    }

    /// Puts bytes under way.
    fn carry(&mut self, now: Instant, bytes: &[u8], rng: &mut Rng) {
        match &mut self.mouth {
            Mouth::Open => {}
            Mouth::BlackHole(swallowed) => {
                *swallowed += bytes.len();
                return;
            }
            Mouth::Ended => return,
        }
        if bytes.is_empty() {
            return;
        }
        if self.start == self.bytes.len() {
            self.bytes.clear();
            self.start = 0;
        } else if self.start > self.bytes.len() / 2 {
            self.bytes.drain(..self.start);
            self.start = 0;
        }
        self.bytes.extend_from_slice(bytes);
        let mut due = self.arrival(now, rng);
        let Some(most) = self.piece_bytes() else {
            return self.push(due, bytes.len());
        };
        let most = most.max(bytes.len().div_ceil(MOST_PIECES));
        let mut left = bytes.len();
        while left > 0 {
            // At least half of the most, so that there are not too many.
            let len = (most - rng.index(most / 2 + 1)).clamp(1, left);
            left -= len;
            due = match self.shape.bytes_per_second {
                Some(rate) => due + time_for(len, rate),
                None => due + rng.between(Duration::from_nanos(1), Duration::from_micros(200)),
            };
            self.push(due, len);
        }
    }

    /// Into what lengths a send is cut; none: not at all.
    fn piece_bytes(&self) -> Option<usize> {
        let by_rate = self.shape.bytes_per_second.map(|rate| {
            // What comes within 20 ms.
            usize::try_from(rate / 50).unwrap_or(usize::MAX).max(1)
        });
        match (self.most_piece, by_rate) {
            (Some(most), Some(other)) => Some(most.min(other)),
            (most, other) => most.or(other),
        }
    }

    /// When what is sent now arrives.
    fn arrival(&self, now: Instant, rng: &mut Rng) -> Instant {
        let latency = rng.between(self.shape.least_latency, self.shape.most_latency);
        (now + latency).max(self.last)
    }

    fn push(&mut self, due: Instant, len: usize) {
        let due = match self.window.map(|window| window.as_nanos() as u64) {
            Some(window) if window > 0 => {
                Instant::from_nanos(due.as_nanos().div_ceil(window).saturating_mul(window))
            }
            _ => due,
        };
        self.last = due;
        if let Some(Piece {
            due: other,
            what: What::Bytes(bytes),
        }) = self.pieces.back_mut()
        {
            if *other == due {
                *bytes += len;
                return;
            }
        }
        let what = What::Bytes(len);
        self.pieces.push_back(Piece { due, what });
    }

    /// The sender sends nothing more.
    pub(super) fn finish(&mut self, now: Instant, rng: &mut Rng) {
        self.end(now, What::Fin, rng);
    }

    fn end(&mut self, now: Instant, what: What, rng: &mut Rng) {
        if self.mouth == Mouth::Open {
            let due = self.arrival(now, rng);
            self.last = due;
            self.pieces.push_back(Piece { due, what });
        }
        self.is_blocked = false;
        self.mouth = Mouth::Ended;
    }

    /// The receiver learns that the connection is broken; what was under way is lost.
    pub(super) fn reset(&mut self, now: Instant, rng: &mut Rng) {
        if let Mouth::BlackHole(_) = self.mouth {
            self.mouth = Mouth::Ended;
            return;
        }
        self.drop_all();
        let due = now + rng.between(self.shape.least_latency, self.shape.most_latency);
        let what = What::Reset;
        self.pieces.push_back(Piece { due, what });
        self.is_blocked = false;
        self.mouth = Mouth::Ended;
    }

    /// Nothing comes out of it any more, and the sender does not learn it, until nothing is wrong any more.
    pub(super) fn swallow(&mut self) {
        if self.mouth == Mouth::Open {
            self.mouth = Mouth::BlackHole(0);
            self.is_hole = true;
        }
    }

    /// The receiver is gone with all that is under way, and the sender does not learn it.
    pub(super) fn vanish(&mut self) {
        self.drop_all();
        self.mouth = Mouth::BlackHole(0);
    }

    /// Nothing comes out of it any more, not even what is under way.
    pub(super) fn cut(&mut self) {
        self.drop_all();
        self.is_blocked = false;
        self.mouth = Mouth::Ended;
    }

    fn drop_all(&mut self) {
        self.pieces.clear();
        self.bytes.clear();
        self.start = 0;
    }

    /// Nothing is planned any more, and what was made late comes now. Says whether bytes were
    /// swallowed.
    pub(super) fn calm(&mut self, now: Instant) -> bool {
        let latest = now + self.shape.most_latency;
        self.last = self.last.min(latest);
        for piece in &mut self.pieces {
            piece.due = piece.due.min(latest);
        }
        self.plan.clear();
        (self.most_taken, self.most_piece, self.window) = (None, None, None);
        self.shape.bytes_per_second = self.rate;
        let is_hole = core::mem::take(&mut self.is_hole);
        if is_hole {
            self.mouth = Mouth::Open;
        }
        is_hole
    }

    /// When the next thing arrives.
    pub(super) fn due(&self) -> Option<Instant> {
        self.pieces.front().map(|piece| piece.due)
    }

    /// What has arrived; all that has, up to the length of a read.
    pub(super) fn arrive(&mut self, now: Instant) -> Option<Arrival<'_>> {
        let first = self.pieces.front().filter(|piece| piece.due <= now)?;
        match first.what {
            What::Bytes(_) => {}
            What::Fin => {
                self.pieces.pop_front();
                return Some(Arrival::Fin);
            }
            What::Reset => {
                self.pieces.pop_front();
                return Some(Arrival::Reset);
            }
            What::Vanish => {
                self.pieces.pop_front();
                return Some(Arrival::Vanish);
            }
        }
        let from = self.start;
        while let Some(piece) = self.pieces.front_mut().filter(|piece| piece.due <= now) {
            let What::Bytes(bytes) = &mut piece.what else {
                break;
            };
            let len = (*bytes).min(READ_BYTES - (self.start - from));
            self.start += len;
            if len < *bytes {
                *bytes -= len;
                break;
            }
            self.pieces.pop_front();
        }
        Some(Arrival::Bytes(&self.bytes[from..self.start]))
    }

    /// How many bytes the sender's socket takes.
    fn room(&self) -> usize {
        let swallowed = match self.mouth {
            Mouth::BlackHole(swallowed) => swallowed,
            _ => 0,
        };
        let under_way = self.bytes.len() - self.start + swallowed;
        self.shape.window.saturating_sub(under_way)
    }

    /// Whether the sender waits for room and there is some.
    pub(super) fn is_writable(&self) -> bool {
        self.is_blocked && self.room() > 0
    }
}

/// How long so many bytes take.
fn time_for(len: usize, bytes_per_second: u64) -> Duration {
    let nanos = u128::from(len as u64) * 1_000_000_000 / u128::from(bytes_per_second.max(1));
    Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX))
}
