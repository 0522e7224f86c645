//! The server's side of connections, whatever comes and however it is cut.

use etcd_core::codec::http1::{HttpLimits, Item, Reader, RequestMethod};
use etcd_core::gateway::{AnswerError, Gateway, decode_answer};
use etcd_core::{
    Call, Code, Known, LeaseKeepAliveResponse, Put, PutResponse, Range, Response, ResponseHeader,
    Version, Watch, WatchRequest, WatchResponse,
};
use etcd_sim::Rng;
use etcd_sim::etcd::{Fault, Reply, Request, StreamRequest};
use etcd_sim::gateway::{ServerConn, ServerEvent, Slot};

const VERSIONS: [Version; 4] = [
    Version::new(3, 4, 23),
    Version::new(3, 5, 1),
    Version::new(3, 5, 16),
    Version::new(3, 6, 4),
];

fn v2() -> ServerConn {
    ServerConn::new(&Version::new(3, 5, 16))
}

fn v1() -> ServerConn {
    ServerConn::new(&Version::new(3, 5, 1))
}

/// All there is to send, as text.
fn sent(conn: &mut ServerConn) -> String {
    let text = String::from_utf8(conn.transmit().to_vec()).expect("all that is sent here is text");
    conn.handle_written(text.len());
    text
}

fn events(conn: &mut ServerConn) -> Vec<ServerEvent> {
    std::iter::from_fn(|| conn.poll()).collect()
}

fn post(path: &str, body: &str) -> String {
    let len = body.len();
    format!("POST {path} HTTP/1.1\r\nHost: h\r\nContent-Length: {len}\r\n\r\n{body}")
}

