//! What do callers feel when instances are slow, or overloaded? In virtual time, with exponential service times
//! (decisions C11); the figures are printed, and so is the seed.

mod world;

use super::*;
use crate::balance::Balancer;
use crate::responder::Capacity;
use world::{Callers, Servers, World};

const SEED: u64 = 7;

/// The 99th percentile of 100 callers who call one after the other without a pause, over 10 instances that take 1 ms on
/// average, of which the first takes `factor` times as long; or over 9, with 0. In microseconds.
fn p99(policy: &Policy, callers: Callers, factor: u64) -> u64 {
    let mut servers = vec![Duration::from_millis(1); 9];
    if factor > 0 {
        servers.insert(0, Duration::from_millis(factor));
    }
    let capacity = Capacity { concurrency: 16, queue: 1_000 };
    let mut world = World::new(SEED, policy, callers, &Servers { mean: servers, capacity });
    world.begin_all();
    world.run(Time::from_millis(250));
    world.percentile(Time::from_millis(50), 99)
}

fn compare(name: &str, policy: &Policy, callers: Callers) -> f64 {
    let (with, without) = (p99(policy, callers, 10), p99(policy, callers, 0));
    #[expect(clippy::cast_precision_loss, reason = "a ratio for people")]
    let ratio = with as f64 / without as f64;
    #[expect(clippy::print_stdout, reason = "figures for people")]
    {
        println!(
            "{name}, {callers:?}, seed {SEED}: p99 {with} us, without the slow one {without} us: {ratio:.2}"
        );
    }
    ratio
}

#[test]
fn one_slow_instance_of_ten_is_hardly_felt_unless_each_has_its_turn() {
    for callers in [Callers::OneRequester, Callers::Hundred] {
        let plain = |balancer| Policy { balancer, ejection: Ejection::Never, ..Policy::default() };
        assert!(compare("default", &Policy::default(), callers) <= 1.3);
        assert!(compare("p2c alone", &plain(Balancer::PowerOfTwo), callers) <= 1.3);
        assert!(compare("round robin", &plain(Balancer::RoundRobin), callers) > 3.0);
    }
}

#[test]
fn three_times_too_much_for_20_s_is_forgotten_10_s_later() {
    // 10 instances of 4 at once at 50 ms each: 800 calls a second. At 70 % of that, then three times as much.
    let mean = vec![Duration::from_millis(50); 10];
    let servers = Servers { mean, capacity: Capacity { concurrency: 4, queue: 4 } };
    let mut world = World::new(SEED, &Policy::default(), Callers::OneRequester, &servers);
    let seconds = |seconds| Time::from_millis(seconds * 1_000);
    let (usual, overload) = (560, 1_680);
    world.arrivals(seconds(0), seconds(10), usual);
    world.arrivals(seconds(10), seconds(30), overload);
    world.arrivals(seconds(30), seconds(45), usual);
    world.run(seconds(50));
    let share = |from: u64, to: u64| world.answered_percent(seconds(from), seconds(to));
    let p99 = |from: u64, to: u64| world.percentile_within(seconds(from), seconds(to), 99);
    #[expect(clippy::print_stdout, reason = "figures for people")]
    {
        println!("seed {SEED}, second: answered, p99 in us, of the calls begun in it");
        for second in (0..45).step_by(3) {
            println!("{second}: {} %, {}", share(second, second + 3), p99(second, second + 3));
        }
    }
    assert_eq!(share(1, 10), 100);
    assert!(share(15, 30) < 70, "it is too much");
    assert_eq!(share(40, 45), 100, "recovered");
    assert!(p99(40, 45) <= 2 * p99(1, 10), "and as quick as before");
}
