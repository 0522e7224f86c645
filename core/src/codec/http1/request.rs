//! Writes requests: head, body of known length, body in chunks.
//!
//! Everything that could make a server see another request than the one meant is refused here, even
//! where [`http`]'s types promise it already. Nothing is written until everything is checked.

use core::fmt;
use core::fmt::Write as _;

use bytes::Bytes;
use http::Method;
use http::header::{CONTENT_LENGTH, HOST, HeaderName, TRANSFER_ENCODING};
use http::uri::{Authority, Scheme};

/// Appends a whole request to `out`: origin-form path, `Host`, the request's headers,
/// `Content-Length`, body.
///
/// A POST always has a `Content-Length`; a GET or HEAD has one if its body is not empty. Scheme and
/// authority of the request's URI are not sent: `host` is what the `Host` field says.
///
/// # Errors
///
/// See [`RequestError`]; `out` is then as it was.
///
/// ```
/// use bytes::Bytes;
/// use etcd_core::codec::http1::write_request;
///
/// let request = http::Request::get("/version").body(Bytes::new())?;
/// let mut out = Vec::new();
/// write_request(&request, "[::1]:2379", &mut out)?;
/// assert_eq!(out, b"GET /version HTTP/1.1\r\nHost: [::1]:2379\r\n\r\n");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn write_request(
    request: &http::Request<Bytes>,
    host: &str,
    out: &mut Vec<u8>,
) -> Result<(), RequestError> {
    write_head(request, host, out)?;
    let body = request.body();
    if !body.is_empty() || request.method() == Method::POST {
        write_fmt(out, format_args!("Content-Length: {}\r\n", body.len()));
    }
    out.extend_from_slice(b"\r\n");
    out.extend_from_slice(body);
    Ok(())
}

/// The head of a POST that is sent again and again with other bodies: checked and written once.
///
/// ```
/// use etcd_core::codec::http1::PostHead;
///
/// let head = PostHead::new(&http::Request::post("/v3/kv/put").body(())?, "h")?;
/// let mut out = Vec::new();
/// head.write(b"{}", &mut out);
/// assert_eq!(out, b"POST /v3/kv/put HTTP/1.1\r\nHost: h\r\nContent-Length: 2\r\n\r\n{}");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone)]
pub struct PostHead(Vec<u8>);

/// A head may have a token in it, and is not shown (guarantee G40).
impl fmt::Debug for PostHead {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PostHead of {} bytes", self.0.len())
    }
}

impl PostHead {
    /// The head of this request.
    ///
    /// # Errors
    ///
    /// See [`RequestError`].
    ///
    /// ```
    /// use etcd_core::codec::http1::{PostHead, RequestError};
    ///
    /// let get = http::Request::get("/version").body(())?;
    /// assert_eq!(PostHead::new(&get, "h").unwrap_err(), RequestError::UnsupportedMethod);
    /// # Ok::<(), http::Error>(())
    /// ```
    pub fn new(request: &http::Request<()>, host: &str) -> Result<Self, RequestError> {
        if request.method() != Method::POST {
            return Err(RequestError::UnsupportedMethod);
        }
        let mut head = Vec::new();
        write_head(request, host, &mut head)?;
        head.extend_from_slice(b"Content-Length: ");
        Ok(Self(head))
    }

    /// Appends the head and this body.
    ///
    /// ```
    /// use etcd_core::codec::http1::PostHead;
    ///
    /// let head = PostHead::new(&http::Request::post("/").body(())?, "h")?;
    /// let mut out = Vec::new();
    /// head.write(b"", &mut out);
    /// assert!(out.ends_with(b"Content-Length: 0\r\n\r\n"));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn write(&self, body: &[u8], out: &mut Vec<u8>) {
        out.extend_from_slice(&self.0);
        write_fmt(out, format_args!("{}\r\n\r\n", body.len()));
        out.extend_from_slice(body);
    }

    /// The same with one more header, of plain characters, that is another one each time.
    pub(crate) fn write_with(
        &self,
        name: &'static str,
        value: impl fmt::Display,
        body: &[u8],
        out: &mut Vec<u8>,
    ) {
        out.extend_from_slice(&self.0);
        write_fmt(
            out,
            format_args!("{}\r\n{name}: {value}\r\n\r\n", body.len()),
        );
        out.extend_from_slice(body);
    }
}

