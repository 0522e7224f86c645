//! Why a connection ended, and what a limit or a configuration error is.
//!
//! Blame is in the type: [`NetError`] is the network's, [`HttpError`], [`JsonError`] and
//! [`ProtocolError`] are the server's (or of something that pretends to be one), [`Limit`] is a
//! bound of ours, [`ConfigError`] is the caller's.

use core::fmt;

use super::JsonError;

/// Why a connection ended.
///
/// ```
/// use etcd_core::{CloseReason, HttpError};
///
/// let reason = CloseReason::Http(HttpError::BadChunkSize);
/// assert_eq!(reason.to_string(), "server broke HTTP: chunk size is not hexadecimal");
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum CloseReason {
    /// The server closed it.
    PeerClosed,
    /// The server closed it and never said anything, though it was asked. So does etcd on a port that speaks
    /// TLS, to a client that does not: use `https://` then (gateway.md section 14).
    Unanswered,
    /// The network broke it.
    Net(NetError),
    /// The server's bytes are not HTTP/1.1 as this client reads it.
    Http(HttpError),
    /// The body is not the JSON it should be.
    Json(JsonError),
    /// The JSON is right, its meaning is not.
    Protocol(ProtocolError),
    /// A limit of ours was passed.
    Limit(Limit),
    /// The server ended a stream with this error.
    Status(super::Status),
    /// The server said that this connection takes no further request.
    NotReusable,
    /// Its endpoint was taken out of the configuration.
    Removed,
    /// Nothing was left to do on it.
    Idle,
    /// A call's deadline passed while the server owed its answer.
    Deadline,
    /// A watch was not confirmed in time.
    NotCreated,
    /// Nothing came on a connection of watches, not even when it was asked for (guarantee G20), or about
    /// a call for so long that another server is asked (G43).
    Silent,
    /// The caller canceled what it was for.
    Canceled,
    /// The client was shut down.
    Shutdown,
}

impl CloseReason {
    /// Whether the server certainly read no request on the connection, however much of one was sent.
    pub(crate) const fn is_before_any_request(&self) -> bool {
        matches!(
            self,
            Self::Net(NetError {
                kind: NetErrorKind::CertificateRefused,
                ..
            })
        )
    }
}

impl fmt::Display for CloseReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::PeerClosed => f.write_str("server closed the connection"),
            Self::Unanswered => f.write_str(
                "server closed the connection and said nothing; if this port speaks TLS, use https://",
            ),
            Self::Net(error) => fmt::Display::fmt(error, f),
            Self::Http(error @ (HttpError::Http2 | HttpError::Tls)) => fmt::Display::fmt(error, f),
            Self::Http(error) => write!(f, "server broke HTTP: {error}"),
            Self::Json(error) => write!(f, "server sent bad JSON: {error}"),
            Self::Protocol(error) => write!(f, "server broke the protocol: {error}"),
            Self::Limit(limit) => fmt::Display::fmt(limit, f),
            Self::Status(status) => write!(f, "server ended the stream: {status}"),
            Self::NotReusable => f.write_str("server will close the connection"),
            Self::Removed => f.write_str("its endpoint is no longer configured"),
            Self::Idle => f.write_str("nothing was left to do on the connection"),
            Self::Silent => f.write_str("server was silent when it was asked"),
            Self::Deadline => f.write_str("a deadline passed before the answer came"),
            Self::NotCreated => f.write_str("server did not confirm a watch in time"),
            Self::Canceled => f.write_str("canceled by the caller"),
            Self::Shutdown => f.write_str("the client was shut down"),
        }
    }
}

impl core::error::Error for CloseReason {
    fn source(&self) -> Option<&(dyn core::error::Error + 'static)> {
        match self {
            Self::Net(error) => Some(error),
            Self::Http(error) => Some(error),
            Self::Json(error) => Some(error),
            Self::Protocol(error) => Some(error),
            Self::Limit(limit) => Some(limit),
            Self::Status(status) => Some(status),
            _ => None,
        }
    }
}

