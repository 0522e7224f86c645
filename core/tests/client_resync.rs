//! Watches whose next revision was compacted, and that are to go on (rule W-16).

mod support;

use support::World;
use support::check;

/// A live watch with these options, created at 10, at a server that says it is compacted at 20.
fn compacted(options: &str) -> String {
    format!(
        "client a created_timeout=60s
        watch k/ prefix=1 from=11 {options}
        open 1
        created 1 id=1 rev=10
        canceled 1 id=1 compact=20
        open 2"
    )
}

#[test]
fn w16_a_snapshot_tells_every_key_and_the_watch_goes_on_behind_it() {
    check(
        r#"
        > client a
        > watch k/ prefix=1 compaction=snapshot
        connect 1 to a
        > open 1
        send 1: POST /v3/watch (open, with a leader)
        send 1: {"create_request":{"key":"k/","progress_notify":true,"range_end":"k0","watch_id":"1"}}
        > created 1 id=1 rev=10
        watch 1: created at 10
        > events 1 id=1 rev=12 k/a@12
        watch 1: 12 +k/a
        > canceled 1 id=1 compact=20
        close 1
        connect 2 to a
        > open 2
        send 2: POST /v3/kv/range {"key":"k/","limit":"16","range_end":"k0"}
        > page 2 rev=30 k/a@12 k/b@25
        watch 1: lost 13 to 30, compacted at 20
        watch 1: found at 30: k/a@12 k/b@25
        watch 1: all found at 30
        connect 3 to a
        > open 3
        send 3: POST /v3/watch (open, with a leader)
        send 3: {"create_request":{"key":"k/","progress_notify":true,"range_end":"k0","start_revision":"31","watch_id":"1"}}
        > created 3 id=1 rev=31
        watch 1: resumed from 31 at a
        > events 3 id=1 rev=31 -k/a@31
        watch 1: 31 -k/a
        "#,
    );
}

#[test]
fn w16_only_what_differs_is_told_to_who_knows_keys() {
    check(
        r#"
        > client a
        > watch k/ prefix=1 from=11 known=k/a@5,k/b@6,k/c@7,k/d@8
        connect 1 to a
        > open 1
        send 1: POST /v3/watch (open, with a leader)
        send 1: {"create_request":{"key":"k/","progress_notify":true,"range_end":"k0","start_revision":"11","watch_id":"1"}}
        > created 1 id=1 rev=10
        watch 1: created at 10
        > canceled 1 id=1 compact=20
        close 1
        connect 2 to a
        > open 2
        send 2: POST /v3/kv/range {"key":"k/","limit":"16","range_end":"k0"}
        > page 2 rev=30 k/a@5 k/c@21 k/d@8 k/e@22
        watch 1: lost 11 to 30, compacted at 20
        watch 1: found at 30: -k/b@6 k/c@21 k/e@22
        watch 1: all found at 30
        connect 3 to a
        > open 3
        send 3: POST /v3/watch (open, with a leader)
        send 3: {"create_request":{"key":"k/","progress_notify":true,"range_end":"k0","start_revision":"31","watch_id":"1"}}
        > created 3 id=1 rev=30
        watch 1: resumed from 31 at a
        > events 3 id=1 rev=31 k/b@31
        watch 1: 31 +k/b
        "#,
    );
}

#[test]
fn w16_what_the_watch_told_is_known_too() {
    check(
        r#"
        > client a
        > watch k/ prefix=1 from=2 known=none
        connect 1 to a
        > open 1
        send 1: POST /v3/watch (open, with a leader)
        send 1: {"create_request":{"key":"k/","progress_notify":true,"range_end":"k0","start_revision":"2","watch_id":"1"}}
        > created 1 id=1 rev=10
        watch 1: created at 10
        > events 1 id=1 rev=10 k/a@2 k/b@3 k/c@4 -k/b@5 k/a@6
        watch 1: 2 +k/a
        watch 1: 3 +k/b
        watch 1: 4 +k/c
        watch 1: 5 -k/b
        watch 1: 6 +k/a
        > canceled 1 id=1 compact=20
        close 1
        connect 2 to a
        > open 2
        send 2: POST /v3/kv/range {"key":"k/","limit":"16","range_end":"k0"}
        > page 2 rev=30 k/a@6 k/d@9
        watch 1: lost 7 to 30, compacted at 20
        watch 1: found at 30: -k/c@4 k/d@9
        watch 1: all found at 30
        connect 3 to a
        "#,
    );
}

