//! What a client tells of what it does by itself (rule R-10, guarantee G47): in virtual time, each input with
//! the notices it leads to.

mod support;

use support::World;
use support::check;
use support::check_without_replay;

#[test]
fn r10_g47_a_call_that_fails_over_twice_and_waits_tells_each_step() {
    check(
        r#"
        > client a b notices=debug
        > get k
        connect 1 to a
        debug: conn 1: opening to http://a:2379 for calls
        debug: call 1: waits for a free connection
        > open 1
        send 1: POST /v3/kv/range {"key":"k"}
        debug: conn 1: open to http://a:2379 after 0ns
        debug: call 1: attempt 1 of Range at http://a:2379, its turn
        > answer 1 503 {"code":14,"message":"etcdserver: server stopped"}
        close 1
        connect 2 to b
        warn: http://a:2379: healthy before, suspect now, as it failed: etcdserver: server stopped (Unavailable); asked again in 10 s
        debug: conn 1: closed to http://a:2379: nothing was left to do on the connection
        debug: call 1: attempt 1 at http://a:2379 failed: etcdserver: server stopped (Unavailable); next at once
        debug: conn 2: opening to http://b:2379 for calls
        debug: call 1: waits for a free connection
        > open 2
        send 2: POST /v3/kv/range {"key":"k"}
        debug: conn 2: open to http://b:2379 after 0ns
        debug: call 1: attempt 2 of Range at http://b:2379, its turn; again, as the last one failed: etcdserver: server stopped (Unavailable)
        > answer 2 503 {"code":14,"message":"what a proxy says of key k"}
        close 2
        warn: http://b:2379: healthy before, suspect now, as it failed: Unavailable, HTTP 503; asked again in 10 s
        debug: conn 2: closed to http://b:2379: nothing was left to do on the connection
        debug: call 1: attempt 2 at http://b:2379 failed: Unavailable, HTTP 503; next in 21 ms
        debug: call 1: waits for its next attempt in 21 ms
        > wait 30ms
        at 20.860227ms
        connect 3 to a
        debug: conn 3: opening to http://a:2379 for calls
        debug: call 1: waits for a free connection
        > open 3
        send 3: POST /v3/kv/range {"key":"k"}
        debug: conn 3: open to http://a:2379 after 9.139773ms
        debug: call 1: attempt 3 of Range at http://a:2379, though none is known to serve; again, as the last one failed: Unavailable, HTTP 503
        > answer 3 200 {}
        call 1: Range
        info: http://a:2379: suspect before, healthy now, as it answered
        debug: call 1: attempt 3 at http://a:2379 answered after 0ns
        "#,
    );
}

#[test]
fn r6_g47_where_none_can_be_reached_the_wait_is_told() {
    check(
        r#"
        > client a b notices=trace
        > get k
        connect 1 to a
        debug: conn 1: opening to http://a:2379 for calls
        debug: call 1: waits for a free connection
        > refuse 1
        close 1
        connect 2 to b
        info: conn 1: not opened to http://a:2379: cannot connect: connection refused
        warn: http://a:2379: healthy before, suspect now, as it failed: cannot connect: connection refused; asked again in 10 s
        debug: conn 2: opening to http://b:2379 for calls
        > refuse 2
        close 2
        info: conn 2: not opened to http://b:2379: cannot connect: connection refused
        warn: http://b:2379: healthy before, suspect now, as it failed: cannot connect: connection refused; asked again in 10 s
        info: every endpoint failed for calls: the next connection in 21 ms
        > get l
        debug: call 2: waits for an endpoint to try again in 21 ms
        > wait 26ms
        at 20.860227ms
        connect 3 to a
        connect 4 to a
        trace: woke up: the next connection for calls
        debug: conn 3: opening to http://a:2379 for calls
        debug: conn 4: opening to http://a:2379 for calls
        "#,
    );
}

