//! One connection's TLS, from the handshake to its end.
//!
//! ```text
//!              seal ──►            ──► transmit, handle_written
//!   plaintext          TlsSession           ciphertext
//!  handle_received ◄──             ◄── handle_received, handle_eof
//! ```
//!
//! rustls does the work; this holds what a driver and a core need besides: how much plaintext the peer
//! can have (`outbox`), what an end means, and that the first error stays.

use std::fmt;
use std::io::BufRead;
use std::io::Write;
use std::sync::Arc;

use rustls::ClientConfig;
use rustls::ClientConnection;
use rustls::HandshakeKind;
use rustls::ProtocolVersion;
use rustls::pki_types::ServerName;

use crate::error::Circumstances;
use crate::error::TlsError;
use crate::outbox::Outbox;

/// The client's side of one TLS connection: bytes in, bytes out, no IO.
///
/// A driver moves ciphertext between it and a socket, and plaintext between it and the core:
///
/// 1. Write [`TlsSession::transmit`] to the socket and tell [`TlsSession::handle_written`] how much it
///    took, as long as there is something; give what the socket has to [`TlsSession::handle_received`].
/// 2. Once [`TlsSession::is_connected`], the connection is open. From then on call
///    [`TlsSession::seal`] with *all* that the core has to send before each write, and tell the core of
///    what [`TlsSession::handle_written`] gives.
/// 3. When [`TlsSession::is_ended`] the peer has said all it had to say. When the socket ends,
///    [`TlsSession::handle_eof`] says whether it may. After an error, and when the core wants to
///    close, write [`TlsSession::farewell`] once, without waiting, and close the socket.
///
/// # What "written" means
///
/// Whether a write may be sent again depends on whether the peer can have all of it. The peer can open
/// a record once it has the record's last byte, and no part of it before. So a byte of plaintext counts
/// as written exactly when the last byte of its record was taken by the socket:
///
/// * never later, or a request that the peer has would be taken for one it cannot have, and be sent
///   again;
/// * never sooner: a request whose last record was not taken whole certainly was not carried out.
///
/// What was sealed cannot be taken back, so nothing may be sealed that the core could still change its
/// mind about: a core's bytes to send only ever grow at their end. And a session whose connection is
/// given up must not send what is left of a record; [`TlsSession::farewell`] looks after that.
///
/// # Bounds
///
/// It holds at most one record that is not whole (16 KiB and its frame), or handshake messages of 64 KiB,
/// and 64 KiB of what was sealed. Work is linear in the bytes, and no bytes make it panic. After an
/// error everything else gives the same error.
///
/// ```
/// # use rustls::{ServerConfig, ServerConnection};
/// # use std::io::{Read, Write};
/// # let made = rcgen::generate_simple_self_signed(["etcd".to_owned()])?;
/// # let key = rustls::pki_types::PrivatePkcs8KeyDer::from(made.signing_key.serialize_der());
/// # let provider = std::sync::Arc::new(rustls::crypto::ring::default_provider());
/// # let server = ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions()?
/// #     .with_no_client_auth().with_single_cert(vec![made.cert.der().clone()], key.into())?;
/// # let mut server = ServerConnection::new(server.into())?;
/// let tls = etcd_tls::TlsConfig::builder().with_root_pem(made.cert.pem()).build()?;
/// let mut session = tls.session("etcd")?;
///
/// // The handshake: bytes to and fro. `server` stands for a socket.
/// let mut plaintext = Vec::new();
/// while !session.is_connected() {
///     server.read_tls(&mut session.transmit())?;
///     session.handle_written(session.transmit().len());
///     server.process_new_packets()?;
///     let mut answer = Vec::new();
///     server.write_tls(&mut answer)?;
///     session.handle_received(&answer, &mut plaintext)?;
/// }
///
/// // A request, of which the core keeps what was not written.
/// let unsent = b"GET /health HTTP/1.1\r\n\r\n";
/// session.seal(unsent)?;
/// let all = session.transmit().len();
/// server.read_tls(&mut session.transmit())?;
/// assert_eq!(session.handle_written(all - 1), 0);
/// assert_eq!(session.handle_written(1), unsent.len());
/// server.process_new_packets()?;
/// let mut request = [0; 24];
/// server.reader().read_exact(&mut request)?;
/// assert_eq!(&request, unsent);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct TlsSession {
    tls: ClientConnection,
    outbox: Outbox,
    /// The first bytes that came, for what is no TLS.
    first: First,
    /// Plaintext came.
    heard: bool,
    has_certificate: bool,
    state: State,
}

enum State {
    Alive,
    /// The peer said that it will say nothing more.
    Ended,
    Failed(TlsError),
}