#[test]
fn w16_a_key_that_went_and_came_back_is_told() {
    check(
        r#"
        > client a
        > watch k/ prefix=1 from=11 known=k/a@5
        connect 1 to a
        > open 1
        send 1: POST /v3/watch (open, with a leader)
        send 1: {"create_request":{"key":"k/","progress_notify":true,"range_end":"k0","start_revision":"11","watch_id":"1"}}
        > created 1 id=1 rev=10
        watch 1: created at 10
        > canceled 1 id=1 compact=20
        close 1
        connect 2 to a
        > open 2
        send 2: POST /v3/kv/range {"key":"k/","limit":"16","range_end":"k0"}
        > page 2 rev=30 k/a@29
        watch 1: lost 11 to 30, compacted at 20
        watch 1: found at 30: k/a@29
        watch 1: all found at 30
        connect 3 to a
        > open 3
        send 3: POST /v3/watch (open, with a leader)
        send 3: {"create_request":{"key":"k/","progress_notify":true,"range_end":"k0","start_revision":"31","watch_id":"1"}}
        > created 3 id=1 rev=30
        watch 1: resumed from 31 at a
        > events 3 id=1 rev=32 -k/a@32
        watch 1: 32 -k/a
        > wait 11s
        > canceled 3 id=1 compact=40
        close 3
        send 2: POST /v3/kv/range {"key":"k/","limit":"16","range_end":"k0"}
        > page 2 rev=50
        watch 1: lost 33 to 50, compacted at 40
        watch 1: all found at 50
        connect 4 to a
        "#,
    );
}

#[test]
fn w16_an_empty_range_is_told_as_that() {
    check(
        r#"
        > client a
        > watch k/ prefix=1 from=11 compaction=snapshot
        connect 1 to a
        > watch k/ prefix=1 from=11 known=k/a@5
        > open 1
        send 1: POST /v3/watch (open, with a leader)
        send 1: {"create_request":{"key":"k/","progress_notify":true,"range_end":"k0","start_revision":"11","watch_id":"1"}}
        send 1: {"create_request":{"key":"k/","progress_notify":true,"range_end":"k0","start_revision":"11","watch_id":"2"}}
        > created 1 id=1 rev=10
        watch 1: created at 10
        > created 1 id=2 rev=10
        watch 2: created at 10
        > canceled 1 id=1 compact=20
        send 1: {"cancel_request":{"watch_id":"1"}}
        connect 2 to a
        > open 2
        send 2: POST /v3/kv/range {"key":"k/","limit":"16","range_end":"k0"}
        > page 2 rev=30
        watch 1: lost 11 to 30, compacted at 20
        watch 1: all found at 30
        send 1: {"create_request":{"key":"k/","progress_notify":true,"range_end":"k0","start_revision":"31","watch_id":"3"}}
        > canceled 1 id=2 compact=20
        send 1: {"cancel_request":{"watch_id":"2"}}
        send 2: POST /v3/kv/range {"key":"k/","limit":"16","range_end":"k0"}
        > page 2 rev=31
        watch 2: lost 11 to 31, compacted at 20
        watch 2: found at 31: -k/a@5
        watch 2: all found at 31
        send 1: {"create_request":{"key":"k/","progress_notify":true,"range_end":"k0","start_revision":"32","watch_id":"4"}}
        "#,
    );
}

#[test]
fn w16_all_pages_are_read_at_one_revision() {
    check(
        r#"
        > client a
        > watch k/ prefix=1 from=11 known=k/a@5,k/b@6,k/z@7
        connect 1 to a
        > open 1
        send 1: POST /v3/watch (open, with a leader)
        send 1: {"create_request":{"key":"k/","progress_notify":true,"range_end":"k0","start_revision":"11","watch_id":"1"}}
        > created 1 id=1 rev=10
        watch 1: created at 10
        > canceled 1 id=1 compact=20
        close 1
        connect 2 to a
        > open 2
        send 2: POST /v3/kv/range {"key":"k/","limit":"16","range_end":"k0"}
        > page 2 rev=30 more=1 k/a@5 k/c@21
        watch 1: lost 11 to 30, compacted at 20
        watch 1: found at 30: -k/b@6 k/c@21
        send 2: POST /v3/kv/range {"key":"k/c\u0000","limit":"32","range_end":"k0","revision":"30"}
        > page 2 rev=35 more=1 k/m@22
        watch 1: found at 30: k/m@22
        send 2: POST /v3/kv/range {"key":"k/m\u0000","limit":"64","range_end":"k0","revision":"30"}
        > page 2 rev=36 k/n@23
        watch 1: found at 30: k/n@23 -k/z@7
        watch 1: all found at 30
        connect 3 to a
        "#,
    );
}

#[test]
fn w16_one_key_is_one_page() {
    check(
        r#"
        > client a
        > watch k from=11 known=k@5
        connect 1 to a
        > open 1
        send 1: POST /v3/watch (open, with a leader)
        send 1: {"create_request":{"key":"k","progress_notify":true,"start_revision":"11","watch_id":"1"}}
        > created 1 id=1 rev=10
        watch 1: created at 10
        > canceled 1 id=1 compact=20
        close 1
        connect 2 to a
        > open 2
        send 2: POST /v3/kv/range {"key":"k","limit":"16"}
        > page 2 rev=30
        watch 1: lost 11 to 30, compacted at 20
        watch 1: found at 30: -k@5
        watch 1: all found at 30
        connect 3 to a
        "#,
    );
}

