//! Leases that are kept alive, in virtual time. Names say the rule (semantics.md 2.7) and the guarantee
//! (reliability.md 3) that a test holds.

mod support;

use support::check;

#[test]
fn l3_l7_g25_a_lease_counts_from_when_its_grant_was_sent() {
    // The answer comes 2 s late: that is nobody's gain. The first renewal, too, counts from the sending.
    check(
        r#"
        > client a
        > lease 10 id=7
        connect 1 to a
        > open 1
        send 1: POST /v3/lease/grant {"ID":"7","TTL":"10"}
        > state 1
        state 1: Starting, ttl 0
        > wait 2s
        > answer 1 200 {"ID":"7","TTL":"10"}
        lease 1: active for 10 s, until 9.99s
        > state 1
        state 1: Active, ttl 10, until 9.99s
        > wait 2s
        at 3.573356655s
        connect 2 to a
        > open 2
        send 2: POST /v3/lease/keepalive (open, with a leader)
        send 2: {"ID":"7"}
        > frame 2 {"ID":"7","TTL":"10"}
        lease 1: active for 10 s, until 13.99s
        > state 1
        state 1: Active, ttl 10, until 13.99s
        "#,
    );
}

#[test]
fn l3_nothing_is_sent_before_the_connection_is_open() {
    // So the time it took to open is not taken off the lease's.
    check(
        r#"
        > client a
        > lease 10 id=7
        connect 1 to a
        > wait 1s
        > open 1
        send 1: POST /v3/lease/grant {"ID":"7","TTL":"10"}
        > answer 1 200 {"ID":"7","TTL":"10"}
        lease 1: active for 10 s, until 10.99s
        > release 1
        lease 1: end: released by the caller
        > alive 8
        connect 2 to a
        > wait 500ms
        > open 2
        send 2: POST /v3/lease/keepalive (open, with a leader)
        send 2: {"ID":"8"}
        > frame 2 {"ID":"8","TTL":"10"}
        lease 2: active for 10 s, until 11.49s
        "#,
    );
}

#[test]
fn l3_the_time_that_was_granted_counts_and_not_the_one_asked_for() {
    check(
        r#"
        > client a
        > lease 1 id=7
        connect 1 to a
        > open 1
        send 1: POST /v3/lease/grant {"ID":"7","TTL":"1"}
        > answer 1 200 {"ID":"7","TTL":"60"}
        lease 1: active for 60 s, until 59.94s
        > until 17s
        > until 23s
        at 20.311326171s
        connect 2 to a
        at 21.311326171s
        close 2
        connect 3 to a
        at 22.311326171s
        close 3
        connect 4 to a
        "#,
    );
}

#[test]
fn l4_g23_a_third_of_the_time_is_between_renewals_and_a_tenth_of_that_is_chance() {
    check(
        r#"
        > client a
        > alive 7
        connect 1 to a
        > open 1
        send 1: POST /v3/lease/keepalive (open, with a leader)
        send 1: {"ID":"7"}
        > frame 1 {"ID":"7","TTL":"30"}
        lease 1: active for 30 s, until 29.97s
        > until 11s
        at 10.906689989s
        send 1: {"ID":"7"}
        > frame 1 {"ID":"7","TTL":"30"}
        lease 1: active for 30 s, until 40.876689989s
        > until 20500ms
        at 20.266436204s
        send 1: {"ID":"7"}
        > frame 1 {"ID":"7","TTL":"30"}
        lease 1: active for 30 s, until 50.236436204s
        > until 30s
        "#,
    );
}

#[test]
fn l4_renewals_are_at_least_half_a_second_apart() {
    check(
        r#"
        > client a
        > alive 7
        connect 1 to a
        > open 1
        send 1: POST /v3/lease/keepalive (open, with a leader)
        send 1: {"ID":"7"}
        > frame 1 {"ID":"7","TTL":"1"}
        lease 1: active for 1 s, until 999ms
        > wait 499ms
        > wait 1ms
        at 500ms
        send 1: {"ID":"7"}
        > frame 1 {"ID":"7","TTL":"1"}
        lease 1: active for 1 s, until 1.499s
        > wait 499ms
        > wait 1ms
        at 1s
        send 1: {"ID":"7"}
        "#,
    );
}

