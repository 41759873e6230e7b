//! What becomes of calls when the network fails?

use crate::house::{config, join_many, know, two};
use homing::testing::Network;
use homing::{Code, Node, Started};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;
use tokio::time::{Instant, sleep};

/// Two that serve, one that calls, and so many calls under way when one of the two is cut off.
async fn check_cut(seed: u64, repeatable: bool) -> Vec<Result<u64, homing::CallError>> {
    let network = Network::new(seed);
    let nodes = join_many(&network, 3).await;
    let mut guards = Vec::new();
    for node in &nodes[..2] {
        let slow = |number: u64| async move {
            sleep(Duration::from_secs(2)).await;
            number
        };
        let responder = node.responder("slow").repeatable(repeatable);
        guards.push(responder.serve(slow).await.unwrap());
    }
    know(&nodes[2], "slow", 2).await;
    let requester = nodes[2].requester().timeout(Duration::from_mins(1)).build();
    let callee = requester.to("slow").unwrap();
    let calls: Vec<_> =
        (0..20_u64).map(|number| tokio::spawn(callee.call(&number).into_future())).collect();
    sleep(Duration::from_secs(1)).await;
    network.isolate("host-0");
    let mut ends = Vec::new();
    for call in calls {
        ends.push(call.await.unwrap().and_then(|reply| reply.decode()));
    }
    ends
}

#[tokio::test(start_paused = true)]
async fn repeatable_calls_survive_a_cut() {
    for seed in 0..5 {
        for (number, end) in (0..).zip(check_cut(seed, true).await) {
            assert_eq!(end.unwrap_or_else(|error| panic!("seed {seed}: {error}")), number);
        }
    }
}

#[tokio::test(start_paused = true)]
async fn others_fail_and_say_that_they_may_have_run() {
    for seed in 5..10 {
        let ends = check_cut(seed, false).await;
        let failed: Vec<_> = ends.into_iter().filter_map(Result::err).collect();
        assert!((5..=15).contains(&failed.len()), "half were there: {failed:?}");
        for error in failed {
            assert_eq!((error.code(), error.started()), (Code::Unavailable, Started::Maybe));
            assert!(error.to_string().contains("may have run"), "{error}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_process_that_dies_fails_its_calls_within_a_second() {
    let (_network, server, client) = two(10).await;
    server.serve("wait", |(): ()| sleep(Duration::from_mins(1))).await.unwrap();
    know(&client, "wait", 1).await;
    let callee = client.requester().timeout(Duration::from_mins(10)).build().to("wait").unwrap();
    let call = tokio::spawn(callee.call(&()).into_future());
    sleep(Duration::from_millis(100)).await;
    let start = Instant::now();
    drop(server);
    let error = call.await.unwrap().unwrap_err();
    assert_eq!((error.code(), error.started()), (Code::Unavailable, Started::Maybe), "{error}");
    assert!(start.elapsed() < Duration::from_secs(1), "{:?}", start.elapsed());
}

#[tokio::test(start_paused = true)]
async fn what_was_not_started_is_tried_elsewhere_and_later() {
    let network = Network::new(11);
    let nodes = join_many(&network, 3).await;
    let at_once = Arc::new(AtomicUsize::new(0));
    let mut guards = Vec::new();
    for node in &nodes[..2] {
        let at_once = Arc::clone(&at_once);
        let slow = move |number: u64| {
            let at_once = Arc::clone(&at_once);
            async move {
                assert!(at_once.fetch_add(1, Ordering::Relaxed) < 4, "two nodes, two each");
                sleep(Duration::from_millis(50)).await;
                at_once.fetch_sub(1, Ordering::Relaxed);
                number
            }
        };
        guards.push(node.responder("slow").concurrency(2).serve(slow).await.unwrap());
    }
    know(&nodes[2], "slow", 2).await;
    let requester = nodes[2].requester().timeout(Duration::from_mins(1)).build();
    let callee = requester.to("slow").unwrap();
    let calls: Vec<_> =
        (0..30_u64).map(|number| tokio::spawn(callee.call(&number).into_future())).collect();
    for (number, call) in (0..).zip(calls) {
        assert_eq!(call.await.unwrap().unwrap().decode::<u64>().unwrap(), number);
    }
}

#[tokio::test(start_paused = true)]
async fn a_full_offer_refuses_who_does_not_wait_and_queues_who_may() {
    let (_network, server, client) = two(12).await;
    let slow = |(): ()| sleep(Duration::from_secs(1));
    let _full = server.responder("full").concurrency(1).serve(slow).await.unwrap();
    let _line = server.responder("line").concurrency(1).queue(2).serve(slow).await.unwrap();
    know(&client, "line", 1).await;
    let requester = client.requester().no_wait().build();
    for (address, taken) in [("full", 1), ("line", 3)] {
        let callee = requester.to(address).unwrap();
        let calls: Vec<_> = (0..5).map(|_| tokio::spawn(callee.call(&()).into_future())).collect();
        let mut done = 0;
        for call in calls {
            match call.await.unwrap() {
                Ok(_) => done += 1,
                Err(error) => {
                    assert_eq!(error.code(), Code::ResourceExhausted, "{error}");
                    assert!(error.status().retry_after.is_some(), "and says when to come back");
                }
            }
        }
        assert_eq!(done, taken, "{address}");
    }
}

#[tokio::test(start_paused = true)]
async fn how_many_calls_are_handled_at_once_can_change_while_they_are() {
    let (_network, server, client) = two(14).await;
    let now = Arc::new(AtomicUsize::new(0));
    let at_work = Arc::clone(&now);
    let slow = move |(): ()| {
        let at_work = Arc::clone(&at_work);
        async move {
            at_work.fetch_add(1, Ordering::Relaxed);
            sleep(Duration::from_secs(10)).await;
            at_work.fetch_sub(1, Ordering::Relaxed);
        }
    };
    let responder = server.responder("slow").concurrency(1).queue(9).serve(slow).await.unwrap();
    know(&client, "slow", 1).await;
    let callee = client.requester().timeout(Duration::from_hours(1)).build().to("slow").unwrap();
    let calls: Vec<_> = (0..10).map(|_| tokio::spawn(callee.call(&()).into_future())).collect();
    let mut seen = Vec::new();
    for concurrency in [1, 4, 2, 2] {
        responder.set_concurrency(concurrency);
        sleep(Duration::from_secs(if seen.is_empty() { 1 } else { 10 })).await;
        seen.push(now.load(Ordering::Relaxed));
    }
    // After 10 s those four have ended, and two of the queue are at work.
    assert_eq!(seen, [1, 4, 2, 2]);
    for call in calls {
        call.await.unwrap().unwrap();
    }
}

#[tokio::test(start_paused = true)]
async fn an_instance_that_cannot_be_reached_is_left_for_one_that_can() {
    let network = Network::new(13);
    let nodes = join_many(&network, 2).await;
    for (number, node) in (0..).zip(&nodes) {
        node.serve("who", move |(): ()| async move { number }).await.unwrap();
    }
    let client = Node::join(config(&network, "caller")).await.unwrap();
    know(&client, "who", 2).await;
    // No link to host-0 for the caller, which everybody else still reaches.
    network.cut("caller", "host-0");
    let requester = client.requester().timeout(Duration::from_secs(30)).repeatable(true).build();
    let callee = requester.to("who").unwrap();
    for _ in 0..10 {
        assert_eq!(callee.call(&()).await.unwrap().decode::<u32>().unwrap(), 1);
    }
}