#[test]
fn r10_g47_a_refused_call_tells_until_when_it_waits() {
    check(
        r#"
        > client a b notices=trace
        > get k
        connect 1 to a
        debug: conn 1: opening to http://a:2379 for calls
        debug: call 1: waits for a free connection
        > open 1
        send 1: POST /v3/kv/range {"key":"k"}
        debug: conn 1: open to http://a:2379 after 0ns
        debug: call 1: attempt 1 of Range at http://a:2379, its turn
        > answer 1 429 {"code":8,"message":"etcdserver: too many requests"}
        debug: call 1: attempt 1 at http://a:2379 failed: etcdserver: too many requests (ResourceExhausted); next in 21 ms
        debug: call 1: waits for its next attempt in 21 ms
        > wait 30ms
        at 20.860227ms
        send 1: POST /v3/kv/range {"key":"k"}
        trace: woke up: the next attempt of call 1
        debug: call 1: attempt 2 of Range at http://a:2379, its turn; again, as the last one failed: etcdserver: too many requests (ResourceExhausted)
        > answer 1 200 {}
        call 1: Range
        debug: call 1: attempt 2 at http://a:2379 answered after 9.139773ms
        "#,
    );
}

#[test]
fn r10_a_deadline_ends_the_last_attempt() {
    check(
        r#"
        > client a notices=debug write_timeout=40ms
        > put k v
        connect 1 to a
        debug: conn 1: opening to http://a:2379 for calls
        debug: call 1: waits for a free connection
        > open 1
        send 1: POST /v3/kv/put {"key":"k","value":"v"}
        debug: conn 1: open to http://a:2379 after 0ns
        debug: call 1: attempt 1 of Put at http://a:2379, its turn
        > wait 40ms
        at 40ms
        call 1: Timeout, maybe applied: deadline passed while waiting for the answer
        close 1
        debug: call 1: attempt 1 at http://a:2379 failed: deadline passed while waiting for the answer; no further one
        debug: conn 1: closed to http://a:2379: a deadline passed before the answer came
        "#,
    );
}

#[test]
fn g47_an_endpoint_tells_its_ups_and_downs() {
    check(
        r#"
        > client a b notices=info balance=priority
        > get 1
        connect 1 to a
        > refuse 1
        close 1
        connect 2 to b
        info: conn 1: not opened to http://a:2379: cannot connect: connection refused
        warn: http://a:2379: healthy before, suspect now, as it failed: cannot connect: connection refused; asked again in 10 s
        > open 2
        send 2: POST /v3/kv/range {"key":"1"}
        > answer 2 200 {}
        call 1: Range
        > wait 10s
        > get 2
        send 2: POST /v3/kv/range {"key":"2"}
        connect 3 to a
        > answer 2 200 {}
        call 2: Range
        > open 3
        send 3: POST /v3/kv/range {"key":"health","keys_only":true,"limit":"1"}
        > answer 3 200 {}
        info: http://a:2379: being asked before, healthy now, as it answered
        "#,
    );
}

/// Rule B-2: it answers, and is of no use but where nothing else is left.
#[test]
fn b2_a_learner_is_told_from_a_member_that_fails() {
    check(
        r#"
        > client a b notices=info balance=priority
        > put k v
        connect 1 to a
        > open 1
        send 1: POST /v3/kv/put {"key":"k","value":"v"}
        > answer 1 400 {"code":9,"message":"etcdserver: rpc not supported for learner"}
        close 1
        connect 2 to b
        warn: http://a:2379: healthy before, a learner now, as it failed: etcdserver: rpc not supported for learner (FailedPrecondition); asked again in 10 s
        > open 2
        send 2: POST /v3/kv/put {"key":"k","value":"v"}
        > answer 2 200 {}
        call 1: Put
        > status at=a
        connect 3 to a
        > open 3
        send 3: POST /v3/maintenance/status {}
        // That it answers this says nothing.
        > answer 3 200 {"version":"3.5.16","isLearner":true}
        call 2: Status
        > until 1s
        > get k
        send 2: POST /v3/kv/range {"key":"k"}
        > answer 2 200 {}
        call 3: Range
        > until 11s
        > get k
        send 2: POST /v3/kv/range {"key":"k"}
        send 3: POST /v3/kv/range {"key":"health","keys_only":true,"limit":"1"}
        // It was promoted.
        > answer 3 200 {}
        info: http://a:2379: being asked before, healthy now, as it answered
        "#,
    );
}

