//! Every error string of etcd, in every shape in which servers send it (semantics.md 2.1.1,
//! gateway.md 5.1).

use etcd_core::Applied;
use etcd_core::Code;
use etcd_core::Fault;
use etcd_core::Known;
use etcd_core::Put;
use etcd_core::Status;
use etcd_core::WatchResponse;
use etcd_core::gateway::AnswerError;
use etcd_core::gateway::FrameError;
use etcd_core::gateway::Frames;
use etcd_core::gateway::decode_answer;

/// A row of the table: what the server says, with which code, and what it means.
type Row = (&'static str, i32, &'static str, char);

/// Message after `etcdserver: `, code, name, and `n`o or `m`aybe: may the write have happened?
const TABLE: &[Row] = &[
    ("key is not provided", 3, "EmptyKey", 'n'),
    ("key not found", 3, "KeyNotFound", 'n'),
    ("value is provided", 3, "ValueProvided", 'n'),
    ("lease is provided", 3, "LeaseProvided", 'n'),
    ("too many operations in txn request", 3, "TooManyOps", 'n'),
    ("duplicate key given in txn request", 3, "DuplicateKey", 'n'),
    (
        "invalid client api version",
        3,
        "InvalidClientAPIVersion",
        'n',
    ),
    ("invalid sort option", 3, "InvalidSortOption", 'n'),
    (
        "mvcc: required revision has been compacted",
        11,
        "Compacted",
        'n',
    ),
    (
        "mvcc: required revision is a future revision",
        11,
        "FutureRev",
        'n',
    ),
    ("mvcc: database space exceeded", 8, "NoSpace", 'm'),
    ("requested lease not found", 5, "LeaseNotFound", 'n'),
    ("lease already exists", 9, "LeaseExist", 'n'),
    ("too large lease TTL", 11, "LeaseTTLTooLarge", 'n'),
    ("watch canceled", 1, "WatchCanceled", 'n'),
    ("member ID already exist", 9, "MemberExist", 'n'),
    ("Peer URLs already exists", 9, "PeerURLExist", 'n'),
    (
        "re-configuration failed due to not enough started members",
        9,
        "MemberNotEnoughStarted",
        'n',
    ),
    ("given member URLs are invalid", 3, "MemberBadURLs", 'n'),
    ("member not found", 5, "MemberNotFound", 'n'),
    (
        "can only promote a learner member",
        9,
        "MemberNotLearner",
        'n',
    ),
    (
        "can only promote a learner member which is in sync with leader",
        9,
        "LearnerNotReady",
        'n',
    ),
    (
        "too many learner members in cluster",
        9,
        "TooManyLearners",
        'n',
    ),
    ("cluster ID mismatch", 9, "ClusterIDMismatch", 'n'),
    ("request is too large", 3, "RequestTooLarge", 'n'),
    ("too many requests", 8, "RequestTooManyRequests", 'n'),
    ("root user does not exist", 9, "RootUserNotExist", 'n'),
    (
        "root user does not have root role",
        9,
        "RootRoleNotExist",
        'n',
    ),
    ("user name already exists", 9, "UserAlreadyExist", 'n'),
    ("user name is empty", 3, "UserEmpty", 'n'),
    ("user name not found", 9, "UserNotFound", 'n'),
    ("role name already exists", 9, "RoleAlreadyExist", 'n'),
    ("role name not found", 9, "RoleNotFound", 'n'),
    ("role name is empty", 3, "RoleEmpty", 'n'),
    (
        "authentication failed, invalid user ID or password",
        3,
        "AuthFailed",
        'n',
    ),
    ("permission not given", 3, "PermissionNotGiven", 'n'),
    ("permission denied", 7, "PermissionDenied", 'n'),
    ("role is not granted to the user", 9, "RoleNotGranted", 'n'),
    (
        "permission is not granted to the role",
        9,
        "PermissionNotGranted",
        'n',
    ),
    ("authentication is not enabled", 9, "AuthNotEnabled", 'n'),
    ("invalid auth token", 16, "InvalidAuthToken", 'n'),
    ("invalid auth management", 3, "InvalidAuthMgmt", 'n'),
    ("revision of auth store is old", 3, "AuthOldRevision", 'n'),
    ("no leader", 14, "NoLeader", 'n'),
    ("not leader", 9, "NotLeader", 'n'),
    ("leader changed", 14, "LeaderChanged", 'm'),
    ("not capable", 9, "NotCapable", 'n'),
    ("server stopped", 14, "Stopped", 'm'),
    ("request timed out", 14, "Timeout", 'm'),
    (
        "request timed out, possibly due to previous leader failure",
        14,
        "TimeoutDueToLeaderFail",
        'm',
    ),
    (
        "request timed out, possibly due to connection lost",
        14,
        "TimeoutDueToConnectionLost",
        'm',
    ),
    (
        "request timed out, waiting for the applied index took too long",
        14,
        "TimeoutWaitAppliedIndex",
        'm',
    ),
    ("unhealthy cluster", 14, "Unhealthy", 'n'),
    ("corrupt cluster", 15, "Corrupt", 'n'),
    (
        "rpc not supported for learner",
        9,
        "NotSupportedForLearner",
        'n',
    ),
    ("bad leader transferee", 9, "BadLeaderTransferee", 'n'),
    (
        "wrong downgrade target version format",
        3,
        "WrongDowngradeVersionFormat",
        'n',
    ),
    (
        "invalid downgrade target version",
        3,
        "InvalidDowngradeTargetVersion",
        'n',
    ),
    (
        "cluster version not found during downgrade",
        9,
        "ClusterVersionUnavailable",
        'n',
    ),
    (
        "cluster has a downgrade job in progress",
        9,
        "DowngradeInProcess",
        'n',
    ),
    ("no inflight downgrade job", 9, "NoInflightDowngrade", 'n'),
    ("request canceled", 1, "Canceled", 'm'),
    ("context deadline exceeded", 4, "DeadlineExceeded", 'm'),
];

