//! The one-way rule and the purity of the core, read from its sources.
//!
//! What a module may name is the table below, which is the picture of ARCHITECTURE.md; nothing points
//! up. What no module may touch is the list after it. Code under `#[cfg(test)]` and comments
//! are not looked at.

use std::fs;
use std::path::Path;

/// What each module may name of ours, itself apart.
const MAY_NAME: [(&str, &[&str]); 14] = [
    // Bugs on purpose, which are anywhere.
    ("planted", &[]),
    ("time", &[]),
    ("rng", &[]),
    ("id", &[]),
    ("buf", &[]),
    ("error", &[]),
    ("dial", &["time", "error"]),
    ("api", FLOOR),
    ("recipes", &["api", "time", "rng", "id", "error"]),
    ("codec", FLOOR),
    (
        "wire",
        &[
            "api", "codec", "time", "rng", "id", "buf", "error", "planted",
        ],
    ),
    (
        "conn",
        &["wire", "time", "rng", "id", "buf", "error", "planted"],
    ),
    (
        "client",
        &[
            "dial", "conn", "wire", "api", "codec", "time", "rng", "id", "buf", "error", "planted",
        ],
    ),
    ("trace", &["client", "api", "codec", "time", "id", "error"]),
];

const FLOOR: &[&str] = &["time", "rng", "id", "buf", "error", "planted"];

/// Of the codec the client names its limits, which are part of its configuration, and nothing else.
const CODEC_FOR_CLIENT: [&str; 2] = [
    "crate::codec::http1::HttpLimits",
    "crate::codec::json::JsonLimits",
];

/// What no module may touch, and the one that may.
const IMPURE: [(&str, Option<&str>); 21] = [
    ("std::net", None),
    ("std::fs", None),
    ("std::thread", None),
    ("std::env", None),
    ("std::process", None),
    ("std::os", None),
    ("std::sync", None),
    ("std::time", None),
    ("std::io", Some("error/close.rs")),
    ("SystemTime", None),
    ("HashMap", None),
    ("HashSet", None),
    ("RandomState", None),
    ("TcpStream", None),
    ("UdpSocket", None),
    ("println!", None),
    ("eprintln!", None),
    ("dbg!", None),
    ("unsafe ", None),
    (".unwrap()", None),
    ("include_str!", None),
];

#[test]
fn every_module_names_only_what_is_below_it() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut files = Vec::new();
    collect(&root, &mut files);
    assert!(files.len() > 40, "{} files", files.len());
    let mut broken = Vec::new();
    for path in files {
        let name = path.strip_prefix(&root).expect("below the root");
        let name = name.to_str().expect("names are plain").replace('\\', "/");
        if name == "lib.rs"
            || name
                .split('/')
                .any(|part| part.trim_end_matches(".rs") == "tests")
        {
            continue;
        }
        let source = fs::read_to_string(&path).expect("a source");
        broken.extend(check(&name, &source));
    }
    assert!(broken.is_empty(), "\n{}\n", broken.join("\n"));
}

fn collect(folder: &Path, files: &mut Vec<std::path::PathBuf>) {
    for entry in fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            collect(&path, files);
        } else if path.extension().is_some_and(|end| end == "rs") {
            files.push(path);
        }
    }
}

