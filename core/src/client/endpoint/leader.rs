//! Which of the endpoints is the member that leads, as far as answers tell (rule B-6).
//!
//! Each header names the member that answered and its term; a higher term than before is another election,
//! after which nothing is known. Who leads only a status tells. It knows no connections, and asks
//! nothing itself.

use core::time::Duration;

use crate::api::ResponseHeader;
use crate::api::StatusResponse;
use crate::time::Instant;

/// How long one endpoint is not asked again: an election takes a second or two. It doubles with each question,
/// until the leader is found or another is elected.
const PAUSE: Duration = Duration::from_secs(1);

/// The longest it gets.
const LONGEST_PAUSE: Duration = Duration::from_secs(64);

/// What is known of it.
#[derive(Debug)]
pub(super) struct Leader {
    /// By the places of the endpoints.
    members: Vec<Member>,
    /// The highest term that was told.
    term: u64,
    /// The member that leads in it; 0 if that is not known.
    leader: u64,
}

/// What is known of one endpoint.
#[derive(Clone, Copy, Debug, Default)]
struct Member {
    /// Its member; 0 if it never answered.
    id: u64,
    /// When it was last asked.
    asked: Option<Instant>,
    /// How often it was asked in vain.
    times: u32,
}

impl Member {
    fn rests(&self, now: Instant) -> bool {
        let pause = PAUSE.saturating_mul(1 << self.times.saturating_sub(1).min(6));
        let pause = pause.min(LONGEST_PAUSE);
        self.asked.is_some_and(|asked| now - asked < pause)
    }
}

impl Leader {
    pub(super) fn new(count: usize) -> Self {
        Self {
            members: vec![Member::default(); count],
            term: 0,
            leader: 0,
        }
    }

    /// Where the leader is, if that is known.
    pub(super) fn place(&self) -> Option<usize> {
        let leads = |member: &Member| member.id != 0 && member.id == self.leader;
        self.members.iter().position(leads)
    }

    pub(super) fn handle_header(&mut self, at: usize, header: &ResponseHeader) {
        if let Some(member) = self.members.get_mut(at).filter(|_| header.member_id != 0) {
            member.id = header.member_id;
        }
        self.handle_term(header.raft_term);
    }

    pub(super) fn handle_status(&mut self, at: usize, status: &StatusResponse) {
        self.handle_header(at, &status.header);
        self.handle_term(status.raft_term);
        // One that is behind knows of an earlier leader, or of none.
        if status.raft_term >= self.term && status.leader != 0 {
            self.leader = status.leader;
        }
        if self.place().is_some() {
            for member in &mut self.members {
                member.times = 0;
            }
        }
    }

    fn handle_term(&mut self, term: u64) {
        if term > self.term {
            let is_first = self.term == 0;
            self.term = term;
            self.leader = 0;
            // The first one is no election; somebody may be asked already.
            for member in self.members.iter_mut().filter(|_| !is_first) {
                (member.asked, member.times) = (None, 0);
            }
        }
    }

    /// It was left: if it leads, another may do so by now.
    pub(super) fn doubt(&mut self, at: usize) {
        if self.place() == Some(at) {
            self.leader = 0;
        }
    }

    /// The next endpoint to ask: any that serves while nobody knows who leads, then those whose member is not
    /// known, until the leader is found among them.
    pub(super) fn poll_question(
        &mut self,
        now: Instant,
        serves: impl Fn(usize) -> bool,
    ) -> Option<usize> {
        if self.place().is_some() {
            return None;
        }
        let is_known = self.leader != 0;
        let rests = |member: &Member| member.rests(now);
        // One at a time, and not the next before the last had its time to answer.
        let was_asked = |member: &Member| member.asked.is_some_and(|asked| now - asked < PAUSE);
        if !is_known && self.members.iter().any(was_asked) {
            return None;
        }
        let asks = |(at, member): &(usize, &Member)| {
            serves(*at) && !rests(member) && !(is_known && member.id != 0)
        };
        // In turn, so that one that knows of no leader does not keep the others from telling.
        let oldest = |(_, member): &(usize, &Member)| member.asked;
        let asked = self.members.iter().enumerate().filter(asks);
        let (at, _) = asked.min_by_key(oldest)?;
        let member = &mut self.members[at];
        (member.asked, member.times) = (Some(now), member.times.saturating_add(1));
        Some(at)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn header(member_id: u64, raft_term: u64) -> ResponseHeader {
        ResponseHeader {
            member_id,
            raft_term,
            ..ResponseHeader::default()
        }
    }

    fn status(member_id: u64, raft_term: u64, leader: u64) -> StatusResponse {
        StatusResponse {
            header: header(member_id, raft_term),
            raft_term,
            leader,
            ..StatusResponse::default()
        }
    }

    const NOW: Instant = Instant::ZERO;

    #[test]
    fn b6_the_leader_is_asked_for_until_it_is_found() {
        let mut known = Leader::new(3);
        assert_eq!(known.poll_question(NOW, |at| at != 0), Some(1));
        // One question at a time, while nobody knows.
        assert_eq!(known.poll_question(NOW, |_| true), None);
        known.handle_status(1, &status(11, 2, 12));
        assert_eq!(known.place(), None);
        assert_eq!(known.poll_question(NOW, |_| true), Some(0));
        assert_eq!(known.poll_question(NOW, |_| true), Some(2));
        assert_eq!(known.poll_question(NOW, |_| true), None);
        known.handle_status(0, &status(10, 2, 12));
        assert_eq!(known.place(), None);
        // Any answer names its member.
        known.handle_header(2, &header(12, 2));
        assert_eq!(known.place(), Some(2));
        assert_eq!(known.poll_question(NOW + 2 * PAUSE, |_| true), None);
    }

    #[test]
    fn b6_an_election_makes_what_was_known_worthless() {
        let mut known = Leader::new(2);
        known.handle_header(0, &header(10, 2));
        known.handle_status(1, &status(11, 2, 11));
        assert_eq!(known.place(), Some(1));
        known.handle_header(0, &header(10, 3));
        assert_eq!(known.place(), None);
        // What the one before says of itself is over.
        known.handle_status(1, &status(11, 2, 11));
        assert_eq!(known.place(), None);
        assert!(known.poll_question(NOW, |_| true).is_some());
        // There is none yet.
        known.handle_status(0, &status(10, 3, 0));
        assert_eq!(known.poll_question(NOW, |_| true), None);
        assert_eq!(known.poll_question(NOW + PAUSE, |_| true), Some(1));
        known.handle_status(1, &status(11, 3, 10));
        assert_eq!(known.place(), Some(0));
        // One that was left may lead no more, and others are to tell.
        known.doubt(1);
        assert_eq!(known.place(), Some(0));
        known.doubt(0);
        assert_eq!(known.place(), None);
        assert_eq!(known.poll_question(NOW + 2 * PAUSE, |_| true), Some(0));
    }

    #[test]
    fn b6_one_that_tells_nothing_is_asked_less_and_less() {
        let mut known = Leader::new(1);
        let asked: Vec<u64> = (0..200)
            .filter(|second| {
                let now = NOW + Duration::from_secs(*second);
                known.poll_question(now, |_| true).is_some()
            })
            .collect();
        assert_eq!(asked, [0, 1, 3, 7, 15, 31, 63, 127, 191]);
    }
}
