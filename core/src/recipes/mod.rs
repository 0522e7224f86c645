//! What is built of several calls: pure machines over the api.
//!
//! A recipe says which call to make next and is told its answer; it sends nothing and knows no
//! connections. `poll_*` takes something out, `handle_*` puts something in, as everywhere.
//! Drivers wrap each in a method of theirs.
//!
//! ```
//! use etcd_core::recipes::Pages;
//! use etcd_core::{Range, RangeResponse};
//!
//! let mut pages = Pages::new(Range::prefix("/services/"));
//! while let Some(range) = pages.poll_request() {
//!     // Make the call `range`; here it is answered with nothing.
//!     assert_eq!(&range.range.key[..], b"/services/");
//!     pages.handle_answer(Ok(RangeResponse::default()));
//!     while let Some(page) = pages.poll_page() {
//!         assert!(page?.kvs.is_empty());
//!     }
//! }
//! # Ok::<(), etcd_core::Error>(())
//! ```

mod pages;
mod settle;

pub use pages::{Page, Pages};
pub use settle::{Settle, SettleStep, Settled};