#[test]
fn l5_g24_a_renewal_that_is_not_answered_goes_to_the_next_endpoint_in_time() {
    // 3 s at two endpoints, both of them silent: four attempts, two at each, before the lease is given up.
    check(
        r#"
        > client a b
        > alive 7 ttl=3
        lease 1: active for 3 s, until 2.997s
        > until 1100ms
        at 987.244082ms
        connect 1 to a
        > open 1
        send 1: POST /v3/lease/keepalive (open, with a leader)
        send 1: {"ID":"7"}
        > until 1600ms
        at 1.6s
        close 1
        connect 2 to b
        > open 2
        send 2: POST /v3/lease/keepalive (open, with a leader)
        send 2: {"ID":"7"}
        > until 2100ms
        at 2s
        lease 1: at risk, until 2.997s
        at 2.1s
        close 2
        connect 3 to a
        > open 3
        send 3: POST /v3/lease/keepalive (open, with a leader)
        send 3: {"ID":"7"}
        > until 2600ms
        at 2.6s
        close 3
        connect 4 to b
        > open 4
        send 4: POST /v3/lease/keepalive (open, with a leader)
        send 4: {"ID":"7"}
        > until 3100ms
        at 2.997s
        lease 1: expired at 2.997s
        at 3.1s
        close 4
        connect 5 to a
        "#,
    );
}

#[test]
fn l5_as_long_as_a_server_answers_the_others_it_is_not_silent() {
    // Answers come in their order: one that is late behind others is not asked for again.
    check(
        r#"
        > client a b
        > alive 7
        connect 1 to a
        > alive 8
        > alive 9
        > open 1
        send 1: POST /v3/lease/keepalive (open, with a leader)
        send 1: {"ID":"7"}
        send 1: {"ID":"8"}
        send 1: {"ID":"9"}
        > wait 900ms
        > frame 1 {"ID":"7","TTL":"60"}
        lease 1: active for 60 s, until 59.94s
        > wait 900ms
        > frame 1 {"ID":"8","TTL":"60"}
        lease 2: active for 60 s, until 59.94s
        > wait 1s
        at 2.8s
        close 1
        connect 2 to b
        "#,
    );
}

#[test]
fn l5_at_most_one_renewal_of_a_lease_is_under_way() {
    check(
        r#"
        > client a
        > alive 7 ttl=3
        lease 1: active for 3 s, until 2.997s
        > until 1s
        at 923.238911ms
        connect 1 to a
        > open 1
        send 1: POST /v3/lease/keepalive (open, with a leader)
        send 1: {"ID":"7"}
        > alive 8
        send 1: {"ID":"8"}
        > wait 450ms
        > frame 1 {"ID":"7","TTL":"3"}
        lease 1: active for 3 s, until 3.997s
        > until 5s
        at 1.945481527s
        send 1: {"ID":"7"}
        at 2.445481527s
        close 1
        connect 2 to a
        at 2.945481527s
        close 2
        connect 3 to a
        at 3s
        lease 1: at risk, until 3.997s
        at 3.445481527s
        close 3
        connect 4 to a
        at 3.945481527s
        close 4
        connect 5 to a
        at 3.997s
        lease 1: expired at 3.997s
        at 4.445481527s
        close 5
        connect 6 to a
        at 4.945481527s
        close 6
        connect 7 to a
        "#,
    );
}

#[test]
fn l6_g26_its_states_are_told_at_their_moments_whether_bytes_move_or_not() {
    check(
        r#"
        > client a
        > alive 7 ttl=9
        lease 1: active for 9 s, until 8.991s
        > until 3s
        > state 1
        state 1: Active, ttl 9, until 8.991s
        > until 6s
        at 3.185054487s
        connect 1 to a
        at 4.185054487s
        close 1
        connect 2 to a
        at 5.185054487s
        close 2
        connect 3 to a
        at 6s
        lease 1: at risk, until 8.991s
        > state 1
        state 1: AtRisk, ttl 9, until 8.991s
        > until 8991ms
        at 6.185054487s
        close 3
        connect 4 to a
        at 7.185054487s
        close 4
        connect 5 to a
        at 8.185054487s
        close 5
        connect 6 to a
        at 8.991s
        lease 1: expired at 8.991s
        > state 1
        state 1: Expired, ttl 9, until 8.991s
        "#,
    );
}

