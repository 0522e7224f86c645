//! Typed requests to `http::Request`: paths, methods, headers, JSON bodies.
//!
//! Paths are those of gateway.md section 2. The body is etcd's JSON, the serde form of the request.

use core::fmt;
use core::str::FromStr;

use bytes::Bytes;
use http::HeaderName;
use http::HeaderValue;
use http::Method;
use http::Request;
use http::header;
use http::uri::Authority;

use super::timeout::Timeout;
use crate::api::Call;
use crate::api::Observe;
use crate::api::Response;
use crate::api::Rpc;
use crate::api::SnapshotRequest;
use crate::api::Watch;
use crate::api::WatchRequest;
use crate::codec::http1::AbsoluteForm;
use crate::error::ConfigError;
use crate::error::Feature;

/// What stands before every path of the gateway: `/v3` for etcd 3.4 and later.
///
/// ```
/// use etcd_core::gateway::ApiPrefix;
///
/// assert_eq!(ApiPrefix::default().to_string(), "/v3");
/// assert_eq!("/v3beta".parse::<ApiPrefix>()?.to_string(), "/v3beta");
/// assert!("v3".parse::<ApiPrefix>().is_err());
/// # Ok::<(), etcd_core::ConfigError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ApiPrefix(String);

impl Default for ApiPrefix {
    fn default() -> Self {
        Self("/v3".to_owned())
    }
}

impl FromStr for ApiPrefix {
    type Err = ConfigError;

    fn from_str(text: &str) -> Result<Self, ConfigError> {
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"/-._~".contains(&byte);
        let is_short = text.len() <= 1024;
        if is_short && text.starts_with('/') && !text.ends_with('/') && text.bytes().all(plain) {
            return Ok(Self(text.to_owned()));
        }
        Err(ConfigError::BadApiPrefix {
            prefix: text.to_owned(),
        })
    }
}

impl fmt::Display for ApiPrefix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Turns typed requests into `http::Request`s for one gateway.
///
/// The URIs are in origin form (`/v3/kv/put`): scheme and authority, like the `Host` header, are
/// up to whoever sends them.
///
/// ```
/// use etcd_core::gateway::Gateway;
/// use etcd_core::Put;
///
/// let request = Gateway::new().request(&Put::new("foo", "bar"));
/// assert_eq!(request.method(), "POST");
/// assert_eq!(request.uri(), "/v3/kv/put");
/// assert_eq!(request.body(), &br#"{"key":"Zm9v","value":"YmFy"}"#[..]);
/// ```
#[derive(Clone, Debug, Default)]
pub struct Gateway {
    /// Where requests in absolute form are for, and what a proxy is told who asks.
    absolute: Option<Authority>,
    proxy_authorization: Option<HeaderValue>,
    /// What stands before all paths; empty, or plain characters that begin with a slash.
    base: String,
    prefix: ApiPrefix,
    headers: Vec<(HeaderName, HeaderValue)>,
    require_leader: bool,
    token: Option<HeaderValue>,
}

impl Gateway {
    /// A gateway at `/v3` with no headers of the caller's.
    ///
    /// ```
    /// use etcd_core::gateway::Gateway;
    /// use etcd_core::VersionRequest;
    ///
    /// assert_eq!(Gateway::new().request(&VersionRequest::new()).uri(), "/version");
    /// ```
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Puts another prefix before the paths.
    ///
    /// ```
    /// use etcd_core::gateway::Gateway;
    /// use etcd_core::Range;
    ///
    /// let gateway = Gateway::new().with_prefix("/v3beta".parse()?);
    /// assert_eq!(gateway.request(&Range::key("k")).uri(), "/v3beta/kv/range");
    /// # Ok::<(), etcd_core::ConfigError>(())
    /// ```
    #[must_use]
    pub fn with_prefix(mut self, prefix: ApiPrefix) -> Self {
        self.prefix = prefix;
        self
    }

    /// Puts a path before all others, also before those outside of the prefix, as a proxy may ask for.
    ///
    /// ```
    /// use etcd_core::Range;
    /// use etcd_core::VersionRequest;
    /// use etcd_core::gateway::Gateway;
    ///
    /// let gateway = Gateway::new().with_base_path("/etcd".parse()?);
    /// assert_eq!(gateway.request(&Range::key("k")).uri(), "/etcd/v3/kv/range");
    /// assert_eq!(gateway.request(&VersionRequest::new()).uri(), "/etcd/version");
    /// # Ok::<(), etcd_core::ConfigError>(())
    /// ```
    #[must_use]
    pub fn with_base_path(mut self, path: ApiPrefix) -> Self {
        self.base = path.0;
        self
    }

