//! How often does a call ask for memory? Counted over both of its ends, in one process (decisions C9).
//!
//! A raw echo whose handler is ready at once should find all it needs in what earlier calls left behind. Run with
//! `--release` for the million calls that the promise is about; unoptimised, fewer show the same.

#![expect(clippy::unwrap_used, reason = "a test that fails")]

use homing::{Callee, Config, Context, Node, Payload, Transport};
use std::sync::Mutex;
use std::time::Duration;
use tokio::task::JoinSet;
use tokio::time::timeout;

#[global_allocator]
static ALLOCATOR: dhat::Alloc = dhat::Alloc;

/// One count at a time.
static COUNTING: Mutex<()> = Mutex::new(());

/// Calls that are counted together.
const CALLS: u64 = if cfg!(debug_assertions) { 50_000 } else { 1_000_000 };
/// Allocations in a hundred calls, at most.
const PER_HUNDRED: u64 = 2;

/// Counts while so many callers make [`CALLS`] calls, after as many that warm everything up.
#[expect(clippy::print_stderr, reason = "the figure, for who asks with --nocapture")]
fn check(callers: u64) {
    let _alone = COUNTING.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    let counted = runtime.block_on(async {
        let config = Config::isolated().transport(Transport::Tcp);
        let server = Node::join(config.clone()).await.unwrap();
        let client = Node::join(config).await.unwrap();
        let echo = |payload: Payload, _: Context| async move { Ok(payload) };
        let _echo = server.responder("echo@1.0.0").serve_raw(echo).await.unwrap();
        let callee = client.requester().build().to("echo@^1").unwrap();
        call_all(&callee, callers, CALLS / 10).await;
        let profiler = dhat::Profiler::builder().testing().build();
        call_all(&callee, callers, CALLS).await;
        let counted = dhat::HeapStats::get().total_blocks;
        drop(profiler);
        timeout(Duration::from_mins(1), client.close()).await.expect("closing ends");
        timeout(Duration::from_mins(1), server.close()).await.expect("closing ends");
        counted
    });
    eprintln!("{callers} callers: {counted} allocations in {CALLS} calls");
    assert!(
        counted * 100 <= CALLS * PER_HUNDRED,
        "{counted} allocations in {CALLS} calls by {callers} callers: at most {PER_HUNDRED} in a hundred"
    );
}

/// Each caller waits for its answer before it asks again.
async fn call_all(callee: &Callee, callers: u64, calls: u64) {
    let payload = Payload::raw(vec![7_u8; 128]);
    let mut tasks = JoinSet::new();
    for _ in 0..callers {
        let (callee, payload) = (callee.clone(), payload.clone());
        tasks.spawn(async move {
            for _ in 0..calls / callers {
                let reply = callee.call_raw(payload.clone()).await.unwrap();
                assert_eq!(reply.payload.bytes.len(), 128);
            }
        });
    }
    while let Some(done) = tasks.join_next().await {
        done.unwrap();
    }
}

#[test]
fn one_caller_finds_all_it_needs() {
    check(1);
}

#[test]
fn a_hundred_callers_find_all_they_need() {
    check(100);
}
