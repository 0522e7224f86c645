//! Users and tokens, where they meet the cluster: logins, restarts, what changes under way.

use etcd_core::{
    AlarmRequest, AlarmType, AuthEnable, Authenticate, Code, DeleteRange, KeyRange, Known,
    LeaseGrant, Permission, Put, Range, RoleAdd, RoleGrantPermission, UserAdd, UserChangePassword,
    UserGrantRole, Version, Watch, WatchRequest,
};

use super::support::{Etcd, millis, secs};
use crate::etcd::{Change, Meta, Setup, StreamRequest};

/// A cluster with root and a user who may do all below `a`.
fn guarded(setup: Setup) -> Etcd {
    let mut etcd = Etcd::new(setup);
    etcd.call(0, UserAdd::new("root", "p")).unwrap();
    etcd.call(0, UserGrantRole::new("root", "root")).unwrap();
    etcd.call(0, UserAdd::new("u", "p")).unwrap();
    etcd.call(0, RoleAdd::new("r")).unwrap();
    let all = Permission::read_write(KeyRange::prefix("a"));
    etcd.call(0, RoleGrantPermission::new("r", all)).unwrap();
    etcd.call(0, UserGrantRole::new("u", "r")).unwrap();
    etcd.call(0, AuthEnable::new()).unwrap();
    etcd
}

fn login(etcd: &mut Etcd, member: usize, user: &str) -> Meta {
    let answer = etcd.call(member, Authenticate::new(user, "p")).unwrap();
    Meta {
        token: Some(answer.token),
        ..Meta::default()
    }
}

fn setup() -> Setup {
    Setup::new(Version::new(3, 5, 16)).with_members(3)
}

#[test]
fn who_has_no_token_may_nothing() {
    let mut etcd = guarded(setup());
    assert_eq!(etcd.fails(Put::new("a", "")), Known::UserEmpty.message());
    assert_eq!(etcd.fails(Range::key("a")), Known::UserEmpty.message());
    let wrong = etcd.call(0, Authenticate::new("u", "q")).unwrap_err();
    assert_eq!(wrong.message, Known::AuthFailed.message());
    let meta = login(&mut etcd, 0, "u");
    // Each member knows a token that one of them gave.
    etcd.call_with(2, meta.clone(), Put::new("a", "")).unwrap();
    let denied = etcd.call_with(1, meta, Put::new("b", "")).unwrap_err();
    assert_eq!(
        (denied.code, &denied.message[..]),
        (Code::PERMISSION_DENIED, Known::PermissionDenied.message())
    );
    assert_eq!(etcd.cluster.log().last().unwrap().change, Change::Nothing);
}

#[test]
fn a_restart_loses_the_tokens_of_that_member_only() {
    let mut etcd = guarded(setup());
    let meta = login(&mut etcd, 0, "u");
    etcd.cluster.stop(etcd.now, 1);
    etcd.cluster.start(etcd.now, 1);
    etcd.pass(secs(5));
    let lost = etcd
        .call_with(1, meta.clone(), Range::key("a"))
        .unwrap_err();
    assert_eq!(lost.message, Known::InvalidAuthToken.message());
    etcd.call_with(2, meta.clone(), Range::key("a")).unwrap();
    etcd.cluster.expire_tokens(etcd.now, 2);
    assert!(etcd.call_with(2, meta, Range::key("a")).is_err());
}

#[test]
fn a_token_that_nobody_uses_ends() {
    let mut etcd = guarded(setup().with_token_ttl(secs(3)));
    let meta = login(&mut etcd, 0, "u");
    for _ in 0..5 {
        etcd.pass(secs(2));
        etcd.call_with(0, meta.clone(), Range::key("a")).unwrap();
    }
    etcd.pass(secs(4));
    assert!(etcd.call_with(0, meta, Range::key("a")).is_err());
}