#[test]
fn g27_a_late_confirmation_makes_an_expired_lease_active_again() {
    check(
        r#"
        > client a
        > alive 7 ttl=2
        lease 1: active for 2 s, until 1.998s
        > until 1990ms
        at 689.905578ms
        connect 1 to a
        at 1.189905578s
        close 1
        connect 2 to a
        at 1.333333332s
        lease 1: at risk, until 1.998s
        at 1.689905578s
        close 2
        connect 3 to a
        > open 3
        send 3: POST /v3/lease/keepalive (open, with a leader)
        send 3: {"ID":"7"}
        > until 2s
        at 1.998s
        lease 1: expired at 1.998s
        > frame 3 {"ID":"7","TTL":"2"}
        lease 1: active for 2 s, until 3.988s
        > state 1
        state 1: Active, ttl 2, until 3.988s
        "#,
    );
}

#[test]
fn g27_a_confirmation_that_comes_too_late_revives_nothing() {
    // It is of a renewal that was sent so long ago that the lease may have ended since.
    check(
        r#"
        > client a
        > alive 7
        connect 1 to a
        > open 1
        send 1: POST /v3/lease/keepalive (open, with a leader)
        send 1: {"ID":"7"}
        > frame 1 {"ID":"7","TTL":"2"}
        lease 1: active for 2 s, until 1.998s
        > ignore 1
        > until 700ms
        at 689.905578ms
        send 1: {"ID":"7"}
        > sleep 3s
        > frame 1 {"ID":"7","TTL":"2"}
        lease 1 has something
        send 1: {"ID":"7"}
        > look 1
        lease 1: expired at 2.687905578s
        "#,
    );
}

#[test]
fn g27_lost_is_told_once_and_nothing_revives_it() {
    check(
        r#"
        > client a
        > alive 7
        connect 1 to a
        > alive 8
        > open 1
        send 1: POST /v3/lease/keepalive (open, with a leader)
        send 1: {"ID":"7"}
        send 1: {"ID":"8"}
        > frame 1 {"ID":"7"}
        lease 1: end: the lease is gone
        > state 1
        state 1: none
        > frame 1 {"ID":"8","TTL":"10"}
        lease 2: active for 10 s, until 9.99s
        > frame 1 {"ID":"7","TTL":"10"}
        close 1
        > revoke 1
        > release 1
        "#,
    );
}

#[test]
fn g28_a_lost_answer_is_no_lost_lease() {
    check(
        r#"
        > client a b
        > alive 7 ttl=9
        lease 1: active for 9 s, until 8.991s
        > until 3300ms
        at 3.162073337s
        connect 1 to a
        > open 1
        send 1: POST /v3/lease/keepalive (open, with a leader)
        send 1: {"ID":"7"}
        > eof 1
        close 1
        connect 2 to b
        > open 2
        send 2: POST /v3/lease/keepalive (open, with a leader)
        send 2: {"ID":"7"}
        > frame 2 {"ID":"7","TTL":"9"}
        lease 1: active for 9 s, until 12.291s
        "#,
    );
}

#[test]
fn g23_after_a_failure_a_renewal_waits_at_most_a_tenth_of_the_time() {
    check(
        r#"
        > client a b
        > alive 7 ttl=3
        lease 1: active for 3 s, until 2.997s
        > until 1050ms
        at 987.244082ms
        connect 1 to a
        > refuse 1
        close 1
        connect 2 to b
        > refuse 2
        close 2
        > wait 30ms
        at 1.070860227s
        connect 3 to a
        > refuse 3
        close 3
        connect 4 to b
        > refuse 4
        close 4
        > wait 60ms
        at 1.121275952s
        connect 5 to a
        > refuse 5
        close 5
        connect 6 to b
        > refuse 6
        close 6
        > wait 110ms
        at 1.190939237s
        connect 7 to a
        > refuse 7
        close 7
        connect 8 to b
        > refuse 8
        close 8
        > wait 220ms
        at 1.34315665s
        connect 9 to a
        > refuse 9
        close 9
        connect 10 to b
        > refuse 10
        close 10
        > wait 300ms
        at 1.689929068s
        connect 11 to a
        > refuse 11
        close 11
        connect 12 to b
        > refuse 12
        close 12
        > wait 300ms
        at 1.959166703s
        connect 13 to a
        at 2s
        lease 1: at risk, until 2.997s
        "#,
    );
}

