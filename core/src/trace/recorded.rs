//! A client that keeps a log of what it was told and what it said. The log itself is in `log`.

mod log;

pub use log::{LogStats, TooLate};

use crate::api::Call;
use crate::api::LeaseGrant;
use crate::api::Observe;
use crate::api::Watch;
use crate::client::CallOptions;
use crate::client::Client;
use crate::client::Credentials;
use crate::client::Endpoint;
use crate::client::KeepAlive;
use crate::client::LeaseEvent;
use crate::client::LeaseState;
use crate::client::Output;
use crate::client::Stats;
use crate::client::StreamEvent;
use crate::client::WatchEvent;
use crate::client::WatchOptions;
use crate::client::notice::Notice;
use crate::error::ConfigError;
use crate::error::NetError;
use crate::id::CallId;
use crate::id::ConnId;
use crate::id::KeepAliveId;
use crate::id::StreamId;
use crate::id::WatchId;
use crate::time::Instant;

use super::calls;
use super::calls::Manner;
use super::outputs;
use super::recorder::Recorder;
use super::settings::write_credentials;
use super::settings::write_endpoints;

/// A [`Client`] that can be recorded: the same commands, inputs and outputs, in the place of the
/// client in a driver.
///
/// Until [`record`](Self::record) it only hands on, at the price of one look at a flag. From then on
/// each input and output is a line of a log, to be taken with [`take_log`](Self::take_log) and
/// written wherever the driver likes; [`Replayer`](super::Replayer) reads it. An input is in the log
/// before the client is told of it.
///
/// ```
/// use etcd_core::trace::{self, Recorded, Recording};
/// use etcd_core::{Config, Instant, Output, Put};
///
/// let config = Config::new(["http://127.0.0.1:2379"])?;
/// let mut client = Recorded::new(config, 7, Instant::ZERO);
/// client.record(Recording::new())?;
/// client.call(Instant::ZERO, Put::new("k", "v"));
/// assert!(matches!(client.poll_output(), Some(Output::Connect { .. })));
/// client.finish_log();
///
/// let log = client.take_log();
/// assert!(log.ends_with(b"> 0 call Put {} {\"key\":\"aw==\",\"value\":\"dg==\"}\n\
///     < call 1\n< connect 1 http://127.0.0.1:2379\nend 1 2\n"));
/// assert!(trace::replay(&log).is_ok());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct Recorded {
    client: Client,
    seed: u64,
    started: Instant,
    /// Something was said that the configuration of the client does not tell.
    is_used: bool,
    log: Option<Box<Recorder>>,
}

/// Commands.
impl Recorded {
    /// As [`Client::call`].
    ///
    /// ```
    /// # use etcd_core::trace::Recorded;
    /// # use etcd_core::{Config, Instant, Put};
    /// # let mut client = Recorded::new(Config::new(["127.0.0.1:2379"])?, 1, Instant::ZERO);
    /// assert_eq!(client.call(Instant::ZERO, Put::new("k", "v")).get(), 1);
    /// # Ok::<(), etcd_core::ConfigError>(())
    /// ```
    pub fn call<C: Call>(&mut self, now: Instant, call: C) -> CallId {
        self.call_with(now, call, CallOptions::default())
    }

    /// As [`Client::call_with`].
    ///
    /// ```
    /// # use etcd_core::trace::Recorded;
    /// # use etcd_core::{CallOptions, Config, Instant, Put};
    /// # let mut client = Recorded::new(Config::new(["127.0.0.1:2379"])?, 1, Instant::ZERO);
    /// let options = CallOptions::default();
    /// assert_eq!(client.call_with(Instant::ZERO, Put::new("k", "v"), options).get(), 1);
    /// # Ok::<(), etcd_core::ConfigError>(())
    /// ```
    pub fn call_with<C: Call>(&mut self, now: Instant, call: C, options: CallOptions) -> CallId {
        if self.log.is_none() {
            return self.client.call_with(now, call, options);
        }
        self.record_call(now, &call, &options);
        let id = self.client.call_with(now, call, options);
        self.tell(|log| log.output(format_args!("call {}", id.get())));
        id
    }