/// Messages without that prefix, as they come.
const OTHERS: &[Row] = &[
    ("raft proposal dropped", 2, "ProposalDropped", 'n'),
    ("not a primary lessor", 2, "NotPrimaryLessor", 'n'),
    (
        "mvcc: required revision has been compacted",
        2,
        "Compacted",
        'n',
    ),
    (
        "mvcc: required revision is a future revision",
        2,
        "FutureRev",
        'n',
    ),
    (
        "mvcc: duplicate watch ID provided on the WatchStream",
        2,
        "DuplicateWatchID",
        'n',
    ),
    ("mvcc: watcher range is empty", 2, "WatchRangeEmpty", 'n'),
    ("election: no leader", 2, "ElectionNoLeader", 'n'),
    ("election: not leader", 2, "ElectionNotLeader", 'n'),
    (
        r#""leader" field must be provided"#,
        2,
        "MissingLeaderKey",
        'n',
    ),
    ("mutex: session is expired", 2, "SessionExpired", 'm'),
    (
        "grpc: received message larger than max (9 vs. 7)",
        8,
        "MessageTooLarge",
        'n',
    ),
    (
        "received message larger than max (9 vs. 7)",
        8,
        "MessageTooLarge",
        'n',
    ),
    ("transport is closing", 14, "GatewayConnection", 'm'),
    ("connection closed", 14, "GatewayConnection", 'm'),
    (
        "error reading from server: EOF",
        14,
        "GatewayConnection",
        'm',
    ),
    (
        "grpc: the client connection is closing",
        1,
        "GatewayConnection",
        'm',
    ),
    (
        r#"connection error: desc = "transport: x""#,
        14,
        "GatewayConnection",
        'm',
    ),
    ("auth: user name is empty", 2, "UserEmpty", 'n'),
    ("auth: permission denied", 2, "PermissionDenied", 'n'),
    ("auth: revision in header is old", 2, "AuthOldRevision", 'n'),
    (
        "auth: authentication failed, password was given for no password user",
        2,
        "NoPasswordUser",
        'n',
    ),
    ("context canceled", 1, "Canceled", 'm'),
    (
        "etcd received your request, but the Host header was unrecognized.\n\nTo fix this, choose",
        3,
        "MisdirectedRequest",
        'n',
    ),
    ("context deadline exceeded", 4, "DeadlineExceeded", 'm'),
];

