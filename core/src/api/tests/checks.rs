//! What is known of a request before it is sent.

use crate::*;

fn put(key: &str) -> TxnOp {
    Put::new(key, "v").into()
}

fn delete(range: KeyRange) -> TxnOp {
    DeleteRange::new(range).into()
}

fn when_success(ops: impl IntoIterator<Item = TxnOp>) -> TxnOp {
    Txn::new().and_then(ops).into()
}

fn when_failure(ops: impl IntoIterator<Item = TxnOp>) -> TxnOp {
    Txn::new().or_else(ops).into()
}

#[test]
fn an_empty_key_is_refused_everywhere() {
    let empty = Err(Misuse::EmptyKey);
    assert_eq!(Put::new("", "v").check(), empty);
    assert_eq!(Range::key("").check(), empty);
    assert_eq!(Range::range("", "b").check(), empty);
    assert_eq!(DeleteRange::key("").check(), empty);
    assert_eq!(Txn::new().when([Compare::missing("")]).check(), empty);
    assert_eq!(Txn::new().and_then([Put::new("", "v")]).check(), empty);
    assert_eq!(Txn::new().or_else([Range::key("")]).check(), empty);
    assert_eq!(Txn::new().or_else([DeleteRange::key("")]).check(), empty);
    assert_eq!(
        Txn::new().and_then([when_failure([put("")])]).check(),
        empty
    );
    for range in [Range::all(), Range::prefix(""), Range::from_key("")] {
        assert_eq!(range.check(), Ok(()));
    }
}

#[test]
fn lists_may_have_128_and_not_129() {
    let ops = |count: usize| (0..count).map(|n| Range::key(n.to_string()));
    let compares = |count: usize| (0..count).map(|n| Compare::exists(n.to_string()));
    let full = Txn::new()
        .when(compares(128))
        .and_then(ops(128))
        .or_else(ops(128));
    assert_eq!(full.check(), Ok(()));

    let over = Err(Misuse::TooManyOps { count: 129 });
    assert_eq!(Txn::new().when(compares(129)).check(), over);
    assert_eq!(Txn::new().and_then(ops(129)).check(), over);
    assert_eq!(Txn::new().or_else(ops(129)).check(), over);
    assert_eq!(
        Txn::new().and_then([Txn::new().or_else(ops(129))]).check(),
        over
    );
}

#[test]
fn transactions_may_be_nested_8_deep_and_not_9() {
    let nested = |depth| (0..depth).fold(Txn::new(), |txn, _| Txn::new().and_then([txn]));
    assert_eq!(nested(8).check(), Ok(()));
    assert_eq!(nested(9).check(), Err(Misuse::TxnTooDeep { limit: 8 }));
}

#[test]
fn writes_that_meet_on_one_path_are_refused() {
    let a = || KeyRange::prefix("a");
    let table = [
        vec![put("a"), put("a")],
        vec![put("a"), delete(KeyRange::key("a"))],
        vec![delete(a()), put("ab")],
        vec![put("ab"), delete(a())],
        vec![put("a"), when_success([put("a")])],
        vec![put("a"), when_failure([put("a")])],
        vec![when_failure([put("a")]), put("a")],
        vec![delete(a()), when_failure([put("ab")])],
        vec![put("ab"), when_success([delete(a())])],
        vec![when_success([put("a")]), when_success([put("a")])],
        vec![when_success([put("a")]), when_failure([put("a")])],
        vec![when_success([delete(a())]), when_success([put("ab")])],
        vec![put("a"), when_success([when_success([put("a")])])],
    ];
    for ops in table {
        let refused = Err(Misuse::DuplicateKey);
        assert_eq!(Txn::new().and_then(ops.clone()).check(), refused, "{ops:?}");
        assert_eq!(Txn::new().or_else(ops.clone()).check(), refused, "{ops:?}");
    }
}

