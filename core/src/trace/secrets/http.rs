//! Replaces what is secret in the bytes of one connection, either way, in any pieces.
//!
//! Answers are framed by the codec's reader, the very one the client reads them with. Requests are
//! our own, and known to the letter.

use super::JsonMask;
use super::Secrets;
use crate::codec::http1::HttpLimits;
use crate::codec::http1::Item;
use crate::codec::http1::Reader;
use crate::codec::http1::RequestMethod;

/// A longer name of a header is nobody's that may be read by all.
const NAME_BYTES: usize = 64;

/// What an answer begins with.
const HTTP: &[u8] = b"HTTP/";

/// Both directions of a connection.
#[derive(Debug)]
pub(in crate::trace) struct Conversation {
    requests: Requests,
    answers: Answers,
}

impl Conversation {
    /// One that has not begun. `limits` are those with which the client reads answers.
    pub(in crate::trace) fn new(mut limits: HttpLimits) -> Self {
        // What is too long for the client comes here all the same.
        limits.body_bytes = u64::MAX;
        let mut reader = Reader::new(limits);
        reader.expect(RequestMethod::Other);
        Self {
            requests: Requests::default(),
            answers: Answers {
                reader,
                head: Head::default(),
                json: JsonMask::default(),
                in_head: true,
                has_answered: false,
                is_lost: false,
            },
        }
    }

    /// Replaces in place what is secret in bytes that were sent.
    pub(in crate::trace) fn mask_sent(&mut self, bytes: &mut [u8], secrets: &Secrets) {
        self.requests.mask(bytes, secrets);
    }

    /// The same for bytes that came.
    pub(in crate::trace) fn mask_received(&mut self, bytes: &mut [u8], secrets: &Secrets) {
        self.answers.mask(bytes, secrets);
    }
}

/// The lines of heads, in pieces.
#[derive(Debug, Default)]
struct Head {
    line: Line,
    /// The first bytes of all, as many as tell that it is one.
    begin: Vec<u8>,
    /// The beginning of the name of the header we are in.
    name: Vec<u8>,
    is_longer: bool,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Line {
    /// The first line of a message, which has no name and no secret.
    #[default]
    First,
    Name,
    /// After the colon.
    Colon,
    Value {
        plain: bool,
    },
}

impl Head {
    fn mask(&mut self, byte: u8, secrets: &Secrets) -> u8 {
        if byte == b'\n' {
            self.line = Line::Name;
            self.name.clear();
            self.is_longer = false;
            return byte;
        }
        match self.line {
            Line::First => {
                if self.begin.len() < HTTP.len() {
                    self.begin.push(byte);
                }
                return byte;
            }
            Line::Name if byte == b':' => self.line = Line::Colon,
            Line::Name => match self.name.len() < NAME_BYTES {
                true => self.name.push(byte),
                false => self.is_longer = true,
            },
            Line::Colon | Line::Value { .. } => {
                let begins = self.line == Line::Colon;
                if begins {
                    let plain = !self.is_longer && secrets.is_plain_header(&self.name);
                    self.line = Line::Value { plain };
                }
                let space = begins && byte == b' ';
                let is_hidden = self.line == (Line::Value { plain: false }) && !space;
                // Bytes that no value may have are refused in the replay as well.
                if is_hidden && (byte == b'\t' || !byte.is_ascii_control()) {
                    return b'x';
                }
            }
        }
        byte
    }

    /// Whether it begins as an answer, with these bytes that come next.
    fn is_http(&self, more: &[u8]) -> bool {
        let begin = self.begin.iter().chain(more).take(HTTP.len());
        begin.eq(HTTP.iter())
    }

