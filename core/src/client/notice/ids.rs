//! Which call, connection, watch, stream, lease or endpoint a notice is about: for the fields of a log.

use super::Notice;
use super::Owner;
use super::Wake;
use super::What;
use crate::client::endpoint::Endpoint;
use crate::id::CallId;
use crate::id::ConnId;
use crate::id::KeepAliveId;
use crate::id::StreamId;
use crate::id::WatchId;

impl Notice {
    /// The call it is about, if it is about one.
    ///
    /// ```
    /// # use etcd_core::{Client, Config, Instant, Put};
    /// # let mut config = Config::new(["http://127.0.0.1:2379"])?;
    /// # config.notices = true;
    /// # let mut client = Client::new(config, 1, Instant::ZERO);
    /// let call = client.call(Instant::ZERO, Put::new("k", "v"));
    /// let told = std::iter::from_fn(|| client.poll_notice());
    /// assert_eq!(told.filter_map(|notice| notice.call()).next(), Some(call));
    /// # Ok::<(), etcd_core::ConfigError>(())
    /// ```
    #[must_use]
    pub const fn call(&self) -> Option<CallId> {
        match &self.what {
            What::AttemptBegun { call, .. }
            | What::AttemptAnswered { call, .. }
            | What::AttemptFailed { call, .. }
            | What::CallWaits { call, .. }
            | What::LoginBegun { call, .. }
            | What::Woke(
                Wake::CallDeadline(call) | Wake::CallAgain(call) | Wake::CallPatience(call),
            ) => Some(*call),
            _ => None,
        }
    }

    /// The connection it is about, if it is about one.
    ///
    /// ```
    /// # use etcd_core::{Client, Config, Instant, Put};
    /// # let mut config = Config::new(["http://127.0.0.1:2379"])?;
    /// # config.notices = true;
    /// # let mut client = Client::new(config, 1, Instant::ZERO);
    /// # client.call(Instant::ZERO, Put::new("k", "v"));
    /// let ordered = client.poll_notice().expect("a connection was ordered");
    /// assert_eq!(ordered.conn().map(|conn| conn.get()), Some(1));
    /// # Ok::<(), etcd_core::ConfigError>(())
    /// ```
    #[must_use]
    pub const fn conn(&self) -> Option<ConnId> {
        match &self.what {
            What::AttemptBegun { conn, .. }
            | What::ConnOrdered { conn, .. }
            | What::ConnOpened { conn, .. }
            | What::ConnFailed { conn, .. }
            | What::ConnClosed { conn, .. }
            | What::WatchAsked { conn, .. }
            | What::StreamAsked { conn, .. }
            | What::Woke(
                Wake::ConnDeadline(conn)
                | Wake::WatchConfirmed(conn)
                | Wake::WatchSilence(conn)
                | Wake::WatchProgress(conn)
                | Wake::SlowWatches(conn),
            ) => Some(*conn),
            _ => None,
        }
    }

    /// The watch it is about, if it is about one.
    ///
    /// ```
    /// # use etcd_core::{Client, Config, Instant, Watch};
    /// # let mut config = Config::new(["http://127.0.0.1:2379"])?;
    /// # config.notices = true;
    /// # let mut client = Client::new(config, 1, Instant::ZERO);
    /// let watch = client.watch(Instant::ZERO, Watch::key("k"));
    /// let told = std::iter::from_fn(|| client.poll_notice());
    /// assert_eq!(told.filter_map(|notice| notice.watch()).next(), Some(watch));
    /// # Ok::<(), etcd_core::ConfigError>(())
    /// ```
    #[must_use]
    pub const fn watch(&self) -> Option<WatchId> {
        match &self.what {
            What::WatchAsked { watch, .. }
            | What::WatchCreated { watch, .. }
            | What::WatchResumed { watch, .. }
            | What::WatchLost { watch, .. }
            | What::WatchReads { watch, .. }
            | What::WatchRests { watch, .. }
            | What::WatchLagging { watch, .. }
            | What::WatchPaused { watch, .. }
            | What::WatchFlows { watch, .. }
            | What::WatchSetAside { watch }
            | What::WatchEnded { watch, .. }
            | What::AttemptBegun {
                owner: Owner::Watch(watch),
                ..
            }
            | What::Woke(Wake::WatchPage(watch) | Wake::WatchDeadline(watch)) => Some(*watch),
            _ => None,
        }
    }

