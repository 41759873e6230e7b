//! Does a caller that goes away, or runs out of time, stop the work behind it, hops away too?

use crate::house::{join_many, know, two, until};
use homing::testing::Network;
use homing::{CallError, Code, Context, Node};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;
use tokio::time::{sleep, timeout};

/// Handlers at work, dropped ones no more.
#[derive(Clone, Default)]
struct Work(Arc<AtomicUsize>);

struct AtWork(Work);

impl Work {
    fn begin(&self) -> AtWork {
        self.0.fetch_add(1, Ordering::Relaxed);
        AtWork(self.clone())
    }

    fn count(&self) -> usize {
        self.0.load(Ordering::Relaxed)
    }

    async fn is(&self, count: usize) {
        until(format!("{count} at work"), || async { (self.count() == count).then_some(()) }).await;
    }
}

impl Drop for AtWork {
    fn drop(&mut self) {
        self.0.0.fetch_sub(1, Ordering::Relaxed);
    }
}

async fn serve_forever(node: &Node, work: &Work) {
    let work = work.clone();
    let forever = move |(): ()| {
        let at_work = work.begin();
        async move {
            sleep(Duration::from_hours(1)).await;
            drop(at_work);
        }
    };
    node.serve("forever", forever).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn an_aborted_call_drops_the_handlers_future() {
    let (_network, server, client) = two(1).await;
    let work = Work::default();
    serve_forever(&server, &work).await;
    know(&client, "forever", 1).await;
    let callee = client.requester().timeout(Duration::from_mins(10)).build().to("forever").unwrap();
    for _ in 0..20 {
        let calls: Vec<_> = (0..10).map(|_| tokio::spawn(callee.call(&()).into_future())).collect();
        work.is(10).await;
        calls.iter().for_each(tokio::task::JoinHandle::abort);
        timeout(Duration::from_secs(1), work.is(0)).await.expect("all are stopped within a second");
    }
}

#[tokio::test(start_paused = true)]
async fn a_deadline_stops_the_work_and_is_told_to_the_caller() {
    let (_network, server, client) = two(2).await;
    let work = Work::default();
    serve_forever(&server, &work).await;
    let callee = client.requester().build().to("forever").unwrap();
    let calls: Vec<_> = (1..=20)
        .map(|number| {
            let call = callee.call(&()).timeout(Duration::from_millis(number * 50));
            tokio::spawn(call.into_future())
        })
        .collect();
    work.is(20).await;
    for call in calls {
        assert_eq!(call.await.unwrap().unwrap_err().code(), Code::DeadlineExceeded);
    }
    timeout(Duration::from_secs(1), work.is(0)).await.expect("all are stopped within a second");
}

/// A calls B, which calls C with what time is left.
async fn chain(seed: u64) -> (Vec<Node>, Work) {
    let network = Network::new(seed);
    let nodes = join_many(&network, 3).await;
    let work = Work::default();
    serve_forever(&nodes[2], &work).await;
    let (through, passing) = (nodes[1].clone(), work.clone());
    let pass = move |(): (), context: Context| {
        let at_work = passing.begin();
        let callee = through.requester().build().to("forever");
        async move {
            let left = context.remaining().unwrap();
            let reply = callee?.call(&()).timeout(left).await?;
            drop(at_work);
            reply.decode::<()>()
        }
    };
    nodes[1].serve::<fn((), Context) -> _>("pass", pass).await.unwrap();
    know(&nodes[0], "pass", 1).await;
    know(&nodes[1], "forever", 1).await;
    (nodes, work)
}

#[tokio::test(start_paused = true)]
async fn an_end_travels_hops_away() {
    let (nodes, work) = chain(3).await;
    let callee = nodes[0].requester().build().to("pass").unwrap();
    let call = tokio::spawn(callee.call(&()).timeout(Duration::from_mins(10)).into_future());
    work.is(2).await;
    call.abort();
    timeout(Duration::from_secs(1), work.is(0)).await.expect("both are stopped within a second");
    let error = callee.call(&()).timeout(Duration::from_secs(2)).await.unwrap_err();
    assert_eq!(error.code(), Code::DeadlineExceeded, "{error}");
    timeout(Duration::from_secs(1), work.is(0)).await.expect("both are stopped within a second");
}

#[tokio::test(start_paused = true)]
async fn a_call_dropped_at_any_poll_disturbs_no_other_and_stops_its_work() {
    let (_network, server, client) = two(4).await;
    let work = Work::default();
    let at_work = work.clone();
    let echo = move |text: String| {
        let at_work = at_work.begin();
        async move {
            tokio::task::yield_now().await;
            drop(at_work);
            text
        }
    };
    server.serve("echo", echo).await.unwrap();
    know(&client, "echo", 1).await;
    let callee = client.requester().build().to("echo").unwrap();
    for turns in 0..80 {
        let mut call = Box::pin(callee.call("dropped").into_future());
        let other = tokio::spawn(callee.call("other").into_future());
        for _ in 0..turns {
            let mut cx = std::task::Context::from_waker(std::task::Waker::noop());
            if call.as_mut().poll(&mut cx).is_ready() {
                break;
            }
            tokio::task::yield_now().await;
        }
        drop(call);
        let reply = other.await.unwrap().unwrap();
        assert_eq!(reply.decode::<String>().unwrap(), "other", "after {turns} turns");
    }
    work.is(0).await;
    let error: Result<String, CallError> = client.call("echo", "still there").await;
    assert_eq!(error.unwrap(), "still there");
}
