//! Answers that are not the ones a call can have, as a user of the client sees them.

use std::time::Duration;

use etcd_core::Applied;
use etcd_core::Call;
use etcd_core::Cause;
use etcd_core::Client;
use etcd_core::CloseReason;
use etcd_core::Config;
use etcd_core::Error;
use etcd_core::Event;
use etcd_core::Fault;
use etcd_core::HttpError;
use etcd_core::Instant;
use etcd_core::Output;
use etcd_core::ProtocolError;
use etcd_core::Put;
use etcd_core::PutIfAbsent;
use etcd_core::Response;

/// The outcome of a call whose request is answered with these bytes.
fn answered(call: impl Call, bytes: &[u8]) -> Result<Response, Error> {
    let now = Instant::ZERO + Duration::from_millis(1);
    let config = Config::new(["http://127.0.0.1:2379"]).expect("an endpoint");
    let mut client = Client::new(config, 1, Instant::ZERO);
    client.call(now, call);
    let mut open = None;
    loop {
        match client.poll_output().expect("the call ends") {
            Output::Connect { conn, .. } => {
                client.handle_connected(now, conn);
                let len = client.transmit(conn).len();
                client.handle_written(now, conn, len);
                open = Some(conn);
            }
            Output::Event(Event::Answered { result, .. }) => return *result,
            _ => {}
        }
        if let Some(conn) = open.take() {
            client.handle_received(now, conn, bytes);
        }
    }
}

fn http(status: u16, body: &str) -> Vec<u8> {
    let len = body.len();
    format!("HTTP/1.1 {status} x\r\nContent-Length: {len}\r\n\r\n{body}").into_bytes()
}

#[test]
fn a_transaction_answered_without_its_operations_is_an_error() {
    for body in [
        "{}",
        r#"{"succeeded":true}"#,
        r#"{"responses":[{"response_put":{}}]}"#,
    ] {
        let error = answered(PutIfAbsent::new("k", "v"), &http(200, body)).unwrap_err();
        let cause = Cause::BadAnswer(ProtocolError::WrongOperations);
        let applied = Applied::Maybe;
        assert_eq!(error, Error::Unavailable { cause, applied }, "{body}");
    }
    let body = r#"{"succeeded":true,"responses":[{"response_put":{}}]}"#;
    let answer = answered(PutIfAbsent::new("k", "v"), &http(200, body)).expect("an answer");
    assert!(
        PutIfAbsent::from_response(answer)
            .expect("its own")
            .succeeded()
    );
}

#[test]
fn a_gateway_that_is_off_is_named_with_the_path() {
    let error = answered(Put::new("k", "v"), &http(404, "404 page not found\n")).unwrap_err();
    let diagnosis = error.status().and_then(|status| status.diagnosis());
    assert_eq!(diagnosis.map(|found| found.fault), Some(Fault::GatewayOff));
    assert!(error.is_not_applied());
    let text = error.to_string();
    assert!(
        text.contains("/v3/kv/put") && text.contains("--enable-grpc-gateway"),
        "{text}"
    );
}

#[test]
fn a_port_of_another_protocol_is_named() {
    for (bytes, fault, help) in [
        (
            &b"\0\0\x06\x04\0\0\0\0\0\0\x05\0\0\x40\0"[..],
            HttpError::Http2,
            "--listen-client-http-urls",
        ),
        (
            &b"\x15\x03\x01\0\x02\x02\x46"[..],
            HttpError::Tls,
            "https://",
        ),
    ] {
        let error = answered(Put::new("k", "v"), bytes).unwrap_err();
        let Error::Unavailable { cause, .. } = &error else {
            panic!("{error:?}");
        };
        assert_eq!(*cause, Cause::ConnectionLost(CloseReason::Http(fault)));
        assert!(error.to_string().contains(help), "{error}");
    }
}
