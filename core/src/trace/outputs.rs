//! How inputs and outputs look in a recording, one line each.

use core::fmt::Write as _;

use base64_simd::STANDARD;
use serde::Serialize;
use serde_json::Value;

use super::calls;
use super::calls::Manner;
use super::recorder::Recorder;
use crate::api::EventKind;
use crate::api::KvEvent;
use crate::api::WatchResponse;
use crate::client::CallOptions;
use crate::client::Compaction;
use crate::client::Endpoint;
use crate::client::Event;
use crate::client::KeepAlive;
use crate::client::KnownKeys;
use crate::client::Lag;
use crate::client::LeaseEvent;
use crate::client::NoLeader;
use crate::client::Output;
use crate::client::Overflow;
use crate::client::Resynced;
use crate::client::StreamEnd;
use crate::client::StreamEvent;
use crate::client::WatchEvent;
use crate::client::WatchOptions;
use crate::error::Error;
use crate::error::NetError;
use crate::error::NetErrorKind;
use crate::error::SnapshotFault;
use crate::id::ConnId;
use crate::id::KeepAliveId;
use crate::id::StreamId;
use crate::id::WatchId;
use crate::time::Instant;

pub(super) fn json(value: &impl Serialize) -> Vec<u8> {
    serde_json::to_vec(value).unwrap_or_default()
}

/// What a call wants besides its request, as a JSON object without spaces.
pub(super) fn manner(manner: Option<Manner>, options: &CallOptions) -> String {
    let mut members = Vec::new();
    if let Some(timeout) = options.timeout {
        let nanos = u64::try_from(timeout.as_nanos()).unwrap_or(u64::MAX);
        members.push(format!("\"timeout\":{nanos}"));
    }
    if let Some(endpoint) = &options.endpoint {
        members.push(format!("\"endpoint\":\"{endpoint}\""));
    }
    let manner = manner.unwrap_or_default();
    for (is, name) in [
        (manner.is_read, "read"),
        (manner.is_repeatable, "repeatable"),
        (manner.waits, "waits"),
        (manner.wants_id, "wants_id"),
    ] {
        if is {
            members.push(format!("\"{name}\":true"));
        }
    }
    format!("{{{}}}", members.join(","))
}

/// The options of a watch as JSON; those that are as by default are not named.
pub(super) fn watch_options(options: &WatchOptions) -> String {
    let mut members = Vec::new();
    match options.overflow {
        Overflow::Pause => {}
        Overflow::Cancel => members.push("\"overflow\":\"cancel\"".to_owned()),
        Overflow::CoalesceByKey => members.push("\"overflow\":\"coalesce\"".to_owned()),
    }
    if options.no_leader == NoLeader::Fail {
        members.push("\"no_leader\":\"fail\"".to_owned());
    }
    match &options.compaction {
        Compaction::Fail => {}
        Compaction::Snapshot => members.push("\"compaction\":\"snapshot\"".to_owned()),
        Compaction::Difference(known) => {
            let known = known.iter().map(|(key, revision)| {
                format!("[\"{}\",{revision}]", STANDARD.encode_to_string(key))
            });
            let known = known.collect::<Vec<_>>().join(",");
            members.push(format!("\"compaction\":[{known}]"));
        }
    }
    if let Some(lag) = options.lag {
        let nanos = u64::try_from(lag.time.as_nanos()).unwrap_or(u64::MAX);
        members.push(format!("\"lag\":[{},{nanos}]", lag.revisions));
    }
    if let Some(within) = options.resume_within {
        let nanos = u64::try_from(within.as_nanos()).unwrap_or(u64::MAX);
        members.push(format!("\"resume_within\":{nanos}"));
    }
    if let Some(losses) = options.max_losses {
        members.push(format!("\"max_losses\":{losses}"));
    }
    format!("{{{}}}", members.join(","))
}

