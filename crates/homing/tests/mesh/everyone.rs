//! Does a call to all instances reach each of them once, and bring an outcome of each?

use crate::house::{join_many, know, two, until};
use homing::testing::Network;
use homing::{CallAll, Code, Context, Label, Node, Outcomes, Responder, Status};
use std::future::pending;
use std::num::NonZeroUsize;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;
use tokio::time::{Instant, sleep};

/// The outcomes in the order in which they come: `NAME: REPLY`, or `NAME: CODE`.
async fn shown(mut outcomes: Outcomes) -> Vec<String> {
    let mut shown = Vec::new();
    while let Some((instance, result)) = outcomes.next().await {
        let result = result.and_then(|reply| {
            assert_eq!(reply.instance(), instance);
            reply.decode::<String>()
        });
        let text = result.unwrap_or_else(|error| error.code().to_string());
        shown.push(format!("{}: {text}", instance.name));
    }
    shown
}

async fn check(call: CallAll, expect: &[&str]) {
    assert_eq!(shown(call.await.unwrap()).await, expect);
}

/// `count` nodes that offer `who`, and a caller who knows them.
async fn world(seed: u64, count: usize) -> (Network, Vec<Node>, Node) {
    let network = Network::new(seed);
    let mut nodes = join_many(&network, count + 1).await;
    let caller = nodes.pop().expect("there is one more");
    (network, nodes, caller)
}

#[tokio::test(start_paused = true)]
async fn each_has_an_outcome_and_the_quickest_comes_first() {
    let (_network, nodes, caller) = world(1, 5).await;
    let millis = Duration::from_millis;
    let _offers = [
        serve(&nodes[0], "1.0.0", "slow", millis(900)).await,
        serve(&nodes[1], "1.1.0", "fail", millis(500)).await,
        serve(&nodes[2], "1.0.0", "quick", millis(100)).await,
        serve(&nodes[2], "1.2.0", "second", millis(300)).await,
        serve(&nodes[3], "1.0.0", "stuck", Duration::from_hours(1)).await,
        serve(&nodes[4], "2.0.0", "new", millis(50)).await,
    ];
    know(&caller, "who", 6).await;
    let callee = caller.requester().build().to("who@1").unwrap();
    let began = Instant::now();
    let all = callee.call_all(&()).timeout(Duration::from_secs(2));
    let expect = [
        "host-2: quick",
        "host-2: second",
        "host-1: ABORTED",
        "host-0: slow",
        "host-3: DEADLINE_EXCEEDED",
    ];
    check(all, &expect).await;
    assert!(began.elapsed() < millis(2_100), "one time for all: {:?}", began.elapsed());
    let subset = caller.requester().subset("word=slow".parse().unwrap()).build();
    check(subset.to("who@1").unwrap().call_all(&()), &["host-0: slow"]).await;
    let highest = caller.requester().build().call_all("who", &()).await.unwrap();
    assert_eq!(shown(highest).await, ["host-4: new"]);
}

#[tokio::test(start_paused = true)]
async fn who_cannot_be_reached_or_has_just_left_has_an_outcome_too() {
    let (network, nodes, caller) = world(2, 3).await;
    let mut offers = Vec::new();
    for node in &nodes {
        offers.push(serve(node, "1.0.0", "here", Duration::from_secs(1)).await);
    }
    know(&caller, "who", 3).await;
    let callee = caller.requester().timeout(Duration::from_secs(10)).build().to("who").unwrap();
    let mut outcomes = callee.call_all(&()).await.unwrap();
    network.isolate("host-1");
    offers.remove(0).withdraw().await;
    let mut shown = vec![];
    while let Some((instance, result)) = outcomes.next().await {
        let error = result.err();
        shown.push((instance.name.to_string(), error.map(|error| error.code())));
    }
    shown.sort_by(|a, b| a.0.cmp(&b.0));
    let failed = Some(Code::Unavailable);
    let expect = [("host-0", failed), ("host-1", failed), ("host-2", None)];
    assert_eq!(shown, expect.map(|(name, end)| (name.to_owned(), end)));
}

