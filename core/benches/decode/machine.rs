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
use etcd_core::trace::Recorded;
use etcd_core::trace::Recording;

use crate::data;
use crate::peers::PIECE;

const NOW: Instant = Instant::ZERO;

fn config() -> Config {
    Config::new(["http://127.0.0.1:2379"]).expect("an endpoint")
}

fn client() -> Client {
    Client::new(config(), 1, NOW)
}

/// What a driver may hold: the client, or one that can be recorded.
pub(crate) trait Machine {
    fn call(&mut self, call: impl Call);
    fn poll_output(&mut self) -> Option<Output>;
    fn unsent(&self, conn: ConnId) -> usize;
    fn connected(&mut self, conn: ConnId);
    fn written(&mut self, conn: ConnId, len: usize);
    fn received(&mut self, conn: ConnId, bytes: &[u8]);
}

macro_rules! machine {
    ($($machine:ident),*) => {$(
        impl Machine for $machine {
            fn call(&mut self, call: impl Call) {
                Self::call(self, NOW, call);
            }

            fn poll_output(&mut self) -> Option<Output> {
                Self::poll_output(self)
            }

            fn unsent(&self, conn: ConnId) -> usize {
                self.transmit(conn).len()
            }

            fn connected(&mut self, conn: ConnId) {
                self.handle_connected(NOW, conn);
            }

            fn written(&mut self, conn: ConnId, len: usize) {
                self.handle_written(NOW, conn, len);
            }

            fn received(&mut self, conn: ConnId, bytes: &[u8]) {
                self.handle_received(NOW, conn, bytes);
            }
        }
    )*};
}

machine!(Client, Recorded);

/// Opens the connection the client asks for.
fn connect(client: &mut impl Machine) -> ConnId {
    let Some(Output::Connect { conn, .. }) = client.poll_output() else {
        panic!("a connection is asked for first");
    };
    client.connected(conn);
    conn
}

/// Takes every output; how many calls were answered well.
fn drain(client: &mut impl Machine) -> usize {
    let mut answered = 0;
    while let Some(output) = client.poll_output() {
        match output {
            Output::Transmit(conn) => {
                let len = client.unsent(conn);
                client.written(conn, len);
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
pub(crate) struct Calling<M> {
    client: M,
    conn: ConnId,
}

impl Calling<Client> {
    pub(crate) fn new() -> Self {
        Self::with(client())
    }
}

impl Calling<Recorded> {
    /// One that can be recorded, and is or is not.
    pub(crate) fn recorded(records: bool) -> Self {
        let mut client = Recorded::new(config(), 1, NOW);
        if records {
            let recording = Recording::new().with_max_bytes(u64::MAX);
            client.record(recording).expect("it is new");
        }
        Self::with(client)
    }

    /// Takes the log, as a driver does.
    pub(crate) fn take_log(&mut self) -> usize {
        self.client.take_log().len()
    }
}

impl<M: Machine> Calling<M> {
    fn with(mut client: M) -> Self {
        client.call(Range::key("k"));
        let conn = connect(&mut client);
        drain(&mut client);
        client.received(conn, &data::answer(&data::put_json()));
        assert_eq!(drain(&mut client), 1, "the first call is answered");
        Self { client, conn }
    }

    /// One call and its answer.
    pub(crate) fn call(&mut self, call: impl Call, answer: &[u8]) -> usize {
        self.client.call(call);
        drain(&mut self.client);
        self.client.received(self.conn, answer);
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
