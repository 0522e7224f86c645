//! One snapshot or observation as its user sees it: a queue of events, and what was delivered.
//!
//! The queue is bounded by the client, not here: it counts what it holds, and the client stops
//! reading the connection while that is too much. After the end nothing is queued any more.

use std::collections::VecDeque;

use bytes::Bytes;

use super::event::StreamEnd;
use super::event::StreamEvent;
use crate::api::Observe;
use crate::api::ObserveResponse;
use crate::api::SnapshotChunk;
use crate::client::auth::Refreshes;
use crate::client::endpoint::Endpoint;
use crate::conn::Lane;
use crate::error::Cause;
use crate::id::ConnId;
use crate::id::EndpointIndex;
use crate::time::Instant;

/// One stream.
#[derive(Debug)]
pub(super) struct Stream {
    pub(super) what: What,
    pub(super) phase: Phase,
    /// The end of a snapshot whatever it does, if its options say so.
    pub(super) deadline: Option<Instant>,
    /// Until when a snapshot may be begun, at another endpoint if need be.
    pub(super) begin_by: Option<Instant>,
    /// When its timer goes off, while it has one.
    pub(super) armed: Option<Instant>,
    /// It held all it may since the timer was armed.
    pub(super) was_full: bool,
    /// It holds all it may, and its connection is not read because of it.
    pub(super) full: bool,
    /// What ended the last connection it was on.
    pub(super) last_cause: Option<Cause>,
    /// How often it was started on a connection.
    pub(super) attempts: u32,
    /// How many new tokens in a row it was refused with (rule A-6).
    pub(super) refreshes: Refreshes,
    queue: VecDeque<StreamEvent>,
    /// The size of what is in `queue`.
    queued_bytes: usize,
    /// The user was told that there is something, and has not found the queue empty since.
    told: bool,
}

/// What a stream is.
#[derive(Debug)]
pub(super) enum What {
    Snapshot {
        /// The one endpoint to ask, if the user named one.
        at: Option<EndpointIndex>,
        /// How many bytes were queued.
        bytes: u64,
    },
    Observation {
        request: Observe,
        /// The leader told last.
        last: Option<Told>,
        /// It is on another connection, of which nothing has come yet.
        resumes: bool,
    },
}

/// A leader that was told.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Told {
    /// The leader is the oldest of the candidates' keys, so leaders follow one another by the revision
    /// that made their keys, and the values of one by the revision that changed it. The latter alone
    /// is no order: a leader may have proclaimed something since its successor became a candidate.
    revisions: (i64, i64),
    key: Bytes,
}

/// What became of a leader that came.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Handled {
    /// It was the first over a further connection.
    pub(super) resumed: bool,
    pub(super) dropped: bool,
}

/// Where a stream is on its way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Phase {
    /// Waits for a connection.
    Waiting,
    /// On a connection, opening or open.
    On(ConnId),
    /// Ended; stays until its user has seen the end.
    Ended,
}

impl Stream {
    pub(super) fn new(what: What) -> Self {
        Self {
            what,
            phase: Phase::Waiting,
            deadline: None,
            begin_by: None,
            armed: None,
            was_full: false,
            full: false,
            last_cause: None,
            attempts: 0,
            refreshes: Refreshes::default(),
            queue: VecDeque::new(),
            queued_bytes: 0,
            told: false,
        }
    }

    pub(super) const fn lane(&self) -> Lane {
        match &self.what {
            What::Snapshot { at, .. } => Lane::Snapshots(*at),
            What::Observation { .. } => Lane::Observers,
        }
    }

    /// Bytes of a snapshot came.
    pub(super) fn handle_chunk(&mut self, chunk: SnapshotChunk) {
        if let What::Snapshot { bytes, .. } = &mut self.what {
            *bytes = bytes.saturating_add(chunk.blob.len() as u64);
            self.push(StreamEvent::Chunk(chunk));
        }
    }

