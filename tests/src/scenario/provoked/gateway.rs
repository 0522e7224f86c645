//! Errors of the gateway, in front of the server.

use std::thread;
use std::time::Duration;

use etcd_core::Config;
use etcd_core::Known;
use etcd_core::Lock;
use etcd_core::Put;
use etcd_core::Range;

use super::Class;
use super::Must;
use super::Scene;
use super::Seen;
use crate::Server;
use crate::driver::Driver;
use crate::find;
use crate::scenario::Stage;
use crate::scenario::numbers;
use crate::scenario::wait_until;

/// Each error that the gateway gives by itself is told by its type.
pub fn errors_of_the_gateway<D: Driver>(stage: &mut Stage) {
    let mut seen = Seen::new(Scene::Gateway, numbers(&stage.server));
    let client: D = stage.client();
    let huge = Put::new("k", vec![b'x'; 3 << 20]);
    seen.fails(&client, huge, Known::MessageTooLarge);

    let flags = ["--enable-grpc-gateway=false", "--host-whitelist=127.0.0.1"];
    let closed = Server::start_with(&find::find().must(), &flags).must();
    let without: D = D::with_config(Config::new([closed.endpoint()]).must());
    seen.fails(&without, Put::new("k", "v"), Known::PageNotFound);
    seen.fails(&without, Range::key("k"), Known::PageNotFound);
    let by_name = format!("http://localhost:{}", closed.client_port());
    let by_name: D = D::with_config(Config::new([by_name]).must());
    seen.fails(&by_name, Put::new("k", "v"), Known::MisdirectedRequest);

    // A server that ends breaks off what it is waiting with.
    client.call(Lock::new("l")).must();
    let waiter = {
        let client = client.clone();
        thread::spawn(move || client.call(Lock::new("l")))
    };
    wait_until("somebody waits for the lock", || {
        client.get(Range::prefix("l/")).must().count == 2
    });
    thread::sleep(Duration::from_millis(50));
    stage.server.stop().must();
    let broken_off = waiter.join().expect("the waiter does not panic");
    let broken_off = broken_off.must_fail();
    seen.told(Class::Write, &broken_off, Known::GatewayConnection);
    seen.done();
}
