//! A name server on a free port of loopback, on UDP and TCP, that answers as a test says.
//!
//! It writes its messages by hand, as a second opinion on the crate that reads them.

use std::io::Read;
use std::io::Write;
use std::net::Ipv4Addr;
use std::net::SocketAddr;
use std::net::TcpListener;
use std::net::TcpStream;
use std::net::UdpSocket;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering;
use std::thread;
use std::thread::JoinHandle;
use std::time::Duration;

/// A running name server. Dropping it stops its threads.
pub(crate) struct Server {
    address: SocketAddr,
    is_stopped: Arc<AtomicBool>,
    threads: Vec<JoinHandle<()>>,
}

impl Server {
    /// One that sends what this gives for a question: nothing, one message, or several.
    pub(crate) fn start<F>(answer: F) -> Self
    where
        F: Fn(&Asked) -> Vec<Vec<u8>> + Send + Sync + 'static,
    {
        let (udp, tcp) = sockets();
        let address = udp.local_addr().unwrap();
        let is_stopped = Arc::new(AtomicBool::new(false));
        let answer = Arc::new(answer);
        let threads = vec![
            {
                let (is_stopped, answer) = (Arc::clone(&is_stopped), Arc::clone(&answer));
                thread::spawn(move || serve_udp(&udp, &is_stopped, &*answer))
            },
            {
                let is_stopped = Arc::clone(&is_stopped);
                thread::spawn(move || serve_tcp(&tcp, &is_stopped, &*answer))
            },
        ];
        Self {
            address,
            is_stopped,
            threads,
        }
    }

    /// One with these SRV records: name, priority, weight, port, target. Other names it does not have.
    pub(crate) fn with_records(table: &'static [(&str, u16, u16, u16, &str)]) -> Self {
        Self::start(move |asked| {
            let records: Vec<Vec<u8>> = table
                .iter()
                .filter(|record| record.0 == asked.name)
                .map(|&(_, priority, weight, port, target)| srv(priority, weight, port, target))
                .collect();
            vec![match records.is_empty() {
                true => asked.answer(NXDOMAIN, &[]),
                false => asked.answer(0, &records),
            }]
        })
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.is_stopped.store(true, Ordering::SeqCst);
        // Each thread waits for its socket, so each gets something.
        if let Ok(socket) = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)) {
            let _ = socket.send_to(&[], self.address);
        }
        let _ = TcpStream::connect(self.address);
        for thread in self.threads.drain(..) {
            let result = thread.join();
            if !thread::panicking() {
                result.unwrap();
            }
        }
    }
}

/// A question as it came in.
pub(crate) struct Asked {
    pub(crate) name: String,
    pub(crate) is_tcp: bool,
    pub(crate) id: u16,
    /// Its section as bytes: name, type and class.
    pub(crate) question: Vec<u8>,
}

impl Asked {
    fn parse(bytes: &[u8], is_tcp: bool) -> Self {
        let id = u16::from_be_bytes([bytes[0], bytes[1]]);
        // A query with "recursion desired" and one question.
        assert_eq!(bytes[2..12], [1, 0, 0, 1, 0, 0, 0, 0, 0, 0]);
        let question = bytes[12..].to_vec();
        let (mut labels, mut at) = (Vec::new(), 0);
        while question[at] != 0 {
            let end = at + 1 + usize::from(question[at]);
            labels.push(String::from_utf8(question[at + 1..end].to_vec()).unwrap());
            at = end;
        }
        // SRV, of the internet.
        assert_eq!(question[at + 1..], [0, 33, 0, 1]);
        Self {
            name: labels.join("."),
            is_tcp,
            id,
            question,
        }
    }

    /// An answer with this code and these records.
    pub(crate) fn answer(&self, code: u8, records: &[Vec<u8>]) -> Vec<u8> {
        message(self.id, code, &self.question, records)
    }
}

