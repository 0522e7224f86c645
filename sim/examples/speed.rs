//! How fast worlds are: `cargo run --release -p etcd-sim --example speed -- SEEDS`.
//!
//! Each is one of ten seconds with three members, three clients that watch, 300 calls, and faults of a
//! drawn density on connections.

use std::time::{Duration, Instant};

use etcd_core::{Put, Range, Watch};
use etcd_sim::check::Asked;
use etcd_sim::net::Faults;
use etcd_sim::world::{Between, Pace};
use etcd_sim::{Rng, World};

fn main() {
    let seeds = std::env::args().nth(1).and_then(|seeds| seeds.parse().ok());
    let seeds: u64 = seeds.unwrap_or(1000);
    let start = Instant::now();
    let (mut steps, mut faults, mut events) = (0, 0, 0);
    for seed in 0..seeds {
        let world = run(seed);
        steps += world.steps();
        faults += world.tally().total();
        events += world.look(|history| history.events.len());
    }
    let time = start.elapsed();
    let each = |number: u64| number / seeds.max(1);
    println!(
        "{seeds} worlds in {time:?}: {:.2} ms each; a world has {} steps, {} faults, {} events told",
        time.as_secs_f64() * 1000.0 / seeds as f64,
        each(steps),
        each(faults),
        each(events as u64),
    );
}

fn run(seed: u64) -> World {
    let world = World::new(seed);
    let mut rng = Rng::new(seed).fork(1);
    world.set_faults(Between::all(), Faults::draw(&mut rng));
    let clients: Vec<usize> = (0..3).map(|_| world.add_client(world.config())).collect();
    for client in &clients {
        world.watch(*client, Watch::prefix("k"), Pace::AtOnce);
    }
    for _ in 0..300 {
        world.run_for(rng.between(Duration::ZERO, Duration::from_millis(66)));
        let key = format!("k{}", rng.below(5));
        let asked: Asked = match rng.below(3) {
            0 => Range::key(key).into(),
            _ => Put::new(key, "v".repeat(rng.index(100))).into(),
        };
        world.call(clients[rng.index(clients.len())], asked);
    }
    world
}
