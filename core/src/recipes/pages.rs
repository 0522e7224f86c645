//! A large range, page by page, at one revision.
//!
//! The first page is read at the newest revision, unless another was asked for, and all pages after
//! it at the revision of the first: together they are what one read of everything would have been.
//! A page begins right behind the last key of the one before, so nothing is read twice.
//!
//! How many keys the next page may have is told from how large the keys of the last one were, so
//! that an answer stays near a number of bytes. It at most doubles from page to page: where small
//! values are followed by large ones, one answer may be larger, and the next is not. An answer over
//! the client's own limit is asked for again with a quarter of the keys.
//!
//! It knows no connections and no time. etcd may compact the revision while it is read; then
//! the rest is gone, and the error says so.

use bytes::Bytes;
use bytes::BytesMut;

use crate::api::Call;
use crate::api::KeyRange;
use crate::api::KeyValue;
use crate::api::Range;
use crate::api::RangeResponse;
use crate::api::SortOrder;
use crate::api::SortTarget;
use crate::error::Applied;
use crate::error::Cause;
use crate::error::Error;
use crate::error::Limit;
use crate::error::Misuse;
use crate::error::ProtocolError;

/// Reads a range page by page, at one revision, in the order of the keys.
///
/// Ask [`poll_request`](Self::poll_request) which call to make, give its answer to
/// [`handle_answer`](Self::handle_answer), and take what came from [`poll_page`](Self::poll_page).
///
/// A limit of the range is kept: it is how many keys there are on all pages together. Filters by
/// revision work too, but with one the server reads the whole rest of the range for each page.
///
/// ```
/// use etcd_core::recipes::Pages;
/// use etcd_core::{Range, RangeResponse};
///
/// let mut pages = Pages::new(Range::prefix("a/")).with_page_keys(1);
/// let first = pages.poll_request().unwrap();
/// assert_eq!((first.limit, first.revision), (1, 0));
///
/// let json = r#"{"header":{"revision":"7"},"kvs":[{"key":"YS9i"}],"more":true,"count":"2"}"#;
/// let answer: RangeResponse = serde_json::from_str(json)?;
/// pages.handle_answer(Ok(answer));
/// let page = pages.poll_page().unwrap()?;
/// assert_eq!((page.kvs.len(), page.count, page.more, page.revision), (1, 2, true, 7));
///
/// // The next page is read at the revision of the first, and begins right after its last key.
/// let second = pages.poll_request().unwrap();
/// assert_eq!(second.revision, 7);
/// assert_eq!(&second.range.key[..], b"a/b\0");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug)]
#[must_use]
pub struct Pages {
    /// What the next page is asked with; its revision is set with the first answer.
    next: Range,
    /// How many keys may still come, if there is a limit.
    left: Option<i64>,
    page_bytes: usize,
    page_keys: i64,
    /// How many keys the next page may have.
    guess: i64,
    /// How many keys the whole range has, once it is known.
    count: Option<i64>,
    state: State,
}

#[derive(Clone, Debug)]
enum State {
    /// The next page can be asked for.
    Ready,
    /// It was.
    Asked,
    /// This is to be taken; whether there is more behind it.
    Told(Box<Result<Page, Error>>, bool),
    Ended,
}

/// One page.
///
/// ```
/// use etcd_core::recipes::Pages;
/// use etcd_core::{Range, RangeResponse};
///
/// let mut pages = Pages::new(Range::all());
/// pages.poll_request();
/// pages.handle_answer(Ok(RangeResponse::default()));
/// let page = pages.poll_page().unwrap()?;
/// assert_eq!((page.count, page.more), (0, false));
/// # Ok::<(), etcd_core::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Page {
    /// The keys and their values, in the order of the keys.
    pub kvs: Vec<KeyValue>,
    /// Whether the range has keys behind this page. On the last page that is so only if a limit of
    /// the range kept them out.
    pub more: bool,
    /// How many keys the whole range has, the same on all pages. Filters by revision and a limit do
    /// not lower it.
    pub count: i64,
    /// The revision that all pages are read at. To go on with a watch, start it at the next one.
    pub revision: i64,
}

