//! Which endpoint is asked, in virtual time: the order, what failed, what is asked again (rules R-4 to R-7
//! and B-2 to B-8).

mod support;

use etcd_core::Endpoint;
use support::World;
use support::check;

#[test]
fn b6_calls_go_round_and_none_waits_for_the_order() {
    check(
        r#"
        > client a b balance=round_robin
        > get 1
        connect 1 to a
        > open 1
        send 1: POST /v3/kv/range {"key":"1"}
        > answer 1 200 {}
        call 1: Range
        > get 2
        connect 2 to b
        send 1: POST /v3/kv/range {"key":"2"}
        > open 2
        > answer 1 200 {}
        call 2: Range
        > get 3
        send 2: POST /v3/kv/range {"key":"3"}
        > get 4
        send 1: POST /v3/kv/range {"key":"4"}
        > answer 2 200 {}
        call 3: Range
        > answer 1 200 {}
        call 4: Range
        "#,
    );
}

#[test]
fn b5_b8_streams_are_spread_in_an_order_of_their_own() {
    check(
        r#"
        > client a b c balance=round_robin per_connection=1
        > watch k
        connect 1 to a
        > watch l
        connect 2 to b
        > put k v
        connect 3 to a
        > watch m
        connect 4 to c
        "#,
    );
}

#[test]
fn r4_a_certain_refusal_is_followed_by_another_try_elsewhere() {
    check(
        r#"
        > client a b
        > put k v
        connect 1 to a
        > open 1
        send 1: POST /v3/kv/put {"key":"k","value":"v"}
        > answer 1 503 {"code":14,"message":"etcdserver: no leader"}
        close 1
        connect 2 to b
        > open 2
        send 2: POST /v3/kv/put {"key":"k","value":"v"}
        > answer 2 200 {}
        call 1: Put
        > put k w
        send 2: POST /v3/kv/put {"key":"k","value":"w"}
        > answer 2 503 {"code":14,"message":"etcdserver: request timed out"}
        close 2
        call 2: Etcd, maybe applied: etcdserver: request timed out (Unavailable)
        "#,
    );
}

#[test]
fn r2_r7_a_read_is_repeated_and_waits_after_each_round() {
    check(
        r#"
        > client a b
        > get k
        connect 1 to a
        > open 1
        send 1: POST /v3/kv/range {"key":"k"}
        > answer 1 503 {"code":14,"message":"etcdserver: server stopped"}
        close 1
        connect 2 to b
        > open 2
        send 2: POST /v3/kv/range {"key":"k"}
        > answer 2 503 {"code":14,"message":"etcdserver: server stopped"}
        close 2
        > wait 30ms
        at 20.860227ms
        connect 3 to a
        > open 3
        send 3: POST /v3/kv/range {"key":"k"}
        > answer 3 200 {}
        call 1: Range
        "#,
    );
}

#[test]
fn r6_a_busy_server_is_asked_later_each_time_and_is_not_suspect() {
    check(
        r#"
        > client a b
        > put k v
        connect 1 to a
        > open 1
        send 1: POST /v3/kv/put {"key":"k","value":"v"}
        > answer 1 429 {"code":8,"message":"etcdserver: too many requests"}
        > wait 30ms
        at 20.860227ms
        send 1: POST /v3/kv/put {"key":"k","value":"v"}
        > answer 1 429 {"code":8,"message":"etcdserver: too many requests"}
        > wait 60ms
        at 71.275952ms
        send 1: POST /v3/kv/put {"key":"k","value":"v"}
        > answer 1 200 {}
        call 1: Put
        "#,
    );
}

#[test]
fn r8_a_retry_does_not_outlive_the_deadline_and_the_refusal_is_told() {
    check(
        r#"
        > client a write_timeout=40ms
        > put k v
        connect 1 to a
        > open 1
        send 1: POST /v3/kv/put {"key":"k","value":"v"}
        > answer 1 500 {"code":2,"message":"raft proposal dropped"}
        > wait 30ms
        at 16.42852ms
        send 1: POST /v3/kv/put {"key":"k","value":"v"}
        > answer 1 500 {"code":2,"message":"raft proposal dropped"}
        call 1: Etcd, not applied: raft proposal dropped (Unknown)
        "#,
    );
}

