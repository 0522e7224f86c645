//! The machine without a resolver: names, answers in any order, and outcomes.
#![allow(clippy::unwrap_used, reason = "it is a test")]

use etcd_discovery::Discovery;
use etcd_discovery::DiscoveryError;
use etcd_discovery::LookupError;
use etcd_discovery::Query;
use etcd_discovery::SkipReason;
use etcd_discovery::Srv;
use proptest::prelude::*;

fn discovery() -> Discovery {
    Discovery::new("example.com").unwrap()
}

fn both(discovery: &mut Discovery) -> (Query, Query) {
    let (tls, plain) = (discovery.poll_query(), discovery.poll_query());
    (tls.unwrap(), plain.unwrap())
}

fn srv(target: &str) -> Srv {
    Srv::new(0, 0, 2379, target)
}

#[test]
fn answers_may_come_in_any_order() {
    let outcome = |turned: bool| {
        let mut discovery = discovery().allow_insecure();
        let (tls, plain) = both(&mut discovery);
        let (a, b) = (Ok(vec![srv("a")]), Ok(vec![srv("b")]));
        if turned {
            discovery.handle_answer(plain, b);
            discovery.handle_answer(tls, a);
        } else {
            discovery.handle_answer(tls, a);
            discovery.handle_answer(plain, b);
        }
        discovery.outcome().unwrap()
    };
    assert_eq!(outcome(false), outcome(true));
    assert!(outcome(false)[0].is_tls());
}

#[test]
fn both_lookups_have_to_fail() {
    let errors = || [LookupError::TimedOut, LookupError::NotFound];
    for error in errors() {
        let mut discovery = discovery().allow_insecure();
        let (tls, plain) = both(&mut discovery);
        discovery.handle_answer(tls, Err(error));
        discovery.handle_answer(plain, Ok(vec![srv("a")]));
        assert_eq!(discovery.outcome().unwrap().len(), 1);
    }
    let mut discovery = discovery();
    let (tls, plain) = both(&mut discovery);
    discovery.handle_answer(tls, Err(LookupError::TimedOut));
    assert_eq!(
        discovery.outcome().unwrap_err(),
        DiscoveryError::LookupsFailed {
            tls: LookupError::TimedOut,
            plain: LookupError::Unanswered
        }
    );
    discovery.handle_answer(plain, Err(LookupError::NotFound));
    assert_eq!(
        discovery.outcome().unwrap_err().to_string(),
        "lookup with TLS: no answer of a name server in time; without: no such records"
    );
}

#[test]
fn late_answers_and_those_of_others_change_nothing() {
    let mut discovery = discovery();
    let (late, _) = both(&mut discovery);
    discovery.restart();
    discovery.handle_answer(late, Ok(vec![srv("a")]));
    assert!(discovery.outcome().is_err());

    let (mut ours, mut other) = (self::discovery(), Discovery::new("example.org").unwrap());
    let _ = both(&mut ours);
    ours.handle_answer(both(&mut other).0, Ok(vec![srv("a")]));
    assert!(ours.outcome().is_err());
}

#[test]
fn nothing_usable_is_told_with_its_reasons() {
    let mut discovery = discovery();
    let (tls, plain) = both(&mut discovery);
    discovery.handle_answer(tls, Ok(vec![srv(".")]));
    discovery.handle_answer(plain, Ok((0..9).map(|at| srv(&format!("p{at}"))).collect()));
    let error = discovery.outcome().unwrap_err();
    let text = error.to_string();
    let DiscoveryError::NoneUsable { skipped, failed } = error else {
        panic!("{error}");
    };
    assert_eq!((skipped.len(), failed), (10, None));
    assert_eq!(skipped[0].reason, SkipReason::NotAvailable);
    assert!(
        text.contains("no such service") && text.contains("no TLS"),
        "{text}"
    );
    assert!(text.ends_with("; and 5 more"), "{text}");
}

#[test]
fn a_server_that_is_named_twice_is_there_once() {
    let mut discovery = discovery();
    let (tls, _) = both(&mut discovery);
    let records = vec![srv("a."), srv("a"), Srv::new(3, 9, 2379, "a"), srv("a")];
    discovery.handle_answer(tls, Ok(records));
    assert_eq!(discovery.outcome().unwrap().len(), 1);
}

#[test]
fn whether_servers_without_tls_are_allowed_does_not_move_the_others() {
    let outcome = |discovery: Discovery| {
        let mut discovery = discovery.with_seed(5);
        let (tls, plain) = both(&mut discovery);
        let records = |prefix: &str| (0..9).map(|at| srv(&format!("{prefix}{at}"))).collect();
        discovery.handle_answer(tls, Ok(records("t")));
        discovery.handle_answer(plain, Ok(records("p")));
        discovery.outcome().unwrap()
    };
    let (strict, lax) = (outcome(discovery()), outcome(discovery().allow_insecure()));
    assert_eq!(strict, lax[..9]);
    assert_eq!(lax.len(), 18);
}

proptest! {
    #[test]
    fn whatever_the_records_say_an_outcome_is_usable_and_each_server_accounted_for(
        records in prop::collection::vec((0..4_u16, any::<u16>(), any::<u16>(), "\\PC{0,20}"), 0..30),
        seed in any::<u64>(),
    ) {
        let mut discovery = discovery().with_seed(seed);
        let (tls, _) = both(&mut discovery);
        let mut records: Vec<Srv> = records
            .into_iter()
            .map(|(priority, weight, port, target)| Srv::new(priority, weight, port, target))
            .collect();
        discovery.handle_answer(tls, Ok(records.clone()));
        records.sort();
        records.dedup();
        let skipped = discovery.skipped().len();
        match discovery.outcome() {
            Ok(endpoints) => {
                prop_assert!(!endpoints.is_empty());
                prop_assert!(endpoints.iter().all(|endpoint| endpoint.is_tls()));
                prop_assert!(endpoints.len() + skipped <= records.len());
                for endpoint in endpoints {
                    prop_assert!(records.iter().any(|srv| srv.target.contains(endpoint.host())));
                }
            }
            Err(error) => {
                prop_assert_eq!(skipped, records.len());
                prop_assert!(!error.to_string().contains('\n'));
            }
        }
    }

    #[test]
    fn any_text_is_a_domain_or_refused(text in "\\PC{0,80}", name in "\\PC{0,60}") {
        let Ok(discovery) = Discovery::new(&text) else { return Ok(()) };
        let Ok(mut discovery) = discovery.with_service_name(&name) else { return Ok(()) };
        let query = discovery.poll_query().unwrap();
        prop_assert!(query.name().len() <= 253 && query.name().is_ascii());
    }
}