#[test]
fn l8_of_what_was_not_looked_at_the_newest_is_kept() {
    check(
        r#"
        > client a
        > alive 7 ttl=9
        lease 1: active for 9 s, until 8.991s
        > ignore 1
        > until 9s
        at 3.185054487s
        connect 1 to a
        at 4.185054487s
        close 1
        connect 2 to a
        at 5.185054487s
        close 2
        connect 3 to a
        at 6s
        lease 1 has something
        at 6.185054487s
        close 3
        connect 4 to a
        at 7.185054487s
        close 4
        connect 5 to a
        at 8.185054487s
        close 5
        connect 6 to a
        > look 1
        lease 1: expired at 8.991s
        > ignore 1
        > release 1
        lease 1 has something
        > look 1
        lease 1: end: released by the caller
        "#,
    );
}

#[test]
fn l8_a_reader_that_does_not_look_holds_up_no_renewal() {
    check(
        r#"
        > client a
        > alive 7
        connect 1 to a
        > ignore 1
        > open 1
        send 1: POST /v3/lease/keepalive (open, with a leader)
        send 1: {"ID":"7"}
        > frame 1 {"ID":"7","TTL":"9"}
        lease 1 has something
        > until 3300ms
        at 3.185054487s
        send 1: {"ID":"7"}
        > frame 1 {"ID":"7","TTL":"9"}
        > until 6s
        > frame 1 {"ID":"7"}
        close 1
        > look 1
        lease 1: active for 9 s, until 12.176054487s
        "#,
    );
}

#[test]
fn l10_calls_that_wait_for_connections_do_not_hold_up_renewals() {
    check(
        r#"
        > client a connections=1
        > put k 1
        connect 1 to a
        > open 1
        send 1: POST /v3/kv/put {"key":"k","value":"1"}
        > put k 2
        > alive 7
        connect 2 to a
        > open 2
        send 2: POST /v3/lease/keepalive (open, with a leader)
        send 2: {"ID":"7"}
        > frame 2 {"ID":"7","TTL":"10"}
        lease 1: active for 10 s, until 9.99s
        "#,
    );
}

#[test]
fn l12_g30_after_a_sleep_the_user_is_told_before_anything_is_sent() {
    check(
        r#"
        > client a
        > alive 7
        connect 1 to a
        > alive 8
        > open 1
        send 1: POST /v3/lease/keepalive (open, with a leader)
        send 1: {"ID":"7"}
        send 1: {"ID":"8"}
        > frame 1 {"ID":"7","TTL":"10"}
        lease 1: active for 10 s, until 9.99s
        > frame 1 {"ID":"8","TTL":"60"}
        lease 2: active for 60 s, until 59.94s
        > sleep 50s
        > put k v
        lease 1: expired at 9.99s
        lease 2: at risk, until 59.94s
        connect 2 to a
        close 1
        connect 3 to a
        > release 1
        lease 1: end: released by the caller
        "#,
    );
}

#[test]
fn l12_g30_bytes_that_waited_out_a_sleep_are_looked_at_after_the_clock() {
    check(
        r#"
        > client a
        > alive 7 ttl=9
        lease 1: active for 9 s, until 8.991s
        > until 3300ms
        at 3.185054487s
        connect 1 to a
        > open 1
        send 1: POST /v3/lease/keepalive (open, with a leader)
        send 1: {"ID":"7"}
        > sleep 5600ms
        > frame 1 {"ID":"7","TTL":"9"}
        lease 1: active for 9 s, until 12.291s
        send 1: {"ID":"7"}
        > sleep 10s
        > frame 1 {"ID":"7","TTL":"9"}
        lease 1: expired at 17.891s
        send 1: {"ID":"7"}
        "#,
    );
}