impl Pages {
    /// Reads this range page by page.
    ///
    /// ```
    /// use etcd_core::recipes::Pages;
    /// use etcd_core::{Error, Misuse, Range, SortOrder, SortTarget};
    ///
    /// // Pages come in the order of their keys.
    /// let latest = Range::all().with_sort(SortTarget::Mod, SortOrder::Descend);
    /// let mut pages = Pages::new(latest);
    /// assert!(pages.poll_request().is_none());
    /// assert_eq!(pages.poll_page(), Some(Err(Error::Misuse(Misuse::NotPaged))));
    /// assert_eq!(pages.poll_page(), None);
    /// ```
    pub fn new(range: impl Into<Range>) -> Self {
        let range = range.into();
        let ordered =
            range.sort_target == SortTarget::Key && range.sort_order != SortOrder::Descend;
        let misuse = if ordered && !range.count_only {
            range.check().err()
        } else {
            Some(Misuse::NotPaged)
        };
        let state = match misuse {
            Some(misuse) => State::Told(Box::new(Err(Error::Misuse(misuse))), false),
            None => State::Ready,
        };
        Self {
            left: (range.limit > 0).then_some(range.limit),
            // Ascending keys are the server's own order; any explicit one makes it read everything.
            next: range.with_sort(SortTarget::Key, SortOrder::Ascend),
            page_bytes: PAGE_BYTES,
            page_keys: PAGE_KEYS,
            guess: FIRST_KEYS,
            count: None,
            state,
        }
    }

    /// Aims at answers of about this many bytes, as they come from the server. 1 MiB by default; a
    /// page has at least one key, however large.
    ///
    /// ```
    /// use etcd_core::recipes::Pages;
    /// use etcd_core::Range;
    ///
    /// let mut pages = Pages::new(Range::all()).with_page_bytes(64 * 1024);
    /// assert_eq!(pages.poll_request().unwrap().limit, 64);
    /// ```
    pub fn with_page_bytes(mut self, bytes: usize) -> Self {
        self.page_bytes = bytes;
        self.guess = number(bytes / FIRST_KEY_BYTES).clamp(1, FIRST_KEYS);
        self
    }

    /// Asks for at most this many keys a page. 10,000 by default; less than 1 is 1.
    ///
    /// ```
    /// use etcd_core::recipes::Pages;
    /// use etcd_core::Range;
    ///
    /// let mut pages = Pages::new(Range::all()).with_page_keys(10);
    /// assert_eq!(pages.poll_request().unwrap().limit, 10);
    /// ```
    pub fn with_page_keys(mut self, keys: usize) -> Self {
        self.page_keys = number(keys).max(1);
        self
    }

    /// The call to make next. None while the last one is not answered, its page not taken, and at
    /// the end.
    ///
    /// ```
    /// use etcd_core::recipes::Pages;
    /// use etcd_core::Range;
    ///
    /// let mut pages = Pages::new(Range::all());
    /// assert!(pages.poll_request().is_some());
    /// assert!(pages.poll_request().is_none());
    /// ```
    pub fn poll_request(&mut self) -> Option<Range> {
        if !matches!(self.state, State::Ready) {
            return None;
        }
        self.state = State::Asked;
        self.next.limit = self
            .guess
            .min(self.page_keys)
            .min(self.left.unwrap_or(i64::MAX));
        Some(self.next.clone())
    }

    /// Takes the answer to the last call. One that was not asked for changes nothing.
    ///
    /// ```
    /// use etcd_core::recipes::Pages;
    /// use etcd_core::{Applied, Error, Range};
    ///
    /// let mut pages = Pages::new(Range::all());
    /// pages.poll_request();
    /// pages.handle_answer(Err(Error::Canceled { applied: Applied::No }));
    /// assert!(pages.poll_page().unwrap().is_err());
    /// assert!(pages.poll_request().is_none() && pages.poll_page().is_none());
    /// ```
    pub fn handle_answer(&mut self, answer: Result<RangeResponse, Error>) {
        if !matches!(self.state, State::Asked) {
            return;
        }
        self.state = match answer {
            Ok(answer) => match self.page(answer) {
                Ok((page, goes_on)) => State::Told(Box::new(Ok(page)), goes_on),
                Err(error) => State::Told(Box::new(Err(error)), false),
            },
            Err(Error::Limit {
                limit: Limit::Body(_),
                ..
            }) if self.next.limit > 1 => {
                self.guess = (self.next.limit / 4).max(1);
                State::Ready
            }
            Err(error) if error.is_compacted() => {
                let revision = self.next.revision;
                State::Told(Box::new(Err(Error::Compacted { revision })), false)
            }
            Err(error) => State::Told(Box::new(Err(error)), false),
        };
    }

