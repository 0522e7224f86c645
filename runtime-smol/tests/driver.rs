//! Who runs the driver, when it ends, and that it sleeps while there is nothing to do.

mod fake;

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::AtomicUsize;
use std::sync::atomic::Ordering;
use std::task::Context;
use std::task::Poll;
use std::time::Duration;

use etcd_smol::Cause;
use etcd_smol::Client;
use etcd_smol::Driver;
use etcd_smol::Error;
use fake::Fake;
use fake::ONE_KEY;
use fake::Seen;
use smol::Executor;
use smol::LocalExecutor;
use smol::Timer;
use smol::future;

/// Counts how often it is polled.
struct Counted {
    driver: Driver,
    polls: Arc<AtomicUsize>,
}

impl Future for Counted {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        self.polls.fetch_add(1, Ordering::Relaxed);
        Pin::new(&mut self.driver).poll(cx)
    }
}

#[test]
fn runs_on_an_executor_of_the_users() {
    let server = Fake::answering(ONE_KEY);
    let executor = Executor::new();
    let client = Client::with_executor(server.config(), &executor);
    let answer = smol::block_on(executor.run(client.get("foo"))).unwrap();
    assert_eq!(answer.count, 1);
}

#[test]
fn runs_on_a_local_executor() {
    let server = Fake::answering(ONE_KEY);
    let executor = LocalExecutor::new();
    let (client, driver) = Client::unspawned(server.config(), 1);
    executor.spawn(driver).detach();
    let answer = smol::block_on(executor.run(client.get("foo"))).unwrap();
    assert_eq!(answer.count, 1);
}

#[test]
fn runs_joined_with_the_users_own_future_and_ends_with_it() {
    let server = Fake::answering(ONE_KEY);
    let (client, driver) = Client::unspawned(server.config(), 1);
    let work = async move { client.get("foo").await };
    let ((), answer) = smol::block_on(future::zip(driver, work));
    assert_eq!(answer.unwrap().count, 1);
    server.wait_for(&Seen::Closed);
}

#[test]
fn ends_with_the_last_handle_and_closes_the_sockets() {
    let server = Fake::answering(ONE_KEY);
    smol::block_on(async {
        let (client, driver) = Client::unspawned(server.config(), 1);
        let driver = smol::spawn(driver);
        let other = client.clone();
        client.get("foo").await.unwrap();
        drop(client);
        other.get("foo").await.unwrap();
        assert!(!driver.is_finished());
        drop(other);
        driver.await;
        server.wait_for(&Seen::Closed);
    });
}

#[test]
fn ends_after_shutdown_though_handles_are_left() {
    let server = Fake::answering(ONE_KEY);
    smol::block_on(async {
        let (client, driver) = Client::unspawned(server.config(), 1);
        let driver = smol::spawn(driver);
        client.get("foo").await.unwrap();
        client.shutdown();
        driver.await;
        server.wait_for(&Seen::Closed);
    });
}

#[test]
fn dropping_it_ends_the_calls_that_wait_for_it() {
    let server = Fake::silent();
    smol::block_on(async {
        let (client, driver) = Client::unspawned(server.config(), 1);
        let driver = smol::spawn(driver);
        let call = smol::spawn({
            let client = client.clone();
            async move { client.get("k").await }
        });
        server.wait_for(&Seen::Request("/v3/kv/range".to_owned()));
        drop(driver);
        for error in [call.await.unwrap_err(), client.get("k").await.unwrap_err()] {
            assert!(
                matches!(
                    error,
                    Error::Unavailable {
                        cause: Cause::Shutdown,
                        ..
                    }
                ),
                "{error:?}"
            );
        }
        server.wait_for(&Seen::Closed);
    });
}

#[test]
fn sleeps_while_there_is_nothing_to_do() {
    let server = Fake::answering(ONE_KEY);
    smol::block_on(async {
        let polls = Arc::new(AtomicUsize::new(0));
        let (client, driver) = Client::unspawned(server.config(), 1);
        smol::spawn(Counted {
            driver,
            polls: Arc::clone(&polls),
        })
        .detach();

        let calls = 100;
        for _ in 0..calls {
            client.get("foo").await.unwrap();
        }
        let busy = polls.load(Ordering::Relaxed);
        assert!(busy <= 3 * calls + 20, "{busy} polls for {calls} calls");

        // What is measured is what happens while time passes; nothing waits for this.
        Timer::after(Duration::from_millis(300)).await;
        let idle = polls.load(Ordering::Relaxed) - busy;
        assert!(idle <= 2, "{idle} polls while idle");
    });
}

#[test]
fn sleeps_while_a_server_is_silent_or_away() {
    let server = Fake::silent();
    smol::block_on(async {
        for endpoint in [server.endpoint.clone(), fake::nobody()] {
            let polls = Arc::new(AtomicUsize::new(0));
            let config = etcd_smol::Config::new([&endpoint]).unwrap();
            let (client, driver) = Client::unspawned(config, 1);
            smol::spawn(Counted {
                driver,
                polls: Arc::clone(&polls),
            })
            .detach();
            let waits = future::or(
                async {
                    client.get("foo").await.unwrap_err();
                },
                async {
                    Timer::after(Duration::from_millis(300)).await;
                },
            );
            waits.await;
            let polls = polls.load(Ordering::Relaxed);
            // Connecting again and again to nobody takes a few for each attempt.
            assert!(polls <= 60, "{polls} polls at {endpoint}");
        }
    });
}
