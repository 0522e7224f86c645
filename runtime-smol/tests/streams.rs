//! Snapshots and observations that are ended from elsewhere while somebody awaits them.

mod fake;

use etcd_smol::Client;
use etcd_smol::Error;
use etcd_smol::StreamHandle;
use fake::Fake;
use fake::Seen;

fn assert_shared<T: Send + Sync + Clone>(_: &T) {}

#[test]
fn a_snapshot_and_an_observer_that_are_awaited_are_canceled_from_elsewhere() {
    let server = Fake::silent();
    smol::block_on(async {
        let client = Client::with_config(server.config());

        let path = std::env::temp_dir().join(format!("etcd-smol-streams-{}", std::process::id()));
        let snapshot = client.snapshot().await;
        let handle = snapshot.handle();
        let saving = smol::spawn(snapshot.save_to(path.clone()));
        server.wait_for(&Seen::Request("/v3/maintenance/snapshot".to_owned()));
        handle.cancel();
        let error = saving.await.unwrap_err();
        let inner = error.get_ref().and_then(|error| error.downcast_ref());
        assert!(matches!(inner, Some(Error::Canceled { .. })), "{error:?}");
        assert!(!path.exists() && !path.with_extension("part").exists());

        let mut observer = client.observe("el").await;
        let handle: StreamHandle = observer.handle();
        assert_shared(&handle);
        let waiting = smol::spawn(async move { observer.next().await });
        server.wait_for(&Seen::Request("/v3/election/observe".to_owned()));
        handle.clone().cancel();
        assert_eq!(waiting.await, None);
        // The observation is gone, and then the client: nothing is left to cancel.
        drop(client);
        handle.cancel();
    });
}