#[test]
fn r8_a_call_that_found_no_other_endpoint_in_time_tells_the_refusal() {
    check(
        r#"
        > client a b write_timeout=1s
        > put k v
        connect 1 to a
        > open 1
        send 1: POST /v3/kv/put {"key":"k","value":"v"}
        > answer 1 503 {"code":14,"message":"etcdserver: no leader"}
        close 1
        connect 2 to b
        > wait 1s
        at 1s
        call 1: Etcd, not applied: etcdserver: no leader (Unavailable)
        "#,
    );
}

/// Rule B-2: from healthy to suspect, and back by a probe.
#[test]
fn b4_an_endpoint_that_failed_is_asked_once_its_window_is_over() {
    check(
        r#"
        > client a b balance=priority
        > get 1
        connect 1 to a
        > refuse 1
        close 1
        connect 2 to b
        > open 2
        send 2: POST /v3/kv/range {"key":"1"}
        > answer 2 200 {}
        call 1: Range
        > until 9s
        > get 2
        send 2: POST /v3/kv/range {"key":"2"}
        > answer 2 200 {}
        call 2: Range
        > until 11s
        > get 3
        send 2: POST /v3/kv/range {"key":"3"}
        connect 3 to a
        > answer 2 200 {}
        call 3: Range
        > open 3
        send 3: POST /v3/kv/range {"key":"health","keys_only":true,"limit":"1"}
        > answer 3 403 {"code":7,"message":"etcdserver: permission denied"}
        > get 4
        send 3: POST /v3/kv/range {"key":"4"}
        "#,
    );
}

#[test]
fn b4_a_probe_that_fails_doubles_the_window_and_is_nobodys_outcome() {
    check(
        r#"
        > client a b
        > get 1
        connect 1 to a
        > refuse 1
        close 1
        connect 2 to b
        > open 2
        send 2: POST /v3/kv/range {"key":"1"}
        > answer 2 200 {}
        call 1: Range
        > until 11s
        > get 2
        send 2: POST /v3/kv/range {"key":"2"}
        connect 3 to a
        > answer 2 200 {}
        call 2: Range
        > refuse 3
        close 3
        > until 30s
        > get 3
        send 2: POST /v3/kv/range {"key":"3"}
        > answer 2 200 {}
        call 4: Range
        > until 32s
        > get 4
        send 2: POST /v3/kv/range {"key":"4"}
        connect 4 to a
        "#,
    );
}

#[test]
fn b5_where_none_serves_the_calls_go_on_trying() {
    check(
        r#"
        > client a b
        > get 1
        connect 1 to a
        > refuse 1
        close 1
        connect 2 to b
        > refuse 2
        close 2
        > wait 30ms
        at 20.860227ms
        connect 3 to a
        > refuse 3
        close 3
        connect 4 to b
        > open 4
        send 4: POST /v3/kv/range {"key":"1"}
        > answer 4 200 {}
        call 1: Range
        "#,
    );
}

#[test]
fn g43_a_silent_server_costs_a_read_one_attempt_and_a_write_none() {
    check(
        r#"
        > client a b
        > get k
        connect 1 to a
        > open 1
        send 1: POST /v3/kv/range {"key":"k"}
        > put k v
        connect 2 to a
        > open 2
        send 2: POST /v3/kv/put {"key":"k","value":"v"}
        > wait 2s
        at 2s
        close 1
        connect 3 to b
        > open 3
        send 3: POST /v3/kv/range {"key":"k"}
        > answer 3 200 {}
        call 1: Range
        > wait 6s
        at 8s
        call 2: Timeout, maybe applied: deadline passed while waiting for the answer
        close 2
        "#,
    );
}

#[test]
fn g43_a_server_that_is_answering_is_not_silent() {
    check(
        r#"
        > client a b
        > get k
        connect 1 to a
        > open 1
        send 1: POST /v3/kv/range {"key":"k"}
        > wait 1900ms
        > raw 1 HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{
        > wait 1900ms
        > raw 1 }
        call 1: Range
        "#,
    );
}

