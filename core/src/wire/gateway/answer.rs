//! Status and body to a typed answer or a typed error, in both dialects of the gateway.
//!
//! Errors are read by rules E-1 to E-5 of semantics.md: message first, code second, never lost. A
//! body that is not a JSON object is the message of the status (gateway.md 5.2).

use core::fmt;

use super::said::ErrorFields;
use super::said::ErrorText;
use super::said::Said;
use crate::api::Call;
use crate::api::LivezResponse;
use crate::api::Message;
use crate::api::MetricsResponse;
use crate::api::ReadyzResponse;
use crate::api::Response;
use crate::api::Rpc;
use crate::api::json;
use crate::api::json::DEEPEST;
use crate::codec::json::JsonLimits;
use crate::codec::json::SplitError;
use crate::codec::json::Splitter;
use crate::error::Code;
use crate::error::JsonError;
use crate::error::Status;

/// How many bytes of a body that is an error are looked at, and of a message kept: it is text for
/// people (reliability.md 5.2).
pub(super) const ERROR_BODY: usize = 16 * 1024;

/// Why an answer is not the typed one.
///
/// ```
/// use etcd_core::gateway::{decode_answer, AnswerError};
/// use etcd_core::{Known, Put};
///
/// let body = br#"{"error":"etcdserver: key is not provided","code":3,"message":"etcdserver: key is not provided"}"#;
/// let Err(AnswerError::Status(status)) = decode_answer::<Put>(400, body) else { panic!() };
/// assert_eq!(status.known(), Some(Known::EmptyKey));
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum AnswerError {
    /// The server answered with an error.
    Status(Status),
    /// The body is not the answer's JSON.
    Json(JsonError),
}

impl fmt::Display for AnswerError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Status(status) => fmt::Display::fmt(status, f),
            Self::Json(error) => write!(f, "answer cannot be read: {error}"),
        }
    }
}

impl core::error::Error for AnswerError {
    fn source(&self) -> Option<&(dyn core::error::Error + 'static)> {
        match self {
            Self::Status(status) => Some(status),
            Self::Json(error) => Some(error),
        }
    }
}

/// The typed answer in an HTTP status and a complete body (framing removed).
///
/// # Errors
///
/// [`AnswerError::Status`] for any status but 200, with the server's code and message; the message
/// is the body itself where it is not JSON. [`AnswerError::Json`] for a body that is not the answer,
/// or is nested deeper than 32.
///
/// ```
/// use etcd_core::gateway::decode_answer;
/// use etcd_core::{Code, Range};
///
/// let answer = decode_answer::<Range>(200, br#"{"header":{"revision":"4"},"count":"12"}"#)?;
/// assert_eq!(answer.count, 12);
///
/// let error = decode_answer::<Range>(404, b"404 page not found\n").unwrap_err();
/// assert!(error.to_string().starts_with("404 page not found (NotFound)"));
/// # Ok::<(), etcd_core::gateway::AnswerError>(())
/// ```
pub fn decode_answer<C: Call>(status: u16, body: &[u8]) -> Result<C::Response, AnswerError> {
    let response = decode(C::RPC, status, body, JsonLimits::default().depth)?;
    let wrong = || AnswerError::Json(JsonError::wrong_shape("answer of another call"));
    C::from_response(response).ok_or_else(wrong)
}

