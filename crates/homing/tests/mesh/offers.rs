//! Who is asked, among versions, namespaces and instances, and how does an offer end?

use crate::house::{config, join, join_many, know, two, until};
use homing::testing::Network;
use homing::{Balancer, Code, Node};
use std::collections::BTreeMap;
use std::time::Duration;
use tokio::time::Instant;

#[tokio::test(start_paused = true)]
async fn one_node_serves_two_versions_and_ranges_choose() {
    let (_network, server, client) = two(1).await;
    for version in ["1.2.0", "1.9.3", "2.0.0"] {
        let answer = move |(): ()| async move { version.to_owned() };
        server.serve(&format!("words@{version}/count"), answer).await.unwrap();
    }
    know(&client, "words", 3).await;
    let rows = [("^2", "2.0.0"), ("~1.2", "1.2.0"), ("1.9.x", "1.9.3"), ("2.0.0", "2.0.0")];
    for (range, expect) in rows {
        let version: String = client.call(&format!("words@{range}/count"), &()).await.unwrap();
        assert_eq!(version, expect, "{range}");
    }
    let requester = client.requester().no_wait().build();
    let error = requester.call::<_, String>("words@^3/count", &()).await.unwrap_err();
    let expect = "UNAVAILABLE: no instance of words@^3 (running: 1.2.0, 1.9.3, 2.0.0)";
    assert_eq!(error.to_string(), expect);
    let error = requester.call::<_, String>("words/length", &()).await.unwrap_err();
    assert_eq!(error.code(), Code::Unimplemented, "{error}");
}

#[tokio::test(start_paused = true)]
async fn namespaces_are_apart() {
    let network = Network::new(2);
    let server = Node::join(config(&network, "server").namespace("shop").unwrap()).await.unwrap();
    let client = join(&network, "client").await;
    server.serve("echo", |text: String| async move { text }).await.unwrap();
    let here = client.requester().no_wait().build();
    know(&client, "echo", 1).await;
    assert_eq!(here.call::<_, String>("echo", "x").await.unwrap_err().code(), Code::NotFound);
    let there = client.requester().namespace("shop".parse().unwrap()).build();
    assert_eq!(there.call::<_, String>("echo", "x").await.unwrap(), "x");
}

#[tokio::test(start_paused = true)]
async fn instances_take_turns_and_one_can_be_chosen() {
    let network = Network::new(3);
    let nodes = join_many(&network, 4).await;
    for (number, node) in (0_usize..).zip(&nodes[..3]) {
        node.serve("who", move |(): ()| async move { number }).await.unwrap();
    }
    know(&nodes[3], "who", 3).await;
    for balancer in [Balancer::default(), Balancer::LeastPending] {
        let callee = nodes[3].requester().balancer(balancer).build().to("who").unwrap();
        let mut counted = BTreeMap::<usize, usize>::new();
        for _ in 0..30 {
            *counted.entry(callee.call(&()).await.unwrap().decode().unwrap()).or_default() += 1;
        }
        assert_eq!(counted.len(), 3, "{balancer:?}: {counted:?}");
        let whom = nodes[1].info().id;
        assert_eq!(callee.call(&()).instance(whom).await.unwrap().node(), whom);
    }
}

#[tokio::test(start_paused = true)]
async fn a_call_waits_for_an_instance_to_appear() {
    let (_network, server, client) = two(4).await;
    let call = tokio::spawn({
        let client = client.clone();
        async move { client.call::<_, String>("late", "x").await }
    });
    tokio::time::sleep(Duration::from_secs(2)).await;
    let start = Instant::now();
    server.serve("late", |text: String| async move { text }).await.unwrap();
    assert_eq!(call.await.unwrap().unwrap(), "x");
    assert!(start.elapsed() < Duration::from_millis(500), "{:?}", start.elapsed());
}

#[tokio::test(start_paused = true)]
async fn a_guard_withdraws_when_dropped_and_an_offer_does_not() {
    let (_network, server, client) = two(5).await;
    let offer = server.serve("stays", |(): ()| async move {}).await.unwrap();
    drop(offer);
    let guard = server.responder("goes").serve(|(): ()| async move {}).await.unwrap();
    know(&client, "goes", 1).await;
    know(&client, "stays", 1).await;
    let requester = client.requester().no_wait().build();
    requester.call::<_, ()>("goes", &()).await.unwrap();
    drop(guard);
    know(&client, "goes", 0).await;
    know(&client, "stays", 1).await;
    let error = requester.call::<_, ()>("goes", &()).await.unwrap_err();
    assert_eq!(error.to_string(), "UNAVAILABLE: no instance of goes (running: none)");
    client.call::<_, ()>("stays", &()).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn to_withdraw_waits_for_what_is_under_way_and_a_caller_never_notices() {
    let network = Network::new(6);
    let nodes = join_many(&network, 3).await;
    let slow = |number: u64| async move {
        tokio::time::sleep(Duration::from_millis(200)).await;
        number
    };
    let going = nodes[0].serve("slow", slow).await.unwrap();
    nodes[1].serve("slow", slow).await.unwrap();
    know(&nodes[2], "slow", 2).await;
    let calls: Vec<_> = (0..40_u64)
        .map(|number| {
            let client = nodes[2].clone();
            tokio::spawn(async move {
                tokio::time::sleep(Duration::from_millis(number * 5)).await;
                client.call::<_, u64>("slow", &number).await
            })
        })
        .collect();
    tokio::time::sleep(Duration::from_millis(100)).await;
    let start = Instant::now();
    going.withdraw().await;
    let taken = start.elapsed();
    assert!((100..260).contains(&taken.as_millis()), "{taken:?}");
    for (number, call) in (0..).zip(calls) {
        assert_eq!(call.await.unwrap().unwrap(), number);
    }
    going.withdraw().await;
}

#[tokio::test(start_paused = true)]
async fn a_name_that_is_none_offers_nothing() {
    let (_network, server, client) = two(7).await;
    assert!(server.serve("no name", |(): ()| async move {}).await.is_err());
    assert!(server.serve("words@1.2", |(): ()| async move {}).await.is_err());
    until("one service", || async {
        server.serve("one", |(): ()| async move {}).await.unwrap();
        (!client.services().is_empty()).then_some(())
    })
    .await;
    assert!(client.services().iter().all(|found| found.service.to_string() == "one"));
}