/// What both tables have, with the whole message.
fn rows() -> impl Iterator<Item = (String, i32, &'static str, Applied)> {
    let own = TABLE
        .iter()
        .map(|row| (format!("etcdserver: {}", row.0), row));
    let others = OTHERS.iter().map(|row| (row.0.to_owned(), row));
    own.chain(others).map(|(message, row)| {
        let applied = if row.3 == 'n' {
            Applied::No
        } else {
            Applied::Maybe
        };
        (message, row.1, row.2, applied)
    })
}

/// The HTTP statuses servers give a code: v1, then v2 (gateway.md 5.1).
fn statuses(code: i32) -> (u16, u16) {
    match code {
        1 => (408, 499),
        3 | 11 => (400, 400),
        4 => (504, 504),
        5 => (404, 404),
        7 => (403, 403),
        8 => (429, 429),
        9 => (412, 400),
        14 => (503, 503),
        16 => (401, 401),
        _ => (500, 500),
    }
}

/// The name of a code where it stands in a text.
fn name(code: i32) -> String {
    Code::new(code).to_string()
}

fn json(text: &str) -> String {
    serde_json::to_string(text).expect("a string")
}

fn unary(http: u16, body: &str) -> Status {
    match decode_answer::<Put>(http, body.as_bytes()) {
        Err(AnswerError::Status(status)) => status,
        other => panic!("{body}: {other:?}"),
    }
}

/// The error a stream ended with, whose answer had this status.
fn stream(http: u16, body: &str) -> Status {
    let mut frames = Frames::<WatchResponse>::new(http, Default::default());
    frames.handle_data(body.as_bytes());
    frames.handle_end();
    match frames.poll_frame() {
        Some(Err(FrameError::Status(status))) => status,
        other => panic!("{body}: {other:?}"),
    }
}

