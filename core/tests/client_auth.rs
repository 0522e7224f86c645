//! Credentials and tokens in virtual time: rules A-1 to A-12 of semantics.md, each test by the rule it
//! holds. What a request carries stands after it: `as T1`.

#![allow(
    clippy::unwrap_used,
    reason = "a wrong configuration is the test's own"
)]

mod support;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use etcd_core::Authenticate;
use etcd_core::Client;
use etcd_core::Config;
use etcd_core::Credentials;
use etcd_core::Instant;
use etcd_core::Output;
use etcd_core::Range;
use support::World;
use support::check;
use support::check_without_replay;

/// Rule A-2, too: what stands behind `as` is the whole header, and there is no scheme in it.
#[test]
fn a1_a_token_of_ones_own_is_sent_as_it_is_and_its_refusal_is_the_end() {
    check(
        r#"
        > client a token=T1
        > put k v
        connect 1 to a
        > open 1
        send 1: POST /v3/kv/put {"key":"k","value":"v"} as T1
        > deny 1 invalid auth token
        call 1: Auth, not applied: credentials were refused: etcdserver: invalid auth token (Unauthenticated)
        > watch k
        connect 2 to a
        > open 2
        send 2: POST /v3/watch (open, with a leader) as T1
        send 2: {"create_request":{"key":"k","progress_notify":true,"watch_id":"1"}}
        > refused 2 id=-1 reason=rpc_error:_code_=_Unauthenticated_desc_=_etcdserver:_invalid_auth_token
        watch 1: end: credentials were refused: etcdserver: invalid auth token (Unauthenticated)
        close 2
        > credentials token=T2
        > put k v
        send 1: POST /v3/kv/put {"key":"k","value":"v"} as T2
        > answer 1 200 {}
        call 2: Put
        > credentials
        > put k v
        send 1: POST /v3/kv/put {"key":"k","value":"v"}
        "#,
    );
}

#[test]
fn a3_every_request_but_the_login_carries_the_token() {
    check(
        r#"
        > client a user=root password=p
        > renew 7
        connect 1 to a
        > open 1
        send 1: POST /v3/auth/authenticate {"name":"root","password":"p"}
        > answer 1 200 {"token":"T1"}
        connect 2 to a
        > open 2
        send 2: POST /v3/lease/keepalive (open, with a leader) as T1
        send 2: {"ID":"7"}
        > frame 2 {"ID":"7","TTL":"10"}
        call 1: LeaseKeepAlive 7 for 10 s
        > watch k
        connect 3 to a
        > open 3
        send 3: POST /v3/watch (open, with a leader) as T1
        send 3: {"create_request":{"key":"k","progress_notify":true,"watch_id":"1"}}
        > created 3 id=1 rev=10
        watch 1: created at 10
        > ask 1
        send 1: GET /version as T1
        > answer 1 200 {"etcdserver":"3.5.16"}
        send 3: {"progress_request":{}}
        > grant id=7
        send 1: POST /v3/lease/grant {"ID":"7","TTL":"10"} as T1
        > answer 1 200 {"ID":"7","TTL":"10"}
        call 4: LeaseGrant
        > put k v at=elsewhere
        connect 4 to elsewhere
        > open 4
        send 4: POST /v3/kv/put {"key":"k","value":"v"} as T1
        "#,
    );
}

#[test]
fn a4_one_login_serves_all_who_wait() {
    check(
        r#"
        > client a user=root password=p connections=3
        > get 1
        connect 1 to a
        > get 2
        > watch k
        > renew 7
        > open 1
        send 1: POST /v3/auth/authenticate {"name":"root","password":"p"}
        > answer 1 200 {"token":"T1"}
        send 1: POST /v3/kv/range {"key":"1"} as T1
        connect 2 to a
        connect 3 to a
        connect 4 to a
        "#,
    );
}

#[test]
fn a4_calls_refused_together_cause_one_login_and_late_ones_none() {
    check(
        r#"
        > client a user=root password=p connections=3
        > get 1
        connect 1 to a
        > open 1
        send 1: POST /v3/auth/authenticate {"name":"root","password":"p"}
        > answer 1 200 {"token":"T1"}
        send 1: POST /v3/kv/range {"key":"1"} as T1
        > answer 1 200 {}
        call 1: Range
        > get 2
        send 1: POST /v3/kv/range {"key":"2"} as T1
        > get 3
        connect 2 to a
        > get 4
        connect 3 to a
        > open 2
        send 2: POST /v3/kv/range {"key":"3"} as T1
        > open 3
        send 3: POST /v3/kv/range {"key":"4"} as T1
        > deny 1 invalid auth token
        send 1: POST /v3/auth/authenticate {"name":"root","password":"p"}
        > deny 2 invalid auth token
        > answer 1 200 {"token":"T2"}
        send 1: POST /v3/kv/range {"key":"2"} as T2
        send 2: POST /v3/kv/range {"key":"3"} as T2
        > deny 3 invalid auth token
        send 3: POST /v3/kv/range {"key":"4"} as T2
        > answer 1 200 {}
        call 3: Range
        > answer 2 200 {}
        call 4: Range
        > answer 3 200 {}
        call 5: Range
        "#,
    );
}

#[test]
fn a4_whoever_waits_for_a_token_keeps_its_deadline() {
    check(
        r#"
        > client a user=root password=p
        > get 1 timeout=100ms
        connect 1 to a
        > get 2
        > watch k
        > open 1
        send 1: POST /v3/auth/authenticate {"name":"root","password":"p"}
        > wait 5s
        at 100ms
        call 1: Timeout, not applied: deadline passed while waiting for a token
        at 5s
        close 1
        connect 2 to a
        call 3: Timeout, not applied: deadline passed while waiting for a token
        watch 1: end: deadline passed while waiting for a token
        "#,
    );
}