/// The version of TLS that was agreed on.
///
/// ```
/// assert!(etcd_tls::TlsVersion::V1_2 < etcd_tls::TlsVersion::V1_3);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum TlsVersion {
    /// TLS 1.2 (RFC 5246).
    V1_2,
    /// TLS 1.3 (RFC 8446).
    V1_3,
}

impl TlsSession {
    /// How much plaintext goes into one record at the most (RFC 8446 section 5.1).
    const RECORD_BYTES: usize = 16 << 10;
    /// How much plaintext is sealed ahead of the socket: what a socket takes in one go.
    const SEALED_BYTES: usize = 64 << 10;

    pub(crate) fn new(
        config: Arc<ClientConfig>,
        name: ServerName<'static>,
    ) -> Result<Self, TlsError> {
        let has_certificate = config.client_auth_cert_resolver.has_certs();
        let tls = ClientConnection::new(config, name)
            .map_err(|error| TlsError::Broken(error.to_string()))?;
        let mut session = Self {
            tls,
            outbox: Outbox::default(),
            first: First::default(),
            heard: false,
            has_certificate,
            state: State::Alive,
        };
        session.flush();
        Ok(session)
    }

    /// Whether the handshake is done, so that plaintext can be sealed. With TLS 1.3 and a client
    /// certificate the server may still refuse that.
    ///
    /// ```
    /// # let made = rcgen::generate_simple_self_signed(["etcd".to_owned()])?;
    /// # let tls = etcd_tls::TlsConfig::builder().with_root_pem(made.cert.pem()).build()?;
    /// assert!(!tls.session("etcd")?.is_connected());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn is_connected(&self) -> bool {
        !self.tls.is_handshaking() && !matches!(self.state, State::Failed(_))
    }

    /// Whether the peer has said that it will say nothing more (close_notify). Whatever comes behind that
    /// is passed over.
    ///
    /// ```
    /// # let made = rcgen::generate_simple_self_signed(["etcd".to_owned()])?;
    /// # let tls = etcd_tls::TlsConfig::builder().with_root_pem(made.cert.pem()).build()?;
    /// assert!(!tls.session("etcd")?.is_ended());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub const fn is_ended(&self) -> bool {
        matches!(self.state, State::Ended)
    }

    /// Whether an earlier session with this server was resumed, which saves it and the client the checking
    /// of certificates. `None` before the handshake is done.
    ///
    /// ```
    /// # let made = rcgen::generate_simple_self_signed(["etcd".to_owned()])?;
    /// # let tls = etcd_tls::TlsConfig::builder().with_root_pem(made.cert.pem()).build()?;
    /// assert_eq!(tls.session("etcd")?.is_resumed(), None);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn is_resumed(&self) -> Option<bool> {
        let kind = self.tls.handshake_kind()?;
        Some(kind == HandshakeKind::Resumed)
    }

    /// The version that was agreed on, once it was.
    ///
    /// ```
    /// # let made = rcgen::generate_simple_self_signed(["etcd".to_owned()])?;
    /// # let tls = etcd_tls::TlsConfig::builder().with_root_pem(made.cert.pem()).build()?;
    /// assert_eq!(tls.session("etcd")?.version(), None);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn version(&self) -> Option<TlsVersion> {
        match self.tls.protocol_version()? {
            ProtocolVersion::TLSv1_2 => Some(TlsVersion::V1_2),
            ProtocolVersion::TLSv1_3 => Some(TlsVersion::V1_3),
            // No other one is offered.
            _ => None,
        }
    }

    /// Turns plaintext into records, as much as is worth having ahead of the socket.
    ///
    /// `unsent` is everything that is to be sent and was not reported as written: what was sealed before
    /// is its beginning, and is not sealed again. Shorter than that it is taken for nothing new.
    ///
    /// # Errors
    ///
    /// The session's error, if it has one. Before the handshake is done nothing is sealed, which is none.
    ///
    /// ```
    /// # let made = rcgen::generate_simple_self_signed(["etcd".to_owned()])?;
    /// # let tls = etcd_tls::TlsConfig::builder().with_root_pem(made.cert.pem()).build()?;
    /// let mut session = tls.session("etcd")?;
    /// let hello = session.transmit().len();
    /// session.seal(b"too early")?;
    /// assert_eq!(session.transmit().len(), hello);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn seal(&mut self, unsent: &[u8]) -> Result<(), TlsError> {
        if let State::Failed(error) = &self.state {
            return Err(error.clone());
        }
        if !self.is_connected() {
            return Ok(());
        }
        let room = Self::SEALED_BYTES.saturating_sub(self.outbox.plaintext());
        let rest = unsent.get(self.outbox.plaintext()..).unwrap_or_default();
        let rest = &rest[..rest.len().min(room)];
        for piece in rest.chunks(Self::RECORD_BYTES) {
            let written = self.tls.writer().write(piece);
            self.flush();
            // rustls takes all of it: it holds nothing, and its limit is four records.
            match written {
                Ok(len) if len == piece.len() => self.outbox.seal(len),
                _ => return Err(self.fail(TlsError::Broken("a record was not sealed".to_owned()))),
            }
        }
        Ok(())
    }

    /// What the socket has to take.
    ///
    /// ```
    /// # let made = rcgen::generate_simple_self_signed(["etcd".to_owned()])?;
    /// # let tls = etcd_tls::TlsConfig::builder().with_root_pem(made.cert.pem()).build()?;
    /// let session = tls.session("etcd")?;
    /// assert!(session.transmit().starts_with(&[22, 3]));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn transmit(&self) -> &[u8] {
        self.outbox.unsent()
    }

    /// The socket took `len` bytes of [`TlsSession::transmit`]. Gives how many further bytes of plaintext
    /// the peer can have now, which is what the core is to be told.
    ///
    /// ```
    /// # let made = rcgen::generate_simple_self_signed(["etcd".to_owned()])?;
    /// # let tls = etcd_tls::TlsConfig::builder().with_root_pem(made.cert.pem()).build()?;
    /// let mut session = tls.session("etcd")?;
    /// // The handshake is nobody's plaintext.
    /// assert_eq!(session.handle_written(session.transmit().len()), 0);
    /// assert!(session.transmit().is_empty());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn handle_written(&mut self, len: usize) -> usize {
        self.outbox.handle_written(len)
    }

    /// Ciphertext came. Appends the plaintext of each record that is whole now to `plaintext`, which is
    /// never more than came and 16 KiB.
    ///
    /// # Errors
    ///
    /// [`TlsError`] says what is wrong. What came whole before that is in `plaintext` all the same. There
    /// may be an alert in [`TlsSession::farewell`] then.
    ///
    /// ```
    /// use etcd_tls::TlsError;
    ///
    /// # let made = rcgen::generate_simple_self_signed(["etcd".to_owned()])?;
    /// # let tls = etcd_tls::TlsConfig::builder().with_root_pem(made.cert.pem()).build()?;
    /// let mut session = tls.session("etcd")?;
    /// let mut plaintext = Vec::new();
    /// let error = session.handle_received(b"HTTP/1.1 400 Bad Request\r\n", &mut plaintext);
    /// assert_eq!(error, Err(TlsError::PlainHttp));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn handle_received(
        &mut self,
        mut bytes: &[u8],
        plaintext: &mut Vec<u8>,
    ) -> Result<(), TlsError> {
        match &self.state {
            State::Failed(error) => return Err(error.clone()),
            State::Ended => return Ok(()),
            State::Alive => {}
        }
        if !self.first.is_whole() {
            self.first.keep(&mut bytes);
            if !self.first.is_whole() {
                return Ok(());
            }
            if let Some(error) = self.first.what_else() {
                return Err(self.fail(error));
            }
            let header = self.first.bytes;
            self.open(&header, plaintext)?;
        }
        self.open(bytes, plaintext)
    }

    /// Gives ciphertext to rustls and takes what comes of it.
    fn open(&mut self, mut bytes: &[u8], plaintext: &mut Vec<u8>) -> Result<(), TlsError> {
        while !bytes.is_empty() {
            let read = self.tls.read_tls(&mut bytes);
            let processed = self.tls.process_new_packets();
            // What was opened goes out, whatever comes after it.
            let mut reader = self.tls.reader();
            while let Ok(piece @ [_, ..]) = reader.fill_buf() {
                plaintext.extend_from_slice(piece);
                let len = piece.len();
                reader.consume(len);
                self.heard = true;
            }
            self.flush();
            match (read, processed) {
                (_, Err(error)) => {
                    let error = self.explain(&error);
                    return Err(self.fail(error));
                }
                (_, Ok(state)) if state.peer_has_closed() => {
                    if self.tls.is_handshaking() {
                        return Err(self.fail(TlsError::ClosedInHandshake));
                    }
                    self.state = State::Ended;
                    break;
                }
                (Ok(1..), Ok(_)) => {}
                // It wants no more of a message that is longer than any may be.
                (Ok(0) | Err(_), Ok(_)) => {
                    let error = TlsError::Broken("a message is longer than it may be".to_owned());
                    return Err(self.fail(error));
                }
            }
        }
        Ok(())
    }

    /// The socket has ended: a read gave 0 bytes.
    ///
    /// # Errors
    ///
    /// None if the peer said so before. Otherwise [`TlsError::ClosedInHandshake`], or
    /// [`TlsError::Truncated`] as what came may not be all.
    ///
    /// ```
    /// # let made = rcgen::generate_simple_self_signed(["etcd".to_owned()])?;
    /// # let tls = etcd_tls::TlsConfig::builder().with_root_pem(made.cert.pem()).build()?;
    /// let mut session = tls.session("etcd")?;
    /// assert_eq!(session.handle_eof(), Err(etcd_tls::TlsError::ClosedInHandshake));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn handle_eof(&mut self) -> Result<(), TlsError> {
        match &self.state {
            State::Ended => Ok(()),
            State::Failed(error) => Err(error.clone()),
            State::Alive if self.tls.is_handshaking() => {
                Err(self.fail(TlsError::ClosedInHandshake))
            }
            State::Alive => Err(self.fail(TlsError::Truncated)),
        }
    }

    /// The peer has reset the connection (`ECONNRESET`, `EPIPE`), as a server without TLS may do in place of
    /// closing it: it did not read all of what it could not understand.
    ///
    /// # Errors
    ///
    /// [`TlsError::ClosedInHandshake`], where hands were still being shaken, or the error that was before.
    /// Without one the reset says it best.
    ///
    /// ```
    /// # let made = rcgen::generate_simple_self_signed(["etcd".to_owned()])?;
    /// # let tls = etcd_tls::TlsConfig::builder().with_root_pem(made.cert.pem()).build()?;
    /// let mut session = tls.session("etcd")?;
    /// assert_eq!(session.handle_reset(), Err(etcd_tls::TlsError::ClosedInHandshake));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn handle_reset(&mut self) -> Result<(), TlsError> {
        match self.state {
            State::Alive if !self.tls.is_handshaking() => Ok(()),
            _ => self.handle_eof(),
        }
    }

    /// What may be written before the socket is closed, once and without waiting: the word that it ends, or
    /// the alert that says why. Nothing may be sealed afterwards.
    ///
    /// It is empty where some plaintext was sealed and not taken whole. The end of that record would make
    /// it whole, and the peer would carry out what the core holds for certainly not sent.
    ///
    /// ```
    /// # let made = rcgen::generate_simple_self_signed(["etcd".to_owned()])?;
    /// # let tls = etcd_tls::TlsConfig::builder().with_root_pem(made.cert.pem()).build()?;
    /// let mut session = tls.session("etcd")?;
    /// session.handle_written(session.transmit().len());
    /// // An alert, of type 21.
    /// assert_eq!(session.farewell()[0], 21);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn farewell(&mut self) -> &[u8] {
        if self.outbox.plaintext() > 0 {
            self.outbox.clear();
            return &[];
        }
        if !matches!(self.state, State::Failed(_)) {
            self.tls.send_close_notify();
            self.flush();
        }
        self.outbox.unsent()
    }

    /// Takes over what rustls has to send.
    fn flush(&mut self) {
        let tls = &mut self.tls;
        self.outbox.append(|out| {
            // A vector takes everything.
            while tls.wants_write() && matches!(tls.write_tls(out), Ok(1..)) {}
        });
    }

    /// The first error is the one that stays.
    fn fail(&mut self, error: TlsError) -> TlsError {
        self.state = State::Failed(error.clone());
        error
    }

    fn explain(&self, error: &rustls::Error) -> TlsError {
        let circumstances = Circumstances {
            handshaking: self.tls.is_handshaking(),
            unheard: !self.heard,
            has_certificate: self.has_certificate,
        };
        circumstances.explain(error)
    }
}