#[test]
fn a_lease_that_was_granted_too_long_ago_is_expired_from_the_beginning() {
    check(
        r#"
        > client a
        > wait 20s
        > alive 7 ttl=10 sent=5s
        lease 1: expired at 14.99s
        connect 1 to a
        > open 1
        send 1: POST /v3/lease/keepalive (open, with a leader)
        send 1: {"ID":"7"}
        > frame 1 {"ID":"7","TTL":"10"}
        lease 1: active for 10 s, until 29.99s
        "#,
    );
}

#[test]
fn a_released_lease_is_not_renewed_any_more() {
    check(
        r#"
        > client a
        > alive 7
        connect 1 to a
        > open 1
        send 1: POST /v3/lease/keepalive (open, with a leader)
        send 1: {"ID":"7"}
        > frame 1 {"ID":"7","TTL":"10"}
        lease 1: active for 10 s, until 9.99s
        > release 1
        lease 1: end: released by the caller
        > state 1
        state 1: none
        > until 60s
        > release 1
        > alive 8
        close 1
        connect 2 to a
        > release 2
        lease 2: end: released by the caller
        > lease 10 id=9
        connect 3 to a
        > open 2
        send 2: POST /v3/lease/keepalive (open, with a leader)
        send 2: {"ID":"8"}
        > release 3
        lease 3: end: released by the caller
        "#,
    );
}

#[test]
fn a_revoked_lease_is_uncertain_at_once_and_ends_with_the_answer() {
    check(
        r#"
        > client a
        > alive 7
        connect 1 to a
        > open 1
        send 1: POST /v3/lease/keepalive (open, with a leader)
        send 1: {"ID":"7"}
        > frame 1 {"ID":"7","TTL":"10"}
        lease 1: active for 10 s, until 9.99s
        > revoke 1
        connect 2 to a
        > state 1
        state 1: Revoking, ttl 10
        > release 1
        > open 2
        send 2: POST /v3/lease/revoke {"ID":"7"}
        > answer 2 200 {}
        lease 1: end: revoked by the caller
        > alive 8 ttl=10
        lease 2: active for 10 s, until 9.99s
        > revoke 2
        send 2: POST /v3/lease/revoke {"ID":"8"}
        > answer 2 404 {"code":5,"message":"etcdserver: requested lease not found"}
        lease 2: end: the lease is gone
        > alive 9 ttl=10
        lease 3: active for 10 s, until 9.99s
        > revoke 3
        send 2: POST /v3/lease/revoke {"ID":"9"}
        > answer 2 403 {"code":7,"message":"etcdserver: permission denied"}
        lease 3: end: etcdserver: permission denied (PermissionDenied)
        "#,
    );
}

#[test]
fn a_grant_that_is_revoked_before_its_answer_is_revoked_all_the_same() {
    check(
        r#"
        > client a
        > lease 10 id=7
        connect 1 to a
        > open 1
        send 1: POST /v3/lease/grant {"ID":"7","TTL":"10"}
        > revoke 1
        close 1
        connect 2 to a
        > open 2
        send 2: POST /v3/lease/revoke {"ID":"7"}
        > answer 2 404 {"code":5,"message":"etcdserver: requested lease not found"}
        lease 1: end: revoked by the caller
        > lease 10 by=server
        send 2: POST /v3/lease/grant {"TTL":"10"}
        > revoke 2
        close 2
        lease 2: end: released by the caller
        "#,
    );
}

#[test]
fn a_lease_that_is_not_granted_ends_with_the_reason() {
    check(
        r#"
        > client a leases=2
        > lease 9000000001
        lease 1: end: time to live is above 9000000000 s; ask for less
        > lease 10 id=7
        connect 1 to a
        > lease 10 id=8
        connect 2 to a
        > open 1
        send 1: POST /v3/lease/grant {"ID":"7","TTL":"10"}
        > answer 1 400 {"code":9,"message":"etcdserver: lease already exists"}
        lease 2: end: etcdserver: lease already exists (FailedPrecondition)
        send 1: POST /v3/lease/grant {"ID":"8","TTL":"10"}
        > lease 10 by=server
        > answer 1 200 {"ID":"3","TTL":"10"}
        lease 3: active for 10 s, until 9.99s
        send 1: POST /v3/lease/grant {"TTL":"10"}
        > lease 10 id=9
        lease 5: end: more than 2 leases kept alive
        > shutdown
        lease 3: end: the client was shut down
        lease 4: end: the client was shut down
        close 1
        close 2
        > lease 10
        lease 6: end: the client was shut down
        > alive 7
        lease 7: end: the client was shut down
        "#,
    );
}

