//! A tunnel through an HTTP proxy (`CONNECT`, RFC 9110 section 9.3.6).
//!
//! One request, one answer; what follows that answer is the server's. It knows neither sockets nor what goes
//! through the tunnel.

use core::fmt;

use http::HeaderValue;

use crate::error::NetError;
use crate::error::NetErrorKind;

/// How long a proxy's answer may be, its head alone.
const MOST_BYTES: usize = 16 << 10;
/// How many answers may come before the final one.
const MOST_INFORMATIONAL: u32 = 8;
/// How many header fields it may have.
const MOST_HEADERS: usize = 64;

/// The beginning of a connection through a proxy's tunnel.
///
/// ```
/// use etcd_core::{Client, Config, Instant, Output, Range};
///
/// let mut config = Config::new(["http://etcd:2379"])?;
/// config.proxy = Some("http://proxy:3128".parse()?);
/// let mut client = Client::new(config, 1, Instant::ZERO);
/// client.call(Instant::ZERO, Range::key("k"));
/// let Some(Output::Connect { endpoint, .. }) = client.poll_output() else { panic!() };
///
/// // Connected to the proxy:
/// let mut tunnel = endpoint.tunnel().expect("there is a proxy");
/// assert!(tunnel.transmit().starts_with(b"CONNECT etcd:2379 HTTP/1.1\r\n"));
/// tunnel.handle_written(tunnel.transmit().len());
/// let mut rest = Vec::new();
/// assert!(!tunnel.handle_received(b"HTTP/1.1 200 Connection", &mut rest)?);
/// assert!(tunnel.handle_received(b" established\r\n\r\n", &mut rest)?);
/// // From here on the connection is to the server, and `rest` the first it said.
/// assert!(rest.is_empty());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct Tunnel {
    /// What is to be sent; `sent` bytes of it are.
    request: Vec<u8>,
    sent: usize,
    /// What was answered so far.
    answer: Vec<u8>,
    /// How many answers that are not the final one.
    informational: u32,
}

/// The request may have a password in it, and is not shown (guarantee G40).
impl fmt::Debug for Tunnel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tunnel").finish_non_exhaustive()
    }
}

impl Tunnel {
    pub(crate) fn new(authority: &str, authorization: Option<&HeaderValue>) -> Self {
        let mut request =
            format!("CONNECT {authority} HTTP/1.1\r\nHost: {authority}\r\n").into_bytes();
        if let Some(value) = authorization {
            request.extend_from_slice(b"Proxy-Authorization: ");
            request.extend_from_slice(value.as_bytes());
            request.extend_from_slice(b"\r\n");
        }
        request.extend_from_slice(b"\r\n");
        Self {
            request,
            sent: 0,
            answer: Vec::new(),
            informational: 0,
        }
    }

    /// What is to be sent now; nothing once all of it was.
    ///
    /// ```
    /// # use etcd_core::{Client, Config, Instant, Output, Range};
    /// # let mut config = Config::new(["http://etcd:2379"])?;
    /// # config.proxy = Some("http://proxy:3128".parse()?);
    /// # let mut client = Client::new(config, 1, Instant::ZERO);
    /// # client.call(Instant::ZERO, Range::key("k"));
    /// # let Some(Output::Connect { endpoint, .. }) = client.poll_output() else { panic!() };
    /// let tunnel = endpoint.tunnel().expect("there is a proxy");
    /// assert!(tunnel.transmit().ends_with(b"\r\n\r\n"));
    /// # Ok::<(), etcd_core::ConfigError>(())
    /// ```
    #[must_use]
    pub fn transmit(&self) -> &[u8] {
        &self.request[self.sent..]
    }

