//! A large range, page by page or pair by pair, as streams.

use std::fmt;
use std::future::Future;
use std::future::poll_fn;
use std::pin::Pin;
use std::task::Context;
use std::task::Poll;
use std::task::ready;
use std::vec;

use etcd_core::Error;
use etcd_core::KeyValue;
use etcd_core::Range;
use etcd_core::RangeResponse;
use etcd_core::recipes;
use etcd_core::recipes::Page;
use futures_core::FusedStream;
use futures_core::Stream;

use super::Client;

/// Reads a range page by page, at one revision, in the order of the keys.
///
/// Each page is read when it is asked for. An error is the last item;
/// [`Error::Compacted`] says that the revision is gone, and that reading must start again.
///
/// It is `Unpin`, so `next()` of any `StreamExt` works on it as it is.
#[must_use = "nothing is read before a page is asked for"]
pub struct Pages {
    client: Client,
    machine: recipes::Pages,
    /// The call under way; dropping it cancels the call.
    call: Option<PageCall>,
}

/// The read of one page.
type PageCall = Pin<Box<dyn Future<Output = Result<RangeResponse, Error>> + Send>>;

impl Pages {
    pub(super) fn new(client: Client, range: Range) -> Self {
        Self {
            client,
            machine: recipes::Pages::new(range),
            call: None,
        }
    }

    /// Aims at answers of about this many bytes; 1 MiB by default.
    pub fn with_page_bytes(mut self, bytes: usize) -> Self {
        self.machine = self.machine.with_page_bytes(bytes);
        self
    }

    /// Asks for at most this many keys a page; 10,000 by default.
    pub fn with_page_keys(mut self, keys: usize) -> Self {
        self.machine = self.machine.with_page_keys(keys);
        self
    }

    /// The pairs themselves.
    pub fn items(self) -> Items {
        Items {
            pages: self,
            page: Vec::new().into_iter(),
        }
    }

    /// The next page; the same as the [`Stream`] gives, without its traits. Dropping the future
    /// loses nothing.
    pub async fn next(&mut self) -> Option<Result<Page, Error>> {
        poll_fn(|cx| Pin::new(&mut *self).poll_next(cx)).await
    }
}

impl Stream for Pages {
    type Item = Result<Page, Error>;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let pages = self.get_mut();
        loop {
            if let Some(call) = &mut pages.call {
                let answer = ready!(call.as_mut().poll(cx));
                pages.call = None;
                pages.machine.handle_answer(answer);
            }
            if let Some(page) = pages.machine.poll_page() {
                return Poll::Ready(Some(page));
            }
            let Some(request) = pages.machine.poll_request() else {
                return Poll::Ready(None);
            };
            let client = pages.client.clone();
            pages.call = Some(Box::pin(async move { client.call(request).await }));
        }
    }
}

impl FusedStream for Pages {
    fn is_terminated(&self) -> bool {
        self.machine.is_ended()
    }
}

impl fmt::Debug for Pages {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pages")
            .field("machine", &self.machine)
            .finish_non_exhaustive()
    }
}

/// Reads a range pair by pair; see [`Pages::items`]. An error is the last item.
#[derive(Debug)]
#[must_use = "nothing is read before a pair is asked for"]
pub struct Items {
    pages: Pages,
    /// What is left of the page last read.
    page: vec::IntoIter<KeyValue>,
}

impl Items {
    /// The next pair; the same as the [`Stream`] gives, without its traits. Dropping the future
    /// loses nothing.
    pub async fn next(&mut self) -> Option<Result<KeyValue, Error>> {
        poll_fn(|cx| Pin::new(&mut *self).poll_next(cx)).await
    }
}

impl Stream for Items {
    type Item = Result<KeyValue, Error>;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let items = self.get_mut();
        loop {
            if let Some(kv) = items.page.next() {
                return Poll::Ready(Some(Ok(kv)));
            }
            match ready!(Pin::new(&mut items.pages).poll_next(cx)) {
                Some(Ok(page)) => items.page = page.kvs.into_iter(),
                Some(Err(error)) => return Poll::Ready(Some(Err(error))),
                None => return Poll::Ready(None),
            }
        }
    }
}

impl FusedStream for Items {
    fn is_terminated(&self) -> bool {
        self.page.len() == 0 && self.pages.is_terminated()
    }
}
