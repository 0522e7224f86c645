//! Lookups at name servers on loopback: what is asked, which answers count, and how long it takes.
#![allow(clippy::unwrap_used, reason = "it is a test")]

mod server;

use std::net::Ipv4Addr;
use std::net::SocketAddr;
use std::net::UdpSocket;
use std::sync::Arc;
use std::sync::atomic::AtomicU32;
use std::sync::atomic::Ordering;
use std::time::Duration;
use std::time::Instant;

use etcd_discovery::Discovery;
use etcd_discovery::DiscoveryError;
use etcd_discovery::Endpoint;
use etcd_discovery::LookupError;
use etcd_discovery::SkipReason;

use server::Asked;
use server::NXDOMAIN;
use server::QUESTION_NAME;
use server::Server;
use server::message;
use server::name;
use server::record;
use server::srv;
use server::truncated;

const TLS: &str = "_etcd-client-ssl._tcp.example.com";
const PLAIN: &str = "_etcd-client._tcp.example.com";

fn discovery() -> Discovery {
    Discovery::new("example.com").unwrap()
}

fn resolve(server: &Server) -> Result<Vec<Endpoint>, DiscoveryError> {
    resolve_all(&[server.address()])
}

fn resolve_all(servers: &[SocketAddr]) -> Result<Vec<Endpoint>, DiscoveryError> {
    discovery().allow_insecure().resolve_with(servers)
}

fn texts(endpoints: Result<Vec<Endpoint>, DiscoveryError>) -> Vec<String> {
    endpoints.unwrap().iter().map(Endpoint::to_string).collect()
}

/// A server whose answer to the name of servers with TLS is this; it has no others.
fn answering<F>(answer: F) -> Server
where
    F: Fn(&Asked) -> Vec<Vec<u8>> + Send + Sync + 'static,
{
    Server::start(move |asked| match asked.name == TLS {
        true => answer(asked),
        false => vec![asked.answer(NXDOMAIN, &[])],
    })
}

/// What the lookup of servers with TLS failed with, where the other one found nothing.
fn failure(outcome: Result<Vec<Endpoint>, DiscoveryError>) -> LookupError {
    match outcome.unwrap_err() {
        DiscoveryError::LookupsFailed {
            tls,
            plain: LookupError::NotFound,
        } => tls,
        other => panic!("{other}"),
    }
}

const GOOD: &str = "https://a.example.com:2379";

fn good(asked: &Asked) -> Vec<u8> {
    asked.answer(0, &[srv(0, 0, 2379, "a.example.com")])
}

#[test]
fn both_kinds_are_found_those_with_tls_first() {
    let server = Server::with_records(&[
        (PLAIN, 0, 0, 2379, "p.example.com"),
        (TLS, 1, 0, 2380, "b.example.com"),
        (TLS, 0, 0, 2379, "a.example.com"),
    ]);
    assert_eq!(
        texts(resolve(&server)),
        [
            "https://a.example.com:2379",
            "https://b.example.com:2380",
            "http://p.example.com:2379"
        ]
    );
}

#[test]
fn servers_without_tls_are_dropped_unless_they_are_allowed() {
    let server = Server::with_records(&[
        (TLS, 0, 0, 2379, "a.example.com"),
        (PLAIN, 0, 0, 2379, "p.example.com"),
    ]);
    let mut discovery = discovery();
    let found = discovery.resolve_with(&[server.address()]);
    assert_eq!(texts(found), [GOOD]);
    assert_eq!(discovery.skipped()[0].server, "http://p.example.com:2379");
    assert_eq!(discovery.skipped()[0].reason, SkipReason::Insecure);
}

#[test]
fn a_service_name_is_a_suffix_of_both_services() {
    let server = Server::with_records(&[
        (TLS, 0, 0, 1, "wrong.example.com"),
        (PLAIN, 0, 0, 1, "wrong.example.com"),
        (
            "_etcd-client-ssl-blue._tcp.example.com",
            0,
            0,
            1,
            "a.example.com",
        ),
        (
            "_etcd-client-blue._tcp.example.com",
            0,
            0,
            1,
            "b.example.com",
        ),
    ]);
    let mut discovery = discovery()
        .with_service_name("blue")
        .unwrap()
        .allow_insecure();
    assert_eq!(
        texts(discovery.resolve_with(&[server.address()])),
        ["https://a.example.com:1", "http://b.example.com:1"]
    );
}

