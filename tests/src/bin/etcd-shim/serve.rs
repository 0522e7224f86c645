//! Lines in, lines out.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::io::{self, BufRead, Write};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use etcd_core::{
    Applied, Call, CallOptions, Endpoint, Error, Known, LeaseEnd, LeaseEvent, LeaseKeepAlive,
    LeaseKeepAliveResponse, Observe, Watch, WatchEvent,
};
use etcd_tests::shim::calls;
use etcd_tests::shim::lines::{self, Done, Said, line};
use etcd_tests::shim::streams;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value, json};
use smol::channel::{Receiver, Sender};

use crate::orders::{First, Order, Orders};
use crate::runtime::{Keeping, Runtime, Streaming, Watching};

/// Answers the lines of standard input until it ends, and then everything that is still open.
pub(crate) fn serve<R: Runtime>(runtime: &R) {
    let shim = Shim {
        runtime: runtime.clone(),
        open: Arc::default(),
        next: Arc::default(),
    };
    for text in io::stdin().lock().split(b'\n') {
        let Ok(text) = text else { break };
        if !text.trim_ascii().is_empty() {
            shim.handle_line(&text);
        }
    }
    shim.finish();
}

/// What there is to be done when a line in names another line's id.
struct Shim<R> {
    runtime: R,
    /// The lines that have not ended, by the id of the suite as JSON text. With the same id twice,
    /// the later line is meant.
    open: Arc<Mutex<BTreeMap<String, Vec<Open>>>>,
    next: Arc<AtomicU64>,
}

/// A line in that has not ended.
#[derive(Clone)]
struct Open {
    /// Which of those with this id.
    number: u64,
    what: What,
    orders: Orders,
    /// Closed when the last line about it is out.
    ended: Receiver<()>,
}

#[derive(Clone)]
enum What {
    Call,
    Watch,
    KeepAlive,
    /// A snapshot or an observation.
    Stream,
    /// The cancel of another line.
    Cancel,
}

/// The line's own end of [`Open`]; dropping it says that the line has ended.
struct Ticket {
    id: Value,
    number: u64,
    open: Arc<Mutex<BTreeMap<String, Vec<Open>>>>,
    orders: Orders,
    _ended: Sender<()>,
}

impl Drop for Ticket {
    /// Takes the line off those that have not ended.
    fn drop(&mut self) {
        let mut open = lock(&self.open);
        if let Entry::Occupied(mut lines) = open.entry(self.id.to_string()) {
            lines.get_mut().retain(|line| line.number != self.number);
            if lines.get().is_empty() {
                lines.remove();
            }
        }
    }
}

impl<R: Runtime> Shim<R> {
    fn handle_line(&self, text: &[u8]) {
        let mut fields = match serde_json::from_slice::<Map<String, Value>>(text) {
            Ok(fields) => fields,
            Err(error) => {
                return say(&Value::Null, &Said::misuse(format!("not a line: {error}")));
            }
        };
        let Some(id) = fields.remove("id") else {
            return say(&Value::Null, &Said::misuse("a line needs an id"));
        };
        if let Err(misuse) = self.start(&id, fields) {
            say(&id, &Said::misuse(misuse));
        }
    }

    /// Begins what a line asks for.
    ///
    /// # Errors
    ///
    /// What is wrong with the line.
    fn start(&self, id: &Value, mut fields: Map<String, Value>) -> Result<(), String> {
        const LATER: [&str; 7] = [
            "session", "lock", "try_lock", "unlock", "campaign", "mirror", "resign",
        ];
        const VERBS: [&str; 8] = [
            "call",
            "watch",
            "cancel",
            "request_progress",
            "keep_alive",
            "snapshot",
            "observe",
            "stats",
        ];
        if let Some(later) = LATER.iter().find(|verb| fields.contains_key(**verb)) {
            return Err(format!("{later} is not supported yet"));
        }
        let mut asked = VERBS.iter().filter(|verb| fields.contains_key(**verb));
        let (Some(verb), None) = (asked.next(), asked.next()) else {
            return Err(format!("a line needs exactly one of {}", VERBS.join(", ")));
        };
        let value = fields.remove(*verb).unwrap_or_default();
        match *verb {
            "call" => self.start_call(id, &value, fields),
            "watch" => {
                let watch = read::<Watch>("watch", value)?;
                let ticket = self.open(id, What::Watch);
                self.runtime
                    .spawn(run_watch(self.runtime.clone(), watch, ticket));
                Ok(())
            }
            "keep_alive" => {
                let lease = read::<LeaseKeepAlive>("keep_alive", value)?;
                let ticket = self.open(id, What::KeepAlive);
                self.runtime
                    .spawn(run_keep_alive(self.runtime.clone(), lease, ticket));
                Ok(())
            }
            "snapshot" => {
                let options = options(&mut fields)?;
                let ticket = self.open(id, What::Stream);
                let runtime = self.runtime.clone();
                self.runtime.spawn(async move {
                    let snapshot = runtime.snapshot(options).await;
                    run_stream(snapshot, ticket, streams::chunk).await;
                });
                Ok(())
            }
            "observe" => {
                let observe = read::<Observe>("observe", value)?;
                let ticket = self.open(id, What::Stream);
                let runtime = self.runtime.clone();
                self.runtime.spawn(async move {
                    let observer = runtime.observe(observe).await;
                    run_stream(observer, ticket, |leader| streams::leader(&leader)).await;
                });
                Ok(())
            }
            "request_progress" => {
                let target = self.find(&value)?;
                if !matches!(target.what, What::Watch) {
                    return Err(format!("{value} is not a watch"));
                }
                target.orders.give(Order::Progress);
                say(id, &Done { ok: json!({}) });
                Ok(())
            }
            "cancel" => {
                let target = self.find(&value)?;
                let ticket = self.open(id, What::Cancel);
                self.runtime.spawn(run_cancel(target, ticket));
                Ok(())
            }
            _ => {
                let ok = lines::stats(&self.runtime.stats());
                say(id, &Done { ok });
                Ok(())
            }
        }
    }