/// What the operating system said about a connection, as the driver reports it.
///
/// ```
/// use etcd_core::{NetError, NetErrorKind};
///
/// let error = NetError::new(NetErrorKind::Refused, "connection refused (os error 111)");
/// assert_eq!(error.to_string(), "connection refused (os error 111)");
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct NetError {
    /// What kind of failure it was.
    pub kind: NetErrorKind,
    /// The system's text, for people.
    pub message: String,
}

impl NetError {
    /// An error of this kind with the system's text.
    ///
    /// ```
    /// use etcd_core::{NetError, NetErrorKind};
    ///
    /// assert_eq!(NetError::new(NetErrorKind::TimedOut, "timed out").kind, NetErrorKind::TimedOut);
    /// ```
    #[must_use]
    pub fn new(kind: NetErrorKind, message: impl Into<String>) -> Self {
        Self {
            kind,
            message: message.into(),
        }
    }
}

impl From<&std::io::Error> for NetError {
    /// What a socket call of the standard library returned: its kind and its text, no IO.
    fn from(error: &std::io::Error) -> Self {
        use std::io::ErrorKind;
        let kind = match error.kind() {
            ErrorKind::ConnectionRefused => NetErrorKind::Refused,
            ErrorKind::ConnectionReset
            | ErrorKind::ConnectionAborted
            | ErrorKind::BrokenPipe
            | ErrorKind::NotConnected => NetErrorKind::Reset,
            ErrorKind::TimedOut => NetErrorKind::TimedOut,
            ErrorKind::HostUnreachable | ErrorKind::NetworkUnreachable => NetErrorKind::Unreachable,
            _ => NetErrorKind::Other,
        };
        Self::new(kind, error.to_string())
    }
}

impl From<std::io::Error> for NetError {
    fn from(error: std::io::Error) -> Self {
        Self::from(&error)
    }
}

impl fmt::Display for NetError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl core::error::Error for NetError {}

/// Kinds of [`NetError`].
///
/// ```
/// use etcd_core::NetErrorKind;
///
/// assert_ne!(NetErrorKind::Refused, NetErrorKind::Reset);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum NetErrorKind {
    /// Nobody listens there.
    Refused,
    /// The connection was reset or aborted.
    Reset,
    /// Connecting took too long.
    TimedOut,
    /// There is no way to that host.
    Unreachable,
    /// The host name has no address. No kind of the standard library's errors says so: a driver
    /// that looks names up itself does.
    NameNotFound,
    /// The server's certificate is not one to be trusted; nothing was sent to it.
    Certificate,
    /// The server refused the client's certificate, or wants one. It read no request on this connection,
    /// even where it says so only after one was sent (TLS 1.3): writes certainly did not happen.
    CertificateRefused,
    /// TLS was not agreed on for another reason, such as a server that does not speak it.
    Tls,
    /// An open TLS connection was cut, or what came on it is not genuine. What was sent may have been
    /// read.
    TlsBroken,
    /// A proxy opened no tunnel, or broke off; the server was not reached.
    Proxy,
    /// Something else; the message says what.
    Other,
}

