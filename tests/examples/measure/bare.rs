//! The least a program can do for an answer: write fixed bytes to a `TcpStream`, and read until the
//! answer is complete.
//!
//! It decodes nothing and decides nothing: it looks for the end of the head, for the length in it,
//! and at the status. An answer without a length is not for it.

use std::error::Error;
use std::io;
use std::io::Read;
use std::io::Write;
use std::net::TcpStream;

/// One connection with one request to send again and again.
#[derive(Debug)]
pub(crate) struct Bare {
    stream: TcpStream,
    request: Vec<u8>,
    answer: Vec<u8>,
}

impl Bare {
    pub(crate) fn connect(authority: &str, request: Vec<u8>) -> io::Result<Self> {
        let stream = TcpStream::connect(authority)?;
        stream.set_nodelay(true)?;
        let answer = vec![0; 64 << 10];
        Ok(Self {
            stream,
            request,
            answer,
        })
    }

    /// Sends the request and reads its answer; gives the answer's length.
    pub(crate) fn call(&mut self) -> Result<usize, Box<dyn Error>> {
        self.stream.write_all(&self.request)?;
        let mut len = 0;
        loop {
            let read = self.stream.read(&mut self.answer[len..])?;
            if read == 0 {
                return Err("the answer has no end, or does not fit".into());
            }
            len += read;
            match whole(&self.answer[..len])? {
                Some(whole) if whole == len => return Ok(len),
                Some(whole) if whole < len => return Err("more than one answer".into()),
                _ => {}
            }
        }
    }
}

/// The length of the whole answer, once its head is there.
fn whole(answer: &[u8]) -> Result<Option<usize>, Box<dyn Error>> {
    let Some(head) = answer.windows(4).position(|four| four == b"\r\n\r\n") else {
        return Ok(None);
    };
    if !answer.starts_with(b"HTTP/1.1 200 ") {
        return Err(String::from_utf8_lossy(answer).into());
    }
    let name = b"Content-Length: ";
    let at = answer[..head]
        .windows(name.len())
        .position(|field| field == name);
    let digits = answer[at.ok_or("the answer has no length")? + name.len()..]
        .iter()
        .take_while(|byte| byte.is_ascii_digit());
    let body = digits.fold(0, |number, digit| number * 10 + usize::from(digit - b'0'));
    Ok(Some(head + 4 + body))
}