/// Rules B-2 and B-7.
#[test]
fn b2_a_member_of_another_cluster_is_told_as_one() {
    check(
        r#"
        > client a b notices=info balance=priority
        > get k
        connect 1 to a
        > open 1
        send 1: POST /v3/kv/range {"key":"k"}
        > answer 1 200 {"header":{"cluster_id":"5","revision":"9"}}
        call 1: Range
        > get k
        send 1: POST /v3/kv/range {"key":"k"}
        > answer 1 200 {"header":{"cluster_id":"6","revision":"9"}}
        close 1
        connect 2 to b
        warn: http://a:2379: healthy before, of another cluster now, as it failed: server is of cluster 6, the first one was of 5; asked again in 10 s
        "#,
    );
}

#[test]
fn g47_a_call_tells_why_it_went_there() {
    check(
        r#"
        > client a b notices=debug balance=round_robin
        > get 1
        connect 1 to a
        debug: conn 1: opening to http://a:2379 for calls
        debug: call 1: waits for a free connection
        > open 1
        send 1: POST /v3/kv/range {"key":"1"}
        debug: conn 1: open to http://a:2379 after 0ns
        debug: call 1: attempt 1 of Range at http://a:2379, its turn
        > answer 1 200 {}
        call 1: Range
        debug: call 1: attempt 1 at http://a:2379 answered after 0ns
        > get 2
        connect 2 to b
        send 1: POST /v3/kv/range {"key":"2"}
        debug: conn 2: opening to http://b:2379 for calls
        debug: call 2: attempt 1 of Range at http://a:2379, free before the one whose turn it is
        > get 3 at=b
        debug: call 3: waits for a free connection
        "#,
    );
}

#[test]
fn g47_a_watch_tells_its_loss_and_its_resume() {
    check(
        r#"
        > client a b notices=debug
        > watch k
        connect 1 to a
        debug: conn 1: opening to http://a:2379 for watches
        debug: watch 1: asked for at http://a:2379 from now on
        > open 1
        send 1: POST /v3/watch (open, with a leader)
        send 1: {"create_request":{"key":"k","progress_notify":true,"watch_id":"1"}}
        debug: conn 1: open to http://a:2379 after 0ns
        > created 1 id=1 rev=10
        watch 1: created at 10
        debug: watch 1: created at http://a:2379, revision 10
        > events 1 id=1 rev=12 k@12
        watch 1: 12 +k
        > reset 1
        close 1
        connect 2 to b
        debug: conn 1: closed to http://a:2379: connection reset
        warn: http://a:2379: healthy before, suspect now, as it failed: connection reset; asked again in 10 s
        info: watch 1: lost at http://a:2379, 13 is its next revision: connection reset
        debug: conn 2: opening to http://b:2379 for watches
        debug: watch 1: asked for at http://b:2379 from revision 13 on
        > open 2
        send 2: POST /v3/watch (open, with a leader)
        send 2: {"create_request":{"key":"k","progress_notify":true,"start_revision":"13","watch_id":"1"}}
        debug: conn 2: open to http://b:2379 after 0ns
        > created 2 id=1 rev=12
        watch 1: resumed from 13 at b
        info: watch 1: resumed at http://b:2379 from revision 13 on
        > unwatch 1
        close 2
        watch 1: end: canceled by the caller
        debug: conn 2: closed to http://b:2379: stopped by the caller
        debug: watch 1: ended: stopped by the caller
        "#,
    );
}

