//! Laws 1 (splitting) and 8 (bounded) of ARCHITECTURE.md, and what truncation and garbage lead to.
//!
//! Each handshake has keys of its own, so what is compared is not ciphertext but what came of it:
//! plaintext, the end, the error.
#![allow(clippy::unwrap_used, reason = "helpers of tests may panic as tests do")]

mod common;

use std::sync::Arc;

use common::Authority;
use common::Flaw;
use common::Pair;
use common::VERSIONS;
use common::server;
use common::some_bytes;
use etcd_tls::TlsConfig;
use etcd_tls::TlsError;
use etcd_tls::TlsSession;
use proptest::prelude::*;
use rustls::ServerConfig;

/// A client and a server of one version.
struct Ends {
    tls: TlsConfig,
    config: Arc<ServerConfig>,
}

impl Ends {
    /// Both versions.
    fn all() -> [Self; 2] {
        let authority = Authority::new("authority");
        let shown = authority.issue(&["etcd"], Flaw::None);
        VERSIONS.map(|version| Self {
            // Without sessions of before, so that all handshakes are of one kind.
            tls: authority.trusting().build().unwrap(),
            config: Arc::new(server(&shown, &[version], None)),
        })
    }

    fn pair(&self) -> Pair {
        Pair::new(self.tls.session("etcd").unwrap(), &self.config)
    }

    fn connected(&self) -> Pair {
        Pair::connected(self.tls.session("etcd").unwrap(), &self.config)
    }
}

/// What became of a client.
#[derive(Debug, PartialEq)]
struct Outcome {
    plaintext: Vec<u8>,
    ended: bool,
    error: Option<TlsError>,
}

/// Gives a client bytes in pieces of these sizes, over and over.
fn give(client: &mut TlsSession, mut bytes: &[u8], sizes: &[usize]) -> Outcome {
    let mut plaintext = Vec::new();
    let mut error = None;
    for &size in sizes.iter().cycle() {
        let (piece, rest) = bytes.split_at(bytes.len().min(size));
        let before = plaintext.len();
        let result = client.handle_received(piece, &mut plaintext);
        // Law 8: what comes out is bounded by what went in, and by a record.
        assert!(plaintext.len() - before <= piece.len() + (16 << 10));
        match (&error, result) {
            (None, Err(told)) => error = Some(told),
            (Some(first), result) => assert_eq!(result, Err(first.clone())),
            (None, Ok(())) => {}
        }
        bytes = rest;
        if bytes.is_empty() {
            break;
        }
    }
    Outcome {
        plaintext,
        ended: client.is_ended(),
        error,
    }
}

/// A whole conversation of which the client gets the server's bytes in pieces of these sizes: the
/// handshake, an answer, the end, and bytes behind it.
fn talk(ends: &Ends, answer: &[u8], sizes: &[usize]) -> Outcome {
    let mut pair = ends.pair();
    while !pair.client.is_connected() || pair.server.is_handshaking() {
        let said = pair.client.transmit().to_vec();
        pair.client.handle_written(said.len());
        pair.serve(&said);
        let said = pair.said();
        let outcome = give(&mut pair.client, &said, sizes);
        assert_eq!((outcome.error, outcome.plaintext.len()), (None, 0));
    }
    let mut said = pair.sealed_by_server(answer);
    pair.server.send_close_notify();
    said.extend(pair.said());
    said.extend(b"trailing");
    give(&mut pair.client, &said, sizes)
}

