//! Finds the data and the end of a body (RFC 9112 sections 6.3 and 7.1).
//!
//! Framing is read byte by byte through an enum of states, so that nothing depends on where the
//! bytes are cut; data is lent from the input. Only the line of a trailer that comes in pieces is
//! kept.

use super::Framing;
use super::HttpLimits;
use super::ReadError;
use super::is_control;
use super::is_token;
use crate::codec::count;
use crate::codec::count_work;
use crate::codec::find_byte;
use crate::codec::take;
use crate::error::HttpError;
use crate::error::Limit;

/// A body being read.
#[derive(Debug)]
pub(super) enum Body {
    /// This many bytes are left; none for an answer without body.
    Length { left: u64 },
    /// In chunks.
    Chunked(Chunked),
    /// Until the connection ends, or this many bytes were read.
    UntilClose { allowed: u64 },
}

/// What the next bytes of a body were.
#[derive(Debug)]
pub(super) enum Token<'a> {
    /// Nothing yet: all input was used.
    NeedMore,
    /// These bytes, at least one.
    Data(&'a [u8]),
    /// Its end.
    End,
}

impl Body {
    pub(super) fn new(framing: Framing, limits: &HttpLimits) -> Result<Self, ReadError> {
        Ok(match framing {
            Framing::None => Self::Length { left: 0 },
            Framing::Length(length) if length > limits.body_bytes => {
                return Err(Limit::Body(limits.body_bytes).into());
            }
            Framing::Length(length) => Self::Length { left: length },
            Framing::Chunked => Self::Chunked(Chunked::new(limits)),
            Framing::UntilClose => Self::UntilClose {
                allowed: limits.body_bytes,
            },
        })
    }

    /// Reads on. `kept` is the reader's buffer, empty when a body begins and when it ends.
    pub(super) fn read<'a>(
        &mut self,
        input: &mut &'a [u8],
        kept: &mut Vec<u8>,
        limits: &HttpLimits,
    ) -> Result<Token<'a>, ReadError> {
        match self {
            Self::Length { left: 0 } => Ok(Token::End),
            Self::Length { left } => Ok(take_data(input, left)),
            Self::Chunked(chunked) => chunked.read(input, kept, limits),
            Self::UntilClose { allowed: 0 } if !input.is_empty() => {
                Err(Limit::Body(limits.body_bytes).into())
            }
            Self::UntilClose { allowed } => Ok(take_data(input, allowed)),
        }
    }

    /// Whether the connection's end is the body's end here.
    pub(super) const fn may_end(&self) -> bool {
        matches!(self, Self::Length { left: 0 } | Self::UntilClose { .. })
    }
}

/// As much of the input as is data, if `left` bytes are.
fn take_data<'a>(input: &mut &'a [u8], left: &mut u64) -> Token<'a> {
    let data = take(input, usize::try_from(*left).unwrap_or(usize::MAX));
    if data.is_empty() {
        return Token::NeedMore;
    }
    *left = left.saturating_sub(count(data.len()));
    Token::Data(data)
}

/// A body in chunks.
#[derive(Debug)]
pub(super) struct Chunked {
    step: Step,
    /// By how much framing outweighs data so far; at most `chunk_overhead_bytes`.
    overhead: u64,
    /// Bytes of data that further chunks may have; at most `body_bytes`.
    allowed: u64,
}

/// The byte that comes next in a body of chunks is …
#[derive(Clone, Copy, Debug)]
enum Step {
    /// … a digit of the size, or what ends it. `line` counts the size line's bytes so far.
    Size { size: u64, digits: u32, line: usize },
    /// … in an extension, which is skipped.
    Extension { size: u64, line: usize },
    /// … the LF of the size line.
    SizeLf { size: u64, line: usize },
    /// … data; `left` is at least 1.
    Data { left: u64 },
    /// … the CR after data.
    DataCr,
    /// … the LF after data.
    DataLf,
    /// … in the trailer section, of which so many bytes and whole lines have come. It is at the
    /// start of a line exactly if nothing is kept.
    Trailer { len: usize, lines: usize },
    /// … the LF of the empty line that ends the body.
    EndLf,
}

impl Step {
    const NEXT_CHUNK: Self = Self::Size {
        size: 0,
        digits: 0,
        line: 0,
    };
}

impl Chunked {
    /// Digits of the largest size; more, even zeros, are refused.
    const MAX_DIGITS: u32 = 16;

    const fn new(limits: &HttpLimits) -> Self {
        Self {
            step: Step::NEXT_CHUNK,
            overhead: 0,
            allowed: limits.body_bytes,
        }
    }