#[test]
fn g47_a_watch_that_is_not_read_tells_what_it_holds() {
    check(
        r#"
        > client a notices=debug buffer=300
        > watch k
        connect 1 to a
        debug: conn 1: opening to http://a:2379 for watches
        debug: watch 1: asked for at http://a:2379 from now on
        > open 1
        send 1: POST /v3/watch (open, with a leader)
        send 1: {"create_request":{"key":"k","progress_notify":true,"watch_id":"1"}}
        debug: conn 1: open to http://a:2379 after 0ns
        > created 1 id=1 rev=10
        watch 1: created at 10
        debug: watch 1: created at http://a:2379, revision 10
        > hold 1
        > events 1 id=1 rev=12 k@11 k@12
        watch 1 has something
        pause 1
        debug: watch 1: not read, holds 402 of 300 bytes
        > events 1 id=1 rev=14 k@13 k@14
        > read 1
        watch 1: 11 +k
        watch 1: 12 +k
        watch 1: 13 +k
        watch 1: 14 +k
        resume 1
        debug: watch 1: read again, holds 0 of 300 bytes
        > wait 1ms
        "#,
    );
}

#[test]
fn t4_g47_a_watch_that_lags_tells_by_how_much() {
    check(
        r#"
        > client a notices=info
        > watch k lag=5/1s
        connect 1 to a
        > open 1
        send 1: POST /v3/watch (open, with a leader)
        send 1: {"create_request":{"key":"k","progress_notify":true,"watch_id":"1"}}
        > created 1 id=1 rev=10
        watch 1: created at 10
        > get other
        connect 2 to a
        > open 2
        send 2: POST /v3/kv/range {"key":"other"}
        > answer 2 200 {"header":{"revision":"99"}}
        call 1: Range
        > wait 3s
        at 1s
        send 2: GET /version
        at 2s
        watch 1: lags at 10 of 99
        info: watch 1: lags, its server is at revision 99 and it at 10
        "#,
    );
}

#[test]
fn l6_g26_g47_a_lease_tells_its_renewal_its_risk_and_its_end() {
    check(
        r#"
        > client a notices=info
        > lease 9 id=7
        connect 1 to a
        > open 1
        send 1: POST /v3/lease/grant {"ID":"7","TTL":"9"}
        > answer 1 200 {"ID":"7","TTL":"9"}
        lease 1: active for 9 s, until 8.991s
        > wait 9s
        at 3.185054487s
        connect 2 to a
        at 4.185054487s
        close 2
        connect 3 to a
        info: conn 2: not opened to http://a:2379: a deadline passed before the answer came
        at 5.185054487s
        close 3
        connect 4 to a
        info: conn 3: not opened to http://a:2379: a deadline passed before the answer came
        at 6s
        lease 1: at risk, until 8.991s
        info: lease 1: at risk, ends in 2991 ms
        at 6.185054487s
        close 4
        connect 5 to a
        info: conn 4: not opened to http://a:2379: a deadline passed before the answer came
        at 7.185054487s
        close 5
        connect 6 to a
        info: conn 5: not opened to http://a:2379: a deadline passed before the answer came
        at 8.185054487s
        close 6
        connect 7 to a
        info: conn 6: not opened to http://a:2379: a deadline passed before the answer came
        at 8.991s
        lease 1: expired at 8.991s
        warn: lease 1: expired, it may be gone
        > shutdown
        lease 1: end: the client was shut down
        close 1
        close 7
        "#,
    );
}

#[test]
fn g47_a_login_tells_that_it_failed_and_names_nobody() {
    check_without_replay(
        r#"
        > client a notices=debug user=root password=swordfish
        > get k
        connect 1 to a
        debug: call 2: asks for a token for http://a:2379
        debug: conn 1: opening to http://a:2379 for calls
        debug: call 1: waits for a token
        debug: call 2: waits for a free connection
        > open 1
        send 1: POST /v3/auth/authenticate {"name":"root","password":"swordfish"}
        debug: conn 1: open to http://a:2379 after 0ns
        debug: call 2: attempt 1 of Authenticate, for a token, at http://a:2379, its turn
        > deny 1 authentication failed, invalid user ID or password
        call 1: Auth, not applied: credentials were refused: etcdserver: authentication failed, invalid user ID or password (InvalidArgument)
        debug: call 2: attempt 1 at http://a:2379 failed: etcdserver: authentication failed, invalid user ID or password (InvalidArgument); no further one
        warn: no token came: etcdserver: authentication failed, invalid user ID or password (InvalidArgument)
        "#,
    );
}