/// Reads what `watch_options` wrote.
pub(super) fn read_watch_options(text: &str) -> Option<WatchOptions> {
    let Ok(Value::Object(members)) = serde_json::from_str(text) else {
        return None;
    };
    let mut options = WatchOptions::default();
    for (name, value) in &members {
        match (name.as_str(), value) {
            ("overflow", Value::String(text)) if text == "cancel" => {
                options.overflow = Overflow::Cancel;
            }
            ("overflow", Value::String(text)) if text == "coalesce" => {
                options.overflow = Overflow::CoalesceByKey;
            }
            ("no_leader", Value::String(text)) if text == "fail" => {
                options.no_leader = NoLeader::Fail;
            }
            ("compaction", Value::String(text)) if text == "snapshot" => {
                options.compaction = Compaction::Snapshot;
            }
            ("compaction", Value::Array(known)) => {
                let known: Option<KnownKeys> = known.iter().map(read_known).collect();
                options.compaction = Compaction::Difference(known?);
            }
            ("lag", value) => {
                let [revisions, nanos] = value.as_array()?.as_slice() else {
                    return None;
                };
                let time = core::time::Duration::from_nanos(nanos.as_u64()?);
                options.lag = Some(Lag::new(revisions.as_i64()?, time));
            }
            ("resume_within", value) => {
                let nanos = value.as_u64()?;
                options.resume_within = Some(core::time::Duration::from_nanos(nanos));
            }
            ("max_losses", value) => options.max_losses = Some(value.as_u64()?.try_into().ok()?),
            _ => return None,
        }
    }
    Some(options)
}

/// A key and its revision.
fn read_known(pair: &Value) -> Option<(Vec<u8>, i64)> {
    let [key, revision] = pair.as_array()?.as_slice() else {
        return None;
    };
    let key = STANDARD.decode_to_vec(key.as_str()?).ok()?;
    Some((key, revision.as_i64()?))
}

/// Reads what `manner` wrote; it is compared with what is written again later.
pub(super) fn read_manner(text: &str) -> Option<(Manner, CallOptions)> {
    let Ok(Value::Object(members)) = serde_json::from_str(text) else {
        return None;
    };
    let (mut manner, mut options) = (Manner::default(), CallOptions::default());
    for (name, value) in &members {
        match (name.as_str(), value) {
            ("timeout", value) => {
                options.timeout = Some(core::time::Duration::from_nanos(value.as_u64()?));
            }
            ("endpoint", value) => {
                options.endpoint = Some(value.as_str()?.parse::<Endpoint>().ok()?);
            }
            ("read", Value::Bool(true)) => manner.is_read = true,
            ("repeatable", Value::Bool(true)) => manner.is_repeatable = true,
            ("waits", Value::Bool(true)) => manner.waits = true,
            ("wants_id", Value::Bool(true)) => manner.wants_id = true,
            _ => return None,
        }
    }
    Some((manner, options))
}

/// The kinds of network errors by their names.
const KINDS: [(NetErrorKind, &str); 11] = [
    (NetErrorKind::Refused, "refused"),
    (NetErrorKind::Reset, "reset"),
    (NetErrorKind::TimedOut, "timed-out"),
    (NetErrorKind::Unreachable, "unreachable"),
    (NetErrorKind::NameNotFound, "name-not-found"),
    (NetErrorKind::Certificate, "certificate"),
    (NetErrorKind::CertificateRefused, "certificate-refused"),
    (NetErrorKind::Tls, "tls"),
    (NetErrorKind::TlsBroken, "tls-broken"),
    (NetErrorKind::Proxy, "proxy"),
    (NetErrorKind::Other, "other"),
];

pub(super) fn net_error(
    log: &mut Recorder,
    now: Instant,
    what: &str,
    conn: ConnId,
    error: &NetError,
) {
    let kind = KINDS.iter().find(|(kind, _)| *kind == error.kind);
    let kind = kind.map_or("other", |(_, name)| name);
    let mut text = Vec::new();
    super::text::escape(error.message.as_bytes(), &mut text);
    let text = String::from_utf8_lossy(&text);
    log.input(now, format_args!("{what} {} {kind} {text}", conn.get()));
    if what == "closed" {
        log.close(conn);
    }
}

/// Reads the kind and message of a network error.
pub(super) fn read_net_error(text: &str) -> Option<NetError> {
    let (kind, message) = text.split_once(' ')?;
    let (kind, _) = KINDS.iter().find(|(_, name)| *name == kind)?;
    let message = super::text::unescape(message.as_bytes())?;
    Some(NetError::new(*kind, String::from_utf8(message).ok()?))
}

