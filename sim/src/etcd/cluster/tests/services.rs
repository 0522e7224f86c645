//! The servers' own locks and elections.

use etcd_core::{
    Campaign, Known, Leader, LeaseGrant, LeaseRevoke, Lock, Observe, Proclaim, Put, Range, Resign,
    Response, Unlock, Version,
};

use super::support::{Etcd, millis, secs};
use crate::etcd::{AskId, Meta, Reply, Setup, StreamRequest};

fn leases(etcd: &mut Etcd) {
    for lease in [0xc9, 0xca, 0xcb] {
        let grant = LeaseGrant::new(600).with_id(lease);
        etcd.call(0, grant).unwrap();
    }
}

fn key(etcd: &mut Etcd, ask: AskId) -> Option<String> {
    Some(match etcd.outcome(ask)? {
        Ok(Response::Lock(lock)) => String::from_utf8(lock.key.to_vec()).unwrap(),
        Ok(Response::Campaign(won)) => String::from_utf8(won.leader.key.to_vec()).unwrap(),
        Ok(other) => panic!("{other:?}"),
        Err(fault) => fault.to_string(),
    })
}

#[test]
fn a_lock_goes_from_one_to_the_next_in_their_order() {
    let mut etcd = Etcd::three();
    leases(&mut etcd);
    let first = etcd.call(0, Lock::new("lk").with_lease(0xc9)).unwrap();
    assert_eq!(first.key, "lk/c9");
    assert_eq!(first.header.revision, 2);
    let again = etcd.call(0, Lock::new("lk").with_lease(0xc9)).unwrap();
    assert_eq!(again.key, "lk/c9");
    let second = etcd.ask(1, Lock::new("lk").with_lease(0xcb));
    etcd.pass(secs(1));
    let third = etcd.ask(2, Lock::new("lk").with_lease(0xca));
    etcd.pass(secs(60));
    assert_eq!(key(&mut etcd, second), None);
    etcd.call(2, Unlock::new("lk/c9")).unwrap();
    etcd.pass(secs(1));
    assert_eq!(key(&mut etcd, second).unwrap(), "lk/cb");
    assert_eq!(key(&mut etcd, third), None);
    etcd.call(0, LeaseRevoke::new(0xcb)).unwrap();
    etcd.pass(secs(1));
    assert_eq!(key(&mut etcd, third).unwrap(), "lk/ca");
}

#[test]
fn who_goes_away_leaves_the_line() {
    let mut etcd = Etcd::one();
    leases(&mut etcd);
    etcd.call(0, Lock::new("lk").with_lease(0xc9)).unwrap();
    let gone = etcd.ask(0, Lock::new("lk").with_lease(0xca));
    etcd.pass(secs(1));
    let meta = Meta {
        timeout: Some(secs(2)),
        ..Meta::default()
    };
    let late = etcd.ask_with(0, meta, Lock::new("lk").with_lease(0xcb));
    etcd.pass(millis(100));
    assert_eq!(etcd.call(0, Range::prefix("lk/")).unwrap().count, 3);
    etcd.cluster.handle_gone(etcd.now, gone);
    etcd.pass(secs(2));
    assert_eq!(etcd.call(0, Range::prefix("lk/")).unwrap().count, 1);
    assert!(
        key(&mut etcd, late)
            .unwrap()
            .starts_with("context deadline exceeded")
    );
}

#[test]
fn a_lock_without_a_lease_gets_one_of_a_minute() {
    let mut etcd = Etcd::one();
    let lock = etcd.call(0, Lock::new("")).unwrap();
    let held = |etcd: &mut Etcd| {
        let key = String::from_utf8(lock.key.to_vec()).unwrap();
        assert!(key.starts_with('/'));
        etcd.get(0, &key).count
    };
    assert_eq!(held(&mut etcd), 1);
    etcd.pass(secs(59));
    assert_eq!(held(&mut etcd), 1);
    etcd.pass(secs(2));
    assert_eq!(held(&mut etcd), 0);
}

