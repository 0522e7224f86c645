//! The feature `tracing`: notices come to the subscriber of the program, with what they are about as fields.

mod common;

use std::collections::BTreeMap;
use std::fmt::Debug;
use std::sync::Arc;
use std::sync::Mutex;

use common::Server;
use etcd_std::Client;
use etcd_std::Config;
use tracing::Event;
use tracing::Level;
use tracing::Metadata;
use tracing::Subscriber;
use tracing::field::Field;
use tracing::field::Visit;
use tracing::span;

/// Keeps the events with the target `etcd`.
#[derive(Clone, Default)]
struct Keeper(Arc<Mutex<Vec<(Level, Fields)>>>);

/// The fields of an event as text.
#[derive(Clone, Debug, Default)]
struct Fields(BTreeMap<&'static str, String>);

impl Visit for Fields {
    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        self.0.insert(field.name(), format!("{value:?}"));
    }
}

impl Subscriber for Keeper {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.target() == "etcd"
    }

    fn event(&self, event: &Event<'_>) {
        let mut fields = Fields::default();
        event.record(&mut fields);
        let kept = (*event.metadata().level(), fields);
        self.0.lock().expect("nobody panics").push(kept);
    }

    fn new_span(&self, _: &span::Attributes<'_>) -> span::Id {
        span::Id::from_u64(1)
    }

    fn record(&self, _: &span::Id, _: &span::Record<'_>) {}

    fn record_follows_from(&self, _: &span::Id, _: &span::Id) {}

    fn enter(&self, _: &span::Id) {}

    fn exit(&self, _: &span::Id) {}
}

#[test]
fn notices_are_events_with_fields() {
    let keeper = Keeper::default();
    tracing::subscriber::set_global_default(keeper.clone()).unwrap();
    let server = Server::start(common::echo);
    let config = Config::new([server.endpoint()]).unwrap();
    let client = Client::with_notices(config, etcd_std::to_tracing);
    client.get("foo").unwrap();
    drop(client);

    let events = keeper.0.lock().unwrap();
    let begun = |(_, fields): &&(Level, Fields)| {
        let message = fields.0.get("message");
        message.is_some_and(|message| message.starts_with("call 1: attempt 1 of Range"))
    };
    let (level, fields) = events.iter().find(begun).expect("the attempt is told");
    assert_eq!(*level, Level::DEBUG);
    let field = |name: &str| fields.0.get(name).map(String::as_str);
    assert_eq!((field("call"), field("conn")), (Some("1"), Some("1")));
    assert_eq!(field("endpoint"), Some(server.endpoint().as_str()));
    assert_eq!(
        (field("watch"), field("lease"), field("stream")),
        (None, None, None)
    );
}