#[test]
fn writes_that_etcd_takes_are_not_refused() {
    let a = || KeyRange::prefix("a");
    let branches = Txn::new().and_then([put("a")]).or_else([put("a")]);
    let put_or_delete = Txn::new().and_then([put("a")]).or_else([delete(a())]);
    let delete_or_put = Txn::new().and_then([delete(a())]).or_else([put("a")]);
    for txn in [&branches, &put_or_delete, &delete_or_put] {
        assert_eq!(txn.check(), Ok(()));
    }
    let table = [
        vec![branches.into()],
        vec![put_or_delete.into()],
        vec![delete_or_put.into()],
        vec![put("a"), put("b")],
        vec![delete(a()), delete(a()), delete(KeyRange::key("a"))],
        vec![delete(a()), put("b")],
        vec![Range::key("a").into(), put("a"), Range::all().into()],
        vec![when_success([put("a")]), when_success([delete(a())])],
        vec![delete(KeyRange::all()), put("a")],
    ];
    for ops in table {
        assert_eq!(Txn::new().and_then(ops.clone()).check(), Ok(()), "{ops:?}");
    }
}

#[test]
fn a_transaction_is_a_read_only_if_no_path_writes() {
    let read = Txn::new()
        .and_then([Range::key("a")])
        .or_else([Range::key("b")]);
    assert!(Txn::new().is_read());
    assert!(read.is_read());
    assert!(Txn::new().or_else([read]).is_read());
    assert!(!Txn::new().or_else([put("a")]).is_read());
    assert!(!Txn::new().and_then([delete(KeyRange::all())]).is_read());
    assert!(
        !Txn::new()
            .and_then([when_failure([when_success([put("a")])])])
            .is_read()
    );
}

#[test]
fn reads_are_repeatable_and_of_the_rest_only_renewals_and_revokes() {
    fn class(call: &impl Call) -> (bool, bool) {
        (call.is_read(), call.is_repeatable())
    }

    let read = (true, true);
    assert_eq!(class(&Range::all()), read);
    assert_eq!(class(&LeaseTimeToLive::new(7)), read);
    assert_eq!(class(&LeaseLeases::new()), read);
    assert_eq!(class(&StatusRequest::new()), read);
    assert_eq!(class(&VersionRequest::new()), read);
    assert_eq!(class(&HealthRequest::new()), read);
    assert_eq!(class(&LeaseKeepAlive::new(7)), (false, true));
    assert_eq!(class(&LeaseRevoke::new(7)), (false, true));
    let write = (false, false);
    assert_eq!(class(&Put::new("k", "v")), write);
    assert_eq!(class(&DeleteRange::key("k")), write);
    assert_eq!(class(&Compact::new(7)), write);
    // Until a client gives it an id.
    assert_eq!(class(&LeaseGrant::new(60)), write);
}

#[test]
fn a_branch_that_reads_at_a_revision_and_writes_is_refused() {
    let at_revision = || TxnOp::from(Range::key("r").with_revision(5));
    let refused = Err(Misuse::RangeAtRevisionWithWrite);
    for ops in [
        vec![at_revision(), put("a")],
        vec![put("a"), at_revision()],
        vec![at_revision(), delete(KeyRange::key("a"))],
        vec![at_revision(), when_failure([when_success([put("a")])])],
        vec![when_success([at_revision(), put("a")])],
        vec![
            put("b"),
            when_failure([when_failure([put("a"), at_revision()])]),
        ],
    ] {
        assert_eq!(Txn::new().and_then(ops.clone()).check(), refused, "{ops:?}");
        assert_eq!(Txn::new().or_else(ops.clone()).check(), refused, "{ops:?}");
    }
    let text = Misuse::RangeAtRevisionWithWrite.to_string();
    assert!(text.contains("18667"), "{text}");

    for ops in [
        vec![at_revision()],
        vec![Range::key("r").into(), put("a")],
        vec![at_revision(), when_success([Range::all().into()])],
        vec![when_success([at_revision()]), put("a")],
    ] {
        assert_eq!(Txn::new().and_then(ops.clone()).check(), Ok(()), "{ops:?}");
    }
    let apart = Txn::new().and_then([at_revision()]).or_else([put("a")]);
    assert_eq!(apart.check(), Ok(()));
}

