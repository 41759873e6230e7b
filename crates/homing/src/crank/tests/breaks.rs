//! A socket may break at any byte. What does each caller learn?

use super::world::{Breakage, End, Over, Pair, call, payload};
use super::{JoinSet, PATIENCE};
use std::collections::BTreeMap;
use tokio::time::timeout;

/// Callers of a socket that breaks: each of their calls ends, and none is said not to have been sent that arrived.
async fn check_break(over: Over, seed: u64, breakage: Breakage) -> BTreeMap<End, usize> {
    let pair = Pair::over(over, seed, breakage).await;
    let mut crowd = JoinSet::new();
    for caller in 0..8_u32 {
        let cell = pair.dialler.cell.clone();
        let bytes = payload(caller, [5, 900, 17_000, 40_000][caller as usize % 4]);
        crowd.spawn(async move { End::of(&call(&cell, bytes).await) });
    }
    let ends = timeout(PATIENCE, crowd.join_all()).await;
    let ends = ends.unwrap_or_else(|_| panic!("a call hangs: seed {seed}, {breakage:?}"));
    let mut counted = BTreeMap::new();
    for end in ends {
        *counted.entry(end).or_default() += 1;
    }
    let arrived_at_most = 8 - counted.get(&End::NotSent).copied().unwrap_or(0);
    assert!(pair.acceptor.requests() <= arrived_at_most, "seed {seed}, {breakage:?}: {counted:?}");
    pair.dialler.cell.socket.shutdown(); // Where the calls were over before the socket was to break.
    let gone = pair.let_go();
    let over = timeout(PATIENCE, async {
        while gone.iter().any(|cell| cell.strong_count() > 0) {
            tokio::task::yield_now().await;
        }
    });
    over.await.unwrap_or_else(|_| panic!("a task is left: seed {seed}, {breakage:?}"));
    counted
}

pub(super) async fn check_all(over: Over, breakage: impl Fn(usize) -> Breakage) {
    let mut seen = BTreeMap::new();
    // Byte by byte through the handshake and the first frames, then in strides.
    for at in (1..1_200).step_by(13).chain((1_200..220_000).step_by(9_001)) {
        seen.append(&mut check_break(over, at as u64, breakage(at)).await);
    }
    for end in [End::Replied, End::Lost] {
        assert!(seen.contains_key(&end), "no socket broke in such a way that a call {end:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn when_writing_breaks_every_call_ends() {
    check_all(Over::Plain, Breakage::Written).await;
}

#[tokio::test(start_paused = true)]
async fn when_reading_breaks_every_call_ends() {
    check_all(Over::Plain, Breakage::Read).await;
}