#[test]
fn g14_a_compaction_that_cannot_be_is_doubted_before_anything_is_read() {
    check(
        r#"
        > client a
        > watch k/ prefix=1 from=21 compaction=snapshot
        connect 1 to a
        > open 1
        send 1: POST /v3/watch (open, with a leader)
        send 1: {"create_request":{"key":"k/","progress_notify":true,"range_end":"k0","start_revision":"21","watch_id":"1"}}
        > created 1 id=1 rev=30
        watch 1: created at 30
        > canceled 1 id=1 compact=20
        close 1
        > wait 50ms
        at 16.42852ms
        connect 2 to a
        > open 2
        send 2: POST /v3/watch (open, with a leader)
        send 2: {"create_request":{"key":"k/","progress_notify":true,"range_end":"k0","start_revision":"21","watch_id":"1"}}
        > created 2 id=1 rev=30
        watch 1: resumed from 21 at a
        > canceled 2 id=1 compact=20
        close 2
        connect 3 to a
        > open 3
        send 3: POST /v3/kv/range {"key":"k/","limit":"16","range_end":"k0"}
        > page 3 rev=30 k/a@5
        watch 1: lost 21 to 30, compacted at 20
        watch 1: found at 30: k/a@5
        watch 1: all found at 30
        connect 4 to a
        "#,
    );
}

#[test]
fn w16_a_compaction_that_overtakes_the_reading_begins_it_anew() {
    check(
        r#"
        > client a
        > watch k/ prefix=1 from=11 compaction=snapshot
        connect 1 to a
        > open 1
        send 1: POST /v3/watch (open, with a leader)
        send 1: {"create_request":{"key":"k/","progress_notify":true,"range_end":"k0","start_revision":"11","watch_id":"1"}}
        > created 1 id=1 rev=10
        watch 1: created at 10
        > canceled 1 id=1 compact=20
        close 1
        connect 2 to a
        > open 2
        send 2: POST /v3/kv/range {"key":"k/","limit":"16","range_end":"k0"}
        > page 2 rev=30 more=1 k/a@5
        watch 1: lost 11 to 30, compacted at 20
        watch 1: found at 30: k/a@5
        send 2: POST /v3/kv/range {"key":"k/a\u0000","limit":"32","range_end":"k0","revision":"30"}
        > answer 2 400 {"error":"etcdserver: mvcc: required revision has been compacted","code":11}
        > wait 50ms
        at 16.42852ms
        send 2: POST /v3/kv/range {"key":"k/","limit":"32","range_end":"k0"}
        > page 2 rev=40 more=1 k/a@33
        watch 1: lost 11 to 40, compacted at 20
        watch 1: found at 40: k/a@33
        send 2: POST /v3/kv/range {"key":"k/a\u0000","limit":"64","range_end":"k0","revision":"40"}
        > answer 2 400 {"error":"etcdserver: mvcc: required revision has been compacted","code":11}
        > wait 100ms
        at 82.890591ms
        send 2: POST /v3/kv/range {"key":"k/","limit":"64","range_end":"k0"}
        > page 2 rev=50 k/a@33 k/b@7
        watch 1: lost 11 to 50, compacted at 20
        watch 1: found at 50: k/a@33 k/b@7
        watch 1: all found at 50
        connect 3 to a
        "#,
    );
}

#[test]
fn w16_who_knows_keys_is_told_none_twice_by_a_reading_that_begins_anew() {
    check(
        r#"
        > client a
        > watch k/ prefix=1 from=11 known=k/a@5,k/b@6,k/c@7
        connect 1 to a
        > open 1
        send 1: POST /v3/watch (open, with a leader)
        send 1: {"create_request":{"key":"k/","progress_notify":true,"range_end":"k0","start_revision":"11","watch_id":"1"}}
        > created 1 id=1 rev=10
        watch 1: created at 10
        > canceled 1 id=1 compact=20
        close 1
        connect 2 to a
        > open 2
        send 2: POST /v3/kv/range {"key":"k/","limit":"16","range_end":"k0"}
        > page 2 rev=30 more=1 k/b@21
        watch 1: lost 11 to 30, compacted at 20
        watch 1: found at 30: -k/a@5 k/b@21
        send 2: POST /v3/kv/range {"key":"k/b\u0000","limit":"32","range_end":"k0","revision":"30"}
        > answer 2 400 {"error":"etcdserver: mvcc: required revision has been compacted","code":11}
        > wait 50ms
        at 16.42852ms
        send 2: POST /v3/kv/range {"key":"k/","limit":"32","range_end":"k0"}
        > page 2 rev=40 k/b@21 k/c@35
        watch 1: lost 11 to 40, compacted at 20
        watch 1: found at 40: k/c@35
        watch 1: all found at 40
        connect 3 to a
        "#,
    );
}

