//! What whoever started the process orders about single members, a line each.
//!
//! Lines come from a thread of their own, since nobody can wait for standard input and sockets at once.

use core::net::SocketAddr;
use std::io::{self, BufRead};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, channel};
use std::thread;

use polling::Poller;

/// Something to do to one member, by its number.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Order {
    /// As if its process were killed.
    Stop(usize),
    /// Starts it again where it was.
    Start(usize),
    /// As if its process were suspended: connections are accepted, nobody answers.
    Pause(usize),
    Resume(usize),
    /// Starts a member that the cluster added by this peer URL.
    Join {
        peer_url: String,
        listen: SocketAddr,
        name: String,
    },
    /// No order comes any more.
    End,
}

impl Order {
    /// What a line orders, or what is wrong with it.
    fn parse(line: &str) -> Result<Self, String> {
        let words: Vec<_> = line.split_whitespace().collect();
        let member = |word: &str| {
            let number = word.parse();
            number.map_err(|_| format!("a member is a number, not {word}"))
        };
        match words[..] {
            ["stop", word] => Ok(Self::Stop(member(word)?)),
            ["start", word] => Ok(Self::Start(member(word)?)),
            ["pause", word] => Ok(Self::Pause(member(word)?)),
            ["resume", word] => Ok(Self::Resume(member(word)?)),
            ["join", peer_url, listen, name] => Ok(Self::Join {
                peer_url: peer_url.to_owned(),
                listen: listen
                    .parse()
                    .map_err(|_| format!("an address is IP:PORT, not {listen}"))?,
                name: name.to_owned(),
            }),
            _ => Err(format!("there is no order {line}; try --help")),
        }
    }
}

/// Reads orders from standard input from now on, and wakes the poller for each.
pub(super) fn listen(poller: &Arc<Poller>) -> Receiver<Result<Order, String>> {
    let (orders, received) = channel();
    let poller = Arc::clone(poller);
    thread::spawn(move || {
        let lines = io::stdin().lock().lines().map_while(Result::ok);
        let parsed = lines.map(|line| Order::parse(&line));
        for order in parsed.chain([Ok(Order::End)]) {
            // If nobody is there to take it, the process is about to end.
            if orders.send(order).is_err() || poller.notify().is_err() {
                return;
            }
        }
    });
    received
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_order_is_a_word_and_whom_it_is_for() {
        let parsed = |line| Order::parse(line);
        assert_eq!(parsed("stop 2"), Ok(Order::Stop(2)));
        assert_eq!(parsed(" start  0 "), Ok(Order::Start(0)));
        assert_eq!(parsed("pause 1"), Ok(Order::Pause(1)));
        assert_eq!(parsed("resume 1"), Ok(Order::Resume(1)));
        let joined = parsed("join http://127.0.0.1:2 127.0.0.1:1 late");
        let expected = Order::Join {
            peer_url: "http://127.0.0.1:2".to_owned(),
            listen: SocketAddr::from(([127, 0, 0, 1], 1)),
            name: "late".to_owned(),
        };
        assert_eq!(joined, Ok(expected));
        for (line, said) in [
            ("stop", "there is no order stop"),
            ("", "there is no order"),
            ("halt 1", "there is no order halt 1"),
            ("stop one", "a member is a number, not one"),
            ("join u here n", "an address is IP:PORT, not here"),
        ] {
            let error = parsed(line).unwrap_err();
            assert!(error.starts_with(said), "{line}: {error}");
        }
    }
}
