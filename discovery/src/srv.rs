//! One SRV record, as a resolver hands it over.
//!
//! It knows no DNS message: the target is text, and whether it can be used is found out later.

/// What one SRV record says (RFC 2782).
///
/// The order of records is that of priority and weight, but it is no order to try them in: that takes chance.
///
/// ```
/// use etcd_discovery::Srv;
///
/// let record = Srv::new(0, 100, 2379, "etcd-1.example.com.");
/// assert_eq!((record.priority, record.weight, record.port), (0, 100, 2379));
/// assert_eq!(record.target, "etcd-1.example.com.");
/// ```
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub struct Srv {
    /// Servers with a lower number come first.
    pub priority: u16,
    /// The share of a server among those of its priority.
    pub weight: u16,
    /// The TCP port.
    pub port: u16,
    /// The name of the host, with or without a dot at its end. A dot alone says that there is no such
    /// service.
    pub target: String,
}

impl Srv {
    /// A record with these fields, in the order they have in a zone file.
    ///
    /// ```
    /// use etcd_discovery::Srv;
    ///
    /// assert!(Srv::new(0, 0, 2379, "b.example.com") < Srv::new(1, 0, 2379, "a.example.com"));
    /// ```
    #[must_use]
    pub fn new(priority: u16, weight: u16, port: u16, target: impl Into<String>) -> Self {
        Self {
            priority,
            weight,
            port,
            target: target.into(),
        }
    }
}