#[test]
fn one_kind_is_enough() {
    let server = Server::with_records(&[(TLS, 0, 0, 2379, "a.example.com")]);
    assert_eq!(texts(resolve(&server)), [GOOD]);
    let server = Server::with_records(&[(PLAIN, 0, 0, 2379, "p.example.com")]);
    assert_eq!(texts(resolve(&server)), ["http://p.example.com:2379"]);
    let error = discovery().resolve_with(&[server.address()]).unwrap_err();
    let DiscoveryError::NoneUsable { skipped, failed } = error else {
        panic!("{error}");
    };
    assert_eq!(skipped[0].reason, SkipReason::Insecure);
    assert_eq!(failed, Some(LookupError::NotFound));
}

#[test]
fn names_that_do_not_exist_are_not_found_at_once() {
    let server = Server::with_records(&[]);
    let begin = Instant::now();
    assert_eq!(failure(resolve(&server)), LookupError::NotFound);
    assert!(begin.elapsed() < Duration::from_secs(4));
}

#[test]
fn a_name_without_srv_records_is_not_found() {
    let server = Server::start(|asked| vec![asked.answer(0, &[])]);
    assert_eq!(failure(resolve(&server)), LookupError::NotFound);
    let server = answering(|asked| {
        let address = record(&QUESTION_NAME, 1, &[127, 0, 0, 1]);
        vec![asked.answer(0, &[address])]
    });
    assert_eq!(failure(resolve(&server)), LookupError::NotFound);
}

#[test]
fn a_truncated_answer_is_asked_for_over_tcp() {
    let server = answering(|asked| {
        vec![match asked.is_tcp {
            true => good(asked),
            false => truncated(asked.answer(0, &[])),
        }]
    });
    assert_eq!(texts(resolve(&server)), [GOOD]);
}

#[test]
fn what_is_truncated_over_tcp_as_well_is_malformed() {
    let server = answering(|asked| vec![truncated(good(asked))]);
    assert_eq!(failure(resolve(&server)), LookupError::Malformed);
}

#[test]
fn an_answer_over_tcp_has_a_limit() {
    let padded = |asked: &Asked, len: usize| {
        let mut bytes = good(asked);
        bytes.resize(len, 0);
        bytes
    };
    let over_tcp = move |len| {
        answering(move |asked| {
            vec![match asked.is_tcp {
                true => padded(asked, len),
                false => truncated(asked.answer(0, &[])),
            }]
        })
    };
    let limit = 16 * 1024;
    assert_eq!(texts(resolve(&over_tcp(limit))), [GOOD]);
    assert_eq!(failure(resolve(&over_tcp(limit + 1))), LookupError::TooLong);
}

#[test]
fn an_answer_over_udp_has_the_same_limit() {
    let over_udp = |len| {
        answering(move |asked| {
            let mut bytes = good(asked);
            bytes.resize(len, 0);
            vec![bytes]
        })
    };
    let limit = 16 * 1024;
    assert_eq!(texts(resolve(&over_udp(limit))), [GOOD]);
    assert_eq!(failure(resolve(&over_udp(limit + 1))), LookupError::TooLong);
}

#[test]
fn answers_to_other_questions_are_passed_over() {
    let server = answering(|asked| {
        let bad = [srv(0, 0, 1, "evil.example.com")];
        let other_name = [name("_etcd-client-ssl._tcp.example.org"), vec![0, 33, 0, 1]].concat();
        let mut other_type = asked.question.clone();
        let at = other_type.len() - 3;
        other_type[at] = 1;
        let mut other_class = asked.question.clone();
        *other_class.last_mut().unwrap() = 3;
        let mut query = asked.answer(0, &bad);
        query[2] &= 0x7f;
        let mut no_question = asked.answer(0, &bad);
        no_question[5] = 0;
        let mut two_questions = asked.answer(0, &bad);
        two_questions[5] = 2;
        let mut notify = asked.answer(0, &bad);
        notify[2] |= 4 << 3;
        vec![
            message(asked.id ^ 1, 0, &asked.question, &bad),
            message(asked.id.swap_bytes() ^ 0x0100, 0, &asked.question, &bad),
            message(asked.id, 0, &other_name, &bad),
            message(asked.id, NXDOMAIN, &other_name, &bad),
            message(asked.id, 0, &other_type, &bad),
            message(asked.id, 0, &other_class, &bad),
            query,
            no_question,
            two_questions,
            notify,
            Vec::new(),
            vec![0xff; 700],
            asked.id.to_be_bytes().to_vec(),
            good(asked),
        ]
    });
    assert_eq!(texts(resolve(&server)), [GOOD]);
}

