//! The lines that the shim prints.
//!
//! Each is a JSON object: the `id` of the line it answers, and one of the bodies below. They are
//! serialized field by field as they stand here, so the order is the one in `shim.md`.

use etcd_core::{
    Applied, Cause, CloseReason, Code, Error, EventKind, KeyValue, Known, KvEvent,
    LeaseKeepAliveResponse, Stats, WatchBatch, WatchEnd, WatchEvent,
};
use serde::{Serialize, Serializer};
use serde_json::{Value, json};

/// One line, without the line feed.
///
/// ```
/// use etcd_tests::shim::lines::{Done, Said, line};
///
/// assert_eq!(line(&"x", &Done { ok: 7 }), r#"{"id":"x","ok":7}"#);
/// assert_eq!(line(&1, &Said::canceled()), r#"{"id":1,"end":{"reason":"canceled"}}"#);
/// ```
#[must_use]
pub fn line<I: Serialize, B: Serialize>(id: &I, body: &B) -> String {
    #[derive(Serialize)]
    struct Line<'a, I, B> {
        id: &'a I,
        #[serde(flatten)]
        body: &'a B,
    }
    serde_json::to_string(&Line { id, body })
        .expect("every body is an object with string keys, and no serializer of ours fails")
}

/// The answer to a call.
#[derive(Clone, Copy, Debug, Serialize)]
#[expect(clippy::exhaustive_structs, reason = "the protocol says what it has")]
pub struct Done<T> {
    /// The answer in etcd's JSON.
    pub ok: T,
}

/// Everything else that is said of a call, a watch or a lease.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Said {
    /// A call has failed.
    Error(Failure),
    /// A watch began.
    Created {
        /// The store's revision then.
        revision: Int,
    },
    /// The changes of one revision.
    Events {
        /// That revision.
        revision: Int,
        /// What happened at it.
        events: Vec<Change>,
    },
    /// A watch has delivered everything up to here.
    Progress {
        /// To here.
        revision: Int,
    },
    /// A watch goes on over another connection.
    Resumed {
        /// The revision it asked to go on from.
        from: Int,
        /// Where.
        endpoint: String,
    },
    /// A lease was renewed.
    KeptAlive {
        /// The lease, where the line does not belong to one.
        #[serde(rename = "ID", skip_serializing_if = "Option::is_none")]
        id: Option<Int>,
        /// How many seconds it lasts from now.
        #[serde(rename = "TTL")]
        ttl: Int,
    },
    /// The leader of an election.
    Leader(Value),
    /// A stream has ended.
    End(End),
    /// How the connection was left.
    #[serde(untagged)]
    Connection(Connection),
    /// A part of a snapshot.
    #[serde(untagged)]
    Snapshot(Value),
}

/// One change of one key. Unlike in etcd's JSON, what was done is always said.
#[derive(Clone, Debug, Serialize)]
#[non_exhaustive]
pub struct Change {
    /// What was done.
    #[serde(rename = "type")]
    pub kind: EventKind,
    /// The key after the change.
    pub kv: KeyValue,
    /// The key before the change.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub prev_kv: Option<KeyValue>,
}

/// How a stream ended.
#[derive(Clone, Debug, Serialize)]
#[non_exhaustive]
pub struct End {
    /// In a word.
    pub reason: &'static str,
    /// The oldest revision kept, of a watch that was overtaken by a compaction.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub compact_revision: Option<Int>,
    /// What went wrong, if it ended with an error.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<Failure>,
}

/// How the connection was left after the bytes of a file.
#[derive(Clone, Debug, Serialize)]
#[non_exhaustive]
pub struct Connection {
    /// `reusable` or `closed`.
    pub connection: &'static str,
    /// Why it was closed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

/// An error.
#[derive(Clone, Debug, Serialize)]
#[non_exhaustive]
pub struct Failure {
    /// What kind of error.
    pub kind: &'static str,
    /// The gRPC code, of an error the server answered with.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub code: Option<i32>,
    /// The server's message, or the client's.
    pub message: String,
    /// The name of a known error of etcd.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<&'static str>,
    /// Whether the call may have had an effect.
    pub applied: &'static str,
}

/// An integer of 64 bits, a string in JSON.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "it is its number")]
pub struct Int(pub i64);

impl Serialize for Int {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&self.0)
    }
}

impl Said {
    /// The answer to a line that asks for what cannot be.
    pub fn misuse(message: impl Into<String>) -> Self {
        Self::Error(Failure {
            kind: "misuse",
            code: None,
            message: message.into(),
            name: None,
            applied: "no",
        })
    }

    /// The changes of one revision.
    #[must_use]
    pub fn events(revision: i64, events: Vec<KvEvent>) -> Self {
        Self::Events {
            revision: Int(revision),
            events: events.into_iter().map(Change::from).collect(),
        }
    }

    /// A stream has ended for a reason that a word says.
    #[must_use]
    pub const fn ended(reason: &'static str) -> Self {
        Self::End(End::plain(reason))
    }

    /// A stream has ended because the suite wanted so.
    #[must_use]
    pub const fn canceled() -> Self {
        Self::ended("canceled")
    }

    /// A stream has ended with an error.
    #[must_use]
    pub fn failed(error: &Error) -> Self {
        Self::End(End {
            error: Some(error.into()),
            ..End::plain("error")
        })
    }