#[test]
fn law_1_byte_by_byte_is_as_all_at_once() {
    for ends in Ends::all() {
        let answer = some_bytes(20_000);
        let whole = talk(&ends, &answer, &[usize::MAX]);
        assert_eq!((&whole.plaintext, whole.ended), (&answer, true));
        assert_eq!(whole.error, None);
        assert_eq!(talk(&ends, &answer, &[1]), whole);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn law_1_splitting(len in 0_usize..50_000, sizes in prop::collection::vec(1_usize..20_000, 1..20)) {
        for ends in Ends::all() {
            let answer = some_bytes(len);
            let outcome = talk(&ends, &answer, &sizes);
            prop_assert_eq!(&outcome.plaintext, &answer);
            prop_assert!(outcome.ended && outcome.error.is_none());
        }
    }

    /// Law 8, and law 1 for bytes that are no TLS: nothing panics, and the error is the same however the
    /// bytes came.
    #[test]
    fn law_8_any_bytes_in_the_place_of_a_handshake(
        bytes in prop::collection::vec(any::<u8>(), 0..2000),
        header in prop::option::of(prop::sample::select(vec![[22, 3, 3, 0, 40], [21, 3, 3, 0, 2], [22, 3, 3, 64, 0]])),
        sizes in prop::collection::vec(1_usize..300, 1..10),
    ) {
        let [_, ends] = Ends::all();
        let bytes: Vec<u8> = header.into_iter().flatten().chain(bytes).collect();
        let [whole, split] = [&[usize::MAX][..], &sizes].map(|sizes| {
            let mut session = ends.tls.session("etcd").unwrap();
            give(&mut session, &bytes, sizes)
        });
        prop_assert!(whole.plaintext.is_empty());
        prop_assert_eq!(whole, split);
    }

    /// The same on an open connection: only what was whole and genuine before comes out.
    #[test]
    fn law_8_any_bytes_behind_an_answer(
        bytes in prop::collection::vec(any::<u8>(), 1..2000),
        sizes in prop::collection::vec(1_usize..300, 1..10),
    ) {
        for ends in Ends::all() {
            let mut pair = ends.connected();
            let mut said = pair.sealed_by_server(b"answer");
            said.extend(&bytes);
            let outcome = give(&mut pair.client, &said, &sizes);
            prop_assert_eq!(&outcome.plaintext[..], b"answer");
            prop_assert!(!outcome.ended);
            let end = pair.client.handle_eof();
            prop_assert_eq!(end, Err(outcome.error.unwrap_or(TlsError::Truncated)));
        }
    }
}

#[test]
fn an_end_at_any_byte_of_the_handshake_is_an_end_within_it() {
    for ends in Ends::all() {
        let mut cut = 0;
        loop {
            let mut pair = ends.pair();
            let mut left = cut;
            // What the server says up to the cut, over as many turns as the handshake has.
            while !pair.client.is_connected() && left > 0 {
                let said = pair.client.transmit().to_vec();
                pair.client.handle_written(said.len());
                pair.serve(&said);
                let said = pair.said();
                let said = &said[..said.len().min(left)];
                left -= said.len();
                assert_eq!(give(&mut pair.client, said, &[usize::MAX]).error, None);
            }
            if pair.client.is_connected() {
                assert!(cut > 500, "{cut}");
                break;
            }
            assert_eq!(pair.client.handle_eof(), Err(TlsError::ClosedInHandshake));
            assert_eq!(pair.client.seal(b"x"), Err(TlsError::ClosedInHandshake));
            cut += 1;
        }
    }
}

#[test]
fn a_reset_is_an_end_while_hands_are_shaken_and_says_it_best_afterwards() {
    for ends in Ends::all() {
        let mut pair = ends.pair();
        assert_eq!(pair.client.handle_reset(), Err(TlsError::ClosedInHandshake));
        let mut pair = ends.connected();
        assert_eq!(pair.client.handle_reset(), Ok(()));
        assert!(pair.client.is_connected());
    }
}

#[test]
fn an_end_without_the_word_for_it_is_a_truncation_at_any_byte() {
    for ends in Ends::all() {
        let answer = some_bytes(100);
        let mut pair = ends.connected();
        let mut said = pair.sealed_by_server(&answer);
        let record = said.len();
        said.extend(pair.sealed_by_server(&answer));
        pair.server.send_close_notify();
        said.extend(pair.said());
        for cut in 0..=said.len() {
            let mut pair = ends.connected();
            let mut said = pair.sealed_by_server(&answer);
            said.extend(pair.sealed_by_server(&answer));
            pair.server.send_close_notify();
            said.extend(pair.said());
            let outcome = give(&mut pair.client, &said[..cut], &[usize::MAX]);
            let whole = (cut / record).min(2) * answer.len();
            assert_eq!((outcome.plaintext.len(), outcome.error), (whole, None));
            let end = pair.client.handle_eof();
            assert_eq!(outcome.ended, cut == said.len());
            assert_eq!(end.is_ok(), cut == said.len());
            if end.is_err() {
                assert_eq!(end, Err(TlsError::Truncated));
                assert_eq!(pair.client.handle_eof(), Err(TlsError::Truncated));
            }
        }
    }
}

/// Where records have the second byte of their version, which has no meaning (RFC 8446 section 5.1).
fn minor_versions(records: &[u8]) -> Vec<usize> {
    let mut places = Vec::new();
    let mut at = 0;
    while let Some(&[high, low]) = records.get(at + 3..at + 5) {
        places.push(at + 2);
        at += 5 + usize::from(u16::from_be_bytes([high, low]));
    }
    places
}

#[test]
fn a_changed_byte_anywhere_lets_nothing_through() {
    for ends in Ends::all() {
        // In the handshake.
        let len = {
            let mut pair = ends.pair();
            let hello = pair.client.transmit().to_vec();
            pair.serve(&hello);
            pair.said().len()
        };
        for place in 0..len {
            let mut pair = ends.pair();
            let hello = pair.client.transmit().to_vec();
            pair.serve(&hello);
            let mut said = pair.said();
            // The signature of a certificate may be shorter by a byte.
            let place = place.min(said.len() - 1);
            let is_version = minor_versions(&said).contains(&place);
            said[place] ^= 0x41;
            let handshake = give(&mut pair.client, &said, &[usize::MAX]);
            assert!(handshake.plaintext.is_empty());
            // With TLS 1.2 some of it is checked only by what comes last; nobody is let in before that.
            let is_in = handshake.error.is_none() && pair.client.is_connected();
            assert!(!is_in || is_version, "byte {place}");
        }
        // In an answer.
        let mut pair = ends.connected();
        let len = pair.sealed_by_server(b"answer").len();
        for place in 0..len {
            let mut pair = ends.connected();
            let mut said = pair.sealed_by_server(b"answer");
            said[place] ^= 0x41;
            let outcome = give(&mut pair.client, &said, &[usize::MAX]);
            let end = pair.client.handle_eof();
            assert!(!outcome.ended && end.is_err(), "byte {place}");
            let is_version = minor_versions(&said).contains(&place);
            assert!(outcome.plaintext.is_empty() || is_version, "byte {place}");
        }
    }
}

#[test]
fn a_long_stream_in_small_pieces_takes_linear_time() {
    let [_, ends] = Ends::all();
    let time = |len: usize| {
        let mut pair = ends.connected();
        let said = pair.sealed_by_server(&some_bytes(len));
        let start = std::time::Instant::now();
        let outcome = give(&mut pair.client, &said, &[64]);
        assert_eq!(outcome.plaintext.len(), len);
        start.elapsed()
    };
    // The best of several, as other programs run here.
    let best = |len| (0..5).map(|_| time(len)).min().unwrap();
    // Sixteen times as much would take 256 times as long if it were quadratic.
    let (short, long) = (best(100_000), best(1_600_000));
    assert!(long < short * 80, "{short:?} for a sixteenth of {long:?}");
}
