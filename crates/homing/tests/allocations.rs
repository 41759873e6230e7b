//! How often does a call ask for memory, and how often a stream's item or a published message? Counted over both ends, in
//! one process (decisions C9).
//!
//! A raw echo whose handler is ready at once should find all it needs in what earlier calls left behind. A small item or
//! message is copied once for its reader, and that is all. The promise is about a million calls with `--release`.
//! Unoptimised, handlers outlast what they may take in place, on a busy machine the more: fewer calls then show that nothing
//! asks for memory each time.

#![expect(clippy::unwrap_used, reason = "a test that fails")]

use homing::{
    Callee, Config, Context, Node, Payload, RawItems, RawWriter, Replies, Status, Transport,
};
use std::sync::Mutex;
use std::time::{Duration, Instant};
use tokio::task::JoinSet;
use tokio::time::timeout;

#[global_allocator]
static ALLOCATOR: dhat::Alloc = dhat::Alloc;

/// One count at a time.
static COUNTING: Mutex<()> = Mutex::new(());

/// Calls that are counted together.
const CALLS: u64 = if cfg!(debug_assertions) { 50_000 } else { 1_000_000 };
/// Allocations in a hundred calls, at most.
const PER_HUNDRED: u64 = if cfg!(debug_assertions) { 50 } else { 2 };

/// Allocations for a hundred items or messages, at most: their copies, and what batches take, which are small on a busy machine.
const PER_HUNDRED_ITEMS: u64 = if cfg!(debug_assertions) { 300 } else { 150 };

/// What two nodes that know each other ask for in a second, whatever is called: gossip.
const PER_SECOND: u64 = 400;

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
        let began = Instant::now();
        call_all(&callee, callers, CALLS).await;
        let rest = began.elapsed().as_secs() * PER_SECOND;
        let counted = dhat::HeapStats::get().total_blocks.saturating_sub(rest);
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

/// Two nodes that know each other, and where they run.
fn pair() -> (tokio::runtime::Runtime, Node, Node) {
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    let (server, client) = runtime.block_on(async {
        let config = Config::isolated().transport(Transport::Tcp);
        (Node::join(config.clone()).await.unwrap(), Node::join(config).await.unwrap())
    });
    (runtime, server, client)
}

/// Compares what was counted for so many items.
#[expect(clippy::print_stderr, reason = "the figure, for who asks with --nocapture")]
fn expect_copies(what: &str, counted: u64, items: u64) {
    eprintln!("{what}: {counted} allocations for {items}");
    assert!(counted * 100 <= items * PER_HUNDRED_ITEMS, "{counted} allocations for {items} {what}");
}

/// Items of 128 bytes, as many as are asked for.
async fn flood(mut asked: RawItems, writer: RawWriter, _: Context) -> Result<(), Status> {
    let asked = asked.next().await.expect("a count")?.into_inner();
    let count = u64::from_le_bytes(*asked.bytes.first_chunk().expect("a count"));
    let item = Payload::raw(vec![7_u8; 128]);
    for _ in 0..count {
        writer.write(item.clone()).await?;
    }
    Ok(())
}

async fn read_all(callee: &Callee, count: u64) {
    let mut items: Replies<()> = callee.stream_raw(Payload::raw(count.to_le_bytes().to_vec()));
    for _ in 0..count {
        assert_eq!(items.next_raw().await.unwrap().unwrap().into_inner().bytes.len(), 128);
    }
    assert!(items.next_raw().await.is_none());
}

#[test]
fn an_item_of_a_stream_is_copied_and_that_is_all() {
    let _alone = COUNTING.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    let (runtime, server, client) = pair();
    let counted = runtime.block_on(async {
        let _flood = server.responder("flood@1.0.0").serve_stream_raw(flood).await.unwrap();
        let callee = client.requester().build().to("flood@^1").unwrap();
        read_all(&callee, CALLS / 10).await;
        let _profiler = dhat::Profiler::builder().testing().build();
        read_all(&callee, CALLS).await;
        dhat::HeapStats::get().total_blocks
    });
    expect_copies("items", counted, CALLS);
}

#[test]
fn a_published_message_is_copied_and_that_is_all() {
    let _alone = COUNTING.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    let (runtime, server, client) = pair();
    let counted = runtime.block_on(async {
        let mut messages = server.subscribe(["flood"]).await.unwrap();
        let publisher = client.publisher("flood").unwrap();
        while publisher.listeners().is_empty() {
            tokio::task::yield_now().await;
        }
        let mut counted = 0;
        for count in [CALLS / 10, CALLS] {
            let publisher = publisher.clone();
            let profiler = dhat::Profiler::builder().testing().build();
            let publishing = tokio::spawn(async move {
                let message = Payload::raw(vec![7_u8; 128]);
                for _ in 0..count {
                    publisher.publish_raw(message.clone()).await.unwrap();
                }
            });
            for _ in 0..count {
                assert_eq!(messages.next().await.unwrap().payload().bytes.len(), 128);
            }
            counted = dhat::HeapStats::get().total_blocks;
            drop(profiler);
            publishing.await.unwrap();
        }
        counted
    });
    expect_copies("messages", counted, CALLS);
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
