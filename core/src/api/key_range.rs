//! One key, or the keys from one up to another, in etcd's own encoding.
//!
//! etcd has no word for "prefix" or "all": it has a key and the end of a range. No end means the
//! one key, an end of one zero byte means no end. This file is where that is known.

use bytes::Bytes;

use super::IntoBytes;
use super::json::message;
use crate::error::Misuse;

/// Which keys a request is about.
///
/// Anything that can be a key is also the range of that one key.
///
/// ```
/// use etcd_core::KeyRange;
///
/// assert_eq!(KeyRange::from("a"), KeyRange::key("a"));
/// assert!(KeyRange::prefix("a/").contains(b"a/b"));
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct KeyRange {
    /// The first key. A zero byte is before all keys; etcd has no empty key.
    pub key: Bytes,
    /// The first key after the range: empty for `key` alone, one zero byte for no end.
    pub range_end: Bytes,
}

message!(KeyRange {
    "key" => key,
    "range_end" => range_end,
});

impl KeyRange {
    /// The one key.
    ///
    /// ```
    /// use etcd_core::KeyRange;
    ///
    /// assert!(KeyRange::key("a").contains(b"a"));
    /// assert!(!KeyRange::key("a").contains(b"aa"));
    /// ```
    #[must_use]
    pub fn key(key: impl IntoBytes) -> Self {
        Self {
            key: key.into_bytes(),
            range_end: Bytes::new(),
        }
    }

    /// All keys that start with `prefix`. The empty prefix is all keys.
    ///
    /// ```
    /// use etcd_core::KeyRange;
    ///
    /// assert_eq!(&KeyRange::prefix("a/").range_end[..], b"a0");
    /// assert_eq!(KeyRange::prefix(""), KeyRange::all());
    /// ```
    #[must_use]
    pub fn prefix(prefix: impl IntoBytes) -> Self {
        let key = prefix.into_bytes();
        if key.is_empty() {
            return Self::all();
        }
        // The last byte that can grow, grown; what follows it is 0xff and falls off.
        let range_end = match key.iter().rposition(|&byte| byte != 0xff) {
            Some(last) => {
                let mut end = key[..=last].to_vec();
                end[last] += 1;
                Bytes::from(end)
            }
            None => NO_END,
        };
        Self { key, range_end }
    }

    /// `key` and all keys after it. From the empty key on is all keys.
    ///
    /// ```
    /// use etcd_core::KeyRange;
    ///
    /// assert!(KeyRange::from_key("b").contains(b"c"));
    /// assert!(!KeyRange::from_key("b").contains(b"a"));
    /// ```
    #[must_use]
    pub fn from_key(key: impl IntoBytes) -> Self {
        let key = key.into_bytes();
        if key.is_empty() {
            return Self::all();
        }
        Self {
            key,
            range_end: NO_END,
        }
    }

    /// All keys.
    ///
    /// ```
    /// assert!(etcd_core::KeyRange::all().contains(b"a"));
    /// ```
    #[must_use]
    pub const fn all() -> Self {
        Self {
            key: FIRST_KEY,
            range_end: NO_END,
        }
    }

    /// The keys from `start` up to `end`, without `end`. An empty `end` is etcd's way to say the
    /// one key `start`.
    ///
    /// ```
    /// use etcd_core::KeyRange;
    ///
    /// assert!(KeyRange::range("a", "c").contains(b"b"));
    /// assert!(!KeyRange::range("a", "c").contains(b"c"));
    /// ```
    #[must_use]
    pub fn range(start: impl IntoBytes, end: impl IntoBytes) -> Self {
        Self {
            key: start.into_bytes(),
            range_end: end.into_bytes(),
        }
    }

    /// Whether `key` is in the range, by etcd's rules.
    ///
    /// ```
    /// assert!(etcd_core::KeyRange::prefix("a").contains(b"ab"));
    /// ```
    #[must_use]
    pub fn contains(&self, key: &[u8]) -> bool {
        if self.range_end.is_empty() {
            return key == self.key;
        }
        key >= &self.key[..] && (self.range_end == NO_END || key < &self.range_end[..])
    }

    pub(super) fn check(&self) -> Result<(), Misuse> {
        if self.key.is_empty() {
            return Err(Misuse::EmptyKey);
        }
        Ok(())
    }
}

impl<T: IntoBytes> From<T> for KeyRange {
    fn from(key: T) -> Self {
        Self::key(key)
    }
}

/// Gives a request the constructors of its `range`, from its `new(impl Into<KeyRange>)`.
macro_rules! ranged {
    ($request:ident) => {
        impl $request {
            #[doc = concat!("A request about one key.\n\n```\nuse etcd_core::{KeyRange, ",
                stringify!($request), "};\n\nassert_eq!(", stringify!($request),
                "::key(\"a\").range, KeyRange::key(\"a\"));\n```")]
            #[must_use]
            pub fn key(key: impl IntoBytes) -> Self {
                Self::new(KeyRange::key(key))
            }

            #[doc = concat!("A request about all keys that start with `prefix`.\n\n```\nuse ",
                "etcd_core::{KeyRange, ", stringify!($request), "};\n\nassert_eq!(",
                stringify!($request), "::prefix(\"a/\").range, KeyRange::prefix(\"a/\"));\n```")]
            #[must_use]
            pub fn prefix(prefix: impl IntoBytes) -> Self {
                Self::new(KeyRange::prefix(prefix))
            }

            #[doc = concat!("A request about `key` and all keys after it.\n\n```\nuse ",
                "etcd_core::{KeyRange, ", stringify!($request), "};\n\nassert_eq!(",
                stringify!($request), "::from_key(\"a\").range, KeyRange::from_key(\"a\"));\n```")]
            #[must_use]
            pub fn from_key(key: impl IntoBytes) -> Self {
                Self::new(KeyRange::from_key(key))
            }

            #[doc = concat!("A request about all keys.\n\n```\nuse etcd_core::{KeyRange, ",
                stringify!($request), "};\n\nassert_eq!(", stringify!($request),
                "::all().range, KeyRange::all());\n```")]
            #[must_use]
            pub fn all() -> Self {
                Self::new(KeyRange::all())
            }

            #[doc = concat!("A request about the keys from `start` up to `end`, without `end`.",
                "\n\n```\nuse etcd_core::{KeyRange, ", stringify!($request), "};\n\nassert_eq!(",
                stringify!($request), "::range(\"a\", \"c\").range, ",
                "KeyRange::range(\"a\", \"c\"));\n```")]
            #[allow(
                clippy::self_named_constructors,
                reason = "`Range` is one of several requests that have it"
            )]
            #[must_use]
            pub fn range(start: impl IntoBytes, end: impl IntoBytes) -> Self {
                Self::new(KeyRange::range(start, end))
            }
        }

        impl<T: IntoBytes> From<T> for $request {
            fn from(key: T) -> Self {
                Self::key(key)
            }
        }

        impl From<KeyRange> for $request {
            fn from(range: KeyRange) -> Self {
                Self::new(range)
            }
        }
    };
}

pub(super) use ranged;

/// Before every key there can be.
const FIRST_KEY: Bytes = Bytes::from_static(b"\0");

/// As the end of a range: there is none.
const NO_END: Bytes = Bytes::from_static(b"\0");