    /// A watch has ended before it began. The drivers give the end as an error; this is the way back.
    #[must_use]
    pub fn not_watched(error: &Error) -> Self {
        let status = error.status();
        let known = status.and_then(etcd_core::Status::known);
        match error {
            Error::Canceled { .. } => Self::canceled(),
            Error::Unavailable {
                cause: Cause::Shutdown,
                ..
            } => Self::ended("shutdown"),
            _ if known == Some(Known::Compacted) => Self::ended("compacted"),
            _ if known == Some(Known::PermissionDenied)
                || status.is_some_and(|status| status.code == Code::PERMISSION_DENIED) =>
            {
                Self::ended("permission_denied")
            }
            _ => Self::failed(error),
        }
    }

    /// The connection takes another request.
    #[must_use]
    pub const fn reusable() -> Self {
        Self::Connection(Connection {
            connection: "reusable",
            reason: None,
        })
    }

    /// The connection does not.
    #[must_use]
    pub fn closed(reason: &CloseReason) -> Self {
        Self::Connection(Connection {
            connection: "closed",
            reason: Some(reason.to_string()),
        })
    }
}

impl End {
    const fn plain(reason: &'static str) -> Self {
        Self {
            reason,
            compact_revision: None,
            error: None,
        }
    }
}

impl From<KvEvent> for Change {
    fn from(event: KvEvent) -> Self {
        Self {
            kind: event.kind,
            kv: event.kv,
            prev_kv: event.prev_kv,
        }
    }
}

impl From<WatchEnd> for Said {
    fn from(end: WatchEnd) -> Self {
        Self::End(match end {
            WatchEnd::Canceled => End::plain("canceled"),
            WatchEnd::Compacted {
                compact_revision, ..
            } => End {
                compact_revision: Some(Int(compact_revision)),
                ..End::plain("compacted")
            },
            WatchEnd::RevisionWentBack { .. } => End::plain("revision_went_back"),
            WatchEnd::PermissionDenied(_) => End::plain("permission_denied"),
            WatchEnd::Failed(error) => return Self::failed(&error),
            WatchEnd::Shutdown => End::plain("shutdown"),
            // A reason of a later core: its error says it.
            other => return Self::failed(&other.into()),
        })
    }
}

impl From<WatchBatch> for Said {
    fn from(batch: WatchBatch) -> Self {
        Self::events(batch.revision, batch.events)
    }
}

impl From<WatchEvent> for Said {
    fn from(event: WatchEvent) -> Self {
        match event {
            WatchEvent::Created { revision } => Self::Created {
                revision: Int(revision),
            },
            WatchEvent::Batch(batch) => batch.into(),
            WatchEvent::Progress { revision } => Self::Progress {
                revision: Int(revision),
            },
            WatchEvent::Resumed { from, endpoint } => Self::Resumed {
                from: Int(from),
                endpoint: endpoint.to_string(),
            },
            WatchEvent::End(end) => end.into(),
            other => Self::misuse(format!("no line for {other:?}")),
        }
    }
}

impl From<&LeaseKeepAliveResponse> for Said {
    fn from(renewal: &LeaseKeepAliveResponse) -> Self {
        Self::KeptAlive {
            id: None,
            ttl: Int(renewal.ttl),
        }
    }
}

impl From<&Error> for Failure {
    fn from(error: &Error) -> Self {
        let status = error.status();
        let known = status.and_then(etcd_core::Status::known);
        let kind = match error {
            // Not a call without credentials (`UserEmpty`): none were refused, and the same error
            // is the answer to an empty name given to `auth/user/add`.
            Error::Etcd { .. }
                if matches!(
                    known,
                    Some(Known::AuthFailed | Known::InvalidAuthToken | Known::AuthOldRevision)
                ) =>
            {
                "auth"
            }
            Error::Auth { .. } => "auth",
            Error::Etcd { .. } => "etcd",
            Error::Timeout { .. } => "timeout",
            Error::Unavailable { .. } | Error::Snapshot(_) => "unavailable",
            Error::Canceled { .. } => "canceled",
            Error::Limit { .. } => "limit",
            // Found before it was sent, both of them.
            Error::Misuse(_) | Error::Unsupported { .. } => "misuse",
            _ => "unknown to the shim",
        };
        Self {
            kind,
            code: status.map(|status| status.code.get()),
            message: status.map_or_else(|| error.to_string(), |status| status.message.clone()),
            name: known.map(Known::name),
            applied: match error.applied() {
                Applied::No => "no",
                Applied::Maybe => "maybe",
            },
        }
    }
}

impl From<&Error> for Said {
    fn from(error: &Error) -> Self {
        Self::Error(error.into())
    }
}

/// The counters of a client, in the form of their line.
#[must_use]
pub fn stats(stats: &Stats) -> Value {
    json!({
        "connections_opened": stats.connections_opened.to_string(),
        "connections_open": stats.connections_open.to_string(),
        "requests": stats.requests.to_string(),
        "retries": stats.retries.to_string(),
        "resumes": stats.resumes.to_string(),
        "bytes_in": stats.bytes_in.to_string(),
        "bytes_out": stats.bytes_out.to_string(),
        "events_dropped": stats.events_dropped.to_string(),
    })
}
