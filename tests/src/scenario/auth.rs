//! Users, passwords and tokens.

use std::thread;
use std::time::Duration;

use etcd_core::Applied;
use etcd_core::AuthDisable;
use etcd_core::AuthEnable;
use etcd_core::Config;
use etcd_core::Credentials;
use etcd_core::Error;
use etcd_core::KeyRange;
use etcd_core::Known;
use etcd_core::LeaseGrant;
use etcd_core::LeaseKeepAlive;
use etcd_core::Permission;
use etcd_core::Put;
use etcd_core::RoleAdd;
use etcd_core::RoleGrantPermission;
use etcd_core::Status;
use etcd_core::UserAdd;
use etcd_core::UserGrantRole;
use etcd_core::Watch;
use etcd_core::WatchEvent;

use super::Must;
use super::PATIENCE;
use super::Stage;
use super::batch;
use super::changes;
use super::end;
use crate::driver::Driver;
use crate::driver::Watching;

/// A wrong password is an error of its own, told at once and again without asking; a right one, no
/// one's. What is refused was not done.
pub fn a_wrong_password_is_refused_and_a_right_one_is_not<D: Driver>(stage: &mut Stage) {
    enable::<D>(stage);
    let wrong: D = D::with_config(config(stage, "root", "wrong"));
    for _ in 0..3 {
        let error = wrong.put("k", "v").must_fail();
        let Error::Auth { status, applied } = &error else {
            panic!("{error:?}");
        };
        assert_eq!(status.known(), Some(Known::AuthFailed));
        assert_eq!(*applied, Applied::No);
    }
    assert_eq!(wrong.stats().requests, 1, "the refusal is remembered");
    let error = wrong.watch("k").must_fail();
    assert!(matches!(error, Error::Auth { .. }), "{error:?}");

    let nobody: D = stage.client();
    let error = nobody.put("k", "v").must_fail();
    assert_eq!(status_of(&error).known(), Some(Known::UserEmpty));

    let right = root::<D>(stage);
    right.put("k", "v").must();
    assert_eq!(right.get("k").must().kvs[0].version, 1);
    assert_eq!(right.stats().refreshes, 1);
}

/// A user with a narrow role may do what that allows, and is told what it may not.
pub fn a_user_may_do_what_its_roles_allow<D: Driver>(stage: &mut Stage) {
    enable::<D>(stage);
    let alice: D = D::with_config(config(stage, "alice", "w0nderland"));
    alice.put("mine/k", "v").must();
    let denied = alice.put("other/k", "v").must_fail();
    assert_eq!(status_of(&denied).known(), Some(Known::PermissionDenied));
    let mut watch = alice.watch(Watch::prefix("mine/")).must();
    let denied = alice.watch(Watch::prefix("other/")).must_fail();
    assert_eq!(status_of(&denied).known(), Some(Known::PermissionDenied));
    alice.put("mine/k", "w").must();
    assert_eq!(changes(&batch(&mut watch)), [("mine/k", Some("w"))]);
    assert_eq!(alice.stats().refreshes, 1, "a denied call asks no token");

    let lease = alice.call(LeaseGrant::new(30)).must().id;
    for _ in 0..3 {
        alice.call(LeaseKeepAlive::new(lease)).must();
    }
    alice.call(Put::new("mine/l", "v").with_lease(lease)).must();
    watch.cancel();
}

/// A watch opened after the token ran out is created with a new one, whatever the server calls that;
/// one that was open goes on.
pub fn a_watch_is_created_after_its_token_expired<D: Driver>(stage: &mut Stage) {
    stage.start_anew(&["--auth-token-ttl=2"]);
    enable::<D>(stage);
    // As servers run, and as this one does.
    for ttl in [300, 2] {
        let mut config = config(stage, "root", "r00t");
        config.token_ttl = Duration::from_secs(ttl);
        let client = D::with_config(config);
        let mut early = client.watch("k").must();
        thread::sleep(Duration::from_secs(4));
        // Servers that call it a denial are believed as long as the token is young.
        if ttl == 300 && !stage.is_at_least([3, 5, 2]) && stage.is_at_least([3, 5, 0]) {
            client.get("k").must();
        }
        let mut late = client.watch("k").must();
        client.put("k", "v").must();
        assert_eq!(batch(&mut early).revision, batch(&mut late).revision);
        assert_eq!(client.stats().refreshes, 2, "with a time of {ttl} s");
    }
}

/// A server that restarts forgets its tokens: calls, renewals and watches go on. It forgets only those
/// from before its last snapshot, as logins are in its log and are played again with it.
pub fn a_restart_that_loses_the_tokens_is_survived<D: Driver>(stage: &mut Stage) {
    stage.start_anew(&["--snapshot-count=5"]);
    enable::<D>(stage);
    let client = root::<D>(stage);
    let lease = client.call(LeaseGrant::new(60)).must().id;
    client.call(LeaseKeepAlive::new(lease)).must();
    let mut watch = client.watch("k").must();
    for number in 1..=3 {
        for _ in 0..20 {
            client.put("other", "v").must();
        }
        stage.server.kill().must();
        stage.server.restart().must();
        client.put("k", format!("{number}")).must();
        let told = batch(&mut watch);
        assert_eq!(told.events[0].kv.value_str().must(), format!("{number}"));
        client.call(LeaseKeepAlive::new(lease)).must();
    }
    assert!(client.stats().refreshes >= 2, "{:?}", client.stats());
}

/// Authentication is turned off and on again while a client works.
pub fn auth_may_be_turned_off_and_on_under_way<D: Driver>(stage: &mut Stage) {
    let early = root::<D>(stage);
    early.put("k", "before").must();
    let mut watch = early.watch("k").must();
    assert_eq!(early.stats().refreshes, 0, "there is no token to get");
    enable::<D>(stage);
    early.put("k", "on").must();
    assert_eq!(early.stats().refreshes, 1);

    let other = root::<D>(stage);
    other.call(AuthDisable::new()).must();
    early.put("k", "off").must();
    let mut late = early.watch("k").must();
    other.call(AuthEnable::new()).must();
    early.put("k", "on again").must();
    for value in ["on", "off", "on again"] {
        assert_eq!(changes(&batch(&mut watch)), [("k", Some(value))]);
    }
    assert_eq!(changes(&batch(&mut late)), [("k", Some("on again"))]);
    late.cancel();
    while let Ok(Some(event)) = late.next_within(PATIENCE) {
        if matches!(event, WatchEvent::End(_)) {
            break;
        }
    }
    watch.cancel();
    end(&mut watch);
}

/// Makes two users and turns authentication on.
fn enable<D: Driver>(stage: &Stage) {
    let client: D = stage.client();
    client.call(UserAdd::new("root", "r00t")).must();
    client.call(UserGrantRole::new("root", "root")).must();
    client.call(RoleAdd::new("narrow")).must();
    let mine = Permission::read_write(KeyRange::prefix("mine/"));
    client.call(RoleGrantPermission::new("narrow", mine)).must();
    client.call(UserAdd::new("alice", "w0nderland")).must();
    client.call(UserGrantRole::new("alice", "narrow")).must();
    client.call(AuthEnable::new()).must();
    client.shutdown();
}

fn config(stage: &Stage, user: &str, password: &str) -> Config {
    let mut config = stage.config();
    let credentials = Credentials::password(user, password).must();
    config.set_credentials(credentials).must();
    config
}

fn root<D: Driver>(stage: &Stage) -> D {
    D::with_config(config(stage, "root", "r00t"))
}

/// What the server said.
#[track_caller]
fn status_of(error: &Error) -> &Status {
    error.status().expect("the server said no")
}