    fn is_named(&self, name: &str) -> bool {
        !self.is_longer && self.name.eq_ignore_ascii_case(name.as_bytes())
    }
}

/// What the server says.
#[derive(Debug)]
struct Answers {
    reader: Reader,
    head: Head,
    json: JsonMask,
    in_head: bool,
    /// One answer came whole.
    has_answered: bool,
    /// The reader refused something: nobody reads what comes now.
    is_lost: bool,
}

impl Answers {
    fn mask(&mut self, bytes: &mut [u8], secrets: &Secrets) {
        let copy = bytes.to_vec();
        let mut at = 0;
        while !self.is_lost {
            let Ok((used, item)) = self.reader.read(&copy[at..]) else {
                self.is_lost = true;
                // Why it was refused has to be seen in the replay as well.
                let is_head =
                    self.in_head && (!self.has_answered || self.head.is_http(&copy[at..]));
                for byte in &mut bytes[at..] {
                    *byte = match is_head {
                        true => self.head.mask(*byte, secrets),
                        false => unreadable(*byte),
                    };
                }
                return;
            };
            let end = at + used;
            let data = match item {
                Some(Item::Data(data)) => data.len(),
                _ => 0,
            };
            // Data comes last of what was used.
            let (framing, data) = bytes[at..end].split_at_mut(used.saturating_sub(data));
            if self.in_head {
                for byte in framing {
                    *byte = self.head.mask(*byte, secrets);
                }
            }
            self.json.mask(data, secrets);
            at = end;
            match item {
                None => return,
                Some(Item::Head(_)) => {
                    self.in_head = false;
                    self.json = JsonMask::default();
                }
                Some(Item::Data(_)) => {}
                Some(Item::End { .. }) => {
                    self.in_head = true;
                    self.has_answered = true;
                    self.head = Head::default();
                    self.reader.expect(RequestMethod::Other);
                }
            }
        }
        bytes[at..].fill(b'x');
    }
}

/// What stands for a byte where framing was lost, so that it is lost in the replay, too.
const fn unreadable(byte: u8) -> u8 {
    match byte {
        // The last chunk's size, behind which trailers may be what was wrong.
        b'0' => byte,
        _ if byte.is_ascii_hexdigit() => b'1',
        _ if byte.is_ascii_alphanumeric() => b'x',
        _ => byte,
    }
}

/// What the client says.
#[derive(Debug, Default)]
struct Requests {
    head: Head,
    json: JsonMask,
    part: Part,
    /// The line has had something before its end.
    in_line: bool,
    /// What the head says of the body.
    length: usize,
    is_chunked: bool,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Part {
    #[default]
    Head,
    Body {
        left: usize,
    },
    ChunkSize {
        size: usize,
    },
    Chunk {
        left: usize,
    },
    /// The line's end behind a chunk.
    ChunkEnd,
}

impl Requests {
    fn mask(&mut self, mut bytes: &mut [u8], secrets: &Secrets) {
        while !bytes.is_empty() {
            let (Part::Body { left } | Part::Chunk { left }) = &mut self.part else {
                let Some((byte, rest)) = bytes.split_first_mut() else {
                    return;
                };
                *byte = self.framing(*byte, secrets);
                bytes = rest;
                continue;
            };
            let (data, rest) = bytes.split_at_mut(bytes.len().min(*left));
            *left -= data.len();
            if *left == 0 {
                self.part = match self.part {
                    Part::Chunk { .. } => Part::ChunkEnd,
                    _ => Part::Head,
                };
            }
            self.json.mask(data, secrets);
            bytes = rest;
        }
    }

    fn framing(&mut self, byte: u8, secrets: &Secrets) -> u8 {
        match self.part {
            Part::Head => return self.in_head(byte, secrets),
            Part::ChunkSize { size } => match char::from(byte).to_digit(16) {
                Some(digit) => {
                    let size = size << 4 | digit as usize;
                    self.part = Part::ChunkSize { size };
                }
                None if byte != b'\n' => {}
                None if size == 0 => self.part = Part::ChunkEnd,
                None => self.part = Part::Chunk { left: size },
            },
            Part::ChunkEnd if byte == b'\n' => self.part = Part::ChunkSize { size: 0 },
            Part::ChunkEnd | Part::Body { .. } | Part::Chunk { .. } => {}
        }
        byte
    }