/// Appends the head of a POST whose body follows as chunks: by [`write_chunk`], any time later, and
/// [`write_last_chunk`].
///
/// # Errors
///
/// See [`RequestError`]; `out` is then as it was. Only a POST can have an open body.
///
/// ```
/// use etcd_core::codec::http1::{write_chunk, write_last_chunk, write_open_request};
///
/// let request = http::Request::post("/v3/watch").body(())?;
/// let mut out = Vec::new();
/// write_open_request(&request, "h", &mut out)?;
/// write_chunk(br#"{"progress_request":{}}"#, &mut out);
/// write_last_chunk(&mut out);
/// assert_eq!(
///     out,
///     b"POST /v3/watch HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n\
///       17\r\n{\"progress_request\":{}}\r\n0\r\n\r\n"
/// );
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn write_open_request(
    request: &http::Request<()>,
    host: &str,
    out: &mut Vec<u8>,
) -> Result<(), RequestError> {
    if request.method() != Method::POST {
        return Err(RequestError::UnsupportedMethod);
    }
    write_head(request, host, out)?;
    out.extend_from_slice(b"Transfer-Encoding: chunked\r\n\r\n");
    Ok(())
}

/// Appends one chunk of an open body. Empty data writes nothing, because an empty chunk is the end.
///
/// ```
/// use etcd_core::codec::http1::write_chunk;
///
/// let mut out = Vec::new();
/// write_chunk(b"", &mut out);
/// write_chunk(b"0123456789", &mut out);
/// assert_eq!(out, b"a\r\n0123456789\r\n");
/// ```
pub fn write_chunk(data: &[u8], out: &mut Vec<u8>) {
    if data.is_empty() {
        return;
    }
    write_fmt(out, format_args!("{:x}\r\n", data.len()));
    out.extend_from_slice(data);
    out.extend_from_slice(b"\r\n");
}

/// Appends the end of an open body.
///
/// ```
/// use etcd_core::codec::http1::write_last_chunk;
///
/// let mut out = Vec::new();
/// write_last_chunk(&mut out);
/// assert_eq!(out, b"0\r\n\r\n");
/// ```
pub fn write_last_chunk(out: &mut Vec<u8>) {
    out.extend_from_slice(b"0\r\n\r\n");
}

/// Why a request cannot be sent: it could be read as another one than was meant.
///
/// ```
/// use bytes::Bytes;
/// use etcd_core::codec::http1::{write_request, RequestError};
///
/// let request = http::Request::post("/v3/kv/put").body(Bytes::new())?;
/// let mut out = Vec::new();
/// let error = write_request(&request, "h\r\nX: y", &mut out).unwrap_err();
/// assert_eq!(error, RequestError::BadHost);
/// assert!(out.is_empty());
/// # Ok::<(), http::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum RequestError {
    /// The method is not GET, HEAD or POST; or not POST, though the body is left open.
    UnsupportedMethod,
    /// The path does not begin with `/`, or it or the query has a byte that is not printable ASCII.
    BadTarget,
    /// The host is empty or has a byte that cannot stand in `host:port`.
    BadHost,
    /// This header's value has a control byte other than a tab, or one that is not ASCII (gRPC
    /// metadata, which is what etcd makes of headers, may not have it either).
    BadHeaderValue(HeaderName),
    /// This header is the writer's own: `Host`, `Content-Length` or `Transfer-Encoding`.
    ReservedHeader(HeaderName),
}

impl fmt::Display for RequestError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::UnsupportedMethod => f.write_str("method cannot be used here"),
            Self::BadTarget => f.write_str("path is not printable ascii that begins with a slash"),
            Self::BadHost => f.write_str("host has bytes that cannot stand in it"),
            Self::BadHeaderValue(name) => write!(f, "value of header {name} has forbidden bytes"),
            Self::ReservedHeader(name) => write!(f, "header {name} is set by the client itself"),
        }
    }
}