    fn start_call(
        &self,
        id: &Value,
        name: &Value,
        mut fields: Map<String, Value>,
    ) -> Result<(), String> {
        struct Start<'a, R> {
            shim: &'a Shim<R>,
            id: &'a Value,
            request: Value,
            options: CallOptions,
        }
        impl<R: Runtime> calls::Visitor for Start<'_, R> {
            type Output = Result<(), String>;

            fn visit<C>(self) -> Self::Output
            where
                C: Call + DeserializeOwned + Send + 'static,
                C::Response: Serialize + Send,
            {
                let call = read::<C>("request", self.request)?;
                let applied = match call.is_read() {
                    true => Applied::No,
                    false => Applied::Maybe,
                };
                let ticket = self.shim.open(self.id, What::Call);
                let runtime = self.shim.runtime.clone();
                let options = self.options;
                self.shim.runtime.spawn(async move {
                    match runtime.call(call, options, &ticket.orders).await {
                        First::Came(Ok(ok)) => say(&ticket.id, &Done { ok }),
                        First::Came(Err(error)) => say(&ticket.id, &Said::from(&error)),
                        // Its future was dropped, and how much was sent is not known here.
                        First::Order(_) => {
                            say(&ticket.id, &Said::from(&Error::Canceled { applied }));
                        }
                    }
                });
                Ok(())
            }
        }

        let name = name.as_str().ok_or("call needs the name of a call")?;
        let start = Start {
            shim: self,
            id,
            request: fields.remove("request").unwrap_or_else(|| json!({})),
            options: options(&mut fields)?,
        };
        match calls::visit(name, start) {
            Some(result) => result,
            None => Err(format!("no call is named {name:?}")),
        }
    }

    /// Makes a line known to those that come after it.
    fn open(&self, id: &Value, what: What) -> Ticket {
        let orders = Orders::new();
        let (at_end, ended) = smol::channel::bounded(1);
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        let line = Open {
            number,
            what,
            orders: orders.clone(),
            ended,
        };
        lock(&self.open)
            .entry(id.to_string())
            .or_default()
            .push(line);
        Ticket {
            id: id.clone(),
            number,
            open: Arc::clone(&self.open),
            orders,
            _ended: at_end,
        }
    }

    fn find(&self, id: &Value) -> Result<Open, String> {
        let open = lock(&self.open);
        let lines = open.get(&id.to_string());
        lines
            .and_then(|lines| lines.last())
            .cloned()
            .ok_or_else(|| format!("nothing with the id {id} is open"))
    }

    /// The input has ended: calls are answered, then everything else is ended.
    fn finish(&self) {
        let open = || {
            lock(&self.open)
                .values()
                .flatten()
                .cloned()
                .collect::<Vec<_>>()
        };
        let wait = |lines: Vec<Open>| {
            for line in lines {
                // Nothing is ever sent: an error is the end.
                let _ = line.ended.recv_blocking();
            }
        };
        let is_call = |line: &Open| matches!(line.what, What::Call | What::Cancel);
        wait(open().into_iter().filter(is_call).collect());
        self.runtime.shutdown();
        let streams = open()
            .into_iter()
            .filter(|line| matches!(line.what, What::Watch | What::KeepAlive | What::Stream))
            .collect::<Vec<_>>();
        for line in &streams {
            line.orders.give(Order::Shutdown);
        }
        wait(streams);
    }
}

async fn run_watch<R: Runtime>(runtime: R, watch: Watch, ticket: Ticket) {
    let mut watcher = loop {
        match runtime.watch(watch.clone(), &ticket.orders).await {
            First::Came(Ok(watcher)) => break watcher,
            First::Came(Err(error)) => return say(&ticket.id, &Said::not_watched(&error)),
            First::Order(Order::Cancel) => return say(&ticket.id, &Said::canceled()),
            First::Order(Order::Shutdown) => return say(&ticket.id, &Said::ended("shutdown")),
            // There is nothing to ask for yet.
            First::Order(Order::Progress) => {}
        }
    };
    let revision = watcher.created_revision();
    say(&ticket.id, &Said::from(WatchEvent::Created { revision }));
    loop {
        match watcher.next(&ticket.orders).await {
            First::Came(Some(event)) => say(&ticket.id, &Said::from(event)),
            First::Came(None) => return,
            First::Order(Order::Cancel) => watcher.cancel(),
            First::Order(Order::Progress) => watcher.request_progress(),
            // The end comes from the client, which is shut down.
            First::Order(Order::Shutdown) => {}
        }
    }
}

