use core::time::Duration;

use etcd_core::{Applied, Code, Error, Known, Put, RoleAdd, Status, Watch, WatchEnd, WatchEvent};

use super::{Script, asked};
use crate::check::{Changed, What};

fn login(script: &mut Script, is_alone: bool, ended: u64) {
    script.add(What::LoginSent { is_alone, ended });
}

#[test]
fn logins_a_second_apart_are_fine() {
    let mut script = Script::new();
    for _ in 0..5 {
        login(&mut script, true, 0);
        script.now = script.now + Duration::from_secs(1);
    }
    assert_eq!(script.is_fine().logins, 5);
}

#[test]
fn two_logins_under_way_are_refused() {
    let mut script = Script::new();
    login(&mut script, false, 0);
    script.breaks("G38");
}

#[test]
fn a_storm_of_logins_is_refused() {
    let mut script = Script::new();
    login(&mut script, true, 0);
    login(&mut script, true, 0);
    script.breaks("G39");
}

#[test]
fn a_login_that_was_lost_with_its_connection_is_made_again() {
    let mut script = Script::new();
    login(&mut script, true, 0);
    login(&mut script, true, 1);
    script.is_fine();
    login(&mut script, true, 1);
    script.breaks("G39");
}

#[test]
fn each_cause_is_good_for_one_login_at_each_member() {
    let mut script = Script::new();
    script.history.truth.members = 2;
    login(&mut script, true, 0);
    script.change(Some(&asked(RoleAdd::new("r"))), Changed::Auth);
    login(&mut script, true, 0);
    login(&mut script, true, 0);
    script.is_fine();
    login(&mut script, true, 0);
    script.breaks("G39");
    script.history.truth.forgotten.push(script.now);
    script.is_fine();
}

fn denied() -> Status {
    Status::new(Code::PERMISSION_DENIED, Known::PermissionDenied.message())
}

#[test]
fn what_a_user_may_do_is_not_denied() {
    let mut script = Script::new();
    let call = script.start(&asked(Put::new("k", "1")));
    let (status, applied) = (denied(), Applied::No);
    script.end(call, Err(Error::Etcd { status, applied }));
    assert_eq!(script.is_fine().calls_denied, 1);
    script.history.full.insert(0);
    script.breaks("A-5");

    let mut script = Script::new();
    script.watch(Watch::key("k"));
    script.told(WatchEvent::End(WatchEnd::PermissionDenied(denied())));
    script.is_fine();
    script.history.full.insert(0);
    script.breaks("A-5");
}
