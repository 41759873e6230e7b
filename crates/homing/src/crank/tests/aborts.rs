//! A caller may go away at any moment. Who else suffers, and what is left behind?

use super::world::{self, Breakage, Over, Pair, call, payload};
use super::{JoinSet, PATIENCE};
use std::future::Future;
use std::pin::pin;
use std::task::{Context, Poll, Waker};
use tokio::time::timeout;

/// Lets a call live for so many turns of everybody else, beside one that is left alone. Whether it ended before.
async fn check_abort(over: Over, seed: u64, turns: usize, size: usize) -> bool {
    let pair = Pair::over(over, seed, Breakage::Never).await;
    let cell = pair.dialler.cell.clone();
    let mut others = JoinSet::new();
    for (number, cell) in [(1, cell.clone()), (2, pair.acceptor.cell.clone())] {
        let bytes = payload(number, size / 2);
        others.spawn(async move { world::replied(call(&cell, bytes.clone()).await) == bytes });
    }
    let ended = {
        let mut aborted = pin!(call(&cell, payload(0, size)));
        let mut ended = false;
        for _ in 0..turns {
            let poll = aborted.as_mut().poll(&mut Context::from_waker(Waker::noop()));
            ended |= matches!(poll, Poll::Ready(_));
            if ended {
                break;
            }
            tokio::task::yield_now().await;
        }
        ended
    };
    let others = timeout(PATIENCE, others.join_all()).await.expect("no other call is lost");
    assert!(others.into_iter().all(|same| same), "seed {seed}, {turns} turns, {size} bytes");
    let rest = timeout(PATIENCE, pair.at_rest()).await;
    assert!(rest.is_ok(), "left over: seed {seed}, {turns} turns, {size} bytes");
    ended
}

/// Every number of turns, up to the one in which the call ends by itself.
pub(super) async fn check_all_aborts(over: Over, seed: u64, size: usize) {
    for turns in 0.. {
        if check_abort(over, seed, turns, size).await {
            return;
        }
    }
}

#[tokio::test]
async fn a_small_call_dropped_at_any_poll_leaves_nothing_behind() {
    for seed in 0..10 {
        check_all_aborts(Over::Plain, seed, 100).await;
    }
}

#[tokio::test]
async fn a_large_call_dropped_at_any_poll_leaves_nothing_behind() {
    for seed in 0..2 {
        check_all_aborts(Over::Plain, seed, 600_000).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn calls_aborted_on_two_threads_leave_nothing_behind() {
    let pair = Pair::new(7, Breakage::Never).await;
    let mut crowd = JoinSet::new();
    for caller in 0..16_u32 {
        let cell = pair.dialler.cell.clone();
        crowd.spawn(async move {
            for number in 0..100_u32 {
                let bytes = payload(caller * 100 + number, [10, 40_000][(number % 2) as usize]);
                let pending = call(&cell, bytes.clone());
                if number % 3 == 0 {
                    assert_eq!(world::replied(pending.await), bytes);
                    continue;
                }
                tokio::select! {
                    biased;
                    outcome = pending => assert_eq!(world::replied(outcome), bytes),
                    () = turns(number % 5) => {}
                }
            }
        });
    }
    timeout(PATIENCE, crowd.join_all()).await.expect("no call is lost");
    timeout(PATIENCE, pair.at_rest()).await.expect("nothing is left over");
}

async fn turns(count: u32) {
    for _ in 0..count {
        tokio::task::yield_now().await;
    }
}