    #[cold]
    fn record_call<C: Call>(&mut self, now: Instant, call: &C, options: &CallOptions) {
        let manner = outputs::manner(Some(Manner::of(call)), options);
        let name = calls::name::<C>();
        let json = call.to_json();
        self.tell(|log| log.input_json(now, format_args!("call {name} {manner}"), &json));
    }

    /// As [`Client::cancel_call`].
    ///
    /// ```
    /// # use etcd_core::trace::Recorded;
    /// # use etcd_core::{Config, Instant, Put};
    /// # let mut client = Recorded::new(Config::new(["127.0.0.1:2379"])?, 1, Instant::ZERO);
    /// let call = client.call(Instant::ZERO, Put::new("k", "v"));
    /// client.cancel_call(Instant::ZERO, call);
    /// # Ok::<(), etcd_core::ConfigError>(())
    /// ```
    pub fn cancel_call(&mut self, now: Instant, call: CallId) {
        self.tell(|log| log.input(now, format_args!("cancel call {}", call.get())));
        self.client.cancel_call(now, call);
    }

    /// As [`Client::watch`].
    ///
    /// ```
    /// # use etcd_core::trace::Recorded;
    /// # use etcd_core::{Config, Instant};
    /// # let mut client = Recorded::new(Config::new(["127.0.0.1:2379"])?, 1, Instant::ZERO);
    /// assert_eq!(client.watch(Instant::ZERO, "k").get(), 1);
    /// # Ok::<(), etcd_core::ConfigError>(())
    /// ```
    pub fn watch(&mut self, now: Instant, watch: impl Into<Watch>) -> WatchId {
        self.watch_with(now, watch, WatchOptions::default())
    }

    /// As [`Client::watch_with`].
    ///
    /// ```
    /// # use etcd_core::trace::Recorded;
    /// # use etcd_core::{Config, Instant, WatchOptions};
    /// # let mut client = Recorded::new(Config::new(["127.0.0.1:2379"])?, 1, Instant::ZERO);
    /// let watch = client.watch_with(Instant::ZERO, "k", WatchOptions::default());
    /// assert_eq!(watch.get(), 1);
    /// # Ok::<(), etcd_core::ConfigError>(())
    /// ```
    pub fn watch_with(
        &mut self,
        now: Instant,
        watch: impl Into<Watch>,
        options: WatchOptions,
    ) -> WatchId {
        let watch = watch.into();
        self.tell(|log| {
            let json = outputs::json(&watch);
            match options == WatchOptions::default() {
                true => log.input_json(now, format_args!("watch"), &json),
                false => {
                    let options = outputs::watch_options(&options);
                    log.input_json(now, format_args!("watch-with {options}"), &json);
                }
            }
        });
        let id = self.client.watch_with(now, watch, options);
        self.tell(|log| log.output(format_args!("watch {}", id.get())));
        id
    }

    /// As [`Client::cancel_watch`].
    ///
    /// ```
    /// # use etcd_core::trace::Recorded;
    /// # use etcd_core::{Config, Instant};
    /// # let mut client = Recorded::new(Config::new(["127.0.0.1:2379"])?, 1, Instant::ZERO);
    /// let watch = client.watch(Instant::ZERO, "k");
    /// client.cancel_watch(Instant::ZERO, watch);
    /// # Ok::<(), etcd_core::ConfigError>(())
    /// ```
    pub fn cancel_watch(&mut self, now: Instant, watch: WatchId) {
        self.tell(|log| log.input(now, format_args!("cancel watch {}", watch.get())));
        self.client.cancel_watch(now, watch);
    }

