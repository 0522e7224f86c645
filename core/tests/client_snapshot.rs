//! Snapshots, in virtual time.

mod support;

use support::check;

#[test]
fn a_snapshot_is_done_once_its_checksum_is_right() {
    check(
        "
        > client a
        > snapshot
        connect 1 to a
        > open 1
        send 1: POST /v3/maintenance/snapshot {}
        > blob 1 1024 rest=512
        > blob 1 512
        stream 1: 1024 bytes, 512 to come
        > sum 1 1536
        stream 1: 512 bytes, 0 to come
        > last 1
        stream 1: end: snapshot of 1536 bytes is whole
        close 1
        ",
    );
}

#[test]
fn a_snapshot_canceled_after_an_end_that_was_not_read_delivers_nothing_else() {
    check(
        "
        > client a
        > snapshot
        connect 1 to a
        > keep 1
        > open 1
        send 1: POST /v3/maintenance/snapshot {}
        > blob 1 512
        > sum 1 512
        stream 1 has something
        > last 1
        close 1
        > drop 1
        > take 1
        stream 1: end: canceled by the caller
        ",
    );
}

#[test]
fn a_wrong_checksum_a_wrong_length_and_a_cut_are_told_apart() {
    check(
        "
        > client a
        > snapshot
        connect 1 to a
        > open 1
        send 1: POST /v3/maintenance/snapshot {}
        > blob 1 512
        > sum 1 1024
        stream 1: 512 bytes, 0 to come
        > last 1
        stream 1: end: snapshot of 512 bytes has the SHA-256 \
            076a27c79e5ace2a3d47f9dd2e83e4ff6ea8872b3c2218f66c92b89b55f36560, the server sent \
            5f70bf18a086007016e948b04aed3b82103a36bea41755b6cddfaf10ace3c6ef; take it again
        close 1
        > snapshot
        connect 2 to a
        > open 2
        send 2: POST /v3/maintenance/snapshot {}
        > blob 2 500
        > sum 2 500
        stream 2: 500 bytes, 0 to come
        > last 2
        stream 2: end: snapshot of 500 bytes, which is no multiple of 512; take it again
        close 2
        > snapshot
        connect 3 to a
        > open 3
        send 3: POST /v3/maintenance/snapshot {}
        > blob 3 512 rest=1024
        > last 3
        stream 3: end: server ended the snapshot after 512 bytes, 1024 and a checksum before its \
            end; take it again
        close 3
        ",
    );
}

#[test]
fn a_snapshot_begins_elsewhere_until_something_was_delivered() {
    check(
        "
        > client a b
        > snapshot
        connect 1 to a
        > refuse 1
        close 1
        connect 2 to b
        > open 2
        send 2: POST /v3/maintenance/snapshot {}
        > blob 2 512 rest=512
        > reset 2
        close 2
        > wait 100ms
        at 20.860227ms
        connect 3 to a
        > open 3
        send 3: POST /v3/maintenance/snapshot {}
        > blob 3 512 rest=512
        > blob 3 512
        stream 1: 512 bytes, 512 to come
        > reset 3
        close 3
        stream 1: end: snapshot lost after 512 bytes: connection reset; take it again
        ",
    );
}

#[test]
fn a_snapshot_of_one_member_stays_there() {
    check(
        "
        > client a b
        > snapshot at=c
        connect 1 to c
        > refuse 1
        close 1
        > until 6s
        at 20.860227ms
        connect 2 to c
        at 2.020860227s
        close 2
        at 2.062136179s
        connect 3 to c
        at 4.062136179s
        close 3
        at 4.113075416s
        connect 4 to c
        at 5s
        stream 1: end: no endpoint could serve the call: cannot connect: no connection within 2000 ms
        close 4
        ",
    );
}

