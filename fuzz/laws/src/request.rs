//! Requests cannot be bent: whatever key, header, host or path is given, the server sees the request
//! that was meant, or nothing is written (guarantee G55).

use bytes::Bytes;
use etcd_core::Config;
use etcd_core::Put;
use etcd_core::codec::http1::write_chunk;
use etcd_core::codec::http1::write_request;
use etcd_core::gateway::Gateway;

use crate::input::Input;

/// Any host, path, header and body.
pub(crate) fn request(bytes: &[u8]) {
    let mut input = Input::new(bytes);
    let method = input
        .choose(&["GET", "POST", "HEAD", "PUT"])
        .unwrap_or("GET");
    let (host, path) = (input.piece(), input.piece());
    let (name, value) = (input.piece(), input.piece());
    let body = input.rest();

    add_header(name, value);
    put(host, body);
    chunk(body);

    let host = String::from_utf8_lossy(host);
    let uri = String::from_utf8_lossy(path);
    let request = http::Request::builder().method(method).uri(&*uri);
    let Ok(request) = request
        .header(name, value)
        .body(Bytes::copy_from_slice(body))
    else {
        return;
    };
    let mut out = b"before".to_vec();
    if write_request(&request, &host, &mut out).is_err() {
        assert_eq!(out, b"before", "nothing is written of what is refused");
        return;
    }
    let out = &out[b"before".len()..];
    let mut fields = [httparse::EMPTY_HEADER; 8];
    let mut seen = httparse::Request::new(&mut fields);
    let Ok(httparse::Status::Complete(len)) = seen.parse(out) else {
        panic!(
            "a server could not read {:?}",
            out.escape_ascii().to_string()
        );
    };
    assert_eq!(&out[len..], body);
    assert_eq!(seen.method, Some(method));
    let target = request.uri().path_and_query().map(|target| target.as_str());
    assert_eq!(seen.path, target);
    let with_length = usize::from(method == "POST" || !body.is_empty());
    assert_eq!(seen.headers.len(), 2 + with_length);
    assert_eq!(
        (seen.headers[0].name, seen.headers[0].value),
        ("Host", host.as_bytes())
    );
    assert_eq!(seen.headers[1].value, value.trim_ascii());
    let plain = |byte: &u8| byte.is_ascii_graphic() || b" \t\r\n".contains(byte);
    assert!(out[..len].iter().all(plain), "a control byte went out");
    let lines = out[..len].split(|byte| *byte == b'\n').count();
    assert_eq!(lines, 1 + 2 + with_length + 2);
}

/// A header of the configuration is one header, or refused.
fn add_header(name: &[u8], value: &[u8]) {
    let (name, value) = (
        String::from_utf8_lossy(name),
        String::from_utf8_lossy(value),
    );
    let mut config = Config::new(["a"]).expect("an endpoint");
    match config.add_header(&name, &value) {
        Ok(()) => {
            assert!(!value.contains(['\r', '\n', '\0']));
            assert!(!name.contains(['\r', '\n', '\0', ' ', ':']));
        }
        Err(error) => assert!(!error.to_string().contains(['\r', '\n', '\0'])),
    }
}

/// Keys and values travel in base64 only.
fn put(key: &[u8], value: &[u8]) {
    let put = Put::new(key.to_vec(), value.to_vec());
    let request = Gateway::new().request(&put);
    assert_eq!(request.uri(), "/v3/kv/put");
    assert!(request.body().iter().all(u8::is_ascii_graphic));
    assert_eq!(
        serde_json::from_slice::<Put>(request.body()).ok(),
        Some(put)
    );
}

fn chunk(body: &[u8]) {
    let mut out = Vec::new();
    write_chunk(body, &mut out);
    match httparse::parse_chunk_size(&out) {
        Ok(httparse::Status::Complete((at, size))) => {
            assert_eq!(size, body.len() as u64);
            assert_eq!(&out[at..], [body, b"\r\n"].concat());
        }
        other => assert!(body.is_empty() && out.is_empty(), "{other:?}"),
    }
}