/// The next order, or that there is none until `due`.
pub(super) fn output(log: &mut Recorder, output: Option<&Output>, due: Option<Instant>) {
    match output {
        None => match due {
            None => log.nothing(format_args!("none")),
            Some(due) => log.nothing(format_args!("none until {}", due.as_nanos())),
        },
        Some(Output::Connect { conn, endpoint }) => {
            log.order(*conn);
            log.output(format_args!("connect {} {endpoint}", conn.get()));
        }
        Some(Output::Transmit(conn)) => log.output(format_args!("transmit {}", conn.get())),
        Some(Output::Close(conn)) => {
            log.close(*conn);
            log.output(format_args!("close {}", conn.get()));
        }
        Some(Output::Pause(conn)) => log.output(format_args!("pause {}", conn.get())),
        Some(Output::Resume(conn)) => log.output(format_args!("resume {}", conn.get())),
        Some(Output::Event(Event::Answered { call, result })) => {
            let call = call.get();
            match &**result {
                Ok(response) => {
                    let rpc = response.rpc();
                    let what = format_args!("answered {call} {rpc:?}");
                    log.output_json(what, &calls::answer(response));
                }
                Err(error) => {
                    let text = format!("{error:?}");
                    log.output_text(format_args!("answered {call} error"), &text);
                }
            }
        }
        Some(Output::Event(Event::Watch(watch))) => {
            log.output(format_args!("news of watch {}", watch.get()));
        }
        Some(Output::Event(Event::Stream(stream))) => {
            log.output(format_args!("news of stream {}", stream.get()));
        }
        Some(Output::Event(Event::Lease(lease))) => {
            log.output(format_args!("news of lease {}", lease.get()));
        }
    }
}

pub(super) fn watch(log: &mut Recorder, id: WatchId, event: Option<&WatchEvent>) {
    let id = id.get();
    match event {
        None => log.nothing(format_args!("watch {id} nothing")),
        Some(WatchEvent::Created { revision }) => {
            log.output(format_args!("watch {id} created {revision}"));
        }
        Some(WatchEvent::Batch(batch)) => {
            let frame = WatchResponse {
                header: batch.header,
                events: batch.events.clone(),
                ..WatchResponse::default()
            };
            let kind = if batch.coalesced {
                "coalesced"
            } else {
                "events"
            };
            let what = format_args!("watch {id} {kind} {}", batch.revision);
            log.output_json(what, &json(&frame));
        }
        Some(WatchEvent::Progress { revision }) => {
            log.output(format_args!("watch {id} progress {revision}"));
        }
        Some(WatchEvent::Resumed { from, endpoint }) => {
            log.output(format_args!("watch {id} resumed {from} {endpoint}"));
        }
        Some(WatchEvent::ResyncBegin {
            compact_revision,
            lost_from,
            lost_to,
        }) => {
            let lost = format_args!("{lost_from} {lost_to} compacted {compact_revision}");
            log.output(format_args!("watch {id} resync {lost}"));
        }
        Some(WatchEvent::Resynced(batch)) => {
            let frame = WatchResponse {
                events: batch.found.iter().map(as_event).collect(),
                ..WatchResponse::default()
            };
            let what = format_args!("watch {id} resynced {}", batch.revision);
            log.output_json(what, &json(&frame));
        }
        Some(WatchEvent::ResyncEnd { revision }) => {
            log.output(format_args!("watch {id} resync-end {revision}"));
        }
        Some(WatchEvent::Lagging { certified, server }) => {
            log.output(format_args!("watch {id} lagging {certified} of {server}"));
        }
        Some(WatchEvent::NoLeader { endpoint }) => {
            log.output(format_args!("watch {id} no-leader {endpoint}"));
        }
        Some(WatchEvent::End(end)) => {
            log.output_text(format_args!("watch {id} end"), &format!("{end:?}"));
        }
    }
}

/// What was found in the JSON of a change.
fn as_event(found: &Resynced) -> KvEvent {
    let mut event = KvEvent::default();
    match found {
        Resynced::Found(kv) => event.kv = kv.clone(),
        Resynced::Gone { key, mod_revision } => {
            event.kind = EventKind::Delete;
            event.kv.key = key.clone();
            event.kv.mod_revision = *mod_revision;
        }
    }
    event
}

