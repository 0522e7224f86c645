//! Leases that are kept alive: none ends by itself before the time its user counts on, and its user is told
//! at that time that it may be gone, truly when it is, and never otherwise.
//!
//! What a user counts on is a time of the client's own clock, which may jump ahead: then that time comes
//! sooner, and the promise is the shorter for it.

use core::time::Duration;
use std::collections::BTreeMap;

use etcd_core::{Applied, Code, Error, Instant, Known, LeaseEnd, LeaseEvent, Status};

use super::history::{Event, History, Kept, What};
use super::timeline::{Lease, Timeline};
use super::verdict::{Evidence, Violation};

/// The clock of a client, and when what is due may come late.
#[derive(Default)]
struct Clock {
    ahead: Duration,
    frozen_until: Option<Instant>,
    jumped: Option<Instant>,
}

impl Clock {
    /// Whether something that was due before may be told only now.
    fn is_excused(&self, now: Instant) -> bool {
        self.jumped == Some(now) || self.frozen_until.is_some_and(|until| now <= until)
    }

    /// When the client's clock says that, as far as can be seen now.
    fn global(&self, local: Instant) -> Instant {
        Instant::ZERO + (local - (Instant::ZERO + self.ahead))
    }
}

/// What its user knows of a kept lease.
struct Keeping<'a> {
    asked: &'a Kept,
    since: Instant,
    /// What was told last, and when.
    told: Instant,
    phase: Phase,
    /// By the client's clock.
    until: Option<Instant>,
    released: bool,
    /// When its user asked for its end.
    revoked: Option<Instant>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Phase {
    Starting,
    Active,
    AtRisk,
    Expired,
    Ended,
}

/// A lease was said to last.
struct Promise {
    client: usize,
    lease: i64,
    /// When what promises it was sent, at the earliest.
    sent: Instant,
    told: Instant,
    until: Instant,
}

type Broken = (&'static str, String);

fn broken<T>(rule: &'static str, text: impl Into<String>) -> Result<T, Broken> {
    Err((rule, text.into()))
}

pub(super) fn check(
    history: &History,
    timeline: &Timeline<'_>,
    evidence: &mut Evidence,
) -> Result<(), Violation> {
    let mut clocks: BTreeMap<usize, Clock> = BTreeMap::new();
    let mut all: BTreeMap<(usize, u64), Keeping<'_>> = BTreeMap::new();
    let mut promises = Vec::new();
    for event in &history.events {
        let client = event.client;
        let clock = clocks.entry(client).or_default();
        match &event.what {
            What::Jumped { by } => {
                clock.ahead += *by;
                clock.jumped = Some(event.at);
            }
            What::Froze { time } => {
                let until = event.at + *time;
                clock.frozen_until = clock.frozen_until.max(Some(until));
            }
            What::LeaseKept { kept, asked } => {
                evidence.leases_kept += 1;
                all.insert((client, *kept), Keeping::new(asked, event.at));
            }
            What::LeaseReleased { kept } => {
                if let Some(keeping) = all.get_mut(&(client, *kept)) {
                    keeping.released = true;
                }
            }
            What::LeaseRevoked { kept } => {
                if let Some(keeping) = all.get_mut(&(client, *kept)) {
                    keeping.revoked = Some(event.at);
                }
            }
            What::LeaseTold {
                kept,
                lease,
                event: told,
            } => {
                let named = |(rule, text): Broken| {
                    let text = format!("{kept}, lease {lease}: {text}");
                    Violation::new(rule, event.at, Some(client), text)
                };
                let Some(keeping) = all.get_mut(&(client, *kept)) else {
                    return Err(named(("G1", "nobody keeps it".to_owned())));
                };
                let lives = Lives::of(timeline, *lease);
                let promise = keeping
                    .tell(event, told, clock, &lives, evidence)
                    .map_err(named)?;
                promises.extend(promise.map(|(sent, until)| Promise {
                    client,
                    lease: *lease,
                    sent,
                    told: event.at,
                    until,
                }));
            }
            _ => {}
        }
    }
    for promise in &promises {
        is_kept(promise, timeline)?;
    }
    if !history.is_complete {
        return Ok(());
    }
    let end = history.events.last().map_or(Instant::ZERO, |last| last.at);
    for ((client, kept), keeping) in &all {
        let default = Clock::default();
        let clock = clocks.get(client).unwrap_or(&default);
        if let Err(text) = keeping.goes_on(end + clock.ahead) {
            let text = format!("{kept}: {text}");
            return Err(Violation::new("G60", end, Some(*client), text));
        }
    }
    Ok(())
}

/// No lease ends by itself before the time its user counts on (G25). Where a grant was repeated after the
/// lease it made had ended, there are two of them, and it is the one that was told.
fn is_kept(promise: &Promise, timeline: &Timeline<'_>) -> Result<(), Violation> {
    let is_broken =
        |life: &&Lease| life.expired && life.ended.is_some_and(|ended| ended < promise.until);
    let lives = || {
        let all = Lives::of(timeline, promise.lease).0.iter();
        all.filter(|life| life.meets(promise.sent, promise.told))
    };
    if !lives().all(|life| is_broken(&life)) {
        return Ok(());
    }
    let Some(ended) = lives().filter_map(|life| life.ended).max() else {
        return Ok(());
    };
    let (lease, until) = (promise.lease, promise.until);
    let text = format!("lease {lease} ended by itself, and was said to last until {until:?}");
    Err(Violation::new("G25", ended, Some(promise.client), text))
}

/// The lives of a lease.
struct Lives<'a>(&'a [Lease]);

