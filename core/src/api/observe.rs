//! Observing an election through the server's election service: who leads, and who leads next.
//!
//! How an observation goes on after its stream has ended is not known here.

use bytes::Bytes;

use super::json::message;
use super::{IntoBytes, KeyValue, ResponseHeader};

/// Asks for the leader of an election, and for each change of it from then on.
///
/// ```
/// use etcd_core::Observe;
///
/// let json = serde_json::to_string(&Observe::new("el"))?;
/// assert_eq!(json, r#"{"name":"ZWw="}"#);
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Observe {
    /// The election. Its candidates are the keys `name/…`.
    pub name: Bytes,
}

message!(Observe {
    "name" => name,
});

impl Observe {
    /// Observes the election of this name.
    ///
    /// ```
    /// assert_eq!(etcd_core::Observe::new("el").name, "el");
    /// ```
    #[must_use]
    pub fn new(name: impl IntoBytes) -> Self {
        Self {
            name: name.into_bytes(),
        }
    }
}

/// The leader of an election, in one frame of an observation.
///
/// ```
/// use etcd_core::ObserveResponse;
///
/// let json = r#"{"header":{"revision":"9"},"kv":{"key":"ZWwvYzk=","value":"djE="}}"#;
/// let leader: ObserveResponse = serde_json::from_str(json)?;
/// assert_eq!((&leader.kv.key[..], &leader.kv.value[..]), (&b"el/c9"[..], &b"v1"[..]));
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct ObserveResponse {
    /// Who answered.
    pub header: ResponseHeader,
    /// The leader's key, `name/` and its lease in hex, and as its value what it proclaims.
    pub kv: KeyValue,
}

message!(ObserveResponse {
    "header" => header,
    "kv" => kv,
});