#[test]
fn g43_one_endpoint_is_waited_for_to_the_end() {
    check(
        r#"
        > client a
        > get k
        connect 1 to a
        > open 1
        send 1: POST /v3/kv/range {"key":"k"}
        > wait 5s
        at 5s
        call 1: Timeout, not applied: deadline passed while waiting for the answer
        close 1
        "#,
    );
}

#[test]
fn b3_a_callers_impatience_makes_no_endpoint_suspect() {
    check(
        r#"
        > client a b balance=priority
        > get k timeout=10ms
        connect 1 to a
        > open 1
        send 1: POST /v3/kv/range {"key":"k"}
        > wait 10ms
        at 10ms
        call 1: Timeout, not applied: deadline passed while waiting for the answer
        close 1
        > get k
        connect 2 to a
        "#,
    );
}

#[test]
fn g8_a_read_that_runs_back_in_time_is_asked_elsewhere() {
    check(
        r#"
        > client a b
        > put k v
        connect 1 to a
        > open 1
        send 1: POST /v3/kv/put {"key":"k","value":"v"}
        > answer 1 200 {"header":{"cluster_id":"5","revision":"9"}}
        call 1: Put
        > get k
        send 1: POST /v3/kv/range {"key":"k"}
        > answer 1 200 {"header":{"cluster_id":"5","revision":"8"}}
        close 1
        connect 2 to b
        > open 2
        send 2: POST /v3/kv/range {"key":"k"}
        > answer 2 200 {"header":{"cluster_id":"5","revision":"9"},"kvs":[{"key":"aw=="}]}
        call 2: Range k
        "#,
    );
}

#[test]
fn g8_where_all_run_back_the_read_says_so_at_its_deadline() {
    check(
        r#"
        > client a read_timeout=40ms
        > put k v
        connect 1 to a
        > open 1
        send 1: POST /v3/kv/put {"key":"k","value":"v"}
        > answer 1 200 {"header":{"revision":"9"}}
        call 1: Put
        > get k
        send 1: POST /v3/kv/range {"key":"k"}
        > answer 1 200 {"header":{"revision":"8"}}
        > wait 30ms
        at 16.42852ms
        send 1: POST /v3/kv/range {"key":"k"}
        > answer 1 200 {"header":{"revision":"8"}}
        call 2: Unavailable, not applied: no endpoint could serve the call: the answer is of revision 8, and revision 9 was known before; the member lags, or the store was set back
        > serializable k
        send 1: POST /v3/kv/range {"key":"k","serializable":true}
        > answer 1 200 {"header":{"revision":"8"}}
        call 3: Range
        "#,
    );
}

#[test]
fn b7_an_answer_of_another_cluster_is_not_delivered() {
    check(
        r#"
        > client a write_timeout=1s read_timeout=10ms
        > get k
        connect 1 to a
        > open 1
        send 1: POST /v3/kv/range {"key":"k"}
        > answer 1 200 {"header":{"cluster_id":"5","revision":"9"}}
        call 1: Range
        > get k
        send 1: POST /v3/kv/range {"key":"k"}
        > answer 1 200 {"header":{"cluster_id":"6","revision":"9"}}
        call 2: Unavailable, not applied: no endpoint could serve the call: the answer came from cluster 6, and the first one from cluster 5; make a new client, or correct the endpoints
        > put k v
        send 1: POST /v3/kv/put {"key":"k","value":"v"}
        > answer 1 200 {"header":{"cluster_id":"6","revision":"9"}}
        call 3: Unavailable, maybe applied: no endpoint could serve the call: the answer came from cluster 6, and the first one from cluster 5; make a new client, or correct the endpoints
        "#,
    );
}

#[test]
fn b1_an_endpoint_is_a_scheme_a_host_and_a_port() {
    for (text, host, port) in [
        ("a", "a", 2379),
        ("http://a", "a", 2379),
        ("a:1", "a", 1),
        ("http://10.0.0.1:65535", "10.0.0.1", 65535),
        ("http://[::1]:2380", "::1", 2380),
        ("[::1]", "::1", 2379),
    ] {
        let endpoint: Endpoint = text.parse().expect("an endpoint");
        assert_eq!((endpoint.host(), endpoint.port()), (host, port), "{text}");
        let again: Endpoint = endpoint.to_string().parse().expect("an endpoint");
        assert_eq!(again, endpoint, "{text}");
    }
}

