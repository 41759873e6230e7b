//! As slow as can be: a handshake that never ends.

use super::attacker::{ELSEWHERE, beat, connect, is_ended};
use super::bystander::check_on;
use homing::Config;
use std::time::{Duration, Instant};

/// How long a handshake may take here.
const HANDSHAKE: Duration = Duration::from_millis(800);

#[test]
fn who_sends_its_handshake_byte_by_byte_is_closed_when_its_time_is_up() {
    let mut config = Config::isolated();
    config.timings.handshake = HANDSHAKE;
    let outcome = check_on(config, async |victim| {
        let mut slow = Vec::new();
        for _ in 0..50 {
            slow.push(connect(ELSEWHERE, victim.at).await.unwrap());
        }
        let begun = Instant::now();
        let mut beat = beat(Duration::from_millis(50));
        // A Hello of the greatest length, as far as can be seen.
        let mut words = b"HMG1\x0f\xf0\x01\x01".iter().copied().chain(std::iter::repeat(0));
        while !slow.iter().all(is_ended) {
            beat.tick().await;
            let byte = words.next().unwrap();
            for stream in &slow {
                // It may have been closed.
                let _ = stream.try_write(&[byte]);
            }
            assert!(begun.elapsed() < 10 * HANDSHAKE, "some are still open");
        }
        begun.elapsed()
    });
    assert!(outcome.found >= HANDSHAKE / 2, "closed early, after {:?}", outcome.found);
    let connections = outcome.stats.connections;
    assert!(connections.too_slow >= 50, "{connections:?}");
    assert_eq!(connections.half_open, 0, "{connections:?}");
}
