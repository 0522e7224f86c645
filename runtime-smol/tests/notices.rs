//! What a client tells of what it does by itself reaches whoever was named for that (rule R-10, guarantee
//! G47): without a lock, in order, from whichever thread.

mod fake;

use std::sync::Arc;
use std::sync::Mutex;
use std::sync::mpsc;
use std::thread;

use etcd_smol::Balance;
use etcd_smol::Client;
use etcd_smol::Config;
use etcd_smol::Notice;
use etcd_smol::notice::EndpointState;
use etcd_smol::notice::Reason;
use etcd_smol::notice::What;
use fake::Fake;

#[test]
fn r10_g47_whoever_listens_is_told_why_a_call_went_elsewhere() {
    let server = Fake::answering(fake::ONE_KEY);
    let mut config = Config::new([fake::nobody(), server.endpoint.clone()]).unwrap();
    config.balance = Balance::Priority;
    let (dead, alive) = (config.endpoints[0].clone(), config.endpoints[1].clone());
    // Whoever is told may look at the client: no lock is held.
    let place: Arc<Mutex<Option<Client>>> = Arc::default();
    let (tell, told) = mpsc::channel();
    let client = Client::with_notices(config, {
        let place = Arc::clone(&place);
        move |notice| {
            let requests = place.lock().unwrap().as_ref().map(|it| it.stats().requests);
            tell.send((notice, requests)).unwrap();
        }
    });
    *place.lock().unwrap() = Some(client.clone());
    assert_eq!(
        smol::block_on(client.get("foo")).unwrap().kvs[0].value,
        "bar"
    );
    *place.lock().unwrap() = None;
    drop(client);

    let told: Vec<(Notice, Option<u64>)> = told.iter().collect();
    assert!(told[0].1.is_some(), "it could look");
    let whats = told.iter().map(|(notice, _)| &notice.what);
    let story: Vec<String> = whats
        .filter_map(|what| match what {
            What::ConnFailed { endpoint, why, .. } => {
                assert_eq!(*endpoint, dead);
                assert!(matches!(why, Reason::ConnectFailed(_)), "{why}");
                Some("refused".to_owned())
            }
            What::EndpointChanged { endpoint, to, .. } => {
                assert_eq!(*endpoint, dead);
                assert!(matches!(to, EndpointState::Suspect { .. }), "{to}");
                Some("suspect".to_owned())
            }
            What::AttemptBegun {
                endpoint, attempt, ..
            } => {
                assert_eq!(*endpoint, alive);
                Some(format!("attempt {attempt}"))
            }
            What::AttemptAnswered { .. } => Some("answered".to_owned()),
            _ => None,
        })
        .collect();
    assert_eq!(story, ["refused", "suspect", "attempt 1", "answered"]);
}

#[test]
fn notices_of_many_threads_come_in_order_and_none_is_lost() {
    const THREADS: usize = 4;
    const CALLS: usize = 50;
    let server = Fake::answering(fake::ONE_KEY);
    let mut config = Config::new([&server.endpoint]).unwrap();
    config.notices = true;
    let client = Client::with_seed(config, 7);
    let (tell, told) = mpsc::channel();
    client.on_notice(move |notice| tell.send(notice).unwrap());
    thread::scope(|scope| {
        for _ in 0..THREADS {
            scope.spawn(|| {
                for _ in 0..CALLS {
                    smol::block_on(client.get("foo")).unwrap();
                }
            });
        }
    });
    assert_eq!(client.stats().notices_dropped, 0);
    drop(client);
    let told: Vec<Notice> = told.iter().collect();
    assert!(told.is_sorted_by_key(|notice| notice.at));
    let answered = |notice: &&Notice| matches!(notice.what, What::AttemptAnswered { .. });
    assert_eq!(told.iter().filter(answered).count(), THREADS * CALLS);
}

#[test]
fn one_that_panics_is_not_called_again_and_harms_nobody() {
    let server = Fake::answering(fake::ONE_KEY);
    let mut config = Config::new([&server.endpoint]).unwrap();
    config.limits.notices = 2;
    let (tell, told) = mpsc::channel();
    let client = Client::with_notices(config, move |notice| {
        tell.send(notice).unwrap();
        panic!("on purpose");
    });
    for _ in 0..3 {
        assert_eq!(smol::block_on(client.get("foo")).unwrap().count, 1);
    }
    assert_eq!(
        told.iter().count(),
        1,
        "it was dropped, and the sender with it"
    );
    assert!(client.stats().notices_dropped > 0);
}