#[test]
fn w16_a_watch_that_is_compacted_again_and_again_waits() {
    check(
        r#"
        > client a
        > watch k/ prefix=1 from=11 compaction=snapshot
        connect 1 to a
        > open 1
        send 1: POST /v3/watch (open, with a leader)
        send 1: {"create_request":{"key":"k/","progress_notify":true,"range_end":"k0","start_revision":"11","watch_id":"1"}}
        > created 1 id=1 rev=10
        watch 1: created at 10
        > canceled 1 id=1 compact=20
        close 1
        connect 2 to a
        > open 2
        send 2: POST /v3/kv/range {"key":"k/","limit":"16","range_end":"k0"}
        > page 2 rev=30
        watch 1: lost 11 to 30, compacted at 20
        watch 1: all found at 30
        connect 3 to a
        > open 3
        send 3: POST /v3/watch (open, with a leader)
        send 3: {"create_request":{"key":"k/","progress_notify":true,"range_end":"k0","start_revision":"31","watch_id":"1"}}
        > created 3 id=1 rev=30
        watch 1: resumed from 31 at a
        > canceled 3 id=1 compact=40
        close 3
        > wait 50ms
        at 16.42852ms
        send 2: POST /v3/kv/range {"key":"k/","limit":"16","range_end":"k0"}
        > page 2 rev=45
        watch 1: lost 31 to 45, compacted at 40
        watch 1: all found at 45
        connect 4 to a
        > open 4
        send 4: POST /v3/watch (open, with a leader)
        send 4: {"create_request":{"key":"k/","progress_notify":true,"range_end":"k0","start_revision":"46","watch_id":"1"}}
        > created 4 id=1 rev=45
        watch 1: resumed from 46 at a
        > canceled 4 id=1 compact=50
        close 4
        > wait 100ms
        at 82.890591ms
        send 2: POST /v3/kv/range {"key":"k/","limit":"16","range_end":"k0"}
        "#,
    );
}

#[test]
fn w16_pages_are_asked_for_only_while_there_is_room() {
    check(
        r#"
        > client a buffer=400
        > hold 1
        > watch k/ prefix=1 from=11 compaction=snapshot
        connect 1 to a
        > open 1
        send 1: POST /v3/watch (open, with a leader)
        send 1: {"create_request":{"key":"k/","progress_notify":true,"range_end":"k0","start_revision":"11","watch_id":"1"}}
        > created 1 id=1 rev=10
        watch 1 has something
        > canceled 1 id=1 compact=20
        close 1
        connect 2 to a
        > open 2
        send 2: POST /v3/kv/range {"key":"k/","limit":"1","range_end":"k0"}
        > page 2 rev=30 more=1 k/a@5
        send 2: POST /v3/kv/range {"key":"k/a\u0000","limit":"1","range_end":"k0","revision":"30"}
        > page 2 rev=30 more=1 k/b@6
        send 2: POST /v3/kv/range {"key":"k/b\u0000","limit":"1","range_end":"k0","revision":"30"}
        > page 2 rev=30 more=1 k/c@7
        > wait 1s
        > read 1 3
        watch 1: created at 10
        watch 1: lost 11 to 30, compacted at 20
        watch 1: found at 30: k/a@5
        > wait 1s
        at 1s
        send 2: POST /v3/kv/range {"key":"k/c\u0000","limit":"1","range_end":"k0","revision":"30"}
        > page 2 rev=30 k/d@8
        > wait 1s
        > read 1
        watch 1: found at 30: k/b@6
        watch 1: found at 30: k/c@7
        watch 1: found at 30: k/d@8
        watch 1: all found at 30
        > wait 1s
        at 3s
        connect 3 to a
        "#,
    );
}

#[test]
fn w16_a_watch_that_is_full_is_read_before_anything_is_asked() {
    check(
        r#"
        > client a buffer=200
        > hold 1
        > watch k/ prefix=1 from=11 compaction=snapshot
        connect 1 to a
        > open 1
        send 1: POST /v3/watch (open, with a leader)
        send 1: {"create_request":{"key":"k/","progress_notify":true,"range_end":"k0","start_revision":"11","watch_id":"1"}}
        > created 1 id=1 rev=10
        watch 1 has something
        > events 1 id=1 rev=12 k/a@11
        pause 1
        > canceled 1 id=1 compact=20
        resume 1
        close 1
        > read 1
        watch 1: created at 10
        watch 1: 11 +k/a
        > wait 1s
        at 1ns
        connect 2 to a
        "#,
    );
}

#[test]
fn w16_a_cancel_takes_back_what_was_asked() {
    // In line, asked, between pages, waiting: each ends once, and asks for nothing more.
    for rest in [
        "",
        "page 2 rev=30 more=1 k/a@5",
        "answer 2 503 {}",
        "answer 2 503 {}\nwait 1s",
    ] {
        let mut world = World::after(&compacted("compaction=snapshot"));
        world.run_all(rest);
        let told = world.run("unwatch 1").join("\n");
        assert!(
            told.contains("watch 1: end: canceled by the caller"),
            "{told}"
        );
        world.run_all("wait 60s");
        let told = world.run("page 2 rev=31 k/b@6").join("\n");
        assert!(!told.contains("watch"), "{told}");
        assert_eq!(world.client().poll_timeout(), None);
    }
    let mut world = World::after(
        "client a buffer=200
        hold 1
        watch k/ prefix=1 from=11 compaction=snapshot
        open 1
        created 1 id=1 rev=10
        events 1 id=1 rev=12 k/a@11
        canceled 1 id=1 compact=20
        unwatch 1
        read 1
        wait 60s",
    );
    assert!(world.transcript().contains("end: canceled"));
    assert_eq!(world.client().poll_timeout(), None);
}