#[test]
fn a4_a_canceled_wait_ends_and_the_login_goes_on() {
    check(
        r#"
        > client a user=root password=p
        > get 1
        connect 1 to a
        > watch k
        > open 1
        send 1: POST /v3/auth/authenticate {"name":"root","password":"p"}
        > cancel 1
        call 1: Canceled, not applied: canceled by the caller
        > unwatch 1
        watch 1: end: canceled by the caller
        > answer 1 200 {"token":"T1"}
        > get 2
        send 1: POST /v3/kv/range {"key":"2"} as T1
        "#,
    );
}

#[test]
fn a5_each_of_the_three_errors_brings_another_token() {
    check(
        r#"
        > client a user=root password=p
        > put k v
        connect 1 to a
        > open 1
        send 1: POST /v3/auth/authenticate {"name":"root","password":"p"}
        > answer 1 200 {"token":"T1"}
        send 1: POST /v3/kv/put {"key":"k","value":"v"} as T1
        > deny 1 revision of auth store is old
        send 1: POST /v3/auth/authenticate {"name":"root","password":"p"}
        > answer 1 200 {"token":"T2"}
        send 1: POST /v3/kv/put {"key":"k","value":"v"} as T2
        > answer 1 200 {}
        call 1: Put
        > put k v
        send 1: POST /v3/kv/put {"key":"k","value":"v"} as T2
        > answer 1 500 {"error":"auth: revision in header is old","code":2}
        send 1: POST /v3/auth/authenticate {"name":"root","password":"p"}
        > answer 1 200 {"token":"T3"}
        send 1: POST /v3/kv/put {"key":"k","value":"v"} as T3
        > answer 1 200 {}
        call 4: Put
        > put k v
        send 1: POST /v3/kv/put {"key":"k","value":"v"} as T3
        > deny 1 user name is empty
        send 1: POST /v3/auth/authenticate {"name":"root","password":"p"}
        > answer 1 200 {"token":"T4"}
        send 1: POST /v3/kv/put {"key":"k","value":"v"} as T4
        > answer 1 200 {}
        call 6: Put
        > put k v
        send 1: POST /v3/kv/put {"key":"k","value":"v"} as T4
        > deny 1 permission denied
        call 8: Etcd, not applied: etcdserver: permission denied (PermissionDenied)
        "#,
    );
}

#[test]
fn a5_a_refused_watch_gets_a_new_connection_with_the_new_token_a11_the_old_one_stays() {
    check(
        r#"
        > client a user=root password=p
        > watch k
        connect 1 to a
        > open 1
        send 1: POST /v3/auth/authenticate {"name":"root","password":"p"}
        > answer 1 200 {"token":"T1"}
        connect 2 to a
        > open 2
        send 2: POST /v3/watch (open, with a leader) as T1
        send 2: {"create_request":{"key":"k","progress_notify":true,"watch_id":"1"}}
        > created 2 id=1 rev=10
        watch 1: created at 10
        > watch j
        send 2: {"create_request":{"key":"j","progress_notify":true,"watch_id":"2"}}
        > refused 2 id=-1 reason=rpc_error:_code_=_Unauthenticated_desc_=_etcdserver:_invalid_auth_token
        send 1: POST /v3/auth/authenticate {"name":"root","password":"p"}
        > answer 1 200 {"token":"T2"}
        connect 3 to a
        > open 3
        send 3: POST /v3/watch (open, with a leader) as T2
        send 3: {"create_request":{"key":"j","progress_notify":true,"watch_id":"1"}}
        > created 3 id=1 rev=10
        watch 2: created at 10
        > watch i
        send 3: {"create_request":{"key":"i","progress_notify":true,"watch_id":"2"}}
        > created 3 id=2 rev=10
        watch 3: created at 10
        > events 2 id=1 rev=12 k@11
        watch 1: 11 +k
        "#,
    );
}

#[test]
fn a5_permission_denied_is_about_the_token_only_if_that_is_old() {
    check(
        r#"
        > client a user=root password=p ttl=10s idle_limit=1000s
        > watch k
        connect 1 to a
        > open 1
        send 1: POST /v3/auth/authenticate {"name":"root","password":"p"}
        > answer 1 200 {"token":"T1"}
        connect 2 to a
        > open 2
        send 2: POST /v3/watch (open, with a leader) as T1
        send 2: {"create_request":{"key":"k","progress_notify":true,"watch_id":"1"}}
        > refused 2 id=-1 reason=etcdserver:_permission_denied
        watch 1: end: etcdserver: permission denied (PermissionDenied)
        close 2
        > wait 5s
        > get k
        send 1: POST /v3/kv/range {"key":"k"} as T1
        > answer 1 200 {}
        call 2: Range
        > wait 5s
        > watch k
        connect 3 to a
        > open 3
        send 3: POST /v3/watch (open, with a leader) as T1
        send 3: {"create_request":{"key":"k","progress_notify":true,"watch_id":"1"}}
        > refused 3 id=-1 reason=etcdserver:_permission_denied
        close 3
        send 1: POST /v3/auth/authenticate {"name":"root","password":"p"}
        > answer 1 200 {"token":"T2"}
        connect 4 to a
        > open 4
        send 4: POST /v3/watch (open, with a leader) as T2
        send 4: {"create_request":{"key":"k","progress_notify":true,"watch_id":"1"}}
        > refused 4 id=-1 reason=etcdserver:_permission_denied
        watch 2: end: etcdserver: permission denied (PermissionDenied)
        close 4
        "#,
    );
}

#[test]
fn a5_permission_denied_is_about_the_token_if_the_member_may_have_restarted() {
    check(
        r#"
        > client a user=root password=p
        > watch k
        connect 1 to a
        > open 1
        send 1: POST /v3/auth/authenticate {"name":"root","password":"p"}
        > answer 1 200 {"token":"T1"}
        connect 2 to a
        > open 2
        send 2: POST /v3/watch (open, with a leader) as T1
        send 2: {"create_request":{"key":"k","progress_notify":true,"watch_id":"1"}}
        > created 2 id=1 rev=10
        watch 1: created at 10
        > eof 2
        close 2
        > wait 30ms
        at 7.890591ms
        connect 3 to a
        > open 3
        send 3: POST /v3/watch (open, with a leader) as T1
        send 3: {"create_request":{"key":"k","progress_notify":true,"start_revision":"11","watch_id":"1"}}
        > refused 3 id=-1 reason=etcdserver:_permission_denied
        close 3
        send 1: POST /v3/auth/authenticate {"name":"root","password":"p"}
        > answer 1 200 {"token":"T2"}
        connect 4 to a
        > open 4
        send 4: POST /v3/watch (open, with a leader) as T2
        send 4: {"create_request":{"key":"k","progress_notify":true,"start_revision":"11","watch_id":"1"}}
        > refused 4 id=-1 reason=etcdserver:_permission_denied
        watch 1: end: etcdserver: permission denied (PermissionDenied)
        close 4
        "#,
    );
}