/// Guarantee G42: no token goes where a redirect points, as nothing does.
#[test]
fn g42_a_redirect_is_not_followed() {
    check(
        r#"
        > client a b user=root password=p
        > put k v
        connect 1 to a
        > open 1
        send 1: POST /v3/auth/authenticate {"name":"root","password":"p"}
        > answer 1 200 {"token":"T1"}
        send 1: POST /v3/kv/put {"key":"k","value":"v"} as T1
        > raw 1 HTTP/1.1 307 Moved\r\nLocation: http://c:2379/v3/kv/put\r\nContent-Length: 0\r\n\r\n
        call 1: Etcd, not applied: answer with status 307 (InvalidArgument): the server wants /v3/kv/put to be asked elsewhere, which is not followed; give the endpoint that it redirects to, and an API prefix without double slashes
        > wait 60s
        "#,
    );
}

/// Guarantee G48: what members say of their addresses is for the user, and nobody dials them.
#[test]
fn g48_members_that_are_told_are_not_dialled() {
    let mut world = World::after("client a\nmembers\nopen 1");
    let addresses = r#""clientURLs":["http://b:2379","http://c:2379"]"#;
    let told = world.run(&format!(
        r#"answer 1 200 {{"members":[{{"ID":"1",{addresses}}}]}}"#
    ));
    assert_eq!(told, ["call 1: MemberList"]);
    world.run("get k");
    world.run("reset 1");
    let told = world.run("wait 20s");
    let dialled = told.iter().filter(|line| line.starts_with("connect "));
    let dialled: Vec<_> = dialled.collect();
    assert!(!dialled.is_empty(), "{told:?}");
    assert!(
        dialled.iter().all(|line| line.ends_with(" to a")),
        "{told:?}"
    );
}