#[test]
fn what_comes_from_another_address_is_not_heard() {
    let other = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let server = Arc::new(UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).unwrap());
    let address = server.local_addr().unwrap();
    let thread = std::thread::spawn(move || {
        let mut buf = [0; 512];
        for _ in 0..2 {
            let (len, from) = server.recv_from(&mut buf).unwrap();
            let id = u16::from_be_bytes([buf[0], buf[1]]);
            let answer = |target| message(id, 0, &buf[12..len], &[srv(0, 0, 2379, target)]);
            other.send_to(&answer("evil.example.com"), from).unwrap();
            server.send_to(&answer("a.example.com"), from).unwrap();
        }
    });
    let found = discovery().resolve_with(&[address]);
    thread.join().unwrap();
    assert_eq!(texts(found), [GOOD]);
}

#[test]
fn ids_and_ports_are_new_with_each_question() {
    let server = Arc::new(UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).unwrap());
    let address = server.local_addr().unwrap();
    let thread = std::thread::spawn(move || {
        let mut buf = [0; 512];
        let mut seen = Vec::new();
        for _ in 0..40 {
            let (len, from) = server.recv_from(&mut buf).unwrap();
            let id = u16::from_be_bytes([buf[0], buf[1]]);
            seen.push((id, from.port()));
            let refusal = message(id, NXDOMAIN, &buf[12..len], &[]);
            server.send_to(&refusal, from).unwrap();
        }
        seen
    });
    for _ in 0..20 {
        assert!(discovery().resolve_with(&[address]).is_err());
    }
    let mut seen = thread.join().unwrap();
    seen.sort_unstable();
    seen.dedup_by_key(|(id, _)| *id);
    // Of 40 out of 65,536, two are the same once in 80 runs, and four pairs practically never.
    assert!(seen.len() > 36, "{seen:?}");
    seen.sort_unstable_by_key(|(_, port)| *port);
    seen.dedup_by_key(|(_, port)| *port);
    assert!(seen.len() > 30, "{seen:?}");
}

#[test]
fn a_silent_server_costs_no_more_than_the_time_there_is() {
    let server = Server::start(|_| Vec::new());
    let begin = Instant::now();
    let error = discovery()
        .with_timeout(Duration::from_millis(300))
        .resolve_with(&[server.address()])
        .unwrap_err();
    let took = begin.elapsed();
    assert!((300..2000).contains(&took.as_millis()), "{took:?}");
    let silent = || LookupError::TimedOut;
    assert_eq!(
        error,
        DiscoveryError::LookupsFailed {
            tls: silent(),
            plain: silent()
        }
    );
}

#[test]
fn a_server_that_is_silent_over_tcp_costs_no_more_either() {
    let server = Server::start(|asked| match asked.is_tcp {
        // Nothing for longer than there is time.
        true => {
            std::thread::sleep(Duration::from_millis(600));
            Vec::new()
        }
        false => vec![truncated(asked.answer(0, &[]))],
    });
    let begin = Instant::now();
    let error = discovery()
        .with_timeout(Duration::from_millis(300))
        .resolve_with(&[server.address()])
        .unwrap_err();
    assert!(begin.elapsed() < Duration::from_secs(2), "{error}");
}

#[test]
fn a_lost_packet_is_sent_again() {
    let asked_before = AtomicU32::new(0);
    let server = answering(
        move |asked| match asked_before.fetch_add(1, Ordering::SeqCst) {
            0 => Vec::new(),
            _ => vec![good(asked)],
        },
    );
    let mut discovery = discovery().with_timeout(Duration::from_secs(2));
    assert_eq!(texts(discovery.resolve_with(&[server.address()])), [GOOD]);
}

#[test]
fn the_next_server_is_asked_when_one_is_silent_gone_or_refuses() {
    let good = answering(|asked| vec![good(asked)]);
    let silent = Server::start(|_| Vec::new());
    let refusing = Server::start(|asked| vec![asked.answer(5, &[])]);
    let gone = {
        let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        socket.local_addr().unwrap()
    };
    let malformed = Server::start(|asked| {
        let mut bytes = asked.answer(0, &[srv(0, 0, 1, "evil.example.com")]);
        bytes.truncate(bytes.len() - 4);
        vec![bytes]
    });
    for first in [
        silent.address(),
        refusing.address(),
        gone,
        malformed.address(),
    ] {
        assert_eq!(texts(resolve_all(&[first, good.address()])), [GOOD]);
    }
}