    /// A leader came from `endpoint`. It is dropped if it was told before, or is older than what was
    /// told.
    pub(super) fn handle_leader(
        &mut self,
        leader: ObserveResponse,
        endpoint: &Endpoint,
    ) -> Handled {
        let What::Observation { last, resumes, .. } = &mut self.what else {
            return Handled::default();
        };
        let resumed = core::mem::take(resumes);
        let told = Told {
            revisions: (leader.kv.create_revision, leader.kv.mod_revision),
            key: leader.kv.key.clone(),
        };
        let is_new = last
            .as_ref()
            .is_none_or(|last| last.revisions < told.revisions);
        if is_new {
            *last = Some(told);
        }
        if resumed {
            // Of several in a row the last says it all, and a user who does not read is not owed more
            // and more.
            if matches!(self.queue.back(), Some(StreamEvent::Resumed { .. })) {
                self.queue.pop_back();
            }
            let endpoint = endpoint.clone();
            self.queue.push_back(StreamEvent::Resumed { endpoint });
        }
        if is_new {
            self.push(StreamEvent::Leader(leader));
        }
        Handled {
            resumed,
            dropped: !is_new,
        }
    }

    /// Forgets what was told before the connection was lost.
    #[cfg(feature = "planted")]
    pub(super) fn plant_leader(&mut self) {
        if let What::Observation {
            last,
            resumes: true,
            ..
        } = &mut self.what
        {
            *last = None;
        }
    }

    fn push(&mut self, event: StreamEvent) {
        self.queued_bytes = self.queued_bytes.saturating_add(size(&event));
        self.queue.push_back(event);
    }

    /// How many bytes of a snapshot were queued.
    pub(super) const fn bytes(&self) -> u64 {
        match self.what {
            What::Snapshot { bytes, .. } => bytes,
            What::Observation { .. } => 0,
        }
    }

    /// Ends it; what is queued comes first.
    pub(super) fn end(&mut self, end: StreamEnd) {
        self.phase = Phase::Ended;
        self.queue.push_back(StreamEvent::End(end));
    }

    /// Forgets what is queued.
    pub(super) fn clear(&mut self) {
        self.queue.clear();
        self.queued_bytes = 0;
    }

    /// Forgets what is queued (guarantee G19), but an end that is all there is. One behind other things
    /// speaks of what its user did not get, and becomes that of the cancel.
    pub(super) fn keep_end(&mut self) {
        if self.queue.len() > 1 {
            self.queue.clear();
            let end = StreamEvent::End(StreamEnd::Canceled);
            self.queued_bytes = size(&end);
            self.queue.push_back(end);
        }
    }

    pub(super) fn poll(&mut self) -> Option<StreamEvent> {
        let event = self.queue.pop_front();
        match &event {
            Some(event) => self.queued_bytes -= size(event),
            None => self.told = false,
        }
        event
    }

    /// Whether the user has to be told that there is something.
    pub(super) fn poll_tell(&mut self) -> bool {
        let tell = !self.told && !self.queue.is_empty();
        self.told |= tell;
        tell
    }

    pub(super) const fn queued_bytes(&self) -> usize {
        self.queued_bytes
    }

    pub(super) const fn conn(&self) -> Option<ConnId> {
        match self.phase {
            Phase::On(conn) => Some(conn),
            Phase::Waiting | Phase::Ended => None,
        }
    }
}

/// What an event takes in memory, roughly; notices take nothing, being few.
fn size(event: &StreamEvent) -> usize {
    match event {
        StreamEvent::Chunk(chunk) => chunk.blob.len(),
        StreamEvent::Leader(leader) => {
            let held = leader.kv.key.len().saturating_add(leader.kv.value.len());
            held.saturating_add(size_of::<ObserveResponse>())
        }
        StreamEvent::Resumed { .. } | StreamEvent::End(_) => 0,
    }
}
