//! What one call may be told apart from its request.

use core::time::Duration;

use super::endpoint::Endpoint;

/// Options of one call.
///
/// ```
/// use core::time::Duration;
/// use etcd_core::CallOptions;
///
/// let options = CallOptions::default().with_timeout(Duration::from_millis(500));
/// assert_eq!(options.timeout, Some(Duration::from_millis(500)));
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct CallOptions {
    /// The call's deadline, counted from the command. None: `Config::read_timeout` or
    /// `Config::write_timeout`; for a call that waits ([`Call::waits`](crate::Call::waits)) only until
    /// it is sent, and then without end.
    pub timeout: Option<Duration>,
    /// The one endpoint to ask. None: any.
    pub endpoint: Option<Endpoint>,
}

impl CallOptions {
    /// Sets the call's deadline, counted from the command: connecting, waiting and every further
    /// attempt included.
    ///
    /// ```
    /// use core::time::Duration;
    /// use etcd_core::CallOptions;
    ///
    /// assert!(CallOptions::default().with_timeout(Duration::ZERO).timeout.is_some());
    /// ```
    #[must_use]
    pub const fn with_timeout(mut self, timeout: Duration) -> Self {
        self.timeout = Some(timeout);
        self
    }

    /// Asks this endpoint and no other: for what is about one member, such as its status. It need
    /// not be among the configured ones; a token is sent there all the same, a password never.
    ///
    /// ```
    /// use etcd_core::CallOptions;
    ///
    /// let options = CallOptions::default().with_endpoint("http://etcd-2:2379".parse()?);
    /// assert_eq!(options.endpoint.unwrap().host(), "etcd-2");
    /// # Ok::<(), etcd_core::ConfigError>(())
    /// ```
    #[must_use]
    pub fn with_endpoint(mut self, endpoint: Endpoint) -> Self {
        self.endpoint = Some(endpoint);
        self
    }
}