#[test]
fn w16_a_shutdown_ends_it() {
    for rest in ["", "page 2 rev=30 more=1 k/a@5", "answer 2 503 {}"] {
        let mut world = World::after(&compacted("compaction=snapshot"));
        world.run_all(rest);
        let told = world.run("shutdown").join("\n");
        assert!(
            told.contains("watch 1: end: the client was shut down"),
            "{told}"
        );
        assert_eq!(world.client().poll_timeout(), None);
    }
}

#[test]
fn g13_a_connection_may_end_at_any_byte_of_a_page() {
    let page = support::answer(
        200,
        r#"{"header":{"revision":"30"},"kvs":[{"key":"ay9h","mod_revision":"25"}]}"#,
    );
    for cut in 0..page.len() {
        let mut world = World::after(&compacted("known=k/a@5,k/b@6"));
        world.receive(2, &page.as_bytes()[..cut]);
        world.run_all("eof 2\nwait 30ms\nopen 3\npage 3 rev=30 k/a@25");
        let told = world.transcript();
        let told: Vec<_> = told
            .lines()
            .filter(|line| line.starts_with("watch 1"))
            .collect();
        assert_eq!(
            told,
            [
                "watch 1: created at 10",
                "watch 1: lost 11 to 30, compacted at 20",
                "watch 1: found at 30: k/a@25 -k/b@6",
                "watch 1: all found at 30",
            ],
            "cut at {cut}"
        );
    }
}

#[test]
fn w16_a_page_that_does_not_come_is_asked_for_again() {
    check(
        r#"
        > client a
        > watch k/ prefix=1 from=11 compaction=snapshot
        connect 1 to a
        > open 1
        send 1: POST /v3/watch (open, with a leader)
        send 1: {"create_request":{"key":"k/","progress_notify":true,"range_end":"k0","start_revision":"11","watch_id":"1"}}
        > created 1 id=1 rev=10
        watch 1: created at 10
        > canceled 1 id=1 compact=20
        close 1
        connect 2 to a
        > open 2
        send 2: POST /v3/kv/range {"key":"k/","limit":"16","range_end":"k0"}
        > answer 2 200 {"header":{"revision":"30"},"kvs":[{"key":"YQ=="}]}
        > wait 30ms
        at 16.42852ms
        send 2: POST /v3/kv/range {"key":"k/","limit":"16","range_end":"k0"}
        > answer 2 200 {"header":{"revision":"30"},"kvs":7}
        close 2
        > wait 100ms
        at 37.890591ms
        connect 3 to a
        > open 3
        send 3: POST /v3/kv/range {"key":"k/","limit":"16","range_end":"k0"}
        > wait 6s
        at 5.01642852s
        close 3
        at 5.038208756s
        connect 4 to a
        > open 4
        send 4: POST /v3/kv/range {"key":"k/","limit":"16","range_end":"k0"}
        > page 4 rev=30 k/a@5
        watch 1: lost 11 to 30, compacted at 20
        watch 1: found at 30: k/a@5
        watch 1: all found at 30
        connect 5 to a
        "#,
    );
}

#[test]
fn w16_who_may_not_read_is_told_so() {
    for (said, end) in [
        ("permission denied", "PermissionDenied"),
        ("invalid auth token", "Failed"),
        ("key is not provided", "Failed"),
    ] {
        let mut world = World::after(&compacted("compaction=snapshot"));
        let told = world.run(&format!("deny 2 {said}")).join("\n");
        let (_, text) = told.split_once("watch 1: end: ").expect(&told);
        assert!(text.contains(said), "{end}: {text}");
        assert_eq!(world.open_sockets(), 1, "{told}");
    }
}

#[test]
fn w16_a_token_that_ended_is_replaced_while_it_reads() {
    check(
        r#"
        > client a user=u password=p
        > watch k/ prefix=1 from=11 compaction=snapshot
        connect 1 to a
        > open 1
        send 1: POST /v3/auth/authenticate {"name":"u","password":"p"}
        > answer 1 200 {"token":"T.1"}
        connect 2 to a
        > open 2
        send 2: POST /v3/watch (open, with a leader) as T.1
        send 2: {"create_request":{"key":"k/","progress_notify":true,"range_end":"k0","start_revision":"11","watch_id":"1"}}
        > created 2 id=1 rev=10
        watch 1: created at 10
        > canceled 2 id=1 compact=20
        close 2
        send 1: POST /v3/kv/range {"key":"k/","limit":"16","range_end":"k0"} as T.1
        > deny 1 invalid auth token
        send 1: POST /v3/auth/authenticate {"name":"u","password":"p"}
        > answer 1 200 {"token":"T.2"}
        send 1: POST /v3/kv/range {"key":"k/","limit":"16","range_end":"k0"} as T.2
        > page 1 rev=30 k/a@5
        watch 1: lost 11 to 30, compacted at 20
        watch 1: found at 30: k/a@5
        watch 1: all found at 30
        connect 3 to a
        > open 3
        send 3: POST /v3/watch (open, with a leader) as T.2
        send 3: {"create_request":{"key":"k/","progress_notify":true,"range_end":"k0","start_revision":"31","watch_id":"1"}}
        > created 3 id=1 rev=30
        watch 1: resumed from 31 at a
        "#,
    );
}