#[test]
fn g47_a_snapshot_tells_where_it_is_asked_for() {
    check(
        r#"
        > client a b notices=debug
        > snapshot
        connect 1 to a
        debug: conn 1: opening to http://a:2379 for a snapshot
        debug: stream 1: attempt 1 at http://a:2379
        > refuse 1
        close 1
        connect 2 to b
        info: conn 1: not opened to http://a:2379: cannot connect: connection refused
        warn: http://a:2379: healthy before, suspect now, as it failed: cannot connect: connection refused; asked again in 10 s
        info: stream 1: lost: cannot connect: connection refused
        debug: conn 2: opening to http://b:2379 for a snapshot
        debug: stream 1: attempt 2 at http://b:2379
        > open 2
        send 2: POST /v3/maintenance/snapshot {}
        debug: conn 2: open to http://b:2379 after 0ns
        > drop 1
        stream 1: end: canceled by the caller
        close 2
        debug: stream 1: ended: stopped by the caller
        debug: conn 2: closed to http://b:2379: stopped by the caller
        "#,
    );
}

#[test]
fn g39_g47_a_login_that_waits_tells_until_when() {
    check_without_replay(
        r#"
        > client a notices=debug user=root password=swordfish
        > get k
        connect 1 to a
        debug: call 2: asks for a token for http://a:2379
        debug: conn 1: opening to http://a:2379 for calls
        debug: call 1: waits for a token
        debug: call 2: waits for a free connection
        > open 1
        send 1: POST /v3/auth/authenticate {"name":"root","password":"swordfish"}
        debug: conn 1: open to http://a:2379 after 0ns
        debug: call 2: attempt 1 of Authenticate, for a token, at http://a:2379, its turn
        > answer 1 500 {"code":13,"message":"what broke for user root"}
        debug: call 2: attempt 1 at http://a:2379 failed: Internal, HTTP 500; no further one
        warn: no token came: Internal, HTTP 500
        info: the next login is made in 1000 ms
        > wait 2s
        at 1s
        send 1: POST /v3/auth/authenticate {"name":"root","password":"swordfish"}
        debug: call 3: asks for a token for http://a:2379
        debug: call 3: attempt 1 of Authenticate, for a token, at http://a:2379, its turn
        debug: call 1: waits for a token
        "#,
    );
}

#[test]
fn w16_g47_a_watch_that_reads_its_range_tells_each_wait() {
    check(
        r#"
        > client a notices=info
        > watch k from=5 compaction=snapshot
        connect 1 to a
        > open 1
        send 1: POST /v3/watch (open, with a leader)
        send 1: {"create_request":{"key":"k","progress_notify":true,"start_revision":"5","watch_id":"1"}}
        > created 1 id=1 rev=20
        watch 1: created at 20
        > canceled 1 id=1 rev=20 compact=9
        close 1
        connect 2 to a
        info: watch 1: reads its range, as revision 5 was compacted (oldest kept 9)
        > open 2
        send 2: POST /v3/kv/range {"key":"k","limit":"16"}
        > answer 2 503 {"code":14,"message":"etcdserver: server stopped"}
        warn: http://a:2379: healthy before, suspect now, as it failed: etcdserver: server stopped (Unavailable); asked again in 10 s
        > wait 6s
        at 16.42852ms
        send 2: POST /v3/kv/range {"key":"k","limit":"16"}
        at 5s
        close 2
        warn: http://a:2379: suspect before, suspect now, as it failed: a deadline passed before the answer came; asked again in 20 s
        info: watch 1: asks for its next page in 8 ms
        at 5.007890591s
        connect 3 to a
        "#,
    );
}

