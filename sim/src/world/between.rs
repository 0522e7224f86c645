//! Which connections are meant: those of one client, to one member, both, or all.

/// Which connections are meant. Clients and members are counted from 0.
///
/// ```
/// use etcd_sim::world::Between;
///
/// assert!(Between::member(2).holds(0, 2));
/// assert!(!Between::both(1, 2).holds(0, 2));
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub struct Between {
    /// Of this client only.
    pub client: Option<usize>,
    /// To this member only.
    pub member: Option<usize>,
}

impl Between {
    /// All connections.
    #[must_use]
    pub const fn all() -> Self {
        Self {
            client: None,
            member: None,
        }
    }

    /// Those of one client.
    #[must_use]
    pub const fn client(client: usize) -> Self {
        Self {
            client: Some(client),
            member: None,
        }
    }

    /// Those to one member.
    #[must_use]
    pub const fn member(member: usize) -> Self {
        Self {
            client: None,
            member: Some(member),
        }
    }

    /// Those of one client to one member.
    #[must_use]
    pub const fn both(client: usize, member: usize) -> Self {
        Self {
            client: Some(client),
            member: Some(member),
        }
    }

    /// Whether a connection between these two is meant.
    #[must_use]
    pub fn holds(self, client: usize, member: usize) -> bool {
        self.client.is_none_or(|ours| ours == client)
            && self.member.is_none_or(|ours| ours == member)
    }
}
