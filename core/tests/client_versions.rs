//! Calls that not every server has.

mod support;

use support::check;

#[test]
fn the_version_is_asked_for_once_on_a_connection() {
    check(
        r#"
        > client a
        > hashkv
        connect 1 to a
        > open 1
        send 1: GET /version
        > answer 1 200 {"etcdserver":"3.5.16","etcdcluster":"3.5.0"}
        send 1: POST /v3/maintenance/hashkv {}
        > answer 1 200 {"hash":7}
        call 1: HashKv
        > hashkv
        send 1: POST /v3/maintenance/hashkv {}
        > answer 1 200 {"hash":7}
        call 2: HashKv
        > get k
        send 1: POST /v3/kv/range {"key":"k"}
        "#,
    );
}

#[test]
fn an_old_server_is_not_asked_for_what_it_does_not_have() {
    check(
        r#"
        > client a
        > hashkv
        connect 1 to a
        > open 1
        send 1: GET /version
        > answer 1 200 {"etcdserver":"3.4.23","etcdcluster":"3.4.0"}
        call 1: Unsupported, not applied: server 3.4.23 has no maintenance/hashkv; it needs 3.5.10 or later
        > readyz
        call 2: Unsupported, not applied: server 3.4.23 has no readyz; it needs 3.4.29 or 3.5.11 or later
        > get k
        send 1: POST /v3/kv/range {"key":"k"}
        > answer 1 200 {}
        call 3: Range
        "#,
    );
}

#[test]
fn a_version_that_was_asked_for_by_hand_counts() {
    check(
        r#"
        > client a
        > version
        connect 1 to a
        > open 1
        send 1: GET /version
        > answer 1 200 {"etcdserver":"3.5.1","etcdcluster":"3.5.0"}
        call 1: Version
        > hashkv
        call 2: Unsupported, not applied: server 3.5.1 has no maintenance/hashkv; it needs 3.5.10 or later
        "#,
    );
}

#[test]
fn where_the_version_is_not_told_the_server_decides() {
    for version in [
        r#"404 404 page not found"#,
        r#"200 {"etcdserver":"new"}"#,
        r#"503 {"code":14,"message":"etcdserver: no leader"}"#,
    ] {
        check(&format!(
            r#"
            > client a
            > hashkv
            connect 1 to a
            > open 1
            send 1: GET /version
            > answer 1 {version}
            send 1: POST /v3/maintenance/hashkv {{}}
            > answer 1 404 Not Found
            call 1: Etcd, not applied: Not Found (NotFound): the server does not know /v3/maintenance/hashkv; it is too old for this call, or the API prefix is another
            > hashkv
            send 1: POST /v3/maintenance/hashkv {{}}
            "#
        ));
    }
}

#[test]
fn a_loss_while_the_version_is_asked_for_tries_elsewhere() {
    check(
        r#"
        > client a b
        > hashkv
        connect 1 to a
        > open 1
        send 1: GET /version
        > eof 1
        close 1
        connect 2 to b
        > open 2
        send 2: GET /version
        > raw 2 HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 23\r\n\r\n{"etcdserver":"3.5.16"}
        close 2
        connect 3 to b
        > open 3
        send 3: GET /version
        > answer 3 200 {"etcdserver":"3.5.16"}
        send 3: POST /v3/maintenance/hashkv {}
        > answer 3 200 {"hash":7}
        call 1: HashKv
        "#,
    );
}

#[test]
fn the_deadline_holds_while_the_version_is_asked_for() {
    check(
        r#"
        > client a
        > hashkv
        connect 1 to a
        > open 1
        send 1: GET /version
        > wait 6s
        at 5s
        call 1: Timeout, not applied: deadline passed while waiting for the answer
        close 1
        "#,
    );
}