impl fmt::Debug for TlsSession {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TlsSession")
            .field("is_connected", &self.is_connected())
            .field("is_ended", &self.is_ended())
            .field("version", &self.version())
            .field("unsent_len", &self.transmit().len())
            .finish_non_exhaustive()
    }
}

/// The first bytes that came: as many as the header of a record has. rustls gets them when they are
/// whole, so that what is no TLS is told by all of them, however they came.
#[derive(Default)]
struct First {
    bytes: [u8; 5],
    len: usize,
}

impl First {
    /// Takes what is missing, as far as it came.
    fn keep(&mut self, bytes: &mut &[u8]) {
        let len = bytes.len().min(self.bytes.len() - self.len);
        let (mine, rest) = bytes.split_at(len);
        self.bytes[self.len..][..len].copy_from_slice(mine);
        self.len += len;
        *bytes = rest;
    }

    const fn is_whole(&self) -> bool {
        self.len == self.bytes.len()
    }

    /// What the server is if it does not speak TLS, which begins with an alert or the handshake.
    fn what_else(&self) -> Option<TlsError> {
        match self.bytes {
            [0x15 | 0x16, 3, ..] => None,
            [b'H', b'T', b'T', b'P', b'/'] => Some(TlsError::PlainHttp),
            _ => Some(TlsError::NotTls),
        }
    }
}