/// How the server's bytes broke HTTP/1.1 (RFC 9112). The connection is not read any further.
///
/// ```
/// use etcd_core::HttpError;
///
/// assert_eq!(HttpError::BadChunkSize.to_string(), "chunk size is not hexadecimal");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum HttpError {
    /// The status line or a header line cannot be read (RFC 9112 sections 4 and 5).
    BadHead,
    /// The answer is a frame of HTTP/2: gRPC and nothing else is spoken on this port. Use the one of
    /// etcd's `--listen-client-http-urls` (gateway.md 2).
    Http2,
    /// The answer is a record of TLS. Use `https://`, or a port without TLS.
    Tls,
    /// The version is neither HTTP/1.1 nor HTTP/1.0.
    BadVersion,
    /// The status is outside 100 to 599, or 101 though no upgrade was asked for.
    BadStatus,
    /// The head is longer than this many bytes. Raise `HttpLimits::head_bytes`.
    HeadTooLong(usize),
    /// A line of the head is longer than this many bytes. Raise `HttpLimits::head_line_bytes`.
    HeadLineTooLong(usize),
    /// The head has more than this many fields. Raise `HttpLimits::header_count`.
    TooManyHeaders(usize),
    /// More informational (1xx) answers than this came before the final one. Raise
    /// `HttpLimits::informational`.
    TooManyInformational(usize),
    /// A Content-Length is not a plain decimal number that fits in 64 bits.
    BadContentLength,
    /// There are several Content-Length values.
    ConflictingContentLength,
    /// Both Content-Length and Transfer-Encoding are present (RFC 9112 section 6.3).
    LengthAndTransferEncoding,
    /// A Transfer-Encoding other than exactly one `chunked`.
    BadTransferEncoding,
    /// A Content-Encoding, though none was asked for.
    UnexpectedContentEncoding,
    /// A chunk size is not plain hexadecimal (RFC 9112 section 7.1).
    BadChunkSize,
    /// A chunk size does not fit in 64 bits.
    ChunkSizeOverflow,
    /// A chunk's size line is longer than this many bytes. Raise `HttpLimits::chunk_line_bytes`.
    ChunkLineTooLong(usize),
    /// A chunk size line or a chunk's data is not followed by CR LF, or has a bare CR or LF.
    BadChunkEnd,
    /// Chunk framing outweighs the data it carries by more than this many bytes. Raise
    /// `HttpLimits::chunk_overhead_bytes`.
    TooMuchChunkOverhead(usize),
    /// The trailer section cannot be read, or has a field that is not allowed there.
    BadTrailer,
    /// The trailer section is longer than this many bytes. Raise `HttpLimits::trailer_bytes`.
    TrailerTooLong(usize),
    /// The trailer section has more than this many fields. Raise `HttpLimits::trailer_count`.
    TooManyTrailers(usize),
    /// Bytes came before a request was sent, or after the answer's end.
    UnexpectedBytes,
    /// The connection ended inside an answer.
    Truncated,
}

impl fmt::Display for HttpError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::BadHead => f.write_str("answer head cannot be read"),
            Self::Http2 => f.write_str(
                "server speaks only gRPC (HTTP/2) on this port; use the port of etcd's \
                 --listen-client-http-urls",
            ),
            Self::Tls => {
                f.write_str("server speaks TLS on this port; use https://, or a port without TLS")
            }
            Self::BadVersion => f.write_str("version is neither HTTP/1.1 nor HTTP/1.0"),
            Self::BadStatus => f.write_str("status is not one this client can take"),
            Self::HeadTooLong(limit) => write!(f, "answer head is longer than {limit} bytes"),
            Self::HeadLineTooLong(limit) => {
                write!(f, "line of an answer head is longer than {limit} bytes")
            }
            Self::TooManyHeaders(limit) => write!(f, "answer has more than {limit} header fields"),
            Self::TooManyInformational(limit) => {
                write!(
                    f,
                    "more than {limit} informational answers before the final one"
                )
            }
            Self::BadContentLength => f.write_str("content length is not a plain number"),
            Self::ConflictingContentLength => f.write_str("several content lengths"),
            Self::LengthAndTransferEncoding => {
                f.write_str("both content length and transfer encoding")
            }
            Self::BadTransferEncoding => f.write_str("transfer encoding is not exactly chunked"),
            Self::UnexpectedContentEncoding => {
                f.write_str("content encoding that was not asked for")
            }
            Self::BadChunkSize => f.write_str("chunk size is not hexadecimal"),
            Self::ChunkSizeOverflow => f.write_str("chunk size does not fit in 64 bits"),
            Self::ChunkLineTooLong(limit) => {
                write!(f, "chunk size line is longer than {limit} bytes")
            }
            Self::BadChunkEnd => f.write_str("chunk is not ended by CR LF"),
            Self::TooMuchChunkOverhead(limit) => {
                write!(
                    f,
                    "chunk framing outweighs its data by more than {limit} bytes"
                )
            }
            Self::BadTrailer => f.write_str("trailer section cannot be read"),
            Self::TrailerTooLong(limit) => {
                write!(f, "trailer section is longer than {limit} bytes")
            }
            Self::TooManyTrailers(limit) => {
                write!(f, "trailer section has more than {limit} fields")
            }
            Self::UnexpectedBytes => f.write_str("bytes that answer no request"),
            Self::Truncated => f.write_str("connection ended inside an answer"),
        }
    }
}