#[test]
fn w16_filters_are_about_what_differs() {
    check(
        r#"
        > client a
        > watch k/ prefix=1 from=11 no=put known=k/a@5,k/b@6
        connect 1 to a
        > open 1
        send 1: POST /v3/watch (open, with a leader)
        send 1: {"create_request":{"key":"k/","progress_notify":true,"range_end":"k0","start_revision":"11","watch_id":"1"}}
        > created 1 id=1 rev=10
        watch 1: created at 10
        > events 1 id=1 rev=12 k/c@11
        > events 1 id=1 rev=12 -k/b@12
        watch 1: 12 -k/b
        > canceled 1 id=1 compact=20
        close 1
        connect 2 to a
        > open 2
        send 2: POST /v3/kv/range {"key":"k/","keys_only":true,"limit":"16","range_end":"k0"}
        > page 2 rev=30 k/a@21
        watch 1: lost 13 to 30, compacted at 20
        watch 1: found at 30: -k/c@11
        watch 1: all found at 30
        connect 3 to a
        > watch k/ prefix=1 from=11 no=delete known=k/a@5,k/b@6
        > open 3
        send 3: POST /v3/watch (open, with a leader)
        send 3: {"create_request":{"key":"k/","progress_notify":true,"range_end":"k0","start_revision":"31","watch_id":"1"}}
        send 3: {"create_request":{"key":"k/","progress_notify":true,"range_end":"k0","start_revision":"11","watch_id":"2"}}
        > created 3 id=1 rev=30
        watch 1: resumed from 31 at a
        > created 3 id=2 rev=30
        watch 2: created at 30
        > canceled 3 id=2 compact=20
        send 3: {"cancel_request":{"watch_id":"2"}}
        send 2: POST /v3/kv/range {"key":"k/","limit":"16","range_end":"k0"}
        > page 2 rev=30 k/a@21
        watch 2: lost 11 to 30, compacted at 20
        watch 2: found at 30: k/a@21
        watch 2: all found at 30
        send 3: {"create_request":{"key":"k/","progress_notify":true,"range_end":"k0","start_revision":"31","watch_id":"3"}}
        "#,
    );
}

#[test]
fn w16_a_snapshot_is_not_filtered() {
    check(
        r#"
        > client a
        > watch k/ prefix=1 from=11 no=put compaction=snapshot
        connect 1 to a
        > open 1
        send 1: POST /v3/watch (open, with a leader)
        send 1: {"create_request":{"filters":["NOPUT"],"key":"k/","progress_notify":true,"range_end":"k0","start_revision":"11","watch_id":"1"}}
        > created 1 id=1 rev=10
        watch 1: created at 10
        > canceled 1 id=1 compact=20
        close 1
        connect 2 to a
        > open 2
        send 2: POST /v3/kv/range {"key":"k/","limit":"16","range_end":"k0"}
        > page 2 rev=30 k/a@21
        watch 1: lost 11 to 30, compacted at 20
        watch 1: found at 30: k/a@21
        watch 1: all found at 30
        connect 3 to a
        "#,
    );
}

#[test]
fn w12_changes_are_coalesced_on_either_side_of_a_reading_only() {
    check(
        r#"
        > client a buffer=500
        > hold 1
        > watch k/ prefix=1 from=11 overflow=coalesce compaction=snapshot
        connect 1 to a
        > open 1
        send 1: POST /v3/watch (open, with a leader)
        send 1: {"create_request":{"key":"k/","progress_notify":true,"range_end":"k0","start_revision":"11","watch_id":"1"}}
        > created 1 id=1 rev=10
        watch 1 has something
        > events 1 id=1 rev=12 k/a@11
        > canceled 1 id=1 compact=20
        close 1
        connect 2 to a
        > open 2
        send 2: POST /v3/kv/range {"key":"k/","limit":"1","range_end":"k0"}
        > page 2 rev=30
        connect 3 to a
        > open 3
        send 3: POST /v3/watch (open, with a leader)
        send 3: {"create_request":{"key":"k/","progress_notify":true,"range_end":"k0","start_revision":"31","watch_id":"1"}}
        > created 3 id=1 rev=30
        > events 3 id=1 rev=33 k/b@31 k/b@32
        > events 3 id=1 rev=33 k/b@33
        > read 1
        watch 1: created at 10
        watch 1: 11 +k/a
        watch 1: lost 12 to 30, compacted at 20
        watch 1: all found at 30
        watch 1: coalesced 33 +k/b
        watch 1: resumed from 34 at a
        "#,
    );
}