/// Every rule a file breaks, one line each.
fn check(file: &str, source: &str) -> Vec<String> {
    let module = file
        .split('/')
        .next()
        .unwrap_or(file)
        .trim_end_matches(".rs");
    let Some((_, allowed)) = MAY_NAME.iter().find(|(name, _)| *name == module) else {
        return vec![format!(
            "{file}: module {module} has no place in the one-way rule"
        )];
    };
    let code = plain_code(source);
    let mut broken = Vec::new();
    for (line, text) in code.lines().enumerate() {
        let mut say = |what: String| broken.push(format!("{file}:{}: {what}", line + 1));
        for named in named_modules(text, file) {
            if named != module && !allowed.contains(&named.as_str()) {
                say(format!("{module} names {named}"));
            }
            let limits = CODEC_FOR_CLIENT.iter().any(|limits| text.contains(limits));
            if module == "client" && named == "codec" && !limits {
                say("client names more of codec than its limits".to_owned());
            }
        }
        for (impure, but) in IMPURE {
            if text.contains(impure) && but != Some(file) {
                say(format!("{} is not for the core", impure.trim()));
            }
        }
        if text.contains("std::io")
            && !text.contains("io::Error")
            && !text.contains("io::ErrorKind")
        {
            say("of std::io only the errors".to_owned());
        }
    }
    broken
}

/// The top modules of ours that a line names: `crate::wire::…`, `crate::{wire, api}` and paths of
/// `super` that lead out of the module.
fn named_modules(text: &str, file: &str) -> Vec<String> {
    let identifier = |text: &str| -> String {
        let letters = text
            .chars()
            .take_while(|c| c.is_alphanumeric() || *c == '_');
        letters.collect()
    };
    let mut named = Vec::new();
    for prefix in ["crate::", "pub(in crate::"] {
        for (at, _) in text.match_indices(prefix) {
            let whole = at == 0 || !text[..at].ends_with(|c: char| c.is_alphanumeric() || c == '_');
            let rest = &text[at + prefix.len()..];
            if let Some(list) = rest.strip_prefix('{') {
                named.extend(list.split([',', '}']).map(|part| identifier(part.trim())));
            } else if whole {
                named.push(identifier(rest));
            }
        }
    }
    // From `a/b.rs`, two `super`s lead to the top; from `a/mod.rs`, one does.
    let parts: Vec<&str> = file.trim_end_matches(".rs").split('/').collect();
    let depth = parts.len() - usize::from(parts.last() == Some(&"mod"));
    let mut rest = text;
    while let Some(at) = rest.find("super::") {
        let mut path = &rest[at..];
        let mut ups = 0;
        while let Some(after) = path.strip_prefix("super::") {
            ups += 1;
            path = after;
        }
        if ups >= depth {
            named.push(identifier(path));
        }
        rest = path;
    }
    named.retain(|name| !name.is_empty() && name.starts_with(char::is_lowercase) && name != "self");
    named
}

/// The source without comments, texts and what is only for tests; lines stay where they are.
fn plain_code(source: &str) -> String {
    let mut code = String::new();
    // While inside of an item for tests: how many braces are open, once the first came.
    let mut test_item: Option<(i64, bool)> = None;
    for line in source.lines() {
        let mut text = String::new();
        let mut rest = line;
        // Texts go, so that neither `//` nor a brace in one counts.
        while let Some(at) = rest.find('"') {
            if rest[..at].contains("//") || rest[..at].ends_with('\'') {
                break;
            }
            text += &rest[..at];
            let tail = &rest[at + 1..];
            let mut escaped = false;
            let end = tail.find(|c: char| {
                let ends = c == '"' && !escaped;
                escaped = c == '\\' && !escaped;
                ends
            });
            rest = end.map_or("", |end| &tail[end + 1..]);
        }
        text += rest;
        let text = text.split("//").next().unwrap_or_default();
        if text.trim_start().starts_with("#[cfg(test)]") {
            test_item = Some((0, false));
        }
        match &mut test_item {
            Some((open, begun)) => {
                for letter in text.chars() {
                    match letter {
                        '{' => (*open, *begun) = (*open + 1, true),
                        '}' => *open -= 1,
                        ';' if !*begun => *begun = true,
                        _ => {}
                    }
                }
                if *begun && *open <= 0 {
                    test_item = None;
                }
            }
            None => code += text,
        }
        code.push('\n');
    }
    code
}

