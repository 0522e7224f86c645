//! Inputs to begin with: the bytes of real servers, and a few made for laws that read none.

use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::fs;
use std::io;
use std::path::Path;

use etcd_core::codec::http1::HttpLimits;
use etcd_core::codec::http1::Item;
use etcd_core::codec::http1::Reader;
use etcd_core::codec::http1::RequestMethod;

use crate::decode::row;

/// No longer seeds: a fuzzer makes its own from short ones.
const MOST_BYTES: usize = 2500;

/// Every seed, by the name of its target and its own, made from a folder of captures
/// (`core/testdata/captures`).
///
/// # Errors
///
/// If the folder cannot be read.
pub fn seeds(captures: &Path) -> io::Result<BTreeMap<(&'static str, String), Vec<u8>>> {
    let mut seeds = BTreeMap::new();
    let mut known = BTreeSet::new();
    let mut add = |target: &'static str, name: &str, front: &[u8], bytes: &[u8]| {
        let seed = [front, bytes].concat();
        if seed.len() <= MOST_BYTES && known.insert((target, seed.clone())) {
            seeds.insert((target, name.to_owned()), seed);
        }
    };
    for version in ["3.4.23", "3.5.16"] {
        let folder = captures.join(version);
        let mut files: Vec<_> = fs::read_dir(&folder)?.collect::<Result<_, _>>()?;
        files.sort_by_key(fs::DirEntry::path);
        for file in files {
            let name = file.file_name().to_string_lossy().into_owned();
            let Some(case) = name
                .strip_suffix(".http")
                .filter(|case| !case.starts_with("ws_"))
            else {
                continue;
            };
            let bytes = fs::read(file.path())?;
            let name = format!("{version}-{case}");
            let Some(end) = bytes.windows(4).position(|four| four == b"\r\n\r\n") else {
                continue;
            };
            let (head, rest) = bytes.split_at(end + 4);
            let body = body(&bytes);
            // One of each kind of head is enough: they differ in their dates.
            match case {
                "put" | "watch_basic" | "err_not_json" | "expect_100" | "snapshot" | "health" => {
                    add("head", &name, &[0, 1], &bytes);
                }
                _ => {}
            }
            if String::from_utf8_lossy(head)
                .to_ascii_lowercase()
                .contains("encoding: chunked")
            {
                add("chunked", &name, &[0, 1], rest);
                add("json", &name, &[0, 1], &body);
            }
            if case.starts_with("watch") {
                add("watch_stream", &name, &[0, 1], &body);
            } else {
                let status = u8::from(!head.starts_with(b"HTTP/1.1 200"));
                let types = type_of(case).and_then(row);
                if let Some(row) = types.filter(|_| status == 0 || version == "3.5.16") {
                    add("decode", &name, &[row, status], &body);
                }
            }
        }
    }
    for (target, name, seed) in MADE {
        add(target, name, &[], seed);
    }
    for (name, seed) in crate::recording::made() {
        add("recording", name, &[], &seed);
    }
    Ok(seeds)
}

/// The call that a case is about, by its name.
fn type_of(case: &str) -> Option<&'static str> {
    let by_start = [
        ("range", "Range"),
        ("get", "Range"),
        ("put", "Put"),
        ("delete", "DeleteRange"),
        ("txn", "Txn"),
        ("compact", "Compact"),
        ("lease_grant", "LeaseGrant"),
        ("lease_revoke", "LeaseRevoke"),
        ("lease_keepalive", "LeaseKeepAlive"),
        ("lease_timetolive", "LeaseTimeToLive"),
        ("lease_leases", "LeaseLeases"),
        ("lease_ttl", "LeaseTimeToLive"),
        ("lease_list", "LeaseLeases"),
        ("status", "StatusRequest"),
        ("version", "VersionRequest"),
        ("health", "HealthRequest"),
        ("err_", "Put"),
    ];
    let found = by_start.iter().find(|(start, _)| case.starts_with(start));
    found.map(|(_, name)| *name)
}

/// The data of the answers' bodies.
fn body(bytes: &[u8]) -> Vec<u8> {
    let mut reader = Reader::new(HttpLimits::default());
    for _ in 0..4 {
        reader.expect(RequestMethod::Other);
    }
    let (mut rest, mut body) = (bytes, Vec::new());
    while let Ok((used, Some(item))) = reader.read(rest) {
        rest = &rest[used..];
        if let Item::Data(data) = item {
            body.extend_from_slice(data);
        }
    }
    body
}

/// A client's programs in the words of `client`, and what the laws about requests and texts take.
const MADE: &[(&str, &str, &[u8])] = &[
    ("client", "put", &[1, 0, 15, 18, 0, 6, 3]),
    (
        "client",
        "put-retried",
        &[1, 0, 15, 18, 0, 0, 3, 14, 15, 18, 0, 6, 0],
    ),
    (
        "client",
        "get-lost",
        &[2, 1, 20, 0, 15, 10, 0, 14, 14, 15, 18, 0, 6, 3],
    ),
    ("client", "renewal", &[3, 2, 15, 19, 0, 20, 0, 7, 0, 9]),
    (
        "client",
        "watch",
        &[
            1, 3, 6, 15, 19, 0, 20, 0, 0, 2, 9, 20, 0, 2, 2, 3, 20, 0, 66, 2, 4, 7, 0, 9, 20, 0, 5,
            2, 9,
        ],
    ),
    (
        "client",
        "watch-resumed",
        &[
            1, 3, 7, 15, 19, 0, 20, 0, 0, 2, 9, 20, 0, 100, 2, 3, 10, 0, 14, 15, 19, 0, 20, 0, 0,
            2, 9, 20, 0, 2, 2, 3,
        ],
    ),
    (
        "client",
        "watch-progress",
        &[
            1, 3, 1, 15, 19, 0, 20, 0, 0, 2, 9, 6, 0, 15, 18, 0, 4, 3, 15, 20, 1, 5, 0, 9, 20, 0,
            6, 2, 9,
        ],
    ),
    (
        "client",
        "bytes",
        b"\x01\x00\x0f\x10\x00\x26HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}",
    ),
    (
        "request",
        "post",
        b"\x01\x06h:2379\x0a/v3/kv/put\x01X\x01y{}",
    ),
    ("request", "get", b"\x00\x01h\x08/version\x01X\x01y"),
    (
        "request",
        "split",
        b"\x01\x06h\r\nX:y\x06/a\r\nb \x01X\x06y\r\nZ: z{}",
    ),
    (
        "classifier",
        "no-leader",
        b"\x01\x2e\x12\x00etcdserver: no leader",
    ),
    ("classifier", "known", b"\x00\xc7\x07\x08\x05"),
    (
        "classifier",
        "nested",
        b"\x00\xc7\x06\x02rpc error: code = Unavailable desc = x",
    ),
    (
        "classifier",
        "text",
        b"\x00\xcb\x00\x07404 page not found\n",
    ),
    ("config", "name", b"http://etcd-1.example:2379"),
    ("config", "v6", b"http://[::1]:2379/"),
    ("config", "secret", b"http://user:secret@h"),
    // What stands before the @ stands behind it as well.
    ("config", "secret-twice", b"secret@secret secret"),
    ("config", "prefix", b"/v3beta"),
    ("base64", "padded", b"Zm9vYg=="),
    ("base64", "loose", b"Zm9vYh=="),
    ("base64", "url", b"-_-_"),
];