impl<'a> Lives<'a> {
    fn of(timeline: &'a Timeline<'_>, lease: i64) -> Self {
        Self(timeline.leases.get(&lease).map_or(&[], Vec::as_slice))
    }

    /// The first that lived at some moment between the two.
    fn between(&self, from: Instant, to: Instant) -> Option<&Lease> {
        self.0.iter().find(|life| life.meets(from, to))
    }

    /// Whether one lived at every moment between the two.
    fn is_throughout(&self, from: Instant, to: Instant) -> bool {
        let spans = |life: &Lease| life.granted < from && life.ended.is_none_or(|ended| ended > to);
        self.0.iter().any(spans)
    }
}

impl<'a> Keeping<'a> {
    const fn is_revoked(&self) -> bool {
        self.revoked.is_some()
    }

    const fn new(asked: &'a Kept, since: Instant) -> Self {
        Self {
            asked,
            since,
            told: since,
            phase: Phase::Starting,
            until: None,
            released: false,
            revoked: None,
        }
    }

    /// The user is told something. What a promise there is in it: when it was made, and until when.
    fn tell(
        &mut self,
        event: &Event,
        told: &LeaseEvent,
        clock: &Clock,
        lives: &Lives<'_>,
        evidence: &mut Evidence,
    ) -> Result<Option<(Instant, Instant)>, Broken> {
        let (now, local) = (event.at, event.at + clock.ahead);
        if self.phase == Phase::Ended {
            return broken("G1", "went on after its end");
        }
        let is_end = matches!(told, LeaseEvent::End(_));
        if (self.released || self.is_revoked()) && !is_end {
            return broken("G19", "went on after its user stopped it");
        }
        // Whatever is told, that its time was over had to be told before (G26).
        let is_kept = !self.released && !self.is_revoked();
        let is_certain = is_kept && matches!(self.phase, Phase::Active | Phase::AtRisk);
        let was_over = is_certain && self.until.is_some_and(|until| until < local);
        let is_expiry =
            matches!(told, LeaseEvent::Expired { valid_until } if Some(*valid_until) != self.until);
        if was_over && !clock.is_excused(now) && !is_expiry {
            return broken("G26", "its time was over, and that was not told");
        }
        let promise = match told {
            LeaseEvent::Active { ttl, valid_until } => {
                evidence.leases_confirmed += 1;
                self.phase = Phase::Active;
                Some(self.confirm(now, clock, *ttl, *valid_until, lives)?)
            }
            LeaseEvent::AtRisk { valid_until } => {
                // A confirmation that came late is at risk at once, and only the newest is told (rule L-8).
                if *valid_until <= local {
                    return broken("G26", "at risk, and its time is over");
                }
                self.phase = Phase::AtRisk;
                self.extend(*valid_until)?;
                None
            }
            LeaseEvent::Expired { valid_until } => {
                evidence.leases_doubted += 1;
                if *valid_until > local {
                    return broken("G26", "told expired before its time is over");
                }
                self.phase = Phase::Expired;
                self.extend(*valid_until)?;
                None
            }
            LeaseEvent::End(end) => {
                self.end(now, end, lives, evidence)?;
                self.phase = Phase::Ended;
                None
            }
            _ => return broken("G1", "told what this checker does not know"),
        };
        self.told = now;
        Ok(promise)
    }