    /// As [`Client::request_progress`].
    ///
    /// ```
    /// # use etcd_core::trace::Recorded;
    /// # use etcd_core::{Config, Instant};
    /// # let mut client = Recorded::new(Config::new(["127.0.0.1:2379"])?, 1, Instant::ZERO);
    /// let watch = client.watch(Instant::ZERO, "k");
    /// client.request_progress(Instant::ZERO, watch);
    /// # Ok::<(), etcd_core::ConfigError>(())
    /// ```
    pub fn request_progress(&mut self, now: Instant, watch: WatchId) {
        self.tell(|log| log.input(now, format_args!("progress {}", watch.get())));
        self.client.request_progress(now, watch);
    }

    /// As [`Client::snapshot`].
    ///
    /// ```
    /// # use etcd_core::trace::Recorded;
    /// # use etcd_core::{CallOptions, Config, Instant};
    /// # let mut client = Recorded::new(Config::new(["127.0.0.1:2379"])?, 1, Instant::ZERO);
    /// assert_eq!(client.snapshot(Instant::ZERO, CallOptions::default()).get(), 1);
    /// # Ok::<(), etcd_core::ConfigError>(())
    /// ```
    pub fn snapshot(&mut self, now: Instant, options: CallOptions) -> StreamId {
        self.tell(|log| {
            let manner = outputs::manner(None, &options);
            log.input(now, format_args!("snapshot {manner}"));
        });
        let id = self.client.snapshot(now, options);
        self.tell(|log| log.output(format_args!("stream {}", id.get())));
        id
    }

    /// As [`Client::observe`].
    ///
    /// ```
    /// # use etcd_core::trace::Recorded;
    /// # use etcd_core::{Config, Instant, Observe};
    /// # let mut client = Recorded::new(Config::new(["127.0.0.1:2379"])?, 1, Instant::ZERO);
    /// assert_eq!(client.observe(Instant::ZERO, Observe::new("e")).get(), 1);
    /// # Ok::<(), etcd_core::ConfigError>(())
    /// ```
    pub fn observe(&mut self, now: Instant, observe: Observe) -> StreamId {
        self.tell(|log| log.input_json(now, format_args!("observe"), &outputs::json(&observe)));
        let id = self.client.observe(now, observe);
        self.tell(|log| log.output(format_args!("stream {}", id.get())));
        id
    }

    /// As [`Client::cancel_stream`].
    ///
    /// ```
    /// # use etcd_core::trace::Recorded;
    /// # use etcd_core::{Config, Instant, Observe};
    /// # let mut client = Recorded::new(Config::new(["127.0.0.1:2379"])?, 1, Instant::ZERO);
    /// let stream = client.observe(Instant::ZERO, Observe::new("e"));
    /// client.cancel_stream(Instant::ZERO, stream);
    /// # Ok::<(), etcd_core::ConfigError>(())
    /// ```
    pub fn cancel_stream(&mut self, now: Instant, stream: StreamId) {
        self.tell(|log| log.input(now, format_args!("cancel stream {}", stream.get())));
        self.client.cancel_stream(now, stream);
    }

    /// As [`Client::lease`].
    ///
    /// ```
    /// # use etcd_core::trace::Recorded;
    /// # use etcd_core::{Config, Instant, LeaseGrant};
    /// # let mut client = Recorded::new(Config::new(["127.0.0.1:2379"])?, 1, Instant::ZERO);
    /// assert_eq!(client.lease(Instant::ZERO, LeaseGrant::new(10)).get(), 1);
    /// # Ok::<(), etcd_core::ConfigError>(())
    /// ```
    pub fn lease(&mut self, now: Instant, grant: LeaseGrant) -> KeepAliveId {
        self.tell(|log| {
            let manner = Manner {
                wants_id: !grant.server_id,
                ..Manner::default()
            };
            let manner = outputs::manner(Some(manner), &CallOptions::default());
            log.input_json(now, format_args!("lease {manner}"), &grant.to_json());
        });
        let id = self.client.lease(now, grant);
        self.tell(|log| log.output(format_args!("lease {}", id.get())));
        id
    }

