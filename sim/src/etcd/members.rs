//! The members of a cluster as all of them agree on them.

use std::collections::BTreeMap;

use etcd_core::{Known, Member, MemberAdd, MemberUpdate};

/// Who belongs to the cluster.
#[derive(Clone, Debug, Default)]
pub(super) struct Members {
    members: BTreeMap<u64, Member>,
}

/// How many learners a cluster may have (etcd's `--max-learners`, 1 by default).
const MAX_LEARNERS: usize = 1;

impl Members {
    pub(super) fn insert(&mut self, member: Member) {
        self.members.insert(member.id, member);
    }

    pub(super) fn get(&self, id: u64) -> Option<&Member> {
        self.members.get(&id)
    }

    /// All of them, as a list of members has them.
    pub(super) fn list(&self) -> Vec<Member> {
        self.members.values().cloned().collect()
    }

    pub(super) fn is_voter(&self, id: u64) -> bool {
        self.members
            .get(&id)
            .is_some_and(|member| !member.is_learner)
    }

    pub(super) fn voters(&self) -> impl Iterator<Item = u64> {
        let voters = self.members.values().filter(|member| !member.is_learner);
        voters.map(|member| member.id)
    }

    /// How many voters have to agree.
    pub(super) fn quorum(&self) -> usize {
        self.voters().count() / 2 + 1
    }

    /// Whether those voters that were started once would be a quorum with one more voter. The second
    /// member of all may always be added.
    pub(super) fn may_add_voter(&self) -> bool {
        let started = self.started_voters(None);
        let voters = self.voters().count();
        (voters, started) == (1, 1) || started > voters.div_ceil(2)
    }

    /// Whether those voters that were started once would be a quorum without this one. The last one
    /// may not be removed.
    pub(super) fn may_remove_voter(&self, id: u64) -> bool {
        let left = self.voters().filter(|&voter| voter != id).count();
        left > 0 && self.started_voters(Some(id)) > left / 2
    }

    /// How many voters were started once, which is when they told their names.
    fn started_voters(&self, but: Option<u64>) -> usize {
        let voters = self.members.values().filter(|member| !member.is_learner);
        let started = voters.filter(|member| !member.name.is_empty() && Some(member.id) != but);
        started.count()
    }

    pub(super) fn add(&mut self, id: u64, request: &MemberAdd) -> Result<Member, Known> {
        check_urls(&request.peer_urls)?;
        if self.members.contains_key(&id) {
            return Err(Known::MemberExist);
        }
        self.check_free(&request.peer_urls, None)?;
        let learners = self.members.values().filter(|member| member.is_learner);
        if request.is_learner && learners.count() >= MAX_LEARNERS {
            return Err(Known::TooManyLearners);
        }
        let mut member = Member::default();
        member.id = id;
        member.peer_urls.clone_from(&request.peer_urls);
        member.is_learner = request.is_learner;
        self.members.insert(id, member.clone());
        Ok(member)
    }

    pub(super) fn remove(&mut self, id: u64) -> Result<(), Known> {
        let removed = self.members.remove(&id);
        removed.map(|_| ()).ok_or(Known::MemberNotFound)
    }

    pub(super) fn update(&mut self, request: &MemberUpdate) -> Result<(), Known> {
        check_urls(&request.peer_urls)?;
        if !self.members.contains_key(&request.id) {
            return Err(Known::MemberNotFound);
        }
        self.check_free(&request.peer_urls, Some(request.id))?;
        if let Some(member) = self.members.get_mut(&request.id) {
            member.peer_urls.clone_from(&request.peer_urls);
        }
        Ok(())
    }

    pub(super) fn promote(&mut self, id: u64) -> Result<(), Known> {
        let member = self.members.get_mut(&id).ok_or(Known::MemberNotFound)?;
        if !member.is_learner {
            return Err(Known::MemberNotLearner);
        }
        member.is_learner = false;
        Ok(())
    }

    /// A member was started, and says what it is called.
    pub(super) fn publish(&mut self, id: u64, name: &str, client_urls: &[String]) {
        if let Some(member) = self.members.get_mut(&id) {
            name.clone_into(&mut member.name);
            client_urls.clone_into(&mut member.client_urls);
        }
    }

    fn check_free(&self, urls: &[String], but: Option<u64>) -> Result<(), Known> {
        let others = self
            .members
            .values()
            .filter(|member| Some(member.id) != but);
        let mut taken = others.flat_map(|member| &member.peer_urls);
        if taken.any(|taken| urls.contains(taken)) {
            return Err(Known::PeerURLExist);
        }
        Ok(())
    }
}

/// Whether peer URLs are what etcd takes: at least one, each a scheme, a host and a port.
pub(super) fn check_urls(urls: &[String]) -> Result<(), Known> {
    let is_good = |url: &String| {
        let rest = url
            .strip_prefix("http://")
            .or_else(|| url.strip_prefix("https://"));
        let Some((host, port)) = rest.and_then(|rest| rest.rsplit_once(':')) else {
            return false;
        };
        !host.is_empty() && !host.contains('/') && port.parse::<u16>().is_ok()
    };
    if urls.is_empty() || !urls.iter().all(is_good) {
        return Err(Known::MemberBadURLs);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn add(members: &mut Members, id: u64, url: &str) -> Result<Member, Known> {
        members.add(id, &MemberAdd::new([url]))
    }

    #[test]
    fn members_are_told_apart_by_their_peer_urls() {
        let mut members = Members::default();
        assert!(add(&mut members, 1, "http://a:1").is_ok());
        assert_eq!(
            add(&mut members, 2, "http://a:1").unwrap_err(),
            Known::PeerURLExist
        );
        assert!(add(&mut members, 2, "http://b:1").is_ok());
        let taken = MemberUpdate::new(2, ["http://a:1"]);
        assert_eq!(members.update(&taken), Err(Known::PeerURLExist));
        let same = MemberUpdate::new(2, ["http://b:1"]);
        assert_eq!(members.update(&same), Ok(()));
        for url in [
            "",
            "a:1",
            "http://a",
            "ftp://a:1",
            "http://:1",
            "http://a/:1",
        ] {
            assert_eq!(
                add(&mut members, 3, url).unwrap_err(),
                Known::MemberBadURLs,
                "{url}"
            );
        }
    }

    #[test]
    fn a_learner_does_not_vote_until_it_is_promoted() {
        let mut members = Members::default();
        let learner = |url| MemberAdd::new([url]).with_learner();
        assert!(add(&mut members, 1, "http://a:1").is_ok());
        assert!(members.add(2, &learner("http://b:1")).is_ok());
        assert_eq!(
            members.add(3, &learner("http://c:1")).unwrap_err(),
            Known::TooManyLearners
        );
        assert_eq!((members.quorum(), members.is_voter(2)), (1, false));
        assert_eq!(members.promote(1), Err(Known::MemberNotLearner));
        assert_eq!(members.promote(2), Ok(()));
        assert_eq!((members.quorum(), members.is_voter(2)), (2, true));
        assert_eq!(members.remove(2), Ok(()));
        assert_eq!(members.promote(2), Err(Known::MemberNotFound));
    }
}
