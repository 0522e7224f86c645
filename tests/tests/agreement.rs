//! The simulated etcd and a real one, given the same random script.

use etcd_tests::{Server, agreement};

#[test]
fn the_model_says_what_a_real_server_says() {
    // Without and with users.
    for seed in [3, 4] {
        let server = Server::start().unwrap();
        let difference = agreement::run(&server, seed, 1_000).unwrap();
        assert!(difference.is_none(), "seed {seed}, {}", difference.unwrap());
    }
}