    /// Puts another prefix before the paths from now on.
    pub(crate) fn set_prefix(&mut self, prefix: ApiPrefix) {
        self.prefix = prefix;
    }

    /// The same, of an endpoint, which has checked it.
    pub(crate) fn set_base_path(&mut self, path: &str) {
        self.base.clear();
        self.base.push_str(path);
    }

    /// Asks in absolute form, through a proxy, for what is at this authority, or in origin form again.
    pub(crate) fn set_absolute(&mut self, authority: Option<&str>, to_proxy: Option<HeaderValue>) {
        self.absolute = authority.map(|authority| {
            let authority = Authority::try_from(authority);
            authority.expect("the host of an endpoint is plain, its port a number")
        });
        self.proxy_authorization = to_proxy;
    }

    /// Sends a header with every request, such as `Authorization` with a token; that one not with
    /// `Authenticate`, which etcd 3.4 refuses where an old token comes along (gateway.md 13).
    ///
    /// ```
    /// use etcd_core::gateway::Gateway;
    /// use etcd_core::Range;
    /// use http::{header, HeaderValue};
    ///
    /// let gateway =
    ///     Gateway::new().with_header(header::AUTHORIZATION, HeaderValue::from_static("token"));
    /// let request = gateway.request(&Range::key("k"));
    /// assert_eq!(request.headers()[header::AUTHORIZATION], "token");
    /// ```
    #[must_use]
    pub fn with_header(mut self, name: HeaderName, value: HeaderValue) -> Self {
        self.headers.push((name, value));
        self
    }

    /// Makes streams end when the member has no leader, instead of falling silent (gateway.md 7.6).
    ///
    /// ```
    /// use etcd_core::gateway::Gateway;
    ///
    /// let gateway = Gateway::new().with_require_leader(true);
    /// assert_eq!(gateway.open_watch().headers()["grpc-metadata-hasleader"], "true");
    /// ```
    #[must_use]
    pub const fn with_require_leader(mut self, require_leader: bool) -> Self {
        self.require_leader = require_leader;
        self
    }

    /// Whether the caller's headers say how long requests may take.
    pub(crate) fn has_timeout(&self) -> bool {
        let is_timeout =
            |(name, _): &(HeaderName, _)| Timeout::NAME.eq_ignore_ascii_case(name.as_str());
        self.headers.iter().any(is_timeout)
    }

    /// Sends this token as `Authorization`, with no scheme before it (rule A-2), in place of any
    /// that was given as a header; with every request but `Authenticate`, which 3.4 refuses where an
    /// old token comes along (rule A-3, gateway.md 13).
    pub(crate) fn set_token(&mut self, token: Option<HeaderValue>) {
        self.token = token;
    }

    /// The request of a call.
    ///
    /// Its answer is decoded by [`decode_answer`](super::decode_answer), except that of
    /// `LeaseKeepAlive`, which may also be read as [`Frames`](super::Frames).
    ///
    /// ```
    /// use etcd_core::gateway::Gateway;
    /// use etcd_core::{LeaseGrant, LeaseKeepAlive};
    ///
    /// let gateway = Gateway::new();
    /// assert_eq!(gateway.request(&LeaseGrant::new(10)).uri(), "/v3/lease/grant");
    /// assert_eq!(gateway.request(&LeaseKeepAlive::new(7)).body(), &br#"{"ID":"7"}"#[..]);
    /// ```
    #[must_use]
    pub fn request<C: Call>(&self, call: &C) -> Request<Bytes> {
        self.encoded_request(&Encoded::new(call))
    }

    /// One POST with a complete body for one watch; its answer is a stream of
    /// [`Frames`](super::Frames) of `WatchResponse`. To end it, close the connection.
    ///
    /// ```
    /// use etcd_core::gateway::Gateway;
    /// use etcd_core::Watch;
    ///
    /// let request = Gateway::new().watch(&Watch::key("k").with_progress_notify(false));
    /// assert_eq!(request.uri(), "/v3/watch");
    /// assert_eq!(request.body(), &br#"{"create_request":{"key":"aw=="}}"#[..]);
    /// ```
    #[must_use]
    pub fn watch(&self, watch: &Watch) -> Request<Bytes> {
        let body = to_json(&WatchRequest::Create(watch.clone()));
        self.stream("/watch").map(|()| body)
    }