impl core::error::Error for RequestError {}

/// An extension of a request that is to be written in absolute form (RFC 9112 section 3.2.2), as proxies want it.
///
/// ```
/// use bytes::Bytes;
/// use etcd_core::codec::http1::{AbsoluteForm, write_request};
///
/// let request = http::Request::get("http://etcd:2379/version")
///     .extension(AbsoluteForm)
///     .body(Bytes::new())?;
/// let mut out = Vec::new();
/// write_request(&request, "etcd:2379", &mut out)?;
/// assert!(out.starts_with(b"GET http://etcd:2379/version HTTP/1.1\r\n"));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(
    clippy::exhaustive_structs,
    reason = "it says that it is there, and nothing else"
)]
pub struct AbsoluteForm;

/// Checks everything, then writes the head as far as both kinds of body share it.
fn write_head<B>(
    request: &http::Request<B>,
    host: &str,
    out: &mut Vec<u8>,
) -> Result<(), RequestError> {
    let method = request.method();
    if ![Method::GET, Method::HEAD, Method::POST].contains(method) {
        return Err(RequestError::UnsupportedMethod);
    }
    let target = request.uri().path_and_query();
    let target = target.map(|target| target.as_str()).unwrap_or_default();
    if !target.starts_with('/') || !target.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Err(RequestError::BadTarget);
    }
    let is_absolute = request.extensions().get::<AbsoluteForm>().is_some();
    let authority = request.uri().authority().filter(|_| is_absolute);
    let authority = authority.map(Authority::as_str);
    let is_http = request.uri().scheme() == Some(&Scheme::HTTP);
    if authority.is_some_and(|it| !is_http || !it.bytes().all(may_stand_in_host)) {
        return Err(RequestError::BadTarget);
    }
    if host.is_empty() || !host.bytes().all(may_stand_in_host) {
        return Err(RequestError::BadHost);
    }
    for (name, value) in request.headers() {
        if [HOST, CONTENT_LENGTH, TRANSFER_ENCODING].contains(name) {
            return Err(RequestError::ReservedHeader(name.clone()));
        }
        if !value
            .as_bytes()
            .iter()
            .all(|&byte| may_stand_in_value(byte))
        {
            return Err(RequestError::BadHeaderValue(name.clone()));
        }
    }

    out.extend_from_slice(method.as_str().as_bytes());
    out.extend_from_slice(b" ");
    if let Some(authority) = authority {
        out.extend_from_slice(b"http://");
        out.extend_from_slice(authority.as_bytes());
    }
    out.extend_from_slice(target.as_bytes());
    out.extend_from_slice(b" HTTP/1.1\r\nHost: ");
    out.extend_from_slice(host.as_bytes());
    out.extend_from_slice(b"\r\n");
    for (name, value) in request.headers() {
        out.extend_from_slice(name.as_str().as_bytes());
        out.extend_from_slice(b": ");
        out.extend_from_slice(value.as_bytes());
        out.extend_from_slice(b"\r\n");
    }
    Ok(())
}

const fn may_stand_in_value(byte: u8) -> bool {
    byte.is_ascii_graphic() || matches!(byte, b' ' | b'\t')
}

/// `uri-host [":" port]` (RFC 3986 section 3.2.2), without checking how its bytes are arranged.
const fn may_stand_in_host(byte: u8) -> bool {
    byte.is_ascii_graphic()
        && !matches!(byte, b'/' | b'?' | b'#' | b'@' | b'\\' | b'"' | b'<' | b'>')
}

/// Appends formatted text, which cannot fail: a `Vec` takes everything.
fn write_fmt(out: &mut Vec<u8>, text: fmt::Arguments<'_>) {
    struct Text<'a>(&'a mut Vec<u8>);

    impl fmt::Write for Text<'_> {
        fn write_str(&mut self, text: &str) -> fmt::Result {
            self.0.extend_from_slice(text.as_bytes());
            Ok(())
        }
    }

    let _ = Text(out).write_fmt(text);
}