#[test]
fn a5_permission_denied_is_about_a_token_that_was_refused_meanwhile() {
    check(
        r#"
        > client a user=root password=p
        > watch k
        connect 1 to a
        > open 1
        send 1: POST /v3/auth/authenticate {"name":"root","password":"p"}
        > answer 1 200 {"token":"T1"}
        connect 2 to a
        > open 2
        send 2: POST /v3/watch (open, with a leader) as T1
        send 2: {"create_request":{"key":"k","progress_notify":true,"watch_id":"1"}}
        > put k v
        send 1: POST /v3/kv/put {"key":"k","value":"v"} as T1
        > deny 1 invalid auth token
        send 1: POST /v3/auth/authenticate {"name":"root","password":"p"}
        > refused 2 id=-1 reason=etcdserver:_permission_denied
        close 2
        > answer 1 200 {"token":"T2"}
        send 1: POST /v3/kv/put {"key":"k","value":"v"} as T2
        connect 3 to a
        "#,
    );
}

#[test]
fn a5_streams_refused_at_their_opening_are_opened_anew() {
    check(
        r#"
        > client a user=root password=p
        > watch k
        connect 1 to a
        > renew 7
        > open 1
        send 1: POST /v3/auth/authenticate {"name":"root","password":"p"}
        > answer 1 200 {"token":"T1"}
        connect 2 to a
        connect 3 to a
        > open 2
        send 2: POST /v3/lease/keepalive (open, with a leader) as T1
        send 2: {"ID":"7"}
        > open 3
        send 3: POST /v3/watch (open, with a leader) as T1
        send 3: {"create_request":{"key":"k","progress_notify":true,"watch_id":"1"}}
        > raw 2 HTTP/1.1 401 Unauthorized\r\nContent-Length: 69\r\n\r\n{"error":{"grpc_code":16,"message":"etcdserver: invalid auth token"}}
        close 2
        send 1: POST /v3/auth/authenticate {"name":"root","password":"p"}
        > raw 3 HTTP/1.1 401 Unauthorized\r\nContent-Length: 69\r\n\r\n{"error":{"grpc_code":16,"message":"etcdserver: invalid auth token"}}
        close 3
        > answer 1 200 {"token":"T2"}
        connect 4 to a
        connect 5 to a
        > open 4
        send 4: POST /v3/lease/keepalive (open, with a leader) as T2
        send 4: {"ID":"7"}
        > open 5
        send 5: POST /v3/watch (open, with a leader) as T2
        send 5: {"create_request":{"key":"k","progress_notify":true,"watch_id":"1"}}
        "#,
    );
}

#[test]
fn a5_an_error_frame_about_the_token_ends_no_renewal_and_no_watch() {
    check(
        r#"
        > client a user=root password=p
        > watch k
        connect 1 to a
        > open 1
        send 1: POST /v3/auth/authenticate {"name":"root","password":"p"}
        > answer 1 200 {"token":"T1"}
        connect 2 to a
        > open 2
        send 2: POST /v3/watch (open, with a leader) as T1
        send 2: {"create_request":{"key":"k","progress_notify":true,"watch_id":"1"}}
        > created 2 id=1 rev=10
        watch 1: created at 10
        > renew 7
        connect 3 to a
        > open 3
        send 3: POST /v3/lease/keepalive (open, with a leader) as T1
        send 3: {"ID":"7"}
        > error 3 {"grpc_code":16,"message":"etcdserver: invalid auth token"}
        close 3
        send 1: POST /v3/auth/authenticate {"name":"root","password":"p"}
        > answer 1 200 {"token":"T2"}
        connect 4 to a
        > open 4
        send 4: POST /v3/lease/keepalive (open, with a leader) as T2
        send 4: {"ID":"7"}
        > frame 4 {"ID":"7","TTL":"10"}
        call 2: LeaseKeepAlive 7 for 10 s
        > error 2 {"grpc_code":16,"message":"etcdserver: invalid auth token"}
        close 2
        > wait 1s
        at 21.780236ms
        connect 5 to a
        > open 5
        send 5: POST /v3/watch (open, with a leader) as T2
        send 5: {"create_request":{"key":"k","progress_notify":true,"start_revision":"11","watch_id":"1"}}
        > created 5 id=1 rev=10
        watch 1: resumed from 11 at a
        "#,
    );
}

#[test]
fn a6_a_call_has_two_refreshes() {
    check(
        r#"
        > client a user=root password=p
        > put k v
        connect 1 to a
        > open 1
        send 1: POST /v3/auth/authenticate {"name":"root","password":"p"}
        > answer 1 200 {"token":"T1"}
        send 1: POST /v3/kv/put {"key":"k","value":"v"} as T1
        > deny 1 invalid auth token
        send 1: POST /v3/auth/authenticate {"name":"root","password":"p"}
        > answer 1 200 {"token":"T2"}
        send 1: POST /v3/kv/put {"key":"k","value":"v"} as T2
        > deny 1 invalid auth token
        > wait 1s
        at 1s
        send 1: POST /v3/auth/authenticate {"name":"root","password":"p"}
        > answer 1 200 {"token":"T3"}
        send 1: POST /v3/kv/put {"key":"k","value":"v"} as T3
        > deny 1 invalid auth token
        call 1: Auth, not applied: credentials were refused: etcdserver: invalid auth token (Unauthenticated)
        "#,
    );
}

