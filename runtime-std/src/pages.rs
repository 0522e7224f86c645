//! A large range, page by page or pair by pair, as iterators.

use std::iter::FusedIterator;
use std::vec;

use etcd_core::Error;
use etcd_core::KeyValue;
use etcd_core::Range;
use etcd_core::recipes;
use etcd_core::recipes::Page;

use crate::client::Client;

/// Reads a range page by page, at one revision, in the order of the keys.
///
/// Each page is read when it is asked for. An error is the last item;
/// [`Error::Compacted`] says that the revision is gone, and that reading must start again.
///
/// ```no_run
/// use etcd_std::{Client, Range, Watch};
///
/// let client = Client::connect(["http://127.0.0.1:2379"])?;
/// let mut revision = 0;
/// for page in client.pages(Range::prefix("/services/")).with_page_keys(500) {
///     let page = page?;
///     println!("{} of {}", page.kvs.len(), page.count);
///     revision = page.revision;
/// }
/// // What happens from there on.
/// let changes = client.watch(Watch::prefix("/services/").with_start_revision(revision + 1))?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug)]
#[must_use = "nothing is read before a page is asked for"]
pub struct Pages {
    client: Client,
    machine: recipes::Pages,
}

impl Pages {
    pub(crate) fn new(client: Client, range: Range) -> Self {
        Self {
            client,
            machine: recipes::Pages::new(range),
        }
    }

    /// Aims at answers of about this many bytes; 1 MiB by default.
    ///
    /// ```
    /// let client = etcd_std::Client::connect(["http://127.0.0.1:2379"])?;
    /// let pages = client.pages("k").with_page_bytes(64 * 1024);
    /// # Ok::<(), etcd_std::ConfigError>(())
    /// ```
    pub fn with_page_bytes(mut self, bytes: usize) -> Self {
        self.machine = self.machine.with_page_bytes(bytes);
        self
    }

    /// Asks for at most this many keys a page; 10,000 by default.
    ///
    /// ```
    /// let client = etcd_std::Client::connect(["http://127.0.0.1:2379"])?;
    /// let pages = client.pages("k").with_page_keys(500);
    /// # Ok::<(), etcd_std::ConfigError>(())
    /// ```
    pub fn with_page_keys(mut self, keys: usize) -> Self {
        self.machine = self.machine.with_page_keys(keys);
        self
    }

    /// The pairs themselves.
    ///
    /// ```no_run
    /// use etcd_std::{Client, Error, KeyValue, Range};
    ///
    /// let client = Client::connect(["http://127.0.0.1:2379"])?;
    /// let all: Result<Vec<KeyValue>, Error> = client.pages(Range::all()).items().collect();
    /// # Ok::<(), etcd_std::ConfigError>(())
    /// ```
    pub fn items(self) -> Items {
        Items {
            pages: self,
            page: Vec::new().into_iter(),
        }
    }
}

impl Iterator for Pages {
    type Item = Result<Page, Error>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            if let Some(page) = self.machine.poll_page() {
                return Some(page);
            }
            let request = self.machine.poll_request()?;
            self.machine.handle_answer(self.client.call(request));
        }
    }
}

impl FusedIterator for Pages {}

/// Reads a range pair by pair; see [`Pages::items`]. An error is the last item.
///
/// ```no_run
/// use etcd_std::{Client, Range};
///
/// let client = Client::connect(["http://127.0.0.1:2379"])?;
/// let mut items = client.pages(Range::all()).items();
/// let first = items.next().transpose()?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug)]
#[must_use = "nothing is read before a pair is asked for"]
pub struct Items {
    pages: Pages,
    /// What is left of the page last read.
    page: vec::IntoIter<KeyValue>,
}

impl Iterator for Items {
    type Item = Result<KeyValue, Error>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            if let Some(kv) = self.page.next() {
                return Some(Ok(kv));
            }
            match self.pages.next()? {
                Ok(page) => self.page = page.kvs.into_iter(),
                Err(error) => return Some(Err(error)),
            }
        }
    }
}

impl FusedIterator for Items {}
