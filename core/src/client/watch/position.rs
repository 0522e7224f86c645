//! Where a watch stands: rules W-1 to W-9, and nothing else may move it.
//!
//! `next` is the revision a reconnect asks for. It never falls, and moves only by what the rules
//! name: the request, the first confirmation of a watch from now on, whole revisions, progress, and a range
//! that was read in place of what was compacted (rule W-16). Not by timeouts, answers of other calls, or other connections (rule W-6).

/// The position of one watch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Position {
    /// The lowest revision not delivered yet; 0 until a watch from now on was confirmed.
    next: i64,
    /// Every matching change up to here was delivered; `certified < next` once `next > 0`.
    certified: i64,
}

impl Position {
    /// Rules W-1 and W-2: from the start revision asked for, or from now on for 0.
    pub(super) const fn new(start_revision: i64) -> Self {
        if start_revision > 0 {
            return Self {
                next: start_revision,
                certified: start_revision - 1,
            };
        }
        Self {
            next: start_revision,
            certified: 0,
        }
    }

    /// A confirmation with the store's revision. It moves only a watch from now on, and only once
    /// (rules W-2 and W-3).
    pub(super) fn handle_created(&mut self, revision: i64) {
        if self.next == 0 {
            self.next = revision.saturating_add(1);
            self.certified = revision;
        }
    }

    /// A whole revision came. True if it is to be delivered, false if it was before (rules W-4, W-7).
    pub(super) fn handle_revision(&mut self, revision: i64) -> bool {
        if revision < self.next {
            return false;
        }
        self.next = revision.saturating_add(1);
        self.certified = revision;
        true
    }

    /// The server has sent everything up to `revision` (rule W-5). Returns what may be promised to
    /// the user: it may be less, as a watch that begins in the future has delivered nothing yet.
    pub(super) fn handle_progress(&mut self, revision: i64) -> Option<i64> {
        if self.next <= 0 {
            return None;
        }
        self.next = self.next.max(revision.saturating_add(1));
        let forward = revision >= self.certified;
        self.certified = self.certified.max(revision);
        forward.then_some(revision)
    }

    /// The range was read at `revision`, and all of it told (rule W-16).
    pub(super) fn handle_resync(&mut self, revision: i64) {
        self.next = self.next.max(revision.saturating_add(1));
        self.certified = self.certified.max(revision);
    }

    /// Moves the place of a reconnect, which nothing else may.
    #[cfg(feature = "planted")]
    pub(super) const fn plant(&mut self, next: i64) {
        self.next = next;
    }

    /// The start revision of a reconnect; 0 is from now on.
    pub(super) const fn next(&self) -> i64 {
        self.next
    }

    /// Every matching change up to here was delivered.
    pub(super) const fn certified(&self) -> i64 {
        self.certified
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn w1_a_start_revision_is_where_it_begins() {
        let mut position = Position::new(5);
        position.handle_created(100);
        assert_eq!(position.next(), 5);
        assert!(!position.handle_revision(4));
        assert!(position.handle_revision(5));
    }

    #[test]
    fn w2_from_now_on_is_after_the_first_confirmation() {
        let mut position = Position::new(0);
        assert_eq!(position.next(), 0);
        position.handle_created(7);
        assert_eq!((position.next(), position.certified()), (8, 7));
        assert!(!position.handle_revision(7));
    }

    #[test]
    fn w3_later_confirmations_move_nothing() {
        let mut position = Position::new(0);
        position.handle_created(7);
        position.handle_created(20);
        assert_eq!(position.next(), 8);
    }

    #[test]
    fn w5_progress_moves_forward_only() {
        let mut position = Position::new(0);
        position.handle_created(7);
        assert_eq!(position.handle_progress(9), Some(9));
        assert_eq!(position.next(), 10);
        assert_eq!(position.handle_progress(8), None);
        assert_eq!((position.next(), position.certified()), (10, 9));
    }

    #[test]
    fn w5_progress_below_a_start_in_the_future_does_not_pull_it_back() {
        let mut position = Position::new(50);
        assert_eq!(position.handle_progress(9), None);
        assert_eq!(position.next(), 50);
        assert!(!position.handle_revision(49));
        assert!(position.handle_revision(50));
    }

    #[test]
    fn w7_a_revision_is_delivered_once() {
        let mut position = Position::new(3);
        assert!(position.handle_revision(3));
        assert!(!position.handle_revision(3));
        assert!(position.handle_revision(9));
        assert!(!position.handle_revision(8));
    }

    #[test]
    fn the_greatest_revision_does_not_overflow() {
        let mut position = Position::new(1);
        assert!(position.handle_revision(i64::MAX));
        assert!(position.handle_progress(i64::MAX).is_some());
        assert_eq!(position.next(), i64::MAX);
    }
}
