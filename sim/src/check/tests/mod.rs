//! Histories made by hand: good ones, and for each rule one that breaks it.

mod calls;
mod kept;
mod leases;
mod locks;
mod logins;
mod reads;
mod registers;
mod resyncs;
mod streams;
mod watches;

use core::time::Duration;
use std::collections::BTreeMap;

use bytes::Bytes;
use etcd_core::{
    Applied, Error, EventKind, Instant, KeyValue, KvEvent, Response, ResponseHeader, Watch,
    WatchBatch, WatchEvent, WatchOptions,
};

use super::{Asked, Change, Changed, Evidence, History, Violation, What, check};
use crate::etcd::{AskId, Request};

/// Writes a history, a millisecond for each thing that happens.
#[derive(Default)]
struct Script {
    history: History,
    now: Instant,
    revision: i64,
    next_ask: u64,
    next_call: u64,
    keys: BTreeMap<Bytes, KeyValue>,
}

/// A key gets a value, or is deleted.
type Write<'a> = (&'a str, Option<&'a str>);

impl Script {
    fn new() -> Self {
        Self {
            revision: 1,
            ..Self::default()
        }
    }

    fn check(&self) -> Result<Evidence, Violation> {
        check(&self.history)
    }

    #[track_caller]
    fn is_fine(&self) -> Evidence {
        self.check()
            .unwrap_or_else(|violation| panic!("{violation}"))
    }

    #[track_caller]
    fn breaks(&self, rule: &str) {
        match self.check() {
            Ok(_) => panic!("{rule} is broken, and it was not seen"),
            Err(violation) => assert_eq!(violation.rule, rule, "{violation}"),
        }
    }

    fn add(&mut self, what: What) {
        self.now = self.now + Duration::from_millis(1);
        self.history.add(self.now, 0, what);
    }

    fn header(&self) -> ResponseHeader {
        let mut header = ResponseHeader::default();
        header.revision = self.revision;
        header
    }

    fn change(&mut self, ask: Option<&Asked>, what: Changed) {
        self.now = self.now + Duration::from_millis(1);
        let ask = ask.map(|asked| {
            self.next_ask += 1;
            let id = AskId(self.next_ask);
            if let Asked::Call(request) = asked {
                self.history.truth.asks.insert(id, request.clone());
            }
            id
        });
        let (at, revision) = (self.now, self.revision);
        self.history.truth.changes.push(Change {
            at,
            revision,
            ask,
            what,
        });
    }

    /// What the cluster did to its keys, all at once; gives the events.
    fn write(&mut self, ask: Option<&Asked>, writes: &[Write<'_>]) -> Vec<KvEvent> {
        self.revision += 1;
        let mut events = Vec::new();
        for (key, value) in writes {
            let key = Bytes::copy_from_slice(key.as_bytes());
            let mut event = KvEvent::default();
            event.kv.key = key.clone();
            event.kv.mod_revision = self.revision;
            event.prev_kv = self.keys.remove(&key);
            match value {
                None => event.kind = EventKind::Delete,
                Some(value) => {
                    let before = event.prev_kv.as_ref();
                    event.kv.create_revision =
                        before.map_or(self.revision, |kv| kv.create_revision);
                    event.kv.version = before.map_or(0, |kv| kv.version) + 1;
                    event.kv.value = Bytes::copy_from_slice(value.as_bytes());
                    self.keys.insert(key, event.kv.clone());
                }
            }
            events.push(event);
        }
        self.change(ask, Changed::Kv(events.clone()));
        events
    }

    /// The cluster did this by itself.
    fn put(&mut self, key: &str, value: &str) -> Vec<KvEvent> {
        self.write(None, &[(key, Some(value))])
    }

    fn delete(&mut self, key: &str) -> Vec<KvEvent> {
        self.write(None, &[(key, None)])
    }

    fn start(&mut self, asked: &Asked) -> u64 {
        self.next_call += 1;
        let call = self.next_call;
        self.add(What::CallStarted {
            call,
            asked: asked.clone(),
            deadline: Some(self.now + Duration::from_secs(1)),
        });
        call
    }

    fn end(&mut self, call: u64, result: Result<Response, Error>) {
        let result = Box::new(result);
        self.add(What::CallEnded { call, result });
    }

    fn in_doubt(&mut self, call: u64) {
        self.end(call, Err(cut(Applied::Maybe)));
    }

    fn watch(&mut self, request: Watch) {
        self.watch_with(request, WatchOptions::default());
    }

    fn watch_with(&mut self, request: Watch, options: WatchOptions) {
        self.add(What::WatchOpened {
            watch: 1,
            request,
            options,
        });
    }

    fn told(&mut self, event: WatchEvent) {
        self.add(What::WatchTold { watch: 1, event });
    }

    fn created(&mut self) {
        let revision = self.revision;
        self.told(WatchEvent::Created { revision });
    }

    fn batch(&mut self, events: &[KvEvent]) {
        let mut batch = WatchBatch::default();
        batch.header = self.header();
        batch.revision = events[0].kv.mod_revision;
        batch.events = events.to_vec();
        for event in &mut batch.events {
            event.prev_kv = None;
        }
        self.told(WatchEvent::Batch(batch));
    }
}

/// The connection was lost while the answer was awaited.
fn cut(applied: Applied) -> Error {
    let cause = etcd_core::Cause::ConnectionLost(etcd_core::CloseReason::PeerClosed);
    Error::Unavailable { cause, applied }
}

fn asked(request: impl Into<Request>) -> Asked {
    Asked::Call(request.into())
}

#[test]
fn a_log_that_makes_no_sense_is_refused() {
    let mut script = Script::new();
    script.put("a", "1");
    script.delete("a");
    script.is_fine();
    script.history.truth.changes.swap(0, 1);
    script.breaks("truth");
}

#[test]
fn a_key_that_changes_twice_at_once_is_refused() {
    let mut script = Script::new();
    script.write(None, &[("a", Some("1")), ("a", Some("2"))]);
    script.breaks("truth");
}