/// A message that is an answer: flags QR, RD and RA.
pub(crate) fn message(id: u16, code: u8, question: &[u8], records: &[Vec<u8>]) -> Vec<u8> {
    let mut bytes = id.to_be_bytes().to_vec();
    bytes.extend([0x81, 0x80 | code, 0, 1]);
    bytes.extend(u16::try_from(records.len()).unwrap().to_be_bytes());
    bytes.extend([0; 4]);
    bytes.extend(question);
    bytes.extend(records.concat());
    bytes
}

/// The same, marked as cut off.
pub(crate) fn truncated(mut message: Vec<u8>) -> Vec<u8> {
    message[2] |= 2;
    message
}

/// An SRV record of the name in the question.
pub(crate) fn srv(priority: u16, weight: u16, port: u16, target: &str) -> Vec<u8> {
    let mut data = Vec::new();
    for number in [priority, weight, port] {
        data.extend(number.to_be_bytes());
    }
    data.extend(name(target));
    record(&QUESTION_NAME, 33, &data)
}

/// A record of any type.
pub(crate) fn record(owner: &[u8], kind: u16, data: &[u8]) -> Vec<u8> {
    let mut bytes = owner.to_vec();
    bytes.extend(kind.to_be_bytes());
    // Class, and a minute to live.
    bytes.extend([0, 1, 0, 0, 0, 60]);
    bytes.extend(u16::try_from(data.len()).unwrap().to_be_bytes());
    bytes.extend(data);
    bytes
}

/// A name without compression.
pub(crate) fn name(text: &str) -> Vec<u8> {
    let mut bytes = Vec::new();
    for label in text.split('.').filter(|label| !label.is_empty()) {
        bytes.push(u8::try_from(label.len()).unwrap());
        bytes.extend(label.as_bytes());
    }
    bytes.push(0);
    bytes
}

/// The code for "there is no such name".
pub(crate) const NXDOMAIN: u8 = 3;

/// A pointer to the name in the question.
pub(crate) const QUESTION_NAME: [u8; 2] = [0xc0, 12];

/// Both on one port.
fn sockets() -> (UdpSocket, TcpListener) {
    for _ in 0..100 {
        let udp = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        if let Ok(tcp) = TcpListener::bind(udp.local_addr().unwrap()) {
            return (udp, tcp);
        }
    }
    panic!("no port that is free for both");
}

fn serve_udp(
    socket: &UdpSocket,
    is_stopped: &AtomicBool,
    answer: &impl Fn(&Asked) -> Vec<Vec<u8>>,
) {
    let mut buf = [0; 1024];
    loop {
        let received = socket.recv_from(&mut buf);
        if is_stopped.load(Ordering::SeqCst) {
            return;
        }
        // Somebody who is gone already shows as an error here.
        let Ok((len, from)) = received else { continue };
        for message in answer(&Asked::parse(&buf[..len], false)) {
            let _ = socket.send_to(&message, from);
        }
    }
}

fn serve_tcp(
    listener: &TcpListener,
    is_stopped: &AtomicBool,
    answer: &impl Fn(&Asked) -> Vec<Vec<u8>>,
) {
    loop {
        let accepted = listener.accept();
        if is_stopped.load(Ordering::SeqCst) {
            return;
        }
        let (mut stream, _) = accepted.unwrap();
        let timeout = Some(Duration::from_secs(10));
        stream.set_read_timeout(timeout).unwrap();
        let mut len = [0; 2];
        if stream.read_exact(&mut len).is_err() {
            continue;
        }
        let mut bytes = vec![0; usize::from(u16::from_be_bytes(len))];
        if stream.read_exact(&mut bytes).is_err() {
            continue;
        }
        for message in answer(&Asked::parse(&bytes, true)) {
            let len = u16::try_from(message.len()).unwrap();
            // In two pieces, so that the client has to put them together.
            let _ = stream.write_all(&len.to_be_bytes());
            let _ = stream.flush();
            let _ = stream.write_all(&message);
        }
    }
}