#[test]
fn a6_a_watch_has_two_refreshes() {
    check(
        r#"
        > client a user=root password=p
        > watch k
        connect 1 to a
        > open 1
        send 1: POST /v3/auth/authenticate {"name":"root","password":"p"}
        > answer 1 200 {"token":"T1"}
        connect 2 to a
        > open 2
        send 2: POST /v3/watch (open, with a leader) as T1
        send 2: {"create_request":{"key":"k","progress_notify":true,"watch_id":"1"}}
        > refused 2 id=-1 reason=etcdserver:_invalid_auth_token
        close 2
        send 1: POST /v3/auth/authenticate {"name":"root","password":"p"}
        > answer 1 200 {"token":"T2"}
        connect 3 to a
        > open 3
        send 3: POST /v3/watch (open, with a leader) as T2
        send 3: {"create_request":{"key":"k","progress_notify":true,"watch_id":"1"}}
        > refused 3 id=-1 reason=etcdserver:_invalid_auth_token
        close 3
        > wait 1s
        at 1s
        send 1: POST /v3/auth/authenticate {"name":"root","password":"p"}
        > answer 1 200 {"token":"T3"}
        connect 4 to a
        > open 4
        send 4: POST /v3/watch (open, with a leader) as T3
        send 4: {"create_request":{"key":"k","progress_notify":true,"watch_id":"1"}}
        > refused 4 id=-1 reason=etcdserver:_invalid_auth_token
        watch 1: end: credentials were refused: etcdserver: invalid auth token (Unauthenticated)
        close 4
        "#,
    );
}

#[test]
fn a6_a_wrong_password_fails_all_at_once_and_is_remembered() {
    check(
        r#"
        > client a user=root password=p
        > put k v
        connect 1 to a
        > watch k
        > renew 7
        > open 1
        send 1: POST /v3/auth/authenticate {"name":"root","password":"p"}
        > deny 1 authentication failed, invalid user ID or password
        call 1: Auth, not applied: credentials were refused: etcdserver: authentication failed, invalid user ID or password (InvalidArgument)
        call 3: Auth, not applied: credentials were refused: etcdserver: authentication failed, invalid user ID or password (InvalidArgument)
        watch 1: end: credentials were refused: etcdserver: authentication failed, invalid user ID or password (InvalidArgument)
        > put k v
        call 4: Auth, not applied: credentials were refused: etcdserver: authentication failed, invalid user ID or password (InvalidArgument)
        > wait 1s
        > put k v
        send 1: POST /v3/auth/authenticate {"name":"root","password":"p"}
        > deny 1 authentication failed, invalid user ID or password
        call 5: Auth, not applied: credentials were refused: etcdserver: authentication failed, invalid user ID or password (InvalidArgument)
        > wait 1900ms
        > watch k
        watch 2: end: credentials were refused: etcdserver: authentication failed, invalid user ID or password (InvalidArgument)
        > wait 100ms
        > put k v
        send 1: POST /v3/auth/authenticate {"name":"root","password":"p"}
        > answer 1 200 {"token":"T1"}
        send 1: POST /v3/kv/put {"key":"k","value":"v"} as T1
        > answer 1 200 {}
        call 7: Put
        "#,
    );
}

#[test]
fn a6_new_credentials_are_tried_at_once() {
    check(
        r#"
        > client a user=root password=p
        > put k v
        connect 1 to a
        > open 1
        send 1: POST /v3/auth/authenticate {"name":"root","password":"p"}
        > deny 1 authentication failed, invalid user ID or password
        call 1: Auth, not applied: credentials were refused: etcdserver: authentication failed, invalid user ID or password (InvalidArgument)
        > credentials user=root password=q
        > put k v
        send 1: POST /v3/auth/authenticate {"name":"root","password":"q"}
        > credentials user=root password=r
        close 1
        connect 2 to a
        > open 2
        send 2: POST /v3/auth/authenticate {"name":"root","password":"r"}
        > answer 2 200 {"token":"T1"}
        send 2: POST /v3/kv/put {"key":"k","value":"v"} as T1
        > answer 2 200 {}
        call 3: Put
        "#,
    );
}

#[test]
fn a7_an_idle_token_is_replaced_while_the_next_call_goes_out() {
    check(
        r#"
        > client a user=root password=p idle_limit=1000s
        > put k v
        connect 1 to a
        > open 1
        send 1: POST /v3/auth/authenticate {"name":"root","password":"p"}
        > answer 1 200 {"token":"T1"}
        send 1: POST /v3/kv/put {"key":"k","value":"v"} as T1
        > answer 1 200 {}
        call 1: Put
        > wait 179s
        > put k v
        send 1: POST /v3/kv/put {"key":"k","value":"v"} as T1
        > answer 1 200 {}
        call 3: Put
        > wait 240s
        > put k v
        send 1: POST /v3/kv/put {"key":"k","value":"v"} as T1
        connect 2 to a
        > open 2
        send 2: POST /v3/auth/authenticate {"name":"root","password":"p"}
        > answer 1 200 {}
        call 4: Put
        > answer 2 200 {"token":"T2"}
        > put k v
        send 2: POST /v3/kv/put {"key":"k","value":"v"} as T2
        > answer 2 200 {}
        call 6: Put
        "#,
    );
}

#[test]
fn a7_a_token_that_must_be_gone_is_not_sent() {
    check(
        r#"
        > client a user=root password=p ttl=10s idle_limit=1000s
        > put k v
        connect 1 to a
        > open 1
        send 1: POST /v3/auth/authenticate {"name":"root","password":"p"}
        > answer 1 200 {"token":"T1"}
        send 1: POST /v3/kv/put {"key":"k","value":"v"} as T1
        > answer 1 200 {}
        call 1: Put
        > watch k
        connect 2 to a
        > open 2
        send 2: POST /v3/watch (open, with a leader) as T1
        send 2: {"create_request":{"key":"k","progress_notify":true,"watch_id":"1"}}
        > created 2 id=1 rev=10
        watch 1: created at 10
        > wait 10s
        > watch j
        send 1: POST /v3/auth/authenticate {"name":"root","password":"p"}
        > answer 1 200 {"token":"T2"}
        connect 3 to a
        "#,
    );
}

