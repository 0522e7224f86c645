//! The simulated etcd and a real one, given the same random script.

use etcd_tests::{Server, agreement};

#[test]
fn the_model_says_what_a_real_server_says() {
    // Without and with users.
    for seed in [3, 4] {
        let server = Server::start().unwrap();
        let agreed = agreement::run(&server, seed, 1_000).unwrap();
        let agreed = agreed.unwrap_or_else(|difference| panic!("seed {seed}, {difference}"));
        assert_eq!(agreed.calls + agreed.watches, 1_000, "{agreed:?}");
        assert!(agreed.events > 0, "{agreed:?}");
    }
}