#[test]
fn a_forbidden_name_is_found() {
    for (file, source, what) in [
        (
            "codec/json/split.rs",
            "use crate::api::Watch;",
            "codec names api",
        ),
        (
            "api/kv.rs",
            "use crate::wire::gateway::Gateway;",
            "api names wire",
        ),
        (
            "wire/unary.rs",
            "use crate::client::Config;",
            "wire names client",
        ),
        (
            "wire/gateway/mod.rs",
            "use crate::conn::Conn;",
            "wire names conn",
        ),
        ("conn/mod.rs", "use crate::api::Watch;", "conn names api"),
        (
            "conn/mod.rs",
            "use super::client::Client;",
            "conn names client",
        ),
        ("time.rs", "use crate::rng::Rng;", "time names rng"),
        (
            "error/mod.rs",
            "fn f() -> crate::api::Rpc {",
            "error names api",
        ),
        (
            "error/close.rs",
            "use super::super::api::Rpc;",
            "error names api",
        ),
        ("id.rs", "use super::api::Rpc;", "id names api"),
        (
            "codec/mod.rs",
            "use crate::{error, wire};",
            "codec names wire",
        ),
        (
            "client/calls/mod.rs",
            "use crate::codec::http1::Reader;",
            "more of codec than its limits",
        ),
        (
            "client/calls/mod.rs",
            "use std::net::TcpStream;",
            "std::net",
        ),
        (
            "client/mod.rs",
            "let now = std::time::Instant::now();",
            "std::time",
        ),
        ("client/mod.rs", "use std::collections::HashMap;", "HashMap"),
        (
            "wire/watch.rs",
            "let id = ids.first().unwrap();",
            ".unwrap()",
        ),
        ("wire/watch.rs", "println!(\"{id}\");", "println!"),
        ("buf.rs", "use std::io::Error;", "std::io"),
        ("error/close.rs", "use std::io::Read;", "only the errors"),
        ("sockets.rs", "", "no place"),
        (
            "recipes/pages.rs",
            "use crate::client::Client;",
            "recipes names client",
        ),
        (
            "client/mod.rs",
            "use crate::recipes::Pages;",
            "client names recipes",
        ),
        (
            "client/mod.rs",
            "use crate::trace::Recorded;",
            "client names trace",
        ),
        (
            "trace/replay.rs",
            "use crate::wire::Wire;",
            "trace names wire",
        ),
        (
            "conn/mod.rs",
            "let a = \"//\"; use crate::client::Client;",
            "conn names client",
        ),
        (
            "conn/mod.rs",
            "#[cfg(test)]\nmod tests;\nuse crate::client::Client;",
            "conn names client",
        ),
        (
            "conn/mod.rs",
            "#[cfg(test)]\nmod a {\n}\nuse crate::client::Client;",
            ":4: conn names client",
        ),
    ] {
        let broken = check(file, source).join("\n");
        assert!(broken.contains(what), "{source:?} gives {broken:?}");
    }
}

#[test]
fn what_is_allowed_is_not_found() {
    for (file, source) in [
        ("client/config.rs", "use crate::codec::http1::HttpLimits;"),
        (
            "client/calls/mod.rs",
            "use super::retry::Class;\nuse crate::wire::Ask;",
        ),
        (
            "client/watch/mod.rs",
            "use super::output::Event;\nuse super::super::Client;",
        ),
        ("error/close.rs", "Status(super::Status),"),
        (
            "error/close.rs",
            "impl From<&std::io::Error> for NetError {",
        ),
        ("error/close.rs", "use std::io::ErrorKind;"),
        (
            "api/kv.rs",
            "// crate::client is above\n/// use crate::client::Client;",
        ),
        (
            "api/kv.rs",
            "#[cfg(test)]\nmod tests {\n    use crate::client::Client;\n    f().unwrap();\n}",
        ),
        (
            "codec/mod.rs",
            "let text = \"crate::api println! .unwrap()\";",
        ),
    ] {
        assert_eq!(check(file, source), [""; 0], "{source:?}");
    }
}
