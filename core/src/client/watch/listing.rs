//! Reading the range of a watch page by page, at one revision, and what of it is news (rule W-16).
//!
//! The first page is read at the newest revision and all others at that one. How many keys a page may have
//! is told from how large those of the last one were, at most doubled from page to page; an answer over
//! the client's limit is asked for again with a quarter. Each page covers the keys from where it was asked
//! for up to its last one, so what is known there and not on it is gone.
//!
//! It knows no connections, no time and no watches.

use bytes::Bytes;
use bytes::BytesMut;

use super::compaction::KnownKeys;
use super::resynced::Resynced;
use crate::api::KeyRange;
use crate::api::KeyValue;
use crate::api::Range;
use crate::api::RangeResponse;
use crate::error::ProtocolError;

/// The most keys of the first page: with the largest values etcd takes by default it is 24 MiB.
const FIRST_KEYS: i64 = 16;
/// The most keys of any page: large values may follow small ones.
const PAGE_KEYS: i64 = 1000;

/// A range that is being read.
#[derive(Debug)]
pub(super) struct Listing {
    range: KeyRange,
    /// What the next page is asked with; its revision is set with the first answer.
    next: Range,
    page_bytes: usize,
}

/// One page.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Page {
    /// The keys in it are all the keys there.
    pub(super) covers: KeyRange,
    pub(super) kvs: Vec<KeyValue>,
    pub(super) is_last: bool,
}

impl Listing {
    /// Reads a range in answers of about so many bytes.
    pub(super) fn new(range: KeyRange, page_bytes: usize) -> Self {
        let mut next = Range::new(range.clone());
        next.limit = FIRST_KEYS.min(keys_in(page_bytes, 1024));
        Self {
            range,
            next,
            page_bytes,
        }
    }

    /// Leaves out the values.
    pub(super) fn with_keys_only(mut self) -> Self {
        self.next.keys_only = true;
        self
    }

    /// The call to make next.
    pub(super) const fn request(&self) -> &Range {
        &self.next
    }

    /// The revision it is read at; 0 before the first answer.
    pub(super) const fn revision(&self) -> i64 {
        self.next.revision
    }

    /// Begins with the first page again, at the newest revision.
    pub(super) fn begin_anew(&mut self) {
        self.next.range = self.range.clone();
        self.next.revision = 0;
    }

    /// The last answer was too large. Whether less can be asked for.
    pub(super) fn ask_for_less(&mut self) -> bool {
        let less = self.next.limit > 1;
        self.next.limit = (self.next.limit / 4).max(1);
        less
    }

    /// Takes the answer to the last call. An error if it cannot be one.
    pub(super) fn handle_answer(&mut self, answer: RangeResponse) -> Result<Page, ProtocolError> {
        let asked = &self.next;
        let kvs = answer.kvs;
        let revision = match asked.revision {
            0 => answer.header.revision,
            pinned => pinned,
        };
        // So each page begins behind the last, whatever the server says, and there is an end.
        let ascends = kvs.windows(2).all(|pair| match pair {
            [one, next] => one.key < next.key,
            _ => true,
        });
        let is_inside = |kv: &KeyValue| asked.range.contains(&kv.key);
        let inside = kvs.first().is_none_or(is_inside) && kvs.last().is_none_or(is_inside);
        let few = i64::try_from(kvs.len()).is_ok_and(|keys| keys <= asked.limit);
        if !ascends || !inside || !few || revision <= 0 {
            return Err(ProtocolError::BrokenPage);
        }
        let mut covers = asked.range.clone();
        let is_last = !answer.more || covers.range_end.is_empty();
        if !is_last {
            let last = kvs.last().ok_or(ProtocolError::BrokenPage)?;
            let behind = behind(&last.key);
            self.next.range.key = behind.clone();
            covers.range_end = behind;
        }
        self.next.revision = revision;
        self.adapt(&kvs);
        Ok(Page {
            covers,
            kvs,
            is_last,
        })
    }

    /// Guesses how many keys make the bytes of a page, if they are as large as these.
    fn adapt(&mut self, kvs: &[KeyValue]) {
        let sizes = kvs.iter().map(|kv| {
            // Base64, names and numbers.
            let stored = kv.key.len().saturating_add(kv.value.len());
            stored.saturating_add(stored / 3).saturating_add(120)
        });
        let bytes = sizes.fold(0_usize, usize::saturating_add);
        if let Some(each) = bytes.checked_div(kvs.len()) {
            let most = self.next.limit.saturating_mul(2).min(PAGE_KEYS);
            self.next.limit = keys_in(self.page_bytes, each).min(most);
        }
    }
}

