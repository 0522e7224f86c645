//! One question to one name server: UDP, and TCP where the answer does not fit (RFC 1035 section 4.2, RFC 7766).
//!
//! A forger has to guess the id and the port of a question, and to send from the server's address: each
//! question has an id of its own, the system chooses the port, and the socket is connected, so that the system drops
//! what others send. What does not answer the question is passed over, and the wait goes on.

use std::hash::BuildHasher;
use std::hash::RandomState;
use std::io;
use std::io::Read;
use std::io::Write;
use std::net::Ipv4Addr;
use std::net::Ipv6Addr;
use std::net::SocketAddr;
use std::net::TcpStream;
use std::net::UdpSocket;
use std::time::Duration;
use std::time::Instant;

use etcd_core::NetError;

use super::message::ANSWER_BYTES;
use super::message::Question;
use super::message::Reading;
use crate::error::LookupError;
use crate::srv::Srv;

/// What this server answers until then.
pub(super) fn ask(
    name: &str,
    nameserver: SocketAddr,
    until: Instant,
) -> Result<Vec<Srv>, LookupError> {
    match over_udp(&Question::new(draw_id(), name)?, nameserver, until)? {
        Some(records) => Ok(records),
        None => over_tcp(&Question::new(draw_id(), name)?, nameserver, until),
    }
}

/// The records, or none if the answer does not fit into a datagram.
fn over_udp(
    question: &Question,
    nameserver: SocketAddr,
    until: Instant,
) -> Result<Option<Vec<Srv>>, LookupError> {
    let any = match nameserver {
        SocketAddr::V4(_) => SocketAddr::from((Ipv4Addr::UNSPECIFIED, 0)),
        SocketAddr::V6(_) => SocketAddr::from((Ipv6Addr::UNSPECIFIED, 0)),
    };
    let socket = UdpSocket::bind(any).map_err(failed)?;
    socket.connect(nameserver).map_err(failed)?;
    socket.send(question.bytes()).map_err(failed)?;
    // One byte more than an answer may have, to tell a longer one.
    let mut buf = vec![0; ANSWER_BYTES + 1];
    loop {
        socket
            .set_read_timeout(Some(left(until)?))
            .map_err(failed)?;
        let len = match socket.recv(&mut buf) {
            Ok(len) => len,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(failed(error)),
        };
        match question.read(&buf[..len]) {
            Reading::NotOurs => {}
            Reading::Truncated => return Ok(None),
            Reading::Answer(answer) => return answer.map(Some),
        }
    }
}

fn over_tcp(
    question: &Question,
    nameserver: SocketAddr,
    until: Instant,
) -> Result<Vec<Srv>, LookupError> {
    let mut stream = TcpStream::connect_timeout(&nameserver, left(until)?).map_err(failed)?;
    stream
        .set_write_timeout(Some(left(until)?))
        .map_err(failed)?;
    let len = u16::try_from(question.bytes().len()).expect("a question has a few hundred bytes");
    let framed = [&len.to_be_bytes(), question.bytes()].concat();
    stream.write_all(&framed).map_err(failed)?;

    let mut len = [0; 2];
    read_exact(&mut stream, &mut len, until)?;
    let mut answer = vec![0; usize::from(u16::from_be_bytes(len))];
    read_exact(&mut stream, &mut answer, until)?;
    match question.read(&answer) {
        Reading::Answer(answer) => answer,
        // The connection is the server's, so it is the server that answered something else.
        Reading::NotOurs | Reading::Truncated => Err(LookupError::Malformed),
    }
}

/// Fills the buffer. The time is for all of it, however the bytes trickle in.
fn read_exact(
    stream: &mut TcpStream,
    mut buf: &mut [u8],
    until: Instant,
) -> Result<(), LookupError> {
    while !buf.is_empty() {
        stream
            .set_read_timeout(Some(left(until)?))
            .map_err(failed)?;
        match stream.read(buf) {
            Ok(0) => return Err(LookupError::Malformed),
            Ok(len) => buf = &mut buf[len..],
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(failed(error)),
        }
    }
    Ok(())
}

/// What is left of the time, more than nothing: sockets take a timeout of nothing for none.
fn left(until: Instant) -> Result<Duration, LookupError> {
    let left = until.saturating_duration_since(Instant::now());
    if left.is_zero() {
        return Err(LookupError::TimedOut);
    }
    Ok(left)
}

fn failed(error: io::Error) -> LookupError {
    match error.kind() {
        // Which of the two a timeout of a socket is depends on the system.
        io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut => LookupError::TimedOut,
        _ => LookupError::Net(NetError::from(error)),
    }
}

/// An id that nobody can foretell from earlier ones: the standard library keys its hashes by the system's
/// random numbers. No seed of a caller goes in here, as others may know it.
fn draw_id() -> u16 {
    let [.., high, low] = RandomState::new().hash_one(0_u8).to_be_bytes();
    u16::from_be_bytes([high, low])
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;
    use std::thread;

    use super::*;

    #[test]
    fn an_answer_that_trickles_in_is_not_waited_for_longer_than_it_may_take() {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let mut stream = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let (mut server, _) = listener.accept().unwrap();
        let thread = thread::spawn(move || {
            // It ends when the other side is closed.
            while server.write_all(&[0]).is_ok() {
                thread::sleep(Duration::from_millis(10));
            }
        });
        let begin = Instant::now();
        let until = begin + Duration::from_millis(200);
        let result = read_exact(&mut stream, &mut [0; 1000], until);
        let took = begin.elapsed();
        drop(stream);
        thread.join().unwrap();
        assert_eq!(result, Err(LookupError::TimedOut));
        assert!((200..2000).contains(&took.as_millis()), "{took:?}");
    }

    #[test]
    fn a_connection_that_ends_inside_an_answer_is_malformed() {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let mut stream = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let (mut server, _) = listener.accept().unwrap();
        server.write_all(&[0; 10]).unwrap();
        drop(server);
        let until = Instant::now() + Duration::from_secs(10);
        let result = read_exact(&mut stream, &mut [0; 11], until);
        assert_eq!(result, Err(LookupError::Malformed));
    }
}
