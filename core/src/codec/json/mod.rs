//! Where one JSON value ends and the next begins.
//!
//! A stream of etcd's gateway is one JSON object after another. [`Splitter`] cuts it by the values
//! themselves, never by newlines or chunk borders, which the server does not promise.
//!
//! ```
//! use etcd_core::codec::json::{JsonLimits, Splitter};
//!
//! let mut splitter = Splitter::new(JsonLimits::default());
//! let (used, frame) = splitter.push(b" {\"a\":\"}\"} {\"b\":")?;
//! assert_eq!((used, frame.as_deref()), (10, Some(&b"{\"a\":\"}\"}"[..])));
//! let (used, frame) = splitter.push(b" {\"b\":")?;
//! assert_eq!((used, frame.as_deref()), (6, None));
//! let (_, frame) = splitter.push(b"2}")?;
//! assert_eq!(frame.as_deref(), Some(&b"{\"b\":2}"[..]));
//! splitter.finish()?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod cut;
mod member;
mod nesting;
mod split;

#[cfg(test)]
mod tests;

pub(crate) use cut::{Cut, Cutter, List};
pub(crate) use member::Member;
pub use split::{Frame, JsonLimits, SplitError, Splitter};