#[test]
fn a7_a_signed_token_is_replaced_after_four_fifths_of_its_life() {
    // How long it lives is in its text, which is not recorded.
    check_without_replay(
        r#"
        > client a user=root password=p idle_limit=1000s
        > put k v
        connect 1 to a
        > open 1
        send 1: POST /v3/auth/authenticate {"name":"root","password":"p"}
        > answer 1 200 {"token":"h.eyJpYXQiOjEwMDAsImV4cCI6MTEwMH0.s"}
        send 1: POST /v3/kv/put {"key":"k","value":"v"} as h.eyJpYXQiOjEwMDAsImV4cCI6MTEwMH0.s
        > answer 1 200 {}
        call 1: Put
        > wait 79s
        > put k v
        send 1: POST /v3/kv/put {"key":"k","value":"v"} as h.eyJpYXQiOjEwMDAsImV4cCI6MTEwMH0.s
        > answer 1 200 {}
        call 3: Put
        > wait 1s
        > put k v
        send 1: POST /v3/kv/put {"key":"k","value":"v"} as h.eyJpYXQiOjEwMDAsImV4cCI6MTEwMH0.s
        connect 2 to a
        > open 2
        send 2: POST /v3/auth/authenticate {"name":"root","password":"p"}
        > answer 1 200 {}
        call 4: Put
        > answer 2 200 {"token":"T2"}
        > put k v
        send 2: POST /v3/kv/put {"key":"k","value":"v"} as T2
        "#,
    );
}

#[test]
fn a8_a_token_refused_by_one_member_is_kept_for_the_others() {
    check(
        r#"
        > client a b user=root password=p idle_limit=1000s
        > put k v
        connect 1 to a
        > open 1
        send 1: POST /v3/auth/authenticate {"name":"root","password":"p"}
        > answer 1 200 {"token":"T1"}
        send 1: POST /v3/kv/put {"key":"k","value":"v"} as T1
        > answer 1 200 {}
        call 1: Put
        > reset 1
        close 1
        > put k v
        connect 2 to a
        > refuse 2
        close 2
        connect 3 to b
        > open 3
        send 3: POST /v3/kv/put {"key":"k","value":"v"} as T1
        > deny 3 invalid auth token
        send 3: POST /v3/auth/authenticate {"name":"root","password":"p"}
        > answer 3 200 {"token":"T2"}
        send 3: POST /v3/kv/put {"key":"k","value":"v"} as T2
        > answer 3 200 {}
        call 3: Put
        > put k v at=a
        connect 4 to a
        > open 4
        send 4: POST /v3/kv/put {"key":"k","value":"v"} as T1
        > deny 4 invalid auth token
        send 4: POST /v3/kv/put {"key":"k","value":"v"} as T2
        > answer 4 200 {}
        call 5: Put
        "#,
    );
}

#[test]
fn a9_the_login_goes_to_the_next_endpoint_like_any_call() {
    check(
        r#"
        > client a b user=root password=p
        > put k v
        connect 1 to a
        > refuse 1
        close 1
        connect 2 to b
        > open 2
        send 2: POST /v3/auth/authenticate {"name":"root","password":"p"}
        > eof 2
        close 2
        > wait 30ms
        at 20.860227ms
        connect 3 to a
        > open 3
        send 3: POST /v3/auth/authenticate {"name":"root","password":"p"}
        > answer 3 200 {"token":"T1"}
        send 3: POST /v3/kv/put {"key":"k","value":"v"} as T1
        > answer 3 200 {}
        call 1: Put
        "#,
    );
}

#[test]
fn a9_a_login_that_no_server_could_serve_is_made_again() {
    check(
        r#"
        > client a user=root password=p
        > put k v
        connect 1 to a
        > open 1
        send 1: POST /v3/auth/authenticate {"name":"root","password":"p"}
        > answer 1 503 {"error":"etcdserver: request timed out","code":14}
        > wait 1s
        at 1s
        send 1: POST /v3/auth/authenticate {"name":"root","password":"p"}
        > answer 1 503 {"error":"etcdserver: request timed out","code":14}
        > wait 2s
        at 3s
        send 1: POST /v3/auth/authenticate {"name":"root","password":"p"}
        > answer 1 200 {"token":"T1"}
        send 1: POST /v3/kv/put {"key":"k","value":"v"} as T1
        > answer 1 200 {}
        call 1: Put
        "#,
    );
}

#[test]
fn a9_without_a_server_whoever_waits_says_so() {
    check(
        "
        > client a user=root password=p
        > put k v timeout=2s
        connect 1 to a
        > watch k
        > refuse 1
        close 1
        > wait 3s
        at 16.42852ms
        connect 2 to a
        at 2s
        call 1: Unavailable, not applied: no endpoint could serve the call: cannot connect: connection refused
        at 2.01642852s
        close 2
        at 2.049319111s
        connect 3 to a
        ",
    );
}

#[test]
fn a10_without_authentication_nothing_is_sent_until_a_server_misses_it() {
    check(
        r#"
        > client a user=root password=p
        > put k v
        connect 1 to a
        > watch k
        > open 1
        send 1: POST /v3/auth/authenticate {"name":"root","password":"p"}
        > deny 1 authentication is not enabled
        send 1: POST /v3/kv/put {"key":"k","value":"v"}
        connect 2 to a
        > answer 1 200 {}
        call 1: Put
        > open 2
        send 2: POST /v3/watch (open, with a leader)
        send 2: {"create_request":{"key":"k","progress_notify":true,"watch_id":"1"}}
        > created 2 id=1 rev=10
        watch 1: created at 10
        > put k v
        send 1: POST /v3/kv/put {"key":"k","value":"v"}
        > deny 1 user name is empty
        send 1: POST /v3/auth/authenticate {"name":"root","password":"p"}
        > answer 1 200 {"token":"T1"}
        send 1: POST /v3/kv/put {"key":"k","value":"v"} as T1
        > answer 1 200 {}
        call 3: Put
        "#,
    );
}