#[test]
fn a_lock_whose_lease_ended_in_line_is_no_lock_on_newer_servers() {
    for (version, told) in [
        (Version::new(3, 4, 23), "lk/ca"),
        (
            Version::new(3, 5, 16),
            "mutex: session is expired (UNKNOWN)",
        ),
    ] {
        let mut etcd = Etcd::new(Setup::new(version));
        leases(&mut etcd);
        etcd.call(0, Lock::new("lk").with_lease(0xc9)).unwrap();
        let second = etcd.ask(0, Lock::new("lk").with_lease(0xca));
        etcd.pass(secs(1));
        etcd.call(0, LeaseRevoke::new(0xca)).unwrap();
        etcd.pass(secs(1));
        assert_eq!(key(&mut etcd, second), None, "only when it is its turn");
        etcd.call(0, Unlock::new("lk/c9")).unwrap();
        etcd.pass(millis(100));
        assert_eq!(
            key(&mut etcd, second).unwrap().to_lowercase(),
            told.to_lowercase()
        );
    }
}

#[test]
fn what_fails_in_a_service_has_code_2() {
    let mut etcd = Etcd::one();
    let lease = etcd.ask(0, Lock::new("lk").with_lease(9));
    etcd.pass(secs(1));
    let fault = etcd.outcome(lease).unwrap().unwrap_err();
    assert_eq!(fault.message, Known::LeaseNotFound.message());
    assert_eq!(fault.code, etcd_core::Code::UNKNOWN);
    assert_eq!(etcd.fails(Unlock::new("")), Known::EmptyKey.message());
    assert!(etcd.call(0, Unlock::new("nobody's")).is_ok());
    assert_eq!(
        etcd.fails(Leader::new("el")),
        Known::ElectionNoLeader.message()
    );
    let nobody = Proclaim::new(etcd_core::LeaderKey::default(), "v");
    assert_eq!(etcd.fails(nobody), Known::MissingLeaderKey.message());
}

#[test]
fn an_election_is_won_proclaimed_and_resigned() {
    let mut etcd = Etcd::three();
    leases(&mut etcd);
    let observe = StreamRequest::Observe(Observe::new("el"));
    let observer = etcd.stream(1, Meta::default(), observe);
    etcd.pass(secs(1));
    assert!(
        etcd.replies(observer).is_empty(),
        "nothing while nobody leads"
    );
    let won = etcd
        .call(0, Campaign::new("el", "v1").with_lease(0xc9))
        .unwrap();
    assert_eq!((&won.leader.key[..], won.leader.rev), (&b"el/c9"[..], 2));
    assert_eq!(won.leader.lease, 0xc9);
    let second = etcd.ask(2, Campaign::new("el", "w1").with_lease(0xca));
    etcd.pass(secs(1));
    let kv = etcd.call(2, Leader::new("el")).unwrap().kv;
    assert_eq!((kv.key_str(), kv.value_str()), (Ok("el/c9"), Ok("v1")));
    etcd.call(1, Proclaim::new(won.leader.clone(), "v2"))
        .unwrap();
    assert_eq!(key(&mut etcd, second), None);
    etcd.call(0, Resign::new(won.leader.clone())).unwrap();
    etcd.pass(secs(1));
    assert_eq!(key(&mut etcd, second).unwrap(), "el/ca");
    assert!(etcd.call(0, Resign::new(won.leader.clone())).is_ok());
    let stale = Proclaim::new(won.leader, "v3");
    assert_eq!(etcd.fails(stale), Known::ElectionNotLeader.message());
    let told = etcd.replies(observer).into_iter().map(|reply| match reply {
        Reply::Observe(told) => told.kv.value_str().unwrap().to_owned(),
        other => panic!("{other:?}"),
    });
    assert_eq!(told.collect::<Vec<_>>(), ["v1", "v2", "w1"]);
}

#[test]
fn a_candidate_who_comes_again_may_say_something_else() {
    let mut etcd = Etcd::one();
    leases(&mut etcd);
    etcd.call(0, Campaign::new("el", "v1").with_lease(0xc9))
        .unwrap();
    let again = etcd
        .call(0, Campaign::new("el", "v2").with_lease(0xc9))
        .unwrap();
    assert_eq!(again.leader.rev, 2);
    let kv = etcd.get(0, "el/c9").into_first().unwrap();
    assert_eq!((kv.value_str(), kv.version), (Ok("v2"), 2));
    etcd.call(0, Put::new("el/other", "")).unwrap();
    let leader = etcd.call(0, Leader::new("el")).unwrap();
    assert_eq!(leader.kv.key_str(), Ok("el/c9"));
}
