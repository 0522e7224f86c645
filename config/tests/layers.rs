//! What is stronger than what, and what variables mean.

use std::ffi::OsStr;
use std::time::Duration;

use etcd_config::Settings;
use etcd_config::SettingsError;
use etcd_core::ConfigError;

fn json(json: &str) -> Settings {
    Settings::from_json(json).expect("it can be")
}

fn vars(vars: &[(&str, &str)]) -> Settings {
    Settings::from_vars(vars.iter().copied()).expect("they can be")
}

#[track_caller]
fn refused(vars: &[(&str, &str)], error: &str) {
    let found = Settings::from_vars(vars.iter().copied()).expect_err("it cannot be");
    assert_eq!(found.to_string(), error);
}

fn endpoints(settings: &Settings) -> Vec<String> {
    let config = settings.config().expect("it can be");
    config.endpoints.iter().map(ToString::to_string).collect()
}

#[test]
fn the_first_of_two_layers_is_stronger() {
    let strong = json(r#"{"endpoints": ["a"], "limits": {"calls": 1}}"#);
    let weak = json(r#"{"endpoints": ["b", "c"], "limits": {"calls": 2, "waits": 3}}"#);
    let both = strong.clone().or(weak.clone());
    assert_eq!(endpoints(&both), ["http://a:2379"]);
    let limits = both.config().unwrap().limits;
    assert_eq!((limits.calls, limits.waits), (1, 3));
    let limits = weak.or(strong).config().unwrap().limits;
    assert_eq!((limits.calls, limits.waits), (2, 3));
    // Nothing is nothing.
    let both =
        json(r#"{"max_attempts": null}"#).or(json(r#"{"max_attempts": 3, "endpoints": "a"}"#));
    assert_eq!(both.config().unwrap().max_attempts, 3);
}

#[test]
fn headers_are_put_over_each_other_one_by_one() {
    let strong = json(r#"{"headers": {"X-One": "strong"}}"#);
    let weak = json(r#"{"headers": {"x-one": "weak", "X-Two": "weak"}}"#);
    let shown = format!("{:?}", strong.or(weak));
    assert_eq!(shown, "{headers.X-One: (hidden), headers.X-Two: (hidden)}");
}

#[test]
fn credentials_of_two_layers_are_not_mixed_up() {
    let user = json(r#"{"credentials": {"user": "u", "password": "p"}}"#);
    let token = json(r#"{"credentials": {"token": "t"}}"#);
    let other = json(r#"{"credentials": {"user": "other"}}"#);
    let same = json(r#"{"credentials": {"user": "u"}}"#);
    let password = json(r#"{"credentials": {"password": "p"}}"#);
    for (strong, weak, shown) in [
        (&token, &user, "{credentials.token: (hidden)}"),
        (
            &user,
            &token,
            "{credentials.user: \"u\", credentials.password: (hidden)}",
        ),
        (&other, &user, "{credentials.user: \"other\"}"),
        (
            &same,
            &user,
            "{credentials.user: \"u\", credentials.password: (hidden)}",
        ),
        (
            &other,
            &password,
            "{credentials.user: \"other\", credentials.password: (hidden)}",
        ),
        (
            &password,
            &user,
            "{credentials.user: \"u\", credentials.password: (hidden)}",
        ),
    ] {
        assert_eq!(format!("{:?}", strong.clone().or(weak.clone())), shown);
    }
    let endpoints = json(r#"{"endpoints": "a"}"#);
    for (settings, error) in [
        (
            &other,
            "credentials.user needs credentials.password beside it",
        ),
        (
            &password,
            "credentials.password needs credentials.user beside it",
        ),
        (
            &json(r#"{"credentials": {"user": "u", "token": "t"}}"#),
            "credentials.user and credentials.token cannot both be set",
        ),
        (
            &json(r#"{"credentials": {"password": "p", "token": "t"}}"#),
            "credentials.password and credentials.token cannot both be set",
        ),
    ] {
        let found = settings.clone().or(endpoints.clone()).config().unwrap_err();
        assert_eq!(found.to_string(), error);
    }
}

#[test]
fn an_allowance_for_plain_http_goes_with_the_credentials_it_was_for() {
    let allowed = |credentials: &str| {
        json(&format!(
            r#"{{"endpoints": "10.0.0.1", "credentials": {{{credentials}, "over_plain_http": true}}}}"#
        ))
    };
    let user = allowed(r#""user": "u", "password": "p""#);
    let token = allowed(r#""token": "t""#);
    for (strong, weak, is_allowed) in [
        (r#""user": "u", "password": "new""#, &user, true),
        (r#""password": "new""#, &user, true),
        (r#""user": "other", "password": "p""#, &user, false),
        (r#""token": "t""#, &user, false),
        (r#""token": "new""#, &token, false),
        (r#""user": "u", "password": "p""#, &token, false),
    ] {
        let strong = json(&format!(r#"{{"credentials": {{{strong}}}}}"#));
        let config = strong.or(weak.clone()).config();
        assert_eq!(config.is_ok(), is_allowed, "{config:?}");
    }
}

#[test]
fn credentials_stay_off_plain_http_unless_that_is_allowed() {
    let given = |endpoint: &str, more: &str| {
        let text =
            format!(r#"{{"endpoints": "{endpoint}", "credentials": {{"token": "t"{more}}}}}"#);
        json(&text).config().is_ok()
    };
    assert!(!given("10.0.0.1", ""));
    assert!(!given("10.0.0.1", r#", "over_plain_http": false"#));
    assert!(given("10.0.0.1", r#", "over_plain_http": true"#));
    assert!(given("127.0.0.1", "") && given("https://10.0.0.1", ""));
}

#[test]
fn variables_for_this_client_are_stronger_than_those_for_all_and_for_etcdctl() {
    let mut all = vec![
        ("ETCDCTL_ENDPOINTS", "ctl1,ctl2"),
        ("ETCD_ENDPOINTS", "common"),
        ("ETCD_CLIENT_ENDPOINTS", "client, http://other:7"),
    ];
    assert_eq!(
        endpoints(&vars(&all)),
        ["http://client:2379", "http://other:7"]
    );
    // In whichever order they come.
    all.reverse();
    assert_eq!(
        endpoints(&vars(&all)),
        ["http://client:2379", "http://other:7"]
    );
    assert_eq!(endpoints(&vars(&all[1..])), ["http://common:2379"]);
    assert_eq!(
        endpoints(&vars(&all[2..])),
        ["http://ctl1:2379", "http://ctl2:2379"]
    );
    // An empty one is none.
    let empty = [("ETCD_CLIENT_ENDPOINTS", ""), ("ETCDCTL_ENDPOINTS", "ctl")];
    assert_eq!(endpoints(&vars(&empty)), ["http://ctl:2379"]);
}

#[test]
fn variables_of_etcdctl_set_what_they_set_there() {
    let config = vars(&[
        ("ETCDCTL_ENDPOINTS", "https://a"),
        ("ETCDCTL_USER", "root:sword:fish"),
        ("ETCDCTL_DIAL_TIMEOUT", "1s"),
        ("ETCDCTL_COMMAND_TIMEOUT", "1m1.5s"),
        ("ETCDCTL_KEEPALIVE_TIME", "3s"),
        ("ETCDCTL_KEEPALIVE_TIMEOUT", "4s"),
        ("ETCDCTL_MAX_REQUEST_BYTES", "0"),
        ("ETCDCTL_MAX_RECV_BYTES", "77"),
        ("ETCDCTL_API", "3"),
        ("ETCDCTL_DEBUG", "true"),
        ("ETCDCTL_HEX", "anything"),
        ("ETCDCTL_WRITE_OUT", "table"),
        ("ETCDCTL_WATCH_KEY", "k"),
        ("ETCDCTL_WATCH_RANGE_END", "l"),
        ("ETCDCTL_INSECURE_DISCOVERY", "true"),
        ("ETCDCTL_INSECURE_TRANSPORT", "true"),
    ]);
    assert!(format!("{config:?}").contains("credentials.user: \"root\""));
    let config = config.config().unwrap();
    let seconds = Duration::from_secs_f64;
    assert_eq!(config.connect_timeout, seconds(1.0));
    assert_eq!(config.read_timeout, seconds(61.5));
    assert_eq!(config.write_timeout, seconds(61.5));
    assert_eq!(config.watch_idle_timeout, seconds(3.0));
    assert_eq!(config.watch_probe_timeout, seconds(4.0));
    assert_eq!(config.limits.request_bytes, 16 << 20);
    assert_eq!(config.limits.body_bytes, 77);
}

#[test]
fn a_password_of_its_own_leaves_the_user_whole() {
    let shown = |given: &[(&str, &str)]| format!("{:?}", vars(given));
    assert_eq!(
        shown(&[("ETCDCTL_PASSWORD", "p"), ("ETCDCTL_USER", "a:b")]),
        "{credentials.user: \"a:b\", credentials.password: (hidden)}"
    );
    assert_eq!(shown(&[("ETCDCTL_USER", "a")]), "{credentials.user: \"a\"}");
}

#[test]
fn endpoints_without_a_scheme_are_with_tls_where_tls_is_set_up() {
    let scheme = |given: &[(&str, &str)]| {
        let bare = vars(&[("ETCD_ENDPOINTS", "a,http://b,https://c")]);
        endpoints(&vars(given).or(bare))
    };
    let plain = ["http://a:2379", "http://b:2379", "https://c:2379"];
    let tls = ["https://a:2379", "http://b:2379", "https://c:2379"];
    assert_eq!(scheme(&[]), plain);
    assert_eq!(scheme(&[("ETCDCTL_INSECURE_TRANSPORT", "true")]), plain);
    if cfg!(feature = "tls") {
        assert_eq!(scheme(&[("ETCDCTL_INSECURE_TRANSPORT", "false")]), tls);
        assert_eq!(
            scheme(&[("ETCDCTL_INSECURE_SKIP_TLS_VERIFY", "false")]),
            plain
        );
        assert_eq!(scheme(&[("ETCDCTL_INSECURE_SKIP_TLS_VERIFY", "true")]), tls);
        for name in [
            "ETCDCTL_CACERT",
            "ETCDCTL_CERT",
            "ETCDCTL_KEY",
            "ETCD_CLIENT_TLS_SERVER_NAME",
        ] {
            assert_eq!(scheme(&[(name, "x")]), tls, "{name}");
            let not = ("ETCD_CLIENT_TLS_ASSUMED", "false");
            assert_eq!(scheme(&[(name, "x"), not]), plain, "{name}");
        }
    } else {
        let error = vars(&[("ETCDCTL_CACERT", "x"), ("ETCD_ENDPOINTS", "a")]).config();
        let text = error.unwrap_err().to_string();
        assert!(text.starts_with("tls cannot be used: "), "{text}");
    }
}

#[test]
fn what_cannot_be_had_is_refused_with_the_reason() {
    refused(
        &[("ETCDCTL_API", "2")],
        "ETCDCTL_API cannot be used: version 3 of etcd's API is spoken alone",
    );
    refused(
        &[("ETCDCTL_DISCOVERY_SRV", "example.org")],
        "ETCDCTL_DISCOVERY_SRV cannot be used: endpoints are not looked up in DNS; name them",
    );
    refused(
        &[("ETCDCTL_INSECURE_TRANSPORT", "yes")],
        "ETCDCTL_INSECURE_TRANSPORT is a text, but has to be true or false",
    );
}

#[test]
fn unknown_variables_are_refused_with_the_nearest_name() {
    for (name, nearest) in [
        ("ETCDCTL_CACRT", "ETCDCTL_CACERT"),
        ("ETCDCTL_ENDPOINT", "ETCDCTL_ENDPOINTS"),
        ("ETCDCTL_DIALTIMEOUT", "ETCDCTL_DIAL_TIMEOUT"),
        ("ETCD_CLIENT_READ_TIMOUT", "ETCD_CLIENT_READ_TIMEOUT"),
        ("ETCD_CLIENT_LIMIT_CALLS", "ETCD_CLIENT_LIMITS_CALLS"),
    ] {
        refused(
            &[(name, "x")],
            &format!("no setting {name:?}, did you mean {nearest:?}?"),
        );
    }
    refused(
        &[("ETCDCTL_COLOUR_OF", "x")],
        "no setting \"ETCDCTL_COLOUR_OF\"",
    );
}

#[test]
fn variables_of_others_are_not_looked_at() {
    let others = [
        ("ETCD_NAME", "x"),
        ("ETCD_READ_TIMEOUT", "x"),
        ("ETCD_CLIENT", "x"),
        ("ETCD_CLIENT_", "x"),
        ("ETCD_CLIENT_CERT_AUTH", "true"),
        ("ETCD_CLIENT_CERT_FILE", "x"),
        // A Kubernetes service of the name etcd-client.
        ("ETCD_CLIENT_SERVICE_HOST", "10.0.0.1"),
        ("ETCD_CLIENT_SERVICE_PORT_CLIENT", "2379"),
        ("ETCD_CLIENT_PORT", "tcp://10.0.0.1:2379"),
        ("ETCD_CLIENT_PORT_2379_TCP_ADDR", "10.0.0.1"),
        ("etcdctl_endpoints", "x"),
        ("PATH", "x"),
    ];
    assert_eq!(format!("{:?}", vars(&others)), "{}");
}

#[cfg(unix)]
#[test]
fn a_variable_that_is_no_text_matters_only_if_it_is_ours() {
    use std::os::unix::ffi::OsStrExt;

    let odd = OsStr::from_bytes(b"\xff");
    let foreign = [(OsStr::new("PATH"), odd), (odd, OsStr::new("x"))];
    assert!(Settings::from_vars(foreign).is_ok());
    let error = Settings::from_vars([(OsStr::new("ETCDCTL_USER"), odd)]).unwrap_err();
    assert_eq!(
        error.to_string(),
        "ETCDCTL_USER is not UTF-8, but has to be a text"
    );
}

#[test]
fn mistakes_are_named_with_their_place() {
    for (text, error) in [
        (
            r#"{"read_timout": 1}"#,
            "no setting \"read_timout\", did you mean \"read_timeout\"?",
        ),
        (
            r#"{"limits": {"cals": 1}}"#,
            "no setting \"limits.cals\", did you mean \"limits.calls\"?",
        ),
        (
            r#"{"limits": {"http": {"head_byte": 1}}}"#,
            "no setting \"limits.http.head_byte\", did you mean \"limits.http.head_bytes\"?",
        ),
        (
            r#"{"limts": {"calls": 1}}"#,
            "no setting \"limts\", did you mean \"limits\"?",
        ),
        (
            r#"{"pasword": "x"}"#,
            "no setting \"pasword\", did you mean \"credentials.password\"?",
        ),
        (
            r#"{"head_bytes": 1}"#,
            "no setting \"head_bytes\", did you mean \"limits.http.head_bytes\"?",
        ),
        (
            r#"{"read_timeout": {"a": 1}, "": 1}"#,
            "read_timeout is a table, but has to be a duration such as \
            \"250ms\", \"5s\" or \"1m30s\", of the units ns, us, ms, s, m and h, or a number of seconds",
        ),
        (r#"{"": {"read_timeout": 1}}"#, "no setting \"\""),
        (r#"{"limits.": 1}"#, "no setting \"limits.\""),
        (r#"{"colour\nof": 1}"#, "no setting \"colour\\nof\""),
        (
            r#"{"limits": 7}"#,
            "limits is a number, but has to be a table of settings",
        ),
        (
            "[]",
            "the whole is a list, but has to be a table of settings",
        ),
        (
            "null",
            "the whole is null, but has to be a table of settings",
        ),
        (
            r#"{"max_attempts": 1, "max_attempts": 2}"#,
            "not JSON at line 1, column 38: \"max_attempts\" is there twice",
        ),
        (
            r#"{"limits": {"calls": 1}, "limits.calls": 2}"#,
            "\"limits.calls\" is there twice",
        ),
        (
            r#"{"headers": {"X-A": "1", "x-a": "2"}}"#,
            "\"headers.x-a\" is there twice",
        ),
        (
            r#"{"headers": {"Content-Length": "1"}}"#,
            "header \"Content-Length\" cannot be sent",
        ),
        (
            r#"{"max_attempts": -1}"#,
            "max_attempts is -1, but has to be a whole number from 0 to 4294967295",
        ),
        (
            r#"{"max_attempts": 4294967296}"#,
            "max_attempts is 4294967296, but has to be a whole number from 0 to 4294967295",
        ),
        (
            r#"{"max_attempts": 1.5}"#,
            "max_attempts is 1.5, but has to be a whole number from 0 to 4294967295",
        ),
        (
            r#"{"notices": "true"}"#,
            "notices is \"true\", but has to be true or false",
        ),
        (
            r#"{"watch_carrier": "pigeon"}"#,
            "watch_carrier is \"pigeon\", but has to be one of \"shared\" and \"single\"",
        ),
        (
            r#"{"api_prefix": "v3"}"#,
            "api_prefix is \"v3\", but has to be of the form \"/v3\"",
        ),
        (
            r#"{"token_ttl": -1}"#,
            "token_ttl is -1, but has to be a duration that is not negative",
        ),
        (
            r#"{"token_ttl": 1e-10}"#,
            "token_ttl is 0.0000000001, but has to be a duration of whole nanoseconds",
        ),
        (
            r#"{"token_ttl": 1e300}"#,
            &format!(
                "token_ttl is 1{}, but has to be a duration of fewer than 2^64 seconds",
                "0".repeat(300)
            ),
        ),
        (
            r#"{"tls": {"key": "-----BEGIN PRIVATE KEY-----\nabc"}}"#,
            "tls.key is what such a file has in it, but has to be the path of a file",
        ),
        (
            r#"{"endpoints": ["file://a"]}"#,
            "endpoint \"file://a\" has a scheme that is not supported, use http:// or https://",
        ),
        (
            r#"{"endpoints": "a,"}"#,
            "endpoint \"\" is not usable: the host is empty or has characters no host has",
        ),
        (
            r#"{"endpoints": [7]}"#,
            "endpoints is a list, but has to be a list of endpoints such as \"http://10.0.0.1:2379\", \
            or one text with commas between them",
        ),
        (
            "{\n  \"notices\": trx\n}",
            "not JSON at line 2, column 16: expected ident",
        ),
    ] {
        let found = Settings::from_json(text).unwrap_err().to_string();
        assert_eq!(found, error, "{text}");
    }
}

#[test]
fn numbers_of_seconds_are_exact() {
    for (text, expected) in [
        ("0.1", Duration::from_millis(100)),
        ("2.3", Duration::from_millis(2300)),
        ("5", Duration::from_secs(5)),
        ("0.000000001", Duration::from_nanos(1)),
        ("\"0.1\"", Duration::from_millis(100)),
    ] {
        let settings = json(&format!(r#"{{"endpoints": "a", "token_ttl": {text}}}"#));
        assert_eq!(settings.config().unwrap().token_ttl, expected, "{text}");
    }
}

#[test]
fn without_endpoints_there_is_no_configuration() {
    let error = Settings::default().config().unwrap_err();
    assert_eq!(error, SettingsError::Config(ConfigError::NoEndpoints));
    let none = json(r#"{"endpoints": []}"#);
    assert_eq!(none.config().unwrap_err(), error);
}

#[cfg(feature = "toml")]
#[test]
fn toml_says_the_same_as_json() {
    let toml = "endpoints = 'a'\nlimits.calls = 7\nread_timeout = 1.5\n[retry_budget]\nburst = 3\n\
                [headers]\nX-One = 'x'\n";
    let toml = Settings::from_toml(toml).unwrap();
    let json = json(
        r#"{"endpoints": "a", "limits": {"calls": 7}, "read_timeout": 1.5,
            "retry_budget": {"burst": 3}, "headers": {"X-One": "x"}}"#,
    );
    assert_eq!(format!("{toml:?}"), format!("{json:?}"));
    for (text, error) in [
        (
            "read_timout = 1",
            "no setting \"read_timout\", did you mean \"read_timeout\"?",
        ),
        (
            "read_timeout = 1979-05-27",
            "read_timeout is a date or time, but has to be a duration such as",
        ),
        (
            "a = 1\na = 2",
            "not TOML at line 2, column 1: duplicate key",
        ),
        (
            "\nread_timeout = nan",
            "read_timeout is NaN, but has to be a duration such as",
        ),
    ] {
        let found = Settings::from_toml(text).unwrap_err().to_string();
        assert!(found.starts_with(error), "{found}");
    }
}

#[test]
fn settings_are_a_field_of_a_programs_own() {
    #[derive(serde::Deserialize)]
    struct Program {
        name: String,
        etcd: Settings,
    }

    let text = r#"{"name": "p", "etcd": {"endpoints": "a", "max_attempts": 3}}"#;
    let program: Program = serde_json::from_str(text).unwrap();
    assert_eq!(program.name, "p");
    assert_eq!(program.etcd.config().unwrap().max_attempts, 3);
    let error = serde_json::from_str::<Program>(&text.replace("max_attempts", "max_atempts"));
    let error = error.err().unwrap().to_string();
    assert!(error.contains("did you mean \"max_attempts\"?"), "{error}");
}
