//! What the headers of answers prove: which cluster it is, and how far its store has come (rule B-7).
//!
//! It knows no connections and no calls. What follows from an answer that cannot be is said in
//! `calls/answers`.

use core::time::Duration;

use crate::api::ResponseHeader;
use crate::error::Cause;
use crate::time::Instant;

/// After so long in which every answer was older than what was known before, the store was set back for
/// good, and reads go on (guarantee G21).
const SET_BACK: Duration = Duration::from_secs(30);

/// What a client knows of its cluster.
#[derive(Debug, Default)]
pub(super) struct Evidence {
    /// The cluster of the first answer; 0 before.
    cluster_id: u64,
    /// The newest revision that was told.
    revision: i64,
    /// Since when every answer is older than that.
    older_since: Option<Instant>,
}

impl Evidence {
    /// The newest revision that was told.
    pub(super) const fn revision(&self) -> i64 {
        self.revision
    }

    /// Takes note of a header. An error if it is of another cluster, from which nothing may be delivered
    /// (guarantee G8).
    pub(super) fn handle_header(&mut self, header: &ResponseHeader) -> Result<(), Cause> {
        match (self.cluster_id, header.cluster_id) {
            (_, 0) => {}
            (0, seen) => self.cluster_id = seen,
            (expected, seen) if expected != seen => {
                return Err(Cause::ClusterChanged { expected, seen });
            }
            _ => {}
        }
        self.handle_revision(header.revision);
        Ok(())
    }

    /// Takes note of a revision that a watch delivered.
    pub(super) fn handle_revision(&mut self, revision: i64) {
        if revision >= self.revision {
            self.revision = revision;
            self.older_since = None;
        }
    }

    /// Whether an answer at revision `seen`, to a read that was sent when `known` was, runs back in time
    /// (guarantee G8).
    pub(super) fn runs_back(&mut self, now: Instant, known: i64, seen: i64) -> Option<Cause> {
        if seen <= 0 || seen >= known || known > self.revision {
            return None;
        }
        let since = *self.older_since.get_or_insert(now);
        if now - since >= SET_BACK {
            self.revision = seen;
            self.older_since = None;
            return None;
        }
        Some(Cause::StaleRead { known, seen })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn header(cluster_id: u64, revision: i64) -> ResponseHeader {
        ResponseHeader {
            cluster_id,
            revision,
            ..ResponseHeader::default()
        }
    }

    #[test]
    fn b7_the_first_answer_says_which_cluster_it_is() {
        let mut evidence = Evidence::default();
        assert_eq!(evidence.handle_header(&header(0, 0)), Ok(()));
        assert_eq!(evidence.handle_header(&header(7, 3)), Ok(()));
        assert_eq!(
            evidence.handle_header(&header(8, 9)),
            Err(Cause::ClusterChanged {
                expected: 7,
                seen: 8
            })
        );
        assert_eq!(evidence.revision(), 3);
    }

    #[test]
    fn g8_a_store_that_was_set_back_is_believed_after_a_while() {
        let mut evidence = Evidence::default();
        evidence.handle_revision(9);
        let stale = Cause::StaleRead { known: 9, seen: 4 };
        let now = Instant::ZERO;
        assert_eq!(evidence.runs_back(now, 9, 9), None);
        assert_eq!(evidence.runs_back(now, 9, 4), Some(stale.clone()));
        let later = now + Duration::from_secs(29);
        assert_eq!(evidence.runs_back(later, 9, 4), Some(stale.clone()));
        assert_eq!(evidence.runs_back(now + SET_BACK, 9, 4), None);
        assert_eq!(evidence.revision(), 4);
        // An answer that is not older begins it anew.
        evidence.handle_revision(9);
        assert_eq!(evidence.runs_back(now, 9, 4), Some(stale.clone()));
        evidence.handle_revision(9);
        assert_eq!(evidence.runs_back(now + SET_BACK, 9, 4), Some(stale));
    }
}