    /// As [`Client::keep_alive`].
    ///
    /// ```
    /// # use etcd_core::trace::Recorded;
    /// # use etcd_core::{Config, Instant, KeepAlive};
    /// # let mut client = Recorded::new(Config::new(["127.0.0.1:2379"])?, 1, Instant::ZERO);
    /// assert_eq!(client.keep_alive(Instant::ZERO, KeepAlive::new(7)).get(), 1);
    /// # Ok::<(), etcd_core::ConfigError>(())
    /// ```
    pub fn keep_alive(&mut self, now: Instant, lease: KeepAlive) -> KeepAliveId {
        self.tell(|log| {
            let what = outputs::keep_alive(&lease);
            log.input(now, format_args!("keep-alive {what}"));
        });
        let id = self.client.keep_alive(now, lease);
        self.tell(|log| log.output(format_args!("lease {}", id.get())));
        id
    }

    /// As [`Client::release_lease`].
    ///
    /// ```
    /// # use etcd_core::trace::Recorded;
    /// # use etcd_core::{Config, Instant, KeepAlive};
    /// # let mut client = Recorded::new(Config::new(["127.0.0.1:2379"])?, 1, Instant::ZERO);
    /// let kept = client.keep_alive(Instant::ZERO, KeepAlive::new(7));
    /// client.release_lease(Instant::ZERO, kept);
    /// # Ok::<(), etcd_core::ConfigError>(())
    /// ```
    pub fn release_lease(&mut self, now: Instant, lease: KeepAliveId) {
        self.tell(|log| log.input(now, format_args!("release {}", lease.get())));
        self.client.release_lease(now, lease);
    }

    /// As [`Client::revoke_lease`].
    ///
    /// ```
    /// # use etcd_core::trace::Recorded;
    /// # use etcd_core::{Config, Instant, KeepAlive};
    /// # let mut client = Recorded::new(Config::new(["127.0.0.1:2379"])?, 1, Instant::ZERO);
    /// let kept = client.keep_alive(Instant::ZERO, KeepAlive::new(7));
    /// client.revoke_lease(Instant::ZERO, kept);
    /// # Ok::<(), etcd_core::ConfigError>(())
    /// ```
    pub fn revoke_lease(&mut self, now: Instant, lease: KeepAliveId) {
        self.tell(|log| log.input(now, format_args!("revoke {}", lease.get())));
        self.client.revoke_lease(now, lease);
    }

    /// As [`Client::set_endpoints`].
    ///
    /// # Errors
    ///
    /// As those of [`Client::set_endpoints`].
    ///
    /// ```
    /// # use etcd_core::trace::Recorded;
    /// # use etcd_core::{Config, Instant};
    /// # let mut client = Recorded::new(Config::new(["127.0.0.1:2379"])?, 1, Instant::ZERO);
    /// client.set_endpoints(Instant::ZERO, ["127.0.0.1:22379".parse()?])?;
    /// # Ok::<(), etcd_core::ConfigError>(())
    /// ```
    pub fn set_endpoints(
        &mut self,
        now: Instant,
        endpoints: impl IntoIterator<Item = Endpoint>,
    ) -> Result<(), ConfigError> {
        let endpoints: Vec<Endpoint> = endpoints.into_iter().collect();
        self.is_used = true;
        self.tell(|log| {
            let text = write_endpoints(&endpoints);
            log.input_json(now, format_args!("endpoints"), text.as_bytes());
        });
        self.client.set_endpoints(now, endpoints)
    }

    /// As [`Client::sync`].
    ///
    /// ```
    /// # use etcd_core::trace::Recorded;
    /// # use etcd_core::{Config, Instant};
    /// # let mut client = Recorded::new(Config::new(["127.0.0.1:2379"])?, 1, Instant::ZERO);
    /// assert_eq!(client.sync(Instant::ZERO).get(), 1);
    /// # Ok::<(), etcd_core::ConfigError>(())
    /// ```
    pub fn sync(&mut self, now: Instant) -> CallId {
        self.tell(|log| log.input(now, format_args!("sync")));
        let id = self.client.sync(now);
        self.tell(|log| log.output(format_args!("call {}", id.get())));
        id
    }

