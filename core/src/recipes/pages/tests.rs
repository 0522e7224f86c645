//! Pages against a small store: whatever the sizes, they are together what one read would be.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;
use crate::api::ResponseHeader;
use crate::error::Code;
use crate::error::Known;
use crate::error::Status;

/// What a server has at one revision.
type Store = BTreeMap<Vec<u8>, usize>;

/// Answers as etcd does, at revision 7, while the store itself is already further.
fn answer(store: &Store, range: &Range) -> RangeResponse {
    let found: Vec<_> = store
        .iter()
        .filter(|(key, _)| range.range.contains(key))
        .collect();
    let limit = usize::try_from(range.limit).unwrap();
    assert!(limit > 0, "every page has a limit");
    RangeResponse {
        header: ResponseHeader {
            revision: if range.revision == 0 { 7 } else { 99 },
            ..ResponseHeader::default()
        },
        kvs: found
            .iter()
            .take(limit)
            .map(|(key, len)| kv(key, **len))
            .collect(),
        more: found.len() > limit,
        count: number(found.len()),
    }
}

fn kv(key: &[u8], len: usize) -> KeyValue {
    KeyValue {
        key: Bytes::copy_from_slice(key),
        value: vec![b'v'; len].into(),
        ..KeyValue::default()
    }
}

/// All pages, and what was asked for each.
fn read(mut pages: Pages, store: &Store) -> (Vec<Page>, Vec<Range>) {
    let (mut all, mut asked) = (Vec::new(), Vec::new());
    while let Some(range) = pages.poll_request() {
        assert!(asked.len() <= store.len() + 1, "too many pages");
        pages.handle_answer(Ok(answer(store, &range)));
        asked.push(range);
        all.push(pages.poll_page().unwrap().unwrap());
    }
    assert!(pages.is_ended());
    assert_eq!(pages.poll_page(), None);
    (all, asked)
}

fn store(keys: impl IntoIterator<Item = (u32, usize)>) -> Store {
    keys.into_iter()
        .map(|(key, len)| (format!("k{key:06}").into_bytes(), len))
        .collect()
}

proptest! {
    #[test]
    fn pages_are_together_one_read(
        keys in prop::collection::btree_map(prop::collection::vec(any::<u8>(), 1..4), 0_usize..3000, 0..60),
        range in prop_oneof![
            Just(Range::all()),
            prop::collection::vec(any::<u8>(), 1..3).prop_map(Range::prefix),
            prop::collection::vec(any::<u8>(), 1..3).prop_map(Range::from_key),
            prop::collection::vec(any::<u8>(), 1..3).prop_map(Range::key),
        ],
        limit in 0_i64..80,
        page_bytes in 0_usize..20_000,
        page_keys in 0_usize..20,
    ) {
        let range = range.with_limit(limit);
        let pages = Pages::new(range.clone()).with_page_bytes(page_bytes).with_page_keys(page_keys);
        let (pages, asked) = read(pages, &keys);
        let whole = answer(&keys, &range.clone().with_limit(if limit == 0 { 1000 } else { limit }));
        let kvs: Vec<_> = pages.iter().flat_map(|page| page.kvs.clone()).collect();
        prop_assert_eq!(&kvs, &whole.kvs);
        prop_assert_eq!(pages.last().unwrap().more, whole.more);
        for page in &pages {
            prop_assert_eq!((page.count, page.revision), (whole.count, 7));
        }
        for range in &asked[1..] {
            prop_assert_eq!(range.revision, 7);
        }
    }
}

#[test]
fn an_answer_stays_near_its_bytes() {
    // Small values, then large ones, then small ones again.
    let sizes = |key: u32| match key {
        0..4000 => 10,
        4000..5000 => 20_000,
        _ => 10,
    };
    let store = store((0..9000).map(|key| (key, sizes(key))));
    let (pages, _) = read(Pages::new(Range::all()), &store);
    let bytes = |page: &Page| -> usize {
        page.kvs
            .iter()
            .map(|kv| answer_bytes(kv.key.len(), kv.value.len()))
            .sum()
    };
    let over: Vec<_> = pages
        .iter()
        .filter(|page| bytes(page) > PAGE_BYTES * 2)
        .collect();
    // Where the large values begin, one page cannot know.
    assert_eq!(
        over.len(),
        1,
        "{:?}",
        pages.iter().map(bytes).collect::<Vec<_>>()
    );
    assert!(pages.len() < 60, "{} pages", pages.len());
    let large = pages
        .iter()
        .filter(|page| page.kvs[0].value.len() == 20_000);
    for page in large {
        assert!(page.kvs.len() <= 40, "{}", page.kvs.len());
    }
}

