//! Does a node's call to its own service behave like any other?

use crate::house::join;
use homing::testing::Network;
use homing::{CallError, Code, Node, Payload, limits};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;
use tokio::time::{Instant, sleep};

async fn alone() -> Node {
    join(&Network::new(1), "alone").await
}

#[tokio::test(start_paused = true)]
async fn it_is_answered_without_a_link() {
    let node = alone().await;
    node.serve("echo", |text: String| async move { text }).await.unwrap();
    assert_eq!(node.call::<_, String>("echo", "me").await.unwrap(), "me");
    assert!(node.nodes().await[0].links.is_empty());
    let reply = node.requester().build().to("echo").unwrap().call("me").await.unwrap();
    assert_eq!(reply.node(), node.info().id);
}

/// Counts the handlers at work, the dropped ones too.
struct AtWork(Arc<AtomicUsize>);

impl AtWork {
    fn begin(count: &Arc<AtomicUsize>) -> Self {
        count.fetch_add(1, Ordering::Relaxed);
        Self(Arc::clone(count))
    }
}

impl Drop for AtWork {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

#[tokio::test(start_paused = true)]
async fn its_deadline_and_its_end_stop_the_work() {
    let node = alone().await;
    let count = Arc::new(AtomicUsize::new(0));
    let working = Arc::clone(&count);
    let forever = move |(): ()| {
        let at_work = AtWork::begin(&working);
        async move {
            sleep(Duration::from_hours(1)).await;
            drop(at_work);
        }
    };
    node.serve("slow", forever).await.unwrap();
    let callee = node.requester().build().to("slow").unwrap();
    let start = Instant::now();
    let error = callee.call(&()).timeout(Duration::from_millis(300)).await.unwrap_err();
    assert_eq!(error.code(), Code::DeadlineExceeded, "{error}");
    assert_eq!(start.elapsed().as_millis() / 10, 30);
    sleep(Duration::from_millis(1)).await;
    assert_eq!(count.load(Ordering::Relaxed), 0, "the handler's future was dropped");
    let call = tokio::spawn(callee.call(&()).into_future());
    sleep(Duration::from_millis(1)).await;
    assert_eq!(count.load(Ordering::Relaxed), 1);
    call.abort();
    sleep(Duration::from_millis(1)).await;
    assert_eq!(count.load(Ordering::Relaxed), 0);
}

#[tokio::test(start_paused = true)]
async fn who_waits_in_the_queue_and_goes_away_is_gone() {
    let node = alone().await;
    let began = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&began);
    let slow = move |(): ()| {
        count.fetch_add(1, Ordering::Relaxed);
        sleep(Duration::from_secs(1))
    };
    let _guard = node.responder("slow").concurrency(1).queue(2).serve(slow).await.unwrap();
    let callee = node.requester().build().to("slow").unwrap();
    let first = tokio::spawn(callee.call(&()).into_future());
    let queued: Vec<_> = (0..2).map(|_| tokio::spawn(callee.call(&()).into_future())).collect();
    sleep(Duration::from_millis(10)).await;
    queued.iter().for_each(tokio::task::JoinHandle::abort);
    sleep(Duration::from_millis(10)).await;
    let others: Vec<_> = (0..2).map(|_| tokio::spawn(callee.call(&()).into_future())).collect();
    first.await.unwrap().unwrap();
    for other in others {
        other.await.unwrap().unwrap();
    }
    assert_eq!(began.load(Ordering::Relaxed), 3, "the two that went away were never begun");
}

#[tokio::test(start_paused = true)]
async fn its_panic_and_its_size_are_treated_alike() {
    let node = alone().await;
    let picky = |number: u32| async move { assert_ne!(number, 3, "it is meant") };
    node.serve("picky", picky).await.unwrap();
    let error = node.call::<_, ()>("picky", &3).await.unwrap_err();
    assert_eq!(error.to_string(), "INTERNAL: the handler panicked");
    let _raw = node.responder("raw").serve_raw(|payload, _| async move { Ok(payload) }).await;
    let callee = node.requester().build().to("raw").unwrap();
    let large = Payload::raw(vec![0; limits::PAYLOAD_MAX + 1]);
    let error = callee.call_raw(large).await.unwrap_err();
    assert_eq!(error.code(), Code::ResourceExhausted, "{error}");
    let whole = Payload::raw(vec![7; limits::PAYLOAD_MAX]);
    assert_eq!(callee.call_raw(whole.clone()).await.unwrap().payload, whole);
}

#[tokio::test(start_paused = true)]
async fn calls_within_calls_do_not_exhaust_the_stack() {
    let node = alone().await;
    let itself = node.clone();
    let down = move |depth: u32| {
        let itself = itself.clone();
        async move {
            match depth {
                0 => Ok::<u32, CallError>(0),
                _ => Ok(1 + itself.call::<_, u32>("down", &(depth - 1)).await?),
            }
        }
    };
    node.serve("down", down).await.unwrap();
    assert_eq!(node.call::<_, u32>("down", &2_000).await.unwrap(), 2_000);
    node.close().await;
}
