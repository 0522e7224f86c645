//! What becomes of the settings of TLS.

use std::fs;
use std::path::PathBuf;
use std::process;

use etcd_config::Settings;
use etcd_config::SettingsError;

/// Files that are gone with it.
struct Files {
    folder: PathBuf,
}

impl Files {
    fn new(name: &str) -> Self {
        let folder = std::env::temp_dir().join(format!("etcd-config-{name}-{}", process::id()));
        fs::create_dir_all(&folder).expect("a folder for files");
        Self { folder }
    }

    fn write(&self, name: &str, text: &str) -> String {
        let path = self.folder.join(name);
        fs::write(&path, text).expect("a file");
        path.to_str().expect("a path that is text").to_owned()
    }
}

impl Drop for Files {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.folder);
    }
}

fn settings(of_tls: &str) -> Settings {
    let json = format!(r#"{{"endpoints": "10.0.0.1", "tls": {{{of_tls}}}}}"#);
    Settings::from_json(&json).expect("it can be")
}

#[track_caller]
fn refused(of_tls: &str, error: &str) {
    let found = settings(of_tls)
        .tls()
        .expect_err("it cannot be")
        .to_string();
    assert_eq!(found, error);
}

#[test]
fn authorities_and_a_certificate_of_ones_own_come_from_files() {
    let files = Files::new("own");
    let made = rcgen::generate_simple_self_signed(["a".to_owned()]).unwrap();
    let cert = files.write("cert.pem", &made.cert.pem());
    let key = files.write("key.pem", &made.signing_key.serialize_pem());
    let both = format!(r#""cacert": "{cert}", "cert": "{cert}", "key": "{key}""#);
    let tls = settings(&format!(r#"{both}, "server_name": "etcd.internal""#));
    let shown = format!("{:?}", tls.tls().unwrap().expect("there is TLS"));
    for part in [
        "roots: 1",
        "trusts_system: false",
        "has_client_certificate: true",
        "etcd.internal",
    ] {
        assert!(shown.contains(part), "{part} in {shown}");
    }
    assert!(tls.config().unwrap().endpoints[0].is_tls());
    refused(
        &format!(r#"{both}, "server_name": "no name""#),
        "no certificate can be for the server name \"no name\"",
    );
    let cacert = format!(r#""cacert": "{cert}""#);
    refused(
        &format!(r#"{cacert}, "cert": "{cert}""#),
        "tls.cert needs tls.key beside it",
    );
    refused(
        &format!(r#"{cacert}, "key": "{key}""#),
        "tls.key needs tls.cert beside it",
    );
    let other = rcgen::generate_simple_self_signed(["a".to_owned()]).unwrap();
    let other = files.write("other.pem", &other.signing_key.serialize_pem());
    refused(
        &format!(r#"{cacert}, "cert": "{cert}", "key": "{other}""#),
        "the client's private key is not the one of its certificate",
    );
}

#[test]
fn a_file_that_is_not_there_is_named() {
    let error = settings(r#""cacert": "/no/such/ca.pem""#)
        .tls()
        .unwrap_err();
    assert!(matches!(error, SettingsError::Tls(_)));
    let text = error.to_string();
    assert!(text.starts_with("cannot read /no/such/ca.pem: "), "{text}");
}

#[test]
fn there_is_tls_where_an_endpoint_or_a_setting_asks_for_it() {
    let is_asked = |json: &str| {
        let settings = Settings::from_json(json).unwrap();
        // A machine without authorities of its own has an error for it.
        !matches!(settings.tls(), Ok(None))
    };
    assert!(!is_asked("{}"));
    assert!(!is_asked(r#"{"endpoints": ["a", "http://b"]}"#));
    assert!(!is_asked(
        r#"{"endpoints": "a", "tls": {"insecure_skip_verify": false, "assumed": false}}"#
    ));
    assert!(is_asked(r#"{"endpoints": ["a", "https://b"]}"#));
    assert!(is_asked(r#"{"endpoints": "a", "tls": {"assumed": true}}"#));
    assert!(is_asked(
        r#"{"endpoints": "a", "tls": {"server_name": "b"}}"#
    ));
}

#[test]
fn servers_go_unverified_with_the_feature_alone() {
    let tls = settings(r#""insecure_skip_verify": true"#).tls();
    if cfg!(feature = "dangerous") {
        let shown = format!("{:?}", tls.unwrap());
        assert!(shown.contains("accepts_anybody: true"), "{shown}");
        return;
    }
    assert_eq!(
        tls.unwrap_err().to_string(),
        "tls.insecure_skip_verify cannot be used: etcd-config was built without its feature `dangerous`"
    );
}
