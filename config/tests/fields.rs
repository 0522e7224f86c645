//! Every field of a `Config` can be set, by the name that recordings have for it, and gets there.
//!
//! A recording's first line has each field (`etcd_core::trace`), so a field that came later and is no
//! setting is found here.

use etcd_config::Settings;
use etcd_core::Instant;
use etcd_core::Proxy;
use etcd_core::trace::Recorded;
use etcd_core::trace::Recording;
use serde_json::Map;
use serde_json::Value;

/// What is in that line and is no setting of its own name.
const NO_SETTINGS: [&str; 6] = [
    "now",
    "seed",
    "secret_prefixes",
    "proxy",
    "headers",
    "credentials",
];

/// A configuration as a recording has it.
fn start(settings: &Settings) -> Map<String, Value> {
    let config = settings.config().expect("it can be");
    let mut client = Recorded::new(config, 7, Instant::ZERO);
    client
        .record(Recording::new())
        .expect("nothing happened yet");
    client.finish_log();
    let log = String::from_utf8(client.take_log()).expect("a recording is text");
    let line = log.lines().nth(1).expect("two lines");
    let json = line.strip_prefix("start ").expect("the start");
    serde_json::from_str(json).expect("an object")
}

fn endpoints() -> Settings {
    Settings::from_json(r#"{"endpoints": "a"}"#).expect("they can be")
}

/// What each setting is tried with, and what becomes of it in the recording.
const TRIED: [(&str, &str); 9] = [
    ("b:2", "\"b:2\""),
    ("77ns", "77"),
    ("77", "77"),
    ("false", "false"),
    ("true", "true"),
    ("sticky", "\"sticky\""),
    ("single", "\"single\""),
    ("/v3beta", "\"/v3beta\""),
    ("http://b:1", "[\"http://b:1\"]"),
];

#[test]
fn every_field_is_set_by_its_name() {
    let before = start(&endpoints());
    assert!(before.len() > 50, "{before:?}");
    for (name, default) in &before {
        if NO_SETTINGS.contains(&name.as_str()) {
            continue;
        }
        let changed = TRIED.iter().find_map(|(value, recorded)| {
            let mut given = Settings::default();
            given.set(name, value).ok()?;
            let after = start(&given.or(endpoints()));
            let differs = after.get(name) != Some(default);
            let recorded: Value = serde_json::from_str(recorded).expect("JSON");
            (differs && after[name] == recorded).then_some(after)
        });
        // A namespace is any text, and recordings have it in base64.
        let mut changed = match name.as_str() {
            "namespace" => {
                let given = Settings::from_json(r#"{"namespace": "app/"}"#).unwrap();
                let after = start(&given.or(endpoints()));
                assert_eq!(after[name], Value::from("YXBwLw=="));
                after
            }
            _ => changed.unwrap_or_else(|| panic!("{name} cannot be set")),
        };
        // And nothing else is changed by it.
        changed.insert(name.clone(), default.clone());
        assert_eq!(changed, before, "{name}");
    }
}

#[test]
fn every_setting_is_a_field_or_one_of_a_few_others() {
    let fields = start(&endpoints());
    let others: Vec<&str> = Settings::names()
        .filter(|name| !fields.contains_key(*name))
        .collect();
    assert_eq!(
        others,
        [
            "credentials.user",
            "credentials.password",
            "credentials.token",
            "credentials.over_plain_http",
            "proxy.address",
            "proxy.absolute_form",
            "proxy.user",
            "proxy.password",
            "tls.assumed",
            "tls.cacert",
            "tls.cert",
            "tls.key",
            "tls.server_name",
            "tls.insecure_skip_verify",
        ]
    );
}

#[test]
fn every_setting_has_a_variable_and_a_place_in_a_table() {
    for name in Settings::names() {
        let variable = format!("ETCD_CLIENT_{}", name.replace('.', "_").to_uppercase());
        let mut read = 0;
        for (value, _) in TRIED.iter().chain(&[("X-Mine: x", ""), ("", "")]) {
            let named = Settings::default().set(name, value);
            let from_vars = Settings::from_vars([(&variable, value)]).map(drop);
            if value.is_empty() {
                assert_eq!(from_vars, Ok(()), "{name}");
                continue;
            }
            assert_eq!(named.is_ok(), from_vars.is_ok(), "{name} {value}");
            read += usize::from(named.is_ok());
            if let Err(error) = from_vars {
                // Endpoints have an error of their own.
                assert!(
                    name == "endpoints" || error.to_string().contains(&variable),
                    "{error}"
                );
            }
        }
        assert!(read > 0, "{name}");
        // In tables within tables. A list is no value but of endpoints.
        let nested = name.rsplit('.').fold("[{}]".to_owned(), |inner, part| {
            format!("{{\"{part}\": {inner}}}")
        });
        let error = Settings::from_json(&nested).unwrap_err().to_string();
        assert!(
            error.starts_with(&format!("{name} is a list, but has to be ")),
            "{error}"
        );
        assert_eq!(
            Settings::from_json(&nested.replace("[{}]", "null")).map(drop),
            Ok(())
        );
    }
}

#[test]
fn headers_and_credentials_get_there() {
    let settings = Settings::from_json(
        r#"{"endpoints": "https://a", "headers": {"X-One": "abc"},
            "credentials": {"user": "root", "password": "swordfish"}}"#,
    );
    let start = start(&settings.unwrap());
    assert_eq!(start["headers"].to_string(), r#"[["x-one","xxx"]]"#);
    assert_eq!(start["credentials"]["user"], Value::from("root"));
    assert_eq!(start["credentials"]["password"], Value::from("xxxxxxxxx"));
    let settings = Settings::from_vars([
        ("ETCD_ENDPOINTS", "https://a"),
        ("ETCDCTL_AUTH_JWT_TOKEN", "abc"),
        ("ETCD_CLIENT_HEADERS", "X-One: ab\n\nX-Two:c: d \n"),
        ("ETCD_CLIENT_CREDENTIALS_OVER_PLAIN_HTTP", "1"),
    ]);
    let start = crate::start(&settings.unwrap());
    assert_eq!(start["credentials"]["token"], Value::from("xxx"));
    assert_eq!(start["credentials"]["over_plain_http"], Value::from(true));
    assert_eq!(
        start["headers"].to_string(),
        r#"[["x-one","xx"],["x-two","xxxx"]]"#
    );
}

#[test]
fn a_proxy_gets_there_with_who_asks_it() {
    let whole = r#"{"endpoints": "a", "proxy": {"address": "http://p:1", "absolute_form": true,
        "user": "me", "password": "swordfish"}}"#;
    let settings = Settings::from_json(whole).unwrap();
    let proxy: Proxy = "http://p:1".parse().unwrap();
    let proxy = proxy.with_absolute_form();
    let wanted = proxy.with_credentials("me", "swordfish").unwrap();
    assert_eq!(settings.config().unwrap().proxy, Some(wanted));
    assert!(!format!("{settings:?}").contains("swordfish"));
    for (broken, reason) in [
        (r#"{"user": "me", "password": "p"}"#, "proxy.address"),
        (
            r#"{"address": "http://p:1", "user": "me"}"#,
            "proxy.password",
        ),
        (
            r#"{"address": "http://p:1", "password": "p"}"#,
            "proxy.user",
        ),
        (r#"{"address": "http://p"}"#, "with the port"),
    ] {
        let json = format!(r#"{{"endpoints": "a", "proxy": {broken}}}"#);
        let error = Settings::from_json(&json).unwrap().config().unwrap_err();
        assert!(error.to_string().contains(reason), "{error}");
    }
}