#[test]
fn a_refusal_is_the_end() {
    check(
        r#"
        > client a b
        > snapshot
        connect 1 to a
        > open 1
        send 1: POST /v3/maintenance/snapshot {}
        > answer 1 500 {"error":{"grpc_code":2,"http_code":500,"message":"auth: user name is empty"}}
        stream 1: end: auth: user name is empty (Unknown)
        close 1
        > snapshot
        connect 2 to a
        > open 2
        send 2: POST /v3/maintenance/snapshot {}
        > blob 2 512 rest=1024
        > blob 2 512 rest=512
        stream 2: 512 bytes, 1024 to come
        > error 2 {"code":14,"message":"etcdserver: server stopped"}
        stream 2: end: etcdserver: server stopped (Unavailable)
        close 2
        "#,
    );
}

#[test]
fn a_server_may_be_silent_for_so_long() {
    check(
        "
        > client a silence=3s
        > snapshot
        connect 1 to a
        > wait 1s
        > open 1
        send 1: POST /v3/maintenance/snapshot {}
        > wait 2s
        > blob 1 512 rest=1024
        > wait 2s
        > blob 1 512 rest=512
        stream 1: 512 bytes, 1024 to come
        > wait 20s
        at 8s
        stream 1: end: deadline passed while waiting for the answer
        close 1
        ",
    );
}

#[test]
fn a_snapshot_has_a_deadline_only_if_it_is_given_one() {
    check(
        "
        > client a silence=3s
        > snapshot timeout=4s
        connect 1 to a
        > open 1
        send 1: POST /v3/maintenance/snapshot {}
        > wait 2s
        > blob 1 512 rest=1024
        > wait 20s
        at 4s
        stream 1: end: deadline passed while waiting for the answer
        close 1
        ",
    );
}

#[test]
fn a_snapshot_has_to_begin_in_time() {
    check(
        "
        > client a read_timeout=3s connect_timeout=2s
        > snapshot
        connect 1 to a
        > wait 20s
        at 2s
        close 1
        at 2.01642852s
        connect 2 to a
        at 3s
        stream 1: end: no endpoint could serve the call: cannot connect: no connection within 2000 ms
        close 2
        ",
    );
}

#[test]
fn a_snapshot_that_is_not_read_is_not_sent_and_not_timed() {
    check(
        "
        > client a stream_buffer=1000 silence=3s
        > snapshot
        connect 1 to a
        > open 1
        send 1: POST /v3/maintenance/snapshot {}
        > keep 1
        > blob 1 600 rest=1224
        > blob 1 600 rest=624
        stream 1 has something
        > blob 1 600 rest=24
        pause 1
        > wait 100s
        > take 1 1
        stream 1: 600 bytes, 1224 to come
        > take 1 1
        stream 1: 600 bytes, 624 to come
        resume 1
        > wait 10s
        at 105s
        close 1
        > take 1
        stream 1: end: deadline passed while waiting for the answer
        ",
    );
}

#[test]
fn a_canceled_snapshot_delivers_nothing_more() {
    check(
        "
        > client a
        > snapshot
        connect 1 to a
        > open 1
        send 1: POST /v3/maintenance/snapshot {}
        > keep 1
        > blob 1 512 rest=1024
        > blob 1 512 rest=512
        stream 1 has something
        > drop 1
        close 1
        > take 1
        stream 1: end: canceled by the caller
        > drop 1
        > blob 1 512
        > take 1
        > snapshot
        connect 2 to a
        > drop 2
        stream 2: end: canceled by the caller
        close 2
        > shutdown
        > snapshot
        stream 3: end: the client was shut down
        ",
    );
}

#[test]
fn streams_are_counted() {
    check(
        "
        > client a streams=2
        > snapshot
        connect 1 to a
        > observe el
        connect 2 to a
        > observe el
        stream 3: end: more than 2 snapshots and observations open
        > shutdown
        stream 1: end: the client was shut down
        stream 2: end: the client was shut down
        close 1
        close 2
        ",
    );
}

#[test]
fn a_failed_snapshot_holds_up_no_call() {
    check(
        "
        > client a
        > snapshot
        connect 1 to a
        > refuse 1
        close 1
        > get k
        connect 2 to a
        > shutdown
        call 1: Unavailable, not applied: no endpoint could serve the call: the client was shut down
        stream 1: end: the client was shut down
        close 2
        ",
    );
}