    /// So many bytes of that were taken.
    ///
    /// ```
    /// # use etcd_core::{Client, Config, Instant, Output, Range};
    /// # let mut config = Config::new(["http://etcd:2379"])?;
    /// # config.proxy = Some("http://proxy:3128".parse()?);
    /// # let mut client = Client::new(config, 1, Instant::ZERO);
    /// # client.call(Instant::ZERO, Range::key("k"));
    /// # let Some(Output::Connect { endpoint, .. }) = client.poll_output() else { panic!() };
    /// let mut tunnel = endpoint.tunnel().expect("there is a proxy");
    /// tunnel.handle_written(8);
    /// assert!(tunnel.transmit().starts_with(b"etcd:2379 "));
    /// # Ok::<(), etcd_core::ConfigError>(())
    /// ```
    pub fn handle_written(&mut self, len: usize) {
        self.sent = self.sent.saturating_add(len).min(self.request.len());
    }

    /// Takes what came. True once the tunnel is open; what came behind the proxy's answer is then appended to
    /// `rest`, and this is over.
    ///
    /// # Errors
    ///
    /// Why the proxy opens none, or what is wrong with its answer. The connection is of no more use.
    ///
    /// ```
    /// # use etcd_core::{Client, Config, Instant, Output, Range};
    /// # let mut config = Config::new(["http://etcd:2379"])?;
    /// # config.proxy = Some("http://proxy:3128".parse()?);
    /// # let mut client = Client::new(config, 1, Instant::ZERO);
    /// # client.call(Instant::ZERO, Range::key("k"));
    /// # let Some(Output::Connect { endpoint, .. }) = client.poll_output() else { panic!() };
    /// let mut tunnel = endpoint.tunnel().expect("there is a proxy");
    /// let refused = tunnel.handle_received(b"HTTP/1.1 403 Forbidden\r\n\r\n", &mut Vec::new());
    /// assert!(refused.unwrap_err().to_string().contains("403 Forbidden"));
    /// # Ok::<(), etcd_core::ConfigError>(())
    /// ```
    pub fn handle_received(&mut self, bytes: &[u8], rest: &mut Vec<u8>) -> Result<bool, NetError> {
        let mut looked = self.answer.len();
        self.answer.extend_from_slice(bytes);
        loop {
            // The end of a head may be cut, but not what was looked at before that.
            looked = looked.saturating_sub(3);
            let head = self.answer.get(looked..).unwrap_or_default();
            let end = memchr::memmem::find(head, b"\r\n\r\n").map(|end| looked + end + 4);
            let Some(end) = end.filter(|end| *end <= MOST_BYTES) else {
                if self.answer.len() > MOST_BYTES {
                    return Err(refused("its answer is too long".to_owned()));
                }
                return Ok(false);
            };
            let behind = self.answer.split_off(end);
            let (status, reason) = status_of(&self.answer)?;
            self.answer = behind;
            match status {
                // The final one follows.
                100..=199 if self.informational < MOST_INFORMATIONAL => {
                    self.informational += 1;
                    looked = 0;
                }
                200..=299 => {
                    rest.append(&mut self.answer);
                    return Ok(true);
                }
                _ => {
                    let hint = match status {
                        407 => "; give it credentials (Proxy::with_credentials)",
                        _ => "",
                    };
                    return Err(refused(format!("it answered {status} {reason}{hint}")));
                }
            }
        }
    }

    /// The proxy closed the connection before the tunnel was open.
    ///
    /// ```
    /// # use etcd_core::{Client, Config, Instant, Output, Range};
    /// # let mut config = Config::new(["http://etcd:2379"])?;
    /// # config.proxy = Some("http://proxy:3128".parse()?);
    /// # let mut client = Client::new(config, 1, Instant::ZERO);
    /// # client.call(Instant::ZERO, Range::key("k"));
    /// # let Some(Output::Connect { endpoint, .. }) = client.poll_output() else { panic!() };
    /// let tunnel = endpoint.tunnel().expect("there is a proxy");
    /// assert!(tunnel.handle_eof().to_string().contains("closed"));
    /// # Ok::<(), etcd_core::ConfigError>(())
    /// ```
    #[must_use]
    pub fn handle_eof(&self) -> NetError {
        refused("it closed the connection".to_owned())
    }
}

