//! A session that is recorded, with secrets in it.

use std::fs;
use std::thread;
use std::time::Duration;

use etcd_core::AuthEnable;
use etcd_core::Authenticate;
use etcd_core::Compare;
use etcd_core::Credentials;
use etcd_core::DeleteRange;
use etcd_core::Put;
use etcd_core::Range;
use etcd_core::RoleAdd;
use etcd_core::Txn;
use etcd_core::TxnOp;
use etcd_core::UserAdd;
use etcd_core::UserChangePassword;
use etcd_core::UserGrantRole;
use etcd_core::Watch;
use etcd_core::WatchEvent;
use etcd_core::trace;
use etcd_core::trace::Recording;

use super::Must;
use super::PATIENCE;
use super::Stage;
use super::batch;
use super::wait_until;
use crate::driver::Driver;
use crate::driver::Watching;
use crate::shim::replay::replay;

/// Passwords, tokens and values below a secret prefix are not in a recording, neither as they are nor
/// in base64, whatever they came in and however often the server was killed; and it replays to the same
/// outputs.
pub fn nothing_secret_is_recorded<D: Driver>(stage: &mut Stage) {
    let before: D = stage.client();
    before.call(UserAdd::new("root", ROOT)).must();
    before.call(RoleAdd::new("root")).must();
    before.call(UserGrantRole::new("root", "root")).must();
    before.call(AuthEnable::new()).must();
    before.shutdown();
    let mut config = stage.config();
    let credentials = Credentials::password("root", ROOT).must();
    config.set_credentials(credentials).must();
    let client = D::with_config(config);
    let path = stage.server.folder().join("session.rec");
    let recording = Recording::new().with_secret_prefix("secret/");
    client.record_with(&path, recording).must();

    // Of each length by three, as base64 goes; and one that no read brings whole.
    let mut secrets: Vec<_> = (0..3)
        .map(|more| secret(&"abc"[more..], 20 + more))
        .collect();
    secrets.push(secret("large", 50_000));
    let mut tokens = Vec::new();
    let mut watch = client.watch(Watch::prefix("secret/").with_prev_kv()).must();
    let mut open = client.watch("open").must();
    for (round, value) in secrets.iter().enumerate() {
        // The value comes alone, as a previous one, in a transaction, in a compare, and in events.
        let value = value.as_str();
        client.put("secret/k", value).must();
        assert_eq!(batch(&mut watch).events[0].kv.value, value);
        let put = Put::new("secret/k", value).with_prev_kv();
        let before = client.call(put).must().prev_kv.expect("a previous one");
        assert_eq!(before.value, value);
        let events = batch(&mut watch).events;
        let before = events[0].prev_kv.as_ref().expect("a previous one");
        assert_eq!(before.value, value);
        let txn = Txn::new()
            .when([Compare::value("secret/k").eq(value)])
            .and_then([
                TxnOp::from(Put::new("secret/l", value)),
                Range::prefix("secret/").into(),
            ]);
        assert!(client.call(txn).must().succeeded());
        batch(&mut watch);
        assert_eq!(
            client.get(Range::prefix("secret/")).must().kvs[0].value,
            value
        );
        let deleted = client
            .call(DeleteRange::prefix("secret/").with_prev_kv())
            .must();
        assert_eq!(deleted.prev_kvs.len(), 2);
        batch(&mut watch);
        client.put("open", format!("{OPEN}{round}")).must();
        batch(&mut open);

        let name = format!("user{round}");
        client.call(UserAdd::new(name.clone(), ADDED)).must();
        client
            .call(UserChangePassword::new(name.clone(), CHANGED))
            .must();
        tokens.push(client.call(Authenticate::new(name, CHANGED)).must().token);

        stage.server.kill().must();
        stage.server.restart().must();
        for watch in [&mut watch, &mut open] {
            let resumed = watch.next_within(PATIENCE);
            assert!(
                matches!(resumed, Ok(Some(WatchEvent::Resumed { .. }))),
                "{resumed:?}"
            );
        }
    }
    drop((watch, open));
    client.shutdown();
    drop(client);
    let mut bytes = Vec::new();
    wait_until("nothing more is recorded", || {
        thread::sleep(Duration::from_millis(100));
        let before = bytes.len();
        bytes = fs::read(&path).must();
        bytes.len() == before
    });
    let text = String::from_utf8_lossy(&bytes);
    let holds = |what: &str| text.contains(what);
    // What is not secret is there, so it would be found.
    assert!(holds(OPEN) || holds(&base64(OPEN)[..40]));
    for secret in [ROOT, ADDED, CHANGED]
        .into_iter()
        .map(str::to_owned)
        .chain(secrets)
        .chain(tokens)
    {
        // A part of it would be too much too.
        for part in [
            &secret[..secret.len().min(15)],
            &secret[secret.len().saturating_sub(12)..],
        ] {
            assert!(!holds(part), "a secret of {} bytes is there", secret.len());
        }
        let encoded = base64(&secret);
        for part in [
            &encoded[..encoded.len().min(16)],
            &encoded[encoded.len().saturating_sub(16)..],
        ] {
            assert!(
                !holds(part),
                "a secret of {} bytes is there in base64",
                secret.len()
            );
        }
    }
    let said = replay(&bytes);
    assert!(said.is_same, "{}", said.line);
    assert!(trace::replay(&bytes).must().is_complete);
}

/// A text of this length that is nowhere else, and no part of it twice.
fn secret(name: &str, len: usize) -> String {
    let words = (0..).map(|number| format!("{name}-is-hidden-{number};"));
    let mut text: String = words.take(len / 12 + 2).collect();
    text.truncate(len);
    text
}

/// The text in base64, as a request has it.
fn base64(text: &str) -> String {
    let put = serde_json::to_value(Put::new("k", text)).must();
    put["value"].as_str().expect("base64").to_owned()
}

const ROOT: &str = "the-passw0rd-of-root";
const ADDED: &str = "the-first-passw0rd-of-a-user";
const CHANGED: &str = "the-second-passw0rd-of-a-user";
const OPEN: &str = "everybody may read this, round ";