    /// The page that came, or the error that ended it all; nothing comes after an error.
    ///
    /// ```
    /// use etcd_core::recipes::Pages;
    /// use etcd_core::Range;
    ///
    /// assert!(Pages::new(Range::all()).poll_page().is_none());
    /// ```
    #[must_use]
    pub fn poll_page(&mut self) -> Option<Result<Page, Error>> {
        match core::mem::replace(&mut self.state, State::Ended) {
            State::Told(told, goes_on) => {
                if goes_on {
                    self.state = State::Ready;
                }
                Some(*told)
            }
            state => {
                self.state = state;
                None
            }
        }
    }

    /// Whether nothing more will come.
    ///
    /// ```
    /// use etcd_core::recipes::Pages;
    /// use etcd_core::Range;
    ///
    /// assert!(!Pages::new(Range::all()).is_ended());
    /// ```
    #[must_use]
    pub const fn is_ended(&self) -> bool {
        matches!(self.state, State::Ended)
    }

    /// The page in an answer, and whether there is one behind it.
    fn page(&mut self, answer: RangeResponse) -> Result<(Page, bool), Error> {
        if self.next.revision == 0 {
            self.next.revision = answer.header.revision;
        }
        let revision = self.next.revision;
        let count = *self.count.get_or_insert(answer.count);
        let page = Page {
            kvs: answer.kvs,
            more: answer.more,
            count,
            revision,
        };
        let keys = number(page.kvs.len());
        if !self.is_in_order(&page.kvs) || keys > self.next.limit {
            return Err(broken());
        }
        if let Some(left) = &mut self.left {
            *left -= keys;
        }
        self.adapt(&page.kvs);
        let goes_on = page.more && self.left != Some(0);
        if goes_on {
            // Without a last key, or without a revision to stay at, there is no next page.
            let (Some(last), true) = (page.kvs.last(), revision > 0) else {
                return Err(broken());
            };
            self.next.range = KeyRange::range(after(&last.key), &self.next.range.range_end);
        }
        Ok((page, goes_on))
    }

    /// Whether these are keys of what was asked for, each greater than the one before. So each page
    /// begins behind the last, whatever the server says, and there is an end.
    fn is_in_order(&self, kvs: &[KeyValue]) -> bool {
        let ascends = kvs.windows(2).all(|pair| match pair {
            [one, next] => one.key < next.key,
            _ => true,
        });
        let ends = [kvs.first(), kvs.last()];
        let inside = |kv: &KeyValue| self.next.range.contains(&kv.key);
        ascends && ends.into_iter().flatten().all(inside)
    }

    /// Guesses how many keys make the bytes of a page, if they are as large as these.
    fn adapt(&mut self, kvs: &[KeyValue]) {
        if kvs.is_empty() {
            return;
        }
        let bytes = kvs.iter().fold(0_usize, |sum, kv| {
            sum.saturating_add(answer_bytes(kv.key.len(), kv.value.len()))
        });
        let each = (bytes / kvs.len()).max(1);
        let most = self.next.limit.saturating_mul(2);
        self.guess = number(self.page_bytes / each).clamp(1, most);
    }
}

/// The first key behind this one.
fn after(key: &Bytes) -> Bytes {
    let mut next = BytesMut::with_capacity(key.len() + 1);
    next.extend_from_slice(key);
    next.extend_from_slice(&[0]);
    next.freeze()
}

/// About how many bytes of an answer a pair takes: base64, names and numbers.
const fn answer_bytes(key: usize, value: usize) -> usize {
    let stored = key.saturating_add(value);
    stored.saturating_add(stored / 3).saturating_add(120)
}

fn number(len: usize) -> i64 {
    i64::try_from(len).unwrap_or(i64::MAX)
}

fn broken() -> Error {
    Error::Unavailable {
        cause: Cause::BadAnswer(ProtocolError::BrokenPage),
        applied: Applied::No,
    }
}

/// Near what a server reads and sends without anybody noticing.
const PAGE_BYTES: usize = 1 << 20;

/// However small the values: a server holds all keys of an answer in memory.
const PAGE_KEYS: i64 = 10_000;

/// What a pair is taken to need before the first was seen: more than most, and with the largest
/// values etcd takes the first answer is still bearable.
const FIRST_KEY_BYTES: usize = 1024;

/// The most keys of a first page.
const FIRST_KEYS: i64 = 128;

#[cfg(test)]
mod tests;