#[test]
fn g27_g47_a_lease_that_is_gone_tells_so() {
    check(
        r#"
        > client a notices=debug
        > alive 7
        connect 1 to a
        debug: conn 1: opening to http://a:2379 for renewals
        debug: call 1: attempt 1 of LeaseKeepAlive, for lease 1, at http://a:2379, where all renewals go
        > open 1
        send 1: POST /v3/lease/keepalive (open, with a leader)
        send 1: {"ID":"7"}
        debug: conn 1: open to http://a:2379 after 0ns
        > frame 1 {"ID":"7","TTL":"9"}
        lease 1: active for 9 s, until 8.991s
        debug: call 1: attempt 1 at http://a:2379 answered after 0ns
        debug: lease 1: renewed, ends in 8991 ms
        > wait 4s
        at 3.185054487s
        send 1: {"ID":"7"}
        debug: call 2: attempt 1 of LeaseKeepAlive, for lease 1, at http://a:2379, where all renewals go
        > frame 1 {"ID":"7"}
        lease 1: end: the lease is gone
        debug: call 2: attempt 1 at http://a:2379 failed: etcdserver: requested lease not found (NotFound); no further one
        warn: lease 1: ended: the lease is gone
        "#,
    );
}

#[test]
fn g3_g47_a_lease_that_fails_before_anybody_looks_tells_so() {
    check(
        r#"
        > client a notices=warn
        > lease 10 id=7
        connect 1 to a
        > ignore 1
        > open 1
        send 1: POST /v3/lease/grant {"ID":"7","TTL":"10"}
        > answer 1 200 {"ID":"7","TTL":"10"}
        lease 1 has something
        > wait 4s
        at 3.573356655s
        connect 2 to a
        > open 2
        send 2: POST /v3/lease/keepalive (open, with a leader)
        send 2: {"ID":"7"}
        > error 2 {"code":7,"message":"etcdserver: permission denied"}
        close 2
        warn: lease 1: ended: etcdserver: permission denied (PermissionDenied)
        > look 1
        lease 1: active for 10 s, until 9.99s
        lease 1: end: etcdserver: permission denied (PermissionDenied)
        "#,
    );
}

#[test]
fn g47_what_is_not_taken_gives_way_and_is_counted() {
    let mut world = World::after("client a notices=trace notice_room=1");
    let told = world.run("get k").join("\n");
    assert_eq!(
        told,
        "connect 1 to a\ndebug: call 1: waits for a free connection"
    );
    let stats = world.client().stats();
    assert_eq!(stats.notices_dropped, 1, "that a connection was ordered");
}

#[test]
fn g47_stats_count_what_is_told() {
    let mut world = World::after(
        "client a b buffer=300
        watch k
        open 1
        created 1 id=1 rev=10
        hold 1
        events 1 id=1 rev=12 k@11 k@12
        get k
        refuse 2
        refuse 3
        alive 7 ttl=9
        lock l",
    );
    let stats = world.client().stats();
    assert_eq!((stats.watches, stats.watches_live), (1, 1));
    assert_eq!((stats.calls, stats.calls_waiting), (2, 2));
    assert_eq!(stats.connections_failed, 2);
    assert_eq!(stats.endpoint_failures, 2);
    assert_eq!((stats.endpoints_unhealthy, stats.backoffs), (2, 1));
    assert_eq!((stats.leases, stats.leases_in_danger), (1, 0));
    assert_eq!((stats.bytes_held, stats.attempts_failed), (402, 0));
    assert_eq!(stats.notices_dropped, 0, "they are off");
    assert!(world.client().poll_notice().is_none());
    world.run("reset 1");
    world.run("wait 9s");
    let stats = world.client().stats();
    // The watch lost its connection, and then four that did not open within 2 s.
    assert_eq!((stats.losses, stats.leases_expired), (5, 1));
    assert_eq!((stats.leases_in_danger, stats.watches_live), (1, 0));
    assert!(stats.wake_ups > 0);
    world.run("shutdown");
    world.run("read 1");
    let stats = world.client().stats();
    assert_eq!((stats.watches, stats.calls, stats.leases), (0, 0, 0));
    assert_eq!((stats.bytes_held, stats.calls_waiting), (0, 0));
}