/// What a page tells who knows these keys, in the order of the keys. They are known as they are on it from
/// now on.
pub(super) fn differences(known: &mut KnownKeys, page: Page) -> Vec<Resynced> {
    let gone = |(key, mod_revision): (&[u8], i64)| Resynced::Gone {
        key: Bytes::copy_from_slice(key),
        mod_revision,
    };
    let mut news = Vec::new();
    let mut before = known.part(&page.covers).peekable();
    for kv in page.kvs {
        while let Some(old) = before.next_if(|(key, _)| *key < &kv.key[..]) {
            news.push(gone(old));
        }
        let old = before.next_if(|(key, _)| *key == &kv.key[..]);
        if old.is_none_or(|(_, mod_revision)| mod_revision != kv.mod_revision) {
            news.push(Resynced::Found(kv));
        }
    }
    news.extend(before.map(gone));
    for one in &news {
        match one {
            Resynced::Found(kv) => known.insert(&kv.key, kv.mod_revision),
            Resynced::Gone { key, .. } => known.remove(key),
        }
    }
    news
}

/// The first key behind this one.
fn behind(key: &Bytes) -> Bytes {
    let mut next = BytesMut::with_capacity(key.len() + 1);
    next.extend_from_slice(key);
    next.extend_from_slice(&[0]);
    next.freeze()
}

fn keys_in(bytes: usize, each: usize) -> i64 {
    i64::try_from(bytes / each.max(1))
        .unwrap_or(i64::MAX)
        .max(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kv(key: &str, mod_revision: i64) -> KeyValue {
        KeyValue {
            key: Bytes::copy_from_slice(key.as_bytes()),
            mod_revision,
            ..KeyValue::default()
        }
    }

    fn answer(revision: i64, more: bool, kvs: &[KeyValue]) -> RangeResponse {
        let mut answer = RangeResponse::default();
        answer.header.revision = revision;
        answer.more = more;
        answer.kvs = kvs.to_vec();
        answer
    }

    fn listing() -> Listing {
        Listing::new(KeyRange::prefix("k/"), 1 << 20)
    }

    #[test]
    fn all_pages_are_read_at_the_revision_of_the_first() {
        let mut listing = listing();
        assert_eq!(
            (listing.request().revision, listing.request().limit),
            (0, 16)
        );
        let first = listing
            .handle_answer(answer(9, true, &[kv("k/b", 3)]))
            .unwrap();
        assert_eq!(first.covers, KeyRange::range("k/", "k/b\0"));
        assert!(!first.is_last);
        let next = listing.request();
        assert_eq!((next.revision, &next.range.key[..]), (9, &b"k/b\0"[..]));
        // A header tells the newest revision; the page is of the pinned one.
        let last = listing.handle_answer(answer(12, false, &[])).unwrap();
        assert_eq!(last.covers, KeyRange::range("k/b\0", "k0"));
        assert_eq!((last.is_last, listing.revision()), (true, 9));
        listing.begin_anew();
        assert_eq!(listing.request().range, KeyRange::prefix("k/"));
        assert_eq!(listing.revision(), 0);
    }

    #[test]
    fn a_page_is_bounded_by_bytes() {
        let mut large = kv("k/a", 1);
        large.value = vec![0; 300 << 10].into();
        let mut listing = listing();
        listing.handle_answer(answer(9, true, &[large])).unwrap();
        assert_eq!(listing.request().limit, 2);
        assert!(listing.ask_for_less());
        assert!(!listing.ask_for_less());
        listing
            .handle_answer(answer(9, true, &[kv("k/b", 1)]))
            .unwrap();
        assert_eq!(listing.request().limit, 2);
        assert_eq!(Listing::new(KeyRange::all(), 10).request().limit, 1);
    }

    #[test]
    fn what_cannot_be_a_page_is_none() {
        let two = [kv("k/a", 1), kv("k/a", 2)];
        for bad in [
            answer(0, false, &[]),
            answer(9, true, &[]),
            answer(9, false, &two),
            answer(9, false, &[kv("other", 1)]),
            answer(9, false, &vec![kv("k/a", 1); 17]),
        ] {
            assert_eq!(listing().handle_answer(bad), Err(ProtocolError::BrokenPage));
        }
    }

    #[test]
    fn a_single_key_is_one_page_whatever_the_server_says() {
        let mut listing = Listing::new(KeyRange::key("k"), 1 << 20);
        let page = listing
            .handle_answer(answer(9, true, &[kv("k", 1)]))
            .unwrap();
        assert!(page.is_last);
    }

    #[test]
    fn w16_what_is_known_and_not_on_the_page_is_gone() {
        let mut known = KnownKeys::from_iter([("a", 1), ("b", 2), ("d", 3), ("f", 4), ("x", 5)]);
        let page = Page {
            covers: KeyRange::range("a", "f\0"),
            kvs: vec![kv("b", 2), kv("c", 7), kv("d", 8)],
            is_last: false,
        };
        let told = differences(&mut known, page);
        let told: Vec<_> = told
            .iter()
            .map(|one| match one {
                Resynced::Found(kv) => format!("+{}@{}", kv.key_str().unwrap(), kv.mod_revision),
                Resynced::Gone { key, mod_revision } => {
                    format!("-{}@{mod_revision}", String::from_utf8_lossy(key))
                }
            })
            .collect();
        assert_eq!(told, ["-a@1", "+c@7", "+d@8", "-f@4"]);
        let after = KnownKeys::from_iter([("b", 2), ("c", 7), ("d", 8), ("x", 5)]);
        assert_eq!((known.bytes(), &known), (after.bytes(), &after));
    }
}
