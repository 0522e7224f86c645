//! Five hundred watches on few connections.

use etcd_core::Put;
use etcd_core::Txn;
use etcd_core::Watch;
use etcd_core::WatchEnd;

use super::Must;
use super::Stage;
use super::batch;
use super::changes;
use super::end;
use super::nothing;
use super::wait_until;
use crate::driver::Driver;
use crate::driver::Watching;

/// 500 watches, opened one after the other and half of them ended again, take one connection for
/// every 100, and each is told its own changes and nothing else.
pub fn five_hundred_watches_share_five_connections<D: Driver>(stage: &mut Stage) {
    let client: D = stage.client();
    let mut watches = Vec::new();
    for number in 0..MANY {
        // Every tenth looks at two keys: its own and its neighbour's.
        let watch = match number % 10 {
            9 => Watch::range(key(number), key(number + 2)),
            _ => Watch::key(key(number)),
        };
        watches.push(Some(client.watch(watch).must()));
        let wanted = number / 100 + 1;
        assert_eq!(
            client.stats().connections_open,
            wanted,
            "after {} watches",
            number + 1
        );
    }
    assert_eq!(stage.connections(), 5);
    assert_eq!(stage.watches(), MANY);
    assert_eq!(client.stats().connections_opened, 5);

    // Of those that go, half are dropped and half are told to.
    for (number, watch) in watches
        .iter_mut()
        .enumerate()
        .filter(|(number, _)| number % 2 == 0)
    {
        let mut gone = watch.take().expect("each goes once");
        if number % 4 == 0 {
            gone.cancel();
            assert_eq!(end(&mut gone), WatchEnd::Canceled);
        }
    }
    wait_until("the server has the other half", || {
        stage.watches() == MANY / 2
    });
    assert_eq!(stage.connections(), 5);

    for round in ["one", "two"] {
        for hundred in 0..=MANY / 100 {
            let numbers = hundred * 100..(hundred * 100 + 100).min(MANY + 1);
            let puts = numbers.map(|number| Put::new(key(number), format!("{round} {number}")));
            client.call(Txn::new().and_then(puts)).must();
        }
    }
    for (number, watch) in (0..).zip(&mut watches) {
        let Some(watch) = watch else { continue };
        for round in ["one", "two"] {
            let own = [number, number + 1].map(|n| (key(n), format!("{round} {n}")));
            let (first, second) = (batch(watch), number % 10 == 9);
            match (second, number % 100 == 99) {
                (false, _) => assert_eq!(told(&first), own[..1]),
                (true, false) => assert_eq!(told(&first), own),
                // The two keys were put by different transactions.
                (true, true) => {
                    assert_eq!(told(&first), own[..1]);
                    assert_eq!(told(&batch(watch)), own[1..]);
                }
            }
        }
        assert!(watch.next_within(std::time::Duration::ZERO).is_err());
    }
    let last = watches.iter_mut().flatten().next_back();
    nothing(last.expect("half of them are left"));

    // The places of those that went are used again before a further connection is opened.
    let again: Vec<_> = (0..MANY / 2).map(|n| client.watch(key(n)).must()).collect();
    assert_eq!(stage.watches(), MANY);
    // Five for watches and the one that the writes above went over.
    assert_eq!(stage.connections(), 6);
    assert_eq!(client.stats().connections_opened, 6);
    drop((again, watches));
    wait_until("the server has no watch", || stage.watches() == 0);
}

fn key(number: u64) -> String {
    format!("m/{number:04}")
}

fn told(batch: &etcd_core::WatchBatch) -> Vec<(String, String)> {
    let puts = changes(batch).into_iter();
    puts.map(|(key, value)| {
        (
            key.to_owned(),
            value.expect("nothing is deleted").to_owned(),
        )
    })
    .collect()
}

const MANY: u64 = 500;