#[test]
fn every_error_is_known_in_every_shape() {
    for (message, code, wanted, applied) in rows() {
        let m = json(&message);
        let (v1, v2) = statuses(code);
        let mut shapes = Vec::new();
        // Unary, as 3.4, 3.5 and the second generation of the gateway send it.
        for (http, body) in [
            (
                v1,
                format!(r#"{{"error":{m},"message":{m},"code":{code}}}"#),
            ),
            (
                v1,
                format!(r#"{{"error":{m},"code":{code},"message":{m}}}"#),
            ),
            (
                v2,
                format!(r#"{{"code":{code}, "message":{m}, "details":[]}}"#),
            ),
        ] {
            shapes.push((unary(http, &body), code, Some(http)));
        }
        // The frame of a stream: as its last one, and as the whole body of a refusal.
        let frame = format!(
            r#"{{"error":{{"grpc_code":{code},"http_code":{v1},"message":{m},"http_status":"x"}}}}"#
        );
        shapes.push((stream(200, &frame), code, Some(v1)));
        shapes.push((stream(v1, &frame), code, Some(v1)));
        let frame = format!(r#"{{"error":{{"code":{code},"message":{m}}}}}"#);
        shapes.push((stream(200, &frame), code, None));
        shapes.push((stream(v2, &frame), code, Some(v2)));
        // The reason of a watch that was canceled: a text alone.
        shapes.push((Status::new(Code::UNKNOWN, &message), 2, None));
        // Wrapped, once and twice; and with a code that is not its own.
        let once = format!("rpc error: code = {} desc = {message}", name(code));
        shapes.push((Status::new(Code::UNKNOWN, &once), code, None));
        let twice = format!("rpc error: code = Unknown desc = {once}");
        let body = format!(r#"{{"code":2,"message":{}}}"#, json(&twice));
        shapes.push((unary(500, &body), code, Some(500)));
        let body = format!(r#"{{"code":2,"message":{m}}}"#);
        shapes.push((unary(500, &body), 2, Some(500)));

        for (at, (status, code, http)) in shapes.into_iter().enumerate() {
            let found = status.known().map(Known::name);
            assert_eq!(found, Some(wanted), "{message}, shape {at}");
            assert_eq!(status.code, Code::new(code), "{message}, shape {at}");
            assert_eq!(status.http, http, "{message}, shape {at}");
            assert_eq!(status.applied(), applied, "{message}, shape {at}");
            assert_eq!(status.message, message, "shape {at}");
        }
    }
}

#[test]
fn the_table_has_every_known_error() {
    let plain_text = [
        Known::CommonName,
        Known::PageNotFound,
        Known::MisdirectedRequest,
    ];
    for known in Known::ALL
        .iter()
        .filter(|known| !plain_text.contains(known))
    {
        let count = rows().filter(|row| row.2 == known.name()).count();
        assert!(count > 0, "{} has no row", known.name());
    }
    for (message, code, name, _) in rows().take(TABLE.len()) {
        let known = Known::ALL.iter().find(|known| known.name() == name);
        let known = known.unwrap_or_else(|| panic!("no {name}"));
        assert_eq!(
            (known.message(), known.code()),
            (&*message, Code::new(code))
        );
    }
}

#[test]
fn plain_text_is_known_and_explained() {
    for (http, body, known, fault) in [
        (
            404,
            "404 page not found\n",
            Some(Known::PageNotFound),
            Fault::GatewayOff,
        ),
        (404, "Not Found\n", None, Fault::NoSuchCall),
        (
            404,
            r#"{"code":5,"message":"Not Found","details":[]}"#,
            None,
            Fault::NoSuchCall,
        ),
        (
            421,
            "Misdirected Request\n",
            Some(Known::MisdirectedRequest),
            Fault::HostNotAllowed,
        ),
        (
            400,
            "CommonName of client sending a request against gateway will be ignored and not used as expected\n",
            Some(Known::CommonName),
            Fault::CommonName,
        ),
        (301, "", None, Fault::Redirected),
        (
            400,
            "<html><head><title>400 Bad Request</title>",
            None,
            Fault::NotEtcd,
        ),
        (
            400,
            "Client sent an HTTP request to an HTTPS server.\n",
            None,
            Fault::Tls,
        ),
    ] {
        let status = unary(http, body);
        assert_eq!(status.known(), known, "{body}");
        assert_eq!(
            status.diagnosis().map(|found| found.fault),
            Some(fault),
            "{body}"
        );
        assert_eq!(
            (status.http, status.applied()),
            (Some(http), Applied::No),
            "{body}"
        );
        assert!(
            status.to_string().len() > status.message.len() + 40,
            "{status}"
        );
    }
}

#[test]
fn of_a_long_text_the_first_256_bytes_are_kept() {
    for text in ["x".repeat(99_999), "ä".repeat(99_999)] {
        let status = unary(502, &text);
        assert_eq!(status.message.len(), 256);
        assert!(text.starts_with(&status.message));
    }
}

#[test]
fn a_program_needs_no_texts_to_decide() {
    for (message, _, name, _) in rows() {
        let status = Status::new(Code::UNKNOWN, &message);
        let token = ["UserEmpty", "InvalidAuthToken", "AuthOldRevision"].contains(&name);
        assert_eq!(status.needs_new_token(), token, "{message}");
        assert_eq!(status.is_compacted(), name == "Compacted", "{message}");
        // What blames the request stays as it is, whoever is asked.
        if message.contains("provided") || message.contains("permission") || token {
            assert!(!status.is_retryable_read(), "{message}");
        }
        if message.contains("timed out") || message.contains("no leader") && name == "NoLeader" {
            assert!(status.is_retryable_read(), "{message}");
        }
    }
}
