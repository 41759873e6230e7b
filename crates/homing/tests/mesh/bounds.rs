//! What happens at a bound that the user set, and is it counted?

use crate::house::{config, join, know, until};
use homing::limits::CONVERSATIONS_MAX;
use homing::testing::Network;
use homing::{Bounds, Code, Context, Node, NodeStats, Payload, Started};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Barrier;

/// A server with bounds of its own, that answers after a second, and a client who knows it.
async fn two(bound: impl FnOnce(&mut Bounds)) -> (Node, homing::Responder, Node) {
    let network = Network::new(1);
    let mut config = config(&network, "server");
    bound(&mut config.limits);
    let server = Node::join(config).await.unwrap();
    let client = join(&network, "client").await;
    let slow = |payload: Payload, _: Context| async move {
        tokio::time::sleep(Duration::from_secs(1)).await;
        Ok(payload)
    };
    let responder = server.responder("echo").serve_raw(slow).await.unwrap();
    know(&client, "echo", 1).await;
    (server, responder, client)
}

#[tokio::test(start_paused = true)]
async fn a_call_beyond_the_conversations_that_a_peer_takes_is_refused_here() {
    let (_server, _echo, client) = two(|limits| limits.conversations = 1).await;
    let within = |millis| {
        let requester = client.requester().timeout(Duration::from_millis(millis)).build();
        requester.to("echo").unwrap().call_raw(Payload::raw("x")).into_future()
    };
    let first = tokio::spawn(within(3_000));
    until("a call is under way", async || (client.stats().await.links.calls > 0).then_some(()))
        .await;
    // Those that come while the first is under way have no time to wait for its end.
    for late in [tokio::spawn(within(500)), tokio::spawn(within(500))] {
        let refused = late.await.unwrap().unwrap_err();
        assert_eq!(refused.started(), Started::No, "{refused}");
    }
    first.await.unwrap().unwrap();
    assert!(client.stats().await.links.refused >= 2, "{:?}", client.stats().await.links);
}

#[tokio::test(start_paused = true)]
async fn unless_bounded_as_many_calls_are_at_work_as_a_link_carries() {
    let network = Network::new(2);
    let (server, client) = (join(&network, "server").await, join(&network, "client").await);
    let all = CONVERSATIONS_MAX as usize;
    let gate = Arc::new(Barrier::new(all));
    let wait_for_all = move |(): ()| {
        let gate = Arc::clone(&gate);
        async move {
            let _ = gate.wait().await;
        }
    };
    server.serve("together", wait_for_all).await.unwrap();
    know(&client, "together", 1).await;
    let callee = client.requester().no_wait().build().to("together").unwrap();
    let calls: Vec<_> = (0..all).map(|_| tokio::spawn(callee.call(&()).into_future())).collect();
    for call in calls {
        call.await.unwrap().unwrap();
    }
}

#[tokio::test(start_paused = true)]
async fn a_payload_beyond_what_is_held_for_peers_is_refused_and_what_was_held_is_given_back() {
    let (server, _echo, client) = two(|limits| limits.budget = 100_000).await;
    let callee = client.requester().timeout(Duration::from_secs(5)).build().to("echo").unwrap();
    let error = callee.call_raw(Payload::raw(vec![7; 300_000])).await.unwrap_err();
    assert_eq!((error.code(), error.started()), (Code::ResourceExhausted, Started::No), "{error}");
    callee.call_raw(Payload::raw(vec![7; 50_000])).await.unwrap();
    let NodeStats { links, .. } = server.stats().await;
    assert!(links.over_budget >= 1 && links.refused >= 1, "{links:?}");
    assert_eq!(links.held, 0, "{links:?}");
}

#[tokio::test(start_paused = true)]
async fn a_connection_beyond_the_links_of_a_node_is_closed_unread() {
    let network = Network::new(2);
    let mut config = config(&network, "server");
    config.limits.links = 1;
    let server = Node::join(config).await.unwrap();
    let _nodes = [join(&network, "one").await, join(&network, "two").await];
    until("a connection is refused", || async {
        (server.stats().await.connections.refused_by_links > 0).then_some(())
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn what_links_did_is_still_counted_when_they_are_no_more() {
    let (server, _echo, client) = two(|_| {}).await;
    let callee = client.requester().build().to("echo").unwrap();
    callee.call_raw(Payload::raw("one")).await.unwrap();
    client.close().await;
    until("the link is no more", || async { (server.stats().await.links.open == 0).then_some(()) })
        .await;
    let stats = server.stats().await;
    assert_eq!(stats.links.requests, 1);
    assert!(stats.links.bytes_in > 0 && stats.datagrams.opened > 0, "{stats:?}");
}