    /// One POST for a snapshot of the member it is sent to; its answer is read by
    /// [`SnapshotReader`](super::SnapshotReader). To break it off, close the connection.
    ///
    /// ```
    /// use etcd_core::gateway::Gateway;
    ///
    /// let request = Gateway::new().snapshot();
    /// assert_eq!(request.uri(), "/v3/maintenance/snapshot");
    /// assert_eq!(request.body(), &b"{}"[..]);
    /// ```
    #[must_use]
    pub fn snapshot(&self) -> Request<Bytes> {
        // Any member can tell what it has, with a leader or without.
        let path = self.below_prefix("/maintenance/snapshot");
        self.build(Method::POST, path, to_json(&SnapshotRequest::new()))
    }

    /// One POST for the leaders of an election; its answer is a stream of
    /// [`Frames`](super::Frames) of `ObserveResponse`: the leader of now, then each next one. While
    /// there is no leader not one byte comes, not even a head (gateway.md 6 and 10). To end it, close
    /// the connection.
    ///
    /// ```
    /// use etcd_core::Observe;
    /// use etcd_core::gateway::Gateway;
    ///
    /// let request = Gateway::new().observe(&Observe::new("el"));
    /// assert_eq!(request.uri(), "/v3/election/observe");
    /// assert_eq!(request.body(), &br#"{"name":"ZWw="}"#[..]);
    /// ```
    #[must_use]
    pub fn observe(&self, observe: &Observe) -> Request<Bytes> {
        let body = to_json(observe);
        self.stream("/election/observe").map(|()| body)
    }

    /// The head of a duplex POST for watches (gateway.md 8): send it with `Transfer-Encoding:
    /// chunked`, leave the body open, and send each `WatchRequest` as JSON in a chunk of its own.
    /// It carries `Connection: close`, without which nothing is answered until the body ends.
    ///
    /// ```
    /// use etcd_core::gateway::Gateway;
    ///
    /// let head = Gateway::new().open_watch();
    /// assert_eq!(head.uri(), "/v3/watch");
    /// assert_eq!(head.headers()["connection"], "close");
    /// ```
    #[must_use]
    pub fn open_watch(&self) -> Request<()> {
        self.duplex("/watch")
    }

    /// The head of a duplex POST for lease renewals; as [`Gateway::open_watch`], with
    /// `LeaseKeepAlive` requests and `LeaseKeepAliveResponse` frames in the order of the requests.
    ///
    /// ```
    /// use etcd_core::gateway::Gateway;
    ///
    /// assert_eq!(Gateway::new().open_keep_alive().uri(), "/v3/lease/keepalive");
    /// ```
    #[must_use]
    pub fn open_keep_alive(&self) -> Request<()> {
        self.duplex("/lease/keepalive")
    }

    /// The request of a call that was encoded before.
    pub(crate) fn encoded_request(&self, call: &Encoded) -> Request<Bytes> {
        let mut path = self.path(call.rpc);
        path.push_str(&call.query);
        let method = match route(call.rpc) {
            Route::Post(_) => Method::POST,
            Route::Get(_) => Method::GET,
        };
        let mut request = self.build(method, path, call.body.clone());
        if call.rpc == Rpc::Authenticate {
            for name in [header::AUTHORIZATION, METADATA_TOKEN] {
                request.headers_mut().remove(name);
            }
        }
        request
    }

    /// The path of a call.
    pub(crate) fn path(&self, rpc: Rpc) -> String {
        match route(rpc) {
            Route::Post(path) => self.below_prefix(path),
            Route::Get(path) => format!("{}{path}", self.base),
        }
    }

    fn below_prefix(&self, path: &str) -> String {
        format!("{}{}{path}", self.base, self.prefix)
    }

    fn duplex(&self, path: &str) -> Request<()> {
        let mut request = self.stream(path);
        request
            .headers_mut()
            .insert(header::CONNECTION, HeaderValue::from_static("close"));
        request
    }

    fn stream(&self, path: &str) -> Request<()> {
        let mut request = self.build(Method::POST, self.below_prefix(path), ());
        if self.require_leader {
            let name = HeaderName::from_static("grpc-metadata-hasleader");
            request
                .headers_mut()
                .insert(name, HeaderValue::from_static("true"));
        }
        request
    }