impl core::error::Error for HttpError {}

/// How the server's messages broke etcd's own rules.
///
/// ```
/// use etcd_core::ProtocolError;
///
/// let error = ProtocolError::UnknownWatch(7);
/// assert_eq!(error.to_string(), "answer for watch 7, which was never asked for");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ProtocolError {
    /// A frame names a watch that was never asked for on this connection.
    UnknownWatch(i64),
    /// A watch was confirmed under another id than the one asked for.
    WrongWatchId {
        /// The id asked for.
        asked: i64,
        /// The id confirmed.
        got: i64,
    },
    /// A watch was confirmed though none was waiting.
    UnexpectedCreated,
    /// Parts of one fragmented message were mixed with something else.
    BrokenFragments,
    /// The revisions of one watch went backwards within one connection.
    RevisionWentBack {
        /// The revision already seen.
        seen: i64,
        /// The one that came after it.
        got: i64,
    },
    /// A renewal was answered though none was waiting, or for another lease than the one asked.
    UnexpectedRenewal(i64),
    /// The stream ended though the server may not end it.
    StreamEnded,
    /// An answer without a body where one is due.
    EmptyAnswer,
    /// The answer to a transaction does not have the operations that were asked for.
    WrongOperations,
    /// A page of a range has keys that are not in it, or are not in their order.
    BrokenPage,
    /// An answer has a key outside of the client's namespace (rule N-5).
    ForeignKey,
}

impl fmt::Display for ProtocolError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::UnknownWatch(id) => {
                write!(f, "answer for watch {id}, which was never asked for")
            }
            Self::WrongWatchId { asked, got } => {
                write!(f, "watch {asked} was confirmed under the id {got}")
            }
            Self::UnexpectedCreated => f.write_str("a watch was confirmed though none was waiting"),
            Self::BrokenFragments => {
                f.write_str("parts of a fragmented message do not follow one another")
            }
            Self::RevisionWentBack { seen, got } => {
                write!(f, "revision {got} came after revision {seen}")
            }
            Self::UnexpectedRenewal(id) => {
                write!(
                    f,
                    "renewal of lease {id} was answered though it was not asked for"
                )
            }
            Self::StreamEnded => f.write_str("server ended a stream without a reason"),
            Self::EmptyAnswer => f.write_str("answer has no body"),
            Self::WrongOperations => {
                f.write_str("answer to a transaction does not have the operations asked for")
            }
            Self::ForeignKey => f.write_str("answer has a key outside of the namespace"),
            Self::BrokenPage => {
                f.write_str("page of a range has keys outside of it or out of order")
            }
        }
    }
}

impl core::error::Error for ProtocolError {}

