//! The whole client without a socket: what a driver does, with the answers at hand.

use etcd_core::Call;
use etcd_core::Client;
use etcd_core::Config;
use etcd_core::ConnId;
use etcd_core::Event;
use etcd_core::Instant;
use etcd_core::Output;
use etcd_core::Range;
use etcd_core::Watch;
use etcd_core::WatchEvent;
use etcd_core::WatchId;

use crate::data;
use crate::peers::PIECE;

const NOW: Instant = Instant::ZERO;

fn client() -> Client {
    Client::new(
        Config::new(["http://127.0.0.1:2379"]).expect("an endpoint"),
        1,
        NOW,
    )
}

/// Opens the connection the client asks for.
fn connect(client: &mut Client) -> ConnId {
    let Some(Output::Connect { conn, .. }) = client.poll_output() else {
        panic!("a connection is asked for first");
    };
    client.handle_connected(NOW, conn);
    conn
}

/// Takes every output; how many calls were answered well.
fn drain(client: &mut Client) -> usize {
    let mut answered = 0;
    while let Some(output) = client.poll_output() {
        match output {
            Output::Transmit(conn) => {
                let len = client.transmit(conn).len();
                client.handle_written(NOW, conn, len);
            }
            Output::Event(Event::Answered { result, .. }) => {
                answered += usize::from(result.is_ok())
            }
            Output::Event(_) | Output::Pause(_) | Output::Resume(_) => {}
            Output::Connect { .. } | Output::Close(_) => panic!("the connection stays"),
        }
    }
    answered
}

/// A client with one connection for calls.
pub(crate) struct Calling {
    client: Client,
    conn: ConnId,
}

impl Calling {
    pub(crate) fn new() -> Self {
        let mut client = client();
        client.call(NOW, Range::key("k"));
        let conn = connect(&mut client);
        drain(&mut client);
        client.handle_received(NOW, conn, &data::answer(&data::put_json()));
        assert_eq!(drain(&mut client), 1, "the first call is answered");
        Self { client, conn }
    }

    /// One call and its answer.
    pub(crate) fn call(&mut self, call: impl Call, answer: &[u8]) -> usize {
        self.client.call(NOW, call);
        drain(&mut self.client);
        self.client.handle_received(NOW, self.conn, answer);
        let answered = drain(&mut self.client);
        assert_eq!(answered, 1, "one call, one answer");
        answered
    }
}

/// A client with one confirmed watch.
pub(crate) struct Watching {
    client: Client,
    conn: ConnId,
    watch: WatchId,
}

impl Watching {
    pub(crate) fn new() -> Self {
        let mut client = client();
        let watch = client.watch(NOW, Watch::prefix("services/").with_start_revision(1));
        let conn = connect(&mut client);
        drain(&mut client);
        client.handle_received(NOW, conn, &data::watch_head());
        drain(&mut client);
        Self {
            client,
            conn,
            watch,
        }
    }

    /// Reads the stream in the pieces a socket gives, and takes what the watch has after each; how
    /// many events there were.
    pub(crate) fn read(&mut self, body: &[u8]) -> usize {
        let mut count = 0;
        for piece in body.chunks(PIECE) {
            self.client.handle_received(NOW, self.conn, piece);
            drain(&mut self.client);
            while let Some(event) = self.client.poll_watch(self.watch) {
                match event {
                    WatchEvent::Batch(batch) => count += batch.events.len(),
                    WatchEvent::Created { .. } => {}
                    other => panic!("{other:?}"),
                }
            }
            drain(&mut self.client);
        }
        count
    }
}