pub(super) fn lease(log: &mut Recorder, id: KeepAliveId, event: Option<&LeaseEvent>) {
    let id = id.get();
    match event {
        None => log.nothing(format_args!("lease {id} nothing")),
        Some(LeaseEvent::Active { ttl, valid_until }) => {
            let until = valid_until.as_nanos();
            log.output(format_args!("lease {id} active {ttl} until {until}"));
        }
        Some(LeaseEvent::AtRisk { valid_until }) => {
            let until = valid_until.as_nanos();
            log.output(format_args!("lease {id} at-risk until {until}"));
        }
        Some(LeaseEvent::Expired { valid_until }) => {
            let until = valid_until.as_nanos();
            log.output(format_args!("lease {id} expired at {until}"));
        }
        Some(LeaseEvent::End(end)) => {
            log.output_text(format_args!("lease {id} end"), &format!("{end:?}"));
        }
    }
}

/// A lease that is kept alive and what is known of it, as it is recorded.
pub(super) fn keep_alive(lease: &KeepAlive) -> String {
    match lease.granted {
        None => lease.lease.to_string(),
        Some((ttl, sent_at)) => format!("{} {ttl} {}", lease.lease, sent_at.as_nanos()),
    }
}

/// Reads what `keep_alive` wrote.
pub(super) fn read_keep_alive(text: &str) -> Option<KeepAlive> {
    let mut words = text.split(' ');
    let lease = KeepAlive::new(words.next()?.parse().ok()?);
    let lease = match words.next() {
        None => lease,
        Some(ttl) => {
            let sent_at = Instant::from_nanos(words.next()?.parse().ok()?);
            lease.with_ttl(ttl.parse().ok()?, sent_at)
        }
    };
    words.next().is_none().then_some(lease)
}

pub(super) fn stream(log: &mut Recorder, id: StreamId, event: Option<&StreamEvent>) {
    let id = id.get();
    match event {
        None => log.nothing(format_args!("stream {id} nothing")),
        Some(StreamEvent::Chunk(chunk)) => {
            let (len, rest) = (chunk.blob.len(), chunk.remaining_bytes);
            log.output(format_args!("stream {id} chunk of {len}, {rest} to come"));
        }
        Some(StreamEvent::Leader(leader)) => {
            log.output_json(format_args!("stream {id} leader"), &json(leader));
        }
        Some(StreamEvent::Resumed { endpoint }) => {
            log.output(format_args!("stream {id} resumed {endpoint}"));
        }
        // Zeros stand for what was read, and they have another checksum than the one that was sent.
        Some(StreamEvent::End(StreamEnd::Done(summary))) => whole(log, id, summary.bytes),
        Some(StreamEvent::End(StreamEnd::Failed(Error::Snapshot(SnapshotFault::Checksum {
            bytes,
            ..
        })))) => whole(log, id, *bytes),
        Some(StreamEvent::End(end)) => {
            log.output_text(format_args!("stream {id} end"), &format!("{end:?}"));
        }
    }
}

fn whole(log: &mut Recorder, stream: u64, bytes: u64) {
    let mut text = String::new();
    let _ = write!(
        text,
        "stream {stream} end after {bytes} bytes, checksum not recorded"
    );
    log.output(format_args!("{text}"));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options_of_a_watch_come_back() {
        let options = WatchOptions::default()
            .with_overflow(Overflow::CoalesceByKey)
            .with_no_leader(NoLeader::Fail)
            .with_resume_within(core::time::Duration::from_nanos(7))
            .with_lag(Lag::new(5, core::time::Duration::from_nanos(6)))
            .with_max_losses(3);
        for compaction in [
            Compaction::Fail,
            Compaction::Snapshot,
            Compaction::Difference(KnownKeys::new()),
            Compaction::Difference(KnownKeys::from_iter([("a", 7), ("b ", 8)])),
        ] {
            let options = options.clone().with_compaction(compaction);
            let text = watch_options(&options);
            assert!(!text.contains(' '), "{text}");
            assert_eq!(read_watch_options(&text), Some(options));
        }
        assert_eq!(read_watch_options("{}"), Some(WatchOptions::default()));
        for wrong in [
            "[]",
            "{\"overflow\":\"drop\"}",
            "{\"max_losses\":-1}",
            "{\"lag\":[5]}",
            "{\"compaction\":\"jump\"}",
            "{\"compaction\":[[\"?\",7]]}",
            "{\"compaction\":[[\"YQ==\"]]}",
        ] {
            assert_eq!(read_watch_options(wrong), None, "{wrong}");
        }
    }
}