#[test]
fn what_etcd_could_only_refuse_is_refused_before() {
    fn of(call: &impl Call) -> Option<Misuse> {
        call.check().err()
    }

    let limit = 9_000_000_000;
    assert_eq!(of(&LeaseGrant::new(limit)), None);
    assert_eq!(of(&LeaseGrant::new(-1)), None);
    assert_eq!(
        of(&LeaseGrant::new(limit + 1)),
        Some(Misuse::TtlTooLarge { limit })
    );
    assert_eq!(of(&Unlock::new("")), Some(Misuse::EmptyLockKey));
    assert_eq!(of(&Lock::new("")), None);
    let nobody = LeaderKey::default;
    assert_eq!(of(&Proclaim::new(nobody(), "v")), Some(Misuse::NoLeaderKey));
    assert_eq!(of(&Resign::new(nobody())), Some(Misuse::NoLeaderKey));
    let member = Some(Misuse::NoMemberId);
    assert_eq!(of(&MoveLeader::new(0)), member);
    assert_eq!(of(&MemberRemove::new(0)), member);
    assert_eq!(of(&MemberPromote::new(0)), member);
    assert_eq!(of(&MemberUpdate::new(0, ["http://a:1"])), member);
    for version in ["", "3", "new"] {
        assert_eq!(
            of(&Downgrade::enable(version)),
            Some(Misuse::BadVersion),
            "{version}"
        );
    }
    assert_eq!(of(&Downgrade::validate("3.5")), None);
    assert_eq!(of(&Downgrade::cancel()), None);
    for name in ["a b", "../x", "a?b", "a%20"] {
        assert_eq!(
            of(&Readyz::new().with_check(name)),
            Some(Misuse::BadCheckName),
            "{name}"
        );
        assert_eq!(
            of(&Livez::new().with_exclude(name)),
            Some(Misuse::BadCheckName),
            "{name}"
        );
    }
    assert_eq!(
        of(&Readyz::new().with_exclude("")),
        Some(Misuse::BadCheckName)
    );
    assert_eq!(of(&Readyz::new().with_check("linearizable_read")), None);
}

#[test]
fn urls_of_peers_are_those_that_etcd_takes() {
    assert_eq!(MemberAdd::new([""; 0]).check(), Err(Misuse::NoPeerUrls));
    for url in [
        "http://a:1",
        "https://[::1]:2380",
        "HTTP://10.0.0.7:2380",
        " http://a:1 ",
        "unix://socket",
        "unixs://a:1",
    ] {
        assert_eq!(MemberAdd::new([url]).check(), Ok(()), "{url}");
    }
    for url in [
        "",
        "a:1",
        "a",
        "http://",
        "http://a",
        "http://a:1/",
        "http://a:1/x",
        "http://[::1]",
        "http://::1:2380",
        "http://a:x",
        "ftp://a:1",
    ] {
        let refused = Err(Misuse::BadPeerUrl { place: 1 });
        assert_eq!(
            MemberAdd::new(["http://a:1", url]).check(),
            refused,
            "{url}"
        );
        assert_eq!(
            MemberUpdate::new(7, ["http://a:1", url]).check(),
            refused,
            "{url}"
        );
    }
}

#[test]
fn names_and_passwords_may_not_be_empty() {
    let name = Err(Misuse::EmptyName);
    assert_eq!(Authenticate::new("", "p").check(), name);
    assert_eq!(UserAdd::new("", "p").check(), name);
    assert_eq!(UserGet::new("").check(), name);
    assert_eq!(UserDelete::new("").check(), name);
    assert_eq!(UserChangePassword::new("", "p").check(), name);
    assert_eq!(UserGrantRole::new("", "r").check(), name);
    assert_eq!(UserGrantRole::new("u", "").check(), name);
    assert_eq!(UserRevokeRole::new("u", "").check(), name);
    assert_eq!(RoleAdd::new("").check(), name);
    assert_eq!(RoleGet::new("").check(), name);
    assert_eq!(RoleDelete::new("").check(), name);
    assert_eq!(
        RoleGrantPermission::new("", Permission::read("a")).check(),
        name
    );
    assert_eq!(RoleRevokePermission::new("", "a").check(), name);
    let empty = RoleGrantPermission::new("r", Permission::default());
    assert_eq!(empty.check(), Err(Misuse::EmptyKey));

    assert_eq!(UserAdd::new("u", "").check(), Err(Misuse::EmptyPassword));
    assert_eq!(
        UserChangePassword::new("u", "").check(),
        Err(Misuse::EmptyPassword)
    );
    assert_eq!(UserAdd::no_password("u").check(), Ok(()));
    let mut both = UserAdd::no_password("u");
    both.password = "p".to_owned();
    assert_eq!(both.check(), Err(Misuse::PasswordWithNoPassword));
    // The hash is not heeded by servers, which would add a user with the empty password.
    let hashed = r#"{"name":"u","hashedPassword":"JDJhJDEw"}"#;
    let hashed: UserAdd = serde_json::from_str(hashed).unwrap();
    assert_eq!(hashed.check(), Err(Misuse::EmptyPassword));
}