fn refused(why: String) -> NetError {
    NetError::new(
        NetErrorKind::Proxy,
        format!("proxy opened no tunnel: {why}"),
    )
}

/// The status and its reason, as far as that may be shown.
fn status_of(head: &[u8]) -> Result<(u16, String), NetError> {
    let mut headers = [httparse::EMPTY_HEADER; MOST_HEADERS];
    let mut answer = httparse::Response::new(&mut headers);
    let parsed = answer.parse(head);
    let is_whole = matches!(parsed, Ok(httparse::Status::Complete(_)));
    match answer.code.filter(|_| is_whole) {
        Some(status) => {
            let reason = answer.reason.unwrap_or_default().chars();
            let plain = |c: &char| c.is_ascii_graphic() || *c == ' ';
            Ok((status, reason.filter(plain).take(100).collect()))
        }
        None => Err(refused("its answer is not HTTP/1.1".to_owned())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tunnel() -> Tunnel {
        Tunnel::new("etcd:2379", None)
    }

    /// What comes of an answer that comes in pieces of this size.
    fn hear(answer: &[u8], size: usize) -> Result<Option<Vec<u8>>, String> {
        let (mut tunnel, mut rest) = (tunnel(), Vec::new());
        let mut is_open = false;
        for piece in answer.chunks(size) {
            if is_open {
                rest.extend_from_slice(piece);
                continue;
            }
            let heard = tunnel.handle_received(piece, &mut rest);
            is_open = heard.map_err(|error| error.to_string())?;
        }
        Ok(is_open.then_some(rest))
    }

    #[test]
    fn a_request_names_the_server_and_the_client() {
        let value = HeaderValue::from_static("Basic eDp5");
        let mut tunnel = Tunnel::new("[::1]:2379", Some(&value));
        let request = b"CONNECT [::1]:2379 HTTP/1.1\r\nHost: [::1]:2379\r\n\
            Proxy-Authorization: Basic eDp5\r\n\r\n";
        assert_eq!(tunnel.transmit(), request);
        tunnel.handle_written(10);
        assert_eq!(tunnel.transmit(), &request[10..]);
        tunnel.handle_written(usize::MAX);
        assert!(tunnel.transmit().is_empty());
        assert!(!format!("{tunnel:?}").contains("eDp5"));
    }

    #[test]
    fn an_answer_in_any_pieces_opens_it_and_what_follows_is_the_servers() {
        let answer = b"HTTP/1.0 200 ok\r\nVia: x\r\n\r\nand more";
        let informed = b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 299 y\r\n\r\nand more";
        for answer in [&answer[..], informed] {
            for size in 1..=answer.len() {
                assert_eq!(hear(answer, size), Ok(Some(b"and more".to_vec())), "{size}");
            }
            for cut in 0..answer.len() - 8 {
                assert_eq!(hear(&answer[..cut], 5), Ok(None), "{cut}");
            }
        }
    }

    #[test]
    fn a_refusal_is_told_and_an_answer_has_its_limit() {
        let told = |answer: &[u8]| hear(answer, 7).unwrap_err();
        assert!(told(b"HTTP/1.1 403 Forbidden\r\n\r\n").contains("403 Forbidden"));
        let wanted = told(b"HTTP/1.1 407 Who are you\r\n\r\n");
        assert!(wanted.contains("credentials"), "{wanted}");
        assert!(told(b"\x15\x03\x01\r\n\r\n").contains("not HTTP"));
        assert!(told(&[b'x'; MOST_BYTES + 1]).contains("too long"));
        let many = b"HTTP/1.1 200 ok\r\n".to_vec();
        let many = [many, b"a: b\r\n".repeat(MOST_HEADERS + 1), b"\r\n".to_vec()].concat();
        assert!(told(&many).contains("not HTTP"));
        let endless = b"HTTP/1.1 100 x\r\n\r\n".repeat(4000);
        assert!(hear(&endless, 70_000).unwrap_err().contains("100 x"));
        assert!(tunnel().handle_eof().to_string().contains("closed"));
    }
}