    /// The snapshot or observation it is about, if it is about one.
    ///
    /// ```
    /// # use etcd_core::{Client, Config, Instant, Observe};
    /// # let mut config = Config::new(["http://127.0.0.1:2379"])?;
    /// # config.notices = true;
    /// # let mut client = Client::new(config, 1, Instant::ZERO);
    /// let stream = client.observe(Instant::ZERO, Observe::new("el"));
    /// let told = std::iter::from_fn(|| client.poll_notice());
    /// assert_eq!(told.filter_map(|notice| notice.stream()).next(), Some(stream));
    /// # Ok::<(), etcd_core::ConfigError>(())
    /// ```
    #[must_use]
    pub const fn stream(&self) -> Option<StreamId> {
        match &self.what {
            What::StreamAsked { stream, .. }
            | What::StreamResumed { stream, .. }
            | What::StreamLost { stream, .. }
            | What::StreamPaused { stream, .. }
            | What::StreamFlows { stream, .. }
            | What::StreamEnded { stream, .. }
            | What::Woke(Wake::StreamDeadline(stream)) => Some(*stream),
            _ => None,
        }
    }

    /// The lease that is kept alive it is about, if it is about one.
    ///
    /// ```
    /// # use etcd_core::{Client, Config, Instant, KeepAlive};
    /// # let mut config = Config::new(["http://127.0.0.1:2379"])?;
    /// # config.notices = true;
    /// # let mut client = Client::new(config, 1, Instant::ZERO);
    /// let lease = client.keep_alive(Instant::ZERO, KeepAlive::new(7));
    /// let told = std::iter::from_fn(|| client.poll_notice());
    /// assert_eq!(told.filter_map(|notice| notice.lease()).next(), Some(lease));
    /// # Ok::<(), etcd_core::ConfigError>(())
    /// ```
    #[must_use]
    pub const fn lease(&self) -> Option<KeepAliveId> {
        match &self.what {
            What::LeaseRenewed { lease, .. }
            | What::LeaseAtRisk { lease, .. }
            | What::LeaseExpired { lease, .. }
            | What::LeaseEnded { lease, .. }
            | What::AttemptBegun {
                owner: Owner::Lease(lease),
                ..
            } => Some(*lease),
            _ => None,
        }
    }

    /// The endpoint it is about, if it is about one.
    ///
    /// ```
    /// # use etcd_core::{Client, Config, Instant, Put};
    /// # let mut config = Config::new(["http://127.0.0.1:2379"])?;
    /// # config.notices = true;
    /// # let mut client = Client::new(config, 1, Instant::ZERO);
    /// # client.call(Instant::ZERO, Put::new("k", "v"));
    /// let ordered = client.poll_notice().expect("a connection was ordered");
    /// assert_eq!(ordered.endpoint().map(|endpoint| endpoint.port()), Some(2379));
    /// # Ok::<(), etcd_core::ConfigError>(())
    /// ```
    #[must_use]
    pub const fn endpoint(&self) -> Option<&Endpoint> {
        match &self.what {
            What::AttemptBegun { endpoint, .. }
            | What::AttemptAnswered { endpoint, .. }
            | What::AttemptFailed { endpoint, .. }
            | What::EndpointChanged { endpoint, .. }
            | What::ConnOrdered { endpoint, .. }
            | What::ConnOpened { endpoint, .. }
            | What::ConnFailed { endpoint, .. }
            | What::ConnClosed { endpoint, .. }
            | What::LoginBegun { endpoint, .. }
            | What::WatchAsked { endpoint, .. }
            | What::WatchCreated { endpoint, .. }
            | What::WatchResumed { endpoint, .. }
            | What::WatchLost { endpoint, .. }
            | What::StreamAsked { endpoint, .. }
            | What::StreamResumed { endpoint, .. } => Some(endpoint),
            _ => None,
        }
    }
}