/// While a leader is chosen, the next attempt comes within 100 ms, spread by a tenth, however long that
/// takes.
#[test]
fn g45_a_write_is_tried_again_soon_while_there_is_no_leader() {
    let mut world = World::after("client a\nput k v\nopen 1");
    for round in 0..20 {
        let told = world.run(r#"answer 1 500 {"code":2,"message":"raft proposal dropped"}"#);
        assert!(told.is_empty(), "{round}: {told:?}");
        let told = world.run("wait 100ms").join("\n");
        assert!(told.contains("send 1: POST /v3/kv/put"), "{round}: {told}");
    }
    assert_eq!(world.run("answer 1 200 {}"), ["call 1: Put"]);
    let mut world = World::after("client a b\nput k v");
    let mut conn = 0;
    for round in 0..20 {
        if round > 0 {
            let told = world.run("wait 100ms").join("\n");
            assert!(told.contains("connect"), "{round}: {told}");
        }
        for _ in 0..2 {
            conn += 1;
            world.run(&format!("open {conn}"));
            let no = r#"503 {"code":14,"message":"etcdserver: no leader"}"#;
            world.run(&format!("answer {conn} {no}"));
        }
    }
}

#[test]
fn b6_calls_go_to_the_leader_once_it_is_known() {
    check(
        r#"
        > client a b balance=leader_first
        > get k
        connect 1 to a
        > open 1
        send 1: POST /v3/kv/range {"key":"k"}
        connect 2 to a
        > open 2
        send 2: POST /v3/maintenance/status {}
        > answer 1 200 {"header":{"member_id":"10","raft_term":"2"}}
        call 1: Range
        > answer 2 200 {"header":{"member_id":"10","raft_term":"2"},"raftTerm":"2","leader":"11"}
        connect 3 to b
        > open 3
        send 3: POST /v3/maintenance/status {}
        > answer 3 200 {"header":{"member_id":"11","raft_term":"2"},"raftTerm":"2","leader":"11"}
        > get k
        send 3: POST /v3/kv/range {"key":"k"}
        > answer 3 200 {"header":{"member_id":"11","raft_term":"3"}}
        call 4: Range
        send 2: POST /v3/maintenance/status {}
        > get k
        send 1: POST /v3/kv/range {"key":"k"}
        > answer 2 200 {"header":{"member_id":"10","raft_term":"3"},"raftTerm":"3","leader":"10"}
        > get k
        send 2: POST /v3/kv/range {"key":"k"}
        "#,
    );
}

/// A leader that stands still tells nobody that another leads: who loses patience with it asks elsewhere.
#[test]
fn b6_a_leader_that_is_silent_is_left() {
    check(
        r#"
        > client a b balance=leader_first
        > get k
        connect 1 to a
        > open 1
        send 1: POST /v3/kv/range {"key":"k"}
        connect 2 to a
        > answer 1 200 {"header":{"member_id":"10","raft_term":"2"}}
        call 1: Range
        send 1: POST /v3/maintenance/status {}
        > answer 1 200 {"header":{"member_id":"10","raft_term":"2"},"raftTerm":"2","leader":"10"}
        > get k timeout=300ms
        send 1: POST /v3/kv/range {"key":"k"}
        > wait 1s
        at 300ms
        call 3: Timeout, not applied: deadline passed while waiting for the answer
        close 1
        > get k
        connect 3 to b
        "#,
    );
}

/// Rule B-9. What is known of those that stay is kept, and calls under way at those that go are waited for.
#[test]
fn b9_endpoints_are_replaced_under_way() {
    check(
        r#"
        > client a b balance=priority
        > get 1
        connect 1 to a
        > open 1
        send 1: POST /v3/kv/range {"key":"1"}
        > answer 1 200 {}
        call 1: Range
        > get 2
        send 1: POST /v3/kv/range {"key":"2"}
        > watch k
        connect 2 to a
        > open 2
        send 2: POST /v3/watch (open, with a leader)
        send 2: {"create_request":{"key":"k","progress_notify":true,"watch_id":"1"}}
        > created 2 id=1 rev=10
        watch 1: created at 10
        > put x y
        connect 3 to a
        // The watch and what waits for a connection go on elsewhere, what was asked is waited for.
        > endpoints b c
        close 2
        close 3
        connect 4 to b
        connect 5 to b
        > open 4
        send 4: POST /v3/kv/put {"key":"x","value":"y"}
        > answer 4 200 {}
        call 3: Put
        > open 5
        send 5: POST /v3/watch (open, with a leader)
        send 5: {"create_request":{"key":"k","progress_notify":true,"start_revision":"11","watch_id":"1"}}
        > created 5 id=1 rev=11
        watch 1: resumed from 11 at b
        > answer 1 200 {}
        close 1
        call 2: Range
        // Of those it had it still knows all, and one that comes back is taken again.
        > endpoints a b
        > get 3
        connect 6 to a
        > open 6
        send 6: POST /v3/kv/range {"key":"3"}
        "#,
    );
}

#[test]
fn b9_new_endpoints_do_not_wait_for_what_failed_before() {
    check(
        r#"
        > client a
        > get 1
        connect 1 to a
        > refuse 1
        close 1
        > wait 5ms
        > endpoints b
        connect 2 to b
        > open 2
        send 2: POST /v3/kv/range {"key":"1"}
        > answer 2 200 {}
        call 1: Range
        > endpoints
        refused: no endpoint given
        "#,
    );
}

#[test]
fn b9_the_members_are_asked_for_and_taken() {
    check(
        r#"
        > client a sync=60s
        > sync
        connect 1 to a
        > open 1
        send 1: POST /v3/cluster/member/list {"linearizable":true}
        > answer 1 200 {"members":[{"ID":"1","name":"a","clientURLs":["http://a:2379"]},{"ID":"2","name":"b","clientURLs":["http://b:2379","http://127.0.0.1:2379"]},{"ID":"3","clientURLs":["http://c:2379"]}]}
        call 1: MemberList
        > until 60s
        at 60s
        close 1
        connect 2 to a
        // None is told, so all stays.
        > open 2
        send 2: POST /v3/cluster/member/list {"linearizable":true}
        > answer 2 200 {"members":[]}
        > until 61s
        > get 1
        send 2: POST /v3/kv/range {"key":"1"}
        > get 2
        connect 3 to a
        > answer 2 200 {}
        call 3: Range
        send 2: POST /v3/kv/range {"key":"2"}
        > answer 2 200 {}
        call 4: Range
        > until 62s
        > reset 2
        close 2
        > get 3
        > open 3
        send 3: POST /v3/kv/range {"key":"3"}
        > answer 3 200 {}
        call 5: Range
        > until 120s
        at 120s
        close 3
        connect 4 to a
        > open 4
        send 4: POST /v3/cluster/member/list {"linearizable":true}
        > answer 4 200 {"members":[{"ID":"2","name":"b","clientURLs":["http://b:2379"]}]}
        close 4
        > get 4
        connect 5 to b
        "#,
    );
}

/// A member that goes takes its token with it, and a login under way begins anew.
#[test]
fn b9_a_login_goes_on_at_the_new_endpoints() {
    check(
        r#"
        > client a user=root password=p
        > get 1
        connect 1 to a
        > open 1
        send 1: POST /v3/auth/authenticate {"name":"root","password":"p"}
        > watch k
        > endpoints b
        close 1
        connect 2 to b
        > open 2
        send 2: POST /v3/auth/authenticate {"name":"root","password":"p"}
        > answer 2 200 {"token":"T1"}
        send 2: POST /v3/kv/range {"key":"1"} as T1
        connect 3 to b
        > answer 2 200 {}
        call 1: Range
        "#,
    );
}

#[test]
fn b9_g42_members_that_must_not_see_the_token_are_left_out() {
    check(
        r#"
        > client 127.0.0.1 token=T1 clear=no
        > sync
        connect 1 to 127.0.0.1
        > open 1
        send 1: POST /v3/cluster/member/list {"linearizable":true} as T1
        > answer 1 200 {"members":[{"ID":"1","name":"a","clientURLs":["http://a:2379","http://127.0.0.1:3"]}]}
        call 1: MemberList
        close 1
        > get 1
        connect 2 to 127.0.0.1
        > endpoints a
        refused: credentials are not usable: they would go over plain HTTP to another machine; use https://, or allow it with Credentials::over_plain_http
        > get 2
        connect 3 to 127.0.0.1
        "#,
    );
}

/// What the user says counts, whatever was asked before.
#[test]
fn b9_an_answer_to_an_older_question_undoes_nothing() {
    check(
        r#"
        > client a
        > sync
        connect 1 to a
        > open 1
        send 1: POST /v3/cluster/member/list {"linearizable":true}
        > endpoints x
        > answer 1 200 {"members":[{"ID":"1","name":"a","clientURLs":["http://a:2379"]}]}
        close 1
        call 1: MemberList
        > get k
        connect 2 to x
        > endpoints x
        > open 2
        send 2: POST /v3/kv/range {"key":"k"}
        > answer 2 200 {}
        call 2: Range
        "#,
    );
}

#[test]
fn b9_the_clients_own_question_is_asked_once_at_a_time() {
    check(
        r#"
        > client a sync=1s read_timeout=5s
        > until 1s
        at 1s
        connect 1 to a
        > open 1
        send 1: POST /v3/cluster/member/list {"linearizable":true}
        > until 3s
        "#,
    );
}

/// A connection for one endpoint only is of no use once that is gone.
#[test]
fn b9_what_nobody_is_bound_to_any_more_is_closed() {
    check(
        r#"
        > client a b
        > get k at=a
        connect 1 to a
        > open 1
        send 1: POST /v3/kv/range {"key":"k"}
        > answer 1 200 {}
        call 1: Range
        > get k at=b
        connect 2 to b
        > open 2
        send 2: POST /v3/kv/range {"key":"k"}
        > endpoints c
        close 1
        > answer 2 200 {}
        call 2: Range
        "#,
    );
}

/// One attempt is all a call has, and it is not the server's fault that it was ended.
#[test]
fn b9_a_renewal_under_way_is_made_elsewhere() {
    check(
        r#"
        > client a attempts=1
        > renew 7
        connect 1 to a
        > open 1
        send 1: POST /v3/lease/keepalive (open, with a leader)
        send 1: {"ID":"7"}
        > endpoints b
        close 1
        connect 2 to b
        > open 2
        send 2: POST /v3/lease/keepalive (open, with a leader)
        send 2: {"ID":"7"}
        > frame 2 {"ID":"7","TTL":"10"}
        call 1: LeaseKeepAlive 7 for 10 s
        "#,
    );
}