#[test]
fn a10_authentication_turned_off_drops_the_token() {
    check(
        r#"
        > client a user=root password=p connections=2
        > get 1
        connect 1 to a
        > open 1
        send 1: POST /v3/auth/authenticate {"name":"root","password":"p"}
        > answer 1 200 {"token":"T1"}
        send 1: POST /v3/kv/range {"key":"1"} as T1
        > get 2
        connect 2 to a
        > open 2
        send 2: POST /v3/kv/range {"key":"2"} as T1
        > deny 1 invalid auth token
        send 1: POST /v3/auth/authenticate {"name":"root","password":"p"}
        > deny 1 authentication is not enabled
        send 1: POST /v3/kv/range {"key":"1"}
        > deny 2 invalid auth token
        send 2: POST /v3/kv/range {"key":"2"}
        > answer 1 200 {}
        call 1: Range
        > answer 2 200 {}
        call 3: Range
        "#,
    );
}

#[test]
fn a11_renewals_to_come_go_on_a_connection_with_the_new_token() {
    check(
        r#"
        > client a user=root password=p
        > renew 7
        connect 1 to a
        > open 1
        send 1: POST /v3/auth/authenticate {"name":"root","password":"p"}
        > answer 1 200 {"token":"T1"}
        connect 2 to a
        > open 2
        send 2: POST /v3/lease/keepalive (open, with a leader) as T1
        send 2: {"ID":"7"}
        > put k v
        send 1: POST /v3/kv/put {"key":"k","value":"v"} as T1
        > deny 1 invalid auth token
        send 1: POST /v3/auth/authenticate {"name":"root","password":"p"}
        > answer 1 200 {"token":"T2"}
        send 1: POST /v3/kv/put {"key":"k","value":"v"} as T2
        > answer 1 200 {}
        call 3: Put
        > renew 9
        connect 3 to a
        > open 3
        send 3: POST /v3/lease/keepalive (open, with a leader) as T2
        send 3: {"ID":"9"}
        > frame 2 {"ID":"7","TTL":"10"}
        call 1: LeaseKeepAlive 7 for 10 s
        close 2
        > frame 3 {"ID":"9","TTL":"10"}
        call 5: LeaseKeepAlive 9 for 10 s
        "#,
    );
}

#[test]
fn g41_a_refused_write_certainly_did_not_happen_and_is_made_again() {
    check(
        r#"
        > client a user=root password=p attempts=2
        > put k v
        connect 1 to a
        > open 1
        send 1: POST /v3/auth/authenticate {"name":"root","password":"p"}
        > answer 1 200 {"token":"T1"}
        send 1: POST /v3/kv/put {"key":"k","value":"v"} as T1
        > deny 1 invalid auth token
        send 1: POST /v3/auth/authenticate {"name":"root","password":"p"}
        > answer 1 200 {"token":"T2"}
        send 1: POST /v3/kv/put {"key":"k","value":"v"} as T2
        > deny 1 invalid auth token
        call 1: Auth, not applied: credentials were refused: etcdserver: invalid auth token (Unauthenticated)
        "#,
    );
}

#[test]
fn without_credentials_the_servers_errors_are_told_as_they_are() {
    check(
        r#"
        > client a
        > put k v
        connect 1 to a
        > open 1
        send 1: POST /v3/kv/put {"key":"k","value":"v"}
        > deny 1 user name is empty
        call 1: Etcd, not applied: etcdserver: user name is empty (InvalidArgument)
        > renew 7
        connect 2 to a
        > open 2
        send 2: POST /v3/lease/keepalive (open, with a leader)
        send 2: {"ID":"7"}
        > raw 2 HTTP/1.1 401 Unauthorized\r\nContent-Length: 69\r\n\r\n{"error":{"grpc_code":16,"message":"etcdserver: invalid auth token"}}
        close 2
        call 2: Etcd, not applied: etcdserver: invalid auth token (Unauthenticated)
        > watch k
        connect 3 to a
        > open 3
        send 3: POST /v3/watch (open, with a leader)
        send 3: {"create_request":{"key":"k","progress_notify":true,"watch_id":"1"}}
        > refused 3 id=-1 reason=etcdserver:_user_name_is_empty
        watch 1: end: etcdserver: user name is empty (InvalidArgument)
        close 3
        "#,
    );
}

#[test]
fn a_token_that_no_header_can_carry_is_a_refusal() {
    check(
        r#"
        > client a user=root password=p
        > put k v
        connect 1 to a
        > open 1
        send 1: POST /v3/auth/authenticate {"name":"root","password":"p"}
        > answer 1 200 {"token":"a b"}
        call 1: Auth, not applied: credentials were refused: the token has bytes that are not visible ASCII (Internal)
        > put k v
        call 3: Auth, not applied: credentials were refused: the token has bytes that are not visible ASCII (Internal)
        "#,
    );
}

#[test]
fn shutdown_ends_whoever_waits_for_a_token() {
    check(
        r#"
        > client a user=root password=p
        > put k v
        connect 1 to a
        > watch k
        > open 1
        send 1: POST /v3/auth/authenticate {"name":"root","password":"p"}
        > shutdown
        call 1: Unavailable, not applied: no endpoint could serve the call: the client was shut down
        watch 1: end: the client was shut down
        close 1
        "#,
    );
}

#[test]
fn a7_no_timer_wakes_an_idle_client_for_its_token() {
    let mut world = World::after(
        r#"
        > client a user=root password=p
        > put k v
        > open 1
        > answer 1 200 {"token":"T1"}
        > answer 1 200 {}
        "#,
    );
    assert_eq!(world.client().poll_timeout(), None);
    assert_eq!(world.client().stats().refreshes, 1);
}

#[test]
fn a1_a_token_is_given_in_one_way_only() {
    let mut config = Config::new(["a"]).unwrap();
    config.add_header("authorization", "a-token").unwrap();
    let credentials = Credentials::token("another").unwrap().over_plain_http();
    assert!(config.set_credentials(credentials.clone()).is_err());

    let mut config = Config::new(["a"]).unwrap();
    config.set_credentials(credentials).unwrap();
    assert!(config.add_header("Authorization", "a-token").is_err());
    assert!(config.add_header("Grpc-Metadata-Token", "a-token").is_err());
}