/// As [`decode_answer`], for a call known only by its name and with this bound on nesting.
pub(crate) fn decode(
    rpc: Rpc,
    status: u16,
    body: &[u8],
    depth: usize,
) -> Result<Response, AnswerError> {
    // A member that is not well says so with 503 and the same page (gateway.md 2).
    let page = matches!(rpc, Rpc::Health | Rpc::Livez | Rpc::Readyz);
    if status != 200 && !(page && status == 503) {
        return Err(AnswerError::Status(status_of(status, body)));
    }
    let ok = status == 200;
    let body = Body { json: body, depth };
    match rpc {
        Rpc::Range => parse(body).map(Response::Range),
        Rpc::Put => parse(body).map(Response::Put),
        Rpc::DeleteRange => parse(body).map(Response::DeleteRange),
        Rpc::Txn => parse(body).map(Response::Txn),
        Rpc::Compact => parse(body).map(Response::Compact),
        Rpc::LeaseGrant => parse(body).map(Response::LeaseGrant),
        Rpc::LeaseRevoke => parse(body).map(Response::LeaseRevoke),
        Rpc::LeaseTimeToLive => parse(body).map(Response::LeaseTimeToLive),
        Rpc::LeaseLeases => parse(body).map(Response::LeaseLeases),
        Rpc::Status => parse(body).map(Response::Status),
        Rpc::Version => parse(body).map(Response::Version),
        Rpc::Alarm => parse(body).map(Response::Alarm),
        Rpc::Defragment => parse(body).map(Response::Defragment),
        Rpc::Hash => parse(body).map(Response::Hash),
        Rpc::HashKv => parse(body).map(Response::HashKv),
        Rpc::MoveLeader => parse(body).map(Response::MoveLeader),
        Rpc::Downgrade => parse(body).map(Response::Downgrade),
        Rpc::MemberAdd => parse(body).map(Response::MemberAdd),
        Rpc::MemberRemove => parse(body).map(Response::MemberRemove),
        Rpc::MemberUpdate => parse(body).map(Response::MemberUpdate),
        Rpc::MemberPromote => parse(body).map(Response::MemberPromote),
        Rpc::MemberList => parse(body).map(Response::MemberList),
        Rpc::AuthEnable => parse(body).map(Response::AuthEnable),
        Rpc::AuthDisable => parse(body).map(Response::AuthDisable),
        Rpc::AuthStatus => parse(body).map(Response::AuthStatus),
        Rpc::Authenticate => parse(body).map(Response::Authenticate),
        Rpc::UserAdd => parse(body).map(Response::UserAdd),
        Rpc::UserGet => parse(body).map(Response::UserGet),
        Rpc::UserList => parse(body).map(Response::UserList),
        Rpc::UserDelete => parse(body).map(Response::UserDelete),
        Rpc::UserChangePassword => parse(body).map(Response::UserChangePassword),
        Rpc::UserGrantRole => parse(body).map(Response::UserGrantRole),
        Rpc::UserRevokeRole => parse(body).map(Response::UserRevokeRole),
        Rpc::RoleAdd => parse(body).map(Response::RoleAdd),
        Rpc::RoleGet => parse(body).map(Response::RoleGet),
        Rpc::RoleList => parse(body).map(Response::RoleList),
        Rpc::RoleDelete => parse(body).map(Response::RoleDelete),
        Rpc::RoleGrantPermission => parse(body).map(Response::RoleGrantPermission),
        Rpc::RoleRevokePermission => parse(body).map(Response::RoleRevokePermission),
        Rpc::Lock => parse(body).map(Response::Lock),
        Rpc::Unlock => parse(body).map(Response::Unlock),
        Rpc::Campaign => parse(body).map(Response::Campaign),
        Rpc::Proclaim => parse(body).map(Response::Proclaim),
        Rpc::Leader => parse(body).map(Response::Leader),
        Rpc::Resign => parse(body).map(Response::Resign),
        Rpc::Metrics => text_of(body.json).map(|text| Response::Metrics(MetricsResponse::of(text))),
        Rpc::Livez | Rpc::Readyz => {
            let text = text_of(body.json).map_err(AnswerError::Json)?;
            let answer = match rpc {
                Rpc::Livez => {
                    LivezResponse::from_text(ok, text).map(|page| page.map(Response::Livez))
                }
                _ => ReadyzResponse::from_text(ok, text).map(|page| page.map(Response::Readyz)),
            };
            let answer = answer.map_err(AnswerError::Json)?;
            return answer.ok_or_else(|| AnswerError::Status(status_of(status, body.json)));
        }
        Rpc::Health => match parse(body) {
            Err(_) if status == 503 => {
                return Err(AnswerError::Status(status_of(status, body.json)));
            }
            answer => answer.map(Response::Health),
        },
        // A stream of one frame.
        Rpc::LeaseKeepAlive => {
            body.check_depth().map_err(AnswerError::Json)?;
            return frame(body.json).map(Response::LeaseKeepAlive);
        }
    }
    .map_err(AnswerError::Json)
}