#[test]
fn no_other_server_is_asked_for_a_name_that_does_not_exist() {
    let first = Server::with_records(&[]);
    let second = answering(|asked| vec![good(asked)]);
    let found = resolve_all(&[first.address(), second.address()]);
    assert_eq!(failure(found), LookupError::NotFound);
}

#[test]
fn a_server_that_refuses_is_told_and_asked_once() {
    let count = Arc::new(AtomicU32::new(0));
    let counted = Arc::clone(&count);
    let server = answering(move |asked| {
        counted.fetch_add(1, Ordering::SeqCst);
        vec![asked.answer(2, &[])]
    });
    assert_eq!(failure(resolve(&server)), LookupError::Refused { code: 2 });
    assert_eq!(count.load(Ordering::SeqCst), 1);
}

#[test]
fn the_name_in_an_answer_may_be_in_other_letters_and_another_name() {
    let server = answering(|asked| {
        // Type and class are no letters, so they stay.
        let question = asked.question.to_ascii_uppercase();
        let target = name("srv.example.org");
        let data = [vec![0, 0, 0, 0, 9, 75], name("a.example.com")].concat();
        let evil = [vec![0, 0, 0, 0, 9, 75], name("evil.example.com")].concat();
        vec![message(
            asked.id,
            0,
            &question,
            &[
                record(&name("other.example.org"), 33, &evil),
                record(&name("SRV.example.org"), 33, &data),
                record(&QUESTION_NAME, 5, &target),
            ],
        )]
    });
    assert_eq!(texts(resolve(&server)), [GOOD]);
}

#[test]
fn a_circle_of_names_is_malformed() {
    let server =
        answering(|asked| vec![asked.answer(0, &[record(&QUESTION_NAME, 5, &QUESTION_NAME)])]);
    assert_eq!(failure(resolve(&server)), LookupError::Malformed);
}

#[test]
fn a_name_that_points_to_itself_is_malformed() {
    let server = answering(|asked| {
        // Where the target of the first record is: behind its owner, type, class, time, length and numbers.
        let at = 12 + asked.question.len() + 2 + 10 + 6;
        let at = u16::try_from(at).unwrap() | 0xc000;
        let data = [vec![0; 6], at.to_be_bytes().to_vec()].concat();
        vec![asked.answer(0, &[record(&QUESTION_NAME, 33, &data)])]
    });
    assert_eq!(failure(resolve(&server)), LookupError::Malformed);
}

#[test]
fn a_domain_may_say_that_it_has_no_such_service() {
    let server = Server::with_records(&[(TLS, 0, 0, 0, ".")]);
    let error = resolve(&server).unwrap_err();
    let DiscoveryError::NoneUsable { skipped, .. } = error else {
        panic!("{error}");
    };
    assert_eq!(skipped[0].reason, SkipReason::NotAvailable);
}

#[test]
fn targets_that_are_no_hosts_are_skipped_and_told() {
    let server = Server::with_records(&[
        (TLS, 0, 0, 2379, "a.example.com"),
        (TLS, 0, 0, 2379, "b c.example.com"),
        (TLS, 0, 0, 2379, "user@d.example.com"),
        (TLS, 0, 0, 0, "e.example.com"),
    ]);
    let mut discovery = discovery();
    let found = discovery.resolve_with(&[server.address()]);
    assert_eq!(texts(found), [GOOD]);
    assert_eq!(discovery.skipped().len(), 3, "{:?}", discovery.skipped());
}

#[test]
fn each_resolve_begins_anew() {
    let count = AtomicU32::new(0);
    let server = answering(move |asked| {
        vec![match count.fetch_add(1, Ordering::SeqCst) {
            0 => good(asked),
            1 => asked.answer(0, &[srv(0, 0, 2379, "b.example.com")]),
            _ => asked.answer(NXDOMAIN, &[]),
        }]
    });
    let mut discovery = discovery();
    let servers = [server.address()];
    assert_eq!(texts(discovery.resolve_with(&servers)), [GOOD]);
    let second = texts(discovery.resolve_with(&servers));
    assert_eq!(second, ["https://b.example.com:2379"]);
    assert_eq!(
        failure(discovery.resolve_with(&servers)),
        LookupError::NotFound
    );
}

#[test]
fn the_longest_time_is_no_trouble() {
    let server = answering(|asked| vec![good(asked)]);
    let mut discovery = discovery().with_timeout(Duration::MAX);
    assert_eq!(texts(discovery.resolve_with(&[server.address()])), [GOOD]);
}
