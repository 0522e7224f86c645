//! The server's own lock. It has no fencing token but its key, and the client that holds it is not
//! told when it is lost.

use bytes::Bytes;

use super::call::{bare_answer, call};
use super::json::message;
use super::{IntoBytes, Namespace, ResponseHeader};
use crate::error::Misuse;

/// Waits until the lock of that name is held. Renew the lease, or the lock ends with it.
///
/// It has no deadline unless one is given. Canceled, or timed out, while it waits, it gives up its
/// place in the line: its connection is closed, and the server removes its key (gateway.md 10).
/// While authentication is on, servers were seen to fail at that (3.4.23, 3.5.1): then the place is
/// kept until its lease ends, and everybody behind it waits as long. Give such a lock a lease of your
/// own, and revoke that after giving up.
///
/// ```
/// let json = serde_json::to_string(&etcd_core::Lock::new("jobs").with_lease(7))?;
/// assert_eq!(json, r#"{"name":"am9icw==","lease":"7"}"#);
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Lock {
    /// The name of the lock, which may be empty.
    pub name: Bytes,
    /// The lease the lock ends with. 0: the server makes one of 60 s that nobody renews.
    pub lease: i64,
}

message!(Lock {
    "name" => name,
    "lease" => lease,
});

call!(Lock => Lock(LockResponse) {
    fn enter(&mut self, namespace: &Namespace) {
        namespace.enter_key(&mut self.name);
    }

    fn is_read(&self) -> bool {
        false
    }

    fn waits(&self) -> bool {
        true
    }
});

impl Lock {
    /// Waits for the lock `name`, on a lease of the server's own, which ends after 60 s.
    ///
    /// ```
    /// assert_eq!(etcd_core::Lock::new("jobs").lease, 0);
    /// ```
    #[must_use]
    pub fn new(name: impl IntoBytes) -> Self {
        Self {
            name: name.into_bytes(),
            lease: 0,
        }
    }

    /// Ends the lock with this lease. Locking again with the same one gives the same key at once.
    ///
    /// ```
    /// assert_eq!(etcd_core::Lock::new("jobs").with_lease(7).lease, 7);
    /// ```
    #[must_use]
    pub const fn with_lease(mut self, lease: i64) -> Self {
        self.lease = lease;
        self
    }
}

/// The answer to [`Lock`]: it is held.
///
/// ```
/// let answer: etcd_core::LockResponse = serde_json::from_str(r#"{"key":"am9icy83"}"#)?;
/// assert_eq!(&answer.key[..], b"jobs/7");
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct LockResponse {
    /// Who answered.
    pub header: ResponseHeader,
    /// The key that stands for holding it: name, `/` and the lease's id in hex. The lock is held
    /// while it exists.
    pub key: Bytes,
}

message!(LockResponse {
    "header" => header,
    "key" => key,
});

/// Gives a lock back. It is no error if it was lost before.
///
/// ```
/// let json = serde_json::to_string(&etcd_core::Unlock::new("jobs/7"))?;
/// assert_eq!(json, r#"{"key":"am9icy83"}"#);
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Unlock {
    /// The key of [`LockResponse`].
    pub key: Bytes,
}

message!(Unlock {
    "key" => key,
});

call!(Unlock => Unlock(UnlockResponse) {
    fn enter(&mut self, namespace: &Namespace) {
        namespace.enter_key(&mut self.key);
    }

    fn is_read(&self) -> bool {
        false
    }

    fn check(&self) -> Result<(), Misuse> {
        if self.key.is_empty() {
            return Err(Misuse::EmptyLockKey);
        }
        Ok(())
    }
});

bare_answer!(UnlockResponse to Unlock);

impl Unlock {
    /// Gives back the lock with this key, the one of [`LockResponse`].
    ///
    /// ```
    /// assert_eq!(&etcd_core::Unlock::new("jobs/7").key[..], b"jobs/7");
    /// ```
    #[must_use]
    pub fn new(key: impl IntoBytes) -> Self {
        Self {
            key: key.into_bytes(),
        }
    }
}