    /// As [`Client::set_credentials`].
    ///
    /// ```
    /// # use etcd_core::trace::Recorded;
    /// # use etcd_core::{Config, Instant};
    /// # let mut client = Recorded::new(Config::new(["127.0.0.1:2379"])?, 1, Instant::ZERO);
    /// client.set_credentials(Instant::ZERO, None);
    /// # Ok::<(), etcd_core::ConfigError>(())
    /// ```
    pub fn set_credentials(&mut self, now: Instant, credentials: Option<Credentials>) {
        self.is_used = true;
        self.tell(|log| {
            let text = write_credentials(credentials.as_ref());
            log.input_json(now, format_args!("credentials"), text.as_bytes());
        });
        self.client.set_credentials(now, credentials);
    }

    /// As [`Client::shutdown`].
    ///
    /// ```
    /// # use etcd_core::trace::Recorded;
    /// # use etcd_core::{Config, Instant};
    /// # let mut client = Recorded::new(Config::new(["127.0.0.1:2379"])?, 1, Instant::ZERO);
    /// client.shutdown(Instant::ZERO);
    /// assert_eq!(client.poll_timeout(), None);
    /// # Ok::<(), etcd_core::ConfigError>(())
    /// ```
    pub fn shutdown(&mut self, now: Instant) {
        self.tell(|log| log.input(now, format_args!("shutdown")));
        self.client.shutdown(now);
    }

    /// Does something with the log, if there is one.
    fn tell(&mut self, say: impl FnOnce(&mut Recorder)) {
        if let Some(log) = &mut self.log {
            say(log);
        }
    }
}

/// What happened outside.
impl Recorded {
    /// As [`Client::handle_connected`].
    ///
    /// ```
    /// # use etcd_core::trace::Recorded;
    /// # use etcd_core::{Config, Instant, Output, Put};
    /// # let mut client = Recorded::new(Config::new(["127.0.0.1:2379"])?, 1, Instant::ZERO);
    /// client.call(Instant::ZERO, Put::new("k", "v"));
    /// let Some(Output::Connect { conn, .. }) = client.poll_output() else { panic!() };
    /// client.handle_connected(Instant::ZERO, conn);
    /// assert_eq!(client.poll_output(), Some(Output::Transmit(conn)));
    /// # Ok::<(), etcd_core::ConfigError>(())
    /// ```
    pub fn handle_connected(&mut self, now: Instant, conn: ConnId) {
        self.tell(|log| {
            log.input(now, format_args!("connected {}", conn.get()));
            log.open(conn);
        });
        self.client.handle_connected(now, conn);
    }

    /// As [`Client::handle_connect_failed`].
    ///
    /// ```
    /// # use etcd_core::trace::Recorded;
    /// # use etcd_core::{Config, Instant, NetError, NetErrorKind, Output, Put};
    /// # let mut client = Recorded::new(Config::new(["127.0.0.1:2379"])?, 1, Instant::ZERO);
    /// # client.call(Instant::ZERO, Put::new("k", "v"));
    /// # let Some(Output::Connect { conn, .. }) = client.poll_output() else { panic!() };
    /// let error = NetError::new(NetErrorKind::Refused, "connection refused");
    /// client.handle_connect_failed(Instant::ZERO, conn, error);
    /// assert_eq!(client.poll_output(), Some(Output::Close(conn)));
    /// # Ok::<(), etcd_core::ConfigError>(())
    /// ```
    pub fn handle_connect_failed(&mut self, now: Instant, conn: ConnId, error: NetError) {
        self.tell(|log| outputs::net_error(log, now, "connect-failed", conn, &error));
        self.client.handle_connect_failed(now, conn, error);
    }