/// Says what a snapshot or an observation delivers, and how it ended.
async fn run_stream<S: Streaming>(mut stream: S, ticket: Ticket, said: impl Fn(S::Item) -> Said) {
    let end = loop {
        match stream.next(&ticket.orders).await {
            First::Came(Some(Ok(item))) => say(&ticket.id, &said(item)),
            First::Came(Some(Err(error))) => break Said::not_watched(&error),
            First::Came(None) => match stream.summary() {
                Some(summary) => {
                    say(&ticket.id, &streams::checksum(summary));
                    break Said::ended("done");
                }
                // An observation ends without an error only where the client was shut down.
                None => break Said::ended("shutdown"),
            },
            First::Order(order) => break ended_by(order),
        }
    };
    // Its connection is gone before its end is told.
    drop(stream);
    say(&ticket.id, &end);
}

/// Keeps a lease alive, and says each renewal that was confirmed.
async fn run_keep_alive<R: Runtime>(runtime: R, lease: LeaseKeepAlive, ticket: Ticket) {
    let mut kept = match runtime.keep_alive(lease.id, &ticket.orders).await {
        First::Came(Ok(kept)) => kept,
        First::Came(Err(error)) if error.known() == Some(Known::LeaseNotFound) => {
            return say(&ticket.id, &Said::ended("expired"));
        }
        First::Came(Err(error)) => return say(&ticket.id, &Said::not_watched(&error)),
        First::Order(order) => return say(&ticket.id, &ended_by(order)),
    };
    let end = loop {
        match kept.next(&ticket.orders).await {
            First::Came(Some(LeaseEvent::Active { ttl, .. })) => {
                let mut renewal = LeaseKeepAliveResponse::default();
                renewal.ttl = ttl;
                say(&ticket.id, &Said::from(&renewal));
            }
            First::Came(Some(LeaseEvent::Expired { .. })) => break Said::ended("expired"),
            First::Came(Some(LeaseEvent::End(end))) => {
                break match end {
                    LeaseEnd::Released => Said::canceled(),
                    LeaseEnd::Shutdown => Said::ended("shutdown"),
                    LeaseEnd::Failed(error) => Said::not_watched(&error),
                    _ => Said::ended("expired"),
                };
            }
            First::Came(Some(_)) => {}
            First::Came(None) => break Said::ended("expired"),
            First::Order(Order::Cancel) => kept.release(),
            // The end comes from the client, which is shut down; there is no progress to ask for.
            First::Order(Order::Shutdown | Order::Progress) => {}
        }
    };
    drop(kept);
    say(&ticket.id, &end);
}

const fn ended_by(order: Order) -> Said {
    match order {
        Order::Shutdown => Said::ended("shutdown"),
        Order::Cancel | Order::Progress => Said::canceled(),
    }
}

/// Ends another line, and says so when its last line is out.
async fn run_cancel(target: Open, ticket: Ticket) {
    target.orders.give(Order::Cancel);
    // Nothing is ever sent: an error is the end.
    let _ = target.ended.recv().await;
    say(&ticket.id, &Done { ok: json!({}) });
}

/// Options of one call, from the fields beside it.
fn options(fields: &mut Map<String, Value>) -> Result<CallOptions, String> {
    let mut options = CallOptions::default();
    if let Some(timeout) = fields.remove("timeout_ms") {
        let number = match &timeout {
            Value::String(text) => text.parse().ok(),
            other => other.as_u64(),
        };
        let millis = number.ok_or_else(|| format!("timeout_ms is not a number: {timeout}"))?;
        options = options.with_timeout(Duration::from_millis(millis));
    }
    if let Some(endpoint) = fields.remove("endpoint") {
        let text = endpoint.as_str().ok_or("endpoint is not a text")?;
        let endpoint = text.parse::<Endpoint>();
        options = options.with_endpoint(endpoint.map_err(|error| error.to_string())?);
    }
    Ok(options)
}

fn read<T: DeserializeOwned>(field: &str, value: Value) -> Result<T, String> {
    serde_json::from_value(value).map_err(|error| format!("{field}: {error}"))
}

/// Prints one line, whole and at once.
fn say(id: &Value, body: &impl Serialize) {
    let mut text = line(id, body);
    text.push('\n');
    let mut out = io::stdout().lock();
    if out
        .write_all(text.as_bytes())
        .and_then(|()| out.flush())
        .is_err()
    {
        // Nobody listens any more.
        std::process::exit(1);
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
