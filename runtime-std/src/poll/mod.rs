//! Waiting for sockets: "which of these can go on", with a time limit, and a way to end the wait.
//!
//! The only thing the driver needs of a system is [`Waker`]: `wait` blocks on a set of sockets,
//! `wake` ends a wait from another thread. On unix that is one `poll(2)` and nothing else: a client
//! has few sockets (some for calls, one for each hundred watches), and for few sockets `poll` is
//! cheaper than an epoll set with its registrations and its timer. Elsewhere it is the `polling`
//! crate (see `portable.rs`).
//!
//! It knows nothing of the core but the names of connections.

// The tests hold it to the same behaviour as the unix way, on any system.
#[cfg(any(not(unix), test))]
mod portable;
#[cfg(unix)]
mod unix;

use std::sync::Arc;

use etcd_core::ConnId;
use socket2::Socket;

#[cfg(not(unix))]
pub(crate) use portable::Waker;
#[cfg(unix)]
pub(crate) use unix::Waker;

/// What a socket is waited for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Interest {
    /// Bytes, or the end of them.
    pub(crate) read: bool,
    /// Room for more bytes, or the outcome of connecting.
    pub(crate) write: bool,
}

/// One socket of a set, kept open by the set while a thread waits on it.
pub(crate) struct Entry {
    pub(crate) conn: ConnId,
    pub(crate) stream: Arc<Socket>,
    pub(crate) interest: Interest,
}

/// The sockets that one thread waits for, and afterwards which of them are ready.
pub(crate) struct Set {
    /// The version of the socket table this was made from.
    pub(crate) version: u64,
    /// One entry for each connection; while it is being opened, one for each attempt.
    pub(crate) entries: Vec<Entry>,
    /// What the last wait found; an error or a hang-up counts as ready for all that was asked.
    pub(crate) ready: Vec<(ConnId, Interest)>,
}

#[cfg(test)]
mod tests {
    use std::io::Write;
    use std::net::TcpListener;
    use std::net::TcpStream;
    use std::time::Duration;
    use std::time::Instant;

    use super::*;

    /// A connected pair: ours in a set that waits for bytes, and the peer's.
    fn connected(interest: Interest) -> (Set, TcpStream) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let stream = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        stream.set_nonblocking(true).unwrap();
        let (peer, _) = listener.accept().unwrap();
        let entry = Entry {
            conn: some_conn(),
            stream: Arc::new(stream.into()),
            interest,
        };
        let set = Set {
            version: 0,
            entries: vec![entry],
            ready: Vec::new(),
        };
        (set, peer)
    }

    /// The core gives out the names of connections, so one is asked of it.
    fn some_conn() -> ConnId {
        let config = etcd_core::Config::new(["http://127.0.0.1:1"]).unwrap();
        let mut core = etcd_core::Client::new(config, 1, etcd_core::Instant::ZERO);
        core.call(etcd_core::Instant::ZERO, etcd_core::Range::key("k"));
        match core.poll_output() {
            Some(etcd_core::Output::Connect { conn, .. }) => conn,
            output => panic!("no connection but {output:?}"),
        }
    }

    const READ: Interest = Interest {
        read: true,
        write: false,
    };
    const BOTH: Interest = Interest {
        read: true,
        write: true,
    };
    const LONG: Option<Duration> = Some(Duration::from_secs(60));

    macro_rules! waits {
        ($module:ident, $waker:ty) => {
            mod $module {
                use super::*;

                #[test]
                fn a_wait_finds_what_is_ready_and_only_that() {
                    let waker = <$waker>::new();
                    let (mut set, mut peer) = connected(BOTH);
                    waker.wait(&mut set, LONG);
                    let write = Interest {
                        read: false,
                        write: true,
                    };
                    assert_eq!(set.ready, [(set.entries[0].conn, write)]);

                    set.entries[0].interest = READ;
                    waker.wait(&mut set, Some(Duration::ZERO));
                    assert_eq!(set.ready, []);
                    peer.write_all(b"x").unwrap();
                    waker.wait(&mut set, LONG);
                    assert_eq!(set.ready, [(set.entries[0].conn, READ)]);
                }

                #[test]
                fn a_hang_up_is_readable() {
                    let waker = <$waker>::new();
                    let (mut set, peer) = connected(READ);
                    drop(peer);
                    waker.wait(&mut set, LONG);
                    assert_eq!(set.ready, [(set.entries[0].conn, READ)]);
                }

                #[test]
                fn a_wait_lasts_as_long_as_it_may() {
                    let waker = <$waker>::new();
                    let (mut set, _peer) = connected(READ);
                    let start = Instant::now();
                    waker.wait(&mut set, Some(Duration::from_millis(30)));
                    assert!(start.elapsed() >= Duration::from_millis(30));
                    assert_eq!(set.ready, []);
                }

                #[test]
                fn another_thread_ends_a_wait_once() {
                    let waker = <$waker>::new();
                    let (mut set, _peer) = connected(READ);
                    std::thread::scope(|scope| {
                        scope.spawn(|| waker.wake());
                        waker.wait(&mut set, LONG);
                    });
                    assert_eq!(set.ready, []);
                    waker.clear();

                    let start = Instant::now();
                    waker.wait(&mut set, Some(Duration::from_millis(20)));
                    assert!(start.elapsed() >= Duration::from_millis(20));
                }
            }
        };
    }

    #[cfg(unix)]
    waits!(on_unix, Waker);
    waits!(portably, portable::Waker);
}
