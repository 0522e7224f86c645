//! Errors and configurations from any text.

use etcd_core::Applied;
use etcd_core::Code;
use etcd_core::Config;
use etcd_core::Endpoint;
use etcd_core::Known;
use etcd_core::Put;
use etcd_core::gateway::AnswerError;
use etcd_core::gateway::ApiPrefix;
use etcd_core::gateway::Gateway;
use etcd_core::gateway::decode_answer;

use crate::input::Input;

/// Codes that blame the request, so that a write was not done (rule 2.1.4 of semantics.md).
const BLAMES: [Code; 8] = [
    Code::INVALID_ARGUMENT,
    Code::NOT_FOUND,
    Code::ALREADY_EXISTS,
    Code::PERMISSION_DENIED,
    Code::FAILED_PRECONDITION,
    Code::OUT_OF_RANGE,
    Code::UNIMPLEMENTED,
    Code::UNAUTHENTICATED,
];

/// Any status, code and message: an error, and certain only if it is in the table.
pub(crate) fn classifier(bytes: &[u8]) {
    let mut input = Input::new(bytes);
    let http = 201 + input.number() % 399;
    let code = i32::from(input.byte()) - 4;
    let shape = input.byte();
    let message = match shape & 8 {
        0 => String::from_utf8_lossy(input.rest()).into_owned(),
        _ => input
            .choose(Known::ALL)
            .map_or("", Known::message)
            .to_owned(),
    };
    let body = match shape % 8 {
        0 => serde_json::json!({ "code": code, "message": message }),
        1 => serde_json::json!({ "error": message, "code": code }),
        2 => serde_json::json!({ "error": { "grpc_code": code, "message": message } }),
        3 => serde_json::json!({ "error": { "code": code, "message": message, "details": [] } }),
        4 => serde_json::json!({ "message": message }),
        5 => serde_json::json!({}),
        6 => serde_json::Value::String(message.clone()),
        _ => serde_json::Value::Null,
    };
    let body = match shape % 8 {
        7 => message.clone().into_bytes(),
        _ => body.to_string().into_bytes(),
    };
    let Err(AnswerError::Status(status)) = decode_answer::<Put>(http, &body) else {
        panic!("{http} is an error");
    };
    if status.applied() == Applied::No {
        match status.known() {
            Some(known) => assert_eq!(known.applied(), Applied::No),
            None => assert!(BLAMES.contains(&status.code), "{status:?} is certain"),
        }
    }
    if matches!(shape % 8, 0..=3) && !message.starts_with("rpc error: ") {
        assert_eq!(status.code, Code::new(code), "{status:?}");
        assert_eq!(status.message, message);
    }
}

/// Any text as endpoint, prefix and header.
pub(crate) fn config(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    match text.parse::<Endpoint>() {
        Ok(endpoint) => {
            let authority = endpoint.authority();
            assert!(authority.bytes().all(|byte| byte.is_ascii_graphic()));
            assert!(!authority.contains(['/', '@', '?', '#', '\\']));
            assert_eq!(endpoint.to_string().parse(), Ok(endpoint));
            assert!(Config::new([&text]).is_ok());
        }
        Err(error) => {
            // Said on one line, and without what may be a password.
            let said = error.to_string();
            assert!(!said.contains(|said: char| said.is_control()), "{said:?}");
            if let Some((_, host)) = text.rsplit_once('@') {
                let redacted = format!("{:?}", format!("…@{host}"));
                assert!(said.contains(&redacted), "{said}");
            }
        }
    }
    match text.parse::<ApiPrefix>() {
        Ok(prefix) => {
            let path = format!("{prefix}/kv/put");
            let request = Gateway::new()
                .with_prefix(prefix)
                .request(&Put::new("k", "v"));
            assert_eq!(
                request.uri().path_and_query().map(|path| path.as_str()),
                Some(&*path)
            );
        }
        Err(error) => assert!(!error.to_string().contains(|said: char| said.is_control())),
    }
}
