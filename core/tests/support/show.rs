//! Results and events as one line of text each.

use etcd_core::Applied;
use etcd_core::Error;
use etcd_core::EventKind;
use etcd_core::LeaseEvent;
use etcd_core::LeaseState;
use etcd_core::Response;
use etcd_core::Resynced;
use etcd_core::StreamEvent;
use etcd_core::WatchEvent;

pub fn result(result: &Result<Response, Error>) -> String {
    match result {
        Ok(Response::Range(range)) => {
            let keys: Vec<_> = range.kvs.iter().map(|kv| text(&kv.key)).collect();
            format!("Range {}", keys.join(" ")).trim_end().to_owned()
        }
        Ok(Response::LeaseKeepAlive(answer)) => {
            format!("LeaseKeepAlive {} for {} s", answer.id, answer.ttl)
        }
        Ok(response) => format!("{:?}", response.rpc()),
        Err(error) => {
            let kind = match error {
                Error::Etcd { .. } => "Etcd",
                Error::Auth { .. } => "Auth",
                Error::Timeout { .. } => "Timeout",
                Error::Unavailable { .. } => "Unavailable",
                Error::Canceled { .. } => "Canceled",
                Error::Limit { .. } => "Limit",
                Error::Unsupported { .. } => "Unsupported",
                Error::Misuse(_) => "Misuse",
                _ => "Unknown",
            };
            let applied = match error.applied() {
                Applied::No => "not applied",
                Applied::Maybe => "maybe applied",
            };
            format!("{kind}, {applied}: {error}")
        }
    }
}

pub fn watch(event: &WatchEvent) -> String {
    match event {
        WatchEvent::Created { revision } => format!("created at {revision}"),
        WatchEvent::Batch(batch) => {
            let events: Vec<_> = batch
                .events
                .iter()
                .map(|event| {
                    let same = event.kv.mod_revision == batch.revision;
                    assert!(same || batch.coalesced, "rule W-9");
                    let kind = match event.kind {
                        EventKind::Delete => "-",
                        _ => "+",
                    };
                    format!("{kind}{}", text(&event.kv.key))
                })
                .collect();
            let coalesced = if batch.coalesced { "coalesced " } else { "" };
            format!("{coalesced}{} {}", batch.revision, events.join(" "))
        }
        WatchEvent::Progress { revision } => format!("progress {revision}"),
        WatchEvent::Resumed { from, endpoint } => {
            format!("resumed from {from} at {}", endpoint.host())
        }
        WatchEvent::ResyncBegin {
            compact_revision,
            lost_from,
            lost_to,
        } => format!("lost {lost_from} to {lost_to}, compacted at {compact_revision}"),
        WatchEvent::Resynced(batch) => {
            let found = batch.found.iter().map(|found| match found {
                Resynced::Found(kv) => format!("{}@{}", text(&kv.key), kv.mod_revision),
                Resynced::Gone { key, mod_revision } => format!("-{}@{mod_revision}", text(key)),
                other => format!("{other:?}"),
            });
            let found: Vec<_> = found.collect();
            format!("found at {}: {}", batch.revision, found.join(" "))
        }
        WatchEvent::ResyncEnd { revision } => format!("all found at {revision}"),
        WatchEvent::Lagging { certified, server } => format!("lags at {certified} of {server}"),
        WatchEvent::NoLeader { endpoint } => format!("no leader at {}", endpoint.host()),
        WatchEvent::End(end) => format!("end: {end}"),
        other => format!("{other:?}"),
    }
}

pub fn stream(event: &StreamEvent) -> String {
    match event {
        StreamEvent::Chunk(chunk) => {
            let (len, rest) = (chunk.blob.len(), chunk.remaining_bytes);
            format!("{len} bytes, {rest} to come")
        }
        StreamEvent::Leader(leader) => {
            let kv = &leader.kv;
            let key = text(&kv.key);
            format!("leader {key}@{}/{}", kv.create_revision, kv.mod_revision)
        }
        StreamEvent::Resumed { endpoint } => format!("resumed at {}", endpoint.host()),
        StreamEvent::End(end) => format!("end: {end}"),
        other => format!("{other:?}"),
    }
}

pub fn lease(event: &LeaseEvent) -> String {
    match event {
        LeaseEvent::Active { ttl, valid_until } => {
            format!("active for {ttl} s, until {valid_until:?}")
        }
        LeaseEvent::AtRisk { valid_until } => format!("at risk, until {valid_until:?}"),
        LeaseEvent::Expired { valid_until } => format!("expired at {valid_until:?}"),
        LeaseEvent::End(end) => format!("end: {end}"),
        other => format!("{other:?}"),
    }
}

pub fn state(state: &LeaseState) -> String {
    let until = state.valid_until.map(|until| format!(", until {until:?}"));
    let until = until.unwrap_or_default();
    format!("{:?}, ttl {}{until}", state.phase, state.ttl)
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}
