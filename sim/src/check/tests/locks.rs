use etcd_core::{
    Applied, Campaign, CampaignResponse, Code, Error, Known, Leader, LeaderResponse, Lock,
    LockResponse, Proclaim, ProclaimResponse, Response, Status, Unlock, UnlockResponse,
};

use super::{Script, asked, cut};

fn got(key: &'static str) -> Response {
    let mut answer = LockResponse::default();
    answer.key = key.into();
    answer.into()
}

/// Two want a lock; the first has it.
fn two() -> (Script, u64) {
    let mut script = Script::new();
    script.put("m/7", "");
    let call = script.start(&asked(Lock::new("m").with_lease(8)));
    script.put("m/8", "");
    (script, call)
}

#[test]
fn a_lock_is_held_by_one_after_the_other() {
    let (mut script, call) = two();
    script.delete("m/7");
    script.end(call, Ok(got("m/8")));
    assert_eq!(script.is_fine().locks, 1);
}

#[test]
fn a_lock_that_another_one_holds_is_refused() {
    let (mut script, call) = two();
    script.end(call, Ok(got("m/8")));
    script.breaks("G33");
}

#[test]
fn a_lock_whose_key_ended_meanwhile_was_held() {
    let (mut script, call) = two();
    script.delete("m/8");
    script.end(call, Ok(got("m/8")));
    script.is_fine();
}

#[test]
fn the_key_of_another_lock_or_lease_is_refused() {
    for key in ["n/8", "m/7", "m8"] {
        let (mut script, call) = two();
        script.delete("m/7");
        script.end(call, Ok(got(key)));
        script.breaks("G54");
    }
}

#[test]
fn what_is_given_back_is_gone() {
    let mut script = Script::new();
    script.put("m/7", "");
    let call = script.start(&asked(Unlock::new("m/7")));
    script.end(call, Ok(UnlockResponse::default().into()));
    script.breaks("G2");
    let mut script = Script::new();
    script.put("m/7", "");
    let call = script.start(&asked(Unlock::new("m/7")));
    script.delete("m/7");
    script.end(call, Ok(UnlockResponse::default().into()));
    assert_eq!(script.is_fine().unlocks, 1);
}

/// A campaign that was won, and what became of saying something.
fn says(is_said: bool, result: Result<Response, Error>) -> Script {
    let mut script = Script::new();
    let call = script.start(&asked(Campaign::new("e", "1").with_lease(7)));
    let kv = script.put("e/7", "1").remove(0).kv;
    let mut answer = CampaignResponse::default();
    (answer.leader.key, answer.leader.rev) = (kv.key, kv.create_revision);
    let leader = answer.leader.clone();
    script.end(call, Ok(answer.into()));
    let call = script.start(&asked(Proclaim::new(leader, "2")));
    if is_said {
        script.put("e/7", "2");
    }
    script.end(call, result);
    script
}

#[test]
fn what_a_leader_says_is_there_if_that_is_confirmed() {
    let done = || Ok(ProclaimResponse::default().into());
    assert_eq!(says(true, done()).is_fine().proclamations, 1);
    says(false, done()).breaks("G2");
    says(true, Err(cut(Applied::Maybe))).is_fine();
    says(false, Err(cut(Applied::No))).is_fine();
    let status = Status::new(Code::UNKNOWN, Known::ElectionNotLeader.message());
    let applied = Applied::No;
    says(true, Err(Error::Etcd { status, applied })).breaks("G3");
}

#[test]
fn a_campaign_is_of_the_key_that_was_made() {
    let mut script = Script::new();
    let call = script.start(&asked(Campaign::new("e", "1").with_lease(7)));
    script.put("e/7", "1");
    let mut answer = CampaignResponse::default();
    (answer.leader.key, answer.leader.rev) = ("e/7".into(), 99);
    script.end(call, Ok(answer.into()));
    script.breaks("G33");
}

#[test]
fn who_leads_is_the_oldest() {
    for (first, rule) in [(true, None), (false, Some("G6"))] {
        let mut script = Script::new();
        let one = script.put("e/7", "1").remove(0).kv;
        let other = script.put("e/8", "2").remove(0).kv;
        let call = script.start(&asked(Leader::new("e")));
        let mut answer = LeaderResponse::default();
        answer.header = script.header();
        answer.kv = if first { one } else { other };
        script.end(call, Ok(answer.into()));
        match rule {
            None => assert_eq!(script.is_fine().leaders_asked, 1),
            Some(rule) => script.breaks(rule),
        }
    }
}

#[test]
fn nobody_leads_only_where_nobody_does() {
    let nobody = || {
        let status = Status::new(Code::UNKNOWN, Known::ElectionNoLeader.message());
        let applied = Applied::No;
        Err(Error::Etcd { status, applied })
    };
    let mut script = Script::new();
    let call = script.start(&asked(Leader::new("e")));
    script.put("e/7", "1");
    script.end(call, nobody());
    script.is_fine();
    let call = script.start(&asked(Leader::new("e")));
    script.end(call, nobody());
    script.breaks("G6");
}