#[test]
fn a_change_of_users_under_way_is_not_seen() {
    let mut etcd = guarded(setup());
    let user = login(&mut etcd, 0, "u");
    let root = login(&mut etcd, 0, "root");
    let change = etcd.ask_with(0, root, RoleAdd::new("other"));
    let put = etcd.ask_with(0, user, Put::new("a", "1"));
    etcd.pass(millis(100));
    assert!(etcd.outcome(change).unwrap().is_ok());
    assert!(etcd.outcome(put).unwrap().is_ok());
    // The first try was agreed on, and did nothing.
    let log: Vec<_> = etcd.cluster.log().iter().rev().take(2).collect();
    assert!(matches!(log[0].change, Change::Kv(_)));
    assert_eq!((&log[1].change, log[1].ask), (&Change::Nothing, log[0].ask));
}

#[test]
fn a_new_password_ends_the_tokens() {
    let mut etcd = guarded(setup());
    let user = login(&mut etcd, 0, "u");
    let root = login(&mut etcd, 0, "root");
    etcd.call_with(0, root, UserChangePassword::new("u", "q"))
        .unwrap();
    let ended = etcd.call_with(2, user, Range::key("a")).unwrap_err();
    assert_eq!(ended.code, Code::UNAUTHENTICATED);
}

#[test]
fn a_watch_is_asked_for_its_user_when_it_begins_only() {
    let mut etcd = guarded(setup());
    let user = login(&mut etcd, 0, "u");
    let create = |watch: Watch| StreamRequest::Watch(WatchRequest::Create(watch));
    let watch = etcd.stream(0, user.clone(), create(Watch::prefix("a")));
    etcd.send(watch, create(Watch::prefix("b")));
    assert_eq!(etcd.told(watch), ["0@1 created", "-1@1 created canceled"]);
    etcd.cluster.expire_tokens(etcd.now, 0);
    let root = login(&mut etcd, 1, "root");
    etcd.call_with(1, root, Put::new("a", "1")).unwrap();
    assert_eq!(etcd.told(watch), ["0@2 +a2"]);
}

#[test]
fn an_old_server_forgets_a_watch_when_it_refuses_another() {
    let mut etcd = guarded(Setup::new(Version::new(3, 5, 1)));
    let user = login(&mut etcd, 0, "u");
    let create = |watch: Watch| StreamRequest::Watch(WatchRequest::Create(watch));
    let watch = etcd.stream(0, user.clone(), create(Watch::prefix("a")));
    etcd.send(watch, create(Watch::prefix("a")));
    etcd.send(watch, create(Watch::prefix("b")));
    etcd.call_with(0, user, Put::new("a", "1")).unwrap();
    assert_eq!(
        etcd.told(watch),
        [
            "0@1 created",
            "1@1 created",
            "0@1 created canceled",
            "1@2 +a2"
        ]
    );
}

#[test]
fn leases_end_though_nobody_may_revoke_them() {
    let mut etcd = guarded(setup());
    let user = login(&mut etcd, 0, "u");
    etcd.call_with(0, user.clone(), LeaseGrant::new(2).with_id(7))
        .unwrap();
    let put = Put::new("a", "1").with_lease(7);
    etcd.call_with(0, user.clone(), put).unwrap();
    etcd.pass(secs(3));
    assert_eq!(etcd.call_with(0, user, Range::key("a")).unwrap().count, 0);
}

#[test]
fn an_alarm_opens_older_servers_to_everybody() {
    for (version, opens) in [
        (Version::new(3, 5, 1), true),
        (Version::new(3, 6, 10), false),
    ] {
        let mut etcd = guarded(Setup::new(version));
        assert!(etcd.call(0, DeleteRange::key("a")).is_err());
        let root = login(&mut etcd, 0, "root");
        let alarm = AlarmRequest::activate(5, AlarmType::NoSpace);
        etcd.call_with(0, root, alarm).unwrap();
        assert_eq!(etcd.call(0, DeleteRange::key("a")).is_ok(), opens);
    }
}