/// What a secret looks like in a text, in every way it could come there.
fn forms(secret: &str) -> Vec<String> {
    let bytes = secret.as_bytes();
    let join = |form: &dyn Fn(&u8) -> String, between: &str| {
        let parts: Vec<_> = bytes.iter().map(form).collect();
        parts.join(between)
    };
    let mut forms = vec![
        secret.to_owned(),
        join(&|byte| format!("{byte:02x}"), ""),
        join(&|byte| format!("{byte:02X}"), ""),
        join(&|byte| format!("%{byte:02x}"), ""),
        join(&|byte| format!("\\x{byte:02x}"), ""),
        join(&|byte| byte.to_string(), ", "),
    ];
    for before in 0..3 {
        let moved = [&b"123"[..before], bytes].concat();
        let text = STANDARD_NO_PAD.encode(&moved);
        // The first and last characters depend on what stands around it.
        forms.push(text[before + before.min(1)..text.len() - 1].to_owned());
    }
    forms
}

#[track_caller]
fn hides(text: &str) {
    for secret in [PASSWORD, TOKEN, GIVEN] {
        for form in forms(secret) {
            assert!(!text.contains(&form), "{form:?} of {secret} in\n{text}");
        }
    }
}

const PASSWORD: &str = "swordfish-7";
const TOKEN: &str = "OobIPvTaOfTzRZNW.52";
const GIVEN: &str = "mcuNbaKwzkjxBLKd.26";

