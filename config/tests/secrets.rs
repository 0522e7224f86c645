//! No secret is in the `Debug` of anything or in an error, however broken the text is that it was in.
//!
//! Each place that holds a secret gets a marker. Then whatever comes of the text, whole, cut, altered at
//! each byte or of the wrong type, is searched for pieces of it.

use std::error::Error;
use std::fmt::Debug;

use etcd_config::Settings;
use etcd_config::SettingsError;

/// Every six letters of it that follow each other are in no other word of these tests.
const MARKER: &str = "zq7wXk9vJp3yHb5d";

const PIECE: usize = 6;

#[track_caller]
fn hides(text: &str) {
    for at in 0..=MARKER.len() - PIECE {
        let piece = &MARKER[at..at + PIECE];
        assert!(!text.contains(piece), "{piece} in {text}");
    }
}

#[track_caller]
fn walk(value: &impl Debug) {
    hides(&format!("{value:?}"));
    hides(&format!("{value:#?}"));
}

#[track_caller]
fn walk_error(error: &(dyn Error + 'static)) {
    let mut next = Some(error);
    while let Some(error) = next {
        walk(&error);
        hides(&error.to_string());
        next = error.source();
    }
}

/// Looks at settings and at all that is made of them. Says whether they could be read.
#[track_caller]
fn walk_all(settings: Result<Settings, SettingsError>) -> bool {
    let settings = match settings {
        Ok(settings) => settings,
        Err(error) => {
            walk_error(&error);
            return false;
        }
    };
    walk(&settings);
    walk(&settings.clone().or(settings.clone()));
    match settings.config() {
        Ok(config) => walk(&config),
        Err(error) => walk_error(&error),
    }
    #[cfg(feature = "tls")]
    match settings.tls() {
        Ok(tls) => walk(&tls),
        Err(error) => walk_error(&error),
    }
    true
}

fn json() -> Vec<String> {
    let with = |credentials: &str| {
        format!(
            r#"{{"endpoints": ["http://a:1", "b"], "credentials": {{{credentials}, "over_plain_http": true}},
             "read_timeout": "5s", "headers": {{"X-One": "{MARKER}", "X-Two": "{MARKER}"}},
             "proxy": {{"address": "http://p:1", "user": "me", "password": "{MARKER}"}}}}"#
        )
    };
    vec![
        with(&format!(r#""user": "root", "password": "{MARKER}""#)),
        with(&format!(r#""token": "{MARKER}""#)),
    ]
}

#[cfg(feature = "toml")]
fn toml() -> Vec<String> {
    let with = |credentials: &str| {
        format!(
            "endpoints = [\"http://a:1\", \"b\"]\nread_timeout = \"5s\"\n[credentials]\n{credentials}\n\
             over_plain_http = true\n[headers]\nX-One = \"{MARKER}\"\nX-Two = '{MARKER}'\n\
             [proxy]\naddress = 'http://p:1'\nuser = 'me'\npassword = '{MARKER}'\n"
        )
    };
    vec![
        with(&format!("user = \"root\"\npassword = \"{MARKER}\"")),
        with(&format!("token = '''{MARKER}'''")),
    ]
}

/// The text cut and altered at each byte.
fn broken(text: &str) -> impl Iterator<Item = String> {
    assert!(text.is_ascii());
    (0..text.len()).flat_map(move |at| {
        let (before, rest) = text.split_at(at);
        let behind = &rest[1..];
        let others = [
            "", "\"", "'", "\n", "=", ":", ",", ".", "#", "[", "}", "\\", "\0", "-", "7",
        ];
        let altered = others.map(|other| format!("{before}{other}{behind}"));
        let inserted = others.map(|other| format!("{before}{other}{rest}"));
        let mut all = vec![before.to_owned(), rest.to_owned()];
        all.extend(altered);
        all.extend(inserted);
        all
    })
}

/// Values that no secret can be.
fn wrong_types() -> [String; 6] {
    [
        format!("[\"{MARKER}\"]"),
        format!("[[\"{MARKER}\"], 7]"),
        format!("{{\"a\": \"{MARKER}\"}}"),
        format!("{{\"user\": [\"{MARKER}\"]}}"),
        "7".to_owned(),
        "true".to_owned(),
    ]
}

#[test]
fn no_secret_is_shown_of_json() {
    for whole in json() {
        assert!(walk_all(Settings::from_json(&whole)), "{whole}");
        for text in broken(&whole) {
            walk_all(Settings::from_json(&text));
        }
        for other in wrong_types() {
            let text = whole.replace(&format!("\"{MARKER}\""), &other);
            assert!(!walk_all(Settings::from_json(&text)), "{text}");
        }
    }
    for other in wrong_types().iter().chain(&[format!("\"{MARKER}\"")]) {
        for place in [
            "credentials",
            "headers",
            "tls",
            "limits",
            "credentials.over_plain_http",
        ] {
            let text = format!("{{\"{place}\": {other}}}");
            let fine = place == "headers" && other.contains("{\"a\"")
                || place == "credentials.over_plain_http" && other == "true";
            assert_eq!(walk_all(Settings::from_json(&text)), fine, "{text}");
        }
    }
}

#[cfg(feature = "toml")]
#[test]
fn no_secret_is_shown_of_toml() {
    for whole in toml() {
        assert!(walk_all(Settings::from_toml(&whole)), "{whole}");
        for text in broken(&whole) {
            walk_all(Settings::from_toml(&text));
        }
        for other in wrong_types() {
            let other = other.replace(':', "=");
            let text = whole.replace(&format!("\"{MARKER}\""), &other);
            assert!(!walk_all(Settings::from_toml(&text)), "{text}");
        }
        for quote in ["\"", "'''", "'"] {
            let text = whole.replace(&format!("{quote}{MARKER}{quote}"), MARKER);
            assert_eq!(
                walk_all(Settings::from_toml(&text)),
                text == whole,
                "{text}"
            );
        }
    }
}

#[test]
fn no_secret_is_shown_of_variables() {
    let both = format!("root:{MARKER}");
    let lines = format!("X-One: {MARKER}\nX-Two:{MARKER}");
    let secret = [
        ("ETCDCTL_USER", both.as_str()),
        ("ETCDCTL_PASSWORD", MARKER),
        ("ETCDCTL_AUTH_JWT_TOKEN", MARKER),
        ("ETCD_CLIENT_CREDENTIALS_PASSWORD", MARKER),
        ("ETCD_CLIENT_CREDENTIALS_TOKEN", MARKER),
        ("ETCD_CLIENT_HEADERS", &lines),
    ];
    let with = |more: &[(&str, &str)]| {
        let user = [
            ("ETCD_CLIENT_CREDENTIALS_USER", "root"),
            ("ETCD_ENDPOINTS", "a,b"),
        ];
        let all = user.into_iter().chain(more.iter().copied());
        walk_all(Settings::from_vars(all))
    };
    for (at, one) in secret.iter().enumerate() {
        assert!(with(&[*one]), "{one:?}");
        for other in &secret[at + 1..] {
            with(&[*one, *other]);
        }
        for text in broken(one.1) {
            let mut mine = [*one];
            mine[0].1 = &text;
            with(&mine);
        }
    }
    // What is no header, and what is a setting that says yes or no.
    assert!(!with(&[("ETCD_CLIENT_HEADERS", MARKER)]));
    assert!(!with(&[(
        "ETCD_CLIENT_HEADERS",
        &format!("Bearer {MARKER}: x")
    )]));
    assert!(!with(&[(
        "ETCD_CLIENT_CREDENTIALS_OVER_PLAIN_HTTP",
        MARKER
    )]));
}

#[test]
fn no_password_in_an_endpoint_is_shown() {
    for password in [
        MARKER.to_owned(),
        format!("a,{MARKER}"),
        format!("{MARKER},b"),
        format!("{MARKER}:/?#,{MARKER}"),
    ] {
        for endpoint in [
            format!("http://root:{password}@a:1"),
            format!("b,root:{password}@a"),
            format!("{password}@"),
        ] {
            let text = serde_json::json!({ "endpoints": endpoint }).to_string();
            assert!(!walk_all(Settings::from_json(&text)));
            let text = serde_json::json!({ "endpoints": [endpoint] }).to_string();
            assert!(!walk_all(Settings::from_json(&text)));
            for name in [
                "ETCD_ENDPOINTS",
                "ETCDCTL_ENDPOINTS",
                "ETCD_CLIENT_ENDPOINTS",
            ] {
                assert!(!walk_all(Settings::from_vars([(name, &endpoint)])));
            }
            assert!(!walk_all(
                Settings::default()
                    .set("endpoints", &endpoint)
                    .map(|()| Settings::default())
            ));
        }
    }
}

#[test]
fn a_key_that_stands_where_its_file_belongs_is_not_shown() {
    for key in [
        format!("-----BEGIN PRIVATE KEY-----\n{MARKER}\n-----END PRIVATE KEY-----\n"),
        format!("-----BEGIN PRIVATE KEY----- {MARKER}"),
        format!("\n{MARKER}"),
    ] {
        for name in [
            "ETCDCTL_KEY",
            "ETCDCTL_CERT",
            "ETCDCTL_CACERT",
            "ETCD_CLIENT_TLS_KEY",
        ] {
            assert!(!walk_all(Settings::from_vars([(name, &key)])));
        }
    }
}

#[cfg(feature = "tls")]
#[test]
fn no_contents_of_files_are_shown() {
    let made = rcgen::generate_simple_self_signed(["a".to_owned()]).unwrap();
    let (cert, key) = (made.cert.pem(), made.signing_key.serialize_pem());
    let secret = key.lines().nth(1).expect("a line of the key").to_owned();
    let folder = std::env::temp_dir().join(format!("etcd-config-secrets-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    let path = |name: &str| folder.join(name).to_str().expect("a text").to_owned();
    let damaged = key.replacen("BEGIN PRIVATE", "BEGIN A PRIVATE", 1);
    let contents = [
        cert,
        key.clone(),
        damaged,
        MARKER.to_owned(),
        format!("-----BEGIN CERTIFICATE-----\n{MARKER}"),
    ];
    let names: Vec<String> = (0..contents.len())
        .map(|at| path(&at.to_string()))
        .collect();
    for (name, content) in names.iter().zip(&contents) {
        std::fs::write(name, content).unwrap();
    }
    let mut works = 0;
    for cacert in &names {
        for cert in &names {
            for key in &names {
                let settings = Settings::from_vars([
                    ("ETCDCTL_ENDPOINTS", "a"),
                    ("ETCDCTL_CACERT", cacert),
                    ("ETCDCTL_CERT", cert),
                    ("ETCDCTL_KEY", key),
                ]);
                let settings = settings.unwrap();
                works += usize::from(settings.tls().is_ok());
                assert!(walk_all(Ok(settings.clone())));
                let shown = match settings.tls() {
                    Ok(tls) => format!("{tls:?}"),
                    Err(error) => format!("{error} {error:?}"),
                };
                assert!(!shown.contains(&secret[..PIECE * 2]), "{shown}");
            }
        }
    }
    assert_eq!(works, 1);
    std::fs::remove_dir_all(&folder).unwrap();
}