    fn build<B>(&self, method: Method, path: String, body: B) -> Request<B> {
        let is_post = method == Method::POST;
        let mut request = Request::new(body);
        *request.method_mut() = method;
        let path = http::uri::PathAndQuery::from_maybe_shared(Bytes::from(path))
            .expect("prefix, paths and queries are made of plain characters");
        *request.uri_mut() = match &self.absolute {
            None => path.into(),
            Some(authority) => {
                let mut parts = http::uri::Parts::default();
                parts.scheme = Some(http::uri::Scheme::HTTP);
                parts.authority = Some(authority.clone());
                parts.path_and_query = Some(path);
                http::Uri::from_parts(parts).expect("it has all three parts")
            }
        };
        if self.absolute.is_some() {
            request.extensions_mut().insert(AbsoluteForm);
        }
        let headers = request.headers_mut();
        if is_post {
            headers.insert(
                header::CONTENT_TYPE,
                HeaderValue::from_static("application/json"),
            );
        }
        for (name, value) in &self.headers {
            headers.append(name.clone(), value.clone());
        }
        if let Some(value) = &self.proxy_authorization {
            headers.insert(header::PROXY_AUTHORIZATION, value.clone());
        }
        if let Some(token) = &self.token {
            headers.remove(METADATA_TOKEN);
            headers.insert(header::AUTHORIZATION, token.clone());
        }
        request
    }
}

/// A call in the form in which it is kept until it ends: encoded once, sent as often as need be.
#[derive(Clone)]
pub(crate) struct Encoded {
    pub(crate) rpc: Rpc,
    /// The JSON body; empty for a GET.
    pub(crate) body: Bytes,
    /// What follows the path of a GET: a further part of it, and the query.
    query: String,
    /// What a server has to have for it.
    pub(crate) needs: Option<Feature>,
    /// Whether an answer can be the call's.
    pub(crate) accepts: fn(&Response) -> bool,
}

impl Encoded {
    /// Whether it is a read whose answer has to have everything that was acknowledged before it was
    /// sent. All else in the text is base64 and numbers.
    pub(crate) fn is_linearizable_read(&self) -> bool {
        const SERIALIZABLE: &[u8] = br#""serializable":true"#;
        self.rpc == Rpc::Range && memchr::memmem::find(&self.body, SERIALIZABLE).is_none()
    }

    pub(crate) fn new<C: Call>(call: &C) -> Self {
        match route(C::RPC) {
            Route::Post(_) => Self {
                rpc: C::RPC,
                body: call.to_json().into(),
                query: String::new(),
                needs: call.needs(),
                accepts: C::accepts,
            },
            Route::Get(_) => Self {
                rpc: C::RPC,
                body: Bytes::new(),
                query: to_query(call),
                needs: call.needs(),
                accepts: C::accepts,
            },
        }
    }
}

/// The body may have a password in it, and is not shown (guarantee G40).
impl fmt::Debug for Encoded {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?} of {} bytes", self.rpc, self.body.len())
    }
}

impl Encoded {
    /// Whether it is a POST, whose head depends on nothing but the call's name.
    pub(crate) fn is_post(&self) -> bool {
        matches!(route(self.rpc), Route::Post(_))
    }
}

/// Where etcd looks for a token before it looks at `Authorization` (gateway.md 4.4).
const METADATA_TOKEN: HeaderName = HeaderName::from_static("grpc-metadata-token");