/// Guarantee G40.
#[test]
fn a12_no_debug_and_no_error_shows_a_secret() {
    let session = format!(
        r#"
        client a user=root password={PASSWORD}
        slow
        put k v
        open 1
        write 1 100
        write 1
        raw 1 HTTP/1.1 200 OK\r\nContent-Length: 31\r\n\r\n{{"token":"{TOKEN}
        raw 1 "}}
        write 1 50
        write 1
        watch k
        open 2
        write 2
        renew 7
        open 3
        quick
        write 3
        answer 1 200 {{}}
        put k v
        deny 1 invalid auth token
        answer 1 200 {{"token":"not a token {TOKEN}"}}
        put k v
        credentials token={GIVEN}
        put k v
        answer 1 200 {{}}
        put k v
        eof 1
        shutdown
        "#
    );
    let mut world = World::default();
    for command in session
        .lines()
        .map(str::trim)
        .filter(|line| !line.is_empty())
    {
        let outputs = world.run(command);
        // What goes to the server is not hidden from it.
        for line in outputs.iter().filter(|line| !line.starts_with("send ")) {
            hides(line);
        }
        hides(&format!("{:?} {:#?}", world.client, world.client));
        hides(&format!("{:?} {:#?}", world.config, world.config));
    }
    assert!(world.transcript().contains(GIVEN), "the token was used");
}

/// Guarantee G40.
#[test]
fn a12_no_output_shows_a_secret() {
    let mut config = Config::new(["a"]).unwrap();
    config
        .set_credentials(Credentials::token(GIVEN).unwrap().over_plain_http())
        .unwrap();
    hides(&format!(
        "{:?} {config:?}",
        Credentials::password("root", PASSWORD)
    ));
    let now = Instant::ZERO;
    let mut client = Client::new(config, 1, now);
    let login = Authenticate::new("root", PASSWORD);
    hides(&format!("{login:?}"));
    client.call(now, login);
    let mut told = 0;
    for answer in [
        format!(r#"{{"token":"{TOKEN}"}}"#),
        format!(r#"{{"token":["{TOKEN}"]}}"#),
    ] {
        let mut sent = None;
        while let Some(output) = client.poll_output() {
            hides(&format!("{output:?} {output:#?}"));
            match output {
                Output::Connect { conn, .. } => client.handle_connected(now, conn),
                Output::Transmit(conn) => {
                    let bytes = client.transmit(conn).to_vec();
                    client.handle_written(now, conn, bytes.len());
                    sent = Some(conn);
                }
                Output::Event(_) => told += 1,
                _ => {}
            }
        }
        let conn = sent.expect("a request was sent");
        client.handle_received(now, conn, support::answer(200, &answer).as_bytes());
        client.call(now, Authenticate::new("root", PASSWORD));
    }
    while let Some(output) = client.poll_output() {
        hides(&format!("{output:?}"));
        told += usize::from(matches!(output, Output::Event(_)));
    }
    assert_eq!(told, 1, "the first was answered");
    hides(&format!("{client:?}"));
}

#[test]
fn a5_snapshots_and_observations_wait_for_a_token_and_are_asked_for_again_with_another() {
    check(
        r#"
        > client a user=root password=p
        > observe el
        connect 1 to a
        > snapshot
        > open 1
        send 1: POST /v3/auth/authenticate {"name":"root","password":"p"}
        > answer 1 200 {"token":"T1"}
        connect 2 to a
        connect 3 to a
        > open 2
        send 2: POST /v3/election/observe {"name":"ZWw="} as T1
        > open 3
        send 3: POST /v3/maintenance/snapshot {} as T1
        > deny 2 invalid auth token
        close 2
        send 1: POST /v3/auth/authenticate {"name":"root","password":"p"}
        > deny 3 invalid auth token
        close 3
        > answer 1 200 {"token":"T2"}
        connect 4 to a
        connect 5 to a
        > open 5
        send 5: POST /v3/maintenance/snapshot {} as T2
        > blob 5 512
        > sum 5 512
        stream 2: 512 bytes, 0 to come
        > last 5
        stream 2: end: snapshot of 512 bytes is whole
        close 5
        > open 4
        send 4: POST /v3/election/observe {"name":"ZWw="} as T2
        > leader 4 x@5/5
        stream 1: leader x@5/5
        "#,
    );
    // And without a token they do not begin.
    check(
        r#"
        > client a user=root password=wrong
        > observe el
        connect 1 to a
        > snapshot
        > open 1
        send 1: POST /v3/auth/authenticate {"name":"root","password":"wrong"}
        > deny 1 authentication failed, invalid user ID or password
        stream 1: end: credentials were refused: etcdserver: authentication failed, invalid user ID or password (InvalidArgument)
        stream 2: end: credentials were refused: etcdserver: authentication failed, invalid user ID or password (InvalidArgument)
        "#,
    );
}

/// A login under way is of the old ones, and none is begun with them any more.
#[test]
fn a1_credentials_that_change_during_a_login_are_the_ones_it_begins_anew_with() {
    check(
        r#"
        > client a user=old password=p
        > watch k
        connect 1 to a
        > get 1
        > open 1
        send 1: POST /v3/auth/authenticate {"name":"old","password":"p"}
        > credentials user=new password=q
        close 1
        connect 2 to a
        > open 2
        send 2: POST /v3/auth/authenticate {"name":"new","password":"q"}
        > answer 2 200 {"token":"T1"}
        send 2: POST /v3/kv/range {"key":"1"} as T1
        connect 3 to a
        "#,
    );
}

#[test]
fn g42_credentials_go_to_tls_and_loopback_alone_unless_allowed_by_name() {
    let password = || Credentials::password("root", "p").unwrap();
    for credentials in [password(), Credentials::token(GIVEN).unwrap()] {
        for (endpoint, may) in [
            ("http://127.0.0.1", true),
            ("http://127.8.9.1:1", true),
            ("http://[::1]", true),
            ("http://[::ffff:127.0.0.1]", true),
            ("localhost", true),
            ("http://LocalHost.:1", true),
            ("http://etcd.localhost", false),
            ("https://10.0.0.1", true),
            ("https://etcd", true),
            ("http://10.0.0.1", false),
            ("http://0.0.0.0", false),
            ("http://[::]", false),
            ("http://[::ffff:10.0.0.1]", false),
            ("etcd", false),
            ("localhost.example", false),
            ("notlocalhost", false),
            ("127.0.0.1.example", false),
        ] {
            let mut config = Config::new(["https://a", endpoint]).unwrap();
            let set = config.set_credentials(credentials.clone());
            assert_eq!(set.is_ok(), may, "{endpoint}");
            let allowed = credentials.clone().over_plain_http();
            assert_eq!(config.set_credentials(allowed), Ok(()));
        }
    }
}

/// They come once it is too late to refuse them: nothing is sent, and everything says why.
#[test]
fn g42_nothing_is_sent_where_credentials_would_go_in_the_clear() {
    check(
        r#"
        > client a
        > credentials user=root password=p clear=no
        > put k v
        call 1: Misuse, not applied: credentials would go over plain HTTP to another machine; use https://, or allow it with Credentials::over_plain_http
        > watch k
        watch 1: end: credentials would go over plain HTTP to another machine; use https://, or allow it with Credentials::over_plain_http
        > snapshot
        stream 1: end: credentials would go over plain HTTP to another machine; use https://, or allow it with Credentials::over_plain_http
        > alive 7
        lease 1: end: credentials would go over plain HTTP to another machine; use https://, or allow it with Credentials::over_plain_http
        > lease 10
        lease 2: end: credentials would go over plain HTTP to another machine; use https://, or allow it with Credentials::over_plain_http
        > observe e
        stream 2: end: credentials would go over plain HTTP to another machine; use https://, or allow it with Credentials::over_plain_http
        > version
        connect 1 to a
        > credentials user=root password=p
        > put k v
        connect 2 to a
        "#,
    );
}

/// A call that names its endpoint takes no token there, either.
#[test]
fn g42_a_pinned_call_takes_no_token_over_plain_http() {
    check(
        r#"
        > client 127.0.0.1 token=T1 clear=no
        > put k v at=elsewhere
        call 1: Misuse, not applied: credentials would go over plain HTTP to another machine; use https://, or allow it with Credentials::over_plain_http
        > snapshot at=elsewhere
        stream 1: end: credentials would go over plain HTTP to another machine; use https://, or allow it with Credentials::over_plain_http
        > put k v at=https://elsewhere
        connect 1 to elsewhere
        > open 1
        send 1: POST /v3/kv/put {"key":"k","value":"v"} as T1
        > put k v
        connect 2 to 127.0.0.1
        > open 2
        send 2: POST /v3/kv/put {"key":"k","value":"v"} as T1
        "#,
    );
}

/// What is for this machine leaves it where a proxy is elsewhere.
#[test]
fn g42_loopback_through_a_proxy_elsewhere_is_no_loopback() {
    let credentials = || Credentials::token(GIVEN).unwrap();
    for (endpoint, proxy, may) in [
        ("http://127.0.0.1", "http://proxy:3128", false),
        ("http://127.0.0.1", "http://127.0.0.1:3128", true),
        ("https://127.0.0.1", "http://proxy:3128", true),
        ("unix:///run/etcd.sock", "http://proxy:3128", true),
    ] {
        let mut config = Config::new([endpoint]).unwrap();
        config.proxy = Some(proxy.parse().unwrap());
        assert_eq!(config.set_credentials(credentials()).is_ok(), may);
        // The other way round the client itself finds out.
        let mut config = Config::new([endpoint]).unwrap();
        config.set_credentials(credentials()).unwrap();
        config.proxy = Some(proxy.parse().unwrap());
        let mut client = Client::new(config, 1, Instant::ZERO);
        client.call(Instant::ZERO, Range::key("k"));
        let connects = matches!(client.poll_output(), Some(Output::Connect { .. }));
        assert_eq!(connects, may, "{endpoint} {proxy}");
    }
}

#[test]
fn g42_a_lease_says_why_it_is_not_renewed_any_more() {
    check(
        r#"
        > client a
        > lease 4
        connect 1 to a
        > open 1
        send 1: POST /v3/lease/grant {"ID":"4367966227536309105","TTL":"4"}
        > answer 1 200 {"ID":"7","TTL":"4"}
        lease 1: active for 4 s, until 3.996s
        > credentials user=root password=p clear=no
        > until 3s
        at 1.359448115s
        lease 1: end: credentials would go over plain HTTP to another machine; use https://, or allow it with Credentials::over_plain_http
        "#,
    );
}
