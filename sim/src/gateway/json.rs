//! JSON in and out, as the two generations of the gateway's library have it (gateway.md 3, 5.1).

use core::fmt::Write;

use etcd_core::{Response, WatchRequest};
use serde::de::{DeserializeOwned, IgnoredAny};
use serde::{Deserialize, Serialize};
use serde_json::error::Category;

use super::dialect::{Dialect, Style, reason};
use crate::etcd::Fault;

/// What is wrong with a body, in the words of the server. No text of the body is in it, but for one
/// character where it is no JSON.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct BadJson(pub(super) String);

/// Reads the first value of a body; what follows it is ignored. An empty body is an empty message.
pub(super) fn read<T: DeserializeOwned>(body: &[u8], dialect: Dialect) -> Result<T, BadJson> {
    let json = match body.trim_ascii() {
        b"" => b"{}",
        b"null" if dialect == Dialect::V1 => b"{}",
        json => json,
    };
    let mut reader = serde_json::Deserializer::from_slice(json);
    T::deserialize(&mut reader).map_err(|error| {
        // Servers find the end of the value first.
        let mut whole = serde_json::Deserializer::from_slice(json);
        let syntax = IgnoredAny::deserialize(&mut whole).err();
        bad(json, &syntax.unwrap_or(error), dialect)
    })
}

/// Reads a message of a watch stream. None if it is an object with nothing in it, which is ignored.
pub(super) fn read_watch(json: &[u8], dialect: Dialect) -> Result<Option<WatchRequest>, BadJson> {
    read(json, dialect).map(Some).or_else(|error| {
        let fields = serde_json::from_slice::<serde_json::Map<String, serde_json::Value>>(json);
        let known = ["create_request", "cancel_request", "progress_request"];
        let empty = fields.is_ok_and(|fields| {
            known
                .iter()
                .all(|name| fields.get(*name).is_none_or(serde_json::Value::is_null))
        });
        if empty { Ok(None) } else { Err(error) }
    })
}

fn bad(json: &[u8], error: &serde_json::Error, dialect: Dialect) -> BadJson {
    BadJson(match error.classify() {
        Category::Eof | Category::Io => "unexpected EOF".to_owned(),
        Category::Syntax => {
            let byte = json.get(error.column().saturating_sub(1)).copied();
            let byte = char::from(byte.unwrap_or(b'?'));
            format!("invalid character '{byte}' looking for beginning of value")
        }
        Category::Data => match dialect {
            Dialect::V1 if error.to_string().contains("base64") => {
                "illegal base64 data at input byte 0".to_owned()
            }
            Dialect::V1 => format!("json: cannot unmarshal {error}"),
            // The library puts such a space or a plain one there, by a hash of the program.
            Dialect::V2 => format!(
                "proto:\u{a0}(line {}:{}): {error}",
                error.line(),
                error.column()
            ),
        },
    })
}

/// The JSON of a message.
pub(super) fn text(message: &impl Serialize) -> Vec<u8> {
    serde_json::to_vec(message).unwrap_or_else(|error| {
        // No message of etcd's has a key that is no text, which is all that could fail.
        format!("{{\"error\":\"{error}\"}}").into_bytes()
    })
}

/// Puts a space behind each comma, as newer servers do in unary bodies.
pub(super) fn spaced(json: Vec<u8>) -> Vec<u8> {
    let mut spaced = Vec::with_capacity(json.len() + json.len() / 16);
    let (mut is_text, mut is_escaped) = (false, false);
    for byte in json {
        spaced.push(byte);
        match byte {
            _ if is_escaped => is_escaped = false,
            b'\\' if is_text => is_escaped = true,
            b'"' => is_text = !is_text,
            b',' if !is_text => spaced.push(b' '),
            _ => {}
        }
    }
    spaced
}

/// An error as the body of a unary answer.
pub(super) fn error(fault: &Fault, style: &Style) -> Vec<u8> {
    let message = quoted(&fault.message);
    let code = fault.code.get();
    match style.dialect {
        Dialect::V1 if style.is_3_4 => {
            format!("{{\"error\":{message},\"message\":{message},\"code\":{code}}}")
        }
        Dialect::V1 => format!("{{\"error\":{message},\"code\":{code},\"message\":{message}}}"),
        Dialect::V2 => format!("{{\"code\":{code}, \"message\":{message}}}"),
    }
    .into_bytes()
}

/// An error as the last frame of a stream, with the newline that newer servers put behind it.
pub(super) fn stream_error(fault: &Fault, style: &Style) -> Vec<u8> {
    let message = quoted(&fault.message);
    let code = fault.code.get();
    let mut text = "{\"error\":{".to_owned();
    match style.dialect {
        Dialect::V1 => {
            let http = style.status(fault.code);
            let _ = write!(
                text,
                "\"grpc_code\":{code},\"http_code\":{http},\"message\":{message},\"http_status\":\"{}\"}}}}",
                reason(http)
            );
        }
        Dialect::V2 => {
            let _ = writeln!(text, "\"code\":{code},\"message\":{message}}}}}");
        }
    }
    text.into_bytes()
}

fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

macro_rules! messages {
    ($response:ident: $($name:ident)*) => {
        match $response {
            $(Response::$name(message) => text(message),)*
            other => {
                let wrong = format!("a reply of {:?} is no message", other.rpc());
                text(&serde_json::Value::from(wrong))
            }
        }
    };
}

/// The JSON of a unary answer that is a message; pages are not (`pages`).
pub(super) fn response(response: &Response) -> Vec<u8> {
    match response {
        Response::Txn(txn) => with_headers(&text(txn)),
        other => message(other),
    }
}

/// The transaction with the empty headers that nested ones have, which nobody reads and the types of
/// the core do not write.
fn with_headers(json: &[u8]) -> Vec<u8> {
    const BEGIN: &[u8] = b"\"response_txn\":{";
    let mut out = Vec::with_capacity(json.len());
    let mut rest = json;
    // No text can hold this: its quotes would be escaped.
    while let Some(place) = rest.windows(BEGIN.len()).position(|bytes| bytes == BEGIN) {
        let (before, after) = rest.split_at(place + BEGIN.len());
        out.extend_from_slice(before);
        out.extend_from_slice(match after.first() {
            Some(b'}') => &b"\"header\":{}"[..],
            _ => b"\"header\":{},",
        });
        rest = after;
    }
    out.extend_from_slice(rest);
    out
}

fn message(response: &Response) -> Vec<u8> {
    messages!(response:
        Range Put DeleteRange Compact LeaseGrant LeaseRevoke LeaseTimeToLive LeaseLeases Status Version
        Alarm Defragment Hash HashKv MoveLeader Downgrade MemberAdd MemberRemove MemberUpdate
        MemberPromote MemberList AuthEnable AuthDisable AuthStatus Authenticate UserAdd UserGet UserList
        UserDelete UserChangePassword UserGrantRole UserRevokeRole RoleAdd RoleGet RoleList RoleDelete
        RoleGrantPermission RoleRevokePermission Lock Unlock Campaign Proclaim Leader Resign)
}

/// Whether the body begins with a whole object, so that a server would go on though more was to come.
pub(super) fn is_whole(body: &[u8]) -> bool {
    let mut reader = serde_json::Deserializer::from_slice(body);
    !body.trim_ascii().is_empty() && IgnoredAny::deserialize(&mut reader).is_ok()
}

/// Whether an object that was read without a complaint has no such field, or null there.
pub(super) fn lacks(bytes: &[u8], field: &str) -> bool {
    let value: Option<serde_json::Value> = serde_json::from_slice(bytes).ok();
    value.is_none_or(|value| value.get(field).is_none_or(serde_json::Value::is_null))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spaces_are_put_behind_commas_and_not_into_texts() {
        let json = br#"{"a":"1,2\",3\\","b":[1,2]}"#.to_vec();
        assert_eq!(spaced(json), br#"{"a":"1,2\",3\\", "b":[1, 2]}"#);
    }

    #[test]
    fn a_body_is_read_up_to_the_end_of_its_first_value() {
        let read = |body: &str| read::<etcd_core::Range>(body.as_bytes(), Dialect::V2);
        assert_eq!(read("").unwrap(), etcd_core::Range::default());
        assert_eq!(read(r#"{"limit":"3"} trailing"#).unwrap().limit, 3);
        for cut in ["{", "[", r#"{"limit":"x""#] {
            assert_eq!(read(cut).unwrap_err().0, "unexpected EOF");
        }
        assert_eq!(
            read("key=foo").unwrap_err().0,
            "invalid character 'k' looking for beginning of value"
        );
        assert!(
            read(r#"{"key":"!!!!"}"#)
                .unwrap_err()
                .0
                .starts_with("proto:")
        );
        assert!(read("null").is_err());
        assert!(super::read::<etcd_core::Range>(b"null", Dialect::V1).is_ok());
    }

    #[test]
    fn an_empty_message_of_a_watch_is_ignored_and_a_wrong_one_is_not() {
        let read = |json: &str| read_watch(json.as_bytes(), Dialect::V2);
        assert_eq!(read("{}").unwrap(), None);
        assert_eq!(read(r#"{"create_request":null,"x":1}"#).unwrap(), None);
        assert!(read(r#"{"create_request":{"key":"!"}}"#).is_err());
        assert!(read(r#"{"progress_request":{}}"#).unwrap().is_some());
    }
}