/// One frame of a stream: `{"result":…}` or `{"error":…}`.
pub(super) fn frame<T: Message>(json: &[u8]) -> Result<T, AnswerError> {
    match plain_frame(json) {
        Some(result) => Ok(result),
        None => strict_frame(json),
    }
}

/// A frame that is a result and nothing else, as nearly all are, or nothing.
pub(super) fn plain_frame<T: Message>(json: &[u8]) -> Option<T> {
    let inner = json.strip_prefix(b"{\"result\":")?.strip_suffix(b"}")?;
    T::scan_whole(inner)
}

/// Any frame.
pub(super) fn strict_frame<T: Message>(json: &[u8]) -> Result<T, AnswerError> {
    // For anything else serde's own error would quote it.
    if json
        .trim_ascii_start()
        .first()
        .is_some_and(|byte| *byte != b'{')
    {
        return Err(AnswerError::Json(JsonError::wrong_shape(
            "frame is not an object",
        )));
    }
    let said = json::read_slice_as(json, |budget, deserializer| {
        Said::<T>::read(budget, deserializer)
    });
    match said.map_err(AnswerError::Json)? {
        Said {
            error: Some(error), ..
        } => Err(AnswerError::Status(error.in_stream())),
        Said {
            result: Some(result),
            ..
        } => Ok(result),
        Said { .. } => Err(AnswerError::Json(JsonError::wrong_shape(
            "frame has neither result nor error",
        ))),
    }
}

/// A page as text.
fn text_of(body: &[u8]) -> Result<&str, JsonError> {
    core::str::from_utf8(body).map_err(|_| JsonError::wrong_shape("page is not UTF-8"))
}

/// The body of a unary answer.
#[derive(Clone, Copy)]
struct Body<'a> {
    json: &'a [u8],
    /// How deep it may be nested.
    depth: usize,
}

impl Body<'_> {
    /// Refuses nesting beyond the bound, also in what is passed over. Whatever else is wrong is left
    /// to the parser, which says it better.
    fn check_depth(self) -> Result<(), JsonError> {
        let limits = JsonLimits {
            depth: self.depth,
            frame_bytes: usize::MAX,
        };
        match Splitter::new(limits).push(self.json) {
            Err(SplitError::Json(error @ JsonError::TooDeep(_))) => Err(error),
            _ => Ok(()),
        }
    }
}

fn parse<T: Message>(body: Body<'_>) -> Result<T, JsonError> {
    // What is read the short way is nested no deeper than it allows, and nearly all answers are.
    let quickly = (body.depth >= DEEPEST).then(|| T::scan_whole(body.json));
    if let Some(message) = quickly.flatten() {
        return Ok(message);
    }
    body.check_depth()?;
    json::read_slice(body.json)
}

/// How many bytes of an answer's body are looked at; there may be more.
pub(crate) const fn most_of_body(status: u16) -> usize {
    match status {
        200 => usize::MAX,
        _ => ERROR_BODY,
    }
}

/// The error in a body: unary or stream shape, v1 or v2, or plain text.
pub(super) fn status_of(http: u16, body: &[u8]) -> Status {
    let object = body.trim_ascii_start().first() == Some(&b'{');
    let status = match serde_json::from_slice::<ErrorText>(body) {
        Ok(text) if object => text.status(http),
        _ => {
            // A person reads this; a page of HTML helps nobody (rule E-4).
            let body = body.trim_ascii();
            let text = String::from_utf8_lossy(&body[..body.len().min(TEXT)]);
            if text.is_empty() {
                Status::new(code_of(http), &format!("answer with status {http}"))
            } else {
                Status::new(code_of(http), &text)
            }
        }
    };
    status.with_http(http)
}

/// How many bytes of a body that is not JSON are kept as the message of its status.
const TEXT: usize = 256;

impl ErrorText {
    /// The error as the last frame of a stream, whose HTTP status was 200.
    fn in_stream(&self) -> Status {
        let status = self.status(500);
        match self {
            Self::Fields(ErrorFields {
                http_code: Some(http),
                ..
            }) => status.with_http(*http),
            _ => status,
        }
    }

