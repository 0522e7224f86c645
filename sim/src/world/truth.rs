//! What a cluster did, in the words of the checkers.

use crate::check::{self, Changed};
use crate::etcd::{Applied, Change};

/// What one write changed: a lease that ends changes keys, too.
pub(super) fn changes(applied: &Applied) -> Vec<check::Change> {
    let what = match &applied.change {
        Change::Kv(events) => vec![Changed::Kv(events.clone())],
        Change::Compacted(revision) => vec![Changed::Compacted(*revision)],
        Change::LeaseGranted(granted) => vec![Changed::LeaseGranted {
            id: granted.id,
            ttl: granted.ttl,
        }],
        Change::LeaseRevoked { id, events } => {
            let id = *id;
            let ended = match applied.ask {
                Some(_) => Changed::LeaseRevoked { id },
                None => Changed::LeaseExpired { id },
            };
            let deleted = (!events.is_empty()).then(|| Changed::Kv(events.clone()));
            core::iter::once(ended).chain(deleted).collect()
        }
        Change::Auth => vec![Changed::Auth],
        _ => vec![Changed::Other],
    };
    let change = |what| check::Change {
        at: applied.at,
        revision: applied.revision,
        ask: applied.ask,
        what,
    };
    what.into_iter().map(change).collect()
}
