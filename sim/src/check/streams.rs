//! Snapshots and observations: each ends once, and says nothing after that. A snapshot that ends well
//! has the size it said. An observation tells leaders that were, in their order, and in the end the one
//! there is.

use std::collections::BTreeMap;

use etcd_core::{
    Instant, KeyRange, KeyValue, ObserveResponse, SnapshotChunk, StreamEnd, StreamEvent,
};

use super::history::{History, Streamed, What};
use super::locks::line;
use super::timeline::Timeline;
use super::verdict::{Evidence, Violation};

struct Stream<'a> {
    asked: &'a Streamed,
    canceled: bool,
    ended: bool,
    /// How much of a snapshot came.
    bytes: u64,
    /// How much it is to be, as far as it was said.
    size: Option<u64>,
    /// The leader told last, by its place among all there were.
    leader: Option<usize>,
}

/// Who led an election, from which revision on; none where nobody did.
type Leaders<'a> = Vec<(i64, Option<&'a KeyValue>)>;

type Broken = (&'static str, String);

pub(super) fn check(
    history: &History,
    timeline: &Timeline<'_>,
    evidence: &mut Evidence,
) -> Result<(), Violation> {
    let mut streams: BTreeMap<(usize, u64), Stream<'_>> = BTreeMap::new();
    let mut elections: BTreeMap<&[u8], Leaders<'_>> = BTreeMap::new();
    for event in &history.events {
        let (at, client) = (event.at, event.client);
        let broken = |(rule, text): Broken| Violation::new(rule, at, Some(client), text);
        match &event.what {
            What::StreamOpened { stream, asked } => {
                if let Streamed::Observation(name) = asked {
                    evidence.observations += 1;
                    let all = || leaders(&line(name), timeline);
                    elections.entry(&name[..]).or_insert_with(all);
                }
                streams.insert((client, *stream), Stream::new(asked));
            }
            What::StreamCanceled { stream } => {
                if let Some(state) = streams.get_mut(&(client, *stream)) {
                    state.canceled = true;
                }
            }
            What::StreamTold { stream, event } => {
                let named = |(rule, text)| broken((rule, format!("stream {stream} {text}")));
                let Some(state) = streams.get_mut(&(client, *stream)) else {
                    return Err(named(("G1", "was never opened".to_owned())));
                };
                let election = match state.asked {
                    Streamed::Observation(name) => elections.get(&name[..]),
                    Streamed::Snapshot => None,
                };
                let leaders = election.map_or(&[][..], Vec::as_slice);
                state
                    .tell(at, event, leaders, timeline, evidence)
                    .map_err(named)?;
            }
            _ => {}
        }
    }
    if !history.is_complete {
        return Ok(());
    }
    let end = history.events.last().map_or(Instant::ZERO, |last| last.at);
    for ((client, stream), state) in &streams {
        let last = match state.asked {
            Streamed::Observation(name) => elections.get(&name[..]).and_then(|all| all.last()),
            Streamed::Snapshot => None,
        };
        if let Err(text) = state.is_through(last.and_then(|last| last.1), &elections) {
            let text = format!("stream {stream} {text}");
            return Err(Violation::new("G60", end, Some(*client), text));
        }
    }
    Ok(())
}

/// Everybody who led an election, and everything they said.
fn leaders<'a>(line: &KeyRange, timeline: &Timeline<'a>) -> Leaders<'a> {
    let mut leaders: Leaders<'a> = Vec::new();
    for revision in timeline.moments(line, 1, i64::MAX) {
        let leader = timeline.oldest(line, revision);
        if leaders.last().is_none_or(|(_, last)| *last != leader) {
            leaders.push((revision, leader));
        }
    }
    leaders
}

impl<'a> Stream<'a> {
    const fn new(asked: &'a Streamed) -> Self {
        Self {
            asked,
            canceled: false,
            ended: false,
            bytes: 0,
            size: None,
            leader: None,
        }
    }

    fn tell(
        &mut self,
        at: Instant,
        event: &StreamEvent,
        leaders: &[(i64, Option<&KeyValue>)],
        timeline: &Timeline<'_>,
        evidence: &mut Evidence,
    ) -> Result<(), Broken> {
        if self.ended {
            return broken("G1", "went on after its end");
        }
        match event {
            StreamEvent::End(StreamEnd::Canceled) if !self.canceled => {
                broken("G1", "canceled by nobody")
            }
            StreamEvent::End(end) => {
                self.ended = true;
                match end {
                    StreamEnd::Done(summary) => {
                        evidence.snapshots += 1;
                        let said = self.size.unwrap_or(0);
                        if summary.bytes != self.bytes || self.bytes != said {
                            let (told, came) = (summary.bytes, self.bytes);
                            let text = format!("is whole with {told} bytes; {came} of {said} came");
                            return broken("G54", text);
                        }
                        Ok(())
                    }
                    _ => Ok(()),
                }
            }
            _ if self.canceled => broken("G19", "went on after its cancel"),
            StreamEvent::Chunk(chunk) => self.chunk(chunk),
            StreamEvent::Leader(told) => {
                evidence.leaders_told += 1;
                self.lead(at, told, leaders, timeline)
            }
            _ => Ok(()),
        }
    }

    /// What is left of a snapshot falls by what comes.
    fn chunk(&mut self, chunk: &SnapshotChunk) -> Result<(), Broken> {
        self.bytes += u64::try_from(chunk.blob.len()).unwrap_or(u64::MAX);
        let size = self.bytes.saturating_add(chunk.remaining_bytes);
        match self.size.replace(size) {
            Some(before) if before != size => {
                broken("G54", format!("is of {size} bytes, and was of {before}"))
            }
            _ => Ok(()),
        }
    }

    fn lead(
        &mut self,
        at: Instant,
        told: &ObserveResponse,
        leaders: &[(i64, Option<&KeyValue>)],
        timeline: &Timeline<'_>,
    ) -> Result<(), Broken> {
        let known = timeline.revision_at(at);
        let is_it = |(from, kv): &(i64, Option<&KeyValue>)| *kv == Some(&told.kv) && *from <= known;
        let next = self.leader.map_or(0, |last| last + 1);
        let rest = leaders.get(next..).unwrap_or_default();
        let revision = told.kv.mod_revision;
        match rest.iter().position(is_it) {
            Some(place) => {
                self.leader = Some(next + place);
                Ok(())
            }
            None if leaders.iter().any(is_it) => broken(
                "G9",
                format!("told the leader of {revision} again or too late"),
            ),
            None => broken("G6", format!("told a leader of {revision} who was none")),
        }
    }

    /// When nothing is under way any more.
    fn is_through(
        &self,
        leads: Option<&KeyValue>,
        elections: &BTreeMap<&[u8], Leaders<'_>>,
    ) -> Result<(), &'static str> {
        if self.ended {
            return Ok(());
        }
        if self.canceled {
            return Err("was canceled, and its end not told");
        }
        let Streamed::Observation(name) = self.asked else {
            return Err("has no end");
        };
        let last = self
            .leader
            .and_then(|place| elections.get(&name[..])?.get(place)?.1);
        match leads {
            Some(leader) if last != Some(leader) => Err("did not tell who leads"),
            _ => Ok(()),
        }
    }
}

fn broken<T>(rule: &'static str, text: impl Into<String>) -> Result<T, Broken> {
    Err((rule, text.into()))
}