/// A configured limit that was passed. Each is a field of `Config` or of its `Limits`.
///
/// ```
/// use etcd_core::Limit;
///
/// assert_eq!(Limit::Body(1024).to_string(), "answer body is longer than 1024 bytes");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Limit {
    /// An answer's body, in bytes. Raise `Limits::body_bytes`, or ask for less at once.
    Body(u64),
    /// One frame of a stream, in bytes; of a watch's frame what has to be kept of it. Raise
    /// `Limits::frame_bytes`.
    Frame(usize),
    /// One revision of a watch, in bytes. Ask for less with a narrower range or without `prev_kv`,
    /// or raise `Limits::revision_bytes`.
    Revision(usize),
    /// Calls under way at the same time. Raise `Limits::calls`, or wait for some to end.
    Calls(usize),
    /// Calls under way at the same time that wait for somebody else or for long work. Raise
    /// `Limits::waits`, or cancel some.
    Waits(usize),
    /// Watches open at the same time. Raise `Limits::watches`, or cancel some.
    Watches(usize),
    /// Keys that one watch keeps for [`Compaction::Difference`](crate::Compaction), in bytes. Raise
    /// `Limits::known_keys_bytes`, narrow the range, or use `Compaction::Snapshot`.
    KnownKeys(usize),
    /// Connections open or being opened at the same time. Raise `Limits::connections`, or ask fewer
    /// endpoints and keep fewer snapshots, observations and locks at once.
    Connections(usize),
    /// Snapshots and observations open at the same time. Raise `Limits::streams`, or cancel some.
    Streams(usize),
    /// Leases kept alive at the same time. Raise `Limits::leases`, or release some.
    Leases(usize),
    /// A request's body as it is sent, in bytes. Raise `Limits::request_bytes`, and with it the
    /// server's own `--max-request-bytes`.
    Request(usize),
}

impl fmt::Display for Limit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Body(limit) => write!(f, "answer body is longer than {limit} bytes"),
            Self::Frame(limit) => write!(f, "frame of a stream is longer than {limit} bytes"),
            Self::Revision(limit) => write!(f, "revision of a watch is larger than {limit} bytes"),
            Self::Calls(limit) => write!(f, "more than {limit} calls under way"),
            Self::Waits(limit) => {
                write!(
                    f,
                    "more than {limit} calls that wait for somebody else or for long work"
                )
            }
            Self::Watches(limit) => write!(f, "more than {limit} watches open"),
            Self::KnownKeys(limit) => {
                write!(f, "known keys of a watch take more than {limit} bytes")
            }
            Self::Connections(limit) => write!(f, "more than {limit} connections needed at once"),
            Self::Streams(limit) => write!(f, "more than {limit} snapshots and observations open"),
            Self::Leases(limit) => write!(f, "more than {limit} leases kept alive"),
            Self::Request(limit) => write!(f, "request is larger than {limit} bytes"),
        }
    }
}

impl core::error::Error for Limit {}

/// A configuration that cannot work.
///
/// ```
/// use etcd_core::{Config, ConfigError};
///
/// let none: [&str; 0] = [];
/// assert_eq!(Config::new(none).unwrap_err(), ConfigError::NoEndpoints);
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ConfigError {
    /// At least one endpoint is needed.
    NoEndpoints,
    /// An endpoint has a scheme that is not spoken; `http://` and `https://` are.
    UnsupportedScheme {
        /// The endpoint as given.
        endpoint: String,
    },
    /// An endpoint is not `http://host:port` or `https://host:port`.
    BadEndpoint {
        /// The endpoint as given.
        endpoint: String,
        /// What is wrong with it.
        reason: &'static str,
    },
    /// The API prefix must be like `/v3`: begin with a slash, not end with one, plain characters.
    BadApiPrefix {
        /// The prefix as given.
        prefix: String,
    },
    /// The credentials cannot be used. The text never has a part of them.
    BadCredentials {
        /// What is wrong with them.
        reason: &'static str,
    },
    /// A header cannot be sent: its name or value has forbidden bytes, or the client sets it itself.
    BadHeader {
        /// The header's name as given.
        name: String,
    },
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoEndpoints => f.write_str("no endpoint given"),
            Self::UnsupportedScheme { endpoint } => {
                write!(
                    f,
                    "endpoint {endpoint:?} has a scheme that is not supported, use http:// or https://"
                )
            }
            Self::BadEndpoint { endpoint, reason } => {
                write!(f, "endpoint {endpoint:?} is not usable: {reason}")
            }
            Self::BadApiPrefix { prefix } => {
                write!(f, "api prefix {prefix:?} is not of the form /v3")
            }
            Self::BadCredentials { reason } => write!(f, "credentials are not usable: {reason}"),
            Self::BadHeader { name } => write!(f, "header {name:?} cannot be sent"),
        }
    }
}

impl core::error::Error for ConfigError {}