    fn status(&self, http: u16) -> Status {
        let (code, message) = self.parts();
        let code = code.map_or_else(|| code_of(http), Code::new);
        match message {
            Some(message) => {
                // A character cut in two shows as one that cannot be read.
                let most = message.len().min(ERROR_BODY);
                Status::new(code, &String::from_utf8_lossy(&message.as_bytes()[..most]))
            }
            None => Status::new(code, &format!("answer with status {http} and no message")),
        }
    }

    /// Code and message, each from where it is given first (rule E-2).
    fn parts(&self) -> (Option<i32>, Option<&str>) {
        match self {
            Self::Text(text) => (None, Some(text)),
            Self::Fields(fields) => {
                let (inner_code, inner_message) =
                    fields.error.as_deref().map_or((None, None), Self::parts);
                (
                    fields.code.or(fields.grpc_code).or(inner_code),
                    fields.message.as_deref().or(inner_message),
                )
            }
        }
    }
}

/// The code a status stands for where the body names none (gateway.md 5.1). Statuses that blame the
/// request map to codes that are certain, all others to codes that are not (rule 2.1.4).
fn code_of(http: u16) -> Code {
    match http {
        401 => Code::UNAUTHENTICATED,
        403 => Code::PERMISSION_DENIED,
        404 => Code::NOT_FOUND,
        405 | 501 => Code::UNIMPLEMENTED,
        408 | 425 | 499 => Code::CANCELED,
        409 => Code::ALREADY_EXISTS,
        412 => Code::FAILED_PRECONDITION,
        429 => Code::RESOURCE_EXHAUSTED,
        300..=499 => Code::INVALID_ARGUMENT,
        502 | 503 => Code::UNAVAILABLE,
        504 => Code::DEADLINE_EXCEEDED,
        _ => Code::UNKNOWN,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::Put;
    use crate::api::Range;
    use crate::error::Applied;

    fn status(http: u16, body: &str) -> Status {
        match decode(Rpc::Put, http, body.as_bytes(), 32) {
            Err(AnswerError::Status(status)) => status,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn every_shape_of_error_is_read() {
        let text = "etcdserver: no leader";
        for body in [
            format!(r#"{{"error":"{text}","message":"{text}","code":14}}"#),
            format!(r#"{{"code":14, "message":"{text}"}}"#),
            format!(
                r#"{{"error":{{"grpc_code":14,"http_code":503,"message":"{text}","http_status":"x"}}}}"#
            ),
            format!(r#"{{"error":{{"code":14,"message":"{text}","details":[{{"a":1}}]}}}}"#),
            format!(r#"{{"error":"{text}"}}"#),
        ] {
            let status = status(503, &body);
            assert_eq!(
                (status.code, &*status.message),
                (Code::UNAVAILABLE, text),
                "{body}"
            );
        }
    }

    #[test]
    fn text_is_the_message_of_its_status() {
        assert_eq!(
            status(404, "404 page not found\n").message,
            "404 page not found"
        );
        assert_eq!(status(404, "").message, "answer with status 404");
        assert_eq!(status(502, &"x".repeat(9999)).message.len(), 256);
        assert_eq!(status(400, "[1]").message, "[1]");
        assert_eq!(
            status(400, "{}").message,
            "answer with status 400 and no message"
        );
    }

    #[test]
    fn a_status_without_a_known_message_is_certain_only_if_it_blames_the_request() {
        for http in [301, 400, 401, 403, 404, 405, 409, 412, 417, 421, 431] {
            assert_eq!(status(http, "text").applied(), Applied::No, "{http}");
        }
        for http in [408, 425, 429, 499, 500, 502, 503, 504, 599] {
            assert_eq!(status(http, "text").applied(), Applied::Maybe, "{http}");
        }
    }

    #[test]
    fn a_body_that_is_not_the_answer_is_an_error() {
        for body in [
            "",
            "{",
            "[]",
            r#"{"count":"x"}"#,
            r#"{"kvs":{}}"#,
            r#"{"kvs":[{"key":"*"}]}"#,
        ] {
            let error = decode_answer::<Range>(200, body.as_bytes()).unwrap_err();
            assert!(matches!(error, AnswerError::Json(_)), "{body}: {error:?}");
        }
        assert!(decode_answer::<Put>(200, b"{}").is_ok());
    }

    #[test]
    fn a_wrong_answer_is_told_by_field_and_place_and_without_values() {
        for (body, field, offset) in [
            (r#"{"count":"secret"}"#, Some("count"), 16),
            ("{\n \"kvs\":{}}", Some("kvs"), 10),
            (r#"{"kvs":[{"key":"secret*"}]}"#, Some("key"), 23),
            (r#"{"count":"1","count":"2"}"#, Some("count"), 19),
            (r#"["secret"]"#, Some("RangeResponse"), 0),
            (r#"{} secret"#, None, 3),
        ] {
            let error = decode_answer::<Range>(200, body.as_bytes()).unwrap_err();
            let AnswerError::Json(JsonError::WrongShape {
                field: f,
                offset: o,
                what,
            }) = &error
            else {
                panic!("{body}: {error:?}");
            };
            assert_eq!((f.as_deref(), *o), (field, offset), "{body}: {what}");
            assert!(!error.to_string().contains("secret"), "{error}");
        }
    }

    #[test]
    fn a_frame_that_is_no_object_is_not_quoted() {
        for body in [r#""secret""#, r#"["secret"]"#, "7"] {
            let error = decode(Rpc::LeaseKeepAlive, 200, body.as_bytes(), 32).unwrap_err();
            assert!(!error.to_string().contains("secret"), "{error}");
        }
    }

    #[test]
    fn nesting_is_bounded_in_what_is_read_and_in_what_is_passed_over() {
        // Found in serde-json-wasm (RUSTSEC-2024-0012) and rustc-serialize (RUSTSEC-2022-0004).
        let unknown = |depth: usize| {
            let lists = depth - 1;
            format!("{{\"x\":{}{}}}", "[".repeat(lists), "]".repeat(lists))
        };
        // A level of transactions is three: the transaction, the list, the member of the list.
        let nested = |levels: usize| {
            let open = "{\"responses\":[{\"response_txn\":".repeat(levels);
            format!("{open}{{}}{}", "}]}".repeat(levels))
        };
        for (body, depth) in [
            (unknown(32), 32),
            (unknown(5), 5),
            (nested(10), 31),
            (nested(2), 7),
        ] {
            assert!(decode(Rpc::Txn, 200, body.as_bytes(), depth).is_ok());
            let error = decode(Rpc::Txn, 200, body.as_bytes(), depth - 1).unwrap_err();
            let too_deep = AnswerError::Json(JsonError::TooDeep(depth - 1));
            assert_eq!(error, too_deep, "{body}");
        }
        let renewal = br#"{"result":{"ID":"1","x":[[]]}}"#;
        assert!(decode(Rpc::LeaseKeepAlive, 200, renewal, 4).is_ok());
        let error = decode(Rpc::LeaseKeepAlive, 200, renewal, 3).unwrap_err();
        assert_eq!(error, AnswerError::Json(JsonError::TooDeep(3)));
        // serde_json follows no deeper than this.
        assert!(decode(Rpc::Txn, 200, unknown(127).as_bytes(), 127).is_ok());
        assert!(decode(Rpc::Txn, 200, nested(42).as_bytes(), 127).is_ok());
    }

    #[test]
    fn of_an_error_no_more_is_kept_than_is_shown() {
        let body = |len: usize| format!(r#"{{"error":{{"message":"{}"}}}}"#, "m".repeat(len));
        for (len, kept) in [(ERROR_BODY, ERROR_BODY), (ERROR_BODY + 1, ERROR_BODY)] {
            let Err(AnswerError::Status(status)) =
                frame::<crate::api::WatchResponse>(body(len).as_bytes())
            else {
                panic!("an error is read as one");
            };
            assert_eq!(status.message.len(), kept);
        }
    }

    #[test]
    fn an_error_inside_an_error_inside_an_error_ends() {
        let deep = format!("{}\"x\"{}", r#"{"error":"#.repeat(200), "}".repeat(200));
        let _ = status(500, &deep);
    }
}