#[test]
fn an_answer_over_the_limit_is_asked_for_again_with_fewer_keys() {
    let mut pages = Pages::new(Range::all());
    let mut limits = Vec::new();
    while let Some(range) = pages.poll_request() {
        limits.push(range.limit);
        pages.handle_answer(Err(Error::Limit {
            limit: Limit::Body(9),
            applied: Applied::No,
        }));
    }
    assert_eq!(limits, [128, 32, 8, 2, 1]);
    assert!(matches!(pages.poll_page(), Some(Err(Error::Limit { .. }))));
    assert!(pages.is_ended());
}

#[test]
fn a_revision_compacted_meanwhile_ends_it_and_says_which() {
    let compacted = || {
        let status = Status::new(Code::OUT_OF_RANGE, Known::Compacted.message());
        let applied = Applied::No;
        Err(Error::Etcd { status, applied })
    };
    let store = store((0..5).map(|key| (key, 1)));
    let mut pages = Pages::new(Range::all()).with_page_keys(2);
    let first = pages.poll_request().unwrap();
    pages.handle_answer(Ok(answer(&store, &first)));
    assert!(pages.poll_page().unwrap().is_ok());
    pages.poll_request().unwrap();
    pages.handle_answer(compacted());
    let error = pages.poll_page().unwrap().unwrap_err();
    assert_eq!(error, Error::Compacted { revision: 7 });
    assert!(error.is_compacted() && error.is_not_applied() && !error.is_retryable_read());
    assert_eq!(
        error.to_string(),
        "revision 7 was compacted while it was read page by page; start reading again"
    );
    assert_eq!((pages.poll_request(), pages.poll_page()), (None, None));

    // One that was compacted before the start.
    let mut pages = Pages::new(Range::all().with_revision(3));
    assert_eq!(pages.poll_request().unwrap().revision, 3);
    pages.handle_answer(compacted());
    assert_eq!(
        pages.poll_page(),
        Some(Err(Error::Compacted { revision: 3 }))
    );
}

#[test]
fn a_server_that_breaks_the_order_is_not_followed() {
    let range = || Range::range("b", "f");
    let with = |keys: &[&str], more: bool, revision: i64| RangeResponse {
        header: ResponseHeader {
            revision,
            ..ResponseHeader::default()
        },
        kvs: keys.iter().map(|key| kv(key.as_bytes(), 0)).collect(),
        more,
        count: 9,
    };
    for (what, answer) in [
        ("before the range", with(&["a", "b"], false, 7)),
        ("behind the range", with(&["b", "f"], false, 7)),
        ("descending", with(&["c", "b"], false, 7)),
        ("twice", with(&["b", "b"], false, 7)),
        ("more than asked", with(&["b", "c", "d", "e"], false, 7)),
        ("more behind nothing", with(&[], true, 7)),
        ("no revision to stay at", with(&["b"], true, 0)),
    ] {
        let mut pages = Pages::new(range()).with_page_keys(3);
        pages.poll_request();
        pages.handle_answer(Ok(answer));
        assert_eq!(pages.poll_page(), Some(Err(broken())), "{what}");
        assert!(pages.is_ended(), "{what}");
    }
    // A page that begins again where the last one began.
    let mut pages = Pages::new(range()).with_page_keys(3);
    pages.poll_request();
    pages.handle_answer(Ok(with(&["b", "c"], true, 7)));
    assert!(pages.poll_page().unwrap().is_ok());
    pages.poll_request();
    pages.handle_answer(Ok(with(&["c", "d"], true, 7)));
    assert_eq!(pages.poll_page(), Some(Err(broken())));
}

#[test]
fn what_was_not_asked_for_changes_nothing() {
    let mut pages = Pages::new(Range::all());
    pages.handle_answer(Err(broken()));
    assert_eq!(pages.poll_page(), None);
    assert!(pages.poll_request().is_some());
}

#[test]
fn only_keys_in_their_order_are_paged() {
    let ascending = Range::all().with_sort(SortTarget::Key, SortOrder::Ascend);
    assert!(
        Pages::new(ascending.with_keys_only())
            .poll_request()
            .unwrap()
            .keys_only
    );
    let mut by_value = Range::all();
    by_value.sort_target = SortTarget::Value;
    for range in [
        Range::all().with_count_only(),
        Range::all().with_sort(SortTarget::Key, SortOrder::Descend),
        Range::last_by_mod("a"),
        by_value,
    ] {
        let mut pages = Pages::new(range);
        assert_eq!(pages.poll_request(), None);
        assert_eq!(
            pages.poll_page(),
            Some(Err(Error::Misuse(Misuse::NotPaged)))
        );
        assert!(pages.is_ended());
    }
    let mut pages = Pages::new(Range::key(""));
    assert_eq!(
        pages.poll_page(),
        Some(Err(Error::Misuse(Misuse::EmptyKey)))
    );
}
