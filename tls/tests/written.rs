//! What counts as written: exactly what the peer can have, at every byte.
#![allow(clippy::unwrap_used, reason = "helpers of tests may panic as tests do")]

mod common;

use std::sync::Arc;

use common::Authority;
use common::Flaw;
use common::Pair;
use common::VERSIONS;
use common::server;
use common::some_bytes;

/// Pairs of each version, connected.
fn pairs() -> impl Iterator<Item = impl Fn() -> Pair> {
    let authority = Authority::new("authority");
    let shown = authority.issue(&["etcd"], Flaw::None);
    let tls = authority.trusting().build().unwrap();
    VERSIONS.into_iter().map(move |version| {
        let config = Arc::new(server(&shown, &[version], None));
        let tls = tls.clone();
        move || Pair::connected(tls.session("etcd").unwrap(), &config)
    })
}

#[test]
fn written_is_what_the_peer_can_open_at_every_byte() {
    for pair in pairs() {
        for len in [1, 2, 16_383, 16_384, 16_385, 40_000] {
            let mut pair = pair();
            let unsent = some_bytes(len);
            pair.client.seal(&unsent).unwrap();
            while let Some(&byte) = pair.client.transmit().first() {
                pair.written += pair.client.handle_written(1);
                pair.serve(&[byte]);
                assert_eq!(pair.written, pair.served.len());
            }
            assert_eq!(pair.served, unsent);
        }
    }
}

#[test]
fn sealing_goes_on_where_it_was_whatever_the_socket_takes() {
    for pair in pairs() {
        for step in [1000, 16_384, 16_406, 100_000] {
            let mut pair = pair();
            let all = some_bytes(300_000);
            // The core's bytes grow while they are sent, and what was written is gone from them.
            let mut grown = 0;
            while pair.written < all.len() {
                grown = all.len().min(grown + 7777);
                let unsent = &all[pair.written..grown];
                pair.client.seal(unsent).unwrap();
                let taken = pair.client.transmit();
                let taken = taken[..taken.len().min(step)].to_vec();
                // Four records and their frames; TLS 1.2 and 1.3 add less than 64 bytes to each.
                assert!(pair.client.transmit().len() <= (64 << 10) + 64 * 64);
                pair.written += pair.client.handle_written(taken.len());
                pair.serve(&taken);
                assert_eq!(pair.written, pair.served.len());
            }
            assert_eq!(pair.served, all);
        }
    }
}

#[test]
fn a_farewell_gives_the_peer_nothing_that_was_not_written() {
    for pair in pairs() {
        let unsent = some_bytes(16_384 + 50);
        let mut whole = pair();
        whole.client.seal(&unsent).unwrap();
        let len = whole.client.transmit().len();
        // Around the ends of both records, and here and there between them.
        let cuts = (0..len).filter(|cut| cut % 997 == 0 || cut + 120 > len || cut % 16_400 < 20);
        for cut in cuts.chain([len]) {
            let mut pair = pair();
            pair.client.seal(&unsent).unwrap();
            let taken = pair.client.transmit()[..cut].to_vec();
            pair.written += pair.client.handle_written(cut);
            pair.serve(&taken);
            let farewell = pair.client.farewell().to_vec();
            assert_eq!(farewell.is_empty(), cut < len, "cut at {cut} of {len}");
            pair.serve(&farewell);
            assert_eq!(pair.served.len(), pair.written, "cut at {cut}");
        }
    }
}

#[test]
fn a_farewell_is_the_word_that_it_ends() {
    for pair in pairs() {
        let mut pair = pair();
        let farewell = pair.client.farewell().to_vec();
        let mut rest = &farewell[..];
        pair.server.read_tls(&mut rest).unwrap();
        let state = pair.server.process_new_packets().unwrap();
        assert!(state.peer_has_closed());
    }
}

#[test]
fn what_is_not_reported_as_written_is_never_sealed_twice() {
    for pair in pairs() {
        let mut pair = pair();
        pair.client.seal(b"request").unwrap();
        let len = pair.client.transmit().len();
        pair.client.seal(b"request").unwrap();
        assert_eq!(pair.client.transmit().len(), len);
        // A caller that forgot some of it is told nothing, and does no harm.
        pair.client.seal(b"req").unwrap();
        assert_eq!(pair.client.transmit().len(), len);
        pair.settle().unwrap();
        assert_eq!((pair.written, &pair.served[..]), (7, &b"request"[..]));
    }
}
