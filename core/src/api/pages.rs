//! The plain pages of a server beside its API: version, health, counters. `livez` and `readyz` have
//! their own file, `checks`. What a page means on the wire is not known here.

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::call::{bare_request, call};
use super::json::{Budget, Field, Json, message};

/// Asks one server for its version.
///
/// ```
/// use etcd_core::{Call, Rpc, VersionRequest};
///
/// assert_eq!(VersionRequest::RPC, Rpc::Version);
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct VersionRequest {}

message!(VersionRequest {});

call!(VersionRequest => Version(VersionResponse) {
    fn is_read(&self) -> bool {
        true
    }
});

impl VersionRequest {
    /// Asks for the version.
    ///
    /// ```
    /// use etcd_core::VersionRequest;
    ///
    /// assert_eq!(VersionRequest::new(), VersionRequest::default());
    /// ```
    #[must_use]
    pub const fn new() -> Self {
        Self {}
    }
}

/// The answer to [`VersionRequest`].
///
/// ```
/// let json = r#"{"etcdserver":"3.5.30","etcdcluster":"3.5.0"}"#;
/// let version: etcd_core::VersionResponse = serde_json::from_str(json)?;
/// assert_eq!(version.etcdserver, "3.5.30");
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct VersionResponse {
    /// The version of the server.
    pub etcdserver: String,
    /// The version the cluster agreed on: that of its oldest member, or `not_decided`.
    pub etcdcluster: String,
}

message!(VersionResponse {
    "etcdserver" => etcdserver,
    "etcdcluster" => etcdcluster,
});

bare_request! {
    /// Asks one server for its counters, in the text format of Prometheus.
    ///
    /// ```
    /// use etcd_core::gateway::{decode_answer, Gateway};
    /// use etcd_core::MetricsRequest;
    ///
    /// assert_eq!(Gateway::new().request(&MetricsRequest::new()).uri(), "/metrics");
    /// let answer = decode_answer::<MetricsRequest>(200, b"etcd_server_has_leader 1\n")?;
    /// assert!(answer.text.starts_with("etcd_server_has_leader"));
    /// # Ok::<(), etcd_core::gateway::AnswerError>(())
    /// ```
    MetricsRequest
}

call!(MetricsRequest => Metrics(MetricsResponse) {
    fn is_read(&self) -> bool {
        true
    }
});

/// The answer to [`MetricsRequest`].
///
/// ```
/// assert!(etcd_core::MetricsResponse::default().text.is_empty());
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct MetricsResponse {
    /// The page as it is.
    pub text: String,
}

message!(MetricsResponse {
    "text" => text,
});

impl MetricsResponse {
    pub(crate) fn of(text: &str) -> Self {
        Self {
            text: text.to_owned(),
        }
    }
}

/// Asks one server whether it can serve.
///
/// ```
/// let health = etcd_core::HealthRequest::new().with_exclude_nospace();
/// assert!(health.exclude_nospace && !health.serializable);
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct HealthRequest {
    /// Whether a server that is out of space counts as healthy.
    pub exclude_nospace: bool,
    /// Whether to ask only for this server's own state, without a quorum.
    pub serializable: bool,
}

// Over the gateway the fields travel in the query.
message!(HealthRequest {
    "exclude_nospace" => exclude_nospace,
    "serializable" => serializable,
});

call!(HealthRequest => Health(HealthResponse) {
    fn is_read(&self) -> bool {
        true
    }
});

impl HealthRequest {
    /// Asks whether the server can serve.
    ///
    /// ```
    /// use etcd_core::HealthRequest;
    ///
    /// assert_eq!(HealthRequest::new(), HealthRequest::default());
    /// ```
    #[must_use]
    pub const fn new() -> Self {
        Self {
            exclude_nospace: false,
            serializable: false,
        }
    }

    /// Counts a server that is out of space as healthy.
    ///
    /// ```
    /// assert!(etcd_core::HealthRequest::new().with_exclude_nospace().exclude_nospace);
    /// ```
    #[must_use]
    pub const fn with_exclude_nospace(mut self) -> Self {
        self.exclude_nospace = true;
        self
    }

    /// Asks only for this server's own state. Older servers (3.4, 3.5.1) ask the quorum all
    /// the same.
    ///
    /// ```
    /// assert!(etcd_core::HealthRequest::new().with_serializable().serializable);
    /// ```
    #[must_use]
    pub const fn with_serializable(mut self) -> Self {
        self.serializable = true;
        self
    }
}

/// The answer to [`HealthRequest`].
///
/// ```
/// let json = r#"{"health":"false","reason":"RAFT NO LEADER"}"#;
/// let health: etcd_core::HealthResponse = serde_json::from_str(json)?;
/// assert!(!health.health);
/// assert_eq!(health.reason, "RAFT NO LEADER");
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct HealthResponse {
    /// Whether the server can serve. In JSON it is a text.
    pub health: bool,
    /// Why it cannot, from etcd 3.5.
    pub reason: String,
}

impl super::json::sealed::Scanned for HealthResponse {
    fn scan_whole(_json: &[u8]) -> Option<Self> {
        None
    }

    fn read_within<'de, D: Deserializer<'de>>(
        budget: &Budget,
        deserializer: D,
    ) -> Result<Self, D::Error> {
        let json: HealthJson = Json::read(Field::new("HealthResponse", budget), deserializer)?;
        Ok(Self {
            health: json.health.0,
            reason: json.reason,
        })
    }
}

impl super::Message for HealthResponse {}

message!(HealthJson {
    "health" => health,
    "reason" => reason,
});

/// [`HealthResponse`] with the type that its JSON has.
#[derive(Default, PartialEq)]
struct HealthJson {
    health: TextBool,
    reason: String,
}

impl Serialize for HealthResponse {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let json = HealthJson {
            health: TextBool(self.health),
            reason: self.reason.clone(),
        };
        json.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for HealthResponse {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        super::json::sealed::Scanned::read_within(&Budget::unbounded(), deserializer)
    }
}

/// `"true"` or `"false"`, always written.
#[derive(Default, PartialEq)]
struct TextBool(bool);

impl Json for TextBool {
    fn is_zero(&self) -> bool {
        false
    }

    fn write<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(if self.0 { "true" } else { "false" })
    }

    fn read<'de, D: Deserializer<'de>>(
        field: Field<'_>,
        deserializer: D,
    ) -> Result<Self, D::Error> {
        match String::read(field, deserializer)?.as_str() {
            "true" => Ok(Self(true)),
            "false" => Ok(Self(false)),
            _ => Err(serde::de::Error::custom(format_args!(
                "neither \"true\" nor \"false\" in `{field}`"
            ))),
        }
    }
}
