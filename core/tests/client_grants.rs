//! Grants and revokes of leases whose answers were lost (rules L-1 and R-3, guarantee G29).

mod support;

use support::check;

#[test]
fn l1_g29_a_grant_has_an_id_of_the_clients_own_and_a_second_attempt_recognizes_the_first() {
    check(
        r#"
        > client a b
        > grant
        connect 1 to a
        > open 1
        send 1: POST /v3/lease/grant {"ID":"4372227528592078081","TTL":"10"}
        > eof 1
        close 1
        connect 2 to b
        > open 2
        send 2: POST /v3/lease/grant {"ID":"4372227528592078081","TTL":"10"}
        > answer 2 400 {"code":9,"message":"etcdserver: lease already exists"}
        send 2: POST /v3/lease/timetolive {"ID":"4372227528592078081"}
        > answer 2 200 {"ID":"1","TTL":"9","grantedTTL":"10"}
        call 1: LeaseGrant
        "#,
    );
}

#[test]
fn r3_a_second_attempt_may_as_well_be_the_one_that_grants() {
    check(
        r#"
        > client a b
        > grant
        connect 1 to a
        > open 1
        send 1: POST /v3/lease/grant {"ID":"4372227528592078081","TTL":"10"}
        > eof 1
        close 1
        connect 2 to b
        > open 2
        send 2: POST /v3/lease/grant {"ID":"4372227528592078081","TTL":"10"}
        > answer 2 200 {"ID":"1","TTL":"10"}
        call 1: LeaseGrant
        "#,
    );
}

#[test]
fn r3_that_a_lease_exists_is_an_error_where_no_answer_was_lost() {
    check(
        r#"
        > client a b
        > grant
        connect 1 to a
        > refuse 1
        close 1
        connect 2 to b
        > open 2
        send 2: POST /v3/lease/grant {"ID":"4372227528592078081","TTL":"10"}
        > answer 2 400 {"code":9,"message":"etcdserver: lease already exists"}
        call 1: Etcd, not applied: etcdserver: lease already exists (FailedPrecondition)
        "#,
    );
}

#[test]
fn r3_what_becomes_of_the_question_for_its_time_is_what_becomes_of_the_grant() {
    // The question is repeated, too. A lease that has ended meanwhile is not found.
    check(
        r#"
        > client a b
        > grant
        connect 1 to a
        > open 1
        send 1: POST /v3/lease/grant {"ID":"4372227528592078081","TTL":"10"}
        > eof 1
        close 1
        connect 2 to b
        > open 2
        send 2: POST /v3/lease/grant {"ID":"4372227528592078081","TTL":"10"}
        > answer 2 400 {"code":9,"message":"etcdserver: lease already exists"}
        send 2: POST /v3/lease/timetolive {"ID":"4372227528592078081"}
        > eof 2
        close 2
        connect 3 to a
        > wait 30ms
        > open 3
        send 3: POST /v3/lease/timetolive {"ID":"4372227528592078081"}
        > answer 3 200 {"ID":"1","TTL":"-1"}
        call 1: Etcd, maybe applied: etcdserver: requested lease not found (NotFound)
        > grant timeout=1s
        send 3: POST /v3/lease/grant {"ID":"6548292919311177087","TTL":"10"}
        > eof 3
        close 3
        connect 4 to b
        > wait 60ms
        > open 4
        send 4: POST /v3/lease/grant {"ID":"6548292919311177087","TTL":"10"}
        > answer 4 400 {"code":9,"message":"etcdserver: lease already exists"}
        send 4: POST /v3/lease/timetolive {"ID":"6548292919311177087"}
        > wait 2s
        at 1.03s
        call 2: Timeout, maybe applied: deadline passed while waiting for the answer
        close 4
        "#,
    );
}