    /// As [`Client::handle_received`].
    ///
    /// ```
    /// # use etcd_core::trace::Recorded;
    /// # use etcd_core::{Config, Instant, Output, Put};
    /// # let mut client = Recorded::new(Config::new(["127.0.0.1:2379"])?, 1, Instant::ZERO);
    /// # client.call(Instant::ZERO, Put::new("k", "v"));
    /// # let Some(Output::Connect { conn, .. }) = client.poll_output() else { panic!() };
    /// # client.handle_connected(Instant::ZERO, conn);
    /// client.handle_received(Instant::ZERO, conn, b"HTTP/1.1 200 OK\r\n");
    /// assert_eq!(client.stats().bytes_in, 17);
    /// # Ok::<(), etcd_core::ConfigError>(())
    /// ```
    pub fn handle_received(&mut self, now: Instant, conn: ConnId, bytes: &[u8]) {
        self.tell(|log| log.received(now, conn, bytes));
        self.client.handle_received(now, conn, bytes);
    }

    /// As [`Client::handle_eof`].
    ///
    /// ```
    /// # use etcd_core::trace::Recorded;
    /// # use etcd_core::{Config, Instant, Output, Put};
    /// # let mut client = Recorded::new(Config::new(["127.0.0.1:2379"])?, 1, Instant::ZERO);
    /// # client.call(Instant::ZERO, Put::new("k", "v"));
    /// # let Some(Output::Connect { conn, .. }) = client.poll_output() else { panic!() };
    /// # client.handle_connected(Instant::ZERO, conn);
    /// client.handle_eof(Instant::ZERO, conn);
    /// assert_eq!(client.stats().connections_open, 0);
    /// # Ok::<(), etcd_core::ConfigError>(())
    /// ```
    pub fn handle_eof(&mut self, now: Instant, conn: ConnId) {
        self.tell(|log| log.input(now, format_args!("eof {}", conn.get())));
        self.client.handle_eof(now, conn);
    }

    /// As [`Client::handle_written`]. The bytes that were taken are an output of the recording.
    ///
    /// ```
    /// # use etcd_core::trace::Recorded;
    /// # use etcd_core::{Config, Instant, Output, Put};
    /// # let mut client = Recorded::new(Config::new(["127.0.0.1:2379"])?, 1, Instant::ZERO);
    /// # client.call(Instant::ZERO, Put::new("k", "v"));
    /// # let Some(Output::Connect { conn, .. }) = client.poll_output() else { panic!() };
    /// # client.handle_connected(Instant::ZERO, conn);
    /// let len = client.transmit(conn).len();
    /// client.handle_written(Instant::ZERO, conn, len);
    /// assert_eq!(client.stats().bytes_out, len as u64);
    /// # Ok::<(), etcd_core::ConfigError>(())
    /// ```
    pub fn handle_written(&mut self, now: Instant, conn: ConnId, len: usize) {
        if let Some(log) = &mut self.log {
            log.input(now, format_args!("written {} {len}", conn.get()));
            let bytes = self.client.transmit(conn);
            log.sent(conn, &bytes[..bytes.len().min(len)]);
        }
        self.client.handle_written(now, conn, len);
    }

    /// As [`Client::handle_closed`].
    ///
    /// ```
    /// # use etcd_core::trace::Recorded;
    /// # use etcd_core::{Config, Instant, NetError, NetErrorKind, Output, Put};
    /// # let mut client = Recorded::new(Config::new(["127.0.0.1:2379"])?, 1, Instant::ZERO);
    /// # client.call(Instant::ZERO, Put::new("k", "v"));
    /// # let Some(Output::Connect { conn, .. }) = client.poll_output() else { panic!() };
    /// # client.handle_connected(Instant::ZERO, conn);
    /// let error = NetError::new(NetErrorKind::Reset, "connection reset by peer");
    /// client.handle_closed(Instant::ZERO, conn, error);
    /// assert_eq!(client.stats().connections_open, 0);
    /// # Ok::<(), etcd_core::ConfigError>(())
    /// ```
    pub fn handle_closed(&mut self, now: Instant, conn: ConnId, error: NetError) {
        self.tell(|log| outputs::net_error(log, now, "closed", conn, &error));
        self.client.handle_closed(now, conn, error);
    }