/// How a call is asked for.
enum Route {
    /// POST below the prefix.
    Post(&'static str),
    /// GET outside the prefix.
    Get(&'static str),
}

fn route(rpc: Rpc) -> Route {
    match rpc {
        Rpc::Range => Route::Post("/kv/range"),
        Rpc::Put => Route::Post("/kv/put"),
        Rpc::DeleteRange => Route::Post("/kv/deleterange"),
        Rpc::Txn => Route::Post("/kv/txn"),
        Rpc::Compact => Route::Post("/kv/compaction"),
        Rpc::LeaseGrant => Route::Post("/lease/grant"),
        Rpc::LeaseRevoke => Route::Post("/lease/revoke"),
        Rpc::LeaseKeepAlive => Route::Post("/lease/keepalive"),
        Rpc::LeaseTimeToLive => Route::Post("/lease/timetolive"),
        Rpc::LeaseLeases => Route::Post("/lease/leases"),
        Rpc::Authenticate => Route::Post("/auth/authenticate"),
        Rpc::Status => Route::Post("/maintenance/status"),
        Rpc::Alarm => Route::Post("/maintenance/alarm"),
        Rpc::Defragment => Route::Post("/maintenance/defragment"),
        Rpc::Hash => Route::Post("/maintenance/hash"),
        Rpc::HashKv => Route::Post("/maintenance/hashkv"),
        Rpc::MoveLeader => Route::Post("/maintenance/transfer-leadership"),
        Rpc::Downgrade => Route::Post("/maintenance/downgrade"),
        Rpc::MemberAdd => Route::Post("/cluster/member/add"),
        Rpc::MemberRemove => Route::Post("/cluster/member/remove"),
        Rpc::MemberUpdate => Route::Post("/cluster/member/update"),
        Rpc::MemberPromote => Route::Post("/cluster/member/promote"),
        Rpc::MemberList => Route::Post("/cluster/member/list"),
        Rpc::AuthEnable => Route::Post("/auth/enable"),
        Rpc::AuthDisable => Route::Post("/auth/disable"),
        Rpc::AuthStatus => Route::Post("/auth/status"),
        Rpc::UserAdd => Route::Post("/auth/user/add"),
        Rpc::UserGet => Route::Post("/auth/user/get"),
        Rpc::UserList => Route::Post("/auth/user/list"),
        Rpc::UserDelete => Route::Post("/auth/user/delete"),
        Rpc::UserChangePassword => Route::Post("/auth/user/changepw"),
        Rpc::UserGrantRole => Route::Post("/auth/user/grant"),
        Rpc::UserRevokeRole => Route::Post("/auth/user/revoke"),
        Rpc::RoleAdd => Route::Post("/auth/role/add"),
        Rpc::RoleGet => Route::Post("/auth/role/get"),
        Rpc::RoleList => Route::Post("/auth/role/list"),
        Rpc::RoleDelete => Route::Post("/auth/role/delete"),
        Rpc::RoleGrantPermission => Route::Post("/auth/role/grant"),
        Rpc::RoleRevokePermission => Route::Post("/auth/role/revoke"),
        Rpc::Lock => Route::Post("/lock/lock"),
        Rpc::Unlock => Route::Post("/lock/unlock"),
        Rpc::Campaign => Route::Post("/election/campaign"),
        Rpc::Proclaim => Route::Post("/election/proclaim"),
        Rpc::Leader => Route::Post("/election/leader"),
        Rpc::Resign => Route::Post("/election/resign"),
        Rpc::Version => Route::Get("/version"),
        Rpc::Health => Route::Get("/health"),
        Rpc::Livez => Route::Get("/livez"),
        Rpc::Readyz => Route::Get("/readyz"),
        Rpc::Metrics => Route::Get("/metrics"),
    }
}

pub(crate) fn to_json(value: &impl serde::Serialize) -> Bytes {
    serde_json::to_vec(value)
        .expect("request types have string keys and no serializer of theirs fails")
        .into()
}

/// The fields of a GET's request as what follows its path: a flag that is set and each word of a list
/// is a part of the query, `check` the last part of the path. All of them are plain words.
fn to_query(value: &impl serde::Serialize) -> String {
    let Ok(serde_json::Value::Object(fields)) = serde_json::to_value(value) else {
        return String::new();
    };
    let mut path = String::new();
    let mut query: Vec<String> = Vec::new();
    for (name, value) in &fields {
        match value {
            serde_json::Value::String(check) => path = format!("/{check}"),
            serde_json::Value::Array(words) => {
                let words = words.iter().filter_map(serde_json::Value::as_str);
                query.extend(words.map(|word| format!("{name}={word}")));
            }
            _ if name == "exclude_nospace" => query.push("exclude=NOSPACE".to_owned()),
            _ => query.push(format!("{name}=true")),
        }
    }
    if !query.is_empty() {
        path.push('?');
        path.push_str(&query.join("&"));
    }
    path
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::HealthRequest;

    #[test]
    fn flags_of_a_get_are_its_query() {
        let gateway = Gateway::new();
        let plain = gateway.request(&HealthRequest::new());
        assert_eq!(
            (plain.method(), plain.uri().to_string().as_str()),
            (&Method::GET, "/health")
        );
        let both = HealthRequest::new()
            .with_exclude_nospace()
            .with_serializable();
        assert_eq!(
            gateway.request(&both).uri(),
            "/health?exclude=NOSPACE&serializable=true"
        );
        assert!(gateway.request(&both).body().is_empty());
    }
}