#[test]
fn r3_a_grant_with_an_id_of_the_users_own_or_of_the_servers_is_not_repeated() {
    check(
        r#"
        > client a b
        > grant id=7
        connect 1 to a
        > open 1
        send 1: POST /v3/lease/grant {"ID":"7","TTL":"10"}
        > eof 1
        close 1
        call 1: Unavailable, maybe applied: no endpoint could serve the call: connection lost: server closed the connection and said nothing; if this port speaks TLS, use https://
        > grant by=server
        connect 2 to b
        > open 2
        send 2: POST /v3/lease/grant {"TTL":"10"}
        > eof 2
        close 2
        call 2: Unavailable, maybe applied: no endpoint could serve the call: connection lost: server closed the connection and said nothing; if this port speaks TLS, use https://
        "#,
    );
}

#[test]
fn r3_a_second_revoke_that_finds_no_lease_is_the_success_of_the_first() {
    check(
        r#"
        > client a b
        > end 7
        connect 1 to a
        > open 1
        send 1: POST /v3/lease/revoke {"ID":"7"}
        > eof 1
        close 1
        connect 2 to b
        > open 2
        send 2: POST /v3/lease/revoke {"ID":"7"}
        > answer 2 404 {"code":5,"message":"etcdserver: requested lease not found"}
        call 1: LeaseRevoke
        "#,
    );
}

#[test]
fn r3_a_revoke_that_finds_no_lease_failed_where_no_answer_was_lost() {
    check(
        r#"
        > client a b
        > end 7
        connect 1 to a
        > refuse 1
        close 1
        connect 2 to b
        > open 2
        send 2: POST /v3/lease/revoke {"ID":"7"}
        > answer 2 404 {"code":5,"message":"etcdserver: requested lease not found"}
        call 1: Etcd, not applied: etcdserver: requested lease not found (NotFound)
        "#,
    );
}

#[test]
fn l7_g29_a_kept_lease_counts_from_the_attempt_that_may_have_made_it() {
    check(
        r#"
        > client a b
        > lease 10
        connect 1 to a
        > open 1
        send 1: POST /v3/lease/grant {"ID":"6548292919311177087","TTL":"10"}
        > wait 1s
        > eof 1
        close 1
        connect 2 to b
        > wait 1s
        > open 2
        send 2: POST /v3/lease/grant {"ID":"6548292919311177087","TTL":"10"}
        > wait 1s
        > answer 2 400 {"code":9,"message":"etcdserver: lease already exists"}
        send 2: POST /v3/lease/timetolive {"ID":"6548292919311177087"}
        > answer 2 200 {"ID":"1","TTL":"9","grantedTTL":"10"}
        lease 1: active for 10 s, until 9.99s
        "#,
    );
}

#[test]
fn l7_a_kept_lease_counts_from_the_attempt_that_made_it() {
    check(
        r#"
        > client a b
        > lease 10 id=7
        connect 1 to a
        > refuse 1
        close 1
        connect 2 to b
        > wait 1s
        > open 2
        send 2: POST /v3/lease/grant {"ID":"7","TTL":"10"}
        > wait 1s
        > answer 2 200 {"ID":"7","TTL":"10"}
        lease 1: active for 10 s, until 10.99s
        "#,
    );
}

/// The same where that attempt was answered, and its answer promised nothing (seed 623327).
#[test]
fn l7_g25_a_kept_lease_counts_from_an_attempt_whose_answer_promised_nothing() {
    check(
        r#"
        > client a
        > lease 10
        connect 1 to a
        > open 1
        send 1: POST /v3/lease/grant {"ID":"4367966227536309105","TTL":"10"}
        > wait 3s
        > answer 1 503 {"code":14,"message":"etcdserver: request timed out"}
        > wait 100ms
        at 3.01642852s
        send 1: POST /v3/lease/grant {"ID":"4367966227536309105","TTL":"10"}
        > answer 1 400 {"code":9,"message":"etcdserver: lease already exists"}
        send 1: POST /v3/lease/timetolive {"ID":"4367966227536309105"}
        > answer 1 200 {"ID":"1","TTL":"7","grantedTTL":"10"}
        lease 1: active for 10 s, until 9.99s
        "#,
    );
}
