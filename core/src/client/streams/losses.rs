//! Snapshots and observations whose connection was lost, or whose time is up.
//!
//! Whether they go on elsewhere depends on what they are, and on what was delivered.

use super::APPLIED;
use super::event::StreamEnd;
use super::stream::Phase;
use super::stream::What;
use super::stream_of;
use crate::buf::Sent;
use crate::client::Client;
use crate::conn::Conn;
use crate::error::Cause;
use crate::error::CloseReason;
use crate::error::Code;
use crate::error::Error;
use crate::error::Known;
use crate::error::Phase as WaitedFor;
use crate::error::SnapshotFault;
use crate::error::Status;
use crate::id::StreamId;
use crate::time::Instant;
use crate::wire::StreamId as WireStream;

impl Client {
    /// A connection is gone; `conn` was taken out of the table.
    pub(in crate::client) fn stream_lost(
        &mut self,
        now: Instant,
        conn: &Conn,
        reason: &CloseReason,
    ) {
        for stream in conn.wire.streams() {
            let id = stream_of(stream);
            let again = matches!(reason, CloseReason::Status(status)
                if self.stream_refused(now, id, conn.endpoint, conn.token, status));
            let Some(stream) = self.streams.table.get_mut(&id) else {
                continue;
            };
            if stream.phase == Phase::Ended {
                continue;
            }
            let cause = match reason {
                CloseReason::Net(error) if !conn.is_open() => Cause::ConnectFailed(error.clone()),
                reason => Cause::ConnectionLost(reason.clone()),
            };
            let end = match (&mut stream.what, reason) {
                (_, CloseReason::Limit(limit)) => Some(StreamEnd::Failed(Error::Limit {
                    limit: *limit,
                    applied: APPLIED,
                })),
                (What::Observation { .. }, CloseReason::Status(status))
                    if !again && is_lasting(status) =>
                {
                    Some(StreamEnd::Failed(self.auth.error(status.clone(), APPLIED)))
                }
                (What::Observation { last, resumes, .. }, _) => {
                    *resumes = last.is_some();
                    None
                }
                (What::Snapshot { bytes: 1.., .. }, reason) => {
                    let fault = SnapshotFault::Lost {
                        bytes: stream.bytes(),
                        reason: reason.clone(),
                    };
                    Some(StreamEnd::Failed(Error::Snapshot(fault)))
                }
                (What::Snapshot { .. }, _) => {
                    let over = stream.begin_by.is_none_or(|begin_by| begin_by <= now)
                        || stream.attempts >= self.config.max_attempts;
                    over.then(|| {
                        StreamEnd::Failed(Error::Unavailable {
                            cause: cause.clone(),
                            applied: APPLIED,
                        })
                    })
                }
            };
            match end {
                Some(end) => self.end_stream(id, end),
                None => self.stream_again(id, cause),
            }
        }
    }

    pub(in crate::client) fn stream_timed_out(&mut self, now: Instant, id: StreamId) {
        let Some(stream) = self.streams.table.get_mut(&id) else {
            return;
        };
        stream.armed = None;
        let is_over = stream.deadline.is_some_and(|deadline| deadline <= now);
        let open = stream.conn().and_then(|conn| self.conns.get(&conn));
        let open = open.filter(|conn| conn.is_open());
        if (stream.was_full || stream.full) && !is_over {
            // The server may have something to say; we are the ones who do not read.
            let at = now + self.idle_timeout();
            return self.arm_stream(id, Some(at));
        }
        let applied = APPLIED;
        let error = match (open, stream.last_cause.take()) {
            (Some(conn), _) => {
                let phase = match conn.wire.sent(WireStream(id.get())) {
                    Sent::All => WaitedFor::Answer,
                    Sent::Nothing | Sent::Part => WaitedFor::Send,
                };
                Error::Timeout { phase, applied }
            }
            (None, Some(cause)) => Error::Unavailable { cause, applied },
            (None, None) => {
                let gate = self.gates.get(&stream.lane());
                match gate.and_then(|gate| gate.last_error.clone()) {
                    Some(error) => Error::Unavailable {
                        cause: Cause::ConnectFailed(error),
                        applied,
                    },
                    None if stream.conn().is_none() && self.is_crowded() => self.no_room(applied),
                    None => Error::Timeout {
                        phase: WaitedFor::Connect,
                        applied,
                    },
                }
            }
        };
        self.break_off(now, id, CloseReason::Deadline, StreamEnd::Failed(error));
    }
}

/// Whether any server would refuse an observation, or a renewal, in the same way (rule W-19). Errors of auth come
/// without a code of their own (gateway.md 5.2).
pub(in crate::client) fn is_lasting(status: &Status) -> bool {
    matches!(
        status.code,
        Code::INVALID_ARGUMENT
            | Code::PERMISSION_DENIED
            | Code::UNAUTHENTICATED
            | Code::NOT_FOUND
            | Code::UNIMPLEMENTED
    ) || matches!(
        status.known(),
        Some(Known::PermissionDenied | Known::UserEmpty | Known::InvalidAuthToken)
    )
}