#[test]
fn a_lease_that_nobody_confirms_ends_after_the_time_of_a_write() {
    check(
        r#"
        > client a write_timeout=1500ms
        > alive 7
        connect 1 to a
        > open 1
        send 1: POST /v3/lease/keepalive (open, with a leader)
        send 1: {"ID":"7"}
        > until 60s
        at 1s
        close 1
        connect 2 to a
        at 1.5s
        close 2
        lease 1: end: no endpoint could serve the call: connection lost: a deadline passed before the answer came
        "#,
    );
}

#[test]
fn a_renewal_that_is_refused_for_good_ends_its_lease_and_no_other() {
    check(
        r#"
        > client a b
        > alive 7
        connect 1 to a
        > alive 8
        > open 1
        send 1: POST /v3/lease/keepalive (open, with a leader)
        send 1: {"ID":"7"}
        send 1: {"ID":"8"}
        > frame 1 {"ID":"7","TTL":"10"}
        lease 1: active for 10 s, until 9.99s
        > alive 9
        send 1: {"ID":"9"}
        > error 1 {"code":7,"message":"etcdserver: permission denied"}
        close 1
        lease 2: end: etcdserver: permission denied (PermissionDenied)
        connect 2 to b
        > open 2
        send 2: POST /v3/lease/keepalive (open, with a leader)
        send 2: {"ID":"9"}
        > frame 2 {"ID":"9","TTL":"10"}
        lease 3: active for 10 s, until 9.99s
        "#,
    );
}

#[test]
fn a_revoke_that_a_shutdown_interrupts_is_in_doubt() {
    check(
        r#"
        > client a
        > alive 7 ttl=10
        lease 1: active for 10 s, until 9.99s
        > revoke 1
        connect 1 to a
        > alive 8 ttl=10
        lease 2: active for 10 s, until 9.99s
        > shutdown
        lease 1: end: no endpoint could serve the call: the client was shut down
        lease 2: end: the client was shut down
        close 1
        "#,
    );
}

#[test]
fn a_lease_is_renewed_with_the_token_of_the_day_and_ends_where_there_is_none() {
    check(
        r#"
        > client a user=root password=p
        > alive 7 ttl=9
        lease 1: active for 9 s, until 8.991s
        > until 3300ms
        at 3.185054487s
        connect 1 to a
        > open 1
        send 1: POST /v3/auth/authenticate {"name":"root","password":"p"}
        > answer 1 200 {"token":"T1"}
        connect 2 to a
        > open 2
        send 2: POST /v3/lease/keepalive (open, with a leader) as T1
        send 2: {"ID":"7"}
        > error 2 {"code":16,"message":"etcdserver: invalid auth token"}
        close 2
        send 1: POST /v3/auth/authenticate {"name":"root","password":"p"}
        > answer 1 200 {"token":"T2"}
        connect 3 to a
        > open 3
        send 3: POST /v3/lease/keepalive (open, with a leader) as T2
        send 3: {"ID":"7"}
        > frame 3 {"ID":"7","TTL":"9"}
        lease 1: active for 9 s, until 12.291s
        > until 6600ms
        at 6.581973866s
        send 3: {"ID":"7"}
        > error 3 {"code":16,"message":"etcdserver: invalid auth token"}
        close 3
        send 1: POST /v3/auth/authenticate {"name":"root","password":"p"}
        > wait 1100ms
        > deny 1 authentication failed, invalid user ID or password
        lease 1: end: credentials were refused: etcdserver: authentication failed, invalid user ID or password (InvalidArgument)
        "#,
    );
}
