//! The body of a request as it comes in: a length or chunks.

/// A longer line of a chunk's size is not one.
const LONGEST_LINE: usize = 4096;

/// A body under way.
#[derive(Debug)]
pub(super) struct Body(State);

#[derive(Debug)]
enum State {
    /// So many bytes are to come.
    Length(u64),
    /// The line of a chunk's size, as far as it came.
    Size(Vec<u8>),
    /// So many bytes of a chunk are to come.
    Chunk(u64),
    /// The line's end behind a chunk; how many bytes of it came.
    AfterChunk(u8),
    /// The lines behind the last chunk, as far as this one came.
    Trailer(Vec<u8>),
    Done,
    Malformed,
}

/// What the framing says about the next bytes.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Piece<'a> {
    Data(&'a [u8]),
    /// More bytes have to come.
    More,
    /// The body has ended; what follows is the next request's.
    End,
    /// The bytes are no chunks.
    Malformed,
}

impl Body {
    pub(super) const fn chunked() -> Self {
        Self(State::Size(Vec::new()))
    }

    pub(super) const fn of(length: u64) -> Self {
        Self(State::Length(length))
    }

    /// Takes bytes from the front of `input`.
    pub(super) fn next<'a>(&mut self, input: &mut &'a [u8]) -> Piece<'a> {
        loop {
            match &mut self.0 {
                State::Length(0) => self.0 = State::Done,
                State::Length(left) | State::Chunk(left @ 1..) => {
                    if input.is_empty() {
                        return Piece::More;
                    }
                    let room = usize::try_from(*left).unwrap_or(usize::MAX);
                    let (data, rest) = input.split_at(input.len().min(room));
                    *input = rest;
                    *left -= u64::try_from(data.len()).unwrap_or(u64::MAX);
                    return Piece::Data(data);
                }
                State::Chunk(_) => self.0 = State::AfterChunk(0),
                State::AfterChunk(came) => {
                    let Some((byte, rest)) = input.split_first() else {
                        return Piece::More;
                    };
                    *input = rest;
                    self.0 = match (*came, *byte) {
                        (0, b'\r') => State::AfterChunk(1),
                        (1, b'\n') => State::Size(Vec::new()),
                        _ => State::Malformed,
                    };
                }
                State::Size(line) => {
                    let Some(whole) = take_line(line, input) else {
                        if line.len() > LONGEST_LINE {
                            self.0 = State::Malformed;
                            continue;
                        }
                        return Piece::More;
                    };
                    let digits = whole.split(|byte| *byte == b';').next().unwrap_or(&[]);
                    let digits = core::str::from_utf8(digits.trim_ascii_end()).unwrap_or("");
                    let plain = digits.bytes().all(|byte| byte.is_ascii_hexdigit());
                    self.0 = match u64::from_str_radix(digits, 16) {
                        Ok(0) if plain => State::Trailer(Vec::new()),
                        Ok(size) if plain => State::Chunk(size),
                        _ => State::Malformed,
                    };
                }
                State::Trailer(line) => match take_line(line, input) {
                    None if line.len() > LONGEST_LINE => self.0 = State::Malformed,
                    None => return Piece::More,
                    Some(whole) if whole.is_empty() => self.0 = State::Done,
                    Some(_) => self.0 = State::Trailer(Vec::new()),
                },
                State::Done => return Piece::End,
                State::Malformed => return Piece::Malformed,
            }
        }
    }
}

/// A line without its end, once it is there; before, what came of it is kept in `line`.
fn take_line(line: &mut Vec<u8>, input: &mut &[u8]) -> Option<Vec<u8>> {
    let end = input.iter().position(|byte| *byte == b'\n');
    let (piece, rest) = input.split_at(end.map_or(input.len(), |end| end + 1));
    line.extend_from_slice(piece);
    *input = rest;
    end?;
    let mut whole = core::mem::take(line);
    whole.pop();
    if whole.last() == Some(&b'\r') {
        whole.pop();
    }
    Some(whole)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(mut body: Body, input: &[u8], step: usize) -> (Vec<u8>, bool, usize) {
        let mut data = Vec::new();
        let mut left = 0;
        for piece in input.chunks(step) {
            let mut rest = piece;
            loop {
                match body.next(&mut rest) {
                    Piece::Data(bytes) => data.extend_from_slice(bytes),
                    Piece::More => break,
                    Piece::End => {
                        left += rest.len();
                        break;
                    }
                    Piece::Malformed => return (data, false, left),
                }
            }
        }
        let mut rest: &[u8] = &[];
        let ended = body.next(&mut rest) == Piece::End;
        (data, ended, left)
    }

    #[test]
    fn a_body_is_read_however_it_is_cut_and_no_further() {
        let chunked = b"3;x=y\r\nabc\r\n2\r\nde\r\n0\r\nT: v\r\n\r\nnext";
        for step in 1..chunked.len() {
            let (data, ended, left) = read(Body::chunked(), chunked, step);
            assert_eq!((&data[..], ended, left), (&b"abcde"[..], true, 4), "{step}");
            let (data, ended, left) = read(Body::of(5), b"abcdenext", step);
            assert_eq!((&data[..], ended, left), (&b"abcde"[..], true, 4), "{step}");
        }
        assert!(read(Body::of(0), b"", 1).1);
    }

    #[test]
    fn what_are_no_chunks_is_malformed() {
        for bytes in [
            &b"x\r\n"[..],
            b"+3\r\nabc\r\n",
            b"3\r\nabcd",
            b"\r\n",
            b"-1\r\n",
        ] {
            assert!(!read(Body::chunked(), bytes, 1).1, "{bytes:?}");
        }
        assert!(!read(Body::chunked(), &[b'1'; 5000], 7).1);
    }
}