#[test]
fn known_keys_are_bounded() {
    check(
        r#"
        > client a known_bytes=100
        > watch k/ prefix=1 from=11 known=k/a@5,k/b@6
        watch 1: end: known keys of a watch take more than 100 bytes
        > watch k/ prefix=1 from=11 known=k/a@5
        connect 1 to a
        > open 1
        send 1: POST /v3/watch (open, with a leader)
        send 1: {"create_request":{"key":"k/","progress_notify":true,"range_end":"k0","start_revision":"11","watch_id":"1"}}
        > created 1 id=1 rev=10
        watch 2: created at 10
        > events 1 id=1 rev=12 k/b@11
        close 1
        watch 2: 11 +k/b
        watch 2: end: known keys of a watch take more than 100 bytes
        > watch k/ prefix=1 from=11 known=k/a@5
        connect 2 to a
        > open 2
        send 2: POST /v3/watch (open, with a leader)
        send 2: {"create_request":{"key":"k/","progress_notify":true,"range_end":"k0","start_revision":"11","watch_id":"1"}}
        > created 2 id=1 rev=10
        watch 3: created at 10
        > canceled 2 id=1 compact=20
        close 2
        connect 3 to a
        > open 3
        send 3: POST /v3/kv/range {"key":"k/","limit":"16","range_end":"k0"}
        > page 3 rev=30 k/a@5 k/b@6
        watch 3: lost 11 to 30, compacted at 20
        watch 3: found at 30: k/b@6
        watch 3: end: known keys of a watch take more than 100 bytes
        "#,
    );
}

#[test]
fn a_watch_that_is_compacted_before_it_was_confirmed_is_created_first() {
    check(
        r#"
        > client a
        > watch k/ prefix=1 from=11 compaction=snapshot
        connect 1 to a
        > open 1
        send 1: POST /v3/watch (open, with a leader)
        send 1: {"create_request":{"key":"k/","progress_notify":true,"range_end":"k0","start_revision":"11","watch_id":"1"}}
        > refused 1 id=1 compact=20
        close 1
        connect 2 to a
        > open 2
        send 2: POST /v3/kv/range {"key":"k/","limit":"16","range_end":"k0"}
        > page 2 rev=30 k/a@5
        watch 1: created at 30
        watch 1: lost 11 to 30, compacted at 20
        watch 1: found at 30: k/a@5
        watch 1: all found at 30
        connect 3 to a
        > wait 10s
        at 2s
        close 3
        at 2.01642852s
        connect 4 to a
        at 4.01642852s
        close 4
        at 4.049319111s
        connect 5 to a
        at 6.049319111s
        close 5
        at 6.071099347s
        connect 6 to a
        at 8.071099347s
        close 6
        at 8.198068109s
        connect 7 to a
        "#,
    );
}

#[test]
fn a_watch_that_was_never_confirmed_has_its_deadline() {
    check(
        r#"
        > client a
        > watch k/ prefix=1 from=11 compaction=snapshot
        connect 1 to a
        > open 1
        send 1: POST /v3/watch (open, with a leader)
        send 1: {"create_request":{"key":"k/","progress_notify":true,"range_end":"k0","start_revision":"11","watch_id":"1"}}
        > refused 1 id=1 compact=20
        close 1
        connect 2 to a
        > open 2
        send 2: POST /v3/kv/range {"key":"k/","limit":"16","range_end":"k0"}
        > wait 10s
        at 5s
        close 2
        watch 1: end: deadline passed while waiting for the answer
        "#,
    );
}

#[test]
fn g21_a_range_is_not_read_where_less_is_known_than_was_compacted() {
    let mut world = World::after(&compacted("compaction=snapshot"));
    let asked = |world: &World| world.transcript().matches("POST /v3/kv/range").count();
    let mut answered = 0;
    for _ in 0..400 {
        if asked(&world) > answered {
            answered += 1;
            world.run("page 2 rev=15 k/a@5");
        }
        world.run("wait 100ms");
    }
    let told = world.transcript();
    let (_, end) = told.split_once("watch 1: end: ").expect(&told);
    let went_back = "the server is at revision 15, but 20 was delivered: was the cluster restored?";
    assert_eq!(end.lines().next(), Some(went_back));
    assert!(!told.contains("lost"), "{told}");
    assert!((10..30).contains(&answered), "{answered}: {told}");
}

#[test]
fn w21_a_reading_that_fails_counts_as_a_loss() {
    check(
        r#"
        > client a attempts=1
        > watch k/ prefix=1 from=11 compaction=snapshot losses=1
        connect 1 to a
        > open 1
        send 1: POST /v3/watch (open, with a leader)
        send 1: {"create_request":{"key":"k/","progress_notify":true,"range_end":"k0","start_revision":"11","watch_id":"1"}}
        > created 1 id=1 rev=10
        watch 1: created at 10
        > canceled 1 id=1 compact=20
        close 1
        connect 2 to a
        > open 2
        send 2: POST /v3/kv/range {"key":"k/","limit":"16","range_end":"k0"}
        > reset 2
        close 2
        > wait 100ms
        at 16.42852ms
        connect 3 to a
        > open 3
        send 3: POST /v3/kv/range {"key":"k/","limit":"16","range_end":"k0"}
        > reset 3
        close 3
        watch 1: end: no endpoint could serve the call: connection lost: connection reset
        "#,
    );
}

