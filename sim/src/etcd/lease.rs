//! Leases as all members agree on them: who exists, for how long it was granted, what hangs on it.
//!
//! When one ends is not known here: only the leader counts, and its counting is not agreed on
//! (`cluster::expiry`).

use std::collections::{BTreeMap, BTreeSet};

use etcd_core::Known;
use etcd_core::bytes::Bytes;

use super::store::Kept;

/// The leases of one member.
#[derive(Clone, Debug, Default)]
pub(super) struct Leases {
    leases: BTreeMap<i64, Lease>,
}

/// One lease.
#[derive(Clone, Debug)]
pub(super) struct Lease {
    /// What it was granted for, in seconds.
    pub(super) ttl: i64,
    pub(super) keys: BTreeSet<Bytes>,
}

/// The longest time a lease is granted for, in seconds.
const MAX_TTL: i64 = 9_000_000_000;

impl Leases {
    pub(super) fn get(&self, id: i64) -> Option<&Lease> {
        self.leases.get(&id)
    }

    pub(super) fn ids(&self) -> impl Iterator<Item = i64> {
        self.leases.keys().copied()
    }

    pub(super) fn len(&self) -> usize {
        self.leases.len()
    }

    /// Makes a lease. Tells what it was granted for.
    pub(super) fn grant(&mut self, id: i64, ttl: i64, min_ttl: i64) -> Result<i64, Known> {
        if ttl > MAX_TTL {
            return Err(Known::LeaseTTLTooLarge);
        }
        if self.leases.contains_key(&id) {
            return Err(Known::LeaseExist);
        }
        let ttl = ttl.max(min_ttl);
        let keys = BTreeSet::new();
        self.leases.insert(id, Lease { ttl, keys });
        Ok(ttl)
    }

    /// Ends a lease. Tells the keys to delete, in their order.
    pub(super) fn revoke(&mut self, id: i64) -> Result<BTreeSet<Bytes>, Known> {
        let lease = self.leases.remove(&id).ok_or(Known::LeaseNotFound)?;
        Ok(lease.keys)
    }
}

impl Kept for Leases {
    fn has(&self, lease: i64) -> bool {
        self.leases.contains_key(&lease)
    }

    fn attach(&mut self, key: &Bytes, lease: i64, before: i64) {
        if lease == before {
            return;
        }
        if let Some(lease) = self.leases.get_mut(&before) {
            lease.keys.remove(key);
        }
        if let Some(lease) = self.leases.get_mut(&lease) {
            lease.keys.insert(key.clone());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_hangs_on_its_last_lease_only() {
        let mut leases = Leases::default();
        assert_eq!(leases.grant(1, 60, 2), Ok(60));
        assert_eq!(leases.grant(2, 1, 2), Ok(2));
        assert_eq!(leases.grant(2, 60, 2), Err(Known::LeaseExist));
        assert_eq!(
            leases.grant(3, MAX_TTL + 1, 2),
            Err(Known::LeaseTTLTooLarge)
        );
        let key = Bytes::from("k");
        leases.attach(&key, 1, 0);
        leases.attach(&key, 2, 1);
        assert_eq!(leases.revoke(1), Ok(BTreeSet::new()));
        assert_eq!(leases.revoke(1), Err(Known::LeaseNotFound));
        assert_eq!(leases.revoke(2), Ok(BTreeSet::from([key])));
    }
}