    fn in_head(&mut self, byte: u8, secrets: &Secrets) -> u8 {
        match byte {
            b'\n' if !self.in_line => {
                self.head = Head::default();
                self.json = JsonMask::default();
                self.part = match (self.is_chunked, self.length) {
                    (true, _) => Part::ChunkSize { size: 0 },
                    (false, 0) => Part::Head,
                    (false, left) => Part::Body { left },
                };
                self.length = 0;
                self.is_chunked = false;
                return byte;
            }
            b'\n' => self.in_line = false,
            b'\r' => {}
            _ => self.in_line = true,
        }
        let masked = self.head.mask(byte, secrets);
        if matches!(self.head.line, Line::Value { .. }) {
            if let Some(digit) = char::from(byte).to_digit(10) {
                if self.head.is_named("content-length") {
                    self.length = self
                        .length
                        .saturating_mul(10)
                        .saturating_add(digit as usize);
                }
            }
            self.is_chunked |= self.head.is_named("transfer-encoding");
        }
        masked
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn secrets() -> Secrets {
        Secrets::new(vec!["/s/".into()], vec!["x-mine".to_owned()])
    }

    #[derive(Clone, Copy, Debug)]
    enum Way {
        Sent,
        Received,
    }

    fn masked(way: Way, text: &str, pieces: &[usize]) -> String {
        let mut talk = Conversation::new(HttpLimits::default());
        let mut bytes = text.as_bytes().to_vec();
        let mut rest = &mut bytes[..];
        for len in pieces.iter().chain([&usize::MAX]) {
            let (piece, later) = rest.split_at_mut(rest.len().min(*len));
            match way {
                Way::Sent => talk.mask_sent(piece, &secrets()),
                Way::Received => talk.mask_received(piece, &secrets()),
            }
            rest = later;
        }
        String::from_utf8(bytes).unwrap()
    }

    /// Whole, cut at every place, byte by byte, and once more.
    #[track_caller]
    fn check(way: Way, text: &str, wanted: &str) {
        let text = text.replace('\n', "\r\n");
        let wanted = wanted.replace('\n', "\r\n");
        assert_eq!(masked(way, &text, &[]), wanted);
        for at in 0..text.len() {
            assert_eq!(masked(way, &text, &[at]), wanted, "cut at {at}");
        }
        assert_eq!(masked(way, &text, &vec![1; text.len()]), wanted);
        assert_eq!(masked(way, &wanted, &[]), wanted, "twice is once");
    }

    #[test]
    fn requests_lose_their_secrets() {
        let head = "POST /v3/kv/put HTTP/1.1\nHost: h:2379\nContent-Type: application/json\n";
        check(
            Way::Sent,
            &format!(
                "{head}X-Mine: a secret \nAuthorization: tok.7\nContent-Length: 33\n\n\
                 {{\"key\":\"L3MvYQ==\",\"value\":\"Zm9v\"}}{head}Content-Length: 17\n\n\
                 {{\"password\":\"pw\"}}GET /version HTTP/1.1\nHost: h\n\n\
                 GET /health HTTP/1.1\nHost: h\nX-Mine: b\n\n"
            ),
            &format!(
                "{head}X-Mine: xxxxxxxxx\nAuthorization: xxxxx\nContent-Length: 33\n\n\
                 {{\"key\":\"L3MvYQ==\",\"value\":\"AAAA\"}}{head}Content-Length: 17\n\n\
                 {{\"password\":\"xx\"}}GET /version HTTP/1.1\nHost: h\n\n\
                 GET /health HTTP/1.1\nHost: h\nX-Mine: x\n\n"
            ),
        );
        check(
            Way::Sent,
            "POST /v3/watch HTTP/1.1\nTransfer-Encoding: chunked\n\n\
             10\n{\"password\":\"pw\"\n1\n}\n0\n\n",
            "POST /v3/watch HTTP/1.1\nTransfer-Encoding: chunked\n\n\
             10\n{\"password\":\"xx\"\n1\n}\n0\n\n",
        );
    }

    #[test]
    fn answers_lose_their_secrets() {
        check(
            Way::Received,
            "HTTP/1.1 100 Continue: yes\n\nHTTP/1.1 200 OK\nSet-Cookie: a secret\nContent-Length: 17\n\n\
             {\"token\":\"abc.7\"}HTTP/1.1 200 OK\nTransfer-Encoding: chunked\n\n\
             18\n{\"key\":\"L3MvYQ==\",\"value\n7\n\":\"Zm9v\n1\n\"\n1\n}\n0\n\n\
             HTTP/1.1 200 OK\nContent-Length: 2\nConnection: close\n\n{}",
            "HTTP/1.1 100 Continue: yes\n\nHTTP/1.1 200 OK\nSet-Cookie: xxxxxxxx\nContent-Length: 17\n\n\
             {\"token\":\"xxx.x\"}HTTP/1.1 200 OK\nTransfer-Encoding: chunked\n\n\
             18\n{\"key\":\"L3MvYQ==\",\"value\n7\n\":\"AAAA\n1\n\"\n1\n}\n0\n\n\
             HTTP/1.1 200 OK\nContent-Length: 2\nConnection: close\n\n{}",
        );
    }

    #[test]
    fn what_nobody_can_read_says_nothing() {
        let broken = "HTTP/1.1 200 OK\nTransfer-Encoding: chunked\n\nq\nsecret, Secret\n";
        let broken = broken.replace('\n', "\r\n");
        let whole = masked(Way::Received, &broken, &[]);
        assert!(whole.ends_with("x\r\nx11x1x, x11x1x\r\n"), "{whole}");
        let more = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\n{}{\"token\":\"secret";
        for text in [&broken[..], more] {
            for at in 0..text.len() {
                let masked = masked(Way::Received, text, &[at]);
                assert!(!masked.to_ascii_lowercase().contains("secret"), "{masked}");
            }
        }
    }
}