    /// As [`Client::handle_timeout`].
    ///
    /// ```
    /// # use etcd_core::trace::Recorded;
    /// # use etcd_core::{Config, Instant};
    /// # let mut client = Recorded::new(Config::new(["127.0.0.1:2379"])?, 1, Instant::ZERO);
    /// client.handle_timeout(Instant::ZERO);
    /// assert_eq!(client.poll_timeout(), None);
    /// # Ok::<(), etcd_core::ConfigError>(())
    /// ```
    pub fn handle_timeout(&mut self, now: Instant) {
        self.tell(|log| log.input(now, format_args!("timeout")));
        self.client.handle_timeout(now);
    }
}

/// What is to be done.
impl Recorded {
    /// As [`Client::poll_output`].
    ///
    /// ```
    /// # use etcd_core::trace::Recorded;
    /// # use etcd_core::{Config, Instant};
    /// # let mut client = Recorded::new(Config::new(["127.0.0.1:2379"])?, 1, Instant::ZERO);
    /// assert_eq!(client.poll_output(), None);
    /// # Ok::<(), etcd_core::ConfigError>(())
    /// ```
    #[must_use]
    pub fn poll_output(&mut self) -> Option<Output> {
        let output = self.client.poll_output();
        if let Some(log) = &mut self.log {
            outputs::output(log, output.as_ref(), self.client.poll_timeout());
        }
        output
    }

    /// As [`Client::poll_watch`].
    ///
    /// ```
    /// # use etcd_core::trace::Recorded;
    /// # use etcd_core::{Config, Instant};
    /// # let mut client = Recorded::new(Config::new(["127.0.0.1:2379"])?, 1, Instant::ZERO);
    /// let watch = client.watch(Instant::ZERO, "k");
    /// assert_eq!(client.poll_watch(watch), None);
    /// # Ok::<(), etcd_core::ConfigError>(())
    /// ```
    #[must_use]
    pub fn poll_watch(&mut self, watch: WatchId) -> Option<WatchEvent> {
        let event = self.client.poll_watch(watch);
        self.tell(|log| outputs::watch(log, watch, event.as_ref()));
        event
    }

    /// As [`Client::certified`].
    ///
    /// ```
    /// # use etcd_core::trace::Recorded;
    /// # use etcd_core::{Config, Instant, Watch};
    /// # let mut client = Recorded::new(Config::new(["127.0.0.1:2379"])?, 1, Instant::ZERO);
    /// let watch = client.watch(Instant::ZERO, Watch::key("k").with_start_revision(8));
    /// assert_eq!(client.certified(watch), Some(7));
    /// # Ok::<(), etcd_core::ConfigError>(())
    /// ```
    #[must_use]
    pub fn certified(&self, watch: WatchId) -> Option<i64> {
        self.client.certified(watch)
    }

    /// As [`Client::poll_stream`].
    ///
    /// ```
    /// # use etcd_core::trace::Recorded;
    /// # use etcd_core::{Config, Instant, Observe};
    /// # let mut client = Recorded::new(Config::new(["127.0.0.1:2379"])?, 1, Instant::ZERO);
    /// let stream = client.observe(Instant::ZERO, Observe::new("e"));
    /// assert_eq!(client.poll_stream(stream), None);
    /// # Ok::<(), etcd_core::ConfigError>(())
    /// ```
    #[must_use]
    pub fn poll_stream(&mut self, stream: StreamId) -> Option<StreamEvent> {
        let event = self.client.poll_stream(stream);
        self.tell(|log| outputs::stream(log, stream, event.as_ref()));
        event
    }

    /// As [`Client::poll_lease`].
    ///
    /// ```
    /// # use etcd_core::trace::Recorded;
    /// # use etcd_core::{Config, Instant, KeepAlive};
    /// # let mut client = Recorded::new(Config::new(["127.0.0.1:2379"])?, 1, Instant::ZERO);
    /// let kept = client.keep_alive(Instant::ZERO, KeepAlive::new(7));
    /// assert_eq!(client.poll_lease(kept), None);
    /// # Ok::<(), etcd_core::ConfigError>(())
    /// ```
    #[must_use]
    pub fn poll_lease(&mut self, lease: KeepAliveId) -> Option<LeaseEvent> {
        let event = self.client.poll_lease(lease);
        self.tell(|log| outputs::lease(log, lease, event.as_ref()));
        event
    }

