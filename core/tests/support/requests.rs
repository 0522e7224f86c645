//! Reads what a client sent, as a server would: one line for each request.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;

/// The bytes of one connection, of which whole requests are taken out.
#[derive(Debug, Default)]
pub struct Requests {
    bytes: Vec<u8>,
    /// The body that is open has chunks without end.
    open: bool,
}

impl Requests {
    /// Takes bytes, and gives the requests that are whole now. The chunks of an open body are
    /// requests of their own.
    pub fn read(&mut self, bytes: &[u8]) -> Vec<String> {
        self.bytes.extend_from_slice(bytes);
        let mut lines = Vec::new();
        while let Some(line) = self.next() {
            lines.push(line);
        }
        lines
    }

    fn next(&mut self) -> Option<String> {
        let text = std::str::from_utf8(&self.bytes).expect("requests are text");
        if self.open {
            let (size, rest) = text.split_once("\r\n")?;
            let size = usize::from_str_radix(size, 16).expect("a chunk size");
            let body = rest.get(..size)?;
            let end = rest.get(size..size + 2)?;
            assert_eq!(end, "\r\n");
            let line = readable(body);
            let used = text.len() - rest.len() + size + 2;
            self.bytes.drain(..used);
            return Some(line);
        }
        let (head, rest) = text.split_once("\r\n\r\n")?;
        let mut lines = head.split("\r\n");
        let request = lines.next()?.strip_suffix(" HTTP/1.1")?.to_owned();
        let headers: Vec<(String, &str)> = lines
            .map(|line| line.split_once(": ").expect("a header"))
            .map(|(name, value)| (name.to_ascii_lowercase(), value))
            .collect();
        let token = headers.iter().find(|(name, _)| name == "authorization");
        let token = token.map_or(String::new(), |(_, token)| format!(" as {token}"));
        let find = |name: &str| {
            let mut found = headers.iter().filter(|(header, _)| header == name);
            let value = found.next().map(|(_, value)| *value);
            assert!(found.next().is_none(), "{name} twice");
            value
        };
        assert!(find("host").is_some(), "HTTP/1.1 wants a host");
        let body = if find("transfer-encoding") == Some("chunked") {
            assert_eq!(find("connection"), Some("close"), "gateway.md 8.1");
            assert_eq!(find("content-length"), None);
            self.open = true;
            let leader = find("grpc-metadata-hasleader");
            match leader {
                Some(_) => "(open, with a leader)",
                None => "(open)",
            }
        } else {
            let length = find("content-length").map_or(0, |length| length.parse().unwrap());
            let body = rest.get(..length)?;
            let line = readable(body);
            let used = text.len() - rest.len() + length;
            self.bytes.drain(..used);
            return Some(format!("{request} {line}").trim_end().to_owned() + &token);
        };
        let used = text.len() - rest.len();
        self.bytes.drain(..used);
        Some(format!("{request} {body}{token}"))
    }
}

/// JSON with its keys and values as text in place of base64.
pub fn readable(json: &str) -> String {
    fn walk(value: &mut Value) {
        match value {
            Value::Object(fields) => {
                for (name, value) in fields {
                    let bytes = ["key", "range_end", "value"].contains(&name.as_str());
                    match value {
                        Value::String(text) if bytes => {
                            let plain = STANDARD.decode(&*text).expect("base64");
                            *text = String::from_utf8_lossy(&plain).into_owned();
                        }
                        value => walk(value),
                    }
                }
            }
            Value::Array(values) => values.iter_mut().for_each(walk),
            _ => {}
        }
    }
    if json.is_empty() {
        return String::new();
    }
    let mut value = serde_json::from_str(json).expect("a request is JSON");
    walk(&mut value);
    value.to_string()
}