    fn read<'a>(
        &mut self,
        input: &mut &'a [u8],
        kept: &mut Vec<u8>,
        limits: &HttpLimits,
    ) -> Result<Token<'a>, ReadError> {
        while let Some((&byte, rest)) = input.split_first() {
            self.step = match self.step {
                Step::Data { mut left } => {
                    let data = take_data(input, &mut left);
                    self.step = match left {
                        0 => Step::DataCr,
                        left => Step::Data { left },
                    };
                    return Ok(data);
                }
                Step::Trailer { len, lines } if !kept.is_empty() || byte != b'\r' => {
                    let (len, lines) = read_trailer(input, (len, lines), kept, limits)?;
                    Step::Trailer { len, lines }
                }
                step => {
                    *input = rest;
                    count_work(1);
                    match self.step_over(step, byte, limits)? {
                        Some(next) => next,
                        None => return Ok(Token::End),
                    }
                }
            };
        }
        Ok(Token::NeedMore)
    }

    /// The step after one byte of framing, or none at the body's end.
    fn step_over(
        &mut self,
        step: Step,
        byte: u8,
        limits: &HttpLimits,
    ) -> Result<Option<Step>, ReadError> {
        Ok(Some(match step {
            Step::Size { size, digits, line } => {
                let line = count_line(line, limits)?;
                match (char::from(byte).to_digit(16), byte) {
                    // Neither `parse` nor `from_str_radix`: both take a sign (RUSTSEC-2021-0079).
                    (Some(digit), _) if digits < Self::MAX_DIGITS => Step::Size {
                        size: (size << 4) | u64::from(digit),
                        digits: digits.saturating_add(1),
                        line,
                    },
                    (Some(_), _) => return Err(HttpError::ChunkSizeOverflow.into()),
                    (None, b';') if digits > 0 => Step::Extension { size, line },
                    (None, b'\r') if digits > 0 => Step::SizeLf { size, line },
                    (None, b'\n') if digits > 0 => return Err(HttpError::BadChunkEnd.into()),
                    (None, _) => return Err(HttpError::BadChunkSize.into()),
                }
            }
            Step::Extension { size, line } => {
                let line = count_line(line, limits)?;
                match byte {
                    b'\r' => Step::SizeLf { size, line },
                    b'\n' => return Err(HttpError::BadChunkEnd.into()),
                    byte if is_control(byte) => return Err(HttpError::BadChunkSize.into()),
                    _ => Step::Extension { size, line },
                }
            }
            Step::SizeLf { size, line } => {
                let line = count_line(line, limits)?;
                if byte != b'\n' {
                    return Err(HttpError::BadChunkEnd.into());
                }
                self.begin_chunk(size, line, limits)?
            }
            Step::DataCr if byte == b'\r' => Step::DataLf,
            Step::DataLf if byte == b'\n' => Step::NEXT_CHUNK,
            Step::DataCr | Step::DataLf => return Err(HttpError::BadChunkEnd.into()),
            // Here only the CR of an empty line; all else of a trailer goes by lines.
            Step::Trailer { .. } => Step::EndLf,
            Step::EndLf if byte == b'\n' => return Ok(None),
            Step::EndLf => return Err(HttpError::BadTrailer.into()),
            // Data goes by slices.
            data @ Step::Data { .. } => data,
        }))
    }

    /// The step after a size line of `line` bytes.
    fn begin_chunk(
        &mut self,
        size: u64,
        line: usize,
        limits: &HttpLimits,
    ) -> Result<Step, ReadError> {
        let limit = limits.chunk_overhead_bytes;
        let framing = count(line.saturating_add(b"\r\n".len()));
        self.overhead = self
            .overhead
            .saturating_add(framing)
            .saturating_sub(size.saturating_mul(2).saturating_add(16));
        if self.overhead > count(limit) {
            return Err(HttpError::TooMuchChunkOverhead(limit).into());
        }
        match self.allowed.checked_sub(size) {
            Some(allowed) => self.allowed = allowed,
            None => return Err(Limit::Body(limits.body_bytes).into()),
        }
        Ok(match size {
            0 => Step::Trailer { len: 0, lines: 0 },
            left => Step::Data { left },
        })
    }
}

/// Counts one more byte of a size line.
const fn count_line(line: usize, limits: &HttpLimits) -> Result<usize, HttpError> {
    if line >= limits.chunk_line_bytes {
        return Err(HttpError::ChunkLineTooLong(limits.chunk_line_bytes));
    }
    Ok(line.saturating_add(1))
}

/// Reads as much of one trailer line as there is; the section's bytes and whole lines so far.
fn read_trailer(
    input: &mut &[u8],
    (len, lines): (usize, usize),
    kept: &mut Vec<u8>,
    limits: &HttpLimits,
) -> Result<(usize, usize), HttpError> {
    // The first byte of a line too many is enough: an empty line does not come here.
    if lines >= limits.trailer_count {
        return Err(HttpError::TooManyTrailers(limits.trailer_count));
    }
    let allowed = limits.trailer_bytes.saturating_sub(len);
    let window = take(&mut &**input, allowed);
    let Some(at) = find_byte(window, b'\n') else {
        if window.len() < input.len() {
            return Err(HttpError::TrailerTooLong(limits.trailer_bytes));
        }
        kept.extend_from_slice(take(input, window.len()));
        return Ok((len.saturating_add(window.len()), lines));
    };
    let line = take(input, at.saturating_add(1));
    if kept.is_empty() {
        check_trailer(line)?;
    } else {
        kept.extend_from_slice(line);
        check_trailer(kept)?;
        *kept = Vec::new();
    }
    Ok((len.saturating_add(line.len()), lines.saturating_add(1)))
}

/// Refuses a trailer line that is not `name: value CR LF`, or that would change the framing.
fn check_trailer(line: &[u8]) -> Result<(), HttpError> {
    count_work(line.len());
    let line = line.strip_suffix(b"\r\n").ok_or(HttpError::BadTrailer)?;
    let colon = line.iter().position(|&byte| byte == b':');
    let (name, value) = colon
        .and_then(|at| line.split_at_checked(at))
        .ok_or(HttpError::BadTrailer)?;
    let is_field = !name.is_empty()
        && name.iter().all(|&byte| is_token(byte))
        && !value.iter().any(|&byte| is_control(byte));
    let is_framing = name.eq_ignore_ascii_case(b"content-length")
        || name.eq_ignore_ascii_case(b"transfer-encoding");
    if is_field && !is_framing {
        Ok(())
    } else {
        Err(HttpError::BadTrailer)
    }
}