    /// How long it certainly lasts never falls.
    fn extend(&mut self, until: Instant) -> Result<(), Broken> {
        if self.until.is_some_and(|before| before > until) {
            return broken("G25", format!("lasts until {until:?} only, after all"));
        }
        self.until = Some(until);
        Ok(())
    }

    fn confirm(
        &mut self,
        now: Instant,
        clock: &Clock,
        ttl: i64,
        until: Instant,
        lives: &Lives<'_>,
    ) -> Result<(Instant, Instant), Broken> {
        let is_new = self.until != Some(until);
        self.extend(until)?;
        let time = Duration::from_secs(u64::try_from(ttl).unwrap_or(0));
        let global = clock.global(until);
        // Sent then or later, before this was told.
        let sent = Instant::ZERO + (global - (Instant::ZERO + time));
        if let (Kept::TakenOver(lease), true) = (self.asked, self.told == self.since) {
            if lease.granted.is_some() {
                return Ok((sent, global));
            }
        }
        if global > now + time {
            return broken("G25", format!("lasts longer than {ttl} s from now"));
        }
        let Some(life) = lives.between(sent.max(self.since), now) else {
            return broken("G27", "confirmed, and there was no such lease");
        };
        if life.ttl != ttl && is_new {
            let text = format!("said to last {ttl} s, and was granted for {} s", life.ttl);
            return broken("L-3", text);
        }
        Ok((sent, global))
    }

    fn end(
        &self,
        now: Instant,
        end: &LeaseEnd,
        lives: &Lives<'_>,
        evidence: &mut Evidence,
    ) -> Result<(), Broken> {
        let was_confirmed = self.until.is_some();
        match end {
            LeaseEnd::Released if !self.released && !self.is_revoked() => {
                broken("G1", "released by nobody")
            }
            LeaseEnd::Revoked => match self.revoked {
                None => broken("G1", "revoked by nobody"),
                // An earlier attempt at its grant may come late and make it once more, with nothing attached.
                Some(asked) if was_confirmed && lives.is_throughout(asked, now) => {
                    broken("G27", "told revoked, and it was there")
                }
                Some(_) => Ok(()),
            },
            LeaseEnd::Lost => {
                evidence.leases_lost += 1;
                if lives.is_throughout(self.told, now) {
                    return broken("G28", "told lost, and it was there");
                }
                Ok(())
            }
            LeaseEnd::Failed(error) => self.fail(error, lives),
            _ => Ok(()),
        }
    }

    /// One that was confirmed is not given up since servers cannot be reached, and one that was certainly
    /// not granted is not there.
    fn fail(&self, error: &Error, lives: &Lives<'_>) -> Result<(), Broken> {
        let passes =
            |status: &Status| [Code::UNAVAILABLE, Code::DEADLINE_EXCEEDED].contains(&status.code);
        let is_refused = error.status().is_some_and(|status| !passes(status));
        if self.until.is_some() && error.known() == Some(Known::LeaseNotFound) && !self.is_revoked()
        {
            return broken("G27", "lost, and told as a failure");
        }
        if matches!(self.asked, Kept::Granted(grant) if grant.id == 0)
            && error.known() == Some(Known::LeaseExist)
        {
            return broken(
                "G29",
                "granted by an earlier attempt, and told as a failure",
            );
        }
        if self.until.is_some() && !self.is_revoked() && !is_refused {
            return broken("G27", format!("given up: {error}"));
        }
        let is_own = matches!(self.asked, Kept::Granted(_)) && self.until.is_none();
        if is_own && error.applied() == Applied::No && !self.is_revoked() && !lives.0.is_empty() {
            return broken("G3", format!("granted, and told that it was not: {error}"));
        }
        Ok(())
    }

    /// Once nothing is wrong any more.
    fn goes_on(&self, local: Instant) -> Result<(), &'static str> {
        match self.phase {
            Phase::Ended => Ok(()),
            _ if self.released || self.is_revoked() => Err("its end was not told"),
            Phase::Starting => Err("was neither granted nor refused"),
            Phase::Expired => Err("is neither renewed nor lost"),
            _ if self.until.is_some_and(|until| until > local) => Ok(()),
            _ => Err("is not renewed, and its end was not told"),
        }
    }
}