#[tokio::test(start_paused = true)]
async fn only_so_many_are_asked_at_once_and_who_leaves_stops_them() {
    let (_network, nodes, caller) = world(3, 8).await;
    let (at_work, most) = (Arc::new(()), Arc::new(AtomicUsize::new(0)));
    for node in &nodes {
        let (at_work, most) = (Arc::downgrade(&at_work), Arc::clone(&most));
        let answer = move |seconds: u64| {
            let held = at_work.upgrade();
            most.fetch_max(at_work.strong_count() - 1, Ordering::Relaxed);
            async move {
                sleep(Duration::from_secs(seconds)).await;
                drop(held);
            }
        };
        node.serve("work", answer).await.unwrap();
    }
    know(&caller, "work", 8).await;
    let callee = caller.requester().timeout(Duration::from_hours(2)).build().to("work").unwrap();
    let three = NonZeroUsize::new(3).unwrap();
    let mut outcomes = callee.call_all(&1).at_once(three).await.unwrap();
    assert_eq!(outcomes.left(), 8);
    while let Some((instance, result)) = outcomes.next().await {
        result.unwrap_or_else(|error| panic!("{}: {error}", instance.name));
    }
    assert_eq!(most.load(Ordering::Relaxed), 3);
    let mut outcomes = callee.call_all(&3_600).await.unwrap();
    let working = || async {
        (Arc::weak_count(&at_work) > 0 && Arc::strong_count(&at_work) == 9).then_some(())
    };
    tokio::select! {
        _ = outcomes.next() => panic!("nobody answers so soon"),
        () = until("all work", working) => {}
    }
    drop(outcomes);
    until("none works", || async { (Arc::strong_count(&at_work) == 1).then_some(()) }).await;
}

#[tokio::test(start_paused = true)]
async fn where_there_is_nobody_it_waits_for_one_or_says_so() {
    let (_network, server, client) = two(4).await;
    let hasty = client.requester().no_wait().build();
    client.synced().await;
    assert_eq!(hasty.call_all("who", &()).await.unwrap_err().code(), Code::NotFound);
    let patient = client.requester().timeout(Duration::from_secs(3)).build();
    let began = Instant::now();
    assert_eq!(patient.call_all("who", &()).await.unwrap_err().code(), Code::NotFound);
    assert!(began.elapsed() >= Duration::from_secs(3));
    let (all, _offer) = tokio::join!(patient.call_all("who", &()), async {
        sleep(Duration::from_secs(1)).await;
        serve(&server, "1.0.0", "late", Duration::ZERO).await
    });
    assert_eq!(shown(all.unwrap()).await, ["server: late"]);
    let method = patient.call_all("who/nothing", &()).await.unwrap_err();
    assert_eq!(method.code(), Code::Unimplemented, "{method}");
}

#[tokio::test(start_paused = true)]
async fn a_handler_that_asks_all_has_no_more_time_than_its_caller() {
    let (_network, nodes, caller) = world(5, 2).await;
    let left = |(): (), context: Context| async move { context.remaining() };
    nodes[0].serve("left", left).await.unwrap();
    know(&nodes[1], "left", 1).await;
    let callee = nodes[1].requester().timeout(Duration::from_mins(1)).build().to("left").unwrap();
    let ask = move |(): ()| {
        let all = callee.call_all(&());
        async move {
            let outcome = all.await?.next().await;
            let (_, reply) = outcome.expect("there is one");
            reply?.decode::<Option<Duration>>()
        }
    };
    nodes[1].serve("ask", ask).await.unwrap();
    know(&caller, "ask", 1).await;
    let callee = caller.requester().build().to("ask").unwrap();
    let reply = callee.call(&()).timeout(Duration::from_secs(4)).await.unwrap();
    let left: Option<Duration> = reply.decode().unwrap();
    assert!(left.expect("there is a deadline") <= Duration::from_secs(4));
    let stuck = |(): ()| pending::<()>();
    nodes[0].serve("stuck", stuck).await.unwrap();
}

/// Offers `who@VERSION`: it answers with this word after so long.
async fn serve(node: &Node, version: &str, word: &'static str, after: Duration) -> Responder {
    let answer = move |(): ()| async move {
        sleep(after).await;
        match word {
            "fail" => Err(Status::new(Code::Aborted, "as it was told")),
            word => Ok(word),
        }
    };
    let responder = node.responder(&format!("who@{version}"));
    let label: Label = format!("word={word}").parse().unwrap();
    responder.label(label).serve(answer).await.unwrap()
}
