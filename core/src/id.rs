//! Names of what a client holds: counted up from 1 and never used again.
//!
//! Because an id is never reused, input that comes late for a dead id finds nothing and changes
//! nothing (law 7 of ARCHITECTURE.md).

use core::fmt;

/// The place of an endpoint in a client's list, which never shrinks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct EndpointIndex(pub(crate) usize);

macro_rules! ids {
    ($($(#[$doc:meta])* $name:ident, $letter:literal;)*) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(u64);

        impl $name {
            pub(crate) const fn new(number: u64) -> Self {
                Self(number)
            }

            /// The number behind the id, for logs and for tables of one's own.
            ///
            /// ```
            /// use etcd_core::{Client, Config, Instant, Range};
            ///
            /// let config = Config::new(["http://127.0.0.1:2379"])?;
            /// let mut client = Client::new(config, 1, Instant::ZERO);
            /// assert_eq!(client.call(Instant::ZERO, Range::key("k")).get(), 1);
            /// # Ok::<(), etcd_core::ConfigError>(())
            /// ```
            #[must_use]
            pub const fn get(self) -> u64 {
                self.0
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!($letter, "{}"), self.0)
            }
        }
    )*};
}

ids! {
    /// One connection, from the order to open it until it is closed.
    ///
    /// ```
    /// use etcd_core::{Client, Config, Instant, Output, Range};
    ///
    /// let mut client = Client::new(Config::new(["http://127.0.0.1:2379"])?, 1, Instant::ZERO);
    /// client.call(Instant::ZERO, Range::key("k"));
    /// let Some(Output::Connect { conn, .. }) = client.poll_output() else { panic!() };
    /// assert_eq!(conn.get(), 1);
    /// # Ok::<(), etcd_core::ConfigError>(())
    /// ```
    ConnId, "conn ";
    /// One call, from the command to its one outcome.
    ///
    /// ```
    /// use etcd_core::{Client, Config, Instant, Put};
    ///
    /// let mut client = Client::new(Config::new(["http://127.0.0.1:2379"])?, 1, Instant::ZERO);
    /// let first = client.call(Instant::ZERO, Put::new("k", "1"));
    /// let second = client.call(Instant::ZERO, Put::new("k", "2"));
    /// assert!(first < second);
    /// # Ok::<(), etcd_core::ConfigError>(())
    /// ```
    CallId, "call ";
    /// One watch, from the command to its one end, across any number of connections.
    ///
    /// ```
    /// use etcd_core::{Client, Config, Instant, Watch};
    ///
    /// let mut client = Client::new(Config::new(["http://127.0.0.1:2379"])?, 1, Instant::ZERO);
    /// let watch = client.watch(Instant::ZERO, Watch::prefix("/services/"));
    /// assert_eq!(watch.get(), 1);
    /// # Ok::<(), etcd_core::ConfigError>(())
    /// ```
    WatchId, "watch ";
    /// One snapshot or one observation, from the command to its one end.
    ///
    /// ```
    /// use etcd_core::{Client, Config, Instant, Observe};
    ///
    /// let mut client = Client::new(Config::new(["http://127.0.0.1:2379"])?, 1, Instant::ZERO);
    /// let stream = client.observe(Instant::ZERO, Observe::new("el"));
    /// assert_eq!(stream.get(), 1);
    /// # Ok::<(), etcd_core::ConfigError>(())
    /// ```
    StreamId, "stream ";
    /// One lease that is kept alive, from the command to the one end. Not the lease's own id, which is
    /// the server's name for it.
    ///
    /// ```
    /// use etcd_core::{Client, Config, Instant, LeaseGrant};
    ///
    /// let mut client = Client::new(Config::new(["http://127.0.0.1:2379"])?, 1, Instant::ZERO);
    /// let kept = client.lease(Instant::ZERO, LeaseGrant::new(10));
    /// assert_eq!(kept.get(), 1);
    /// # Ok::<(), etcd_core::ConfigError>(())
    /// ```
    KeepAliveId, "lease ";
}
