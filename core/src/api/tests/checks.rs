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
fn reads_are_repeatable_and_of_the_rest_only_renewals() {
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
    let write = (false, false);
    assert_eq!(class(&Put::new("k", "v")), write);
    assert_eq!(class(&DeleteRange::key("k")), write);
    assert_eq!(class(&Compact::new(7)), write);
    assert_eq!(class(&LeaseGrant::new(60)), write);
    assert_eq!(class(&LeaseRevoke::new(7)), write);
}