#[test]
fn w21_a_reading_has_the_time_a_watch_may_be_without_a_connection() {
    check(
        r#"
        > client a attempts=1
        > watch k/ prefix=1 from=11 compaction=snapshot within=2s
        connect 1 to a
        > open 1
        send 1: POST /v3/watch (open, with a leader)
        send 1: {"create_request":{"key":"k/","progress_notify":true,"range_end":"k0","start_revision":"11","watch_id":"1"}}
        > created 1 id=1 rev=10
        watch 1: created at 10
        > canceled 1 id=1 compact=20
        close 1
        connect 2 to a
        > open 2
        send 2: POST /v3/kv/range {"key":"k/","limit":"16","range_end":"k0"}
        > reset 2
        close 2
        > wait 10s
        at 16.42852ms
        connect 3 to a
        at 2s
        watch 1: end: no endpoint could serve the call: connection lost: connection reset
        at 2.01642852s
        close 3
        "#,
    );
}

#[test]
fn four_pages_are_asked_for_at_once() {
    let mut world = World::after("client a");
    for _ in 0..10 {
        world.run("watch k/ prefix=1 from=11 compaction=snapshot");
    }
    world.run("open 1");
    for id in 1..=10 {
        world.run(&format!("created 1 id={id} rev=10"));
    }
    for id in 1..=10 {
        world.run(&format!("canceled 1 id={id} compact=20"));
    }
    let opened = |world: &World| world.transcript().matches("\nconnect ").count();
    assert_eq!(opened(&world), 1 + 4);
    for conn in 2..=5 {
        world.run(&format!("open {conn}"));
    }
    for round in 0..3 {
        for conn in 2..=5 {
            world.run(&format!("page {conn} rev=30"));
        }
        assert!(opened(&world) <= 6, "round {round}");
    }
    let told = world.transcript();
    for watch in 1..=10 {
        assert_eq!(
            told.matches(&format!("watch {watch}: all found at 30"))
                .count(),
            1
        );
    }
    // Where there is one connection they take turns.
    let sent = told.matches("POST /v3/kv/range").count();
    assert_eq!(sent, 10);
}

#[test]
fn a_page_over_the_limit_is_asked_for_again_with_a_quarter() {
    check(
        r#"
        > client a body=150
        > watch k/ prefix=1 from=11 compaction=snapshot
        connect 1 to a
        > open 1
        send 1: POST /v3/watch (open, with a leader)
        send 1: {"create_request":{"key":"k/","progress_notify":true,"range_end":"k0","start_revision":"11","watch_id":"1"}}
        > created 1 id=1 rev=10
        watch 1: created at 10
        > canceled 1 id=1 compact=20
        close 1
        connect 2 to a
        > open 2
        send 2: POST /v3/kv/range {"key":"k/","limit":"16","range_end":"k0"}
        > page 2 rev=30 k/a@5 k/b@5 k/c@5 k/d@6
        close 2
        > wait 100ms
        at 16.42852ms
        connect 3 to a
        > open 3
        send 3: POST /v3/kv/range {"key":"k/","limit":"4","range_end":"k0"}
        > page 3 rev=30 more=1 k/a@5
        watch 1: lost 11 to 30, compacted at 20
        watch 1: found at 30: k/a@5
        send 3: POST /v3/kv/range {"key":"k/a\u0000","limit":"8","range_end":"k0","revision":"30"}
        > page 3 rev=30 more=1 k/b@5
        watch 1: found at 30: k/b@5
        send 3: POST /v3/kv/range {"key":"k/b\u0000","limit":"16","range_end":"k0","revision":"30"}
        > page 3 rev=30 k/c@5 k/d@6
        watch 1: found at 30: k/c@5 k/d@6
        watch 1: all found at 30
        connect 4 to a
        "#,
    );
}

#[test]
fn g21_a_member_behind_what_was_read_is_left() {
    check(
        r#"
        > client a b
        > watch k/ prefix=1 from=11 compaction=snapshot
        connect 1 to a
        > open 1
        send 1: POST /v3/watch (open, with a leader)
        send 1: {"create_request":{"key":"k/","progress_notify":true,"range_end":"k0","start_revision":"11","watch_id":"1"}}
        > created 1 id=1 rev=10
        watch 1: created at 10
        > canceled 1 id=1 compact=20
        close 1
        connect 2 to a
        > open 2
        send 2: POST /v3/kv/range {"key":"k/","limit":"16","range_end":"k0"}
        > page 2 rev=30 k/a@5
        watch 1: lost 11 to 30, compacted at 20
        watch 1: found at 30: k/a@5
        watch 1: all found at 30
        connect 3 to a
        > open 3
        send 3: POST /v3/watch (open, with a leader)
        send 3: {"create_request":{"key":"k/","progress_notify":true,"range_end":"k0","start_revision":"31","watch_id":"1"}}
        > created 3 id=1 rev=25
        close 3
        connect 4 to b
        "#,
    );
}

#[test]
fn calls_of_watches_do_not_count_as_the_users() {
    check(
        r#"
        > client a calls=1
        > watch k/ prefix=1 from=11 compaction=snapshot
        connect 1 to a
        > open 1
        send 1: POST /v3/watch (open, with a leader)
        send 1: {"create_request":{"key":"k/","progress_notify":true,"range_end":"k0","start_revision":"11","watch_id":"1"}}
        > created 1 id=1 rev=10
        watch 1: created at 10
        > canceled 1 id=1 compact=20
        close 1
        connect 2 to a
        > put k v
        connect 3 to a
        > put k v
        call 3: Limit, not applied: more than 1 calls under way
        "#,
    );
}