fn ask(conn: &mut ServerConn) -> Slot {
    conn.handle_received(post("/v3/kv/put", r#"{"key":"Zm9v"}"#).as_bytes());
    match &events(conn)[..] {
        [ServerEvent::Request { slot, .. }] => *slot,
        other => panic!("{other:?}"),
    }
}

fn body_of(text: &str) -> &str {
    text.split_once("\r\n\r\n").expect("a head ends").1
}

fn header() -> ResponseHeader {
    let mut header = ResponseHeader::default();
    header.cluster_id = u64::MAX;
    header.member_id = 7;
    header.revision = 9;
    header.raft_term = 2;
    header
}

/// The request written by the core, read by the server; an answer and an error written by the server,
/// read by the core.
fn round_trip<C>(response: impl Into<Response>)
where
    C: Call<Response: Clone + PartialEq + core::fmt::Debug + Into<Response>>
        + Default
        + Into<Request>,
{
    let response = response.into();
    for version in &VERSIONS {
        let call = C::default();
        let http = Gateway::new().request(&call);
        let (method, uri) = (http.method().clone(), http.uri().clone());
        let body = http.into_body();
        let mut conn = ServerConn::new(version);
        let mut bytes = format!(
            "{method} {uri} HTTP/1.1\r\nHost: h\r\nContent-Length: {}\r\n\r\n",
            body.len()
        )
        .into_bytes();
        bytes.extend_from_slice(&body);
        conn.handle_received(&bytes);
        let asked = events(&mut conn);
        let slot = match &asked[..] {
            [ServerEvent::Request { slot, request, .. }] => {
                assert_eq!(*request, call.into(), "{uri}");
                *slot
            }
            // Not every version has every call.
            [] => {
                assert!(
                    conn.transmit().starts_with(b"HTTP/1.1 404"),
                    "{uri} on {version}"
                );
                continue;
            }
            other => panic!("{other:?}"),
        };
        conn.handle_reply(slot, Reply::Answer(Box::new(response.clone())));
        let (status, body) = read(&conn);
        let told = decode_answer::<C>(status, &body).expect("an answer");
        assert_eq!(told.into(), response, "{uri} on {version}");
        conn.handle_written(conn.transmit().len());

        conn.handle_received(&bytes);
        let [ServerEvent::Request { slot, .. }] = &events(&mut conn)[..] else {
            panic!("the connection goes on")
        };
        let fault = Fault::new(Code::UNAVAILABLE, Known::NoLeader.message());
        conn.handle_reply(*slot, Reply::Fault(fault));
        let (status, body) = read(&conn);
        match decode_answer::<C>(status, &body) {
            Err(AnswerError::Status(status)) => assert_eq!(status.known(), Some(Known::NoLeader)),
            other => panic!("{uri}: {other:?}"),
        }
    }
}

/// The one answer a connection sends, read byte by byte.
fn read(conn: &ServerConn) -> (u16, Vec<u8>) {
    let mut reader = Reader::new(HttpLimits::default());
    reader.expect(RequestMethod::Other);
    let (mut status, mut body) = (0, Vec::new());
    for byte in conn.transmit() {
        let mut input = &[*byte][..];
        loop {
            let (used, item) = reader.read(input).expect("HTTP");
            input = &input[used..];
            match item {
                None => break,
                Some(Item::Head(head)) => status = head.status,
                Some(Item::Data(data)) => body.extend_from_slice(data),
                Some(Item::End { .. }) => return (status, body),
                Some(other) => panic!("{other:?}"),
            }
        }
    }
    panic!("the answer has no end")
}

macro_rules! round_trips {
    ($($request:ident => $response:ident)*) => {
        #[test]
        fn the_core_reads_every_answer_and_the_server_every_request() {
            $(
                let mut response = etcd_core::$response::default();
                response.header = header();
                round_trip::<etcd_core::$request>(response);
                round_trip::<etcd_core::$request>(etcd_core::$response::default());
            )*
        }
    };
}

round_trips! {
    Range => RangeResponse Put => PutResponse DeleteRange => DeleteRangeResponse Txn => TxnResponse
    Compact => CompactResponse LeaseGrant => LeaseGrantResponse LeaseRevoke => LeaseRevokeResponse
    LeaseTimeToLive => LeaseTimeToLiveResponse LeaseLeases => LeaseLeasesResponse
    StatusRequest => StatusResponse AlarmRequest => AlarmResponse Defragment => DefragmentResponse
    HashRequest => HashResponse HashKv => HashKvResponse MoveLeader => MoveLeaderResponse
    Downgrade => DowngradeResponse MemberAdd => MemberAddResponse
    MemberRemove => MemberRemoveResponse MemberUpdate => MemberUpdateResponse
    MemberPromote => MemberPromoteResponse MemberList => MemberListResponse
    AuthEnable => AuthEnableResponse AuthDisable => AuthDisableResponse
    AuthStatus => AuthStatusResponse Authenticate => AuthenticateResponse
    UserAdd => UserAddResponse UserGet => UserGetResponse UserList => UserListResponse
    UserDelete => UserDeleteResponse UserChangePassword => UserChangePasswordResponse
    UserGrantRole => UserGrantRoleResponse UserRevokeRole => UserRevokeRoleResponse
    RoleAdd => RoleAddResponse RoleGet => RoleGetResponse RoleList => RoleListResponse
    RoleDelete => RoleDeleteResponse RoleGrantPermission => RoleGrantPermissionResponse
    RoleRevokePermission => RoleRevokePermissionResponse Lock => LockResponse
    Unlock => UnlockResponse Campaign => CampaignResponse Proclaim => ProclaimResponse
    Leader => LeaderResponse Resign => ResignResponse
}

#[test]
fn the_core_reads_every_page() {
    let mut version = etcd_core::VersionResponse::default();
    version.etcdserver = "3.5.16".to_owned();
    round_trip_page::<etcd_core::VersionRequest>(version);
    let mut health = etcd_core::HealthResponse::default();
    health.health = true;
    round_trip_page::<etcd_core::HealthRequest>(health.clone());
    health.health = false;
    health.reason = "ALARM NOSPACE".to_owned();
    round_trip_page::<etcd_core::HealthRequest>(health);
    let mut metrics = etcd_core::MetricsResponse::default();
    metrics.text = "etcd_debugging_mvcc_watcher_total 3\n".to_owned();
    round_trip_page::<etcd_core::MetricsRequest>(metrics);
    let mut ready = etcd_core::ReadyzResponse::default();
    ready.ok = true;
    round_trip_page::<etcd_core::Readyz>(ready.clone());
    ready.ok = false;
    let mut check = etcd_core::HealthCheck::default();
    check.name = "linearizable_read".to_owned();
    check.reason = "no leader".to_owned();
    ready.checks = vec![check];
    round_trip_page::<etcd_core::Readyz>(ready);
}

fn round_trip_page<C>(response: impl Into<Response>)
where
    C: Call<Response: Into<Response>> + Default,
{
    let response = response.into();
    let uri = Gateway::new().request(&C::default()).uri().clone();
    let mut conn = v2();
    conn.handle_received(format!("GET {uri} HTTP/1.1\r\nHost: h\r\n\r\n").as_bytes());
    let [ServerEvent::Request { slot, .. }] = &events(&mut conn)[..] else {
        panic!("{uri} is a page")
    };
    conn.handle_reply(*slot, Reply::Answer(Box::new(response.clone())));
    let (status, body) = read(&conn);
    assert_eq!(
        decode_answer::<C>(status, &body).expect("an answer").into(),
        response
    );
}

#[test]
fn what_a_page_is_asked_for_stands_in_path_and_query() {
    let asked = |target: &str| {
        let mut conn = v2();
        conn.handle_received(format!("GET {target} HTTP/1.1\r\nHost: h\r\n\r\n").as_bytes());
        match events(&mut conn).pop() {
            Some(ServerEvent::Request { request, .. }) => request,
            other => panic!("{other:?}"),
        }
    };
    let Request::Health(health) = asked("/health?exclude=NOSPACE&serializable=true") else {
        panic!("health")
    };
    assert!(health.exclude_nospace && health.serializable);
    let ready = etcd_core::Readyz::new().with_check("serializable_read");
    let ready = ready.with_exclude("data_corruption").with_verbose();
    assert_eq!(
        asked("/readyz/serializable_read?verbose&exclude=data_corruption"),
        ready.into()
    );
    let mut old = v1();
    old.handle_received(b"GET /readyz HTTP/1.1\r\nHost: h\r\n\r\n");
    assert!(sent(&mut old).ends_with("404 page not found\n"));
}

#[test]
fn what_comes_beside_a_request_is_told() {
    let mut conn = v2();
    let text = "POST /v3/kv/range?x=y HTTP/1.1\r\nhost: h\r\nAuthorization: one.1 \r\n\
        Grpc-Metadata-Hasleader: true\r\nGrpc-Timeout: 250m\r\nContent-Length: 0\r\n\r\n";
    conn.handle_received(text.as_bytes());
    let [ServerEvent::Request { meta, request, .. }] = &events(&mut conn)[..] else {
        panic!("a request")
    };
    assert_eq!(meta.token.as_deref(), Some("one.1"));
    assert!(meta.require_leader);
    assert_eq!(meta.timeout, Some(core::time::Duration::from_millis(250)));
    assert_eq!(*request, Range::default().into());

    let mut conn = v2();
    conn.handle_received(text.replace("250m", "soon").as_bytes());
    assert_eq!(
        body_of(&sent(&mut conn)),
        r#"{"code":3, "message":"invalid grpc-timeout: soon"}"#
    );
    let mut conn = v2();
    let both = text.replace("Hasleader: true", "Token: two.2");
    conn.handle_received(both.as_bytes());
    let [ServerEvent::Request { meta, .. }] = &events(&mut conn)[..] else {
        panic!("a request")
    };
    assert_eq!(meta.token.as_deref(), Some("two.2"));
}

const OPEN: &str = "POST /v3/watch HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n";
const CREATE: &str = "21\r\n{\"create_request\":{\"key\":\"YQ==\"}}\r\n";

fn created() -> Reply {
    let mut created = WatchResponse::default();
    created.created = true;
    Reply::Watch(Box::new(created))
}

#[test]
fn a_body_left_open_is_a_conversation() {
    let mut conn = v2();
    conn.handle_received(OPEN.as_bytes());
    conn.handle_received(b"Connection: close\r\n\r\n");
    // Nothing is asked yet, and an empty message asks nothing.
    conn.handle_received(b"2\r\n{}\r\n");
    assert_eq!(events(&mut conn), []);
    conn.handle_received(CREATE.as_bytes());
    let [ServerEvent::StreamOpened { slot, request, .. }] = &events(&mut conn)[..] else {
        panic!("a stream")
    };
    let mut watch = Watch::key("a");
    watch.progress_notify = false;
    let create = WatchRequest::Create(watch);
    assert_eq!(*request, StreamRequest::Watch(create));
    let slot = *slot;
    conn.handle_reply(slot, created());
    let text = sent(&mut conn);
    assert!(text.contains("Connection: close\r\nTransfer-Encoding: chunked\r\n"));
    assert_eq!(
        body_of(&text),
        "1c\r\n{\"result\":{\"created\":true}}\n\r\n"
    );

    // Two in one chunk, of which the second ends in the next.
    conn.handle_received(b"26\r\n{\"progress_request\":{}}{\"cancel_reques\r\n");
    conn.handle_received(b"16\r\nt\":{\"watch_id\":\"7\"}}\n\n\r\n");
    let asked = events(&mut conn);
    let message = |request| ServerEvent::StreamMessage {
        slot,
        request: StreamRequest::Watch(request),
    };
    assert_eq!(
        asked,
        [
            message(WatchRequest::Progress),
            message(WatchRequest::Cancel { watch_id: 7 })
        ]
    );
    // A watch goes on when nothing more is asked.
    conn.handle_received(b"0\r\n\r\n");
    assert_eq!(events(&mut conn), [ServerEvent::StreamEnd { slot }]);
    conn.handle_reply(slot, created());
    assert_eq!(
        sent(&mut conn),
        "1c\r\n{\"result\":{\"created\":true}}\n\r\n"
    );
    assert!(!conn.wants_close());
    let fault = Fault::new(Code::UNAVAILABLE, Known::NoLeader.message());
    conn.handle_reply(slot, Reply::Fault(fault));
    assert_eq!(
        sent(&mut conn),
        "38\r\n{\"error\":{\"code\":14,\"message\":\"etcdserver: no leader\"}}\n\r\n0\r\n\r\n"
    );
    assert!(conn.wants_close());
}

#[test]
fn without_connection_close_nothing_is_said_before_the_body_has_ended() {
    let mut conn = v2();
    conn.handle_received(OPEN.as_bytes());
    conn.handle_received(b"\r\n");
    conn.handle_received(CREATE.as_bytes());
    let [ServerEvent::StreamOpened { slot, .. }] = &events(&mut conn)[..] else {
        panic!("a stream")
    };
    let slot = *slot;
    conn.handle_reply(slot, created());
    assert_eq!(sent(&mut conn), "");
    conn.handle_received(b"0\r\n\r\n");
    assert!(sent(&mut conn).ends_with("{\"result\":{\"created\":true}}\n\r\n"));
}

#[test]
fn a_frame_as_large_as_the_buffer_has_its_newline_in_a_chunk_of_its_own() {
    for (len, newline_apart) in [(2000, false), (2040, true)] {
        let mut conn = v2();
        conn.handle_received(post("/v3/election/observe", "{}").as_bytes());
        let [ServerEvent::StreamOpened { slot, .. }] = &events(&mut conn)[..] else {
            panic!("a stream")
        };
        let mut message = etcd_core::ObserveResponse::default();
        message.kv.key = vec![b'k'; len / 4 * 3 - 9].into();
        conn.handle_reply(*slot, Reply::Observe(message));
        let text = sent(&mut conn);
        assert_eq!(text.ends_with("\r\n1\r\n\n\r\n"), newline_apart, "{len}");
        assert_eq!(text.ends_with("}\n\r\n"), !newline_apart, "{len}");
    }
}

#[test]
fn a_stream_that_is_refused_says_so_in_its_status() {
    for (mut conn, status, error) in [
        (
            v1(),
            "HTTP/1.1 503 Service Unavailable",
            concat!(
                "70\r\n{\"error\":{\"grpc_code\":14,\"http_code\":503,\"message\":",
                "\"etcdserver: no leader\",\"http_status\":\"Service Unavailable\"}}\r\n0\r\n\r\n"
            ),
        ),
        (
            v2(),
            "HTTP/1.1 503 Service Unavailable",
            "38\r\n{\"error\":{\"code\":14,\"message\":\"etcdserver: no leader\"}}\n\r\n0\r\n\r\n",
        ),
    ] {
        let create = r#"{"create_request":{"key":"YQ=="}}"#;
        conn.handle_received(post("/v3/watch", create).as_bytes());
        let asked = events(&mut conn);
        let [
            ServerEvent::StreamOpened { slot, .. },
            ServerEvent::StreamEnd { .. },
        ] = &asked[..]
        else {
            panic!("{asked:?}")
        };
        let fault = Fault::new(Code::UNAVAILABLE, Known::NoLeader.message());
        conn.handle_reply(*slot, Reply::Fault(fault));
        let text = sent(&mut conn);
        assert!(text.starts_with(status));
        assert_eq!(body_of(&text), error);
        // The connection can be used again.
        let slot = ask(&mut conn);
        conn.handle_reply(slot, Reply::Answer(Box::new(PutResponse::default().into())));
        assert!(sent(&mut conn).starts_with("HTTP/1.1 200 OK"));
    }
}

#[test]
fn renewals_end_with_their_body() {
    let mut conn = v2();
    conn.handle_received(post("/v3/lease/keepalive", r#"{"ID":"7"}{"ID":"8"}"#).as_bytes());
    let asked = events(&mut conn);
    let [
        ServerEvent::StreamOpened { slot, .. },
        ServerEvent::StreamMessage { .. },
        ServerEvent::StreamEnd { .. },
    ] = &asked[..]
    else {
        panic!("{asked:?}")
    };
    for id in [7, 8] {
        let mut renewed = LeaseKeepAliveResponse::default();
        renewed.id = id;
        conn.handle_reply(*slot, Reply::LeaseKeepAlive(renewed));
    }
    conn.handle_reply(*slot, Reply::End);
    let body =
        "16\r\n{\"result\":{\"ID\":\"7\"}}\n\r\n16\r\n{\"result\":{\"ID\":\"8\"}}\n\r\n0\r\n\r\n";
    assert_eq!(body_of(&sent(&mut conn)), body);
    ask(&mut conn);
}

#[test]
fn json_that_cannot_be_read_is_told_as_each_generation_does() {
    // Of a call, of a watch, of a renewal; an empty text is silence.
    let said = |mut conn: ServerConn, path: &str, body: &str| {
        conn.handle_received(post(path, body).as_bytes());
        assert_eq!(events(&mut conn), []);
        let text = sent(&mut conn);
        assert!(!conn.wants_close());
        text.split_once("\r\n")
            .map_or_else(String::new, |(line, _)| {
                format!("{} {}", &line[9..12], body_of(&text))
            })
    };
    let bad = "nonsense";
    assert_eq!(
        said(v2(), "/v3/kv/put", "{"),
        r#"400 {"code":3, "message":"unexpected EOF"}"#
    );
    assert_eq!(
        said(v1(), "/v3/kv/put", "{"),
        r#"400 {"error":"unexpected EOF","code":3,"message":"unexpected EOF"}"#
    );
    assert_eq!(said(v2(), "/v3/watch", bad), "");
    assert_eq!(said(v2(), "/v3/lease/keepalive", bad), "200 0\r\n\r\n");
    assert_eq!(said(v2(), "/v3/watch", ""), "");
    assert_eq!(said(v1(), "/v3/watch", "{}"), "");
    assert_eq!(said(v1(), "/v3/lease/keepalive", ""), "200 0\r\n\r\n");
    for path in ["/v3/watch", "/v3/lease/keepalive"] {
        let text = said(v1(), path, bad);
        assert!(
            text.starts_with("500 {\"error\":") && text.contains("\"code\":2,"),
            "{text}"
        );
    }
}

#[test]
fn a_message_that_cannot_be_read_is_the_last_one_looked_at() {
    let create = r#"{"create_request":{"key":"YQ=="}}"#;
    let mut conn = v2();
    conn.handle_received(post("/v3/watch", &format!("{create}nonsense{create}")).as_bytes());
    assert_eq!(events(&mut conn).len(), 1);
    let mut conn = v2();
    conn.handle_received(post("/v3/lease/keepalive", "{\"ID\":\"7\"}nonsense").as_bytes());
    let asked = events(&mut conn);
    assert!(
        matches!(
            &asked[..],
            [
                ServerEvent::StreamOpened { .. },
                ServerEvent::StreamEnd { .. }
            ]
        ),
        "{asked:?}"
    );
}

#[test]
fn a_client_that_hangs_up_calls_its_request_off() {
    for (mut conn, status) in [
        (v1(), "HTTP/1.1 408 Request Timeout\r\n"),
        (v2(), "HTTP/1.1 499 status code 499\r\n"),
    ] {
        let slot = ask(&mut conn);
        conn.handle_eof();
        assert_eq!(events(&mut conn), [ServerEvent::Gone { slot }]);
        let text = sent(&mut conn);
        assert!(text.starts_with(status) && text.contains("context canceled"));
        assert!(conn.wants_close());
        // An answer that comes too late is for nobody.
        conn.handle_reply(slot, Reply::Answer(Box::new(PutResponse::default().into())));
        assert_eq!(sent(&mut conn), "");
    }
    let mut conn = v2();
    conn.handle_received(post("/v3/watch", r#"{"create_request":{}}"#).as_bytes());
    let [ServerEvent::StreamOpened { slot, .. }, _] = &events(&mut conn)[..] else {
        panic!("a stream")
    };
    let slot = *slot;
    conn.handle_reply(slot, created());
    sent(&mut conn);
    conn.handle_eof();
    assert_eq!(events(&mut conn), [ServerEvent::Gone { slot }]);
    assert_eq!(
        sent(&mut conn),
        "32\r\n{\"error\":{\"code\":1,\"message\":\"context canceled\"}}\n\r\n0\r\n\r\n"
    );
    let mut idle = v2();
    idle.handle_eof();
    assert!(idle.wants_close() && idle.transmit().is_empty());
}

#[test]
fn a_body_cut_off_is_done_only_if_its_object_is_whole() {
    let head = "POST /v3/kv/put HTTP/1.1\r\nHost: h\r\nContent-Length: 99\r\n\r\n";
    for (version, executes) in [
        (&VERSIONS[0], true),
        (&VERSIONS[1], false),
        (&VERSIONS[2], true),
    ] {
        for (body, whole) in [
            ("{\"key\":\"Zm9v\"}", true),
            ("{\"key\":\"Zm9v\"", false),
            ("", false),
        ] {
            let mut conn = ServerConn::new(version);
            conn.handle_received(head.as_bytes());
            conn.handle_received(body.as_bytes());
            conn.handle_eof();
            let asked = events(&mut conn);
            assert_eq!(!asked.is_empty(), whole && executes, "{body} on {version}");
            if asked.is_empty() {
                assert!(sent(&mut conn).contains("unexpected EOF"));
                assert!(conn.wants_close());
            }
        }
    }
}

#[test]
fn what_is_no_http_is_refused_or_not_answered() {
    let said = |bytes: &str| {
        let mut conn = v2();
        conn.handle_received(bytes.as_bytes());
        assert_eq!(events(&mut conn), []);
        assert!(conn.wants_close(), "{bytes}");
        sent(&mut conn)
    };
    assert_eq!(said("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"), "");
    assert_eq!(said("\0\x01garbage\n"), "");
    assert!(said("GET /health HTTP/1.1\r\n\r\n").contains("missing required Host header"));
    let coding = "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: gzip, chunked\r\n\r\n";
    assert!(said(coding).starts_with("HTTP/1.1 501 "));
    let expect = "POST / HTTP/1.1\r\nHost: h\r\nExpect: more\r\n\r\n";
    assert!(said(expect).starts_with("HTTP/1.1 417 "));
    let long = format!("GET / HTTP/1.1\r\nHost: h\r\nX: {}", "x".repeat(2 << 20));
    assert!(said(&long).starts_with("HTTP/1.1 431 "));
    // On a connection that was used well, it is told.
    let mut conn = v2();
    let slot = ask(&mut conn);
    conn.handle_received(b"garbage\r\n\r\n");
    conn.handle_reply(slot, Reply::Answer(Box::new(PutResponse::default().into())));
    assert!(sent(&mut conn).ends_with("400 Bad Request"));
    assert!(conn.wants_close());
}

#[test]
fn bytes_mean_the_same_however_they_are_cut() {
    let mut bytes = post("/v3/kv/put", r#"{"key":"Zm9v","value":"YmFy"}"#);
    bytes += "GET /version HTTP/1.1\r\nHost: h\r\n\r\n";
    bytes += "POST /v3/kv/range HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n\
        5\r\n{\"key\r\n9;x\r\n\":\"Zm9v\"}\r\n0\r\nT: v\r\n\r\n";
    bytes += &post("/v3/nothing", "x");
    bytes += &post("/v3/lease/keepalive", r#"{"ID":"7"} {"ID":"8"}"#);
    bytes +=
        "POST /v3/kv/put HTTP/1.1\r\nHost: h\r\nExpect: 100-continue\r\nContent-Length: 1\r\n\r\n{";
    bytes += &OPEN.replace("chunked\r\n", "chunked\r\nConnection: close\r\n\r\n");
    bytes += CREATE;
    bytes += CREATE;
    bytes += "0\r\n\r\n";
    let run = |pieces: Vec<&[u8]>| {
        let mut conn = v2();
        let mut told = Vec::new();
        let mut said = Vec::new();
        for piece in pieces {
            conn.handle_received(piece);
            while let Some(event) = conn.poll() {
                let ended = match &event {
                    ServerEvent::Request { slot, .. } => {
                        let put = PutResponse::default();
                        Some((*slot, Reply::Answer(Box::new(put.into()))))
                    }
                    ServerEvent::StreamEnd { slot } => Some((*slot, Reply::End)),
                    _ => None,
                };
                told.push(event);
                if let Some((slot, reply)) = ended {
                    conn.handle_reply(slot, reply);
                }
            }
            said.extend_from_slice(conn.transmit());
            conn.handle_written(conn.transmit().len());
        }
        assert!(conn.wants_close());
        (told, said)
    };
    let whole = run(vec![bytes.as_bytes()]);
    assert_eq!(whole.0.len(), 9, "{:?}", whole.0);
    assert_eq!(run(bytes.as_bytes().chunks(1).collect()), whole);
    for seed in 0..200 {
        let mut rng = Rng::new(seed);
        let mut rest = bytes.as_bytes();
        let mut pieces = Vec::new();
        while !rest.is_empty() {
            let (piece, after) = rest.split_at(rest.len().min(1 + rng.index(90)));
            pieces.push(piece);
            rest = after;
        }
        assert_eq!(run(pieces), whole, "{seed}");
    }
}

#[test]
fn no_bytes_make_it_panic() {
    let good = [
        post("/v3/kv/put", r#"{"key":"Zm9v","value":"YmFy"}"#),
        OPEN.replace("chunked\r\n", "chunked\r\nConnection: close\r\n\r\n") + CREATE + CREATE,
        post("/v3/lease/keepalive", r#"{"ID":"7"} {"ID":"8"}"#),
    ]
    .concat();
    for seed in 0..2000 {
        let mut rng = Rng::new(seed);
        let mut bytes = good.clone().into_bytes();
        for _ in 0..1 + rng.index(6) {
            let at = rng.index(bytes.len());
            if bytes.is_empty() {
                break;
            }
            match rng.below(3) {
                0 => bytes[at] = u8::try_from(rng.below(256)).unwrap(),
                1 => drop(bytes.remove(at)),
                _ => bytes.truncate(at + 1),
            }
        }
        let mut conn = ServerConn::new(&VERSIONS[rng.index(4)]);
        for piece in bytes.chunks(1 + rng.index(100)) {
            conn.handle_received(piece);
            while let Some(event) = conn.poll() {
                if let ServerEvent::Request { slot, .. } = event {
                    let fault = Fault::new(Code::UNKNOWN, "no");
                    conn.handle_reply(slot, Reply::Fault(fault));
                }
            }
        }
        conn.handle_eof();
        // What it says is HTTP.
        let mut reader = Reader::new(HttpLimits::default());
        for _ in 0..9 {
            reader.expect(RequestMethod::Other);
        }
        let mut input = conn.transmit();
        while let (used, Some(_)) = reader.read(input).unwrap() {
            input = &input[used..];
        }
    }
}

#[test]
fn more_is_not_kept_than_a_server_reads() {
    let mut conn = v2();
    conn.handle_received(
        b"POST /v3/kv/put HTTP/1.1\r\nHost: h\r\nContent-Length: 999999999\r\n\r\n",
    );
    let piece = vec![b' '; 1 << 20];
    for _ in 0..65 {
        conn.handle_received(&piece);
    }
    assert!(conn.wants_close());
    // What comes while an answer is waited for is bounded, too.
    let mut conn = v2();
    let slot = ask(&mut conn);
    for _ in 0..65 {
        conn.handle_received(&piece);
    }
    assert!(conn.wants_close());
    assert_eq!(events(&mut conn), [ServerEvent::Gone { slot }]);
}

#[test]
fn http_1_0_is_answered_without_chunks() {
    let mut conn = v2();
    let old = |path: &str, body: &str| post(path, body).replace("HTTP/1.1\r\nHost: h", "HTTP/1.0");
    conn.handle_received(old("/v3/kv/put", "{}").as_bytes());
    let [ServerEvent::Request { slot, request, .. }] = &events(&mut conn)[..] else {
        panic!("a request")
    };
    assert_eq!(*request, Put::default().into());
    conn.handle_reply(
        *slot,
        Reply::Answer(Box::new(PutResponse::default().into())),
    );
    assert!(sent(&mut conn).starts_with("HTTP/1.0 200 OK\r\n"));
    assert!(conn.wants_close());

    let mut conn = v2();
    conn.handle_received(old("/v3/watch", r#"{"create_request":{}}"#).as_bytes());
    let [ServerEvent::StreamOpened { slot, .. }, _] = &events(&mut conn)[..] else {
        panic!("a stream")
    };
    let slot = *slot;
    conn.handle_reply(slot, created());
    assert_eq!(
        body_of(&sent(&mut conn)),
        "{\"result\":{\"created\":true}}\n"
    );
    conn.handle_reply(slot, Reply::End);
    assert_eq!(sent(&mut conn), "");
    assert!(conn.wants_close());
}