    /// As [`Client::poll_notice`]. What is noted is no part of a recording: it follows from the rest.
    ///
    /// ```
    /// # use etcd_core::trace::Recorded;
    /// # use etcd_core::{Config, Instant};
    /// # let mut client = Recorded::new(Config::new(["127.0.0.1:2379"])?, 1, Instant::ZERO);
    /// assert_eq!(client.poll_notice(), None);
    /// # Ok::<(), etcd_core::ConfigError>(())
    /// ```
    #[must_use]
    pub fn poll_notice(&mut self) -> Option<Notice> {
        self.client.poll_notice()
    }

    /// As [`Client::has_notice`].
    ///
    /// ```
    /// # use etcd_core::trace::Recorded;
    /// # use etcd_core::{Config, Instant};
    /// # let client = Recorded::new(Config::new(["127.0.0.1:2379"])?, 1, Instant::ZERO);
    /// assert!(!client.has_notice());
    /// # Ok::<(), etcd_core::ConfigError>(())
    /// ```
    #[must_use]
    pub fn has_notice(&self) -> bool {
        self.client.has_notice()
    }

    /// As [`Client::lease_state`].
    ///
    /// ```
    /// # use etcd_core::trace::Recorded;
    /// # use etcd_core::{Config, Instant, KeepAlive};
    /// # let mut client = Recorded::new(Config::new(["127.0.0.1:2379"])?, 1, Instant::ZERO);
    /// let kept = client.keep_alive(Instant::ZERO, KeepAlive::new(7));
    /// assert!(client.lease_state(Instant::ZERO, kept).is_some());
    /// # Ok::<(), etcd_core::ConfigError>(())
    /// ```
    #[must_use]
    pub fn lease_state(&self, now: Instant, lease: KeepAliveId) -> Option<LeaseState> {
        self.client.lease_state(now, lease)
    }

    /// As [`Client::poll_timeout`].
    ///
    /// ```
    /// # use etcd_core::trace::Recorded;
    /// # use etcd_core::{Config, Instant};
    /// # let client = Recorded::new(Config::new(["127.0.0.1:2379"])?, 1, Instant::ZERO);
    /// assert_eq!(client.poll_timeout(), None);
    /// # Ok::<(), etcd_core::ConfigError>(())
    /// ```
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Instant> {
        self.client.poll_timeout()
    }

    /// As [`Client::transmit`].
    ///
    /// ```
    /// # use etcd_core::trace::Recorded;
    /// # use etcd_core::{Config, Instant, Output, Put};
    /// # let mut client = Recorded::new(Config::new(["127.0.0.1:2379"])?, 1, Instant::ZERO);
    /// client.call(Instant::ZERO, Put::new("k", "v"));
    /// let Some(Output::Connect { conn, .. }) = client.poll_output() else { panic!() };
    /// assert!(client.transmit(conn).is_empty());
    /// # Ok::<(), etcd_core::ConfigError>(())
    /// ```
    #[must_use]
    pub fn transmit(&self, conn: ConnId) -> &[u8] {
        self.client.transmit(conn)
    }

    /// As [`Client::stats`].
    ///
    /// ```
    /// # use etcd_core::trace::Recorded;
    /// # use etcd_core::{Config, Instant};
    /// # let client = Recorded::new(Config::new(["127.0.0.1:2379"])?, 1, Instant::ZERO);
    /// assert_eq!(client.stats().requests, 0);
    /// # Ok::<(), etcd_core::ConfigError>(())
    /// ```
    #[must_use]
    pub fn stats(&self) -> Stats {
        self.client.stats()
    }
}