#[test]
fn every_misuse_says_what_to_do() {
    let remedies = [
        "give",
        "ask",
        "leave",
        "split",
        "keep",
        "take",
        "read in",
        "write it as",
        "is not http",
    ];
    for misuse in [
        Misuse::EmptyKey,
        Misuse::ValueWithIgnoreValue,
        Misuse::LeaseWithIgnoreLease,
        Misuse::TooManyOps { count: 129 },
        Misuse::DuplicateKey,
        Misuse::TxnTooDeep { limit: 8 },
        Misuse::RangeAtRevisionWithWrite,
        Misuse::TtlTooLarge { limit: 9 },
        Misuse::EmptyName,
        Misuse::EmptyPassword,
        Misuse::PasswordWithNoPassword,
        Misuse::NoPeerUrls,
        Misuse::BadPeerUrl { place: 0 },
        Misuse::NoMemberId,
        Misuse::BadVersion,
        Misuse::EmptyLockKey,
        Misuse::NoLeaderKey,
        Misuse::BadHeader,
        Misuse::UnknownId,
    ] {
        let text = misuse.to_string();
        assert!(
            remedies.iter().any(|remedy| text.contains(remedy)),
            "{text}"
        );
    }
}

#[test]
fn of_the_upkeep_what_only_looks_is_a_read() {
    fn reads(calls: &[&dyn Fn() -> bool]) -> usize {
        calls.iter().filter(|is_read| is_read()).count()
    }

    let reading: &[&dyn Fn() -> bool] = &[
        &|| MemberList::new().is_read(),
        &|| AlarmRequest::list().is_read(),
        &|| HashRequest::new().is_read(),
        &|| HashKv::new(0).is_read(),
        &|| Downgrade::validate("3.5").is_read(),
        &|| AuthStatus::new().is_read(),
        &|| Authenticate::new("u", "p").is_read(),
        &|| UserGet::new("u").is_read(),
        &|| UserList::new().is_read(),
        &|| RoleGet::new("r").is_read(),
        &|| RoleList::new().is_read(),
        &|| Leader::new("e").is_read(),
        &|| Livez::new().is_read(),
        &|| Readyz::new().is_read(),
        &|| MetricsRequest::new().is_read(),
    ];
    assert_eq!(reads(reading), reading.len());
    let writing: &[&dyn Fn() -> bool] = &[
        &|| MemberAdd::new(["http://a:1"]).is_repeatable(),
        &|| MemberRemove::new(7).is_repeatable(),
        &|| MemberUpdate::new(7, ["http://a:1"]).is_repeatable(),
        &|| MemberPromote::new(7).is_repeatable(),
        &|| AlarmRequest::activate(7, AlarmType::NoSpace).is_repeatable(),
        &|| AlarmRequest::deactivate(7, AlarmType::NoSpace).is_repeatable(),
        &|| Defragment::new().is_repeatable(),
        &|| MoveLeader::new(7).is_repeatable(),
        &|| Downgrade::enable("3.5").is_repeatable(),
        &|| AuthEnable::new().is_repeatable(),
        &|| AuthDisable::new().is_repeatable(),
        &|| UserAdd::new("u", "p").is_repeatable(),
        &|| RoleAdd::new("r").is_repeatable(),
        &|| Lock::new("l").is_repeatable(),
        &|| Unlock::new("l/7").is_repeatable(),
        &|| Campaign::new("e", "v").is_repeatable(),
        &|| Resign::new(LeaderKey::default()).is_repeatable(),
    ];
    assert_eq!(reads(writing), 0);
}
